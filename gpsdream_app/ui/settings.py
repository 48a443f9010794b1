"""What the window remembers from one start to the next, in settings.json in the person's data folder.

The file has a version and is migrated. A value that cannot be read falls back to its default, and to its default alone.
Environment variables such as GPSDREAM_WINDOW_THEME=dark hold for one start and are not written to the file.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.memory import REST_MINUTES
from gpsdream_app.domain.places import Place
from gpsdream_app.library.paths import storage_error
from gpsdream_app.ui.graphics import GraphicsMode
from gpsdream_app.ui.theme import ThemeChoice

FILE_NAME = "settings.json"
OLD_FILE_NAME = "window.ini"  # of version 0
SPARE_SUFFIX = ".unreadable"  # what could not be read is kept beside the file
VERSION = 1
MAX_BYTES = 16 << 20
ENVIRONMENT_PREFIX = "GPSDREAM_WINDOW_"

MemoryChoice = Literal["auto", "full", "balanced", "low"]
PageName = Literal["explore", "neighbourhoods", "landmarks", "photos", "library", "quality"]

log = logging.getLogger(__name__)


def _place(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("a place is an object")
    try:
        return Place.from_dict(value).to_dict()
    except (GPSDreamError, TypeError) as error:
        raise ValueError(str(error)) from None


def _view(value: Any) -> list[float] | None:
    if value is None:
        return None
    try:
        lat, lon, zoom = value
        place = Place(lat, lon)
        return [place.lat, place.lon, min(max(float(zoom), 0.0), 24.0)]
    except (GPSDreamError, TypeError) as error:
        raise ValueError(str(error)) from None


def _base64(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("bytes are written as text")
    base64.b64decode(value, validate=True)
    return value


class Values(BaseSettings):
    """Every setting with its default, as it stands in the file; geometry and splitter are Qt's bytes in base64."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True, extra="ignore", validate_assignment=True
    )

    theme: ThemeChoice = ThemeChoice.SYSTEM
    less_motion: bool | None = None
    advanced_open: bool = False
    reopen_page: bool = True
    page: PageName = "explore"
    tour_seen: bool = False
    tell_when_done: bool = True
    graphics: GraphicsMode = GraphicsMode.AUTO
    memory: MemoryChoice = "auto"
    rest_minutes: float = Field(default=REST_MINUTES, ge=0, le=1440)
    save_folder: str = Field(default="", max_length=4096)
    photos_folder: str = Field(default="", max_length=4096)
    geometry: Annotated[str, BeforeValidator(_base64)] = ""
    splitter: Annotated[str, BeforeValidator(_base64)] = ""
    place: Annotated[dict[str, Any] | None, BeforeValidator(_place)] = None
    view: Annotated[list[float] | None, BeforeValidator(_view)] = None
    neighbourhoods: str = ""
    landmarks: str = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else: the environment is merged key by key, so that it can be wrong alone."""
        return (init_settings,)


# What a person chooses, and "Restore defaults" gives back; everything else is only remembered.
CHOICES = ("theme", "less_motion", "reopen_page", "tell_when_done", "graphics", "memory", "rest_minutes")


class Settings:
    """Typed access to settings.json; a value that cannot be read counts as not set.

    Attributes:
        on_change: called after every change, on the thread that made it; for example to write the file a little later.
        ignored: names of the values that could not be read and are at their defaults.
    """

    def __init__(self, folder: Path) -> None:
        """Read the settings in a folder, or those of an older version; nothing is written yet."""
        self.on_change: Callable[[], None] | None = None
        self._folder = folder
        self._lock = threading.Lock()
        self._changed = False
        self._spare: bytes | None = None
        kept = self._read_file()
        if kept is None:
            kept = migrate(_read_ini(folder / OLD_FILE_NAME), 0)
        given, wrong_there = _from_environment()
        in_file, wrong = _readable(kept)
        self.ignored = tuple(sorted(wrong | wrong_there))
        if self.ignored:
            log.warning("These settings cannot be read and are at their defaults: %s", ", ".join(self.ignored))
        # Keys of a newer version stay in the file.
        self._kept = {name: value for name, value in kept.items() if name not in wrong}
        self._values = Values(**{**in_file, **given})

    # -- what a person chooses --

    @property
    def theme(self) -> ThemeChoice:
        """Light, dark or as the system has it."""
        return self._values.theme

    @theme.setter
    def theme(self, choice: ThemeChoice) -> None:
        self._set("theme", choice.value)

    @property
    def less_motion(self) -> bool | None:
        """Whether pictures change without a cross-fade; None as the system has it."""
        return self._values.less_motion

    @less_motion.setter
    def less_motion(self, value: bool | None) -> None:
        self._set("less_motion", value)

    @property
    def reopen_page(self) -> bool:
        """Whether the window starts at the place of the rail where it was left."""
        return self._values.reopen_page

    @reopen_page.setter
    def reopen_page(self, value: bool) -> None:
        self._set("reopen_page", value)

    @property
    def tell_when_done(self) -> bool:
        """Whether the system tells that a long job has ended."""
        return self._values.tell_when_done

    @tell_when_done.setter
    def tell_when_done(self, value: bool) -> None:
        self._set("tell_when_done", value)

    @property
    def graphics(self) -> GraphicsMode:
        """How much of the graphics card the window asks for; holds from the next start."""
        return self._values.graphics

    @graphics.setter
    def graphics(self, mode: GraphicsMode) -> None:
        self._set("graphics", mode.value)

    @property
    def memory(self) -> MemoryChoice:
        """The memory preset of models, or "auto"."""
        return self._values.memory

    @memory.setter
    def memory(self, choice: MemoryChoice) -> None:
        self._set("memory", choice)

    @property
    def rest_minutes(self) -> float:
        """Minutes without a job, after which a model is unloaded; 0 for never."""
        return self._values.rest_minutes

    @rest_minutes.setter
    def rest_minutes(self, minutes: float) -> None:
        self._set("rest_minutes", minutes)

    # -- what is remembered --

    @property
    def advanced_open(self) -> bool:
        """Whether the exact numbers are unfolded."""
        return self._values.advanced_open

    @advanced_open.setter
    def advanced_open(self, value: bool) -> None:
        self._set("advanced_open", value)

    @property
    def page(self) -> PageName:
        """The place of the rail where the window was left."""
        return self._values.page

    @page.setter
    def page(self, name: PageName) -> None:
        self._set("page", name)

    @property
    def tour_seen(self) -> bool:
        """Whether the first-run tour was seen or put away."""
        return self._values.tour_seen

    @tour_seen.setter
    def tour_seen(self, value: bool) -> None:
        self._set("tour_seen", value)

    @property
    def save_folder(self) -> Path:
        """Where a picture was saved last, as long as that folder is there; else the system's own for pictures."""
        last = self._values.save_folder
        if last and _is_dir(last):
            return Path(last)
        pictures = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation))
        return pictures if pictures.is_dir() else Path.home()

    @save_folder.setter
    def save_folder(self, folder: Path) -> None:
        self._set("save_folder", str(folder))

    @property
    def photos_folder(self) -> Path | None:
        """The folder of photos that a model was measured with last, as long as it is there."""
        last = self._values.photos_folder
        return Path(last) if last and _is_dir(last) else None

    @photos_folder.setter
    def photos_folder(self, folder: Path) -> None:
        self._set("photos_folder", str(folder))

    @property
    def geometry(self) -> QByteArray:
        """Where the window was, as Qt saves it; empty at the first start."""
        return QByteArray(base64.b64decode(self._values.geometry))

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._set("geometry", base64.b64encode(value.data()).decode("ascii"))

    @property
    def splitter(self) -> QByteArray:
        """How the width was shared between map and panel; empty at the first start."""
        return QByteArray(base64.b64decode(self._values.splitter))

    @splitter.setter
    def splitter(self, value: QByteArray) -> None:
        self._set("splitter", base64.b64encode(value.data()).decode("ascii"))

    @property
    def place(self) -> Place | None:
        """The last place."""
        return Place.from_dict(self._values.place) if self._values.place else None

    @place.setter
    def place(self, place: Place | None) -> None:
        self._set("place", place.to_dict() if place else None)

    @property
    def view(self) -> tuple[float, float, float] | None:
        """Latitude and longitude of the map's middle in degrees, and its zoom."""
        view = self._values.view
        return (view[0], view[1], view[2]) if view else None

    @view.setter
    def view(self, view: tuple[float, float, float]) -> None:
        self._set("view", list(view))

    @property
    def neighbourhoods(self) -> str:
        """What the Neighbourhoods place remembers, as JSON; empty at first."""
        return self._values.neighbourhoods

    @neighbourhoods.setter
    def neighbourhoods(self, value: str) -> None:
        self._set("neighbourhoods", value)

    @property
    def landmarks(self) -> str:
        """What the Landmarks place remembers, as JSON; empty at first."""
        return self._values.landmarks

    @landmarks.setter
    def landmarks(self, value: str) -> None:
        self._set("landmarks", value)

    # -- the whole --

    def choices(self) -> dict[str, Any]:
        """Return what a person chose, by name; `take` brings it back."""
        return {name: getattr(self._values, name) for name in CHOICES}

    def take(self, choices: dict[str, Any]) -> None:
        """Choose all of these at once. Raises ValueError for a value that is none."""
        for name in CHOICES:
            if name in choices:
                self._set(name, choices[name])

    def write(self) -> None:
        """Write the file now, whole or not at all, if anything has changed; on any thread.

        Raises:
            GPSDreamError: of kind `disk_full` if the disk refuses; the next call tries again.
        """
        with self._lock:
            if not self._changed:
                return
            path = self._folder / FILE_NAME
            text = json.dumps({"version": VERSION, **self._kept}, ensure_ascii=False, indent=1, sort_keys=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            try:
                if self._spare is not None:
                    path.with_name(path.name + SPARE_SUFFIX).write_bytes(self._spare)
                    self._spare = None
                part.write_text(text, encoding="utf-8", errors="surrogatepass")
                part.replace(path)
            except OSError as error:
                with suppress(OSError):
                    part.unlink()
                raise storage_error(error, path, "the settings were not saved") from error
            self._changed = False

    def save(self) -> None:
        """Write the file at the end, when there is nobody left to tell of a disk that refuses but the log."""
        try:
            self.write()
        except GPSDreamError as error:
            log.error("%s", error.failure.message)

    def _set(self, name: str, value: Any) -> None:
        with self._lock:
            setattr(self._values, name, value)
            if name in self._kept and self._kept[name] == value:
                return
            self._kept[name] = value
            self._changed = True
        if self.on_change:
            self.on_change()

    def _read_file(self) -> dict[str, Any] | None:
        """Return the file's values in this version's form; None without a file, empty if it holds no settings."""
        path = self._folder / FILE_NAME
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read: %s", path, error)
            return {}
        try:
            values = json.loads(content.decode("utf-8", "surrogatepass")) if len(content) <= MAX_BYTES else None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            log.warning("%s holds no settings; all are at their defaults.", path)
            self._spare = content[:MAX_BYTES]
            return {}
        version = values.pop("version", VERSION)
        return migrate(values, version if isinstance(version, int) else VERSION)


def migrate(values: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the values of an older version as those of this one; those of a newer one are left as they are.

    Args:
        values: by name, as the version had them.
        version: its number; 0 is window.ini, where everything is text or Qt's bytes.
    """
    for step in MIGRATIONS[max(version, 0) :]:
        values = step(values)
    return values


def _from_ini(values: dict[str, Any]) -> dict[str, Any]:
    """Version 0 to 1: yes and no, JSON in texts, and bytes get types of their own."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, QByteArray):
            result[name] = base64.b64encode(value.data()).decode("ascii")
        elif not isinstance(value, str) or not value:
            continue
        elif name in ("less_motion", "advanced_open"):
            if value in ("yes", "no"):
                result[name] = value == "yes"
        elif name in ("place", "view"):
            with suppress(ValueError, RecursionError):
                result[name] = json.loads(value)
        else:
            result[name] = value
    # Whoever has worked with an older version needs no tour.
    return {**result, "tour_seen": True} if result else result


MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_from_ini,)


def _read_ini(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    file = QSettings(str(path), QSettings.Format.IniFormat)
    return {name: file.value(name) for name in file.allKeys()}


def _from_environment() -> tuple[dict[str, Any], set[str]]:
    """Return the values that the environment gives for this start, and the names of those that are wrong there."""
    given: dict[str, Any] = {}
    wrong: set[str] = set()
    for name in Values.model_fields:
        key = ENVIRONMENT_PREFIX + name.upper()
        if not os.environ.get(key):
            continue
        try:
            value: dict[str, Any] = {name: EnvSettingsSource(Values)().get(name)}
            given[name] = getattr(Values(**value), name)
        except (ValidationError, SettingsError):
            wrong.add(name)
    return given, wrong


def _readable(values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the values that are right, and the names of those that are wrong."""
    right, wrong = {}, set()
    for name in Values.model_fields:
        if name not in values:
            continue
        try:
            right[name] = getattr(Values(**{name: values[name]}), name)
        except (ValidationError, RecursionError):
            wrong.add(name)
    return right, wrong


def _is_dir(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False
