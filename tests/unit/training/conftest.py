from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from gpsdream_app.geo.frames import LocalFrame

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
    },
    "data": {"stored_side": 48, "validation_share": 0.25},
    "loop": {
        "steps": 6,
        "batch": 4,
        "codec_steps": 4,
        "refiner_steps": 2,
        "validate_every": 3,
        "checkpoint_every": 2,
        "checkpoints_kept": 9,
    },
    "card": {"name": "tiny-street", "title": "Tiny street", "city": "manhattan", "licence": "CC0-1.0"},
}


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve wide photos along a street, 100 m apart, each brighter than the one before; frontage and captions."""
    folder = tmp_path_factory.mktemp("street")
    random = np.random.default_rng(0)
    frame = LocalFrame(40.74, -73.99)
    rows, captions = [], []
    for number in range(12):
        pixels = np.clip(random.normal(40 + 15 * number, 20, (48, 144)), 0, 255).astype(np.uint8)
        # Brighter to the right, so that a crop's pixels tell where it was cut.
        pixels = np.clip(pixels * np.linspace(0.5, 1.0, 144), 0, 255).astype(np.uint8)
        name = f"view{number:02d}.png"
        Image.fromarray(pixels).save(folder / name)
        lat, lon = frame.to_degrees(30.0 * number, 100.0 * number)
        left, right = (
            frame.to_degrees(30.0 * number - 15, 100.0 * number - 50),
            frame.to_degrees(30.0 * number + 15, 100.0 * number + 50),
        )
        rows.append([name, lat, lon, 118.0, left[0], left[1], right[0], right[1]])
        captions.append(
            {"file": name, "caption": f"A house number {number}", "objects": ["tree", "lamp"][: number % 3]}
        )
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "lat", "lon", "bearing", "left_lat", "left_lon", "right_lat", "right_lon"])
        writer.writerows(rows)
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, captions)), encoding="utf-8")
    assert math.isclose(rows[1][1], frame.to_degrees(30, 100)[0])
    return folder


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
