"""Training the probe that finds words in pictures: on real crops of the training part only."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.evaluation.probes import (
    CARD_FILE,
    WordProbe,
    average_precision,
    share_threshold,
    word_figures,
)
from gpsdream_app.models.filters import FilterBank
from gpsdream_app.photos.prepared import PreparedPhotos, TrainingPhoto
from gpsdream_app.training.contrastive import (
    ContrastiveConfig,
    Measurement,
    Report,
    Stopped,
    begin_run,
    learn,
    write_facts,
)
from gpsdream_app.training.crops import CropCache, CropsConfig, Reduction, build_cache


@dataclass(frozen=True)
class ProbeConfig(ContrastiveConfig):
    """Settings of the probe.

    Attributes:
        words: what it finds; empty: every tag that enough photographs have.
        tags: for a word that is no tag itself, the tags that stand for it; any of them is enough.
        fewest_photos: a tag becomes a word if so many photographs have it and so many do not.
        smoothing: how far the right answers are moved from 0 and 1: who wrote the tags saw more than the crop shows.
        width: of the learned features.
        everything: learn the held-out photos too.
        found_share: as many pictures count as showing a word as this share of those that have it, over 0, at most 1.
            Under 1 only those count that leave least doubt, so that a word which many pictures have can still be found
            several times more often when it is asked for.
    """

    words: tuple[str, ...] = ()
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fewest_photos: int = 8
    smoothing: float = 0.03
    width: int = 64
    everything: bool = False
    found_share: float = 1.0

    def __post_init__(self) -> None:
        ContrastiveConfig.__post_init__(self)
        if not 0 < self.found_share <= 1:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, "“found_share” must be over 0 and at most 1.", "Change it in the recipe."
            )


def words_of(photos: Sequence[TrainingPhoto], config: ProbeConfig) -> dict[str, tuple[str, ...]]:
    """The words of a probe, each with the tags that stand for it.

    Raises:
        GPSDreamError: if no tag is there often enough, or a word that was asked for is nowhere.
    """
    counts = Counter(tag for photo in photos for tag in {tag for view in photo.views for tag in view.tags})
    if not config.words:
        fewest, most = config.fewest_photos, len(photos) - config.fewest_photos
        found = {tag: (tag,) for tag, count in sorted(counts.items()) if fewest <= count <= most}
        if not found:
            raise GPSDreamError(
                ErrorKind.BAD_PHOTO,
                f"No tag is on at least {fewest} photos and missing on as many, so no word can be learned.",
                "Tag more photos, or train without --clip.",
            )
        return found
    words = {word: tuple(config.tags.get(word, (word,))) for word in config.words}
    nowhere = [word for word, tags in words.items() if not any(counts[tag] for tag in tags)]
    if nowhere:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"No training photo has the word “{nowhere[0]}”.",
            "Take it out of “probe.words” in the recipe, or name the tags that stand for it in “probe.tags”.",
        )
    return words


class _Lesson:
    """A probe that learns from reduced features of some photos' crops."""

    def __init__(
        self,
        words: Mapping[str, tuple[str, ...]],
        cache: CropCache,
        photos: Sequence[TrainingPhoto],
        config: ProbeConfig,
        device: str,
    ) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        thresholds = (0.5,) * len(words)
        self.model = WordProbe(tuple(words), tuple(words.values()), thresholds, config.width, config.dropout)
        self.rows = cache.rows(photos, with_words=True)
        self.reduction = Reduction.fit(cache.raw[cache.rows(photos)], config.components, config.seed)
        self.reduced = self.reduction.apply(cache.raw).to(device)
        self.truth = truth_of(self.model, cache).to(device)
        self.model.image_network.linear = nn.Linear(self.reduced.shape[1], config.width)
        self.model.to(device)

    def loss(self, step: int) -> torch.Tensor:
        """Binary cross-entropy of one step."""
        config = self.config
        random = np.random.default_rng((config.seed, step))
        rows = self.rows[torch.from_numpy(random.integers(len(self.rows), size=config.batch))]
        target = self.truth[rows] * (1 - 2 * config.smoothing) + config.smoothing
        return F.binary_cross_entropy_with_logits(self.model.logits_from_raw(self.reduced[rows]), target)

    @torch.no_grad()
    def scores(self, rows: torch.Tensor) -> np.ndarray:
        """Probabilities, (rows, words)."""
        return torch.sigmoid(self.model.logits_from_raw(self.reduced[rows])).cpu().numpy()

    def finished(self, thresholds: Sequence[float]) -> WordProbe:
        """The probe with a map of whole features, to be saved."""
        model = copy.deepcopy(self.model).cpu()
        model.image_network.linear = self.reduction.undone(model.image_network.linear)
        model.register_to_config(thresholds=tuple(round(float(value), 4) for value in thresholds))
        return model


