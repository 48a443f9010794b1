"""Training a small CLIP on the captions and tags of prepared photos."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTokenizer

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.evaluation.probes import area_under_curve
from gpsdream_app.evaluation.statistics import bootstrap
from gpsdream_app.models.filters import FilterBank
from gpsdream_app.models.text_clip import SmallClip, TextClip
from gpsdream_app.photos.prepared import PreparedPhotos, TrainingPhoto, View
from gpsdream_app.training.batches import compose_prompt
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
from gpsdream_app.training.tokenizer import train_tokenizer

FACTS_FILE = "text-clip.json"
HOTTEST = 100.0  # the largest scale of the cosines, as in CLIP
FEWEST_OF_EACH = 3  # pictures with a word, and without it, to measure it on


@dataclass(frozen=True)
class TextClipConfig(ContrastiveConfig):
    """Settings of a small CLIP.

    Attributes:
        width: of the shared space.
        token_width: of the words' vectors.
        vocabulary_size: of the tokenizer.
        max_tokens: per prompt.
        everything: learn the held-out photos too.
    """

    width: int = 128
    token_width: int = 64
    vocabulary_size: int = 1536
    max_tokens: int = 40
    everything: bool = False


def fitting_words(prompts: Sequence[str], views: Sequence[View]) -> torch.Tensor:
    """Which prompts are right for which pictures, (pictures, prompts), 1 or 0.

    A caption is right for its own picture, and for others with the very same words; a list of tags for every picture
    that has them all.

    Args:
        prompts: of each picture.
        views: what was written about each picture.
    """
    captions = {view.caption for view in views}
    numbers = {tag: index for index, tag in enumerate(dict.fromkeys(tag for view in views for tag in view.tags))}
    has, asks = torch.zeros(len(views), len(numbers) + 1), torch.zeros(len(prompts), len(numbers) + 1)
    for row, view in enumerate(views):
        has[row, [numbers[tag] for tag in view.tags]] = 1
    same = torch.zeros(len(views), len(prompts))
    for column, prompt in enumerate(prompts):
        if prompt in captions:
            asks[column, -1] = 1  # what no picture has
            same[:, column] = torch.tensor([float(view.caption == prompt) for view in views])
        else:
            asks[column, [numbers.get(tag, -1) for tag in prompt.split(", ")]] = 1
    right = ((has @ asks.T) == asks.sum(dim=1)).float()
    return torch.maximum(right, same).fill_diagonal_(1)


class _Lesson:
    """A small CLIP that learns from reduced features of some photos' crops."""

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        cache: CropCache,
        photos: Sequence[TrainingPhoto],
        config: TextClipConfig,
        device: str,
    ) -> None:
        self.cache, self.config, self.device = cache, config, device
        torch.manual_seed(config.seed)
        self.clip = TextClip(
            SmallClip(
                len(tokenizer),
                tuple(sorted(set(tokenizer.all_special_ids))),
                config.width,
                config.token_width,
                config.max_tokens,
                config.dropout,
            ),
            tokenizer,
        )
        self.rows = cache.rows(photos, with_words=True)
        self.reduction = Reduction.fit(cache.raw[cache.rows(photos)], config.components, config.seed)
        self.reduced = self.reduction.apply(cache.raw).to(device)
        self.model.image_network.linear = nn.Linear(self.reduced.shape[1], config.width)
        self.model.to(device)

    @property
    def model(self) -> SmallClip:
        return self.clip.model

    def loss(self, step: int) -> torch.Tensor:
        """CLIP's loss of one step, with words that fit several pictures shared."""
        config, cache = self.config, self.cache
        random = np.random.default_rng((config.seed, step))
        rows = self.rows[torch.from_numpy(random.integers(len(self.rows), size=config.batch))]
        views = [cache.photos[int(cache.photo[row])].views[int(cache.view[row])] for row in rows]
        prompts = [compose_prompt(view, random) for view in views]
        scale = self.model.logit_scale.exp().clamp(max=HOTTEST)
        logits = scale * self.model.embed_raw(self.reduced[rows]) @ self.clip.embed_texts(prompts).T
        right = fitting_words(prompts, views).to(self.device)
        of_pictures, of_prompts = (truth / truth.sum(dim=1, keepdim=True) for truth in (right, right.T))
        return (F.cross_entropy(logits, of_pictures) + F.cross_entropy(logits.T, of_prompts)) / 2

    def finished(self) -> TextClip:
        """The CLIP with a map of whole features, to be saved."""
        model = copy.deepcopy(self.model).cpu()
        model.image_network.linear = self.reduction.undone(model.image_network.linear)
        return TextClip(model, self.clip.tokenizer)


@torch.no_grad()
def word_areas(clip: TextClip, pictures: torch.Tensor, tags: Sequence[tuple[str, ...]]) -> dict[str, float]:
    """How well each tag alone tells pictures with it from pictures without: area under the ROC curve.

    Args:
        clip: whose text tower is asked.
        pictures: (n, width), unit vectors.
        tags: of each picture.

    Returns:
        By tag, 0.5 for chance; tags that too few pictures have, or lack, are left out.
    """
    counts = {tag: sum(tag in own for own in tags) for tag in sorted({tag for own in tags for tag in own})}
    asked = [tag for tag, count in counts.items() if FEWEST_OF_EACH <= count <= len(tags) - FEWEST_OF_EACH]
    if not asked:
        return {}
    cosines = (pictures @ clip.embed_texts(asked).T).double().cpu().numpy()
    truth = np.array([[tag in own for tag in asked] for own in tags])
    return {tag: area_under_curve(cosines[:, index], truth[:, index]) for index, tag in enumerate(asked)}


