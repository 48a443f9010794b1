"""GeoJSON files (RFC 7946) with regions and lines: read from anybody, written for everybody."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import LineString
from shapely.ops import linemerge

from gpsdream_app.domain.averages import MAX_REGIONS
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.regions import Point, Region, RegionKind
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.regions import STREET_WIDTH, clean_name, make_corridor, make_region

MAX_BYTES = 64 << 20
MAX_DEPTH = 20  # of collections within collections
NAME_KEYS = ("name", "Name", "NAME", "title", "neighborhood", "neighbourhood", "ntaname", "NTAName", "label", "id")
_GEOMETRIES = ("Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point", "MultiPoint", "GeometryCollection")


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


def read_regions(path: Path, city: CityMap | None = None) -> tuple[list[Region], list[str]]:
    """Read the regions of a GeoJSON file: a FeatureCollection, a Feature, or a bare geometry.

    Polygons become areas; lines become corridors, `STREET_WIDTH` metres wide unless `write_regions` wrote another
    width; points are left out. Each feature is one region, whatever collections its geometry is made of.

    Args:
        path: of the file.
        city: regions outside it are left out; None takes them wherever they are.

    Returns:
        The regions, at most 200, each with a name of its own; and sentences about what was mended or left out.

    Raises:
        GPSDreamError: of kind `bad_location` if the file cannot be read or holds no region that can be used.
    """
    data = _read(path)
    regions: list[Region] = []
    said: list[str] = []
    stem = clean_name(path.stem) or "Region"
    left_out = 0
    for number, feature in enumerate(_features(data, path), 1):
        if len(regions) >= MAX_REGIONS:
            left_out += 1
            continue
        properties = feature.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        name = _name(properties) or (stem if data.get("type") != "FeatureCollection" else f"{stem} {number}")
        try:
            region, sentence = _region(feature.get("geometry"), properties, name, city)
        except GPSDreamError as error:
            said.append(f"“{name}” was left out. {error.failure.message}")
            continue
        name = region.name
        taken = {other.name for other in regions}
        copy = 2
        while region.name in taken:
            region = _renamed(region, f"{name[:190]} {copy}")
            copy += 1
        if sentence:
            said.append(f"“{region.name}”: {sentence}")
        regions.append(region)
    if left_out:
        said.append(f"{left_out:,} more regions were left out; {MAX_REGIONS} is the most.")
    if not regions:
        reason = said[0] if said else "It has no features."
        raise _bad(f"“{_shown(path)}” holds no region that can be used. {reason}", "Choose a GeoJSON file with areas.")
    return regions, said


def read_line(path: Path) -> tuple[Point, ...]:
    """Read the line to walk along from a GeoJSON file: its first line, or its parts joined where they touch.

    Raises:
        GPSDreamError: of kind `bad_location` if the file cannot be read or holds no line.
    """
    for feature in _features(_read(path), path):
        properties = feature.get("properties")
        corridor = properties.get("line") if isinstance(properties, Mapping) else None
        geometry = {"type": "LineString", "coordinates": corridor} if corridor else feature.get("geometry")
        parts = [part for kind, part in _flat(geometry, 0) if kind == "LineString"]
        if parts:
            line = _joined(parts)
            # Made for its checks: it says what is wrong with a line in the words that the map uses.
            return make_corridor(line, "")[0].line
    raise _bad(f"“{_shown(path)}” holds no line.", "Choose a GeoJSON file with a LineString.")


def write_regions(path: Path, regions: Sequence[Region]) -> None:
    """Write regions as a GeoJSON FeatureCollection that `read_regions` reads back, whole or not at all.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    write_json(path, {"type": "FeatureCollection", "features": [region_feature(region) for region in regions]})


def region_feature(region: Region, **properties: Any) -> dict[str, Any]:
    """Return a region as a GeoJSON feature, with further properties after its own."""
    own: dict[str, Any] = {"name": region.name, "kind": region.kind.value}
    if region.is_corridor:
        own |= {"width": region.width, "line": [[lon, lat] for lat, lon in region.line]}
    return {"type": "Feature", "properties": own | properties, "geometry": region_geometry(region)}


