"""The real window, which prints `interactive` once the map takes clicks, and `warm` once the model is loaded.

Started by window.py; ends by itself.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from gpsdream_app.domain.events import EngineState
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.ui import app
from gpsdream_app.ui.map import view
from gpsdream_app.ui.map.view import MapView

LAST_RESORT_MILLISECONDS = 60_000
seen: set[str] = set()


def mark(word: str) -> None:
    """Print a word, and close the window after both."""
    if word not in seen:
        seen.add(word)
        print(word, flush=True)
    if len(seen) == 2:
        QTimer.singleShot(0, QApplication.closeAllWindows)


class WatchedMap(MapView):
    """The map of the window, watched."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.ready.connect(lambda: mark("interactive"))
        self._clock = QTimer(self, interval=20)
        self._clock.timeout.connect(self._look)
        self._clock.start()
        QTimer.singleShot(LAST_RESORT_MILLISECONDS, QApplication.closeAllWindows)

    def _look(self) -> None:
        if any(engine.state is EngineState.READY for engine in engines):
            mark("warm")


class WatchedEngine(ProcessEngine):
    """The engine of the window, watched."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        engines.append(self)


engines: list[ProcessEngine] = []

if __name__ == "__main__":
    view.MapView = WatchedMap  # type: ignore[misc]
    app.ProcessEngine = WatchedEngine  # type: ignore[misc]
    sys.exit(app.main([]))
