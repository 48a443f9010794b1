"""What is written down about trainings, and what is read when the files are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.library.training_runs import (
    RUN_FILE,
    delete_run,
    list_runs,
    mark_finished,
    new_run,
    newest_sheet,
    read_curve,
    runs_dir,
)
from gpsdream_app.training.config import TrainConfig


def test_a_training_comes_back_as_it_was_begun(tmp_path: Path) -> None:
    run = new_run("  My <b>street</b>\n", tmp_path, TrainConfig().to_dict(), size="small", minutes=20.0)
    assert run.title == "My <b>street</b>"
    assert run.folder.parent == runs_dir()
    assert list_runs() == [run]
    assert TrainConfig.open(run.settings_file).card.title == run.title
    done = mark_finished(run)
    assert list_runs() == [done]
    assert new_run("My <b>street</b>", tmp_path, {}, size="small", minutes=None).name != run.name
    delete_run(run)
    assert len(list_runs()) == 1


def test_a_training_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError):
        new_run(" \n ", tmp_path, {}, size="small", minutes=None)


def test_damaged_files_are_passed_over(tmp_path: Path) -> None:
    run = new_run("Street", tmp_path, {}, size="small", minutes=None)
    for number, text in enumerate(("", "[]", "{", '{"name": 1, "title": [], "photos": null, "minutes": "x"}')):
        folder = runs_dir() / f"bad-{number}"
        folder.mkdir()
        (folder / RUN_FILE).write_text(text)
    assert list_runs() == [run]


def test_the_curve_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert read_curve(tmp_path).loss == []
    head = "step,samples,loss,validation_loss,learning_rate,samples_per_second,seconds\n"
    rows = "10,320,1.5,,1e-3,9,1\n20,640,nan,,1e-3,9,2\nx,y,z,,,,\n30,960,1.0,1.2,1e-3,9,3\n40,12"
    (tmp_path / "log.csv").write_text(head + rows)
    curve = read_curve(tmp_path)
    assert curve.loss == [(320.0, 1.5), (960.0, 1.0)]
    assert curve.validation == [(960.0, 1.2)]
    assert curve.steps == 30
    (tmp_path / "log.csv").write_bytes(b"\xff\x00\xfe")
    assert read_curve(tmp_path).loss == []
    assert newest_sheet(tmp_path) is None
    (tmp_path / "validation").mkdir()
    for step in (250, 1000):
        (tmp_path / "validation" / f"step-{step:06d}.png").touch()
    assert newest_sheet(tmp_path) == tmp_path / "validation" / "step-001000.png"
