"""Where the sun stands, and whether a photo was taken at night. Nothing here draws."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

NIGHT_BELOW = -4.0  # degrees: with the sun lower, the lamps are lit


def sun_position(moment: datetime, lat: float) -> tuple[float, float]:
    """Return azimuth and elevation of the sun in degrees, to about a degree (Cooper 1969 for the declination).

    Args:
        moment: local solar time.
        lat: latitude in degrees.
    """
    day = moment.timetuple().tm_yday
    declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day) / 365)
    hour = math.radians(15 * (moment.hour + moment.minute / 60 - 12))
    phi = math.radians(lat)
    sine = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour)
    elevation = math.asin(sine)
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(declination) * math.cos(hour)
    return math.degrees(math.atan2(east, north)) % 360.0, math.degrees(elevation)


def solar_time(moment: datetime, lon: float) -> datetime:
    """Return the local solar time of a moment, without the equation of time (16 minutes at most).

    Args:
        moment: with an offset from UTC, or without one: then the clock is taken for solar time, which in a zone with
            summer time is up to two hours off.
        lon: longitude in degrees.
    """
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=lon / 15)


def is_night(taken: str | None, lat: float, lon: float) -> bool:
    """Whether the sun stood under -4 degrees when a photo was taken; False if the time is not known.

    Args:
        taken: ISO 8601, with or without an offset from UTC.
        lat: latitude in degrees.
        lon: longitude in degrees.
    """
    if taken is None:
        return False
    try:
        moment = datetime.fromisoformat(taken)
    except ValueError:
        return False
    return sun_position(solar_time(moment, lon), lat)[1] < NIGHT_BELOW
