"""Cheap pictures of half-finished latents, without the autoencoder's decoder."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.pipeline import GPSDiffusionPipeline


def fit_preview(latents: torch.Tensor, pictures: torch.Tensor) -> list[list[float]]:
    """Least-squares map from one latent cell to its mean colour.

    Args:
        latents: (n, channels, h, w).
        pictures: (n, 3, 8 h, 8 w), in [-1, 1].

    Returns:
        channels + 1 rows of 3 numbers; the last row is the offset.
    """
    colours = torch.nn.functional.adaptive_avg_pool2d(pictures, latents.shape[-2:])
    inputs = latents.transpose(0, 1).flatten(1).T.double()
    inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    solution = torch.linalg.lstsq(inputs, colours.transpose(0, 1).flatten(1).T.double()).solution
    return [[round(value, 5) for value in row] for row in solution.tolist()]


def preview(
    pipeline: GPSDiffusionPipeline, latents: torch.Tensor, matrix: list[list[float]] | None = None
) -> Image.Image:
    """A small picture of the first of some latents.

    Args:
        pipeline: whose latents they are.
        latents: (n, channels, h, w), as the U-Net sees them.
        matrix: of `fit_preview`; used where the autoencoder has no linear decoder of its own.

    Returns:
        A picture of 8 pixels per latent cell for a LappedAutoencoder, else of one.
    """
    one = latents[:1].float()
    if isinstance(pipeline.vae, LappedAutoencoder):
        pixels = pipeline.vae.decode_linear((one / pipeline.vae.config.scaling_factor).to(pipeline.vae.dtype))[
            0
        ].float()
    elif matrix is not None and len(matrix) == one.shape[1] + 1:
        weights = torch.tensor(matrix, dtype=torch.float32, device=one.device)
        pixels = torch.einsum("chw,ck->khw", one[0], weights[:-1]) + weights[-1][:, None, None]
    else:
        pixels = one[0, :3] / one[0, :3].abs().amax().clamp_min(1e-6)
    array = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(array))
