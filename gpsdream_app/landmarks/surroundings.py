"""What stands about a landmark in a photo: people, trees, street lamps and the houses behind. Simple shapes of ours."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.landmarks.materials import MATERIALS, NAMES
from gpsdream_app.landmarks.renderer import Scene, to_linear
from gpsdream_app.landmarks.solids import Floats, Ints

CLOTHES = ((38, 52, 84), (150, 42, 40), (206, 200, 190), (46, 46, 50), (66, 96, 72), (196, 160, 74), (110, 134, 168))
SKINS = ((236, 196, 170), (206, 160, 128), (150, 106, 78), (96, 66, 48))
HAIRS = ((40, 30, 26), (96, 66, 40), (168, 132, 84), (150, 150, 150))


class _Parts:
    """Collects simple solids."""

    def __init__(self) -> None:
        self.vertices: list[Floats] = []
        self.faces: list[Ints] = []
        self.materials: list[Ints] = []
        self.tints: list[Floats] = []
        self._count = 0

    def add(self, vertices: Floats, faces: Ints, material: str, tint: Floats | float = 1.0) -> None:
        self.vertices.append(vertices)
        self.faces.append(faces + self._count)
        self.materials.append(np.full(len(faces), NAMES.index(material), dtype=np.int64))
        tints = np.broadcast_to(np.asarray(tint, dtype=np.float64), (len(faces), 3))
        self.tints.append(tints)
        self._count += len(vertices)

    def scene(self) -> Scene:
        faces = np.concatenate(self.faces)
        return Scene(
            np.concatenate(self.vertices),
            faces,
            np.concatenate(self.materials),
            np.concatenate(self.tints),
            np.zeros(len(faces), dtype=np.bool_),
        )


def _loft(rings: list[Floats]) -> tuple[Floats, Ints]:
    """A closed solid through rings (k, 3) of equal length that turn counter-clockwise seen from above."""
    sides = len(rings[0])
    vertices = np.concatenate(rings)
    faces = []
    for level in range(len(rings) - 1):
        for side in range(sides):
            a, b = level * sides + side, level * sides + (side + 1) % sides
            faces += [(a, b, b + sides), (a, b + sides, a + sides)]
    last = (len(rings) - 1) * sides
    for side in range(1, sides - 1):
        faces += [(0, side + 1, side), (last, last + side, last + side + 1)]
    return vertices, np.array(faces, dtype=np.int64)


def _ring(x: float, y: float, z: float, wide: float, deep: float, sides: int = 6) -> Floats:
    angles = (np.arange(sides) + 0.5) * 2 * math.pi / sides
    return np.column_stack([x + wide * np.cos(angles), y + deep * np.sin(angles), np.full(sides, z)])


def _ball(x: float, y: float, z: float, radius: float, sides: int = 7) -> tuple[Floats, Ints]:
    rings = [
        _ring(x, y, z + radius * math.sin(angle), radius * math.cos(angle), radius * math.cos(angle), sides)
        for angle in np.linspace(-1.3, 1.3, 5)
    ]
    return _loft(rings)


def _tint(colour: tuple[int, int, int], material: str) -> Floats:
    """The factor that turns a material's colour into another."""
    result: Floats = to_linear(colour) / np.maximum(to_linear(MATERIALS[material].colour), 1e-3)
    return result


def _person(rng: np.random.Generator, parts: _Parts, x: float, y: float) -> None:
    """Somebody who stands or walks, 1.5 to 1.9 m tall."""
    size = rng.uniform(0.88, 1.1)
    angle = rng.uniform(0, 2 * math.pi)
    stride = rng.uniform(0.05, 0.22)
    body = _Parts()
    trousers, shirt = (CLOTHES[number] for number in rng.integers(len(CLOTHES), size=2))
    skin, hair = SKINS[rng.integers(len(SKINS))], HAIRS[rng.integers(len(HAIRS))]
    for side in (-1, 1):
        leg = [_ring(side * 0.11, side * stride * (1 - z / 0.85), z, w, w * 1.1) for z, w in ((0.0, 0.07), (0.85, 0.1))]
        body.add(*_loft(leg), "cloth", _tint(trousers, "cloth"))
        arm = [
            _ring(side * (0.26 - 0.02 * (z > 1)), -side * stride * (1.4 - z), z, 0.05, 0.05) for z in (0.78, 1.1, 1.4)
        ]
        body.add(*_loft(arm), "cloth", _tint(shirt, "cloth"))
    torso = [(0.80, 0.17, 0.12), (1.05, 0.17, 0.11), (1.35, 0.22, 0.13), (1.47, 0.10, 0.08)]
    body.add(*_loft([_ring(0, 0, *values, 8) for values in torso]), "cloth", _tint(shirt, "cloth"))
    body.add(*_ball(0, 0, 1.61, 0.115), "skin", _tint(skin, "skin"))
    body.add(*_ball(0, -0.03, 1.65, 0.115), "hair", _tint(hair, "hair"))
    scene = body.scene()
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    vertices = scene.vertices * size
    vertices[:, :2] = vertices[:, :2] @ turn + (x, y)
    for material in np.unique(scene.materials):
        chosen = scene.materials == material
        parts.add(vertices, scene.faces[chosen], NAMES[material])
        parts.tints[-1] = scene.tints[chosen]


