from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces, SeriesRequest
from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import MAX_SEED, GenerateRequest
from gpsdream_app.domain.results import picture_key
from gpsdream_app.library.queue import MIGRATIONS, StoredQueue, StoredState, rest_of

PLACE = Place(40.7411, -73.9897, 118.0, "Flatiron")
REQUEST = GenerateRequest(PLACE, "a church", count=3, steps=2)
REGION = Region(
    "somewhere", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98), (40.74, -73.99)),),)
)
AVERAGE = AverageRequest(
    tuple(
        RegionPlaces(REGION, (Place(40.7411, -73.9897), Place(40.74 + shift, -73.98)))
        for shift in (0.001, 0.002, 0.003)
    ),
    noises=2,
)
WALK = SeriesRequest((Place(40.7411, -73.9897), Place(40.742, -73.98)), title="A walk")
LIFT = LiftRequest(LANDMARKS[0])
HOSTILE = [
    "<script>alert(1)</script>",
    "'); DROP TABLE jobs; --",
    "../../etc/passwd",
    "nul \x00 inside",
    "half a pair \ud800",
    "\u202eright to left\u202c",
    "x" * 1_000_000,
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


@pytest.fixture
def queue(path: Path) -> Iterator[StoredQueue]:
    queue = StoredQueue(path)
    yield queue
    queue.close()


def ids(queue: StoredQueue, *states: StoredState) -> list[str]:
    return [job.job_id for job in queue.jobs(*states)]


def left_by_another(path: Path, code: str) -> None:
    """Have a process do something with a queue, and vanish without a word."""
    head = (
        "import os, sys; from pathlib import Path; from gpsdream_app.library.queue import *;"
        " from gpsdream_app.domain.requests import GenerateRequest;"
        " queue = StoredQueue(Path(sys.argv[1])); request = GenerateRequest(None, 'a church');"
    )
    subprocess.run([sys.executable, "-c", f"{head} {code}; os._exit(1)", str(path)], check=False, timeout=240)


@pytest.mark.parametrize("request_", [REQUEST, AVERAGE, WALK, LIFT], ids=lambda request: type(request).__name__)
def test_every_kind_of_job_comes_back_as_it_was(path: Path, request_: Any) -> None:
    first = StoredQueue(path)
    first.add("a", request_, "A title")
    first.close()
    again = StoredQueue(path)
    (job,) = again.jobs()
    assert (job.job_id, job.request, job.title, job.state) == ("a", request_, "A title", StoredState.WAITING)
    again.close()


def test_jobs_keep_their_order_and_take_another(queue: StoredQueue) -> None:
    for name in "abcde":
        queue.add(name, REQUEST)
    queue.set_state("a", StoredState.RUNNING)
    queue.put_in_order(["e", "b", "d", "c", "stranger", "e"])
    assert ids(queue, StoredState.WAITING) == ["e", "b", "d", "c"]
    assert ids(queue) == ["a", "e", "b", "d", "c"]


def test_a_failure_is_kept_with_its_words_until_the_job_is_tried_again(queue: StoredQueue) -> None:
    failure = Failure(ErrorKind.OUT_OF_MEMORY, "No memory.", "Close something.", "Traceback …")
    queue.add("a", REQUEST)
    queue.set_state("a", StoredState.FAILED, failure)
    assert queue.jobs(StoredState.FAILED)[0].failure == failure
    queue.add("b", REQUEST)
    queue.add("a", replace(REQUEST, seed=99))
    job = queue.get("a")
    assert job is not None
    assert (job.state, job.failure, job.request) == (StoredState.WAITING, None, REQUEST), "the whole job, once more"
    assert ids(queue) == ["b", "a"]


def test_what_a_dead_process_left_is_interrupted(path: Path) -> None:
    left_by_another(
        path,
        "[queue.add(name, request) for name in 'abcd']; queue.set_state('a', StoredState.RUNNING);"
        " queue.set_state('b', StoredState.DONE); queue.set_state('c', StoredState.FAILED)",
    )
    queue = StoredQueue(path)
    found = queue.recover()
    assert [job.job_id for job in found.interrupted] == ["a", "d"]
    assert [job.job_id for job in found.failed] == ["c"]
    assert found.crashed
    queue.end()
    again = StoredQueue(path)
    found = again.recover()
    assert [job.job_id for job in found.interrupted] == ["a", "d"], "until a person says what becomes of them"
    assert not found.crashed
    again.close()


def test_an_end_that_was_asked_for_is_no_crash(path: Path) -> None:
    left_by_another(path, "queue.add('a', request); queue.end()")
    queue = StoredQueue(path)
    found = queue.recover()
    assert [job.job_id for job in found.interrupted] == ["a"]
    assert not found.crashed
    queue.close()


def test_the_jobs_of_a_process_that_runs_are_left_to_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gpsdream_app.library.queue import *;"
        " from gpsdream_app.domain.requests import GenerateRequest;"
        " StoredQueue(Path(sys.argv[1])).add('theirs', GenerateRequest(None, 'a church')); print('ready', flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        other.stdout.readline()
        queue = StoredQueue(path)
        queue.add("ours", REQUEST)
        assert [job.job_id for job in queue.recover().interrupted] == ["ours"]
        assert ids(queue, StoredState.WAITING) == ["theirs"]
        queue.close()


def test_another_process_with_the_same_number_is_not_taken_for_the_first(path: Path) -> None:
    queue = StoredQueue(path)
    queue.add("a", REQUEST)
    queue.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET owner = ?", (f"{os.getppid()} 12.00",))
    connection.close()
    again = StoredQueue(path)
    assert [job.job_id for job in again.recover().interrupted] == ["a"]
    again.close()


def test_long_ended_jobs_are_forgotten_and_others_are_not(queue: StoredQueue, path: Path) -> None:
    for state in StoredState:
        queue.add(state.value, REQUEST)
        queue.set_state(state.value, state)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET changed = '2001-01-01T00:00:00'")
    connection.close()
    queue.recover()
    assert set(ids(queue)) == {"waiting", "running", "interrupted"}


def test_a_damaged_file_is_set_aside(path: Path) -> None:
    path.write_bytes(b"no database at all" * 400)
    queue = StoredQueue(path)
    found = queue.recover()
    assert found.set_aside is not None
    assert found.set_aside.read_bytes().startswith(b"no database")
    queue.add("a", REQUEST)
    assert ids(queue) == ["a"]
    queue.close()


def test_a_file_with_a_damaged_page_is_set_aside(path: Path) -> None:
    queue = StoredQueue(path)
    for number in range(300):
        queue.add(str(number), REQUEST)
    queue.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    again = StoredQueue(path)
    assert again.recover().set_aside is not None
    assert ids(again) == []
    again.close()


def test_a_newer_file_is_not_touched(path: Path) -> None:
    StoredQueue(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(GPSDreamError, match="newer GPSDream"):
        StoredQueue(path)


def test_a_disk_that_refuses_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GPSDreamError) as caught:
        StoredQueue(tmp_path / "file" / "queue.sqlite")
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(GPSDreamError, match="cannot be kept"):
        StoredQueue(tmp_path / "folder.sqlite")


def test_jobs_that_cannot_be_understood_are_left_where_they_are(queue: StoredQueue, path: Path) -> None:
    queue.add("good", REQUEST)
    with sqlite3.connect(path) as connection:
        for name, data in {
            "newer": '{"kind": "dream"}',
            "question": '{"kind": "explain", "request": {"place": null, "prompt": "a"}}',
            "broken": "{",
            "deep": "[" * 100_000,
            "list": "[]",
        }.items():
            connection.execute(
                "INSERT INTO jobs SELECT ?, ?, title, state, 9, owner, failure, asked, changed FROM jobs LIMIT 1",
                (name, data),
            )
    connection.close()
    assert ids(queue) == ["good"]
    assert [job.job_id for job in queue.recover().interrupted] == ["good"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_texts_are_kept_as_texts(queue: StoredQueue, text: str) -> None:
    request = GenerateRequest(None, text[:1000].replace("\ud800", "?"))
    queue.add("first", REQUEST)
    queue.add(text, request, text)
    queue.set_state(text, StoredState.FAILED, Failure(ErrorKind.INTERNAL, text[:9000], text[:9000], text))
    job = queue.get(text)
    assert job is not None
    assert job.request == request
    assert job.title == text.encode("utf-8", "backslashreplace").decode()
    assert len(job.failure.details if job.failure else "") <= 20_000
    assert len(queue.jobs()) == 2


# -- what is left of a job --


@given(st.sets(st.integers(0, 4)), st.sampled_from([0, 7, MAX_SEED - 2]))
def test_what_is_there_is_not_drawn_again_and_all_the_rest_is(done: set[int], seed: int) -> None:
    whole = replace(REQUEST, count=5, seed=seed)
    keys = [picture_key(whole.picture(index)) for index in range(5)]
    rest = rest_of(whole, [whole.picture(index) for index in done])
    left = (
        [picture_key(rest.picture(index)) for index in range(rest.count)] if isinstance(rest, GenerateRequest) else []
    )
    assert set(left) | {keys[index] for index in done} == set(keys)
    first = next((index for index in range(5) if index not in done), 5)
    assert left == keys[first:], "pictures are finished one after the other"


@pytest.mark.parametrize(("done", "regions"), [(0, 3), (1, 3), (2, 2), (5, 1), (6, 0)])
def test_whole_regions_of_averages_are_left_out(done: int, regions: int) -> None:
    rest = rest_of(AVERAGE, [AVERAGE.picture(index) for index in range(done)])
    assert (len(rest.regions) if isinstance(rest, AverageRequest) else 0) == regions
    assert rest is None or (isinstance(rest, AverageRequest) and rest.regions == AVERAGE.regions[3 - regions :])


def test_walks_and_lifts_look_for_themselves() -> None:
    assert rest_of(WALK, [WALK.picture(0)]) == WALK
    assert rest_of(LIFT, []) == LIFT
