"""The Neighbourhoods place, driven by mouse and keyboard, with a scripted engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from gpsdream_app.domain.averages import DEFAULT_SUBSET, AverageRequest, Likeness
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.library.model_folders import find_model, read_card
from gpsdream_app.library.paths import catalogue_path
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.importer import import_folder
from gpsdream_app.ui.neighbourhoods import averages as averages_module
from gpsdream_app.ui.neighbourhoods.averages import CardState, mean_of
from gpsdream_app.ui.neighbourhoods.book import Group, Listed
from gpsdream_app.ui.neighbourhoods.insights import Stage, arrange
from gpsdream_app.ui.neighbourhoods.page import NeighbourhoodsPage
from gpsdream_app.ui.neighbourhoods.region_list import ENTRY
from gpsdream_app.ui.neighbourhoods.state import Export
from gpsdream_app.ui.neighbourhoods.wish import Wish
from gpsdream_app.ui.theme import ThemeChoice

from .rig import HOSTILE, Rig

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton
SQUARE = [[40.7400, -73.9900], [40.7400, -73.9880], [40.7415, -73.9880], [40.7415, -73.9900]]

pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support", extend=True)


@pytest.fixture(autouse=True)
def same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted engine has no weights, and says so of every picture."""
    monkeypatch.setattr(averages_module, "weights_hash", lambda _: "0" * 16)


@pytest.fixture
def places(make_rig: MakeRig) -> Rig:
    """A window with the embedded model's photos behind its card."""
    return make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}).open()


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, LEFT)


def named(page: NeighbourhoodsPage, name: str) -> Listed:
    return next(listed for listed in page.state.book.listed if listed.name == name)


def row_click(page: NeighbourhoodsPage, listed: Listed) -> None:
    view = page.form.list
    index = view.regions.index(view.regions.row_of(listed.id))
    view.scrollTo(index)
    QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(index).center())


def draw(rig: Rig, page: NeighbourhoodsPage) -> None:
    page.draw()
    rig.settle()


def choose_two(rig: Rig, page: NeighbourhoodsPage) -> list[Listed]:
    chosen = [named(page, "Midtown"), named(page, "NoMad")]
    page.state.book.select_only([listed.id for listed in chosen])
    rig.settle()
    return chosen


# -- the first look --


def test_the_first_look_has_six_regions_with_photos_and_one_button(places: Rig) -> None:
    assert places.window.neighbourhoods is None
    click(places.window.rail.neighbourhoods)
    page = places.enter_neighbourhoods()
    cards = page.state.averages.cards
    assert len(cards) == 6
    assert all(card.listed.photos for card in cards)
    assert {"Midtown", "Upper East Side"} <= {card.listed.name for card in cards}
    assert [card.listed.latitude for card in cards] == sorted((card.listed.latitude for card in cards), reverse=True)
    assert [card.state for card in cards] == [CardState.EMPTY] * 6
    assert page.form.draw.isEnabled()
    assert page.form.estimate.text().startswith("about")
    assert {region["id"] for region in places.map.regions if region["selected"]} == {card.listed.id for card in cards}
    assert places.map.fitted
    assert not places.map.picking


