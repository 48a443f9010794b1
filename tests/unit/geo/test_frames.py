from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from gpsdream_app.geo.frames import LocalFrame, bearing, destination, distance

GEOD = Geod(ellps="WGS84")
latitudes = st.floats(-89.9, 89.9)
longitudes = st.floats(-180.0, 180.0)


def angle_between(a: float, b: float) -> float:
    return abs((a - b + 180.0) % 360.0 - 180.0)


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_and_bearing_are_those_of_the_geodesic(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    azimuth, _, metres = GEOD.inv(lon1, lat1, lon2, lat2)
    if metres < 19_800_000:
        assert distance(lat1, lon1, lat2, lon2) == pytest.approx(metres, abs=1e-3)
        if metres > 1.0:
            assert angle_between(bearing(lat1, lon1, lat2, lon2), azimuth) < 1e-4
    else:
        assert distance(lat1, lon1, lat2, lon2) == pytest.approx(metres, rel=0.006)
    assert 0.0 <= bearing(lat1, lon1, lat2, lon2) < 360.0


@given(latitudes, longitudes, st.floats(-720.0, 720.0), st.floats(-1e7, 1e7))
def test_destination_is_that_of_the_geodesic(lat: float, lon: float, azimuth: float, metres: float) -> None:
    expected_lon, expected_lat, _ = GEOD.fwd(lon, lat, azimuth, metres)
    there = destination(lat, lon, azimuth, metres)
    assert -180.0 <= there[1] <= 180.0
    _, _, error = GEOD.inv(expected_lon, expected_lat, there[1], there[0])
    assert error < 1e-3


@pytest.mark.parametrize("metres, tolerance", [(10.0, 1e-6), (1_000.0, 1e-5), (10_000.0, 0.005), (50_000.0, 0.6)])
def test_local_frame_is_true_around_its_origin(metres: float, tolerance: float) -> None:
    frame = LocalFrame(40.75, -73.98)
    for azimuth in range(0, 360, 15):
        lon, lat, _ = GEOD.fwd(-73.98, 40.75, azimuth, metres)
        east, north = frame.to_metres(lat, lon)
        expected = metres * math.sin(math.radians(azimuth)), metres * math.cos(math.radians(azimuth))
        assert math.dist((east, north), expected) < tolerance


@given(latitudes, longitudes, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_local_frame_goes_both_ways(lat0: float, lon0: float, east: float, north: float) -> None:
    frame = LocalFrame(lat0, lon0)
    assert frame.to_metres(*frame.to_degrees(east, north)) == pytest.approx((east, north), abs=1e-6)


def test_local_frame_takes_arrays() -> None:
    frame = LocalFrame(40.75, -73.98)
    lat, lon = np.array([40.75, 40.76]), np.array([-73.98, -73.97])
    east, north = frame.to_metres(lat, lon)
    assert east.shape == north.shape == (2,)
    assert (east[1], north[1]) == pytest.approx(frame.to_metres(40.76, -73.97))
    back = frame.to_degrees(east, north)
    assert back[0] == pytest.approx(lat)
    assert back[1] == pytest.approx(lon)


def test_a_point_beside_the_earth_has_no_place() -> None:
    with pytest.raises(ValueError, match="outside the Earth"):
        LocalFrame(0.0, 0.0).to_degrees(7_000_000.0, 0.0)


def test_the_same_point_has_no_distance() -> None:
    assert distance(40.7, -74.0, 40.7, -74.0) == 0.0
    assert bearing(40.7, -74.0, 40.7, -74.0) == 0.0


def test_bearings_go_clockwise_from_north() -> None:
    assert bearing(0, 0, 1, 0) == pytest.approx(0.0)
    assert bearing(0, 0, 0, 1) == pytest.approx(90.0)
    assert bearing(0, 0, -1, 0) == pytest.approx(180.0)
    assert bearing(0, 0, 0, -1) == pytest.approx(270.0)


def test_the_way_from_pole_to_pole_is_half_a_meridian() -> None:
    assert distance(90, 0, -90, 0) == pytest.approx(20_003_931, rel=0.006)
