"""Keeps the window's queue on the disk, and brings back after a start what the last one left. No widgets."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import TERMINAL_EVENTS, Cancelled, Event, Failed, Finished, Queued, Started
from gpsdream_app.library.paths import pictures_dir, user_data_dir
from gpsdream_app.library.queue import FILE_NAME, KeptRequest, Recovered, StoredJob, StoredQueue, StoredState, rest_of
from gpsdream_app.library.store import RecordedJob
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.job_queue import JobKind, JobState, OutsideJob, QueuedJob, QueueRequest
from gpsdream_app.ui.measuring import MeasureState

if TYPE_CHECKING:
    from gpsdream_app.ui.measuring import Measuring
    from gpsdream_app.ui.session import Session

ENDS = {Finished: StoredState.DONE, Failed: StoredState.FAILED, Cancelled: StoredState.CANCELLED}
MEASURING = "measuring"


class QueueKeeper(QObject):
    """Writes down what happens to the queue, and does what a person wants of it: pause, reorder, resume, discard.

    Signals:
        ended: a job ended (`QueuedJob`, its last event).
        left_over: what the last run of the program left is known (jobs that were interrupted; whether it crashed).
        discarded: jobs were taken out of the list (a list of `QueuedJob`); `bring_back` undoes it.
        released: the queue goes on after a pause.
    """

    ended = Signal(object, object)
    left_over = Signal(list, bool)
    discarded = Signal(list)
    released = Signal()

    def __init__(self, session: Session) -> None:
        """Make it; nothing is read before `open`."""
        super().__init__(session)
        self._session = session
        self._queue = session.queue
        self._writer = Background(self, threads=1)
        self._todo: deque[Callable[[StoredQueue], object]] = deque()
        self._working = threading.Lock()
        self._store: StoredQueue | None = None
        self._told_of_failure = False
        self._held_by_itself = False
        self._crashed = False
        self._is_recovered = self._is_settled = False
        self._library_is_read = False
        self._later: list[str] = []
        self._resuming: set[str] = set()
        session.library_read.connect(self._resume_later)
        self._follow_measuring(session.measuring)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._writer.pending

    # -- beginning and end --

    def open(self) -> None:
        """Read what the last run of the program left. If there is something, the queue starts paused."""

        def read() -> Recovered:
            with self._working:
                return self._opened().recover()

        self._writer.run(self, read, self._recovered, self._not_recovered)

    def _not_recovered(self, failure: Failure) -> None:
        self._refused(failure)
        self._recovered(Recovered())

    def _recovered(self, found: Recovered) -> None:
        if found.set_aside:
            self._session.notify_failure(
                Failure(
                    ErrorKind.INTERNAL,
                    self.tr("The file of the queue was damaged. What waited in it is lost; finished pictures are not."),
                    self.tr("It was put aside as {0}.").format(found.set_aside.name),
                )
            )
        self._is_recovered = True
        self._crashed = self._crashed or found.crashed
        self._queue.put_over(*(_over(job, JobState.FAILED) for job in found.failed))
        self._interrupt([_over(job, JobState.INTERRUPTED) for job in found.interrupted])
        if self._is_settled:
            self.settle()

    def take_in(self, jobs: Iterable[RecordedJob]) -> None:
        """Take in what an older version had noted as unfinished in the library."""
        old = [job for job in jobs if isinstance(job.request, KeptRequest)]

        def keep(store: StoredQueue) -> None:
            for job in old:
                if isinstance(job.request, KeptRequest):
                    store.add(job.job_id, job.request)
                    store.set_state(job.job_id, StoredState.INTERRUPTED)

        if old:
            self._crashed = True
            self._do(keep)
            self._interrupt(
                [
                    QueuedJob(job.job_id, job.request, state=JobState.INTERRUPTED)
                    for job in old
                    if isinstance(job.request, KeptRequest)
                ]
            )

    def _interrupt(self, jobs: list[QueuedJob]) -> None:
        if jobs:
            self._session.bridge.engine.hold()
            self._held_by_itself = True
            self._queue.hold(True)
            self._queue.put_over(*jobs)

    def settle(self) -> None:
        """Look which of the interrupted jobs had been finished all the same, then tell of the others.

        To be called when the library knows every picture that is on the disk.
        """
        self._is_settled = True
        interrupted = self._queue.interrupted if self._is_recovered else []

        def look() -> list[str]:
            return [job.job_id for job in interrupted if self._rest(job) is None]

        def tell(done: list[str]) -> None:
            self._finish(done)
            left = self._queue.interrupted
            if left:
                self.left_over.emit(left, self._crashed)

        if interrupted:
            self._writer.run(self, look, tell)

    def close(self) -> None:
        """Write down what has not been written, and that the end was asked for."""
        self._writer.close()
        with suppress(GPSDreamError):
            self._work_off()
        if self._store:
            with suppress(GPSDreamError):
                self._store.end()

    # -- what happens --

    def added(self, job_id: str, request: QueueRequest, title: str = "") -> None:
        """Write down a job that was put in the queue."""
        self._resuming.discard(job_id)
        if isinstance(request, KeptRequest):
            self._do(lambda store: store.add(job_id, request, title))

    def follow(self, event: Event, job: QueuedJob) -> None:
        """Write down how far a job is, after the queue has followed the event."""
        state = ENDS.get(type(event))
        if isinstance(job.request, KeptRequest):
            failure = event.failure if isinstance(event, Failed) else None
            if isinstance(event, Started):
                state = StoredState.RUNNING
            elif isinstance(event, Queued) and job.begun is not None:
                state = StoredState.WAITING
            if state:
                known = state
                self._do(lambda store: store.set_state(job.job_id, known, failure))
            if failure:
                job.state, job.failure = JobState.FAILED, failure
                self._queue.put_over(job)
        if isinstance(event, TERMINAL_EVENTS):
            self.ended.emit(job, event)

    # -- what a person does --

    def hold(self, held: bool) -> None:
        """Begin no waiting job any more, or go on."""
        self._held_by_itself = False
        engine = self._session.bridge.engine
        if held:
            engine.hold()
        else:
            engine.release()
        self._queue.hold(held)
        if not held:
            self.released.emit()

    def move(self, job_id: str, before: str | None) -> None:
        """Put a waiting job before another waiting one, or last (None)."""
        if not self._queue.move(job_id, before):
            return
        self._session.bridge.engine.move(job_id, self._queue.next_of_lane(job_id))
        order = [job.job_id for job in self._queue.waiting]
        self._do(lambda store: store.put_in_order(order))

    def put_first(self, job_id: str) -> None:
        """Put a waiting job before all others."""
        waiting = self._queue.waiting
        if waiting:
            self.move(job_id, waiting[0].job_id)

    def step(self, job_id: str, places: int) -> None:
        """Move a waiting job by some places, towards the end of the queue if positive."""
        order = [job.job_id for job in self._queue.waiting]
        if job_id in order:
            place = order.index(job_id)
            order.pop(place)
            place = max(0, min(len(order), place + places))
            self.move(job_id, order[place] if place < len(order) else None)

    def resume(self, *job_ids: str) -> None:
        """Go on with jobs that were interrupted, or that failed; pictures of them that are there are not drawn again.

        If all that were interrupted go on, so does the queue.
        """
        if not self._library_is_read:
            self._later.extend(job_ids)
            return
        known = {job.job_id: job for job in self._queue.over}
        wanted = [known[one] for one in dict.fromkeys(job_ids) if one in known and one not in self._resuming]
        self._resuming.update(job.job_id for job in wanted)
        library = self._session.library

        def look() -> list[tuple[QueuedJob, KeptRequest | None]]:
            if library:
                with suppress(GPSDreamError):
                    library.adopt(pictures_dir())
            return [(job, self._rest(job)) for job in wanted]

        def go_on(found: list[tuple[QueuedJob, KeptRequest | None]]) -> None:
            for job, rest in found:
                if rest is not None and not self._session.submit_again(job.job_id, rest, job.title):
                    self._resuming.discard(job.job_id)
            self._finish([job.job_id for job, rest in found if rest is None])
            self._release_if_settled()

        if wanted:
            self._writer.run(self, look, go_on, self._refused)

    def resume_all(self) -> None:
        """Go on with all jobs that were interrupted."""
        self.resume(*(job.job_id for job in self._queue.interrupted))

    def discard(self, *job_ids: str) -> None:
        """Take jobs that were interrupted or failed out of the list; what they have drawn stays."""
        taken = self._queue.take_over(*(one for one in job_ids if one not in self._resuming))
        if not taken:
            return
        ids = [job.job_id for job in taken]

        def note(store: StoredQueue) -> None:
            for job_id in ids:
                store.set_state(job_id, StoredState.CANCELLED)

        self._do(note)
        self._release_if_settled()
        self.discarded.emit(taken)

    def bring_back(self, jobs: list[QueuedJob]) -> None:
        """Undo `discard`."""

        def note(store: StoredQueue) -> None:
            for job in jobs:
                state = StoredState.FAILED if job.state is JobState.FAILED else StoredState.INTERRUPTED
                store.set_state(job.job_id, state, job.failure)

        self._do(note)
        self._queue.put_over(*jobs)

    def _resume_later(self) -> None:
        self._library_is_read = True
        later, self._later = self._later, []
        if later:
            self.resume(*later)

    def _finish(self, job_ids: list[str]) -> None:
        """Take out jobs that turned out to be finished."""

        def note(store: StoredQueue) -> None:
            for job_id in job_ids:
                store.set_state(job_id, StoredState.DONE)

        if job_ids:
            self._resuming.difference_update(job_ids)
            self._queue.take_over(*job_ids)
            self._do(note)
            self._release_if_settled()

    def _release_if_settled(self) -> None:
        if self._held_by_itself and not self._queue.interrupted:
            self.hold(False)

    def _rest(self, job: QueuedJob) -> KeptRequest | None:
        """What of a job is still to be done; reads the library."""
        assert isinstance(job.request, KeptRequest)
        library = self._session.library
        try:
            drawn = library.drawn_by(job.job_id) if library else []
        except GPSDreamError:
            drawn = []  # a picture too many is better than one too few
        return rest_of(job.request, drawn)

    # -- the file --

    def _do(self, work: Callable[[StoredQueue], object]) -> None:
        """Do something with the file in the background, after everything that was asked for before."""
        self._todo.append(work)
        self._writer.run(self, self._work_off, failed=self._refused)

    def _work_off(self) -> None:
        with self._working:
            while self._todo:
                self._todo.popleft()(self._opened())

    def _opened(self) -> StoredQueue:
        if self._store is None:
            self._store = StoredQueue(user_data_dir() / FILE_NAME)
        return self._store

    def _refused(self, failure: Failure) -> None:
        # Once is enough: drawing goes on.
        if not self._told_of_failure:
            self._told_of_failure = True
            self._session.notify_failure(failure)

    # -- work beside the engine --

    def _follow_measuring(self, measuring: Measuring) -> None:
        def show() -> None:
            if not measuring.running:
                self._queue.remove_outside(MEASURING)
                return
            known = {job.job_id: job for job in self._queue.outside}
            title = self.tr("Measuring “{0}”").format(measuring.model_title)
            job = known.get(MEASURING) or OutsideJob(MEASURING, JobKind.EVALUATE, title, measuring.cancel)
            job.fraction, job.seconds_left = measuring.fraction, measuring.seconds_left
            job.text, job.stopping = measuring.text, measuring.state is MeasureState.STOPPING
            self._queue.put_outside(job)

        measuring.changed.connect(show)


def _over(job: StoredJob, state: JobState) -> QueuedJob:
    return QueuedJob(job.job_id, job.request, job.title, state, failure=job.failure)
