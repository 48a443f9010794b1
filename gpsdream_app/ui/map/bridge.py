"""The one object that the map page and the window share: few slots, every value checked."""

from __future__ import annotations

import logging
import math

from PySide6.QtCore import QObject, Signal, Slot

logger = logging.getLogger(__name__)

LONGEST_ID = 200
LONGEST_ERROR = 2000
HIGHEST_ZOOM = 30


def _number(value: object, low: float, high: float) -> float | None:
    """Return a finite number between two bounds, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value)
    return number if math.isfinite(number) and low <= number <= high else None


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

    place_picked = Signal(float, float)
    heading_picked = Signal(float)
    heading_cleared = Signal()
    result_clicked = Signal(str)
    example_clicked = Signal(int)
    view_changed = Signal(float, float, float)
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
