"""A trained pipeline as the noise model that lifting asks: of landmarks with angles, or of words alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from gpsdream_app.lifting.guidance import Condition
from gpsdream_app.models.conditions import Location, predict
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline, View
from gpsdream_app.models.pipeline import GPSDiffusionPipeline

BLOCKS = (ResnetBlock2D, Transformer2DModel)


class DiffusionViews:
    """A `NoiseModel` made of a pipeline (see guidance). One that is no LandmarkPipeline knows words only.

    Args:
        pipeline: draws pictures of landmarks, or of anything.
        name: for the records in files and checkpoints.
        background: the flat colour behind the object in its training pictures, 3 numbers from 0 to 1; None if they had
            surroundings.
        heights_per_unit: heights of the landmark that a field unit is, for models that know distances.
    """

    def __init__(
        self,
        pipeline: GPSDiffusionPipeline,
        name: str,
        background: tuple[float, float, float] | None = None,
        heights_per_unit: float = 1 / 1.6,
    ) -> None:
        self.pipeline, self.name, self.background = pipeline, name, background
        self.heights_per_unit = heights_per_unit
        self.knows_cameras = isinstance(pipeline, LandmarkPipeline)
        self.device = pipeline.unet.device
        sample = pipeline.unet.config.sample_size
        self.side = sample * pipeline.vae_scale
        self.latent_shape = (pipeline.unet.config.out_channels, sample, sample)
        self._kept = pipeline.scheduler.alphas_cumprod.double().cpu()
        self._prediction = pipeline.scheduler.config.prediction_type
        self._words: dict[str, torch.Tensor] = {}
        self._preconditioning = pipeline.preconditioning

    @contextmanager
    def interrupted(self, check: Callable[[], None]) -> Iterator[None]:
        """Have `check` called before every block of the networks: what it raises ends a pass in its middle.

        A pass of a large model takes seconds on a processor; nobody shall wait so long for a cancel.
        """

        def before(*_: Any) -> None:
            check()

        networks = (self.pipeline.unet, self.pipeline.vae)
        blocks = [one for network in networks for one in network.modules() if isinstance(one, BLOCKS)]
        hooks = [block.register_forward_pre_hook(before) for block in blocks]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _timestep(self, t: float) -> float:
        return t * (len(self._kept) - 1)

    def levels(self, t: float) -> tuple[float, float]:
        """See NoiseModel: by the model's own noise schedule, straight between its timesteps."""
        position = self._timestep(t)
        below = min(int(position), len(self._kept) - 2)
        share = position - below
        kept = float(self._kept[below]) * (1 - share) + float(self._kept[below + 1]) * share
        return kept**0.5, (1 - kept) ** 0.5

    @torch.no_grad()
    def predict(self, noisy: torch.Tensor, t: float, conditions: Sequence[Condition]) -> torch.Tensor:
        """See NoiseModel."""
        timestep = torch.tensor(self._timestep(t), device=self.device)
        text = torch.cat([self._tokens(one.words) for one in conditions])
        output = predict(self.pipeline.unet, noisy, timestep, text, self._where(conditions), self._preconditioning)
        alpha, sigma = self.levels(t)
        if self._prediction == "v_prediction":
            return sigma * noisy + alpha * output
        if self._prediction == "sample":
            return (noisy - alpha * output) / max(sigma, 1e-4)
        return output

    def _tokens(self, words: str) -> torch.Tensor:
        if words not in self._words:
            given = self.pipeline.encode_text([words]) if words.strip() else self.pipeline.encode_null_text(1)
            self._words[words] = given
        return self._words[words]

    def _where(self, conditions: Sequence[Condition]) -> Location:
        if not isinstance(self.pipeline, LandmarkPipeline):
            return self.pipeline.encode_places([None] * len(conditions))
        views = [
            None
            if one.camera is None
            else View(one.camera.azimuth % 360.0, one.camera.distance * self.heights_per_unit)
            for one in conditions
        ]
        return self.pipeline.encode_views(views)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """See NoiseModel."""
        if pictures.shape[-1] != self.side:
            pictures = F.interpolate(pictures, (self.side, self.side), mode="bilinear", align_corners=False)
        vae = self.pipeline.vae
        encoded = vae.encode((pictures * 2 - 1).to(vae.dtype))
        latents = encoded.latent_dist.mean if isinstance(vae, AutoencoderKL) else encoded.latents
        return latents.float() * vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See NoiseModel."""
        return self.pipeline.decode(latents, "pt")
