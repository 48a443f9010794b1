"""The true shape of each landmark: a closed mesh in metres, z up, x east and y north."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import trimesh

from gpsdream_app.domain.landmarks import Landmark, landmark
from gpsdream_app.landmarks import arches, towers
from gpsdream_app.landmarks.materials import MATERIALS
from gpsdream_app.landmarks.solids import Floats, Ints, Surface

MODELS: dict[str, Callable[[], Surface]] = {
    "washington-square-arch": arches.washington_square_arch,
    "flatiron": towers.flatiron,
    "empire-state-building": towers.empire_state_building,
    "arc-de-triomphe": arches.arc_de_triomphe,
    "leaning-tower-of-pisa": towers.leaning_tower_of_pisa,
}


@dataclass(frozen=True)
class TruthMesh:
    """What a landmark looks like.

    Attributes:
        landmark: which one.
        vertices: (n, 3) in metres: east, north, up from its foot.
        faces: (m, 3) indices, counter-clockwise seen from outside.
        materials: (m,) names of `gpsdream_app.landmarks.materials.MATERIALS`.
    """

    landmark: Landmark
    vertices: Floats
    faces: Ints
    materials: np.ndarray[tuple[int], np.dtype[np.str_]]

    @property
    def size(self) -> float:
        """The longest side of its box in metres."""
        return float(np.ptp(self.vertices, axis=0).max())

    def to_trimesh(self) -> trimesh.Trimesh:
        """Return it for trimesh, faces coloured (sRGB) by their material."""
        names, numbers = np.unique(self.materials, return_inverse=True)
        colours = np.array([(*MATERIALS[name].colour, 255) for name in names], dtype=np.uint8)[numbers]
        mesh = trimesh.Trimesh(self.vertices, self.faces, face_colors=colours, process=False)
        mesh.metadata.update(landmark=self.landmark.id, units="m")
        return mesh


def turned(points: Floats, heading: float) -> Floats:
    """Turn points (n, 3) about the vertical so that +y comes to look along a heading in degrees from north."""
    angle = math.radians(heading)
    x, y = points[:, 0], points[:, 1]
    return np.column_stack(
        [x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle), points[:, 2]]
    )


@cache
def truth_mesh(name: str) -> TruthMesh:
    """Return the shape of a landmark of `gpsdream_app.domain.landmarks.LANDMARKS`, facing its true heading.

    Args:
        name: its id, or what `landmark` finds it by.

    Raises:
        GPSDreamError: if there is no such landmark.
    """
    which = landmark(name)
    surface = MODELS[which.id]()
    vertices = turned(surface.vertices, which.heading)
    for array in (vertices, surface.faces, surface.materials):
        array.setflags(write=False)
    return TruthMesh(which, vertices, surface.faces, surface.materials)
