"""A library of many rows in a window without a map: opened, searched and scrolled through; prints times as JSON.

Started by library.py. Everything is as in the program but the map, which would be a browser.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PIL import Image
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.library.paths import library_path, pictures_dir, user_data_dir
from gpsdream_app.library.search import Query
from gpsdream_app.library.store import Library
from gpsdream_app.ui.library.page import LibraryPage
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme

WORDS = ("church", "mansion", "awnings", "carriages", "street", "tower", "park", "lamp", "winter", "evening", "market")
FILES = 200
BATCH = 5000
FRAMES = 600
TICK_SECONDS = 0.005


class NoMap(QWidget):
    """Takes what the place tells the map, and says nothing."""

    view_changed = Signal(float, float, float)
    result_clicked = Signal(str)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Everything else that a map can be told."""
        return lambda *_: None


def fill(rows: int) -> None:
    """Write the library: rows with words and places of a city, which share some real pictures."""
    chance = random.Random(1)
    files = []
    for number in range(FILES):
        path = pictures_dir() / f"{number}.png"
        Image.effect_noise((256, 256), 20 + number % 60).convert("RGB").save(path)
        files.append(str(path))
    library = Library(library_path())
    for start in range(0, rows, BATCH):
        results = []
        for number in range(start, min(start + BATCH, rows)):
            place = Place(40.7 + chance.random() / 10, -74.02 + chance.random() / 11, None, f"E {number % 90} St")
            prompt = "a " + " ".join(chance.sample(WORDS, 3))
            request = GenerateRequest(place, prompt, seed=number, model=("first", "second", "third")[number % 3])
            created = f"2026-{1 + number * 12 // rows:02}-{1 + number // 300 % 28:02}T10:{number % 60:02}:00+00:00"
            results.append(
                Result(
                    f"{number:032x}", "j", request, files[number % FILES], created, 1.0, "M", "ab" * 8, "0", 256, 256
                )
            )
        library.add_all(results)
    library.set_star([f"{number:032x}" for number in range(0, rows, 50)], True)
    library.close()


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Scroller(QObject):
    """Rolls through the list at sixty frames per second, now slowly, now with a leap; notes how long frames take."""

    def __init__(self, page: LibraryPage, done: Callable[[], None]) -> None:
        super().__init__(page)
        self._page, self._done = page, done
        self.frames: list[float] = []
        self.late: list[float] = []
        self._due = time.perf_counter() + TICK_SECONDS
        self._frame = QTimer(self, interval=16)
        self._frame.timeout.connect(self._step)
        self._tick = QTimer(self, interval=round(1000 * TICK_SECONDS))
        self._tick.timeout.connect(self._ticked)
        self._frame.start()
        self._tick.start()

    def _ticked(self) -> None:
        now = time.perf_counter()
        self.late.append(max(0.0, now - self._due))
        self._due = now + TICK_SECONDS

    def _step(self) -> None:
        grid, number = self._page.grid, len(self.frames)
        bar = grid.verticalScrollBar()

        def frame() -> None:
            leap = number % 60 == 59
            bar.setValue(number * bar.maximum() // FRAMES if leap else bar.value() + (40 if number % 120 < 60 else 400))
            grid.viewport().repaint()

        self.frames.append(timed(frame))
        if len(self.frames) == FRAMES:
            self._frame.stop()
            self._tick.stop()
            self._done()


def main() -> int:
    """Measure, and print."""
    fill(int(sys.argv[1]))
    opened: list[Library] = []

    def open_and_list() -> None:
        opened.append(Library(library_path()))
        opened[0].search(Query())
        opened[0].facets()

    times: dict[str, float] = {"open": timed(open_and_list)}
    library = opened[0]
    texts = ["church", "a", "ch", "winter tower", "church mansion awnings", "st 42", "nothing at all", "e", "even"]
    searches = [timed(lambda text=text: library.search(Query(words=text))) for text in texts * 3]
    times["search"], times["searches"] = max(searches), len(searches)
    box = Box(40.74, -73.99, 40.76, -73.96)
    queries = [
        Query(box=box),
        Query(model="second"),
        Query(starred=True),
        Query(since="2026-03-01", until="2026-05-01"),
    ]
    times["filter"] = max(timed(lambda query=query: library.search(query)) for query in queries * 3)
    library.close()

    application = QApplication(sys.argv[:1])
    theme = Theme(application)
    session = Session(FakeEngine(), Settings(user_data_dir()))
    session.start()
    while session.library is None:
        application.processEvents()
    board = NoMap()
    begun = time.perf_counter()
    page = LibraryPage(theme, session, board)
    page.resize(1000, 900)
    page.show()
    page.enter()
    while not page.state.model.rowCount() or page.state.model.item(0) is None or not page.state.facets.total:
        application.processEvents()
    times["page"] = time.perf_counter() - begun

    scroller: list[Scroller] = []
    QTimer.singleShot(500, page, lambda: scroller.append(Scroller(page, application.quit)))
    application.exec()
    times["frame"] = percentile(scroller[0].frames, 0.95)
    times["frames"] = len(scroller[0].frames)
    times["stall"] = percentile(scroller[0].late, 0.99)
    print(json.dumps(times), flush=True)
    page.grid.thumbnails.close()
    session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
