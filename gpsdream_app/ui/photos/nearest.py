"""Under the big picture: the real photo that was taken nearest to its place."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetrics, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from gpsdream_app.domain.places import Place
from gpsdream_app.photos.records import PhotoRecord, clean_text
from gpsdream_app.ui.filmstrip import cover
from gpsdream_app.ui.photos.grid import small_copy
from gpsdream_app.ui.photos.model import photo_id
from gpsdream_app.ui.phrases import distance_text, heading_text, tooltip
from gpsdream_app.ui.session import Session, Shown
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL

HEIGHT = 52
PICTURE = 44


class NearestPhoto(QAbstractButton):
    """A line with the nearest photo and how far it is; a click shows both side by side. Nothing if there is none.

    Signals:
        pair_asked: photo and picture shall be shown side by side (`PhotoRecord`, metres, `Result`).
    """

    pair_asked = Signal(object, float, object)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session = theme, session
        self.record: PhotoRecord | None = None
        self.metres = 0.0
        self._image = QImage()
        self._place: Place | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.hide()
        self.clicked.connect(self._ask)
        theme.changed.connect(self.update)
        session.shown_changed.connect(self._shown)
        session.photos.read.connect(self._look_again)
        session.photos.imported.connect(lambda _: self._look_again())

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(240, HEIGHT)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def _shown(self, shown: Shown | None) -> None:
        result = shown.result if shown else None
        place = result.request.place if result else None
        if place is None:
            self._place = None
            self._take(None)
        elif place != self._place:
            self._place = place
            self._session.photos.nearest(place, lambda found: self._take(found) if place is self._place else None)

    def _look_again(self) -> None:
        self._place = None
        self._shown(self._session.shown)

    def _take(self, found: tuple[PhotoRecord, float] | None) -> None:
        self.record, self._image = None, QImage()
        self.setVisible(found is not None)
        if found is None:
            return
        record, self.metres = found
        self.record = record
        name = clean_text(record.path.name, 100)
        text = self.tr("The nearest real photo: {0}, {1} away").format(name, distance_text(self.metres))
        self.setAccessibleName(text)
        self.setToolTip(tooltip(text + "\n" + self.tr("Click to see it beside the picture")))
        self.update()

        def show(image: QImage) -> None:
            if self.record is record:
                self._image = image
                self.update()

        def work() -> QImage:
            return QImage.fromData(small_copy(photo_id(record), record.path))

        self._session.background.run(self, work, show, priority=1)

    def _ask(self) -> None:
        shown = self._session.shown
        if self.record and shown and shown.result:
            self.pair_asked.emit(self.record, self.metres, shown.result)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the small photo and the words."""
        theme, record = self._theme, self.record
        if record is None:
            return
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            whole = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setPen(QPen(theme.colour("accent" if self.hasFocus() else "line"), 2 if self.hasFocus() else 1))
            painter.setBrush(theme.colour("hover" if self.underMouse() else "raised"))
            painter.drawRoundedRect(whole, RADIUS, RADIUS)
            rect = QRectF(SPACE_1, (self.height() - PICTURE) / 2, PICTURE, PICTURE)
            outline = QPainterPath()
            outline.addRoundedRect(rect, RADIUS_SMALL, RADIUS_SMALL)
            painter.fillPath(outline, theme.colour("sunken"))
            if not self._image.isNull():
                painter.save()
                painter.setClipPath(outline)
                square = rect.toRect()
                painter.drawImage(square, self._image, cover(self._image.size(), square.size()))
                painter.restore()
            words = whole.adjusted(PICTURE + SPACE_3, SPACE_1, -SPACE_2, -SPACE_1)
            upper = QRectF(words.left(), words.top(), words.width(), words.height() / 2)
            lower = upper.translated(0, words.height() / 2)
            flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
            font = self.font()
            painter.setFont(font)
            painter.setPen(theme.colour("text"))
            first = self.tr("Nearest real photo, {0} away").format(distance_text(self.metres))
            width = int(words.width())
            painter.drawText(upper, flags, QFontMetrics(font).elidedText(first, Qt.TextElideMode.ElideRight, width))
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            painter.setPen(theme.colour("text_muted"))
            name = clean_text(record.caption, 200) or clean_text(record.path.name, 200)
            second = " · ".join(part for part in (heading_text(record.heading), name) if part)
            painter.drawText(lower, flags, QFontMetrics(font).elidedText(second, Qt.TextElideMode.ElideRight, width))
