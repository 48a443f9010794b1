"""What a lift looks like while it goes on: colour, depth, normals and opacity side by side."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL

SQUARES = 4
CAPTION = 20


class PreviewView(QWidget):
    """Four squares, as large as they fit; a click makes one of them large, another click brings all four back.

    Signals:
        enlarged: one of them is large now (0 to 3), or none (-1).
    """

    enlarged = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._images: list[QImage] = []
        self._sentence = ""
        self._large = -1
        self.names = (self.tr("Colour"), self.tr("Depth"), self.tr("Normals"), self.tr("Opacity"))
        self.setAccessibleName(self.tr("Preview of the shape: colour, depth, normals and opacity"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 180)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changed.connect(self.update)

    @property
    def images(self) -> list[QImage]:
        """The squares that are shown; empty before the first preview."""
        return self._images

    @property
    def large(self) -> int:
        """The square that is large; -1 if all four are shown alike."""
        return self._large

    def show_strip(self, strip: QImage) -> None:
        """Show a picture of four squares side by side; one that is null takes all away."""
        side = strip.height()
        count = min(SQUARES, strip.width() // side) if side else 0
        self._images = [strip.copy(number * side, 0, side, side) for number in range(count)]
        self.update()

    def say(self, sentence: str) -> None:
        """Show a sentence where the pictures will be."""
        if sentence != self._sentence:
            self._sentence = sentence
            self.setAccessibleDescription(sentence)
            self.update()

    def sizeHint(self) -> QSize:
        """Room for two rows of two."""
        return QSize(440, 400)

    def rects(self) -> list[QRectF]:
        """Return where each square stands, without its caption."""
        width, height = float(self.width()), float(self.height())
        if self._large >= 0:
            side = min(width, height - CAPTION)
            return [QRectF((width - side) / 2, 0, side, side)]
        gap = float(SPACE_2)
        best: tuple[float, int] = (0.0, 2)
        for columns in (1, 2, 4):
            rows = SQUARES // columns
            side = min((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows - CAPTION)
            best = max(best, (side, columns))
        side, columns = best
        rows = SQUARES // columns
        left = (width - side * columns - gap * (columns - 1)) / 2
        top = max(0.0, (height - rows * (side + CAPTION) - gap * (rows - 1)) / 2)
        return [
            QRectF(left + column * (side + gap), top + row * (side + CAPTION + gap), side, side)
            for row in range(rows)
            for column in range(columns)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the squares with their names, or empty frames."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            numbers = [self._large] if self._large >= 0 else list(range(SQUARES))
            rects = self.rects()
            for number, rect in zip(numbers, rects, strict=True):
                outline = QPainterPath()
                outline.addRoundedRect(rect, RADIUS, RADIUS)
                painter.fillPath(outline, theme.colour("sunken"))
                if number < len(self._images):
                    painter.setClipPath(outline)
                    painter.drawImage(rect, self._images[number])
                    painter.setClipping(False)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour("frame"), 1))
                painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
                font = QFont(self.font())
                font.setPixelSize(TYPE_SMALL)
                painter.setFont(font)
                painter.setPen(theme.colour("text_muted"))
                below = QRectF(rect.left() + 1, rect.bottom(), rect.width(), CAPTION)
                painter.drawText(
                    below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), self.names[number]
                )
            whole = rects[0].united(rects[-1])
            if not self._images and self._sentence:
                self._paint_sentence(painter, QRectF(self.rect()))
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour("accent"), 2))
                painter.drawRoundedRect(whole.adjusted(1, 1, -1, -1), RADIUS, RADIUS)

    def _paint_sentence(self, painter: QPainter, whole: QRectF) -> None:
        theme = self._theme
        painter.setFont(self.font())
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        room = painter.boundingRect(whole.adjusted(28, 8, -28, -8), flags, self._sentence)
        box = room.adjusted(-SPACE_2 * 2, -SPACE_2, SPACE_2 * 2, SPACE_2 + SPACE_1)
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.setBrush(theme.colour("raised"))
        painter.drawRoundedRect(box, RADIUS, RADIUS)
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(room, flags, self._sentence)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Make a square large, or all of them small."""
        if self._large >= 0:
            self._enlarge(-1)
            return
        for number, rect in enumerate(self.rects()):
            if rect.contains(event.position()):
                self._enlarge(number)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """1 to 4 make a square large, 0 brings all back, Space goes on to the next."""
        number = event.key() - int(Qt.Key.Key_1)
        if 0 <= number < SQUARES:
            self._enlarge(number)
        elif event.key() == Qt.Key.Key_0:
            self._enlarge(-1)
        elif event.key() == Qt.Key.Key_Space:
            self._enlarge(self._large + 1 if self._large + 1 < SQUARES else -1)
        else:
            super().keyPressEvent(event)

    def _enlarge(self, number: int) -> None:
        self._large = number
        self.update()
        self.enlarged.emit(number)
