"""Where a mesh is looked at from, in numbers alone: for windows and pictures, where there is no torch.

The convention is that of `cameras`: x east, y north, z up; a viewpoint stands at `azimuth` degrees clockwise from north
as seen from its target, so it looks along azimuth + 180.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

LOWEST, HIGHEST = -30.0, 89.0  # degrees of elevation that dragging reaches


@dataclass(frozen=True)
class Viewpoint:
    """A pinhole camera, level about its view axis.

    Attributes:
        azimuth: of where it stands seen from the target, degrees clockwise from north.
        elevation: of where it stands above the target's horizontal plane, degrees.
        distance: from the target, over 0, in the mesh's units.
        target: (east, north, up) that it looks at.
        fov: vertical angle of view in degrees.
    """

    azimuth: float = 0.0
    elevation: float = 0.0
    distance: float = 3.0
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fov: float = 30.0

    @property
    def heading(self) -> float:
        """The compass direction in which it looks, 0 <= heading < 360."""
        return (self.azimuth + 180.0) % 360.0

    @property
    def axes(self) -> np.ndarray:
        """Right, up and forward of the picture as unit vectors of the world, (3, 3)."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        sin_a, cos_a, sin_e, cos_e = math.sin(a), math.cos(a), math.sin(e), math.cos(e)
        return np.array(
            [
                (-cos_a, sin_a, 0.0),
                (-sin_a * sin_e, -cos_a * sin_e, cos_e),
                (-sin_a * cos_e, -cos_a * cos_e, -sin_e),
            ]
        )

    @property
    def position(self) -> np.ndarray:
        """Where it stands, (3,)."""
        return np.asarray(self.target) - self.distance * self.axes[2]

    def turned(self, clockwise: float, upwards: float = 0.0) -> Viewpoint:
        """Walk round the target, and higher or lower, by degrees."""
        elevation = min(max(self.elevation + upwards, LOWEST), HIGHEST)
        return replace(self, azimuth=(self.azimuth + clockwise) % 360.0, elevation=elevation)

    def nearer(self, factor: float, least: float = 1e-3, most: float = math.inf) -> Viewpoint:
        """Divide the distance by a factor, as far as it stays between two bounds."""
        return replace(self, distance=min(max(self.distance / factor, least), most))

    def moved(self, right: float, up: float) -> Viewpoint:
        """Move camera and target across the picture, in the mesh's units."""
        east, north, height = np.asarray(self.target) + right * self.axes[0] + up * self.axes[1]
        return replace(self, target=(float(east), float(north), float(height)))

    def project(self, points: np.ndarray, height: float, width: float) -> np.ndarray:
        """Where points (..., 3) appear: column and row in pixels from the upper left corner, and depth along the view
        axis, which is not over 0 for what lies behind; (..., 3)."""
        seen = (np.asarray(points, dtype=np.float64) - self.position) @ self.axes.T
        depth = seen[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = seen[..., :2] / (depth[..., None] * 2.0 * math.tan(math.radians(self.fov) / 2.0))
        return np.stack([width / 2 + share[..., 0] * height, height / 2 - share[..., 1] * height, depth], axis=-1)

    def ray(self, column: float, row: float, height: float, width: float) -> np.ndarray:
        """The direction (3,), of length 1, in which a pixel looks; the reverse of `project`."""
        tall = 2.0 * math.tan(math.radians(self.fov) / 2.0)
        right, up, forward = self.axes
        direction = forward + (column - width / 2) / height * tall * right + (height / 2 - row) / height * tall * up
        return direction / np.linalg.norm(direction)


def facing(points: np.ndarray, azimuth: float, elevation: float, fov: float = 30.0, aspect: float = 1.0) -> Viewpoint:
    """A viewpoint from which all points (N, 3) are seen, with a little air around them.

    Args:
        points: such as the vertices of a mesh.
        azimuth: where it stands, degrees clockwise from north.
        elevation: in degrees.
        fov: vertical angle of view in degrees.
        aspect: width of the picture over its height.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2.0
    radius = max(float(np.linalg.norm(points - middle, axis=1).max()), 1e-6)
    half = math.atan(math.tan(math.radians(fov) / 2.0) * min(1.0, aspect))
    east, north, up = (float(value) for value in middle)
    return Viewpoint(azimuth % 360.0, elevation, 1.05 * radius / math.sin(half), (east, north, up), fov)


def ray_hits(vertices: np.ndarray, faces: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Distances at which a ray enters or leaves triangles, (N,) from the nearest on.

    Möller and Trumbore's intersection: https://doi.org/10.1080/10867651.1997.10487468.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        origin: (3,) where the ray starts.
        direction: (3,) unit vector.
    """
    a = vertices[faces[:, 0]]
    along, beside = vertices[faces[:, 1]] - a, vertices[faces[:, 2]] - a
    across = np.cross(direction, beside)
    determinant = np.einsum("ij,ij->i", along, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / determinant
        away = origin - a
        u = np.einsum("ij,ij->i", away, across) * inverse
        turned = np.cross(away, along)
        v = turned @ direction * inverse
        distance = np.einsum("ij,ij->i", beside, turned) * inverse
    hits = distance[(np.abs(determinant) > 1e-15) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)]
    return np.sort(hits)
