"""Window and engine are killed at random moments while they draw; nothing that was finished may be lost."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from PIL import Image

from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import picture_key
from gpsdream_app.library.paths import library_path, pictures_dir, user_data_dir
from gpsdream_app.library.picture_metadata import read_result
from gpsdream_app.library.queue import FILE_NAME, StoredQueue, StoredState
from gpsdream_app.library.store import Library
from tests.engine import stand_in

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("killed_window.py")
PATIENCE = 300.0
JOBS = 8  # that every start of the program adds
WINDOW_SHARE = 0.35  # of the kills; starting a window takes longer than starting an engine


class Program:
    """The program in a process of its own, and what it says."""

    def __init__(self, model: Path, first_seed: int, command: list[str], jobs: int = JOBS) -> None:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(model), str(first_seed), str(jobs), *command],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.said: list[list[str]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.said.append(line.split(maxsplit=2))
                self._changed.notify_all()
        with self._changed:
            self.said.append(["gone"])
            self._changed.notify_all()

    def wait_for(self, word: str, after: int = 0) -> int:
        """Wait for a line that begins with a word, or the end; return how many lines there are up to it."""

        def found() -> int | None:
            words = [line[0] for line in self.said]
            places = [number for number in range(after, len(words)) if words[number] in (word, "gone", "idle")]
            return places[0] + 1 if places else None

        with self._changed:
            place = self._changed.wait_for(found, PATIENCE)
        assert place, f"the program does not say {word!r}: {self.said[-5:]}"
        return place

    def of(self, word: str) -> list[list[str]]:
        """Everything that it said of one sort."""
        with self._changed:
            return [line[1:] for line in self.said if line[0] == word]

    def kill_engine(self) -> bool:
        """Kill the engine; returns whether there was one."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                child.kill()
                return True
        return False

    def kill(self) -> None:
        """Kill the window and wait until its engine has noticed."""
        engines = []
        with contextlib.suppress(psutil.Error):
            engines = psutil.Process(self.process.pid).children()
        self.process.kill()
        self.close()
        psutil.wait_procs(engines, PATIENCE)

    def close(self) -> None:
        """Wait for its end."""
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout
        self.process.stdout.close()


def check_disk(told: list[str]) -> None:
    """Every finished picture is there and whole, nothing else looks like a picture, and the databases are sound."""
    for path in told:
        assert Path(path).is_file(), "a finished picture is on the disk"
    for path in pictures_dir().rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        assert path.suffix == ".png", f"{path.name} is no whole picture"
        with Image.open(path) as image:
            image.load()
        assert read_result(path).path == str(path)
    for database in (library_path(), user_data_dir() / FILE_NAME):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def draw_and_kill(model: Path, command: list[str], kills: int, seed: int) -> None:
    chance = random.Random(seed)
    jobs: dict[str, int] = {}
    told: list[str] = []
    program = Program(model, 0, command)
    starts, heard = 1, 0
    try:
        for _ in range(kills):
            heard = program.wait_for("started", heard)
            time.sleep(chance.random() ** 2 * 0.4)
            if chance.random() >= WINDOW_SHARE and program.kill_engine():
                continue
            program.kill()
            told += [path for _, path in program.of("picture")]
            jobs |= {job_id: int(number) for job_id, number in program.of("submitted")}
            check_disk([line.strip() for line in told])
            program, heard = Program(model, 1000 * starts, command), 0
            starts += 1
        program.kill()
        told += [path for _, path in program.of("picture")]
        jobs |= {job_id: int(number) for job_id, number in program.of("submitted")}
        program = Program(model, 0, command, jobs=0)
        program.wait_for("idle")
        program.close()
        told += [path for _, path in program.of("picture")]
    finally:
        if program.process.poll() is None:
            program.kill()
    told = [line.strip() for line in told]
    check_disk(told)
    library = Library(library_path())
    known = library.recent(100_000)
    library.close()
    assert set(told) <= {result.path for result in known}, "every finished picture is in the library"
    drawn = Counter((result.job_id, picture_key(result.request)) for result in known)
    queue = StoredQueue(user_data_dir() / FILE_NAME)
    kept = {job.job_id: job for job in queue.jobs()}
    queue.close()
    assert set(jobs) <= set(kept), "no job is lost"
    for job_id, job in kept.items():
        assert job.state is StoredState.DONE
        assert isinstance(job.request, GenerateRequest)
        wanted = Counter({(job_id, picture_key(job.request.picture(number))): 1 for number in range(job.request.count)})
        assert Counter({key: count for key, count in drawn.items() if key[0] == job_id}) == wanted, "each picture once"


# Two hundred kills of each sort, in parts that end in good time on a slow machine.
MORE = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10)]
WITH_MODEL = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(20)]


@pytest.mark.parametrize("seed", [0, *MORE])
def test_nothing_finished_is_lost_when_window_and_engine_are_killed(tmp_path: Path, seed: int) -> None:
    model = stand_in.make_model(tmp_path / "model")
    draw_and_kill(model, [sys.executable, "-P", stand_in.__file__], 20, seed)


@pytest.mark.parametrize("seed", WITH_MODEL)
def test_nothing_finished_is_lost_when_a_real_model_draws(tmp_path: Path, seed: int) -> None:
    from tests.tiny_model import make_tiny_model

    draw_and_kill(make_tiny_model(tmp_path / "model"), [], 10, seed)
