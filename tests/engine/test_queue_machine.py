"""Random submitting, cancelling, failing and dying, and what must hold whatever happens."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import (
    TERMINAL_EVENTS,
    Cancelled,
    EngineChanged,
    EngineState,
    Event,
    Failed,
    Finished,
    Queued,
    Started,
    Step,
)
from gpsdream_app.domain.explanations import ExplainRequest
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.base import Job, QueueEngine

FAILURE = Failure(ErrorKind.INTERNAL, "It failed.")
DEATH = Failure(ErrorKind.ENGINE_DIED, "It died.")


class HandEngine(QueueEngine):
    """An engine whose drawing is done by hand: the test says what happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = False
        self.given: Job | None = None
        self.lifted: Job | None = None
        self.pulled: list[tuple[str, str]] = []
        self.emitted: list[Event] = []

    def _emit(self, event: Event) -> None:
        self.emitted.append(event)
        super()._emit(event)

    def start(self) -> None:
        if self.state is EngineState.STOPPED:
            self._change(EngineState.STARTING)

    def warm(self, model: str) -> None:
        self.start()

    def shutdown(self, timeout: float = 3.0) -> None:
        if self._close():
            self._change(EngineState.STOPPED)
            self._stop_telling()

    def come_up(self) -> None:
        self.alive = True
        self._change(EngineState.READY)
        self._advance()

    def die(self) -> None:
        self.alive = False
        self.given = self.lifted = None
        self._lost(DEATH)
        self._change(EngineState.RESTARTING)

    def say(self, event: Event) -> None:
        if isinstance(event, TERMINAL_EVENTS):
            if self.given and self.given.job_id == event.job_id:
                self.given = None
            else:
                self.lifted = None
        self._accept(event)

    def _can_begin(self) -> bool:
        return self.alive

    def _begin(self, job: Job) -> None:
        assert self.alive
        assert job.is_question or not self.held
        if job.is_lift:
            assert self.lifted is None
            self.lifted = job
        else:
            assert self.given is None
            self.given = job

    def _interrupt(self, job_id: str) -> None:
        assert job_id in [job.job_id for job in (self.given, self.lifted) if job]

    def _set_paused(self, job_id: str, paused: bool) -> None:
        assert self.lifted and self.lifted.job_id == job_id and self.lifted.paused == paused
        self.pulled.append((job_id, "pause" if paused else "resume"))

    def _keep(self, job_id: str) -> None:
        assert self.lifted and self.lifted.job_id == job_id and not self.lifted.cancel_asked
        self.pulled.append((job_id, "keep"))


