"""The grid of small pictures. Only what is in sight is ever looked at, so its length does not matter."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtCore import QMimeData as MimeData
from PySide6.QtGui import (
    QContextMenuEvent,
    QDrag,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.library.model import Index, Item, LibraryModel
from gpsdream_app.ui.library.thumbnails import Thumbnails
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL

NARROWEST = 132
WORDS = 38  # below the picture
GAP = SPACE_3
MARGIN = 3  # for the frame of what is chosen
STAR = 16
MAX_DRAWN = 500  # tiles that are kept as they were drawn
MAX_DRAGGED = 500


class LibraryGrid(QListView):
    """A list in rows, as many pictures in each as there is room for.

    The places of the tiles are computed, not stored, which Qt's own list does tile by tile.

    Signals:
        picked: other items are chosen, or another one is the current one.
        opened: Enter or a double click on an item.
        delete_asked: the chosen items shall be deleted.
        star_asked: the chosen items shall get a star, or lose it.
        menu_asked: a context menu is wanted at a point on the screen.
    """

    picked = Signal()
    opened = Signal()
    delete_asked = Signal()
    star_asked = Signal()
    menu_asked = Signal(QPoint)

    def __init__(self, theme: Theme, model: LibraryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._columns, self._side = 1, NARROWEST
        self._hovered = -1
        # A tile is drawn once; rolling then moves what is there.
        self._drawn: OrderedDict[tuple[str, bool], QPixmap] = OrderedDict()
        self.thumbnails = Thumbnails(self.viewport().update, self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Pictures of the library"))
        self.setModel(model)
        self._items = model
        self.doubleClicked.connect(lambda _: self.opened.emit())
        model.dataChanged.connect(lambda *_: self.viewport().update())
        model.modelReset.connect(self._reset)
        theme.changed.connect(self._redraw)

    # -- where things are --

    @property
    def side(self) -> int:
        """Side of a picture; pictures fill the width."""
        return self._side

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return self._columns

    def tile_rect(self, row: int) -> QRect:
        """Return where a row's tile stands in the viewport, its words included."""
        line, column = divmod(row, self._columns)
        x = MARGIN + column * (self._side + GAP)
        y = MARGIN + line * (self._side + WORDS + GAP) - self.verticalScrollBar().value()
        return QRect(x, y, self._side, self._side + WORDS)

    def rows_in_sight(self) -> range:
        """Return the rows that are in sight, wholly or in part."""
        top, height = self.verticalScrollBar().value() - MARGIN, self._side + WORDS + GAP
        first = max(0, top // height) * self._columns
        last = ((top + self.viewport().height()) // height + 1) * self._columns
        return range(first, min(last, self._items.rowCount()))

    def visualRect(self, index: Index) -> QRect:
        """Return where a row's tile stands."""
        return self.tile_rect(index.row()) if index.isValid() else QRect()

    def indexAt(self, point: QPoint) -> QModelIndex:
        """Return the row under a point of the viewport."""
        row = self._row_at(point)
        return self._items.index(row, 0) if row >= 0 else QModelIndex()

    def _row_at(self, point: QPoint) -> int:
        line = (point.y() + self.verticalScrollBar().value() - MARGIN) // (self._side + WORDS + GAP)
        column = (point.x() - MARGIN) // (self._side + GAP)
        row = line * self._columns + column
        if line < 0 or not 0 <= column < self._columns or row >= self._items.rowCount():
            return -1
        return row if self.tile_rect(row).contains(point) else -1

    def scrollTo(
        self, index: Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        """Bring a row in sight."""
        if not index.isValid():
            return
        rect, bar = self.tile_rect(index.row()), self.verticalScrollBar()
        height = self.viewport().height()
        if hint == QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(bar.value() + rect.center().y() - height // 2)
        elif rect.top() < MARGIN:
            bar.setValue(bar.value() + rect.top() - MARGIN)
        elif rect.bottom() > height - MARGIN:
            bar.setValue(bar.value() + rect.bottom() - height + MARGIN + 1)

    def horizontalOffset(self) -> int:
        """Nothing is rolled sideways."""
        return 0

    def verticalOffset(self) -> int:
        """Return how far is rolled, in pixels."""
        return self.verticalScrollBar().value()

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Return the row that a key leads to."""
        count, row = self._items.rowCount(), self.currentIndex().row()
        if not count:
            return QModelIndex()
        if row < 0:
            return self._items.index(0, 0)
        moves = QAbstractItemView.CursorAction
        page = max(1, self.viewport().height() // (self._side + WORDS + GAP)) * self._columns
        steps = {
            moves.MoveLeft: -1,
            moves.MovePrevious: -1,
            moves.MoveRight: 1,
            moves.MoveNext: 1,
            moves.MoveUp: -self._columns,
            moves.MoveDown: self._columns,
            moves.MovePageUp: -page,
            moves.MovePageDown: page,
            moves.MoveHome: -row,
            moves.MoveEnd: count - 1 - row,
        }
        wanted = row + steps.get(action, 0)
        if action in (moves.MoveUp, moves.MoveDown) and not 0 <= wanted < count:
            wanted = row if wanted < 0 or row // self._columns == (count - 1) // self._columns else count - 1
        return self._items.index(min(max(wanted, 0), count - 1), 0)

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        """Choose what a rectangle of the viewport touches."""
        selection = QItemSelection()
        rect = rect.normalized()
        offset, height = self.verticalScrollBar().value() - MARGIN, self._side + WORDS + GAP
        first, last = (rect.top() + offset) // height, (rect.bottom() + offset) // height
        left = max(0, (rect.left() - MARGIN) // (self._side + GAP))
        right = min(self._columns - 1, (rect.right() - MARGIN) // (self._side + GAP))
        count = self._items.rowCount()
        for line in range(max(0, first), last + 1):
            begin, end = line * self._columns + left, min(line * self._columns + right, count - 1)
            rows = [row for row in range(begin, end + 1) if self.tile_rect(row).intersects(rect)]
            if rows:
                selection.select(self._items.index(rows[0], 0), self._items.index(rows[-1], 0))
        self.selectionModel().select(selection, command)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        """Return what is to be drawn again; everything in sight is little enough."""
        return QRegion(self.viewport().rect())

    def isIndexHidden(self, index: Index) -> bool:
        """No row is hidden."""
        return False

    def doItemsLayout(self) -> None:
        """Nothing is laid out: places are computed."""
        self.updateGeometries()
        self.viewport().update()

    def updateGeometries(self) -> None:
        """Fit columns and scroll bar to the width."""
        if not hasattr(self, "_items"):
            return
        width = self.viewport().width() - 2 * MARGIN
        self._columns = max(1, (width + GAP) // (NARROWEST + GAP))
        side = max(48, (width + GAP) // self._columns - GAP)
        if side != self._side:
            self._side = side
            self._drawn.clear()
        lines = -(-self._items.rowCount() // self._columns)
        bar, height = self.verticalScrollBar(), self._side + WORDS + GAP
        bar.setSingleStep(height // 4)
        bar.setPageStep(max(height, self.viewport().height() - height // 2))
        bar.setRange(0, max(0, lines * height - GAP + 2 * MARGIN - self.viewport().height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what is in sight in sight."""
        first = self.rows_in_sight().start if self._items.rowCount() else 0
        columns = self._columns
        QAbstractItemView.resizeEvent(self, event)
        self.updateGeometries()
        if columns != self._columns:
            self.verticalScrollBar().setValue(first // self._columns * (self._side + WORDS + GAP))

    def sizeHint(self) -> QSize:
        """A few tiles."""
        return QSize(3 * (NARROWEST + GAP), 2 * (NARROWEST + WORDS + GAP))

    # -- what is chosen --

    def chosen_rows(self, most: int | None = None) -> list[int]:
        """Return the rows that are chosen, in order.

        Args:
            most: no more than so many; everything may be chosen, and that may be 100,000 rows.
        """
        rows: list[int] = []
        for part in _parts(self.selectionModel().selection()):
            end = part.bottom() + 1 if most is None else min(part.bottom() + 1, part.top() + most)
            rows.extend(range(part.top(), end))
        return sorted(rows)[:most]

    def chosen_count(self) -> int:
        """Return how many rows are chosen."""
        return sum(part.height() for part in _parts(self.selectionModel().selection()))

    def choose(self, row: int) -> None:
        """Choose a row and no other, and bring it in sight."""
        index = self._items.index(row, 0)
        self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.scrollTo(index)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Tell of it."""
        self.viewport().update()
        self.picked.emit()

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Bring the current row in sight, and tell of it."""
        if current.isValid():
            self.scrollTo(current)
        self.viewport().update()
        self.picked.emit()

    def _reset(self) -> None:
        self._drawn.clear()
        self._hovered = -1
        self.updateGeometries()
        self.picked.emit()

    # -- drawing --

    def _redraw(self) -> None:
        self._drawn.clear()
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the tiles in sight."""
        rows = self.rows_in_sight()
        self._items.need(rows.start, rows.stop - 1)
        selection, current = self.selectionModel(), self.currentIndex().row()
        some = selection.hasSelection()
        model = self._items
        with QPainter(self.viewport()) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for row in rows:
                rect = self.tile_rect(row)
                item = model.item(row)
                if item is None:
                    self._paint_empty(painter, QRect(rect.topLeft(), QSize(self._side, self._side)))
                else:
                    painter.drawPixmap(rect.topLeft(), self._tile(item))
                chosen = some and selection.isSelected(model.index(row, 0))
                if chosen or row in (current, self._hovered):
                    self._paint_frame(painter, rect, row, chosen=chosen, current=row == current)

    def _tile(self, item: Item) -> QPixmap:
        """Return a tile with its words, as it is drawn while nobody points at it."""
        key = item.id, item.starred
        drawn = self._drawn.get(key)
        if drawn is not None:
            self._drawn.move_to_end(key)
            return drawn
        scale = self.devicePixelRatioF()
        picture = self.thumbnails.get(item, round(self._side * scale))
        drawn = QPixmap(QSize(self._side, self._side + WORDS) * scale)
        drawn.setDevicePixelRatio(scale)
        drawn.fill(Qt.GlobalColor.transparent)
        with QPainter(drawn) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            square = QRect(0, 0, self._side, self._side)
            self._paint_picture(painter, square, item, picture)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("frame"), 1))
            painter.drawRoundedRect(QRectF(square).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL, RADIUS_SMALL)
            self._paint_words(painter, item)
        if picture is not None:
            self._drawn[key] = drawn
            while len(self._drawn) > MAX_DRAWN:
                self._drawn.popitem(last=False)
        return drawn

    def _paint_empty(self, painter: QPainter, rect: QRect) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("sunken"))
        painter.drawRoundedRect(rect, RADIUS_SMALL, RADIUS_SMALL)

    def _paint_picture(self, painter: QPainter, rect: QRect, item: Item, pixmap: QPixmap | None) -> None:
        theme = self._theme
        if pixmap is not None and not pixmap.isNull():
            painter.drawPixmap(rect, pixmap)
        else:
            self._paint_empty(painter, rect)
        if pixmap is not None and pixmap.isNull():
            mark = icon_pixmap("warning", theme.palette.text_faint, 20, self.devicePixelRatioF())
            painter.drawPixmap(rect.center() - QPoint(10, 20), mark)
            painter.setPen(theme.colour("text_muted"))
            below = QRect(rect.left(), rect.center().y() + 4, rect.width(), 20)
            painter.drawText(below, int(Qt.AlignmentFlag.AlignCenter), self.tr("File is missing"))
        if item.starred:
            shade = theme.colour("surface")
            shade.setAlphaF(0.86)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(shade)
            corner = QPoint(rect.right() - STAR - SPACE_2, rect.top() + SPACE_1)
            painter.drawEllipse(QRect(corner, QSize(STAR + 8, STAR + 8)))
            star = icon_pixmap("star_full", theme.palette.accent, STAR, self.devicePixelRatioF())
            painter.drawPixmap(corner + QPoint(4, 4), star)

    def _paint_frame(self, painter: QPainter, rect: QRect, row: int, *, chosen: bool, current: bool) -> None:
        theme = self._theme
        picture = QRectF(rect.left(), rect.top(), self._side, self._side)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if chosen:
            painter.setPen(QPen(theme.colour("accent"), 2.5))
            painter.drawRoundedRect(picture.adjusted(-1.5, -1.5, 1.5, 1.5), RADIUS_SMALL + 1, RADIUS_SMALL + 1)
        elif row == self._hovered:
            painter.setPen(QPen(theme.colour("text_faint"), 1))
            painter.drawRoundedRect(picture.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL, RADIUS_SMALL)
        if current and self.hasFocus():
            painter.setPen(QPen(theme.colour("text"), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(picture.adjusted(3.5, 3.5, -3.5, -3.5), RADIUS_SMALL, RADIUS_SMALL)

    def _paint_words(self, painter: QPainter, item: Item) -> None:
        small = QFont(self.font())
        small.setPixelSize(TYPE_SMALL)
        line = QRect(0, self._side + 2, self._side, 18)
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
        lines = ((item.title, self.font(), "text"), (item.note, small, "text_muted"))
        for number, (text, font, colour) in enumerate(lines):
            # A prompt may have a thousand characters; no more of them fit than this.
            shown = QFontMetrics(font).elidedText(text[:120], Qt.TextElideMode.ElideRight, self._side)
            painter.setFont(font)
            painter.setPen(self._theme.colour(colour))
            painter.drawText(line.translated(0, 17 * number), flags, shown)

    # -- hands --

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move, Enter opens, Del deletes, S gives a star."""
        key, plain = (
            Qt.Key(event.key()),
            event.modifiers()
            in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.KeypadModifier,
            ),
        )
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and plain:
            self.delete_asked.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain:
            self.opened.emit()
        elif key == Qt.Key.Key_S and plain:
            self.star_asked.emit()
        elif plain and event.text().strip() and key != Qt.Key.Key_Space:
            event.ignore()  # looking for a row by its first letters would read all of them
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Look for nothing: the search field does."""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what lies under the pointer."""
        row = self._row_at(event.position().toPoint())
        if row != self._hovered:
            self._hovered = row
            self.viewport().update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Light nothing up."""
        super().leaveEvent(event)
        self._hovered = -1
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of what is chosen; a click beside it chooses first."""
        point = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            index = self.indexAt(event.pos())
            if not index.isValid():
                return
            if not self.selectionModel().isSelected(index):
                self.choose(index.row())
        elif self.currentIndex().isValid():
            point = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        if self.chosen_count():
            self.menu_asked.emit(point)

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag the files out."""
        items = [item for row in self.chosen_rows(MAX_DRAGGED) if (item := self._items.item(row))]
        if not items:
            return
        mime = MimeData()
        mime.setUrls([QUrl.fromLocalFile(str(item.picture)) for item in items])
        drag = QDrag(self)
        drag.setMimeData(mime)
        pixmap = self.thumbnails.get(items[0], round(self._side * self.devicePixelRatioF()))
        if pixmap is not None and not pixmap.isNull():
            drag.setPixmap(pixmap.scaled(96, 96, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)


def _parts(selection: QItemSelection) -> list[QItemSelectionRange]:
    return [selection.at(number) for number in range(selection.count())]
