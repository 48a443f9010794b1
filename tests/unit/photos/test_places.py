from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.TiffImagePlugin import IFDRational

from gpsdream_app.photos.places import PlaceError, exif_heading, exif_place, heading_degrees, xmp_place
from gpsdream_app.photos.records import HeadingReference, Reason
from tests.unit.photos.pictures import gps

ZERO = IFDRational(0, 0)
GOOD = gps(40.7411, -73.9897)


def reason_of(tags: dict[int, Any]) -> Reason:
    with pytest.raises(PlaceError) as caught:
        exif_place(tags)
    return caught.value.reason


@settings(deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_written_place_is_read_back_within_two_millimetres(lat: float, lon: float) -> None:
    if abs(lat) < 0.001 and abs(lon) < 0.001:
        return
    read_lat, read_lon = exif_place(gps(lat, lon))
    assert abs(read_lat - lat) < 2e-8
    assert abs(read_lon - lon) < 2e-8


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({2: None, 4: None}, Reason.NO_GPS),
        ({2: None}, Reason.INCOMPLETE_GPS),
        ({4: None}, Reason.INCOMPLETE_GPS),
        ({2: (ZERO, ZERO, ZERO)}, Reason.ZERO_RATIONAL),
        ({4: (ZERO, ZERO, ZERO)}, Reason.ZERO_RATIONAL),
        ({2: (40, 44, ZERO)}, Reason.ZERO_RATIONAL),
        ({2: (IFDRational(40, 0), 44, 27)}, Reason.ZERO_RATIONAL),
        ({2: (0, 0, 0), 4: (0, 0, 0)}, Reason.NULL_ISLAND),
        ({2: (0, 0, 0), 4: (0, 0, 0), 1: None, 3: None}, Reason.NULL_ISLAND),
        ({2: (91, 0, 0)}, Reason.OUT_OF_RANGE),
        ({2: (90, 0, 1)}, Reason.OUT_OF_RANGE),
        ({4: (181, 0, 0)}, Reason.OUT_OF_RANGE),
        ({1: None}, Reason.MISSING_HEMISPHERE),
        ({3: None}, Reason.MISSING_HEMISPHERE),
        ({1: "\0"}, Reason.MISSING_HEMISPHERE),
        ({1: "E"}, Reason.MISSING_HEMISPHERE),
        ({3: 7}, Reason.MISSING_HEMISPHERE),
        ({2: (40, 75, 0)}, Reason.MALFORMED_GPS),
        ({2: (math.nan, 0, 0)}, Reason.MALFORMED_GPS),
        ({2: (math.inf, 0, 0)}, Reason.MALFORMED_GPS),
        ({2: "40.7"}, Reason.MALFORMED_GPS),
        ({2: b"\x28"}, Reason.MALFORMED_GPS),
        ({2: ("40", "44", "27")}, Reason.MALFORMED_GPS),
        ({2: ()}, Reason.MALFORMED_GPS),
        ({2: (1, 2, 3, 4)}, Reason.MALFORMED_GPS),
        ({2: (None, 1, 2)}, Reason.MALFORMED_GPS),
        ({2: (10**400, 1, 2)}, Reason.MALFORMED_GPS),
        ({2: (-40, 44, 27)}, Reason.MALFORMED_GPS),  # north and negative
    ],
)
def test_every_bad_place_has_its_reason(change: dict[int, Any], reason: Reason) -> None:
    tags = {tag: value for tag, value in {**GOOD, **change}.items() if value is not None}
    assert reason_of(tags) is reason


def test_minutes_with_a_fraction_need_no_seconds() -> None:
    lat, _ = exif_place({**GOOD, 2: (IFDRational(48, 1), IFDRational(5332358, 100000), ZERO)})
    assert lat == pytest.approx(48 + 53.32358 / 60)


def test_one_number_is_decimal_degrees() -> None:
    assert exif_place({**GOOD, 2: 40.7411})[0] == pytest.approx(40.7411)
    assert exif_place({**GOOD, 2: (IFDRational(407411, 10000),)})[0] == pytest.approx(40.7411)


@pytest.mark.parametrize("letter", ["n", "N\0", "North", b"N", " N"])
def test_hemispheres_are_read_as_programs_write_them(letter: Any) -> None:
    assert exif_place({**GOOD, 1: letter})[0] == pytest.approx(40.7411)


def test_a_sign_stands_in_for_a_missing_hemisphere() -> None:
    tags = {2: (40, 44, 27), 1: "N", 4: (-73, 59, 23)}
    assert exif_place(tags)[1] == pytest.approx(-(73 + 59 / 60 + 23 / 3600))


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text("NESW7,.\0", max_size=5),
    st.binary(max_size=5),
    st.just(ZERO),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.integers(0, 31), st.one_of(anything, st.tuples(anything, anything, anything))))
def test_no_directory_raises_anything_else(tags: dict[int, Any]) -> None:
    exif_heading(tags)
    try:
        lat, lon = exif_place(tags)
    except PlaceError as error:
        assert error.reason in Reason
    else:
        assert -90 <= lat <= 90
        assert -180 <= lon <= 180


@pytest.mark.parametrize(
    ("value", "heading"),
    [
        (290.0, 290.0),
        (360, 0.0),
        (-90, 270.0),
        (-1e-17, 0.0),
        (ZERO, None),
        (math.nan, None),
        (math.inf, None),
        (65535, None),
        ("north", None),
        (None, None),
        ((1, 2), None),
    ],
)
def test_a_heading_is_a_direction_or_none(value: Any, heading: float | None) -> None:
    assert heading_degrees(value) == heading


def test_magnetic_headings_are_marked() -> None:
    assert exif_heading(gps(1, 1, 46.5, "M")) == (46.5, HeadingReference.MAGNETIC)
    assert exif_heading(gps(1, 1, 46.5, "T")) == (46.5, HeadingReference.TRUE)
    assert exif_heading({17: 46.5}) == (46.5, HeadingReference.UNKNOWN)
    assert exif_heading(gps(1, 1)) == (None, HeadingReference.UNKNOWN)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [("40,44.466N", "73,59.382W"), ("40,44,27.96N", "73,59,22.92w"), ("40.7411", "-73.9897")],
)
def test_xmp_angles(lat: str, lon: str) -> None:
    assert xmp_place(lat, lon) == pytest.approx((40.7411, -73.9897), abs=1e-7)


@pytest.mark.parametrize(
    ("lat", "lon", "reason"),
    [
        ("", "", Reason.NO_GPS),
        ("40,44N", "", Reason.INCOMPLETE_GPS),
        ("40,44E", "73,59W", Reason.MISSING_HEMISPHERE),
        ("nonsense", "73,59W", Reason.MALFORMED_GPS),
        ("40,75N", "73,59W", Reason.MALFORMED_GPS),
        ("91,0N", "73,59W", Reason.OUT_OF_RANGE),
        ("0,0N", "0,0E", Reason.NULL_ISLAND),
        ("9" * 5000, "73,59W", Reason.MALFORMED_GPS),
    ],
)
def test_bad_xmp_angles(lat: str, lon: str, reason: Reason) -> None:
    with pytest.raises(PlaceError) as caught:
        xmp_place(lat, lon)
    assert caught.value.reason is reason
