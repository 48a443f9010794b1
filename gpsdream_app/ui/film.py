"""The pictures of the filmstrip as a list: newest first, the pictures of one place side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QByteArray, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QImage

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.phrases import one_line, result_text, tooltip

Index = QModelIndex | QPersistentModelIndex


class FilmRole(IntEnum):
    """What the delegate asks for, beside Qt's own roles."""

    RESULT = Qt.ItemDataRole.UserRole + 1
    GROUP = Qt.ItemDataRole.UserRole + 2
    CURRENT = Qt.ItemDataRole.UserRole + 3
    PROGRESS = Qt.ItemDataRole.UserRole + 4
    PREVIEW = Qt.ItemDataRole.UserRole + 5


@dataclass(slots=True)
class Drawing:
    """The picture that is being drawn: the strip's first tile while there is one."""

    place: Place | None
    fraction: float = 0.0
    preview: QImage | None = None


def group_key(place: Place | None) -> str:
    """Return what pictures of one place have in common: its name, else its coordinates to about ten metres."""
    if place is None:
        return ""
    return place.name or f"{place.lat:.4f}, {place.lon:.4f}"


class FilmModel(QAbstractListModel):
    """Results, ordered so that groups stand by their newest picture, and within a group the newest is first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Result | Drawing] = []
        self._current = ""

    # -- what Qt asks --

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        """Return the number of tiles."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one aspect of a tile."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        item = self._rows[index.row()]
        if role == FilmRole.GROUP:
            return self.group(index.row())
        if isinstance(item, Drawing):
            return self._drawing_data(item, role)
        if role == FilmRole.RESULT:
            return item
        if role == FilmRole.CURRENT:
            return item.id == self._current
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(result_text(item))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return one_line(result_text(item))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Results can be chosen and dragged out; the one being drawn can only be chosen."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if isinstance(self._item(index), Result):
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags if index.isValid() else Qt.ItemFlag.NoItemFlags

    def roleNames(self) -> dict[int, QByteArray]:
        """Return the names of our own roles."""
        return {
            **super().roleNames(),
            **{int(role): QByteArray(role.name.lower().encode()) for role in FilmRole},
        }

    # -- what the window asks --

    @property
    def results(self) -> list[Result]:
        """All results, in the strip's order."""
        return [item for item in self._rows if isinstance(item, Result)]

    @property
    def oldest(self) -> Result | None:
        """The oldest result in the strip."""
        return min(self.results, key=lambda result: (result.created, result.id), default=None)

    @property
    def current(self) -> str:
        """Id of the highlighted result; empty if there is none."""
        return self._current

    @current.setter
    def current(self, result_id: str) -> None:
        rows = {self.row_of(self._current), self.row_of(result_id)} - {-1}
        self._current = result_id
        for row in rows:
            self.dataChanged.emit(self.index(row), self.index(row), [int(FilmRole.CURRENT)])

    def result(self, result_id: str) -> Result | None:
        """Return a result by its id."""
        row = self.row_of(result_id)
        item = self._rows[row] if row >= 0 else None
        return item if isinstance(item, Result) else None

    def row_of(self, result_id: str) -> int:
        """Return the row of a result, -1 if it is not in the strip."""
        for row, item in enumerate(self._rows):
            if isinstance(item, Result) and item.id == result_id:
                return row
        return -1

    def group(self, row: int) -> str:
        """Return the key of the group that a row belongs to."""
        item = self._rows[row]
        return group_key(item.request.place if isinstance(item, Result) else item.place)

    def reset(self, results: Sequence[Result]) -> None:
        """Show these results, the newest first, and nothing else but the one being drawn."""
        groups: dict[str, list[Result]] = {}
        for result in results:
            groups.setdefault(group_key(result.request.place), []).append(result)
        self.beginResetModel()
        drawing: list[Result | Drawing] = [item for item in self._rows if isinstance(item, Drawing)]
        self._rows = drawing + [result for group in groups.values() for result in group]
        self.endResetModel()

    def add_newest(self, result: Result) -> None:
        """Put a new result at the left, and its place's other pictures beside it."""
        if self.row_of(result.id) >= 0:
            return
        key = group_key(result.request.place)
        first = self._first()
        rows = [row for row in range(first, len(self._rows)) if self.group(row) == key]
        if rows and rows[0] > first:
            self.beginMoveRows(QModelIndex(), rows[0], rows[-1], QModelIndex(), first)
            block = self._rows[rows[0] : rows[-1] + 1]
            del self._rows[rows[0] : rows[-1] + 1]
            self._rows[first:first] = block
            self.endMoveRows()
        self._insert(first, result)

    def add_older(self, results: Sequence[Result]) -> None:
        """Append results that are older than all others, each at the end of its place's group."""
        for result in results:
            if self.row_of(result.id) >= 0:
                continue
            key = group_key(result.request.place)
            rows = [row for row in range(self._first(), len(self._rows)) if self.group(row) == key]
            self._insert(rows[-1] + 1 if rows else len(self._rows), result)

    def put_back(self, row: int, result: Result) -> None:
        """Insert a result where `remove` took it from."""
        self._insert(max(self._first(), min(row, len(self._rows))), result)

    def remove(self, result_id: str) -> int:
        """Take a result out and return the row where it was, -1 if it was not there."""
        row = self.row_of(result_id)
        if row >= 0:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._rows[row]
            self.endRemoveRows()
        return row

    def show_drawing(self, place: Place | None, fraction: float, preview: QImage | None = None) -> None:
        """Show the tile of the picture that is being drawn, or bring it up to date; no preview keeps the last one."""
        if self._first():
            item = self._rows[0]
            assert isinstance(item, Drawing)
            item.place, item.fraction = place, fraction
            item.preview = preview or item.preview
            self.dataChanged.emit(self.index(0), self.index(0))
        else:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._rows.insert(0, Drawing(place, fraction, preview))
            self.endInsertRows()

    def hide_drawing(self) -> None:
        """Take the tile of the picture that is being drawn away."""
        if self._first():
            self.beginRemoveRows(QModelIndex(), 0, 0)
            del self._rows[0]
            self.endRemoveRows()

    def _first(self) -> int:
        """Return the row of the first result."""
        return 1 if self._rows and isinstance(self._rows[0], Drawing) else 0

    def _insert(self, row: int, result: Result) -> None:
        self.beginInsertRows(QModelIndex(), row, row)
        self._rows.insert(row, result)
        self.endInsertRows()

    def _item(self, index: Index) -> Result | Drawing | None:
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def _drawing_data(self, item: Drawing, role: int) -> Any:
        if role == FilmRole.PROGRESS:
            return item.fraction
        if role == FilmRole.PREVIEW:
            return item.preview
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.tr("Being drawn now")
        return None
