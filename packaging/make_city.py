"""Draw the vector map of Manhattan from the facts in `city_facts` and write resources/cities/manhattan.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from city_facts import landmarks, parks, shore, streets  # noqa: E402
from shapely import LineString, MultiPolygon, Point, Polygon  # noqa: E402
from shapely.geometry.base import BaseGeometry  # noqa: E402
from shapely.ops import unary_union  # noqa: E402

from gpsdream_app.geo import manhattan as grid  # noqa: E402

OUTPUT = ROOT / "resources" / "cities" / "manhattan.json"

DECIMALS = 5


def _lonlat(point: tuple[float, float]) -> list[float]:
    lat, lon = grid.from_grid(*point)
    return [round(lon, DECIMALS), round(lat, DECIMALS)]


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    parts = getattr(geometry, "geoms", [geometry])
    return [part for part in parts if isinstance(part, Polygon) and part.area > 1.0]


def _lines(geometry: BaseGeometry) -> list[LineString]:
    parts = getattr(geometry, "geoms", [geometry])
    return [part for part in parts if isinstance(part, LineString) and part.length > 20.0]


def _feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _polygon_geometry(geometry: BaseGeometry) -> dict[str, Any]:
    rings = []
    for part in _polygons(geometry):
        rings.append(
            [[_lonlat(p) for p in ring.coords] for ring in (part.exterior, *part.interiors)]
        )
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}


def _pier(root: tuple[float, float], length: float, width: float, land: Polygon) -> Polygon:
    """Return a pier that stands square to the bulkhead nearest to its root."""
    ring = land.exterior
    along = ring.project(Point(root))
    a, b = ring.interpolate(along - 1.0), ring.interpolate(along + 1.0)
    dx, dy = (b.x - a.x) / a.distance(b), (b.y - a.y) / a.distance(b)
    normal = (-dy, dx)
    if land.contains(Point(root[0] + normal[0] * 20, root[1] + normal[1] * 20)):
        normal = (dy, -dx)
    x, y = root
    head = (x + normal[0] * length, y + normal[1] * length)
    foot = (x - normal[0] * 15, y - normal[1] * 15)
    return LineString([foot, head]).buffer(width / 2, cap_style="flat")


def _land() -> tuple[Polygon, BaseGeometry]:
    """Return Manhattan without and with its piers."""
    plain = Polygon(shore.MANHATTAN)
    return plain, unary_union([plain, *(_pier(*pier, plain) for pier in shore.PIERS)])


def _numbered(side: str, table: dict[int, str]) -> list[streets.Street]:
    found = []
    for number, text in table.items():
        paths = []
        for part in text.split(","):
            ends = [streets.STOPS[s] if s in streets.STOPS else float(s) for s in part.split()]
            paths.append(tuple(streets.at(end, number) for end in ends))
        wide = number in grid.WIDE_STREETS
        found.append(streets.Street(f"{side} {_ordinal(number)} Street", "street", wide, tuple(paths)))
    return found


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def build() -> dict[str, Any]:
    """Return the city as JSON values."""
    plain, land = _land()
    street_features = []
    for street in [
        *streets.AVENUES_AND_BROADWAY,
        *_numbered("East", streets.EAST),
        *_numbered("West", streets.WEST),
    ]:
        for path in street.paths:
            line: BaseGeometry = LineString(path)
            if street.clip:
                line = line.intersection(plain.buffer(-20))
            for part in _lines(line):
                street_features.append(
                    _feature(
                        {"type": "LineString", "coordinates": [_lonlat(p) for p in part.coords]},
                        name=street.name,
                        kind=street.kind,
                        major=street.major,
                    )
                )
    return {
        "schema": 1,
        "id": "manhattan",
        "name": "Manhattan",
        "box": {"south": 40.69, "west": -74.03, "north": 40.885, "east": -73.9},
        "centre": [40.7644, -73.973],
        "zoom": 13,
        "attribution": "Map drawn by GPSDream",
        "layers": {
            "land": _collection([_feature(_polygon_geometry(land), name="Manhattan")]),
            "parks": _collection(
                [_feature(_polygon_geometry(Polygon(ring)), name=name) for name, ring in parks.PARKS]
            ),
            "water": _collection(
                [_feature(_polygon_geometry(Polygon(ring)), name=name) for name, ring in parks.WATER]
            ),
            "streets": _collection(street_features),
            "neighbourhoods": _collection([]),
            "landmarks": _collection(
                [
                    _feature({"type": "Point", "coordinates": _lonlat(point)}, name=name, year=year)
                    for name, year, point in landmarks.LANDMARKS
                ]
            ),
        },
    }


def main() -> None:
    """Write the file."""
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(build(), ensure_ascii=False, separators=(",", ":")) + "\n"
    OUTPUT.write_text(text, encoding="utf-8")
    print(f"{OUTPUT.relative_to(ROOT)}: {len(text):,} characters")


if __name__ == "__main__":
    main()
