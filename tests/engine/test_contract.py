"""The same scenarios for every engine: the scripted one and the real process, event for event."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import (
    TERMINAL_EVENTS,
    Cancelled,
    Compared,
    EngineState,
    Explained,
    Failed,
    Finished,
    Loading,
    PatchesFound,
    PictureFinished,
    Queued,
    Started,
    Step,
)
from gpsdream_app.domain.explanations import ExplainRequest, JobRequest, TokenKind
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import ResultKind
from gpsdream_app.engine.base import Engine
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.engine.fake import STAGES, FakeEngine, Script
from gpsdream_app.library.paths import frame_path, pictures_dir
from gpsdream_app.library.picture_metadata import read_png, read_result
from tests.engine.recorder import Recorder
from tests.engine.stand_in import COMMAND, make_model

SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98)),),))


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


class Bench:
    """An engine on the test bench: jobs that wait, fail or kill it can be asked for."""

    engine: Engine
    model: str

    def __init__(self) -> None:
        self.seen = Recorder(self.engine)

    def request(self, orders: str = "", *, hold: bool = False, **values: object) -> GenerateRequest:
        words = f"{orders} {self.hold_word() if hold else ''}".strip()
        request = GenerateRequest(Place(40.7405, -73.9895, 29.0), words, steps=3, model=self.model)
        return replace(request, **values)  # type: ignore[arg-type]

    def hold_word(self) -> str:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError

    def average(self, orders: str = "", *, hold: bool = False, **values: object) -> AverageRequest:
        request = self.request(orders, hold=hold)
        places = tuple(Place(40.7405 + 0.0001 * number, -73.9895, 29.0) for number in range(4))
        regions = (RegionPlaces(SQUARE, places, photos=12), RegionPlaces(replace(SQUARE, name="Other"), places[1:]))
        average = AverageRequest(regions, request.prompt, noises=2, steps=3, model=self.model)
        return replace(average, **values)  # type: ignore[arg-type]

    def series(self, orders: str = "", *, hold: bool = False, **values: object) -> SeriesRequest:
        request = self.request(orders, hold=hold)
        places = tuple(Place(40.7405 + 0.0001 * number, -73.9895, 29.0) for number in range(5))
        return replace(SeriesRequest(places, prompt=request.prompt, steps=3, model=self.model), **values)  # type: ignore[arg-type]


class FakeBench(Bench):
    def __init__(self, folder: Path) -> None:
        self.engine = self.fake = FakeEngine(self.script, size=64)
        self.model = "postcards"
        super().__init__()

    @staticmethod
    def script(request: JobRequest) -> Script:
        prompt = request.one.prompt if isinstance(request, ExplainRequest) else getattr(request, "prompt", "")
        orders = dict(word.split("=") for word in prompt.split() if "=" in word)
        fail, die = (int(orders[key]) if key in orders else None for key in ("fail", "die"))
        return Script(fail_at=fail, die_at=die)

    def hold_word(self) -> str:
        self.fake.gate.clear()
        return ""

    def release(self) -> None:
        self.fake.gate.set()


class ProcessBench(Bench):
    def __init__(self, folder: Path) -> None:
        self.gate = folder / "gate"
        self.engine = ProcessEngine(command=COMMAND)
        self.model = str(make_model(folder / "model"))
        super().__init__()

    def hold_word(self) -> str:
        return f"hold={self.gate}"

    def release(self) -> None:
        self.gate.touch()


@pytest.fixture(params=[FakeBench, ProcessBench], ids=["fake", "process"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = request.param(tmp_path)
    yield bench
    bench.engine.shutdown()


def test_a_job_is_told_from_queue_to_picture(bench: Bench) -> None:
    request = bench.request(count=2, seed=7)
    job_id = bench.engine.submit(request)
    end = bench.seen.end_of(job_id)

    drawn = ["step"] * 3 + ["picture_finished"]
    assert bench.seen.names(job_id) == ["queued", "started", *["loading"] * 4, *drawn, *drawn, "finished"]
    loading = [event for event in bench.seen.of(job_id) if isinstance(event, Loading)]
    assert [(event.step, event.total, event.text) for event in loading] == [
        (number, 4, text) for number, text in enumerate(STAGES, 1)
    ]
    steps = [event for event in bench.seen.of(job_id) if isinstance(event, Step)]
    assert [(event.index, event.total, event.picture) for event in steps] == [
        (number, 6, (number - 1) // 3) for number in range(1, 7)
    ]
    assert Image.open(io.BytesIO(steps[0].preview)).format == "JPEG"
    assert steps[-1].seconds_left == 0
    assert isinstance(end, Finished)
    told = [event.result for event in bench.seen.of(job_id) if isinstance(event, PictureFinished)]
    assert list(end.results) == told
    assert [result.request for result in told] == [request.picture(0), request.picture(1)]


def test_pictures_are_on_the_disk_before_they_are_told(bench: Bench) -> None:
    sizes = []

    def look(event: object) -> None:
        if isinstance(event, PictureFinished):
            sizes.append(opened(event.result.path).size)

    bench.engine.add_listener(look)
    end = bench.seen.end_of(bench.engine.submit(bench.request()))
    bench.engine.shutdown()
    assert sizes == [(64, 64)]
    result = end.results[0]
    assert pictures_dir() in Path(result.path).parents
    assert read_png(Path(result.path)) == result.request
    assert read_result(Path(result.path)) == result


def test_a_picture_says_how_typical_it_is_of_its_place(bench: Bench) -> None:
    with_place = bench.seen.end_of(bench.engine.submit(bench.request())).results[0]
    without = bench.seen.end_of(bench.engine.submit(bench.request(place=None))).results[0]
    assert 0 <= with_place.typicality_rank <= 1
    assert with_place.places_compared == 6
    assert (without.typicality_rank, without.places_compared) == (None, 0)


def test_the_same_request_gives_the_same_pixels(bench: Bench) -> None:
    ends = [bench.seen.end_of(bench.engine.submit(bench.request(seed=seed))) for seed in (1, 1, 2)]
    pixels = [opened(end.results[0].path).tobytes() for end in ends]
    assert pixels[0] == pixels[1] != pixels[2]


def told_frames(bench: Bench, job_id: str) -> list[int]:
    return [event.index for event in bench.seen.of(job_id) if isinstance(event, PictureFinished)]


def test_averages_are_told_one_by_one_and_together_at_the_end(bench: Bench) -> None:
    request = bench.average(seed=3)
    job_id = bench.engine.submit(request)
    end = bench.seen.end_of(job_id)
    told = [event for event in bench.seen.of(job_id) if isinstance(event, PictureFinished)]
    assert [event.index for event in told] == [0, 1, 2, 3]
    assert [event.result for event in told] == list(end.results)
    assert [result.request for result in end.results] == [request.picture(index) for index in range(4)]
    for result in end.results:
        assert result.kind is ResultKind.AVERAGE
        assert (result.typicality_rank, result.photo_distance) == (None, None)
        assert read_result(Path(result.path)) == result
    # The other region has other places, and the other noise is another one.
    assert len({opened(result.path).tobytes() for result in end.results}) == 4
    steps = [event for event in bench.seen.of(job_id) if isinstance(event, Step)]
    assert {event.total for event in steps} == {12}
    assert all(event.picture == (event.index - 1) // 3 for event in steps)
    assert steps[-1].index == 12 and steps[-1].seconds_left == 0


def test_a_cancelled_average_keeps_what_is_finished(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.average(noises=60, steps=100))
    kept = bench.seen.first(PictureFinished, job_id).result
    bench.engine.cancel(job_id)
    assert isinstance(bench.seen.end_of(job_id), Cancelled)
    assert read_result(Path(kept.path)) == kept


def test_frames_of_a_series_are_told_one_by_one_and_never_together(bench: Bench) -> None:
    request = bench.series()
    job_id = bench.engine.submit(request)
    assert bench.seen.end_of(job_id).results == ()
    told = [event for event in bench.seen.of(job_id) if isinstance(event, PictureFinished)]
    assert [event.index for event in told] == [0, 1, 2, 3, 4]
    for event in told:
        assert Path(event.result.path) == frame_path(pictures_dir(), request.key, event.index)
        assert event.result.request == request.picture(event.index)
        assert (event.result.series, event.result.kind) == (request.key, ResultKind.FRAME)
        assert event.result.typicality_rank is None


def test_a_series_goes_on_from_the_frames_that_are_whole(bench: Bench) -> None:
    request = bench.series()
    first = bench.engine.submit(request)
    bench.seen.end_of(first)
    before = [event.result for event in bench.seen.of(first) if isinstance(event, PictureFinished)]
    gone, cut, altered = (frame_path(pictures_dir(), request.key, index) for index in (1, 2, 4))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-20])
    data = bytearray(altered.read_bytes())
    data[data.index(b"IDAT") + 30] ^= 255
    altered.write_bytes(data)
    again = bench.engine.submit(replace(request, title="Another name"))
    bench.seen.end_of(again)
    assert told_frames(bench, again) == [0, 3, 1, 2, 4]
    after = {event.index: event.result for event in bench.seen.of(again) if isinstance(event, PictureFinished)}
    assert [after[index] == before[index] for index in range(5)] == [True, False, False, True, False]
    assert all(opened(after[index].path).size == (64, 64) for index in range(5))
    steps = [event for event in bench.seen.of(again) if isinstance(event, Step)]
    assert steps[-1].index == steps[-1].total == 15 and steps[-1].seconds_left == 0


def test_a_series_that_is_complete_is_told_without_drawing(bench: Bench) -> None:
    request = bench.series()
    bench.seen.end_of(bench.engine.submit(request))
    job_id = bench.engine.submit(request)
    assert isinstance(bench.seen.end_of(job_id), Finished)
    assert bench.seen.names(job_id)[-7:] == ["started", *["picture_finished"] * 5, "finished"]


def test_another_request_or_seed_is_another_series(bench: Bench) -> None:
    first = bench.engine.submit(bench.series())
    bench.seen.end_of(first)
    second = bench.engine.submit(bench.series(seed=1))
    bench.seen.end_of(second)
    assert "step" in bench.seen.names(second)
    assert told_frames(bench, second) == [0, 1, 2, 3, 4]


def test_a_series_that_died_goes_on(bench: Bench) -> None:
    dying = bench.engine.submit(bench.series("die=8"))
    assert isinstance(bench.seen.end_of(dying), Failed)
    assert told_frames(bench, dying) == [0, 1]
    # The very same request: its first two frames are told, and it dies again at the third.
    again = bench.engine.submit(bench.series("die=8"))
    bench.seen.first(PictureFinished, again)
    bench.seen.end_of(again)
    assert told_frames(bench, again) == [0, 1]


def test_pictures_are_compared_and_patches_found(bench: Bench) -> None:
    drawn = bench.seen.end_of(bench.engine.submit(bench.request(count=2))).results
    paths = (drawn[0].path, drawn[1].path, drawn[0].path)
    job_id = bench.engine.submit(LikenessRequest(paths, model=bench.model))
    assert bench.seen.end_of(job_id).results == ()
    distances = bench.seen.first(Compared, job_id).likeness.distances
    assert distances[0][1] == distances[1][0] > 0
    assert distances[0][2] == pytest.approx(0, abs=1e-6) and distances[1][1] == 0

    photos = tuple(PhotoAt(result.path, result.request.place) for result in drawn)
    job_id = bench.engine.submit(PatchesRequest(SQUARE, photos, count=2, model=bench.model))
    assert bench.seen.end_of(job_id).results == ()
    found = bench.seen.first(PatchesFound, job_id).patches
    assert (len(found.patches), found.photos_looked_at) == (2, 2)
    assert all(opened(patch.picture).format == "JPEG" for patch in found.patches)


def test_a_picture_that_cannot_be_compared_is_a_sentence(bench: Bench) -> None:
    job_id = bench.engine.submit(LikenessRequest(("/no/such.png", "/nor/this.png"), model=bench.model))
    failure = bench.seen.end_of(job_id).failure
    assert failure.kind is ErrorKind.BAD_PHOTO
    assert "such.png" in failure.message


def test_jobs_wait_their_turn(bench: Bench) -> None:
    jobs = [bench.engine.submit(bench.request(hold=True)) for _ in range(3)]
    bench.seen.first(Started, jobs[0])
    bench.seen.wait(lambda event: event.job_id == jobs[2] and isinstance(event, Queued) and event.position == 1)
    bench.release()
    bench.seen.end_of(jobs[2])
    order = [event.job_id for event in bench.seen.events if isinstance(event, (Started, *TERMINAL_EVENTS))]
    assert order == [job for job in jobs for _ in range(2)]
    assert [event.position for event in bench.seen.of(jobs[2]) if isinstance(event, Queued)][-1] == 0


def test_cancelling_a_waiting_job_leaves_the_running_one(bench: Bench) -> None:
    running, waiting, last = (bench.engine.submit(bench.request(hold=True)) for _ in range(3))
    bench.seen.first(Started, running)
    bench.engine.cancel(waiting)
    assert isinstance(bench.seen.end_of(waiting), Cancelled)
    assert "started" not in bench.seen.names(waiting)
    bench.release()
    assert isinstance(bench.seen.end_of(running), Finished)
    assert isinstance(bench.seen.end_of(last), Finished)


def test_cancelling_the_running_job_keeps_finished_pictures_and_goes_on(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.request(count=64, steps=100))
    kept = bench.seen.first(PictureFinished, job_id).result
    following = bench.engine.submit(bench.request())
    bench.engine.cancel(job_id)
    bench.engine.cancel(job_id)
    assert isinstance(bench.seen.end_of(job_id), Cancelled)
    assert isinstance(bench.seen.end_of(following), Finished)
    assert Path(kept.path).exists()
    assert bench.seen.names(job_id).count("cancelled") == 1


def test_cancelling_an_unknown_or_finished_job_does_nothing(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.request())
    bench.seen.end_of(job_id)
    bench.engine.cancel(job_id)
    bench.engine.cancel("nobody")
    assert isinstance(bench.seen.end_of(bench.engine.submit(bench.request())), Finished)
    assert bench.seen.names(job_id)[-1] == "finished"


def test_cancelling_all_ends_all(bench: Bench) -> None:
    jobs = [bench.engine.submit(bench.request(hold=True)) for _ in range(4)]
    bench.seen.first(Started, jobs[0])
    bench.engine.cancel_all()
    assert all(isinstance(bench.seen.end_of(job), Cancelled) for job in jobs)
    assert "started" not in bench.seen.names(jobs[1])
    bench.release()
    assert isinstance(bench.seen.end_of(bench.engine.submit(bench.request())), Finished)


def test_a_failure_ends_its_job_only(bench: Bench) -> None:
    bad = bench.engine.submit(bench.request("fail=2"))
    good = bench.engine.submit(bench.request())
    end = bench.seen.end_of(bad)
    assert isinstance(end, Failed)
    assert end.failure.message and end.failure.hint
    assert bench.seen.names(bad)[-2:] == ["step", "failed"]
    assert isinstance(bench.seen.end_of(good), Finished)


def test_death_fails_one_job_and_loses_none(bench: Bench) -> None:
    dying = bench.engine.submit(bench.request("die=2", hold=True))
    waiting = [bench.engine.submit(bench.request()) for _ in range(2)]
    bench.release()
    end = bench.seen.end_of(dying)
    assert isinstance(end, Failed)
    assert end.failure.kind is ErrorKind.ENGINE_DIED
    assert end.failure.hint
    bench.seen.state(EngineState.RESTARTING)
    assert all(isinstance(bench.seen.end_of(job), Finished) for job in waiting)
    assert bench.seen.names(waiting[0]).count("started") == 1


def test_a_warm_model_is_not_loaded_again(bench: Bench) -> None:
    bench.engine.start()
    bench.engine.warm(bench.model)
    warming = bench.seen.state(EngineState.WARMING)
    assert warming.text.endswith("1 of 4")
    bench.seen.wait(lambda event: getattr(event, "state", "") == EngineState.READY and event.seq > warming.seq)
    loading = [event for event in bench.seen.of("") if isinstance(event, Loading)]
    assert [event.step for event in loading] == [1, 2, 3, 4]
    job_id = bench.engine.submit(bench.request())
    bench.seen.end_of(job_id)
    assert "loading" not in bench.seen.names(job_id)


def test_shutdown_ends_everything_once(bench: Bench) -> None:
    before = set(threading.enumerate())
    jobs = [bench.engine.submit(bench.request(hold=True)) for _ in range(2)]
    bench.seen.first(Started, jobs[0])
    bench.engine.shutdown()
    bench.engine.shutdown()
    assert bench.engine.state is EngineState.STOPPED
    assert all(isinstance(bench.seen.end_of(job), Cancelled) for job in jobs)
    assert bench.seen.events[-1].name == "engine_changed"
    with pytest.raises(GPSDreamError, match="shut down"):
        bench.engine.submit(bench.request())
    assert not {thread for thread in threading.enumerate() if thread.is_alive()} - before


def test_an_engine_that_never_ran_can_be_shut_down(bench: Bench) -> None:
    bench.engine.shutdown()
    assert bench.engine.state is EngineState.STOPPED


def test_starting_twice_starts_once(bench: Bench) -> None:
    bench.engine.start()
    bench.engine.start()
    bench.seen.state(EngineState.READY)
    assert [event.state for event in bench.seen.of("")] == [EngineState.STARTING, EngineState.READY]  # type: ignore[attr-defined]


def test_events_are_numbered_and_come_on_one_thread(bench: Bench) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("a broken listener")

    bench.engine.add_listener(broken)
    unwanted: list[object] = []
    bench.engine.add_listener(unwanted.append)
    bench.engine.remove_listener(unwanted.append)
    bench.engine.remove_listener(print)
    for job in [bench.engine.submit(bench.request()) for _ in range(3)]:
        bench.seen.end_of(job)
    assert [event.seq for event in bench.seen.events] == list(range(1, len(bench.seen.events) + 1))
    assert len(bench.seen.threads) == 1
    assert threading.current_thread().name not in bench.seen.threads
    assert not unwanted


def test_a_job_is_not_taken_twice(bench: Bench) -> None:
    job_id = bench.engine.submit(bench.request(hold=True), "mine")
    assert job_id == "mine"
    with pytest.raises(GPSDreamError, match="already"):
        bench.engine.submit(bench.request(), "mine")
    bench.release()
    assert isinstance(bench.seen.end_of("mine"), Finished)


def test_a_listener_may_submit_and_cancel(bench: Bench) -> None:
    followers: list[str] = []

    def follow(event: object) -> None:
        if isinstance(event, Finished) and not followers:
            followers.append(bench.engine.submit(bench.request()))
            bench.engine.cancel("nobody")

    bench.engine.add_listener(follow)
    bench.seen.end_of(bench.engine.submit(bench.request()))
    bench.seen.wait(lambda event: bool(followers) and event.job_id == followers[0] and isinstance(event, Finished))


def test_stream_yields_the_events_of_its_job(bench: Bench) -> None:
    events = list(bench.engine.stream(bench.request()))
    names = [event.name for event in events if event.job_id]
    assert names == ["queued", "started", *["loading"] * 4, *["step"] * 3, "picture_finished", "finished"]


def test_leaving_a_stream_cancels_its_job(bench: Bench) -> None:
    stream = bench.engine.stream(bench.request(hold=True), "left")
    for event in stream:
        if isinstance(event, Started):
            break
    stream.close()  # type: ignore[attr-defined]
    assert isinstance(bench.seen.end_of("left"), Cancelled)


def test_a_picture_is_explained_after_it_was_drawn_again(bench: Bench) -> None:
    drawn = bench.seen.end_of(bench.engine.submit(bench.request("a church", count=2, seed=7)))
    job_id = bench.engine.explain(ExplainRequest(bench.request("a church", count=2, seed=7), picture=1))
    end = bench.seen.end_of(job_id)
    assert isinstance(end, Finished)
    assert end.results == ()
    names = bench.seen.names(job_id)
    assert names[:3] == ["queued", "started", "step"]
    assert names[-3:] == ["step", "explained", "finished"]
    steps = [event for event in bench.seen.of(job_id) if isinstance(event, Step)]
    assert [event.index for event in steps] == list(range(1, steps[-1].total + 1))
    assert steps[0].preview
    explanation = bench.seen.first(Explained, job_id).explanation
    assert explanation.request == drawn.results[1].request
    with Image.open(io.BytesIO(explanation.picture)) as again:
        assert again.tobytes() == opened(drawn.results[1].path).tobytes()
    assert [token.label for token in explanation.tokens] == ["a", "church", "longitude", "latitude", "heading"]
    assert [token.kind for token in explanation.tokens] == [TokenKind.WORD, *TokenKind]
    for token in explanation.tokens:
        values = [value for row in token.map for value in row]
        assert len({len(row) for row in token.map}) == 1
        assert (min(values), max(values)) == (0, 1)
        assert 0 <= token.low <= token.share <= token.high <= 1
    assert explanation.typicality is not None
    assert explanation.places_compared > 0
    assert 0 <= explanation.typicality_rank <= 1


def test_the_same_picture_has_the_same_explanation(bench: Bench) -> None:
    told = []
    for seed in (1, 1, 2):
        job_id = bench.engine.explain(ExplainRequest(bench.request("a church", seed=seed)))
        bench.seen.end_of(job_id)
        told.append(bench.seen.first(Explained, job_id).explanation)
    assert told[0] == told[1] != told[2]


def test_explanations_wait_among_drawings(bench: Bench) -> None:
    request = bench.request(hold=True)
    jobs = [
        bench.engine.submit(request),
        bench.engine.explain(ExplainRequest(request)),
        bench.engine.submit(request),
        bench.engine.explain(ExplainRequest(request), "mine"),
    ]
    bench.seen.first(Started, jobs[0])
    bench.seen.wait(lambda event: event.job_id == "mine" and isinstance(event, Queued) and event.position == 2)
    with pytest.raises(GPSDreamError, match="already"):
        bench.engine.explain(ExplainRequest(request), "mine")
    bench.engine.cancel(jobs[1])
    assert isinstance(bench.seen.end_of(jobs[1]), Cancelled)
    assert bench.seen.names(jobs[1])[-1] == "cancelled"
    bench.release()
    assert isinstance(bench.seen.end_of("mine"), Finished)
    order = [event.job_id for event in bench.seen.events if isinstance(event, (Started, Finished))]
    assert order == [job for job in (jobs[0], jobs[2], "mine") for _ in range(2)]


def test_an_explanation_can_be_stopped(bench: Bench) -> None:
    job_id = bench.engine.explain(ExplainRequest(bench.request(hold=True)))
    bench.seen.first(Started, job_id)
    bench.engine.cancel(job_id)
    assert isinstance(bench.seen.end_of(job_id), Cancelled)
    assert "explained" not in bench.seen.names(job_id)
    bench.release()
    assert isinstance(bench.seen.end_of(bench.engine.submit(bench.request())), Finished)


@pytest.mark.parametrize("step", [2, 5], ids=["while it is drawn again", "while places are compared"])
def test_an_explanation_that_fails_ends_alone(bench: Bench, step: int) -> None:
    bad = bench.engine.explain(ExplainRequest(bench.request(f"fail={step}")))
    good = bench.engine.explain(ExplainRequest(bench.request()))
    end = bench.seen.end_of(bad)
    assert isinstance(end, Failed)
    assert end.failure.message and end.failure.hint
    assert isinstance(bench.seen.end_of(good), Finished)


def test_death_in_an_explanation_fails_it_alone(bench: Bench) -> None:
    dying = bench.engine.explain(ExplainRequest(bench.request("die=2", hold=True)))
    waiting = bench.engine.explain(ExplainRequest(bench.request()))
    bench.release()
    end = bench.seen.end_of(dying)
    assert isinstance(end, Failed)
    assert end.failure.kind is ErrorKind.ENGINE_DIED
    assert isinstance(bench.seen.end_of(waiting), Finished)
    assert bench.seen.names(waiting).count("explained") == 1


def test_stream_explains_too(bench: Bench) -> None:
    events = list(bench.engine.stream(ExplainRequest(bench.request())))
    assert [event.name for event in events if event.job_id][-2:] == ["explained", "finished"]
