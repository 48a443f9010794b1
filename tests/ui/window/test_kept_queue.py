"""Queue, engine and file together: random submitting, reordering, failing, dying and starting again; and the ends of a
program and what the next one makes of them."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import Cancelled, Event, Failed, Finished, PictureFinished, Started
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import picture_key
from gpsdream_app.engine.base import Job
from gpsdream_app.engine.finishing import finish_picture
from gpsdream_app.library.paths import pictures_dir, user_data_dir
from gpsdream_app.library.queue import StoredState
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from tests.engine.test_queue_machine import HandEngine

from .rig import FLATIRON, MODEL

PATIENCE = 60.0
FAILURE = Failure(ErrorKind.OUT_OF_MEMORY, "There is not enough memory.", "Close other programs.")
GREY = Image.new("RGB", (8, 8), "grey")


class Program(Session):
    """A session without a map, which takes long to read and has nothing to do with the queue."""

    def _load_city(self, city_id: str) -> None:
        self._city_id = city_id

    def use_model(self, name: str) -> None:
        self.form.model = name


class PaintingEngine(HandEngine):
    """Draws by hand as well, and notes all that it was ever given."""

    given_ever: list[tuple[str, Any]]

    def _begin(self, job: Job) -> None:
        super()._begin(job)
        self.given_ever.append((job.job_id, job.request))

    def shutdown(self, timeout: float = 3.0) -> None:
        self.alive = False
        super().shutdown(timeout)


class KeptQueue(RuleBasedStateMachine):
    """Every job ends as it should, and no picture is drawn twice, whatever happens to window and engine."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        os.environ["GPSDREAM_HOME"] = self.home.name
        self.given_ever: list[tuple[str, Any]] = []
        self.drawn: Counter[tuple[str, str]] = Counter()
        self.requests: dict[str, Any] = {}
        self.ended: set[str] = set()  # finished, cancelled or discarded: nothing may come of them any more
        self.finished: set[str] = set()
        self.count = 0
        self._open()

    def _open(self) -> None:
        self.engine = PaintingEngine()
        self.engine.given_ever = self.given_ever
        self.heard = 0
        self.session = Program(self.engine, Settings(user_data_dir()), model=MODEL)
        self.engine.add_listener(self._hear)
        self.session.start()
        self.settle()
        self.engine.come_up()
        self.settle()

    def _hear(self, event: Event) -> None:
        self.heard = event.seq

    def settle(self) -> None:
        """Wait until everything has been told and written."""
        end = time.monotonic() + PATIENCE
        while self.heard < self.engine._seq or self.session.pending:
            QCoreApplication.processEvents()
            assert time.monotonic() < end
        QCoreApplication.processEvents()
        if self.heard < self.engine._seq or self.session.pending:
            self.settle()

    @property
    def keeper(self) -> Any:
        return self.session.keeper

    @property
    def waiting(self) -> set[str]:
        """The jobs that were not handed to whatever draws."""
        return {job_id for lane in self.engine._lanes for job_id in lane.waiting}

    # -- what a person does --

    @rule(target=jobs, count=st.integers(1, 3))
    def submit(self, count: int) -> str:
        self.count += 1
        request = GenerateRequest(FLATIRON, "a church", seed=10 * self.count, count=count, steps=1, model=MODEL)
        job_id = self.session.submit(request)
        self.requests[job_id] = request
        self.settle()
        return job_id

    @rule(target=jobs)
    def lift(self) -> str:
        self.count += 1
        request = LiftRequest(LANDMARKS[0], seed=self.count)
        job_id = self.session.submit_job(request, "A lift")
        self.requests[job_id] = request
        self.settle()
        return job_id

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        before, waiting = {job.job_id for job in self.session.queue.jobs}, self.waiting
        self.session.cancel(job_id)
        self.settle()
        self.ended |= waiting & {job_id}
        after = {job.job_id for job in self.session.queue.jobs}
        assert after == before - (waiting & {job_id}), "a cancel touches its own job only"

    @rule()
    def cancel_waiting(self) -> None:
        waiting = self.waiting
        before = {job.job_id for job in self.session.queue.jobs}
        self.session.cancel_waiting()
        self.settle()
        self.ended |= waiting
        assert {job.job_id for job in self.session.queue.jobs} == before - waiting

    @rule(job_id=jobs, places=st.integers(-3, 3))
    def step(self, job_id: str, places: int) -> None:
        self.keeper.step(job_id, places)
        self.settle()

    @rule(job_id=jobs)
    def put_first(self, job_id: str) -> None:
        self.keeper.put_first(job_id)
        self.settle()
        if self.session.queue.get(job_id) in self.session.queue.waiting:
            assert self.session.queue.waiting[0].job_id == job_id

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.keeper.hold(held)
        self.settle()

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        self.keeper.resume(job_id, job_id)
        self.settle()
        assert job_id not in [job.job_id for job in self.session.queue.over]

    @rule(job_id=jobs, undo=st.booleans())
    def discard(self, job_id: str, undo: bool) -> None:
        over = [job for job in self.session.queue.over if job.job_id == job_id]
        self.keeper.discard(job_id)
        if undo:
            self.keeper.bring_back(over)
        elif over:
            self.ended.add(job_id)
        self.settle()

    # -- what happens --

    @precondition(lambda self: self.engine.given is not None or self.engine.lifted is not None)
    @rule(data=st.data(), fails=st.integers(0, 5))
    def work(self, data: st.DataObject, fails: int) -> None:
        job = data.draw(st.sampled_from([job for job in (self.engine.given, self.engine.lifted) if job]))
        self._work(job, fails == 0)

    def _work(self, job: Job, fails: bool = False) -> None:
        job_id = job.job_id
        if not job.started:
            self.engine.say(Started(job_id=job_id))
        elif job.cancel_asked:
            self.ended.add(job_id)
            self.engine.say(Cancelled(job_id=job_id))
        elif fails:
            self.engine.say(Failed(job_id=job_id, failure=FAILURE))
        elif isinstance(job.request, GenerateRequest) and len(job.results) < job.request.count:
            self._draw(job, job.request)
        else:
            self.ended.add(job_id)
            self.finished.add(job_id)
            self.engine.say(Finished(job_id=job_id))
        self.settle()

    def _draw(self, job: Job, request: GenerateRequest, *, tell: bool = True) -> None:
        index = len(job.results)
        one = request.picture(index)
        result = finish_picture(
            GREY, one, pictures_dir(), job_id=job.job_id, seconds=0.1, model_title="Grey", model_hash="0" * 16
        )
        self.drawn[job.job_id, picture_key(one)] += 1
        job.results.append(result)
        if tell:
            self.engine.say(PictureFinished(job_id=job.job_id, result=result, index=index))

    @rule()
    def engine_dies(self) -> None:
        given = [job for job in (self.engine.given, self.engine.lifted) if job]
        self.ended |= {job.job_id for job in given if job.cancel_asked}
        self.engine.die()
        self.settle()
        self.engine.come_up()
        self.settle()

    @rule(unheard=st.booleans())
    def window_dies(self, unheard: bool) -> None:
        """As if it was killed; perhaps just after a picture was written of which it never heard."""
        job = self.engine.given
        request = job.request if job and job.started else None
        if unheard and job and isinstance(request, GenerateRequest) and len(job.results) < request.count:
            self._draw(job, request, tell=False)
        self._leave(killed=True)

    @rule()
    def quit(self) -> None:
        self._leave(killed=False)

    def _leave(self, *, killed: bool) -> None:
        lively = bool(self.session.queue)
        left = {job.job_id for job in [*self.session.queue.jobs, *self.session.queue.interrupted]}
        if killed:
            store = self.keeper._store
            store.close()
            self.keeper._store = None
        self.session.close()
        self.session.deleteLater()
        self._open()
        found = {job.job_id for job in self.session.queue.interrupted}
        assert found <= left
        for job_id in left - found:
            assert self._is_whole(job_id), "only what is finished is not offered again"
            self.ended.add(job_id)
            self.finished.add(job_id)
        assert not self.session.queue.jobs
        assert self.session.queue.held is bool(found)
        if found and lively:
            assert self.session.notice
            assert ("unexpectedly" in self.session.notice.text) is killed

    def _is_whole(self, job_id: str) -> bool:
        request = self.requests[job_id]
        return isinstance(request, GenerateRequest) and all(
            self.drawn[job_id, picture_key(request.picture(index))] for index in range(request.count)
        )

    # -- what holds --

    @invariant()
    def every_job_is_somewhere(self) -> None:
        queue = self.session.queue
        alive = {job.job_id for job in [*queue.jobs, *queue.over]}
        assert alive == set(self.requests) - self.ended
        kept = {job.job_id: job for job in self.keeper._store.jobs()}
        assert set(kept) == set(self.requests)
        assert all(job.request == self.requests[job_id] for job_id, job in kept.items()), "the whole job is kept"
        for job in queue.waiting:
            assert kept[job.job_id].state is StoredState.WAITING
        for job in queue.over:
            assert kept[job.job_id].state.value == job.state.value
        for job_id in self.finished:
            assert kept[job_id].state is StoredState.DONE

    @invariant()
    def the_order_is_one(self) -> None:
        waiting = [job.job_id for job in self.session.queue.waiting]
        assert [job.job_id for job in self.keeper._store.jobs(StoredState.WAITING)] == waiting
        for lane in self.engine._lanes:
            assert list(lane.waiting) == [job_id for job_id in waiting if job_id in lane.waiting]

    @invariant()
    def nothing_is_done_twice(self) -> None:
        assert all(count == 1 for count in self.drawn.values()), "no picture is drawn twice"

    def teardown(self) -> None:
        """Let everything come to its end."""
        try:
            self.keeper.hold(False)
            self.keeper.resume(*(job.job_id for job in self.session.queue.over))
            self.settle()
            while jobs := [job for job in (self.engine.given, self.engine.lifted) if job]:
                self._work(jobs[0])
            assert self.ended == set(self.requests), "no job is lost"
            for job_id in self.finished:
                if isinstance(self.requests[job_id], GenerateRequest):
                    assert self._is_whole(job_id)
            library = self.session.library
            assert library is not None
            known = {(result.job_id, picture_key(result.request)) for result in library.recent(10_000)}
            assert known == set(self.drawn), "every picture is in the library"
            self.nothing_is_done_twice()
        finally:
            self.session.close()
            self.session.deleteLater()
            self.home.cleanup()


@pytest.mark.parametrize("examples", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_no_job_is_lost_or_done_twice(qapp: QApplication, monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    monkeypatch.setenv("GPSDREAM_HOME", "")  # put back at the end; every example has a folder of its own
    run_state_machine_as_test(
        KeptQueue,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
