"""The ZIP for a bug report: what helps is in it, and nothing that is a person's own."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import zipfile
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.library import diagnostics
from gpsdream_app.library.diagnostics import Scrubber, clean_log, known_sentence, save_diagnostics
from gpsdream_app.library.doctor import Check, Status
from gpsdream_app.library.paths import log_dir, pictures_dir

PROMPT = 'grandmother\'s yellow bakery <b>with</b> a "secret" door'
PLACE_NAME = "Crumbleton Lane & Aunt Petunia's"
COORDINATES = ("40.758823", "-73.976821")
WINDOW_LOG = """2026-11-20 10:00:00,001 INFO gpsdream_app.engine.worker: Loading with the memory preset balanced.
2026-11-20 10:00:01,001 WARNING qt.qpa.gl: Could not initialize GLX for {home}/display
2026-11-20 10:00:01,002 WARNING qt.default: {prompt}
2026-11-20 10:00:01,500 INFO {prompt}: hello
2026-11-20 10:00:02,001 ERROR gpsdream_app.engine.worker: Job {prompt} failed.
Traceback (most recent call last):
  File "{home}/venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 12, in forward
    secret = "{prompt}"
  File "{home}/projects/mine.py", line 3, in <module>
ValueError: cannot draw {prompt} at {lat}, {lon}
{place}
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB for {prompt}
"""
ENGINE_LOG = """2026-11-20 10:00:02,001 [77] ERROR gpsdream_app.engine.worker: The model {place} was not loaded.
2026-11-20 10:00:02,002 [77]   File "{home}/gpsdream_app/engine/worker.py", line 40, in _work
2026-11-20 10:00:02,003 [77] {prompt}
2026-11-20 10:00:02,004 [77] ModuleNotFoundError: No module named 'torch'
"""
CRASH = """Fatal Python error: Segmentation fault

Current thread 0x00007f00 (most recent call first):
  File "{home}/gpsdream_app/ui/app.py", line 3 in main
"""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fill the person's folder with things that nobody else may read; returns them."""
    home = tmp_path / "home" / "wilhelmina.quux"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "wilhelmina.quux")
    monkeypatch.setenv("LOGNAME", "wilhelmina.quux")
    monkeypatch.setenv("GPSDREAM_HOME", str(home / "secret folder" / "GPSDream"))
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("QT_QPA_PLATFORM", f"offscreen:{home}")
    values = {
        "prompt": PROMPT,
        "place": PLACE_NAME,
        "home": str(home),
        "lat": COORDINATES[0],
        "lon": COORDINATES[1],
    }
    for name, text in (("window.log", WINDOW_LOG), ("engine.log", ENGINE_LOG), ("crash.txt", CRASH)):
        (log_dir() / name).write_text(text.format(**values), encoding="utf-8")
    (log_dir() / f"{PLACE_NAME.split()[0]}.log").mkdir()  # no file at all
    (pictures_dir() / "secret.png").write_bytes(b"picture")
    words = [
        *COORDINATES,
        str(home),
        "wilhelmina",
        "quux",
        "secret folder",
        "bakery",
        "Crumbleton",
        "Petunia",
        "hunter2",
    ]
    return [*words, "grandmother", "mine.py", "picture.png", "my-street", "My street", socket.gethostname()]


def test_nothing_private_is_in_it(private: list[str], tmp_path: Path) -> None:
    checks = [
        Check("data folder", Status.OK, os.environ["GPSDREAM_HOME"]),
        Check("model my-street", Status.OK, "My street: every file is whole"),
        Check("model fifth-avenue-1911", Status.OK, "Fifth Avenue, 1911: every file is whole"),
        Check("map", Status.BROKEN, f"cannot read {os.environ['HOME']}/x.so", f"Look into {os.environ['HOME']}."),
    ]
    choices = {"theme": "dark", "graphics": "no-3d", "rest_minutes": 15.0, "save_folder": private[2], "words": PROMPT}
    path = save_diagnostics(tmp_path / "report", checks, choices)
    assert path.name == "report.zip"
    assert list(path.parent.glob("*.part")) == []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    for name, text in files.items():
        for secret in private:
            if len(secret) > 2:
                assert secret.lower() not in (name + text).lower(), (name, secret)
        assert not name.startswith("/")
        assert ".." not in name
    # And what helps is there.
    window = files["logs/window.log"]
    assert "Loading with the memory preset …." in window
    assert "WARNING qt.qpa.gl: Could not initialize GLX for <path>" in window
    assert "ERROR gpsdream_app.engine.worker: Job … failed." in window
    assert 'File "torch/nn/modules/module.py", line 12, in forward' in window
    assert "torch.OutOfMemoryError: CUDA out of memory" in window
    assert "INFO other: (left out)" in window or "(left out)" in window
    assert "The model … was not loaded." in files["logs/engine.log"]
    assert "ModuleNotFoundError: No module named 'torch'" in files["logs/engine.log"]
    assert "Fatal Python error: Segmentation fault" in files["logs/crash.txt"]
    assert 'File "gpsdream_app/ui/app.py", line 3, in main' in files["logs/crash.txt"]
    assert "ok       model fifth-avenue-1911: Fifth Avenue, 1911: every file is whole" in files["checks.txt"]
    assert "model 1: (left out)" in files["checks.txt"]
    assert "pyside6 " in files["versions.txt"]
    assert "QT_QPA_PLATFORM=offscreen:<path>\n" in files["environment.txt"]
    assert "SECRET" not in files["environment.txt"]
    assert '"graphics": "no-3d"' in files["settings.json"]


def test_what_the_program_really_logs_is_recognised() -> None:
    assert known_sentence("The engine is gone (exit code -9).") == "The engine is gone (exit code …)."
    assert known_sentence("A listener failed on started.") == "A listener failed on …."
    assert known_sentence(PROMPT) is None
    assert known_sentence("") is None
    assert known_sentence("%s") is None


@pytest.mark.parametrize(
    "text", ["\0\x1b[31m" + PROMPT, PROMPT * 20_000, "\u202e" + PROMPT, "2026-13-45 " + PROMPT, PROMPT + "\r\n"]
)
def test_hostile_lines_are_left_out(text: str) -> None:
    cleaned = clean_log(f"2026-11-20 10:00:00,001 INFO gpsdream_app.x: {text}\n{text}\n", Scrubber())
    assert "bakery" not in cleaned
    assert "secret" not in cleaned
    assert len(cleaned) < 1000


def test_names_of_this_computer_are_taken_out() -> None:
    scrub = Scrubber(["Aunt Petunia"])
    text = scrub(
        f"at {COORDINATES[0]},{COORDINATES[1]} by aunt petunia, Qt 6.12.0 (Chromium 140.0.7339.225) C:\\Users\\x\\y.png"
    )
    assert text == "at <number>,<number> by <name>, Qt 6.12.0 (Chromium 140.0.7339.225) <path>"
    user = getpass.getuser()
    if len(user) > 2:
        assert user not in scrub(f"by {user}")


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(GPSDreamError) as raised:
        save_diagnostics(blocker / "report.zip", [])
    assert raised.value.failure.kind is ErrorKind.DISK_FULL


def test_long_logs_are_cut_at_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "LOG_BYTES", 200)
    line = "2026-11-20 10:00:00,001 INFO gpsdream_app.x: Qt has no resource {}\n"
    (log_dir() / "window.log").write_text("".join(line.format(number) for number in range(50)), encoding="utf-8")
    files = diagnostics.diagnostics([])
    assert files["logs/window.log"].count("\n") == 2
    assert logging.getLogger().handlers is not None
