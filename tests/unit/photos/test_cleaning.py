from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageEnhance

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.geo.frames import destination, distance
from gpsdream_app.photos import cleaning
from gpsdream_app.photos.cleaning import (
    DisjointSets,
    FarReason,
    Landmark,
    clean,
    duplicate_sets,
    find_duplicates,
    find_far,
    near_pairs,
    robust_limit,
)
from gpsdream_app.photos.reader import read_photo
from gpsdream_app.photos.records import PhotoRecord
from tests.unit.photos.pictures import exif, gps, photo, scene

LAT, LON = 40.7411, -73.9897


def record(name: str, lat: float = LAT, lon: float = LON, **values: object) -> PhotoRecord:
    return PhotoRecord(Path("/photos").absolute() / name, lat, lon, **values)  # type: ignore[arg-type]


def cloud(count: int, spread: float, seed: int = 0) -> list[PhotoRecord]:
    """Photos in a normal cloud of a spread in metres."""
    random = np.random.default_rng(seed)
    records = []
    for number in range(count):
        east, north = random.normal(0.0, spread, 2)
        lat, lon = destination(LAT, LON, math.degrees(math.atan2(east, north)), math.hypot(east, north))
        records.append(record(f"{number:03}.jpg", lat, lon))
    return records


def names(photos: tuple[cleaning.FarPhoto, ...]) -> list[str]:
    return [photo.path.name for photo in photos]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40, unique=True), st.integers(0, 15), st.data())
def test_bands_find_every_near_pair(values: list[int], bits: int, data: st.DataObject) -> None:
    # Random hashes are never near, so some are made from others by turning bits over.
    for value in values[:5]:
        flips = data.draw(st.lists(st.integers(0, 63), max_size=bits + 2))
        near = value
        for flip in flips:
            near ^= 1 << flip
        if near not in values:
            values.append(near)
    hashes = np.array(values, dtype=np.uint64)
    expected = {(i, j) for j in range(len(values)) for i in range(j) if (values[i] ^ values[j]).bit_count() <= bits}
    assert set(near_pairs(hashes, bits)) == expected


def test_large_buckets_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.arange(300, dtype=np.uint64)
    whole = set(near_pairs(hashes, 2))
    monkeypatch.setattr(cleaning, "COMPARISONS", 700)
    assert set(near_pairs(hashes, 2)) == whole
    with pytest.raises(ValueError, match="16"):
        list(near_pairs(hashes, 16))


def test_disjoint_sets() -> None:
    sets = DisjointSets(6)
    for one, other in ((4, 5), (0, 1), (1, 4)):
        sets.join(one, other)
    assert [sets.find(item) for item in range(6)] == [0, 0, 2, 3, 0, 0]


def test_duplicate_sets() -> None:
    same, near, far = "ffff0000ffff0000", "ffff0000ffff0007", "0123456789abcdef"
    assert duplicate_sets([same, far, same, "", near, ""]) == [[0, 2, 4]]
    assert duplicate_sets([same, near], bits=2) == []
    assert duplicate_sets(["", ""]) == []
    assert duplicate_sets([]) == []


def test_a_copy_that_was_saved_again_is_found(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / f"other{number}.jpg", number + 1, (320, 240), gps_tags=gps(LAT, LON))
    photo(tmp_path / "original.jpg", 0, (640, 480), gps_tags=gps(LAT, LON))
    small = scene(0, (640, 480)).resize((200, 150))
    small.save(tmp_path / "small.jpg", quality=40, exif=exif(gps(LAT, LON)))
    bright = ImageEnhance.Brightness(scene(0, (600, 450))).enhance(1.1)
    bright.save(tmp_path / "bright.webp", exif=exif(gps(LAT + 0.01, LON)).tobytes())
    records = [found for path in sorted(tmp_path.iterdir()) if (found := read_photo(path)[1])]
    assert len(records) == 15
    (group,) = find_duplicates(records)
    assert group.keep.name == "original.jpg"
    assert [path.name for path in group.others] == ["bright.webp", "small.jpg"]
    assert group.spread == pytest.approx(1110, abs=5)


def test_the_largest_is_kept() -> None:
    values = {"phash": "0123456789abcdef"}
    records = [
        record("a.jpg", width=10, height=10, size=9, **values),
        record("b.jpg", width=20, height=10, size=5, **values),
        record("c.jpg", width=20, height=10, size=7, **values),
    ]
    (group,) = find_duplicates(records)
    assert group.keep.name == "c.jpg"
    assert [path.name for path in group.others] == ["a.jpg", "b.jpg"]


