"""The first-run tour: four cards beside what they are about. The program can be used while it stands there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import IconButton, Shadow, TextButton, label

WIDTH = 320
RING = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One card.

    Attributes:
        title: a few words.
        text: two or three sentences.
        target: gives the widget that it is about.
    """

    title: str
    text: str
    target: Callable[[], QWidget]


class Ring(QWidget):
    """A line round the widget that the card is about; the pointer goes through it."""

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        theme.changed.connect(self.update)
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)


class Dots(QWidget):
    """Which of the cards this is."""

    SIDE = 6

    def __init__(self, theme: Theme, count: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._count, self._at = theme, count, 0
        self.setFixedSize(count * (self.SIDE + SPACE_2), self.SIDE + 2)
        theme.changed.connect(self.update)

    def show_step(self, at: int) -> None:
        """Mark another one."""
        self._at = at
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the dots."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            for number in range(self._count):
                painter.setBrush(self._theme.colour("accent" if number == self._at else "line_strong"))
                painter.drawEllipse(QRectF(number * (self.SIDE + SPACE_2), 1, self.SIDE, self.SIDE))


class Tour(QFrame):
    """The cards.

    Signals:
        ended: it was read to its end, or put away.
    """

    ended = Signal()

    def __init__(self, theme: Theme, window: QWidget, steps: Sequence[Step]) -> None:
        """Make the tour; it shows at `start`.

        Args:
            theme: the look.
            window: what it stands over.
            steps: at least one.
        """
        super().__init__(window)
        self.setObjectName("popover")
        self._window, self._steps, self.at = window, list(steps), 0
        self._ring = Ring(theme, window)
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.title = label("", "lead", wrap=True, parent=self)
        self.text = label("", "", wrap=True, parent=self)
        self.close_button = IconButton(theme, "close", self.tr("End the tour"), size=16, parent=self)
        self.close_button.clicked.connect(self.end)
        self.dots = Dots(theme, len(self._steps), self)
        self.back = TextButton(theme, self.tr("Back"), look="plain", parent=self)
        self.back.clicked.connect(lambda: self.go(self.at - 1))
        self.next = TextButton(theme, self.tr("Next"), parent=self)
        self.next.clicked.connect(lambda: self.go(self.at + 1))
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_2)
        foot.addWidget(self.dots)
        foot.addStretch()
        foot.addWidget(self.back)
        foot.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_4, SPACE_3, SPACE_3, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(self.text)
        column.addLayout(foot)
        self.setGraphicsEffect(Shadow(theme, self))
        self.hide()
        window.installEventFilter(self)

    def start(self) -> None:
        """Show the first card."""
        self.go(0)

    def go(self, at: int) -> None:
        """Show a card; beyond the last one the tour ends."""
        if at >= len(self._steps):
            self.end()
            return
        self.at = max(0, at)
        step = self._steps[self.at]
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.setAccessibleName(self.tr("Tour, {0} of {1}: {2}").format(self.at + 1, len(self._steps), step.title))
        self.setAccessibleDescription(step.text)
        last = self.at == len(self._steps) - 1
        self.back.setVisible(self.at > 0)
        self.next.setText(self.tr("Done") if last else self.tr("Next"))
        self.next.setAccessibleName(self.next.text())
        self.dots.show_step(self.at)
        self._place()
        self.show()
        self._ring.raise_()
        self.raise_()
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def end(self) -> None:
        """Put the card away."""
        if self.isHidden():
            return
        self.hide()
        self._ring.hide()
        self.ended.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends the tour, the arrow keys and Enter go through it."""
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.end()
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.go(self.at + 1)
        elif key == Qt.Key.Key_Left:
            self.go(self.at - 1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep Escape from stopping the drawing while the card has the focus."""
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and escape:
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Follow the window's size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            # The window's parts get their new places after this event.
            QTimer.singleShot(0, self, self._place)
        return False

    def _place(self) -> None:
        target = self._steps[self.at].target()
        if not shiboken6.isValid(target):
            return
        room = self._window.rect()
        layout = self.layout()
        if layout:
            layout.activate()
        self.setFixedHeight(self.heightForWidth(WIDTH) if self.hasHeightForWidth() else self.sizeHint().height())
        about = QRect(target.mapTo(self._window, QPoint(0, 0)), target.size()).intersected(room)
        self._ring.setVisible(target.isVisible())
        self._ring.setGeometry(about.adjusted(-RING, -RING, RING, RING).intersected(room))
        self.move(beside(about, self.width(), self.height(), room))


def beside(about: QRect, width: int, height: int, room: QRect) -> QPoint:
    """Return where a card stands: right of what it is about, else left, above or below, else over its middle."""
    gap = SPACE_4
    y = min(max(about.center().y() - height // 2, room.top() + gap), room.bottom() - gap - height)
    x = min(max(about.center().x() - width // 2, room.left() + gap), room.right() - gap - width)
    if about.right() + gap + width <= room.right():
        return QPoint(about.right() + gap, y)
    if about.left() - gap - width >= room.left():
        return QPoint(about.left() - gap - width, y)
    if about.top() - gap - height >= room.top():
        return QPoint(x, about.top() - gap - height)
    if about.bottom() + gap + height <= room.bottom():
        return QPoint(x, about.bottom() + gap)
    return QPoint(x, y)
