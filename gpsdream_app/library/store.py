"""The library: a SQLite file with a row for every picture that was made and every job that was asked for.

The pictures are PNG files that carry everything about themselves, so a lost library is rebuilt from them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.explanations import JobRequest, job_request_from_dict
from gpsdream_app.domain.results import PictureRequest, Result, ResultKind, picture_key
from gpsdream_app.library.paths import pictures_dir, storage_error
from gpsdream_app.library.picture_metadata import read_result

log = logging.getLogger(__name__)

T = TypeVar("T")

MIGRATIONS = (
    """
    CREATE TABLE results (
        id TEXT PRIMARY KEY,
        job_id TEXT NOT NULL,
        created TEXT NOT NULL,
        path TEXT NOT NULL,
        lat REAL,
        lon REAL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        data TEXT NOT NULL,
        deleted TEXT
    );
    CREATE INDEX results_by_time ON results (created, id);
    CREATE INDEX results_by_place ON results (lat, lon);
    CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        state TEXT NOT NULL,
        asked TEXT NOT NULL,
        changed TEXT NOT NULL
    );
    CREATE INDEX jobs_by_state ON jobs (state, asked);
    """,
    # Pictures are of several kinds, and found again by what draws them.
    """
    ALTER TABLE results ADD COLUMN kind TEXT NOT NULL DEFAULT 'draw';
    ALTER TABLE results ADD COLUMN request_key TEXT NOT NULL DEFAULT '';
    ALTER TABLE results ADD COLUMN model_hash TEXT NOT NULL DEFAULT '';
    UPDATE results SET request_key = request_key_of(data), model_hash = model_hash_of(data);
    CREATE INDEX results_by_kind ON results (kind, created, id);
    CREATE INDEX results_by_request ON results (request_key, model_hash);
    """,
)
BUSY_SECONDS = 10.0
TRASH_DAYS = 30

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REFUSED = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
)


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """A job as the library remembers it; times are ISO 8601 in UTC."""

    job_id: str
    request: JobRequest
    state: JobState
    asked: str
    changed: str


class Library:
    """What was made. May be used from several threads, and from several processes at once.

    Attributes:
        path: the SQLite file.
        set_aside: where a damaged file was put before this one was built from the pictures; None if it was not.
    """

    def __init__(self, path: Path, pictures: Path | None = None) -> None:
        """Open the library; make it if there is none, and rebuild it from the pictures if it is damaged.

        Args:
            path: the SQLite file, usually `library_path()`.
            pictures: the folder to rebuild from; the person's pictures folder if None.

        Raises:
            GPSDreamError: of kind `disk_full` if the file cannot be written.
        """
        self.path = path
        self.set_aside: Path | None = None
        self._pictures = pictures
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, path.parent, "the library was not opened") from error
        self._run(lambda connection: None)
        self._empty_trash()

    def close(self) -> None:
        """Close the file. The library cannot be used afterwards."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None
            self._closed = True

    # -- pictures --

    def add(self, result: Result) -> None:
        """Add a picture, or replace what is known about it."""
        self._write(lambda connection: _insert(connection, result))

    def recent(
        self, limit: int, before: str | None = None, kinds: Collection[ResultKind] = (ResultKind.DRAW,)
    ) -> list[Result]:
        """Return the newest pictures that are still on the disk, newest first.

        Args:
            limit: at most so many.
            before: id of a picture; only those older than it are returned, for the next page.
            kinds: which sorts of pictures; single drawings unless asked for others.
        """
        found: list[Result] = []
        mark: tuple[str, str] | None = None
        if before is not None:
            rows = self._read("SELECT created, id FROM results WHERE id = ?", before)
            if not rows:
                return []
            mark = rows[0][0], rows[0][1]
        while len(found) < limit:
            rows = self._read(
                "SELECT created, id, data FROM results WHERE deleted IS NULL"
                " AND kind IN (SELECT value FROM json_each(?4))"
                " AND (?1 IS NULL OR (created, id) < (?1, ?2)) ORDER BY created DESC, id DESC LIMIT ?3",
                mark[0] if mark else None,
                mark[1] if mark else None,
                limit,
                json.dumps(sorted(kinds)),
            )
            for created, result_id, data in rows:
                mark = created, result_id
                result = _result(data)
                if len(found) < limit and Path(result.path).exists():
                    found.append(result)
            if len(rows) < limit:
                break
        return found

    def get(self, result_id: str) -> Result | None:
        """Return a picture, or None if it is unknown or deleted."""
        rows = self._read("SELECT data FROM results WHERE id = ? AND deleted IS NULL", result_id)
        return _result(rows[0][0]) if rows else None

    def find(self, request: PictureRequest, model_hash: str) -> Result | None:
        """Return a picture that a request would draw again, so that it need not; None if there is none on the disk.

        Args:
            request: draws one picture. Names, how places were chosen and numbers of photos are not looked at.
            model_hash: of the weights that would draw it.

        Returns:
            The newest such picture, with the request that was asked for.
        """
        rows = self._read(
            "SELECT data FROM results WHERE request_key = ? AND model_hash = ? AND deleted IS NULL"
            " ORDER BY created DESC, id DESC",
            picture_key(request),
            _text(model_hash),
        )
        for (data,) in rows:
            result = _result(data)
            if Path(result.path).exists():
                return replace(result, request=request)
        return None

    def delete(self, result_id: str) -> None:
        """Take a picture out of the library and put its file into the trash, from where `restore` gets it back.

        The trash is emptied of everything older than 30 days when a library is opened.

        Raises:
            GPSDreamError: of kind `disk_full` if the file cannot be moved.
        """
        result = self.get(result_id)
        if result is None:
            return
        path = Path(result.path)
        try:
            if path.exists():
                self._trash.mkdir(parents=True, exist_ok=True)
                shutil.move(path, self._trashed(result_id))
        except OSError as error:
            raise storage_error(error, path, "the picture was not deleted") from error
        now = _now()
        self._write(lambda c: c.execute("UPDATE results SET deleted = ? WHERE id = ?", (now, result_id)))

    def restore(self, result_id: str) -> Result | None:
        """Undo `delete`. Returns the picture, or None if it cannot be brought back any more.

        Raises:
            GPSDreamError: of kind `disk_full` if the file cannot be moved.
        """
        rows = self._read("SELECT data FROM results WHERE id = ? AND deleted IS NOT NULL", result_id)
        if not rows:
            return self.get(result_id)
        result = _result(rows[0][0])
        path = Path(result.path)
        try:
            if self._trashed(result_id).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self._trashed(result_id), path)
        except OSError as error:
            raise storage_error(error, path, "the picture was not restored") from error
        if not path.exists():
            return None
        self._write(lambda c: c.execute("UPDATE results SET deleted = NULL WHERE id = ?", (result_id,)))
        return result

    def adopt(self, folder: Path) -> list[Result]:
        """Add the pictures of a folder that the library does not know, and follow those that were moved.

        Files that GPSDream did not write, or that are damaged, are left alone.

        Args:
            folder: is searched with its subfolders, but for hidden ones.

        Returns:
            The pictures that are new to the library.
        """
        known = {row[0] for row in self._read("SELECT path FROM results WHERE deleted IS NULL")}
        added = []
        for path in _png_files(folder):
            if _text(str(path)) in known:
                continue
            try:
                result = read_result(path)
            except GPSDreamError:
                continue
            row = self.get(result.id)
            if row and not Path(row.path).exists():
                # The same picture in another folder. The row may know more than a copy without its place.
                self.add(replace(row, path=str(path)))
            elif not row and not self._read("SELECT 1 FROM results WHERE id = ?", result.id):
                added.append(result)
                self.add(result)
        return added

    # -- jobs --

    def record_job(self, request: JobRequest, job_id: str, state: JobState | str) -> None:
        """Remember a job, or that it has come further. Raises ValueError for an unknown state."""
        name, now = JobState(state).value, _now()
        data = json.dumps(request.to_dict())
        self._write(
            lambda connection: connection.execute(
                "INSERT INTO jobs VALUES (?1, ?2, ?3, ?4, ?4)"
                " ON CONFLICT (job_id) DO UPDATE SET state = ?3, changed = ?4",
                (_text(job_id), data, name, now),
            )
        )

    def jobs(self, *states: JobState) -> list[RecordedJob]:
        """Return the jobs that are in one of these states, in any if none is given, oldest first.

        Jobs that cannot be understood, of a newer program perhaps, are left out.
        """
        wanted = states or tuple(JobState)
        rows = self._read(
            "SELECT job_id, request, state, asked, changed FROM jobs"
            " WHERE state IN (SELECT value FROM json_each(?)) ORDER BY asked, rowid",
            json.dumps(wanted),
        )
        found = []
        for job_id, data, state, asked, changed in rows:
            try:
                request = job_request_from_dict(json.loads(data))
            except (GPSDreamError, ValueError):
                log.warning("The job %s in the library cannot be understood.", job_id)
                continue
            found.append(RecordedJob(job_id, request, JobState(state), asked, changed))
        return found

    # -- inside --

    @property
    def _trash(self) -> Path:
        return self.path.parent / "trash"

    def _trashed(self, result_id: str) -> Path:
        return self._trash / f"{result_id}.png"

    def _empty_trash(self) -> None:
        limit = (datetime.now(UTC) - timedelta(days=TRASH_DAYS)).isoformat(timespec="microseconds")
        for (result_id,) in self._read("SELECT id FROM results WHERE deleted < ?", limit):
            with contextlib.suppress(OSError):
                self._trashed(result_id).unlink(missing_ok=True)
                self._write(partial(_forget, result_id=result_id))

    def _read(self, sql: str, *values: object) -> list[tuple[str, ...]]:
        return self._run(lambda connection: connection.execute(sql, values).fetchall())

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def transaction(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                work(connection)

        self._run(transaction)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the open file; if it turns out to be damaged, rebuild it and do it again."""
        with self._lock:
            if self._closed:
                raise GPSDreamError(ErrorKind.INTERNAL, "The library has been closed.")
            try:
                return work(self._open())
            except sqlite3.Error as error:
                if _code(error) not in _CORRUPT:
                    raise self._explained(error) from error
            try:
                self._set_aside()
                connection = self._open()
            except sqlite3.Error as error:
                raise self._explained(error) from error
            self.adopt(self._pictures or pictures_dir())
            return work(connection)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.create_function("request_key_of", 1, _request_key_of, deterministic=True)
                connection.create_function("model_hash_of", 1, _model_hash_of, deterministic=True)
                _migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _set_aside(self) -> None:
        """Rename the damaged file and what belongs to it; it is never deleted."""
        if self._connection:
            self._connection.close()
            self._connection = None
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        target = self.path.with_name(f"{self.path.stem}.damaged-{stamp}{self.path.suffix}")
        try:
            for end in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{end}").rename(f"{target}{end}")
        except OSError as error:
            raise storage_error(error, self.path, "the damaged library was not set aside") from error
        self.set_aside = target

    def _explained(self, error: sqlite3.Error) -> GPSDreamError:
        code = _code(error)
        if code in _REFUSED:
            reason = "The disk is full" if code == sqlite3.SQLITE_FULL else f"{self.path} cannot be written"
            return GPSDreamError(
                ErrorKind.DISK_FULL,
                f"{reason}: the library of pictures was not changed.",
                "Free some space, or check the folder's permissions. Saved pictures are found again later.",
                repr(error),
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return GPSDreamError(
                ErrorKind.INTERNAL,
                "The library of pictures is in use by another program.",
                "Close the other program and try again.",
                repr(error),
            )
        return GPSDreamError(ErrorKind.INTERNAL, "The library of pictures could not be read.", "", details=repr(error))


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; -1 for an error of the Python module itself."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _insert(connection: sqlite3.Connection, result: Result) -> None:
    place = result.request.place
    connection.execute(
        "INSERT INTO results"
        " (id, job_id, created, path, lat, lon, prompt, model, data, kind, request_key, model_hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET job_id = excluded.job_id, created = excluded.created,"
        " path = excluded.path, lat = excluded.lat, lon = excluded.lon, prompt = excluded.prompt,"
        " model = excluded.model, data = excluded.data, kind = excluded.kind,"
        " request_key = excluded.request_key, model_hash = excluded.model_hash",
        (
            result.id,
            _text(result.job_id),
            result.created,
            _text(result.path),
            place.lat if place else None,
            place.lon if place else None,
            _text(result.request.prompt),
            _text(result.request.model),
            json.dumps(result.to_dict()),
            result.kind.value,
            picture_key(result.request),
            _text(result.model_hash),
        ),
    )


def _forget(connection: sqlite3.Connection, result_id: str) -> None:
    connection.execute("DELETE FROM results WHERE id = ?", (result_id,))


def _result(data: str) -> Result:
    return Result.from_dict(json.loads(data))


def _request_key_of(data: str) -> str:
    """For the migration of rows that were written without a key."""
    try:
        return picture_key(_result(data).request)
    except (GPSDreamError, ValueError):
        return ""


def _model_hash_of(data: str) -> str:
    try:
        return _text(str(json.loads(data)["model_hash"]))
    except (ValueError, KeyError, TypeError):
        return ""


def _text(text: str) -> str:
    """Make text fit for a column: SQLite holds UTF-8, where half a surrogate pair has no place."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date. Raises GPSDreamError if a newer program made the file."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise GPSDreamError(
            ErrorKind.INTERNAL, "The library was made by a newer GPSDream.", "Update GPSDream to open it."
        )
    if version == len(MIGRATIONS):
        return
    with _transaction(connection):
        # Read once more: another process may have been faster.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            # `executescript` would end the transaction.
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _png_files(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder.absolute()):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(".png") and not name.startswith("."):
                yield Path(base, name)
