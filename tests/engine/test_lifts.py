"""Lifts go through a lane of their own: the same scenarios for the scripted engine and the real process."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trimesh
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import (
    Cancelled,
    EngineState,
    Failed,
    Finished,
    Lifted,
    LiftStep,
    Paused,
    PictureFinished,
    Started,
)
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest, LiftResult
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.base import RESTARTS, Engine
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.library.lifts import DENSITY_FILE, LOOK_FILE, MESH_FILE, list_lifts, list_unfinished
from gpsdream_app.lifting.density import Density
from tests.engine.recorder import Recorder
from tests.engine.stand_in import COMMAND, make_model

FLATIRON = LANDMARKS[1]


class Bench:
    """An engine whose lifts can be held."""

    engine: Engine
    model: str

    def __init__(self) -> None:
        self.seen = Recorder(self.engine)

    def lift(self, orders: str = "", **values: object) -> LiftRequest:
        return replace(
            LiftRequest(replace(FLATIRON, city=orders), LiftMethod.VIEWS, model=self.model),
            **values,  # type: ignore[arg-type]
        )

    def hold_lifts(self) -> str:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError

    def drawing(self) -> GenerateRequest:
        """A picture that is held."""
        raise NotImplementedError

    def release_drawing(self) -> None:
        raise NotImplementedError


class FakeBench(Bench):
    def __init__(self, folder: Path) -> None:
        self.held: object = None
        self.engine = self.fake = FakeEngine(self.script, size=64)
        self.model = "postcards"
        super().__init__()

    @staticmethod
    def script(request: object) -> Script:
        text = request.landmark.city if isinstance(request, LiftRequest) else ""
        orders = dict(word.split("=") for word in text.split() if "=" in word)
        fail, die = (int(orders[key]) if key in orders else None for key in ("fail", "die"))
        return Script(fail_at=fail, die_at=die, preview_every=3)

    def hold_lifts(self) -> str:
        self.fake.lift_gate.clear()
        return ""

    def release(self) -> None:
        self.fake.lift_gate.set()

    def drawing(self) -> GenerateRequest:
        self.fake.gate.clear()
        return GenerateRequest(None, "a house", steps=2, model=self.model)

    def release_drawing(self) -> None:
        self.fake.gate.set()


class ProcessBench(Bench):
    def __init__(self, folder: Path) -> None:
        self.gate, self.other = folder / "gate", folder / "other"
        self.engine = ProcessEngine(command=COMMAND)
        self.model = str(make_model(folder / "model"))
        super().__init__()

    def hold_lifts(self) -> str:
        return f"hold={self.gate} at=2"

    def release(self) -> None:
        self.gate.touch()

    def drawing(self) -> GenerateRequest:
        return GenerateRequest(None, f"hold={self.other}", steps=2, model=self.model)

    def release_drawing(self) -> None:
        self.other.touch()


@pytest.fixture(params=[FakeBench, ProcessBench], ids=["fake", "process"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = request.param(tmp_path)
    yield bench
    bench.engine.shutdown()


def finished(bench: Bench, job_id: str) -> LiftResult:
    end = bench.seen.end_of(job_id)
    assert isinstance(end, Finished), end
    lifted = bench.seen.first(Lifted, job_id)
    assert isinstance(lifted, Lifted)
    return lifted.lift


def test_a_lift_is_told_from_queue_to_files(bench: Bench) -> None:
    request = bench.lift(seed=3)
    job_id = bench.engine.submit(request)
    result = finished(bench, job_id)

    names = bench.seen.names(job_id)
    assert names[0] == "queued" and names[1] == "started" and names[-2:] == ["lifted", "finished"]
    steps = [event for event in bench.seen.of(job_id) if isinstance(event, LiftStep)]
    shares = [step.share for step in steps]
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] <= 1
    assert any(step.preview for step in steps)
    assert result.request == request and result.job_id == job_id and not result.kept_early
    folder = Path(result.folder)
    with Image.open(folder / LOOK_FILE) as look:
        assert look.width == look.height
    density = Density.load(folder / DENSITY_FILE)
    assert density.scale.known
    mesh = trimesh.load(folder / MESH_FILE, force="mesh")
    assert len(mesh.faces) == result.faces and mesh.is_watertight == result.watertight
    # glTF stands y up.
    assert mesh.extents[1] == pytest.approx(result.size[2], rel=1e-3)
    assert [lift.id for lift in list_lifts()] == [result.id] and list_unfinished() == []


def test_a_finished_lift_is_answered_at_once(bench: Bench) -> None:
    first = finished(bench, bench.engine.submit(bench.lift()))
    again = bench.engine.submit(bench.lift())
    assert finished(bench, again) == first
    assert not [event for event in bench.seen.of(again) if isinstance(event, LiftStep)]


def test_a_drawing_goes_before_a_lift(bench: Bench) -> None:
    lift = bench.engine.submit(bench.lift(bench.hold_lifts()))
    bench.seen.first(Started, lift)
    drawing = bench.engine.submit(bench.drawing())
    bench.seen.first(Started, drawing)
    bench.release()
    before = len([event for event in bench.seen.of(lift) if isinstance(event, LiftStep)])
    bench.release_drawing()
    finished(bench, lift)
    assert isinstance(bench.seen.first(PictureFinished, drawing), PictureFinished)

    order = [(event.job_id, event.name) for event in bench.seen.events]
    assert order.index((drawing, "finished")) < order.index((lift, "lifted")), "the lift gave way"
    # What was in flight when the drawing came may still have been told.
    steps = [event for event in bench.seen.events if isinstance(event, LiftStep) or event.job_id == drawing]
    begun = next(number for number, event in enumerate(steps) if isinstance(event, Started))
    ended = next(number for number, event in enumerate(steps) if isinstance(event, Finished))
    told = [event for event in steps[begun:ended] if isinstance(event, LiftStep)]
    assert len(told) <= 1 and before <= 1


def test_a_lift_pauses_and_goes_on(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.lift(bench.hold_lifts()))
    bench.seen.first(Started, job_id)
    bench.engine.pause(job_id)
    bench.engine.pause(job_id)
    bench.seen.first(Paused, job_id)
    bench.release()
    bench.engine.resume(job_id)
    finished(bench, job_id)
    names = [name for name in bench.seen.names(job_id) if name in ("started", "paused", "lifted")]
    assert names == ["started", "paused", "started", "lifted"]


def test_a_waiting_lift_begins_paused(bench: Bench) -> None:
    first = bench.engine.submit(bench.lift(bench.hold_lifts()))
    second = bench.engine.submit(bench.lift(seed=9))
    bench.engine.pause(second)
    bench.release()
    finished(bench, first)
    bench.seen.first(Paused, second)
    bench.engine.resume(second)
    finished(bench, second)


def test_a_paused_lift_is_cancelled(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.lift(bench.hold_lifts()))
    bench.seen.first(Started, job_id)
    bench.engine.pause(job_id)
    bench.seen.first(Paused, job_id)
    bench.engine.cancel(job_id)
    assert isinstance(bench.seen.end_of(job_id), Cancelled)
    assert list_lifts() == [] and len(list_unfinished()) <= 1


def test_a_waiting_lift_is_cancelled(bench: Bench) -> None:
    first = bench.engine.submit(bench.lift(bench.hold_lifts()))
    second = bench.engine.submit(bench.lift(seed=9))
    bench.engine.cancel(second)
    assert isinstance(bench.seen.end_of(second), Cancelled)
    bench.release()
    finished(bench, first)


def test_what_there_is_can_be_kept_and_gone_on_with(bench: Bench) -> None:
    if isinstance(bench, FakeBench):
        request, told = bench.lift(), 0

        def hold_when_fitted(event: object) -> None:
            nonlocal told
            fitted = isinstance(event, LiftStep) and event.phase == "fit"
            told += fitted
            if fitted and told == 2:
                bench.hold_lifts()
                bench.engine.keep(job_id)

        bench.engine.add_listener(hold_when_fitted)
        job_id = "kept"
        bench.engine.submit(request, job_id)
    else:
        request = bench.lift(bench.hold_lifts())
        job_id = bench.engine.submit(request)
        bench.seen.first(LiftStep, job_id)
        bench.engine.keep(job_id)
    result = finished(bench, job_id)
    assert result.kept_early
    bench.release()
    assert not finished(bench, bench.engine.submit(request)).kept_early


def test_nothing_yet_to_keep_is_a_sentence() -> None:
    engine = FakeEngine()
    seen = Recorder(engine)
    engine.lift_gate.clear()
    job_id = engine.submit(LiftRequest(FLATIRON))
    seen.first(Started, job_id)
    engine.keep(job_id)
    end = seen.end_of(job_id)
    assert isinstance(end, Failed) and end.failure.kind is ErrorKind.BAD_REQUEST
    engine.shutdown()


def test_levers_of_other_jobs_do_nothing(bench: Bench) -> None:
    drawing = bench.engine.submit(bench.drawing())
    bench.seen.first(Started, drawing)
    for pull in (bench.engine.pause, bench.engine.resume, bench.engine.keep):
        pull(drawing)
        pull("unknown")
    bench.release_drawing()
    assert isinstance(bench.seen.end_of(drawing), Finished)
    assert "paused" not in bench.seen.names(drawing)


def test_a_lift_fails_with_a_sentence(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.lift("fail=3"))
    end = bench.seen.end_of(job_id)
    assert isinstance(end, Failed) and end.failure.message
    finished(bench, bench.engine.submit(bench.lift()))


def test_two_jobs_of_one_name_are_refused(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.lift(bench.hold_lifts()))
    with pytest.raises(GPSDreamError):
        bench.engine.submit(GenerateRequest(None, model=bench.model), job_id)
    bench.release()
    finished(bench, job_id)


def test_a_missing_model_is_a_sentence(tmp_path: Path) -> None:
    engine = ProcessEngine(command=COMMAND)
    seen = Recorder(engine)
    end = seen.end_of(engine.submit(LiftRequest(FLATIRON, model="nowhere")))
    assert isinstance(end, Failed) and end.failure.kind is ErrorKind.MODEL_MISSING
    engine.shutdown()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Bench]:
    bench = ProcessBench(tmp_path)
    yield bench
    bench.engine.shutdown()


def test_a_lift_goes_on_after_the_engine_died(process: Bench) -> None:
    job_id = process.engine.submit(process.lift("die=2"))
    finished(process, job_id)
    process.seen.state(EngineState.RESTARTING)
    assert process.seen.names(job_id).count("started") == 2


def test_a_lift_that_always_kills_the_engine_fails_in_the_end() -> None:
    engine = FakeEngine(Script(die_at=2))
    seen = Recorder(engine)
    job_id = engine.submit(LiftRequest(FLATIRON))
    end = seen.end_of(job_id)
    assert isinstance(end, Failed) and end.failure.kind is ErrorKind.ENGINE_DIED
    assert "lift" in end.failure.message
    assert seen.names(job_id).count("started") == RESTARTS + 1
    engine.shutdown()


def test_a_killed_engine_fails_the_drawing_and_not_the_lift(process: Bench) -> None:
    engine = process.engine
    assert isinstance(engine, ProcessEngine)
    lift = engine.submit(process.lift(process.hold_lifts()))
    process.seen.first(LiftStep, lift)
    drawing = engine.submit(process.drawing())
    process.seen.first(Started, drawing)
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    assert isinstance(process.seen.end_of(drawing), Failed)
    process.release()
    finished(process, lift)


def test_previews_are_pictures_of_four_squares(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(bench, FakeBench):
        pytest.skip("the stand-in's previews are no pictures")
    job_id = bench.engine.submit(bench.lift())
    finished(bench, job_id)
    for event in bench.seen.of(job_id):
        if isinstance(event, LiftStep) and event.preview:
            with Image.open(io.BytesIO(event.preview)) as image:
                assert image.format == "JPEG" and image.width == 4 * image.height


def test_cancel_all_ends_lifts_too(bench: Bench) -> None:
    first = bench.engine.submit(bench.lift(bench.hold_lifts()))
    second = bench.engine.submit(bench.lift(seed=4))
    drawing = bench.engine.submit(bench.drawing())
    bench.seen.first(Started, first)
    bench.engine.cancel_all()
    ends: list[Callable[..., object]] = [type(bench.seen.end_of(job)) for job in (first, second, drawing)]
    assert ends == [Cancelled] * 3
