"""A window with a scripted engine, a small model's card and a map that only takes notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import Qt, Signal
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.model_card import CARD_FILE, Coverage, Example, ModelCard
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.library.paths import models_dir, user_data_dir
from gpsdream_app.ui.filmstrip import tile_rect
from gpsdream_app.ui.neighbourhoods.page import NeighbourhoodsPage
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.window import MainWindow

PATIENCE = 20_000  # milliseconds
MODEL = "postcards"
FLATIRON = Place(40.74105, -73.98965, 119, "Fifth Avenue & E 23rd St")
CATHEDRAL = Place(40.7583, -73.9777, 119, "Fifth Avenue & E 50th St")
HOSTILE = '<img src="x" onerror="alert(1)"><b>bold</b> & "quotes" \'single\' <a href="http://example.org">link</a>'


def make_card(**changes: Any) -> ModelCard:
    """A card with three examples, some words, and photos around the Flatiron."""
    values: dict[str, Any] = {
        "name": MODEL,
        "title": "Postcards",
        "description": "Draws postcards of a small stretch of the avenue.",
        "box": Box(40.70, -74.02, 40.80, -73.93),
        "image_size": 256,
        "city": "manhattan",
        "has_heading": True,
        "defaults": {"steps": 4, "text_guidance": 3.0, "place_guidance": 2.0},
        "examples": (
            Example(FLATIRON, "office buildings with awnings"),
            Example(CATHEDRAL, "a gothic church"),
            Example(Place(40.77, -73.9672, 119, "Fifth Avenue & E 68th St"), "mansions"),
        ),
        "words": ("church", "mansion", "carriages", "awnings", "brownstone houses", "shop & stable"),
        "coverage": Coverage(40.7405, -73.9905, 0.001, 0.0015, ((0, 0, 7),)),
    }
    return ModelCard(**{**values, **changes})


def install_card(card: ModelCard) -> Path:
    """Put a model with nothing but a card among the installed ones."""
    folder = models_dir() / card.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return folder


class NotedMap(QWidget):
    """Stands in for the map: keeps what the window told it, and speaks as a map would."""

    place_picked = Signal(float, float)
    heading_picked = Signal(float)
    heading_cleared = Signal()
    result_clicked = Signal(str)
    example_clicked = Signal(int)
    view_changed = Signal(float, float, float)
    region_clicked = Signal(str)
    region_hovered = Signal(str)
    region_drawn = Signal(str, list)
    region_edited = Signal(str, list)
    drawing_ended = Signal()
    landmark_clicked = Signal(str)
    ready = Signal()

    def __init__(self, theme: str = "light") -> None:
        super().__init__()
        self.theme = theme
        self.city: Any = None
        self.coverage: Any = None
        self.examples: list[dict[str, Any]] = []
        self.pin: tuple[float, float, float | None] | None = None
        self.results: list[dict[str, Any]] = []
        self.flights: list[tuple[float, float, float | None]] = []
        self.revealed: list[tuple[float, float]] = []
        self.less_motion = False
        self.picking = True
        self.regions: list[dict[str, Any]] = []
        self.highlighted = ""
        self.drawing = ""
        self.undone = 0
        self.walk: tuple[list[Any], int | None] = ([], None)
        self.fitted: list[tuple[float, ...]] = []
        self.landmarks: list[dict[str, Any]] = []

    def set_picking(self, picking: bool) -> None:
        self.picking = picking

    def set_regions(self, regions: list[dict[str, Any]]) -> None:
        self.regions = regions

    def highlight_region(self, identifier: str) -> None:
        self.highlighted = identifier

    def start_drawing(self, mode: str) -> None:
        self.drawing = mode

    def edit_region(self, identifier: str) -> None:
        self.drawing = "edit"

    def stop_drawing(self) -> None:
        if self.drawing:
            self.drawing = ""
            self.drawing_ended.emit()

    def undo_drawing(self) -> None:
        self.undone += 1

    def set_walk(self, points: list[Any], index: int | None = None) -> None:
        self.walk = (points, index)

    def fit(self, *box: float) -> None:
        self.fitted.append(box)

    def set_landmarks(self, landmarks: list[dict[str, Any]]) -> None:
        self.landmarks = landmarks

    def set_city(self, city: Any) -> None:
        self.city = city

    def set_coverage(self, coverage: Any) -> None:
        self.coverage = coverage

    def set_examples(self, examples: list[dict[str, Any]]) -> None:
        self.examples = examples

    def set_pin(self, lat: float, lon: float, heading: float | None = None) -> None:
        self.pin = lat, lon, heading

    def clear_pin(self) -> None:
        self.pin = None

    def set_results(self, results: list[dict[str, Any]]) -> None:
        self.results = results

    def set_theme(self, theme: str) -> None:
        self.theme = theme

    def set_reduced_motion(self, reduced: bool) -> None:
        self.less_motion = reduced

    def fly_to(self, lat: float, lon: float, zoom: float | None = None) -> None:
        self.flights.append((lat, lon, zoom))

    def reveal(self, lat: float, lon: float) -> None:
        self.revealed.append((lat, lon))


class NotedReport(QWidget):
    """Stands in for the view of reports: keeps the pages that it was given."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.pages: list[bytes] = []
        self.copied = 0

    def copy_selection(self) -> None:
        self.copied += 1

    def show_page(self, content: bytes) -> None:
        self.pages.append(content)


