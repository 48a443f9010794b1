"""What a model is compared with: the nearest real photo, words alone, words with an address; and ablations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.statistics import Floats
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.geo.gazetteer import Gazetteer


class Row(StrEnum):
    """A row of the table of scores (Table 1 of the paper, and ablations)."""

    NEAREST_PHOTO = "nearest photo"
    TEXT_ONLY = "text only"
    TEXT_AND_ADDRESS = "text + address"
    OURS = "ours"
    OURS_WITHOUT_TEXT = "ours, without text"
    OURS_WITHOUT_HEADING = "ours, without heading"
    ADDRESS_ONLY = "address alone"
    REAL_PHOTO = "the real photo"


FOUND_ROWS = (Row.NEAREST_PHOTO, Row.REAL_PHOTO)


@dataclass(frozen=True, slots=True)
class Question:
    """Words and a place of the evaluation set.

    Attributes:
        prompt: words.
        place: where.
        source: name of the photograph that they are from; may be empty.
    """

    prompt: str
    place: Place
    source: str = ""


def prompt_with_address(prompt: str, address: str) -> str:
    """Words and an address in one prompt; the address alone if there are no words."""
    words = prompt.strip().rstrip(".,;")
    return f"{words}, {address}" if words else address


def address_of(gazetteer: Gazetteer, place: Place) -> str:
    """Street, cross street and city of a place, offline: what a reverse geocoder would answer."""
    found = gazetteer.describe(place.lat, place.lon)
    city = gazetteer.city.name
    return found if city in found else f"{found}, {city}"


def conditions_of(row: Row, question: Question, address: Callable[[Place], str]) -> tuple[str, Place | None]:
    """What a row gives to the model for a question.

    Args:
        row: of the table; not one of photos, which are no drawings.
        question: words and place.
        address: of a place, as words.

    Returns:
        (prompt, place); no place means that the location tokens are zero.
    """
    prompt, place = question.prompt, question.place
    match row:
        case Row.TEXT_ONLY:
            return prompt, None
        case Row.TEXT_AND_ADDRESS:
            return prompt_with_address(prompt, address(place)), None
        case Row.OURS:
            return prompt, place
        case Row.OURS_WITHOUT_TEXT:
            return "", place
        case Row.OURS_WITHOUT_HEADING:
            return prompt, Place(place.lat, place.lon, None, place.name)
        case Row.ADDRESS_ONLY:
            return address(place), None
        case Row.NEAREST_PHOTO | Row.REAL_PHOTO:
            raise ValueError(f"{row} is found, not drawn")


class NearestPhotos:
    """Finds the training photo that was taken nearest to a place.

    Where both headings are known, photos that look the other way (more than 90 degrees off) come last: on a street
    they show its other side.
    """

    def __init__(
        self, lat: ArrayLike, lon: ArrayLike, heading: ArrayLike | None = None, sources: ArrayLike | None = None
    ) -> None:
        """Take in the photos.

        Args:
            lat, lon: (photos,), degrees.
            heading: (photos,), degrees; NaN where not known; None for none at all.
            sources: (photos,), names of the photographs, so that a question's own can be left out.

        Raises:
            ValueError: if there are none.
        """
        lats, lons = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
        if lats.ndim != 1 or not len(lats) or lats.shape != lons.shape:
            raise ValueError("there must be photos, each with a latitude and a longitude")
        self._frame = LocalFrame(float(lats.mean()), float(lons.mean()))
        self._east, self._north = self._frame.to_metres(lats, lons)
        self._heading: Floats = np.full(len(lats), np.nan) if heading is None else np.asarray(heading, dtype=np.float64)
        self._sources: NDArray[np.str_] = (
            np.full(len(lats), "") if sources is None else np.asarray(sources, dtype=np.str_)
        )
        if not len(self._heading) == len(self._sources) == len(lats):
            raise ValueError("there must be one heading and one source for each photo")

    def find(self, place: Place, *, leave_out: str = "") -> tuple[int, float]:
        """Return the number of the nearest photo and its distance in metres.

        Args:
            place: where.
            leave_out: source whose photos do not count.

        Raises:
            ValueError: if no photo is left.
        """
        east, north = self._frame.to_metres(place.lat, place.lon)
        metres = np.hypot(self._east - east, self._north - north)
        allowed = self._sources != leave_out if leave_out else np.ones(len(metres), dtype=bool)
        if not allowed.any():
            raise ValueError("no photo is left to be the nearest")
        if place.heading is not None:
            turn = np.abs((self._heading - place.heading + 180) % 360 - 180)
            # Unknown headings (NaN) compare as false, and so are not against it.
            agreeing = allowed & ~(turn > 90)
            allowed = agreeing if agreeing.any() else allowed
        nearest = int(np.argmin(np.where(allowed, metres, np.inf)))
        return nearest, float(metres[nearest])
