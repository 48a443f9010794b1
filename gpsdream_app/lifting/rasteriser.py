"""Which triangle each pixel shows, by the processor alone."""

from __future__ import annotations

import numpy as np

from gpsdream_app.lifting.viewpoint import Viewpoint

CANDIDATES = 1 << 19  # pixels of triangles that are looked at in one go: some 60 MB


def visible(
    vertices: np.ndarray, faces: np.ndarray, viewpoint: Viewpoint, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest face of each pixel, (rows * columns,), -1 where there is none, and its corners' weights, (..., 3)."""
    seen = viewpoint.project(vertices, rows, columns)
    a, b, c = (seen[faces[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    # Rows count downwards, so what is counter-clockwise from outside has a negative area here.
    ahead = (np.stack([a, b, c])[..., 2] > 1e-6).all(axis=0) & (area < -1e-9)
    drawn = np.flatnonzero(ahead)
    across = np.stack([a[drawn, 0], b[drawn, 0], c[drawn, 0]])
    down = np.stack([a[drawn, 1], b[drawn, 1], c[drawn, 1]])
    # Pixels whose centres, at halves, lie within.
    left = np.clip(np.ceil(across.min(axis=0) - 0.5), 0, columns).astype(np.int64)
    right = np.clip(np.floor(across.max(axis=0) - 0.5), -1, columns - 1).astype(np.int64)
    top = np.clip(np.ceil(down.min(axis=0) - 0.5), 0, rows).astype(np.int64)
    bottom = np.clip(np.floor(down.max(axis=0) - 0.5), -1, rows - 1).astype(np.int64)
    wide, tall = np.maximum(right - left + 1, 0), np.maximum(bottom - top + 1, 0)
    counts = wide * tall
    nearest = np.full(rows * columns, np.inf)
    face = np.full(rows * columns, -1, dtype=np.int64)
    weights = np.zeros((rows * columns, 3), dtype=np.float32)
    ends = np.cumsum(counts)
    first = 0
    while first < len(drawn):
        begun = ends[first] - counts[first]
        last = max(first + 1, int(np.searchsorted(ends, begun + CANDIDATES, side="right")))
        some = slice(first, last)
        number = np.repeat(np.arange(first, last), counts[some])
        within = np.arange(len(number)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
        column, row = left[number] + within % wide[number], top[number] + within // wide[number]
        which = drawn[number]
        x, y = column + 0.5, row + 0.5
        pa, pb, pc = a[which], b[which], c[which]
        share_a = ((pb[:, 0] - x) * (pc[:, 1] - y) - (pb[:, 1] - y) * (pc[:, 0] - x)) / area[which]
        share_b = ((pc[:, 0] - x) * (pa[:, 1] - y) - (pc[:, 1] - y) * (pa[:, 0] - x)) / area[which]
        share_c = 1.0 - share_a - share_b
        inside = (share_a >= 0) & (share_b >= 0) & (share_c >= 0)
        # Perspective: what is linear on the screen is the reciprocal of the depth.
        near = np.stack([share_a / pa[:, 2], share_b / pb[:, 2], share_c / pc[:, 2]], axis=1)[inside]
        reciprocal = near.sum(axis=1)
        depth, pixel, which = 1.0 / reciprocal, (row * columns + column)[inside], which[inside]
        order = np.argsort(-depth, kind="stable")
        order = order[depth[order] < nearest[pixel[order]]]
        # Of several for one pixel the last one stays: the nearest.
        nearest[pixel[order]] = depth[order]
        face[pixel[order]] = which[order]
        weights[pixel[order]] = (near / reciprocal[:, None])[order]
        first = last
    return face, weights


def depths(vertices: np.ndarray, faces: np.ndarray, viewpoint: Viewpoint, rows: int) -> np.ndarray:
    """Depth along the view axis of what each pixel shows, (rows, rows); infinite where that is nothing.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.
        viewpoint: in the vertices' units.
        rows: height and width of the picture in pixels.
    """
    face, weights = visible(vertices, faces, viewpoint, rows, rows)
    result = np.full(rows * rows, np.inf)
    seen = np.flatnonzero(face >= 0)
    points = np.einsum("nk,nkc->nc", weights[seen], vertices[faces[face[seen]]])
    result[seen] = viewpoint.project(points, rows, rows)[:, 2]
    return result.reshape(rows, rows)
