"""What makes a place look like itself: the patches of its photos that a model foresees better knowing the place.

The typicality of "Diffusion Models as Data Mining Tools" (arXiv 2408.02752), cell by cell of the latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageOps

from gpsdream_app.domain.averages import Patch, PatchesRequest, PhotoAt, TypicalPatches
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.questions import picture_area
from gpsdream_app.evaluation.statistics import Floats
from gpsdream_app.evaluation.typicality import NoiseSettings, typicality
from gpsdream_app.library import paths
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.prepared import TrainingPhoto
from gpsdream_app.photos.reader import open_picture
from gpsdream_app.photos.training_view import training_photos

PATCH_SHARE = 0.375  # of a crop's side
OVERLAP = 0.1  # of two patches of one photo, intersection over union
FEW, MOST_OF_ONE = 2, 6  # patches of one photo, and of one photo where there are not enough photos
MOST_CROPS = 8  # of one photo
CUT_OUT_SIDE = 512  # pixels at most
QUALITY = 90

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge as shares of a photo."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A square part of a photo that the model looks at, with its edges as shares of the photo."""

    box: Box
    place: Place
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class _Candidate:
    photo: PhotoAt
    source: str
    box: Box
    value: float
    place: Place


def find_patches(
    pipeline: GPSDiffusionPipeline,
    card: ModelCard,
    request: PatchesRequest,
    folder: Path,
    noise: NoiseSettings,
    *,
    most_photos: int,
    on_photo: Callable[[int, int], None] | None = None,
    check: Callable[[], None] | None = None,
) -> TypicalPatches:
    """Find the most typical patches of photos.

    Photos are cut as for training: the picture proper, in squares side by side. Of each square the model tells how
    much of the noise it foresees better with the place than without; patches are where that is largest. No photo
    gives more than a few, and of photos that were cut from one photograph only the best gives any.

    Args:
        pipeline: that judges.
        card: of the model.
        request: photos and number of patches; a seeded sample of the photos if they are many.
        folder: for the cut-outs; made if missing.
        noise: how typicality is measured; the seed is the request's.
        most_photos: that are looked at.
        on_photo: told (photos done, photos) after each.
        check: called before each crop; may raise to stop.

    Returns:
        Patches of positive typicality, the largest first; perhaps fewer than were asked for.

    Raises:
        GPSDreamError: if none of the photos can be read, or a cut-out cannot be written.
    """
    random = np.random.default_rng(request.seed)
    order = random.permutation(len(request.photos))[:most_photos]
    chosen = [request.photos[number] for number in sorted(order.tolist())]
    noise = NoiseSettings(noise.draws, noise.interval, request.seed % 2**32, noise.batch)
    found: list[_Candidate] = []
    looked_at = 0
    for done, photo in enumerate(chosen, start=1):
        if check is not None:
            check()
        known = _known_photo(photo)
        try:
            windows = _windows(photo, known, picture_area(card), card.image_size)
        except (OSError, ValueError, Image.DecompressionBombError):
            windows = []
        candidates: list[_Candidate] = []
        for window in windows:
            if check is not None:
                check()
            picture = pictures_from_pixels([window.pixels])[0]
            measured = typicality(pipeline, picture, "", window.place, noise).map
            source = known.source if known is not None and known.source else photo.path
            candidates += [
                _Candidate(photo, source, box, value, window.place) for box, value in _peaks(measured, window.box)
            ]
        looked_at += bool(windows)
        found += apart(candidates, MOST_OF_ONE)
        if on_photo is not None:
            on_photo(done, len(chosen))
    if not looked_at:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"None of the {len(chosen)} photos can be read.",
            "See whether their folder is still there, and import it again.",
        )
    taken = _best(found, request.count, looked_at)
    return TypicalPatches(tuple(_cut_out(one, folder, number) for number, one in enumerate(taken)), looked_at)


# -- photos --


def _known_photo(photo: PhotoAt) -> TrainingPhoto | None:
    """What the catalogue knows of a photo: the frontage that a panorama shows, and what it was cut from."""
    path = paths.catalogue_path()
    if not path.is_file():
        return None
    try:
        with Catalogue(path) as catalogue:
            record = catalogue.photo(Path(photo.path))
    except GPSDreamError:
        return None
    known = training_photos([record], ()) if record is not None else []
    return known[0][1] if known else None


