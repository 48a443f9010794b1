"""Random crops for training. Every batch is a pure function of seed and step, so a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.photos.prepared import Crop, PreparedPhotos, TrainingPhoto, View, crop_photo


@dataclass(frozen=True)
class Batch:
    """One batch of crops.

    Attributes:
        pictures: (batch, 3, side, side), float32 in [-1, 1].
        lat, lon: (batch,), float64, degrees.
        heading: (batch,), float64, degrees; NaN where not known.
        prompts: words of each picture; may be empty.
    """

    pictures: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor
    heading: torch.Tensor
    prompts: list[str]


def compose_prompt(view: View | None, random: np.random.Generator) -> str:
    """Words for a crop: its caption, or a few of its tags in any order, so that single words are learned too."""
    if view is None or (not view.caption and not view.tags):
        return ""
    if view.caption and (not view.tags or random.random() < 0.4):
        return view.caption
    count = int(random.integers(1, min(4, len(view.tags)) + 1))
    chosen = random.choice(len(view.tags), size=count, replace=False)
    return ", ".join(view.tags[index] for index in chosen)


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
        heading_jitter_degrees: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Make a sampler.

        Args:
            prepared: the folder that holds the pixels.
            photos: those to draw from.
            side: of the crops, pixels.
            smallest_scale: crops are this large or larger, as a fraction of the photo's shorter side.
            place_jitter_metres: standard deviation of the noise on places: how far GPS is believed to be off.
            heading_jitter_degrees: standard deviation of the noise on headings.
            seed: of everything random.
        """
        self.prepared = prepared
        self.photos = list(photos)
        self.side = side
        self.smallest_scale = smallest_scale
        self.place_jitter_metres = place_jitter_metres
        self.heading_jitter_degrees = heading_jitter_degrees
        self.seed = seed
        weights = np.array([max(p.width, p.height) / min(p.width, p.height) for p in self.photos])
        self._chances = weights / weights.sum()

    def crops(self, step: int, count: int) -> tuple[list[Crop], np.random.Generator]:
        """The crops of one step, and the generator that drew them, for whatever else is random in that step."""
        random = np.random.default_rng((self.seed, step))
        chosen = random.choice(len(self.photos), size=count, p=self._chances)
        crops = []
        for index in chosen:
            across, down = random.random(2)
            scale = random.uniform(self.smallest_scale, 1.0)
            crops.append(crop_photo(self.prepared, self.photos[index], self.side, across, down, scale))
        return crops, random

    def pictures(self, step: int, count: int) -> torch.Tensor:
        """Only the pictures of one step, (count, 3, side, side) in [-1, 1]."""
        crops, _ = self.crops(step, count)
        return pictures_from_pixels([crop.pixels for crop in crops])

    def batch(self, step: int, count: int) -> Batch:
        """The batch of one step."""
        crops, random = self.crops(step, count)
        prompts = [compose_prompt(crop.view, random) for crop in crops]
        lat, lon = np.array([crop.lat for crop in crops]), np.array([crop.lon for crop in crops])
        noise = random.normal(0.0, self.place_jitter_metres, (2, count)) / METRES_PER_DEGREE
        lat, lon = lat + noise[0], lon + noise[1] / np.cos(np.radians(lat))
        heading = np.array([np.nan if crop.heading is None else crop.heading for crop in crops])
        heading = heading + random.normal(0.0, self.heading_jitter_degrees, count)
        return Batch(
            pictures_from_pixels([crop.pixels for crop in crops]),
            torch.from_numpy(lat),
            torch.from_numpy(lon),
            torch.from_numpy(heading),
            prompts,
        )
