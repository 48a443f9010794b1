"""Walks: even steps, headings without jumps, and to where photos were taken."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Coverage, ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.geo.manhattan import BEARING, to_grid
from gpsdream_app.geo.regions import make_region, street_region
from gpsdream_app.geo.walks import places_along, street_line, walk_of

FRAME = LocalFrame(40.75, -73.98)
STRAIGHT = [FRAME.to_degrees(0, 0), FRAME.to_degrees(0, 1000)]
CORNER = [FRAME.to_degrees(0, 0), FRAME.to_degrees(0, 500), FRAME.to_degrees(500, 500)]


def metres(places: tuple[Place, ...]) -> np.ndarray:
    return np.array([FRAME.to_metres(place.lat, place.lon) for place in places])


def turns(places: tuple[Place, ...]) -> list[float]:
    looks = [place.heading for place in places]
    assert None not in looks
    return [((b - a + 180) % 360) - 180 for a, b in itertools.pairwise(looks)]  # type: ignore[operator]


@pytest.mark.parametrize(("heading", "look"), [("right", 90), ("left", 270), ("ahead", 0), ("photos", 90)])
def test_a_straight_walk_has_even_steps(heading: Any, look: float) -> None:
    places = places_along(STRAIGHT, 11, heading=heading)
    assert metres(places) == pytest.approx(np.array([(0, 100.0 * i) for i in range(11)]), abs=0.01)
    assert all(abs(((place.heading or 0) - look + 180) % 360 - 180) < 0.01 for place in places)


def test_a_walk_turns_smoothly_at_a_corner() -> None:
    places = places_along(CORNER, 201, heading="right")
    steps = [float(np.hypot(*(b - a))) for a, b in itertools.pairwise(metres(places))]
    # Along the line 5 m each; only across the corner the crow flies less.
    assert max(steps) == pytest.approx(5, abs=0.01)
    assert min(steps) > 3.5
    bends = turns(places)
    assert sum(bends) == pytest.approx(90, abs=0.5)
    assert max(np.abs(bends)) < 15
    assert all(bend > -0.01 for bend in bends)
    assert places[0].heading == pytest.approx(90, abs=0.1)
    assert places[-1].heading == pytest.approx(180, abs=0.1)


def test_steps_wider_than_a_corner_still_turn_in_more_than_one() -> None:
    bends = turns(places_along(CORNER, 11, heading="left"))
    assert max(np.abs(bends)) < 60
    assert sum(bends) == pytest.approx(90, abs=1)


def test_one_picture_stands_in_the_middle() -> None:
    assert metres(places_along(STRAIGHT, 1)) == pytest.approx(np.array([(0, 500)]), abs=0.01)


@pytest.mark.parametrize("line", [[], [STRAIGHT[0]], [STRAIGHT[0]] * 4])
def test_no_line_no_walk(line: Any) -> None:
    with pytest.raises(GPSDreamError) as caught:
        places_along(line, 5)
    assert caught.value.failure.kind is ErrorKind.BAD_LOCATION


@pytest.mark.parametrize("count", [0, -3, 10_001, True, 2.5])
def test_too_many_or_no_pictures(count: Any) -> None:
    with pytest.raises(GPSDreamError, match="number of pictures"):
        places_along(STRAIGHT, count)


def photo(x: float, y: float, heading: float | None) -> Place:
    return Place(*FRAME.to_degrees(x, y), heading)


def test_the_walk_goes_where_the_photos_were_taken() -> None:
    # Those that look east were taken on the west side, as one steps back to see a house; others look west.
    east = [photo(-8, y, 95.0) for y in range(0, 1001, 25)]
    west = [photo(12, y, 280.0) for y in range(0, 1001, 50)]
    far = [photo(200, y, 90.0) for y in range(0, 1001, 50)]
    places = places_along(STRAIGHT, 101, heading="photos", photos=[*east, *west, *far])
    assert metres(places)[:, 0] == pytest.approx(np.full(101, -8), abs=0.2)
    assert [place.heading for place in places] == pytest.approx([95.0] * 101, abs=0.3)
    other = places_along(STRAIGHT, 101, heading="left", photos=[*east, *west, *far])
    assert metres(other)[:, 0] == pytest.approx(np.full(101, 12), abs=0.2)
    assert {round(place.heading or 0) for place in other} == {270}


def test_between_photos_the_walk_stays_smooth() -> None:
    photos = [photo(-8, 100, 100.0), photo(8, 900, 80.0), photo(0, 500, None)]
    places = places_along(STRAIGHT, 201, heading="photos", photos=photos)
    x = metres(places)[:, 0]
    assert x[20] == pytest.approx(-8, abs=1)
    assert x[180] == pytest.approx(8, abs=1)
    assert np.abs(np.diff(x)).max() < 0.6
    assert np.abs(turns(places)).max() < 1.0


def test_photos_without_headings_still_place_the_walk() -> None:
    places = places_along(STRAIGHT, 21, heading="photos", photos=[photo(5, y, None) for y in range(0, 1001, 50)])
    assert metres(places)[:, 0] == pytest.approx(np.full(21, 5), abs=0.2)
    assert {round(place.heading or 0) for place in places} == {90}


@pytest.fixture(scope="module")
def coverage(root: Path) -> Coverage:
    card = ModelCard.from_json((root / "resources/models/fifth-avenue-1911/gpsdream.json").read_text(encoding="utf-8"))
    assert card.coverage
    return card.coverage


def test_the_avenue_runs_uptown_and_where_it_was_photographed(city: CityMap, coverage: Coverage) -> None:
    whole, seen = street_line(city, "fifth avenue"), street_line(city, "5th Ave", coverage=coverage)
    assert [to_grid(*point)[1] for point in whole] == sorted(to_grid(*point)[1] for point in whole)
    assert to_grid(*whole[-1])[1] > 8000
    south, north = to_grid(*seen[0])[1], to_grid(*seen[-1])[1]
    assert south == pytest.approx(-2730, abs=60)
    assert north == pytest.approx(4180, abs=60)
    places = places_along(seen, 120)
    steps = [distance(a.lat, a.lon, b.lat, b.lon) for a, b in itertools.pairwise(places)]
    assert max(steps) - min(steps) < 0.01
    assert sum(steps) == pytest.approx(north - south, rel=0.001)
    assert all(math.isclose(place.heading or 0, BEARING + 90, abs_tol=1) for place in places)


def test_unknown_streets_and_regions_without_a_line(city: CityMap) -> None:
    with pytest.raises(GPSDreamError, match="no street"):
        street_line(city, "Rue de Rivoli")
    with pytest.raises(GPSDreamError, match="no line"):
        walk_of(make_region([[[(40.7, -74.0), (40.8, -74.0), (40.8, -73.9)]]], "", city=city)[0])
    assert walk_of(street_region(city, "Broadway"))[0] != walk_of(street_region(city, "Fifth Avenue"))[0]
