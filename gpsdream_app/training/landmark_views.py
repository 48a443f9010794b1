"""Framed views of landmarks as training data: batches of latents with their angles, and pictures that a base drew."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from gpsdream_app.landmarks.views import FramedView, FramedViews
from gpsdream_app.lifting.cameras import Camera
from gpsdream_app.lifting.guidance import view_words
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline

NOWHERE = math.nan
Report = Callable[[int, int, str], None]


def pictures_of(framed: FramedViews, views: Sequence[FramedView], side: int | None = None) -> torch.Tensor:
    """Views as pictures, (n, 3, side, side), float32 in [-1, 1], of the folder's own side or resized to another."""
    pictures = pictures_from_pixels(list(framed.pixels(views)[..., :3]))
    if side is None or side == framed.side:
        return pictures
    return F.interpolate(pictures, (side, side), mode="bicubic", antialias=side < framed.side).clamp(-1, 1)


class ViewSampler:
    """Draws views: all landmarks alike, and a landmark's views as often as one another.

    Every batch is a pure function of seed and number, so a resumed run sees the same ones. Views are never mirrored:
    a mirrored landmark is another one.
    """

    def __init__(self, framed: FramedViews, views: Sequence[FramedView], side: int, seed: int) -> None:
        self.framed, self.views, self.side, self.seed = framed, list(views), side, seed
        by_landmark: dict[str, list[int]] = {}
        for index, view in enumerate(self.views):
            by_landmark.setdefault(view.landmark, []).append(index)
        self._groups = [np.array(members) for members in by_landmark.values()]

    def draw(self, number: int, count: int) -> np.ndarray:
        """Indices into `views` of batch `number`, (count,)."""
        random = np.random.default_rng((self.seed, 3, number))
        groups = random.permutation(np.arange(count) + random.integers(len(self._groups))) % len(self._groups)
        return np.array([random.choice(self._groups[group]) for group in groups])

    def pictures(self, number: int, count: int) -> torch.Tensor:
        """The pictures of batch `number`, (count, 3, side, side) in [-1, 1]."""
        return pictures_of(self.framed, [self.views[index] for index in self.draw(number, count)], self.side)


@dataclass(frozen=True)
class ViewBatch:
    """A batch of views; see LandmarkLearner.forward."""

    latents: torch.Tensor
    azimuth: torch.Tensor
    distance: torch.Tensor
    fov: torch.Tensor
    prompts: list[str]
    text: torch.Tensor | None = None
    priors: int = 0
    prior_weight: float = 1.0

    def arguments(self, device: torch.device) -> dict[str, Any]:
        """Keyword arguments for the learner."""
        return {
            "latents": self.latents.to(device),
            "azimuth": self.azimuth,
            "distance": self.distance,
            "fov": self.fov,
            "prompts": self.prompts,
            "text": None if self.text is None else self.text.to(device),
            "priors": self.priors,
            "prior_weight": self.prior_weight,
        }


@dataclass(frozen=True)
class Prior:
    """What a base drew before it was trained.

    Attributes:
        pictures: (n, 3, side, side), in [-1, 1].
        prompts: n.
        weight: lambda of their loss.
    """

    pictures: torch.Tensor
    prompts: list[str]
    weight: float = 1.0


def numbers(values: Sequence[float | None]) -> torch.Tensor:
    """Numbers as float64, (n,); NaN for None."""
    return torch.tensor([NOWHERE if value is None else value for value in values], dtype=torch.float64)


