"""One window per data folder, with real locks, sockets and processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtNetwork import QLocalSocket
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.single_instance import LOCK_FILE, MAX_MESSAGE, SingleInstance, files_in, server_name

CALLER = """
import sys
import time
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from gpsdream_app.ui.single_instance import SingleInstance
application = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
print("first" if instance.take() else "second", instance.call([Path(name) for name in sys.argv[2:]]), flush=True)
"""
HOLDER = """
import os, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from gpsdream_app.ui.single_instance import SingleInstance
application = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
assert instance.take()
instance.listen()
os.kill(os.getpid(), 9)
"""


def test_a_second_start_shows_the_first_window_and_hands_its_files_over(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.take()
    first.listen()
    calls: list[list[Path]] = []
    first.called.connect(calls.append)
    files = [tmp_path / "a picture.png", tmp_path / "ü \u202e.jpg"]
    child = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(tmp_path), *map(str, files)], stdout=subprocess.PIPE, text=True
    )
    qtbot.waitUntil(lambda: bool(calls), timeout=60_000)
    qtbot.waitUntil(lambda: child.poll() is not None, timeout=60_000)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.read().split() == ["second", "True"]
    assert calls == [files]
    first.close()


def test_two_data_folders_have_two_windows(qapp: QCoreApplication, tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    first, second = (SingleInstance(folder) for folder in folders)
    assert first.take()
    assert second.take()
    assert first.name != second.name
    first.close()
    again = SingleInstance(folders[0])
    assert again.take()
    for instance in (second, again):
        instance.close()


def test_a_killed_window_leaves_nothing_in_the_way(qtbot: QtBot, tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path)], check=False).returncode == -9
    after = SingleInstance(tmp_path)
    assert after.take()
    after.listen()
    socket = QLocalSocket()
    socket.connectToServer(after.name)
    assert socket.waitForConnected(5000)
    socket.close()
    after.close()


def test_without_an_answer_the_call_fails_and_says_so(qapp: QCoreApplication, tmp_path: Path) -> None:
    assert not SingleInstance(tmp_path).call([], wait_milliseconds=50)


@pytest.mark.parametrize(
    ("line", "files"),
    [
        (b"", []),
        (b"\xff\xfe", []),
        (b"[1]", []),
        (b"[" * 100_000, []),
        (b'{"files": "/etc/passwd"}', []),
        (b'{"files": [1, null, "", "relative.png", "/a\\u0000b", "/good.png"]}', [Path("/good.png")]),
        (json.dumps({"files": [f"/{number}" for number in range(1000)]}).encode(), [Path(f"/{n}") for n in range(64)]),
        (b'{"files": ["/' + b"x" * MAX_MESSAGE + b'"]}', []),
    ],
)
def test_messages_from_strangers_are_read_with_care(line: bytes, files: list[Path]) -> None:
    assert files_in(line) == files


def test_a_flood_is_cut_off_and_the_ear_stays_open(qtbot: QtBot, tmp_path: Path) -> None:
    instance = SingleInstance(tmp_path)
    assert instance.take()
    instance.listen()
    calls: list[list[Path]] = []
    instance.called.connect(calls.append)
    flood = QLocalSocket()
    flood.connectToServer(instance.name)
    flood.write(b"x" * (2 * MAX_MESSAGE))
    qtbot.waitUntil(lambda: flood.state() is QLocalSocket.LocalSocketState.UnconnectedState, timeout=20_000)
    polite = QLocalSocket()
    polite.connectToServer(instance.name)
    polite.write(b'{"files": []}\n')
    qtbot.waitUntil(lambda: calls == [[]], timeout=20_000)
    polite.disconnectFromServer()
    instance.close()


def test_names_are_short_enough_for_every_system(tmp_path: Path) -> None:
    assert len(server_name(tmp_path / ("x" * 200))) < 40


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no polite signal")
def test_the_program_itself_has_one_window(root: Path, gpsdream_home: Path) -> None:
    command = [sys.executable, "-m", "gpsdream_app.ui.app", "--model", "none-such"]
    first = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while not (gpsdream_home / LOCK_FILE).exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        while True:
            second = subprocess.run(
                [*command, "gone.png"], cwd=root, capture_output=True, text=True, check=False, timeout=60
            )
            if second.returncode == 0:
                break
            # The first one has its lock before it listens.
            assert "open already" in second.stderr
            assert first.poll() is None
            assert time.monotonic() < end
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        _, errors = first.communicate(timeout=60)
        assert first.returncode == 0, errors
    finally:
        first.kill()
        first.communicate()
