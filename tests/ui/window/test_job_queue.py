from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import Cancelled, Event, Failed, Finished, Loading, Queued, Started, Step
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.ui.job_queue import JobQueue, JobState

REQUEST = GenerateRequest(None, "a church", count=2, steps=10)


def test_a_job_goes_through_its_states() -> None:
    queue = JobQueue()
    queue.add("a", REQUEST)
    queue.add("b", REQUEST)
    assert queue.current is None
    assert len(queue) == 2
    for event, state in (
        (Queued(job_id="a"), JobState.WAITING),
        (Started(job_id="a"), JobState.DRAWING),
        (Loading(job_id="a", step=2, total=4, text="loading U-Net"), JobState.LOADING),
        (Step(job_id="a", index=5, total=20, seconds_left=3.0), JobState.DRAWING),
    ):
        job = queue.handle(event)
        assert job is not None
        assert job.state is state
    assert queue.current is not None
    assert queue.current.job_id == "a"
    assert queue.current.fraction == 0.25
    assert [job.job_id for job in queue.jobs] == ["a", "b"]
    queue.handle(Finished(job_id="a"))
    assert queue.get("a") is None
    assert len(queue) == 1


def test_stopping_is_shown_at_once_and_stays() -> None:
    queue = JobQueue()
    queue.add("a", REQUEST)
    queue.mark_stopping("a")
    assert queue.jobs[0].state is JobState.WAITING
    queue.handle(Started(job_id="a"))
    queue.mark_stopping("a")
    queue.handle(Step(job_id="a", index=6, total=20))
    assert queue.jobs[0].state is JobState.STOPPING
    queue.handle(Cancelled(job_id="a"))
    assert not queue


def test_a_job_that_had_not_begun_waits_again_after_the_engine_died() -> None:
    queue = JobQueue()
    queue.add("a", REQUEST)
    queue.handle(Loading(job_id="a", step=1, total=4, text="loading"))
    queue.handle(Queued(job_id="a", position=0))
    assert queue.jobs[0].state is JobState.WAITING


NAMES = st.sampled_from(["a", "b", "c", "stranger"])


def events() -> st.SearchStrategy[Event]:
    return st.one_of(
        NAMES.map(lambda name: Queued(job_id=name)),
        NAMES.map(lambda name: Started(job_id=name)),
        NAMES.map(lambda name: Loading(job_id=name, step=1, total=2, text="loading")),
        st.tuples(NAMES, st.integers(1, 20)).map(lambda pair: Step(job_id=pair[0], index=pair[1], total=20)),
        NAMES.map(lambda name: Finished(job_id=name)),
        NAMES.map(lambda name: Cancelled(job_id=name)),
        NAMES.map(lambda name: Failed(job_id=name, failure=Failure(ErrorKind.INTERNAL, "No."))),
    )


@given(st.lists(events(), max_size=40))
def test_no_order_of_events_loses_or_invents_a_job(sequence: list[Event]) -> None:
    queue = JobQueue()
    alive = {"a", "b", "c"}
    for name in sorted(alive):
        queue.add(name, REQUEST)
    for event in sequence:
        known = event.job_id in alive
        assert (queue.handle(event) is not None) is known
        if isinstance(event, Finished | Cancelled | Failed):
            alive.discard(event.job_id)
        assert {job.job_id for job in queue.jobs} == alive
        assert all(0 <= job.fraction <= 1 for job in queue.jobs)
