"""The catalogue of photos: a SQLite file that holds the fate of every file and the record of every placed photo."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.photos.records import (
    Frontage,
    HeadingReference,
    Outcome,
    PhotoRecord,
    PlaceSource,
    Reason,
)

PAGE = 1000  # rows that an iteration holds at a time
_INT64 = 2**63 - 1

# Each entry takes the schema one version up and is never changed afterwards.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE imports (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            root TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT
        )""",
        """CREATE TABLE files (
            path TEXT PRIMARY KEY,
            size INTEGER NOT NULL,
            mtime INTEGER NOT NULL,
            mark TEXT NOT NULL,
            reader INTEGER NOT NULL,
            import INTEGER NOT NULL REFERENCES imports(id),
            reason TEXT NOT NULL,
            detail TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE photos (
            path TEXT PRIMARY KEY REFERENCES files(path) ON DELETE CASCADE,
            lat REAL NOT NULL CHECK (lat BETWEEN -90 AND 90),
            lon REAL NOT NULL CHECK (lon BETWEEN -180 AND 180),
            heading REAL,
            heading_reference TEXT NOT NULL,
            place_source TEXT NOT NULL,
            taken TEXT,
            focal_length_35mm REAL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            orientation INTEGER NOT NULL,
            caption TEXT NOT NULL,
            tags TEXT NOT NULL,
            source TEXT NOT NULL,
            size INTEGER NOT NULL,
            mtime INTEGER NOT NULL,
            phash TEXT NOT NULL,
            left_out TEXT NOT NULL DEFAULT '',
            left_lat REAL,
            left_lon REAL,
            right_lat REAL,
            right_lon REAL
        ) WITHOUT ROWID""",
        "CREATE INDEX photos_place ON photos(lat, lon)",
        "CREATE INDEX files_reason ON files(reason, path)",
    ),
)

