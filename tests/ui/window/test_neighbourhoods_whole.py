"""The Neighbourhoods place with nothing that stands in for anything: real map, real engine, embedded model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.geo.regions import contains
from gpsdream_app.ui.map.view import MapView
from gpsdream_app.ui.neighbourhoods.averages import CardState
from gpsdream_app.ui.neighbourhoods.book import Group
from gpsdream_app.ui.neighbourhoods.state import Export
from gpsdream_app.ui.theme import Theme

from ..map.driver import Driver
from .test_whole_program import Program

PATIENCE = 900_000  # milliseconds; the engine imports torch first, on a machine that may be busy
MADISON_SQUARE = 40.7420, -73.9885


class Patient(Program):
    """The program, waited for as long as an average takes."""

    def until(self, condition: object) -> None:
        self.qtbot.waitUntil(condition, timeout=PATIENCE)


@pytest.fixture
def program(qtbot: QtBot, theme: Theme) -> Iterator[Program]:
    program = Patient(qtbot, theme)
    yield program
    program.close()


class Listener(QWebEngineUrlRequestInterceptor):
    """Notes what a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        self.asked.append(info.requestUrl().toString()[:200])


def test_a_region_is_drawn_with_the_mouse_averaged_seen_and_shared(
    program: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    session, window = program.session, program.window
    window.activateWindow()
    page = window.show_neighbourhoods()
    state, board = page.state, window.map
    assert isinstance(board, MapView)
    program.until(lambda: state.book.is_read and state.idle)
    page.form.none.click()
    driver = Driver(qtbot, board)
    QTest.qWait(1500)  # the flight to the six
    board.fly_to(*MADISON_SQUARE, 15.0)
    program.until(lambda: driver.at is not None and driver.at[2] == 15.0)
    QTest.qWait(1500)
    # The polygon.
    page.tools.polygon.click()
    driver.wait_js("!document.getElementById('hint').hidden")
    middle = board.rect().center()
    corners = [middle + QPoint(dx, dy) for dx, dy in ((-70, -70), (70, -80), (80, 70), (-60, 80))]
    for count, corner in enumerate(corners[:3], start=1):
        driver.click(corner)
        driver.wait_js(f"document.querySelectorAll('.draft-corner').length >= {count}")
    driver.double_click(corners[3])
    program.until(lambda: any(listed.group is Group.OWN for listed in state.book.listed))
    program.until(lambda: state.idle)
    [own] = [listed for listed in state.book.listed if listed.group is Group.OWN]
    assert contains(own.region, *driver.place(middle))
    assert state.book.is_selected(own.id)
    # Its average, over a few places.
    editor = page.form.list.findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, "Around the square")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    program.until(lambda: state.idle and state.book.get(own.id).name == "Around the square")
    state.averages.change(places=4)
    program.until(lambda: state.idle)
    page.form.draw.click()
    program.until(lambda: session.notice is not None or len(state.averages.done) == 1)
    assert session.notice is None, session.notice
    [card] = state.averages.cards
    assert card.state is CardState.DONE
    result = card.results[0]
    assert result is not None
    assert isinstance(result.request, AverageRequest)
    assert all(contains(own.region, place.lat, place.lon) for place in result.request.regions[0].places)
    with Image.open(result.path) as picture:
        assert np.asarray(picture.convert("L"), dtype=float).std() > 10
    # Its thumbnail stands on the map.
    driver.wait_js(f"document.querySelector(\"[data-region='{own.id}'] img\")?.naturalWidth > 0")
    # The web map, opened again, asks nobody.
    out = tmp_path / "map.html"
    program.until(lambda: state.idle)
    state.export(Export.WEB_MAP, out)
    program.until(lambda: not state.exporting)
    assert out.is_file(), session.notice
    view, profile, listener = QWebEngineView(), QWebEngineProfile(), Listener()
    qtbot.addWidget(view)
    profile.setUrlRequestInterceptor(listener)
    shared = QWebEnginePage(profile, view)
    view.setPage(shared)
    view.show()
    with qtbot.waitSignal(shared.loadFinished, timeout=PATIENCE) as loaded:
        view.load(QUrl.fromLocalFile(str(out)))
    assert loaded.args == [True]
    found: list[object] = []
    shared.runJavaScript("document.querySelectorAll('.standing img').length", found.append)
    program.until(lambda: bool(found))
    assert found == [1]
    assert [url for url in listener.asked if not url.startswith("data:")] == [QUrl.fromLocalFile(str(out)).toString()]
    shared.deleteLater()


def test_an_average_is_found_again_by_the_weights_that_drew_it(program: Program) -> None:
    session = program.session
    page = program.window.show_neighbourhoods()
    state = page.state
    program.until(lambda: state.book.is_read and state.idle)
    state.book.select_only([state.averages.cards[0].listed.id])
    state.averages.change(places=2)
    program.until(lambda: state.idle)
    page.draw()
    program.until(lambda: session.notice is not None or (len(state.averages.done) == 1 and state.idle))
    first = state.averages.cards[0].results[0]
    assert first is not None, session.notice
    state.averages.change(concept="tree")
    program.until(lambda: state.idle and not state.averages.done)
    state.averages.change(concept="building")
    program.until(lambda: state.idle and len(state.averages.done) == 1)
    again = state.averages.cards[0].results[0]
    assert again is not None
    assert again.id == first.id
