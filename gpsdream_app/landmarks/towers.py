"""The two skyscrapers and the campanile, in the frame of the building: the front looks along +y, z is up, metres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gpsdream_app.landmarks.solids import Floats, Layer, Surface, along_edge, cut, disc, rectangle, stack

# Flatiron: legs of the triangle before its corners are rounded, and their radius.
FLATIRON_FIFTH, FLATIRON_SOUTH, FLATIRON_RADIUS = 56.4, 26.9, 1.2
FLATIRON_PROW = math.degrees(math.atan2(FLATIRON_SOUTH, FLATIRON_FIFTH))
PISA_INCLINATION = 3.97  # degrees


def flatiron_plan() -> Polygon:
    """The outline of the Flatiron Building, the centre of its area at the origin and its prow along +y."""
    triangle = Polygon([(0, 0), (FLATIRON_SOUTH, 0), (0, FLATIRON_FIFTH)])
    rounded = triangle.buffer(-FLATIRON_RADIUS).buffer(FLATIRON_RADIUS, quad_segs=5)
    turned = affinity.rotate(rounded, -FLATIRON_PROW / 2, origin=(0, 0))
    return affinity.translate(turned, -turned.centroid.x, -turned.centroid.y)


def flatiron() -> Surface:
    """The Flatiron Building of Daniel Burnham (1902).

    Published: 285 ft (86.9 m) high to its roof; 173 ft (52.7 m) along Fifth Avenue, 190 ft (57.9 m) along Broadway,
    87 ft (26.5 m) along 22nd Street; the prow 6.5 ft (2 m) wide, its angle about 25 degrees; 20 storeys and an attic
    (Wikipedia, "Flatiron Building"; NYC Landmarks Preservation Commission, LP-0219). Fifth Avenue and 22nd Street meet
    at a right angle. Heights of the storeys are taken from proportions in photographs.
    """
    plan = flatiron_plan()
    corners = np.asarray(shapely.geometry.polygon.orient(plan).exterior.coords)[:, :2]
    long = [
        (tuple(start), tuple(end), float(np.hypot(*(end - start))))
        for start, end in itertools.pairwise(corners)
        if np.hypot(*(end - start)) > 10
    ]
    tip = float(corners[:, 1].max())
    tip_x = float(corners[corners[:, 1].argmax(), 0])

    def with_windows(
        size: float, spacing: float, depth: float, oriels: bool = False
    ) -> tuple[BaseGeometry, BaseGeometry]:
        niches: list[Polygon] = []
        backs: list[Polygon] = []
        bays: list[Polygon] = []
        for start, end, length in long:
            count = max(2, int((length - 2.4) / spacing))
            middles = [float(x) for x in (np.arange(count) + 0.5 - count / 2) * spacing + length / 2]
            if oriels and length > 30:
                # Three shallow bays on each long side.
                row, _ = along_edge(start, end, [length * share for share in (0.25, 0.5, 0.75)], spacing * 1.9, -0.5)
                bays += row
            row, area = along_edge(start, end, middles, size, depth, proud=0.7)
            niches += row
            backs += list(area.geoms)
        row, area = along_edge((tip_x + 1.5, tip), (tip_x - 1.5, tip), [1.5], 0.9, 0.35)
        niches += row
        backs += list(area.geoms)
        return cut(shapely.union_all([plan, *bays]), niches), MultiPolygon(backs)

    def band(out: float) -> BaseGeometry:
        return plan.buffer(out, quad_segs=5)

    layers: list[Layer] = []
    z = 0.0

    def solid(height: float, shape: BaseGeometry, wall: str, top: Callable[[Floats], Floats] | None = None) -> None:
        nonlocal z
        layers.append(Layer(round(z, 3), round(z + height, 3), shape, wall, at_top=top))
        z += height

    def floor(
        below: float, window: float, above: float, shape: tuple[BaseGeometry, BaseGeometry], wall: str, glass: str
    ) -> None:
        nonlocal z
        whole = shape[0] if above < 0 else plan
        for height, plan_here, painted in (
            (below, whole, ()),
            (window, shape[0], ((shape[1], glass),)),
            (abs(above), whole, ()),
        ):
            layers.append(Layer(round(z, 3), round(z + height, 3), plan_here, wall, painted=painted))
            z += height

    shops = with_windows(2.2, 3.05, 0.5)
    wide = with_windows(1.6, 3.05, 0.4)
    narrow = with_windows(1.25, 2.2, 0.35)
    shaft = with_windows(1.25, 2.2, 0.35, oriels=True)
    arched = with_windows(1.5, 2.6, 0.55)
    bays = shapely.union_all([shaft[0], plan])
    solid(0.6, band(0.1), "limestone")
    floor(0.1, 3.6, 0.6, shops, "limestone", "shop window")
    floor(0.5, 2.6, 0.6, wide, "limestone", "window")
    solid(0.7, band(0.4), "terracotta band")
    for _ in range(2):
        floor(0.9, 2.2, 0.8, wide, "limestone", "window")
    solid(0.9, band(0.5), "terracotta band")
    for _ in range(12):
        for height, shape, painted in (
            (0.85, bays, ()),
            (2.05, shaft[0], ((shaft[1], "window"),)),
            (0.80, bays, ()),
        ):
            layers.append(Layer(round(z, 3), round(z + height, 3), shape, "terracotta", painted=painted))
            z += height
    solid(0.5, band(0.75), "terracotta band")
    solid(0.5, band(0.35), "terracotta band")
    floor(0.7, 6.2, 0.7, arched, "terracotta", "window")
    floor(0.6, 2.3, 0.6, arched, "terracotta", "window")
    solid(0.6, band(0.5), "terracotta band")
    floor(0.6, 1.9, 0.5, narrow, "terracotta", "window")
    # The cornice leans out by almost two metres.
    solid(0.6, band(0.5), "terracotta band")
    for step in (0.8, 1.15, 1.5, 1.9):
        solid(0.4, band(step), "terracotta band")
    solid(0.5, band(1.95), "terracotta band")
    rest = 86.9 - z
    solid(rest - 1.1, plan.buffer(-0.5, quad_segs=5), "terracotta")
    solid(0.3, band(-0.2), "terracotta band")
    solid(0.8, band(-0.45), "terracotta")
    layers[-1] = Layer(layers[-1].bottom, 86.9, layers[-1].plan, "terracotta", cap="roof")
    return stack(layers)


def empire_state_building() -> Surface:
    """The Empire State Building of Shreve, Lamb & Harmon (1931).

    Published: 1,250 ft (381.0 m) to the top of the mast, 1,454 ft (443.2 m) to the tip of the antenna, the 86th floor
    at 1,050 ft (320 m); the base, five storeys, 424 ft (129.2 m) along 33rd and 34th Street and 187 ft (57.0 m) along
    Fifth Avenue; the tower stands back 60 ft (18.3 m) from Fifth Avenue above it; setbacks at the floors 21, 25, 30,
    72, 81 and 85 (Wikipedia, "Empire State Building"; NYC Landmarks Preservation Commission, LP-2000). The sizes of the
    setbacks are taken from proportions in photographs.
    """
    stone, strip = "indiana limestone", "window strip"
    layers: list[Layer] = []

    def tier(bottom: float, top: float, width: float, depth: float, y: float = 0.0, notch: float = 0.0) -> None:
        """A block whose windows stand in strips between stone piers; `notch` takes away its corners."""
        whole: BaseGeometry = rectangle(width, depth, 0.0, y)
        if notch:
            places = [(a * width / 2, y + b * depth / 2) for a in (-1, 1) for b in (-1, 1)]
            whole = cut(whole, [rectangle(2 * notch, 2 * notch, *place) for place in places])
        half_x, half_y = width / 2, depth / 2
        niches: list[Polygon] = []
        backs: list[Polygon] = []
        sides = (
            ((-half_x, y - half_y), (half_x, y - half_y), width),
            ((half_x, y - half_y), (half_x, y + half_y), depth),
            ((half_x, y + half_y), (-half_x, y + half_y), width),
            ((-half_x, y + half_y), (-half_x, y - half_y), depth),
        )
        for start, end, length in sides:
            inner = length - 2 * notch - 3.0
            count = max(1, int(inner / 2.9))
            middles = [float(x) for x in (np.arange(count) + 0.5 - count / 2) * 2.9 + length / 2]
            row, area = along_edge(start, end, middles, 1.75, 0.35)
            niches += row
            backs += list(area.geoms)
        layers.append(Layer(bottom, top - 2.4, cut(whole, niches), stone, painted=((MultiPolygon(backs), strip),)))
        layers.append(Layer(top - 2.4, top, whole, stone, cap="roof"))

    layers.append(Layer(0.0, 1.0, rectangle(57.0, 129.2), stone))
    tier(1.0, 24.0, 57.0, 129.2)
    tier(24.0, 78.0, 53.6, 94.0, -0.7)
    tier(78.0, 95.0, 51.0, 86.0)
    tier(95.0, 113.0, 48.0, 77.0)
    tier(113.0, 128.0, 44.5, 68.0)
    tier(128.0, 274.0, 41.0, 57.0, notch=3.4)
    tier(274.0, 303.0, 38.0, 50.0, notch=3.4)
    tier(303.0, 316.0, 34.0, 43.0, notch=2.4)
    layers.append(Layer(316.0, 320.0, rectangle(28.0, 36.0), stone, cap="roof"))
    layers.append(Layer(320.0, 324.0, rectangle(21.0, 27.0), "aluminium", cap="roof"))
    layers.append(Layer(324.0, 331.0, rectangle(15.0, 18.0), "aluminium"))
    shaft = disc(5.4, 16, turn=math.pi / 16)

    def wings(out: float) -> BaseGeometry:
        return shapely.union_all([shaft, rectangle(2 * out, 3.0), rectangle(3.0, 2 * out)])

    on_wings = (wings(9.0).difference(disc(5.9, 16)).buffer(0.3), "aluminium")
    for bottom, top, out in ((331.0, 338.0, 8.6), (338.0, 350.0, 7.6), (350.0, 358.0, 7.0), (358.0, 363.0, 6.4)):
        layers.append(Layer(bottom, top, wings(out), "mast glass", cap="aluminium", painted=(on_wings,)))
    layers.append(Layer(363.0, 366.0, disc(6.3, 16, turn=math.pi / 16), "aluminium"))
    layers.append(Layer(366.0, 370.0, disc(5.4, 16, turn=math.pi / 16), "mast glass"))
    layers.append(Layer(370.0, 372.0, disc(5.0, 16, turn=math.pi / 16), "aluminium"))
    dome = disc(4.6, 16, turn=math.pi / 16)
    for bottom, top, wide, narrow in ((372.0, 376.0, 1.0, 0.78), (376.0, 381.0, 0.74, 0.42)):
        layers.append(Layer(bottom, top, dome, "aluminium", at_bottom=_scaled(wide), at_top=_scaled(narrow)))
    needle = disc(1.5, 8)
    for bottom, top, wide, narrow in (
        (381.0, 398.0, 1.0, 0.85),
        (398.0, 399.0, 1.25, 1.25),
        (399.0, 416.0, 0.75, 0.6),
        (416.0, 417.0, 0.9, 0.9),
        (417.0, 432.0, 0.42, 0.32),
        (432.0, 443.2, 0.22, 0.12),
    ):
        layers.append(Layer(bottom, top, needle, "steel", at_bottom=_scaled(wide), at_top=_scaled(narrow)))
    return stack(layers)


def _scaled(factor: float) -> Callable[[Floats], Floats]:
    return lambda points: points * factor


def _sector(inner: float, outer: float, half: float, turn: float) -> Polygon:
    """A part of a ring, `half` radians to both sides of the direction `turn`."""
    angles = turn + np.array([-half, 0.0, half])
    near = np.column_stack([inner * np.cos(angles), inner * np.sin(angles)])
    out = np.column_stack([outer * np.cos(angles), outer * np.sin(angles)])
    return Polygon([*near, *out[::-1]])


def _widened(count: int, factor: float) -> Callable[[Floats], Floats]:
    """Widens sectors about `count` directions by a factor of their angle; what is further in than 6.5 m stays."""

    def warp(points: Floats) -> Floats:
        angle = np.arctan2(points[:, 1], points[:, 0])
        radius = np.hypot(points[:, 0], points[:, 1])
        nearest = np.round(angle * count / (2 * np.pi)) * 2 * np.pi / count
        turned = nearest + (angle - nearest) * factor
        moved = np.column_stack([radius * np.cos(turned), radius * np.sin(turned)])
        return np.where((radius > 6.5)[:, None], moved, points)

    return warp


def leaning_tower_of_pisa() -> Surface:
    """The campanile of Pisa (1173 to 1372), leaning along +y.

    Published: 55.86 m from the ground to the top on the low side and 56.67 m on the high side; leaning by 3.97 degrees
    since the works of 1990 to 2001; outer diameter of the base 15.484 m; eight storeys: a ground storey with 15 blind
    arches, six galleries with 30 columns each, and the bell chamber (Wikipedia, "Leaning Tower of Pisa"; Opera della
    Primaziale Pisana). The two heights give the length of the axis, 56.4 m, and the radius of the bell chamber, 5.85 m.
    Its curvature is left out.
    """
    marble, column, core_stone = "pisa marble", "pisa column", "pisa core"
    columns = 30
    length = (55.86 + 56.67) / 2 / math.cos(math.radians(PISA_INCLINATION))
    belfry = (56.67 - 55.86) / 2 / math.sin(math.radians(PISA_INCLINATION))
    core = disc(5.75, 60)
    layers = [Layer(0.0, 1.2, disc(15.484 / 2, 60), marble)]
    # The ground storey: blind arches on half columns.
    wall = disc(7.3, 60)
    turns = np.arange(15) * 2 * math.pi / 15
    shafts = shapely.union_all([disc(0.36, 8, 7.3 * math.cos(t), 7.3 * math.sin(t), t) for t in turns])
    layers.append(
        Layer(1.2, 7.4, wall.union(shafts), marble, painted=((shafts.buffer(0.05).difference(wall), column),))
    )
    heights = 7.4 + 1.6 * np.sin(np.linspace(0, math.pi / 2, 6))
    for bottom, top in zip(heights[:-1].round(3), heights[1:].round(3), strict=True):
        gap = math.sqrt(max(0.0, 1 - (((bottom + top) / 2 - 7.4) / 1.6) ** 2)) * (math.pi / 15 - 0.06)
        ring = [_sector(6.9, 7.62, math.pi / 15 - gap, t) for t in turns]
        layers.append(Layer(float(bottom), float(top), shapely.union_all([wall, *ring]), marble))
    layers.append(Layer(9.0, 10.0, disc(7.6, 60), marble))
    layers.append(Layer(10.0, 10.5, disc(7.74, 60), column))
    z = 10.5
    directions = np.arange(columns) * 2 * math.pi / columns
    centre = 7.05
    foot = [disc(0.34, 8, centre * math.cos(t), centre * math.sin(t), t) for t in directions]
    shaft = [disc(0.23, 8, centre * math.cos(t), centre * math.sin(t), t) for t in directions]
    in_core = disc(6.4, 60)
    painted = ((in_core, core_stone),)
    on_feet, on_shafts = shapely.union_all([core, *foot]), shapely.union_all([core, *shaft])
    gallery = [
        Layer(0.0, 0.3, on_feet, column, marble, painted=painted),
        Layer(0.3, 3.3, on_shafts, column, painted=painted),
        Layer(3.3, 3.6, on_feet, column, marble, painted=painted),
    ]
    # The arches: what stands on each column widens until it meets its neighbours, but for a joint.
    thin, full, rise = 0.045, math.pi / columns, 0.65

    def half(height: float) -> float:
        return full - (full - thin) * math.sqrt(max(0.0, 1 - ((height - 3.6) / rise) ** 2)) - 1.5e-3

    steps = (3.6 + rise * np.sin(np.linspace(0, math.pi / 2, 6))).round(3).tolist()
    for bottom, top in itertools.pairwise(steps):
        middle = half((bottom + top) / 2)
        ring = shapely.union_all([core, *(_sector(6.75, 7.35, middle, t) for t in directions)])
        at_bottom, at_top = (_widened(columns, half(height) / middle) for height in (bottom, top))
        gallery.append(Layer(bottom, top, ring, column, at_bottom=at_bottom, at_top=at_top, painted=painted))
    gallery.append(Layer(steps[-1], 5.35, disc(7.4, 60), marble))
    gallery.append(Layer(5.35, 6.05, disc(7.68, 60), column))
    for _ in range(6):
        layers += [replace(part, bottom=round(z + part.bottom, 3), top=round(z + part.top, 3)) for part in gallery]
        z = round(z + 6.05, 3)

    # The bell chamber: six tall arches, smaller ones between them, and a rim.
    def chamber(tall: float, low: float) -> tuple[BaseGeometry, BaseGeometry]:
        whole = disc(belfry - 0.35, 48)
        cuts: list[BaseGeometry] = []
        for number in range(12):
            size = (tall, low)[number % 2]
            if size > 0.02:
                cuts.append(_sector(3.9, 8.0, size / 2 / belfry, number * math.pi / 6))
        return cut(whole, cuts), disc(4.2, 48)

    for bottom, top, tall, low in (
        (0.0, 0.5, 0.0, 0.0),
        (0.5, 2.6, 1.9, 1.0),
        (2.6, 3.0, 1.9, 0.6),
        (3.0, 4.6, 1.9, 0.0),
        (4.6, 5.1, 1.6, 0.0),
        (5.1, 5.5, 1.0, 0.0),
    ):
        shape, inner = chamber(tall, low)
        layers.append(Layer(round(z + bottom, 3), round(z + top, 3), shape, marble, painted=((inner, "opening"),)))
    layers.append(Layer(round(z + 5.5, 3), round(z + 6.4, 3), disc(belfry - 0.35, 48), marble))
    layers.append(Layer(round(z + 6.4, 3), round(z + 7.1, 3), disc(belfry, 48), column, cap="roof"))
    layers.append(Layer(round(z + 7.1, 3), round(z + 8.2, 3), disc(belfry - 0.6, 48), marble, cap="roof"))
    layers.append(Layer(round(z + 8.2, 3), round(length, 3), disc(belfry, 48), column, cap="roof"))
    return _leaning(stack(layers), PISA_INCLINATION)


def _leaning(surface: Surface, degrees: float) -> Surface:
    """Turn a surface about the x axis through its foot so that its top moves along +y; its foot stays level."""
    angle = math.radians(degrees)
    upright = surface.vertices.copy()
    foot = upright[:, 2] < 1e-6
    upright[foot, 2] = upright[foot, 1] * math.tan(angle)
    y, z = upright[:, 1], upright[:, 2]
    leaning = np.column_stack(
        [upright[:, 0], y * math.cos(angle) + z * math.sin(angle), z * math.cos(angle) - y * math.sin(angle)]
    )
    leaning[foot, 2] = 0.0
    return Surface(leaning, surface.faces, surface.materials)
