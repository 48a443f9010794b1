"""Small widgets that the rooms of the window share. Each follows the theme by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import shiboken6
from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QEnterEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QButtonGroup,
    QComboBox,
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.ui.icons import icon, icon_pixmap
from gpsdream_app.ui.phrases import tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import CONTROL_HEIGHT, RADIUS, SPACE_1, SPACE_2, SPACE_3, SPACE_4, TYPE_SMALL


def label(text: str = "", look: str = "", *, wrap: bool = False, parent: QWidget | None = None) -> QLabel:
    """Return a label that shows its text as it is, whatever markup it may hold."""
    result = QLabel(parent)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setText(text)
    if look:
        result.setProperty("look", look)
    if wrap:
        result.setWordWrap(True)
        result.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return result


def set_look(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property that the style sheet looks at, and have the widget styled again."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.update()


def follow(theme: Theme, call: Callable[[], None]) -> None:
    """Call now, and at every change of the theme. Give a method of a widget, so that it ends with the widget."""
    theme.changed.connect(call)
    call()


class ElidedLabel(QLabel):
    """One line of plain text that ends in “…” where the width ends; the whole text is its tooltip then."""

    def __init__(self, text: str = "", look: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        if look:
            self.setProperty("look", look)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(text)
        self._tell()

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Decide anew whether the text fits."""
        super().resizeEvent(event)
        self._tell()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much as fits."""
        with QPainter(self) as painter:
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(self.contentsRect(), int(self.alignment()), self._elided())

    def _elided(self) -> str:
        metrics = QFontMetrics(self.font())
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())

    def _tell(self) -> None:
        self.setToolTip("" if self._elided() == self.text() else tooltip(self.text()))


class IconButton(QToolButton):
    """A flat button with an icon of ours, recoloured with the theme."""

    def __init__(
        self,
        theme: Theme,
        icon_name: str,
        name: str,
        *,
        size: int = 18,
        colour: str = "text_muted",
        look: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """Make a button.

        Args:
            theme: gives the colours.
            icon_name: file name in resources/icons.
            name: what it does, for tooltip and screen readers.
            size: side of the icon in device-independent pixels.
            colour: token of the icon's colour.
            look: look for the style sheet.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._icon_name, self._colour, self._size = theme, icon_name, colour, size
        self.setIconSize(QSize(size, size))
        self.setAccessibleName(name)
        self.setToolTip(tooltip(name))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if look:
            self.setProperty("look", look)
        follow(theme, self._tint)

    def set_icon(self, icon_name: str) -> None:
        """Show another icon."""
        self._icon_name = icon_name
        self._tint()

    def set_name(self, name: str) -> None:
        """Say anew what the button does."""
        self.setAccessibleName(name)
        self.setToolTip(tooltip(name))

    def _tint(self) -> None:
        theme = self._theme
        self.setIcon(
            icon(
                self._icon_name,
                theme.colour(self._colour),
                self._size,
                checked=theme.colour("accent"),
                faint=theme.colour("line_strong"),
            )
        )


class TextButton(QPushButton):
    """A button with a word and, if wanted, an icon of ours before it."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        icon_name: str = "",
        *,
        look: str = "",
        colour: str = "text_muted",
        parent: QWidget | None = None,
    ) -> None:
        """Make a button; see `IconButton` for the arguments."""
        super().__init__(text, parent)
        self._theme, self._icon_name, self._colour = theme, icon_name, colour
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # A ring round what was clicked tells nothing; it is for those who go by Tab.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAutoDefault(False)
        if look:
            self.setProperty("look", look)
        if icon_name:
            self.setIconSize(QSize(16, 16))
            follow(theme, self._tint)

    def set_icon(self, icon_name: str) -> None:
        """Show another icon."""
        self._icon_name = icon_name
        self._tint()

    def _tint(self) -> None:
        theme = self._theme
        self.setIcon(icon(self._icon_name, theme.colour(self._colour), 16, faint=theme.colour("line_strong")))


class PrimaryButton(QAbstractButton):
    """The one button that glows: a word, and its shortcut in a lighter hand at the right."""

    def __init__(self, theme: Theme, text: str, shortcut: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._keys = theme, shortcut
        self.setText(text)
        self.setAccessibleName(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(CONTROL_HEIGHT + SPACE_2)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Room for the word and the shortcut."""
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance(self.text() + self._keys) + 72, CONTROL_HEIGHT + SPACE_2)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Glow a little more."""
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Glow as usual."""
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            lit = self.underMouse() and not self.isDown()
            if not self.isEnabled():
                fill, ink = theme.colour("hover"), theme.colour("text_faint")
            else:
                fill, ink = theme.colour("glow_hover" if lit else "glow"), theme.colour("on_glow")
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(ink, 2))
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(3, 3, -3, -3), RADIUS - 3, RADIUS - 3)
            painter.setPen(ink)
            font = self.font()
            font.setWeight(font.Weight.DemiBold)
            painter.setFont(font)
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())
            word = QFontMetrics(font).horizontalAdvance(self.text())
            font = self.font()
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            keys = QFontMetrics(font).horizontalAdvance(self._keys)
            # The shortcut goes first when the button gets narrow.
            if self.width() > word + 2 * (keys + SPACE_3 + SPACE_2):
                ink.setAlphaF(0.72 if self.isEnabled() else 1.0)
                painter.setPen(ink)
                right = self.rect().adjusted(0, 0, -SPACE_3, 0)
                painter.drawText(right, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), self._keys)


