"""The library: a SQLite file with a row for every picture that was made and every job that was asked for.

The pictures are PNG files that carry everything about themselves, so a lost library is rebuilt from them. What can be
asked of it is in `search`, where deleted pictures lie in `trash`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.explanations import JobRequest, job_request_from_dict
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.results import PictureRequest, Result, ResultKind, picture_key
from gpsdream_app.library import trash
from gpsdream_app.library.paths import new_picture_path, pictures_dir, storage_error
from gpsdream_app.library.picture_metadata import read_result
from gpsdream_app.library.sqlite import storable, transaction
from gpsdream_app.library.trash import TRASH_DAYS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gpsdream_app.library.search import Entry, Facets, Found, Query

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
    # Rows get a number that stays, for the index of words; stars; and what finds a file again that was moved.
    """
    CREATE TABLE numbered_results (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        job_id TEXT NOT NULL,
        created TEXT NOT NULL,
        path TEXT NOT NULL,
        lat REAL,
        lon REAL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        data TEXT NOT NULL,
        deleted TEXT,
        kind TEXT NOT NULL DEFAULT 'draw',
        request_key TEXT NOT NULL DEFAULT '',
        model_hash TEXT NOT NULL DEFAULT '',
        star INTEGER NOT NULL DEFAULT 0,
        file_hash TEXT NOT NULL DEFAULT '',
        file_bytes INTEGER NOT NULL DEFAULT -1
    );
    INSERT INTO numbered_results
        (id, job_id, created, path, lat, lon, prompt, model, data, deleted, kind, request_key, model_hash)
        SELECT id, job_id, created, path, lat, lon, prompt, model, data, deleted, kind, request_key, model_hash
        FROM results ORDER BY created, id;
    DROP TABLE results;
    ALTER TABLE numbered_results RENAME TO results;
    CREATE INDEX results_by_time ON results (created, id);
    CREATE INDEX results_by_place ON results (lat, lon);
    CREATE INDEX results_by_kind ON results (kind, created, id);
    CREATE INDEX results_by_request ON results (request_key, model_hash);
    CREATE INDEX results_listed ON results (deleted, created, id, kind, star, model, lat, lon);
    CREATE INDEX results_by_size ON results (file_bytes);
    CREATE VIRTUAL TABLE words USING fts5(
        prompt, place, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
    );
    INSERT INTO words (rowid, prompt, place) SELECT number, prompt, place_name_of(data) FROM results;
    """,
)
BUSY_SECONDS = 10.0
STARS_FILE = "stars.json"  # beside the library: a star is the one thing that a picture does not carry itself
BATCH = 200

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


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What reading the pictures again came to.

    Attributes:
        added: pictures that the library did not know.
        followed: pictures that were found in another place.
        missing: pictures whose files are still not there.
    """

    added: int
    followed: int
    missing: int


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
        self.add_all([result])

    def add_all(self, results: Sequence[Result]) -> None:
        """Add pictures, all or none; what is known about an id is replaced, its star stays."""
        files = [_fingerprint(Path(result.path)) for result in results]

        def insert(connection: sqlite3.Connection) -> None:
            for result, file in zip(results, files, strict=True):
                _insert(connection, result, *file)

        self._write(insert)

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
            storable(model_hash),
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
        trash.throw_away(Path(result.path), self._trash, result_id)
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
        if not trash.bring_back(Path(result.path), self._trash, result_id):
            return None
        self._write(lambda c: c.execute("UPDATE results SET deleted = NULL WHERE id = ?", (result_id,)))
        return result

    def delete_for_good(self, result_ids: Iterable[str]) -> int:
        """Delete pictures that are in the trash, and forget them; others are left alone. Returns how many there were.

        Raises:
            GPSDreamError: of kind `disk_full` if a file cannot be deleted; those before it are gone.
        """
        count = 0
        for result_id in result_ids:
            if self._read("SELECT 1 FROM results WHERE id = ? AND deleted IS NOT NULL", result_id):
                trash.delete_for_good(self._trash, result_id)
                self._write(partial(_forget, result_id=result_id))
                count += 1
        return count

    def trashed_path(self, result_id: str) -> Path:
        """Return where the file of a deleted picture lies."""
        return trash.trashed_path(self._trash, result_id)

    # -- asking for many --

    def search(self, query: Query) -> NDArray[np.int64]:
        """Return the numbers of all rows that a query asks for, in its order.

        Whether the pictures' files are there is not looked at. `entries` reads what is known about rows.
        """
        # Imported late, and numpy with it, which most commands that open a library do not need.
        from gpsdream_app.library.search import numbers_of, statement

        if query.region:
            return self.places(query).numbers
        sql, values = statement(query)
        # One long text instead of 100,000 rows: they would be made one by one in Python, and hold up the window.
        return numbers_of(self._read(f"SELECT group_concat(number) FROM ({sql})", *values)[0][0])

    def places(self, query: Query) -> Found:
        """Return the same with the place of each picture, for a map."""
        from gpsdream_app.library.search import found, statement

        sql, values = statement(query)
        return found(self._read(sql, *values), query)

    def entries(self, numbers: Iterable[int]) -> list[Entry]:
        """Return what is known about rows, in the order asked for; those that are gone are left out."""
        from gpsdream_app.library.search import Entry

        wanted = [int(number) for number in numbers]
        rows = self._read(
            "SELECT number, data, star, deleted FROM results WHERE number IN (SELECT value FROM json_each(?))",
            json.dumps(wanted),
        )
        read: dict[int, Entry] = {}
        for number, data, star, deleted in rows:
            try:
                read[number] = Entry(number, _result(data), bool(star), deleted or "")
            except (GPSDreamError, ValueError):
                log.warning("Row %s of the library cannot be understood.", number)
        return [read[number] for number in wanted if number in read]

    def number(self, result_id: str) -> int | None:
        """Return the number of a picture's row, in the trash or not; None if it is unknown."""
        rows = self._read("SELECT number FROM results WHERE id = ?", result_id)
        return int(rows[0][0]) if rows else None

    def facets(self) -> Facets:
        """Count what there is to choose from."""
        from gpsdream_app.library.search import Facets

        rows = self._read(
            "SELECT deleted IS NOT NULL, kind, model, count(*), sum(star) FROM results GROUP BY 1, 2, 3 ORDER BY 4 DESC"
        )
        kinds: dict[ResultKind, int] = {}
        models: dict[str, int] = {}
        total = starred = trashed = 0
        for deleted, kind, model, count, stars in rows:
            if deleted:
                trashed += count
                continue
            total += count
            starred += stars
            models[model] = models.get(model, 0) + count
            if kind in set(ResultKind):
                kinds[ResultKind(kind)] = kinds.get(ResultKind(kind), 0) + count
        return Facets(total, kinds, dict(sorted(models.items(), key=lambda item: -item[1])), starred, trashed)

    def set_star(self, result_ids: Collection[str], starred: bool) -> None:
        """Give pictures a star, or take it from them."""
        ids = json.dumps(sorted(result_ids))
        self._write(
            lambda connection: connection.execute(
                "UPDATE results SET star = ?1 WHERE id IN (SELECT value FROM json_each(?2))", (int(starred), ids)
            )
        )
        stars = [row[0] for row in self._read("SELECT id FROM results WHERE star = 1 ORDER BY id")]
        with contextlib.suppress(OSError), whole_file(self._stars) as temporary:
            temporary.write_text(json.dumps(stars), encoding="utf-8")

    # -- files that went elsewhere --

    def missing(self) -> list[Result]:
        """Return the pictures whose files are not where they were."""
        rows = self._read("SELECT number, path FROM results WHERE deleted IS NULL")
        gone = [number for number, path in rows if not Path(str(path)).exists()]
        return [entry.result for start in range(0, len(gone), BATCH) for entry in self.entries(gone[start:][:BATCH])]

    def find_again(self, folder: Path) -> list[Result]:
        """Look in a folder for pictures that were moved or renamed, and remember where they are now.

        A file is known by its bytes; where those have changed, by what the picture says about itself.

        Args:
            folder: is searched with its subfolders, but for hidden ones.

        Returns:
            The pictures that were found, with their new paths.
        """
        lost = {result.id: result for result in self.missing()}
        if not lost:
            return []
        rows = self._read("SELECT id, file_hash, file_bytes FROM results WHERE deleted IS NULL AND file_hash != ''")
        by_hash = {file_hash: result_id for result_id, file_hash, _ in rows if result_id in lost}
        sizes = {size for result_id, _, size in rows if result_id in lost}
        again: list[Result] = []
        for path in _files(folder):
            if not lost:
                break
            result_id = ""
            with contextlib.suppress(OSError):
                if path.stat().st_size in sizes:
                    result_id = by_hash.get(_fingerprint(path)[0], "")
            if not result_id and path.suffix.lower() == ".png":
                with contextlib.suppress(GPSDreamError):
                    result_id = read_result(path).id
            result = lost.pop(result_id, None)
            if result:
                # The row may know more than a copy without its place.
                again.append(replace(result, path=str(path)))
        if again:
            self.add_all(again)
        return again

    def rebuild(self, folder: Path | None = None) -> Rebuilt:
        """Read all pictures again: add what the library does not know, and follow what was moved.

        Nothing is taken out. Pictures in the trash and stars come back too, if the library has lost them.

        Args:
            folder: the pictures; the person's pictures folder if None.
        """
        folder = folder or self._pictures or pictures_dir()
        added = self.adopt(folder)
        followed = self.find_again(folder)
        self._adopt_trash()
        self._read_stars()
        return Rebuilt(len(added), len(followed), len(self.missing()))

    def take_fingerprints(self, limit: int = BATCH) -> int:
        """Note by what files are found again, for pictures of older versions. Returns how many were noted."""
        rows = self._read(
            "SELECT number, path FROM results WHERE file_bytes = -1 AND deleted IS NULL ORDER BY number LIMIT ?", limit
        )
        marks = [(*_fingerprint(Path(path)), number) for number, path in rows]
        # A file that is not there now is not looked for every time.
        marks = [(mark, max(size, 0), number) for mark, size, number in marks]
        self._write(lambda c: c.executemany("UPDATE results SET file_hash = ?, file_bytes = ? WHERE number = ?", marks))
        return len(marks)

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
            if storable(str(path)) in known:
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
                (storable(job_id), data, name, now),
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

    def drawn_by(self, job_id: str) -> list[PictureRequest]:
        """Return what draws each picture that a job has finished, those in the trash included."""
        rows = self._read("SELECT data FROM results WHERE job_id = ?", storable(job_id))
        found = []
        for (data,) in rows:
            with contextlib.suppress(GPSDreamError, ValueError):
                found.append(_result(data).request)
        return found

    # -- inside --

    @property
    def _trash(self) -> Path:
        return self.path.parent / "trash"

    @property
    def _stars(self) -> Path:
        return self.path.parent / STARS_FILE

    def _empty_trash(self) -> None:
        limit = (datetime.now(UTC) - timedelta(days=TRASH_DAYS)).isoformat(timespec="microseconds")
        with contextlib.suppress(GPSDreamError):
            self.delete_for_good([row[0] for row in self._read("SELECT id FROM results WHERE deleted < ?", limit)])

    def _adopt_trash(self) -> None:
        """Give deleted pictures their rows back that the library has lost."""
        now = _now()
        for path in trash.trashed_files(self._trash):
            try:
                result = read_result(path)
            except GPSDreamError:
                continue
            if result.id != path.stem or self.number(result.id) is not None:
                continue
            # Where it was is lost with the row; its name is made anew.
            home = new_picture_path(self._pictures or pictures_dir(), result.created, result.id)
            self.add(replace(result, path=str(home)))
            self._write(partial(_mark_deleted, result_id=result.id, when=now))

    def _read_stars(self) -> None:
        try:
            stars = json.loads(self._stars.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return
        if isinstance(stars, list):
            ids = json.dumps([star for star in stars if isinstance(star, str)])
            self._write(
                lambda connection: connection.execute(
                    "UPDATE results SET star = 1 WHERE id IN (SELECT value FROM json_each(?))", (ids,)
                )
            )

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(lambda connection: connection.execute(sql, values).fetchall())

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def whole(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                work(connection)

        self._run(whole)

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
            self._adopt_trash()
            self._read_stars()
            return work(connection)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.create_function("request_key_of", 1, _request_key_of, deterministic=True)
                connection.create_function("model_hash_of", 1, _model_hash_of, deterministic=True)
                connection.create_function("place_name_of", 1, _place_name_of, deterministic=True)
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


def _insert(connection: sqlite3.Connection, result: Result, file_hash: str, file_bytes: int) -> None:
    place = result.request.place
    prompt = storable(result.request.prompt)
    rows = connection.execute(
        "INSERT INTO results"
        " (id, job_id, created, path, lat, lon, prompt, model, data, kind, request_key, model_hash,"
        " file_hash, file_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET job_id = excluded.job_id, created = excluded.created,"
        " path = excluded.path, lat = excluded.lat, lon = excluded.lon, prompt = excluded.prompt,"
        " model = excluded.model, data = excluded.data, kind = excluded.kind,"
        " request_key = excluded.request_key, model_hash = excluded.model_hash,"
        # What a file was stays known while the file is away.
        " file_hash = iif(excluded.file_hash = '', file_hash, excluded.file_hash),"
        " file_bytes = iif(excluded.file_hash = '', file_bytes, excluded.file_bytes)"
        " RETURNING number",
        (
            result.id,
            storable(result.job_id),
            result.created,
            storable(result.path),
            place.lat if place else None,
            place.lon if place else None,
            prompt,
            storable(result.request.model),
            json.dumps(result.to_dict()),
            result.kind.value,
            picture_key(result.request),
            storable(result.model_hash),
            file_hash,
            file_bytes,
        ),
    ).fetchall()
    number = rows[0][0]
    connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
    connection.execute(
        "INSERT INTO words (rowid, prompt, place) VALUES (?, ?, ?)",
        (number, prompt, storable(place.name) if place else ""),
    )


def _forget(connection: sqlite3.Connection, result_id: str) -> None:
    connection.execute("DELETE FROM words WHERE rowid = (SELECT number FROM results WHERE id = ?)", (result_id,))
    connection.execute("DELETE FROM results WHERE id = ?", (result_id,))


def _mark_deleted(connection: sqlite3.Connection, result_id: str, when: str) -> None:
    connection.execute("UPDATE results SET deleted = ? WHERE id = ?", (when, result_id))


def _fingerprint(path: Path) -> tuple[str, int]:
    """Return hexadecimal digits that only these bytes have, and how many bytes there are; "", -1 without a file."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return digest.hexdigest(), file.tell()
    except (OSError, ValueError):
        return "", -1


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
        return storable(str(json.loads(data)["model_hash"]))
    except (ValueError, KeyError, TypeError):
        return ""


def _place_name_of(data: str) -> str:
    """For the migration of rows whose words were not listed."""
    try:
        place = _result(data).request.place
        return storable(place.name) if place else ""
    except (GPSDreamError, ValueError):
        return ""


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date. Raises GPSDreamError if a newer program made the file."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise GPSDreamError(
            ErrorKind.INTERNAL, "The library was made by a newer GPSDream.", "Update GPSDream to open it."
        )
    if version == len(MIGRATIONS):
        return
    with transaction(connection):
        # Read once more: another process may have been faster.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            # `executescript` would end the transaction.
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _png_files(folder: Path) -> Iterator[Path]:
    return (path for path in _files(folder) if path.name.lower().endswith(".png"))


def _files(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder.absolute()):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(base, name)
