from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

RECIPE = {
    "model": {
        "image_size": 32,
        "latent_channels": 4,
        "unet_channels": [16, 32],
        "unet_attention": [False, True],
        "unet_heads": 2,
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "vocabulary_size": 600,
        "max_tokens": 16,
        "location_hidden": 16,
        "refiner_widths": [8, 8, 8],
        "refiner_blocks": 1,
        "map_channels": 2,
        "map_cell_metres": [10.0, 100.0],
        "map_features": [2, 2],
        "map_cells": 256,
        "map_hidden": 8,
    },
    "data": {"stored_side": 48, "validation_share": 0.25, "word_share": 0.3},
    "loop": {
        "steps": 6,
        "batch": 4,
        "codec_steps": 4,
        "refiner_steps": 2,
        "map_steps": 3,
        "map_batch": 4,
        "validate_every": 3,
        "checkpoint_every": 2,
        "checkpoints_kept": 9,
    },
    "card": {
        "name": "tiny-street",
        "title": "Tiny street",
        "city": "manhattan",
        "licence": "CC0-1.0",
        # As in the embedded model's recipe: not all of it is for single pictures, such as those of the validation.
        "defaults": {"steps": 2, "eta": 0.5, "average": {"text_guidance": 2.0, "place_radius": 64.0}},
    },
}


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """A run sets the precision and the flushing of denormal numbers for its whole process, and so for later tests."""
    yield
    torch.set_flush_denormal(False)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE), encoding="utf-8")
    return path
