from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.models.text_clip import SmallClip, TextClip
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from gpsdream_app.training.crops import CropsConfig
from gpsdream_app.training.text_clip import FACTS_FILE, TextClipConfig, fitting_words, train_text_clip

TINY = TextClipConfig(
    steps=6, batch=8, components=8, width=16, token_width=16, vocabulary_size=600, max_tokens=8, checkpoint_every=2
)
CROPS = CropsConfig(crops_per_square=3, softest=0.9, grain=0.01)
STRIPES = {"upright": 0.0, "level": np.pi / 2, "slanting": np.pi / 4}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Twelve photos of stripes in three directions with their names, three held out, and one without words."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 64)
    y, x = np.mgrid[:64, :64]
    for number in range(13):
        name = list(STRIPES)[number % 3]
        waves = np.sin((x * np.cos(STRIPES[name]) + y * np.sin(STRIPES[name])) * 2 * np.pi / 8 + number)
        views = () if number == 12 else (View(0.5, f"an {name} wall {number}", (name, "wall")),)
        photo = TrainingPhoto(
            f"{number}.png", 40.74 + 0.01 * number, -73.98, views=views, validation=number in (3, 7, 8)
        )
        writer.add(Image.fromarray((127.5 + 100 * waves).astype(np.uint8)), photo, (0, 0, 1, 1))
    return writer.finish({})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crops")


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    whole = train_text_clip(prepared, tmp_path / "whole", TINY, crops=CROPS, cache=cache)
    seen: list[int] = []

    def report(step: int, steps: int, text: str) -> None:
        if "loss" in text:
            seen.append(step)

    parts = tmp_path / "parts"
    assert not train_text_clip(
        prepared, parts, TINY, crops=CROPS, cache=cache, report=report, stopped=lambda: len(seen) == 3
    )
    resumed = train_text_clip(prepared, parts, TINY, crops=CROPS, cache=cache)
    assert whole is not None
    assert resumed is not None
    first, second = (load_file(folder / "diffusion_pytorch_model.safetensors") for folder in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    facts = json.loads((whole / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["trained_on"] == sorted(f"{number}.png" for number in (0, 1, 2, 4, 5, 6, 9, 10, 11))
    assert facts["held_out"]["captions"] == 3
    assert facts["held_out"]["captions_beaten"]["count"] == 3


def test_words_are_learned(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    config = replace(
        TINY, steps=120, batch=16, learning_rate=3e-3, warm_up=5, checkpoint_every=1000, folds=2, measure_every=60
    )
    folder = train_text_clip(prepared, tmp_path, config, crops=CROPS, cache=cache)
    assert folder is not None
    clip = TextClip.open(folder)
    assert isinstance(clip.model, SmallClip)
    pixels = np.stack([prepared.pixels(photo)[4:60, 4:60] for photo in prepared.photos[:12]])
    pictures = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1).expand(-1, 3, -1, -1)
    scores = torch.stack([clip.clip_score(pictures, [name] * 12) for name in STRIPES], dim=1)
    assert scores.argmax(dim=1).tolist() == [0, 1, 2] * 4


def test_a_word_fits_every_picture_that_has_it() -> None:
    views = [View(0.5, "one", ("tree", "lamp")), View(0.5, "two", ("tree",)), View(0.5, "one", ())]
    right = fitting_words(["tree", "lamp, tree", "one"], views)
    assert right.tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 1]]


def test_photos_without_words_teach_no_words(prepared: PreparedPhotos, tmp_path: Path) -> None:
    silent = PreparedPhotos(prepared.folder, [prepared.photos[12]])
    with pytest.raises(GPSDreamError, match="caption"):
        train_text_clip(silent, tmp_path, TINY)
