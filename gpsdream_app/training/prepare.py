"""From a folder of geotagged photos to a prepared folder: import, split, scale, store."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import METRES_PER_DEGREE, Coverage
from gpsdream_app.domain.places import Box
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.importer import import_folder
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View, box_of
from gpsdream_app.photos.reader import open_picture
from gpsdream_app.photos.records import PhotoRecord
from gpsdream_app.photos.splits import split_photos
from gpsdream_app.training.config import DataConfig

FEWEST_PHOTOS = 8
LARGEST_BOX_SIDE = 60_000.0  # metres; larger than any city, smaller than a mix-up of two
Report = Callable[[int, int, str], None]


def photos_of(folder: Path, catalogue: Catalogue, cancelled: Callable[[], bool] | None = None) -> list[PhotoRecord]:
    """Import a folder and return its photos with a place; if it was cancelled, those that were read.

    Raises:
        GPSDreamError: if there are too few of them, with what became of the others.
    """
    report = import_folder(folder, catalogue, cancelled=cancelled)
    records = list(catalogue.photos(folder.resolve(), for_training=True))
    if len(records) < FEWEST_PHOTOS and not report.cancelled:
        others = ", ".join(f"{count} {reason.value.replace('_', ' ')}" for reason, count in report.counts.items())
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"“{folder.name}” holds {len(records)} photos with a place; training needs at least {FEWEST_PHOTOS}.",
            "Add geotagged photos, or a CSV file with the columns file, lat and lon.",
            details=f"What became of the files: {others or 'there are none'}.",
        )
    return records


def check_box(box: Box) -> None:
    """Refuse a box that is larger than a city.

    Raises:
        GPSDreamError: with the size of the box.
    """
    lat, _ = box.centre
    height = distance(box.south, box.west, box.north, box.west)
    width = distance(lat, box.west, lat, box.east)
    if max(height, width) > LARGEST_BOX_SIDE:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The photos spread over {width / 1000:,.0f} km by {height / 1000:,.0f} km, which is more than one city.",
            "Train one model per city. `gpsdream photos clean` finds photos that lie far from the others.",
        )


def check_disk(folder: Path, needed: int) -> None:
    """Refuse to start what the disk cannot hold.

    Args:
        folder: where files will be written.
        needed: bytes.
    """
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            f"Training needs about {needed / 1e9:.1f} GB in “{folder.name}”, but {free / 1e9:.1f} GB are free.",
            "Free some space, or give another folder with --out.",
        )


def training_photos(records: list[PhotoRecord], config: DataConfig, seed: int) -> list[tuple[Path, TrainingPhoto]]:
    """Turn photo records into what training sees.

    Crops of a photograph that is there as a whole, with its frontage, become words for parts of it: random crops of
    the whole are worth more than the few that somebody cut.
    """
    wholes = {str(record.path): record for record in records if record.frontage is not None}
    parts: dict[str, list[PhotoRecord]] = {}
    for record in records:
        if record.source in wholes and record.source != str(record.path):
            parts.setdefault(record.source, []).append(record)
    used = [record for record in records if record.source not in wholes or str(record.path) in wholes]
    held_out = set(split_photos(used, fraction=config.validation_share, seed=seed).validation)
    result = []
    for record in used:
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
            views = (own,) if own.caption or own.tags else ()
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


def prepare(
    records: list[PhotoRecord],
    folder: Path,
    config: DataConfig,
    *,
    seed: int,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PreparedPhotos:
    """Write a prepared folder from photo records; photos that cannot be decoded are left out and named.

    Raises:
        GPSDreamError: for too few photos, a box larger than a city, or a full disk.
        KeyboardInterrupt: if it was cancelled.
    """
    chosen = training_photos(records, config, seed)
    # Before anything is written: a prepared folder is used again, and would be refused again after a cleaning.
    check_box(box_of((photo for _, photo in chosen), config.box_margin_metres))
    check_disk(folder, sum(config.stored_side**2 * 3 * 2 for _ in chosen) + 200_000_000)
    writer = PreparedWriter(folder, config.stored_side)
    left_out: list[str] = []
    for number, (path, photo) in enumerate(chosen, start=1):
        if cancelled is not None and cancelled():
            raise KeyboardInterrupt
        try:
            with open_picture(path) as image:
                writer.add(ImageOps.exif_transpose(image), photo, config.picture_area)
        except (OSError, ValueError, Image.DecompressionBombError):
            left_out.append(path.name)
        if report and (number % 20 == 0 or number == len(chosen)):
            report(number, len(chosen), "photos made ready")
    if len(chosen) - len(left_out) < FEWEST_PHOTOS:
        raise GPSDreamError(ErrorKind.BAD_PHOTO, "Too few of the photos can be decoded.", details=", ".join(left_out))
    return writer.finish({"left_out": left_out, "photos": len(chosen) - len(left_out)})


def coverage_of(prepared: PreparedPhotos, photos: Sequence[TrainingPhoto], cell_metres: float) -> Coverage:
    """Count photos per grid cell; a photo with a frontage counts in every cell along it."""
    box = prepared.box(0.0)
    cell_lat = cell_metres / METRES_PER_DEGREE
    east = LocalFrame(*box.centre).to_degrees(cell_metres, 0.0)
    cell_lon = east[1] - box.centre[1]
    cells: Counter[tuple[int, int]] = Counter()
    for photo in photos:
        positions = (0.1, 0.3, 0.5, 0.7, 0.9) if photo.frontage else (0.5,)
        seen = {
            (int((lat - box.south) / cell_lat), int((lon - box.west) / cell_lon))
            for lat, lon in map(photo.place_at, positions)
        }
        cells.update(seen)
    rows = tuple((row, column, count) for (row, column), count in sorted(cells.items()))
    return Coverage(round(box.south, 7), round(box.west, 7), round(cell_lat, 9), round(cell_lon, 9), rows)
