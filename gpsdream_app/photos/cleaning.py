"""Finding what spoils a collection: duplicates and photos far from the rest. Reports only; nothing is ever deleted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpsdream_app.domain.places import Box, Place
from gpsdream_app.geo.frames import distance
from gpsdream_app.photos.records import PhotoRecord, clean_text

HASH_BITS = 64
DUPLICATE_BITS = 6  # of 64 that may differ; unrelated photos differ in about 32
COMPARISONS = 4_000_000  # of hashes that are made at a time, to bound the memory
OUTLIER_SCALE = 6.0  # robust standard deviations; a uniform disc ends at about 1, a normal cloud at 4
NOISE_METRES = 50.0  # spread below which places differ by the receiver's noise alone
MAD_TO_SIGMA = 1.4826  # of a normal distribution


class DisjointSets:
    """Which of n items belong together, when told pair by pair."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, item: int) -> int:
        """Return the smallest item of the set that an item is in."""
        root = item
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[item] != root:
            self._parents[item], item = root, self._parents[item]
        return root

    def join(self, one: int, other: int) -> None:
        """Put the sets of two items together."""
        one, other = self.find(one), self.find(other)
        if one != other:
            self._parents[max(one, other)] = min(one, other)


def near_pairs(hashes: NDArray[np.uint64], bits: int = DUPLICATE_BITS) -> Iterator[tuple[int, int]]:
    """Yield the pairs (i, j), i < j, of different hashes that differ in at most `bits` bits; some more than once.

    Cut into bits + 1 bands, two such hashes agree in at least one whole band. Only hashes that share a band are
    compared, so 100,000 photos take about a second.

    Args:
        hashes: shape (n,), without equal ones.
        bits: 0 to 15.
    """
    if not 0 <= bits <= 15:
        raise ValueError(bits)
    edges = [HASH_BITS * number // (bits + 1) for number in range(bits + 2)]
    for low, high in itertools.pairwise(edges):
        mask = np.uint64((1 << (high - low)) - 1)
        band = (hashes >> np.uint64(low)) & mask
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order], prepend=band[order[:1]] ^ np.uint64(1)))
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
            bucket = order[start:end]
            height = max(1, COMPARISONS // len(bucket))
            for first in range(0, len(bucket) - 1, height):
                rows, columns = bucket[first : first + height], bucket[first:]
                differ = np.bitwise_count(hashes[rows, None] ^ hashes[None, columns])
                # Of each pair that both orders would give, the upper triangle of the matrix holds one.
                for row, column in zip(*np.nonzero(np.triu(differ <= bits, 1)), strict=True):
                    one, other = int(rows[row]), int(columns[column])
                    yield min(one, other), max(one, other)


def duplicate_sets(phashes: Sequence[str], bits: int = DUPLICATE_BITS) -> list[list[int]]:
    """Return the groups of two or more photos that look the same, as indices into `phashes`, in order.

    Args:
        phashes: 16 hexadecimal digits each; an empty one looks like nothing else.
        bits: of 64 that may differ between two that are put together.
    """
    known = [index for index, phash in enumerate(phashes) if phash]
    if not known:
        return []
    values = np.array([int(phashes[index], 16) for index in known], dtype=np.uint64)
    different, which = np.unique(values, return_inverse=True)
    sets = DisjointSets(len(different))
    for one, other in near_pairs(different, bits):
        sets.join(one, other)
    groups: dict[int, list[int]] = {}
    for index, number in zip(known, which, strict=True):
        groups.setdefault(sets.find(int(number)), []).append(index)
    return sorted(group for group in groups.values() if len(group) > 1)


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Photos that look the same.

    Attributes:
        keep: the one with the most pixels, then the most bytes.
        others: the rest, in the order of their paths.
        spread: greatest distance in metres of any place from that of `keep`; much of it means that a place is wrong.
    """

    keep: Path
    others: tuple[Path, ...]
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """Return the group as JSON values."""
        return {"keep": str(self.keep), "others": [str(path) for path in self.others], "spread": round(self.spread, 1)}


def find_duplicates(photos: Iterable[PhotoRecord], bits: int = DUPLICATE_BITS) -> tuple[DuplicateGroup, ...]:
    """Return the groups of photos that look the same, by perceptual hash."""
    records = list(photos)
    groups = []
    for indices in duplicate_sets([record.phash for record in records], bits):
        members = sorted(
            (records[index] for index in indices),
            key=lambda record: (-record.width * record.height, -record.size, str(record.path)),
        )
        keep = members[0]
        groups.append(
            DuplicateGroup(
                keep=keep.path,
                others=tuple(sorted(record.path for record in members[1:])),
                spread=max(distance(keep.lat, keep.lon, record.lat, record.lon) for record in members[1:]),
            )
        )
    return tuple(sorted(groups, key=lambda group: str(group.keep)))


class FarReason(StrEnum):
    """Why a photo counts as far."""

    OUTSIDE_BOX = "outside_box"
    OUTSIDE_RADIUS = "outside_radius"
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True)
class FarPhoto:
    """A photo whose place is far from where it should be.

    Attributes:
        path: of the photo.
        lat: latitude in degrees.
        lon: longitude in degrees.
        metres: from the nearest edge of the box, from the landmark, or from the middle of all photos.
        reason: which of these it is.
    """

    path: Path
    lat: float
    lon: float
    metres: float
    reason: FarReason

    def to_dict(self) -> dict[str, Any]:
        """Return the photo as JSON values."""
        return {
            "path": str(self.path),
            "lat": self.lat,
            "lon": self.lon,
            "metres": round(self.metres, 1),
            "reason": self.reason.value,
        }


@dataclass(frozen=True, slots=True)
class Landmark:
    """A landmark and its surroundings.

    Attributes:
        lat: latitude in degrees.
        lon: longitude in degrees.
        radius: of the surroundings in metres.

    Raises:
        GPSDreamError: of kind `bad_location` if the place is none.
    """

    lat: float
    lon: float
    radius: float

    def __post_init__(self) -> None:
        Place(self.lat, self.lon)


def find_far(
    photos: Iterable[PhotoRecord],
    *,
    box: Box | None = None,
    landmark: Landmark | None = None,
    scale: float = OUTLIER_SCALE,
) -> tuple[FarPhoto, ...]:
    """Return the photos that are far from where they should be, the farthest first.

    With a box or a landmark these are the photos outside. With neither it is a robust test: the middle is the median of
    all places and the spread the median absolute deviation of the distances from it, which a few wild places cannot
    move; a photo is far if it is more than `scale` robust standard deviations beyond the median distance.

    Args:
        photos: to look at.
        box: of the city.
        landmark: and its surroundings.
        scale: of the robust test.
    """
    records = list(photos)
    if not records:
        return ()
    if landmark is not None:
        far = [
            FarPhoto(record.path, record.lat, record.lon, metres, FarReason.OUTSIDE_RADIUS)
            for record in records
            if (metres := distance(landmark.lat, landmark.lon, record.lat, record.lon)) > landmark.radius
        ]
    elif box is not None:
        far = [
            FarPhoto(record.path, record.lat, record.lon, _from_box(box, record), FarReason.OUTSIDE_BOX)
            for record in records
            if not box.contains(record.lat, record.lon)
        ]
    else:
        lat0, lon0 = _middle(records)
        from_middle = np.array([distance(lat0, lon0, record.lat, record.lon) for record in records])
        limit = robust_limit(from_middle, scale)
        far = [
            FarPhoto(record.path, record.lat, record.lon, float(away), FarReason.OUTLIER)
            for record, away in zip(records, from_middle, strict=True)
            if away > limit
        ]
    return tuple(sorted(far, key=lambda photo: (-photo.metres, str(photo.path))))


def robust_limit(metres: NDArray[np.float64], scale: float = OUTLIER_SCALE) -> float:
    """Return the distance beyond which a photo is an outlier: median + scale x 1.4826 MAD.

    Args:
        metres: distances from the middle, shape (n,), n > 0.
        scale: in robust standard deviations.
    """
    median = float(np.median(metres))
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(metres - median)))
    return median + scale * max(sigma, NOISE_METRES)


def _middle(records: Sequence[PhotoRecord]) -> tuple[float, float]:
    """Return the median latitude and longitude in degrees; it may lie on the antimeridian."""
    lats = np.array([record.lat for record in records])
    lons = np.array([record.lon for record in records])
    # Longitudes are taken from their mean direction, so that 179 and -179 are neighbours.
    radians = np.radians(lons)
    reference = math.degrees(math.atan2(float(np.sin(radians).mean()), float(np.cos(radians).mean())))
    offset = float(np.median((lons - reference + 180.0) % 360.0 - 180.0))
    return float(np.median(lats)), (reference + offset + 180.0) % 360.0 - 180.0


def _from_box(box: Box, record: PhotoRecord) -> float:
    """Return the metres from a place outside a box to the nearest point of the box."""
    lat = min(max(record.lat, box.south), box.north)
    if box.west <= record.lon <= box.east:
        return distance(lat, record.lon, record.lat, record.lon)
    # The way over the antimeridian may be the shorter one.
    return min(distance(lat, lon, record.lat, record.lon) for lon in (box.west, box.east))


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """What was found in a collection.

    Attributes:
        photos: number of photos that were looked at.
        plain: number of them too plain to be compared.
        duplicates: groups of photos that look the same.
        far: photos far from where they should be.
    """

    photos: int
    plain: int
    duplicates: tuple[DuplicateGroup, ...]
    far: tuple[FarPhoto, ...]

    def reasons(self) -> dict[Path, str]:
        """Return the photos that are better left out of training, and why: `duplicate` or that of a far photo."""
        reasons = {photo.path: photo.reason.value for photo in self.far}
        for group in self.duplicates:
            near = [path for path in (group.keep, *group.others) if path not in reasons]
            reasons |= dict.fromkeys(near[1:], "duplicate")
        return reasons

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "photos": self.photos,
            "plain": self.plain,
            "duplicates": [group.to_dict() for group in self.duplicates],
            "far": [photo.to_dict() for photo in self.far],
        }

    def table(self, rows: int = 20) -> str:
        """Return the report as lines for a terminal, with at most `rows` lines of either kind."""
        surplus = sum(len(group.others) for group in self.duplicates)
        lines = [
            f"Of {self.photos:,} photos, duplicates of another one: {surplus:,}; far away: {len(self.far):,}. "
            "No file was deleted."
        ]
        if self.duplicates:
            lines.append("Photos that look the same, the largest first:")
        for group in self.duplicates[:rows]:
            others = ", ".join(clean_text(path.name, 60) for path in group.others[:4])
            more = f" and {len(group.others) - 4:,} more" if len(group.others) > 4 else ""
            apart = f" (places up to {group.spread:,.0f} m apart)" if group.spread >= 1 else ""
            lines.append(f"  {clean_text(group.keep, 120)} = {others}{more}{apart}")
        if len(self.duplicates) > rows:
            lines.append(f"  and {len(self.duplicates) - rows:,} more groups")
        if self.far:
            lines.append("Photos that are far away, the farthest first:")
        lines += [f"  {photo.metres:>12,.0f} m  {clean_text(photo.path, 120)}" for photo in self.far[:rows]]
        if len(self.far) > rows:
            lines.append(f"  and {len(self.far) - rows:,} more")
        return "\n".join(lines)


def clean(
    photos: Iterable[PhotoRecord],
    *,
    box: Box | None = None,
    landmark: Landmark | None = None,
    bits: int = DUPLICATE_BITS,
    scale: float = OUTLIER_SCALE,
) -> CleaningReport:
    """Look for duplicates and far photos; `find_duplicates` and `find_far` say how."""
    records = list(photos)
    return CleaningReport(
        photos=len(records),
        plain=sum(not record.phash for record in records),
        duplicates=find_duplicates(records, bits),
        far=find_far(records, box=box, landmark=landmark, scale=scale),
    )
