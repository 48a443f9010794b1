from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gpsdream_app.models.filters import FilterBank, FilterNetwork, gabor_filters, resized


def pictures(count: int, side: int = 128, seed: int = 1) -> torch.Tensor:
    small = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.interpolate(small, (side, side), mode="bilinear")


def test_pictures_of_any_size_are_seen_as_their_middle_square() -> None:
    wide = pictures(1, 32).repeat(1, 1, 1, 2)
    assert resized(wide, 16).shape == (1, 3, 16, 16)
    assert torch.equal(resized(pictures(1, 16), 16), pictures(1, 16))
    assert torch.equal(resized(wide, 32), wide[..., 16:48])


def test_filters_have_unit_energy_and_no_answer_to_a_flat_tone() -> None:
    filters = gabor_filters(8)
    assert filters.shape == (16, 1, 7, 7)
    assert filters.sum(dim=(1, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(filters.unflatten(0, (8, 2)).square().sum(dim=(1, 2, 3, 4)), torch.ones(8))


def test_a_darker_and_flatter_print_looks_the_same() -> None:
    bank = FilterBank()
    seen = bank(torch.cat([pictures(1), pictures(1) * 0.5 - 0.2, pictures(1, seed=2)]))
    assert seen.shape == (3, FilterBank.width)
    print_apart, picture_apart = (seen[1:] - seen[0]).norm(dim=1)
    assert print_apart < 0.3 * picture_apart


@pytest.mark.parametrize("turned", [False, True])
def test_stripes_are_found_in_their_direction(turned: bool) -> None:
    waves = torch.cos(torch.arange(128) * 2 * torch.pi / 4)[None, None, :].expand(3, 128, 128)[None]
    seen = FilterBank()(waves.transpose(2, 3) if turned else waves)
    finest = seen[0, 256 : 256 + 8 * 64].view(8, 64).mean(dim=1)
    assert int(finest.argmax()) == (4 if turned else 0)


def test_only_the_map_is_stored_and_learns() -> None:
    network = FilterNetwork(5)
    assert set(network.state_dict()) == {"linear.weight", "linear.bias"}
    raw = network.bank(pictures(2))
    assert not raw.requires_grad
    assert torch.equal(network(pictures(2)), network.from_raw(raw))
