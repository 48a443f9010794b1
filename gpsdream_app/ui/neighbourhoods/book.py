"""The regions that can be chosen: the city's own, streets, and those that a person drew or read from a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.domain.regions import Point, Region, RegionKind
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.geojson import read_regions, write_regions
from gpsdream_app.geo.regions import centre, city_regions, make_region, photos_in, street_region
from gpsdream_app.library.regions import OwnRegions
from gpsdream_app.ui.background import Background

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

FIRST_CHOICE = 6
MAX_FOUND = 60


class Group(StrEnum):
    """Under which heading a region stands in the list."""

    OWN = "own"
    NEIGHBOURHOOD = "neighbourhood"
    PARK = "park"
    STREET = "street"


@dataclass(frozen=True, slots=True)
class Listed:
    """A region that can be chosen.

    Attributes:
        id: names it on the map and in the list.
        region: the region.
        group: its heading.
        photos: number of photos in it that the model has learned from; None if that is not known.
        latitude: of its middle, degrees.
    """

    id: str
    region: Region
    group: Group
    photos: int | None
    latitude: float

    @property
    def name(self) -> str:
        """What people call it."""
        return self.region.name


@dataclass(frozen=True, slots=True)
class _Read:
    listed: list[Listed]
    streets: list[str]
    notice: str


class RegionBook(QObject):
    """Knows every region that can be chosen, and which are.

    Signals:
        read: the regions of a city have been read.
        changed: a region came, went or changed.
        selection_changed: other regions are chosen.
        drawn: a person's own region is new; its id. It wants a name.
        said: a sentence for the person, such as what was mended.
        failed: something could not be done (`Failure`).
    """

    read = Signal()
    changed = Signal()
    selection_changed = Signal()
    drawn = Signal(str)
    said = Signal(str)
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        # One thread, so that changes to the file happen in the order in which they were made.
        self._writer = Background(self, threads=1)
        self._listed: dict[str, Listed] = {}
        self._selected: set[str] = set()
        self._own: OwnRegions | None = None
        self.streets: list[str] = []
        self.is_read = False
        self.can_undo = False

    # -- asking --

    @property
    def listed(self) -> list[Listed]:
        """All regions that can be chosen."""
        return list(self._listed.values())

    def get(self, region_id: str) -> Listed | None:
        """Return a region by its id."""
        return self._listed.get(region_id)

    @property
    def selected(self) -> list[Listed]:
        """The chosen regions, from north to south, as they lie on the map."""
        chosen = [self._listed[region_id] for region_id in self._selected if region_id in self._listed]
        return sorted(chosen, key=lambda listed: (-listed.latitude, listed.name))

    def is_selected(self, region_id: str) -> bool:
        """Whether a region is chosen."""
        return region_id in self._selected

    def found(self, text: str) -> list[Listed | str]:
        """Return the regions whose names hold a text, and names of streets that can be made regions of.

        Without a text no streets are named, since a city has hundreds.
        """
        wanted = " ".join(text.casefold().split())
        regions: list[Listed | str] = [
            listed for listed in self._listed.values() if not wanted or wanted in listed.name.casefold()
        ]
        if wanted:
            have = {listed.name for listed in self._listed.values() if listed.group is Group.STREET}
            names = [name for name in self.streets if wanted in name.casefold() and name not in have]
            names.sort(key=lambda name: (not name.casefold().startswith(wanted), len(name), name))
            regions.extend(names[:MAX_FOUND])
        return regions

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._writer.pending

    # -- reading --

    def open(self, city: CityMap | None, coverage: Coverage | None, selected: Sequence[str] | None) -> None:
        """Read the regions of a city.

        Args:
            city: the city; None leaves a person's own regions alone in the list.
            coverage: where the model has seen photos.
            selected: ids to choose; None chooses the regions with the most photos.
        """
        streets = [listed.name for listed in self._listed.values() if listed.group is Group.STREET]

        def work() -> _Read:
            own = self._own or OwnRegions()
            self._own = own
            return _read_all(own, city, coverage, streets, selected or ())

        def done(found: _Read) -> None:
            self._listed = {listed.id: listed for listed in found.listed}
            self.streets = found.streets
            self.is_read = True
            kept = {region_id for region_id in selected or () if region_id in self._listed}
            self._selected = kept or set(first_choice(found.listed))
            self._follow_own()
            self.read.emit()
            self.changed.emit()
            self.selection_changed.emit()
            if found.notice:
                self.said.emit(found.notice)

        self._writer.run(self, work, done, self.failed.emit)

    def close(self) -> None:
        """End the background work."""
        self._writer.close()

    # -- choosing --

    def select(self, region_id: str, on: bool) -> None:
        """Choose a region, or leave it."""
        if region_id in self._listed and on != (region_id in self._selected):
            self._selected ^= {region_id}
            self.selection_changed.emit()

    def toggle(self, region_id: str) -> None:
        """Choose a region if it is not chosen, else leave it."""
        self.select(region_id, region_id not in self._selected)

    def select_only(self, region_ids: Sequence[str]) -> None:
        """Choose these regions and no other."""
        wanted = {region_id for region_id in region_ids if region_id in self._listed}
        if wanted != self._selected:
            self._selected = wanted
            self.selection_changed.emit()

    def select_first(self) -> None:
        """Choose the regions with the most photos."""
        self.select_only(first_choice(self.listed))

    def add_street(self, name: str, city: CityMap, coverage: Coverage | None) -> None:
        """Make a region along a street, and choose it."""

        def done(listed: Listed) -> None:
            self._listed[listed.id] = listed
            self._selected.add(listed.id)
            self.changed.emit()
            self.selection_changed.emit()

        self._writer.run(self, lambda: _street(city, name, coverage), done, self.failed.emit)

    # -- a person's own --

    def add_drawn(self, points: Sequence[Point], city: CityMap | None) -> None:
        """Make a region of the corners that a person drew."""
        number = 1 + sum(listed.group is Group.OWN for listed in self._listed.values())
        name = self.tr("My region {0}").format(number)

        def work(own: OwnRegions) -> tuple[str, str]:
            region, mended = make_region(((tuple(points),),), name, RegionKind.DRAWN, city=city)
            return own.add(region).id, mended

        def done(added: tuple[str, str]) -> None:
            region_id, mended = own_id(added[0]), added[1]
            self.select(region_id, True)
            self.drawn.emit(region_id)
            if mended:
                self.said.emit(mended)

        self._change_own(work, done)

    def reshape(self, region_id: str, polygons: Sequence[Sequence[Sequence[Point]]], city: CityMap | None) -> None:
        """Give a person's own region another shape."""
        listed = self._listed.get(region_id)
        if listed is None or listed.group is not Group.OWN:
            return
        old = listed.region

        def work(own: OwnRegions) -> str:
            region, mended = make_region(polygons, old.name, old.kind, city=city)
            own.replace(region_id.removeprefix(OWN), region)
            return mended

        self._change_own(work, lambda mended: self.said.emit(mended) if mended else None)

    def rename(self, region_id: str, name: str) -> None:
        """Give a person's own region another name."""
        listed, name = self._listed.get(region_id), " ".join(name.split())
        if listed and listed.group is Group.OWN and name and name != listed.name:
            self._change_own(lambda own: own.rename(region_id.removeprefix(OWN), name))

    def delete(self, region_id: str) -> None:
        """Delete a person's own region; `undo` brings it back. A street is only taken out of the list."""
        listed = self._listed.get(region_id)
        if listed is None:
            return
        if listed.group is Group.OWN:
            self._change_own(lambda own: own.delete(region_id.removeprefix(OWN)))
        elif listed.group is Group.STREET:
            self.select(region_id, False)
            del self._listed[region_id]
            self.changed.emit()

    def undo(self) -> None:
        """Take the last change to a person's own regions back."""
        self._change_own(lambda own: own.undo())

    def import_file(self, path: Path, city: CityMap | None) -> None:
        """Add the regions of a GeoJSON file to a person's own, and choose them."""

        def work(own: OwnRegions) -> tuple[list[str], list[str]]:
            regions, said = read_regions(path, city)
            return [added.id for added in own.add_all(regions)], said

        def done(read: tuple[list[str], list[str]]) -> None:
            added, said = read
            for region_id in added:
                self.select(own_id(region_id), True)
            count = (
                self.tr("One region was read from {0}.").format(path.name)
                if len(added) == 1
                else self.tr("{0} regions were read from {1}.").format(len(added), path.name)
            )
            self.said.emit(" ".join([count, *said[:3]]))

        self._change_own(work, done)

    def export_file(self, path: Path, done: Callable[[], None]) -> None:
        """Write the chosen regions, or all of a person's own if none is chosen, to a GeoJSON file."""
        chosen = self.selected or [listed for listed in self.listed if listed.group is Group.OWN]
        regions = [listed.region for listed in chosen]
        self._writer.run(self, lambda: write_regions(path, regions), lambda _: done(), self.failed.emit)

    def _change_own(self, work: Callable[[OwnRegions], object], done: Callable[..., object] | None = None) -> None:
        """Change a person's own regions in the background, then list them anew."""
        card, before = self._session.card, set(self._listed)
        coverage = card.coverage if card else None

        def run() -> tuple[object, list[Listed]]:
            own = self._own
            if own is None:
                own = self._own = OwnRegions()
            return work(own), _own_listed(own, coverage)

        def changed(outcome: tuple[object, list[Listed]]) -> None:
            value, own = outcome
            others = [listed for listed in self._listed.values() if listed.group is not Group.OWN]
            self._listed = {listed.id: listed for listed in [*own, *others]}
            gone = before - set(self._listed)
            self._selected -= gone
            self._follow_own()
            self.changed.emit()
            self.selection_changed.emit()
            if done:
                done(value)

        self._writer.run(self, run, changed, self._not_changed)

    def _not_changed(self, failure: Failure) -> None:
        self.changed.emit()  # the map shows again what is, not what was tried
        self.failed.emit(failure)

    def _follow_own(self) -> None:
        self.can_undo = bool(self._own and self._own.undoable)


