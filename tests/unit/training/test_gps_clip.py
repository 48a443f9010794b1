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
from gpsdream_app.models.gps_clip import open_gps_clip
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto
from gpsdream_app.training.contrastive import ContrastiveConfig, learning_rate, varied_tones
from gpsdream_app.training.gps_clip import FACTS_FILE, GPSClipConfig, train_gps_clip

TINY = GPSClipConfig(
    image_size=16,
    steps=6,
    batch=8,
    image_channels=(8, 16),
    width=16,
    hidden_width=16,
    location_layers=3,
    checkpoint_every=2,
    tone_jitter=0.05,
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Eight square photos from south to north, each of another colour; two are held out."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 24)
    for number in range(8):
        colour = (30 * number, 255 - 30 * number, 128)
        noise = np.random.default_rng(number).integers(-10, 10, (24, 24, 3))
        image = Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8))
        photo = TrainingPhoto(
            f"{number}.png", 40.740 + 0.002 * number, -73.98, 118.0, f"source {number}", validation=number in (2, 5)
        )
        writer.add(image, photo, (0, 0, 1, 1))
    return writer.finish({})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(prepared: PreparedPhotos, tmp_path: Path) -> None:
    whole = train_gps_clip(prepared, tmp_path / "whole", TINY)
    assert whole is not None
    seen: list[int] = []
    parts = tmp_path / "parts"
    stopped = train_gps_clip(
        prepared, parts, TINY, report=lambda step, *_: seen.append(step), stopped=lambda: len(seen) == 3
    )
    assert stopped is None
    resumed = train_gps_clip(prepared, parts, TINY, report=lambda step, *_: seen.append(step))
    assert resumed is not None
    assert seen == [1, 2, 3, 4, 5, 6]
    first, second = weights(whole), weights(resumed)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_file_says_what_was_learned_and_what_not(prepared: PreparedPhotos, tmp_path: Path) -> None:
    folder = train_gps_clip(prepared, tmp_path, TINY)
    assert folder is not None
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["trained_on"] == [f"source {number}" for number in (0, 1, 3, 4, 6, 7)]
    assert facts["samples"] == 48
    held_out = facts["held_out"]
    assert held_out["gps_score"]["count"] == 2
    assert 0 < held_out["median_area_km2"]["value"] <= held_out["box_km2"]
    everything = train_gps_clip(prepared, tmp_path / "all", replace(TINY, steps=1, everything=True))
    assert everything is not None
    facts = json.loads((everything / FACTS_FILE).read_text(encoding="utf-8"))
    assert len(facts["trained_on"]) == 8
    assert facts["held_out"] == {}


def test_places_are_learned(prepared: PreparedPhotos, tmp_path: Path) -> None:
    config = replace(TINY, steps=150, batch=16, learning_rate=5e-3, warm_up=5, checkpoint_every=1000)
    folder = train_gps_clip(prepared, tmp_path, config)
    assert folder is not None
    model = open_gps_clip(folder)
    photos = prepared.part(validation=False)
    pixels = np.stack([prepared.pixels(photo)[4:20, 4:20] for photo in photos])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    lat, lon = (torch.tensor([getattr(photo, name) for photo in photos]).double() for name in ("lat", "lon"))
    density = model.log_density(pictures, lat, lon)
    assert (density.argmax(dim=1) == torch.arange(6)).float().mean() >= 0.8
    assert model.gps_score(pictures, lat, lon).mean() > model.gps_score(pictures, lat.flip(0), lon).mean() + 20


def test_another_recipe_does_not_go_on_with_a_run(prepared: PreparedPhotos, tmp_path: Path) -> None:
    train_gps_clip(prepared, tmp_path, replace(TINY, steps=1))
    with pytest.raises(GPSDreamError, match="other settings"):
        train_gps_clip(prepared, tmp_path, replace(TINY, steps=1, seed=5))


def test_learning_rate_rises_and_falls() -> None:
    config = ContrastiveConfig(steps=100, learning_rate=1.0, warm_up=10)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(0.98, abs=0.01)
    assert rates[-1] < 0.001


def test_tones_vary_by_seed_and_stay_colours() -> None:
    pictures = torch.rand(4, 3, 8, 8) * 2 - 1
    assert torch.equal(varied_tones(pictures, 0.3, 1), varied_tones(pictures, 0.3, 1))
    assert not torch.equal(varied_tones(pictures, 0.3, 1), varied_tones(pictures, 0.3, 2))
    assert varied_tones(pictures, 0.3, 1).abs().max() <= 1
    assert torch.allclose(varied_tones(pictures, 0.0, 1), pictures, atol=1e-6)
