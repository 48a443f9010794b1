"""Settings of a training run, as read from a recipe file. Each choice that the paper leaves open has a name here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

PRECISIONS = ("no", "bf16", "fp16")
PREDICTIONS = ("v_prediction", "epsilon")
HOLD_OUT_BY = ("source", "block")


@dataclass(frozen=True)
class DataConfig:
    """How photos become training pictures.

    Attributes:
        picture_area: the picture proper as fractions (left, top, right, bottom) of every photo.
        stored_side: photos are kept with this shorter side, pixels.
        smallest_scale: crops are at least this fraction of the photo's shorter side.
        place_jitter_metres: scale of the noise on places, which has heavy tails (Student's t of 3 degrees); across the
            view where the heading is known.
        depth_jitter_metres: the same along the view; None: as across.
        heading_jitter_degrees: noise on headings, standard deviation.
        validation_share: share of source photographs held out.
        validation_by: what is held out as a whole: "source" photographs, or a "block" of them.
        validation_block_metres: side of such a block.
        box_margin_metres: added around the photos' places to make the model's box.
        coverage_cell_metres: size of a cell of the card's photo-density grid.
        cached_crops: crops per photo whose latents are kept when a base model is trained.
        synonyms: per tag other words for it, which now and then stand in its place, so that they are learned too.
        word_share: share of crops that are chosen by a tag, all tags alike, and often named by it alone: rare words
            would otherwise hardly be seen. It also shifts what the model takes for usual.
    """

    picture_area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    stored_side: int = 256
    smallest_scale: float = 0.85
    place_jitter_metres: float = 3.0
    depth_jitter_metres: float | None = None
    heading_jitter_degrees: float = 5.0
    validation_share: float = 0.1
    validation_by: str = "source"
    validation_block_metres: float = 200.0
    box_margin_metres: float = 150.0
    coverage_cell_metres: float = 60.0
    cached_crops: int = 4
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    word_share: float = 0.0


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model that is trained from scratch.

    Attributes:
        image_size: side of a picture, pixels; a multiple of the codec's stride times what the U-Net's levels halve.
        latent_channels: channels of the codec's latents.
        codec_stride: pixels per cell of the latents.
        codec_window: window of the codec's lapped transform, pixels; the stride or an even number more.
        precondition: scale the U-Net's input and output by the latents' deviations (see models.conditions).
        codec_whitening: 0 leaves coarse latent channels louder, 1 makes all equally loud.
        refiner_widths: of the codec's refiner.
        refiner_blocks: residual blocks per level of the refiner.
        unet_channels: per level of the U-Net.
        unet_attention: whether a level has attention.
        unet_layers: residual blocks per level.
        unet_heads: attention heads.
        text_width: token width of text and location.
        text_layers: of the text encoder.
        text_heads: of the text encoder.
        vocabulary_size: of the tokenizer.
        max_tokens: per prompt.
        location_hidden: width of the location encoder's MLPs.
        target_metres: finest period of the location encoder.
        location_in_time: also add the location tokens to the time embedding (beyond the paper).
        text_in_time: numbers of the mean text token that join them there, 0 to text_width. With few captions a small
            model learns to attend to words too slowly; this way they reach every layer at once.
        map_channels: input channels of the U-Net that the place map fills (see models.place_map); 0 for no map.
        map_cell_metres: side of a cell of each of its levels, finest first.
        map_features: numbers per cell of each level.
        map_cells: most cells that a level keeps: those that the photos look at most.
        map_hidden: width of its network.
        map_depth_metres: how far ahead of the camera street fronts are taken to be.
    """

    image_size: int = 128
    latent_channels: int = 12
    codec_stride: int = 8
    codec_window: int = 16
    precondition: bool = True
    codec_whitening: float = 0.5
    refiner_widths: tuple[int, ...] = (64, 48, 32)
    refiner_blocks: int = 2
    unet_channels: tuple[int, ...] = (96, 128, 192)
    unet_attention: tuple[bool, ...] = (False, True, True)
    unet_layers: int = 1
    unet_heads: int = 4
    text_width: int = 192
    text_layers: int = 2
    text_heads: int = 4
    vocabulary_size: int = 1536
    max_tokens: int = 40
    location_hidden: int = 384
    target_metres: float = 20.0
    location_in_time: bool = True
    text_in_time: int = 0
    map_channels: int = 32
    map_cell_metres: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 32.0, 128.0, 512.0)
    map_features: tuple[int, ...] = (12, 16, 16, 8, 8, 8, 8, 8)
    map_cells: int = 24_000
    map_hidden: int = 192
    map_depth_metres: float = 20.0


