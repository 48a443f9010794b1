"""The 3D view proper: VTK in a widget of pyvistaqt. Imported late, because VTK takes its time, and only where OpenGL
works. All of it belongs to the window's thread."""

from __future__ import annotations

import numpy as np
import pyvista
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QSurfaceFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget
from pyvistaqt import QtInteractor, rwi
from vtkmodules.vtkCommonDataModel import vtkPlane
from vtkmodules.vtkFiltersGeneral import vtkContourTriangulator

from gpsdream_app.lifting.viewpoint import Viewpoint
from gpsdream_app.ui.landmarks.mesh_model import Solid
from gpsdream_app.ui.landmarks.mesh_scene import (
    LIGHTS,
    Lighting,
    Mode,
    colours_of,
    ground_of,
    lamp_direction,
)
from gpsdream_app.ui.theme import Theme

SAMPLES = 4
CLICK_PIXELS = 4  # a press and a release that lie so near each other are a click
LETTER = 0.16  # height of the N on the ground, as a share of the grid's half


class _Format(QSurfaceFormat):
    """pyvistaqt sets the default format whenever a view is made, and Qt warns whenever that happens after the start:
    the default stays what `prepare_opengl` made it."""

    @staticmethod
    def setDefaultFormat(_: object) -> None:
        """Set nothing."""


if QSurfaceFormat.defaultFormat().version() >= (3, 2):
    rwi.QSurfaceFormat = _Format


