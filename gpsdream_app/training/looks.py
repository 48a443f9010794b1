"""Random looks for the pictures that a judge learns from: tone, colour, softness, grain, turn, and covered parts.

A judge must weigh what stands in a picture, not how it was exposed, scanned or drawn: drawn pictures are softer than
photographs, and each scan has a tone of its own.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
SOFT_GROUPS = 4
TURN_DEGREES, STRETCH, SHIFT = 4.0, 0.08, 0.05
GAMMA_DEVIATION, LIGHT_DEVIATION = 0.2, 0.15
COVERED_SHARE, LARGEST_COVER = 0.5, 0.45


def varied_tones(pictures: torch.Tensor, deviation: float, generator: torch.Generator) -> torch.Tensor:
    """Random contrast, brightness, gamma and a gain that varies across the picture.

    Args:
        pictures: (batch, 3, h, w), in [-1, 1].
        deviation: of contrast (as a factor) and brightness (of [-1, 1]).
        generator: on the CPU.
    """
    count, _, height, width = pictures.shape

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(pictures.device)

    scale = deviation / 0.2
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    contrast, brightness = normal(2, count, 1, 1, 1) * deviation
    light = F.interpolate(normal(count, 1, 3, 3), (height, width), mode="bicubic", align_corners=True)
    varied = (pictures - mean) * contrast.exp() + mean + brightness + light * LIGHT_DEVIATION * scale
    gamma = (normal(count, 1, 1, 1) * GAMMA_DEVIATION * scale).exp()
    return ((varied + 1) / 2).clamp(0, 1) ** gamma * 2 - 1


def less_colour(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures with some of their colour taken away; of one third all."""
    weights = torch.tensor(GREY, device=pictures.device)[:, None, None]
    grey = (pictures * weights).sum(dim=1, keepdim=True)
    taken = (torch.rand(len(pictures), generator=generator) * 1.5).clamp(max=1).to(pictures.device)
    return pictures + (grey - pictures) * taken[:, None, None, None]


def softened(pictures: torch.Tensor, softest: float, generator: torch.Generator) -> torch.Tensor:
    """Pictures brought down to a random fraction of their side, from `softest` to 1.25, and up again.

    Over 1 they stay as they are. Neighbours in the batch get the same fraction.
    """
    side = pictures.shape[-1]
    parts = []
    for part in pictures.chunk(SOFT_GROUPS):
        fraction = softest + (1.25 - softest) * float(torch.rand(1, generator=generator))
        smaller = round(fraction * side)
        if 0 < smaller < side:
            part = F.interpolate(part, (smaller, smaller), mode="bilinear", antialias=True, align_corners=False)
            part = F.interpolate(part, (side, side), mode="bicubic", align_corners=False)
        parts.append(part)
    return torch.cat(parts)


def turned(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures that are turned, stretched and moved a little; edges are mirrored."""

    def uniform() -> torch.Tensor:
        return torch.rand(len(pictures), generator=generator).to(pictures.device) * 2 - 1

    angle = uniform() * math.radians(TURN_DEGREES)
    stretch = 1 + uniform() * STRETCH
    rows = [
        [angle.cos() * stretch, -angle.sin(), uniform() * SHIFT],
        [angle.sin(), angle.cos(), uniform() * SHIFT],
    ]
    matrices = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = F.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def mirrored(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the pictures mirrored. Not for places: what is mirrored stands in no street."""
    chosen = torch.rand(len(pictures), generator=generator).to(pictures.device) < 0.5
    return torch.where(chosen[:, None, None, None], pictures.flip(-1), pictures)


def partly_covered(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A grey rectangle on half of the pictures, so that no single thing decides."""
    count, _, height, width = pictures.shape
    values = torch.rand((count, 5), generator=generator)
    sizes = 0.1 + (LARGEST_COVER - 0.1) * values[:, :2]
    starts = values[:, 2:4] * (1 - sizes)
    starts[values[:, 4] >= COVERED_SHARE] = 2.0  # outside
    rows, columns = torch.arange(height) / height, torch.arange(width) / width
    down = (rows >= starts[:, :1]) & (rows < starts[:, :1] + sizes[:, :1])
    across = (columns >= starts[:, 1:]) & (columns < starts[:, 1:] + sizes[:, 1:])
    covered = (down[:, :, None] & across[:, None, :]).to(pictures.device)
    return pictures.masked_fill(covered[:, None], 0.0)


def varied_looks(
    pictures: torch.Tensor,
    seed: int,
    *,
    tone_jitter: float = 0.2,
    softest: float = 0.4,
    grain: float = 0.05,
    mirror: bool = False,
) -> torch.Tensor:
    """All of it; a pure function of the pictures and the seed.

    Args:
        pictures: (batch, 3, side, side), in [-1, 1].
        seed: decides every draw.
        tone_jitter: deviation of contrast and brightness; the other tones go with it.
        softest: smallest fraction of the side that a picture is brought down to.
        grain: largest mean deviation of the noise, of [-1, 1].
        mirror: whether half of the pictures are mirrored.

    Returns:
        Pictures of the same shape, in [-1, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    if mirror:
        pictures = mirrored(pictures, generator)
    pictures = less_colour(turned(pictures, generator), generator)
    pictures = softened(varied_tones(pictures, tone_jitter, generator), softest, generator)
    amounts = torch.rand((len(pictures), 1, 1, 1), generator=generator) * 2 * grain
    noise = torch.randn(pictures.shape, generator=generator) * amounts
    return partly_covered(pictures + noise.to(pictures.device), generator).clamp(-1, 1)
