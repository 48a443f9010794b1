"""Where a photographer stood seen from a landmark: azimuth, distance, and the bins of azimuth that a model learns."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpsdream_app.geo.frames import bearing, destination, distance

BINS = 36
DEGREES_PER_BIN = 360.0 / BINS

Number = TypeVar("Number", float, NDArray[np.float64])


class Standpoint(NamedTuple):
    """A place on the ground seen from a landmark.

    Attributes:
        azimuth: degrees clockwise from north, 0 <= azimuth < 360.
        distance: metres.
    """

    azimuth: float
    distance: float


def standpoint(landmark: tuple[float, float], photo: tuple[float, float]) -> Standpoint:
    """Return where a photo was taken, seen from a landmark, along the geodesic on the WGS 84 ellipsoid.

    For the small distances of photos this is atan2((lon - lon0) cos(lat0), lat - lat0); without the cosine, azimuths
    would be wrong by up to 13 degrees at the latitude of Paris.

    Args:
        landmark: latitude and longitude in degrees.
        photo: latitude and longitude in degrees.
    """
    return Standpoint(bearing(*landmark, *photo), distance(*landmark, *photo))


def place_at(landmark: tuple[float, float], azimuth: float, metres: float) -> tuple[float, float]:
    """Return latitude and longitude in degrees of a standpoint: the inverse of `standpoint`."""
    return destination(*landmark, azimuth, metres)


def azimuth_error(metres: float, distance: float) -> float:
    """Return the largest error of an azimuth in degrees if the photo's place is off by up to `metres`.

    180 if the landmark itself is within that.

    Args:
        metres: largest error of the photo's place.
        distance: of the true place from the landmark in metres.
    """
    return math.degrees(math.asin(metres / distance)) if metres < distance else 180.0


def azimuth_bin(azimuth: float) -> int:
    """Return the bin, 0 to 35, of an azimuth in degrees. Bin k holds 10k - 5 <= azimuth < 10k + 5: north is bin 0."""
    return math.floor((azimuth + DEGREES_PER_BIN / 2) / DEGREES_PER_BIN) % BINS


def bin_azimuth(number: int) -> float:
    """Return the azimuth in degrees of the middle of a bin."""
    if not 0 <= number < BINS:
        raise ValueError(f"the bins of azimuth are 0 to {BINS - 1}, not {number}")
    return number * DEGREES_PER_BIN


def normalised_bin(number: int) -> float:
    """Return 2k/36 - 1, in [-1, 1): the number of a bin as the model takes it.

    Not 2k/35 - 1: then the first and the last bin, 10 degrees apart, would be at the ends of a full period.
    """
    if not 0 <= number < BINS:
        raise ValueError(f"the bins of azimuth are 0 to {BINS - 1}, not {number}")
    return 2.0 * number / BINS - 1.0


def normalised_azimuth(azimuth: float) -> float:
    """Return an azimuth in degrees as a number in [-1, 1): the continuous form of `normalised_bin`."""
    return 2.0 * (azimuth % 360.0 % 360.0) / 360.0 - 1.0


def angle_between(first: Number, second: Number) -> Number:
    """Return the difference first - second of angles in degrees, the short way round: -180 <= difference < 180."""
    return (first - second + 180.0) % 360.0 - 180.0


def heading_of(azimuth: float) -> float:
    """Return the heading in degrees, 0 <= heading < 360, of a photo that looks from an azimuth at the landmark."""
    return (azimuth + 180.0) % 360.0
