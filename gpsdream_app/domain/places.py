"""Places on the Earth and boxes around them, in WGS 84 degrees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


_EXAMPLES = {"latitude": "40.7411", "longitude": "-73.9897", "heading": "29"}


def _degrees(value: object, name: str) -> float:
    hint = f"Give the {name} in degrees, for example {_EXAMPLES.get(name, '40.7411')}."
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _bad(f"The {name} is not a number.", hint)
    try:
        number = float(value)
    except ValueError:
        raise _bad(f"The {name} “{str(value)[:40]}” is not a number.", hint) from None
    if not math.isfinite(number):
        raise _bad(f"The {name} is not a finite number.", hint)
    return number


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the Earth, and the way one looks from it.

    Attributes:
        lat: latitude in degrees, -90 to 90, north positive.
        lon: longitude in degrees, -180 to 180, east positive.
        heading: direction of view in degrees clockwise from true north, 0 <= heading < 360; None if any.
        name: what people call it; may be empty.

    Raises:
        GPSDreamError: of kind `bad_location` if a number is missing, not finite or out of range.
    """

    lat: float
    lon: float
    heading: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        lat, lon = _degrees(self.lat, "latitude"), _degrees(self.lon, "longitude")
        if not -90.0 <= lat <= 90.0:
            raise _bad(f"Latitude {lat:g} is outside -90 to 90 degrees.", "Check the order: latitude first.")
        if not -180.0 <= lon <= 180.0:
            raise _bad(f"Longitude {lon:g} is outside -180 to 180 degrees.", "Check the order: latitude first.")
        object.__setattr__(self, "lat", lat)
        object.__setattr__(self, "lon", lon)
        if self.heading is not None:
            # A second remainder, because (-1e-17) % 360 is 360.0 in floating point.
            object.__setattr__(self, "heading", _degrees(self.heading, "heading") % 360.0 % 360.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the place as JSON values."""
        return {"lat": self.lat, "lon": self.lon, "heading": self.heading, "name": self.name}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Place:
        """Read what `to_dict` wrote. Raises GPSDreamError for bad values."""
        if "lat" not in data or "lon" not in data:
            raise _bad("The place has no latitude or no longitude.", "Give both, in degrees.")
        return cls(data["lat"], data["lon"], data.get("heading"), str(data.get("name") or ""))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in latitude and longitude (degrees) that does not cross the antimeridian."""

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        for name in ("south", "west", "north", "east"):
            object.__setattr__(self, name, _degrees(getattr(self, name), f"{name} edge"))
        if not (-90 <= self.south < self.north <= 90 and -180 <= self.west < self.east <= 180):
            raise _bad(
                "The box is empty or outside the Earth.",
                "South must be under north and west under east; latitudes within 90, longitudes within 180.",
            )

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle, in degrees."""
        return (self.south + self.north) / 2, (self.west + self.east) / 2

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point in degrees lies inside or on the edge."""
        return self.south <= lat <= self.north and self.west <= lon <= self.east

    def normalise(self, lat: float, lon: float) -> tuple[float, float]:
        """Return (x, y): longitude and latitude scaled so that the box is [-1, 1] x [-1, 1].

        Plain arithmetic, so arrays and tensors of degrees work as well as numbers.
        """
        x = 2 * (lon - self.west) / (self.east - self.west) - 1
        y = 2 * (lat - self.south) / (self.north - self.south) - 1
        return x, y

    def to_dict(self) -> dict[str, float]:
        """Return the box as JSON values."""
        return {"south": self.south, "west": self.west, "north": self.north, "east": self.east}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Box:
        """Read what `to_dict` wrote."""
        try:
            return cls(data["south"], data["west"], data["north"], data["east"])
        except KeyError as missing:
            raise _bad(f"The box has no {missing.args[0]} edge.") from None
