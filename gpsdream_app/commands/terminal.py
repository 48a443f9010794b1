"""Words on a terminal: lines that any encoding can take, tables, a progress bar, JSON for scripts."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gpsdream_app.domain.words import time_words

if TYPE_CHECKING:
    from gpsdream_app.domain.errors import Failure

# Exit codes, as docs/command-line.md gives them.
OK = 0
FAILED = 1
USAGE = 2
CANCELLED = 130

SECONDS_BETWEEN_DRAWS = 0.1
SECONDS_BETWEEN_LINES = 10.0


def make_unicode_safe() -> None:
    """Let no character end the program: what a terminal cannot show becomes a question mark."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")


def say(text: str = "") -> None:
    """Print a line of the command's answer."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a line that is not part of the answer, so that a pipe does not carry it."""
    if sys.stderr:
        print(text, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Print the whole answer as JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str), flush=True)


def show_failure(failure: Failure, *, as_json: bool = False) -> None:
    """Print a failure: one sentence and the hint on stderr, and with `as_json` an object on stdout."""
    note(f"gpsdream: {failure.message}")
    if failure.hint:
        note(f"  {failure.hint}")
    if as_json:
        say_json({"error": {"kind": str(failure.kind), "message": failure.message, "hint": failure.hint}})


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return rows as left-aligned columns; the last column is not padded."""
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))] if lines else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


@contextlib.contextmanager
def cancel_on_signal(cancel: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C (or SIGTERM) call `cancel`; a second one ends the program at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        # On a thread of its own, because the interrupted code may hold the locks that cancelling needs.
        threading.Thread(target=cancel, name="cancel", daemon=True).start()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress:
    """A bar on a terminal; elsewhere (a log, a pipe) a line now and then. Writes to stderr.

    Args:
        label: what is going on.
        unit: formats a count, for example as bytes; plain numbers if None.
        stream: where to write.
    """

    def __init__(self, label: str, unit: Callable[[float], str] | None = None, stream: TextIO | None = None) -> None:
        self.label = label
        self._unit = unit or (lambda value: f"{value:,.0f}")
        self._stream = stream or sys.stderr
        self._live = bool(self._stream and self._stream.isatty())
        self._drawn = ""
        self._last = float("-inf") if self._live else time.monotonic()
        self._full, self._empty = self._blocks()

    def _blocks(self) -> tuple[str, str]:
        try:
            "█░".encode(getattr(self._stream, "encoding", None) or "ascii")
        except (UnicodeEncodeError, LookupError):
            return "#", "."
        return "█", "░"

    def update(self, done: float, total: float, text: str = "", seconds_left: float | None = None) -> None:
        """Say how far it is: `done` of `total` (0 if nobody knows), and what is being done in a few words."""
        now = time.monotonic()
        if now - self._last < (SECONDS_BETWEEN_DRAWS if self._live else SECONDS_BETWEEN_LINES):
            return
        self._last = now
        parts = [self.label]
        if total:
            share = min(1.0, max(0.0, done / total))
            if self._live:
                filled = round(share * 24)
                parts.append(self._full * filled + self._empty * (24 - filled))
            parts.append(f"{self._unit(done)} of {self._unit(total)}")
        elif done:
            parts.append(self._unit(done))
        if text:
            parts.append(text)
        if seconds_left is not None:
            parts.append(f"{time_words(seconds_left)} left")
        self._write("  ".join(parts))

    def stage(self, text: str) -> None:
        """Say a named stage that has no count, at once."""
        if self._live:
            self._last = float("-inf")
            self._write(f"{self.label}  {text}")
        else:
            self._last = time.monotonic()
            self._write(text)

    def _write(self, line: str) -> None:
        if not self._stream:
            return
        if self._live:
            line = line[: max(20, shutil.get_terminal_size().columns - 1)]
            self._stream.write("\r" + line.ljust(len(self._drawn)))
            self._drawn = line
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar away, so that other lines can be printed."""
        if self._drawn:
            self._stream.write("\r" + " " * len(self._drawn) + "\r")
            self._stream.flush()
            self._drawn = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
