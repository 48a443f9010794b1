"""A grid of pictures over two of a request's values: place by words, guidance by guidance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from PySide6.QtCore import QCoreApplication, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_GUIDANCE, MAX_SEED, MAX_STEPS, GenerateRequest
from gpsdream_app.domain.results import Result, picture_key
from gpsdream_app.geo.coordinates import parse_coordinates
from gpsdream_app.library.model_folders import find_model, weights_hash
from gpsdream_app.ui.filmstrip import cover
from gpsdream_app.ui.phrases import one_line, place_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL
from gpsdream_app.ui.widgets import ChoiceBox, IconButton, TextButton, label, set_look

MAX_CELLS = 64
MAX_VALUES = 16
HEADING = re.compile(r"(?P<point>.*?[-\d.]+\s*[,;]\s*[-\d.]+)\s*[,;]\s*(?P<heading>\d+(\.\d+)?)\s*°?\s*$")


class Axis(StrEnum):
    """What changes along a row or column."""

    PLACE = "place"
    HEADING = "heading"
    PROMPT = "prompt"
    PLACE_GUIDANCE = "place_guidance"
    TEXT_GUIDANCE = "text_guidance"
    SEED = "seed"
    STEPS = "steps"


def _tr(text: str) -> str:
    return QCoreApplication.translate("variations", text)


def axis_name(axis: Axis) -> str:
    """Return what an axis is called."""
    return {
        Axis.PLACE: _tr("Place"),
        Axis.HEADING: _tr("Direction of view"),
        Axis.PROMPT: _tr("Words"),
        Axis.PLACE_GUIDANCE: _tr("Follow the place"),
        Axis.TEXT_GUIDANCE: _tr("Follow the words"),
        Axis.SEED: _tr("Seed"),
        Axis.STEPS: _tr("Steps"),
    }[axis]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis, and what stands beside its row or column."""

    value: Place | str | float | int
    name: str


def read_values(axis: Axis, text: str, places: Sequence[Place] = ()) -> list[Value]:
    """Read the values of an axis, one on each line.

    Args:
        axis: what they are.
        text: as typed. A place is coordinates, perhaps with a heading after another comma, or the name of one of
            `places`.
        places: places that can be named.

    Raises:
        GPSDreamError: of kind `bad_request` or `bad_location` with a sentence that names the line.
    """
    lines = [line.strip() for line in text[:20_000].splitlines()]
    lines = list(dict.fromkeys(line for line in lines if line))
    if not lines:
        raise _bad(_tr("{0}: there is no value.").format(axis_name(axis)), _tr("Write one on each line."))
    if len(lines) > MAX_VALUES:
        raise _bad(_tr("{0}: at most {1} values.").format(axis_name(axis), MAX_VALUES), _tr("Take some out."))
    return [_read_value(axis, line, places) for line in lines]


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, hint)


def _read_value(axis: Axis, line: str, places: Sequence[Place]) -> Value:
    if axis is Axis.PROMPT:
        return Value(line, line)
    if axis is Axis.PLACE:
        for place in places:
            if place.name and place.name.casefold() == line.casefold():
                return Value(place, place.name)
        match = HEADING.match(line)
        pair = parse_coordinates(match["point"] if match else line)
        if pair is None:
            raise _bad(
                _tr("“{0}” is neither coordinates nor a place of the chosen pictures.").format(line[:60]),
                _tr("Write for example 40.7411, -73.9897"),
            )
        place = Place(*pair, float(match["heading"]) % 360 if match else None)
        return Value(place, line)
    low, high = {
        Axis.HEADING: (0.0, 360.0),
        Axis.PLACE_GUIDANCE: (0.0, MAX_GUIDANCE),
        Axis.TEXT_GUIDANCE: (0.0, MAX_GUIDANCE),
        Axis.SEED: (0, MAX_SEED),
        Axis.STEPS: (1, MAX_STEPS),
    }[axis]
    whole = isinstance(low, int)
    try:
        number = int(line) if whole else float(line.replace(",", ".").rstrip("°"))
        good = low <= number <= high
    except (ValueError, OverflowError):
        good = False
    if not good:
        raise _bad(
            _tr("{0}: “{1}” is no number from {2} to {3}.").format(
                axis_name(axis), line[:40], f"{low:g}", f"{high:,.10g}"
            ),
        )
    return Value(number, f"{number:g}" if not whole else str(number))


