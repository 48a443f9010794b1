"""What no level camera can see: the inside of walls that close a ring. It is filled, so that shapes are solid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_closing, binary_fill_holes

from gpsdream_app.lifting.density import Density

GAP = 1  # cells of a gap in a wall that counts as closed


def filled(density: Density, gap: int = GAP) -> Density:
    """Fill what walls enclose, level by level.

    Views from eye height show a building's walls and nothing of its roof, so its inside is as the fit began with it:
    air, open above. Wherever matter closes a ring in a horizontal section of the field, what it encloses becomes
    matter as dense as the wall. A vault that can be seen through encloses nothing and stays open.

    Args:
        density: as it was fitted.
        gap: cells of a gap that counts as closed.

    Returns:
        The same with denser cells, which have the colour of the nearest wall.
    """
    level = density.threshold()
    matter = density.values > level
    values = density.values.copy()
    ring = np.ones((2 * gap + 1, 2 * gap + 1), dtype=bool)
    inside = np.zeros_like(matter)
    for number, section in enumerate(matter):
        if section.any():
            # Padded, because a closing takes away what touches the border.
            closed = binary_closing(np.pad(section, 2 * gap), ring)[2 * gap : -2 * gap, 2 * gap : -2 * gap]
            inside[number] = binary_fill_holes(closed | section) & ~section
    if not inside.any():
        return density
    values[inside] = np.maximum(values[inside], float(np.median(density.values[matter])))
    return replace(density, values=values)
