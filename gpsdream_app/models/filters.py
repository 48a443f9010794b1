"""What small judges see of a picture: fixed oriented filters at several scales, and a learned linear map of them.

A network trained from nothing on a few dozen photographs learns the photographs. These features are not trained at
all (a scattering transform of two orders, Bruna and Mallat 2013), so the little that is known goes into one map.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

SIDE = 128
SCALES, ORIENTATIONS = 4, 8
SECOND_ORIENTATIONS, SECOND_SCALES = 4, 2
TONE_CELLS, FIRST_CELLS, SECOND_CELLS = 16, 8, 4
WAVELENGTH, SIGMA = 4.0, 1.0  # pixels; each further scale halves the picture
GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601


def resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Pictures (batch, 3, height, width) cut to their middle square and brought to `side` x `side` pixels."""
    height, width = pictures.shape[-2:]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    middle = pictures[..., top : top + square, left : left + square]
    if square == side:
        return middle
    return F.interpolate(middle, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def gabor_filters(orientations: int) -> torch.Tensor:
    """Pairs of even and odd Gabor filters of unit energy, (2 * orientations, 1, k, k); neither sees a flat tone."""
    reach = math.ceil(2.5 * SIGMA)
    steps = torch.arange(-reach, reach + 1.0)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    filters = []
    for number in range(orientations):
        angle = math.pi * number / orientations
        along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        envelope = torch.exp(-(along**2 + across**2 / 2) / (2 * SIGMA**2))
        even = envelope * torch.cos(2 * math.pi * along / WAVELENGTH)
        odd = envelope * torch.sin(2 * math.pi * along / WAVELENGTH)
        even = even - envelope * (even.sum() / envelope.sum())
        energy = (even**2 + odd**2).sum().sqrt()
        filters += [even / energy, odd / energy]
    return torch.stack(filters)[:, None]


def _strengths(maps: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """How strongly each orientation is there, (batch, orientations, h, w), of maps (batch, 1, h, w)."""
    answers = F.conv2d(maps, filters, padding=filters.shape[-1] // 2)
    pairs = answers.unflatten(1, (-1, 2))
    return (pairs.square().sum(dim=2) + 1e-4).sqrt()


class FilterBank(nn.Module):
    """Pictures (batch, 3, h, w) in [-1, 1] to features (batch, `width`), the same for a darker or flatter print.

    Tones in 16 x 16 cells; strengths of 8 orientations at 4 scales in 8 x 8 cells; and of the two finest scales, how
    these strengths themselves vary (4 orientations, 2 scales, 4 x 4 cells), which tells rows of windows from a hedge.
    """

    width = (
        TONE_CELLS**2
        + SCALES * ORIENTATIONS * FIRST_CELLS**2
        + 2 * SECOND_SCALES * ORIENTATIONS * SECOND_ORIENTATIONS * SECOND_CELLS**2
    )

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("first", gabor_filters(ORIENTATIONS), persistent=False)
        self.register_buffer("second", gabor_filters(SECOND_ORIENTATIONS), persistent=False)
        self.register_buffer("grey", torch.tensor(GREY)[:, None, None], persistent=False)

    @torch.no_grad()
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features of pictures."""
        tones = (resized(pictures, SIDE) * self.grey).sum(dim=1, keepdim=True)
        mean, deviation = tones.mean(dim=(2, 3), keepdim=True), tones.std(dim=(2, 3), keepdim=True)
        tones = (tones - mean) / (deviation + 0.05)
        count = len(tones)
        parts = [F.adaptive_avg_pool2d(tones, TONE_CELLS).flatten(1) / 2]
        strengths = []
        level = tones
        for scale in range(SCALES):
            if scale:
                level = F.avg_pool2d(F.pad(level, (1, 1, 1, 1), mode="reflect"), 4, 2)
            strengths.append(_strengths(level, self.first))
            parts.append(F.adaptive_avg_pool2d(strengths[-1], FIRST_CELLS).flatten(1).sqrt())
        for maps in strengths[:2]:
            for _ in range(SECOND_SCALES):
                maps = F.avg_pool2d(maps, 2)
                second = _strengths(maps.reshape(-1, 1, *maps.shape[-2:]), self.second)
                pooled = F.adaptive_avg_pool2d(second, SECOND_CELLS)
                parts.append(pooled.reshape(count, -1).sqrt())
        return torch.cat(parts, dim=1)


class FilterNetwork(nn.Module):
    """The filter bank and what is learned of it: pictures to features (batch, width).

    Args:
        width: of the features.
        dropout: share of the map's inputs that training leaves out.
    """

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.bank = FilterBank()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(FilterBank.width, width)

    def from_raw(self, raw: torch.Tensor) -> torch.Tensor:
        """Features of what the bank says, (batch, its width)."""
        return F.gelu(self.linear(self.dropout(raw)))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features of pictures (batch, 3, h, w) in [-1, 1]."""
        return self.from_raw(self.bank(pictures))