class MeshCanvas(QtInteractor):  # type: ignore[misc]
    """Shows one mesh. What the mouse and the keys do is told, not done: the pane decides where all canvases look from.

    Signals:
        dragged: the mouse went along with the left button (pixels right, pixels down).
        pushed: the same with the right or middle button, or with Shift.
        zoomed: by a factor, over 1 is nearer.
        clicked: at a point of the widget (QPointF).
        hovered: the pointer moved without a button (QPointF).
        key: a key was pressed (`Qt.Key`).
    """

    dragged = Signal(float, float)
    pushed = Signal(float, float)
    zoomed = Signal(float)
    clicked = Signal(QPointF)
    hovered = Signal(QPointF)
    key = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, auto_update=False, multi_samples=SAMPLES)
        self._dress = theme
        self._solid: Solid | None = None
        self._mode = Mode.TEXTURE
        self._lighting = Lighting.SOFT
        self._wireframe = False
        self._ground = True
        self._plane: tuple[np.ndarray, np.ndarray] | None = None
        self._viewpoint = Viewpoint()
        self._poly: pyvista.PolyData | None = None
        self._actor: pyvista.Actor | None = None
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._moved = False
        self.setAcceptDrops(False)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("The mesh in 3D"))
        self.setAccessibleDescription(
            self.tr("Arrow keys walk round it, plus and minus go nearer and away, Home shows all of it.")
        )
        theme.changed.connect(self._tint)
        self._tint()

    # -- what is shown --

    def show_solid(self, solid: Solid | None) -> None:
        """Show a mesh, or none."""
        self._solid = solid
        self._rebuild()
        self._rebuild_ground()
        self.update()

    def show_mode(self, mode: Mode) -> None:
        """Show another thing of the surface."""
        if mode != self._mode:
            self._mode = mode
            self._rebuild()
            self.update()

    def show_lighting(self, lighting: Lighting) -> None:
        """Light it otherwise."""
        self._lighting = lighting
        self._light()
        self.update()

    def show_wireframe(self, shown: bool) -> None:
        """Show the edges of the triangles, or their faces."""
        self._wireframe = shown
        self._style()
        self.update()

    def show_ground(self, shown: bool) -> None:
        """Show the ground, or do not."""
        self._ground = shown
        self._rebuild_ground()
        self.update()

    def show_plane(self, plane: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Cut the mesh: origin and normal towards what stays, in metres; None shows all of it."""
        self._plane = plane
        self._clip()
        self.update()

    def show_viewpoint(self, viewpoint: Viewpoint) -> None:
        """Look from somewhere else."""
        self._viewpoint = viewpoint
        camera = self.camera
        camera.position = tuple(viewpoint.position)
        camera.focal_point = viewpoint.target
        camera.up = tuple(viewpoint.axes[1])
        camera.view_angle = viewpoint.fov
        self._ranges()
        if self._mode is Mode.DEPTH and self._solid is not None and self._poly is not None:
            self._poly.point_data["shown"] = colours_of(self._solid, self._mode, viewpoint, self._clay())
        if any(lamp.with_camera for lamp in LIGHTS[self._lighting].lamps):
            self._light()
        self.update()

    def picture(self) -> QImage:
        """What is seen, as it is on the screen."""
        self.render_window.MakeCurrent()
        image: QImage = self.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
        return image

    # -- building --

    def _clay(self) -> tuple[int, int, int]:
        return (176, 170, 160)

    def _rebuild(self) -> None:
        solid = self._solid
        self.remove_actor("mesh", render=False)
        self._actor = self._poly = None
        if solid is None or len(solid.mesh.faces) == 0:
            self._clip()
            return
        mesh = solid.mesh
        faces = np.column_stack([np.full(len(mesh.faces), 3), mesh.faces]).ravel()
        poly = pyvista.PolyData(solid.vertices.astype(np.float32), faces)
        poly.compute_normals(
            cell_normals=False, split_vertices=False, consistent_normals=False, auto_orient_normals=False, inplace=True
        )
        if self._mode is Mode.TEXTURE and mesh.texture is not None and mesh.uv is not None:
            poly.active_texture_coordinates = mesh.uv
            texture = pyvista.Texture(mesh.texture)  # type: ignore[no-untyped-call]
            texture.InterpolateOn()
            texture.MipmapOn()
            self._actor = self.add_mesh(poly, name="mesh", texture=texture, reset_camera=False, render=False)
        else:
            poly.point_data["shown"] = colours_of(solid, self._mode, self._viewpoint, self._clay())
            self._actor = self.add_mesh(
                poly, name="mesh", scalars="shown", rgb=True, reset_camera=False, render=False, show_scalar_bar=False
            )
        self._poly = poly
        self._actor.prop.interpolation = "phong"
        self._style()
        self._light()
        self._clip()
        self._ranges()

    def _style(self) -> None:
        if self._actor is None:
            return
        self._actor.prop.style = "wireframe" if self._wireframe else "surface"
        self._actor.prop.line_width = 1.0

    def _light(self) -> None:
        lights = LIGHTS[self._lighting]
        self.remove_all_lights(only_active=False)
        plain = not lights.lamps or self._mode in (Mode.NORMALS, Mode.DEPTH) or self._wireframe
        if self._actor is not None:
            self._actor.prop.lighting = not plain
            self._actor.prop.ambient, self._actor.prop.diffuse = lights.ambient, 1.0
            self._actor.prop.specular = 0.0
        for lamp in lights.lamps or (LIGHTS[Lighting.SOFT].lamps):
            light = pyvista.Light(
                position=tuple(lamp_direction(lamp, self._viewpoint)),
                focal_point=(0, 0, 0),
                light_type="scene light",
                intensity=lamp.strength,
                color=lamp.colour,
            )
            light.positional = False
            self.add_light(light)

    def _rebuild_ground(self) -> None:
        for name in ("grid", "edge", "arrow", "north"):
            self.remove_actor(name, render=False)
        if not self._ground or self._solid is None or len(self._solid.vertices) == 0:
            return
        ground = ground_of(self._solid.vertices)
        theme = self._dress
        lines = np.arange(len(ground.lines)).reshape(-1, 2)
        grid = pyvista.PolyData(ground.lines, lines=np.column_stack([np.full(len(lines), 2), lines]).ravel())
        plain = {"lighting": False, "reset_camera": False, "render": False, "pickable": False}
        self.add_mesh(grid, name="grid", color=theme.palette.line_strong, line_width=1, **plain)
        corners = np.arange(len(ground.arrow)).reshape(-1, 3)
        arrow = pyvista.PolyData(ground.arrow, np.column_stack([np.full(len(corners), 3), corners]).ravel())
        self.add_mesh(arrow, name="arrow", color=theme.palette.accent, **plain)
        tall = ground.half * LETTER
        letter = pyvista.Text3D("N", depth=0.0, height=tall, center=(0, 0, 0), normal=(0, 0, 1))
        tip = float(ground.arrow[:, 1].max())
        letter = letter.translate((ground.centre[0], tip + tall * 0.8, 0.0))
        self.add_mesh(letter, name="north", color=theme.palette.accent, **plain)
        self._ranges()

    def _clip(self) -> None:
        self.remove_actor("lid", render=False)
        if self._actor is None or self._poly is None:
            return
        mapper = self._actor.mapper
        mapper.RemoveAllClippingPlanes()
        if self._plane is None:
            return
        origin, normal = self._plane
        plane = vtkPlane()
        plane.SetOrigin(*origin)
        plane.SetNormal(*normal)
        mapper.AddClippingPlane(plane)
        # The matter where it is cut: the outline filled, so that one does not look into an empty skin.
        outline = self._poly.slice(normal=tuple(normal), origin=tuple(origin))
        if outline.n_points < 3:
            return
        filler = vtkContourTriangulator()
        filler.SetInputData(outline)
        filler.Update()
        lid = pyvista.wrap(filler.GetOutput())
        if lid.n_cells:
            lid.clear_data()
            self.add_mesh(
                lid, name="lid", color=self._dress.palette.glow, lighting=False, reset_camera=False, render=False
            )

    def _ranges(self) -> None:
        self.renderer.reset_camera_clipping_range()

    def _tint(self) -> None:
        self.set_background(self._dress.palette.sunken)
        self._rebuild_ground()
        self._clip()
        self.update()

    # -- mouse and keys: VTK's own styles are not asked --

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag, or to click."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._pressed = self._last = event.position()
        self._moved = False
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, or point at something."""
        at = event.position()
        if self._pressed is None or not event.buttons():
            self.hovered.emit(at)
            return
        far = at - self._pressed
        self._moved = self._moved or abs(far.x()) + abs(far.y()) > CLICK_PIXELS
        if not self._moved:
            return
        step = at - self._last
        self._last = at
        turns = event.buttons() & Qt.MouseButton.LeftButton
        shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        (self.dragged if turns and not shifted else self.pushed).emit(step.x(), step.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag, or click."""
        if self._pressed is not None and not self._moved and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(event.position())
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """A double click is two clicks."""
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Go nearer or away."""
        self.zoomed.emit(1.15 ** (event.angleDelta().y() / 120.0))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tell the key."""
        event.ignore()
        self.key.emit(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """VTK shall not hear of keys."""
        event.ignore()

    def enterEvent(self, event: QEvent) -> None:
        """VTK shall not hear of it."""

    def leaveEvent(self, event: QEvent) -> None:
        """VTK shall not hear of it."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Leave files to the window."""
        event.ignore()
