"""`gpsdream evaluate`: have a process of its own measure a model, show how far it is, and print the table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, Any

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

EVALUATOR = (sys.executable, "-m", "gpsdream_app.evaluation")
REPORT_JSON, REPORT_TABLE = "report.json", "table.txt"
LINES_KEPT = 20


def run(arguments: argparse.Namespace, command: Sequence[str] = EVALUATOR) -> int:
    """Measure a model and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        command: what starts the process that measures.
    """
    answer = _watch([*command, *child_arguments(arguments)])
    if answer is None:
        terminal.note("gpsdream: Cancelled; no report was written.")
        return terminal.CANCELLED
    page = Path(answer)
    if arguments.json:
        terminal.say_json(json.loads((page.parent / REPORT_JSON).read_text(encoding="utf-8")) | {"page": str(page)})
    else:
        terminal.say((page.parent / REPORT_TABLE).read_text(encoding="utf-8").rstrip())
        terminal.note(f"\nThe whole report is {page}")
    return terminal.OK


def child_arguments(arguments: argparse.Namespace) -> list[str]:
    """The arguments of the process that measures. Values are joined to their names, so that none looks like one."""
    given = [f"--model={arguments.model}", f"--photos={Path(arguments.photos).expanduser()}"]
    for name in ("judges", "clip", "out"):
        value = getattr(arguments, name)
        if value is not None:
            given.append(f"--{name}={Path(value).expanduser()}")
    for name in ("questions", "word_places", "seed"):
        value = getattr(arguments, name)
        if value is not None:
            given.append(f"--{name.replace('_', '-')}={value}")
    given += [f"--{name.replace('_', '-')}" for name in ("quick", "seen_too") if getattr(arguments, name)]
    return given


def _watch(command: Sequence[str]) -> str | None:
    """Run the process and show its progress; return the page that it wrote, None if it was cancelled.

    Raises:
        GPSDreamError: what it says went wrong.
    """
    # In a session of its own, a Ctrl-C reaches it once, from here.
    own_session: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        own_session = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **own_session
    )
    assert child.stdout is not None and child.stderr is not None
    last_words: deque[str] = deque(maxlen=LINES_KEPT)
    # Read beside the answers: a full pipe would stop the process.
    reader = Thread(target=_keep, args=(child.stderr, last_words), name="evaluation stderr", daemon=True)
    reader.start()

    def cancel() -> None:
        with contextlib.suppress(OSError):
            child.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))

    final: dict[str, Any] = {}
    try:
        with terminal.cancel_on_signal(cancel), terminal.Progress("Measuring") as progress:
            for values in _objects(child.stdout):
                if "done" in values:
                    # The passes through a network that are counted mean nothing to a person; their share does.
                    share = 100 * float(values["done"]) / max(1.0, float(values["total"]))
                    progress.update(share, 100, str(values.get("text", "")), values.get("seconds_left"))
                else:
                    final = values
            code = child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        reader.join(5)
        child.stdout.close()
        child.stderr.close()
    if "report" in final:
        return str(final["report"])
    if code == terminal.CANCELLED or final.get("cancelled"):
        return None
    failed = final.get("failed")
    if isinstance(failed, dict):
        kind = str(failed.get("kind"))
        raise GPSDreamError(
            ErrorKind(kind) if kind in set(ErrorKind) else ErrorKind.INTERNAL,
            str(failed.get("message")),
            str(failed.get("hint", "")),
        )
    raise GPSDreamError(
        ErrorKind.INTERNAL,
        "The process that measures ended without an answer.",
        "Close other programs if memory is short, and try again.",
        details="\n".join(last_words),
    )


def _keep(stream: IO[bytes], lines: deque[str]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            lines.append(line.decode("utf-8", "replace").rstrip())


def _objects(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects among the lines of a stream; a library's stray line is passed over."""
    for line in stream:
        with contextlib.suppress(ValueError):
            values = json.loads(line)
            if isinstance(values, dict):
                yield values
