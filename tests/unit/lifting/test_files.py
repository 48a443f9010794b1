from __future__ import annotations

import io
import math
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import meshio
import numpy as np
import pygltflib
import pyproj
import pytest
import trimesh
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.lifting.cameras import Scale
from gpsdream_app.lifting.files import Standing, footprint, linear_of, size_in_metres, write_mesh
from gpsdream_app.lifting.mesh import Density, LiftedMesh, extract, textured

# A house 0.6 wide (east), 0.3 deep, 1 high, with its chimney in the north-east: no two axes are alike.
EXTENT, SHAPE = (0.5, 0.5, 0.8), (48, 30, 30)
SCALE = Scale(metres=50.0, foot=0.5)
STANDING = Standing(
    "Flat & “Iron” <House>", SCALE, Place(40.741061, -73.989699), 23.0, "five-landmarks", {"prompt": "A photo"}
)
SIZE = (30.0, 15.0, 50.0)


@pytest.fixture(scope="module")
def density() -> Density:
    up, north, east = (np.linspace(-e, e, n) for e, n in zip(EXTENT[::-1], SHAPE, strict=True))
    z, y, x = np.meshgrid(up, north, east, indexing="ij")
    house = np.maximum.reduce([np.abs(x) - 0.3, np.abs(y) - 0.15, np.abs(z + 0.1) - 0.4])
    chimney = np.maximum.reduce([np.abs(x - 0.2) - 0.06, np.abs(y - 0.08) - 0.06, np.abs(z - 0.35) - 0.15])
    values = 40 * np.clip(0.5 - np.minimum(house, chimney) / 0.034, 0, 1)
    colours = np.stack([x + 0.5, np.full_like(x, 0.2), z / 2 + 0.5], axis=-1).clip(0, 1)
    return Density(values, colours, EXTENT)


@pytest.fixture(scope="module")
def house(density: Density) -> LiftedMesh:
    return extract(density, 20.0, most_faces=3000)


@pytest.fixture(scope="module")
def painted(house: LiftedMesh, density: Density) -> LiftedMesh:
    return textured(house, density, side=128)


def chimney_is_in_the_north_east(vertices: np.ndarray) -> bool:
    high = vertices[vertices[:, 2] > 45.0].mean(axis=0)
    return bool(high[0] > 5 and high[1] > 2)


def check_size(vertices: np.ndarray) -> None:
    np.testing.assert_allclose(np.ptp(vertices, axis=0), SIZE, atol=1.0)
    assert abs(vertices[:, 2].min()) < 0.6, "the foot stands on the ground"
    assert chimney_is_in_the_north_east(vertices)


def from_y_up(vertices: np.ndarray) -> np.ndarray:
    return np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], axis=1)


def test_the_size_is_in_metres(house: LiftedMesh) -> None:
    np.testing.assert_allclose(size_in_metres(house, SCALE), SIZE, atol=1.0)


@pytest.mark.parametrize("with_texture", [False, True])
def test_glb(house: LiftedMesh, painted: LiftedMesh, with_texture: bool, tmp_path: Path) -> None:
    mesh = painted if with_texture else house
    (path,) = write_mesh(mesh, tmp_path / "house.glb", STANDING)
    scene = trimesh.load(path)
    # As the file has it, y is up, and the node's matrix says so.
    check_size(from_y_up(scene.to_geometry().vertices))
    file = pygltflib.GLTF2().load(str(path))
    assert file.asset.version == "2.0" and file.asset.generator == "GPSDream"
    extras = file.scenes[0].extras
    assert extras["centre"] == {"latitude": 40.741061, "longitude": -73.989699}
    assert (extras["heading"], extras["metres_per_unit"], extras["model"]) == (23.0, 50.0, "five-landmarks")
    assert extras["prompt"] == "A photo" and extras["digital_source_type"].endswith("trainedAlgorithmicMedia")
    attributes = file.meshes[0].primitives[0].attributes
    assert attributes.NORMAL is not None
    pbr = file.materials[file.meshes[0].primitives[0].material].pbrMetallicRoughness
    assert pbr.metallicFactor == 0
    positions = accessor(file, attributes.POSITION)
    np.testing.assert_allclose(np.ptp(positions, axis=0), SIZE, atol=1.0)
    if with_texture:
        assert attributes.TEXCOORD_0 is not None and attributes.COLOR_0 is None
        assert pbr.baseColorTexture is not None
        material = next(iter(scene.geometry.values())).visual.material
        np.testing.assert_array_equal(np.asarray(material.baseColorTexture)[..., :3], painted.texture)
    else:
        colours = accessor(file, attributes.COLOR_0)
        assert file.accessors[attributes.COLOR_0].normalized
        np.testing.assert_allclose(colours[:, :3] / 65535, linear_of(house.colours), atol=1e-4)


