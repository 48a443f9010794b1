"""`gpsdream models`: what is installed, what it is, whether it is whole, and downloads if a person asks."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.domain.words import size_words

SECONDS_TO_STOP = 3.0


def run(arguments: argparse.Namespace) -> int:
    """Do `list`, `show`, `verify` or `get`, and return the exit code."""
    actions = {"list": list_models, "show": show_model, "verify": verify_models, "get": get_model}
    return actions[arguments.action](arguments)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def list_models(arguments: argparse.Namespace) -> int:
    """Show installed models, and those that can be downloaded."""
    from gpsdream_app.library import downloads, model_folders, paths

    installed = model_folders.list_models()
    names = {model.name for model in installed}
    bases = [item for item in downloads.downloads() if item.name not in names]
    here = {item.name for item in bases if (paths.models_dir() / item.name).is_dir()}
    if arguments.json:
        terminal.say_json(
            {
                "installed": [
                    {
                        "name": model.name,
                        "title": model.card.title,
                        "path": str(model.path),
                        "source": model.source,
                        "bytes": _bytes_in(model.path),
                        "default": model.name == DEFAULT_MODEL,
                    }
                    for model in installed
                ],
                "downloads": [
                    {"name": item.name, "title": item.title, "bytes": item.size, "installed": item.name in here}
                    for item in bases
                ],
            }
        )
        return terminal.OK
    if installed:
        rows = [
            (
                model.name + (" *" if model.name == DEFAULT_MODEL else ""),
                model.card.title,
                f"{model.card.image_size} px",
                size_words(_bytes_in(model.path)),
                str(model.path),
            )
            for model in installed
        ]
        terminal.say(terminal.table(rows, ("name", "title", "picture", "size", "folder")))
    else:
        terminal.say("No model is installed.")
    if bases:
        terminal.say("\nBases to train from (gpsdream models get NAME):")
        state = {True: "downloaded", False: ""}
        rows = [
            (item.name, item.title, size_words(item.size), item.licence, state[item.name in here]) for item in bases
        ]
        terminal.say(terminal.table(rows))
    return terminal.OK


def show_model(arguments: argparse.Namespace) -> int:
    """Show a model's card."""
    import json

    from gpsdream_app.library.model_folders import find_model, read_card

    folder = find_model(arguments.name or DEFAULT_MODEL)
    card = read_card(folder)
    if arguments.json:
        terminal.say_json({"path": str(folder), "card": json.loads(card.to_json())})
        return terminal.OK
    box = card.box
    rows = [
        ("folder", f"{folder} ({size_words(_bytes_in(folder))})"),
        ("picture", f"{card.image_size} x {card.image_size} pixels"),
        ("area", f"{box.south:.4f} to {box.north:.4f} north, {box.west:.4f} to {box.east:.4f} east"),
        ("headings", "yes" if card.has_heading else "no"),
        ("licence", card.licence or "not given"),
    ]
    if card.coverage:
        photos = sum(cell[2] for cell in card.coverage.cells)
        rows.append(("has seen", f"{photos:,} photos in {len(card.coverage.cells):,} cells"))
    rows += [(key.replace("_", " "), _short(value)) for key, value in card.training.items() if value is not None]
    rows += [(f"score: {key}", _short(value)) for key, value in card.scores.items()]
    terminal.say(f"{card.title}\n{card.description}\n")
    terminal.say(terminal.table(rows))
    if card.words:
        terminal.say("\nwords it knows: " + ", ".join(card.words))
    for example in card.examples:
        place = example.place
        terminal.say(f"example: {place.name or 'a place'} ({place.lat:.5f}, {place.lon:.5f}): {example.prompt}")
    return terminal.OK


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def verify_models(arguments: argparse.Namespace) -> int:
    """Check every file of one model, or of all that are installed."""
    from gpsdream_app.library.model_folders import find_model, list_models, verify_model

    folders = [find_model(arguments.name)] if arguments.name else [model.path for model in list_models()]
    failures = {str(folder): verify_model(folder) for folder in folders}
    broken = any(failures.values())
    if arguments.json:
        terminal.say_json(
            {
                folder: [{"kind": str(item.kind), "message": item.message, "hint": item.hint} for item in found]
                for folder, found in failures.items()
            }
        )
    else:
        for folder, found in failures.items():
            terminal.say(f"{folder}: {'whole' if not found else 'damaged'}")
            for item in found:
                terminal.say(f"  {item.message} {item.hint}".rstrip())
        if not folders:
            terminal.say("No model is installed.")
    return terminal.FAILED if broken else terminal.OK


def get_model(arguments: argparse.Namespace) -> int:
    """Download a base model; Ctrl-C stops, and the next call goes on."""
    from gpsdream_app.library import downloads

    item = downloads.find_download(arguments.name)
    stop = threading.Event()
    outcome: list[Path | BaseException] = []
    terminal.note(f"{item.title}: {size_words(item.size)}, licence {item.licence}")
    with terminal.Progress("Downloading", size_words) as progress:
        started = time.monotonic()
        first: list[int] = []

        def on_progress(done: int, total: int) -> None:
            first.append(done) if not first else None
            fetched = done - first[0]
            left = (total - done) * (time.monotonic() - started) / fetched if fetched > 0 else None
            progress.update(done, total, seconds_left=left)

        def fetch() -> None:
            try:
                outcome.append(downloads.get(item, on_progress, stop.is_set))
            except BaseException as error:
                outcome.append(error)

        # On a thread, so that Ctrl-C asks the transfers to stop instead of waiting for them.
        thread = threading.Thread(target=fetch, name="download", daemon=True)
        with terminal.cancel_on_signal(stop.set):
            thread.start()
            patience = SECONDS_TO_STOP
            while thread.is_alive() and patience > 0:
                thread.join(0.2)
                patience -= 0.2 if stop.is_set() else 0
    # A transfer that hangs is left behind: what it has written is whole as far as it goes.
    match outcome[0] if outcome else downloads.DownloadCancelled():
        case Path() as folder:
            if arguments.json:
                terminal.say_json({"name": item.name, "path": str(folder)})
            else:
                terminal.say(f"{item.title} is in {folder}")
                terminal.say(f"Train from it: gpsdream train --base {folder} --photos DIR --out FOLDER")
            return terminal.OK
        case downloads.DownloadCancelled():
            terminal.note("gpsdream: Cancelled. The next `gpsdream models get` goes on where it was.")
            return terminal.CANCELLED
        case GPSDreamError() as error:
            raise error
        case error:
            raise error