def region_geometry(region: Region) -> dict[str, Any]:
    """Return the area of a region as a GeoJSON geometry: closed rings of (longitude, latitude)."""
    polygons = [[[[lon, lat] for lat, lon in (*ring, ring[0])] for ring in polygon] for polygon in region.polygons]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def write_json(path: Path, data: object) -> None:
    """Write JSON values whole or not at all. Raises GPSDreamError of kind `disk_full` if the disk refuses."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        with whole_file(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8", errors="replace", newline="\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GPSDreamError(
            ErrorKind.DISK_FULL, f"“{_shown(path)}” cannot be written: {reason}.", "Choose another folder.", repr(error)
        ) from error


# -- reading --


def _shown(path: Path) -> str:
    return clean_name(path.name)[:80]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _bad(
                f"“{_shown(path)}” has {size / 2**20:,.0f} MB; at most {MAX_BYTES >> 20} MB are read.", "Cut it."
            )
        data = json.loads(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise _bad(f"“{_shown(path)}” cannot be read: {reason}.", "Choose a GeoJSON file.") from None
    except (ValueError, RecursionError):
        raise _bad(f"“{_shown(path)}” is not valid JSON.", "Choose a GeoJSON file.") from None
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        hint = "Save it as GeoJSON first." if isinstance(data, Mapping) else "Choose a GeoJSON file."
        raise _bad(f"“{_shown(path)}” is JSON, but not GeoJSON.", hint)
    return data


def _features(data: Mapping[str, Any], path: Path) -> Iterator[Mapping[str, Any]]:
    kind = data["type"]
    if kind == "FeatureCollection":
        features = data.get("features")
        if not isinstance(features, list):
            raise _bad(f"“{_shown(path)}” has no list of features.", "Choose another file.")
        for feature in features:
            yield feature if isinstance(feature, Mapping) else {}
    elif kind == "Feature":
        yield data
    elif kind in _GEOMETRIES:
        yield {"geometry": data}
    else:
        raise _bad(f"“{_shown(path)}” is of the type “{kind[:40]}”, which is not GeoJSON.", "Choose a GeoJSON file.")


def _name(properties: Mapping[str, Any]) -> str:
    for key in NAME_KEYS:
        value = properties.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and clean_name(str(value)):
            return clean_name(str(value))
    return ""


def _renamed(region: Region, name: str) -> Region:
    return Region(name, region.kind, region.polygons, region.line, region.width)


def _region(geometry: Any, properties: Mapping[str, Any], name: str, city: CityMap | None) -> tuple[Region, str]:
    parts = list(_flat(geometry, 0))
    polygons = [coordinates for kind, coordinates in parts if kind == "Polygon"]
    lines = [coordinates for kind, coordinates in parts if kind == "LineString"]
    if polygons:
        region, sentence = make_region(
            [[_swapped(ring) for ring in _list(polygon)] for polygon in polygons], name, RegionKind.FILE, city=city
        )
        if len(parts) > len(polygons):
            sentence = f"{sentence} Its points and lines were left out.".strip()
        return _corridor_again(region, properties), sentence
    if lines:
        region, sentence = make_corridor(_joined(lines), name, RegionKind.FILE, city=city)
        return region, f"{sentence} The line became a corridor of {STREET_WIDTH:.0f} m.".strip()
    if not parts:
        raise _bad("It has no geometry.")
    raise _bad("It is a point, not an area.")


def _corridor_again(region: Region, properties: Mapping[str, Any]) -> Region:
    """Return the region as the corridor that `write_regions` wrote; as it is, if it was none."""
    line, width = properties.get("line"), properties.get("width")
    if isinstance(line, list) and isinstance(width, (int, float)) and not isinstance(width, bool):
        with contextlib.suppress(GPSDreamError):
            corridor = make_corridor(_swapped(line), region.name, width=width)[0]
            return Region(region.name, region.kind, region.polygons, corridor.line, corridor.width)
    return region


def _flat(geometry: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield (type, coordinates) of every polygon, line and point in a geometry, however it is nested."""
    if not isinstance(geometry, Mapping):
        return
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        if depth >= MAX_DEPTH:
            raise _bad("Its collections are nested too deeply.")
        for part in _list(geometry.get("geometries")):
            yield from _flat(part, depth + 1)
    elif isinstance(kind, str) and kind in _GEOMETRIES:
        coordinates = geometry.get("coordinates")
        if kind.startswith("Multi"):
            for part in _list(coordinates):
                yield kind.removeprefix("Multi"), part
        elif coordinates:
            yield kind, coordinates


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _swapped(points: Any) -> Any:
    """Return points of (longitude, latitude, ...) as (latitude, longitude); what is no point stays as it is."""
    if not isinstance(points, list):
        return points
    return [[p[1], p[0]] if isinstance(p, list) and len(p) >= 2 else p for p in points]


def _joined(parts: Sequence[Any]) -> list[Any]:
    """Return one line (latitude, longitude) of several: joined where they touch, else the longest."""
    if len(parts) == 1:
        return list(_swapped(parts[0])) if isinstance(parts[0], list) else []
    lines = []
    for part in parts:
        points = [p[:2] for p in _list(part) if _is_point(p)]
        if len(points) >= 2:
            lines.append(LineString(points))
    if not lines:
        return []
    merged = linemerge(lines) if len(lines) > 1 else lines[0]
    longest = max(shapely.get_parts(merged), key=lambda line: float(line.length))
    return [[lat, lon] for lon, lat in longest.coords]


def _is_point(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in value[:2])
    )
