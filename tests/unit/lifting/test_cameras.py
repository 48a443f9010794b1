from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.lifting.cameras import (
    Camera,
    Lenses,
    Rays,
    Scale,
    camera_at,
    pixel_centres,
    project,
    rays_of,
    ring,
    scale_of_height,
)

# The landmarks of the paper, section 4.3: latitude and longitude in degrees.
PAPER = {
    "Leaning Tower of Pisa": (43.72295, 10.39660),
    "Arc de Triomphe": (48.87379, 2.29504),
    "Washington Monument": (38.88948, -77.03525),
    "Statue of Liberty": (40.68925, -74.04450),
    "Stonehenge": (51.17888, -1.82622),
    "Space Needle": (47.62053, -122.34930),
}


@pytest.mark.parametrize(
    ("azimuth", "where", "right"),
    [
        (0, (0, 3, 0), (-1, 0, 0)),
        (90, (3, 0, 0), (0, 1, 0)),
        (180, (0, -3, 0), (1, 0, 0)),
        (270, (-3, 0, 0), (0, -1, 0)),
    ],
)
def test_a_camera_stands_where_its_azimuth_says(
    azimuth: float, where: tuple[float, ...], right: tuple[float, ...]
) -> None:
    camera = Camera(azimuth, distance=3.0)
    np.testing.assert_allclose(camera.position, where, atol=1e-12)
    np.testing.assert_allclose(camera.axes[0], right, atol=1e-12)
    np.testing.assert_allclose(camera.axes[1], (0, 0, 1), atol=1e-12)
    assert camera.heading == (azimuth + 180) % 360


def test_the_axes_are_right_handed_and_of_length_one() -> None:
    for azimuth in range(0, 360, 23):
        for elevation in (-60.0, -10.0, 0.0, 35.0, 80.0):
            camera = Camera(azimuth, elevation, 2.5, target=(0.1, -0.2, 0.3))
            right, up, forward = camera.axes
            np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
            np.testing.assert_allclose(np.cross(right, forward), up, atol=1e-12)
            assert abs(right[2]) < 1e-12, "the horizon is level"
            to_camera = camera.position - np.array(camera.target)
            assert math.isclose(np.linalg.norm(to_camera), 2.5)
            assert math.isclose(math.degrees(math.asin(to_camera[2] / 2.5)), elevation, abs_tol=1e-9)
            np.testing.assert_allclose(to_camera + 2.5 * forward, 0, atol=1e-12)


def test_a_point_projects_in_closed_form() -> None:
    # From the south at distance 4 with 90 degrees: the picture's half height is as wide as the depth.
    camera = Camera(180, 0, 4, 90)
    column, row, depth = project(np.array([1.0, 0.0, 2.0]), camera, 100, 200)
    assert depth == pytest.approx(4.0)
    assert column == pytest.approx(100 + 50 * 1 / 4)
    assert row == pytest.approx(50 - 50 * 2 / 4)
    # One unit nearer, twice as far to the east.
    column, row, depth = project(np.array([2.0, -1.0, 0.0]), camera, 100, 200)
    assert (column, row, depth) == pytest.approx((100 + 50 * 2 / 3, 50, 3))
    shifted = Camera(180, 0, 4, 90, shift=(0.25, -0.1))
    assert tuple(project(np.zeros(3), shifted, 100, 200)) == pytest.approx((125, 40, 4))


def test_rays_and_projection_are_inverses() -> None:
    cameras = [Camera(33, -12, 2.7, 35, (0.1, 0.0, -0.2), (0.1, -0.05)), Camera(250, 20, 3.5, 60)]
    height, width = 6, 9
    rays = rays_of(cameras, height, width)
    for i, camera in enumerate(cameras):
        points = rays.origins[i].double() + 2.0 * rays.directions[i].double()
        seen = project(points.numpy(), camera, height, width)
        rows, columns = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
        np.testing.assert_allclose(seen[..., 0], columns, atol=1e-4)
        np.testing.assert_allclose(seen[..., 1], rows, atol=1e-4)
    np.testing.assert_allclose(rays.directions.norm(dim=-1), 1, atol=1e-6)


def test_the_middle_ray_meets_the_target() -> None:
    x, y = pixel_centres(5, 5)
    assert x[2, 2] == y[2, 2] == 0
    camera = Camera(70, -20, 3, 40, target=(0.2, 0.1, 0.4))
    ray = Lenses([camera]).rays(torch.tensor(0), x[2, 2], y[2, 2])
    np.testing.assert_allclose(ray.origins + 3 * ray.directions, camera.target, atol=1e-6)


def test_turned_rays_are_those_of_a_camera_further_clockwise() -> None:
    here, there = rays_of([Camera(40, -10)], 4, 4), rays_of([Camera(65, -10)], 4, 4)
    turned = here.turned(torch.full((1, 4, 4), 25.0))
    np.testing.assert_allclose(turned.origins, there.origins, atol=1e-5)
    np.testing.assert_allclose(turned.directions, there.directions, atol=1e-5)


def test_the_gradient_of_a_turn() -> None:
    flat = rays_of([Camera(10)], 2, 2).flat()
    rays = Rays(flat.origins.double(), flat.directions.double())
    angle = torch.tensor([3.0, -2.0, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: (rays.turned(a).origins, rays.turned(a).directions), angle)


def test_a_ring_goes_round_in_equal_steps() -> None:
    cameras = ring(8, (-5.0, 10.0), start=350)
    assert [camera.azimuth for camera in cameras] == [350, 35, 80, 125, 170, 215, 260, 305]
    assert [camera.elevation for camera in cameras] == [-5.0, 10.0] * 4


@pytest.mark.parametrize("name", PAPER)
def test_a_photographers_azimuth_is_the_geodesic_bearing(name: str) -> None:
    lat, lon = PAPER[name]
    geod = pyproj.Geod(ellps="WGS84")
    scale = scale_of_height(60.0)
    for bearing in range(0, 360, 15):
        for metres in (20.0, 150.0, 900.0):
            east, north, _ = geod.fwd(lon, lat, bearing, metres)
            camera = camera_at(Place(north, east), Place(lat, lon), scale)
            off = (camera.azimuth - bearing + 180) % 360 - 180
            assert abs(off) < 0.01
            away = metres / scale.metres
            assert camera.distance * math.cos(math.radians(camera.elevation)) == pytest.approx(away, rel=1e-5)
            assert math.tan(math.radians(camera.elevation)) == pytest.approx((1.6 - 30) / metres, rel=1e-4)


def test_scale_is_a_round_trip_and_puts_the_foot_at_zero() -> None:
    scale = scale_of_height(80.0, fill=1.6)
    foot, top = scale.to_metres(np.array([[0, 0, -0.8], [0, 0, 0.8]]))
    np.testing.assert_allclose((foot, top), [(0, 0, 0), (0, 0, 80)], atol=1e-9)
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(scale.to_units(scale.to_metres(points)), points)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Camera(0, 90),
        lambda: Camera(0, 0, 0),
        lambda: Camera(0, fov=180),
        lambda: ring(0),
        lambda: Scale(0),
        lambda: scale_of_height(-1),
        lambda: camera_at(Place(1, 2), Place(1, 2), scale_of_height(10)),
    ],
)
def test_what_makes_no_sense_is_refused(bad) -> None:
    with pytest.raises(ValueError, match=r"degrees|metres|over 0|ring|middle"):
        bad()
