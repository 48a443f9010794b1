"""What is known of a landmark: the rose of photos, from where they are missing, and a person's own photos."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gpsdream_app.geo.azimuth import BINS, DEGREES_PER_BIN, angle_between, azimuth_bin
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.filmstrip import cover
from gpsdream_app.ui.landmarks.book import Listed
from gpsdream_app.ui.landmarks.rose import RoseView, gaps_text, petal_text, side_text
from gpsdream_app.ui.landmarks.state import Landmarks
from gpsdream_app.ui.phrases import distance_text, tooltip
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import Segments, TextButton, label

if TYPE_CHECKING:
    from gpsdream_app.landmarks.collection import LandmarkPhoto

MODEL, OWN = "model", "own"
CAN_MARK = importlib.util.find_spec("gpsdream_app.ui.landmarks.mask_editor") is not None
PHOTO_PIXELS = 640
BESIDE = QBoxLayout.Direction.LeftToRight
SIDE_BY_SIDE = 520  # from this width on the facts stand beside the rose


class PhotoView(QWidget):
    """A photo as large as it fits, with a thin frame; nothing while there is none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._image = QImage()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(80, 60)
        theme.changed.connect(self.update)

    @property
    def image(self) -> QImage:
        """The photo."""
        return self._image

    def show_image(self, image: QImage, name: str = "") -> None:
        """Show a photo."""
        self._image = image
        self.setAccessibleName(name)
        self.update()

    def sizeHint(self) -> QSize:
        """A landscape."""
        return QSize(200, 140)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the photo."""
        if self._image.isNull():
            return
        rect = self.rect()
        size = self._image.size().scaled(rect.size(), Qt.AspectRatioMode.KeepAspectRatio)
        rect.setSize(size)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            outline = QPainterPath()
            outline.addRoundedRect(rect, RADIUS, RADIUS)
            painter.setClipPath(outline)
            painter.drawImage(rect, self._image, cover(self._image.size(), rect.size()))
            painter.setClipping(False)
            painter.setPen(QPen(self._theme.colour("frame"), 1))
            painter.drawRoundedRect(rect.adjusted(0, 0, -1, -1), RADIUS, RADIUS)


class KnowledgePage(QWidget):
    """The page of one landmark.

    Signals:
        sector_changed: a side of the landmark is looked at; the number of the petal, -1 for none.
        photos_asked: a person wants to name the folder of their photos.
        masks_asked: the landmark shall be marked in the photos.
    """

    sector_changed = Signal(int)
    photos_asked = Signal()
    masks_asked = Signal()

    def __init__(self, theme: Theme, session: Session, place: Landmarks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._place = session, place
        self._source = MODEL
        self._wanted: Path | None = None
        self.rose = RoseView(theme, self)
        self.rose.chosen.connect(self._choose)
        self.sources = Segments(theme, [(MODEL, self.tr("The model"), ""), (OWN, self.tr("Your photos"), "")], self)
        self.sources.chosen.connect(self._show_source)
        self.heading = label("", "lead", wrap=True, parent=self)
        self.sentence = label("", "muted", wrap=True, parent=self)
        self.petal = label("", "strong", wrap=True, parent=self)
        self.photo = PhotoView(theme, self)
        self.caption = label("", "small", wrap=True, parent=self)
        self.folder = TextButton(theme, self.tr("Photos folder…"), "folder", parent=self)
        self.folder.clicked.connect(self.photos_asked)
        self.masks = TextButton(theme, self.tr("Mark it in the photos…"), "polygon", parent=self)
        self.masks.setToolTip(
            tooltip(self.tr("Say in each photo where the landmark is. A model that is to be lifted learns from that."))
        )
        self.masks.clicked.connect(self.masks_asked)
        self.show_file = TextButton(theme, self.tr("Show in folder"), look="link", parent=self)
        self.show_file.clicked.connect(self._show_file)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        buttons.addWidget(self.folder)
        buttons.addWidget(self.masks)
        buttons.addStretch()
        below = QHBoxLayout()
        below.setSpacing(SPACE_1)
        below.addWidget(self.caption, 1)
        below.addWidget(self.show_file, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(SPACE_2)
        words.addWidget(self.sources, 0, Qt.AlignmentFlag.AlignLeft)
        words.addWidget(self.heading)
        words.addWidget(self.sentence)
        words.addWidget(self.petal)
        words.addWidget(self.photo, 1)
        words.addLayout(below)
        words.addStretch()
        words.addLayout(buttons)
        self._halves = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._halves.setContentsMargins(0, 0, 0, 0)
        self._halves.setSpacing(SPACE_3)
        self._halves.addWidget(self.rose, 5)
        self._halves.addLayout(words, 4)
        place.chosen_changed.connect(self._other_landmark)
        place.model_changed.connect(self.refresh)
        place.photos_changed.connect(self._photos_changed)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the facts beside the rose where there is room."""
        super().resizeEvent(event)
        wide = self.width() >= SIDE_BY_SIDE and self.width() > 1.1 * self.height()
        direction = BESIDE if wide else QBoxLayout.Direction.TopToBottom
        if self._halves.direction() != direction:
            self._halves.setDirection(direction)
            self._show_petal()

    @property
    def source(self) -> str:
        """Whose photos are shown: those of `model`, or a person's `own`."""
        return self._source

    # -- what is shown --

    def refresh(self) -> None:
        """Show the chosen landmark."""
        place, listed = self._place, self._place.chosen
        if listed is None:
            return
        known = place.known(listed.id)
        both = known is not None and listed.photos is not None
        self.sources.setVisible(both)
        self._source = self._source if both else (MODEL if known is not None or listed.photos is None else OWN)
        self.sources.show_choice(self._source)
        counts = self._counts(listed)
        if counts != self.rose.counts or self.rose.bin < 0:
            before = self.rose.bin
            self.rose.show_counts(counts, listed.landmark.heading if not listed.own else None)
            if before >= 0:
                self.rose.choose(before)
        self.heading.setText(self._heading(listed, sum(counts)))
        self.sentence.setText(self._sentence(listed, counts))
        self.folder.setText(self.tr("Another folder…") if listed.photos else self.tr("Photos folder…"))
        self.masks.setVisible(CAN_MARK and bool(place.photos(listed.id)))
        self._show_petal()

    def _counts(self, listed: Listed) -> tuple[int, ...]:
        if self._source == MODEL:
            counts = self._place.known(listed.id)
            return tuple(counts) if counts is not None and len(counts) == BINS else (0,) * BINS
        return rose_of(self._place.photos(listed.id))

    def _heading(self, listed: Listed, total: int) -> str:
        many = self.tr("1 photo") if total == 1 else self.tr("{0} photos").format(f"{total:,}")
        if self._source == MODEL:
            if self._place.known(listed.id) is not None:
                return self.tr("The model has learned from {0}").format(many)
            return self.tr("No model has learned this landmark")
        if self._place.is_reading(listed.id):
            return self.tr("Reading your photos…")
        return self.tr("Your {0}").format(many) if total else self.tr("No photo of it in your folder")

    def _sentence(self, listed: Listed, counts: Sequence[int]) -> str:
        place = self._place
        if self._source == MODEL:
            if place.known(listed.id) is not None:
                return gaps_text(counts)
            if listed.photos is None:
                return self.tr("Name the folder of your photos of it: you will see here from which sides they are.")
            return ""
        failure = place.photos_failure(listed.id)
        if failure:
            return f"{failure.message} {failure.hint}".strip()
        if place.is_reading(listed.id):
            return ""
        if not any(counts):
            return self.tr(
                "Photos count if they were taken near it, hold their place (GPS), and do not look elsewhere."
            )
        return gaps_text(counts)

    def _other_landmark(self) -> None:
        self.rose.choose(-1)
        self._source = MODEL
        self._wanted = None
        self.photo.show_image(QImage())
        self.sector_changed.emit(-1)
        self.refresh()

    def _show_source(self, key: str) -> None:
        self._source = key
        self.refresh()

    def _photos_changed(self, landmark_id: str) -> None:
        if landmark_id == self._place.chosen_id:
            self.refresh()

    # -- a side of it --

    def _choose(self, number: int) -> None:
        self.sector_changed.emit(number)
        self._show_petal()

    def _show_petal(self) -> None:
        number, listed = self.rose.bin, self._place.chosen
        photo = nearest(self._place.photos(listed.id), number * DEGREES_PER_BIN) if listed and number >= 0 else None
        self.petal.setVisible(number >= 0)
        for widget in (self.photo, self.caption, self.show_file):
            widget.setVisible(photo is not None)
        # Without a photo the rose gets the room.
        self._halves.setStretch(1, 4 if photo is not None or self._halves.direction() == BESIDE else 0)
        if number < 0:
            return
        self.petal.setText(petal_text(number, self.rose.counts[number]))
        if photo is None:
            self._wanted = None
            return
        self.caption.setText(
            self.tr("Your nearest photo: from {0}°, {1}, {2} away").format(
                round(photo.azimuth) % 360, side_text(photo.azimuth), distance_text(photo.distance)
            )
        )
        if photo.path == self._wanted:
            return
        path = self._wanted = photo.path
        self.photo.show_image(QImage())

        def show(image: QImage) -> None:
            if self._wanted != path:
                return
            self.photo.show_image(image, self.caption.text())
            if image.isNull():
                self.caption.setText(self.tr("“{0}” cannot be read.").format(path.name))

        self._session.background.run(self, lambda: read_photo(path), show)

    def _show_file(self) -> None:
        if self._wanted:
            show_in_folder(self._wanted)


def rose_of(photos: Sequence[LandmarkPhoto]) -> tuple[int, ...]:
    """Return how many photos were taken from each of the 36 bins of azimuth, north first."""
    counts = [0] * BINS
    for photo in photos:
        counts[azimuth_bin(photo.azimuth)] += 1
    return tuple(counts)


def nearest(photos: Sequence[LandmarkPhoto], azimuth: float) -> LandmarkPhoto | None:
    """Return the photo that was taken from nearest to an azimuth; None if there is none."""
    return min(photos, key=lambda photo: abs(angle_between(photo.azimuth, azimuth)), default=None)


def read_photo(path: Path) -> QImage:
    """Read a photo upright and small; a null one if it cannot be read."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > PHOTO_PIXELS:
        reader.setScaledSize(size.scaled(PHOTO_PIXELS, PHOTO_PIXELS, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
