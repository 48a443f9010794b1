"""The card with everything that goes on, waits, failed or was interrupted, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.job_queue import JobKind, JobState, OutsideJob, QueuedJob
from gpsdream_app.ui.phrases import one_line, percent_text, place_text, time_left_text, tooltip
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, Popover, TextButton, follow, label

QUEUE_WIDTH = 420
MAX_ROWS = 50  # more are only counted: nobody reads so many, and each is made of several widgets
LIST_HEIGHT = 440
BUTTON = 28
MARK = 18
MARKS = {
    JobKind.DRAW: "picture",
    JobKind.AVERAGE: "neighbourhoods",
    JobKind.WALK: "route",
    JobKind.LIFT: "landmark",
    JobKind.COMPARE: "alike",
    JobKind.TRAIN: "train",
    JobKind.EVALUATE: "quality",
}

Row = QueuedJob | OutsideJob


class JobRow(QWidget):
    """One job: what it does, how far it is, and the buttons for it.

    With the keyboard: Alt+Up and Alt+Down move a waiting job, Alt+Home puts it first, Alt+End last, Delete ends it.

    Signals:
        dragged: a person pulls a waiting job (its id, and where the pointer is in the row's parent, pixels from its
            top); the rows in between make way.
    """

    dragged = Signal(str, int)

    def __init__(self, theme: Theme, session: Session, job: Row, parent: QWidget) -> None:
        super().__init__(parent)
        self.job_id = job.job_id
        self._theme, self._session, self._job = theme, session, job
        self._pressed: QPoint | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        keeper = session.keeper
        self._mark = QLabel(self)
        self._mark.setFixedSize(MARK, MARK)
        self._name = ElidedLabel("", "strong", self)
        self._state = ElidedLabel("", "small", self)
        self._line = ProgressLine(theme, self)
        self._line.setFixedHeight(LINE_HEIGHT)
        self.resume = self._button("play", lambda: keeper.resume(self.job_id))
        self.pause = self._button("pause", self._pause_lift)
        self.first = self._button("first", lambda: keeper.put_first(self.job_id))
        self.more = self._button("more", lambda: self._open_menu(self.more.mapToGlobal(self.more.rect().bottomLeft())))
        self.show_place = self._button("open", self._show_outside)
        self.end = self._button("close", self._end)
        texts = QVBoxLayout()
        texts.setSpacing(1)
        texts.addWidget(self._name)
        texts.addWidget(self._state)
        texts.addSpacing(2)
        texts.addWidget(self._line)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_2, SPACE_1 + 1, SPACE_1, SPACE_1)
        row.setSpacing(0)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addSpacing(SPACE_2)
        row.addLayout(texts, 1)
        row.addSpacing(SPACE_1)
        for button in (self.resume, self.pause, self.show_place, self.first, self.more, self.end):
            row.addWidget(button)
        follow(theme, self._tint)
        self.show_job(job)

    def _button(self, icon_name: str, call: Callable[[], None]) -> IconButton:
        button = IconButton(self._theme, icon_name, "", size=16, parent=self)
        button.setFixedSize(BUTTON, BUTTON)
        button.clicked.connect(lambda: call())
        return button

    # -- what it shows --

    def show_job(self, job: Row) -> None:
        """Bring the row up to date."""
        self._job = job
        title, state = one_line(self._title(job)), self._state_text(job)
        self._name.setText(title)
        self._state.setText(state)
        waiting = self._waits
        runs = not waiting and not (isinstance(job, QueuedJob) and job.is_over)
        over = isinstance(job, QueuedJob) and job.is_over
        failed = isinstance(job, QueuedJob) and job.state is JobState.FAILED
        stopping = job.stopping if isinstance(job, OutsideJob) else job.state is JobState.STOPPING
        self._line.show_fraction(job.fraction)
        self._line.setVisible(runs)
        lift = isinstance(job, QueuedJob) and job.is_lift and runs and not stopping
        paused = isinstance(job, QueuedJob) and job.state is JobState.PAUSED
        self.pause.set_icon("play" if paused else "pause")
        name = (self.tr("Let go on: {0}") if paused else self.tr("Pause: {0}")).format(title)
        self.pause.set_name(name)
        self.resume.set_name((self.tr("Try again: {0}") if failed else self.tr("Resume: {0}")).format(title))
        self.first.set_name(self.tr("Put first: {0}").format(title))
        self.more.set_name(self.tr("More: {0}").format(title))
        self.show_place.set_name(self.tr("Show: {0}").format(title))
        self.end.set_name((self.tr("Discard: {0}") if over else self.tr("End: {0}")).format(title))
        self.resume.setVisible(over)
        self.pause.setVisible(lift)
        self.show_place.setVisible(isinstance(job, OutsideJob) and job.show is not None)
        others = [other.job_id for other in self._session.queue.waiting]
        self.first.setVisible(waiting)
        self.first.setEnabled(waiting and others[:1] != [self.job_id])
        self.more.setVisible(waiting)
        self.end.setEnabled(not stopping)
        self.setAccessibleName(title)
        self.setAccessibleDescription(state)
        if failed and isinstance(job, QueuedJob) and job.failure:
            self.setToolTip(tooltip(f"{job.failure.message}\n{job.failure.hint}".strip()))
        self.setCursor(Qt.CursorShape.OpenHandCursor if waiting and len(others) > 1 else Qt.CursorShape.ArrowCursor)

    @property
    def _waits(self) -> bool:
        return isinstance(self._job, QueuedJob) and self._job.state is JobState.WAITING

    def _title(self, job: Row) -> str:
        if job.title or isinstance(job, OutsideJob):
            return job.title
        if job.single is None:
            place = getattr(job.request, "place", None)
            landmark = getattr(job.request, "landmark", None)
            return place_text(place) if place else landmark.name if landmark else self.tr("Pictures")
        return place_text(job.single.place) if job.single.place else job.single.prompt

    def _state_text(self, job: Row) -> str:
        if isinstance(job, OutsideJob):
            text = self.tr("Stopping…") if job.stopping else job.text or percent_text(job.fraction)
            return " · ".join(part for part in (text, "" if job.stopping else time_left_text(job.seconds_left)) if part)
        states = {
            JobState.WAITING: self.tr("Waiting"),
            JobState.LOADING: self.tr("Loading the model"),
            JobState.DRAWING: self.tr("Drawing, {0} of {1}").format(job.index, job.total),
            JobState.PAUSED: self.tr("Paused"),
            JobState.STOPPING: self.tr("Stopping…"),
            JobState.INTERRUPTED: self.tr("Not finished"),
            JobState.FAILED: job.failure.message if job.failure else self.tr("Failed"),
        }
        if job.is_lift:
            states[JobState.DRAWING] = self.tr("Lifting, {0}").format(percent_text(job.fraction))
        elif job.kind is JobKind.COMPARE and not job.total:
            states[JobState.DRAWING] = self.tr("Comparing")
        left = time_left_text(job.seconds_left) if job.state is JobState.DRAWING else ""
        count = self.tr("{0} pictures").format(job.count) if job.count > 1 else ""
        words = one_line(job.single.prompt) if job.single and job.single.place else ""
        return " · ".join(part for part in (states[job.state], left, count, words) if part)

    def _tint(self) -> None:
        kind = self._job.kind
        failed = isinstance(self._job, QueuedJob) and self._job.state is JobState.FAILED
        ink: str = getattr(self._theme.palette, "danger" if failed else "text_muted")
        name = "warning" if failed else MARKS[kind]
        self._mark.setPixmap(icon_pixmap(name, ink, MARK, self.devicePixelRatioF()))

    # -- what it does --

    def _end(self) -> None:
        job, session = self._job, self._session
        if isinstance(job, OutsideJob):
            job.stop()
        elif job.is_over:
            session.keeper.discard(self.job_id)
        else:
            session.cancel(self.job_id)

    def _show_outside(self) -> None:
        if isinstance(self._job, OutsideJob) and self._job.show:
            self._job.show()

    def _pause_lift(self) -> None:
        engine = self._session.bridge.engine
        if isinstance(self._job, QueuedJob) and self._job.state is JobState.PAUSED:
            engine.resume(self.job_id)
        else:
            engine.pause(self.job_id)

    def _open_menu(self, point: QPoint) -> None:
        keeper, waiting = self._session.keeper, self._session.queue.waiting
        if not self._waits:
            return
        place = [job.job_id for job in waiting].index(self.job_id)
        last = place == len(waiting) - 1
        menu = Menu(self._theme, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, icon_name, call, keys, enabled in (
            (self.tr("Put first"), "first", lambda: keeper.put_first(self.job_id), self.tr("Alt+Home"), place > 0),
            (self.tr("Move up"), "up", lambda: keeper.step(self.job_id, -1), self.tr("Alt+Up"), place > 0),
            (self.tr("Move down"), "down", lambda: keeper.step(self.job_id, 1), self.tr("Alt+Down"), not last),
            (self.tr("Put last"), "last", lambda: keeper.move(self.job_id, None), self.tr("Alt+End"), not last),
            (self.tr("End"), "close", self._end, self.tr("Del"), True),
        ):
            menu.add(text, icon_name, call, keys).setEnabled(enabled)
        menu.popup(point)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with a waiting job."""
        self._open_menu(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, end or resume the job."""
        keeper, key = self._session.keeper, event.key()
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            keeper.step(self.job_id, -1 if key == Qt.Key.Key_Up else 1)
        elif alt and key == Qt.Key.Key_Home:
            keeper.put_first(self.job_id)
        elif alt and key == Qt.Key.Key_End:
            keeper.move(self.job_id, None)
        elif key == Qt.Key.Key_Delete and self.end.isEnabled():
            self._end()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focusNextPrevChild(key == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of a waiting job."""
        if event.button() == Qt.MouseButton.LeftButton and self._waits:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull a waiting job up or down."""
        if self._pressed is None:
            return
        point = event.position().toPoint()
        if (point - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.dragged.emit(self.job_id, self.mapToParent(point).y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of it."""
        self._pressed = None
        self.show_job(self._job)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show the focus no more."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a ring round the row that has the focus."""
        if self.hasFocus():
            with QPainter(self) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(self._theme.colour("accent"), 2))
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)


