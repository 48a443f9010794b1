"""The photo commands with plain arguments and plain results. The command line and the window only format them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.photos.catalogue import Catalogue, Collection
from gpsdream_app.photos.importer import ImportProgress, checked_folder, import_folder
from gpsdream_app.photos.records import Outcome, PhotoRecord, Reason, clean_text
from gpsdream_app.photos.report import ImportReport, save_text


def import_photos(
    folder: Path,
    catalogue: Catalogue,
    *,
    report_file: Path | None = None,
    workers: int | None = None,
    on_progress: Callable[[ImportProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import a folder: `gpsdream photos import DIR [--report FILE] [--json] [--workers N]`.

    Print `report.table()`, or `report.to_dict()` as JSON, or stream everything with `report.write_json(sys.stdout)`.

    Args:
        folder: with photos.
        catalogue: to write to.
        report_file: where to write the JSON report with the outcome of every file; None writes none.
        workers: number of worker processes, 1 or more; None suits the machine.
        on_progress: called some times per second.
        cancelled: asked often; the import stops soon after it says yes, and keeps what it has read.

    Raises:
        GPSDreamError: if there is no such folder, or the catalogue or the report cannot be written.
    """
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"The report {clean_text(report_file, 200)} is to go into a folder that does not exist.",
            "Make the folder first, or give another file.",
        )
    report = import_folder(folder, catalogue, workers=workers, on_progress=on_progress, cancelled=cancelled)
    if report_file is not None:
        report.save(report_file)
    return report


def list_photos(catalogue: Catalogue, *, folder: Path | None = None, box: Box | None = None) -> Iterator[PhotoRecord]:
    """Iterate over the placed photos: `gpsdream photos list [DIR]`. `record.to_dict()` gives JSON values.

    Args:
        catalogue: to read.
        folder: only photos under it; None lists all.
        box: only photos in it.

    Raises:
        GPSDreamError: if the folder does not exist.
    """
    return catalogue.photos(_known_folder(folder), box)


def list_outcomes(
    catalogue: Catalogue, *, folder: Path | None = None, reasons: tuple[Reason, ...] | None = None
) -> Iterator[Outcome]:
    """Iterate over what became of every file, also of those without a place.

    Args:
        catalogue: to read.
        folder: only files under it.
        reasons: only files that ended with one of these.
    """
    return catalogue.outcomes(_known_folder(folder), reasons)


def list_collections(catalogue: Catalogue) -> list[Collection]:
    """Return the folders that were imported, the latest first; `collection.to_dict()` gives JSON values."""
    return catalogue.collections()


def clean_photos(
    catalogue: Catalogue,
    *,
    folder: Path | None = None,
    box: Box | None = None,
    landmark: tuple[float, float, float] | None = None,
    apply: bool = False,
) -> Any:
    """Look for duplicates and far photos: `gpsdream photos clean [DIR] [--city-box | --landmark LAT,LON,RADIUS]`.

    No file is deleted. With neither box nor landmark the far photos are found by a robust test of their own places.

    Args:
        catalogue: to read.
        folder: only photos under it.
        box: of the city; photos outside are far.
        landmark: latitude and longitude in degrees and the radius in metres; photos outside are far.
        apply: leave what was found out of training, and take back in what an earlier cleaning had left out.

    Returns:
        A `cleaning.CleaningReport`, with `table()` and `to_dict()`.

    Raises:
        GPSDreamError: if the folder does not exist, the landmark is no place, or both box and landmark are given.
    """
    from gpsdream_app.photos.cleaning import Landmark, clean

    if box is not None and landmark is not None:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "Give the city's box or a landmark, not both.")
    around = None
    if landmark is not None:
        around = Landmark(*landmark)
        if not 0 < around.radius < 20_100_000:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The radius must be over 0 metres and less than the Earth.")
    root = _known_folder(folder)
    report = clean(catalogue.photos(root), box=box, landmark=around)
    if apply:
        catalogue.leave_out(report.reasons(), root)
    return report


def split_photos(
    catalogue: Catalogue,
    *,
    folder: Path | None = None,
    fraction: float = 0.1,
    by: str = "source",
    seed: int = 0,
    block_metres: float = 200.0,
    margin_metres: float = 0.0,
    out: Path | None = None,
) -> Any:
    """Split photos into training and validation: `gpsdream photos split [DIR] [--by source|block] [--seed N]`.

    Photos that cleaning has left out are in neither.

    Args:
        catalogue: to read.
        folder: only photos under it.
        fraction: of the photos that validation gets.
        by: "source" keeps crops of one photograph together, "block" also all photos of a square on the map.
        seed: another one gives another split.
        block_metres: side of a block.
        margin_metres: training photos nearer than this to a validation photo are left out.
        out: where to write the split as JSON; None writes none.

    Returns:
        A `splits.Split`, with `to_dict()`.

    Raises:
        GPSDreamError: for a bad argument, or if the file cannot be written.
    """
    from gpsdream_app.photos import splits

    try:
        kind = splits.SplitBy(by)
    except ValueError:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "Photos are split by source or by block.") from None
    split = splits.split_photos(
        catalogue.photos(_known_folder(folder), for_training=True),
        fraction=fraction,
        by=kind,
        seed=seed,
        block_metres=block_metres,
        margin_metres=margin_metres,
    )
    if out is not None:
        text = json.dumps(split.to_dict(), indent=1, ensure_ascii=False)
        save_text(out, lambda file: print(text, file=file))
    return split


def _known_folder(folder: Path | None) -> Path | None:
    return None if folder is None else checked_folder(folder)
