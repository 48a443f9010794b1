"""Settings of a landmark model's training run, as read from a recipe file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gpsdream_app.models.angle_encoder import ENCODINGS
from gpsdream_app.training.config import CardConfig, LoopConfig, LossConfig, ModelConfig, bad_recipe, read_settings


@dataclass(frozen=True)
class ViewsConfig:
    """Which framed views are learned, and how their words vary.

    Attributes:
        largest_sigma: views whose azimuth is less certain than this many degrees (standard deviation) are left out.
        view_words: share of samples that are told their side in words ("front view", "side view", "back view") and
            not their angle, as text-to-3D recipes ask for views: what the method *text* then stands on.
    """

    largest_sigma: float = 20.0
    view_words: float = 0.0


@dataclass(frozen=True)
class AngleConfig:
    """The angle encoder; see models.angle_encoder.

    Attributes:
        encoding: "continuous", or "bins" (the paper).
        harmonics: of the continuous encoding.
        distance: whether there is a token for the distance.
        fov: whether there is one for the photo's field of view.
        time_scale_shift: how time, words and angle enter the blocks of a small U-Net: "default" or "scale_shift".
    """

    encoding: str = "continuous"
    harmonics: int = 12
    distance: bool = True
    fov: bool = False
    time_scale_shift: str = "scale_shift"


@dataclass(frozen=True)
class PriorConfig:
    """Prior preservation (Ruiz et al. 2023): what a base drew before is learned beside the photos, without an angle.

    Attributes:
        weight: lambda of the prior's loss; 0 for none. The paper: 1.
        pictures: how many the base draws.
        prompt: their words; empty: the words of the views, in turn (the paper).
        steps: denoising steps for them.
        guidance: weight of the words for them.
    """

    weight: float = 1.0
    pictures: int = 200
    prompt: str = ""
    steps: int = 20
    guidance: float = 7.5


def small_model() -> ModelConfig:
    """Sizes of the embedded model: at most 10 MiB of half-precision weights, 96 pixels."""
    return ModelConfig(
        image_size=96,
        latent_channels=32,
        codec_stride=8,
        codec_window=16,
        refiner_widths=(48, 40, 32),
        refiner_blocks=1,
        unet_channels=(96, 96, 80),
        unet_attention=(False, True, False),
        text_width=96,
        text_layers=1,
        vocabulary_size=560,
        max_tokens=24,
        location_hidden=128,
        location_in_time=True,
        text_in_time=96,
        map_channels=0,
    )


@dataclass(frozen=True)
class LandmarkTrainConfig:
    """A whole recipe."""

    data: ViewsConfig = ViewsConfig()
    angle: AngleConfig = AngleConfig()
    model: ModelConfig = field(default_factory=small_model)
    prior: PriorConfig = PriorConfig()
    loss: LossConfig = field(default_factory=lambda: LossConfig(min_snr_gamma=None))
    loop: LoopConfig = field(default_factory=LoopConfig)
    card: CardConfig = field(default_factory=CardConfig)

    def __post_init__(self) -> None:
        """Raise GPSDreamError for a setting that no run can be made with."""
        if self.angle.encoding not in ENCODINGS:
            raise bad_recipe(f"“angle.encoding” must be one of {', '.join(ENCODINGS)}, not “{self.angle.encoding}”.")
        if self.angle.time_scale_shift not in ("default", "scale_shift"):
            raise bad_recipe(
                f"“angle.time_scale_shift” must be default or scale_shift, not “{self.angle.time_scale_shift}”."
            )
        if self.angle.harmonics < 1:
            raise bad_recipe(f"“angle.harmonics” must be at least 1, not {self.angle.harmonics}.")
        if not 0 <= self.data.view_words <= 1:
            raise bad_recipe(f"“data.view_words” must be from 0 to 1, not {self.data.view_words}.")
        if not self.data.largest_sigma > 0:
            raise bad_recipe(f"“data.largest_sigma” must be over 0, not {self.data.largest_sigma}.")
        if self.prior.weight < 0 or self.prior.pictures < 1 or self.prior.steps < 1:
            raise bad_recipe("“prior.weight” must be at least 0, “prior.pictures” and “prior.steps” at least 1.")
        if self.model.map_channels:
            raise bad_recipe("“model.map_channels” must be 0: landmark models have no place map.")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LandmarkTrainConfig:
        """Read a recipe. Raises GPSDreamError that names an unknown or wrong setting."""
        if isinstance(data, Mapping) and isinstance(data.get("model"), Mapping):
            data = {**data, "model": {**asdict(small_model()), **data["model"]}}
        config: LandmarkTrainConfig = read_settings(cls, data, "recipe")
        return config

    @classmethod
    def for_base(cls) -> LandmarkTrainConfig:
        """What to start with for a base: the paper's drop rates, LoRA, a rate that adapters learn with."""
        return cls(
            angle=AngleConfig(distance=False, time_scale_shift="default"),
            loss=LossConfig(prediction="epsilon", zero_terminal_snr=False, min_snr_gamma=None),
            loop=LoopConfig(
                steps=800, batch=1, accumulate=16, learning_rate=1e-4, warm_up=50, cool_down=200, lora_rank=16,
                gradient_checkpointing=True, ema_decay=0.99, checkpoint_every=100, validate_every=200,
            ),
            card=CardConfig(defaults={"text_guidance": 2.0, "place_guidance": 2.0}),
        )  # fmt: skip

    @classmethod
    def open(cls, path: Path) -> LandmarkTrainConfig:
        """Read a recipe file."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise bad_recipe(f"The recipe “{path.name}” cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise bad_recipe(f"The recipe “{path.name}” is not JSON: {error}.") from None
        return cls.from_dict(data)
