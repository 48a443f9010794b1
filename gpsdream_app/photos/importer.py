"""Importing a folder of photos: every file is found, read if it is new, and its fate written down."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.photos.catalogue import Catalogue, Entry, FileMark
from gpsdream_app.photos.pool import Job, Reading, default_workers, read_in_processes
from gpsdream_app.photos.records import READER_VERSION, Outcome, PhotoRecord, Reason, clean_text
from gpsdream_app.photos.report import ImportReport
from gpsdream_app.photos.sidecars import SIDECAR_SUFFIXES, SidecarIndex
from gpsdream_app.photos.walk import walk

WRITE_FILES = 500  # outcomes that wait at most before they are written
WRITE_SECONDS = 2.0  # that an outcome waits at most, so that little is lost when the program ends
REPORT_SECONDS = 0.1  # between two reports of progress
RATE_SECONDS = 20.0  # time over which the speed is averaged for the estimate


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is.

    Attributes:
        done: files whose fate is known; while the folder is being looked through, files found so far.
        total: files there are; None while the folder is being looked through.
        counts: files per reason so far.
        unchanged: files so far that did not have to be read.
        seconds_left: an estimate; None while there is none.
    """

    done: int
    total: int | None
    counts: Mapping[Reason, int]
    unchanged: int = 0
    seconds_left: float | None = None


class TimeLeft:
    """Estimates how long the rest takes from the speed of late. Times are in seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self._marks: list[tuple[float, int]] = [(now, 0)]

    def update(self, now: float, done: int, total: int) -> float | None:
        """Return the seconds left when `done` of `total` are finished; None if it is too early to tell."""
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_SECONDS:
            self._marks.pop(0)
        start, before = self._marks[0]
        if done >= total:
            return 0.0
        if now - start < 1.0 or done - before < 1:
            return None
        return (total - done) * (now - start) / (done - before)


@dataclass(slots=True)
class _Ledger:
    """What an import has found so far: counts for the report, rows for the catalogue."""

    catalogue: Catalogue
    number: int
    total: int
    on_progress: Callable[[ImportProgress], None] | None
    counts: Counter[Reason] = field(default_factory=Counter)
    read: int = 0
    unchanged: int = 0
    entries: list[Entry] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    written: float = 0.0
    reported: float = 0.0
    time_left: TimeLeft = field(default_factory=lambda: TimeLeft(time.monotonic()))

    def add(self, outcome: Outcome, mark: FileMark, record: PhotoRecord | None = None) -> None:
        self.entries.append(Entry(outcome, mark, record))
        self._count(outcome.reason)

    def add_unchanged(self, path: str, reason: Reason) -> None:
        self.untouched.append(path)
        self.unchanged += 1
        self._count(reason)

    def _count(self, reason: Reason) -> None:
        self.counts[reason] += 1
        now = time.monotonic()
        if len(self.entries) + len(self.untouched) >= WRITE_FILES or now - self.written > WRITE_SECONDS:
            self.write()
        if now - self.reported >= REPORT_SECONDS:
            self.report()

    def write(self) -> None:
        if self.entries or self.untouched:
            self.catalogue.write(self.number, self.entries, self.untouched)
            self.entries, self.untouched = [], []
        self.written = time.monotonic()

    def report(self) -> None:
        self.reported = time.monotonic()
        if self.on_progress:
            done = self.counts.total()
            total = max(self.total, done)  # files may have come since they were counted
            left = self.time_left.update(self.reported, done, total)
            self.on_progress(ImportProgress(done, total, Counter(self.counts), self.unchanged, left))


def import_folder(
    folder: Path,
    catalogue: Catalogue,
    *,
    workers: int | None = None,
    on_progress: Callable[[ImportProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import all photos under a folder into the catalogue.

    Files that an earlier import found, and that have kept size, time and sidecars, are not read again. Files that are
    gone are taken out of the catalogue. An import that was cancelled keeps what it has read, and the next one goes on
    from there. No photo is ever changed.

    Args:
        folder: with photos, in it or in folders below it.
        catalogue: to write to.
        workers: number of worker processes; None is one per core, at most 8; 0 reads in this process, where a file that
            crashes a decoder takes the program with it.
        on_progress: called some times per second, from this thread.
        cancelled: asked often, from this thread.

    Returns:
        What became of every file.

    Raises:
        GPSDreamError: if there is no such folder, or the catalogue cannot be written.
    """
    started = time.monotonic()
    stop = _latched(cancelled)
    root = checked_folder(folder)
    if workers is not None and workers < 0:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "The number of workers cannot be negative.", "Give 1 or more.")
    number = catalogue.begin_import(root)
    index = SidecarIndex()
    try:
        total = _look_through(root, index, on_progress, stop)
        ledger = _Ledger(catalogue, number, total, on_progress)
        shut: list[Path] = []
        jobs = _jobs(root, index, ledger, shut, stop)
        count = default_workers() if workers is None else workers
        readings = read_in_processes(jobs, workers=count, cancelled=stop) if count else _read_here(jobs)
        with contextlib.closing(readings):  # ends the worker processes, whatever happens here
            for job, outcome, record in readings:
                ledger.read += 1
                ledger.add(outcome, _mark(job), record)
        stopped = stop()
        if not stopped:
            for path in index.paths:
                if Path(path).is_relative_to(root):
                    detail = index.detail(path) or ""
                    ledger.add(Outcome(Path(path), Reason.SIDECAR, detail), FileMark(0, 0))
        ledger.write()
        gone = 0 if stopped else catalogue.finish_import(number, root, keep=shut)
        ledger.report()
    except sqlite3.Error as error:  # of the index of sidecars; the catalogue translates its own
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            "The sidecars could not be read into a temporary file.",
            "Free some space on the disk for temporary files.",
            repr(error),
        ) from error
    finally:
        index.close()
    return ImportReport(
        folder=root,
        number=number,
        cancelled=stopped,
        seconds=time.monotonic() - started,
        counts=dict(ledger.counts),
        read=ledger.read,
        unchanged=ledger.unchanged,
        gone=gone,
        summary=catalogue.summary(root),
        catalogue=catalogue,
    )


