"""Photos as the window shows them: what is suspicious about each, the filters, and the list for the grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QCoreApplication, QModelIndex, QObject, Qt

from gpsdream_app.domain.places import Box, Place
from gpsdream_app.geo.frames import distance
from gpsdream_app.library.search import Found
from gpsdream_app.photos.cleaning import find_duplicates, find_far
from gpsdream_app.photos.records import PhotoRecord, clean_text
from gpsdream_app.ui.library.model import Index, ItemRole
from gpsdream_app.ui.phrases import coordinates_text, distance_text, heading_text, one_line, tooltip

APART_METRES = 100.0  # from here on two photos that look the same cannot both stand where they say
OPPOSITE_DEGREES = 90.0


def _tr(text: str) -> str:
    return QCoreApplication.translate("photos", text)


class FlagKind(StrEnum):
    """What is suspicious about a photo."""

    FAR = "far"
    TWO_PLACES = "two_places"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Flag:
    """Why a photo deserves a second look.

    Attributes:
        kind: what is suspicious.
        metres: from the middle of the other photos, or from the place of the one that looks the same.
        twin: name of the photo that looks the same; empty for a far one.
    """

    kind: FlagKind
    metres: float
    twin: str = ""

    @property
    def text(self) -> str:
        """One sentence for a person."""
        if self.kind is FlagKind.FAR:
            words = _tr("Its place lies {0} from the middle of the other photos of its folder.")
            return words.format(distance_text(self.metres))
        if self.kind is FlagKind.TWO_PLACES:
            words = _tr("It looks the same as “{0}”, whose place is {1} away: one of the two places is wrong.")
            return words.format(self.twin, distance_text(self.metres))
        return _tr("It looks the same as “{0}”, which is larger.").format(self.twin)


def photo_id(record: PhotoRecord) -> str:
    """Return a name for a photo that changes when its file does."""
    return f"photo:{record.path}:{record.size}:{record.mtime}"


class PhotoItem:
    """A photo, with what the grid draws of it.

    Attributes:
        number: its place among all photos, in the order of their paths.
        id: changes when the file changes.
        record: what the catalogue knows.
        folder: the imported folder that it belongs to.
        left_out: why it is left out of training; empty if it is not.
        flag: what is suspicious; None if nothing is.
        title: first line below the picture.
        note: second line.
        words: what a search looks at, in lower case.
    """

    # What the grid of the library asks of its items.
    entry = lift = result = None
    starred = False

    __slots__ = ("flag", "folder", "id", "left_out", "note", "number", "picture", "record", "title", "words")

    def __init__(self, number: int, record: PhotoRecord, folder: Path, left_out: str = "") -> None:
        self.number, self.record, self.folder, self.left_out = number, record, folder, left_out
        self.flag: Flag | None = None
        self.picture = record.path
        self.id = photo_id(record)
        self.title = clean_text(record.path.name, 200)
        self.note = clean_text(record.caption, 200) or (record.taken or "")[:10]
        self.words = " ".join((self.title, record.caption, *record.tags)).lower()

    @property
    def place(self) -> Place:
        """Where it was taken, and where it looks."""
        return Place(self.record.lat, self.record.lon, self.record.heading)

    @property
    def text(self) -> str:
        """What it is in a few lines of plain text."""
        lines = (self.title, self.note, self.facts, self.flag.text if self.flag else "", left_out_text(self.left_out))
        return "\n".join(line for line in lines if line)

    @property
    def facts(self) -> str:
        """Place, direction and day."""
        record = self.record
        parts = (
            coordinates_text(record.lat, record.lon),
            heading_text(record.heading),
            (record.taken or "").replace("T", " ")[:16],
        )
        return " · ".join(part for part in parts if part)


def left_out_text(reason: str) -> str:
    """Say that a photo is left out of training; empty if it is not."""
    return _tr("It is left out of training.") if reason else ""


def items_of(records: Iterable[PhotoRecord], folders: Sequence[Path], left_out: Mapping[Path, str]) -> list[PhotoItem]:
    """Return photos as items, without flags. A photo belongs to the innermost imported folder round it."""
    inner = sorted(folders, key=lambda folder: len(folder.parts), reverse=True)
    result: list[PhotoItem] = []
    for record in records:
        parent = record.path.parent
        folder = next((folder for folder in inner if parent == folder or folder in parent.parents), parent)
        result.append(PhotoItem(len(result), record, folder, left_out.get(record.path, "")))
    return result


def flags_of(items: Sequence[PhotoItem]) -> dict[int, Flag]:
    """Return what is suspicious, by the items' numbers: places far from the rest of a folder, and doubles."""
    flags: dict[int, Flag] = {}
    folders: dict[Path, list[PhotoItem]] = {}
    for item in items:
        folders.setdefault(item.folder, []).append(item)
    numbers = {item.record.path: item.number for item in items}
    for group in find_duplicates(item.record for item in items):
        keep = items[numbers[group.keep]].record
        for path in group.others:
            record = items[numbers[path]].record
            metres = distance(keep.lat, keep.lon, record.lat, record.lon)
            kind = FlagKind.TWO_PLACES if metres >= APART_METRES else FlagKind.DUPLICATE
            flags[numbers[path]] = Flag(kind, metres, clean_text(keep.path.name, 80))
    for members in folders.values():
        for far in find_far(member.record for member in members):
            flags[numbers[far.path]] = Flag(FlagKind.FAR, far.metres)
    return flags


