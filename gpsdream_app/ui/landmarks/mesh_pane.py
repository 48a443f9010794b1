"""One lift in 3D: its mesh, where one looks from, what is measured on it, the ghost of a photo over it.

The canvas comes late: VTK is imported in the background when the pane is first shown; where OpenGL fails, a turntable
of pictures stands in. `GPSDREAM_3D=off` asks for the turntable.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QCoreApplication, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QImage,
    QImageReader,
    QKeyEvent,
    QPainter,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.lifts import LiftResult
from gpsdream_app.landmarks.collection import LandmarkPhoto, nearest_photo
from gpsdream_app.lifting.viewpoint import Viewpoint, facing, ray_hits
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.landmarks.mesh_model import MeshModel
from gpsdream_app.ui.landmarks.mesh_overlay import Ghost, MeshOverlay
from gpsdream_app.ui.landmarks.mesh_scene import Cut, Lighting, Mode, cut_plane
from gpsdream_app.ui.landmarks.mesh_turntable import MeshTurntable
from gpsdream_app.ui.opengl import opengl_works
from gpsdream_app.ui.theme import Theme

if TYPE_CHECKING:
    from gpsdream_app.ui.landmarks.mesh_canvas import MeshCanvas

log = logging.getLogger(__name__)

FOV = 30.0
START = (35.0, 14.0)  # clockwise from the front, and up: a corner, which shows most of a building
EYE = 1.6  # metres
UNKNOWN_FOV = 50.0  # of a photo that does not tell: a phone upright
GHOST_PIXELS = 1400
GHOST_REST = 120  # milliseconds without turning before the next photo is looked for


def metres_text(metres: float) -> str:
    """A length as it is read: two decimals under ten metres, one over."""
    return f"{metres:.2f} m" if abs(metres) < 10 else f"{metres:,.1f} m"


class MeshPane(QWidget):
    """Shows one lift in 3D.

    Signals:
        viewpoint_changed: somebody looks from elsewhere (`Viewpoint`).
        measured: two points were clicked, or forgotten (distance in metres or None).
        missed: a click lay beside the mesh.
        ghost_changed: another photo is the nearest (`LandmarkPhoto` or None).
        opened: the canvas stands, or the turntable.
        pressed: it was clicked or dragged.
    """

    viewpoint_changed = Signal(object)
    measured = Signal(object)
    missed = Signal()
    ghost_changed = Signal(object)
    opened = Signal()
    pressed = Signal()

    def __init__(self, background: Background, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background, self._theme = background, theme
        self.model = MeshModel(background, self)
        self.viewpoint = Viewpoint(fov=FOV)
        self.mode, self.lighting = Mode.TEXTURE, Lighting.SOFT
        self.wireframe, self.ground = False, True
        self.cut: tuple[Cut, float, bool] | None = None
        self.measuring = False
        self.points: list[np.ndarray] = []
        self.photos: Sequence[LandmarkPhoto] = ()
        self.photo: LandmarkPhoto | None = None
        self.ghosts = False
        self.opacity = 0.5
        self._photo_image = QImage()
        self.canvas: MeshCanvas | MeshTurntable | None = None
        self._opening = self._closed = False
        self._fresh = True  # the next mesh decides where one looks from
        self.overlay = MeshOverlay(theme, self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(GHOST_REST)
        self._rest.timeout.connect(self._look_for_photo)
        self.setMinimumSize(220, 200)
        self.model.changed.connect(self._mesh_changed)
        self.model.busy_changed.connect(self._tell)
        self.model.failed.connect(self._failed)
        application = QCoreApplication.instance()
        if application is not None:
            # VTK must let go of OpenGL while Qt still has it.
            application.aboutToQuit.connect(self.shut)
        self._failure: Failure | None = None
        self._tell()

    # -- beginning and end --

    @property
    def has_opengl(self) -> bool:
        """Whether the mesh is in a real 3D view."""
        return self.canvas is not None and not isinstance(self.canvas, MeshTurntable)

    def open(self) -> None:
        """Make the canvas, once; VTK is imported in the background before."""
        if self.canvas is not None or self._opening or self._closed:
            return
        if not opengl_works():
            self._take(MeshTurntable(self._theme, self._background, self))
            return
        self._opening = True
        self._tell()
        self._background.run(self, _import_vtk, self._vtk_ready, self._vtk_missing, priority=3)

    def shut(self) -> None:
        """Let go of OpenGL; nothing is shown any more."""
        if self._closed:
            return
        self._closed = True
        if self.canvas is not None:
            self.canvas.close()
            self.canvas = None

    def showEvent(self, event: QShowEvent) -> None:
        """Open the view when it is first seen."""
        super().showEvent(event)
        self.open()

    def sizeHint(self) -> QSize:
        """Room for a building."""
        return QSize(560, 460)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill with the canvas."""
        super().resizeEvent(event)
        if self.canvas is not None:
            self.canvas.setGeometry(self.rect())
        self.overlay.setGeometry(self.rect())

    def _vtk_ready(self, _: None) -> None:
        self._opening = False
        if self._closed or self.canvas is not None:
            return
        try:
            from gpsdream_app.ui.landmarks.mesh_canvas import MeshCanvas

            canvas = MeshCanvas(self._theme, self)
        except Exception as error:  # whatever a driver may throw
            log.warning("The 3D view cannot be opened: %r", error)
            self._fall_back()
            return
        self._take(canvas)
        QTimer.singleShot(1500, self, self._check_context)

    def _vtk_missing(self, failure: Failure) -> None:
        log.warning("VTK cannot be loaded: %s", failure.details)
        self._opening = False
        self._fall_back()

    def _check_context(self) -> None:
        """Some systems promise a context and give none: the widget is never initialised then."""
        canvas = self.canvas
        if canvas is None or isinstance(canvas, MeshTurntable) or not canvas.isVisible():
            return
        if not canvas.isValid():
            log.warning("OpenGL gave no context for the 3D view.")
            canvas.hide()
            canvas.close()
            canvas.deleteLater()
            self.canvas = None
            self._fall_back()

    def _fall_back(self) -> None:
        self._take(MeshTurntable(self._theme, self._background, self))

    def _take(self, canvas: MeshCanvas | MeshTurntable) -> None:
        self.canvas = canvas
        canvas.setGeometry(self.rect())
        canvas.dragged.connect(self._dragged)
        canvas.pushed.connect(self._pushed)
        canvas.zoomed.connect(self._zoomed)
        canvas.clicked.connect(self._clicked)
        canvas.hovered.connect(self._hovered)
        canvas.key.connect(self.key)
        canvas.show_mode(self.mode)
        canvas.show_lighting(self.lighting)
        canvas.show_wireframe(self.wireframe)
        canvas.show_ground(self.ground)
        canvas.show_solid(self.model.solid)
        canvas.show_viewpoint(self.viewpoint)
        self._show_cut()
        canvas.show()
        self.overlay.compass = True
        self.overlay.raise_()
        self._tell()
        self.opened.emit()

    # -- what is shown --

    def show_lift(self, result: LiftResult | None) -> None:
        """Show another lift; one looks at it from its own best side."""
        self._fresh = True
        self._failure = None
        self.clear_measure()
        self.model.show(result)

    def show_mode(self, mode: Mode) -> None:
        """Show another thing of the surface."""
        self.mode = mode
        self.model.want_texture(mode is Mode.TEXTURE)
        if self.canvas:
            self.canvas.show_mode(mode)

    def show_lighting(self, lighting: Lighting) -> None:
        """Light it otherwise."""
        self.lighting = lighting
        if self.canvas:
            self.canvas.show_lighting(lighting)

    def show_wireframe(self, shown: bool) -> None:
        """Show the triangles' edges."""
        self.wireframe = shown
        if self.canvas:
            self.canvas.show_wireframe(shown)
            self.canvas.show_lighting(self.lighting)

    def show_ground(self, shown: bool) -> None:
        """Show the ground's grid."""
        self.ground = shown
        if self.canvas:
            self.canvas.show_ground(shown)

    def show_cut(self, cut: tuple[Cut, float, bool] | None) -> None:
        """Cut the mesh: axis, share of its length, whether the other side stays; None shows all of it."""
        self.cut = cut
        self._show_cut()

    def _show_cut(self) -> None:
        if self.canvas is None:
            return
        solid = self.model.solid
        if self.cut is None or solid is None:
            self.canvas.show_plane(None)
        else:
            axis, share, flipped = self.cut
            self.canvas.show_plane(cut_plane(axis, share, solid.vertices, flipped))

    def show_viewpoint(self, viewpoint: Viewpoint) -> None:
        """Look from somewhere, without telling it."""
        self.viewpoint = viewpoint
        if self.canvas:
            self.canvas.show_viewpoint(viewpoint)
        self.overlay.viewpoint = viewpoint
        self.overlay.update()
        if self.ghosts:
            self._rest.start()

    def look(self, azimuth: float | None = None, elevation: float | None = None) -> None:
        """Look at all of the mesh, from the azimuth and elevation in degrees that are given."""
        solid = self.model.solid
        if solid is None:
            return
        front = self.model.result.request.landmark.heading if self.model.result else 0.0
        aspect = self.width() / max(1, self.height())
        self._go(
            facing(
                solid.vertices,
                front + START[0] if azimuth is None else azimuth,
                START[1] if elevation is None else elevation,
                FOV,
                aspect,
            )
        )

    @property
    def front(self) -> float:
        """Azimuth from which the landmark's front is seen, degrees."""
        return self.model.result.request.landmark.heading if self.model.result else 0.0

    def stand_at_photo(self) -> None:
        """Look from where the nearest photo was taken, through its lens."""
        photo, solid = self.photo, self.model.solid
        if photo is None or solid is None:
            return
        middle = self._photo_middle()
        away, over = max(photo.distance, 0.5), EYE - middle[2]
        self._go(
            Viewpoint(
                photo.azimuth,
                math.degrees(math.atan2(over, away)),
                math.hypot(away, over),
                middle,
                photo.fov or UNKNOWN_FOV,
            )
        )

    def picture(self) -> QImage:
        """What is seen, with what is painted over it."""
        if self.canvas is None:
            return QImage()
        image = self.canvas.picture()
        if isinstance(self.canvas, MeshTurntable) or image.isNull():
            return image
        with QPainter(image) as painter:
            ratio = image.width() / max(1, self.width())
            if image.devicePixelRatio() == 1.0:
                painter.scale(ratio, ratio)
            self.overlay.paint(painter)
        return image

    # -- measuring --

    def measure(self, on: bool) -> None:
        """Take clicks as ends of a length, or do not."""
        self.measuring = on
        if self.canvas is not None and self.has_opengl:
            self.canvas.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)
        if not on:
            self.clear_measure()

    def clear_measure(self) -> None:
        """Forget the points."""
        self.points = []
        self._show_measure()

    def point_at(self, place: QPointF) -> np.ndarray | None:
        """The point of the mesh, else of the ground, that is seen at a point of the widget; metres, or None."""
        solid = self.model.solid
        if solid is None:
            return None
        origin = self.viewpoint.position
        direction = self.viewpoint.ray(place.x(), place.y(), self.height(), self.width())
        for distance in ray_hits(solid.vertices, solid.mesh.faces, origin, direction):
            point = np.asarray(origin + distance * direction)
            if not self._cut_away(point):
                return point
        if direction[2] < -1e-6 and origin[2] > 0:
            ground = np.asarray(origin - origin[2] / direction[2] * direction)
            reach = float(np.abs(solid.vertices).max())
            if float(np.linalg.norm(ground[:2])) < 3 * reach:
                return ground
        return None

    def _cut_away(self, point: np.ndarray) -> bool:
        if self.cut is None or self.model.solid is None:
            return False
        origin, normal = cut_plane(self.cut[0], self.cut[1], self.model.solid.vertices, self.cut[2])
        return bool((point - origin) @ normal < 0)

    def _clicked(self, place: QPointF) -> None:
        self.pressed.emit()
        if not self.measuring:
            return
        point = self.point_at(place)
        if point is None:
            self.missed.emit()
            return
        self.points = [point] if len(self.points) == 2 else [*self.points, point]
        self._show_measure()

    def _hovered(self, place: QPointF) -> None:
        if self.measuring and len(self.points) == 1:
            self.overlay.hovered = self.point_at(place)
            self.overlay.update()

    def _show_measure(self) -> None:
        self.overlay.points = tuple(self.points)
        self.overlay.hovered = None
        length = float(np.linalg.norm(self.points[1] - self.points[0])) if len(self.points) == 2 else None
        self.overlay.measured = "" if length is None else metres_text(length)
        self.overlay.update()
        self.measured.emit(length)

    # -- the ghost of a photo --

    def show_photos(self, photos: Sequence[LandmarkPhoto]) -> None:
        """Take photos of the landmark for the ghost."""
        self.photos = tuple(photos)
        self.photo = None
        self._photo_image = QImage()
        self._look_for_photo()

    def show_ghost(self, shown: bool) -> None:
        """Show the photo that was taken from nearest to where one looks from, or none."""
        self.ghosts = shown
        self._look_for_photo()

    def show_opacity(self, opacity: float) -> None:
        """Show the photo more or less."""
        self.opacity = opacity
        self._show_ghost()

    def _photo_middle(self) -> tuple[float, float, float]:
        solid = self.model.solid
        top = float(solid.vertices[:, 2].max()) if solid is not None else 2 * EYE
        return 0.0, 0.0, top / 2

    def _look_for_photo(self) -> None:
        if not self.ghosts:
            self._show_ghost()
            return
        found = nearest_photo(self.photos, self.viewpoint.azimuth, night=False) or nearest_photo(
            self.photos, self.viewpoint.azimuth
        )
        if found == self.photo and found is not None:
            self._show_ghost()
            return
        self.photo = found
        self.ghost_changed.emit(found)
        if found is None:
            self._show_ghost()
            return

        def arrived(image: QImage) -> None:
            if self.photo == found:
                self._photo_image = image
                self._show_ghost()

        self._background.run(self, lambda: _read_photo(found.path), arrived, self._photo_failed)

    def _photo_failed(self, failure: Failure) -> None:
        self._photo_image = QImage()
        self._show_ghost()

    def _show_ghost(self) -> None:
        photo = self.photo
        if not self.ghosts or photo is None or self._photo_image.isNull() or not self.has_opengl:
            self.overlay.ghost = None
        else:
            self.overlay.ghost = Ghost(
                self._photo_image, photo.fov or UNKNOWN_FOV, photo.distance, self._photo_middle(), self.opacity
            )
        self.overlay.update()

    # -- mouse and keys --

    def _dragged(self, right: float, down: float) -> None:
        self.pressed.emit()
        self._go(self.viewpoint.turned(right * 0.35, down * 0.3))

    def _pushed(self, right: float, down: float) -> None:
        self.pressed.emit()
        pixel = 2 * self.viewpoint.distance * math.tan(math.radians(self.viewpoint.fov) / 2) / max(1, self.height())
        self._go(self.viewpoint.moved(-right * pixel, down * pixel))

    def _zoomed(self, factor: float) -> None:
        solid = self.model.solid
        size = float(np.ptp(solid.vertices, axis=0).max()) if solid is not None else 1.0
        self._go(self.viewpoint.nearer(factor, 0.15 * size, 30 * size))

    def key(self, event: QKeyEvent) -> None:
        """Walk round by keys."""
        key = Qt.Key(event.key())
        if event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier):
            return
        turns = {
            Qt.Key.Key_Left: (-6.0, 0.0),
            Qt.Key.Key_Right: (6.0, 0.0),
            Qt.Key.Key_Up: (0.0, 5.0),
            Qt.Key.Key_Down: (0.0, -5.0),
        }
        if key in turns:
            self._go(self.viewpoint.turned(*turns[key]))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._zoomed(1.15)
        elif key == Qt.Key.Key_Minus:
            self._zoomed(1 / 1.15)
        elif key == Qt.Key.Key_Home:
            self.look()
        elif key == Qt.Key.Key_Escape and self.points:
            self.clear_measure()
        else:
            return
        event.accept()

    def _go(self, viewpoint: Viewpoint) -> None:
        self.show_viewpoint(viewpoint)
        self.viewpoint_changed.emit(viewpoint)

    # -- the model --

    def _mesh_changed(self) -> None:
        solid = self.model.solid
        if self.canvas is not None:
            self.canvas.show_solid(solid)
        if solid is not None:
            self._failure = None
            if self._fresh:
                self._fresh = False
                self.look()
        self._show_cut()
        self._tell()

    def _failed(self, failure: Failure) -> None:
        self._failure = failure
        self._tell()

    def _tell(self) -> None:
        overlay = self.overlay
        overlay.sentence = overlay.hint = ""
        if self._failure is not None and self.model.solid is None:
            overlay.sentence, overlay.hint = self._failure.message, self._failure.hint
        elif self.model.result is None:
            overlay.sentence = self.tr("No lift is shown")
            overlay.hint = self.tr("Lift a landmark, or choose one of the lifts that are finished.")
        elif self.canvas is None:
            overlay.sentence = self.tr("Opening the 3D view")
        elif self.model.solid is None:
            overlay.sentence = self.tr("Reading the mesh")
        overlay.update()


def _import_vtk() -> None:
    """Load what takes seconds, away from the window's thread."""
    import pyvista  # noqa: F401
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401


def _read_photo(path: Path) -> QImage:
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > GHOST_PIXELS:
        reader.setScaledSize(size.scaled(GHOST_PIXELS, GHOST_PIXELS, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        raise GPSDreamError(ErrorKind.BAD_PHOTO, f"“{path.name[:80]}” cannot be read.", details=reader.errorString())
    return image
