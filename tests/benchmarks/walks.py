"""A walk up Fifth Avenue with the embedded model: how long it takes, and whether neighbours differ smoothly."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import Figure, Watched, home
from PIL import Image

FRAMES = 120
JUMP = 3.0  # times the median difference that a step inside a block may make


def measure() -> list[Figure]:
    """Return the time of the walk, and the largest step inside a block over the median step."""
    with home() as environment, tempfile.TemporaryDirectory(prefix="gpsdream-walk-") as out:
        command = [sys.executable, "-u", "-m", "gpsdream_app", "walk", "--line", "Fifth Avenue", "--out", out, "--json"]
        run = Watched([*command, "--frames", str(FRAMES)], environment, patience=1800.0)
        report = json.loads("".join(line for _, line in run.lines))
        steps = _steps(sorted(Path(report["folder"]).glob("*.png")))
    differences = [difference for difference, _ in steps]
    inside = [difference for difference, same_block in steps if same_block]
    jump = max(inside) / float(np.median(differences))
    how = f"{FRAMES} pictures, film and strip included"
    return [
        Figure("walk up Fifth Avenue", run.seconds, "s", 360.0, how),
        Figure("peak memory of the walk", run.peak / 2**20, "MiB", 3 * 1024.0, "engine and command line together"),
        Figure(
            "largest step inside a block",
            jump,
            "x",
            JUMP,
            f"of {len(inside)}, over the median difference of neighbours",
        ),
    ]


def _steps(frames: list[Path]) -> list[tuple[float, bool]]:
    """Of neighbouring pictures the mean absolute difference of pixels, and whether both lie in one block."""
    from gpsdream_app.geo.manhattan import to_grid, uptown
    from gpsdream_app.library.picture_metadata import read_png

    streets = [uptown(street) for street in range(1, 111)]

    def block(path: Path) -> int:
        place = read_png(path).place
        assert place is not None
        _, along = to_grid(place.lat, place.lon)
        return int(np.searchsorted(streets, along))

    def pixels(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=np.float64)

    return [
        (float(np.abs(pixels(one) - pixels(other)).mean()), block(one) == block(other))
        for one, other in itertools.pairwise(frames)
    ]
