"""The tools over the map: draw a region or a walk, change its corners, take the last change back."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1
from gpsdream_app.ui.widgets import IconButton, Shadow

POLYGON, RECTANGLE, LINE, EDIT = "polygon", "rectangle", "line", "edit"


class MapTools(QFrame):
    """A small card with a button per tool.

    Signals:
        tool_chosen: a tool was taken (`polygon`, `rectangle`, `line`); empty to put it away.
        undo_asked: the last change to a person's own regions shall be taken back.
        size_changed: it wants another size.
    """

    tool_chosen = Signal(str)
    undo_asked = Signal()
    size_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("popover")
        self.setAccessibleName(self.tr("Tools of the map"))
        self.setGraphicsEffect(Shadow(theme, self))
        self._tool = ""
        self.polygon = self._button(theme, POLYGON, self.tr("Draw a region"), POLYGON)
        self.rectangle = self._button(theme, RECTANGLE, self.tr("Draw a rectangle"), RECTANGLE)
        self.line = self._button(theme, "route", self.tr("Draw a walk"), LINE)
        self.undo = IconButton(theme, "undo", self.tr("Undo the last change to your regions (Ctrl+Z)"), parent=self)
        self.undo.clicked.connect(self.undo_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_1, SPACE_1, SPACE_1, SPACE_1)
        row.setSpacing(SPACE_1)
        for button in (self.polygon, self.rectangle, self.line, self.undo):
            row.addWidget(button)
        self.show_tool("")
        self.show_undo(False)

    @property
    def tool(self) -> str:
        """The tool in hand; empty if there is none."""
        return self._tool

    def show_tool(self, tool: str) -> None:
        """Show which tool is in hand."""
        self._tool = tool
        for button, name in ((self.polygon, POLYGON), (self.rectangle, RECTANGLE), (self.line, LINE)):
            button.setChecked(tool == name)
        # The map itself says what to do next; this is for those who hear the window instead of seeing it.
        self.setAccessibleDescription(
            {
                POLYGON: self.tr("Click the corners. Enter or a double click closes, Esc ends."),
                RECTANGLE: self.tr("Drag from corner to corner. Esc ends."),
                LINE: self.tr("Click along the way. Enter or a double click ends it."),
                EDIT: self.tr("Drag the corners. Enter keeps the new shape."),
            }.get(tool, "")
        )

    def show_undo(self, possible: bool) -> None:
        """Show whether there is something to take back."""
        self.undo.setVisible(possible)
        self.adjustSize()
        self.size_changed.emit()

    def sizeHint(self) -> QSize:
        """As large as what is in it."""
        layout = self.layout()
        return layout.sizeHint() if layout else super().sizeHint()

    def _button(self, theme: Theme, icon_name: str, name: str, tool: str) -> IconButton:
        button = IconButton(theme, icon_name, name, size=20, parent=self)
        button.setCheckable(True)
        button.clicked.connect(lambda checked: self.tool_chosen.emit(tool if checked else ""))
        return button
