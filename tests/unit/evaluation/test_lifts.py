"""The table of lifts: what the truth looks like through a lift's camera, rows that are measured once, and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.evaluation import lifts
from gpsdream_app.evaluation.lifts import BEGIN, END, framed_truth, gallery, measure, put_between_marks
from gpsdream_app.landmarks.meshes import truth_mesh
from gpsdream_app.landmarks.renderer import Renderer
from gpsdream_app.lifting.cameras import framed_camera
from gpsdream_app.lifting.mesh import LiftedMesh
from gpsdream_app.lifting.scale import scale_of_height
from tests.tiny_model import make_tiny_model

FLATIRON = LANDMARKS[1]
BACKGROUND = (0.36, 0.56, 0.82)


def test_the_truth_stands_in_the_frame_as_the_framing_says() -> None:
    scale = scale_of_height(FLATIRON.height)
    with Renderer() as renderer:
        camera = replace(framed_camera(scale, FLATIRON.height), azimuth=92.5)
        colour, cover = framed_truth(renderer, truth_mesh("flatiron"), camera, scale, 40, BACKGROUND)
    assert colour.shape == (40, 40, 3) and cover.shape == (40, 40)
    rows = np.flatnonzero(cover.max(axis=1) > 0.5)
    # The walls nearest to the camera stand before the axis: a little more of the frame than 15 to 85 %.
    assert 4 <= rows[0] <= 6 and 33 <= rows[-1] <= 35
    assert np.allclose(colour[cover == 0], BACKGROUND, atol=0.01)


def test_the_truth_scores_full_marks_against_itself() -> None:
    scale = scale_of_height(FLATIRON.height)
    truth = truth_mesh("flatiron").to_trimesh()
    mesh = LiftedMesh(
        scale.to_units(np.asarray(truth.vertices)).astype(np.float32),
        np.asarray(truth.faces),
        np.full((len(truth.vertices), 3), 0.5, np.float32),
    )
    camera = framed_camera(scale, FLATIRON.height)
    with Renderer() as renderer:
        scores = measure(mesh, None, FLATIRON, scale, camera, renderer, BACKGROUND)
    assert scores.f_score == pytest.approx(1.0) and scores.silhouette > 0.99
    assert scores.size == pytest.approx(scores.true_size, rel=1e-3) and np.isnan(scores.psnr)


def a_row(request: LiftRequest, weights: str) -> dict[str, Any]:
    return {
        "landmark": request.landmark.id,
        "method": request.method.value,
        "quality": request.quality.value,
        "seed": request.seed,
        "weights": weights,
        "processor_seconds": 3.2,
        "seconds": 4.0,
        "f_score": 0.9,
        "chamfer": 0.01,
        "normals": 0.8,
        "silhouette": 0.9,
        "psnr": 20.0,
        "size": (1.0, 2.0, 3.0),
        "true_size": (1.0, 2.0, 3.5),
    }


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    weights = lifts.weights_hash(folder)[:16]
    asked: list[tuple[str, str]] = []

    def made_up(request: LiftRequest, *_: object) -> tuple[dict[str, Any], list[np.ndarray]]:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append((request.method.value, request.quality.value))
        return a_row(request, weights), [np.zeros((8, 8, 3))] * 3

    monkeypatch.setattr(lifts, "lift_and_measure", made_up)
    page, out = tmp_path / "page.md", tmp_path / "pictures"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    arguments = ["--model", str(folder), "--out", str(out), "--page", str(page), "--landmark", "flatiron"]
    with pytest.raises(KeyboardInterrupt):
        lifts.main(arguments)
    assert "old" in page.read_text("utf-8") and len(json.loads((out / "lifts.json").read_text("utf-8"))) == 3
    first, asked[:] = list(asked), []
    assert lifts.main(arguments) == 0
    assert sorted(first + asked) == [
        ("refine", "balanced"),
        ("sds", "fast"),
        ("text", "fast"),
        ("views", "balanced"),
    ]
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert text.count("| Flatiron Building |") == 4 and "(pictures/flatiron-truth.jpg)" in text
    assert all((out / f"flatiron-{name}.jpg").is_file() for name in ("truth", "views", "refine", "sds", "text"))
    assert "| Flatiron Building | sds | fast | 3 | 0.900 | 1.0 |" in capsys.readouterr().out


def test_pictures_that_are_not_there_leave_a_gap() -> None:
    rows = [a_row(LiftRequest(LANDMARKS[0], "views"), "w"), a_row(LiftRequest(FLATIRON, "sds"), "w")]
    _, _, arch, flatiron = gallery(rows, "lifts").splitlines()
    assert arch.count("![") == flatiron.count("![") == 2 and arch.endswith("|  |")


def test_a_page_without_marks_gets_them() -> None:
    once = put_between_marks("A page.\n", "table")
    assert once.endswith(f"{BEGIN}\ntable\n{END}\n") and put_between_marks(once, "table") == once