@dataclass(frozen=True)
class LossConfig:
    """The loss, and when conditions are dropped.

    Attributes:
        prediction: "v_prediction" or "epsilon" (the paper).
        zero_terminal_snr: rescale the noise schedule so that its last step is pure noise.
        min_snr_gamma: of min-SNR weighting; None for plain weighting.
        only_text, only_place, neither: shares of samples whose other conditions are dropped (the paper: 5 % each).
        drop_heading: share of the remaining samples whose heading is dropped.
        channel_weight: with preconditioned latents, channels count by this power of their deviation: 0 for all alike;
            with a whitening of 0.5, 2 is the squared error of pixels. What is faint is mostly unpredictable.
        blur_place: share of samples for which the finest levels of the place map are left out, up to a random one.
    """

    prediction: str = "v_prediction"
    zero_terminal_snr: bool = True
    min_snr_gamma: float | None = 5.0
    only_text: float = 0.05
    only_place: float = 0.05
    neither: float = 0.05
    drop_heading: float = 0.1
    channel_weight: float = 1.0
    blur_place: float = 0.3


@dataclass(frozen=True)
class LoopConfig:
    """The training loop.

    Attributes:
        steps: optimiser steps in all.
        batch: pictures per step and process, before accumulation.
        accumulate: gradients of this many batches make one step.
        learning_rate: peak.
        warm_up: steps from zero to the peak.
        cool_down: steps from the peak to zero at the end.
        weight_decay: of AdamW.
        second_beta: of AdamW: how long squared gradients are remembered.
        ema_decay: of the averaged weights; 0 for none.
        max_gradient: norm that gradients are clipped to.
        precision: "no", "bf16" or "fp16".
        codec_steps: for the codec's linear part.
        refiner_steps: for its refiner.
        refiner_noise: largest deviation of the noise on the latents that the refiner learns from.
        map_steps: for the place map, before the denoiser learns.
        map_batch: crops per step of it.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validation pictures.
        checkpoints_kept: older ones are deleted.
        hold_out_until: after this step the held-out photos are learned too, and no longer measured; None: never.
        seed: of everything random.
        lora_rank: of the adapters when a base model is trained; 0 trains the whole U-Net.
        gradient_checkpointing: trade time for memory when a base model is trained.
    """

    steps: int = 20_000
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 5e-4
    warm_up: int = 200
    cool_down: int = 1_000
    weight_decay: float = 0.01
    second_beta: float = 0.99
    ema_decay: float = 0.999
    max_gradient: float = 1.0
    precision: str = "no"
    codec_steps: int = 2_000
    refiner_steps: int = 3_000
    refiner_noise: float = 0.2
    map_steps: int = 2_000
    map_batch: int = 64
    checkpoint_every: int = 500
    validate_every: int = 1_000
    checkpoints_kept: int = 2
    hold_out_until: int | None = None
    seed: int = 0
    lora_rank: int = 0
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class CardConfig:
    """What the model's card says beyond what training measures."""

    name: str = "my-model"
    title: str = "My model"
    description: str = ""
    city: str = ""
    licence: str = ""
    data: str = ""
    data_source: str = ""
    data_licence: str = ""
    words: tuple[str, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainConfig:
    """A whole recipe."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig()
    card: CardConfig = field(default_factory=CardConfig)

    def __post_init__(self) -> None:
        """Raise GPSDreamError for a setting that no run can be made with."""
        loop, model, data = self.loop, self.model, self.data
        for name in (
            "steps",
            "batch",
            "accumulate",
            "map_batch",
            "checkpoint_every",
            "validate_every",
            "checkpoints_kept",
        ):
            if getattr(loop, name) < 1:
                raise bad_recipe(f"“loop.{name}” must be at least 1, not {getattr(loop, name)}.")
        for name in ("seed", "lora_rank", "warm_up", "cool_down", "codec_steps", "refiner_steps", "map_steps"):
            if getattr(loop, name) < 0:
                raise bad_recipe(f"“loop.{name}” must be at least 0, not {getattr(loop, name)}.")
        if not 0 < loop.learning_rate < 1:
            raise bad_recipe(f"“loop.learning_rate” must be between 0 and 1, not {loop.learning_rate}.")
        multiple = model.codec_stride * 2 ** (len(model.unet_channels) - 1)
        if model.image_size < multiple or model.image_size % multiple:
            raise bad_recipe(f"“model.image_size” must be a multiple of {multiple}, not {model.image_size}.")
        if model.map_channels and len(model.map_features) != len(model.map_cell_metres):
            raise bad_recipe("“model.map_features” must have a number for each of “model.map_cell_metres”.")
        if not 0 <= model.text_in_time <= model.text_width:
            raise bad_recipe(f"“model.text_in_time” must be from 0 to the width of a token, not {model.text_in_time}.")
        if data.validation_by not in HOLD_OUT_BY:
            raise bad_recipe(
                f"“data.validation_by” must be one of {', '.join(HOLD_OUT_BY)}, not “{data.validation_by}”."
            )
        if not 0 <= data.validation_share < 1:
            raise bad_recipe(f"“data.validation_share” must be from 0 to under 1, not {data.validation_share}.")
        if loop.precision not in PRECISIONS:
            raise bad_recipe(f"“loop.precision” must be one of {', '.join(PRECISIONS)}, not “{loop.precision}”.")
        if self.loss.prediction not in PREDICTIONS:
            raise bad_recipe(
                f"“loss.prediction” must be one of {', '.join(PREDICTIONS)}, not “{self.loss.prediction}”."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainConfig:
        """Read a recipe. Raises GPSDreamError that names an unknown or wrong setting."""
        return read_settings(cls, data, "recipe")

    @classmethod
    def for_base(cls) -> TrainConfig:
        """What to start with for a Stable Diffusion base: epsilon as it was trained, LoRA, a rate of 1e-4."""
        return cls(
            data=DataConfig(stored_side=640),
            model=ModelConfig(location_hidden=768, location_in_time=False),
            loss=LossConfig(prediction="epsilon", zero_terminal_snr=False),
            loop=LoopConfig(
                batch=1, accumulate=16, learning_rate=1e-4, lora_rank=16, gradient_checkpointing=True, ema_decay=0.995
            ),
            card=CardConfig(defaults={"text_guidance": 3.5, "place_guidance": 7.5}),
        )

    @classmethod
    def open(cls, path: Path) -> TrainConfig:
        """Read a recipe file."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise bad_recipe(f"The recipe “{path.name}” cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise bad_recipe(f"The recipe “{path.name}” is not JSON: {error}.") from None
        return cls.from_dict(data)


def bad_recipe(message: str) -> GPSDreamError:
    """The error for a recipe that no run can be made with."""
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, "See docs/training.md for the settings of a recipe.")


