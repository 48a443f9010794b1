"""A made-up landmark of boxes with coloured faces: exact pictures of it, and a model that knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
import trimesh

from gpsdream_app.lifting.cameras import Camera, rays_of
from gpsdream_app.lifting.guidance import Condition

# Centre and full size of each box, field units; no symmetry about the vertical axis.
BOXES = [
    ((0.0, 0.0, -0.15), (0.6, 0.5, 1.3)),
    ((0.1, 0.05, 0.65), (0.3, 0.3, 0.3)),
    ((0.45, -0.1, -0.6), (0.4, 0.35, 0.4)),
]
# Colours of the faces east, west, north, south, top, bottom.
FACES = np.array(
    [[0.85, 0.2, 0.15], [0.2, 0.3, 0.8], [0.2, 0.65, 0.25], [0.85, 0.7, 0.2], [0.5, 0.5, 0.5], [0.3, 0.25, 0.2]]
)
WHITE = (1.0, 1.0, 1.0)


def truth() -> trimesh.Trimesh:
    """The scene as one mesh of closed parts, field units."""
    parts = [
        trimesh.creation.box(extents=size, transform=trimesh.transformations.translation_matrix(centre))
        for centre, size in BOXES
    ]
    return trimesh.util.concatenate(parts)


def seen(cameras: Sequence[Camera], side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact pictures (N, 3, side, side) on white, and masks (N, 1, side, side): rays against boxes."""
    rays = rays_of(cameras, side, side)
    origins, directions = rays.origins.double().numpy(), rays.directions.double().numpy()
    nearest = np.full(origins.shape[:-1], np.inf)
    colour = np.ones_like(origins)
    with np.errstate(divide="ignore", invalid="ignore"):
        for centre, size in BOXES:
            low, high = np.array(centre) - np.array(size) / 2, np.array(centre) + np.array(size) / 2
            one, other = (low - origins) / directions, (high - origins) / directions
            entries = np.minimum(one, other)
            near, far = entries.max(axis=-1), np.maximum(one, other).min(axis=-1)
            axis = entries.argmax(axis=-1)
            backwards = np.take_along_axis(directions, axis[..., None], axis=-1)[..., 0] > 0
            hit = (near < far) & (near > 0) & (near < nearest)
            nearest = np.where(hit, near, nearest)
            colour = np.where(hit[..., None], FACES[axis * 2 + backwards], colour)
    pictures = torch.from_numpy(colour).float().permute(0, 3, 1, 2).contiguous()
    return pictures, torch.from_numpy(np.isfinite(nearest)).float().unsqueeze(1)


class ExactViews:
    """A `PictureSource` that gives exact pictures, perhaps framed each a little differently."""

    name, background = "exact", WHITE

    def __init__(self, side: int = 48, jitter: float = 0.0) -> None:
        self.side, self.jitter, self.calls = side, jitter, 0

    def pictures(self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None]) -> torch.Tensor:
        before_pass()
        self.calls += 1
        found, _ = seen(cameras, self.side)
        if not self.jitter:
            return found
        generator = torch.Generator().manual_seed(seed)
        size = torch.exp(self.jitter * torch.randn(len(cameras), generator=generator))
        shift = self.jitter * torch.randn(len(cameras), 2, generator=generator)
        matrix = torch.zeros(len(cameras), 2, 3)
        matrix[:, 0, 0] = matrix[:, 1, 1] = size
        matrix[:, :, 2] = shift
        grid = F.affine_grid(matrix, list(found.shape), align_corners=False)
        return F.grid_sample(found, grid, padding_mode="border", align_corners=False)

    def again(
        self,
        pictures: torch.Tensor,
        cameras: Sequence[Camera],
        seed: int,
        strength: float,
        before_pass: Callable[[], None],
    ) -> torch.Tensor:
        before_pass()
        self.calls += 1
        truth, _ = seen(cameras, self.side)
        return strength * truth + (1 - strength) * pictures


class ExactNoise:
    """A `NoiseModel` without a network: it sees in any noisy latents the exact picture of the camera it is told.

    Told no camera, it sees the mean of all sides. Latents are pixels from -1 to 1.
    """

    name, background, knows_cameras, device = "exact noise", WHITE, True, torch.device("cpu")

    def __init__(self, side: int = 32) -> None:
        self.side, self.latent_shape, self.passes = side, (3, side, side), 0
        self.mean = seen([Camera(a) for a in range(0, 360, 30)], side)[0].mean(dim=0)

    def levels(self, t: float) -> tuple[float, float]:
        return float(np.cos(t * np.pi / 2)), float(np.sin(t * np.pi / 2))

    def predict(self, noisy: torch.Tensor, t: float, conditions: Sequence[Condition]) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.passes += 1
        clean = torch.stack(
            [self.mean if one.camera is None else seen([one.camera], self.side)[0][0] for one in conditions]
        )
        alpha, sigma = self.levels(t)
        return (noisy - alpha * (clean * 2 - 1)) / max(sigma, 1e-4)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        if pictures.shape[-1] != self.side:
            pictures = F.interpolate(pictures, (self.side, self.side), mode="bilinear", align_corners=False)
        return pictures * 2 - 1

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents / 2 + 0.5


def surface_points(mesh: trimesh.Trimesh, count: int = 4000) -> np.ndarray:
    """Points on the outer surface, evenly by area, the same every time."""
    points, _ = trimesh.sample.sample_surface(mesh, count, seed=1)
    return np.asarray(points)


def true_surface(count: int = 6000) -> np.ndarray:
    """Points on what can be seen of the scene: not where one box lies inside another."""
    points = surface_points(truth(), count)
    inside = np.zeros(len(points), dtype=bool)
    for centre, size in BOXES:
        inside |= (np.abs(points - np.array(centre)) < np.array(size) / 2 - 1e-6).all(axis=1)
    return points[~inside]


def f_score(mesh: trimesh.Trimesh, reach: float = 0.1) -> float:
    """Harmonic mean of the shares of points within `reach` (5 % of the box's edge of 2) of the other surface."""
    from scipy.spatial import cKDTree

    lifted, true = surface_points(mesh), true_surface()
    precision = float((cKDTree(true).query(lifted)[0] < reach).mean())
    recall = float((cKDTree(lifted).query(true)[0] < reach).mean())
    return 2 * precision * recall / max(precision + recall, 1e-9)
