"""The big picture: cross-fades from preview to picture, captions it under the pointer, teaches when it is empty."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRect, QRectF, QSize, Qt, QUrl, QVariantAnimation, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDrag,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from gpsdream_app.domain.results import Result
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.phrases import (
    first_upper,
    heading_text,
    one_line,
    photo_distance_text,
    place_text,
    short_typicality_text,
)
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import (
    FADE_MILLISECONDS,
    RADIUS,
    RADIUS_SMALL,
    SPACE_1,
    SPACE_2,
    SPACE_3,
    SPACE_5,
    TYPE_LEAD,
    TYPE_SMALL,
)


class Lesson(Enum):
    """What the empty picture area teaches."""

    READING = "reading"
    PICK = "pick"
    CLICK = "click"
    DRAW = "draw"
    READY = "ready"
    WAIT = "wait"


class PictureView(QWidget):
    """Shows one picture as large as it fits, with a thin neutral frame.

    Signals:
        menu_asked: a context menu is wanted at a point on the screen.
    """

    menu_asked = Signal(QPoint)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._image = QImage()
        self._before = QImage()
        self._overlay = QImage()
        self._result: Result | None = None
        self._lesson = Lesson.READING
        self._place_name = ""
        self._preview = False
        self._pressed: QPoint | None = None
        self._sized: dict[tuple[int, int, int, float], QPixmap] = {}
        self._fade = QVariantAnimation(self)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._fade.setDuration(FADE_MILLISECONDS)
        self._fade.valueChanged.connect(self.update)
        self._fade.finished.connect(self._forget_before)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("The picture"))
        theme.changed.connect(self.update)

    @property
    def image(self) -> QImage:
        """The picture that is shown; a null one if there is none."""
        return self._image

    @property
    def result(self) -> Result | None:
        """The result that is shown; None for previews, foreign pictures and none."""
        return self._result

    @property
    def lesson(self) -> Lesson:
        """What is taught while there is no picture."""
        return self._lesson

    def show_picture(self, image: QImage, result: Result | None = None, *, preview: bool = False) -> None:
        """Fade over to a picture; a null one empties the view.

        Args:
            image: the picture.
            result: what it is, for the caption.
            preview: whether it is still being drawn.
        """
        if image.isNull() or self._image.isNull() or self._theme.less_motion or not self.isVisible():
            self._before = QImage()
        elif self._fade.state() != QVariantAnimation.State.Running or self._fade.currentValue() > 0.5:
            self._before = self._image
        self._image, self._result, self._preview = image, result, preview
        self._fade.stop()
        if not self._before.isNull():
            self._fade.start()
        self._describe()
        self.update()

    def show_overlay(self, overlay: QImage) -> None:
        """Lay a translucent picture over the picture, stretched to its size; a null one takes it away."""
        self._overlay = overlay
        self.update()

    @property
    def overlay(self) -> QImage:
        """What lies over the picture; a null picture if nothing does."""
        return self._overlay

    def teach(self, lesson: Lesson, place_name: str = "") -> None:
        """Say what to do next while there is no picture."""
        self._lesson, self._place_name = lesson, place_name
        self._describe()
        self.update()

    def lesson_text(self) -> tuple[str, str]:
        """Return the heading and the sentence of the lesson."""
        if self._lesson is Lesson.READING:
            return "", ""
        if self._lesson is Lesson.DRAW:
            where = self._place_name or self.tr("This place")
            return where, self.tr("Write what you would like to see there, then press Draw.")
        if self._lesson is Lesson.READY:
            return self._place_name, self.tr("Press Draw to see it.")
        if self._lesson is Lesson.WAIT:
            where = self._place_name or self.tr("Your picture")
            return where, self.tr("The picture appears here while it is drawn.")
        if self._lesson is Lesson.PICK:
            return (
                self.tr("Choose a place"),
                self.tr("Click one of the glowing places to see it drawn, or any other spot on the map."),
            )
        return self.tr("Choose a place"), self.tr("Click the map, or search for a place above it.")

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(384, 384)

    def picture_rect(self) -> QRect:
        """Return where the picture is drawn."""
        size = self._image.size() if not self._image.isNull() else QSize(1, 1)
        fitted = size.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        rect = QRect(QPoint(0, 0), fitted)
        rect.moveCenter(self.rect().center())
        return rect

    # -- events --

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture or the lesson."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if self._image.isNull():
                self._paint_lesson(painter)
            else:
                self._paint_picture(painter)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(self._theme.colour("accent"), 2))
                rect = self.rect() if self._image.isNull() else self.picture_rect()
                painter.drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), RADIUS, RADIUS)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the caption."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Hide the caption."""
        super().leaveEvent(event)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Remember where a drag may begin."""
        if event.button() == Qt.MouseButton.LeftButton and self._result:
            self._pressed = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the picture's file out of the window."""
        pressed = self._pressed
        if pressed is None or not event.buttons() & Qt.MouseButton.LeftButton or self._result is None:
            return
        if (event.position().toPoint() - pressed).manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
            drag = QDrag(self)
            drag.setMimeData(file_mime(self._result))
            drag.setPixmap(drag_pixmap(self._image))
            drag.exec(Qt.DropAction.CopyAction)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Forget the drag."""
        self._pressed = None
        super().mouseReleaseEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the picture's menu."""
        self.menu_asked.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space open the picture's menu."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not event.modifiers():
            self.menu_asked.emit(self.mapToGlobal(self.picture_rect().center()))
        else:
            super().keyPressEvent(event)

    # -- painting --

    def _paint_picture(self, painter: QPainter) -> None:
        rect = self.picture_rect()
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(rect), RADIUS_SMALL, RADIUS_SMALL)
        painter.save()
        painter.setClipPath(outline)
        if not self._before.isNull():
            fitted = QRect(QPoint(0, 0), self._before.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio))
            fitted.moveCenter(self.rect().center())
            painter.drawPixmap(fitted, self._enlarged(self._before, fitted.size()))
            painter.setOpacity(float(self._fade.currentValue()))
        painter.drawPixmap(rect, self._enlarged(self._image, rect.size()))
        painter.setOpacity(1.0)
        if not self._overlay.isNull():
            painter.drawPixmap(rect, self._enlarged(self._overlay, rect.size()))
        elif self._result and (self.underMouse() or self.hasFocus()) and not self._preview:
            self._paint_caption(painter, rect, self._result)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("frame"), 1))
        painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_SMALL, RADIUS_SMALL)

    def _enlarged(self, image: QImage, size: QSize) -> QPixmap:
        """Return a picture in the size in which it is shown, remembered for as long as both stay the same."""
        scale = self.devicePixelRatioF()
        key = (image.cacheKey(), size.width(), size.height(), scale)
        found = self._sized.get(key)
        if found is None:
            found = QPixmap.fromImage(enlarge(image, size * scale))
            if len(self._sized) > 3:
                self._sized.clear()
            self._sized[key] = found
        return found

    def _paint_caption(self, painter: QPainter, rect: QRect, result: Result) -> None:
        lines = self.caption(result)
        strong, small = QFont(self.font()), QFont(self.font())
        strong.setWeight(QFont.Weight.DemiBold)
        small.setPixelSize(TYPE_SMALL)
        heights = [QFontMetrics(strong).height(), *(QFontMetrics(small).height() for _ in lines[1:])]
        height = sum(heights) + SPACE_1 * (len(lines) - 1) + 2 * SPACE_3
        band = QRect(rect.left(), rect.bottom() + 1 - height - SPACE_5, rect.width(), height + SPACE_5)
        shade = QLinearGradient(0, band.top(), 0, band.bottom())
        for stop, alpha in ((0.0, 0), (0.35, 150), (1.0, 225)):
            shade.setColorAt(stop, QColor(12, 16, 22, alpha))
        painter.fillRect(band, shade)
        y = band.bottom() + 1 - SPACE_3 - sum(heights) - SPACE_1 * (len(lines) - 1)
        width = rect.width() - 2 * SPACE_3
        for number, (line, line_height) in enumerate(zip(lines, heights, strict=True)):
            font = small if number else strong
            painter.setFont(font)
            # The band is dark in both themes, so its ink is light in both.
            painter.setPen(QColor("#f3f5f8") if number == 0 else QColor("#ccd4de"))
            text = QFontMetrics(font).elidedText(line, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRect(rect.left() + SPACE_3, y, width, line_height), int(Qt.AlignmentFlag.AlignLeft), text)
            y += line_height + SPACE_1

    def caption(self, result: Result) -> list[str]:
        """Return the lines of the caption: place, distance to a photo, words."""
        place = result.request.place
        lines = [place_text(place) if place else self.tr("No place: drawn from the words alone")]
        if place:
            parts = (photo_distance_text(result.photo_distance), heading_text(place.heading))
            lines.append(first_upper(" · ".join(part for part in parts if part)))
            lines.append(first_upper(short_typicality_text(result.typicality_rank, result.places_compared)))
        lines.append(one_line(result.request.prompt))
        return [line for line in lines if line]

    def _paint_lesson(self, painter: QPainter) -> None:
        theme = self._theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("sunken"))
        painter.drawRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        heading, sentence = self.lesson_text()
        if not heading:
            return
        width = min(self.width() - 2 * SPACE_5, 300)
        strong = QFont(self.font())
        strong.setPixelSize(TYPE_LEAD)
        strong.setWeight(QFont.Weight.DemiBold)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap)
        room = QRect(0, 0, width, 1000)
        top = QFontMetrics(strong).boundingRect(room, flags, heading)
        below = QFontMetrics(self.font()).boundingRect(room, flags, sentence)
        side = 40
        total = side + SPACE_3 + top.height() + SPACE_2 + below.height()
        y = max(SPACE_2, (self.height() - total) // 2)
        x = (self.width() - width) // 2
        name = "pin" if self._lesson in (Lesson.PICK, Lesson.CLICK) else "picture"
        pixmap = icon_pixmap(name, theme.palette.accent, side, self.devicePixelRatioF())
        painter.drawPixmap(QPoint((self.width() - side) // 2, y), pixmap)
        y += side + SPACE_3
        painter.setFont(strong)
        painter.setPen(theme.colour("text"))
        painter.drawText(QRect(x, y, width, top.height()), flags, heading)
        y += top.height() + SPACE_2
        painter.setFont(self.font())
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(QRect(x, y, width, below.height() + SPACE_2), flags, sentence)

    def _forget_before(self) -> None:
        self._before = QImage()
        self.update()

    def _describe(self) -> None:
        if self._result:
            self.setAccessibleDescription(". ".join(self.caption(self._result)))
        elif self._image.isNull():
            self.setAccessibleDescription(". ".join(part for part in self.lesson_text() if part))
        else:
            self.setAccessibleDescription(self.tr("Being drawn") if self._preview else "")


def enlarge(image: QImage, size: QSize) -> QImage:
    """Return a picture in another size.

    Small pictures are doubled step by step: the eye sees the grid of pixels after one large bilinear step, but not
    after several small ones.
    """
    smooth = Qt.TransformationMode.SmoothTransformation
    ignore = Qt.AspectRatioMode.IgnoreAspectRatio
    while image.width() * 2 < size.width() and image.height() * 2 < size.height():
        image = image.scaled(image.size() * 2, ignore, smooth)
    return image.scaled(size, ignore, smooth)


def file_mime(result: Result) -> QMimeData:
    """Return a result as its file, for a drag to a folder or another program."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(result.path)])
    return mime


def drag_pixmap(image: QImage) -> QPixmap:
    """Return what hangs at the pointer while a picture is dragged."""
    return QPixmap.fromImage(
        image.scaled(QSize(96, 96), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    )
