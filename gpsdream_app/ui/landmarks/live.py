"""A lift while it goes on: previews, plot, how long it still takes, and the buttons that pause, keep and end it."""

from __future__ import annotations

from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from gpsdream_app.ui.landmarks.lifts import LiftJob, Lifts, LiftState
from gpsdream_app.ui.landmarks.plot import LiftPlot, Trace
from gpsdream_app.ui.landmarks.preview import PreviewView
from gpsdream_app.ui.phrases import first_upper, one_line, percent_text, time_left_text, tooltip
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import ElidedLabel, TextButton

PLOT_HEIGHT, PLOT_LOW = 150, 96
LOW = 480  # of the whole view: below it the plot is low, too
NARROW = 420


class LiveView(QWidget):
    """What one job looks like; empty while there is none."""

    def __init__(self, theme: Theme, session: Session, lifts: Lifts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._lifts = session, lifts
        self._job: LiftJob | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(self._make_head(theme))
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(LINE_HEIGHT)
        column.addWidget(self.line)
        self.preview = PreviewView(theme, self)
        self.plot = LiftPlot(theme, self)
        self.plot.setFixedHeight(PLOT_HEIGHT)
        column.addWidget(self.preview, 1)
        column.addWidget(self.plot)
        lifts.changed.connect(self._changed)
        session.queue.changed.connect(self._show_words)

    def _make_head(self, theme: Theme) -> QBoxLayout:
        self.phase = ElidedLabel("", "strong", self)
        self.facts = ElidedLabel("", "small", self)
        self.pause = TextButton(theme, self.tr("Pause"), "pause", look="plain", parent=self)
        self.pause.setToolTip(tooltip(self.tr("Wait here (P). What is done is safe on the disk.")))
        self.pause.clicked.connect(self.toggle_pause)
        self.keep = TextButton(theme, self.tr("Stop and keep"), "check", look="plain", parent=self)
        self.keep.setToolTip(tooltip(self.tr("End now, and make a mesh of what there is.")))
        self.keep.clicked.connect(self._keep)
        self.cancel = TextButton(theme, self.tr("Cancel"), "stop", look="plain", parent=self)
        self.cancel.setToolTip(tooltip(self.tr("End without a mesh (Esc). It can go on another time.")))
        self.cancel.clicked.connect(self.end)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.phase)
        words.addWidget(self.facts)
        row = QHBoxLayout()
        row.setSpacing(SPACE_1)
        row.addStretch()
        for button in (self.pause, self.keep, self.cancel):
            row.addWidget(button)
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._head.setSpacing(SPACE_1)
        self._head.addLayout(words, 1)
        self._head.addLayout(row)
        return self._head

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the words a row to themselves where it is narrow, and the previews more where it is low."""
        super().resizeEvent(event)
        narrow = self.width() < NARROW
        wanted = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if self._head.direction() != wanted:
            self._head.setDirection(wanted)
        self.plot.setFixedHeight(PLOT_HEIGHT if self.height() >= LOW else PLOT_LOW)

    @property
    def job(self) -> LiftJob | None:
        """The job that is shown."""
        return self._job

    def show_job(self, job: LiftJob | None) -> None:
        """Show another job."""
        if job is self._job:
            return
        self._job = job
        self.preview.show_strip(job.strip if job else QImage())
        self.plot.show_trace(job.trace if job else Trace())
        if job:
            job.previewed.connect(self._show_preview)
        self.refresh()

    def refresh(self) -> None:
        """Follow the job."""
        job = self._job
        if job is None:
            return
        self._show_words()
        self.line.show_fraction(job.share)
        self.plot.show_trace(job.trace)
        paused = job.can_resume
        self.pause.setText(self.tr("Go on") if paused else self.tr("Pause"))
        self.pause.set_icon("play" if paused else "pause")
        self.pause.setEnabled(not job.is_ending)
        self.keep.setEnabled(job.can_keep)
        self.cancel.setEnabled(job.state is not LiftState.ENDING)

    def toggle_pause(self) -> None:
        """Have the lift wait or go on."""
        job = self._job
        if job is None:
            return
        if job.can_resume:
            self._lifts.resume(job)
        else:
            self._lifts.pause(job)

    def end(self) -> None:
        """End the lift without a mesh."""
        if self._job:
            self._lifts.cancel(self._job)

    def _keep(self) -> None:
        if self._job:
            self._lifts.keep(self._job)

    def _changed(self, landmark_id: str) -> None:
        if self._job and self._job.request.landmark.id == landmark_id:
            self.refresh()

    def _show_preview(self) -> None:
        if self._job and self.sender() is self._job:
            self.preview.show_strip(self._job.strip)

    def _show_words(self) -> None:
        job = self._job
        if job is None:
            return
        self.phase.setText(self.state_text(job))
        parts = []
        if job.steps and job.state in (LiftState.RUNNING, LiftState.PAUSING, LiftState.PAUSED):
            parts.append(self.tr("step {0} of {1}").format(f"{job.step:,}", f"{job.steps:,}"))
        if job.share and not job.is_ending:
            parts.append(percent_text(job.share))
        left = time_left_text(job.seconds_left)
        if left and job.state is LiftState.RUNNING:
            parts.append(self.tr("{0} left").format(left))
        drawn = self._session.queue.current
        if drawn is not None and job.state is LiftState.RUNNING:
            parts.append(self.tr("gives way to what is drawn"))
        self.facts.setText(" · ".join(parts))
        self.preview.say(self.waiting_text(job))

    def state_text(self, job: LiftJob) -> str:
        """Return in a few words what a lift is doing."""
        match job.state:
            case LiftState.WAITING:
                return self.tr("Waiting for its turn")
            case LiftState.LOADING:
                return first_upper(one_line(job.text)) or self.tr("Loading the model")
            case LiftState.PAUSING:
                return self.tr("Pausing…")
            case LiftState.PAUSED:
                return self.tr("Paused")
            case LiftState.KEEPING:
                return self.tr("Making a mesh of what there is…")
            case LiftState.ENDING:
                return self.tr("Ending…")
        return self.phase_text(job.phase)

    def phase_text(self, phase: str) -> str:
        """Return what a phase does; one that is not known is “Lifting”."""
        return {
            "draw": self.tr("Drawing views"),
            "fit": self.tr("Fitting the shape"),
            "update": self.tr("Drawing the views again"),
            "distil": self.tr("Shaping step by step"),
            "mesh": self.tr("Making the mesh"),
            "": self.tr("Beginning"),
        }.get(phase, self.tr("Lifting"))

    def waiting_text(self, job: LiftJob) -> str:
        """Return what stands where the previews will be."""
        if job.state is LiftState.WAITING:
            return self.tr("This lift waits for its turn. Explore and draw meanwhile.")
        if job.phase == "draw":
            return self.tr("The model draws the landmark from all sides. The shape comes next.")
        return self.tr("The first look at the shape comes in a moment. Explore and draw meanwhile.")
