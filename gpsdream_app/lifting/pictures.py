"""Pictures of meshes by the processor alone, and turntables of them as films: where OpenGL fails, and for files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import imageio.v2 as imageio
import numpy as np

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.paths import storage_error
from gpsdream_app.library.picture_metadata import SOURCE_TYPE
from gpsdream_app.lifting.mesh import LiftedMesh, vertex_normals
from gpsdream_app.lifting.rasteriser import visible
from gpsdream_app.lifting.viewpoint import Viewpoint, facing

QUALITY = 18  # constant rate factor of H.264
BACKGROUND = (0.894, 0.914, 0.937)
AMBIENT, LAMP = 0.62, 0.42  # light from everywhere, and from a lamp over the camera's left shoulder
TURN_ELEVATION = 12.0
MARK = f"Made with GPSDream by a trained model ({SOURCE_TYPE})"


def picture_of(
    mesh: LiftedMesh,
    viewpoint: Viewpoint,
    height: int,
    width: int,
    *,
    background: tuple[float, float, float] = BACKGROUND,
    finer: int = 2,
) -> np.ndarray:
    """Draw a mesh.

    Args:
        mesh: with its texture, if it has one.
        viewpoint: in the mesh's units.
        height, width: of the picture in pixels.
        background: colour behind the mesh, 0 to 1.
        finer: so many times larger the picture is drawn, for smooth edges.

    Returns:
        (height, width, 3) bytes.
    """
    rows, columns = height * finer, width * finer
    face, weights = visible(mesh.vertices, mesh.faces, viewpoint, rows, columns)
    seen = np.flatnonzero(face >= 0)
    corners = mesh.faces[face[seen]]
    weights = weights[seen]
    if mesh.texture is not None and mesh.uv is not None:
        uv = np.einsum("nk,nkc->nc", weights, mesh.uv[corners])
        side = np.array(mesh.texture.shape[1::-1])
        texel = np.clip((np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1) * side).astype(np.int64), 0, side - 1)
        colour = mesh.texture[texel[:, 1], texel[:, 0]].astype(np.float32) / 255.0
    else:
        colour = np.einsum("nk,nkc->nc", weights, mesh.colours[corners]).astype(np.float32)
    normal = np.einsum("nk,nkc->nc", weights, vertex_normals(mesh.vertices, mesh.faces)[corners])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    right, up, forward = viewpoint.axes
    lamp = -forward - 0.6 * right + 0.8 * up
    light = AMBIENT + LAMP * np.clip(normal @ (lamp / np.linalg.norm(lamp)), 0, None)
    drawn = np.empty((rows * columns, 3), dtype=np.float32)
    drawn[:] = background
    drawn[seen] = colour * light[:, None].astype(np.float32)
    small = drawn.reshape(height, finer, width, finer, 3).clip(0, 1).mean(axis=(1, 3))
    return (small * 255).round().astype(np.uint8)


def turn(
    mesh: LiftedMesh,
    count: int = 72,
    side: int = 256,
    *,
    elevation: float = TURN_ELEVATION,
    start: float = 180.0,
    background: tuple[float, float, float] = BACKGROUND,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[np.ndarray]:
    """Pictures (side, side, 3) of bytes, the camera walking clockwise once round the mesh; `cancelled` ends it early.

    Args:
        mesh: what is seen.
        count: pictures.
        side: of each in pixels.
        elevation: of the camera, degrees.
        start: azimuth of the first picture, degrees clockwise from north.
        background: colour behind the mesh, 0 to 1.
        cancelled: asked before each picture.
    """
    for number in range(count):
        if cancelled is not None and cancelled():
            return
        viewpoint = facing(mesh.vertices, start + 360.0 * number / count, elevation)
        yield picture_of(mesh, viewpoint, side, side, background=background)


def write_turntable(pictures: Iterable[np.ndarray], out: Path, fps: float = 24.0) -> Path:
    """Write frames as .mp4 (H.264) or .gif (endless). The file appears whole or not at all.

    Raises:
        GPSDreamError: of kind `bad_request` for another suffix or no frames; `disk_full` if the disk refuses.
    """
    suffix = out.suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A turntable is written as MP4 or GIF, not as “{out.suffix}”.")
    count = 0
    try:
        with whole_file(out, suffix) as temporary:
            with _writer(temporary, suffix, fps) as writer:
                for picture in pictures:
                    writer.append_data(picture)
                    count += 1
            if count == 0:
                raise GPSDreamError(ErrorKind.BAD_REQUEST, "A turntable needs at least one picture.")
    except OSError as error:
        raise storage_error(error, out, "the turntable was not saved") from error
    return out


def _writer(path: Path, suffix: str, fps: float):
    if suffix == ".gif":
        return imageio.get_writer(path, mode="I", duration=1000.0 / fps, loop=0, comment=MARK.encode())
    return imageio.get_writer(
        path,
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-crf", str(QUALITY), "-movflags", "+faststart", "-metadata", f"comment={MARK}"],
    )
