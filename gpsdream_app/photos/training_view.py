"""Photo records as training and evaluation see them: wholes with words for their parts, stored small."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.importer import import_folder
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from gpsdream_app.photos.reader import open_picture
from gpsdream_app.photos.records import PhotoRecord

FEWEST_PHOTOS = 8
Report = Callable[[int, int, str], None]


def photos_of(
    folder: Path,
    catalogue: Catalogue,
    cancelled: Callable[[], bool] | None = None,
    *,
    fewest: int = FEWEST_PHOTOS,
    purpose: str = "training",
) -> list[PhotoRecord]:
    """Import a folder and return its photos with a place; if it was cancelled, those that were read.

    Args:
        folder: of photos, read with all folders below it.
        catalogue: that remembers them.
        cancelled: asked while reading.
        fewest: photos that must be there.
        purpose: what they are for, for the message.

    Raises:
        GPSDreamError: if there are too few of them, with what became of the others.
    """
    report = import_folder(folder, catalogue, cancelled=cancelled)
    records = list(catalogue.photos(folder.resolve(), for_training=True))
    if len(records) < fewest and not report.cancelled:
        others = ", ".join(f"{count} {reason.value.replace('_', ' ')}" for reason, count in report.counts.items())
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"“{folder.name}” holds {len(records)} photos with a place; {purpose} needs at least {fewest}.",
            "Add geotagged photos, or a CSV file with the columns file, lat and lon.",
            details=f"What became of the files: {others or 'there are none'}.",
        )
    return records


def whole_records(records: Sequence[PhotoRecord]) -> list[PhotoRecord]:
    """Leave out the crops of photographs that are there as a whole, with their frontage."""
    wholes = _wholes(records)
    return [record for record in records if record.source not in wholes or str(record.path) in wholes]


def _wholes(records: Sequence[PhotoRecord]) -> dict[str, PhotoRecord]:
    return {str(record.path): record for record in records if record.frontage is not None}


def training_photos(records: Sequence[PhotoRecord], held_out: Collection[Path]) -> list[tuple[Path, TrainingPhoto]]:
    """Turn photo records into what training and evaluation see.

    Crops of a photograph that is there as a whole, with its frontage, become words for parts of it: random crops of
    the whole are worth more than the few that somebody cut.

    Args:
        records: photos with a place.
        held_out: paths of those, among the `whole_records`, that stand on the validation side.
    """
    wholes = _wholes(records)
    parts: dict[str, list[PhotoRecord]] = {}
    for record in records:
        if record.source in wholes and record.source != str(record.path):
            parts.setdefault(record.source, []).append(record)
    result: list[tuple[Path, TrainingPhoto]] = []
    for record in whole_records(records):
        photo = TrainingPhoto(
            record.path.name,
            record.lat,
            record.lon,
            record.heading,
            record.source or record.path.name,
            validation=record.path in held_out,
        )
        own = View(0.5, record.caption, record.tags)
        if record.frontage is None:
            views: tuple[View, ...] = (own,) if own.caption or own.tags else ()
            result.append((record.path, replace(photo, views=views)))
            continue
        frame = LocalFrame(record.lat, record.lon)
        start = frame.to_metres(record.frontage.left_lat, record.frontage.left_lon)
        end = frame.to_metres(record.frontage.right_lat, record.frontage.right_lon)
        east, north = end[0] - start[0], end[1] - start[1]
        views_of_parts = []
        for part in parts.get(str(record.path), ()):
            # The crop's own place says where across the photo it was cut.
            x, y = frame.to_metres(part.lat, part.lon)
            across = 0.5 + (x * east + y * north) / (east**2 + north**2)
            views_of_parts.append(View(min(1.0, max(0.0, across)), part.caption, part.tags))
        views_of_parts.sort(key=lambda view: view.centre)
        views = tuple(views_of_parts) or ((own,) if own.caption or own.tags else ())
        result.append((record.path, replace(photo, frontage=(east, north), views=views)))
    return result


def write_prepared(
    chosen: Sequence[tuple[Path, TrainingPhoto]],
    folder: Path,
    *,
    side: int,
    area: tuple[float, float, float, float],
    fewest: int = FEWEST_PHOTOS,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PreparedPhotos:
    """Write a prepared folder; photos that cannot be decoded are left out and named.

    Args:
        chosen: of `training_photos`.
        folder: made if missing.
        side: photos are scaled down so that their shorter side has this many pixels.
        area: the picture proper as fractions (left, top, right, bottom) of every photo.
        fewest: photos that must be left.
        report: told (photos done, photos, text).
        cancelled: asked before every photo.

    Raises:
        GPSDreamError: if too few can be decoded.
        KeyboardInterrupt: if it was cancelled.
    """
    writer = PreparedWriter(folder, side)
    left_out: list[str] = []
    for number, (path, photo) in enumerate(chosen, start=1):
        if cancelled is not None and cancelled():
            raise KeyboardInterrupt
        try:
            with open_picture(path) as image:
                writer.add(ImageOps.exif_transpose(image), photo, area)
        except (OSError, ValueError, Image.DecompressionBombError):
            left_out.append(path.name)
        if report and (number % 20 == 0 or number == len(chosen)):
            report(number, len(chosen), "photos made ready")
    if len(chosen) - len(left_out) < fewest:
        raise GPSDreamError(ErrorKind.BAD_PHOTO, "Too few of the photos can be decoded.", details=", ".join(left_out))
    return writer.finish({"left_out": left_out, "photos": len(chosen) - len(left_out)})
