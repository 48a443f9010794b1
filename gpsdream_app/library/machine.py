"""This computer as far as memory and its screen go: what is free, and how a person sits before it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

GRAPHICS_FILE = "graphics.json"  # in the person's folder: the mode that starts stepped down to
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that there are, and bytes that a program could have now."""

    total: int
    free: int


def computer_memory(cgroup: Path = CGROUP) -> Memory:
    """The memory of this computer, or of the container that the program runs in if that has less."""
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        # What was read from files counts as used there, and is given back when it is wanted.
        lines = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = int(dict(line.split(maxsplit=1) for line in lines).get("inactive_file", "0"))
        if limit != "max":
            total = min(total, int(limit))
            free = min(free, max(0, int(limit) - used + cached))
    except (OSError, ValueError):
        pass  # no Linux, no container, or one of the older kind
    return Memory(total, free)


def weights_bytes(folder: Path) -> int:
    """Bytes of a model's weight files; 0 if the folder cannot be read."""
    try:
        return sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
    except OSError:
        return 0


class ScreenKind(StrEnum):
    """How the window comes to the screen."""

    NONE = "no display"
    X11 = "X11"
    WAYLAND = "Wayland"
    REMOTE = "a remote desktop"
    NATIVE = "the system's own"


def screen_kind(environment: Mapping[str, str] | None = None, system: str = sys.platform) -> ScreenKind:
    """Return how a window would come to the screen, by what the environment says.

    Args:
        environment: that of the process if None.
        system: as `sys.platform`.
    """
    environment = os.environ if environment is None else environment
    if _is_remote(environment):
        return ScreenKind.REMOTE
    if not system.startswith("linux"):
        return ScreenKind.REMOTE if system == "win32" and _windows_says_remote() else ScreenKind.NATIVE
    platform = environment.get("QT_QPA_PLATFORM", "").partition(":")[0].partition(";")[0]
    if platform in ("offscreen", "minimal"):
        return ScreenKind.NONE
    if platform.startswith("wayland") or (not platform and environment.get("WAYLAND_DISPLAY")):
        return ScreenKind.WAYLAND
    return ScreenKind.X11 if environment.get("DISPLAY") else ScreenKind.NONE


def _is_remote(environment: Mapping[str, str]) -> bool:
    if environment.get("SESSIONNAME", "").upper().startswith("RDP"):
        return True  # Windows
    if environment.get("XRDP_SESSION") or environment.get("CHROME_REMOTE_DESKTOP_SESSION"):
        return True
    # A display that ssh forwards is another computer's.
    forwarded = environment.get("DISPLAY", "").startswith("localhost:")
    return forwarded and bool(environment.get("SSH_CONNECTION"))


def _windows_says_remote() -> bool:
    import ctypes

    windows = getattr(ctypes, "windll", None)
    remote_session = 0x1000  # SM_REMOTESESSION
    return bool(windows and windows.user32.GetSystemMetrics(remote_session))
