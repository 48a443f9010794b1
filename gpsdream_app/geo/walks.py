"""Walks: places at even distances along a line, and the way one looks from each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString
from shapely.ops import substring

from gpsdream_app.domain.averages import MAX_FRAMES
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import DECIMALS, Point, Region
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.regions import find_street, frame_of, line_in_metres, no_such_street
from gpsdream_app.geo.streets import cells_in, in_order, streets_of

WINDOW = 40.0  # metres to each side over which the direction of a line is smoothed
ASIDE = 60.0  # metres: photos farther from the line are of another street
SPREAD = 75.0  # metres along the line over which photos are averaged, as a standard deviation
FACING = 60.0  # degrees by which a photo may look off the perpendicular and still look to that side
DOUBT = 0.05  # weight of the walk's middle beside that of the photos near a place: decides where there are none

Heading = Literal["left", "right", "ahead", "photos"]
Floats = NDArray[np.float64]


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


def street_line(city: CityMap, name: str, *, coverage: Coverage | None = None) -> tuple[Point, ...]:
    """Return the line of a street from its southern (or western) end, its parts joined in order.

    Args:
        city: whose street.
        name: as people write it.
        coverage: where given, the line begins and ends where the model has seen photos, if it has seen any there.

    Raises:
        GPSDreamError: of kind `bad_location` if there is no such street; the hint names some that come near.
    """
    found = find_street(city, name)
    if found is None:
        raise no_such_street(city, name)
    streets = streets_of(city)
    line = in_order(streets.parts(found))
    if coverage is not None:
        cells, _ = cells_in(coverage, streets.frame)
        seen = shapely.intersection(line, shapely.union_all(cells)) if len(cells) else LineString()
        if seen.length > 0:
            along = shapely.line_locate_point(line, shapely.points(shapely.get_coordinates(seen)))
            line = substring(line, along.min(), along.max())
    points = shapely.get_coordinates(line)
    lats, lons = streets.frame.to_degrees(points[:, 0], points[:, 1])
    return tuple(
        (round(float(lat), DECIMALS), round(float(lon), DECIMALS)) for lat, lon in zip(lats, lons, strict=True)
    )


def walk_of(region: Region) -> tuple[Point, ...]:
    """Return the line that a corridor lies along. Raises GPSDreamError if the region is no corridor."""
    if not region.is_corridor:
        raise _bad("The region has no line to walk along.", "Take a street, or draw a line.")
    return region.line


def places_along(
    line: Sequence[Point], count: int, *, heading: Heading = "right", photos: Sequence[Place] = ()
) -> tuple[Place, ...]:
    """Return places at even distances along a line, the first at its beginning and the last at its end.

    Where photos are given, the walk moves sideways to where they were taken: to the mean of those that look to its
    side, weighted by how near they are along the line, so that it stays smooth.

    Args:
        line: points (latitude, longitude) in degrees.
        count: how many places, 1 to 10,000; a single one stands in the middle.
        heading: "left", "right" or "ahead" of the walk, turning smoothly at corners; "photos" looks to that side to
            which more photos look and as they do, and to the right if there are none near the line.
        photos: where photos were taken; those more than `ASIDE` metres from the line do not count.

    Raises:
        GPSDreamError: of kind `bad_location` if the line has no length.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_FRAMES:
        raise _bad(f"The number of pictures must be a whole number from 1 to {MAX_FRAMES:,}.")
    frame = frame_of(np.array(line, dtype=np.float64).reshape(-1, 2)) if len(line) else None
    metric = line_in_metres(line, frame) if frame and len(line) > 1 else LineString()
    if frame is None or metric.length <= 0:
        raise _bad("The line has no length.", "Give at least two points that differ.")
    along = np.linspace(0.0, metric.length, count) if count > 1 else np.array([metric.length / 2])
    step = metric.length / max(count - 1, 1)
    points = _points_at(metric, along)
    ahead = _directions(metric, along, max(WINDOW, step))
    near = _near(metric, photos, frame) if len(photos) else None
    side = {"left": -1.0, "right": 1.0, "ahead": 0.0, "photos": 1.0}[heading]
    if heading == "photos" and near is not None:
        facing = np.cos(np.radians(near[2] - 90.0))
        side = -1.0 if (facing < -_COSINE).sum() > (facing > _COSINE).sum() else 1.0
    looks = ahead + 90.0 * side
    if near is not None:
        offset, turn = _as_photos(near, along, side, max(SPREAD, step))
        across = np.radians(ahead + 90.0)
        points = points + offset[:, None] * np.column_stack([np.sin(across), np.cos(across)])
        if heading == "photos":
            looks = looks + turn
    lats, lons = frame.to_degrees(points[:, 0], points[:, 1])
    return tuple(Place(float(lat), float(lon), float(look)) for lat, lon, look in zip(lats, lons, looks, strict=True))


