"""The part of the Photos place that trains: the form, and how a training goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.model_card import PLACES
from gpsdream_app.library.model_shelf import Base, bases
from gpsdream_app.library.training_runs import Run
from gpsdream_app.photos.catalogue import Collection
from gpsdream_app.photos.records import clean_text
from gpsdream_app.ui.job_queue import JobKind, OutsideJob
from gpsdream_app.ui.library.compare import PictureLook
from gpsdream_app.ui.models.loss_plot import LossPlot
from gpsdream_app.ui.models.training import Outcome, Training, TrainState
from gpsdream_app.ui.phrases import first_upper, percent_text, time_left_text
from gpsdream_app.ui.progress import ProgressLine
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import (
    ChoiceBox,
    ElidedLabel,
    IconButton,
    NumberEdit,
    PrimaryButton,
    Segments,
    TextButton,
    label,
)

FEWEST = 8  # photos that a training needs
MOST_MINUTES = 7 * 24 * 60
JOB = "training"  # its id among the jobs
NOTHING, BASE, MODEL = "nothing", "base", "model"


class TrainPart(QWidget):
    """Choose photos, a name, a size and a time; then watch the model learn.

    Signals:
        left: back to the photos.
        models_asked: the list of models shall be shown.
        seen_asked: the training shall be seen, from wherever one is.
    """

    left = Signal()
    models_asked = Signal()
    seen_asked = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session = theme, session
        self.training: Training = session.training
        self._collections: list[Collection] = []
        self._bases: list[Base] = []
        self._rows: list[QWidget] = []
        self.back = IconButton(theme, "back", self.tr("Back to the photos (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        self.models = TextButton(theme, self.tr("Models"), "quality", look="plain", parent=self)
        self.models.clicked.connect(self.models_asked)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        head.addWidget(self.back)
        head.addWidget(label(self.tr("Train a model"), "title", parent=self), 1)
        head.addWidget(self.models)
        scroll = QScrollArea(self)
        scroll.setObjectName("panelScroll")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget(scroll)
        body.setObjectName("panelBody")
        scroll.setWidget(body)
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, SPACE_2, 0)
        inner.setSpacing(SPACE_3)
        inner.addWidget(self._make_failure(theme))
        inner.addWidget(self._make_live(theme))
        inner.addWidget(self._make_form(theme))
        inner.addWidget(self._make_earlier())
        inner.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        self._tick = QTimer(self)
        self._tick.setInterval(1000)
        self._tick.timeout.connect(self._show_progress)
        training = self.training
        training.changed.connect(self._show)
        training.curve_changed.connect(self._show_curve)
        training.runs_changed.connect(self._show_runs)
        training.ended.connect(self._tell)
        session.model_changed.connect(lambda _: self._show_starts())
        self._show_curve()
        self._show_runs()
        self._show()

    # -- the parts --

    def _make_form(self, theme: Theme) -> QWidget:
        part = self.form = QFrame(self)
        part.setObjectName("card")
        self.name = QLineEdit(part)
        self.name.setAccessibleName(self.tr("Name of the model"))
        self.name.setPlaceholderText(self.tr("My street"))
        self.name.setMaxLength(80)
        self.photos = ChoiceBox(theme, self.tr("Photos"), part)
        self.photos.setMinimumContentsLength(16)
        self.photos.currentIndexChanged.connect(self._check)
        self.photos_text = label("", "small", wrap=True, parent=part)
        self.start = ChoiceBox(theme, self.tr("Start from"), part)
        self.start.setMinimumContentsLength(16)
        self.start.currentIndexChanged.connect(self._check)
        self.sizes = Segments(
            theme,
            [("small", self.tr("Small"), ""), ("medium", self.tr("Medium"), ""), ("large", self.tr("Large"), "")],
            part,
        )
        self.chosen_size = "small"
        self.sizes.show_choice(self.chosen_size)
        self.sizes.chosen.connect(self._choose_size)
        self.size_text = label("", "small", wrap=True, parent=part)
        self.minutes = NumberEdit(1, MOST_MINUTES, step=10, parent=part)
        self.minutes.setAccessibleName(self.tr("Minutes to train"))
        self.minutes.show_number(30)
        self.minutes.setFixedWidth(88)
        time_row = QHBoxLayout()
        time_row.setSpacing(SPACE_2)
        time_row.addWidget(self.minutes)
        time_row.addWidget(label(self.tr("minutes; afterwards it can go on"), "muted", parent=part), 1)
        self.begin = PrimaryButton(theme, self.tr("Begin to train"), "", part)
        self.begin.clicked.connect(self.begin_now)
        self.why_not = label("", "danger", wrap=True, parent=part)
        grid = QGridLayout(part)
        grid.setContentsMargins(SPACE_3, SPACE_3, SPACE_3, SPACE_3)
        grid.setHorizontalSpacing(SPACE_3)
        grid.setVerticalSpacing(SPACE_2)
        grid.setColumnStretch(1, 1)
        fields: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Name"), self.name),
            (self.tr("Photos"), self.photos),
            ("", self.photos_text),
            (self.tr("Start from"), self.start),
            (self.tr("Size"), self.sizes),
            ("", self.size_text),
        )
        for row, (word, widget) in enumerate(fields):
            if word:
                grid.addWidget(label(word, "muted", parent=part), row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(label(self.tr("Time"), "muted", parent=part), 6, 0)
        grid.addLayout(time_row, 6, 1)
        grid.addWidget(self.why_not, 7, 1)
        grid.addWidget(self.begin, 8, 0, 1, 2)
        return part

    def _make_live(self, theme: Theme) -> QWidget:
        part = self.live = QFrame(self)
        part.setObjectName("card")
        self.title = ElidedLabel("", "lead", part)
        self.progress = ElidedLabel("", "number", part)
        self.line = ProgressLine(theme, part)
        self.line.setFixedHeight(4)
        self.stop = TextButton(theme, self.tr("Stop and save"), "stop", parent=part)
        self.stop.clicked.connect(self.training.stop)
        self.resume = TextButton(theme, self.tr("Go on"), "play", parent=part)
        self.resume.clicked.connect(self._go_on)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        words = QVBoxLayout()
        words.setSpacing(SPACE_1)
        words.addWidget(self.title)
        words.addWidget(self.progress)
        head.addLayout(words, 1)
        head.addWidget(self.resume)
        head.addWidget(self.stop)
        self.plot = LossPlot(theme, part)
        self.plot.setFixedHeight(180)
        self.sheet = PictureLook(theme, part)
        self.sheet.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.sheet.setFixedHeight(220)
        self.sheet_text = label(
            self.tr("What it draws by now, of places and words that stay the same."), "small", wrap=True, parent=part
        )
        column = QVBoxLayout(part)
        column.setContentsMargins(SPACE_3, SPACE_3, SPACE_3, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(self.line)
        column.addWidget(self.plot)
        column.addWidget(self.sheet)
        column.addWidget(self.sheet_text)
        return part

    def _make_failure(self, theme: Theme) -> QWidget:
        part = self.failing = QFrame(self)
        part.setObjectName("card")
        self.failure_text = label("", "danger", wrap=True, parent=part)
        self.failure_hint = label("", "small", wrap=True, parent=part)
        self.close_failure = IconButton(theme, "close", self.tr("Dismiss"), size=16, parent=part)
        self.close_failure.clicked.connect(self.training.forget_failure)
        words = QVBoxLayout()
        words.addWidget(self.failure_text)
        words.addWidget(self.failure_hint)
        row = QHBoxLayout(part)
        row.addLayout(words, 1)
        row.addWidget(self.close_failure, 0, Qt.AlignmentFlag.AlignTop)
        return part

    def _make_earlier(self) -> QWidget:
        part = self.earlier = QWidget(self)
        self._earlier = QVBoxLayout(part)
        self._earlier.setContentsMargins(0, 0, 0, 0)
        self._earlier.setSpacing(SPACE_1)
        self._earlier.addWidget(label(self.tr("Earlier trainings"), "strong", parent=part))
        return part

    # -- coming --

    def open(self, collections: Sequence[Collection], chosen: Path | None) -> None:
        """Read what there is to start from, and offer the imported folders.

        Args:
            collections: the imported folders.
            chosen: the one that is looked at; None for any.
        """
        self.show_collections(collections)
        for number, collection in enumerate(self._collections):
            if collection.folder == chosen:
                self.photos.setCurrentIndex(number)
        self.training.read_runs()

        def found(known: list[Base]) -> None:
            self._bases = known
            self._show_starts()

        self._session.background.run(self, bases, found)
        self._show_starts()

    def show_collections(self, collections: Sequence[Collection]) -> None:
        """Offer the imported folders."""
        chosen = self._photos()
        self._collections = list(collections)
        self.photos.blockSignals(True)
        self.photos.clear()
        for number, collection in enumerate(self._collections):
            self.photos.addItem(f"{clean_text(collection.folder.name, 60)} ({collection.photos:,})", number)
            if chosen and collection.folder == chosen.folder:
                self.photos.setCurrentIndex(number)
        self.photos.blockSignals(False)
        if not self.name.text() and self._collections:
            self.name.setPlaceholderText(first_upper(clean_text(self._collections[0].folder.name, 40)))
        self._check()

    def _photos(self) -> Collection | None:
        number = self.photos.currentData()
        return self._collections[number] if number is not None and 0 <= number < len(self._collections) else None

    def _show_starts(self) -> None:
        chosen = self.start.currentData()
        self.start.blockSignals(True)
        self.start.clear()
        self.start.addItem(self.tr("Nothing: a model of its own"), (NOTHING, ""))
        for model in self._session.installed:
            if model.card.kind == PLACES:
                text = self.tr("The model “{0}”").format(clean_text(model.card.title, 50))
                self.start.addItem(text, (MODEL, str(model.path)))
        for base in self._bases:
            self.start.addItem(self.tr("The base {0}").format(clean_text(base.name, 50)), (BASE, str(base.path)))
        for number in range(self.start.count()):
            if self.start.itemData(number) == chosen:
                self.start.setCurrentIndex(number)
        self.start.blockSignals(False)
        self._check()

    # -- the form --

    def _choose_size(self, key: str) -> None:
        self.chosen_size = key
        self._check()

    def _used(self, collection: Collection) -> int:
        out = sum(bool(item.left_out) for item in self._session.photos.items if item.folder == collection.folder)
        return collection.photos - out

    def _check(self, *_: object) -> None:
        collection = self._photos()
        kind: str = (self.start.currentData() or (NOTHING, ""))[0]
        self.sizes.setEnabled(kind == NOTHING)
        texts = {
            "small": self.tr("Pictures of 64 pixels. For a first try, and for computers without a graphics card."),
            "medium": self.tr("Pictures of 128 pixels. An evening with a graphics card, a night or two without."),
            "large": self.tr("Pictures of 256 pixels. Needs a graphics card and many hours."),
        }
        if kind == MODEL:
            self.size_text.setText(self.tr("Size, words and area are those of the model that it goes on from."))
        elif kind == BASE:
            self.size_text.setText(self.tr("Adapters learn on top of the base. Needs a graphics card."))
        else:
            self.size_text.setText(texts[self.chosen_size])
        used = self._used(collection) if collection else 0
        if collection is None:
            self.photos_text.setText("")
            reason = self.tr("Import a folder of photos first.")
        else:
            out = collection.photos - used
            left = self.tr(", {0} left out").format(f"{out:,}") if out > 0 else ""
            self.photos_text.setText(self.tr("{0} photos are learned from").format(f"{used:,}") + left)
            reason = (
                self.tr("A training needs at least {0} photos with a place.").format(FEWEST) if used < FEWEST else ""
            )
        self.why_not.setText(reason)
        self.why_not.setVisible(bool(reason))
        self.begin.setEnabled(not reason and not self.training.running)

    def begin_now(self) -> None:
        """Begin a training as the form says."""
        collection = self._photos()
        if collection is None or self.training.running:
            return
        kind, path = self.start.currentData() or (NOTHING, "")
        self.training.begin(
            self.name.text().strip() or self.name.placeholderText(),
            collection.folder,
            self.chosen_size,
            self.minutes.number,
            base=path if kind == BASE else "",
            start=path if kind == MODEL else "",
            failed=self._refused,
        )

    def _refused(self, failure: Failure) -> None:
        self._session.notify_failure(failure)

    def _go_on(self) -> None:
        run = self.training.run
        if run:
            self.training.go_on(run, self.minutes.number)

    # -- how it goes --

    def _show(self) -> None:
        training = self.training
        running, run, failure = training.running, training.run, training.failure
        self.form.setVisible(not running)
        self.live.setVisible(run is not None)
        self.failing.setVisible(failure is not None)
        if failure:
            self.failure_text.setText(failure.message)
            self.failure_hint.setText(failure.hint)
            self.failure_hint.setVisible(bool(failure.hint))
        self.stop.setVisible(running)
        stopping = training.state is TrainState.STOPPING
        self.stop.setText(self.tr("End at once") if stopping else self.tr("Stop and save"))
        self.resume.setVisible(not running and run is not None and not run.finished)
        self.line.setVisible(running)
        if running and not self._tick.isActive():
            self._tick.start()
        elif not running:
            self._tick.stop()
        self._show_progress()
        self._show_runs()
        self._check()

    def _show_in_queue(self) -> None:
        """Have the training stand among the other jobs, as long as it runs."""
        queue, training, run = self._session.queue, self.training, self.training.run
        if not training.running or run is None:
            if any(job.job_id == JOB for job in queue.outside):
                queue.remove_outside(JOB)
            return
        title = self.tr("Training “{0}”").format(run.title)
        job = next((job for job in queue.outside if job.job_id == JOB), None)
        job = job or OutsideJob(JOB, JobKind.TRAIN, title, training.stop, self.seen_asked.emit)
        job.fraction, job.seconds_left = training.fraction, training.time_left
        job.text, job.stopping = self.progress.text(), training.state is TrainState.STOPPING
        queue.put_outside(job)

    def _show_progress(self) -> None:
        self._show_state()
        self._show_in_queue()

    def _show_state(self) -> None:
        training, run = self.training, self.training.run
        if run is None:
            return
        self.title.setText(run.title)
        if training.state is TrainState.STOPPING:
            text = self.tr("Saving what it has learned…")
        elif not training.running:
            steps = training.curve.steps
            done = self.tr("all its steps are done") if run.finished else self.tr("stopped; it can go on")
            text = self.tr("{0} steps · {1}").format(f"{steps:,}", done)
        elif training.text:
            share = percent_text(training.stage_fraction) if training.stage_fraction else ""
            text = " · ".join(part for part in (first_upper(training.text), share) if part)
        else:
            parts = [
                self.tr("Step {0} of {1}").format(f"{training.step:,}", f"{training.steps:,}"),
                self.tr("loss {0}").format(f"{training.loss:.3f}") if training.loss is not None else "",
                self.tr("{0} pictures per second").format(f"{training.rate:,.0f}") if training.rate else "",
            ]
            text = " · ".join(part for part in parts if part)
        left = time_left_text(training.time_left) if training.state is TrainState.RUNNING else ""
        self.progress.setText(" · ".join(part for part in (text, left) if part))
        self.line.show_fraction(training.fraction)

    def _show_curve(self) -> None:
        training = self.training
        self.plot.show_curve(training.curve)
        has_sheet = not training.sheet.isNull()
        self.sheet.setVisible(has_sheet)
        self.sheet_text.setVisible(has_sheet)
        self.sheet.show_images(training.sheet if has_sheet else QImage(), self.tr("Validation pictures"))
        if training.run:
            self._show_progress()

    def _show_runs(self) -> None:
        training = self.training
        for row in self._rows:
            self._earlier.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = []
        current = training.run.folder if training.run else None
        others = [run for run in training.runs if run.folder != current][:20] if not training.running else []
        for run in others:
            row = QWidget(self.earlier)
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(SPACE_1)
            state = self.tr("done") if run.finished else self.tr("can go on")
            name = ElidedLabel(f"{clean_text(run.title, 80)} · {clean_text(run.photos.name, 60)} · {state}", "", row)
            look = TextButton(self._theme, self.tr("Show"), "", look="plain", parent=row)
            look.setAccessibleName(self.tr("Show the training of {0}").format(run.title))
            look.clicked.connect(lambda _=False, run=run: training.show(run))
            gone = IconButton(self._theme, "trash", self.tr("Delete what is left of this training"), parent=row)
            gone.clicked.connect(lambda _=False, run=run: self._ask_discard(run))
            line.addWidget(name, 1)
            line.addWidget(look)
            line.addWidget(gone)
            self._earlier.addWidget(row)
            self._rows.append(row)
        self.earlier.setVisible(bool(others))

    def _ask_discard(self, run: Run) -> None:
        box = QMessageBox(self)
        box.setObjectName("discard")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("GPSDream")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("Delete the training of “{0}”?").format(run.title))
        box.setInformativeText(self.tr("It cannot go on any more. A model that came of it stays."))
        keep = box.addButton(self.tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        gone = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        gone.clicked.connect(lambda: self.training.discard(run))
        box.open()

    def _tell(self, outcome: Outcome) -> None:
        session, title = self._session, outcome.run.title
        if not outcome.model:
            text = self.tr("The training of “{0}” stopped before it could draw anything. It can go on.").format(title)
            session.notify(Notice(Tone.HINT, text))
            return
        session.refresh_models()
        if outcome.finished:
            text = self.tr("“{0}” has learned all that was planned, and is among the models.").format(title)
        else:
            text = self.tr("“{0}” is among the models as far as it has come; it can go on learning.").format(title)
        session.notify(Notice(Tone.HINT, text, "", self.tr("Use it now"), lambda: session.use_model(outcome.model)))
