"""The picture with the line below it: what is being drawn and how long it takes, or what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.events import EngineState
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.explainer import WhyState, heat_image
from gpsdream_app.ui.job_queue import JobState, QueuedJob
from gpsdream_app.ui.phrases import (
    first_upper,
    place_text,
    short_distance_text,
    short_typicality_text,
    time_left_text,
    tooltip,
)
from gpsdream_app.ui.picture_view import Lesson, PictureView
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session, Shown, single_request
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import CONTROL_HEIGHT, SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, TextButton

BAR_HEIGHT = CONTROL_HEIGHT
BELOW = SPACE_1 + LINE_HEIGHT + SPACE_1 + BAR_HEIGHT


class PicturePanel(QWidget):
    """The big picture and its line.

    Signals:
        save_asked: the picture shall be saved under a name.
        menu_asked: the picture's menu is wanted at a point on the screen.
    """

    save_asked = Signal(Result)
    copy_asked = Signal()
    menu_asked = Signal(Result, object)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.view = PictureView(theme, self)
        self.line = ProgressLine(theme, self)
        self._bar = QStackedWidget(self)
        self._bar.addWidget(self._make_actions(theme))
        self._bar.addWidget(self._make_progress(theme))
        self.setMinimumSize(self.view.minimumWidth(), self.view.minimumHeight() + BELOW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.view.menu_asked.connect(self._ask_menu)
        session.shown_changed.connect(self._show)
        session.why.changed.connect(self._follow_why)
        session.why.token_changed.connect(self._lay_over)
        session.previewed.connect(self._preview)
        session.queue.changed.connect(self._progress)
        session.queue.changed.connect(self._teach)
        session.engine_text_changed.connect(self._progress)
        session.following_changed.connect(self._progress)
        # Until the library is read it is not known whether there is anything to teach.
        self._library_read = False
        self._exchanged = False
        session.library_read.connect(self._note_read)
        session.model_changed.connect(self._teach)
        session.form.when("place prompt", self._teach)
        self._progress()

    def _make_actions(self, theme: Theme) -> QWidget:
        bar = QWidget(self)
        self.knows = ElidedLabel("", "small", bar)
        self.facts = ElidedLabel("", "small", bar)
        said = QVBoxLayout()
        said.setSpacing(0)
        said.addStretch()
        said.addWidget(self.knows)
        said.addWidget(self.facts)
        said.addStretch()
        self.why = TextButton(theme, self.tr("Why?"), "why", look="plain", parent=bar)
        self.why.setCheckable(True)
        self.why.setAccessibleName(self.tr("Why does it look like this?"))
        self.why.setToolTip(tooltip(self.tr("Why does it look like this? See where each word acted (Ctrl+E)")))
        self.why.clicked.connect(self._session.toggle_why)
        self.save = TextButton(theme, self.tr("Save…"), "save", look="plain", parent=bar)
        self.save.clicked.connect(self._ask_save)
        self.copy = IconButton(theme, "copy", self.tr("Copy the picture (Ctrl+C)"), parent=bar)
        self.copy.clicked.connect(self.copy_asked)
        self.more = IconButton(theme, "more", self.tr("More for this picture"), parent=bar)
        self.more.clicked.connect(lambda: self._ask_menu(self.more.mapToGlobal(self.more.rect().bottomLeft())))
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_1)
        row.addLayout(said, 1)
        row.addWidget(self.why)
        row.addWidget(self.save)
        row.addWidget(self.copy)
        row.addWidget(self.more)
        return bar

    def _make_progress(self, theme: Theme) -> QWidget:
        bar = QWidget(self)
        self.progress = ElidedLabel("", "number", bar)
        self.watch = TextButton(theme, self.tr("Watch"), "picture", look="plain", parent=bar)
        self.watch.setToolTip(self.tr("Show the picture that is being drawn"))
        self.watch.clicked.connect(self._session.follow)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", look="plain", parent=bar)
        self.stop.setToolTip(self.tr("Stop drawing (Esc). Finished pictures stay."))
        self.stop.clicked.connect(self._session.stop)
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_2)
        row.addWidget(self.progress, 1)
        row.addWidget(self.watch)
        row.addWidget(self.stop)
        return bar

    def sizeHint(self) -> QSize:
        """A square picture and the line."""
        return QSize(384, 384 + BELOW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange the parts anew."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Put the picture at the top and the line right below it, however high the panel is."""
        below = BELOW if self._bar.isVisibleTo(self) else 0
        room = QSize(self.width(), max(1, self.height() - below))
        size = self.view.image.size()
        if not size.isEmpty():
            room.setHeight(size.scaled(room, Qt.AspectRatioMode.KeepAspectRatio).height())
        self.view.setGeometry(0, 0, room.width(), room.height())
        self.line.setGeometry(0, room.height() + SPACE_1, self.width(), LINE_HEIGHT)
        self._bar.setGeometry(0, room.height() + below - BAR_HEIGHT, self.width(), BAR_HEIGHT)

    # -- what is shown --

    def _show(self, shown: Shown | None) -> None:
        if shown is None:
            self.view.show_picture(QImage())
            self._teach()
        else:
            self.view.show_picture(shown.image, shown.result)
        self._progress()
        self._arrange()

    def _preview(self, image: QImage) -> None:
        self.view.show_picture(image, preview=True)
        self._arrange()

    def _follow_why(self) -> None:
        why, shown = self._session.why, self._session.shown
        self.why.setChecked(why.state is not WhyState.OFF)
        if why.answer and why.differs:
            # The maps belong to the picture as it was drawn again.
            self.view.show_picture(why.answer.picture)
            self._exchanged = True
        elif self._exchanged:
            self._exchanged = False
            if shown:
                self.view.show_picture(shown.image, shown.result)
        self._progress()

    def _lay_over(self) -> None:
        why = self._session.why
        token = why.token
        self.view.show_overlay(heat_image(token, why.strength) if token else QImage())

    def _note_read(self) -> None:
        self._library_read = True
        self._teach()

    def _teach(self, *_: object) -> None:
        place = self._session.form.place
        job = self._session.queue.first_single
        if not self._library_read:
            return
        if job:
            self.view.teach(Lesson.WAIT, place_text(job.single.place) if job.single and job.single.place else "")
        elif place:
            self.view.teach(Lesson.READY if self._session.form.prompt.strip() else Lesson.DRAW, place_text(place))
        elif self._session.card and self._session.card.examples and not self._session.film.results:
            self.view.teach(Lesson.PICK)
        else:
            self.view.teach(Lesson.CLICK)

    def _progress(self) -> None:
        job, shown = self._session.queue.first_single, self._session.shown
        if job:
            self.progress.setText(self.progress_text(job))
            self.stop.setEnabled(job.state is not JobState.STOPPING)
            self.watch.setVisible(not self._session.following)
            self.line.show_fraction(job.fraction)
            self._bar.setCurrentIndex(1)
        else:
            result = shown.result if shown else None
            self.knows.setText(self.known_text(result) if result else "")
            self.facts.setText(self.facts_text(result) if result else "")
            for line in (self.knows, self.facts):
                line.setVisible(bool(line.text()))
            for button in (self.save, self.more):
                button.setVisible(result is not None)
            self.copy.setVisible(shown is not None)
            self.why.setVisible(shown is not None and shown.request is not None)
            self._bar.setCurrentIndex(0)
        self.line.setVisible(job is not None)
        needed = job is not None or shown is not None
        if needed != self._bar.isVisibleTo(self):
            self._bar.setVisible(needed)
            self._arrange()

    def progress_text(self, job: QueuedJob) -> str:
        """Return how far a job is: “12 of 20 · about 3 s”."""
        if job.state is JobState.STOPPING:
            return self.tr("Stopping…")
        if job.state is JobState.LOADING:
            return first_upper(job.text)
        if job.state is JobState.WAITING:
            # What takes so long is the engine's own start; without that the job begins at once.
            session = self._session
            before = session.queue.current
            if before and before is not job and before.title:
                return self.tr("Waiting for: {0}").format(before.title)
            ready = session.engine_state is EngineState.READY
            return self.tr("Waiting for the engine") if ready else session.engine_text
        if not job.index:
            return self.tr("Beginning")
        steps = max(1, job.total // max(1, job.count))
        parts = [self.tr("{0} of {1}").format(job.index - job.picture * steps, steps), time_left_text(job.seconds_left)]
        if job.count > 1:
            parts.insert(0, self.tr("picture {0} of {1}").format(job.picture + 1, job.count))
        text = " · ".join(part for part in parts if part)
        return first_upper(text)

    def known_text(self, result: Result) -> str:
        """Return how well the model knows the place: “Photo 12 m away · typicality 93 %”."""
        known = self._session.why.known(single_request(result)) or result  # the explanation's figure is the better one
        parts = (
            short_distance_text(result.photo_distance) if result.request.place else self.tr("no place"),
            short_typicality_text(known.typicality_rank, known.places_compared),
        )
        return first_upper(" · ".join(part for part in parts if part))

    def facts_text(self, result: Result) -> str:
        """Return what a person wants to know of a finished picture: “Seed 4711 · 20 steps · 2.9 s”."""
        request = result.request
        return self.tr("Seed {0} · {1} steps · {2} s").format(request.seed, request.steps, f"{result.seconds:.1f}")

    def _ask_save(self) -> None:
        if self._session.shown and self._session.shown.result:
            self.save_asked.emit(self._session.shown.result)

    def _ask_menu(self, point: object) -> None:
        if self._session.shown and self._session.shown.result:
            self.menu_asked.emit(self._session.shown.result, point)
