"""Textures painted with views: a cube whose south side was photographed half red, half green."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.mesh import extract, textured
from gpsdream_app.lifting.painting import PaintedViews, paint
from gpsdream_app.lifting.rasteriser import depths
from gpsdream_app.lifting.viewpoint import Viewpoint

BLUE = (0.2, 0.4, 0.9)
SIDE = 64


def views(shift: tuple[float, float] = (0.0, 0.0)) -> PaintedViews:
    """One picture, taken in the south of a cube of edge 1: its west half red, its east half green, on blue."""
    picture = np.empty((SIDE, SIDE, 3), dtype=np.float64)
    picture[:] = BLUE
    middle = SIDE / 2 + np.array(shift) * SIDE
    # At distance 4 the near side is 3.5 away; a fov of 40 degrees shows 2 * 3.5 * tan 20 = 2.55 there.
    half = 0.5 / 2.548 * SIDE
    rows = slice(round(middle[1] - half), round(middle[1] + half))
    picture[rows, round(middle[0] - half) : round(middle[0])] = (0.8, 0.1, 0.1)
    picture[rows, round(middle[0]) : round(middle[0] + half)] = (0.1, 0.8, 0.1)
    one = np.ones(1)
    return PaintedViews(
        (picture[None] * 255).astype(np.uint8),
        180.0 * one,
        0.0 * one,
        4.0 * one,
        40.0 * one,
        np.zeros((1, 3)),
        np.array([shift]),
        np.array(BLUE),
    )


def cube() -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])


def painted(where: np.ndarray, away: np.ndarray, seen: PaintedViews) -> np.ndarray:
    # As bright as the picture, so that its colours stay as they are.
    base = np.where(where[:, :1] < 0, (0.8, 0.1, 0.1), (0.1, 0.8, 0.1))
    return paint(partial(depths, *cube()), where, away, base, seen, 0.02)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.1, -0.2)])
def test_points_take_the_colour_of_the_view_that_sees_them(shift: tuple[float, float]) -> None:
    where = np.array([[x, -0.5, z] for x in (-0.3, 0.3) for z in (-0.3, 0.0, 0.3)])
    colours = painted(where, np.tile([0.0, -1.0, 0.0], (len(where), 1)), views(shift))
    assert (colours[:3, 0] > 2 * colours[:3, 1]).all(), "looking north, west is on the left"
    assert (colours[3:, 1] > 2 * colours[3:, 0]).all()


def test_what_no_view_sees_takes_the_nearest_colour_and_not_the_background() -> None:
    front = np.array([[x, -0.5, z] for x in (-0.3, 0.3) for z in (-0.3, 0.3)])
    behind = front * (1.0, -1.0, 1.0)
    away = np.concatenate([np.tile([0.0, -1.0, 0.0], (4, 1)), np.tile([0.0, 1.0, 0.0], (4, 1))])
    colours = painted(np.concatenate([front, behind]), away, views())
    assert np.allclose(colours[4:], colours[:4])
    # Even a normal that points at the camera does not let it look through the cube.
    through = painted(np.concatenate([front, behind]), np.tile([0.0, -1.0, 0.0], (8, 1)), views())
    assert np.allclose(through[4:], colours[:4])


def test_a_mesh_is_painted(tmp_path: Path) -> None:
    # Sixteen cells for two units: a cube of edge 1 in the middle, grey as far as the field knows.
    raw = np.zeros((16, 16, 16), dtype=np.float32)
    raw[4:12, 4:12, 4:12] = 50.0
    density = Density(raw, np.full((16, 16, 16, 3), 0.45, dtype=np.float32), (1.0, 1.0, 1.0))
    mesh = textured(extract(density), density, 128, views())
    assert mesh.texture is not None
    spread = mesh.texture.reshape(-1, 3).astype(int)
    assert (spread[:, 0] > 2 * spread[:, 1]).mean() > 0.1
    assert (spread[:, 1] > 2 * spread[:, 0]).mean() > 0.1
    assert not (spread[:, 2] > spread[:, :2].max(axis=1) + 30).any(), "the background is nowhere on it"


def test_views_are_kept_and_read(tmp_path: Path) -> None:
    path = tmp_path / "views.npz"
    views((0.1, 0.2)).save(path)
    again = PaintedViews.load(path)
    assert again is not None
    assert np.array_equal(again.pictures, views((0.1, 0.2)).pictures)
    assert again.viewpoint(0) == Viewpoint(180.0, 0.0, 4.0, (0.0, 0.0, 0.0), 40.0)


def test_damaged_views_are_done_without(tmp_path: Path) -> None:
    path = tmp_path / "views.npz"
    assert PaintedViews.load(path) is None
    path.write_bytes(b"PK no archive")
    assert PaintedViews.load(path) is None
    np.savez(path, pictures=np.zeros((2, 4, 4, 3), dtype=np.uint8))
    assert PaintedViews.load(path) is None
