"""The averages side by side: a card per region, as many in a row as there is room for."""

from __future__ import annotations

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
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QFrame, QScrollArea, QWidget

from gpsdream_app.ui.filmstrip import cover, paint_ring
from gpsdream_app.ui.neighbourhoods.averages import Averages, Card, CardState
from gpsdream_app.ui.neighbourhoods.state import photos_text
from gpsdream_app.ui.phrases import one_line, tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL

NARROWEST, WIDEST = 148, 420
WORDS = 44  # below the picture


class CardButton(QAbstractButton):
    """One region: its picture, its name, and how many photos stand behind it."""

    def __init__(self, theme: Theme, card: Card, averages: Averages, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._averages = theme, averages
        self.card = card
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)
        self.refresh()

    @property
    def region_id(self) -> str:
        """Id of the region."""
        return self.card.listed.id

    def refresh(self) -> None:
        """Follow the card."""
        listed = self.card.listed
        parts = (one_line(listed.name), photos_text(listed.photos), self.state_text())
        self.setAccessibleName(", ".join(part for part in parts if part))
        failure = self.card.failure
        self.setToolTip(tooltip(f"{failure.message} {failure.hint}".strip()) if failure else "")
        self.update()

    def state_text(self) -> str:
        """Return what stands in place of the picture."""
        return {
            CardState.LOOKING: "",
            CardState.EMPTY: self.tr("Not drawn yet"),
            CardState.WAITING: self.tr("Waiting"),
            CardState.DRAWING: self.tr("Being drawn"),
            CardState.DONE: "",
            CardState.FAILED: self.tr("Cannot be drawn"),
        }[self.card.state]

    def picture_rect(self) -> QRect:
        """Return where the picture stands."""
        return QRect(0, 0, self.width(), self.width()).adjusted(2, 2, -2, -2)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card."""
        theme, card = self._theme, self.card
        rect = self.picture_rect()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            outline = QPainterPath()
            outline.addRoundedRect(QRectF(rect), RADIUS, RADIUS)
            painter.fillPath(outline, theme.colour("sunken"))
            image = card.image(self._averages.noise)
            if image.isNull() and card.state is CardState.DRAWING:
                image = card.preview
            painter.setClipPath(outline)
            if not image.isNull():
                painter.drawImage(rect, image, cover(image.size(), rect.size()))
            painter.setClipping(False)
            self._paint_frame(painter, QRectF(rect))
            if card.state is CardState.DRAWING:
                self._paint_ring(painter, rect)
            elif image.isNull():
                painter.setPen(theme.colour("danger" if card.state is CardState.FAILED else "text_faint"))
                painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), self.state_text())
            self._paint_words(painter, rect)

    def _paint_frame(self, painter: QPainter, rect: QRectF) -> None:
        theme = self._theme
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), RADIUS, RADIUS)
            return
        pen = QPen(theme.colour("text_faint" if self.underMouse() else "frame"), 1)
        if self.card.listed.photos == 0:
            # What the model has to guess does not stand there as if it knew it.
            pen = QPen(theme.colour("accent"), 1.5, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    def _paint_ring(self, painter: QPainter, rect: QRect) -> None:
        side = 34
        ring = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
        shade = self._theme.colour("surface")
        shade.setAlphaF(0.78)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawEllipse(ring.adjusted(-6, -6, 6, 6))
        paint_ring(painter, ring, self.card.fraction, self._theme)

    def _paint_words(self, painter: QPainter, rect: QRect) -> None:
        theme, listed = self._theme, self.card.listed
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(theme.colour("text"))
        line = QRect(rect.left() + 1, rect.bottom() + SPACE_1, rect.width() - 2, 18)
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        name = QFontMetrics(font).elidedText(one_line(listed.name), Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, flags, name)
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        painter.setFont(font)
        painter.setPen(theme.colour("accent" if listed.photos == 0 else "text_muted"))
        note = photos_text(listed.photos)
        painter.drawText(line.translated(0, 18), flags, note)


class CardGrid(QWidget):
    """The cards, in rows.

    Signals:
        chosen: a card was clicked; the region's id.
        menu_asked: a context menu is wanted for a region at a point on the screen.
    """

    chosen = Signal(str)
    menu_asked = Signal(str, QPoint)
    GAP = SPACE_3

    def __init__(self, theme: Theme, averages: Averages, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._averages = theme, averages
        self._buttons: dict[str, CardButton] = {}
        self._columns = 1
        averages.cards_changed.connect(self.read)
        averages.card_changed.connect(self._card_changed)
        self.read()

    @property
    def buttons(self) -> list[CardButton]:
        """The cards, in order."""
        return list(self._buttons.values())

    def button(self, region_id: str) -> CardButton:
        """Return the card of a region."""
        return self._buttons[region_id]

    def read(self) -> None:
        """Show the cards that there are now."""
        old, self._buttons = self._buttons, {}
        before: QWidget | None = None
        for card in self._averages.cards:
            button = old.pop(card.listed.id, None)
            if button is None:
                button = CardButton(self._theme, card, self._averages, self)
                button.clicked.connect(lambda _=False, region_id=card.listed.id: self.chosen.emit(region_id))
                button.installEventFilter(self)
                button.show()
            button.card = card
            button.refresh()
            self._buttons[card.listed.id] = button
            if before is not None:
                QWidget.setTabOrder(before, button)
            before = button
        for button in old.values():
            button.hide()
            button.deleteLater()
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange the cards anew."""
        super().resizeEvent(event)
        self._arrange()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Let the arrow keys go from card to card, and ask for menus."""
        if isinstance(watched, CardButton) and isinstance(event, QContextMenuEvent):
            mouse = event.reason() == QContextMenuEvent.Reason.Mouse
            point = event.globalPos() if mouse else watched.mapToGlobal(watched.rect().center())
            self.menu_asked.emit(watched.region_id, point)
            return True
        if isinstance(watched, CardButton) and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            buttons = self.buttons
            steps = {
                Qt.Key.Key_Left: -1,
                Qt.Key.Key_Right: 1,
                Qt.Key.Key_Up: -self._columns,
                Qt.Key.Key_Down: self._columns,
            }.get(Qt.Key(event.key()))
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
                watched.click()
                return True
            if steps is not None:
                number = buttons.index(watched) + steps
                if 0 <= number < len(buttons):
                    buttons[number].setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return False

    def _card_changed(self, region_id: str) -> None:
        button = self._buttons.get(region_id)
        if button:
            button.refresh()

    def _arrange(self) -> None:
        width, count = self.width(), len(self._buttons)
        if not count or width < NARROWEST:
            self.setMinimumHeight(0)
            return
        viewport = self.parentWidget()
        height = viewport.height() if viewport else 0
        # As large as they can be with all of them in sight; where that is too small, as many in a row as there is
        # room for, and the rest is scrolled.
        side, columns = 0, 1
        for number in range(1, max(count, 2) + 1):
            rows = -(-count // number)
            across = (width - (number - 1) * self.GAP) // number
            down = height // rows - WORDS - self.GAP
            if min(across, down, WIDEST) > side:
                side, columns = min(across, down, WIDEST), number
        if side < NARROWEST:
            columns = max(1, (width + self.GAP) // (NARROWEST + self.GAP))
            side = (width - (columns - 1) * self.GAP) // columns
        rows = -(-count // columns)
        self._columns = columns
        for number, button in enumerate(self._buttons.values()):
            row, column = divmod(number, columns)
            button.setGeometry(column * (side + self.GAP), row * (side + WORDS + self.GAP), side, side + WORDS)
        self.setMinimumHeight(rows * (side + WORDS + self.GAP))


class GridScroll(QScrollArea):
    """The grid, scrolled where it is too long, and a sentence where there is nothing to show."""

    def __init__(self, theme: Theme, grid: CardGrid, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._grid = theme, grid
        self.setObjectName("panelScroll")
        grid.setObjectName("panelBody")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(grid)


class Sheet(QWidget):
    """A contact sheet: small pictures in rows, as large as fit.

    Signals:
        chosen: a picture was clicked, or Enter was pressed on it; its number from 0.
    """

    chosen = Signal(int)

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._images: list[QImage] = []
        self._notes: list[str] = []
        self._current = -1
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 160)
        theme.changed.connect(self.update)

    @property
    def images(self) -> list[QImage]:
        """The pictures."""
        return self._images

    @property
    def current(self) -> int:
        """The picture that the keyboard is on, -1 if there is none."""
        return self._current

    def show_images(self, images: list[QImage], notes: list[str]) -> None:
        """Show pictures; a null one leaves its place free. Notes are their tooltips."""
        self._images, self._notes = images, notes
        self._current = min(self._current, len(images) - 1)
        self.update()

    def rects(self) -> list[QRect]:
        """Return where each picture stands."""
        count = len(self._images)
        if not count:
            return []
        best, columns = 0, 1
        for number in range(1, count + 1):
            rows = -(-count // number)
            side = min(
                (self.width() - (number - 1) * SPACE_2) // number, (self.height() - (rows - 1) * SPACE_2) // rows
            )
            if side > best:
                best, columns = side, number
        side = min(best, WIDEST)
        return [
            QRect(number % columns * (side + SPACE_2), number // columns * (side + SPACE_2), side, side)
            for number in range(count)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the pictures."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            for number, (rect, image) in enumerate(zip(self.rects(), self._images, strict=True)):
                outline = QPainterPath()
                outline.addRoundedRect(QRectF(rect), RADIUS / 2, RADIUS / 2)
                painter.fillPath(outline, theme.colour("sunken"))
                painter.setClipPath(outline)
                if not image.isNull():
                    painter.drawImage(rect, image, cover(image.size(), rect.size()))
                painter.setClipping(False)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                focused = self.hasFocus() and number == self._current
                painter.setPen(QPen(theme.colour("accent" if focused else "frame"), 2 if focused else 1))
                painter.drawPath(outline)

    def event(self, event: QEvent) -> bool:
        """Tell of the picture under the pointer."""
        if event.type() == QEvent.Type.ToolTip:
            position = event.pos()  # type: ignore[attr-defined]
            number = self._at(position)
            self.setToolTip(tooltip(self._notes[number]) if 0 <= number < len(self._notes) else "")
        return super().event(event)

    def mouseReleaseEvent(self, event: object) -> None:
        """Choose a picture."""
        number = self._at(event.position().toPoint())  # type: ignore[attr-defined]
        if number >= 0:
            self._current = number
            self.update()
            self.chosen.emit(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right go from picture to picture, Enter chooses one."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if steps is not None and self._images:
            self._current = min(max(self._current + steps, 0), len(self._images) - 1)
            if self._current < len(self._notes):
                self.setAccessibleDescription(self._notes[self._current])
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.chosen.emit(self._current)
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(400, 400)

    def _at(self, point: QPoint) -> int:
        return next((number for number, rect in enumerate(self.rects()) if rect.contains(point)), -1)
