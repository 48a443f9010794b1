from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.evaluation.probes import WordProbe, probe_card
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from gpsdream_app.training.crops import CropsConfig
from gpsdream_app.training.probe import ProbeConfig, train_word_probe, words_of

CONFIG = ProbeConfig(
    steps=150,
    batch=32,
    components=32,
    width=16,
    learning_rate=3e-3,
    warm_up=5,
    checkpoint_every=1000,
    folds=2,
    measure_every=50,
    words=("lamp", "people"),
    tags={"people": ["pedestrian", "crowd"]},
)
CROPS = CropsConfig(crops_per_square=4, smallest_scale=0.9)


def scene(number: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Noise, with a bright square at the left for a lamp, and fine stripes at the right for people."""
    random = np.random.default_rng(number)
    pixels = random.normal(110, 15, (64, 64))
    tags = ["wall"]
    if number % 4 in (1, 2):
        top = int(random.integers(14, 30))
        pixels[top : top + 20, 6:26] = 240
        tags.append("lamp")
    if number % 3 == 0:
        pixels[10:54, 36:58] += 90 * np.sin(np.arange(22) * np.pi / 2)
        tags.append("pedestrian" if number % 2 else "crowd")
    return np.clip(pixels, 0, 255).astype(np.uint8), tuple(tags)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Thirty scenes, six of them held out."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 64)
    for number in range(30):
        pixels, tags = scene(number)
        photo = TrainingPhoto(
            f"{number}.png",
            40.7 + 0.003 * number,
            -73.98,
            source=f"source {number}",
            views=(View(0.5, "", tags),),
            validation=number >= 24,
        )
        writer.add(Image.fromarray(pixels), photo, (0, 0, 1, 1))
    return writer.finish({})


@pytest.fixture(scope="module")
def trained(prepared: PreparedPhotos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = train_word_probe(prepared, tmp_path_factory.mktemp("run"), CONFIG, crops=CROPS)
    assert folder is not None
    return folder


def test_what_was_never_seen_is_found_in_pictures_of_any_softness(trained: Path) -> None:
    probe = WordProbe.open(trained)
    scenes = [scene(number) for number in range(100, 160)]
    pictures = torch.from_numpy(np.stack([pixels for pixels, _ in scenes])).float()[:, None] / 127.5 - 1
    pictures = pictures.expand(-1, 3, -1, -1)
    truth = torch.tensor([probe.truth(tags) for _, tags in scenes]) > 0.5
    assert (probe.found(pictures) == truth).float().mean() > 0.9
    soft = torch.nn.functional.interpolate(pictures, (128, 128), mode="bilinear")
    assert (probe.found(soft) == truth).float().mean() > 0.85


def test_the_card_says_how_well_and_on_what(trained: Path) -> None:
    card = probe_card(trained)
    assert card["words"] == {"lamp": ["lamp"], "people": ["pedestrian", "crowd"]}
    assert len(card["trained_on"]) == 24
    assert card["thresholds_from"] == "cross-validation"
    assert [figure["word"] for figure in card["held_out"]] == ["lamp", "people"]
    lamp = card["cross_validation"]["words"][0]
    assert lamp["prevalence"] == 0.5
    assert lamp["precision"]["low"] > 0.5
    assert lamp["area"]["count"] == 24
    assert 0 < WordProbe.open(trained).thresholds.min() < 1


def test_a_stopped_run_goes_on(prepared: PreparedPhotos, trained: Path, tmp_path: Path) -> None:
    cache = trained.parent / "crops"
    config = replace(CONFIG, steps=4, folds=0)
    seen: list[int] = []

    def report(step: int, steps: int, text: str) -> None:
        if "loss" in text:
            seen.append(step)

    for folder, stop_at in ((tmp_path / "parts", 2), (tmp_path / "parts", 0), (tmp_path / "whole", 0)):
        seen.clear()
        done = train_word_probe(
            prepared,
            folder,
            config,
            crops=CROPS,
            cache=cache,
            report=report,
            stopped=lambda at=stop_at: len(seen) == at > 0,
        )
        assert (done is None) == (stop_at > 0)
    files = [tmp_path / name / "probe" / "diffusion_pytorch_model.safetensors" for name in ("parts", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads((tmp_path / "whole" / "probe" / "probe.json").read_text())["thresholds_from"] == "training photos"


def test_words_are_the_tags_that_many_photos_have(prepared: PreparedPhotos) -> None:
    photos = prepared.part(validation=False)
    assert words_of(photos, ProbeConfig(fewest_photos=4)) == {
        "crowd": ("crowd",),
        "lamp": ("lamp",),
        "pedestrian": ("pedestrian",),
    }
    assert list(words_of(photos, ProbeConfig(fewest_photos=12))) == ["lamp"]
    with pytest.raises(GPSDreamError, match="at least 13"):
        words_of(photos, ProbeConfig(fewest_photos=13))
    with pytest.raises(GPSDreamError, match="“tower”"):
        words_of(photos, ProbeConfig(words=("lamp", "tower")))