def accessor(file: pygltflib.GLTF2, number: int) -> np.ndarray:
    one = file.accessors[number]
    view = file.bufferViews[one.bufferView]
    kind = {5126: "<f4", 5123: "<u2", 5121: "u1"}[one.componentType]
    width = {"VEC2": 2, "VEC3": 3, "VEC4": 4}[one.type]
    start = (view.byteOffset or 0) + (one.byteOffset or 0)
    values = np.frombuffer(file.binary_blob(), kind, one.count * width, start)
    return values.reshape(one.count, width).astype(np.float64)


@pytest.mark.parametrize("with_texture", [False, True])
def test_obj(house: LiftedMesh, painted: LiftedMesh, with_texture: bool, tmp_path: Path) -> None:
    mesh = painted if with_texture else house
    files = write_mesh(mesh, tmp_path / "house.obj", STANDING)
    assert {path.suffix for path in files} == ({".obj", ".mtl", ".png"} if with_texture else {".obj"})
    again = trimesh.load(tmp_path / "house.obj", process=False)
    check_size(from_y_up(again.vertices))
    assert again.volume == pytest.approx(house.volume * 50**3, rel=0.01)
    other = meshio.read(tmp_path / "house.obj")
    check_size(from_y_up(other.points[:, :3]))
    if with_texture:
        image = again.visual.material.image
        np.testing.assert_array_equal(np.asarray(image)[..., :3], painted.texture)
        np.testing.assert_allclose(again.visual.uv, painted.uv, atol=1e-5)
    else:
        np.testing.assert_allclose(again.visual.vertex_colors[:, :3] / 255, house.colours, atol=0.01)


def test_ply(house: LiftedMesh, tmp_path: Path) -> None:
    (path,) = write_mesh(house, tmp_path / "house.ply", STANDING)
    again = trimesh.load(path)
    check_size(again.vertices)
    np.testing.assert_allclose(again.visual.vertex_colors[:, :3] / 255, house.colours, atol=0.01)
    assert again.is_watertight == house.watertight
    header = path.read_bytes().split(b"end_header")[0].decode("ascii")
    assert "comment metres, x east, y north, z up" in header and "40.741061" in header
    check_size(meshio.read(path).points)


def test_stl(house: LiftedMesh, tmp_path: Path) -> None:
    (path,) = write_mesh(house, tmp_path / "house.stl", STANDING)
    check_size(trimesh.load(path).vertices)
    check_size(meshio.read(path).points)


def kmz_vertices(archive: zipfile.ZipFile) -> tuple[np.ndarray, np.ndarray, Place]:
    """What Google Earth would stand on the map: metres east, north, up of the place, faces, and the place."""
    kml = ET.fromstring(archive.read("doc.kml"))
    name = {"k": "http://www.opengis.net/kml/2.2"}

    def number(path: str) -> float:
        return float(kml.findtext(f".//k:Model/{path}", namespaces=name))

    dae = ET.fromstring(archive.read(kml.findtext(".//k:Model/k:Link/k:href", namespaces=name)))
    space = {"c": "http://www.collada.org/2005/11/COLLADASchema"}
    assert dae.findtext("c:asset/c:up_axis", namespaces=space) == "Z_UP"
    unit = float(dae.find("c:asset/c:unit", space).get("meter"))
    array = dae.find(".//c:float_array[@id='positions-array']", space)
    points = np.array(array.text.split(), dtype=float).reshape(-1, 3) * unit
    assert int(array.get("count")) == points.size
    faces = np.array(dae.findtext(".//c:triangles/c:p", namespaces=space).split(), dtype=int).reshape(-1, 3)
    points *= [number(f"k:Scale/k:{axis}") for axis in "xyz"]
    assert number("k:Orientation/k:tilt") == number("k:Orientation/k:roll") == number("k:Location/k:altitude") == 0
    angle = math.radians(number("k:Orientation/k:heading"))  # clockwise
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points[:, :2] = points[:, :2] @ turn.T
    return points, faces, Place(number("k:Location/k:latitude"), number("k:Location/k:longitude"))


