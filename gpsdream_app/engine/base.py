"""What every engine offers, and the queues that the real and the scripted engine share. No torch here.

There are two lanes: one for whatever draws or looks, and one for lifts, which take minutes. Each does one job at a
time; a lift goes on beside a drawing, and gives way to it. What waits can be put in another order or held back.
"""

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
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.results import Result

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]

RESTARTS = 2  # times that a lift goes on by itself after the engine died in the middle of it


class Engine(ABC):
    """Draws pictures for requests and explains them, one job at a time, in the order in which they came. Lifts have a
    queue of their own: one goes on beside whatever is drawn, and waits between its steps while something is.

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
        """Put a job of any sort at the end of its queue, and start the engine if it does not run.

        Args:
            request: what to draw, to find out or to lift.
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
        """End every job, waiting and running; lifts as well."""

    @abstractmethod
    def cancel_waiting(self) -> None:
        """End every job that waits; those that are being done go on."""

    @abstractmethod
    def move(self, job_id: str, before: str | None) -> None:
        """Give a waiting job another place among those of its sort; `Queued` tells the new positions.

        Args:
            job_id: the job; one that does not wait is left as it is.
            before: the job that it comes before. None puts it last; one that waits no more puts it first.
        """

    @property
    @abstractmethod
    def held(self) -> bool:
        """Whether waiting jobs are held back."""

    @abstractmethod
    def hold(self) -> None:
        """Begin no waiting job any more; what is being done goes on. Explanations are begun all the same: somebody
        looks at the picture and waits for the answer.
        """

    @abstractmethod
    def release(self) -> None:
        """Go on with the waiting jobs after `hold`."""

    @abstractmethod
    def pause(self, job_id: str) -> None:
        """Have a lift wait. `Paused` tells that it does, its state on the disk. A waiting lift begins paused; other
        jobs are left as they are.
        """

    @abstractmethod
    def resume(self, job_id: str) -> None:
        """Have a paused lift go on; `Started` tells that it does."""

    @abstractmethod
    def keep(self, job_id: str) -> None:
        """End a running lift, paused or not, and make a mesh of what there is: `Lifted` and `Finished` follow, or
        `Failed` if nothing has been lifted yet. Other jobs are left as they are.
        """

    @abstractmethod
    def warm(self, model: str) -> None:
        """Load a model in the background, so that the first picture comes sooner."""

    @abstractmethod
    def use_memory(self, choice: str, rest_minutes: float) -> None:
        """Say how much memory models may take from now on.

        Args:
            choice: one of `domain.memory.MEMORY_CHOICES`; a model that was loaded by another one is loaded again.
            rest_minutes: without a job, after which a model is unloaded; 0 for never.
        """

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
        paused: whether a person wants this lift to wait.
        restarts: times that it was begun again after the engine died.
        results: averages that are finished. They are kept here, since each of them holds all its places: told a second
            time, at the end of a large job, they would be too much for one message.
    """

    job_id: str
    request: JobRequest
    started: bool = False
    cancel_asked: bool = False
    paused: bool = False
    restarts: int = 0
    results: list[Result] = field(default_factory=list)

    @property
    def is_lift(self) -> bool:
        """Whether it belongs to the lane of lifts."""
        return isinstance(self.request, LiftRequest)

    @property
    def is_question(self) -> bool:
        """Whether somebody waits for the answer, and it is no work to be put off."""
        return isinstance(self.request, ExplainRequest)


@dataclass(slots=True)
class Lane:
    """Jobs that are done one after the other.

    Attributes:
        waiting: by id, the next one first.
        current: the one that is being done.
    """

    waiting: dict[str, Job] = field(default_factory=dict)
    current: Job | None = None

    def running(self, job_id: str) -> Job | None:
        """The current job, if this is its id."""
        return self.current if self.current and self.current.job_id == job_id else None


class QueueEngine(Engine):
    """The queues, the sequence of events and the thread that tells listeners.

    A subclass does one job of each lane at a time: `_begin` hands it a job, `_interrupt` asks it to stop that job,
    `_set_paused` and `_keep` work on a lift, and it answers by `_accept` with the job's events. Hooks are called with
    the lock held and must not block.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._state = EngineState.STOPPED
        self._seq = 0
        self._drawing, self._lifting = Lane(), Lane()
        self._closed = False
        self._held = False
        self.memory: tuple[str, float] | None = None
        self._listeners: list[Listener] = []
        self._outbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._teller: threading.Thread | None = None

    @property
    def state(self) -> EngineState:
        """What the engine as a whole is doing."""
        return self._state

    def use_memory(self, choice: str, rest_minutes: float) -> None:
        """Say how much memory models may take from now on; remembered as `memory`."""
        self.memory = choice, rest_minutes

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
        """Put a job at the end of its queue, and start the engine if it does not run."""
        return self._put(request, job_id)

    def explain(self, request: ExplainRequest, job_id: str | None = None) -> str:
        """Put a job that explains a picture at the end of the queue, and start the engine if it does not run."""
        return self._put(request, job_id)

    def _put(self, request: JobRequest, job_id: str | None) -> str:
        job = Job(job_id or new_job_id(), request)
        with self._lock:
            if self._closed:
                raise GPSDreamError(
                    ErrorKind.ENGINE_DIED, "The drawing engine has been shut down.", "Start GPSDream again."
                )
            if any(job.job_id in lane.waiting or lane.running(job.job_id) for lane in self._lanes):
                raise GPSDreamError(ErrorKind.BAD_REQUEST, "This job is in the queue already.")
            lane = self._lane_of(job)
            lane.waiting[job.job_id] = job
            self._emit(Queued(job_id=job.job_id, position=len(lane.waiting) - 1))
            self.start()
            self._advance()
        return job.job_id

    @property
    def _lanes(self) -> tuple[Lane, Lane]:
        return self._drawing, self._lifting

    def _lane_of(self, job: Job) -> Lane:
        return self._lifting if job.is_lift else self._drawing

    def _running(self, job_id: str) -> Job | None:
        """The job of this id if it has been handed to whatever does it."""
        return self._drawing.running(job_id) or self._lifting.running(job_id)

    def cancel(self, job_id: str) -> None:
        """End one job, waiting or running. An unknown or finished job is left as it is."""
        with self._lock:
            for lane in self._lanes:
                if job_id in lane.waiting:
                    place = list(lane.waiting).index(job_id)
                    del lane.waiting[job_id]
                    self._emit(Cancelled(job_id=job_id))
                    self._tell_positions(lane, place)
            job = self._running(job_id)
            if job and not job.cancel_asked:
                job.cancel_asked = True
                self._interrupt(job_id)

    def cancel_all(self) -> None:
        """End every job, waiting and running; lifts as well."""
        with self._lock:
            for lane in self._lanes:
                # The last one first, so that no job moves up only to be cancelled.
                for job_id in reversed(list(lane.waiting)):
                    self.cancel(job_id)
                if lane.current:
                    self.cancel(lane.current.job_id)

    def cancel_waiting(self) -> None:
        """End every job that waits; those that are being done go on."""
        with self._lock:
            for lane in self._lanes:
                for job_id in reversed(list(lane.waiting)):
                    self.cancel(job_id)

    def move(self, job_id: str, before: str | None) -> None:
        """Give a waiting job another place among those of its sort."""
        with self._lock:
            for lane in self._lanes:
                if job_id not in lane.waiting or job_id == before:
                    continue
                old = list(lane.waiting)
                new = [other for other in old if other != job_id]
                place = len(new) if before is None else new.index(before) if before in new else 0
                new.insert(place, job_id)
                lane.waiting = {other: lane.waiting[other] for other in new}
                for position, (was, other) in enumerate(zip(old, new, strict=True)):
                    if was != other:
                        self._emit(Queued(job_id=other, position=position))

    @property
    def held(self) -> bool:
        """Whether waiting jobs are held back."""
        return self._held

    def hold(self) -> None:
        """Begin no waiting job any more; what is being done goes on."""
        with self._lock:
            self._held = True

    def release(self) -> None:
        """Go on with the waiting jobs after `hold`."""
        with self._lock:
            self._held = False
            self._advance()

    def pause(self, job_id: str) -> None:
        """Have a lift wait."""
        self._pause_or_not(job_id, True)

    def resume(self, job_id: str) -> None:
        """Have a paused lift go on."""
        self._pause_or_not(job_id, False)

    def _pause_or_not(self, job_id: str, paused: bool) -> None:
        with self._lock:
            running = self._lifting.running(job_id)
            job = running or self._lifting.waiting.get(job_id)
            if job and job.paused != paused:
                job.paused = paused
                if running:
                    self._set_paused(job_id, paused)

    def keep(self, job_id: str) -> None:
        """End a running lift and make a mesh of what there is."""
        with self._lock:
            job = self._lifting.running(job_id)
            if job and not job.cancel_asked:
                self._keep(job_id)

    # -- for subclasses --

    @abstractmethod
    def _begin(self, job: Job) -> None:
        """Start to do a job; a lift may have to begin paused."""

    @abstractmethod
    def _interrupt(self, job_id: str) -> None:
        """Ask for the end of a job that is being done; the answer is its last event."""

    @abstractmethod
    def _set_paused(self, job_id: str, paused: bool) -> None:
        """Have the lift that is being done wait or go on; `Paused` or `Started` answers."""

    @abstractmethod
    def _keep(self, job_id: str) -> None:
        """Have the lift that is being done come to its end."""

    def _can_begin(self) -> bool:
        """Whether a job can be begun now."""
        return True

    def _advance(self) -> None:
        """Begin the next job of every lane that has one and does nothing."""
        with self._lock:
            for lane in self._lanes:
                if lane.current or self._closed or not self._can_begin():
                    continue
                job = next((job for job in lane.waiting.values() if not self._held or job.is_question), None)
                if job is None:
                    continue
                del lane.waiting[job.job_id]
                lane.current = job
                self._tell_positions(lane, 0)
                self._begin(job)

    def _accept(self, event: Event) -> None:
        """Take an event of a job that is being done, or of the engine; events of a job that has ended are dropped."""
        with self._lock:
            if isinstance(event, EngineChanged):
                if not self._closed:
                    self._change(event.state, event.text)
                return
            if event.job_id:
                job = self._running(event.job_id)
                if job is None:
                    return
                if isinstance(event, Started):
                    job.started = True
                elif isinstance(job.request, AverageRequest):
                    if isinstance(event, PictureFinished):
                        job.results.append(event.result)
                    elif isinstance(event, Finished):
                        event = replace(event, results=tuple(job.results))
                if isinstance(event, TERMINAL_EVENTS):
                    self._lane_of(job).current = None
            self._emit(event)
            self._advance()

    def _lost(self, failure: Failure) -> None:
        """Settle the jobs that were being done after whatever did them is gone.

        A job that a person wanted to end is cancelled; one that had not begun goes back to the head of its queue, and
        so does a lift, which has checkpoints to go on from, unless that has happened too often. Others have failed.
        """
        with self._lock:
            for lane in self._lanes:
                job, lane.current = lane.current, None
                if job is None:
                    continue
                again = not job.started
                if job.started and job.is_lift and job.restarts < RESTARTS:
                    job.restarts, job.started, again = job.restarts + 1, False, True
                if job.cancel_asked:
                    self._emit(Cancelled(job_id=job.job_id))
                elif again:
                    lane.waiting = {job.job_id: job, **lane.waiting}
                    self._tell_positions(lane, 0)
                else:
                    self._emit(Failed(job_id=job.job_id, failure=_of_a_lift(failure) if job.is_lift else failure))

    def _fail_waiting(self, failure: Failure) -> None:
        """End every waiting job with the same failure."""
        with self._lock:
            for lane in self._lanes:
                jobs, lane.waiting = list(lane.waiting), {}
                for job_id in jobs:
                    self._emit(Failed(job_id=job_id, failure=failure))

    def _close(self) -> bool:
        """End every job as cancelled and take no more. Returns False if that was done before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            for lane in self._lanes:
                jobs, lane.waiting = list(lane.waiting), {}
                if lane.current:
                    jobs.insert(0, lane.current.job_id)
                    lane.current = None
                for job_id in jobs:
                    self._emit(Cancelled(job_id=job_id))
            return True

    def _tell_positions(self, lane: Lane, first: int) -> None:
        for position, job_id in enumerate(lane.waiting):
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


def _of_a_lift(failure: Failure) -> Failure:
    """The same failure in words that suit a lift."""
    return replace(
        failure,
        message="The drawing engine stopped in the middle of the lift, again and again.",
        hint="Lift again: it goes on from its last checkpoint. If it stops again, memory may be short.",
    )
