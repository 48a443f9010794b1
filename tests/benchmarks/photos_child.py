"""Imports photos in a window without a map, while a clock ticks on the window's thread; prints times as JSON.

Started by photos.py. Everything is as in the program but the map, which would be a browser.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from library_child import NoMap, percentile
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.ui.photos.page import PhotosPage
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme

TICK_SECONDS = 0.005


class Watchdog(QObject):
    """Ticks on the window's thread and writes down how late each tick came, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin to tick."""
        self._last = time.perf_counter()
        self._timer.start(int(1000 * TICK_SECONDS))

    def _tick(self) -> None:
        now = time.perf_counter()
        self.late.append(max(0.0, now - self._last - TICK_SECONDS))
        self._last = now


def main() -> int:
    """Measure, and print."""
    application = QApplication(sys.argv[:1])
    theme = Theme(application)
    session = Session(FakeEngine(), Settings(user_data_dir()))
    session.start()
    while session.library is None or session.pending:
        application.processEvents()
    page = PhotosPage(theme, session, NoMap())
    page.resize(1000, 900)
    page.show()
    page.enter()
    while session.pending:
        application.processEvents()
    watchdog = Watchdog()
    begun = time.perf_counter()
    # The end is reached when the flags of everything are known.
    ended: list[float] = []

    def end() -> None:
        if page.state.importing is None and page.state.items and not ended:
            ended.append(time.perf_counter() - begun)
            QTimer.singleShot(1000, application.quit)

    page.state.flags_changed.connect(end)
    watchdog.start()
    page.take_folder(Path(sys.argv[1]))
    application.exec()
    times = {
        "seconds": ended[0],
        "photos": len(page.state.items),
        "stall": percentile(watchdog.late, 0.99),
        "worst": max(watchdog.late),
        "ticks": len(watchdog.late),
    }
    print(json.dumps(times), flush=True)
    page.grid.thumbnails.close()
    session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