_COSINE = math.cos(math.radians(FACING))


def _points_at(line: Any, along: Floats) -> Floats:
    return np.asarray(shapely.get_coordinates(shapely.line_interpolate_point(line, along)))


def _directions(line: Any, along: Floats, window: float) -> Floats:
    """Return the direction at distances along a line in degrees clockwise from north, smoothed and without jumps.

    It is the mean over `window` metres to each side, which is that of the chord between both ends; where a line turns
    back on itself, so that the chord has no length, a very short one decides.
    """
    steps = np.zeros((len(along), 2))
    for reach, weight in ((min(window, line.length), 1.0), (min(1.0, line.length), 1e-3)):
        ahead, behind = (np.clip(along + sign * reach, 0.0, line.length) for sign in (1.0, -1.0))
        steps += weight * (_points_at(line, ahead) - _points_at(line, behind))
    degrees = np.degrees(np.arctan2(steps[:, 0], steps[:, 1]))
    return np.asarray(np.unwrap(degrees, period=360.0))


def _near(line: Any, photos: Sequence[Place], frame: Any) -> tuple[Floats, Floats, Floats] | None:
    """Return of photos near a line: metres along it, metres to its right, and heading relative to it in degrees.

    The heading is NaN where a photo has none. None if no photo is near.
    """
    east, north = frame.to_metres(np.array([p.lat for p in photos]), np.array([p.lon for p in photos]))
    dots = shapely.points(east, north)
    kept = np.flatnonzero(shapely.distance(dots, line) <= ASIDE)
    if not len(kept):
        return None
    along = shapely.line_locate_point(line, dots[kept])
    ahead = np.radians(_directions(line, along, WINDOW))
    away = np.column_stack([east, north])[kept] - _points_at(line, along)
    right = away[:, 0] * np.cos(ahead) - away[:, 1] * np.sin(ahead)
    every = np.array([math.nan if p.heading is None else p.heading for p in photos], dtype=np.float64)
    return along, right, every[kept] - np.degrees(ahead)


def _as_photos(near: tuple[Floats, Floats, Floats], along: Floats, side: float, spread: float) -> tuple[Floats, Floats]:
    """Return metres to the right and degrees off the perpendicular, as the photos on one side of a walk have them."""
    where, right, heading = near
    turns = (heading - 90.0 * side + 180.0) % 360.0 - 180.0
    looking = np.isfinite(heading) & (np.abs(turns) <= FACING) if side else np.ones(len(where), bool)
    if not looking.any():
        looking, turns = np.ones(len(where), bool), np.zeros(len(where))
    where, right, turns = where[looking], right[looking], np.nan_to_num(turns[looking]) * abs(side)
    offset, turn = np.empty(len(along)), np.empty(len(along))
    middle = float(np.median(right))
    for index, at in enumerate(along):
        weights = np.exp(-0.5 * ((where - at) / spread) ** 2)
        total = weights.sum() + DOUBT
        offset[index] = (weights @ right + DOUBT * middle) / total
        turn[index] = (weights @ turns) / total
    return offset, turn
