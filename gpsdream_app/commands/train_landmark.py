"""`gpsdream train-landmark`: start the trainer of landmark models as a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gpsdream_app.commands import train

TRAINER = (sys.executable, "-m", "gpsdream_app.training.landmark")


def run(arguments: argparse.Namespace, command: Sequence[str] = TRAINER) -> int:
    """Train with the arguments that the person gave, and return the trainer's exit code.

    Args:
        arguments: `rest` holds what goes to the trainer.
        command: what starts the trainer.
    """
    return train.run(arguments, command)