def _windows(photo: PhotoAt, known: TrainingPhoto | None, area: Box, side: int) -> list[_Window]:
    """Squares side by side along the longer side of the picture proper, each with its own place."""
    with open_picture(Path(photo.path)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = image.size
    left, top, right, bottom = (round(share * size) for share, size in zip(area, (width, height) * 2, strict=True))
    across, down = right - left, bottom - top
    square = min(across, down)
    if square < 8:
        return []
    count = min(MOST_CROPS, max(1, math.ceil(max(across, down) / square - 0.15)))
    windows = []
    for number in range(count):
        offset = round((max(across, down) - square) * (0.5 if count == 1 else number / (count - 1)))
        x, y = (left + offset, top) if across > down else (left, top + offset)
        part = image.crop((x, y, x + square, y + square)).resize((side, side), Image.Resampling.LANCZOS)
        place = photo.place
        if known is not None and known.frontage is not None:
            middle = (x + square / 2 - left) / across
            lat, lon = known.place_at(middle)
            place = Place(lat, lon, place.heading)
        box = (x / width, y / height, (x + square) / width, (y + square) / height)
        windows.append(_Window(box, place, np.asarray(part)))
    return windows


# -- patches --


def _peaks(measured: Floats, window: Box) -> list[tuple[Box, float]]:
    """Every patch of a crop, and its mean typicality.

    Args:
        measured: (h, w), typicality of each cell of the crop.
        window: the crop.
    """
    rows, columns = measured.shape
    size = min(rows, columns, max(1, round(PATCH_SHARE * min(rows, columns))))
    means = sliding_window_view(measured, (size, size)).mean(axis=(2, 3))
    left, top, right, bottom = window
    cell_x, cell_y = (right - left) / columns, (bottom - top) / rows
    return [
        (
            (
                left + column * cell_x,
                top + row * cell_y,
                left + (column + size) * cell_x,
                top + (row + size) * cell_y,
            ),
            float(value),
        )
        for (row, column), value in np.ndenumerate(means)
    ]


def overlap(one: Box, other: Box) -> float:
    """Area that two boxes share over the area that they cover together, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def apart(candidates: Sequence[_Candidate], most: int) -> list[_Candidate]:
    """The most typical patches of one photo that hardly overlap, largest first; none that is not typical."""
    kept: list[_Candidate] = []
    for one in sorted(candidates, key=lambda one: -one.value):
        if one.value <= 0 or len(kept) == most:
            break
        if all(overlap(one.box, other.box) <= OVERLAP for other in kept):
            kept.append(one)
    return kept


def _best(found: Sequence[_Candidate], count: int, photos: int) -> list[_Candidate]:
    """The most typical patches of all photos: a few of each, and of one photo only where others show the same."""
    most = max(FEW, min(MOST_OF_ONE, math.ceil(count / photos)))
    photo_of_source: dict[str, str] = {}
    taken_of: dict[str, int] = {}
    taken: list[_Candidate] = []
    for one in sorted(found, key=lambda one: -one.value):
        path = one.photo.path
        if photo_of_source.setdefault(one.source, path) != path or taken_of.get(path, 0) == most:
            continue
        taken_of[path] = taken_of.get(path, 0) + 1
        taken.append(one)
        if len(taken) == count:
            break
    return taken


def _cut_out(one: _Candidate, folder: Path, number: int) -> Patch:
    """Write a patch's pixels, without what the photo's file says besides, and tell where they are."""
    with open_picture(Path(one.photo.path)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = image.size
    edges = [round(share * size) for share, size in zip(one.box, (width, height) * 2, strict=True)]
    part = image.crop((edges[0], edges[1], max(edges[0] + 1, edges[2]), max(edges[1] + 1, edges[3])))
    part.thumbnail((CUT_OUT_SIDE, CUT_OUT_SIDE), Image.Resampling.LANCZOS)
    path = folder / f"patch-{number + 1:02d}.jpg"
    try:
        # A picture of its own: Pillow would carry the photo's metadata over.
        with whole_file(path) as temporary:
            Image.fromarray(np.asarray(part)).save(temporary, "JPEG", quality=QUALITY)
    except OSError as error:
        raise paths.storage_error(error, path, "the cut-out was not written") from error
    return Patch(one.photo.path, str(path), one.box, one.value, one.place)
