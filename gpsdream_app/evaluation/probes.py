"""Whether pictures show what was asked for: words found by a classifier, and the right side of the street.

Training a probe is the training room's work; here it is opened and asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional as F

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.statistics import (
    Floats,
    Interval,
    bootstrap,
    bootstrap_distribution,
    weighted_mean,
)
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.models.word_probe import WordProbe as WordProbe

CARD_FILE = "probe.json"
REACH_METRES = 300.0
# Draws pictures (n, 3, h, w) in [-1, 1] of prompts, places and seeds, each n long.
Draw = Callable[[Sequence[str], Sequence[Place], Sequence[int]], torch.Tensor]
Progress = Callable[[int, int, str], None]


# -- figures of a classifier --


def area_under_curve(scores: ArrayLike, truth: ArrayLike) -> float:
    """Area under the ROC curve: how often a picture with the word scores above one without; ties count half.

    Args:
        scores: (n,).
        truth: (n,), whether the word belongs to the picture; both kinds must be there.
    """
    values, right = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=bool)
    with_word, without = np.sort(values[right]), values[~right]
    above = len(with_word) - np.searchsorted(with_word, without, side="right")
    equal = np.searchsorted(with_word, without, side="right") - np.searchsorted(with_word, without, side="left")
    return float((above + equal / 2).sum() / (len(with_word) * len(without)))


def average_precision(scores: ArrayLike, truth: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean precision at the rank of every picture that has the word; chance gives the prevalence.

    Args:
        scores: (n,); of equal ones the earlier comes first.
        truth: (n,), whether the word belongs to the picture; at least once.
        weights: (n,), how often each picture counts; once if left out.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    right = np.asarray(truth, dtype=np.float64)[order]
    counts = np.ones(len(right)) if weights is None else np.asarray(weights, dtype=np.float64)[order]
    found, seen = np.cumsum(right * counts), np.cumsum(counts)
    precision = found / np.maximum(seen, 1e-12)
    return float((precision * right * counts).sum() / (right * counts).sum())


def _average_precisions(pairs: Floats, weights: Floats) -> Floats:
    """The same for every resample; where a resample lost all pictures with the word, the prevalence of 0."""
    scores, truth = pairs[:, 0], pairs[:, 1]
    there = (weights * truth).sum(axis=1) > 0
    return np.array(
        [average_precision(scores, truth, row) if ok else 0.0 for row, ok in zip(weights, there, strict=True)]
    )


def _areas_under_curve(pairs: Floats, weights: Floats) -> Floats:
    scores, truth = pairs[:, 0], pairs[:, 1] > 0.5
    order = np.argsort(scores, kind="stable")
    ordered, right = weights[:, order], truth[order]
    _, group = np.unique(scores[order], return_inverse=True)
    below = np.cumsum(ordered * ~right, axis=1)
    # Of pictures that score the same, half counts.
    last = np.searchsorted(group, group, side="right") - 1
    first = np.searchsorted(group, group, side="left")
    until_before = np.where(first > 0, below[:, np.maximum(first - 1, 0)], 0.0)
    beaten = (until_before + below[:, last]) / 2
    pairs_in_all = (ordered * right).sum(axis=1) * (ordered * ~right).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = (beaten * ordered * right).sum(axis=1) / pairs_in_all
    return np.where(pairs_in_all > 0, areas, 0.5)


@dataclass(frozen=True)
class WordFigures:
    """How well a probe finds one word in pictures that it has not learned from.

    Attributes:
        word: which.
        prevalence: share of the pictures that have it: the average precision of a guess.
        precision: average precision.
        area: under the ROC curve.
    """

    word: str
    prevalence: float
    precision: Interval
    area: Interval


def word_figures(
    words: Sequence[str], scores: ArrayLike, truth: ArrayLike, *, groups: ArrayLike | None = None, resamples: int = 500
) -> list[WordFigures]:
    """Average precision and area of each word, with 95 % intervals; words that all or no pictures have are left out.

    Args:
        words: names.
        scores: (pictures, words).
        truth: (pictures, words), 0 or 1.
        groups: (pictures,), equal for pictures of one source photograph.
        resamples: for the intervals.
    """
    values, right = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    figures = []
    for index, word in enumerate(words):
        pair = np.stack([values[:, index], right[:, index]], axis=1)
        share = float(pair[:, 1].mean())
        if 0 < share < 1:
            precision, area = (
                bootstrap(pair, statistic, groups=groups, resamples=resamples)
                for statistic in (_average_precisions, _areas_under_curve)
            )
            figures.append(WordFigures(word, share, precision, area))
    return figures


def share_threshold(scores: ArrayLike, truth: ArrayLike, share: float = 1.0) -> float:
    """The score above which as many pictures lie as a share of those that have the word.

    With a share of 1 precision and recall are equal; a smaller one keeps only the pictures that leave least doubt.

    Args:
        scores: (n,).
        truth: (n,), 0 or 1.
        share: over 0, at most 1.
    """
    values = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    having = int(np.asarray(truth).sum())
    if having == 0:
        return 1.0
    count = max(1, round(share * having))
    if count >= len(values):
        return 0.0
    return float((values[count - 1] + values[count]) / 2)


# -- the probe's file --


def probe_card(folder: Path) -> dict[str, Any]:
    """What a probe's file says of it: what it learned from, and its figures; empty if there is none."""
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


