from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.geo.coordinates import format_coordinates, parse_coordinates

FLATIRON = (40.7411, -73.9897)
FLATIRON_TO_A_SECOND = (40 + 44 / 60 + 28 / 3600, -(73 + 59 / 60 + 23 / 3600))

latitudes = st.floats(-90.0, 90.0)
longitudes = st.floats(-180.0, 180.0)


@pytest.mark.parametrize(
    "text",
    [
        "40.7411, -73.9897",
        "40.7411,-73.9897",
        "40.7411 -73.9897",
        "  40.7411\t-73.9897\n",
        "(40.7411, -73.9897)",
        "[40.7411; -73.9897]",
        "40.7411/-73.9897",
        "+40.7411, −73.9897",
        "40.7411°, -73.9897°",
        "40.7411° -73.9897°",
        "40.7411N 73.9897W",
        "40.7411 N, 73.9897 W",
        "N40.7411 W73.9897",
        "n 40.7411° w 73.9897°",
        "73.9897W 40.7411N",
        "40.7411 north, 73.9897 west",
        "lat: 40.7411 lon: -73.9897",
        "latitude=40.7411, longitude=-73.9897",
        "lng -73.9897, lat 40.7411",
        "40,7411; -73,9897",
        "40,7411 -73,9897",
        "40,7411, -73,9897",
        "40,7411,-73,9897",
        "geo:40.7411,-73.9897",
        "GEO:40.7411,-73.9897,12.5;crs=wgs84;u=35",
        "geo:0,0?q=40.7411,-73.9897(Flatiron)",
        "40°44.466'N 73°59.382'W",
    ],
)
def test_decimal_degrees(text: str) -> None:
    assert parse_coordinates(text) == pytest.approx(FLATIRON, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "40°44'28\"N 73°59'23\"W",
        "40° 44′ 28″ N, 73° 59′ 23″ W",
        "40º44’28”N;73º59’23”W",
        "40˚44´28''N 73˚59´23''W",
        '40°44`28"N 73°59`23"W',
        "N40°44′28″ W73°59′23″",
        "40 44 28 N 73 59 23 W",
        "N 40 44 28, W 73 59 23",
        "40 44 28, -73 59 23",
        "40:44:28N 73:59:23W",
        "40d44m28sN 73d59m23sW",
        "40 deg 44 min 28 sec North, 73 deg 59 min 23 sec West",
        "-73°59'23\" E 40°44'28\" N".replace("-", "").replace("E", "W"),
        "40°44'28\", -73°59'23\"",
        "40°44'28,0\"N 73°59'23,0\"W",
    ],
)
def test_degrees_minutes_and_seconds(text: str) -> None:
    assert parse_coordinates(text) == pytest.approx(FLATIRON_TO_A_SECOND, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5th av and 23",
        "w 8 st & 5 av",
        "5 e 23",
        "5/23",
        "42 5",
        "23",
        "E 23",
        "40.7411",
        "40.7411, -73.9897, 12",
        "1e5, 3",
        "40.7411 N",
        "40°44'28\"N",
        "40'44°N 73'59°W",
        "40.5 30.5 N, 73 59 W",
        "73º59'23\"O 40°N",
        "geo:40.7411",
        "geo:40.7,-73.9;crs=Moon-2011",
        "Flatiron Building",
        "<script>40.7, -73.9</script>",
        "40.7, -73.9" + " " * 300,
        "٤٠ ,٧٣ x",
    ],
)
def test_other_text_is_not_about_coordinates(text: str) -> None:
    assert parse_coordinates(text) is None


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("91, 0", "Latitude 91 is outside -90 to 90 degrees."),
        ("-73.98, 240.7", "Longitude 240.7 is outside -180 to 180 degrees."),
        ("-100, 40.7", "Latitude -100 is outside -90 to 90 degrees."),
        ("geo:99,0", "Latitude 99 is outside -90 to 90 degrees."),
        ("40°75'N 73°W", "Minutes must be under 60, not 75."),
        ("40°44'60\"N 73°W", "Seconds must be under 60, not 60."),
        ("40N 41N", "Both numbers are latitudes."),
        ("40.5E 41W", "Both numbers are longitudes."),
        ("-40.7 S, 73 W", "The number has both a minus sign and the letter S."),
    ],
)
def test_coordinates_of_no_place_get_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(GPSDreamError) as caught:
        parse_coordinates(text)
    assert caught.value.failure.kind is ErrorKind.BAD_LOCATION
    assert caught.value.failure.message == sentence
    assert caught.value.failure.hint


