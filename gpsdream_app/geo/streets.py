"""The streets of a city in metres: their lines joined in order, and which one runs past a place."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, shape
from shapely.ops import linemerge

from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.geo.gazetteer import Gazetteer

PIECE = 25.0  # metres: length of the pieces that streets are cut into
AROUND = 200.0  # metres of a street to each side by which it is judged whether photos follow it
NEAR = 120.0  # metres: only streets as near as this compete with the nearest one
FARTHEST = 2000.0  # metres: beyond it a place has no street
BESIDE = 10.0  # metres by which a photo's cell may miss the street that the photo was taken on

Floats = NDArray[np.float64]
_Made = TypeVar("_Made")


def to_frame(geometry: Any, frame: LocalFrame) -> Any:
    """Return a geometry of (longitude, latitude) in degrees as (east, north) in metres of a frame."""
    return shapely.transform(geometry, lambda p: np.column_stack(frame.to_metres(p[:, 1], p[:, 0])))


def cells_in(coverage: Coverage, frame: LocalFrame) -> tuple[Any, NDArray[np.int64]]:
    """Return the cells of a coverage as boxes in metres of a frame, and the number of photos in each."""
    cells = np.array(coverage.cells, dtype=np.int64).reshape(-1, 3)
    cells = cells[cells[:, 2] > 0]
    south = coverage.south + cells[:, 0] * coverage.cell_lat
    west = coverage.west + cells[:, 1] * coverage.cell_lon
    boxes = shapely.box(west, south, west + coverage.cell_lon, south + coverage.cell_lat)
    return to_frame(boxes, frame) if len(cells) else np.empty(0, object), cells[:, 2]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Short straight pieces of lines.

    Attributes:
        lines: (n,) shapely lines in metres of a frame.
        bearings: (n,) direction of each in degrees clockwise from north, 0 <= b < 180.
        middles: (n, 2) east and north in metres.
        lengths: (n,) metres.
        of: (n,) number of the line that it is a piece of; the pieces of a line stand together and in order.
    """

    lines: NDArray[np.object_]
    bearings: Floats
    middles: Floats
    lengths: Floats
    of: NDArray[np.int64]


def cut(lines: Sequence[Any], most: float = PIECE) -> Pieces:
    """Cut lines in metres into straight pieces of at most `most` metres."""
    segments, of = [np.empty((0, 2, 2))], [np.empty(0, np.int64)]
    for number, line in enumerate(lines):
        points = shapely.get_coordinates(shapely.segmentize(line, most))
        own = np.stack([points[:-1], points[1:]], axis=1)
        own = own[(own[:, 0] != own[:, 1]).any(axis=1)]
        segments.append(own)
        of.append(np.full(len(own), number))
    ends = np.concatenate(segments)
    steps = ends[:, 1] - ends[:, 0]
    return Pieces(
        lines=np.asarray(shapely.linestrings(ends), dtype=object).reshape(-1),
        # The second remainder, because (-1e-17) % 180 is 180.0 in floating point.
        bearings=np.degrees(np.arctan2(steps[:, 0], steps[:, 1])) % 180.0 % 180.0,
        middles=ends.mean(axis=1),
        lengths=np.hypot(steps[:, 0], steps[:, 1]),
        of=np.concatenate(of),
    )


def foot(pieces: Pieces, chosen: NDArray[np.int64], points: Floats) -> Floats:
    """Return the nearest point (n, 2) of the chosen pieces (n,) to points (n, 2), all in metres."""
    lines = pieces.lines[chosen]
    along = shapely.line_locate_point(lines, shapely.points(points))
    return np.asarray(shapely.get_coordinates(shapely.line_interpolate_point(lines, along)))


def in_order(parts: Sequence[Any]) -> Any:
    """Join the parts of one street to a line that runs from end to end, across the gaps between them.

    Args:
        parts: lines in metres. One that runs beside others, such as a second roadway, is left out.

    Returns:
        A line that begins in the south, or in the west if it runs rather to the east.
    """
    merged = linemerge(list(parts)) if len(parts) > 1 else parts[0]
    pieces = list(getattr(merged, "geoms", [merged]))
    every = np.concatenate([shapely.get_coordinates(piece) for piece in pieces])
    axis = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)[2][0]
    if axis[np.argmax(np.abs(axis))] < 0:
        axis = -axis
    runs = []
    for piece in pieces:
        points = shapely.get_coordinates(piece)
        if (points[-1] - points[0]) @ axis < 0:
            points = points[::-1]
        runs.append((float((points @ axis).min()), float((points @ axis).max()), points))
    kept: list[tuple[float, float, Floats]] = []
    for run in sorted(runs, key=lambda run: run[0] - run[1]):  # the longest first
        overlap = sum(max(0.0, min(run[1], other[1]) - max(run[0], other[0])) for other in kept)
        if not kept or overlap < 0.5 * (run[1] - run[0]):
            kept.append(run)
    return LineString(np.concatenate([points for _, _, points in sorted(kept, key=lambda run: run[0])]))


