from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gpsdream_app.domain.averages import (
    AverageRequest,
    LikenessRequest,
    PatchesRequest,
    PhotoAt,
    RegionPlaces,
    SeriesRequest,
)
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.explanations import ExplainRequest
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result, ResultKind
from gpsdream_app.library import store
from gpsdream_app.library.paths import library_path, pictures_dir
from gpsdream_app.library.picture_metadata import save_png
from gpsdream_app.library.store import JobState, Library

REQUEST = GenerateRequest(Place(40.7411, -73.9897, 29.0, "Flatiron"), "a street")
SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98)),),))
AVERAGE = AverageRequest(
    (RegionPlaces(SQUARE, (Place(40.741, -73.985), Place(40.742, -73.983, 12.5)), photos=3),), "tree"
)
IMAGE = Image.new("RGB", (8, 8), (90, 80, 70))


@pytest.fixture
def library() -> Library:
    library = Library(library_path())
    yield library  # type: ignore[misc]
    library.close()


def make(number: int, folder: Path | None = None, request: PictureRequest = REQUEST, series: str = "") -> Result:
    """Return a picture that lies on the disk."""
    path = (folder or pictures_dir()) / f"{number:04}.png"
    created = f"2026-11-20T10:{number // 60:02}:{number % 60:02}+00:00"
    result = Result(
        f"{number:032x}", "job", request, str(path), created, 1.0, "Model", "ab" * 8, "0.1", 8, 8, float(number)
    )
    result = replace(result, series=series)
    save_png(IMAGE, path, result)
    return result


def fill(library: Library, count: int) -> list[Result]:
    results = [make(number) for number in range(count)]
    for result in results:
        library.add(result)
    return results


def test_pictures_come_back_newest_first_and_page_by_page(library: Library) -> None:
    results = fill(library, 10)
    newest = results[::-1]
    assert library.recent(4) == newest[:4]
    assert library.recent(4, before=newest[3].id) == newest[4:8]
    assert library.recent(100, before=newest[3].id) == newest[4:]
    assert library.recent(4, before=newest[-1].id) == []
    assert library.recent(4, before="unknown") == []
    assert library.recent(0) == []


def test_pictures_of_the_same_moment_are_all_paged_through(library: Library) -> None:
    same = [replace(make(number), created="2026-11-20T10:00:00+00:00") for number in range(5)]
    for result in same:
        library.add(result)
    first = library.recent(2)
    rest = library.recent(5, before=first[-1].id)
    assert {result.id for result in (*first, *rest)} == {result.id for result in same}


def test_pictures_whose_file_is_gone_are_passed_over(library: Library) -> None:
    results = fill(library, 6)
    for result in results[3:]:
        Path(result.path).unlink()
    assert library.recent(2) == [results[2], results[1]]
    assert library.get(results[5].id) == results[5]


def test_averages_and_frames_are_kept_apart_from_drawings(library: Library) -> None:
    draw, average, frame = make(1), make(2, request=AVERAGE), make(3, series="ab")
    for result in (draw, average, frame):
        library.add(result)
    assert library.recent(5) == [draw]
    assert library.recent(5, kinds=[ResultKind.AVERAGE]) == [average]
    assert library.recent(5, kinds=set(ResultKind)) == [frame, average, draw]
    assert library.recent(5, kinds=()) == []
    assert library.recent(5, before=average.id) == [draw]
    assert library.get(average.id) == average and library.get(frame.id) == frame


def test_a_picture_is_found_by_what_draws_it(library: Library) -> None:
    average, other = make(1, request=AVERAGE), make(2, request=replace(AVERAGE, seed=9))
    draw = make(3)
    for result in (average, other, draw):
        library.add(result)
    assert library.find(AVERAGE, "ab" * 8) == average
    assert library.find(REQUEST, "ab" * 8) == draw
    assert library.find(AVERAGE, "cd" * 8) is None, "other weights draw another picture"
    assert library.find(replace(AVERAGE, prompt="shop"), "ab" * 8) is None
    # By another name it is the same picture, and the one who asks gets the name that he knows.
    renamed = replace(AVERAGE, regions=(replace(AVERAGE.regions[0], region=replace(SQUARE, name="Mine")),))
    found = library.find(renamed, "ab" * 8)
    assert found and found.path == average.path and found.request == renamed
    newer = make(4, request=AVERAGE)
    library.add(newer)
    assert library.find(AVERAGE, "ab" * 8) == newer
    Path(newer.path).unlink()
    assert library.find(AVERAGE, "ab" * 8) == average
    library.delete(average.id)
    assert library.find(AVERAGE, "ab" * 8) is None


