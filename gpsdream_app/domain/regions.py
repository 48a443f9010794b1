"""Regions of a city: areas with an outline, and corridors along a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place

MAX_NAME_CHARACTERS = 200
MAX_POINTS = 20_000
DECIMALS = 7  # of degrees: about a centimetre

Point = tuple[float, float]
"""Latitude and longitude in degrees."""
Ring = tuple[Point, ...]
"""At least three corners in order; the last one is joined to the first and not repeated."""
Polygon = tuple[Ring, ...]
"""The outline, and after it the holes."""


class RegionKind(StrEnum):
    """Where a region comes from."""

    NEIGHBOURHOOD = "neighbourhood"
    PARK = "park"
    STREET = "street"
    DRAWN = "drawn"
    FILE = "file"


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


def _points(values: object, least: int, what: str) -> tuple[Point, ...]:
    if not isinstance(values, (list, tuple)):
        raise _bad(f"The {what} is not a list of points.")
    if not least <= len(values) <= MAX_POINTS:
        raise _bad(f"The {what} has {len(values):,} points; it takes {least} to {MAX_POINTS:,}.")
    points = []
    for value in values:
        if not isinstance(value, (list, tuple)) or len(value) < 2:
            raise _bad(f"A point of the {what} has no latitude or no longitude.", "Give both, in degrees.")
        place = Place(value[0], value[1])  # checks the numbers
        points.append((round(place.lat, DECIMALS), round(place.lon, DECIMALS)))
    return tuple(points)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a city. `gpsdream_app.geo.regions` makes sound ones, measures them and takes places from them.

    Attributes:
        name: what people call it; may be empty.
        kind: where it comes from.
        polygons: its area; for a corridor the band around the line.
        line: the middle of a corridor, at least two points; empty for an area.
        width: of a corridor, in metres; 0 for an area.

    Raises:
        GPSDreamError: of kind `bad_location` if there is no area, or a number is not a place on the Earth.
    """

    name: str
    kind: RegionKind
    polygons: tuple[Polygon, ...]
    line: tuple[Point, ...] = ()
    width: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or len(self.name) > MAX_NAME_CHARACTERS:
            raise _bad(f"The region's name must be text of at most {MAX_NAME_CHARACTERS} characters.")
        object.__setattr__(self, "kind", RegionKind(self.kind))
        if not isinstance(self.polygons, (list, tuple)) or not self.polygons:
            raise _bad("The region has no area.", "Draw at least three corners.")
        polygons = []
        for polygon in self.polygons:
            if not isinstance(polygon, (list, tuple)) or not polygon:
                raise _bad("A part of the region has no outline.", "Draw at least three corners.")
            polygons.append(tuple(_points(ring, 3, "outline") for ring in polygon))
        object.__setattr__(self, "polygons", tuple(polygons))
        if self.line:
            object.__setattr__(self, "line", _points(self.line, 2, "line"))
        if isinstance(self.width, bool) or not isinstance(self.width, (int, float)) or not 0 <= self.width <= 100_000:
            raise _bad("The width of a corridor must be a number of metres from 0 to 100,000.")
        object.__setattr__(self, "width", float(self.width))

    @property
    def is_corridor(self) -> bool:
        """Whether it lies along a line."""
        return bool(self.line)

    @property
    def key(self) -> str:
        """16 hexadecimal digits that every region of this very shape has, whatever its name."""
        shape = json.dumps([self.polygons, self.line, self.width])
        return hashlib.sha256(shape.encode()).hexdigest()[:16]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """South, west, north and east edge in degrees."""
        points = [point for polygon in self.polygons for point in polygon[0]]
        lats, lons = [lat for lat, _ in points], [lon for _, lon in points]
        return min(lats), min(lons), max(lats), max(lons)

    def to_dict(self) -> dict[str, Any]:
        """Return the region as JSON values."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "polygons": [[[list(point) for point in ring] for ring in polygon] for polygon in self.polygons],
            "line": [list(point) for point in self.line],
            "width": self.width,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Region:
        """Read what `to_dict` wrote. Raises GPSDreamError for bad values."""
        if not isinstance(data, Mapping):
            raise _bad("The region is not a JSON object.")
        try:
            kind = RegionKind(data.get("kind", RegionKind.FILE))
        except ValueError:
            kind = RegionKind.FILE
        name = data.get("name")
        return cls(
            name if isinstance(name, str) else "",
            kind,
            data.get("polygons") or (),
            tuple(data.get("line") or ()),
            data.get("width", 0.0),
        )
