"""`gpsdream export`, and `gpsdream generate --replay` of what it wrote, on the scripted engine."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpsdream_app.cli import main
from gpsdream_app.domain.averages import AverageRequest, RegionPlaces
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.export.requests_zip import export_requests
from gpsdream_app.library import paths
from gpsdream_app.library.picture_metadata import read_png, read_request
from gpsdream_app.library.store import Library

from .conftest import Generate

PLACE = ("--lat", "40.7411", "--lon", "-73.9897", "--heading", "29")
Told = Callable[..., dict[str, Any]]


@pytest.fixture
def drawn(draw: Generate, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Two pictures in the library; the second is the newer one. A new engine is left for what comes next."""
    assert draw(*PLACE, "--prompt", "a church", "--seed", "7", "--n", "2", "--json") == 0
    pictures: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["pictures"]
    return pictures


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Run `gpsdream export --json` and return its answer."""

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["export", *arguments, "--json"]) == code
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return run


def again(model: Path, *arguments: str) -> int:
    from gpsdream_app.cli import build_parser
    from gpsdream_app.commands import generate

    return generate.run(build_parser().parse_args(["generate", *arguments]), lambda: FakeEngine(size=64))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.kmz", "kmz"), ("a.geojson", "geojson"), ("a.html", "web-map"), ("a.csv", "csv"), ("a.zip", "requests"),
     ("folder", "png")],
)  # fmt: skip
def test_the_name_tells_the_format(drawn: Any, told: Told, tmp_path: Path, name: str, kind: str) -> None:
    out = tmp_path / "out" / name
    answer = told("--out", str(out))
    assert (answer["format"], answer["exported"], answer["left_out"]) == (kind, 2, [])
    assert all(Path(file).is_file() for file in answer["files"])
    assert out.exists()


def test_the_choice_of_pictures(drawn: list[dict[str, Any]], told: Told, tmp_path: Path) -> None:
    def count(*arguments: str) -> int:
        exported: int = told("--out", str(tmp_path / "x.csv"), *arguments)["exported"]
        return exported

    day = drawn[0]["created"][:10]
    assert count() == 2
    assert count("--last", "1") == 1
    assert count("--id", drawn[0]["id"]) == 1
    assert count("--words", "CHURCH a") == 2
    assert count("--since", day, "--until", day) == 2
    assert count("--box", "40.7,-74,40.8,-73.9") == 2
    assert count("--box", "-41,-74,41,-73") == 2
    assert count("--model", "tiny") == 2
    assert count("--kind", "draw", "average") == 2
    assert count(drawn[1]["path"]) == 1
    for arguments in (
        ("--words", "castle"),
        ("--until", "2020-01-01"),
        ("--box", "0,0,1,1"),
        ("--model", "other"),
        ("--kind", "frame"),
        ("--last", "0"),
    ):
        answer = told("--out", str(tmp_path / "y.csv"), *arguments, code=2)
        assert "no such pictures" in answer["error"]["message"]
        assert not (tmp_path / "y.csv").exists()


def test_pictures_without_location(drawn: Any, told: Told, tmp_path: Path) -> None:
    answer = told("--out", str(tmp_path / "out"), "--share-without-location")
    assert [read_png(Path(file)).place for file in answer["files"]] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--out", "x.xyz"), "--format"),
        (("--out", "x.kmz", "--share-without-location"), "leave them out"),
        (("--out", "x", "--format", "jpeg", "--quality", "0"), "quality"),
        (("--out", "x.kmz", "--field-of-view", "180"), "field of view"),
        (("--out", "x.csv", "--since", "yesterday"), "--since"),
        (("--out", "x.csv", "--since", "2026-02-30"), "--since"),
        (("--out", "x.csv", "--box", "1,2,3"), "four"),
        (("--out", "x.csv", "--box", "a,b,c,d"), "not a number"),
        (("--out", "x.csv", "--id", "../../etc"), "no picture"),
        (("--out", "file", "--format", "png"), "is a file"),
    ],
)
def test_wrong_usage(
    drawn: Any, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert word in str(told(*arguments, code=2)["error"])
    assert not list(tmp_path.glob("x*"))


def test_a_file_that_is_no_picture(told: Told, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    assert told(str(tmp_path / "x.png"), "--out", str(tmp_path / "x.csv"), code=1)["error"]["kind"] == "bad_photo"


def test_a_missing_picture_is_named(drawn: list[dict[str, Any]], told: Told, tmp_path: Path) -> None:
    Path(drawn[0]["path"]).write_bytes(b"damaged")
    answer = told("--out", str(tmp_path / "x.kmz"))
    assert answer["exported"] == 1
    assert "cannot be read" in answer["left_out"][0]


# -- drawing again --


def test_what_was_exported_is_drawn_again(
    drawn: list[dict[str, Any]], model: Path, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again.zip"
    told("--out", str(out))
    library = Library(paths.library_path())
    for picture in drawn:
        library.delete(picture["id"])
    library.close()
    capsys.readouterr()
    assert again(model, "--replay", str(out), "--out", str(tmp_path / "copies"), "--json") == 0
    pictures = json.loads(capsys.readouterr().out)["pictures"]
    # The newest comes first out of the library.
    assert [picture["request"] for picture in pictures] == [picture["request"] for picture in reversed(drawn)]
    assert {read_png(path).seed for path in (tmp_path / "copies").iterdir()} == {7, 8}


def test_averages_are_drawn_again_too(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = ((40.75, -73.98), (40.75, -73.97), (40.76, -73.97))
    region = Region("Midtown", RegionKind.DRAWN, ((ring,),))
    request = AverageRequest((RegionPlaces(region, (Place(40.755, -73.975),)),), model="tiny", steps=2)
    known = FakeEngine(size=64)
    engine_result = next(event.result for event in known.stream(request) if type(event).__name__ == "PictureFinished")  # type: ignore[attr-defined]
    known.shutdown()
    export_requests([engine_result], tmp_path / "a.zip")
    assert again(model, "--replay", str(tmp_path / "a.zip"), "--out", str(tmp_path / "copies")) == 0
    (copy,) = (tmp_path / "copies").iterdir()
    assert read_request(copy) == request


def test_other_weights_and_models_are_told(
    drawn: list[dict[str, Any]], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = Library(paths.library_path())
    result = library.get(drawn[0]["id"])
    library.close()
    assert result
    export_requests([replace(result, model_hash="f" * 16)], tmp_path / "a.zip")
    assert again(model, "--replay", str(tmp_path / "a.zip")) == 0
    assert "other weights" in capsys.readouterr().err
    elsewhere = replace(result, request=replace(result.request, model="elsewhere"))
    export_requests([elsewhere], tmp_path / "b.zip")
    with pytest.raises(GPSDreamError, match=r"“elsewhere” \(“.*”\).*is not installed") as raised:
        again(model, "--replay", str(tmp_path / "b.zip"))
    assert raised.value.failure.kind is ErrorKind.MODEL_MISSING
    assert again(model, "--replay", str(tmp_path / "b.zip"), "--model", "tiny") == 0


@pytest.mark.parametrize(
    "arguments", [("--seed", "0"), ("--prompt", ""), PLACE[:2], ("--examples",), ("--from", "x"), ("--n", "1")]
)
def test_a_zip_says_all_that_is_drawn(model: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(GPSDreamError, match=f"{arguments[0]} and --replay"):
        again(model, "--replay", str(tmp_path / "x.zip"), *arguments)


def test_a_zip_of_a_stranger_draws_nothing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil", "x")
        archive.writestr("requests/1.json", json.dumps(GenerateRequest(None, "x").to_dict()))
    assert main(["generate", "--replay", str(path)]) == 2
    assert "not exported by GPSDream" in capsys.readouterr().err
    assert main(["generate", "--replay", str(tmp_path / "missing.zip")]) == 2
    assert not list(paths.pictures_dir().rglob("*.png"))