def test_a_swapped_pair_gets_the_hint_that_helps() -> None:
    with pytest.raises(GPSDreamError) as caught:
        parse_coordinates("-173.98, 40.7")
    assert "other order" in caught.value.failure.hint


def test_degrees_of_zero_keep_their_sign() -> None:
    assert parse_coordinates("-0°30'0\", 0°30'0\"") == (-0.5, 0.5)
    assert parse_coordinates("0°30'S 0°30'W") == (-0.5, -0.5)


@given(latitudes, longitudes)
def test_decimal_round_trip(lat: float, lon: float) -> None:
    assert parse_coordinates(format_coordinates(lat, lon)) == pytest.approx((lat, lon), abs=5.1e-6)


@given(latitudes, longitudes)
def test_sexagesimal_round_trip(lat: float, lon: float) -> None:
    # A twentieth of a second of arc.
    assert parse_coordinates(format_coordinates(lat, lon, "dms")) == pytest.approx((lat, lon), abs=0.0501 / 3600)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, float, float]:
    """Degrees, minutes and seconds written in one of the many ways, with what they mean."""
    degree = draw(st.sampled_from(["°", "º", "˚", " deg ", "° ", " "]))
    minute = draw(st.sampled_from(["'", "′", "’", "´", " ", "' "])) if degree.strip() else " "
    second = draw(st.sampled_from(['"', "″", "”", "''"])) if minute.strip() else ""
    before = draw(st.booleans())
    separator = draw(st.sampled_from([", ", "; ", ","]))
    halves, values = [], []
    for limit, letters in ((89, "NS"), (179, "EW")):
        d, m, s = draw(st.integers(0, limit)), draw(st.integers(0, 59)), draw(st.integers(0, 59))
        letter = draw(st.sampled_from(letters))
        angle = f"{d}{degree}{m}{minute}{s}{second}"
        halves.append(f"{letter}{angle}" if before else f"{angle} {letter}")
        values.append((d + m / 60 + s / 3600) * (-1 if letter in "SW" else 1))
    order = draw(st.sampled_from([(0, 1), (1, 0)]))
    return separator.join(halves[i] for i in order), values[0], values[1]


@given(spellings())
def test_many_spellings_mean_the_same(spelling: tuple[str, float, float]) -> None:
    text, lat, lon = spelling
    assert parse_coordinates(text) == pytest.approx((lat, lon), abs=1e-9)


@given(st.text(alphabet="0123456789.,;:°'\"+-NSEW nsewlatondgm/()", max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        place = parse_coordinates(text)
    except GPSDreamError as error:
        assert error.failure.kind is ErrorKind.BAD_LOCATION
    else:
        assert place is None or (-90 <= place[0] <= 90 and -180 <= place[1] <= 180)


def test_format() -> None:
    assert format_coordinates(40.7411, -73.9897) == "40.74110, -73.98970"
    assert format_coordinates(-0.0000001, 0.0) == "0.00000, 0.00000"
    assert format_coordinates(40.7411, -73.9897, "dms") == "40°44′28.0″N 73°59′22.9″W"
    assert format_coordinates(59.999999, -0.0, "dms") == "60°00′00.0″N 0°00′00.0″E"
