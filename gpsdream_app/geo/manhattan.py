"""The street grid of Manhattan as the Commissioners' Plan of 1811 laid it out: crossings as latitude and longitude.

The plan is all straight lines: twelve avenues up the island, 155 numbered streets across it at right angles. Blocks and
roadways have the depths in feet that property maps give; the anchor, the bearing, the streets below 8th and the avenues
east of First were fitted to street-view places.
"""

from __future__ import annotations

import math
from functools import cache
from types import MappingProxyType

from gpsdream_app.geo.frames import LocalFrame

FOOT = 0.3048
# Fifth Avenue at 42nd Street, and the direction of the avenues in degrees clockwise from true north.
ANCHOR = (40.75349, -73.98089)
BEARING = 28.98

WIDE_STREETS = frozenset({14, 23, 34, 42, 57, 72, 79, 86, 96, 106, 116, 125, 135, 145, 155})
ROADWAY_WIDE, ROADWAY_NARROW = 100.0, 60.0
# (first street of the run, depth in feet of the block north of it): twice the depth of the lots on property maps.
BLOCK_DEPTHS = (
    (1, 203.0),
    (2, 214.0),
    (3, 190.0),
    (6, 181.7),
    (7, 211.0),
    (8, 188.0),
    (9, 184.6),
    (10, 189.7),
    (11, 206.5),
    (16, 184.0),
    (21, 197.5),
    (42, 200.83),
    (71, 204.33),
    (86, 201.4),
    (96, 201.83),
    (125, 199.83),
)
FIRST_STREET, LAST_STREET = 1, 220

# Centre lines in feet east of Fifth Avenue's: blocks of 800 feet west of Sixth; east of Third 610, 650, 613 and 646.
AVENUES = MappingProxyType(
    {
        "Twelfth Avenue": -6505.0,
        "Eleventh Avenue": -5520.0,
        "Tenth Avenue": -4620.0,
        "Ninth Avenue": -3720.0,
        "Eighth Avenue": -2820.0,
        "Seventh Avenue": -1920.0,
        "Sixth Avenue": -1020.0,
        "Fifth Avenue": 0.0,
        "Madison Avenue": 510.0,
        "Park Avenue": 1020.0,
        "Lexington Avenue": 1532.5,
        "Third Avenue": 2040.0,
        "Second Avenue": 2750.0,
        "First Avenue": 3500.0,
        "Avenue A": 4197.0,
        "Avenue B": 4930.0,
        "Avenue C": 5676.0,
        "Avenue D": 6437.0,
    }
)

FRAME = LocalFrame(*ANCHOR)


@cache
def _street_offsets() -> dict[int, float]:
    """Return metres uptown of 42nd Street for the centre line of every numbered street."""
    feet = {FIRST_STREET: 0.0}
    depths = dict(BLOCK_DEPTHS)
    depth = BLOCK_DEPTHS[0][1]
    for street in range(FIRST_STREET, LAST_STREET):
        depth = depths.get(street, depth)
        roadways = sum(ROADWAY_WIDE if number in WIDE_STREETS else ROADWAY_NARROW for number in (street, street + 1))
        feet[street + 1] = feet[street] + depth + roadways / 2
    return {street: (value - feet[42]) * FOOT for street, value in feet.items()}


def uptown(street: float) -> float:
    """Return how many metres a numbered street lies uptown of 42nd Street; fractions lie within the block."""
    offsets = _street_offsets()
    below = min(max(math.floor(street), FIRST_STREET), LAST_STREET - 1)
    return offsets[below] + (street - below) * (offsets[below + 1] - offsets[below])


def from_grid(across: float, along: float) -> tuple[float, float]:
    """Return (latitude, longitude) of a point in metres east of Fifth Avenue and uptown of 42nd Street."""
    sin, cos = math.sin(math.radians(BEARING)), math.cos(math.radians(BEARING))
    return FRAME.to_degrees(along * sin + across * cos, along * cos - across * sin)


def to_grid(lat: float, lon: float) -> tuple[float, float]:
    """Return (across, along): metres east of Fifth Avenue and metres uptown of 42nd Street."""
    sin, cos = math.sin(math.radians(BEARING)), math.cos(math.radians(BEARING))
    east, north = FRAME.to_metres(lat, lon)
    return east * cos - north * sin, east * sin + north * cos


def crossing(avenue: str, street: float) -> tuple[float, float]:
    """Return (latitude, longitude) of the crossing of an avenue of the plan with a numbered street.

    Raises:
        KeyError: if the avenue is not one of `AVENUES`.
    """
    return from_grid(AVENUES[avenue] * FOOT, uptown(street))
