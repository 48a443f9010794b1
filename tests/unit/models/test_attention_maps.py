"""Watching attention: the maps are those of the U-Net's own attention, and nothing changes by looking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from transformers import CLIPTokenizer

from gpsdream_app.domain.places import Place
from gpsdream_app.models.attention_maps import AttentionRecorder, attention_weights, prompt_words
from gpsdream_app.models.conditions import set_location_attention
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.tiny_model import TINY, tiny_pipeline

PLACE = Place(40.7411, -73.9897, 118.0)
PROMPT = "a mansion with trees"


@pytest.fixture(params=["joint", "added"])
def pipeline(request: pytest.FixtureRequest) -> Iterator[GPSDiffusionPipeline]:
    pipeline = tiny_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    set_location_attention(pipeline.unet, request.param, pipeline.location_encoder.token_count)
    yield pipeline


def draw(pipeline: GPSDiffusionPipeline, **options: object) -> np.ndarray:
    return pipeline(
        PROMPT, PLACE, generator=torch.Generator().manual_seed(1), num_inference_steps=3, output_type="np", **options
    ).images


def hooks(pipeline: GPSDiffusionPipeline) -> int:
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in pipeline.unet.modules())


def test_a_picture_that_is_watched_has_the_same_bits(pipeline: GPSDiffusionPipeline) -> None:
    processors = dict(pipeline.unet.attn_processors)
    plain = draw(pipeline)
    with AttentionRecorder(pipeline.unet, 3) as recorder:
        watched = draw(pipeline)
    assert np.array_equal(plain, watched)
    assert recorder.maps() is not None
    assert pipeline.unet.attn_processors == processors
    assert hooks(pipeline) == 0
    assert np.array_equal(plain, draw(pipeline))


def test_nothing_of_a_recorder_is_left_after_an_exception(pipeline: GPSDiffusionPipeline) -> None:
    def stop(*_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), AttentionRecorder(pipeline.unet, 3) as recorder:
        draw(pipeline, callback_on_step_end=stop)
    assert hooks(pipeline) == 0
    assert recorder.maps() is not None, "what was seen before stays"


def test_shares_add_up_in_every_cell(pipeline: GPSDiffusionPipeline) -> None:
    with AttentionRecorder(pipeline.unet, 3) as recorder:
        draw(pipeline)
    maps = recorder.maps()
    assert maps
    assert (len(maps.text), len(maps.location)) == (TINY.max_tokens, 3)
    text, location = maps.text.sum(dim=0), maps.location.sum(dim=0)
    one = torch.ones_like(text)
    if maps.apart:
        torch.testing.assert_close(text, one)
        torch.testing.assert_close(location, one)
    else:
        torch.testing.assert_close(text + location, one)
        assert location.max() < 1


def test_the_weights_are_those_that_the_layer_attends_with(pipeline: GPSDiffusionPipeline) -> None:
    layer = next(m for name, m in pipeline.unet.named_modules() if isinstance(m, Attention) and name.endswith("attn2"))
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 6, layer.to_q.in_features, generator=random)
    context = torch.randn(2, 9, layer.to_k.in_features, generator=random)
    with torch.no_grad():
        expected = layer(hidden, encoder_hidden_states=context)
        apart = 3 if not type(layer.processor).__name__.startswith("AttnProcessor") else 0
        weights = attention_weights(layer, hidden, context, apart)
        values = layer.to_v(context).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
        attended = (weights @ values).transpose(1, 2).flatten(2)
        torch.testing.assert_close(layer.to_out[0](attended), expected, atol=1e-5, rtol=1e-4)


def test_only_the_fully_conditional_pass_is_watched(pipeline: GPSDiffusionPipeline) -> None:
    """Guidance of 1 draws with that pass alone, so the first step of a guided picture must look the same."""
    maps = []
    for guidance in (1.0, 4.0):
        with AttentionRecorder(pipeline.unet, 3) as recorder:
            pipeline(
                PROMPT,
                PLACE,
                generator=torch.Generator().manual_seed(1),
                num_inference_steps=1,
                text_guidance=guidance,
                place_guidance=guidance + guidance // 4,
                output_type="latent",
            )
        maps.append(recorder.maps())
    torch.testing.assert_close(maps[0].text, maps[1].text, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(maps[0].location, maps[1].location, atol=1e-5, rtol=1e-4)


def test_passes_that_are_not_wanted_are_not_seen(pipeline: GPSDiffusionPipeline) -> None:
    with AttentionRecorder(pipeline.unet, 3, wanted=lambda size: size == 99) as recorder:
        draw(pipeline)
    assert recorder.maps() is None


def test_levels_that_are_coarser_than_they_need_be_are_left_out() -> None:
    pipeline = tiny_pipeline(config=replace(TINY, image_size=128, unet_attention=(True, True)))
    pipeline.set_progress_bar_config(disable=True)
    with AttentionRecorder(pipeline.unet, 3) as recorder:
        draw(pipeline)
        assert recorder.maps().text.shape[1:] == (16, 16)
        draw(pipeline, height=64, width=128)
    assert {(level.rows, level.columns) for level in recorder._levels.values()} == {(16, 16), (8, 8), (8, 16), (4, 8)}


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return train_tokenizer(["a mansion", "row house", "trees"], vocabulary_size=560, max_tokens=16)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", []),
        ("a Mansion", ["a", "Mansion"]),
        ("row-house, trees!", ["row", "house", "trees"]),
        ("the house's TREES", ["the", "house's", "TREES"]),
        ("Zeppelin  café", ["Zeppelin", "café"]),
        ("... — ;", []),
    ],
)
def test_pieces_of_a_word_belong_together(tokenizer: CLIPTokenizer, prompt: str, words: list[str]) -> None:
    found = prompt_words(tokenizer, prompt, 60)
    assert [word for word, _ in found] == words
    pieces = [piece for _, pieces in found for piece in pieces]
    assert pieces == sorted(set(pieces))
    ids = tokenizer(prompt).input_ids
    for word, own in found:
        assert tokenizer.decode([ids[piece] for piece in own]).replace(" ", "") == word.lower()


def test_words_that_are_cut_off_have_no_map(tokenizer: CLIPTokenizer) -> None:
    words = prompt_words(tokenizer, "trees " * 40, 16)
    assert 0 < len(words) <= 14
    assert max(piece for _, pieces in words for piece in pieces) < 15