@cache
def _crown(variant: int) -> tuple[Floats, Floats]:
    """Clumps of leaves of a tree of height 1: centres (n, 3) and sizes (n,)."""
    rng = np.random.default_rng([77, variant])
    count = 260
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = rng.uniform(0.55, 1.0, count) ** 0.5
    centres = direction * radius[:, None] * np.array([0.30, 0.30, 0.33]) + np.array([0, 0, 0.66])
    # Boughs: the crown swells and shrinks with the direction.
    swell = 1 + 0.22 * np.sin(3 * np.arctan2(direction[:, 1], direction[:, 0]) + variant) * direction[:, 2]
    centres[:, :2] *= swell[:, None]
    return centres, rng.uniform(0.045, 0.085, count)


_OCTAHEDRON = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64)
_OCTAHEDRON_FACES = np.array(
    [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [1, 0, 5], [2, 1, 5], [3, 2, 5], [0, 3, 5]], dtype=np.int64
)


def _tree(rng: np.random.Generator, parts: _Parts, x: float, y: float, height: float, season: str) -> None:
    trunk = [_ring(x, y, z * height, w * height, w * height) for z, w in ((0, 0.022), (0.3, 0.016), (0.75, 0.006))]
    parts.add(*_loft(trunk), "bark")
    for _ in range(7):
        angle, up = rng.uniform(0, 2 * math.pi), rng.uniform(0.28, 0.5)
        reach = rng.uniform(0.15, 0.27)
        tip = np.array([reach * math.cos(angle), reach * math.sin(angle), 0.25]) * height
        foot = np.array([x, y, up * height])
        bough = [
            _ring(0, 0, 0, 0.009 * height, 0.009 * height) + foot,
            _ring(0, 0, 0, 0.003 * height, 0.003 * height) + foot + tip,
        ]
        parts.add(*_loft(bough), "bark")
    if season == "winter":
        return
    centres, sizes = _crown(int(rng.integers(4)))
    angle = rng.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    centres = centres.copy()
    centres[:, :2] = centres[:, :2] @ turn
    count = len(centres)
    turned = _OCTAHEDRON[None] * sizes[:, None, None] * rng.uniform(0.7, 1.3, (count, 1, 3))
    vertices = ((centres[:, None] + turned) * height).reshape(-1, 3) + np.array([x, y, 0.0])
    faces = (_OCTAHEDRON_FACES[None] + 6 * np.arange(count)[:, None, None]).reshape(-1, 3)
    tint = np.repeat(rng.uniform(0.65, 1.35, (count, 1)) * rng.uniform(0.9, 1.1, 3), 8, axis=0)
    parts.add(vertices, faces, "autumn leaves" if season == "autumn" else "leaves", tint)


def _lamp(parts: _Parts, x: float, y: float) -> None:
    parts.add(*_loft([_ring(x, y, z, w, w) for z, w in ((0, 0.16), (0.8, 0.09), (4.6, 0.05))]), "iron")
    parts.add(*_ball(x, y, 4.85, 0.24), "lamp")


def _house(
    rng: np.random.Generator,
    parts: _Parts,
    x: float,
    y: float,
    size: tuple[float, float, float],
    turn: float,
    style: str,
) -> None:
    width, depth, height = size
    wall = {"paris": "paris wall", "pisa": "italian wall"}.get(style) or (
        "city brick" if rng.random() < 0.4 else "city wall"
    )
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, depth / 2)
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    flat = corners @ turned + (x, y)
    rings = [np.column_stack([flat, np.full(4, z)]) for z in (0.0, height)]
    tint = rng.uniform(0.75, 1.2) * rng.uniform(0.94, 1.06, 3)
    parts.add(*_loft(rings), wall, tint)
    if style in ("paris", "pisa"):
        inner = corners * (0.86 if style == "paris" else 0.25) @ turned + (x, y)
        rise = 4.0 if style == "paris" else 2.4
        roof = [np.column_stack([flat, np.full(4, height)]), np.column_stack([inner, np.full(4, height + rise)])]
        parts.add(*_loft(roof), "zinc" if style == "paris" else "tiles", rng.uniform(0.8, 1.15))


