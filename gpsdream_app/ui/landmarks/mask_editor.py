"""Says where a landmark is in each of its photos: polygon, brush and eraser over one photo after the other.

A mask is a PNG of the photo's name in the folder of masks, white where the landmark is. Each is saved when one goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QShortcut,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.landmarks.collection import MASKS, picture_files
from gpsdream_app.landmarks.framing import mask_of, read_mask
from gpsdream_app.library.landmarks import LandmarkEntry
from gpsdream_app.library.paths import storage_error
from gpsdream_app.photos.reader import open_picture
from gpsdream_app.ui.phrases import one_line
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, PrimaryButton, Segments, Slider, label, set_look

LONGEST_SIDE = 1600  # pixels of a photo and its mask while they are edited; a framed view needs far fewer
STEPS = 40  # of undo, for one photo
BRUSH = 24.0  # pixels of the picture
BRUSHES = (2.0, 200.0)
DEEPEST_ZOOM = 16.0


class Tool(StrEnum):
    """What the pointer does."""

    POLYGON = "polygon"
    BRUSH = "brush"
    ERASER = "eraser"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A photo that is being edited.

    Attributes:
        path: of the photo.
        photo: its pixels, upright.
        mask: of the same size, 8 bits of grey.
        file: of the mask, whether it is there or not.
    """

    path: Path
    photo: QImage
    mask: QImage
    file: Path


