"""A small city, and a driver that moves a real map page by real mouse and key events."""

from __future__ import annotations

import json
import math
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.map.view import MapView

PATIENCE = 20_000  # milliseconds


def square(south: float, west: float, size: float) -> list[list[list[float]]]:
    """The rings of a square polygon."""
    corners = [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)]
    return [[[west + x * size, south + y * size] for y, x in corners]]


def feature(geometry: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    return {"type": "Feature", "properties": properties, "geometry": {"type": geometry, "coordinates": coordinates}}


def make_city(**changes: Any) -> dict[str, Any]:
    """A city of one island with a park, a pond, two streets, a neighbourhood and a landmark."""
    layers = {
        "land": [
            feature("Polygon", square(40.70, -74.02, 0.06), name="Island", kind="city"),
            feature("Polygon", square(40.60, -74.30, 0.2), name="Far Shore", kind="shore"),
        ],
        "bridges": [feature("LineString", [[-74.10, 40.73], [-74.02, 40.73]], name="Long Bridge")],
        "parks": [feature("Polygon", square(40.735, -73.99, 0.008), name="Long Meadow")],
        "water": [
            feature("Polygon", square(40.737, -73.988, 0.002), name="Pond"),
            feature("LineString", [[-74.03, 40.70], [-74.03, 40.76]], name="West River"),
        ],
        "streets": [
            feature("LineString", [[-74.0, 40.70], [-74.0, 40.76]], name="First Avenue", kind="avenue", major=True),
            feature("LineString", [[-74.02, 40.73], [-73.96, 40.73]], name="Main Street", kind="street", major=False),
        ],
        "neighbourhoods": [
            feature("Polygon", square(40.71, -74.015, 0.02), name="Old Town", label=[-74.005, 40.72]),
        ],
        "landmarks": [feature("Point", [-73.985, 40.725], name="Town Hall", year=1812)],
    }
    city = {
        "schema": 1,
        "id": "test",
        "name": "Test",
        "box": {"south": 40.69, "west": -74.04, "north": 40.77, "east": -73.94},
        "centre": [40.73, -73.99],
        "zoom": 14,
        "attribution": "Drawn for a test, see https://example.org/map.",
        "layers": {name: {"type": "FeatureCollection", "features": features} for name, features in layers.items()},
    }
    return city | changes


def mercator(lat: float, lon: float, zoom: float) -> tuple[float, float]:
    """Web Mercator pixels of a point (degrees)."""
    world = 256 * 2**zoom
    sin = math.sin(math.radians(lat))
    return world * (lon / 360 + 0.5), world * (0.5 - math.log((1 + sin) / (1 - sin)) / (4 * math.pi))


def unproject(x: float, y: float, zoom: float) -> tuple[float, float]:
    """The point (latitude, longitude) of Web Mercator pixels."""
    world = 256 * 2**zoom
    lat = math.degrees(2 * math.atan(math.exp((0.5 - y / world) * 2 * math.pi)) - math.pi / 2)
    return lat, (x / world - 0.5) * 360


class Driver:
    """A person in front of a map."""

    def __init__(self, qtbot: QtBot, view: MapView) -> None:
        self.qtbot = qtbot
        self.view = view
        self.at: tuple[float, float, float] | None = None
        view.view_changed.connect(self._on_view_changed)

    def _on_view_changed(self, lat: float, lon: float, zoom: float) -> None:
        self.at = (lat, lon, zoom)

    @property
    def target(self) -> QWidget:
        """The widget inside the web view that takes events."""
        proxy = self.view.focusProxy().focusProxy()
        return proxy if proxy is not None else self.view.focusProxy()

    def js(self, expression: str) -> Any:
        """Evaluate an expression in the page; what it gives must fit in JSON."""
        answers: list[str] = []
        page = self.view.page
        assert page is not None
        page.runJavaScript(f"JSON.stringify([{expression}])", answers.append)
        self.qtbot.waitUntil(lambda: bool(answers), timeout=PATIENCE)
        return json.loads(answers[0])[0]

    def wait_js(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        self.qtbot.waitUntil(lambda: bool(self.js(expression)), timeout=PATIENCE)

    def position(self, lat: float, lon: float) -> QPoint:
        """Where a place stands in the widget."""
        assert self.at is not None
        cx, cy = mercator(*self.at)
        x, y = mercator(lat, lon, self.at[2])
        return QPoint(round(x - cx + self.view.width() / 2), round(y - cy + self.view.height() / 2))

    def place(self, point: QPoint) -> tuple[float, float]:
        """Latitude and longitude under a point of the widget."""
        assert self.at is not None
        cx, cy = mercator(*self.at)
        return unproject(cx + point.x() - self.view.width() / 2, cy + point.y() - self.view.height() / 2, self.at[2])

    def metres_per_pixel(self) -> float:
        """How much ground one pixel covers."""
        assert self.at is not None
        return 40_075_016.686 * math.cos(math.radians(self.at[0])) / (256 * 2 ** self.at[2])

    def middle_of(self, selector: str) -> QPoint:
        """The middle of an element of the page."""
        x, y = self.js(
            f"(b => [b.left + b.width / 2, b.top + b.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        return QPoint(round(x), round(y))

    def click(self, point: QPoint) -> None:
        """Click with the left button."""
        self.move(point)
        QTest.mouseClick(self.target, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)

    def double_click(self, point: QPoint) -> None:
        """Click twice with the left button."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        self.move(point)
        for press in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            self._send(press, point, left, left)
            self._send(QEvent.Type.MouseButtonRelease, point, left, none)

    def move(self, point: QPoint, buttons: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
        """Move the pointer."""
        self._send(QEvent.Type.MouseMove, point, Qt.MouseButton.NoButton, buttons)

    def drag(self, start: QPoint, end: QPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """Press, move in steps, let go."""
        self.move(start)
        self._send(QEvent.Type.MouseButtonPress, start, button, button)
        for step in range(1, 9):
            point = QPoint(
                round(start.x() + (end.x() - start.x()) * step / 8), round(start.y() + (end.y() - start.y()) * step / 8)
            )
            self.move(point, button)
            QTest.qWait(15)
        self._send(QEvent.Type.MouseButtonRelease, end, button, Qt.MouseButton.NoButton)

    def _send(self, kind: QEvent.Type, point: QPoint, button: Qt.MouseButton, buttons: Qt.MouseButton) -> None:
        where = QPointF(point)
        event = QMouseEvent(
            kind,
            where,
            QPointF(self.target.mapToGlobal(point)),
            button,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.target, event)