class ViewLatents:
    """Latents of all views, encoded once: framed views are learned as they are.

    An autoencoder with a distribution of latents gives its mean.
    """

    def __init__(
        self,
        pipeline: GPSDiffusionPipeline,
        sampler: ViewSampler,
        held_out: Sequence[FramedView],
        *,
        words_share: float = 0.0,
        prior: Prior | None = None,
        cache: Path | None = None,
        report: Report | None = None,
    ) -> None:
        """Encode, or read what an earlier start encoded.

        Args:
            pipeline: whose autoencoder is used.
            sampler: of the views that are learned.
            held_out: views that are measured.
            words_share: of samples that are told their side in words alone.
            prior: pictures that are learned beside them without an angle.
            cache: file to keep slow latents and text tokens in; None for an autoencoder that costs nothing.
            report: told (done, total, text).
        """
        self.sampler, self.words_share = sampler, words_share
        self.held_out = list(held_out)
        self.prior_prompts, self.prior_weight = (prior.prompts, prior.weight) if prior else ([], 1.0)
        everything = [*sampler.views, *self.held_out]
        framed, side = sampler.framed, sampler.side

        def encode(pictures: torch.Tensor) -> torch.Tensor:
            encoded = pipeline.vae.encode(pictures.to(pipeline.vae.device, pipeline.vae.dtype))
            mean = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
            return mean.float().cpu() * pipeline.vae.config.scaling_factor

        stored = self._stored(cache, len(everything), len(self.prior_prompts))
        if stored is None:
            together = 32 if cache is None else 4
            parts, priors = [], []
            with torch.no_grad():
                for start in range(0, len(everything), together):
                    parts.append(encode(pictures_of(framed, everything[start : start + together], side)))
                    if report:
                        report(min(start + together, len(everything)), len(everything), "encoding views")
                for start in range(0, len(self.prior_prompts), together):
                    priors.append(encode(prior.pictures[start : start + together]))
            stored = {"views": torch.cat(parts)}
            if priors:
                stored["priors"] = torch.cat(priors)
            if cache is not None:
                cache.parent.mkdir(parents=True, exist_ok=True)
                temporary = cache.with_suffix(".part")
                save_file({name: value.half().contiguous() for name, value in stored.items()}, temporary)
                temporary.replace(cache)
        self.latents = stored["views"].float()
        self.priors = stored["priors"].float() if "priors" in stored else None
        # A text encoder that does not learn answers the same words alike.
        self.text: dict[str, torch.Tensor] | None = None
        if cache is not None:
            prompts = {self._words(view, side_in_words) for view in everything for side_in_words in (False, True)}
            with torch.no_grad():
                self.text = {
                    words: pipeline.encode_text([words]).float().cpu()
                    for words in sorted(prompts | {*self.prior_prompts})
                }

    @staticmethod
    def _stored(cache: Path | None, views: int, priors: int) -> dict[str, torch.Tensor] | None:
        if cache is None or not cache.exists():
            return None
        try:
            stored = load_file(cache)
        except (OSError, SafetensorError):
            return None
        fits = len(stored["views"]) == views and len(stored.get("priors", ())) == priors
        return stored if fits else None

    def _words(self, view: FramedView, side_in_words: bool) -> str:
        if not side_in_words:
            return view.prompt
        front = self.sampler.framed.landmark_of(view).heading
        return f"{view.prompt}, {view_words(Camera(azimuth=view.azimuth), front)}"

    def _batch(self, indices: Sequence[int], in_words: Sequence[bool], priors: Sequence[int] = ()) -> ViewBatch:
        everything = [*self.sampler.views, *self.held_out]
        views = [everything[index] for index in indices]
        # Told in words, a side must not be told by an angle too, or the words would be learned for nothing.
        known = [None if told else view for view, told in zip(views, in_words, strict=True)]
        columns = [
            numbers([getattr(view, name) if view else None for view in known] + [None] * len(priors))
            for name in ("azimuth", "distance", "fov")
        ]
        prompts = [self._words(view, told) for view, told in zip(views, in_words, strict=True)]
        prompts += [self.prior_prompts[index] for index in priors]
        latents = self.latents[torch.as_tensor(np.asarray(indices))]
        if len(priors):
            latents = torch.cat([latents, self.priors[torch.as_tensor(np.asarray(priors))]])
        text = None if self.text is None else torch.cat([self.text[words] for words in prompts])
        return ViewBatch(latents, *columns, prompts, text, len(priors), self.prior_weight)

    def latent_batch(self, number: int, count: int) -> ViewBatch:
        """Batch `number`: `count` views and, with a prior, as many of its pictures."""
        random = np.random.default_rng((self.sampler.seed, 4, number))
        in_words = random.random(count) < self.words_share
        priors = random.integers(len(self.prior_prompts), size=count) if self.prior_prompts else ()
        return self._batch(self.sampler.draw(number, count), in_words, priors)

    def validation_batches(self, count: int) -> list[ViewBatch]:
        """The held-out views with their angles."""
        first, total = len(self.sampler.views), len(self.sampler.views) + len(self.held_out)
        starts = range(first, total, count)
        return [
            self._batch(range(start, min(start + count, total)), [False] * (min(start + count, total) - start))
            for start in starts
        ]
