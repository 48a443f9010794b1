"""The queue of jobs as it is kept on the disk, so that no end of the program loses one: a SQLite file of its own.

A damaged library is built again from its pictures; what is still to be drawn stands nowhere else, so it is kept apart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from gpsdream_app.domain.averages import AverageRequest, SeriesRequest
from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.explanations import JobRequest, job_request_from_dict
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import MAX_SEED, GenerateRequest
from gpsdream_app.domain.results import PictureRequest, picture_key
from gpsdream_app.library.paths import storage_error
from gpsdream_app.library.sqlite import storable, transaction

log = logging.getLogger(__name__)

FILE_NAME = "queue.sqlite"
BUSY_SECONDS = 10.0
DAYS_KEPT = 30  # after which jobs that are over are forgotten
CLOCK_SECONDS = 5.0
MAX_DETAILS = 20_000  # characters of a failure's details

KeptRequest = GenerateRequest | AverageRequest | SeriesRequest | LiftRequest
"""What is worth to be kept: what comes of it lies on the disk. Answers to questions do not."""

MIGRATIONS = (
    """
    CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        title TEXT NOT NULL,
        state TEXT NOT NULL,
        position INTEGER NOT NULL,
        owner TEXT NOT NULL,
        failure TEXT NOT NULL DEFAULT '',
        asked TEXT NOT NULL,
        changed TEXT NOT NULL
    );
    CREATE INDEX jobs_in_order ON jobs (state, position);
    CREATE TABLE endings (owner TEXT PRIMARY KEY);
    """,
)


class StoredState(StrEnum):
    """How far a job is; the last three are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # a person has not said yet whether it shall go on
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (StoredState.WAITING, StoredState.RUNNING, StoredState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as the disk has it.

    Attributes:
        job_id: its id.
        request: what it does, as a person asked for it, whatever part of it is done.
        title: what people call it; may be empty.
        state: how far it is.
        failure: why it failed; None if it did not.
    """

    job_id: str
    request: KeptRequest
    title: str
    state: StoredState
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an earlier run of the program left.

    Attributes:
        interrupted: jobs that were not finished, in their order.
        failed: jobs that failed, the oldest first.
        crashed: whether it ended without being asked to.
        set_aside: where a damaged file was put; None if it was sound.
    """

    interrupted: tuple[StoredJob, ...] = ()
    failed: tuple[StoredJob, ...] = ()
    crashed: bool = False
    set_aside: Path | None = None


class StoredQueue:
    """The file. May be used from several threads, and from several processes at once: each has jobs of its own.

    All methods raise GPSDreamError if the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """Open the file; make it if there is none. A damaged one is set aside, and an empty one made.

        Args:
            path: of the file.
        """
        self.path = path
        self.set_aside: Path | None = None
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._owner = _name_of_process(os.getpid())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, path.parent, "the queue was not opened") from error
        with self._lock, self._told():
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._put_aside()
                self._open()

    # -- jobs --

    def add(self, job_id: str, request: KeptRequest, title: str = "") -> None:
        """Put a job at the end. One that is known becomes one that waits again, at the end, with its first request."""
        now = _now()
        self._write(
            "INSERT INTO jobs (job_id, request, title, state, position, owner, asked, changed)"
            " VALUES (?1, ?2, ?3, ?4, (SELECT ifnull(max(position), 0) + 1 FROM jobs), ?5, ?6, ?6)"
            " ON CONFLICT (job_id) DO UPDATE SET state = ?4, position = excluded.position, owner = ?5,"
            " failure = '', changed = ?6",
            storable(job_id),
            json.dumps(request.to_dict()),
            storable(title),
            StoredState.WAITING.value,
            self._owner,
            now,
        )

    def set_state(self, job_id: str, state: StoredState, failure: Failure | None = None) -> None:
        """Note how far a job is. An unknown job is left alone."""
        self._write(
            "UPDATE jobs SET state = ?2, failure = ?3, owner = ?4, changed = ?5 WHERE job_id = ?1",
            storable(job_id),
            StoredState(state).value,
            _failure_text(failure),
            self._owner,
            _now(),
        )

    def put_in_order(self, job_ids: Sequence[str]) -> None:
        """Put jobs one after the other; they take the places that they have among them now."""
        with self._lock, self._told():
            connection = self._open()
            with transaction(connection):
                ids = [storable(job_id) for job_id in job_ids]
                rows = connection.execute(
                    "SELECT job_id, position FROM jobs WHERE job_id IN (SELECT value FROM json_each(?))"
                    " ORDER BY position",
                    (json.dumps(ids),),
                ).fetchall()
                known = {job_id for job_id, _ in rows}
                wanted = [job_id for job_id in dict.fromkeys(ids) if job_id in known]
                connection.executemany(
                    "UPDATE jobs SET position = ? WHERE job_id = ?",
                    [(position, job_id) for (_, position), job_id in zip(rows, wanted, strict=True)],
                )

    def jobs(self, *states: StoredState) -> list[StoredJob]:
        """Return the jobs in one of these states, in any if none is given, in their order.

        Jobs that cannot be understood, of a newer program perhaps, are left out and stay where they are.
        """
        return self._read("", states or tuple(StoredState))

    def get(self, job_id: str) -> StoredJob | None:
        """Return a job, or None."""
        return next(iter(self._read("AND job_id = ?2", tuple(StoredState), storable(job_id))), None)

    # -- beginning and end --

    def recover(self) -> Recovered:
        """Take over what processes that are gone have left: it is interrupted until a person says what becomes of it.

        Jobs of another process that runs are left to it. What was over long ago is forgotten.
        """
        with self._lock, self._told():
            try:
                return self._recover()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._put_aside()
                return self._recover()

    def end(self) -> None:
        """Note that the program was asked to end, and close the file."""
        with self._lock:
            if self._connection is None:
                return
            try:
                self._write("INSERT OR IGNORE INTO endings VALUES (?)", self._owner)
            finally:
                self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    # -- inside --

    def _recover(self) -> Recovered:
        connection = self._open()
        with transaction(connection):
            owners = [row[0] for row in connection.execute("SELECT DISTINCT owner FROM jobs")]
            gone = [owner for owner in owners if owner == self._owner or not _is_running(owner)]
            ended = {row[0] for row in connection.execute("SELECT owner FROM endings")}
            lost = connection.execute(
                "SELECT DISTINCT owner FROM jobs WHERE state IN (?, ?) AND owner IN (SELECT value FROM json_each(?))",
                (StoredState.WAITING, StoredState.RUNNING, json.dumps(gone)),
            ).fetchall()
            crashed = any(owner not in ended for (owner,) in lost)
            connection.execute(
                "UPDATE jobs SET state = ?1, owner = ?2 WHERE state IN (SELECT value FROM json_each(?3))"
                " AND owner IN (SELECT value FROM json_each(?4))",
                (StoredState.INTERRUPTED, self._owner, json.dumps(UNFINISHED), json.dumps(gone)),
            )
            connection.execute(
                "UPDATE jobs SET owner = ?1 WHERE state = ?2 AND owner IN (SELECT value FROM json_each(?3))",
                (self._owner, StoredState.FAILED, json.dumps(gone)),
            )
            limit = (datetime.now(UTC) - timedelta(days=DAYS_KEPT)).isoformat(timespec="microseconds")
            connection.execute(
                "DELETE FROM jobs WHERE state IN (?, ?, ?) AND changed < ?",
                (StoredState.DONE, StoredState.CANCELLED, StoredState.FAILED, limit),
            )
            connection.execute(
                "DELETE FROM endings WHERE owner = ? OR owner NOT IN (SELECT owner FROM jobs)", (self._owner,)
            )
        mine = "AND owner = ?2"
        return Recovered(
            tuple(self._read(mine, (StoredState.INTERRUPTED,), self._owner)),
            tuple(self._read(mine, (StoredState.FAILED,), self._owner)),
            crashed,
            self.set_aside,
        )

    def _read(self, condition: str, states: Sequence[StoredState], *values: str) -> list[StoredJob]:
        with self._lock, self._told():
            rows = self._open().execute(
                "SELECT job_id, request, title, state, failure FROM jobs"
                f" WHERE state IN (SELECT value FROM json_each(?1)) {condition} ORDER BY position, rowid",
                (json.dumps(states), *values),
            )
            found = []
            for job_id, request, title, state, failure in rows:
                try:
                    kept = _kept_request(json.loads(request))
                    found.append(StoredJob(job_id, kept, title, StoredState(state), _failure(failure)))
                except (GPSDreamError, ValueError, TypeError, KeyError, RecursionError):
                    log.warning("The job %s of the queue cannot be understood.", job_id)
            return found

    def _write(self, sql: str, *values: object) -> None:
        with self._lock, self._told():
            connection = self._open()
            with transaction(connection):
                connection.execute(sql, values)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Put what SQLite says in words."""
        try:
            yield
        except sqlite3.Error as error:
            raise GPSDreamError(
                ErrorKind.DISK_FULL,
                f"The queue cannot be kept in {self.path}: {error}.",
                "Free some space, or check the folder's permissions. Jobs go on, but are lost if the program ends.",
                repr(error),
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _put_aside(self) -> None:
        """Rename the damaged file and what belongs to it; it is never deleted."""
        self.close()
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        target = self.path.with_name(f"{self.path.stem}.damaged-{stamp}{self.path.suffix}")
        try:
            for end in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{end}").rename(f"{target}{end}")
        except OSError as error:
            raise storage_error(error, self.path, "the damaged queue was not set aside") from error
        self.set_aside = target


def rest_of(request: KeptRequest, drawn: Sequence[PictureRequest]) -> KeptRequest | None:
    """Return what of a job is still to be done.

    Series and lifts look for themselves what of them is on the disk, so they are returned as they are.

    Args:
        request: the whole job.
        drawn: what draws the pictures of it that are finished, in any order.

    Returns:
        A request for the pictures from the first one on that is missing; None if there is none.
    """
    if not isinstance(request, GenerateRequest | AverageRequest):
        return request
    keys = {picture_key(one) for one in drawn}
    first = next((index for index in range(request.count) if picture_key(request.picture(index)) not in keys), None)
    if first is None:
        return None
    if isinstance(request, AverageRequest):
        # Noises of one region share their places; only whole regions can be left out.
        return replace(request, regions=request.regions[first // request.noises :])
    return replace(request, seed=(request.seed + first) % (MAX_SEED + 1), count=request.count - first)


def _kept_request(data: Any) -> KeptRequest:
    request: JobRequest = job_request_from_dict(data)
    if not isinstance(request, KeptRequest):
        raise ValueError(type(request).__name__)
    return request


def _failure_text(failure: Failure | None) -> str:
    if failure is None:
        return ""
    return json.dumps({**asdict(failure), "details": failure.details[-MAX_DETAILS:]})


def _failure(text: str) -> Failure | None:
    if not text:
        return None
    data = json.loads(text)
    texts = {field.name: str(data[field.name]) for field in fields(Failure) if field.name in data}
    return Failure(ErrorKind(texts.pop("kind")), **texts)


def _name_of_process(pid: int) -> str:
    """Return a name that no other process has had since the computer was started, nor will have."""
    return f"{pid} {psutil.Process(pid).create_time():.2f}"


def _is_running(owner: str) -> bool:
    number, _, began = owner.partition(" ")
    try:
        process = psutil.Process(int(number))
        # A clock that is put right moves the beginning of a process a little.
        same: bool = abs(process.create_time() - float(began)) < CLOCK_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):
        return False


def _is_damage(error: sqlite3.Error) -> bool:
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code >= 0 and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date. Raises GPSDreamError if a newer program made the file."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
        return
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise GPSDreamError(
                ErrorKind.INTERNAL, "The queue was made by a newer GPSDream.", "Update GPSDream to see its jobs."
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
