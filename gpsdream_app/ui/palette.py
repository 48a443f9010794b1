"""The command palette: type a few letters of what you want, and press Enter."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.shortcuts import Card
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_2, SPACE_3, TYPE_SMALL
from gpsdream_app.ui.widgets import label

WIDTH = 560
ROW = 34
MAX_ROWS = 10  # in sight at once
MAX_CHARACTERS = 200
MAX_TEXT = 120  # of an entry, whose name may come from a file

ENTRY = int(Qt.ItemDataRole.UserRole)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the palette.

    Attributes:
        text: what it does.
        call: does it.
        group: said in a lighter hand after it.
        keys: its shortcut as this system writes it.
        words: other words by which it is found.
    """

    text: str
    call: Callable[[], object]
    group: str = ""
    keys: str = ""
    words: str = ""


def plain(text: str) -> str:
    """Return a text in small letters without accents, as people type it."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def score(query: str, text: str, words: str = "") -> float:
    """Return how well a text answers a query, 0 (not at all) to 1.

    Every word of the query must be there: best as the beginning of a word, then inside one, then as letters in order.

    Args:
        query: what was typed.
        text: what the entry says.
        words: other words by which it may be found; they count half.
    """
    asked = plain(query[:MAX_CHARACTERS]).split()
    if not asked:
        return 1.0
    main, other = plain(text), plain(words)
    points = []
    for word in asked:
        point = max(_point(word, main), 0.5 * _point(word, other))
        if not point:
            return 0.0
        points.append(point)
    whole = 0.05 if main.startswith(" ".join(asked)) else 0.0
    return 0.95 * sum(points) / len(points) + whole


def _point(word: str, text: str) -> float:
    if any(part.startswith(word) for part in text.split()):
        return 1.0
    if word in text:
        return 0.6
    # Letters in order, for those who type “nbh”; scattered ones say little, so few letters must not match by chance.
    letters = iter(text)
    return 0.25 if len(word) > 2 and all(letter in letters for letter in word) else 0.0


class _Model(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def show(self, entries: list[Entry]) -> None:
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (entry.text, entry.group, entry.keys) if part)
        return entry if role == ENTRY else None


class _Row(QStyledItemDelegate):
    """Draws an entry: its text, its group beside it, its keys at the right."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Entry = index.data(ENTRY)
        rect: QRect = option.rect
        view = self.parent()
        marked = isinstance(view, QListView) and view.currentIndex().row() == index.row()
        theme, inside = self._theme, rect.adjusted(SPACE_3, 0, -SPACE_3, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft"))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), RADIUS - 2, RADIUS - 2)
        font = QFont(view.font() if isinstance(view, QWidget) else painter.font())
        small = QFont(font)
        small.setPixelSize(TYPE_SMALL)
        centre, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        keys = QFontMetrics(small).horizontalAdvance(entry.keys)
        painter.setFont(small)
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(inside, int(centre | right), entry.keys)
        inside.setRight(inside.right() - (keys + SPACE_3 if keys else 0))
        metrics = QFontMetrics(font)
        text = metrics.elidedText(entry.text, Qt.TextElideMode.ElideRight, inside.width())
        painter.setFont(font)
        painter.setPen(theme.colour("accent" if marked else "text"))
        painter.drawText(inside, int(centre), text)
        inside.setLeft(inside.left() + metrics.horizontalAdvance(text) + SPACE_3)
        painter.setFont(small)
        painter.setPen(theme.colour("text_muted"))
        if inside.width() > 0:
            group = QFontMetrics(small).elidedText(entry.group, Qt.TextElideMode.ElideRight, inside.width())
            painter.drawText(inside, int(centre), group)
        painter.restore()


class _Edit(QLineEdit):
    """Sends the keys that walk the list there.

    Signals:
        walked: rows to go down, negative for up.
        taken: Enter was pressed.
    """

    walked = Signal(int)
    taken = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 9, Qt.Key.Key_PageUp: -9}.get(key)
        if steps is not None:
            self.walked.emit(steps)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.taken.emit()
        else:
            super().keyPressEvent(event)


