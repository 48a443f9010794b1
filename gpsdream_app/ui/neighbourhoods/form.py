"""What is averaged: the concept, the regions, and how; at its end the button that draws."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.domain.averages import Sampling
from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS, MAX_SEED
from gpsdream_app.domain.words import unknown_words
from gpsdream_app.ui.neighbourhoods.region_list import RegionList
from gpsdream_app.ui.neighbourhoods.state import Neighbourhoods
from gpsdream_app.ui.neighbourhoods.wish import NOISES, PLACES
from gpsdream_app.ui.phrases import time_left_text, tooltip, unknown_words_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.state import new_seed
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import (
    ChipRow,
    ElidedLabel,
    FieldBox,
    IconButton,
    NumberEdit,
    PrimaryButton,
    Segments,
    Stepper,
    Switch,
    TextButton,
    label,
)

CONCEPTS = ("building", "shop", "tree")
PAUSE_MILLISECONDS = 450
STREET, ALL = "street", "all"


class SearchField(QLineEdit):
    """A field that Escape empties, and Down leaves for the list below.

    Signals:
        left_down: Down or Enter was pressed.
    """

    left_down = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on to the list, or empty the field."""
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.left_down.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)

    def event(self, event: object) -> bool:
        """Keep Escape from stopping the drawing while there is a text to empty."""
        override = isinstance(event, QKeyEvent) and event.type() == QKeyEvent.Type.ShortcutOverride
        if override and event.key() == Qt.Key.Key_Escape and self.text():  # type: ignore[attr-defined]
            event.accept()  # type: ignore[attr-defined]
            return True
        return super().event(event)  # type: ignore[arg-type]


