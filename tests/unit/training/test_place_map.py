from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.photos.prepared import PreparedPhotos, fixed_crops
from gpsdream_app.training.batches import CropSampler
from gpsdream_app.training.build import build_small
from gpsdream_app.training.config import LossConfig, TrainConfig
from gpsdream_app.training.learner import deviations_of
from gpsdream_app.training.place_map import cells_looked_at, map_error, train_place_map
from gpsdream_app.training.run import MAP_FILE, Listener, TrainingRun
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.unit.training.conftest import RECIPE

CONFIG = TrainConfig.from_dict(RECIPE)


def run(street: Path, out: Path, stages: list[str], config: TrainConfig = CONFIG) -> None:
    listener = Listener(lambda *stage: stages.append(stage[2]), lambda _: None, lambda: False)
    assert TrainingRun(out, config, listener).run(street) == out / "model"


def test_the_map_learns_what_stands_where(street: Path, tmp_path: Path) -> None:
    run(street, tmp_path, [], replace(CONFIG, loop=replace(CONFIG.loop, steps=1, map_steps=0)))
    prepared = PreparedPhotos.open(tmp_path / "prepared")
    photos = prepared.part(validation=False)
    tokenizer = train_tokenizer(["a mansion"], vocabulary_size=600, max_tokens=16)
    torch.manual_seed(0)
    pipeline = build_small(CONFIG.model, CONFIG.loss, prepared.box(150.0), tokenizer, has_heading=True)
    encoder, codec = pipeline.location_encoder, pipeline.vae
    sampler = CropSampler(prepared, photos, 32, smallest_scale=1.0)
    pictures = sampler.pictures(0, 32)
    codec.start_from_principal_components(pictures)
    with torch.no_grad():
        codec.standardise(codec.encode(pictures).latents)

    encoder.keep_cells(cells_looked_at(encoder.place_map, sampler, 256, crops=256))

    def error(shift: float = 0.0) -> float:
        crops = list(fixed_crops(prepared, photos, 32))
        lat, lon, heading = (
            torch.tensor([getattr(crop, name) for crop in crops], dtype=torch.float64)
            for name in ("lat", "lon", "heading")
        )
        with torch.no_grad():
            latents = codec.encode(pictures_from_pixels([crop.pixels for crop in crops])).latents
            plane = encoder.read_map(lat + shift, lon, heading)
            return map_error(plane, latents, deviations_of(codec)).mean().item()

    before = error()
    exact = LossConfig(blur_place=0.0, drop_heading=0.0)
    train_place_map(encoder, codec, sampler, exact, steps=80, batch=16, learning_rate=1e-2)
    assert error() < 0.9 * before
    # It is the place that tells, not the average picture.
    assert error() < error(shift=0.002)


def test_the_map_is_trained_once(street: Path, tmp_path: Path) -> None:
    first: list[str] = []
    run(street, tmp_path / "a", first)
    assert any("place map" in text for text in first)
    assert (tmp_path / "a" / MAP_FILE).is_file()
    again: list[str] = []
    run(street, tmp_path / "a", again, replace(CONFIG, loop=replace(CONFIG.loop, steps=7)))
    assert not any("place map" in text for text in again)
