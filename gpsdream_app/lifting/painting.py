"""The views that a lift was fitted to, kept to paint its texture: they are sharper than the cells of the field.

Every point of the surface takes the colour of the views that see it best. Numbers alone, no torch: the window paints.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion, map_coordinates
from scipy.spatial import cKDTree

from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.paths import storage_error
from gpsdream_app.lifting.viewpoint import Viewpoint

log = logging.getLogger(__name__)

VIEWS_FILE = "views.npz"
MOST_VIEWS = 36  # that are painted with: every 10 degrees is enough, and each costs time
FROM_BACKGROUND = 0.2  # of 1: pixels that differ less in every colour may be background
STEEPNESS = 5  # how much a view from straight ahead counts more than one aslant
SHARPNESS = 60  # how much less the second best view counts: two views never lie quite over one another
FEWEST = 0.02  # weight of the best view from which its colour counts fully
GAINS = (0.4, 2.5)


@dataclass(frozen=True)
class PaintedViews:
    """Pictures and where they were taken, in the mesh's units.

    Attributes:
        pictures: (n, side, side, 3) bytes.
        azimuths, elevations, distances, fovs: (n,), as for Viewpoint.
        targets: (n, 3).
        shifts: (n, 2), where the target lies in the picture, as a share of its height (right, down) from the middle.
        background: colour behind the object, (3,), 0 to 1; NaN if it has surroundings.
    """

    pictures: np.ndarray
    azimuths: np.ndarray
    elevations: np.ndarray
    distances: np.ndarray
    fovs: np.ndarray
    targets: np.ndarray
    shifts: np.ndarray
    background: np.ndarray

    def viewpoint(self, number: int) -> Viewpoint:
        """Where one was taken, its shift left out."""
        east, north, up = (float(value) for value in self.targets[number])
        return Viewpoint(
            float(self.azimuths[number]),
            float(self.elevations[number]),
            float(self.distances[number]),
            (east, north, up),
            float(self.fovs[number]),
        )

    def save(self, path: Path) -> None:
        """Write them whole or not at all. Raises GPSDreamError of kind `disk_full` if the disk refuses."""
        try:
            with whole_file(path, ".npz") as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **{name: getattr(self, name) for name in self.__dataclass_fields__})
        except OSError as error:
            raise storage_error(error, path, "the views of the lift were not saved") from error

    @classmethod
    def load(cls, path: Path) -> PaintedViews | None:
        """Read what `save` wrote; None if there is nothing that can be read: textures do without it."""
        try:
            with np.load(path, allow_pickle=False) as file:
                views = cls(**{name: file[name] for name in cls.__dataclass_fields__})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("The views in %s cannot be read: %s", path, error)
            return None
        count = len(views.pictures)
        shapes = (views.azimuths.shape, views.fovs.shape, views.targets.shape, views.shifts.shape)
        good = views.pictures.ndim == 4 and views.pictures.dtype == np.uint8
        return views if good and shapes == ((count,), (count,), (count, 3), (count, 2)) else None


def paint(
    surface: Callable[[Viewpoint, int], np.ndarray],
    where: np.ndarray,
    away: np.ndarray,
    base: np.ndarray,
    views: PaintedViews,
    tolerance: float,
) -> np.ndarray:
    """Colours of points of a surface.

    Args:
        surface: depths along the view axis (rows, rows) of the surface from a viewpoint, infinite where there is none.
        where: (m, 3), the points.
        away: (m, 3), unit normals.
        base: (m, 3), colours from 0 to 1, as blurred as they may be; views are brought to their brightness, channel by
            channel, since every view was drawn in a light of its own.
        views: what is painted with.
        tolerance: how far behind the surface a point may lie and still be seen, in the mesh's units.

    Returns:
        (m, 3), 0 to 1.
    """
    count = len(views.pictures)
    chosen = np.unique(np.linspace(0, count, min(count, MOST_VIEWS), endpoint=False).astype(int))
    places = [_places(views, number, where) for number in chosen]
    weights = np.stack(
        [
            _weights(surface, views, number, where, away, place, tolerance)
            for number, place in zip(chosen, places, strict=True)
        ]
    )
    best = weights.max(axis=0)
    weights = (weights / np.maximum(best, 1e-9)) ** SHARPNESS
    total, painted = np.zeros(len(where)), np.zeros((len(where), 3))
    for number, place, weight in zip(chosen, places, weights, strict=True):
        seen = np.flatnonzero(weight > 1e-3)
        if not len(seen):
            continue
        picture = views.pictures[number].astype(np.float32) / 255.0
        at = np.stack([place[seen, 1], place[seen, 0]]) - 0.5
        colours = np.stack([map_coordinates(picture[..., c], at, order=1, mode="nearest") for c in range(3)], axis=1)
        gain = np.median(base[seen], axis=0) / np.maximum(np.median(colours, axis=0), 1e-3)
        painted[seen] += weight[seen, None] * colours * np.clip(gain, *GAINS)
        total[seen] += weight[seen]
    share = np.minimum(best / FEWEST, 1.0)[:, None]
    mean = painted / np.maximum(total, 1e-9)[:, None]
    known = np.flatnonzero(best >= FEWEST)
    hidden = base
    if len(known):
        # What no camera saw, such as a roof, was coloured by whatever shone through there: the background.
        _, nearest = cKDTree(where[known]).query(where, workers=1)
        hidden = mean[known[nearest]]
    result: np.ndarray = np.clip(share * mean + (1.0 - share) * hidden, 0.0, 1.0)
    return result


def _places(views: PaintedViews, number: int, where: np.ndarray) -> np.ndarray:
    """Column, row and depth of points in one picture, (m, 3)."""
    side = views.pictures.shape[1]
    seen = views.viewpoint(number).project(where, side, side)
    seen[:, :2] += views.shifts[number] * side
    return seen


def _weights(
    surface: Callable[[Viewpoint, int], np.ndarray],
    views: PaintedViews,
    number: int,
    where: np.ndarray,
    away: np.ndarray,
    place: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """How well one view sees each point, (m,), 0 to 1."""
    side = views.pictures.shape[1]
    viewpoint = views.viewpoint(number)
    towards = viewpoint.position - where
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-12)
    weight = np.clip(np.einsum("nc,nc->n", towards, away), 0.0, 1.0) ** STEEPNESS
    column, row = np.floor(place[:, 0]).astype(int), np.floor(place[:, 1]).astype(int)
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side) & (place[:, 2] > 0)
    shown = np.ones((side, side), dtype=bool)
    if np.isfinite(views.background).all():
        distance = np.abs(views.pictures[number].astype(np.float32) / 255.0 - views.background).max(axis=-1)
        # At the outline the background shines through.
        shown = binary_erosion(distance > FROM_BACKGROUND, iterations=2)
    inside[inside] = shown[row[inside], column[inside]]
    # The depths are drawn about the view axis, on a canvas that is wide enough for any shift, twice as fine.
    wide = 1.0 + 2.0 * float(np.abs(views.shifts[number]).max())
    fine = 2 * math.ceil(side * wide)
    half = math.tan(math.radians(viewpoint.fov) / 2) * fine / (2 * side)
    canvas = Viewpoint(
        viewpoint.azimuth, viewpoint.elevation, viewpoint.distance, viewpoint.target, 2 * math.degrees(math.atan(half))
    )
    depths = surface(canvas, fine)
    on = (place[:, :2] - views.shifts[number] * side - side / 2) * 2 + fine / 2
    c, r = (np.clip(np.floor(on[:, axis]).astype(int), 0, fine - 1) for axis in (0, 1))
    return np.where(inside & (place[:, 2] <= depths[r, c] + tolerance), weight, 0.0)
