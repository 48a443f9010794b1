"""Drawing many pictures for a measurement: several in one pass, told apart by their seeds, cancelled between steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.generation.draw import DrawingCancelled, Painter, sampling_settings

BATCH = 16


class Progress:
    """How far a measurement is, in passes of one picture through the U-Net: what nearly all of its time goes to.

    Args:
        report: told (done, total, text); both are whole numbers that only grow.
        cancelled: asked at every step.
    """

    def __init__(self, report: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> None:
        self._report, self._cancelled = report, cancelled
        self.total = 1_000.0
        self.done = 0.0
        self.text = ""

    def stage(self, text: str) -> None:
        """Name what is done from now on."""
        self.text = text
        self.advance(0)

    def advance(self, passes: float) -> None:
        """Count passes.

        Raises:
            DrawingCancelled: if it was asked to stop.
        """
        if self._cancelled():
            raise DrawingCancelled
        self.done = min(self.total, self.done + passes)
        self._report(round(self.done), round(self.total), self.text)

    def reach(self, done: float) -> None:
        """Say that so much is done, whatever was counted."""
        self.advance(max(0.0, done - self.done))


@dataclass(frozen=True)
class Guidance:
    """How pictures are drawn: steps, the weights of Eq 4, and whatever else the pipeline takes."""

    steps: int
    text: float
    place: float
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, card: ModelCard) -> Guidance:
        """The defaults of a model's card."""
        defaults = card.defaults
        return cls(
            int(defaults.get("steps", 20)),
            float(defaults.get("text_guidance", 3.5)),
            float(defaults.get("place_guidance", 7.5)),
            sampling_settings(card.defaults),
        )


def passes_of(prompt: str, place: Place | None, steps: int) -> int:
    """Passes through the U-Net that a picture takes with Eq 4."""
    return steps * (1 + bool(prompt.strip()) + (place is not None))


def pipeline_takes(painter: Painter, argument: str) -> bool:
    """Whether the model's pipeline has an argument of this name."""
    return argument in inspect.signature(type(painter.pipeline).__call__).parameters


class Artist:
    """Draws lists of pictures with one model.

    Attributes:
        painter: the model.
        guidance: how, unless a call says otherwise.
        progress: that is advanced.
    """

    def __init__(self, painter: Painter, guidance: Guidance, progress: Progress) -> None:
        self.painter, self.guidance, self.progress = painter, guidance, progress

    def draw(
        self,
        prompts: Sequence[str],
        places: Sequence[Place | None],
        seeds: Sequence[int],
        guidance: Guidance | None = None,
    ) -> torch.Tensor:
        """Draw one picture per prompt, place and seed.

        Args:
            prompts: words; may be empty.
            places: where; None for words alone.
            seeds: each decides its picture's noise, so equal seeds in two calls make pairs.
            guidance: how.

        Returns:
            (pictures, 3, side, side), uint8, on the CPU.

        Raises:
            DrawingCancelled: if it was asked to stop.
        """
        chosen = guidance or self.guidance
        # Pictures of one pass must have the same conditions, because Eq 4 has other terms without words or place.
        kinds: dict[tuple[bool, bool], list[int]] = {}
        for index, (prompt, place) in enumerate(zip(prompts, places, strict=True)):
            kinds.setdefault((bool(prompt.strip()), place is not None), []).append(index)
        drawn: dict[int, torch.Tensor] = {}
        for members in kinds.values():
            for start in range(0, len(members), BATCH):
                batch = members[start : start + BATCH]
                pictures = self._batch(
                    [prompts[index] for index in batch],
                    [places[index] for index in batch],
                    [seeds[index] for index in batch],
                    chosen,
                )
                drawn.update(zip(batch, pictures, strict=True))
        return torch.stack([drawn[index] for index in range(len(prompts))])

    def _batch(
        self, prompts: list[str], places: list[Place | None], seeds: list[int], guidance: Guidance
    ) -> torch.Tensor:
        pipeline = self.painter.pipeline
        # As for single pictures: some schedulers keep what the last run left in them.
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
        whole = sum(passes_of(prompt, place, guidance.steps) for prompt, place in zip(prompts, places, strict=True))

        def step_end(
            pipeline: Any, index: int, timestep: torch.Tensor, tensors: dict[str, torch.Tensor]
        ) -> dict[str, torch.Tensor]:
            self.progress.advance(whole / len(pipeline.scheduler.timesteps))
            return tensors

        images = pipeline(
            prompts,
            places,
            num_inference_steps=guidance.steps,
            text_guidance=guidance.text,
            place_guidance=guidance.place,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="pt",
            callback_on_step_end=step_end,
            **guidance.more,
        ).images
        return (images.float() * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def signed(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 pictures as judges want them: float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1
