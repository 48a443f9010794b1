"""The real window, driven by mouse and keyboard."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRect, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QToolButton,
    QWidget,
)

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import EngineState
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.library.picture_metadata import read_png
from gpsdream_app.ui.film import FilmRole
from gpsdream_app.ui.job_queue import QueuedJob
from gpsdream_app.ui.phrases import unknown_words_text
from gpsdream_app.ui.picture_view import Lesson
from gpsdream_app.ui.session import Notice, Tone
from gpsdream_app.ui.theme import ThemeChoice
from gpsdream_app.ui.widgets import ElidedLabel, TextButton

from .rig import CATHEDRAL, FLATIRON, HOSTILE, Rig, install_card, make_card

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton

# Without a display Qt's offscreen platform says of menus and dialogs what it cannot do with them.
pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support", extend=True)


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, LEFT)


# -- drawing --


def test_the_first_start_teaches(rig: Rig) -> None:
    assert rig.window.picture.view.lesson is Lesson.PICK
    assert [example["name"] for example in rig.map.examples] == [
        "Fifth Avenue & E 23rd St",
        "Fifth Avenue & E 50th St",
        "Fifth Avenue & E 68th St",
    ]
    assert rig.map.city["id"] == "manhattan"
    assert rig.map.coverage["cells"] == [[0, 0, 7]]
    assert "office buildings with awnings" in rig.window.form.prompt.placeholderText()
    assert rig.window.engine_text.text() == "Postcards · Ready"
    rig.map.place_picked.emit(40.74105, -73.98965)
    assert rig.window.picture.view.lesson is Lesson.DRAW
    assert rig.map.pin == (40.74105, -73.98965, None)
    rig.session.form.prompt = "a church"
    assert rig.window.picture.view.lesson is Lesson.READY
    assert "Press Draw" in rig.window.picture.view.lesson_text()[1]


def test_a_drawing_that_waits_teaches_nothing_any_more(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.gate.clear()
    rig.map.example_clicked.emit(0)
    assert rig.window.picture.view.lesson is Lesson.WAIT
    assert rig.window.picture.view.lesson_text()[0] == "Fifth Avenue & E 23rd St"
    engine.gate.set()
    rig.idle()


def test_the_progress_says_what_a_waiting_drawing_waits_for(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.session.engine_text = "Loading U-Net, 2 of 4"
    job = QueuedJob("a", GenerateRequest(None, prompt="a church"))
    assert rig.window.picture.progress_text(job) == "Loading U-Net, 2 of 4"
    rig.open()
    assert rig.window.picture.progress_text(job) == "Waiting for the engine"


def test_without_a_model_nothing_is_said_to_glow(make_rig: MakeRig) -> None:
    rig = make_rig(model="none-such").open()
    assert rig.window.picture.view.lesson is Lesson.CLICK
    assert "glowing" not in rig.window.picture.view.lesson_text()[1]
    assert "“none-such” is not installed" in rig.window.notice.sentence.text()
    assert rig.map.examples == []


def test_a_click_some_words_and_ctrl_enter_draw_a_picture(rig: Rig) -> None:
    rig.map.place_picked.emit(40.74105, -73.98965)
    QTest.keyClicks(rig.window.form.prompt, "a church")
    previews: list[QImage] = []
    rig.session.previewed.connect(previews.append)
    QTest.keyClick(rig.window.form.prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert rig.window.form.prompt.toPlainText() == "a church"
    assert rig.window.rail.queue.count == 1
    rig.idle()
    assert len(previews) == 4
    view = rig.window.picture.view
    assert view.result is not None
    assert view.result.request.prompt == "a church"
    assert view.image.width() == 256
    assert rig.window.rail.queue.count == 0
    rig.until(lambda: bool(rig.map.results))
    assert rig.map.results[0]["current"] is True
    assert rig.map.examples == []


def test_the_draw_button_draws(rig: Rig) -> None:
    rig.session.form.set_place(FLATIRON)
    click(rig.window.draw)
    rig.idle()
    assert rig.window.picture.view.result is not None


def test_an_example_on_the_map_is_drawn(rig: Rig) -> None:
    rig.map.example_clicked.emit(1)
    rig.idle()
    assert rig.window.form.prompt.toPlainText() == "a gothic church"
    assert rig.window.picture.view.result is not None


def test_progress_and_stop(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    rig.draw()
    shown = rig.window.picture.view.result
    engine.script = Script(step_seconds=0.01)
    rig.session.form.steps, rig.session.form.count = 100, 2
    rig.window.draw_now()
    panel = rig.window.picture
    rig.until(lambda: " of 100" in panel.progress.text())
    assert panel.progress.text().startswith("Picture 1 of 2 · ")
    assert "about" in panel.progress.text()
    rig.until(lambda: panel.line.fraction > 0)
    assert rig.window.rail.queue.fraction > 0
    assert rig.session.film.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == "Being drawn now"
    click(panel.stop)
    assert panel.progress.text() == "Stopping…" or not rig.session.queue
    rig.idle()
    assert rig.window.picture.view.result == shown
    assert len(rig.session.film.results) == 1


def test_escape_stops(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.gate.clear()
    rig.session.form.prompt = "a church"
    rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.window.activateWindow()
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    rig.idle()
    assert rig.session.film.results == []
    assert rig.window.picture.view.image.isNull()


def test_the_queue_counts_and_its_card_ends_single_jobs(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.gate.clear()
    rig.session.form.set_place(FLATIRON)
    for _ in range(3):
        rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    assert rig.window.rail.queue.count == 3
    assert "3 not finished" in rig.window.rail.queue.accessibleName()
    click(rig.window.rail.queue)
    card = rig.window.queue_card
    assert card.isVisible()
    assert len(card.rows) == 3
    click(card.rows[1].end)
    rig.until(lambda: len(card.rows) == 2)
    click(card.all)
    rig.idle()
    assert card.empty.isVisible()
    QTest.keyClick(card, Qt.Key.Key_Escape)
    assert not card.isVisible()


def test_watching_again_after_a_look_at_another_picture(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    old = rig.draw()[0]
    engine.gate.clear()
    rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.filmstrip_click(old.id)
    assert rig.window.picture.watch.isVisible()
    click(rig.window.picture.watch)
    assert not rig.window.picture.watch.isVisible()
    engine.gate.set()
    rig.idle()
    shown = rig.window.picture.view.result
    assert shown is not None
    assert shown.id != old.id


# -- failures --


def test_a_failure_stands_in_the_panel_with_its_button(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.play_next(Script(fail_at=1, failure=Failure(ErrorKind.OUT_OF_MEMORY, "Too little memory.", "Close some.")))
    rig.draw()
    bar = rig.window.notice
    assert bar.isVisible()
    assert bar.sentence.text() == "Too little memory."
    assert bar.hint.text() == "Close some."
    assert bar.property("tone") == "error"
    assert QApplication.activeModalWidget() is None
    click(bar.action)
    rig.idle()
    assert not bar.isVisible()
    assert len(rig.session.film.results) == 1


def test_a_notice_covers_nothing_in_the_smallest_window(make_rig: MakeRig) -> None:
    rig = make_rig(window_size=(960, 640)).open()
    window = rig.window
    hint = "It is starting again: draw once more. If it stops again, memory may be short."
    rig.session.notify(Notice(Tone.ERROR, "The drawing engine stopped in the middle of the picture.", hint, "Again"))
    parts = (window.picture, window.notice, window.form_scroll, window.draw)

    def apart() -> bool:
        rects = [part.geometry() for part in parts]
        return all(above.bottom() < below.top() for above, below in pairwise(rects))

    rig.until(apart)
    rig.session.dismiss()
    rig.until(lambda: window.form_scroll.height() > 200)


def test_the_form_is_not_scrolled_where_there_is_room(make_rig: MakeRig) -> None:
    rig = make_rig(window_size=(1900, 1060)).open()
    rig.session.form.prompt = "a church"
    rig.session.form.set_place(Place(40.79, -73.95, 277, "far from any photo"))
    rig.until(lambda: rig.window.form.place.note.isVisible())
    rig.qtbot.wait(20)
    assert rig.window.form_scroll.verticalScrollBar().maximum() == 0


def test_details_unfold_and_are_copied(rig: Rig) -> None:
    rig.session.notify(Notice(Tone.ERROR, "It went wrong.", details="Traceback: <b>line</b>"))
    bar = rig.window.notice
    assert not bar.details.isVisible()
    click(bar.more)
    assert bar.details.isVisible()
    assert bar.details.toPlainText() == "Traceback: <b>line</b>"
    click(bar.copy)
    assert QGuiApplication.clipboard().text() == "Traceback: <b>line</b>"
    click(bar.close_button)
    assert not bar.isVisible()


def test_a_killed_engine_is_a_sentence_and_the_next_click_works(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.play_next(Script(die_at=2))
    rig.draw()
    assert "stopped in the middle" in rig.window.notice.sentence.text()
    click(rig.window.draw)
    rig.idle()
    assert rig.window.picture.view.result is not None
    assert not rig.window.notice.isVisible()


def test_drawing_nothing_is_a_sentence(rig: Rig) -> None:
    click(rig.window.draw)
    assert "neither a place nor a word" in rig.window.notice.sentence.text()


def test_a_prompt_of_ten_thousand_characters_is_a_sentence_and_stays(rig: Rig) -> None:
    text = "brick " * 1667
    rig.session.form.set_place(FLATIRON)
    rig.window.form.prompt.setPlainText(text)
    assert "10,002 characters" in rig.window.form.prompt_note.text()
    click(rig.window.draw)
    assert "10,002 characters" in rig.window.notice.sentence.text()
    assert rig.window.form.prompt.toPlainText() == text
    assert not rig.session.queue


def test_latitude_91_is_a_sentence_and_stays(rig: Rig) -> None:
    form = rig.window.form
    click(form.fold)
    rig.session.form.set_place(FLATIRON)
    form.latitude.setFocus()
    form.latitude.selectAll()
    QTest.keyClicks(form.latitude, "91")
    assert "Latitude 91 is outside" in form.place_error.text()
    assert form.place_error.isVisible()
    assert form.latitude.text() == "91"
    assert form.longitude.text() == "-73.989650"
    click(rig.window.draw)
    assert "Latitude 91 is outside" in rig.window.notice.sentence.text()
    assert not rig.session.queue
    form.latitude.selectAll()
    QTest.keyClicks(form.latitude, "40.75")
    assert not form.place_error.isVisible()
    assert rig.map.pin == (40.75, -73.98965, 119.0)


def test_far_from_any_photo_is_said_before_drawing(rig: Rig) -> None:
    row = rig.window.form.place
    rig.session.form.set_place(FLATIRON)
    assert "photos here" in row.where.text()
    assert not row.note.isVisible()
    rig.session.form.set_place(CATHEDRAL)
    assert "km from the nearest photo" in row.note.text()
    assert row.note.isVisible()
    rig.map.place_picked.emit(40.9, -73.9)
    assert "Outside the area that “Postcards” knows" in row.note.text()
    click(rig.window.draw)
    rig.idle()
    assert rig.window.picture.view.result is not None


def test_the_pin_goes_to_the_nearest_photo(rig: Rig) -> None:
    row = rig.window.form.place
    rig.session.form.set_place(CATHEDRAL)
    assert row.move_pin.isVisible()
    click(row.move_pin)
    place = rig.session.form.place
    assert place is not None
    assert rig.session.photo_distance() == 0
    assert place.heading == CATHEDRAL.heading
    assert rig.map.revealed[-1] == (place.lat, place.lon)
    assert not row.note.isVisible()
    rig.session.form.set_place(replace(FLATIRON, lat=FLATIRON.lat + 0.003))
    assert "m from the nearest photo" in row.note.text()
    assert not row.move_pin.isVisible(), "a few streets away it is enough to say so"


def test_a_result_says_how_far_the_nearest_photo_is(rig: Rig) -> None:
    result = rig.draw(CATHEDRAL)[0]
    panel = rig.window.picture
    far = replace(result, photo_distance=1234.0, typicality_rank=0.75, places_compared=20)
    assert panel.known_text(far) == "Photo 1.2 km away · typicality 75 %"
    assert panel.known_text(replace(result, photo_distance=0.0, typicality_rank=None)) == "Photos here"
    assert panel.facts.text().startswith("Seed ")
    assert "1.2 km from the nearest photo · looking SE, 119°" in panel.view.caption(far)
    assert "Typicality 75 %" in panel.view.caption(far)


# -- words --


def test_words_that_are_not_known_are_told_after_a_pause(make_rig: MakeRig) -> None:
    rig = make_rig(card={"choices": {"vocabulary": ["church", "tall"]}}).open()
    form = rig.window.form
    note = form.words_note
    assert note.text() == "Words that this model has learned"
    rig.session.form.set_place(FLATIRON)
    form.prompt.setFocus()
    height = form.sizeHint().height()
    QTest.keyClicks(form.prompt, "a zeppelin over tall mansions")
    assert note.unknown == (), "not while somebody writes"
    rig.until(lambda: note.unknown == ("zeppelin",))
    assert note.accessibleName() == "This model has not learned “zeppelin”. It will be ignored or misread."
    assert note.text().startswith("This model has not learned “zeppelin”.")
    assert form.sizeHint().height() == height, "nothing moves"
    assert form.prompt.hasFocus()
    assert [item.cursor.selectedText() for item in form.prompt.extraSelections()] == ["zeppelin"]
    form.prompt.setPlainText("tall mansions")
    assert note.unknown == (), "gone at once"
    assert form.prompt.extraSelections() == []


def test_a_card_without_a_vocabulary_reports_no_words(rig: Rig) -> None:
    rig.session.form.prompt = "a zeppelin"
    rig.window.form._show_unknown()
    assert rig.window.form.words_note.text() == "Words that this model has learned"


def test_many_unknown_words_make_one_sentence() -> None:
    assert unknown_words_text(()) == ("", "")
    sentence, rest = unknown_words_text(["zeppelin", "tram", HOSTILE, "ufo"])
    assert sentence == "This model has not learned “zeppelin”, “tram” and 2 more words."
    assert rest == "They will be ignored or misread."


# -- hostile words --


def test_markup_in_a_prompt_is_shown_as_it_is(rig: Rig) -> None:
    rig.draw(prompt=HOSTILE)
    rig.session.notify(Notice(Tone.ERROR, HOSTILE, HOSTILE, HOSTILE, lambda: None, HOSTILE))
    rig.window.queue_card.open_beside(rig.window.rail.queue)
    assert rig.window.form.prompt.toPlainText() == HOSTILE
    for label in rig.window.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text(), label.text()
    for widget in rig.window.findChildren(QWidget):
        assert "<img" not in widget.toolTip()
        assert "<b>" not in widget.toolTip()
    view = rig.window.picture.view
    assert view.result is not None
    assert HOSTILE in view.caption(view.result)
    QTest.mouseMove(view, QPoint(50, 50))
    assert not rig.window.grab().isNull()


# -- strip --


def test_a_click_in_the_strip_moves_the_pin_and_fills_the_form(rig: Rig) -> None:
    first = rig.draw(FLATIRON, "a church")[0]
    rig.draw(CATHEDRAL, "a hotel")
    rig.filmstrip_click(first.id)
    rig.idle()
    assert rig.map.pin == (FLATIRON.lat, FLATIRON.lon, 119.0)
    assert rig.window.form.prompt.toPlainText() == "a church"
    assert rig.window.form.lock.isChecked()
    assert rig.window.picture.view.result == first
    rig.until(lambda: [dot["current"] for dot in rig.map.results if dot["id"] == first.id] == [True])


def test_a_dot_on_the_map_does_the_same(rig: Rig) -> None:
    first = rig.draw(FLATIRON, "a church")[0]
    rig.draw(CATHEDRAL, "a hotel")
    rig.map.result_clicked.emit(first.id)
    rig.idle()
    assert rig.window.picture.view.result == first


def test_arrow_keys_go_through_the_strip_and_delete_deletes(rig: Rig) -> None:
    results = rig.draw(count=3)
    view = rig.window.filmstrip.view
    rig.filmstrip_click(results[2].id)
    QTest.keyClick(view, Qt.Key.Key_Right)
    rig.idle()
    assert rig.window.picture.view.result == results[1]
    QTest.keyClick(view, Qt.Key.Key_Delete)
    rig.idle()
    assert len(rig.session.film.results) == 2
    assert rig.window.notice.action.text() == "Undo"
    click(rig.window.notice.action)
    rig.idle()
    assert len(rig.session.film.results) == 3


def test_thumbnails_come_from_the_background(rig: Rig) -> None:
    result = rig.draw()[0]
    thumbnails = rig.window.filmstrip.view.thumbnails
    rig.until(lambda: thumbnails.get(result, 64) is not None)
    image = thumbnails.get(result, 64)
    assert image is not None
    assert max(image.width(), image.height()) <= 256


def test_places_head_their_pictures(rig: Rig) -> None:
    rig.draw(FLATIRON, count=2)
    rig.draw(CATHEDRAL)
    rig.window.filmstrip.view.viewport().repaint()
    texts = [text for _, text in rig.window.filmstrip.view.headers()]
    assert texts == ["Fifth Avenue & E 50th St", "Fifth Avenue & E 23rd St"]


def test_the_menu_copies_remixes_and_deletes(rig: Rig) -> None:
    result = rig.draw()[0]
    names = {}
    rig.window.show_menu(result, rig.window.mapToGlobal(QPoint(100, 100)))
    menu = rig.window.findChild(QMenu)
    assert menu is not None
    names = {action.text().split("\t")[0]: action for action in menu.actions()}
    names["Copy parameters"].trigger()
    assert "Steps: 4" in QGuiApplication.clipboard().text()
    names["Copy picture"].trigger()
    rig.idle()
    assert QGuiApplication.clipboard().image().width() == 256
    names["Remix with a new seed"].trigger()
    assert rig.session.form.request().same_but_seed(result.request)
    names["Delete"].trigger()
    rig.idle()
    assert rig.session.film.results == []
    menu.close()


def test_a_picture_is_dragged_out_as_its_file(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    result = rig.draw()[0]
    urls: list[QUrl] = []

    class Drag:
        def __init__(self, source: QWidget) -> None:
            self.source = source

        def setMimeData(self, mime: QMimeData) -> None:
            urls.extend(mime.urls())

        def setPixmap(self, pixmap: object) -> None: ...

        def exec(self, actions: Qt.DropAction) -> None: ...

    monkeypatch.setattr("gpsdream_app.ui.filmstrip.QDrag", Drag)
    view = rig.window.filmstrip.view
    view.setCurrentIndex(rig.session.film.index(0, 0))
    view.startDrag(Qt.DropAction.CopyAction)
    assert [Path(url.toLocalFile()) for url in urls] == [Path(result.path)]


# -- saving and dropping --


def test_save_writes_the_parameters(rig: Rig, tmp_path: Path) -> None:
    result = rig.draw()[0]
    click(rig.window.picture.save)
    dialog = rig.window.findChild(QFileDialog)
    assert dialog is not None
    assert "Fifth Avenue & E 23rd St, seed" in dialog.selectedFiles()[0]
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile("mine.png")
    dialog.accept()
    rig.idle()
    assert read_png(tmp_path / "mine.png") == result.request
    assert "Saved as mine.png" in rig.window.notice.sentence.text()
    assert rig.session.settings.save_folder == tmp_path
    rig.window.save_as(result)
    dialog = rig.window.findChild(QFileDialog)
    assert dialog is not None
    assert Path(dialog.selectedFiles()[0]).parent == tmp_path, "the next one goes to the same folder"
    dialog.reject()


def test_the_strip_follows_the_picture_that_is_shown(rig: Rig) -> None:
    first, second = rig.draw()[0], rig.draw(CATHEDRAL)[0]
    view = rig.window.filmstrip.view
    assert view.currentIndex().data(FilmRole.RESULT) == second
    rig.map.result_clicked.emit(first.id)
    rig.idle()
    assert view.currentIndex().data(FilmRole.RESULT) == first
    assert rig.map.revealed[-1] == (FLATIRON.lat, FLATIRON.lon), "the map shows the pin, too"


def drop(rig: Rig, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    args = (Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPointF(300, 300), *args)
    QApplication.sendEvent(rig.window, enter)
    assert enter.isAccepted()
    assert rig.window.veil.isVisible()
    QApplication.sendEvent(rig.window, QDropEvent(QPointF(300, 300), *args))
    assert not rig.window.veil.isVisible()
    rig.idle()


def test_a_dropped_picture_restores_form_and_pin(rig: Rig) -> None:
    result = rig.draw(FLATIRON, "a church")[0]
    rig.session.form.set_place(CATHEDRAL)
    rig.session.form.prompt = "something else"
    drop(rig, Path(result.path))
    assert rig.window.form.prompt.toPlainText() == "a church"
    assert rig.map.pin == (FLATIRON.lat, FLATIRON.lon, 119.0)
    assert rig.session.form.request() == result.request
    assert rig.map.flights[-1][:2] == (FLATIRON.lat, FLATIRON.lon)


def test_a_corrupt_dropped_picture_is_a_sentence(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    rig.session.form.set_place(FLATIRON)
    rig.session.form.prompt = "kept"
    drop(rig, path)
    assert "holiday.png" in rig.window.notice.sentence.text()
    assert rig.window.form.prompt.toPlainText() == "kept"
    assert rig.session.form.place == FLATIRON


def test_a_picture_dropped_on_a_text_is_for_the_window(rig: Rig) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/somewhere/picture.png")])
    mime.setText("/somewhere/picture.png")
    assert not rig.window.form.prompt.canInsertFromMimeData(mime)
    assert [edit for edit in rig.window.findChildren(QLineEdit) if edit.acceptDrops()] == []
    words = QMimeData()
    words.setText("a church")
    assert rig.window.form.prompt.canInsertFromMimeData(words)


def test_a_plain_notice_leaves_by_itself_and_an_error_stays(rig: Rig) -> None:
    rig.window.notice._rest.setInterval(10)
    rig.session.notify(Notice(Tone.PLAIN, "Saved."))
    rig.until(lambda: rig.session.notice is None)
    rig.session.notify(Notice(Tone.ERROR, "Failed."))
    rig.qtbot.wait(50)
    assert rig.window.notice.isVisible()


def test_leaving_lifts_the_veil(rig: Rig) -> None:
    rig.window.veil.cover("Drop it")
    QApplication.sendEvent(rig.window, QDragLeaveEvent())
    assert not rig.window.veil.isVisible()


# -- form --


def test_chips_add_and_remove_words(rig: Rig) -> None:
    chips = rig.window.form.chips
    assert chips.words == ["church", "mansion", "carriages", "awnings", "brownstone houses", "shop & stable"]
    click(chips.chip("church"))
    click(chips.chip("mansion"))
    assert rig.window.form.prompt.toPlainText() == "church, mansion"
    assert chips.chip("church").isChecked()
    click(chips.chip("church"))
    assert rig.window.form.prompt.toPlainText() == "mansion"
    rig.window.form.prompt.setPlainText("an old church")
    assert chips.chip("church").isChecked()


def test_sliders_and_exact_numbers_follow_each_other(rig: Rig) -> None:
    form, state = rig.window.form, rig.session.form
    click(form.fold)
    form.follow_place.slider.setValue(form.follow_place.slider.maximum())
    assert state.place_guidance == 4.0
    assert form.place_guidance.text() == "4.00"
    assert "w_g = 4" in form.follow_place.toolTip()
    form.text_guidance.setFocus()
    form.text_guidance.selectAll()
    QTest.keyClicks(form.text_guidance, "7.25")
    QTest.keyClick(form.text_guidance, Qt.Key.Key_Tab)
    assert state.text_guidance == 7.25
    assert form.follow_words.slider.value() == form.follow_words.slider.maximum()
    assert "w_p = 7.25" in form.follow_words.toolTip()
    form.steps.setFocus()
    QTest.keyClick(form.steps, Qt.Key.Key_Up)
    assert state.steps == 5
    assert form.detail.slider.value() == 5


def test_numbers_that_are_none_are_put_right(rig: Rig) -> None:
    form, state = rig.window.form, rig.session.form
    for text, count in (("", 1), ("abc", 1), ("999", 64), ("0", 1), ("7", 7)):
        form.count.edit.setFocus()
        form.count.edit.selectAll()
        QTest.keyClick(form.count.edit, Qt.Key.Key_Backspace)
        QTest.keyClicks(form.count.edit, text)
        QTest.keyClick(form.count.edit, Qt.Key.Key_Return)
        assert state.count == count
        state.count = 1 if text != "7" else 7
    click(form.count.more)
    assert state.count == 8


def test_a_typed_seed_is_locked_and_the_dice_rolls(rig: Rig) -> None:
    form, state = rig.window.form, rig.session.form
    form.seed.setFocus()
    form.seed.selectAll()
    QTest.keyClicks(form.seed, "4711")
    assert (state.seed, state.seed_locked) == (4711, True)
    first = rig.draw()[0]
    assert first.request.seed == 4711
    click(form.dice)
    assert state.seed != 4711
    click(form.lock)
    assert not state.seed_locked


def test_the_place_can_be_forgotten(rig: Rig) -> None:
    rig.session.form.set_place(FLATIRON)
    click(rig.window.form.place.clear)
    assert rig.map.pin is None
    assert rig.window.form.place.name.text() == "No place chosen"


def test_the_map_turns_the_heading(rig: Rig) -> None:
    rig.map.place_picked.emit(40.74105, -73.98965)
    rig.map.heading_picked.emit(200.0)
    assert rig.window.form.heading.text() == "200"
    assert "looking S, 200°" in rig.window.form.place.where.text()
    rig.map.heading_cleared.emit()
    assert rig.window.form.heading.text() == ""
    assert rig.map.pin == (40.74105, -73.98965, None)


# -- search --


def test_the_search_takes_the_first_hit_on_enter(rig: Rig) -> None:
    search = rig.window.search
    QTest.keyClick(rig.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(search.edit, "5th Ave & E 23rd St")
    QTest.keyClick(search.edit, Qt.Key.Key_Return)
    rig.until(lambda: rig.session.form.place is not None)
    place = rig.session.form.place
    assert place is not None
    assert place.lat == pytest.approx(40.7411, abs=0.002)
    assert "23rd" in place.name
    assert rig.map.flights
    assert not search.card.isVisible()


def test_the_search_forgets_a_place_that_is_left(rig: Rig) -> None:
    rig.window.search.focus()
    QTest.keyClicks(rig.window.search.edit, "flatiron building")
    QTest.keyClick(rig.window.search.edit, Qt.Key.Key_Return)
    rig.until(lambda: rig.session.form.place is not None)
    assert rig.window.search.edit.text() == "Flatiron Building"
    rig.map.heading_picked.emit(90)
    assert rig.window.search.edit.text() == "Flatiron Building"
    rig.map.place_picked.emit(40.75, -73.99)
    assert rig.window.search.edit.text() == ""


def test_the_search_is_walked_by_keys(rig: Rig) -> None:
    search = rig.window.search
    QTest.keyClicks(search.edit, "park")
    rig.until(lambda: search.card.isVisible() and search.hits.count() > 1)
    QTest.keyClick(search.edit, Qt.Key.Key_Down)
    assert search.hits.currentRow() == 1
    QTest.keyClick(search.edit, Qt.Key.Key_Up)
    QTest.keyClick(search.edit, Qt.Key.Key_Up)
    assert search.hits.currentRow() == search.hits.count() - 1
    QTest.keyClick(search.edit, Qt.Key.Key_Escape)
    assert not search.card.isVisible()
    QTest.keyClick(search.edit, Qt.Key.Key_Escape)
    assert search.edit.text() == ""


@pytest.mark.parametrize(
    ("text", "words"), [("91, 10", "Latitude 91 is outside"), ("zzzz <b>qq</b>", "Nothing found for “zzzz <b>qq</b>”")]
)
def test_a_search_without_hits_is_a_sentence(rig: Rig, text: str, words: str) -> None:
    search = rig.window.search
    QTest.keyClicks(search.edit, text)
    rig.until(lambda: search.card.isVisible())
    rig.until(lambda: words in search.sentence.text())
    assert rig.session.form.place is None


# -- look --


def test_the_theme_is_switched_and_remembered(make_rig: MakeRig) -> None:
    rig = make_rig().open()
    click(rig.window.rail.settings)
    card = rig.window.settings_card
    light = rig.window.grab().toImage().pixelColor(rig.window.width() - 4, 4)
    click(card.themes.button(ThemeChoice.DARK))
    assert rig.theme.palette.name == "dark"
    assert rig.map.theme == "dark"
    dark = rig.window.grab().toImage().pixelColor(rig.window.width() - 4, 4)
    assert light.lightness() > 200
    assert dark.lightness() < 60
    assert rig.session.settings.theme is ThemeChoice.DARK
    card.motion.setChecked(True)
    assert rig.map.less_motion
    rig.window.close()
    assert make_rig().session.settings.theme is ThemeChoice.DARK


def test_a_click_beside_a_card_puts_it_away(rig: Rig) -> None:
    click(rig.window.rail.settings)
    assert rig.window.settings_card.isVisible()
    QTest.mouseClick(rig.window.centralWidget().childAt(QPoint(900, 20)), LEFT)
    assert not rig.window.settings_card.isVisible()


@pytest.mark.parametrize("size", [(960, 640), (1280, 800), (1920, 1080)])
@pytest.mark.parametrize("choice", [ThemeChoice.LIGHT, ThemeChoice.DARK])
def test_nothing_is_cut_off(make_rig: MakeRig, size: tuple[int, int], choice: ThemeChoice) -> None:
    rig = make_rig(window_size=size)
    rig.theme.choice = choice
    rig.open()
    rig.draw()
    rig.session.notify(Notice(Tone.ERROR, "The disk is full and the picture could not be kept.", "Make room.", "Again"))
    for unfolded in (False, True):
        rig.window.form.fold.setChecked(unfolded)
        rig.window.rail.settings.click()
        rig.qtbot.wait(20)
        cut = []
        for widget in rig.window.findChildren(QWidget):
            if not widget.isVisible() or isinstance(widget, ElidedLabel):
                continue
            if isinstance(widget, QToolButton) and not widget.text():
                if not QRect(QPoint(0, 0), widget.size()).contains(QRect(QPoint(2, 2), widget.iconSize())):
                    cut.append((type(widget).__name__, widget.accessibleName(), widget.size()))
            elif isinstance(widget, QLabel | QAbstractButton) and (
                widget.width() < widget.minimumSizeHint().width() or widget.height() < widget.minimumSizeHint().height()
            ):
                cut.append((type(widget).__name__, widget.accessibleName() or widget.text(), widget.size()))
        assert cut == []
        rig.window.settings_card.dismiss()
    view = rig.window.picture.view
    assert min(view.picture_rect().width(), view.picture_rect().height()) >= 160


def test_everything_has_a_name_for_screen_readers(rig: Rig) -> None:
    rig.draw()
    rig.window.form.fold.setChecked(True)
    rig.window.rail.settings.click()
    nameless = [
        (type(widget).__name__, widget.objectName())
        for widget in rig.window.findChildren(QWidget)
        if isinstance(widget, QAbstractButton | QLineEdit | QPlainTextEdit | QAbstractSlider)
        and not isinstance(widget, QScrollBar)
        and widget.isVisible()
        and not widget.accessibleName()
        and not (isinstance(widget, QAbstractButton) and widget.text())
    ]
    assert nameless == []
    assert rig.window.picture.view.accessibleDescription()


def test_tab_reaches_every_part(rig: Rig) -> None:
    rig.draw()
    rig.window.form.fold.setChecked(True)
    rig.window.activateWindow()
    rig.window.form.prompt.setFocus()
    seen: list[QWidget] = []
    for _ in range(80):
        focused = QApplication.focusWidget()
        assert focused is not None
        if focused in seen:
            break
        seen.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    window = rig.window
    wanted = [
        window.rail.queue,
        window.rail.settings,
        window.search.edit,
        window.filmstrip.view,
        window.picture.save,
        window.form.prompt,
        window.form.chips.chip("church"),
        window.form.count.edit,
        window.form.seed,
        window.form.dice,
        window.form.lock,
        window.form.follow_place.slider,
        window.form.latitude,
        window.form.negative,
        window.draw,
    ]
    assert [widget for widget in wanted if widget not in seen] == []
    form = window.form
    chips = [seen.index(form.chips.chip(word)) for word in form.chips.words if form.chips.chip(word).isVisible()]
    assert seen.index(form.prompt) < chips[0]
    assert chips == sorted(chips)
    assert chips[-1] < seen.index(form.count.edit)


def test_pictures_fade_unless_less_motion_is_wanted(rig: Rig) -> None:
    view = rig.window.picture.view
    red, blue = (QImage(8, 8, QImage.Format.Format_RGB32) for _ in range(2))
    red.fill(Qt.GlobalColor.red)
    blue.fill(Qt.GlobalColor.blue)
    middle = view.rect().center()
    view.show_picture(red)
    assert view.grab().toImage().pixelColor(middle).red() > 200
    view.show_picture(blue)
    assert view.grab().toImage().pixelColor(middle).blue() > 200
    rig.theme.less_motion = False
    view.show_picture(red)
    assert view.grab().toImage().pixelColor(middle).blue() > 100
    rig.until(lambda: view.grab().toImage().pixelColor(middle).red() > 250)


# -- the end --


def test_the_window_comes_back_as_it_was(make_rig: MakeRig) -> None:
    first = make_rig().open()
    first.window.resize(1111, 777)
    handle = first.window.splitter.handle(1)
    QTest.mousePress(handle, LEFT)
    QTest.mouseMove(handle, handle.rect().center() - QPoint(60, 0))
    QTest.mouseRelease(handle, LEFT, pos=handle.rect().center() - QPoint(60, 0))
    first.session.form.set_place(FLATIRON)
    first.map.view_changed.emit(40.75, -73.98, 15.0)
    first.window.form.fold.setChecked(True)
    sizes = first.window.splitter.sizes()
    first.window.close()
    second = make_rig()
    second.open()
    assert (second.window.width(), second.window.height()) != (0, 0)
    assert second.session.form.place == FLATIRON
    assert second.map.pin == (FLATIRON.lat, FLATIRON.lon, 119.0)
    assert second.map.flights[0] == (40.75, -73.98, 15.0)
    assert second.window.form.fold.isChecked()
    second.window.resize(1111, 777)
    assert second.window.splitter.sizes()[1] == pytest.approx(sizes[1], abs=4)


def test_closing_in_the_middle_leaves_no_thread_and_no_timer(make_rig: MakeRig, qtbot: object) -> None:
    before = set(threading.enumerate())
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    engine.gate.clear()
    rig.session.form.prompt = "a church"
    rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.window.end()
    assert engine.state is EngineState.STOPPED
    assert not rig.window.isVisible()
    left = {thread for thread in threading.enumerate() if thread.is_alive()} - before
    assert left == set()
    window = rig.window
    timers = [
        timer
        for timer in gc.get_objects()
        if isinstance(timer, QTimer) and shiboken6.isValid(timer) and timer.isActive() and timer.parent() is not None
    ]
    assert [timer for timer in timers if timer.parent() is window] == []
    rig.window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert not shiboken6.isValid(window)


def test_another_model_is_chosen_in_the_settings(make_rig: MakeRig) -> None:
    install_card(make_card(name="watercolours", title="Watercolours & ink", words=("bridge",), coverage=None))
    rig = make_rig().open()
    click(rig.window.rail.settings)
    names = {button.accessibleName(): button for button in rig.window.settings_card.findChildren(TextButton)}
    click(names["Watercolours & ink"])
    rig.until(lambda: rig.session.card is not None and rig.session.card.name == "watercolours")
    rig.until(lambda: rig.window.engine_text.text() == "Watercolours & ink · Ready")
    assert rig.window.form.chips.words == ["bridge"]
    assert rig.map.coverage is None
    rig.window.settings_card.dismiss()
    assert rig.draw()[0].request.model == "watercolours"
