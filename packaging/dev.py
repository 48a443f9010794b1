#!/usr/bin/env python3
"""Set up, run, test and measure GPSDream from a clone. Standard library only, Python 3.11 or newer.

    python packaging/dev.py run     open the window; without a display, draw the model's example places
    python packaging/dev.py test    run the tests (further arguments go to pytest)
    python packaging/dev.py lint    format, style, types and layering
    python packaging/dev.py bench   measure, and print a table (--write puts it into docs/performance.md)

The first call makes .venv beside the repository's files and installs what packaging/constraints.txt pins; a
later call sees that nothing has changed and starts at once. GPSDREAM_TORCH chooses another build of PyTorch.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python is started with
    sys.exit(f"GPSDream needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

import argparse
import contextlib
import ctypes.util
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
STAMP = VENV / "gpsdream-setup.json"
WINDOWS = os.name == "nt"
LINUX = sys.platform.startswith("linux")
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")

# Shared library -> Debian packages that carry it (the first one that the system offers is taken; two names
# where a release renamed it). These are what Qt's xcb platform and QtWebEngine are linked against.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "libEGL.so.1": ("libegl1",),
    "libGL.so.1": ("libgl1",),
    "libOpenGL.so.0": ("libopengl0",),
    "libX11-xcb.so.1": ("libx11-xcb1",),
    "libXcomposite.so.1": ("libxcomposite1",),
    "libXdamage.so.1": ("libxdamage1",),
    "libXi.so.6": ("libxi6",),
    "libXrandr.so.2": ("libxrandr2",),
    "libXtst.so.6": ("libxtst6",),
    "libasound.so.2": ("libasound2t64", "libasound2"),
    "libdbus-1.so.3": ("libdbus-1-3",),
    "libdrm.so.2": ("libdrm2",),
    "libfontconfig.so.1": ("libfontconfig1",),
    "libgbm.so.1": ("libgbm1",),
    "libglib-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libgssapi_krb5.so.2": ("libgssapi-krb5-2",),
    "libnss3.so": ("libnss3",),
    "libwayland-client.so.0": ("libwayland-client0",),
    "libxcb-cursor.so.0": ("libxcb-cursor0",),
    "libxcb-dri3.so.0": ("libxcb-dri3-0",),
    "libxcb-icccm.so.4": ("libxcb-icccm4",),
    "libxcb-image.so.0": ("libxcb-image0",),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1",),
    "libxcb-randr.so.0": ("libxcb-randr0",),
    "libxcb-render-util.so.0": ("libxcb-render-util0",),
    "libxcb-shape.so.0": ("libxcb-shape0",),
    "libxcb-xinerama.so.0": ("libxcb-xinerama0",),
    "libxcb-xkb.so.1": ("libxcb-xkb1",),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0",),
    "libxkbcommon.so.0": ("libxkbcommon0",),
    "libxkbfile.so.1": ("libxkbfile1",),
}
PROGRAMS: dict[str, tuple[str, ...]] = {"Xvfb": ("xvfb",), "xdotool": ("xdotool",)}
FONTS = ("fonts-dejavu-core",)


def say(text: str) -> None:
    """Print a line about what happens now."""
    print(f"gpsdream: {text}", flush=True)


def stop(text: str, code: int = 1) -> NoReturn:
    """End with a sentence."""
    print(f"gpsdream: {text}", file=sys.stderr, flush=True)
    raise SystemExit(code)


def call(command: Sequence[str | Path], *, quiet: bool = False, env: dict[str, str] | None = None) -> int:
    """Run a program in the repository's folder and return its exit status; never gives it an input."""
    sys.stdout.flush()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        check=False,
    )
    if quiet and done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode


# --- system libraries -------------------------------------------------------------------------------------


