"""`gpsdream photos`: arguments and answers of the commands in `gpsdream_app.photos.commands`."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from gpsdream_app.commands import terminal
from gpsdream_app.commands.terminal import cancel_on_signal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.library import paths
from gpsdream_app.photos import commands
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.importer import ImportProgress
from gpsdream_app.photos.records import PhotoRecord, Reason, clean_text


def run(arguments: argparse.Namespace) -> int:
    """Do `import`, `list`, `clean` or `split`, and return the exit code."""
    actions = {"import": import_photos, "list": list_photos, "clean": clean_photos, "split": split_photos}
    with Catalogue(paths.catalogue_path()) as catalogue:
        return actions[arguments.action](arguments, catalogue)


def _folder(arguments: argparse.Namespace) -> Path | None:
    return Path(arguments.folder) if arguments.folder is not None else None


def import_photos(arguments: argparse.Namespace, catalogue: Catalogue) -> int:
    """Bring the catalogue up to date with a folder; Ctrl-C stops and keeps what was read."""
    stop = False

    def cancel() -> None:
        nonlocal stop
        stop = True

    with terminal.Progress("Reading photos") as progress, cancel_on_signal(cancel):

        def show(state: ImportProgress) -> None:
            placed = f"{state.counts.get(Reason.PLACED, 0):,} with a place"
            progress.update(state.done, state.total or 0, placed, state.seconds_left)

        report = commands.import_photos(
            Path(arguments.folder),
            catalogue,
            report_file=Path(arguments.report) if arguments.report else None,
            workers=arguments.workers,
            on_progress=show,
            cancelled=lambda: stop,
        )
    if arguments.json:
        report.write_json(sys.stdout)
    else:
        terminal.say(report.table())
        if arguments.report:
            terminal.say(f"The fate of every file is in {arguments.report}")
    if report.cancelled:
        terminal.note("gpsdream: Cancelled. What was read is kept; the same command goes on from there.")
        return terminal.CANCELLED
    return terminal.OK


def _photo_row(record: PhotoRecord) -> tuple[str, ...]:
    heading = "" if record.heading is None else f"{record.heading:.0f}°"
    return f"{record.lat:.5f}", f"{record.lon:.5f}", heading, (record.taken or "")[:10], clean_text(record.path, 300)


def list_photos(arguments: argparse.Namespace, catalogue: Catalogue) -> int:
    """Show placed photos, or with `--rejected` the files that have no place and why."""
    limit = arguments.limit or None
    if arguments.rejected:
        reasons = tuple(reason for reason in Reason if reason is not Reason.PLACED)
        outcomes = commands.list_outcomes(catalogue, folder=_folder(arguments), reasons=reasons)
        if arguments.json:
            terminal.say_json([outcome.to_dict() for outcome in itertools.islice(outcomes, limit)])
        else:
            for outcome in itertools.islice(outcomes, limit):
                terminal.say(f"{clean_text(outcome.path, 300)}: {outcome.sentence}")
        return terminal.OK
    photos = commands.list_photos(catalogue, folder=_folder(arguments))
    shown = list(itertools.islice(photos, limit))
    collections = commands.list_collections(catalogue)
    if arguments.json:
        terminal.say_json(
            {
                "collections": [collection.to_dict() for collection in collections],
                "photos": [record.to_dict() for record in shown],
            }
        )
        return terminal.OK
    if not collections:
        terminal.say("The catalogue is empty: gpsdream photos import DIR fills it.")
        return terminal.OK
    for collection in collections:
        state = "" if collection.complete else ", import not finished"
        terminal.say(f"{collection.folder}: {collection.photos:,} of {collection.files:,} files have a place{state}")
    if shown:
        terminal.say()
        terminal.say(terminal.table([_photo_row(record) for record in shown]))
    rest = catalogue.count(_folder(arguments)) - len(shown)
    if rest > 0:
        terminal.say(f"and {rest:,} more (--limit 0 shows all)")
    return terminal.OK


def _city_box(city_id: str) -> Box:
    from gpsdream_app.geo.city import load_city

    return load_city(city_id).box


def _landmark(text: str) -> tuple[float, float, float]:
    try:
        lat, lon, metres = (float(part) for part in text.split(","))
    except ValueError:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{text[:80]}” is not a landmark.",
            "Give latitude, longitude and metres, for example --landmark 40.7411,-73.9897,300",
        ) from None
    return lat, lon, metres


def clean_photos(arguments: argparse.Namespace, catalogue: Catalogue) -> int:
    """Show duplicates and far photos; with `--apply` leave them out of training."""
    report = commands.clean_photos(
        catalogue,
        folder=_folder(arguments),
        box=_city_box(arguments.city) if arguments.city else None,
        landmark=_landmark(arguments.landmark) if arguments.landmark else None,
        apply=arguments.apply,
    )
    if arguments.json:
        terminal.say_json({**report.to_dict(), "applied": arguments.apply})
        return terminal.OK
    terminal.say(report.table())
    found = len(report.reasons())
    if found and arguments.apply:
        terminal.say(f"{found:,} photos are left out of training.")
    elif found:
        terminal.say(f"--apply leaves these {found:,} photos out of training.")
    return terminal.OK


def split_photos(arguments: argparse.Namespace, catalogue: Catalogue) -> int:
    """Part the photos into training and validation."""
    split = commands.split_photos(
        catalogue,
        folder=_folder(arguments),
        fraction=arguments.fraction,
        by=arguments.by,
        seed=arguments.seed,
        block_metres=arguments.block_metres,
        margin_metres=arguments.margin_metres,
        out=Path(arguments.out) if arguments.out else None,
    )
    if arguments.json:
        terminal.say_json(split.to_dict())
        return terminal.OK
    terminal.say(
        f"{len(split.train):,} photos for training, {len(split.validation):,} for validation, "
        f"{len(split.left_out):,} too near to both; {split.groups:,} groups by {split.by}."
    )
    if arguments.out:
        terminal.say(f"Both lists are in {arguments.out}")
    return terminal.OK
