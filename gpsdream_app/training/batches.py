"""Random crops for training. Every batch is a pure function of seed and step, so a resumed run sees the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.photos.prepared import Crop, PreparedPhotos, TrainingPhoto, View, across_of_centre, crop_photo

SYNONYM_SHARE = 0.3  # of tags that have synonyms
ALONE_SHARE = 0.6  # of crops chosen by a tag: named by it alone
FEWEST_PHOTOS = 3  # a tag of fewer photos would teach these photos, not the word
VIEW_JITTER = 0.05  # of the photo's width, about a view that has the tag


@dataclass(frozen=True)
class Batch:
    """One batch of crops.

    Attributes:
        pictures: (batch, 3, side, side), float32 in [-1, 1].
        lat, lon: (batch,), float64, degrees.
        heading: (batch,), float64, degrees; NaN where not known.
        metres: (batch,), float64, how much of the frontage each shows; NaN where not known.
        prompts: words of each picture; may be empty.
    """

    pictures: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor
    heading: torch.Tensor
    metres: torch.Tensor
    prompts: list[str]


def compose_prompt(
    view: View | None,
    random: np.random.Generator,
    counts: Mapping[str, int] | None = None,
    synonyms: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Words for a crop: its caption, or a few of its tags in any order, so that single words are learned too.

    Args:
        view: what is seen; None for nothing known.
        random: decides.
        counts: how often each tag occurs; rare ones are then named more often than their share.
        synonyms: per tag other words for it.
    """
    if view is None or (not view.caption and not view.tags):
        return ""
    if view.caption and (not view.tags or random.random() < 0.4):
        return view.caption
    count = int(random.integers(1, min(4, len(view.tags)) + 1))
    chances = np.array([1.0 if counts is None else counts.get(tag, 1) ** -0.5 for tag in view.tags])
    chosen = random.choice(len(view.tags), size=count, replace=False, p=chances / chances.sum())
    return spoken([view.tags[index] for index in chosen], random, synonyms)


def spoken(tags: Sequence[str], random: np.random.Generator, synonyms: Mapping[str, Sequence[str]] | None) -> str:
    """Tags as a person would write them, now and then by another word."""
    words = list(tags)
    for index, word in enumerate(words):
        others = (synonyms or {}).get(word, ())
        if others and random.random() < SYNONYM_SHARE:
            words[index] = others[int(random.integers(len(others)))]
    return ", ".join(words)


class CropSampler:
    """Draws batches of random crops.

    Wide photos are drawn more often, in proportion to the squares that fit in them.
    """

    def __init__(
        self,
        prepared: PreparedPhotos,
        photos: Sequence[TrainingPhoto],
        side: int,
        *,
        smallest_scale: float = 0.85,
        place_jitter_metres: float = 0.0,
        depth_jitter_metres: float | None = None,
        heading_jitter_degrees: float = 0.0,
        synonyms: Mapping[str, Sequence[str]] | None = None,
        word_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Make a sampler.

        Args:
            prepared: the folder that holds the pixels.
            photos: those to draw from.
            side: of the crops, pixels.
            smallest_scale: crops are this large or larger, as a fraction of the photo's shorter side.
            place_jitter_metres: scale of the noise on places, Student's t of 3 degrees of freedom: how far GPS is
                believed to be off.
            depth_jitter_metres: the same along the view, where the heading is known: one stands nearer or further
                from what one looks at. None: as across the view.
            heading_jitter_degrees: standard deviation of the noise on headings.
            synonyms: per tag other words for it, which now and then stand in its place.
            word_share: share of crops that are chosen by a tag, all tags alike.
            seed: of everything random.
        """
        self.prepared = prepared
        self.photos = list(photos)
        self.side = side
        self.smallest_scale = smallest_scale
        self.place_jitter_metres = place_jitter_metres
        self.depth_jitter_metres = place_jitter_metres if depth_jitter_metres is None else depth_jitter_metres
        self.heading_jitter_degrees = heading_jitter_degrees
        self.synonyms = synonyms or {}
        self.seed = seed
        weights = np.array([max(p.width, p.height) / min(p.width, p.height) for p in self.photos])
        self._chances = weights / weights.sum()
        self._tag_counts = Counter(tag for photo in self.photos for view in photo.views for tag in view.tags)
        self._seen: dict[str, list[tuple[int, float]]] = {}
        for index, photo in enumerate(self.photos):
            for view in photo.views:
                for tag in view.tags:
                    self._seen.setdefault(tag, []).append((index, view.centre))
        self._words = [tag for tag, seen in self._seen.items() if len({i for i, _ in seen}) >= FEWEST_PHOTOS]
        self.word_share = word_share if self._words else 0.0

    def crops(self, step: int, count: int) -> tuple[list[Crop], np.random.Generator]:
        """The crops of one step, and the generator that drew them, for whatever else is random in that step."""
        crops, _, random = self._draw(step, count)
        return crops, random

    def _draw(self, step: int, count: int) -> tuple[list[Crop], list[str | None], np.random.Generator]:
        """The crops of one step, the tag that each was chosen by (None: by chance), and the generator."""
        random = np.random.default_rng((self.seed, step))
        chosen = random.choice(len(self.photos), size=count, p=self._chances)
        crops, words = [], []
        for index in chosen:
            across, down = random.random(2)
            scale = random.uniform(self.smallest_scale, 1.0)
            word = None
            if self.word_share and random.random() < self.word_share:
                word = self._words[int(random.integers(len(self._words)))]
                index, centre = self._seen[word][int(random.integers(len(self._seen[word])))]
                across = across_of_centre(self.photos[index], centre + random.normal(0, VIEW_JITTER), scale)
            crops.append(crop_photo(self.prepared, self.photos[index], self.side, across, down, scale))
            view = crops[-1].view
            words.append(word if view is not None and word in view.tags else None)
        return crops, words, random

    def _prompt(self, crop: Crop, word: str | None, random: np.random.Generator) -> str:
        if word is not None and random.random() < ALONE_SHARE:
            return spoken([word], random, self.synonyms)
        return compose_prompt(crop.view, random, self._tag_counts, self.synonyms)

    def pictures(self, step: int, count: int) -> torch.Tensor:
        """Only the pictures of one step, (count, 3, side, side) in [-1, 1]."""
        crops, _ = self.crops(step, count)
        return pictures_from_pixels([crop.pixels for crop in crops])

    def batch(self, step: int, count: int) -> Batch:
        """The batch of one step."""
        crops, words, random = self._draw(step, count)
        prompts = [self._prompt(crop, word, random) for crop, word in zip(crops, words, strict=True)]

        def column(name: str) -> np.ndarray:
            return np.array([np.nan if value is None else value for value in (getattr(crop, name) for crop in crops)])

        lat, lon, heading = column("lat"), column("lon"), column("heading")
        # Most GPS places are good, a few are far off.
        across = self.place_jitter_metres * random.standard_t(3, count)
        along = self.depth_jitter_metres * random.standard_t(3, count)
        # Without a heading, north stands for the view.
        angle = np.radians(np.nan_to_num(heading))
        east = along * np.sin(angle) + across * np.cos(angle)
        north = along * np.cos(angle) - across * np.sin(angle)
        heading = heading + random.normal(0.0, self.heading_jitter_degrees, count)
        return Batch(
            pictures_from_pixels([crop.pixels for crop in crops]),
            torch.from_numpy(lat + north / METRES_PER_DEGREE),
            torch.from_numpy(lon + east / METRES_PER_DEGREE / np.cos(np.radians(lat))),
            torch.from_numpy(heading),
            torch.from_numpy(column("metres")),
            prompts,
        )
