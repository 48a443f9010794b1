"""What was found as a list of any length: only the rows in sight, and some around them, are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QLocale, QModelIndex, QObject, QPersistentModelIndex, Qt

from gpsdream_app.domain.lifts import LiftResult
from gpsdream_app.domain.results import Result
from gpsdream_app.library.lifts import LOOK_FILE
from gpsdream_app.library.search import Entry
from gpsdream_app.ui.phrases import one_line, place_text, tooltip

Index = QModelIndex | QPersistentModelIndex

PAGE = 64  # rows that are read at once
MAX_PAGES = 160


class ItemRole(IntEnum):
    """What the grid asks for, beside Qt's own roles."""

    ITEM = Qt.ItemDataRole.UserRole + 1


class Item:
    """What the grid draws for a picture or a mesh.

    Attributes:
        id: unique.
        entry: the picture; None for a mesh.
        lift: the mesh; None for a picture.
        title: first line below the picture.
        note: second line.
        starred: whether it has a star.
        picture: file that the small copy is made of.
    """

    __slots__ = ("entry", "id", "lift", "note", "picture", "starred", "title")

    def __init__(self, entry: Entry | None, lift: LiftResult | None = None, trashed: Path | None = None) -> None:
        self.entry, self.lift = entry, lift
        self.starred = bool(entry and entry.starred)
        if entry:
            result = entry.result
            self.id = result.id
            self.picture = trashed or Path(result.path)
            place = result.request.place
            self.title = one_line(place_text(place)) if place else ""
            self.note = one_line(result.request.prompt)
            if not self.title:
                self.title, self.note = self.note, ""
        else:
            assert lift is not None
            self.id = lift.id
            self.picture = Path(lift.folder) / LOOK_FILE
            self.title = one_line(lift.request.landmark.name)
            self.note = f"{lift.faces:,} ▲"

    @property
    def result(self) -> Result | None:
        """The picture; None for a mesh."""
        return self.entry.result if self.entry else None


class LibraryModel(QAbstractListModel):
    """Rows by their numbers; what is known about them comes from the library page by page."""

    def __init__(
        self, read: Callable[[list[int], Callable[[list[Item]], None]], None], parent: QObject | None = None
    ) -> None:
        """Make an empty list.

        Args:
            read: reads rows in the background: gets their numbers, and what to call with the items that are there.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._read = read
        self._numbers: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._lifts: list[Item] | None = None
        self._pages: OrderedDict[int, dict[int, Item]] = OrderedDict()
        self._reading: set[int] = set()
        self._wanted: tuple[int, int] = (0, -1)
        self._generation = 0

    # -- what Qt asks --

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        """Return the number of rows."""
        if parent.isValid():
            return 0
        return len(self._numbers) if self._lifts is None else len(self._lifts)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one aspect of a row; None while it is being read."""
        if not index.isValid():
            return None
        item = self.item(index.row())
        if item is None:
            return None
        if role == ItemRole.ITEM:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return item.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(item_text(item))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return one_line(item_text(item))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Everything can be chosen, and dragged out."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled

    # -- what the place asks --

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The rows' numbers, in order; empty while meshes are shown."""
        return self._numbers

    def item(self, row: int) -> Item | None:
        """Return a row, None while it is being read or if it is gone."""
        if self._lifts is not None:
            return self._lifts[row] if 0 <= row < len(self._lifts) else None
        page = self._pages.get(row // PAGE)
        if page is None:
            return None
        return page.get(int(self._numbers[row])) if 0 <= row < len(self._numbers) else None

    def row_of(self, number: int) -> int:
        """Return the row of a number, -1 if it is not there."""
        rows = np.flatnonzero(self._numbers == number)
        return int(rows[0]) if len(rows) else -1

    def show_numbers(self, numbers: NDArray[np.int64]) -> None:
        """Show these rows of the library, in this order."""
        self.beginResetModel()
        self._numbers, self._lifts = numbers, None
        self._forget()
        self.endResetModel()

    def show_lifts(self, lifts: Sequence[LiftResult]) -> None:
        """Show meshes."""
        self.beginResetModel()
        self._numbers = np.empty(0, dtype=np.int64)
        self._lifts = [Item(None, lift) for lift in lifts]
        self._forget()
        self.endResetModel()

    def refresh(self) -> None:
        """Read what is in sight anew, for a star that came or went."""
        self._generation += 1
        self._reading.clear()
        first, last = self._wanted
        kept = range(first // PAGE, last // PAGE + 1)
        for page in [page for page in self._pages if page not in kept]:
            del self._pages[page]
        for page in kept:
            self._ask(page)

    def need(self, first: int, last: int) -> None:
        """Have rows read; called for what is in sight, as often as it is drawn."""
        self._wanted = first, last
        if self._lifts is None and len(self._numbers):
            for page in range(max(first, 0) // PAGE, min(last, len(self._numbers) - 1) // PAGE + 1):
                if page in self._pages:
                    self._pages.move_to_end(page)
                elif not self._reading:
                    # One page at a time: whoever rolls past 10,000 rows does not wait for all of them.
                    self._ask(page)

    def _ask(self, page: int) -> None:
        numbers = [int(number) for number in self._numbers[page * PAGE : (page + 1) * PAGE]]
        if not numbers or page in self._reading:
            return
        self._reading.add(page)
        generation = self._generation

        def done(items: list[Item]) -> None:
            if generation != self._generation:
                return
            self._reading.discard(page)
            self._pages[page] = {item.entry.number: item for item in items if item.entry}
            while len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
            last = min((page + 1) * PAGE, len(self._numbers)) - 1
            self.dataChanged.emit(self.index(page * PAGE, 0), self.index(last, 0))
            self.need(*self._wanted)

        self._read(numbers, done)

    def _forget(self) -> None:
        self._generation += 1
        self._pages.clear()
        self._reading.clear()
        self._wanted = (0, -1)


def day_text(created: str) -> str:
    """Return an ISO 8601 time in UTC as day and time of this computer, in its language; as it is if it is none."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return one_line(created)[:40]
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    local = moment.astimezone().replace(tzinfo=None)
    return QLocale().toString(local, QLocale.FormatType.ShortFormat)  # type: ignore[call-overload,no-any-return]


def item_text(item: Item) -> str:
    """Return what an item is in a few lines of plain text."""
    created = item.entry.result.created if item.entry else item.lift.created if item.lift else ""
    return "\n".join(line for line in (item.title, item.note, day_text(created)) if line)