class QueuePopover(Popover):
    """All jobs: those that an earlier run left, those that go on, those that wait, those that failed."""

    def __init__(self, theme: Theme, session: Session, window: QWidget) -> None:
        super().__init__(theme, window, window.tr("Queue"))
        self.setFixedWidth(QUEUE_WIDTH)
        self.column.setContentsMargins(SPACE_3, SPACE_3, SPACE_3, SPACE_3)
        self._session = session
        self._rows: dict[str, JobRow] = {}
        self._shown: list[str] = []
        self.hold = TextButton(theme, "", "pause", look="plain", parent=self)
        self.hold.clicked.connect(lambda: session.keeper.hold(not session.queue.held))
        self.more = IconButton(theme, "more", self.tr("More"), size=16, parent=self)
        self.more.setFixedSize(BUTTON, BUTTON)
        self.more.clicked.connect(self._open_menu)
        self.summary = label("", "small", wrap=True)
        self.left = label("", "strong", wrap=True)
        self.resume_all = TextButton(theme, self.tr("Resume all"), "play", parent=self)
        self.resume_all.clicked.connect(session.keeper.resume_all)
        self.discard_all = TextButton(theme, self.tr("Discard all"), "trash", parent=self)
        self.discard_all.clicked.connect(self._discard_interrupted)
        self.empty = label(
            self.tr("Nothing is being drawn. What you draw next waits here for its turn."), "muted", wrap=True
        )
        self.rest = label("", "small")
        self.all = TextButton(theme, self.tr("End all"), "stop", parent=self)
        self.all.clicked.connect(session.cancel_all)
        head = QHBoxLayout()
        head.setContentsMargins(SPACE_1, 0, 0, 0)
        head.addWidget(label(self.tr("Queue"), "lead"), 1)
        head.addWidget(self.hold)
        head.addWidget(self.more)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        buttons.addWidget(self.resume_all, 1)
        buttons.addWidget(self.discard_all, 1)
        self._left_box = QWidget(self)
        left = QVBoxLayout(self._left_box)
        left.setContentsMargins(SPACE_1, 0, SPACE_1, SPACE_1)
        left.setSpacing(SPACE_2)
        left.addWidget(self.left)
        left.addLayout(buttons)
        self._body = QWidget()
        self._body.setObjectName("queueBody")
        self._body.setStyleSheet("#queueBody { background: transparent; }")
        self._list = QVBoxLayout(self._body)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._scroll = QScrollArea(self)
        self._scroll.setWidget(self._body)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.viewport().setAutoFillBackground(False)
        self.column.addLayout(head)
        self.column.addWidget(self.summary)
        self.column.addWidget(self._left_box)
        self.column.addWidget(self.empty)
        self.column.addWidget(self._scroll)
        self.column.addWidget(self.rest)
        self.column.addWidget(self.all)
        for text in (self.summary, self.empty, self.rest):
            text.setContentsMargins(SPACE_1, 0, SPACE_1, 0)
        # A thousand jobs that are ended at once are shown once.
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.timeout.connect(self._show)
        session.queue.changed.connect(self._show_soon)
        self._show()

    @property
    def rows(self) -> list[JobRow]:
        """The rows in sight."""
        return [self._rows[job_id] for job_id in self._shown]

    def open_beside(self, opener: QWidget) -> None:
        """Show the card as things stand now."""
        self._show()
        super().open_beside(opener)

    def _show_soon(self) -> None:
        if not self._due.isActive():
            self._due.start()

    def _all(self) -> list[Row]:
        queue = self._session.queue
        running = [job for job in queue.jobs if job.state is not JobState.WAITING]
        failed = [job for job in queue.over if job.state is JobState.FAILED]
        return [*queue.interrupted, *running, *queue.outside, *queue.waiting, *failed]

    def _show(self) -> None:
        queue, jobs = self._session.queue, self._all()
        shown = jobs[:MAX_ROWS]
        ids = [job.job_id for job in shown]
        for job in shown:
            row = self._rows.get(job.job_id)
            if row is None:
                row = self._rows[job.job_id] = JobRow(self.theme, self._session, job, self._body)
                row.dragged.connect(self._drag)
            else:
                row.show_job(job)
        if ids != self._shown:
            for job_id in [job_id for job_id in self._rows if job_id not in ids]:
                row = self._rows.pop(job_id)
                self._list.removeWidget(row)
                row.hide()
                row.deleteLater()
            before: QWidget = self.discard_all
            for number, job_id in enumerate(ids):
                # Rows that stay are moved, not made anew: one of them may have the focus, or be under a hand.
                self._list.insertWidget(number, self._rows[job_id])
                self._rows[job_id].show()
                QWidget.setTabOrder(before, self._rows[job_id])
                before = self._rows[job_id].end
            self._shown = ids
        self._show_summary()
        self.empty.setVisible(not jobs)
        self.rest.setText(self.tr("and {0} more").format(len(jobs) - MAX_ROWS))
        self.rest.setVisible(len(jobs) > MAX_ROWS)
        self.all.setVisible(len(queue) > 1)
        self._scroll.setVisible(bool(jobs))
        self._list.activate()
        parent = self.parentWidget()
        room = max(120, (parent.height() if parent else LIST_HEIGHT) - 260)
        self._scroll.setFixedHeight(min(self._body.sizeHint().height(), LIST_HEIGHT, room))
        self.fit()

    def _show_summary(self) -> None:
        queue = self._session.queue
        waiting, interrupted = len(queue.waiting), queue.interrupted
        parts = [self.tr("{0} waiting").format(waiting)] if waiting else []
        if queue.held:
            parts.insert(0, self.tr("Paused: what goes on is finished, nothing new is begun"))
        elif waiting:
            left = time_left_text(queue.seconds_left)
            parts += [self.tr("{0} for everything").format(left)] if left else []
        self.summary.setText(" · ".join(parts))
        self.summary.setVisible(bool(parts))
        self.hold.setText(self.tr("Go on") if queue.held else self.tr("Pause"))
        self.hold.set_icon("play" if queue.held else "pause")
        self.hold.setAccessibleName(self.tr("Go on with the queue") if queue.held else self.tr("Pause the queue"))
        self.hold.setVisible(bool(queue) or queue.held)
        self.more.setVisible(bool(queue) or bool(queue.over))
        self._left_box.setVisible(bool(interrupted))
        self.left.setText(
            self.tr("One job was not finished last time.")
            if len(interrupted) == 1
            else self.tr("{0} jobs were not finished last time.").format(len(interrupted))
        )
        several = len(interrupted) > 1
        self.resume_all.setText(self.tr("Resume all") if several else self.tr("Resume"))
        self.discard_all.setText(self.tr("Discard all") if several else self.tr("Discard"))

    def _open_menu(self) -> None:
        menu = self.make_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def make_menu(self) -> Menu:
        """Return the menu with what can be done to many jobs at once."""
        session, queue = self._session, self._session.queue
        failed = [job.job_id for job in queue.over if job.state is JobState.FAILED]
        menu = Menu(self.theme, self)
        menu.add(self.tr("End all but what goes on"), "stop", session.cancel_waiting).setEnabled(bool(queue.waiting))
        menu.add(self.tr("End all"), "stop", session.cancel_all).setEnabled(bool(queue))
        menu.addSeparator()
        menu.add(self.tr("Try all failed again"), "play", lambda: session.keeper.resume(*failed)).setEnabled(
            bool(failed)
        )
        menu.add(self.tr("Discard all failed"), "trash", lambda: session.keeper.discard(*failed)).setEnabled(
            bool(failed)
        )
        return menu

    def _discard_interrupted(self) -> None:
        self._session.keeper.discard(*(job.job_id for job in self._session.queue.interrupted))

    def _drag(self, job_id: str, y: int) -> None:
        """Let a waiting job change places with the one that it was pulled over."""
        waiting = [job.job_id for job in self._session.queue.waiting]
        rows = [self._rows[one] for one in waiting if one in self._rows]
        if job_id not in waiting:
            return
        above = sum(1 for row in rows if row.job_id != job_id and row.geometry().center().y() < y)
        places = above - waiting.index(job_id)
        if places:
            self._session.keeper.step(job_id, places)
