"""The form: place, words, how many, which seed, how closely to follow what; the exact numbers are folded away."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QRegularExpression, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QKeyEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextOption,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.requests import MAX_GUIDANCE, MAX_PICTURES, MAX_PROMPT_CHARACTERS, MAX_SEED, MAX_STEPS
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.phrases import (
    FAR_METRES,
    VERY_FAR_METRES,
    coordinates_text,
    distance_text,
    heading_text,
    one_line,
    short_distance_text,
    tooltip,
    unknown_words_text,
)
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.state import new_seed
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import CONTROL_HEIGHT, SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import (
    ChipRow,
    ElidedLabel,
    FieldBox,
    IconButton,
    NumberEdit,
    Slider,
    Stepper,
    TextButton,
    follow,
    label,
    set_look,
)

COUNT_FROM = MAX_PROMPT_CHARACTERS * 4 // 5
SLIDER_STEPS = (4, 60)
PAUSE_MILLISECONDS = 700
MAX_UNDERLINED = 100
SMALLEST_RANGE = 4.0


class TextEdit(QPlainTextEdit):
    """Plain text that grows with its lines, from two to a few; Tab leaves it.

    Signals:
        draw_asked: Ctrl+Enter was pressed.
    """

    draw_asked = Signal()

    def __init__(self, lines: tuple[int, int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines = lines
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        self._grow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Enter draws and writes no line break."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.draw_asked.emit()
        else:
            super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Take text that is dropped or pasted, but no files: a dropped picture is for the window."""
        return not source.hasUrls() and super().canInsertFromMimeData(source)

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(80, self.minimumHeight())

    def _grow(self, *_: object) -> None:
        low, high = self._lines
        lines = min(max(round(self.document().size().height()), low), high)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 16)

    def changeEvent(self, event: object) -> None:
        """Measure anew when the font is another one."""
        super().changeEvent(event)  # type: ignore[arg-type]
        self._grow()


class WordsNote(ElidedLabel):
    """The line above the chips: what they are, or which words of the prompt the model has not learned.

    It has one line whatever it says, so that nothing moves while somebody writes.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "small", parent)
        self._has_words = False
        self._unknown: tuple[str, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """The words that are told to be unknown."""
        return self._unknown

    @property
    def has_words(self) -> bool:
        """Whether there are chips below."""
        return self._has_words

    @has_words.setter
    def has_words(self, has_words: bool) -> None:
        self._has_words = has_words
        self._say()

    def show_unknown(self, words: Sequence[str]) -> None:
        """Say that these words are not known."""
        if tuple(words) != self._unknown:
            self._unknown = tuple(words)
            self._say()
            if words:
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.accessibleName()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say as much as fits."""
        super().resizeEvent(event)
        self._say()

    def _say(self) -> None:
        sentence, rest = unknown_words_text(self._unknown)
        whole = f"{sentence} {rest}".strip() or self.tr("Words that this model has learned")
        fits = self.fontMetrics().horizontalAdvance(whole) <= self.contentsRect().width()
        set_look(self, "look", "accent" if sentence else "small")
        self.setText(whole if fits or not sentence else sentence)
        if sentence:
            self.setToolTip(tooltip(whole))
        self.setAccessibleName(whole)
        self.setVisible(self._has_words or bool(sentence))


