"""`gpsdream photos` on a small folder of photos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from gpsdream_app.cli import main
from gpsdream_app.photos.catalogue import Catalogue


def save_photo(path: Path, lat: float | None, lon: float = -73.98, shade: int = 0) -> None:
    """Write a JPEG of stripes, with a place if `lat` is given."""
    image = Image.new("L", (96, 64))
    image.putdata([(x * (3 + shade) + y * 5 * shade) % 256 for y in range(64) for x in range(96)])
    exif = Image.Exif()
    if lat is not None:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (lat, 0.0, 0.0)
        gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (-lon, 0.0, 0.0)
    image.save(path, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        save_photo(photos / f"{number}.jpg", 40.74 + number * 0.001, shade=number)
    save_photo(photos / "twin.jpg", 40.74, shade=0)
    save_photo(photos / "nowhere.jpg", None)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return photos


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["photos", *arguments]) == code
    return capsys.readouterr().out


def test_a_folder_is_imported_and_its_files_accounted_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    text = answer(capsys, "import", str(folder), "--workers", "1", "--report", str(report))
    assert "7  placed" in text
    assert "no_gps" in text
    fates = {Path(item["path"]).name: item["reason"] for item in json.loads(report.read_text("utf-8"))["files"]}
    assert fates["nowhere.jpg"] == "no_gps"
    assert fates["broken.jpg"] not in ("placed", "no_gps")
    assert len(fates) == 9
    again = json.loads(answer(capsys, "import", str(folder), "--workers", "1", "--json"))
    assert (again["read"], again["unchanged"]) == (0, 9)
    assert len(again["files"]) == 9


def test_the_catalogue_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "empty" in answer(capsys, "list")
    answer(capsys, "import", str(folder), "--workers", "1")
    text = answer(capsys, "list", "--limit", "2")
    assert "7 of 9 files have a place" in text
    assert "and 5 more" in text
    listed = json.loads(answer(capsys, "list", str(folder), "--limit", "0", "--json"))
    assert len(listed["photos"]) == 7
    assert listed["collections"][0]["folder"] == str(folder)
    rejected = answer(capsys, "list", "--rejected")
    assert "nowhere.jpg: The photo says nothing about its place." in rejected
    assert len(json.loads(answer(capsys, "list", "--rejected", "--json"))) == 2


def test_duplicates_and_far_photos_are_found_and_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_photo(folder / "lisbon.jpg", 38.7, -9.14, shade=9)
    answer(capsys, "import", str(folder), "--workers", "1")
    found = json.loads(answer(capsys, "clean", "--city", "manhattan", "--json"))
    assert found["applied"] is False
    assert [Path(item["path"]).name for item in found["far"]] == ["lisbon.jpg"]
    assert len(found["duplicates"]) == 1
    assert "left out of training" in answer(capsys, "clean", "--city", "manhattan", "--apply")
    split = json.loads(answer(capsys, "split", "--fraction", "0.3", "--json"))
    paths = {Path(path).name for path in [*split["train"], *split["validation"]]}
    assert len(paths) == 6
    assert "lisbon.jpg" not in paths
    far = json.loads(answer(capsys, "clean", "--landmark", "40.74,-73.98,150", "--json"))["far"]
    assert len(far) == 5


def test_photos_are_parted_the_same_way_by_the_same_seed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, "import", str(folder), "--workers", "1")
    text = answer(capsys, "split", "--fraction", "0.3", "--by", "block", "--out", str(tmp_path / "split.json"))
    assert "for training" in text
    first = json.loads((tmp_path / "split.json").read_text("utf-8"))
    second = json.loads(answer(capsys, "split", "--fraction", "0.3", "--by", "block", "--json"))
    assert first == second
    assert first["validation"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["import", "/no/such/folder"], 1),
        (["clean", "--landmark", "here"], 2),
        (["clean", "--landmark", "1,2,3", "--city", "manhattan"], 2),
        (["split", "--fraction", "2"], 2),
    ],
)
def test_mistakes_are_sentences(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["photos", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("gpsdream: ")
    assert "Traceback" not in error


def photos_in(catalogue: Path) -> int:
    """Return how many photos another process has written by now."""
    if not catalogue.exists():
        return 0
    with Catalogue(catalogue) as opened:
        return opened.count()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_what_was_read(tmp_path: Path) -> None:
    photos = tmp_path / "many"
    photos.mkdir()
    save_photo(photos / "0.jpg", 40.74)
    data = (photos / "0.jpg").read_bytes()
    for number in range(1, 4000):
        (photos / f"{number}.jpg").write_bytes(data)
    command = [sys.executable, "-m", "gpsdream_app", "photos", "import", str(photos), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        catalogue = Path(os.environ["GPSDREAM_HOME"]) / "catalogue.sqlite"
        while started.poll() is None and not photos_in(catalogue):
            time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        out, error = started.communicate(timeout=60)
    assert started.returncode == 130, error
    assert "stopped before the end" in out
    assert "Cancelled" in error
    assert "Traceback" not in error
