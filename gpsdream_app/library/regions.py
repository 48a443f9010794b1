"""A person's own regions: one JSON file, written whole or not at all, with undo while the program runs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpsdream_app.domain.averages import MAX_REGIONS
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.regions import Region
from gpsdream_app.geo.regions import clean_name
from gpsdream_app.library.paths import storage_error, user_data_dir

SCHEMA = 1
MAX_BYTES = 256 << 20
STEPS = 50  # of undo
UNNAMED = "Region"


def own_regions_path() -> Path:
    """The file of a person's own regions."""
    return user_data_dir() / "regions.json"


@dataclass(frozen=True, slots=True)
class OwnRegion:
    """A region that a person has drawn or read from a file.

    Attributes:
        id: 32 hexadecimal digits; stays while its name and shape change.
        region: what it is now.
    """

    id: str
    region: Region


class OwnRegions:
    """The list of a person's own regions. Not safe to use from several threads at once.

    A file that is damaged is set aside under another name when it is read, never deleted: `notice` says so.

    Attributes:
        path: of the file.
        notice: a sentence about what was wrong with the file; empty if nothing was.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file; one that is not there yet is an empty list.

        Raises:
            GPSDreamError: of kind `disk_full` if the file is there and cannot be read.
        """
        self.path = own_regions_path() if path is None else path
        self.notice = ""
        self._now = self._read()
        self._before: list[tuple[str, tuple[OwnRegion, ...]]] = []

    def list(self) -> tuple[OwnRegion, ...]:
        """Return all regions in the order in which they were added."""
        return self._now

    def get(self, region_id: str) -> OwnRegion:
        """Return one region. Raises GPSDreamError of kind `bad_request` if it is not there (any more)."""
        found = next((own for own in self._now if own.id == region_id), None)
        if found is None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The region is not there any more.", "Choose another one.")
        return found

    def add(self, region: Region) -> OwnRegion:
        """Add a region at the end; a name that is empty or taken gets a number.

        Raises:
            GPSDreamError: of kind `bad_request` if there are 200 already, `disk_full` if the disk refuses.
        """
        return self.add_all([region])[0]

    def add_all(self, regions: Sequence[Region]) -> tuple[OwnRegion, ...]:
        """Add several regions, such as those of a file, as one step of undo. Raises as `add` does."""
        if len(self._now) + len(regions) > MAX_REGIONS:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"There would be {len(self._now) + len(regions)} own regions; {MAX_REGIONS} is the most.",
                "Delete some first.",
            )
        added: tuple[OwnRegion, ...] = ()
        for region in regions:
            names = {own.region.name for own in (*self._now, *added)}
            added = (*added, OwnRegion(secrets.token_hex(16), replace(region, name=_free(region.name, names))))
        if added:
            self._change("add", (*self._now, *added))
        return added

    def rename(self, region_id: str, name: str) -> OwnRegion:
        """Give a region another name; one that is empty or taken gets a number. Raises as `get` and `add` do."""
        own = self.get(region_id)
        names = {other.region.name for other in self._now if other.id != region_id}
        return self._put("rename", replace(own, region=replace(own.region, name=_free(name, names))))

    def replace(self, region_id: str, region: Region) -> OwnRegion:
        """Give a region another shape; it keeps its name. Raises as `get` and `add` do."""
        own = self.get(region_id)
        return self._put("change", replace(own, region=replace(region, name=own.region.name)))

    def delete(self, region_id: str) -> None:
        """Take a region out. Raises as `get` and `add` do."""
        own = self.get(region_id)
        self._change("delete", tuple(other for other in self._now if other is not own))

    @property
    def undoable(self) -> str:
        """What `undo` would take back: add, rename, change or delete; empty if nothing."""
        return self._before[-1][0] if self._before else ""

    def undo(self) -> str:
        """Take the last step back, and return what it was; "" if there is none. Raises as `add` does."""
        if not self._before:
            return ""
        what, regions = self._before[-1]
        self._write(regions)
        self._before.pop()
        self._now = regions
        return what

    def _put(self, what: str, changed: OwnRegion) -> OwnRegion:
        self._change(what, tuple(changed if own.id == changed.id else own for own in self._now))
        return changed

    def _change(self, what: str, regions: tuple[OwnRegion, ...]) -> None:
        if regions == self._now:
            return
        self._write(regions)
        self._before = [*self._before, (what, self._now)][-STEPS:]
        self._now = regions

    # The file

    def _read(self) -> tuple[OwnRegion, ...]:
        try:
            if self.path.stat().st_size > MAX_BYTES:
                return self._set_aside("is far larger than it could be")
            data = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise GPSDreamError(
                ErrorKind.DISK_FULL,
                f"The file of your own regions cannot be read ({error.strerror or error}).",
                "Check its permissions.",
                repr(error),
            ) from error
        except (ValueError, RecursionError):
            return self._set_aside("is damaged")
        try:
            if data["schema"] > SCHEMA:
                return self._set_aside("was written by a newer GPSDream")
            items = data["regions"]
            if not isinstance(items, list):
                raise TypeError
        except (KeyError, TypeError):
            return self._set_aside("is damaged")
        regions = [own for own in map(_own, items[:MAX_REGIONS]) if own is not None]
        unique = {own.id: own for own in regions}
        if len(unique) < len(items):
            # What can be read is kept; the file stays beside it for whoever wants the rest.
            self._set_aside(f"holds {len(items) - len(unique)} regions that cannot be read", copy=True)
        return tuple(unique.values())

    def _set_aside(self, what: str, *, copy: bool = False) -> tuple[OwnRegion, ...]:
        aside = self.path.with_name(f"{self.path.stem} damaged {secrets.token_hex(3)}{self.path.suffix}")
        try:
            if copy:
                aside.write_bytes(self.path.read_bytes())
            else:
                self.path.replace(aside)
        except OSError as error:
            raise storage_error(error, self.path.parent, "the damaged file of regions was not set aside") from error
        self.notice = f"The file of your own regions {what}. It was kept as “{aside.name}”."
        return ()

    def _write(self, regions: tuple[OwnRegion, ...]) -> None:
        data = {"schema": SCHEMA, "regions": [{"id": own.id, **own.region.to_dict()} for own in regions]}
        text = json.dumps(data)
        try:
            with whole_file(self.path) as temporary:
                temporary.write_text(text, encoding="ascii")
        except OSError as error:
            raise storage_error(error, self.path.parent, "your regions were not saved") from error


def _own(item: Any) -> OwnRegion | None:
    """Read one region of the file; None if it cannot be read."""
    try:
        region_id = item["id"]
        if not isinstance(region_id, str) or not 1 <= len(region_id) <= 64 or not region_id.isalnum():
            return None
        return OwnRegion(region_id, Region.from_dict(item))
    except (GPSDreamError, KeyError, TypeError, ValueError):
        return None


def _free(name: str, taken: set[str]) -> str:
    """Return the name, or with a number if it is taken or empty."""
    name = clean_name(name)
    if name and name not in taken:
        return name
    stem = name[:190] or UNNAMED
    number = 1 if not name else 2
    while f"{stem} {number}" in taken:
        number += 1
    return f"{stem} {number}"
