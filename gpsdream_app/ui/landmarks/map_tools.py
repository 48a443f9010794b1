"""The tools over the map: bring the landmark in sight, see all of them, show where photos were taken."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1
from gpsdream_app.ui.widgets import IconButton, Shadow


class LandmarkTools(QFrame):
    """A small card with a button per tool.

    Signals:
        here_asked: the chosen landmark shall come in sight.
        around_asked: the city around it shall come in sight.
        photos_toggled: where photos were taken shall be shown, or not.
        size_changed: it wants another size.
    """

    here_asked = Signal()
    around_asked = Signal()
    photos_toggled = Signal(bool)
    size_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("popover")
        self.setAccessibleName(self.tr("Tools of the map"))
        self.setGraphicsEffect(Shadow(theme, self))
        self.here = IconButton(theme, "landmark", self.tr("Show the landmark from near"), size=20, parent=self)
        self.here.clicked.connect(self.here_asked)
        self.around = IconButton(theme, "explore", self.tr("Show the city around it"), size=20, parent=self)
        self.around.clicked.connect(self.around_asked)
        self.photos = IconButton(theme, "pin", self.tr("Show where your photos were taken"), size=20, parent=self)
        self.photos.setCheckable(True)
        self.photos.setChecked(True)
        self.photos.toggled.connect(self.photos_toggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_1, SPACE_1, SPACE_1, SPACE_1)
        row.setSpacing(SPACE_1)
        for button in (self.here, self.around, self.photos):
            row.addWidget(button)
        self.show_photos(False)

    def show_photos(self, possible: bool) -> None:
        """Show whether there are photos that could be shown."""
        self.photos.setVisible(possible)
        self.adjustSize()
        self.size_changed.emit()

    def sizeHint(self) -> QSize:
        """As large as what is in it."""
        layout = self.layout()
        return layout.sizeHint() if layout else super().sizeHint()
