"""Names to places and back: search for corners, landmarks, parks and neighbourhoods, and say where a point is."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, shape
from shapely.ops import linemerge, nearest_points

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.coordinates import format_coordinates, parse_coordinates
from gpsdream_app.geo.frames import LocalFrame, distance

HitKind = Literal["coordinates", "crossing", "landmark", "neighbourhood", "park", "street"]

_STREET_ORDER = ("broadway", "avenue", "street", "parkway")
_KIND_ORDER: tuple[HitKind, ...] = ("coordinates", "crossing", "park", "landmark", "neighbourhood", "street")
MAX_QUERY_CHARACTERS = 200
# Streets that end a carriageway's width before the one they meet still make a corner.
REACH = 25.0
# One corner may have several crossing points where a street has two roadways or a bend.
SAME_CORNER = 60.0
AT_THE_CORNER = 45.0
NEAR_THE_CORNER = 170.0
IN_THE_ROADWAY = 20.0
FAR = 100_000.0

_TYPES = {
    "st": "street",
    "str": "street",
    "street": "street",
    "av": "avenue",
    "ave": "avenue",
    "aven": "avenue",
    "avenue": "avenue",
    "blvd": "boulevard",
    "boul": "boulevard",
    "boulevard": "boulevard",
    "pl": "place",
    "place": "place",
    "plz": "plaza",
    "plaza": "plaza",
    "sq": "square",
    "square": "square",
    "dr": "drive",
    "drive": "drive",
    "pkwy": "parkway",
    "pky": "parkway",
    "parkway": "parkway",
    "rd": "road",
    "road": "road",
    "ter": "terrace",
    "terr": "terrace",
    "terrace": "terrace",
    "hwy": "highway",
    "highway": "highway",
    "slip": "slip",
    "lane": "lane",
    "ln": "lane",
    "alley": "alley",
}
_DIRECTIONS = {
    "e": "east",
    "east": "east",
    "w": "west",
    "west": "west",
    "n": "north",
    "north": "north",
    "s": "south",
    "south": "south",
}
_WORDS = {
    "bway": "broadway",
    "bdwy": "broadway",
    "bldg": "building",
    "sq": "square",
    "pk": "park",
    "mt": "mount",
    "ctr": "center",
    "centre": "center",
    "saint": "st",
    "ft": "fort",
    "hts": "heights",
    "jr": "jr",
}
_UNITS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEENS = (
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
)
_TENS = ("twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet")
_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_CONNECTORS = (
    re.compile(r"\s*(?:[&@+/,;]|\band\b|\bat\b)\s*"),
    re.compile(r"\s+(?:x|-|near|by)\s+"),
)
_BETWEEN = re.compile(r"^(.+?)\s+(?:between|btwn?|bet)\s+(.+?)\s*(?:&|\band\b)\s*.+$")
_LEADING = re.compile(
    r"^(?:the\s+)?(?:(?:north|south|east|west|ne|nw|se|sw)*\s*corner\s+of|intersection\s+of|crossing\s+of|at|on|near)\s+"
)
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)?$")


def _number_words() -> dict[str, str]:
    words = {word: str(value) for value, word in enumerate((*_UNITS, *_TEENS), 1)}
    words |= {word: str(value) for value, word in enumerate(_CARDINALS, 1)}
    for index, stem in enumerate(_TENS, 2):
        words[f"{stem}ieth"] = words[f"{stem}y"] = str(10 * index)
        for unit, word in enumerate(_UNITS, 1):
            words[f"{stem}y{word}"] = str(10 * index + unit)
    return words


_NUMBERS = _number_words()
_ORDINAL_WORDS = [word for word in _NUMBERS if word.endswith(("first", "second", "third", "th"))]


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a search.

    Attributes:
        name: as people say it, such as "Fifth Avenue & E 23rd St".
        kind: what it is.
        lat: latitude in degrees.
        lon: longitude in degrees.
    """

    name: str
    kind: HitKind
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class _Name:
    """A name cut up for comparison.

    Attributes:
        words: its words without a street's direction and type.
        joined: these words with spaces between them.
        direction: east, west, north, south or empty.
        sort: street, avenue and so on, or empty.
        numbered: whether a digit is among the words.
    """

    words: tuple[str, ...]
    joined: str
    direction: str
    sort: str
    numbered: bool


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text, lower case, without accents; numbers as digits, abbreviations written out."""
    text = unicodedata.normalize("NFKD", text.lower())
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = re.sub(r"['’.]", "", text)
    found: list[str] = []
    for word in re.findall(r"[a-z]+|\d+(?:st|nd|rd|th)?\b|\d+", text):
        ordinal = _ORDINAL.match(word)
        if ordinal:
            found.append(str(int(ordinal[1])))
        elif word in _NUMBERS:
            value = _NUMBERS[word]
            # "twenty third", "twenty-third"
            if found and len(value) == 1 and len(found[-1]) == 2 and found[-1].endswith("0") and found[-1].isdigit():
                value = str(int(found.pop()) + int(value))
            found.append(value)
        else:
            found.append(_WORDS.get(word, word))
    return tuple(found)


def _street_words(text: str) -> tuple[str, ...]:
    """Return the words of a street's name with its direction and type written out; a leading St is a saint."""
    words = list(_words(text))
    for index, word in enumerate(words):
        last_word = index > 0 and not (index == 1 and words[0] in _DIRECTIONS)
        if word in _TYPES and (last_word or word not in ("st", "pl", "dr")):
            words[index] = _TYPES[word]
        elif index == 0 and len(words) > 1 and word in _DIRECTIONS:
            words[index] = _DIRECTIONS[word]
    return tuple(words)


