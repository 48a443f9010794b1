"""One average as large as it fits, or two of them under a slider."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL

HANDLE = 26
STEP = 0.02


class CompareView(QWidget):
    """Shows one picture, and at the right of a line that can be moved another one.

    Signals:
        share_changed: the line stands elsewhere, as a share of the width from the left.
    """

    share_changed = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._images = QImage(), QImage()
        self._names = "", ""
        self._share = 0.5
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 180)
        theme.changed.connect(self.update)

    @property
    def images(self) -> tuple[QImage, QImage]:
        """The picture at the left, and the one at the right; the latter is null if there is only one."""
        return self._images

    @property
    def compares(self) -> bool:
        """Whether there are two pictures."""
        return not self._images[1].isNull()

    @property
    def share(self) -> float:
        """Where the line stands, as a share of the width from the left."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        share = min(max(share, 0.0), 1.0)
        if share != self._share:
            self._share = share
            self._describe()
            self.update()
            self.share_changed.emit(share)

    def show_images(self, first: QImage, name: str, second: QImage | None = None, other: str = "") -> None:
        """Show a picture, and another one to compare it with."""
        self._images = first, second if second is not None else QImage()
        self._names = one_line(name), one_line(other)
        shape = Qt.CursorShape.SplitHCursor if self.compares else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        self._describe()
        self.update()

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(420, 420)

    def picture_rect(self) -> QRect:
        """Return where the picture is drawn."""
        size = self._images[0].size() if not self._images[0].isNull() else QSize(1, 1)
        fitted = size.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        rect = QRect(QPoint(0, 0), fitted)
        rect.moveCenter(self.rect().center())
        return rect

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the pictures, the line and the names."""
        theme, rect = self._theme, self.picture_rect()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            outline = QPainterPath()
            outline.addRoundedRect(QRectF(rect), RADIUS, RADIUS)
            painter.fillPath(outline, theme.colour("sunken"))
            painter.setClipPath(outline)
            first, second = self._images
            if not first.isNull():
                painter.drawImage(rect, first)
            x = rect.left() + self._share * rect.width()
            if self.compares:
                painter.setClipRect(
                    QRectF(x, rect.top(), rect.right() + 1 - x, rect.height()), Qt.ClipOperation.IntersectClip
                )
                painter.drawImage(rect, second)
            painter.setClipping(False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent" if self.hasFocus() else "frame"), 2 if self.hasFocus() else 1))
            painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
            if self.compares:
                self._paint_line(painter, rect, x)
                self._paint_name(painter, rect, self._names[0], left=True)
                self._paint_name(painter, rect, self._names[1], left=False)

    def _paint_line(self, painter: QPainter, rect: QRect, x: float) -> None:
        theme = self._theme
        painter.setPen(QPen(theme.colour("raised"), 2))
        painter.drawLine(QPointF(x, rect.top() + 1), QPointF(x, rect.bottom()))
        knob = QRectF(x - HANDLE / 2, rect.center().y() - HANDLE / 2, HANDLE, HANDLE)
        painter.setBrush(theme.colour("raised"))
        painter.setPen(QPen(theme.colour("accent" if self.hasFocus() else "text_faint"), 1.5))
        painter.drawEllipse(knob)
        painter.setPen(QPen(theme.colour("text"), 1.5))
        middle = knob.center()
        for side in (-1, 1):
            tip = QPointF(middle.x() + side * 7, middle.y())
            painter.drawPolyline(
                [QPointF(tip.x() - side * 3, tip.y() - 3.5), tip, QPointF(tip.x() - side * 3, tip.y() + 3.5)]
            )

    def _paint_name(self, painter: QPainter, rect: QRect, name: str, *, left: bool) -> None:
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        font.setWeight(QFont.Weight.DemiBold)
        metrics = QFontMetrics(font)
        text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, rect.width() // 2 - 4 * SPACE_2)
        width = metrics.horizontalAdvance(text) + 2 * SPACE_2
        x = rect.left() + SPACE_2 if left else rect.right() + 1 - SPACE_2 - width
        label = QRectF(x, rect.top() + SPACE_2, width, metrics.height() + 2 * SPACE_1)
        shade = self._theme.colour("surface")
        shade.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawRoundedRect(label, RADIUS / 2, RADIUS / 2)
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        painter.drawText(label, int(Qt.AlignmentFlag.AlignCenter), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the line along."""
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the line."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the line, Home and End bring one picture to the front."""
        key = Qt.Key(event.key())
        if self.compares and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.share += STEP if key == Qt.Key.Key_Right else -STEP
        elif self.compares and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.share = 0.0 if key == Qt.Key.Key_Home else 1.0
        else:
            super().keyPressEvent(event)

    def _drag(self, event: QMouseEvent) -> None:
        rect = self.picture_rect()
        if self.compares and rect.width():
            self.share = (event.position().x() - rect.left()) / rect.width()

    def _describe(self) -> None:
        if self.compares:
            self.setAccessibleName(self.tr("{0} at the left, {1} at the right").format(*self._names))
            self.setAccessibleDescription(f"{self._share:.0%}")
        else:
            self.setAccessibleName(self.tr("The average of {0}").format(self._names[0]))
