"""Lifts as the window sees them: those that go on, and those that are done. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QImageReader

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Lifted,
    LiftStep,
    Loading,
    Paused,
    Queued,
    Started,
)
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.library.lifts import (
    LOOK_FILE,
    UnfinishedLift,
    discard_unfinished,
    expected_seconds,
    forget_removed,
    list_lifts,
    list_unfinished,
    remove_lift,
    restore_lift,
)
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.landmarks.plot import Moment, Trace

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session


class LiftState(StrEnum):
    """How far a lift is."""

    WAITING = "waiting"
    LOADING = "loading"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    KEEPING = "keeping"
    ENDING = "ending"


class LiftJob(QObject):
    """A lift from its submission to its end.

    Signals:
        changed: it went on, or its state is another one.
        previewed: there is a new preview.
    """

    changed = Signal()
    previewed = Signal()

    def __init__(self, job_id: str, request: LiftRequest, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job_id, self.request = job_id, request
        self.state = LiftState.WAITING
        self.text = ""
        self.phase = ""
        self.step = self.steps = 0
        self.share = 0.0
        self.seconds_left: float | None = None
        self.strip = QImage()
        self.trace = Trace()

    @property
    def can_pause(self) -> bool:
        """Whether it can be told to wait."""
        return self.state in (LiftState.WAITING, LiftState.LOADING, LiftState.RUNNING)

    @property
    def can_resume(self) -> bool:
        """Whether it waits because somebody wanted it."""
        return self.state in (LiftState.PAUSED, LiftState.PAUSING)

    @property
    def can_keep(self) -> bool:
        """Whether there is a shape that could be kept."""
        return bool(self.trace.moments) and self.state in (LiftState.RUNNING, LiftState.PAUSING, LiftState.PAUSED)

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end and has not answered."""
        return self.state in (LiftState.KEEPING, LiftState.ENDING)

    def take(self, event: Event) -> None:
        """Follow an event that is not the last one."""
        match event:
            case Queued():
                self._become(LiftState.WAITING)
            case Started():
                self._become(LiftState.RUNNING)
            case Loading():
                self.text = event.text
                self._become(LiftState.LOADING)
            case Paused():
                self._become(LiftState.PAUSED)
            case LiftStep():
                self._step(event)
        self.changed.emit()

    def _become(self, state: LiftState) -> None:
        # What was asked for last counts until it has happened.
        waits = self.state is LiftState.PAUSING and state not in (LiftState.PAUSED, LiftState.WAITING)
        if not self.is_ending and not waits:
            self.state = state

    def _step(self, event: LiftStep) -> None:
        if self.state is not LiftState.PAUSED:
            self._become(LiftState.RUNNING)
        self.text = ""
        self.phase, self.step, self.steps = event.phase, event.step, event.steps
        self.share, self.seconds_left = event.share, event.seconds_left
        self.trace.add(Moment(event.share, event.phase, event.terms, event.opacity, event.fog))
        if event.preview:
            strip = QImage.fromData(event.preview)
            if not strip.isNull():
                self.strip = strip
                self.previewed.emit()


