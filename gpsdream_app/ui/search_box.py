"""The search over the map: places by name, street corners and coordinates, with a list to choose from."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.geo.coordinates import parse_coordinates
from gpsdream_app.geo.gazetteer import Hit
from gpsdream_app.ui.film import Index
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.phrases import coordinates_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS_SMALL, SPACE_1, SPACE_2, SPACE_3, TYPE_SMALL
from gpsdream_app.ui.widgets import IconButton, Shadow, label

HIT_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_HEIGHT = 44
PAUSE_MILLISECONDS = 80
KIND_ICONS = {
    "neighbourhood": "area",
    "landmark": "landmark",
    "park": "park",
    "crossing": "street",
    "street": "street",
}


class HitDelegate(QStyledItemDelegate):
    """Draws one hit: an icon for its kind, its name, and its kind in words below."""

    def __init__(self, theme: Theme, view: QListWidget) -> None:
        super().__init__(view)
        self._theme, self._view = theme, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Two lines."""
        return QSize(100, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a hit."""
        theme, hit = self._theme, index.data(HIT_ROLE)
        rect: QRect = option.rect
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("hover"))
            painter.drawRoundedRect(rect, RADIUS_SMALL, RADIUS_SMALL)
        pixmap = icon_pixmap(
            KIND_ICONS.get(str(hit.kind), "pin"), theme.palette.text_muted, 18, self._view.devicePixelRatioF()
        )
        painter.drawPixmap(QPoint(rect.left() + SPACE_3 - 2, rect.center().y() - 8), pixmap)
        left, width = rect.left() + 38, rect.width() - 38 - SPACE_2
        small = QFont(self._view.font())
        small.setPixelSize(TYPE_SMALL)
        lines = ((self._view.font(), "text", hit.name), (small, "text_muted", self.kind_text(hit)))
        y = rect.top() + 5
        for font, colour, text in lines:
            painter.setFont(font)
            painter.setPen(theme.colour(colour))
            height = QFontMetrics(font).height()
            elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRect(left, y, width, height), int(Qt.AlignmentFlag.AlignLeft), elided)
            y += height
        painter.restore()

    def kind_text(self, hit: Hit) -> str:
        """Return what a hit is, and where for what has no place of its own on the map."""
        kinds = {
            "neighbourhood": self.tr("Neighbourhood"),
            "landmark": self.tr("Landmark"),
            "park": self.tr("Park"),
            "crossing": self.tr("Street corner"),
            "street": self.tr("Street"),
        }
        return kinds.get(str(hit.kind)) or coordinates_text(hit.lat, hit.lon)


class SearchBox(QWidget):
    """A field and, below it, the hits.

    Signals:
        chosen: a person chose a place: latitude, longitude, name.
    """

    chosen = Signal(float, float, str)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._session = theme, session
        self._take_first = False
        self._asked = False
        self._taken: tuple[float, float] | None = None
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_3, SPACE_3, SPACE_3, SPACE_3)
        column.setSpacing(SPACE_1 + 2)
        column.addWidget(self._make_field(theme))
        column.addWidget(self._make_list(theme))
        column.addStretch()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MILLISECONDS)
        self._pause.timeout.connect(self._look_up)
        self._hide_hits()
        session.form.when("place", self._forget_taken)

    def focus(self) -> None:
        """Put the cursor into the field and select what stands there."""
        self.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edit.selectAll()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Let the field's keys move through the hits."""
        if watched is not self.edit:
            return False
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._key(Qt.Key(event.key()))
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and (self.card.isVisible() or self.edit.text()):
                event.accept()  # Escape closes the list here and stops a drawing elsewhere
        elif event.type() == QEvent.Type.FocusIn and self.edit.text().strip():
            self._pause.start()
        elif (
            isinstance(event, QFocusEvent)
            and event.lostFocus()
            # Another window in front, or a menu, is no reason to lose what was found.
            and event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
        ):
            self._hide_hits()
        return False

    def _make_field(self, theme: Theme) -> QFrame:
        self.field = QFrame(self)
        self.field.setObjectName("popover")
        self.field.setFixedHeight(40)
        self.field.setGraphicsEffect(Shadow(theme, self.field))
        row = QHBoxLayout(self.field)
        row.setContentsMargins(SPACE_1, 0, SPACE_1, 0)
        row.setSpacing(SPACE_1)
        self._glass = IconButton(theme, "search", self.tr("Search"), parent=self.field)
        self._glass.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._glass.clicked.connect(self.focus)
        self.edit = QLineEdit(self.field)
        self.edit.setProperty("look", "bare")
        self.edit.setPlaceholderText(self.tr("Search a place, a street corner or coordinates"))
        self.edit.setAccessibleName(self.tr("Search a place"))
        self.edit.setMaxLength(200)
        self.edit.textEdited.connect(self._edited)
        self.edit.installEventFilter(self)
        self._clear = IconButton(theme, "close", self.tr("Clear the search"), size=16, parent=self.field)
        self._clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._clear.clicked.connect(self._cleared)
        self._clear.hide()
        self.edit.textChanged.connect(lambda text: self._clear.setVisible(bool(text)))
        row.addWidget(self._glass)
        row.addWidget(self.edit, 1)
        row.addWidget(self._clear)
        return self.field

    def _make_list(self, theme: Theme) -> QFrame:
        self.card = QFrame(self)
        self.card.setObjectName("popover")
        self.card.setGraphicsEffect(Shadow(theme, self.card))
        column = QVBoxLayout(self.card)
        column.setContentsMargins(SPACE_1, SPACE_1, SPACE_1, SPACE_1)
        column.setSpacing(0)
        self.hits = QListWidget(self.card)
        self.hits.setItemDelegate(HitDelegate(theme, self.hits))
        self.hits.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hits.setMouseTracking(True)
        self.hits.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hits.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hits.setAccessibleName(self.tr("Places found"))
        self.hits.itemClicked.connect(self._take)
        self.sentence: QLabel = label("", "muted", wrap=True, parent=self.card)
        self.sentence.setContentsMargins(SPACE_3, SPACE_2, SPACE_3, SPACE_2)
        column.addWidget(self.hits)
        column.addWidget(self.sentence)
        return self.card

    def _edited(self, text: str) -> None:
        self._take_first = False
        self._taken = None
        if text.strip():
            self._pause.start()
        else:
            self._pause.stop()
            self._hide_hits()

    def _cleared(self) -> None:
        self.edit.clear()
        self._edited("")
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _key(self, key: Qt.Key) -> bool:
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            item = self.hits.currentItem() if self.card.isVisible() and not self._pause.isActive() else None
            if item:
                self._take(item)
            elif self.edit.text().strip():
                # The hits are still on their way: take the first one when they come.
                self._pause.stop()
                self._take_first = True
                self._look_up()
            return True
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.card.isVisible() and self.hits.count():
            row = self.hits.currentRow() + (1 if key == Qt.Key.Key_Down else -1)
            self.hits.setCurrentRow(row % self.hits.count())
            return True
        if key == Qt.Key.Key_Escape:
            if self.card.isVisible():
                self._hide_hits()
            else:
                self.edit.clear()
            return True
        return False

    def _look_up(self) -> None:
        text = self.edit.text().strip()
        if text:
            self._asked = True
            self._session.search(text, self._found)

    def _found(self, text: str, hits: list[Hit]) -> None:
        if text != self.edit.text().strip() or not self._asked:
            return
        self.hits.clear()
        for hit in hits:
            item = QListWidgetItem(self.hits)
            item.setData(HIT_ROLE, hit)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, hit.name)
        self.sentence.setText("" if hits else self._nothing(text))
        self.sentence.setVisible(not hits)
        self.hits.setVisible(bool(hits))
        self.hits.setFixedHeight(len(hits) * ROW_HEIGHT)
        if hits:
            self.hits.setCurrentRow(0)
        self.card.show()
        self._resize()
        if self._take_first and hits:
            self._take(self.hits.item(0))
        self._take_first = False

    def _nothing(self, text: str) -> str:
        try:
            pair = parse_coordinates(text)
            if pair:
                Place(*pair)
        except GPSDreamError as error:
            return f"{error.failure.message} {error.failure.hint}".strip()
        return self.tr(
            "Nothing found for “{0}”. Try a neighbourhood, a landmark, a corner such as “5th Ave & E 23rd St”, "
            "or coordinates such as 40.7411, -73.9897."
        ).format(text[:60])

    def _take(self, item: QListWidgetItem) -> None:
        hit: Hit = item.data(HIT_ROLE)
        self.edit.setText(hit.name)
        self._taken = hit.lat, hit.lon
        self._take_first = False
        self._hide_hits()
        # Coordinates are no name; the place gets the one of the corner it is at.
        self.chosen.emit(hit.lat, hit.lon, "" if hit.kind == "coordinates" else hit.name)

    def _forget_taken(self) -> None:
        """Empty the field when the place that was found here is no longer the chosen one."""
        place = self._session.form.place
        if self._taken and (place is None or (place.lat, place.lon) != self._taken):
            self._taken = None
            self.edit.clear()

    def _hide_hits(self) -> None:
        self._asked = False
        self._pause.stop()
        self.card.hide()
        self._resize()

    def _resize(self) -> None:
        """Cover no more of the map than is needed, so that the rest of it takes clicks."""
        self._column.activate()
        self.resize(self.width(), self._column.sizeHint().height())
        self.raise_()
