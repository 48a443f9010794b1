from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from shapely import LineString, Point
from shapely.geometry import shape

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.geo import city as cities
from gpsdream_app.geo.city import CityMap, list_cities, load_city
from gpsdream_app.geo.manhattan import uptown

Shapes = Callable[[str], dict[str, Any]]


def test_manhattan_comes_with_the_program() -> None:
    assert "manhattan" in list_cities()
    city = load_city("manhattan")
    assert (city.id, city.name) == ("manhattan", "Manhattan")
    assert city.box.contains(*city.centre)
    assert load_city("manhattan") is city
    assert city.features("tram lines") == []


@pytest.mark.parametrize("name", ["atlantis", "../manhattan", ""])
def test_an_unknown_city_gets_a_sentence(name: str) -> None:
    with pytest.raises(GPSDreamError) as caught:
        load_city(name)
    assert caught.value.failure.kind is ErrorKind.BAD_REQUEST
    assert "manhattan" in caught.value.failure.hint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "layers": {}}'])
def test_a_damaged_city_gets_a_sentence(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cities").mkdir()
    (tmp_path / "cities" / "broken.json").write_text(text)
    monkeypatch.setattr(cities, "resources_dir", lambda: tmp_path)
    with pytest.raises(GPSDreamError) as caught:
        load_city("broken")
    assert caught.value.failure.kind is ErrorKind.INTERNAL


def test_a_newer_city_is_refused(city: CityMap) -> None:
    data = copy.copy(city.data)
    data["schema"] = 2
    with pytest.raises(GPSDreamError):
        CityMap.from_dict(data)


def test_the_file_is_small_and_is_what_the_generator_draws(make_city: ModuleType) -> None:
    path = resources_dir() / "cities" / "manhattan.json"
    assert path.stat().st_size < 600_000
    drawn, kept = make_city.build(), json.loads(path.read_text(encoding="utf-8"))
    layers = drawn.pop("layers"), kept.pop("layers")
    assert drawn == kept
    assert layers[0].keys() == layers[1].keys()
    for layer in layers[0]:
        pairs = list(zip(layers[0][layer]["features"], layers[1][layer]["features"], strict=True))
        assert [a["properties"].get("name") for a, _ in pairs] == [b["properties"].get("name") for _, b in pairs]
        for a, b in pairs:
            # Another processor may round the last decimal, of about a metre, to the other side.
            assert shape(a["geometry"]).equals_exact(shape(b["geometry"]), 1.5e-5), a["properties"]


def test_features_are_what_the_map_page_expects(city: CityMap) -> None:
    kinds = {
        "land": {"Polygon", "MultiPolygon"},
        "parks": {"Polygon", "MultiPolygon"},
        "streets": {"LineString"},
        "bridges": {"LineString"},
        "neighbourhoods": {"Polygon", "MultiPolygon"},
        "landmarks": {"Point"},
    }
    for layer, types in kinds.items():
        for feature in city.features(layer):
            assert feature["geometry"]["type"] in types
            assert feature["properties"]["name"]
            assert shape(feature["geometry"]).is_valid, feature["properties"]["name"]
    for street in city.features("streets"):
        assert street["properties"]["kind"] in {"avenue", "street", "broadway", "parkway"}
        assert isinstance(street["properties"]["major"], bool)
    for area in city.features("neighbourhoods"):
        assert shape(area["geometry"]).contains(Point(area["properties"]["label"])), area["properties"]["name"]
    assert len(city.features("landmarks")) >= 60
    assert len(city.features("neighbourhoods")) >= 30
    for landmark in city.features("landmarks"):
        year = landmark["properties"]["year"]
        assert year is None or 1700 < year < 2030
        lon, lat = landmark["geometry"]["coordinates"]
        assert city.box.contains(lat, lon)


def test_names_are_unique_within_layers(city: CityMap) -> None:
    for layer in ("landmarks", "neighbourhoods", "parks", "land", "bridges"):
        names = [feature["properties"]["name"] for feature in city.features(layer)]
        assert len(names) == len(set(names)), layer


def test_streets_stay_on_land(shapes: Shapes) -> None:
    island = shapes("land")["Manhattan"].buffer(5.0)
    for name, street in shapes("streets").items():
        if name != "Henry Hudson Parkway":
            assert street.difference(island).length < 30.0, name


def test_only_its_own_roads_cross_central_park(shapes: Shapes) -> None:
    park = shapes("parks")["Central Park"].buffer(-5.0)
    crossing = {name for name, street in shapes("streets").items() if street.intersects(park)}
    transverses = {f"{number} Street Transverse" for number in ("66th", "79th", "86th", "97th")}
    assert crossing == transverses | {"East Drive", "West Drive", "Center Drive", "Terrace Drive"}


def test_fifth_avenue_begins_and_ends_where_it_does(shapes: Shapes) -> None:
    streets = shapes("streets")
    fifth = streets["Fifth Avenue"]
    assert fifth.distance(streets["Washington Square North"]) < 5.0
    assert fifth.distance(streets["Harlem River Drive"]) < 60.0
    hill = LineString([(0.0, uptown(120) + 20), (0.0, uptown(124) - 20)])
    assert fifth.disjoint(hill)
    assert hill.within(shapes("parks")["Marcus Garvey Park"].buffer(15.0))
    assert LineString([(0.0, uptown(10)), (0.0, uptown(119))]).within(fifth.buffer(1.5))
    assert LineString([(0.0, uptown(125)), (0.0, uptown(142))]).within(fifth.buffer(1.5))


def test_neighbourhoods_cover_the_island_once(shapes: Shapes) -> None:
    areas = shapes("neighbourhoods")
    island = shapes("land")["Manhattan"]
    covered = sum(area.intersection(island).area for area in areas.values())
    assert covered == pytest.approx(island.area, rel=0.02)
    names = list(areas)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            # Central Park apart, two neighbourhoods share no more than a strip of rounding along their border.
            assert areas[first].intersection(areas[second]).area < 4000.0, (first, second)
