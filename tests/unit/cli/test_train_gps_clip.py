"""`gpsdream train-gps-clip`: arguments and the exit code reach the trainer."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace

import pytest

from gpsdream_app import cli
from gpsdream_app.commands import train, train_gps_clip


def test_arguments_and_exit_code_are_handed_on(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print(*sys.argv[1:]); sys.exit(3)"
    code = train_gps_clip.run(Namespace(rest=["--photos", "a folder"]), (sys.executable, "-c", program))
    assert code == 3
    assert capfd.readouterr().out == "--photos a folder\n"


def test_the_command_line_hands_on_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(arguments: Namespace, command: object) -> int:
        given.append(arguments.rest)
        return 130

    monkeypatch.setattr(train, "run", run)
    assert cli.main(["train-gps-clip", "--no-heading", "--out", "judges"]) == 130
    assert given == [["--no-heading", "--out", "judges"]]


def test_help_answers_without_torch() -> None:
    program = (
        "import sys; from gpsdream_app.training.judges import parser; parser().format_help(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert train_gps_clip.TRAINER[1:] == ("-m", "gpsdream_app.training.judges")
