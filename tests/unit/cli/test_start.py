"""Starting the command line: what it loads, and what becomes of errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpsdream_app import __version__
from gpsdream_app.cli import main

HEAVY = ("torch", "diffusers", "transformers", "PySide6", "vtk", "PIL", "numpy", "shapely", "matplotlib", "tqdm")


def gpsdream(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gpsdream_app", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import gpsdream_app.cli",
        "import gpsdream_app.cli as c; c.main(['--help'])",
        "import gpsdream_app.cli as c; c.main(['generate', '--help'])",
        "import gpsdream_app.commands.generate, gpsdream_app.commands.models, gpsdream_app.commands.train",
        "import gpsdream_app.commands.explain",
        "import gpsdream_app.commands.average, gpsdream_app.commands.walk, gpsdream_app.commands.regions",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    text = f"{code}\nimport sys; print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_help_names_every_command_and_exit_code() -> None:
    done = gpsdream("--help")
    assert done.returncode == 0
    assert not done.stderr
    for word in (
        "gui",
        "generate",
        "explain",
        "average",
        "walk",
        "regions",
        "photos",
        "train",
        "models",
        "doctor",
        "130",
    ):
        assert word in done.stdout


def test_version() -> None:
    assert gpsdream("--version").stdout.strip() == f"GPSDream {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [["frobnicate"], ["generate", "--steps", "many"], ["models"], ["models", "get"], ["photos", "import"]],
)
def test_wrong_usage_is_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    answer = capsys.readouterr()
    assert not answer.out
    assert answer.err.startswith("gpsdream: ")
    assert "--help" in answer.err
    assert "Traceback" not in answer.err


def test_a_missing_model_is_a_failure_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "atlantis", "--json"]) == 1
    answer = capsys.readouterr()
    assert "atlantis" in answer.err
    assert json.loads(answer.out)["error"]["kind"] == "model_missing"


def test_an_unexpected_error_goes_to_the_log(
    gpsdream_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: object) -> int:
        raise ZeroDivisionError("no way")

    monkeypatch.setattr("gpsdream_app.commands.doctor.run", broken)
    assert main(["doctor"]) == 1
    answer = capsys.readouterr()
    log = gpsdream_home / "logs" / "gpsdream.log"
    assert "no way" in answer.err
    assert str(log) in answer.err
    assert "Traceback" not in answer.err
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: object) -> int:
        raise ZeroDivisionError("no way")

    monkeypatch.setattr("gpsdream_app.commands.doctor.run", broken)
    monkeypatch.setenv("GPSDREAM_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_ctrl_c_is_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpsdream_app.commands.doctor.run", interrupted)
    assert main(["doctor"]) == 130
    assert "Cancelled" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    done = gpsdream("models", "get", "stable-diffusion-v1-5", environment={"GPSDREAM_HOME": str(blocker)})
    assert done.returncode == 1
    assert str(blocker) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_poor_terminal_shows_question_marks_instead_of_failing(model: Path) -> None:
    done = gpsdream("models", "show", "tiny–é", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 1
    assert "tiny" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m gpsdream_app models list --json | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_window_is_started_with_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    app = pytest.importorskip("gpsdream_app.ui.app")
    given: list[list[str]] = []
    monkeypatch.setattr(app, "main", lambda argv: given.append(list(argv)) or 0)
    assert main([]) == 0
    assert main(["gui", "--model", "tiny"]) == 0
    assert given == [[], ["--model", "tiny"]]


@pytest.mark.parametrize("arguments", [["generate", "--steps", "many"], ["photos", "list", "--limit", "-3"]])
def test_wrong_usage_is_an_object_for_scripts(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "bad_request"
    assert "--help" in error["hint"]
    assert arguments[-1] in error["message"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["generate", "--lat", "-1e2", "--lon", "0"], "Latitude -100 is outside"),
        (["generate", "--lat", "-inf", "--lon", "0"], "The latitude is not a finite number"),
        (["photos", "clean", "--landmark", "-91,151.21,300"], "Latitude -91 is outside"),
    ],
)
def test_values_may_begin_with_a_minus(
    arguments: list[str], sentence: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] == "generate":
        arguments = [*arguments, "--model", str(model)]
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
