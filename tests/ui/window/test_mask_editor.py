"""Marking a landmark in photos with polygon, brush and eraser; what is marked lies on the disk when one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.landmarks.framing import read_mask
from gpsdream_app.library.landmarks import LandmarkEntry
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.ui.landmarks.mask_editor import MaskEditor, Tool
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme

PATIENCE = 60_000  # milliseconds
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(FakeEngine(), Settings(user_data_dir()))
    yield session
    session.close()


@pytest.fixture
def entry(tmp_path: Path) -> LandmarkEntry:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b <i>"):
        Image.new("RGB", (200, 100), (90, 120, 160)).save(photos / f"{name}.jpg")
    (photos / "c.jpg").write_bytes(b"no picture")
    return LandmarkEntry(LANDMARKS[0], photos=photos)


@pytest.fixture
def editor(qtbot: QtBot, theme: Theme, session: Session, entry: LandmarkEntry) -> MaskEditor:
    editor = MaskEditor(session, entry, theme=theme)
    qtbot.addWidget(editor)
    editor.resize(700, 500)
    editor.show()
    qtbot.waitUntil(lambda: editor.sheet is not None, timeout=PATIENCE)
    return editor


def at(editor: MaskEditor, x: float, y: float) -> QPoint:
    return editor.canvas.to_widget(QPointF(x, y)).toPoint()


def polygon(editor: MaskEditor) -> None:
    for x, y in ((50, 20), (150, 20), (150, 80), (50, 80)):
        QTest.mouseClick(editor.canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, x, y))
    QTest.keyClick(editor.canvas, Qt.Key.Key_Return)


def marked(editor: MaskEditor, file: str) -> np.ndarray:
    return read_mask(editor.masks / file, (200, 100))


def test_a_polygon_is_saved_when_one_goes_on(editor: MaskEditor, qtbot: QtBot) -> None:
    polygon(editor)
    with qtbot.waitSignal(editor.shown, timeout=PATIENCE):
        editor.next_button.click()
    assert editor.index == 1
    assert "b <i>.jpg" in editor.name.text()
    mask = marked(editor, "a.png")
    assert mask[50, 100] == 1
    assert mask[10, 100] == mask[50, 30] == 0
    assert mask.mean() == pytest.approx(100 * 60 / (200 * 100), abs=0.02)
    # It is there again when one goes back, and nothing was written for a photo that was only looked at.
    with qtbot.waitSignal(editor.shown, timeout=PATIENCE):
        editor.back_button.click()
    assert editor.canvas.marked.pixelColor(100, 50).value() == 255
    assert [path.name for path in editor.masks.iterdir()] == ["a.png"]


def test_brush_and_eraser_draw_where_the_pointer_is(editor: MaskEditor, qtbot: QtBot) -> None:
    editor.use(Tool.BRUSH)
    editor.size_slider.setValue(20)
    canvas = editor.canvas
    QTest.mousePress(canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, 40, 50))
    QTest.mouseMove(canvas, at(editor, 160, 50))
    QTest.mouseRelease(canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, 160, 50))
    assert canvas.marked.pixelColor(100, 50).value() == 255
    assert canvas.marked.pixelColor(100, 57).value() == 255
    assert canvas.marked.pixelColor(100, 64).value() == 0
    editor.use(Tool.ERASER)
    QTest.mouseClick(canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, 100, 50))
    assert canvas.marked.pixelColor(100, 50).value() == 0
    assert canvas.marked.pixelColor(60, 50).value() == 255
    with qtbot.waitSignal(editor.finished, timeout=PATIENCE):
        editor.accept()
    assert marked(editor, "a.png")[50, 60] == 1


def test_undo_and_redo(editor: MaskEditor) -> None:
    assert not editor.undo_button.isEnabled()
    polygon(editor)
    editor.undo_button.click()
    assert editor.canvas.marked.pixelColor(100, 50).value() == 0
    editor.canvas.redo()
    assert editor.canvas.marked.pixelColor(100, 50).value() == 255
    editor.clear_button.click()
    assert editor.canvas.marked.pixelColor(100, 50).value() == 0
    editor.canvas.undo()
    assert editor.canvas.marked.pixelColor(100, 50).value() == 255
    # A corner is a step, too; Escape forgets them without closing the dialog.
    QTest.mouseClick(editor.canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, 10, 10))
    QTest.mouseClick(editor.canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(editor, 30, 10))
    QTest.keyClick(editor.canvas, Qt.Key.Key_Backspace)
    assert len(editor.canvas.corners) == 1
    QTest.keyClick(editor.canvas, Qt.Key.Key_Escape)
    assert editor.canvas.corners == []
    assert editor.isVisible()


def test_zoom_keeps_what_is_under_the_pointer(editor: MaskEditor) -> None:
    point = QPointF(at(editor, 120, 40))
    before = editor.canvas.to_photo(point)
    editor.canvas.zoom_by(4.0, point)
    after = editor.canvas.to_photo(point)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()), abs=0.01)
    polygon_at = at(editor, 120, 40)
    assert abs(polygon_at.x() - point.x()) <= 1
    editor.canvas.fit()
    assert editor.canvas.to_photo(point).x() == pytest.approx(before.x(), abs=0.01)


def test_a_photo_that_cannot_be_read_is_a_sentence(editor: MaskEditor, qtbot: QtBot) -> None:
    with qtbot.waitSignal(editor.shown, timeout=PATIENCE):
        editor.go(2)
    assert "cannot be read" in editor.sentence.text()
    assert editor.sheet is None
    polygon(editor)  # nothing to draw on
    with qtbot.waitSignal(editor.finished, timeout=PATIENCE):
        editor.reject()


def test_a_disk_that_refuses_keeps_the_dialog_open_once(editor: MaskEditor, qtbot: QtBot) -> None:
    editor.masks.write_text("a file where the folder should be")
    polygon(editor)
    editor.accept()
    qtbot.waitUntil(lambda: "was not saved" in editor.sentence.text(), timeout=PATIENCE)
    assert editor.isVisible()
    with qtbot.waitSignal(editor.finished, timeout=PATIENCE):
        editor.reject()


def test_no_folder_and_an_empty_folder_are_sentences(
    qtbot: QtBot, theme: Theme, session: Session, tmp_path: Path
) -> None:
    first = MaskEditor(session, LandmarkEntry(LANDMARKS[0]), theme=theme)
    qtbot.addWidget(first)
    assert "no folder" in first.sentence.text()
    second = MaskEditor(session, LandmarkEntry(LANDMARKS[0], photos=tmp_path), theme=theme)
    qtbot.addWidget(second)
    qtbot.waitUntil(lambda: "no photos" in second.sentence.text(), timeout=PATIENCE)
