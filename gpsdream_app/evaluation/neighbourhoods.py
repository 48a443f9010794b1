"""Whether a drawn picture looks like its neighbourhood: a probe of photos that is asked about drawings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.evaluation.baselines import Question, Row, conditions_of
from gpsdream_app.evaluation.drawing import Artist, Guidance
from gpsdream_app.evaluation.scores import Scorer, as_json
from gpsdream_app.evaluation.statistics import Floats, Interval, bootstrap
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.geo.regions import city_regions, contains
from gpsdream_app.photos.prepared import Crop

LEAST_PHOTOS = 6  # photographs of a neighbourhood that is learned
NEAR_METRES = (20.0, 40.0, 60.0)  # beside a park, a street belongs to the neighbourhood on its other side
FOLDS = 5
# Of the weights of standardised features: measured on the photos of Fifth Avenue, a tenth of it does as well.
WEIGHT_DECAY = 0.1
PROMPT = "building"
ROWS = {
    Row.OURS: "this model: words + place",
    Row.OURS_WITHOUT_TEXT: "this model: place only",
    Row.TEXT_AND_ADDRESS: "words + address",
}
PASSES = 3 + 2 + 2  # of the U-Net per step, for the rows together


@dataclass(frozen=True)
class NeighbourhoodProbe:
    """A linear classifier of features, in which every neighbourhood counts the same, however many photos it has.

    Attributes:
        mean, deviation: (width,), that features are standardised by.
        weights: (width, neighbourhoods).
        offsets: (neighbourhoods,).
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor

    @classmethod
    def fit(cls, features: Floats, truth: NDArray[np.int64], count: int) -> NeighbourhoodProbe:
        """Learn from features (n, width) and numbers of neighbourhoods (n,), 0 to count - 1."""
        inputs, target = torch.from_numpy(features).float(), torch.from_numpy(truth)
        mean, deviation = inputs.mean(dim=0), inputs.std(dim=0) + 1e-3
        inputs = (inputs - mean) / deviation
        share = (1.0 / torch.bincount(target, minlength=count).clamp(min=1))[target]
        share = share / share.sum()
        weights = torch.zeros(inputs.shape[1], count, requires_grad=True)
        offsets = torch.zeros(count, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights, offsets], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            fit = F.cross_entropy(inputs @ weights + offsets, target, reduction="none")
            value = (share * fit).sum() + WEIGHT_DECAY * weights.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        return cls(mean, deviation, weights.detach(), offsets.detach())

    def answers(self, features: Floats) -> NDArray[np.int64]:
        """Numbers of the most likely neighbourhoods, (n,)."""
        inputs = (torch.from_numpy(features).float() - self.mean) / self.deviation
        found: NDArray[np.int64] = (inputs @ self.weights + self.offsets).argmax(dim=1).numpy()
        return found


def neighbourhoods_of(regions: Sequence[Region], lats: Floats, lons: Floats) -> NDArray[np.int64]:
    """Numbers of the regions in which places lie, or that are within 60 m of those in none; -1 for neither.

    Args:
        regions: of which the first counts where two overlap.
        lats, lons: (n,), degrees.
    """
    found = np.full(len(lats), -1, dtype=np.int64)
    if not len(lats):
        return found
    frame = LocalFrame(float(lats.mean()), float(lons.mean()))
    east, north = (np.asarray(values, dtype=np.float64) for values in frame.to_metres(lats, lons))
    ring = [math.radians(angle) for angle in range(0, 360, 45)]
    for metres in (0.0, *NEAR_METRES):
        for angle in ring if metres else ring[:1]:
            open_ones = np.flatnonzero(found == -1)
            there = frame.to_degrees(
                east[open_ones] + metres * math.sin(angle), north[open_ones] + metres * math.cos(angle)
            )
            for number, region in reversed(list(enumerate(regions))):
                inside = contains(region, np.asarray(there[0]), np.asarray(there[1]))
                found[open_ones[inside]] = number
    return found


def balanced_share(right: Floats, truth: NDArray[np.int64], count: int, groups: Sequence[str]) -> Interval:
    """Mean over neighbourhoods of a share, with its 95 % interval by source photograph.

    Args:
        right: (n,), 1 or 0; differences of such are welcome, too.
        truth: (n,), numbers of the neighbourhoods, 0 to count - 1.
        count: of neighbourhoods.
        groups: (n,), source photographs.
    """
    member = np.eye(count)[truth]
    values = np.concatenate([right[:, None] * member, member], axis=1)

    def statistic(values: Floats, weights: Floats) -> Floats:
        sums = weights @ values
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = sums[:, :count] / sums[:, count:]
        # A resample may have lost all pictures of a neighbourhood.
        result: Floats = np.nanmean(shares, axis=1)
        return result

    return bootstrap(values, statistic, groups=groups)


