"""The picture with the line below it: what is being drawn and how long it takes, or what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.results import Result
from gpsdream_app.ui.job_queue import JobState, QueuedJob
from gpsdream_app.ui.phrases import first_upper, place_text, time_left_text
from gpsdream_app.ui.picture_view import Lesson, PictureView
from gpsdream_app.ui.session import Session, Shown
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, TextButton


class ProgressLine(QWidget):
    """A thin line that fills from the left; empty it is not seen."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._fraction = 0.0
        self.setFixedHeight(3)
        self.setAccessibleName(self.tr("Progress"))
        theme.changed.connect(self.update)

    @property
    def fraction(self) -> float:
        """The share that is filled, 0 to 1."""
        return self._fraction

    def show_fraction(self, fraction: float) -> None:
        """Fill a share of the line, 0 to 1."""
        self._fraction = fraction
        self.setAccessibleDescription(f"{fraction:.0%}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        rect = QRectF(self.rect())
        painter.setBrush(self._theme.colour("line"))
        painter.drawRoundedRect(rect, 1.5, 1.5)
        painter.setBrush(self._theme.colour("accent"))
        rect.setWidth(rect.width() * self._fraction)
        painter.drawRoundedRect(rect, 1.5, 1.5)


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
        self._bar.setFixedHeight(32)
        self._bar.addWidget(self._make_actions(theme))
        self._bar.addWidget(self._make_progress(theme))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_1)
        column.addWidget(self.view, 1)
        column.addWidget(self.line)
        column.addWidget(self._bar)
        self.view.menu_asked.connect(self._ask_menu)
        session.shown_changed.connect(self._show)
        session.previewed.connect(self._preview)
        session.queue.changed.connect(self._progress)
        session.following_changed.connect(self._progress)
        session.library_read.connect(self._teach)
        session.form.when("place", self._teach)
        self._read = False
        session.library_read.connect(self._note_read)
        self._progress()

    def _make_actions(self, theme: Theme) -> QWidget:
        bar = QWidget(self)
        self.facts = ElidedLabel("", "small", bar)
        self.save = TextButton(theme, self.tr("Save…"), "save", look="plain", parent=bar)
        self.save.clicked.connect(self._ask_save)
        self.copy = TextButton(theme, self.tr("Copy"), "copy", look="plain", parent=bar)
        self.copy.clicked.connect(self.copy_asked)
        self.more = IconButton(theme, "more", self.tr("More for this picture"), parent=bar)
        self.more.clicked.connect(lambda: self._ask_menu(self.more.mapToGlobal(self.more.rect().bottomLeft())))
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_1)
        row.addWidget(self.facts, 1)
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
        return QSize(384, 384 + 40)

    # -- what is shown --

    def _show(self, shown: Shown | None) -> None:
        if shown is None:
            self.view.show_picture(self.view.image.__class__())
        else:
            self.view.show_picture(shown.image, shown.result)
        self._progress()

    def _preview(self, image: object) -> None:
        self.view.show_picture(image, preview=True)  # type: ignore[arg-type]

    def _note_read(self) -> None:
        self._read = True
        self._teach()

    def _teach(self) -> None:
        place = self._session.form.place
        if place:
            self.view.teach(Lesson.DRAW, place_text(place))
        else:
            self.view.teach(Lesson.PICK)

    def _progress(self) -> None:
        job, shown = self._session.queue.current or next(iter(self._session.queue.jobs), None), self._session.shown
        if job:
            self.progress.setText(self.progress_text(job))
            self.stop.setEnabled(job.state is not JobState.STOPPING)
            self.watch.setVisible(not self._session.following)
            self.line.show_fraction(job.fraction)
            self._bar.setCurrentIndex(1)
        else:
            result = shown.result if shown else None
            self.facts.setText(self.facts_text(result) if result else "")
            for button in (self.save, self.copy, self.more):
                button.setVisible(result is not None)
            self.copy.setVisible(shown is not None)
            self._bar.setCurrentIndex(0)
        self.line.setVisible(job is not None)
        self._bar.setVisible(job is not None or shown is not None)

    def progress_text(self, job: QueuedJob) -> str:
        """Return how far a job is: “12 of 20 · about 3 s”."""
        if job.state is JobState.STOPPING:
            return self.tr("Stopping…")
        if job.state is JobState.LOADING:
            return first_upper(job.text)
        if job.state is JobState.WAITING or not job.index:
            return self.tr("Waiting for the engine") if job.state is JobState.WAITING else self.tr("Beginning")
        steps = max(1, job.total // max(1, job.request.count))
        parts = [self.tr("{0} of {1}").format(job.index - job.picture * steps, steps), time_left_text(job.seconds_left)]
        if job.request.count > 1:
            parts.insert(0, self.tr("picture {0} of {1}").format(job.picture + 1, job.request.count))
        text = " · ".join(part for part in parts if part)
        return first_upper(text)

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
