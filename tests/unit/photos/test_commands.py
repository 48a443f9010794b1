from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.photos import commands
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.records import Reason
from tests.unit.photos.pictures import gps, photo


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, catalogue: Catalogue) -> Path:
    """Twenty photos of one street, a copy, one in Paris and one without a place, all imported."""
    root = tmp_path / "photos"
    for number in range(20):
        photo(root / f"{number:02}.jpg", number, gps_tags=gps(40.74 + number / 10_000, -73.99))
    photo(root / "copy.jpg", 0, (48, 32), gps_tags=gps(40.74, -73.99))
    photo(root / "paris.jpg", 30, gps_tags=gps(48.86, 2.35))
    photo(root / "nowhere.jpg", 31)
    commands.import_photos(root, catalogue, workers=0, report_file=tmp_path / "report.json")
    return root


def test_import_writes_the_report(folder: Path, tmp_path: Path) -> None:
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert data["counts"] == {"placed": 22, "no_gps": 1}
    assert len(data["files"]) == 23


def test_a_report_that_has_nowhere_to_go_is_told_before_the_import(folder: Path, catalogue: Catalogue) -> None:
    with pytest.raises(GPSDreamError, match="does not exist"):
        commands.import_photos(folder, catalogue, report_file=folder / "absent" / "report.json")


def test_list(folder: Path, catalogue: Catalogue) -> None:
    assert len(list(commands.list_photos(catalogue))) == 22
    assert len(list(commands.list_photos(catalogue, folder=folder, box=Box(40.7, -74.0, 40.8, -73.9)))) == 21
    (nowhere,) = commands.list_outcomes(catalogue, folder=folder, reasons=(Reason.NO_GPS,))
    assert nowhere.path == folder / "nowhere.jpg"
    (collection,) = commands.list_collections(catalogue)
    assert collection.to_dict()["photos"] == 22
    with pytest.raises(GPSDreamError, match="no folder"):
        commands.list_photos(catalogue, folder=folder / "absent")


def test_clean_reports_and_leaves_out_when_told(folder: Path, catalogue: Catalogue) -> None:
    report = commands.clean_photos(catalogue, folder=folder)
    assert [photo.path.name for photo in report.far] == ["paris.jpg"]
    assert [(group.keep.name, len(group.others)) for group in report.duplicates] == [("00.jpg", 1)]
    assert catalogue.left_out() == {}
    commands.clean_photos(catalogue, folder=folder, apply=True)
    assert catalogue.left_out() == {folder / "paris.jpg": "outlier", folder / "copy.jpg": "duplicate"}
    assert all(path.is_file() for path in catalogue.left_out())
    report = commands.clean_photos(catalogue, box=Box(40.0, -75.0, 50.0, 3.0), apply=True)
    assert report.far == ()
    assert catalogue.left_out() == {folder / "copy.jpg": "duplicate"}


def test_clean_by_landmark(folder: Path, catalogue: Catalogue) -> None:
    report = commands.clean_photos(catalogue, landmark=(40.74, -73.99, 100.0))
    assert len(report.far) == 11  # ten of the street, and Paris
    for bad in ((91.0, 0.0, 5.0), (1.0, 1.0, 0.0), (1.0, 1.0, float("nan"))):
        with pytest.raises(GPSDreamError):
            commands.clean_photos(catalogue, landmark=bad)
    with pytest.raises(GPSDreamError, match="not both"):
        commands.clean_photos(catalogue, landmark=(1.0, 1.0, 1.0), box=Box(0.0, 0.0, 1.0, 1.0))


def test_split(folder: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    commands.clean_photos(catalogue, apply=True)
    out = tmp_path / "split.json"
    split = commands.split_photos(catalogue, folder=folder, fraction=0.2, seed=4, out=out)
    assert (len(split.train), len(split.validation)) == (16, 4)
    assert json.loads(out.read_text(encoding="utf-8")) == split.to_dict()
    assert commands.split_photos(catalogue, fraction=0.2, seed=4, by="block", block_metres=50.0).validation
    with pytest.raises(GPSDreamError, match="by source or by block"):
        commands.split_photos(catalogue, by="colour")
    with pytest.raises(GPSDreamError) as caught:
        commands.split_photos(catalogue, out=tmp_path / "absent" / "split.json")
    assert caught.value.failure.kind is ErrorKind.DISK_FULL


def test_the_window_loads_no_decoder() -> None:
    """Hostile files are opened in the worker processes, and nowhere else."""
    code = (
        "import sys, gpsdream_app.photos.commands, gpsdream_app.photos.importer;"
        "print([name for name in ('PIL', 'pillow_heif', 'imagehash', 'scipy', 'numpy') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert answer.stdout.strip() == "[]"


def test_a_list_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        before = sorted(tmp_path.iterdir())
        for out in (tmp_path, tmp_path / "nowhere" / "split.json", Path()):
            with pytest.raises(GPSDreamError, match="cannot be written"):
                commands.split_photos(catalogue, out=out)
        assert sorted(tmp_path.iterdir()) == before
