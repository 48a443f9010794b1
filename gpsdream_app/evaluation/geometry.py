"""How near a lifted mesh is to the true shape: F-score, Chamfer distance, normal consistency, silhouettes. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.landmarks.renderer import Renderer, Scene

Floats = NDArray[np.float64]

SAMPLES = 50_000
F_SHARE = 0.05  # of the true shape's longest side


@dataclass(frozen=True, slots=True)
class GeometryScores:
    """A mesh against the truth.

    Attributes:
        f_score: harmonic mean of precision and recall, 0 to 1.
        precision: share of the mesh's surface that is nearer than `threshold` to the true surface.
        recall: share of the true surface that is nearer than `threshold` to the mesh.
        threshold: in the unit of the meshes (metres).
        chamfer: mean of the two mean distances between the surfaces, in the unit of the meshes.
        chamfer_relative: the same as a share of the true shape's longest side.
        normal_consistency: mean absolute cosine between the normals of nearest points, both ways; 1 is best, 0.5 is
            what unrelated normals give.
    """

    f_score: float
    precision: float
    recall: float
    threshold: float
    chamfer: float
    chamfer_relative: float
    normal_consistency: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def longest_side(mesh: trimesh.Trimesh) -> float:
    """Return the longest side of the box about a mesh, along the axes."""
    return float(np.ptp(np.asarray(mesh.vertices), axis=0).max())


def surface_points(mesh: trimesh.Trimesh, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return points (count, 3) spread evenly over the surface by area, and the unit normals (count, 3) there.

    Raises:
        ValueError: if the mesh has no area.
    """
    triangles = np.asarray(mesh.triangles, dtype=np.float64)
    crosses = (
        np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]) if len(triangles) else triangles
    )
    areas = np.linalg.norm(crosses, axis=-1) / 2
    if len(triangles) == 0 or not areas.sum() > 0:
        raise ValueError("the mesh is empty")
    # Evenly along the sum of the areas: less scatter than independent draws.
    until = np.cumsum(areas)
    steps = (np.arange(count) + rng.random(count)) / count * until[-1]
    chosen = np.minimum(np.searchsorted(until, steps), len(areas) - 1)
    root, second = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    a, b, c = (triangles[chosen, corner] for corner in range(3))
    points = (1 - root) * a + root * (1 - second) * b + root * second * c
    return points, crosses[chosen] / (2 * areas[chosen, None])


def compare(
    mesh: trimesh.Trimesh,
    truth: trimesh.Trimesh,
    *,
    share: float = F_SHARE,
    samples: int = SAMPLES,
    seed: int = 0,
    ground: bool = True,
) -> GeometryScores:
    """Measure a mesh against the true shape, both in the same frame and unit. Nothing is aligned.

    Distances are those to the nearest of the points that are spread over the other surface, so a perfect mesh has a
    Chamfer distance of about half the distance between neighbouring points and not 0.

    Args:
        mesh: what was made.
        truth: what it should be.
        share: of the truth's longest side, the threshold of the F-score.
        samples: points on each surface.
        seed: of the points.
        ground: whether the underside counts. False leaves out what lies within the threshold of the truth's lowest
            level and faces down, which nobody can see.

    Raises:
        ValueError: if one of them has no area.
    """
    size = longest_side(truth)
    threshold = share * size
    # A stream of random numbers for each surface, so that one does not depend on the other.
    points, normals = surface_points(mesh, samples, np.random.default_rng([seed, 0]))
    true_points, true_normals = surface_points(truth, samples, np.random.default_rng([seed, 1]))
    if not ground:
        floor = float(np.asarray(truth.vertices)[:, 2].min()) + threshold
        points, normals = _above(points, normals, floor)
        true_points, true_normals = _above(true_points, true_normals, floor)
    to_truth, nearest_true = cKDTree(true_points).query(points)
    to_mesh, nearest = cKDTree(points).query(true_points)
    precision, recall = float((to_truth < threshold).mean()), float((to_mesh < threshold).mean())
    both = precision + recall
    forth = np.abs((normals * true_normals[nearest_true]).sum(axis=1)).mean()
    back = np.abs((true_normals * normals[nearest]).sum(axis=1)).mean()
    chamfer = float(to_truth.mean() + to_mesh.mean()) / 2
    return GeometryScores(
        2 * precision * recall / both if both else 0.0,
        precision,
        recall,
        threshold,
        chamfer,
        chamfer / size,
        float(forth + back) / 2,
    )


def _above(points: Floats, normals: Floats, floor: float) -> tuple[Floats, Floats]:
    """Leave out what lies low and faces down."""
    keep = (points[:, 2] > floor) | (normals[:, 2] > -0.7)
    if not keep.any():
        raise ValueError("nothing of the mesh can be seen from above the ground")
    return points[keep], normals[keep]


def intersection_over_union(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return how far two areas (or volumes) cover each other, 0 to 1; 1 if both are empty."""
    if first.shape != second.shape:
        raise ValueError(f"the masks differ in size: {first.shape} and {second.shape}")
    union = int((first | second).sum())
    return float((first & second).sum()) / union if union else 1.0


def silhouette_iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the mean over views of the intersection over union of silhouettes (views, height, width)."""
    if first.ndim != 3 or len(first) == 0:
        raise ValueError("silhouettes are (views, height, width), with at least one view")
    return float(np.mean([intersection_over_union(*pair) for pair in zip(first, second, strict=True)]))


def ring_of_cameras(truth: trimesh.Trimesh, count: int = 24, size: int = 128) -> list[Camera]:
    """Return cameras all round a shape that stands on the ground, three times its size away, at half its height."""
    vertices = np.asarray(truth.vertices)
    height = float(np.ptp(vertices[:, 2]))
    radius = float(np.hypot(vertices[:, 0], vertices[:, 1]).max())
    middle = float(vertices[:, 2].min()) + height / 2
    distance = 3 * max(height, 2 * radius)
    # A tenth of the picture stays free on each side; the nearest part is the largest.
    fov = 2 * np.degrees(np.arctan(max(height / 2, radius) / 0.8 / (distance - radius)))
    return [
        Camera.at_azimuth(
            number * 360.0 / count, distance, eye_height=middle, target=middle, fov=float(fov), size=(size, size)
        )
        for number in range(count)
    ]


def silhouettes(renderer: Renderer, mesh: trimesh.Trimesh, cameras: Sequence[Camera]) -> NDArray[np.bool_]:
    """Return where cameras of one size see a mesh: (cameras, height, width)."""
    scene = Scene.bare(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64))
    return np.stack([renderer.faces(scene, camera) >= 0 for camera in cameras])


def psnr(first: NDArray[np.generic], second: NDArray[np.generic], peak: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio in dB of two pictures of equal shape; inf if they are the same."""
    if first.shape != second.shape:
        raise ValueError(f"the pictures differ in shape: {first.shape} and {second.shape}")
    error = float(np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2))
    return 10 * float(np.log10(peak**2 / error)) if error else float("inf")
