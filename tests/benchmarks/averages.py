"""Averages over places: how long six neighbourhoods take, how the memory grows, what a subset costs in error.

`python tests/benchmarks/averages.py error [PLACES]` prints the table of errors in docs/averages.md.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import Figure, Watched, home

if TYPE_CHECKING:
    import numpy as np

    from gpsdream_app.domain.regions import Region
    from gpsdream_app.generation.draw import Painter

NEIGHBOURHOODS = ("Greenwich Village", "Union Square", "Flatiron District", "NoMad", "Midtown", "Upper East Side")
PLACES, MANY_PLACES = 32, 256
SUBSETS = (1, 2, 4, 8, 16)
SEEDS = (1, 2)
COMPARED = ("Greenwich Village", "Midtown", "Upper East Side")


def measure() -> list[Figure]:
    """Return the time for six neighbourhoods, and the peak of memory for few and for many places."""
    figures = []
    with home() as environment:
        for subset in (0, 8):
            run = _child(environment, "time", str(PLACES), str(subset))
            (seconds,) = [float(line) for _, line in run.lines if line.strip()]
            how = f"{subset} of {PLACES} places at each step" if subset else f"all {PLACES} places at each step"
            figures.append(Figure("averages of six neighbourhoods", seconds, "s", 90.0, f"{how}, 20 steps, CPU"))
        # The process's own peak: a sampled one may miss it.
        few, many = (float(_child(environment, "memory", str(places)).lines[-1][1]) for places in (PLACES, MANY_PLACES))
    return [
        *figures,
        Figure(f"peak memory of an average, {PLACES} places", few, "MiB", None, "embedded model, CPU"),
        Figure(f"peak memory of an average, {MANY_PLACES} places", many, "MiB", 1.3 * few, "1.3 times as much at most"),
    ]


def _child(environment: dict[str, str], *arguments: str) -> Watched:
    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(root), environment.get("PYTHONPATH", "")])
    return Watched([sys.executable, __file__, *arguments], {**environment, "PYTHONPATH": paths})


# -- in a process of its own --


def _painter() -> Painter:
    from gpsdream_app.domain.requests import DEFAULT_MODEL
    from gpsdream_app.generation.draw import Painter
    from gpsdream_app.library.model_folders import find_model

    return Painter.load(find_model(DEFAULT_MODEL), device="cpu")


def _regions(painter: Painter, count: int, names: tuple[str, ...] = NEIGHBOURHOODS) -> list[tuple[Region, tuple]]:
    from gpsdream_app.domain.averages import Sampling
    from gpsdream_app.geo.city import load_city
    from gpsdream_app.geo.regions import find_region, sample_places

    city = load_city(painter.card.city)
    found = [find_region(city, name) for name in names]
    return [
        (
            region,
            sample_places(
                region, count, sampling=Sampling.AREA, headings="street", city=city, coverage=painter.card.coverage
            ),
        )
        for region in found
    ]


def _draw(
    painter: Painter, places: tuple, subset: int | None, seed: int = 1, steps: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Latents (c, h, w) and pixels (h, w, 3), 0 to 255, of an average."""
    import torch

    from gpsdream_app.generation.average import MeanOverPlaces
    from gpsdream_app.generation.draw import sampling_settings

    pipeline, defaults = painter.pipeline, painter.card.average_defaults
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    latents = pipeline(
        "building",
        MeanOverPlaces(places, subset, seed=seed),
        num_inference_steps=steps,
        text_guidance=defaults.get("text_guidance", 3.5),
        place_guidance=defaults.get("place_guidance", 7.5),
        # The noise stays; only the subsets change with the seed.
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
        **sampling_settings(defaults),
    ).images
    return latents[0].numpy(), 255 * pipeline.decode(latents, "np")[0]


def error(count: int) -> None:
    """Print what subsets change against the full mean: RMS over regions and seeds."""
    import numpy as np

    painter = _painter()
    regions = _regions(painter, count, COMPARED)
    full = [_draw(painter, places, None) for _, places in regions]
    between = [
        (np.sqrt(np.mean((one[0] - other[0]) ** 2)), np.sqrt(np.mean((one[1] - other[1]) ** 2)))
        for index, one in enumerate(full)
        for other in full[:index]
    ]
    spread = np.mean([latents.std() for latents, _ in full])
    print(f"| places at each step, of {count} | passes per step | latent RMS | of the latents' spread | pixel RMS |")
    print("|---|---|---|---|---|", flush=True)
    for subset in SUBSETS:
        errors = []
        for (_, places), (latents, pixels) in zip(regions, full, strict=True):
            for seed in SEEDS:
                other, shown = _draw(painter, places, subset, seed)
                errors.append((np.mean((other - latents) ** 2), np.mean((shown - pixels) ** 2)))
        latent, pixel = np.sqrt(np.mean(errors, axis=0))
        print(f"| {subset} | {subset + 2} | {latent:.3f} | {latent / spread:.0%} | {pixel:.1f} |", flush=True)
    latent, pixel = np.sqrt(np.mean(np.square(between), axis=0))
    print(f"| all, but of another neighbourhood | {count + 2} | {latent:.3f} | {latent / spread:.0%} | {pixel:.1f} |")


def main() -> None:
    """Do one thing, as the arguments say."""
    what, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else PLACES
    if what == "error":
        error(count)
        return
    painter = _painter()
    if what == "memory":
        ((_, places), *_) = _regions(painter, count)
        _draw(painter, places, None, steps=2)  # every step takes the same
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")  # KiB on Linux
        return
    started = time.monotonic()
    for _, places in _regions(painter, count):
        _draw(painter, places, int(sys.argv[3]) or None)
    print(f"{time.monotonic() - started:.2f}")


if __name__ == "__main__":
    main()
