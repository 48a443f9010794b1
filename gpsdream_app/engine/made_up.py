"""Made-up landmarks for the scripted engine: a tower of blocks that depends on the landmark, and pictures of it."""

from __future__ import annotations

import hashlib
import random

import numpy as np

from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.scale import scale_of_height

CELLS = 40  # along a side of the box
SOLID = 60.0  # density of the blocks
SIDE = 96  # pixels of a picture, and how many of them are looked at: it shall be quick
SEEN = 48


def made_up_density(request: LiftRequest, share: float = 1.0) -> Density:
    """A tower on a base with an annex, without symmetry, as far as it is after this share of the lift.

    Args:
        request: landmark and seed decide the shape.
        share: of the lift that is done, 0 to 1: first there is fog about a lump.
    """
    dice = random.Random(hashlib.sha256(f"{request.landmark.id} {request.seed}".encode()).digest())
    axis = np.linspace(-1, 1, CELLS)
    up, north, east = np.meshgrid(axis, axis, axis, indexing="ij")
    wide, deep = dice.uniform(0.25, 0.4), dice.uniform(0.25, 0.4)
    boxes = [
        ((0.0, 0.0), (wide, deep), (-0.8, dice.uniform(0.1, 0.4)), (196, 178, 148)),
        ((0.0, 0.0), (wide * 0.55, deep * 0.55), (-0.8, 0.8), (176, 156, 128)),
        ((wide + 0.08, -0.1), (0.16, 0.2), (-0.8, dice.uniform(-0.5, -0.2)), (150, 82, 66)),
    ]
    values = np.zeros(up.shape, dtype=np.float32)
    colours = np.full((*up.shape, 3), 0.5, dtype=np.float32)
    for (x, y), (half_wide, half_deep), (low, high), colour in boxes:
        inside = (np.abs(east - x) <= half_wide) & (np.abs(north - y) <= half_deep) & (up >= low) & (up <= high)
        values[inside] = SOLID
        # One cell around as well: colours are read a little beside the surface.
        near = (np.abs(east - x) <= half_wide + 0.06) & (np.abs(north - y) <= half_deep + 0.06)
        near &= (up >= low) & (up <= high + 0.06)
        storeys = 0.85 + 0.15 * np.sign(np.sin(up[near] * 40.0))
        colours[near] = np.array(colour) / 255 * storeys[:, None]
    if share < 1.0:
        lump = 8.0 * np.clip(1.1 - np.sqrt(east**2 + north**2 + (up * 0.8) ** 2), 0, None)
        values = (share * values + (1 - share) * lump).astype(np.float32)
        colours = (share * colours + (1 - share) * 0.5).astype(np.float32)
    return Density(values, colours, (1.0, 1.0, 1.0), scale_of_height(request.landmark.height), 0.5)


def look_at(
    density: Density, azimuth: float, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colour, depth, normals and opacity of a density as a distant camera sees it, each (side, side, 3) bytes.

    Args:
        density: what is looked at.
        azimuth: where the camera stands, degrees clockwise from north.
        side: of the pictures in pixels.
    """
    angle = np.radians(azimuth)
    towards = np.array([np.sin(angle), np.cos(angle)])
    right = np.array([-np.cos(angle), np.sin(angle)])
    steps = CELLS
    across = np.linspace(-1, 1, SEEN)[None, :, None]
    upwards = np.linspace(1, -1, SEEN)[:, None, None]
    along = np.linspace(1.2, -1.2, steps)[None, None, :]
    east, north = across * right[0] + along * towards[0], across * right[1] + along * towards[1]
    count = np.array(density.values.shape)
    inside = (np.abs(east) <= 1) & (np.abs(north) <= 1)

    def cell(where: np.ndarray, cells: int) -> np.ndarray:
        number: np.ndarray = np.rint((where + 1) / 2 * (cells - 1)).astype(np.int64)
        return number.clip(0, cells - 1)

    index = cell(upwards, count[0]), cell(north, count[1]), cell(east, count[2])
    taken = 1 - np.exp(-np.where(inside, density.values[index], 0.0) * 2.4 / steps)
    left = np.cumprod(np.concatenate([np.ones_like(taken[..., :1]), 1 - taken], axis=-1), axis=-1)
    weight = left[..., :-1] * taken
    opacity = weight.sum(axis=-1)
    sky = np.array([0.36, 0.56, 0.82])
    colour = (weight[..., None] * density.colours[index]).sum(axis=2) + (1 - opacity)[..., None] * sky
    near = (weight * (1 - np.arange(steps) / steps)).sum(axis=-1)
    down, aside = np.gradient(near * SEEN)
    slope = np.stack([-aside, down, np.full_like(near, 3.0)], axis=-1)
    slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
    normals = (slope / 2 + 0.5) * opacity[..., None]
    pictures = (colour, np.repeat(near[..., None], 3, axis=-1), normals, np.repeat(opacity[..., None], 3, axis=-1))
    rows = np.arange(side) * SEEN // side
    shown = [(picture.clip(0, 1) * 255).round().astype(np.uint8)[rows][:, rows] for picture in pictures]
    one, two, three, four = shown
    return one, two, three, four