@torch.no_grad()
def held_out_scores(clip: TextClip, cache: CropCache, *, plain: bool = True) -> dict[str, Any]:
    """What a trained CLIP makes of held-out photos, with 95 % intervals by source photograph.

    Retrieval: the share of other captions that fit a picture less than its own does (0.5 for chance), and how often
    its own is among the best five. Words: the area under the ROC curve of each tag alone.

    Empty if no photo with words is held out.
    """
    rows = cache.rows([photo for photo in cache.photos if photo.validation], plain=plain, with_words=True)
    if not len(rows):
        return {}
    pictures = clip.model.embed_raw(cache.raw[rows].float())
    tags = [cache.tags(int(row)) for row in rows]
    result: dict[str, Any] = {"pictures": len(rows)}
    areas = word_areas(clip, pictures, tags)
    result["word_area"] = {tag: round(value, 4) for tag, value in areas.items()}
    if areas:
        result["mean_word_area"] = round(float(np.mean(list(areas.values()))), 4)
    captions = [cache.caption(int(row)) for row in rows]
    distinct = list(dict.fromkeys(caption for caption in captions if caption))
    if len(distinct) < 2:
        return result
    cosines = (pictures @ clip.embed_texts(distinct).T).double().numpy()
    own = [index for index, caption in enumerate(captions) if caption]
    beaten, top = [], []
    for index in own:
        right = cosines[index, distinct.index(captions[index])]
        better = int((cosines[index] > right).sum())
        beaten.append(1 - better / (len(distinct) - 1))
        top.append(float(better < 5))
    sources = [cache.sources(rows)[index] for index in own]
    result["captions"] = len(distinct)
    result["captions_beaten"] = asdict(bootstrap(beaten, groups=sources))
    result["own_among_five"] = asdict(bootstrap(top, groups=sources))
    result["clip_score"] = asdict(
        bootstrap([100 * cosines[index, distinct.index(captions[index])] for index in own], groups=sources)
    )
    return result


def _words(photos: Sequence[TrainingPhoto]) -> list[str]:
    views = [view for photo in photos for view in photo.views]
    return [text for view in views for text in (view.caption, *view.tags) if text]


def train_text_clip(
    prepared: PreparedPhotos,
    out: Path,
    config: TextClipConfig,
    *,
    crops: CropsConfig | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    report: Report | None = None,
    stopped: Stopped | None = None,
) -> Path | None:
    """Train a small CLIP, or go on with one that was interrupted.

    Args:
        prepared: photos with captions or tags.
        out: folder of the run.
        config: settings.
        crops: how the crops look.
        cache: folder of the crops' features; `out`/crops by default.
        device: name of the device.
        report: told (step, steps, text).
        stopped: asked after every step; True saves and ends.

    Returns:
        The folder of the CLIP, with a file that says what it was trained on; None if it was stopped before its end.

    Raises:
        GPSDreamError: if there are no captions, or `out` holds another run.
    """
    allowed = prepared.photos if config.everything else prepared.part(validation=False)
    photos = [photo for photo in allowed if _words([photo])]
    if not photos:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, "None of the photos has a caption.", "A CLIP needs photos with captions or tags."
        )
    crops = crops or CropsConfig()
    recipe = begin_run(out, config, crops, photos)
    found = build_cache(
        prepared, cache or out / "crops", FilterBank().to(device), crops, device=device, report=report, stopped=stopped
    )
    if found is None:
        return None
    tokenizer = train_tokenizer(_words(photos), vocabulary_size=config.vocabulary_size, max_tokens=config.max_tokens)

    def lesson(some: Sequence[TrainingPhoto]) -> _Lesson:
        return _Lesson(tokenizer, found, some, config, device)

    def judge(made: _Lesson, left_out: list[TrainingPhoto]) -> Measurement:
        rows = found.rows(left_out, plain=True, with_words=True)
        with torch.no_grad():
            pictures = made.model.embed_raw(made.reduced[rows])
        areas = word_areas(made.clip, pictures, [found.tags(int(row)) for row in rows])
        return Measurement(1 - float(np.mean(list(areas.values()))) if areas else 0.5)

    learned = learn(photos, out, config, lesson=lesson, judge=judge, text="CLIP", report=report, stopped=stopped)
    if learned is None:
        return None
    last, best = learned
    folder = out / "text-clip"
    finished = last.finished()
    finished.model.half()
    finished.save(folder)
    write_facts(
        folder / FACTS_FILE,
        recipe,
        best,
        measure_held_out=None
        if config.everything
        else lambda plain: held_out_scores(TextClip.open(folder), found, plain=plain),
        nothing={},
        cross_validation={"1 - mean word area": best.curve} if best.curve else {},
    )
    return folder
