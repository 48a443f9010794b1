"""What a file or folder is that somebody drops on the window or opens with GPSDream. No widgets here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.export.requests_zip import read_requests
from gpsdream_app.library.model_folders import INDEX_FILE, PICKLE_SUFFIXES, find_model, read_card
from gpsdream_app.library.picture_metadata import read_request

REGION_SUFFIXES = (".geojson", ".json")
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".heic", ".heif", ".webp", ".tif", ".tiff", ".avif")
MAX_FILES = 64  # of one drop that are looked at
MAX_LOOKED_AT = 400  # entries of a folder that are looked at for a photo


class DropKind(StrEnum):
    """What a dropped thing is."""

    PICTURE = "picture"
    PHOTO = "photo"
    REGIONS = "regions"
    REQUESTS = "requests"
    MODEL = "model"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that was dropped and read as far as is needed to open it.

    Attributes:
        kind: what it is.
        path: where it is.
        place: of a photo.
        requests: of a ZIP of requests, those of single pictures, in their order.
        others: how many more the ZIP holds, for averages of regions.
        title: of a model.
    """

    kind: DropKind
    path: Path
    place: Place | None = None
    requests: tuple[GenerateRequest, ...] = ()
    others: int = 0
    title: str = ""


def guess(path: Path) -> DropKind:
    """Say by its name alone what a file may be, while it is still held over the window."""
    suffix = path.suffix.lower()
    if suffix in REGION_SUFFIXES:
        return DropKind.REGIONS
    if suffix in PHOTO_SUFFIXES:
        return DropKind.PHOTO
    if suffix == ".zip":
        return DropKind.REQUESTS
    return DropKind.PICTURE if suffix else DropKind.FOLDER


def recognise(path: Path) -> Dropped:
    """Look at a file or folder and say what it is.

    Raises:
        GPSDreamError: with a sentence, if it is nothing that GPSDream opens, or is damaged.
    """
    try:
        if path.is_dir():
            return _folder(path)
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    name = path.name[:80]
    if not there:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"There is no file “{name}” any more.", "It may have been moved or deleted."
        )
    if path.name == CARD_FILE or path.name == INDEX_FILE:
        return _folder(path.parent)
    suffix = path.suffix.lower()
    if suffix in REGION_SUFFIXES:
        return Dropped(DropKind.REGIONS, path)
    if suffix == ".zip":
        return _requests(path)
    if suffix in (*PICKLE_SUFFIXES, ".safetensors"):
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"“{name}” is one file of a model; GPSDream opens the whole folder.",
            f"Drop the folder with {INDEX_FILE} in it.",
        )
    return _picture(path)


def recognise_all(paths: Sequence[Path]) -> list[Dropped | GPSDreamError]:
    """Look at several files, each for itself; at most the first 64."""
    found: list[Dropped | GPSDreamError] = []
    for path in paths[:MAX_FILES]:
        try:
            found.append(recognise(path))
        except GPSDreamError as error:
            found.append(error)
    return found


def _picture(path: Path) -> Dropped:
    refused: GPSDreamError | None = None
    if path.suffix.lower() not in PHOTO_SUFFIXES:
        try:
            read_request(path)
            return Dropped(DropKind.PICTURE, path)
        except GPSDreamError as error:
            refused = error
    place = _photo_place(path)
    if place is not None:
        return Dropped(DropKind.PHOTO, path, place=place)
    raise refused or GPSDreamError(
        ErrorKind.BAD_PHOTO,
        f"“{path.name[:80]}” does not say where it was taken.",
        "Drop a photo with a GPS place, or a picture that GPSDream saved.",
    )


def _photo_place(path: Path) -> Place | None:
    # Imported late: a person who drops nothing needs no reader of photos.
    from gpsdream_app.photos.exif import read_metadata
    from gpsdream_app.photos.reader import open_picture

    try:
        # Only the metadata is read, however many pixels the file claims to have.
        with open_picture(path) as image:
            metadata = read_metadata(image)
        return Place(*metadata.place, metadata.heading) if metadata.place else None
    except GPSDreamError:
        return None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _folder(path: Path) -> Dropped:
    if (path / CARD_FILE).is_file() or (path / INDEX_FILE).is_file():
        folder = find_model(path)
        return Dropped(DropKind.MODEL, folder, title=read_card(folder).title)
    if _holds_photos(path):
        return Dropped(DropKind.FOLDER, path)
    raise GPSDreamError(
        ErrorKind.BAD_REQUEST,
        f"The folder “{path.name[:80]}” holds neither a model nor photos.",
        f"A model has a file {INDEX_FILE} in its folder; photos are JPEG, HEIC, WebP, PNG or TIFF files.",
    )


def _holds_photos(path: Path) -> bool:
    suffixes = (*PHOTO_SUFFIXES, ".png")
    try:
        for number, entry in enumerate(path.rglob("*")):
            if entry.suffix.lower() in suffixes:
                return True
            if number >= MAX_LOOKED_AT:
                break
    except OSError:
        return False
    return False


def _requests(path: Path) -> Dropped:
    replays = read_requests(path)
    single = tuple(replay.request for replay in replays if isinstance(replay.request, GenerateRequest))
    return Dropped(DropKind.REQUESTS, path, requests=single, others=len(replays) - len(single))
