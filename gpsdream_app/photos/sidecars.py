"""Places and captions in files beside the photos: CSV tables and captions.jsonl, read row by row."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from gpsdream_app.photos.places import PlaceError, checked_place, heading_degrees
from gpsdream_app.photos.records import MAX_TAG_CHARACTERS, MAX_TAGS, Frontage, Reason, clean_text

SIDECAR_SUFFIXES = (".csv", ".tsv", ".jsonl")
MAX_LINE_CHARACTERS = 65_536
MAX_PATH_CHARACTERS = 4096
FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "photo")
LAT_COLUMNS = ("lat", "latitude", "gpslatitude")
LON_COLUMNS = ("lon", "lng", "long", "longitude", "gpslongitude")
HEADING_COLUMNS = ("heading", "bearing", "direction", "gpsimgdirection")
CAPTION_COLUMNS = ("caption", "description", "title", "name")
FRONTAGE_COLUMNS = ("left_lat", "left_lon", "right_lat", "right_lon")
TAG_COLUMNS = ("tags",)
JSON_TAG_KEYS = ("tags", "building", "objects", "view", "height")  # in a table, height means pixels


@dataclass(frozen=True, slots=True)
class SidecarFields:
    """What sidecars say about one file.

    Attributes:
        lat: latitude in degrees; None if there is no usable place.
        lon: longitude in degrees; None together with `lat`.
        heading: degrees clockwise from true north; None if not given.
        caption: one line; may be empty.
        tags: short words.
        source: absolute path of the photograph that the file was cut from; may be empty.
        frontage: latitudes and longitudes of the left and right end; None if not given.
        problem: the reason why a place that is given cannot be used; None if there is no such thing.
        detail: what exactly is wrong with the place.
    """

    lat: float | None = None
    lon: float | None = None
    heading: float | None = None
    caption: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    frontage: tuple[float, float, float, float] | None = None
    problem: Reason | None = None
    detail: str = ""

    def over(self, other: SidecarFields) -> SidecarFields:
        """Return these fields with the gaps filled from `other`."""
        place, problem = (self, self) if self.lat is not None else (other, self if self.problem else other)
        return SidecarFields(
            lat=place.lat,
            lon=place.lon,
            heading=self.heading if self.heading is not None else other.heading,
            caption=self.caption or other.caption,
            tags=self.tags or other.tags,
            source=self.source or other.source,
            frontage=self.frontage or other.frontage,
            problem=None if place.lat is not None else problem.problem,
            detail="" if place.lat is not None else problem.detail,
        )

    def to_json(self) -> str:
        """Return the fields as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SidecarFields:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        data["tags"] = tuple(data["tags"])
        data["frontage"] = tuple(data["frontage"]) if data["frontage"] else None
        data["problem"] = Reason(data["problem"]) if data["problem"] else None
        return cls(**data)

    @property
    def mark(self) -> str:
        """16 hexadecimal digits that change when the fields do."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=8).hexdigest()

    @property
    def line(self) -> Frontage | None:
        """The frontage as a value."""
        return Frontage(*self.frontage) if self.frontage else None


NOTHING = SidecarFields()


def _number(value: Any) -> float | None:
    """Return a finite number; None if the cell is empty or holds none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return value
    return None