class PlaceRow(QWidget):
    """The chosen place: its name, its coordinates and direction, and what the model knows of it."""

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session = theme, session
        self._mark = QLabel(self)
        self._mark.setFixedSize(20, 20)
        self.name = ElidedLabel("", "strong", self)
        self.where = ElidedLabel("", "small", self)
        self.clear = IconButton(theme, "close", self.tr("Forget this place"), size=16, parent=self)
        self.clear.clicked.connect(lambda: session.form.set_place(None))
        self._warning_box = QFrame(self)
        self._warning_box.setObjectName("notice")
        self.note = label("", "accent", wrap=True, parent=self._warning_box)
        self.move_pin = TextButton(
            theme, self.tr("Move to the nearest photo"), "pin", look="link", colour="accent", parent=self._warning_box
        )
        self.move_pin.clicked.connect(session.move_to_photos)
        self._warning_column = QVBoxLayout(self._warning_box)
        self._warning_column.setSpacing(SPACE_1)
        self._warning_column.addWidget(self.note)
        self._warning_column.addWidget(self.move_pin, 0, Qt.AlignmentFlag.AlignLeft)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.name)
        words.addWidget(self.where)
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        row.addWidget(self._mark)
        row.addLayout(words, 1)
        row.addWidget(self.clear)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_1)
        column.addLayout(row)
        column.addWidget(self._warning_box)
        session.model_changed.connect(self.refresh)
        session.form.when("place place_failure prompt", self.refresh)
        follow(theme, self._tint)

    def refresh(self, *_: object) -> None:
        """Say again where the place is and what is known of it."""
        form, session = self._session.form, self._session
        place, failure = form.place, form.place_failure
        self.clear.setVisible(place is not None or failure is not None)
        look, note, far = "accent", "", False
        if failure:
            self.name.setText(self.tr("That is not a place"))
            self.where.setText("")
            # Unfolded, the fields themselves have the sentence below them.
            look, note = "danger", "" if session.settings.advanced_open else f"{failure.message} {failure.hint}".strip()
        elif place is None:
            self.name.setText(self.tr("No place chosen"))
            self.where.setText(self.tr("Click the map, search, or type coordinates"))
            if form.prompt.strip():
                note = self.tr("Without a place the picture follows the words alone.")
        else:
            where = coordinates_text(place.lat, place.lon)
            self.name.setText(place.name or where)
            metres = session.photo_distance()
            parts = (where if place.name else "", short_distance_text(metres), heading_text(place.heading))
            self.where.setText(" · ".join(part for part in parts if part))
            far = session.outside_box() or (metres is not None and metres >= VERY_FAR_METRES)
            note = self._warning(metres)
        self.where.setVisible(bool(self.where.text()))
        set_look(self.note, "look", look)
        self.note.setText(note)
        self._warning_box.setVisible(bool(note))
        set_look(self._warning_box, "tone", "hint" if far else "quiet")
        margins = (SPACE_3, SPACE_2, SPACE_2, SPACE_2) if far else (0, 0, 0, 0)
        self._warning_column.setContentsMargins(*margins)
        self.move_pin.setVisible(far and session.photo_distance() is not None)
        self._tint()

    def _warning(self, metres: float | None) -> str:
        title = self._session.card.title if self._session.card else ""
        if self._session.outside_box():
            if metres is None:
                return self.tr("Outside the area that “{0}” knows: the picture will be a guess.").format(title)
            return self.tr(
                "Outside the area that “{0}” knows, {1} from the nearest photo: the picture will be a guess."
            ).format(title, distance_text(metres))
        if metres is not None and metres >= FAR_METRES:
            return self.tr("{0} from the nearest photo that the model has seen: the picture will be a guess.").format(
                distance_text(metres)
            )
        return ""

    def _tint(self) -> None:
        palette = self._theme.palette
        if self._session.form.place_failure:
            name, ink = "warning", palette.danger
        else:
            name, ink = "pin", palette.accent if self._session.form.place else palette.text_faint
        self._mark.setPixmap(icon_pixmap(name, ink, 20, self.devicePixelRatioF()))


