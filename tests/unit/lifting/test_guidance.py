from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from gpsdream_app.lifting.cameras import Camera, ring
from gpsdream_app.lifting.guidance import (
    NOTHING,
    Condition,
    DrawnViews,
    Form,
    Times,
    conditions_for,
    distil,
    guided,
    noise_like,
    time_of,
    view_words,
)
from tests.lifting_scene import ExactNoise, seen


class Linear(ExactNoise):
    """Predicts a tenth of what it is shown, plus the azimuth in turns."""

    def __init__(self) -> None:
        self.side, self.latent_shape, self.passes, self.asked = 4, (3, 4, 4), 0, []

    def predict(self, noisy: torch.Tensor, t: float, conditions: Sequence[Condition]) -> torch.Tensor:
        self.asked += conditions
        angles = [0.0 if one.camera is None else one.camera.azimuth / 360 for one in conditions]
        return 0.1 * noisy + torch.tensor(angles)[:, None, None, None]


def test_guidance_weighs_with_and_without_a_condition() -> None:
    model, noisy = Linear(), torch.ones(2, 3, 4, 4)
    asked = [Condition("x", Camera(90)), Condition("x", Camera(180))]
    both, plain = guided(model, noisy, 0.5, asked, 3.0)
    torch.testing.assert_close(both[:, 0, 0, 0], torch.tensor([0.1 + 0.75, 0.1 + 1.5]))
    torch.testing.assert_close(plain[:, 0, 0, 0], torch.tensor([0.1 + 0.25, 0.1 + 0.5]))
    assert model.asked == [*asked, NOTHING, NOTHING]
    guided(model, noisy, 0.5, asked, 1.0)
    assert len(model.asked) == 6, "a weight of 1 needs no second pass"


def test_the_gradient_of_distillation_is_that_of_the_paper() -> None:
    model, t = Linear(), 0.6
    pictures = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    noise = noise_like(2, (3, 4, 4), 5, "cpu")
    asked = [Condition("", Camera(30)), Condition("", Camera(210))]
    done = distil(model, pictures, asked, t, noise, guidance=2.0)
    (gradient,) = torch.autograd.grad(done.loss, pictures)
    alpha, sigma = model.levels(t)
    predicted, _ = guided(model, alpha * (pictures.detach() * 2 - 1) + sigma * noise, t, asked, 2.0)
    # Pictures become latents by a factor of 2; the loss is a mean over the views and pixels, a sum over channels.
    wanted = 2 * sigma**2 * (predicted - noise) / (2 * 16)
    torch.testing.assert_close(gradient, wanted)


def test_the_clean_form_pulls_to_the_picture_that_the_model_sees() -> None:
    model = ExactNoise(16)
    cameras = ring(3)
    truth, _ = seen(cameras, 16)
    pictures = torch.full((3, 3, 16, 16), 0.5, requires_grad=True)
    noise = noise_like(3, model.latent_shape, 1, "cpu")
    asked = conditions_for("", cameras)
    done = distil(model, pictures, asked, 0.7, noise, guidance=1.0, form=Form.CLEAN, rescale=1.0)
    (gradient,) = torch.autograd.grad(done.loss, pictures)
    torch.testing.assert_close(gradient, 4 * (pictures.detach() - truth) / (3 * 256), atol=1e-5, rtol=1e-3)


def test_rescaling_brings_the_spread_back() -> None:
    model, cameras = ExactNoise(16), ring(2)
    pictures = torch.full((2, 3, 16, 16), 0.5, requires_grad=True)
    noise, asked = noise_like(2, model.latent_shape, 1, "cpu"), conditions_for("", cameras)

    def target(rescale: float) -> torch.Tensor:
        done = distil(model, pictures, asked, 0.7, noise, guidance=8.0, form=Form.CLEAN, rescale=rescale)
        (gradient,) = torch.autograd.grad(done.loss, pictures)
        return pictures.detach() * 2 - 1 - gradient * (2 * 256) / 2

    truth = seen(cameras, 16)[0] * 2 - 1
    assert target(0.0).std() > 1.5 * truth.std()
    assert target(1.0).std() == pytest.approx(float(truth.std()), rel=0.05)


def test_times_fall_as_in_the_paper() -> None:
    assert time_of(Times.ANNEALED, 0.0, 0.3) == pytest.approx(0.98)
    assert time_of(Times.ANNEALED, 1.0, 0.0) == pytest.approx(0.02)
    assert time_of(Times.ANNEALED, 1.0, 1.0) == pytest.approx(0.50)
    assert time_of(Times.ANNEALED, 0.5, 0.5) == pytest.approx((0.50 + 0.74) / 2)
    assert {time_of(Times.UNIFORM, p, 0.25) for p in (0.0, 0.5, 1.0)} == {0.02 + 0.96 * 0.25}


@pytest.mark.parametrize("together", [1, 3, 8])
def test_drawn_views_are_what_the_model_sees(together: int) -> None:
    cameras = ring(5)
    views = DrawnViews(ExactNoise(12), steps=4, guidance=1.0, together=together)
    checks = []
    drawn = views.pictures(cameras, 7, lambda: checks.append(1))
    torch.testing.assert_close(drawn, seen(cameras, 12)[0], atol=1e-3, rtol=0)
    assert len(checks) >= 4 * math.ceil(5 / together), "asked before each pass"


def test_views_drawn_again_keep_nothing_of_what_the_model_knows_better() -> None:
    cameras = ring(3)
    model = ExactNoise(12)
    again = DrawnViews(model, steps=10, guidance=1.0).again(torch.rand(3, 3, 12, 12), cameras, 0, 0.4, lambda: None)
    torch.testing.assert_close(again, seen(cameras, 12)[0], atol=1e-3, rtol=0)
    assert model.passes == 4, "four tenths of the steps"


def test_noise_follows_from_the_seed_and_the_number_alone() -> None:
    three, five = noise_like(3, (2, 2), 9, "cpu"), noise_like(5, (2, 2), 9, "cpu")
    torch.testing.assert_close(three, five[:3])
    assert not torch.equal(five[0], five[1])
    assert not torch.equal(three, noise_like(3, (2, 2), 10, "cpu"))


def test_views_in_words() -> None:
    assert [view_words(Camera(a)) for a in (180, 220, 230, 0, 300)] == [
        "front view",
        "front view",
        "side view",
        "back view",
        "side view",
    ]
    assert view_words(Camera(20), front=10.0) == "front view"
    assert view_words(Camera(20, 70)) == "overhead view"
    assert conditions_for("A photo of the arch", [Camera(180)], by_words=True) == [
        Condition("A photo of the arch, front view")
    ]
