"""The Photos place without widgets: the catalogue, imports, what is suspicious, and what is left out of training."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.library.paths import catalogue_path
from gpsdream_app.library.search import Cluster, cluster
from gpsdream_app.photos.catalogue import Catalogue, Collection
from gpsdream_app.photos.importer import ImportProgress, import_folder
from gpsdream_app.photos.records import PhotoRecord, Reason
from gpsdream_app.photos.report import ImportReport
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.photos.model import (
    Flag,
    FlagKind,
    PhotoItem,
    PhotosModel,
    Show,
    Wish,
    counts_of,
    flags_of,
    found_of,
    items_of,
    nearest_record,
)

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

SETTLE_MILLISECONDS = 120
READ_AGAIN_MILLISECONDS = 4000  # while an import goes on
MAX_CLUSTERS = 600
REST_EVERY = 48  # records, about 3 ms of reading
REST_SECONDS = 0.0005
BY_HAND = "by hand"
NEAR_METRES = (150.0, 600.0, 3000.0)  # squares round a place in which its nearest photo is looked for, one by one


@dataclass(frozen=True, slots=True)
class _Read:
    items: list[PhotoItem]
    collections: list[Collection]


@dataclass(frozen=True, slots=True)
class Change:
    """What was left out of training before photos were left out or taken back in, so that it can be undone."""

    reasons: dict[Path, str]
    count: int


class PhotosState(QObject):
    """What the Photos place shows.

    Signals:
        found: the list is another one.
        read: the catalogue was read: there are other photos or folders.
        flags_changed: it is known anew what is suspicious, or what is left out.
        clusters_changed: the map has other marks.
        importing_changed: an import began, went on or ended.
        imported: an import ended with a report (`ImportReport`).
        changed: photos were left out of training or taken back in (a sentence).
        failed: something could not be done (`Failure`).
    """

    found = Signal()
    read = Signal()
    flags_changed = Signal()
    clusters_changed = Signal()
    importing_changed = Signal()
    imported = Signal(object)
    changed = Signal(str)
    failed = Signal(Failure)
    _went_on = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._reader = Background(self, threads=1)
        self._importer = Background(self, threads=1)
        self._lock = threading.Lock()
        self._catalogue: Catalogue | None = None
        self.model = PhotosModel(self)
        self.items: list[PhotoItem] = []
        self.collections: list[Collection] = []
        self.wish = Wish()
        self.counts: dict[Show, int] = {}
        self.flagged = 0
        self.clusters: list[Cluster] = []
        self.view: tuple[float, float, float] | None = None
        self.importing: Path | None = None
        self.progress: ImportProgress | None = None
        self.is_read = False
        self._stop = threading.Event()
        self._undo: list[Change] = []
        self._closed = False
        self._asked = 0
        self._due = self._timer(SETTLE_MILLISECONDS, self._find)
        self._again = self._timer(READ_AGAIN_MILLISECONDS, self.refresh)
        self._map_due = self._timer(SETTLE_MILLISECONDS, self._gather)
        self._went_on.connect(self._note_progress)

    def _timer(self, milliseconds: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(call)
        return timer

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        waiting = int(self._due.isActive()) + int(self._map_due.isActive())
        return self._reader.pending + self._importer.pending + waiting

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._undo)

    def close(self) -> None:
        """Stop an import, which keeps what it has read, and end the background work."""
        self._closed = True
        self._stop.set()
        for timer in (self._due, self._again, self._map_due):
            timer.stop()
        self._reader.close()
        self._importer.close()
        if self._catalogue:
            self._catalogue.close()

    def _open(self) -> Catalogue:
        """Return the catalogue; called in the background."""
        with self._lock:
            if self._catalogue is None:
                self._catalogue = Catalogue(catalogue_path())
            return self._catalogue

    # -- reading --

    def refresh(self) -> None:
        """Read the catalogue."""
        if self._closed:
            return

        def work() -> _Read:
            catalogue = self._open()
            collections = catalogue.collections()
            folders = [collection.folder for collection in collections]
            with _no_collection():
                return _Read(items_of(_politely(catalogue.photos()), folders, catalogue.left_out()), collections)

        self._reader.run(self, work, self._take, self.failed.emit)

    def _take(self, found: _Read) -> None:
        # What was read stays for long: looking through it for garbage again and again would hold up the window.
        gc.freeze()
        before = {item.id: item.flag for item in self.items if item.flag}
        for item in found.items:
            item.flag = before.get(item.id)  # until it is known anew
        self.items, self.collections, self.is_read = found.items, found.collections, True
        if self.importing:
            self._again.start()
        self._find()
        self.read.emit()
        if not self.importing:
            self._look_for_flags()

    def _look_for_flags(self) -> None:
        items = self.items

        def take(flags: dict[int, Flag]) -> None:
            if items is not self.items:
                return
            for item in items:
                item.flag = flags.get(item.number)
            self.flagged = len(flags)
            self._find()
            self.flags_changed.emit()

        self._reader.run(self, lambda: flags_of(items), take, self.failed.emit)

    # -- asking --

    def ask(self, wish: Wish) -> None:
        """Ask for other photos; the answer comes after a moment, for what is being typed."""
        if wish != self.wish:
            self.wish = wish
            self._due.start()

    def narrow(self, box: Box | None) -> None:
        """Only list what lies in a box; None lists what lies anywhere."""
        self.ask(replace(self.wish, box=box))

    def _find(self) -> None:
        self._due.stop()
        items, wish = self.items, self.wish
        self._asked += 1
        asked = self._asked

        def work() -> tuple[list[PhotoItem], dict[Show, int]]:
            return [item for item in items if wish.holds(item)], counts_of(items)

        def show(answer: tuple[list[PhotoItem], dict[Show, int]]) -> None:
            if asked == self._asked:
                found, self.counts = answer
                self.model.show(found)
                self.found.emit()
                self._gather()

        self._reader.run(self, work, show, priority=2)

    # -- the map --

    def look_at(self, lat: float, lon: float, zoom: float) -> None:
        """Gather the marks for another view of the map."""
        before, self.view = self.view, (lat, lon, zoom)
        if before is None or before[2] != zoom:
            self._map_due.start()

    def _gather(self) -> None:
        self._map_due.stop()
        items, wish = self.items, self.wish.everywhere()
        zoom = self.view[2] if self.view else 13.0

        def work() -> list[Cluster]:
            found = found_of([item for item in items if wish.holds(item)])
            return cluster(found, zoom)[:MAX_CLUSTERS]

        def show(clusters: list[Cluster]) -> None:
            self.clusters = clusters
            self.clusters_changed.emit()

        self._reader.run(self, work, show)

    def bounds(self, *, stray: bool = True) -> Box | None:
        """Return the box round everything that is listed; None if there is nothing.

        Args:
            stray: with photos far from the others; without them it is round all photos.
        """
        items = self.model.items
        if not stray:
            items = [item for item in self.items if not (item.flag and item.flag.kind is FlagKind.FAR)]
        if not items:
            return None
        lats, lons = [item.record.lat for item in items], [item.record.lon for item in items]
        margin = 0.0008  # about 80 m, so that a single photo has a box, too
        return Box(
            max(-90.0, min(lats) - margin),
            max(-180.0, min(lons) - margin),
            min(90.0, max(lats) + margin),
            min(180.0, max(lons) + margin),
        )

    # -- importing --

    def start_import(self, folder: Path) -> None:
        """Import a folder; does nothing while another one is being imported."""
        if self.importing is not None or self._closed:
            return
        stop = self._stop = threading.Event()
        self.importing, self.progress = folder, None

        def work() -> ImportReport:
            with _no_collection():
                return import_folder(folder, self._open(), on_progress=self._went_on.emit, cancelled=stop.is_set)

        def done(report: ImportReport) -> None:
            self._end_import()
            self.imported.emit(report)

        def failed(failure: Failure) -> None:
            self._end_import()
            self.failed.emit(failure)

        self._importer.run(self, work, done, failed)
        self._again.start()
        self.importing_changed.emit()

    def stop_import(self) -> None:
        """Stop the import soon; what was read is kept."""
        self._stop.set()
        self.importing_changed.emit()

    @property
    def stopping(self) -> bool:
        """Whether the import was asked to stop."""
        return self.importing is not None and self._stop.is_set()

    def _note_progress(self, progress: ImportProgress) -> None:
        if self.importing is not None:
            self.progress = progress
            self.importing_changed.emit()

    def _end_import(self) -> None:
        self.importing, self.progress = None, None
        self._again.stop()
        self.importing_changed.emit()
        self.refresh()

    def refused(self, done: Callable[[list[str]], None], most: int = 200) -> None:
        """Read which files have no place, and why: a line of plain text per file, at most so many."""

        def work() -> list[str]:
            reasons = [reason for reason in Reason if reason not in (Reason.PLACED, Reason.SIDECAR)]
            lines = []
            for outcome in self._open().outcomes(reasons=reasons):
                lines.append(f"{outcome.path.name}: {outcome.sentence}")
                if len(lines) >= most:
                    break
            return lines

        self._reader.run(self, work, done, self.failed.emit)

    def forget(self, folder: Path) -> None:
        """Take a folder out of the catalogue; its files stay, and importing it again brings it back."""
        self._reader.run(self, lambda: self._open().forget(folder), lambda _: self.refresh(), self.failed.emit)

    # -- leaving out --

    def leave_out(self, items: Sequence[PhotoItem], *, out: bool) -> None:
        """Leave photos out of training, or take them back in. No file is touched."""
        chosen = {item.record.path: item for item in items if bool(item.left_out) != out}
        if not chosen:
            return
        reasons = {path: item.flag.kind.value if item.flag else BY_HAND for path, item in chosen.items()}

        def change(before: dict[Path, str]) -> dict[Path, str]:
            return {**before, **reasons} if out else {p: why for p, why in before.items() if p not in chosen}

        words = self.tr("{0} photos are left out of training.") if out else self.tr("{0} photos train models again.")
        if len(chosen) == 1:
            words = self.tr("The photo is left out of training.") if out else self.tr("The photo trains models again.")
        self._change(change, len(chosen), words.format(f"{len(chosen):,}"))

    def undo(self) -> None:
        """Take the last change of what is left out back."""
        if self._undo:
            last = self._undo.pop()
            self._change(lambda _: last.reasons, last.count, self.tr("Undone."), remember=False)

    def _change(
        self,
        change: Callable[[dict[Path, str]], dict[Path, str]],
        count: int,
        sentence: str,
        *,
        remember: bool = True,
    ) -> None:
        def work() -> tuple[dict[Path, str], dict[Path, str]]:
            catalogue = self._open()
            before = catalogue.left_out()
            after = change(before)
            catalogue.leave_out(after)
            return before, after

        def done(both: tuple[dict[Path, str], dict[Path, str]]) -> None:
            before, after = both
            if remember:
                self._undo.append(Change(before, count))
                del self._undo[:-20]
            for item in self.items:
                item.left_out = after.get(item.record.path, "")
            self._find()
            self.flags_changed.emit()
            self.changed.emit(sentence)

        self._reader.run(self, work, done, self.failed.emit, priority=3)

    # -- the nearest photo --

    def nearest(self, place: Place, done: Callable[[tuple[PhotoRecord, float] | None], None]) -> None:
        """Look for the photo nearest to a place, as far as 3 km; `done` gets it with its distance in metres."""
        if self._closed:
            return

        def work() -> tuple[PhotoRecord, float] | None:
            catalogue = self._open()
            for reach in NEAR_METRES:
                box = _box_round(place, reach)
                found = nearest_record(catalogue.photos(box=box), place) if box else None
                if found and found[1] <= reach:
                    return found
            return None

        self._reader.run(self, work, done, priority=4)


_uncollected = 0
_uncollected_lock = threading.Lock()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Put off the search for garbage while many objects are made that are none: it stops the window's thread, too."""
    global _uncollected
    with _uncollected_lock:
        _uncollected += 1
        gc.disable()
    try:
        yield
    finally:
        with _uncollected_lock:
            _uncollected -= 1
            if not _uncollected:
                gc.enable()


def _politely(records: Iterable[PhotoRecord]) -> Iterator[PhotoRecord]:
    """Yield records, and rest for a moment now and then, so that the window's thread gets its turn."""
    for number, record in enumerate(records):
        if number % REST_EVERY == 0:
            time.sleep(REST_SECONDS)
        yield record


def _box_round(place: Place, metres: float) -> Box | None:
    """Return a square round a place; None at the antimeridian, over which no box reaches."""
    frame = LocalFrame(place.lat, place.lon)
    south, west = frame.to_degrees(-metres, -metres)
    north, east = frame.to_degrees(metres, metres)
    with suppress(GPSDreamError):
        return Box(max(-90.0, south), max(-180.0, west), min(90.0, north), min(180.0, east))
    return None
