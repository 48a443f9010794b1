"""`gpsdream lift` on the scripted engine: landmarks by name, files, formats, cancelling and going on."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trimesh

from gpsdream_app.cli import build_parser
from gpsdream_app.commands import lift, terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import LiftStep
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.domain.model_card import CARD_FILE, KnownLandmark
from gpsdream_app.engine.fake import OUT_OF_MEMORY, FakeEngine, Script
from gpsdream_app.library.landmarks import LandmarkStore
from gpsdream_app.library.lifts import list_lifts, list_unfinished
from gpsdream_app.library.model_folders import read_card

FLATIRON = LANDMARKS[1]
LiftCommand = Callable[..., int]


@pytest.fixture
def lifted(model: Path, engine: FakeEngine) -> LiftCommand:
    """Run `gpsdream lift --model tiny` with the scripted engine; returns the exit code."""

    def run(*arguments: str, engine: FakeEngine = engine) -> int:
        return lift.run(build_parser().parse_args(["lift", "--model", "tiny", *arguments]), lambda: engine)

    return run


def test_a_mesh_in_metres_is_written(
    lifted: LiftCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: FakeEngine
) -> None:
    out = tmp_path / "flatiron.glb"
    assert lifted("--landmark", "flatiron", "--method", "views", "--out", str(out), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cancelled"] is False and answer["files"] == [str(out)]
    assert answer["lift"]["request"]["landmark"]["id"] == "flatiron"
    mesh = trimesh.load(out, force="mesh")
    assert mesh.extents[1] == pytest.approx(answer["lift"]["size"][2], rel=0.02), "y is up, in metres"
    assert len(list_lifts()) == 1


@pytest.mark.parametrize("kind", ["obj", "ply", "stl", "kmz"])
def test_formats(lifted: LiftCommand, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lifted("--landmark", "pisa", "--out", str(tmp_path / "tower"), "--format", kind) == 0
    assert (tmp_path / f"tower.{kind}").stat().st_size > 1000
    assert "m high" in capsys.readouterr().out


def test_names_of_files() -> None:
    assert lift.output_file("a", None) == Path("a.glb")
    assert lift.output_file("a.b", "ply") == Path("a.b.ply")
    assert lift.output_file("a.STL", None) == Path("a.STL")
    for out, kind in (("a.obj", "glb"), ("a.docx", None), ("a", "usdz")):
        with pytest.raises(GPSDreamError) as error:
            lift.output_file(out, kind)
        assert error.value.failure.kind is ErrorKind.BAD_REQUEST


def test_landmarks_are_found_by_name(model: Path) -> None:
    assert lift.find_landmark("the Flatiron Building", "tiny") == FLATIRON
    assert lift.find_landmark("arc-de", "tiny").id == "arc-de-triomphe"
    with pytest.raises(GPSDreamError) as error:
        lift.find_landmark("the Colosseum", "tiny")
    assert error.value.failure.kind is ErrorKind.BAD_REQUEST


def test_a_persons_own_landmarks_are_found(model: Path, gpsdream_home: Path) -> None:
    own = LandmarkStore().add("the Old Mill", 40.7, -74.0, 12.5).landmark
    tower = LandmarkStore().add("the Tower", 40.8, -74.0).landmark
    assert lift.find_landmark("Old Mill", "tiny") == own and own.height == 12.5
    assert lift.find_landmark(own.id, "tiny") == own
    # It is called exactly so; that of Pisa has it in its name only.
    assert lift.find_landmark("tower", "tiny") == tower
    assert lift.find_landmark("leaning-tower", "tiny").id == "leaning-tower-of-pisa"


def test_landmarks_that_only_the_model_knows_are_found(model: Path) -> None:
    mill = Landmark("water-mill", "the Water Mill", 40.7, -74.0, 0.0, 9.0)
    card = dataclasses.replace(read_card(model), kind="landmarks", landmarks=(KnownLandmark(mill, (2,) * 36),))
    (model / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    assert lift.find_landmark("water mill", "tiny") == mill


def test_values_out_of_range_are_sentences(lifted: LiftCommand, tmp_path: Path) -> None:
    for arguments in (("--method", "photogrammetry"), ("--quality", "best"), ("--guidance", "-3")):
        with pytest.raises(GPSDreamError) as error:
            lifted("--landmark", "flatiron", "--out", str(tmp_path / "x.glb"), *arguments)
        assert error.value.failure.kind is ErrorKind.BAD_REQUEST
    assert list(tmp_path.glob("x*")) == []


def test_a_failure_of_the_engine_is_told(lifted: LiftCommand, engine: FakeEngine, tmp_path: Path) -> None:
    engine.script = Script(fail_at=2)
    with pytest.raises(GPSDreamError) as error:
        lifted("--landmark", "flatiron", "--out", str(tmp_path / "x.glb"))
    assert error.value.failure.message == OUT_OF_MEMORY.message


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_lift_and_the_same_command_goes_on(
    lifted: LiftCommand,
    engine: FakeEngine,
    tmp_path: Path,
    number: signal.Signals,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "flatiron.glb"
    told = 0

    def interrupt(event: object) -> None:
        nonlocal told
        told += isinstance(event, LiftStep)
        if isinstance(event, LiftStep) and told == 2:
            engine.lift_gate.clear()
            threading.Thread(target=os.kill, args=(os.getpid(), number)).start()

    engine.add_listener(interrupt)
    assert lifted("--landmark", "flatiron", "--out", str(out), "--json") == terminal.CANCELLED
    engine.lift_gate.set()
    answer = capsys.readouterr()
    assert json.loads(answer.out)["cancelled"] is True and "goes on from there" in answer.err
    assert not out.exists() and list_lifts() == [] and len(list_unfinished()) <= 1
    again = FakeEngine(size=64)
    assert lifted("--landmark", "flatiron", "--out", str(out), "--resume", engine=again) == 0
    assert out.is_file() and len(list_lifts()) == 1
