"""Azimuth and distance of photos against pyproj, at the paper's landmarks and at ours."""

import numpy as np
import pyproj
import pytest

from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.geo.azimuth import (
    BINS,
    angle_between,
    azimuth_bin,
    azimuth_error,
    bin_azimuth,
    heading_of,
    normalised_azimuth,
    normalised_bin,
    place_at,
    standpoint,
)

# Feng et al., CVPR 2025, section 3.4.
OF_THE_PAPER = {
    "Leaning Tower of Pisa": (43.72295, 10.39660),
    "Arc de Triomphe": (48.87378, 2.29503),
    "Washington Monument": (38.88948, -77.03524),
    "Statue of Liberty": (40.68925, -74.04450),
    "Stonehenge": (51.17888, -1.82622),
    "Space Needle": (47.62050, -122.34930),
}
PLACES = OF_THE_PAPER | {known.title: (known.lat, known.lon) for known in LANDMARKS}


@pytest.mark.parametrize("name", PLACES)
def test_standpoints_are_geodesic(name: str) -> None:
    lat, lon = PLACES[name]
    geod = pyproj.Geod(ellps="WGS84")
    for azimuth in np.arange(0.0, 360.0, 15.0):
        for metres in (8.0, 90.0, 2500.0):
            photo_lon, photo_lat, _ = geod.fwd(lon, lat, azimuth, metres)
            found = standpoint((lat, lon), (photo_lat, photo_lon))
            # A micrometre at 8 m is 1e-5 degrees; the geodesics agree to less than a millimetre.
            assert abs(angle_between(found.azimuth, float(azimuth))) < 1e-3
            assert found.distance == pytest.approx(metres, abs=1e-3)
            assert place_at((lat, lon), float(azimuth), metres) == pytest.approx((photo_lat, photo_lon), abs=1e-8)


def test_without_the_cosine_of_the_latitude_it_would_be_wrong() -> None:
    lat, lon = PLACES["Arc de Triomphe"]
    place = place_at((lat, lon), 50.0, 100.0)
    printed = np.degrees(np.arctan2(place[1] - lon, place[0] - lat))
    assert abs(printed - 50.0) > 9
    assert standpoint((lat, lon), place).azimuth == pytest.approx(50.0, abs=1e-4)


def test_bins() -> None:
    assert [azimuth_bin(azimuth) for azimuth in (0, 4.99, 5, 355, 354.99, 360, -5, 180)] == [0, 0, 1, 0, 35, 0, 0, 18]
    for number in range(BINS):
        middle = bin_azimuth(number)
        assert azimuth_bin(middle) == azimuth_bin(middle - 4.9) == azimuth_bin(middle + 4.9) == number
        assert normalised_bin(number) == pytest.approx(2 * number / 36 - 1) == normalised_azimuth(middle)
    assert normalised_bin(0) == -1.0 and normalised_bin(35) == pytest.approx(1 - 2 / 36)
    assert normalised_azimuth(360.0) == normalised_azimuth(0.0) == -1.0
    for number in (-1, 36):
        with pytest.raises(ValueError, match="0 to 35"):
            normalised_bin(number)


def test_angles() -> None:
    assert angle_between(10.0, 350.0) == pytest.approx(20.0)
    assert angle_between(350.0, 10.0) == pytest.approx(-20.0)
    assert np.allclose(angle_between(np.array([0.0, 180.0]), np.array([90.0, 0.0])), [-90.0, -180.0])
    assert heading_of(0.0) == 180.0 and heading_of(270.0) == 90.0
    assert azimuth_error(5.0, 10.0) == pytest.approx(30.0)
    assert azimuth_error(5.0, 4.0) == 180.0
