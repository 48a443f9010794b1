"""What opens from the rail beside the queue: the settings that are changed most, and the way to all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app import __version__
from gpsdream_app.library.paths import log_dir, pictures_dir
from gpsdream_app.ui.desktop import open_folder
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme, ThemeChoice
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ElidedLabel, Popover, Segments, Switch, TextButton, label

QUEUE_WIDTH = 320
SETTINGS_WIDTH = 320
MAX_ROWS = 8


class SettingsPopover(Popover):
    """Appearance, model, folders and keys.

    Signals:
        quality_asked: a person wants to know how good the model is.
        models_asked: a person wants to see all models.
    """

    quality_asked = Signal()
    models_asked = Signal()

    def __init__(
        self, theme: Theme, session: Session, window: QWidget, links: list[tuple[str, str, Callable[[], None]]]
    ) -> None:
        """Make the card; `links` are (where to, its keys, what goes there)."""
        super().__init__(theme, window, window.tr("Settings"))
        self.setFixedWidth(SETTINGS_WIDTH)
        self._session = session
        self.themes = Segments(
            theme,
            [
                (ThemeChoice.SYSTEM, self.tr("System"), "system"),
                (ThemeChoice.LIGHT, self.tr("Light"), "sun"),
                (ThemeChoice.DARK, self.tr("Dark"), "moon"),
            ],
            self,
        )
        self.themes.show_choice(theme.choice)
        self.themes.chosen.connect(self._choose_theme)
        self.motion = Switch(theme, self.tr("Less motion"), self)
        self.motion.setChecked(theme.less_motion)
        self.motion.toggled.connect(self._choose_motion)
        self._models = QVBoxLayout()
        self._models.setSpacing(SPACE_1)
        self._model_buttons: list[QWidget] = []
        self.column.addWidget(label(self.tr("Settings"), "lead"))
        self.column.addWidget(self.themes)
        self.column.addWidget(self.motion)
        self.column.addWidget(self._line())
        self.column.addLayout(self._models)
        self.column.addWidget(self._line())
        self.column.addLayout(self._make_links(links))
        self.column.addWidget(self._line())
        self.column.addLayout(self._make_folders(theme))
        self.column.addWidget(label(self.tr("GPSDream {0}").format(__version__), "small"))
        session.model_changed.connect(self._show_models)
        self._show_models()
        theme.changed.connect(self._show_look)

    def _show_look(self) -> None:
        """Follow what was chosen elsewhere."""
        self.themes.show_choice(self.theme.choice)
        self.motion.blockSignals(True)
        self.motion.setChecked(self.theme.less_motion)
        self.motion.blockSignals(False)

    def _line(self) -> QFrame:
        line = QFrame(self)
        line.setObjectName("separator")
        return line

    def _make_links(self, links: list[tuple[str, str, Callable[[], None]]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_3)
        grid.setVerticalSpacing(SPACE_1)
        for row, (text, keys, call) in enumerate(links):
            button = TextButton(self.theme, text, look="link", colour="accent", parent=self)
            button.clicked.connect(lambda _=False, call=call: self._leave_for(call))
            grid.addWidget(button, row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(label(keys, "key"), row, 1, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)
        return grid

    def _leave_for(self, call: Callable[[], None]) -> None:
        self.dismiss()
        call()

    def _make_folders(self, theme: Theme) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        for text, folder in ((self.tr("Pictures"), pictures_dir), (self.tr("Log"), log_dir)):
            button = TextButton(theme, text, "folder", parent=self)
            button.setAccessibleName(self.tr("Open the folder: {0}").format(text))
            button.clicked.connect(lambda _=False, folder=folder: self._open_folder(folder))
            row.addWidget(button, 1)
        return row

    def _show_models(self, *_: object) -> None:
        for button in self._model_buttons:
            self._models.removeWidget(button)
            button.hide()
            button.deleteLater()
        session = self._session
        self._model_buttons = []
        caption = label(self.tr("Model"), "small", parent=self)
        self._model_buttons.append(caption)
        if len(session.installed) < 2:
            name = ElidedLabel(session.card.title if session.card else self.tr("No model is installed"), "strong", self)
            self._model_buttons.append(name)
            if session.card and session.card.description:
                self._model_buttons.append(label(session.card.description, "small", wrap=True, parent=self))
        for model in session.installed if len(session.installed) > 1 else []:
            chosen = model.name == session.form.model
            button = TextButton(self.theme, model.card.title.replace("&", "&&"), "check" if chosen else "", parent=self)
            button.setAccessibleName(model.card.title)
            button.setCheckable(True)
            button.setChecked(chosen)
            button.clicked.connect(lambda _=False, name=model.name: session.use_model(name))
            self._model_buttons.append(button)
        if session.card:
            quality = TextButton(
                self.theme, self.tr("How good is this model?"), "quality", look="link", colour="accent", parent=self
            )
            quality.clicked.connect(self._ask_quality)
            self._model_buttons.append(quality)
        models = TextButton(self.theme, self.tr("All models…"), "folder", look="link", colour="accent", parent=self)
        models.clicked.connect(self._ask_models)
        self._model_buttons.append(models)
        for button in self._model_buttons:
            link = button.property("look") == "link"
            self._models.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft if link else Qt.AlignmentFlag(0))
        self.fit()

    def _ask_models(self) -> None:
        self.dismiss()
        self.models_asked.emit()

    def _ask_quality(self) -> None:
        self.dismiss()
        self.quality_asked.emit()

    def _choose_theme(self, key: str) -> None:
        self.theme.choice = ThemeChoice(key)
        self._session.settings.theme = self.theme.choice

    def _choose_motion(self, less: bool) -> None:
        self.theme.less_motion = less
        self._session.settings.less_motion = less

    def _open_folder(self, folder: Callable[[], Path]) -> None:
        self._session.background.run(
            self,
            folder,
            open_folder,
            self._session.notify_failure,
        )
