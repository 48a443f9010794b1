"""The look: light and dark, following the system or a person's choice, as one style sheet made from the tokens."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette, QStyleHints
from PySide6.QtWidgets import QApplication, QStyleFactory

from gpsdream_app.ui.tokens import (
    CONTROL_HEIGHT,
    DARK,
    LIGHT,
    RADIUS,
    RADIUS_SMALL,
    SPACE_1,
    SPACE_2,
    SPACE_3,
    TYPE_BODY,
    TYPE_LEAD,
    TYPE_SMALL,
    TYPE_TITLE,
    Palette,
)


class ThemeChoice(StrEnum):
    """What a person chose in the settings."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Theme(QObject):
    """Holds the palette in force and dresses the application with it.

    Signals:
        changed: the palette or the wish for less motion is another one now.
    """

    changed = Signal()

    def __init__(
        self,
        application: QApplication,
        choice: ThemeChoice = ThemeChoice.SYSTEM,
        hints: QStyleHints | None = None,
    ) -> None:
        """Dress an application.

        Args:
            application: gets style, palette and style sheet.
            choice: what the person chose.
            hints: tell what the system wants; Qt's own if None.
        """
        super().__init__(application)
        self._application = application
        self._hints = hints or QGuiApplication.styleHints()
        self._choice = choice
        self._less_motion: bool | None = None
        application.setStyle(QStyleFactory.create("Fusion"))
        self.palette = self._wanted()
        self._dress()
        self._hints.colorSchemeChanged.connect(self._follow)
        accessibility = self._hints.accessibility()
        accessibility.contrastPreferenceChanged.connect(self._follow)
        accessibility.motionPreferenceChanged.connect(self._motion_changed)

    @property
    def choice(self) -> ThemeChoice:
        """Light, dark, or as the system has it."""
        return self._choice

    @choice.setter
    def choice(self, choice: ThemeChoice) -> None:
        before, self._choice = self._choice, choice
        scheme = {ThemeChoice.LIGHT: Qt.ColorScheme.Light, ThemeChoice.DARK: Qt.ColorScheme.Dark}.get(choice)
        # Window frames, native dialogs and web pages follow this; our own widgets follow `palette`.
        if scheme is None:
            self._hints.unsetColorScheme()
        else:
            self._hints.setColorScheme(scheme)
        same = self._wanted() == self.palette
        self._follow()
        if same and choice is not before:
            self.changed.emit()  # it looks as before, but whoever shows the choice shows another one

    @property
    def less_motion(self) -> bool:
        """Whether pictures shall change without a cross-fade: a person's choice, else the system's."""
        if self._less_motion is not None:
            return self._less_motion
        return self._hints.accessibility().motionPreference() == Qt.MotionPreference.ReducedMotion

    @less_motion.setter
    def less_motion(self, value: bool) -> None:
        self._less_motion = value
        self.changed.emit()

    def follow_motion(self, less: bool | None) -> None:
        """Take a person's choice of less motion, or the system's (None)."""
        self._less_motion = less
        self.changed.emit()

    def colour(self, name: str) -> QColor:
        """Return the colour of a token, for example `text_muted`."""
        return QColor(getattr(self.palette, name))

    def _wanted(self) -> Palette:
        if self._choice is ThemeChoice.SYSTEM:
            dark = self._hints.colorScheme() == Qt.ColorScheme.Dark
        else:
            dark = self._choice is ThemeChoice.DARK
        palette = DARK if dark else LIGHT
        if self._hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast:
            palette = replace(palette, line=palette.text_faint, line_strong=palette.text_muted)
        return palette

    def _follow(self) -> None:
        wanted = self._wanted()
        if wanted == self.palette:
            return
        self.palette = wanted
        self._dress()
        self.changed.emit()

    def _motion_changed(self) -> None:
        if self._less_motion is None:
            self.changed.emit()

    def _dress(self) -> None:
        self._application.setPalette(qt_palette(self.palette))
        self._application.setStyleSheet(style_sheet(self.palette))


def qt_palette(tokens: Palette) -> QPalette:
    """Return the palette for what the style sheet does not reach, for example Qt's own file dialog."""
    role = QPalette.ColorRole
    palette = QPalette()
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled):
        ink = tokens.text_faint if group is QPalette.ColorGroup.Disabled else tokens.text
        for target, colour in (
            (role.Window, tokens.surface),
            (role.WindowText, ink),
            (role.Base, tokens.raised),
            (role.AlternateBase, tokens.surface),
            (role.Text, ink),
            (role.PlaceholderText, tokens.text_faint),
            (role.Button, tokens.raised),
            (role.ButtonText, ink),
            (role.BrightText, tokens.danger),
            (role.ToolTipBase, tokens.raised),
            (role.ToolTipText, tokens.text),
            (role.Highlight, tokens.glow),
            (role.HighlightedText, tokens.on_glow),
            (role.Accent, tokens.accent),
            (role.Link, tokens.accent),
            (role.LinkVisited, tokens.accent),
            (role.Light, tokens.hover),
            (role.Midlight, tokens.line),
            (role.Mid, tokens.line_strong),
            (role.Dark, tokens.line_strong),
            (role.Shadow, tokens.canvas),
        ):
            palette.setColor(group, target, QColor(colour))
    return palette


