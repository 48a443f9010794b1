"""The rose of photos: how many were taken from which side, so that the gaps are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QFont,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gpsdream_app.geo.azimuth import BINS, DEGREES_PER_BIN, azimuth_bin
from gpsdream_app.ui.phrases import tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import TYPE_SMALL

COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
SIDES = (
    "the north",
    "the north-east",
    "the east",
    "the south-east",
    "the south",
    "the south-west",
    "the west",
    "the north-west",
)
NAMES_ROOM = 26  # around the circle, for the compass
HEART = 0.17  # share of the radius that the empty middle takes
GAP_RING = 7  # thickness of the ring that shows gaps


class RoseView(QWidget):
    """A circle with a petal for every 10 degrees; the petal's area tells how many photos were taken from there.

    Signals:
        chosen: a petal was clicked, or Enter pressed on it; its number, 0 (north) to 35, clockwise.
        pointed: the pointer or the arrow keys are on a petal; -1 on none.
    """

    chosen = Signal(int)
    pointed = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._counts: tuple[int, ...] = (0,) * BINS
        self._front: float | None = None
        self._bin = -1
        self._over = -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 200)
        theme.changed.connect(self.update)
        self._describe()

    @property
    def counts(self) -> tuple[int, ...]:
        """What is shown: photos per bin, north first, clockwise."""
        return self._counts

    @property
    def bin(self) -> int:
        """The chosen petal; -1 if there is none."""
        return self._bin

    def show_counts(self, counts: Sequence[int], front: float | None = None) -> None:
        """Show photos per bin.

        Args:
            counts: 36 numbers, north first, clockwise.
            front: the way that the landmark's front faces, in degrees clockwise from north; None if it is not known.

        Raises:
            ValueError: if there are not 36.
        """
        if len(counts) != BINS:
            raise ValueError(f"a rose has {BINS} petals, not {len(counts)}")
        self._counts, self._front = tuple(counts), front
        self._bin = self._over = -1
        self._describe()
        self.update()

    def choose(self, number: int) -> None:
        """Choose a petal without announcing it; -1 for none."""
        self._bin = number
        self._describe()
        self.update()

    def sizeHint(self) -> QSize:
        """A square that is easily read."""
        return QSize(320, 320)

    # -- where things are --

    def _circle(self) -> tuple[QPointF, float]:
        """The middle, and the radius of the outermost petal."""
        radius = min(self.width(), self.height()) / 2 - NAMES_ROOM - GAP_RING
        return QPointF(self.width() / 2, self.height() / 2), max(radius, 10.0)

    def bin_at(self, point: QPointF) -> int:
        """Return the petal at a point of the widget; -1 outside the circle and in its very middle."""
        middle, radius = self._circle()
        east, south = point.x() - middle.x(), point.y() - middle.y()
        away = math.hypot(east, south)
        if not 0.08 * radius < away < radius + GAP_RING + NAMES_ROOM / 2:
            return -1
        return azimuth_bin(math.degrees(math.atan2(east, -south)) % 360.0)

    def point_of(self, number: int) -> QPointF:
        """Return a point of the widget that lies on a petal's place, for those who click."""
        middle, radius = self._circle()
        angle = math.radians(number * DEGREES_PER_BIN)
        away = 0.6 * radius
        return QPointF(middle.x() + math.sin(angle) * away, middle.y() - math.cos(angle) * away)

    def _reach(self, count: int, most: int, radius: float) -> float:
        """Radius of a petal whose area, beyond the empty middle, is proportional to its count."""
        heart = HEART * radius
        return math.sqrt(heart**2 + (radius**2 - heart**2) * count / most) if most and count else heart

    def _petal(self, number: int, inner: float, outer: float, trim: float = 0.6) -> QPainterPath:
        middle, _ = self._circle()
        # Qt counts anticlockwise from the east.
        start = 90.0 - (number + 0.5) * DEGREES_PER_BIN + trim
        sweep = DEGREES_PER_BIN - 2 * trim
        path = QPainterPath()
        path.arcMoveTo(_around(middle, inner), start)
        path.arcTo(_around(middle, outer), start, sweep)
        path.arcTo(_around(middle, inner), start + sweep, -sweep)
        path.closeSubpath()
        return path

    # -- painting --

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw rings, petals, gaps and the compass."""
        theme = self._theme
        middle, radius = self._circle()
        most = max(self._counts)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("sunken"))
            painter.drawEllipse(_around(middle, radius))
            self._paint_rings(painter, middle, radius, most)
            for number, count in enumerate(self._counts):
                self._paint_petal(painter, number, count, most, radius)
            self._paint_front(painter, middle, radius)
            self._paint_compass(painter, middle, radius)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour("accent"), 2))
                painter.drawEllipse(_around(middle, radius + GAP_RING + 4))

    def _paint_rings(self, painter: QPainter, middle: QPointF, radius: float, most: int) -> None:
        theme = self._theme
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("line_strong"), 1, Qt.PenStyle.DotLine))
        for count in ring_counts(most):
            painter.drawEllipse(_around(middle, self._reach(count, most, radius)))
        painter.setPen(QPen(theme.colour("line_strong"), 1))
        painter.drawEllipse(_around(middle, HEART * radius))

    def _paint_petal(self, painter: QPainter, number: int, count: int, most: int, radius: float) -> None:
        theme = self._theme
        lit = number == self._over or number == self._bin
        if lit:
            shade = QColor(theme.colour("accent"))
            shade.setAlphaF(0.14)
            painter.fillPath(self._petal(number, HEART * radius, radius, 0.0), shade)
        if count:
            fill = theme.colour("glow_hover" if lit else "glow")
            painter.fillPath(self._petal(number, HEART * radius, self._reach(count, most, radius)), fill)
        elif most:
            # A gap is drawn, not left out: it is what one looks for.
            painter.fillPath(self._petal(number, radius + 2, radius + GAP_RING - 1, 0.0), theme.colour("danger"))
        if number == self._bin:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawPath(self._petal(number, HEART * radius, radius, 0.0))
            painter.setPen(Qt.PenStyle.NoPen)

    def _paint_front(self, painter: QPainter, middle: QPointF, radius: float) -> None:
        if self._front is None:
            return
        theme = self._theme
        painter.save()
        painter.translate(middle)
        painter.rotate(self._front)
        heart = HEART * radius
        arrow = QPainterPath(QPointF(0, -heart * 0.78))
        arrow.lineTo(heart * 0.46, heart * 0.42)
        arrow.lineTo(0, heart * 0.16)
        arrow.lineTo(-heart * 0.46, heart * 0.42)
        arrow.closeSubpath()
        painter.fillPath(arrow, theme.colour("text_muted"))
        painter.restore()

    def _paint_compass(self, painter: QPainter, middle: QPointF, radius: float) -> None:
        theme = self._theme
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        for number, name in enumerate(COMPASS):
            main = number % 2 == 0
            font.setWeight(QFont.Weight.DemiBold if main else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(theme.colour("text" if main else "text_faint"))
            angle = math.radians(number * 45)
            away = radius + GAP_RING + NAMES_ROOM / 2 + 1
            spot = QPointF(middle.x() + math.sin(angle) * away, middle.y() - math.cos(angle) * away)
            painter.drawText(_around(spot, 14), int(Qt.AlignmentFlag.AlignCenter), _tr(name))

    # -- pointing --

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light the petal under the pointer."""
        self._point(self.bin_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Light none."""
        super().leaveEvent(event)
        self._point(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a petal."""
        number = self.bin_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and number >= 0:
            self._choose(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go round the circle."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1}.get(
            Qt.Key(event.key())
        )
        if step is not None:
            self._choose(0 if self._bin < 0 else (self._bin + step) % BINS)
        elif event.key() == Qt.Key.Key_Home:
            self._choose(0)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._bin >= 0:
            self.chosen.emit(self._bin)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Tell of the petal under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.bin_at(QPointF(event.pos()))
            if number >= 0:
                QToolTip.showText(event.globalPos(), tooltip(petal_text(number, self._counts[number])), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def _choose(self, number: int) -> None:
        self.choose(number)
        self.chosen.emit(number)

    def _point(self, number: int) -> None:
        if number != self._over:
            self._over = number
            self.pointed.emit(number)
            self.update()

    def _describe(self) -> None:
        self.setAccessibleName(rose_text(self._counts))
        self.setAccessibleDescription(petal_text(self._bin, self._counts[self._bin]) if self._bin >= 0 else "")
        if self.hasFocus():
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))


