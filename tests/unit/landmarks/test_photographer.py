"""Photos of the landmarks: what is seen, and what the files say."""

import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from gpsdream_app.domain.landmarks import LANDMARKS, landmark
from gpsdream_app.geo.azimuth import angle_between, azimuth_error, standpoint
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.landmarks.light import Conditions, Weather
from gpsdream_app.landmarks.meshes import TruthMesh, truth_mesh
from gpsdream_app.landmarks.photographer import (
    DISTANCES,
    GPS_NOISE_LIMIT,
    LONGEST_LENS,
    SHORTEST_LENS,
    Order,
    exif_of,
    main,
    plan,
    shots,
)
from gpsdream_app.landmarks.renderer import Renderer, to_linear, to_srgb, truth_images
from gpsdream_app.landmarks.sun import sun_position
from gpsdream_app.photos.exif import read_metadata

ARCH = "washington-square-arch"


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as one:
        yield one


def box_mesh() -> TruthMesh:
    """A block 4 m east-west, 2 m north-south, 6 m high."""
    box = trimesh.creation.box((4, 2, 6))
    vertices = np.asarray(box.vertices) + np.array([0, 0, 3])
    return TruthMesh(landmark("flatiron"), vertices, np.asarray(box.faces), np.full(len(box.faces), "limestone"))


# --- cameras ----------------------------------------------------------------------------------------------


def test_a_camera_in_the_east_looks_west() -> None:
    camera = Camera.at_azimuth(90.0, 50.0, eye_height=2.0, target=2.0)
    assert camera.eye == pytest.approx((50, 0, 2))
    assert camera.heading == pytest.approx(270.0)
    right, up, forward = camera.axes
    assert forward == pytest.approx((-1, 0, 0), abs=1e-12)
    assert right == pytest.approx((0, 1, 0), abs=1e-12)
    assert up == pytest.approx((0, 0, 1), abs=1e-12)


def test_rays_and_projection_are_inverse() -> None:
    camera = Camera((3, -40, 1.6), 350.0, 12.0, 3.0, 50.0, 48, 32)
    rows, columns = np.mgrid[0:32, 0:48]
    points = camera.rays().reshape(-1, 3) * 17.0 + camera.eye
    found = camera.project(points)
    assert np.allclose(found[:, 0], columns.ravel() + 0.5) and np.allclose(found[:, 1], rows.ravel() + 0.5)
    assert np.allclose(found[:, 2], 17.0)


def test_the_focal_length_is_that_of_film() -> None:
    """A 50 mm lens sees 24 mm of film under 2 atan(12 / 50)."""
    fov = math.degrees(2 * math.atan(12 / 50))
    assert Camera((0, 0, 0), 0, fov=fov, width=300, height=200).focal_length_35mm == pytest.approx(50.0)


# --- truth pictures ---------------------------------------------------------------------------------------


def test_truth_pictures_of_a_block_are_those_of_the_closed_form(renderer: Renderer) -> None:
    mesh = box_mesh()
    camera = Camera.at_azimuth(180.0, 11.0, eye_height=3.0, target=3.0, fov=60.0, size=(120, 120))
    pictures = truth_images(renderer, mesh, camera, background=(10, 200, 30), shaded=False)
    # The southern face: 10 m away, 4 m wide and 6 m high; 120 px show 2 * 10 * tan 30 m.
    scale = 120 / (20 * math.tan(math.radians(30)))
    assert pictures.mask.sum() == pytest.approx(24 * scale**2, rel=0.02)
    assert pictures.alpha.sum() == pytest.approx(24 * scale**2, rel=0.01)
    assert pictures.depth[pictures.mask] == pytest.approx(10.0, abs=1e-5)
    assert np.isinf(pictures.depth[~pictures.mask]).all()
    assert np.allclose(pictures.normals[pictures.mask], (0, -1, 0))
    assert (pictures.rgb[0, 0] == (10, 200, 30)).all()
    assert np.abs(pictures.rgb[60, 60].astype(int) - (196, 184, 162)).max() <= 1
    columns = np.flatnonzero(pictures.mask.any(axis=0))
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(60, abs=0.6)


def test_depth_agrees_with_rays_through_the_mesh(renderer: Renderer) -> None:
    """Against the intersection of rays with all triangles, which shares no code with the renderer."""
    mesh = truth_mesh(ARCH)
    camera = Camera((22.0, 26.0, 1.6), 220.0, 14.0, 2.0, 60.0, 40, 30)
    pictures = truth_images(renderer, mesh, camera, samples=1)
    corners = mesh.vertices[mesh.faces]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    wrong = 0
    for row, column in [(r, c) for r in range(2, 30, 4) for c in range(1, 40, 4)]:
        ray = camera.rays()[row, column]
        across = np.cross(ray, edge2)
        determinant = (edge1 * across).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = np.asarray(camera.eye) - corners[:, 0]
            u = (offset * across).sum(axis=1) / determinant
            other = np.cross(offset, edge1)
            v = other @ ray / determinant
            t = (edge2 * other).sum(axis=1) / determinant
        hits = t[(u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0.3)]
        expected = hits.min() if len(hits) else np.inf
        found = float(pictures.depth[row, column])
        wrong += not (found == expected or abs(found - expected) < 0.01)
    assert wrong <= 1  # a pixel may lie on an edge