def test_outliers_stand_out_however_wild_they_are() -> None:
    records = cloud(200, 800.0)
    wild = [record("paris.jpg", 48.86, 2.35), record("pole.jpg", -90.0, 0.0), record("queens.jpg", 40.73, -73.79)]
    far = find_far(records + wild)
    assert names(far) == ["pole.jpg", "paris.jpg", "queens.jpg"]
    assert {photo.reason for photo in far} == {FarReason.OUTLIER}
    assert far[2].metres == pytest.approx(distance(LAT, LON, 40.73, -73.79), rel=0.02)


def test_a_third_of_wild_places_does_not_move_the_middle() -> None:
    wild = [record(f"w{number}.jpg", 48.86 + number / 100, 2.35) for number in range(60)]
    assert len(find_far(cloud(120, 300.0) + wild)) == 60


@pytest.mark.parametrize("spread", [0.0, 5.0, 300.0, 5000.0])
def test_an_ordinary_cloud_has_no_outliers(spread: float) -> None:
    assert find_far(cloud(300, spread, seed=1)) == ()


def test_a_street_has_no_outliers() -> None:
    street = [record(f"{number}.jpg", *destination(LAT, LON, 29.0, number * 60.0)) for number in range(100)]
    assert find_far(street) == ()
    assert find_far([]) == ()
    assert find_far([record("one.jpg")]) == ()


def test_the_antimeridian_runs_through_no_city() -> None:
    fiji = [record(f"{number}.jpg", -16.8, 179.99 if number % 2 else -179.99) for number in range(20)]
    assert names(find_far([*fiji, record("london.jpg", 51.5, 0.0)])) == ["london.jpg"]


def test_outside_a_box() -> None:
    box = Box(40.70, -74.02, 40.88, -73.91)
    records = [record("in.jpg"), record("edge.jpg", 40.70, -74.02), record("north.jpg", 41.0, -73.95)]
    records += [record("west.jpg", 40.8, -74.03), record("paris.jpg", 48.86, 2.35)]
    far = find_far(records, box=box)
    assert names(far) == ["paris.jpg", "north.jpg", "west.jpg"]
    assert far[1].metres == pytest.approx(distance(40.88, -73.95, 41.0, -73.95))
    assert far[2].metres == pytest.approx(843, abs=3)
    assert far[2].reason is FarReason.OUTSIDE_BOX


def test_outside_the_surroundings_of_a_landmark() -> None:
    records = [record(f"{metres}.jpg", *destination(LAT, LON, 77.0, metres)) for metres in (0, 290, 310, 5000)]
    far = find_far(records, landmark=Landmark(LAT, LON, 300.0))
    assert names(far) == ["5000.jpg", "310.jpg"]
    assert far[0].metres == pytest.approx(5000)
    with pytest.raises(GPSDreamError):
        Landmark(91.0, 0.0, 1.0)


def test_the_robust_limit_of_a_normal_distribution() -> None:
    metres = np.abs(np.random.default_rng(0).normal(0.0, 1000.0, 100_000))
    median = 674.5  # of a half-normal distribution; its MAD is 399 m
    assert robust_limit(metres, 6.0) == pytest.approx(median + 6 * 1.4826 * 399, rel=0.02)


def test_the_report_proposes_one_of_every_group() -> None:
    values = {"phash": "0123456789abcdef"}
    records = [
        *cloud(50, 100.0),
        record("x/large and far.jpg", 48.86, 2.35, width=50, height=50, **values),
        record("x/near.jpg", width=20, height=20, **values),
        record("x/nearer.jpg", width=10, height=10, **values),
    ]
    report = clean(records)
    assert (report.photos, report.plain) == (53, 50)
    reasons = {path.name: reason for path, reason in report.reasons().items()}
    assert reasons == {"large and far.jpg": "outlier", "nearer.jpg": "duplicate"}
    table = report.table()
    assert "Of 53 photos, duplicates of another one: 2; far away: 1. No file was deleted." in table
    assert "large and far.jpg" in table
    data = report.to_dict()
    assert data["duplicates"][0]["spread"] > 5_000_000
    assert data["far"][0]["reason"] == "outlier"


@pytest.mark.slow
def test_a_hundred_thousand_hashes() -> None:
    random = np.random.default_rng(0)
    values = [f"{value:016x}" for value in random.integers(0, 2**64, 100_000, dtype=np.uint64)]
    values[70_000:70_500] = values[:500]
    groups = duplicate_sets(values)
    assert [group for group in groups if group[0] < 500] == [[number, 70_000 + number] for number in range(500)]
    # A burst of one scene, and thousands of copies of one file.
    values[:20_000] = ["0123456789abcdef"] * 20_000
    assert len(duplicate_sets(values)[0]) == 20_000