# -- words --


@dataclass(frozen=True)
class WordObedience:
    """How often a word is found in pictures that were asked for it, and in the same ones drawn without words.

    Attributes:
        word: what was asked for.
        asked: share of pictures in which it is found when asked for.
        not_asked: the same when drawn without words, of the same places and seeds.
        ratio: asked over not asked. Half a picture is added to both counts, so that it stays finite.
    """

    word: str
    asked: Interval
    not_asked: Interval
    ratio: Interval


def _ratio(pairs: Floats, weights: Floats) -> Floats:
    counts = weights @ pairs + 0.5
    return np.asarray(counts[:, 0] / counts[:, 1])


def obedience_of(
    word: str, asked: ArrayLike, not_asked: ArrayLike, *, groups: ArrayLike | None = None
) -> WordObedience:
    """Figures of one word.

    Args:
        word: which.
        asked, not_asked: (pictures,), whether it was found; in pairs of one place and seed.
        groups: (pictures,), equal for pictures that belong together, such as those of one place.
    """
    pairs = np.stack([np.asarray(asked, dtype=np.float64), np.asarray(not_asked, dtype=np.float64)], axis=1)
    value = float(_ratio(pairs, np.ones((1, len(pairs))))[0])
    spread = bootstrap_distribution(pairs, _ratio, groups=groups)
    low, high = np.quantile(spread, (0.025, 0.975))
    with_word, without = (bootstrap(pairs[:, column], weighted_mean, groups=groups) for column in (0, 1))
    return WordObedience(word, with_word, without, Interval(value, float(low), float(high), len(pairs)))


def word_obedience(
    draw: Draw,
    probe: WordProbe,
    words: Sequence[str],
    places: Sequence[Place],
    *,
    prompts: Mapping[str, str] | None = None,
    seeds: Sequence[int] | None = None,
    per_word: int | None = None,
    batch: int = 16,
    report: Progress | None = None,
) -> list[WordObedience]:
    """Ask for each word, and count in how many more pictures it is found than without words.

    Each picture with a word has its twin: the same place and the same seed, drawn without words. The twins are drawn
    once for all words.

    Args:
        draw: draws pictures.
        probe: finds words.
        words: to ask for; those that the probe does not know are left out.
        places: where.
        prompts: what to write for a word, if not the word itself.
        seeds: of each place; 0, 1, 2 … by default.
        per_word: how many of the places each word is asked for at; all by default. Words take turns, so that all
            places are used.
        batch: pictures drawn at once.
        report: told (pictures done, pictures, text).

    Returns:
        One figure per word that the probe knows.
    """
    known = [word for word in words if word in probe.words]
    numbers = list(range(len(places))) if seeds is None else list(seeds)
    count = len(places) if per_word is None else min(per_word, len(places))
    total, done = len(places) + count * len(known), 0

    def found(prompt: str, chosen: Sequence[int]) -> np.ndarray:
        nonlocal done
        rows = []
        for start in range(0, len(chosen), batch):
            part = chosen[start : start + batch]
            pictures = draw([prompt] * len(part), [places[i] for i in part], [numbers[i] for i in part])
            rows.append(probe.found(pictures).cpu().numpy())
            done += len(part)
            if report:
                report(done, total, f"“{prompt}”" if prompt else "without words")
        return np.concatenate(rows)

    if not known or not places:
        return []
    without = found("", range(len(places)))
    results = []
    for turn, word in enumerate(known):
        chosen = [(turn * count + index) % len(places) for index in range(count)]
        column = probe.words.index(word)
        asked = found((prompts or {}).get(word, word), chosen)[:, column]
        results.append(obedience_of(word, asked, without[chosen, column]))
    return results


def found_in_photos(
    probe: WordProbe, pictures: torch.Tensor, tags: Sequence[Sequence[str]], groups: ArrayLike, *, batch: int = 32
) -> dict[str, Interval]:
    """The ratio that photographs reach: a word is found so many times as often where it is as anywhere.

    Photographs that have the word stand for pictures that were asked for it, all photographs for those that were not.
    A model that obeys perfectly, and draws what photographs show, reaches this and not more; a word that is usual
    everywhere, or that the probe hardly finds, cannot reach much.

    Args:
        probe: finds words.
        pictures: (n, 3, h, w) in [-1, 1], photographs.
        tags: of each.
        groups: (n,), equal for pictures of one source photograph.
        batch: pictures looked at together.

    Returns:
        By word; words that no photograph has are left out.
    """
    found = np.concatenate([probe.found(part).cpu().numpy() for part in pictures.split(batch)]).astype(np.float64)
    truth = np.array([probe.truth(some) for some in tags], dtype=np.float64)
    result = {}
    for column, word in enumerate(probe.words):
        table = np.stack([found[:, column], truth[:, column], found[:, column] * truth[:, column]], axis=1)
        if not truth[:, column].any():
            continue
        value = float(_share_ratio(table, np.ones((1, len(table))))[0])
        low, high = np.quantile(bootstrap_distribution(table, _share_ratio, groups=groups), (0.025, 0.975))
        result[word] = Interval(value, float(low), float(high), len(table))
    return result


