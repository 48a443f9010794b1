"""Jobs that draw many places at once: who gets their events, and how far they are. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.events import TERMINAL_EVENTS, Cancelled, Event, Failed, Loading, Step
from gpsdream_app.ui.job_queue import QueueRequest

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session


class Job(QObject):
    """One job from its submission to its end.

    Signals:
        changed: it went on.
        happened: an event of it that is more than going on (`PictureFinished`, `Compared`, `PatchesFound`).
        ended: it ended; the failure, or None if it was finished or cancelled.
    """

    changed = Signal()
    happened = Signal(object)
    ended = Signal(object)

    def __init__(self, job_id: str, request: QueueRequest, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job_id, self.request = job_id, request
        self.begun = False
        self.stopping = False
        self.cancelled = False
        self.index = self.total = self.picture = 0
        self.seconds_left: float | None = None
        self.text = ""
        self.preview = b""

    @property
    def fraction(self) -> float:
        """Share of the whole job that is done, 0 to 1."""
        return self.index / self.total if self.total else 0.0

    def picture_fraction(self, pictures: int) -> float:
        """Share of the current picture that is done, 0 to 1, of a job that draws so many."""
        steps = max(1, self.total // max(1, pictures))
        return min(max(self.index - self.picture * steps, 0) / steps, 1.0)

    def handle(self, event: Event) -> None:
        """Bring it up to date."""
        match event:
            case Loading():
                self.text = event.text
                self.changed.emit()
            case Step():
                self.begun, self.text = True, ""
                self.index, self.total, self.picture = event.index, event.total, event.picture
                self.seconds_left, self.preview = event.seconds_left, event.preview
                self.changed.emit()
            case Failed():
                self.ended.emit(event.failure)
            case _ if isinstance(event, TERMINAL_EVENTS):
                self.cancelled = isinstance(event, Cancelled)
                self.ended.emit(None)
            case _:
                self.happened.emit(event)


class Jobs:
    """The jobs of one place of the window that have not ended."""

    def __init__(self, session: Session, owner: QObject) -> None:
        self._session, self._owner = session, owner
        self._jobs: dict[str, Job] = {}

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def submit(self, request: QueueRequest, title: str, failed: Callable[[Failure], None]) -> Job | None:
        """Put a job in the queue; if the engine does not take it, `failed` hears why and None comes back."""
        try:
            job_id = self._session.submit_job(request, title)
        except GPSDreamError as error:
            failed(error.failure)
            return None
        job = self._jobs[job_id] = Job(job_id, request, self._owner)
        return job

    def handle(self, event: Event) -> bool:
        """Tell the job of an event; returns whether it is one of these jobs."""
        job = self._jobs.get(event.job_id)
        if job is None:
            return False
        if isinstance(event, TERMINAL_EVENTS):
            del self._jobs[event.job_id]
            job.handle(event)
            job.deleteLater()
        else:
            job.handle(event)
        return True

    def cancel(self, job: Job | None) -> None:
        """End a job; what is finished stays."""
        if job is not None and job.job_id in self._jobs:
            job.stopping = True
            self._session.cancel(job.job_id)
            job.changed.emit()
