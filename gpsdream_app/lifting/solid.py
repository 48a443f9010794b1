"""What no level camera can see: the inside of walls, and what lies on a roof. Shapes are made solid without either.

Views from eye height show walls, and of a roof only its edge. Inside of the walls, and in a low cone on every flat
roof, the fit is free: whatever is there changes no view. So only what some view shows counts as found; where that
closes a ring in a horizontal section, what it encloses is filled; the rest goes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes

from gpsdream_app.lifting.density import Density

GAP = 2  # cells of a gap in a wall that counts as closed
DEPTH = 2  # cells behind the surface that is seen which count as seen


def solid(density: Density, seen: np.ndarray, gap: int = GAP, depth: int = DEPTH) -> Density:
    """Fill what walls enclose, level by level, and take away what nobody has seen.

    A vault that can be seen through encloses nothing and stays open.

    Args:
        density: as it was fitted.
        seen: (N, 3) points of surfaces that views show, field units.
        gap: cells of a gap that counts as closed.
        depth: cells about those points that count as seen.

    Returns:
        The same, denser inside, thinner where nothing was seen.
    """
    level = density.threshold()
    matter = density.values > level
    shown = np.zeros_like(matter)
    counts = np.array(density.values.shape[::-1])
    cells = np.rint((np.asarray(seen) / np.array(density.extent) + 1.0) / 2.0 * (counts - 1)).astype(np.int64)
    cells = cells[((cells >= 0) & (cells < counts)).all(axis=1)]
    shown[cells[:, 2], cells[:, 1], cells[:, 0]] = True
    shell = matter & binary_dilation(shown, np.ones((3, 3, 3), dtype=bool), iterations=depth)
    ring = np.ones((2 * gap + 1, 2 * gap + 1), dtype=bool)
    whole = np.zeros_like(matter)
    for number, section in enumerate(shell):
        if section.any():
            # Padded, because a closing takes away what touches the border.
            closed = binary_closing(np.pad(section, 2 * gap), ring)[2 * gap : -2 * gap, 2 * gap : -2 * gap]
            # A closing fills narrow passages as well; only what a closed ring encloses is wanted.
            enclosed = binary_fill_holes(closed) & ~closed
            near = binary_dilation(enclosed, ring) & closed if enclosed.any() else enclosed
            whole[number] = section | enclosed | near | binary_fill_holes(section)
    if not whole.any():
        return density
    # What lies under something enclosed is inside, whether its own ring is closed or not.
    whole |= matter & np.logical_or.accumulate(whole[::-1])[::-1]
    inside = float(np.median(density.values[shell])) if shell.any() else level
    values = density.values.copy()
    values[whole & ~matter] = inside
    values[whole & matter & ~shell] = np.maximum(values[whole & matter & ~shell], inside)
    # Beside the surface the density falls off smoothly, and the mesh with it; farther away it is none of it.
    about = binary_dilation(whole, np.ones((3, 3, 3), dtype=bool))
    values[matter & ~whole & ~about] = 0.0
    edge = matter & ~whole & about
    values[edge] = np.minimum(values[edge], 0.5 * level)
    return replace(density, values=values)
