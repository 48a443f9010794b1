"""“Why does it look like this?”: the words and the place as chips, each with the share of attention that it got."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.explanations import Explanation, TokenKind
from gpsdream_app.ui.explainer import Explainer, Layer, PlaceMap, WhyState, ramp_colour, where_looked
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.phrases import first_upper, percent_text, time_left_text, tooltip, typicality_text, where_text
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4, TYPE_SMALL
from gpsdream_app.ui.widgets import IconButton, Slider, TextButton, follow, label

CHIP_HEIGHT = 26
GAP = SPACE_1 + 2


class ShareChip(QAbstractButton):
    """A word with its share of the attention; its fill is as long as the share, beside the largest one."""

    def __init__(
        self, theme: Theme, text: str, share: float | None, of_most: float, parent: QWidget | None = None
    ) -> None:
        """Make a chip.

        Args:
            theme: gives the colours.
            text: the word.
            share: of the attention, 0 to 1; None if that means nothing here.
            of_most: the share, divided by the largest one of all chips.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._of_most = theme, of_most
        self._number = "" if share is None else percent_text(share)
        self.setText(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Room for the word and the number."""
        metrics = QFontMetrics(self._font())
        width = metrics.horizontalAdvance(self.text()) + metrics.horizontalAdvance(self._number)
        return QSize(width + (SPACE_3 if self._number else 2) + 2 * (SPACE_2 + 2), CHIP_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the chip."""
        theme = self._theme
        lit = self.isChecked() or self.underMouse() or self.hasFocus()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            outline = QPainterPath()
            outline.addRoundedRect(rect, CHIP_HEIGHT / 2, CHIP_HEIGHT / 2)
            painter.fillPath(outline, theme.colour("raised"))
            painter.save()
            painter.setClipPath(outline)
            filled = QRectF(rect.left(), rect.top(), rect.width() * self._of_most, rect.height())
            painter.fillRect(filled, theme.colour("accent_soft"))
            painter.restore()
            focused = self.hasFocus() or self.isChecked()
            painter.setPen(QPen(theme.colour("accent" if lit else "line_strong"), 2 if focused else 1))
            painter.drawPath(outline)
            painter.setFont(self._font())
            painter.setPen(theme.colour("accent" if self.isChecked() else "text"))
            inner = self.rect().adjusted(SPACE_2 + 2, 0, -SPACE_2 - 2, 0)
            middle = Qt.AlignmentFlag.AlignVCenter
            number = self._number
            room = inner.width() - QFontMetrics(self._font()).horizontalAdvance(number) - (SPACE_2 if number else 0)
            text = QFontMetrics(self._font()).elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
            painter.drawText(inner, int(Qt.AlignmentFlag.AlignLeft | middle), text)
            painter.setPen(theme.colour("accent" if self.isChecked() else "text_muted"))
            painter.drawText(inner, int(Qt.AlignmentFlag.AlignRight | middle), number)

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(TYPE_SMALL)
        return font


class TokenChip(ShareChip):
    """The chip of one token: shows its map while it is pointed at, and keeps it when it is chosen."""

    def __init__(
        self, theme: Theme, explainer: Explainer, number: int, name: str, of_most: float, parent: QWidget
    ) -> None:
        token = explainer.tokens[number]
        super().__init__(theme, name, token.share, of_most, parent)
        self._explainer, self.number = explainer, number
        words = self.tr("It explains most {0}.") if token.kind is None else self.tr("Looked at most {0}.")
        words = words.format(where_text(where_looked(token)))
        self.setAccessibleName(name if token.share is None else f"{name}, {percent_text(token.share)}")
        self.setAccessibleDescription(words)
        self.setToolTip(tooltip(words))
        self.clicked.connect(self._choose)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the map."""
        super().enterEvent(event)
        self._explainer.point(self.number)

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to the chosen one."""
        super().leaveEvent(event)
        self._explainer.point(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Who goes by Tab sees each map in turn."""
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._explainer.choose(self.number)

    def _choose(self) -> None:
        self._explainer.choose(None if self._explainer.chosen == self.number else self.number)


class Flow(QWidget):
    """Widgets in lines, as many in each as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_items(self, items: Sequence[QWidget]) -> None:
        """Show these in place of what was there."""
        for item in self._items:
            item.hide()
            item.deleteLater()
        self._items = list(items)
        for item in self._items:
            item.setParent(self)
            item.show()
        self._arrange(self.width())
        self.updateGeometry()

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        return self._arrange(width, move=False)

    def sizeHint(self) -> QSize:
        """The lines at the width as it is."""
        return QSize(self.width(), self._arrange(self.width(), move=False))

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(80, self._arrange(self.width(), move=False))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange anew."""
        super().resizeEvent(event)
        self._arrange(self.width())
        self.updateGeometry()

    def _arrange(self, width: int, *, move: bool = True) -> int:
        x = y = height = 0
        for item in self._items:
            size = item.sizeHint().boundedTo(QSize(max(1, width), 10_000))
            if x and x + size.width() > width:
                x, y = 0, y + height + GAP
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x += size.width() + GAP
            height = size.height()
        return y + height


class Legend(QWidget):
    """The colours of the map, from little to much attention."""

    def __init__(self, theme: Theme, explainer: Explainer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._explainer = theme, explainer
        self.setFixedHeight(18)
        self.setMinimumWidth(110)
        self.setAccessibleName(self.tr("Dark: hardly looked at. Bright: looked at most."))
        self.setToolTip(tooltip(self.accessibleName()))
        theme.changed.connect(self.update)
        explainer.token_changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw “little”, the colours, “much”."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            font = QFont(self.font())
            font.setPixelSize(TYPE_SMALL)
            painter.setFont(font)
            painter.setPen(self._theme.colour("text_muted"))
            metrics = QFontMetrics(font)
            low, high = self.tr("little"), self.tr("much")
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignLeft | middle), low)
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignRight | middle), high)
            bar = QRectF(self.rect()).adjusted(
                metrics.horizontalAdvance(low) + GAP, 5, -metrics.horizontalAdvance(high) - GAP, -5
            )
            painter.setPen(Qt.PenStyle.NoPen)
            # What lies under the map's colours is a picture; a middle grey stands for it.
            painter.setBrush(QColor("#a2a6ab"))
            painter.drawRoundedRect(bar, 4, 4)
            shade = QLinearGradient(bar.topLeft(), bar.topRight())
            for step in range(11):
                shade.setColorAt(step / 10, ramp_colour(step / 10, max(0.25, self._explainer.strength)))
            painter.setBrush(shade)
            painter.drawRoundedRect(bar, 4, 4)


class _Body(QWidget):
    """What is scrolled: as high as its lines are at its width, and no higher because they might be narrower."""

    def minimumSizeHint(self) -> QSize:
        """Leave the height to the width."""
        return QSize(80, 0)


class WhyCard(QScrollArea):
    """Stands in the form's place while a picture is explained."""

    def __init__(self, theme: Theme, explainer: Explainer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._explainer = theme, explainer
        self.setObjectName("panelScroll")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = _Body(self)
        body.setObjectName("panelBody")
        self.setWidget(body)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, SPACE_1, SPACE_4, SPACE_1)
        column.setSpacing(SPACE_2)
        column.addLayout(self._make_head(theme))
        self._asking = self._make_asking(theme)
        self._failing = self._make_failing(theme)
        self._answer = self._make_answer(theme)
        for part in (self._asking, self._failing, self._answer):
            column.addWidget(part)
        column.addStretch()
        explainer.changed.connect(self._show)
        explainer.token_changed.connect(self._mark)
        follow(theme, self._tint)
        self._explanation: Explanation | None = None
        self._show()

    # -- the parts --

    def _make_head(self, theme: Theme) -> QHBoxLayout:
        self.title = label(self.tr("Why does it look like this?"), "lead", parent=self)
        self.close_button = IconButton(theme, "close", self.tr("Back to the form (Esc)"), size=16, parent=self)
        self.close_button.clicked.connect(self._explainer.leave)
        row = QHBoxLayout()
        row.addWidget(self.title, 1)
        row.addWidget(self.close_button)
        return row

    def _make_asking(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.progress = label("", "number", wrap=True, parent=part)
        self.line = ProgressLine(theme, part)
        self.line.setFixedHeight(LINE_HEIGHT)
        self.cancel = TextButton(theme, self.tr("Cancel"), "stop", parent=part)
        self.cancel.clicked.connect(self._explainer.leave)
        words = label(
            self.tr("The picture is drawn once more, and the model is watched while it draws."),
            "muted",
            wrap=True,
            parent=part,
        )
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addWidget(words)
        column.addWidget(self.line)
        column.addWidget(self.progress)
        column.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignLeft)
        return part

    def _make_failing(self, theme: Theme) -> QWidget:
        part = QFrame(self)
        part.setObjectName("notice")
        part.setProperty("tone", "error")
        self._mark_of_failure = QLabel(part)
        self._mark_of_failure.setFixedSize(18, 18)
        self.failure = label("", "strong", wrap=True, parent=part)
        self.hint = label("", "muted", wrap=True, parent=part)
        self.again = TextButton(theme, self.tr("Ask again"), parent=part)
        self.again.clicked.connect(self._explainer.again)
        words = QVBoxLayout()
        words.setSpacing(SPACE_1)
        words.addWidget(self.failure)
        words.addWidget(self.hint)
        words.addWidget(self.again, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(part)
        row.setContentsMargins(SPACE_3, SPACE_2 + 2, SPACE_2, SPACE_2 + 2)
        row.setSpacing(SPACE_2)
        row.addWidget(self._mark_of_failure, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        return part

    def _make_answer(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.words_head = label("", "small", wrap=True, parent=part)
        self.words = Flow(part)
        self.place_head = label("", "small", wrap=True, parent=part)
        self.place = Flow(part)
        self.legend = Legend(theme, self._explainer, part)
        self.strength = Slider(0, 100, scale=1, parent=part)
        self.strength.setAccessibleName(self.tr("Strength of the map"))
        self.strength.setToolTip(tooltip(self.tr("How strongly the map covers the picture")))
        self.strength.number_changed.connect(self._set_strength)
        strength = label(self.tr("Strength"), "small", parent=part)
        strength.setBuddy(self.strength)
        self.looked = label("", "", wrap=True, parent=part)
        self.typical = label("", "", wrap=True, parent=part)
        self.differs = label(
            self.tr("Drawn again it looks a little different: the model, or this machine, has changed since."),
            "accent",
            wrap=True,
            parent=part,
        )
        controls = QHBoxLayout()
        controls.setSpacing(SPACE_2)
        controls.addWidget(strength)
        controls.addWidget(self.strength, 1)
        controls.addSpacing(SPACE_1)
        controls.addWidget(self.legend, 1)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2 - 2)
        for widget in (self.words_head, self.words, self.place_head, self.place):
            column.addWidget(widget)
        column.addSpacing(SPACE_1)
        column.addLayout(controls)
        for widget in (self.looked, self.typical, self.differs):
            column.addWidget(widget)
        return part

    # -- what is shown --

    @property
    def chips(self) -> list[TokenChip]:
        """The chips in their order."""
        return sorted(self.findChildren(TokenChip), key=lambda chip: chip.number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right go from chip to chip."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        chips = self.chips
        if steps is None or not chips:
            super().keyPressEvent(event)
            return
        focused = next((chip.number for chip in chips if chip.hasFocus()), self._explainer.chosen or 0)
        chip = chips[(focused + steps) % len(chips)]
        chip.setFocus(Qt.FocusReason.TabFocusReason)
        self.ensureWidgetVisible(chip)

    def _show(self) -> None:
        why = self._explainer
        if why.state is WhyState.OFF:
            return  # the window puts the whole card away; until then the focus has its place in it
        self._asking.setVisible(why.busy)
        self._failing.setVisible(why.state is WhyState.FAILED)
        self._answer.setVisible(why.state is WhyState.SHOWN)
        self.progress.setText(self._progress_text())
        self.line.show_fraction(why.fraction)
        failure = why.failure
        self.failure.setText(failure.message if failure else "")
        self.hint.setText(failure.hint if failure else "")
        self.hint.setVisible(bool(failure and failure.hint))
        explanation = why.answer.explanation if why.answer else None
        self.differs.setVisible(why.differs)
        if explanation is not None and explanation is not self._explanation:
            self._explanation = explanation
            self._show_chips(explanation)
            self.verticalScrollBar().setValue(0)

    def _progress_text(self) -> str:
        why = self._explainer
        if why.state is WhyState.WAITING:
            return self.tr("Waiting for its turn")
        if not why.index:
            return first_upper(why.text) or self.tr("Beginning")
        parts = (self.tr("{0} of {1}").format(why.index, why.total), time_left_text(why.seconds_left))
        return " · ".join(part for part in parts if part)

    def _show_chips(self, explanation: Explanation) -> None:
        why = self._explainer
        tokens, apart = why.tokens, explanation.location_apart

        def of_most(like: Layer) -> float:
            """Return a share beside the largest one of those that add up with it."""
            same = (token.share or 0.0 for token in tokens if not apart or _is_word(token) == _is_word(like))
            return (like.share or 0.0) / (max(same, default=0.0) or 1.0)

        chips = [
            TokenChip(self._theme, why, number, self._name(token), of_most(token), self)
            for number, token in enumerate(tokens)
        ]
        words = [chip for chip in chips if _is_word(tokens[chip.number])]
        place = [chip for chip in chips if not _is_word(tokens[chip.number])]
        self.words.show_items(words)
        self.place.show_items(place)
        before: QWidget = self.close_button
        for chip in [*words, *place]:
            QWidget.setTabOrder(before, chip)
            before = chip
        QWidget.setTabOrder(before, self.strength)
        self._say_shares(explanation, bool(words), bool(place))
        text = typicality_text(explanation.typicality_rank, explanation.places_compared)
        self.typical.setText(text)
        self.typical.setVisible(bool(text))
        self.strength.show_number(100 * why.strength)

    def _name(self, token: Layer) -> str:
        if isinstance(token, PlaceMap):
            return self.tr("Whole place")
        names = {
            TokenKind.LONGITUDE: self.tr("Longitude"),
            TokenKind.LATITUDE: self.tr("Latitude"),
            TokenKind.HEADING: self.tr("Direction"),
        }
        return names.get(token.kind, token.label)

    def _say_shares(self, explanation: Explanation, words: bool, place: bool) -> None:
        def share(kinds: set[TokenKind]) -> str:
            return percent_text(sum(token.share for token in explanation.tokens if token.kind in kinds))

        word_share, place_share = share({TokenKind.WORD}), share(set(TokenKind) - {TokenKind.WORD})
        if explanation.location_apart:
            self.words_head.setText(self.tr("Words · {0} of the attention to the text").format(word_share))
            self.place_head.setText(self.tr("Place · attended to apart from the words"))
        else:
            self.words_head.setText(self.tr("Words · {0} of the attention").format(word_share))
            self.place_head.setText(self.tr("Place · {0} of the attention").format(place_share))
        rest = self.tr("The rest, {0}, went to tokens that say nothing of their own: begin, end and padding.").format(
            percent_text(explanation.other_share)
        )
        self.words_head.setToolTip(tooltip(rest))
        for head, flow, there in ((self.words_head, self.words, words), (self.place_head, self.place, place)):
            head.setVisible(there)
            flow.setVisible(there)

    def _mark(self) -> None:
        why = self._explainer
        for chip in self.chips:
            chip.setChecked(chip.number == why.chosen)
        self.strength.show_number(100 * why.strength)
        token = why.token
        if token is None:
            self.looked.setText(self.tr("The picture as it is."))
        else:
            where = where_text(where_looked(token))
            if token.kind is None:
                self.looked.setText(self.tr("What the whole place explains of the picture: most {0}.").format(where))
            else:
                name = f"“{token.label}”" if _is_word(token) else self._name(token)
                self.looked.setText(self.tr("{0}: looked at most {1}.").format(name, where))

    def _set_strength(self, number: float) -> None:
        self._explainer.strength = number / 100

    def _tint(self) -> None:
        pixmap = icon_pixmap("warning", self._theme.palette.danger, 18, self.devicePixelRatioF())
        self._mark_of_failure.setPixmap(pixmap)


def _is_word(token: Layer) -> bool:
    return token.kind is TokenKind.WORD
