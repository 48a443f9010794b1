"""Pictures as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def pictures_from_pixels(pixels: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8 pictures (side, side, 3) to one tensor (n, 3, side, side), float32 in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return stacked.float().div_(127.5).sub_(1)
