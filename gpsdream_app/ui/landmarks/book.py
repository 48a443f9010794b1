"""The landmarks that can be chosen: the modelled ones, and a person's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.landmarks import LANDMARKS, Landmark
from gpsdream_app.ui.background import Background

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session


@dataclass(frozen=True, slots=True)
class Listed:
    """A landmark that can be chosen.

    Attributes:
        landmark: what and where it is.
        own: whether a person added it.
        photos: folder of their photos of it; None if none was named.
        masks: folder of the masks of these photos; None if none was named.
    """

    landmark: Landmark
    own: bool = False
    photos: Path | None = None
    masks: Path | None = None

    @property
    def id(self) -> str:
        """Names it on the map and in the list."""
        return self.landmark.id

    @property
    def height(self) -> float | None:
        """In metres; None if nobody knows."""
        return self.landmark.height

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
        self.listed: list[Listed] = [Listed(landmark) for landmark in LANDMARKS]
        self.is_read = False

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._writer.pending

    def get(self, landmark_id: str) -> Listed | None:
        """Return a landmark; None if there is none of this id."""
        return next((listed for listed in self.listed if listed.id == landmark_id), None)

    def read(self) -> None:
        """Read a person's own landmarks."""
        self.is_read = True
        self.changed.emit()

    def close(self) -> None:
        """End the background work."""
        self._writer.close()
