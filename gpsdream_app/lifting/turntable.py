"""A turntable: the field seen from all round, as pictures, MP4 or GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.paths import storage_error
from gpsdream_app.lifting.cameras import ring
from gpsdream_app.lifting.field import Field, Occupancy
from gpsdream_app.lifting.renderer import Background, Shading, render_pictures

QUALITY = 18  # constant rate factor of H.264


def frames(
    field: Field,
    count: int = 72,
    side: int = 256,
    *,
    elevation: float = 5.0,
    distance: float = 3.0,
    fov: float = 40.0,
    samples: int = 96,
    background: torch.Tensor | Background | None = None,
    shading: Shading = Shading.ALBEDO,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[np.ndarray]:
    """Pictures (side, side, 3) of bytes, the camera walking clockwise from the south; `cancelled` ends it early."""
    occupancy = Occupancy(field.extent)
    occupancy.update(field)
    for camera in ring(count, (elevation,), distance, fov, start=180.0):
        if cancelled is not None and cancelled():
            return
        seen = render_pictures(
            field,
            [camera],
            side,
            side,
            samples=samples,
            background=background,
            occupancy=occupancy,
            shading=shading,
        )
        yield (seen.colour.reshape(side, side, 3).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


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
        return imageio.get_writer(path, mode="I", duration=1000.0 / fps, loop=0)
    return imageio.get_writer(
        path,
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-crf", str(QUALITY), "-movflags", "+faststart"],
    )
