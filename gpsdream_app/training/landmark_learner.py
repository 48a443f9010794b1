"""The loss of a landmark model: as for places, with an angle where these have a location, and a prior beside it."""

from __future__ import annotations

import torch

from gpsdream_app.models.conditions import Location
from gpsdream_app.training.learner import Learner, drop_conditions


class LandmarkLearner(Learner):
    """The trainable parts of a LandmarkPipeline and their loss."""

    def forward(
        self,
        latents: torch.Tensor,
        azimuth: torch.Tensor,
        distance: torch.Tensor,
        fov: torch.Tensor,
        prompts: list[str],
        seed: int,
        text: torch.Tensor | None = None,
        priors: int = 0,
        prior_weight: float = 1.0,
    ) -> torch.Tensor:
        """Mean loss of the views plus lambda times that of the prior's pictures.

        Args:
            latents: (batch, channels, h, w), scaled as the U-Net expects them; the prior's last.
            azimuth: (batch,), degrees, float64, on the CPU; NaN where not told.
            distance: (batch,), heights of the landmark; likewise.
            fov: (batch,), degrees; likewise.
            prompts: words of each sample.
            seed: decides timesteps, noise and dropped conditions.
            text: (batch, tokens, width): cached text tokens of the prompts, if there are any.
            priors: how many of the samples, the last ones, are the prior's. They have words and no angle.
            prior_weight: lambda.
        """
        count, views = len(latents), len(latents) - priors
        generator = torch.Generator().manual_seed(seed)
        keep = drop_conditions(self.config, count, generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        parts = [self.timesteps(part, generator) for part in (views, priors) if part]
        timesteps = torch.cat(parts).to(latents.device)
        text = self.words(prompts, keep.text, latents.device, text)

        azimuth = torch.where(keep.place, azimuth, torch.nan)
        distance, fov = (torch.where(keep.heading, values, torch.nan) for values in (distance, fov))
        location = Location(self.location_encoder(azimuth, distance, fov), self.location_encoder.plane(count))
        losses = self.losses(latents, noise, timesteps, text, location)
        if not priors:
            return losses.mean()
        return losses[:views].mean() + prior_weight * losses[views:].mean()
