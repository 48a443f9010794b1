"""What is known about the chosen picture, and what can be taken over from it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.ui.library.compare import PictureLook, facts
from gpsdream_app.ui.library.model import Item, day_text
from gpsdream_app.ui.phrases import coordinates_text, heading_text, photo_distance_text
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, TextButton, label

WIDTH = 232
PICTURE = 216


class Recall(StrEnum):
    """What is taken over into the form."""

    ALL = "all"
    PROMPT = "prompt"
    PLACE = "place"
    SEED = "seed"
    REMIX = "remix"


class Detail(QScrollArea):
    """The card at the right of the grid.

    Signals:
        recall_asked: something of the picture shall stand in the form (`Recall`).
        star_asked: the picture shall get a star, or lose it.
    """

    recall_asked = Signal(str)
    star_asked = Signal()

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._item: Item | None = None
        self.setObjectName("panelScroll")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget(self)
        body.setObjectName("panelBody")
        self.setWidget(body)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, SPACE_2, 0)
        column.setSpacing(SPACE_2)
        self.look = PictureLook(theme, body)
        self.look.setFixedSize(PICTURE, PICTURE)
        self.look.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.name = ElidedLabel("", "lead", body)
        self.star = IconButton(theme, "star", self.tr("Give it a star (S)"), parent=body)
        self.star.clicked.connect(self.star_asked)
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addWidget(self.name, 1)
        head.addWidget(self.star)
        self.facts = label("", "muted", wrap=True, parent=body)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hint = label("", "small", parent=body)
        buttons = QGridLayout()
        buttons.setSpacing(SPACE_1)
        self.buttons: dict[Recall, TextButton] = {}
        for number, (key, word, icon_name, what) in enumerate(
            (
                (Recall.ALL, self.tr("Use all"), "undo", self.tr("Put everything into the form, and show the picture")),
                (
                    Recall.REMIX,
                    self.tr("Remix"),
                    "remix",
                    self.tr("Everything but the seed: the same wish, another picture"),
                ),
                (Recall.PROMPT, self.tr("Words"), "edit", self.tr("Put its words into the form")),
                (Recall.PLACE, self.tr("Place"), "pin", self.tr("Put its place into the form")),
                (Recall.SEED, self.tr("Seed"), "dice", self.tr("Put its seed into the form, and keep it there")),
            )
        ):
            button = TextButton(theme, word, icon_name, parent=body)
            button.setToolTip(what)
            button.setAccessibleDescription(what)
            button.clicked.connect(lambda _=False, key=key: self.recall_asked.emit(key.value))
            self.buttons[key] = button
            buttons.addWidget(button, number // 2, number % 2)
        column.addWidget(self.look)
        column.addLayout(head)
        column.addWidget(self.facts)
        column.addLayout(buttons)
        column.addWidget(self.hint)
        column.addStretch()
        self.show_items([], 0)

    @property
    def item(self) -> Item | None:
        """What is shown."""
        return self._item

    def show_items(self, items: Sequence[Item], count: int) -> None:
        """Show the one that is chosen; of several say how many they are.

        Args:
            items: what is chosen, or its beginning.
            count: how many are chosen.
        """
        item = items[0] if count == 1 and items else None
        changed = (item.id if item else "") != (self._item.id if self._item else "")
        self._item = item
        result = item.result if item else None
        for widget in (self.look, self.name, self.facts):
            widget.setVisible(item is not None)
        self.star.setVisible(result is not None)
        for key, button in self.buttons.items():
            button.setVisible(result is not None)
            button.setEnabled(key is not Recall.PLACE or bool(result and result.request.place))
        self.hint.setVisible(item is None)
        self.hint.setText(
            self.tr("{0} chosen").format(f"{count:,}") if count > 1 else self.tr("Choose a picture to see more of it.")
        )
        self.hint.setWordWrap(True)
        if item is None:
            return
        self.name.setText(item.title or self.tr("No place"))
        self.star.set_icon("star_full" if item.starred else "star")
        self.star.set_name(self.tr("Take its star away (S)") if item.starred else self.tr("Give it a star (S)"))
        self.facts.setText(self._facts(item))
        if changed:
            self.look.show_images(QImage(), item.title)
            self._read(item)

    def _facts(self, item: Item) -> str:
        result = item.result
        if result is None:
            lift = item.lift
            assert lift is not None
            size = " × ".join(f"{metres:.0f}" for metres in lift.size)
            return "\n".join(
                (
                    self.tr("Mesh of {0} m, {1} faces").format(size, f"{lift.faces:,}"),
                    day_text(lift.created),
                )
            )
        place = result.request.place
        lines = [facts(result)]
        if place:
            lines += [coordinates_text(place.lat, place.lon), heading_text(place.heading)]
            lines.append(photo_distance_text(result.photo_distance))
        return "\n".join(line for line in lines if line)

    def _read(self, item: Item) -> None:
        def read() -> QImage:
            return QImage(str(item.picture))

        def show(image: QImage) -> None:
            if self._item and self._item.id == item.id:
                self.look.show_images(image, item.title)

        self._session.background.run(self, read, show, priority=4)
