from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.photos import catalogue as module
from gpsdream_app.photos.catalogue import Catalogue, Entry, FileMark
from gpsdream_app.photos.records import Frontage, HeadingReference, Outcome, PhotoRecord, PlaceSource, Reason

ROOT = Path("/photos").absolute()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def placed(name: str, lat: float = 40.7, lon: float = -74.0, **values: object) -> Entry:
    path = ROOT / name
    record = PhotoRecord(path, lat, lon, source=str(path), **values)  # type: ignore[arg-type]
    return Entry(Outcome(path, Reason.PLACED), FileMark(1, 2, "", 1), record)


def unplaced(name: str, reason: Reason = Reason.NO_GPS) -> Entry:
    return Entry(Outcome(ROOT / name, reason, "why"), FileMark(1, 2, "m", 1))


def fill(catalogue: Catalogue, *entries: Entry, root: Path = ROOT) -> int:
    number = catalogue.begin_import(root)
    catalogue.write(number, entries)
    catalogue.finish_import(number, root)
    return number


def names(records: Iterator[PhotoRecord]) -> list[str]:
    return [record.path.name for record in records]


def test_a_record_is_read_as_it_was_written(catalogue: Catalogue) -> None:
    entry = placed(
        "a.jpg",
        heading=1.5,
        heading_reference=HeadingReference.TRUE,
        place_source=PlaceSource.SIDECAR,
        taken="1911-01-01T00:00:00",
        focal_length_35mm=28.0,
        width=3,
        height=2,
        orientation=6,
        caption="Robert'); DROP TABLE photos;--",
        tags=("ä", '"'),
        size=5,
        mtime=10**30,
        phash="0" * 16,
        frontage=Frontage(1.0, 2.0, 3.0, 4.0),
    )
    fill(catalogue, entry)
    assert entry.record is not None
    read = catalogue.photo(ROOT / "a.jpg")
    assert read is not None
    assert read.mtime == 2**63 - 1
    assert {**read.to_dict(), "mtime": 0} == {**entry.record.to_dict(), "mtime": 0}
    assert catalogue.photo(ROOT / "b.jpg") is None


def test_photos_by_folder_and_box(catalogue: Catalogue) -> None:
    fill(catalogue, placed("a/1.jpg", 40.0, -74.0), placed("a/2.jpg", 41.0, -73.0), placed("a b/3.jpg", 40.5, -73.5))
    assert names(catalogue.photos()) == ["3.jpg", "1.jpg", "2.jpg"]
    assert names(catalogue.photos(ROOT / "a")) == ["1.jpg", "2.jpg"]
    box = Box(40.0, -74.0, 40.5, -73.5)
    assert names(catalogue.photos(box=box)) == ["3.jpg", "1.jpg"]
    assert names(catalogue.photos(ROOT / "a", box)) == ["1.jpg"]
    assert catalogue.count() == 3
    assert catalogue.count(ROOT / "a", box) == 1
    assert catalogue.count(Path(ROOT.anchor)) == 3
    assert catalogue.count(ROOT / "a" / "1.jpg") == 0


