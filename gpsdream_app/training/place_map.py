"""Training the place map before the denoiser: what does each place look like on average?

A denoiser learns a place only through noise, from few samples a second. The map alone learns the same hundreds of times
more cheaply: its plane is fitted to the latents of the photos by squared error, so it starts as a blurred memory of
every place, and the denoiser's work is to make pictures of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import torch
from torch import nn

from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.location_encoder import LocationEncoder
from gpsdream_app.models.place_map import PlaceMap
from gpsdream_app.training.batches import Batch, CropSampler
from gpsdream_app.training.config import LossConfig
from gpsdream_app.training.learner import blurred_places, deviations_of

Report = Callable[[int, int, str], None]


def map_error(plane: torch.Tensor, latents: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Squared error of a map's plane as a guess of the first latent channels, in units of their deviations and counted
    by them.

    Args:
        plane: (batch, map channels, h, w).
        latents: (batch, channels, h, w).
        deviations: (channels,), of the latents.

    Returns:
        (batch,).
    """
    count = min(plane.shape[1], latents.shape[1])
    weights = deviations[:count] / deviations[:count].mean()
    wanted = latents[:, :count] / deviations[:count, None, None]
    return ((plane[:, :count] - wanted).square() * weights[:, None, None]).mean(dim=(1, 2, 3))


def cells_looked_at(place_map: PlaceMap, sampler: CropSampler, most: int, crops: int = 12_000) -> list[torch.Tensor]:
    """The cells of every level that pictures read, the most read first, at most `most` of them.

    Args:
        place_map: whose geometry counts.
        sampler: of crops with their places.
        most: per level.
        crops: how many are looked at.

    Returns:
        Numbers of cells, per level.
    """
    counts: list[Counter[int]] = [Counter() for _ in place_map.cell_metres]
    for step in range(crops // 64):
        batch = sampler.batch(2_000_000_000 + step, 64)
        east, north, line_east, line_north = place_map.points_read(batch.lat, batch.lon, batch.heading, batch.metres)
        for level, count in enumerate(counts):
            points = [(line_east.flatten(), line_north.flatten())]
            if level in place_map.around:
                points.append((east, north))
            for point in points:
                numbers, shares = place_map.corners(level, *point)
                count.update(numbers[shares > 0.01].tolist())
    return [torch.tensor([number for number, _ in count.most_common(most)], dtype=torch.int64) for count in counts]


def train_place_map(
    encoder: LocationEncoder,
    codec: LappedAutoencoder,
    sampler: CropSampler,
    loss: LossConfig,
    *,
    steps: int,
    batch: int,
    learning_rate: float = 6e-3,
    weight_decay: float = 1.0,
    report: Report | None = None,
) -> None:
    """Fit the place map of a location encoder to the latents of photos.

    Args:
        encoder: with a place map.
        codec: finished.
        sampler: of crops with their places.
        loss: how often headings are dropped and places blurred.
        steps: optimiser steps.
        batch: crops per step.
        learning_rate: at the start; falls to zero as a cosine.
        weight_decay: of AdamW.
        report: told (step, steps, text).
    """
    place_map = encoder.place_map
    deviations = deviations_of(codec)
    # The decay keeps cells that few photos look at from shouting where none was taken.
    optimizer = torch.optim.AdamW(place_map.parameters(), learning_rate, betas=(0.9, 0.99), weight_decay=weight_decay)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        # Other crops than the denoiser's.
        crops = sampler.batch(1_000_000_000 + step, batch)
        with torch.no_grad():
            latents = codec.encode(crops.pictures.to(codec.device)).latents.float() * codec.config.scaling_factor
        value = map_error(_plane(encoder, crops, loss, step), latents, deviations.to(latents)).mean()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(place_map.parameters(), 1.0)
        optimizer.step()
        if report and ((step + 1) % 50 == 0 or step + 1 == steps):
            report(step + 1, steps, f"place map: {value.item():.3f} of the latents unexplained")


def _plane(encoder: LocationEncoder, crops: Batch, loss: LossConfig, step: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step)
    count = len(crops.prompts)
    seen = torch.rand(count, generator=generator) >= loss.drop_heading
    finest = blurred_places(loss.blur_place, encoder.config.map_cell_metres, count, generator)
    heading = torch.where(seen, crops.heading, torch.nan)
    plane = encoder.read_map(crops.lat, crops.lon, heading, width=crops.metres, finest=finest)
    assert plane is not None  # told by the caller
    return plane
