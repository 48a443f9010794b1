"""Regions of a city: finding, making and mending them, measuring them, and taking places from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, overload

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import LineString, MultiPolygon, Polygon

from gpsdream_app.domain.averages import MAX_PLACES, Sampling
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import DECIMALS, MAX_NAME_CHARACTERS, MAX_POINTS, Point, Region, RegionKind
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.geo.streets import (
    Streets,
    cells_in,
    cut,
    foot,
    gazetteer_of,
    in_order,
    once_per_city,
    streets_of,
    to_frame,
)

STREET_WIDTH = 40.0  # metres
SMALLEST = 1.0  # square metres: what is smaller is no area
LARGEST = 400_000.0  # metres across: farther, places in metres are no longer true to the metre
EDGE = 20.0  # metres: a street as near as this runs along the edge of a region, and is one of its streets
AHEAD = 20.0  # metres from the middle of a street to what one looks at across it
PARTS = 1000  # polygons of a region; the largest are kept
_ROUND = 10.0**-DECIMALS

Headings = Literal["street", "all"]
Floats = NDArray[np.float64]
_DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_LOCATION, message, hint)


def clean_name(text: object, most: int = MAX_NAME_CHARACTERS) -> str:
    """Return a text from anywhere as one line of at most `most` characters, without what turns its direction."""
    if not isinstance(text, str):
        return ""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    kept = "".join(" " if letter < " " or "\x7f" <= letter <= "\x9f" else letter for letter in text[:10_000])
    kept = "".join(letter for letter in kept if letter not in _DIRECTIONAL)
    return " ".join(kept.split())[:most].strip()


# -- making and mending --


def make_region(
    polygons: Any, name: str, kind: RegionKind | str = RegionKind.DRAWN, *, city: CityMap | None = None
) -> tuple[Region, str]:
    """Make a sound region of any polygons.

    Repeated and closing corners, heights, self-crossings, holes outside, overlapping parts, exchanged latitude and
    longitude, what lies outside the city and what crosses the antimeridian are put right.

    Args:
        polygons: a list of polygons, each a list of rings (the outline, then holes), each a list of points
            (latitude, longitude) in degrees.
        name: what people call it; control characters are dropped.
        kind: where it comes from.
        city: cut at its box; None keeps all.

    Returns:
        The region, and sentences that say what was mended; empty if nothing was, or nobody would notice.

    Raises:
        GPSDreamError: of kind `bad_location` with a sentence, if there is nothing that could be mended.
    """
    said: list[str] = []
    rings = _read_polygons(polygons)
    rings = _ordered(rings, city, said)
    try:
        shape = _mend(rings, said)
        shape = _cut_out(shape, city, said)
        shape = _slim(shape, said)
    except shapely.errors.ShapelyError as error:
        raise GPSDreamError(
            ErrorKind.BAD_LOCATION,
            "The region's outline cannot be understood.",
            "Draw it again with fewer corners.",
            repr(error),
        ) from None
    return Region(clean_name(name), RegionKind(kind), _to_polygons(shape)), " ".join(said)


def make_corridor(
    line: Sequence[Sequence[float]],
    name: str,
    kind: RegionKind | str = RegionKind.DRAWN,
    *,
    width: float = STREET_WIDTH,
    city: CityMap | None = None,
) -> tuple[Region, str]:
    """Make the corridor along a line.

    Args:
        line: points (latitude, longitude) in degrees, at least two that differ.
        name: what people call it.
        kind: where it comes from.
        width: of the corridor in metres, 2 to 2000.
        city: the line must pass through its box; None takes any line.

    Returns:
        The region, and a sentence about what was mended, or "".

    Raises:
        GPSDreamError: of kind `bad_location` with a sentence, if it is no line.
    """
    said: list[str] = []
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not 2.0 <= width <= 2000.0:
        raise _bad("The width of a corridor must be a number of metres from 2 to 2,000.")
    points = _ordered([[_read_ring(line, 2, "line")]], city, said)[0][0]
    if len(points) > MAX_POINTS // 2:
        raise _bad(f"The line has {len(points):,} points; it takes 2 to {MAX_POINTS // 2:,}.", "Simplify it.")
    frame = frame_of(points)
    _check_extent(points, frame)
    if np.ptp(_unwrapped(points)[:, 1]) > 180.0 or (np.abs(_unwrapped(points)[:, 1]) > 180.0).any():
        raise _bad("The line crosses the antimeridian.", "Draw it on one side.")
    metric = LineString(np.column_stack(frame.to_metres(points[:, 0], points[:, 1])))
    band = _slim(_valid(_degrees(metric.buffer(width / 2, quad_segs=4), frame)), said)
    if city is not None and not metric.intersects(_city_box(city, frame)):
        raise _outside(city)
    line_points = tuple((round(float(lat), DECIMALS), round(float(lon), DECIMALS)) for lat, lon in points)
    region = Region(clean_name(name), RegionKind(kind), _to_polygons(band), line_points, float(width))
    return region, " ".join(said)


def _read_polygons(polygons: Any) -> list[list[Floats]]:
    """Read the numbers; rings with too few corners are left out, unless none is left."""
    if not isinstance(polygons, (list, tuple)) or not polygons:
        raise _bad("The region has no area.", "Draw at least three corners.")
    found: list[list[Floats]] = []
    few = None
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple)) or not polygon:
            continue
        rings = []
        for number, ring in enumerate(polygon):
            try:
                rings.append(_read_ring(ring, 3, "outline"))
            except _TooFew as error:
                few = error
                if number == 0:
                    break
        if rings:
            found.append(rings)
    if not found:
        raise _bad(str(few) if few else "The region has no area.", "Draw at least three corners.")
    return found


class _TooFew(Exception):
    """A line or ring has too few points that differ."""


def _read_ring(points: Any, least: int, what: str) -> Floats:
    """Return (n, 2) latitudes and longitudes in degrees without repeated points and, for a ring, the closing one."""
    if not isinstance(points, (list, tuple)):
        raise _bad(f"The {what} is not a list of points.")
    rows: list[tuple[float, float]] = []
    for point in points:
        if not isinstance(point, (list, tuple)) or len(point) < 2:
            raise _bad(f"A point of the {what} has no latitude or no longitude.", "Give both, in degrees.")
        lat, lon = point[0], point[1]
        # Numbers of the wrong order, or past the antimeridian, come out of `Place` as a sentence only later.
        for number in (lat, lon):
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
                raise _bad(f"A point of the {what} is not a pair of finite numbers.", "Give both, in degrees.")
        row = (round(float(lat), DECIMALS), round(float(lon), DECIMALS))
        if not rows or row != rows[-1]:
            rows.append(row)
    if least == 3 and len(rows) > 1 and rows[0] == rows[-1]:
        rows.pop()
    if len(set(rows)) < least:
        word = {2: "two points", 3: "three corners"}[least]
        raise (_TooFew if least == 3 else _bad)(f"The {what} has fewer than {word} that differ.")
    return np.array(rows)


def _on_earth(points: Floats) -> bool:
    return bool((np.abs(points[:, 0]) <= 90.0).all() and (np.abs(points[:, 1]) <= 360.0).all())


def _ordered(polygons: list[list[Floats]], city: CityMap | None, said: list[str]) -> list[list[Floats]]:
    """Exchange latitude and longitude where only that puts the points on the Earth, or into the city."""
    points = np.concatenate([ring for rings in polygons for ring in rings])
    turned = points[:, ::-1]
    wrong = not _on_earth(points) and _on_earth(turned)
    if city is not None and not wrong and _on_earth(turned):
        box = city.box
        here, there = (
            ((p[:, 0] >= box.south) & (p[:, 0] <= box.north) & (p[:, 1] >= box.west) & (p[:, 1] <= box.east)).mean()
            for p in (points, turned)
        )
        wrong = here == 0 and there > 0
    if wrong:
        said.append("Latitude and longitude stood in the wrong order and were exchanged.")
        return [[ring[:, ::-1] for ring in rings] for rings in polygons]
    if not _on_earth(points):
        raise _bad(
            "The points are not on the Earth: latitudes go from -90 to 90 degrees, longitudes from -180 to 180.",
            "Give degrees of WGS 84, no metres.",
        )
    return polygons


def _unwrapped(points: Floats, reference: float | None = None) -> Floats:
    """Return the points with longitudes that run on past 180 degrees where the line crosses the antimeridian."""
    lon = np.unwrap(points[:, 1], period=360.0)
    lon += 360.0 * round(((lon[0] if reference is None else reference) - lon[0]) / 360.0)
    return np.column_stack([points[:, 0], lon])


def _mend(polygons: list[list[Floats]], said: list[str]) -> Any:
    """Return a valid shape of (longitude, latitude) in degrees, on the grid that a region is rounded to."""
    everything = np.concatenate([rings[0] for rings in polygons])
    _check_extent(everything, frame_of(everything))
    reference = float(polygons[0][0][0, 1])
    parts = []
    for rings in polygons:
        turned = [_unwrapped(ring, reference)[:, ::-1] for ring in rings]
        if any(abs(ring[-1, 0] - ring[0, 0]) > 180.0 for ring in turned):
            raise _bad("The region goes round a pole of the Earth.", "Draw a part of a city.")
        parts.append(Polygon(turned[0], turned[1:]))
    if not all(part.is_valid for part in parts):
        said.append("Its outline crossed itself and was put right.")
    mended = _valid(shapely.union_all([shapely.make_valid(part, method="structure") for part in parts]))
    shape = _wrapped(mended)
    if shape.is_empty or _metric_area(shape) < SMALLEST:
        raise _bad("The region has no area: its corners lie on one line or at one point.", "Draw it wider.")
    if not shape.equals(mended) and len(shapely.get_parts(shape)) > len(shapely.get_parts(mended)):
        said.append("It crosses the antimeridian and was cut in two there.")
    return shape


def _valid(shape: Any) -> Any:
    """Return the polygons of a shape, valid even after rounding."""
    rounded = shapely.set_precision(shapely.make_valid(shape, method="structure"), _ROUND)
    kept = [part for part in shapely.get_parts(rounded) if part.geom_type == "Polygon" and not part.is_empty]
    return MultiPolygon(kept) if len(kept) != 1 else kept[0]


def _wrapped(shape: Any) -> Any:
    """Return the shape with longitudes within -180 to 180, cut where it crosses the antimeridian."""
    west, _, east, _ = shape.bounds if not shape.is_empty else (0.0, 0.0, 0.0, 0.0)
    if west >= -180.0 and east <= 180.0:
        return shape
    world = [
        translate(shapely.intersection(shape, shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0)), -turn)
        for turn in (-720.0, -360.0, 0.0, 360.0, 720.0)
    ]
    return _valid(shapely.union_all([part for part in world if not part.is_empty]))


def _cut_out(shape: Any, city: CityMap | None, said: list[str]) -> Any:
    if city is None:
        return shape
    box = city.box
    inside = _valid(shapely.intersection(shape, shapely.box(box.west, box.south, box.east, box.north)))
    if inside.is_empty or _metric_area(inside) < SMALLEST:
        raise _outside(city)
    if _metric_area(inside) < _metric_area(shape) * (1 - 1e-6):
        said.append(f"The part outside {city.name} was cut off.")
        return inside
    return shape


def _outside(city: CityMap) -> GPSDreamError:
    return _bad(f"The region lies outside {city.name}.", "Choose or draw one on the map.")


def _slim(shape: Any, said: list[str]) -> Any:
    """Leave out crumbs, and corners if they are too many."""
    parts = [part for part in shapely.get_parts(shape) if _metric_area(part) >= SMALLEST]
    if not parts:
        raise _bad("The region has no area: its corners lie on one line or at one point.", "Draw it wider.")
    if len(parts) > PARTS:
        said.append(f"Of its {len(parts):,} parts the {PARTS:,} largest were kept.")
        parts = sorted(parts, key=lambda part: -part.area)[:PARTS]
    slim: Any = MultiPolygon(parts) if len(parts) > 1 else parts[0]
    before = int(shapely.get_num_coordinates(slim))
    tolerance = 1e-6
    while shapely.get_num_coordinates(slim) > MAX_POINTS:
        slim = _valid(shapely.simplify(slim, tolerance, preserve_topology=True))
        tolerance *= 2
        if tolerance > 1.0:
            raise _bad(f"The outline has {before:,} corners, and cannot be simplified.", "Draw it with fewer.")
    after = int(shapely.get_num_coordinates(slim))
    if tolerance > 1e-6:
        said.append(f"Its outline had {before:,} corners and was simplified to {after:,}.")
    return slim


def _to_polygons(shape: Any) -> tuple[Any, ...]:
    """Return what `Region` takes; the outline runs counter-clockwise on a map, as GeoJSON wants it."""
    polygons = []
    for part in shapely.get_parts(shapely.orient_polygons(shape)):
        rings = [part.exterior, *part.interiors]
        polygons.append(tuple(tuple((lat, lon) for lon, lat in ring.coords[:-1]) for ring in rings))
    return tuple(polygons)


def frame_of(points: Floats) -> LocalFrame:
    """Return a frame about the middle of points (n, 2), latitude and longitude in degrees, wherever they lie."""
    lat, lon = np.radians(points[:, 0]), np.radians(points[:, 1])
    x, y, z = (np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat).mean()
    return LocalFrame(math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x)))


def _check_extent(points: Floats, frame: LocalFrame) -> None:
    # Seen from straight above, the far side of the Earth lies under the near one: the angle tells them apart.
    lat, lat0 = np.radians(points[:, 0]), math.radians(frame.lat0)
    cosine = np.sin(lat) * math.sin(lat0) + np.cos(lat) * math.cos(lat0) * np.cos(np.radians(points[:, 1] - frame.lon0))
    metres = 2 * 6_371_000.0 * float(np.arccos(np.clip(cosine.min(), -1.0, 1.0)))
    if metres > LARGEST:
        raise _bad(
            f"The region is {metres / 1000:,.0f} km across; it takes at most {LARGEST / 1000:,.0f} km.",
            "Draw a part of a city.",
        )


def _metric_area(shape: Any) -> float:
    """Return the square metres of a shape of (longitude, latitude) in degrees."""
    points = shapely.get_coordinates(shape)
    return float(to_frame(shape, frame_of(points[:, ::-1])).area) if len(points) else 0.0


def _degrees(shape: Any, frame: LocalFrame) -> Any:
    """Return a shape in metres of a frame as (longitude, latitude) in degrees."""
    return shapely.transform(shape, lambda p: np.column_stack(frame.to_degrees(p[:, 0], p[:, 1])[::-1]))


def _city_box(city: CityMap, frame: LocalFrame) -> Any:
    box = city.box
    return to_frame(shapely.box(box.west, box.south, box.east, box.north), frame)


# -- measuring --


@lru_cache(maxsize=256)
def _metric(region: Region) -> tuple[LocalFrame, Any]:
    """Return a frame about the region, and its valid shape in metres there."""
    frame = frame_of(np.array([point for polygon in region.polygons for point in polygon[0]]))
    parts = [
        Polygon(*_flipped(polygon)) if len(polygon) > 1 else Polygon(_flipped(polygon)[0])
        for polygon in region.polygons
    ]
    metric = to_frame(np.array(parts, dtype=object), frame)
    if len(metric) == 1 and metric[0].is_valid:
        shape = metric[0]
    else:
        # A region from a file of somebody else, or in two halves at the antimeridian.
        shape = shapely.union_all(shapely.make_valid(metric, method="structure"))
    shapely.prepare(shape)
    return frame, shape


def _flipped(polygon: Any) -> tuple[list[tuple[float, float]], list[list[tuple[float, float]]]]:
    rings = [[(lon, lat) for lat, lon in ring] for ring in polygon]
    return rings[0], rings[1:]


@overload
def contains(region: Region, lat: float, lon: float) -> bool: ...
@overload
def contains(region: Region, lat: Floats, lon: Floats) -> NDArray[np.bool_]: ...
def contains(region: Region, lat: Any, lon: Any) -> Any:
    """Return whether points in degrees lie in a region; numbers or numpy arrays go in, the same kind comes out.

    The edge of a region is in it or not, as rounding has it.
    """
    frame, shape = _metric(region)
    lats, lons = np.broadcast_arrays(np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64))
    east, north = frame.to_metres(lats, lons)
    # Behind the horizon of the frame points would fall on those before it.
    near = np.cos(np.radians(lats)) * np.cos(np.radians(lons - frame.lon0)) * math.cos(math.radians(frame.lat0))
    near = near + np.sin(np.radians(lats)) * math.sin(math.radians(frame.lat0)) > 0.5
    inside = np.asarray(shapely.contains_xy(shape, east, north)) & near
    return bool(inside) if np.ndim(lat) == 0 and np.ndim(lon) == 0 else inside


def area(region: Region) -> float:
    """Return the area of a region in square metres."""
    return float(_metric(region)[1].area)


def centre(region: Region) -> tuple[float, float]:
    """Return latitude and longitude, in degrees, of a point that stands for a region: in it, near its middle."""
    frame, shape = _metric(region)
    point = (
        line_in_metres(region.line, frame).interpolate(0.5, normalized=True) if region.is_corridor else shape.centroid
    )
    if not shape.contains(point):
        largest = max(shapely.get_parts(shape), key=lambda part: float(part.area))
        point = largest.representative_point()
    return frame.to_degrees(float(point.x), float(point.y))


def line_in_metres(line: Sequence[Point], frame: LocalFrame) -> Any:
    """Return a line of points in degrees as one in metres of a frame."""
    points = np.array(line, dtype=np.float64)
    return LineString(np.column_stack(frame.to_metres(points[:, 0], points[:, 1])))


def photos_in(region: Region, coverage: Coverage | None) -> int | None:
    """Return how many photos in a region the model has learned from; None if its card does not say.

    The card counts photos per cell. A cell that the region shares with others counts by the part of its area; for a
    corridor, whose photos are taken on the street itself, every cell that its line passes through counts whole.
    """
    if coverage is None:
        return None
    frame, shape = _metric(region)
    cells, photos = _cells_near(region, coverage, frame)
    if not len(cells):
        return 0
    if region.is_corridor:
        line = line_in_metres(region.line, frame).intersection(shape.buffer(1.0))
        return int(photos[shapely.intersects(cells, line)].sum())
    shares = shapely.area(shapely.intersection(cells, shape)) / shapely.area(cells)
    return round(float((photos * shares).sum()))


def _cells_near(region: Region, coverage: Coverage, frame: LocalFrame) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return the cells with photos that touch a region, in metres of the frame, and the photos of each."""
    south, west, north, east = region.box
    cells = tuple(
        cell
        for cell in coverage.cells
        if south <= coverage.south + (cell[0] + 1) * coverage.cell_lat
        and coverage.south + cell[0] * coverage.cell_lat <= north
        and west <= coverage.west + (cell[1] + 1) * coverage.cell_lon
        and coverage.west + cell[1] * coverage.cell_lon <= east
    )
    boxes, photos = cells_in(
        Coverage(coverage.south, coverage.west, coverage.cell_lat, coverage.cell_lon, cells), frame
    )
    shape = _metric(region)[1]
    touching = shapely.intersects(boxes, shape) if len(boxes) else np.empty(0, bool)
    return boxes[touching], photos[touching]


