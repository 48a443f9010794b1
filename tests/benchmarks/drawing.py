"""How long `gpsdream generate` takes with the embedded model on the CPU, and how much memory."""

from __future__ import annotations

import itertools
import sys

from measuring import Figure, Watched, home, median

PICTURES = 4


def measure() -> list[Figure]:
    """Return the time to the first picture, the time of each further one, and the peak of memory."""
    count = str(PICTURES)
    place = ("--lat", "40.7411", "--lon", "-73.9897", "--prompt", "a tall office building", "--seed", "1")
    with home() as environment:
        run = Watched([sys.executable, "-u", "-m", "gpsdream_app", "generate", *place, "--n", count], environment)
    times = [seconds for seconds, line in run.lines if ".png" in line]
    if len(times) != PICTURES:
        raise RuntimeError("gpsdream generate printed other lines than expected")
    further = [after - before for before, after in itertools.pairwise(times)]
    return [
        Figure("first picture, start included", times[0], "s", 20.0, "gpsdream generate, embedded model, CPU"),
        Figure("each further picture", median(further), "s", 6.0, f"median of {len(further)}"),
        Figure("peak memory of generate", run.peak / 2**20, "MiB", 3 * 1024.0, "engine and command line together"),
    ]
