"""`python -m gpsdream_app.evaluation`: measure a model, and say how far it is as JSON lines on standard output."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

# Read before torch is imported: idle threads must sleep, or a second busy process slows every step several times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.library import paths

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CANCELLED = 0, 1, 2, 130
LOG_FILE = "evaluation.log"
SECONDS_BETWEEN_LINES = 0.3
# Before this much is done, nothing can be said of the time that is left.
SECONDS_TO_JUDGE = 3.0


def parser() -> argparse.ArgumentParser:
    """The arguments of the process."""
    result = argparse.ArgumentParser(prog="python -m gpsdream_app.evaluation", description=__doc__)
    result.add_argument("--model", required=True)
    result.add_argument("--photos", type=Path, required=True)
    for name in ("--judges", "--clip", "--out"):
        result.add_argument(name, type=Path)
    for name in ("--questions", "--word-places"):
        result.add_argument(name, type=int)
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    result.add_argument("--quick", action="store_true")
    result.add_argument("--seen-too", action="store_true")
    return result


def say(values: dict[str, Any]) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(values, ensure_ascii=True) + "\n")
    sys.stdout.flush()


class Teller:
    """Says how far it is, and how long it will still take at the speed since the first picture."""

    def __init__(self) -> None:
        self._said = 0.0
        self._text = ""
        self._start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int, text: str) -> None:
        """Take a report; pass on a new text at once, and numbers now and then."""
        now = time.monotonic()
        if done and self._start is None:
            self._start = now, done
        if text == self._text and now - self._said < SECONDS_BETWEEN_LINES and done < total:
            return
        self._said, self._text = now, text
        say({"done": done, "total": total, "text": text, "seconds_left": self._left(now, done, total)})

    def _left(self, now: float, done: int, total: int) -> float | None:
        if self._start is None or done <= self._start[1] or now - self._start[0] < SECONDS_TO_JUDGE:
            return None
        began, before = self._start
        return round((total - done) * (now - began) / (done - before), 1)


def _unexpected(error: Exception) -> Failure:
    """Write the traceback of an error that nobody foresaw to the log, and return what to tell the person."""
    hint = "GPSDREAM_DEBUG=1 shows the whole story."
    try:
        log = paths.log_dir() / LOG_FILE
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        hint = f"The whole story is in {log}."
    except (GPSDreamError, OSError):
        pass  # a disk that cannot be written to must not hide the error itself
    return Failure(
        ErrorKind.INTERNAL, f"The evaluation failed: {type(error).__name__}: {str(error)[:300].rstrip('.')}.", hint
    )


def _fail(failure: Failure) -> int:
    say({"failed": {"kind": str(failure.kind), "message": failure.message, "hint": failure.hint}})
    if os.environ.get("GPSDREAM_DEBUG") and failure.details:
        sys.stderr.write(failure.details + "\n")
    return EXIT_USAGE if failure.kind is ErrorKind.BAD_REQUEST else EXIT_FAILED


def main(arguments: list[str] | None = None) -> int:
    """Run the process; return its exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    options = parser().parse_args(arguments)
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        if stopped:
            raise SystemExit(EXIT_CANCELLED)
        stopped = True

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    try:
        # Imported here, so that a wrong argument is answered at once.
        from gpsdream_app.evaluation.plan import EvaluationSettings
        from gpsdream_app.evaluation.run import evaluate
        from gpsdream_app.generation.draw import DrawingCancelled

        settings = EvaluationSettings(**vars(options))
        try:
            page = evaluate(settings, Teller(), lambda: stopped)
        except DrawingCancelled:
            say({"cancelled": True})
            return EXIT_CANCELLED
    except GPSDreamError as error:
        return _fail(error.failure)
    except Exception as error:
        if os.environ.get("GPSDREAM_DEBUG"):
            raise
        return _fail(_unexpected(error))
    say({"report": str(page)})
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
