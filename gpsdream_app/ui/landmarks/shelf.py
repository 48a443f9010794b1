"""The lifts of a landmark in a row: the one that goes on, those that are done, those that were left unfinished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QScrollArea, QWidget

from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftRequest, LiftResult
from gpsdream_app.library.lifts import UnfinishedLift
from gpsdream_app.ui.filmstrip import cover, paint_ring
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.landmarks.lifts import LiftJob, Lifts, LiftState
from gpsdream_app.ui.phrases import percent_text, tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, TYPE_SMALL

PICTURE = 72
WIDTH = 108
WORDS = 36
HEIGHT = PICTURE + WORDS + SPACE_1


class Tile(QAbstractButton):
    """One lift: its picture, its method and quality, and how long it took or how far it is."""

    menu_asked = Signal(QPoint)
    delete_asked = Signal()

    def __init__(
        self, theme: Theme, item: LiftResult | LiftJob | UnfinishedLift, look: QImage, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._theme, self.item, self._look = theme, item, look
        self.setFixedSize(WIDTH, HEIGHT)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)
        self.refresh()

    @property
    def request(self) -> LiftRequest:
        """What was asked for."""
        return self.item.request

    def refresh(self) -> None:
        """Follow the lift."""
        self.setAccessibleName(", ".join(part for part in (self.title(), self.note(), self._facts()) if part))
        self.setToolTip(tooltip("\n".join(part for part in (self.title(), self.note(), self._facts()) if part)))
        self.update()

    def title(self) -> str:
        """Return method and quality."""
        return short_title(self, self.request)

    def note(self) -> str:
        """Return the second line."""
        item = self.item
        if isinstance(item, LiftResult):
            text = seconds_text(self, item.seconds)
            return self.tr("{0}, ended early").format(text) if item.kept_early else text
        if isinstance(item, LiftJob):
            return {
                LiftState.WAITING: self.tr("waiting"),
                LiftState.LOADING: self.tr("loading"),
                LiftState.PAUSING: self.tr("pausing"),
                LiftState.PAUSED: self.tr("paused"),
                LiftState.KEEPING: self.tr("making a mesh"),
                LiftState.ENDING: self.tr("ending"),
            }.get(item.state, percent_text(item.share))
        return self.tr("unfinished")

    def _facts(self) -> str:
        item = self.item
        if not isinstance(item, LiftResult):
            return ""
        east, north, up = item.size
        size = self.tr("{0} x {1} x {2} m").format(f"{east:.1f}", f"{north:.1f}", f"{up:.1f}")
        closed = self.tr("closed") if item.watertight else self.tr("not closed")
        faces = self.tr("{0} faces, {1}").format(f"{item.faces:,}", closed)
        return "\n".join((size, faces, self.tr("Seed {0}").format(item.request.seed), date_text(item.created)))

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        super().leaveEvent(event)
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu."""
        mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        self.menu_asked.emit(event.globalPos() if mouse else self.mapToGlobal(self.rect().center()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete removes it, Enter shows it, the arrows go to the neighbours."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Right)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture and words."""
        theme, item = self._theme, self.item
        rect = QRect(0, 0, WIDTH, PICTURE).adjusted(2, 2, -2, 0)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            outline = QPainterPath()
            outline.addRoundedRect(QRectF(rect), RADIUS, RADIUS)
            painter.fillPath(outline, theme.colour("sunken"))
            image = self._look
            if isinstance(item, LiftJob) and not item.strip.isNull():
                side = item.strip.height()
                image = item.strip.copy(0, 0, side, side)
            if not image.isNull():
                painter.setClipPath(outline)
                painter.drawImage(rect, image, cover(image.size(), rect.size()))
                painter.setClipping(False)
            elif not isinstance(item, LiftJob):
                mark = icon_pixmap("landmark", theme.palette.text_faint, 24, self.devicePixelRatioF())
                painter.drawPixmap(rect.center().x() - 12, rect.center().y() - 12, mark)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            if self.isChecked() or self.hasFocus():
                painter.setPen(QPen(theme.colour("accent"), 2))
                painter.drawRoundedRect(QRectF(rect).adjusted(-1, -1, 1, 1), RADIUS + 1, RADIUS + 1)
            else:
                painter.setPen(QPen(theme.colour("text_faint" if self.underMouse() else "frame"), 1))
                painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
            if isinstance(item, LiftJob):
                self._paint_ring(painter, rect, item.share)
            self._paint_words(painter, rect)

    def _paint_ring(self, painter: QPainter, rect: QRect, share: float) -> None:
        side = 26
        ring = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
        shade = self._theme.colour("surface")
        shade.setAlphaF(0.78)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawEllipse(ring.adjusted(-5, -5, 5, 5))
        paint_ring(painter, ring, share, self._theme)

    def _paint_words(self, painter: QPainter, rect: QRect) -> None:
        theme = self._theme
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        font.setWeight(QFont.Weight.DemiBold if self.isChecked() else QFont.Weight.Normal)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter)
        for number, (text, colour) in enumerate(((self.title(), "text"), (self.note(), "text_muted"))):
            painter.setFont(font)
            painter.setPen(theme.colour(colour))
            line = QRect(0, rect.bottom() + 3 + 16 * number, WIDTH, 16)
            shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, WIDTH)
            painter.drawText(line, flags, shown)
            font.setWeight(QFont.Weight.Normal)


