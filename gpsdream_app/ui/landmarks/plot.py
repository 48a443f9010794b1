"""How a lift goes: its losses, and how solid and how foggy the shape is, over the time that it has taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpsdream_app.ui.phrases import percent_text
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_2, SPACE_3, TYPE_SMALL

MOST_POINTS = 600
MOST_LINES = 4  # of losses; the smaller ones say little
# Told apart by those who see no red or green, too; at least 3 to 1 on the ground of the plot.
INKS = {
    "light": ("#1f6fa8", "#855000", "#3e7a45", "#8a4f86", "#5d697a"),
    "dark": ("#74b6e6", "#f2b861", "#93c897", "#d5a3d0", "#8e9aaa"),
}
FLOOR = 1e-6  # losses below it are drawn there


@dataclass(frozen=True, slots=True)
class Moment:
    """One step as it was told.

    Attributes:
        share: of the whole lift that was done, 0 to 1.
        phase: which phase it belonged to.
        terms: the losses by name, weighted.
        opacity: mean of the rendered rays, 0 to 1.
        fog: share of half-transparent rays, 0 to 1.
    """

    share: float
    phase: str
    terms: Mapping[str, float]
    opacity: float
    fog: float


@dataclass
class Trace:
    """The moments of one lift, thinned out as they become many; the newest one always stays."""

    moments: list[Moment] = field(default_factory=list)

    def add(self, moment: Moment) -> None:
        """Note a moment. One that says nothing of the shape (while views are drawn) is left out."""
        if not moment.terms and not moment.opacity:
            return
        self.moments.append(moment)
        if len(self.moments) > MOST_POINTS:
            self.moments = [*self.moments[:-1:2], self.moments[-1]]

    @property
    def names(self) -> list[str]:
        """The losses that weigh most at the end, the heaviest first."""
        last: dict[str, float] = {}
        for moment in self.moments:
            last.update({name: abs(value) for name, value in moment.terms.items() if math.isfinite(value)})
        return sorted(last, key=lambda name: -last[name])[:MOST_LINES]


class LiftPlot(QWidget):
    """Two small plots over one axis of time: losses (logarithmic) above, opacity and fog below."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._trace = Trace()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 90)
        theme.changed.connect(self.update)
        self.show_trace(self._trace)

    @property
    def trace(self) -> Trace:
        """What is shown."""
        return self._trace

    def show_trace(self, trace: Trace) -> None:
        """Show a lift from its beginning to now."""
        self._trace = trace
        self.setAccessibleName(plot_text(self, trace))
        self.update()

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(440, 170)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw both plots side by side, or one above the other where it is narrow."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            font = QFont(self.font())
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            whole = QRectF(self.rect())
            if whole.width() > 2 * whole.height():
                half = (whole.width() - SPACE_3) / 2
                first = QRectF(0, 0, half, whole.height())
                second = QRectF(half + SPACE_3, 0, half, whole.height())
            else:
                half = (whole.height() - SPACE_2) / 2
                first = QRectF(0, 0, whole.width(), half)
                second = QRectF(0, half + SPACE_2, whole.width(), half)
            self._paint_losses(painter, first)
            self._paint_solidity(painter, second)

    # -- the two plots --

    def _paint_losses(self, painter: QPainter, rect: QRectF) -> None:
        names = self._trace.names
        values = [
            max(abs(moment.terms[name]), FLOOR)
            for moment in self._trace.moments
            for name in names
            if name in moment.terms and math.isfinite(moment.terms[name])
        ]
        inks = [QColor(ink) for ink in INKS[self._theme.palette.name]]
        legend = [(self._loss_name(name), inks[number]) for number, name in enumerate(names)]
        area = self._frame(painter, rect, self.tr("Losses"), legend)
        if not values:
            self._wait(painter, area)
            return
        low, high = math.log10(min(values)), math.log10(max(values))
        if high - low < 0.5:
            low, high = low - 0.25, high + 0.25
        self._paint_decades(painter, area, low, high)
        for number, name in reversed(list(enumerate(names))):
            points = [
                (moment.share, (math.log10(max(abs(moment.terms[name]), FLOOR)) - low) / (high - low))
                for moment in self._trace.moments
                if name in moment.terms and math.isfinite(moment.terms[name])
            ]
            self._line(painter, area, points, inks[number], 1.8 if number == 0 else 1.3)

    def _paint_solidity(self, painter: QPainter, rect: QRectF) -> None:
        inks = [QColor(ink) for ink in INKS[self._theme.palette.name]]
        moments = self._trace.moments
        last = moments[-1] if moments else None
        legend = [
            (self.tr("opacity {0}").format(percent_text(last.opacity)) if last else self.tr("opacity"), inks[0]),
            (self.tr("fog {0}").format(percent_text(last.fog)) if last else self.tr("fog"), inks[1]),
        ]
        area = self._frame(painter, rect, self.tr("Shape"), legend)
        if not moments:
            self._wait(painter, area)
            return
        pen = QPen(self._theme.colour("line"), 1)
        for share in (0.25, 0.5, 0.75):
            painter.setPen(pen)
            y = area.bottom() - share * area.height()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        self._line(painter, area, [(moment.share, moment.fog) for moment in moments], inks[1], 1.8)
        self._line(painter, area, [(moment.share, moment.opacity) for moment in moments], inks[0], 1.8)

    def _frame(self, painter: QPainter, rect: QRectF, title: str, legend: list[tuple[str, QColor]]) -> QRectF:
        """Draw ground, title and legend; return the area of the lines."""
        theme = self._theme
        metrics = QFontMetrics(painter.font())
        head = metrics.height() + 4
        painter.setPen(theme.colour("text_muted"))
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(rect.left(), rect.top(), rect.width(), head), left, title)
        x = rect.left() + metrics.horizontalAdvance(title) + SPACE_3
        for text, ink in legend:
            width = metrics.horizontalAdvance(text)
            if x + 12 + width > rect.right():
                break
            y = rect.top() + head / 2
            painter.setPen(QPen(ink, 2))
            painter.drawLine(QPointF(x, y), QPointF(x + 9, y))
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(QRectF(x + 12, rect.top(), width + 2, head), left, text)
            x += 12 + width + SPACE_3
        area = rect.adjusted(0, head + 2, 0, 0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("sunken"))
        painter.drawRoundedRect(area, RADIUS - 2, RADIUS - 2)
        area = area.adjusted(SPACE_2, 6, -SPACE_2, -6)
        self._paint_phases(painter, area)
        return area

    def _paint_phases(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(QPen(self._theme.colour("line_strong"), 1, Qt.PenStyle.DotLine))
        before = None
        for moment in self._trace.moments:
            if before is not None and moment.phase != before:
                x = area.left() + moment.share * area.width()
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            before = moment.phase

    def _paint_decades(self, painter: QPainter, area: QRectF, low: float, high: float) -> None:
        metrics = QFontMetrics(painter.font())
        for power in range(math.ceil(low), math.floor(high) + 1):
            y = area.bottom() - (power - low) / (high - low) * area.height()
            painter.setPen(QPen(self._theme.colour("line"), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            text = f"{10.0**power:g}"
            spot = QRectF(area.right() - metrics.horizontalAdvance(text), y - metrics.height(), 80, metrics.height())
            if spot.top() >= area.top() - 4:
                painter.setPen(self._theme.colour("text_faint"))
                painter.drawText(spot, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), text)

    def _line(
        self, painter: QPainter, area: QRectF, points: list[tuple[float, float]], ink: QColor, width: float
    ) -> None:
        if not points:
            return
        path = QPainterPath()
        for number, (x, y) in enumerate(points):
            spot = QPointF(
                area.left() + min(max(x, 0.0), 1.0) * area.width(),
                area.bottom() - min(max(y, 0.0), 1.0) * area.height(),
            )
            if number:
                path.lineTo(spot)
            else:
                path.moveTo(spot)
        pen = QPen(ink, width)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawEllipse(path.currentPosition(), width + 0.8, width + 0.8)

    def _wait(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(self._theme.colour("text_faint"))
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(area, flags, self.tr("Begins with the fitting"))

    def _loss_name(self, name: str) -> str:
        return loss_name(self, name)


def loss_name(widget: QWidget, name: str) -> str:
    """Return a loss's name in plain words; one that is not known as it is, with blanks."""
    known = {
        "photometric": widget.tr("picture"),
        "picture": widget.tr("picture"),
        "colour": widget.tr("picture"),
        "variation": widget.tr("smoothness"),
        "total_variation": widget.tr("smoothness"),
        "entropy": widget.tr("clearness"),
        "opacity": widget.tr("mass"),
        "sds": widget.tr("distillation"),
        "distillation": widget.tr("distillation"),
        "orientation": widget.tr("orientation"),
        "thickness": widget.tr("thickness"),
        "mask": widget.tr("outline"),
    }
    return known.get(name, name.replace("_", " ")[:24])


def plot_text(widget: QWidget, trace: Trace) -> str:
    """Say in words how a lift goes, for those who do not see the plot."""
    if not trace.moments:
        return widget.tr("Plot of the lift: nothing is fitted yet.")
    last = trace.moments[-1]
    losses = ", ".join(
        f"{loss_name(widget, name)} {last.terms[name]:.3g}" for name in trace.names if name in last.terms
    )
    return widget.tr("Plot of the lift. Losses: {0}. Opacity {1}, fog {2}.").format(
        losses or widget.tr("none yet"), percent_text(last.opacity), percent_text(last.fog)
    )
