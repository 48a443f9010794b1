"""GeoJSON from anybody: read, mended or refused; what is written, other programs read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.regions import RegionKind
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.geojson import read_line, read_regions, write_regions
from gpsdream_app.geo.regions import area, city_regions, make_region, street_region

SQUARE = [[-73.99, 40.74], [-73.98, 40.74], [-73.98, 40.75], [-73.99, 40.75], [-73.99, 40.74]]
BOW_TIE = [[-73.99, 40.74], [-73.98, 40.75], [-73.98, 40.74], [-73.99, 40.75], [-73.99, 40.74]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}
OTHER = {"type": "Polygon", "coordinates": [[[x + 0.02, y] for x, y in SQUARE]]}


def file(tmp_path: Path, data: Any, name: str = "there.geojson") -> Path:
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (POLYGON, 1),
        (feature(POLYGON), 1),
        (collection(feature(POLYGON)), 1),
        ({"type": "MultiPolygon", "coordinates": [POLYGON["coordinates"], OTHER["coordinates"]]}, 2),
        ({"type": "GeometryCollection", "geometries": [POLYGON, OTHER]}, 2),
        (
            feature(
                {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": [POLYGON]}]}
            ),
            1,
        ),
        ({"type": "Polygon", "coordinates": [[[*point, 30.0] for point in SQUARE]]}, 1),
        ({"type": "Polygon", "coordinates": [SQUARE[:-1]]}, 1),
        ({"type": "Polygon", "coordinates": [SQUARE[::-1]]}, 1),
        ({**POLYGON, "crs": {"type": "name"}, "bbox": [0, 0, 1, 1]}, 1),
    ],
)
def test_every_kind_of_geojson_with_an_area(tmp_path: Path, city: CityMap, data: Any, parts: int) -> None:
    (region,), said = read_regions(file(tmp_path, data), city)
    assert said == []
    assert region.kind is RegionKind.FILE
    assert region.name.startswith("there")
    assert len(region.polygons) == parts
    assert area(region) == pytest.approx(parts * 844.6 * 1110.5, rel=0.01)


def test_what_is_mended_is_said_by_name(tmp_path: Path, city: CityMap) -> None:
    turned = {"type": "Polygon", "coordinates": [[point[::-1] for point in SQUARE]]}
    data = collection(
        feature({"type": "Polygon", "coordinates": [BOW_TIE]}, name="Tie"),
        feature(turned, NAME="Turned"),
        feature(POLYGON, name="Tie"),
        feature({"type": "Point", "coordinates": SQUARE[0]}, name="Dot"),
        feature(None, name="Nothing"),
        feature({"type": "LineString", "coordinates": SQUARE[:3]}, name="Way"),
        feature({"type": "GeometryCollection", "geometries": [POLYGON, {"type": "Point", "coordinates": SQUARE[0]}]}),
        "no feature",
        feature({"type": "Polygon", "coordinates": [[[2.3, 48.8], [2.4, 48.8], [2.4, 48.9]]]}, name="Paris"),
    )
    regions, said = read_regions(file(tmp_path, data), city)
    assert [region.name for region in regions] == ["Tie", "Turned", "Tie 2", "Way", "there 7"]
    assert regions[3].is_corridor
    text = "\n".join(said)
    for words in (
        "“Tie”: Its outline crossed itself",
        "“Turned”: Latitude and longitude",
        "“Dot” was left out",
        "“Nothing” was left out",
        "“Way”: The line became a corridor",
        "points and lines were left out",
        "“there 8” was left out",
        "“Paris” was left out. The region lies outside",
    ):
        assert words in text


def test_hostile_names_are_quiet(tmp_path: Path, city: CityMap) -> None:
    name = "<script>alert(1)</script>\u202e\0\n'; DROP TABLE regions;--" + "x" * 5000
    (region,), _ = read_regions(file(tmp_path, collection(feature(POLYGON, name=name))), city)
    assert region.name.startswith("<script>alert(1)</script>")
    assert len(region.name) <= 200
    assert region.name.isprintable()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "not GeoJSON"),
        ("null", "not GeoJSON"),
        ("{}", "not GeoJSON"),
        ('{"type": "Topology"}', "not GeoJSON"),
        ('{"type": 3}', "not GeoJSON"),
        ('{"type": "FeatureCollection"}', "no list of features"),
        (collection(), "no features"),
        (collection(None, 3), "no geometry"),
        ({"type": "Point", "coordinates": [1, 2]}, "not an area"),
        ({"type": "Polygon", "coordinates": []}, "no geometry"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}, "three corners"),
        ({"type": "Polygon", "coordinates": "abc"}, "no area"),
        ({"type": "Polygon", "coordinates": {"a": 1}}, "no area"),
        ({"type": "Polygon", "coordinates": [[[-73.99, 40.7], [-73.98, 40.7], [-73.97, 40.7]]]}, "no area"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 40.7], [-73.98, 40.7], [-73.97, 40.8]]]}', "finite"),
        ('{"type": "Polygon", "coordinates": [[[1e999, 40.7], [-73.98, 40.7], [-73.97, 40.8]]]}', "finite"),
        (
            {"type": "Polygon", "coordinates": [[[583960, 4507523], [584960, 4507523], [584960, 4508523]]]},
            "WGS 84|not on the Earth",
        ),
    ],
)
def test_what_is_no_region_is_refused_in_a_sentence(tmp_path: Path, data: Any, words: str) -> None:
    with pytest.raises(GPSDreamError, match=words) as caught:
        read_regions(file(tmp_path, data))
    assert caught.value.failure.kind is ErrorKind.BAD_LOCATION


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "picture.geojson"
    binary.write_bytes(os.urandom(500) + b"\xff")
    huge = tmp_path / "huge.geojson"
    with huge.open("wb") as out:
        out.truncate(65 << 20)
    for path in (tmp_path / "missing.geojson", tmp_path, binary, huge):
        for read in (read_regions, read_line):
            with pytest.raises(GPSDreamError) as caught:
                read(path)
            assert caught.value.failure.kind is ErrorKind.BAD_LOCATION


def test_more_regions_than_can_be_used_are_left_out(tmp_path: Path) -> None:
    data = collection(*(feature(POLYGON, name="Same") for _ in range(230)))
    regions, said = read_regions(file(tmp_path, data))
    assert len(regions) == 200
    assert len({region.name for region in regions}) == 200
    assert "30 more regions were left out" in said[-1]


KEYS = ("type", "coordinates", "geometries", "line", "width", "name")
KINDS = ("Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point", "GeometryCollection")
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-200, 200) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
geometries = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={"coordinates": values, "geometries": values},
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries, values)
def test_whatever_stands_in_it(tmp_path: Path, city: CityMap, geometry: Any, properties: Any) -> None:
    path = file(tmp_path, collection({"type": "Feature", "geometry": geometry, "properties": properties}))
    for read in (lambda: read_regions(path, city), lambda: read_regions(path), lambda: read_line(path)):
        try:
            read()
        except GPSDreamError as error:
            assert error.failure.kind is ErrorKind.BAD_LOCATION


def test_what_is_written_others_read_and_so_do_we(tmp_path: Path, city: CityMap) -> None:
    ring = [(lat, lon) for lon, lat in SQUARE]
    hole = [(40.744, -73.986), (40.744, -73.984), (40.746, -73.984)]
    holed, _ = make_region([[ring, hole]], "“Holed” <b>é 家", RegionKind.DRAWN, city=city)
    regions = [*city_regions(city)[:5], holed, street_region(city, "Fifth Avenue", 30)]
    path = tmp_path / "new folder" / "regions.geojson"
    write_regions(path, regions)
    data = json.loads(path.read_text(encoding="utf-8"))
    for region, written in zip(regions, data["features"], strict=True):
        geometry = shape(written["geometry"])
        assert geometry.is_valid
        assert shapely.from_geojson(json.dumps(written["geometry"])).equals(geometry)
        # The right-hand rule of RFC 7946.
        assert all(part.exterior.is_ccw for part in shapely.get_parts(geometry))
        assert written["properties"]["name"] == region.name
        # Square degrees to square metres at this latitude.
        assert geometry.area * 84_400 * 111_050 == pytest.approx(area(region), rel=0.01)
    again, said = read_regions(path, city)
    assert said == []
    assert [r.name for r in again] == [r.name for r in regions]
    for before, after in zip(regions, again, strict=True):
        assert area(after) == pytest.approx(area(before), rel=0.02)
    assert again[-1].line == regions[-1].line
    assert again[-1].width == 30
    assert read_line(path) == regions[-1].line


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path, city: CityMap) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(GPSDreamError) as caught:
        write_regions(blocked / "regions.geojson", city_regions(city)[:1])
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_lines(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": SQUARE[:3]}
    expected = tuple((lat, lon) for lon, lat in SQUARE[:3])
    assert read_line(file(tmp_path, line)) == expected
    assert read_line(file(tmp_path, collection(feature(POLYGON), feature(line)))) == expected
    broken = {"type": "MultiLineString", "coordinates": [SQUARE[:2], SQUARE[1:3]]}
    assert read_line(file(tmp_path, broken)) == expected
    with pytest.raises(GPSDreamError, match="no line"):
        read_line(file(tmp_path, POLYGON))
    with pytest.raises(GPSDreamError, match="two points"):
        read_line(file(tmp_path, {"type": "LineString", "coordinates": [[1, 2], [1, 2]]}))