class Shelf(QScrollArea):
    """The row of a landmark.

    Signals:
        result_chosen: a finished lift shall be shown.
        job_chosen: the lift that goes on shall be shown.
        unfinished_chosen: an unfinished lift shall go on.
        menu_asked: a menu is wanted for a lift (LiftResult, LiftJob or UnfinishedLift) at a point on the screen.
        delete_asked: a lift shall be removed.
    """

    result_chosen = Signal(object)
    job_chosen = Signal()
    unfinished_chosen = Signal(object)
    menu_asked = Signal(object, QPoint)
    delete_asked = Signal(object)

    def __init__(self, theme: Theme, lifts: Lifts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._lifts = theme, lifts
        self._landmark_id = ""
        self._shown_id = ""
        self.tiles: list[Tile] = []
        self.setObjectName("panelScroll")
        self.setAccessibleName(self.tr("Lifts of this landmark"))
        self.setWidgetResizable(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedHeight(HEIGHT + SPACE_2 + SPACE_1)
        body = QWidget(self)
        body.setObjectName("panelBody")
        self._row = QHBoxLayout(body)
        self._row.setContentsMargins(0, 0, 0, SPACE_1)
        self._row.setSpacing(SPACE_2)
        self._row.addStretch()
        self.setWidget(body)
        lifts.history_changed.connect(self.read)
        lifts.changed.connect(self._changed)

    def show_landmark(self, landmark_id: str) -> None:
        """Show the lifts of another landmark."""
        self._landmark_id = landmark_id
        self.read()

    def mark(self, shown_id: str) -> None:
        """Show which lift stands above; the id of a result, or of a job."""
        self._shown_id = shown_id
        for tile in self.tiles:
            tile.setChecked(_id_of(tile.item) == shown_id)

    def read(self) -> None:
        """List the lifts anew."""
        lifts, wanted = self._lifts, self._landmark_id
        job = lifts.job_of(wanted)
        items: list[LiftResult | LiftJob | UnfinishedLift] = [job] if job else []
        items += lifts.of(wanted)
        items += lifts.unfinished_of(wanted)
        if [_id_of(tile.item) for tile in self.tiles] == [_id_of(item) for item in items]:
            for tile in self.tiles:
                tile.refresh()
            return
        focused = next((_id_of(tile.item) for tile in self.tiles if tile.hasFocus()), "")
        for tile in self.tiles:
            self._row.removeWidget(tile)
            tile.hide()
            tile.deleteLater()
        self.tiles = [self._make(item) for item in items]
        for number, tile in enumerate(self.tiles):
            self._row.insertWidget(number, tile)
            if focused and _id_of(tile.item) == focused:
                tile.setFocus()
        self.mark(self._shown_id)
        self.setVisible(bool(self.tiles))

    def _make(self, item: LiftResult | LiftJob | UnfinishedLift) -> Tile:
        look = self._lifts.look(item) if isinstance(item, LiftResult) else QImage()
        tile = Tile(self._theme, item, look, self)
        tile.clicked.connect(self._act(item))
        tile.menu_asked.connect(lambda point: self.menu_asked.emit(item, point))
        tile.delete_asked.connect(lambda: self.delete_asked.emit(item))
        return tile

    def _act(self, item: LiftResult | LiftJob | UnfinishedLift) -> Callable[[], None]:
        def act() -> None:
            if isinstance(item, LiftResult):
                self.result_chosen.emit(item)
            elif isinstance(item, LiftJob):
                self.job_chosen.emit()
            else:
                self.unfinished_chosen.emit(item)
            self.mark(self._shown_id)

        return act

    def _changed(self, landmark_id: str) -> None:
        if landmark_id == self._landmark_id:
            self.read()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Roll the row sideways."""
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (event.angleDelta().y() or event.angleDelta().x()))
        event.accept()

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(320, HEIGHT)


def _id_of(item: LiftResult | LiftJob | UnfinishedLift) -> str:
    if isinstance(item, LiftResult):
        return item.folder + item.created
    return item.job_id if isinstance(item, LiftJob) else "unfinished " + item.folder


def shown_id(item: LiftResult | LiftJob | None) -> str:
    """Return what `Shelf.mark` takes for a lift; empty for none."""
    return _id_of(item) if item else ""


def short_title(widget: QWidget, request: LiftRequest) -> str:
    """Return method and quality in a few words: “Refine, fast”."""
    method = {
        LiftMethod.REFINE: widget.tr("Refine"),
        LiftMethod.VIEWS: widget.tr("Views"),
        LiftMethod.SDS: widget.tr("SDS"),
        LiftMethod.TEXT: widget.tr("Text"),
    }[request.method]
    quality = {
        LiftQuality.FAST: widget.tr("fast"),
        LiftQuality.BALANCED: widget.tr("balanced"),
        LiftQuality.FINE: widget.tr("fine"),
    }[request.quality]
    return f"{method}, {quality}"


def seconds_text(widget: QWidget, seconds: float) -> str:
    """Return how long something took: “48 s”, “3 min”, “1.5 h”."""
    if seconds < 90:
        return widget.tr("{0} s").format(max(1, round(seconds)))
    if seconds < 5400:
        return widget.tr("{0} min").format(round(seconds / 60))
    return widget.tr("{0} h").format(f"{seconds / 3600:.1f}")


def date_text(created: str) -> str:
    """Return when a lift was finished, in the time of this computer: “2026-03-01 14:05”; empty if it cannot be read."""
    try:
        return datetime.fromisoformat(created.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
