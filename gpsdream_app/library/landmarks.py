"""Landmarks that can be chosen: the modelled ones and a person's own, with the folders of their photos and masks.

One JSON file, written whole or not at all, with undo while the program runs. Photos and masks stay where they are.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.library.paths import storage_error, user_data_dir

SCHEMA = 1
MAX_BYTES = 16 << 20
MAX_LANDMARKS = 200
LONGEST_NAME = 120
STEPS = 50  # of undo
GUESSED_HEIGHT = 20.0  # metres, of a landmark whose height nobody knows


def own_landmarks_path() -> Path:
    """The file of a person's own landmarks and folders."""
    return user_data_dir() / "landmarks.json"


@dataclass(frozen=True, slots=True)
class LandmarkEntry:
    """A landmark that can be chosen.

    Attributes:
        landmark: what and where it is; its height is a guess if `height` is None.
        own: whether a person added it.
        height: in metres; None if nobody knows.
        photos: folder of photos of it; None if none was named.
        masks: folder of the masks of these photos; None if none was named.
    """

    landmark: Landmark
    own: bool = False
    height: float | None = None
    photos: Path | None = None
    masks: Path | None = None

    @property
    def id(self) -> str:
        """Id of the landmark; it stays while everything else changes."""
        return self.landmark.id

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "landmark": self.landmark.to_dict(),
            "own": self.own,
            "height": self.height,
            "photos": str(self.photos) if self.photos else None,
            "masks": str(self.masks) if self.masks else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LandmarkEntry:
        """Read what `to_dict` wrote. Raises GPSDreamError, KeyError or TypeError if it is none."""
        height = data.get("height")
        photos, masks = data.get("photos"), data.get("masks")
        return cls(
            Landmark.from_dict(data["landmark"]),
            data.get("own") is True,
            float(height) if isinstance(height, (int, float)) and not isinstance(height, bool) else None,
            Path(photos) if isinstance(photos, str) and photos else None,
            Path(masks) if isinstance(masks, str) and masks else None,
        )


