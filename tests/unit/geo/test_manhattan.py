from __future__ import annotations

import statistics

import pytest

from gpsdream_app.geo import manhattan
from gpsdream_app.geo.frames import bearing, distance

# Subway stations lie under a corner, some tens of metres off; their places are written down from memory.
STATIONS = [
    ("Lexington Avenue", 59, 40.762526, -73.967967),
    ("Lexington Avenue", 77, 40.773620, -73.959874),
    ("Lexington Avenue", 86, 40.779492, -73.955589),
    ("Lexington Avenue", 96, 40.785672, -73.951070),
    ("Lexington Avenue", 103, 40.790600, -73.947478),
    ("Lexington Avenue", 116, 40.798629, -73.941617),
    ("Lexington Avenue", 125, 40.804138, -73.937594),
    ("Sixth Avenue", 110, 40.799075, -73.951822),
    ("Sixth Avenue", 116, 40.802098, -73.949625),
    ("Sixth Avenue", 125, 40.807754, -73.945495),
    ("Sixth Avenue", 145, 40.820421, -73.936245),
    ("Eighth Avenue", 86, 40.785868, -73.968916),
    ("Eighth Avenue", 110, 40.800603, -73.958161),
    ("Eighth Avenue", 116, 40.805085, -73.954882),
    ("Tenth Avenue", 215, 40.869444, -73.915279),
    ("Tenth Avenue", 207, 40.864621, -73.918822),
]


@pytest.mark.parametrize("avenue, street, lat, lon", STATIONS)
def test_stations_lie_at_their_corners(avenue: str, street: int, lat: float, lon: float) -> None:
    across, along = manhattan.to_grid(lat, lon)
    corner = manhattan.to_grid(*manhattan.crossing(avenue, street))
    assert abs(across - corner[0]) < 10.0
    assert abs(along - corner[1]) < 130.0  # a station is as long as two or three blocks


def test_stations_lie_at_their_corners_on_average() -> None:
    errors = [manhattan.to_grid(lat, lon)[1] - manhattan.uptown(street) for _, street, lat, lon in STATIONS]
    assert abs(statistics.median(errors)) < 15.0


def test_the_anchor_is_a_crossing() -> None:
    assert manhattan.crossing("Fifth Avenue", 42) == pytest.approx(manhattan.ANCHOR)
    assert manhattan.uptown(42) == 0.0


def test_twenty_blocks_are_a_mile() -> None:
    assert manhattan.uptown(80) - manhattan.uptown(60) == pytest.approx(1609.0, rel=0.02)


def test_avenues_run_straight_along_the_island() -> None:
    low, high = manhattan.crossing("Fifth Avenue", 14), manhattan.crossing("Fifth Avenue", 110)
    assert bearing(*low, *high) == pytest.approx(manhattan.BEARING, abs=0.1)
    assert distance(*low, *high) == pytest.approx(manhattan.uptown(110) - manhattan.uptown(14), abs=3.0)


def test_the_grid_goes_both_ways() -> None:
    for across, along in [(0.0, 0.0), (-2000.0, 14_000.0), (2500.0, -6000.0)]:
        assert manhattan.to_grid(*manhattan.from_grid(across, along)) == pytest.approx((across, along), abs=1e-6)


def test_streets_between_streets() -> None:
    assert manhattan.uptown(10.5) == pytest.approx((manhattan.uptown(10) + manhattan.uptown(11)) / 2)
    assert all(manhattan.uptown(n + 1) > manhattan.uptown(n) for n in range(1, 220))
    with pytest.raises(KeyError):
        manhattan.crossing("Thirteenth Avenue", 14)