STYLES = {
    "washington-square-arch": "new york",
    "flatiron": "new york",
    "empire-state-building": "new york",
    "arc-de-triomphe": "paris",
    "leaning-tower-of-pisa": "pisa",
}
# Nearest ring of houses in metres, their heights, and how many.
_HOUSES = {
    "washington-square-arch": (75.0, (14.0, 60.0), 70),
    "flatiron": (55.0, (18.0, 75.0), 90),
    "empire-state-building": (110.0, (18.0, 120.0), 130),
    "arc-de-triomphe": (125.0, (18.0, 22.0), 70),
    "leaning-tower-of-pisa": (130.0, (7.0, 14.0), 50),
}
_GRID_TURN = {"new york": 29.0, "paris": 0.0, "pisa": -7.0}


def surroundings(
    rng: np.random.Generator, landmark_id: str, camera: Camera, radius: float, season: str, crowd: float
) -> Scene:
    """Return what stands about a landmark in one photo. Nothing high stands between the camera and the landmark.

    Args:
        rng: decides everything.
        landmark_id: style and distance of the houses follow from it.
        camera: whose view they are for.
        radius: about the landmark's foot, in metres, that nothing stands in.
        season: "summer", "autumn" or "winter", for the trees.
        crowd: how many people and trees, 0 to 1.
    """
    parts = _Parts()
    style = STYLES.get(landmark_id, "new york")
    eye = np.asarray(camera.eye[:2])
    distance = float(np.hypot(*eye))
    to_foot = -eye / max(distance, 1e-6)
    side = np.array([to_foot[1], -to_foot[0]])
    near, (low, high), count = _HOUSES.get(landmark_id, (100.0, (15.0, 40.0), 60))
    turn = math.radians(_GRID_TURN[style])

    def clear(point: Floats, size: float) -> bool:
        """Whether something of this size at a point leaves the view of the landmark free."""
        offset = point - eye
        ahead = float(offset @ to_foot)
        if ahead <= -size:
            return float(np.hypot(*offset)) > size + 3
        if ahead > distance:
            return True
        half = (radius + 2) * min(1.0, max(ahead, 0.0) / distance) + 2.5
        return abs(float(offset @ side)) > half + size and float(np.hypot(*offset)) > size + 4

    for _ in range(count):
        angle = rng.uniform(0, 2 * math.pi)
        away = radius + near * rng.uniform(0.75, 1.0) + rng.exponential(170.0 if style != "paris" else 60.0)
        place = np.array([math.sin(angle), math.cos(angle)]) * away
        width, depth = rng.uniform(14, 34, 2)
        height = float(rng.uniform(low, high) if rng.random() < 0.75 else rng.uniform(low, (low + high) / 2))
        facing = turn if style != "paris" else -angle
        if clear(place, math.hypot(width, depth) / 2):
            _house(rng, parts, float(place[0]), float(place[1]), (width, depth, height), facing, style)
    for _ in range(round(crowd * 16)):
        ahead = distance * rng.uniform(0.15, 1.5)
        aside = float(rng.choice([-1, 1])) * rng.uniform(0.5, 2.4) * (radius + 4)
        place = eye + to_foot * ahead + side * aside
        height = rng.uniform(6, 13)
        if np.hypot(*place) > radius + 3 and (clear(place, height * 0.18) or (rng.random() < 0.15 and ahead > 12)):
            _tree(rng, parts, float(place[0]), float(place[1]), height, season)
    for _ in range(round(crowd * 34)):
        ahead = rng.uniform(4.0, max(8.0, min(distance * 0.95, 90.0)))
        aside = rng.normal() * (0.45 * ahead + 1.0)
        place = eye + to_foot * ahead + side * aside
        if np.hypot(*place) > radius * 0.6 + 1:
            _person(rng, parts, float(place[0]), float(place[1]))
    for _ in range(4):
        place = (
            eye
            + to_foot * distance * rng.uniform(0.3, 1.1)
            + side * float(rng.choice([-1, 1])) * rng.uniform(0.8, 1.8) * radius
        )
        if np.hypot(*place) > radius + 1 and clear(place, 0.3):
            _lamp(parts, float(place[0]), float(place[1]))
    if not parts.vertices:
        _lamp(parts, float(eye[0] - to_foot[0] * 30), float(eye[1] - to_foot[1] * 30))
    return parts.scene()
