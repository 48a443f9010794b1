from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.lifting.cameras import Camera, project
from gpsdream_app.lifting.mesh import extract, textured
from gpsdream_app.lifting.pictures import picture_of, turn, write_turntable
from gpsdream_app.lifting.viewpoint import Viewpoint, facing, ray_hits
from tests.films import read_film
from tests.lift_folders import a_tower


@pytest.mark.parametrize("azimuth", [0.0, 37.0, 90.0, 200.0, 315.0])
def test_a_viewpoint_is_the_camera_of_lifting(azimuth: float) -> None:
    target = (0.1, -0.2, 0.3)
    camera, view = Camera(azimuth, 12.0, 3.0, 35.0, target), Viewpoint(azimuth, 12.0, 3.0, target, 35.0)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    np.testing.assert_allclose(view.project(points, 90, 120), project(points, camera, 90, 120), atol=1e-9)
    column, row, _ = view.project(points[0], 90, 120)
    away = points[0] - view.position
    np.testing.assert_allclose(view.ray(column, row, 90, 120), away / np.linalg.norm(away), atol=1e-9)


def test_a_ray_meets_a_cube_where_it_must() -> None:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5]])  # its western and eastern side
    hits = ray_hits(corners, faces, np.array([-2.0, 0.3, 0.6]), np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(hits, [2.0, 3.0])
    assert len(ray_hits(corners, faces, np.array([-2.0, 1.3, 0.6]), np.array([1.0, 0.0, 0.0]))) == 0


def test_the_picture_is_where_the_numbers_say_and_shows_its_sides() -> None:
    density = a_tower(cells=32)
    mesh = extract(density)
    for azimuth, gold in ((180.0, True), (0.0, False)):
        view = facing(mesh.vertices, azimuth, 5.0)
        picture = picture_of(mesh, view, 96, 96, background=(0.0, 0.0, 1.0)).astype(int)
        seen = np.abs(picture - [0, 0, 255]).sum(axis=2) > 30
        points = view.project(mesh.vertices, 96, 96)[:, :2]
        columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
        np.testing.assert_allclose([columns.min(), rows.min()], points.min(axis=0), atol=1.5)
        np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], points.max(axis=0), atol=1.5)
        red, _, blue = picture[48, 48]
        assert (red > blue + 40) == gold
        roof = picture[rows.min() + 6, 48]
        assert roof[0] > 2 * roof[1]


def test_a_texture_shows_what_the_corners_show() -> None:
    density = a_tower(cells=24)
    mesh = textured(extract(density), density, 256)
    view = facing(mesh.vertices, 150.0, 10.0)
    with_texture = picture_of(mesh, view, 64, 64).astype(int)

    plain = picture_of(replace(mesh, texture=None, uv=None), view, 64, 64).astype(int)
    assert np.abs(with_texture - plain).mean() < 3.0


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_turntable_can_be_read_again(suffix: str, tmp_path: Path) -> None:
    mesh = extract(a_tower(cells=20))
    out = write_turntable(turn(mesh, 6, 64), tmp_path / f"turn{suffix}", 12.0)
    read = read_film(out) if suffix == ".mp4" else imageio.mimread(out)
    frames = [np.asarray(frame)[..., :3] for frame in read]
    assert len(frames) == 6 and frames[0].shape == (64, 64, 3)
    wanted = list(turn(mesh, 6, 64))
    assert np.abs(frames[3].astype(int) - wanted[3]).mean() < 6
    if suffix == ".gif":
        with Image.open(out) as film:
            assert b"trainedAlgorithmicMedia" in film.info["comment"]


def test_a_turntable_that_is_stopped_has_no_file(tmp_path: Path) -> None:
    out = tmp_path / "turn.gif"
    with pytest.raises(GPSDreamError):
        write_turntable(turn(extract(a_tower(cells=20)), 6, 64, cancelled=lambda: True), out)
    assert list(tmp_path.iterdir()) == []
