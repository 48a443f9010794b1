"""The training loop on accelerate: one process or many, checkpoints that it resumes from, pictures on the way."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image

from gpsdream_app.domain.places import Place
from gpsdream_app.models.landmark_pipeline import View
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.config import LoopConfig, LossConfig
from gpsdream_app.training.learner import Learner
from gpsdream_app.training.state import WeightAverage, checkpoints, load_state, save_state, trainable

LOG_COLUMNS = ("step", "samples", "loss", "validation_loss", "learning_rate", "samples_per_second", "seconds")


@dataclass(frozen=True)
class LatentBatch:
    """What the loss needs of a batch of pictures of places; see Learner.forward."""

    latents: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor
    heading: torch.Tensor
    prompts: list[str]
    text: torch.Tensor | None = None
    metres: torch.Tensor | None = None

    def arguments(self, device: torch.device) -> dict[str, Any]:
        """Keyword arguments for the learner; all but the places on its device, which may have no float64."""
        return {
            "latents": self.latents.to(device),
            "lat": self.lat,
            "lon": self.lon,
            "heading": self.heading,
            "prompts": self.prompts,
            "text": None if self.text is None else self.text.to(device),
            "metres": self.metres,
        }


class Batch(Protocol):
    """Latents and what the learner is told beside them."""

    latents: torch.Tensor

    def arguments(self, device: torch.device) -> dict[str, Any]:
        """Keyword arguments for the learner, but for the seed."""


class BatchSource(Protocol):
    """Where batches come from: a pure function of the number asked for."""

    def latent_batch(self, number: int, count: int) -> Batch:
        """Batch `number` with `count` samples."""

    def validation_batches(self, count: int) -> Sequence[Batch]:
        """The held-out samples, the same every time, in batches of at most `count`."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: finished optimiser steps.
        steps: in all.
        loss: mean over the last steps.
        samples: seen in all, over all processes and resumes.
        samples_per_second: over the last steps.
        seconds_left: estimate; None at the start.
    """

    step: int
    steps: int
    loss: float
    samples: int
    samples_per_second: float
    seconds_left: float | None


def without_accelerator() -> bool:
    """Whether there is only the CPU. accelerate joins several CPU processes only if it is told so."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def learning_rate(config: LoopConfig, step: int) -> float:
    """Learning rate of step `step` (from 0): linear warm-up, constant, cosine cool-down to zero.

    In a short run the warm-up takes at most a tenth of the steps and the cool-down half.
    """
    warm_up = min(config.warm_up, config.steps // 10)
    cool_down = min(config.cool_down, config.steps // 2)
    rise = min(1.0, (step + 1) / max(1, warm_up))
    left = config.steps - step
    fall = 1.0
    if cool_down and left < cool_down:
        fall = 0.5 * (1 - math.cos(math.pi * left / cool_down))
    return config.learning_rate * rise * fall


class Loop:
    """One run of training."""

    def __init__(
        self,
        pipeline: GPSDiffusionPipeline,
        source: BatchSource,
        out: Path,
        config: LoopConfig,
        loss: LossConfig,
        *,
        train_text: bool,
        samples: Sequence[tuple[str, Place | View | None]] = (),
        sampling: dict[str, Any] | None = None,
        learner: type[Learner] = Learner,
    ) -> None:
        """Prepare a run; it resumes from the newest checkpoint in `out`, if there is one.

        Args:
            pipeline: whose denoiser, location encoder and (if asked for) text encoder learn. Parameters that must
                not learn have requires_grad off.
            source: of batches.
            out: folder for checkpoints, log, curve and validation pictures.
            config: of the loop.
            loss: of the loss.
            train_text: whether the text encoder learns too.
            samples: words and places (or views) of the validation pictures.
            sampling: arguments of the pipeline for them.
            learner: what computes the loss of a batch's arguments.
        """
        self.accelerator = Accelerator(
            cpu=without_accelerator(),
            mixed_precision=config.precision,
            gradient_accumulation_steps=config.accumulate,
        )
        self.pipeline, self.source, self.out = pipeline, source, out
        self.config, self.samples, self.sampling = config, samples, sampling or {}
        out.mkdir(parents=True, exist_ok=True)
        pipeline.vae.requires_grad_(False)
        device = self.accelerator.device
        pipeline.to(device)
        if device.type == "cpu" and pipeline.location_encoder.config.attention == "joint":
            # Plain matrix products: on a CPU the backward pass of fused attention takes a third longer.
            pipeline.unet.set_attn_processor(AttnProcessor())
        taught = learner(pipeline, loss, train_text=train_text).train()
        # Text encoders have no dropout here that would need the training mode, and a frozen one must not change.
        taught.text_encoder.train(train_text)
        self.optimizer = torch.optim.AdamW(
            list(trainable(taught).values()),
            lr=config.learning_rate,
            betas=(0.9, config.second_beta),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.average = WeightAverage(taught, config.ema_decay) if config.ema_decay else None
        self.step, self.samples_seen = 0, 0
        self.seconds_before = 0.0
        self.started = time.monotonic()
        self._rate = 0.0
        found = checkpoints(out / "checkpoints")
        if found:
            facts = load_state(found[-1], taught, self.optimizer, self.average)
            self.step, self.samples_seen = facts["step"], facts["samples"]
            self.seconds_before = facts["seconds"]
        self.bare = taught
        self.learner, self.optimizer = self.accelerator.prepare(taught, self.optimizer)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.accelerator.is_main_process

    def run(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Train until the last step or until `stop` says so; either way a checkpoint is written.

        Returns:
            Whether the last step was reached.
        """
        config, accelerator = self.config, self.accelerator
        per_step = config.batch * config.accumulate * accelerator.num_processes
        self.started = window_start = time.monotonic()
        window: list[float] = []
        while self.step < config.steps and not (stop and stop()):
            loss = self._one_step()
            self.step += 1
            self.samples_seen += per_step
            window.append(loss)
            if self.average is not None:
                self.average.update(self.bare, self.step)
            last = self.step == config.steps
            if self.step % config.validate_every == 0 or last:
                self._log(window, window_start, per_step, validation=self._validate())
                window, window_start = [], time.monotonic()
            elif self.step % 50 == 0:
                self._log(window, window_start, per_step)
                window, window_start = [], time.monotonic()
            if self.step % config.checkpoint_every == 0 or last:
                self._save()
            if on_progress:
                elapsed = max(1e-6, time.monotonic() - window_start)
                rate = len(window) * per_step / elapsed if window else self._rate
                self._rate = rate
                left = (config.steps - self.step) * per_step / rate if rate > 0 else None
                on_progress(Progress(self.step, config.steps, loss, self.samples_seen, rate, left))
        if self.step % config.checkpoint_every:
            self._save()
        if self.is_main:
            draw_curve(self.out / "log.csv", self.out / "loss.png")
        return self.step >= config.steps

    def _one_step(self) -> float:
        config, accelerator = self.config, self.accelerator
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.step)
        losses = []
        for part in range(config.accumulate):
            # Every batch has a number of its own, whatever the number of processes, so that resuming repeats none.
            number = (self.step * config.accumulate + part) * accelerator.num_processes + accelerator.process_index
            batch = self.source.latent_batch(number, config.batch)
            with accelerator.accumulate(self.learner), accelerator.autocast():
                loss = self.learner(**batch.arguments(accelerator.device), seed=config.seed * 1_000_003 + number)
                accelerator.backward(loss)
                if accelerator.sync_gradients and config.max_gradient:
                    accelerator.clip_grad_norm_(list(trainable(self.bare).values()), config.max_gradient)
                self.optimizer.step()
                self.optimizer.zero_grad()
            losses.append(loss.detach().float())
        value = torch.stack(losses).mean().item()
        if not math.isfinite(value):
            raise FloatingPointError(f"The loss is not finite at step {self.step + 1}.")
        return value

    @torch.no_grad()
    def _validate(self) -> float | None:
        if not self.is_main:
            return None
        average, learner = self.average, self.bare
        if average is not None:
            average.swap(learner)
        learner.eval()
        try:
            losses = []
            until = self.config.hold_out_until
            held_out = self.source.validation_batches(self.config.batch) if until is None or self.step <= until else ()
            for number, batch in enumerate(held_out):
                with self.accelerator.autocast():
                    value = learner(**batch.arguments(self.accelerator.device), seed=number)
                losses += [value.item()] * len(batch.latents)
            if self.samples:
                self._draw_samples()
            return sum(losses) / len(losses) if losses else None
        finally:
            learner.train()
            learner.text_encoder.train(learner.train_text)
            if average is not None:
                average.swap(learner)

    def _draw_samples(self) -> None:
        folder = self.out / "validation"
        folder.mkdir(exist_ok=True)
        self.pipeline.set_progress_bar_config(disable=True)
        with self.accelerator.autocast():
            pictures = self.pipeline(
                prompt=[words for words, _ in self.samples],
                place=[place for _, place in self.samples],
                generator=[torch.Generator().manual_seed(index) for index in range(len(self.samples))],
                **self.sampling,
            ).images
        contact_sheet(pictures).save(folder / f"step-{self.step:06d}.png")

    def _save(self) -> None:
        self.accelerator.wait_for_everyone()
        if not self.is_main:
            return
        seconds = self.seconds_before + time.monotonic() - self.started
        facts = {"step": self.step, "samples": self.samples_seen, "seconds": round(seconds, 1)}
        folder = self.out / "checkpoints"
        save_state(folder / f"step-{self.step:06d}", self.bare, self._inner_optimizer(), self.average, facts)
        for old in checkpoints(folder)[: -max(1, self.config.checkpoints_kept)]:
            for file in old.iterdir():
                file.unlink()
            old.rmdir()

    def _inner_optimizer(self) -> torch.optim.Optimizer:
        return getattr(self.optimizer, "optimizer", self.optimizer)

    def _log(self, window: list[float], window_start: float, per_step: int, validation: float | None = None) -> None:
        if not self.is_main or not window:
            return
        path = self.out / "log.csv"
        fresh = not path.exists()
        now = time.monotonic()
        row = (
            self.step,
            self.samples_seen,
            f"{sum(window) / len(window):.6f}",
            "" if validation is None else f"{validation:.6f}",
            f"{learning_rate(self.config, self.step - 1):.3e}",
            f"{len(window) * per_step / max(1e-6, now - window_start):.2f}",
            f"{self.seconds_before + now - self.started:.1f}",
        )
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(LOG_COLUMNS)
            writer.writerow(row)


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 6, gap: int = 4) -> Image.Image:
    """Pictures of one size in rows, on a white sheet."""
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * (width + gap), index // columns * (height + gap)))
    return sheet


def draw_curve(log: Path, picture: Path) -> None:
    """Draw the loss curve of a log.csv as a PNG."""
    from matplotlib.figure import Figure

    if not log.exists():
        return
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    samples = [int(row["samples"]) for row in rows]
    axes.plot(samples, [float(row["loss"]) for row in rows], linewidth=1, label="training")
    checked = [row for row in rows if row["validation_loss"]]
    if checked:
        points = [int(row["samples"]) for row in checked]
        axes.plot(points, [float(row["validation_loss"]) for row in checked], "o-", label="held-out photos")
    axes.set(xlabel="samples seen", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=120)
