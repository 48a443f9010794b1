"""`gpsdream train-gps-clip`, from a folder of photos to a folder of judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.evaluation.probes import WordProbe
from gpsdream_app.models.gps_clip import open_gps_clip
from gpsdream_app.models.text_clip import TextClip
from gpsdream_app.training import judges
from gpsdream_app.training.config import TrainConfig
from gpsdream_app.training.judges import main
from gpsdream_app.training.judges_config import JudgesConfig

TINY = {"steps": 3, "batch": 4, "components": 4, "width": 8, "checkpoint_every": 1}
RECIPE = {
    "data": {"stored_side": 48, "validation_share": 0.25},
    "crops": {"crops_per_square": 1},
    "gps_clip": {**TINY, "hidden_width": 8, "folds": 2, "measure_every": 3},
    "text_clip": {**TINY, "vocabulary_size": 600, "max_tokens": 8},
    "probe": {**TINY, "words": ["plant"], "tags": {"plant": ["tree"]}},
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE), encoding="utf-8")
    return path


def test_one_command_trains_every_judge_and_goes_on_where_it_stopped(
    street: Path, recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "judges"
    arguments = ["--photos", str(street), "--out", str(out), "--config", str(recipe), "--no-heading"]
    with monkeypatch.context() as patch:
        answers = iter([False] * 25)
        patch.setattr(judges.Reporter, "stopped", lambda self: next(answers, True))
        assert main(arguments) == 130
    assert "The same command goes on" in capfd.readouterr().err
    assert not (out / "probe").exists()
    assert main([*arguments, "--json"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[-1] == {"judges": str(out), "parts": ["gps-clip", "probe", "text-clip"]}
    assert any("left" in line.get("stage", "") for line in lines)
    assert not open_gps_clip(out / "gps-clip").config.has_heading
    assert isinstance(TextClip.open(out / "text-clip"), TextClip)
    assert WordProbe.open(out / "probe").words == ("plant",)
    for name in ("gps-clip", "text-clip", "probe"):
        facts = json.loads((out / name / f"{name}.json").read_text(encoding="utf-8"))
        assert set(facts["trained_on"]) < {f"view{number:02d}.png" for number in range(12)}


def test_only_gps_clip_if_words_are_not_wanted(street: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "judges"
    arguments = ["--photos", str(street), "--out", str(out), "--config", str(recipe)]
    assert main([*arguments, "--no-clip", "--everything", "--folds", "0", "--steps", "1"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["gps-clip", "run"]
    facts = json.loads((out / "gps-clip" / "gps-clip.json").read_text(encoding="utf-8"))
    assert len(facts["trained_on"]) == 12
    assert facts["steps"] == 1


def test_what_cannot_be_is_said_in_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "judges")]) == 2
    assert "--photos" in capfd.readouterr().err
    assert main(["--out", str(tmp_path / "judges"), "--steps", "0"]) == 2
    assert "steps" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--steps", "many"])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"gps_clip": {"depth": 3}}, "depth"),
        ({"gps_clip": {"steps": "many"}}, "steps"),
        ({"probe": {"words": "tree"}}, "words"),
        ({"data": {"side": 3}}, "side"),
        ({"clip": {}}, "clip"),
        ({"crops": []}, "crops"),
        ([], "object"),
    ],
)
def test_a_wrong_recipe_is_refused(wrong: object, named: str) -> None:
    with pytest.raises(GPSDreamError, match=named):
        JudgesConfig.from_dict(wrong)


def test_the_recipe_of_the_embedded_judges_holds_out_what_the_model_does() -> None:
    recipes = resources_dir() / "recipes"
    ours = JudgesConfig.open(recipes / "judges-fifth-avenue-1911.json")
    model = TrainConfig.open(recipes / "fifth-avenue-1911.json")
    assert len(ours.probe.words) == 15
    for name in ("picture_area", "validation_share", "validation_by", "validation_block_metres"):
        assert getattr(ours.data, name) == getattr(model.data, name)
    assert ours.split_seed == model.loop.seed
