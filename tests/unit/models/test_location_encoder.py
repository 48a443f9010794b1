from __future__ import annotations

import math

import pytest
import torch

from gpsdream_app.domain.places import Box
from gpsdream_app.models.location_encoder import (
    LocationEncoder,
    frequencies_for_box,
    heading_encoding,
    positional_encoding,
)
from tests.tiny_model import BOX

MANHATTAN = Box(40.68, -74.03, 40.88, -73.90)


def encoder(**changes: object) -> LocationEncoder:
    torch.manual_seed(0)
    settings = {"token_width": 16, "hidden_width": 32, "x_octaves": 5, "y_octaves": 6, "has_heading": True}
    return LocationEncoder(**BOX.to_dict(), **{**settings, **changes})


def degrees(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_positional_encoding_is_the_formula() -> None:
    values = torch.tensor([-1.0, -0.3, 0.0, 0.7])
    encoded = positional_encoding(values, 3)
    for row, value in zip(encoded.tolist(), values.tolist(), strict=True):
        expected = [math.sin(2**k * math.pi * value) for k in range(3)]
        expected += [math.cos(2**k * math.pi * value) for k in range(3)]
        assert row == pytest.approx(expected, abs=1e-5)


def test_a_value_known_only_roughly_is_encoded_as_the_mean_of_what_it_may_be() -> None:
    torch.manual_seed(0)
    deviation = 0.03
    exact = positional_encoding(0.3 + deviation * torch.randn(400_000), 6).mean(dim=0)
    rough = positional_encoding(torch.tensor([0.3]), 6, torch.tensor([deviation]))[0]
    assert torch.allclose(rough, exact, atol=4e-3)
    assert rough[5].abs() < 0.02 < rough[0].abs()  # fine octaves fade, coarse ones stay
    assert torch.equal(
        positional_encoding(torch.tensor([0.3]), 6, torch.zeros(1)), positional_encoding(torch.tensor([0.3]), 6)
    )


def test_within_a_wide_radius_places_are_all_alike() -> None:
    made = encoder()
    lat, lon, heading = degrees(40.731, 40.74), degrees(-73.996, -73.99), degrees(29.0, 29.0)
    apart = [
        (tokens[0] - tokens[1]).norm().item()
        for tokens in (made(lat, lon, heading, radius=radius) for radius in (0.0, 200.0, math.inf))
    ]
    assert apart[0] > apart[1] > 10 * apart[2]
    each = made(lat, lon, heading, radius=degrees(0.0, 200.0))
    assert torch.equal(each[0], made(lat, lon, heading)[0])
    assert torch.equal(each[1], made(lat, lon, heading, radius=200.0)[1])


def test_headings_meet_at_north() -> None:
    around = heading_encoding(torch.tensor([0.0, 360.0, 359.999, 180.0]), 4)
    assert torch.allclose(around[0], around[1], atol=1e-5)
    assert torch.allclose(around[0], around[2], atol=1e-3)
    assert not torch.allclose(around[0], around[3], atol=0.5)


@pytest.mark.parametrize(
    ("box", "target"), [(MANHATTAN, 20.0), (BOX, 20.0), (BOX, 200.0), (Box(40.75, -73.99, 40.751, -73.989), 20.0)]
)
def test_finest_period_is_within_a_factor_of_the_target(box: Box, target: float) -> None:
    height = (box.north - box.south) * 111_195
    width = (box.east - box.west) * 111_195 * math.cos(math.radians(box.centre[0]))
    for octaves, side in zip(frequencies_for_box(box, target), (width, height), strict=True):
        assert octaves >= 1
        if octaves > 1:
            assert target / math.sqrt(2) <= side / 2 ** (octaves - 1) <= target * math.sqrt(2)


def test_two_tokens_per_place_and_one_per_heading() -> None:
    place = degrees(40.75), degrees(-73.98)
    assert encoder()(*place, degrees(118.0)).shape == (1, 3, 16)
    assert encoder(has_heading=False)(*place).shape == (1, 2, 16)
    tokens = encoder()(*place, degrees(118.0))
    elsewhere_east = encoder()(place[0], place[1] + 0.003, degrees(118.0))
    assert not torch.allclose(tokens[0, 0], elsewhere_east[0, 0])
    assert torch.equal(tokens[0, 1:], elsewhere_east[0, 1:])


def test_what_is_missing_is_zero() -> None:
    nan = float("nan")
    tokens = encoder()(degrees(nan, 40.75), degrees(nan, -73.98), degrees(118.0, nan))
    assert torch.all(tokens[0, :2] == 0)
    assert torch.any(tokens[0, 2] != 0)
    assert torch.all(tokens[1, 2] == 0)
    assert torch.all(encoder()(degrees(nan), degrees(nan)) == 0)


def test_outside_the_box_is_its_edge_and_not_the_other_side() -> None:
    model = encoder()
    inside = model(degrees(BOX.north), degrees(BOX.east))
    outside = model(degrees(BOX.north + 1), degrees(BOX.east + 1))
    assert torch.equal(inside, outside)


def test_a_metre_is_not_lost_to_rounding() -> None:
    model = encoder(y_octaves=12)
    here, there = model(degrees(40.75, 40.75 + 1e-5), degrees(-73.98, -73.98))
    assert not torch.allclose(here, there, atol=1e-5)


def test_zero_output_and_round_trip(tmp_path) -> None:
    model = encoder(zero_output=True)
    place = degrees(40.75), degrees(-73.98), degrees(118.0)
    assert torch.all(model(*place) == 0)
    trained = encoder()
    trained.save_pretrained(tmp_path)
    again = LocationEncoder.from_pretrained(tmp_path, local_files_only=True)
    assert again.box == BOX
    assert torch.allclose(again(*place), trained(*place), atol=1e-6)
