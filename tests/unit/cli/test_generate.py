"""`gpsdream generate` on the scripted engine: requests, copies, answers, cancelling."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gpsdream_app.cli import build_parser, main
from gpsdream_app.commands.generate import build_requests
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Step
from gpsdream_app.domain.model_card import CARD_FILE, Coverage
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import OUT_OF_MEMORY, FakeEngine, Script
from gpsdream_app.library import paths
from gpsdream_app.library.model_folders import read_card
from gpsdream_app.library.picture_metadata import read_png
from gpsdream_app.library.store import Library

from .conftest import Generate

PLACE = ("--lat", "40.7411", "--lon", "-73.9897")


def requests(*arguments: str) -> list[GenerateRequest]:
    return build_requests(build_parser().parse_args(["generate", "--model", "tiny", *arguments]))


def test_the_model_gives_the_defaults(model: Path) -> None:
    (request,) = requests(*PLACE, "--heading", "29", "--prompt", "shops", "--seed", "7", "--n", "2")
    assert request.place is not None
    assert (request.place.lat, request.place.lon, request.place.heading) == (40.7411, -73.9897, 29.0)
    assert request.place.name
    assert (request.steps, request.text_guidance, request.place_guidance) == (3, 2.5, 6.0)
    assert (request.prompt, request.seed, request.count, request.model) == ("shops", 7, 2, "tiny")


def test_arguments_win(model: Path) -> None:
    (request,) = requests(*PLACE, "--steps", "9", "--words-weight", "1", "--place-weight", "4.5", "--negative", "rain")
    assert (request.steps, request.text_guidance, request.place_guidance) == (9, 1.0, 4.5)
    assert request.negative_prompt == "rain"


def test_a_seed_that_is_left_out_is_new_each_time(model: Path) -> None:
    seeds = {requests(*PLACE)[0].seed for _ in range(4)}
    assert len(seeds) > 1


def test_a_place_by_name(model: Path) -> None:
    (request,) = requests("--place", "5th Ave & E 23rd St", "--heading", "10")
    assert request.place is not None
    assert request.place.lat == pytest.approx(40.7411, abs=0.002)
    assert request.place.lon == pytest.approx(-73.9897, abs=0.002)
    assert request.place.heading == 10.0


def test_words_alone_need_no_place(model: Path) -> None:
    assert requests("--prompt", "a church")[0].place is None


@pytest.mark.parametrize(
    ("arguments", "kind", "word"),
    [
        (("--lat", "91", "--lon", "0"), ErrorKind.BAD_LOCATION, "91"),
        (("--lat", "north", "--lon", "0"), ErrorKind.BAD_LOCATION, "north"),
        (("--lat", "40"), ErrorKind.BAD_REQUEST, "--lon"),
        (("--heading", "40"), ErrorKind.BAD_REQUEST, "heading"),
        ((), ErrorKind.BAD_REQUEST, "no place"),
        (("--place", "Xyzzy Boulevard at Nowhere"), ErrorKind.BAD_LOCATION, "Xyzzy"),
        ((*PLACE, "--place", "SoHo"), ErrorKind.BAD_REQUEST, "twice"),
        ((*PLACE, "--examples"), ErrorKind.BAD_REQUEST, "Examples"),
        ((*PLACE, "--n", "0"), ErrorKind.BAD_REQUEST, "number of pictures"),
        ((*PLACE, "--prompt", "x" * 10_000), ErrorKind.BAD_REQUEST, "10,000"),
        ((*PLACE, "--place-weight", "nan"), ErrorKind.BAD_REQUEST, "weight of the place"),
        ((*PLACE, "--seed", "-1"), ErrorKind.BAD_REQUEST, "seed"),
    ],
)
def test_wrong_requests_are_told_in_a_sentence(
    model: Path, arguments: tuple[str, ...], kind: ErrorKind, word: str
) -> None:
    with pytest.raises(GPSDreamError) as error:
        requests(*arguments)
    assert error.value.failure.kind is kind
    assert word in error.value.failure.message
    assert main(["generate", "--model", "tiny", *arguments]) == 2


def test_pictures_are_drawn_kept_and_copied(draw: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert draw(*PLACE, "--prompt", '<b>shops</b> & "signs"', "--seed", "5", "--n", "2", "--out", str(out)) == 0
    copies = sorted(out.iterdir())
    assert len(copies) == 2
    assert {read_png(copy).seed for copy in copies} == {5, 6}
    assert all(read_png(copy).prompt == '<b>shops</b> & "signs"' for copy in copies)
    library = Library(paths.library_path())
    kept = library.recent(10)
    library.close()
    assert {result.request.seed for result in kept} == {5, 6}
    assert all(Path(result.path).is_file() for result in kept)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("seed" in line for line in lines)


def test_one_picture_into_a_file(draw: Generate, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "block.PNG"
    assert draw(*PLACE, "--out", str(target)) == 0
    assert read_png(target).place is not None
    assert [path.name for path in target.parent.iterdir()] == ["block.PNG"]


def test_several_pictures_into_numbered_files(draw: Generate, tmp_path: Path) -> None:
    assert draw(*PLACE, "--n", "3", "--out", str(tmp_path / "block.png")) == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["block-1.png", "block-2.png", "block-3.png"]


def test_json_for_scripts(draw: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(*PLACE, "--seed", "1", "--json", "--out", str(tmp_path / "a.png")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cancelled"] is False
    (picture,) = answer["pictures"]
    assert picture["copy"] == str(tmp_path / "a.png")
    assert picture["request"]["seed"] == 1
    assert GenerateRequest.from_dict(picture["request"]).place is not None


def test_sharing_leaves_the_place_out_of_the_copy_only(draw: Generate, tmp_path: Path) -> None:
    target = tmp_path / "shared.png"
    assert draw(*PLACE, "--prompt", "shops", "--share-without-location", "--out", str(target)) == 0
    assert read_png(target).place is None
    assert b"40.7411" not in target.read_bytes()
    library = Library(paths.library_path())
    (kept,) = library.recent(1)
    library.close()
    assert read_png(Path(kept.path)).place is not None


def test_sharing_needs_a_target(draw: Generate) -> None:
    with pytest.raises(GPSDreamError, match="--out"):
        draw(*PLACE, "--share-without-location")


def test_a_picture_is_drawn_again_from_its_file(draw: Generate, model: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    assert draw(*PLACE, "--prompt", "shops", "--seed", "3", "--steps", "4", "--out", str(first)) == 0
    (again,) = build_requests(build_parser().parse_args(["generate", "--from", str(first)]))
    assert again == read_png(first)
    (other,) = build_requests(build_parser().parse_args(["generate", "--from", str(first), "--seed", "4"]))
    assert other.same_but_seed(again)
    assert other.seed == 4
    request_file = tmp_path / "request.json"
    request_file.write_text(again.to_json(), encoding="utf-8")
    assert build_requests(build_parser().parse_args(["generate", "--from", str(request_file)])) == [again]


@pytest.mark.parametrize("name", ["absent.json", "broken.json", "broken.png", "binary.json"])
def test_a_file_without_a_request_is_a_sentence(
    model: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if not name.startswith("absent"):
        path.write_bytes(b"{" if name == "broken.json" else b"\x89PNG\r\n\x1a\n\xff\xfe")
    assert main(["generate", "--model", "tiny", "--from", str(path)]) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("gpsdream: ")
    assert "Traceback" not in error


def test_the_examples_of_a_model(draw: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "examples"
    assert draw("--examples", "--out", str(out)) == 0
    assert sorted(path.name for path in out.iterdir()) == ["flatiron-building-0.png", "grand-central-0.png"]
    assert read_png(out / "flatiron-building-0.png").prompt == "a tall building"
    assert f"2 pictures of the model's example places: {out}" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told_before_drawing(draw: Generate, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(GPSDreamError) as error:
        draw(*PLACE, "--out", str(blocker / "folder"))
    assert error.value.failure.kind is ErrorKind.DISK_FULL
    assert not list(paths.pictures_dir().rglob("*.png"))


def test_a_disk_that_fills_up_leaves_the_picture_in_the_library_and_no_half_copy(
    draw: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(GPSDreamError, match="The disk is full: the picture is in the library only"):
        draw(*PLACE, "--out", str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []
    with contextlib.closing(Library(paths.library_path())) as library:
        (kept,) = library.recent(10)
        assert Path(kept.path).is_file()


def test_a_failure_of_the_engine_is_told(draw: Generate, engine: FakeEngine) -> None:
    engine.script = Script(fail_at=2)
    with pytest.raises(GPSDreamError) as error:
        draw(*PLACE)
    assert error.value.failure.message == OUT_OF_MEMORY.message


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_and_keeps_what_is_finished(
    draw: Generate, engine: FakeEngine, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Step) and event.index == 4:  # the second picture
            engine.gate.clear()
            threading.Thread(target=os.kill, args=(os.getpid(), number)).start()

    engine.script = Script(step_seconds=0.1)  # the listener hears of a step while the next ones wait
    engine.add_listener(interrupt)
    before = signal.getsignal(number)
    assert draw(*PLACE, "--n", "3", "--json") == 130
    assert signal.getsignal(number) is before
    answer = capsys.readouterr()
    parsed = json.loads(answer.out)
    assert parsed["cancelled"] is True
    finished = len(parsed["pictures"])
    assert 1 <= finished < 3
    assert f"kept: {finished} picture" in answer.err


def change_card(model: Path, **values: object) -> None:
    card = read_card(model)
    (model / CARD_FILE).write_text(replace(card, **values).to_json(), encoding="utf-8")  # type: ignore[arg-type]


def test_words_that_the_model_has_not_learned_are_named(
    draw: Generate, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_card(model, choices={"vocabulary": ["church", "shop"]})
    assert draw(*PLACE, "--prompt", "churches, a zeppelin and \x1b[31m shops", "--json") == 0
    told = capsys.readouterr()
    assert "This small model has not learned: zeppelin." in told.err
    assert json.loads(told.out)["unknown_words"] == ["zeppelin"]
    assert "\x1b" not in told.err


@pytest.mark.parametrize("choices", [{}, {"vocabulary": None}, {"vocabulary": 5}, {"vocabulary": "church"}])
def test_a_card_without_a_vocabulary_judges_no_words(
    draw: Generate, model: Path, choices: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    change_card(model, choices=choices)
    assert draw(*PLACE, "--prompt", "a zeppelin", "--json") == 0
    told = capsys.readouterr()
    assert "learned" not in told.err
    assert json.loads(told.out)["unknown_words"] == []


@pytest.mark.parametrize(
    ("lat", "coverage", "note"),
    [
        ("40.7411", True, ""),
        ("40.7441", True, ""),
        ("40.7511", True, "seen no photo within 1.1 km"),
        ("40.7411", False, ""),
        ("41.7411", False, "outside the area"),
    ],
)
def test_a_place_far_from_all_photos_is_told_before_drawing(
    draw: Generate, model: Path, lat: str, coverage: bool, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change_card(model, coverage=Coverage(40.7406, -73.9902, 0.001, 0.001, ((0, 0, 3),)) if coverage else None)
    assert draw("--lat", lat, "--lon", "-73.9897") == 0
    notes = capsys.readouterr().err
    assert note in notes
    assert bool(note) == ("guess" in notes)
