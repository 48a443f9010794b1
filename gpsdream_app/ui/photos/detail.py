"""What is known about the chosen photo, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.photos.records import HeadingReference, PlaceSource, clean_text
from gpsdream_app.ui.library.compare import PictureLook
from gpsdream_app.ui.photos.grid import read_large
from gpsdream_app.ui.photos.model import PhotoItem, left_out_text
from gpsdream_app.ui.phrases import coordinates_text, heading_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2
from gpsdream_app.ui.widgets import ElidedLabel, TextButton, label

WIDTH = 240
PICTURE = 224


class PhotoDetail(QScrollArea):
    """The card at the right of the grid.

    Signals:
        draw_asked: the photo's place shall be drawn.
        leave_asked: the chosen photos shall be left out of training, or be taken back in.
        map_asked: the photo's place shall come in sight on the map.
    """

    draw_asked = Signal()
    leave_asked = Signal()
    map_asked = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.item: PhotoItem | None = None
        self.setObjectName("panelScroll")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget(self)
        body.setObjectName("panelBody")
        self.setWidget(body)
        self.look = PictureLook(theme, body)
        self.look.setFixedSize(PICTURE, PICTURE)
        self.look.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.name = ElidedLabel("", "lead", body)
        self.facts = label("", "muted", wrap=True, parent=body)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.caption = label("", wrap=True, parent=body)
        self.flag = label("", "danger", wrap=True, parent=body)
        self.out = label("", "small", wrap=True, parent=body)
        self.hint = label("", "small", wrap=True, parent=body)
        self.draw = TextButton(theme, self.tr("Draw this place"), "picture", parent=body)
        self.draw.setToolTip(self.tr("Draw what the model makes of this place, beside the photo (Enter)"))
        self.draw.clicked.connect(self.draw_asked)
        self.leave = TextButton(theme, "", "minus", parent=body)
        self.leave.clicked.connect(self.leave_asked)
        self.map = TextButton(theme, self.tr("Show on the map"), "explore", parent=body)
        self.map.clicked.connect(self.map_asked)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, SPACE_2, 0)
        column.setSpacing(SPACE_2)
        for widget in (self.look, self.name, self.flag, self.out, self.caption, self.facts):
            column.addWidget(widget)
        for button in (self.draw, self.leave, self.map):
            column.addWidget(button)
        column.addWidget(self.hint)
        column.addStretch()
        self.show_items([])

    def show_items(self, items: Sequence[PhotoItem]) -> None:
        """Show the one that is chosen; of several say how many they are."""
        item = items[0] if len(items) == 1 else None
        changed = (item.id if item else "") != (self.item.id if self.item else "")
        self.item = item
        for widget in (self.look, self.name, self.facts, self.draw, self.map):
            widget.setVisible(item is not None)
        self.leave.setVisible(bool(items))
        out = bool(items) and all(one.left_out for one in items)
        self.leave.setText(self.tr("Take back into training") if out else self.tr("Leave out of training"))
        self.leave.setToolTip(self.tr("The file stays as it is (Del)"))
        self.hint.setVisible(item is None)
        self.hint.setText(
            self.tr("{0} chosen").format(f"{len(items):,}")
            if items
            else self.tr("Choose a photo to see more of it, and to draw its place.")
        )
        caption = clean_text(item.record.caption, 600) if item else ""
        for widget, text in (
            (self.caption, caption),
            (self.flag, item.flag.text if item and item.flag else ""),
            (self.out, left_out_text(item.left_out) if item else ""),
        ):
            widget.setText(text)
            widget.setVisible(bool(text))
        if item is None:
            return
        self.name.setText(item.title)
        self.facts.setText(self._facts(item))
        if changed:
            self.look.show_images(QImage(), item.title)
            self._read(item)

    def _facts(self, item: PhotoItem) -> str:
        record = item.record
        heading = heading_text(record.heading)
        if heading and record.heading_reference is HeadingReference.MAGNETIC:
            heading = self.tr("{0} (from magnetic north)").format(heading)
        lines = [
            coordinates_text(record.lat, record.lon),
            heading or self.tr("Direction of view not known"),
            (record.taken or "").replace("T", " ")[:16],
            f"{record.width} × {record.height}",
            self.tr("Placed by a table or file beside it") if record.place_source is PlaceSource.SIDECAR else "",
            self.tr("In {0}").format(clean_text(item.folder.name, 60)),
        ]
        return "\n".join(line for line in lines if line)

    def _read(self, item: PhotoItem) -> None:
        def show(image: QImage) -> None:
            if self.item and self.item.id == item.id:
                self.look.show_images(image, item.title)

        self._session.background.run(self, lambda: read_large(item.picture, 2 * PICTURE), show, priority=4)
