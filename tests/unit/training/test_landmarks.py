"""Runs of landmark models, on made-up framed views whose colours tell the azimuth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.landmarks.views import FramedViews, counts_by_azimuth
from gpsdream_app.library.model_folders import read_card
from gpsdream_app.models.checkpoint import load_pipeline, save_pipeline
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline, View
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.config import LossConfig
from gpsdream_app.training.landmark import main
from gpsdream_app.training.landmark_config import LandmarkTrainConfig
from gpsdream_app.training.landmark_learner import LandmarkLearner
from gpsdream_app.training.landmark_run import LandmarkRun, build_landmark_model, open_landmark_base
from gpsdream_app.training.landmark_views import ViewLatents, ViewSampler
from gpsdream_app.training.run import Listener
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.framed_views import make_framed
from tests.tiny_model import TINY_WITH_MAP, tiny_card, tiny_pipeline

SMALL: dict[str, Any] = {
    "model": {
        "image_size": 32,
        "latent_channels": 8,
        "unet_channels": [16, 32],
        "unet_attention": [False, True],
        "unet_heads": 2,
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "text_in_time": 16,
        "max_tokens": 16,
        "location_hidden": 16,
        "refiner_widths": [8, 8, 8],
    },
    "angle": {"harmonics": 4},
    "data": {"largest_sigma": 20.0, "view_words": 0.2},
    "prior": {"pictures": 4, "steps": 2},
    "loop": {
        "steps": 4,
        "batch": 6,
        "warm_up": 1,
        "cool_down": 1,
        "codec_steps": 4,
        "refiner_steps": 2,
        "checkpoint_every": 2,
        "validate_every": 4,
    },
    "card": {"name": "towers", "title": "Towers", "defaults": {"steps": 2}},
}


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_framed(tmp_path_factory.mktemp("framed"), count=40)


def recipe(folder: Path, **parts: dict[str, Any]) -> Path:
    path = folder / "recipe.json"
    merged = {name: {**values, **parts.get(name, {})} for name, values in SMALL.items()}
    path.write_text(json.dumps(merged | {name: parts[name] for name in parts if name not in merged}), encoding="utf-8")
    return path


def train(framed: Path, out: Path, config: Path, *more: str) -> int:
    return main(["--photos", str(framed), "--out", str(out), "--config", str(config), "--json", *more])


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "unet" / "diffusion_pytorch_model.safetensors")


def test_a_run_makes_a_model_and_says_what_it_knows(framed: Path, tmp_path: Path) -> None:
    assert train(framed, tmp_path / "run", recipe(tmp_path)) == 0
    card = read_card(tmp_path / "run" / "model")
    assert (card.kind, card.image_size, card.title) == ("landmarks", 32, "Towers")
    assert card.framing["foot"] == 0.85
    assert card.framing["background"] == [0.36, 0.56, 0.82]
    counts = [sum(known.photos) for known in card.landmarks]
    assert counts == [35, 35]  # of 40, four are held out and one is too uncertain
    assert card.training["photos_held_out"] == 8
    pipeline = load_pipeline(tmp_path / "run" / "model")
    assert isinstance(pipeline, LandmarkPipeline)
    with Image.open(tmp_path / "run" / "validation" / "step-000004.png") as sheet:
        assert sheet.width > 5 * 32


def test_stopping_and_resuming_ends_in_the_same_model(framed: Path, tmp_path: Path) -> None:
    config = recipe(tmp_path)
    assert train(framed, tmp_path / "one", config) == 0
    steps: list[int] = []
    listener = Listener(lambda *_: None, lambda progress: steps.append(progress.step), lambda: len(steps) == 3)
    assert LandmarkRun(tmp_path / "two", LandmarkTrainConfig.open(config), listener).run(framed) is None
    assert steps == [1, 2, 3]
    assert train(framed, tmp_path / "two", config, "--resume") == 0
    one, two = (weights_of(tmp_path / name / "model") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_there_is_nothing_to_resume(framed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(framed, tmp_path / "none", recipe(tmp_path), "--resume") == 2
    assert "no run to go on with" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("angle", {"encoding": "degrees"}, "angle.encoding"),
        ("data", {"largest_sigma": 0.0}, "data.largest_sigma"),
        ("data", {"mirror": True}, "mirror"),
        ("model", {"map_channels": 2}, "map_channels"),
    ],
)
def test_recipes_that_cannot_be_are_refused(tmp_path: Path, part: str, value: dict[str, Any], said: str) -> None:
    with pytest.raises(GPSDreamError, match=said):
        LandmarkTrainConfig.open(recipe(tmp_path, **{part: value}))


def test_the_embedded_recipe_can_be_read() -> None:
    path = Path(__file__).parents[3] / "resources" / "recipes" / "landmarks.json"
    config = LandmarkTrainConfig.open(path)
    assert config.model.image_size == 96
    tokenizer = train_tokenizer(["A photo of a tower"], vocabulary_size=config.model.vocabulary_size, max_tokens=24)
    pipeline = build_landmark_model(config, tokenizer)
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder, pipeline.location_encoder)
    bytes_of_halves = 2 * sum(p.numel() for part in parts for p in part.parameters())
    assert bytes_of_halves < 10 * 2**20


def test_damaged_folders_of_views_are_refused(framed: Path, tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError, match=r"views\.json is missing"):
        FramedViews.open(tmp_path)
    data = json.loads((framed / "views.json").read_text(encoding="utf-8"))
    (tmp_path / "pixels.bin").write_bytes(b"\0" * 100)
    (tmp_path / "views.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(GPSDreamError, match="does not hold 80 pictures"):
        FramedViews.open(tmp_path)
    data["views"][0]["azimuth"] = math.inf
    (tmp_path / "views.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(GPSDreamError, match="damaged"):
        FramedViews.open(tmp_path)


def test_landmarks_are_drawn_alike_and_always_the_same(framed: Path) -> None:
    views = FramedViews.open(framed)
    some = [view for view in views.views if view.landmark == views.landmarks[0].id or view.number % 10 == 0]
    sampler = ViewSampler(views, some, 32, seed=3)
    drawn = np.concatenate([sampler.draw(number, 10) for number in range(40)])
    shown = [some[index].landmark for index in drawn]
    assert shown.count(views.landmarks[1].id) == 200
    assert len(set(drawn.tolist())) == len(some)
    assert np.array_equal(sampler.draw(7, 10), ViewSampler(views, some, 32, seed=3).draw(7, 10))
    assert not np.array_equal(sampler.draw(7, 10), sampler.draw(8, 10))
    assert sum(counts_by_azimuth(some, views.landmarks[0].id)) == 40


def small_model(**loss: float) -> tuple[LandmarkPipeline, LandmarkTrainConfig]:
    config = LandmarkTrainConfig.from_dict({**SMALL, "loss": loss})
    tokenizer = train_tokenizer(["A photo of the Flatiron Building"], vocabulary_size=560, max_tokens=16)
    torch.manual_seed(0)
    return build_landmark_model(config, tokenizer), config


def test_a_side_told_in_words_is_told_by_no_angle(framed: Path) -> None:
    views = FramedViews.open(framed)
    pipeline, _ = small_model()
    source = ViewLatents(pipeline, ViewSampler(views, views.views, 32, 0), [], words_share=0.5)
    batch = source.latent_batch(0, 40)
    told = torch.tensor([words.endswith(" view") for words in batch.prompts])
    assert 8 < int(told.sum()) < 32
    assert torch.equal(told, torch.isnan(batch.azimuth))
    assert torch.equal(told, torch.isnan(batch.distance))
    # The arch's front faces 29 degrees: who stands there sees it.
    source = ViewLatents(pipeline, ViewSampler(views, views.views[:40], 32, 0), [], words_share=1.0)
    batch = source.latent_batch(0, 30)
    for index, prompt in zip(source.sampler.draw(0, 30), batch.prompts, strict=True):
        off = abs((views.views[index].azimuth - 29 + 180) % 360 - 180)
        assert prompt.endswith("front view" if off < 45 else "back view" if off > 135 else "side view")


def test_the_loss_tells_angles_apart_and_drops_conditions(framed: Path) -> None:
    views = FramedViews.open(framed)
    pipeline, config = small_model(only_text=0.0, only_place=0.0, neither=0.0, drop_heading=0.0)
    arguments = (
        ViewLatents(pipeline, ViewSampler(views, views.views, 32, 0), [])
        .latent_batch(0, 8)
        .arguments(torch.device("cpu"))
    )
    learner = LandmarkLearner(pipeline, config.loss, train_text=False).eval()
    with torch.no_grad():
        plain = learner(**arguments, seed=1)
        turned = learner(**{**arguments, "azimuth": arguments["azimuth"] + 90}, seed=1)
        learner.config = LossConfig(only_text=1.0, min_snr_gamma=None)
        dropped = learner(**arguments, seed=1)
        turned_dropped = learner(**{**arguments, "azimuth": arguments["azimuth"] + 90}, seed=1)
    assert plain != turned
    assert plain != dropped
    assert dropped == turned_dropped


def test_the_priors_loss_is_added_with_its_weight(framed: Path) -> None:
    views = FramedViews.open(framed)
    pipeline, config = small_model()
    batch = ViewLatents(pipeline, ViewSampler(views, views.views, 32, 0), []).latent_batch(0, 6)
    arguments = {**batch.arguments(torch.device("cpu")), "priors": 2}
    learner = LandmarkLearner(pipeline, config.loss, train_text=False).eval()
    with torch.no_grad():
        none, one, two = (learner(**{**arguments, "prior_weight": weight}, seed=1) for weight in (0.0, 1.0, 2.0))
    assert float(one - none) == pytest.approx(float(two - one), rel=1e-4)
    assert one > none


def make_stable_diffusion(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["A photo of a tower"], vocabulary_size=560, max_tokens=16)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 16), norm_num_groups=4, sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16, block_out_channels=(16, 32), layers_per_block=1, cross_attention_dim=16, norm_num_groups=8,
            attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder


def pictures_of(pipeline: GPSDiffusionPipeline, places: list[Any]) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    generator = [torch.Generator().manual_seed(4) for _ in places]
    return pipeline("A photo of a tower", places, num_inference_steps=2, generator=generator, output_type="pt").images


def test_stable_diffusion_is_unchanged_until_it_learns_and_keeps_its_prior(framed: Path, tmp_path: Path) -> None:
    base = make_stable_diffusion(tmp_path / "base")
    config = LandmarkTrainConfig.from_dict({**SMALL, "loss": {"prediction": "epsilon", "zero_terminal_snr": False}})
    opened = open_landmark_base(base, config)
    turned = pictures_of(opened, [None, View(0.0), View(123.0, 2.5)])
    assert torch.allclose(turned[0], turned[1], atol=1e-5)
    assert torch.allclose(turned[0], turned[2], atol=1e-5)

    loop = {"lora_rank": 2, "steps": 2, "batch": 2, "accumulate": 2, "validate_every": 2, "learning_rate": 0.01}
    parts = recipe(tmp_path, loop=loop, loss={"prediction": "epsilon", "zero_terminal_snr": False})
    assert train(framed, tmp_path / "run", parts, "--base", str(base)) == 0
    drawn = sorted((tmp_path / "run" / "prior").glob("*.png"))
    assert len(drawn) == 4
    with Image.open(drawn[0]) as first:
        before = np.asarray(opened(
            "A photo of the Washington Square Arch", None, num_inference_steps=2, text_guidance=7.5,
            generator=torch.Generator().manual_seed(0),
        ).images[0])  # fmt: skip
        assert np.array_equal(np.asarray(first), before)
    learned = load_pipeline(tmp_path / "run" / "model")
    angles = pictures_of(learned, [View(0.0), View(123.0)])
    assert not torch.allclose(angles[0], angles[1], atol=1e-4)
    assert not any("lora" in name for name in weights_of(tmp_path / "run" / "model"))
    assert read_card(tmp_path / "run" / "model").training["base"] == "base"


def test_a_model_of_places_can_be_the_base(framed: Path, tmp_path: Path) -> None:
    base = tmp_path / "places"
    save_pipeline(tiny_pipeline(config=TINY_WITH_MAP), base, tiny_card())
    config = LandmarkTrainConfig.from_dict(SMALL)
    opened = open_landmark_base(base, config)
    assert opened.location_encoder.token_count == 3
    before = pictures_of(load_pipeline(base), [None])
    assert torch.allclose(pictures_of(opened, [View(200.0, 2.0)]), before, atol=1e-5)
    parts = recipe(tmp_path, loop={"lora_rank": 2, "steps": 2, "batch": 2, "validate_every": 2})
    assert train(framed, tmp_path / "run", parts, "--base", str(base)) == 0
    assert isinstance(load_pipeline(tmp_path / "run" / "model"), LandmarkPipeline)
    # And a model of landmarks goes on with the angles that it knows.
    again = open_landmark_base(tmp_path / "run" / "model", config)
    assert pictures_of(again, [View(10.0)]).isfinite().all()
    with pytest.raises(GPSDreamError, match="room for 2 tokens"):
        narrow = tiny_pipeline()
        narrow.location_encoder.register_to_config(has_heading=False)
        save_pipeline(narrow, tmp_path / "narrow", tiny_card())
        open_landmark_base(tmp_path / "narrow", LandmarkTrainConfig.from_dict({**SMALL, "angle": {"fov": True}}))
