"""How much of the graphics card the window asks for, stepped down by itself after a start that failed.

A file marks the time between the first call of a graphics driver and a window that works. If it is still there at the
next start, that start failed, and this one asks for less. Nothing here needs a QApplication.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from gpsdream_app.library.machine import GRAPHICS_FILE
from gpsdream_app.ui.map import chromium
from gpsdream_app.ui.opengl import SWITCH as SWITCH_3D

log = logging.getLogger(__name__)

MARK_FILE = "graphics-starting.json"
VARIABLE = "GPSDREAM_GRAPHICS"  # one start with another mode, for example from a terminal
SOONEST_MILLISECONDS = 4_000  # a window that has lived so long with its map has started well
LATEST_MILLISECONDS = 25_000  # and one that has lived so long without, too
SAME_PROCESS = 2.0  # seconds by which two readings of a process's start may differ


class GraphicsMode(StrEnum):
    """What the window asks for; each asks for less than the one before.

    AUTO uses the graphics card where there is one. SOFTWARE has the processor draw the map and the 3D view. NO_3D asks
    for no OpenGL at all: landmarks are shown as a turntable of pictures. PLAIN also does without the map's browser.
    """

    AUTO = "auto"
    SOFTWARE = "software"
    NO_3D = "no-3d"
    PLAIN = "plain"

    @property
    def next_lower(self) -> GraphicsMode:
        """What asks for less; PLAIN, which asks for nothing, stays."""
        modes = list(GraphicsMode)
        return modes[min(modes.index(self) + 1, len(modes) - 1)]

    @property
    def chromium(self) -> chromium.Graphics:
        """Who draws the map."""
        return chromium.Graphics.AUTO if self is GraphicsMode.AUTO else chromium.Graphics.SOFTWARE

    @property
    def has_opengl(self) -> bool:
        """Whether OpenGL is asked for."""
        return self in (GraphicsMode.AUTO, GraphicsMode.SOFTWARE)

    @property
    def has_map(self) -> bool:
        """Whether the map's browser is started."""
        return self is not GraphicsMode.PLAIN


class GraphicsGuard:
    """Decides about the mode of this start, and remembers how it went.

    Attributes:
        wanted: what the person chose.
        mode: what this start uses; never more than wanted.
        failed: the mode of the start before, if that start failed.
    """

    def __init__(self, folder: Path, wanted: GraphicsMode, environment: MutableMapping[str, str] | None = None) -> None:
        """Read what the last start left; nothing is written before `begin`.

        Args:
            folder: of the person's data.
            wanted: what the person chose.
            environment: that of the process if None; `GPSDREAM_GRAPHICS` in it is obeyed for this start.
        """
        self._environment = os.environ if environment is None else environment
        self._mark, self._step = folder / MARK_FILE, folder / GRAPHICS_FILE
        self._marked = False
        self.wanted = wanted
        self.failed: GraphicsMode | None = None
        self.mode = self._stepped_down()
        left = _read(self._mark)
        if left and not _still_runs(left):
            failed = _mode(left.get("mode"))
            if failed and failed is not GraphicsMode.PLAIN:
                self.failed = failed
                self.mode = max(self.mode, failed.next_lower, key=list(GraphicsMode).index)
        asked = _mode(self._environment.get(VARIABLE))
        if asked:
            self.mode, self.failed = asked, None

    def _stepped_down(self) -> GraphicsMode:
        """The mode that an earlier start came to, as long as the person has not chosen anew since."""
        step = _read(self._step)
        mode = _mode(step.get("mode")) if step else None
        if step and mode and step.get("wanted") == self.wanted:
            return max(self.wanted, mode, key=list(GraphicsMode).index)
        return self.wanted

    @property
    def stepped_down(self) -> bool:
        """Whether this start asks for less than the person chose."""
        return self.mode is not self.wanted

    def begin(self) -> None:
        """Mark that a start has begun, and prepare the environment. Must come before the QApplication.

        A disk that refuses is no reason not to start.
        """
        process = psutil.Process()
        mark = {"mode": self.mode, "pid": process.pid, "started": process.create_time()}
        with suppress(OSError):
            self._mark.write_text(json.dumps(mark), encoding="utf-8")
            self._marked = True
        self._remember()
        prepare_environment(self.mode, self._environment)

    def good(self) -> None:
        """The window works, or was closed as it should be: the mark goes away."""
        if self._marked:
            self._marked = False
            with suppress(OSError):
                self._mark.unlink(missing_ok=True)

    def step_down(self) -> GraphicsMode:
        """Have the next start ask for less, because something of this one failed; returns what it will use."""
        mode = self.mode.next_lower
        self._write_step(mode)
        return mode

    def choose(self, wanted: GraphicsMode) -> None:
        """Forget what was stepped down to: the person has chosen. It holds from the next start."""
        self.wanted = wanted
        with suppress(OSError):
            self._step.unlink(missing_ok=True)

    def _remember(self) -> None:
        if self.stepped_down and self.failed:
            self._write_step(self.mode)

    def _write_step(self, mode: GraphicsMode) -> None:
        with suppress(OSError):
            self._step.write_text(json.dumps({"wanted": self.wanted, "mode": mode}), encoding="utf-8")


def next_mode(folder: Path, wanted: GraphicsMode) -> GraphicsMode:
    """Return the mode that the next start will use if this one goes well."""
    step = _read(folder / GRAPHICS_FILE)
    mode = _mode(step.get("mode")) if step and step.get("wanted") == wanted else None
    return max(wanted, mode or wanted, key=list(GraphicsMode).index)


def prepare_environment(mode: GraphicsMode, environment: MutableMapping[str, str], system: str = sys.platform) -> None:
    """Set what graphics drivers and Qt read when they start; what a person has set there stays.

    Args:
        mode: what this start uses.
        environment: to be changed.
        system: as `sys.platform`.
    """
    if mode is GraphicsMode.AUTO:
        return
    environment.setdefault("QT_QUICK_BACKEND", "software")
    if system.startswith("linux"):
        environment.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")  # Mesa
    elif system == "win32":
        environment.setdefault("QT_OPENGL", "software")
    if not mode.has_opengl:
        environment.setdefault(SWITCH_3D, "off")
        if system.startswith("linux"):
            # Not even the driver's library is loaded.
            environment.setdefault("QT_XCB_GL_INTEGRATION", "none")
    if not mode.has_map:
        environment.setdefault(chromium.MAP_SWITCH, "off")


def _mode(value: object) -> GraphicsMode | None:
    try:
        return GraphicsMode(value)  # type: ignore[arg-type]
    except ValueError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        log.warning("%s cannot be read and counts as not there.", path.name)
        return None
    return value if isinstance(value, dict) else None


def _still_runs(mark: dict[str, Any]) -> bool:
    """Whether the process that made a mark is there: another window of the same person, still starting."""
    pid, started = mark.get("pid"), mark.get("started")
    if not isinstance(pid, int) or not isinstance(started, int | float) or pid == os.getpid():
        return False
    try:
        return bool(abs(psutil.Process(pid).create_time() - started) < SAME_PROCESS)
    except (psutil.Error, ValueError, OverflowError):
        return False
