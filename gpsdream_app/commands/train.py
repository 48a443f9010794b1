"""`gpsdream train`: start the trainer as a process of its own, and hand Ctrl-C on to it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

TRAINER = (sys.executable, "-m", "gpsdream_app.training")
FORWARDED = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


def run(arguments: argparse.Namespace, command: Sequence[str] = TRAINER) -> int:
    """Train with the arguments that the person gave, and return the trainer's exit code.

    The trainer gets a session of its own: a Ctrl-C reaches it once, from here, and lets it save and stop.

    Args:
        arguments: `rest` holds what goes to the trainer.
        command: what starts the trainer.
    """
    own_session: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        own_session = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, frame: object) -> None:
        if child is None:
            early.append(number)
            return
        # CTRL_BREAK is all that another process group can be sent on Windows.
        with contextlib.suppress(OSError):
            child.send_signal(getattr(signal, "CTRL_BREAK_EVENT", number))

    # Before the trainer starts, so that no moment is left in which a Ctrl-C ends only this process.
    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        child = subprocess.Popen([*command, *arguments.rest], **own_session)
        for number in early:
            forward(number, None)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()
    return 128 - code if code < 0 else code