def test_a_picture_is_found_without_reading_the_others(library: Library) -> None:
    plan = library._read("EXPLAIN QUERY PLAN SELECT data FROM results WHERE request_key = 'a' AND model_hash = 'b'")
    assert "results_by_request" in str(plan)


def test_adding_twice_keeps_the_later(library: Library) -> None:
    (result,) = fill(library, 1)
    later = replace(result, seconds=9.0)
    library.add(later)
    assert library.recent(5) == [later]
    assert library.get("unknown") is None


text = st.text(st.characters(), max_size=40)


@given(text, text.filter(bool), st.none() | st.builds(Place, st.floats(-90, 90), st.floats(-180, 180), st.none(), text))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_unchanged(library: Library, prompt: str, model: str, place: Place | None) -> None:
    result = replace(make(1), request=GenerateRequest(place, prompt, prompt, model=model), job_id=prompt)
    library.add(result)
    assert library.get(result.id) == result
    library.record_job(result.request, repr(result.request) + prompt, JobState.QUEUED)
    assert result.request in [job.request for job in library.jobs()]


def test_a_deleted_picture_can_be_restored(library: Library) -> None:
    first, second = fill(library, 2)
    library.delete(first.id)
    library.delete("unknown")
    assert library.recent(5) == [second]
    assert library.get(first.id) is None
    assert not Path(first.path).exists()
    assert library.adopt(pictures_dir()) == [], "what was deleted stays deleted"
    assert library.restore(first.id) == first
    assert library.restore(second.id) == second
    assert library.restore("unknown") is None
    assert library.recent(5) == [second, first]
    assert Path(first.path).exists()


def test_the_trash_is_emptied_after_a_month(library: Library) -> None:
    first, second = fill(library, 2)
    library.delete(first.id)
    library.delete(second.id)
    library.close()
    with sqlite3.connect(library.path) as connection:
        connection.execute("UPDATE results SET deleted = '2026-01-01' WHERE id = ?", (first.id,))
    connection.close()
    again = Library(library.path)
    assert again.restore(first.id) is None
    assert again.restore(second.id) == second
    assert list((library.path.parent / "trash").iterdir()) == []
    again.close()


def test_deleting_a_picture_whose_file_is_gone(library: Library) -> None:
    (result,) = fill(library, 1)
    Path(result.path).unlink()
    library.delete(result.id)
    assert library.recent(5) == []
    assert library.restore(result.id) is None


def test_a_trash_that_cannot_be_used_keeps_the_picture(library: Library) -> None:
    (result,) = fill(library, 1)
    (library.path.parent / "trash").write_text("a file where the folder should be")
    with pytest.raises(GPSDreamError, match="not deleted") as caught:
        library.delete(result.id)
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert library.recent(5) == [result]


def test_adopting_adds_what_is_unknown_and_leaves_the_rest(library: Library) -> None:
    known = fill(library, 2)
    new = [make(number, pictures_dir() / "2026-11") for number in (7, 8)]
    make(9, pictures_dir() / ".hidden")
    IMAGE.save(pictures_dir() / "foreign.png")
    (pictures_dir() / "broken.png").write_bytes(Path(new[0].path).read_bytes()[:100])
    (pictures_dir() / "note.txt").write_text("no picture")
    assert library.adopt(pictures_dir()) == new
    assert library.adopt(pictures_dir()) == []
    assert library.recent(10) == [new[1], new[0], known[1], known[0]]
    assert library.adopt(pictures_dir() / "nowhere") == []


def test_adopting_follows_a_picture_that_was_moved(library: Library, tmp_path: Path) -> None:
    first, second = fill(library, 2)
    Path(first.path).rename(tmp_path / "moved.png")
    save_png(IMAGE, tmp_path / "shared.png", second, include_place=False)
    assert library.adopt(tmp_path) == []
    assert library.get(first.id) == replace(first, path=str(tmp_path / "moved.png"))
    assert library.get(second.id) == second, "a copy for sharing does not take the place of the picture"


