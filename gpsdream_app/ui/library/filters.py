"""What narrows the library down: words, kind, model, time, region, star, and what the map shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.results import ResultKind
from gpsdream_app.library.search import Facets, Query
from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import ChoiceBox, FieldBox, IconButton, Shadow, Switch, TextButton

ALL, MESHES, TRASH = "all", "meshes", "trash"
DAYS = (0, 1, 7, 30, 365)
MAX_REGIONS = 400


class LibraryTools(QFrame):
    """The card over the map: narrow the list to what the map shows, or show all of it on the map.

    Signals:
        narrow_asked: only what the map shows, or everything again.
        fit_asked: the map shall show everything that was found.
        size_changed: it wants another size.
    """

    narrow_asked = Signal(bool)
    fit_asked = Signal()
    size_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("popover")
        self.setAccessibleName(self.tr("Tools of the map"))
        self.setGraphicsEffect(Shadow(theme, self))
        self.narrow = Switch(theme, self.tr("Only what the map shows"), self)
        self.narrow.toggled.connect(self.narrow_asked)
        self.fit = IconButton(theme, "area", self.tr("Show all pictures found on the map"), size=20, parent=self)
        self.fit.clicked.connect(self.fit_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_2, 0, SPACE_1, 0)
        row.setSpacing(SPACE_2)
        row.addWidget(self.narrow)
        row.addWidget(self.fit)


class Filters(QWidget):
    """The search field and the choices below it.

    Signals:
        changed: something else is asked for.
        down_asked: from the search field to the pictures.
    """

    changed = Signal()
    down_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._regions: list[Region] = []
        self._filling = False
        self.words = QLineEdit(self)
        self.words.setProperty("look", "bare")
        self.words.setPlaceholderText(self.tr("Words of the prompt, or a street"))
        self.words.setAccessibleName(self.tr("Search the library"))
        self.words.setMaxLength(1000)
        self.words.setClearButtonEnabled(False)
        self.words.textChanged.connect(self._tell)
        self.words.installEventFilter(self)
        self.clear_words = IconButton(theme, "close", self.tr("Clear the search"), size=14, parent=self)
        self.clear_words.clicked.connect(self.words.clear)
        mark = IconButton(theme, "search", self.tr("Search"), size=16, parent=self)
        mark.clicked.connect(self.words.setFocus)
        mark.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        box = FieldBox(self)
        box.add(mark)
        box.add(self.words, 1)
        box.add(self.clear_words)
        self.star = IconButton(theme, "star", self.tr("Only pictures with a star"), parent=self)
        self.star.setCheckable(True)
        self.star.toggled.connect(self._tell)
        self.kind = ChoiceBox(theme, self.tr("Kind"), self)
        self.model = ChoiceBox(theme, self.tr("Model"), self)
        self.time = ChoiceBox(theme, self.tr("When"), self)
        self.region = ChoiceBox(theme, self.tr("Region"), self)
        self.reset = TextButton(theme, self.tr("Show all"), "close", look="plain", parent=self)
        self.reset.clicked.connect(self.clear)
        self.kind.addItem(self.tr("Everything"), ALL)
        for kind, word in (
            (ResultKind.DRAW, self.tr("Pictures")),
            (ResultKind.AVERAGE, self.tr("Averages")),
            (ResultKind.FRAME, self.tr("Frames of walks")),
        ):
            self.kind.addItem(word, kind.value)
        self.kind.addItem(self.tr("Meshes"), MESHES)
        self.kind.addItem(self.tr("Trash"), TRASH)
        for days, word in zip(
            DAYS,
            (
                self.tr("Any time"),
                self.tr("Today"),
                self.tr("The last 7 days"),
                self.tr("The last 30 days"),
                self.tr("The last year"),
            ),
            strict=True,
        ):
            self.time.addItem(word, days)
        self.model.addItem(self.tr("Any model"), "")
        self.region.addItem(self.tr("Anywhere"), -1)
        for choice in (self.kind, self.model, self.time, self.region):
            choice.setMinimumContentsLength(7)
            choice.currentIndexChanged.connect(self._tell)
        upper = QHBoxLayout()
        upper.setSpacing(SPACE_1)
        upper.addWidget(box, 1)
        upper.addWidget(self.star)
        lower = QHBoxLayout()
        lower.setSpacing(SPACE_1)
        for choice in (self.kind, self.model, self.time, self.region):
            lower.addWidget(choice, 1)
        lower.addWidget(self.reset)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(upper)
        column.addLayout(lower)
        self._show_clear()

    @property
    def meshes(self) -> bool:
        """Whether meshes are asked for instead of pictures."""
        return bool(self.kind.currentData() == MESHES)

    def query(self, before: Query) -> Query:
        """Return what is asked for; where, as far as the map says, and order stay as before."""
        kind, days, region = self.kind.currentData(), self.time.currentData(), self.region.currentData()
        since = ""
        if days:
            midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
            since = (midnight - timedelta(days=days - 1)).astimezone(UTC).isoformat(timespec="microseconds")
        return replace(
            before,
            words=self.words.text(),
            kinds=frozenset({ResultKind(kind)}) if kind in set(ResultKind) else None,
            trashed=kind == TRASH,
            model=self.model.currentData() or "",
            since=since,
            region=self._regions[region] if 0 <= region < len(self._regions) else None,
            starred=self.star.isChecked(),
        )

    def show_facets(self, facets: Facets) -> None:
        """Offer what there is to choose from, with how often it is there."""
        chosen = self.model.currentData() or ""
        self._filling = True
        self.model.clear()
        self.model.addItem(self.tr("Any model"), "")
        models = dict(facets.models)
        if chosen:
            models.setdefault(chosen, 0)
        for name, count in models.items():
            short = one_line(PurePath(name.replace("\\", "/")).name or name)[:60]
            self.model.addItem(f"{short} ({count:,})", name)
        self.model.setCurrentIndex(max(0, self.model.findData(chosen)))
        counts = {ALL: facets.total, TRASH: facets.trashed, **{kind.value: n for kind, n in facets.kinds.items()}}
        for number in range(self.kind.count()):
            word, _, _ = self.kind.itemText(number).partition(" (")
            count = counts.get(self.kind.itemData(number), 0)
            self.kind.setItemText(number, f"{word} ({count:,})" if count else word)
        self._filling = False

    def show_regions(self, regions: Sequence[Region]) -> None:
        """Offer regions."""
        before = self.region.currentData()
        name = self._regions[before].name if 0 <= before < len(self._regions) else ""
        self._regions = list(regions)[:MAX_REGIONS]
        self._filling = True
        self.region.clear()
        self.region.addItem(self.tr("Anywhere"), -1)
        for number, region in enumerate(self._regions):
            self.region.addItem(one_line(region.name)[:60], number)
            if region.name == name:
                self.region.setCurrentIndex(number + 1)
        self._filling = False

    def clear(self) -> None:
        """Ask for everything again."""
        self._filling = True
        self.words.clear()
        self.star.setChecked(False)
        for choice in (self.kind, self.model, self.time, self.region):
            choice.setCurrentIndex(0)
        self._filling = False
        self._tell()

    def show_kind(self, key: str) -> None:
        """Choose a kind, `all`, `meshes` or `trash`."""
        self.kind.setCurrentIndex(self.kind.findData(key))

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Go from the search field to the pictures with the arrow down, and clear it with Escape."""
        if watched is not self.words or not isinstance(event, QKeyEvent):
            return False
        clears = event.key() == Qt.Key.Key_Escape and bool(self.words.text())
        if event.type() == QEvent.Type.ShortcutOverride and clears:
            event.accept()  # or the window takes it for the whole place
            return True
        if event.type() == QEvent.Type.KeyPress and clears:
            self.words.clear()
            return True
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Down:
            self.down_asked.emit()
            return True
        return False

    def _tell(self, *_: object) -> None:
        if not self._filling:
            self.star.set_icon("star_full" if self.star.isChecked() else "star")
            self._show_clear()
            self.changed.emit()

    def _show_clear(self) -> None:
        self.clear_words.setVisible(bool(self.words.text()))
        narrows = bool(self.words.text()) or self.star.isChecked()
        narrows = narrows or any(
            choice.currentIndex() > 0 for choice in (self.kind, self.model, self.time, self.region)
        )
        self.reset.setVisible(narrows)
