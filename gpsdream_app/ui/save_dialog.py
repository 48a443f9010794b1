"""The question where to save a picture: the system's own dialog, or Qt's in our clothes where the system has none."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFileInfo
from PySide6.QtGui import QAbstractFileIconProvider, QIcon
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QToolButton, QWidget

from gpsdream_app.ui.icons import icon
from gpsdream_app.ui.theme import Theme

# Qt's names for the buttons of its own dialog.
BUTTON_ICONS = {
    "backButton": "back",
    "forwardButton": "forward",
    "toParentButton": "up",
    "newFolderButton": "plus",
}
NEEDLESS_BUTTONS = ("listModeButton", "detailModeButton")


class _Icons(QAbstractFileIconProvider):
    """Our icons for folders and files."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._folder = icon("folder", theme.colour("accent"), 16)
        self._file = icon("picture", theme.colour("text_muted"), 16)

    def icon(self, what: QAbstractFileIconProvider.IconType | QFileInfo) -> QIcon:
        """Return the icon of a file, or of a kind of place."""
        if isinstance(what, QFileInfo):
            return self._folder if what.isDir() else self._file
        return self._file if what is QAbstractFileIconProvider.IconType.File else self._folder


class SaveDialog(QFileDialog):
    """Asks for the name of a PNG file."""

    def __init__(self, theme: Theme, parent: QWidget, path: Path) -> None:
        """Make the dialog.

        Args:
            theme: the look.
            parent: the window that asks.
            path: folder and file name to begin with.
        """
        super().__init__(parent, parent.tr("Save the picture"), str(path))
        self.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        self.setNameFilter(self.tr("PNG pictures (*.png)"))
        self.setDefaultSuffix("png")
        self._dress(theme)

    def _dress(self, theme: Theme) -> None:
        self._icons = _Icons(theme)  # Qt does not keep it
        self.setIconProvider(self._icons)
        for button in self.findChildren(QToolButton):
            if button.objectName() in BUTTON_ICONS:
                name = BUTTON_ICONS[button.objectName()]
                button.setIcon(icon(name, theme.colour("text_muted"), 18, faint=theme.colour("line_strong")))
            elif button.objectName() in NEEDLESS_BUTTONS:
                button.hide()
        for box in self.findChildren(QDialogButtonBox):
            for push in box.buttons():
                push.setIcon(QIcon())