class Show(StrEnum):
    """Which photos are listed."""

    ALL = "all"
    FLAGGED = "flagged"
    FAR = "far"
    DOUBLES = "doubles"
    LEFT_OUT = "left_out"
    TRAINED = "trained"
    NO_HEADING = "no_heading"


def is_kind(item: PhotoItem, kind: Show) -> bool:
    """Whether a photo is of a kind."""
    flag = item.flag
    match kind:
        case Show.ALL:
            return True
        case Show.FLAGGED:
            return flag is not None
        case Show.FAR:
            return flag is not None and flag.kind is not FlagKind.DUPLICATE
        case Show.DOUBLES:
            return flag is not None and flag.kind is not FlagKind.FAR
        case Show.LEFT_OUT:
            return bool(item.left_out)
        case Show.TRAINED:
            return not item.left_out
        case Show.NO_HEADING:
            return item.record.heading is None


def counts_of(items: Sequence[PhotoItem]) -> dict[Show, int]:
    """Return how many photos there are of each kind."""
    flags = [item.flag for item in items if item.flag]
    out = sum(bool(item.left_out) for item in items)
    return {
        Show.ALL: len(items),
        Show.FLAGGED: len(flags),
        Show.FAR: sum(flag.kind is not FlagKind.DUPLICATE for flag in flags),
        Show.DOUBLES: sum(flag.kind is not FlagKind.FAR for flag in flags),
        Show.LEFT_OUT: out,
        Show.TRAINED: len(items) - out,
        Show.NO_HEADING: sum(item.record.heading is None for item in items),
    }


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for; all of it must hold.

    Attributes:
        words: each must stand in the name, the caption or a tag.
        folder: the imported folder; None for all.
        show: which kind.
        box: only places in it; None for everywhere.
    """

    words: str = ""
    folder: Path | None = None
    show: Show = Show.ALL
    box: Box | None = None

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return self != Wish()

    def holds(self, item: PhotoItem) -> bool:
        """Whether a photo is asked for."""
        record = item.record
        if self.folder is not None and item.folder != self.folder:
            return False
        if self.box is not None and not self.box.contains(record.lat, record.lon):
            return False
        return is_kind(item, self.show) and all(word in item.words for word in self.words.lower().split())

    def everywhere(self) -> Wish:
        """The same without the map's box."""
        return replace(self, box=None)


def found_of(items: Sequence[PhotoItem]) -> Found:
    """Return items as what marks on the map are gathered from."""
    return Found(
        np.array([item.number for item in items], dtype=np.int64),
        np.array([item.record.lat for item in items], dtype=np.float64),
        np.array([item.record.lon for item in items], dtype=np.float64),
    )


def nearest_record(records: Iterable[PhotoRecord], place: Place) -> tuple[PhotoRecord, float] | None:
    """Return the photo nearest to a place and its distance in metres; None if there is none.

    Photos that look the other way come last where both directions are known: they show the other side of the street.
    """
    best: tuple[bool, float, PhotoRecord] | None = None
    for record in records:
        other_way = False
        if place.heading is not None and record.heading is not None:
            turn = abs((record.heading - place.heading + 180) % 360 - 180)
            other_way = turn > OPPOSITE_DEGREES
        metres = distance(place.lat, place.lon, record.lat, record.lon)
        if best is None or (other_way, metres) < best[:2]:
            best = other_way, metres, record
    return (best[2], best[1]) if best else None


class PhotosModel(QAbstractListModel):
    """The photos that were found, as the grid wants them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items: list[PhotoItem] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        """Return the number of photos."""
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one aspect of a photo."""
        item = self.item(index.row()) if index.isValid() else None
        if item is None:
            return None
        if role == ItemRole.ITEM:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return item.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(item.text)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return one_line(item.text)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Everything can be chosen, and dragged out."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled

    def item(self, row: int) -> PhotoItem | None:
        """Return a photo, None if there is no such row."""
        return self.items[row] if 0 <= row < len(self.items) else None

    def need(self, first: int, last: int) -> None:
        """Do nothing: everything is here."""

    def row_of(self, number: int) -> int:
        """Return the row of a photo by its number, -1 if it is not listed."""
        return next((row for row, item in enumerate(self.items) if item.number == number), -1)

    def show(self, items: Sequence[PhotoItem]) -> None:
        """Show these photos."""
        self.beginResetModel()
        self.items = list(items)
        self.endResetModel()
