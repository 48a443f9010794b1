"""How long `gpsdream generate` takes with the embedded model on the CPU, and how much memory."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

from measuring import Figure, Watched, home, median

PICTURES = 4


def measure() -> list[Figure]:
    """Return the time to the first picture, the time of each further one, and the peak of memory."""
    count = str(PICTURES)
    place = ("--lat", "40.7411", "--lon", "-73.9897", "--prompt", "a tall office building", "--seed", "1")
    with home() as environment:
        preview, picture = _click(environment)
        run = Watched([sys.executable, "-u", "-m", "gpsdream_app", "generate", *place, "--n", count], environment)
    times = [seconds for seconds, line in run.lines if ".png" in line]
    if len(times) != PICTURES:
        raise RuntimeError("gpsdream generate printed other lines than expected")
    further = [after - before for before, after in itertools.pairwise(times)]
    return [
        Figure("first picture, start included", times[0], "s", 20.0, "gpsdream generate, embedded model, CPU"),
        Figure("each further picture", median(further), "s", 2.5, f"median of {len(further)}"),
        Figure("Draw to first preview", preview, "s", 0.5, "engine with the model loaded, median of 5"),
        Figure("Draw to finished picture", picture, "s", 2.5, "the same, saved and measured for typicality"),
        Figure("peak memory of generate", run.peak / 2**20, "MiB", 3 * 1024.0, "engine and command line together"),
    ]


def _click(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from a request to its first preview and to its picture, with the model loaded."""
    code = "import drawing; drawing.click()"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    run = Watched([sys.executable, "-c", code], {**environment, "PYTHONPATH": paths})
    preview, picture = map(float, run.lines[-1][1].split())
    return preview, picture


def click() -> None:
    """Print both times; in a process of its own, because the user folder is that of the environment."""
    from gpsdream_app.commands.generate import card_defaults
    from gpsdream_app.domain.events import PictureFinished, Step
    from gpsdream_app.domain.places import Place
    from gpsdream_app.domain.requests import DEFAULT_MODEL, GenerateRequest
    from gpsdream_app.engine.client import ProcessEngine
    from gpsdream_app.library.model_folders import find_model, read_card

    settings = card_defaults(read_card(find_model(DEFAULT_MODEL)).defaults)
    engine = ProcessEngine()
    previews, pictures = [], []
    for seed in range(6):
        request = GenerateRequest(place=Place(40.7411, -73.9897, 298), prompt="shop, awning", seed=seed, **settings)
        started, seen = time.monotonic(), False
        for event in engine.stream(request):
            if isinstance(event, Step) and event.preview and not seen:
                seen = True
                previews.append(time.monotonic() - started)
            elif isinstance(event, PictureFinished):
                pictures.append(time.monotonic() - started)
    engine.shutdown()
    # The first request waited for the model.
    print(median(previews[1:]), median(pictures[1:]))
