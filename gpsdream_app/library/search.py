"""What can be asked of the library, and pictures gathered to heaps for a map. No files here."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpsdream_app.domain.places import Box
from gpsdream_app.domain.results import Result, ResultKind

if TYPE_CHECKING:
    from gpsdream_app.domain.regions import Region

MAX_WORDS = 24
MAX_WORD_CHARACTERS = 80
MERCATOR_LIMIT = 85.0511  # degrees; maps end here
TILE_PIXELS = 256

_NUMBERS = np.empty(0, dtype=np.int64)
_DEGREES = np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Query:
    """Which pictures, and in which order. The default asks for everything that is not in the trash.

    Attributes:
        words: of the prompt or of the place's name; each must be there, in any order, and may be a word's beginning.
        kinds: which sorts of pictures; None for all.
        box: where, for example what a map shows; None anywhere.
        region: in which region; None anywhere.
        model: name of the model; empty for any.
        since: earliest time, ISO 8601 in UTC; empty for any.
        until: first time that is too late, ISO 8601 in UTC; empty for any.
        starred: only those with a star.
        trashed: those in the trash instead of those in the library.
        oldest_first: the oldest first instead of the newest.
    """

    words: str = ""
    kinds: frozenset[ResultKind] | None = None
    box: Box | None = None
    region: Region | None = None
    model: str = ""
    since: str = ""
    until: str = ""
    starred: bool = False
    trashed: bool = False
    oldest_first: bool = False

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out, order and trash aside."""
        return replace(self, trashed=False, oldest_first=False) != Query()


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found, in its order: the rows' numbers, and their places in degrees (NaN for none)."""

    numbers: NDArray[np.int64] = field(default_factory=lambda: _NUMBERS)
    lat: NDArray[np.float64] = field(default_factory=lambda: _DEGREES)
    lon: NDArray[np.float64] = field(default_factory=lambda: _DEGREES)

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the library.

    Attributes:
        number: names the row while the library lives; see `Library.search`.
        result: the picture.
        starred: whether a person gave it a star.
        deleted: when it was put into the trash, ISO 8601 in UTC; empty if it was not.
    """

    number: int
    result: Result
    starred: bool = False
    deleted: str = ""


@dataclass(frozen=True, slots=True)
class Facets:
    """What there is to choose from, the trash left out.

    Attributes:
        total: number of pictures.
        kinds: number of pictures of each sort that there is.
        models: number of pictures by the name of their model, the most first.
        starred: number of pictures with a star.
        trashed: number of pictures in the trash.
    """

    total: int
    kinds: dict[ResultKind, int]
    models: dict[str, int]
    starred: int
    trashed: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pictures that lie so close together on a map that one mark stands for them.

    Attributes:
        lat: middle of them, degrees.
        lon: middle of them, degrees.
        count: how many there are.
        number: of the row that comes first in the query's order.
    """

    lat: float
    lon: float
    count: int
    number: int


def match_expression(text: str) -> str:
    """Return what the index of words is asked for a text as a person types it; empty if it holds no word.

    Nothing in the text is read as an operator: each word stands in quotes, and only letters and digits are words.
    """
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text[: 100 * MAX_WORDS]))
    return " ".join(f'"{word[:MAX_WORD_CHARACTERS]}"*' for word in words[:MAX_WORDS])


def statement(query: Query) -> tuple[str, list[object]]:
    """Return the SQL of a query and its values. Its rows are number, latitude, longitude; regions are not looked at."""
    where = ["deleted IS NOT NULL" if query.trashed else "deleted IS NULL"]
    values: list[object] = []
    if query.words.strip():
        where.append("number IN (SELECT rowid FROM words WHERE words MATCH ?)")
        # A text without a word is in no prompt.
        values.append(match_expression(query.words) or '""')
    if query.kinds is not None:
        where.append("kind IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(query.kinds)))
    if query.box:
        box = query.box
        where.append("lat BETWEEN ? AND ? AND lon BETWEEN ? AND ?")
        values += [box.south, box.north, box.west, box.east]
    if query.region:
        south, west, north, east = query.region.box
        where.append("lat BETWEEN ? AND ? AND lon BETWEEN ? AND ?")
        values += [south, north, west, east]
    for condition, value in (("model = ?", query.model), ("created >= ?", query.since), ("created < ?", query.until)):
        if value:
            where.append(condition)
            values.append(value)
    if query.starred:
        where.append("star = 1")
    # What was thrown away last comes first in the trash.
    columns = ["deleted", "created", "id"] if query.trashed else ["created", "id"]
    order = ", ".join(f"{column} {'ASC' if query.oldest_first else 'DESC'}" for column in columns)
    return f"SELECT number, lat, lon FROM results WHERE {' AND '.join(where)} ORDER BY {order}", values


def numbers_of(text: str | None) -> NDArray[np.int64]:
    """Return the numbers of rows from a text in which commas stand between them; None and an empty text hold none."""
    return np.fromstring(text, dtype=np.int64, sep=",") if text else _NUMBERS


def found(rows: Sequence[tuple[object, ...]], query: Query) -> Found:
    """Return the rows of `statement` as arrays, without those that lie beside the query's region."""
    if not rows:
        return Found()
    table = np.array(rows, dtype=np.float64)
    if query.region:
        # Imported late: it brings geometry along, which most questions do not need.
        from gpsdream_app.geo.regions import contains

        table = table[contains(query.region, table[:, 1], table[:, 2])]
    return Found(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


def cluster(pictures: Found, zoom: float, cell: int = 56) -> list[Cluster]:
    """Gather pictures that would lie within one cell of a web map.

    Args:
        pictures: those without a place are left out.
        zoom: of the map: at zoom 0 the Earth is 256 pixels wide, and twice as wide with each step.
        cell: side of a cell in pixels.

    Returns:
        A cluster per cell that has pictures, the fullest first.
    """
    here = np.isfinite(pictures.lat) & np.isfinite(pictures.lon)
    numbers, lat, lon = pictures.numbers[here], pictures.lat[here], pictures.lon[here]
    if not len(numbers):
        return []
    world = TILE_PIXELS * 2.0**zoom
    x = (lon + 180) / 360 * world
    sine = np.sin(np.radians(np.clip(lat, -MERCATOR_LIMIT, MERCATOR_LIMIT)))
    y = (0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)) * world
    columns = np.int64(world // cell) + 2
    keys = np.floor(y / cell).astype(np.int64) * columns + np.floor(x / cell).astype(np.int64)
    _, first, which, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    middle_lat = np.bincount(which, lat) / counts
    middle_lon = np.bincount(which, lon) / counts
    order = np.argsort(-counts, kind="stable")
    return [Cluster(float(middle_lat[i]), float(middle_lon[i]), int(counts[i]), int(numbers[first[i]])) for i in order]
