"""Which triangle each pixel shows (VTK, off screen), and from that depth, normals and truth pictures in numpy.

VTK only decides what is in front: every triangle is drawn flat in a colour that spells its number. What is seen
follows by arithmetic, so a picture is the same with every driver.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gpsdream_app.landmarks.camera import Camera, ParallelView
from gpsdream_app.landmarks.materials import MATERIALS, NAMES
from gpsdream_app.landmarks.meshes import TruthMesh
from gpsdream_app.landmarks.solids import Floats, Ints

NEAREST, FARTHEST = 0.3, 8000.0  # metres; what lies outside is not drawn
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def to_linear(colour: NDArray[np.generic] | tuple[int, int, int]) -> Floats:
    """Return linear light, 0 to 1, of sRGB values, 0 to 255 (IEC 61966-2-1)."""
    share = np.asarray(colour, dtype=np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Floats) -> NDArray[np.uint8]:
    """Return sRGB values, 0 to 255, of linear light; what is brighter than 1 becomes white."""
    light = np.clip(light, 0, 1)
    share = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(share * 255).astype(np.uint8)


@dataclass(frozen=True)
class Scene:
    """Triangles to look at.

    Attributes:
        vertices: (n, 3) in metres, east-north-up.
        faces: (m, 3) indices.
        materials: (m,) numbers into `gpsdream_app.landmarks.materials.NAMES`.
        tints: (m, 3) factors of the material's linear colour.
        landmark: (m,) whether the triangle belongs to the landmark.
    """

    vertices: Floats
    faces: Ints
    materials: Ints
    tints: Floats
    landmark: NDArray[np.bool_]

    @classmethod
    def of(cls, mesh: TruthMesh) -> Scene:
        """A landmark alone."""
        names, numbers = np.unique(mesh.materials, return_inverse=True)
        materials = np.array([NAMES.index(str(name)) for name in names], dtype=np.int64)[numbers]
        count = len(mesh.faces)
        return cls(mesh.vertices, mesh.faces, materials, np.ones((count, 3)), np.ones(count, dtype=np.bool_))

    @classmethod
    def bare(cls, vertices: Floats, faces: Ints) -> Scene:
        """Any triangles, without materials of their own, as a landmark."""
        count = len(faces)
        materials = np.full(count, NAMES.index("limestone"), dtype=np.int64)
        return cls(vertices, faces, materials, np.ones((count, 3)), np.ones(count, dtype=np.bool_))

    def plus(self, *others: Scene) -> Scene:
        """Several together."""
        scenes = (self, *others)
        offsets = np.cumsum([0, *(len(scene.vertices) for scene in scenes[:-1])])
        return Scene(
            np.concatenate([scene.vertices for scene in scenes]),
            np.concatenate([scene.faces + offset for scene, offset in zip(scenes, offsets, strict=True)]),
            np.concatenate([scene.materials for scene in scenes]),
            np.concatenate([scene.tints for scene in scenes]),
            np.concatenate([scene.landmark for scene in scenes]),
        )

    def normals(self) -> Floats:
        """Unit normals (m, 3) that point outwards; zero for triangles without area."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        result: Floats = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
        return result