def _around(point: QPointF, radius: float) -> QRectF:
    return QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)


def _tr(text: str) -> str:
    return QCoreApplication.translate("rose", text)


def ring_counts(most: int) -> list[int]:
    """Return the counts at which rings stand, for petals of at most so many photos: two or three round numbers."""
    if most < 2:
        return [1] if most else []
    power = 10 ** math.floor(math.log10(most))
    step = next(unit for unit in (power / 2, power, 2 * power, 5 * power) if most / unit <= 4)
    step = max(1, math.ceil(step))
    return list(range(step, most + 1, step))


def side_text(azimuth: float) -> str:
    """Return a direction in words: “the south-west”."""
    return _tr(SIDES[round(azimuth / 45) % 8])


def petal_text(number: int, count: int) -> str:
    """Return what a petal tells: “From 120° (the south-east): 17 photos”."""
    azimuth = number * DEGREES_PER_BIN
    many = {0: _tr("no photo"), 1: _tr("1 photo")}.get(count, _tr("{0} photos").format(f"{count:,}"))
    return _tr("From {0}° ({1}): {2}").format(round(azimuth), side_text(azimuth), many)


def gaps(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Return runs of empty bins as (first, how many), clockwise, the longest first; a full circle is one run."""
    size = len(counts)
    if not any(counts):
        return [(0, size)]
    found = []
    for first in range(size):
        if counts[first] == 0 and counts[first - 1] != 0:
            length = next(n for n in range(1, size + 1) if counts[(first + n) % size] != 0)
            found.append((first, length))
    return sorted(found, key=lambda gap: -gap[1])


def gaps_text(counts: Sequence[int]) -> str:
    """Say in a sentence from where photos are missing; empty if there are none at all."""
    if not any(counts):
        return ""
    found = gaps(counts)
    if not found:
        return _tr("Photos from all sides.")
    parts = []
    for first, length in found[:3]:
        low = (first - 0.5) * DEGREES_PER_BIN % 360
        high = (first + length - 0.5) * DEGREES_PER_BIN % 360
        middle = (first + (length - 1) / 2) * DEGREES_PER_BIN % 360
        parts.append(_tr("{0} ({1}° to {2}°)").format(side_text(middle), round(low), round(high)))
    listed = parts[0] if len(parts) == 1 else _tr("{0} and {1}").format(", ".join(parts[:-1]), parts[-1])
    if len(found) > 3:
        return _tr("No photos from {0}, and {1} smaller gaps.").format(listed, len(found) - 3)
    return _tr("No photos from {0}.").format(listed)


def rose_text(counts: Sequence[int]) -> str:
    """Say in words what the rose shows, for those who do not see it."""
    total = sum(counts)
    if not total:
        return _tr("No photos yet.")
    many = _tr("1 photo.") if total == 1 else _tr("{0} photos.").format(f"{total:,}")
    busiest = max(range(len(counts)), key=lambda number: counts[number])
    most = _tr("Most of them from {0}.").format(side_text(busiest * DEGREES_PER_BIN))
    return " ".join(part for part in (many, most if total > 1 else "", gaps_text(counts)) if part)
