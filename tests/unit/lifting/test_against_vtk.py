"""The cameras against another renderer: VTK's picture of the same mesh from the same place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from gpsdream_app.lifting.cameras import Camera
from gpsdream_app.lifting.field import Field
from gpsdream_app.lifting.renderer import render_pictures
from tests.lifting_scene import BOXES, FACES, seen, truth

pyvista = pytest.importorskip("pyvista")
SIDE = 96


def vtk_picture(camera: Camera) -> np.ndarray:
    """Unlit colours (SIDE, SIDE, 3), 0 to 1, on white."""
    mesh = truth()
    plotter = pyvista.Plotter(off_screen=True, window_size=(SIDE, SIDE))
    plotter.disable_anti_aliasing()
    try:
        plotter.set_background("white")
        axis = np.abs(mesh.face_normals).argmax(axis=1)
        back = np.take_along_axis(mesh.face_normals, axis[:, None], axis=1)[:, 0] < 0
        surface = pyvista.wrap(mesh)
        surface.cell_data["colours"] = (FACES[axis * 2 + back] * 255).round().astype(np.uint8)
        plotter.add_mesh(surface, scalars="colours", rgb=True, lighting=False)
        plotter.camera.position = tuple(camera.position)
        plotter.camera.focal_point = camera.target
        plotter.camera.up = (0.0, 0.0, 1.0)
        plotter.camera.view_angle = camera.fov
        plotter.camera.clipping_range = (0.1, 10.0)
        return np.asarray(plotter.screenshot(return_img=True)) / 255.0
    finally:
        plotter.close()


@pytest.mark.parametrize("camera", [Camera(0), Camera(75, -20, 3.2, 42), Camera(200, 35, 2.6, 50)])
def test_vtk_sees_the_same_picture(camera: Camera) -> None:
    mine = seen([camera], SIDE)[0][0].permute(1, 2, 0).numpy()
    theirs = vtk_picture(camera)
    same = np.abs(mine - theirs).max(axis=-1) < 0.05
    assert same.mean() > 0.999, "all but a pixel that lies on an edge"
    assert np.abs(mine - theirs[:, ::-1]).max(axis=-1).mean() > 0.03, "and it is no picture that looks alike mirrored"


class Solid(Field):
    """The boxes as a field."""

    def forward(self, points):
        density = torch.zeros(len(points))
        for centre, size in BOXES:
            inside = (points - torch.tensor(centre)).abs() < torch.tensor(size) / 2
            density = torch.where(inside.all(dim=-1), torch.full_like(density, 500.0), density)
        return density, torch.zeros(len(points), 3)

    def refine(self, resolution: int) -> None:
        self.resolution = resolution

    def total_variation(self):
        raise NotImplementedError


def test_the_renderer_sees_the_silhouette_that_vtk_sees() -> None:
    camera = Camera(75, -20, 3.2, 42)
    opacity = render_pictures(Solid(64), [camera], SIDE, SIDE, samples=300).opacity.reshape(SIDE, SIDE).numpy() > 0.5
    other = vtk_picture(camera).min(axis=-1) < 0.99
    assert (opacity & other).sum() / (opacity | other).sum() > 0.97


def test_the_scene_is_what_its_mesh_is() -> None:
    assert isinstance(truth(), trimesh.Trimesh) and truth().volume == pytest.approx(0.6 * 0.5 * 1.3 + 0.027 + 0.056)
