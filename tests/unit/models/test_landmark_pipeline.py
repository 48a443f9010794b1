from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.model_card import KnownLandmark, ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.models.checkpoint import load_pipeline, save_pipeline
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline, View
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.landmark_config import AngleConfig, LandmarkTrainConfig
from gpsdream_app.training.landmark_run import build_landmark_model
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.tiny_model import TINY, tiny_card, tiny_pipeline


def tiny_landmark_pipeline(**angle: object) -> LandmarkPipeline:
    config = LandmarkTrainConfig(model=dataclasses.replace(TINY, text_in_time=8), angle=AngleConfig(**angle))
    tokenizer = train_tokenizer(["A photo of a tower"], vocabulary_size=600, max_tokens=16)
    torch.manual_seed(0)
    return build_landmark_model(config, tokenizer)


def draw(pipeline: GPSDiffusionPipeline, words: str, views: list[View | None], **settings: float) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    generator = [torch.Generator().manual_seed(0) for _ in views]
    return pipeline(words, views, num_inference_steps=2, generator=generator, output_type="pt", **settings).images


def test_it_draws_views_and_the_angle_matters() -> None:
    pictures = draw(tiny_landmark_pipeline(), "A photo of a tower", [View(0.0), View(360.0), View(90.0), None])
    assert pictures.shape == (4, 3, 32, 32)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-4)
    assert not torch.allclose(pictures[0], pictures[2], atol=1e-3)
    assert not torch.allclose(pictures[0], pictures[3], atol=1e-3)


def test_a_view_without_an_angle_is_no_view() -> None:
    pipeline = tiny_landmark_pipeline()
    none, empty = pipeline.encode_views([None, View(None)]).tokens
    assert not none.any()
    assert torch.equal(none, empty)


def test_equal_weights_leave_two_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tiny_landmark_pipeline()
    sizes = []
    forward = pipeline.unet.forward

    def counted(sample: torch.Tensor, *arguments: object, **options: object) -> object:
        sizes.append(len(sample))
        return forward(sample, *arguments, **options)

    monkeypatch.setattr(pipeline.unet, "forward", counted)
    draw(pipeline, "A photo of a tower", [View(10.0)], text_guidance=2.0, place_guidance=2.0)
    draw(pipeline, "A photo of a tower", [View(10.0)], text_guidance=3.0, place_guidance=2.0)
    assert sizes == [2, 2, 3, 3]


def test_it_knows_no_places() -> None:
    with pytest.raises(GPSDreamError) as caught:
        draw(tiny_landmark_pipeline(), "A photo of a tower", [Place(40.74, -73.99)])
    assert caught.value.failure.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("encoding", ["continuous", "bins"])
def test_a_folder_opens_as_what_it_is(tmp_path: Path, encoding: str) -> None:
    pipeline = tiny_landmark_pipeline(encoding=encoding)
    known = KnownLandmark(LANDMARKS[1], tuple(range(36)))
    card = dataclasses.replace(tiny_card("towers"), kind="landmarks", landmarks=(known,), framing={"foot": 0.85})
    save_pipeline(pipeline, tmp_path / "towers", card)
    save_pipeline(tiny_pipeline(), tmp_path / "places", tiny_card())

    opened = load_pipeline(tmp_path / "towers")
    assert isinstance(opened, LandmarkPipeline)
    assert not isinstance(load_pipeline(tmp_path / "places"), LandmarkPipeline)
    views: list[View | None] = [View(123.0, 2.5)]
    ours, theirs = (draw(one, "A photo of a tower", views) for one in (pipeline, opened))
    assert (ours - theirs).abs().mean() < 0.01  # weights lie in half precision

    read = ModelCard.from_json((tmp_path / "towers" / "gpsdream.json").read_text(encoding="utf-8"))
    assert read.known_landmark("flatiron") == known
    assert read.known_landmark("pisa") is None
    assert (read.kind, read.framing) == ("landmarks", {"foot": 0.85})
    assert '"kind"' not in (tmp_path / "places" / "gpsdream.json").read_text(encoding="utf-8")
    assert ModelCard.from_json((tmp_path / "places" / "gpsdream.json").read_text(encoding="utf-8")).kind == "places"
