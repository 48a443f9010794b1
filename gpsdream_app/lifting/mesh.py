"""From a density to a mesh: marching cubes, parts, decimation, colours, a texture. Knows neither files nor torch."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial

import fast_simplification
import numpy as np
import xatlas
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix, identity
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.lifting.density import Density as Density
from gpsdream_app.lifting.painting import PaintedViews, paint
from gpsdream_app.lifting.rasteriser import depths

SMALLEST_PART = 0.02  # of the largest part's volume
MOST_FACES = 50_000
MOST_FACES_WITH_TEXTURE = 20_000  # xatlas takes ever longer per face beyond
TEXTURE_SIDE = 1024
_ONE_ATLAS = threading.Lock()
CALM = 24


def empty_mesh(threshold: float, highest: float) -> GPSDreamError:
    """What is said instead of writing an empty file."""
    return GPSDreamError(
        ErrorKind.BAD_REQUEST,
        f"Nothing of the field is denser than {threshold:.3g}: its densest point has {highest:.3g}. There is no mesh.",
        "Lower the threshold, or lift the landmark with more steps.",
    )


@dataclass(frozen=True)
class LiftedMesh:
    """Triangles in field units, counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) east, north, up.
        faces: (F, 3) numbers of vertices.
        colours: (V, 3), 0 to 1, sRGB as in pictures.
        uv: (V, 2) of the texture, 0 at its left and bottom; None without one.
        texture: (side, side, 3) bytes, sRGB, rows from the top; None without one.
        threshold: density at which the surface was drawn.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    threshold: float = 0.0

    @property
    def volume(self) -> float:
        """Enclosed volume, field units cubed; positive if the faces look outwards."""
        return float(signed_volumes(self.vertices, self.faces).sum())

    @property
    def watertight(self) -> bool:
        """Whether every edge has exactly two faces, once in each direction (vertices at one place count as one)."""
        _, same = np.unique(np.round(self.vertices, 9), axis=0, return_inverse=True)
        faces = same.reshape(-1)[self.faces]
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        there, counts = np.unique(edges, axis=0, return_counts=True)
        back = np.unique(edges[:, ::-1], axis=0)
        return bool((counts == 1).all() and there.shape == back.shape and (there == back).all())

    def picture(self) -> Image.Image | None:
        """The texture."""
        return None if self.texture is None else Image.fromarray(self.texture)


def signed_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Volume of the tetrahedron between 0 and each face, (F,); their sum is the volume of a closed mesh."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0


def largest_parts(vertices: np.ndarray, faces: np.ndarray, smallest: float) -> np.ndarray:
    """Keep the parts that enclose at least `smallest` of the largest one's volume.

    Hollows inside are parts with a negative volume: they go as well, so what stays is solid.

    Returns:
        (F, 3) the faces that stay, of the same vertices.
    """
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(len(vertices),) * 2)
    count, part = connected_components(graph, directed=False)
    part_of_face = part[faces[:, 0]]
    volumes = np.bincount(part_of_face, weights=signed_volumes(vertices, faces), minlength=count)
    return faces[(volumes >= smallest * volumes.max())[part_of_face]]


def compact(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop vertices that no face uses."""
    used, numbers = np.unique(faces, return_inverse=True)
    return vertices[used], numbers.reshape(-1, 3)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3): the mean of the faces' weighted by area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(total, faces[:, i], across)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def calmed(mesh: LiftedMesh, rounds: int = CALM) -> np.ndarray:
    """Unit normals of the vertices, (V, 3), each the mean of its neighbours' so many times."""
    count = len(mesh.vertices)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    ones = np.ones(len(edges))
    # Every edge of a closed mesh is there once in either direction; a vertex counts itself, too.
    near = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr() + identity(count)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    for _ in range(rounds):
        normals = near @ normals
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.asarray(normals)


def extract(
    density: Density,
    threshold: float | None = None,
    *,
    smallest_part: float = SMALLEST_PART,
    most_faces: int = MOST_FACES,
) -> LiftedMesh:
    """The surface at a threshold.

    Args:
        density: the field.
        threshold: density per field unit; None chooses, see `Density.threshold`.
        smallest_part: parts with less of the largest one's volume are left out.
        most_faces: more are merged where it shows least.

    Raises:
        GPSDreamError: of kind `bad_request` if nothing is that dense, or everything is.
    """
    level = density.threshold() if threshold is None else float(threshold)
    highest = float(density.values.max())
    if not highest > level:
        raise empty_mesh(level, highest)
    # One empty cell around keeps closed what touches the wall. East first, as coordinates are.
    padded = np.pad(density.values.transpose(2, 1, 0), 1)
    if float(padded.min()) >= level:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "A threshold is over 0: at 0 everything is matter.", "Raise the threshold."
        )
    vertices, faces, _, _ = marching_cubes(padded, level=level, gradient_direction="ascent", allow_degenerate=False)
    vertices = (vertices - 1.0) * density.spacing - np.array(density.extent)
    if signed_volumes(vertices, faces).sum() < 0:
        faces = faces[:, ::-1]
    vertices, faces = compact(vertices, largest_parts(vertices, faces, smallest_part))
    if len(faces) > most_faces:
        vertices, faces = fast_simplification.simplify(
            vertices.astype(np.float64), faces.astype(np.int32), target_count=most_faces
        )
        vertices, faces = compact(vertices, faces)
    if len(faces) < 4:
        raise empty_mesh(level, highest)
    mesh = LiftedMesh(vertices, faces.astype(np.int64), np.zeros_like(vertices), threshold=level)
    return replace(mesh, colours=density.colour_at(inside(mesh, density)))