_FRONTAGE_COLUMNS = ("left_lat", "left_lon", "right_lat", "right_lon")
_COLUMNS = (*(field.name for field in fields(PhotoRecord) if field.name != "frontage"), *_FRONTAGE_COLUMNS)
_INSERT_PHOTO = (
    f"INSERT INTO photos ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT (path) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)


@dataclass(frozen=True, slots=True)
class FileMark:
    """By what a file is known to be unchanged.

    Attributes:
        size: in bytes.
        mtime: when the file was changed, nanoseconds since 1970.
        mark: of what sidecars say about it; empty if nothing.
        reader: version of the reader that read it.
    """

    size: int
    mtime: int
    mark: str = ""
    reader: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row for the catalogue: the outcome of a file, its mark, and its record if it is a placed photo."""

    outcome: Outcome
    mark: FileMark
    record: PhotoRecord | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder that was imported.

    Attributes:
        folder: the folder.
        photos: placed photos under it.
        files: all files under it.
        imported: when it was imported last, ISO 8601 in UTC.
        complete: whether that import came to its end.
    """

    folder: Path
    photos: int
    files: int
    imported: str
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the collection as JSON values."""
        return {
            "folder": str(self.folder),
            "photos": self.photos,
            "files": self.files,
            "imported": self.imported,
            "complete": self.complete,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What the placed photos under a folder offer.

    Attributes:
        photos: placed photos.
        headings: those of them with a direction of view.
        magnetic: those with a direction that is measured from magnetic north.
        captions: those with a caption.
        frontages: those with a known line of facades.
        from_sidecars: those whose place comes from a sidecar.
        left_out: those that cleaning has left out of training.
        box: the box around all places; None if it would be a point or a line.
    """

    photos: int = 0
    headings: int = 0
    magnetic: int = 0
    captions: int = 0
    frontages: int = 0
    from_sidecars: int = 0
    left_out: int = 0
    box: Box | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["box"] = self.box.to_dict() if self.box else None
        return data


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clamp(number: int) -> int:
    """Return a number that SQLite can hold; some file systems report times of the year 100,000."""
    return max(-_INT64, min(_INT64, number))


def _under(folder: Path) -> tuple[str, str]:
    """Return the bounds low < path < high of everything under a folder, in byte order."""
    low = str(folder)
    if not low.endswith(os.sep):
        low += os.sep
    return low, low[:-1] + chr(ord(os.sep) + 1)


def _translated(error: sqlite3.Error, path: Path | None) -> GPSDreamError:
    text = str(error)
    details = repr(error)
    if "full" in text:
        return GPSDreamError(
            ErrorKind.DISK_FULL,
            "The disk is full; the photo catalogue could not be written.",
            "Free some space.",
            details,
        )
    if "readonly" in text or "unable to open" in text:
        return GPSDreamError(
            ErrorKind.DISK_FULL,
            f"The photo catalogue {path} cannot be written.",
            "Check that its folder exists and that you may write to it.",
            details,
        )
    if "locked" in text:
        return GPSDreamError(
            ErrorKind.INTERNAL,
            "Another GPSDream is writing to the photo catalogue.",
            "Wait until its import has ended.",
            details,
        )
    if "malformed" in text or "not a database" in text:
        return GPSDreamError(
            ErrorKind.INTERNAL,
            f"The photo catalogue {path} is damaged.",
            "Move that file away and import your folders again; your photos are untouched.",
            details,
        )
    return GPSDreamError(ErrorKind.INTERNAL, "The photo catalogue could not be used.", "", details)


class Catalogue:
    """The photo catalogue. Safe to use from several threads, and from several processes at once.

    Args:
        path: the SQLite file; made if missing. None keeps everything in memory.

    Raises:
        GPSDreamError: if the file cannot be opened, is damaged, or was made by a newer version. Every method raises
            it when the disk is full, or the file is locked by another process for long.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                str(path) if path else ":memory:", timeout=15.0, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._migrate(connection)
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise _translated(error, path) from error
        except GPSDreamError:
            if connection is not None:
                connection.close()
            raise
        self._connection = connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise GPSDreamError(
                ErrorKind.INTERNAL,
                f"The photo catalogue {self.path} was made by a newer GPSDream.",
                "Update GPSDream to open it.",
            )
        if version == len(MIGRATIONS):
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while this one waited for the lock.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for number in range(version, len(MIGRATIONS)):
                for statement in MIGRATIONS[number]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number + 1}")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all(self, query: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(query, tuple(parameters)).fetchall()
            except sqlite3.Error as error:
                raise _translated(error, self.path) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is kept, or nothing."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _translated(error, self.path) from error
                raise

    # Importing

    def begin_import(self, root: Path) -> int:
        """Note that an import of a folder begins, and return its number."""
        with self._writing() as database:
            cursor = database.execute("INSERT INTO imports (root, started) VALUES (?, ?)", (str(root), _now()))
        return int(cursor.lastrowid or 0)

    def known(self, path: str) -> tuple[FileMark, Reason, str] | None:
        """Return the mark, reason and detail under which a file is known; None if it is not."""
        rows = self._all("SELECT size, mtime, mark, reader, reason, detail FROM files WHERE path = ?", (path,))
        if not rows:
            return None
        size, mtime, mark, reader, reason, detail = rows[0]
        return FileMark(size, mtime, mark, reader), Reason(reason), detail

    def write(self, number: int, entries: Iterable[Entry] = (), unchanged: Iterable[str] = ()) -> None:
        """Write what an import found, in one transaction.

        Args:
            number: of the import.
            entries: files that were read. What was known about them before is replaced.
            unchanged: paths of files that were found to be as they were.
        """
        with self._writing() as database:
            for entry in entries:
                path = str(entry.outcome.path)
                mark = entry.mark
                # An update keeps the row, so that the photo is deleted only if the file has no place any more.
                database.execute(
                    """INSERT INTO files (path, size, mtime, mark, reader, import, reason, detail)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime = excluded.mtime,
                        mark = excluded.mark, reader = excluded.reader, import = excluded.import,
                        reason = excluded.reason, detail = excluded.detail""",
                    (
                        *(path, _clamp(mark.size), _clamp(mark.mtime), mark.mark, mark.reader),
                        *(number, entry.outcome.reason.value, entry.outcome.detail),
                    ),
                )
                if entry.record is None:
                    database.execute("DELETE FROM photos WHERE path = ?", (path,))
                else:
                    database.execute(_INSERT_PHOTO, _photo_row(entry.record))
            database.executemany("UPDATE files SET import = ? WHERE path = ?", ((number, path) for path in unchanged))

    def finish_import(self, number: int, root: Path, keep: Iterable[Path] = ()) -> int:
        """Note that an import came to its end, forget files that it did not find, and return how many.

        Args:
            number: of the import.
            root: its folder.
            keep: folders under it that could not be looked into; their files are not forgotten.
        """
        low, high = _under(root)
        condition = "path > ? AND path < ? AND import < ?"
        parameters: list[Any] = [low, high, number]
        for folder in keep:
            condition += " AND NOT (path > ? AND path < ?)"
            parameters += _under(folder)
        with self._writing() as database:
            gone = database.execute(f"DELETE FROM files WHERE {condition}", parameters).rowcount
            database.execute("UPDATE imports SET finished = ? WHERE id = ?", (_now(), number))
            database.execute(
                "DELETE FROM imports WHERE root = ? AND id < ? AND id NOT IN (SELECT import FROM files)",
                (str(root), number),
            )
        return gone

    # Asking

    def photos(
        self, folder: Path | None = None, box: Box | None = None, *, for_training: bool = False
    ) -> Iterator[PhotoRecord]:
        """Iterate over placed photos in the order of their paths; the catalogue may be written to meanwhile.

        Args:
            folder: only photos under it.
            box: only photos whose place lies inside or on its edge.
            for_training: without the photos that cleaning has left out.
        """
        condition, parameters = _condition(folder, box)
        if for_training:
            condition += " AND left_out = ''"
        last = ""
        while True:
            rows = self._all(
                f"SELECT {', '.join(_COLUMNS)} FROM photos WHERE path > ? AND {condition} ORDER BY path LIMIT ?",
                (last, *parameters, PAGE),
            )
            for row in rows:
                yield _photo(row)
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def count(self, folder: Path | None = None, box: Box | None = None) -> int:
        """Number of placed photos, of all or under a folder or in a box."""
        condition, parameters = _condition(folder, box)
        return int(self._all(f"SELECT count(*) FROM photos WHERE {condition}", parameters)[0][0])

    def photo(self, path: Path) -> PhotoRecord | None:
        """Return the record of one photo; None if it is not in the catalogue or has no place."""
        rows = self._all(f"SELECT {', '.join(_COLUMNS)} FROM photos WHERE path = ?", (str(path),))
        return _photo(rows[0]) if rows else None

    def outcomes(
        self, folder: Path | None = None, reasons: Iterable[Reason] | None = None, number: int | None = None
    ) -> Iterator[Outcome]:
        """Iterate over what became of all files, in the order of their paths.

        Args:
            folder: only files under it.
            reasons: only files that ended with one of these.
            number: only files that the import with this number found.
        """
        condition, parameters = _condition(folder, None)
        if reasons is not None:
            wanted = [reason.value for reason in reasons]
            condition += f" AND reason IN ({', '.join('?' * len(wanted))})"
            parameters += wanted
        if number is not None:
            condition += " AND import = ?"
            parameters.append(number)
        last = ""
        while True:
            rows = self._all(
                f"SELECT path, reason, detail FROM files WHERE path > ? AND {condition} ORDER BY path LIMIT ?",
                (last, *parameters, PAGE),
            )
            for path, reason, detail in rows:
                yield Outcome(Path(path), Reason(reason), detail)
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def counts(self, folder: Path | None = None) -> dict[Reason, int]:
        """Number of files per reason."""
        condition, parameters = _condition(folder, None)
        rows = self._all(f"SELECT reason, count(*) FROM files WHERE {condition} GROUP BY reason", parameters)
        return {Reason(reason): int(count) for reason, count in rows}

    def summary(self, folder: Path | None = None) -> Summary:
        """Return what the placed photos offer, of all or under a folder."""
        condition, parameters = _condition(folder, None)
        row = self._all(
            f"""SELECT count(*), count(heading), coalesce(sum(heading_reference = ?), 0),
                coalesce(sum(caption <> ''), 0), count(left_lat), coalesce(sum(place_source = ?), 0),
                coalesce(sum(left_out <> ''), 0),
                min(lat), min(lon), max(lat), max(lon)
            FROM photos WHERE {condition}""",
            (HeadingReference.MAGNETIC.value, PlaceSource.SIDECAR.value, *parameters),
        )[0]
        south, west, north, east = row[7:]
        box = Box(south, west, north, east) if row[0] and south < north and west < east else None
        photos, headings, magnetic, captions, frontages, from_sidecars, left_out = (int(value) for value in row[:7])
        return Summary(photos, headings, magnetic, captions, frontages, from_sidecars, left_out, box)

    def collections(self) -> list[Collection]:
        """Return the folders that were imported, the latest import first."""
        rows = self._all(
            """SELECT root, max(id), coalesce(max(finished), max(started)) FROM imports
            GROUP BY root ORDER BY max(id) DESC"""
        )
        return [
            Collection(
                folder=Path(root),
                photos=self.count(Path(root)),
                files=sum(self.counts(Path(root)).values()),
                imported=when,
                complete=self._all("SELECT finished FROM imports WHERE id = ?", (number,))[0][0] is not None,
            )
            for root, number, when in rows
        ]

    def leave_out(self, reasons: Mapping[Path, str], folder: Path | None = None) -> int:
        """Leave photos out of training, and only these of the folder; return how many. No file is touched.

        Args:
            reasons: paths of photos and why, in a word; an empty mapping takes all of the folder back in.
            folder: whose photos are meant; None means the whole catalogue.
        """
        condition, parameters = _condition(folder, None)
        with self._writing() as database:
            database.execute(f"UPDATE photos SET left_out = '' WHERE left_out <> '' AND {condition}", parameters)
            cursor = database.executemany(
                f"UPDATE photos SET left_out = ? WHERE path = ? AND {condition}",
                ((reason, str(path), *parameters) for path, reason in reasons.items()),
            )
        return max(0, cursor.rowcount)

    def left_out(self, folder: Path | None = None) -> dict[Path, str]:
        """Return the photos that are left out of training, and why."""
        condition, parameters = _condition(folder, None)
        rows = self._all(f"SELECT path, left_out FROM photos WHERE left_out <> '' AND {condition}", parameters)
        return {Path(path): reason for path, reason in rows}

    def forget(self, folder: Path) -> int:
        """Take everything under a folder out of the catalogue, and return how many files that were.

        The files themselves are not touched.
        """
        low, high = _under(folder)
        with self._writing() as database:
            gone = database.execute("DELETE FROM files WHERE path > ? AND path < ?", (low, high)).rowcount
            database.execute(
                """DELETE FROM imports WHERE (root = ? OR (root > ? AND root < ?))
                AND id NOT IN (SELECT import FROM files)""",
                (str(folder), low, high),
            )
        return gone


def _condition(folder: Path | None, box: Box | None) -> tuple[str, list[Any]]:
    """Return an SQL condition with placeholders, and its parameters."""
    condition = "1"
    parameters: list[Any] = []
    if folder is not None:
        condition += " AND path > ? AND path < ?"
        parameters += _under(folder)
    if box is not None:
        condition += " AND lat BETWEEN ? AND ? AND lon BETWEEN ? AND ?"
        parameters += [box.south, box.north, box.west, box.east]
    return condition, parameters


def _photo_row(record: PhotoRecord) -> tuple[Any, ...]:
    values: list[Any] = [getattr(record, name) for name in _COLUMNS[: -len(_FRONTAGE_COLUMNS)]]
    for index, name in enumerate(_COLUMNS[: -len(_FRONTAGE_COLUMNS)]):
        if name == "path":
            values[index] = str(values[index])
        elif name == "tags":
            values[index] = json.dumps(values[index], ensure_ascii=False)
        elif name in ("size", "mtime"):
            values[index] = _clamp(values[index])
    line = record.frontage
    return (*values, *((getattr(line, name) for name in _FRONTAGE_COLUMNS) if line else (None,) * 4))


def _photo(row: tuple[Any, ...]) -> PhotoRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    ends = [values.pop(name) for name in _FRONTAGE_COLUMNS]
    values["path"] = Path(values["path"])
    values["tags"] = tuple(json.loads(values["tags"]))
    values["heading_reference"] = HeadingReference(values["heading_reference"])
    values["place_source"] = PlaceSource(values["place_source"])
    return PhotoRecord(**values, frontage=Frontage(*ends) if ends[0] is not None else None)
