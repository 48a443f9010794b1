from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.lifting import mesh as meshes
from gpsdream_app.lifting.field import DenseGrid, density_of
from gpsdream_app.lifting.mesh import Density, LiftedMesh, extract, textured


def solid(distance: np.ndarray, cell: float) -> np.ndarray:
    """Density 40 inside, 0 outside, with an edge of a cell; `distance` is negative inside."""
    return 40.0 * np.clip(0.5 - distance / cell, 0, 1)


def lattice(shape: tuple[int, int, int], extent: tuple[float, float, float]) -> tuple[np.ndarray, ...]:
    up, north, east = (np.linspace(-e, e, n) for e, n in zip(extent[::-1], shape, strict=True))
    z, y, x = np.meshgrid(up, north, east, indexing="ij")
    return x, y, z


def a_ball(n: int = 40, radius: float = 0.6, **extra: tuple[tuple[float, float, float], float]) -> Density:
    extent = (1.0, 1.0, 1.0)
    x, y, z = lattice((n, n, n), extent)
    cell = 2 / (n - 1)
    values = solid(np.sqrt(x * x + y * y + z * z) - radius, cell)
    for centre, size in extra.values():
        away = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
        values = np.maximum(values, solid(away - size, cell))
    colours = np.stack([x, y, z], axis=-1) / 2 + 0.5
    return Density(values, colours, extent)


def test_a_ball_comes_out_closed_with_its_volume_and_faces_outwards() -> None:
    found = extract(a_ball(), 20.0)
    assert found.watertight
    assert found.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.02)
    radii = np.linalg.norm(found.vertices, axis=1)
    np.testing.assert_allclose(radii, 0.6, atol=0.01)
    again = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert again.is_watertight and again.is_winding_consistent and again.volume > 0


def test_axes_are_not_mixed_up() -> None:
    extent, shape = (0.4, 0.6, 1.0), (50, 30, 20)
    x, y, z = lattice(shape, extent)
    cell = 0.04
    away = np.maximum.reduce([np.abs(x - 0.1) - 0.2, np.abs(y + 0.1) - 0.3, np.abs(z - 0.2) - 0.5])
    found = extract(Density(solid(away, cell), np.stack([x, y, z], -1), extent), 20.0)
    np.testing.assert_allclose(found.vertices.min(axis=0), (-0.1, -0.4, -0.3), atol=0.02)
    np.testing.assert_allclose(found.vertices.max(axis=0), (0.3, 0.2, 0.7), atol=0.02)


def test_what_touches_the_wall_is_closed() -> None:
    found = extract(Density(np.full((8, 8, 8), 30.0), np.zeros((8, 8, 8, 3)), (1.0, 1.0, 1.0)), 10.0)
    assert found.watertight and found.volume > 8


def test_small_parts_go_and_large_ones_stay() -> None:
    density = a_ball(radius=0.4, crumb=((0.8, 0.8, 0.8), 0.08), moon=((-0.75, 0, 0), 0.2))
    bodies = trimesh.Trimesh(*_arrays(extract(density, 20.0)), process=False).body_count
    assert bodies == 2
    assert trimesh.Trimesh(*_arrays(extract(density, 20.0, smallest_part=0.0)), process=False).body_count == 3


def test_hollows_are_filled() -> None:
    density = a_ball()
    x, y, z = lattice((40, 40, 40), density.extent)
    hollow = Density(
        np.where(np.sqrt(x * x + y * y + z * z) < 0.3, 0.0, density.values), density.colours, density.extent
    )
    found = extract(hollow, 20.0)
    assert found.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.02)
    assert trimesh.Trimesh(*_arrays(found), process=False).body_count == 1


def test_decimation_keeps_the_shape_closed() -> None:
    found = extract(a_ball(60), 20.0, most_faces=2000)
    assert len(found.faces) <= 2000
    assert found.watertight
    assert found.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.03)


def test_colours_are_those_inside_the_surface() -> None:
    density = a_ball()
    cell = float(density.spacing.max())
    found = extract(density, 20.0)
    inwards = found.vertices * (1 - cell / 0.6)
    np.testing.assert_allclose(found.colours, inwards / 2 + 0.5, atol=0.01)


def test_a_texture_shows_the_colours_where_the_vertices_are() -> None:
    density = a_ball(24)
    found = textured(extract(density, 20.0), density, side=256)
    assert found.texture is not None and found.uv is not None
    assert found.texture.shape == (256, 256, 3) and found.texture.dtype == np.uint8
    assert found.watertight, "seams of the texture are no holes"
    middle = found.uv[found.faces].mean(axis=1)
    rows = np.clip(((1 - middle[:, 1]) * 256).astype(int), 0, 255)
    columns = np.clip((middle[:, 0] * 256).astype(int), 0, 255)
    shown = found.texture[rows, columns] / 255
    wanted = density.colour_at(found.vertices[found.faces].mean(axis=1) * (1 - float(density.spacing.max()) / 0.6))
    error = np.abs(shown - wanted).max(axis=1)
    assert np.median(error) < 0.03 and np.quantile(error, 0.98) < 0.1


def test_a_mesh_with_many_faces_is_made_smaller_before_it_gets_a_texture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meshes, "MOST_FACES_WITH_TEXTURE", 900)
    density = a_ball(40)
    found = textured(extract(density, 20.0), density, side=128)
    assert len(found.faces) <= 900


def test_texels_lie_in_their_faces() -> None:
    uv = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    rows, columns, face, weights = meshes.texels(uv, np.array([[0, 1, 2]]), 64)
    assert (face == 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    where = weights @ uv
    # Exact inside, moved to the border by less than a texel's diagonal outside.
    np.testing.assert_allclose(where[:, 0], (columns + 0.5) / 64, atol=1.5 / 64)
    np.testing.assert_allclose(where[:, 1], 1 - (rows + 0.5) / 64, atol=1.5 / 64)
    assert len(rows) == pytest.approx(0.32 * 64 * 64, rel=0.1)


def test_an_empty_mesh_is_a_sentence() -> None:
    with pytest.raises(GPSDreamError, match="There is no mesh"):
        extract(a_ball(), 50.0)
    with pytest.raises(GPSDreamError, match="There is no mesh"):
        extract(Density(np.zeros((8, 8, 8)), np.zeros((8, 8, 8, 3)), (1.0, 1.0, 1.0)))
    with pytest.raises(GPSDreamError, match="over 0"):
        extract(a_ball(), 0.0)


def test_the_threshold_is_found_between_air_and_matter() -> None:
    assert 1.0 < a_ball().threshold() < 39.0


def test_a_field_is_read_on_its_own_lattice() -> None:
    field = DenseGrid(20, (0.5, 0.5, 1.0))
    density = density_of(field)
    assert density.values.shape == (20, 10, 10)
    np.testing.assert_allclose(density.values, torch.nn.functional.softplus(field.raw[0, 0]).detach() * 20, rtol=1e-4)
    np.testing.assert_allclose(density.spacing, (1 / 9, 1 / 9, 2 / 19))


def _arrays(found: LiftedMesh) -> tuple[np.ndarray, np.ndarray]:
    return found.vertices, found.faces
