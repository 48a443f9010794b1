"""A turntable: the field seen from all round, as pictures. `pictures` writes them as MP4 or GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from gpsdream_app.lifting.cameras import ring
from gpsdream_app.lifting.field import Field, Occupancy
from gpsdream_app.lifting.pictures import write_turntable as write_turntable
from gpsdream_app.lifting.renderer import Background, Shading, render_pictures


def frames(
    field: Field,
    count: int = 72,
    side: int = 256,
    *,
    elevation: float = 5.0,
    distance: float = 3.0,
    fov: float = 40.0,
    samples: int = 96,
    background: torch.Tensor | Background | None = None,
    shading: Shading = Shading.ALBEDO,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[np.ndarray]:
    """Pictures (side, side, 3) of bytes, the camera walking clockwise from the south; `cancelled` ends it early."""
    occupancy = Occupancy(field.extent)
    occupancy.update(field)
    for camera in ring(count, (elevation,), distance, fov, start=180.0):
        if cancelled is not None and cancelled():
            return
        seen = render_pictures(
            field,
            [camera],
            side,
            side,
            samples=samples,
            background=background,
            occupancy=occupancy,
            shading=shading,
        )
        yield (seen.colour.reshape(side, side, 3).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