# -- finding --


def city_regions(city: CityMap) -> list[Region]:
    """Return the neighbourhoods and parks of a city, in the order of its file; no name twice."""
    return list(_city_regions(city))


@once_per_city
def _city_regions(city: CityMap) -> tuple[Region, ...]:
    found: dict[str, Region] = {}
    for layer, kind in (("neighbourhoods", RegionKind.NEIGHBOURHOOD), ("parks", RegionKind.PARK)):
        for feature in city.features(layer):
            geometry = feature["geometry"]
            polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
            name = clean_name(feature["properties"].get("name"))
            if name and geometry["type"] in ("Polygon", "MultiPolygon"):
                flipped = [[[(p[1], p[0]) for p in ring] for ring in polygon] for polygon in polygons]
                try:
                    region, _ = make_region(flipped, name, kind)
                except GPSDreamError:
                    continue
                if name in found and kind is RegionKind.PARK:
                    # A park that is also a neighbourhood, as Central Park is: it keeps its place in the list.
                    found[name] = region
                found.setdefault(name, region)
    return tuple(found.values())


def street_region(city: CityMap, name: str, width: float = STREET_WIDTH) -> Region:
    """Return the corridor along a street, all its parts joined in order.

    Args:
        city: whose street.
        name: as people write it: "Fifth Avenue", "5th av".
        width: of the corridor in metres, 2 to 2000.

    Raises:
        GPSDreamError: of kind `bad_location` if there is no such street; the hint names some that come near.
    """
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not 2.0 <= width <= 2000.0:
        raise _bad("The width of a corridor must be a number of metres from 2 to 2,000.")
    found = find_street(city, name)
    if found is None:
        raise no_such_street(city, name)
    streets = streets_of(city)
    line = in_order(streets.parts(found))
    # Only along its parts: between them there is no street.
    band = shapely.union_all([part.buffer(width / 2, quad_segs=4) for part in streets.parts(found)])
    points = tuple(
        (round(float(lat), DECIMALS), round(float(lon), DECIMALS))
        for lon, lat in shapely.get_coordinates(_degrees(line, streets.frame))
    )
    shape = _slim(_valid(_degrees(band, streets.frame)), [])
    return Region(clean_name(found), RegionKind.STREET, _to_polygons(shape), points, float(width))


