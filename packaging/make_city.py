#!/usr/bin/env python3
"""Draw the vector map of Manhattan from the facts in `city_facts` and write resources/cities/manhattan.json."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from city_facts import landmarks, neighbourhoods, old_town, parks, shore, streets  # noqa: E402
from shapely import LineString, Point, Polygon, STRtree, box  # noqa: E402
from shapely.algorithms.polylabel import polylabel  # noqa: E402
from shapely.geometry.base import BaseGeometry  # noqa: E402
from shapely.ops import linemerge, unary_union  # noqa: E402
from shapely.validation import explain_validity  # noqa: E402

from gpsdream_app.geo import manhattan as grid  # noqa: E402

OUTPUT = ROOT / "resources" / "cities" / "manhattan.json"
# A fifth decimal of a degree is about a metre.
DECIMALS = 5
SHORTEST_STREET = 40.0
# A street that ends so many metres before or behind another one (metres) is meant to end on it.
LONGEST_GAP = 40.0
LONGEST_STUMP = 22.0


def _ring(name: str, points: tuple[tuple[float, float], ...]) -> Polygon:
    """Return a polygon of facts. Raises ValueError, with the name, if its outline crosses itself."""
    polygon = Polygon(points)
    if not polygon.is_valid:
        raise ValueError(f"{name}: {explain_validity(polygon)}")
    return polygon


def _lonlat(point: tuple[float, float]) -> list[float]:
    lat, lon = grid.from_grid(*point)
    return [round(lon, DECIMALS), round(lat, DECIMALS)]


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    parts = getattr(geometry, "geoms", [geometry])
    return sorted(
        (part.normalize() for part in parts if isinstance(part, Polygon) and part.area > 100.0), key=lambda p: -p.area
    )


def _lines(geometry: BaseGeometry) -> list[LineString]:
    parts = getattr(geometry, "geoms", [geometry])
    return [part for part in parts if isinstance(part, LineString) and part.length >= SHORTEST_STREET]


def _feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _area(geometry: BaseGeometry) -> dict[str, Any]:
    """Return the GeoJSON of a polygon or several."""
    polygons = [
        [[_lonlat(point) for point in ring.coords] for ring in (part.exterior, *part.interiors)]
        for part in _polygons(geometry)
    ]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _path(line: LineString) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [_lonlat(point) for point in line.coords]}


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}


def _pier(root: tuple[float, float], length: float, width: float, land: Polygon) -> Polygon:
    """Return a pier that stands square to the bulkhead nearest to its root."""
    bulkhead = land.exterior
    along = bulkhead.project(Point(root))
    before, after = bulkhead.interpolate(along - 1.0), bulkhead.interpolate(along + 1.0)
    step = before.distance(after)
    normal = (-(after.y - before.y) / step, (after.x - before.x) / step)
    if land.contains(Point(root[0] + 20 * normal[0], root[1] + 20 * normal[1])):
        normal = (-normal[0], -normal[1])
    head, foot = ((root[0] + d * normal[0], root[1] + d * normal[1]) for d in (length, -15.0))
    return LineString([foot, head]).buffer(width / 2, cap_style="flat")


def _waterside(road: tuple[tuple[float, float], ...], south: float, north: float, land: Polygon) -> BaseGeometry:
    """Return the land between a road along the Hudson (kerb 14 m from its middle) and the water."""
    line = LineString(road)
    points = [point for point in road if south < point[1] < north]
    inner = [(_across(line, south), south), *points, (_across(line, north), north)]
    strip = Polygon([*((x - 14.0, y) for x, y in inner), (-4000.0, north), (-4000.0, south)])
    return strip.intersection(land)


def _across(line: LineString, along: float) -> float:
    """Return how far east of Fifth Avenue a road is at a distance uptown."""
    met = line.intersection(LineString([(-5000.0, along), (5000.0, along)]))
    return float(met.centroid.x)


def _inland(land: Polygon) -> BaseGeometry:
    """Return the land between the roads along the rivers, where the numbered streets are."""
    west = [*streets.HUDSON_ROAD, (-1975.0, 2300.0), *streets.RIVERSIDE, (-2700.0, 11_000.0), (-2700.0, 15_000.0)]
    east = [*streets.SOUTH_STREET[:-1], *streets.EAST_RIVER_DRIVE, *streets.HARLEM_RIVER_DRIVE[1:], (-1100.0, 12_600.0)]
    between = Polygon([*west, (-900.0, 15_000.0), *reversed(east)])
    return between.buffer(1.0).intersection(land)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _numbered(side: str, table: dict[int, str]) -> list[streets.Street]:
    found = []
    for number, text in table.items():
        paths = tuple(
            tuple(
                streets.at(streets.STOPS[stop] if stop in streets.STOPS else float(stop), number)
                for stop in part.split()
            )
            for part in text.split(",")
        )
        name, also = f"{side} {_ordinal(number)} Street", ()
        found.append(streets.Street(name, "street", number in grid.WIDE_STREETS, paths, also))
    return found


def _trimmed(name: str, line: LineString, others: list[tuple[str, LineString]], tree: STRtree) -> LineString:
    """Return a street that ends on the last street it meets: a little longer, or a little shorter."""
    for _ in range(2):
        line = line.reverse()
        (x0, y0), (x1, y1) = line.coords[-2:]
        step = math.hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / step, (y1 - y0) / step
        back = min(LONGEST_STUMP, step / 2)
        ray = LineString([(x1 - back * dx, y1 - back * dy), (x1 + LONGEST_GAP * dx, y1 + LONGEST_GAP * dy)])
        ends = []
        for index in tree.query(ray):
            other, crossing = others[index]
            if other == name:
                continue
            met = crossing.intersection(ray)
            ends += [ray.project(part.centroid) - back for part in getattr(met, "geoms", [met]) if not part.is_empty]
        beyond = min((end for end in ends if end >= -1.0), default=None)
        before = max((end for end in ends if end < -1.0), default=None)
        move = beyond if before is None or (beyond is not None and beyond <= -before) else before
        if move is not None:
            line = LineString([*line.coords[:-1], (x1 + move * dx, y1 + move * dy)])
    return line


def _street_features(land: Polygon) -> list[dict[str, Any]]:
    inland = _inland(land)
    drawn: dict[str, tuple[streets.Street, list[LineString]]] = {}
    groups = (
        (land.buffer(-8.0), (*streets.AVENUES_AND_BROADWAY, *old_town.OLD_TOWN)),
        (inland, (*_numbered("East", streets.EAST), *_numbered("West", streets.WEST), *streets.NAMED_NUMBERED)),
    )
    for region, found in groups:
        for street in found:
            lines = [LineString(path) for path in street.paths]
            if street.clip:
                lines = [part for line in lines for part in _lines(line.intersection(region))]
            drawn.setdefault(street.name + street.kind, (street, []))[1].extend(lines)
    whole = [(street, line) for street, lines in drawn.values() for line in _lines(_merged(lines))]
    named = [(street.name, line) for street, line in whole]
    tree = STRtree([line for _, line in named])
    features = []
    for street, line in whole:
        also = {"also": list(street.also)} if street.also else {}
        path = _path(_trimmed(street.name, line, named, tree) if street.clip else line)
        features.append(_feature(path, name=street.name, kind=street.kind, major=street.major, **also))
    return features


def _merged(lines: list[LineString]) -> BaseGeometry:
    """Return the lines with those joined that share an end."""
    return linemerge(lines) if len(lines) > 1 else LineString(lines[0]) if lines else LineString()


def _land_features(plain: Polygon) -> list[dict[str, Any]]:
    """Return Manhattan with its piers, the islands, and the shores across the water."""
    city = unary_union([plain, *(_pier(*pier, plain) for pier in shore.PIERS)])
    islands = {name: _ring(name, ring) for name, ring in shore.ISLANDS}
    features = [_feature(_area(city), name="Manhattan", kind="city")]
    features += [_feature(_area(ring), name=name, kind="island") for name, ring in islands.items()]
    # A rounded outline of the own land keeps the river open where the list of the far shore is too rough.
    river = unary_union(
        [
            plain.buffer(shore.HARLEM_RIVER_WIDTH),
            *(ring.buffer(60.0) for name, ring in islands.items() if name != "Marble Hill"),
        ]
    )
    for name, ring in shore.SHORES.items():
        far = _ring(name, ring).difference(river)
        if name == "The Bronx":
            far = far.difference(islands["Marble Hill"])
        far = far.buffer(-25.0).buffer(25.0).simplify(4.0)
        features.append(_feature(_area(far), name=name, kind="shore"))
    return features


def _park_features(land: Polygon) -> list[dict[str, Any]]:
    areas: dict[str, list[BaseGeometry]] = {}
    for name, ring in parks.PARKS:
        areas.setdefault(name, []).append(_ring(name, ring).intersection(land))
    for name, width, path in parks.RIBBONS:
        areas.setdefault(name, []).append(LineString(path).buffer(width / 2, cap_style="flat", join_style="mitre"))
    for name, road, south, north in parks.WATERSIDE:
        areas.setdefault(name, []).append(_waterside(road, south, north, land))
    return [_feature(_area(unary_union(parts)), name=name) for name, parts in areas.items()]


def _water_features(land: Polygon) -> list[dict[str, Any]]:
    """Return ponds as areas, and rivers as lines along which their names run."""
    features = [_feature(_area(_ring(name, ring)), name=name) for name, ring in parks.WATER]
    features += [_feature(_path(LineString(line)), name=name, width=width) for name, width, line in shore.RIVERS]
    middle = land.buffer(shore.HARLEM_RIVER_WIDTH / 2).exterior.intersection(box(-1500.0, 7000.0, 1500.0, 13_300.0))
    bed = max(_lines(middle), key=lambda line: line.length).simplify(12.0)
    features.append(_feature(_path(bed), name="Harlem River", width=round(shore.HARLEM_RIVER_WIDTH)))
    return features


def _neighbourhood_features(land: Polygon) -> list[dict[str, Any]]:
    features = []
    for name, ring in neighbourhoods.NEIGHBOURHOODS:
        area = _ring(name, ring).intersection(land)
        largest = _polygons(area)[0]
        features.append(_feature(_area(largest), name=name, label=_lonlat(polylabel(largest, 10.0).coords[0])))
    for name, ring in shore.ISLANDS:
        if name not in ("Liberty Island", "Ellis Island"):
            label = _lonlat(polylabel(_ring(name, ring), 10.0).coords[0])
            features.append(_feature(_area(_ring(name, ring)), name=name, label=label))
    return features


def build() -> dict[str, Any]:
    """Return the city as JSON values (see `gpsdream_app.geo.city`)."""
    land = _ring("Manhattan", shore.MANHATTAN)
    return {
        "schema": 1,
        "id": "manhattan",
        "name": "Manhattan",
        "box": {"south": 40.682, "west": -74.05, "north": 40.885, "east": -73.9},
        "centre": [40.7644, -73.973],
        "zoom": 13,
        "attribution": "Map: GPSDream, with © OpenStreetMap contributors and Touchdown",
        "layers": {
            "land": _collection(_land_features(land)),
            "parks": _collection(_park_features(land)),
            "water": _collection(_water_features(land)),
            "streets": _collection(_street_features(land)),
            "bridges": _collection([_feature(_path(LineString(line)), name=name) for name, line in shore.BRIDGES]),
            "neighbourhoods": _collection(_neighbourhood_features(land)),
            "landmarks": _collection(
                [
                    _feature({"type": "Point", "coordinates": _lonlat(point)}, name=name, year=year)
                    for name, year, point in landmarks.LANDMARKS
                ]
            ),
        },
    }


def text() -> str:
    """Return the file's text."""
    return json.dumps(build(), ensure_ascii=False, separators=(",", ":")) + "\n"


def main() -> None:
    """Write the file."""
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text(), encoding="utf-8")
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
