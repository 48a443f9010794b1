"""Regions: whatever is drawn becomes sound or is refused in a sentence; places are taken evenly and look across."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from shapely.geometry import Polygon

from gpsdream_app.domain.averages import Sampling
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Coverage, ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import MAX_POINTS, Region, RegionKind
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.geo.manhattan import BEARING, from_grid, to_grid
from gpsdream_app.geo.regions import (
    area,
    centre,
    city_regions,
    clean_name,
    contains,
    find_region,
    make_corridor,
    make_region,
    photos_in,
    sample_places,
    street_region,
)

FRAME = LocalFrame(40.75, -73.98)


@pytest.fixture(scope="module")
def coverage(root: Path) -> Coverage:
    """Where the model that comes along has seen photos: along Fifth Avenue, up to 93rd Street."""
    card = ModelCard.from_json((root / "resources/models/fifth-avenue-1911/gpsdream.json").read_text(encoding="utf-8"))
    assert card.coverage
    return card.coverage


def ring(*points: tuple[float, float]) -> list[tuple[float, float]]:
    """A ring of points in metres east and north of the middle."""
    return [FRAME.to_degrees(*point) for point in points]


SQUARE = ring((0, 0), (400, 0), (400, 400), (0, 400))
HOLE = ring((100, 100), (300, 100), (300, 300), (100, 300))


def made(polygons: Any, city: CityMap | None = None) -> tuple[Region, str]:
    return make_region(polygons, "Test", RegionKind.DRAWN, city=city)


def assert_sound(region: Region) -> None:
    """Valid as it stands, for any other library, and within the Earth."""
    for polygon in region.polygons:
        rings = [[(lon, lat) for lat, lon in points] for points in polygon]
        assert Polygon(rings[0], rings[1:]).is_valid
        for points in polygon:
            assert len(set(points)) == len(points) >= 3
            assert all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in points)


# -- mending --


def test_a_square_is_what_was_drawn(city: CityMap) -> None:
    region, said = made([[SQUARE]], city)
    assert said == ""
    assert_sound(region)
    assert area(region) == pytest.approx(160_000, rel=1e-4)
    assert contains(region, *FRAME.to_degrees(200, 200))
    assert not contains(region, *FRAME.to_degrees(500, 200))
    assert set(region.polygons[0][0]) == {(round(lat, 7), round(lon, 7)) for lat, lon in SQUARE}


@pytest.mark.parametrize(
    "corners",
    [
        [*SQUARE, SQUARE[0]],
        [SQUARE[0], *SQUARE],
        [point for point in SQUARE for _ in range(3)],
        [(*point, 12.5) for point in SQUARE],
        SQUARE[::-1],
        [list(point) for point in SQUARE],
    ],
    ids=["closed", "closed at the front", "repeated", "with heights", "clockwise", "lists"],
)
def test_ways_to_write_the_same_square(corners: Any) -> None:
    region, said = made([[corners]])
    assert said == ""
    assert_sound(region)
    assert area(region) == pytest.approx(160_000, rel=1e-4)


def test_a_hole_is_no_part_of_the_region() -> None:
    region, said = made([[SQUARE, HOLE]])
    assert said == ""
    assert area(region) == pytest.approx(120_000, rel=1e-4)
    assert not contains(region, *FRAME.to_degrees(200, 200))
    assert contains(region, *FRAME.to_degrees(50, 200))
    lat, lon = centre(region)
    assert contains(region, lat, lon)


def test_a_bow_tie_becomes_two_triangles() -> None:
    region, said = made([[ring((0, 0), (400, 400), (400, 0), (0, 400))]])
    assert "crossed itself" in said
    assert_sound(region)
    assert len(region.polygons) == 2
    assert area(region) == pytest.approx(80_000, rel=1e-3)


def test_a_hole_that_reaches_outside_and_parts_that_overlap() -> None:
    region, _ = made([[SQUARE, ring((200, 100), (600, 100), (600, 300), (200, 300))]])
    assert_sound(region)
    assert area(region) == pytest.approx(120_000, rel=1e-3)
    region, _ = made([[SQUARE], [ring((200, 0), (600, 0), (600, 400), (200, 400))]])
    assert_sound(region)
    assert area(region) == pytest.approx(240_000, rel=1e-3)


def test_exchanged_coordinates_are_exchanged_back(city: CityMap) -> None:
    for polygons, where in (
        ([[[(lon, lat) for lat, lon in SQUARE]]], city),
        ([[[(139.7, 35.6), (139.8, 35.6), (139.8, 35.7)]]], None),
    ):
        region, said = made(polygons, where)
        assert "wrong order" in said
        assert_sound(region)
    assert region.polygons[0][0][0][0] == pytest.approx(35.65, abs=0.06)


def test_what_reaches_out_of_the_city_is_cut_off(city: CityMap) -> None:
    south, west = city.box.south, city.box.west
    region, said = made(
        [
            [
                [
                    (south - 0.1, west - 0.1),
                    (south - 0.1, west + 0.1),
                    (south + 0.05, west + 0.1),
                    (south + 0.05, west - 0.1),
                ]
            ]
        ],
        city,
    )
    assert "outside Manhattan" in said
    assert region.box == pytest.approx((south, west, south + 0.05, west + 0.1))


@pytest.mark.parametrize("shift", [-360.0, 0.0, 360.0])
def test_the_antimeridian_cuts_a_region_in_two(shift: float) -> None:
    corners = [(-17.0, 179.95), (-17.0, -179.95), (-16.9, -179.95), (-16.9, 179.95)]
    corners = [(lat, lon + shift if -360 <= lon + shift <= 360 else lon) for lat, lon in corners]
    region, said = made([[corners]])
    assert "antimeridian" in said
    assert_sound(region)
    assert len(region.polygons) == 2
    width = distance(-16.95, 179.95, -16.95, -179.95)
    assert area(region) == pytest.approx(width * distance(-17.0, 180, -16.9, 180), rel=1e-3)
    assert contains(region, -16.95, 179.99)
    assert contains(region, -16.95, -179.99)
    assert not contains(region, -16.95, 0.0)
    places = sample_places(region, 200, sampling=Sampling.AREA, headings="all")
    assert {place.lon > 0 for place in places} == {True, False}
    assert contains(region, *centre(region))


@pytest.mark.parametrize(
    ("polygons", "words"),
    [
        ([], "no area"),
        (None, "no area"),
        ([[]], "no area"),
        ([[[]]], "three corners"),
        ([[[(40.7, -74.0), (40.8, -74.0)]]], "three corners"),
        ([[[(40.7, -74.0)] * 5]], "three corners"),
        ([[ring((0, 0), (100, 100), (200, 200))]], "no area"),
        ([[ring((0, 0), (0.2, 0), (0, 0.2))]], "no area"),
        ([[[(40.7, -74.0), (math.nan, -74.0), (40.8, -73.9)]]], "finite"),
        ([[[(40.7, -74.0), (math.inf, -74.0), (40.8, -73.9)]]], "finite"),
        ([[[(40.7, -74.0), (1e308, -74.0), (40.8, -73.9)]]], "not on the Earth"),
        ([[[(4_500_000.0, 580_000.0), (4_500_100.0, 580_000.0), (4_500_100.0, 580_100.0)]]], "not on the Earth"),
        ([[[(40.7, -74.0), ("40.8", "x"), (40.8, -73.9)]]], "finite"),
        ([[[(40.7, -74.0), (40.8,), (40.8, -73.9)]]], "no latitude"),
        ([[[(40.7, -74.0), None, (40.8, -73.9)]]], "no latitude"),
        ([[[(True, False), (40.8, 1.0), (40.8, -73.9)]]], "finite"),
        ([["text"]], "not a list"),
        ([[[(-60.0, -170.0), (-60.0, 170.0), (60.0, 0.0)]]], "km across"),
        ([[[(89.0, 0.0), (89.0, 120.0), (89.0, 240.0)]]], "pole"),
        ([[[(0.0, 0.0), (0.0, 90.0), (0.0, 180.0), (0.0, 270.0)]]], "km across"),
    ],
)
def test_what_cannot_be_mended_is_refused_in_a_sentence(polygons: Any, words: str) -> None:
    with pytest.raises(GPSDreamError) as caught:
        made(polygons)
    assert caught.value.failure.kind is ErrorKind.BAD_LOCATION
    assert words in caught.value.failure.message
    assert caught.value.failure.message.endswith(".")


def test_a_region_of_another_city_is_refused(city: CityMap) -> None:
    paris = [(48.85, 2.35), (48.86, 2.35), (48.86, 2.36)]
    with pytest.raises(GPSDreamError, match="outside Manhattan"):
        made([[paris]], city)
    with pytest.raises(GPSDreamError, match="outside Manhattan"):
        make_corridor(paris, "Rue", city=city)


def test_very_many_corners_are_simplified() -> None:
    angles = np.linspace(0, 2 * math.pi, 60_000, endpoint=False)
    wobble = 1000 + 3 * np.sin(200 * angles)
    corners = [
        tuple(map(float, FRAME.to_degrees(*p)))
        for p in zip(wobble * np.cos(angles), wobble * np.sin(angles), strict=True)
    ]
    region, said = made([[corners]])
    assert "simplified" in said
    assert sum(len(r) for polygon in region.polygons for r in polygon) <= MAX_POINTS
    assert area(region) == pytest.approx(math.pi * 1000**2, rel=0.01)


coordinate = st.one_of(st.floats(-0.01, 0.01), st.sampled_from([0.0, 0.005, 1e-9]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.lists(st.tuples(coordinate, coordinate), max_size=9), max_size=3), max_size=3))
def test_any_scribble_is_mended_or_refused(polygons: Any) -> None:
    there = [[[(40.75 + y, -73.98 + x) for y, x in points] for points in polygon] for polygon in polygons]
    try:
        region, _ = made(there)
    except GPSDreamError as error:
        assert error.failure.kind is ErrorKind.BAD_LOCATION
        return
    assert_sound(region)
    assert area(region) >= 0.5
    assert contains(region, *centre(region))
    assert len(sample_places(region, 3, sampling=Sampling.AREA, headings="all")) == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  two\nlines\t\0 ", "two lines"),
        ("a\u202eb\u2066c\ufeff", "abc"),
        ("<script>", "<script>"),
        ("x" * 500, "x" * 200),
        ("\ud800half", "half"),
        (None, ""),
        (12, ""),
        ("می‌خواهم", "می‌خواهم"),
    ],
)
def test_names_are_one_quiet_line(text: Any, name: str) -> None:
    assert clean_name(text) == name


# -- corridors --


def test_a_corridor_lies_along_its_line() -> None:
    line = ring((0, 0), (300, 0), (300, 0), (300, 400))
    region, said = make_corridor(line, "Line", width=30)
    assert said == ""
    assert_sound(region)
    assert region.is_corridor
    assert len(region.line) == 3
    assert area(region) == pytest.approx(700 * 30 + math.pi * 15**2, rel=0.02)
    assert contains(region, *FRAME.to_degrees(150, 14))
    assert not contains(region, *FRAME.to_degrees(150, 20))
    # Its middle is the middle of the line, not of the area.
    assert FRAME.to_metres(*centre(region)) == pytest.approx((300, 50), abs=0.1)


@pytest.mark.parametrize(
    ("line", "width"),
    [([], 40), ([(40.7, -74.0)], 40), ([(40.7, -74.0)] * 3, 40), (SQUARE, 0),
     (SQUARE, math.nan), (SQUARE, True),
     ("ab", 40),     ([(0.0, 0.0), (40.0, 40.0)], 40), ([(-17.0, 179.99), (-17.0, -179.99)], 40)],
)  # fmt: skip
def test_what_is_no_corridor_is_refused(line: Any, width: Any) -> None:
    with pytest.raises(GPSDreamError) as caught:
        make_corridor(line, "", width=width)
    assert caught.value.failure.kind is ErrorKind.BAD_LOCATION


# -- the city's own --


def test_the_citys_regions_have_names_of_their_own(city: CityMap) -> None:
    regions = city_regions(city)
    names = [region.name for region in regions]
    assert len(names) == len(set(names)) > 70
    assert {"Greenwich Village", "Midtown", "Upper East Side", "Central Park", "Bryant Park"} <= set(names)
    for region in regions:
        assert_sound(region)
        assert contains(region, *centre(region))


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("greenwich village", "Greenwich Village", RegionKind.NEIGHBOURHOOD),
        ("Greenwich Vilage", "Greenwich Village", RegionKind.NEIGHBOURHOOD),
        ("CENTRAL PARK", "Central Park", RegionKind.PARK),
        ("Fifth Avenue", "Fifth Avenue", RegionKind.STREET),
        ("5th av", "Fifth Avenue", RegionKind.STREET),
        ("broadway", "Broadway", RegionKind.STREET),
    ],
)
def test_regions_are_found_by_what_people_write(city: CityMap, text: str, name: str, kind: RegionKind) -> None:
    region = find_region(city, text)
    assert (region.name, region.kind) == (name, kind)


@pytest.mark.parametrize("text", ["", "xyzzy", "Robert'); DROP TABLE--", "40.75, -73.98", "\0", "x" * 5000])
def test_what_is_not_there_is_said(city: CityMap, text: str) -> None:
    with pytest.raises(GPSDreamError, match="Manhattan has no") as caught:
        find_region(city, text)
    assert caught.value.failure.hint
    with pytest.raises(GPSDreamError):
        street_region(city, text)


def test_near_names_are_offered(city: CityMap) -> None:
    with pytest.raises(GPSDreamError) as caught:
        street_region(city, "Gramercy Wibble Park")
    assert caught.value.failure.hint
    with pytest.raises(GPSDreamError) as caught:
        find_region(city, "Midtownish Hights")
    assert "Did you mean" in caught.value.failure.hint


def test_a_streets_corridor_follows_all_its_parts(city: CityMap) -> None:
    region = street_region(city, "Fifth Avenue", 30)
    along = [to_grid(*point)[1] for point in region.line]
    assert along == sorted(along)
    assert along[-1] - along[0] > 10_000
    assert area(region) == pytest.approx(30 * 10_660, rel=0.02)
    # Marcus Garvey Park stands in its way: no avenue there.
    assert not contains(region, *from_grid(0.0, 6480.0))
    for name in ("Broadway", "Park Avenue", "West 4th Street", "East 16th Street"):
        points = street_region(city, name).line
        lengths = [distance(*a, *b) for a, b in itertools.pairwise(points)]
        direct = distance(*points[0], *points[-1])
        assert sum(lengths) < 1.35 * direct, name


# -- coverage --


def grid(cells: list[tuple[int, int, int]], metres: float = 60.0) -> Coverage:
    """A coverage whose cell (0, 0) begins in the middle of the frame."""
    lat, lon = FRAME.to_degrees(metres, metres)
    return Coverage(40.75, -73.98, lat - 40.75, lon + 73.98, tuple(cells))


def test_photos_count_by_the_part_of_a_cell() -> None:
    cells = grid([(0, 0, 8), (0, 1, 4), (9, 9, 7)])
    left, _ = made([[ring((0, 0), (60, 0), (60, 60), (0, 60))]])
    half, _ = made([[ring((30, 0), (120, 0), (120, 60), (30, 60))]])
    assert photos_in(left, cells) == 8
    assert photos_in(half, cells) == 8
    assert photos_in(half, None) is None
    assert photos_in(half, grid([])) == 0


def test_photos_of_the_city(city: CityMap, coverage: Coverage) -> None:
    every = sum(count for *_, count in coverage.cells)
    counts = {region.name: photos_in(region, coverage) or 0 for region in city_regions(city)}
    assert counts["Harlem"] == counts["SoHo"] == 0
    assert (
        min(counts[name] for name in ("Greenwich Village", "NoMad", "Midtown", "Upper East Side", "Central Park")) > 5
    )
    assert 0.9 * every < sum(counts.values()) - counts["Madison Square Park"] < 1.1 * every
    # All photos are of Fifth Avenue; cells beside the one that its line passes through hold some that stand aside.
    assert 0.9 * every < (photos_in(street_region(city, "Fifth Avenue"), coverage) or 0) <= every


# -- sampling --


def metres(places: tuple[Place, ...]) -> np.ndarray:
    return np.column_stack(FRAME.to_metres(np.array([p.lat for p in places]), np.array([p.lon for p in places])))


def test_places_are_uniform_by_area_with_a_hole() -> None:
    region, _ = made([[SQUARE, HOLE], [ring((600, 0), (800, 0), (800, 100))]])
    points = metres(
        tuple(
            p
            for seed in range(5)
            for p in sample_places(region, 4096, sampling=Sampling.AREA, seed=seed, headings="all")
        )
    )
    shape = shapely.union(
        Polygon([(0, 0), (400, 0), (400, 400), (0, 400)], [[(100, 100), (300, 100), (300, 300), (100, 300)]]),
        Polygon([(600, 0), (800, 0), (800, 100)]),
    )
    boxes = [shapely.box(x, y, x + 50, y + 50) for x in range(0, 800, 50) for y in range(0, 400, 50)]
    expected = np.array([shape.intersection(box).area for box in boxes])
    expected *= len(points) / expected.sum()
    found = np.histogram2d(points[:, 0], points[:, 1], bins=(np.arange(0, 801, 50), np.arange(0, 401, 50)))[0].ravel()
    assert found.sum() == len(points)
    kept = expected > 5
    assert found[expected < 0.01].sum() <= 2  # the edge, rounded
    assert stats.chisquare(found[kept], expected[kept] * found[kept].sum() / expected[kept].sum()).pvalue > 0.001


def test_the_same_seed_takes_the_same_places() -> None:
    region, _ = made([[SQUARE]])
    one, same, other = (sample_places(region, 20, sampling=Sampling.AREA, seed=seed) for seed in (3, 3, 4))
    assert one == same
    assert one != other
    assert all(place.heading is None for place in one)  # no city, no street


def test_only_where_photos_are_if_there_are_any() -> None:
    region, _ = made([[SQUARE]])
    cells = grid([(1, 1, 3), (30, 30, 3)])
    points = metres(sample_places(region, 500, sampling=Sampling.AREA, coverage=cells))
    assert points.min() >= 59.9
    assert points.max() <= 120.1
    far = metres(sample_places(region, 500, sampling=Sampling.AREA, coverage=grid([(30, 30, 3)])))
    assert far.max() > 350


def test_headings_all_round_are_even_for_any_number() -> None:
    region, _ = made([[SQUARE]])
    for count in (1, 2, 7, 32, 100):
        looks = sorted(p.heading or 0.0 for p in sample_places(region, count, sampling=Sampling.AREA, headings="all"))
        assert looks == pytest.approx([index * 360 / count for index in range(count)])


def test_a_corridor_is_walked_at_even_steps_and_looked_across() -> None:
    region, _ = make_corridor(ring((0, 0), (300, 0), (300, 300)), "Line")
    places = sample_places(region, 12, sampling=Sampling.LINE)
    points = metres(places)
    expected = [(25.0 + 50 * i, 0) for i in range(6)] + [(300, 25.0 + 50 * i) for i in range(6)]
    assert points == pytest.approx(np.array(expected), abs=0.1)
    assert [round(p.heading or 0) for p in places] == [180, 0] * 3 + [90, 270] * 3


FIFTH = (round(BEARING + 90), round(BEARING + 270))


@pytest.mark.parametrize("sampling", [Sampling.AREA, Sampling.LINE, Sampling.PHOTOS])
def test_places_of_a_neighbourhood_look_across_the_avenue(
    city: CityMap, coverage: Coverage, sampling: Sampling
) -> None:
    region = find_region(city, "Midtown")
    places = sample_places(region, 40, sampling=sampling, city=city, coverage=coverage)
    looks = Counter(round(place.heading or 0) for place in places)
    assert looks == {FIFTH[0]: 20, FIFTH[1]: 20}
    assert all(contains(region, place.lat, place.lon) for place in places)
    across = [abs(to_grid(place.lat, place.lon)[0]) for place in places]
    assert max(across) < (90 if sampling is Sampling.AREA else 1)


def test_along_a_park_one_looks_at_the_park(city: CityMap, coverage: Coverage) -> None:
    for name, look in (("Central Park", FIFTH[1]), ("Upper East Side", FIFTH[0])):
        region = find_region(city, name)
        for sampling in (Sampling.AREA, Sampling.LINE, Sampling.PHOTOS):
            places = sample_places(region, 30, sampling=sampling, city=city, coverage=coverage)
            assert {round(place.heading or 0) for place in places} == {look}
            assert all(contains(region, place.lat, place.lon) for place in places)


def test_without_a_coverage_the_nearest_street_decides(city: CityMap) -> None:
    region, _ = made([[[from_grid(x, y) for x, y in ((90, 20), (140, 20), (140, 180), (90, 180))]]], city)
    looks = Counter(round(p.heading or 0) for p in sample_places(region, 60, sampling=Sampling.AREA, city=city))
    assert set(looks) <= {29, 209, *FIFTH}
    assert looks[29] + looks[209] > 50


def photo(x: float, y: float, heading: float | None) -> Place:
    return Place(*FRAME.to_degrees(x, y), heading)


def test_few_photos_are_drawn_again_and_keep_their_headings() -> None:
    region, _ = made([[SQUARE]])
    photos = [photo(50, 50, 10.0), photo(300, 60, 200.0), photo(900, 0, 77.0)]
    places = sample_places(region, 64, sampling=Sampling.PHOTOS, photos=photos, seed=1)
    found = Counter(place.heading for place in places)
    assert set(found) == {10.0, 200.0}
    assert min(found.values()) > 16
    assert metres(places)[[p.heading for p in places].index(10.0)] == pytest.approx((50, 50), abs=0.01)


def test_many_photos_are_taken_evenly_and_none_twice() -> None:
    region, _ = made([[SQUARE]])
    photos = [photo(x + 1, y + 1, (x + y) % 360) for x in range(0, 390, 10) for y in range(0, 390, 10)]
    places = sample_places(region, 64, sampling=Sampling.PHOTOS, photos=photos)
    assert len({(p.lat, p.lon) for p in places}) == 64
    quarters = Counter((x > 195, y > 195) for x, y in metres(places))
    assert all(abs(number - 16) <= 3 for number in quarters.values())


def test_no_photos_is_a_sentence(city: CityMap, coverage: Coverage) -> None:
    with pytest.raises(GPSDreamError, match="no photos in “Harlem”"):
        sample_places(find_region(city, "Harlem"), 8, sampling=Sampling.PHOTOS, city=city, coverage=coverage)
    region, _ = made([[SQUARE]])
    with pytest.raises(GPSDreamError, match="street"):
        sample_places(region, 8, sampling=Sampling.LINE)
    for count in (0, -1, 5000, True, 2.5):
        with pytest.raises(GPSDreamError, match="number of places"):
            sample_places(region, count, sampling=Sampling.AREA)  # type: ignore[arg-type]


def test_the_model_of_the_program_walks_its_avenue_only(city: CityMap, coverage: Coverage) -> None:
    region = street_region(city, "Fifth Avenue")
    places = sample_places(region, 100, sampling=Sampling.LINE, city=city, coverage=coverage)
    along = [to_grid(place.lat, place.lon)[1] for place in places]
    assert along == sorted(along)
    assert along[-1] < 4300 < to_grid(*region.line[-1])[1]


def test_regions_survive_json(city: CityMap) -> None:
    region = street_region(city, "Broadway")
    again = Region.from_dict(json.loads(json.dumps(region.to_dict())))
    assert again == region
    assert again.key == region.key