def truth_of(probe: WordProbe, cache: CropCache) -> torch.Tensor:
    """Right answers for every crop of a cache, (crops, words), 0 or 1; all 0 where nothing was written."""
    known: dict[tuple[int, int], list[float]] = {}
    rows = []
    for row, key in enumerate(zip(cache.photo.tolist(), cache.view.tolist(), strict=True)):
        if key not in known:
            known[key] = probe.truth(cache.tags(row))
        rows.append(known[key])
    return torch.tensor(rows)


def _mean_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    both = [index for index in range(truth.shape[1]) if 0 < truth[:, index].mean() < 1]
    if not both:
        return 0.0
    return float(np.mean([average_precision(scores[:, index], truth[:, index]) for index in both]))


def held_out_scores(probe: WordProbe, cache: CropCache, *, plain: bool = True) -> list[dict[str, Any]]:
    """Figures of each word on held-out photos, with 95 % intervals by source photograph; empty if there are none."""
    rows = cache.rows([photo for photo in cache.photos if photo.validation], plain=plain, with_words=True)
    if not len(rows):
        return []
    with torch.no_grad():
        scores = torch.sigmoid(probe.logits_from_raw(cache.raw[rows].float())).numpy()
    truth = truth_of(probe, cache)[rows].numpy()
    return [asdict(figure) for figure in word_figures(probe.words, scores, truth, groups=cache.sources(rows))]


def train_word_probe(
    prepared: PreparedPhotos,
    out: Path,
    config: ProbeConfig,
    *,
    crops: CropsConfig | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    report: Report | None = None,
    stopped: Stopped | None = None,
) -> Path | None:
    """Train a probe, or go on with one that was interrupted.

    The thresholds follow `found_share`. With folds they are chosen on photos that the fold left out, else on
    the training photos themselves, where they come out too high.

    Args:
        prepared: photos with tags.
        out: folder of the run.
        config: settings.
        crops: how the crops look.
        cache: folder of the crops' features; `out`/crops by default.
        device: name of the device.
        report: told (step, steps, text).
        stopped: asked after every step; True saves and ends.

    Returns:
        The folder of the probe, with a file that says what it was trained on; None if it was stopped before its end.

    Raises:
        GPSDreamError: if there are no tags to learn, or `out` holds another run.
    """
    allowed = prepared.photos if config.everything else prepared.part(validation=False)
    photos = [photo for photo in allowed if any(view.tags for view in photo.views)]
    words = words_of(photos, config)
    crops = crops or CropsConfig()
    recipe = begin_run(out, config, crops, photos)
    found = build_cache(
        prepared, cache or out / "crops", FilterBank().to(device), crops, device=device, report=report, stopped=stopped
    )
    if found is None:
        return None

    def lesson(some: Sequence[TrainingPhoto]) -> _Lesson:
        return _Lesson(words, found, some, config, device)

    def judge(made: _Lesson, left_out: list[TrainingPhoto]) -> Measurement:
        rows = found.rows(left_out, plain=True, with_words=True)
        scores, truth = made.scores(rows), made.truth[rows].cpu().numpy()
        answers = [scores.round(4).tolist(), truth.tolist(), found.sources(rows)]
        return Measurement(1 - _mean_precision(scores, truth), answers)

    learned = learn(photos, out, config, lesson=lesson, judge=judge, text="probe", report=report, stopped=stopped)
    if learned is None:
        return None
    last, best = learned
    cross_validation: dict[str, Any] = {}
    if best.answers:
        scores, truth = (np.concatenate([np.array(fold[part]) for fold in best.answers]) for part in (0, 1))
        groups = [source for fold in best.answers for source in fold[2]]
        figures = word_figures(tuple(words), scores, truth, groups=groups)
        cross_validation = {"1 - mean precision": best.curve, "words": [asdict(figure) for figure in figures]}
    else:
        rows = found.rows(photos, plain=True, with_words=True)
        scores, truth = last.scores(rows), last.truth[rows].cpu().numpy()
    thresholds = [share_threshold(scores[:, index], truth[:, index], config.found_share) for index in range(len(words))]
    folder = out / "probe"
    last.finished(thresholds).half().save_pretrained(folder, safe_serialization=True)
    write_facts(
        folder / CARD_FILE,
        recipe,
        best,
        measure_held_out=None
        if config.everything
        else lambda plain: held_out_scores(WordProbe.open(folder), found, plain=plain),
        nothing=[],
        words={word: list(tags) for word, tags in words.items()},
        thresholds_from="cross-validation" if best.answers else "training photos",
        cross_validation=cross_validation,
    )
    return folder
