"""The walk: where it goes, its frames as they come, and a player."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QCompleter, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS
from gpsdream_app.ui.filmstrip import cover
from gpsdream_app.ui.neighbourhoods.compare import CompareView
from gpsdream_app.ui.neighbourhoods.state import Neighbourhoods
from gpsdream_app.ui.neighbourhoods.walk import FRAMES, Walk
from gpsdream_app.ui.phrases import coordinates_text, heading_text, time_left_text
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import (
    ChipRow,
    ChoiceBox,
    ElidedLabel,
    IconButton,
    PrimaryButton,
    Segments,
    Slider,
    Stepper,
    TextButton,
    label,
)

TILE = 72
PAUSE_MILLISECONDS = 450


class WalkForm(QWidget):
    """Where the walk goes and what it looks at.

    Signals:
        draw_asked: the walk shall be drawn.
        line_asked: a line shall be drawn on the map.
    """

    draw_asked = Signal()
    line_asked = Signal()

    def __init__(self, theme: Theme, session: Session, place: Neighbourhoods, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._place, self._walk = session, place, place.walk
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(PAUSE_MILLISECONDS)
        self._typed.timeout.connect(self._take_words)
        self.street = ChoiceBox(theme, self.tr("Street to walk along"), self)
        self.street.setEditable(True)
        self.street.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        edit = self.street.lineEdit()
        assert edit is not None
        edit.setProperty("look", "bare")
        edit.setPlaceholderText(self.tr("A street or an avenue"))
        edit.returnPressed.connect(self._take_street)
        self.street.activated.connect(lambda _: self._take_street())
        self.line = TextButton(theme, self.tr("Draw a line on the map"), "route", parent=self)
        self.line.clicked.connect(self.line_asked)
        self.words = QLineEdit(self)
        self.words.setMaxLength(MAX_PROMPT_CHARACTERS)
        self.words.setPlaceholderText(self.tr("the places alone, without a word"))
        self.words.setAccessibleName(self.tr("What is drawn along the walk"))
        self.words.textEdited.connect(lambda _: self._typed.start())
        self.words.editingFinished.connect(self._take_words)
        self.words.returnPressed.connect(self._draw)
        self.chips = ChipRow(self)
        self.chips.clicked.connect(self._choose_word)
        self.frames = Stepper(theme, *FRAMES, self.tr("Pictures along the walk"), self)
        self.frames.number_changed.connect(lambda number: self._walk.change(count=number))
        self.side = Segments(
            theme,
            [
                ("photos", self.tr("Photos"), ""),
                ("left", self.tr("Left"), ""),
                ("right", self.tr("Right"), ""),
                ("ahead", self.tr("Ahead"), ""),
            ],
            self,
        )
        self.side.button("photos").setToolTip(self.tr("Where most photos along the way look"))
        self.side.chosen.connect(lambda key: self._walk.change(side=key))
        self.draw = PrimaryButton(theme, self.tr("Draw the walk"), self.tr("Ctrl+Enter"), self)
        self.draw.clicked.connect(self._draw)
        self.estimate = label("", "small", parent=self)
        self.estimate.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addWidget(label(self.tr("Where it goes"), "small", parent=self))
        column.addWidget(self.street)
        column.addWidget(self.line)
        column.addSpacing(SPACE_1)
        column.addWidget(label(self.tr("What is drawn"), "small", parent=self))
        column.addWidget(self.words)
        column.addWidget(self.chips)
        column.addSpacing(SPACE_1)
        grid = QGridLayout()
        grid.setVerticalSpacing(SPACE_1)
        grid.addWidget(label(self.tr("Looking"), "small", parent=self), 0, 0)
        grid.addWidget(self.side, 1, 0)
        grid.addWidget(label(self.tr("Pictures along the way"), "small", parent=self), 2, 0)
        grid.addWidget(self.frames, 3, 0)
        column.addLayout(grid)
        column.addStretch()
        column.addWidget(self.draw)
        column.addWidget(self.estimate)
        self._walk.changed.connect(self.refresh)
        self._walk.frames_changed.connect(self.refresh)
        place.book.read.connect(self._show_streets)
        session.model_changed.connect(self._show_words)
        self._show_streets()
        self._show_words()
        self.refresh()

    def _show_streets(self) -> None:
        names = self._place.book.streets
        if names and self.street.count() != len(names):
            self.street.blockSignals(True)
            self.street.clear()
            self.street.addItems(names)
            self.street.setCurrentIndex(-1)
            completer = QCompleter(names, self.street)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            self.street.setCompleter(completer)
            completer.activated.connect(lambda _: self._take_street())
            self.street.blockSignals(False)
        self.refresh()

    def _show_words(self, *_: object) -> None:
        card = self._session.card
        self.chips.show_words(list(card.words) if card else [])
        self.refresh()

    def refresh(self) -> None:
        """Follow the walk."""
        walk = self._walk
        edit = self.street.lineEdit()
        if edit is not None and not edit.hasFocus():
            edit.setText(walk.title)
        if self.words.text().strip() != walk.prompt and not self.words.hasFocus():
            self.words.setText(walk.prompt)
        self.chips.mark(lambda word: word.casefold() == walk.prompt.casefold())
        self.frames.show_number(walk.count)
        self.side.show_choice(walk.side)
        begun = 0 < walk.drawn < len(walk.paths)
        self.draw.setText(self.tr("Go on") if begun else self.tr("Draw the walk"))
        self.draw.setAccessibleName(self.draw.text())
        self.draw.setEnabled(walk.request is not None and walk.job is None and not walk.complete)
        self.draw.update()
        if walk.job is not None:
            text = ""
        elif walk.complete:
            text = self.tr("All pictures are there")
        elif begun:
            left = time_left_text(walk.estimate())
            text = self.tr("{0} of {1} are there, {2}").format(walk.drawn, len(walk.paths), left)
        elif walk.request:
            text = time_left_text(walk.estimate())
        else:
            text = self.tr("Choose a street or draw a line")
        self.estimate.setText(text)

    def _take_street(self) -> None:
        name = self.street.currentText().strip()
        if name and name != self._walk.title:
            self._walk.take_street(name)

    def _take_words(self) -> None:
        self._typed.stop()
        words = " ".join(self.words.text().split())
        if words != self._walk.prompt:
            self._walk.change(prompt=words)

    def _choose_word(self, word: str) -> None:
        again = self._walk.prompt.casefold() == word.casefold()
        self.words.setText("" if again else word)
        self._take_words()
        self.refresh()

    def _draw(self) -> None:
        self._take_words()
        self.draw_asked.emit()


class Strip(QWidget):
    """The frames side by side, the one that is shown in the middle of the rest.

    Signals:
        chosen: a frame was clicked.
    """

    chosen = Signal(int)

    def __init__(self, theme: Theme, walk: Walk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._walk = theme, walk
        self.setFixedHeight(TILE + 6)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("The frames of the walk"))
        for signal in (walk.frames_changed, walk.index_changed):
            signal.connect(self.update)
        theme.changed.connect(self.update)

    def first(self) -> int:
        """Return the frame at the left edge."""
        shown = max(1, self.width() // (TILE + 2))
        count = len(self._walk.paths)
        return min(max(0, self._walk.index - shown // 2), max(0, count - shown))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frames in sight."""
        walk, theme = self._walk, self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            for number in range(self.first(), len(walk.paths)):
                rect = self._rect(number)
                if rect.left() > self.width():
                    break
                image = walk.thumbnails[number]
                painter.fillRect(rect, theme.colour("sunken"))
                if not image.isNull():
                    painter.drawImage(rect, image, cover(image.size(), rect.size()))
                if number == walk.index:
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.setPen(QPen(theme.colour("accent"), 2))
                    painter.drawRect(QRectF(rect).adjusted(-1, -1, 1, 1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show the frame under the pointer."""
        point = event.position().toPoint()
        for number in range(self.first(), len(self._walk.paths)):
            if self._rect(number).contains(QPoint(point.x(), TILE // 2)):
                self.chosen.emit(number)
                return

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Go on or back."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if delta:
            self.chosen.emit(self._walk.index + (-1 if delta > 0 else 1))
            event.accept()

    def _rect(self, number: int) -> QRect:
        return QRect((number - self.first()) * (TILE + 2) + 2, 3, TILE, TILE)


class Scrubber(Slider):
    """The slider that goes through the frames."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right go one frame."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.setValue(self.value() + step)


class WalkPage(QWidget):
    """The player.

    Signals:
        save_asked: the film shall be saved.
        strip_asked: the strip shall be saved as a picture.
    """

    save_asked = Signal()
    strip_asked = Signal()

    def __init__(self, theme: Theme, session: Session, place: Neighbourhoods, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._place, self._walk = theme, place, place.walk
        walk = self._walk
        self.title = ElidedLabel("", "title", self)
        self.facts = ElidedLabel("", "muted", self)
        self.save = TextButton(theme, self.tr("Save as MP4…"), "film", parent=self)
        self.save.clicked.connect(self._save)
        self.save_strip = IconButton(theme, "save", self.tr("Save the strip as a picture"), parent=self)
        self.save_strip.clicked.connect(self.strip_asked)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        head.addLayout(words, 1)
        head.addWidget(self.save)
        head.addWidget(self.save_strip)
        self.progress = ElidedLabel("", "small", self)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", look="plain", parent=self)
        self.stop.clicked.connect(walk.stop)
        self.bar = ProgressLine(theme, self)
        self.bar.setFixedHeight(LINE_HEIGHT)
        running = QHBoxLayout()
        running.setSpacing(SPACE_2)
        running.addWidget(self.progress, 1)
        running.addWidget(self.stop)
        self.view = CompareView(theme, self)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.empty = label("", "muted", wrap=True, parent=self)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.play = IconButton(theme, "play", self.tr("Play"), size=20, parent=self)
        self.play.clicked.connect(self._toggle)
        self.scrubber = Scrubber(0, 1, 1, self)
        self.scrubber.setAccessibleName(self.tr("Frame"))
        self.scrubber.number_changed.connect(self._scrub)
        self.number = label("", "number", parent=self)
        controls = QHBoxLayout()
        controls.setSpacing(SPACE_2)
        controls.addWidget(self.play)
        controls.addWidget(self.scrubber, 1)
        controls.addWidget(self.number)
        self.strip = Strip(theme, walk, self)
        self.strip.chosen.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addLayout(running)
        column.addWidget(self.bar)
        column.addWidget(self.view, 1)
        column.addWidget(self.empty, 1)
        column.addLayout(controls)
        column.addWidget(self.strip)
        column.setSpacing(SPACE_3)
        walk.changed.connect(self.refresh)
        walk.frames_changed.connect(self.refresh)
        walk.index_changed.connect(self._show_frame)
        place.exporting_changed.connect(self.refresh)
        self._watch = QTimer(self)  # the film tells how far it is on another thread
        self._watch.setInterval(200)
        self._watch.timeout.connect(self.refresh)
        self.refresh()

    def sizeHint(self) -> QSize:
        """Room for a picture and the strip."""
        return QSize(420, 520)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many frames as fit."""
        super().resizeEvent(event)
        self.strip.update()

    def refresh(self) -> None:
        """Follow the walk."""
        walk = self._walk
        self.title.setText(walk.title or self.tr("A walk"))
        count, drawn = len(walk.paths), walk.drawn
        self.facts.setText(
            self.tr("{0} pictures, the same noise everywhere").format(count)
            if count
            else self.tr("Nothing planned yet")
        )
        self.save.setEnabled(drawn > 1 and walk.job is None)
        self.save.setText(self.tr("Cancel saving") if walk.saving is not None else self.tr("Save as MP4…"))
        self.save_strip.setEnabled(drawn > 1 and walk.job is None and not self._place.exporting)
        job = walk.job
        running = job is not None or walk.saving is not None
        for widget in (self.progress, self.bar):
            widget.setVisible(running)
        self.stop.setVisible(job is not None)
        if walk.saving is not None:
            self.progress.setText(self.tr("Writing the film"))
            self.bar.show_fraction(min(walk.saving, 1.0))
            if not self._watch.isActive():
                self._watch.start()
        else:
            self._watch.stop()
        if job is not None:
            left = time_left_text(job.seconds_left)
            text = self.tr("Stopping…") if job.stopping else self.tr("{0} of {1}").format(drawn, count)
            self.progress.setText(f"{text} · {left}" if left and not job.stopping else text)
            self.stop.setEnabled(not job.stopping)
            self.bar.show_fraction(max(job.fraction, drawn / count if count else 0.0))
        self.play.set_icon("pause" if walk.playing else "play")
        self.play.set_name(self.tr("Pause") if walk.playing else self.tr("Play (Space)"))
        self.play.setEnabled(drawn > 1)
        self.scrubber.setEnabled(count > 1)
        self.scrubber.show_range(0, max(1, count - 1))
        player: tuple[QWidget, ...] = (self.view, self.strip, self.play, self.scrubber, self.number)
        for part in player:
            part.setVisible(drawn > 0)
        self.empty.setVisible(drawn == 0)
        self.empty.setText(
            self.tr("The pictures appear here while they are drawn.")
            if job is not None
            else self.tr("Walk along a street: press Draw the walk, and watch the houses pass by.")
            if walk.line
            else self.tr("Choose a street at the left, or draw a line on the map.")
        )
        self._show_frame()

    def _show_frame(self) -> None:
        walk = self._walk
        self.scrubber.show_number(walk.index)
        self.number.setText(f"{walk.index + 1} / {len(walk.paths)}" if walk.paths else "")
        place = walk.place
        words = [coordinates_text(place.lat, place.lon), heading_text(place.heading)] if place else []
        caption = " · ".join(word for word in words if word)
        self.view.show_images(walk.image, caption)
        self.view.setAccessibleName(self.tr("Frame {0}").format(walk.index + 1))
        self.view.setAccessibleDescription(caption)
        self.view.setToolTip(caption)

    def toggle_playing(self) -> None:
        """Play, or pause."""
        self._toggle()

    def _toggle(self) -> None:
        if self._walk.playing:
            self._walk.pause()
        else:
            self._walk.play()

    def _scrub(self, number: float) -> None:
        self._choose(round(number))

    def _choose(self, number: int) -> None:
        self._walk.pause()
        self._walk.go_to(number)

    def _save(self) -> None:
        if self._walk.saving is not None:
            self._walk.cancel_saving()
        else:
            self.save_asked.emit()
