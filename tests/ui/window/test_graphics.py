"""Starts that fail step down by themselves; every way to a screen starts as far as it can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpsdream_app.library.machine import ScreenKind, screen_kind
from gpsdream_app.ui import graphics
from gpsdream_app.ui.graphics import (
    GRAPHICS_FILE,
    MARK_FILE,
    GraphicsGuard,
    GraphicsMode,
    next_mode,
    prepare_environment,
)
from gpsdream_app.ui.map import chromium

AUTO, SOFTWARE, NO_3D, PLAIN = GraphicsMode
PATIENCE = 300.0  # seconds


def crashed(folder: Path, wanted: GraphicsMode = AUTO) -> GraphicsGuard:
    """A start in another process that dies before its window works."""
    code = (
        "import sys, os; from pathlib import Path; from gpsdream_app.ui.graphics import *;"
        "GraphicsGuard(Path(sys.argv[1]), GraphicsMode(sys.argv[2])).begin(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), wanted], check=False)
    assert done.returncode not in (0, 1)
    return GraphicsGuard(folder, wanted, {})


def test_a_good_start_leaves_no_mark(tmp_path: Path) -> None:
    guard = GraphicsGuard(tmp_path, AUTO, {})
    assert guard.mode is AUTO
    guard.begin()
    assert (tmp_path / MARK_FILE).exists()
    guard.good()
    guard.good()
    assert list(tmp_path.iterdir()) == []
    assert GraphicsGuard(tmp_path, AUTO, {}).failed is None


def test_every_failed_start_steps_down_by_one_until_there_is_nothing_left(tmp_path: Path) -> None:
    for failed, following in ((AUTO, SOFTWARE), (SOFTWARE, NO_3D), (NO_3D, PLAIN), (None, PLAIN)):
        guard = crashed(tmp_path)
        assert guard.failed is failed
        assert guard.mode is following
        # The real next start is the one that crashes in the loop's next round.
    guard.begin()
    guard.good()
    # It stays where it came to, without calling that a failure again.
    again = GraphicsGuard(tmp_path, AUTO, {})
    assert (again.mode, again.failed) == (PLAIN, None)
    assert again.stepped_down
    assert next_mode(tmp_path, AUTO) is PLAIN
    # Until the person chooses anew.
    again.choose(AUTO)
    assert GraphicsGuard(tmp_path, AUTO, {}).mode is AUTO
    assert next_mode(tmp_path, SOFTWARE) is SOFTWARE


def test_another_choice_counts_at_once(tmp_path: Path) -> None:
    guard = crashed(tmp_path)
    guard.begin()
    guard.good()
    assert GraphicsGuard(tmp_path, AUTO, {}).mode is SOFTWARE
    assert GraphicsGuard(tmp_path, NO_3D, {}).mode is NO_3D
    guard = GraphicsGuard(tmp_path, AUTO, {"GPSDREAM_GRAPHICS": "plain"})
    assert guard.mode is PLAIN
    assert GraphicsGuard(tmp_path, AUTO, {"GPSDREAM_GRAPHICS": "nonsense"}).mode is SOFTWARE


def test_a_window_that_is_starting_beside_this_one_has_not_failed(tmp_path: Path) -> None:
    import psutil

    parent = psutil.Process().parent()
    assert parent is not None
    mark = {"mode": "auto", "pid": parent.pid, "started": parent.create_time()}
    (tmp_path / MARK_FILE).write_text(json.dumps(mark))
    assert GraphicsGuard(tmp_path, AUTO, {}).failed is None
    mark["started"] -= 1000  # another process that had the number before
    (tmp_path / MARK_FILE).write_text(json.dumps(mark))
    assert GraphicsGuard(tmp_path, AUTO, {}).failed is AUTO


@pytest.mark.parametrize("content", ["", "{", "[]", '{"mode": 7, "pid": "x"}', '{"mode": "../x"}', "\0" * 100])
def test_files_that_make_no_sense_count_as_not_there(tmp_path: Path, content: str) -> None:
    (tmp_path / MARK_FILE).write_text(content)
    (tmp_path / GRAPHICS_FILE).write_text(content)
    guard = GraphicsGuard(tmp_path, AUTO, {})
    assert (guard.mode, guard.failed) == (AUTO, None)


def test_a_folder_that_cannot_be_written_does_not_keep_the_window_from_starting(tmp_path: Path) -> None:
    guard = GraphicsGuard(tmp_path / "none", AUTO, {})
    guard.begin()
    guard.step_down()
    guard.choose(AUTO)
    guard.good()


@pytest.mark.parametrize("mode", list(GraphicsMode))
def test_each_mode_asks_for_less(mode: GraphicsMode) -> None:
    environment: dict[str, str] = {}
    prepare_environment(mode, environment, "linux")
    assert ("LIBGL_ALWAYS_SOFTWARE" in environment) == (mode is not AUTO)
    assert (environment.get("GPSDREAM_3D") == "off") == (mode in (NO_3D, PLAIN))
    assert (environment.get("QT_XCB_GL_INTEGRATION") == "none") == (mode in (NO_3D, PLAIN))
    assert (environment.get("GPSDREAM_MAP") == "off") == (mode is PLAIN)
    mine = {"LIBGL_ALWAYS_SOFTWARE": "0"}
    prepare_environment(mode, mine, "linux")
    assert mine["LIBGL_ALWAYS_SOFTWARE"] == "0"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, ScreenKind.NONE),
        ({"DISPLAY": ":0"}, ScreenKind.X11),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, ScreenKind.WAYLAND),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": "xcb"}, ScreenKind.X11),
        ({"QT_QPA_PLATFORM": "wayland;xcb", "DISPLAY": ":0"}, ScreenKind.WAYLAND),
        ({"QT_QPA_PLATFORM": "offscreen", "DISPLAY": ":0"}, ScreenKind.NONE),
        ({"DISPLAY": ":10", "XRDP_SESSION": "1"}, ScreenKind.REMOTE),
        ({"SESSIONNAME": "RDP-Tcp#3"}, ScreenKind.REMOTE),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a b"}, ScreenKind.REMOTE),
    ],
)
def test_how_the_window_comes_to_the_screen(environment: dict[str, str], kind: ScreenKind) -> None:
    assert screen_kind(environment, "linux") is kind


def test_a_remote_desktop_is_drawn_by_the_processor() -> None:
    machine = chromium.Machine(chromium.Graphics.AUTO, has_gpu=True, is_root=False, is_remote=True)
    assert "--disable-gpu" in chromium.switches_for(machine)


def test_without_a_display_the_window_is_a_sentence(gpsdream_home: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment.pop("QT_QPA_PLATFORM", None)
    done = subprocess.run(
        [sys.executable, "-m", "gpsdream_app", "gui"], env=environment, capture_output=True, text=True, check=False
    )
    if sys.platform.startswith("linux"):
        assert done.returncode == 1
        assert "no display" in done.stderr
        assert not (gpsdream_home / MARK_FILE).exists()


STARTS = """
import json, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from gpsdream_app.ui import app, graphics_start
import gpsdream_app.ui.window as window_module
graphics_start.SOONEST_MILLISECONDS = 100
shown = window_module.MainWindow.show
def show(self):
    shown(self)
    told = []
    def look():
        if told or self.session.pending or not (self.map.is_ready or self.map.page is None):
            return
        told.append(1)
        self.session.form.move_to(40.7411, -73.9897)
        answer = {"map": self.map.is_ready, "place": self.session.form.place is not None,
                  "opengl": app_opengl(), "platform": QApplication.platformName()}
        print(json.dumps(answer), flush=True)
        self.end()
    timer = QTimer(self)
    timer.timeout.connect(look)
    timer.start(100)
