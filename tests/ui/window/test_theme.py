from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.theme import Theme, ThemeChoice
from gpsdream_app.ui.tokens import DARK, LIGHT


class Accessibility(QObject):
    """A system's wishes for contrast and motion."""

    contrastPreferenceChanged = Signal()  # noqa: N815  (Qt's own name)
    motionPreferenceChanged = Signal()  # noqa: N815  (Qt's own name)
    contrast = Qt.ContrastPreference.NoPreference
    motion = Qt.MotionPreference.NoPreference

    def contrastPreference(self) -> Qt.ContrastPreference:
        return self.contrast

    def motionPreference(self) -> Qt.MotionPreference:
        return self.motion


class Hints(QObject):
    """A system that turns dark and light as the test wants."""

    colorSchemeChanged = Signal()  # noqa: N815  (Qt's own name)

    def __init__(self) -> None:
        super().__init__()
        self.scheme = Qt.ColorScheme.Light
        self.own: Qt.ColorScheme | None = None
        self.wishes = Accessibility()

    def colorScheme(self) -> Qt.ColorScheme:
        return self.own or self.scheme

    def setColorScheme(self, scheme: Qt.ColorScheme) -> None:
        self.own = scheme

    def unsetColorScheme(self) -> None:
        self.own = None

    def accessibility(self) -> Accessibility:
        return self.wishes

    def turn(self, scheme: Qt.ColorScheme) -> None:
        self.scheme = scheme
        self.colorSchemeChanged.emit()


class Application(QObject):
    """Takes note of how it is dressed."""

    def __init__(self) -> None:
        super().__init__()
        self.worn = SimpleNamespace(sheet="", palette=QPalette())

    def setStyle(self, style: object) -> None: ...

    def setPalette(self, palette: QPalette) -> None:
        self.worn.palette = palette

    def setStyleSheet(self, sheet: str) -> None:
        self.worn.sheet = sheet


@pytest.fixture
def hints(qapp: QApplication) -> Hints:
    return Hints()


@pytest.fixture
def application(qapp: QApplication) -> Any:
    return Application()


def test_it_follows_the_system_live(application: Any, hints: Any) -> None:
    theme = Theme(application, hints=hints)
    changes: list[str] = []
    theme.changed.connect(lambda: changes.append(theme.palette.name))
    assert theme.palette == LIGHT
    hints.turn(Qt.ColorScheme.Dark)
    assert theme.palette == DARK
    assert DARK.surface in application.worn.sheet
    assert application.worn.palette.color(QPalette.ColorRole.Window).name() == DARK.surface
    hints.turn(Qt.ColorScheme.Dark)
    hints.turn(Qt.ColorScheme.Unknown)
    assert changes == ["dark", "light"]


def test_a_choice_holds_against_the_system(application: Any, hints: Any) -> None:
    theme = Theme(application, hints=hints)
    theme.choice = ThemeChoice.DARK
    assert theme.palette == DARK
    assert hints.own == Qt.ColorScheme.Dark
    hints.turn(Qt.ColorScheme.Light)
    assert theme.palette == DARK
    theme.choice = ThemeChoice.SYSTEM
    assert hints.own is None
    assert theme.palette == LIGHT


def test_less_motion_is_the_systems_wish_until_a_person_has_one(application: Any, hints: Any) -> None:
    theme = Theme(application, hints=hints)
    assert not theme.less_motion
    hints.wishes.motion = Qt.MotionPreference.ReducedMotion
    hints.wishes.motionPreferenceChanged.emit()
    assert theme.less_motion
    theme.less_motion = False
    assert not theme.less_motion


def test_high_contrast_draws_stronger_lines(application: Any, hints: Any) -> None:
    theme = Theme(application, hints=hints)
    hints.wishes.contrast = Qt.ContrastPreference.HighContrast
    hints.wishes.contrastPreferenceChanged.emit()
    assert theme.palette.line_strong == LIGHT.text_muted


def test_icons_take_the_colour_and_the_scale(qapp: QApplication) -> None:
    pixmap = icon_pixmap("plus", "#ff0000", 20, 2.0)
    assert (pixmap.width(), pixmap.devicePixelRatio()) == (40, 2.0)
    middle = pixmap.toImage().pixelColor(20, 20)
    assert (middle.red(), middle.green(), middle.blue()) == (255, 0, 0)
