"""The set-up program, the pins, and what a wheel carries."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from gpsdream_app.domain.resources import resources_dir

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev() -> ModuleType:
    """packaging/dev.py as a module of this test's own."""
    spec = importlib.util.spec_from_file_location("gpsdream_dev", ROOT / "packaging" / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins() -> dict[str, str]:
    lines = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- pins -------------------------------------------------------------------------------------------------


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {plain(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in wanted}  # type: ignore[index]
    assert names <= {plain(name) for name in pins()}


def test_pins_name_versions_and_no_place_to_get_them_from() -> None:
    text = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9A-Za-z.]*", version), name


# --- the set-up program -----------------------------------------------------------------------------------


def test_torch_is_the_pinned_one_unless_a_person_says_otherwise(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPSDREAM_TORCH", raising=False)
    assert dev.torch_spec() == [f"torch=={pins()['torch']}"]
    before = dev.setup_key()
    monkeypatch.setenv("GPSDREAM_TORCH", "torch==2.13.0 --index-url 'an address'")
    assert dev.torch_spec() == ["torch==2.13.0", "--index-url", "an address"]
    assert dev.setup_key() != before


def test_a_set_up_is_done_again_only_when_something_changed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    stamp = tmp_path / "stamp.json"
    monkeypatch.setattr(dev, "PYTHON", python)
    monkeypatch.setattr(dev, "STAMP", stamp)
    assert not dev.is_ready()
    python.write_text("", encoding="utf-8")
    assert not dev.is_ready()
    stamp.write_text(json.dumps({"key": dev.setup_key()}), encoding="utf-8")
    assert dev.is_ready()
    stamp.write_text("{", encoding="utf-8")
    assert not dev.is_ready()
    stamp.write_text(json.dumps({"key": "of another version"}), encoding="utf-8")
    assert not dev.is_ready()


def test_a_set_up_that_is_there_starts_nothing(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "is_ready", lambda: True)
    monkeypatch.setattr(dev, "pip", lambda *arguments: pytest.fail("pip was called"))
    dev.prepare_venv()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system libraries are a matter of Linux")
def test_this_machine_has_what_the_tests_need(dev: ModuleType) -> None:
    assert dev.library_names()
    assert not dev.missing_packages(programs=False)


def _bare(dev: ModuleType, monkeypatch: pytest.MonkeyPatch, *, user: int) -> list[list[str]]:
    """Pretend to be on a Debian machine without Qt's libraries; returns the commands that were called."""
    called: list[list[str]] = []
    monkeypatch.setattr(dev, "LINUX", True)
    monkeypatch.setattr(dev, "missing_packages", lambda **_: {"libasound.so.2": ("libasound2t64", "libasound2")})
    monkeypatch.setattr(dev, "offered", lambda names: names[-1])
    monkeypatch.setattr(dev, "call", lambda command, **_: called.append(list(command)) or 0)
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(dev.os, "geteuid", lambda: user, raising=False)
    return called


def test_without_root_the_command_to_type_is_printed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = _bare(dev, monkeypatch, user=1000)
    with pytest.raises(SystemExit):
        dev.prepare_system(programs=True)
    assert not called
    error = capsys.readouterr().err
    assert "sudo apt-get update && sudo apt-get install -y libasound2\n" in error
    assert "libasound.so.2" in error


def test_root_installs_and_is_told_if_that_did_not_help(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = _bare(dev, monkeypatch, user=0)
    with pytest.raises(SystemExit):
        dev.prepare_system(programs=False)
    assert called == [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "libasound2"],
    ]
    assert "  apt-get update && apt-get install -y libasound2" in capsys.readouterr().err


def test_another_system_is_told_the_names_of_the_libraries(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _bare(dev, monkeypatch, user=1000)
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        dev.prepare_system(programs=False)
    assert "libasound.so.2" in capsys.readouterr().err


def test_a_python_without_ensurepip_is_told_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(dev, "call", lambda command, **_: 1)
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(SystemExit):
        dev.make_venv()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt-get install -y python{version}-venv" in capsys.readouterr().err


def test_without_a_display_run_draws_the_examples(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(dev, "has_display", lambda: False)
    monkeypatch.setattr(dev, "prepare_venv", lambda: None)
    monkeypatch.setattr(dev, "prepare_system", lambda **_: pytest.fail("a picture needs no system libraries"))
    monkeypatch.setattr(dev, "call", lambda command, **_: called.append([str(part) for part in command]) or 0)
    assert dev.main(["run", "--seed", "3"]) == 0
    (command,) = called
    assert command[1:] == [
        "-m", "gpsdream_app", "generate", "--examples", "--out", str(ROOT / "out" / "examples"), "--seed", "3"
    ]  # fmt: skip


def test_with_a_display_run_opens_the_window(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(dev, "has_display", lambda: True)
    monkeypatch.setattr(dev, "prepare_venv", lambda: None)
    monkeypatch.setattr(dev, "prepare_system", lambda **_: None)
    monkeypatch.setattr(dev, "call", lambda command, **_: called.append([str(part) for part in command]) or 0)
    assert dev.main(["run"]) == 0
    assert called[0][1:] == ["-m", "gpsdream_app", "gui"]


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_tests_get_a_display_that_ends_with_them(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    with dev.display() as environment:
        assert re.fullmatch(r":\d+", environment["DISPLAY"])
        socket = Path(f"/tmp/.X11-unix/X{environment['DISPLAY'][1:]}")
        assert socket.exists()
        assert environment["QT_QPA_PLATFORM"] == "xcb"
    assert not socket.exists()


def test_a_display_that_is_there_is_used(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":77")
    with dev.display() as environment:
        assert environment["DISPLAY"] == ":77"


def test_the_program_says_what_it_can_do() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "dev.py"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    for word in ("run", "test", "lint", "bench"):
        assert word in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_the_check_of_a_change_is_a_program() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


# --- what is delivered ------------------------------------------------------------------------------------


def test_an_editable_install_finds_the_resources() -> None:
    assert resources_dir() == ROOT / "resources"


def test_a_wheel_carries_the_program_and_its_resources(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
        archive.extractall(tmp_path / "site")
    for folder, delivered in ((ROOT / "gpsdream_app", "gpsdream_app"), (ROOT / "resources", "gpsdream_app/resources")):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert f"{delivered}/{path.relative_to(folder).as_posix()}" in names
    assert "gpsdream = gpsdream_app.cli:main" in entry_points
    assert not any(name.startswith(("tests/", "packaging/", "docs/", "resources/")) for name in names)
    # The program in the wheel finds the resources of the wheel, not those of this clone.
    code = "from gpsdream_app.domain.resources import resources_dir; print(resources_dir())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == tmp_path / "site" / "gpsdream_app" / "resources"