class LandmarkStore:
    """The list of landmarks. Not safe to use from several threads at once.

    A file that is damaged is set aside under another name when it is read, never deleted: `notice` says so.

    Attributes:
        path: of the file.
        notice: a sentence about what was wrong with the file; empty if nothing was.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file; one that is not there yet holds nothing of a person's own.

        Raises:
            GPSDreamError: of kind `disk_full` if the file is there and cannot be read.
        """
        self.path = own_landmarks_path() if path is None else path
        self.notice = ""
        self._now = self._read()
        self._before: list[tuple[LandmarkEntry, ...]] = []

    def list(self) -> tuple[LandmarkEntry, ...]:
        """Return the modelled landmarks, then a person's own in the order in which they were added."""
        kept = {entry.id: entry for entry in self._now}
        modelled = [
            replace(LandmarkEntry(known, False, known.height), photos=kept[known.id].photos, masks=kept[known.id].masks)
            if known.id in kept
            else LandmarkEntry(known, False, known.height)
            for known in LANDMARKS
        ]
        return (*modelled, *(entry for entry in self._now if entry.own))

    def get(self, landmark_id: str) -> LandmarkEntry:
        """Return one landmark. Raises GPSDreamError of kind `bad_request` if it is not there (any more)."""
        found = next((entry for entry in self.list() if entry.id == landmark_id), None)
        if found is None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The landmark is not there any more.", "Choose another one.")
        return found

    def add(
        self,
        name: str,
        lat: float,
        lon: float,
        height: float | None = None,
        photos: Path | None = None,
        masks: Path | None = None,
    ) -> LandmarkEntry:
        """Add a landmark at the end.

        Args:
            name: as in a sentence after "A photo of".
            lat: latitude of its foot in degrees.
            lon: longitude of its foot in degrees.
            height: in metres; None if nobody knows.
            photos: folder of photos.
            masks: folder of masks.

        Raises:
            GPSDreamError: of kind `bad_request` or `bad_location` for bad values or too many landmarks, `disk_full` if
                the disk refuses.
        """
        if sum(entry.own for entry in self._now) >= MAX_LANDMARKS:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, f"There are {MAX_LANDMARKS} own landmarks already.", "Remove some first."
            )
        name = _clean(name)
        taken = {entry.id for entry in self.list()}
        made = Landmark(_id_of(name, taken), name, lat, lon, 0.0, GUESSED_HEIGHT if height is None else height)
        entry = LandmarkEntry(made, True, height, photos, masks)
        self._change((*self._now, entry))
        return entry

    def change(
        self,
        landmark_id: str,
        name: str,
        lat: float,
        lon: float,
        height: float | None = None,
        photos: Path | None = None,
        masks: Path | None = None,
    ) -> LandmarkEntry:
        """Change a landmark; of a modelled one only its folders. Raises as `get` and `add` do."""
        before = self.get(landmark_id)
        after = replace(before, photos=photos, masks=masks)
        if before.own:
            made = replace(
                before.landmark,
                name=_clean(name),
                lat=lat,
                lon=lon,
                height=GUESSED_HEIGHT if height is None else height,
            )
            after = replace(after, landmark=made, height=height)
        self._put(after)
        return after

    def set_folders(self, landmark_id: str, photos: Path | None, masks: Path | None) -> LandmarkEntry:
        """Name the folders of a landmark's photos and masks. Raises as `get` and `add` do."""
        after = replace(self.get(landmark_id), photos=photos, masks=masks)
        self._put(after)
        return after

    def remove(self, landmark_id: str) -> None:
        """Take a person's own landmark out; its photos stay.

        Raises:
            GPSDreamError: of kind `bad_request` for a modelled one, else as `get` and `add`.
        """
        if not self.get(landmark_id).own:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "This landmark came with GPSDream and stays.")
        self._change(tuple(entry for entry in self._now if entry.id != landmark_id))

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._before)

    def undo(self) -> None:
        """Take the last change back, if there is one. Raises as `add` does for the disk."""
        if self._before:
            self._write(self._before[-1])
            self._now = self._before.pop()

    # -- the file --

    def _put(self, entry: LandmarkEntry) -> None:
        others = [other.id for other in self._now]
        if entry.id in others:
            self._change(tuple(entry if other.id == entry.id else other for other in self._now))
        else:
            self._change((*self._now, entry))

    def _change(self, entries: tuple[LandmarkEntry, ...]) -> None:
        self._write(entries)
        self._before = [*self._before[1 - STEPS :], self._now]
        self._now = entries

    def _write(self, entries: tuple[LandmarkEntry, ...]) -> None:
        data = {"schema": SCHEMA, "landmarks": [entry.to_dict() for entry in entries]}
        try:
            with whole_file(self.path) as temporary:
                temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise storage_error(error, self.path, "the landmarks were not saved") from error

    def _read(self) -> tuple[LandmarkEntry, ...]:
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise ValueError("the file is too large")
            data = json.loads(self.path.read_text(encoding="utf-8"))
            entries = tuple(LandmarkEntry.from_dict(one) for one in data["landmarks"])
            if len({entry.id for entry in entries}) != len(entries):
                raise ValueError("two landmarks have the same id")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise storage_error(error, self.path, "your landmarks were not read") from error
        except (GPSDreamError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            aside = self.path.with_name(self.path.name + ".damaged")
            try:
                self.path.replace(aside)
            except OSError as error:
                raise storage_error(error, self.path, "your landmarks were not read") from error
            self.notice = f"The list of your landmarks was damaged. It is kept as {aside.name}."
            return ()
        return entries


def _clean(name: str) -> str:
    """Return a name on one line. Raises GPSDreamError of kind `bad_request` if nothing is left of it."""
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:LONGEST_NAME].strip()
    if not text:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "A landmark needs a name.")
    return text


def _id_of(name: str, taken: set[str]) -> str:
    """Return an id that is made of a name and that no other landmark has."""
    plain = unicodedata.normalize("NFKD", name.removeprefix("the ")).encode("ascii", "ignore").decode().lower()
    stem = "-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-") or "landmark"
    number, made = 2, stem
    while made in taken:
        made, number = f"{stem}-{number}", number + 1
    return made