class Streets:
    """All streets of a city; made in some tenths of a second, then only read."""

    def __init__(self, city: CityMap) -> None:
        self.city = city
        self.frame = LocalFrame(*city.centre)
        self._parts: dict[str, list[Any]] = defaultdict(list)
        for feature in city.features("streets"):
            geometry = shape(feature["geometry"])
            for part in getattr(geometry, "geoms", [geometry]):
                if part.length > 0:
                    self._parts[str(feature["properties"]["name"])].append(to_frame(part, self.frame))
        whole = [linemerge(parts) if len(parts) > 1 else parts[0] for parts in self._parts.values()]
        self.pieces = cut([part for line in whole for part in getattr(line, "geoms", [line])])
        self._tree = shapely.STRtree(self.pieces.lines)
        self._followed: tuple[Coverage, Floats] | None = None

    @property
    def names(self) -> list[str]:
        """Names of all streets, as the city's file spells them."""
        return list(self._parts)

    def parts(self, name: str) -> list[Any]:
        """Return the lines of a street in metres of `frame`; empty if there is none of exactly this name."""
        return list(self._parts.get(name, ()))

    def followed(self, coverage: Coverage) -> Floats:
        """Return for each piece which share of its street, `AROUND` metres to each side, lies where photos are.

        A street that photos follow has most of it there; one that only crosses such a street has little.
        """
        if self._followed is None or self._followed[0] is not coverage:
            self._followed = (coverage, self._follow(coverage))
        return self._followed[1]

    def _follow(self, coverage: Coverage) -> Floats:
        pieces = self.pieces
        cells, _ = cells_in(coverage, self.frame)
        inside = np.zeros(len(pieces.lines))
        if len(cells):
            inside[self.inside_of(shapely.buffer(shapely.union_all(cells), BESIDE))] = 1.0
        # Sums along each street: what lies between two points of it is a difference of two sums.
        ends = np.cumsum(pieces.lengths)
        covered = np.concatenate([[0.0], np.cumsum(pieces.lengths * inside)])
        bounds = np.concatenate([[0.0], ends])
        first = np.searchsorted(pieces.of, pieces.of, side="left")
        last = np.searchsorted(pieces.of, pieces.of, side="right")
        middle = ends - pieces.lengths / 2
        low = np.maximum(middle - AROUND, bounds[first])
        high = np.minimum(middle + AROUND, bounds[last])
        # A short street counts as if it went on without photos, so that an alley at the corner does not win.
        shares = (np.interp(high, bounds, covered) - np.interp(low, bounds, covered)) / AROUND / 2
        return np.asarray(shares)

    def inside_of(self, area: Any) -> NDArray[np.int64]:
        """Return the numbers of the pieces whose middle lies in an area in metres of `frame`."""
        shapely.prepare(area)
        return np.flatnonzero(shapely.contains_xy(area, self.pieces.middles[:, 0], self.pieces.middles[:, 1]))

    def past(self, points: Floats, coverage: Coverage | None = None) -> NDArray[np.int64]:
        """Return the number of the piece of street that runs past each point.

        The nearest one; where a coverage is given and photos follow a street within `NEAR` metres, the nearest of
        such streets, since nobody has looked along the ones that cross it.

        Args:
            points: (n, 2) in metres of `frame`.
            coverage: where photos are.

        Returns:
            (n,) indices into `pieces`; -1 where no street is within `FARTHEST` metres.
        """
        found = np.full(len(points), -1, dtype=np.int64)
        if not len(points) or not len(self.pieces.lines):
            return found
        dots = shapely.points(points)
        near = self._tree.query_nearest(dots, max_distance=FARTHEST, all_matches=False)
        found[near[0]] = near[1]
        if coverage is None or not coverage.cells:
            return found
        which, piece = self._tree.query(dots, predicate="dwithin", distance=NEAR)
        share = self.followed(coverage)[piece]
        best = np.zeros(len(points))
        np.maximum.at(best, which, share)
        fit = (share > 0) & (share >= 0.6 * best[which])
        which, piece = which[fit], piece[fit]
        metres = shapely.distance(dots[which], self.pieces.lines[piece])
        order = np.lexsort((metres, which))
        which, piece = which[order], piece[order]
        firsts = np.flatnonzero(np.diff(which, prepend=-1))
        found[which[firsts]] = piece[firsts]
        return found


_CACHED = 4


def once_per_city(make: Callable[[CityMap], _Made]) -> Callable[[CityMap], _Made]:
    """Keep what is made of the last few cities; a city's values are never changed."""
    kept: OrderedDict[int, tuple[object, _Made]] = OrderedDict()

    def get(city: CityMap) -> _Made:
        # The data is kept beside it, so that no other city can get the same id.
        entry = kept.get(id(city.data))
        if entry is None:
            entry = kept[id(city.data)] = (city.data, make(city))
            while len(kept) > _CACHED:
                kept.popitem(last=False)
        return entry[1]

    return get


streets_of = once_per_city(Streets)
gazetteer_of = once_per_city(Gazetteer)
