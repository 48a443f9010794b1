"""Commands, palette, tour, undo of the form, settings page and opened files, in the real window."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.export.requests_zip import export_requests
from gpsdream_app.library.paths import models_dir
from gpsdream_app.ui.drops import DropKind, guess, recognise
from gpsdream_app.ui.palette import plain, score, short
from gpsdream_app.ui.shortcuts import Command, Commands
from gpsdream_app.ui.state import FormState
from gpsdream_app.ui.theme import ThemeChoice
from gpsdream_app.ui.tour import beside
from gpsdream_app.ui.undo import FormHistory

from .rig import CATHEDRAL, FLATIRON, HOSTILE, Rig, install_card, make_card

MakeRig = Callable[..., Rig]
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support", extend=True)


def press(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(widget, key, modifiers)


def cut_off(part: QWidget) -> list[str]:
    """Return what in a part of the window has less room than it needs."""
    return [
        f"{type(widget).__name__} {widget.accessibleName() or getattr(widget, 'text', lambda: '')()}"
        for widget in part.findChildren(QLabel) + part.findChildren(QAbstractButton)
        if widget.isVisible()
        and widget.sizePolicy().horizontalPolicy() != widget.sizePolicy().Policy.Ignored
        and (widget.width() < widget.minimumSizeHint().width() or widget.height() < widget.minimumSizeHint().height())
    ]


# -- commands and their keys --


def test_every_command_has_a_name_and_its_own_keys(rig: Rig) -> None:
    commands = list(rig.window.comfort.commands)
    assert len({command.text for command in commands}) == len(commands)
    keys = [QKeySequence(keys).toString() for command in commands for keys in command.keys]
    assert len(set(keys)) == len(keys)
    assert all(command.text and command.group for command in commands)


def test_keys_that_are_taken_or_none_are_refused(rig: Rig) -> None:
    commands = Commands(QWidget(rig.window))
    commands.add(Command("One", "Group", lambda: None, ("Ctrl+J",)))
    with pytest.raises(ValueError, match="One"):
        commands.add(Command("Two", "Group", lambda: None, ("ctrl+j",)))
    with pytest.raises(ValueError, match="no key"):
        commands.add(Command("Three", "Group", lambda: None, ("",)))


@pytest.mark.parametrize("size", [(960, 640), (1920, 1080)])
def test_the_keys_are_listed(make_rig: MakeRig, size: tuple[int, int]) -> None:
    rig = make_rig(window_size=size).open()
    sheet = rig.window.comfort.sheet
    press(rig.window, Qt.Key.Key_Question, SHIFT)
    assert sheet.isVisible()
    shown = {text.text() for text in sheet.findChildren(QLabel)}
    for command in rig.window.comfort.commands:
        if command.keys:
            assert command.text in shown
            assert command.keys_text in shown
    assert rig.window.rect().contains(QRect(sheet.mapTo(rig.window, sheet.rect().topLeft()), sheet.size()))
    assert cut_off(sheet) == []
    press(sheet, Qt.Key.Key_Tab)
    press(QApplication.focusWidget() or sheet, Qt.Key.Key_Tab)
    focused = QApplication.focusWidget()
    assert focused is not None
    assert sheet.isAncestorOf(focused)
    press(focused, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_a_question_mark_in_the_prompt_is_a_question_mark(rig: Rig) -> None:
    rig.window.form.prompt.setFocus()
    QTest.keyClicks(rig.window.form.prompt, "who?")
    assert rig.session.form.prompt == "who?"
    assert not rig.window.comfort.sheet.isVisible()


# -- the palette --


def test_words_are_found_by_their_beginnings_and_letters() -> None:
    assert score("", "Draw") == 1
    assert score("dr", "Draw") > score("ra", "Draw") > 0
    assert score("set", "Settings") > score("set", "Reset")
    assert score("cafe", "Café") == score("café", "Cafe") > 0.9
    assert score("nbh", "Neighbourhoods") > 0
    assert score("draw zebra", "Draw") == 0
    assert 0 < score("find", "Search a place", "find street") < score("search", "Search a place", "find street")
    assert plain("ÉCOLE") == "ecole"
    assert score("a" * 1_000_000, "a") == 0
    assert len(short("x" * 1_000_000)) == 120


def test_the_palette_runs_what_is_typed(rig: Rig) -> None:
    palette = rig.window.comfort.palette
    press(rig.window, Qt.Key.Key_K, CTRL)
    assert palette.isVisible()
    assert palette.edit.hasFocus()
    QTest.keyClicks(palette.edit, "dark")
    assert palette.shown[0].text == "Dark colours"
    press(palette.edit, Qt.Key.Key_Return)
    assert not palette.isVisible()
    assert rig.theme.palette.name == "dark"
    assert rig.session.settings.theme is ThemeChoice.DARK


def test_the_palette_opens_from_a_text_and_gives_the_focus_back(rig: Rig) -> None:
    prompt = rig.window.form.prompt
    prompt.setFocus()
    press(prompt, Qt.Key.Key_K, CTRL)
    palette = rig.window.comfort.palette
    assert palette.isVisible()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
        press(palette.edit, key)
    assert palette.list.currentIndex().row() == 1
    press(palette.edit, Qt.Key.Key_Up)
    press(palette.edit, Qt.Key.Key_Up)
    assert palette.list.currentIndex().row() == len(palette.shown) - 1
    press(palette.edit, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert prompt.hasFocus()


def test_the_palette_finds_places_and_models_and_hides_what_cannot_be_done(make_rig: MakeRig) -> None:
    install_card(make_card(name="watercolours", title=HOSTILE))
    rig = make_rig().open()
    palette = rig.window.comfort.palette
    palette.open_here()
    texts = [entry.text for entry in palette.shown]
    assert "Save the picture" not in texts
    assert any(HOSTILE in text for text in texts)
    palette.edit.setText("40.7411, -73.9897")
    rig.until(lambda: any(entry.group == "Place" for entry in palette.shown))
    press(palette.edit, Qt.Key.Key_Return)
    place = rig.session.form.place
    assert place is not None
    assert (round(place.lat, 4), round(place.lon, 4)) == (40.7411, -73.9897)
    rig.draw()
    palette.open_here()
    assert "Save the picture" in [entry.text for entry in palette.shown]
    for text in (HOSTILE, "\0\u202e", "x" * 5000, "'; DROP TABLE results; --"):
        palette.edit.setText(text)
        rig.idle()
    assert palette.empty.isVisible()
    palette.dismiss()


# -- undo of the form --


def history_of(form: FormState) -> FormHistory:
    return FormHistory(form, form)


def test_steps_are_what_a_person_does(qapp: QApplication) -> None:
    form = FormState()
    history = history_of(form)
    assert not history.can_undo
    for text in ("a", "a c", "a church"):
        form.prompt = text
        qapp.processEvents()
    form.set_place(FLATIRON)
    qapp.processEvents()
    form.count = 3
    assert history.undo()
    assert (form.count, form.place, form.prompt) == (1, FLATIRON, "a church")
    assert history.undo()
    assert (form.place, form.latitude_text, form.prompt) == (None, "", "a church")
    assert history.undo()
    assert form.prompt == ""
    assert not history.undo()
    assert [history.redo() for _ in range(4)] == [True, True, True, False]
    assert (form.count, form.place, form.prompt) == (3, FLATIRON, "a church")


def test_taking_a_picture_over_is_one_step_and_a_new_change_ends_redo(qapp: QApplication) -> None:
    form = FormState()
    history = history_of(form)
    form.prompt = "mine"
    qapp.processEvents()
    form.restore(GenerateRequest(place=CATHEDRAL, prompt="theirs", seed=7, steps=9, count=2))
    qapp.processEvents()
    assert history.undo()
    assert (form.prompt, form.place, form.count, form.seed_locked) == ("mine", None, 1, False)
    assert history.redo()
    assert (form.prompt, form.place, form.seed, form.steps) == ("theirs", CATHEDRAL, 7, 9)
    assert history.undo()
    form.prompt = "another"
    assert not history.redo()


def test_a_seed_that_the_program_takes_and_a_name_that_it_looks_up_are_no_steps(qapp: QApplication) -> None:
    form = FormState()
    history = history_of(form)
    form.seed = 5
    form.set_place(Place(40.7, -74.0))
    qapp.processEvents()
    form.name_place(40.7, -74.0, "Here")
    form.take_defaults(make_card(defaults={"steps": 33}))
    history.take_defaults()
    assert history.undo()
    assert (form.place, form.steps) == (None, 33)
    assert not history.can_undo


def test_what_is_no_place_comes_back_as_it_was_typed(qapp: QApplication) -> None:
    form = FormState()
    history = history_of(form)
    form.type_place("91", "5", "")
    qapp.processEvents()
    form.prompt = "x"
    qapp.processEvents()
    form.set_place(FLATIRON)
    history.undo()
    assert (form.latitude_text, form.place) == ("91", None)
    assert form.place_failure is not None


def test_ctrl_z_in_the_prompt_undoes_the_form_and_takes_the_deletion_back_if_that_was_last(rig: Rig) -> None:
    result = rig.draw()[0]
    form, prompt = rig.session.form, rig.window.form.prompt
    prompt.setFocus()
    prompt.setPlainText("a church at night")
    assert form.prompt == "a church at night"
    press(prompt, Qt.Key.Key_Z, CTRL)
    assert form.prompt == "a church"
    assert prompt.toPlainText() == "a church"
    press(prompt, Qt.Key.Key_Z, CTRL | SHIFT)
    assert form.prompt == "a church at night"
    rig.session.delete(result.id)
    rig.idle()
    assert rig.session.film.results == []
    press(prompt, Qt.Key.Key_Z, CTRL)
    rig.idle()
    assert [kept.id for kept in rig.session.film.results] == [result.id]


# -- the tour --


def test_the_tour_has_four_cards_and_is_shown_once(make_rig: MakeRig) -> None:
    rig = make_rig().open()
    rig.window.comfort.begin()
    tour = rig.window.comfort.tour
    assert tour is not None
    titles = []
    for _ in range(4):
        assert tour.isVisible()
        titles.append(tour.title.text())
        assert rig.window.centralWidget().rect().contains(tour.geometry())
        assert cut_off(tour) == []
        assert tour.next.hasFocus()
        press(tour.next, Qt.Key.Key_Space)
    assert len(set(titles)) == 4
    assert not tour.isVisible()
    assert rig.session.settings.tour_seen
    rig.close()
    again = make_rig().open()
    again.window.comfort.begin()
    assert again.window.comfort.tour is None


def test_the_tour_ends_where_its_cards_have_nothing_to_point_at(rig: Rig) -> None:
    rig.window.comfort.show_tour()
    tour = rig.window.comfort.tour
    assert tour is not None and tour.isVisible()
    rig.window.show_landmarks()
    assert not tour.isVisible()


def test_the_program_works_while_the_tour_stands_there_and_escape_ends_it(rig: Rig) -> None:
    rig.window.comfort.begin()
    tour = rig.window.comfort.tour
    assert tour is not None
    rig.map.place_picked.emit(FLATIRON.lat, FLATIRON.lon)
    assert rig.session.form.place is not None
    tour.go(2)
    press(tour, Qt.Key.Key_Left)
    assert tour.at == 1
    press(tour, Qt.Key.Key_Escape)
    assert not tour.isVisible()
    assert rig.session.settings.tour_seen


def test_a_card_stands_beside_what_it_is_about_and_in_the_window() -> None:
    room = QRect(0, 0, 960, 640)
    for about in (
        QRect(0, 0, 72, 640),
        QRect(72, 0, 500, 500),
        QRect(600, 300, 360, 300),
        room,
        QRect(0, 600, 960, 40),
    ):
        corner = beside(about, 320, 180, room)
        card = QRect(corner.x(), corner.y(), 320, 180)
        assert room.contains(card)
        assert about == room or not card.intersects(about)


# -- the settings page --


def test_settings_hold_at_once_and_defaults_can_be_taken_back(rig: Rig) -> None:
    press(rig.window, Qt.Key.Key_Comma, CTRL)
    page = rig.window.comfort.settings_page
    assert page is not None
    assert page.isVisible()
    QTest.mouseClick(page.themes.button(ThemeChoice.DARK), Qt.MouseButton.LeftButton)
    assert rig.theme.palette.name == "dark"
    page.reopen.click()
    settings = rig.session.settings
    assert (settings.theme, settings.reopen_page) == (ThemeChoice.DARK, False)
    page.restore.click()
    assert (settings.theme, settings.reopen_page) == (ThemeChoice.SYSTEM, True)
    assert page.reopen.isChecked()
    page.take_back.click()
    assert (settings.theme, settings.reopen_page) == (ThemeChoice.DARK, False)
    assert rig.theme.palette.name == "dark"
    unnamed = [
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
        and not getattr(widget, "text", str)()
    ]
    assert unnamed == []
    press(rig.window, Qt.Key.Key_1, CTRL)
    assert not page.isVisible()


def test_the_window_starts_where_it_was_left(make_rig: MakeRig) -> None:
    rig = make_rig().open()
    rig.session.settings.tour_seen = True
    rig.window.show_library()
    rig.idle()
    rig.window.close()
    again = make_rig().open()
    again.window.comfort.begin()
    again.idle()
    assert again.window.page_name == "library"
    again.session.settings.reopen_page = False
    again.window.close()
    third = make_rig().open()
    third.window.comfort.begin()
    assert third.window.page_name == "explore"


def test_changes_are_on_the_disk_before_the_end(rig: Rig, gpsdream_home: Path) -> None:
    rig.session.settings.theme = ThemeChoice.DARK
    file = gpsdream_home / "settings.json"
    rig.until(lambda: file.is_file() and json.loads(file.read_text())["theme"] == "dark")


# -- files --


def jpeg(path: Path, place: Place | None) -> Path:
    exif = Image.Exif()
    if place:
        gps = exif.get_ifd(0x8825)
        lat, lon = abs(place.lat), abs(place.lon)
        gps[1], gps[2] = "N" if place.lat >= 0 else "S", (lat, 0.0, 0.0)
        gps[3], gps[4] = "E" if place.lon >= 0 else "W", (lon, 0.0, 0.0)
    Image.new("RGB", (32, 24), "brown").save(path, exif=exif)
    return path


def drop(rig: Rig, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(rig.window, QDragEnterEvent(QPointF(200, 200), copy, data, left, none))
    assert rig.window.veil.isVisible()
    QApplication.sendEvent(rig.window, QDropEvent(QPointF(200, 200), copy, data, left, none))
    rig.idle()


def test_a_photo_brings_the_pin_to_where_it_was_taken(rig: Rig, tmp_path: Path) -> None:
    drop(rig, jpeg(tmp_path / f"{HOSTILE[:4].strip('</>')}b.jpg", FLATIRON))
    place = rig.session.form.place
    assert place is not None
    assert (place.lat, place.lon) == pytest.approx((FLATIRON.lat, FLATIRON.lon), abs=1e-4)
    assert rig.session.notice is not None
    assert rig.session.notice.action == "Import its folder"


def test_a_model_folder_is_used(rig: Rig, tmp_path: Path) -> None:
    folder = install_card(make_card(name="elsewhere", title="Elsewhere"))
    outside = tmp_path / "outside"
    folder.rename(outside)
    assert not (models_dir() / "elsewhere").exists()
    drop(rig, outside)
    assert rig.session.card is not None
    assert rig.session.card.title == "Elsewhere"


def test_requests_are_drawn_when_a_person_wants_it(rig: Rig, tmp_path: Path) -> None:
    results = rig.draw(count=2)
    export_requests(results, tmp_path / "requests.zip")
    drop(rig, tmp_path / "requests.zip")
    notice = rig.session.notice
    assert notice is not None
    assert notice.call is not None
    assert "2 drawings" in notice.text
    assert len(rig.session.film.results) == 2
    notice.call()
    rig.idle()
    assert len(rig.session.film.results) == 4


def test_of_several_files_the_first_good_one_is_opened_and_that_is_said(rig: Rig, tmp_path: Path) -> None:
    bad = tmp_path / "note.txt"
    bad.write_text("hello")
    drop(rig, bad, jpeg(tmp_path / "a.jpg", FLATIRON), jpeg(tmp_path / "b.jpg", CATHEDRAL))
    assert rig.session.form.place is not None
    assert rig.session.form.place.lat == pytest.approx(FLATIRON.lat, abs=1e-4)
    assert rig.session.notice is not None
    assert "first of 3" in rig.session.notice.text


def test_the_veil_says_what_dropping_does(rig: Rig, tmp_path: Path) -> None:
    say = rig.window.comfort.sentence
    names = ("a.png", "a.jpg", "a.geojson", "a.zip", "folder")
    assert len({say([tmp_path / name]) for name in names}) == 5
    assert "files" in say([tmp_path / "a.png", tmp_path / "b.png"])


def test_things_are_known_by_their_content(tmp_path: Path) -> None:
    assert recognise(jpeg(tmp_path / "a.jpg", FLATIRON)).kind is DropKind.PHOTO
    assert recognise(tmp_path).kind is DropKind.FOLDER
    assert guess(tmp_path / "x.GEOJSON") is DropKind.REGIONS
    with pytest.raises(GPSDreamError, match="does not say where"):
        recognise(jpeg(tmp_path / "b.jpg", None))
    (tmp_path / "empty").mkdir()
    with pytest.raises(GPSDreamError, match="neither a model nor photos"):
        recognise(tmp_path / "empty")
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(GPSDreamError) as caught:
        recognise(tmp_path / "weights.safetensors")
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


def bomb() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (60_000, 4_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".zip", ".heic", ".txt", ""])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"PK\x03\x04rubbish", b"\x89PNG\r\n\x1a\nrubbish", b"\xff\xd8\xff\xe1"]
)
def test_rubbish_is_refused_in_a_sentence(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"<b>rubbish</b>{'x' * 150}".replace("/", "_")
    path = path.with_name(path.name + suffix)
    path.write_bytes(content)
    with pytest.raises(GPSDreamError) as caught:
        recognise(path)
    assert len(caught.value.failure.message) < 300


def test_a_picture_of_enormous_size_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb())
    with pytest.raises(GPSDreamError):
        recognise(tmp_path / "bomb.png")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", Path("\0"), Path("x" * 5000)):
        with pytest.raises(GPSDreamError, match="no file"):
            recognise(path)


def test_the_settings_lead_on_and_leave_no_place_of_the_rail_lit(rig: Rig) -> None:
    comfort, window = rig.window.comfort, rig.window
    comfort.show_settings()
    page = comfort.settings_page
    assert page is not None
    places = (window.rail.explore, window.rail.library, window.rail.quality)
    assert not any(button.isChecked() for button in places)
    page.quality.click()
    assert window.quality.isVisible()
    assert window.rail.quality.isChecked()
    comfort.show_settings()
    page.help.click()
    assert window.help is not None
    assert window.help.isVisible()
    comfort.show_settings()
    page.keys.click()
    assert comfort.sheet.isVisible()
    comfort.sheet.dismiss()
    page.tour.click()
    assert comfort.tour is not None
    assert comfort.tour.isVisible()
    assert window.rail.explore.isChecked()
    rig.idle()


def test_the_card_of_settings_follows_what_is_chosen_elsewhere(rig: Rig) -> None:
    rig.window.comfort.show_settings()
    page = rig.window.comfort.settings_page
    assert page is not None
    page.themes.button(ThemeChoice.DARK).click()
    assert rig.window.settings_card.themes.button(ThemeChoice.DARK).isChecked()
