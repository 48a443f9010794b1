"""The whole explanation, and the places that a picture is compared with."""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gpsdream_app.domain.model_card import METRES_PER_DEGREE, Coverage
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.evaluation import explaining
from gpsdream_app.evaluation.explaining import APART_METRES, ExplainingPainter, other_places
from gpsdream_app.generation.draw import DrawingCancelled
from tests.tiny_model import make_tiny_model, tiny_card, tiny_pipeline

PLACE = Place(40.7411, -73.9897, 118.0)
REQUEST = GenerateRequest(PLACE, "a mansion", steps=3, seed=4)
COVERAGE = Coverage(40.73, -73.999, 0.0005, 0.0007, tuple((row, row // 2, 1 + row % 3) for row in range(60)))


@pytest.fixture(scope="module")
def painter() -> ExplainingPainter:
    return ExplainingPainter(tiny_pipeline(), replace(tiny_card(), coverage=COVERAGE))


def test_a_picture_is_explained_whole(painter: ExplainingPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "COMPARED_PLACES", 5)
    steps: list[tuple[int, int, int, bool]] = []
    told = painter.explain(
        REQUEST, on_step=lambda index, total, picture, preview: steps.append((index, total, picture, bool(preview)))
    )
    ((_, image),) = painter.draw(REQUEST)
    with Image.open(io.BytesIO(told.picture)) as picture:
        assert picture.tobytes() == image.tobytes()
    assert [token.label for token in told.tokens] == ["a", "mansion", "longitude", "latitude", "heading"]
    assert told.places_compared == 5
    assert told.typicality_rank in {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}
    assert told.typicality is not None and math.isfinite(told.typicality) and told.typicality_error > 0
    assert told.typicality_map and len(told.typicality_map) == len(told.typicality_map[0]) == 4
    assert 0 <= min(map(min, told.typicality_map)) <= max(map(max, told.typicality_map)) <= 1
    assert steps == [(index, 3 + 7, 0, index <= 3) for index in range(1, 11)]
    assert painter.explain(REQUEST) == told


@pytest.mark.parametrize("coverage", [None, Coverage(40.7411, -73.9897, 0.0001, 0.0001, ((0, 0, 1),))])
def test_without_other_places_there_is_no_rank(painter: ExplainingPainter, coverage: Coverage | None) -> None:
    alone = ExplainingPainter(painter.pipeline, replace(painter.card, coverage=coverage))
    told = alone.explain(REQUEST)
    assert told.typicality is not None
    assert (told.typicality_rank, told.places_compared) == (None, 0)


def test_a_drawn_picture_is_ranked_quickly(painter: ExplainingPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, image),) = painter.draw(REQUEST)
    rank, places = painter.rank(REQUEST, image)
    assert rank is not None and 0 <= rank <= 1
    assert places == explaining.RANK_PLACES
    assert painter.rank(REQUEST, image) == (rank, places)
    assert painter.rank(replace(REQUEST, place=None), image) == (None, 0)
    monkeypatch.setattr(explaining, "SMALL_WEIGHTS", 10)
    assert painter.rank(REQUEST, image) == (None, 0)


def test_without_a_place_there_is_nothing_to_compare(painter: ExplainingPainter) -> None:
    told = painter.explain(replace(REQUEST, place=None))
    assert (told.typicality, told.typicality_rank, told.typicality_map) == (None, None, None)


def test_comparing_stops_when_it_is_asked_to(painter: ExplainingPainter) -> None:
    seen: list[int] = []
    with pytest.raises(DrawingCancelled):
        painter.explain(
            REQUEST, on_step=lambda index, *_: seen.append(index), cancelled=lambda: bool(seen) and seen[-1] >= 5
        )
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("count", [1, 7, 24, 500])
def test_other_places_are_spread_and_far_enough(count: int) -> None:
    others = other_places(COVERAGE, PLACE, count)
    assert others == other_places(COVERAGE, PLACE, count)
    assert len(others) == len(set(others)) == min(count, 57)
    assert {other.heading for other in others} == {118.0}
    for other in others:
        north = (other.lat - PLACE.lat) * METRES_PER_DEGREE
        east = (other.lon - PLACE.lon) * METRES_PER_DEGREE * math.cos(math.radians(PLACE.lat))
        assert math.hypot(north, east) >= APART_METRES
    rows = [round((other.lat - 40.73) / 0.0005 - 0.5) for other in others]
    if count == 7:
        gaps = [after - before for before, after in itertools.pairwise(rows)]
        assert max(gaps) - min(gaps) <= 1 + 8


def test_a_model_folder_opens_as_one_that_explains(tmp_path: Path) -> None:
    painter = ExplainingPainter.load(make_tiny_model(tmp_path / "tiny"), device="cpu")
    assert isinstance(painter, ExplainingPainter)
