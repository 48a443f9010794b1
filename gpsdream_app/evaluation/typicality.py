"""What the diffusion model itself says of a photo and a place: typicality, and location by diffusion loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.statistics import Floats
from gpsdream_app.models.conditions import predict
from gpsdream_app.models.pipeline import GPSDiffusionPipeline


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """How a diffusion loss is measured; science leaves all of it open.

    Attributes:
        draws: pairs of timestep and noise; the same for all places, so that differences are not those of the noise.
        interval: part of the noise schedule (0 clean, 1 pure noise) that the timesteps spread over evenly. Next to
            its ends a prediction is either trivial or tells nothing of this picture.
        seed: decides timesteps and noise.
        batch: pictures in one pass of the U-Net.
    """

    draws: int = 16
    interval: tuple[float, float] = (0.1, 0.9)
    seed: int = 0
    batch: int = 32


@dataclass(frozen=True, slots=True)
class Typicality:
    """How much better a photo is predicted when its place is known.

    Attributes:
        value: T(x|g), in units of the noise's variance: 0.01 says that a hundredth of it is explained by the place.
        standard_error: of the value, from the spread over draws.
        map: (h, w), T of each cell of the latent; its mean is the value.
    """

    value: float
    standard_error: float
    map: Floats


def picture_latents(pipeline: GPSDiffusionPipeline, pictures: torch.Tensor) -> torch.Tensor:
    """Latents of pictures as the U-Net sees them, without noise of their own.

    Args:
        pipeline: whose autoencoder is used.
        pictures: (batch, 3, height, width), in [-1, 1].

    Returns:
        (batch, channels, h, w), float32 on the pipeline's device.
    """
    vae = pipeline.vae
    with torch.no_grad():
        encoded = vae.encode(pictures.to(vae.device, vae.dtype))
    latents = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded.latents
    return latents.float() * vae.config.scaling_factor


def _noise(
    pipeline: GPSDiffusionPipeline, latent: torch.Tensor, settings: NoiseSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Timesteps (draws,), one from each of as many equal parts of the interval, and noise (draws, c, h, w)."""
    generator = torch.Generator().manual_seed(settings.seed)
    total = pipeline.scheduler.config.num_train_timesteps
    start, end = settings.interval
    spread = (torch.arange(settings.draws) + torch.rand(settings.draws, generator=generator)) / settings.draws
    timesteps = ((start + (end - start) * spread) * total).long().clamp(0, total - 1)
    noise = torch.randn((settings.draws, *latent.shape), generator=generator)
    return timesteps.to(latent.device), noise.to(latent.device)


def _error(
    pipeline: GPSDiffusionPipeline,
    predicted: torch.Tensor,
    latent: torch.Tensor,
    noise: torch.Tensor,
    timesteps: torch.Tensor,
) -> torch.Tensor:
    """`|e - e_hat|^2` of whatever the model predicts, mean over channels: (batch, h, w)."""
    scheduler = pipeline.scheduler
    kind = scheduler.config.prediction_type
    kept = scheduler.alphas_cumprod.to(latent.device)[timesteps].float()[:, None, None, None]
    if kind == "epsilon":
        error = (predicted - noise).square()
    elif kind == "v_prediction":
        # With z = a x + s e and v = a e - s x (a^2 + s^2 = 1), e = s z + a v: errors of e are those of v times a.
        error = kept * (predicted - scheduler.get_velocity(latent, noise, timesteps)).square()
    elif kind == "sample":
        # e = (z - a x) / s.
        error = kept / (1 - kept).clamp_min(1e-8) * (predicted - latent).square()
    else:
        raise ValueError(f"the prediction type {kind!r} has no noise to compare with")
    return error.mean(dim=1)


def _error_maps(
    pipeline: GPSDiffusionPipeline,
    latent: torch.Tensor,
    prompt: str,
    places: Sequence[Place | None],
    settings: NoiseSettings,
) -> Iterator[Floats]:
    """Errors of the predicted noise, place by place: (draws, h, w) each."""
    timesteps, noise = _noise(pipeline, latent, settings)
    with torch.no_grad():
        text = pipeline.encode_text([prompt]) if prompt.strip() else pipeline.encode_null_text(1)
        repeated = latent[None].expand(settings.draws, -1, -1, -1)
        noisy = pipeline.scheduler.add_noise(repeated, noise, timesteps)
        # Draws of several places in one pass: full passes cost a third less than many small ones.
        pairs = [(place, draw) for place in places for draw in range(settings.draws)]
        done: list[torch.Tensor] = []
        for start in range(0, len(pairs), settings.batch):
            part = pairs[start : start + settings.batch]
            draws = [draw for _, draw in part]
            predicted = predict(
                pipeline.unet,
                noisy[draws],
                timesteps[draws],
                text.expand(len(part), -1, -1),
                pipeline.encode_places([place for place, _ in part]),
                pipeline.preconditioning,
            )
            done += _error(pipeline, predicted, repeated[draws], noise[draws], timesteps[draws])
            while len(done) >= settings.draws:
                yield cast(Floats, torch.stack(done[: settings.draws]).double().cpu().numpy())
                del done[: settings.draws]


def typicality(
    pipeline: GPSDiffusionPipeline,
    picture: torch.Tensor,
    prompt: str,
    place: Place,
    settings: NoiseSettings | None = None,
) -> Typicality:
    """T(x|g) = E[|e - e(z_t, p, 0)|^2 - |e - e(z_t, p, g)|^2] (arXiv 2408.02752), with squares as means per number.

    Args:
        pipeline: the model.
        picture: (3, height, width), in [-1, 1].
        prompt: words p of both terms; may be empty.
        place: g.
        settings: of the measurement.
    """
    chosen = settings or NoiseSettings()
    latent = picture_latents(pipeline, picture[None])[0]
    without, with_place = _error_maps(pipeline, latent, prompt, [None, place], chosen)
    gain = without - with_place
    per_draw = gain.mean(axis=(1, 2))
    error = float(per_draw.std(ddof=1) / np.sqrt(len(per_draw))) if len(per_draw) > 1 else 0.0
    return Typicality(float(per_draw.mean()), error, gain.mean(axis=0))


def location_log_density(
    pipeline: GPSDiffusionPipeline,
    picture: torch.Tensor,
    prompt: str,
    places: Sequence[Place],
    settings: NoiseSettings | None = None,
    *,
    on_place: Callable[[int, int], None] | None = None,
) -> Floats:
    """How well each of some places explains a picture: the diffusion loss with its sign turned.

    A log density up to a factor and a constant, so its order is that of places by how likely they are; evaluation.area
    makes Recall vs Area of it. Costs `draws` passes per place.

    Args:
        pipeline: the model.
        picture: (3, height, width), in [-1, 1].
        prompt: words; may be empty.
        places: such as the middles of a grid's cells.
        settings: of the measurement.
        on_place: told (places done, places) after each.

    Returns:
        (places,).
    """
    latent = picture_latents(pipeline, picture[None])[0]
    result = np.empty(len(places))
    for index, error in enumerate(_error_maps(pipeline, latent, prompt, places, settings or NoiseSettings())):
        result[index] = -error.mean()
        if on_place:
            on_place(index + 1, len(places))
    return result
