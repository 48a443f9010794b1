"""Work away from the window's thread: a function runs in a pool, its outcome comes back as a call on that thread."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError

log = logging.getLogger(__name__)

T = TypeVar("T")
STACK_BYTES = 8 * 1024 * 1024  # the default of 512 KB on macOS is too small for numpy and Pillow


@dataclass(slots=True)
class _Outcome:
    owner: QObject
    call: Callable[[Any], None] | None
    value: Any


class _Runnable(QRunnable):
    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work = work

    def run(self) -> None:
        self._work()


class Background(QObject):
    """A pool of threads for file and database work.

    `run` may be called on the window's thread only. After `close` nothing is called back any more.
    """

    _arrived = Signal(object)
    idle = Signal()

    def __init__(self, parent: QObject | None = None, threads: int = 3) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._pool.setStackSize(STACK_BYTES)
        self._open = True
        self._pending = 0
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def pending(self) -> int:
        """How many pieces of work have not been delivered."""
        return self._pending

    def run(
        self,
        owner: QObject,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Failure], None] | None = None,
        priority: int = 0,
    ) -> None:
        """Do `work` in the pool, then call `done` with what it returned, or `failed`, on the window's thread.

        Args:
            owner: neither is called if this object is gone by then.
            work: must not touch widgets.
            done: gets the value.
            failed: gets the failure; without it the failure is only logged.
            priority: higher runs earlier.
        """
        if not self._open:
            return
        self._pending += 1

        def run() -> None:
            try:
                outcome = _Outcome(owner, done, work())
            except Exception as error:
                failure = failure_of(error)
                log.warning("Background work failed: %s %s", failure.message, failure.details)
                outcome = _Outcome(owner, failed, failure)
            if self._open:
                self._arrived.emit(outcome)

        self._pool.start(_Runnable(run), priority)

    def close(self, timeout_milliseconds: int = 10_000) -> bool:
        """Drop what has not begun, wait for what runs, deliver nothing more. Returns whether it ended in time."""
        self._open = False
        self._pool.clear()
        return self._pool.waitForDone(timeout_milliseconds)

    def _deliver(self, outcome: _Outcome) -> None:
        self._pending -= 1
        if self._open and outcome.call is not None and shiboken6.isValid(outcome.owner):
            outcome.call(outcome.value)
        if self._pending == 0:
            self.idle.emit()


def failure_of(error: BaseException) -> Failure:
    """Return any exception as a failure with a sentence."""
    if isinstance(error, GPSDreamError):
        return error.failure
    details = "".join(traceback.format_exception(error))
    if isinstance(error, OSError):
        kind = ErrorKind.DISK_FULL if error.errno == 28 else ErrorKind.INTERNAL
        where = f" ({error.filename})" if error.filename else ""
        return Failure(kind, f"{error.strerror or 'A file could not be used'}{where}.", "", details)
    return Failure(ErrorKind.INTERNAL, "Something went wrong inside the program.", "The log has the details.", details)
