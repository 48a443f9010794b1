"""Several worker processes that read photos side by side, and survive files that crash or stop them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpsdream_app
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.photos.records import Outcome, PhotoRecord, Reason
from gpsdream_app.photos.sidecars import SidecarFields

BATCH = 8  # files that a worker has before it at a time: enough that it never waits
BATCH_BYTES = 8_000  # of messages that it has before it, far below what a pipe holds
PATIENCE = 120.0  # seconds without an answer after which a file is given up
# -P keeps the current folder, which may be full of somebody's downloads, off the path of modules.
COMMAND = (sys.executable, "-P", "-m", "gpsdream_app.photos.worker")
POLL = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read.

    Attributes:
        path: absolute path.
        size: in bytes.
        mtime: nanoseconds since 1970.
        sidecar: what sidecars say about it; None if nothing.
    """

    path: str
    size: int
    mtime: int
    sidecar: SidecarFields | None = None


Reading = tuple[Job, Outcome, PhotoRecord | None]


class _Worker:
    """One child process, the jobs that it has not answered yet, and the thread that takes its answers."""

    def __init__(self, inbox: queue.SimpleQueue[tuple[_Worker, bytes | None]]) -> None:
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", PYTHONIOENCODING="utf-8")
        # The package must be found even where it runs from a source tree.
        package = str(Path(gpsdream_app.__file__).resolve().parents[1])
        paths = [package, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        self.process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # only what it writes until it is ready, a traceback at most
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.pending: deque[tuple[Job, int]] = deque()
        self.ready = False
        self.given_up: Job | None = None
        self.last_answer = time.monotonic()
        self._inbox = inbox
        self._thread = threading.Thread(target=self._listen, name="photo-answers", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self.process.stdout:
                self._inbox.put((self, line))
        self._inbox.put((self, None))

    def give(self, job: Job) -> None:
        """Hand a job over. A worker that has died takes it too; its end is told by the inbox."""
        if not self.pending:
            self.last_answer = time.monotonic()
        assert self.process.stdin is not None
        values = {
            "path": job.path,
            "size": job.size,
            "mtime": job.mtime,
            "sidecar": job.sidecar.to_json() if job.sidecar else None,
        }
        message = json.dumps(values).encode("ascii") + b"\n"
        self.pending.append((job, len(message)))
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(message)
            self.process.stdin.flush()

    @property
    def has_room(self) -> bool:
        """Whether another job fits in without a wait: a full pipe to a worker that hangs would block this process."""
        return (
            self.given_up is None
            and len(self.pending) < BATCH
            and sum(length for _, length in self.pending) < BATCH_BYTES
        )

    def kill(self) -> None:
        """End the process at once; it only reads, so nothing is lost."""
        with contextlib.suppress(OSError):
            self.process.kill()

    def close(self) -> str:
        """End the process, give everything back, and return the last lines that it wrote as errors."""
        self.kill()
        self.process.wait()
        self._thread.join()
        errors = self.process.stderr.read() if self.process.stderr else b""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # bytes that a dead worker did not take
                    pipe.close()
        return errors[-4000:].decode("utf-8", "replace")


def default_workers() -> int:
    """Number of worker processes that suits this machine: one per core, at most 8."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(8, cores))


def read_in_processes(
    jobs: Iterator[Job],
    *,
    workers: int,
    cancelled: Callable[[], bool] | None = None,
    patience: float = PATIENCE,
) -> Generator[Reading]:
    """Read files in worker processes and yield what was found, in the order in which it is finished.

    Jobs are taken from the iterator only when a worker has room, so it may be as long as it likes. A file that ends
    its worker, or keeps it for longer than `patience` seconds, gets an outcome that says so; its neighbours are read
    by another worker.

    Raises:
        GPSDreamError: of kind `internal` if a worker cannot even be started.
    """
    inbox: queue.SimpleQueue[tuple[_Worker, bytes | None]] = queue.SimpleQueue()
    crew: list[_Worker] = []
    again: deque[Job] = deque()  # jobs of workers that died
    exhausted = False

    def next_job() -> Job | None:
        nonlocal exhausted
        if again:
            return again.popleft()
        if exhausted:
            return None
        job = next(jobs, None)
        exhausted = job is None
        return job

    try:
        while True:
            if cancelled and cancelled():
                return
            _feed(crew, inbox, workers, next_job)
            if not any(worker.pending for worker in crew):
                return
            try:
                worker, line = inbox.get(timeout=POLL)
            except queue.Empty:
                _give_up_slow(crew, patience)
                continue
            if line is not None:
                worker.last_answer = time.monotonic()
                if not worker.ready:
                    worker.ready = True
                elif worker.pending:
                    job, _ = worker.pending.popleft()
                    yield (job, *_answer(job, line))
                continue
            crew.remove(worker)
            errors = worker.close()
            if not worker.ready:
                raise _not_started(errors)
            left = [job for job, _ in worker.pending]
            if left and (worker.given_up is None or worker.given_up is left[0]):
                reason = Reason.TOO_SLOW if worker.given_up else Reason.READER_DIED
                again.extend(left[1:])
                yield left[0], Outcome(Path(left[0].path), reason), None
            else:  # the answer came while the worker was being ended
                again.extend(left)
    finally:
        for worker in crew:
            worker.kill()
        for worker in crew:
            worker.close()


def _feed(
    crew: list[_Worker],
    inbox: queue.SimpleQueue[tuple[_Worker, bytes | None]],
    workers: int,
    next_job: Callable[[], Job | None],
) -> None:
    """Give every worker enough to do; start another one only when all have their hands full."""
    while True:
        free = [worker for worker in crew if worker.has_room]
        idle = [worker for worker in free if len(worker.pending) < BATCH // 2]
        if not free and len(crew) >= workers:
            return
        job = next_job()
        if job is None:
            return
        if not idle and len(crew) < workers:
            try:
                worker = _Worker(inbox)
            except OSError as error:
                raise _not_started(repr(error)) from error
            crew.append(worker)
        else:
            worker = min(free, key=lambda item: len(item.pending))
        worker.give(job)


def _not_started(details: str) -> GPSDreamError:
    return GPSDreamError(
        ErrorKind.INTERNAL,
        "The program that reads photos could not be started.",
        "Run “gpsdream doctor”, which checks the installation.",
        details,
    )


def _give_up_slow(crew: list[_Worker], patience: float) -> None:
    now = time.monotonic()
    for worker in crew:
        if worker.pending and worker.given_up is None and now - worker.last_answer > patience:
            worker.given_up = worker.pending[0][0]
            worker.kill()


def _answer(job: Job, line: bytes) -> tuple[Outcome, PhotoRecord | None]:
    answer: dict[str, Any] = json.loads(line)
    outcome = Outcome(Path(job.path), Reason(answer["reason"]), answer["detail"])
    return outcome, PhotoRecord.from_dict(answer["record"]) if answer["record"] else None
