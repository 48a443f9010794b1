"""What every engine offers, and the queue that the real and the scripted engine share. No torch here."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import (
    TERMINAL_EVENTS,
    Cancelled,
    EngineChanged,
    EngineState,
    Event,
    Failed,
    Finished,
    PictureFinished,
    Queued,
    Started,
)
from gpsdream_app.domain.explanations import ExplainRequest, JobRequest
from gpsdream_app.domain.results import Result

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class Engine(ABC):
    """Draws pictures for requests and explains them, one job at a time, in the order in which they came.

    Every job that was submitted ends with exactly one `Finished`, `Failed` or `Cancelled`. No method
    blocks, but for `shutdown`. Listeners are called on a thread of the engine, one event after the other, never
    on the caller's.
    """

    @property
    @abstractmethod
    def state(self) -> EngineState:
        """What the engine as a whole is doing."""

    @abstractmethod
    def start(self) -> None:
        """Start the engine. Does nothing if it runs already."""

    @abstractmethod
    def submit(self, request: JobRequest, job_id: str | None = None) -> str:
        """Put a job of any sort at the end of the queue, and start the engine if it does not run.

        Args:
            request: what to draw or to find out.
            job_id: the job's name; a new one is made if None.

        Returns:
            The job's id.

        Raises:
            GPSDreamError: if the engine was shut down, or a job of this id is in the queue already.
        """

    @abstractmethod
    def explain(self, request: ExplainRequest, job_id: str | None = None) -> str:
        """Put a job that explains a picture at the end of the queue; it waits, ends and is cancelled like any other.

        Args:
            request: which picture.
            job_id: the job's name; a new one is made if None.

        Returns:
            The job's id. `Explained` tells the answer, before `Finished`.

        Raises:
            GPSDreamError: as `submit`.
        """

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """End one job, waiting or running. An unknown or finished job is left as it is."""

    @abstractmethod
    def cancel_all(self) -> None:
        """End every job, waiting and running."""

    @abstractmethod
    def warm(self, model: str) -> None:
        """Load a model in the background, so that the first picture comes sooner."""

    @abstractmethod
    def shutdown(self, timeout: float = 3.0) -> None:
        """End all jobs and the engine; nothing of it is left when this returns. An engine is not started twice.

        Args:
            timeout: seconds to wait before the engine is ended by force.
        """

    @abstractmethod
    def add_listener(self, listener: Listener) -> None:
        """Have a callable called with every event from now on."""

    @abstractmethod
    def remove_listener(self, listener: Listener) -> None:
        """Stop calling a listener; an unknown one is ignored."""

    def stream(self, request: JobRequest, job_id: str | None = None) -> Iterator[Event]:
        """Put a job into the queue and yield its events, and those of the engine, up to its last one.

        Leaving the loop early cancels the job.
        """
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        job_id = job_id or new_job_id()
        self.add_listener(events.put)
        ended = False
        try:
            self.submit(request, job_id)
            while not ended:
                event = events.get()
                if event.job_id in ("", job_id):
                    ended = isinstance(event, TERMINAL_EVENTS)
                    yield event
        finally:
            self.remove_listener(events.put)
            if not ended:
                self.cancel(job_id)


def new_job_id() -> str:
    """Return 32 hexadecimal digits that no other job has."""
    return uuid.uuid4().hex


@dataclass(slots=True)
class Job:
    """A job that was handed to whatever draws.

    Attributes:
        results: averages that are finished. They are kept here, since each of them holds all its places: told a second
            time, at the end of a large job, they would be too much for one message.
    """

    job_id: str
    request: JobRequest
    started: bool = False
    cancel_asked: bool = False
    results: list[Result] = field(default_factory=list)


class QueueEngine(Engine):
    """The queue, the sequence of events and the thread that tells listeners.

    A subclass draws one job at a time: `_begin` hands it a job, `_interrupt` asks it to stop that job, and it
    answers by `_accept` with the job's events. Hooks are called with the lock held and must not block.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._state = EngineState.STOPPED
        self._seq = 0
        self._waiting: dict[str, JobRequest] = {}
        self._current: Job | None = None
        self._closed = False
        self._listeners: list[Listener] = []
        self._outbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._teller: threading.Thread | None = None

    @property
    def state(self) -> EngineState:
        """What the engine as a whole is doing."""
        return self._state

    def add_listener(self, listener: Listener) -> None:
        """Have a callable called with every event from now on."""
        with self._lock:
            self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Stop calling a listener; an unknown one is ignored."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def submit(self, request: JobRequest, job_id: str | None = None) -> str:
        """Put a job at the end of the queue, and start the engine if it does not run."""
        return self._put(request, job_id)

    def explain(self, request: ExplainRequest, job_id: str | None = None) -> str:
        """Put a job that explains a picture at the end of the queue, and start the engine if it does not run."""
        return self._put(request, job_id)

    def _put(self, request: JobRequest, job_id: str | None) -> str:
        job_id = job_id or new_job_id()
        with self._lock:
            if self._closed:
                raise GPSDreamError(
                    ErrorKind.ENGINE_DIED, "The drawing engine has been shut down.", "Start GPSDream again."
                )
            if job_id in self._waiting or (self._current and self._current.job_id == job_id):
                raise GPSDreamError(ErrorKind.BAD_REQUEST, "This job is in the queue already.")
            self._waiting[job_id] = request
            self._emit(Queued(job_id=job_id, position=len(self._waiting) - 1))
            self.start()
            self._advance()
        return job_id

    def cancel(self, job_id: str) -> None:
        """End one job, waiting or running. An unknown or finished job is left as it is."""
        with self._lock:
            if job_id in self._waiting:
                place = list(self._waiting).index(job_id)
                del self._waiting[job_id]
                self._emit(Cancelled(job_id=job_id))
                self._tell_positions(place)
            elif self._current and self._current.job_id == job_id and not self._current.cancel_asked:
                self._current.cancel_asked = True
                self._interrupt(job_id)

    def cancel_all(self) -> None:
        """End every job, waiting and running."""
        with self._lock:
            # The last one first, so that no job moves up only to be cancelled.
            for job_id in reversed(list(self._waiting)):
                self.cancel(job_id)
            if self._current:
                self.cancel(self._current.job_id)

    # -- for subclasses --

    @abstractmethod
    def _begin(self, job: Job) -> None:
        """Start to draw a job."""

    @abstractmethod
    def _interrupt(self, job_id: str) -> None:
        """Ask for the end of the job that is being drawn; the answer is its last event."""

    def _can_begin(self) -> bool:
        """Whether a job can be begun now."""
        return True

    def _advance(self) -> None:
        """Begin the next job if there is one and nothing is being drawn."""
        with self._lock:
            if self._current or not self._waiting or self._closed or not self._can_begin():
                return
            job_id = next(iter(self._waiting))
            self._current = Job(job_id, self._waiting.pop(job_id))
            self._tell_positions(0)
            self._begin(self._current)

    def _accept(self, event: Event) -> None:
        """Take an event of the current job, or of the engine; events of a job that has ended are dropped."""
        with self._lock:
            if isinstance(event, EngineChanged):
                if not self._closed:
                    self._change(event.state, event.text)
                return
            if event.job_id:
                job = self._current
                if job is None or job.job_id != event.job_id:
                    return
                if isinstance(event, Started):
                    job.started = True
                elif isinstance(job.request, AverageRequest):
                    if isinstance(event, PictureFinished):
                        job.results.append(event.result)
                    elif isinstance(event, Finished):
                        event = replace(event, results=tuple(job.results))
                if isinstance(event, TERMINAL_EVENTS):
                    self._current = None
            self._emit(event)
            self._advance()

    def _lost(self, failure: Failure) -> None:
        """Settle the current job after whatever drew it is gone.

        A job that a person wanted to end is cancelled; one that had begun has failed; one that had not goes
        back to the head of the queue.
        """
        with self._lock:
            job, self._current = self._current, None
            if job is None:
                return
            if job.cancel_asked:
                self._emit(Cancelled(job_id=job.job_id))
            elif job.started:
                self._emit(Failed(job_id=job.job_id, failure=failure))
            else:
                self._waiting = {job.job_id: job.request, **self._waiting}
                self._tell_positions(0)

    def _fail_waiting(self, failure: Failure) -> None:
        """End every waiting job with the same failure."""
        with self._lock:
            jobs, self._waiting = list(self._waiting), {}
            for job_id in jobs:
                self._emit(Failed(job_id=job_id, failure=failure))

    def _close(self) -> bool:
        """End every job as cancelled and take no more. Returns False if that was done before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            jobs, self._waiting = list(self._waiting), {}
            if self._current:
                jobs.insert(0, self._current.job_id)
                self._current = None
            for job_id in jobs:
                self._emit(Cancelled(job_id=job_id))
            return True

    def _tell_positions(self, first: int) -> None:
        for position, job_id in enumerate(self._waiting):
            if position >= first:
                self._emit(Queued(job_id=job_id, position=position))

    def _change(self, state: EngineState, text: str = "") -> None:
        """Change the engine's state and say so."""
        with self._lock:
            self._state = state
            self._emit(EngineChanged(state=state, text=text))

    def _emit(self, event: Event) -> None:
        """Give an event its number and put it up for the listeners."""
        with self._lock:
            self._seq += 1
            self._outbox.put(replace(event, seq=self._seq))
            if self._teller is None:
                self._teller = threading.Thread(target=self._tell, name="engine events", daemon=True)
                self._teller.start()

    def _tell(self) -> None:
        while (event := self._outbox.get()) is not None:
            with self._lock:
                listeners = list(self._listeners)
            for listener in listeners:
                try:
                    listener(event)
                except Exception:
                    # One broken listener must not keep the others from hearing of the pictures.
                    log.exception("A listener failed on %s.", event.name)

    def _stop_telling(self) -> None:
        """Wait until every listener has heard everything, and end the thread."""
        teller = self._teller
        self._outbox.put(None)
        if teller and teller is not threading.current_thread():
            teller.join()
