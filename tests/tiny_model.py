"""A tiny real model with random weights, for tests that need every part of a pipeline but no good picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from gpsdream_app.domain.model_card import Coverage, Example, ModelCard
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.models.checkpoint import save_pipeline
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.build import build_small
from gpsdream_app.training.config import LossConfig, ModelConfig
from gpsdream_app.training.tokenizer import train_tokenizer

BOX = Box(40.730, -73.999, 40.788, -73.955)
TINY = ModelConfig(
    image_size=32,
    latent_channels=4,
    unet_channels=(16, 32),
    unet_attention=(False, True),
    unet_heads=2,
    text_width=16,
    text_layers=1,
    text_heads=2,
    vocabulary_size=600,
    max_tokens=16,
    location_hidden=16,
    refiner_widths=(8, 8, 8),
    refiner_blocks=1,
    map_channels=0,
)

# With everything that the embedded model has: a place map, a codec of another stride, words in the time embedding.
TINY_WITH_MAP = replace(
    TINY,
    image_size=48,
    codec_stride=12,
    codec_window=24,
    map_channels=2,
    map_cell_metres=(10.0, 100.0),
    map_features=(4, 4),
    map_cells=1024,
    map_hidden=8,
    text_in_time=6,
)


def tiny_pipeline(loss: LossConfig | None = None, config: ModelConfig = TINY, seed: int = 0) -> GPSDiffusionPipeline:
    """An untrained pipeline of a few ten thousand weights that draws 32 x 32 pixels."""
    tokenizer = train_tokenizer(
        ["a mansion", "a church with trees", "row house"],
        vocabulary_size=config.vocabulary_size,
        max_tokens=config.max_tokens,
    )
    torch.manual_seed(seed)
    return build_small(config, loss or LossConfig(), BOX, tokenizer, has_heading=True)


def tiny_card(name: str = "tiny") -> ModelCard:
    """A card that fits `tiny_pipeline`."""
    return ModelCard(
        name=name,
        title="Tiny",
        description="Random weights, for tests.",
        box=BOX,
        image_size=TINY.image_size,
        city="manhattan",
        has_heading=True,
        defaults={"steps": 4, "text_guidance": 2.0, "place_guidance": 3.0},
        examples=(Example(Place(40.7411, -73.9897, 118.0, "Flatiron"), "a mansion"),),
        words=("mansion", "church", "tree"),
        coverage=Coverage(40.730, -73.999, 0.0005, 0.0007, ((5, 4, 3), (20, 13, 1))),
        licence="CC0-1.0",
    )


def make_tiny_model(folder: Path, name: str = "tiny") -> Path:
    """Write a tiny model folder and return it."""
    save_pipeline(tiny_pipeline(), folder, tiny_card(name))
    return folder
