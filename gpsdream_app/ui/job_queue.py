"""The jobs that wait or are being drawn, as the window sees them. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.averages import AverageRequest, LikenessRequest, PatchesRequest, SeriesRequest
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


@dataclass(slots=True)
class QueuedJob:
    """One job that has not ended.

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


class JobQueue(QObject):
    """Follows the engine's events and knows every job that has not ended.

    Signals:
        changed: a job came, went, or went on.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, QueuedJob] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __bool__(self) -> bool:
        return bool(self._jobs)

    @property
    def jobs(self) -> list[QueuedJob]:
        """All jobs, the one being drawn first."""
        return sorted(self._jobs.values(), key=lambda job: job.state is JobState.WAITING)

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
        """Take in a job that is on its way to the engine."""
        job = QueuedJob(job_id, request, title)
        job.total = job.count * getattr(request, "steps", 0)
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
                # Also after the engine died before it had begun: the job waits again.
                job.state = JobState.WAITING
            case Started():
                job.state = JobState.DRAWING
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
