"""The map as a widget: keeps what is shown, talks to the page, and survives without it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QColor, QGuiApplication, QImage, QImageWriter
from PySide6.QtWidgets import QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region
from gpsdream_app.ui import tokens
from gpsdream_app.ui.map import chromium
from gpsdream_app.ui.map.bridge import DRAWING_TOOLS, LONGEST_ID, Bridge, Tool
from gpsdream_app.ui.map.scheme import PAGE_URL, DocumentKind, Documents, page_router

if TYPE_CHECKING:
    from PySide6.QtWebEngineCore import QWebEnginePage
    from PySide6.QtWebEngineWidgets import QWebEngineView

logger = logging.getLogger(__name__)

PATIENCE_MILLISECONDS = 30_000
FORM_STILL_WORKS = "You can go on with typed coordinates."
PICTURE_PIXELS = 288  # of a region's thumbnail: what the page shows at most, on a screen of twice the sharpness
PICTURE_QUALITY = 88
WATER = {"light": "#cddae0", "dark": "#131a23"}  # --water in map.css: what stands there before the page does


def _region_of(mapping: Mapping[str, Any]) -> Region:
    """Read a region from what `MapView.set_regions` takes. Raises GPSDreamError of kind `bad_location`."""
    polygons = [
        # A polygon without holes may be given by its outline alone.
        [part] if part and part[0] and isinstance(part[0][0], (int, float)) else part
        for part in mapping.get("polygons") or ()
    ]
    return Region.from_dict({**mapping, "polygons": polygons})


def _checked(points: Sequence[Sequence[float]] | None) -> list[list[float]]:
    """Return points as [latitude, longitude]. Raises GPSDreamError of kind `bad_location` if one is none."""
    places = [Place(point[0], point[1]) for point in points or ()]
    return [[place.lat, place.lon] for place in places]


def _mark_of(picture: QImage | bytes) -> str:
    """Return hexadecimal digits that only this picture has."""
    if not isinstance(picture, QImage):
        return hashlib.sha256(picture).hexdigest()[:32]
    mark = hashlib.sha256(f"{picture.width()} {picture.height()} {picture.format()}".encode())
    if not picture.isNull():
        mark.update(picture.constBits())
    return mark.hexdigest()[:32]


def _jpeg_of(picture: QImage | bytes) -> bytes:
    """Return a picture as a JPEG that is small enough for a thumbnail; empty if it is not a picture."""
    image = picture if isinstance(picture, QImage) else QImage.fromData(picture)
    if image.isNull():
        return b""
    if max(image.width(), image.height()) > PICTURE_PIXELS:
        image = image.scaled(
            PICTURE_PIXELS,
            PICTURE_PIXELS,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"jpeg"))
    writer.setQuality(PICTURE_QUALITY)
    writer.write(image.convertToFormat(QImage.Format.Format_RGB888))
    return bytes(buffer.data().data())


class MapView(QWidget):
    """A map of a city: pick a place, turn the view, see coverage, examples, results, regions and a walk; draw regions.

    Everything that was set is kept here and told again when the page is loaded anew, so the state outlives the
    page. Places are in WGS 84 degrees, headings in degrees clockwise from true north.

    Signals of landmarks, regions and drawing:
        landmark_clicked(id): the mark or the name of a landmark.
        region_clicked(id), region_hovered(id): the latter with an empty id when the pointer leaves.
        region_drawn(kind, points): something new stands there. `kind` is `polygon`, `rectangle` or `line`, `points` is
            a list of [lat, lon]: corners in order, the first not repeated (of a rectangle four), or points of a line.
            Nothing is mended: an outline may cross itself.
        region_edited(id, polygons): the new shape of a region, as polygons of rings of [lat, lon].
        drawing_ended(): a tool was put away, once per tool, after its result if there is one; whoever ended it.
    """

    place_picked = Signal(float, float)
    heading_picked = Signal(float)
    heading_cleared = Signal()
    result_clicked = Signal(str)
    example_clicked = Signal(int)
    view_changed = Signal(float, float, float)
    region_clicked = Signal(str)
    region_hovered = Signal(str)
    landmark_clicked = Signal(str)
    region_drawn = Signal(str, list)
    region_edited = Signal(str, list)
    drawing_ended = Signal()
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
        self._is_picking = True
        self._region_ids: frozenset[str] = frozenset()
        self._shapes: tuple[bytes, str] = (b"[]", "")
        self._pictures: dict[str, str] = {}
        self._tool: Tool | None = None
        self._edited_id = ""
        self._walk: tuple[bytes, str] = (b"[]", "")
        self._landmarks: tuple[bytes, str] = (b"[]", "")
        self._landmark_ids: frozenset[str] = frozenset()
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
        self._bridge.region_clicked.connect(self._on_region_clicked)
        self._bridge.region_hovered.connect(self._on_region_hovered)
        self._bridge.landmark_clicked.connect(self._on_landmark_clicked)
        self._bridge.region_drawn.connect(self._on_region_drawn)
        self._bridge.region_edited.connect(self._on_region_edited)
        self._bridge.tool_drafted.connect(self._on_tool_drafted)
        self._bridge.tool_ended.connect(self._end_tool)
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
            "picking": self._bridge.show_picking,
            "regions": self._bridge.show_regions,
            "highlight": self._bridge.show_highlight,
            "walk": self._bridge.show_walk,
            "walker": self._bridge.show_walker,
            "landmarks": self._bridge.show_landmarks,
            "tool": self._bridge.show_tool,
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
        """Show results as dots: mappings of id, lat, lon, and perhaps heading, current, and count.

        With a count of 2 or more the dot stands for so many results, and shows the number.
        """
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
                    "count": max(1, int(result.get("count") or 1)),
                }
            )
        self._tell("results", dots)

    def set_picking(self, picking: bool) -> None:
        """Whether a click beside regions chooses a place and puts the pin there; it does unless told otherwise."""
        self._is_picking = bool(picking)
        self._tell("picking", self._is_picking)

    def set_regions(self, regions: Sequence[Mapping[str, Any]]) -> None:
        """Show these regions and no others.

        Args:
            regions: mappings of `id` (unique text), `polygons` (as `Region.polygons`; or outlines without holes) and
                perhaps `name`, `kind` (as `RegionKind`), `line` (of a corridor), `centre` ((lat, lon): where its
                picture stands), `selected`, `photos` (how many the model has learned from there; 0 is hatched, None
                is not known) and `picture` (QImage, or bytes of a JPEG or PNG; None for none).

        What has not changed since the last call is not sent again, so it may be called for every small change.

        Raises:
            GPSDreamError: of kind `bad_location` if a region has no area or a number is not a place on the Earth.
            ValueError: if an id is empty, too long or not unique.
        """
        shapes: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        pictures: dict[str, str] = {}
        for mapping in regions:
            identifier = str(mapping["id"])
            if not 0 < len(identifier) <= LONGEST_ID:
                raise ValueError(f"a region's id must have 1 to {LONGEST_ID} characters")
            region = _region_of(mapping)
            centre = mapping.get("centre")
            at = Place(centre[0], centre[1]) if centre else None
            shapes.append(
                {
                    "id": identifier,
                    "name": region.name,
                    "kind": region.kind.value,
                    "polygons": region.polygons,
                    "line": region.line,
                    "centre": [at.lat, at.lon] if at else None,
                }
            )
            photos = mapping.get("photos")
            items.append(
                {
                    "id": identifier,
                    "selected": bool(mapping.get("selected")),
                    "photos": None if photos is None else max(0, int(photos)),
                    "picture": self._publish_picture(mapping.get("picture"), pictures),
                }
            )
        identifiers = frozenset(item["id"] for item in items)
        if len(identifiers) != len(items):
            raise ValueError("two regions have the same id")
        for stem in self._pictures.keys() - pictures.keys():
            self._documents.withdraw(stem)
        self._pictures = pictures
        self._region_ids = identifiers
        self._shapes = self._publish_once("regions", shapes, self._shapes)
        self._tell("regions", {"url": self._shapes[1] or None, "items": items})
        if self._tool is Tool.EDIT and self._edited_id not in identifiers:
            self.stop_drawing()

    def highlight_region(self, identifier: str) -> None:
        """Show a region as if the pointer stood on it, for a list beside the map; an empty id ends that."""
        self._tell("highlight", identifier)

    def start_drawing(self, mode: str) -> None:
        """Let the person draw a `polygon`, a `rectangle` or a `line`, and give the map the keyboard.

        Another tool is put away first. What comes of it is told by `region_drawn`, the end by `drawing_ended`.

        Raises:
            ValueError: if there is no such mode.
        """
        if mode not in DRAWING_TOOLS:
            raise ValueError(f"mode must be one of {', '.join(DRAWING_TOOLS)}, not {mode!r}")
        self._start_tool(Tool(mode))

    def edit_region(self, identifier: str) -> None:
        """Let the person drag, add and remove corners of a region; told by `region_edited` when they are done.

        Raises:
            ValueError: if no such region is shown.
        """
        if identifier not in self._region_ids:
            raise ValueError(f"no region has the id {identifier[:80]!r}")
        self._start_tool(Tool.EDIT, identifier)

    def stop_drawing(self) -> None:
        """Put the tool away and forget what was begun with it."""
        if self._tool is not None:
            self._end_tool()

    def finish_drawing(self) -> None:
        """Do what Enter does: take what is drawn so far, if that is enough."""
        self._step_tool("finish")

    def undo_drawing(self) -> None:
        """Do what Ctrl+Z does: take the last corner back, or the last change of a region that is edited."""
        self._step_tool("undo")

    @property
    def drawing(self) -> str:
        """What is being drawn: `polygon`, `rectangle`, `line`, `edit`, or empty."""
        return self._tool.value if self._tool else ""

    def set_walk(self, points: Sequence[Sequence[float | None]], index: int | None = None) -> None:
        """Show a walk as a line with a dot on it; no points take it away.

        Args:
            points: (lat, lon) or (lat, lon, heading) of every picture along it.
            index: where the dot stands, counted from 0; None for no dot.

        Raises:
            GPSDreamError: of kind `bad_location` if a point is not a place on the Earth.
        """
        places = [Place.from_dict(dict(zip(("lat", "lon", "heading"), point, strict=False))) for point in points]
        values = [[place.lat, place.lon, place.heading] for place in places]
        walk = self._publish_once("walk", values, self._walk)
        if walk is not self._walk or "walk" not in self._state:
            self._walk = walk
            self._tell("walk", {"url": walk[1] or None})
        self._tell("walker", index if index is not None and 0 <= index < len(places) else None)

    def set_landmarks(self, landmarks: Sequence[Mapping[str, Any]]) -> None:
        """Show these landmarks and no others, true to scale.

        Args:
            landmarks: mappings of `id` (unique text), `name`, `lat`, `lon`, and perhaps `heading` (the way its front
                faces, degrees clockwise from north), `chosen` (rings of distance stand around it), `height` (metres,
                for the rings), `footprint` (points of (lat, lon): the outline of its mesh on the ground), `photos`
                (points of (lat, lon) where photos of it were taken) and `sector` ((from, to) in degrees clockwise:
                part of the circle that is lit).

        Raises:
            GPSDreamError: of kind `bad_location` if a number is not a place on the Earth.
            ValueError: if an id is empty, too long or not unique.
        """
        items: list[dict[str, Any]] = []
        for mapping in landmarks:
            identifier = str(mapping["id"])
            if not 0 < len(identifier) <= LONGEST_ID:
                raise ValueError(f"a landmark's id must have 1 to {LONGEST_ID} characters")
            place = Place(mapping["lat"], mapping["lon"], mapping.get("heading"))
            sector = mapping.get("sector")
            items.append(
                {
                    "id": identifier,
                    "name": str(mapping.get("name", "")),
                    "lat": place.lat,
                    "lon": place.lon,
                    "heading": place.heading,
                    "chosen": bool(mapping.get("chosen")),
                    "height": float(mapping.get("height") or 0.0),
                    "footprint": _checked(mapping.get("footprint")),
                    "photos": _checked(mapping.get("photos")),
                    "sector": [float(angle) for angle in sector] if sector else None,
                }
            )
        identifiers = frozenset(item["id"] for item in items)
        if len(identifiers) != len(items):
            raise ValueError("two landmarks have the same id")
        self._landmark_ids = identifiers
        published = self._publish_once("landmarks", items, self._landmarks)
        if published is not self._landmarks or "landmarks" not in self._state:
            self._landmarks = published
            self._tell("landmarks", {"url": published[1] or None})

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

    def fit(self, south: float, west: float, north: float, east: float) -> None:
        """Bring a box (degrees) into sight as large as possible."""
        low, high = Place(south, west), Place(north, east)
        box = [low.lat, low.lon, high.lat, high.lon]
        self._tell("view", {"box": box, "animate": self._is_ready})

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
        if not self._is_picking:  # the page did not know yet
            self._tell("pin", self._pin.to_dict() if self._pin else None)
            return
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

    def _on_region_clicked(self, identifier: str) -> None:
        if identifier in self._region_ids:
            self.region_clicked.emit(identifier)

    def _on_region_hovered(self, identifier: str) -> None:
        if not identifier or identifier in self._region_ids:
            self.region_hovered.emit(identifier)

    def _on_landmark_clicked(self, identifier: str) -> None:
        if identifier in self._landmark_ids:
            self.landmark_clicked.emit(identifier)

    def _on_region_drawn(self, kind: str, points: list[Any]) -> None:
        if self._tool == kind:
            self._put_tool_away()
            self.region_drawn.emit(kind, points)
            self.drawing_ended.emit()

    def _on_region_edited(self, identifier: str, polygons: list[Any]) -> None:
        if self._tool is Tool.EDIT and identifier == self._edited_id:
            self._put_tool_away()
            self.region_edited.emit(identifier, polygons)
            self.drawing_ended.emit()

    def _on_tool_drafted(self, kind: str, shape: list[Any]) -> None:
        if self._tool == kind:
            tool = {"mode": kind, "id": self._edited_id, "draft": shape}
            self._state["tool"] = json.dumps(tool)

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

    def _publish_once(self, stem: str, value: list[Any], last: tuple[bytes, str]) -> tuple[bytes, str]:
        """Publish a list unless it is what was published last; return its body and URL (empty for an empty list)."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        if body == last[0]:
            return last
        if not value:
            self._documents.withdraw(stem)
            return body, ""
        return body, self._documents.publish(stem, body)

    def _publish_picture(self, picture: QImage | bytes | None, kept: dict[str, str]) -> str | None:
        """Publish a picture unless it is there already; note its stem and URL in `kept` and return the URL."""
        if picture is None:
            return None
        stem = f"picture-{_mark_of(picture)}"
        url = kept.get(stem) or self._pictures.get(stem)
        if url is None:
            body = _jpeg_of(picture)
            if not body:
                logger.warning("A region's picture cannot be read.")
                return None
            url = self._documents.publish(stem, body, kind=DocumentKind.JPEG)
        kept[stem] = url
        return url

    def _start_tool(self, tool: Tool, identifier: str = "") -> None:
        self.stop_drawing()
        self._tool, self._edited_id = tool, identifier
        self._tell("tool", {"mode": tool.value, "id": identifier, "draft": None})
        self.setFocus(Qt.FocusReason.OtherFocusReason)  # Esc and Enter are for the drawing

    def _step_tool(self, step: str) -> None:
        if self._tool is not None and self._listening:
            self._bridge.show_tool_step.emit(json.dumps(step))

    def _put_tool_away(self) -> None:
        self._tool, self._edited_id = None, ""
        self._tell("tool", None)

    def _end_tool(self) -> None:
        if self._tool is not None:
            self._put_tool_away()
            self.drawing_ended.emit()

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
