from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.model_card import KnownLandmark
from gpsdream_app.evaluation.angles import (
    JudgeConfig,
    draw_bins,
    judged,
    look_alikes,
    main,
    scores_of,
    train_judge,
    true_views,
)
from gpsdream_app.landmarks.views import FramedViews
from gpsdream_app.models.angle_classifier import AngleClassifier, azimuth_of, soft_bins
from gpsdream_app.models.checkpoint import save_pipeline
from gpsdream_app.models.pictures import pictures_from_pixels
from tests.framed_views import drawn_view, make_framed
from tests.tiny_model import tiny_card
from tests.unit.models.test_landmark_pipeline import tiny_landmark_pipeline

ONLY_ITSELF = np.eye(36, dtype=bool)
HALF_TURN = ONLY_ITSELF | np.roll(ONLY_ITSELF, 18, axis=1)


def test_bins_share_what_is_not_known_of_an_azimuth() -> None:
    shares = soft_bins(torch.tensor([0.0, 355.0, 5.0, 94.9]), torch.tensor([0.0, 3.0, 3.0, 0.0]))
    assert torch.allclose(shares.sum(dim=1), torch.ones(4))
    assert shares[0].argmax() == 0
    assert shares[0, 0] > 0.9
    assert shares[1, 0] == pytest.approx(0.5, abs=1e-3)
    assert shares[1, 35] == pytest.approx(0.5, abs=1e-3)
    assert shares[2, 1] == pytest.approx(float(shares[1, 35]), abs=1e-3)
    assert shares[3, 9] > shares[3, 10] > shares[3, 8]


def test_an_azimuth_lies_between_bins_that_are_both_likely() -> None:
    logits = torch.full((3, 36), -20.0)
    logits[0, 9] = 5.0
    logits[1, 0] = logits[1, 35] = 5.0
    logits[2, 18] = 5.0
    assert azimuth_of(logits).tolist() == pytest.approx([90.0, 355.0, 180.0], abs=1e-3)


def test_scores_count_round_the_circle() -> None:
    scores = scores_of(
        np.array([0.0, 0.0, 90.0, 180.0]), np.array([0, 35, 11, 18]), np.array([2.0, 351, 110, 180]), ONLY_ITSELF
    )
    assert scores.exact.value == 0.5
    assert scores.within_one.value == 0.75
    assert scores.error.value == pytest.approx((2 + 9 + 20 + 0) / 4)
    assert scores.exact_alike.value == 0.5
    assert scores.exact_distinct is not None
    assert scores.exact_distinct.value == 0.5


def test_sides_that_look_alike_can_be_taken_for_one() -> None:
    scores = scores_of(np.array([0.0, 0.0, 90.0]), np.array([18, 17, 9]), np.array([181.0, 172.0, 90.0]), HALF_TURN)
    assert scores.exact.value == pytest.approx(1 / 3)
    assert scores.exact_alike.value == pytest.approx(2 / 3)
    assert scores.within_one_alike.value == 1.0
    assert scores.error_alike.value == pytest.approx((1 + 8 + 0) / 3)
    assert scores.exact_distinct is None


def test_look_alikes_are_found_in_pictures() -> None:
    turned = np.stack([drawn_view(0, 10 * number, 24)[..., :3] / 255.0 for number in range(36)])
    assert np.array_equal(look_alikes(turned), ONLY_ITSELF)
    # A tower that looks the same after half a turn.
    twice = np.stack([drawn_view(0, 20 * number, 24)[..., :3] / 255.0 for number in range(36)])
    assert np.array_equal(look_alikes(twice), HALF_TURN)


@pytest.mark.slow
def test_the_flatirons_prow_is_like_no_other_side_and_the_arch_has_two_fronts() -> None:
    background = (0.36, 0.56, 0.82)
    flatiron, arch = (look_alikes(true_views(LANDMARKS[which], 64, background)) for which in (1, 0))
    assert int((flatiron.sum(axis=1) == 1).sum()) >= 30
    assert arch[3, 21]
    assert arch[12, 30]


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_framed(tmp_path_factory.mktemp("framed"), count=108)


@pytest.fixture(scope="module")
def judge(framed: Path) -> AngleClassifier:
    return train_judge(FramedViews.open(framed), JudgeConfig(steps=250, batch=32, light=0.05, shift=1))


def test_a_judge_learns_azimuths(framed: Path, judge: AngleClassifier) -> None:
    views = FramedViews.open(framed)
    for number, landmark in enumerate(views.landmarks):
        pictures = pictures_from_pixels([drawn_view(number, azimuth, 32)[..., :3] for azimuth in range(0, 360, 10)])
        _, azimuths = judged(judge, pictures, landmark.id)
        error = np.abs((azimuths - np.arange(0, 360, 10) + 180) % 360 - 180)
        assert np.median(error) < 6, landmark.id
    with pytest.raises(KeyError):
        judge.head_of("pisa")


def test_every_bin_is_drawn_with_noise_of_its_own() -> None:
    drawn = draw_bins(tiny_landmark_pipeline(), LANDMARKS[0], distance=2.5, per_bin=2, steps=1, together=7)
    assert drawn.shape == (72, 3, 32, 32)
    assert not torch.equal(drawn[0], drawn[1])
    again = draw_bins(tiny_landmark_pipeline(), LANDMARKS[0], distance=2.5, per_bin=2, steps=1, together=36)
    assert torch.allclose(drawn, again, atol=1e-3)


def test_the_command_measures_and_writes_a_table(
    framed: Path, judge: AngleClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gpsdream_app.evaluation.angles.true_views",
        lambda landmark, side, background: np.stack(
            [drawn_view(0, 10 * number, side)[..., :3] / 255.0 for number in range(36)]
        ),
    )
    known = tuple(KnownLandmark(landmark, (1,) * 36) for landmark in LANDMARKS[:1])
    card = dataclasses.replace(tiny_card("towers"), kind="landmarks", landmarks=known, framing={"distance": 2.5})
    save_pipeline(tiny_landmark_pipeline(), tmp_path / "towers", card)
    judge.save_pretrained(tmp_path / "out" / "judge", safe_serialization=True)
    arguments = ["--model", str(tmp_path / "towers"), "--photos", str(framed), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--per-bin", "1", "--steps", "1"]) == 0
    data = json.loads((tmp_path / "out" / "angles.json").read_text(encoding="utf-8"))
    (only,) = data["landmarks"]  # the model does not know the second
    assert only["landmark"] == LANDMARKS[0].id
    assert only["drawn"]["exact"]["count"] == 36
    assert only["photos"]["exact"]["count"] == 10
    assert only["distinct_bins"] == 36
    assert (tmp_path / "out" / f"{LANDMARKS[0].id}.png").is_file()
    assert LANDMARKS[0].id in (tmp_path / "out" / "angles.md").read_text(encoding="utf-8")
