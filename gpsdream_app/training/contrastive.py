"""The loop that trains a judge: steps that depend on their number alone, resuming, and when to stop."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.photos.prepared import TrainingPhoto
from gpsdream_app.training.crops import CropsConfig
from gpsdream_app.training.state import checkpoints, load_state, save_state, trainable

RECIPE_FILE = "recipe.json"
Report = Callable[[int, int, str], None]
Stopped = Callable[[], bool]
AnyLesson = TypeVar("AnyLesson", bound="Lesson")
# The loss of a step (from 0), a function of its number alone, so that a resumed run is the same run.
Loss = Callable[[int], torch.Tensor]


@dataclass(frozen=True)
class ContrastiveConfig:
    """Settings that all judges share.

    Attributes:
        steps: optimiser steps in all; the learning rate falls to zero over them.
        batch: pictures per step; each is told apart from all others (the paper: 512).
        learning_rate: peak; it falls along a cosine (the paper: 1e-4, for a projection on a trained tower).
        warm_up: steps from zero to the peak.
        weight_decay: of AdamW.
        dropout: share of what the learned part sees that a step leaves out.
        components: directions in which the unlearned features vary most; only these are learned from.
        folds: parts of the training photos that are left out in turn, to find out after how many steps to stop; 0 goes
            to the end.
        fold_metres: photos within squares of this side are left out together.
        measure_every: steps between measurements of the photos that a fold leaves out.
        checkpoint_every: steps between checkpoints.
        seed: of everything random.
    """

    steps: int = 1_000
    batch: int = 128
    learning_rate: float = 1e-3
    warm_up: int = 100
    weight_decay: float = 0.05
    dropout: float = 0.2
    components: int = 384
    folds: int = 0
    fold_metres: float = 200.0
    measure_every: int = 100
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "components", "batch", "measure_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise GPSDreamError(ErrorKind.BAD_REQUEST, f"“{name}” must be 1 or more.", "Change it in the recipe.")
        if self.folds == 1 or self.folds < 0:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, "“folds” must be 2 or more, or 0 for none.", "Change it in the recipe."
            )


def learning_rate(config: ContrastiveConfig, step: int) -> float:
    """Learning rate of step `step` (from 0): linear warm-up for at most a tenth of the steps, then a cosine."""
    rise = min(1.0, (step + 1) / max(1, min(config.warm_up, config.steps // 10)))
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def keep_recipe(out: Path, recipe: dict[str, Any]) -> None:
    """Write the recipe of a run, or compare it with the one that the run was started with.

    Raises:
        GPSDreamError: if they differ: what was learned by another recipe cannot be resumed with this one.
    """
    path = out / RECIPE_FILE
    text = json.dumps(recipe, indent=1, ensure_ascii=False, sort_keys=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{out.name}” holds a run with other settings or photos, so it cannot be resumed with these.",
            "Give another output folder, or the settings that the run was started with.",
        )
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def train_towers(
    towers: nn.Module,
    loss: Loss,
    out: Path,
    config: ContrastiveConfig,
    *,
    text: str,
    until: int | None = None,
    measure: Callable[[int], None] | None = None,
    report: Report | None = None,
    stopped: Callable[[], bool] | None = None,
) -> bool:
    """Train from the newest checkpoint in `out`, or from the start.

    Args:
        towers: whose parameters learn.
        loss: of a step.
        out: folder of the run.
        config: settings.
        text: what is trained, for the reports.
        until: last step; None for `config.steps`. The learning rate does not depend on it.
        measure: called with the number of steps done, every `config.measure_every` steps and after the last; the
            towers are in evaluation mode then.
        report: told (step, steps, text) after every step.
        stopped: asked after every step; True saves and ends.

    Returns:
        Whether the last step was reached.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    last = config.steps if until is None else until
    optimizer = torch.optim.AdamW(towers.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    step, seconds, started = 0, 0.0, time.monotonic()
    found = checkpoints(out / "checkpoints")
    if found:
        facts = load_state(found[-1], towers, optimizer, None)
        step, seconds = facts["step"], facts["seconds"]
    towers.train()
    while step < last and not (stopped and stopped()):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        torch.manual_seed(config.seed * 1_000_003 + step)  # of dropout
        value = loss(step)
        if not math.isfinite(value.item()):
            raise FloatingPointError(f"The loss is not finite at step {step + 1}.")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(list(trainable(towers).values()), 1.0)
        optimizer.step()
        step += 1
        if measure and (step % config.measure_every == 0 or step == last):
            towers.eval()
            measure(step)
            towers.train()
        if step % config.checkpoint_every == 0 or step == last:
            _save(out, towers, optimizer, step, seconds + time.monotonic() - started)
        if report:
            report(step, last, f"{text}: loss {value.item():.4f}")
    if step < last and step % config.checkpoint_every:
        _save(out, towers, optimizer, step, seconds + time.monotonic() - started)
    towers.eval()
    return step >= last


def _save(out: Path, towers: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float) -> None:
    folder = out / "checkpoints"
    save_state(folder / f"step-{step:06d}", towers, optimizer, None, {"step": step, "seconds": round(seconds, 1)})
    for old in checkpoints(folder)[:-2]:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


# -- when to stop --


@dataclass(frozen=True)
class Measurement:
    """What a judge made of photos that a fold left out.

    Attributes:
        loss: the lower the better.
        answers: whatever the stage wants back of the best step; values that JSON holds.
    """

    loss: float
    answers: Any = None


@dataclass(frozen=True)
class Best:
    """How long to train.

    Attributes:
        steps: where the mean loss on photos that were left out was lowest.
        curve: that mean, by steps.
        answers: of each fold at those steps.
    """

    steps: int
    curve: dict[int, float]
    answers: tuple[Any, ...] = ()


def folds_of(photos: Sequence[TrainingPhoto], count: int, metres: float) -> list[list[TrainingPhoto]]:
    """Deal photos out to folds: squares of a grid in turn, from the south-west, and photos of one source together.

    Args:
        photos: of the training part.
        count: of folds.
        metres: side of a square.

    Raises:
        GPSDreamError: if there are fewer squares with photos than folds.
    """
    frame = LocalFrame(min(photo.lat for photo in photos), min(photo.lon for photo in photos))
    square_of_source: dict[str, tuple[int, int]] = {}
    for photo in photos:
        east, north = frame.to_metres(photo.lat, photo.lon)
        # Rounded, so that the southernmost photo does not fall out of the first square by the width of a hair.
        square = (math.floor(round(north, 3) / metres), math.floor(round(east, 3) / metres))
        square_of_source.setdefault(photo.source or photo.name, square)
    squares = sorted(set(square_of_source.values()))
    if len(squares) < count:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The training photos lie in {len(squares)} squares of {metres:.0f} m, too few for {count} folds.",
            "Lower “folds” or “fold_metres” in the recipe.",
        )
    number = {square: index % count for index, square in enumerate(squares)}
    folds: list[list[TrainingPhoto]] = [[] for _ in range(count)]
    for photo in photos:
        folds[number[square_of_source[photo.source or photo.name]]].append(photo)
    return folds


