"""Losses: small functions of what was rendered, each a number to be made small. None divides by what can be nothing."""

from __future__ import annotations

import torch


def photometric(seen: torch.Tensor, wanted: torch.Tensor, knee: float = 0.1) -> torch.Tensor:
    """Mean Huber distance of colours (..., 3): squared up to `knee`, linear beyond: outliers count less.

    Huber (1964), divided by the knee: d²/(2 knee) for |d| < knee, else |d| - knee/2.
    """
    distance = (seen - wanted).abs()
    return torch.where(distance < knee, 0.5 * distance.square() / knee, distance - 0.5 * knee).mean()


def sparsity(opacity: torch.Tensor) -> torch.Tensor:
    """Mean of sqrt(o² + 0.01): little matter. The opacity loss of DreamFusion's public recipes."""
    return (opacity.square() + 0.01).sqrt().mean()


def entropy(opacity: torch.Tensor) -> torch.Tensor:
    """Mean binary entropy of the opacity, in nats: no fog, a ray hits or it does not."""
    o = opacity.clamp(1e-3, 1.0 - 1e-3)
    return -(o * o.log() + (1.0 - o) * (1.0 - o).log()).mean()


def orientation(facing_away: torch.Tensor) -> torch.Tensor:
    """Mean of sum w max(0, n·v)²: what is seen faces the camera (Ref-NeRF, Eq 11)."""
    return facing_away.mean()


def thickness(spread: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
    """Mean variance of the depth over rays that hit (o > 0.5), field units squared: thin surfaces. 0 if none does."""
    hit = (opacity.detach() > 0.5).to(spread.dtype)
    return (spread * hit).sum() / hit.sum().clamp(min=1.0)


def silhouette(opacity: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy of the opacity and a mask, both (N,) from 0 to 1."""
    o = opacity.clamp(1e-3, 1.0 - 1e-3)
    return -(mask * o.log() + (1.0 - mask) * (1.0 - o).log()).mean()


def fog(opacity: torch.Tensor) -> torch.Tensor:
    """Share of rays with an opacity between 0.1 and 0.9: a measure, not a loss; it has no gradient."""
    return ((opacity > 0.1) & (opacity < 0.9)).float().mean()