def test_drawing_fills_the_cards_and_the_map_with_the_same_noise(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    click(page.form.draw)
    places.settle()
    cards = page.state.averages.cards
    assert [card.state for card in cards] == [CardState.DONE] * 6
    requests = [card.results[0].request for card in cards if card.results[0]]
    assert len(requests) == 6
    assert all(isinstance(request, AverageRequest) for request in requests)
    assert {request.seed for request in requests} == {Wish().seed}
    assert {request.subset for request in requests} == {DEFAULT_SUBSET}
    assert [request.regions[0].region.name for request in requests] == [card.listed.name for card in cards]
    assert not page.form.draw.isEnabled()
    places.until(lambda: sum(region["picture"] is not None for region in places.map.regions) == 6)
    # Averages are not among the pictures of single places.
    assert places.session.film.results == []


def test_averages_are_there_at_once_on_return_and_after_a_restart(make_rig: MakeRig) -> None:
    coverage = {"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}
    first = make_rig(coverage).open()
    page = first.enter_neighbourhoods()
    choose_two(first, page)
    draw(first, page)
    drawn = [card.results[0].id for card in page.state.averages.cards if card.results[0]]
    page.state.averages.change(concept="tree")
    first.settle()
    first.until(lambda: all(card.state is CardState.EMPTY for card in page.state.averages.cards))
    page.state.averages.change(concept="building")
    first.settle()
    first.until(lambda: all(card.state is CardState.DONE for card in page.state.averages.cards))
    first.close()

    second = make_rig(coverage).open()
    page = second.enter_neighbourhoods()
    second.until(lambda: len(page.state.averages.done) == 2)
    assert [card.results[0].id for card in page.state.averages.cards if card.results[0]] == drawn
    assert not page.form.draw.isEnabled()


def test_stop_keeps_what_is_finished_and_drawing_goes_on_from_there(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}, engine=engine).open()
    page = rig.enter_neighbourhoods()
    averages = page.state.averages
    engine.script = Script(step_seconds=0.05)
    click(page.form.draw)
    rig.until(lambda: len(averages.done) == 2)
    assert averages.working
    assert "of 6" in page.facts.text()
    assert page.stop.isVisible()
    click(page.stop)
    rig.settle()
    kept = len(averages.done)
    assert 2 <= kept < 6
    assert {card.state for card in averages.cards} == {CardState.DONE, CardState.EMPTY}
    first = averages.cards[0].results[0]
    engine.script = Script()
    click(page.form.draw)
    rig.settle()
    assert len(averages.done) == 6
    assert averages.cards[0].results[0] == first


def test_a_failure_stands_in_the_panel_with_what_helps(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}, engine=engine).open()
    page = rig.enter_neighbourhoods()
    choose_two(rig, page)
    engine.play_next(Script(fail_at=6))
    draw(rig, page)
    assert page.notice.isVisible()
    assert "memory" in page.notice.sentence.text()
    assert page.notice.action.text() == "Draw again"
    assert len(page.state.averages.done) == 1
    click(page.notice.action)
    rig.settle()
    assert len(page.state.averages.done) == 2
    assert not page.notice.isVisible()


