from __future__ import annotations

import numpy as np
import pytest
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_SEED, GenerateRequest
from gpsdream_app.generation.draw import DrawingCancelled, Painter
from gpsdream_app.generation.previews import fit_preview, preview
from tests.tiny_model import make_tiny_model, tiny_pipeline

REQUEST = GenerateRequest(Place(40.7411, -73.9897, 118.0), "a mansion", seed=7, count=3, steps=4)


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    return Painter.load(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"), device="cpu")


def test_every_picture_can_be_drawn_alone(painter: Painter) -> None:
    drawn = dict(painter.draw(REQUEST))
    assert list(drawn) == [0, 1, 2]
    for number, picture in drawn.items():
        [(_, alone)] = painter.draw(REQUEST.picture(number))
        assert np.array_equal(np.asarray(picture), np.asarray(alone))
    assert not np.array_equal(np.asarray(drawn[0]), np.asarray(drawn[1]))


def test_the_last_seed_is_followed_by_zero(painter: Painter) -> None:
    request = GenerateRequest(None, seed=MAX_SEED, count=2, steps=1)
    _, second = [picture for _, picture in painter.draw(request)]
    [(_, zero)] = painter.draw(GenerateRequest(None, seed=0, steps=1))
    assert np.array_equal(np.asarray(second), np.asarray(zero))


def test_steps_are_counted_over_all_pictures(painter: Painter) -> None:
    steps = []
    list(painter.draw(REQUEST, on_step=lambda *step: steps.append(step)))
    assert [step[0] for step in steps] == list(range(1, 13))
    assert {step[1] for step in steps} == {12}
    assert [step[2] for step in steps] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(step[3].size == (32, 32) for step in steps)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_cancel_is_felt_at_the_next_step(painter: Painter, after: int) -> None:
    steps = []
    finished = []
    with pytest.raises(DrawingCancelled):
        for number, _ in painter.draw(
            REQUEST, on_step=lambda *step: steps.append(step), cancelled=lambda: len(steps) >= after
        ):
            finished.append(number)
    assert len(steps) == after
    assert finished == list(range(after // 4))


def test_words_alone_and_nothing_at_all(painter: Painter) -> None:
    for request in (GenerateRequest(None, "a church", steps=2), GenerateRequest(None, steps=2)):
        [(_, picture)] = painter.draw(request)
        assert picture.size == (32, 32)


def test_previews_without_a_linear_decoder_use_the_fitted_colours() -> None:
    pipeline = tiny_pipeline()
    latents = torch.randn(8, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    truth = torch.tensor([[0.3, 0.1, 0.0], [0.0, 0.2, 0.1], [0.1, 0.0, 0.3], [0.0, 0.1, 0.0]])
    colours = torch.einsum("nchw,ck->nkhw", latents, truth) + 0.1
    pictures = torch.nn.functional.interpolate(colours, scale_factor=8.0, mode="nearest")
    matrix = fit_preview(latents, pictures)
    assert np.allclose(matrix, [*truth.tolist(), [0.1] * 3], atol=1e-3)
    pipeline.vae = torch.nn.Identity()
    shown = np.asarray(preview(pipeline, latents, matrix)).transpose(2, 0, 1)
    assert np.allclose(shown, (colours[0].clamp(-1, 1) / 2 + 0.5) * 255, atol=1.0)
    assert preview(pipeline, latents).size == (4, 4)