def _name(text: str, *, street: bool) -> _Name:
    words = _street_words(text) if street else _words(text)
    direction = words[0] if street and len(words) > 1 and words[0] in _DIRECTIONS.values() else ""
    kind = words[-1] if street and words and words[-1] in _TYPES.values() else ""
    core = words[1 if direction else 0 : len(words) - 1 if kind and len(words) > 1 else len(words)]
    joined = " ".join(core or words)
    return _Name(core or words, joined, direction, kind, any(character.isdigit() for character in joined))


def _likeness(a: str, b: str, floor: float = 0.72) -> float:
    """Return how alike two texts are, 0 to 1; 0 if below the floor."""
    if 2 * min(len(a), len(b)) < floor * (len(a) + len(b)):
        return 0.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.quick_ratio() < floor:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= floor else 0.0


def _text_score(asked: _Name, name: _Name) -> float:
    """Return how well the asked words fit a name, 0 to 1: all of it, its beginning, or words of it."""
    if asked.joined == name.joined:
        return 1.0
    if name.joined.startswith(asked.joined):
        if asked.numbered or name.numbered:
            # 23 is not the beginning of 230.
            return 0.9 if name.joined[len(asked.joined)] == " " else 0.0
        return 0.92 if len(asked.joined) >= 3 else 0.8
    if asked.numbered or name.numbered or len(asked.joined) < 3 or len(asked.words) > len(name.words):
        return 0.0
    for word in asked.words:
        if not any(own.startswith(word) if len(word) > 1 else own == word for own in name.words):
            return 0.0
    return 0.86


def _misspelt_score(asked: _Name, name: _Name) -> float:
    """Return how well words with wrong letters fit a name, 0 to 0.85; numbers and single letters are never guessed."""
    if asked.numbered or name.numbered or len(asked.joined) < 4:
        return 0.0
    if any(len(word) == 1 and word not in name.words for word in asked.words):
        return 0.0
    return 0.85 * _likeness(asked.joined.replace(" ", ""), name.joined.replace(" ", ""))


def _label(geometry: Any) -> tuple[float, float]:
    """Return a point on a geometry by which to find it: the middle of a line, a point well within an area."""
    line = geometry.geom_type == "LineString"
    point = geometry.interpolate(0.5, normalized=True) if line else geometry.representative_point()
    return point.x, point.y


def _short(name: str) -> str:
    """Return a numbered street's name as signs write it: "E 23rd St"; other names stay whole."""
    match = re.match(r"^(East|West) (\d+(?:st|nd|rd|th)) Street$", name)
    return f"{match[1][0]} {match[2]} St" if match else name


@dataclass(frozen=True, slots=True)
class _Street:
    name: str
    kind: str
    major: bool
    line: Any
    names: tuple[_Name, ...]


@dataclass(frozen=True, slots=True)
class _Thing:
    name: str
    kind: HitKind
    point: tuple[float, float]
    names: tuple[_Name, ...]