def read_settings(cls: type, data: Any, path: str) -> Any:
    """Read JSON values into a dataclass of settings. Raises GPSDreamError that names an unknown or wrong one."""
    if not isinstance(data, Mapping):
        raise bad_recipe(f"“{path}” must be an object with settings.")
    hints = get_type_hints(cls)
    known = {item.name for item in fields(cls)}
    for name in data:
        if name not in known:
            raise bad_recipe(f"“{path}” has no setting “{name}”.")
    return cls(**{name: _value(hints[name], value, f"{path}.{name}") for name, value in data.items()})


def _value(hint: Any, value: Any, path: str) -> Any:
    if is_dataclass(hint):
        return read_settings(hint, value, path)
    if getattr(hint, "__origin__", None) is tuple:
        if not isinstance(value, (list, tuple)):
            raise bad_recipe(f"“{path}” must be a list.")
        return tuple(value)
    if hint == Mapping[str, Sequence[str]] and not (
        isinstance(value, Mapping) and all(isinstance(words, (list, tuple)) for words in value.values())
    ):
        raise bad_recipe(f"“{path}” must be an object whose values are lists of words.")
    wanted = {bool: bool, int: int, float: (int, float), str: str}.get(hint)
    if wanted and (not isinstance(value, wanted) or (hint is not bool and isinstance(value, bool))):
        raise bad_recipe(f"“{path}” must be of type {hint.__name__}, not {value!r}.")
    return float(value) if hint is float else value
