"""What narrows the photos down, and the card that shows how an import goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gpsdream_app.photos.catalogue import Collection
from gpsdream_app.photos.records import Reason, clean_text
from gpsdream_app.ui.photos.model import Show, Wish
from gpsdream_app.ui.photos.state import PhotosState
from gpsdream_app.ui.phrases import time_left_text
from gpsdream_app.ui.progress import ProgressLine
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ChoiceBox, ElidedLabel, FieldBox, IconButton, TextButton


class PhotoFilters(QWidget):
    """The search field, the folder and the kind.

    Signals:
        changed: something else is asked for.
        down_asked: from the search field to the photos.
    """

    changed = Signal()
    down_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filling = False
        self._folders: list[Path] = []
        self.words = QLineEdit(self)
        self.words.setProperty("look", "bare")
        self.words.setPlaceholderText(self.tr("File name, caption or tag"))
        self.words.setAccessibleName(self.tr("Search the photos"))
        self.words.setMaxLength(200)
        self.words.textChanged.connect(self._tell)
        self.words.installEventFilter(self)
        self.clear_words = IconButton(theme, "close", self.tr("Clear the search"), size=14, parent=self)
        self.clear_words.clicked.connect(self.words.clear)
        mark = IconButton(theme, "search", self.tr("Search"), size=16, parent=self)
        mark.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        mark.clicked.connect(self.words.setFocus)
        box = FieldBox(self)
        box.add(mark)
        box.add(self.words, 1)
        box.add(self.clear_words)
        self.folder = ChoiceBox(theme, self.tr("Folder"), self)
        self.folder.addItem(self.tr("All folders"), -1)
        self.show_kind = ChoiceBox(theme, self.tr("Which photos"), self)
        self._kinds = (
            (Show.ALL, self.tr("All photos")),
            (Show.FLAGGED, self.tr("Flagged")),
            (Show.FAR, self.tr("Suspicious place")),
            (Show.DOUBLES, self.tr("Look the same")),
            (Show.TRAINED, self.tr("For training")),
            (Show.LEFT_OUT, self.tr("Left out of training")),
            (Show.NO_HEADING, self.tr("Without direction")),
        )
        for kind, word in self._kinds:
            self.show_kind.addItem(word, kind.value)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_1)
        row.addWidget(box, 2)
        for choice in (self.folder, self.show_kind):
            choice.setMinimumContentsLength(10)
            choice.currentIndexChanged.connect(self._tell)
            row.addWidget(choice, 1)
        self.clear_words.hide()

    def wish(self, before: Wish) -> Wish:
        """Return what is asked for; the map's box stays as before."""
        number = self.folder.currentData()
        folder = self._folders[number] if 0 <= number < len(self._folders) else None
        return Wish(self.words.text(), folder, Show(self.show_kind.currentData()), before.box)

    def show_folders(self, collections: Sequence[Collection]) -> None:
        """Offer the imported folders."""
        number = self.folder.currentData()
        chosen = self._folders[number] if 0 <= number < len(self._folders) else None
        self._folders = [collection.folder for collection in collections]
        self._filling = True
        self.folder.clear()
        self.folder.addItem(self.tr("All folders"), -1)
        for index, collection in enumerate(collections):
            self.folder.addItem(f"{clean_text(collection.folder.name, 40)} ({collection.photos:,})", index)
            self.folder.setItemData(index + 1, clean_text(collection.folder, 300), Qt.ItemDataRole.AccessibleTextRole)
            if collection.folder == chosen:
                self.folder.setCurrentIndex(index + 1)
        self._filling = False
        if chosen is not None and chosen not in self._folders:
            self.changed.emit()

    def show_counts(self, counts: Mapping[Show, int]) -> None:
        """Show how many photos there are of each kind."""
        for number, (kind, word) in enumerate(self._kinds):
            count = counts.get(kind, 0)
            self.show_kind.setItemText(number, f"{word} ({count:,})" if count else word)

    def choose(self, kind: Show) -> None:
        """Ask for a kind."""
        self.show_kind.setCurrentIndex(self.show_kind.findData(kind.value))

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Go from the search field to the photos with the arrow down, and clear it with Escape."""
        if watched is not self.words or not isinstance(event, QKeyEvent):
            return False
        clears = event.key() == Qt.Key.Key_Escape and bool(self.words.text())
        if event.type() == QEvent.Type.ShortcutOverride and clears:
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress and clears:
            self.words.clear()
            return True
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Down:
            self.down_asked.emit()
            return True
        return False

    def _tell(self, *_: object) -> None:
        self.clear_words.setVisible(bool(self.words.text()))
        if not self._filling:
            self.changed.emit()


class ImportCard(QFrame):
    """How far an import is, and the button that stops it; nothing is seen of it while there is none."""

    def __init__(self, theme: Theme, state: PhotosState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setObjectName("card")
        self.text = ElidedLabel("", "strong", self)
        self.facts = ElidedLabel("", "small", self)
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(4)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", parent=self)
        self.stop.setToolTip(self.tr("Stop the import. What was read is kept; importing again goes on from there."))
        self.stop.clicked.connect(state.stop_import)
        words = QVBoxLayout()
        words.setSpacing(SPACE_1)
        words.addWidget(self.text)
        words.addWidget(self.facts)
        words.addWidget(self.line)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_3, SPACE_2, SPACE_2, SPACE_2)
        row.setSpacing(SPACE_3)
        row.addLayout(words, 1)
        row.addWidget(self.stop)
        state.importing_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        state = self._state
        folder, progress = state.importing, state.progress
        self.setVisible(folder is not None)
        if folder is None:
            return
        self.text.setText(self.tr("Importing {0}").format(clean_text(folder.name, 80)))
        self.stop.setEnabled(not state.stopping)
        if state.stopping:
            self.facts.setText(self.tr("Stopping…"))
        elif progress is None or progress.total is None:
            found = progress.done if progress else 0
            self.facts.setText(self.tr("Looking through the folder: {0} files").format(f"{found:,}"))
            self.line.show_fraction(0.0)
        else:
            placed = progress.counts.get(Reason.PLACED, 0)
            parts = [
                self.tr("{0} of {1} files").format(f"{progress.done:,}", f"{progress.total:,}"),
                self.tr("{0} with a place").format(f"{placed:,}"),
                time_left_text(progress.seconds_left) if progress.seconds_left else "",
            ]
            self.facts.setText(" · ".join(part for part in parts if part))
            self.line.show_fraction(progress.done / max(1, progress.total))
