"""Results as a table that any spreadsheet opens (CSV, RFC 4180, UTF-8), safe from texts that look like formulas."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.results import Result
from gpsdream_app.export.results import SILENT, Watch, Written, facts, refused, some

# A file that was not named by GPSDream may be named after its place.
PLACE_COLUMNS = ("file", "latitude", "longitude", "heading", "place", "places", "photo_distance", "typicality_rank")
# With any of these a spreadsheet begins to compute; the wide ones count in some languages.
FORMULA_STARTS = tuple("=+-@|%\t\r\n＝＋－＠")


def export_table(results: Sequence[Result], out: Path, *, include_place: bool = True, watch: Watch = SILENT) -> Written:
    """Write a row per result with all its settings, whole or not at all.

    Args:
        results: 1 or more.
        out: the CSV file; one that is there is replaced.
        include_place: False leaves out the columns that tell where it is.
        watch: told of every row.

    Raises:
        GPSDreamError: of kind `bad_request` without results, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; nothing is written then.
    """
    some(results)
    try:
        with (
            whole_file(out) as temporary,
            # The mark at the beginning tells spreadsheets that it is UTF-8.
            temporary.open("w", encoding="utf-8-sig", newline="") as file,
        ):
            rows = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
            for number, result in watch.over(results):
                values = facts(result) | {"file": Path(result.path).name}
                if not include_place:
                    values = {name: value for name, value in values.items() if name not in PLACE_COLUMNS}
                if number == 1:
                    rows.writerow(values)
                rows.writerow([_cell(value) for value in values.values()])
    except OSError as error:
        raise refused(error, out) from error
    return Written([out])


def _cell(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    text = "" if value is None else str(value)
    # Spreadsheets show the apostrophe in no cell of a table; a text that follows it is never computed.
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
