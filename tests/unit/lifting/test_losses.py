from __future__ import annotations

import math

import pytest
import torch

from gpsdream_app.lifting import losses
from gpsdream_app.lifting.field import DenseGrid, TriPlane
from gpsdream_app.lifting.registration import Freedom, Registration


def numbers(*shape: int, low: float = 0.05, high: float = 0.95) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    values = low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)
    return values.requires_grad_()


CASES = {
    "photometric": lambda: (lambda x: losses.photometric(x, torch.full_like(x, 0.43).detach()), numbers(7, 3)),
    "sparsity": lambda: (losses.sparsity, numbers(9)),
    "entropy": lambda: (losses.entropy, numbers(9)),
    "orientation": lambda: (losses.orientation, numbers(9)),
    "thickness": lambda: (lambda x: losses.thickness(x, torch.linspace(0, 1, 9, dtype=torch.float64)), numbers(9)),
    "silhouette": lambda: (lambda x: losses.silhouette(x, torch.linspace(0, 1, 9, dtype=torch.float64)), numbers(9)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_gradient_is_that_of_finite_differences(name: str) -> None:
    function, values = CASES[name]()
    assert torch.autograd.gradcheck(function, values)


@pytest.mark.parametrize("kind", [DenseGrid, TriPlane])
def test_the_gradient_of_total_variation(kind: type) -> None:
    field = kind(4).double()
    parameter = field.raw if kind is DenseGrid else field.planes
    with torch.no_grad():
        parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    (gradient,) = torch.autograd.grad(field.total_variation(), parameter)
    flat, step = parameter.data.reshape(-1), 1e-5
    for i in range(0, flat.numel(), max(1, flat.numel() // 12)):
        flat[i] += step
        above = field.total_variation().item()
        flat[i] -= 2 * step
        below = field.total_variation().item()
        flat[i] += step
        assert gradient.reshape(-1)[i].item() == pytest.approx((above - below) / (2 * step), abs=1e-8)


def test_the_gradient_of_the_registration() -> None:
    registration = Registration(3, Freedom(azimuth=True)).double()
    views = torch.tensor([0, 1, 2, 1])
    x, y = numbers(4, low=-0.4, high=0.4).detach(), numbers(4, low=-0.3, high=0.3).detach()
    colours = numbers(4, 3).detach()
    start = [p.detach() + 0.1 * numbers(*p.shape) for p in registration.parameters()]

    def everything(*values: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in registration.named_parameters()]

        def call(size, shift, gain, azimuth):
            registration_now = torch.func.functional_call(
                _Placed(registration), dict(zip((f"inner.{n}" for n in names), values, strict=True)), (views, x, y)
            )
            tinted = torch.func.functional_call(
                _Tinted(registration), dict(zip((f"inner.{n}" for n in names), values, strict=True)), (views, colours)
            )
            return registration_now.sum() + tinted.square().sum()

        return call(*values)

    assert torch.autograd.gradcheck(everything, tuple(v.requires_grad_() for v in start))


class _Placed(torch.nn.Module):
    def __init__(self, inner: Registration) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, views: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        u, v = self.inner.place(views, x, y)
        return (u * v).sum() + self.inner.prior()


class _Tinted(_Placed):
    def forward(self, views: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
        return self.inner.tint(views, colours)


def test_a_mean_over_nothing_is_a_number() -> None:
    spread = torch.ones(4, requires_grad=True)
    value = losses.thickness(spread, torch.zeros(4))
    value.backward()
    assert value.item() == 0 and torch.isfinite(spread.grad).all()


def test_values_at_points_that_are_known() -> None:
    assert losses.photometric(torch.tensor([0.05]), torch.tensor([0.0])).item() == pytest.approx(0.0125)
    assert losses.photometric(torch.tensor([0.5]), torch.tensor([0.0])).item() == pytest.approx(0.45)
    assert losses.sparsity(torch.zeros(3)).item() == pytest.approx(0.1)
    assert losses.entropy(torch.full((2,), 0.5)).item() == pytest.approx(math.log(2))
    assert losses.fog(torch.tensor([0.0, 0.5, 0.95, 0.2])).item() == 0.5


def test_only_differences_between_views_count() -> None:
    registration = Registration(4, Freedom(azimuth=True))
    with torch.no_grad():
        for parameter in registration.parameters():
            parameter.fill_(0.3)
    views, x, y = torch.arange(4), torch.linspace(-0.4, 0.4, 4), torch.zeros(4)
    placed = registration.place(views, x, y)
    torch.testing.assert_close(placed[0], x)
    torch.testing.assert_close(placed[1], y)
    torch.testing.assert_close(registration.tint(views, torch.ones(4, 3)), torch.ones(4, 3))
    for row in registration.report():
        assert row == pytest.approx({"size": 1, "right": 0, "down": 0, "gain": 1, "azimuth": 0}, abs=1e-6)
