"""The rail at the left: the places of the program, the queue as a ring that fills, and the settings."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from gpsdream_app.ui.filmstrip import paint_ring
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.job_queue import JobQueue
from gpsdream_app.ui.phrases import tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL

WIDTH = 72
MARGIN = 2  # beside the buttons, whose longest word needs the room


class RailButton(QAbstractButton):
    """A mark and a word below it."""

    MARK = 24

    def __init__(self, theme: Theme, icon_name: str, word: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._icon_name = theme, icon_name
        self.setText(word)
        self.setAccessibleName(word)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """All buttons of the rail have one size."""
        return QSize(WIDTH - 2 * MARGIN, 2 * SPACE_2 + self.MARK + SPACE_1 + self._word_font().pixelSize() + 4)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw mark and word."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            rect = QRectF(self.rect())
            if self.isChecked() or self.underMouse():
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour("accent_soft" if self.isChecked() else "hover"))
                painter.drawRoundedRect(rect, RADIUS, RADIUS)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour("accent"), 2))
                painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
            self.paint_mark(painter, QRectF((self.width() - self.MARK) / 2, SPACE_2, self.MARK, self.MARK))
            painter.setFont(self._word_font())
            painter.setPen(theme.colour(self._ink()))
            word = QRect(0, SPACE_2 + self.MARK + 2, self.width(), self.height() - 2 * SPACE_2 - self.MARK + 4)
            painter.drawText(word, int(Qt.AlignmentFlag.AlignCenter), self.text())

    def paint_mark(self, painter: QPainter, rect: QRectF) -> None:
        """Draw what stands above the word."""
        pixmap = icon_pixmap(
            self._icon_name, getattr(self._theme.palette, self._ink()), self.MARK, self.devicePixelRatioF()
        )
        painter.drawPixmap(rect.topLeft(), pixmap)

    def _ink(self) -> str:
        if self.isChecked():
            return "accent"
        return "text" if self.underMouse() else "text_muted"

    def _word_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        if self.isChecked():
            font.setWeight(QFont.Weight.DemiBold)
        return font


class QueueButton(RailButton):
    """A ring that fills with the drawing, with the number of drawings inside it."""

    def __init__(self, theme: Theme, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(theme, "", "", parent)
        self._queue = queue
        self.setText(self.tr("Queue"))
        queue.changed.connect(self._tell)
        self._tell()

    @property
    def count(self) -> int:
        """How many jobs have not ended, or were interrupted."""
        return len(self._queue) + len(self._queue.outside) + len(self._queue.interrupted)

    @property
    def fraction(self) -> float:
        """How much of the current drawing is done, 0 to 1; of the lift if nothing else is drawn."""
        current = self._queue.current or self._queue.lift or next(iter(self._queue.outside), None)
        return current.fraction if current else 0.0

    def paint_mark(self, painter: QPainter, rect: QRectF) -> None:
        """Draw the ring and the number."""
        paint_ring(painter, rect.adjusted(1, 1, -1, -1), self.fraction, self._theme, 2)
        if self.count:
            font = self._word_font()
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(self._theme.colour("accent"))
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), str(self.count) if self.count < 100 else "99+")

    def _tell(self) -> None:
        if self.count:
            text = self.tr("Queue: {0} not finished").format(self.count)
        else:
            text = self.tr("Queue: nothing is being drawn")
        self.setAccessibleName(text)
        self.setToolTip(tooltip(text))
        self.update()


class Rail(QFrame):
    """The rail."""

    def __init__(self, theme: Theme, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(WIDTH)
        self.explore = RailButton(theme, "explore", self.tr("Explore"), self)
        self.explore.setCheckable(True)
        self.explore.setAutoExclusive(True)
        self.explore.setChecked(True)
        self.neighbourhoods = RailButton(theme, "neighbourhoods", self.tr("Regions"), self)
        self.neighbourhoods.setAccessibleName(self.tr("Neighbourhoods"))
        self.neighbourhoods.setToolTip(tooltip(self.tr("Neighbourhoods: the average building of a place (Ctrl+2)")))
        self.neighbourhoods.setCheckable(True)
        self.neighbourhoods.setAutoExclusive(True)
        self.landmarks = RailButton(theme, "landmark", self.tr("Landmarks"), self)
        self.landmarks.setToolTip(tooltip(self.tr("Landmarks: lift a building to a solid shape (Ctrl+3)")))
        self.landmarks.setCheckable(True)
        self.landmarks.setAutoExclusive(True)
        self.photos = RailButton(theme, "photos", self.tr("Photos"), self)
        self.photos.setToolTip(tooltip(self.tr("Photos: your own photos on the map, and training from them (Ctrl+4)")))
        self.photos.setCheckable(True)
        self.photos.setAutoExclusive(True)
        self.library = RailButton(theme, "library", self.tr("Library"), self)
        self.library.setToolTip(tooltip(self.tr("Library: everything that was made (Ctrl+5)")))
        self.library.setCheckable(True)
        self.library.setAutoExclusive(True)
        self.quality = RailButton(theme, "quality", self.tr("Quality"), self)
        self.quality.setAccessibleName(self.tr("Quality: how good is this model?"))
        self.quality.setToolTip(tooltip(self.tr("How good is this model?")))
        self.quality.setCheckable(True)
        self.quality.setAutoExclusive(True)
        self.queue = QueueButton(theme, queue, self)
        self.settings = RailButton(theme, "settings", self.tr("Settings"), self)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, SPACE_2, MARGIN, SPACE_2)
        column.setSpacing(SPACE_1)
        column.addWidget(self.explore)
        column.addWidget(self.neighbourhoods)
        column.addWidget(self.landmarks)
        column.addWidget(self.photos)
        column.addWidget(self.library)
        column.addWidget(self.quality)
        column.addStretch()
        column.addWidget(self.queue)
        column.addWidget(self.settings)
