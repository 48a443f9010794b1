"""What only the real process can do wrong: die, hang, print, be orphaned."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind
from gpsdream_app.domain.events import (
    Cancelled,
    EngineState,
    Failed,
    Finished,
    Loading,
    Started,
    Step,
)
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine import worker
from gpsdream_app.engine.client import CRASHES, ProcessEngine, worker_environment
from gpsdream_app.engine.frames import pack_frame, read_frame
from gpsdream_app.library.paths import log_dir
from tests.engine.recorder import PATIENCE, Recorder
from tests.engine.stand_in import COMMAND, make_model, write_safetensors

PLACE = Place(40.7405, -73.9895, 29.0)


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    engine = ProcessEngine(command=COMMAND, cancel_patience=30.0)
    yield engine
    engine.shutdown()


@pytest.fixture
def seen(engine: ProcessEngine) -> Recorder:
    return Recorder(engine)


@pytest.fixture
def ask(tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(PLACE, steps=3, model=str(make_model(tmp_path / "model")))


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} is still there")


def test_killing_the_process_fails_one_job_and_the_next_works(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    job_id = engine.submit(replace(ask, prompt="hold=/nowhere"))
    seen.first(Started, job_id)
    pid = engine.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    failure = seen.end_of(job_id).failure
    assert failure.kind is ErrorKind.ENGINE_DIED
    assert "exit code -9" in failure.details
    following = engine.submit(ask)
    assert isinstance(seen.end_of(following), Finished)
    assert engine.pid not in (None, pid)


def test_a_job_that_had_not_begun_survives_the_death(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    model = Path(ask.model)
    (model / "slow-to-load").touch()
    engine.warm(ask.model)
    seen.state(EngineState.WARMING)
    job_id = engine.submit(ask)
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    seen.state(EngineState.RESTARTING)
    (model / "go-on").touch()
    assert isinstance(seen.end_of(job_id), Finished)
    assert seen.names(job_id).count("started") == 1


def test_a_crash_loop_stops_with_a_sentence_and_a_person_can_try_again(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    trap = Path(ask.model) / "dies-while-loading"
    trap.touch()
    jobs = [engine.submit(ask) for _ in range(CRASHES + 1)]
    ends = [seen.end_of(job) for job in jobs]
    assert all(isinstance(end, Failed) and end.failure.kind is ErrorKind.ENGINE_DIED for end in ends)
    stopped = seen.state(EngineState.STOPPED)
    assert f"{CRASHES} times" in stopped.text
    assert stopped.text == ends[-1].failure.message
    trap.unlink()
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)


def test_a_process_that_cannot_be_started_is_told(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=["/no/such/program"])
    seen = Recorder(engine)
    end = seen.end_of(engine.submit(ask))
    assert end.failure.kind is ErrorKind.ENGINE_DIED
    assert "cannot be started" in end.failure.message
    engine.shutdown()


def test_a_process_that_ends_at_once_is_told(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=[sys.executable, "-c", "import sys; sys.exit('no such engine')"])
    seen = Recorder(engine)
    failure = seen.end_of(engine.submit(ask)).failure
    assert "no such engine" in failure.details
    engine.shutdown()


def test_a_process_that_sends_noise_is_replaced(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=[sys.executable, "-c", "print('hello' * 100, flush=True); input()"])
    seen = Recorder(engine)
    assert isinstance(seen.end_of(engine.submit(ask)), Failed)
    engine.shutdown()


def test_a_job_that_hangs_is_cancelled_with_its_process(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=COMMAND, cancel_patience=0.2)
    seen = Recorder(engine)
    job_id = engine.submit(replace(ask, prompt="hang=2"))
    seen.first(Step, job_id)
    pid = engine.pid
    following = engine.submit(ask)
    engine.cancel(job_id)
    assert isinstance(seen.end_of(job_id), Cancelled)
    assert isinstance(seen.end_of(following), Finished)
    assert engine.pid != pid
    engine.shutdown()


def test_cancelling_while_the_model_loads_is_answered_at_once(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    model = Path(ask.model)
    (model / "slow-to-load").touch()
    job_id = engine.submit(ask)
    seen.first(Loading, job_id)
    pid = engine.pid
    engine.cancel(job_id)
    assert isinstance(seen.end_of(job_id), Cancelled)
    following = engine.submit(ask)
    (model / "go-on").touch()
    assert isinstance(seen.end_of(following), Finished)
    assert engine.pid == pid
    assert "loading" not in seen.names(following), "the model went on loading for the next job"


def test_shutdown_in_mid_draw_leaves_no_process(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=COMMAND)
    seen = Recorder(engine)
    job_id = engine.submit(replace(ask, prompt="hang=2"))
    seen.first(Step, job_id)
    pid = engine.pid
    assert pid
    engine.shutdown()
    assert not psutil.pid_exists(pid)
    assert isinstance(seen.end_of(job_id), Cancelled)


def test_a_process_that_does_not_listen_is_ended_by_force(ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=[sys.executable, "-c", "import time; time.sleep(1000)"])
    engine.submit(ask)
    while engine.pid is None:
        time.sleep(0.01)
    pid = engine.pid
    engine.shutdown(timeout=0.1)
    assert not psutil.pid_exists(pid)


def test_shutdown_right_after_start_leaves_no_process(ask: GenerateRequest) -> None:
    children = {child.pid for child in psutil.Process().children()}
    for _ in range(5):
        engine = ProcessEngine(command=COMMAND)
        engine.submit(ask)
        engine.shutdown()
    assert {child.pid for child in psutil.Process().children()} <= children


PARENT = """
import sys, time
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.domain.events import Step
engine = ProcessEngine(command={command!r})
engine.add_listener(lambda event: isinstance(event, Step) and print(engine.pid, flush=True))
engine.submit(GenerateRequest(None, {prompt!r}, steps=3, model={model!r}))
time.sleep(1000)
"""


@pytest.mark.parametrize("prompt", ["hang=2", ""], ids=["in mid-draw", "idle"])
def test_a_killed_parent_leaves_no_orphan(ask: GenerateRequest, prompt: str) -> None:
    code = PARENT.format(command=COMMAND, prompt=prompt, model=ask.model)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=worker_environment()) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(pid)


def test_the_process_ends_when_its_input_ends(ask: GenerateRequest) -> None:
    child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=worker_environment())
    with child:
        assert child.stdin and child.stdout
        request = replace(ask, prompt="hang=2").to_dict()
        child.stdin.write(pack_frame({"command": "submit", "job_id": "a", "request": request}))
        child.stdin.flush()
        while (frame := read_frame(child.stdout)) and frame[0]["event"] != "step":
            pass
        child.stdin.close()
        assert child.wait(PATIENCE) == 0


def test_commands_that_make_no_sense_are_survived(ask: GenerateRequest) -> None:
    child = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=worker_environment(),
    )
    commands = [
        {"command": "dance"},
        {"nothing": 1},
        {"command": "cancel"},
        {"command": "warm", "model": "no-such-model"},
        {"command": "submit", "job_id": "a", "request": {"place": {"lat": 91, "lon": 0}}},
        {"command": "submit", "job_id": "b", "request": [1]},
        {"command": "submit", "job_id": "c", "request": {**ask.to_dict(), "count": "many"}},
        {"command": "submit", "job_id": "d", "request": ask.to_dict()},
    ]
    ends = {}
    with child:
        assert child.stdin and child.stdout
        for command in commands:
            child.stdin.write(pack_frame(command))
        child.stdin.flush()
        while "d" not in ends and (frame := read_frame(child.stdout)):
            if frame[0]["event"] in ("failed", "finished"):
                ends[frame[0]["job_id"]] = frame[0].get("failure", {}).get("kind")
        child.stdin.write(b"\xff" * 8)
        child.stdin.close()
        assert child.wait(PATIENCE) == 0
    assert ends == {"a": "bad_location", "b": "bad_request", "c": "bad_request", "d": None}


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("memory", ErrorKind.OUT_OF_MEMORY),
        ("python-memory", ErrorKind.OUT_OF_MEMORY),
        ("disk", ErrorKind.DISK_FULL),
        ("person", ErrorKind.BAD_LOCATION),
        ("fault", ErrorKind.INTERNAL),
    ],
)
def test_failures_have_a_kind_a_sentence_and_details(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest, how: str, kind: ErrorKind
) -> None:
    job_id = engine.submit(replace(ask, prompt=f"fail=2 how={how}"))
    failure = seen.end_of(job_id).failure
    assert failure.kind is kind
    assert failure.message.endswith((".", ")")) and "Traceback" not in failure.message
    assert failure.hint
    assert "Traceback" in failure.details
    pid = engine.pid
    following = engine.submit(ask)
    assert isinstance(seen.end_of(following), Finished)
    assert engine.pid == pid
    # After running out of memory the model is dropped, so that what it holds does not fail the next job, too.
    assert ("loading" in seen.names(following)) == (kind is ErrorKind.OUT_OF_MEMORY)


def test_a_lost_gpu_replaces_the_process(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    job_id = engine.submit(replace(ask, prompt="fail=1 how=device"))
    following = engine.submit(ask)
    assert seen.end_of(job_id).failure.kind is ErrorKind.INTERNAL
    assert isinstance(seen.end_of(following), Finished)
    seen.state(EngineState.RESTARTING)


def test_what_the_process_prints_goes_to_the_log(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    assert isinstance(seen.end_of(engine.submit(replace(ask, prompt="print=1"))), Finished)
    engine.shutdown()
    log = (log_dir() / "engine.log").read_text(encoding="utf-8")
    assert "noise on sys.stdout" in log
    assert "noise on descriptor 1" in log
    assert "noise of a child" in log


def test_a_log_that_cannot_be_written_stops_nothing(
    gpsdream_home: Path, engine: ProcessEngine, ask: GenerateRequest
) -> None:
    gpsdream_home.mkdir()
    (gpsdream_home / "logs").write_text("a file where the folder should be")
    seen = Recorder(engine)
    assert isinstance(seen.end_of(engine.submit(replace(ask, prompt="print=1"))), Finished)


def test_a_missing_or_broken_model_fails_the_job_with_a_sentence(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    end = seen.end_of(engine.submit(replace(ask, model="no-such-model")))
    assert end.failure.kind is ErrorKind.MODEL_MISSING
    weights = Path(ask.model) / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    end = seen.end_of(engine.submit(ask))
    assert end.failure.kind is ErrorKind.MODEL_CORRUPT
    assert "cut off" in end.failure.message
    write_safetensors(weights)
    (Path(ask.model) / "unet" / "evil.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "pickle" in seen.end_of(engine.submit(ask)).failure.message


def test_warming_a_missing_model_says_so_and_hurts_nothing(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    engine.warm("no-such-model")
    seen.wait(lambda event: getattr(event, "state", "") == EngineState.READY and "no-such-model" in event.text)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)


def test_changed_weights_are_loaded_again(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    first = seen.end_of(engine.submit(ask))
    weights = Path(ask.model) / "unet" / "diffusion_pytorch_model.safetensors"
    write_safetensors(weights, bytes(range(8)))
    job_id = engine.submit(ask)
    second = seen.end_of(job_id)
    assert "loading" in seen.names(job_id)
    assert first.results[0].model_hash != second.results[0].model_hash


def test_the_distance_to_photos_is_told(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    inside, outside, nowhere = (
        seen.end_of(engine.submit(replace(ask, place=place))).results[0]
        for place in (PLACE, Place(40.742, -73.9895), None)
    )
    assert inside.photo_distance == 0.0
    assert outside.photo_distance == pytest.approx(111.2, abs=0.5)
    assert nowhere.photo_distance is None


def test_a_full_disk_fails_the_job_and_leaves_nothing_half_written(tmp_path: Path, ask: GenerateRequest) -> None:
    pictures = tmp_path / "pictures"
    pictures.write_text("a file where the folder should be")
    engine = ProcessEngine(command=[*COMMAND, "--pictures", str(pictures)])
    seen = Recorder(engine)
    failure = seen.end_of(engine.submit(ask)).failure
    assert failure.kind is ErrorKind.DISK_FULL
    assert "picture was not saved" in failure.message
    engine.shutdown()
    assert pictures.read_text() == "a file where the folder should be"


def test_pictures_go_where_they_are_wanted(tmp_path: Path, ask: GenerateRequest) -> None:
    engine = ProcessEngine(command=[*COMMAND, "--pictures", str(tmp_path / "wanted")])
    seen = Recorder(engine)
    result = seen.end_of(engine.submit(ask)).results[0]
    assert tmp_path / "wanted" in Path(result.path).parents
    engine.shutdown()


def test_status_is_answered_in_mid_draw(engine: ProcessEngine, seen: Recorder, ask: GenerateRequest) -> None:
    assert engine.status() is None
    job_id = engine.submit(replace(ask, prompt="hang=2"))
    seen.first(Step, job_id)
    status = engine.status(PATIENCE)
    assert status
    assert (status["job_id"], status["model"], status["device"]) == (job_id, ask.model, "cpu")
    assert status["pid"] == engine.pid
    assert status["memory_bytes"] > 1_000_000
    assert status["threads"] >= 1


def test_the_process_is_nice_and_does_not_die_of_control_c(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    seen.end_of(engine.submit(ask))
    pid = engine.pid
    assert pid
    assert psutil.Process(pid).nice() >= min(19, os.nice(0) + worker.NICENESS)
    os.kill(pid, signal.SIGINT)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    assert engine.pid == pid


class Collecting(worker.Worker):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), io.BytesIO())
        self.told: list[Step] = []

    def _tell(self, job: object, event: object) -> None:
        assert isinstance(event, Step)
        self.told.append(event)


def test_previews_are_small_and_few_and_the_time_left_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    collecting = Collecting()
    steps = worker._Steps(collecting, worker._Job("a", GenerateRequest(None)))
    for index in range(1, 101):
        clock[0] += 5.0 if index == 1 else 0.05
        steps(index, 100, 0, Image.new("RGBA", (1024, 512)))
    previews = [event.preview for event in collecting.told if event.preview]
    assert len(previews) <= 1 + 0.05 * 99 / worker.PREVIEW_SECONDS
    assert len(previews) > 10
    with Image.open(io.BytesIO(previews[0])) as preview:
        assert preview.size == (256, 128)
    left = [event.seconds_left for event in collecting.told]
    assert left[0] is None
    assert left[1:] == [pytest.approx(0.05 * (100 - index)) for index in range(2, 101)]


def test_a_picture_whose_typicality_cannot_be_measured_is_kept(
    engine: ProcessEngine, seen: Recorder, ask: GenerateRequest
) -> None:
    end = seen.end_of(engine.submit(replace(ask, prompt="unranked")))
    assert isinstance(end, Finished)
    assert end.results[0].typicality_rank is None
    assert Path(end.results[0].path).exists()
