from __future__ import annotations

from dataclasses import replace

import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.models.conditions import Preconditioning, predict
from tests.tiny_model import TINY, TINY_WITH_MAP, tiny_pipeline

HERE, THERE = Place(40.7411, -73.9897, 118.0), Place(40.7711, -73.9677, 298.0)


def test_preconditioning_leaves_what_has_unit_variance() -> None:
    deviations = torch.tensor([2.0, 1.0, 0.1])
    alphas = torch.linspace(0.999, 0.0, 1000)
    timesteps = torch.tensor([10, 500, 900, 999])
    scale, skip, output = Preconditioning(alphas, deviations).factors(timesteps)
    generator = torch.Generator().manual_seed(0)
    shape = (4, 3, 200, 200)
    latents = torch.randn(shape, generator=generator) * deviations[:, None, None]
    noise = torch.randn(shape, generator=generator)
    a, s = alphas[timesteps].sqrt()[:, None, None, None], (1 - alphas[timesteps]).sqrt()[:, None, None, None]
    noisy, velocity = a * latents + s * noise, a * noise - s * latents
    assert torch.allclose((scale * noisy).std(dim=(2, 3)), torch.ones(4, 3), atol=0.02)
    wanted = (velocity - skip * noisy) / output
    assert torch.allclose(wanted.std(dim=(2, 3)), torch.ones(4, 3), atol=0.02)
    # What is left cannot be guessed from the input by a factor.
    assert (wanted * noisy * scale).mean(dim=(2, 3)).abs().max() < 0.02


def test_timesteps_between_two_are_interpolated() -> None:
    made = Preconditioning(torch.linspace(0.999, 0.0, 1000), torch.tensor([0.5]))
    whole = made.factors(torch.tensor([10, 11]))
    between = made.factors(torch.tensor([10.5]))
    for both, one in zip(whole, between, strict=True):
        assert both.min() <= one.item() <= both.max()


def test_a_pipeline_with_map_and_preconditioning_draws_places() -> None:
    pipeline = tiny_pipeline(config=TINY_WITH_MAP)
    pipeline.set_progress_bar_config(disable=True)
    place_map = pipeline.location_encoder.place_map
    pipeline.location_encoder.keep_cells([torch.arange(400_000), torch.arange(4_000)])
    torch.nn.init.normal_(place_map.tables[0], std=0.1)
    pipeline.vae.register_to_config(latent_deviations=[1.0, 0.7, 0.4, 0.2])
    assert pipeline.preconditioning is not None

    def draw(place: Place | None, **options: object) -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        return pipeline("", place, num_inference_steps=2, generator=generator, output_type="pt", **options).images

    picture = draw(HERE)
    assert picture.shape == (1, 3, 48, 48)
    assert torch.equal(picture, draw(HERE))
    assert not torch.allclose(picture, draw(THERE), atol=1e-3)
    assert not torch.allclose(picture, draw(HERE, place_radius=50.0), atol=1e-5)
    assert torch.equal(picture, draw(HERE, place_radius_with_words=50.0))
    plain = tiny_pipeline(config=TINY_WITH_MAP)
    assert plain.preconditioning is None


def test_words_join_the_time_embedding_and_none_leave_it_alone() -> None:
    pipeline = tiny_pipeline(config=replace(TINY, text_in_time=5))
    unet = pipeline.unet
    for name, parameter in unet.named_parameters():
        if "attn2" in name:  # no attention to words: what is left is the way through the time embedding
            torch.nn.init.zeros_(parameter)
    noisy = torch.randn(1, 4, unet.config.sample_size, unet.config.sample_size)
    nowhere = pipeline.encode_places([None])
    words, others = pipeline.encode_text(["a mansion"]), pipeline.encode_text(["a church with trees"])
    nothing = pipeline.encode_null_text(1)

    @torch.no_grad()
    def predicted(text: torch.Tensor) -> torch.Tensor:
        return predict(unet, noisy, torch.tensor([500]), text, nowhere)

    assert (predicted(words) - predicted(others)).abs().max() > 1e-4
    with torch.no_grad():
        unet.class_embedding.weight[:, -5:] = 0
    assert torch.equal(predicted(words), predicted(others))
    assert torch.equal(predicted(words), predicted(nothing))
