"""The two triumphal arches, in the frame of the building: the front looks along +y, z is up, metres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gpsdream_app.landmarks.solids import Floats, Layer, Surface, along_edge, cut, disc, rectangle, stack

VAULT_STEPS = 12


@dataclass(frozen=True)
class Vault:
    """A passage with a half-round top, through the middle of the building.

    Attributes:
        across: 0 if its walls stand at +-x (it runs along y), 1 if at +-y (it runs along x).
        width: in metres.
        height: of the crown in metres.
        material: of its walls and its vault.
    """

    across: int
    width: float
    height: float
    material: str

    @property
    def spring(self) -> float:
        """Height in metres at which the wall begins to bend."""
        return self.height - self.width / 2

    def half(self, z: float) -> float:
        """Half of the width in metres at a height."""
        return math.sqrt(max(0.0, (self.width / 2) ** 2 - max(0.0, z - self.spring) ** 2))

    def heights(self) -> list[float]:
        """Where it is bent, in metres."""
        angles = np.linspace(0, math.pi / 2, VAULT_STEPS + 1)
        return [round(self.spring + self.width / 2 * math.sin(angle), 3) for angle in angles]


def _pierce(layers: Sequence[Layer], vaults: Sequence[Vault]) -> list[Layer]:
    """Drive vaults through layers, which are divided where a vault bends."""
    result = []
    for layer in layers:
        bends = {z for vault in vaults for z in vault.heights() if layer.bottom + 0.02 < z < layer.top - 0.02}
        heights = [layer.bottom, *sorted(bends), layer.top]
        for bottom, top in itertools.pairwise(heights):
            middle = (bottom + top) / 2
            open_here = [vault for vault in vaults if vault.height > middle]
            halves = [round(vault.half(middle), 3) for vault in open_here]
            passages: list[BaseGeometry] = []
            painted = list(layer.painted)
            for vault, half in zip(open_here, halves, strict=True):
                size = (2 * half, 200.0) if vault.across == 0 else (200.0, 2 * half)
                passages.append(rectangle(*size))
                slack = (2 * half + 0.01, 200.0) if vault.across == 0 else (200.0, 2 * half + 0.01)
                painted.append((rectangle(*slack).intersection(layer.plan.buffer(-0.05)), vault.material))
            plan = cut(layer.plan, passages)

            def at(z: float, open_here: list[Vault] = open_here, halves: list[float] = halves) -> _Bend:
                return _Bend(tuple(zip(open_here, halves, strict=True)), z)

            result.append(
                replace(
                    layer,
                    bottom=bottom,
                    top=top,
                    plan=plan,
                    at_bottom=at(bottom),
                    at_top=at(top),
                    painted=tuple(painted),
                )
            )
    return result


@dataclass(frozen=True)
class _Bend:
    """Moves the walls of vaults, whose plan was drawn at another height, to where they are at height z."""

    vaults: tuple[tuple[Vault, float], ...]
    z: float

    def __call__(self, points: Floats) -> Floats:
        result = points.copy()
        for vault, half in self.vaults:
            on_wall = np.abs(np.abs(points[:, vault.across]) - half) < 2e-3
            result[on_wall, vault.across] = np.sign(points[on_wall, vault.across]) * vault.half(self.z)
        return result


def _figures(rng: np.random.Generator, x: float, y: float, width: float, share: float) -> list[BaseGeometry]:
    """Plans of a group of stone figures at one height; `share` 0 at their feet, 1 at the tips of their wings."""
    count = 3 if share < 0.7 else 1
    spread = width / 2 * (1 - 0.7 * share)
    radius = width * (0.20 if share < 0.75 else 0.13)
    return [
        disc(radius * rng.uniform(0.8, 1.25), 9, x + rng.uniform(-spread, spread), y, rng.uniform(0, 1))
        for _ in range(count)
    ]


def washington_square_arch() -> Surface:
    """The arch of Stanford White (1892).

    Published: 73 ft 6 in (22.40 m) high, 56 ft 10 in (17.32 m) wide; piers 13 ft 5 in (4.09 m) wide and 17 ft 10 in
    (5.44 m) deep; the opening 30 ft (9.14 m) wide and 47 ft 9 in (14.55 m) high (Stanford White in "The History of the
    Washington Arch in Washington Square, New York", 1896; others say 77 ft). Heights of the
    mouldings are taken from proportions in photographs. Two statues of Washington stand before the piers of the north
    front only.
    """
    width, depth = 17.32, 5.44
    body = rectangle(width, depth)
    stone, carved = "tuckahoe marble", "carved marble"
    pier = (9.14 / 2 + width / 2) / 2
    rng = np.random.default_rng(1892)
    edge = depth / 2

    def body_with(*parts: BaseGeometry) -> BaseGeometry:
        return shapely.union_all([body, *parts])

    layers = [
        Layer(0.0, 1.2, body.buffer(0.55, join_style="mitre"), "weathered marble"),
        Layer(1.2, 1.8, body.buffer(0.28, join_style="mitre"), stone),
        Layer(1.8, 4.0, body_with(*(rectangle(2.2, 2.4, side * pier, edge) for side in (-1, 1))), stone),
    ]
    # The statues: cloak, chest, head.
    for bottom, top, radius in ((4.0, 6.4, 0.85), (6.4, 7.7, 0.70), (7.7, 8.0, 0.36), (8.0, 8.7, 0.42)):
        around = shapely.union_all([disc(radius, 10, side * pier, edge + 0.55, rng.uniform(0, 1)) for side in (-1, 1)])
        plinth = [rectangle(1.9, 0.5, side * pier, edge) for side in (-1, 1)]
        painted = ((around.buffer(0.05).difference(body.buffer(0.3)), carved),)
        layers.append(Layer(bottom, top, body_with(around, *plinth), stone, painted=painted))
    layers.append(Layer(8.7, 9.0, body, stone))
    layers.append(Layer(9.0, 9.98, body.buffer(0.32, join_style="mitre"), stone))
    layers.append(Layer(9.98, 13.7, body, stone))
    keystones = [rectangle(1.3, 1.3, 0.0, side * edge) for side in (-1, 1)]
    layers.append(Layer(13.7, 15.5, body_with(*keystones), stone))
    layers.append(Layer(15.5, 15.9, body.buffer(0.2, join_style="mitre"), stone))
    # The frieze with its stars and Ws.
    medallions: list[BaseGeometry] = []
    half = width / 2
    for y, way in ((-edge, 1), (edge, -1)):
        row, _ = along_edge((-way * half, y), (way * half, y), np.arange(0.7, 17.0, 1.13).tolist(), 0.6, -0.12)
        medallions.extend(row)
    layers.append(Layer(15.9, 16.8, body_with(*medallions), carved))
    for bottom, top, out in ((16.8, 17.1, 0.35), (17.1, 17.4, 0.65), (17.4, 17.8, 0.95)):
        layers.append(Layer(bottom, top, body.buffer(out, join_style="mitre"), stone))
    attic = rectangle(width - 0.7, depth - 0.7)
    layers.append(Layer(17.8, 18.3, attic.buffer(0.15, join_style="mitre"), stone))
    panels: list[BaseGeometry] = []
    painted_backs = []
    for y, way, size in ((-edge + 0.35, 1, 9.6), (edge - 0.35, -1, 7.2)):
        row, backs = along_edge((-way * half, y), (way * half, y), [half], size, 0.18)
        panels.extend(row)
        painted_backs.append((backs, "weathered marble"))
    # Between them the wall steps forward at both ends, above the piers.
    ends = [rectangle(3.6, depth - 0.3, side * 6.4) for side in (-1, 1)]
    upper = shapely.union_all([cut(attic, panels), *ends])
    layers.append(Layer(18.3, 20.8, upper, stone, painted=tuple(painted_backs)))
    layers.append(Layer(20.8, 21.1, attic.buffer(0.3, join_style="mitre"), stone))
    layers.append(Layer(21.1, 21.6, attic.buffer(0.6, join_style="mitre"), stone))
    layers.append(Layer(21.6, 22.4, attic.buffer(-0.2, join_style="mitre"), stone, cap="roof"))
    return stack(_pierce(layers, [Vault(0, 9.14, 14.55, "weathered marble")]))


def arc_de_triomphe() -> Surface:
    """The arch of Chalgrin (1836).

    Published: 49.54 m high, 44.82 m wide, 22.21 m deep; the large vault 29.19 m high and 14.62 m wide, the small one
    18.68 m high and 8.44 m wide (Centre des monuments nationaux; the same figures on Wikipedia, "Arc de Triomphe").
    Heights of the mouldings are taken from proportions in photographs.
    """
    stone, carved, cornice = "chateau-landon stone", "carved stone", "cornice"
    whole = rectangle(44.82, 22.21)
    body = rectangle(43.4, 20.8)
    rng = np.random.default_rng(1836)
    edge = 10.4
    groups = [(side_x * 14.6, side_y * edge) for side_x in (-1, 1) for side_y in (-1, 1)]

    def body_with(parts: Sequence[BaseGeometry]) -> BaseGeometry:
        return shapely.union_all([body, *parts])

    def faces(middles: Sequence[float], size: float, depth: float, small: Sequence[float] = ()) -> list[BaseGeometry]:
        """Niches, or with a negative depth slabs, on all four sides."""
        rows: list[BaseGeometry] = []
        for y, direction in ((-edge, 1), (edge, -1)):
            rows += along_edge((-direction * 21.7, y), (direction * 21.7, y), middles, size, depth)[0]
        for x, direction in ((21.7, 1), (-21.7, -1)):
            rows += along_edge((x, -direction * edge), (x, direction * edge), small, size, depth)[0]
        return rows

    layers = [
        Layer(0.0, 1.4, whole, stone),
        Layer(1.4, 5.8, body_with([rectangle(6.6, 3.4, x, y) for x, y in groups]), stone),
        Layer(5.8, 6.3, body_with([rectangle(7.0, 3.6, x, y) for x, y in groups]), cornice),
    ]
    # The four groups: The Departure, The Triumph, The Resistance, The Peace.
    heights = np.linspace(6.3, 17.7, 11).round(3)
    for step, (bottom, top) in enumerate(itertools.pairwise(heights)):
        share = step / (len(heights) - 2)
        stones: list[BaseGeometry] = []
        for x, y in groups:
            slab = rectangle(5.4 * (1 - 0.45 * share), 2.0 - 0.8 * share, x, y)
            stones += [slab, *_figures(rng, x, y + np.sign(y) * 0.7 * (1 - share), 5.6, share)]
        around = shapely.union_all(stones).buffer(0.05).difference(body.buffer(0.02))
        layers.append(Layer(float(bottom), float(top), body_with(stones), stone, carved, painted=((around, carved),)))
    layers += [
        Layer(17.7, 18.0, body, stone),
        Layer(18.0, 18.9, body.buffer(0.35, join_style="mitre"), cornice),
        Layer(18.9, 20.9, body, stone),
        Layer(20.9, 21.88, body.buffer(0.45, join_style="mitre"), cornice),
        Layer(21.88, 22.8, body, stone),
    ]
    # Bas-reliefs of battles over the groups, and over the small vaults.
    reliefs = faces([7.1, 36.3], 9.0, -0.32, [10.4])
    on_reliefs = (shapely.union_all(reliefs).buffer(0.05).difference(body.buffer(0.02)), carved)
    layers += [
        Layer(22.8, 27.6, body_with(reliefs), stone, painted=(on_reliefs,)),
        Layer(27.6, 30.6, body, stone),
        Layer(30.6, 31.6, body.buffer(0.25, join_style="mitre"), cornice),
        Layer(31.6, 33.8, body.buffer(0.08, join_style="mitre"), carved),
        Layer(33.8, 34.4, body.buffer(0.35, join_style="mitre"), cornice),
        Layer(34.4, 35.4, whole, cornice),
        Layer(35.4, 36.6, body.buffer(-0.3, join_style="mitre"), stone),
    ]
    # The attic with its thirty shields between pilasters.
    pilasters = faces(np.arange(1.4, 43.0, 4.06).tolist(), 1.3, -0.02, np.arange(1.3, 20.0, 4.55).tolist())
    shields = faces(np.arange(3.43, 42.0, 4.06).tolist(), 1.9, -0.15, np.arange(3.575, 19.0, 4.55).tolist())
    attic = body.buffer(-0.45, join_style="mitre")
    on_shields = (shapely.union_all(shields).buffer(0.1), carved)
    layers += [
        Layer(36.6, 38.4, shapely.union_all([attic, *pilasters]), stone),
        Layer(38.4, 42.2, shapely.union_all([attic, *pilasters, *shields]), stone, painted=(on_shields,)),
        Layer(42.2, 44.2, shapely.union_all([attic, *pilasters]), stone),
        Layer(44.2, 45.2, body.buffer(0.1, join_style="mitre"), cornice),
        Layer(45.2, 46.0, body.buffer(0.4, join_style="mitre"), cornice),
        Layer(46.0, 48.3, body.buffer(-0.6, join_style="mitre"), carved),
        Layer(48.3, 49.54, body.buffer(-0.35, join_style="mitre"), stone, cap="roof"),
    ]
    return stack(_pierce(layers, [Vault(0, 14.62, 29.19, "vault"), Vault(1, 8.44, 18.68, "vault")]))
