"""The whole way on the command line: arguments, the real engine with a tiny real model, files, library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from gpsdream_app.library.picture_metadata import read_png
from gpsdream_app.library.store import Library
from tests.films import read_film
from tests.tiny_model import make_tiny_model

PLACE = ("--lat", "40.7411", "--lon", "-73.9897", "--prompt", "a mansion", "--seed", "5")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def generate(model: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("generate", "--model", str(model), *arguments)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpsdream_app", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


def test_pictures_are_drawn_copied_kept_and_drawn_again(model: Path, tmp_path: Path, gpsdream_home: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again.png"
    done = generate(model, *PLACE, "--heading", "118", "--n", "2", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    pictures = json.loads(done.stdout)["pictures"]
    assert [picture["request"]["seed"] for picture in pictures] == [5, 6]
    for picture in pictures:
        copy = Path(picture["copy"])
        assert copy.parent == out
        assert copy.read_bytes() == Path(picture["path"]).read_bytes()
        request = read_png(copy)
        assert request.place is not None
        assert (request.place.lat, request.place.lon, request.place.heading) == (40.7411, -73.9897, 118.0)
        assert "Fifth Avenue" in request.place.name
    library = Library(gpsdream_home / "library.sqlite")
    kept = {result.id for result in library.recent(10)}
    library.close()
    assert kept == {picture["id"] for picture in pictures}
    first, second = (Path(picture["copy"]) for picture in pictures)
    assert generate(model, "--from", str(second), "--out", str(again)).returncode == 0
    assert pixels(again) == pixels(second)
    assert pixels(again) != pixels(first)


def test_a_picture_is_explained_from_its_file(model: Path, tmp_path: Path) -> None:
    drawn, out = tmp_path / "drawn.png", tmp_path / "why"
    assert generate(model, *PLACE, "--heading", "118", "--out", str(drawn)).returncode == 0
    done = run("explain", "--from", str(drawn), "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert "came out otherwise" not in done.stderr
    told = json.loads(done.stdout)["explanation"]
    assert [token["label"] for token in told["tokens"]] == ["a", "mansion", "longitude", "latitude", "heading"]
    assert told["request"] == read_png(drawn).to_dict()
    assert len(list(out.glob("*.png"))) == len(told["tokens"]) + 3


def test_regions_are_averaged(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "averages"
    ask = ("average", "--model", str(model), "--places", "6", "--subset", "2", "--prompt", "a mansion")
    done = run(*ask, "--region", "Greenwich Village", "5th av", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    pictures = json.loads(done.stdout)["pictures"]
    assert [picture["region"] for picture in pictures] == ["Greenwich Village", "Fifth Avenue"]
    assert pixels(Path(pictures[0]["copy"])) != pixels(Path(pictures[1]["copy"]))
    assert (out / "grid.png").is_file() and (out / "averages.geojson").is_file() and (out / "map.html").is_file()
    again = run(*ask, "--region", "Greenwich Village", "5th av", "--json")
    assert [picture["id"] for picture in json.loads(again.stdout)["pictures"]] == [
        picture["id"] for picture in pictures
    ]
    assert "loading" not in again.stderr, "nothing had to be drawn"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_walk_is_stopped_with_ctrl_c_and_goes_on(model: Path, tmp_path: Path, gpsdream_home: Path) -> None:
    out = tmp_path / "walk"
    ask = ("walk", "--line", "Fifth Avenue", "--frames", "30", "--steps", "30", "--out", str(out))
    command = [sys.executable, "-u", "-m", "gpsdream_app", *ask, "--model", str(model)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as started:
        while started.poll() is None and not (out / "frames" / "00001.png").exists():
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGINT)
        _, error = started.communicate()
    assert started.returncode == 130, error
    assert "the same command goes on from there" in error
    before = {path.name: path.read_bytes() for path in (out / "frames").iterdir()}
    assert 2 <= len(before) < 30
    done = run(*ask, "--model", str(model), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["finished"] == 30 and answer["drawn"] <= 30 - len(before)
    assert all((out / "frames" / name).read_bytes() == data for name, data in before.items())
    assert len(read_film(out / "walk.mp4")) == 30
    assert (out / "strip.png").is_file()


def test_a_model_that_is_damaged_is_a_sentence(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "cut")
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    done = generate(folder, *PLACE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].startswith("gpsdream: ")
    assert weights.name in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_on_a_terminal_leaves_nothing_running(model: Path) -> None:
    command = [sys.executable, "-u", "-m", "gpsdream_app", "generate", "--model", str(model), *PLACE, "--n", "64"]
    # A group of its own, as a shell gives it: the signal reaches the engine too, like a Ctrl-C does.
    with subprocess.Popen(
        [*command, "--steps", "200"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout is not None
        last_resort = threading.Timer(120, started.kill)
        last_resort.start()
        assert ".png" in started.stdout.readline()
        os.killpg(started.pid, signal.SIGINT)
        _, error = started.communicate()
        last_resort.cancel()
    assert started.returncode == 130, error
    assert "Cancelled" in error
    assert "Traceback" not in error
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)


def test_no_display_and_no_window_are_needed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    done = generate(model, "--examples")
    assert done.returncode == 0, done.stderr
    assert "1 picture of the model's example places: " in done.stdout