def style_sheet(t: Palette) -> str:
    """Return the style sheet of the whole program. Widgets choose a look by their dynamic property `look`."""
    return f"""
* {{ font-size: {TYPE_BODY}px; color: {t.text}; }}
QWidget {{ outline: none; }}
QMainWindow, #canvas {{ background: {t.canvas}; }}
#rail {{ background: {t.canvas}; border-right: 1px solid {t.line}; }}
#panel, #panelScroll, #panelBody, #filmstrip {{ background: {t.surface}; }}
#filmstrip {{ border-top: 1px solid {t.line}; }}

QLabel {{ background: transparent; }}
QLabel[look="title"] {{ font-size: {TYPE_TITLE}px; font-weight: 600; }}
QLabel[look="lead"] {{ font-size: {TYPE_LEAD}px; font-weight: 600; }}
QLabel[look="strong"] {{ font-weight: 600; }}
QLabel[look="muted"] {{ color: {t.text_muted}; }}
QLabel[look="small"] {{ font-size: {TYPE_SMALL}px; color: {t.text_muted}; }}
QLabel[look="accent"] {{ font-size: {TYPE_SMALL}px; color: {t.accent}; }}
QLabel[look="danger"] {{ font-size: {TYPE_SMALL}px; color: {t.danger}; }}
QLabel[look="number"] {{ font-size: {TYPE_SMALL}px; color: {t.text}; }}
QLabel[look="key"] {{
  font-size: {TYPE_SMALL}px; color: {t.text_muted}; background: {t.surface};
  border: 1px solid {t.line_strong}; border-radius: {RADIUS_SMALL}px; padding: 1px {SPACE_2 - 2}px;
}}

QLineEdit, QPlainTextEdit {{
  background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px;
  padding: 0 {SPACE_3 - 2}px; min-height: {CONTROL_HEIGHT - 2}px;
  selection-background-color: {t.glow}; selection-color: {t.on_glow}; placeholder-text-color: {t.text_faint};
}}
QPlainTextEdit {{ padding: {SPACE_1}px {SPACE_1 + 2}px; }}
QLineEdit:hover, QPlainTextEdit:hover {{ border-color: {t.text_faint}; }}
QLineEdit:focus, QPlainTextEdit:focus {{ border: 2px solid {t.accent}; padding: 0 {SPACE_3 - 3}px; }}
QPlainTextEdit:focus {{ padding: {SPACE_1 - 1}px {SPACE_1 + 1}px; }}
QLineEdit[wrong="true"], QPlainTextEdit[wrong="true"] {{ border-color: {t.danger}; }}
QLineEdit[look="bare"] {{ background: transparent; border: none; padding: 0; min-height: 0; }}
#box {{ background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px; }}
#box:hover {{ border-color: {t.text_faint}; }}
#box[focused="true"] {{ border: 2px solid {t.accent}; }}

QAbstractButton {{ background: transparent; border: 1px solid transparent; border-radius: {RADIUS}px; }}
QAbstractButton:focus {{ border: 2px solid {t.accent}; }}
QPushButton {{
  background: {t.raised}; border: 1px solid {t.line_strong}; padding: 0 {SPACE_3}px;
  min-height: {CONTROL_HEIGHT - 4}px;
}}
QPushButton:hover {{ background: {t.hover}; }}
QPushButton:pressed {{ background: {t.line}; }}
QPushButton:disabled {{ color: {t.text_faint}; border-color: {t.line}; background: transparent; }}
QPushButton[look="plain"] {{
  background: transparent; border-color: transparent; padding: 0 {SPACE_2}px;
}}
QPushButton[look="plain"]:hover {{ background: {t.hover}; }}
QPushButton[look="plain"]:checked {{ background: {t.accent_soft}; }}
QPushButton[look="plain"]:focus {{ border: 2px solid {t.accent}; padding: 0 {SPACE_2 - 1}px; }}
QPushButton[look="fold"] {{
  background: transparent; border-color: transparent; color: {t.text_muted}; padding: 0 {SPACE_1}px 0 0;
  min-height: 22px;
}}
QPushButton[look="fold"]:hover {{ color: {t.text}; }}
QPushButton[look="fold"]:focus {{ border: 2px solid {t.accent}; padding: 0 {SPACE_1 - 1}px 0 0; min-height: 20px; }}
QPushButton[look="link"] {{
  background: transparent; border-color: transparent; color: {t.accent}; font-weight: 600;
  padding: 0 {SPACE_1}px; min-height: 22px;
}}
QPushButton[look="link"]:hover {{ background: {t.hover}; }}
QPushButton[look="chip"] {{
  background: {t.raised}; border: 1px solid {t.line}; border-radius: 12px; font-size: {TYPE_SMALL}px;
  color: {t.text_muted}; padding: 0 {SPACE_2 + 1}px; min-height: 22px; max-height: 22px;
}}
QPushButton[look="chip"]:hover {{ border-color: {t.line_strong}; color: {t.text}; }}
QPushButton[look="chip"]:checked {{ background: {t.accent_soft}; color: {t.accent}; border-color: {t.accent_soft}; }}
QPushButton[look="chip"]:focus {{ border: 2px solid {t.accent}; padding: 0 {SPACE_2}px; min-height: 20px; }}
QToolButton {{ padding: {SPACE_1}px; }}
QToolButton:hover {{ background: {t.hover}; }}
QToolButton:pressed {{ background: {t.line}; }}
QToolButton:checked {{ background: {t.accent_soft}; }}
QPushButton[look="segment"] {{
  background: transparent; border-color: transparent; border-radius: {RADIUS - 2}px;
  padding: 0 {SPACE_2}px; min-height: 26px;
}}
QPushButton[look="segment"]:hover {{ background: {t.hover}; }}
QPushButton[look="segment"]:checked {{ background: {t.raised}; border: 1px solid {t.line_strong}; }}
QPushButton[look="segment"]:focus {{ border: 2px solid {t.accent}; padding: 0 {SPACE_2 - 1}px; min-height: 24px; }}
#segments {{ background: {t.sunken}; border-radius: {RADIUS}px; }}

QSlider {{ min-height: 20px; background: transparent; border: none; }}
QSlider::groove:horizontal {{ height: 4px; background: {t.line_strong}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
  width: 14px; height: 14px; margin: -6px 0; border-radius: 8px;
  background: {t.raised}; border: 1px solid {t.text_faint};
}}
QSlider::handle:horizontal:hover {{ border-color: {t.accent}; }}
QSlider::handle:horizontal:focus {{ border: 2px solid {t.accent}; width: 12px; height: 12px; }}

QScrollArea {{ background: transparent; border: none; }}
QScrollBar:vertical {{ width: 10px; background: transparent; margin: 2px; border: none; }}
QScrollBar:horizontal {{ height: 8px; background: transparent; margin: 2px; border: none; }}
QScrollBar::handle {{ background: {t.line_strong}; border-radius: 3px; }}
QScrollBar::handle:horizontal {{ border-radius: 2px; }}
QScrollBar::handle:vertical {{ min-height: 28px; }}
QScrollBar::handle:horizontal {{ min-width: 28px; }}
QScrollBar::handle:hover {{ background: {t.text_faint}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QSplitter::handle {{ background: {t.line}; }}
QSplitter::handle:hover {{ background: {t.accent}; }}

QListView {{ background: transparent; border: none; }}
#card {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: {RADIUS}px; }}
#notice {{ background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px; }}
#notice[tone="error"] {{ background: {t.danger_soft}; border-color: {t.danger_soft}; }}
#notice[tone="hint"] {{ background: {t.accent_soft}; border-color: {t.accent_soft}; }}
#notice[tone="quiet"] {{ background: transparent; border: none; }}
#popover {{ background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px; }}
#separator {{ background: {t.line}; max-height: 1px; min-height: 1px; }}
#rowDivider {{ background: {t.line}; }}

QDialog {{ background: {t.surface}; }}
QComboBox {{
  background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px;
  padding: 0 {SPACE_2}px; min-height: {CONTROL_HEIGHT - 2}px;
}}
QComboBox::drop-down {{ border: none; width: 26px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox:hover {{ border-color: {t.text_faint}; }}
QComboBox:focus {{ border: 2px solid {t.accent}; }}
QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.line_strong}; }}
QTreeView, QFileDialog QListView {{
  background: {t.raised}; border: 1px solid {t.line}; border-radius: {RADIUS_SMALL}px;
}}
QTreeView::item:selected, QFileDialog QListView::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
QHeaderView {{ background: {t.raised}; border: none; }}
QHeaderView::section {{
  background: {t.raised}; color: {t.text_muted}; border: none; border-bottom: 1px solid {t.line};
  padding: {SPACE_1}px {SPACE_2}px;
}}

QMenu {{
  background: {t.raised}; border: 1px solid {t.line_strong}; border-radius: {RADIUS}px; padding: {SPACE_1}px;
}}
QMenu::item {{
  padding: {SPACE_1 + 2}px {SPACE_3}px {SPACE_1 + 2}px {SPACE_2}px; border-radius: {RADIUS_SMALL}px;
}}
QMenu::item:selected {{ background: {t.hover}; }}
QMenu::item:disabled {{ color: {t.text_faint}; }}
QMenu::icon {{ padding-left: {SPACE_2}px; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: {SPACE_1}px {SPACE_2}px; }}
QToolTip {{
  background: {t.raised}; color: {t.text}; border: 1px solid {t.line_strong};
  padding: {SPACE_1}px {SPACE_2 - 2}px; font-size: {TYPE_SMALL}px;
}}
"""
