"""`python -m gpsdream_app.evaluation.angles`: do drawn landmarks show the side that was asked for?

A classifier learns the azimuths of framed photos, is measured on photos that were held out, and then judges drawn views
from the middle of each of the 36 bins. A landmark may look alike from several sides; which, is measured on the true
shapes. Right is then counted three times: bin by bin, with sides that look alike taken for one, and only where a side
looks like no other.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

# Read before torch is imported: idle threads must sleep, or a second busy process slows every step several times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.evaluation.statistics import Interval, bootstrap
from gpsdream_app.geo.azimuth import BINS, angle_between, azimuth_bin, bin_azimuth
from gpsdream_app.landmarks.views import FramedView, FramedViews
from gpsdream_app.library.model_folders import find_model, read_card
from gpsdream_app.lifting.cameras import framed_camera
from gpsdream_app.lifting.scale import scale_of_height
from gpsdream_app.models.angle_classifier import AngleClassifier, azimuth_of, soft_bins
from gpsdream_app.models.checkpoint import load_pipeline
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline, View
from gpsdream_app.models.pictures import pictures_from_pixels

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Report = Callable[[int, int, str], None]
PER_BIN = 10
ALIKE = 0.75  # times the difference to the neighbouring bins


@dataclass(frozen=True)
class JudgeConfig:
    """How the classifier learns.

    Attributes:
        steps: optimiser steps.
        batch: pictures per step.
        learning_rate: peak, falling to zero.
        light: pictures become brighter or darker, and their colours stronger or weaker, by up to this share.
        noise: deviation of noise on the pixels, of 2 (white minus black).
        shift: pixels that pictures are moved by at most. They are never mirrored.
        seed: of everything random.
    """

    steps: int = 2000
    batch: int = 40
    learning_rate: float = 2e-3
    light: float = 0.3
    noise: float = 0.06
    shift: int = 2
    seed: int = 0


def _varied(pictures: torch.Tensor, config: JudgeConfig, generator: torch.Generator) -> torch.Tensor:
    """Pictures in other light, noisier, somewhat moved and now and then blurred."""
    count = len(pictures)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=generator) * 2 - 1

    pictures = pictures * (1 + config.light * uniform(1, 1, 1)) + config.light / 2 * uniform(3, 1, 1)
    if int(torch.randint(2, (1,), generator=generator)):
        small = torch.nn.functional.avg_pool2d(pictures, 2)
        pictures = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    down, right = (int(torch.randint(-config.shift, config.shift + 1, (1,), generator=generator)) for _ in range(2))
    pictures = torch.roll(pictures, (down, right), dims=(2, 3))
    return pictures + config.noise * torch.rand(count, 1, 1, 1, generator=generator) * torch.randn(
        pictures.shape, generator=generator
    )


def span_of(pixels: NDArray[np.uint8], views: Sequence[FramedView], landmark: str) -> float:
    """The share of the width, about the middle, that all but a few views of a landmark keep within."""
    masks = pixels[[index for index, view in enumerate(views) if view.landmark == landmark], ..., 3] > 127
    side = masks.shape[-1]
    columns: Bools = np.any(masks, axis=1)
    offset = np.abs(np.arange(side) + 0.5 - side / 2)
    reach = np.where(columns, offset + 0.5, 0.0).max(axis=1) if len(columns) else np.array([side / 2])
    return float(min(1.0, 2 * (np.quantile(reach, 0.98) + 3) / side))


def train_judge(
    framed: FramedViews, config: JudgeConfig | None = None, report: Report | None = None
) -> AngleClassifier:
    """Learn azimuths from the views that are not held out.

    Args:
        framed: the views.
        config: settings.
        report: told (step, steps, text).
    """
    config = config or JudgeConfig()
    torch.manual_seed(config.seed)
    views = framed.part(validation=False)
    ids, pixels = tuple(landmark.id for landmark in framed.landmarks), framed.pixels(views)
    judge = AngleClassifier(ids, framed.side, spans=tuple(span_of(pixels, views, one) for one in ids))
    pixels = pixels[..., :3]
    heads = torch.tensor([judge.head_of(view.landmark) for view in views])
    azimuths = torch.tensor([view.azimuth for view in views], dtype=torch.float64)
    targets = soft_bins(azimuths, torch.tensor([view.sigma for view in views], dtype=torch.float64))
    optimizer = torch.optim.AdamW(judge.parameters(), config.learning_rate, weight_decay=0.02)
    generator = torch.Generator().manual_seed(config.seed)
    judge.train()
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (step + 1) / 50, 2 * (1 - step / config.steps))
        chosen = torch.randint(len(views), (config.batch,), generator=generator)
        pictures = _varied(pictures_from_pixels(list(pixels[chosen.numpy()])), config, generator)
        loss = torch.nn.functional.cross_entropy(judge(pictures, heads[chosen]), targets[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if report and (step % 50 == 49 or step + 1 == config.steps):
            report(step + 1, config.steps, f"learning azimuths, loss {loss.item():.2f}")
    trained: AngleClassifier = judge.eval()
    return trained


def judged(judge: AngleClassifier, pictures: torch.Tensor, landmark: str) -> tuple[NDArray[np.int64], Floats]:
    """The bin (n,) and the azimuth in degrees (n,) from which pictures in [-1, 1] show a landmark."""
    with torch.no_grad():
        head = judge.head_of(landmark)
        logits = torch.cat([judge(part, torch.full((len(part),), head)) for part in pictures.split(64)])
    return logits.argmax(dim=1).numpy(), azimuth_of(logits).double().numpy()


def true_views(landmark: Landmark, side: int, background: Sequence[float]) -> Floats:
    """The true shape from the middle of every bin in even light, framed as photos are, (36, side, side, 3), 0 to 1."""
    # Opens VTK, so not before it is needed.
    from gpsdream_app.evaluation.lifts import framed_truth
    from gpsdream_app.landmarks.meshes import truth_mesh
    from gpsdream_app.landmarks.renderer import Renderer

    red, green, blue = background
    mesh, scale = truth_mesh(landmark.id), scale_of_height(landmark.height, 1.6)
    north = framed_camera(scale, landmark.height)
    pictures = []
    with Renderer() as renderer:
        for number in range(BINS):
            camera = replace(north, azimuth=bin_azimuth(number))
            pictures.append(framed_truth(renderer, mesh, camera, scale, side, (red, green, blue))[0])
    return np.stack(pictures)


def look_alikes(views: Floats) -> Bools:
    """Which bins of a landmark look alike, (36, 36), symmetric, true on the diagonal.

    Two bins more than 20 degrees apart do if their pictures differ by less (root mean square) than three quarters of
    what either differs by from its own neighbours on average: a step of 10 degrees is what must be seen.

    Args:
        views: (36, side, side, 3).
    """
    flat = views.reshape(BINS, -1)
    squares = (flat**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * flat @ flat.T, 0) / flat.shape[1])
    number = np.arange(BINS)
    beside = (distance[number, (number + 1) % BINS] + distance[number, (number - 1) % BINS]) / 2
    apart = np.abs((number[:, None] - number[None, :] + BINS // 2) % BINS - BINS // 2) > 2
    close = distance <= ALIKE * np.minimum(beside[:, None], beside[None, :])
    alike: Bools = (apart & close) | np.eye(BINS, dtype=np.bool_)
    return alike


@dataclass(frozen=True)
class AngleScores:
    """How often the asked azimuth was seen.

    Attributes:
        exact: share with the right bin.
        within_one: share at most one bin off.
        error: mean circular error, degrees.
        exact_alike, within_one_alike, error_alike: the same, with sides that look alike taken for one.
        exact_distinct, within_one_distinct, error_distinct: the same, only where a side looks like no other; None if
            there is no such side.
    """

    exact: Interval
    within_one: Interval
    error: Interval
    exact_alike: Interval
    within_one_alike: Interval
    error_alike: Interval
    exact_distinct: Interval | None
    within_one_distinct: Interval | None
    error_distinct: Interval | None


def scores_of(asked: Floats, bins: NDArray[np.int64], azimuths: Floats, alike: Bools) -> AngleScores:
    """Compare what was asked with what the classifier saw.

    Args:
        asked: (n,), degrees.
        bins: (n,), the classifier's.
        azimuths: (n,), degrees, the classifier's.
        alike: (36, 36), see `look_alikes`.
    """
    wanted = np.array([azimuth_bin(float(azimuth)) for azimuth in asked])
    off = np.abs((bins - wanted + BINS // 2) % BINS - BINS // 2)
    error = np.abs(angle_between(azimuths, asked))
    off_alike, error_alike = off.copy(), error.copy()
    for index, one in enumerate(wanted):
        for other in np.flatnonzero(alike[one]):
            # The same view, turned by the angle between both bins.
            turned = float(asked[index]) + (int(other) - int(one)) * 360 / BINS
            off_alike[index] = min(off_alike[index], abs((bins[index] - other + BINS // 2) % BINS - BINS // 2))
            error_alike[index] = min(error_alike[index], abs(angle_between(float(azimuths[index]), turned)))
    distinct = alike.sum(axis=1)[wanted] == 1

    def three(off: NDArray[np.int64], error: Floats) -> tuple[Interval, Interval, Interval]:
        return bootstrap(off == 0), bootstrap(off <= 1), bootstrap(error)

    only = three(off[distinct], error[distinct]) if distinct.any() else (None, None, None)
    return AngleScores(*three(off, error), *three(off_alike, error_alike), *only)


def draw_bins(
    pipeline: LandmarkPipeline,
    landmark: Landmark,
    *,
    distance: float | None,
    per_bin: int = PER_BIN,
    steps: int = 10,
    guidance: float = 2.0,
    seed: int = 0,
    together: int = 36,
    report: Report | None = None,
) -> torch.Tensor:
    """Views from the middle of every bin, (36 * per_bin, 3, side, side) in [-1, 1], bin by bin.

    Every picture has noise of its own. Words and angle are weighed together against nothing, as a lift does.

    Args:
        pipeline: that draws.
        landmark: what.
        distance: in heights; None for not told.
        per_bin: pictures of each bin.
        steps: denoising steps.
        guidance: weight of words and angle.
        seed: of the noise.
        together: pictures per pass.
        report: told (pictures, of how many, text).
    """
    azimuths = [bin_azimuth(number) for number in range(BINS) for _ in range(per_bin)]
    pipeline.set_progress_bar_config(disable=True)
    drawn = []
    for start in range(0, len(azimuths), together):
        part = azimuths[start : start + together]
        pictures = pipeline(
            landmark.prompt,
            [View(azimuth, distance) for azimuth in part],
            num_inference_steps=steps,
            text_guidance=guidance,
            place_guidance=guidance,
            generator=[torch.Generator().manual_seed(seed * 1_000_003 + start + i) for i in range(len(part))],
            output_type="pt",
        ).images
        drawn.append(pictures.float().cpu() * 2 - 1)
        if report:
            report(start + len(part), len(azimuths), f"drawing {landmark.name}")
    return torch.cat(drawn)


@dataclass(frozen=True)
class LandmarkAngles:
    """Measured for one landmark.

    Attributes:
        landmark: its id.
        photos: the classifier on held-out photos; None if there are none.
        drawn: on drawn views.
        distinct_bins: bins that look like no other.
        pairs: bins that look alike, smaller number first.
    """

    landmark: str
    photos: AngleScores | None
    drawn: AngleScores
    distinct_bins: int
    pairs: list[tuple[int, int]] = field(default_factory=list)


def measure(
    judge: AngleClassifier,
    held_out: Sequence[FramedView],
    framed: FramedViews,
    landmark: Landmark,
    drawn: torch.Tensor,
    alike: Bools,
) -> LandmarkAngles:
    """Judge held-out photos and drawn views of one landmark."""
    per_bin = len(drawn) // BINS
    asked = np.array([bin_azimuth(number) for number in range(BINS) for _ in range(per_bin)])
    photos = None
    mine = [view for view in held_out if view.landmark == landmark.id]
    if mine:
        pictures = pictures_from_pixels(list(framed.pixels(mine)[..., :3]))
        photos = scores_of(np.array([view.azimuth for view in mine]), *judged(judge, pictures, landmark.id), alike)
    seen = scores_of(asked, *judged(judge, drawn, landmark.id), alike)
    pairs = [(int(a), int(b)) for a, b in np.argwhere(np.triu(alike, 1))]
    return LandmarkAngles(landmark.id, photos, seen, int((alike.sum(axis=1) == 1).sum()), pairs)


def _percent(interval: Interval | None, unit: str = " %") -> str:
    if interval is None:
        return "–"
    factor, digits = (100, 0) if unit == " %" else (1, 1)
    low, high = interval.low * factor, interval.high * factor
    return f"{interval.value * factor:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"


def table_of(results: Sequence[LandmarkAngles]) -> str:
    """The results as a Markdown table; in brackets 95 % intervals."""
    lines = [
        "| landmark | on | exact bin | within one bin | mean error | exact, alike as one | exact, distinct sides |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, one in (("held-out photos", result.photos), ("drawn views", result.drawn)):
            if one is not None:
                lines.append(
                    f"| {result.landmark} | {name} | {_percent(one.exact)} | {_percent(one.within_one)} "
                    f"| {_percent(one.error, '°')} | {_percent(one.exact_alike)} | {_percent(one.exact_distinct)} "
                    f"of {result.distinct_bins} bins |"
                )
    return "\n".join(lines) + "\n"


def sheet_of(drawn: torch.Tensor, per_bin: int, rows: int = 3) -> Image.Image:
    """The first drawn views of every second bin, one column each."""
    rows = min(rows, per_bin)
    side = drawn.shape[-1]
    sheet = Image.new("RGB", (BINS // 2 * side, rows * side))
    pixels = ((drawn.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    for column in range(BINS // 2):
        for row in range(rows):
            sheet.paste(Image.fromarray(pixels[2 * column * per_bin + row]), (column * side, row * side))
    return sheet


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = argparse.ArgumentParser(prog="python -m gpsdream_app.evaluation.angles", description=__doc__)
    result.add_argument("--model", default="landmarks", help="an installed model, or a model folder")
    result.add_argument("--photos", type=Path, required=True, help="folder that `gpsdream landmarks frame` made")
    result.add_argument("--out", type=Path, required=True, help="folder for the numbers, the table and the pictures")
    result.add_argument("--per-bin", type=int, default=PER_BIN, help="drawn pictures of each bin")
    result.add_argument("--steps", type=int, help="denoising steps (the model's default)")
    result.add_argument("--guidance", type=float, help="weight of words and angle (the model's default)")
    result.add_argument("--judge-steps", type=int, default=JudgeConfig.steps, help="steps of the classifier")
    result.add_argument("--seed", type=int, default=0, help="of everything random")
    return result


def _say(done: int, total: int, text: str) -> None:
    sys.stderr.write(f"{text} ({done:,} of {total:,})\n")


def main(arguments: list[str] | None = None) -> int:
    """Measure; return 0."""
    options = parser().parse_args(arguments)
    started = time.monotonic()
    framed = FramedViews.open(options.photos)
    folder = find_model(options.model)
    card, pipeline = read_card(folder), load_pipeline(folder)
    if not isinstance(pipeline, LandmarkPipeline) or card.image_size != framed.side:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"“{folder.name}” does not draw landmarks of {framed.side} pixels.", ""
        )
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "judge"
    if (kept / "config.json").is_file():
        judge = AngleClassifier.from_pretrained(kept, local_files_only=True).eval()
    else:
        judge = train_judge(framed, JudgeConfig(steps=options.judge_steps, seed=options.seed), _say)
        judge.save_pretrained(kept, safe_serialization=True)
    steps = options.steps or int(card.defaults.get("steps", 10))
    guidance = options.guidance if options.guidance is not None else float(card.defaults.get("place_guidance", 2.0))
    results = []
    for landmark in framed.landmarks:
        if card.known_landmark(landmark.id) is None:
            continue
        own = card.framing.get("landmarks", {}).get(landmark.id, {})
        distance = float(own.get("distance", card.framing.get("distance", 2.5)))
        drawn = draw_bins(
            pipeline, landmark, distance=distance, per_bin=options.per_bin, steps=steps, guidance=guidance,
            seed=options.seed, report=_say,
        )  # fmt: skip
        known = any(landmark.id == one.id for one in LANDMARKS)
        alike = (
            look_alikes(true_views(landmark, framed.side, framed.background)) if known else np.eye(BINS, dtype=np.bool_)
        )
        results.append(measure(judge, framed.part(validation=True), framed, landmark, drawn, alike))
        sheet_of(drawn, options.per_bin).save(options.out / f"{landmark.id}.png")
    table = table_of(results)
    values: dict[str, Any] = {
        "model": card.title,
        "steps": steps,
        "guidance": guidance,
        "per_bin": options.per_bin,
        "seconds": round(time.monotonic() - started, 1),
        "landmarks": [asdict(result) for result in results],
    }
    for name, text in (("angles.json", json.dumps(values, indent=1)), ("angles.md", table)):
        with whole_file(options.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
