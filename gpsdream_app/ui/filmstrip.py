"""The strip of pictures under the map: newest at the left, the pictures of one place together under its name."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDrag,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.results import Result
from gpsdream_app.ui.film import FilmRole, Index
from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.picture_view import drag_pixmap, file_mime
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, SPACE_4, TYPE_SMALL

TILE = 76
GAP = SPACE_2
GROUP_GAP = SPACE_4
HEADER = 24
HEIGHT = HEADER + TILE + SPACE_2 + SPACE_3 + SPACE_2
MAX_THUMBNAILS = 600


class Thumbnails:
    """Small copies of pictures, read in the background as they come into sight."""

    def __init__(self, session: Session, view: QAbstractItemView) -> None:
        self._session, self._view = session, view
        self._images: OrderedDict[str, QImage] = OrderedDict()
        self._asked: set[str] = set()

    def get(self, result: Result, side: int) -> QImage | None:
        """Return a picture's small copy, or None and have it read."""
        image = self._images.get(result.id)
        if image is not None:
            self._images.move_to_end(result.id)
            return image
        if result.id not in self._asked:
            self._asked.add(result.id)
            self._session.read_thumbnail(result, side, lambda read: self._keep(result.id, read))
        return None

    def _keep(self, result_id: str, image: QImage) -> None:
        self._asked.discard(result_id)
        self._images[result_id] = image
        while len(self._images) > MAX_THUMBNAILS:
            self._images.popitem(last=False)
        self._view.viewport().update()