class Lifts(QObject):
    """The lifts of all landmarks.

    Signals:
        changed: a job came, went on or went; its landmark's id.
        history_changed: a lift is finished, was removed or came back.
        lifted: a lift is finished (LiftResult).
        failed: a lift could not be finished; its request and why (LiftRequest, Failure).
        ended: a job was cancelled; its request.
    """

    changed = Signal(str)
    history_changed = Signal()
    lifted = Signal(object)
    failed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._writer = Background(self, threads=1)
        self._jobs: dict[str, LiftJob] = {}
        self._removed: list[LiftResult] = []
        self.history: list[LiftResult] = []
        self.unfinished: list[UnfinishedLift] = []
        self.is_read = False
        self._looks: dict[str, QImage] = {}

    def __bool__(self) -> bool:
        return bool(self._jobs)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._writer.pending

    # -- what there is --

    def read(self) -> None:
        """Read the finished and the unfinished lifts from the disk."""

        def read() -> tuple[list[LiftResult], list[UnfinishedLift], dict[str, QImage]]:
            forget_removed()
            results = list_lifts()
            return results, list_unfinished(), {result.folder: _read_look(result) for result in results}

        def show(found: tuple[list[LiftResult], list[UnfinishedLift], dict[str, QImage]]) -> None:
            results, self.unfinished, looks = found
            # Those that were finished while the disk was being read.
            known = {result.folder for result in results}
            self.history = [*(one for one in self.history if one.folder not in known), *results]
            self._looks.update(looks)
            self.is_read = True
            self.history_changed.emit()

        self._writer.run(self, read, show, self._session.notify_failure)

    def of(self, landmark_id: str) -> list[LiftResult]:
        """Return the finished lifts of a landmark, the newest first."""
        return [result for result in self.history if result.request.landmark.id == landmark_id]

    def get(self, result_id: str) -> LiftResult | None:
        """Return a finished lift."""
        return next((result for result in self.history if result.id == result_id), None)

    def job_of(self, landmark_id: str) -> LiftJob | None:
        """Return the job of a landmark that goes on, else the next one; None if there is none."""
        jobs = [job for job in self._jobs.values() if job.request.landmark.id == landmark_id]
        return min(jobs, key=lambda job: job.state is LiftState.WAITING, default=None)

    def unfinished_of(self, landmark_id: str) -> list[UnfinishedLift]:
        """Return the lifts of a landmark that were begun, have no result and do not go on now."""
        running = {job.request for job in self._jobs.values()}
        return [
            lift for lift in self.unfinished if lift.request.landmark.id == landmark_id and lift.request not in running
        ]

    def look(self, result: LiftResult) -> QImage:
        """Return the small picture of a lift; a null one if there is none."""
        return self._looks.get(result.folder, QImage())

    def estimate(self, request: LiftRequest) -> tuple[float, bool]:
        """Return how many seconds a lift will take, and whether lifts of this kind on this computer say so."""
        return expected_seconds(request, self.history)

    # -- lifting --

    def lift(self, request: LiftRequest, title: str) -> LiftJob | None:
        """Put a lift in the queue; one that waits or goes on already is not put there twice."""
        same = next((job for job in self._jobs.values() if job.request == request and not job.is_ending), None)
        if same:
            return same
        try:
            job_id = self._session.submit_job(request, title)
        except GPSDreamError as error:
            self.failed.emit(request, error.failure)
            return None
        job = self._jobs[job_id] = LiftJob(job_id, request, self)
        self.changed.emit(request.landmark.id)
        return job

    def follow(self, job_id: str, request: LiftRequest) -> None:
        """Take in a lift of before that somebody has put in the queue again."""
        self._jobs[job_id] = LiftJob(job_id, request, self)
        self.changed.emit(request.landmark.id)

    def handle(self, event: Event) -> bool:
        """Take an event of the engine; returns whether it belongs to a lift."""
        job = self._jobs.get(event.job_id)
        if job is None:
            return False
        match event:
            case Lifted():
                self._finish(event.lift)
            case Failed():
                self._end(job)
                self._read_unfinished()
                self.failed.emit(job.request, event.failure)
            case Finished():
                self._end(job)
            case Cancelled():
                self._end(job)
                self._read_unfinished()
                self.ended.emit(job.request)
            case _:
                job.take(event)
                self.changed.emit(job.request.landmark.id)
        return True

    def pause(self, job: LiftJob) -> None:
        """Have a lift wait; what it has done is safe on the disk then."""
        if job.can_pause:
            job.state = LiftState.PAUSING
            self._session.bridge.engine.pause(job.job_id)
            self._tell(job)

    def resume(self, job: LiftJob) -> None:
        """Have a lift go on."""
        if job.can_resume:
            job.state = LiftState.RUNNING if job.share else LiftState.WAITING
            self._session.bridge.engine.resume(job.job_id)
            self._tell(job)

    def keep(self, job: LiftJob) -> None:
        """End a lift now and make a mesh of what there is."""
        if job.can_keep:
            job.state = LiftState.KEEPING
            self._session.bridge.engine.keep(job.job_id)
            self._tell(job)

    def cancel(self, job: LiftJob) -> None:
        """End a lift without a mesh. Its checkpoint stays, so that it can go on another time."""
        if job.state is not LiftState.ENDING and job.job_id in self._jobs:
            job.state = LiftState.ENDING
            self._session.cancel(job.job_id)
            self._tell(job)

    def cancel_all(self) -> None:
        """End every lift."""
        for job in list(self._jobs.values()):
            self.cancel(job)

    def _tell(self, job: LiftJob) -> None:
        job.changed.emit()
        self.changed.emit(job.request.landmark.id)

    def _end(self, job: LiftJob) -> None:
        self._jobs.pop(job.job_id, None)
        job.deleteLater()
        self.changed.emit(job.request.landmark.id)

    def _finish(self, result: LiftResult) -> None:
        def show(look: QImage) -> None:
            self._looks[result.folder] = look
            self.history = [result, *(other for other in self.history if other.folder != result.folder)]
            self.unfinished = [lift for lift in self.unfinished if lift.folder != result.folder]
            self.history_changed.emit()
            self.lifted.emit(result)

        self._writer.run(self, lambda: _read_look(result), show)

    def _read_unfinished(self) -> None:
        def show(found: list[UnfinishedLift]) -> None:
            self.unfinished = found
            self.history_changed.emit()

        self._writer.run(self, list_unfinished, show)

    def replace(self, result: LiftResult) -> None:
        """Take in that a lift has another mesh on the disk."""

        def show(look: QImage) -> None:
            self._looks[result.folder] = look
            self.history = [result if other.folder == result.folder else other for other in self.history]
            self.history_changed.emit()

        self._writer.run(self, lambda: _read_look(result), show)

    # -- removing --

    def remove(self, result: LiftResult, done: Callable[[], None]) -> None:
        """Take a lift out of the history; its files stay until the window is closed."""

        def removed(_: object) -> None:
            self._removed.append(result)
            self.history = [other for other in self.history if other.folder != result.folder]
            self.history_changed.emit()
            done()

        self._writer.run(self, lambda: remove_lift(result), removed, self._session.notify_failure)

    @property
    def can_undo(self) -> bool:
        """Whether a lift was removed."""
        return bool(self._removed)

    def undo(self) -> None:
        """Bring the lift back that was removed last."""
        if not self._removed:
            return
        result = self._removed.pop()

        def restored(_: object) -> None:
            self.history = sorted([result, *self.history], key=lambda one: one.created, reverse=True)
            self.history_changed.emit()

        def failed(failure: Failure) -> None:
            self._session.notify_failure(failure)

        self._writer.run(self, lambda: restore_lift(result), restored, failed)

    def discard(self, lift: UnfinishedLift) -> None:
        """Delete what is left of a lift that was not finished."""

        def work() -> list[UnfinishedLift]:
            discard_unfinished(lift)
            return list_unfinished()

        def show(found: list[UnfinishedLift]) -> None:
            self.unfinished = found
            self.history_changed.emit()

        self._writer.run(self, work, show, self._session.notify_failure)

    def close(self) -> None:
        """End the background work. What was removed is deleted at the next start."""
        self._writer.close()


def _read_look(result: LiftResult) -> QImage:
    return QImageReader(str(Path(result.folder) / LOOK_FILE)).read()