def has_display() -> bool:
    """Whether a window can be shown here."""
    return not LINUX or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def library_names() -> set[str]:
    """Return the names of all shared libraries that the loader's cache knows."""
    program = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        text = subprocess.run([program, "-p"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return set()
    return {line.split()[0] for line in text.splitlines()[1:] if line.strip()}


def missing_packages(*, programs: bool) -> dict[str, tuple[str, ...]]:
    """Return what this system lacks: library, program or `fonts` -> the Debian packages that carry it.

    Args:
        programs: also look for what the tests need (a virtual display, xdotool).
    """
    known = library_names()
    missing = {
        name: packages
        for name, packages in LIBRARIES.items()
        if name not in known and not ctypes.util.find_library(name.removeprefix("lib").split(".so")[0])
    }
    if programs:
        missing |= {name: packages for name, packages in PROGRAMS.items() if shutil.which(name) is None}
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
    if not any(next(folder.rglob("*.[to]tf"), None) for folder in folders if folder.is_dir()):
        missing["fonts"] = FONTS
    return missing


def apt_environment() -> dict[str, str]:
    """Return an environment in which apt asks nothing."""
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def offered(alternatives: tuple[str, ...]) -> str:
    """Return the first package that apt can install; the last one if it knows none of them."""
    for package in alternatives[:-1]:
        done = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
        if done.returncode == 0 and done.stdout:
            return package
    return alternatives[-1]


def apt_install(packages: Sequence[str]) -> bool:
    """Install Debian packages as root; True if that worked."""
    say("installing system packages: " + " ".join(packages))
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    return call(command, quiet=True, env=apt_environment()) == 0


def prepare_system(*, programs: bool) -> None:
    """Install the system libraries that are missing, or stop with the command that does it."""
    if not LINUX:
        return
    missing = missing_packages(programs=programs)
    if not missing:
        return
    if shutil.which("apt-get") is None:
        stop(
            "these system libraries and programs are missing: " + ", ".join(sorted(missing)) + ".\n"
            "Install them with this system's package manager, then run this command again."
        )
    if os.geteuid() == 0:
        call(["apt-get", "update"], quiet=True, env=apt_environment())
        if apt_install(sorted({offered(packages) for packages in missing.values()})):
            missing = missing_packages(programs=programs)
    if missing:
        names = " ".join(sorted({offered(packages) for packages in missing.values()}))
        root = "" if os.geteuid() == 0 else "sudo "
        stop(
            "these system libraries and programs are missing: " + ", ".join(sorted(missing)) + ".\n"
            "Type this, then run the command again:\n\n"
            f"  {root}apt-get update && {root}apt-get install -y {names}\n"
        )


# --- the virtual environment ------------------------------------------------------------------------------


def torch_spec() -> list[str]:
    """Return pip's arguments that install PyTorch: the pinned version, or what GPSDREAM_TORCH says."""
    chosen = os.environ.get("GPSDREAM_TORCH", "").strip()
    if chosen:
        return shlex.split(chosen)
    pins = (line.strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines())
    return [next(line for line in pins if line.startswith("torch=="))]


def project_settings() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def setup_key() -> str:
    """Return a hash of all that decides what is in the virtual environment."""
    settings = project_settings()
    parts = [
        CONSTRAINTS.read_text(encoding="utf-8"),
        settings["build-system"],
        settings["project"],
        settings["tool"]["hatch"],
        str(ROOT),
        os.environ.get("GPSDREAM_TORCH", ""),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_ready() -> bool:
    """Whether the virtual environment holds what the pins ask for."""
    try:
        return PYTHON.exists() and json.loads(STAMP.read_text(encoding="utf-8"))["key"] == setup_key()
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Wait until no other call of this program sets up the same clone."""
    if WINDOWS:
        yield
        return
    import fcntl

    name = "gpsdream-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:16] + ".lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this clone is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv() -> None:
    """Make the virtual environment; where Debian left ensurepip out, install it or say how."""
    command = [sys.executable, "-m", "venv", VENV]
    if call(command, quiet=True) == 0 and PYTHON.exists():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if LINUX and os.geteuid() == 0 and shutil.which("apt-get"):
        call(["apt-get", "update"], quiet=True, env=apt_environment())
        if apt_install([package]) and call([*command, "--clear"], quiet=True) == 0:
            return
    shutil.rmtree(VENV, ignore_errors=True)
    stop(
        f"Python {sys.version.split()[0]} cannot make a virtual environment here.\n"
        f"On Debian or Ubuntu type this, then run the command again:\n\n  sudo apt-get install -y {package}\n"
    )


def installed_torch() -> str:
    """Return the version of PyTorch in the virtual environment; empty if there is none."""
    code = "import importlib.metadata as m\ntry: print(m.version('torch'))\nexcept m.PackageNotFoundError: pass"
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def pip(*arguments: str | Path) -> None:
    """Run pip in the virtual environment; stops with a sentence if it fails."""
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    if call(command):
        stop(
            "installing failed; pip's own words stand above.\n"
            "Check the network and the free disk space, then run the same command again: it goes on from there."
        )


def prepare_venv() -> None:
    """Bring .venv to what the pins ask for. Does nothing if it is."""
    if is_ready():
        return
    with only_one():
        if is_ready():
            return
        started = time.monotonic()
        if not PYTHON.exists():
            say(f"making a virtual environment in {VENV.name} with Python {sys.version.split()[0]}")
            make_venv()
        # PyTorch goes first and alone: the right build depends on the machine, and a plain dependency would
        # bring the wrong one. A build that a person has put there stays.
        torch = installed_torch()
        if os.environ.get("GPSDREAM_TORCH") or not torch:
            spec = torch_spec()
            say(f"installing {shlex.join(spec)} (a large download)")
            pip(*spec)
            torch = installed_torch()
        say(f"installing the pinned dependencies beside torch {torch} (some minutes the first time)")
        lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("torch==")] + [f"torch=={torch}"]
        effective = VENV / "constraints.txt"
        effective.write_text("\n".join(pins) + "\n", encoding="utf-8")
        project = project_settings()["project"]
        pip("-c", effective, *project["dependencies"], *project["optional-dependencies"]["dev"])
        # Built with the pinned hatchling that is there now, not with a newer one in a build environment.
        pip("--no-deps", "--no-build-isolation", "--editable", ROOT)
        STAMP.write_text(json.dumps({"key": setup_key(), "torch": torch}) + "\n", encoding="utf-8")
        say(f"set up in {time.monotonic() - started:.0f} s")


# --- a display for tests ----------------------------------------------------------------------------------


@contextlib.contextmanager
def display() -> Iterator[dict[str, str]]:
    """Yield an environment with a display: the person's own, or a virtual one that ends with the block."""
    env = dict(os.environ)
    if has_display():
        yield env
        return
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Its own session, so that a Ctrl-C reaches the tests first and they can still tidy their windows.
        start_new_session=True,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            stop("the virtual display (Xvfb) did not start.")
        env["DISPLAY"] = f":{number}"
        env.setdefault("QT_QPA_PLATFORM", "xcb")
        yield env
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


# --- the commands -----------------------------------------------------------------------------------------


def run(arguments: Sequence[str]) -> int:
    """Open the window; without a display draw one picture per example place of the embedded model."""
    if has_display():
        prepare_system(programs=False)
        prepare_venv()
        return call([PYTHON, "-m", "gpsdream_app", "gui", *arguments])
    prepare_venv()
    say("there is no display here, so the embedded model's example places are drawn from the command line")
    out = ROOT / "out" / "examples"
    return call([PYTHON, "-m", "gpsdream_app", "generate", "--examples", "--out", out, *arguments])


def test(arguments: Sequence[str]) -> int:
    """Run the tests; further arguments go to pytest."""
    prepare_system(programs=not has_display() or bool(os.environ.get("CI")))
    prepare_venv()
    with display() as env:
        return call([PYTHON, "-m", "pytest", "-m", "not slow", *arguments], env=env)


def lint(arguments: Sequence[str]) -> int:
    """Check format, style, types and layering; `--fix` mends what can be mended."""
    prepare_venv()
    fix = "--fix" in arguments
    scripts = PYTHON.parent
    checks: list[tuple[str, list[str | Path]]] = [
        ("format", [PYTHON, "-m", "ruff", "format", *([] if fix else ["--check"]), "."]),
        ("style", [PYTHON, "-m", "ruff", "check", *(["--fix"] if fix else []), "."]),
        ("types", [PYTHON, "-m", "mypy"]),
        ("layering", [scripts / "lint-imports", "--no-logo"]),
    ]
    failed = []
    for name, command in checks:
        say(name)
        if call(command):
            failed.append(name)
    say("not clean: " + ", ".join(failed) if failed else "clean")
    return 1 if failed else 0


def bench(arguments: Sequence[str]) -> int:
    """Measure start, drawing and memory; `--write` puts the table into docs/performance.md."""
    prepare_system(programs=not has_display())
    prepare_venv()
    with display() as env:
        return call([PYTHON, ROOT / "tests" / "benchmarks" / "run.py", *arguments], env=env)


def setup(arguments: Sequence[str]) -> int:
    """Only set up: system libraries and the virtual environment."""
    if arguments:
        stop(f"setup takes no arguments, not {shlex.join(arguments)}.", 2)
    prepare_system(programs=False)
    prepare_venv()
    say("ready")
    return 0


def pin(arguments: Sequence[str]) -> int:
    """Write packaging/constraints.txt from what is installed in .venv."""
    if arguments:
        stop(f"pin takes no arguments, not {shlex.join(arguments)}.", 2)
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "freeze",
        "--all",
        "--exclude-editable",
        "--exclude",
        "pip",
        "--exclude",
        "gpsdream",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # A local label (+cpu, +cu128) names a build, and the build is the machine's affair.
    pins = [line.partition("+")[0] for line in text.splitlines() if "==" in line]
    head = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    CONSTRAINTS.write_text("\n".join([*head, *pins]) + "\n", encoding="utf-8")
    say(f"{len(pins)} pins written to {CONSTRAINTS.relative_to(ROOT)}")
    return 0


COMMANDS = {"run": run, "test": test, "lint": lint, "bench": bench, "setup": setup, "pin": pin}


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command and do it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        text = (function.__doc__ or "").splitlines()[0]
        names.add_parser(name, help=text, add_help=False)
    options, rest = parser.parse_known_args(argv)
    try:
        return COMMANDS[options.command](rest)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
