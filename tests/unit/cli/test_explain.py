"""`gpsdream explain` on the scripted engine: shares, overlays, files with safe names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gpsdream_app.cli import build_parser, main
from gpsdream_app.commands import explain
from gpsdream_app.commands.explain import percent, typicality_line
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import OUT_OF_MEMORY, FakeEngine, Script, explain_postcard
from gpsdream_app.library.picture_metadata import SOURCE_TYPE, read_png

from .conftest import Generate

PLACE = ("--lat", "40.7411", "--lon", "-73.9897")
Explain = Callable[..., int]


@pytest.fixture
def tell(model: Path) -> Explain:
    """Run `gpsdream explain --model tiny` with a scripted engine; returns the exit code."""

    def run(*arguments: str, script: Script | None = None) -> int:
        parsed = build_parser().parse_args(["explain", "--model", "tiny", *arguments])
        return explain.run(parsed, lambda: FakeEngine(script, size=64))

    return run


def test_shares_are_printed(tell: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(*PLACE, "--heading", "29", "--prompt", "a church", "--seed", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["a", "church", "longitude", "latitude", "heading"]
    assert all("%" in line for line in lines[1:6])
    assert "of 20 other places" in lines[-1]


def test_overlays_have_safe_names_and_say_what_made_them(
    tell: Explain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "why"
    prompt = "../../etc/passwd con église 家 <b>"
    assert tell(*PLACE, "--prompt", prompt, "--out", str(out), "--seed", "1", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "00-picture.png",
        "01-etc-passwd.png",
        "02-con.png",
        "03-eglise.png",
        "04-word.png",
        "05-b.png",
        "06-longitude.png",
        "07-latitude.png",
        "08-typical.png",
        "contact-sheet.png",
    ]
    assert sorted(answer["files"]) == sorted(str(out / name) for name in names)
    for name in names:
        assert read_png(out / name) == GenerateRequest.from_dict(answer["explanation"]["request"])
        assert SOURCE_TYPE.encode() in (out / name).read_bytes()
        with Image.open(out / name) as image:
            image.load()
    tokens = answer["explanation"]["tokens"]
    assert [token["kind"] for token in tokens] == ["word"] * 5 + ["longitude", "latitude"]
    assert all(0 <= token["share"] <= 1 for token in tokens)
    assert "picture" not in answer["explanation"]


def test_sharing_leaves_the_place_out(tell: Explain, tmp_path: Path) -> None:
    assert tell(*PLACE, "--out", str(tmp_path / "why"), "--share-without-location") == 0
    for path in (tmp_path / "why").iterdir():
        assert read_png(path).place is None
        assert b"40.7411" not in path.read_bytes()


def test_a_picture_is_explained_from_its_file(
    tell: Explain, draw: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = tmp_path / "drawn.png"
    assert draw(*PLACE, "--prompt", "shops", "--seed", "3", "--out", str(drawn)) == 0
    capsys.readouterr()
    assert tell("--from", str(drawn), "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["explanation"]["request"]["seed"] == 3
    assert "came out otherwise" not in told.err
    assert tell("--from", str(drawn), "--seed", "4") == 0
    assert "came out otherwise" in capsys.readouterr().err


def test_the_first_picture_of_several_is_explained(
    tell: Explain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "request.json"
    file.write_text(GenerateRequest(Place(40.7411, -73.9897), "shops", seed=9, count=4).to_json(), encoding="utf-8")
    assert tell("--from", str(file), "--json") == 0
    request = json.loads(capsys.readouterr().out)["explanation"]["request"]
    assert (request["seed"], request["count"]) == (9, 1)


def test_a_failure_is_told(tell: Explain) -> None:
    with pytest.raises(GPSDreamError) as error:
        tell(*PLACE, script=Script(fail_at=2))
    assert error.value.failure.message == OUT_OF_MEMORY.message


def test_a_folder_that_cannot_be_written_is_told_before_drawing(tell: Explain, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(GPSDreamError) as error:
        tell(*PLACE, "--out", str(blocker / "why"), script=Script(fail_at=0))
    assert error.value.failure.kind is ErrorKind.DISK_FULL


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no place and no prompt"),
        ((*PLACE, "--share-without-location"), "nothing to share"),
        ((*PLACE, "--n", "2"), "--n"),
        ((*PLACE, "--examples"), "--examples"),
    ],
)
def test_wrong_usage_is_a_sentence(
    model: Path, arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--model", "tiny", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_typicality_is_said_with_the_number_of_places() -> None:
    told = explain_postcard(GenerateRequest(Place(40.7, -74.0), "a church"))
    line = typicality_line(replace(told, typicality=0.0123, typicality_rank=0.875, places_compared=24))
    assert "than of 21 of 24 other places (88 %; typicality 0.0123 ± 0.0040)" in line
    assert typicality_line(replace(told, typicality=0.01, typicality_rank=None)).startswith("Typicality 0.0100")
    assert typicality_line(replace(told, typicality=None)) == ""


@pytest.mark.parametrize(("share", "text"), [(0.0042, "0.42 %"), (0.05, "5 %"), (0.314, "31 %"), (1.0, "100 %")])
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
