from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo import manhattan
from gpsdream_app.geo.frames import destination, distance
from gpsdream_app.geo.gazetteer import Gazetteer

FLATIRON_CORNER = manhattan.crossing("Fifth Avenue", 23)


@pytest.mark.parametrize(
    "query",
    [
        "5th Ave & E 23rd St",
        "5th av and 23",
        "Fifth Ave & East 23rd Street",
        "fifth avenue and twenty-third street",
        "E 23rd St & 5th Ave",
        "23rd at 5th",
        "23 st / 5 ave",
        "5 e 23",
        "5 av 23 st",
        "5th Avenue, East 23rd Street, New York",
        "corner of Fifth Avenue and 23rd Street",
        "NE corner of 5th Ave & E 23 St",
        "FIFTH AVENUE + E. 23RD ST.",
        "fith avenue & 23rd",
        "Fifth Avenue & E 23rd St",
    ],
)
def test_one_corner_in_many_spellings(gazetteer: Gazetteer, query: str) -> None:
    hit = gazetteer.search(query)[0]
    assert (hit.name, hit.kind) == ("Fifth Avenue & E 23rd St", "crossing")
    assert distance(hit.lat, hit.lon, *FLATIRON_CORNER) < 3.0


@pytest.mark.parametrize(
    "query, name",
    [
        ("w 8 st & 5 av", "Fifth Avenue & W 8th St"),
        ("Broadway & Houston", "Broadway & East Houston Street"),
        ("Braodway & w houston", "Broadway & West Houston Street"),
        ("bleeker & broadway", "Broadway & Bleecker Street"),
        ("avenue of the americas & w 34", "Sixth Avenue & W 34th St"),
        ("lenox and 125", "Lenox Avenue & W 125th St"),
        ("malcolm x blvd & 125th", "Lenox Avenue & W 125th St"),
        ("ave a & e 7 st", "Avenue A & E 7th St"),
        ("cpw 72", "Central Park West & W 72nd St"),
        ("columbus & 72", "Columbus Avenue & W 72nd St"),
        ("st nicholas ave & 145", "St Nicholas Avenue & W 145th St"),
        ("wall & broad", "Broad Street & Wall Street"),
        ("mott & canal", "Canal Street & Mott Street"),
        ("5th and 42nd", "Fifth Avenue & E 42nd St"),
        ("Fifth Avenue between 42nd and 43rd Streets", "Fifth Avenue & E 42nd St"),
        ("west 59th & fifth", "Fifth Avenue & Central Park South"),
    ],
)
def test_corners(gazetteer: Gazetteer, query: str, name: str) -> None:
    hit = gazetteer.search(query)[0]
    assert (hit.name, hit.kind) == (name, "crossing")


@pytest.mark.parametrize(
    "query, name, kind",
    [
        ("flatiron", "Flatiron Building", "landmark"),
        ("St. Patrick’s", "St Patrick's Cathedral", "landmark"),
        ("the plaza hotel", "Plaza Hotel", "landmark"),
        ("public libary", "New York Public Library", "landmark"),
        ("metropolitan museum", "Metropolitan Museum of Art", "landmark"),
        ("washington sq", "Washington Square Park", "park"),
        ("greenwich village", "Greenwich Village", "neighbourhood"),
        ("soho", "SoHo", "neighbourhood"),
        ("harlm", "Harlem", "neighbourhood"),
        ("bryant park", "Bryant Park", "park"),
        ("central park reservoir", "Central Park Reservoir", "park"),
        ("williamsburg bridge", "Williamsburg Bridge", "landmark"),
        ("central park", "Central Park", "park"),
        ("Fifth Avenue", "Fifth Avenue", "street"),
        ("5 ave", "Fifth Avenue", "street"),
        ("wall st", "Wall Street", "street"),
        ("E 23", "East 23rd Street", "street"),
        ("broadway", "Broadway", "street"),
    ],
)
def test_names(gazetteer: Gazetteer, query: str, name: str, kind: str) -> None:
    hit = gazetteer.search(query)[0]
    assert (hit.name, hit.kind) == (name, kind)