def varied(request: GenerateRequest, axis: Axis, value: Value) -> GenerateRequest:
    """Return a request with another value. Raises GPSDreamError if it needs a place and has none."""
    if axis is Axis.HEADING:
        if request.place is None:
            raise _bad(_tr("A direction of view needs a place."), _tr("Choose a picture that has one."))
        heading = float(value.value) % 360  # type: ignore[arg-type]
        return replace(request, place=replace(request.place, heading=heading))
    if axis is Axis.PLACE and isinstance(value.value, Place):
        place = value.value
        if place.heading is None and request.place:
            place = replace(place, heading=request.place.heading)
        return replace(request, place=place)
    return replace(request, **{axis.value: value.value})  # type: ignore[arg-type]


def grid_requests(
    request: GenerateRequest, rows: tuple[Axis, Sequence[Value]], columns: tuple[Axis, Sequence[Value]]
) -> list[list[GenerateRequest]]:
    """Return the requests of all cells, row by row; all have the seed of the first unless that is varied.

    Raises:
        GPSDreamError: of kind `bad_request` if both axes are the same, or there are more than 64 cells.
    """
    if rows[0] is columns[0]:
        raise _bad(_tr("Rows and columns vary the same."), _tr("Choose something else for one of them."))
    count = len(rows[1]) * len(columns[1])
    if count > MAX_CELLS:
        raise _bad(_tr("{0} pictures are more than {1}.").format(count, MAX_CELLS), _tr("Take some values out."))
    single = replace(request, count=1)
    return [
        # A place may be given by one axis and turned by the other.
        [_both(single, rows[0], row, columns[0], column) for column in columns[1]]
        for row in rows[1]
    ]


def _both(request: GenerateRequest, first: Axis, value: Value, second: Axis, other: Value) -> GenerateRequest:
    pairs = sorted([(first, value), (second, other)], key=lambda pair: pair[0] is Axis.HEADING)
    for axis, chosen in pairs:
        request = varied(request, axis, chosen)
    return request


@dataclass(slots=True)
class _Cell:
    request: GenerateRequest
    key: str
    image: QImage
    job_id: str = ""
    result: Result | None = None
    failed: bool = False