class CommandPalette(Card):
    """A field and the list of what answers to it."""

    def __init__(
        self,
        theme: Theme,
        window: QWidget,
        entries: Callable[[], Sequence[Entry]],
        search: Callable[[str, Callable[[str, Sequence[Entry]], None]], None],
    ) -> None:
        """Make the palette.

        Args:
            theme: the look.
            window: what it stands over.
            entries: gives what can be done now; asked at every opening.
            search: looks for more, for example places, and calls back with the text and what was found for it.
        """
        super().__init__(theme, window, window.tr("Command palette"))
        self._give, self._search = entries, search
        self._entries: list[Entry] = []
        self._found: list[Entry] = []
        self.edit = _Edit(self)
        self.edit.setMaxLength(MAX_CHARACTERS)
        self.edit.setAcceptDrops(False)
        self.edit.setPlaceholderText(self.tr("What would you like to do, or where would you like to go?"))
        self.edit.setAccessibleName(self.tr("Command or place"))
        self.list = QListView(self)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(self.tr("Commands"))
        self.model = _Model(self.list)
        self.list.setModel(self.model)
        self.list.setItemDelegate(_Row(theme, self.list))
        self.empty = label(self.tr("Nothing by that name. Try a shorter word."), "muted")
        self.empty.setContentsMargins(SPACE_3, SPACE_2, SPACE_3, SPACE_2)
        self.column.setContentsMargins(SPACE_2, SPACE_2, SPACE_2, SPACE_2)
        self.column.addWidget(self.edit)
        self.column.addWidget(self.list)
        self.column.addWidget(self.empty)
        self.edit.textChanged.connect(self._ask)
        self.edit.walked.connect(self._walk)
        self.edit.taken.connect(self._take)
        self.list.entered.connect(self.list.setCurrentIndex)
        self.list.clicked.connect(self._take)

    @property
    def shown(self) -> list[Entry]:
        """What the list shows, best first."""
        return self.model.entries

    def open_here(self) -> None:
        """Show the palette with an empty field."""
        self._entries, self._found = list(self._give()), []
        self.setFixedWidth(min(WIDTH, self._window.width() - 2 * SPACE_3))
        self.edit.clear()
        self._show()
        super().open_here()
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    def _ask(self, text: str) -> None:
        self._found = []
        self._show()
        if len(text.strip()) > 1 and self.isVisible():
            self._search(text, self._take_found)

    def _take_found(self, text: str, found: Sequence[Entry]) -> None:
        if self.isVisible() and text == self.edit.text():
            self._found = list(found)
            self._show(self.list.currentIndex().row())

    def _show(self, row: int = 0) -> None:
        text = self.edit.text()
        scored = [(score(text, entry.text, f"{entry.words} {entry.group}"), entry) for entry in self._entries]
        best = sorted((item for item in scored if item[0] > 0), key=lambda item: -item[0])
        self.model.show([entry for _, entry in best] + self._found)
        count = len(self.shown)
        room = max(3, (self._window.height() - 160) // ROW)
        self.list.setFixedHeight(min(count, MAX_ROWS, room) * ROW)
        self.list.setVisible(count > 0)
        self.empty.setVisible(count == 0)
        if count:
            self._mark(min(max(row, 0), count - 1))
        self.fit()

    def _walk(self, rows: int) -> None:
        count = len(self.shown)
        if count:
            at = self.list.currentIndex().row() + rows
            # One step goes round at the ends, a page stops there.
            self._mark(at % count if abs(rows) == 1 else min(max(at, 0), count - 1))

    def _mark(self, row: int) -> None:
        index = self.model.index(row, 0)
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index)
        if self.isVisible():
            spoken = str(self.model.data(index, Qt.ItemDataRole.AccessibleTextRole))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.edit, spoken))

    def _take(self, *_: object) -> None:
        row = self.list.currentIndex().row()
        if 0 <= row < len(self.shown):
            entry = self.shown[row]
            self.dismiss()
            entry.call()


def short(text: str) -> str:
    """Return a name from a file or a model in one line of bounded length."""
    line = one_line(text[: 4 * MAX_TEXT])
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
