"""Adding, removing and bringing back models, with folders as a person may have them."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.library import model_shelf
from gpsdream_app.library.model_folders import find_model, list_models
from gpsdream_app.library.model_shelf import (
    AddingCancelled,
    add_folder,
    bases,
    bring_back,
    cached_models,
    clear_removed,
    free_name,
    install_trained,
    remove_model,
    safe_name,
)
from gpsdream_app.library.paths import models_dir

CARD = {
    "schema": 1,
    "name": "tiny",
    "title": "Tiny",
    "description": "",
    "box": {"south": 40.7, "west": -74.0, "north": 40.8, "east": -73.9},
    "image_size": 64,
}


def weights(values: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * values)


def make_model(folder: Path, *, card: bool = True) -> Path:
    """Write the smallest folder that counts as a whole model."""
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "P", "unet": ["diffusers", "UNet"]}))
    (folder / "unet" / "config.json").write_text("{}")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights())
    if card:
        (folder / CARD_FILE).write_text(json.dumps(CARD))
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "../../etc/passwd",
        '<b>bold</b> & "quotes"',
        "a\0b",
        "x" * 1_000_000,
        "\u202eevil\u202c",
        "",
        "...",
        "CON",
        "C:\\Windows",
        "Fifth Avenue, 1911",
    ],
)
def test_any_name_becomes_a_safe_one(text: str) -> None:
    name = safe_name(text)
    assert 1 <= len(name) <= 60
    assert name[0].isalnum()
    assert all(letter in "abcdefghijklmnopqrstuvwxyz0123456789-" for letter in name)
    assert name not in ("con", "nul")
    assert (models_dir() / name).resolve().parent == models_dir().resolve()


def test_a_folder_is_copied_and_then_belongs_to_gpsdream(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "My Model")
    (folder / "readme.md").write_text("hello")
    (folder / "secret.sh").write_text("rm -rf /")
    seen: list[tuple[int, int]] = []
    added = add_folder(folder, on_progress=lambda done, total: seen.append((done, total)))
    assert added == models_dir() / "my-model"
    assert find_model("my-model") == added
    assert not (added / "secret.sh").exists()
    assert seen[-1][0] == seen[-1][1]
    (folder / "unet" / "config.json").write_text("broken")
    assert (added / "unet" / "config.json").read_text() == "{}"
    assert add_folder(make_model(tmp_path / "b" / "My Model")).name == "my-model-2"
    assert {model.name for model in list_models()} >= {"my-model", "my-model-2"}


def test_a_stopped_copy_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AddingCancelled):
        add_folder(make_model(tmp_path / "model"), cancelled=lambda: True)
    assert list(models_dir().iterdir()) == []


def test_what_is_no_whole_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (empty, tmp_path / "absent", Path("a\0b")):
        with pytest.raises(GPSDreamError):
            add_folder(folder)
    cut = make_model(tmp_path / "cut")
    (cut / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights()[:-4])
    pickled = make_model(tmp_path / "pickled")
    (pickled / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    for folder, word in ((cut, "cut off"), (pickled, "pickle")):
        with pytest.raises(GPSDreamError) as error:
            add_folder(folder)
        assert error.value.failure.kind is ErrorKind.MODEL_CORRUPT
        assert word in error.value.failure.message
    assert list(models_dir().iterdir()) == []


def test_a_base_is_added_but_is_no_model_of_places(tmp_path: Path) -> None:
    added = add_folder(make_model(tmp_path / "sd", card=False))
    assert [base.path for base in bases()] == [added]
    assert "sd" not in {model.name for model in list_models()}


def test_removing_can_be_undone_for_some_days(tmp_path: Path) -> None:
    folder = add_folder(make_model(tmp_path / "gone"))
    removed = remove_model(folder)
    assert "gone" not in {model.name for model in list_models()}
    assert bring_back(removed) == folder
    removed = remove_model(folder)
    assert clear_removed() == 0
    os.utime(removed.path, (time.time() - 8 * 86_400,) * 2)
    assert clear_removed() == 1
    with pytest.raises(GPSDreamError):
        bring_back(removed)


def test_only_installed_models_can_be_removed(tmp_path: Path) -> None:
    outside = make_model(tmp_path / "outside")
    with pytest.raises(GPSDreamError):
        remove_model(outside)
    assert outside.is_dir()
    with pytest.raises(GPSDreamError):
        remove_model(find_model("fifth-avenue-1911"))


def test_a_trained_model_replaces_the_one_before_or_nothing(tmp_path: Path) -> None:
    first = install_trained(make_model(tmp_path / "run" / "model"), "street")
    again = make_model(tmp_path / "run2" / "model")
    (again / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights(9))
    assert install_trained(again, "street") == first
    assert (first / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == weights(9)
    broken = make_model(tmp_path / "run3" / "model")
    (broken / "unet" / "config.json").unlink()
    with pytest.raises(GPSDreamError):
        install_trained(broken, "street")
    assert (first / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == weights(9)
    assert free_name("street") == "street-2"


def test_the_cache_of_hugging_face_is_read_with_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub"
    snapshot = make_model(cache / "models--some--street" / "snapshots" / "abc", card=False)
    blob = cache / "models--some--street" / "blobs" / "1"
    blob.parent.mkdir()
    weight = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    weight.rename(blob)
    weight.symlink_to(blob)
    (cache / "models--other--text" / "snapshots" / "def").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    assert model_shelf.hub_cache() == cache
    found = cached_models()
    assert [(model.name, model.has_card) for model in found] == [("some/street", False)]
    added = add_folder(found[0].folder, "some/street")
    copy = added / "unet" / "diffusion_pytorch_model.safetensors"
    assert not copy.is_symlink()
    assert copy.read_bytes() == weights()
    assert cached_models(tmp_path / "nowhere") == []
