"""The curve of a training: loss over samples seen, and the loss on photos that were held out."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpsdream_app.library.training_runs import Curve
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL

LEFT, BOTTOM, TOP, RIGHT = 44, 24, 12, 12


def smoothed(values: list[float]) -> list[float]:
    """Return an exponential moving average that begins at the first value; the more values, the smoother."""
    weight = min(0.95, max(0.0, 1 - 12 / max(1, len(values))))
    result: list[float] = []
    for value in values:
        result.append(value if not result else weight * result[-1] + (1 - weight) * value)
    return result


class LossPlot(QWidget):
    """Draws a curve; says in words what it shows."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._curve = Curve()
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self.update)
        self.show_curve(Curve())

    @property
    def curve(self) -> Curve:
        """What is shown."""
        return self._curve

    def show_curve(self, curve: Curve) -> None:
        """Show another curve."""
        self._curve = curve
        if curve.loss:
            text = self.tr("Loss {0} after {1} pictures seen").format(
                f"{curve.loss[-1][1]:.3f}", f"{curve.loss[-1][0]:,.0f}"
            )
        else:
            text = self.tr("Nothing has been learned yet")
        self.setAccessibleName(self.tr("Curve of the loss"))
        self.setAccessibleDescription(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Wide."""
        return QSize(420, 180)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the curve with its axes."""
        theme, curve = self._theme, self._curve
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("sunken"))
            painter.drawRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
            font = QFont(self.font())
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            painter.setPen(theme.colour("text_muted"))
            if len(curve.loss) < 2:
                text = self.tr("The curve appears here once the model begins to learn.")
                flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
                painter.drawText(self.rect().adjusted(SPACE_2, 0, -SPACE_2, 0), flags, text)
                return
            area = QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)
            first, last = curve.loss[0][0], curve.loss[-1][0]
            values = [loss for _, loss in (*curve.loss, *curve.validation)]
            # The first losses are so high that the rest would be a flat line.
            ordered = sorted(values)
            low, high = ordered[0], ordered[min(len(ordered) - 1, int(0.98 * len(ordered)))]
            margin = max(1e-6, 0.08 * (high - low))
            low, high = low - margin, high + margin

            def at(x: float, y: float) -> QPointF:
                across = (x - first) / max(1.0, last - first)
                down = (high - min(y, high)) / (high - low)
                return QPointF(area.left() + across * area.width(), area.top() + down * area.height())

            for share in (0.0, 0.5, 1.0):
                value = low + share * (high - low)
                y = at(first, value).y()
                painter.setPen(QPen(theme.colour("line"), 1))
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
                painter.setPen(theme.colour("text_muted"))
                flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                painter.drawText(QRectF(0, y - 8, LEFT - SPACE_2, 16), flags, f"{value:.2f}")
            flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            below = QRectF(area.left(), area.bottom() + SPACE_1, area.width(), 16)
            painter.drawText(below, flags, self.tr("{0} pictures seen").format(f"{last:,.0f}"))
            painter.drawText(
                below,
                int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter),
                self.tr("loss; dots: photos it never saw") if curve.validation else self.tr("loss"),
            )
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("line_strong"), 1))
            painter.drawPolyline(QPolygonF([at(x, y) for x, y in curve.loss]))
            smooth = smoothed([loss for _, loss in curve.loss])
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawPolyline(QPolygonF([at(x, y) for (x, _), y in zip(curve.loss, smooth, strict=True)]))
            painter.setPen(QPen(theme.colour("surface"), 1))
            painter.setBrush(theme.colour("text"))
            for x, y in curve.validation:
                painter.drawEllipse(at(x, y), 3.5, 3.5)