def _latched(cancelled: Callable[[], bool] | None) -> Callable[[], bool]:
    """Return a function that keeps saying yes once it has: a half-done import must never take itself for whole."""
    said_yes = False

    def stop() -> bool:
        nonlocal said_yes
        said_yes = said_yes or bool(cancelled and cancelled())
        return said_yes

    return stop


def checked_folder(folder: Path) -> Path:
    """Return the absolute path of a folder, without links, under which the catalogue knows it.

    Raises:
        GPSDreamError: if there is no such folder, or it cannot be looked into.
    """
    name = clean_text(folder, 200)
    try:
        root = folder.expanduser().resolve(strict=True)
        str(root).encode("utf-8")
        if not root.is_dir():
            raise GPSDreamError(
                ErrorKind.BAD_PHOTO, f"{name} is a file, not a folder.", "Give the folder that holds the photos."
            )
        with os.scandir(root):
            pass
    except FileNotFoundError:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, f"There is no folder {name}.", "Check its name, and that its disk is connected."
        ) from None
    except UnicodeEncodeError:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, "The name of the folder is not valid text.", "Rename the folder."
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The folder {name} cannot be opened: {clean_text(reason, 200)}.",
            "Check its permissions.",
        ) from None
    return root


def _look_through(
    root: Path,
    index: SidecarIndex,
    on_progress: Callable[[ImportProgress], None] | None,
    cancelled: Callable[[], bool],
) -> int:
    """Count what there is under a folder, and read the sidecars in it and beside it."""
    total = 0
    reported = 0.0
    # A table beside the folder often names its files as folder/file.
    for path in _sidecars_of(root.parent):
        _load(index, path, cancelled)
    for item in walk(root, cancelled):
        total += 1
        if isinstance(item, str) and item.lower().endswith(SIDECAR_SUFFIXES):
            _load(index, Path(item), cancelled)
        now = time.monotonic()
        if on_progress and now - reported >= REPORT_SECONDS:
            reported = now
            on_progress(ImportProgress(total, None, {}))
    return total


def _sidecars_of(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as scan:
            return sorted(
                Path(entry.path)
                for entry in scan
                if entry.name.lower().endswith(SIDECAR_SUFFIXES) and entry.is_file() and entry.name.isprintable()
            )
    except OSError:
        return []


def _load(index: SidecarIndex, path: Path, cancelled: Callable[[], bool]) -> None:
    try:
        index.load(path, cancelled)
    except OSError:
        return  # the reader meets the same file later, and says why it cannot be opened


def _jobs(
    root: Path,
    index: SidecarIndex,
    ledger: _Ledger,
    shut: list[Path],
    cancelled: Callable[[], bool],
) -> Iterator[Job]:
    """Yield the files to read; what needs no reading goes straight into the ledger."""
    sidecars = set(index.paths)
    for item in walk(root, cancelled):
        if cancelled():
            return
        if isinstance(item, Outcome):
            if item.reason is Reason.UNREADABLE_FOLDER:
                shut.append(item.path)
            ledger.add(item, FileMark(0, 0))
            continue
        if item in sidecars:  # its outcome comes last, when it is known which rows were used
            continue
        try:
            status = os.stat(item)  # noqa: PTH116  a Path per file costs more than the call
        except OSError as error:
            detail = clean_text(error.strerror or "", 100).lower()
            ledger.add(Outcome(Path(item), Reason.UNREADABLE, detail), FileMark(0, 0))
            continue
        job = Job(item, status.st_size, status.st_mtime_ns, index.fields(item))
        known = ledger.catalogue.known(item)
        if known is not None and known[0] == _mark(job) and known[1] not in _ASK_AGAIN:
            ledger.add_unchanged(item, known[1])
        else:
            yield job


# These say something about the moment or the installation rather than about the file.
_ASK_AGAIN = frozenset((Reason.UNREADABLE, Reason.READER_DIED, Reason.TOO_SLOW, Reason.NO_HEIC_READER))


def _mark(job: Job) -> FileMark:
    return FileMark(job.size, job.mtime, job.sidecar.mark if job.sidecar else "", READER_VERSION)


def _read_here(jobs: Iterator[Job]) -> Generator[Reading]:
    """Read files in this process, one after the other."""
    from gpsdream_app.photos.reader import read_photo

    for job in jobs:
        outcome, record = read_photo(Path(job.path), job.sidecar, size=job.size, mtime=job.mtime)
        yield job, outcome, record