def best_steps(
    photos: Sequence[TrainingPhoto],
    out: Path,
    config: ContrastiveConfig,
    *,
    make: Callable[[list[TrainingPhoto]], tuple[nn.Module, Loss]],
    judge: Callable[[nn.Module, list[TrainingPhoto]], Measurement],
    text: str,
    report: Report | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Best | None:
    """Find by cross-validation how many steps to train; folds that were finished before are not trained again.

    Args:
        photos: of the training part; held-out ones have no say.
        out: folder of the run.
        config: settings; without folds the answer is all steps.
        make: builds the towers and their loss for some of the photos.
        judge: measures towers on the others.
        text: what is trained, for the reports.
        report: told (step, steps, text).
        stopped: asked after every step.

    Returns:
        The answer, or None if it was stopped.
    """
    if not config.folds:
        return Best(config.steps, {})
    curves: list[dict[int, float]] = []
    answers: list[dict[int, Any]] = []
    sizes = []
    for number, left_out in enumerate(folds_of(photos, config.folds, config.fold_metres)):
        sizes.append(len(left_out))
        folder = out / "folds" / str(number)
        path = folder / "measured.json"
        measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if str(config.steps) not in measured:
            names = {photo.name for photo in left_out}
            towers, loss = make([photo for photo in photos if photo.name not in names])

            def measure(step: int) -> None:
                result = judge(towers, left_out)  # noqa: B023 — called within this turn of the loop
                measured[str(step)] = [result.loss, result.answers]  # noqa: B023
                folder.mkdir(parents=True, exist_ok=True)  # noqa: B023
                path.write_text(json.dumps(measured), encoding="utf-8")  # noqa: B023

            label = f"{text}, fold {number + 1} of {config.folds}"
            if not train_towers(
                towers, loss, folder, config, text=label, measure=measure, report=report, stopped=stopped
            ):
                return None
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        curves.append({int(step): values[0] for step, values in measured.items()})
        answers.append({int(step): values[1] for step, values in measured.items()})
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    total = sum(sizes)
    mean = {
        step: round(sum(curve[step] * size for curve, size in zip(curves, sizes, strict=True)) / total, 6)
        for step in steps
    }
    best = min(steps, key=lambda step: mean[step])
    return Best(best, mean, tuple(fold[best] for fold in answers))


class Lesson(Protocol):
    """A judge that is to learn, and what it learns from.

    Attributes:
        model: what is trained.
    """

    model: nn.Module

    def loss(self, step: int) -> torch.Tensor:
        """The loss of a step, a function of its number alone."""


def begin_run(
    out: Path, config: ContrastiveConfig, crops: CropsConfig, photos: Sequence[TrainingPhoto], **more: Any
) -> dict[str, Any]:
    """Keep the recipe of a run and return it: settings, crops, source photographs, and what else decides the result.

    Raises:
        GPSDreamError: if `out` holds another run.
    """
    sources = sorted({photo.source_name for photo in photos})
    recipe = {**asdict(config), "crops": asdict(crops), **more, "sources": sources}
    keep_recipe(out, recipe)
    return recipe


def learn(
    photos: Sequence[TrainingPhoto],
    out: Path,
    config: ContrastiveConfig,
    *,
    lesson: Callable[[Sequence[TrainingPhoto]], AnyLesson],
    judge: Callable[[AnyLesson, list[TrainingPhoto]], Measurement],
    text: str,
    report: Report | None = None,
    stopped: Stopped | None = None,
) -> tuple[AnyLesson, Best] | None:
    """Find by cross-validation how many steps to train, then train on all photos for as many.

    Args:
        photos: of the training part.
        out: folder of the run.
        config: settings.
        lesson: builds an untrained judge for some of the photos.
        judge: measures one on the others.
        text: what is trained, for the reports.
        report: told (step, steps, text).
        stopped: asked after every step.

    Returns:
        The trained judge and how the steps were found, or None if it was stopped.
    """
    learning: AnyLesson

    def make(some: list[TrainingPhoto]) -> tuple[nn.Module, Loss]:
        nonlocal learning
        learning = lesson(some)
        return learning.model, learning.loss

    def measure(_: nn.Module, left_out: list[TrainingPhoto]) -> Measurement:
        return judge(learning, left_out)

    best = best_steps(photos, out, config, make=make, judge=measure, text=text, report=report, stopped=stopped)
    if best is None:
        return None
    last = lesson(photos)
    finished = train_towers(
        last.model, last.loss, out, config, until=best.steps, text=text, report=report, stopped=stopped
    )
    return (last, best) if finished else None


def write_facts(
    path: Path,
    recipe: dict[str, Any],
    best: Best,
    *,
    measure_held_out: Callable[[bool], Any] | None,
    nothing: Any,
    **more: Any,
) -> None:
    """Write what a judge was trained on, for how long, and what it makes of held-out photos.

    Args:
        path: of the file.
        recipe: as `begin_run` returned it.
        best: how the steps were found.
        measure_held_out: told whether to measure plain crops or ones with random looks; None if it learned all photos.
        nothing: stands for no figures.
        more: whatever else there is to say.
    """
    facts = {
        "trained_on": recipe["sources"],
        "steps": best.steps,
        "samples": best.steps * recipe["batch"],
        **more,
        "held_out": nothing,
        "settings": recipe,
    }
    if measure_held_out is not None:
        facts["held_out"] = measure_held_out(True)
        facts["held_out_with_random_looks"] = measure_held_out(False)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
