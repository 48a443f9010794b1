"""Results as PNG, JPEG or WebP, with or without their place. All carry the mark that a model made them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.results import Result
from gpsdream_app.export.results import (
    SILENT,
    Watch,
    Written,
    left_out,
    modest,
    nothing_left,
    open_picture,
    refused,
    some,
    stem_of,
)
from gpsdream_app.library.picture_metadata import exif_bytes, parameters_text, save_png, xmp_packet

QUALITY = 92
MAX_COMMENT = 12_000  # characters of the parameters in EXIF, which a JPEG gives 64 KB to


class PictureFormat(StrEnum):
    """What a picture is written as; the value is the suffix of its file."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"


def save_picture(
    image: Image.Image,
    path: Path,
    result: Result,
    kind: PictureFormat,
    *,
    include_place: bool = True,
    quality: int = QUALITY,
) -> None:
    """Write one picture, whole or not at all.

    A PNG can be opened by GPSDream again with all its settings. JPEG and WebP carry prompt and settings as the text
    that other image generators read (EXIF user comment), the place in EXIF, and the digital source type in XMP.

    Args:
        image: written as RGB.
        path: where to; an existing file is replaced.
        result: what made it.
        kind: the format.
        include_place: False leaves out all that tells where it is.
        quality: of JPEG and WebP, 1 to 100; 100 is a WebP without loss.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses, `bad_request` for a quality that cannot be.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"The quality must be a whole number from 1 to 100, not {str(quality)[:40]}."
        )
    if kind is PictureFormat.PNG:
        save_png(image, path, result, include_place)
        return
    kept = modest(result, include_place=include_place)
    exif = exif_bytes(kept, parameters_text(kept)[:MAX_COMMENT])
    xmp = xmp_packet(kept).encode("utf-8", "replace")
    try:
        with whole_file(path) as temporary:
            if kind is PictureFormat.JPEG:
                image.convert("RGB").save(
                    temporary, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2, optimize=True,
                    exif=exif, xmp=xmp,
                )  # fmt: skip
            else:
                image.convert("RGB").save(
                    temporary, "WEBP", quality=quality, lossless=quality == 100, method=4, exif=exif, xmp=xmp
                )
    except OSError as error:
        raise refused(error, path) from error


def export_pictures(
    results: Sequence[Result],
    folder: Path,
    kind: PictureFormat,
    *,
    include_place: bool = True,
    quality: int = QUALITY,
    watch: Watch = SILENT,
) -> Written:
    """Write each result as a picture of its own, numbered and named by place (or words) and seed.

    Args:
        results: 1 or more. Those whose files cannot be read are left out.
        folder: where to; created if it is missing. Files that are there are kept: new ones get another number.
        kind: the format.
        include_place: False leaves the place out of the pictures and of their names.
        quality: of JPEG and WebP, 1 to 100.
        watch: told of every picture.

    Returns:
        The files, and what was left out.

    Raises:
        GPSDreamError: of kind `bad_request` if there is nothing to write, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; pictures that were written stay.
    """
    some(results)
    written = Written()
    digits = len(str(len(results)))
    for number, result in watch.over(results):
        path = copy_picture(result, folder, number, digits, kind, written, include_place=include_place, quality=quality)
        if path is not None:
            written.files.append(path)
    if not written.files:
        raise nothing_left(written, "exported")
    return written


def copy_picture(
    result: Result,
    folder: Path,
    number: int,
    digits: int,
    kind: PictureFormat,
    written: Written,
    *,
    include_place: bool = True,
    quality: int = QUALITY,
) -> Path | None:
    """Write one result under a free name; see `export_pictures`.

    Returns:
        The path, or None if its file cannot be read; `written` says so then.
    """
    try:
        image = open_picture(result)
    except GPSDreamError as error:
        written.left_out.append(left_out(result, error.failure.message))
        return None
    stem, suffix, copy = stem_of(result, number, digits, include_place=include_place), kind.value, 2
    path = folder / f"{stem}.{suffix}"
    while path.exists():
        path, copy = folder / f"{stem} {copy}.{suffix}", copy + 1
    save_picture(image, path, result, kind, include_place=include_place, quality=quality)
    return path
