"""The map as a widget: keeps what is shown, talks to the page, and survives without it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from gpsdream_app.domain.places import Place
from gpsdream_app.ui import tokens
from gpsdream_app.ui.map import chromium
from gpsdream_app.ui.map.bridge import Bridge
from gpsdream_app.ui.map.scheme import PAGE_URL, Documents, page_router

if TYPE_CHECKING:
    from PySide6.QtWebEngineCore import QWebEnginePage
    from PySide6.QtWebEngineWidgets import QWebEngineView

logger = logging.getLogger(__name__)

PATIENCE_MILLISECONDS = 30_000
FORM_STILL_WORKS = "You can go on with typed coordinates."
WATER = {"light": "#cddae0", "dark": "#131a23"}  # --water in map.css: what stands there before the page does


class MapView(QWidget):
    """A map of a city: pick a place, turn the view, see coverage, examples and results.

    Everything that was set is kept here and told again when the page is loaded anew, so the state outlives the
    page. Places are in WGS 84 degrees, headings in degrees clockwise from true north.
    """

    place_picked = Signal(float, float)
    heading_picked = Signal(float)
    heading_cleared = Signal()
    result_clicked = Signal(str)
    example_clicked = Signal(int)
    view_changed = Signal(float, float, float)
    ready = Signal()
    failed = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, theme: str | None = None) -> None:
        """Build the map and start to load its page at once.

        Args:
            parent: the widget it belongs to.
            theme: `light` or `dark`; None follows the system.
        """
        super().__init__(parent)
        if theme is None:
            dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
            theme = "dark" if dark else "light"
        self._theme = theme
        self._state: dict[str, str] = {}
        self._city_id: object = None
        self._example_count = 0
        self._pin: Place | None = None
        self._listening = False
        self._is_ready = False
        self._documents = Documents("data")
        self._web: QWebEngineView | None = None
        self._page: QWebEnginePage | None = None

        self._bridge = Bridge(self)
        self._bridge.place_picked.connect(self._on_place_picked)
        self._bridge.heading_picked.connect(self._on_heading_picked)
        self._bridge.heading_cleared.connect(self._on_heading_cleared)
        self._bridge.result_clicked.connect(self.result_clicked)
        self._bridge.example_clicked.connect(self._on_example_clicked)
        self._bridge.view_changed.connect(self._on_view_changed)
        self._bridge.page_ready.connect(self._on_page_ready)
        self._bridge.city_shown.connect(self._on_city_shown)
        self._bridge.page_failed.connect(self._on_page_failed)
        self._channels = {
            "theme": self._bridge.show_theme,
            "motion": self._bridge.show_motion,
            "view": self._bridge.show_view,
            "city": self._bridge.show_city,
            "coverage": self._bridge.show_coverage,
            "examples": self._bridge.show_examples,
            "results": self._bridge.show_results,
            "pin": self._bridge.show_pin,
        }

        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MILLISECONDS)
        self._patience.timeout.connect(self._on_patience_lost)

        self._layout = QStackedLayout(self)
        self._panel, self._sentence, self._reload = self._make_panel()
        self._layout.addWidget(self._panel)
        self.setMinimumSize(240, 180)
        self.set_theme(theme)
        self._make_page()

    # What the window says

    def set_city(self, city: Mapping[str, Any] | None) -> None:
        """Show a city (the parsed city file); None or an empty mapping shows a sentence instead."""
        if city:
            body = json.dumps(city, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            url: str | None = self._documents.publish("city", body)
            identifier = city.get("id")
        else:
            url, identifier = None, None
        if identifier != self._city_id:
            self._state.pop("view", None)
        self._city_id = identifier
        self._tell("city", {"url": url, "go": "view" not in self._state})

    def set_coverage(self, coverage: Mapping[str, Any] | None) -> None:
        """Show where the model has seen photos: the card's `coverage` (south, west, cell_lat, cell_lon, cells)."""
        url = None
        if coverage and coverage.get("cells"):
            body = json.dumps(coverage, separators=(",", ":"), allow_nan=False).encode()
            url = self._documents.publish("coverage", body)
        self._tell("coverage", {"url": url})

    def set_examples(self, examples: Sequence[Mapping[str, Any]]) -> None:
        """Show glowing places to start with: mappings of name, lat, lon and heading (or None)."""
        places = [Place.from_dict(example) for example in examples]
        self._example_count = len(places)
        self._tell("examples", [place.to_dict() for place in places])

    def set_pin(self, lat: float, lon: float, heading: float | None = None) -> None:
        """Put the pin at a place. Raises GPSDreamError of kind `bad_location` if it is none."""
        self._pin = Place(lat, lon, heading)
        self._tell("pin", self._pin.to_dict())

    def clear_pin(self) -> None:
        """Take the pin away."""
        self._pin = None
        self._tell("pin", None)

    def set_results(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Show results as dots: mappings of id, lat, lon, heading (or None) and current."""
        dots = []
        for result in results:
            place = Place.from_dict(result)
            dots.append(
                {
                    "id": str(result["id"]),
                    "lat": place.lat,
                    "lon": place.lon,
                    "heading": place.heading,
                    "current": bool(result.get("current")),
                }
            )
        self._tell("results", dots)

    def set_theme(self, theme: str) -> None:
        """Draw in `light` or `dark`."""
        if theme not in WATER:
            raise ValueError(f"theme must be light or dark, not {theme!r}")
        self._theme = theme
        palette = tokens.DARK if theme == "dark" else tokens.LIGHT
        self._panel.setStyleSheet(
            f"#mapPanel {{ background: {palette.canvas}; }}"
            f"#mapSentence {{ color: {palette.text_muted}; font-size: {tokens.TYPE_LEAD}px; }}"
        )
        if self._page is not None:
            self._page.setBackgroundColor(QColor(WATER[theme]))
        self._tell("theme", theme)

    def set_reduced_motion(self, reduced: bool) -> None:
        """Move and fade nothing if `reduced`, whatever the system says."""
        self._tell("motion", {"reduced": bool(reduced)})

    def fly_to(self, lat: float, lon: float, zoom: float | None = None) -> None:
        """Bring a place (degrees) to the middle; zoom None keeps the zoom."""
        place = Place(lat, lon)
        self._tell("view", {"lat": place.lat, "lon": place.lon, "zoom": zoom, "animate": self._is_ready})

    def reveal(self, lat: float, lon: float) -> None:
        """Bring a place (degrees) to the middle if it is out of sight; the zoom stays."""
        place = Place(lat, lon)
        if self._listening:
            view = {"lat": place.lat, "lon": place.lon, "zoom": None, "animate": True, "ifHidden": True}
            self._bridge.show_view.emit(json.dumps(view))

    def reload(self) -> None:
        """Load the page again and tell it everything that was set."""
        if self._page is None:
            return
        self._listening = self._is_ready = False
        self._patience.start()
        self._layout.setCurrentIndex(1)  # a hidden page draws no frame and would never be ready
        url = QUrl(PAGE_URL)
        url.setQuery(f"theme={self._theme}")
        self._page.load(url)

    @property
    def page(self) -> QWebEnginePage | None:
        """The page, or None where WebEngine is missing."""
        return self._page

    @property
    def is_ready(self) -> bool:
        """Whether the city stands on the screen and takes clicks."""
        return self._is_ready

    @property
    def shows_panel(self) -> bool:
        """Whether a sentence stands where the map should be."""
        return self._layout.currentWidget() is self._panel

    # What the page says

    def _on_page_ready(self) -> None:
        self._listening = True
        city = json.loads(self._state.get("city", '{"url": null}'))
        city["go"] = "view" not in self._state
        self._state["city"] = json.dumps(city)
        for topic, signal in self._channels.items():
            if topic in self._state:
                signal.emit(self._state[topic])

    def _on_city_shown(self) -> None:
        self._patience.stop()
        if not self._is_ready:
            self._is_ready = True
            self.ready.emit()

    def _on_place_picked(self, lat: float, lon: float) -> None:
        # The page has moved its pin already; the window hears of it and may say otherwise.
        self._remember_pin(Place(lat, lon, self._pin.heading if self._pin else None))
        self.place_picked.emit(lat, lon)

    def _on_heading_picked(self, degrees: float) -> None:
        if self._pin is not None:
            self._remember_pin(Place(self._pin.lat, self._pin.lon, degrees))
        self.heading_picked.emit(degrees)

    def _on_heading_cleared(self) -> None:
        if self._pin is not None:
            self._remember_pin(Place(self._pin.lat, self._pin.lon))
        self.heading_cleared.emit()

    def _on_example_clicked(self, index: int) -> None:
        if index < self._example_count:
            self.example_clicked.emit(index)

    def _on_view_changed(self, lat: float, lon: float, zoom: float) -> None:
        view = {"lat": lat, "lon": lon, "zoom": zoom, "animate": False}
        self._state["view"] = json.dumps(view)
        self.view_changed.emit(lat, lon, zoom)

    def _on_page_failed(self, text: str, fatal: bool) -> None:
        logger.error("The map page failed: %s", text)
        if fatal:
            self._fail("The map could not be drawn.")

    def _on_patience_lost(self) -> None:
        if self.isVisible():
            self._fail("The map takes unusually long to appear.")
        else:
            self._patience.start()

    def _on_load_finished(self, ok: bool) -> None:
        if not ok:
            self._fail("The map's page could not be loaded.")

    def _on_process_gone(self, status: QWebEnginePage.RenderProcessTerminationStatus, code: int) -> None:
        from PySide6.QtWebEngineCore import QWebEnginePage

        if status != QWebEnginePage.RenderProcessTerminationStatus.NormalTerminationStatus:
            logger.error("The map's process ended: %s, code %d", status.name, code)
            self._fail("The map has stopped working.")

    def _on_about_to_quit(self) -> None:
        self._patience.stop()
        self._listening = self._is_ready = False
        if self._web is not None:
            self._web.deleteLater()
            self._web = self._page = None

    # The parts

    def _tell(self, topic: str, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        self._state[topic] = text
        if self._listening:
            self._channels[topic].emit(text)

    def _remember_pin(self, pin: Place) -> None:
        self._pin = pin
        self._state["pin"] = json.dumps(pin.to_dict(), ensure_ascii=False)

    def _fail(self, reason: str, *, can_reload: bool = True) -> None:
        self._patience.stop()
        self._listening = self._is_ready = False
        self._sentence.setText(f"{reason}\n{FORM_STILL_WORKS}")
        self._reload.setVisible(can_reload)
        self._layout.setCurrentWidget(self._panel)
        self.failed.emit(reason)

    def _make_panel(self) -> tuple[QWidget, QLabel, QPushButton]:
        panel = QWidget(self)
        panel.setObjectName("mapPanel")
        panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        sentence = QLabel(panel)
        sentence.setObjectName("mapSentence")
        sentence.setTextFormat(Qt.TextFormat.PlainText)
        sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        sentence.setWordWrap(True)
        button = QPushButton("Reload the map", panel)
        button.setObjectName("mapReload")
        button.clicked.connect(self.reload)
        column = QVBoxLayout(panel)
        column.setContentsMargins(tokens.SPACE_5, tokens.SPACE_5, tokens.SPACE_5, tokens.SPACE_5)
        column.setSpacing(tokens.SPACE_4)
        column.addStretch()
        column.addWidget(sentence)
        column.addWidget(button, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addStretch()
        return panel, sentence, button

    def _make_page(self) -> None:
        obstacle = chromium.sandbox_obstacle(chromium.inspect_machine())
        if obstacle:
            logger.error("No map: %s", obstacle)
            self._fail_later(obstacle)
            return
        try:
            from PySide6.QtWebChannel import QWebChannel
            from PySide6.QtWebEngineWidgets import QWebEngineView

            from gpsdream_app.ui.map.web import MapPage, MapProfile, qt_file

            router = page_router(self._documents, qt_file)
        except (ImportError, FileNotFoundError) as error:
            logger.error("No map: %s", error)
            self._fail_later("The map needs parts of Qt or Leaflet that are not installed here.")
            return

        view = QWebEngineView(self)
        profile = MapProfile(router)
        page = MapPage(profile, view)
        # Children die in the order in which they came, and the page must go before its profile.
        profile.setParent(view)
        view.setPage(page)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        view.setAcceptDrops(False)  # a dropped picture is for the window
        channel = QWebChannel(page)
        channel.registerObject("bridge", self._bridge)
        page.setWebChannel(channel)
        page.setBackgroundColor(QColor(WATER[self._theme]))
        page.loadFinished.connect(self._on_load_finished)
        page.renderProcessTerminated.connect(self._on_process_gone)
        self._web, self._page = view, page
        application = QCoreApplication.instance()
        if application is not None:
            # At the end of the program Python would take the widgets apart in an order of its own.
            application.aboutToQuit.connect(self._on_about_to_quit)
        self._layout.addWidget(view)
        self._layout.setCurrentWidget(view)
        self.setFocusProxy(view)
        self.reload()

    def _fail_later(self, reason: str) -> None:
        """Show the panel at once, and announce it when listeners have had the time to connect."""
        self._sentence.setText(f"{reason}\n{FORM_STILL_WORKS}")
        self._reload.hide()
        QTimer.singleShot(0, self, lambda: self.failed.emit(reason))
