"""Two pictures of the library under a slider or side by side."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.results import Result
from gpsdream_app.ui.library.model import Item, day_text
from gpsdream_app.ui.neighbourhoods.compare import CompareView
from gpsdream_app.ui.phrases import one_line, place_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import IconButton, Segments, label

SLIDER, BESIDE = "slider", "beside"


class PictureLook(CompareView):
    """One picture, or two under a line that can be moved, named as pictures and not as averages."""

    def _describe(self) -> None:
        super()._describe()
        if not self.compares:
            self.setAccessibleName(self.tr("Picture: {0}").format(self._names[0]))


class ComparePart(QWidget):
    """The comparison of two pictures.

    Signals:
        left: back to the grid.
    """

    left = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._results: tuple[Result, ...] = ()
        self._images = [QImage(), QImage()]
        self.back = IconButton(theme, "back", self.tr("Back to the pictures (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        heading = label(self.tr("Compare two pictures"), "lead", parent=self)
        self.way = Segments(
            theme, [(SLIDER, self.tr("Slider"), "compare"), (BESIDE, self.tr("Side by side"), "grid")], self
        )
        self.way.chosen.connect(self.show_way)
        self.swap = IconButton(theme, "remix", self.tr("Swap the two"), parent=self)
        self.swap.clicked.connect(self.swap_pictures)
        head = QHBoxLayout()
        head.setSpacing(SPACE_2)
        head.addWidget(self.back)
        head.addWidget(heading, 1)
        head.addWidget(self.swap)
        head.addWidget(self.way)
        self.slider = PictureLook(theme, self)
        self.pair = PictureLook(theme, self), PictureLook(theme, self)
        beside = QWidget(self)
        row = QHBoxLayout(beside)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_3)
        for look in self.pair:
            row.addWidget(look)
        self.views = QStackedWidget(self)
        self.views.addWidget(self.slider)
        self.views.addWidget(beside)
        self.words = label("", "muted", wrap=True, parent=self), label("", "muted", wrap=True, parent=self)
        words = QHBoxLayout()
        words.setSpacing(SPACE_3)
        for text in self.words:
            words.addWidget(text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(self.views, 1)
        column.addLayout(words)
        self.show_way(SLIDER)

    @property
    def results(self) -> tuple[Result, ...]:
        """The two pictures."""
        return self._results

    def show_results(self, first: Result, second: Result) -> None:
        """Compare two pictures."""
        self._results = first, second
        self._images = [QImage(), QImage()]
        self._show()
        for result in self._results:
            self._session.read_image(result, partial(self._keep, result))

    def show_way(self, way: str) -> None:
        """Show them under a slider (`slider`) or side by side (`beside`)."""
        self.way.show_choice(way)
        self.views.setCurrentIndex((SLIDER, BESIDE).index(way))
        (self.slider if way == SLIDER else self.pair[0]).setFocus()

    def swap_pictures(self) -> None:
        """Let the pictures change places."""
        self._results, self._images = self._results[::-1], self._images[::-1]
        self._show()

    def _keep(self, result: Result, image: QImage) -> None:
        for place, shown in enumerate(self._results):
            if shown is result:
                self._images[place] = image
        self._show()

    def _show(self) -> None:
        names = [_name(result) for result in self._results]
        first, second = self._images
        self.slider.show_images(first, names[0], second, names[1])
        for look, image, name in zip(self.pair, self._images, names, strict=True):
            look.show_images(image, name)
        for text, result in zip(self.words, self._results, strict=True):
            text.setText(facts(result))


def _name(result: Result) -> str:
    place = result.request.place
    return one_line(place_text(place) if place else result.request.prompt)[:80]


def facts(result: Result) -> str:
    """Return a picture's words and settings in a few lines of plain text."""
    request = result.request
    lines = [
        one_line(request.prompt)[:300],
        f"Seed {request.seed} · {request.steps} steps",
        f"Place {request.place_guidance:g} · words {request.text_guidance:g}",
        " · ".join(part for part in (one_line(result.model_title)[:60], day_text(result.created)) if part),
    ]
    return "\n".join(line for line in lines if line)


def compared(items: list[Item]) -> tuple[Result, Result] | None:
    """Return the two pictures that are to be compared; None if they are not exactly two."""
    results = [item.result for item in items if item.result]
    return (results[0], results[1]) if len(results) == 2 == len(items) else None
