"""What the window remembers from one start to the next, in window.ini in the person's data folder."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.ui.theme import ThemeChoice

FILE_NAME = "window.ini"


class Settings:
    """Typed access to window.ini; a value that cannot be read counts as not set."""

    def __init__(self, folder: Path) -> None:
        self._file = QSettings(str(folder / FILE_NAME), QSettings.Format.IniFormat)

    @property
    def theme(self) -> ThemeChoice:
        """Light, dark or as the system has it."""
        try:
            return ThemeChoice(self._text("theme"))
        except ValueError:
            return ThemeChoice.SYSTEM

    @theme.setter
    def theme(self, choice: ThemeChoice) -> None:
        self._file.setValue("theme", choice.value)

    @property
    def less_motion(self) -> bool | None:
        """Whether pictures change without a cross-fade; None as the system has it."""
        return {"yes": True, "no": False}.get(self._text("less_motion"))

    @less_motion.setter
    def less_motion(self, value: bool) -> None:
        self._file.setValue("less_motion", "yes" if value else "no")

    @property
    def advanced_open(self) -> bool:
        """Whether the exact numbers are unfolded."""
        return self._text("advanced_open") == "yes"

    @advanced_open.setter
    def advanced_open(self, value: bool) -> None:
        self._file.setValue("advanced_open", "yes" if value else "no")

    @property
    def save_folder(self) -> Path:
        """Where a picture was saved last, as long as that folder is there; else the system's own for pictures."""
        last = self._text("save_folder")
        if last and Path(last).is_dir():
            return Path(last)
        pictures = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation))
        return pictures if pictures.is_dir() else Path.home()

    @save_folder.setter
    def save_folder(self, folder: Path) -> None:
        self._file.setValue("save_folder", str(folder))

    @property
    def photos_folder(self) -> Path | None:
        """The folder of photos that a model was measured with last, as long as it is there."""
        last = self._text("photos_folder")
        return Path(last) if last and Path(last).is_dir() else None

    @photos_folder.setter
    def photos_folder(self, folder: Path) -> None:
        self._file.setValue("photos_folder", str(folder))

    @property
    def geometry(self) -> QByteArray:
        """Where the window was, as Qt saves it; empty at the first start."""
        return self._bytes("geometry")

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._file.setValue("geometry", value)

    @property
    def splitter(self) -> QByteArray:
        """How the width was shared between map and panel; empty at the first start."""
        return self._bytes("splitter")

    @splitter.setter
    def splitter(self, value: QByteArray) -> None:
        self._file.setValue("splitter", value)

    @property
    def place(self) -> Place | None:
        """The last place."""
        try:
            return Place.from_dict(json.loads(self._text("place")))
        except (GPSDreamError, ValueError, TypeError):
            return None

    @place.setter
    def place(self, place: Place | None) -> None:
        self._file.setValue("place", json.dumps(place.to_dict()) if place else "")

    @property
    def view(self) -> tuple[float, float, float] | None:
        """Latitude and longitude of the map's middle in degrees, and its zoom."""
        try:
            lat, lon, zoom = json.loads(self._text("view"))
            place = Place(lat, lon)
            return place.lat, place.lon, float(zoom)
        except (GPSDreamError, ValueError, TypeError):
            return None

    @view.setter
    def view(self, view: tuple[float, float, float]) -> None:
        self._file.setValue("view", json.dumps(list(view)))

    @property
    def neighbourhoods(self) -> str:
        """What the Neighbourhoods place remembers, as JSON; empty at first."""
        return self._text("neighbourhoods")

    @neighbourhoods.setter
    def neighbourhoods(self, value: str) -> None:
        self._file.setValue("neighbourhoods", value)

    @property
    def landmarks(self) -> str:
        """What the Landmarks place remembers, as JSON; empty at first."""
        return self._text("landmarks")

    @landmarks.setter
    def landmarks(self, value: str) -> None:
        self._file.setValue("landmarks", value)

    def save(self) -> None:
        """Write the file now."""
        self._file.sync()

    def _text(self, key: str) -> str:
        value = self._file.value(key, "")
        return value if isinstance(value, str) else ""

    def _bytes(self, key: str) -> QByteArray:
        value = self._file.value(key)
        return value if isinstance(value, QByteArray) else QByteArray()
