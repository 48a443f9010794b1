"""Measures of meshes against closed forms on spheres."""

import numpy as np
import pytest
import trimesh

from gpsdream_app.evaluation.geometry import (
    compare,
    intersection_over_union,
    longest_side,
    psnr,
    ring_of_cameras,
    silhouette_iou,
    silhouettes,
    surface_points,
)
from gpsdream_app.landmarks.renderer import Renderer


def sphere(radius: float = 1.0, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    mesh.apply_translation(centre)
    return mesh


def test_a_mesh_is_like_itself() -> None:
    scores = compare(sphere(), sphere(), samples=20_000)
    assert scores.f_score == 1.0
    # Random points of density n have a nearest neighbour at about 1 / (2 sqrt n).
    assert scores.chamfer == pytest.approx(0.5 * np.sqrt(4 * np.pi / 20_000), rel=0.15)
    assert scores.normal_consistency > 0.998
    assert scores.threshold == pytest.approx(0.1)


@pytest.mark.parametrize(("radius", "expected"), [(1.09, 1.0), (0.91, 1.0), (1.11, 0.0), (0.89, 0.0)])
def test_the_f_score_falls_where_the_distance_passes_the_threshold(radius: float, expected: float) -> None:
    """Concentric spheres are |r - 1| apart everywhere; the threshold is 5 % of the diameter, 0.1."""
    assert compare(sphere(radius), sphere(), samples=20_000).f_score == pytest.approx(expected, abs=0.01)


def test_the_chamfer_distance_of_concentric_spheres() -> None:
    scores = compare(sphere(1.2), sphere(), samples=20_000)
    assert scores.chamfer == pytest.approx(0.2, abs=0.003)
    assert scores.chamfer_relative == pytest.approx(0.1, abs=0.0015)
    assert scores.normal_consistency > 0.998


def test_a_shifted_sphere() -> None:
    """A point at angle t to the shift d is | |u - d| - 1 | from the other sphere, and cos t is uniform in -1..1."""
    shift = 0.3
    cosine = np.linspace(-1, 1, 200_001)
    distances = np.abs(np.sqrt(1 + shift**2 - 2 * shift * cosine) - 1)
    scores = compare(sphere(centre=(shift, 0, 0)), sphere(), samples=20_000)
    assert scores.chamfer == pytest.approx(distances.mean(), abs=0.003)
    assert scores.precision == pytest.approx((distances < 0.1).mean(), abs=0.015)
    assert scores.recall == pytest.approx(scores.precision, abs=0.015)
    assert scores.f_score == pytest.approx((distances < 0.1).mean(), abs=0.015)


def test_half_a_shape_has_precision_without_recall() -> None:
    half = sphere().slice_plane((0, 0, 0), (0, 0, 1))
    scores = compare(half, sphere(), samples=20_000)
    assert scores.precision == 1.0
    # Nearer than 0.1 to the upper half is all above z = -0.1: 1.1 / 2 of the sphere.
    assert scores.recall == pytest.approx(0.55, abs=0.01)
    assert scores.f_score == pytest.approx(2 * 0.55 / 1.55, abs=0.01)


def test_the_underside_can_be_left_out() -> None:
    box = trimesh.creation.box((1, 1, 1))
    open_below = box.copy()
    open_below.update_faces(np.asarray(open_below.face_normals)[:, 2] > -0.5)
    assert compare(open_below, box, samples=5000).recall < 0.9
    assert compare(open_below, box, samples=5000, ground=False).f_score > 0.995


def test_points_lie_evenly_on_the_surface() -> None:
    mesh = trimesh.creation.box((1, 2, 4))
    points, normals = surface_points(mesh, 5600, np.random.default_rng(0))
    assert np.abs(np.abs(points) / (0.5, 1.0, 2.0)).max(axis=1) == pytest.approx(1.0)
    assert (np.abs(normals[:, 2]) > 0.5).mean() == pytest.approx(4 / 28, abs=0.002)
    assert longest_side(mesh) == 4


def test_an_empty_mesh_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        compare(trimesh.Trimesh(), sphere())


def test_silhouettes_of_shifted_squares() -> None:
    first, second = np.zeros((2, 20, 20), dtype=bool), np.zeros((2, 20, 20), dtype=bool)
    first[:, 0:10, 0:10] = True
    second[0, 0:10, 5:15] = True
    second[1] = first[1]
    assert intersection_over_union(first[0], second[0]) == pytest.approx(50 / 150)
    assert silhouette_iou(first, second) == pytest.approx((1 / 3 + 1) / 2)
    assert intersection_over_union(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1.0
    with pytest.raises(ValueError, match="size"):
        intersection_over_union(first[0], second[0, :5])


def test_silhouettes_of_spheres() -> None:
    """Seen from d, a sphere of radius r is a disc of radius tan(asin(r / d))."""
    whole, smaller = sphere(1.0, (0, 0, 1)), sphere(0.8, (0, 0, 1))
    cameras = ring_of_cameras(whole, count=4, size=160)
    distance = np.hypot(*cameras[0].eye[:2])
    assert [round(camera.heading) for camera in cameras] == [180, 270, 0, 90]
    with Renderer() as renderer:
        seen, less = silhouettes(renderer, whole, cameras), silhouettes(renderer, smaller, cameras)
        shifted = sphere(1.0, (2.5, 0, 1))
        aside = silhouettes(renderer, shifted, cameras[:1])
    radius = np.tan(np.arcsin(1 / distance)) / np.tan(np.radians(cameras[0].fov / 2)) * 80
    assert seen.sum(axis=(1, 2)) == pytest.approx(np.pi * radius**2, rel=0.01)
    ratio = (np.tan(np.arcsin(0.8 / distance)) / np.tan(np.arcsin(1 / distance))) ** 2
    assert silhouette_iou(seen, less) == pytest.approx(ratio, abs=0.01)
    # From the north, east is on the left.
    assert aside[0][:, :80].sum() > 0 and aside[0][:, 80:].sum() == 0


def test_psnr_of_a_constant_error() -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(picture, picture + 10) == pytest.approx(20 * np.log10(25.5))
    assert psnr(picture, picture) == float("inf")
