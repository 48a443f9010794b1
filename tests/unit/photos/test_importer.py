from __future__ import annotations

import io
import json
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.photos import importer, pool, reader
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.importer import ImportProgress, TimeLeft, import_folder
from gpsdream_app.photos.records import PlaceSource, Reason
from gpsdream_app.photos.report import ImportReport
from tests.unit.photos.pictures import gps, photo


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small collection with a bit of everything."""
    root = tmp_path / "photos"
    for number in range(6):
        photo(root / f"placed{number}.jpg", number, gps_tags=gps(40.7 + number / 1000, -74.0))
    photo(root / "nowhere.jpg", 10)
    photo(root / "sub" / "tabled.jpg", 11)
    (root / "places.csv").write_text("file,lat,lon,bearing,caption\nsub/tabled.jpg,40.75,-73.99,110,A church\n")
    (root / "notes.txt").write_text("hello")
    (root / "empty.jpg").touch()
    return root


def children() -> list[psutil.Process]:
    return [process for process in psutil.Process().children() if "gpsdream_app.photos.worker" in process.cmdline()]


EXPECTED = {
    Reason.PLACED: 7,
    Reason.NO_GPS: 1,
    Reason.NOT_AN_IMAGE: 1,
    Reason.EMPTY: 1,
    Reason.SIDECAR: 1,
}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_file_has_a_fate(folder: Path, catalogue: Catalogue, workers: int) -> None:
    report = import_folder(folder, catalogue, workers=workers)
    assert report.counts == EXPECTED
    assert (report.total, report.read, report.unchanged, report.gone, report.cancelled) == (11, 10, 0, 0, False)
    assert {outcome.path for outcome in report.outcomes()} == {path for path in folder.rglob("*") if path.is_file()}
    tabled = catalogue.photo(folder / "sub" / "tabled.jpg")
    assert tabled is not None
    assert (tabled.lat, tabled.lon, tabled.heading, tabled.caption) == (40.75, -73.99, 110.0, "A church")
    assert tabled.place_source is PlaceSource.SIDECAR
    assert tabled.size == (folder / "sub" / "tabled.jpg").stat().st_size
    assert children() == []


def test_a_second_import_reads_nothing(folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    import_folder(folder, catalogue, workers=0)

    def refuse(*args: object, **values: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(reader, "read_photo", refuse)
    report = import_folder(folder, catalogue, workers=0)
    assert report.counts == EXPECTED
    assert (report.read, report.unchanged) == (0, 10)
    assert catalogue.count(folder) == 7


def test_only_what_has_changed_is_read_again(folder: Path, catalogue: Catalogue) -> None:
    import_folder(folder, catalogue, workers=0)
    photo(folder / "placed0.jpg", 50, gps_tags=gps(48.0, 2.0))
    (folder / "placed1.jpg").unlink()
    photo(folder / "new.jpg", 51, gps_tags=gps(48.0, 2.0))
    (folder / "places.csv").write_text("file,lat,lon,bearing,caption\nsub/tabled.jpg,40.75,-73.99,110,A tower\n")
    report = import_folder(folder, catalogue, workers=0)
    assert (report.read, report.unchanged, report.gone) == (3, 7, 1)
    changed, tabled = catalogue.photo(folder / "placed0.jpg"), catalogue.photo(folder / "sub" / "tabled.jpg")
    assert changed is not None
    assert changed.lat == pytest.approx(48.0)
    assert tabled is not None
    assert tabled.caption == "A tower"
    assert catalogue.photo(folder / "placed1.jpg") is None


def test_a_new_reader_reads_everything_again(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_folder(folder, catalogue, workers=0)
    monkeypatch.setattr(importer, "READER_VERSION", importer.READER_VERSION + 1)
    assert import_folder(folder, catalogue, workers=0).read == 10


def test_a_table_beside_the_folder_counts(folder: Path, catalogue: Catalogue) -> None:
    report = import_folder(folder / "sub", catalogue, workers=0)
    assert report.counts == {Reason.PLACED: 1}
    assert import_folder(folder, catalogue, workers=0).unchanged == 1


def test_a_subfolder_and_its_parent_are_collections_of_the_same_photos(folder: Path, catalogue: Catalogue) -> None:
    import_folder(folder, catalogue, workers=0)
    report = import_folder(folder / "sub", catalogue, workers=0)
    assert (report.read, report.unchanged) == (0, 1)
    assert [collection.photos for collection in catalogue.collections()] == [1, 7]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cancelled_import_keeps_what_it_has_and_goes_on_later(
    tmp_path: Path, catalogue: Catalogue, workers: int
) -> None:
    root = tmp_path / "many"
    for number in range(60):
        photo(root / f"{number:02}.jpg", number, gps_tags=gps(40.7, -74.0))
    done = 0

    def on_progress(progress: ImportProgress) -> None:
        nonlocal done
        done = progress.done if progress.total else 0

    # Two looks at the folder ask as well; what counts is that it stops before the end.
    importer_report = import_folder(
        root, catalogue, workers=workers, on_progress=on_progress, cancelled=lambda: catalogue_full(catalogue)
    )
    assert importer_report.cancelled
    first = importer_report.read
    assert 0 < first < 60
    assert catalogue.count(root) == first
    assert children() == []
    assert not catalogue.collections()[0].complete
    second = import_folder(root, catalogue, workers=workers)
    assert (second.unchanged, second.read) == (first, 60 - first)
    assert catalogue.collections()[0].complete


def catalogue_full(catalogue: Catalogue) -> bool:
    return catalogue.count() >= 5


@pytest.fixture(autouse=True)
def _writes_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "WRITE_FILES", 5)


def test_a_cancel_that_takes_itself_back_is_still_a_cancel(folder: Path, catalogue: Catalogue) -> None:
    import_folder(folder, catalogue, workers=0)
    answers = iter([False, False, True] + [False] * 1000)
    report = import_folder(folder, catalogue, workers=0, cancelled=lambda: next(answers))
    assert report.cancelled
    assert report.gone == 0
    assert catalogue.count(folder) == 7


def test_progress_ends_at_the_total(folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "REPORT_SECONDS", 0.0)
    reports: list[ImportProgress] = []
    import_folder(folder, catalogue, workers=0, on_progress=reports.append)
    looking = [report.done for report in reports if report.total is None]
    reading = [report for report in reports if report.total is not None]
    assert looking == sorted(looking)
    assert looking[-1] == 11
    assert [report.done for report in reading] == [*range(1, 12), 11]
    assert {report.total for report in reading} == {11}
    assert reading[-1].counts == EXPECTED
    assert reading[-1].seconds_left == 0.0


def test_an_error_of_the_listener_ends_the_workers(folder: Path, catalogue: Catalogue) -> None:
    def fail(progress: ImportProgress) -> None:
        if progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_folder(folder, catalogue, workers=2, on_progress=fail)
    assert children() == []


def test_time_left() -> None:
    estimate = TimeLeft(100.0)
    assert estimate.update(100.5, 10, 100) is None
    assert estimate.update(102.0, 20, 100) == pytest.approx(8.0)
    assert estimate.update(103.0, 100, 100) == 0.0
    # Of late it is ten times as fast; what was long ago does not count.
    estimate = TimeLeft(0.0)
    for second in range(1, 101):
        left = estimate.update(float(second), second if second <= 50 else 50 + 10 * (second - 50), 1050)
    assert left == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "There is no folder"),
        (lambda path: path.write_text("x"), "is a file"),
    ],
)
def test_folders_that_are_none(tmp_path: Path, catalogue: Catalogue, make: object, words: str) -> None:
    make(tmp_path / "it")  # type: ignore[operator]
    with pytest.raises(GPSDreamError, match=words):
        import_folder(tmp_path / "it", catalogue, workers=0)
    assert catalogue.collections() == []


def test_odd_folder_names(tmp_path: Path, catalogue: Catalogue) -> None:
    for name in ("\0", "x" * 5000, "\x1b[2J"):
        with pytest.raises(GPSDreamError) as caught:
            import_folder(tmp_path / name, catalogue, workers=0)
        assert caught.value.failure.message.isprintable()
    with pytest.raises(GPSDreamError, match="negative"):
        import_folder(tmp_path, catalogue, workers=-1)


def test_an_empty_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "empty").mkdir()
    report = import_folder(tmp_path / "empty", catalogue)
    assert report.total == 0
    assert "0 files" in report.table()


# Files that end or stop the worker: a stand-in for the reader does what a broken decoder would do.

STAND_IN = """
import os, sys, time
import gpsdream_app.photos.reader as reader
real = reader.read_photo
def read_photo(path, *args, **values):
    if "crash" in path.name:
        os.abort()
    if "hang" in path.name:
        time.sleep(600)
    return real(path, *args, **values)