def find_street(city: CityMap, text: str) -> str | None:
    """Return the name of the street that a text means, as the city's file spells it; None if there is none."""
    names = streets_of(city).names
    asked = clean_name(text).casefold()
    same = next((name for name in names if name.casefold() == asked), None)
    if same or not asked:
        return same
    hits = gazetteer_of(city).search(clean_name(text), limit=8)
    return next((hit.name for hit in hits if hit.kind == "street" and hit.name in names), None)


def find_region(city: CityMap, text: str) -> Region:
    """Return the region of a city that a text means: a neighbourhood, a park or a street.

    Args:
        city: where to look.
        text: a name; case, abbreviations and small mistakes do not matter.

    Raises:
        GPSDreamError: of kind `bad_location` if there is none; the hint names some that come near.
    """
    regions = {region.name: region for region in city_regions(city)}
    asked = clean_name(text).casefold()
    for name, region in regions.items():
        if name.casefold() == asked:
            return region
    streets = streets_of(city).names
    for name in streets:
        if name.casefold() == asked:
            return street_region(city, name)
    for hit in gazetteer_of(city).search(clean_name(text), limit=8) if asked else []:
        if hit.kind in ("neighbourhood", "park") and hit.name in regions:
            return regions[hit.name]
        if hit.kind == "street" and hit.name in streets:
            return street_region(city, hit.name)
    raise _unknown(city, text, "neighbourhood, park or street", [*regions, *streets])