class FieldBox(QFrame):
    """A frame that looks like one field round several widgets, and shows their focus as its own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("box")
        self.setFixedHeight(CONTROL_HEIGHT)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(1, 1, 1, 1)
        self.row.setSpacing(0)

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Put a widget into the field."""
        widget.installEventFilter(self)
        self.row.addWidget(widget, stretch)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Watch the focus of what is inside."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut) and isinstance(watched, QLineEdit):
            set_look(self, "focused", event.type() == QEvent.Type.FocusIn)
        return False


class NumberEdit(QLineEdit):
    """A number that is typed, rolled or stepped with the arrow keys; what is not a number is put right on leaving.

    Signals:
        number_changed: a person gave another number.
    """

    number_changed = Signal(float)

    def __init__(
        self, low: float, high: float, *, decimals: int = 0, step: float = 1, parent: QWidget | None = None
    ) -> None:
        """Make a field for numbers from `low` to `high`."""
        super().__init__(parent)
        self._low, self._high, self._decimals, self._step = low, high, decimals, step
        self._number = low
        self.textEdited.connect(self._edited)
        self.editingFinished.connect(self._settle)
        self.setText(self._text_of(low))

    @property
    def number(self) -> float:
        """The number."""
        return self._number

    def show_number(self, number: float) -> None:
        """Show a number without announcing it."""
        self._number = number
        if not (self.hasFocus() and self._parsed(self.text()) == number):
            self.setText(self._text_of(number))

    def step_by(self, steps: int) -> None:
        """Go some steps up or down."""
        self._take(self._number + steps * self._step, rewrite=True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down step, Page Up and Page Down take ten steps."""
        steps = {
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageUp: 10,
            Qt.Key.Key_PageDown: -10,
        }.get(Qt.Key(event.key()))
        if steps is None:
            super().keyPressEvent(event)
        else:
            self.step_by(steps)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step only where the field has the focus, so that scrolling the panel changes nothing by accident."""
        if self.hasFocus() and event.angleDelta().y():
            self.step_by(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            event.ignore()

    def _edited(self, text: str) -> None:
        number = self._parsed(text)
        if number is not None and self._low <= number <= self._high:
            self._take(number, rewrite=False)

    def _settle(self) -> None:
        number = self._parsed(self.text())
        self._take(self._number if number is None else number, rewrite=True)

    def _take(self, number: float, *, rewrite: bool) -> None:
        number = min(max(number, self._low), self._high)
        number = round(number, self._decimals)
        if rewrite:
            self.setText(self._text_of(number))
        if number != self._number:
            self._number = number
            self.number_changed.emit(number)

    def _parsed(self, text: str) -> float | None:
        try:
            return float(text.strip().replace(",", "."))
        except ValueError:
            return None

    def _text_of(self, number: float) -> str:
        return f"{number:.{self._decimals}f}"


class Stepper(FieldBox):
    """A whole number between a minus and a plus.

    Signals:
        number_changed: a person gave another number.
    """

    number_changed = Signal(int)

    def __init__(self, theme: Theme, low: int, high: int, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edit = NumberEdit(low, high, parent=self)
        self.edit.setProperty("look", "bare")
        self.edit.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.edit.setAccessibleName(name)
        self.edit.setMinimumWidth(28)
        self.less = IconButton(theme, "minus", self.tr("Fewer"), size=16, parent=self)
        self.more = IconButton(theme, "plus", self.tr("More"), size=16, parent=self)
        for button, steps in ((self.less, -1), (self.more, 1)):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Up and Down in the field do the same
            button.setAutoRepeat(True)
            button.setFixedSize(CONTROL_HEIGHT - 4, CONTROL_HEIGHT - 4)
            button.clicked.connect(lambda _=False, steps=steps: self.edit.step_by(steps))
        self.add(self.less)
        self.add(self.edit, 1)
        self.add(self.more)
        self.edit.number_changed.connect(lambda number: self.number_changed.emit(int(number)))
        self._low, self._high = low, high

    def show_number(self, number: int) -> None:
        """Show a number without announcing it."""
        self.edit.show_number(number)


class Slider(QSlider):
    """A horizontal slider over a range of numbers in tenths; a click on the groove goes there at once.

    Signals:
        number_changed: a person moved it.
    """

    number_changed = Signal(float)

    def __init__(self, low: float, high: float, scale: int = 10, parent: QWidget | None = None) -> None:
        """Make a slider from `low` to `high` with steps of 1/`scale`."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._scale = scale
        self.setRange(round(low * scale), round(high * scale))
        self.setSingleStep(max(1, scale // 2))
        self.setPageStep(scale)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.valueChanged.connect(self._announce)

    def show_number(self, number: float) -> None:
        """Show a number without announcing it; beyond the range the handle stands at the end."""
        self.blockSignals(True)
        self.setValue(round(number * self._scale))
        self.blockSignals(False)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where the pointer is."""
        if event.button() == Qt.MouseButton.LeftButton:
            handle = 16
            share = (event.position().x() - handle / 2) / max(1, self.width() - handle)
            low, high = self.minimum(), self.maximum()
            if abs(share - (self.value() - low) / max(1, high - low)) * self.width() > handle / 2:
                self.setValue(round(low + min(max(share, 0.0), 1.0) * (high - low)))
        super().mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel, so that scrolling changes nothing by accident."""
        event.ignore()

    def _announce(self, value: int) -> None:
        self.number_changed.emit(value / self._scale)

    def show_range(self, low: float, high: float) -> None:
        """Take another range; the number stays as it is."""
        self.blockSignals(True)
        self.setRange(round(low * self._scale), round(high * self._scale))
        self.blockSignals(False)


class Segments(QFrame):
    """A choice of a few, all of them in sight.

    Signals:
        chosen: a person chose another one; its key.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, choices: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        """Make a choice of (key, word, icon name)."""
        super().__init__(parent)
        self.setObjectName("segments")
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, TextButton] = {}
        for key, word, icon_name in choices:
            button = TextButton(theme, word, icon_name, look="segment", parent=self)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            row.addWidget(button)

    def show_choice(self, key: str) -> None:
        """Show a choice without announcing it."""
        self._buttons[key].setChecked(True)

    def button(self, key: str) -> TextButton:
        """Return the button of a choice."""
        return self._buttons[key]


class Switch(QAbstractButton):
    """On or off, with its words beside it."""

    WIDTH, HEIGHT = 36, 20

    def __init__(self, theme: Theme, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setText(text)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Room for the words and the switch."""
        width = QFontMetrics(self.font()).horizontalAdvance(self.text()) + SPACE_3 + self.WIDTH
        return QSize(width, CONTROL_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw words and switch."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            track = QRectF(self.width() - self.WIDTH - 2, (self.height() - self.HEIGHT) / 2, self.WIDTH, self.HEIGHT)
            painter.setPen(
                QPen(theme.colour("accent" if self.hasFocus() else "line_strong"), 2 if self.hasFocus() else 1)
            )
            painter.setBrush(theme.colour("glow" if self.isChecked() else "sunken"))
            painter.drawRoundedRect(track, self.HEIGHT / 2, self.HEIGHT / 2)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("on_glow" if self.isChecked() else "text_faint"))
            side = self.HEIGHT - 8
            x = track.right() - side - 4 if self.isChecked() else track.left() + 4
            painter.drawEllipse(QRectF(x, track.top() + 4, side, side))
            painter.setPen(theme.colour("text"))
            words = self.rect().adjusted(0, 0, -self.WIDTH - SPACE_3, 0)
            painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), self.text())


class ChoiceBox(QComboBox):
    """A list that opens, with an arrow of ours."""

    ARROW = 16

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the box, and the arrow at its right."""
        super().paintEvent(event)
        with QPainter(self) as painter:
            arrow = icon_pixmap("down", self._theme.palette.text_muted, self.ARROW, self.devicePixelRatioF())
            painter.drawPixmap(self.width() - self.ARROW - SPACE_2, (self.height() - self.ARROW) // 2, arrow)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel, so that scrolling chooses nothing by accident."""
        event.ignore()


class Backdrop(QWidget):
    """An unseen sheet between the window and a floating card; a click on it puts the card away.

    Signals:
        pressed: it was clicked.
    """

    pressed = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the click; nothing below is meant by it."""
        self.pressed.emit()


class Popover(QFrame):
    """A card that floats over the window beside what opened it, and goes away by Escape or a click elsewhere.

    Signals:
        closed: it went away.
    """

    closed = Signal()

    def __init__(self, theme: Theme, window: QWidget, name: str) -> None:
        super().__init__(window)
        self.setObjectName("popover")
        self.setAccessibleName(name)
        self.theme = theme
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        self.column.setSpacing(SPACE_2)
        self._opener: QWidget | None = None
        self._focused_before: QWidget | None = None
        self._window = window
        self._backdrop = Backdrop(window)
        self._backdrop.pressed.connect(self.dismiss)
        self._backdrop.hide()
        self.setGraphicsEffect(Shadow(theme, self))
        self.hide()
        window.installEventFilter(self)

    def open_beside(self, opener: QWidget) -> None:
        """Show the card at the right of a widget, its lower edge at the widget's, as far as the window reaches."""
        self._opener = opener
        self._focused_before = QApplication.focusWidget()
        self._backdrop.setGeometry(self._window.rect())
        self._backdrop.show()
        self._backdrop.raise_()
        self.adjustSize()
        self._place()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def toggle_beside(self, opener: QWidget) -> None:
        """Show the card, or put it away if it stands there."""
        if self.isVisible():
            self.dismiss()
        else:
            self.open_beside(opener)

    def dismiss(self) -> None:
        """Put the card away; the focus goes back to where it was."""
        if self.isHidden():
            return
        focused = QApplication.focusWidget()
        inside = focused is not None and (focused is self or self.isAncestorOf(focused))
        self.hide()
        self._backdrop.hide()
        before = self._focused_before
        if inside and before is not None and shiboken6.isValid(before):
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit()

    def fit(self) -> None:
        """Take the size that the content needs now."""
        if self.isVisible():
            self.adjustSize()
            self._place()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Go away when the window gets another size."""
        if event.type() == QEvent.Type.Resize:
            self.dismiss()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape puts the card away."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep Escape from stopping the drawing while the card is open."""
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and escape:
            event.accept()
            return True
        return super().event(event)

    def _place(self) -> None:
        if self._opener is None:
            return
        corner = self._opener.mapTo(self._window, QPoint(self._opener.width(), self._opener.height()))
        x = min(corner.x() + SPACE_4, self._window.width() - self.width() - SPACE_2)
        y = max(SPACE_2, min(corner.y(), self._window.height() - SPACE_2) - self.height())
        self.move(x, y)


class Shadow(QGraphicsDropShadowEffect):
    """The soft shadow of a floating card."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setBlurRadius(24)
        self.setOffset(0, 4)
        follow(theme, self._tint)

    def _tint(self) -> None:
        colour = QColor("#05080c")
        colour.setAlphaF(0.55 if self._theme.palette.name == "dark" else 0.22)
        self.setColor(colour)


class Menu(QMenu):
    """A menu with our icons and round corners on every platform."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)

    def add(self, text: str, icon_name: str, call: Callable[[], None], shortcut: str = "") -> QAction:
        """Append an entry; `shortcut` is only shown, the window owns the keys."""
        action = QAction(icon(icon_name, self._theme.colour("text_muted"), 16), text, self)
        if shortcut:
            action.setText(f"{text}\t{shortcut}")
        action.triggered.connect(lambda: call())
        self.addAction(action)
        return action

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the corners off: without a compositor a translucent window would have black ones."""
        super().resizeEvent(event)
        path = QPainterPath()
        path.addRoundedRect(QRectF(self.rect()).adjusted(-0.5, -0.5, 0.5, 0.5), RADIUS, RADIUS)
        self.setMask(QRegion(path.toFillPolygon().toPolygon()))


class ChipRow(QWidget):
    """Words as chips, as many as fit in one line; the last chip unfolds the others.

    Signals:
        clicked: a word was clicked.
        height_changed: it was folded or unfolded.
    """

    clicked = Signal(str)
    height_changed = Signal()
    HEIGHT = 24

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chips: dict[str, QPushButton] = {}
        self._open = False
        self._more = self._chip("")
        self._more.clicked.connect(self._toggle)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.HEIGHT)

    @property
    def words(self) -> list[str]:
        """The words, in order."""
        return list(self._chips)

    def chip(self, word: str) -> QPushButton:
        """Return the chip of a word."""
        return self._chips[word]

    def show_words(self, words: Sequence[str]) -> None:
        """Show these words."""
        for chip in self._chips.values():
            chip.deleteLater()
        self._chips = {}
        for word in dict.fromkeys(words):
            chip = self._chip(word)
            chip.setCheckable(True)
            chip.clicked.connect(lambda _=False, word=word: self.clicked.emit(word))
            self._chips[word] = chip
        # The words come late, with the model's card; Tab shall still find them here and not after everything else.
        before: QWidget = self._more
        for chip in self._chips.values():
            QWidget.setTabOrder(before, chip)
            before = chip
        QWidget.setTabOrder(before, self._more)
        self.setVisible(bool(words))
        self._arrange()

    def mark(self, has: Callable[[str], bool]) -> None:
        """Show which words are in the prompt."""
        for word, chip in self._chips.items():
            chip.setChecked(has(word))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange the chips anew."""
        super().resizeEvent(event)
        self._arrange()

    def _chip(self, word: str) -> QPushButton:
        chip = QPushButton(word.replace("&", "&&"), self)
        chip.setProperty("look", "chip")
        chip.setAccessibleName(word)
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        chip.setAutoDefault(False)
        chip.setFixedHeight(self.HEIGHT)
        chip.show()
        return chip

    def _toggle(self) -> None:
        self._open = not self._open
        self._arrange()
        self.height_changed.emit()

    def _arrange(self) -> None:
        gap, width = SPACE_1 + 2, self.width()
        chips = list(self._chips.values())
        sizes = [chip.sizeHint().width() for chip in chips]
        self._more.setText(self.tr("Fewer") if self._open else self.tr("{0} more").format(len(chips)))
        self._more.setAccessibleName(self.tr("Fewer words") if self._open else self.tr("More words"))
        room = self._more.sizeHint().width() + gap
        shown = len(chips)
        if not self._open and sum(sizes) + gap * (len(sizes) - 1) > width:
            shown, used = 0, 0
            while shown < len(chips) and used + sizes[shown] + room <= width:
                used += sizes[shown] + gap
                shown += 1
            self._more.setText(self.tr("{0} more").format(len(chips) - shown))
        x = y = 0
        last = [self._more] if (shown < len(chips) or self._open) and chips else []
        widths = [*sizes[:shown], *(chip.sizeHint().width() for chip in last)]
        for chip, chip_width in zip([*chips[:shown], *last], widths, strict=True):
            if x and x + chip_width > width:
                x, y = 0, y + self.HEIGHT + gap
            chip.setGeometry(x, y, chip_width, self.HEIGHT)
            chip.show()
            x += chip_width + gap
        for chip in chips[shown:]:
            chip.hide()
        self._more.setVisible(bool(last))
        self.setFixedHeight(y + self.HEIGHT)


def titled_card(column: QVBoxLayout, title: str) -> QVBoxLayout:
    """Add a card with a heading to a page's column, and return what its rows go into."""
    heading = label(title, "lead")
    heading.setContentsMargins(0, SPACE_2, 0, 0)
    column.addWidget(heading)
    card = QFrame()
    card.setObjectName("card")
    rows = QVBoxLayout(card)
    rows.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
    rows.setSpacing(SPACE_2)
    column.addWidget(card)
    return rows