reader.read_photo = read_photo
from gpsdream_app.photos.worker import main
main()
"""


@pytest.fixture
def hostile_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-P", str(script)))


@pytest.mark.usefixtures("hostile_reader")
def test_a_file_that_crashes_the_reader_harms_no_other(folder: Path, catalogue: Catalogue) -> None:
    for number in range(3):
        photo(folder / f"crash{number}.jpg", gps_tags=gps(40.0, -74.0))
    report = import_folder(folder, catalogue, workers=2)
    assert report.counts == {**EXPECTED, Reason.READER_DIED: 3}
    # The next import tries again: it may have been short of memory for a moment.
    assert import_folder(folder, catalogue, workers=2).read == 3


@pytest.mark.usefixtures("hostile_reader")
def test_a_file_that_takes_for_ever_is_given_up(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hang.jpg").write_bytes((folder / "placed0.jpg").read_bytes())
    jobs = iter([pool.Job(str(path), 1, 2) for path in sorted(folder.rglob("*.jpg"))])
    readings = {job.path: outcome.reason for job, outcome, _ in pool.read_in_processes(jobs, workers=1, patience=2.0)}
    assert len(readings) == 10
    assert Counter(readings.values())[Reason.TOO_SLOW] == 1
    assert readings[str(folder / "hang.jpg")] is Reason.TOO_SLOW
    assert readings[str(folder / "placed0.jpg")] is Reason.PLACED
    assert children() == []


def test_a_reader_that_does_not_start_is_told(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", "raise SystemExit('no Pillow here')"))
    with pytest.raises(GPSDreamError, match="could not be started") as caught:
        import_folder(folder, catalogue, workers=1)
    assert caught.value.failure.kind is ErrorKind.INTERNAL
    assert "no Pillow here" in caught.value.failure.details
    monkeypatch.setattr(pool, "COMMAND", (str(folder / "absent"),))
    with pytest.raises(GPSDreamError, match="could not be started"):
        import_folder(folder, catalogue, workers=1)


def test_modules_in_the_current_folder_are_not_loaded(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "PIL.py").write_text("raise SystemExit('a download was run')")
    monkeypatch.chdir(folder)
    assert import_folder(folder, catalogue, workers=1).placed == 7


def test_an_import_may_run_in_any_thread(folder: Path, catalogue: Catalogue) -> None:
    reports: list[ImportReport] = []
    thread = threading.Thread(target=lambda: reports.append(import_folder(folder, catalogue, workers=1)))
    thread.start()
    thread.join()
    assert reports[0].counts == EXPECTED


def test_two_thousand_files(tmp_path: Path, catalogue: Catalogue) -> None:
    """Copies of a few files in many folders: all have a fate, a repetition reads none, a change is found."""
    root = tmp_path / "photos"
    kinds = [photo(tmp_path / f"{number}.jpg", number, (16, 12), gps_tags=gps(40.7, -74.0)) for number in range(3)]
    kinds.append(photo(tmp_path / "none.png", 3, (16, 12)))
    text = tmp_path / "notes.txt"
    text.write_text("x")
    for part in range(20):
        (root / f"{part:02}").mkdir(parents=True)
        for number in range(100):
            source = text if number == 99 else kinds[number % 4]
            target = root / f"{part:02}" / f"{number:02}{source.suffix}"
            try:
                os.link(source, target)  # as good as a copy here, and fast
            except OSError:
                shutil.copy(source, target)
    report = import_folder(root, catalogue, workers=2)
    assert report.counts == {Reason.PLACED: 1500, Reason.NO_GPS: 480, Reason.NOT_AN_IMAGE: 20}
    assert (report.read, report.unchanged) == (2000, 0)
    (root / "07" / "00.jpg").unlink()
    report = import_folder(root, catalogue, workers=2)
    assert (report.read, report.unchanged, report.gone) == (0, 1999, 1)
    buffer = io.StringIO()
    report.write_json(buffer)
    assert len(json.loads(buffer.getvalue())["files"]) == 1999


def test_the_report_as_table_and_json(folder: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    report = import_folder(folder, catalogue, workers=0)
    table = report.table()
    assert "7  placed" in table
    assert "10 read, 0 unchanged." in table
    assert "7 photos with a place: 1 with a direction of view, 1 with a caption, 1 placed by a sidecar." in table
    path = tmp_path / "report.json"
    path.write_text("old")
    report.save(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["counts"] == {reason.value: count for reason, count in EXPECTED.items()}
    assert data["total"] == len(data["files"]) == 11
    fates = {Path(item["path"]).name: item for item in data["files"]}
    assert fates["empty.jpg"] == {
        "path": str(folder / "empty.jpg"),
        "reason": "empty",
        "sentence": "The file is empty.",
        "detail": "",
    }
    assert fates["places.csv"]["detail"] == "rows: 1, places: 1, captions: 1"
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []
    with pytest.raises(GPSDreamError, match="cannot be written"):
        report.save(tmp_path / "absent" / "report.json")
