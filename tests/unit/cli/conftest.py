"""A small model folder and a command line that draws with the scripted engine."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from gpsdream_app.cli import build_parser
from gpsdream_app.commands import generate
from gpsdream_app.domain.model_card import CARD_FILE, Example, ModelCard
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.library import paths


def write_weights(path: Path, values: int = 2) -> None:
    """Write a safetensors file of one tensor."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = struct.pack(f"<{values}f", *range(values))
    path.write_bytes(struct.pack("<Q", len(header)) + header + numbers)


@pytest.fixture
def model(gpsdream_home: Path) -> Path:
    """An installed model called `tiny`, whose files are whole."""
    folder = paths.models_dir() / "tiny"
    write_weights(folder / "unet" / "diffusion_pytorch_model.safetensors")
    (folder / "unet" / "config.json").write_text("{}", encoding="utf-8")
    index = {"_class_name": "GPSDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    card = ModelCard(
        name="tiny",
        title="Tiny streets",
        description="Draws nothing in particular.",
        city="manhattan",
        box=Box(40.70, -74.02, 40.80, -73.93),
        image_size=64,
        defaults={"steps": 3, "text_guidance": 2.5, "place_guidance": 6.0},
        examples=(
            Example(Place(40.7411, -73.9897, 29.0, "Flatiron Building"), "a tall building"),
            Example(Place(40.7527, -73.9772, None, "Grand Central"), "a station"),
        ),
        words=("shop", "church"),
        licence="CC0",
    )
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return folder


Generate = Callable[..., int]


@pytest.fixture
def engine() -> FakeEngine:
    """The engine that draws for the `draw` fixture."""
    return FakeEngine(size=64)


@pytest.fixture
def draw(model: Path, engine: FakeEngine) -> Generate:
    """Run `gpsdream generate --model tiny` with the scripted engine; returns the exit code."""

    def run(*arguments: str) -> int:
        parsed = build_parser().parse_args(["generate", "--model", "tiny", *arguments])
        return generate.run(parsed, lambda: engine)

    return run