def unseen_answers(
    features: Floats, truth: NDArray[np.int64], sources: Sequence[str], learned: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """What probes answer of photos that they have not seen: those of learned photographs by turns, in five folds.

    Args:
        features: (n, width), of crops.
        truth: (n,), numbers of their neighbourhoods.
        sources: (n,), their photographs; crops of one are always in one fold.
        learned: (n,), whether probes may learn from them.
        count: of neighbourhoods.
    """
    names = np.array(sources)
    answers = np.full(len(truth), -1, dtype=np.int64)
    # Dealt out by neighbourhood, so that each fold has photographs of all.
    by_main = sorted({(int(np.bincount(truth[names == name]).argmax()), name) for name in set(sources)})
    fold_of = {name: number % FOLDS for number, (_, name) in enumerate(by_main)}
    folds = np.array([fold_of[name] for name in sources])
    for fold in range(FOLDS):
        asked = learned & (folds == fold)
        taught = learned & ~asked
        if asked.any() and taught.any():
            answers[asked] = NeighbourhoodProbe.fit(features[taught], truth[taught], count).answers(features[asked])
    if (~learned).any():
        answers[~learned] = NeighbourhoodProbe.fit(features[learned], truth[learned], count).answers(features[~learned])
    return answers


def told_apart(
    artist: Artist,
    scorer: Scorer,
    learned: Sequence[tuple[str, Crop]],
    held_out: Sequence[tuple[str, Crop]],
    city: CityMap | None,
    address: Callable[[Place], str] | None,
    pictures: int,
    own: Guidance,
    seed: int,
) -> tuple[dict[str, Any], str]:
    """Draw single pictures in every neighbourhood, and ask a probe of real photos which one they show.

    Args:
        artist: draws.
        scorer: whose judge's features the probe sees.
        learned: crops of photos that the model has learned from, with the names of their photographs: the probe's own.
        held_out: crops of others; they are only asked about.
        city: whose neighbourhoods they are.
        address: of a place.
        pictures: of each row, spread evenly over the neighbourhoods.
        own: how the model guides.
        seed: of places and noise.

    Returns:
        JSON values, and an empty text; or nothing, and a sentence that says why.
    """
    if city is None or address is None:
        return {}, "There is no map of this city, so nothing is said of its neighbourhoods."
    every = [*learned, *held_out]
    if scorer.judges.gps is None or not learned:
        return {}, "There is nothing that could learn the neighbourhoods, so nothing is said of them."
    regions = [region for region in city_regions(city) if region.kind is RegionKind.NEIGHBOURHOOD]
    lats, lons = np.array([crop.lat for _, crop in every]), np.array([crop.lon for _, crop in every])
    numbers = neighbourhoods_of(regions, lats, lons)
    sources = np.array([source for source, _ in every])
    may_learn = np.arange(len(every)) < len(learned)
    photos = {
        number: len(set(sources[may_learn & (numbers == number)].tolist()))
        for number in sorted(set(numbers[numbers >= 0].tolist()))
    }
    # From south to north.
    known = sorted(
        (number for number, count in photos.items() if count >= LEAST_PHOTOS),
        key=lambda number: float(lats[numbers == number].mean()),
    )
    if len(known) < 2:
        return {}, (
            f"Fewer than two neighbourhoods have {LEAST_PHOTOS} photographs that the model learned from, so nothing "
            "is said of neighbourhoods."
        )
    chosen = np.flatnonzero(np.isin(numbers, known))
    truth = np.array([known.index(number) for number in numbers[chosen]], dtype=np.int64)
    names, may_learn = sources[chosen].tolist(), may_learn[chosen]
    crops = [every[index][1] for index in chosen]
    features = scorer.features(
        torch.stack([torch.from_numpy(np.array(crop.pixels)).permute(2, 0, 1) for crop in crops])
    )
    assert features is not None
    count = len(known)
    rows = [
        _row(
            "the real photo",
            "real photos that the probe has not seen",
            unseen_answers(features, truth, names, may_learn, count),
            truth,
            names,
            count,
        )
    ]
    probe = NeighbourhoodProbe.fit(features[may_learn], truth[may_learn], count)

    random = np.random.default_rng((seed, 3))
    each = max(1, pictures // count)
    where = np.concatenate([random.choice(np.flatnonzero(truth == number), each) for number in range(count)])
    asked, groups = truth[where], [names[index] for index in where]
    questions = [
        Question(PROMPT, Place(crops[index].lat, crops[index].lon, crops[index].heading), names[index])
        for index in where
    ]
    seeds = [(seed * 32_452_843 + 20_000 + index) % (MAX_SEED + 1) for index in range(len(where))]
    right: dict[Row, Floats] = {}
    for row, label in ROWS.items():
        artist.progress.stage(f"neighbourhoods: {label}")
        given = [conditions_of(row, question, address) for question in questions]
        drawn = artist.draw([prompt for prompt, _ in given], [place for _, place in given], seeds, own)
        seen = scorer.features(drawn)
        assert seen is not None
        answers = probe.answers(seen)
        right[row] = (answers == asked).astype(np.float64)
        rows.append(_row(str(row), label, answers, asked, groups, count))
    difference = balanced_share(right[Row.OURS] - right[Row.TEXT_AND_ADDRESS], asked, count, groups)
    return {
        "names": [regions[number].name for number in known],
        "photos": [photos[number] for number in known],
        "prompt": PROMPT,
        "chance": round(1 / count, 4),
        "rows": rows,
        "above_address": as_json(difference),
    }, ""


def _row(
    name: str, label: str, answers: NDArray[np.int64], truth: NDArray[np.int64], groups: Sequence[str], count: int
) -> dict[str, Any]:
    """A row of the report: the share that is right, the share by neighbourhood, and which were answered for which."""
    right = (answers == truth).astype(np.float64)
    confusion = [
        [int(((truth == number) & (answers == answer)).sum()) for answer in range(count)] for number in range(count)
    ]
    return {
        "row": name,
        "label": label,
        "share": as_json(balanced_share(right, truth, count, groups)),
        "by_neighbourhood": [round(float(right[truth == number].mean()), 4) for number in range(count)],
        "confusion": confusion,
    }
