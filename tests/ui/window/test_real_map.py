"""The window with the real map in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.map.view import MapView
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.window import MainWindow

from ..map.driver import Driver
from .rig import MODEL, PATIENCE, FakeEngine, install_card, make_card, user_data_dir


@pytest.fixture
def window(qtbot: QtBot, theme: Theme) -> Iterator[MainWindow]:
    install_card(make_card())
    session = Session(FakeEngine(), Settings(user_data_dir()), model=MODEL)
    window = MainWindow(theme, session)
    window.resize(1280, 800)
    window.show()
    session.start()
    qtbot.waitUntil(lambda: window.map.is_ready and session.pending == 0, timeout=PATIENCE)
    yield window
    window.close()
    window.deleteLater()
    session.deleteLater()


def test_a_click_on_the_real_map_is_drawn(qtbot: QtBot, window: MainWindow) -> None:
    session, board = window.session, window.map
    assert isinstance(board, MapView)
    driver = Driver(qtbot, board)
    session.fly.emit(40.7411, -73.9897, 15.0)
    qtbot.waitUntil(lambda: driver.at is not None, timeout=PATIENCE)
    middle = board.rect().center()
    driver.click(middle)
    qtbot.waitUntil(lambda: session.form.place is not None, timeout=PATIENCE)
    place = session.form.place
    assert place is not None
    assert (place.lat, place.lon) == pytest.approx(driver.place(middle), abs=1e-4)
    qtbot.waitUntil(lambda: bool(session.form.place and session.form.place.name), timeout=PATIENCE)
    window.draw_now()
    qtbot.waitUntil(lambda: not session.queue and session.pending == 0, timeout=PATIENCE)
    assert window.picture.view.result is not None
    assert window.picture.view.result.request.place == session.form.place
    qtbot.waitUntil(lambda: session.settings.view is not None, timeout=PATIENCE)


def test_the_map_opens_where_it_was_left(qtbot: QtBot, theme: Theme) -> None:
    install_card(make_card())
    settings = Settings(user_data_dir())
    settings.view = (40.76, -73.975, 15.0)
    session = Session(FakeEngine(), settings, model=MODEL)
    window = MainWindow(theme, session)
    window.show()
    # The page listens before the city is read: then the view comes while the city is on its way to the page.
    qtbot.waitUntil(lambda: window.map._listening, timeout=PATIENCE)
    driver = Driver(qtbot, window.map)
    session.start()
    left = pytest.approx((40.76, -73.975, 15.0), abs=1e-3)
    qtbot.waitUntil(lambda: session.pending == 0 and driver.at == left, timeout=PATIENCE)
    assert settings.view == left
    window.close()
    window.deleteLater()
    session.deleteLater()


def test_the_search_stands_over_the_map_and_covers_little_of_it(window: MainWindow) -> None:
    area = window.map_area
    assert area.childAt(QPoint(120, 30)) is not window.map
    assert window.search.isAncestorOf(area.childAt(QPoint(120, 30)))
    assert not window.search.geometry().contains(area.rect().center())
    assert window.map.geometry() == QRect(QPoint(0, 0), area.size())


def test_a_picture_dropped_on_the_map_is_for_the_window(window: MainWindow) -> None:
    takers = [widget for widget in window.map.findChildren(QWidget) if widget.acceptDrops()]
    assert takers == []
