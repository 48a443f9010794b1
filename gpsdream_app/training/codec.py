"""Training the light autoencoder: first its linear halves, then the refiner behind them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch

from gpsdream_app.models.codec import LappedAutoencoder

Report = Callable[[int, int, str], None]


class Pictures(Protocol):
    """Training pictures without end."""

    def pictures(self, number: int, count: int) -> torch.Tensor:
        """Batch `number`, always the same: (count, 3, side, side) in [-1, 1]."""


def psnr(picture: torch.Tensor, truth: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1], over the whole batch."""
    error = (picture.clamp(-1, 1) - truth).square().mean().item()
    return 10 * math.log10(4 / max(error, 1e-12))


def edge_loss(picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of the differences between neighbouring pixels: what blur gets wrong."""
    across = (picture.diff(dim=-1) - truth.diff(dim=-1)).abs().mean()
    down = (picture.diff(dim=-2) - truth.diff(dim=-2)).abs().mean()
    return across + down


def _steps(
    codec: LappedAutoencoder,
    parameters: list[torch.nn.Parameter],
    loss: Callable[[int], torch.Tensor],
    steps: int,
    learning_rate: float,
    report: Callable[[int, float], None],
) -> None:
    optimizer = torch.optim.Adam(parameters, learning_rate)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        value = loss(step)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        report(step + 1, value.item())


def train_linear(
    codec: LappedAutoencoder, sampler: Pictures, *, steps: int, batch: int, report: Report | None = None
) -> None:
    """Fit the linear halves by squared error from principal components, then standardise the latents."""
    codec.start_from_principal_components(sampler.pictures(0, 256))

    def loss(step: int) -> torch.Tensor:
        pictures = sampler.pictures(step, batch)
        return (codec.decode_linear(codec.encode(pictures).latents) - pictures).square().mean()

    halves = [*codec.analysis.parameters(), *codec.synthesis.parameters()]

    def progress(step: int, value: float) -> None:
        if report and (step % 50 == 0 or step == steps):
            report(step, steps, f"codec, linear part: {10 * math.log10(4 / value):.2f} dB")

    _steps(codec, halves, loss, steps, 2e-3, progress)
    with torch.no_grad():
        codec.standardise(codec.encode(sampler.pictures(steps, 512)).latents)


def train_refiner(
    codec: LappedAutoencoder,
    sampler: Pictures,
    *,
    steps: int,
    batch: int,
    noise: float = 0.0,
    edge_weight: float = 1.0,
    report: Report | None = None,
) -> None:
    """Fit the refiner behind the finished linear halves; the latents stay as they are.

    Args:
        codec: with trained linear halves.
        sampler: of pictures.
        steps: optimiser steps.
        batch: pictures per step.
        noise: standard deviation of noise on the latents, so that slightly wrong latents decode well too.
        edge_weight: of `edge_loss` beside the absolute error.
        report: told (step, steps, text).
    """

    def loss(step: int) -> torch.Tensor:
        pictures = sampler.pictures(step, batch)
        with torch.no_grad():
            latents = codec.encode(pictures).latents
            generator = torch.Generator().manual_seed(step)
            level = noise * torch.rand(batch, 1, 1, 1, generator=generator)
            latents = latents + level * torch.randn(latents.shape, generator=generator)
        decoded = codec.decode(latents).sample
        return (decoded - pictures).abs().mean() + edge_weight * edge_loss(decoded, pictures)

    def progress(step: int, value: float) -> None:
        if report and (step % 50 == 0 or step == steps):
            report(step, steps, f"codec, refiner: loss {value:.4f}")

    _steps(codec, list(codec.refiner.parameters()), loss, steps, 1e-3, progress)
