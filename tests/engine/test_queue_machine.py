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
    EngineState,
    Event,
    Failed,
    Finished,
    Queued,
    Started,
    Step,
)
from gpsdream_app.domain.explanations import ExplainRequest
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
        self.given = None
        self._lost(DEATH)
        self._change(EngineState.RESTARTING)

    def say(self, event: Event) -> None:
        if isinstance(event, TERMINAL_EVENTS):
            self.given = None
        self._accept(event)

    def _can_begin(self) -> bool:
        return self.alive

    def _begin(self, job: Job) -> None:
        assert self.alive and self.given is None
        self.given = job

    def _interrupt(self, job_id: str) -> None:
        assert self.given and self.given.job_id == job_id


class QueueMachine(RuleBasedStateMachine):
    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.engine = HandEngine()
        self.events: list[Event] = []
        self.engine.add_listener(self.events.append)
        self.submitted: list[str] = []
        self.cancels: set[str] = set()

    @rule(target=jobs, seed=st.integers(0, 99), explain=st.booleans())
    def submit(self, seed: int, explain: bool) -> str:
        request = GenerateRequest(None, seed=seed)
        job_id = self.engine.explain(ExplainRequest(request)) if explain else self.engine.submit(request)
        self.submitted.append(job_id)
        return job_id

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.cancels.add(job_id)
        self.engine.cancel(job_id)

    @rule()
    def cancel_all(self) -> None:
        self.cancels.update(self.submitted)
        self.engine.cancel_all()

    @precondition(lambda self: not self.engine.alive)
    @rule()
    def come_up(self) -> None:
        self.engine.come_up()

    @precondition(lambda self: self.engine.alive)
    @rule()
    def die(self) -> None:
        self.engine.die()

    @precondition(lambda self: self.engine.given is not None)
    @rule(data=st.data())
    def draw(self, data: st.DataObject) -> None:
        job = self.engine.given
        assert job
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
        if not (self.engine.given and self.engine.given.job_id == job_id):
            self.engine._accept(event(job_id=job_id))

    @invariant()
    def every_job_is_somewhere(self) -> None:
        waiting, current = self.engine._waiting, self.engine._current
        assert not (current and current.job_id in waiting)
        assert (self.engine.given is None) == (current is None)
        assert not (self.engine.alive and waiting and current is None), "nothing is drawn though jobs wait"

    @invariant()
    def positions_are_told(self) -> None:
        told = {event.job_id: event.position for event in self.engine.emitted if isinstance(event, Queued)}
        assert [told[job_id] for job_id in self.engine._waiting] == list(range(len(self.engine._waiting)))

    def teardown(self) -> None:
        self.engine.shutdown()
        ends = Counter(event.job_id for event in self.events if isinstance(event, TERMINAL_EVENTS))
        assert ends == Counter(self.submitted), "every job ends once"
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        running: str | None = None
        first_starts: list[str] = []
        closing = False
        for event in self.events:
            closing = closing or (isinstance(event, Cancelled) and event.job_id not in self.cancels)
            if isinstance(event, Started):
                assert running is None, "one job runs"
                running = event.job_id
                first_starts.append(event.job_id)
            elif isinstance(event, Step):
                assert event.job_id == running
            elif isinstance(event, TERMINAL_EVENTS):
                running = None if running == event.job_id else running
                if isinstance(event, Cancelled) and not closing:
                    assert event.job_id in self.cancels, "a cancel touches its own job only"
        assert first_starts == [job for job in self.submitted if job in first_starts], "first come, first served"


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
