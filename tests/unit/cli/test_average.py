"""`gpsdream average`, `walk` and `regions` on the scripted engine."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from gpsdream_app.cli import _joined, build_parser, main
from gpsdream_app.commands import average, walk
from gpsdream_app.domain.averages import AverageRequest, Sampling
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Event, PictureFinished, Step
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.results import ResultKind
from gpsdream_app.engine.fake import OUT_OF_MEMORY, FakeEngine, Script
from gpsdream_app.geo.geojson import read_regions, write_regions
from gpsdream_app.geo.regions import contains
from gpsdream_app.library import paths
from gpsdream_app.library.model_folders import weights_hash
from gpsdream_app.library.picture_metadata import read_request
from gpsdream_app.library.regions import OwnRegions
from gpsdream_app.library.store import Library
from tests.films import read_film

Run = Callable[..., int]
SQUARE = (((40.74, -73.99), (40.74, -73.985), (40.743, -73.985), (40.743, -73.99)),)
LINE = "40.7312,-73.9966 40.7411,-73.9897"


@pytest.fixture
def drawing(model: Path) -> FakeEngine:
    """An engine that says that it drew with the weights that are there."""
    engine = FakeEngine(size=64)
    engine.model_hash = weights_hash(model)
    return engine


@pytest.fixture
def run(model: Path, drawing: FakeEngine) -> Run:
    """Run a command with the scripted engine, or a fresh one like it after the first time."""
    engines = [drawing]

    def make() -> FakeEngine:
        if engines:
            return engines.pop()
        again = FakeEngine(size=64)
        again.model_hash = drawing.model_hash
        return again

    def command(name: str, *arguments: str) -> int:
        parsed = build_parser().parse_args(_joined([name, "--model", "tiny", *arguments]))
        return {"average": average, "walk": walk}[name].run(parsed, make)

    return command


def kept(*kinds: ResultKind) -> int:
    library = Library(paths.library_path())
    try:
        return len(library.recent(100, kinds=kinds or (ResultKind.AVERAGE,)))
    finally:
        library.close()


# --- averages ---------------------------------------------------------------------------------------------


def test_averages_are_drawn_exported_and_kept(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code = run("average", "--region", "Greenwich Village", "midtown", "--places", "5", "--out", str(out), "--json")
    assert code == 0
    answer = json.loads(capsys.readouterr().out)
    assert [picture["region"] for picture in answer["pictures"]] == ["Greenwich Village", "Midtown"]
    assert {path.name for path in out.iterdir()} == {
        "01-greenwich-village.png",
        "02-midtown.png",
        "grid.png",
        "averages.geojson",
        "map.html",
    }
    for picture in answer["pictures"]:
        request = read_request(Path(picture["copy"]))
        assert isinstance(request, AverageRequest)
        (region,) = request.regions
        assert (region.region.name, len(region.places), request.prompt) == (picture["region"], 5, "building")
        assert region.sampling is Sampling.AREA
        assert all(contains(region.region, place.lat, place.lon) for place in region.places)
        assert (request.steps, request.text_guidance, request.place_guidance) == (3, 2.5, 6.0)
        assert request.seed == 0
    regions, said = read_regions(out / "averages.geojson")
    assert [region.name for region in regions] == ["Greenwich Village", "Midtown"] and not said
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 700
    page = (out / "map.html").read_text(encoding="utf-8")
    assert "Greenwich Village" in page and "Midtown" in page
    assert kept() == 2
    assert kept(ResultKind.DRAW) == 0


def test_what_was_drawn_before_is_not_drawn_again(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ("average", "--places", "3", "--json", "--region", "SoHo")
    assert run(*ask) == 0
    first = json.loads(capsys.readouterr().out)["pictures"]
    assert first[0]["copy"] is None
    assert run(*ask, "NoHo", "--out", str(tmp_path / "out")) == 0
    second = json.loads(capsys.readouterr().out)["pictures"]
    assert [picture["region"] for picture in second] == ["SoHo", "NoHo"]
    assert second[0]["id"] == first[0]["id"]
    assert kept() == 2
    assert run(*ask, "--prompt", "tree") == 0
    assert json.loads(capsys.readouterr().out)["pictures"][0]["id"] != first[0]["id"]


def test_several_noises_are_several_pictures(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    ask = ("average", "--region", "SoHo", "--places", "4", "--subset", "2", "--noises", "3", "--seed", "7")
    assert run(*ask, "--out", str(out)) == 0
    assert "photos: not known" in capsys.readouterr().out
    assert [read_request(out / f"01-soho-{number}.png").seed for number in (1, 2, 3)] == [7, 8, 9]
    assert {read_request(out / f"01-soho-{number}.png").subset for number in (1, 2, 3)} == {2}  # type: ignore[union-attr]
    assert len(read_regions(out / "averages.geojson")[0]) == 1


def test_streets_files_and_own_regions_are_regions(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    OwnRegions().add(Region("Around the Square", RegionKind.DRAWN, (SQUARE,)))
    file = tmp_path / "mine.geojson"
    write_regions(file, [Region("One", RegionKind.DRAWN, (SQUARE,)), Region("<b>Two</b>", RegionKind.DRAWN, (SQUARE,))])
    names = ("around the square", str(file), "5th av")
    assert run("average", "--places", "3", "--headings", "all", "--json", "--region", *names) == 0
    told = json.loads(capsys.readouterr().out)["pictures"]
    assert [(picture["region"], picture["sampling"]) for picture in told] == [
        ("Around the Square", "area"),
        ("One", "area"),
        ("<b>Two</b>", "area"),
        ("Fifth Avenue", "line"),
    ]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("--region", "Atlantis"), ErrorKind.BAD_LOCATION, "Atlantis"),
        (("--region", "missing.geojson"), ErrorKind.BAD_REQUEST, "missing.geojson"),
        (("--region", "SoHo", "--places", "0"), ErrorKind.BAD_LOCATION, "places"),
        (("--region", "SoHo", "--places", "5000"), ErrorKind.BAD_LOCATION, "4,096"),
        (("--region", "SoHo", "--noises", "65"), ErrorKind.BAD_REQUEST, "noises"),
        (("--region", "SoHo", "--subset", "0"), ErrorKind.BAD_REQUEST, "subset"),
        (("--region", "SoHo", "--steps", "0"), ErrorKind.BAD_REQUEST, "steps"),
        (("--region", "SoHo", "--sampling", "photos"), ErrorKind.BAD_LOCATION, "photo"),
    ],
)
def test_averages_that_cannot_be_are_a_sentence(
    run: Run, arguments: tuple[str, ...], kind: ErrorKind, words: str
) -> None:
    with pytest.raises(GPSDreamError) as caught:
        run("average", *arguments)
    assert caught.value.failure.kind is kind
    assert words in caught.value.failure.message


def test_a_cancelled_average_keeps_and_exports_what_is_finished(
    run: Run, drawing: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing.play_next(Script(step_seconds=0.3))
    interrupt_at(drawing, lambda event: isinstance(event, Step) and event.picture == 1)
    out = tmp_path / "out"
    assert run("average", "--region", "SoHo", "NoHo", "Midtown", "--places", "3", "--out", str(out)) == 130
    assert "1 of 3 pictures" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"01-soho.png", "grid.png", "averages.geojson", "map.html"}
    assert kept() == 1


def test_a_failure_in_the_middle_keeps_what_is_finished(run: Run, drawing: FakeEngine, tmp_path: Path) -> None:
    drawing.play_next(Script(fail_at=5))
    with pytest.raises(GPSDreamError, match=OUT_OF_MEMORY.message):
        run("average", "--region", "SoHo", "NoHo", "--places", "3", "--out", str(tmp_path / "out"))
    assert kept() == 1
    assert (tmp_path / "out" / "01-soho.png").exists()


def interrupt_at(engine: FakeEngine, when: Callable[[Event], bool]) -> None:
    """Send a Ctrl-C at the first event that is wanted, and hold the engine until it is heard."""
    asked = threading.Event()
    cancel = engine.cancel

    def look(event: Event) -> None:
        if when(event) and not asked.is_set():
            asked.set()
            engine.gate.clear()
            os.kill(os.getpid(), signal.SIGINT)

    def cancelled(job_id: str) -> None:
        cancel(job_id)
        engine.gate.set()

    engine.cancel = cancelled  # type: ignore[method-assign]
    engine.add_listener(look)


# --- walks ------------------------------------------------------------------------------------------------


def walked(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "frames").iterdir())


@pytest.mark.parametrize("how", ["points", "street", "file"])
def test_a_walk_is_frames_a_strip_and_a_film(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    file = tmp_path / "route.geojson"
    points = [[-73.9966, 40.7312], [-73.9897, 40.7411]]
    file.write_text(json.dumps({"type": "LineString", "coordinates": points}), encoding="utf-8")
    line = {"points": LINE, "street": "fifth avenue", "file": str(file)}[how]
    out = tmp_path / "out"
    assert run("walk", "--line", line, "--frames", "7", "--prompt", "a house", "--out", str(out), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["frames"], answer["finished"], answer["drawn"]) == (7, 7, 7)
    assert answer["title"] == {"points": "Walk", "street": "Fifth Avenue", "file": "route"}[how]
    assert walked(out) == [f"{number:05d}.png" for number in range(7)]
    requests = [read_request(out / "frames" / name) for name in walked(out)]
    assert {(request.prompt, request.seed, request.steps) for request in requests} == {("a house", 0, 3)}
    lats = [request.place.lat for request in requests if request.place]
    assert lats == sorted(lats) and len(lats) == 7, "from south to north"
    if how != "street":
        assert requests[0].place and requests[0].place.lat == pytest.approx(40.7312, abs=1e-3)
    assert len(read_film(out / "walk.mp4")) == 7
    with Image.open(out / "strip.png") as strip:
        assert strip.width >= 7 * 64
    assert kept(ResultKind.FRAME) == 7
    assert kept(ResultKind.DRAW) == 0


def test_a_walk_goes_on_where_it_was_stopped(
    run: Run, drawing: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing.play_next(Script(step_seconds=0.2))
    interrupt_at(drawing, lambda event: isinstance(event, PictureFinished) and event.index == 2)
    out = tmp_path / "out"
    ask = ("walk", "--line", LINE, "--frames", "8", "--out", str(out))
    assert run(*ask, "--json") == 130
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["cancelled"] and answer["film"] is None
    before = answer["finished"]
    assert 3 <= before < 8
    assert f"{before} of 8 pictures are kept; the same command goes on" in told.err
    assert len(walked(out)) == before and not (out / "walk.mp4").exists()
    assert run(*ask) == 0
    assert f"8 pictures, {before} of them before" in capsys.readouterr().out
    assert len(walked(out)) == 8
    assert kept(ResultKind.FRAME) == 8
    assert len(read_film(out / "walk.mp4")) == 8


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("--line", "Nowhere Road"), ErrorKind.BAD_LOCATION, "Nowhere Road"),
        (("--line", "missing.geojson"), ErrorKind.BAD_REQUEST, "missing.geojson"),
        (("--line", "40.7,-73.9"), ErrorKind.BAD_LOCATION, "no length"),
        (("--line", "91,0 92,0"), ErrorKind.BAD_LOCATION, "91"),
        (("--line", "-33.86,151.21 -33.86,151.21"), ErrorKind.BAD_LOCATION, "no length"),
        (("--line", LINE, "--frames", "0"), ErrorKind.BAD_LOCATION, "pictures"),
        (("--line", LINE, "--frames", "10001"), ErrorKind.BAD_LOCATION, "10,000"),
        (("--line", LINE, "--fps", "0"), ErrorKind.BAD_REQUEST, "per second"),
    ],
)
def test_walks_that_cannot_be_are_a_sentence(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], kind: ErrorKind, words: str
) -> None:
    with pytest.raises(GPSDreamError) as caught:
        run("walk", *arguments, "--out", str(tmp_path / "out"))
    assert caught.value.failure.kind is kind
    assert words in caught.value.failure.message


def test_a_folder_that_cannot_be_written_to_is_told_before_drawing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for command, ask in (("walk", ("--line", LINE)), ("average", ("--region", "SoHo"))):
        with pytest.raises(GPSDreamError, match="nothing was drawn"):
            run(command, *ask, "--out", str(tmp_path / "file"))
    assert not (paths.pictures_dir() / "series").exists()


# --- regions ----------------------------------------------------------------------------------------------


def test_regions_are_listed_and_written(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    OwnRegions().add(Region("Mine\nand\x1b[31m yours", RegionKind.DRAWN, (SQUARE,)))
    assert main(["regions", "--model", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Greenwich Village ") and "neighbourhood" in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert main(["regions", "--model", "tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["regions"]
    assert len(told) == len(lines) - 1
    assert told[-1]["kind"] == "drawn" and told[-1]["square_metres"] == pytest.approx(141_000, rel=0.02)
    file = tmp_path / "regions.geojson"
    assert main(["regions", "--model", "tiny", "--geojson", str(file)]) == 0
    assert len(read_regions(file)[0]) == len(told)
    assert main(["regions", "--model", "atlantis"]) == 1
