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
from gpsdream_app.models.text_clip import TextClip
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from gpsdream_app.training.text_clip import FACTS_FILE, TextClipConfig, same_words, train_text_clip

TINY = TextClipConfig(
    image_size=16,
    steps=6,
    batch=8,
    patch=8,
    width=16,
    layers=1,
    text_layers=1,
    heads=2,
    vocabulary_size=600,
    max_tokens=8,
    checkpoint_every=2,
    tone_jitter=0.05,
)
COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Nine photos of three colours with their names, one of them held out, and one without words."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 24)
    for number in range(10):
        name = list(COLOURS)[number % 3]
        noise = np.random.default_rng(number).integers(-20, 20, (24, 24, 3))
        image = Image.fromarray(np.clip(noise + COLOURS[name], 0, 255).astype(np.uint8))
        views = () if number == 9 else (View(0.5, f"a {name} house", (name,)),)
        photo = TrainingPhoto(f"{number}.png", 40.74, -73.98, views=views, validation=number == 8)
        writer.add(image, photo, (0, 0, 1, 1))
    return writer.finish({})


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(prepared: PreparedPhotos, tmp_path: Path) -> None:
    whole = train_text_clip(prepared, tmp_path / "whole", TINY)
    seen: list[int] = []
    parts = tmp_path / "parts"
    assert not train_text_clip(
        prepared, parts, TINY, report=lambda step, *_: seen.append(step), stopped=lambda: len(seen) == 3
    )
    resumed = train_text_clip(prepared, parts, TINY)
    assert whole is not None
    assert resumed is not None
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    facts = json.loads((whole / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["trained_on"] == [f"{number}.png" for number in range(8)]


def test_words_are_learned(prepared: PreparedPhotos, tmp_path: Path) -> None:
    config = replace(TINY, steps=120, batch=16, learning_rate=3e-3, warm_up=5, checkpoint_every=1000)
    folder = train_text_clip(prepared, tmp_path, config)
    assert folder is not None
    clip = TextClip.open(folder)
    pixels = np.stack([prepared.pixels(photo)[4:20, 4:20] for photo in prepared.photos[:9]])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    scores = torch.stack([clip.clip_score(pictures, [f"a {name} house"] * 9) for name in COLOURS], dim=1)
    assert scores.argmax(dim=1).tolist() == [0, 1, 2] * 3


def test_equal_words_share_what_is_right() -> None:
    assert same_words(["tree", "lamp", "tree"]).tolist() == [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]]


def test_photos_without_words_teach_no_words(prepared: PreparedPhotos, tmp_path: Path) -> None:
    silent = PreparedPhotos(prepared.folder, [prepared.photos[9]])
    with pytest.raises(GPSDreamError, match="caption"):
        train_text_clip(silent, tmp_path, TINY)
