"""Cameras: where one stands, and the ray of every pixel. The one convention of all that is lifted.

World: x east, y north, z up, right-handed. A camera stands at `azimuth` degrees clockwise from north as seen from the
point it looks at: a camera in the east has azimuth 90, and its picture has the heading 270 (azimuth + 180). `elevation`
is the camera's angle above that point's horizontal plane, so a tourist at the foot of a tower has a negative one.
Pixels: rows from the top, columns from the left, centres at halves.

Lengths are field units; `Scale` says what they are in metres about the landmark's foot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.lifting.scale import UNSCALED as UNSCALED
from gpsdream_app.lifting.scale import Scale as Scale
from gpsdream_app.lifting.scale import scale_of_height as scale_of_height


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, level about its view axis.

    Attributes:
        azimuth: where it stands seen from `target`, degrees clockwise from north.
        elevation: of where it stands above the target's horizontal plane, degrees, -89 to 89.
        distance: from the target, field units, over 0.
        fov: vertical angle of view of the whole picture, degrees, over 0 and under 180.
        target: the point that it looks at, (east, north, up) in field units.
        shift: where the target lies in the picture, as a share of its height (right, down) from the middle: a part cut
            out of a larger photo, or a lens that shifts.
    """

    azimuth: float
    elevation: float = 0.0
    distance: float = 3.0
    fov: float = 40.0
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not -89.0 <= self.elevation <= 89.0:
            raise ValueError(f"an elevation lies between -89 and 89 degrees, not {self.elevation:g}")
        if not 0.0 < self.fov < 180.0:
            raise ValueError(f"a field of view lies between 0 and 180 degrees, not {self.fov:g}")
        if not self.distance > 0.0:
            raise ValueError(f"a distance is over 0, not {self.distance:g}")

    @property
    def heading(self) -> float:
        """The compass direction in which it looks, degrees clockwise from north, 0 <= h < 360."""
        return (self.azimuth + 180.0) % 360.0

    @property
    def position(self) -> np.ndarray:
        """Where it stands, (3,) east, north, up in field units."""
        return np.asarray(self.target) - self.distance * self.axes[2]

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

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Rays:
    """Rays of some pictures.

    Attributes:
        origins: (..., 3) where they start.
        directions: (..., 3) unit vectors.
    """

    origins: torch.Tensor
    directions: torch.Tensor

    def flat(self) -> Rays:
        """The same rays in one row, (N, 3)."""
        return Rays(self.origins.reshape(-1, 3), self.directions.reshape(-1, 3))

    def turned(self, degrees: torch.Tensor) -> Rays:
        """The rays of cameras that stand `degrees` (...,) further clockwise about the vertical axis through 0.

        The result can be differentiated with respect to the angle.
        """
        angle = torch.deg2rad(degrees)
        sin, cos = torch.sin(angle), torch.cos(angle)

        def turn(vectors: torch.Tensor) -> torch.Tensor:
            east, north, up = vectors.unbind(-1)
            return torch.stack([cos * east + sin * north, cos * north - sin * east, up.expand_as(cos * east)], dim=-1)

        return Rays(turn(self.origins), turn(self.directions))


