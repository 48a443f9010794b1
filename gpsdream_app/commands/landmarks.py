"""`gpsdream landmarks`: list, add and remove landmarks, and bring their photos to one framing."""

from __future__ import annotations

import argparse
from pathlib import Path

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.geo.coordinates import parse_coordinates
from gpsdream_app.library.landmarks import LandmarkEntry, LandmarkStore


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask and return the exit code."""
    store = LandmarkStore()
    if store.notice:
        terminal.note(f"gpsdream: {store.notice}")
    actions = {"list": _list, "add": _add, "remove": _remove, "frame": _frame}
    return actions[arguments.action](arguments, store)


def _list(arguments: argparse.Namespace, store: LandmarkStore) -> int:
    entries = store.list()
    if arguments.json:
        terminal.say_json({"landmarks": [entry.to_dict() for entry in entries]})
        return terminal.OK
    rows = [
        (
            entry.id,
            entry.landmark.title,
            f"{entry.landmark.lat:.5f}, {entry.landmark.lon:.5f}",
            "not known" if entry.height is None else f"{entry.height:g} m",
            str(entry.photos or ""),
        )
        for entry in entries
    ]
    terminal.say(terminal.table(rows, ("id", "name", "place", "height", "photos")))
    return terminal.OK


def _add(arguments: argparse.Namespace, store: LandmarkStore) -> int:
    place = parse_coordinates(arguments.place)
    if place is None:
        raise GPSDreamError(
            ErrorKind.BAD_LOCATION,
            f"“{arguments.place[:60]}” is no pair of coordinates.",
            "Such as 40.74106,-73.98970.",
        )
    photos, masks = _folder(arguments.photos), _folder(arguments.masks)
    entry = store.add(arguments.name, place[0], place[1], arguments.height, photos, masks)
    return _told(arguments, entry, f"gpsdream: Added {entry.landmark.name} as {entry.id}.")


def _remove(arguments: argparse.Namespace, store: LandmarkStore) -> int:
    entry = store.get(arguments.id)
    store.remove(entry.id)
    return _told(arguments, entry, f"gpsdream: Removed {entry.landmark.name}; its photos stay.")


def _told(arguments: argparse.Namespace, entry: LandmarkEntry, sentence: str) -> int:
    terminal.note(sentence)
    if arguments.json:
        terminal.say_json(entry.to_dict())
    return terminal.OK


def _folder(text: str | None) -> Path | None:
    """Return the folder that is meant. Raises GPSDreamError of kind `bad_request` if it is not there."""
    if text is None:
        return None
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"There is no folder “{text[:80]}”.")
    return path


def _frame(arguments: argparse.Namespace, store: LandmarkStore) -> int:
    # Imported late: scipy takes half a second.
    from gpsdream_app.landmarks.collection import MASKS, photos_of, records_in
    from gpsdream_app.landmarks.framing import Source, frame_sources

    photos, masks = _folder(arguments.photos), _folder(arguments.masks)
    chosen = [store.get(one) for one in arguments.landmark] if arguments.landmark else list(store.list())
    sources, left_out = [], []
    everything = records_in(photos) if photos else None
    landmarks = [entry.landmark for entry in store.list()]
    for entry in chosen:
        folder = photos or entry.photos
        if folder is None:
            if arguments.landmark:
                raise GPSDreamError(
                    ErrorKind.BAD_REQUEST,
                    f"{entry.landmark.title} has no folder of photos.",
                    "Name one with --photos, or in the window.",
                )
            continue
        records, unread = everything or records_in(folder)
        if everything is None:
            left_out += unread
        others = landmarks if everything and len(chosen) > 1 else ()
        sources.append(
            Source(
                entry.landmark,
                photos_of(entry.landmark, records, others),
                masks or entry.masks or folder / MASKS,
                entry.height is not None,
            )
        )
    if everything is not None:
        left_out += everything[1]
    if not sources:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "No landmark has a folder of photos.", "Name one with --photos and --masks."
        )
    out = Path(arguments.out).expanduser().absolute()
    with terminal.Progress("Framing") as progress:
        report = frame_sources(sources, out, arguments.side, progress=lambda done, total: progress.update(done, total))
    left_out += report.left_out
    if arguments.json:
        terminal.say_json(
            {
                "out": str(out),
                "framed": dict(report.framed),
                "framing": {name: framing.to_dict() for name, framing in report.framings.items()},
                "left_out": [{"file": str(photo.path), "why": photo.why} for photo in left_out],
            }
        )
        return terminal.OK
    for sentence in type(report)(report.framed, left_out).sentences():
        terminal.say(sentence)
    return terminal.OK
