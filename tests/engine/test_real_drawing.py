"""The real process with a real, tiny model: torch, a U-Net, a codec, everything."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind
from gpsdream_app.domain.events import Cancelled, EngineState, Explained, Failed, Finished, Loading, Step
from gpsdream_app.domain.explanations import ExplainRequest
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.library.model_folders import verify_model, weights_hash
from gpsdream_app.library.picture_metadata import read_result
from tests.engine.recorder import Recorder
from tests.tiny_model import make_tiny_model

PLACE = Place(40.7411, -73.9897, 118.0, "Flatiron")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> GenerateRequest:
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    assert verify_model(folder) == []
    return GenerateRequest(PLACE, "a mansion", steps=3, model=str(folder))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, ask: GenerateRequest) -> Iterator[ProcessEngine]:
    """One process for the whole file, because importing torch takes seconds; tests may kill it."""
    engine = ProcessEngine(pictures=tmp_path_factory.mktemp("pictures"), device="cpu")
    engine.warm(ask.model)
    yield engine
    engine.shutdown()


@pytest.fixture
def seen(engine: ProcessEngine) -> Iterator[Recorder]:
    recorder = Recorder(engine)
    yield recorder
    engine.cancel_all()
    engine.remove_listener(recorder)


def pixels(result: Result) -> bytes:
    with Image.open(result.path) as image:
        return image.tobytes()


def test_the_model_is_warmed_up_stage_by_stage(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    seen.wait(lambda event: getattr(event, "state", "") == EngineState.READY)
    loading = [event for event in seen.of("") if isinstance(event, Loading)]
    assert [event.step for event in loading] == list(range(1, loading[0].total + 1))
    assert "loading U-Net" in [event.text for event in loading]
    texts = [event.text for event in seen.of("") if getattr(event, "state", "") == EngineState.WARMING]
    assert "loading U-Net, 2 of 4" in texts
    job_id = engine.submit(ask)
    assert isinstance(seen.end_of(job_id), Finished)
    assert "loading" not in seen.names(job_id)


def test_a_request_gives_the_same_pixels_in_any_company(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    first, second = seen.end_of(engine.submit(replace(ask, seed=5, count=2))).results
    again = seen.end_of(engine.submit(replace(ask, seed=6))).results[0]
    elsewhere = seen.end_of(engine.submit(replace(ask, seed=6, place=Place(40.78, -73.96)))).results[0]
    assert pixels(second) == pixels(again)
    assert len({pixels(first), pixels(second), pixels(elsewhere)}) == 3
    assert second.request == again.request == replace(ask, seed=6)
    assert (first.width, first.height) == (32, 32)


def test_results_say_what_made_them(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    job_id = engine.submit(ask)
    result = seen.end_of(job_id).results[0]
    assert result.model_title == "Tiny"
    assert result.model_hash == weights_hash(Path(ask.model))
    assert result.photo_distance is not None and 0 < result.photo_distance < 10_000
    assert result.seconds > 0
    assert read_result(Path(result.path)) == result
    first = seen.first(Step, job_id)
    with Image.open(io.BytesIO(first.preview)) as preview:
        assert preview.format == "JPEG"


def test_a_picture_is_explained_by_the_process_that_drew_it(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    drawn = seen.end_of(engine.submit(replace(ask, seed=8))).results[0]
    assert (drawn.typicality_rank, drawn.places_compared) != (None, 0)
    job_id = engine.explain(ExplainRequest(replace(ask, seed=8)))
    assert isinstance(seen.end_of(job_id), Finished)
    explanation = seen.first(Explained, job_id).explanation
    with Image.open(io.BytesIO(explanation.picture)) as again:
        assert again.tobytes() == pixels(drawn)
    assert [token.label for token in explanation.tokens] == ["a", "mansion", "longitude", "latitude", "heading"]
    assert explanation.typicality is not None


def test_an_explanation_stops_between_two_steps(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    job_id = engine.explain(ExplainRequest(replace(ask, steps=200)))
    seen.first(Step, job_id)
    engine.cancel(job_id)
    assert isinstance(seen.end_of(job_id), Cancelled)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)


def test_a_running_job_stops_between_two_steps(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    job_id = engine.submit(replace(ask, count=64, steps=200))
    pid = engine.pid
    seen.first(Step, job_id)
    engine.cancel(job_id)
    assert isinstance(seen.end_of(job_id), Cancelled)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    assert engine.pid == pid, "it stopped by itself"


def test_killing_the_process_in_mid_draw_costs_one_job(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    job_id = engine.submit(replace(ask, count=64, steps=200))
    waiting = engine.submit(ask)
    seen.first(Step, job_id)
    pid = engine.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    end = seen.end_of(job_id)
    assert isinstance(end, Failed)
    assert end.failure.kind is ErrorKind.ENGINE_DIED
    assert isinstance(seen.end_of(waiting), Finished)
    assert seen.names(waiting).count("started") == 1


def test_a_damaged_model_fails_with_a_sentence(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest, tmp_path: Path
) -> None:
    folder = make_tiny_model(tmp_path / "cut")
    (weights,) = (folder / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1000])
    failure = seen.end_of(engine.submit(replace(ask, model=str(folder)))).failure
    assert failure.kind is ErrorKind.MODEL_CORRUPT
    assert "unet" in failure.message and "cut off" in failure.message
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)


def test_shutdown_in_mid_draw_leaves_no_process(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    """Comes last, because the engine of this file is gone afterwards."""
    job_id = engine.submit(replace(ask, count=64, steps=200))
    seen.first(Step, job_id)
    pid = engine.pid
    assert pid
    engine.shutdown()
    assert not psutil.pid_exists(pid)
    assert isinstance(seen.end_of(job_id), Cancelled)
