"""The landmarks that can be chosen, for the window: changes go to the disk in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.library.landmarks import LandmarkEntry, LandmarkStore
from gpsdream_app.ui.background import Background

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person says of a landmark.

    Attributes:
        id: of the landmark that is changed; empty for a new one.
        name: as in a sentence after "A photo of".
        lat: latitude in degrees.
        lon: longitude in degrees.
        height: in metres; None if nobody knows.
        photos: folder of photos.
        masks: folder of masks.
    """

    id: str = ""
    name: str = ""
    lat: float | None = None
    lon: float | None = None
    height: float | None = None
    photos: Path | None = None
    masks: Path | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A landmark that can be chosen.

    Attributes:
        entry: what the list of landmarks holds of it.
    """

    entry: LandmarkEntry

    @property
    def landmark(self) -> Landmark:
        """What and where it is."""
        return self.entry.landmark

    @property
    def id(self) -> str:
        """Names it on the map and in the list."""
        return self.entry.id

    @property
    def own(self) -> bool:
        """Whether a person added it."""
        return self.entry.own

    @property
    def height(self) -> float | None:
        """In metres; None if nobody knows."""
        return self.entry.height

    @property
    def photos(self) -> Path | None:
        """Folder of a person's photos of it; None if none was named."""
        return self.entry.photos

    @property
    def masks(self) -> Path | None:
        """Folder of the masks of these photos; None if none was named."""
        return self.entry.masks

    @property
    def title(self) -> str:
        """What people call it."""
        return self.landmark.title


class LandmarkBook(QObject):
    """All landmarks.

    Signals:
        changed: there are others, or one of them changed.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._writer = Background(self, threads=1)
        self._store: LandmarkStore | None = None
        self.listed = [Listed(LandmarkEntry(known, False, known.height)) for known in LANDMARKS]
        self.is_read = False

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._writer.pending

    def get(self, landmark_id: str) -> Listed | None:
        """Return a landmark; None if there is none of this id."""
        return next((listed for listed in self.listed if listed.id == landmark_id), None)

    def read(self) -> None:
        """Read the list from the disk; changes can be taken back from then on."""

        def read() -> tuple[LandmarkStore, tuple[LandmarkEntry, ...]]:
            store = LandmarkStore()
            return store, store.list()

        def show(found: tuple[LandmarkStore, tuple[LandmarkEntry, ...]]) -> None:
            self._store, entries = found
            self.is_read = True
            self._take(entries)
            if self._store.notice:
                from gpsdream_app.ui.session import Notice, Tone

                self._session.notify(Notice(Tone.HINT, self._store.notice))

        self._writer.run(self, read, show, self._session.notify_failure)

    def save(self, draft: Draft, done: Callable[[str], None]) -> None:
        """Add a landmark, or change the one that the draft names; `done` gets its id."""

        def work(store: LandmarkStore) -> str:
            if draft.lat is None or draft.lon is None:
                raise ValueError("a draft that is saved has a place")
            values = draft.name, draft.lat, draft.lon, draft.height, draft.photos, draft.masks
            return (store.change(draft.id, *values) if draft.id else store.add(*values)).id

        self._change(work, done)

    def set_photos(self, landmark_id: str, photos: Path | None, done: Callable[[str], None] | None = None) -> None:
        """Name the folder of a landmark's photos."""

        def work(store: LandmarkStore) -> str:
            return store.set_folders(landmark_id, photos, store.get(landmark_id).masks).id

        self._change(work, done or (lambda _: None))

    def remove(self, landmark_id: str, done: Callable[[], None]) -> None:
        """Take a person's own landmark out of the list."""
        self._change(lambda store: store.remove(landmark_id), lambda _: done())

    def undo(self) -> None:
        """Take the last change back."""
        self._change(lambda store: store.undo(), lambda _: None)

    def close(self) -> None:
        """End the background work."""
        self._writer.close()

    def _change(self, work: Callable[[LandmarkStore], T], done: Callable[[T], None]) -> None:
        """Change the list on the disk, then in the window."""
        store = self._store
        if store is None:
            return

        def run() -> tuple[T, tuple[LandmarkEntry, ...]]:
            outcome = work(store)
            return outcome, store.list()

        def show(found: tuple[T, tuple[LandmarkEntry, ...]]) -> None:
            outcome, entries = found
            self._take(entries)
            done(outcome)

        self._writer.run(self, run, show, self._session.notify_failure)

    def _take(self, entries: tuple[LandmarkEntry, ...]) -> None:
        self.listed = [Listed(entry) for entry in entries]
        self.changed.emit()
