"""Solids as stacks of layers: each a plan that is extruded, or lofted between two shapes of the same plan.

The union of the layers is one closed surface: walls are shared vertex by vertex, and where one layer ends and another
begins only the part of the plans that they do not share becomes a face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Warp = Callable[[Floats], Floats]

GRID = 1e-6  # metres; every vertex lies on it, so that neighbours meet exactly
# Metres. What is nearer is the same point, or lies on the same line: far more than rounding moves a point, far less
# than anything that is modelled.
NEAR = 3e-4


@dataclass(frozen=True)
class Layer:
    """A slice of a solid between two heights.

    Attributes:
        bottom: height in metres.
        top: height in metres, above the bottom.
        plan: seen from above, in metres.
        wall: name of the material of its sides.
        cap: material of what of its top lies open; None for that of the sides.
        soffit: material of what of its underside lies open; None for that of the sides.
        at_bottom: moves the vertices (n, 2) of the plan to where they are at the bottom; None leaves them.
        at_top: the same for the top.
        painted: sides whose middle, in the plan, lies in one of these areas have another material.
    """

    bottom: float
    top: float
    plan: BaseGeometry
    wall: str
    cap: str | None = None
    soffit: str | None = None
    at_bottom: Warp | None = None
    at_top: Warp | None = None
    painted: tuple[tuple[BaseGeometry, str], ...] = ()


@dataclass(frozen=True)
class Surface:
    """A triangle mesh.

    Attributes:
        vertices: (n, 3) in metres.
        faces: (m, 3) indices, counter-clockwise seen from outside.
        materials: (m,) names.
    """

    vertices: Floats
    faces: Ints
    materials: NDArray[np.str_]


@dataclass
class _Rings:
    """The rings of a layer: reference, bottom and top coordinates, and the materials of the edges."""

    reference: list[Floats]
    bottom: list[Floats]
    top: list[Floats]
    materials: list[list[str]]


def _snap(points: Floats) -> Floats:
    result: Floats = np.round(points / GRID) * GRID
    return result


def _polygons(shape: BaseGeometry) -> list[Polygon]:
    shape = shapely.set_precision(shape, GRID)
    return [orient(part) for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > NEAR]


def _rings(layer: Layer) -> _Rings:
    result = _Rings([], [], [], [])
    for polygon in _polygons(layer.plan):
        for ring in (polygon.exterior, *polygon.interiors):
            reference = np.asarray(ring.coords, dtype=np.float64)[:-1, :2]
            middles = (reference + np.roll(reference, -1, axis=0)) / 2
            materials = [layer.wall] * len(reference)
            for area, name in layer.painted:
                for index in np.flatnonzero(shapely.intersects_xy(area, middles[:, 0], middles[:, 1])):
                    materials[index] = name
            result.reference.append(reference)
            result.bottom.append(_snap(layer.at_bottom(reference) if layer.at_bottom else reference))
            result.top.append(_snap(layer.at_top(reference) if layer.at_top else reference))
            result.materials.append(materials)
    if not result.reference:
        raise ValueError(f"the layer from {layer.bottom} to {layer.top} m has no plan")
    return result


def _merged(points: Floats) -> Floats:
    """Points (n, 2) in which those that are nearer than NEAR have become the same."""
    if len(points) < 2:
        return points
    pairs = cKDTree(points).query_pairs(NEAR, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    result: Floats = points[first[group]]
    return result


def _area(rings: Sequence[Floats]) -> BaseGeometry:
    """The area of rings that turn counter-clockwise outside and clockwise round holes."""
    outside = [Polygon(ring) for ring in rings if shapely.LinearRing(ring).is_ccw]
    holes = [Polygon(ring) for ring in rings if not shapely.LinearRing(ring).is_ccw]
    return shapely.make_valid(shapely.union_all(outside).difference(shapely.union_all(holes)))


def _chains(rings: Sequence[Floats], nodes: Floats) -> list[list[tuple[Floats, Floats]]]:
    """For each edge of each ring: the nodes on it, its ends included, and how far along they are (0 to 1)."""
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    edges = shapely.linestrings(np.stack([starts, ends], axis=1))
    tree = shapely.STRtree(shapely.points(nodes))
    edge, node = tree.query(edges, predicate="dwithin", distance=NEAR)
    along = ends - starts
    squared = np.maximum((along**2).sum(axis=1), 1e-12)
    share = ((nodes[node] - starts[edge]) * along[edge]).sum(axis=1) / squared[edge]
    margin = 0.5 * NEAR / np.sqrt(squared[edge])
    keep = (share > margin) & (share < 1 - margin)
    edge, node, share = edge[keep], node[keep], share[keep]
    order = np.lexsort((share, edge))
    edge, node, share = edge[order], node[order], share[order]
    bounds = np.searchsorted(edge, np.arange(len(starts) + 1))
    chains = []
    for index in range(len(starts)):
        low, high = bounds[index], bounds[index + 1]
        chains.append(
            (
                np.vstack([starts[index], nodes[node[low:high]], ends[index]]),
                np.concatenate([[0.0], share[low:high], [1.0]]),
            )
        )
    result, first = [], 0
    for ring in rings:
        result.append(chains[first : first + len(ring)])
        first += len(ring)
    return result


class _Builder:
    """Collects triangles by coordinates."""

    def __init__(self) -> None:
        self.triangles: list[tuple[tuple[float, float, float], ...]] = []
        self.materials: list[str] = []

    def add(self, triangle: tuple[tuple[float, float, float], ...], material: str) -> None:
        self.triangles.append(triangle)
        self.materials.append(material)

    def surface(self) -> Surface:
        points = np.asarray(self.triangles, dtype=np.float64).reshape(-1, 3)
        keys = np.round(points / GRID).astype(np.int64)
        unique, inverse = np.unique(keys, axis=0, return_inverse=True)
        faces = inverse.reshape(-1, 3)
        whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        return Surface(
            (unique * GRID).astype(np.float64), faces[whole].astype(np.int64), np.asarray(self.materials)[whole]
        )


_Chains = list[list[tuple[Floats, Floats]]]


@dataclass(frozen=True)
class _Interface:
    """Where two layers meet.

    Attributes:
        below: the edges of the lower layer, as chains of the points that both share.
        above: those of the upper layer.
        caps: triangles of what lies open upwards, counter-clockwise seen from above.
        soffits: of what lies open downwards, clockwise seen from above.
    """

    below: _Chains
    above: _Chains
    caps: list[list[tuple[float, float]]]
    soffits: list[list[tuple[float, float]]]


def _interface(below: Sequence[Floats], above: Sequence[Floats]) -> _Interface:
    """Join the top of one layer and the bottom of the next; either may be nothing."""
    rings = [*below, *above]
    noded = shapely.union_all([shapely.LinearRing(ring) for ring in rings], grid_size=GRID)
    known = np.unique(np.concatenate(rings), axis=0)
    crossings = np.unique(_snap(shapely.get_coordinates(noded)), axis=0)
    crossings = crossings[cKDTree(known).query(crossings)[0] > NEAR]
    nodes = np.unique(np.vstack([_merged(crossings), known]), axis=0)
    chains = _chains(rings, nodes)
    # The cells are made of these very chains, so that caps and walls meet point by point.
    points = np.concatenate([chain[:-1] for ring in chains for chain, _ in ring])
    after = np.concatenate([chain[1:] for ring in chains for chain, _ in ring])
    ends = np.round(np.concatenate([points, after], axis=1) / GRID)
    swapped = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[swapped] = ends[swapped][:, [2, 3, 0, 1]]
    ends = np.unique(ends, axis=0)
    ends = ends[(ends[:, :2] != ends[:, 2:]).any(axis=1)]
    lines = shapely.linestrings(ends.reshape(-1, 2, 2))
    cells = shapely.get_parts(shapely.polygonize(list(lines)))
    inside = shapely.get_coordinates(shapely.point_on_surface(cells)) * GRID
    is_in = []
    for part in (below, above):
        area = _area(part) if part else Polygon()
        shapely.prepare(area)
        is_in.append(shapely.contains_xy(area, inside[:, 0], inside[:, 1]))
    caps: list[list[tuple[float, float]]] = []
    soffits: list[list[tuple[float, float]]] = []
    for cell, is_below, is_above in zip(cells, *is_in, strict=True):
        if is_below == is_above:
            continue
        for triangle in shapely.get_parts(shapely.constrained_delaunay_triangles(cell)):
            corners = [(x * GRID, y * GRID) for x, y in orient(triangle).exterior.coords[:3]]
            if is_below:
                caps.append(corners)
            else:
                soffits.append(corners[::-1])
    return _Interface(chains[: len(below)], chains[len(below) :], caps, soffits)


def stack(layers: Sequence[Layer]) -> Surface:
    """Return the closed surface of layers, given from the lowest to the highest, each on top of the one before.

    Raises:
        ValueError: if there are gaps between them, or one of them has no plan.
    """
    builder = _Builder()
    # Storeys repeat: what is the same is computed once.
    known_rings: dict[tuple[object, ...], _Rings] = {}
    rings = []
    for layer in layers:
        key = (id(layer.plan), id(layer.at_bottom), id(layer.at_top), layer.wall, id(layer.painted))
        if key not in known_rings:
            known_rings[key] = _rings(layer)
        rings.append(known_rings[key])
    every = [array for ring in known_rings.values() for array in (*ring.bottom, *ring.top)]
    parts = iter(np.split(_merged(np.concatenate(every)), np.cumsum([len(array) for array in every])[:-1]))
    for ring in known_rings.values():
        ring.bottom, ring.top = [next(parts) for _ in ring.bottom], [next(parts) for _ in ring.top]
    known_interfaces: dict[tuple[bytes, bytes], _Interface] = {}
    tops: list[_Chains] = []
    bottoms: list[_Chains] = []
    for index in range(len(layers) + 1):
        lower = layers[index - 1] if index else None
        upper = layers[index] if index < len(layers) else None
        if lower and upper and abs(lower.top - upper.bottom) > NEAR:
            raise ValueError(f"the layers do not meet: {lower.top} and {upper.bottom} m")
        below = rings[index - 1].top if lower else []
        above = rings[index].bottom if upper else []
        shape = (b"|".join(ring.tobytes() for ring in below), b"|".join(ring.tobytes() for ring in above))
        if shape not in known_interfaces:
            known_interfaces[shape] = _interface(below, above)
        joint = known_interfaces[shape]
        if lower:
            for corners in joint.caps:
                builder.add(tuple((x, y, lower.top) for x, y in corners), lower.cap or lower.wall)
        if upper:
            for corners in joint.soffits:
                builder.add(tuple((x, y, upper.bottom) for x, y in corners), upper.soffit or upper.wall)
        tops.append(joint.below)
        bottoms.append(joint.above)
    for index, (layer, ring) in enumerate(zip(layers, rings, strict=True)):
        for low_ring, high_ring, materials in zip(bottoms[index], tops[index + 1], ring.materials, strict=True):
            for (low, low_share), (high, high_share), material in zip(low_ring, high_ring, materials, strict=True):
                low_at = [(x, y, layer.bottom) for x, y in low.tolist()]
                high_at = [(x, y, layer.top) for x, y in high.tolist()]
                i = j = 0
                while i < len(low) - 1 or j < len(high) - 1:
                    if j == len(high) - 1 or (i < len(low) - 1 and low_share[i + 1] <= high_share[j + 1]):
                        builder.add((low_at[i], low_at[i + 1], high_at[j]), material)
                        i += 1
                    else:
                        builder.add((low_at[i], high_at[j + 1], high_at[j]), material)
                        j += 1
    return builder.surface()


# --- plans ------------------------------------------------------------------------------------------------


def rectangle(width: float, depth: float, x: float = 0.0, y: float = 0.0) -> Polygon:
    """A rectangle about (x, y): width along x, depth along y."""
    return shapely.box(x - width / 2, y - depth / 2, x + width / 2, y + depth / 2)


def disc(radius: float, sides: int, x: float = 0.0, y: float = 0.0, turn: float = 0.0) -> Polygon:
    """A regular polygon with its corners on a circle; `turn` in radians."""
    angles = np.arange(sides) * 2 * np.pi / sides + turn
    return Polygon(np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)]))


def cut(plan: BaseGeometry, holes: Sequence[BaseGeometry]) -> BaseGeometry:
    """A plan without some areas."""
    return plan.difference(shapely.union_all(list(holes))) if holes else plan


def along_edge(
    start: tuple[float, float],
    end: tuple[float, float],
    middles: Sequence[float],
    width: float,
    depth: float,
    proud: float = 0.2,
) -> tuple[list[Polygon], MultiPolygon]:
    """Return niches in a wall, such as those of windows, and the area that finds their backs (for `Layer.painted`).

    Args:
        start: of the wall, in metres; its outside is to the right on the way to the end.
        end: of the wall.
        middles: of the niches, in metres from the start.
        width: of each.
        depth: of each into the wall; negative makes buttresses that stand out of it.
        proud: how far before the wall a niche begins, so that it also cuts what stands out there.
    """
    first = np.asarray(start, dtype=np.float64)
    direction = np.asarray(end, dtype=np.float64) - first
    direction /= np.hypot(*direction)
    inwards = np.array([-direction[1], direction[0]])
    niches, backs = [], []
    for middle in middles:
        centre = first + direction * middle
        corners = [
            centre + direction * side * width / 2 + inwards * how_deep
            for side, how_deep in ((-1, -proud), (1, -proud), (1, depth), (-1, depth))
        ]
        if depth < 0:
            corners = [
                centre + direction * side * width / 2 + inwards * how_deep
                for side, how_deep in ((-1, 0.6), (-1, depth), (1, depth), (1, 0.6))
            ]
        niches.append(Polygon(corners))
        backs.append(
            Polygon(
                centre + direction * side * width / 3 + inwards * how_deep
                for side, how_deep in ((-1, depth - 0.05), (1, depth - 0.05), (1, depth + 0.05), (-1, depth + 0.05))
            )
        )
    return niches, MultiPolygon(backs)
