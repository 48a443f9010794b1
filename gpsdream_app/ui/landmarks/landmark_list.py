"""The list of landmarks: a picture, the name, where it stands, how much is known of it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFont, QFontMetrics, QImage, QKeyEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gpsdream_app.ui.film import Index
from gpsdream_app.ui.filmstrip import cover, paint_ring
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.landmarks.book import Listed
from gpsdream_app.ui.landmarks.state import Landmarks
from gpsdream_app.ui.phrases import one_line, percent_text, tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, TYPE_SMALL

ROW = 52
PICTURE = 40
ENTRY = int(Qt.ItemDataRole.UserRole) + 1
ACCESSIBLE = Qt.ItemDataRole.AccessibleTextRole


class LandmarkModel(QAbstractListModel):
    """The landmarks in their order."""

    def __init__(self, place: Landmarks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._rows: list[Listed] = []
        place.book.changed.connect(self.read)
        place.model_changed.connect(self.tell)
        place.lifts.history_changed.connect(self.tell)
        place.lifts.changed.connect(self.tell)
        place.photos_changed.connect(self.tell)
        self.read()

    def read(self) -> None:
        """List them anew."""
        self.beginResetModel()
        self._rows = list(self._place.book.listed)
        self.endResetModel()

    def tell(self, *_: object) -> None:
        """What is known of them changed."""
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def row_of(self, landmark_id: str) -> int:
        """Return the row of a landmark, -1 if it is not listed."""
        return next((row for row, listed in enumerate(self._rows) if listed.id == landmark_id), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        """Return the number of landmarks."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one aspect of a row."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        listed = self._rows[index.row()]
        if role == ENTRY:
            return listed
        if role == Qt.ItemDataRole.DisplayRole:
            return one_line(listed.title)
        if role == ACCESSIBLE:
            return ", ".join(part for part in (one_line(listed.title), self.note(listed)) if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip("\n".join(part for part in (one_line(listed.title), self.note(listed)) if part))
        return None

    def note(self, listed: Listed) -> str:
        """Return the second line: what is being done with it, or what is known of it."""
        place = self._place
        job = place.lifts.job_of(listed.id)
        if job:
            return self.tr("being lifted, {0}").format(percent_text(job.share))
        lifts = len(place.lifts.of(listed.id))
        parts = [one_line(listed.landmark.city) or (self.tr("yours") if listed.own else "")]
        if lifts:
            parts.append(self.tr("1 lift") if lifts == 1 else self.tr("{0} lifts").format(lifts))
        elif place.known(listed.id) is not None:
            photos = sum(place.known(listed.id) or ())
            parts.append(self.tr("{0} photos").format(f"{photos:,}"))
        elif place.photos(listed.id):
            parts.append(self.tr("{0} photos").format(f"{len(place.photos(listed.id)):,}"))
        elif place.models_read:
            parts.append(self.tr("not learned"))
        return " · ".join(part for part in parts if part)


class LandmarkDelegate(QStyledItemDelegate):
    """Draws one row."""

    def __init__(self, theme: Theme, place: Landmarks, view: QListView) -> None:
        super().__init__(view)
        self._theme, self._place, self._view = theme, place, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are alike."""
        return QSize(120, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw picture, name and note."""
        theme, listed, rect = self._theme, index.data(ENTRY), option.rect
        if not isinstance(listed, Listed):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        state = option.state
        chosen = listed.id == self._place.chosen_id
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        if chosen or focused or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QPen(theme.colour("accent"), 2) if focused else Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), RADIUS_SMALL + 4, RADIUS_SMALL + 4)
        picture = QRect(rect.left() + SPACE_2 - 2, rect.center().y() - PICTURE // 2 + 1, PICTURE, PICTURE)
        self._paint_picture(painter, picture, listed)
        words = rect.adjusted(SPACE_2 + PICTURE + SPACE_2, SPACE_1 + 2, -SPACE_2, -SPACE_1 - 2)
        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if chosen else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(theme.colour("accent" if chosen else "text"))
        upper = QRect(words.left(), words.top(), words.width(), words.height() // 2)
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        name = QFontMetrics(font).elidedText(str(index.data()), Qt.TextElideMode.ElideRight, upper.width())
        painter.drawText(upper, flags, name)
        font.setWeight(QFont.Weight.Normal)
        font.setPixelSize(TYPE_SMALL)
        painter.setFont(font)
        painter.setPen(theme.colour("text_muted"))
        lower = QRect(words.left(), upper.bottom() + 1, words.width(), words.height() - upper.height())
        model = self._view.model()
        note = model.note(listed) if isinstance(model, LandmarkModel) else ""
        painter.drawText(lower, flags, QFontMetrics(font).elidedText(note, Qt.TextElideMode.ElideRight, lower.width()))
        painter.restore()

    def _paint_picture(self, painter: QPainter, rect: QRect, listed: Listed) -> None:
        theme, lifts = self._theme, self._place.lifts
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(rect), RADIUS_SMALL + 2, RADIUS_SMALL + 2)
        painter.fillPath(outline, theme.colour("sunken"))
        done = lifts.of(listed.id)
        image = lifts.look(done[0]) if done else QImage()
        if image.isNull():
            mark = icon_pixmap("landmark", theme.palette.text_faint, 22, self._view.devicePixelRatioF())
            painter.drawPixmap(rect.center().x() - 10, rect.center().y() - 10, mark)
        else:
            painter.setClipPath(outline)
            painter.drawImage(rect, image, cover(image.size(), rect.size()))
            painter.setClipping(False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("frame"), 1))
        painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL + 2, RADIUS_SMALL + 2)
        job = lifts.job_of(listed.id)
        if job:
            shade = theme.colour("surface")
            shade.setAlphaF(0.78)
            ring = QRectF(rect).adjusted(10, 10, -10, -10)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(shade)
            painter.drawEllipse(ring.adjusted(-4, -4, 4, 4))
            paint_ring(painter, ring, job.share, theme)