class AveragesForm(QWidget):
    """The form of the averages.

    Signals:
        draw_asked: the averages shall be drawn.
        menu_asked: the menu of the list (reading and writing regions) is wanted beside a widget.
    """

    draw_asked = Signal()
    menu_asked = Signal(QWidget)

    def __init__(self, theme: Theme, session: Session, place: Neighbourhoods, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session, self._place = theme, session, place
        self._averages, self._book = place.averages, place.book
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(PAUSE_MILLISECONDS)
        self._typed.timeout.connect(self._take_concept)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addWidget(label(self.tr("What is averaged"), "small", parent=self))
        self.concept = QLineEdit(self)
        self.concept.setMaxLength(MAX_PROMPT_CHARACTERS)
        self.concept.setPlaceholderText(self.tr("the place alone, without a word"))
        self.concept.setAccessibleName(self.tr("What is averaged"))
        self.concept.textEdited.connect(lambda _: self._typed.start())
        self.concept.editingFinished.connect(self._take_concept)
        self.concept.returnPressed.connect(self._draw)
        self.chips = ChipRow(self)
        self.chips.clicked.connect(self._choose_concept)
        self.unknown = ElidedLabel("", "accent", self)
        column.addWidget(self.concept)
        column.addWidget(self.chips)
        column.addWidget(self.unknown)
        column.addLayout(self._make_heading(theme))
        self.search = SearchField(self)
        self.search.setPlaceholderText(self.tr("Find a region or a street"))
        self.search.setAccessibleName(self.tr("Find a region or a street"))
        self.search.setClearButtonEnabled(False)
        self.search.setMaxLength(80)
        self.list = RegionList(theme, self._book, self)
        self.search.textChanged.connect(self.list.regions.search)
        self.search.left_down.connect(self._to_list)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        self.fold = TextButton(theme, self.tr("More"), "right", look="fold", parent=self)
        self.fold.setCheckable(True)
        self.fold.toggled.connect(self._unfold)
        column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        self.more = QScrollArea(self)
        self.more.setWidgetResizable(True)
        self.more.setObjectName("panelScroll")
        self.more.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.more.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = self._make_more(theme)
        inner.setObjectName("panelBody")
        self.more.setWidget(inner)
        self.more.setFixedHeight(inner.sizeHint().height() + 2)
        self.more.hide()
        column.addWidget(self.more)
        self.draw = PrimaryButton(theme, self.tr("Draw averages"), self.tr("Ctrl+Enter"), self)
        self.draw.clicked.connect(self._draw)
        self.estimate = label("", "small", parent=self)
        self.estimate.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.draw)
        column.addWidget(self.estimate)
        self._averages.wish_changed.connect(self._show_wish)
        self._averages.cards_changed.connect(self._show_estimate)
        self._averages.working_changed.connect(self._show_estimate)
        self._book.selection_changed.connect(self._show_selection)
        session.model_changed.connect(self._show_words)
        self._show_words()
        self._show_wish()
        self._show_selection()

    # -- the parts --

    def _make_heading(self, theme: Theme) -> QHBoxLayout:
        self.chosen = ElidedLabel("", "small", self)
        self.first = TextButton(theme, self.tr("Reset"), look="link", parent=self)
        self.first.setToolTip(tooltip(self.tr("Choose the regions with the most photos")))
        self.first.clicked.connect(self._book.select_first)
        self.none = TextButton(theme, self.tr("None"), look="link", parent=self)
        self.none.setAccessibleName(self.tr("Choose no region"))
        self.none.clicked.connect(lambda: self._book.select_only(()))
        self.menu = IconButton(theme, "more", self.tr("Read or write regions"), size=16, parent=self)
        self.menu.clicked.connect(lambda: self.menu_asked.emit(self.menu))
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.chosen, 1)
        row.addWidget(self.first)
        row.addWidget(self.none)
        row.addWidget(self.menu)
        return row

    def _make_more(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.sampling = Segments(
            theme,
            [(Sampling.AREA, self.tr("Anywhere"), ""), (Sampling.PHOTOS, self.tr("At photos"), "")],
            part,
        )
        self.sampling.button(Sampling.AREA).setToolTip(
            tooltip(self.tr("Places spread evenly over the part of the region that the model knows"))
        )
        self.sampling.button(Sampling.PHOTOS).setToolTip(tooltip(self.tr("Places where photos were taken")))
        self.sampling.chosen.connect(lambda key: self._averages.change(sampling=Sampling(key)))
        self.headings = Segments(theme, [(STREET, self.tr("Street front"), ""), (ALL, self.tr("All round"), "")], part)
        self.headings.chosen.connect(lambda key: self._averages.change(headings=key))
        self.places = Stepper(theme, *PLACES, self.tr("Places per region"), part)
        self.places.number_changed.connect(lambda number: self._averages.change(places=number))
        self.noises = Stepper(theme, *NOISES, self.tr("Noises"), part)
        self.noises.number_changed.connect(lambda number: self._averages.change(noises=number))
        self.exact = Switch(theme, self.tr("All places at every step"), part)
        self.exact.setToolTip(
            tooltip(
                self.tr(
                    "Eq 8 of the paper as it stands. Off, each step looks at a fresh few of the places: "
                    "several times as quick, and right on average."
                )
            )
        )
        self.exact.clicked.connect(lambda checked: self._averages.change(exact=checked))
        box = FieldBox(part)
        self.seed = NumberEdit(0, MAX_SEED, parent=box)
        self.seed.setProperty("look", "bare")
        self.seed.setAccessibleName(self.tr("Seed of the noise"))
        self.seed.setContentsMargins(SPACE_2, 0, 0, 0)
        self.seed.number_changed.connect(lambda number: self._averages.change(seed=int(number)))
        self.dice = IconButton(theme, "dice", self.tr("Another noise"), size=16, parent=box)
        self.dice.clicked.connect(lambda: self._averages.change(seed=new_seed()))
        box.add(self.seed, 1)
        box.add(self.dice)
        grid = QGridLayout(part)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_2)
        grid.setVerticalSpacing(SPACE_1)
        grid.addWidget(label(self.tr("Where in a region"), "small", parent=part), 0, 0, 1, 2)
        grid.addWidget(self.sampling, 1, 0, 1, 2)
        grid.addWidget(label(self.tr("Looking at"), "small", parent=part), 2, 0, 1, 2)
        grid.addWidget(self.headings, 3, 0, 1, 2)
        grid.addWidget(label(self.tr("Places"), "small", parent=part), 4, 0)
        grid.addWidget(label(self.tr("Noises"), "small", parent=part), 4, 1)
        grid.addWidget(self.places, 5, 0)
        grid.addWidget(self.noises, 5, 1)
        grid.addWidget(label(self.tr("Seed"), "small", parent=part), 6, 0, 1, 2)
        grid.addWidget(box, 7, 0, 1, 2)
        grid.addWidget(self.exact, 8, 0, 1, 2)
        grid.setRowStretch(9, 1)
        return part

    # -- what is shown --

    def _show_words(self, *_: object) -> None:
        card = self._session.card
        words = [*CONCEPTS, *(card.words if card else ())]
        self.chips.show_words(list(dict.fromkeys(words)))
        self._show_wish()

    def _show_wish(self) -> None:
        wish = self._averages.wish
        if self.concept.text().strip() != wish.concept:
            self.concept.setText(wish.concept)
        words = {word.strip().casefold() for word in wish.concept.split(",")}
        self.chips.mark(lambda word: word.casefold() in words)
        self.sampling.show_choice(wish.sampling)
        self.headings.show_choice(wish.headings)
        self.places.show_number(wish.places)
        self.noises.show_number(wish.noises)
        self.exact.setChecked(wish.exact)
        self.seed.show_number(wish.seed)
        card = self._session.card
        known = [*card.vocabulary, *card.words] if card and card.vocabulary else []
        missing = unknown_words(wish.concept, known) if known else ()
        self.unknown.setText(" ".join(unknown_words_text(missing)).strip())
        self.unknown.setVisible(bool(missing))
        self._show_estimate()

    def _show_selection(self) -> None:
        count = len(self._book.selected)
        self.chosen.setText(self.tr("1 region chosen") if count == 1 else self.tr("{0} regions chosen").format(count))
        self._show_estimate()

    def _show_estimate(self) -> None:
        averages = self._averages
        missing = len(averages.missing)
        self.draw.setEnabled(bool(missing) and not averages.working)
        if averages.working:
            text = ""
        elif not averages.cards:
            text = self.tr("Choose a region in the list or on the map")
        elif averages.looking:
            text = ""
        elif not missing:
            text = self.tr("All of them are drawn")
        else:
            time = time_left_text(averages.estimate())
            text = time if missing == len(averages.cards) else self.tr("{0} to draw, {1}").format(missing, time)
        self.estimate.setText(text)

    # -- what a person does --

    def _draw(self) -> None:
        self._take_concept()
        self.draw_asked.emit()

    def _take_concept(self) -> None:
        self._typed.stop()
        self._averages.change(concept=" ".join(self.concept.text().split()))

    def _choose_concept(self, word: str) -> None:
        self.concept.setText(word)
        self._take_concept()
        self.chips.mark(lambda other: other == word)

    def _to_list(self) -> None:
        model = self.list.regions
        first = next(
            (row for row in range(model.rowCount()) if model.flags(model.index(row)) & Qt.ItemFlag.ItemIsSelectable), -1
        )
        if first >= 0:
            self.list.setCurrentIndex(model.index(first))
            self.list.setFocus(Qt.FocusReason.TabFocusReason)

    def _unfold(self, unfolded: bool) -> None:
        self.more.setVisible(unfolded)
        self.fold.set_icon("down" if unfolded else "right")
        self.fold.setText(self.tr("Less") if unfolded else self.tr("More"))
