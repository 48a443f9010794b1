"""Everything that can be done by a key or by its name: the list of commands, and the card that shows their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import IconButton, Popover, label

SHEET_WIDTH = 640
CARD_TOP = 72  # of a card that stands in the middle, as far as the window has the room


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """Something that the window can do.

    Attributes:
        text: what it does, as a menu would say it.
        group: the heading that it stands under.
        call: does it.
        keys: key sequences in Qt's portable form; the first one is shown.
        words: other words by which it is found.
        possible: whether it makes sense now; a command that does not is not offered in the palette.
        offered: False for a command that only keys make sense for, such as leaving what stands in front.
    """

    text: str
    group: str
    call: Callable[[], object]
    keys: tuple[str, ...] = ()
    words: str = ""
    possible: Callable[[], bool] = field(default=_always)
    offered: bool = True

    @property
    def keys_text(self) -> str:
        """The first key sequence as this system writes it; empty if there is none."""
        return QKeySequence(self.keys[0]).toString(QKeySequence.SequenceFormat.NativeText) if self.keys else ""


class Commands(QObject):
    """The commands of a window, in order; each gets its keys when it is added."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._commands: list[Command] = []
        self._taken: dict[str, Command] = {}

    def __iter__(self) -> Iterator[Command]:
        return iter(tuple(self._commands))

    def add(self, command: Command) -> None:
        """Append a command. Raises ValueError if its keys mean something else already, or are none."""
        for keys in command.keys:
            sequence = QKeySequence(keys)
            name = sequence.toString(QKeySequence.SequenceFormat.PortableText)
            if not name:
                raise ValueError(f"{keys!r} is no key sequence")
            if name in self._taken:
                raise ValueError(f"{name} means “{self._taken[name].text}” already")
            self._taken[name] = command
            QShortcut(sequence, self._window).activated.connect(lambda command=command: command.call())
        self._commands.append(command)

    def groups(self) -> dict[str, list[Command]]:
        """Return the commands that have keys, by heading."""
        groups: dict[str, list[Command]] = {}
        for command in self._commands:
            if command.keys:
                groups.setdefault(command.group, []).append(command)
        return groups


class Card(Popover):
    """A floating card in the upper middle of the window that keeps Tab inside."""

    def open_here(self) -> None:
        """Show the card."""
        self.open_beside(self._window)

    def _place(self) -> None:
        room = self._window.rect()
        y = max(SPACE_2, min(CARD_TOP, (room.height() - self.height()) // 2))
        self.move((room.width() - self.width()) // 2, y)

    def focusNextPrevChild(self, onwards: bool) -> bool:
        """Go round inside the card."""
        ring = [
            widget
            for widget in self.findChildren(QWidget)
            if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        if not ring:
            return True
        focused = self.window().focusWidget()
        at = ring.index(focused) if focused in ring else (-1 if onwards else 0)
        reason = Qt.FocusReason.TabFocusReason if onwards else Qt.FocusReason.BacktabFocusReason
        ring[(at + (1 if onwards else -1)) % len(ring)].setFocus(reason)
        return True


class ShortcutSheet(Card):
    """All keys, by what they do."""

    def __init__(
        self, theme: Theme, commands: Commands, window: QWidget, others: list[tuple[str, list[tuple[str, str]]]]
    ):
        """Make the card.

        Args:
            theme: the look.
            commands: what the window does.
            window: what the card stands over.
            others: keys that widgets have themselves: a heading and pairs of keys and what they do.
        """
        super().__init__(theme, window, window.tr("Keyboard shortcuts"))
        self._commands, self._others = commands, others
        self.close_button = IconButton(theme, "close", self.tr("Close"), size=16, parent=self)
        self.close_button.clicked.connect(self.dismiss)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Keyboard shortcuts"), "title"), 1)
        head.addWidget(self.close_button)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._scroll.setAccessibleName(self.tr("List of shortcuts"))
        self.column.addLayout(head)
        self.column.addWidget(self._scroll)
        self.rows: list[tuple[str, str]] = []

    def open_here(self) -> None:
        """Show the keys as they are now."""
        self._fill()
        room = self._window.rect()
        self.setFixedWidth(min(SHEET_WIDTH, room.width() - 2 * SPACE_4))
        content = self._scroll.widget()
        wanted = content.sizeHint().height() if content else 0
        self._scroll.setFixedHeight(max(80, min(wanted, room.height() - 2 * SPACE_5 - 80)))
        super().open_here()

    def _fill(self) -> None:
        content = QWidget()
        content.setObjectName("sheet")
        halves = QHBoxLayout(content)
        halves.setContentsMargins(0, 0, SPACE_3, 0)
        halves.setSpacing(SPACE_5)
        sections = [
            (heading, [(command.keys_text, command.text) for command in found])
            for heading, found in self._commands.groups().items()
        ] + self._others
        self.rows = [row for _, rows in sections for row in rows]
        # Two columns of about the same height, read down the first and then down the second.
        total = sum(len(rows) + 2 for _, rows in sections)
        columns: tuple[list[QWidget], list[QWidget]] = ([], [])
        used = 0
        for heading, rows in sections:
            columns[0 if used + (len(rows) + 2) / 2 <= total / 2 else 1].append(_section(heading, rows))
            used += len(rows) + 2
        for column in columns:
            box = QVBoxLayout()
            box.setSpacing(SPACE_4)
            for section in column:
                box.addWidget(section)
            box.addStretch()
            halves.addLayout(box, 1)
        self._scroll.setWidget(content)
        content.setAutoFillBackground(False)  # the card's own colour shows through


def _section(heading: str, rows: list[tuple[str, str]]) -> QWidget:
    section = QWidget()
    grid = QGridLayout(section)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(SPACE_3)
    grid.setVerticalSpacing(SPACE_1)
    grid.addWidget(label(heading, "strong"), 0, 0, 1, 2)
    for row, (keys, what) in enumerate(rows, 1):
        words = label(what, "muted", wrap=True)
        grid.addWidget(words, row, 0)
        grid.addWidget(label(keys, "key"), row, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
    grid.setColumnStretch(0, 1)
    return section
