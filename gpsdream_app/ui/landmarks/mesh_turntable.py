"""Where OpenGL fails: pictures of the mesh from all round, drawn by the processor, that one turns by dragging."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from gpsdream_app.lifting.pictures import TURN_ELEVATION, picture_of
from gpsdream_app.lifting.viewpoint import Viewpoint, facing
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.landmarks.mesh_model import Solid
from gpsdream_app.ui.landmarks.mesh_scene import Lighting, Mode, colours_of
from gpsdream_app.ui.theme import Theme

PICTURES = 36
SIDE = 480


class MeshTurntable(QWidget):
    """Shows one mesh from one of some azimuths; understands what `MeshCanvas` does, as far as pictures can.

    Signals: see `MeshCanvas`.
    """

    dragged = Signal(float, float)
    pushed = Signal(float, float)
    zoomed = Signal(float)
    clicked = Signal(QPointF)
    hovered = Signal(QPointF)
    key = Signal(object)

    def __init__(self, theme: Theme, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._background = theme, background
        self._solid: Solid | None = None
        self._mode = Mode.TEXTURE
        self._azimuth = 0.0
        self._pictures: dict[int, QImage] = {}
        self._number = 0
        self._running = False
        self._last: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(self.tr("Pictures of the mesh from all round"))
        self.setAccessibleDescription(self.tr("The left and right arrow keys turn it."))
        theme.changed.connect(self._begin_again)

    @property
    def drawn(self) -> int:
        """How many pictures there are."""
        return len(self._pictures)

    @property
    def step(self) -> int:
        """The number of the picture that belongs to where one looks from."""
        return round(self._azimuth / 360.0 * PICTURES) % PICTURES

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(SIDE, SIDE)

    def show_solid(self, solid: Solid | None) -> None:
        """Show a mesh, or none."""
        self._solid = solid
        self._begin_again()

    def show_mode(self, mode: Mode) -> None:
        """Show another thing of the surface."""
        if mode != self._mode:
            self._mode = mode
            self._begin_again()

    def show_viewpoint(self, viewpoint: Viewpoint) -> None:
        """Look from the nearest azimuth of which there is a picture."""
        self._azimuth = viewpoint.azimuth
        self._draw_next()
        self.update()

    def show_lighting(self, lighting: Lighting) -> None:
        """The light of pictures does not change."""

    def show_wireframe(self, shown: bool) -> None:
        """Pictures have no wires."""

    def show_ground(self, shown: bool) -> None:
        """Pictures have no ground."""

    def show_plane(self, plane: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Pictures are not cut."""

    def picture(self) -> QImage:
        """The picture that is seen."""
        shown = self._nearest()
        return QImage() if shown is None else shown.copy()

    def close(self) -> bool:
        """Draw no more."""
        self._number += 1
        self._solid = None
        return super().close()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.fillRect(self.rect(), self._theme.colour("sunken"))
            shown = self._nearest()
            if shown is not None:
                side = min(self.width(), self.height())
                where = QRect(0, 0, side, side)
                where.moveCenter(self.rect().center())
                painter.drawImage(where, shown)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to turn."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn."""
        if self._last is not None and event.buttons():
            step = event.position() - self._last
            self._last = event.position()
            self.dragged.emit(step.x(), 0.0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End turning."""
        self._last = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn by the wheel: there is nothing to go nearer to."""
        self.dragged.emit(-event.angleDelta().y() / 8.0, 0.0)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tell the key."""
        event.ignore()
        self.key.emit(event)

    def _nearest(self) -> QImage | None:
        if not self._pictures:
            return None
        wanted = self.step
        best = min(self._pictures, key=lambda n: min((n - wanted) % PICTURES, (wanted - n) % PICTURES))
        return self._pictures[best]

    def _begin_again(self) -> None:
        self._number += 1
        self._pictures = {}
        self._running = False
        self._draw_next()
        self.update()

    def _draw_next(self) -> None:
        """Draw the missing picture that lies nearest to where one looks from; one at a time."""
        solid, number = self._solid, self._number
        missing = [n for n in range(PICTURES) if n not in self._pictures]
        if self._running or solid is None or not missing or len(solid.mesh.faces) == 0:
            return
        wanted = self.step
        which = min(missing, key=lambda n: min((n - wanted) % PICTURES, (wanted - n) % PICTURES))
        mode, sunken = self._mode, self._theme.colour("sunken")
        behind = sunken.redF(), sunken.greenF(), sunken.blueF()
        self._running = True

        def draw() -> QImage:
            viewpoint = facing(solid.vertices, 360.0 * which / PICTURES, TURN_ELEVATION)
            mesh = replace(solid.mesh, vertices=solid.vertices)
            if mode is not Mode.TEXTURE or mesh.texture is None:
                colours = colours_of(solid, mode, viewpoint, (176, 170, 160)) / 255.0
                mesh = replace(mesh, colours=colours, uv=None, texture=None)
            pixels = np.ascontiguousarray(picture_of(mesh, viewpoint, SIDE, SIDE, background=behind))
            return QImage(pixels.data, SIDE, SIDE, 3 * SIDE, QImage.Format.Format_RGB888).copy()

        def done(image: QImage) -> None:
            if number == self._number:
                self._running = False
                self._pictures[which] = image
                self.update()
                self._draw_next()

        self._background.run(self, draw, done)
