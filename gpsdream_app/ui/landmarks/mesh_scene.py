"""What is in the 3D view, in numbers: colours of the modes, lamps, the ground with its grid. No Qt and no VTK."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gpsdream_app.lifting.mesh import vertex_normals
from gpsdream_app.lifting.viewpoint import Viewpoint
from gpsdream_app.ui.landmarks.mesh_model import Solid

LINES = 5  # of the ground's grid to either side of the middle


class Mode(StrEnum):
    """What the surface shows."""

    TEXTURE = "texture"
    COLOURS = "colours"
    CLAY = "clay"
    NORMALS = "normals"
    DEPTH = "depth"


class Lighting(StrEnum):
    """Where the light comes from."""

    SOFT = "soft"
    DAY = "day"
    EVENING = "evening"
    DRAWN = "drawn"


class Cut(StrEnum):
    """What a clipping plane is square to."""

    EAST = "east"
    NORTH = "north"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Lamp:
    """A lamp at an infinite distance.

    Attributes:
        azimuth: where it hangs, degrees clockwise from north; beside the camera, clockwise from it, if `with_camera`.
        elevation: in degrees.
        strength: 0 to 1.
        colour: red, green and blue, 0 to 1.
        with_camera: whether it goes along with the camera.
    """

    azimuth: float
    elevation: float
    strength: float
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    with_camera: bool = False


@dataclass(frozen=True, slots=True)
class Lights:
    """A preset: lamps, and the share of light that comes from everywhere; no lamps show colours as they are."""

    ambient: float
    lamps: tuple[Lamp, ...]


LIGHTS = {
    Lighting.SOFT: Lights(0.42, (Lamp(-35, 35, 0.5, with_camera=True), Lamp(60, 10, 0.22, with_camera=True))),
    # The sun of an early summer afternoon, and the sky opposite.
    Lighting.DAY: Lights(0.34, (Lamp(215, 48, 0.72, (1.0, 0.97, 0.9)), Lamp(35, 30, 0.2, (0.75, 0.85, 1.0)))),
    Lighting.EVENING: Lights(0.26, (Lamp(285, 14, 0.85, (1.0, 0.74, 0.45)), Lamp(105, 40, 0.26, (0.55, 0.65, 1.0)))),
    Lighting.DRAWN: Lights(1.0, ()),
}


def colours_of(solid: Solid, mode: Mode, viewpoint: Viewpoint, clay: tuple[int, int, int]) -> np.ndarray:
    """Colours of the vertices in a mode, (V, 3) bytes.

    Normals: east, north and up are red, green and blue. Depth: white next to the viewpoint, dark away from it.
    """
    mesh = solid.mesh
    if mode is Mode.NORMALS:
        shown = vertex_normals(solid.vertices, mesh.faces) / 2.0 + 0.5
    elif mode is Mode.DEPTH:
        away = np.linalg.norm(solid.vertices - viewpoint.position, axis=1)
        share = (away - away.min()) / max(float(np.ptp(away)), 1e-9)
        shown = np.repeat((1.0 - 0.86 * share)[:, None], 3, axis=1)
    elif mode is Mode.CLAY:
        shown = np.broadcast_to(np.array(clay) / 255.0, solid.vertices.shape)
    else:
        shown = mesh.colours
    return np.asarray((np.clip(shown, 0, 1) * 255).round().astype(np.uint8))


def lamp_direction(lamp: Lamp, viewpoint: Viewpoint) -> np.ndarray:
    """Unit vector (3,) towards a lamp."""
    turn = viewpoint.azimuth + lamp.azimuth if lamp.with_camera else lamp.azimuth
    lift = lamp.elevation + (viewpoint.elevation if lamp.with_camera else 0.0)
    a, e = math.radians(turn), math.radians(min(lift, 89.0))
    return np.array([math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)])


def round_step(length: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not over a length over 0."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= length * (1 + 1e-9))


@dataclass(frozen=True, slots=True)
class Ground:
    """A grid on the ground in metres, its lines parallel to north and east.

    Attributes:
        step: between lines.
        half: from the middle to the edge.
        centre: (east, north) of its middle: a crossing of its lines.
        lines: (2n, 3) points, two of each line.
        arrow: (m, 3) corners of an arrow to the north, beyond the northern edge; triangles in a row.
    """

    step: float
    half: float
    centre: tuple[float, float]
    lines: np.ndarray
    arrow: np.ndarray


def ground_of(vertices: np.ndarray) -> Ground:
    """The grid under a mesh (V, 3) in metres, at the height of the landmark's foot."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    reach = max(float((high - low)[:2].max()), 0.3 * float(high[2] - low[2]))
    step = round_step(max(reach * 1.8 / (2 * LINES), 1e-6))
    east, north = (round(float(value) / step) * step for value in ((low + high) / 2)[:2])
    count = max(2, math.ceil(reach * 0.9 / step))
    half = step * count
    points = []
    for number in range(-count, count + 1):
        at = number * step
        points += [(east + at, north - half, 0.0), (east + at, north + half, 0.0)]
        points += [(east - half, north + at, 0.0), (east + half, north + at, 0.0)]
    wide = half * 0.09
    foot, tip, notch = north + half + 0.4 * wide, north + half + 2.6 * wide, north + half + 0.9 * wide
    arrow = [
        (east - wide * 0.8, foot, 0.0),
        (east, notch, 0.0),
        (east, tip, 0.0),
        (east, notch, 0.0),
        (east + wide * 0.8, foot, 0.0),
        (east, tip, 0.0),
    ]
    return Ground(step, half, (east, north), np.array(points), np.array(arrow))


def cut_plane(cut: Cut, share: float, vertices: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
    """A clipping plane through a mesh: origin (3,) in metres, and the normal (3,) towards what stays.

    Args:
        cut: the axis that the plane is square to.
        share: where on it, 0 at the mesh's beginning and 1 at its end.
        vertices: (V, 3) of the mesh.
        flipped: whether the other side stays.
    """
    axis = list(Cut).index(cut)
    low, high = float(vertices[:, axis].min()), float(vertices[:, axis].max())
    origin, normal = np.zeros(3), np.zeros(3)
    origin[axis] = low + share * (high - low)
    normal[axis] = 1.0 if flipped else -1.0
    return origin, normal