def test_jobs_are_remembered_with_their_state(library: Library) -> None:
    for number, state in enumerate(JobState):
        library.record_job(replace(REQUEST, seed=number), str(number), JobState.QUEUED)
        library.record_job(replace(REQUEST, seed=number), str(number), state)
    assert [(job.job_id, job.state) for job in library.jobs()] == [(str(n), s) for n, s in enumerate(JobState)]
    (running,) = library.jobs(JobState.RUNNING)
    assert running.request == replace(REQUEST, seed=1)
    assert running.asked <= running.changed
    assert len(library.jobs(JobState.QUEUED, JobState.DONE)) == 2
    library.record_job(REQUEST, "0", "failed")
    with pytest.raises(ValueError, match="sleeping"):
        library.record_job(REQUEST, "0", "sleeping")


def test_jobs_of_every_kind_are_remembered(library: Library) -> None:
    requests = [
        REQUEST,
        ExplainRequest(REQUEST),
        AVERAGE,
        SeriesRequest((Place(40.74, -73.99), Place(40.75, -73.98))),
        LikenessRequest(("/a.png", "/b.png")),
        PatchesRequest(SQUARE, (PhotoAt("/a.jpg", Place(40.74, -73.99)),)),
    ]
    for number, request in enumerate(requests):
        library.record_job(request, str(number), JobState.RUNNING)
    assert [job.request for job in library.jobs(JobState.RUNNING)] == requests


def test_a_job_of_a_newer_program_is_left_out(library: Library) -> None:
    library.record_job(REQUEST, "known", JobState.QUEUED)
    for number, data in enumerate(('{"kind": "dance"}', "[]", "{", '{"kind": "average", "regions": [{}]}')):
        library._write(
            lambda c, number=number, data=data: c.execute(  # type: ignore[misc]
                "INSERT INTO jobs VALUES (?1, ?2, 'queued', '2026', '2026')", (f"strange {number}", data)
            )
        )
    assert [job.job_id for job in library.jobs()] == ["known"]


def test_a_library_survives_being_closed(library: Library) -> None:
    results = fill(library, 3)
    library.record_job(REQUEST, "a", JobState.DONE)
    library.close()
    library.close()
    again = Library(library.path)
    assert again.recent(5) == results[::-1]
    assert [job.job_id for job in again.jobs()] == ["a"]
    assert again.set_aside is None
    again.close()
    with pytest.raises(GPSDreamError, match="closed"):
        library.recent(1)


