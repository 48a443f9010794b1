"""Recall vs Area inside a city: to how many square kilometres a picture pins its place down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpsdream_app.domain.places import Box
from gpsdream_app.evaluation.statistics import Floats, Interval, bootstrap, bootstrap_distribution, median
from gpsdream_app.geo.frames import ECCENTRICITY_SQUARED, SEMI_MINOR_AXIS, distance

MOST_CELLS = 1_000_000


def _band(lat: Floats) -> Floats:
    """Area in square metres between the equator and latitudes in degrees, per radian of longitude, on WGS 84."""
    sine, e = np.sin(np.radians(lat)), math.sqrt(ECCENTRICITY_SQUARED)
    bulge = sine / (1 - ECCENTRICITY_SQUARED * sine**2) + np.log((1 + e * sine) / (1 - e * sine)) / (2 * e)
    return SEMI_MINOR_AXIS**2 / 2 * bulge


@dataclass(frozen=True)
class Grid:
    """Cells of about one size that fill a box; numbered row by row from the south-west.

    Attributes:
        box: what is filled.
        rows, columns: how many cells from south to north and from west to east.
    """

    box: Box
    rows: int
    columns: int

    @classmethod
    def of(cls, box: Box, cell_metres: float) -> Grid:
        """A grid whose cells measure about `cell_metres` each way.

        Raises:
            ValueError: if that would be more than a million cells, or none.
        """
        if not cell_metres > 0:
            raise ValueError("cells have a size above zero")
        lat, _ = box.centre
        height = distance(box.south, box.west, box.north, box.west)
        width = distance(lat, box.west, lat, box.east)
        rows, columns = (max(1, round(side / cell_metres)) for side in (height, width))
        if rows * columns > MOST_CELLS:
            raise ValueError(f"{rows} x {columns} cells are too many; take larger ones")
        return cls(box, rows, columns)

    def __len__(self) -> int:
        return self.rows * self.columns

    @cached_property
    def areas(self) -> Floats:
        """(cells,), km2."""
        edges = np.linspace(self.box.south, self.box.north, self.rows + 1)
        width = math.radians(self.box.east - self.box.west) / self.columns
        return np.repeat(np.diff(_band(edges)) * width / 1e6, self.columns)

    @cached_property
    def centres(self) -> tuple[Floats, Floats]:
        """Latitudes and longitudes of the cells' middles, each (cells,), degrees."""
        lats = self.box.south + (np.arange(self.rows) + 0.5) * (self.box.north - self.box.south) / self.rows
        lons = self.box.west + (np.arange(self.columns) + 0.5) * (self.box.east - self.box.west) / self.columns
        return np.repeat(lats, self.columns), np.tile(lons, self.rows)

    def cell_of(self, lat: ArrayLike, lon: ArrayLike) -> NDArray[np.int64]:
        """Numbers of the cells that hold places in degrees; -1 outside the box."""
        lats, lons = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
        box = self.box
        inside = (lats >= box.south) & (lats <= box.north) & (lons >= box.west) & (lons <= box.east)
        row = np.floor(np.where(inside, (lats - box.south) / (box.north - box.south), 0) * self.rows)
        column = np.floor(np.where(inside, (lons - box.west) / (box.east - box.west), 0) * self.columns)
        # The northern and the eastern edge belong to the last cells.
        row, column = np.minimum(row, self.rows - 1), np.minimum(column, self.columns - 1)
        return np.where(inside, row * self.columns + column, -1).astype(np.int64)


def mass_of_density(log_density: ArrayLike, grid: Grid) -> Floats:
    """Probability per cell of densities that are known up to a factor.

    A cosine divided by the temperature that it was trained with is such a log density, and so is a diffusion loss
    with its sign turned, times any factor.

    Args:
        log_density: (pictures, cells), natural logarithm.
        grid: of the cells.

    Returns:
        (pictures, cells); each row sums to 1.
    """
    logits = np.asarray(log_density, dtype=np.float64) + np.log(grid.areas)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return cast(Floats, weights / weights.sum(axis=1, keepdims=True))


def areas_until_found(scores: ArrayLike, grid: Grid, lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Area that is searched before the true place is inside (arXiv 2407.13862).

    Cells are searched by falling score per area; of the true cell, and of cells that score exactly as it does, half
    counts: a picture that tells nothing has half of the box searched.

    Args:
        scores: (pictures, cells), at least 0 each: the share of belief that its cell holds, such as a probability.
        grid: of the cells.
        lat, lon: (pictures,), true places, degrees.

    Returns:
        (pictures,), km2; infinite for a place outside the box.
    """
    mass = np.asarray(scores, dtype=np.float64)
    truth = grid.cell_of(lat, lon)
    if mass.ndim != 2 or mass.shape != (len(truth), len(grid)):
        raise ValueError(f"scores must be {(len(truth), len(grid))}, not {mass.shape}")
    if not np.isfinite(mass).all() or (mass < 0).any():
        raise ValueError("scores must be finite and not below zero")
    areas = grid.areas
    found = np.full(len(truth), np.inf)
    for index, cell in enumerate(truth):
        if cell >= 0:
            density = mass[index] / areas
            # Rounding must not rank cells that are alike.
            alike = np.abs(density - density[cell]) <= 1e-12 * density[cell]
            better = (density > density[cell]) & ~alike
            found[index] = areas[better].sum() + areas[alike].sum() / 2
    return found


@dataclass(frozen=True)
class RecallCurve:
    """Share of pictures whose place is found within an area.

    Attributes:
        areas: (points,), km2, rising.
        recall: (points,), 0 to 1.
        low, high: (points,), 95 % interval of the recall.
        median_area: km2 within which half of the pictures are found; may be infinite.
    """

    areas: Floats
    recall: Floats
    low: Floats
    high: Floats
    median_area: Interval


def recall_curve(
    found: ArrayLike,
    areas: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> RecallCurve:
    """Recall as a function of area, with intervals.

    Args:
        found: (pictures,), km2, of `areas_until_found`.
        areas: (points,), km2; by default 60 between the smallest and the largest finite area, evenly in their
            logarithm.
        groups: (pictures,), equal for pictures that belong together.
        resamples: for the intervals.
        seed: decides every draw.
    """
    until = np.asarray(found, dtype=np.float64)
    if areas is None:
        finite = until[np.isfinite(until) & (until > 0)]
        low, high = (finite.min(), finite.max()) if len(finite) else (1e-3, 1.0)
        points = np.geomspace(low, max(high, low * 1.01), 60)
        # Rounding in the logarithm must not lose the first and the last picture.
        points[0], points[-1] = low, max(high, low * 1.01)
    else:
        points = np.sort(np.asarray(areas, dtype=np.float64))
    inside = (until[:, None] <= points[None, :]).astype(np.float64)
    spread = bootstrap_distribution(inside, groups=groups, resamples=resamples, seed=seed)
    lower, upper = np.quantile(spread, (0.025, 0.975), axis=0)
    middle = bootstrap(until, median, groups=groups, resamples=resamples, seed=seed)
    return RecallCurve(points, inside.mean(axis=0), lower, upper, middle)


def recall_at(
    found: ArrayLike,
    areas: Sequence[float],
    *,
    groups: ArrayLike | None = None,
    resamples: int = 2_000,
    seed: int = 0,
) -> dict[float, Interval]:
    """Recall at each of some areas in km2, with its 95 % interval."""
    until = np.asarray(found, dtype=np.float64)
    return {
        area: bootstrap((until <= area).astype(np.float64), groups=groups, resamples=resamples, seed=seed)
        for area in areas
    }
