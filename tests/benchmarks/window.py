"""How long it takes from the start of the program to a map that takes clicks, and to a model that is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

from measuring import Figure, Watched, home, median

RUNS = 3


def measure() -> list[Figure]:
    """Return the time to an interactive map and to a loaded model, and the window's memory."""
    child = Path(__file__).with_name("window_child.py")
    maps, models, peaks = [], [], []
    for number in range(RUNS + 1):
        with home() as environment:
            run = Watched([sys.executable, "-u", child], environment)
        times = {line.strip(): seconds for seconds, line in run.lines}
        if not {"interactive", "warm"} <= set(times):
            raise RuntimeError("the window closed before the map and the model were there")
        if number:  # the first start fills the disk's cache
            maps.append(times["interactive"])
            models.append(times["warm"])
            peaks.append(run.peak / 2**20)
    note = f"median of {RUNS} warm starts"
    return [
        Figure("start to interactive map", median(maps), "s", 2.5, note),
        Figure("start to loaded model", median(models), "s", None, note),
        Figure("peak memory of window and engine", max(peaks), "MiB", None, "idle, model loaded"),
    ]
