"""How long a library of 100,000 pictures takes to open, to search and to be scrolled through."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Figure, Watched

ROWS = 100_000
PATIENCE_SECONDS = 900.0  # most of it goes into writing the rows


def measure() -> list[Figure]:
    """Return opening, searching and scrolling times, each with the limit that it must keep."""
    child = Path(__file__).with_name("library_child.py")
    with TemporaryDirectory(prefix="gpsdream-bench-") as folder:
        environment = {**os.environ, "GPSDREAM_HOME": folder, "HF_HUB_OFFLINE": "1"}
        run = Watched([sys.executable, "-u", child, str(ROWS)], environment, patience=PATIENCE_SECONDS)
    times = json.loads([line for _, line in run.lines if line.startswith("{")][-1])
    rows = f"{ROWS:,} rows"
    return [
        Figure("library opened and listed", times["open"], "s", 1.0, rows),
        Figure(
            "library place, from click to pictures' places", times["page"], "s", 1.0, f"{rows}, all filters counted"
        ),
        Figure(
            "search by words, slowest", 1000 * times["search"], "ms", 100.0, f"{rows}, {times['searches']} searches"
        ),
        Figure("search by place, date, model or star", 1000 * times["filter"], "ms", 100.0, f"slowest, {rows}"),
        Figure(
            "frame while scrolling, 95th percentile", 1000 * times["frame"], "ms", 16.0, f"{times['frames']} frames"
        ),
        Figure("event loop while scrolling, 99th percentile", 1000 * times["stall"], "ms", 16.0, "late by, 5 ms ticks"),
    ]