class Gazetteer:
    """Search and description for one city. Building it takes some tenths of a second; afterwards it is only read."""

    def __init__(self, city: CityMap) -> None:
        self.city = city
        self._frame = LocalFrame(*city.centre)
        self._streets = self._read_streets()
        self._things = self._read_things()
        self._vocabulary = {word for street in self._streets for name in street.names for word in name.words}
        self._corners: dict[tuple[int, int], list[tuple[float, float]]] = {}
        self._find_corners()
        places = [(x, y) for points in self._corners.values() for x, y in points]
        self._corner_names = [pair for pair, points in self._corners.items() for _ in points]
        self._corner_points: NDArray[np.float64] = np.array(places, dtype=np.float64).reshape(-1, 2)
        self._land = [
            (feature["properties"]["name"], feature["properties"].get("kind", ""), self._shape(feature))
            for feature in city.features("land")
        ]
        self._parks = [(feature["properties"]["name"], self._shape(feature)) for feature in city.features("parks")]
        self._neighbourhoods = [
            (feature["properties"]["name"], self._shape(feature)) for feature in city.features("neighbourhoods")
        ]

    def _shape(self, feature: dict[str, Any]) -> Any:
        """Return a feature's geometry in metres of the city's frame."""
        return shapely.transform(shape(feature["geometry"]), self._metres)

    def _metres(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows of (east, north) in metres for rows of (longitude, latitude) in degrees."""
        return np.column_stack(self._frame.to_metres(points[:, 1], points[:, 0]))

    def _read_streets(self) -> list[_Street]:
        lines: dict[str, list[Any]] = defaultdict(list)
        properties: dict[str, dict[str, Any]] = {}
        for feature in self.city.features("streets"):
            name = feature["properties"]["name"]
            properties.setdefault(name, feature["properties"])
            lines[name].append(self._shape(feature))
        streets = []
        for name, parts in lines.items():
            own = properties[name]
            merged = parts[0] if len(parts) == 1 else linemerge(parts)
            names = tuple(_name(text, street=True) for text in (name, *own.get("also", ())))
            streets.append(_Street(name, own["kind"], bool(own["major"]), merged, names))
        return streets

    def _read_things(self) -> list[_Thing]:
        things = []
        layers: tuple[tuple[str, HitKind], ...] = (
            ("landmarks", "landmark"),
            ("parks", "park"),
            ("water", "park"),
            ("bridges", "landmark"),
            ("neighbourhoods", "neighbourhood"),
        )
        seen: set[tuple[str, str]] = set()
        for layer, kind in layers:
            for feature in self.city.features(layer):
                properties = feature["properties"]
                river = layer == "water" and feature["geometry"]["type"] == "LineString"
                if river or (properties["name"], kind) in seen:
                    continue
                seen.add((properties["name"], kind))
                lon, lat = properties.get("label") or _label(shape(feature["geometry"]))
                names = tuple(_name(text, street=False) for text in (properties["name"], *properties.get("also", ())))
                things.append(_Thing(properties["name"], kind, (lat, lon), names))
        return things

    def _find_corners(self) -> None:
        lines = [street.line for street in self._streets]
        tree = shapely.STRtree(lines)
        first, second = tree.query(lines, predicate="dwithin", distance=REACH)
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            if i >= j or self._same(self._streets[i], self._streets[j]):
                continue
            points = self._meeting_points(lines[i], lines[j])
            if points:
                self._corners[i, j] = points

    @staticmethod
    def _same(a: _Street, b: _Street) -> bool:
        """Whether two streets are halves of one, or names for one, and so make no corner."""
        return bool({(name.joined, name.sort) for name in a.names} & {(name.joined, name.sort) for name in b.names})

    @staticmethod
    def _meeting_points(a: Any, b: Any) -> list[tuple[float, float]]:
        """Return the points in metres where two lines meet, one for each corner."""
        met = a.intersection(b)
        parts = [part for part in getattr(met, "geoms", [met]) if not part.is_empty]
        points = [part if isinstance(part, Point) else part.centroid for part in parts]
        if not points:
            near, other = nearest_points(a, b)
            points = [LineString([near, other]).centroid if near.distance(other) > 0 else near]
        kept: list[tuple[float, float]] = []
        for point in points:
            if all(np.hypot(point.x - x, point.y - y) > SAME_CORNER for x, y in kept):
                kept.append((point.x, point.y))
        return kept

    # Search

    def search(self, query: str, limit: int = 8) -> list[Hit]:
        """Return what a query may mean, best first.

        Understands coordinates, corners in many spellings ("5th av and 23", "Fifth Ave & East 23rd Street", "w 8 st & 5
        av"), streets, landmarks, parks and neighbourhoods, with small mistakes in the letters but never in numbers.

        Args:
            query: what a person typed; anything else than text of sensible length finds nothing.
            limit: at most so many hits.

        Returns:
            Hits without two of the same name; empty if nothing fits. Coordinates outside the Earth find nothing:
            `parse_coordinates` says why.
        """
        query = query.strip()
        if not query or len(query) > MAX_QUERY_CHARACTERS or limit < 1:
            return []
        try:
            place = parse_coordinates(query)
        except GPSDreamError:
            return []
        if place is not None:
            return [Hit(format_coordinates(*place), "coordinates", *place)]
        scored = [*self._search_things(query), *self._search_corners(query), *self._search_streets(query)]
        scored.sort(key=lambda item: (-item[0], _KIND_ORDER.index(item[1].kind), len(item[1].name), item[1].name))
        hits: list[Hit] = []
        for _, hit in scored:
            if all(hit.name != other.name for other in hits):
                hits.append(hit)
            if len(hits) == limit:
                break
        return hits

    def _search_things(self, query: str) -> list[tuple[float, Hit]]:
        asked = _name(query.lower().removeprefix("the "), street=False)
        if not asked.words:
            return []
        for score_of in (_text_score, _misspelt_score):
            scores = [max(score_of(asked, name) for name in thing.names) for thing in self._things]
            if any(scores):
                break
        return [
            (score, Hit(thing.name, thing.kind, *thing.point))
            for thing, score in zip(self._things, scores, strict=True)
            if score
        ]

    def _search_streets(self, query: str) -> list[tuple[float, Hit]]:
        found = []
        for index, score in self._matching_streets(query).items():
            street = self._streets[index]
            longest = max(getattr(street.line, "geoms", [street.line]), key=lambda part: part.length)
            middle = longest.interpolate(0.5, normalized=True)
            lat, lon = self._frame.to_degrees(middle.x, middle.y)
            found.append((score - (0.04 if street.major else 0.06), Hit(street.name, "street", lat, lon)))
        return found

    def _matching_streets(self, text: str) -> dict[int, float]:
        """Return how well each street fits a text, by index into the list of streets; only those that fit."""
        asked = _name(text, street=True)
        if not asked.words or (asked.words[0] in _TYPES.values() and len(asked.words) == 1):
            return {}
        fits = self._fitting_streets(asked, _text_score)
        if not fits and any(word.isalpha() for word in asked.words):
            corrected = _name(" ".join(self._ordinal_meant(word) for word in text.lower().split()), street=True)
            fits = self._fitting_streets(corrected, _text_score) if corrected != asked else {}
            fits = fits or self._fitting_streets(asked, _misspelt_score)
        return fits

    def _ordinal_meant(self, word: str) -> str:
        """Return the ordinal that a misspelt word means ("fith": "fifth"), or the word itself."""
        if len(word) < 4 or not word.isalpha() or word in self._vocabulary:
            return word
        return next(iter(get_close_matches(word, _ORDINAL_WORDS, n=1, cutoff=0.8)), word)

    def _fitting_streets(self, asked: _Name, score_of: Callable[[_Name, _Name], float]) -> dict[int, float]:
        fits = {}
        for index, street in enumerate(self._streets):
            best = 0.0
            for name in street.names:
                score = score_of(asked, name)
                if not score or (asked.direction and name.direction and asked.direction != name.direction):
                    continue
                if asked.direction and not name.direction:
                    score *= 0.6
                if asked.sort and name.sort and asked.sort != name.sort:
                    # 5th Street is not 5th Avenue; but Houston is a street, whatever people call it.
                    if asked.joined.isdigit():
                        continue
                    score *= 0.85
                elif asked.sort != name.sort:
                    score *= 0.97
                best = max(best, score)
            if best >= 0.5:
                fits[index] = best
        return fits

    def _search_corners(self, query: str) -> list[tuple[float, Hit]]:
        text = _LEADING.sub("", query.lower().strip())
        between = _BETWEEN.match(text)
        if between:
            text = f"{between[1]} & {between[2]}"
        for connector in _CONNECTORS:
            sides = [side for side in connector.split(text) if side.strip()]
            if len(sides) > 1:
                break
        if len(sides) == 2:
            splits = [(sides[0], sides[1])]
        elif len(sides) == 1:
            words = sides[0].split()
            splits = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
        else:
            # "Broadway, E 14th St, New York": what follows the second comma is the town.
            splits = [(sides[0], sides[1])] if len(sides) > 2 else []
        penalty = 0.0 if len(sides) == 2 else 0.03
        found: dict[str, tuple[float, Hit]] = {}
        for left, right in splits:
            for i, first in self._matching_streets(left).items():
                for j, second in self._matching_streets(right).items():
                    for point in self._corners.get((min(i, j), max(i, j)), ()):
                        score = first * second - penalty
                        hit = self._corner_hit(i, j, point)
                        if hit.name not in found or found[hit.name][0] < score:
                            found[hit.name] = (score, hit)
        return self._one_side_of_the_avenue(list(found.values()))

    def _one_side_of_the_avenue(self, found: list[tuple[float, Hit]]) -> list[tuple[float, Hit]]:
        """Keep the east one where both halves of a street fit alike at the avenue that parts them."""
        scores = {hit.name: score for score, hit in found}
        kept = []
        for score, hit in found:
            east = hit.name.replace("& W ", "& E ").replace("& West ", "& East ")
            if east == hit.name or scores.get(east, -1.0) < score:
                kept.append((score, hit))
        return kept

    def _corner_hit(self, i: int, j: int, point: tuple[float, float]) -> Hit:
        lat, lon = self._frame.to_degrees(*point)
        return Hit(self._corner_name(i, j), "crossing", lat, lon)

    def _corner_name(self, i: int, j: int) -> str:
        first, second = sorted(
            (self._streets[i], self._streets[j]), key=lambda s: (_STREET_ORDER.index(s.kind), not s.major, s.name)
        )
        return f"{_short(first.name)} & {_short(second.name)}"

    # Description

    def describe(self, lat: float, lon: float) -> str:
        """Return where a point is, as people say it.

        Such as "Fifth Avenue & E 23rd St", "near Broadway & W 4th St", "in Central Park", "2 km off Manhattan".

        Args:
            lat: latitude in degrees.
            lon: longitude in degrees.

        Raises:
            GPSDreamError: of kind `bad_location` if there is no such point on the Earth.
        """
        place = Place(lat, lon)
        lat, lon = place.lat, place.lon
        centre = self.city.centre
        if distance(lat, lon, *centre) > FAR:
            return f"{_distance_text(distance(lat, lon, *centre))} from {self.city.name}"
        point = Point(*self._frame.to_metres(lat, lon))
        own = [(name, kind, land) for name, kind, land in self._land if kind != "shore"]
        under = next(((name, kind) for name, kind, land in own if land.covers(point)), None)
        if under is None:
            metres, nearest = min((land.distance(point), name) for name, _, land in own)
            off = f"{_distance_text(metres)} off {nearest}"
            shore = next((name for name, kind, land in self._land if kind == "shore" and land.covers(point)), None)
            return f"in {shore}, {off}" if shore else off
        corner, metres = self._nearest_corner(point)
        if corner and metres <= IN_THE_ROADWAY:
            return corner
        park = next((name for name, area in self._parks if area.covers(point)), None)
        if park:
            return f"in {park}"
        if corner and metres <= NEAR_THE_CORNER:
            return corner if metres <= AT_THE_CORNER else f"near {corner}"
        if under[1] == "island":
            return f"on {under[0]}"
        area = next((name for name, area in self._neighbourhoods if area.covers(point)), under[0])
        return f"in {area}"

    def _nearest_corner(self, point: Any) -> tuple[str, float]:
        """Return the name of the nearest corner and its distance in metres; an empty name if there are no streets."""
        if not len(self._corner_points):
            return "", float("inf")
        metres = np.hypot(self._corner_points[:, 0] - point.x, self._corner_points[:, 1] - point.y)
        nearest = float(metres.min())
        # Of several names for one corner, the one whose streets are nearest: E or W by the side one stands on.
        pairs = [self._corner_names[index] for index in np.flatnonzero(metres <= nearest + 8.0)]
        ranked = []
        for pair in pairs:
            streets = [self._streets[index] for index in pair]
            away = sum(street.line.distance(point) for street in streets)
            minor = sum(_STREET_ORDER.index(street.kind) for street in streets)
            ranked.append((round(away / 5.0), minor, self._corner_name(*pair)))
        return min(ranked)[2], nearest


def _distance_text(metres: float) -> str:
    """Return a distance as people read it: "350 m", "2.4 km", "5,570 km"."""
    if metres < 995:
        return f"{max(round(metres, -1), 10):.0f} m"
    kilometres = metres / 1000
    return f"{kilometres:.1f} km".replace(".0 km", " km") if kilometres < 9.95 else f"{kilometres:,.0f} km"