class Labelled(QWidget):
    """A slider under its name."""

    def __init__(self, name: str, slider: Slider, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = slider
        self.caption = ElidedLabel(name, "small", self)
        slider.setAccessibleName(name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.caption)
        column.addWidget(slider)


class FormPanel(QWidget):
    """The form.

    Signals:
        draw_asked: Ctrl+Enter was pressed in a text.
        unfolded: the exact numbers were unfolded or folded away.
    """

    draw_asked = Signal()
    unfolded = Signal(bool)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session, self._form = theme, session, session.form
        column = QVBoxLayout(self)
        # The widget's own margins are the scroll area's business.
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2 + 2)
        self.place = PlaceRow(theme, session, self)
        column.addWidget(self.place)
        column.addLayout(self._make_words())
        column.addLayout(self._make_numbers(theme))
        column.addLayout(self._make_sliders())
        column.addLayout(self._make_fold(theme))
        column.addWidget(self._make_advanced())
        column.addStretch()
        self._bind()
        self.advanced.setVisible(session.settings.advanced_open)
        self.fold.setChecked(session.settings.advanced_open)
        self._turn_arrow()

    # -- the parts --

    def _make_words(self) -> QVBoxLayout:
        self.prompt = TextEdit((2, 4), self)
        self.prompt.setAccessibleName(self.tr("What you would like to see"))
        self.prompt.draw_asked.connect(self.draw_asked)
        self.prompt_note = label("", "small", wrap=True, parent=self)
        self.words_note = WordsNote(self)
        self.chips = ChipRow(self)
        self.chips.show_words(())
        # Nobody is told that a word is not known while it is still being written.
        self._words_due = QTimer(self)
        self._words_due.setSingleShot(True)
        self._words_due.setInterval(PAUSE_MILLISECONDS)
        self._words_due.timeout.connect(self._show_unknown)
        box = QVBoxLayout()
        box.setSpacing(SPACE_2)
        box.addWidget(self.prompt)
        box.addWidget(self.prompt_note)
        box.addWidget(self.words_note)
        box.addWidget(self.chips)
        return box

    def _make_numbers(self, theme: Theme) -> QHBoxLayout:
        self.count = Stepper(theme, 1, MAX_PICTURES, self.tr("Number of pictures"), self)
        self.count.setToolTip(tooltip(self.tr("How many pictures to draw, each with the next seed")))
        pictures = label(self.tr("Pictures"), "small", parent=self.count)
        pictures.setContentsMargins(SPACE_2, 0, 0, 0)
        self.count.row.insertWidget(0, pictures)
        self.seed_box = FieldBox(self)
        caption = label(self.tr("Seed"), "small", parent=self.seed_box)
        caption.setContentsMargins(SPACE_2, 0, SPACE_1 + 2, 0)
        self.seed = NumberEdit(0, MAX_SEED, parent=self.seed_box)
        self.seed.setProperty("look", "bare")
        self.seed.setAccessibleName(self.tr("Seed"))
        self.dice = IconButton(theme, "dice", self.tr("Take another seed"), parent=self.seed_box)
        self.lock = IconButton(theme, "unlock", self.tr("Keep this seed"), parent=self.seed_box)
        self.lock.setCheckable(True)
        for button in (self.dice, self.lock):
            button.setFixedSize(CONTROL_HEIGHT - 4, CONTROL_HEIGHT - 4)
        self.seed_box.row.addWidget(caption)
        self.seed_box.add(self.seed, 1)
        self.seed_box.row.addWidget(self.dice)
        self.seed_box.row.addWidget(self.lock)
        self.seed_box.setToolTip(
            tooltip(self.tr("The same seed with the same place and words gives the same picture again."))
        )
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        row.addWidget(self.count, 4)
        row.addWidget(self.seed_box, 5)
        return row

    def _make_sliders(self) -> QHBoxLayout:
        self.detail = Labelled(self.tr("Detail"), Slider(*SLIDER_STEPS, scale=1, parent=self), self)
        self.follow_place = Labelled(self.tr("Follow the place"), Slider(0, 15, parent=self), self)
        self.follow_words = Labelled(self.tr("Follow the words"), Slider(0, 15, parent=self), self)
        row = QHBoxLayout()
        row.setSpacing(SPACE_4)
        for part in (self.follow_place, self.follow_words, self.detail):
            row.addWidget(part, 1)
        return row

    def _make_fold(self, theme: Theme) -> QHBoxLayout:
        self.fold = TextButton(theme, self.tr("Advanced"), "right", look="fold", parent=self)
        self.fold.setCheckable(True)
        self.fold.toggled.connect(self._fold)
        self.fold_row = QHBoxLayout()
        self.fold_row.setSpacing(SPACE_2)
        self.fold_row.addWidget(self.fold)
        self.fold_row.addStretch()
        return self.fold_row

    def _make_advanced(self) -> QFrame:
        self.advanced = QFrame(self)
        self.latitude = QLineEdit(self.advanced)
        self.longitude = QLineEdit(self.advanced)
        self.heading = QLineEdit(self.advanced)
        self.heading.setPlaceholderText(self.tr("any"))
        self.place_error = label("", "danger", wrap=True, parent=self.advanced)
        self.steps = NumberEdit(1, MAX_STEPS, parent=self.advanced)
        self.place_guidance = NumberEdit(0, MAX_GUIDANCE, decimals=2, step=0.5, parent=self.advanced)
        self.text_guidance = NumberEdit(0, MAX_GUIDANCE, decimals=2, step=0.5, parent=self.advanced)
        self.negative = TextEdit((1, 3), self.advanced)
        self.negative.setPlaceholderText(self.tr("Words that the picture keeps away from"))
        self.negative.draw_asked.connect(self.draw_asked)
        self.negative_note = label("", "danger", wrap=True, parent=self.advanced)
        grid = QGridLayout(self.advanced)
        grid.setContentsMargins(0, 0, 0, SPACE_1)
        grid.setHorizontalSpacing(SPACE_2)
        grid.setVerticalSpacing(SPACE_1)
        fields: tuple[tuple[QLineEdit, str, str], ...] = (
            (self.latitude, self.tr("Latitude"), self.tr("Degrees, north positive, for example 40.7411")),
            (self.longitude, self.tr("Longitude"), self.tr("Degrees, east positive, for example -73.9897")),
            (
                self.heading,
                self.tr("Direction"),
                self.tr("Where you look, in degrees clockwise from north; empty for any"),
            ),
            (self.place_guidance, self.tr("Place weight"), self.tr("w_g: how closely to follow the place")),
            (self.text_guidance, self.tr("Words weight"), self.tr("w_p: how closely to follow the words")),
            (self.steps, self.tr("Steps"), self.tr("Denoising steps: more take longer and show more detail")),
        )
        for number, (field, name, help_text) in enumerate(fields):
            caption = label(name, "small", parent=self.advanced)
            caption.setBuddy(field)
            field.setAccessibleName(name)
            field.setToolTip(tooltip(help_text))
            row = 3 * (number // 3)
            grid.addWidget(caption, row, number % 3)
            grid.addWidget(field, row + 1, number % 3)
        grid.addWidget(self.place_error, 2, 0, 1, 3)
        caption = label(self.tr("Keep away from"), "small", parent=self.advanced)
        caption.setBuddy(self.negative)
        self.negative.setAccessibleName(self.tr("Keep away from"))
        grid.addWidget(caption, 6, 0, 1, 3)
        grid.addWidget(self.negative, 7, 0, 1, 3)
        grid.addWidget(self.negative_note, 8, 0, 1, 3)
        return self.advanced

    # -- form and widgets follow each other --

    def _bind(self) -> None:
        form = self._form
        self.prompt.textChanged.connect(self._prompt_edited)
        self.negative.textChanged.connect(self._negative_edited)
        self.count.number_changed.connect(lambda number: setattr(form, "count", number))
        self.seed.number_changed.connect(self._seed_edited)
        self.dice.clicked.connect(self._roll)
        self.lock.toggled.connect(lambda locked: setattr(form, "seed_locked", locked))
        for field in (self.latitude, self.longitude, self.heading):
            field.textEdited.connect(self._place_edited)
        for steps in (self.detail.slider, self.steps):
            steps.number_changed.connect(lambda number: setattr(form, "steps", int(number)))
        for weight in (self.follow_place.slider, self.place_guidance):
            weight.number_changed.connect(lambda number: setattr(form, "place_guidance", number))
        for weight in (self.follow_words.slider, self.text_guidance):
            weight.number_changed.connect(lambda number: setattr(form, "text_guidance", number))
        self.chips.clicked.connect(self._toggle_word)
        self._session.model_changed.connect(self._show_model)
        form.when("prompt negative_prompt", self._show_words)
        form.when("count seed seed_locked", self._show_numbers)
        form.when("steps place_guidance text_guidance", self._show_weights)
        form.when("latitude_text longitude_text heading_text place_failure", self._show_place)
        self._show_model()

    def _prompt_edited(self) -> None:
        self._form.prompt = self.prompt.toPlainText()

    def _negative_edited(self) -> None:
        self._form.negative_prompt = self.negative.toPlainText()

    def _seed_edited(self, number: float) -> None:
        # Who types a seed wants that one.
        self._form.seed = int(number)
        self._form.seed_locked = True

    def _roll(self) -> None:
        self._form.seed = new_seed()

    def _place_edited(self) -> None:
        self._form.type_place(self.latitude.text(), self.longitude.text(), self.heading.text())

    def _toggle_word(self, word: str) -> None:
        self._form.toggle_word(word)
        self._show_words()

    def _show_model(self, *_: object) -> None:
        card = self._session.card
        self.chips.show_words(card.words if card else ())
        self.words_note.has_words = bool(card and card.words)
        if card:
            # What the model recommends stands in the middle: left is freer, right is closer.
            for part, name in ((self.follow_place, "place_guidance"), (self.follow_words, "text_guidance")):
                usual = float(card.defaults.get(name, getattr(self._form, name)))
                part.slider.show_range(0.0, min(max(2 * usual, SMALLEST_RANGE), MAX_GUIDANCE))
            self._show_weights()
        example = next((one_line(item.prompt) for item in card.examples if item.prompt), "") if card else ""
        if example:
            self.prompt.setPlaceholderText(
                self.tr("What would you like to see there? For example: {0}").format(example)
            )
        else:
            self.prompt.setPlaceholderText(self.tr("What would you like to see there?"))
        self._show_words()

    def _show_unknown(self) -> None:
        """Say which words the model has not learned, and underline them."""
        unknown = self._session.unknown_words()
        self.words_note.show_unknown(unknown)
        self._underline(unknown)

    def _look_for_unknown(self) -> None:
        """Take back at once what is known, or gone, by now; new words wait for a pause in the writing."""
        if self.words_note.unknown:
            unknown = self._session.unknown_words()
            kept = [word for word in self.words_note.unknown if word in unknown]
            self.words_note.show_unknown(kept)
            self._underline(kept)
        self._words_due.start()

    def _underline(self, words: Sequence[str]) -> None:
        look = QTextCharFormat()
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
        look.setUnderlineColor(self._theme.colour("accent"))
        selections: list[QTextEdit.ExtraSelection] = []
        for word in words:
            pattern = QRegularExpression(
                rf"(?<![\w'’]){QRegularExpression.escape(word)}(?![\w'’])",
                QRegularExpression.PatternOption.CaseInsensitiveOption
                | QRegularExpression.PatternOption.UseUnicodePropertiesOption,
            )
            cursor = self.prompt.document().find(pattern)
            while not cursor.isNull() and len(selections) < MAX_UNDERLINED:
                selection = QTextEdit.ExtraSelection()
                selection.cursor, selection.format = cursor, look
                selections.append(selection)
                cursor = self.prompt.document().find(pattern, cursor)
        self.prompt.setExtraSelections(selections)

    def _show_words(self) -> None:
        form = self._form
        if self.prompt.toPlainText() != form.prompt:
            self.prompt.setPlainText(form.prompt)
        if self.negative.toPlainText() != form.negative_prompt:
            self.negative.setPlainText(form.negative_prompt)
        self.chips.mark(form.has_word)
        self._look_for_unknown()
        for text, note, edit in (
            (form.prompt, self.prompt_note, self.prompt),
            (form.negative_prompt, self.negative_note, self.negative),
        ):
            over = len(text) > MAX_PROMPT_CHARACTERS
            if over:
                words = self.tr("{0} characters; at most {1} are read. Shorten it to a sentence or two.")
            else:
                words = self.tr("{0} of {1} characters") if len(text) >= COUNT_FROM else ""
            note.setText(words.format(f"{len(text):,}", f"{MAX_PROMPT_CHARACTERS:,}"))
            note.setVisible(bool(words))
            set_look(note, "look", "danger" if over else "small")
            set_look(edit, "wrong", over)

    def _show_numbers(self) -> None:
        form = self._form
        self.count.show_number(form.count)
        self.seed.show_number(form.seed)
        self.lock.setChecked(form.seed_locked)
        self.lock.set_icon("lock" if form.seed_locked else "unlock")
        self.lock.set_name(
            self.tr("The seed stays. Click to take a new one for each drawing.")
            if form.seed_locked
            else self.tr("Every drawing takes a new seed. Click to keep this one.")
        )

    def _show_weights(self) -> None:
        form = self._form
        self.detail.slider.show_number(form.steps)
        self.steps.show_number(form.steps)
        self.detail.setToolTip(
            tooltip(self.tr("{0} steps. More steps take longer and show more detail.").format(form.steps))
        )
        for part, edit, number, words in (
            (
                self.follow_place,
                self.place_guidance,
                form.place_guidance,
                self.tr("How closely the picture follows the place. Right: more like this very block. w_g = {0}"),
            ),
            (
                self.follow_words,
                self.text_guidance,
                form.text_guidance,
                self.tr("How closely the picture follows your words. Right: more to the letter. w_p = {0}"),
            ),
        ):
            part.slider.show_number(number)
            edit.show_number(number)
            part.setToolTip(tooltip(words.format(f"{number:g}")))

    def _show_place(self) -> None:
        form = self._form
        for field, name, text in (
            (self.latitude, "latitude", form.latitude_text),
            (self.longitude, "longitude", form.longitude_text),
            (self.heading, "heading", form.heading_text),
        ):
            if field.text() != text:
                field.setText(text)
            set_look(field, "wrong", form.is_wrong(name))
        failure = form.place_failure
        self.place_error.setText(f"{failure.message} {failure.hint}".strip() if failure else "")
        self.place_error.setVisible(failure is not None)

    def _fold(self, unfolded: bool) -> None:
        self.advanced.setVisible(unfolded)
        self._session.settings.advanced_open = unfolded
        self.place.refresh()
        self._turn_arrow()
        self.unfolded.emit(unfolded)

    def _turn_arrow(self) -> None:
        self.fold.set_icon("down" if self.fold.isChecked() else "right")
