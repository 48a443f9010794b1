"""What is painted over the 3D view: the ghost of a photo, what is measured, the way north, and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gpsdream_app.lifting.viewpoint import Viewpoint
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL

COMPASS = 22  # radius in pixels
DOT = 4.5


@dataclass(frozen=True, slots=True)
class Ghost:
    """A photo over the mesh.

    Attributes:
        image: the photo.
        fov: its vertical field of view in degrees.
        distance: of the photographer from the landmark's axis, metres.
        middle: the point (east, north, up) that is taken to be in the middle of the photo, metres.
        opacity: 0 to 1.
    """

    image: QImage
    fov: float
    distance: float
    middle: tuple[float, float, float]
    opacity: float


class MeshOverlay(QWidget):
    """Paints over the 3D view and lets the mouse through."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.viewpoint = Viewpoint()
        self.points: Sequence[np.ndarray] = ()
        self.hovered: np.ndarray | None = None
        self.measured = ""
        self.sentence = ""
        self.hint = ""
        self.caption = ""
        self.ghost: Ghost | None = None
        self.active = False
        self.compass = True
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint from the back to the front."""
        with QPainter(self) as painter:
            self.paint(painter)
            if self.active:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(self._theme.colour("accent"), 2))
                painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def paint(self, painter: QPainter) -> None:
        """Paint everything that belongs on a picture of the view, too."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self.ghost is not None:
            self._paint_ghost(painter, self.ghost)
        if self.compass and not self.sentence:
            self._paint_compass(painter)
        self._paint_measure(painter)
        if self.caption:
            self._paint_caption(painter)
        if self.sentence:
            self._paint_sentence(painter)

    def place_of(self, point: np.ndarray) -> QPointF | None:
        """Where a point in metres is seen; None if it lies behind."""
        column, row, depth = self.viewpoint.project(point, self.height(), self.width())
        return QPointF(float(column), float(row)) if depth > 0 else None

    def _paint_ghost(self, painter: QPainter, ghost: Ghost) -> None:
        middle = self.place_of(np.asarray(ghost.middle))
        if middle is None or ghost.image.isNull():
            return
        view = self.viewpoint
        away = max(float(np.linalg.norm(view.position[:2] - np.asarray(ghost.middle)[:2])), 1e-6)
        # As high as the photo would be through this lens, had it been taken from where one looks now.
        share = math.tan(math.radians(ghost.fov) / 2) / math.tan(math.radians(view.fov) / 2)
        height = self.height() * share * ghost.distance / away
        width = height * ghost.image.width() / max(1, ghost.image.height())
        if not 8 <= height <= 40 * self.height():
            return
        painter.setOpacity(ghost.opacity)
        painter.drawImage(QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height), ghost.image)
        painter.setOpacity(1.0)

    def _paint_compass(self, painter: QPainter) -> None:
        theme = self._theme
        centre = QPointF(self.width() - COMPASS - SPACE_3, COMPASS + SPACE_3)
        shade = theme.colour("surface")
        shade.setAlphaF(0.82)
        painter.setPen(QPen(theme.colour("line_strong"), 1))
        painter.setBrush(shade)
        painter.drawEllipse(centre, COMPASS, COMPASS)
        # Up on the compass is the way one looks.
        painter.save()
        painter.translate(centre)
        painter.rotate(-self.viewpoint.heading)
        needle = QPainterPath()
        needle.moveTo(0, -COMPASS + 11)
        needle.lineTo(4.5, 3)
        needle.lineTo(0, 0.5)
        needle.lineTo(-4.5, 3)
        needle.closeSubpath()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillPath(needle, theme.colour("accent"))
        painter.setPen(QPen(theme.colour("text_faint"), 1))
        for quarter in range(1, 4):
            a = math.radians(90 * quarter)
            x, y = math.sin(a), -math.cos(a)
            painter.drawLine(QPointF(x * (COMPASS - 6), y * (COMPASS - 6)), QPointF(x * COMPASS, y * COMPASS))
        painter.restore()
        a = math.radians(-self.viewpoint.heading)
        north = centre + QPointF(math.sin(a), -math.cos(a)) * (COMPASS - 6.5)
        painter.setFont(self._font(bold=True, size=10))
        painter.setPen(theme.colour("text"))
        painter.drawText(QRectF(north.x() - 8, north.y() - 8, 16, 16), int(Qt.AlignmentFlag.AlignCenter), "N")

    def _paint_measure(self, painter: QPainter) -> None:
        theme = self._theme
        places = [self.place_of(point) for point in self.points]
        ends = [place for place in places if place is not None]
        if len(places) == 1 and self.hovered is not None and ends:
            loose = self.place_of(self.hovered)
            if loose is not None:
                ends.append(loose)
        if len(ends) == 2:
            for colour, width in (("surface", 4.0), ("accent", 2.0)):
                painter.setPen(QPen(theme.colour(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                painter.drawLine(ends[0], ends[1])
        painter.setPen(QPen(theme.colour("surface"), 2))
        painter.setBrush(theme.colour("accent"))
        for end in ends:
            painter.drawEllipse(end, DOT, DOT)
        if self.measured and len(ends) == 2:
            middle = (ends[0] + ends[1]) / 2
            self._pill(painter, self.measured, middle, bold=True)

    def _paint_caption(self, painter: QPainter) -> None:
        font = self._font()
        metrics = QFontMetricsF(font)
        room = self.width() - 2 * (COMPASS + SPACE_3) - 4 * SPACE_2
        text = metrics.elidedText(self.caption, Qt.TextElideMode.ElideRight, max(40, room))
        width = metrics.horizontalAdvance(text) + 2 * SPACE_2
        middle = QPointF(SPACE_3 + width / 2, SPACE_3 + metrics.height() / 2 + SPACE_1)
        self._pill(painter, text, middle)

    def _paint_sentence(self, painter: QPainter) -> None:
        theme = self._theme
        box = QRectF(0, 0, min(360.0, self.width() - 2 * SPACE_3), 96)
        box.moveCenter(QRectF(self.rect()).center())
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        painter.setFont(self._font(bold=True, size=13))
        painter.setPen(theme.colour("text"))
        needed = painter.boundingRect(box, flags, self.sentence)
        painter.drawText(needed, flags, self.sentence)
        if self.hint:
            painter.setFont(self._font(size=13))
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(QRectF(box.left(), needed.bottom() + SPACE_1, box.width(), 60), flags, self.hint)

    def _pill(self, painter: QPainter, text: str, middle: QPointF, *, bold: bool = False) -> None:
        theme = self._theme
        font = self._font(bold=bold)
        metrics = QFontMetricsF(font)
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 2 * SPACE_2, metrics.height() + 2 * SPACE_1)
        box.moveCenter(middle)
        box.moveLeft(min(max(box.left(), 4), max(4, self.width() - box.width() - 4)))
        box.moveTop(min(max(box.top(), 4), max(4, self.height() - box.height() - 4)))
        shade = theme.colour("surface")
        shade.setAlphaF(0.92)
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.setBrush(shade)
        painter.drawRoundedRect(box, RADIUS / 2 + RADIUS_SMALL / 2, RADIUS / 2 + RADIUS_SMALL / 2)
        painter.setFont(font)
        painter.setPen(theme.colour("text"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _font(self, *, bold: bool = False, size: int = TYPE_SMALL) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(size)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        return font