def inside(mesh: LiftedMesh, density: Density) -> np.ndarray:
    """The vertices moved one cell into the matter, where the colour is that of the matter, (V, 3)."""
    return mesh.vertices - vertex_normals(mesh.vertices, mesh.faces) * float(density.spacing.max())


def textured(
    mesh: LiftedMesh, density: Density, side: int = TEXTURE_SIDE, views: PaintedViews | None = None
) -> LiftedMesh:
    """Give a mesh a texture, read from the field one cell inside the surface.

    Args:
        mesh: decimated first if it has more than 20,000 faces.
        density: the field.
        side: height and width of the texture in pixels.
        views: what the field was fitted to; where they show the surface, they paint it.
    """
    if len(mesh.faces) > MOST_FACES_WITH_TEXTURE:
        vertices, faces = fast_simplification.simplify(
            mesh.vertices.astype(np.float64), mesh.faces.astype(np.int32), target_count=MOST_FACES_WITH_TEXTURE
        )
        vertices, faces = compact(vertices, faces)
        mesh = replace(mesh, vertices=vertices, faces=faces.astype(np.int64), colours=np.zeros_like(vertices))
        mesh = replace(mesh, colours=density.colour_at(inside(mesh, density)))
    normals = vertex_normals(mesh.vertices, mesh.faces)
    packing = xatlas.PackOptions()
    packing.padding, packing.resolution = 2, side
    # xatlas does not say that threads may make atlases at once, as when one mesh gives way to another in the window.
    with _ONE_ATLAS:
        atlas = xatlas.Atlas()
        atlas.add_mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32), normals.astype(np.float32))
        atlas.generate(xatlas.ChartOptions(), packing)
        numbers, faces, uv = atlas[0]
        del atlas
    vertices, normals = mesh.vertices[numbers], normals[numbers]
    uv, faces = uv.astype(np.float64), faces.astype(np.int64)
    rows, columns, face, weights = texels(uv, faces, side)
    corners = faces[face]
    where = np.einsum("nk,nkc->nc", weights, vertices[corners])
    away = np.einsum("nk,nkc->nc", weights, normals[corners])
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    cell = float(density.spacing.max())
    colours = density.colour_at(where - away * cell)
    if views is not None:
        # By the wall that a point belongs to, not by its bumps: else every bump would be of another view.
        calm = np.einsum("nk,nkc->nc", weights, calmed(mesh)[numbers][corners])
        calm /= np.maximum(np.linalg.norm(calm, axis=1, keepdims=True), 1e-12)
        colours = paint(partial(depths, vertices, faces), where, calm, colours, views, tolerance=2.0 * cell)
    texture = np.zeros((side, side, 3), dtype=np.float32)
    filled = np.zeros((side, side), dtype=bool)
    texture[rows, columns], filled[rows, columns] = colours, True
    # Between the charts the nearest colour, so that no seam shows when a viewer makes the picture smaller.
    nearest = distance_transform_edt(~filled, return_distances=False, return_indices=True)
    texture = texture[nearest[0], nearest[1]]
    picture = (texture.clip(0, 1) * 255).round().astype(np.uint8)
    return replace(mesh, vertices=vertices, faces=faces, colours=mesh.colours[numbers], uv=uv, texture=picture)


def texels(uv: np.ndarray, faces: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The texels whose centres lie in a face, with half a texel to spare.

    Args:
        uv: (V, 2), 0 to 1 from the left and the bottom.
        faces: (F, 3).
        side: of the texture in pixels.

    Returns:
        Row from the top, column, face (N,) and weights of the face's corners (N, 3), which sum to 1.
    """
    corners = np.stack([uv[:, 0] * side, (1.0 - uv[:, 1]) * side], axis=1)[faces]
    low = np.clip(np.floor(corners.min(axis=1) - 1.0), 0, side - 1).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=1) + 1.0), 0, side - 1).astype(np.int64)
    sizes = high - low + 1
    counts = sizes.prod(axis=1)
    face = np.repeat(np.arange(len(faces)), counts)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    column, row = low[face, 0] + number % sizes[face, 0], low[face, 1] + number // sizes[face, 0]
    a, b, c = (corners[face, i] for i in range(3))
    point = np.stack([column + 0.5, row + 0.5], axis=1)

    def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    area = cross(b - a, c - a)
    good = np.abs(area) > 1e-12
    safe = np.where(good, area, 1.0)
    weights = np.stack([cross(b - point, c - point), cross(c - point, a - point), cross(a - point, b - point)], axis=1)
    weights /= safe[:, None]
    # Distance outside an edge in texels: the weight times the height over that edge.
    edges = np.stack([np.linalg.norm(c - b, axis=1), np.linalg.norm(a - c, axis=1), np.linalg.norm(b - a, axis=1)], 1)
    heights = np.abs(safe)[:, None] / np.maximum(edges, 1e-12)
    near = good & (weights * heights >= -0.75).all(axis=1)
    weights = np.clip(weights[near], 0, None)
    return row[near], column[near], face[near], weights / weights.sum(axis=1, keepdims=True)
