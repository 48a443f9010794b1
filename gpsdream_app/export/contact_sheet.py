"""Results on sheets to print: many small pictures with place, words and seed below each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.results import Result
from gpsdream_app.export.averages import GridItem, labelled_png
from gpsdream_app.export.results import (
    SILENT,
    Watch,
    Written,
    left_out,
    nothing_left,
    open_picture,
    some,
    title_of,
)
from gpsdream_app.geo.regions import clean_name

PER_SHEET = 60


def export_contact_sheet(
    results: Sequence[Result],
    out: Path,
    *,
    title: str = "",
    include_place: bool = True,
    per_sheet: int = PER_SHEET,
    watch: Watch = SILENT,
) -> Written:
    """Write the results on sheets, each whole or not at all, each with the mark that a model made it.

    Args:
        results: 1 or more. Those whose files cannot be read are left out.
        out: the PNG; of several sheets the second is called “NAME 2.png” and so on. Files that are there are replaced.
        title: stands above; empty leaves it out. Sheets of several are numbered beside it.
        include_place: False names the pictures by their words.
        per_sheet: most pictures on a sheet, 1 or more.
        watch: told of every picture.

    Returns:
        The sheets, and what was left out.

    Raises:
        GPSDreamError: of kind `bad_request` if there is nothing to write, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; sheets that were written stay.
    """
    some(results)
    written = Written()
    sheets = -(-len(results) // max(1, per_sheet))
    waiting: list[GridItem] = []
    for number, result in watch.over(results):
        try:
            picture = open_picture(result)
        except GPSDreamError as error:
            written.left_out.append(left_out(result, error.failure.message))
        else:
            words = clean_name(result.request.prompt, 200) if include_place else ""
            below = " · ".join(part for part in (words, f"seed {result.request.seed}") if part)
            waiting.append(GridItem(title_of(result, include_place=include_place), below, picture, None, result))
        if waiting and (len(waiting) == max(1, per_sheet) or number == len(results)):
            sheet = len(written.files) + 1
            path = out if sheet == 1 else out.with_name(f"{out.stem} {sheet}{out.suffix}")
            above = f"{title}, {sheet} of {sheets}" if sheets > 1 and title else title
            labelled_png(waiting, path, title=above)
            written.files.append(path)
            waiting = []
    if not written.files:
        raise nothing_left(written, "exported")
    return written
