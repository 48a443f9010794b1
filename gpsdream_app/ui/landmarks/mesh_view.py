"""The 3D view of lifts with its tools: one lift, or two side by side whose cameras go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path

from PIL import Image, PngImagePlugin
from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftResult
from gpsdream_app.landmarks.collection import LandmarkPhoto
from gpsdream_app.library.paths import storage_error
from gpsdream_app.library.picture_metadata import SOURCE_TYPE
from gpsdream_app.lifting.density import LEAST_SHARE, MOST_SHARE
from gpsdream_app.lifting.mesh import MOST_FACES
from gpsdream_app.lifting.viewpoint import Viewpoint
from gpsdream_app.ui.landmarks.export_dialog import FACES, ExportDialog, MeshSaveDialog
from gpsdream_app.ui.landmarks.mesh_pane import MeshPane, metres_text
from gpsdream_app.ui.landmarks.mesh_scene import Cut, Lighting, Mode
from gpsdream_app.ui.phrases import one_line, percent_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ChoiceBox, ElidedLabel, IconButton, Segments, Slider, TextButton, follow, label

TOOL_SIDE = 32
DRAWER_HEIGHT = 44
COMPASS_WORDS = (
    "north",
    "north-north-east",
    "north-east",
    "east-north-east",
    "east",
    "east-south-east",
    "south-east",
    "south-south-east",
    "south",
    "south-south-west",
    "south-west",
    "west-south-west",
    "west",
    "west-north-west",
    "north-west",
    "north-north-west",
)
MARK = "Digital source type"


class Tool(StrEnum):
    """What the row under the view is about."""

    SURFACE = "surface"
    CUT = "cut"
    MEASURE = "measure"
    PHOTO = "photo"


def compass_word(azimuth: float) -> str:
    """The nearest of sixteen directions in words: “south-east”."""
    return QCoreApplication.translate("MeshView", COMPASS_WORDS[round(azimuth / 22.5) % 16])


def method_text(result: LiftResult) -> str:
    """Method and quality of a lift in words."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("MeshView", text)

    method = {
        LiftMethod.REFINE: tr("Refined views"),
        LiftMethod.VIEWS: tr("Views"),
        LiftMethod.SDS: tr("Distilled"),
        LiftMethod.TEXT: tr("Distilled from words"),
    }[result.request.method]
    quality = {LiftQuality.FAST: tr("fast"), LiftQuality.BALANCED: tr("balanced"), LiftQuality.FINE: tr("fine")}
    return f"{method}, {quality[result.request.quality]}, {tr('seed')} {result.request.seed}"


