"""The landmarks' shapes: closed, as large as published, and facing the right way."""

import numpy as np
import pytest
import shapely
import trimesh
from shapely.geometry import MultiPoint

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark, landmark
from gpsdream_app.landmarks.materials import MATERIALS
from gpsdream_app.landmarks.meshes import MODELS, TruthMesh, truth_mesh, turned
from gpsdream_app.landmarks.solids import Layer, along_edge, cut, disc, rectangle, stack

IDS = [known.id for known in LANDMARKS]


def in_own_frame(mesh: TruthMesh) -> np.ndarray:
    """Vertices with the front along +y."""
    return turned(mesh.vertices, -mesh.landmark.heading)


def section(vertices: np.ndarray, mesh: TruthMesh, height: float) -> np.ndarray:
    """Where the edges pass through a height: points (n, 2)."""
    ends = vertices[mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)]
    ends = ends[(ends[:, 0, 2] < height) & (ends[:, 1, 2] > height)]
    share = (height - ends[:, 0, 2]) / (ends[:, 1, 2] - ends[:, 0, 2])
    return (ends[:, 0] + share[:, None] * (ends[:, 1] - ends[:, 0]))[:, :2]


@pytest.mark.parametrize("name", IDS)
def test_it_is_one_closed_solid(name: str) -> None:
    mesh = truth_mesh(name)
    solid = mesh.to_trimesh()
    assert solid.is_watertight and solid.is_winding_consistent
    assert solid.volume > 0
    assert len(solid.split(only_watertight=False)) == 1
    # It stays closed in files that know vertices by their place alone.
    again = trimesh.Trimesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))
    assert again.is_watertight
    assert set(mesh.materials) <= set(MATERIALS)
    assert len(set(mesh.materials)) >= 3
    assert np.asarray(solid.visual.face_colors).shape == (len(mesh.faces), 4)


@pytest.mark.parametrize("name", IDS)
def test_its_height_is_the_published_one_and_its_foot_is_the_origin(name: str) -> None:
    mesh = truth_mesh(name)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert low[2] == pytest.approx(0.0, abs=1e-6)
    assert high[2] == pytest.approx(mesh.landmark.height, abs=0.02)
    foot = mesh.vertices[mesh.vertices[:, 2] < 1.0][:, :2]
    assert MultiPoint(foot).convex_hull.centroid.distance(shapely.Point(0, 0)) < 0.5


# Along the front, from front to back, and the height at which they are published, all in metres.
FOOTPRINTS = {
    "washington-square-arch": (17.32, 5.44, 12.0),
    "empire-state-building": (57.0, 129.2, 0.5),
    "arc-de-triomphe": (44.82, 22.21, 0.7),
}


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_its_footprint_is_the_published_one(name: str) -> None:
    wide, deep, height = FOOTPRINTS[name]
    mesh = truth_mesh(name)
    sides = np.ptp(section(in_own_frame(mesh), mesh, height), axis=0)
    assert sides == pytest.approx([wide, deep], abs=0.01)


def test_the_flatiron_stands_between_its_streets() -> None:
    mesh = truth_mesh("flatiron")
    points = section(mesh.vertices, mesh, 0.3)
    hull = np.asarray(MultiPoint(points).convex_hull.simplify(0.005).exterior.coords)
    edges = np.diff(hull, axis=0)
    lengths = np.hypot(*edges.T)
    sides = sorted(zip(lengths, np.degrees(np.arctan2(edges[:, 0], edges[:, 1])) % 180, strict=True), reverse=True)[:3]
    (broadway, at_broadway), (_, at_fifth), (_, at_south) = sides
    # 190, 173 and 87 ft; Manhattan's avenues run 29 degrees east of north. Broadway's round corners are left out.
    assert broadway == pytest.approx(57.9, rel=0.06)
    along = np.radians([29.0, 119.0])
    fifth, south = np.ptp(points @ np.stack([np.sin(along), np.cos(along)]), axis=0)
    assert fifth == pytest.approx(52.7, rel=0.02) and south == pytest.approx(26.5, rel=0.02)
    assert at_fifth == pytest.approx(29.0, abs=0.5)
    assert at_south == pytest.approx(119.0, abs=0.5)
    assert at_broadway == pytest.approx(29.0 - 25.5, abs=0.5)
    assert np.ptp(points, axis=0).max() < 64
    # The prow is the northernmost point, and 2 m wide.
    low = section(in_own_frame(mesh), mesh, 0.3)
    near_tip = low[low[:, 1] > low[:, 1].max() - 0.7]
    assert np.ptp(near_tip[:, 0]) == pytest.approx(2.0, abs=0.5)
    assert abs(low[low[:, 1].argmax(), 0] - low[:, 0].mean()) < 3
    assert hull[hull[:, 1].argmax()] @ (np.sin(np.radians(16.25)), np.cos(np.radians(16.25))) > 30