def test_iteration_goes_on_while_others_write(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    fill(catalogue, *(placed(f"{number:03}.jpg") for number in range(35)))
    photos = catalogue.photos()
    assert next(photos).path.name == "000.jpg"
    fill(catalogue, *(placed(f"{number:03}.jpg", caption="new") for number in range(40)))
    rest = list(photos)
    assert [record.path.name for record in rest] == [f"{number:03}.jpg" for number in range(1, 40)]
    assert len(list(catalogue.outcomes())) == 40


def test_outcomes_counts_and_marks(catalogue: Catalogue) -> None:
    number = fill(catalogue, placed("a.jpg"), unplaced("b.jpg"), unplaced("c.txt", Reason.NOT_AN_IMAGE))
    assert catalogue.counts(ROOT) == {Reason.PLACED: 1, Reason.NO_GPS: 1, Reason.NOT_AN_IMAGE: 1}
    assert [outcome.reason for outcome in catalogue.outcomes(ROOT, reasons=[Reason.NO_GPS])] == [Reason.NO_GPS]
    assert list(catalogue.outcomes(ROOT, reasons=[])) == []
    assert len(list(catalogue.outcomes(number=number))) == 3
    assert catalogue.known(str(ROOT / "b.jpg")) == (FileMark(1, 2, "m", 1), Reason.NO_GPS, "why")
    assert catalogue.known("absent") is None


def test_a_photo_that_loses_its_place_leaves(catalogue: Catalogue) -> None:
    fill(catalogue, placed("a.jpg"))
    fill(catalogue, unplaced("a.jpg"))
    assert catalogue.count() == 0
    assert catalogue.counts() == {Reason.NO_GPS: 1}


def test_files_that_are_gone_are_forgotten_but_for_shut_folders(catalogue: Catalogue) -> None:
    fill(catalogue, placed("a.jpg"), placed("b.jpg"), placed("shut/c.jpg"))
    fill(catalogue, placed("x.jpg"), root=ROOT.parent / "other")
    number = catalogue.begin_import(ROOT)
    catalogue.write(number, [], [str(ROOT / "b.jpg")])
    assert catalogue.finish_import(number, ROOT, keep=[ROOT / "shut"]) == 2
    assert names(catalogue.photos()) == ["b.jpg", "c.jpg"]


def test_collections_and_summary(catalogue: Catalogue) -> None:
    fill(
        catalogue,
        placed("a.jpg", 40.0, -74.0, heading=1.0, heading_reference=HeadingReference.MAGNETIC, caption="x"),
        placed("b.jpg", 41.0, -73.0, place_source=PlaceSource.SIDECAR, frontage=Frontage(1.0, 2.0, 3.0, 4.0)),
        unplaced("c.jpg"),
    )
    catalogue.begin_import(ROOT / "started")
    second, first = sorted(catalogue.collections(), key=lambda collection: collection.photos)
    assert (first.folder, first.photos, first.files, first.complete) == (ROOT, 2, 3, True)
    assert (second.folder, second.complete) == (ROOT / "started", False)
    summary = catalogue.summary(ROOT)
    assert (summary.photos, summary.headings, summary.magnetic) == (2, 1, 1)
    assert (summary.captions, summary.frontages, summary.from_sidecars, summary.left_out) == (1, 1, 1, 0)
    assert summary.box == Box(40.0, -74.0, 41.0, -73.0)
    assert catalogue.summary(ROOT / "started").box is None
    assert catalogue.forget(ROOT) == 3
    assert catalogue.collections() == []


def test_photos_are_left_out_of_training_and_taken_back(catalogue: Catalogue) -> None:
    fill(catalogue, placed("a.jpg"), placed("b.jpg"), placed("sub/c.jpg"))
    assert catalogue.leave_out({ROOT / "a.jpg": "duplicate", ROOT / "absent.jpg": "duplicate"}) == 1
    assert catalogue.leave_out({ROOT / "sub" / "c.jpg": "outlier"}, ROOT / "sub") == 1
    assert catalogue.left_out() == {ROOT / "a.jpg": "duplicate", ROOT / "sub" / "c.jpg": "outlier"}
    fill(catalogue, placed("a.jpg", caption="read again"), placed("b.jpg"), placed("sub/c.jpg"))
    assert names(catalogue.photos(for_training=True)) == ["b.jpg"]
    assert len(names(catalogue.photos())) == 3
    assert catalogue.summary().left_out == 2
    assert catalogue.leave_out({}) == 0
    assert catalogue.left_out() == {}


def test_several_threads_write_and_read(catalogue: Catalogue) -> None:
    errors: list[BaseException] = []

    def work(part: int) -> None:
        try:
            number = catalogue.begin_import(ROOT / str(part))
            for start in range(0, 100, 10):
                catalogue.write(number, [placed(f"{part}/{start + step}.jpg") for step in range(10)])
                assert catalogue.count(ROOT / str(part)) == start + 10
            catalogue.finish_import(number, ROOT / str(part))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert catalogue.count() == 600


def test_two_programs_share_the_file(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.sqlite") as one, Catalogue(tmp_path / "c.sqlite") as other:
        fill(one, placed("a.jpg"))
        assert other.count() == 1
        fill(other, placed("a.jpg"), placed("b.jpg"))
        assert one.count() == 2


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(GPSDreamError, match="damaged"):
        Catalogue(damaged)
    with pytest.raises(GPSDreamError, match="cannot be written") as caught:
        Catalogue(tmp_path / "absent" / "c.sqlite")
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    newer = sqlite3.connect(tmp_path / "newer.sqlite")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    with pytest.raises(GPSDreamError, match="newer"):
        Catalogue(tmp_path / "newer.sqlite")


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        fill(catalogue, placed("a.jpg"))
        pages = catalogue._all("PRAGMA page_count")[0][0]
        catalogue._all(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(GPSDreamError) as caught:
            fill(catalogue, *(placed(f"{number}.jpg", caption="x" * 900) for number in range(500)))
        assert caught.value.failure.kind is ErrorKind.DISK_FULL
        assert names(catalogue.photos()) == ["a.jpg"]


def test_every_migration_step_can_be_the_last_one_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of any earlier version opens with everything that is in it."""
    steps = module.MIGRATIONS
    monkeypatch.setattr(module, "MIGRATIONS", (*steps, ("ALTER TABLE photos ADD COLUMN later TEXT",)))
    for version in range(1, len(steps) + 1):
        path = tmp_path / f"{version}.sqlite"
        old = sqlite3.connect(path)
        for step in steps[:version]:
            for statement in step:
                old.execute(statement)
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
        old.close()
        with Catalogue(path) as catalogue:
            fill(catalogue, placed("a.jpg"))
            assert catalogue._all("SELECT later FROM photos") == [(None,)]


@pytest.mark.slow
def test_a_hundred_thousand_photos(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.sqlite") as catalogue:
        number = catalogue.begin_import(ROOT)
        for start in range(0, 100_000, 1000):
            catalogue.write(
                number,
                [
                    placed(f"{index // 500}/{index}.jpg", 40.0 + index % 317 / 317, -74.0 + index / 100_000)
                    for index in range(start, start + 1000)
                ],
            )
        assert catalogue.finish_import(number, ROOT) == 0
        assert catalogue.count() == 100_000
        box = Box(40.25, -73.9, 40.3, -73.8)
        inside = list(catalogue.photos(box=box))
        assert len(inside) == catalogue.count(box=box) > 0
        assert all(box.contains(record.lat, record.lon) for record in inside)
        assert catalogue.count(ROOT / "7") == 500
        number = catalogue.begin_import(ROOT)
        paths = [str(record.path) for record in catalogue.photos()]
        catalogue.write(number, [], paths[:-1])
        assert catalogue.finish_import(number, ROOT) == 1
