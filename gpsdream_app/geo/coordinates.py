"""Coordinates as people write and paste them: decimal degrees, degrees-minutes-seconds, hemispheres, geo: URIs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place

MAX_CHARACTERS = 200

_SAME = (
    ("°", "ºᵒ˚∘⁰"),
    ("'", "′’‘ʹʼ´`ꞌ＇"),
    ('"', "″”“„ʺ＂〃"),
    ("-", "−–—‐‑‒﹣"),
    (",", "،、"),
    (";", "；"),
    (" ", "\u00a0\u202f\u2009"),
)
_SYMBOLS = str.maketrans({other: symbol for symbol, others in _SAME for other in others})
_WORDS = (
    (r"latitude|lat\.?", "Φ"),
    (r"longitude|long\.?|lng\.?|lon\.?", "Λ"),
    (r"degrees?|degs?\.?", "°"),
    (r"minutes?|mins?\.?", "'"),
    (r"seconds?|secs?\.?", '"'),
    (r"north|nord|norte", "N"),
    (r"south|süd|sud|sur", "S"),
    (r"east|ost|est|este", "E"),
    (r"west|ouest|oeste", "W"),
)
_TOKEN = re.compile(
    r"""(?P<number>[+-]?\d+(?:\.\d+)?|[+-]?\.\d+)|(?P<mark>[°'":])|(?P<axis>[NSEWΦΛ])|(?P<cut>[,;/])|\s+"""
)
_COMMA_DECIMALS = re.compile(r"(?<![\d.,])([+-]?\d+),(\d+)(?![\d.,])")
_FOUR_COMMAS = re.compile(r"^\s*([+-]?\d{1,3}),(\d+)\s*,\s*([+-]?\d{1,3}),(\d+)\s*$")
_MARKS = {"°": 0, ":": None, "'": 1, '"': 2}


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


@dataclass(slots=True)
class _Angle:
    """One of the two numbers while it is being read: parts in degrees, minutes, seconds; axis N, S, E, W, Φ or Λ."""

    parts: list[str]
    marks: set[str]
    axes: list[str]

    def degrees(self) -> float:
        values = [float(part) for part in self.parts]
        for value, unit in zip(values[1:], ("Minutes", "Seconds"), strict=False):
            if value >= 60:
                raise _bad(f"{unit} must be under 60, not {value:g}.", "For example 40°44'28\"N 73°59'23\"W.")
        size: float = abs(values[0]) + sum(value / 60**power for power, value in enumerate(values[1:], 1))
        negative = self.parts[0].startswith("-")
        hemisphere = next((axis for axis in self.axes if axis in "NSEW"), "")
        if negative and hemisphere:
            raise _bad(f"The number has both a minus sign and the letter {hemisphere}.", "Keep one of the two.")
        return -size if negative or hemisphere in ("S", "W") else size

    @property
    def latitude(self) -> bool | None:
        """Whether the letters say latitude (True) or longitude (False); None if there are none."""
        return self.axes[0] in "NSΦ" if self.axes else None

    @property
    def well_formed(self) -> bool:
        """Whether this is one angle: one to three parts, signs and fractions only where they may stand."""
        return (
            1 <= len(self.parts) <= 3
            and not any(part[0] in "+-" for part in self.parts[1:])
            and not any("." in part for part in self.parts[:-1])
            and len({axis in "NSΦ" for axis in self.axes}) <= 1
            and len([axis for axis in self.axes if axis in "NSEW"]) <= 1
        )


def _normalise(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS)).translate(_SYMBOLS)
    text = text.replace("''", '"').strip().strip("()[]{}<> \t\n")
    for word, symbol in _WORDS:
        text = re.sub(rf"(?<![^\W\d_])(?:{word})(?![^\W\d_])", symbol, text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[\d\s])[dD](?=[\s\d])", "°", text)
    text = re.sub(r"(?<=\d)\s*[mM](?=[\s\d])", "'", text)
    text = re.sub(r"(?<=\d)\s*[sS](?=\s*[NSEWnsew])", '"', text)
    return re.sub(r"([ΦΛ])\s*[:=]", r"\1 ", text.upper())


def _geo_uri(text: str) -> str | None:
    """Return "lat,lon" of a geo: URI (RFC 5870, and the `?q=` of Android); None if it is none of WGS 84."""
    match = re.match(r"geo:\s*([^;?\s]+)((?:;[^?\s]*)?)(?:\?(.*))?$", text.strip(), re.IGNORECASE)
    if not match:
        return None
    where, parameters, query = match.groups()
    crs = re.search(r";crs=([^;]*)", parameters, re.IGNORECASE)
    if crs and crs[1].lower() != "wgs84":
        return None
    asked = re.search(r"(?:^|&)q=([+-]?[\d.]+,[+-]?[\d.]+)", query or "")
    return ",".join((asked[1] if asked else where).split(",")[:2])


def _decimal_points(text: str) -> str:
    """Turn decimal commas into points where nothing else can be meant."""
    if "." in text:
        return text
    four = _FOUR_COMMAS.match(text)
    if four:
        return f"{four[1]}.{four[2]}, {four[3]}.{four[4]}"
    rest = _COMMA_DECIMALS.sub("", text)
    if len(_COMMA_DECIMALS.findall(text)) == 2 and not re.search(r"\d", rest):
        return _COMMA_DECIMALS.sub(r"\1.\2", text)
    # Degrees and minutes with a decimal comma in the last part: 40°44'28,5"N 73°59'23,5"W.
    return re.sub(r"(\d),(\d+)(?=\s*['\"])", r"\1.\2", text)


