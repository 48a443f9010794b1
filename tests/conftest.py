"""What every test gets: its own user folder, no network, a look at what it leaves behind."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Before anything imports torch: idle threads sleep, instead of taking the cores from the processes under test.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
MARK = "GPSDREAM_TEST_SESSION"
SECONDS_TO_END = 10.0
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")

# Children of every test run that end with it: the tracker of multiprocessing, and the helpers of a Chromium
# that lives as long as the QApplication.
HARMLESS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "QtWebEngineProcess")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs; skips where it is absent."""
    folder = Path(os.environ.get("GPSDREAM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "README.md").is_file():
        pytest.skip("the shared photographs are not here (GPSDREAM_SHARED_DATA names their folder)")
    return folder


@pytest.fixture(autouse=True)
def gpsdream_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folder of this test's own, for the test and for the processes it starts."""
    home = tmp_path / "gpsdream-home"
    monkeypatch.setenv("GPSDREAM_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg-data"))
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    monkeypatch.delenv("GPSDREAM_DEBUG", raising=False)
    return home


def _is_local(host: object) -> bool:
    return not host or (isinstance(host, str) and host.startswith(LOOPBACK))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that looks outside this machine."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(sock: socket.socket, address: object) -> None:
        inet = sock.family in (socket.AF_INET, socket.AF_INET6)
        if inet and isinstance(address, tuple) and not _is_local(address[0]):
            pytest.fail(f"the test connects to {address}; tests stay on this machine", pytrace=True)

    def guarded_connect(sock: socket.socket, address: object) -> None:
        check(sock, address)
        connect(sock, address)  # type: ignore[arg-type]

    def guarded_connect_ex(sock: socket.socket, address: object) -> int:
        check(sock, address)
        return connect_ex(sock, address)  # type: ignore[arg-type]

    def guarded_getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        if not _is_local(name):
            pytest.fail(f"the test looks up {name}; tests stay on this machine", pytrace=True)
        return getaddrinfo(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


# --- processes that a test left behind ------------------------------------------------------------------


def _left_behind(mark: str) -> list[str]:
    """Return the processes that carry this session's mark, grandchildren without a parent included."""
    found = []
    for process in psutil.process_iter(["pid"]):
        if process.pid == os.getpid():
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.environ().get(MARK) != mark:
                continue
            command = " ".join(process.cmdline())
        except (psutil.Error, OSError):
            continue
        if not any(name in command for name in HARMLESS):
            found.append(f"{process.pid}: {command[:160]}")
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Mark this session, so that its processes can be told from others."""
    os.environ[MARK] = uuid.uuid4().hex


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail the session if processes that it started are still there."""
    left = _left_behind(os.environ[MARK])
    end = time.monotonic() + SECONDS_TO_END
    while left and time.monotonic() < end:
        time.sleep(0.2)
        left = _left_behind(os.environ[MARK])
    if left:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("\nprocesses that the tests left behind:\n  " + "\n  ".join(left), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)