class QueueMachine(RuleBasedStateMachine):
    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.engine = HandEngine()
        self.events: list[Event] = []
        self.engine.add_listener(self.events.append)
        self.submitted: list[str] = []
        self.lifts: list[str] = []
        self.cancels: set[str] = set()
        self.moved = False

    @rule(target=jobs, seed=st.integers(0, 99), explain=st.booleans())
    def submit(self, seed: int, explain: bool) -> str:
        request = GenerateRequest(None, seed=seed)
        job_id = self.engine.explain(ExplainRequest(request)) if explain else self.engine.submit(request)
        self.submitted.append(job_id)
        return job_id

    @rule(target=jobs, seed=st.integers(0, 99))
    def lift(self, seed: int) -> str:
        job_id = self.engine.submit(LiftRequest(LANDMARKS[0], seed=seed))
        self.submitted.append(job_id)
        self.lifts.append(job_id)
        return job_id

    @rule(job_id=jobs, lever=st.sampled_from(["pause", "resume", "keep"]))
    def pull(self, job_id: str, lever: str) -> None:
        before = len(self.engine.pulled)
        getattr(self.engine, lever)(job_id)
        assert all(pulled == (job_id, lever) for pulled in self.engine.pulled[before:])
        assert len(self.engine.pulled) == before or job_id in self.lifts

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.cancels.add(job_id)
        self.engine.cancel(job_id)

    @rule()
    def cancel_all(self) -> None:
        self.cancels.update(self.submitted)
        self.engine.cancel_all()

    @rule()
    def cancel_waiting(self) -> None:
        running = {job.job_id for job in (self.engine.given, self.engine.lifted) if job}
        self.cancels.update(set(self.submitted) - running)
        self.engine.cancel_waiting()
        assert not self.engine._drawing.waiting
        assert not self.engine._lifting.waiting
        assert running == {job.job_id for job in (self.engine.given, self.engine.lifted) if job}

    @rule(job_id=jobs, before=st.none() | jobs | st.just(""))
    def move(self, job_id: str, before: str | None) -> None:
        lanes = [list(lane.waiting) for lane in self.engine._lanes]
        self.engine.move(job_id, before)
        for old, lane in zip(lanes, self.engine._lanes, strict=True):
            new = list(lane.waiting)
            if job_id not in old or job_id == before:
                assert new == old
                continue
            self.moved = True
            assert [other for other in new if other != job_id] == [other for other in old if other != job_id]
            if before is None:
                assert new[-1] == job_id
            elif before in old:
                assert new.index(job_id) == new.index(before) - 1
            else:
                assert new[0] == job_id

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        if held:
            self.engine.hold()
        else:
            self.engine.release()
        assert self.engine.held is held
        self.moved = self.moved or held  # what somebody asked just now goes on

    @precondition(lambda self: not self.engine.alive)
    @rule()
    def come_up(self) -> None:
        self.engine.come_up()

    @precondition(lambda self: self.engine.alive)
    @rule()
    def die(self) -> None:
        self.engine.die()

    @precondition(lambda self: self.engine.given is not None or self.engine.lifted is not None)
    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([job for job in (self.engine.given, self.engine.lifted) if job]))
        if not job.started:
            self.engine.say(Started(job_id=job.job_id))
            return
        options: list[Any] = [Step, Finished, Failed]
        if job.cancel_asked:
            options.append(Cancelled)
        event = data.draw(st.sampled_from(options))
        extra: dict[type, dict[str, Any]] = {Step: {"index": 1, "total": 2}, Failed: {"failure": FAILURE}}
        self.engine.say(event(job_id=job.job_id, **extra.get(event, {})))

    @rule(job_id=jobs, event=st.sampled_from([Started, Finished, Cancelled]))
    def late_event(self, job_id: str, event: type[Event]) -> None:
        """What a process that has been replaced may still have had in its pipe."""
        if job_id not in [job.job_id for job in (self.engine.given, self.engine.lifted) if job]:
            self.engine._accept(event(job_id=job_id))

    @invariant()
    def every_job_is_somewhere(self) -> None:
        for lane, given in ((self.engine._drawing, self.engine.given), (self.engine._lifting, self.engine.lifted)):
            assert not (lane.current and lane.current.job_id in lane.waiting)
            assert given is lane.current
            ready = [job for job in lane.waiting.values() if not self.engine.held or job.is_question]
            assert not (self.engine.alive and ready and lane.current is None), "nothing is done though jobs wait"

    @invariant()
    def positions_are_told(self) -> None:
        told = {event.job_id: event.position for event in self.engine.emitted if isinstance(event, Queued)}
        for lane in (self.engine._drawing, self.engine._lifting):
            assert [told[job_id] for job_id in lane.waiting] == list(range(len(lane.waiting)))

    def teardown(self) -> None:
        self.engine.shutdown()
        ends = Counter(event.job_id for event in self.events if isinstance(event, TERMINAL_EVENTS))
        assert ends == Counter(self.submitted), "every job ends once"
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        running: dict[bool, str | None] = {False: None, True: None}
        first_starts: list[str] = []
        closing = False
        for event in self.events:
            lane = event.job_id in self.lifts
            closing = closing or (isinstance(event, Cancelled) and event.job_id not in self.cancels)
            if isinstance(event, EngineChanged) and event.state is EngineState.RESTARTING:
                running[True] = None  # lifts go on
            if isinstance(event, Started):
                assert running[lane] is None, "one job of a lane runs"
                running[lane] = event.job_id
                if event.job_id not in first_starts:
                    first_starts.append(event.job_id)
            elif isinstance(event, Step):
                assert event.job_id == running[lane]
            elif isinstance(event, TERMINAL_EVENTS):
                running[lane] = None if running[lane] == event.job_id else running[lane]
                if isinstance(event, Cancelled) and not closing:
                    assert event.job_id in self.cancels, "a cancel touches its own job only"
        for jobs in (self.lifts, [job for job in self.submitted if job not in self.lifts]):
            starts = [job for job in first_starts if job in jobs]
            assert self.moved or starts == [job for job in jobs if job in starts], "first come, first served"


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
