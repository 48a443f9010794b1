"""Splitting photos into training and validation, so that nothing of a validation photo is seen in training."""

from __future__ import annotations

import hashlib
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.photos.cleaning import DUPLICATE_BITS, DisjointSets, duplicate_sets
from gpsdream_app.photos.records import PhotoRecord

DEFAULT_FRACTION = 0.1
DEFAULT_BLOCK_METRES = 200.0


class SplitBy(StrEnum):
    """What is kept together."""

    SOURCE = "source"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Split:
    """Photos for training and for validation.

    Attributes:
        train: paths in their order.
        validation: paths in their order.
        left_out: paths that are in neither, because they are too near to the other side.
        by: what was kept together.
        seed: that decided.
        groups: number of groups that were kept together.
    """

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    left_out: tuple[Path, ...]
    by: SplitBy
    seed: int
    groups: int

    def to_dict(self) -> dict[str, Any]:
        """Return the split as JSON values."""
        return {
            "by": self.by.value,
            "seed": self.seed,
            "groups": self.groups,
            "train": [str(path) for path in self.train],
            "validation": [str(path) for path in self.validation],
            "left_out": [str(path) for path in self.left_out],
        }


def split_photos(
    photos: Iterable[PhotoRecord],
    *,
    fraction: float = DEFAULT_FRACTION,
    by: SplitBy = SplitBy.SOURCE,
    seed: int = 0,
    block_metres: float = DEFAULT_BLOCK_METRES,
    margin_metres: float = 0.0,
    duplicate_bits: int = DUPLICATE_BITS,
) -> Split:
    """Split photos into training and validation.

    Crops of one photograph always stay together, and so do photos that look the same. Split by block, so do all
    photographs whose place lies in the same square of a grid. The same photos and seed give the same split, whatever
    the order of the photos and wherever their folder lies.

    Args:
        photos: to split.
        fraction: of the photos that validation gets, 0 to 1; as near to it as whole groups allow. Where there are two
            groups or more, neither side stays empty unless the fraction is 0 or 1.
        by: source photographs alone, or blocks of them.
        seed: another one gives another split.
        block_metres: side of a block.
        margin_metres: training photos nearer than this to a validation photo are left out, as they would show the
            same facade from the other side of a block's edge; 0 leaves none out.
        duplicate_bits: of 64 bits of the perceptual hash that may differ between photos that look the same.

    Raises:
        GPSDreamError: of kind `bad_request` for a fraction, block or margin that is none.
    """
    if not 0 <= fraction <= 1:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "The part for validation must be a number from 0 to 1.")
    if not (math.isfinite(block_metres) and block_metres > 0 and math.isfinite(margin_metres) and margin_metres >= 0):
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "The side of a block must be over 0 metres, the margin 0 or more.")
    records = sorted(photos, key=lambda record: str(record.path))
    if not records:
        return Split((), (), (), by, seed, 0)
    groups = _groups(records, by, block_metres, duplicate_bits)
    chosen = _chosen(records, groups, fraction, seed)
    validation = [records[index] for number in sorted(chosen) for index in groups[number]]
    train = [records[index] for number in range(len(groups)) if number not in chosen for index in groups[number]]
    near = _near(train, validation, margin_metres) if margin_metres > 0 else set()
    return Split(
        train=tuple(sorted(record.path for record in train if record.path not in near)),
        validation=tuple(sorted(record.path for record in validation)),
        left_out=tuple(sorted(near)),
        by=by,
        seed=seed,
        groups=len(groups),
    )


def _groups(records: Sequence[PhotoRecord], by: SplitBy, block_metres: float, duplicate_bits: int) -> list[list[int]]:
    """Return the groups that stay together, as indices into the records."""
    sets = DisjointSets(len(records))
    first: dict[str, int] = {}
    for index, record in enumerate(records):
        # A photograph and its crops name the same source; a whole photo is its own.
        sets.join(index, first.setdefault(record.source or str(record.path), index))
    for group in duplicate_sets([record.phash for record in records], duplicate_bits):
        for index in group[1:]:
            sets.join(group[0], index)
    if by is SplitBy.BLOCK:
        _join_blocks(records, sets, block_metres)
    groups: dict[int, list[int]] = {}
    for index in range(len(records)):
        groups.setdefault(sets.find(index), []).append(index)
    return list(groups.values())


def _join_blocks(records: Sequence[PhotoRecord], sets: DisjointSets, block_metres: float) -> None:
    """Put together all groups whose middle lies in the same block.

    A whole group goes by its middle: were each crop to join its own block, the crops of a long panorama would tie
    block to block until the whole street is one group.
    """
    frame = LocalFrame(
        statistics.median(record.lat for record in records), statistics.median(record.lon for record in records)
    )
    members: dict[int, list[tuple[float, float]]] = {}
    for index, record in enumerate(records):
        members.setdefault(sets.find(index), []).append(frame.to_metres(record.lat, record.lon))
    blocks: dict[tuple[int, int], int] = {}
    for root, places in members.items():
        east = statistics.median(place[0] for place in places)
        north = statistics.median(place[1] for place in places)
        block = math.floor(east / block_metres), math.floor(north / block_metres)
        sets.join(root, blocks.setdefault(block, root))


def _chosen(records: Sequence[PhotoRecord], groups: Sequence[Sequence[int]], fraction: float, seed: int) -> set[int]:
    """Return the numbers of the groups for validation: drawn by hash, until as many photos as wanted are found."""
    if fraction == 1:
        return set(range(len(groups)))
    wanted = fraction * len(records)
    base = _common_folder(records)

    def drawn(number: int) -> bytes:
        # By names below the common folder, so that a collection that was moved splits as before.
        name = os.path.relpath(records[groups[number][0]].path, base).replace(os.sep, "/")
        return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()

    order = sorted(range(len(groups)), key=drawn)
    chosen: set[int] = set()
    count = 0
    for number in order:
        size = len(groups[number])
        # A group that would overshoot by more than is missing now is passed over.
        if abs(count + size - wanted) < abs(wanted - count):
            chosen.add(number)
            count += size
    if wanted > 0 and len(groups) > 1:
        if not chosen:
            chosen.add(min(order, key=lambda number: len(groups[number])))
        if len(chosen) == len(groups):
            chosen.remove(order[-1])
    return chosen


def _common_folder(records: Sequence[PhotoRecord]) -> str:
    try:
        return os.path.commonpath([str(record.path.parent) for record in records])
    except ValueError:  # several drives
        return os.sep


def _near(train: Sequence[PhotoRecord], validation: Sequence[PhotoRecord], metres: float) -> set[Path]:
    """Return the training photos that lie within some metres of a validation photo."""
    if not train or not validation:
        return set()
    frame = LocalFrame(train[0].lat, train[0].lon)
    grid: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for record in validation:
        east, north = frame.to_metres(record.lat, record.lon)
        grid.setdefault((math.floor(east / metres), math.floor(north / metres)), []).append((east, north))
    near = set()
    for record in train:
        east, north = frame.to_metres(record.lat, record.lon)
        column, row = math.floor(east / metres), math.floor(north / metres)
        if any(
            math.dist((east, north), place) < metres
            for x in (column - 1, column, column + 1)
            for y in (row - 1, row, row + 1)
            for place in grid.get((x, y), ())
        ):
            near.add(record.path)
    return near