def test_many_threads_may_write(library: Library) -> None:
    results = [make(number) for number in range(40)]

    def work(part: list[Result]) -> None:
        for result in part:
            library.add(result)
            library.recent(3)

    threads = [threading.Thread(target=work, args=(results[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.recent(100) == results[::-1]


WRITER = """
import sys
from pathlib import Path
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.library.store import Library
library = Library(Path(sys.argv[1]))
for number in range(50):
    library.record_job(GenerateRequest(None, seed=number), sys.argv[2] + str(number), "done")
library.close()
"""


def test_several_processes_may_write_and_make_the_file_together() -> None:
    path = library_path()
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], env=environment) for name in ("a", "b", "c")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    library = Library(path)
    assert len(library.jobs()) == 150
    assert library.set_aside is None
    library.close()


@pytest.mark.parametrize("damage", ["noise", "cut", "tables"])
def test_a_damaged_library_is_set_aside_and_rebuilt(library: Library, damage: str) -> None:
    results = fill(library, 30)
    library.close()
    content = library.path.read_bytes()
    if damage == "noise":
        content = os.urandom(len(content))
    elif damage == "cut":
        content = content[: len(content) // 3]
    else:
        content = content[:100] + bytes(4096 - 100) + content[4096:]
    library.path.write_bytes(content)

    again = Library(library.path)
    assert again.recent(100) == results[::-1]
    assert again.set_aside
    assert again.set_aside.read_bytes() == content, "the damaged file is kept as it was"
    again.close()


def test_damage_that_shows_later_is_mended_without_a_word(library: Library) -> None:
    results = fill(library, 60)
    library.close()
    content = bytearray(library.path.read_bytes())
    again = Library(library.path)
    page = 4096
    # Everything behind the first page, as if the disk had lost it while the program ran.
    content[page:] = bytes(len(content) - page)
    library.path.write_bytes(content)
    again.add(make(99))
    assert {result.id for result in again.recent(100)} == {result.id for result in results} | {f"{99:032x}"}
    assert again.set_aside
    again.close()


def test_an_empty_file_becomes_a_library() -> None:
    library_path().touch()
    library = Library(library_path())
    assert library.recent(1) == []
    assert library.set_aside is None
    library.close()


def test_a_newer_library_is_left_alone(library: Library) -> None:
    library.close()
    connection = sqlite3.connect(library.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(GPSDreamError, match="newer GPSDream"):
        Library(library.path)
    assert [path for path in library.path.parent.iterdir() if "damaged" in path.name] == []


def test_a_library_of_the_first_version_is_brought_up_to_date(library: Library) -> None:
    path = library.path
    library.close()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    first, second = make(1), make(2, request=replace(REQUEST, place=None, seed=3))
    connection = sqlite3.connect(path)
    connection.executescript(store.MIGRATIONS[0])
    for result in (first, second):
        # As the first version wrote it: no series, no kinds.
        data = {key: value for key, value in result.to_dict().items() if key != "series"}
        connection.execute(
            "INSERT INTO results (id, job_id, created, path, prompt, model, data) VALUES (?, 'job', ?, ?, '', '', ?)",
            (result.id, result.created, result.path, json.dumps(data)),
        )
    connection.execute("INSERT INTO results VALUES ('x', 'job', '2026', '/no', 1, 2, '', '', '{broken', '2026-11-20')")
    connection.execute(
        "INSERT INTO jobs VALUES ('old', ?, 'running', '2026', '2026')", (json.dumps(REQUEST.to_dict()),)
    )
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    again = Library(path)
    assert again.set_aside is None
    assert again.recent(5) == [second, first]
    assert again.find(REQUEST, "ab" * 8) == first
    assert again.find(second.request, "ab" * 8) == second
    assert [job.request for job in again.jobs()] == [REQUEST]
    again.add(make(3, request=AVERAGE))
    assert again.recent(5) == [second, first]
    again.close()


def test_a_lost_library_is_rebuilt_with_averages_and_frames(library: Library) -> None:
    draw, average = make(1), make(2, request=AVERAGE)
    frame = make(3, pictures_dir() / "series" / "ab", series="ab")
    for result in (draw, average, frame):
        library.add(result)
    library.close()
    library.path.write_bytes(b"no library" * 100)
    again = Library(library.path)
    assert again.set_aside is not None
    assert again.recent(5) == [draw]
    assert again.recent(5, kinds=set(ResultKind)) == [frame, average, draw]
    assert again.find(AVERAGE, "ab" * 8) == average
    again.close()


def test_migrations_are_applied_in_order_and_once(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    (result,) = fill(library, 1)
    library.close()
    monkeypatch.setattr(
        store,
        "MIGRATIONS",
        (*store.MIGRATIONS, "ALTER TABLE results ADD COLUMN stars INTEGER; UPDATE results SET stars = 3"),
    )
    for _ in range(2):
        again = Library(library.path)
        assert again.recent(1) == [result]
        assert again._read("SELECT stars FROM results") == [(3,)]
        again.close()


def test_a_migration_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    (result,) = fill(library, 1)
    library.close()
    whole = store.MIGRATIONS
    monkeypatch.setattr(store, "MIGRATIONS", (*whole, "ALTER TABLE results ADD COLUMN stars INTEGER; NONSENSE"))
    with pytest.raises(GPSDreamError):
        Library(library.path)
    monkeypatch.setattr(store, "MIGRATIONS", whole)
    again = Library(library.path)
    assert again.recent(1) == [result]
    again.close()


def test_a_disk_that_refuses_gives_a_sentence(tmp_path: Path, library: Library) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GPSDreamError, match="library was not opened") as caught:
        Library(tmp_path / "file" / "library.sqlite")
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    with pytest.raises(GPSDreamError, match="cannot be written") as caught:
        Library(tmp_path)
    assert caught.value.failure.kind is ErrorKind.DISK_FULL

    result = make(1)
    library._read("PRAGMA max_page_count = 1")  # SQLite's own way to a full disk
    with pytest.raises(GPSDreamError, match="disk is full") as caught:
        for number in range(200):
            library.add(replace(result, id=f"{number:032x}", model_title="x" * 1000))
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert library.set_aside is None


def test_a_library_in_use_gives_a_sentence(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    library.close()
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    patient = Library(library.path)
    other = sqlite3.connect(library.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GPSDreamError, match="in use"):
        patient.record_job(REQUEST, "a", JobState.QUEUED)
    other.execute("ROLLBACK")
    other.close()
    patient.record_job(REQUEST, "a", JobState.QUEUED)
    patient.close()
