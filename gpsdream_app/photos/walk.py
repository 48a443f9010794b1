"""All files under a folder, one by one: links are followed once, and what cannot be entered is told."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from gpsdream_app.photos.records import Outcome, Reason, clean_text

_Identity = tuple[int, int]


def printable(path: str) -> str:
    """Return a path whose bytes that are not valid text are written as escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def walk(root: Path, cancelled: Callable[[], bool] | None = None) -> Iterator[str | Outcome]:
    """Yield the path of every file under a folder, and an outcome for everything that is not a file to read.

    The order is that of the names; files of a folder come before its subfolders, folders behind links come last, so
    that a photo is found under its own name first. Hidden folders are left out, each with an outcome.

    Args:
        root: an absolute path.
        cancelled: asked once per folder; the walk ends when it says so.
    """
    # The folders above the root count as seen: a link to one of them would bring in the whole disk.
    seen = {identity for folder in (root, *root.parents) if (identity := _identity(str(folder)))}
    folders, links = [str(root)], list[str]()
    while folders or links:
        if cancelled and cancelled():
            return
        if not folders:
            link = links.pop(0)
            identity = _identity(link)
            if identity is None or identity in seen:
                yield Outcome(Path(link), Reason.LINK_LOOP if identity else Reason.BROKEN_LINK)
                continue
            seen.add(identity)
            folders.append(link)
        folder = folders.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Outcome(Path(folder), Reason.UNREADABLE_FOLDER, clean_text(error.strerror or "", 100).lower())
            continue
        below: list[str] = []
        for entry in entries:
            path = entry.path
            try:
                path.encode("utf-8")
            except UnicodeEncodeError:
                yield Outcome(Path(printable(path)), Reason.BAD_NAME)
                continue
            try:
                if entry.is_symlink():
                    mode = os.stat(path).st_mode  # noqa: PTH116  a Path per file costs more than the call
                    if stat.S_ISDIR(mode):
                        links.append(path)
                        continue
                    is_folder, is_file = False, stat.S_ISREG(mode)
                else:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:
                broken = Reason.BROKEN_LINK if entry.is_symlink() else Reason.UNREADABLE
                yield Outcome(Path(path), broken, clean_text(error.strerror or "", 100).lower())
                continue
            if is_file:
                yield path
            elif not is_folder:
                yield Outcome(Path(path), Reason.NOT_A_FILE)
            elif entry.name.startswith("."):
                yield Outcome(Path(path), Reason.HIDDEN_FOLDER)
            elif (identity := _identity(path)) is not None and identity in seen:
                yield Outcome(Path(path), Reason.LINK_LOOP)
            else:
                if identity is not None:
                    seen.add(identity)
                below.append(path)
        folders.extend(reversed(below))


def _identity(folder: str) -> _Identity | None:
    """Return what tells a folder from every other one, whatever it is called; None if it is not there."""
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
