"""The loop that trains two towers against each other: steps that depend on their number alone, and resuming."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.training.state import checkpoints, load_state, save_state, trainable

RECIPE_FILE = "recipe.json"


@dataclass(frozen=True)
class ContrastiveConfig:
    """Settings that both kinds of towers share.

    Attributes:
        image_size: side of a picture, pixels.
        steps: optimiser steps in all.
        batch: pictures per step; each is told apart from all others (the paper: 512).
        learning_rate: peak; it falls along a cosine (the paper: 1e-4, for a projection on a trained tower).
        warm_up: steps from zero to the peak.
        weight_decay: of AdamW.
        smallest_scale: crops are at least this fraction of the photo's shorter side.
        tone_jitter: deviation of random contrast (as a factor) and brightness (of [-1, 1]): a photo's exposure must
            not give its place away.
        checkpoint_every: steps between checkpoints.
        seed: of everything random.
    """

    image_size: int = 128
    steps: int = 3_000
    batch: int = 128
    learning_rate: float = 1e-3
    warm_up: int = 100
    weight_decay: float = 0.01
    smallest_scale: float = 0.7
    tone_jitter: float = 0.2
    checkpoint_every: int = 250
    seed: int = 0


def learning_rate(config: ContrastiveConfig, step: int) -> float:
    """Learning rate of step `step` (from 0): linear warm-up for at most a tenth of the steps, then a cosine."""
    rise = min(1.0, (step + 1) / max(1, min(config.warm_up, config.steps // 10)))
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def varied_tones(pictures: torch.Tensor, deviation: float, seed: int) -> torch.Tensor:
    """Pictures (batch, 3, h, w) in [-1, 1] with random contrast and brightness."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((2, len(pictures), 1, 1, 1), generator=generator).to(pictures.device) * deviation
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return ((pictures - mean) * noise[0].exp() + mean + noise[1]).clamp(-1, 1)


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
    loss: Callable[[int], torch.Tensor],
    out: Path,
    config: ContrastiveConfig,
    *,
    text: str,
    report: Callable[[int, int, str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> bool:
    """Train from the newest checkpoint in `out`, or from the start.

    Args:
        towers: whose parameters learn.
        loss: of a step (from 0); it depends on nothing else, so that a resumed run is the same run.
        out: folder of the run.
        config: settings.
        text: what is trained, for the reports.
        report: told (step, steps, text) after every step.
        stopped: asked after every step; True saves and ends.

    Returns:
        Whether the last step was reached.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    optimizer = torch.optim.AdamW(towers.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    step, seconds, started = 0, 0.0, time.monotonic()
    found = checkpoints(out / "checkpoints")
    if found:
        facts = load_state(found[-1], towers, optimizer, None)
        step, seconds = facts["step"], facts["seconds"]
    towers.train()
    while step < config.steps and not (stopped and stopped()):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        value = loss(step)
        if not math.isfinite(value.item()):
            raise FloatingPointError(f"The loss is not finite at step {step + 1}.")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(list(trainable(towers).values()), 1.0)
        optimizer.step()
        step += 1
        if step % config.checkpoint_every == 0:
            _save(out, towers, optimizer, step, seconds + time.monotonic() - started)
        if report:
            report(step, config.steps, f"{text}: loss {value.item():.4f}")
    if step % config.checkpoint_every:
        _save(out, towers, optimizer, step, seconds + time.monotonic() - started)
    towers.eval()
    return step >= config.steps


def _save(out: Path, towers: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float) -> None:
    folder = out / "checkpoints"
    save_state(folder / f"step-{step:06d}", towers, optimizer, None, {"step": step, "seconds": round(seconds, 1)})
    for old in checkpoints(folder)[:-2]:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
