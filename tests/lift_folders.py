"""Finished lifts without a model: a made-up tower, or a landmark of known shape, as a density in a lift's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpsdream_app.domain.landmarks import landmark
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest, LiftResult
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.result import finish_lift
from gpsdream_app.lifting.scale import scale_of_height


def a_tower(height: float = 87.0, cells: int = 40) -> Density:
    """A tower with a lower wing in the east and a red roof: no symmetry. Grey in the north, gold in the south."""
    extent = (1.0, 1.0, 1.0)
    line = np.linspace(-1, 1, cells)
    z, y, x = np.meshgrid(line, line, line, indexing="ij")

    def box(centre: tuple[float, float, float], half: tuple[float, float, float]) -> np.ndarray:
        away = [np.abs(axis - middle) - size for axis, middle, size in zip((x, y, z), centre, half, strict=True)]
        return np.maximum.reduce(away)

    away = np.minimum(box((-0.1, 0.0, 0.0), (0.25, 0.3, 0.8)), box((0.35, -0.05, -0.5), (0.3, 0.2, 0.3)))
    values = 60.0 * np.clip(0.5 - away * cells / 2, 0, 1)
    grey, gold, red = np.array([0.62, 0.63, 0.66]), np.array([0.86, 0.68, 0.38]), np.array([0.66, 0.24, 0.2])
    colours = np.where((y > 0)[..., None], grey, gold)
    colours = np.where((z > 0.66)[..., None], red, colours)
    stripes = ((z * 9).astype(int) % 2 == 0)[..., None] & (z <= 0.66)[..., None]
    return Density(values, np.where(stripes, colours * 0.86, colours), extent, scale_of_height(height))


def a_lift(
    folder: Path, name: str = "flatiron", density: Density | None = None, method: LiftMethod = LiftMethod.REFINE
) -> LiftResult:
    """Write a finished lift into a folder, as the engine does."""
    known = landmark(name)
    return finish_lift(
        density or a_tower(known.height),
        np.full((64, 256, 3), 90, np.uint8),
        LiftRequest(known, method),
        folder,
        job_id="test",
        seconds=1.0,
        model_title="Landmarks",
        model_hash="0123456789abcdef",
    )
