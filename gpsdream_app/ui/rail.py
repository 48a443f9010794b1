"""The rail at the left: the places of the program, the queue as a ring that fills, and the settings."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from gpsdream_app.ui.filmstrip import paint_ring
from gpsdream_app.ui.job_queue import JobQueue
from gpsdream_app.ui.phrases import tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL
from gpsdream_app.ui.widgets import IconButton

WIDTH = 72


class QueueButton(QAbstractButton):
    """A ring that fills with the drawing, the number of drawings inside it, and a word below."""

    RING = 24

    def __init__(self, theme: Theme, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._queue = theme, queue
        self.setText(self.tr("Queue"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        queue.changed.connect(self._tell)
        theme.changed.connect(self.update)
        self._tell()

    @property
    def count(self) -> int:
        """How many drawings have not ended."""
        return len(self._queue)

    @property
    def fraction(self) -> float:
        """How much of the current drawing is done, 0 to 1."""
        current = self._queue.current
        return current.fraction if current else 0.0

    def sizeHint(self) -> QSize:
        """As large as the other buttons of the rail."""
        return QSize(WIDTH - 2 * SPACE_2, 58)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw ring, number and word."""
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("hover"))
            painter.drawRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        ring = QRectF((self.width() - self.RING) / 2, SPACE_2, self.RING, self.RING)
        paint_ring(painter, ring, self.fraction, theme, 2.5)
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(theme.colour("accent" if self.count else "text_muted"))
        painter.drawText(ring, int(Qt.AlignmentFlag.AlignCenter), str(self.count) if self.count else "")
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(theme.colour("text" if self.underMouse() else "text_muted"))
        word = QRect(0, SPACE_2 + self.RING + SPACE_1, self.width(), 18)
        painter.drawText(word, int(Qt.AlignmentFlag.AlignCenter), self.text())

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
        self.explore = self._button(theme, "explore", self.tr("Explore"))
        self.explore.setCheckable(True)
        self.explore.setChecked(True)
        self.explore.toggled.connect(lambda _: self.explore.setChecked(True))
        self.queue = QueueButton(theme, queue, self)
        self.settings = self._button(theme, "settings", self.tr("Settings"))
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_2, SPACE_2, SPACE_2, SPACE_2)
        column.setSpacing(SPACE_1)
        column.addWidget(self.explore)
        column.addStretch()
        column.addWidget(self.queue)
        column.addWidget(self.settings)

    def _button(self, theme: Theme, icon_name: str, word: str) -> IconButton:
        button = IconButton(theme, icon_name, word, size=22, look="rail", parent=self)
        button.setText(word)
        button.setToolTip("")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFixedHeight(58)
        return button
