"""A tiny model that lists what it learned from, and tiny judges, for the photos of the street."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.evaluation.probes import WordProbe
from gpsdream_app.models.checkpoint import save_pipeline
from gpsdream_app.models.gps_clip import GPSClip
from gpsdream_app.models.text_clip import build_text_clip
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.tiny_model import BOX, tiny_card, tiny_pipeline

LEARNED = [f"view{number:02d}.png" for number in range(8)]
HELD_OUT = [f"view{number:02d}.png" for number in range(8, 12)]


def card_with_sources(sources: list[str] | None = None) -> ModelCard:
    training = {} if sources is None else {"sources": sources, "held_out_sources": HELD_OUT}
    return replace(tiny_card(), training=training)


def write_judges(folder: Path, trained_on: list[str]) -> Path:
    """Untrained judges: what they say means nothing, but they say it in the right shape."""
    torch.manual_seed(0)
    gps = GPSClip(**BOX.to_dict(), width=8, hidden_width=8, octaves=3, has_heading=True)
    gps.save_pretrained(folder / "gps-clip", safe_serialization=True)
    tokenizer = train_tokenizer(["A house number one", "tree, lamp"], vocabulary_size=400, max_tokens=12)
    clip = build_text_clip(tokenizer, image_size=16, patch=8, width=16, layers=1, heads=2, text_layers=1)
    clip.save(folder / "text-clip")
    probe = WordProbe(("tree", "lamp"), (("tree",), ("lamp",)), (0.5, 0.5), width=8)
    probe.save_pretrained(folder / "probe", safe_serialization=True)
    for name in ("gps-clip", "text-clip", "probe"):
        (folder / name / f"{name}.json").write_text(json.dumps({"trained_on": trained_on}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def measured_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learned from the first eight photos of the street."""
    folder = tmp_path_factory.mktemp("measured") / "tiny"
    save_pipeline(tiny_pipeline(), folder, card_with_sources(LEARNED))
    return folder


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judges that were trained on the same eight photos."""
    return write_judges(tmp_path_factory.mktemp("judges"), LEARNED)