def read_sheet(path: Path, masks: Path) -> Sheet:
    """Read a photo and its mask, if there is one.

    Raises:
        GPSDreamError: of kind `bad_photo` if the photo cannot be read.
    """
    try:
        with open_picture(path) as image:
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, "This photo cannot be read.", "Go on to the next.", repr(error)
        ) from error
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    width, height = picture.size
    photo = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    found = mask_of(path, masks)
    values = np.zeros((height, width), np.uint8)
    if found is not None:
        values = np.ascontiguousarray(np.round(255 * read_mask(found, (width, height))), dtype=np.uint8)
    mask = QImage(values.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()
    return Sheet(path, photo, mask, found or masks / f"{path.stem}.png")


def mask_array(mask: QImage) -> np.ndarray:
    """Return the pixels (height, width) of a mask, 0 to 255."""
    rows = np.frombuffer(mask.constBits(), np.uint8).reshape(mask.height(), mask.bytesPerLine())
    return rows[:, : mask.width()].copy()


def write_mask(values: np.ndarray, file: Path) -> None:
    """Write a mask (height, width), whole or not at all.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    try:
        with whole_file(file, ".png") as temporary:
            Image.fromarray(values).save(temporary, "PNG")
    except OSError as error:
        raise storage_error(error, file.parent, "the mask was not saved") from error


class MaskCanvas(QWidget):
    """The photo with what is marked in it, and the tools that mark.

    Signals:
        edited: the mask is another one now.
        zoomed: another part is in sight.
    """

    edited = Signal()
    zoomed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.tool = Tool.POLYGON
        self.brush = BRUSH
        self._photo = QImage()
        self.marked = QImage()
        self._before: list[QImage] = []
        self._after: list[QImage] = []
        self.corners: list[QPointF] = []  # of the polygon that is being drawn, in pixels of the photo
        self._pointer: QPointF | None = None
        self._stroke: QPointF | None = None
        self._dragged: QPointF | None = None
        self._zoom, self._middle = 1.0, QPointF()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Room to work."""
        return QSize(860, 600)

    def show_sheet(self, sheet: Sheet | None) -> None:
        """Show a photo and its mask, or nothing; undo begins anew."""
        self._photo = sheet.photo if sheet else QImage()
        self.marked = sheet.mask.copy() if sheet else QImage()
        self._before, self._after, self.corners, self._stroke = [], [], [], None
        self.fit()

    # -- what is in sight --

    def fit(self) -> None:
        """Show the whole photo."""
        self._zoom = 1.0
        self._middle = QPointF(self._photo.width() / 2, self._photo.height() / 2)
        self._seen()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Come nearer (over 1) or go back; the point `at` of the widget stays where it is."""
        if self._photo.isNull():
            return
        at = at or QPointF(self.width() / 2, self.height() / 2)
        kept = self.to_photo(at)
        self._zoom = min(max(self._zoom * factor, 1.0), DEEPEST_ZOOM)
        moved = self.to_photo(at)
        self._look_at(self._middle + kept - moved)

    def _look_at(self, middle: QPointF) -> None:
        width, height = self._photo.width(), self._photo.height()
        self._middle = QPointF(min(max(middle.x(), 0.0), width), min(max(middle.y(), 0.0), height))
        if self._zoom == 1.0:
            self._middle = QPointF(width / 2, height / 2)
        self._seen()

    def _seen(self) -> None:
        self.update()
        self.zoomed.emit()

    @property
    def scale(self) -> float:
        """Pixels of the widget for one of the photo."""
        if self._photo.isNull():
            return 1.0
        whole = min(self.width() / self._photo.width(), self.height() / self._photo.height())
        return whole * self._zoom

    def _view(self) -> QTransform:
        """From pixels of the photo to the widget's."""
        view = QTransform()
        view.translate(self.width() / 2, self.height() / 2)
        view.scale(self.scale, self.scale)
        view.translate(-self._middle.x(), -self._middle.y())
        return view

    def to_photo(self, point: QPointF) -> QPointF:
        """Pixels of the photo under a point of the widget."""
        return self._view().inverted()[0].map(point)

    def to_widget(self, point: QPointF) -> QPointF:
        """The reverse of `to_photo`."""
        return self._view().map(point)

    # -- what is marked --

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._before or self.corners)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._after)

    @property
    def changed(self) -> bool:
        """Whether something was done to this photo's mask."""
        return bool(self._before)

    def undo(self) -> None:
        """Take the last corner or the last step back."""
        if self.corners:
            self.corners.pop()
        elif self._before:
            self._after.append(self.marked)
            self.marked = self._before.pop()
        self._changed()

    def redo(self) -> None:
        """Do again what was taken back."""
        if self._after:
            self._before.append(self.marked)
            self.marked = self._after.pop()
        self._changed()

    def clear(self) -> None:
        """Mark nothing."""
        if not self.marked.isNull():
            self._begin()
            self.marked.fill(0)
            self._changed()

    def close_polygon(self) -> None:
        """Mark what is inside the corners; fewer than three are forgotten. With Alt it is unmarked."""
        corners, self.corners = self.corners, []
        if len(corners) >= 3:
            self._begin()
            erase = bool(QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier)
            with self._painter(erase) as painter:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawPolygon(QPolygonF(corners))
        self._changed()

    def stroke(self, start: QPointF, end: QPointF, *, erase: bool) -> None:
        """Draw with the brush from one point of the photo to another."""
        with self._painter(erase) as painter:
            pen = QPen(painter.brush().color(), self.brush)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            # A line of no length is not drawn by every engine.
            painter.drawLine(start, end if end != start else end + QPointF(0.01, 0.0))
        self._changed()

    def _painter(self, erase: bool) -> QPainter:
        painter = QPainter(self.marked)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor("black" if erase else "white"))
        return painter

    def _begin(self) -> None:
        self._before = [*self._before[1 - STEPS :], self.marked.copy()]
        self._after = []

    def _changed(self) -> None:
        self.update()
        self.edited.emit()

    # -- the pointer --

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set a corner or begin a stroke; the middle button moves the photo."""
        if self._photo.isNull():
            return
        at = self.to_photo(event.position())
        if event.button() == Qt.MouseButton.MiddleButton:
            self._dragged = event.position()
        elif event.button() == Qt.MouseButton.RightButton:
            self.close_polygon()
        elif event.button() == Qt.MouseButton.LeftButton and self.tool is Tool.POLYGON:
            first = self.corners and self.to_widget(self.corners[0])
            if first and len(self.corners) >= 3 and _apart(first, event.position()) < 10:
                self.close_polygon()
            else:
                self.corners.append(at)
                self._changed()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._begin()
            self._stroke = at
            self.stroke(at, at, erase=self._erases(event))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the stroke."""
        self._pointer = event.position()
        if self._dragged is not None:
            moved = (event.position() - self._dragged) / self.scale
            self._dragged = event.position()
            self._look_at(self._middle - moved)
        elif self._stroke is not None:
            at = self.to_photo(event.position())
            self.stroke(self._stroke, at, erase=self._erases(event))
            self._stroke = at
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the stroke."""
        self._dragged = self._stroke = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close the polygon."""
        if event.button() == Qt.MouseButton.LeftButton and self.tool is Tool.POLYGON:
            self.close_polygon()
        else:
            self.mousePressEvent(event)

    def _erases(self, event: QMouseEvent) -> bool:
        return (self.tool is Tool.ERASER) != bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)

    def leaveEvent(self, event: object) -> None:
        """No brush while the pointer is elsewhere."""
        self._pointer = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter closes the polygon, Backspace takes its last corner, Escape forgets it, arrows move the photo."""
        step = 60 / self.scale
        ways = {
            Qt.Key.Key_Left: QPointF(-step, 0),
            Qt.Key.Key_Right: QPointF(step, 0),
            Qt.Key.Key_Up: QPointF(0, -step),
            Qt.Key.Key_Down: QPointF(0, step),
        }
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.corners:
            self.close_polygon()
        elif key == Qt.Key.Key_Backspace and self.corners:
            self.undo()
        elif key == Qt.Key.Key_Escape and self.corners:
            self.corners = []
            self._changed()
        elif key in ways:
            self._look_at(self._middle + ways[key])
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the middle."""
        self._seen()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the photo, the mask over it, the polygon and the brush."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), theme.colour("sunken"))
            if self._photo.isNull():
                return
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setTransform(self._view())
            painter.drawImage(0, 0, self._photo)
            painter.drawImage(0, 0, _tinted(self.marked, QColor(255, 176, 32, 120)))
            painter.resetTransform()
            points = [self.to_widget(corner) for corner in self.corners]
            if points:
                line = [*points, self._pointer] if self._pointer is not None else points
                # Dark under light: seen on any photo.
                for colour, width in ((QColor(0, 0, 0, 160), 4.0), (QColor(255, 255, 255), 1.6)):
                    painter.setPen(QPen(colour, width))
                    painter.drawPolyline(QPolygonF(line))
                    for point in points:
                        painter.drawEllipse(point, 4, 4)
            elif self._pointer is not None and self.tool is not Tool.POLYGON:
                radius = self.brush * self.scale / 2
                for colour, width in ((QColor(0, 0, 0, 160), 3.0), (QColor(255, 255, 255), 1.2)):
                    painter.setPen(QPen(colour, width))
                    painter.drawEllipse(self._pointer, radius, radius)
            if self.hasFocus():
                painter.setPen(QPen(theme.colour("accent"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))


def _apart(first: QPointF, second: QPointF) -> float:
    return math.hypot(first.x() - second.x(), first.y() - second.y())


def _tinted(mask: QImage, colour: QColor) -> QImage:
    """One colour, as opaque as the mask is white."""
    alpha = mask.copy()
    alpha.reinterpretAsFormat(QImage.Format.Format_Alpha8)
    result = QImage(mask.size(), QImage.Format.Format_ARGB32_Premultiplied)
    result.fill(colour)
    with QPainter(result) as painter:
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
        painter.drawImage(0, 0, alpha)
    return result


class MaskEditor(QDialog):
    """The dialog: one photo after the other.

    Signals:
        shown: a photo is there, or a sentence why not.
        saved: a mask is on the disk (Path).
    """

    shown = Signal()
    saved = Signal(object)

    def __init__(
        self, session: Session, entry: LandmarkEntry, parent: QWidget | None = None, theme: Theme | None = None
    ) -> None:
        """Open the photos of a landmark.

        Args:
            session: reads and writes in its background.
            entry: of the landmark; without a folder of photos there is only a sentence.
            parent: the Qt parent.
            theme: the look; the application's if None.
        """
        super().__init__(parent)
        application = QApplication.instance()
        theme = theme or (application.findChild(Theme) if application is not None else None)
        assert theme is not None
        self._session, self._entry = session, entry
        self.masks = entry.masks or (entry.photos or Path()) / MASKS
        self.paths: list[Path] = []
        self.index = 0
        self.sheet: Sheet | None = None
        self._asked = 0
        self._writing = False
        self._given_up = False
        self.setWindowTitle(self.tr("Mark {0} in its photos").format(one_line(entry.landmark.name)))
        self.canvas = MaskCanvas(theme, self)
        self.canvas.edited.connect(self._tell)
        self._make(theme)
        self._tell()
        if entry.photos is None:
            self._say(self.tr("This landmark has no folder of photos."), wrong=True)
        else:
            folder = entry.photos
            self._session.background.run(self, lambda: picture_files(folder), self._listed, self._failed)

    def _make(self, theme: Theme) -> None:
        self.tools = Segments(
            theme,
            [
                (Tool.POLYGON, self.tr("Polygon"), "polygon"),
                (Tool.BRUSH, self.tr("Brush"), "edit"),
                (Tool.ERASER, self.tr("Eraser"), "minus"),
            ],
            self,
        )
        self.tools.setAccessibleName(self.tr("Tool"))
        self.tools.chosen.connect(lambda key: self.use(Tool(key)))
        self.size_slider = Slider(*BRUSHES, 1, self)
        self.size_slider.setAccessibleName(self.tr("Width of the brush"))
        self.size_slider.setFixedWidth(120)
        self.size_slider.show_number(BRUSH)
        self.size_slider.number_changed.connect(self._resize_brush)
        self.undo_button = IconButton(theme, "undo", self.tr("Undo (Ctrl+Z)"), parent=self)
        self.undo_button.clicked.connect(self.canvas.undo)
        self.clear_button = IconButton(theme, "trash", self.tr("Mark nothing in this photo"), parent=self)
        self.clear_button.clicked.connect(self.canvas.clear)
        nearer = IconButton(theme, "plus", self.tr("Nearer (+)"), parent=self)
        nearer.clicked.connect(lambda: self.canvas.zoom_by(1.5))
        farther = IconButton(theme, "minus", self.tr("Farther (-)"), parent=self)
        farther.clicked.connect(lambda: self.canvas.zoom_by(1 / 1.5))
        whole = IconButton(theme, "picture", self.tr("Whole photo (0)"), parent=self)
        whole.clicked.connect(self.canvas.fit)
        top = QHBoxLayout()
        top.setSpacing(SPACE_2)
        top.addWidget(self.tools)
        top.addWidget(self.size_slider)
        top.addWidget(self.undo_button)
        top.addWidget(self.clear_button)
        top.addStretch()
        for button in (farther, nearer, whole):
            top.addWidget(button)
        self.back_button = IconButton(theme, "back", self.tr("Previous photo (Page Up)"), parent=self)
        self.back_button.clicked.connect(lambda: self.go(self.index - 1))
        self.next_button = IconButton(theme, "forward", self.tr("Next photo (Page Down)"), parent=self)
        self.next_button.clicked.connect(lambda: self.go(self.index + 1))
        self.name = ElidedLabel("", "muted", self)
        self.sentence = label("", "muted", wrap=True, parent=self)
        self.close_button = PrimaryButton(theme, self.tr("Done"), "", self)
        self.close_button.setFixedWidth(120)
        self.close_button.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.setSpacing(SPACE_2)
        bottom.addWidget(self.back_button)
        bottom.addWidget(self.next_button)
        bottom.addWidget(self.name, 1)
        bottom.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addLayout(top)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.sentence)
        column.addSpacing(SPACE_1)
        column.addLayout(bottom)
        keys: list[tuple[QKeySequence | QKeySequence.StandardKey | str, Callable[[], None]]] = [
            (QKeySequence.StandardKey.Undo, self.canvas.undo),
            (QKeySequence.StandardKey.Redo, self.canvas.redo),
            (QKeySequence.StandardKey.Save, self.save),
            ("P", lambda: self.use(Tool.POLYGON)),
            ("B", lambda: self.use(Tool.BRUSH)),
            ("E", lambda: self.use(Tool.ERASER)),
            ("[", lambda: self._resize_brush(self.canvas.brush / 1.25)),
            ("]", lambda: self._resize_brush(self.canvas.brush * 1.25)),
            ("+", lambda: self.canvas.zoom_by(1.5)),
            ("-", lambda: self.canvas.zoom_by(1 / 1.5)),
            ("0", self.canvas.fit),
            ("PgUp", lambda: self.go(self.index - 1)),
            ("PgDown", lambda: self.go(self.index + 1)),
        ]
        for sequence, act in keys:
            QShortcut(QKeySequence(sequence), self).activated.connect(act)
        self.use(Tool.POLYGON)
        self.canvas.setFocus()

    # -- tools --

    def use(self, tool: Tool) -> None:
        """Take a tool."""
        self.canvas.tool = tool
        self.canvas.corners = []
        self.tools.show_choice(tool)
        self.size_slider.setEnabled(tool is not Tool.POLYGON)
        self.canvas.update()
        self._tell()

    def _resize_brush(self, width: float) -> None:
        self.canvas.brush = min(max(width, BRUSHES[0]), BRUSHES[1])
        self.size_slider.show_number(self.canvas.brush)
        self.canvas.update()

    # -- photos --

    def go(self, index: int) -> None:
        """Save what was marked, then show another photo."""
        if not 0 <= index < len(self.paths) or self._writing:
            return
        self.save(lambda: self._read(index))

    def _listed(self, paths: list[Path]) -> None:
        self.paths = paths
        if not paths:
            self._say(self.tr("There are no photos in this folder."), wrong=True)
            self.shown.emit()
            return
        self._read(0)

    def _read(self, index: int) -> None:
        self.index, self.sheet = index, None
        self.canvas.show_sheet(None)
        self._asked += 1
        number, path, masks = self._asked, self.paths[index], self.masks

        def done(sheet: Sheet) -> None:
            if number == self._asked:
                self.sheet = sheet
                self.canvas.show_sheet(sheet)
                self._tell()
                self.shown.emit()

        def failed(failure: Failure) -> None:
            if number == self._asked:
                self._failed(failure)
                self.shown.emit()

        self._tell()
        self._session.background.run(self, lambda: read_sheet(path, masks), done, failed)

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Write the mask if something was done to it, then go on. If the disk refuses, a sentence says so."""
        if self.sheet is not None and len(self.canvas.corners) >= 3:
            self.canvas.close_polygon()
        if self.sheet is None or not self.canvas.changed:
            if then is not None:
                then()
            return
        values, file = mask_array(self.canvas.marked), self.sheet.file
        self._writing = True
        self.canvas.setEnabled(False)

        def done(_: None) -> None:
            self._written()
            # What is on the disk needs no saving; what can be undone stays.
            self.saved.emit(file)
            if then is not None:
                then()

        def failed(failure: Failure) -> None:
            self._written()
            self._given_up = True
            self._failed(failure)

        self._session.background.run(self, lambda: write_mask(values, file), done, failed)

    def _written(self) -> None:
        self._writing = False
        self.canvas.setEnabled(True)
        self.canvas.setFocus()

    def done(self, result: int) -> None:
        """Save, then close. Where the disk refused once, closing again goes without saving."""
        if self._writing:
            return
        if self._given_up:
            super().done(result)
        else:
            self.save(lambda: super(MaskEditor, self).done(result))

    # -- what is said --

    def _failed(self, failure: Failure) -> None:
        self._say(f"{failure.message} {failure.hint}".strip(), wrong=True)

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        self.sentence.setText(sentence)
        set_look(self.sentence, "look", "danger" if wrong else "muted")

    def _tell(self) -> None:
        """Say where one is and what can be done."""
        count = len(self.paths)
        self.back_button.setEnabled(self.index > 0)
        self.next_button.setEnabled(self.index + 1 < count)
        self.undo_button.setEnabled(self.canvas.can_undo)
        self.clear_button.setEnabled(self.sheet is not None)
        if not count:
            return
        path = self.paths[self.index]
        self.name.setText(self.tr("{0} of {1}: {2}").format(self.index + 1, count, one_line(path.name)))
        hints = {
            Tool.POLYGON: self.tr(
                "Click round the landmark; Enter or the first corner closes it. With Alt it is unmarked."
            ),
            Tool.BRUSH: self.tr(
                "Paint over the landmark; [ and ] change the brush. The middle button moves the photo."
            ),
            Tool.ERASER: self.tr("Take away what is not the landmark: people, trees, sky."),
        }
        self._say(hints[self.canvas.tool])
        any_marked = self.sheet is not None and bool(mask_array(self.canvas.marked).any())
        state = self.tr("marked") if any_marked else self.tr("nothing marked")
        self.canvas.setAccessibleName(self.tr("Photo {0}, {1}").format(one_line(path.name), state))
