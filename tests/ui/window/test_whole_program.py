"""Nothing stands in for anything here: the real map, the real engine in its process, the model that comes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.library.picture_metadata import read_png
from gpsdream_app.ui.map.view import MapView
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.window import MainWindow

from ..map.driver import Driver

PATIENCE = 120_000  # milliseconds; the engine imports torch first
ON_THE_AVENUE = 40.75882, -73.97682  # far from the example places, which draw at once when they are clicked


class Program:
    """The window with everything real behind it."""

    def __init__(self, qtbot: QtBot, theme: Theme) -> None:
        self.qtbot = qtbot
        self.engine = ProcessEngine(device="cpu")
        self.session = Session(self.engine, Settings(user_data_dir()), model=DEFAULT_MODEL)
        self.window = MainWindow(theme, self.session)
        self.window.resize(1280, 800)
        self.window.show()
        self.session.start()
        board = self.window.map
        assert isinstance(board, MapView)
        self.map = board
        self.until(lambda: board.is_ready and self.session.pending == 0)

    def until(self, condition: object) -> None:
        self.qtbot.waitUntil(condition, timeout=PATIENCE)

    def click_the_avenue(self) -> None:
        """Bring the avenue to the middle of the map and click it."""
        driver = Driver(self.qtbot, self.map)
        self.session.fly.emit(*ON_THE_AVENUE, 16.0)
        self.until(lambda: driver.at is not None)
        QTest.qWait(1500)  # the flight
        driver.click(self.map.rect().center())
        self.until(lambda: self.session.form.place is not None)

    def draw(self, steps: int) -> None:
        self.session.form.steps = steps
        self.window.draw_now()

    def close(self) -> None:
        self.window.close()
        self.window.deleteLater()
        self.session.deleteLater()


@pytest.fixture
def program(qtbot: QtBot, theme: Theme) -> Iterator[Program]:
    program = Program(qtbot, theme)
    yield program
    program.close()


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPointF(200, 200), copy, data, left, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(200, 200), copy, data, left, none))


def test_click_draw_save_and_open_again(program: Program, tmp_path: Path) -> None:
    session, window = program.session, program.window
    program.click_the_avenue()
    place = session.form.place
    assert place is not None
    assert (place.lat, place.lon) == pytest.approx(ON_THE_AVENUE, abs=2e-3)
    session.form.prompt = "shop, awning"
    program.draw(steps=6)
    program.until(lambda: not session.queue and session.pending == 0)
    result = window.picture.view.result
    assert result is not None, session.engine_text
    picture = np.asarray(Image.open(result.path).convert("L"), dtype=float)
    assert session.card is not None
    assert picture.shape == (session.card.image_size, session.card.image_size)
    assert picture.std() > 10

    saved = tmp_path / "avenue.png"
    session.save_as(result, saved)
    program.until(lambda: saved.exists() and session.pending == 0)
    assert read_png(saved) == result.request

    session.form.prompt = "something else"
    session.form.set_place(None)
    drop(window, saved)
    program.until(lambda: session.form.place is not None and session.pending == 0)
    assert session.form.prompt == "shop, awning"
    assert session.form.place is not None
    assert (session.form.place.lat, session.form.place.lon) == pytest.approx((place.lat, place.lon), abs=1e-6)


def test_an_engine_that_dies_is_a_sentence_and_the_next_click_works(program: Program) -> None:
    session = program.session
    program.click_the_avenue()
    drawn = len(session.film.results)
    program.draw(steps=200)
    program.until(lambda: session.queue.current is not None and session.queue.current.index > 0)
    assert program.engine.pid is not None
    psutil.Process(program.engine.pid).kill()
    program.until(lambda: session.notice is not None)
    assert session.notice is not None
    assert "engine" in session.notice.text.lower()
    session.dismiss()
    program.draw(steps=4)
    program.until(lambda: not session.queue and session.pending == 0)
    assert len(session.film.results) == drawn + 1


def test_closing_in_mid_draw_leaves_no_process(program: Program) -> None:
    session = program.session
    program.click_the_avenue()
    program.draw(steps=200)
    program.until(lambda: session.queue.current is not None and session.queue.current.index > 0)
    pid = program.engine.pid
    assert pid is not None
    program.window.close()
    session.close()
    program.until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
