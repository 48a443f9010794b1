"""Windows on the screen, with a scripted engine behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.theme import Theme, ThemeChoice

from .rig import Rig, install_card, make_card


@pytest.fixture(scope="session")
def shared_theme(qapp: QApplication) -> Theme:
    """One theme for all windows: dressing an application takes a while."""
    return Theme(qapp, ThemeChoice.LIGHT)


@pytest.fixture
def theme(shared_theme: Theme) -> Iterator[Theme]:
    """The theme, light and without motion at the beginning of each test."""
    shared_theme.choice = ThemeChoice.LIGHT
    shared_theme.less_motion = True
    yield shared_theme
    shared_theme.choice = ThemeChoice.LIGHT


@pytest.fixture
def make_rig(qtbot: QtBot, theme: Theme) -> Iterator[Callable[..., Rig]]:
    """Make windows that are closed at the end of the test."""
    rigs: list[Rig] = []

    def make(card: dict[str, Any] | None = None, **arguments: Any) -> Rig:
        install_card(make_card(**(card or {})))
        rig = Rig(qtbot, theme, **arguments)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.engine.gate.set()
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A window on the screen with everything read, and the pointer where nothing lies under it."""
    # Tests with a real mouse leave it wherever they clicked last, and what appears below it is pointed at.
    QCursor.setPos(0, 0)
    return make_rig().open()
