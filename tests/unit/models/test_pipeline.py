from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from transformers import CLIPTextConfig, CLIPTextModel

from gpsdream_app.domain.places import Place
from gpsdream_app.models.pipeline import GPSDiffusionPipeline, guidance_terms, rescale_noise
from gpsdream_app.training.build import open_base
from gpsdream_app.training.config import TrainConfig
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.tiny_model import BOX, tiny_pipeline

HERE = Place(40.7411, -73.9897, 118.0)
THERE = Place(40.7800, -73.9600, 298.0)


@pytest.fixture(scope="module")
def pipeline() -> GPSDiffusionPipeline:
    return quiet(tiny_pipeline())


def quiet(pipeline: GPSDiffusionPipeline) -> GPSDiffusionPipeline:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline: GPSDiffusionPipeline, *args: object, seed: int = 0, **options: object) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return pipeline(*args, generator=generator, num_inference_steps=3, output_type="np", **options).images


@pytest.mark.parametrize("has_text", [False, True])
@pytest.mark.parametrize("has_place", [False, True])
@pytest.mark.parametrize("weights", [(3.5, 7.5), (1.0, 1.0), (0.0, 0.0), (2.0, 1.0), (1.0, 3.0)])
def test_guidance_terms_sum_to_equation_4(has_text: bool, has_place: bool, weights: tuple[float, float]) -> None:
    w_p, w_g = weights
    random = np.random.default_rng(0)
    e = {key: random.normal() for key in [(False, False), (True, False), (False, True), (True, True)]}
    if has_text and has_place:
        expected = e[False, False] + w_p * (e[True, False] - e[False, False]) + w_g * (e[True, True] - e[True, False])
    elif has_text:
        expected = e[False, False] + w_p * (e[True, False] - e[False, False])
    elif has_place:
        expected = e[False, False] + w_g * (e[False, True] - e[False, False])
    else:
        expected = e[False, False]
    terms = guidance_terms(w_p, w_g, has_text=has_text, has_place=has_place)
    assert sum(term.weight * e[term.with_text, term.with_place] for term in terms) == pytest.approx(expected)
    assert all(term.weight for term in terms)


def test_guidance_in_the_other_order_puts_words_on_top_of_the_place() -> None:
    e = {(False, False): 1.0, (False, True): 2.5, (True, True): 4.0}
    terms = guidance_terms(3.5, 7.5, has_text=True, has_place=True, order="place_first")
    assert sum(term.weight * e[term.with_text, term.with_place] for term in terms) == pytest.approx(
        1.0 + 7.5 * (2.5 - 1.0) + 3.5 * (4.0 - 2.5)
    )
    with pytest.raises(ValueError, match="guidance_order"):
        guidance_terms(3.5, 7.5, has_text=True, has_place=True, order="sideways")


def test_guidance_leaves_out_what_has_no_weight() -> None:
    assert len(guidance_terms(3.5, 7.5, has_text=True, has_place=True)) == 3
    assert len(guidance_terms(1.0, 1.0, has_text=True, has_place=True)) == 1
    assert len(guidance_terms(3.5, 7.5, has_text=False, has_place=False)) == 1


