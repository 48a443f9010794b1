from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.library import model_folders
from gpsdream_app.library.model_folders import find_model, list_models, read_card, verify_model, weights_hash
from gpsdream_app.library.paths import cache_dir, models_dir
from tests.engine.stand_in import make_model, write_safetensors

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "a-model", "A model")


@pytest.fixture
def built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that came with the program."""
    monkeypatch.setattr(model_folders, "resources_dir", lambda: tmp_path / "resources")
    return make_model(tmp_path / "resources" / "models" / "built-in", "Built in")


def faults(folder: Path, **options: bool) -> str:
    """Return all sentences, one per line."""
    failures = verify_model(folder, **options)
    assert all(failure.hint for failure in failures)
    return "\n".join(failure.message for failure in failures)


# -- finding --


def test_models_are_found_by_name_and_by_folder(model: Path, built_in: Path) -> None:
    mine = make_model(models_dir() / "mine", "Mine")
    assert find_model("built-in") == built_in
    assert find_model("mine") == mine
    assert find_model(str(model)) == find_model(model) == model
    assert [(item.name, item.card.title, item.source) for item in list_models()] == [
        ("built-in", "Built in", "built-in"),
        ("mine", "Mine", "installed"),
    ]


def test_a_folder_here_does_not_hide_an_installed_model(
    built_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "built-in").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    assert find_model("built-in") == built_in
    assert find_model("./built-in") == tmp_path / "work" / "built-in"


@pytest.mark.parametrize(
    "name", ["no-such-model", "../x", "/no/such", "x" * 5000, "nul\0", "", " ", "~nobody/x", "\ud83d"]
)
def test_a_missing_model_is_told_with_what_there_is(built_in: Path, name: str) -> None:
    with pytest.raises(GPSDreamError, match="not installed") as caught:
        find_model(name)
    assert caught.value.failure.kind is ErrorKind.MODEL_MISSING
    assert "built-in" in caught.value.failure.hint


def test_a_pickle_or_another_file_as_a_model_is_refused(tmp_path: Path) -> None:
    pickle, weights = tmp_path / "v1-5.ckpt", tmp_path / "v1-5.safetensors"
    pickle.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    write_safetensors(weights)
    with pytest.raises(GPSDreamError, match=r"pickle.*can run any program") as caught:
        find_model(str(pickle))
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT
    with pytest.raises(GPSDreamError, match="is a file; a model is a folder"):
        find_model(str(weights))


def test_what_came_with_the_program_works_on_a_disk_that_cannot_be_written(
    built_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPSDREAM_HOME", str(tmp_path / "file"))
    assert find_model("built-in") == built_in
    assert [item.name for item in list_models()] == ["built-in"]
    assert len(weights_hash(built_in)) == 16


def test_folders_without_a_readable_card_are_not_listed(built_in: Path) -> None:
    (models_dir() / "empty").mkdir()
    (make_model(models_dir() / "broken") / CARD_FILE).write_text("{")
    assert [item.name for item in list_models()] == ["built-in"]


def test_a_card_is_read_or_told_why_not(model: Path) -> None:
    assert read_card(model).title == "A model"
    for content, words in ((b"{", "cannot be read"), (b"\xff\xfe", "cannot be read"), (b'{"schema": 9}', "newer")):
        (model / CARD_FILE).write_bytes(content)
        with pytest.raises(GPSDreamError, match=words) as caught:
            read_card(model)
        assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT
    (model / CARD_FILE).unlink()
    with pytest.raises(GPSDreamError, match="knows places") as caught:
        read_card(model)
    assert "train --base" in caught.value.failure.hint


# -- checking --


def test_a_sound_model_has_no_faults(model: Path) -> None:
    assert verify_model(model) == []


def test_a_base_model_needs_no_card(model: Path) -> None:
    (model / CARD_FILE).unlink()
    assert CARD_FILE in faults(model)
    assert verify_model(model, card=False) == []


def test_a_missing_folder_is_a_missing_model(tmp_path: Path) -> None:
    (failure,) = verify_model(tmp_path / "nothing")
    assert failure.kind is ErrorKind.MODEL_MISSING


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    assert "has no model_index.json" in faults(tmp_path, card=False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_broken_index_is_told(model: Path, content: bytes) -> None:
    (model / "model_index.json").write_bytes(content)
    assert faults(model) == "The model's file model_index.json cannot be read."


def test_broken_json_in_a_component_is_told_by_name(model: Path) -> None:
    (model / "unet" / "config.json").write_text('{"cut": ')
    assert faults(model) == "The model's file unet/config.json cannot be read."


def test_missing_files_and_folders_are_named(model: Path) -> None:
    index = {
        "_class_name": "GPSDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizerFast"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": [None, None],
        "requires_safety_checker": True,
        "../outside": ["diffusers", "AutoencoderKL"],
    }
    (model / "model_index.json").write_text(json.dumps(index))
    for name in ("scheduler", "tokenizer", "feature_extractor"):
        (model / name).mkdir()
    (model / "unet" / "config.json").unlink()
    (model / WEIGHTS).unlink()
    assert faults(model).splitlines() == [
        "The weights of “unet” are missing: there is no safetensors file.",
        "The model's file unet/config.json is missing.",
        "The model's folder “vae” is missing.",
        "The model's file scheduler/scheduler_config.json is missing.",
        "The model's file tokenizer/tokenizer.json is missing.",
        "The model's file feature_extractor/preprocessor_config.json is missing.",
    ]
    (model / "tokenizer" / "vocab.json").write_text("{}")
    (model / "tokenizer" / "merges.txt").touch()
    assert "tokenizer" not in faults(model)


def test_a_missing_shard_is_named(model: Path) -> None:
    shards = {"weight_map": {"a": "diffusion_pytorch_model.safetensors", "b": "part-2.safetensors"}}
    (model / "unet" / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert faults(model) == "The model's file unet/part-2.safetensors is missing."


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.bin", "unet/x.pkl", "model.ckpt", "a.pt", "unet/A.PTH"])
def test_a_pickle_is_refused_with_the_reason(model: Path, name: str) -> None:
    (model / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (failure,) = verify_model(model)
    assert failure.kind is ErrorKind.MODEL_CORRUPT
    assert f"{name} is a pickle" in failure.message
    assert "can run any program" in failure.message
    assert ("delete the pickle" in failure.hint) == name.startswith("unet")


def test_a_cut_or_grown_file_is_told(model: Path) -> None:
    path = model / WEIGHTS
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "cut off" in faults(model), length
    path.write_bytes(whole + b"x")
    assert "1 bytes too many" in faults(model)


def header(tensors: Any, size: int = 8) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


@pytest.mark.parametrize(
    "content",
    [
        header([]),
        header({"a": 1}),
        header({"a": {"dtype": "F32", "shape": [2]}}),
        header({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}),
        header({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}),
        header({"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}}),
        header({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}}),
        header({n: {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]} for n in "ab"}),
        struct.pack("<Q", 1 << 60) + bytes(100),
        struct.pack("<Q", 4) + b"\xff\xfe{}" + bytes(8),
        b"PK\x03\x04" + bytes(200),
    ],
)
def test_damaged_headers_are_told(model: Path, content: bytes) -> None:
    (model / WEIGHTS).write_bytes(content)
    assert f"The model's file {WEIGHTS} is " in faults(model)


def test_tensors_of_no_or_unknown_kind_are_let_through(model: Path) -> None:
    (model / WEIGHTS).write_bytes(
        header(
            {
                "scalar": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]},
                "empty": {"dtype": "F32", "shape": [0, 5], "data_offsets": [8, 8]},
                "newer": {"dtype": "F2_NEW", "shape": [99], "data_offsets": [8, 11]},
            },
            11,
        )
    )
    assert verify_model(model) == []


@given(st.binary(max_size=120))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_as_weights_never_gives_more_than_a_sentence(model: Path, noise: bytes) -> None:
    (model / WEIGHTS).write_bytes(noise)
    assert all(isinstance(failure, Failure) for failure in verify_model(model))


def test_what_safetensors_writes_is_accepted(model: Path) -> None:
    numpy = pytest.importorskip("numpy")
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = {"a": numpy.zeros((3, 5), "float16"), "b": numpy.ones((2,), "int64"), "c": numpy.zeros((), "bool")}
    safetensors.save_file(tensors, model / WEIGHTS)
    assert verify_model(model) == []


def test_checking_loads_no_torch(model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gpsdream_app.library.model_folders import *;"
        "assert not verify_model(Path(sys.argv[1])); weights_hash(Path(sys.argv[1])); list_models();"
        "assert not {'torch', 'safetensors', 'numpy', 'PIL'} & set(sys.modules)"
    )
    root = Path(model_folders.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, str(model)], check=True, env=environment)


# -- naming --


def test_the_hash_follows_the_weights(model: Path, tmp_path: Path) -> None:
    first = weights_hash(model)
    assert len(first) == 16 and int(first, 16) >= 0
    assert weights_hash(model) == first
    assert weights_hash(make_model(tmp_path / "copy")) == first, "neither name nor card count"
    write_safetensors(model / WEIGHTS, bytes(12))
    second = weights_hash(model)
    assert second != first
    (model / WEIGHTS).rename(model / "unet" / "other.safetensors")
    assert weights_hash(model) not in (first, second)


def test_the_hash_is_remembered_and_the_memory_may_be_lost(model: Path) -> None:
    first = weights_hash(model)
    memory = cache_dir() / "weight-hashes.json"
    ((key, value),) = json.loads(memory.read_text()).items()
    assert value == first
    memory.write_text(json.dumps({key: "remembered"}))
    assert weights_hash(model) == "remembered"
    for damage in (b"", b"[]", b"\xff"):
        memory.write_bytes(damage)
        assert weights_hash(model) == first
    assert [file.name for file in cache_dir().iterdir()] == [memory.name]