def test_the_arches_are_open_along_their_axes() -> None:
    for name, width, height in (("washington-square-arch", 9.14, 14.55), ("arc-de-triomphe", 14.62, 29.19)):
        own = in_own_frame(truth_mesh(name))
        mesh = truth_mesh(name)
        assert np.abs(section(own, mesh, 3.0)[:, 0]).min() == pytest.approx(width / 2, abs=0.01)
        crown = own[(np.abs(own[:, 0]) < 1e-3) & (np.abs(own[:, 1]) > 2)]
        assert crown[:, 2].min() == pytest.approx(height, abs=0.01)


def test_the_statues_stand_on_the_north_front_only() -> None:
    own = in_own_frame(truth_mesh("washington-square-arch"))
    middle = own[(own[:, 2] > 5) & (own[:, 2] < 8)]
    assert middle[:, 1].max() > -middle[:, 1].min() + 0.8


def test_the_tower_leans_as_published() -> None:
    mesh = truth_mesh("leaning-tower-of-pisa")
    top = mesh.vertices[mesh.vertices[:, 2] > 55.8]
    bottom = mesh.vertices[mesh.vertices[:, 2] < 0.01]
    way = top.mean(axis=0) - bottom.mean(axis=0)
    assert np.degrees(np.arctan2(np.hypot(way[0], way[1]), way[2])) == pytest.approx(3.97, abs=0.1)
    assert np.degrees(np.arctan2(way[0], way[1])) % 360 == pytest.approx(180.0, abs=0.5)
    # The rim is 55.86 m high on the low side, in the south, and 56.67 m on the high side.
    rim = mesh.vertices[mesh.vertices[:, 2] > 55.5]
    assert rim[:, 2].min() == pytest.approx(55.86, abs=0.02)
    assert rim[rim[:, 2].argmin(), 1] < rim[rim[:, 2].argmax(), 1]
    assert np.ptp(mesh.vertices[mesh.vertices[:, 2] < 1.0][:, 0]) == pytest.approx(15.484, abs=0.05)


def test_the_empire_state_building_looks_down_its_streets() -> None:
    mesh = truth_mesh("empire-state-building")
    base = mesh.vertices[mesh.vertices[:, 2] < 0.5][:, :2]
    box = np.asarray(MultiPoint(base).minimum_rotated_rectangle.exterior.coords)
    edges = np.diff(box, axis=0)
    longest = edges[np.hypot(*edges.T).argmax()]
    assert np.degrees(np.arctan2(longest[0], longest[1])) % 180 == pytest.approx(119.0, abs=0.1)
    roof = mesh.vertices[np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1]) > 3]
    assert roof[:, 2].max() < 381.1


def test_landmarks_are_found_by_name() -> None:
    assert landmark("flatiron") is landmark("the Flatiron Building")
    assert landmark("pisa").prompt == "A photo of the Leaning Tower of Pisa"
    assert set(MODELS) == set(IDS)
    for name in ("", "eiffel", "a"):
        with pytest.raises(GPSDreamError):
            landmark(name)
    with pytest.raises(GPSDreamError):
        Landmark("Bad Id", "x", 0, 0, 0, 10)
    with pytest.raises(GPSDreamError):
        Landmark("ok", "x", 0, 0, 0, -1)


# --- the solids themselves --------------------------------------------------------------------------------


def test_a_stack_has_the_volume_of_its_layers() -> None:
    wall = rectangle(10, 6)
    niches, backs = along_edge((-5, -3), (5, -3), [2, 4, 6, 8], 1.0, 0.3)
    cone = Layer(8, 10, disc(2, 24), "steel", at_top=lambda points: points * 0.5)
    surface = stack(
        [
            Layer(0, 2, rectangle(11, 7), "limestone"),
            Layer(2, 4, cut(wall, niches), "limestone", painted=((backs, "window"),)),
            Layer(4, 8, rectangle(12, 8, 0.5, 0.25), "terracotta"),
            cone,
        ]
    )
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    area = disc(2, 24).area
    frustum = 2 / 3 * area * (1 + 0.5 + 0.25)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(11 * 7 * 2 + (60 - 4 * 0.3) * 2 + 96 * 4 + frustum, rel=1e-6)
    glass = mesh.area_faces[surface.materials == "window"].sum()
    assert glass == pytest.approx(4 * 1.0 * 2)


def test_layers_must_meet() -> None:
    with pytest.raises(ValueError, match="do not meet"):
        stack([Layer(0, 1, disc(1, 8), "steel"), Layer(1.5, 2, disc(1, 8), "steel")])