class MeshView(QWidget):
    """Shows lifts in 3D.

    Signals:
        failed: something could not be read or written (`Failure`).
        saved: a lift has another threshold on the disk now (`LiftResult`).
        compared: two lifts stand side by side, or only one does any more.
    """

    failed = Signal(object)
    saved = Signal(object)
    compared = Signal(bool)

    def __init__(self, session: Session, parent: QWidget | None = None, theme: Theme | None = None) -> None:
        """Make a view; VTK is loaded when it is first seen.

        Args:
            session: for background work, settings and notices.
            parent: the Qt parent.
            theme: the look; the application's if None.
        """
        super().__init__(parent)
        application = QCoreApplication.instance()
        theme = theme or (application.findChild(Theme) if application is not None else None)
        assert theme is not None
        self._session, self._theme = session, theme
        self._tool: Tool | None = None
        self._dialog: ExportDialog | None = None
        self.panes: list[MeshPane] = []
        self._active = 0
        self.setAccessibleName(self.tr("3D view"))

        self.modes = ChoiceBox(theme, self.tr("What the surface shows"), self)
        for mode, words in (
            (Mode.TEXTURE, self.tr("Texture")),
            (Mode.COLOURS, self.tr("Vertex colours")),
            (Mode.CLAY, self.tr("Clay")),
            (Mode.NORMALS, self.tr("Normals")),
            (Mode.DEPTH, self.tr("Depth")),
        ):
            self.modes.addItem(words, mode.value)
        self.modes.currentIndexChanged.connect(self._mode_chosen)
        self.lights = ChoiceBox(theme, self.tr("Light"), self)
        for lighting, words in (
            (Lighting.SOFT, self.tr("Soft light")),
            (Lighting.DAY, self.tr("Afternoon sun")),
            (Lighting.EVENING, self.tr("Evening sun")),
            (Lighting.DRAWN, self.tr("As drawn")),
        ):
            self.lights.addItem(words, lighting.value)
        self.lights.currentIndexChanged.connect(self._light_chosen)
        self.wires = self._button("wireframe", self.tr("Triangles’ edges"), checkable=True)
        self.wires.toggled.connect(lambda on: self._each(lambda pane: pane.show_wireframe(on)))
        self.ground = self._button("ground", self.tr("Ground with a grid and north"), checkable=True)
        self.ground.setChecked(True)
        self.ground.toggled.connect(lambda on: self._each(lambda pane: pane.show_ground(on)))
        self.end_button = TextButton(theme, self.tr("End comparison"), "close", look="plain", parent=self)
        self.end_button.clicked.connect(self.end_compare)
        self.end_button.hide()
        self.shoot = self._button("camera", self.tr("Save a picture of the view"))
        self.shoot.clicked.connect(self.ask_picture)
        self.export_button = TextButton(theme, self.tr("Export"), "export", parent=self)
        self.export_button.clicked.connect(self.open_export)

        top = QHBoxLayout()
        top.setContentsMargins(SPACE_2, SPACE_1, SPACE_2, SPACE_1)
        top.setSpacing(SPACE_1)
        for box in (self.modes, self.lights):
            box.setMinimumContentsLength(9)
            top.addWidget(box)
        top.addWidget(self.wires)
        top.addWidget(self.ground)
        top.addStretch()
        for widget in (self.end_button, self.shoot, self.export_button):
            top.addWidget(widget)

        self.reset = self._button("orbit", self.tr("See all of it, from a corner (Home)"))
        self.reset.clicked.connect(lambda: self._look(None, None))
        self.front = self._button("front", self.tr("From its front (F)"))
        self.front.clicked.connect(lambda: self._look(0.0, 4.0))
        self.side = self._button("side", self.tr("From its side (S)"))
        self.side.clicked.connect(lambda: self._look(90.0, 4.0))
        self.top = self._button("top", self.tr("From above (T)"))
        self.top.clicked.connect(lambda: self._look(180.0, 89.0, north_up=True))
        self.tools: dict[Tool, IconButton] = {}
        strip = QVBoxLayout()
        strip.setContentsMargins(SPACE_1, SPACE_1, SPACE_1, SPACE_1)
        strip.setSpacing(SPACE_1)
        for button in (self.reset, self.front, self.side, self.top):
            strip.addWidget(button)
        line = QFrame(self)
        line.setFixedHeight(1)
        self._line = line
        strip.addWidget(line)
        for tool, icon_name, words in (
            (Tool.SURFACE, "threshold", self.tr("Where the surface is drawn, and how many triangles")),
            (Tool.CUT, "cut", self.tr("Cut it open")),
            (Tool.MEASURE, "ruler", self.tr("Measure (M)")),
            (Tool.PHOTO, "ghost", self.tr("Lay the nearest photo over it")),
        ):
            button = self._button(icon_name, words, checkable=True)
            button.clicked.connect(lambda checked, tool=tool: self._tool_clicked(tool, checked))
            self.tools[tool] = button
            strip.addWidget(button)
        strip.addStretch()

        self._room = QHBoxLayout()
        self._room.setSpacing(2)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addLayout(strip)
        middle.addLayout(self._room, 1)

        self.drawer = QStackedWidget(self)
        self.drawer.setFixedHeight(DRAWER_HEIGHT)
        self._drawers = {
            Tool.SURFACE: self._surface_drawer(),
            Tool.CUT: self._cut_drawer(),
            Tool.MEASURE: self._measure_drawer(),
            Tool.PHOTO: self._photo_drawer(),
        }
        for drawer in self._drawers.values():
            self.drawer.addWidget(drawer)
        self.drawer.hide()
        self.facts = ElidedLabel("", "small", self)
        self.where = label("", "small", parent=self)
        self.where.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        below = QHBoxLayout()
        below.setContentsMargins(SPACE_3, SPACE_1, SPACE_3, SPACE_1)
        below.setSpacing(SPACE_3)
        below.addWidget(self.facts, 1)
        below.addWidget(self.where)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(middle, 1)
        column.addWidget(self.drawer)
        column.addLayout(below)
        self._add_pane()
        follow(theme, self._tint)
        self._tell()

    # -- what is shown --

    @property
    def pane(self) -> MeshPane:
        """The pane that tools act upon."""
        return self.panes[min(self._active, len(self.panes) - 1)]

    @property
    def comparing(self) -> bool:
        """Whether two lifts are shown."""
        return len(self.panes) == 2

    def show_lift(self, result: LiftResult | None) -> None:
        """Show one lift, or none."""
        self.end_compare()
        self._leave_tool()
        self.panes[0].show_photos(())
        self.panes[0].show_lift(result)
        self._tell()

    def show_photos(self, photos: Sequence[LandmarkPhoto]) -> None:
        """Take photos of the landmark, for the ghost of the one that is nearest to where one looks from."""
        self._each(lambda pane: pane.show_photos(photos))
        self._tell_photo(self.pane.photo)

    def compare(self, first: LiftResult, second: LiftResult) -> None:
        """Show two lifts side by side; who turns one turns both."""
        self._leave_tool()
        if not self.comparing:
            self._add_pane()
        left, right = self.panes
        if left.model.result != first:
            left.show_lift(first)
        right.show_lift(second)
        right.show_photos(left.photos)
        for pane in self.panes:
            self._dress(pane)
        self._activate(left)
        self.end_button.show()
        self.compared.emit(True)
        self._tell()

    def end_compare(self) -> None:
        """Show the first lift alone again."""
        if not self.comparing:
            return
        last = self.panes.pop()
        self._room.removeWidget(last)
        last.shut()
        last.hide()
        last.deleteLater()
        self._active = 0
        self.pane.overlay.caption = ""
        self.pane.overlay.active = False
        self.pane.overlay.update()
        self.end_button.hide()
        self.compared.emit(False)
        self._tell()

    def shut(self) -> None:
        """Let go of OpenGL, and of what is being written, before the window goes."""
        if self._dialog is not None:
            self._dialog.close()
        for pane in self.panes:
            pane.shut()

    def open_export(self) -> None:
        """Ask as what, and where to, the mesh is written."""
        if self.pane.model.solid is None:
            return
        self._dialog = ExportDialog(self._session, self._theme, self.pane.model, self.window())
        self._dialog.destroyed.connect(self._dialog_gone)
        self._dialog.open()

    @property
    def dialog(self) -> ExportDialog | None:
        """The export dialog while it is open."""
        return self._dialog

    def _dialog_gone(self) -> None:
        self._dialog = None

    def ask_picture(self) -> None:
        """Ask for the name of a PNG file and save what is seen there."""
        result = self.pane.model.result
        picture = self.picture()
        if result is None or picture.isNull():
            return
        name = "".join(c for c in one_line(result.request.landmark.title) if c.isalnum() or c in " -").strip()
        azimuth = round(self.pane.viewpoint.azimuth)
        path = self._session.settings.save_folder / f"{name or self.tr('Landmark')}, {azimuth}°.png"
        title = self.tr("Save a picture of the view")
        dialog = MeshSaveDialog(self._theme, self.window(), path, title, self.tr("PNG pictures"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda chosen: self.save_picture(picture, Path(chosen)))
        dialog.open()

    def picture(self) -> QImage:
        """What is seen: one pane, or both side by side."""
        pictures = [pane.picture() for pane in self.panes]
        if len(pictures) == 1 or any(picture.isNull() for picture in pictures):
            return pictures[0]
        left, right = pictures
        both = QImage(left.width() + right.width(), max(left.height(), right.height()), QImage.Format.Format_RGB888)
        both.fill(self._theme.colour("sunken"))
        for picture in pictures:
            picture.setDevicePixelRatio(1.0)
        with QPainter(both) as painter:
            painter.drawImage(0, 0, left)
            painter.drawImage(left.width(), 0, right)
        return both

    def save_picture(self, picture: QImage, path: Path) -> None:
        """Write a picture of the view with what it shows, in the background."""
        self._session.settings.save_folder = path.parent
        result, view = self.pane.model.result, self.pane.viewpoint
        about = "" if result is None else f"{result.request.landmark.title}, azimuth {view.azimuth:.0f} degrees"
        self._session.background.run(self, partial(_write_picture, picture.copy(), path, about), failed=self._failed)

    # -- panes --

    def _add_pane(self) -> None:
        pane = MeshPane(self._session.background, self._theme, self)
        pane.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        pane.mode = Mode(self.modes.currentData())
        pane.lighting = Lighting(self.lights.currentData())
        pane.wireframe, pane.ground = self.wires.isChecked(), self.ground.isChecked()
        if self.panes:
            pane.show_viewpoint(self.panes[0].viewpoint)
        self.panes.append(pane)
        self._room.addWidget(pane, 1)
        pane.viewpoint_changed.connect(partial(self._looked, pane))
        pane.pressed.connect(partial(self._activate, pane))
        pane.measured.connect(lambda _: self._tell_measure())
        pane.missed.connect(self._tell_missed)
        pane.ghost_changed.connect(self._tell_photo)
        pane.opened.connect(self._tell)
        pane.model.changed.connect(self._tell)
        pane.model.busy_changed.connect(self._tell)
        pane.model.failed.connect(partial(self._pane_failed, pane))
        pane.model.saved.connect(self.saved)

    def _looked(self, pane: MeshPane, viewpoint: Viewpoint) -> None:
        for other in self.panes:
            if other is not pane:
                other.show_viewpoint(viewpoint)
        self._tell_where()

    def _activate(self, pane: MeshPane) -> None:
        if pane not in self.panes:
            return
        self._active = self.panes.index(pane)
        for one in self.panes:
            active = self.comparing and one is pane
            if one.overlay.active != active:
                one.overlay.active = active
                one.overlay.update()
        self._tell()

    def _dress(self, pane: MeshPane) -> None:
        result = pane.model.result
        pane.overlay.caption = method_text(result) if self.comparing and result else ""
        pane.overlay.update()

    def _each(self, call: Callable[[MeshPane], object]) -> None:
        for pane in self.panes:
            call(pane)

    def _pane_failed(self, pane: MeshPane, failure: Failure) -> None:
        if pane.model.solid is not None:
            # What stands there stays; the sentence goes where the tool is.
            self.facts.setText(f"{failure.message} {failure.hint}".strip())
        self.failed.emit(failure)

    def _failed(self, failure: Failure) -> None:
        self._session.notify_failure(failure)

    # -- choices --

    def _mode_chosen(self) -> None:
        mode = Mode(self.modes.currentData())
        self._each(lambda pane: pane.show_mode(mode))

    def _light_chosen(self) -> None:
        lighting = Lighting(self.lights.currentData())
        self._each(lambda pane: pane.show_lighting(lighting))

    def _look(self, beside: float | None, elevation: float | None, *, north_up: bool = False) -> None:
        pane = self.pane
        azimuth = None if beside is None else (beside if north_up else pane.front + beside)
        pane.look(azimuth, elevation)

    def show_tool(self, tool: Tool | None) -> None:
        """Open the row of a tool, or put it away."""
        if self._tool is Tool.MEASURE and tool is not Tool.MEASURE:
            self._each(lambda pane: pane.measure(False))
        if self._tool is Tool.CUT and tool is not Tool.CUT:
            self._each(lambda pane: pane.show_cut(None))
        if self._tool is Tool.PHOTO and tool is not Tool.PHOTO:
            self._each(lambda pane: pane.show_ghost(False))
        self._tool = tool
        for one, button in self.tools.items():
            button.setChecked(one is tool)
        self.drawer.setVisible(tool is not None)
        if tool is None:
            return
        self.drawer.setCurrentWidget(self._drawers[tool])
        if tool is Tool.MEASURE:
            self._each(lambda pane: pane.measure(True))
            self._tell_measure()
        elif tool is Tool.CUT:
            self._cut()
        elif tool is Tool.PHOTO:
            self._each(lambda pane: pane.show_ghost(True))
            self._tell_photo(self.pane.photo)
        self._tell()

    @property
    def tool(self) -> Tool | None:
        """The tool whose row is open."""
        return self._tool

    def _tool_clicked(self, tool: Tool, checked: bool) -> None:
        self.show_tool(tool if checked else None)

    def _leave_tool(self) -> None:
        self.show_tool(None)

    # -- the rows --

    def _surface_drawer(self) -> QWidget:
        widget, row = self._drawer_row()
        row.addWidget(label(self.tr("Threshold"), "muted", parent=widget))
        self.threshold = Slider(LEAST_SHARE, MOST_SHARE, 100, widget)
        self.threshold.setSingleStep(1)
        self.threshold.setPageStep(5)
        self.threshold.setAccessibleName(self.tr("Threshold"))
        self.threshold.setToolTip(
            self.tr("The surface is drawn where a cell of the shape takes this share of the light.")
        )
        self.threshold.number_changed.connect(lambda share: self.pane.model.show_share(share))
        self.share = label("", "number", parent=widget)
        self.share.setMinimumWidth(38)
        self.back = self._button("undo", self.tr("Back to the lift’s own threshold"))
        self.back.clicked.connect(lambda: self.pane.model.restore())
        self.save = TextButton(self._theme, self.tr("Save"), parent=widget)
        self.save.setToolTip(self.tr("Keep this threshold as the lift’s own"))
        self.save.clicked.connect(lambda: self.pane.model.save())
        self.faces = ChoiceBox(self._theme, self.tr("Triangles at most"), widget)
        self.faces.addItem(self.tr("All triangles"), MOST_FACES)
        for count in FACES[1:]:
            self.faces.addItem(self.tr("{0} triangles").format(f"{count:,}"), count)
        self.faces.setMinimumContentsLength(11)
        self.faces.currentIndexChanged.connect(lambda _: self._faces_chosen())
        row.addWidget(self.threshold, 1)
        for one in (self.share, self.back, self.save, self.faces):
            row.addWidget(one)
        return widget

    def _faces_chosen(self) -> None:
        most = self.faces.currentData()
        self._each(lambda pane: pane.model.show_faces(most))

    def _cut_drawer(self) -> QWidget:
        widget, row = self._drawer_row()
        self.axis = Segments(
            self._theme,
            [
                (Cut.EAST, self.tr("West–east"), ""),
                (Cut.NORTH, self.tr("South–north"), ""),
                (Cut.UP, self.tr("Height"), ""),
            ],
            widget,
        )
        self.axis.show_choice(Cut.EAST)
        self._axis = Cut.EAST
        self.axis.chosen.connect(self._axis_chosen)
        self.cut_slider = Slider(0.0, 1.0, 200, widget)
        self.cut_slider.setAccessibleName(self.tr("Where it is cut"))
        self.cut_slider.setSingleStep(2)
        self.cut_slider.setPageStep(20)
        self.cut_slider.show_number(0.5)
        self.cut_slider.number_changed.connect(lambda _: self._cut())
        self.cut_at = label("", "number", parent=widget)
        self.cut_at.setMinimumWidth(52)
        self.other = TextButton(self._theme, self.tr("Other side"), look="plain", parent=widget)
        self.other.setCheckable(True)
        self.other.toggled.connect(lambda _: self._cut())
        row.addWidget(self.axis)
        row.addWidget(self.cut_slider, 1)
        row.addWidget(self.cut_at)
        row.addWidget(self.other)
        return widget

    def _axis_chosen(self, key: str) -> None:
        self._axis = Cut(key)
        self._cut()

    def _cut(self) -> None:
        share = self.cut_slider.value() / 200.0
        cut = self._axis, share, self.other.isChecked()
        self._each(lambda pane: pane.show_cut(cut))
        solid = self.pane.model.solid
        if solid is not None:
            line = solid.vertices[:, list(Cut).index(self._axis)]
            self.cut_at.setText(metres_text(float(line.min() + share * (line.max() - line.min()))))

    def _measure_drawer(self) -> QWidget:
        widget, row = self._drawer_row()
        self.length = ElidedLabel("", "", widget)
        self.clear = TextButton(self._theme, self.tr("Clear"), look="plain", parent=widget)
        self.clear.clicked.connect(lambda: self._each(lambda pane: pane.clear_measure()))
        row.addWidget(self.length, 1)
        row.addWidget(self.clear)
        return widget

    def _photo_drawer(self) -> QWidget:
        widget, row = self._drawer_row()
        self.photo = ElidedLabel("", "", widget)
        self.opacity = Slider(0.0, 1.0, 100, widget)
        self.opacity.setAccessibleName(self.tr("How much of the photo is seen"))
        self.opacity.setFixedWidth(140)
        self.opacity.show_number(0.5)
        self.opacity.number_changed.connect(lambda share: self._each(lambda pane: pane.show_opacity(share)))
        self.stand = TextButton(self._theme, self.tr("Stand there"), look="plain", parent=widget)
        self.stand.setToolTip(self.tr("Look from where the photo was taken"))
        self.stand.clicked.connect(lambda: self.pane.stand_at_photo())
        row.addWidget(self.photo, 1)
        row.addWidget(self.opacity)
        row.addWidget(self.stand)
        return widget

    def _drawer_row(self) -> tuple[QWidget, QHBoxLayout]:
        widget = QWidget(self)
        row = QHBoxLayout(widget)
        row.setContentsMargins(SPACE_3, SPACE_1, SPACE_2, SPACE_1)
        row.setSpacing(SPACE_2)
        return widget, row

    # -- what the rows say --

    def _tell(self) -> None:
        pane = self.pane
        model, solid = pane.model, pane.model.solid
        there = solid is not None
        always: tuple[QWidget, ...] = (self.export_button, self.shoot, self.reset, self.front, self.side, self.top)
        for widget in always:
            widget.setEnabled(there)
        real = pane.has_opengl or pane.canvas is None
        self.shoot.setEnabled(there and pane.canvas is not None)
        for tool_box in (self.lights, self.wires, self.ground):
            tool_box.setEnabled(real)
            tool_box.setVisible(real)
        for tool, button in self.tools.items():
            button.setEnabled(there)
            button.setVisible(real or tool is Tool.SURFACE)
        for button in (self.front, self.side, self.top):
            button.setVisible(real)
        if solid is None:
            self.facts.setText("")
            self.where.setText("")
            return
        own = model.own_share
        if not self.threshold.isSliderDown():
            self.threshold.show_number(model.wish.share if model.wish.share is not None else solid.share)
        self.share.setText(percent_text(solid.share))
        changed = own is not None and abs(solid.share - own) > 0.004
        self.back.setEnabled(changed)
        self.save.setEnabled(changed and not model.busy)
        east, north, up = (metres_text(value).removesuffix(" m") for value in solid.size)
        closed = self.tr("closed") if solid.watertight else self.tr("not closed")
        self.facts.setText(
            self.tr("{0} × {1} × {2} m · {3} triangles · {4}").format(
                east, north, up, f"{len(solid.mesh.faces):,}", closed
            )
        )
        self._tell_where()
        if self._tool is Tool.CUT:
            self._cut()

    def _tell_where(self) -> None:
        view = self.pane.viewpoint
        if self.pane.model.solid is None:
            return
        word = self.tr("above") if view.elevation > 80 else self.tr("the {0}").format(compass_word(view.azimuth))
        self.where.setText(self.tr("Seen from {0}, {1}°").format(word, round(view.azimuth) % 360))

    def _tell_measure(self) -> None:
        points = self.pane.points
        self.clear.setEnabled(bool(points))
        if len(points) < 2:
            say = self.tr("Click the other end.") if points else self.tr("Click two points of the mesh.")
            self.length.setText(say)
            return
        east, north, up = points[1] - points[0]
        flat = float((east**2 + north**2) ** 0.5)
        whole = float((flat**2 + up**2) ** 0.5)
        self.length.setText(
            self.tr("{0} · {1} along the ground, {2} upwards").format(
                metres_text(whole), metres_text(flat), metres_text(abs(float(up)))
            )
        )

    def _tell_missed(self) -> None:
        self.length.setText(self.tr("There is nothing to measure. Click on the mesh or the ground beside it."))

    def _tell_photo(self, photo: LandmarkPhoto | None) -> None:
        self.opacity.setEnabled(photo is not None)
        self.stand.setEnabled(photo is not None)
        if photo is None:
            self.photo.setText(self.tr("There are no photos of this landmark here."))
            return
        self.photo.setText(
            self.tr("{0}: from the {1}, {2}°, {3} away").format(
                photo.path.name, compass_word(photo.azimuth), round(photo.azimuth), metres_text(photo.distance)
            )
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F, S and T look from the front, the side and above; M measures; Escape puts a tool away."""
        key = Qt.Key(event.key())
        if event.modifiers() or self.pane.model.solid is None:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_F, Qt.Key.Key_S, Qt.Key.Key_T):
            {Qt.Key.Key_F: self.front, Qt.Key.Key_S: self.side, Qt.Key.Key_T: self.top}[key].click()
        elif key == Qt.Key.Key_M and self.tools[Tool.MEASURE].isEnabled():
            self.tools[Tool.MEASURE].click()
        elif key == Qt.Key.Key_Escape and self._tool is not None:
            self.show_tool(None)
        else:
            super().keyPressEvent(event)

    def _button(self, icon_name: str, name: str, *, checkable: bool = False) -> IconButton:
        button = IconButton(self._theme, icon_name, name, parent=self)
        button.setFixedSize(TOOL_SIDE, TOOL_SIDE)
        button.setCheckable(checkable)
        return button

    def _tint(self) -> None:
        self._line.setStyleSheet(f"background: {self._theme.palette.line};")


def _write_picture(picture: QImage, path: Path, about: str) -> None:
    """Write a PNG that says what made it."""
    plain = picture.convertToFormat(QImage.Format.Format_RGB888)
    pixels = bytes(plain.constBits())
    image = Image.frombuffer("RGB", (plain.width(), plain.height()), pixels, "raw", "RGB", plain.bytesPerLine(), 1)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", "GPSDream")
    chunks.add_itxt("Description", about)
    chunks.add_text(MARK, SOURCE_TYPE)
    try:
        with whole_file(path) as temporary:
            image.save(temporary, "PNG", pnginfo=chunks)
    except OSError as error:
        raise storage_error(error, path.parent, "the picture was not saved") from error
