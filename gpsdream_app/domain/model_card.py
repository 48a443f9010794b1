"""The card of a model (gpsdream.json): what it is, what it has seen, how to use it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.domain.places import Box, Place

CARD_FILE = "gpsdream.json"
CARD_SCHEMA = 1
METRES_PER_DEGREE = 111_194.93  # of latitude, on a sphere of radius 6,371.0 km

PLACES, LANDMARKS = "places", "landmarks"  # kinds of models


@dataclass(frozen=True, slots=True)
class Example:
    """A place and words that show the model well."""

    place: Place
    prompt: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many training photos the model has seen per grid cell.

    Attributes:
        south: latitude of the lower edge of row 0, degrees.
        west: longitude of the left edge of column 0, degrees.
        cell_lat: height of a cell, degrees.
        cell_lon: width of a cell, degrees.
        cells: (row, column, photos) of every cell that is not empty.
    """

    south: float
    west: float
    cell_lat: float
    cell_lon: float
    cells: tuple[tuple[int, int, int], ...]

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """Latitude and longitude of a cell's middle, degrees."""
        return self.south + (row + 0.5) * self.cell_lat, self.west + (column + 0.5) * self.cell_lon

    def distance(self, lat: float, lon: float) -> float | None:
        """Metres from a point to the nearest edge of a cell that holds photos; 0 inside one, None if empty."""
        return min((self._metres(row, column, lat, lon) for row, column, _ in self.cells), default=None)

    def nearest(self, lat: float, lon: float) -> tuple[float, float] | None:
        """Latitude and longitude of the middle of the nearest cell that holds photos, degrees; None if empty."""
        cell = min(self.cells, key=lambda cell: self._metres(cell[0], cell[1], lat, lon), default=None)
        return self.centre(cell[0], cell[1]) if cell else None

    def _metres(self, row: int, column: int, lat: float, lon: float) -> float:
        cell_lat, cell_lon = self.centre(row, column)
        north = max(0.0, abs(lat - cell_lat) - self.cell_lat / 2) * METRES_PER_DEGREE
        east = max(0.0, abs(lon - cell_lon) - self.cell_lon / 2) * METRES_PER_DEGREE * math.cos(math.radians(lat))
        return math.hypot(north, east)


@dataclass(frozen=True, slots=True)
class KnownLandmark:
    """A landmark that a model draws.

    Attributes:
        landmark: which.
        photos: how many photos of it were learned from each of the 36 bins of azimuth; see geo.azimuth.
    """

    landmark: Landmark
    photos: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What gpsdream.json says. Every choice that the paper leaves open stands in `choices`.

    Attributes:
        name: file-system-safe name, for example `fifth-avenue-1911`.
        title: the name that people see.
        description: a sentence or two about what the model draws.
        city: id of a city file (`manhattan`), or empty.
        box: the box that the location encoder normalises by.
        image_size: side of a picture in pixels.
        has_heading: whether the model knows headings.
        defaults: settings to start with: steps, text_guidance, place_guidance and what sampling needs; under "average"
            those that are others for averages over places.
        examples: places and words that show the model well.
        words: words that it has learned, for the chips in the form.
        coverage: where it has seen photos; None if not known.
        choices: settings of the encoder, losses and whatever else the paper leaves open.
        training: data, source, licence, photos, steps, samples seen, hardware, dates.
        scores: measured figures, each with what it was measured on.
        licence: of the weights.
        kind: "places" for pictures of places in a city, "landmarks" for views of landmarks from all sides.
        landmarks: what a model of landmarks knows.
        framing: how landmarks stand in its pictures, all taken by a level camera: "foot" and "height" (row of the foot
            and height of the landmark as shares of the picture's height), "width" (at most), "distance" (in heights,
            where foot and top stand exactly there), "eye" (of the camera over the foot, metres), "background" (sRGB, 0
            to 1), and under "landmarks" what differs for single ones, by id. Empty for a model of places.
    """

    name: str
    title: str
    description: str
    box: Box
    image_size: int
    city: str = ""
    has_heading: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    words: tuple[str, ...] = ()
    coverage: Coverage | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    kind: str = PLACES
    landmarks: tuple[KnownLandmark, ...] = ()
    framing: Mapping[str, Any] = field(default_factory=dict)

    def known_landmark(self, landmark_id: str) -> KnownLandmark | None:
        """What it knows of a landmark; None if it does not know it."""
        return next((known for known in self.landmarks if known.landmark.id == landmark_id), None)

    @property
    def average_defaults(self) -> dict[str, Any]:
        """The defaults for averages over places."""
        others = self.defaults.get("average")
        return {**self.defaults, **(others if isinstance(others, Mapping) else {})}

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Single words that its training captions contained often enough; empty if not known."""
        words = self.choices.get("vocabulary") if isinstance(self.choices, Mapping) else None
        return tuple(str(word) for word in words) if isinstance(words, (list, tuple)) else ()

    def to_json(self) -> str:
        """Return the text of gpsdream.json."""
        data: dict[str, Any] = {"schema": CARD_SCHEMA}
        for name in self.__dataclass_fields__:
            data[name] = getattr(self, name)
        data["box"] = self.box.to_dict()
        data["examples"] = [{"place": item.place.to_dict(), "prompt": item.prompt} for item in self.examples]
        if self.coverage:
            data["coverage"] = {
                "south": self.coverage.south,
                "west": self.coverage.west,
                "cell_lat": self.coverage.cell_lat,
                "cell_lon": self.coverage.cell_lon,
                "cells": [list(cell) for cell in self.coverage.cells],
            }
        data["landmarks"] = [{**known.landmark.to_dict(), "photos": list(known.photos)} for known in self.landmarks]
        if self.kind == PLACES:
            # Cards of places stay as they were, and older programs read them.
            for name in ("kind", "landmarks", "framing"):
                del data[name]
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read gpsdream.json. Raises GPSDreamError of kind `model_corrupt` if it is not a card."""
        try:
            data = json.loads(text)
            if data["schema"] > CARD_SCHEMA:
                raise GPSDreamError(
                    ErrorKind.MODEL_CORRUPT,
                    "The model was made by a newer GPSDream.",
                    "Update GPSDream to open it.",
                )
            values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
            values["box"] = Box.from_dict(data["box"])
            values["examples"] = tuple(
                Example(Place.from_dict(item["place"]), str(item["prompt"])) for item in data.get("examples", ())
            )
            values["words"] = tuple(str(word) for word in data.get("words", ()))
            coverage = data.get("coverage")
            if coverage is not None:
                cells = tuple((int(r), int(c), int(n)) for r, c, n in coverage["cells"])
                south, west, cell_lat, cell_lon = (
                    float(coverage[key]) for key in ("south", "west", "cell_lat", "cell_lon")
                )
                values["coverage"] = Coverage(south, west, cell_lat, cell_lon, cells)
            values["kind"] = str(data.get("kind", PLACES))
            values["landmarks"] = tuple(_known(one) for one in data.get("landmarks", ()))
            values["framing"] = dict(data.get("framing") or {})
            return cls(**values)
        except GPSDreamError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"The model's card ({CARD_FILE}) cannot be read.",
                "Install the model again.",
                details=repr(error),
            ) from None


def _known(data: Mapping[str, Any]) -> KnownLandmark:
    return KnownLandmark(Landmark.from_dict(data), tuple(int(count) for count in data["photos"]))