def _tags(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    tags: list[str] = []
    for name in names:
        value = row.get(name)
        # A cell of a table holds several tags, a list of JSON one each.
        items = value.replace("|", ";").split(";") if isinstance(value, str) else value
        for item in items if isinstance(items, list) else ():
            tag = clean_text(item, MAX_TAG_CHARACTERS) if isinstance(item, str) else ""
            if tag and tag not in tags:
                tags.append(tag)
    return tuple(tags[:MAX_TAGS])


def _target(folder: str, name: Any) -> str | None:
    """Return the absolute path that a cell of a sidecar in `folder` names; None if it names none."""
    if not isinstance(name, str):
        return None
    name = name.strip()
    if not name or "\0" in name or len(name) > MAX_PATH_CHARACTERS:
        return None
    if os.sep == "/":
        name = name.replace("\\", "/")
    # The path is only compared with files that the import finds by itself; nothing is ever opened by it.
    return os.path.normpath(os.path.join(folder, name))  # noqa: PTH118


def _key(path: str) -> str:
    """Return the form under which a path is looked up: macOS takes accents apart, tables mostly do not."""
    return unicodedata.normalize("NFC", path)


def _fields(folder: str, row: Mapping[str, Any], tag_names: tuple[str, ...]) -> SidecarFields:
    """Return what one row says. The keys of `row` are in lower case."""
    lat_cell, lon_cell = _first(row, LAT_COLUMNS), _first(row, LON_COLUMNS)
    lat, lon = _number(lat_cell), _number(lon_cell)
    problem, detail = None, ""
    if lat_cell is not None or lon_cell is not None:
        try:
            if lat_cell is None or lon_cell is None:
                raise PlaceError(Reason.INCOMPLETE_GPS)
            if lat is None or lon is None:
                raise PlaceError(Reason.MALFORMED_GPS)
            checked_place(lat, lon)
        except PlaceError as error:
            lat = lon = None
            problem, detail = error.reason, f"{error.detail}, in a sidecar" if error.detail else "in a sidecar"
    ends = [_number(row.get(name)) for name in FRONTAGE_COLUMNS]
    frontage = None
    if None not in ends:
        left_lat, left_lon, right_lat, right_lon = (end for end in ends if end is not None)
        if max(abs(left_lat), abs(right_lat)) <= 90 and max(abs(left_lon), abs(right_lon)) <= 180:
            frontage = (left_lat, left_lon, right_lat, right_lon)
    caption = _first(row, CAPTION_COLUMNS)
    return SidecarFields(
        lat=lat,
        lon=lon,
        heading=heading_degrees(_number(_first(row, HEADING_COLUMNS))),
        caption=clean_text(caption) if isinstance(caption, str) else "",
        tags=_tags(row, tag_names),
        source=_target(folder, row.get("source")) or "",
        frontage=frontage,
        problem=problem,
        detail=detail,
    )


def _lines(file: TextIO) -> Iterator[str]:
    """Yield lines; one that is too long is cut, and its rest passed over."""
    while line := file.readline(MAX_LINE_CHARACTERS):
        rest = line
        while not rest.endswith("\n") and len(rest) == MAX_LINE_CHARACTERS:
            rest = file.readline(MAX_LINE_CHARACTERS)
        yield line.replace("\0", "")


def _csv_rows(file: TextIO) -> Iterator[dict[str, Any] | None]:
    """Yield the rows of a table that names files, None for one that cannot be read; nothing of other tables."""
    lines = _lines(file)
    header_line = next(lines, "")
    delimiter = max(",;\t", key=header_line.count)
    try:
        header = [name.strip().lower() for name in next(csv.reader([header_line], delimiter=delimiter))]
    except (csv.Error, StopIteration):
        return
    useful = {*CAPTION_COLUMNS, *HEADING_COLUMNS, *TAG_COLUMNS, *FRONTAGE_COLUMNS, "source"}
    has_place = any(name in header for name in LAT_COLUMNS) and any(name in header for name in LON_COLUMNS)
    if not any(name in header for name in FILE_COLUMNS) or not (has_place or useful.intersection(header)):
        return
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if row:
            yield dict(zip(header, row, strict=False))


def _json_rows(file: TextIO) -> Iterator[dict[str, Any] | None]:
    """Yield the objects of a JSON Lines file that names files; None for a line that cannot be read."""
    first = True
    for line in _lines(file):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if first and not (isinstance(row, dict) and any(name in row for name in FILE_COLUMNS)):
            return
        first = False
        yield {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else None


@dataclass(slots=True)
class _Sidecar:
    number: int
    rows: int = 0
    places: int = 0
    captions: int = 0
    bad: int = 0


class SidecarIndex:
    """What all sidecars of a folder say, by file.

    The rows live in a temporary database that spills to the disk, so a table of a million rows takes no memory.
    Of several rows about one file the nearest one wins and the others fill its gaps: a sidecar in the file's
    own folder before one in the parent folder, JSON Lines before a table, then the one that was read first.
    """

    def __init__(self) -> None:
        # An empty name is a private temporary database that SQLite deletes by itself.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE rows (target TEXT, rank INTEGER, sidecar INTEGER, used INTEGER DEFAULT 0, fields TEXT)"
        )
        self._database.execute("CREATE INDEX rows_target ON rows(target)")
        self._database.execute("BEGIN")
        self._sidecars: dict[str, _Sidecar] = {}

    def load(self, path: Path, cancelled: Callable[[], bool] | None = None) -> bool:
        """Read a file into the index if it is a sidecar, and return whether it is.

        Raises:
            OSError: if the file cannot be read.
        """
        folder = str(path.parent)
        is_json = path.suffix.lower() == ".jsonl"
        rank = 2 * len(path.parent.parts) + is_json
        sidecar = _Sidecar(len(self._sidecars))
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in _json_rows(file) if is_json else _csv_rows(file):
                sidecar.rows += 1
                target = _target(folder, _first(row, FILE_COLUMNS)) if row is not None else None
                if row is None or target is None:
                    sidecar.bad += 1
                    continue
                found = _fields(folder, row, JSON_TAG_KEYS if is_json else TAG_COLUMNS)
                sidecar.places += found.lat is not None
                sidecar.captions += bool(found.caption)
                sidecar.bad += found.problem is not None
                self._database.execute(
                    "INSERT INTO rows (target, rank, sidecar, fields) VALUES (?, ?, ?, ?)",
                    (_key(target), rank, sidecar.number, found.to_json()),
                )
                if sidecar.rows % 1000 == 0 and cancelled and cancelled():
                    break
        if sidecar.rows == 0:
            return False
        self._sidecars[str(path)] = sidecar
        return True

    def fields(self, path: str) -> SidecarFields | None:
        """Return what the sidecars say about a file; None if nothing."""
        key = _key(path)
        rows = self._database.execute(
            "SELECT rowid, fields FROM rows WHERE target = ? ORDER BY rank DESC, sidecar, rowid", (key,)
        ).fetchall()
        if not rows:
            return None
        self._database.execute("UPDATE rows SET used = 1 WHERE target = ?", (key,))
        merged = SidecarFields.from_json(rows[0][1])
        for _, text in rows[1:]:
            merged = merged.over(SidecarFields.from_json(text))
        return merged

    def detail(self, path: str) -> str | None:
        """Return what a sidecar held, in a few words; None if the file is no sidecar of this index."""
        sidecar = self._sidecars.get(path)
        if sidecar is None:
            return None
        parts = [f"rows: {sidecar.rows:,}", f"places: {sidecar.places:,}", f"captions: {sidecar.captions:,}"]
        if sidecar.bad:
            parts.append(f"unusable: {sidecar.bad:,}")
        unused = self._database.execute(
            "SELECT count(*) FROM rows WHERE sidecar = ? AND NOT used", (sidecar.number,)
        ).fetchone()[0]
        if unused:
            parts.append(f"about files that are not in the folder: {unused:,}")
        return ", ".join(parts)

    @property
    def paths(self) -> tuple[str, ...]:
        """The sidecars that were read."""
        return tuple(self._sidecars)

    def close(self) -> None:
        """Give the temporary database back."""
        self._database.close()
