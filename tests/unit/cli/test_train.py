"""`gpsdream train`: arguments, exit codes and Ctrl-C reach the trainer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from argparse import Namespace

import pytest

from gpsdream_app.commands import train

TRAINER = """
import signal, sys, time
def stop(number, frame):
    print("saved", number, flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
print("training", *sys.argv[1:], flush=True)
if "--wait" in sys.argv:
    time.sleep(60)
sys.exit(3)
"""


def test_arguments_and_exit_code_are_handed_on(capfd: pytest.CaptureFixture[str]) -> None:
    code = train.run(Namespace(rest=["--photos", "a folder"]), (sys.executable, "-c", TRAINER))
    assert code == 3
    assert capfd.readouterr().out == "training --photos a folder\n"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_lets_the_trainer_save() -> None:
    program = textwrap.dedent(f"""
        import sys
        from argparse import Namespace
        from gpsdream_app.commands import train
        sys.exit(train.run(Namespace(rest=["--wait"]), (sys.executable, "-c", {TRAINER!r})))
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "training --wait\n"
        started.send_signal(signal.SIGINT)
        assert started.stdout.readline() == f"saved {int(signal.SIGINT)}\n"
        assert started.wait(30) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_trainer_has_the_code_that_shells_give() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert train.run(Namespace(rest=[]), (sys.executable, "-c", program)) == 128 + signal.SIGKILL


def test_the_trainer_is_a_module_of_gpsdream() -> None:
    assert (sys.executable, "-m", "gpsdream_app.training") == train.TRAINER
