"""What Chromium is told before it starts: a table of switches, each with its reason, and the sandbox check."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gpsdream_app.library.machine import ScreenKind, screen_kind

logger = logging.getLogger(__name__)

MAP_SWITCH = "GPSDREAM_MAP"  # "off" leaves the map's browser out
FLAGS_VARIABLE = "QTWEBENGINE_CHROMIUM_FLAGS"
SANDBOX_VARIABLE = "QTWEBENGINE_DISABLE_SANDBOX"
QUICK_VARIABLE = "QT_QUICK_BACKEND"


class Graphics(StrEnum):
    """Who draws the map."""

    AUTO = "auto"
    SOFTWARE = "software"


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides about the switches.

    Attributes:
        graphics: what the person chose.
        has_gpu: whether the system shows a graphics device that can render.
        is_root: whether this process runs as the superuser.
        is_remote: whether the person sits before another computer.
    """

    graphics: Graphics
    has_gpu: bool
    is_root: bool
    is_remote: bool = False

    @property
    def draws_in_software(self) -> bool:
        """Whether the map is drawn by the processor: asked for, no GPU (virtual machines, Xvfb), a remote desktop."""
        return self.graphics is Graphics.SOFTWARE or not self.has_gpu or self.is_remote


def _always(_: Machine) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch of Chromium's command line, why it is set, and when."""

    text: str
    reason: str
    when: Callable[[Machine], bool] = _always


SWITCHES = (
    Switch("--disable-background-networking", "The network is used only for what a person asked for."),
    Switch("--disable-component-update", "No downloads of Chromium components behind the person's back."),
    Switch("--disable-domain-reliability", "No reports about failed requests to anybody."),
    Switch("--no-pings", "No hyperlink auditing."),
    Switch(
        '--host-resolver-rules="MAP * ~NOTFOUND"',
        "The page needs no host at all; should a request slip past the policy and the interceptor, no name resolves.",
    ),
    Switch("--log-level=3", "Chromium's notes to itself (no D-Bus here, ...) do not belong in a person's terminal."),
    Switch(
        "--disable-gpu",
        "Without a GPU Chromium would try drivers one after another and then fall back; saying so saves that time, "
        "and in software mode the video memory stays with the model.",
        lambda machine: machine.draws_in_software,
    ),
)


def _has_gpu() -> bool:
    """Whether the system shows a render device. Only Linux is asked; elsewhere a desktop always has one."""
    if not sys.platform.startswith("linux"):
        return True
    return any(Path("/dev/dri").glob("renderD*")) or Path("/dev/nvidiactl").exists()


def inspect_machine(graphics: Graphics = Graphics.AUTO) -> Machine:
    """Look at this machine and process."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    is_remote = screen_kind() is ScreenKind.REMOTE
    return Machine(graphics=graphics, has_gpu=_has_gpu(), is_root=is_root, is_remote=is_remote)


def switches_for(machine: Machine) -> list[str]:
    """Return the texts of the switches that apply to a machine."""
    return [switch.text for switch in SWITCHES if switch.when(machine)]


def configure(machine: Machine, environment: MutableMapping[str, str] | None = None) -> None:
    """Set the environment that QtWebEngine reads when it starts. Must be called before the QApplication exists.

    Switches that a person has set themselves stay and stand last, so that they win.
    """
    environment = os.environ if environment is None else environment
    given = environment.get(FLAGS_VARIABLE, "")
    ours = [text for text in switches_for(machine) if text not in given]
    environment[FLAGS_VARIABLE] = " ".join([*ours, given]).strip()
    if machine.draws_in_software:
        # Qt Quick, which puts Chromium's frames on the screen, would else go through a software OpenGL.
        environment.setdefault(QUICK_VARIABLE, "software")
    if machine.is_root and SANDBOX_VARIABLE not in environment:
        logger.warning("Running as root: Chromium refuses its sandbox there, so the map page runs without it.")
        environment[SANDBOX_VARIABLE] = "1"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def map_is_off() -> bool:
    """Whether the map's browser is left out of this start."""
    return os.environ.get(MAP_SWITCH, "").lower() in ("off", "0", "no")


def sandbox_obstacle(machine: Machine) -> str | None:
    """Return a sentence if the map is switched off, or if Chromium's sandbox cannot work here, else None.

    Chromium ends the whole process when it finds no usable sandbox, so the question comes before the first page.
    The sandbox itself is never switched off for an ordinary user.
    """
    if map_is_off():
        return "The map is switched off."
    if not sys.platform.startswith("linux") or machine.is_root or os.environ.get(SANDBOX_VARIABLE) == "1":
        return None
    sentence = "This system does not let ordinary programs build a sandbox, which the map needs."
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return f"{sentence} (kernel.unprivileged_userns_clone is 0)"
    if _read("/proc/sys/user/max_user_namespaces") == "0":
        return f"{sentence} (user.max_user_namespaces is 0)"
    restricted = _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
    if restricted and _read("/proc/self/attr/current") in ("unconfined", ""):
        return f"{sentence} (kernel.apparmor_restrict_unprivileged_userns is 1)"
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    try:
        probe = subprocess.run(
            [unshare, "--user", "--map-root-user", "true"], capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if probe.returncode == 0 else f"{sentence} (no user namespaces)"
