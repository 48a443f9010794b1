"""Landmarks: where they stand, which way they face, how large they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place


@dataclass(frozen=True, slots=True)
class Landmark:
    """A building that is photographed from all round.

    Geometry about it is in metres, east-north-up, with the landmark's foot at the origin. An azimuth says where a
    camera stands seen from the foot, in degrees clockwise from north; the photo's heading is azimuth + 180.

    Attributes:
        id: letters, digits and hyphens, such as "flatiron".
        name: as in a sentence after "A photo of", such as "the Flatiron Building".
        lat: latitude of its foot in degrees.
        lon: longitude of its foot in degrees.
        heading: the way its own front faces, in degrees clockwise from north, 0 <= heading < 360.
        height: in metres above the ground, antennas included.
        city: where it stands, for lists.

    Raises:
        GPSDreamError: of kind `bad_location` or `bad_request` with a sentence.
    """

    id: str
    name: str
    lat: float
    lon: float
    heading: float
    height: float
    city: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, f"A landmark's id has small letters, digits and hyphens, not {self.id[:40]!r}."
            )
        place = Place(self.lat, self.lon, self.heading)
        object.__setattr__(self, "heading", place.heading)
        if not 0.1 <= self.height <= 2000:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A landmark is 0.1 to 2,000 m high, not {self.height}.")

    @property
    def place(self) -> Place:
        """Its foot."""
        return Place(self.lat, self.lon, None, self.title)

    @property
    def title(self) -> str:
        """The name as a title stands: "Flatiron Building"."""
        short = self.name.removeprefix("the ")
        return short[:1].upper() + short[1:]

    @property
    def prompt(self) -> str:
        """The words that name it to a model (the paper's wording)."""
        return f"A photo of {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the landmark as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Landmark:
        """Read what `to_dict` wrote; unknown keys are ignored. Raises GPSDreamError for bad values."""
        values = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        texts = all(isinstance(values.get(key, ""), str) for key in ("id", "name", "city"))
        numbers = (values.get(key) for key in ("lat", "lon", "heading", "height"))
        if not texts or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The landmark is incomplete.")
        return cls(**values)


# The five whose shape is known: gpsdream_app.landmarks models them, and names the sources of their dimensions.
LANDMARKS = (
    # Its decorated north front looks up Fifth Avenue; Manhattan's avenues run 29 degrees east of north.
    Landmark("washington-square-arch", "the Washington Square Arch", 40.731236, -73.997103, 29.0, 22.4, "New York"),
    # The prow looks along the bisector of Fifth Avenue and Broadway.
    Landmark("flatiron", "the Flatiron Building", 40.741061, -73.989699, 16.25, 86.9, "New York"),
    # Its entrance is on Fifth Avenue.
    Landmark("empire-state-building", "the Empire State Building", 40.748433, -73.985656, 119.0, 443.2, "New York"),
    # Towards the Champs-Elysees: the bearing from here to the obelisk on the Place de la Concorde.
    Landmark("arc-de-triomphe", "the Arc de Triomphe", 48.873792, 2.295028, 115.8, 49.54, "Paris"),
    # Round, so its front is the side to which it leans.
    Landmark("leaning-tower-of-pisa", "the Leaning Tower of Pisa", 43.722952, 10.396597, 180.0, 56.67, "Pisa"),
)


def landmark(name: str) -> Landmark:
    """Return one of `LANDMARKS` by its id, its name or the beginning of its id.

    Raises:
        GPSDreamError: if there is none or more than one.
    """
    plain = re.sub(r"[\s_]+", "-", name.strip().lower().removeprefix("the "))
    exact = [known for known in LANDMARKS if plain in (known.id, known.title.lower().replace(" ", "-"))]
    found = exact or [known for known in LANDMARKS if plain and plain in known.id]
    if len(found) != 1:
        ids = ", ".join(known.id for known in LANDMARKS)
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"There is no landmark {name[:40]!r}.", f"Choose one of {ids}.")
    return found[0]
