"""The Help page: what the doctor found, how much of graphics card and memory is used, and the ZIP for a bug report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app import __version__
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library import doctor
from gpsdream_app.library.diagnostics import save_diagnostics
from gpsdream_app.library.doctor import Check, Status
from gpsdream_app.library.machine import GRAPHICS_FILE
from gpsdream_app.library.paths import log_dir, user_data_dir
from gpsdream_app.ui.desktop import open_folder, show_in_folder
from gpsdream_app.ui.graphics import GraphicsMode, next_mode
from gpsdream_app.ui.graphics_start import mode_sentence
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import ChoiceBox, ElidedLabel, Segments, TextButton, follow, label, titled_card

WIDTH = 640
REST_CHOICES = (5.0, 15.0, 60.0, 0.0)  # minutes; 0 is never
DIAGNOSTICS_NAME = "GPSDream diagnostics.zip"
LICENCES_FILE = "licences.txt"
MARKS = {Status.OK: ("check", "text_muted"), Status.WARNING: ("warning", "accent"), Status.BROKEN: ("close", "danger")}

Checks = Callable[[], list[Check]]


class CheckRow(QWidget):
    """One check: a mark, its name, what was found and what would help."""

    def __init__(self, theme: Theme, check: Check, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = check
        self._theme = theme
        self._mark = QLabel(self)
        self._mark.setFixedSize(18, 18)
        name = label(check.name[:1].upper() + check.name[1:], parent=self)
        name.setFixedWidth(132)
        name.setWordWrap(True)
        self.text = label(check.text, "muted", wrap=True, parent=self)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setHorizontalSpacing(SPACE_3)
        grid.setVerticalSpacing(0)
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(self._mark, 0, 0, top)
        grid.addWidget(name, 0, 1, top)
        grid.addWidget(self.text, 0, 2, top)
        if check.hint:
            hint = label(check.hint, "strong", wrap=True, parent=self)
            grid.addWidget(hint, 1, 2, top)
        grid.setColumnStretch(2, 1)
        said = {Status.OK: self.tr("fine"), Status.WARNING: self.tr("look at this"), Status.BROKEN: self.tr("broken")}
        self.setAccessibleName(f"{check.name}: {said[check.status]}")
        self.setAccessibleDescription(f"{check.text} {check.hint}".strip())
        follow(theme, self._tint)

    def _tint(self) -> None:
        name, colour = MARKS[self.check.status]
        ink: str = getattr(self._theme.palette, colour)
        self._mark.setPixmap(icon_pixmap(name, ink, 18, self.devicePixelRatioF()))


class HelpPage(QFrame):
    """The page. The checks run in the background when it is first seen, and when they are asked for."""

    def __init__(
        self, theme: Theme, session: Session, parent: QWidget | None = None, checks: Checks | None = None
    ) -> None:
        """Make the page.

        Args:
            theme: the look.
            session: knows settings and engine.
            parent: the Qt parent.
            checks: looks at everything; the doctor's checks if None.
        """
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme, self._session = theme, session
        self._look = checks or (lambda: list(doctor.checks()))
        self._found: list[Check] = []
        self._looking = False
        self.rows: list[CheckRow] = []
        body = QWidget()
        body.setObjectName("panelBody")
        body.setMaximumWidth(WIDTH)
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(SPACE_4, SPACE_5, SPACE_4, SPACE_5)
        self._column.setSpacing(SPACE_3)
        self._column.addWidget(label(self.tr("Help"), "title"))
        self._make_checks()
        self._make_graphics()
        self._make_memory()
        self._make_about()
        self._column.addStretch()
        middle = QWidget()
        middle.setObjectName("panelBody")
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(body, 20)
        row.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("panelScroll")
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(middle)
        self.area = area
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.refresh()

    # -- the parts --

    def _make_checks(self) -> None:
        rows = titled_card(self._column, self.tr("Is everything all right?"))
        self.verdict = label("", "strong", wrap=True)
        rows.addWidget(self.verdict)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        rows.addLayout(self._list)
        self.again = TextButton(self._theme, self.tr("Look again"), "undo")
        self.again.clicked.connect(self.look)
        self.save = TextButton(self._theme, self.tr("Save diagnostics…"), "save")
        self.save.clicked.connect(self.ask_where_to_save)
        self.copy = TextButton(self._theme, self.tr("Copy"), "copy")
        self.copy.clicked.connect(self._copy)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        for button in (self.again, self.save, self.copy):
            buttons.addWidget(button)
        buttons.addStretch()
        rows.addLayout(buttons)
        self.said = ElidedLabel("", "strong")
        self.show_saved = TextButton(self._theme, self.tr("Show in folder"), look="link", colour="accent")
        self.show_saved.clicked.connect(self._show_saved)
        self._saved: Path | None = None
        line = QHBoxLayout()
        line.addWidget(self.said, 1)
        line.addWidget(self.show_saved)
        rows.addLayout(line)
        self.said.hide()
        self.show_saved.hide()
        rows.addWidget(
            label(
                self.tr(
                    "The diagnostics are a ZIP for a bug report. No prompts, places, pictures, names or folders are in "
                    "it, and it is sent nowhere by itself."
                ),
                "small",
                wrap=True,
            )
        )

    def _make_graphics(self) -> None:
        rows = titled_card(self._column, self.tr("Graphics"))
        self.graphics = ChoiceBox(self._theme, self.tr("Graphics"))
        names = {
            GraphicsMode.AUTO: self.tr("Automatic"),
            GraphicsMode.SOFTWARE: self.tr("Software: without the graphics card"),
            GraphicsMode.NO_3D: self.tr("No 3D: without OpenGL"),
            GraphicsMode.PLAIN: self.tr("Plain: without 3D and without the map"),
        }
        for mode, name in names.items():
            self.graphics.addItem(name, mode.value)
        self.graphics.activated.connect(self._choose_graphics)
        self.graphics_note = label("", "small", wrap=True)
        rows.addWidget(self.graphics)
        rows.addWidget(self.graphics_note)

    def _make_memory(self) -> None:
        rows = titled_card(self._column, self.tr("Memory for models"))
        self.memory = Segments(
            self._theme,
            [
                ("auto", self.tr("Automatic"), ""),
                ("full", self.tr("Full"), ""),
                ("balanced", self.tr("Balanced"), ""),
                ("low", self.tr("Low"), ""),
            ],
        )
        self.memory.chosen.connect(self._choose_memory)
        self.memory_note = label("", "small", wrap=True)
        rows.addWidget(self.memory)
        rows.addWidget(self.memory_note)
        line = QHBoxLayout()
        line.addWidget(label(self.tr("Free the memory when nothing was drawn for")), 1)
        self.rest = ChoiceBox(self._theme, self.tr("Free the memory when nothing was drawn for"))
        for minutes in REST_CHOICES:
            self.rest.addItem(self.tr("{0} minutes").format(int(minutes)) if minutes else self.tr("never"), minutes)
        self.rest.activated.connect(self._choose_rest)
        self.rest.setMinimumContentsLength(11)
        line.addWidget(self.rest)
        rows.addLayout(line)

    def _make_about(self) -> None:
        rows = titled_card(self._column, self.tr("About GPSDream"))
        rows.addWidget(label(self.tr("GPSDream {0}").format(__version__), "strong"))
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        self.log = TextButton(self._theme, self.tr("Open the log's folder"), "folder")
        self.log.clicked.connect(
            lambda: self._session.background.run(self, log_dir, open_folder, self._session.notify_failure)
        )
        self.licences_button = TextButton(self._theme, self.tr("Licences"), "info")
        self.licences_button.setCheckable(True)
        self.licences_button.toggled.connect(self._show_licences)
        buttons.addWidget(self.log)
        buttons.addWidget(self.licences_button)
        buttons.addStretch()
        rows.addLayout(buttons)
        self.licences = QPlainTextEdit()
        self.licences.setReadOnly(True)
        self.licences.setFixedHeight(220)
        self.licences.setAccessibleName(self.tr("Licences of everything that runs with GPSDream"))
        self.licences.hide()
        rows.addWidget(self.licences)

    # -- what is shown --

    def showEvent(self, event: QShowEvent) -> None:
        """Look at everything when the page is first seen."""
        super().showEvent(event)
        self.refresh()
        if not self._found:
            self.look()

    def hideEvent(self, event: QHideEvent) -> None:
        """Forget what was said about a ZIP that was saved."""
        super().hideEvent(event)
        self.said.hide()
        self.show_saved.hide()

    def refresh(self) -> None:
        """Show what is chosen now."""
        settings = self._session.settings
        self.graphics.setCurrentIndex(self.graphics.findData(settings.graphics.value))
        self.memory.show_choice(settings.memory)
        nearest = min(range(len(REST_CHOICES)), key=lambda row: abs(REST_CHOICES[row] - settings.rest_minutes))
        self.rest.setCurrentIndex(nearest)
        self._show_graphics_note()
        self.memory_note.setText(
            {
                "auto": self.tr("The quickest that fits into what is free when a model is loaded."),
                "full": self.tr("The quickest, and it needs the most."),
                "balanced": self.tr("A little less memory, hardly slower. Pictures are the same."),
                "low": self.tr(
                    "As little as possible, and slower: half-precision numbers, or weights that come to the graphics "
                    "card layer by layer. Pictures differ in details."
                ),
            }[settings.memory]
        )

    def _show_graphics_note(self) -> None:
        wanted = self._session.settings.graphics

        def read() -> GraphicsMode:
            return next_mode(user_data_dir(), wanted)

        def show(mode: GraphicsMode) -> None:
            text = mode_sentence(mode)
            if mode is not wanted:
                text = self.tr("A start failed, so that less is used now.") + " " + text
            self.graphics_note.setText(text + " " + self.tr("A change holds from the next start."))

        self._session.background.run(self, read, show)

    def look(self) -> None:
        """Look at everything, in the background."""
        if self._looking:
            return
        self._looking = True
        self.again.setEnabled(False)
        self.verdict.setText(self.tr("Looking at everything; this takes some seconds."))
        self._session.background.run(self, self._look, self._looked, self._could_not_look)

    def _looked(self, found: list[Check]) -> None:
        self._looking = False
        self.again.setEnabled(True)
        self._found = found
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        # What needs somebody's eyes stands first.
        order = [Status.BROKEN, Status.WARNING, Status.OK]
        self.rows = [CheckRow(self._theme, check) for check in sorted(found, key=lambda one: order.index(one.status))]
        for row in self.rows:
            self._list.addWidget(row)
        broken = sum(check.status is Status.BROKEN for check in found)
        warnings = sum(check.status is Status.WARNING for check in found)
        if broken:
            text = self.tr("One thing is broken.") if broken == 1 else self.tr("{0} things are broken.").format(broken)
        elif warnings:
            text = (
                self.tr("Everything works; one thing is worth a look.")
                if warnings == 1
                else self.tr("Everything works; {0} things are worth a look.").format(warnings)
            )
        else:
            text = self.tr("Everything is all right.")
        self.verdict.setText(text)

    def _could_not_look(self, failure: object) -> None:
        self._looking = False
        self.again.setEnabled(True)
        self.verdict.setText(self.tr("The checks could not be finished. The log has the details."))

    # -- what a person does --

    def _choose_graphics(self, row: int) -> None:
        settings = self._session.settings
        settings.graphics = GraphicsMode(self.graphics.itemData(row))

        def forget() -> None:
            # Whatever a failed start stepped down to: the person has chosen.
            (user_data_dir() / GRAPHICS_FILE).unlink(missing_ok=True)

        self._session.background.run(self, forget, lambda _: self._show_graphics_note(), self._session.notify_failure)

    def _choose_memory(self, key: str) -> None:
        self._session.use_memory(key)  # type: ignore[arg-type]
        self.refresh()

    def _choose_rest(self, row: int) -> None:
        self._session.use_memory(rest_minutes=float(self.rest.itemData(row)))

    def ask_where_to_save(self) -> None:
        """Ask for a file name, and save the diagnostics there."""
        dialog = QFileDialog(
            self, self.tr("Save diagnostics"), str(self._session.settings.save_folder / DIAGNOSTICS_NAME)
        )
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("ZIP files (*.zip)"))
        dialog.setDefaultSuffix("zip")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save_to(Path(path)))
        dialog.open()

    def save_to(self, path: Path) -> None:
        """Save the diagnostics, with the checks that were made last, in the background."""
        choices = self._session.settings.choices()
        self.save.setEnabled(False)

        def work() -> Path:
            return save_diagnostics(path, self._found or self._look(), choices)

        def saved(where: Path) -> None:
            self._saved = where
            self.save.setEnabled(True)
            self.said.setText(self.tr("Saved as {0}.").format(where.name))
            self.said.show()
            self.show_saved.show()

        def failed(failure: object) -> None:
            self.save.setEnabled(True)
            self._saved = None
            self.said.setText(f"{failure.message} {failure.hint}".strip())  # type: ignore[attr-defined]
            self.said.show()
            self.show_saved.hide()

        self._session.background.run(self, work, saved, failed)

    def _show_saved(self) -> None:
        if self._saved:
            show_in_folder(self._saved)

    def _copy(self) -> None:
        lines = [f"{check.status.value}: {check.name}: {check.text} {check.hint}".strip() for check in self._found]
        QGuiApplication.clipboard().setText("\n".join(lines))
        self._session.notify(Notice(Tone.PLAIN, self.tr("The checks are on the clipboard.")))

    def _show_licences(self, shown: bool) -> None:
        self.licences.setVisible(shown)
        if shown and not self.licences.toPlainText():

            def read() -> str:
                return (resources_dir() / LICENCES_FILE).read_text(encoding="utf-8")

            self._session.background.run(self, read, self.licences.setPlainText, self._session.notify_failure)
