"""A person's own landmark, added or changed: its name, where it stands, how high it is, where its photos are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from gpsdream_app.geo.coordinates import parse_coordinates
from gpsdream_app.ui.landmarks.book import Draft, Listed
from gpsdream_app.ui.phrases import coordinates_text, tooltip
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, PrimaryButton, TextButton, label, set_look

LONGEST_NAME = 120
HEIGHTS = (0.1, 2000.0)
FORM_WIDEST = 460


class FolderRow(QWidget):
    """A folder that is chosen, or none.

    Signals:
        changed: another one was chosen, or it was taken away.
    """

    changed = Signal()

    def __init__(self, theme: Theme, session: Session, what: str, parent: QWidget | None = None) -> None:
        """Make a row; `what` is said by the dialog and to screen readers."""
        super().__init__(parent)
        self._session, self._what = session, what
        self.folder: Path | None = None
        self.path = ElidedLabel("", "muted", self)
        self.choose = TextButton(theme, self.tr("Choose…"), "folder", parent=self)
        self.choose.setAccessibleName(what)
        self.choose.clicked.connect(self.ask)
        self.none = IconButton(theme, "close", self.tr("No folder"), size=16, parent=self)
        self.none.clicked.connect(lambda: self._take(None))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_1)
        row.addWidget(self.path, 1)
        row.addWidget(self.none)
        row.addWidget(self.choose)
        self.show_folder(None)

    def show_folder(self, folder: Path | None) -> None:
        """Show a folder without announcing it."""
        self.folder = folder
        self.path.setText(str(folder) if folder else self.tr("none"))
        self.path.setAccessibleName(f"{self._what}: {self.path.text()}")
        self.none.setVisible(folder is not None)

    def ask(self) -> None:
        """Let a person choose."""
        ask_folder(self, self._session, self._what, self.folder, self._take)

    def _take(self, folder: Path | None) -> None:
        self.show_folder(folder)
        self.changed.emit()


class LandmarkEditor(QScrollArea):
    """The form.

    Signals:
        saved: the form is right and was confirmed (Draft).
        left: it was put away.
        place_changed: another place stands in the form (latitude, longitude), or None while it is none.
    """

    saved = Signal(object)
    left = Signal()
    place_changed = Signal(object)

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = Draft()
        self.setObjectName("panelScroll")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget(self)
        body.setObjectName("panelBody")
        body.setMaximumWidth(FORM_WIDEST)
        self.title = label("", "lead", parent=body)
        self.name = self._edit(self.tr("Name"), self.tr("the Old Town Hall"), body)
        self.name.setMaxLength(LONGEST_NAME)
        self.place = self._edit(self.tr("Place"), self.tr("40.74106, -73.98970"), body)
        self.place.setMaxLength(80)
        self.height_edit = self._edit(self.tr("Height in metres"), self.tr("not known"), body)
        self.height_edit.setMaxLength(10)
        self.photos = FolderRow(theme, session, self.tr("Folder of photos"), body)
        self.masks = FolderRow(theme, session, self.tr("Folder of masks"), body)
        self.masks.setToolTip(tooltip(self.tr("Pictures that say where the landmark is in each photo")))
        self.wrong = {key: label("", "danger", wrap=True, parent=body) for key in ("name", "place", "height")}
        self.save = PrimaryButton(theme, self.tr("Add"), self.tr("Enter"), body)
        self.save.clicked.connect(self.confirm)
        self.cancel = TextButton(theme, self.tr("Cancel"), parent=body)
        self.cancel.clicked.connect(self.left)
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_2)
        grid.setVerticalSpacing(SPACE_1)
        rows: list[tuple[str, QWidget, str, str]] = [
            (self.tr("Name"), self.name, self.tr("As in a sentence: “A photo of the Old Town Hall”."), "name"),
            (self.tr("Place"), self.place, self.tr("Coordinates of its foot, or click on the map."), "place"),
            (self.tr("Height"), self.height_edit, self.tr("In metres. It gives the shape its true size."), "height"),
            (self.tr("Photos"), self.photos, self.tr("With their places (GPS) in them. They stay where they are."), ""),
            (self.tr("Masks"), self.masks, self.tr("Come of themselves when you mark the landmark in photos."), ""),
        ]
        for number, (caption, widget, hint, key) in enumerate(rows):
            row = 3 * number
            grid.addWidget(label(caption, "strong", parent=body), row, 0, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(widget, row, 1)
            grid.addWidget(label(hint, "small", wrap=True, parent=body), row + 1, 1)
            if key:
                grid.addWidget(self.wrong[key], row + 2, 1)
                self.wrong[key].hide()
        grid.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        buttons.addWidget(self.save, 1)
        buttons.addWidget(self.cancel)
        column = QVBoxLayout(body)
        column.setContentsMargins(SPACE_1, SPACE_1, SPACE_4, SPACE_1)
        column.setSpacing(SPACE_4)
        column.addWidget(self.title)
        column.addLayout(grid)
        column.addLayout(buttons)
        column.addStretch()
        self.setWidget(body)
        self.place.textEdited.connect(self._place_typed)
        for edit in (self.name, self.place, self.height_edit):
            edit.textEdited.connect(lambda _, edit=edit: set_look(edit, "wrong", "false"))
            edit.returnPressed.connect(self.confirm)

    def _edit(self, name: str, example: str, parent: QWidget) -> QLineEdit:
        edit = QLineEdit(parent)
        edit.setAccessibleName(name)
        edit.setPlaceholderText(example)
        return edit

    # -- beginning and end --

    def begin(self, listed: Listed | None = None) -> None:
        """Show a landmark that shall be changed; None for a new one."""
        if listed is None:
            self._draft = Draft()
        else:
            mark = listed.landmark
            self._draft = Draft(listed.id, mark.name, mark.lat, mark.lon, listed.height, listed.photos, listed.masks)
        draft = self._draft
        own = listed is None or listed.own
        self.title.setText(self.tr("A landmark of your own") if listed is None else listed.title)
        self.name.setText(draft.name)
        self.place.setText(coordinates_text(draft.lat, draft.lon) if draft.lat is not None and draft.lon else "")
        self.height_edit.setText(f"{draft.height:g}" if draft.height is not None else "")
        self.photos.show_folder(draft.photos)
        self.masks.show_folder(draft.masks)
        for edit in (self.name, self.place, self.height_edit):
            edit.setEnabled(own)
            set_look(edit, "wrong", "false")
        for sentence in self.wrong.values():
            sentence.hide()
        self.save.setText(self.tr("Add") if listed is None else self.tr("Keep the changes"))
        self.save.setAccessibleName(self.save.text())
        (self.name if own else self.photos.choose).setFocus(Qt.FocusReason.OtherFocusReason)
        self.place_changed.emit((draft.lat, draft.lon) if draft.lat is not None else None)

    @property
    def takes_place(self) -> bool:
        """Whether a click on the map says where the landmark is."""
        return self.isVisible() and self.place.isEnabled()

    def take_place(self, lat: float, lon: float) -> None:
        """Put a place that was clicked into the form."""
        self.place.setText(coordinates_text(lat, lon))
        self._draft = replace(self._draft, lat=lat, lon=lon)
        set_look(self.place, "wrong", "false")
        self.wrong["place"].hide()
        if not self.name.text().strip():
            self.name.setFocus(Qt.FocusReason.OtherFocusReason)

    def draft(self) -> Draft | None:
        """Return what the form says; None if something is wrong, which is said beside it then."""
        name = " ".join(self.name.text().split())
        place = parse_coordinates(self.place.text())
        height_text = self.height_edit.text().strip().replace(",", ".").removesuffix("m").strip()
        height: float | None = None
        sentences = {"name": "", "place": "", "height": ""}
        if not name:
            sentences["name"] = self.tr("It needs a name.")
        if place is None:
            sentences["place"] = self.tr("These are no coordinates. Click on the map, or write latitude, longitude.")
        if height_text:
            try:
                height = float(height_text)
            except ValueError:
                height = -1.0
            if not HEIGHTS[0] <= height <= HEIGHTS[1]:
                sentences["height"] = self.tr("The height is a number from 0.1 to 2,000 metres, or empty.")
        edits = {"name": self.name, "place": self.place, "height": self.height_edit}
        for key, sentence in sentences.items():
            self.wrong[key].setText(sentence)
            self.wrong[key].setVisible(bool(sentence))
            set_look(edits[key], "wrong", "true" if sentence else "false")
        bad = next((key for key, sentence in sentences.items() if sentence), "")
        if bad or place is None:
            edits[bad or "place"].setFocus(Qt.FocusReason.OtherFocusReason)
            return None
        lat, lon = place
        before = self._draft
        if (
            before.lat is not None
            and before.lon is not None
            and coordinates_text(before.lat, before.lon) == (coordinates_text(lat, lon))
        ):
            lat, lon = before.lat, before.lon  # the field shows five decimals, the map knows more
        return Draft(before.id, name, lat, lon, height, self.photos.folder, self.masks.folder)

    def confirm(self) -> None:
        """Take the form over, if it is right."""
        draft = self.draft()
        if draft:
            self.saved.emit(draft)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape puts the form away."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def _place_typed(self, text: str) -> None:
        self.place_changed.emit(parse_coordinates(text))


def ask_folder(
    parent: QWidget, session: Session, title: str, folder: Path | None, chosen: Callable[[Path], None]
) -> None:
    """Let a person choose a folder; `chosen` gets its path."""
    start = folder or session.settings.photos_folder or Path.home()
    dialog = QFileDialog(parent, title, str(start))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda path: chosen(Path(path)))
    dialog.open()
