"""How long `gpsdream --help` keeps a processor busy."""

from __future__ import annotations

import sys

from measuring import Figure, cpu_seconds, home, median

RUNS = 7


def measure() -> list[Figure]:
    """Return the CPU time of `gpsdream --help`."""
    command = [sys.executable, "-m", "gpsdream_app", "--help"]
    with home() as environment:
        cpu_seconds(command, environment)  # compiles, and warms the disk's cache
        value = median([cpu_seconds(command, environment) for _ in range(RUNS)])
    return [Figure("gpsdream --help, CPU time", value, "s", 0.3, f"median of {RUNS}")]
