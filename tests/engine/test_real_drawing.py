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

from gpsdream_app.domain.averages import (
    AverageRequest,
    LikenessRequest,
    PatchesRequest,
    PhotoAt,
    RegionPlaces,
    SeriesRequest,
)
from gpsdream_app.domain.errors import ErrorKind
from gpsdream_app.domain.events import (
    Cancelled,
    Compared,
    EngineState,
    Explained,
    Failed,
    Finished,
    Loading,
    PatchesFound,
    PictureFinished,
    Step,
)
from gpsdream_app.domain.explanations import ExplainRequest
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.library.model_folders import verify_model, weights_hash
from gpsdream_app.library.picture_metadata import read_result
from tests.engine.recorder import Recorder
from tests.tiny_model import make_tiny_model

PLACE = Place(40.7411, -73.9897, 118.0, "Flatiron")


SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98)),),))
PLACES = tuple(Place(40.7411 + 0.0004 * number, -73.9897, 118.0) for number in range(6))


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


def test_an_average_of_one_place_is_the_picture_of_it(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    single = seen.end_of(engine.submit(replace(ask, place=PLACES[0], seed=4))).results[0]
    regions = (RegionPlaces(SQUARE, PLACES[:1]), RegionPlaces(SQUARE, PLACES))
    request = AverageRequest(regions, ask.prompt, seed=4, noises=2, steps=3, model=ask.model)
    job_id = engine.submit(request)
    results = seen.end_of(job_id).results
    assert pixels(results[0]) == pixels(single)
    assert len({pixels(result) for result in results}) == 4
    assert [read_result(Path(result.path)) for result in results] == list(results)
    assert results[3].request == request.picture(3)
    assert {event.total for event in seen.of(job_id) if isinstance(event, Step)} == {12}


def test_a_cancelled_average_keeps_what_is_finished(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    request = AverageRequest((RegionPlaces(SQUARE, PLACES),), noises=64, steps=3, model=ask.model)
    job_id = engine.submit(request)
    pid = engine.pid
    kept = seen.first(PictureFinished, job_id).result
    engine.cancel(job_id)
    assert isinstance(seen.end_of(job_id), Cancelled)
    assert read_result(Path(kept.path)) == kept
    assert len([event for event in seen.of(job_id) if isinstance(event, PictureFinished)]) < 64
    assert engine.pid == pid


def test_a_series_that_was_killed_goes_on_with_the_same_pixels(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    places = tuple(Place(40.7411 + 0.0001 * number, -73.9897, 118.0) for number in range(40))
    request = SeriesRequest(places, prompt=ask.prompt, seed=2, steps=20, model=ask.model)
    dying = engine.submit(request)
    seen.wait(lambda event: isinstance(event, PictureFinished) and event.job_id == dying and event.index == 2)
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    assert seen.end_of(dying).failure.kind is ErrorKind.ENGINE_DIED
    before = {event.index: event.result for event in seen.of(dying) if isinstance(event, PictureFinished)}
    assert sorted(before) == list(range(len(before))) and 3 <= len(before) < 40
    again = engine.submit(request)
    assert seen.end_of(again).results == ()
    told = [event for event in seen.of(again) if isinstance(event, PictureFinished)]
    assert [event.index for event in told] == list(range(40))
    assert all(told[index].result == result for index, result in before.items())
    assert told[39].result.job_id == again
    assert told[39].result.photo_distance is not None and told[39].result.typicality_rank is None
    alone = seen.end_of(engine.submit(replace(ask, place=places[39], seed=2, steps=20))).results[0]
    assert pixels(told[39].result) == pixels(alone)
    third = engine.submit(request)
    seen.end_of(third)
    assert "step" not in seen.names(third)


def test_pictures_are_compared_and_patches_found(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    drawn = seen.end_of(engine.submit(replace(ask, count=3))).results
    job_id = engine.submit(LikenessRequest(tuple(result.path for result in drawn), model=ask.model))
    assert isinstance(seen.end_of(job_id), Finished)
    likeness = seen.first(Compared, job_id).likeness
    assert len(likeness.distances) == 3 and likeness.features
    assert all(likeness.distances[index][index] == pytest.approx(0, abs=1e-5) for index in range(3))
    photos = tuple(PhotoAt(result.path, place) for result, place in zip(drawn, PLACES, strict=False))
    job_id = engine.submit(PatchesRequest(SQUARE, photos, count=2, model=ask.model))
    assert isinstance(seen.end_of(job_id), Finished)
    found = seen.first(PatchesFound, job_id).patches
    assert found.photos_looked_at == 3
    assert all(Path(patch.picture).is_file() for patch in found.patches)


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
