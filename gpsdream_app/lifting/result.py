"""The last step of every lift: from a density to the files of a finished one. No torch here."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from gpsdream_app import __version__
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.library.lifts import DENSITY_FILE, LOOK_FILE, MESH_FILE, save_result
from gpsdream_app.library.paths import storage_error
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.files import Standing, size_in_metres, write_mesh
from gpsdream_app.lifting.mesh import extract


def standing_of(request: LiftRequest, density: Density, model_title: str = "") -> Standing:
    """What files say of a lifted landmark: its place, its scale and where it comes from."""
    known = request.landmark
    return Standing(
        name=known.title,
        scale=density.scale,
        place=known.place,
        heading=known.heading,
        model=model_title,
        more={"prompt": known.prompt, "method": request.method.value, "seed": request.seed},
    )


def finish_lift(
    density: Density,
    look: np.ndarray,
    request: LiftRequest,
    folder: Path,
    *,
    job_id: str,
    seconds: float,
    model_title: str,
    model_hash: str,
    kept_early: bool = False,
) -> LiftResult:
    """Extract the mesh and write everything that a finished lift has; `result.json` comes last.

    Args:
        density: the field, with its scale.
        look: (height, width, 3) bytes, the small picture.
        request: what was asked for.
        folder: of the lift.
        job_id: the job that made it.
        seconds: that it took, pauses left out.
        model_title: as the model's card says.
        model_hash: of the model's weights.
        kept_early: whether a person ended it before its last step.

    Raises:
        GPSDreamError: of kind `bad_request` if there is no mesh in it; `disk_full` if the disk refuses.
    """
    mesh = extract(density)
    folder.mkdir(parents=True, exist_ok=True)
    density.save(folder / DENSITY_FILE)
    write_mesh(mesh, folder / MESH_FILE, standing_of(request, density, model_title))
    buffer = io.BytesIO()
    Image.fromarray(look).save(buffer, "PNG")
    try:
        with whole_file(folder / LOOK_FILE) as temporary:
            temporary.write_bytes(buffer.getvalue())
    except OSError as error:
        raise storage_error(error, folder / LOOK_FILE, "the lift was not saved") from error
    result = LiftResult(
        id=folder.name,
        job_id=job_id,
        request=request,
        folder=str(folder.absolute()),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        seconds=round(seconds, 3),
        model_title=model_title,
        model_hash=model_hash[:16],
        app_version=__version__,
        size=size_in_metres(mesh, density.scale),
        faces=len(mesh.faces),
        watertight=mesh.watertight,
        threshold=density.share_of(mesh.threshold),
        kept_early=kept_early,
    )
    save_result(result)
    return result
