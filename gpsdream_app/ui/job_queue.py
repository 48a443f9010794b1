"""The jobs that wait, go on, failed or were interrupted, as the window sees them. No widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.averages import AverageRequest, LikenessRequest, PatchesRequest, SeriesRequest
from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.events import (
    TERMINAL_EVENTS,
    Event,
    LiftStep,
    Loading,
    Paused,
    PictureFinished,
    Queued,
    Started,
    Step,
)
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import GenerateRequest

QueueRequest = GenerateRequest | AverageRequest | SeriesRequest | LikenessRequest | PatchesRequest | LiftRequest
LIFT_STEPS = 1000  # a lift tells the share that is done, which counts as so many steps


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    LOADING = "loading"
    DRAWING = "drawing"
    PAUSED = "paused"
    STOPPING = "stopping"
    INTERRUPTED = "interrupted"  # the program ended before it was finished
    FAILED = "failed"


class JobKind(StrEnum):
    """What sort of work it is."""

    DRAW = "draw"
    AVERAGE = "average"
    WALK = "walk"
    LIFT = "lift"
    COMPARE = "compare"
    TRAIN = "train"
    EVALUATE = "evaluate"


@dataclass(slots=True)
class QueuedJob:
    """One job.

    Attributes:
        job_id: its id.
        request: what it draws, compares or looks for.
        title: what people call it; empty for a picture of a place, which is called by place and words.
        state: how far it is.
        index: the last step that was done, over all its pictures.
        total: all steps of all its pictures.
        picture: which picture is being drawn, from 0.
        finished: pictures that are on the disk.
        seconds_left: an estimate; None while there is none.
        text: what is being loaded.
        failure: why it failed; None if it did not.
        begun: when it was begun, in seconds of `time.monotonic`; None if it was not.
    """

    job_id: str
    request: QueueRequest
    title: str = ""
    state: JobState = JobState.WAITING
    index: int = 0
    total: int = 0
    picture: int = 0
    finished: int = 0
    seconds_left: float | None = None
    text: str = ""
    failure: Failure | None = None
    begun: float | None = None

    @property
    def fraction(self) -> float:
        """Share that is done, 0 to 1."""
        return self.index / self.total if self.total else 0.0

    @property
    def single(self) -> GenerateRequest | None:
        """What it draws if that is pictures of one place, which belong to Explore; else None."""
        return self.request if isinstance(self.request, GenerateRequest) else None

    @property
    def is_lift(self) -> bool:
        """Whether it lifts a landmark, beside whatever else is drawn."""
        return isinstance(self.request, LiftRequest)

    @property
    def count(self) -> int:
        """Number of pictures; 0 if it draws none."""
        return getattr(self.request, "count", 0) if not isinstance(self.request, PatchesRequest) else 0

    @property
    def kind(self) -> JobKind:
        """What sort of work it is."""
        match self.request:
            case GenerateRequest():
                return JobKind.DRAW
            case AverageRequest():
                return JobKind.AVERAGE
            case SeriesRequest():
                return JobKind.WALK
            case LiftRequest():
                return JobKind.LIFT
            case _:
                return JobKind.COMPARE

    @property
    def is_over(self) -> bool:
        """Whether nothing goes on with it until a person wants it."""
        return self.state in (JobState.INTERRUPTED, JobState.FAILED)


@dataclass(slots=True)
class OutsideJob:
    """Work that a process of its own does beside the engine: training a model, measuring one.

    Attributes:
        job_id: any id that no other job has.
        kind: what sort of work it is.
        title: what people call it.
        stop: ends it; called when a person wants that.
        show: brings the place in sight where more is to be seen of it.
        fraction: share that is done, 0 to 1.
        seconds_left: an estimate; None while there is none.
        text: how far it is, in words; may be empty.
        stopping: whether it was asked to stop.
        begun: when it was begun, in seconds of `time.monotonic`.
    """

    job_id: str
    kind: JobKind
    title: str
    stop: Callable[[], None]
    show: Callable[[], None] | None = None
    fraction: float = 0.0
    seconds_left: float | None = None
    text: str = ""
    stopping: bool = False
    begun: float = field(default_factory=time.monotonic)


class JobQueue(QObject):
    """Follows the engine's events and knows every job that has not ended, and those that a person should look after.

    As a sequence it is the jobs that the engine has and has not ended.

    Attributes:
        held: whether waiting jobs are held back.

    Signals:
        changed: a job came, went, or went on.
        outside_ended: work of another process has ended (an `OutsideJob`).
    """

    changed = Signal()
    outside_ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, QueuedJob] = {}
        self._over: dict[str, QueuedJob] = {}
        self._outside: dict[str, OutsideJob] = {}
        self.held = False

    def __len__(self) -> int:
        return len(self._jobs)

    def __bool__(self) -> bool:
        return bool(self._jobs)

    @property
    def jobs(self) -> list[QueuedJob]:
        """All jobs, the one being drawn first."""
        return sorted(self._jobs.values(), key=lambda job: job.state is JobState.WAITING)

    @property
    def waiting(self) -> list[QueuedJob]:
        """The jobs that wait, in their order."""
        return [job for job in self._jobs.values() if job.state is JobState.WAITING]

    @property
    def current(self) -> QueuedJob | None:
        """The job that is being loaded, drawn or stopped; None if there is none. Lifts go on beside it."""
        return next((job for job in self._drawings if job.state is not JobState.WAITING), None)

    @property
    def lift(self) -> QueuedJob | None:
        """The lift that goes on, or is the next to; None if there is none."""
        lifts = [job for job in self.jobs if job.is_lift]
        return lifts[0] if lifts else None

    @property
    def _drawings(self) -> list[QueuedJob]:
        return [job for job in self._jobs.values() if not job.is_lift]

    @property
    def first(self) -> QueuedJob | None:
        """The job that is worked on, or is the next to be; None if there is none."""
        return self.current or next(iter(self._drawings), None)

    @property
    def first_single(self) -> QueuedJob | None:
        """The first of the jobs that draw pictures of one place; None if there is none."""
        return next((job for job in self.jobs if job.single), None)

    def get(self, job_id: str) -> QueuedJob | None:
        """Return a job that has not ended."""
        return self._jobs.get(job_id)

    def add(self, job_id: str, request: QueueRequest, title: str = "") -> None:
        """Take in a job that is on its way to the engine; one that failed or was interrupted is so no longer."""
        job = QueuedJob(job_id, request, title)
        job.total = job.count * getattr(request, "steps", 0)
        self._over.pop(job_id, None)
        self._jobs[job_id] = job
        self.changed.emit()

    def mark_stopping(self, job_id: str) -> None:
        """Note that a job was asked to stop, before the engine answers."""
        job = self._jobs.get(job_id)
        if job and job.state is not JobState.WAITING:
            job.state = JobState.STOPPING
            self.changed.emit()

    def remove(self, job_id: str) -> QueuedJob | None:
        """Forget a job and return it."""
        job = self._jobs.pop(job_id, None)
        if job:
            self.changed.emit()
        return job

    def handle(self, event: Event) -> QueuedJob | None:
        """Bring the job of an event up to date and return it; None if the job is not known or has ended before."""
        job = self._jobs.get(event.job_id)
        if job is None:
            return None
        stopping = job.state is JobState.STOPPING
        match event:
            case Queued():
                if job.state is JobState.WAITING:
                    return job  # it moved up, with all others behind it, because one was begun
                # Also after the engine died before it had begun: the job waits again, before all others.
                job.state = JobState.WAITING
                self._jobs = {job.job_id: job, **self._jobs}
            case Started():
                job.state = JobState.DRAWING
                job.begun = job.begun or time.monotonic()
            case Loading():
                job.state = JobState.LOADING
                job.text = event.text
            case Paused():
                job.state = JobState.PAUSED
            case LiftStep():
                job.state = JobState.DRAWING
                job.index, job.total = round(event.share * LIFT_STEPS), LIFT_STEPS
                job.seconds_left = event.seconds_left
            case Step():
                job.state = JobState.DRAWING
                job.index, job.total, job.picture = event.index, event.total, event.picture
                job.seconds_left = event.seconds_left
            case PictureFinished():
                job.finished += 1
        if stopping:
            job.state = JobState.STOPPING
        if isinstance(event, TERMINAL_EVENTS):
            del self._jobs[event.job_id]
        self.changed.emit()
        return job

    # -- the order --

    def move(self, job_id: str, before: str | None) -> bool:
        """Put a waiting job before another waiting one, or last (None). Returns whether that changed anything."""
        waiting = [job.job_id for job in self.waiting]
        if job_id not in waiting or before == job_id or (before is not None and before not in waiting):
            return False
        order = [other for other in waiting if other != job_id]
        order.insert(len(order) if before is None else order.index(before), job_id)
        if order == waiting:
            return False
        rest = {key: job for key, job in self._jobs.items() if key not in waiting}
        self._jobs = {**rest, **{key: self._jobs[key] for key in order}}
        self.changed.emit()
        return True

    def next_of_lane(self, job_id: str) -> str | None:
        """Return the waiting job that comes after a waiting one among those of its sort; None if it is the last."""
        waiting = self.waiting
        place = next((number for number, job in enumerate(waiting) if job.job_id == job_id), len(waiting))
        after = (job.job_id for job in waiting[place + 1 :] if job.is_lift == waiting[place].is_lift)
        return next(after, None)

    def hold(self, held: bool) -> None:
        """Note that waiting jobs are held back, or are no longer."""
        if held != self.held:
            self.held = held
            self.changed.emit()

    @property
    def seconds_left(self) -> float | None:
        """How long everything that is to be drawn will take, as far as the current drawing tells; None if it does not.

        Lifts, and what draws nothing, are left out.
        """
        current = self.current
        if current is None or current.seconds_left is None or current.index >= current.total:
            return current.seconds_left if current else None
        step = current.seconds_left / (current.total - current.index)
        return current.seconds_left + step * sum(job.total for job in self.waiting if not job.is_lift)

    # -- what a person should look after --

    @property
    def over(self) -> list[QueuedJob]:
        """The jobs that were interrupted, then those that failed."""
        return sorted(self._over.values(), key=lambda job: job.state is JobState.FAILED)

    @property
    def interrupted(self) -> list[QueuedJob]:
        """The jobs that an earlier run of the program left."""
        return [job for job in self._over.values() if job.state is JobState.INTERRUPTED]

    def put_over(self, *jobs: QueuedJob) -> None:
        """Take in jobs that were interrupted or failed."""
        for job in jobs:
            self._over[job.job_id] = job
        if jobs:
            self.changed.emit()

    def take_over(self, *job_ids: str) -> list[QueuedJob]:
        """Take jobs out of those that were interrupted or failed, and return them."""
        taken = [self._over.pop(job_id) for job_id in job_ids if job_id in self._over]
        if taken:
            self.changed.emit()
        return taken

    # -- work beside the engine --

    @property
    def outside(self) -> list[OutsideJob]:
        """Work of other processes."""
        return list(self._outside.values())

    def put_outside(self, job: OutsideJob) -> None:
        """Show work of another process, or that it went on."""
        self._outside[job.job_id] = job
        self.changed.emit()

    def remove_outside(self, job_id: str) -> OutsideJob | None:
        """Take work of another process out and return it."""
        job = self._outside.pop(job_id, None)
        if job:
            self.outside_ended.emit(job)
            self.changed.emit()
        return job
