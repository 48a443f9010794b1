"""From a folder of geotagged photos to a prepared folder: import, split, scale, store."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import METRES_PER_DEGREE, Coverage
from gpsdream_app.domain.places import Box
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.photos.prepared import PreparedPhotos, TrainingPhoto, box_of
from gpsdream_app.photos.records import PhotoRecord
from gpsdream_app.photos.splits import SplitBy, split_photos
from gpsdream_app.photos.training_view import Report, photos_of, training_photos, whole_records, write_prepared
from gpsdream_app.training.config import DataConfig

__all__ = ["check_box", "check_disk", "coverage_of", "photos_of", "prepare"]

LARGEST_BOX_SIDE = 60_000.0  # metres; larger than any city, smaller than a mix-up of two


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
    used = whole_records(records)
    held_out = split_photos(
        used,
        fraction=config.validation_share,
        by=SplitBy(config.validation_by),
        block_metres=config.validation_block_metres,
        seed=seed,
    ).validation
    chosen = training_photos(records, held_out)
    # Before anything is written: a prepared folder is used again, and would be refused again after a cleaning.
    check_box(box_of((photo for _, photo in chosen), config.box_margin_metres))
    check_disk(folder, sum(config.stored_side**2 * 3 * 2 for _ in chosen) + 200_000_000)
    return write_prepared(
        chosen, folder, side=config.stored_side, area=config.picture_area, report=report, cancelled=cancelled
    )


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
