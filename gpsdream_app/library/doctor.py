"""Checks of an installation: versions, processor, graphics, the map's browser engine, folders, models.

Whatever is heavy or may crash (torch, Qt, OpenGL) is tried in a process of its own.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gpsdream_app import __version__
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.memory import MemoryPreset, choose_preset, memory_needed
from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library import model_folders, paths
from gpsdream_app.library.machine import GRAPHICS_FILE, ScreenKind, computer_memory, screen_kind, weights_bytes

SECONDS = 90.0  # for one probe; a cold disk needs a while to load torch
LOW_DISK_BYTES = 2_000_000_000
LOW_MEMORY_BYTES = 3 * 2**30
PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "safetensors",
    "numpy",
    "pillow",
    "PySide6",
)

TORCH_PROBE = """
import json, torch
device, name, memory = "cpu", "", 0
free = 0
if torch.cuda.is_available():
    device, name = "cuda", torch.cuda.get_device_name(0)
    free, memory = torch.cuda.mem_get_info()
    (torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda")).sum().item()
elif torch.backends.mps.is_available():
    device, name = "mps", "Apple GPU"
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "device": device, "name": name,
                  "memory": memory, "free": free, "threads": torch.get_num_threads()}))
"""

# 0x1F01 and 0x1F02 are GL_RENDERER and GL_VERSION.
OPENGL_PROBE = """
import json, sys
from PySide6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
app = QGuiApplication(["gpsdream"])
surface, context = QOffscreenSurface(), QOpenGLContext()
surface.create()
answer = {"platform": app.platformName(), "ok": False}
if context.create() and context.makeCurrent(surface):
    functions = context.functions()
    answer |= {"ok": True, "renderer": functions.glGetString(0x1F01), "version": functions.glGetString(0x1F02)}
    context.doneCurrent()
print(json.dumps(answer))
"""

WEBENGINE_PROBE = """
import json
from PySide6 import QtWebChannel, QtWebEngineWidgets
from PySide6.QtWebEngineCore import qWebEngineChromiumVersion, qWebEngineVersion
print(json.dumps({"version": qWebEngineVersion(), "chromium": qWebEngineChromiumVersion()}))
"""


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report.

    Attributes:
        name: what was looked at.
        status: how it came out.
        text: what was found.
        hint: what would help; empty if nothing is needed.
    """

    name: str
    status: Status
    text: str
    hint: str = ""


def checks() -> Iterator[Check]:
    """Yield the checks one after the other; each takes up to some seconds."""
    yield _program()
    yield _packages()
    yield _processor()
    yield from _torch()
    yield _screen()
    yield _opengl()
    yield _webengine()
    yield from _folders()
    yield _disk()
    yield from _databases()
    yield _last_end()
    yield from _models()


def _program() -> Check:
    text = f"GPSDream {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    return Check("program", Status.OK, text)


def _packages() -> Check:
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", Status.BROKEN, "missing: " + ", ".join(missing), "Install GPSDream again.")
    return Check("packages", Status.OK, ", ".join(versions))


def _processor() -> Check:
    memory = computer_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = (
        f"{platform.machine()}, {cores} {'core' if cores == 1 else 'cores'}, "
        f"{memory.total / 2**30:.1f} GiB of memory, {memory.free / 2**30:.1f} GiB of it free"
    )
    if memory.free < LOW_MEMORY_BYTES:
        return Check("processor", Status.WARNING, text, "Drawing needs about 3 GiB; close other programs.")
    return Check("processor", Status.OK, text)


