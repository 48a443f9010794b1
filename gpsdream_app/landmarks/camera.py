"""A pinhole camera that stands somewhere: east-north-up in metres, angles in degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gpsdream_app.landmarks.solids import Floats

FILM_HALF_DIAGONAL = math.hypot(36.0, 24.0) / 2  # mm; what "35 mm equivalent" is counted by


@dataclass(frozen=True, slots=True)
class Camera:
    """Where a camera stands and where it looks.

    Attributes:
        eye: east, north, up in metres from the landmark's foot.
        heading: of the optical axis, degrees clockwise from north.
        pitch: of the optical axis above the horizon in degrees, -89 to 89.
        roll: of the camera clockwise about its axis in degrees.
        fov: vertical field of view in degrees.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    eye: tuple[float, float, float]
    heading: float
    pitch: float = 0.0
    roll: float = 0.0
    fov: float = 40.0
    width: int = 256
    height: int = 256

    @classmethod
    def at_azimuth(
        cls,
        azimuth: float,
        distance: float,
        *,
        eye_height: float = 1.6,
        target: float = 0.0,
        fov: float = 40.0,
        size: tuple[int, int] = (256, 256),
    ) -> Camera:
        """A camera that stands at an azimuth and a ground distance, and looks at a point above the landmark's foot.

        Args:
            azimuth: where it stands seen from the foot, degrees clockwise from north.
            distance: on the ground, in metres.
            eye_height: in metres.
            target: height in metres of the point that it looks at.
            fov: vertical field of view in degrees.
            size: width and height in pixels.
        """
        angle = math.radians(azimuth)
        eye = (distance * math.sin(angle), distance * math.cos(angle), eye_height)
        pitch = math.degrees(math.atan2(target - eye_height, distance))
        return cls(eye, (azimuth + 180.0) % 360.0, pitch, 0.0, fov, *size)

    @property
    def axes(self) -> Floats:
        """Unit vectors (3, 3): right, up and forward."""
        heading, pitch, roll = (math.radians(angle) for angle in (self.heading, self.pitch, self.roll))
        forward = np.array([math.sin(heading) * math.cos(pitch), math.cos(heading) * math.cos(pitch), math.sin(pitch)])
        right = np.array([math.cos(heading), -math.sin(heading), 0.0])
        up = np.cross(right, forward)
        turned_right = right * math.cos(roll) - up * math.sin(roll)
        return np.stack([turned_right, up * math.cos(roll) + right * math.sin(roll), forward])

    @property
    def focal_length_35mm(self) -> float:
        """In mm; compared by the diagonal, as `gpsdream_app.photos` does."""
        half = math.tan(math.radians(self.fov) / 2)
        return FILM_HALF_DIAGONAL / (half * math.hypot(1.0, self.width / self.height))

    def scaled(self, factor: int) -> Camera:
        """The same view with more pixels."""
        return replace(self, width=self.width * factor, height=self.height * factor)

    def rays(self) -> Floats:
        """Directions (height, width, 3) through the middles of the pixels, of length 1 along the optical axis."""
        half = math.tan(math.radians(self.fov) / 2)
        x = (np.arange(self.width) + 0.5) / self.width * 2 - 1
        y = 1 - (np.arange(self.height) + 0.5) / self.height * 2
        right, up, forward = self.axes
        across = (x * half * self.width / self.height)[None, :, None] * right
        upwards = (y * half)[:, None, None] * up
        result: Floats = across + upwards + forward
        return result

    def project(self, points: Floats) -> Floats:
        """Return column, row (0, 0 is the upper left corner) and depth along the axis in metres of points (n, 3)."""
        seen = (points - np.asarray(self.eye)) @ self.axes.T
        half = math.tan(math.radians(self.fov) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = seen[:, 0] / (seen[:, 2] * half * self.width / self.height)
            y = seen[:, 1] / (seen[:, 2] * half)
        return np.column_stack([(x + 1) / 2 * self.width, (1 - y) / 2 * self.height, seen[:, 2]])


@dataclass(frozen=True, slots=True)
class ParallelView:
    """A view along parallel rays, such as the sun's.

    Attributes:
        centre: of what is seen, in metres.
        towards: unit vector from there to whoever looks.
        half: half of the side of the square that is seen, in metres.
        size: pixels along each side.
    """

    centre: tuple[float, float, float]
    towards: tuple[float, float, float]
    half: float
    size: int

    @property
    def axes(self) -> Floats:
        """Unit vectors (3, 3): right, up and forward."""
        forward = -np.asarray(self.towards)
        helper = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
        right = np.cross(forward, helper)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, forward), forward])
