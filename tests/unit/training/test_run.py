from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.generation.draw import Painter
from gpsdream_app.library.model_folders import read_card, verify_model
from gpsdream_app.models.checkpoint import load_pipeline
from gpsdream_app.training.__main__ import main
from gpsdream_app.training.config import TrainConfig
from gpsdream_app.training.run import Listener, TrainingRun
from tests.unit.models.test_pipeline import tiny_stable_diffusion
from tests.unit.training.conftest import RECIPE

CONFIG = TrainConfig.from_dict(RECIPE)


def listener(stop_after: int | None = None) -> Listener:
    steps = []
    return Listener(
        stage=lambda *_: None,
        progress=lambda progress: steps.append(progress.step),
        stopped=lambda: stop_after is not None and len(steps) >= stop_after,
    )


def weights(out: Path, step: int) -> dict[str, torch.Tensor]:
    folder = out / "checkpoints" / f"step-{step:06d}"
    parts = {name: load_file(folder / f"{name}.safetensors") for name in ("weights", "average", "optimizer")}
    return {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def finished(street: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert TrainingRun(out, CONFIG, listener()).run(street) == out / "model"
    return out


def test_a_run_leaves_a_model_that_draws(finished: Path) -> None:
    model = finished / "model"
    assert verify_model(model) == []
    card = read_card(model)
    assert card.title == "Tiny street"
    assert card.training["steps"] == 6
    assert card.training["samples_seen"] == 24
    assert card.training["photos"] == 9
    assert card.training["photos_held_out"] == 3
    assert card.scores["autoencoder_psnr_db"]["on"] == "held-out photos"
    assert card.has_heading
    assert card.coverage is not None
    assert card.choices["loss"]["only_text"] == 0.05
    painter = Painter.load(model, device="cpu")
    example = card.examples[0]
    [(_, picture)] = painter.draw(GenerateRequest(example.place, example.prompt, steps=2))
    assert picture.size == (32, 32)


def test_a_run_that_starts_from_a_model_goes_on_from_its_weights(finished: Path, street: Path, tmp_path: Path) -> None:
    before = load_pipeline(finished / "model")
    # Without learning anything, the model that comes out is the one that went in.
    still = replace(CONFIG, loop=replace(CONFIG.loop, steps=1, learning_rate=1e-12, weight_decay=0.0, ema_decay=0.0))
    # Sizes come from the model, whatever the recipe says.
    still = replace(still, model=replace(still.model, image_size=64))
    out = tmp_path / "more"
    assert TrainingRun(out, still, listener(), start=finished / "model").run(street) == out / "model"
    after = load_pipeline(out / "model")
    for name, weights_before in before.unet.state_dict().items():
        assert torch.allclose(weights_before, after.unet.state_dict()[name], atol=1e-4), name
    card, card_before = read_card(out / "model"), read_card(finished / "model")
    assert card.image_size == 32
    assert card.training["samples_seen"] == card_before.training["samples_seen"] + 4
    assert card.training["started_from"] == card_before.name
    assert card.training["sources"] == card_before.training["sources"]
    assert set(card.training["held_out_sources"]) == set(card_before.training["held_out_sources"])
    assert not set(card.training["sources"]) & set(card.training["held_out_sources"])
    texts = [path.read_text(encoding="utf-8") for path in (out / "model").rglob("*.json")]
    assert not any(str(finished) in text for text in texts)
    with pytest.raises(GPSDreamError, match="one model"):
        TrainingRun(out, still, listener(), base=out, start=out)


def test_log_curve_and_validation_pictures(finished: Path) -> None:
    with (finished / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [3, 6]
    assert all(float(row["validation_loss"]) > 0 for row in rows)
    with Image.open(finished / "loss.png") as curve:
        assert curve.width > 500
    sheets = sorted((finished / "validation").glob("*.png"))
    assert [sheet.name for sheet in sheets] == ["step-000003.png", "step-000006.png"]
    assert not np.array_equal(np.asarray(Image.open(sheets[0])), np.asarray(Image.open(sheets[1])))


@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_resumed_run_ends_with_the_same_bits(finished: Path, street: Path, tmp_path: Path, stop_after: int) -> None:
    assert TrainingRun(tmp_path, CONFIG, listener(stop_after)).run(street) is None
    assert TrainingRun(tmp_path, CONFIG, listener()).run(None) == tmp_path / "model"
    whole, resumed = weights(finished, 6), weights(tmp_path, 6)
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    for file in ("unet/diffusion_pytorch_model.safetensors", "location_encoder/diffusion_pytorch_model.safetensors"):
        assert (finished / "model" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


def test_another_recipe_is_not_resumed(finished: Path) -> None:
    other = replace(CONFIG, model=replace(CONFIG.model, location_hidden=24))
    with pytest.raises(GPSDreamError, match="another model"):
        TrainingRun(finished, other, listener()).run(None)


def test_a_damaged_checkpoint_is_a_sentence(street: Path, tmp_path: Path) -> None:
    TrainingRun(tmp_path, CONFIG, listener(2)).run(street)
    weights_file = tmp_path / "checkpoints" / "step-000002" / "weights.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-10])
    with pytest.raises(GPSDreamError, match="step-000002"):
        TrainingRun(tmp_path, CONFIG, listener()).run(None)


def test_accumulated_small_batches_learn(street: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, loop=replace(CONFIG.loop, batch=2, accumulate=2, steps=2, precision="bf16"))
    assert TrainingRun(tmp_path, config, listener()).run(street) is not None
    assert json.loads((tmp_path / "checkpoints" / "step-000002" / "state.json").read_text())["samples"] == 8


def test_held_out_photos_can_be_learned_at_the_end(street: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, loop=replace(CONFIG.loop, hold_out_until=3))
    assert TrainingRun(tmp_path, config, listener()).run(street) is not None
    with (tmp_path / "log.csv").open(newline="") as file:
        measured = {int(row["step"]): row["validation_loss"] for row in csv.DictReader(file)}
    assert measured[3] and not measured[6]
    card = read_card(tmp_path / "model")
    assert (card.training["photos"], card.training["photos_held_out"]) == (12, 0)
    assert card.training["photos_held_out_before_step"] == {"photos": 3, "step": 3}


@pytest.mark.parametrize("lora_rank", [2, 0])
def test_a_base_model_learns_places(street: Path, tmp_path: Path, lora_rank: int) -> None:
    base = tiny_stable_diffusion(tmp_path / "base")
    config = TrainConfig.for_base()
    config = replace(
        config,
        data=replace(config.data, validation_share=0.25, cached_crops=1),
        loop=replace(config.loop, steps=3, accumulate=2, validate_every=3, lora_rank=lora_rank, warm_up=1),
    )
    out = tmp_path / "out"
    assert TrainingRun(out, config, listener(), base=base).run(street) == out / "model"
    trained = load_file(out / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    before = load_file(base / "unet" / "diffusion_pytorch_model.safetensors")
    # Adapters are merged: the folder has the base's weights by the same names, and some have moved.
    assert trained.keys() == before.keys()
    moved = [name for name in trained if not torch.allclose(trained[name].float(), before[name].float(), atol=2e-3)]
    assert all("attn" in name for name in moved) or not lora_rank
    encoder = load_file(out / "model" / "location_encoder" / "diffusion_pytorch_model.safetensors")
    assert encoder["x_token.output.weight"].abs().sum() > 0
    card = read_card(out / "model")
    assert card.training["base"] == "base"
    assert len(card.choices["preview_matrix"]) == 5
    painter = Painter.load(out / "model", device="cpu")
    [(_, picture)] = painter.draw(GenerateRequest(card.examples[0].place, "a house", steps=2))
    assert picture.size == (16, 16)


def test_a_folder_that_is_no_base_is_a_sentence(street: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "nothing").mkdir()
    code = main(["--photos", str(street), "--out", str(tmp_path / "o"), "--base", str(tmp_path / "nothing")])
    assert code == 1
    assert "not a Stable Diffusion folder" in capsys.readouterr().err


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys) -> None:
    assert main(["--out", str(tmp_path / "o")]) == 2
    assert "Name their folder with --photos" in capsys.readouterr().err
    assert main(["--photos", str(tmp_path / "missing"), "--out", str(tmp_path / "o")]) in (1, 2)
    assert "missing" in capsys.readouterr().err


def test_ctrl_c_saves_and_stops(street: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "gpsdream_app.training", "--photos", street, "--out", out, "--config", recipe]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [*map(str, command), "--steps", "100000"], stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/step-*/state.json")) and time.monotonic() < deadline:
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "goes on from here" in said
    assert "Traceback" not in said
    assert (out / "model" / "gpsdream.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--steps", "0"], 2, "loop.steps"),
        (["--batch", "-4"], 2, "loop.batch"),
        (["--lora-rank", "-1"], 2, "loop.lora_rank"),
        (["--minutes", "nan"], 2, "--minutes"),
        (["--steps", "many"], 2, "--steps"),
        (["--config", "nowhere.json"], 2, "No such file"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        given = main(["--out", str(tmp_path / "run"), "--photos", str(tmp_path), *arguments])
    except SystemExit as ended:
        given = ended.code
    assert given == code
    error = capsys.readouterr().err
    assert words in error
    assert "Errno" not in error


def test_an_output_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["--out", str(tmp_path / "file" / "run"), "--photos", str(tmp_path), "--json"]) == 1
    answer = capsys.readouterr()
    assert json.loads(answer.out)["error"]["kind"] == "disk_full"
    assert "Choose another folder" in answer.err


@pytest.mark.parametrize("text", ["{", "3", "[3]"])
def test_a_damaged_recipe_of_a_run_is_a_sentence(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.json").write_text(text, encoding="utf-8")
    assert main(["--out", str(tmp_path), "--photos", str(tmp_path)]) == 2
    assert "recipe.json" in capsys.readouterr().err
    assert (tmp_path / "recipe.json").read_text(encoding="utf-8") == text


def test_what_nobody_foresaw_is_a_sentence_and_a_log(
    tmp_path: Path, gpsdream_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no way")

    monkeypatch.setattr(TrainingRun, "run", broken)
    assert main(["--out", str(tmp_path), "--photos", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    log = gpsdream_home / "logs" / "training.log"
    assert "no way" in error
    assert str(log) in error
    assert "Traceback" not in error
    assert "Traceback" in log.read_text(encoding="utf-8")
