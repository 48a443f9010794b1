from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QAbstractItemModelTester

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.film import FilmModel, FilmRole

from .rig import HOSTILE


def make_result(number: int, place: Place | None, prompt: str = "a church") -> Result:
    return Result(
        id=f"{number:032x}",
        job_id="job",
        request=GenerateRequest(place, prompt, seed=number),
        path=f"/nowhere/{number}.png",
        created=f"2026-11-20T10:00:{number:02d}+00:00",
        seconds=1.0,
        model_title="Postcards",
        model_hash="0" * 16,
        app_version="0",
        width=64,
        height=64,
    )


def watched() -> tuple[FilmModel, QAbstractItemModelTester]:
    model = FilmModel()
    return model, QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)


def numbers(model: FilmModel) -> list[int]:
    return [result.request.seed for result in model.results]


A, B = Place(40.74, -73.99, name="A"), Place(40.75, -73.98, name="B")


def test_the_newest_is_first_and_brings_its_place_along() -> None:
    model, _ = watched()
    for number, place in enumerate([A, B, A, None, B]):
        model.add_newest(make_result(number, place))
    assert numbers(model) == [4, 1, 3, 2, 0]


def test_older_pictures_go_to_the_end_of_their_place() -> None:
    model, _ = watched()
    model.reset([make_result(9, A), make_result(8, B)])
    model.add_older([make_result(7, A), make_result(6, None), make_result(5, B), make_result(9, A)])
    assert numbers(model) == [9, 7, 8, 5, 6]
    assert model.oldest is not None
    assert model.oldest.request.seed == 5


@given(st.lists(st.sampled_from([A, B, None, Place(40.76, -73.97)]), max_size=12), st.booleans())
def test_adding_one_by_one_is_the_same_as_all_at_once(places: list[Place | None], drawing: bool) -> None:
    one_by_one, _tester = watched()
    results = [make_result(number, place) for number, place in enumerate(places)]
    if drawing:
        one_by_one.show_drawing(A, 0.5)
    for result in results:
        one_by_one.add_newest(result)
    at_once = FilmModel()
    at_once.reset(results[::-1])
    assert numbers(one_by_one) == numbers(at_once)


def test_what_was_removed_comes_back_where_it_was() -> None:
    model, _ = watched()
    model.reset([make_result(number, A) for number in (3, 2, 1)])
    row = model.remove(f"{2:032x}")
    assert numbers(model) == [3, 1]
    model.put_back(row, make_result(2, A))
    assert numbers(model) == [3, 2, 1]
    assert model.remove("unknown") == -1


def test_the_drawing_stands_first_and_is_no_result() -> None:
    model, _ = watched()
    model.add_newest(make_result(1, A))
    model.show_drawing(B, 0.25, QImage(4, 4, QImage.Format.Format_RGB32))
    model.show_drawing(B, 0.5)
    first = model.index(0, 0)
    assert first.data(FilmRole.PROGRESS) == 0.5
    assert not first.data(FilmRole.PREVIEW).isNull()
    assert not first.flags() & Qt.ItemFlag.ItemIsDragEnabled
    assert numbers(model) == [1]
    model.add_newest(make_result(2, B))
    assert model.row_of(f"{2:032x}") == 1
    model.hide_drawing()
    model.hide_drawing()
    assert model.rowCount() == 2


def test_the_current_one_is_marked() -> None:
    model, _ = watched()
    model.reset([make_result(2, A), make_result(1, A)])
    model.current = f"{1:032x}"
    assert [bool(model.index(row, 0).data(FilmRole.CURRENT)) for row in range(2)] == [False, True]
    model.current = ""
    assert not any(model.index(row, 0).data(FilmRole.CURRENT) for row in range(2))


def test_tooltips_show_words_as_they_are() -> None:
    model, _ = watched()
    model.reset([replace(make_result(1, A, HOSTILE), photo_distance=1200.0)])
    text = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in text
    assert "1.2 km from the nearest photo" in text
    assert "bold" in model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