class VariationSheet(QWidget):
    """The pictures with the values beside their rows and above their columns.

    Signals:
        chosen: a finished picture was clicked (`Result`).
    """

    chosen = Signal(Result)
    SIDE_WORDS, TOP_WORDS = 96, 22

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.rows: list[Value] = []
        self.columns: list[Value] = []
        self.cells: list[list[_Cell]] = []
        self._current = 0, 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 160)
        self.setAccessibleName(self.tr("Variations"))
        theme.changed.connect(self.update)

    def show_cells(self, rows: Sequence[Value], columns: Sequence[Value], cells: list[list[_Cell]]) -> None:
        """Show a grid."""
        self.rows, self.columns, self.cells = list(rows), list(columns), cells
        self._current = 0, 0
        self.update()

    def cell_rect(self, row: int, column: int) -> QRect:
        """Return where a picture stands."""
        across = (self.width() - self.SIDE_WORDS) // max(1, len(self.columns)) - SPACE_1
        down = (self.height() - self.TOP_WORDS) // max(1, len(self.rows)) - SPACE_1
        side = max(16, min(across, down, 320))
        x = self.SIDE_WORDS + column * (side + SPACE_1)
        return QRect(x, self.TOP_WORDS + row * (side + SPACE_1), side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw pictures and values."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            font = QFont(self.font())
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            metrics = QFontMetrics(font)

            def words(rect: QRect, value: Value, flags: Qt.AlignmentFlag) -> None:
                shown = metrics.elidedText(one_line(value.name)[:120], Qt.TextElideMode.ElideRight, rect.width())
                painter.setPen(theme.colour("text_muted"))
                painter.drawText(rect, int(flags | Qt.AlignmentFlag.AlignVCenter), shown)

            for column, value in enumerate(self.columns):
                rect = self.cell_rect(0, column)
                words(QRect(rect.left(), 0, rect.width(), self.TOP_WORDS), value, Qt.AlignmentFlag.AlignHCenter)
            for row, value in enumerate(self.rows):
                rect = self.cell_rect(row, 0)
                words(
                    QRect(0, rect.top(), self.SIDE_WORDS - SPACE_2, rect.height()), value, Qt.AlignmentFlag.AlignRight
                )
            for row, cells in enumerate(self.cells):
                for column, cell in enumerate(cells):
                    self._paint_cell(painter, self.cell_rect(row, column), cell, (row, column) == self._current)

    def _paint_cell(self, painter: QPainter, rect: QRect, cell: _Cell, current: bool) -> None:
        theme = self._theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("sunken"))
        painter.drawRoundedRect(rect, RADIUS_SMALL, RADIUS_SMALL)
        if not cell.image.isNull():
            painter.drawImage(rect, cell.image, cover(cell.image.size(), rect.size()))
        elif rect.width() > 60:
            painter.setPen(theme.colour("danger" if cell.failed else "text_faint"))
            word = self.tr("Not drawn") if cell.failed else self.tr("Waiting") if cell.job_id else ""
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), word)
        focused = current and self.hasFocus()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("accent" if focused else "frame"), 2 if focused else 1))
        painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL, RADIUS_SMALL)

    def mouseReleaseEvent(self, event: object) -> None:
        """Choose a picture."""
        point = event.position().toPoint()  # type: ignore[attr-defined]
        for row, cells in enumerate(self.cells):
            for column, cell in enumerate(cells):
                if self.cell_rect(row, column).contains(point):
                    self._current = row, column
                    self.update()
                    if cell.result:
                        self.chosen.emit(cell.result)

    def keyPressEvent(self, event: object) -> None:
        """Arrows go from picture to picture, Enter chooses one."""
        key = Qt.Key(event.key())  # type: ignore[attr-defined]
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }.get(key)
        row, column = self._current
        if steps and self.cells:
            row = min(max(row + steps[0], 0), len(self.rows) - 1)
            column = min(max(column + steps[1], 0), len(self.columns) - 1)
            self._current = row, column
            self.setAccessibleDescription(f"{self.rows[row].name}, {self.columns[column].name}")
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.cells and self.cells[row][column].result:
            self.chosen.emit(self.cells[row][column].result)
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]