class TileDelegate(QStyledItemDelegate):
    """Draws one picture of the strip."""

    def __init__(self, theme: Theme, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._theme, self._thumbnails, self._view = theme, thumbnails, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """A tile, and room before it where a new place begins."""
        return QSize(TILE + GAP + (GROUP_GAP if begins_group(index) else 0), HEADER + TILE + SPACE_2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a tile."""
        theme = self._theme
        rect = tile_rect(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(rect), RADIUS_SMALL, RADIUS_SMALL)
        painter.fillPath(outline, theme.colour("sunken"))
        result = index.data(FilmRole.RESULT)
        if isinstance(result, Result):
            scale = self._view.devicePixelRatioF()
            image = self._thumbnails.get(result, round(2 * TILE if scale < 2 else TILE * scale))
        else:
            image = index.data(FilmRole.PREVIEW)
        painter.setClipPath(outline)
        if image is not None and not image.isNull():
            painter.drawImage(rect, image, cover(image.size(), rect.size()))
        painter.setClipping(False)
        self._frame(painter, rect, option, index)
        if result is None:
            self._ring(painter, rect, float(index.data(FilmRole.PROGRESS) or 0.0))
        painter.restore()

    def _frame(self, painter: QPainter, rect: QRect, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        state = option.state
        current = bool(index.data(FilmRole.CURRENT))
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if current or focused:
            painter.setPen(QPen(theme.colour("accent"), 2 if current else 1))
            grow = 2.5
            painter.drawRoundedRect(QRectF(rect).adjusted(-grow, -grow, grow, grow), RADIUS_SMALL + 2, RADIUS_SMALL + 2)
        else:
            painter.setPen(QPen(theme.colour("text_faint" if hovered else "frame"), 1))
            painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL, RADIUS_SMALL)

    def _ring(self, painter: QPainter, rect: QRect, fraction: float) -> None:
        side = 26
        ring = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
        shade = self._theme.colour("surface")
        shade.setAlphaF(0.78)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawEllipse(ring.adjusted(-5, -5, 5, 5))
        paint_ring(painter, ring, fraction, self._theme)


class FilmView(QListView):
    """The list itself: draws the places' names above their pictures, and drags files out.

    Signals:
        chosen: a person chose a picture; its id.
        drawing_chosen: a person chose the picture that is being drawn.
        delete_asked: a person wants a picture deleted; its id.
        menu_asked: a context menu is wanted for a result at a point on the screen.
        end_reached: the oldest pictures came into sight.
    """

    chosen = Signal(str)
    drawing_chosen = Signal()
    delete_asked = Signal(str)
    menu_asked = Signal(Result, QPoint)
    end_reached = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._session = session
        self.thumbnails = Thumbnails(session, self)
        self.setModel(session.film)
        self.setItemDelegate(TileDelegate(theme, self.thumbnails, self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalScrollBar().setSingleStep(TILE // 2)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Pictures"))
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)
        self.horizontalScrollBar().valueChanged.connect(self._scrolled)
        theme.changed.connect(self.viewport().update)
        model = session.film
        for signal in (model.rowsInserted, model.rowsRemoved, model.rowsMoved):
            # A row's width depends on its left neighbour's place.
            signal.connect(self.scheduleDelayedItemsLayout)
        model.dataChanged.connect(self._follow_current)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the tiles, then the names of the places."""
        super().paintEvent(event)
        with QPainter(self.viewport()) as painter:
            if not self.model().rowCount():
                self._paint_empty(painter)
                return
            font = QFont(self.font())
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            painter.setPen(self._theme.colour("text_muted"))
            for rect, text in self.headers():
                shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
                painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)

    def headers(self) -> list[tuple[QRect, str]]:
        """Return where the name of each place in sight stands; it stays in sight while one of its pictures is."""
        model = self.model()
        found: list[tuple[QRect, str]] = []
        first = self.indexAt(QPoint(0, HEADER + TILE // 2))
        for row in range(max(first.row(), 0), model.rowCount()):
            index = model.index(row, 0)
            rect = self.visualRect(index)
            if rect.left() > self.viewport().width():
                break
            tile = tile_rect(rect)
            if found and not begins_group(index):
                last, text = found[-1]
                found[-1] = (last.united(QRect(tile.left(), last.top(), tile.width(), last.height())), text)
            else:
                text = one_line(str(index.data(FilmRole.GROUP))) or self.tr("No place")
                found.append((QRect(tile.left(), 0, tile.width(), HEADER), text))
        # A name may run on to where the next place begins.
        ends = [rect.left() - GAP for rect, _ in found[1:]] + [self.viewport().width()]
        widened = [(max(rect.left(), 0), end, text) for (rect, text), end in zip(found, ends, strict=True)]
        return [(QRect(left, 0, end - left, HEADER), text) for left, end, text in widened if end - left > SPACE_4]

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag the picture's file out."""
        result = self.currentIndex().data(FilmRole.RESULT)
        if not isinstance(result, Result):
            return
        drag = QDrag(self)
        drag.setMimeData(file_mime(result))
        image = self.thumbnails.get(result, 2 * TILE)
        if image is not None:
            drag.setPixmap(drag_pixmap(image))
        drag.exec(Qt.DropAction.CopyAction)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Roll sideways."""
        delta = event.pixelDelta().y() or event.angleDelta().y() * TILE // 120
        if delta and not event.angleDelta().x():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - delta)
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right choose, Delete deletes."""
        result = self.currentIndex().data(FilmRole.RESULT)
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and isinstance(result, Result):
            self.delete_asked.emit(result.id)
            return
        before = self.currentIndex()
        super().keyPressEvent(event)
        moved = event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
        if moved and self.currentIndex() != before:
            self._choose(self.currentIndex())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the picture under the pointer, or of the chosen one for the menu key."""
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            index, point = self.indexAt(event.pos()), event.globalPos()
        else:
            index = self.currentIndex()
            point = self.viewport().mapToGlobal(self.visualRect(index).center())
        result = index.data(FilmRole.RESULT)
        if isinstance(result, Result):
            self.menu_asked.emit(result, point)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point with a hand at pictures."""
        over = self.indexAt(event.position().toPoint()).isValid()
        shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)
        super().mouseMoveEvent(event)

    def show_newest(self) -> None:
        """Roll to the left end."""
        self.horizontalScrollBar().setValue(0)

    def _paint_empty(self, painter: QPainter) -> None:
        painter.setPen(self._theme.colour("text_faint"))
        painter.drawText(
            self.viewport().rect(),
            int(Qt.AlignmentFlag.AlignCenter),
            self.tr("The pictures you draw gather here, the newest first."),
        )

    def _choose(self, index: QModelIndex) -> None:
        result = index.data(FilmRole.RESULT)
        if isinstance(result, Result):
            self.chosen.emit(result.id)
        elif index.isValid():
            self.drawing_chosen.emit()

    def _follow_current(self, first: QModelIndex, last: QModelIndex, roles: list[int]) -> None:
        """Let the arrow keys go on from the picture that is shown."""
        if int(FilmRole.CURRENT) in roles and first.data(FilmRole.CURRENT):
            self.setCurrentIndex(first)

    def _scrolled(self, value: int) -> None:
        if value > self.horizontalScrollBar().maximum() - 4 * TILE:
            self.end_reached.emit()


class Filmstrip(QFrame):
    """The strip with its margins."""

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("filmstrip")
        self.view = FilmView(theme, session, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_3 - GAP, SPACE_1, SPACE_3, 0)
        column.addWidget(self.view)
        self.setFixedHeight(HEIGHT)


def begins_group(index: Index) -> bool:
    """Whether a row is the first of its place, but not the first of all."""
    model: QAbstractItemModel = index.model()
    return index.row() > 0 and index.data(FilmRole.GROUP) != model.index(index.row() - 1, 0).data(FilmRole.GROUP)


def tile_rect(rect: QRect) -> QRect:
    """Return where the picture stands within its row's rectangle: at the right end, under the header."""
    return QRect(rect.right() + 1 - TILE, rect.top() + HEADER, TILE, TILE)


def cover(picture: QSize, tile: QSize) -> QRect:
    """Return the middle part of a picture that fills a tile."""
    part = tile.scaled(picture, Qt.AspectRatioMode.KeepAspectRatio)
    rect = QRect(QPoint(0, 0), part)
    rect.moveCenter(QRect(QPoint(0, 0), picture).center())
    return rect


def paint_ring(painter: QPainter, ring: QRectF, fraction: float, theme: Theme, width: float = 3.0) -> None:
    """Draw a ring that fills clockwise from the top."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("line_strong"), width))
    painter.drawEllipse(ring)
    if fraction > 0:
        pen = QPen(theme.colour("accent"), width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, -round(min(fraction, 1.0) * 360 * 16))
