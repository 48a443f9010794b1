from __future__ import annotations

import numpy as np
import pytest
import torch

from gpsdream_app.models.codec import LappedAutoencoder


def smooth_pictures(count: int, side: int = 64) -> torch.Tensor:
    """Random pictures with the falling spectrum of photographs."""
    random = np.random.default_rng(0)
    spectrum = np.fft.rfft2(random.normal(size=(count, 3, side, side)))
    falls = 1 / (1 + np.hypot(*np.meshgrid(np.fft.fftfreq(side) * side, np.fft.rfftfreq(side) * side, indexing="ij")))
    pictures = np.fft.irfft2(spectrum * falls**1.5, s=(side, side))
    return torch.from_numpy((pictures / np.abs(pictures).max() * 0.9).astype(np.float32))


@pytest.fixture(scope="module")
def codec() -> LappedAutoencoder:
    torch.manual_seed(0)
    model = LappedAutoencoder(latent_channels=12, refiner_widths=(8, 8, 8), refiner_blocks=1)
    model.start_from_principal_components(smooth_pictures(16))
    return model


def test_shapes(codec: LappedAutoencoder) -> None:
    pictures = smooth_pictures(2)
    latents = codec.encode(pictures).latents
    assert latents.shape == (2, 12, 8, 8)
    assert codec.decode(latents).sample.shape == pictures.shape


def test_principal_components_are_orthonormal_so_more_channels_lose_less() -> None:
    pictures = smooth_pictures(16)
    errors = []
    for channels in (3, 12, 48):
        model = LappedAutoencoder(latent_channels=channels, refiner_widths=(8, 8, 8), refiner_blocks=1)
        model.start_from_principal_components(pictures)
        errors.append((model(pictures).sample - pictures).square().mean().item())
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_encoder_is_linear(codec: LappedAutoencoder) -> None:
    a, b = smooth_pictures(2)
    mixed = codec.encode((0.3 * a + 0.7 * b)[None]).latents
    apart = codec.encode(torch.stack([a, b])).latents
    assert torch.allclose(mixed[0], 0.3 * apart[0] + 0.7 * apart[1], atol=1e-5)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_standardise_keeps_pictures_and_orders_channels(whitening: float) -> None:
    pictures = smooth_pictures(16)
    model = LappedAutoencoder(latent_channels=12, whitening=whitening, refiner_widths=(8, 8, 8), refiner_blocks=1)
    model.start_from_principal_components(pictures)
    with torch.no_grad():
        before = model.decode_linear(model.encode(pictures).latents)
        model.standardise(model.encode(pictures).latents)
        latents = model.encode(pictures).latents
        after = model.decode_linear(latents)
    assert torch.allclose(before, after, atol=2e-4)
    covariance = torch.cov(latents.transpose(0, 1).flatten(1))
    deviations = covariance.diagonal().sqrt()
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    assert off_diagonal.abs().max() < 1e-3 * covariance.diagonal().max()
    assert deviations[0].item() == pytest.approx(1.0, abs=1e-3)
    if whitening == 1.0:
        assert torch.allclose(deviations, torch.ones(12), atol=1e-3)
    else:
        assert torch.all(deviations.diff() <= 1e-4)


def test_round_trip(codec: LappedAutoencoder, tmp_path) -> None:
    codec.save_pretrained(tmp_path)
    again = LappedAutoencoder.from_pretrained(tmp_path, local_files_only=True)
    pictures = smooth_pictures(1)
    assert torch.equal(codec(pictures).sample, again(pictures).sample)
