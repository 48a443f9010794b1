"""From the numbers that a file gives to a latitude and a longitude, or to the reason why there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gpsdream_app.photos.records import HeadingReference, Reason

LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4  # tags of the EXIF GPS directory
IMG_DIRECTION_REF, IMG_DIRECTION = 16, 17
NULL_ISLAND_DEGREES = 1e-4  # 11 m: nobody photographs a street that close to 0, 0
# XMP writes "40,43.5N" or "40,43,30N".
_XMP_ANGLE = re.compile(
    r"\s*(\d{1,3}(?:\.\d+)?)\s*,\s*(\d{1,3}(?:\.\d+)?)(?:\s*,\s*(\d{1,3}(?:\.\d+)?))?\s*([NSEW])\s*",
    re.IGNORECASE,
)


class PlaceError(Exception):
    """The file has no place that could be used; `reason` and `detail` say why."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.sentence, detail)
        self.reason = reason
        self.detail = detail


def checked_place(lat: float, lon: float) -> tuple[float, float]:
    """Return a latitude and a longitude in degrees that can be a photo's place.

    Raises:
        PlaceError: if they are not finite, out of range, or 0, 0.
    """
    if not (math.isfinite(lat) and math.isfinite(lon)):
        raise PlaceError(Reason.MALFORMED_GPS, "not a finite number")
    if abs(lat) > 90:
        raise PlaceError(Reason.OUT_OF_RANGE, f"latitude {lat:.6g}")
    if abs(lon) > 180:
        raise PlaceError(Reason.OUT_OF_RANGE, f"longitude {lon:.6g}")
    if abs(lat) < NULL_ISLAND_DEGREES and abs(lon) < NULL_ISLAND_DEGREES:
        raise PlaceError(Reason.NULL_ISLAND)
    return lat, lon


def _component(value: Any) -> float | None:
    """Return a number of an EXIF angle; None if its denominator is zero."""
    if isinstance(value, (bool, str, bytes)):
        raise PlaceError(Reason.MALFORMED_GPS, "text instead of a number")
    if getattr(value, "denominator", 1) == 0:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise PlaceError(Reason.MALFORMED_GPS, "not a number") from None
    if not math.isfinite(number):
        raise PlaceError(Reason.MALFORMED_GPS, "not a finite number")
    return number


def _angle(value: Any, name: str) -> float:
    """Return the degrees of an EXIF angle: one to three numbers, degrees, minutes and seconds; signed."""
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]
    if not 1 <= len(parts) <= 3:
        raise PlaceError(Reason.MALFORMED_GPS, f"{name} has {len(parts)} numbers")
    numbers: list[float] = []
    for part in parts:
        number = _component(part)
        if number is None:
            # Some Nikon cameras write 48, 53.32358, 0/0: the minutes hold what the seconds would.
            # Where the number before it is whole, 0/0 really is a missing part, as much as 1.8 km.
            if not numbers or numbers[-1] == int(numbers[-1]):
                raise PlaceError(Reason.ZERO_RATIONAL, name)
            break
        if numbers and abs(number) > 60:
            raise PlaceError(Reason.MALFORMED_GPS, f"{name} with {number:g} minutes or seconds")
        numbers.append(number)
    sign = -1.0 if any(number < 0 for number in numbers) else 1.0
    return sign * sum(abs(number) / 60.0**power for power, number in enumerate(numbers))


def _hemisphere(value: Any, positive: str, negative: str) -> int:
    """Return 1 or -1 as a hemisphere tag says; 0 if it says nothing that is understood."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    letter = str(value or "").strip("\0 \t\r\n").upper()[:1]
    return {positive: 1, negative: -1}.get(letter, 0)


def exif_place(gps: Mapping[int, Any]) -> tuple[float, float]:
    """Return latitude and longitude in degrees from an EXIF GPS directory.

    Args:
        gps: tag number to value; angles are one to three rationals.

    Raises:
        PlaceError: with the reason why there is no usable place.
    """
    if LATITUDE not in gps and LONGITUDE not in gps:
        raise PlaceError(Reason.NO_GPS)
    if LATITUDE not in gps or LONGITUDE not in gps:
        raise PlaceError(Reason.INCOMPLETE_GPS)
    lat, lon = _angle(gps[LATITUDE], "latitude"), _angle(gps[LONGITUDE], "longitude")
    checked_place(lat, lon)
    signed = []
    for angle, tag, positive, negative, name in (
        (lat, LATITUDE_REF, "N", "S", "latitude"),
        (lon, LONGITUDE_REF, "E", "W", "longitude"),
    ):
        hemisphere = _hemisphere(gps.get(tag), positive, negative)
        if hemisphere == 0 and angle >= 0:
            raise PlaceError(Reason.MISSING_HEMISPHERE, name)
        if hemisphere > 0 and angle < 0:
            raise PlaceError(Reason.MALFORMED_GPS, f"{name} is negative and {positive}")
        # The standard has no negative angles; where a program wrote one, its sign is the hemisphere.
        signed.append(angle if hemisphere == 0 else hemisphere * abs(angle))
    return signed[0], signed[1]


def heading_degrees(value: Any) -> float | None:
    """Return a direction in degrees, 0 <= d < 360; None if the value is not a direction."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if not -360 <= number <= 360:  # NaN fails this too
        return None
    return number % 360.0 % 360.0


def exif_heading(gps: Mapping[int, Any]) -> tuple[float | None, HeadingReference]:
    """Return the direction of view in degrees clockwise, None if not known, and the north it starts from."""
    heading = heading_degrees(gps.get(IMG_DIRECTION))
    if heading is None:
        return None, HeadingReference.UNKNOWN
    return heading, heading_reference(gps.get(IMG_DIRECTION_REF))


def heading_reference(value: Any) -> HeadingReference:
    """Return the north that an EXIF or XMP reference letter (T or M) names."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    letter = str(value or "").strip("\0 ").upper()[:1]
    return {"T": HeadingReference.TRUE, "M": HeadingReference.MAGNETIC}.get(letter, HeadingReference.UNKNOWN)


def _xmp_angle(text: str, name: str, positive: str, negative: str) -> float:
    match = _XMP_ANGLE.fullmatch(text[:100])
    if match is None:
        number = re.fullmatch(r"\s*[-+]?\d{1,3}(\.\d+)?\s*", text[:100])
        if number is None:
            raise PlaceError(Reason.MALFORMED_GPS, f"{name} in the XMP")
        return float(text)
    degrees, minutes, seconds, letter = match.groups()
    hemisphere = _hemisphere(letter, positive, negative)
    if hemisphere == 0:
        raise PlaceError(Reason.MISSING_HEMISPHERE, f"{name} in the XMP")
    if float(minutes) > 60 or float(seconds or 0) > 60:
        raise PlaceError(Reason.MALFORMED_GPS, f"{name} in the XMP")
    return hemisphere * (float(degrees) + float(minutes) / 60 + float(seconds or 0) / 3600)


def xmp_place(lat: str, lon: str) -> tuple[float, float]:
    """Return latitude and longitude in degrees from the texts of exif:GPSLatitude and exif:GPSLongitude.

    Raises:
        PlaceError: with the reason why there is no usable place.
    """
    if not lat and not lon:
        raise PlaceError(Reason.NO_GPS)
    if not lat or not lon:
        raise PlaceError(Reason.INCOMPLETE_GPS, "in the XMP")
    return checked_place(_xmp_angle(lat, "latitude", "N", "S"), _xmp_angle(lon, "longitude", "E", "W"))
