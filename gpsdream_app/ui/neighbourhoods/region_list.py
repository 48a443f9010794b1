"""The list of regions: headings, check boxes, how many photos stand behind each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gpsdream_app.ui.film import Index
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.neighbourhoods.book import Group, Listed, RegionBook
from gpsdream_app.ui.neighbourhoods.state import photos_text
from gpsdream_app.ui.phrases import one_line, tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, TYPE_SMALL

ROW = 28
HEADING_ROW = 26
BOX = 16
ENTRY = int(Qt.ItemDataRole.UserRole) + 1


@dataclass(frozen=True, slots=True)
class Heading:
    """A row that is only read. Qt would make a plain text of the group itself."""

    group: Group


class RegionModel(QAbstractListModel):
    """The regions that a search finds, under headings; a street that is no region yet is a plain name."""

    def __init__(self, book: RegionBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book = book
        self._text = ""
        self._rows: list[Listed | str | Heading] = []
        book.changed.connect(self.read)
        book.selection_changed.connect(self._tell)
        self.read()

    @property
    def text(self) -> str:
        """What is searched for."""
        return self._text

    def search(self, text: str) -> None:
        """List what holds a text."""
        if text != self._text:
            self._text = text
            self.read()

    def read(self) -> None:
        """List the regions anew."""
        found = self._book.found(self._text)
        rows: list[Listed | str | Heading] = []
        for group in Group:
            members = [entry for entry in found if isinstance(entry, Listed) and entry.group is group]
            # Those that the model knows something of come first within their heading.
            members.sort(key=lambda listed: (not listed.photos, listed.name.casefold()))
            names = [entry for entry in found if isinstance(entry, str)] if group is Group.STREET else []
            if members or names:
                rows.extend([Heading(group), *members, *names])
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def row_of(self, region_id: str) -> int:
        """Return the row of a region, -1 if it is not listed."""
        for row, entry in enumerate(self._rows):
            if isinstance(entry, Listed) and entry.id == region_id:
                return row
        return -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        """Return the number of rows, headings included."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one aspect of a row."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        entry = self._rows[index.row()]
        if role == ENTRY:
            return entry
        if isinstance(entry, Heading):
            return self._heading(entry.group) if role in (Qt.ItemDataRole.DisplayRole, ACCESSIBLE) else None
        if isinstance(entry, str):
            if role == Qt.ItemDataRole.CheckStateRole:
                return Qt.CheckState.Unchecked
            return one_line(entry) if role in (Qt.ItemDataRole.DisplayRole, ACCESSIBLE) else None
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if self._book.is_selected(entry.id) else Qt.CheckState.Unchecked
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return one_line(entry.name)
        if role == ACCESSIBLE:
            return ", ".join(part for part in (one_line(entry.name), photos_text(entry.photos)) if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            known = photos_text(entry.photos)
            return tooltip(f"{one_line(entry.name)}\n{known}" if known else one_line(entry.name))
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Check a region, or give a person's own another name."""
        entry = self.data(index, ENTRY)
        if isinstance(entry, Listed) and role == Qt.ItemDataRole.CheckStateRole:
            self._book.select(entry.id, Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        if isinstance(entry, Listed) and role == Qt.ItemDataRole.EditRole:
            self._book.rename(entry.id, str(value))
            return True
        return False

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Headings are only read; a person's own regions can be renamed."""
        entry = self.data(index, ENTRY)
        if isinstance(entry, Heading) or entry is None:
            return Qt.ItemFlag.ItemIsEnabled
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
        if isinstance(entry, Listed) and entry.group is Group.OWN:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def _heading(self, group: Group) -> str:
        return {
            Group.OWN: self.tr("Your regions"),
            Group.NEIGHBOURHOOD: self.tr("Neighbourhoods"),
            Group.PARK: self.tr("Parks"),
            Group.STREET: self.tr("Streets"),
        }[group]

    def _tell(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), [int(CHECK)])


ACCESSIBLE = Qt.ItemDataRole.AccessibleTextRole
CHECK = Qt.ItemDataRole.CheckStateRole


class RegionDelegate(QStyledItemDelegate):
    """Draws one row."""

    def __init__(self, theme: Theme, view: QListView) -> None:
        super().__init__(view)
        self._theme, self._view = theme, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Headings are a little lower, and have room above them."""
        return QSize(80, HEADING_ROW if isinstance(index.data(ENTRY), Heading) else ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a heading or a region."""
        theme, entry, rect = self._theme, index.data(ENTRY), option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(option.font)
        if isinstance(entry, Heading):
            font.setPixelSize(TYPE_SMALL)
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(
                rect.adjusted(SPACE_2, SPACE_1, 0, 0),
                int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft),
                str(index.data()),
            )
            painter.restore()
            return
        state = option.state
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        if state & QStyle.StateFlag.State_MouseOver or focused:
            painter.setPen(QPen(theme.colour("accent"), 2) if focused else Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 1, -2, -1), RADIUS_SMALL + 2, RADIUS_SMALL + 2)
        self._paint_box(painter, self.box_rect(rect), index.data(CHECK) == Qt.CheckState.Checked)
        photos = entry.photos if isinstance(entry, Listed) else None
        small = QFont(font)
        small.setPixelSize(TYPE_SMALL)
        painter.setFont(small)
        note = self._note(entry)
        width = QFontMetrics(small).horizontalAdvance(note)
        painter.setPen(theme.colour("text_faint"))
        right = rect.adjusted(0, 0, -SPACE_2 - 2, 0)
        painter.drawText(right, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), note)
        painter.setFont(font)
        painter.setPen(theme.colour("text" if photos != 0 else "text_muted"))
        left = rect.adjusted(SPACE_2 + BOX + SPACE_2, 0, -SPACE_2 - 2 - width - SPACE_2, 0)
        name = QFontMetrics(font).elidedText(str(index.data()), Qt.TextElideMode.ElideRight, left.width())
        painter.drawText(left, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), name)
        painter.restore()

    @staticmethod
    def box_rect(row: QRect) -> QRectF:
        """Return where the check box of a row stands."""
        return QRectF(row.left() + SPACE_2, row.center().y() - BOX / 2 + 0.5, BOX, BOX)

    def _paint_box(self, painter: QPainter, rect: QRectF, checked: bool) -> None:
        theme = self._theme
        painter.setPen(Qt.PenStyle.NoPen if checked else QPen(theme.colour("text_faint"), 1))
        painter.setBrush(theme.colour("glow" if checked else "raised"))
        painter.drawRoundedRect(rect, RADIUS_SMALL, RADIUS_SMALL)
        if checked:
            mark = icon_pixmap("check", theme.palette.on_glow, BOX - 2, self._view.devicePixelRatioF())
            painter.drawPixmap(rect.topLeft() + QPoint(1, 1), mark)

    def _note(self, entry: object) -> str:
        if not isinstance(entry, Listed) or entry.photos is None:
            return ""
        return self.tr("none") if entry.photos == 0 else f"{entry.photos:,}"

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """Edit a name in the row itself."""
        edit = QLineEdit(parent)
        edit.setProperty("look", "bare")
        edit.setAutoFillBackground(True)
        edit.setMaxLength(120)
        edit.setAccessibleName(self.tr("Name of the region"))
        return edit

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Put the name into the field, but not over what is being written there."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Put the field where the name stands."""
        editor.setGeometry(option.rect.adjusted(SPACE_2 + BOX + SPACE_1, 2, -SPACE_1, -2))

    def editorEvent(self, event: QEvent, model: Any, option: QStyleOptionViewItem, index: Index) -> bool:
        """Leave clicks to the view, which takes the whole row for the box."""
        return False


