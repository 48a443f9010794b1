from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPModel

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.text_clip import TextClip, build_text_clip
from gpsdream_app.training.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def clip() -> TextClip:
    tokenizer = train_tokenizer(["a mansion", "a church with trees"], vocabulary_size=600, max_tokens=12)
    torch.manual_seed(0)
    built = build_text_clip(tokenizer, image_size=16, patch=8, width=16, layers=1, heads=2, text_layers=1)
    built.model.eval()
    return built


def pictures(count: int, side: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_score_is_that_of_transformers(clip: TextClip) -> None:
    prompts = ["a mansion", "a church with trees and much else that does not fit into twelve tokens at all"]
    tokens = clip.tokenizer(prompts, padding="max_length", truncation=True, max_length=12, return_tensors="pt")
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (clip.mean, clip.deviation))
    with torch.no_grad():
        output = clip.model(pixel_values=((pictures(2) + 1) / 2 - mean) / deviation, **tokens)
    expected = 100 * output.logits_per_image.diagonal() / clip.model.logit_scale.exp()
    assert torch.allclose(clip.clip_score(pictures(2), prompts), expected, atol=1e-3)


def test_the_end_of_the_prompt_is_found(clip: TextClip) -> None:
    """Words count, padding does not."""
    with torch.no_grad():
        mansion, church = clip.embed_texts(["a mansion", "a church"])
        alone = clip.model.get_text_features(clip.tokenizer("a mansion", return_tensors="pt").input_ids).pooler_output
    assert not torch.allclose(mansion, church, atol=1e-3)
    assert torch.allclose(mansion, torch.nn.functional.normalize(alone[0], dim=0), atol=1e-5)


def test_a_saved_clip_is_the_same_when_it_is_opened(clip: TextClip, tmp_path: Path) -> None:
    clip.save(tmp_path)
    again = TextClip.open(tmp_path)
    prompts = ["a mansion", "trees"]
    assert torch.equal(clip.clip_score(pictures(2, 40), prompts), again.clip_score(pictures(2, 40), prompts))
    assert (again.mean, again.deviation, again.image_size) == (clip.mean, clip.deviation, 16)
    assert isinstance(CLIPModel.from_pretrained(tmp_path, local_files_only=True), CLIPModel)


def test_what_is_no_clip_is_refused(clip: TextClip, tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as missing:
        TextClip.open(tmp_path / "nowhere")
    assert missing.value.failure.kind is ErrorKind.MODEL_MISSING
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(GPSDreamError) as corrupt:
        TextClip.open(tmp_path)
    assert corrupt.value.failure.kind is ErrorKind.MODEL_CORRUPT
    folder = tmp_path / "pickled"
    clip.save(folder)
    (folder / "model.safetensors").unlink()
    torch.save(clip.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(GPSDreamError):
        TextClip.open(folder)
    save_file({"nothing": torch.zeros(1)}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GPSDreamError) as empty:
        TextClip.open(folder)
    assert "missing" in empty.value.failure.details
    clip.save(folder)
    assert TextClip.open(folder).image_size == 16
    (folder / "tokenizer.json").unlink()
    with pytest.raises(GPSDreamError):
        TextClip.open(folder)