def _share_ratio(table: Floats, weights: Floats) -> Floats:
    found, have, both = (weights @ table).T
    pictures = weights.sum(axis=1)
    return np.asarray((both + 0.5) / (have + 0.5) * pictures / (found + 0.5))


# -- the side of the street --


@dataclass(frozen=True)
class SideAgreement:
    """How often a picture looks like photos of the side of the street that was asked for.

    Attributes:
        share: of pictures that agree; a guess gives about a half.
        agreed: (pictures,), 1 where it does.
        places: of the pictures that could be judged.
    """

    share: Interval
    agreed: Floats
    places: tuple[Place, ...]


@dataclass(frozen=True)
class SidePhotos:
    """Real crops that pictures are compared with.

    Attributes:
        features: (crops, width), of an image tower.
        lat, lon: (crops,), degrees.
        heading: (crops,), degrees.
    """

    features: torch.Tensor
    lat: Floats
    lon: Floats
    heading: Floats


def nearest_side(
    features: torch.Tensor, places: Sequence[Place], photos: SidePhotos, *, reach_metres: float = REACH_METRES
) -> Floats:
    """Whether the real crop that looks most like each picture shows the side that was asked for.

    Only crops within reach of the picture's place count, so that it is the side that decides and not the district.

    Args:
        features: (pictures, width), of the same image tower as the photos'.
        places: of the pictures, with headings.
        photos: real crops.
        reach_metres: how near these have to be.

    Returns:
        (pictures,): 1 if it does, 0 if not, NaN where the crops within reach do not show both sides.
    """
    own, theirs = F.normalize(features.float(), dim=1), F.normalize(photos.features.float(), dim=1)
    likeness = (own @ theirs.T).cpu().numpy()
    result = np.full(len(places), np.nan)
    for index, place in enumerate(places):
        if place.heading is None:
            continue
        east, north = LocalFrame(place.lat, place.lon).to_metres(photos.lat, photos.lon)
        near = np.hypot(east, north) <= reach_metres
        same = np.abs((photos.heading - place.heading + 180) % 360 - 180) < 90
        if (near & same).any() and (near & ~same).any():
            result[index] = same[int(np.argmax(np.where(near, likeness[index], -np.inf)))]
    return result


def both_sides(points: Sequence[tuple[float, float]], photos: SidePhotos) -> list[Place]:
    """Two places for each point (latitude, longitude): facing the one side of the street and the other.

    The headings are those of the nearest crop and of the nearest one that looks the other way.
    """
    places = []
    for lat, lon in points:
        metres = np.hypot(*LocalFrame(lat, lon).to_metres(photos.lat, photos.lon))
        first = float(photos.heading[int(np.argmin(metres))])
        other = np.abs((photos.heading - first + 180) % 360 - 180) > 90
        if other.any():
            second = float(photos.heading[int(np.argmin(np.where(other, metres, np.inf)))])
            places += [Place(lat, lon, first % 360), Place(lat, lon, second % 360)]
    return places


def side_agreement(
    draw: Draw,
    features: Callable[[torch.Tensor], torch.Tensor],
    photos: SidePhotos,
    places: Sequence[Place],
    *,
    prompts: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    reach_metres: float = REACH_METRES,
    batch: int = 16,
    report: Progress | None = None,
) -> SideAgreement:
    """Draw both sides of the street and see whether each looks like photos of that side.

    Args:
        draw: draws pictures.
        features: of an image tower, such as `GPSClip.features`.
        photos: real crops.
        places: with headings, such as `both_sides` gives; two places at one point share their seed by default.
        prompts: of each place; none by default.
        seeds: of each place.
        reach_metres: only crops as near as this count.
        batch: pictures drawn at once.
        report: told (pictures done, pictures, text).

    Raises:
        ValueError: if no place can be judged: no photos of both sides are near.
    """
    points = list(dict.fromkeys((place.lat, place.lon) for place in places))
    numbers = [points.index((place.lat, place.lon)) for place in places]
    chosen_seeds = numbers if seeds is None else list(seeds)
    texts = [""] * len(places) if prompts is None else list(prompts)
    seen = []
    for start in range(0, len(places), batch):
        part = slice(start, start + batch)
        with torch.no_grad():
            seen.append(features(draw(texts[part], places[part], chosen_seeds[part])))
        if report:
            report(min(start + batch, len(places)), len(places), "both sides of the street")
    agreed = nearest_side(torch.cat(seen), places, photos, reach_metres=reach_metres)
    judged = np.isfinite(agreed)
    if not judged.any():
        raise ValueError("no place has photos of both sides near it")
    share = bootstrap(agreed[judged], groups=np.array(numbers)[judged])
    return SideAgreement(
        share, agreed[judged], tuple(place for place, there in zip(places, judged, strict=True) if there)
    )
