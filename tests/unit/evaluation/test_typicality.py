from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.area import Grid, areas_until_found, mass_of_density
from gpsdream_app.evaluation.typicality import NoiseSettings, location_log_density, picture_latents, typicality
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.config import LossConfig
from tests.tiny_model import BOX, tiny_pipeline

PLACE = Place(40.7411, -73.9897, 118.0)
FEW = NoiseSettings(draws=4, batch=3)


@pytest.fixture(scope="module")
def pipeline() -> GPSDiffusionPipeline:
    return tiny_pipeline()


def picture(seed: int = 0) -> torch.Tensor:
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Knowing(torch.nn.Module):
    """Stands in for a U-Net that has learned one picture by heart.

    With location tokens it predicts that picture's noise (as velocity) exactly where the tokens are those of its
    place, and worse the further they are from those; without any it predicts nothing.
    """

    def __init__(self, pipeline: GPSDiffusionPipeline, latent: torch.Tensor, place: Place) -> None:
        super().__init__()
        self.config, self.dtype, self.device = pipeline.unet.config, torch.float32, torch.device("cpu")
        self.latent, self.tokens = latent, pipeline.encode_places([place]).tokens[0]
        self.scheduler = pipeline.scheduler

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **conditions: torch.Tensor) -> object:
        a = self.scheduler.alphas_cumprod[timesteps].sqrt()[:, None, None, None]
        s = (1 - a**2).sqrt()
        noise = (noisy - a * self.latent) / s
        known = conditions["encoder_hidden_states"][:, -3:]
        away = (known - self.tokens).square().sum(dim=(1, 2)).sqrt()[:, None, None, None]
        missing = (known == 0).all(dim=(1, 2))[:, None, None, None]
        wrong = torch.where(missing, torch.full_like(away, 1.0), away)
        # Off by `wrong` in the noise e; v = (e - s z) / a.
        velocity = (noise + wrong - s * noisy) / a
        return type("Output", (), {"sample": velocity})


def knowing(pipeline: GPSDiffusionPipeline, place: Place) -> GPSDiffusionPipeline:
    copy = tiny_pipeline()
    copy.register_modules(unet=Knowing(pipeline, picture_latents(pipeline, picture()[None])[0], place))
    return copy


def test_errors_are_those_of_the_noise_whatever_is_predicted() -> None:
    """The same denoiser, said as noise, velocity or clean picture, has the same typicality."""
    values = []
    for kind in ("epsilon", "v_prediction", "sample"):
        loss = LossConfig(prediction="epsilon", zero_terminal_snr=False)
        pipeline = tiny_pipeline(loss)
        inner = pipeline.unet.forward
        alphas = pipeline.scheduler.alphas_cumprod
        pipeline.scheduler.register_to_config(prediction_type=kind)

        def forward(
            noisy: torch.Tensor,
            timesteps: torch.Tensor,
            inner: object = inner,
            alphas: torch.Tensor = alphas,
            kind: str = kind,
            **rest: torch.Tensor,
        ) -> object:
            output = inner(noisy, timesteps, **rest)  # type: ignore[operator]
            a = alphas[timesteps].sqrt()[:, None, None, None]
            s = (1 - a**2).sqrt()
            clean = (noisy - s * output.sample) / a
            said = {"epsilon": output.sample, "v_prediction": a * output.sample - s * clean, "sample": clean}
            output.sample = said[kind]
            return output

        pipeline.unet.forward = forward
        values.append(typicality(pipeline, picture(), "a mansion", PLACE, FEW))
    assert values[0].value != 0
    for other in values[1:]:
        assert other.value == pytest.approx(values[0].value, rel=1e-3)
        assert np.allclose(other.map, values[0].map, rtol=1e-2, atol=1e-6)


def test_typicality_in_closed_form(pipeline: GPSDiffusionPipeline) -> None:
    found = typicality(knowing(pipeline, PLACE), picture(), "", PLACE, FEW)
    # Without the place the noise is off by 1, with it not at all.
    assert found.value == pytest.approx(1.0, abs=1e-3)
    assert found.standard_error == pytest.approx(0.0, abs=1e-3)
    assert found.map.shape == (4, 4)
    assert found.map.mean() == pytest.approx(found.value)


def test_a_place_that_the_model_does_not_hear_explains_nothing(pipeline: GPSDiffusionPipeline) -> None:
    deaf = tiny_pipeline()
    for parameter in deaf.location_encoder.parameters():
        torch.nn.init.zeros_(parameter)
    found = typicality(deaf, picture(), "a mansion", PLACE, FEW)
    assert found.value == 0
    assert not found.map.any()


def test_a_seed_decides_and_the_batch_does_not(pipeline: GPSDiffusionPipeline) -> None:
    first = typicality(pipeline, picture(), "a mansion", PLACE, FEW)
    again = typicality(pipeline, picture(), "a mansion", PLACE, NoiseSettings(draws=4, batch=4))
    other = typicality(pipeline, picture(), "a mansion", PLACE, NoiseSettings(draws=4, seed=1))
    assert again.value == pytest.approx(first.value, rel=1e-4, abs=1e-7)
    assert other.value != pytest.approx(first.value, rel=1e-4, abs=1e-7)
    assert math.isfinite(first.standard_error)


def test_a_picture_is_found_where_the_model_learned_it(pipeline: GPSDiffusionPipeline) -> None:
    grid = Grid(BOX, 5, 4)
    places = [Place(lat, lon, 118.0) for lat, lon in zip(*grid.centres, strict=True)]
    told: list[tuple[int, int]] = []
    density = location_log_density(
        knowing(pipeline, places[13]), picture(), "", places, FEW, on_place=lambda *counts: told.append(counts)
    )
    assert density.argmax() == 13
    assert told[-1] == (20, 20)
    truth = [places[13].lat], [places[13].lon]
    found = areas_until_found(mass_of_density(density[None], grid), grid, *truth)
    assert found[0] == pytest.approx(grid.areas[13] / 2)


def test_other_predictions_are_refused(pipeline: GPSDiffusionPipeline) -> None:
    other = tiny_pipeline()
    other.scheduler.register_to_config(prediction_type="flow")
    with pytest.raises(ValueError, match="flow"):
        typicality(other, picture(), "", PLACE, FEW)
