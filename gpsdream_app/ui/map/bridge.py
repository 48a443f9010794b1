"""The one object that the map page and the window share: few slots, every value checked."""

from __future__ import annotations

import logging
import math
from enum import StrEnum

from PySide6.QtCore import QObject, Signal, Slot

logger = logging.getLogger(__name__)

LONGEST_ID = 200
LONGEST_ERROR = 2000
HIGHEST_ZOOM = 30
MOST_CORNERS = 20_000  # as many as a region may have
MOST_POLYGONS = 2_000


class Tool(StrEnum):
    """What the person does on the map with the pointer, besides choosing."""

    POLYGON = "polygon"
    RECTANGLE = "rectangle"
    LINE = "line"
    EDIT = "edit"


DRAWING_TOOLS = {Tool.POLYGON: 3, Tool.RECTANGLE: 4, Tool.LINE: 2}
"""Tools that draw something new, each with the least number of points of what it draws."""


def _number(value: object, low: float, high: float) -> float | None:
    """Return a finite number between two bounds, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value)
    return number if math.isfinite(number) and low <= number <= high else None


def _points(value: object, least: int) -> list[list[float]] | None:
    """Return a list of [latitude, longitude] if a value is one of enough points, or None."""
    if not isinstance(value, (list, tuple)) or not least <= len(value) <= MOST_CORNERS:
        return None
    points = []
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            return None
        lat, lon = _number(pair[0], -90, 90), _number(pair[1], -180, 180)
        if lat is None or lon is None:
            return None
        points.append([lat, lon])
    return points


def _polygons(value: object) -> list[list[list[list[float]]]] | None:
    """Return polygons of rings of [latitude, longitude] if a value is that, or None."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MOST_POLYGONS:
        return None
    polygons = []
    room = MOST_CORNERS
    for polygon in value:
        if not isinstance(polygon, (list, tuple)) or not polygon:
            return None
        rings = []
        for ring in polygon:
            points = _points(ring, 3)
            room -= len(points) if points else 0
            if points is None or room < 0:
                return None
            rings.append(points)
        polygons.append(rings)
    return polygons


def _tool(value: object) -> Tool | None:
    return Tool(value) if isinstance(value, str) and value in set(Tool) else None


