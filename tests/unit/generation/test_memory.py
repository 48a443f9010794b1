"""The memory presets on a tiny real pipeline: the same picture with less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.generation import memory
from gpsdream_app.generation.draw import Painter
from gpsdream_app.models.conditions import AddedLocationAttention
from gpsdream_app.models.conditions import set_location_attention as set_attention
from tests.tiny_model import make_tiny_model

PLACE = Place(40.7411, -73.9897, 30)
REQUEST = GenerateRequest(PLACE, prompt="shop", steps=3, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def drawn(painter: Painter) -> np.ndarray:
    (_, image), *_ = painter.draw(REQUEST)
    return np.asarray(image, dtype=float)


@pytest.mark.parametrize("kind", ["joint", "added"])
def test_balanced_draws_the_same_picture(folder: Path, kind: str) -> None:
    full = Painter.load(folder, device="cpu")
    balanced = Painter.load(folder, device="cpu", preset=MemoryPreset.BALANCED)
    tokens = full.pipeline.location_encoder.token_count
    for painter in (full, balanced):
        set_attention(painter.pipeline.unet, kind, tokens)
    memory.slice_attention(balanced.pipeline)
    kinds = {type(processor) for processor in balanced.pipeline.unet.attn_processors.values()}
    assert kinds == {memory.SlicedLocationAttention if kind == "added" else memory.SlicedAttention}
    assert np.abs(drawn(full) - drawn(balanced)).max() <= 1
    if kind == "added":
        # The recorder of attention maps tells by this whether words and place are looked at apart.
        assert all(
            isinstance(processor, AddedLocationAttention)
            for processor in balanced.pipeline.unet.attn_processors.values()
        )


def test_low_holds_the_weights_in_half_the_bytes_and_draws_nearly_the_same(folder: Path) -> None:
    full = Painter.load(folder, device="cpu")
    low = Painter.load(folder, device="cpu", preset=MemoryPreset.LOW)
    assert low.pipeline.unet.dtype is torch.bfloat16
    sizes = [sum(value.nbytes for value in painter.pipeline.unet.parameters()) for painter in (full, low)]
    assert sizes[1] * 2 == sizes[0]
    difference = np.abs(drawn(full) - drawn(low))
    assert 0 < difference.mean() < 8


def test_weights_that_come_layer_by_layer_draw_the_same(folder: Path) -> None:
    """With the CPU in the place of a GPU: the hooks are the same, only nothing moves."""
    full = Painter.load(folder, device="cpu")
    offloaded = Painter.load(folder, device="cpu")
    memory.offload_denoiser(offloaded.pipeline, torch.device("cpu"))
    assert offloaded.device == "cpu"
    assert np.array_equal(drawn(full), drawn(offloaded))


def test_a_large_decoder_works_in_tiles(folder: Path) -> None:
    painter = Painter.load(folder, device="cpu")
    pipeline = painter.pipeline
    vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=64)
    vae.config.down_block_types = ("DownEncoderBlock2D",) * 2
    pipeline.vae = vae
    memory.tile_decoder(pipeline)
    assert vae.use_tiling
    side = pipeline.unet.config.sample_size
    assert vae.tile_latent_min_size <= max(8, side // 2)
    latents = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(0))
    assert pipeline.decode(latents, "pt").shape[0] == 1
