from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo.frames import LocalFrame, destination, distance
from gpsdream_app.photos.records import PhotoRecord
from gpsdream_app.photos.splits import SplitBy, split_photos

ROOT = Path("/photos").absolute()
LAT, LON = 40.7411, -73.9897


def record(name: str, metres: float = 0.0, source: str = "", phash: str = "") -> PhotoRecord:
    lat, lon = destination(LAT, LON, 29.0, metres)
    path = ROOT / name
    return PhotoRecord(path, lat, lon, source=source or str(path), phash=phash)


def panoramas(count: int, crops: int = 6) -> list[PhotoRecord]:
    """Photos along a street every 80 m, each with crops that overlap by half."""
    records = []
    for number in range(count):
        whole = record(f"whole/{number:03}.jpg", 80.0 * number)
        records.append(whole)
        records += [
            record(f"crops/{number:03}_{crop}.jpg", 80.0 * number + 15.0 * (crop - crops / 2), str(whole.path))
            for crop in range(crops)
        ]
    return records


def sides(records: Sequence[PhotoRecord], **values: object) -> dict[Path, str]:
    split = split_photos(records, **values)  # type: ignore[arg-type]
    found = dict.fromkeys(split.train, "train") | dict.fromkeys(split.validation, "validation")
    found |= dict.fromkeys(split.left_out, "left out")
    assert len(found) == len(records) == len(split.train) + len(split.validation) + len(split.left_out)
    return found


@given(st.integers(0, 1000), st.sampled_from(list(SplitBy)), st.floats(0.05, 0.6))
@settings(max_examples=40, deadline=None)
def test_crops_stay_with_their_photograph(seed: int, by: SplitBy, fraction: float) -> None:
    records = panoramas(30)
    found = sides(records, seed=seed, by=by, fraction=fraction)
    for number in range(30):
        assert len({found[item.path] for item in records if f"/{number:03}" in item.path.as_posix()}) == 1
    assert set(found.values()) == {"train", "validation"}


def test_the_share_is_as_near_as_whole_groups_allow() -> None:
    records = panoramas(40)
    for seed in range(10):
        validation = list(sides(records, seed=seed, fraction=0.1).values()).count("validation")
        assert validation == 28  # 4 photographs of 7 pictures are a tenth of 280


def test_duplicates_stay_together() -> None:
    records = [
        record(f"{number:02}.jpg", phash=f"{random.Random(number).getrandbits(64):016x}") for number in range(40)
    ]
    twin = f"{int(records[0].phash, 16) ^ 0b101:016x}"
    copies = [replace(records[0], path=ROOT / f"copy{number}.jpg", source="", phash=twin) for number in range(5)]
    for seed in range(30):
        found = sides(records + copies, seed=seed, fraction=0.3)
        assert {found[item.path] for item in copies} == {found[records[0].path]}


def test_the_same_seed_gives_the_same_split_whatever_the_order_or_the_folder() -> None:
    records = panoramas(30)
    shuffled = random.Random(1).sample(records, len(records))
    assert split_photos(records, seed=7) == split_photos(shuffled, seed=7)
    moved = [
        replace(
            item,
            path=Path("/elsewhere").absolute() / item.path.relative_to(ROOT),
            source=item.source.replace(str(ROOT), str(Path("/elsewhere").absolute())),
        )
        for item in records
    ]
    first, second = split_photos(records, seed=7), split_photos(moved, seed=7)
    assert [path.name for path in first.validation] == [path.name for path in second.validation]
    assert len({split_photos(records, seed=seed).validation for seed in range(10)}) > 5


def test_blocks_stay_together() -> None:
    records = [record(f"{number:03}.jpg", 10.0 * number) for number in range(200)]
    found = sides(records, by=SplitBy.BLOCK, block_metres=300.0, fraction=0.25, seed=3)
    # Along the street the side changes only at the edges of blocks.
    changes = sum(found[one.path] != found[other.path] for one, other in itertools.pairwise(records))
    frame = LocalFrame(sorted(item.lat for item in records)[100], sorted(item.lon for item in records)[100])
    blocks = {
        (int(east // 300), int(north // 300))
        for east, north in (frame.to_metres(item.lat, item.lon) for item in records)
    }
    assert 0 < changes < 2 * len(blocks)
    split = split_photos(records, by=SplitBy.BLOCK, block_metres=300.0, seed=3)
    assert abs(split.groups - len(blocks)) <= 2


def test_long_panoramas_do_not_tie_all_blocks_together() -> None:
    split = split_photos(panoramas(60), by=SplitBy.BLOCK, block_metres=100.0)
    assert split.groups > 25


def test_a_margin_keeps_training_away_from_validation() -> None:
    records = [record(f"{number:03}.jpg", 10.0 * number) for number in range(200)]
    split = split_photos(records, by=SplitBy.BLOCK, block_metres=300.0, fraction=0.25, seed=3, margin_metres=45.0)
    places = {item.path: item for item in records}
    assert split.left_out
    for path in split.train:
        for other in split.validation:
            one, two = places[path], places[other]
            assert distance(one.lat, one.lon, two.lat, two.lon) >= 44.9
    for path in split.left_out:
        assert (
            min(
                distance(places[path].lat, places[path].lon, places[other].lat, places[other].lon)
                for other in split.validation
            )
            < 45.1
        )


def test_small_and_extreme_cases() -> None:
    assert split_photos([]).groups == 0
    one = [record("a.jpg")]
    assert split_photos(one).train == (ROOT / "a.jpg",)
    assert split_photos(one, fraction=1.0).validation == (ROOT / "a.jpg",)
    two = [record("a.jpg"), record("b.jpg")]
    for seed in range(5):
        for fraction in (0.01, 0.5, 0.99):
            split = split_photos(two, fraction=fraction, seed=seed)
            assert (len(split.train), len(split.validation)) == (1, 1)
    assert split_photos(two, fraction=0.0).validation == ()
    assert split_photos(two, fraction=1.0).train == ()
    crops = [record(f"{number}.jpg", source="/whole.jpg") for number in range(5)]
    assert len(split_photos(crops).train) == 5


@pytest.mark.parametrize(
    "values",
    [{"fraction": -0.1}, {"fraction": 1.1}, {"fraction": float("nan")}, {"block_metres": 0.0}, {"margin_metres": -1.0}],
)
def test_bad_arguments(values: dict[str, float]) -> None:
    with pytest.raises(GPSDreamError):
        split_photos([record("a.jpg")], **values)  # type: ignore[arg-type]
