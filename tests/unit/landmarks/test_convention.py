"""The photographer's cameras and those of lifting see alike: one convention."""

import numpy as np
import pytest

from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.lifting import cameras as lifting


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.0, 0.0), (90.0, -12.0), (205.0, 30.0), (333.0, -3.0)])
def test_both_cameras_have_the_same_rays(azimuth: float, elevation: float) -> None:
    theirs = lifting.Camera(azimuth, elevation, 40.0, 50.0, (0.0, 0.0, 10.0))
    ground = 40.0 * np.cos(np.radians(elevation))
    height = 10.0 + 40.0 * np.sin(np.radians(elevation))
    ours = Camera.at_azimuth(azimuth, ground, eye_height=height, target=10.0, fov=50.0, size=(12, 9))
    assert np.allclose(ours.eye, theirs.position)
    assert ours.heading == pytest.approx(theirs.heading)
    rays = lifting.rays_of([theirs], 9, 12)
    mine = ours.rays()
    mine /= np.linalg.norm(mine, axis=-1, keepdims=True)
    assert np.allclose(rays.directions[0].numpy(), mine, atol=1e-5)
    assert np.allclose(rays.origins[0].numpy(), ours.eye, atol=1e-4)
