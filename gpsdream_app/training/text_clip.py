"""Training a small CLIP on the captions of prepared photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.text_clip import TextClip, build_text_clip
from gpsdream_app.photos.prepared import PreparedPhotos, TrainingPhoto
from gpsdream_app.training.batches import CropSampler
from gpsdream_app.training.contrastive import ContrastiveConfig, keep_recipe, train_towers, varied_tones
from gpsdream_app.training.tokenizer import train_tokenizer

FACTS_FILE = "text-clip.json"
HOTTEST = 100.0  # the largest scale of the cosines, as in CLIP


@dataclass(frozen=True)
class TextClipConfig(ContrastiveConfig):
    """Settings of a small CLIP.

    Attributes:
        patch: side of a patch of the image tower, pixels.
        width: of both towers.
        layers: of the image tower.
        text_layers: of the text tower.
        heads: of both towers.
        vocabulary_size: of the tokenizer.
        max_tokens: per prompt.
        everything: learn the held-out photos too.
    """

    patch: int = 16
    width: int = 128
    layers: int = 4
    text_layers: int = 2
    heads: int = 4
    vocabulary_size: int = 1536
    max_tokens: int = 40
    everything: bool = False


def same_words(prompts: Sequence[str]) -> torch.Tensor:
    """Which prompts of a batch are equal, (batch, batch), rows summing to 1.

    Two photos may carry the very same words; each is then right for the other.
    """
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    index = torch.tensor([numbers[prompt] for prompt in prompts])
    same = (index[:, None] == index[None, :]).float()
    return same / same.sum(dim=1, keepdim=True)


def text_clip_loss(
    clip: TextClip, sampler: CropSampler, config: TextClipConfig, device: torch.device
) -> Callable[[int], torch.Tensor]:
    """The loss of a step, a function of its number alone: CLIP's, with shared words shared. Crops without words are
    left out."""

    def loss(step: int) -> torch.Tensor:
        batch = sampler.batch(step, config.batch)
        kept = [index for index, prompt in enumerate(batch.prompts) if prompt]
        scale = clip.model.logit_scale.exp().clamp(max=HOTTEST)
        if not kept:
            return 0 * scale
        pictures = varied_tones(batch.pictures.to(device), config.tone_jitter, config.seed * 1_000_003 + step)
        prompts = [batch.prompts[index] for index in kept]
        logits = scale * clip.embed_pictures(pictures[kept]) @ clip.embed_texts(prompts).T
        truth = same_words(prompts).to(device)
        return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2

    return loss


def _words(photos: Sequence[TrainingPhoto]) -> list[str]:
    views = [view for photo in photos for view in photo.views]
    return [text for view in views for text in (view.caption, *view.tags) if text]


def train_text_clip(
    prepared: PreparedPhotos,
    out: Path,
    config: TextClipConfig,
    *,
    device: str = "cpu",
    report: Callable[[int, int, str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Path | None:
    """Train a small CLIP, or go on with one that was interrupted.

    Args:
        prepared: photos with captions or tags.
        out: folder of the run.
        config: settings.
        device: name of the device.
        report: told (step, steps, text).
        stopped: asked after every step; True saves and ends.

    Returns:
        The folder of the model, in transformers' format, with a file that says what it was trained on; None if it was
        stopped before its end.

    Raises:
        GPSDreamError: if there are no captions, or `out` holds another run.
    """
    allowed = prepared.photos if config.everything else prepared.part(validation=False)
    photos = [photo for photo in allowed if _words([photo])]
    if not photos:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, "None of the photos has a caption.", "A CLIP needs photos with captions or tags."
        )
    sources = sorted({photo.source or photo.name for photo in photos})
    recipe = {**asdict(config), "sources": sources}
    keep_recipe(out, recipe)
    tokenizer = train_tokenizer(_words(photos), vocabulary_size=config.vocabulary_size, max_tokens=config.max_tokens)
    torch.manual_seed(config.seed)
    clip = build_text_clip(
        tokenizer,
        image_size=config.image_size,
        patch=config.patch,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        text_layers=config.text_layers,
    )
    clip.model.to(device)
    sampler = CropSampler(prepared, photos, config.image_size, smallest_scale=config.smallest_scale, seed=config.seed)
    loss = text_clip_loss(clip, sampler, config, torch.device(device))
    if not train_towers(clip.model, loss, out, config, text="CLIP", report=report, stopped=stopped):
        return None
    folder = out / "text-clip"
    clip.save(folder)
    facts = {"trained_on": sources, "samples": config.steps * config.batch, "settings": json.loads(json.dumps(recipe))}
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    return folder