class Bridge(QObject):
    """Published to the page as `bridge`.

    Signals whose name begins with `show_` go to the page and carry JSON. The slots are what the page may say; it
    becomes a signal for the window only if its values make sense.
    """

    show_city = Signal(str)
    show_coverage = Signal(str)
    show_examples = Signal(str)
    show_pin = Signal(str)
    show_results = Signal(str)
    show_theme = Signal(str)
    show_motion = Signal(str)
    show_view = Signal(str)
    show_regions = Signal(str)
    show_highlight = Signal(str)
    show_picking = Signal(str)
    show_tool = Signal(str)
    show_tool_step = Signal(str)
    show_walk = Signal(str)
    show_walker = Signal(str)
    show_landmarks = Signal(str)

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
    tool_drafted = Signal(str, list)
    tool_ended = Signal()
    page_ready = Signal()
    city_shown = Signal()
    page_failed = Signal(str, bool)

    @Slot("QVariant", "QVariant")
    def picked(self, lat: object, lon: object) -> None:
        """The person chose a point, in degrees."""
        latitude, longitude = _number(lat, -90, 90), _number(lon, -180, 180)
        if latitude is None or longitude is None:
            self._refuse("picked", lat, lon)
        else:
            self.place_picked.emit(latitude, longitude)

    @Slot("QVariant")
    def heading(self, degrees: object) -> None:
        """The person turned the dial: degrees clockwise from north; null takes the heading away."""
        if degrees is None:
            self.heading_cleared.emit()
            return
        angle = _number(degrees, -360, 720)
        if angle is None:
            self._refuse("heading", degrees)
        else:
            self.heading_picked.emit(angle % 360.0 % 360.0)

    @Slot("QVariant")
    def resultClicked(self, identifier: object) -> None:
        """The person clicked the dot of a result."""
        if isinstance(identifier, str) and 0 < len(identifier) <= LONGEST_ID:
            self.result_clicked.emit(identifier)
        else:
            self._refuse("resultClicked", identifier)

    @Slot("QVariant")
    def exampleClicked(self, index: object) -> None:
        """The person clicked an example place, counted from 0."""
        number = _number(index, 0, 1000)
        if number is None or number != int(number):
            self._refuse("exampleClicked", index)
        else:
            self.example_clicked.emit(int(number))

    @Slot("QVariant")
    def regionClicked(self, identifier: object) -> None:
        """The person clicked a region."""
        if isinstance(identifier, str) and 0 < len(identifier) <= LONGEST_ID:
            self.region_clicked.emit(identifier)
        else:
            self._refuse("regionClicked", identifier)

    @Slot("QVariant")
    def regionHovered(self, identifier: object) -> None:
        """The pointer stands on a region; on none if the text is empty."""
        if isinstance(identifier, str) and len(identifier) <= LONGEST_ID:
            self.region_hovered.emit(identifier)
        else:
            self._refuse("regionHovered", identifier)

    @Slot("QVariant")
    def landmarkClicked(self, identifier: object) -> None:
        """The person clicked a landmark."""
        if isinstance(identifier, str) and 0 < len(identifier) <= LONGEST_ID:
            self.landmark_clicked.emit(identifier)
        else:
            self._refuse("landmarkClicked", identifier)

    @Slot("QVariant", "QVariant")
    def drawn(self, kind: object, points: object) -> None:
        """The person has drawn something: corners of an area, or points of a line."""
        tool = _tool(kind)
        corners = _points(points, DRAWING_TOOLS[tool]) if tool in DRAWING_TOOLS else None
        if tool is None or corners is None:
            self._refuse("drawn", kind, points)
        else:
            self.region_drawn.emit(tool.value, corners)

    @Slot("QVariant", "QVariant")
    def edited(self, identifier: object, polygons: object) -> None:
        """The person has moved, added or removed corners of a region."""
        shape = _polygons(polygons)
        if isinstance(identifier, str) and 0 < len(identifier) <= LONGEST_ID and shape is not None:
            self.region_edited.emit(identifier, shape)
        else:
            self._refuse("edited", identifier, polygons)

    @Slot("QVariant", "QVariant")
    def drafted(self, kind: object, shape: object) -> None:
        """What the person is drawing looks like this by now: points, or polygons of a region that is edited."""
        tool = _tool(kind)
        draft = _polygons(shape) if tool is Tool.EDIT else _points(shape, 0)
        if tool is None or draft is None:
            self._refuse("drafted", kind, shape)
        else:
            self.tool_drafted.emit(tool.value, draft)

    @Slot()
    def toolEnded(self) -> None:
        """The person has ended a tool without a result."""
        self.tool_ended.emit()

    @Slot("QVariant", "QVariant", "QVariant")
    def viewChanged(self, lat: object, lon: object, zoom: object) -> None:
        """The map came to rest at another centre (degrees) or zoom."""
        latitude, longitude, level = (
            _number(lat, -90, 90),
            _number(lon, -180, 180),
            _number(zoom, 0, HIGHEST_ZOOM),
        )
        if latitude is None or longitude is None or level is None:
            self._refuse("viewChanged", lat, lon, zoom)
        else:
            self.view_changed.emit(latitude, longitude, level)

    @Slot()
    def pageReady(self) -> None:
        """The page listens."""
        self.page_ready.emit()

    @Slot()
    def cityShown(self) -> None:
        """The city (or the sentence that there is none) stands on the screen and takes clicks."""
        self.city_shown.emit()

    @Slot("QVariant", "QVariant")
    def pageError(self, text: object, fatal: object) -> None:
        """Something went wrong in the page; `fatal` if it cannot go on."""
        self.page_failed.emit(str(text)[:LONGEST_ERROR], fatal is True)

    def _refuse(self, slot: str, *values: object) -> None:
        logger.warning("The map page called %s with %s", slot, ", ".join(repr(value)[:80] for value in values))
