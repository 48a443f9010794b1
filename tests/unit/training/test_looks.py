from __future__ import annotations

import torch

from gpsdream_app.training.looks import (
    less_colour,
    mirrored,
    partly_covered,
    softened,
    turned,
    varied_looks,
    varied_tones,
)


def pictures(count: int = 8, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_looks_are_a_function_of_the_seed_and_stay_pictures() -> None:
    assert torch.equal(varied_looks(pictures(), 1, mirror=True), varied_looks(pictures(), 1, mirror=True))
    assert not torch.equal(varied_looks(pictures(), 1), varied_looks(pictures(), 2))
    assert varied_looks(pictures(), 1, tone_jitter=1.0, grain=1.0).abs().max() <= 1
    assert varied_looks(pictures(), 1).shape == pictures().shape


def test_tones_vary_only_if_asked_to() -> None:
    assert torch.allclose(varied_tones(pictures(), 0.0, generator()), pictures(), atol=1e-5)
    assert not torch.allclose(varied_tones(pictures(), 0.3, generator()), pictures(), atol=0.05)


def test_colour_goes_and_brightness_stays() -> None:
    grey = less_colour(pictures(200, 4), generator())
    spread = (grey - grey.mean(dim=1, keepdim=True)).abs().amax(dim=(1, 2, 3))
    assert 0.2 < (spread < 1e-5).float().mean() < 0.5
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    assert torch.allclose((grey * weights).sum(dim=1), (pictures(200, 4) * weights).sum(dim=1), atol=1e-5)


def test_some_pictures_lose_what_is_fine() -> None:
    soft = softened(pictures(), 0.2, generator())
    assert soft.shape == pictures().shape
    kept = (soft - soft.mean(dim=(2, 3), keepdim=True)).std(dim=(1, 2, 3))
    assert kept.min() < 0.5 * pictures().std()
    assert torch.equal(softened(pictures(), 1.0, generator()), pictures())


def test_turns_are_small() -> None:
    dot = torch.zeros(16, 3, 65, 65)
    dot[:, :, 30:35, 30:35] = 1
    moved = turned(dot, generator())
    weights = moved[:, 0] / moved[:, 0].sum(dim=(1, 2), keepdim=True)
    rows = (weights.sum(dim=2) * torch.arange(65)).sum(dim=1)
    assert ((rows - 32).abs() < 3).all()
    assert (rows - 32).abs().max() > 0.5


def test_half_of_the_pictures_are_mirrored_or_covered() -> None:
    many = pictures(200, 16)
    changed = (mirrored(many, generator()) != many).flatten(1).any(dim=1)
    assert 0.35 < changed.float().mean() < 0.65
    covered = (partly_covered(many, generator()) == 0).flatten(1).float().mean(dim=1)
    assert 0.35 < (covered > 0).float().mean() < 0.65
    assert covered.max() <= 0.45**2 + 0.1
