"""The question as what, and where to, a mesh is written; and the writing, in the background, with a way to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import numpy as np
from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import Failure
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.files import Standing, write_mesh
from gpsdream_app.lifting.mesh import MOST_FACES, LiftedMesh, extract, textured
from gpsdream_app.lifting.painting import PaintedViews
from gpsdream_app.lifting.pictures import turn, write_turntable
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.landmarks.mesh_model import MeshModel
from gpsdream_app.ui.landmarks.mesh_pane import metres_text
from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.save_dialog import SaveDialog
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import ChoiceBox, PrimaryButton, Segments, TextButton, label, set_look

FACES = (MOST_FACES, 20_000, 5_000, 2_000)
SIDES = (256, 512, 720)
SECONDS = (4, 6, 10)
FPS = {".mp4": 24.0, ".gif": 12.0}
TEXTURE_SIDE = 1024
WIDTH = 520


def _tr(text: str) -> str:
    return QCoreApplication.translate("ExportDialog", text)


@dataclass(frozen=True, slots=True)
class Kind:
    """A format.

    Attributes:
        suffix: of its files.
        name: short.
        use: what it is for.
        axes: which way is up, and what a unit is.
        surfaces: whether it can have a texture, and colours at its corners; the KMZ has one colour instead of these.
    """

    suffix: str
    name: str
    use: str
    axes: str
    surfaces: tuple[bool, bool] = (False, False)

    @property
    def is_film(self) -> bool:
        """Whether it is a turntable."""
        return self.suffix in FPS


def kinds() -> tuple[Kind, ...]:
    """The formats, the most useful first."""
    return (
        Kind(
            ".glb",
            "GLB",
            _tr("For viewers, web pages and game engines: one file with everything in it."),
            _tr("Metres. Up is y, as glTF wants it; north is −z."),
            (True, True),
        ),
        Kind(
            ".obj",
            "OBJ",
            _tr("For modelling programs; with a texture it comes with an MTL and a PNG file."),
            _tr("Metres. Up is y, north is −z."),
            (True, True),
        ),
        Kind(
            ".ply",
            "PLY",
            _tr("For programs that measure: every corner has its colour."),
            _tr("Metres. Up is z, north is y, east is x."),
            (False, True),
        ),
        Kind(
            ".stl",
            "STL",
            _tr("For 3D printers: the shape alone. Printers take the numbers for millimetres, so scale it there."),
            _tr("Metres. Up is z, north is y, east is x."),
        ),
        Kind(
            ".kmz",
            "KMZ",
            _tr("For Google Earth: it stands at its place and looks its way."),
            _tr("Metres. Up is z; the file holds latitude and longitude."),
            (True, False),
        ),
        Kind(".mp4", "MP4", _tr("A film: once round the mesh."), _tr("H.264, 24 pictures a second.")),
        Kind(".gif", "GIF", _tr("A moving picture that every program shows."), _tr("12 pictures a second, endless.")),
    )


@dataclass(frozen=True, slots=True)
class ExportWish:
    """Everything that decides the file.

    Attributes:
        suffix: of the format.
        texture: a texture instead of colours at the corners.
        most_faces: triangles at most.
        side: of a film, pixels.
        seconds: of a film.
    """

    suffix: str = ".glb"
    texture: bool = True
    most_faces: int = MOST_FACES
    side: int = 512
    seconds: int = 6


def write_export(
    wish: ExportWish,
    mesh: LiftedMesh,
    density: Density,
    standing: Standing,
    out: Path,
    *,
    views: Path | None = None,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    stop: Event | None = None,
    told: Callable[[float], object] | None = None,
) -> list[Path]:
    """Write a mesh, or its turntable.

    Args:
        wish: as what.
        mesh: as it is shown; extracted anew if fewer triangles are wanted.
        density: that it comes from.
        standing: where it stands.
        out: the file.
        views: file of the views that the texture is painted with; it need not be there.
        background: colour behind a film.
        stop: set by somebody who does not want it any more.
        told: called with the share that is done, 0 to 1.

    Returns:
        The files; none if it was stopped.

    Raises:
        GPSDreamError: see `write_mesh` and `write_turntable`.
    """
    if len(mesh.faces) > wish.most_faces:
        mesh = extract(density, mesh.threshold, most_faces=wish.most_faces)
    wants_texture = wish.texture and wish.suffix not in (".ply", ".stl")
    if wants_texture and mesh.texture is None:
        mesh = textured(mesh, density, TEXTURE_SIDE, PaintedViews.load(views) if views else None)
    if not wants_texture:
        mesh = replace(mesh, uv=None, texture=None)
    if wish.suffix not in FPS:
        return write_mesh(mesh, out, standing)
    fps = FPS[wish.suffix]
    count = round(fps * wish.seconds)
    front = standing.heading if standing.heading is not None else 180.0

    def pictures() -> Iterator[np.ndarray]:
        frames = turn(mesh, count, wish.side, start=front, background=background)
        for number, picture in enumerate(frames, 1):
            if stop is not None and stop.is_set():
                raise _Stopped
            yield picture
            if told is not None and not (stop is not None and stop.is_set()):
                told(number / count)

    try:
        return [write_turntable(pictures(), out, fps)]
    except _Stopped:
        return []


class _Stopped(Exception):
    """Nobody wants the film any more."""


class MeshSaveDialog(SaveDialog):
    """Asks for the name of a file of any kind."""

    def __init__(self, theme: Theme, parent: QWidget, path: Path, title: str, name: str) -> None:
        super().__init__(theme, parent, path)
        self.setWindowTitle(title)
        self.setNameFilter(f"{name} (*{path.suffix})")
        self.setDefaultSuffix(path.suffix[1:])
        self.selectFile(path.name)


class ExportDialog(QDialog):
    """Asks for the format and its settings, then for a name, then writes.

    Signals:
        progressed: the share that is written, 0 to 1.
        written: the files.
    """

    progressed = Signal(float)
    written = Signal(list)

    def __init__(self, session: Session, theme: Theme, model: MeshModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._theme, self._model = session, theme, model
        self._stop: Event | None = None
        self._files: list[Path] = []
        self.wish = ExportWish()
        self._kinds = {kind.suffix: kind for kind in kinds()}
        title = model.result.request.landmark.title if model.result else ""
        self.setWindowTitle(self.tr("Export {0}").format(title))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_5, SPACE_4, SPACE_5, SPACE_4)
        column.setSpacing(SPACE_2)
        column.addWidget(label(self.windowTitle(), "title", parent=self))
        self.facts = label(self._facts(), "muted", wrap=True, parent=self)
        column.addWidget(self.facts)
        column.addSpacing(SPACE_2)
        self.formats = Segments(theme, [(kind.suffix, kind.name, "") for kind in kinds()], self)
        self.formats.setAccessibleName(self.tr("Format"))
        self.formats.chosen.connect(lambda suffix: self._take(suffix=suffix))
        column.addWidget(self.formats)
        self.use = label("", wrap=True, parent=self)
        self.axes = label("", "small", wrap=True, parent=self)
        column.addWidget(self.use)
        column.addWidget(self.axes)
        column.addSpacing(SPACE_2)
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_4)
        grid.setVerticalSpacing(SPACE_2)
        grid.setColumnStretch(1, 1)
        self.surface = Segments(
            theme, [("texture", self.tr("Texture"), ""), ("colours", self.tr("Vertex colours"), "")], self
        )
        self.surface.chosen.connect(lambda key: self._take(texture=key == "texture"))
        self.faces = self._choice(
            self.tr("Triangles"), [(self.tr("All of them"), MOST_FACES)] + [(f"{n:,}", n) for n in FACES[1:]]
        )
        self.side = self._choice(self.tr("Size"), [(f"{n} × {n}", n) for n in SIDES], at=1)
        self.seconds = self._choice(self.tr("Length"), [(self.tr("{0} s").format(n), n) for n in SECONDS], at=1)
        self.faces.currentIndexChanged.connect(lambda _: self._take(most_faces=self.faces.currentData()))
        self.side.currentIndexChanged.connect(lambda _: self._take(side=self.side.currentData()))
        self.seconds.currentIndexChanged.connect(lambda _: self._take(seconds=self.seconds.currentData()))
        self._rows: dict[str, tuple[QWidget, QWidget]] = {}
        for row, (key, words, widget) in enumerate(
            (
                ("surface", self.tr("Surface"), self.surface),
                ("faces", self.tr("Triangles"), self.faces),
                ("side", self.tr("Size"), self.side),
                ("seconds", self.tr("Length"), self.seconds),
            )
        ):
            name = label(words, "muted", parent=self)
            grid.addWidget(name, row, 0)
            grid.addWidget(widget, row, 1)
            self._rows[key] = (name, widget)
        column.addLayout(grid)
        column.addStretch()
        column.addSpacing(SPACE_3)
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(LINE_HEIGHT)
        self.sentence = label("", "muted", wrap=True, parent=self)
        column.addWidget(self.sentence)
        column.addWidget(self.line)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        self.show_button = TextButton(theme, self.tr("Show in folder"), "folder", parent=self)
        self.show_button.clicked.connect(self._show_files)
        self.close_button = TextButton(theme, self.tr("Close"), parent=self)
        self.close_button.clicked.connect(self._close_or_stop)
        self.save_button = PrimaryButton(theme, self.tr("Save as…"), "", self)
        self.save_button.setFixedWidth(160)
        self.save_button.clicked.connect(self.ask)
        buttons.addWidget(self.show_button)
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.save_button)
        column.addLayout(buttons)
        self.setFixedWidth(WIDTH)
        self.progressed.connect(self.line.show_fraction)
        self._tell()
        self._busy(False)

    @property
    def busy(self) -> bool:
        """Whether a file is being written."""
        return self._stop is not None

    def ask(self) -> None:
        """Ask for the name of the file, then write it."""
        result, kind = self._model.result, self._kinds[self.wish.suffix]
        if result is None or self.busy:
            return
        name = "".join(c for c in one_line(result.request.landmark.title) if c.isalnum() or c in " -").strip()
        path = self._session.settings.save_folder / f"{name or self.tr('Landmark')}{kind.suffix}"
        dialog = MeshSaveDialog(self._theme, self, path, self.windowTitle(), kind.name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda chosen: self.write(Path(chosen)))
        dialog.open()

    def write(self, out: Path) -> None:
        """Write the file in the background."""
        solid, density = self._model.solid, self._model.density
        if solid is None or density is None or self.busy:
            return
        if out.suffix.lower() != self.wish.suffix:
            out = out.with_name(out.name + self.wish.suffix)
        self._session.settings.save_folder = out.parent
        stop = self._stop = Event()
        self.destroyed.connect(stop.set)  # by whatever end the dialog comes to
        wish, mesh, standing, told = self.wish, solid.mesh, self._model.standing, self.progressed.emit
        views = self._model.views
        paper = self._theme.colour("sunken")
        background = paper.redF(), paper.greenF(), paper.blueF()
        self._files = []
        self._busy(True)
        self._say(self.tr("Writing {0}").format(out.name))
        self._session.background.run(
            self,
            lambda: write_export(
                wish, mesh, density, standing, out, views=views, background=background, stop=stop, told=told
            ),
            self._written,
            self._failed,
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        """Whoever closes it wants no film any more."""
        if self._stop is not None:
            self._stop.set()
        super().closeEvent(event)

    def reject(self) -> None:
        """Escape stops the writing, or closes."""
        self._close_or_stop()

    def _close_or_stop(self) -> None:
        if self._stop is not None:
            self._stop.set()
        else:
            # Not close(): a dialog that is closed asks reject(), which leads here again.
            super().reject()

    def _written(self, files: list[Path]) -> None:
        self._stop = None
        self._files = files
        self._busy(False)
        if files:
            names = ", ".join(path.name for path in reversed(files))
            self._say(self.tr("Saved: {0}").format(names))
        else:
            self._say(self.tr("Stopped; nothing was written."))
        self.written.emit(files)

    def _failed(self, failure: Failure) -> None:
        self._stop = None
        self._busy(False)
        self._say(f"{failure.message} {failure.hint}".strip(), danger=True)

    def _say(self, text: str, *, danger: bool = False) -> None:
        set_look(self.sentence, "look", "danger" if danger else "muted")
        self.sentence.setText(text)
        self.sentence.setVisible(bool(text))

    def _busy(self, busy: bool) -> None:
        self.line.show_fraction(0.0)
        self.line.setVisible(busy)
        self.save_button.setEnabled(not busy and self._model.solid is not None)
        self.show_button.setVisible(bool(self._files) and not busy)
        self.close_button.setText(self.tr("Stop") if busy else self.tr("Close"))
        for widget in (self.formats, self.surface, self.faces, self.side, self.seconds):
            widget.setEnabled(not busy)

    def _show_files(self) -> None:
        if self._files:
            show_in_folder(self._files[-1])

    def _take(self, **changes: object) -> None:
        self.wish = replace(self.wish, **changes)  # type: ignore[arg-type]
        self._files = []
        self.show_button.hide()
        self._tell()

    def _tell(self) -> None:
        kind = self._kinds[self.wish.suffix]
        self.formats.show_choice(kind.suffix)
        self.use.setText(kind.use)
        scale = self._model.density.scale if self._model.density else None
        unscaled = scale is not None and not scale.known and not kind.is_film
        self.axes.setText(kind.axes.replace(self.tr("Metres."), self.tr("Unscaled.")) if unscaled else kind.axes)
        both = kind.surfaces == (True, True) or kind.is_film
        can_texture = kind.surfaces[0] or kind.is_film
        self.surface.show_choice("texture" if self.wish.texture and can_texture else "colours")
        self.surface.button("texture").setEnabled(can_texture)
        self.surface.button("colours").setEnabled(both or kind.surfaces[1])
        words = self.tr("One colour") if kind.suffix == ".kmz" else self.tr("Vertex colours")
        self.surface.button("colours").setText(words)
        self.surface.button("colours").setEnabled(both or kind.surfaces[1] or kind.suffix == ".kmz")
        for widget in self._rows["surface"]:
            widget.setVisible(kind.suffix != ".stl")
        for key in ("side", "seconds"):
            for widget in self._rows[key]:
                widget.setVisible(kind.is_film)
        self._say("")

    def _facts(self) -> str:
        solid = self._model.solid
        if solid is None:
            return self.tr("There is no mesh.")
        east, north, up = (metres_text(value) for value in solid.size)
        closed = self.tr("closed") if solid.watertight else self.tr("not closed")
        return self.tr("{0} from west to east, {1} from south to north, {2} high. {3} triangles, {4}.").format(
            east, north, up, f"{len(solid.mesh.faces):,}", closed
        )

    def _choice(self, name: str, choices: list[tuple[str, int]], at: int = 0) -> ChoiceBox:
        box = ChoiceBox(self._theme, name, self)
        for words, value in choices:
            box.addItem(words, value)
        box.setCurrentIndex(at)
        return box
