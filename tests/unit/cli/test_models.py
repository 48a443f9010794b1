"""`gpsdream models`: what is installed, what it is, whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpsdream_app.cli import main


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["models", *arguments]) == code
    return capsys.readouterr().out


def test_installed_models_and_downloads_are_listed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "list")
    assert "tiny" in text
    assert "Tiny streets" in text
    assert "stable-diffusion-v1-5" in text
    listed = json.loads(answer(capsys, "list", "--json"))
    (tiny,) = [item for item in listed["installed"] if item["name"] == "tiny"]
    assert tiny["path"] == str(model)
    assert tiny["bytes"] > 0
    assert tiny["default"] is False
    assert listed["downloads"][0]["installed"] is False


def test_a_card_is_shown(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "show", "tiny")
    for words in ("Tiny streets", "64 x 64 pixels", "Flatiron Building", "church", str(model)):
        assert words in text
    assert json.loads(answer(capsys, "show", str(model), "--json"))["card"]["title"] == "Tiny streets"


def test_a_whole_model_is_told_from_a_damaged_one(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "whole" in answer(capsys, "verify", "tiny")
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    text = answer(capsys, "verify", "tiny", code=1)
    assert "damaged" in text
    assert weights.name in text
    found = json.loads(answer(capsys, "verify", "tiny", "--json", code=1))
    assert found[str(model)][0]["kind"] == "model_corrupt"


def test_a_pickle_is_refused_with_the_reason(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "pickle" in answer(capsys, "verify", "tiny", code=1).lower()


def test_an_unknown_download_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "atlantis"]) == 1
    assert "stable-diffusion-v1-5" in capsys.readouterr().err
