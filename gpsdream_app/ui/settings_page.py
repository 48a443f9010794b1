"""The settings as a page of the window: how it looks, how it starts, what it tells, and where its files are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app import __version__
from gpsdream_app.library.paths import log_dir, models_dir, pictures_dir
from gpsdream_app.ui.desktop import open_folder
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.settings import CHOICES, Values
from gpsdream_app.ui.theme import Theme, ThemeChoice
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import ChoiceBox, ElidedLabel, Segments, Switch, TextButton, label, titled_card

WIDTH = 560


class SettingsPage(QFrame):
    """The page. What is changed here holds at once.

    Signals:
        tour_asked: show the tour again.
        keys_asked: show the list of keys.
        quality_asked: show how good the model is.
        models_asked: show all models.
        help_asked: show memory, graphics and what was found out about this computer.
    """

    tour_asked = Signal()
    keys_asked = Signal()
    quality_asked = Signal()
    models_asked = Signal()
    help_asked = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme, self._session = theme, session
        body = QWidget()
        body.setObjectName("panelBody")
        body.setMaximumWidth(WIDTH)
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(SPACE_4, SPACE_5, SPACE_4, SPACE_5)
        self._column.setSpacing(SPACE_3)
        self._column.addWidget(label(self.tr("Settings"), "title"))
        self.wrong = label("", "accent", wrap=True)
        self._column.addWidget(self.wrong)
        self._make_look()
        self._make_model()
        self._make_behaviour()
        self._make_folders()
        self._make_help()
        self._column.addStretch()
        middle = QWidget()
        middle.setObjectName("panelBody")
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(body, 20)
        row.addStretch(1)
        self.area = QScrollArea(self)
        self.area.setObjectName("panelScroll")
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(middle)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        theme.changed.connect(self.refresh)
        session.model_changed.connect(self._show_models)
        self.refresh()
        self._show_models()

    # -- the parts --

    def _make_look(self) -> None:
        rows = titled_card(self._column, self.tr("Look"))
        self.themes = Segments(
            self._theme,
            [
                (ThemeChoice.SYSTEM, self.tr("As the system"), "system"),
                (ThemeChoice.LIGHT, self.tr("Light"), "sun"),
                (ThemeChoice.DARK, self.tr("Dark"), "moon"),
            ],
        )
        self.themes.chosen.connect(self._choose_theme)
        rows.addWidget(self.themes)
        self.motion = self._switch(rows, self.tr("Less motion"), self.tr("Pictures change without a cross-fade."))
        self.motion.toggled.connect(self._choose_motion)

    def _make_model(self) -> None:
        rows = titled_card(self._column, self.tr("Model"))
        self.models = ChoiceBox(self._theme, self.tr("Model"))
        self.models.activated.connect(self._choose_model)
        self.model_note = label("", "small", wrap=True)
        self.quality = TextButton(
            self._theme, self.tr("How good is this model?"), "quality", look="link", colour="accent"
        )
        self.quality.clicked.connect(self.quality_asked)
        rows.addWidget(self.models)
        rows.addWidget(self.model_note)
        self.all_models = TextButton(self._theme, self.tr("All models…"), "folder", look="link", colour="accent")
        self.all_models.clicked.connect(self.models_asked)
        links = QHBoxLayout()
        links.addWidget(self.quality)
        links.addWidget(self.all_models)
        links.addStretch()
        rows.addLayout(links)

    def _make_behaviour(self) -> None:
        rows = titled_card(self._column, self.tr("Start and end"))
        self.reopen = self._switch(
            rows,
            self.tr("Start where I left off"),
            self.tr("Opens the place of the program that was in sight last. Otherwise it starts with Explore."),
        )
        self.reopen.toggled.connect(lambda on: setattr(self._session.settings, "reopen_page", on))
        self.tell = self._switch(
            rows,
            self.tr("Tell me when a long job has ended"),
            self.tr("A notification of the system, while another window is in front."),
        )
        self.tell.toggled.connect(lambda on: setattr(self._session.settings, "tell_when_done", on))

    def _make_folders(self) -> None:
        rows = titled_card(self._column, self.tr("Files"))
        for name, folder in (
            (self.tr("Pictures"), pictures_dir),
            (self.tr("Models"), models_dir),
            (self.tr("Log"), log_dir),
        ):
            row = QHBoxLayout()
            path = ElidedLabel("", "small")
            button = TextButton(self._theme, self.tr("Open"), "folder")
            button.setAccessibleName(self.tr("Open the folder: {0}").format(name))
            button.clicked.connect(lambda _=False, folder=folder: self._open_folder(folder))
            row.addWidget(label(name), 0)
            row.addSpacing(SPACE_3)
            row.addWidget(path, 1)
            row.addWidget(button, 0)
            rows.addLayout(row)
            self._session.background.run(path, folder, partial(_show_path, path))
        rows.addWidget(
            label(
                self.tr("Photos, pictures and words stay on this computer. Nothing is sent anywhere."),
                "small",
                wrap=True,
            )
        )

    def _make_help(self) -> None:
        rows = titled_card(self._column, self.tr("Memory, graphics and help"))
        self.help = TextButton(
            self._theme, self.tr("Memory, graphics and checks"), "parameters", look="link", colour="accent"
        )
        self.help.clicked.connect(self.help_asked)
        rows.addWidget(self.help, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        self.keys = TextButton(self._theme, self.tr("Keyboard shortcuts"))
        self.keys.clicked.connect(self.keys_asked)
        self.tour = TextButton(self._theme, self.tr("Take the tour"))
        self.tour.clicked.connect(self.tour_asked)
        self.restore = TextButton(self._theme, self.tr("Restore defaults"), "undo")
        self.restore.clicked.connect(self._restore)
        for button in (self.keys, self.tour, self.restore):
            row.addWidget(button)
        row.addStretch()
        rows.addLayout(row)
        self.said = label("", "small", wrap=True)
        self.take_back = TextButton(self._theme, self.tr("Undo"), look="link", colour="accent")
        self.take_back.clicked.connect(self._take_back)
        back = QHBoxLayout()
        back.addWidget(self.said)
        back.addWidget(self.take_back)
        back.addStretch()
        rows.addLayout(back)
        self.said.hide()
        self.take_back.hide()
        rows.addWidget(label(self.tr("GPSDream {0}").format(__version__), "small"))
        self._before: dict[str, Any] = {}

    def _switch(self, rows: QVBoxLayout, text: str, explanation: str) -> Switch:
        switch = Switch(self._theme, text)
        switch.setAccessibleDescription(explanation)
        rows.addWidget(switch)
        note = label(explanation, "small", wrap=True)
        note.setContentsMargins(0, 0, 64, SPACE_2)
        rows.addWidget(note)
        return switch

    # -- what is shown --

    def refresh(self) -> None:
        """Show the settings as they are."""
        settings = self._session.settings
        self.themes.show_choice(self._theme.choice)
        for switch, on in (
            (self.motion, self._theme.less_motion),
            (self.reopen, settings.reopen_page),
            (self.tell, settings.tell_when_done),
        ):
            switch.blockSignals(True)
            switch.setChecked(on)
            switch.blockSignals(False)
            switch.update()
        self.wrong.setText(
            self.tr("These settings could not be read and are at their defaults: {0}.").format(
                ", ".join(settings.ignored)
            )
        )
        self.wrong.setVisible(bool(settings.ignored))

    def _show_models(self, *_: object) -> None:
        session = self._session
        self.models.clear()
        for model in session.installed:
            self.models.addItem(model.card.title, model.name)
        self.models.setCurrentIndex(self.models.findData(session.form.model))
        self.models.setVisible(bool(session.installed))
        card = session.card
        self.model_note.setText(card.description if card else self.tr("No model is installed"))
        self.model_note.setVisible(bool(self.model_note.text()))
        self.quality.setVisible(card is not None)

    # -- what a person does --

    def _choose_theme(self, key: str) -> None:
        self._theme.choice = ThemeChoice(key)
        self._session.settings.theme = self._theme.choice

    def _choose_motion(self, less: bool) -> None:
        self._theme.less_motion = less
        self._session.settings.less_motion = less

    def _choose_model(self, row: int) -> None:
        self._session.use_model(str(self.models.itemData(row)))

    def _open_folder(self, folder: Callable[[], Path]) -> None:
        self._session.background.run(self, folder, open_folder, self._session.notify_failure)

    def _restore(self) -> None:
        settings = self._session.settings
        self._before = settings.choices()
        defaults = Values().model_dump()
        self._take({name: defaults[name] for name in CHOICES}, self.tr("All settings are at their defaults."))
        self.take_back.show()

    def _take_back(self) -> None:
        self._take(self._before, self.tr("The settings are as they were."))
        self.take_back.hide()

    def _take(self, choices: dict[str, Any], said: str) -> None:
        settings = self._session.settings
        memory = settings.memory, settings.rest_minutes
        settings.take(choices)
        if memory != (settings.memory, settings.rest_minutes):
            self._session.use_memory(settings.memory, settings.rest_minutes)
        self._theme.choice = settings.theme
        self._theme.follow_motion(settings.less_motion)
        self.refresh()
        self.said.setText(said)
        self.said.show()
        self._session.notify(Notice(Tone.PLAIN, said))


def _show_path(line: ElidedLabel, path: Path) -> None:
    line.setText(str(path))
