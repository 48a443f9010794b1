"""The Library place without widgets: what is asked for, what was found, and what is done to pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.lifts import LiftResult
from gpsdream_app.domain.places import Box
from gpsdream_app.domain.results import Result
from gpsdream_app.library.lifts import list_lifts
from gpsdream_app.library.search import Cluster, Facets, Query, cluster
from gpsdream_app.library.store import Library, Rebuilt
from gpsdream_app.library.thumbnails import forget_thumbnail, prune_thumbnails
from gpsdream_app.ui.background import Background, failure_of
from gpsdream_app.ui.library.model import Item, LibraryModel

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

SETTLE_MILLISECONDS = 120  # after the last letter or picture before the library is asked again
MAP_MILLISECONDS = 150
MAX_CLUSTERS = 600


@dataclass(frozen=True, slots=True)
class Deleted:
    """Pictures that were put into the trash together, so that they come back together."""

    results: tuple[Result, ...]


class LibraryState(QObject):
    """What the Library place shows.

    Signals:
        found: the list is another one.
        facets_changed: what there is to choose from was counted again.
        query_changed: something else is asked for.
        clusters_changed: the map has other marks.
        stars_changed: pictures have got or lost their star.
        deleted: pictures were put into the trash (number of them).
        restored: pictures came out of the trash (number of them).
        said: a sentence for the person.
        failed: something could not be done (`Failure`).
    """

    found = Signal()
    facets_changed = Signal()
    query_changed = Signal()
    clusters_changed = Signal()
    stars_changed = Signal()
    deleted = Signal(int)
    restored = Signal(int)
    said = Signal(str)
    failed = Signal(Failure)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._reader = Background(self, threads=2)
        # One thread, so that what happens to one picture happens in order.
        self._writer = Background(self, threads=1)
        self.model = LibraryModel(self._read_items, self)
        self.query = Query()
        self.meshes = False
        self.facets = Facets(0, {}, {}, 0, 0)
        self.clusters: list[Cluster] = []
        self.view: tuple[float, float, float] | None = None
        self.busy = ""
        self._asked = 0
        self._clusters_asked = 0
        self._undo: list[Deleted] = []
        self._closed = False
        self._opened = False
        self._due = self._timer(SETTLE_MILLISECONDS, self._ask)
        self._map_due = self._timer(MAP_MILLISECONDS, self._ask_clusters)
        session.picture_finished.connect(lambda _: self.refresh_soon())
        session.library_read.connect(self.refresh)

    def _timer(self, milliseconds: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(call)
        return timer

    @property
    def _library(self) -> Library | None:
        return None if self._closed else self._session.library

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        waiting = int(self._due.isActive()) + int(self._map_due.isActive())
        return self._reader.pending + self._writer.pending + waiting

    @property
    def can_undo(self) -> bool:
        """Whether a deletion can be taken back."""
        return bool(self._undo)

    def close(self) -> None:
        """End the background work."""
        self._closed = True
        self._due.stop()
        self._map_due.stop()
        self._reader.close()
        self._writer.close()

    # -- asking --

    def open(self) -> None:
        """Read what there is; called whenever the place is gone to."""
        self.refresh()
        library = self._library
        if library is None or self._opened:
            return
        self._opened = True

        def tidy() -> None:
            prune_thumbnails()
            while not self._closed and library.take_fingerprints():
                pass

        self._reader.run(self, tidy, priority=-1)

    def ask(self, query: Query, *, meshes: bool = False) -> None:
        """Ask for something else; the answer comes after a moment, for what is being typed."""
        if (query, meshes) != (self.query, self.meshes):
            self.query, self.meshes = query, meshes
            self.query_changed.emit()
            self._due.start()

    def change(self, **changes: object) -> None:
        """Ask for the same with other values."""
        self.ask(replace(self.query, **changes), meshes=self.meshes)  # type: ignore[arg-type]

    def refresh_soon(self) -> None:
        """Ask again after a moment; pictures come in numbers."""
        if self._opened:
            self._due.start()

    def refresh(self) -> None:
        """Ask again now."""
        self._due.stop()
        self._ask()

    def _ask(self) -> None:
        library = self._library
        if library is None:
            return
        self._asked += 1
        asked, query = self._asked, self.query
        if self.meshes:
            self._reader.run(self, list_lifts, lambda lifts: self._lifts_found(asked, lifts), self.failed.emit)
        else:
            self._reader.run(
                self,
                lambda: library.search(query),
                lambda numbers: self._numbers_found(asked, numbers),
                self.failed.emit,
            )
        self._reader.run(self, library.facets, self._counted)
        self._map_due.start()

    def _numbers_found(self, asked: int, numbers: NDArray[np.int64]) -> None:
        if asked != self._asked:
            return
        if len(numbers) and np.array_equal(numbers, self.model.numbers):
            self.model.refresh()  # what is chosen stays chosen
        else:
            self.model.show_numbers(numbers)
        self.found.emit()

    def _lifts_found(self, asked: int, lifts: list[LiftResult]) -> None:
        if asked == self._asked:
            self.model.show_lifts(lifts)
            self.found.emit()

    def _counted(self, facets: Facets) -> None:
        if facets != self.facets:
            self.facets = facets
            self.facets_changed.emit()

    def _read_items(self, numbers: list[int], done: Callable[[list[Item]], None]) -> None:
        library = self._library
        if library is None:
            return

        def read() -> list[Item]:
            entries = library.entries(numbers)
            return [
                Item(entry, trashed=library.trashed_path(entry.result.id) if entry.deleted else None)
                for entry in entries
            ]

        self._reader.run(self, read, done, priority=2)

    def read_rows(self, rows: Sequence[int], done: Callable[[list[Item]], None]) -> None:
        """Read items, whether they are in sight or not; in order, without those that are gone."""
        here = [self.model.item(row) for row in rows]
        if all(here):
            done([item for item in here if item])
            return
        numbers = self.model.numbers
        self._read_items([int(numbers[row]) for row in rows if row < len(numbers)], done)

    # -- the map --

    def look_at(self, lat: float, lon: float, zoom: float) -> None:
        """Take notice of what the map shows."""
        self.view = lat, lon, zoom
        self._map_due.start()

    def _ask_clusters(self) -> None:
        library, view = self._library, self.view
        if library is None or self.meshes or view is None:
            self.clusters = []
            self.clusters_changed.emit()
            return
        self._clusters_asked += 1
        asked, query, zoom = self._clusters_asked, self.query, view[2]

        def done(clusters: list[Cluster]) -> None:
            if asked == self._clusters_asked:
                self.clusters = clusters
                self.clusters_changed.emit()

        self._reader.run(self, lambda: cluster(library.places(query), zoom)[:MAX_CLUSTERS], done)

    def bounds(self, done: Callable[[Box | None], None]) -> None:
        """Tell the box that holds the places of all that was found; None if there is none."""
        library, query = self._library, self.query
        if library is None:
            return

        def work() -> Box | None:
            found = library.places(query)
            lat, lon = found.lat[found.lat == found.lat], found.lon[found.lon == found.lon]
            if not len(lat):
                return None
            margin = 0.002
            return Box(
                max(-90.0, float(lat.min()) - margin),
                max(-180.0, float(lon.min()) - margin),
                min(90.0, float(lat.max()) + margin),
                min(180.0, float(lon.max()) + margin),
            )

        self._reader.run(self, work, done)

    # -- stars --

    def star(self, results: Sequence[Result], starred: bool) -> None:
        """Give pictures a star, or take it from them."""
        library, ids = self._library, [result.id for result in results]
        if library is None or not ids:
            return

        def done(_: object) -> None:
            if self.query.starred:
                self.refresh()
            else:
                self.model.refresh()
                self._reader.run(self, library.facets, self._counted)
            self.stars_changed.emit()

        self._writer.run(self, lambda: library.set_star(ids, starred), done, self.failed.emit)

    # -- the trash --

    def delete(self, results: Sequence[Result]) -> None:
        """Put pictures into the trash; `undo` brings them back."""
        library = self._library
        if library is None or not results:
            return
        film = self._session.film

        def work() -> tuple[list[Result], Failure | None]:
            return _one_by_one(results, lambda result: library.delete(result.id))

        def done(outcome: tuple[list[Result], Failure | None]) -> None:
            gone, failure = outcome
            for result in gone:
                film.remove(result.id)
            if gone:
                self._undo.append(Deleted(tuple(gone)))
                self.deleted.emit(len(gone))
            self.refresh()
            if failure:
                self.failed.emit(failure)

        self._writer.run(self, work, done, self.failed.emit)

    def undo(self) -> None:
        """Bring back the pictures that were deleted last; does nothing if there are none."""
        if self._undo:
            self.restore(self._undo.pop().results)

    def restore(self, results: Sequence[Result]) -> None:
        """Bring pictures back from the trash."""
        library = self._library
        if library is None or not results:
            return
        ids = {result.id for result in results}
        self._undo = [deleted for deleted in self._undo if not ids & {result.id for result in deleted.results}]

        def work() -> tuple[list[Result], Failure | None]:
            back: list[Result] = []

            def bring(result: Result) -> None:
                restored = library.restore(result.id)
                if restored:
                    back.append(restored)

            _, failure = _one_by_one(results, bring)
            return back, failure

        def done(outcome: tuple[list[Result], Failure | None]) -> None:
            back, failure = outcome
            self._session.film.add_older(back)
            self.refresh()
            if back:
                self.restored.emit(len(back))
            if failure:
                self.failed.emit(failure)
            elif len(back) < len(results):
                self.said.emit(
                    self.tr("{0} of {1} pictures cannot be brought back any more: their files are gone.").format(
                        len(results) - len(back), len(results)
                    )
                )

        self._writer.run(self, work, done, self.failed.emit)

    def delete_for_good(self, results: Sequence[Result] | None = None) -> None:
        """Delete pictures of the trash for good; all of them if none are named."""
        library = self._library
        if library is None:
            return

        def work() -> int:
            ids = [result.id for result in results or ()]
            if results is None:
                entries = library.entries(library.search(Query(trashed=True)))
                ids = [entry.result.id for entry in entries]
            for result_id in ids:
                forget_thumbnail(result_id)
            return library.delete_for_good(ids)

        def done(count: int) -> None:
            self._undo.clear()
            self.said.emit(
                self.tr("One picture was deleted for good.")
                if count == 1
                else self.tr("{0} pictures were deleted for good.").format(f"{count:,}")
            )
            self.refresh()

        def failed(failure: Failure) -> None:
            self.refresh()
            self.failed.emit(failure)

        self._writer.run(self, work, done, failed)

    # -- files that went elsewhere --

    def find_again(self, folder: Path) -> None:
        """Look in a folder for pictures whose files are not where they were."""
        library = self._library
        if library is None or self.busy:
            return
        self.busy = self.tr("Looking for pictures that were moved…")
        self.facets_changed.emit()

        def work() -> tuple[int, int]:
            return len(library.find_again(folder)), len(library.missing())

        def done(outcome: tuple[int, int]) -> None:
            again, missing = outcome
            self._at_rest()
            if again:
                text = self.tr("{0} found again.").format(_pictures(again, self.tr))
            else:
                text = self.tr("None of the missing pictures is in “{0}”.").format(folder.name[:60])
            rest = self.tr("{0} still missing.").format(_pictures(missing, self.tr)) if missing else ""
            if not again and not missing:
                text = self.tr("No picture is missing.")
            self.said.emit(f"{text} {rest}".strip())

        self._writer.run(self, work, done, self._failed_at_rest)

    def rebuild(self) -> None:
        """Read all pictures again, as after the library was lost."""
        library = self._library
        if library is None or self.busy:
            return
        self.busy = self.tr("Reading all pictures again…")
        self.facets_changed.emit()

        def done(rebuilt: Rebuilt) -> None:
            self._at_rest()
            parts = [
                self.tr("{0} added").format(_pictures(rebuilt.added, self.tr)),
                self.tr("{0} found again").format(rebuilt.followed),
                self.tr("{0} missing").format(rebuilt.missing),
            ]
            self.said.emit(self.tr("The pictures were read again: {0}.").format(", ".join(parts)))

        self._writer.run(self, library.rebuild, done, self._failed_at_rest)

    def _at_rest(self) -> None:
        self.busy = ""
        self.facets_changed.emit()
        self.refresh()

    def _failed_at_rest(self, failure: Failure) -> None:
        self._at_rest()
        self.failed.emit(failure)


def _pictures(count: int, tr: Callable[[str], str]) -> str:
    return tr("1 picture") if count == 1 else tr("{0} pictures").format(f"{count:,}")


def _one_by_one(results: Sequence[Result], work: Callable[[Result], None]) -> tuple[list[Result], Failure | None]:
    """Do something to each picture until it fails; returns those that it was done to, and the failure."""
    done: list[Result] = []
    for result in results:
        try:
            work(result)
        except Exception as error:
            return done, failure_of(error)
        done.append(result)
    return done, None
