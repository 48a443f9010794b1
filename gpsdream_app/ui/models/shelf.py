"""Models in the window, without widgets: what is installed, adding, verifying, removing and bringing back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.library.model_folders import list_models, verify_model
from gpsdream_app.library.model_shelf import (
    AddingCancelled,
    Cached,
    Removed,
    add_folder,
    bases,
    bring_back,
    cached_models,
    clear_removed,
    folder_bytes,
    read_licence,
    remove_model,
)
from gpsdream_app.ui.background import Background

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the list.

    Attributes:
        name: of its folder.
        path: its folder.
        card: what it says about itself; None for a base, which draws no places yet.
        own: whether a person added it, so that it can be removed.
        size: in bytes.
        licence: of the weights; empty if nothing says so.
    """

    name: str
    path: Path
    card: ModelCard | None
    own: bool
    size: int
    licence: str


def _read() -> list[Listed]:
    found = [
        Listed(
            model.name, model.path, model.card, model.source != BUILT_IN, folder_bytes(model.path), model.card.licence
        )
        for model in list_models()
    ]
    for base in bases():
        found.append(Listed(base.name, base.path, None, True, folder_bytes(base.path), read_licence(base.path)))
    return found


class Shelf(QObject):
    """What is installed.

    Signals:
        changed: the list is another one.
        progress: a copy began, went on or ended.
        added: a model was added (its name).
        removed: a model was removed, and can be brought back (its name).
        verified: a model was checked (its name, a list of `Failure`).
        failed: something could not be done (`Failure`).
    """

    changed = Signal()
    progress = Signal()
    added = Signal(str)
    removed = Signal(str)
    verified = Signal(str, list)
    failed = Signal(Failure)
    _copied = Signal(object, object)  # bytes; more of them than a C int holds

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        # One thread, so that what happens to one folder happens in order; large files take a while.
        self._worker = Background(self, threads=1)
        self.models: list[Listed] = []
        self.adding = ""
        self.fraction = 0.0
        self._stop = threading.Event()
        self._removed: list[Removed] = []
        self._tidied = False
        self._copied.connect(self._note)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self._worker.pending

    @property
    def can_undo(self) -> bool:
        """Whether a removal can be taken back."""
        return bool(self._removed)

    def close(self) -> None:
        """Stop a copy and end the background work."""
        self._stop.set()
        self._worker.close()

    def refresh(self) -> None:
        """Read what is installed."""

        def show(models: list[Listed]) -> None:
            self.models = models
            self.changed.emit()

        self._worker.run(self, _read, show, self.failed.emit, priority=2)
        if not self._tidied:
            self._tidied = True
            self._worker.run(self, clear_removed)

    def find(self, name: str) -> Listed | None:
        """Return a model by its name; None if it is not there."""
        return next((model for model in self.models if model.name == name), None)

    def read_cache(self, done: Callable[[list[Cached]], None]) -> None:
        """Look for models in the cache of other programs."""
        self._session.background.run(self, cached_models, done, self.failed.emit)

    def add(self, folder: Path, name: str = "") -> None:
        """Copy a model among the installed ones; does nothing while another one is copied."""
        if self.adding:
            return
        stop = self._stop = threading.Event()
        self.adding, self.fraction = name or folder.name, 0.0

        def work() -> str:
            try:
                return add_folder(folder, name, self._copied.emit, stop.is_set).name
            except AddingCancelled:
                return ""

        def done(added: str) -> None:
            self._end_adding()
            if added:
                self.added.emit(added)

        def failed(failure: Failure) -> None:
            self._end_adding()
            self.failed.emit(failure)

        self._worker.run(self, work, done, failed)
        self.progress.emit()

    def stop_adding(self) -> None:
        """Stop the copy; nothing of it is left."""
        self._stop.set()

    def _note(self, done: int, total: int) -> None:
        if self.adding:
            self.fraction = done / max(1, total)
            self.progress.emit()

    def _end_adding(self) -> None:
        self.adding = ""
        self.progress.emit()
        self._changed()

    def _changed(self) -> None:
        self.refresh()
        self._session.refresh_models()

    def verify(self, model: Listed) -> None:
        """Check every file of a model."""
        self._session.background.run(
            self,
            lambda: verify_model(model.path, card=model.card is not None),
            lambda failures: self.verified.emit(model.name, failures),
            self.failed.emit,
        )

    def remove(self, model: Listed) -> None:
        """Take a model out; `undo` brings it back."""

        def done(removed: Removed) -> None:
            self._removed.append(removed)
            self._changed()
            self.removed.emit(removed.name)

        self._worker.run(self, lambda: remove_model(model.path), done, self.failed.emit)

    def undo(self) -> None:
        """Bring back what was removed last; does nothing if nothing was."""
        if self._removed:
            removed = self._removed.pop()
            self._worker.run(self, lambda: bring_back(removed).name, self._back, self.failed.emit)

    def _back(self, name: str) -> None:
        self._changed()
        self.added.emit(name)