class Renderer:
    """Finds what is in front. Holds one off-screen window: use it as a context, in one thread."""

    def __init__(self) -> None:
        if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAYS):
            # Without this VTK first looks for an X server, and complains at length that there is none.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        import pyvista

        theme = pyvista.themes.Theme()
        theme.multi_samples = 1
        theme.allow_empty_mesh = True
        self._pyvista = pyvista
        # Without its types: pyvista's own decorators hide the arguments of its methods.
        plotter = pyvista.Plotter(off_screen=True, window_size=[64, 64], theme=theme, lighting="none")
        self._plotter = cast(Any, plotter)
        self._plotter.disable_anti_aliasing()
        self._plotter.set_background("black")
        self._scene: Scene | None = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the window back."""
        self._plotter.close()

    def _show(self, scene: Scene) -> None:
        if scene is self._scene:
            return
        self._plotter.clear_actors()
        points: Any = scene.vertices.astype(np.float32)
        faces: Any = scene.faces
        mesh = self._pyvista.PolyData.from_regular_faces(points, faces)
        # 0 is the background.
        number = np.arange(1, len(scene.faces) + 1)
        spelled = np.column_stack([number & 255, number >> 8 & 255, number >> 16 & 255]).astype(np.uint8)
        mesh.cell_data["number"] = spelled
        self._plotter.add_mesh(
            mesh, scalars="number", rgb=True, lighting=False, show_scalar_bar=False, render=False, copy_mesh=False
        )
        self._scene = scene

    def _read(self, width: int, height: int) -> Ints:
        self._plotter.window_size = [width, height]
        picture = np.asarray(self._plotter.screenshot(None, return_img=True), dtype=np.int64)
        numbers: Ints = picture[..., 0] + (picture[..., 1] << 8) + (picture[..., 2] << 16) - 1
        return numbers

    def faces(self, scene: Scene, camera: Camera) -> Ints:
        """Return the number (height, width) of the triangle in front; -1 where there is none."""
        self._show(scene)
        view = self._plotter.camera
        _, up, forward = camera.axes
        view.parallel_projection = False
        view.position = camera.eye
        view.focal_point = tuple(np.asarray(camera.eye) + forward)
        view.up = tuple(up)
        view.view_angle = camera.fov
        view.clipping_range = (NEAREST, FARTHEST)
        return self._read(camera.width, camera.height)

    def parallel_faces(self, scene: Scene, view: ParallelView) -> Ints:
        """The same along parallel rays."""
        self._show(scene)
        camera = self._plotter.camera
        _, up, forward = view.axes
        reach = 4 * view.half + 1000
        camera.parallel_projection = True
        camera.parallel_scale = view.half
        camera.position = tuple(np.asarray(view.centre) - forward * reach)
        camera.focal_point = view.centre
        camera.up = tuple(up)
        camera.clipping_range = (1.0, 2 * reach)
        return self._read(view.size, view.size)

    def heights_over(self, scene: Scene, view: ParallelView) -> Floats:
        """How far (size, size) in metres what is in front stands before the plane through the centre; -inf for none."""
        numbers = self.parallel_faces(scene, view)
        right, up, _ = view.axes
        steps = (np.arange(view.size) + 0.5) / view.size * 2 - 1
        towards = np.asarray(view.towards)
        start = (
            np.asarray(view.centre)
            + (steps * view.half)[None, :, None] * right
            - (steps * view.half)[:, None, None] * up
        )
        hit = numbers >= 0
        normals = scene.normals()[numbers[hit]]
        corners = scene.vertices[scene.faces[numbers[hit]]]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = ((corners[:, 0] - start[hit]) * normals).sum(axis=1) / (normals @ towards)
        # Where a triangle is seen from its edge, the plane through it says nothing: its own extent bounds the answer.
        along = (corners - np.asarray(view.centre)) @ towards
        found = np.where(np.isfinite(found), found, along.mean(axis=1))
        result = np.full(numbers.shape, -np.inf)
        result[hit] = np.clip(found, along.min(axis=1), along.max(axis=1))
        return result


def depth_of(scene: Scene, numbers: Ints, camera: Camera, rays: Floats, normals: Floats) -> Floats:
    """Return the depth (height, width) along the optical axis in metres of the triangles seen; inf for none."""
    result = np.full(numbers.shape, np.inf)
    hit = numbers >= 0
    which = numbers[hit]
    normal = normals[which]
    corners = scene.vertices[scene.faces[which]]
    slope = (normal * rays[hit]).sum(axis=1)
    distance = ((corners[:, 0] - np.asarray(camera.eye)) * normal).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = distance / slope
    # A triangle seen from its edge has no intersection to speak of; its own extent is then the best that is known.
    along = (corners - np.asarray(camera.eye)) @ camera.axes[2]
    result[hit] = np.clip(np.where(np.isfinite(depth), depth, along.mean(axis=1)), along.min(axis=1), along.max(axis=1))
    return result


@dataclass(frozen=True)
class TruthImages:
    """What a camera sees of a landmark alone.

    Attributes:
        rgb: (height, width, 3) uint8 sRGB, over the background colour.
        alpha: (height, width) float32, 0 to 1: how much of a pixel the landmark covers.
        depth: (height, width) float32 in metres along the optical axis; inf where the landmark is not.
        normals: (height, width, 3) float32, east-north-up; zero where the landmark is not.
        mask: (height, width) bool: whether the landmark is at the middle of a pixel.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    mask: NDArray[np.bool_]


def truth_images(
    renderer: Renderer,
    mesh: TruthMesh,
    camera: Camera,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    shaded: bool = True,
    samples: int = 3,
) -> TruthImages:
    """Return pictures of a landmark to measure a lift against.

    Args:
        renderer: to draw with.
        mesh: of the landmark.
        camera: any.
        background: sRGB colour behind it.
        shaded: under an even daylight from above and from the camera's left; otherwise the materials' colours alone.
        samples: along each side of a pixel, for smooth edges; odd, so that one is in the middle.
    """
    if samples < 1 or samples % 2 == 0:
        raise ValueError("the samples along the side of a pixel are odd: 1, 3, 5")
    scene = _scene_of(mesh)
    fine = camera.scaled(samples)
    numbers = renderer.faces(scene, fine)
    normals = scene.normals()
    rays = fine.rays()
    hit = numbers >= 0
    colours = np.stack([to_linear(MATERIALS[name].colour) for name in NAMES])[scene.materials]
    seen = np.zeros((*numbers.shape, 3))
    seen[hit] = colours[numbers[hit]]
    facing = np.zeros((*numbers.shape, 3))
    facing[hit] = normals[numbers[hit]]
    if shaded:
        right, _, forward = camera.axes
        lamp = np.array([0.0, 0.0, 1.1]) - forward * 0.8 - right * 0.6
        lamp /= np.linalg.norm(lamp)
        light = 0.45 + 0.15 * facing[..., 2] + 0.5 * np.maximum(facing @ lamp, 0)
        seen *= light[..., None]
    behind = to_linear(background)
    seen[~hit] = behind
    shape = (camera.height, samples, camera.width, samples)
    middle = samples // 2
    one = (slice(middle, None, samples), slice(middle, None, samples))
    depth = depth_of(scene, numbers[one], camera, rays[one], normals)
    return TruthImages(
        to_srgb(seen.reshape(*shape, 3).mean(axis=(1, 3))),
        hit.reshape(shape).mean(axis=(1, 3)).astype(np.float32),
        depth.astype(np.float32),
        facing[one].astype(np.float32),
        hit[one],
    )


_SCENES: dict[str, Scene] = {}


def _scene_of(mesh: TruthMesh) -> Scene:
    """One scene per landmark, so that a renderer sees that it has it already."""
    known = _SCENES.get(mesh.landmark.id)
    if known is None or known.vertices is not mesh.vertices:
        known = _SCENES[mesh.landmark.id] = Scene.of(mesh)
    return known
