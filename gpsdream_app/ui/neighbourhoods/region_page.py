"""What the place shows of one region: its average large, another beside it, and what stands behind it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.neighbourhoods.averages import Card
from gpsdream_app.ui.neighbourhoods.compare import CompareView
from gpsdream_app.ui.neighbourhoods.grid import Sheet
from gpsdream_app.ui.neighbourhoods.insights import Insight, Stage
from gpsdream_app.ui.neighbourhoods.state import Neighbourhoods, photos_text
from gpsdream_app.ui.phrases import one_line, place_text, time_left_text, tooltip
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import ChoiceBox, ElidedLabel, IconButton, TextButton, label


class InsightBar(QWidget):
    """A sentence about something that comes later, its progress, and the button that ends it or tries again.

    Signals:
        again_asked: it shall be tried again.
    """

    again_asked = Signal()

    def __init__(self, theme: Theme, insight: Insight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._insight = insight
        self.sentence = label("", "muted", wrap=True, parent=self)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", look="plain", parent=self)
        self.stop.clicked.connect(insight.stop)
        self.again = TextButton(theme, self.tr("Try again"), parent=self)
        self.again.clicked.connect(self.again_asked)
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(LINE_HEIGHT)
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.again)
        row.addWidget(self.stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_1)
        column.addLayout(row)
        column.addWidget(self.line)

    def refresh(self, working: str, done: str, nothing: str = "") -> None:
        """Say how far it is.

        Args:
            working: what is being done.
            done: what came of it.
            nothing: why nothing could come of it.
        """
        insight = self._insight
        stage, failure = insight.stage, insight.failure
        running = stage is Stage.WORKING
        if running:
            left = time_left_text(insight.seconds_left)
            text = f"{working} · {left}" if left else working
        elif stage is Stage.FAILED and failure:
            text = f"{failure.message} {failure.hint}".strip()
        else:
            text = {Stage.NOTHING: nothing, Stage.STOPPED: self.tr("Stopped.")}.get(stage, done)
        self.sentence.setText(text)
        self.stop.setVisible(running)
        self.again.setVisible(stage in (Stage.FAILED, Stage.STOPPED))
        self.line.setVisible(running)
        self.line.show_fraction(insight.fraction)


class RegionPage(QWidget):
    """One region.

    Signals:
        left: back to the grid.
        save_asked: the picture of a region shall be saved; the region's id.
    """

    left = Signal()
    save_asked = Signal(str)
    AVERAGE, VARIETY, TYPICAL = range(3)

    def __init__(self, theme: Theme, session: Session, place: Neighbourhoods, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._place, self._averages = session, place, place.averages
        self.region_id = ""
        self._second = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(self._make_head(theme))
        self.parts = QStackedWidget(self)
        self.view = CompareView(theme, self)
        self.parts.addWidget(self.view)
        self.parts.addWidget(self._make_variety(theme))
        self.parts.addWidget(self._make_typical(theme))
        column.addWidget(self.parts, 1)
        column.addLayout(self._make_actions(theme))
        for signal in (self._averages.cards_changed, self._averages.noise_changed):
            signal.connect(self.refresh)
        self._averages.card_changed.connect(self._card_changed)
        place.variety.changed.connect(self._show_variety)
        place.typical.changed.connect(self._show_typical)

    # -- the parts --

    def _make_head(self, theme: Theme) -> QHBoxLayout:
        self.back = IconButton(theme, "back", self.tr("Back to all averages (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        self.name = ElidedLabel("", "lead", self)
        self.facts = ElidedLabel("", "small", self)
        self.compare_with = ChoiceBox(theme, self.tr("Compare with"), self)
        self.compare_with.setMinimumContentsLength(16)
        self.compare_with.activated.connect(self._choose_second)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.name)
        words.addWidget(self.facts)
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        row.addWidget(self.back)
        row.addLayout(words, 1)
        row.addWidget(self.compare_with)
        return row

    def _make_variety(self, theme: Theme) -> QWidget:
        self.variety_bar = InsightBar(theme, self._place.variety, self)
        self.variety_bar.again_asked.connect(self.show_variety)
        self.sheet = Sheet(theme, self.tr("Single draws"), self)
        self.sheet.chosen.connect(self._open_draw)
        return self._part(self.variety_bar, self.sheet)

    def _make_typical(self, theme: Theme) -> QWidget:
        self.typical_bar = InsightBar(theme, self._place.typical, self)
        self.typical_bar.again_asked.connect(self.show_typical)
        self.patches = Sheet(theme, self.tr("Typical parts of your photos"), self)
        self.patches.chosen.connect(self._open_photo)
        return self._part(self.typical_bar, self.patches)

    def _part(self, bar: InsightBar, sheet: Sheet) -> QWidget:
        part = QWidget(self)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_3)
        column.addWidget(bar)
        column.addWidget(sheet, 1)
        return part

    def _make_actions(self, theme: Theme) -> QHBoxLayout:
        self.average = TextButton(theme, self.tr("Average"), "picture", look="plain", parent=self)
        self.average.clicked.connect(lambda: self._show_part(self.AVERAGE))
        self.variety = TextButton(theme, self.tr("Variety"), "variety", look="plain", parent=self)
        self.variety.setAccessibleName(self.tr("Show the variety"))
        self.variety.setToolTip(tooltip(self.tr("Show the variety: single draws at the places behind the average")))
        self.variety.clicked.connect(self.show_variety)
        self.typical = TextButton(theme, self.tr("Typical"), "patches", look="plain", parent=self)
        self.typical.setAccessibleName(self.tr("What makes it look like itself?"))
        self.typical.setToolTip(
            tooltip(self.tr("What makes it look like itself: the most typical parts of your own photos from there"))
        )
        self.typical.clicked.connect(self.show_typical)
        self.mean = IconButton(theme, "area", self.tr("Mean of all noises"), parent=self)
        self.mean.setCheckable(True)
        self.mean.toggled.connect(lambda _: self.refresh())
        self.again = IconButton(theme, "remix", self.tr("Draw it again from this noise"), parent=self)
        self.again.clicked.connect(lambda: self._averages.draw([self.region_id], again=True))
        self.other = IconButton(theme, "dice", self.tr("Draw it from another noise"), parent=self)
        self.other.clicked.connect(lambda: self._averages.draw_other_noise(self.region_id))
        self.save = IconButton(theme, "save", self.tr("Save the picture"), parent=self)
        self.save.clicked.connect(lambda: self.save_asked.emit(self.region_id))
        row = QHBoxLayout()
        row.setSpacing(SPACE_1)
        for button in (self.average, self.variety, self.typical):
            button.setCheckable(True)
            button.setAutoExclusive(True)
            row.addWidget(button)
        row.addStretch()
        for icon_button in (self.mean, self.again, self.other, self.save):
            row.addWidget(icon_button)
        return row

    # -- what is shown --

    def show_region(self, region_id: str) -> None:
        """Show a region's average."""
        if region_id != self.region_id:
            self._second = ""
        self.region_id = region_id
        self._show_part(self.AVERAGE)
        self.refresh()

    def compare(self, region_id: str) -> None:
        """Show another region's average at the right."""
        self._second = region_id if region_id != self.region_id else ""
        self._show_part(self.AVERAGE)
        self.refresh()

    def refresh(self) -> None:
        """Follow the cards."""
        card = self._averages.card(self.region_id)
        if card is None:
            if self.region_id and self.isVisible():
                self.left.emit()
            return
        noise, wish = self._averages.noise, self._averages.wish
        self.name.setText(one_line(card.listed.name))
        parts = [
            one_line(wish.concept),
            photos_text(card.listed.photos),
            self._noise_text(),
        ]
        self.facts.setText(" · ".join(part for part in parts if part))
        other = self._averages.card(self._second)
        self.mean.setVisible(wish.noises > 1)
        self.view.show_images(
            self._image(card),
            card.listed.name,
            self._image(other) if other else QImage(),
            other.listed.name if other else "",
        )
        others = [c for c in self._averages.done if c.listed.id != self.region_id]
        self.compare_with.clear()
        self.compare_with.addItem(self.tr("Compare with…"), "")
        for entry in others:
            self.compare_with.addItem(one_line(entry.listed.name), entry.listed.id)
        self.compare_with.setCurrentIndex(max(0, self.compare_with.findData(self._second)))
        self.compare_with.setVisible(bool(others) and self.parts.currentIndex() == self.AVERAGE)
        has = card.result(noise) is not None
        self.save.setEnabled(has)
        for button in (self.again, self.other):
            button.setEnabled(not self._averages.working)

    def _noise_text(self) -> str:
        noise, count = self._averages.noise, self._averages.wish.noises
        if count < 2:
            return ""
        if self.mean.isChecked():
            return self.tr("mean of {0} noises").format(count)
        return self.tr("noise {0} of {1}").format(noise + 1, count)

    def _image(self, card: Card) -> QImage:
        """Return what is shown of a region: the picture of a noise, the mean of all, or what is being drawn."""
        if self._averages.wish.noises > 1 and self.mean.isChecked():
            return self._averages.mean_image(card.listed.id)
        image = card.image(self._averages.noise)
        return image if not image.isNull() else card.preview

    def show_variety(self) -> None:
        """Show single draws behind the average."""
        self._show_part(self.VARIETY)
        variety = self._place.variety
        if variety.region_id != self.region_id or variety.stage is not Stage.WORKING:
            variety.show(self.region_id)

    def show_typical(self) -> None:
        """Show what is typical of the region."""
        self._show_part(self.TYPICAL)
        typical = self._place.typical
        if typical.region_id != self.region_id or typical.stage not in (Stage.WORKING, Stage.DONE):
            typical.show(self.region_id)
        self._show_typical()

    def _show_part(self, part: int) -> None:
        self.parts.setCurrentIndex(part)
        for number, button in enumerate((self.average, self.variety, self.typical)):
            button.setChecked(number == part)
        self.compare_with.setVisible(part == self.AVERAGE and self.compare_with.count() > 1)

    def _card_changed(self, region_id: str) -> None:
        if region_id in (self.region_id, self._second):
            self.refresh()

    def _choose_second(self, index: int) -> None:
        self._second = str(self.compare_with.itemData(index) or "")
        self.refresh()

    def _show_variety(self) -> None:
        variety = self._place.variety
        if variety.region_id != self.region_id:
            return
        drawn = sum(not image.isNull() for image in variety.images)
        self.variety_bar.refresh(
            self.tr("Drawing single pictures: {0} of {1}").format(drawn, len(variety.images)),
            self.tr("{0} single draws from the same noise, each at one of the places behind the average.").format(
                drawn
            ),
        )
        self.sheet.show_images(variety.images, [place_text(place) for place in variety.places])

    def _show_typical(self) -> None:
        typical = self._place.typical
        if typical.region_id != self.region_id:
            return
        self.typical_bar.refresh(
            self.tr("Looking at your photos"),
            self.tr("The most typical parts of {0} of your photos. A click shows the photo in its folder.").format(
                typical.photos_looked_at
            ),
            self.tr(
                "None of your photos were taken here. Import a folder with “gpsdream photos import” to see what is "
                "typical of this region."
            ),
        )
        notes = [
            self.tr("{0}\ntypicality {1}").format(Path(patch.photo).name, f"{patch.typicality:.3f}")
            for patch, _ in typical.patches
        ]
        self.patches.show_images([image for _, image in typical.patches], notes)

    def _open_draw(self, number: int) -> None:
        results = self._place.variety.results
        result = results[number] if number < len(results) else None
        if result:
            show_in_folder(Path(result.path))

    def _open_photo(self, number: int) -> None:
        patches = self._place.typical.patches
        if number < len(patches):
            show_in_folder(Path(patches[number][0].photo))
