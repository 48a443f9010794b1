"""What the benchmarks share: a figure with its limit, and a program that is watched while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil

SAMPLE_SECONDS = 0.05
LAST_RESORT_SECONDS = 300.0  # a program that takes longer than this hangs


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: in `unit`.
        unit: `s`, `ms`, `MiB`, `per s`, or `x` for a ratio.
        limit: what it must not exceed (for `per s`: must reach); None if there is none.
        note: how it was measured.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the limit is kept."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.unit == "per s" else self.value <= self.limit


def median(values: Sequence[float]) -> float:
    """Return the middle one of some values; of two middle ones the lower."""
    return sorted(values)[(len(values) - 1) // 2]


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """Yield an environment with a user folder that is thrown away, and no network."""
    with tempfile.TemporaryDirectory(prefix="gpsdream-bench-") as folder:
        yield {**os.environ, "GPSDREAM_HOME": folder, "HF_HUB_OFFLINE": "1"}


def cpu_seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Run a program to its end and return the CPU time that it took, user and system."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


class Watched:
    """A program whose lines are stamped with the time, and whose memory (with its children's) is sampled.

    Attributes:
        lines: (seconds since the start, line of its standard output).
        seconds: from start to end.
        peak: largest memory of the whole family, bytes: pages that are shared are counted once (PSS) where the
            system tells, else once per process (RSS).
    """

    def __init__(
        self, command: Sequence[str | Path], environment: dict[str, str], *, patience: float = LAST_RESORT_SECONDS
    ) -> None:
        self.lines: list[tuple[float, str]] = []
        self.peak = 0
        started = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            _reading(process.stdout, lambda line: self.lines.append((time.monotonic() - started, line))),
            _reading(process.stderr, errors.append),
        ]
        family = psutil.Process(process.pid)
        while process.poll() is None:
            if time.monotonic() - started > patience:
                process.kill()
            self.peak = max(self.peak, family_bytes(family))
            time.sleep(SAMPLE_SECONDS)
        self.seconds = time.monotonic() - started
        for reader in readers:
            reader.join()
        if process.returncode:
            sys.stderr.writelines(errors[-20:])
            raise RuntimeError(f"{command[0]} ended with {process.returncode}")


def _reading(stream: TextIO, take: Callable[[str], object]) -> threading.Thread:
    def read() -> None:
        for line in stream:
            take(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def family_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and all its descendants, bytes."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for member in family:
        try:
            memory = member.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
        except (psutil.Error, OSError):
            continue
    return total
