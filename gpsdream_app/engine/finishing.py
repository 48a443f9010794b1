"""The last step of every picture: it gets its name and goes to the disk before anybody hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from gpsdream_app import __version__
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.base import new_job_id
from gpsdream_app.library.paths import new_picture_path
from gpsdream_app.library.picture_metadata import save_png


def finish_picture(
    image: Image.Image,
    request: GenerateRequest,
    folder: Path,
    *,
    job_id: str,
    seconds: float,
    model_title: str,
    model_hash: str,
    photo_distance: float | None,
    rank: tuple[float | None, int] = (None, 0),
) -> Result:
    """Save a picture with its metadata and return what is known about it.

    Args:
        image: the picture.
        request: draws exactly this picture.
        folder: the pictures folder; the file goes into a folder of the month in it.
        job_id: the job that it belongs to.
        seconds: how long drawing took.
        model_title: as the model's card says.
        model_hash: of the model's weights.
        photo_distance: metres to where the model has seen a photo; None if not known.
        rank: how typical the picture is of its place among others: share, and number of the others.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    # Microseconds keep the pictures of a quick model in order.
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    result_id = new_job_id()
    path = new_picture_path(folder, created, result_id)
    result = Result(
        id=result_id,
        job_id=job_id,
        request=request,
        path=str(path),
        created=created,
        seconds=round(seconds, 3),
        model_title=model_title,
        model_hash=model_hash,
        app_version=__version__,
        width=image.width,
        height=image.height,
        photo_distance=photo_distance,
        typicality_rank=rank[0],
        places_compared=rank[1],
    )
    save_png(image, path, result)
    return result