class VariationsPart(QWidget):
    """Chooses two axes and their values, and shows the pictures as they are drawn.

    Signals:
        left: back to the grid.
        chosen: a finished picture was clicked (`Result`).
    """

    left = Signal()
    chosen = Signal(Result)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._request: GenerateRequest | None = None
        self._places: list[Place] = []
        self._texts: dict[Axis, str] = {}
        self._cells: dict[str, list[_Cell]] = {}
        self.back = IconButton(theme, "back", self.tr("Back to the pictures (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        heading = label(self.tr("Variations of one picture"), "lead", parent=self)
        self.draw_button = TextButton(theme, self.tr("Draw"), "play", parent=self)
        self.draw_button.clicked.connect(self.draw)
        self.stop_button = TextButton(theme, self.tr("Stop"), "stop", look="plain", parent=self)
        self.stop_button.clicked.connect(self.stop)
        self.progress = label("", "small", parent=self)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        head.addWidget(self.back)
        head.addWidget(heading, 1)
        head.addWidget(self.progress)
        head.addWidget(self.stop_button)
        head.addWidget(self.draw_button)
        fields = QGridLayout()
        fields.setHorizontalSpacing(SPACE_3)
        fields.setVerticalSpacing(SPACE_1)
        self.axes: list[ChoiceBox] = []
        self.values: list[QPlainTextEdit] = []
        for number, (word, axis) in enumerate(((self.tr("Rows"), Axis.PLACE), (self.tr("Columns"), Axis.PROMPT))):
            box = ChoiceBox(theme, word, self)
            for choice in Axis:
                box.addItem(axis_name(choice), choice.value)
            box.setCurrentIndex(list(Axis).index(axis))
            edit = QPlainTextEdit(self)
            edit.setAccessibleName(self.tr("Values of the {0}, one on each line").format(word.lower()))
            edit.setTabChangesFocus(True)
            edit.setFixedHeight(84)
            edit.textChanged.connect(self._check)
            box.currentIndexChanged.connect(lambda _, number=number: self._axis_changed(number))
            fields.addWidget(label(word, "small", parent=self), 0, number)
            fields.addWidget(box, 1, number)
            fields.addWidget(edit, 2, number)
            self.axes.append(box)
            self.values.append(edit)
        self.sentence = label("", "muted", wrap=True, parent=self)
        self.sheet = VariationSheet(theme, self)
        self.sheet.chosen.connect(self.chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addLayout(fields)
        column.addWidget(self.sentence)
        column.addWidget(self.sheet, 1)
        session.picture_finished.connect(self._finished)
        session.queue.changed.connect(self._show_progress)
        self._show_progress()

    def start(self, request: GenerateRequest, others: Sequence[Result] = ()) -> None:
        """Begin with a picture's request.

        Args:
            request: of the picture that is varied.
            others: further chosen pictures, whose places and words are suggested.
        """
        self._request = replace(request, count=1)
        requests = [request, *(result.request for result in others)]
        places = {place_text(place): place for place in (one.place for one in requests) if place}
        self._places = list(places.values())
        prompts = list(dict.fromkeys(one_line(one.prompt) for one in requests if one.prompt.strip()))
        words = self._session.card.words[:3] if self._session.card else ()
        if len(prompts) < 2:
            prompts += [word for word in words if word not in prompts]
        coordinates = [f"{place.lat:.6f}, {place.lon:.6f}" if not place.name else place.name for place in self._places]
        guidance = "\n".join(f"{number:g}" for number in (0, 2, 4, 8))
        self._texts = {
            Axis.PLACE: "\n".join(coordinates[:MAX_VALUES]),
            Axis.HEADING: "0\n90\n180\n270",
            Axis.PROMPT: "\n".join(prompts[:MAX_VALUES]),
            Axis.PLACE_GUIDANCE: guidance,
            Axis.TEXT_GUIDANCE: guidance,
            Axis.SEED: "\n".join(str((request.seed + step) % (MAX_SEED + 1)) for step in range(4)),
            Axis.STEPS: "5\n10\n20\n40",
        }
        self.choose(
            *((Axis.PLACE, Axis.PROMPT) if len(self._places) > 1 else (Axis.PLACE_GUIDANCE, Axis.TEXT_GUIDANCE))
        )
        self._cells = {}
        self.sheet.show_cells([], [], [])
        self._check()

    def choose(self, rows: Axis, columns: Axis) -> None:
        """Choose what is varied; the suggested values stand in the fields."""
        for number, axis in enumerate((rows, columns)):
            self.axes[number].setCurrentIndex(list(Axis).index(axis))
            self._axis_changed(number)

    def requests(self) -> list[list[GenerateRequest]]:
        """Return what would be drawn. Raises GPSDreamError if something is not right yet."""
        if self._request is None:
            raise _bad(self.tr("There is no picture to vary."))
        rows, columns = self._read()
        return grid_requests(self._request, rows, columns)

    def draw(self) -> None:
        """Draw all pictures that are not in the library yet."""
        try:
            requests = self.requests()
        except GPSDreamError as error:
            self._session.notify_failure(error.failure)
            return
        rows, columns = self._read()
        cells = [[_Cell(one, picture_key(one), QImage()) for one in row] for row in requests]
        self._cells = {}
        for cell in (cell for row in cells for cell in row):
            self._cells.setdefault(cell.key, []).append(cell)
        self.sheet.show_cells(rows[1], columns[1], cells)
        self._look_up()
        self.sheet.setFocus()

    def _look_up(self) -> None:
        """Take what was drawn before from the library, and draw the rest."""
        library = self._session.library
        wanted = {key: cells[0].request for key, cells in self._cells.items()}

        def work() -> dict[str, Result]:
            found: dict[str, Result] = {}
            weights: dict[str, str] = {}
            for key, request in wanted.items():
                if request.model not in weights:
                    try:
                        weights[request.model] = weights_hash(find_model(request.model))
                    except GPSDreamError:
                        weights[request.model] = ""  # the drawing will say what is wrong with it
                model_hash = weights[request.model]
                result = library.find(request, model_hash) if library and model_hash else None
                if result:
                    found[key] = result
            return found

        def done(found: dict[str, Result]) -> None:
            for key, request in wanted.items():
                if key not in self._cells:
                    continue
                if key in found:
                    self._take(key, found[key])
                    continue
                job_id = self._session.submit(request)
                for cell in self._cells[key]:
                    cell.job_id, cell.failed = job_id, not job_id
                if not job_id:
                    break  # the notice says why; the others would fail alike
            self.sheet.update()
            self._show_progress()

        self._session.background.run(self, work, done)

    def stop(self) -> None:
        """End what has not been drawn; finished pictures stay."""
        for job_id in self._waiting():
            self._session.cancel(job_id)

    def _waiting(self) -> list[str]:
        jobs = {job.job_id for job in self._session.queue.jobs}
        cells = [cell for cells in self._cells.values() for cell in cells]
        return list(dict.fromkeys(cell.job_id for cell in cells if cell.job_id in jobs and cell.result is None))

    def _finished(self, result: Result) -> None:
        if isinstance(result.request, GenerateRequest):
            key = picture_key(result.request)
            if key in self._cells:
                self._take(key, result)

    def _take(self, key: str, result: Result) -> None:
        for cell in self._cells[key]:
            cell.result = result

        def show(image: QImage) -> None:
            for cell in self._cells.get(key, ()):
                cell.image = image
            self.sheet.update()

        self._session.read_thumbnail(result, 512, show)
        self._show_progress()

    def _show_progress(self) -> None:
        cells = [cell for cells in self._cells.values() for cell in cells]
        waiting = self._waiting()
        done = sum(cell.result is not None for cell in cells)
        for cell in cells:
            cell.failed = bool(cell.job_id) and cell.result is None and cell.job_id not in waiting
        self.stop_button.setVisible(bool(waiting))
        self.progress.setText(self.tr("{0} of {1}").format(done, len(cells)) if cells else "")
        self.sheet.update()

    def _read(self) -> tuple[tuple[Axis, list[Value]], tuple[Axis, list[Value]]]:
        read = []
        for box, edit in zip(self.axes, self.values, strict=True):
            axis = Axis(box.currentData())
            read.append((axis, read_values(axis, edit.toPlainText(), self._places)))
        return read[0], read[1]

    def _axis_changed(self, number: int) -> None:
        axis = Axis(self.axes[number].currentData())
        self.values[number].setPlainText(self._texts.get(axis, ""))
        self._check()

    def _check(self) -> None:
        if len(self.values) < 2:
            return
        try:
            requests = self.requests()
        except GPSDreamError as error:
            self.draw_button.setEnabled(False)
            self.sentence.setText(f"{error.failure.message} {error.failure.hint}".strip())
            set_look(self.sentence, "look", "muted")
            return
        count = sum(len(row) for row in requests)
        self.draw_button.setEnabled(True)
        self.sentence.setText(
            self.tr("{0} pictures; the seed is the same in all of them unless it is varied.").format(count)
        )
