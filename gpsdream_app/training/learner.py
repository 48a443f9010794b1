"""The loss: noise a latent, predict, compare. One module, so that accelerate wraps it as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.training_utils import compute_snr
from torch import nn

from gpsdream_app.models.conditions import Location, encode_prompts, preconditioning_of, predict
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.config import LossConfig


@dataclass
class Conditions:
    """What is kept of each sample's conditions.

    Attributes:
        text, place, heading: (batch,), bool.
    """

    text: torch.Tensor
    place: torch.Tensor
    heading: torch.Tensor


def drop_conditions(config: LossConfig, count: int, generator: torch.Generator) -> Conditions:
    """Choose what each sample may see: text only, place only, neither, or both (section 4.1 of the paper).

    The heading goes with the place, and is dropped alone now and then.
    """
    draw = torch.rand(count, generator=generator)
    only_text = draw < config.only_text
    only_place = (draw >= config.only_text) & (draw < config.only_text + config.only_place)
    bound = config.only_text + config.only_place
    neither = (draw >= bound) & (draw < bound + config.neither)
    place = ~(only_text | neither)
    heading = place & (torch.rand(count, generator=generator) >= config.drop_heading)
    return Conditions(~(only_place | neither), place, heading)


def loss_weights(scheduler, timesteps: torch.Tensor, gamma: float | None) -> torch.Tensor:
    """Weight of each sample's loss: 1, or min-SNR (Hang et al. 2023) in the form that fits the prediction type.

    Args:
        scheduler: gives the signal-to-noise ratios and the prediction type.
        timesteps: (batch,).
        gamma: None for plain weighting.

    Returns:
        (batch,).
    """
    if gamma is None:
        return torch.ones(timesteps.shape, device=timesteps.device)
    snr = compute_snr(scheduler, timesteps)
    clipped = snr.clamp(max=gamma)
    if scheduler.config.prediction_type == "v_prediction":
        return clipped / (snr + 1)
    # At a terminal SNR of zero the noise is the input itself; there is nothing to learn.
    return torch.where(snr > 0, clipped / snr.clamp_min(1e-8), torch.zeros_like(snr))


def deviations_of(vae: nn.Module) -> torch.Tensor:
    """Standard deviations of the latent's channels, (channels,): as measured, or 1 for codecs that were not."""
    known = getattr(vae.config, "latent_deviations", None)
    return torch.ones(vae.config.latent_channels) if known is None else torch.tensor(known)


def blurred_places(share: float, cell_metres: Sequence[float], count: int, generator: torch.Generator) -> torch.Tensor:
    """To how many metres each sample knows its place, (count,), float64: 0 for most, for a share of them a level of the
    place map or more than its coarsest one."""
    limits = torch.tensor([*sorted(cell_metres)[1:], math.inf], dtype=torch.float64)
    chosen = limits[torch.randint(len(limits), (count,), generator=generator)]
    return torch.where(torch.rand(count, generator=generator) < share, chosen, 0.0)


class Learner(nn.Module):
    """The trainable parts of a pipeline and their loss."""

    def __init__(self, pipeline: GPSDiffusionPipeline, config: LossConfig, *, train_text: bool) -> None:
        super().__init__()
        self.unet = pipeline.unet
        self.location_encoder = pipeline.location_encoder
        self.text_encoder = pipeline.text_encoder
        self.tokenizer = pipeline.tokenizer
        self.scheduler = pipeline.scheduler
        self.config = config
        self.train_text = train_text
        self.null_text = pipeline.config.null_text
        self.preconditioning = preconditioning_of(pipeline.vae, pipeline.scheduler)
        if not train_text:
            self.text_encoder.requires_grad_(False)

    def forward(
        self,
        latents: torch.Tensor,
        lat: torch.Tensor,
        lon: torch.Tensor,
        heading: torch.Tensor,
        prompts: list[str],
        seed: int,
        text: torch.Tensor | None = None,
        metres: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean loss of a batch.

        Args:
            latents: (batch, channels, h, w), scaled as the U-Net expects them.
            lat, lon, heading: (batch,), degrees, float64, on the CPU; NaN where not known.
            prompts: words of each sample.
            seed: decides timesteps, noise and dropped conditions.
            text: (batch, tokens, width): cached text tokens of the prompts, if there are any.
            metres: (batch,), how much of the frontage each picture shows; NaN or None where not known.
        """
        count, device = len(latents), latents.device
        generator = torch.Generator().manual_seed(seed)
        keep = drop_conditions(self.config, count, generator)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        timesteps = self.timesteps(count, generator).to(device)
        text = self.words(prompts, keep.text, device, text)

        places = [torch.where(keep.place, degrees, torch.nan) for degrees in (lat, lon)]
        places.append(torch.where(keep.heading, heading, torch.nan))
        finest = blurred_places(self.config.blur_place, self.location_encoder.config.map_cell_metres, count, generator)
        # Without a map nothing was ever left out, so such models know places as well as their tokens say.
        radius = finest if self.location_encoder.config.map_channels else 0.0
        tokens = self.location_encoder(*places, radius=radius)
        location = Location(tokens, self.location_encoder.read_map(*places, width=metres, finest=finest))
        return self.losses(latents, noise, timesteps, text, location).mean()

    def timesteps(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """One timestep from each of `count` equal parts of the schedule, (count,): less noise in the loss than free
        draws."""
        total = self.scheduler.config.num_train_timesteps
        spread = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        timesteps = (spread * total).long().clamp(max=total - 1)
        return timesteps[torch.randperm(count, generator=generator)]

    def words(
        self, prompts: list[str], keep: torch.Tensor, device: torch.device, text: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Text tokens of prompts, (batch, tokens, width), those of no words where they are dropped.

        Args:
            prompts: words of each sample.
            keep: (batch,), bool.
            device: of the result.
            text: cached text tokens of the prompts, if there are any.
        """
        has_words = torch.tensor([bool(prompt.strip()) for prompt in prompts]) & keep
        if text is None:
            with torch.set_grad_enabled(self.train_text and torch.is_grad_enabled()):
                text = encode_prompts(self.tokenizer, self.text_encoder, prompts)
        nothing = torch.zeros_like(text[:1])
        if self.null_text == "empty_prompt":
            with torch.no_grad():
                nothing = encode_prompts(self.tokenizer, self.text_encoder, [""]).to(text)
        return torch.where(has_words.to(device)[:, None, None], text, nothing)

    def losses(
        self,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        location: Location,
    ) -> torch.Tensor:
        """Weighted loss of each sample, (batch,)."""
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        if self.scheduler.config.prediction_type == "v_prediction":
            target = self.scheduler.get_velocity(latents, noise, timesteps)
        else:
            target = noise
        predicted = predict(self.unet, noisy, timesteps, text, location, self.preconditioning)
        error = (predicted - target.float()).square()
        if self.preconditioning is not None:
            weights = self.preconditioning.deviations.to(latents.device) ** self.config.channel_weight
            error = error * (weights / weights.mean())[:, None, None]
        error = error.mean(dim=(1, 2, 3))
        return loss_weights(self.scheduler, timesteps, self.config.min_snr_gamma) * error