def test_what_is_in_sight_stays_though_the_library_does_not_know_it(
    places: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = places.enter_neighbourhoods()
    choose_two(places, page)
    monkeypatch.setattr(type(places.session.library), "find", lambda *_: None)
    draw(places, page)
    assert len(page.state.averages.done) == 2
    row_click(page, named(page, "Murray Hill"))
    places.settle()
    assert len(page.state.averages.done) == 2
    assert [card.listed.name for card in page.state.averages.missing] == ["Murray Hill"]
    page.state.averages.change(concept="tree")
    places.settle()
    places.until(lambda: not page.state.averages.done)


def test_a_region_without_photos_is_marked_and_not_hidden(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    chelsea = named(page, "Chelsea")
    assert chelsea.photos == 0
    row_click(page, chelsea)
    places.settle()
    button = page.grid.button(chelsea.id)
    assert "no photos here" in button.accessibleName()
    draw(places, page)
    assert page.state.averages.card(chelsea.id).state is CardState.DONE
    assert next(region for region in places.map.regions if region["id"] == chelsea.id)["photos"] == 0


# -- choosing --


def test_the_map_and_the_list_choose_the_same_regions(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    murray = named(page, "Murray Hill")
    places.map.region_clicked.emit(murray.id)
    assert page.state.book.is_selected(murray.id)
    index = page.form.list.regions.index(page.form.list.regions.row_of(murray.id))
    assert index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
    row_click(page, murray)
    assert not page.state.book.is_selected(murray.id)
    QTest.keyClick(page.form.list, Qt.Key.Key_Space)
    assert page.state.book.is_selected(murray.id)
    click(page.form.none)
    assert page.state.averages.cards == []
    assert page.empty.isVisible()
    click(page.form.first)
    assert len(page.state.averages.cards) == 6


def test_a_search_finds_streets_which_become_regions(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    QTest.keyClicks(page.form.search, "madison av")
    model = page.form.list.regions
    entries = [model.index(row).data(ENTRY) for row in range(model.rowCount())]
    assert "Madison Avenue" in entries
    QTest.keyClick(page.form.search, Qt.Key.Key_Down)
    QTest.keyClick(page.form.list, Qt.Key.Key_Space)
    places.settle()
    street = next(listed for listed in page.state.book.listed if listed.group is Group.STREET)
    assert street.name == "Madison Avenue"
    assert street.region.is_corridor
    assert page.state.book.is_selected(street.id)
    QTest.keyClick(page.form.search, Qt.Key.Key_Escape)
    assert page.form.search.text() == ""


def test_the_concept_is_chosen_by_chip_or_written(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    click(page.form.chips.chip("tree"))
    assert page.state.averages.wish.concept == "tree"
    assert page.title.text() == "The average tree"
    page.form.concept.setFocus()
    page.form.concept.clear()
    QTest.keyClicks(page.form.concept, HOSTILE[:40])
    QTest.keyClick(page.form.concept, Qt.Key.Key_Tab)
    assert page.state.averages.wish.concept == HOSTILE[:40]
    assert HOSTILE[:40] in page.title.text()
    page.form.concept.clear()
    page.form.concept.editingFinished.emit()
    assert page.title.text() == "The average place"
    places.settle()


# -- own regions --


def test_a_drawn_region_gets_a_name_is_averaged_and_comes_back_after_a_restart(make_rig: MakeRig) -> None:
    coverage = {"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}
    rig = make_rig(coverage).open()
    page = rig.enter_neighbourhoods()
    click(page.form.none)
    click(page.tools.polygon)
    assert rig.map.drawing == "polygon"
    assert "corners" in page.tools.accessibleDescription()
    rig.map.region_drawn.emit("polygon", SQUARE)
    rig.map.stop_drawing()
    rig.settle()
    assert page.tools.tool == ""
    [own] = [listed for listed in page.state.book.listed if listed.group is Group.OWN]
    editor = page.form.list.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == "My region 1"
    QTest.keyClicks(editor, "Around the")
    # Somebody clicks the map meanwhile; what is written stays.
    rig.map.region_clicked.emit(named(page, "Chelsea").id)
    rig.map.region_clicked.emit(named(page, "Chelsea").id)
    QTest.keyClicks(editor, " Flatiron")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    rig.until(lambda: page.state.book.get(own.id).name != "My region 1")
    assert page.state.book.is_selected(own.id)
    rig.settle()
    assert page.state.book.get(own.id).name == "Around the Flatiron"
    draw(rig, page)
    assert page.state.averages.card(own.id).state is CardState.DONE
    rig.close()

    again = make_rig(coverage).open()
    page = again.enter_neighbourhoods()
    again.until(lambda: len(page.state.averages.done) == 1)
    assert page.state.averages.cards[0].listed.name == "Around the Flatiron"


def test_own_regions_are_reshaped_deleted_and_brought_back(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    places.map.region_drawn.emit("rectangle", SQUARE)
    places.settle()
    [own] = [listed for listed in page.state.book.listed if listed.group is Group.OWN]
    page.edit_region(own.id)
    assert places.map.drawing == "edit"
    larger = [[lat + (0.002 if lat > 40.7410 else 0), lon] for lat, lon in SQUARE]
    places.map.region_edited.emit(own.id, [[larger]])
    places.map.stop_drawing()
    places.settle()
    assert page.state.book.get(own.id).region.box[2] == pytest.approx(40.7435)
    page.form.list.delete_asked.emit(own.id)
    places.settle()
    assert page.state.book.get(own.id) is None
    assert page.tools.undo.isVisible()
    QTest.keyClick(places.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    places.settle()
    assert page.state.book.get(own.id).region.box[2] == pytest.approx(40.7435)
    click(page.tools.undo)
    places.settle()
    assert page.state.book.get(own.id).region.box[2] == pytest.approx(40.7415)


def test_escape_and_undo_belong_to_the_drawing_while_there_is_one(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    click(page.tools.rectangle)
    QTest.keyClick(places.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert places.map.undone == 1
    QTest.keyClick(places.window, Qt.Key.Key_Escape)
    assert places.map.drawing == ""
    assert not page.tools.rectangle.isChecked()


def test_a_region_that_cannot_be_is_a_sentence(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    places.map.region_drawn.emit("polygon", [[10.0, 10.0], [10.0, 10.1], [10.1, 10.1]])
    places.settle()
    assert page.notice.isVisible()
    assert page.notice.sentence.text()
    assert not [listed for listed in page.state.book.listed if listed.group is Group.OWN]


def geojson(path: Path, name: str) -> Path:
    ring = [[lon, lat] for lat, lon in [*SQUARE, SQUARE[0]]]
    feature = {
        "type": "Feature",
        "properties": {"name": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    return path


def test_regions_come_from_a_file_that_is_dropped_and_go_into_one(places: Rig, tmp_path: Path) -> None:
    path = geojson(tmp_path / "mine.geojson", HOSTILE[:60])
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(places.window, QDragEnterEvent(QPointF(200, 200), copy, data, LEFT, none))
    QApplication.sendEvent(places.window, QDropEvent(QPointF(200, 200), copy, data, LEFT, none))
    page = places.window.neighbourhoods
    assert page is not None
    places.until(lambda: any(listed.group is Group.OWN for listed in page.state.book.listed))
    places.settle()
    [own] = [listed for listed in page.state.book.listed if listed.group is Group.OWN]
    assert "<img" in own.name
    page.state.book.select_only([own.id])
    out = tmp_path / "out.geojson"
    page.state.export_regions(out)
    places.until(out.is_file)
    places.settle()
    [feature] = json.loads(out.read_text(encoding="utf-8"))["features"]
    assert feature["properties"]["name"] == own.name


# -- one region --


def test_a_card_opens_large_and_two_are_compared(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    first, second = choose_two(places, page)
    draw(places, page)
    click(page.grid.button(first.id))
    region = page.region
    assert region.isVisible()
    assert region.name.text() == "Midtown"
    assert not region.view.compares
    region.compare_with.setCurrentIndex(region.compare_with.findData(second.id))
    region.compare_with.activated.emit(region.compare_with.currentIndex())
    assert region.view.compares
    rect = region.view.picture_rect()
    QTest.mouseClick(region.view, LEFT, pos=QPoint(rect.left() + rect.width() // 4, rect.center().y()))
    assert region.view.share == pytest.approx(0.25, abs=0.02)
    QTest.keyClick(region.view, Qt.Key.Key_Right)
    assert region.view.share == pytest.approx(0.27, abs=0.02)
    assert "Midtown" in region.view.accessibleName()
    QTest.keyClick(region.view, Qt.Key.Key_Escape)
    assert page.grid_scroll.isVisible()


def test_the_variety_shows_single_draws_behind_the_average(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    first, _ = choose_two(places, page)
    draw(places, page)
    page.show_region(first.id)
    click(page.region.variety)
    places.settle()
    variety = page.state.variety
    assert variety.stage is Stage.DONE
    assert len(variety.images) == 16
    assert all(not image.isNull() for image in page.region.sheet.images)
    behind = page.state.averages.places_of(first.id).places
    assert set(variety.places) <= set(behind)
    assert "16 single draws" in page.region.variety_bar.sentence.text()


def test_typical_patches_need_photos_of_ones_own(places: Rig, tmp_path: Path) -> None:
    page = places.enter_neighbourhoods()
    first, _ = choose_two(places, page)
    draw(places, page)
    page.show_region(first.id)
    click(page.region.typical)
    places.settle()
    assert page.state.typical.stage is Stage.NOTHING
    assert "None of your photos" in page.region.typical_bar.sentence.text()


def test_another_noise_is_drawn_for_all_and_can_be_gone_back_from(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    choose_two(places, page)
    draw(places, page)
    averages = page.state.averages
    before = [card.results[0].id for card in averages.cards]
    click(page.add_noise)
    places.settle()
    places.until(lambda: len(averages.done) == 2)
    assert averages.noise == 1
    assert [card.results[0].id for card in averages.cards] == before
    assert {card.results[1].request.seed for card in averages.cards} == {averages.wish.seed + 1}
    click(page.fewer_noise)
    assert averages.noise == 0
    assert page.noise.text() == "noise 1 of 2"


def test_likeness_is_asked_once_and_shown_as_a_tree(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    choose_two(places, page)
    draw(places, page)
    assert not page.alike.isEnabled()
    click(page.form.first)
    places.settle()
    draw(places, page)
    assert page.alike.isEnabled()
    click(page.alike)
    places.settle()
    places.until(lambda: page.likeness.alike is not None)
    alike = page.likeness.alike
    assert sorted(alike.names) == sorted(card.listed.name for card in page.state.averages.cards)
    assert len(alike.merges) == 5
    assert "most alike" in page.likeness_bar.sentence.text()
    jobs = len(places.session.queue)
    page.show_grid()
    click(page.alike)
    assert len(places.session.queue) == jobs
    assert page.state.likeness.stage is Stage.DONE


def test_what_is_alike_stands_side_by_side() -> None:
    rows = ((0.0, 0.9, 0.1), (0.9, 0.0, 0.8), (0.1, 0.8, 0.0))
    alike = arrange(("a", "b", "c"), ("A", "B", "C"), Likeness(rows, "something"))
    assert abs(alike.ids.index("a") - alike.ids.index("c")) == 1
    assert set(alike.nearest()) == {"A", "C"}
    assert set(alike.farthest()) == {"A", "B"}
    first, second, height = alike.merges[0]
    assert {alike.ids[first], alike.ids[second]} == {"a", "c"}
    assert height == pytest.approx(0.1)
    assert alike.merges[1][2] == pytest.approx(0.85)


def test_the_mean_of_pictures_is_their_mean() -> None:
    black, white = QImage(4, 4, QImage.Format.Format_RGB888), QImage(8, 8, QImage.Format.Format_RGB888)
    black.fill(Qt.GlobalColor.black)
    white.fill(Qt.GlobalColor.white)
    mean = mean_of([black, white])
    assert mean.size() == black.size()
    assert mean.pixelColor(2, 2).red() in (127, 128)
    assert mean_of([]).isNull()


# -- files --


@pytest.mark.parametrize("kind", list(Export))
def test_averages_are_written_in_the_background(places: Rig, tmp_path: Path, kind: Export) -> None:
    page = places.enter_neighbourhoods()
    choose_two(places, page)
    draw(places, page)
    name = {Export.PICTURE: "a.png", Export.PICTURES: "folder", Export.GEOJSON: "a.geojson", Export.WEB_MAP: "a.html"}
    out = tmp_path / name[kind]
    page.state.export(kind, out)
    assert not page.export.isEnabled()
    places.until(lambda: not page.state.exporting)
    assert out.exists()
    assert page.notice.action.text() == "Show in folder"
    if kind is Export.PICTURES:
        assert len(list(out.glob("*.png"))) == 2
    elif kind is Export.PICTURE:
        with Image.open(out) as image:
            assert image.width > 256
    else:
        assert "Midtown" in out.read_text(encoding="utf-8")
    places.settle()


# -- the walk --


def walk_of(rig: Rig, page: NeighbourhoodsPage, count: int) -> None:
    page.show_walk()
    rig.until(lambda: bool(page.state.walk.line))
    page.state.walk.change(count=count)
    rig.until(lambda: page.state.walk.request is not None and page.state.walk.request.count == count)
    rig.settle()


def test_a_walk_is_drawn_played_and_goes_on_where_it_was_stopped(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}, engine=engine).open()
    page = rig.enter_neighbourhoods()
    walk = page.state.walk
    walk_of(rig, page, 8)
    assert walk.title == "Fifth Avenue"
    assert len(rig.map.walk[0]) == 8
    engine.script = Script(step_seconds=0.03)
    click(page.walk_form.draw)
    rig.until(lambda: walk.drawn >= 3)
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    rig.settle()
    kept = walk.drawn
    assert 3 <= kept < 8
    assert page.walk_form.draw.text() == "Go on"
    engine.script = Script()
    click(page.walk_form.draw)
    rig.settle()
    assert walk.complete
    click(page.walk.play)
    assert walk.playing
    rig.until(lambda: walk.index >= 2)
    page.walk.strip.chosen.emit(5)
    assert not walk.playing
    assert walk.index == 5
    rig.until(lambda: rig.map.walk[1] == 5)
    assert not walk.image.isNull()


def test_a_walk_along_a_drawn_line_becomes_a_film(places: Rig, tmp_path: Path) -> None:
    page = places.enter_neighbourhoods()
    click(page.tools.line)
    assert places.map.drawing == "line"
    places.map.region_drawn.emit("line", [[40.7411, -73.9897], [40.7484, -73.9846]])
    places.map.stop_drawing()
    assert page.walking
    walk = page.state.walk
    walk.change(count=4)
    places.until(lambda: walk.request is not None and walk.request.count == 4)
    places.settle()
    page.draw()
    places.settle()
    assert walk.complete
    film = tmp_path / "walk.mp4"
    walk.save(film)
    places.until(film.is_file)
    places.until(lambda: walk.saving is None)
    assert film.stat().st_size > 1000
    strip = tmp_path / "strip.png"
    page.state.export_walk_strip(strip)
    places.until(strip.is_file)
    places.until(lambda: not page.state.exporting)


# -- the map has one owner --


def test_the_map_goes_back_to_explore_with_pin_and_dots(places: Rig) -> None:
    [result] = places.draw(Place(40.7411, -73.9897, 119.0, "Flatiron"))
    page = places.enter_neighbourhoods()
    assert places.map.pin is None
    assert places.map.results == []
    assert places.map.regions
    assert not places.window.panel.isVisible()
    places.map.place_picked.emit(40.75, -73.98)
    assert places.session.form.place.lat == pytest.approx(40.7411)
    QTest.keyClick(places.window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert places.window.panel.isVisible()
    assert places.window.rail.explore.isChecked()
    assert places.map.regions == []
    assert places.map.pin == (40.7411, -73.9897, 119.0)
    assert [dot["id"] for dot in places.map.results] == [result.id]
    assert places.map.picking
    QTest.keyClick(places.window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert page.isVisible()
    assert places.map.regions


def test_explore_draws_beside_averages_and_says_what_it_waits_for(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}, engine=engine).open()
    page = rig.enter_neighbourhoods()
    engine.gate.clear()
    page.draw()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.window.show_page(rig.window.splitter)
    assert not rig.window.picture.line.isVisible()
    rig.session.form.set_place(Place(40.7411, -73.9897, 119.0))
    rig.window.draw_now()
    job = rig.session.queue.first_single
    assert job is not None
    assert rig.window.picture.progress_text(job) == "Waiting for: Averages of 6 regions: building"
    rig.session.stop()
    engine.gate.set()
    rig.settle()
    assert len(page.state.averages.done) == 6
    assert rig.session.film.results == []


# -- for everybody --


@pytest.mark.parametrize("size", [(960, 640), (1280, 800), (1920, 1080)])
def test_it_fits_every_size_in_both_themes(make_rig: MakeRig, size: tuple[int, int]) -> None:
    rig = make_rig({"coverage": read_card(find_model(DEFAULT_MODEL)).coverage}, window_size=size).open()
    page = rig.enter_neighbourhoods()
    choose_two(rig, page)
    draw(rig, page)
    rig.theme.choice = ThemeChoice.DARK
    for button in page.grid.buttons:
        assert button.width() >= 120
        assert page.grid.rect().contains(button.geometry())
    assert page.geometry().right() <= rig.window.splitter.width()
    assert page.form.draw.mapTo(page, QPoint(0, page.form.draw.height())).y() <= page.height()


def test_everything_that_can_be_pressed_has_a_name(places: Rig) -> None:
    page = places.enter_neighbourhoods()
    choose_two(places, page)
    draw(places, page)
    for button in [*page.findChildren(QAbstractButton), *page.tools.findChildren(QAbstractButton)]:
        if not page.notice.isAncestorOf(button):  # whose action has a name when there is one
            assert button.accessibleName() or button.text(), button


def test_a_wish_survives_what_a_file_may_hold() -> None:
    assert Wish.from_dict(Wish(concept="tree", exact=True, places=64).to_dict()) == Wish("tree", exact=True, places=64)
    assert Wish.from_dict({"places": 10**9, "noises": True, "seed": -1, "sampling": "given", "concept": 3}) == Wish()
    assert Wish.from_dict([]) == Wish()


def test_typical_patches_come_from_the_catalogue(places: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        image = Image.new("RGB", (160, 120), (90 + 40 * number, 120, 90))
        exif = Image.Exif()
        gps = exif.get_ifd(0x8825)
        gps.update({1: "N", 2: (40.0, 45.0, 35.0 + number), 3: "W", 4: (73.0, 58.0, 36.0)})
        image.save(folder / f"{number}.jpg", exif=exif)
    with Catalogue(catalogue_path()) as catalogue:
        import_folder(folder, catalogue, workers=0)
    page = places.enter_neighbourhoods()
    midtown, _ = choose_two(places, page)
    draw(places, page)
    page.show_region(midtown.id)
    click(page.region.typical)
    places.settle()
    places.until(lambda: bool(page.region.patches.images))
    assert page.state.typical.stage is Stage.DONE
    assert page.state.typical.photos_looked_at == 3
