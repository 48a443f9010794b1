"""The Library place in the window, with real pictures drawn by the scripted engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QMessageBox, QPushButton

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result, ResultKind
from gpsdream_app.library.paths import pictures_dir
from gpsdream_app.library.picture_metadata import save_png
from gpsdream_app.ui.library.detail import Recall
from gpsdream_app.ui.library.filters import MESHES, TRASH
from gpsdream_app.ui.library.page import LibraryPage, box_of
from gpsdream_app.ui.library.variations import Axis, Value, grid_requests, read_values

from .rig import CATHEDRAL, FLATIRON, HOSTILE, Rig

WORDS = ("a church in winter", "awnings", "a tower in winter", "mansions", HOSTILE)


def fill(rig: Rig, count: int = 5) -> list[Result]:
    """Put pictures into the library as if they had been drawn on other days; the newest is the last."""
    library = rig.session.library
    assert library is not None
    results = []
    for number in range(count):
        place = (FLATIRON, CATHEDRAL, None)[number % 3]
        request = GenerateRequest(place, WORDS[number % 5], seed=100 + number, model=("postcards", "other")[number % 2])
        path = pictures_dir() / f"{number:05}.png"
        created = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T10:00:00+00:00"
        result = Result(f"{number + 1:032x}", "job", request, str(path), created, 1.0, "M", "ab" * 8, "0.1", 48, 48)
        save_png(Image.new("RGB", (48, 48), QColor.fromHsv(number * 67 % 360, 120, 200).getRgb()[:3]), path, result)
        results.append(result)
    library.add_all(results)
    return results


def enter(rig: Rig) -> LibraryPage:
    page = rig.window.show_library()
    settle(rig)
    return page


def settle(rig: Rig) -> None:
    """Wait until everything is read, the small copies in sight included."""
    page = rig.window.library
    assert page is not None
    rig.until(lambda: not rig.session.queue and rig.session.pending == 0 and page.grid.thumbnails.pending == 0)
    rig.qtbot.wait(10)
    rig.until(lambda: rig.session.pending == 0 and page.grid.thumbnails.pending == 0)


def shown(page: LibraryPage) -> list[str]:
    """Return the words of what is listed."""
    items = [page.state.model.item(row) for row in range(page.state.model.rowCount())]
    return [item.result.request.prompt if item and item.result else "" for item in items]


def choose(page: LibraryPage, *rows: int) -> None:
    page.grid.choose(rows[0])
    for row in rows[1:]:
        page.grid.selectionModel().select(page.state.model.index(row, 0), QItemSelectionModel.SelectionFlag.Select)


def test_everything_made_is_listed_newest_first(rig: Rig) -> None:
    fill(rig)
    QTest.keyClick(rig.window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    settle(rig)
    page = rig.window.library
    assert page is not None and page.isVisible() and rig.window.rail.library.isChecked()
    assert shown(page) == list(WORDS[::-1])
    assert page.facts.text() == "5 pictures"
    index = page.state.model.index(0, 0)
    assert "<b>" not in index.data(Qt.ItemDataRole.ToolTipRole), "what a person wrote is no markup"
    assert not rig.map.picking and rig.map.pin is None
    rig.window.show_page(rig.window.splitter)
    assert rig.map.picking and not any("row:" in dot["id"] for dot in rig.map.results)


def test_a_new_picture_comes_into_the_list_by_itself(rig: Rig) -> None:
    page = enter(rig)
    assert "gathers here" in page.empty.text() and page.empty.isVisible()
    rig.session.form.set_place(FLATIRON)
    rig.session.form.prompt = "a gate"
    rig.session.draw()
    rig.idle()
    rig.until(lambda: shown(page) == ["a gate"])
    assert not page.empty.isVisible()


def test_filters_narrow_the_list_and_let_go(rig: Rig) -> None:
    results = fill(rig)
    page = enter(rig)
    filters = page.filters
    page.search()
    QTest.keyClicks(filters.words, "wint")
    settle(rig)
    assert shown(page) == ["a tower in winter", "a church in winter"]
    assert page.facts.text() == "2 of 5 pictures"
    QTest.keyClick(filters.words, Qt.Key.Key_Escape)
    settle(rig)
    filters.model.setCurrentIndex(filters.model.findData("other"))
    settle(rig)
    assert shown(page) == ["mansions", "awnings"]
    filters.clear()
    page.state.star([results[1]], True)
    settle(rig)
    filters.star.setChecked(True)
    settle(rig)
    assert shown(page) == ["awnings"]
    filters.clear()
    filters.show_kind(ResultKind.AVERAGE.value)
    settle(rig)
    assert shown(page) == [] and "Nothing that was made" in page.empty.text()
    filters.show_kind(MESHES)
    settle(rig)
    assert "Landmarks" in page.empty.text()
    filters.reset.click()
    settle(rig)
    assert len(shown(page)) == 5
    filters.time.setCurrentIndex(1)
    settle(rig)
    assert shown(page) == []


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE results; --", '"OR*', "x" * 100_000, "\u202e\u0000winter", "../..", "<b>"]
)
def test_hostile_searches_find_or_find_not(rig: Rig, text: str) -> None:
    fill(rig)
    page = enter(rig)
    page.filters.words.setText(text)
    settle(rig)
    assert rig.session.notice is None and page.state.facets.total == 5


def test_only_what_the_map_shows(rig: Rig) -> None:
    fill(rig)
    page = enter(rig)
    rig.map.resize(400, 400)
    rig.map.view_changed.emit(FLATIRON.lat, FLATIRON.lon, 17.0)
    page.tools.narrow.setChecked(True)
    settle(rig)
    assert shown(page) == ["mansions", "a church in winter"]
    rig.map.view_changed.emit(CATHEDRAL.lat, CATHEDRAL.lon, 17.0)
    settle(rig)
    assert shown(page) == [HOSTILE, "awnings"]
    page.tools.narrow.setChecked(False)
    settle(rig)
    assert len(shown(page)) == 5
    page.tools.fit.click()
    settle(rig)
    south, west, north, east = rig.map.fitted[-1]
    assert south < FLATIRON.lat < CATHEDRAL.lat < north and west < FLATIRON.lon < CATHEDRAL.lon < east


def test_the_map_shows_heaps_and_a_click_goes_nearer(rig: Rig) -> None:
    fill(rig)
    page = enter(rig)
    rig.map.view_changed.emit(40.75, -73.98, 10.0)
    settle(rig)
    assert [dot["count"] for dot in rig.map.results] == [4]
    rig.map.result_clicked.emit(rig.map.results[0]["id"])
    assert rig.map.flights[-1][2] == 12.0
    rig.map.view_changed.emit(40.75, -73.98, 18.0)
    settle(rig)
    assert [dot["count"] for dot in rig.map.results] == [2, 2]
    rig.map.result_clicked.emit("row:999")
    rig.map.result_clicked.emit("unknown")
    assert page.grid.chosen_count() == 1


def test_a_picture_gives_all_or_a_part_of_its_request(rig: Rig) -> None:
    results = fill(rig)
    page = enter(rig)
    form = rig.session.form
    form.prompt, form.seed_locked = "mine", False
    choose(page, 4)  # the oldest
    assert page.detail.item is not None and page.detail.item.id == results[0].id
    page.detail.buttons[Recall.SEED].click()
    assert form.seed == 100 and form.seed_locked and form.prompt == "mine" and rig.window.exploring
    rig.window.show_library()
    page.recall(results[0], Recall.PLACE)
    assert form.place == FLATIRON and form.prompt == "mine"
    page.recall(results[1], Recall.PROMPT)
    assert form.prompt == "awnings" and form.place == FLATIRON
    page.recall(results[1], Recall.REMIX)
    assert form.place == CATHEDRAL and not form.seed_locked
    rig.window.show_library()
    choose(page, 4)
    QTest.keyClick(page.grid, Qt.Key.Key_Return)
    rig.until(lambda: rig.session.shown is not None and rig.session.shown.result == results[0])
    assert rig.window.exploring and form.prompt == results[0].request.prompt and form.seed == 100


def test_deleting_goes_to_a_trash_and_comes_back(rig: Rig) -> None:
    results = fill(rig)
    page = enter(rig)
    choose(page, 0, 1)
    QTest.keyClick(page.grid, Qt.Key.Key_Delete)
    settle(rig)
    assert len(shown(page)) == 3 and not Path(results[4].path).exists()
    assert rig.session.notice is not None and rig.session.notice.action == "Undo"
    page.filters.show_kind(TRASH)
    settle(rig)
    assert len(shown(page)) == 2 and "trash" in page.facts.text()
    assert page.grid.thumbnails.get(page.state.model.item(0), page.grid.side) is not None  # type: ignore[arg-type]
    page.filters.clear()
    QTest.keyClick(rig.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle(rig)
    assert shown(page) == list(WORDS[::-1]) and Path(results[4].path).exists()
    page.undo()
    settle(rig)
    assert len(shown(page)) == 5


def test_the_trash_is_emptied_after_a_question(rig: Rig) -> None:
    results = fill(rig)
    page = enter(rig)
    choose(page, 0)
    page.delete_chosen()
    settle(rig)
    page.filters.show_kind(TRASH)
    settle(rig)
    choose(page, 0)
    page.delete_chosen()
    box = page.findChild(QMessageBox, "forGood")
    assert box is not None
    button = next(button for button in box.findChildren(QPushButton) if button.text() == "Delete for good")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(rig)
    assert shown(page) == [] and page.state.facets.trashed == 0 and page.state.facets.total == 4
    page.undo()
    settle(rig)
    assert not Path(results[4].path).exists()


def test_a_trash_that_refuses_says_so_and_loses_nothing(rig: Rig) -> None:
    results = fill(rig)
    page = enter(rig)
    assert rig.session.library is not None
    (rig.session.library.path.parent / "trash").write_text("a file where the folder should be")
    choose(page, 0, 1)
    page.delete_chosen()
    settle(rig)
    assert rig.session.notice is not None and "not deleted" in rig.session.notice.text
    assert len(shown(page)) == 5 and Path(results[4].path).exists()


def test_two_pictures_are_compared(rig: Rig) -> None:
    fill(rig)
    page = enter(rig)
    choose(page, 0)
    assert not page.compare_button.isEnabled()
    choose(page, 0, 2)
    page.compare_button.click()
    rig.until(lambda: page.compare.slider.compares)
    assert page.body.currentIndex() == page.COMPARE
    first = page.compare.slider.images[0].pixelColor(5, 5)
    QTest.keyClick(page.compare.slider, Qt.Key.Key_Right)
    assert page.compare.slider.share > 0.5
    page.compare.swap_pictures()
    assert page.compare.slider.images[1].pixelColor(5, 5) == first
    page.compare.show_way("beside")
    assert page.compare.pair[1].isVisible()
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    assert page.body.currentIndex() == page.LIST


def test_variations_are_drawn_once_and_found_again(rig: Rig) -> None:
    fill(rig)
    page = enter(rig)
    choose(page, 4, 3)
    page.vary_button.click()
    part = page.variations
    rig.until(lambda: page.body.currentIndex() == page.VARIATIONS)
    assert Axis(part.axes[0].currentData()) is Axis.PLACE and "Fifth Avenue" in part.values[0].toPlainText()
    part.choose(Axis.PLACE_GUIDANCE, Axis.TEXT_GUIDANCE)
    part.values[0].setPlainText("1\n2,5")
    part.values[1].setPlainText("0\n4\n4")
    assert "4 pictures" in part.sentence.text()
    QTest.keyClick(rig.window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    rig.until(lambda: part.progress.text() == "4 of 4")
    cells = [cell for row in part.sheet.cells for cell in row]
    asked = {(cell.request.place_guidance, cell.request.text_guidance) for cell in cells}
    assert asked == {(1.0, 0.0), (1.0, 4.0), (2.5, 0.0), (2.5, 4.0)}
    assert len({cell.request.seed for cell in cells}) == 1
    rig.until(lambda: all(not cell.image.isNull() for cell in cells))
    part.values[0].setPlainText("99")
    assert "99" in part.sentence.text() and not part.draw_button.isEnabled()


@pytest.mark.parametrize(
    ("axis", "text", "reason"),
    [
        (Axis.PLACE, "nowhere", "neither coordinates"),
        (Axis.PLACE, "91, 0", "Latitude"),
        (Axis.PROMPT, "  \n ", "no value"),
        (Axis.SEED, "1.5", "no number"),
        (Axis.SEED, "9" * 5000, "no number"),
        (Axis.STEPS, "0", "no number"),
        (Axis.TEXT_GUIDANCE, "nan", "no number"),
        (Axis.PLACE_GUIDANCE, "inf", "no number"),
        (Axis.PROMPT, "\n".join(map(str, range(50))), "at most"),
    ],
)
def test_values_that_make_no_sense_get_a_sentence(axis: Axis, text: str, reason: str) -> None:
    with pytest.raises(GPSDreamError, match=reason):
        read_values(axis, text)


def test_values_are_read_as_people_write_them() -> None:
    (value, other) = read_values(Axis.PLACE, "40.7411, -73.9897, 90\nflatiron\n", [Place(40.5, -73.5, 3.0, "Flatiron")])
    assert value.value == Place(40.7411, -73.9897, 90.0) and other.value == Place(40.5, -73.5, 3.0, "Flatiron")
    request = GenerateRequest(None, "a church")
    with pytest.raises(GPSDreamError, match="needs a place"):
        grid_requests(request, (Axis.HEADING, [Value(5.0, "5")]), (Axis.PROMPT, [Value("a", "a")]))
    rows = grid_requests(request, (Axis.HEADING, [Value(370.0, "370")]), (Axis.PLACE, [value]))
    assert rows[0][0].place == Place(40.7411, -73.9897, 10.0)
    with pytest.raises(GPSDreamError, match="the same"):
        grid_requests(request, (Axis.SEED, [Value(5, "5")]), (Axis.SEED, [Value(5, "5")]))
    many = [Value(number, str(number)) for number in range(9)]
    with pytest.raises(GPSDreamError, match="81"):
        grid_requests(request, (Axis.SEED, many), (Axis.STEPS, [Value(n + 1, "") for n in range(9)]))


def test_moved_pictures_are_found_again(rig: Rig, tmp_path: Path) -> None:
    results = fill(rig)
    page = enter(rig)
    (tmp_path / "elsewhere").mkdir()
    Path(results[4].path).rename(tmp_path / "elsewhere" / "x.dat")
    page.state.find_again(tmp_path)
    settle(rig)
    assert rig.session.notice is not None and "1 picture found again" in rig.session.notice.text
    page.state.find_again(tmp_path)
    settle(rig)
    assert rig.session.notice.text == "No picture is missing."
    page.state.rebuild()
    settle(rig)
    assert "read again" in rig.session.notice.text and len(shown(page)) == 5


def test_the_grid_goes_by_keys_and_only_looks_at_what_is_in_sight(rig: Rig) -> None:
    fill(rig, 300)
    page = enter(rig)
    grid, model = page.grid, page.state.model
    assert model.rowCount() == 300
    assert model.item(0) is not None and model.item(299) is None, "what is far off is not read"
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, Qt.Key.Key_Right)
    QTest.keyClick(grid, Qt.Key.Key_Down)
    assert grid.currentIndex().row() == 1 + grid.columns
    QTest.keyClick(grid, Qt.Key.Key_End)
    settle(rig)
    assert grid.currentIndex().row() == 299 and model.item(299) is not None
    assert grid.viewport().rect().contains(grid.visualRect(grid.currentIndex()).center())
    assert grid.indexAt(grid.visualRect(grid.currentIndex()).center()).row() == 299
    assert not grid.indexAt(QPoint(-5, 5)).isValid()
    QTest.keyClick(grid, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert grid.chosen_count() == 300 and grid.chosen_rows(3) == [0, 1, 2]
    assert "300 chosen" in page.detail.hint.text()
    grid.scrollTo(model.index(150, 0), QAbstractItemView.ScrollHint.PositionAtCenter)
    assert 150 in grid.rows_in_sight()


def test_the_box_that_a_map_shows() -> None:
    box = box_of(0.0, 0.0, 0.0, 256, 256)
    assert box is not None and box.west == -180 and box.east == 180 and abs(box.north - 85.0511) < 1e-3
    box = box_of(40.75, -73.98, 14.0, 512, 512)
    assert box is not None and box.contains(40.75, -73.98)
    assert abs((box.east - box.west) - 360 / 2**14 * 2) < 1e-9
    assert box_of(40.0, 0.0, 10.0, 0, 0) is None or isinstance(box_of(40.0, 0.0, 10.0, 0, 0), Box)


def test_a_menu_for_each_kind_of_choice(rig: Rig) -> None:
    fill(rig)
    page = enter(rig)

    def words() -> list[str]:
        return [action.text().partition("\t")[0] for action in page.menu().actions() if action.text()]

    choose(page, 4)
    assert {"Use its words", "Use its place", "Use its seed", "Export…", "Delete"} <= set(words())
    choose(page, 2)
    assert "Use its place" not in words()
    choose(page, 1, 2)
    assert "Compare" in words() and "Use its words" not in words()
    assert any("Read all pictures" in action.text() for action in page.more_menu().actions())


def test_what_a_hostile_picture_says_is_only_text(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig().open()
    (result,) = fill(rig, 1)
    library = rig.session.library
    assert library is not None
    name = HOSTILE + "\u202e\n" + "x" * 100
    request = replace(result.request, place=Place(40.7, -73.9, None, name), prompt=HOSTILE * 3)
    library.add(replace(result, request=request, model_title=HOSTILE, path="/../../etc/passwd\0"))
    page = enter(rig)
    choose(page, 0)
    settle(rig)
    assert page.detail.facts.textFormat() is Qt.TextFormat.PlainText
    assert HOSTILE[:20] in page.detail.facts.text()
