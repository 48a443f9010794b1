"""`gpsdream export`: pictures of the library, or pictures in files, for other programs."""

from __future__ import annotations

import argparse
import re
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.domain.results import Result, ResultKind

if TYPE_CHECKING:
    from gpsdream_app.export.formats import ExportFormat
    from gpsdream_app.geo.city import CityMap
    from gpsdream_app.library.store import Library

MAX_NOTES = 10
EVERYTHING = 1 << 31


def run(arguments: argparse.Namespace) -> int:
    """Export what the arguments choose and return the exit code."""
    from gpsdream_app.export.formats import ExportFormat, ExportWish, export_results
    from gpsdream_app.export.pictures import QUALITY
    from gpsdream_app.export.results import ExportCancelled, Watch

    kind = ExportFormat(arguments.format) if arguments.format else _format_of(Path(arguments.out))
    wish = ExportWish(
        format=kind,
        include_place=not arguments.share_without_location,
        quality=QUALITY if arguments.quality is None else arguments.quality,
        title=arguments.title or "",
        field_of_view=arguments.field_of_view,
    )
    out = _target(Path(arguments.out).expanduser().absolute(), kind)
    results = _chosen(arguments)
    city = _city(results[0]) if kind is ExportFormat.WEB_MAP else None
    stop = threading.Event()
    with terminal.Progress("Exporting") as progress, terminal.cancel_on_signal(stop.set):
        watch = Watch(lambda done, of: progress.update(done, of, "pictures"), stop.is_set)
        try:
            written = export_results(results, out, wish, city=city, watch=watch)
        except ExportCancelled:
            progress.clear()
            terminal.note("gpsdream: Cancelled.")
            return terminal.CANCELLED
    for sentence in written.left_out[:MAX_NOTES]:
        terminal.note(f"gpsdream: {sentence}")
    if len(written.left_out) > MAX_NOTES:
        terminal.note(f"gpsdream: {len(written.left_out) - MAX_NOTES:,} more were left out.")
    exported = len(results) - len(written.left_out)
    if arguments.json:
        files = [str(path) for path in written.files]
        terminal.say_json({"format": kind.value, "exported": exported, "files": files, "left_out": written.left_out})
    else:
        count = "1 picture" if exported == 1 else f"{exported:,} pictures"
        where = out if kind.is_folder else ", ".join(str(path) for path in written.files)
        terminal.say(f"{where}  {count}")
    return terminal.OK


def _format_of(out: Path) -> ExportFormat:
    """Return the format that a file's name asks for."""
    from gpsdream_app.export.formats import ExportFormat

    by_suffix = {
        "kmz": ExportFormat.KMZ,
        "geojson": ExportFormat.GEOJSON,
        "html": ExportFormat.WEB_MAP,
        "csv": ExportFormat.CSV,
        "zip": ExportFormat.REQUESTS,
        "": ExportFormat.PNG,
    }
    found = by_suffix.get(out.suffix.lower().lstrip("."))
    if found is None or (found is not ExportFormat.PNG and out.is_dir()):
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{out.name[:80]}” does not say which format is wanted.",
            f"Add --format with one of: {', '.join(ExportFormat)}.",
        )
    return found


def _target(out: Path, kind: ExportFormat) -> Path:
    """Return where to write; a file gets the suffix of its format."""
    if kind.is_folder:
        if out.exists() and not out.is_dir():
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"“{out.name[:80]}” is a file; single pictures go into a folder.",
                "Give --out a folder.",
            )
        return out
    if out.is_dir():
        return out / f"gpsdream.{kind.suffix}"
    return out if out.suffix.lower() == f".{kind.suffix}" else out.with_name(f"{out.name}.{kind.suffix}")


# -- which pictures --


def _chosen(arguments: argparse.Namespace) -> list[Result]:
    """Return the pictures that the arguments choose; those of the library newest first.

    Raises:
        GPSDreamError: of kind `bad_request` or `bad_location` if there are none, `bad_photo` if a file is no picture
            that GPSDream saved.
    """
    first, last = _day(arguments.since, "--since"), _day(arguments.until, "--until")
    box = _box(arguments.box)
    words = (arguments.words or "").casefold().split()

    def wanted(result: Result) -> bool:
        place, day = result.request.place, result.created[:10]
        named = f"{result.request.prompt} {place.name if place else ''}".casefold()
        return (
            (not first or day >= first)
            and (not last or day <= last)
            and (box is None or (place is not None and box.contains(place.lat, place.lon)))
            and all(word in named for word in words)
            and (not arguments.model or arguments.model in (result.request.model, result.model_title))
            and (not arguments.kind or result.kind in arguments.kind)
        )

    chosen = [result for result in _known(arguments) if wanted(result)][: arguments.last]
    if not chosen:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            "There are no such pictures in the library.",
            "Ask for less, or draw some with `gpsdream generate`.",
        )
    return chosen


def _known(arguments: argparse.Namespace) -> list[Result]:
    """Return the pictures that are named by file or id; all of the sorts that are asked for if none is named."""
    from gpsdream_app.library import paths
    from gpsdream_app.library.picture_metadata import read_result
    from gpsdream_app.library.store import Library

    found = [read_result(Path(path).expanduser().absolute()) for path in arguments.pictures]
    if found and not arguments.id:
        return found
    library = Library(paths.library_path())
    try:
        if arguments.id:
            return [*found, *(_with_id(library, result_id) for result_id in arguments.id)]
        kinds = [ResultKind(kind) for kind in arguments.kind or (ResultKind.DRAW,)]
        return library.recent(EVERYTHING, kinds=kinds)
    finally:
        library.close()


def _with_id(library: Library, result_id: str) -> Result:
    result = library.get(result_id)
    if result is None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"The library holds no picture “{result_id[:80]}”.",
            "`gpsdream generate --json` prints the id of each picture.",
        )
    return result


def _day(text: str | None, option: str) -> str:
    if text is None:
        return ""
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"{option} takes a day such as 2026-11-20, not “{text[:40]}”."
        ) from None


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 4:
        raise GPSDreamError(
            ErrorKind.BAD_LOCATION, "--box takes four numbers.", "Give SOUTH,WEST,NORTH,EAST in degrees."
        )
    return Box(*(part.strip() for part in parts))  # type: ignore[arg-type]


def _city(result: Result) -> CityMap:
    """Return the city of the model that drew a picture, as far as that is known here."""
    from gpsdream_app.geo.city import list_cities, load_city
    from gpsdream_app.library.model_folders import find_model, read_card

    known = list_cities()
    try:
        city = read_card(find_model(result.request.model)).city
    except GPSDreamError:
        city = ""
    return load_city(city if city in known else known[0])