class RegionList(QListView):
    """The list. A click anywhere in a row checks it; F2 or a double click renames a person's own region.

    Signals:
        street_asked: a street shall become a region; its name.
        menu_asked: a context menu is wanted for a region at a point on the screen.
        hovered: the pointer is on a region; its id, empty when it leaves.
        delete_asked: a region shall go; its id.
    """

    street_asked = Signal(str)
    menu_asked = Signal(str, QPoint)
    hovered = Signal(str)
    delete_asked = Signal(str)

    def __init__(self, theme: Theme, book: RegionBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book, self._theme = book, theme
        self.regions = RegionModel(book, self)
        self.setModel(self.regions)
        self.setItemDelegate(RegionDelegate(theme, self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setAccessibleName(self.tr("Regions"))
        self.setMinimumHeight(96)
        self._over = ""
        self._kept_scroll = 0
        theme.changed.connect(self.viewport().update)
        self.regions.modelAboutToBeReset.connect(self._keep_place)
        self.regions.modelReset.connect(self._restore_place)
        self._current_id = ""

    def _keep_place(self) -> None:
        entry = self.currentIndex().data(ENTRY)
        self._current_id = entry.id if isinstance(entry, Listed) else ""
        self._kept_scroll = self.verticalScrollBar().value()

    def _restore_place(self) -> None:
        row = self.regions.row_of(self._current_id) if self._current_id else -1
        if row >= 0:
            self.setCurrentIndex(self.regions.index(row))
        self.verticalScrollBar().setValue(self._kept_scroll)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Check or uncheck the row."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and index == self.currentIndex():
            self._toggle(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Count a double click as two clicks, but for the name of a person's own region, which it edits."""
        index = self.indexAt(event.position().toPoint())
        entry = index.data(ENTRY)
        if isinstance(entry, Listed) and entry.group is Group.OWN:
            self._book.select(entry.id, True)
            self.edit(index)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell which region is pointed at."""
        super().mouseMoveEvent(event)
        entry = self.indexAt(event.position().toPoint()).data(ENTRY)
        self._point(entry.id if isinstance(entry, Listed) else "")

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that none is pointed at."""
        super().leaveEvent(event)
        self._point("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space and Enter check, Delete deletes a person's own region."""
        if self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)  # Enter ends the editing of a name; the field lets it through
            return
        index = self.currentIndex()
        entry = index.data(ENTRY)
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._toggle(index)
                return
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and isinstance(entry, Listed):
            self.delete_asked.emit(entry.id)
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu."""
        mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        index = self.indexAt(event.pos()) if mouse else self.currentIndex()
        entry = index.data(ENTRY)
        if isinstance(entry, Listed):
            point = event.globalPos() if mouse else self.viewport().mapToGlobal(self.visualRect(index).center())
            self.menu_asked.emit(entry.id, point)

    def start_naming(self, region_id: str) -> None:
        """Let a person name a region."""
        row = self.regions.row_of(region_id)
        if row >= 0:
            index = self.regions.index(row)
            self.scrollTo(index)
            self.setCurrentIndex(index)
            self.setFocus(Qt.FocusReason.OtherFocusReason)
            self.edit(index)

    def show_region(self, region_id: str) -> None:
        """Bring a region in sight."""
        row = self.regions.row_of(region_id)
        if row >= 0:
            self.scrollTo(self.regions.index(row))

    def _toggle(self, index: QModelIndex) -> None:
        entry = index.data(ENTRY)
        if isinstance(entry, Listed):
            self._book.toggle(entry.id)
        elif isinstance(entry, str):
            self.street_asked.emit(entry)

    def _point(self, region_id: str) -> None:
        if region_id != self._over:
            self._over = region_id
            self.hovered.emit(region_id)