def _read(text: str) -> list[tuple[str, str]] | None:
    """Return (kind, text) of every token; None at the first thing that has no place in coordinates."""
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            return None
        if match.lastgroup:
            tokens.append((match.lastgroup, match.group()))
        position = match.end()
    return tokens


def _split(tokens: list[tuple[str, str]]) -> int | None:
    """Return the index of the token where the second angle begins; None if that cannot be told."""
    cuts = [i for i, (kind, _) in enumerate(tokens) if kind == "cut"]
    if cuts:
        return cuts[0] if len(cuts) == 1 else None
    axes = [i for i, (kind, _) in enumerate(tokens) if kind == "axis"]
    if axes:
        if axes[0] > 0:
            return axes[0] + 1
        return axes[1] if len(axes) > 1 else None
    numbers = [i for i, (kind, _) in enumerate(tokens) if kind == "number"]
    degrees = [i for i, (_, text) in enumerate(tokens) if text == "°"]
    if len(degrees) == 2:
        return max(i for i in numbers if i < degrees[1])
    signed = [i for i in numbers[1:] if tokens[i][1][0] in "+-"]
    if len(signed) == 1:
        return signed[0]
    if len(numbers) == 2 and all("." in tokens[i][1] for i in numbers):
        return numbers[1]
    return None


def _angle(tokens: list[tuple[str, str]]) -> _Angle | None:
    angle = _Angle([], set(), [])
    for index, (kind, text) in enumerate(tokens):
        if kind == "number":
            angle.parts.append(text)
        elif kind == "mark":
            place = _MARKS[text]
            if not angle.parts or (place is not None and place != len(angle.parts) - 1):
                return None
            angle.marks.add(text)
        elif kind == "axis":
            if angle.parts and any(later == "number" for later, _ in tokens[index:]):
                return None
            angle.axes.append(text)
    return angle if angle.well_formed else None


def parse_coordinates(text: str) -> tuple[float, float] | None:
    """Read coordinates out of what a person typed or pasted.

    Understands "40.7411, -73.9897", "40.7411 N 73.9897 W", "N40°44.47' W73°59.38'", "40°44'28\\"N 73°59'23\\"W"
    with every kind of degree sign and prime, "40 44 28 N, 73 59 23 W", "40,7411; -73,9897",
    "lat 40.7411 lon -73.9897" and "geo:40.7411,-73.9897". Latitude comes first unless letters say otherwise.

    Args:
        text: anything.

    Returns:
        (latitude, longitude) in degrees, or None if the text is not about coordinates.

    Raises:
        GPSDreamError: of kind `bad_location` if these are coordinates, but of no place on the Earth.
    """
    if len(text) > MAX_CHARACTERS or not any(character.isdigit() for character in text):
        return None
    uri = text.strip().lower().startswith("geo:")
    if uri:
        place = _geo_uri(text)
        if place is None:
            return None
        text = place
    text = _decimal_points(_normalise(text))
    tokens = _read(text)
    if tokens is None:
        return None
    middle = _split(tokens)
    if middle is None:
        return None
    first, second = _angle(tokens[:middle]), _angle(tokens[middle:])
    if first is None or second is None:
        return None
    letters = len(first.axes) + len(second.axes)
    plain = len(first.parts) == len(second.parts) == 1 and not first.marks | second.marks
    whole = plain and not any("." in angle.parts[0] for angle in (first, second))
    if whole and (letters == 1 or "/" in text):
        return None  # "5 E 23" and "5/23" are street corners.
    if first.latitude is not None and first.latitude == second.latitude:
        axis = "latitudes" if first.latitude else "longitudes"
        raise _bad(f"Both numbers are {axis}.", "Give one with N or S and one with E or W.")
    if first.latitude is False or second.latitude is True:
        first, second = second, first
    lat, lon = first.degrees(), second.degrees()
    if abs(lat) > 90 >= abs(lon) and abs(lat) <= 180:
        raise _bad(f"Latitude {lat:g} is outside -90 to 90 degrees.", "Latitude comes first: try the other order.")
    place_there = Place(lat, lon)
    return place_there.lat, place_there.lon


def _sexagesimal(value: float, positive: str, negative: str) -> str:
    # Tenths of seconds as one whole number, so that 59.96" carries over into the minutes.
    tenths = round(abs(value) * 36_000)
    minutes, tenths = divmod(tenths, 600)
    degrees, minutes = divmod(minutes, 60)
    return f"{degrees}°{minutes:02d}′{tenths / 10:04.1f}″{negative if value < 0 else positive}"


def format_coordinates(lat: float, lon: float, style: Literal["decimal", "dms"] = "decimal") -> str:
    """Write coordinates in degrees so that `parse_coordinates` reads them back.

    Args:
        lat: latitude in degrees.
        lon: longitude in degrees.
        style: "decimal" gives "40.74110, -73.98970" (to about a metre),
            "dms" gives "40°44′28.0″N 73°59′22.9″W" (to 3 m).
    """
    if style == "dms":
        return f"{_sexagesimal(lat, 'N', 'S')} {_sexagesimal(lon, 'E', 'W')}"
    # Adding zero turns -0.0 into 0.0.
    return f"{round(lat, 5) + 0.0:.5f}, {round(lon, 5) + 0.0:.5f}"
