"""The program itself: its start, its end, and what it leaves behind after a crash."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import qWarning

from gpsdream_app.ui import app
from gpsdream_app.ui.crash import CRASH_FILE, LOG_FILE, CrashLog

PATIENCE = 60.0  # seconds


def wait_for(condition: object) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_options() -> None:
    options = app.parse(["--city", "manhattan", "--model", "mine", "--device", "cpu"])
    assert (options.city, options.model, options.device) == ("manhattan", "mine", "cpu")
    with pytest.raises(SystemExit):
        app.parse(["--nonsense"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no polite signal")
def test_a_polite_end_closes_window_and_engine(root: Path, gpsdream_home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gpsdream_app.ui.app", "--model", "none-such"],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        program = psutil.Process(process.pid)

        def engine_runs() -> bool:
            return any("engine.worker" in " ".join(child.cmdline()) for child in program.children(recursive=True))

        wait_for(engine_runs)
        children = program.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    assert (gpsdream_home / "settings.json").is_file()
    assert "none-such" in (gpsdream_home / "logs" / LOG_FILE).read_text(encoding="utf-8")
    assert not (gpsdream_home / "logs" / CRASH_FILE).exists()


def test_a_folder_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("GPSDREAM_HOME", str(blocked / "home"))
    assert app.main([]) == 1
    assert "the folder was not created" in capsys.readouterr().err


@pytest.fixture
def crash_log(tmp_path: Path) -> Iterator[CrashLog]:
    hook = sys.excepthook
    log = CrashLog(tmp_path)
    yield log
    log.close()
    assert sys.excepthook is hook


def test_what_nobody_caught_is_logged_and_told(crash_log: CrashLog, tmp_path: Path) -> None:
    told: list[BaseException] = []
    crash_log.on_exception = told.append
    error = ValueError("lost")
    sys.excepthook(ValueError, error, None)

    def fail() -> None:
        raise KeyError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert told[0] is error
    assert isinstance(told[1], KeyError)
    text = (tmp_path / LOG_FILE).read_text(encoding="utf-8")
    assert "ValueError: lost" in text
    assert "in a thread" in text


def test_qts_own_messages_are_logged(crash_log: CrashLog, tmp_path: Path) -> None:
    qWarning("a warning of Qt")
    logging.getLogger("gpsdream_app.test").info("a word of ours")
    text = (tmp_path / LOG_FILE).read_text(encoding="utf-8")
    assert "a warning of Qt" in text
    assert "a word of ours" in text


def test_a_crash_is_known_at_the_next_start(tmp_path: Path) -> None:
    code = (
        "import sys, faulthandler; from pathlib import Path; from gpsdream_app.ui.crash import CrashLog;"
        "log = CrashLog(Path(sys.argv[1])); faulthandler._sigsegv()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=PATIENCE)
    assert done.returncode != 0
    log = CrashLog(tmp_path)
    assert "Segmentation fault" in log.previous
    log.close()
    again = CrashLog(tmp_path)
    assert again.previous == ""
    again.close()