@pytest.mark.parametrize("with_texture", [False, True])
def test_a_kmz_stands_at_its_place(house: LiftedMesh, painted: LiftedMesh, with_texture: bool, tmp_path: Path) -> None:
    mesh = painted if with_texture else house
    (path,) = write_mesh(mesh, tmp_path / "house.kmz", STANDING)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "doc.kml"
        points, faces, place = kmz_vertices(archive)
        if with_texture:
            kml = archive.read("doc.kml").decode()
            assert "<sourceHref>texture.png</sourceHref>" in kml
            dae = ET.fromstring(archive.read("models/landmark.dae"))
            space = {"c": "http://www.collada.org/2005/11/COLLADASchema"}
            assert dae.findtext(".//c:image/c:init_from", namespaces=space) == "texture.png"
            picture = Image.open(io.BytesIO(archive.read("models/texture.png")))
            np.testing.assert_array_equal(np.asarray(picture), painted.texture)
    check_size(points)
    assert trimesh.Trimesh(points, faces).volume > 0
    # The chimney: from the foot, on the ellipsoid, by somebody else's arithmetic.
    geod = pyproj.Geod(ellps="WGS84")
    chimney = points[points[:, 2] > 45].mean(axis=0)
    true = np.array([0.2, 0.08]) * 50
    bearing, _, away = geod.inv(place.lon, place.lat, STANDING.place.lon, STANDING.place.lat)
    assert away < 0.01 and bearing is not None
    assert np.linalg.norm(chimney[:2] - true) < 2.0
    off = math.degrees(math.atan2(chimney[0], chimney[1]) - math.atan2(*true))
    assert abs(off) < 2.0


def test_the_footprint_on_the_map(house: LiftedMesh) -> None:
    outline = footprint(house, STANDING)
    assert outline[0] == outline[-1]
    geod = pyproj.Geod(ellps="WGS84")
    lats, lons = zip(*outline, strict=True)
    _, _, east = geod.inv(min(lons), 40.741061, max(lons), 40.741061)
    _, _, north = geod.inv(-73.989699, min(lats), -73.989699, max(lats))
    assert (east, north) == pytest.approx((30, 15), abs=1)


def test_what_cannot_be_written_is_a_sentence(house: LiftedMesh, tmp_path: Path) -> None:
    nothing = LiftedMesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros((0, 3)))
    with pytest.raises(GPSDreamError, match="empty"):
        write_mesh(nothing, tmp_path / "nothing.glb", STANDING)
    with pytest.raises(GPSDreamError, match="GLB, OBJ"):
        write_mesh(house, tmp_path / "house.fbx", STANDING)
    with pytest.raises(GPSDreamError, match="place"):
        write_mesh(house, tmp_path / "house.kmz", Standing())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GPSDreamError) as caught:
        write_mesh(house, tmp_path / "file" / "house.glb", STANDING)
    assert caught.value.failure.kind is ErrorKind.DISK_FULL


def test_an_unscaled_mesh_says_so(house: LiftedMesh, tmp_path: Path) -> None:
    (path,) = write_mesh(house, tmp_path / "house.glb", Standing())
    extras = pygltflib.GLTF2().load(str(path)).scenes[0].extras
    assert extras["unscaled"] is True and extras.get("metres_per_unit") is None
