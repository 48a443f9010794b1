"""What is handed to people: desktop entry, AppStream data, icons, licences, the wheel and the bundle.

`GPSDREAM_BUNDLE` names the folder of a bundle that has been built already; else the slow test builds one.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest
from defusedxml import ElementTree
from PIL import Image

from gpsdream_app import __version__
from gpsdream_app.library.picture_metadata import read_png

ROOT = Path(__file__).resolve().parents[2]
LINUX = ROOT / "packaging" / "linux"
ID = "io.github.gpsdream.GPSDream"
PATIENCE = 1200.0  # seconds
DRAW = ["generate", "--lat", "40.7411", "--lon", "-73.9897", "--steps", "2", "--seed", "7", "--out"]


def project() -> dict[str, object]:
    settings: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return settings


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gpsdream_{name}", ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# --- for desktops -----------------------------------------------------------------------------------------


def test_the_desktop_entry_starts_the_program_and_is_found_by_its_window() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(LINUX / f"{ID}.desktop", encoding="utf-8")
    entry = parser["Desktop Entry"]
    assert entry["Type"] == "Application"
    program, *arguments = entry["Exec"].split()
    assert program in project()["scripts"]  # type: ignore[operator]
    assert arguments == ["gui"]
    assert entry["Icon"] == ID
    assert entry["Categories"].endswith(";")
    assert f'"{ID}"' in (ROOT / "gpsdream_app" / "ui" / "app.py").read_text(encoding="utf-8")


def test_the_appstream_data_fits_the_program() -> None:
    root = ElementTree.parse(LINUX / f"{ID}.metainfo.xml").getroot()
    assert root.findtext("id") == ID
    assert root.findtext("project_license") == project()["license"]
    assert root.findtext("launchable") == f"{ID}.desktop"
    releases = root.find("releases")
    assert releases is not None
    assert releases[0].get("version") == __version__
    validator = shutil.which("appstreamcli")
    if validator:
        done = subprocess.run(
            [validator, "validate", "--no-net", str(LINUX / f"{ID}.metainfo.xml")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_icons_are_there_for_every_system() -> None:
    icons = ROOT / "resources" / "icons"
    with Image.open(icons / "gpsdream.ico") as ico:
        assert {(16, 16), (32, 32), (48, 48), (256, 256)} <= set(ico.info["sizes"])
    with Image.open(icons / "gpsdream.icns") as icns:
        assert max(size[0] * size[2] for size in icns.info["sizes"]) == 1024
        largest = icns.copy()
    with Image.open(icons / "gpsdream.png") as png:
        assert png.size == (512, 512)
        small = np.asarray(png.convert("RGBA").resize((64, 64)), dtype=float)
    assert small[0, 0, 3] == 0  # round corners
    assert np.abs(np.asarray(largest.convert("RGBA").resize((64, 64)), dtype=float) - small).mean() < 4


# --- licences ---------------------------------------------------------------------------------------------


def test_the_licence_of_every_dependency_is_listed() -> None:
    licences = script("make_licences")
    listed = (ROOT / "resources" / "licences.txt").read_text(encoding="utf-8")
    names = {licences.plain(name) for name in re.findall(r"^(\S+) \S+$", listed, re.MULTILINE)}
    found = licences.packages()
    assert {licences.plain(one.name) for one in found} <= names
    assert all(one.licence for one in found)
    for text in project()["dependencies"]:  # type: ignore[attr-defined]
        assert licences.plain(re.match(r"[A-Za-z0-9._-]+", text)[0]) in names  # type: ignore[index]
    assert len(found) > 50
    unknown = [one.name for one in found if one.licence.lower() in ("unknown", "other", "proprietary")]
    assert unknown == []


# --- the bundle's program ---------------------------------------------------------------------------------


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "packaging" / "launch.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_launcher_is_the_command_line_and_runs_its_own_modules_alone() -> None:
    assert launched("--version").stdout.strip() == f"GPSDream {__version__}"
    assert launched("-P", "-m", "gpsdream_app", "--version").stdout.strip() == f"GPSDream {__version__}"
    assert launched("-c", "import json; print(json.dumps({'a': 1}))").stdout.strip() == '{"a": 1}'
    foreign = launched("-m", "this")
    assert foreign.returncode != 0
    assert "Zen" not in foreign.stdout


def check_picture(folder: Path) -> None:
    (path,) = folder.glob("*.png")
    with Image.open(path) as image:
        assert np.asarray(image.convert("L"), dtype=float).std() > 5
    request = read_png(path)
    assert request.seed == 7
    assert request.place is not None
    assert request.place.lat == pytest.approx(40.7411)


def run(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.slow
def test_a_wheel_in_an_empty_environment_draws_a_picture(tmp_path: Path, gpsdream_home: Path) -> None:
    """The wheel alone is installed; what it depends on is lent by this environment, which needs no network."""
    built = run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        dict(os.environ),
        tmp_path,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    place = tmp_path / "empty"
    venv.create(place, with_pip=True)
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = str(next(scripts.glob("python*")))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    installed = run(
        [python, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)],
        environment,
        tmp_path,
    )
    assert installed.returncode == 0, installed.stderr
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run([python, "-c", asked], environment, tmp_path).stdout.strip())
    lent = next(path for path in sys.path if path and (Path(path) / "torch").is_dir())
    # Entries of a .pth file are only searched: this environment's own link to the clone is not followed.
    (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    where = run([python, "-c", "import gpsdream_app; print(gpsdream_app.__file__)"], environment, tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(place), where.stderr
    program = str(scripts / "gpsdream")
    assert run([program, "--version"], environment, tmp_path).stdout.strip() == f"GPSDream {__version__}"
    drawn = run([program, *DRAW, str(tmp_path / "out")], environment, tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    check_picture(tmp_path / "out")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle; building one takes some minutes and four gigabytes."""
    given = os.environ.get("GPSDREAM_BUNDLE")
    if given:
        return Path(given)
    pytest.importorskip("PyInstaller")
    folder = tmp_path_factory.mktemp("bundle")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    command += ["--distpath", str(folder / "dist"), "--workpath", str(folder / "work")]
    done = run([*command, str(ROOT / "packaging" / "gpsdream.spec")], dict(os.environ), folder)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "work")
    return folder / "dist" / "gpsdream"