class LandmarkList(QListView):
    """The list. A click or the arrow keys choose; F2 changes a person's own landmark, Delete removes it.

    Signals:
        chosen: another row is the current one; the landmark's id.
        menu_asked: a menu is wanted for a landmark at a point on the screen.
        change_asked: a landmark shall be changed; its id.
        delete_asked: a landmark shall be removed; its id.
    """

    chosen = Signal(str)
    menu_asked = Signal(str, QPoint)
    change_asked = Signal(str)
    delete_asked = Signal(str)

    def __init__(self, theme: Theme, place: Landmarks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.entries = LandmarkModel(place, self)
        self.setModel(self.entries)
        self.setItemDelegate(LandmarkDelegate(theme, place, self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName(self.tr("Landmarks"))
        self.setMinimumHeight(2 * ROW)
        theme.changed.connect(self.viewport().update)
        place.chosen_changed.connect(self._show_chosen)
        self.entries.modelReset.connect(self._show_chosen)
        self._show_chosen()

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Choose the row that the keys or the mouse went to."""
        super().currentChanged(current, previous)
        listed = current.data(ENTRY) if current.isValid() else None
        if isinstance(listed, Listed) and listed.id != self._place.chosen_id:
            self.chosen.emit(listed.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F2 changes, Delete removes."""
        listed = self.currentIndex().data(ENTRY)
        if isinstance(listed, Listed) and event.key() == Qt.Key.Key_F2:
            self.change_asked.emit(listed.id)
        elif isinstance(listed, Listed) and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit(listed.id)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu."""
        mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        index = self.indexAt(event.pos()) if mouse else self.currentIndex()
        listed = index.data(ENTRY)
        if isinstance(listed, Listed):
            point = event.globalPos() if mouse else self.viewport().mapToGlobal(self.visualRect(index).center())
            self.menu_asked.emit(listed.id, point)

    def _show_chosen(self) -> None:
        row = self.entries.row_of(self._place.chosen_id)
        if row >= 0 and self.currentIndex().row() != row:
            self.setCurrentIndex(self.entries.index(row))
            self.scrollTo(self.entries.index(row))
        self.viewport().update()
