"""The last step of every picture: it gets its name and goes to the disk before anybody hears of it.

Frames of a series have names that tell their place in it, so that a series that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from gpsdream_app import __version__
from gpsdream_app.domain.averages import PatchesRequest
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.results import PictureRequest, Result, picture_key
from gpsdream_app.engine.base import new_job_id
from gpsdream_app.library.paths import frame_path, new_picture_path, patches_dir
from gpsdream_app.library.picture_metadata import read_result, save_png


def finish_picture(
    image: Image.Image,
    request: PictureRequest,
    folder: Path,
    *,
    job_id: str,
    seconds: float,
    model_title: str,
    model_hash: str,
    photo_distance: float | None = None,
    rank: tuple[float | None, int] = (None, 0),
    frame: tuple[str, int] | None = None,
) -> Result:
    """Save a picture with its metadata and return what is known about it.

    Args:
        image: the picture.
        request: draws exactly this picture.
        folder: the pictures folder; the file goes into a folder of the month in it, or of its series.
        job_id: the job that it belongs to.
        seconds: how long drawing took.
        model_title: as the model's card says.
        model_hash: of the model's weights.
        photo_distance: metres to where the model has seen a photo; None if not known.
        rank: how typical the picture is of its place among others: share, and number of the others.
        frame: key of the series and number of the frame in it; None for a picture of its own. A frame that was there
            before is replaced.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    # Microseconds keep the pictures of a quick model in order.
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    result_id = new_job_id()
    path = frame_path(folder, *frame) if frame else new_picture_path(folder, created, result_id)
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
        series=frame[0] if frame else "",
    )
    save_png(image, path, result)
    return result


def find_frame(folder: Path, key: str, index: int, request: PictureRequest, model_hash: str) -> Result | None:
    """Return a frame that was drawn before, if its file is whole and it would come out the same now.

    Args:
        folder: the pictures folder.
        key: of the series.
        index: number of the frame, from 0.
        request: what draws the frame.
        model_hash: of the weights that would draw it now.
    """
    path = frame_path(folder, key, index)
    try:
        result = read_result(path)
        with Image.open(path) as image:
            image.verify()  # the checksum of every chunk
    except (GPSDreamError, OSError, SyntaxError, ValueError):
        return None
    same = picture_key(result.request) == picture_key(request)
    return result if same and result.model_hash == model_hash and result.series == key else None


def cut_outs_folder(request: PatchesRequest, model_hash: str) -> Path:
    """Return where the cut-outs of a search for patches go: the same folder for the same search and weights."""
    text = json.dumps([request.to_dict(), model_hash], sort_keys=True)
    return patches_dir(hashlib.sha256(text.encode()).hexdigest()[:32])