def bare(home: Path) -> dict[str, str]:
    """An environment without a Python of any sort."""
    kept = ("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "HOME", "USER", "SYSTEMROOT", "TEMP", "GPSDREAM_TEST_SESSION")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "GPSDREAM_HOME": str(home)}


def program_of(bundle: Path) -> str:
    return str(bundle / ("gpsdream.exe" if os.name == "nt" else "gpsdream"))


@pytest.mark.slow
def test_the_bundle_draws_a_picture_and_finds_itself_whole(bundle: Path, tmp_path: Path, gpsdream_home: Path) -> None:
    environment = bare(gpsdream_home)
    drawn = run([program_of(bundle), *DRAW, str(tmp_path / "out")], environment, tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    check_picture(tmp_path / "out")
    doctor = run([program_of(bundle), "doctor", "--json"], environment, tmp_path)
    report = json.loads(doctor.stdout)
    broken = [check for check in report["checks"] if check["status"] == "broken"]
    assert broken == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no polite signal")
def test_the_bundles_window_starts_its_engine_and_ends(bundle: Path, tmp_path: Path, gpsdream_home: Path) -> None:
    environment = bare(gpsdream_home)
    if "DISPLAY" not in environment and "WAYLAND_DISPLAY" not in environment:
        pytest.skip("there is no display")
    with subprocess.Popen(
        [program_of(bundle), "gui"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + PATIENCE
        log = gpsdream_home / "logs" / "engine.log"
        # The engine has loaded the model: it runs, and what draws was found in the bundle.
        while not (log.is_file() and "Loading with the memory preset" in log.read_text(encoding="utf-8")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.2)
        # The map's browser runs as well.
        while not any("WebEngine" in one.name() for one in psutil.Process(process.pid).children(recursive=True)):
            assert time.monotonic() < end
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert (gpsdream_home / "settings.json").is_file()
    assert not (gpsdream_home / "graphics-starting.json").exists()