def no_such_street(city: CityMap, name: str) -> GPSDreamError:
    """Return the error that says so, and which streets come near."""
    return _unknown(city, name, "street", streets_of(city).names)


def _unknown(city: CityMap, text: str, what: str, names: Sequence[str]) -> GPSDreamError:
    asked = clean_name(text)
    folded = {name.casefold(): name for name in names}
    near = [folded[name] for name in get_close_matches(asked.casefold(), folded, n=3, cutoff=0.5)]
    hint = f"Did you mean {_choice(near)}?" if near else "“gpsdream regions” lists the neighbourhoods and parks."
    return _bad(f"{city.name} has no {what} called “{asked[:60]}”.", hint)


def _choice(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# -- taking places --


def sample_places(
    region: Region,
    count: int,
    *,
    sampling: Sampling,
    seed: int = 0,
    headings: Headings = "street",
    city: CityMap | None = None,
    photos: Sequence[Place] = (),
    coverage: Coverage | None = None,
) -> tuple[Place, ...]:
    """Take places from a region to average over.

    AREA takes them independently and uniformly by area. PHOTOS takes the photos' own places: drawn with replacement
    if they are fewer than `count`, evenly spread over the region if they are more; without photos the cells of the
    coverage stand in for them. LINE takes them at even distances along a corridor's line, or along the streets of an
    area, whatever the seed. Where a coverage is given and has photos in the region, AREA and LINE keep to the cells
    with photos: elsewhere a model would have to guess.

    Args:
        region: where.
        count: how many, 1 to 4096.
        sampling: how; GIVEN is an error.
        seed: of the random choices.
        headings: "street" looks across the street that runs past (along the corridor's line in a corridor): to its
            right and to its left by turns, and only to the side in the region if the other lies outside, as along a
            park; photos keep their own headings; a place far from all streets has none. "all" spreads the headings
            evenly over the circle.
        city: its streets; None knows no streets.
        photos: where photos were taken; those outside the region do not count.
        coverage: where the model has seen photos.

    Returns:
        `count` places, all in the region.

    Raises:
        GPSDreamError: of kind `bad_location` with a sentence if there is nothing to take places from.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_PLACES:
        raise _bad(f"The number of places must be a whole number from 1 to {MAX_PLACES:,}.")
    random = np.random.default_rng(seed)
    frame, shape = _metric(region)
    own: list[float | None] = [None] * count
    if sampling is Sampling.AREA:
        points = _uniform(_seen(region, coverage), count, random)
    elif sampling is Sampling.LINE:
        points = _pulled_in(_evenly(_lines(region, city, coverage), count), shape)
    elif sampling is Sampling.PHOTOS:
        points, own = _of_photos(region, count, photos, city, coverage, random)
    else:
        raise _bad("Places that are given are not taken from a region.", "Choose area, photos or line.")
    lats, lons = frame.to_degrees(points[:, 0], points[:, 1])
    if headings == "all":
        looks: list[float | None] = list(_all_round(count))
    else:
        across = _across(region, lats, lons, city, coverage)
        looks = [look if heading is None else heading for look, heading in zip(across, own, strict=True)]
    return tuple(Place(float(lat), float(lon), look) for lat, lon, look in zip(lats, lons, looks, strict=True))


def _seen(region: Region, coverage: Coverage | None) -> Any:
    """Return the part of a region, in metres, that lies in cells with photos; all of it if none does."""
    frame, shape = _metric(region)
    if coverage is None:
        return shape
    cells, _ = _cells_near(region, coverage, frame)
    seen = shapely.intersection(shapely.union_all(cells), shape) if len(cells) else Polygon()
    return seen if seen.area >= SMALLEST else shape


def _uniform(shape: Any, count: int, random: np.random.Generator) -> Floats:
    """Return (count, 2) points that are uniform by area: a triangle by its area, then a point in it."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(MultiPolygon(parts)))
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    weights = np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
    chosen = random.choice(len(corners), size=count, p=weights / weights.sum())
    # Shape Distributions (Osada and others 2002), section 4.2: the square root makes it uniform in the triangle.
    root, other = np.sqrt(random.random(count))[:, None], random.random(count)[:, None]
    return np.asarray((1 - root) * a[chosen] + root * (1 - other) * b[chosen] + root * other * c[chosen])


def _lines(region: Region, city: CityMap | None, coverage: Coverage | None) -> list[Any]:
    """Return the lines in metres that LINE walks along."""
    frame, shape = _metric(region)
    if region.is_corridor:
        whole: Any = shapely.intersection(line_in_metres(region.line, frame), shape)
    else:
        if city is None:
            raise _bad("Places along a line need a street.", "Choose places by area, or take a street as the region.")
        streets = streets_of(city)
        lines = _streets_in(region, streets, coverage)
        own = to_frame(_degrees(shapely.union_all(lines), streets.frame), frame)
        whole = shapely.intersection(own, shape.buffer(EDGE))
    seen = shapely.intersection(whole, _seen(region, coverage).buffer(EDGE)) if coverage is not None else whole
    if seen.length <= 0:
        seen = whole
    parts = [part for part in shapely.get_parts(shapely.line_merge(seen)) if part.length > 0]
    if not parts:
        raise _bad("No street runs through the region.", "Choose places by area.")
    return parts


def _streets_in(region: Region, streets: Streets, coverage: Coverage | None) -> NDArray[np.object_]:
    """Return the pieces of streets that meet a region; those that photos follow, if there are any."""
    frame, shape = _metric(region)
    within = to_frame(_degrees(shape, frame), streets.frame)
    found = streets.inside_of(within.buffer(EDGE))
    if coverage is not None and len(found):
        share = streets.followed(coverage)[found]
        if share.max() > 0:
            found = found[share >= 0.6 * share.max()]
    return streets.pieces.lines[found]


def _pulled_in(points: Floats, shape: Any) -> Floats:
    """Return the points, those outside a shape moved to the nearest point in it."""
    outside = np.flatnonzero(~shapely.contains_xy(shape, points[:, 0], points[:, 1]))
    if len(outside):
        within = shapely.buffer(shape, -0.25)
        ways = shapely.shortest_line(within if not within.is_empty else shape, shapely.points(points[outside]))
        points = points.copy()
        points[outside] = shapely.get_coordinates(shapely.get_point(ways, 0))
    return points


def _evenly(lines: Sequence[Any], count: int) -> Floats:
    """Return (count, 2) points at even distances along lines, one after the other, half a step from the ends."""
    ends = np.cumsum([0.0, *(line.length for line in lines)])
    along = (np.arange(count) + 0.5) / count * ends[-1]
    which = np.clip(np.searchsorted(ends, along, side="right") - 1, 0, len(lines) - 1)
    points = shapely.line_interpolate_point(np.array(lines, dtype=object)[which], along - ends[which])
    return np.asarray(shapely.get_coordinates(points))


def _of_photos(
    region: Region,
    count: int,
    photos: Sequence[Place],
    city: CityMap | None,
    coverage: Coverage | None,
    random: np.random.Generator,
) -> tuple[Floats, list[float | None]]:
    """Return (count, 2) points in metres where photos were taken, and their headings."""
    frame, _ = _metric(region)
    lats, lons = np.array([photo.lat for photo in photos]), np.array([photo.lon for photo in photos])
    inside = np.flatnonzero(contains(region, lats, lons)).tolist() if len(photos) else []
    points = np.column_stack(frame.to_metres(lats[inside], lons[inside])) if inside else np.empty((0, 2))
    own: list[float | None] = [photos[index].heading for index in inside]
    if not inside and coverage is not None:
        points = _where_cells_were_seen(region, city, coverage)
        own = [None] * len(points)
    if not len(points):
        called = f"“{region.name}”" if region.name else "the region"
        raise _bad(f"There are no photos in {called}.", "Choose places by area.")
    if len(points) < count:
        chosen = random.integers(len(points), size=count)
    else:
        chosen = _along_a_curve(points)[((np.arange(count) + 0.5) * len(points) / count).astype(np.int64)]
    return points[chosen], [own[index] for index in chosen]


def _where_cells_were_seen(region: Region, city: CityMap | None, coverage: Coverage) -> Floats:
    """Return a point in metres for every photo that the cells count: on the street there, if it is in the region."""
    frame, shape = _metric(region)
    cells, photos = _cells_near(region, coverage, frame)
    parts = shapely.intersection(cells, shape)
    kept = shapely.area(parts) >= SMALLEST
    parts, photos = parts[kept], photos[kept]
    if not len(parts):
        return np.empty((0, 2))
    points = shapely.get_coordinates(shapely.point_on_surface(parts))
    if city is not None:
        streets = streets_of(city)
        there = _convert(points, frame, streets.frame)
        piece = streets.past(there, coverage)
        known = np.flatnonzero(piece >= 0)
        if len(known):
            feet = _convert(foot(streets.pieces, piece[known], there[known]), streets.frame, frame)
            feet = _pulled_in(feet, shape)
            good = shapely.intersects_xy(shapely.buffer(parts[known], EDGE), feet[:, 0], feet[:, 1])
            points[known[good]] = feet[good]
    return np.repeat(points, photos, axis=0)


def _convert(points: Floats, source: LocalFrame, target: LocalFrame) -> Floats:
    return np.column_stack(target.to_metres(*source.to_degrees(points[:, 0], points[:, 1])))


def _along_a_curve(points: Floats) -> NDArray[np.int64]:
    """Return an order of points in which neighbours lie near each other: along Morton's curve."""
    low = points.min(axis=0)
    scale = 65_535 / max(float((points - low).max()), 1e-9)
    x, y = ((points - low) * scale).astype(np.uint64).T
    code = np.zeros(len(points), np.uint64)
    for bit in range(16):
        code |= ((x >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit)
        code |= ((y >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit + 1)
    return np.argsort(code, kind="stable")


def _all_round(count: int) -> list[float]:
    """Return headings evenly over the circle, in an order in which neighbours in the list look elsewhere."""
    step = max(1, round(count * (math.sqrt(5) - 1) / 2))
    while math.gcd(step, count) != 1:
        step += 1
    return [(index * step % count) * 360.0 / count for index in range(count)]


def _across(
    region: Region, lats: Floats, lons: Floats, city: CityMap | None, coverage: Coverage | None
) -> list[float | None]:
    """Return for each place the heading across its street, or None where there is no street."""
    own_frame, shape = _metric(region)
    if region.is_corridor:
        frame, pieces = own_frame, cut([line_in_metres(region.line, own_frame)])
        points = np.column_stack(frame.to_metres(lats, lons))
        chosen = shapely.STRtree(pieces.lines).nearest(shapely.points(points)).astype(np.int64)
    elif city is not None:
        streets = streets_of(city)
        frame, pieces = streets.frame, streets.pieces
        points = np.column_stack(frame.to_metres(lats, lons))
        chosen = streets.past(points, coverage)
    else:
        return [None] * len(lats)
    looks: list[float | None] = [None] * len(lats)
    known = np.flatnonzero(chosen >= 0)
    if not len(known):
        return looks
    right = (pieces.bearings[chosen[known]] + 90.0) % 360.0
    ahead = np.column_stack([np.sin(np.radians(right)), np.cos(np.radians(right))]) * AHEAD
    feet = foot(pieces, chosen[known], points[known])
    inside = []
    for targets in (feet + ahead, feet - ahead):
        inside.append(shapely.contains_xy(shape, *_convert(targets, frame, own_frame).T))
    turn = 0
    for index, heading, here, there in zip(known, right, *inside, strict=True):
        if here == there:
            look = heading + 180.0 * (turn % 2)
            turn += 1
        else:
            look = heading if here else heading + 180.0
        looks[index] = float(look % 360.0)
    return looks