class Lenses:
    """Many cameras as tensors, to make rays of any pixels of any of them.

    Args:
        cameras: one or more.
        device: where the rays shall lie.
    """

    def __init__(self, cameras: Sequence[Camera], device: torch.device | str = "cpu") -> None:
        self.axes = torch.tensor(np.stack([camera.axes for camera in cameras]), dtype=torch.float32, device=device)
        where = np.stack([camera.position for camera in cameras])
        self.positions = torch.tensor(where, dtype=torch.float32, device=device)
        self.shifts = torch.tensor([camera.shift for camera in cameras], dtype=torch.float32, device=device)
        widths = [2.0 * math.tan(math.radians(camera.fov) / 2.0) for camera in cameras]
        self.widths = torch.tensor(widths, dtype=torch.float32, device=device)

    def rays(self, views: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Rays:
        """Rays of the cameras numbered `views` through points of their pictures, all of one shape (...,).

        Args:
            views: numbers of cameras.
            x, y: right and down from the middle of the picture as a share of its height.

        Returns:
            Rays (..., 3).
        """
        axes, shift, width = self.axes[views], self.shifts[views], self.widths[views]
        across, down = (x - shift[..., 0]) * width, (y - shift[..., 1]) * width
        directions = axes[..., 2, :] + across[..., None] * axes[..., 0, :] - down[..., None] * axes[..., 1, :]
        return Rays(self.positions[views], directions / directions.norm(dim=-1, keepdim=True))


def pixel_centres(height: int, width: int, device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Where pixels lie, (height, width) each: right and down from the middle as a share of the height."""
    rows = (torch.arange(height, device=device, dtype=torch.float32) + 0.5 - height / 2) / height
    columns = (torch.arange(width, device=device, dtype=torch.float32) + 0.5 - width / 2) / height
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    return right, down


def rays_of(cameras: Sequence[Camera], height: int, width: int, device: torch.device | str = "cpu") -> Rays:
    """The rays of whole pictures, (cameras, height, width, 3)."""
    x, y = pixel_centres(height, width, device)
    many = (len(cameras), height, width)
    views = torch.arange(len(cameras), device=device)[:, None, None].expand(many)
    return Lenses(cameras, device).rays(views, x.expand(many), y.expand(many))


def project(points: np.ndarray, camera: Camera, height: int, width: int) -> np.ndarray:
    """Where points of the world appear.

    Args:
        points: (..., 3) field units.
        camera: who looks.
        height, width: of the picture in pixels.

    Returns:
        (..., 3): column and row in pixels from the upper left corner (a pixel's centre lies at a half), and the depth
        along the view axis in field units, not over 0 for what lies behind.
    """
    seen = (np.asarray(points, dtype=np.float64) - camera.position) @ camera.axes.T
    depth = seen[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = seen[..., :2] / (depth[..., None] * 2.0 * math.tan(math.radians(camera.fov) / 2.0))
    column = width / 2 + (share[..., 0] + camera.shift[0]) * height
    row = height / 2 + (camera.shift[1] - share[..., 1]) * height
    return np.stack([column, row, depth], axis=-1)


def ring(
    count: int,
    elevations: Sequence[float] = (0.0,),
    distance: float = 3.0,
    fov: float = 40.0,
    start: float = 0.0,
    target: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shift: tuple[float, float] = (0.0, 0.0),
) -> list[Camera]:
    """Cameras all round in equal steps of azimuth; several elevations take turns, so that a ring costs no more."""
    if count < 1 or not elevations:
        raise ValueError("a ring needs a camera and an elevation")
    return [
        Camera((start + 360.0 * i / count) % 360.0, elevations[i % len(elevations)], distance, fov, target, shift)
        for i in range(count)
    ]


def framed_camera(
    scale: Scale, height: float, *, foot: float = 0.85, share: float = 0.7, distance: float = 2.5, eye: float = 1.6
) -> Camera:
    """The level camera of views that are all framed alike, standing in the north.

    It stands at eye height and looks at the landmark's axis at the height of its eye; the foot of the axis stands at
    `foot` of the picture's height from above, and its top `share` of the height over that.

    Args:
        scale: of the field.
        height: of the landmark in metres.
        foot, share: see above.
        distance: from the axis in heights of the landmark.
        eye: height of the camera over the foot in metres; lower for what is lower than two such.
    """
    eye = min(eye, height / 2)
    metres = scale.metres
    return Camera(
        azimuth=0.0,
        distance=distance * height / metres,
        # The height, seen from so far, is `share` of the picture.
        fov=2.0 * math.degrees(math.atan(0.5 / (distance * share))),
        target=(0.0, 0.0, eye / metres - scale.foot),
        shift=(0.0, foot - share * eye / height - 0.5),
    )


def camera_at(place: Place, landmark: Place, scale: Scale, eye: float = 1.6, fov: float = 40.0) -> Camera:
    """The camera of somebody who stands at a place and looks at the middle of the landmark's box.

    Args:
        place: where the photographer stands.
        landmark: where the landmark's foot stands.
        scale: of the field.
        eye: height of the camera over the landmark's foot in metres.
        fov: vertical angle of view in degrees.

    Raises:
        ValueError: if both are the same point on the ground.
    """
    east, north = LocalFrame(landmark.lat, landmark.lon).to_metres(place.lat, place.lon)
    away = math.hypot(east, north)
    if away < 0.01:
        raise ValueError("whoever stands in the landmark's middle sees it from no side")
    up = eye - scale.foot * scale.metres
    return Camera(
        azimuth=math.degrees(math.atan2(east, north)) % 360.0,
        elevation=math.degrees(math.atan2(up, away)),
        distance=math.hypot(away, up) / scale.metres,
        fov=fov,
    )
