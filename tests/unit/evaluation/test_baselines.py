from __future__ import annotations

import numpy as np
import pytest

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.baselines import (
    FOUND_ROWS,
    NearestPhotos,
    Question,
    Row,
    address_of,
    conditions_of,
    prompt_with_address,
)
from gpsdream_app.geo.city import load_city
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.geo.gazetteer import Gazetteer

PLACE = Place(40.7411, -73.9897, 118.0, "Flatiron")
QUESTION = Question("a mansion", PLACE)


def test_every_row_gives_the_model_what_it_says() -> None:
    given = {row: conditions_of(row, QUESTION, lambda place: "Elm Street") for row in Row if row not in FOUND_ROWS}
    assert given == {
        Row.TEXT_ONLY: ("a mansion", None),
        Row.TEXT_AND_ADDRESS: ("a mansion, Elm Street", None),
        Row.OURS: ("a mansion", PLACE),
        Row.OURS_WITHOUT_TEXT: ("", PLACE),
        Row.OURS_WITHOUT_HEADING: ("a mansion", Place(40.7411, -73.9897, None, "Flatiron")),
        Row.ADDRESS_ONLY: ("Elm Street", None),
    }
    for row in FOUND_ROWS:
        with pytest.raises(ValueError, match="found, not drawn"):
            conditions_of(row, QUESTION, lambda place: "")


def test_addresses_are_street_cross_street_and_city() -> None:
    gazetteer = Gazetteer(load_city("manhattan"))
    corner = gazetteer.search("5th Ave & E 23rd St")[0]
    address = address_of(gazetteer, Place(corner.lat, corner.lon))
    assert address == "Fifth Avenue & E 23rd St, Manhattan"
    assert prompt_with_address("A mansion.", address) == "A mansion, Fifth Avenue & E 23rd St, Manhattan"
    assert prompt_with_address("  ", address) == address


def test_the_city_is_not_named_twice() -> None:
    gazetteer = Gazetteer(load_city("manhattan"))
    assert address_of(gazetteer, Place(40.70, -74.10)).count("Manhattan") <= 1


def test_the_nearest_photo_is_that_of_the_geodesic() -> None:
    random = np.random.default_rng(0)
    lats, lons = random.uniform(40.73, 40.79, 60), random.uniform(-74.0, -73.95, 60)
    photos = NearestPhotos(lats, lons)
    for _ in range(20):
        place = Place(random.uniform(40.73, 40.79), random.uniform(-74.0, -73.95))
        away = [distance(place.lat, place.lon, lat, lon) for lat, lon in zip(lats, lons, strict=True)]
        index, metres = photos.find(place)
        assert index == int(np.argmin(away))
        assert metres == pytest.approx(min(away), abs=0.1)


def test_photos_of_the_other_side_of_the_street_come_last() -> None:
    frame = LocalFrame(40.74, -73.99)
    lats, lons = frame.to_degrees(np.array([0.0, 10.0, 40.0]), np.zeros(3))
    photos = NearestPhotos(lats, lons, [298.0, np.nan, 130.0])
    assert photos.find(Place(lats[0], lons[0], 118.0))[0] == 1
    assert photos.find(Place(lats[0], lons[0]))[0] == 0
    assert photos.find(Place(lats[0], lons[0], 350.0))[0] == 0
    known = NearestPhotos(lats, lons, [298.0, 290.0, 130.0])
    assert known.find(Place(lats[0], lons[0], 100.0)) == (2, pytest.approx(40, abs=0.1))
    # Where all look the other way, the nearest will do.
    assert NearestPhotos(lats[:2], lons[:2], [298.0, 290.0]).find(Place(lats[0], lons[0], 118.0))[0] == 0


def test_a_questions_own_photograph_can_be_left_out() -> None:
    frame = LocalFrame(40.74, -73.99)
    lats, lons = frame.to_degrees(np.array([0.0, 10.0, 40.0]), np.zeros(3))
    photos = NearestPhotos(lats, lons, sources=["a", "a", "b"])
    assert photos.find(Place(lats[0], lons[0]), leave_out="a")[0] == 2
    with pytest.raises(ValueError, match="left"):
        NearestPhotos(lats, lons, sources=["a"] * 3).find(Place(lats[0], lons[0]), leave_out="a")


def test_photos_without_places_are_refused() -> None:
    with pytest.raises(ValueError, match="photos"):
        NearestPhotos([], [])
    with pytest.raises(ValueError, match="one heading"):
        NearestPhotos([40.0], [-73.0], [1.0, 2.0])
