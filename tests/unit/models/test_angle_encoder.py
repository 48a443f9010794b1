from __future__ import annotations

import math

import pytest
import torch

from gpsdream_app.geo.azimuth import azimuth_bin, normalised_bin
from gpsdream_app.models.angle_encoder import AngleEncoder, normalised_bins

NAN = math.nan


def encode(encoder: AngleEncoder, azimuth: list[float], **others: list[float]) -> torch.Tensor:
    given = {name: torch.tensor(values, dtype=torch.float64) for name, values in others.items()}
    with torch.no_grad():
        return encoder(torch.tensor(azimuth, dtype=torch.float64), **given)


def test_bins_are_those_of_the_compass() -> None:
    azimuths = [-5.0, 0.0, 4.99, 5.0, 14.99, 15.0, 180.0, 354.99, 355.0, 360.0, 725.0]
    expected = [normalised_bin(azimuth_bin(azimuth)) for azimuth in azimuths]
    assert normalised_bins(torch.tensor(azimuths, dtype=torch.float64)).tolist() == pytest.approx(expected)


def test_with_bins_all_angles_of_a_bin_are_one() -> None:
    encoder = AngleEncoder(8, 8, "bins")
    tokens = encode(encoder, [355.0, 0.0, 4.9, 5.1, 14.9])
    assert torch.allclose(tokens[0], tokens[1], atol=1e-6)
    assert torch.allclose(tokens[1], tokens[2], atol=1e-6)
    assert torch.allclose(tokens[3], tokens[4], atol=1e-6)
    assert not torch.allclose(tokens[2], tokens[3], atol=1e-3)


def test_continuous_angles_meet_at_north_and_change_little_by_little() -> None:
    torch.manual_seed(0)
    encoder = AngleEncoder(8, 8, "continuous", harmonics=6)
    tokens = encode(encoder, [0.0, 360.0, 359.9, 0.1, 1.0, 180.0])
    assert torch.allclose(tokens[0], tokens[1], atol=1e-6)
    step = (tokens[2] - tokens[3]).abs().max()
    assert 0 < step < 0.05
    assert (tokens[0] - tokens[5]).abs().max() > 5 * step


def test_what_is_not_known_is_a_token_of_zeros() -> None:
    encoder = AngleEncoder(8, 8, has_distance=True, has_fov=True, silent_tokens=1)
    assert encoder.token_count == 4
    tokens = encode(encoder, [10.0, NAN, 10.0], distance=[2.5, 2.5, NAN], fov=[NAN, NAN, 60.0])
    known = tokens.abs().amax(dim=2) > 0
    assert known.tolist() == [
        [True, True, False, False],
        [False, True, False, False],
        [True, False, True, False],
    ]
    assert torch.equal(encode(encoder, [10.0])[0, 1:], torch.zeros(3, 8))


def test_distances_go_by_their_ratio_and_stay_within_what_can_be_told_apart() -> None:
    torch.manual_seed(1)
    encoder = AngleEncoder(8, 8, has_distance=True)
    tokens = encode(encoder, [0.0] * 5, distance=[0.25, 16.0, 100.0, 2.5, 2.6])[:, 1]
    assert torch.allclose(tokens[1], tokens[2], atol=1e-6)
    assert not torch.allclose(tokens[0], tokens[1], atol=1e-2)
    assert (tokens[3] - tokens[4]).abs().max() < (tokens[0] - tokens[3]).abs().max() / 4


def test_an_encoder_for_a_base_starts_with_zeros_and_fills_its_map_with_zeros() -> None:
    encoder = AngleEncoder(8, 8, zero_output=True, plane_channels=3, plane_side=4)
    assert not encode(encoder, [77.0]).any()
    plane = encoder.plane(2)
    assert plane is not None
    assert plane.shape == (2, 3, 4, 4)
    assert not plane.any()
    assert AngleEncoder(8, 8).plane(2) is None


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="encoding"):
        AngleEncoder(8, 8, "degrees")
    with pytest.raises(ValueError, match="attention"):
        AngleEncoder(8, 8, attention="none")