def test_coordinates(gazetteer: Gazetteer) -> None:
    (hit,) = gazetteer.search("40°44'28\"N 73°59'23\"W")
    assert hit.kind == "coordinates"
    assert (hit.lat, hit.lon) == pytest.approx((40.74111, -73.98972), abs=1e-5)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "qqqq",
        "91, 0",
        "<b>x</b>",
        "&",
        "& & &",
        "x" * 10_000,
        "5th & 5th",
        "23 & 42",
        "🗽",
        "\x00",
        "st",
        "of",
    ],
)
def test_what_is_not_a_place_finds_no_corner(gazetteer: Gazetteer, query: str) -> None:
    assert not [hit for hit in gazetteer.search(query) if hit.kind in ("crossing", "coordinates")]


def test_numbers_are_never_guessed(gazetteer: Gazetteer) -> None:
    assert gazetteer.search("5th & 999th") == []
    assert all("32" not in hit.name for hit in gazetteer.search("5th & 23rd"))


def test_hits_are_few_different_and_in_the_city(gazetteer: Gazetteer) -> None:
    hits = gazetteer.search("broadway", limit=5)
    assert len({hit.name for hit in hits}) == len(hits) <= 5
    assert all(gazetteer.city.box.contains(hit.lat, hit.lon) for hit in hits)
    assert gazetteer.search("broadway", limit=0) == []
    assert len(gazetteer.search("broadway", limit=1)) == 1


def test_a_corner_that_is_not_there_is_not_found(gazetteer: Gazetteer) -> None:
    # Central Park lies between.
    assert gazetteer.search("Sixth Avenue & 70th") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=30))
def test_no_query_is_too_strange(gazetteer: Gazetteer, query: str) -> None:
    for hit in gazetteer.search(query):
        assert hit.name
        assert -90 <= hit.lat <= 90


@pytest.mark.parametrize(
    "place, name",
    [
        (manhattan.crossing("Fifth Avenue", 23), "Fifth Avenue & E 23rd St"),
        (manhattan.from_grid(-25.0, manhattan.uptown(34)), "Fifth Avenue & W 34th St"),
        (manhattan.from_grid(25.0, manhattan.uptown(34)), "Fifth Avenue & E 34th St"),
        (manhattan.crossing("Lexington Avenue", 52), "Lexington Avenue & E 52nd St"),
        (manhattan.from_grid(-430.0, manhattan.uptown(21)), "near Sixth Avenue & W 21st St"),
        ((40.7829, -73.9654), "in Central Park"),
        ((40.7420, -73.9880), "in Madison Square Park"),
        ((40.7614, -73.9510), "on Roosevelt Island"),
    ],
)
def test_descriptions(gazetteer: Gazetteer, place: tuple[float, float], name: str) -> None:
    assert gazetteer.describe(*place) == name


def test_descriptions_beside_the_city(gazetteer: Gazetteer) -> None:
    shore = manhattan.from_grid(-2035.0, 2000.0)
    assert gazetteer.describe(*destination(*shore, 299.0, 1000.0)) == "1 km off Manhattan"
    assert gazetteer.describe(40.7000, -73.9500).endswith("km off Manhattan")
    assert gazetteer.describe(40.7000, -73.9500).startswith("in Brooklyn")
    assert gazetteer.describe(51.5, -0.1) == "5,582 km from Manhattan"
    assert gazetteer.describe(-40.76, 106.03).endswith("km from Manhattan")


def test_what_is_described_is_found_again(gazetteer: Gazetteer) -> None:
    for street in range(9, 97):
        place = manhattan.crossing("Fifth Avenue", street)
        name = gazetteer.describe(*place)
        assert name.startswith("Fifth Avenue & "), name
        hit = gazetteer.search(name)[0]
        assert hit.name == name
        assert distance(hit.lat, hit.lon, *place) < 60.0


@pytest.mark.parametrize("place", [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0)])
def test_no_place_on_the_earth_has_no_description(gazetteer: Gazetteer, place: tuple[float, float]) -> None:
    with pytest.raises(GPSDreamError):
        gazetteer.describe(*place)
