"""When to stop, and how crops are kept: what all judges share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from gpsdream_app.training.contrastive import (
    ContrastiveConfig,
    Loss,
    Measurement,
    best_steps,
    folds_of,
    learning_rate,
    train_towers,
)
from gpsdream_app.training.crops import CropsConfig, Reduction, build_cache


def photo(number: int, source: str = "") -> TrainingPhoto:
    return TrainingPhoto(f"{number}.png", 40.74 + 0.002 * number, -73.98, source=source or f"source {number}")


def test_learning_rate_rises_and_falls() -> None:
    config = ContrastiveConfig(steps=100, learning_rate=1.0, warm_up=10)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(0.98, abs=0.01)
    assert rates[-1] < 0.001


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"steps": 0}, {"batch": 0}, {"folds": 1}, {"folds": -2}):
        with pytest.raises(GPSDreamError, match=next(iter(wrong))):
            ContrastiveConfig(**wrong)


def test_folds_keep_neighbours_and_sources_together() -> None:
    photos = [photo(number, "shared" if number in (0, 7) else "") for number in range(8)]
    folds = folds_of(photos, 2, 500.0)
    assert sorted(item.name for fold in folds for item in fold) == sorted(item.name for item in photos)
    place = {item.name: index for index, fold in enumerate(folds) for item in fold}
    assert place["0.png"] == place["1.png"] == place["7.png"]
    assert place["3.png"] != place["1.png"]
    with pytest.raises(GPSDreamError, match="too few"):
        folds_of(photos[:2], 3, 500.0)


class _Line:
    """One weight that runs to 1 along a known path, and photos that like it best on the way."""

    def __init__(self) -> None:
        self.trained: list[int] = []

    def make(self, photos: list[TrainingPhoto]) -> tuple[nn.Module, Loss]:
        self.trained.append(len(photos))
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        return model, lambda step: (model.weight - 1).square().sum()

    @staticmethod
    def judge(model: nn.Module, photos: list[TrainingPhoto]) -> Measurement:
        assert not model.training
        return Measurement((model.weight - 0.5).abs().item(), [item.name for item in photos])


def test_training_stops_where_photos_that_were_left_out_are_liked_best(tmp_path: Path) -> None:
    config = ContrastiveConfig(steps=40, learning_rate=0.05, warm_up=1, weight_decay=0, folds=2, measure_every=5)
    photos = [photo(number) for number in range(6)]
    line = _Line()
    best = best_steps(photos, tmp_path, config, make=line.make, judge=line.judge, text="line")
    assert best is not None
    assert 0 < best.steps < 40
    assert min(best.curve, key=best.curve.get) == best.steps
    assert sorted(name for fold in best.answers for name in fold) == [f"{number}.png" for number in range(6)]
    assert line.trained == [3, 3]
    # Finished folds are remembered.
    again = best_steps(photos, tmp_path, config, make=line.make, judge=line.judge, text="line")
    assert again == best
    assert line.trained == [3, 3]
    whole = best_steps(photos, tmp_path / "x", replace(config, folds=0), make=line.make, judge=line.judge, text="line")
    assert whole is not None
    assert whole.steps == 40


def test_a_stopped_fold_goes_on(tmp_path: Path) -> None:
    config = ContrastiveConfig(steps=9, folds=2, measure_every=2, checkpoint_every=3, learning_rate=0.05)
    photos = [photo(number) for number in range(4)]
    whole = best_steps(photos, tmp_path / "whole", config, make=_Line().make, judge=_Line.judge, text="line")
    seen: list[int] = []

    def report(step: int, steps: int, text: str) -> None:
        seen.append(step)

    parts = tmp_path / "parts"
    stopped = best_steps(
        photos,
        parts,
        config,
        make=_Line().make,
        judge=_Line.judge,
        text="line",
        report=report,
        stopped=lambda: len(seen) == 4,
    )
    assert stopped is None
    assert best_steps(photos, parts, config, make=_Line().make, judge=_Line.judge, text="line") == whole


def test_training_can_end_before_the_last_step(tmp_path: Path) -> None:
    model, loss = _Line().make([])
    config = ContrastiveConfig(steps=10, checkpoint_every=4, learning_rate=0.1)
    measured: list[int] = []
    assert train_towers(model, loss, tmp_path, config, text="line", until=6, measure=measured.append)
    assert measured == [6]
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["step-000004", "step-000006"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    """Two wide photos, the left half black and the right half white, one with words for its right part."""
    writer = PreparedWriter(tmp_path_factory.mktemp("prepared"), 32)
    pixels = np.zeros((32, 96), np.uint8)
    pixels[:, 48:] = 255
    for number, views in enumerate(((View(0.8, "a white wall", ("wall",)),), ())):
        item = TrainingPhoto(
            f"{number}.png", 40.74, -73.98, 90.0, f"source {number}", frontage=(0.0, 100.0), views=views
        )
        writer.add(Image.fromarray(pixels), item, (0, 0, 1, 1))
    return writer.finish({})


def tones(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.mean(dim=(1, 2, 3), keepdim=False)[:, None]


def test_crops_know_their_place_and_words(prepared: PreparedPhotos, tmp_path: Path) -> None:
    cache = build_cache(prepared, tmp_path, tones, CropsConfig(crops_per_square=4, tone_jitter=0.0, grain=0.0))
    assert cache is not None
    plain = cache.rows(prepared.photos, plain=True)
    assert cache.photo[plain].tolist() == [0, 1, 1, 1]
    assert cache.caption(int(plain[0])) == "a white wall"
    assert cache.raw[plain[0]].item() == pytest.approx(1.0, abs=0.01)
    assert cache.raw[plain[1:], 0].tolist() == pytest.approx([-1, 0, 1], abs=0.05)
    # The frontage runs north: what is further to the right lies further north.
    assert cache.lat[plain[1:]].diff().gt(0).all()
    random = cache.rows(prepared.photos[:1])
    assert len(random) == 12
    worded = cache.rows(prepared.photos, with_words=True)
    assert set(cache.photo[worded].tolist()) == {0}
    assert cache.tags(int(worded[0])) == ("wall",)
    assert cache.sources(worded[:1]) == ["source 0"]


def test_an_interrupted_cache_is_finished_and_a_finished_one_is_read(prepared: PreparedPhotos, tmp_path: Path) -> None:
    config = CropsConfig(crops_per_square=2)
    calls: list[int] = []

    def raw(pictures: torch.Tensor) -> torch.Tensor:
        calls.append(len(pictures))
        return tones(pictures)

    assert build_cache(prepared, tmp_path, raw, config, stopped=lambda: True) is None
    first = build_cache(prepared, tmp_path, raw, config)
    count = len(calls)
    second = build_cache(prepared, tmp_path, raw, config)
    assert first is not None
    assert second is not None
    assert len(calls) == count > 0
    assert torch.equal(first.raw, second.raw)
    with pytest.raises(GPSDreamError, match="other photos or settings"):
        build_cache(prepared, tmp_path, raw, replace(config, seed=3))
    assert json.loads((tmp_path / "crops.json").read_text(encoding="utf-8"))["photos"] == ["0.png", "1.png"]


def test_a_map_of_reduced_features_is_a_map_of_whole_ones() -> None:
    torch.manual_seed(0)
    raw = torch.randn(40, 6) * torch.tensor([5.0, 3.0, 1.0, 0.5, 0.0, 0.0]) + 2
    reduction = Reduction.fit(raw, 3)
    reduced = reduction.apply(raw)
    assert reduced.shape == (40, 3)
    covariance = reduced.T @ reduced / 39
    assert torch.allclose(covariance, covariance.diagonal().diag(), atol=1e-3)
    assert covariance.diagonal().max() == pytest.approx(1.0, abs=0.01)
    linear = nn.Linear(3, 2)
    assert torch.allclose(reduction.undone(linear)(raw), linear(reduced), atol=1e-4)
    assert Reduction.fit(raw[:3], 10).basis.shape == (6, 2)