def test_colours_go_to_linear_light_and_back() -> None:
    values = np.arange(256, dtype=np.uint8)
    assert (to_srgb(to_linear(values)) == values).all()


# --- plans ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [known.id for known in LANDMARKS])
def test_shots_go_all_round_at_plausible_distances(name: str) -> None:
    count = 24
    mesh = truth_mesh(name)
    series = shots(Order(name, count, 128, Path()))
    sectors = sorted(int(shot.azimuth // (360 / count)) for shot in series)
    assert sectors == list(range(count))
    nearest, farthest = DISTANCES[name]
    for shot in series:
        assert nearest * 0.999 <= shot.distance <= farthest * 1.13
        assert 1.45 <= shot.camera.eye[2] <= 1.75
        assert SHORTEST_LENS - 1e-6 <= shot.camera.focal_length_35mm <= LONGEST_LENS + 1e-6
        assert max(shot.camera.width, shot.camera.height) == 128
        assert abs(angle_between(shot.camera.heading, shot.azimuth + 180)) < 40
        seen = shot.camera.project(mesh.vertices[::7])
        inside = (
            (seen[:, 0] > 0) & (seen[:, 0] < shot.camera.width) & (seen[:, 1] > 0) & (seen[:, 1] < shot.camera.height)
        )
        assert inside.mean() > 0.95


def test_a_shot_depends_on_its_number_and_seed_alone() -> None:
    which, mesh = landmark(ARCH), truth_mesh(ARCH)
    assert plan(which, mesh, 3, 10, 64, 5) == plan(which, mesh, 3, 10, 64, 5)
    assert plan(which, mesh, 3, 10, 64, 5) != plan(which, mesh, 3, 10, 64, 6)
    assert plan(which, mesh, 3, 10, 64, 5) != plan(which, mesh, 4, 10, 64, 5)


def test_the_sun() -> None:
    azimuth, elevation = sun_position(datetime(2024, 6, 21, 12), 40.74)
    assert azimuth == pytest.approx(180, abs=1) and elevation == pytest.approx(90 - 40.74 + 23.44, abs=0.5)
    azimuth, elevation = sun_position(datetime(2024, 3, 20, 18), 48.87)
    assert azimuth == pytest.approx(270, abs=1.5) and elevation == pytest.approx(0, abs=1.5)
    assert sun_position(datetime(2024, 12, 21, 22), 43.7)[1] < -30
    assert Conditions((0, -12), Weather.CLEAR).is_night


# --- the files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [known.id for known in LANDMARKS])
def test_the_files_metadata_gives_azimuth_within_the_noise(name: str, tmp_path: Path) -> None:
    which = landmark(name)
    errors = []
    for shot in shots(Order(name, 40, 64, tmp_path)):
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (shot.camera.width, shot.camera.height)).save(path, exif=exif_of(shot))
        with Image.open(path) as image:
            read = read_metadata(image)
        assert read.place is not None and read.heading is not None and read.focal_length_35mm is not None
        found = standpoint((which.lat, which.lon), read.place)
        # EXIF keeps hundredths of a second of arc: 0.16 m at most.
        bound = azimuth_error(GPS_NOISE_LIMIT + 0.3, shot.distance)
        assert abs(angle_between(found.azimuth, shot.azimuth)) <= bound
        assert abs(found.distance - shot.distance) <= GPS_NOISE_LIMIT + 0.3
        truth = LocalFrame(which.lat, which.lon).to_degrees(*shot.camera.eye[:2])
        errors.append(standpoint(truth, read.place).distance)
        assert abs(angle_between(read.heading, shot.camera.heading)) < 6 * 4.0
        assert read.focal_length_35mm == pytest.approx(shot.camera.focal_length_35mm, abs=0.51)
        assert read.taken == shot.taken.replace(microsecond=0).isoformat()
        assert read.caption == which.prompt and not read.generated
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(5.0, rel=0.3)


def test_the_command_takes_photos_that_the_import_reads(tmp_path: Path) -> None:
    out, truth = tmp_path / "photos", tmp_path / "truth"
    arguments = ["--landmark", ARCH, "--count", "3", "--size", "64", "--seed", "1"]
    assert main([*arguments, "--out", str(out), "--truth", str(truth)]) == 0
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [f"{ARCH}-{index:05}.jpg" for index in range(3)]
    lines = [json.loads(line) for line in (truth / f"{ARCH}.cameras.jsonl").read_text("utf-8").splitlines()]
    for path, line in zip(files, lines, strict=True):
        assert line["file"] == path.name
        with Image.open(path) as image, Image.open(truth / f"{path.stem}.mask.png") as mask:
            pixels = np.asarray(image, dtype=np.float64)
            assert image.size == mask.size == tuple(line["size"])
            assert 0.02 < np.asarray(mask).mean() / 255 < 0.95
            assert pixels.std() > 12 and 20 < pixels.mean() < 235
    first = files[0].read_bytes()
    assert main([*arguments, "--out", str(out)]) == 0
    assert files[0].read_bytes() == first


def test_the_truth_is_kept_apart_from_the_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--landmark", ARCH, "--count", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--truth", str(tmp_path / "truth")]) == 2
    assert "outside" in capsys.readouterr().err
    assert main(["--landmark", "eiffel", "--out", str(tmp_path)]) == 2
