"""Averages over places: the mean of the location term at every step (Eq 8 of the paper), not of finished pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.models.conditions import Location, predict
from gpsdream_app.models.pipeline import GPSDiffusionPipeline, GuidanceTerm, LocationTerm, Predictor, Words

# Passes of the U-Net that go together. More of them in one are hardly quicker on a CPU, and take memory.
ROWS, ROWS_OF_LARGE = 16, 4
SMALL_WEIGHTS = 100_000_000  # of a U-Net
ENCODED_TOGETHER = 64
_SUBSETS = 8  # sets the stream of random subsets apart from all others that start from the same seed


@dataclass(frozen=True)
class MeanOverPlaces(LocationTerm):
    """Stands for many places: `e(p, g)` of Eq 4 becomes `mean_i e(p, g_i)` (Eq 8).

    All that a scheduler and the guidance make of the predictions is as for one place. Where the words come on top of
    the place ("place_first"), Eq 4 has two terms that know it, and both become means over the same places:
    `e(0,0) + w_g [mean_i e(0,g_i) - e(0,0)] + w_p [mean_i e(p,g_i) - mean_i e(0,g_i)]`. The weights sum to 1, so the
    mean of a predicted v stands for that of the noise just as well.

    Places that are the same to the model are predicted once and count as often as they occur: many equal places give
    the very pixels of one.

    Attributes:
        places: one or more.
        subset: so many places stand for all of them at each step, drawn afresh at random, which is cheaper. Its
            expectation is the mean over all. None or as many as there are: all of them.
        seed: of the subsets.
        rows: passes of the U-Net that go together, which bounds the memory; None chooses by the size of the U-Net.
        before_pass: called before each such pass; may raise to stop.
    """

    places: Sequence[Place]
    subset: int | None = None
    seed: int = 0
    rows: int | None = None
    before_pass: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if not self.places:
            raise ValueError("an average needs a place")
        if self.subset is not None and self.subset < 1:
            raise ValueError(f"a subset needs a place, not {self.subset}")

    def predictor(self, pipeline: GPSDiffusionPipeline, words: Words, radius: float) -> Predictor:
        """Get ready to draw one picture; see LocationTerm."""
        distinct, numbers = distinct_places(pipeline, self.places)
        location = encode_in_parts(pipeline, distinct, radius)
        rows = self.rows or rows_together(pipeline)
        preconditioning = pipeline.preconditioning
        counts = np.bincount(numbers, minlength=len(distinct))
        subsets = None
        if self.subset is not None and self.subset < len(self.places):
            subsets = random_subsets(len(self.places), self.subset, self.seed)

        def predict_terms(
            noisy: torch.Tensor, timestep: torch.Tensor, terms: Sequence[GuidanceTerm]
        ) -> Sequence[torch.Tensor]:
            drawn = counts
            if subsets is not None:
                drawn = np.bincount(numbers[next(subsets)], minlength=len(distinct))
            here = np.flatnonzero(drawn)
            weights = drawn[here] / drawn.sum()
            # Term by term, as for one place: the same batch gives the same bits.
            jobs: list[tuple[int, int, float]] = []
            for number, term in enumerate(terms):
                known = zip(here + 1, weights, strict=True) if term.with_place else [(0, 1.0)]
                jobs += [(number, int(which), float(weight)) for which, weight in known]
            sums: list[torch.Tensor | None] = [None] * len(terms)
            for part in np.array_split(np.arange(len(jobs)), -(-len(jobs) // rows)):
                if self.before_pass is not None:
                    self.before_pass()
                taken = [jobs[index] for index in part]
                which = torch.tensor([row for _, row, _ in taken], device=noisy.device)
                output = predict(
                    pipeline.unet,
                    torch.cat([noisy] * len(taken)),
                    timestep,
                    torch.cat([words.of(terms[number]) for number, _, _ in taken]),
                    Location(location.tokens[which], None if location.plane is None else location.plane[which]),
                    preconditioning,
                )
                for (number, _, weight), one in zip(taken, output.split(1), strict=True):
                    before = sums[number]
                    sums[number] = weight * one if before is None else before + weight * one
            return [one for one in sums if one is not None]

        return predict_terms


def distinct_places(pipeline: GPSDiffusionPipeline, places: Sequence[Place]) -> tuple[list[Place], np.ndarray]:
    """Return the places that differ to a model, in order of their first occurrence.

    Returns:
        The places, and for each one given its number among them, (len(places),).
    """
    config = pipeline.location_encoder.config
    turned = bool(config.has_heading or config.map_channels)
    found: dict[tuple[float, float, float | None], int] = {}
    distinct: list[Place] = []
    numbers = np.empty(len(places), dtype=np.int64)
    for index, place in enumerate(places):
        key = (place.lat, place.lon, place.heading if turned else None)
        if key not in found:
            found[key] = len(distinct)
            distinct.append(place)
        numbers[index] = found[key]
    return distinct, numbers


def encode_in_parts(pipeline: GPSDiffusionPipeline, places: Sequence[Place], radius: float) -> Location:
    """What the U-Net is told of places: row 0 is for no place, row i for place i - 1.

    A few kilobytes per place; what is needed in between is let go of, part by part.
    """
    parts = [
        pipeline.encode_places(places[start : start + ENCODED_TOGETHER], radius=radius)
        for start in range(0, len(places), ENCODED_TOGETHER)
    ]
    first = Location(parts[0].tokens[:1], None if parts[0].plane is None else parts[0].plane[:1])
    return Location.joined([first.nowhere(), *parts])


def rows_together(pipeline: GPSDiffusionPipeline) -> int:
    """How many passes of the U-Net go together."""
    return ROWS if pipeline.unet.num_parameters() <= SMALL_WEIGHTS else ROWS_OF_LARGE


def random_subsets(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield random subsets of `size` numbers from 0 to count - 1, without end.

    Every number is in every subset with the same probability, so means over subsets are unbiased. The numbers are
    dealt like cards: none comes again before all have come, so that neighbouring steps, which see nearly the same
    picture, see different places.

    Args:
        count: of numbers.
        size: of a subset, 1 to count.
        seed: decides all of them.
    """
    random = np.random.default_rng((_SUBSETS, seed))
    cards = random.permutation(count)
    while True:
        if len(cards) >= size:
            dealt, cards = cards[:size], cards[size:]
        else:
            others = random.permutation(np.setdiff1d(np.arange(count), cards))
            missing = size - len(cards)
            dealt, cards = (
                np.concatenate([cards, others[:missing]]),
                random.permutation(np.concatenate([cards, others[missing:]])),
            )
        yield dealt
