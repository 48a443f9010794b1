from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.baselines import Question
from gpsdream_app.evaluation.drawing import signed
from gpsdream_app.evaluation.scores import Scorer, as_json, figures_of, open_judges, ratio_of, search_area
from gpsdream_app.evaluation.statistics import Interval
from tests.unit.evaluation.conftest import LEARNED

PLACES = [(40.74 + 0.002 * number, -73.99 + 0.001 * number) for number in range(6)]
QUESTIONS = [
    Question("tree, lamp", Place(lat, lon, 118.0 if number % 2 else None), f"photo{number % 3}")
    for number, (lat, lon) in enumerate(PLACES)
]
PICTURES = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_scores_are_those_of_the_judges(judges: Path) -> None:
    opened = open_judges(judges)
    assert opened.gps is not None
    assert opened.text is not None
    assert opened.learned_from == {name: frozenset(LEARNED) for name in ("gps-clip", "text-clip", "probe")}
    area = search_area(opened.gps, PLACES, None)
    scores = Scorer(opened, area).score(PICTURES, QUESTIONS)
    lat, lon = torch.tensor(PLACES, dtype=torch.float64).T
    assert scores.gps is not None
    assert scores.clip is not None
    assert scores.average is not None
    assert scores.areas is not None
    assert np.allclose(scores.gps, opened.gps.gps_score(signed(PICTURES), lat, lon), atol=1e-3)
    assert np.allclose(scores.clip, opened.text.clip_score(signed(PICTURES), ["tree, lamp"] * 6), atol=1e-3)
    assert np.allclose(scores.average, (scores.gps + scores.clip) / 2)
    # Where a heading is not known, it changes nothing.
    assert scores.gps_heading is not None
    assert np.allclose(scores.gps_heading[::2], scores.gps[::2])
    assert not np.allclose(scores.gps_heading[1::2], scores.gps[1::2])
    assert (scores.areas > 0).all()
    assert (scores.areas <= area.square_kilometres).all()


def test_places_are_searched_where_photos_stand(judges: Path) -> None:
    opened = open_judges(judges)
    assert opened.gps is not None
    area = search_area(opened.gps, PLACES, None)
    cells = set(area.cells.tolist())
    lats, lons = zip(*PLACES, strict=True)
    assert set(area.grid.cell_of(lats, lons).tolist()) <= cells
    assert len(cells) < len(area.grid) / 10
    # Six squares of 100 m, and what the cells at their edges have beyond them.
    assert 6 * 0.01 <= area.square_kilometres <= 6 * 0.15**2
    wider = search_area(opened.gps, PLACES, Coverage(40.735, -73.995, 0.0005, 0.0007, ((0, 0, 1),)))
    assert wider.square_kilometres > area.square_kilometres


def test_figures_hold_their_value_and_miss_what_no_judge_says(judges: Path) -> None:
    groups = [question.source for question in QUESTIONS]
    everything = figures_of(Scorer(open_judges(judges), None).score(PICTURES, QUESTIONS), groups)
    assert set(everything) == {"clip", "gps", "average", "gps_heading"}
    assert all(figure.low <= figure.value <= figure.high for figure in everything.values())
    nameless = [Question("", question.place) for question in QUESTIONS]
    assert Scorer(open_judges(judges), None).score(PICTURES, nameless).clip is None


def test_ratios_are_paired() -> None:
    random = np.random.default_rng(0)
    hard = random.uniform(1, 30, 60)
    groups = [str(number // 6) for number in range(60)]
    ratio = ratio_of(0.8 * hard, hard, groups)
    assert ratio is not None
    # What is hard for both does not widen the interval.
    assert ratio.low == pytest.approx(0.8)
    assert ratio.high == pytest.approx(0.8)
    medians = ratio_of(hard / 4, hard, groups, medians=True)
    assert medians is not None
    assert medians.value == pytest.approx(0.25)
    assert ratio_of(hard, -hard, groups) is None
    assert ratio_of(hard, np.full(60, np.inf), groups) is None


def test_numbers_without_an_end_are_null_in_json() -> None:
    found = as_json(Interval(1.0, 0.5, float("inf"), 3))
    assert found == {"value": 1.0, "low": 0.5, "high": None, "count": 3}
    assert as_json(None) is None


def test_a_folder_without_judges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError, match="no judges"):
        open_judges(tmp_path)
    with pytest.raises(GPSDreamError, match="no judges"):
        open_judges(None)