@dataclass
class Rig:
    """A window and everything behind it."""

    qtbot: QtBot
    theme: Theme
    engine: FakeEngine = field(default_factory=FakeEngine)
    city: str | None = None
    model: str = MODEL
    window_size: tuple[int, int] = (1280, 800)

    def __post_init__(self) -> None:
        self.session = Session(self.engine, Settings(user_data_dir()), model=self.model, city=self.city)
        self.map = NotedMap()
        self.window = MainWindow(self.theme, self.session, lambda theme: self.map, NotedReport)
        self.window.resize(*self.window_size)

    def open(self) -> Rig:
        """Show the window and wait until everything was read."""
        self.window.show()
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)
        self.session.start()
        self.until(lambda: self.session.pending == 0 and self.session.engine_text == "Ready")
        return self

    def until(self, condition: Any) -> None:
        """Wait until something is so."""
        self.qtbot.waitUntil(condition, timeout=PATIENCE)

    def idle(self) -> None:
        """Wait until nothing is drawn, read or written any more."""
        self.until(lambda: not self.session.queue and self.session.pending == 0)

    def enter_neighbourhoods(self) -> NeighbourhoodsPage:
        """Go to the Neighbourhoods place and wait until its regions have been read."""
        page = self.window.show_neighbourhoods()
        self.until(lambda: page.state.book.is_read)
        self.settle()
        return page

    def settle(self) -> None:
        """Wait until the neighbourhoods rest as well."""
        self.until(lambda: not self.session.queue and self.session.pending == 0 and self.session.neighbourhoods.idle)

    def draw(self, place: Place | None = FLATIRON, prompt: str = "a church", count: int = 1) -> list[Result]:
        """Draw pictures of a place and return them, the first one first."""
        form, film = self.session.form, self.session.film
        before = {result.id for result in film.results}
        form.set_place(place)
        form.prompt, form.count = prompt, count
        self.window.draw_now()
        self.idle()
        drawn = [result for result in film.results if result.id not in before]
        return sorted(drawn, key=lambda result: result.request.seed)

    def filmstrip_click(self, result_id: str) -> None:
        """Click a picture of the strip."""
        view = self.window.filmstrip.view
        index = self.session.film.index(self.session.film.row_of(result_id), 0)
        view.scrollTo(index)
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=tile_rect(view.visualRect(index)).center())

    def close(self) -> None:
        """Close the window and let it go."""
        if shiboken6.isValid(self.window):
            self.window.end()
            self.window.deleteLater()
        if shiboken6.isValid(self.session):
            self.session.deleteLater()