def probe(code: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a few lines of Python in a process of their own and return the JSON object that they print.

    Raises:
        RuntimeError: with the last line of what went wrong.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no answer within {SECONDS:.0f} s") from None
    if done.returncode < 0:
        raise RuntimeError(f"crashed ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
        raise RuntimeError(lines[-1])
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _probed(name: str, code: str, hint: str, read: Callable[[dict[str, Any]], Check]) -> Check:
    """Return what `read` makes of a probe's answer, or a broken check with a hint if there is none."""
    try:
        return read(probe(code, _graphics_environment()))
    except (RuntimeError, OSError, ValueError, IndexError) as error:
        return Check(name, Status.BROKEN, str(error) or type(error).__name__, hint)


def _graphics_environment() -> dict[str, str]:
    """Without a display Qt's own offscreen platform answers."""
    headless = sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return {"QT_QPA_PLATFORM": "offscreen"} if headless and "QT_QPA_PLATFORM" not in os.environ else {}


def _torch() -> Iterator[Check]:
    """Where models run, and the memory preset that fits there now."""
    answers: list[dict[str, Any]] = []

    def read(answer: dict[str, Any]) -> Check:
        answers.append(answer)
        build = f"CUDA {answer['cuda']}" if answer["cuda"] else "no CUDA"
        text = f"torch {answer['version']} ({build}), "
        if answer["device"] == "cpu":
            if shutil.which("nvidia-smi") and not answer["cuda"]:
                return Check(
                    "graphics card",
                    Status.WARNING,
                    text + "although there is an NVIDIA card",
                    "Install PyTorch for CUDA; the README says how.",
                )
            return Check("graphics card", Status.OK, text + f"none in use: draws on {answer['threads']} CPU threads")
        memory = ""
        if answer["memory"]:
            memory = f", {answer['memory'] / 2**30:.0f} GiB, {answer.get('free', 0) / 2**30:.1f} GiB of it free"
        return Check("graphics card", Status.OK, text + f"{answer['name']}{memory}")

    yield _probed("graphics card", TORCH_PROBE, "PyTorch does not start; install it again.", read)
    on_gpu = bool(answers) and answers[0]["device"] == "cuda"
    free = int(answers[0].get("free", 0)) if on_gpu else computer_memory().free
    yield _preset(free, on_gpu=on_gpu)


def _preset(free: int, *, on_gpu: bool) -> Check:
    weights = weights_bytes(resources_dir() / "models" / DEFAULT_MODEL)
    preset = choose_preset(free, weights, on_gpu=on_gpu)
    sentence = {
        MemoryPreset.FULL: "full: models draw as quickly as they can",
        MemoryPreset.BALANCED: "balanced: a little slower, with less memory",
        MemoryPreset.LOW: "low: slower, with as little memory as possible",
    }[preset]
    if memory_needed(MemoryPreset.LOW, weights, on_gpu=on_gpu) > free:
        return Check("memory preset", Status.WARNING, sentence, "Even that may not fit now; close other programs.")
    return Check("memory preset", Status.OK, sentence)


def _screen() -> Check:
    kind = screen_kind()
    text = kind.value
    stepped = ""
    try:
        found = json.loads((paths.user_data_dir() / GRAPHICS_FILE).read_text(encoding="utf-8"))
        stepped = str(found["mode"])
    except (OSError, ValueError, KeyError, TypeError, GPSDreamError):
        pass  # no start failed
    if stepped in ("software", "no-3d", "plain"):
        text += f"; a start failed, and the graphics mode since is {stepped}"
        return Check("screen", Status.WARNING, text, "Choose another mode on the window's Help page to try again.")
    if kind is ScreenKind.REMOTE:
        text += ": the processor draws the map"
    return Check("screen", Status.OK, text)


def _databases() -> Iterator[Check]:
    """Whether what is in the person's folder can be read. A file that is not there yet is no fault."""
    try:
        found = sorted(paths.user_data_dir().glob("*.sqlite"))
    except GPSDreamError:
        return
    for path in found:
        try:
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2.0)) as database:
                (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            answer = str(error)
        if answer == "ok":
            yield Check(path.stem, Status.OK, f"{path.name} is whole, {path.stat().st_size / 1e6:.1f} MB")
        else:
            hint = "Start the window: it sets a damaged library aside and builds it again from the pictures."
            yield Check(path.stem, Status.BROKEN, f"{path.name} is damaged ({answer})", hint)


def _last_end() -> Check:
    try:
        crash = paths.log_dir() / "crash.txt"
        if crash.is_file() and crash.stat().st_size:
            return Check(
                "last end",
                Status.WARNING,
                "the window crashed when it was open last",
                "Save diagnostics for a bug report.",
            )
    except (OSError, GPSDreamError):
        pass  # told by the check of the folders
    return Check("last end", Status.OK, "the window ended as it should")


def _opengl() -> Check:
    if _graphics_environment():
        return Check("OpenGL", Status.OK, "not tried: there is no display here")

    def read(answer: dict[str, Any]) -> Check:
        if not answer["ok"]:
            hint = "The map is drawn without it. A graphics driver (on Debian: libgl1, libegl1) makes it quicker."
            return Check("OpenGL", Status.WARNING, f"no context on the platform “{answer['platform']}”", hint)
        return Check("OpenGL", Status.OK, f"{answer['version']} on {answer['renderer']} ({answer['platform']})")

    return _probed("OpenGL", OPENGL_PROBE, "The window needs Qt's libraries; the README names them.", read)


def _webengine() -> Check:
    def read(answer: dict[str, Any]) -> Check:
        return Check("map", Status.OK, f"QtWebEngine {answer['version']} (Chromium {answer['chromium']})")

    hint = "Without it the window has a form instead of the map. The README names the libraries that it needs."
    return _probed("map", WEBENGINE_PROBE, hint, read)


def _folders() -> Iterator[Check]:
    folders = {
        "data folder": paths.user_data_dir,
        "pictures": paths.pictures_dir,
        "models folder": paths.models_dir,
        "log folder": paths.log_dir,
        "cache folder": paths.cache_dir,
    }
    for name, get in folders.items():
        try:
            folder = get()
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"GPSDream")
        except GPSDreamError as error:
            yield Check(name, Status.BROKEN, error.failure.message, error.failure.hint)
        except OSError as error:
            yield Check(
                name,
                Status.BROKEN,
                f"{folder} cannot be written: {error.strerror or error}",
                "Make it writable, or set GPSDREAM_HOME to another folder.",
            )
        else:
            yield Check(name, Status.OK, str(folder))


def _disk() -> Check:
    try:
        folder = paths.user_data_dir()
    except GPSDreamError as error:
        return Check("free space", Status.BROKEN, error.failure.message, error.failure.hint)
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB in {folder}"
    if free < LOW_DISK_BYTES:
        return Check("free space", Status.WARNING, text, "Training and downloads need more.")
    return Check("free space", Status.OK, text)


def _models() -> Iterator[Check]:
    try:
        installed = model_folders.list_models()
    except GPSDreamError as error:
        yield Check("models", Status.BROKEN, error.failure.message, error.failure.hint)
        return
    if not any(model.name == DEFAULT_MODEL for model in installed):
        yield Check("models", Status.BROKEN, f"The model {DEFAULT_MODEL} is missing.", "Install GPSDream again.")
    for model in installed:
        yield _model(model.name, model.card.title, model.path)


def _model(name: str, title: str, folder: Path) -> Check:
    failures = model_folders.verify_model(folder)
    if failures:
        text = " ".join(failure.message for failure in failures)
        return Check(f"model {name}", Status.BROKEN, text, failures[0].hint)
    return Check(f"model {name}", Status.OK, f"{title}: every file is whole")
