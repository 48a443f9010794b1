from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.models.gps_clip import open_gps_clip
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto
from gpsdream_app.training.crops import CropsConfig
from gpsdream_app.training.gps_clip import FACTS_FILE, GPSClipConfig, train_gps_clip

TINY = GPSClipConfig(
    steps=6, batch=8, components=8, width=16, hidden_width=16, location_layers=3, checkpoint_every=2, dropout=0.1
)
CROPS = CropsConfig(crops_per_square=3, softest=0.9, grain=0.01)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Eight square photos from south to north, whose stripes turn on the way; two are held out."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 64)
    y, x = np.mgrid[:64, :64]
    for number in range(8):
        angle = np.pi * number / 8
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 8)
        photo = TrainingPhoto(
            f"{number}.png", 40.740 + 0.002 * number, -73.98, 118.0, f"source {number}", validation=number in (2, 5)
        )
        writer.add(Image.fromarray((127.5 + 100 * waves).astype(np.uint8)), photo, (0, 0, 1, 1))
    return writer.finish({})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crops' features, computed once for all tests."""
    return tmp_path_factory.mktemp("crops")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    whole = train_gps_clip(prepared, tmp_path / "whole", TINY, crops=CROPS, cache=cache)
    assert whole is not None
    seen: list[int] = []

    def report(step: int, steps: int, text: str) -> None:
        if "loss" in text:
            seen.append(step)

    parts = tmp_path / "parts"
    stopped = train_gps_clip(
        prepared, parts, TINY, crops=CROPS, cache=cache, report=report, stopped=lambda: len(seen) == 3
    )
    assert stopped is None
    resumed = train_gps_clip(prepared, parts, TINY, crops=CROPS, cache=cache, report=report)
    assert resumed is not None
    assert seen == [1, 2, 3, 4, 5, 6]
    first, second = weights(whole), weights(resumed)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert {tensor.dtype for tensor in first.values()} == {torch.float16}


def test_the_file_says_what_was_learned_and_what_not(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    config = replace(TINY, folds=2, measure_every=3)
    folder = train_gps_clip(prepared, tmp_path / "half", config, crops=CROPS, cache=cache)
    assert folder is not None
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["trained_on"] == [f"source {number}" for number in (0, 1, 3, 4, 6, 7)]
    assert facts["steps"] in (3, 6)
    assert facts["samples"] == 8 * facts["steps"]
    assert list(facts["cross_validation"]["mean log area"]) == ["3", "6"]
    held_out = facts["held_out"]
    assert held_out["gps_score"]["count"] == 2
    assert held_out["side_of_the_street"]["count"] == 2
    assert 0 < held_out["median_area_km2"]["value"] <= held_out["searched_km2"]
    assert facts["held_out_with_random_looks"]["gps_score"]["count"] == 6
    everything = train_gps_clip(
        prepared, tmp_path / "all", replace(TINY, steps=1, everything=True), crops=CROPS, cache=cache
    )
    assert everything is not None
    facts = json.loads((everything / FACTS_FILE).read_text(encoding="utf-8"))
    assert len(facts["trained_on"]) == 8
    assert facts["held_out"] == {}


def test_places_are_learned(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    config = replace(TINY, steps=150, batch=16, learning_rate=5e-3, warm_up=5, checkpoint_every=1000)
    folder = train_gps_clip(prepared, tmp_path, config, crops=CROPS, cache=cache)
    assert folder is not None
    model = open_gps_clip(folder)
    photos = prepared.part(validation=False)
    pixels = np.stack([prepared.pixels(photo)[4:60, 4:60] for photo in photos])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    pictures = pictures.expand(-1, 3, -1, -1)
    lat, lon = (torch.tensor([getattr(photo, name) for photo in photos]).double() for name in ("lat", "lon"))
    density = model.log_density(pictures, lat, lon)
    assert (density.argmax(dim=1) == torch.arange(6)).float().mean() >= 0.8
    assert model.gps_score(pictures, lat, lon).mean() > model.gps_score(pictures, lat.flip(0), lon).mean() + 20


def test_a_dinov2_of_ones_own_looks_once(prepared: PreparedPhotos, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=14, image_size=28)
    Dinov2Model(sizes).save_pretrained(tmp_path / "dinov2")
    crops = replace(CROPS, crops_per_square=1)
    folder = train_gps_clip(prepared, tmp_path / "run", TINY, dinov2=tmp_path / "dinov2", crops=crops)
    assert folder is not None
    model = open_gps_clip(folder)
    assert model.dinov2 is not None
    assert model.features(torch.zeros(1, 3, 32, 32)).shape == (1, 16)
    assert model.embed_pictures(torch.zeros(1, 3, 32, 32)).shape == (1, 16)


def test_another_recipe_does_not_go_on_with_a_run(prepared: PreparedPhotos, cache: Path, tmp_path: Path) -> None:
    train_gps_clip(prepared, tmp_path, replace(TINY, steps=1), crops=CROPS, cache=cache)
    with pytest.raises(GPSDreamError, match="other settings"):
        train_gps_clip(prepared, tmp_path, replace(TINY, steps=1, seed=5), crops=CROPS, cache=cache)
