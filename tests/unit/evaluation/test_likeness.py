from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gpsdream_app.domain.averages import LikenessRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.evaluation import likeness
from gpsdream_app.evaluation.explaining import ExplainingPainter
from gpsdream_app.evaluation.likeness import cosine_distances
from gpsdream_app.generation.draw import DrawingCancelled
from tests.tiny_model import tiny_card, tiny_pipeline


@pytest.fixture(scope="module")
def painter() -> ExplainingPainter:
    return ExplainingPainter(tiny_pipeline(), tiny_card())


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, ...]:
    """Bars that stand, the same bars a little darker and wider, and bars that lie."""
    bars = (np.arange(64) // 8 % 2 * 180 + 40).astype(np.uint8)
    standing = np.tile(bars, (64, 1))
    paths = []
    for name, grey in (("standing", standing), ("darker", (standing * 0.8).astype(np.uint8)), ("lying", standing.T)):
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(path)
        paths.append(str(path))
    return tuple(paths)


def test_distances_are_those_of_a_matrix() -> None:
    features = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    assert cosine_distances(features) == pytest.approx(
        np.array([[0, 0, 1, 2], [0, 0, 1, 2], [1, 1, 0, 1], [2, 2, 1, 0]], dtype=float)
    )


@pytest.mark.parametrize("with_judges", [False, True])
def test_pictures_that_look_alike_are_near(
    pictures: tuple[str, ...], judges: Path, monkeypatch: pytest.MonkeyPatch, with_judges: bool
) -> None:
    if with_judges:
        monkeypatch.setattr(likeness, "judges_folder", lambda name: judges if name == "tiny" else None)
    painter = ExplainingPainter(tiny_pipeline(), tiny_card())
    told = painter.likeness(LikenessRequest(pictures))
    distances = np.array(told.distances)
    assert distances.shape == (3, 3)
    assert np.array_equal(distances, distances.T)
    assert not distances.diagonal().any()
    assert distances.min() >= 0 and distances.max() <= 2
    assert distances[0, 1] < 0.5 * min(distances[0, 2], distances[1, 2])
    expected = f"image encoder of the judges {judges.name}" if with_judges else "latents of the model Tiny, pooled"
    assert told.features == expected
    assert painter.likeness(LikenessRequest(pictures)) == told


def test_the_judges_that_came_with_a_model_are_asked(pictures: tuple[str, ...]) -> None:
    painter = ExplainingPainter(tiny_pipeline(), replace(tiny_card(), name="fifth-avenue-1911"))
    assert painter.likeness(LikenessRequest(pictures)).features == "image encoder of the judges fifth-avenue-1911"


def test_a_picture_that_is_gone_is_named(painter: ExplainingPainter, pictures: tuple[str, ...]) -> None:
    with pytest.raises(GPSDreamError, match="“missing") as caught:
        painter.likeness(LikenessRequest((*pictures, "/nowhere/missing.png")))
    assert caught.value.failure.kind is ErrorKind.BAD_PHOTO


def test_comparing_can_be_cancelled(painter: ExplainingPainter, pictures: tuple[str, ...]) -> None:
    asked: list[None] = []
    with pytest.raises(DrawingCancelled):
        painter.likeness(LikenessRequest(pictures), cancelled=lambda: asked.append(None) or len(asked) > 1)
    assert len(asked) == 2
