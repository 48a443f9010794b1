"""A real photo beside what the model draws of its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.events import TERMINAL_EVENTS, Event, Failed, PictureFinished, Step
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.photos.records import PhotoRecord, clean_text
from gpsdream_app.ui.library.compare import PictureLook
from gpsdream_app.ui.photos.grid import read_large
from gpsdream_app.ui.phrases import coordinates_text, distance_text, heading_text, one_line
from gpsdream_app.ui.progress import ProgressLine
from gpsdream_app.ui.session import Session, single_request
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, TextButton, label


@dataclass(frozen=True, slots=True)
class _Drawing:
    job_id: str
    steps: int


class BesidePart(QWidget):
    """The photo at the left, the drawing at the right.

    Signals:
        left: back to the grid.
    """

    left = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.record: PhotoRecord | None = None
        self.result: Result | None = None
        self._drawing: _Drawing | None = None
        self.back = IconButton(theme, "back", self.tr("Back to the photos (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        self.title = ElidedLabel("", "lead", self)
        self.again = TextButton(theme, self.tr("Draw again"), "remix", parent=self)
        self.again.clicked.connect(self.draw)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", parent=self)
        self.stop.clicked.connect(self._cancel)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        head.addWidget(self.stop)
        head.addWidget(self.again)
        self.photo, self.drawn = PictureLook(theme, self), PictureLook(theme, self)
        self.photo_words = label("", "small", wrap=True, parent=self)
        self.drawn_words = label("", "small", wrap=True, parent=self)
        self.line = ProgressLine(theme, self)
        row = QHBoxLayout()
        row.setSpacing(SPACE_3)
        for look, heading, words in (
            (self.photo, self.tr("The real photo"), self.photo_words),
            (self.drawn, self.tr("What the model draws"), self.drawn_words),
        ):
            column = QVBoxLayout()
            column.addWidget(label(heading, "strong", parent=self))
            column.addWidget(look, 1)
            column.addWidget(words)
            row.addLayout(column, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(SPACE_2)
        whole.addLayout(head)
        whole.addLayout(row, 1)
        whole.addWidget(self.line)
        session.bridge.happened.connect(self._happened)
        self._show()

    def show_photo(self, record: PhotoRecord) -> None:
        """Show a photo, with nothing drawn yet."""
        self.record, self.result = record, None
        self._drawing = None
        self.photo.show_images(QImage(), clean_text(record.path.name, 100))
        self.drawn.show_images(QImage(), "")

        def show(image: QImage) -> None:
            if self.record is record:
                self.photo.show_images(image, clean_text(record.path.name, 100))
                if image.isNull():
                    self.photo_words.setText(self.tr("The file cannot be read any more: {0}").format(record.path.name))

        self._session.background.run(self, lambda: read_large(record.path), show, priority=5)
        self._show()

    def show_pair(self, record: PhotoRecord, metres: float, result: Result) -> None:
        """Show a photo beside a picture that was drawn before, `metres` away from it."""
        self.show_photo(record)
        self.result = result

        def show(image: QImage) -> None:
            if self.result is result:
                self.drawn.show_images(image, one_line(single_request(result).prompt))

        self._session.read_image(result, show)
        self._show()
        self.title.setText(self.tr("The nearest real photo, {0} away").format(distance_text(metres)))

    def draw(self) -> None:
        """Draw the photo's place, in its direction, with the form's words and settings, or the photo's own words."""
        if self.record is None or self._drawing is not None:
            return
        session, record = self._session, self.record
        place = Place(record.lat, record.lon, record.heading)
        before = session.form.place
        session.form.set_place(place)
        if not session.form.prompt.strip():
            session.form.prompt = clean_text(record.caption, 300)
        try:
            request: GenerateRequest = replace(session.form.next_request(), count=1)
        except GPSDreamError as error:
            session.form.set_place(before)
            session.notify_failure(error.failure)
            return
        job_id = session.submit(request)
        if job_id:
            self._drawing, self.result = _Drawing(job_id, request.steps), None
            self.line.show_fraction(0.0)
        self._show()

    def _cancel(self) -> None:
        if self._drawing:
            self._session.cancel(self._drawing.job_id)

    def _happened(self, event: Event) -> None:
        drawing = self._drawing
        if drawing is None or event.job_id != drawing.job_id:
            return
        if isinstance(event, Step):
            self.line.show_fraction(event.index / max(1, event.total))
            image = QImage.fromData(event.preview) if event.preview else QImage()
            if not image.isNull():
                self.drawn.show_images(image, self.tr("Being drawn"))
        elif isinstance(event, PictureFinished):
            result = self.result = event.result
            self._session.background.run(
                self,
                lambda: QImage(result.path),
                lambda image: self._finished(result, image),
                priority=5,
            )
        elif isinstance(event, TERMINAL_EVENTS):
            self._drawing = None
            if isinstance(event, Failed) or self.result is None:
                self.drawn.show_images(QImage(), "")
            self._show()

    def _finished(self, result: Result, image: QImage) -> None:
        if self.result is result:
            self.drawn.show_images(image, one_line(single_request(result).prompt))
            self._show()

    def _show(self) -> None:
        record, running = self.record, self._drawing is not None
        self.line.setVisible(running)
        self.stop.setVisible(running)
        self.again.setVisible(not running and record is not None)
        self.again.setText(self.tr("Draw again") if self.result else self.tr("Draw this place"))
        if record is None:
            return
        self.title.setText(clean_text(record.path.name, 200))
        caption = clean_text(record.caption, 200)
        lines = (coordinates_text(record.lat, record.lon), heading_text(record.heading))
        self.photo_words.setText("\n".join(line for line in (" · ".join(filter(None, lines)), caption) if line))
        if running:
            self.drawn_words.setText(self.tr("Being drawn"))
        elif self.result:
            request = single_request(self.result)
            words = one_line(request.prompt) or self.tr("without words")
            seed = self.tr("Seed {0}").format(request.seed)
            self.drawn_words.setText(f"{words}\n{self.result.model_title} · {seed}")
        else:
            self.drawn_words.setText("")