def app_opengl():
    from gpsdream_app.ui.opengl import opengl_works
    return opengl_works()
window_module.MainWindow.show = show
sys.exit(app.main([]))
"""
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("PySide6.QtWebEngine", "PySide6.QtWebChannel")):
            raise ImportError(f"{name} is not installed")
sys.meta_path.insert(0, Blocker())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="switches of Linux")
@pytest.mark.parametrize(
    ("name", "changes", "has_map", "has_opengl"),
    [
        ("as it is", {}, True, None),
        ("software", {"GPSDREAM_GRAPHICS": "software"}, True, None),
        ("no 3D", {"GPSDREAM_GRAPHICS": "no-3d"}, True, False),
        ("plain", {"GPSDREAM_GRAPHICS": "plain"}, False, False),
        ("no OpenGL", {"QT_XCB_GL_INTEGRATION": "none"}, True, False),
        ("no WebEngine", {}, False, None),
        ("a remote desktop", {"XRDP_SESSION": "1"}, True, None),
        (
            "Wayland asked for, X11 there",
            {"QT_QPA_PLATFORM": "wayland;xcb", "WAYLAND_DISPLAY": "none-such"},
            True,
            None,
        ),
    ],
)
def test_the_window_starts_as_far_as_it_can(
    name: str,
    changes: dict[str, str],
    has_map: bool,
    has_opengl: bool | None,
    root: Path,
    gpsdream_home: Path,
    tmp_path: Path,
) -> None:
    environment = {**os.environ, **changes}
    if name == "no WebEngine":
        (tmp_path / "sitecustomize.py").write_text(BLOCKER)
        environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", STARTS],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer["map"] == has_map
    assert answer["place"]
    if has_opengl is not None:
        assert answer["opengl"] == has_opengl
    assert not (gpsdream_home / MARK_FILE).exists()
    assert graphics.LATEST_MILLISECONDS > graphics.SOONEST_MILLISECONDS
