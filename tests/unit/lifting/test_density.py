from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.field import DenseGrid, density_of
from gpsdream_app.lifting.mesh import extract
from gpsdream_app.lifting.scale import Scale, scale_of_height


def a_box(n: int = 24) -> Density:
    """A box of density 40 with a soft edge, off the middle and longer to the north, in a box that is no cube."""
    extent = (0.8, 1.0, 1.2)
    shape = (n + 6, n, n - 4)
    up, north, east = (np.linspace(-e, e, count) for e, count in zip(extent[::-1], shape, strict=True))
    z, y, x = np.meshgrid(up, north, east, indexing="ij")
    away = np.maximum.reduce([np.abs(x - 0.1) - 0.3, np.abs(y + 0.1) - 0.5, np.abs(z - 0.2) - 0.6])
    values = 40.0 * np.clip(0.5 - away / 0.1, 0, 1)
    colours = np.stack([x / 1.6 + 0.5, y / 2 + 0.5, z / 2.4 + 0.5], axis=-1)
    return Density(values, colours, extent, scale_of_height(87.0))


def test_colours_are_read_as_the_field_reads_them() -> None:
    box = a_box()
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.3, 1.3, (400, 3))  # some of them outside
    grid = torch.from_numpy(np.moveaxis(box.colours, -1, 0)[None].astype(np.float32))
    where = torch.from_numpy((points / np.array(box.extent)).astype(np.float32)).reshape(1, 1, 1, -1, 3)
    wanted = torch.nn.functional.grid_sample(grid, where, padding_mode="border", align_corners=True)
    np.testing.assert_allclose(box.colour_at(points), wanted.reshape(3, -1).T.numpy(), atol=2e-5)


def test_a_field_keeps_its_scale_on_the_way() -> None:
    field = DenseGrid(8, (1.0, 0.5, 1.0))
    scale = Scale(50.0, 0.8)
    density = density_of(field, scale=scale)
    assert density.scale == scale and density.values.shape == field.shape
    assert density.colours.shape == (*field.shape, 3)


def test_saved_and_read_again_it_gives_the_same_mesh(tmp_path: Path) -> None:
    box = a_box()
    box.save(tmp_path / "lift" / "density.npz")
    again = Density.load(tmp_path / "lift" / "density.npz")
    assert again.extent == box.extent and again.scale == box.scale and again.chosen is None
    before, after = extract(box), extract(again)
    assert before.faces.shape == after.faces.shape and after.watertight
    np.testing.assert_allclose(after.vertices, before.vertices, atol=1e-3)
    np.testing.assert_allclose(after.colours, before.colours, atol=1 / 255)


def test_a_chosen_threshold_is_kept_and_used(tmp_path: Path) -> None:
    path = tmp_path / "density.npz"
    box = a_box()
    assert box.share_of(box.level_of(0.3)) == pytest.approx(0.3)
    loose, tight = (Density(box.values, box.colours, box.extent, box.scale, share) for share in (0.05, 0.9))
    tight.save(path)
    again = Density.load(path)
    assert again.chosen == 0.9 and again.threshold() == pytest.approx(box.level_of(0.9))
    assert extract(again).volume < extract(loose).volume


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "pickle", "not finite", "another shape"])
def test_what_is_damaged_is_said_in_a_sentence(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "density.npz"
    box = a_box(8)
    if damage == "cut":
        box.save(path)
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "foreign":
        path.write_bytes(b"not a file of numbers")
    elif damage != "missing":
        values = np.zeros((4, 4, 4), np.float16)
        colours = np.zeros((4, 4, 4, 3), np.uint8)
        if damage == "not finite":
            values[0, 0, 0] = np.nan
        elif damage == "another shape":
            colours = colours[:2]
        else:
            values = np.array([object()])
        np.savez(path, density=values, colours=colours, extent=[1.0] * 3, scale=[1.0, 0.0, 1.0], threshold=np.nan)
    with pytest.raises(GPSDreamError) as caught:
        Density.load(path)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT and caught.value.failure.hint


def test_meshes_and_their_files_need_no_torch() -> None:
    code = "import sys, gpsdream_app.lifting.files, gpsdream_app.lifting.mesh; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