def test_one_step_is_equation_4_on_three_separate_passes(pipeline: GPSDiffusionPipeline) -> None:
    seen = []
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(5))

    def look(pipe: GPSDiffusionPipeline, step: int, timestep: torch.Tensor, tensors: dict) -> dict:
        seen.append((timestep, tensors["pred_original"]))
        return tensors

    pipeline("a mansion", HERE, latents=latents, num_inference_steps=1, callback_on_step_end=look, output_type="latent")
    timestep, original = seen[0]
    with torch.no_grad():
        text, location = pipeline.encode_text(["a mansion"]), pipeline.encode_places([HERE]).tokens

        def passed(p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
            states = torch.cat([p, g], dim=1)
            return pipeline.unet(latents, timestep, states, class_labels=g.flatten(1)).sample

        none_p, none_g = torch.zeros_like(text), torch.zeros_like(location)
        e00, ep0, epg = passed(none_p, none_g), passed(text, none_g), passed(text, location)
        expected = pipeline.predict_original(e00 + 3.5 * (ep0 - e00) + 7.5 * (epg - ep0), latents, timestep)
    assert torch.allclose(original, expected, atol=1e-4)


def test_same_seed_same_pixels_and_everything_else_matters(pipeline: GPSDiffusionPipeline) -> None:
    first = draw(pipeline, "a mansion", HERE)
    assert np.array_equal(first, draw(pipeline, "a mansion", HERE))
    for changed in (
        draw(pipeline, "a mansion", HERE, seed=1),
        draw(pipeline, "a church", HERE),
        draw(pipeline, "a mansion", THERE),
        draw(pipeline, "a mansion", Place(HERE.lat, HERE.lon, 298.0)),
        draw(pipeline, "a mansion", HERE, negative_prompt="a church"),
        draw(pipeline, "a mansion", HERE, place_guidance=2.0),
        draw(pipeline, "a mansion", HERE, guidance_rescale=0.7),
        draw(pipeline, "a mansion", HERE, guidance_interval=(0.0, 0.5)),
    ):
        assert not np.array_equal(first, changed)


def test_batches_and_one_by_one_agree(pipeline: GPSDiffusionPipeline) -> None:
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    both = pipeline(
        ["a mansion", "a church"], [HERE, THERE], generator=generators, num_inference_steps=3, output_type="np"
    ).images
    assert np.allclose(both[0], draw(pipeline, "a mansion", HERE, seed=3)[0], atol=1e-4)
    assert np.allclose(both[1], draw(pipeline, "a church", THERE, seed=4)[0], atol=1e-4)
    with pytest.raises(ValueError, match="2 prompts"):
        pipeline(["a", "b"], [HERE, HERE, HERE])


@pytest.mark.parametrize(
    "scheduler",
    [
        DDIMScheduler,
        EulerDiscreteScheduler,
        EulerAncestralDiscreteScheduler,
        DPMSolverMultistepScheduler,
        UniPCMultistepScheduler,
        HeunDiscreteScheduler,
    ],
)
def test_any_scheduler_of_diffusers(scheduler: type) -> None:
    pipeline = quiet(tiny_pipeline())
    pipeline.scheduler = scheduler.from_config(
        {**pipeline.scheduler.config, "rescale_betas_zero_snr": False, "timestep_spacing": "trailing"}
    )
    picture = draw(pipeline, "a mansion", HERE)
    assert picture.shape == (1, 32, 32, 3)
    assert np.isfinite(picture).all()


def test_a_callback_can_stop_before_the_decoder(pipeline: GPSDiffusionPipeline, monkeypatch) -> None:
    class Stopped(Exception):
        pass

    def stop(pipe: GPSDiffusionPipeline, step: int, timestep: torch.Tensor, tensors: dict) -> dict:
        if step == 1:
            raise Stopped
        return tensors

    monkeypatch.setattr(pipeline, "decode", lambda *_: pytest.fail("decoded after it was stopped"))
    with pytest.raises(Stopped):
        pipeline("a mansion", HERE, num_inference_steps=5, callback_on_step_end=stop)


def test_rescale_brings_the_spread_back() -> None:
    conditional = torch.randn(2, 4, 8, 8)
    assert torch.allclose(rescale_noise(5 * conditional, conditional, 1.0), conditional, atol=1e-4)
    assert torch.equal(rescale_noise(5 * conditional, conditional, 0.0), 5 * conditional)


def tiny_stable_diffusion(folder: Path) -> Path:
    """A Stable-Diffusion-shaped pipeline with random weights."""
    torch.manual_seed(1)
    tokenizer = train_tokenizer(["a photo of a mansion"], vocabulary_size=600, max_tokens=77)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=16,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=8,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=4,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)
    return folder


def test_a_stable_diffusion_base_draws_the_same_at_step_0(tmp_path: Path) -> None:
    folder = tiny_stable_diffusion(tmp_path / "sd")
    base = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, safety_checker=None)
    base.set_progress_bar_config(disable=True)
    ours = quiet(open_base(folder, TrainConfig.for_base().model, BOX, has_heading=True))
    options = {"num_inference_steps": 4, "output_type": "np"}
    theirs = base("a mansion", guidance_scale=3.5, generator=torch.Generator().manual_seed(0), **options).images
    for place, weight in ((HERE, 7.5), (THERE, 2.0), (None, 7.5)):
        drawn = ours(
            "a mansion",
            place,
            text_guidance=3.5,
            place_guidance=weight,
            generator=torch.Generator().manual_seed(0),
            **options,
        ).images
        assert np.abs(drawn - theirs).max() < 1e-5
    # Once the encoder has learned anything, places differ.
    torch.nn.init.normal_(ours.location_encoder.x_token.output.weight)
    moved = ours("a mansion", HERE, generator=torch.Generator().manual_seed(0), **options).images
    assert np.abs(moved - theirs).max() > 1e-3


def test_a_tiny_autoencoder_works_as_well(pipeline: GPSDiffusionPipeline) -> None:
    vae = AutoencoderTiny(
        latent_channels=4,
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    )
    parts = {**pipeline.components, "vae": vae}
    assert draw(quiet(GPSDiffusionPipeline(**parts)), "a mansion", HERE).shape == (1, 32, 32, 3)