OWN = "own:"


def own_id(key: str) -> str:
    """Return the id of a person's own region."""
    return f"{OWN}{key}"


def first_choice(regions: Sequence[Listed]) -> list[str]:
    """Return the ids of the neighbourhoods and parks with the most photos, six at most."""
    of_city = (Group.NEIGHBOURHOOD, Group.PARK)
    with_photos = [listed for listed in regions if listed.group in of_city and listed.photos]
    with_photos.sort(key=lambda listed: (-(listed.photos or 0), listed.name))
    return [listed.id for listed in with_photos[:FIRST_CHOICE]]


def _listed(region: Region, group: Group, coverage: Coverage | None, region_id: str) -> Listed:
    return Listed(region_id, region, group, photos_in(region, coverage), centre(region)[0])


def _street(city: CityMap, name: str, coverage: Coverage | None) -> Listed:
    region = street_region(city, name)
    return _listed(region, Group.STREET, coverage, f"street:{name}"[:200])


def _own_listed(own: OwnRegions, coverage: Coverage | None) -> list[Listed]:
    return [
        _listed(region, Group.OWN, coverage, own_id(key))
        for key, region in ((item.id, item.region) for item in own.list())
    ]


def _read_all(
    own: OwnRegions, city: CityMap | None, coverage: Coverage | None, streets: Sequence[str], selected: Sequence[str]
) -> _Read:
    found = _own_listed(own, coverage)
    names: list[str] = []
    if city:
        for region in city_regions(city):
            group = Group.PARK if region.kind is RegionKind.PARK else Group.NEIGHBOURHOOD
            found.append(_listed(region, group, coverage, f"{group}:{region.key}"))
        names = sorted({str(f["properties"]["name"]) for f in city.features("streets") if f["properties"].get("name")})
        remembered = [text.removeprefix("street:") for text in selected if text.startswith("street:")]
        for name in dict.fromkeys([*streets, *remembered]):
            try:
                found.append(_street(city, name, coverage))
            except GPSDreamError:
                continue  # a street of another city
    return _Read(found, names, own.notice)
