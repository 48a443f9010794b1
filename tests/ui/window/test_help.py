"""The Help page: checks in the background, the ZIP for a bug report, graphics and memory; and memory that runs out."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QWidget

from gpsdream_app.domain.errors import LESS_MEMORY, ErrorKind, Failure
from gpsdream_app.engine.fake import Script
from gpsdream_app.library.doctor import Check, Status
from gpsdream_app.library.machine import GRAPHICS_FILE
from gpsdream_app.ui.graphics import GraphicsGuard, GraphicsMode
from gpsdream_app.ui.help_page import HelpPage
from gpsdream_app.ui.settings import Settings

from .rig import HOSTILE, Rig

FOUND = [
    Check("program", Status.OK, "GPSDream 0.1.0, Python 3.11"),
    Check("OpenGL", Status.WARNING, HOSTILE, "Install a driver."),
    Check("map", Status.BROKEN, "QtWebEngine is missing", "Install it."),
]


@pytest.fixture
def page(rig: Rig) -> HelpPage:
    rig.window.help = HelpPage(rig.theme, rig.session, rig.window.pages, lambda: list(FOUND))
    rig.window.pages.addWidget(rig.window.help)
    page = rig.window.show_help()
    rig.idle()
    return page


def test_what_is_broken_stands_first_and_texts_are_inert(page: HelpPage, rig: Rig) -> None:
    assert [row.check.status for row in page.rows] == [Status.BROKEN, Status.WARNING, Status.OK]
    assert page.verdict.text() == "One thing is broken."
    assert page.rows[1].text.text() == HOSTILE
    for shown in page.findChildren(QLabel):
        assert shown.textFormat().name == "PlainText" or not shown.text()
    assert page.rows[0].accessibleName() == "map: broken"
    assert rig.window.pages.currentWidget() is page


def test_everything_is_reached_by_keyboard_and_has_a_name(page: HelpPage) -> None:
    buttons = [page.again, page.save, page.copy, page.log, page.licences_button, page.graphics, page.rest]
    widgets: list[QWidget] = [*buttons, *(page.memory.button(key) for key in ("auto", "full", "balanced", "low"))]
    for widget in widgets:
        assert widget.focusPolicy().value & 1, widget
        assert widget.accessibleName() or widget.text(), widget  # type: ignore[attr-defined]


def test_it_looks_again(page: HelpPage, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    page._look = lambda: [FOUND[0]]
    page.again.click()
    assert not page.again.isEnabled()
    rig.idle()
    assert page.again.isEnabled()
    assert page.verdict.text() == "Everything is all right."
    page._look = lambda: 1 / 0  # type: ignore[assignment,return-value]
    page.again.click()
    rig.idle()
    assert "could not be finished" in page.verdict.text()
    assert page.again.isEnabled()


def test_diagnostics_are_saved_and_a_disk_that_refuses_is_told(page: HelpPage, rig: Rig, tmp_path: Path) -> None:
    page.save_to(tmp_path / "report.zip")
    rig.idle()
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert "map: QtWebEngine is missing" in archive.read("checks.txt").decode()
        assert '"memory": "auto"' in archive.read("settings.json").decode()
    assert page.said.text() == "Saved as report.zip."
    assert page.show_saved.isVisible()
    page.save_to(tmp_path / "none" / "report.zip")
    rig.idle()
    assert "not saved" in page.said.text()
    assert not page.show_saved.isVisible()
    assert page.save.isEnabled()


def test_licences_are_shown(page: HelpPage, rig: Rig) -> None:
    page.licences_button.click()
    rig.idle()
    text = page.licences.toPlainText()
    assert "PySide6" in text
    assert "LGPL-3.0" in text


def test_a_graphics_mode_holds_from_the_next_start(page: HelpPage, rig: Rig, gpsdream_home: Path) -> None:
    guard = GraphicsGuard(gpsdream_home, GraphicsMode.AUTO, {})
    guard.step_down()
    page.refresh()
    rig.idle()
    assert "A start failed" in page.graphics_note.text()
    page.graphics.setCurrentIndex(2)
    page.graphics.activated.emit(2)
    rig.idle()
    assert rig.session.settings.graphics is GraphicsMode.NO_3D
    assert not (gpsdream_home / GRAPHICS_FILE).exists()
    rig.session.settings.write()
    assert Settings(gpsdream_home).graphics is GraphicsMode.NO_3D
    assert "turn as pictures" in page.graphics_note.text()


def test_a_memory_preset_reaches_the_engine(page: HelpPage, rig: Rig, gpsdream_home: Path) -> None:
    assert rig.engine.memory == ("auto", 15.0)
    page.memory.button("low").click()
    assert rig.engine.memory == ("low", 15.0)
    page.rest.activated.emit(3)
    assert rig.engine.memory == ("low", 0.0)
    rig.session.settings.write()
    again = Settings(gpsdream_home)
    assert (again.memory, again.rest_minutes) == ("low", 0.0)
    assert "As little as possible" in page.memory_note.text()


def out_of_memory(kind: ErrorKind = ErrorKind.OUT_OF_MEMORY) -> Script:
    return Script(
        fail_at=1, failure=Failure(kind, "There is not enough memory.", "It is free again.", "details", LESS_MEMORY)
    )


@pytest.mark.parametrize(
    ("choice", "kind", "following"),
    [
        ("auto", ErrorKind.OUT_OF_MEMORY, "auto"),  # the engine has stepped down by itself
        ("auto", ErrorKind.ENGINE_DIED, "low"),
        ("full", ErrorKind.OUT_OF_MEMORY, "balanced"),
        ("balanced", ErrorKind.OUT_OF_MEMORY, "low"),
    ],
)
def test_running_out_of_memory_offers_the_next_preset_as_a_button(
    rig: Rig, choice: Any, kind: ErrorKind, following: str
) -> None:
    session = rig.session
    session.use_memory(choice)
    rig.engine.play_next(out_of_memory(kind))
    assert rig.draw() == []
    rig.until(lambda: session.notice is not None)
    assert session.notice is not None
    assert session.notice.action == "Draw with less memory"
    rig.window.notice.action.click()
    rig.until(lambda: len(session.film.results) == 1)
    rig.idle()
    assert session.settings.memory == following
    assert rig.engine.memory is not None
    assert rig.engine.memory[0] == following


def test_at_the_lowest_preset_there_is_no_such_button(rig: Rig) -> None:
    rig.engine.play_next(
        Script(fail_at=1, failure=Failure(ErrorKind.OUT_OF_MEMORY, "No memory.", "Close other programs."))
    )
    rig.draw()
    rig.until(lambda: rig.session.notice is not None)
    assert rig.session.notice is not None
    assert rig.session.notice.action == "Draw again"


def test_a_start_that_failed_is_told_with_a_way_back(make_rig: Callable[..., Rig], gpsdream_home: Path) -> None:
    from gpsdream_app.ui.graphics_start import GraphicsStart

    rig = make_rig()
    rig.map.page = None
    guard = GraphicsGuard(gpsdream_home, GraphicsMode.AUTO, {})
    guard.failed, guard.mode = GraphicsMode.AUTO, GraphicsMode.SOFTWARE
    guard.step_down()
    start = GraphicsStart(guard, rig.window)
    rig.open()
    start.tell_of_failure()
    notice = rig.session.notice
    assert notice is not None
    assert "did not start properly" in notice.text
    assert "drawn by the processor" in notice.hint
    rig.window.notice.action.click()
    assert not (gpsdream_home / GRAPHICS_FILE).exists()
    assert not start.is_good
    rig.map.ready.emit()
    rig.until(lambda: start.is_good)
