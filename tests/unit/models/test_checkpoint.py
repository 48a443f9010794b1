from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.library.model_folders import read_card, verify_model
from gpsdream_app.models.checkpoint import load_pipeline, save_pipeline
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from tests.tiny_model import make_tiny_model, tiny_card, tiny_pipeline

HERE = Place(40.7411, -73.9897, 118.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def draw(pipeline: GPSDiffusionPipeline) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    return pipeline("a mansion", HERE, generator=generator, num_inference_steps=2, output_type="np").images


def test_layout_is_that_of_diffusers(model: Path) -> None:
    index = json.loads((model / "model_index.json").read_text())
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler", "location_encoder"):
        assert part in index
        assert (model / part).is_dir()
    weights = [path.suffix for path in model.rglob("*") if path.is_file() and path.suffix not in (".json", ".txt")]
    assert set(weights) == {".safetensors"}
    assert read_card(model) == tiny_card()
    assert verify_model(model) == []


def test_saving_halves_the_files_but_not_the_model_in_memory(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    before = draw(pipeline)
    save_pipeline(pipeline, tmp_path / "m", tiny_card())
    assert np.array_equal(before, draw(pipeline))
    assert pipeline.unet.dtype == torch.float32
    loaded = load_pipeline(tmp_path / "m")
    assert np.abs(draw(loaded) - before).max() < 0.05
    assert all(value.dtype == torch.float32 for value in loaded.unet.state_dict().values())


def test_our_loader_and_from_pretrained_agree(model: Path) -> None:
    stages = []
    ours = load_pipeline(model, report=lambda *stage: stages.append(stage))
    assert [stage[:2] for stage in stages] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    theirs = GPSDiffusionPipeline.from_pretrained(model, local_files_only=True)
    assert np.abs(draw(ours) - draw(theirs)).max() < 1e-4
    assert np.array_equal(draw(ours), draw(load_pipeline(model)))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "location_encoder", "tokenizer", "scheduler"])
def test_a_missing_part_is_named(copy: Path, part: str) -> None:
    shutil.rmtree(copy / part)
    with pytest.raises(GPSDreamError, match=part) as caught:
        load_pipeline(copy)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "location_encoder"])
def test_a_cut_weight_file_is_named(copy: Path, part: str) -> None:
    weights = next((copy / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(GPSDreamError, match=part) as caught:
        load_pipeline(copy)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "location_encoder"])
def test_a_whole_file_that_lacks_weights_is_refused(copy: Path, part: str) -> None:
    weights = next((copy / part).glob("*.safetensors"))
    tensors = load_file(weights)
    del tensors[sorted(tensors)[0]]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(GPSDreamError, match=part) as caught:
        load_pipeline(copy)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


def test_pickles_are_never_read(copy: Path) -> None:
    weights = next((copy / "unet").glob("*.safetensors"))
    torch.save({"a": torch.zeros(1)}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(GPSDreamError) as caught:
        load_pipeline(copy)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


@pytest.mark.parametrize(
    ("part", "entry"),
    [("scheduler", ["os", "system"]), ("vae", ["evil", "Thing"]), ("scheduler", ["diffusers", "AutoencoderKL"])],
)
def test_an_index_cannot_name_code_of_its_own(copy: Path, part: str, entry: list[str]) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, part: entry}))
    with pytest.raises(GPSDreamError, match=entry[1]):
        load_pipeline(copy)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as caught:
        load_pipeline(tmp_path)
    assert caught.value.failure.kind is ErrorKind.MODEL_MISSING
    (tmp_path / "model_index.json").write_text("[1")
    with pytest.raises(GPSDreamError, match="cannot be read"):
        load_pipeline(tmp_path)
