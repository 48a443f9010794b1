"""Where a person's files live, and how a disk that refuses is put in words.

The environment variable GPSDREAM_HOME puts everything under one folder.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import platformdirs

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

APP_NAME = "GPSDream"
HOME_VARIABLE = "GPSDREAM_HOME"


def storage_error(error: OSError, path: Path | str, what: str) -> GPSDreamError:
    """Put an error of the disk in words.

    Args:
        error: what the system said.
        path: the file or folder that it is about.
        what: what could not be done, to be read after a colon: "the picture was not saved".

    Returns:
        An error of kind `disk_full`, which stands for every way in which a disk can refuse.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason, hint = "The disk is full", "Free some space and try again."
    elif error.errno == errno.EROFS:
        reason, hint = f"{path} is on a disk that cannot be written to", "Choose another folder."
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason, hint = f"GPSDream may not write to {path}", "Choose another folder, or change its permissions."
    else:
        reason, hint = f"{path} cannot be written ({error.strerror or error})", "Choose another folder."
    return GPSDreamError(ErrorKind.DISK_FULL, f"{reason}: {what}.", hint, details=repr(error))


def _made(folder: Path) -> Path:
    """Create a folder if it is missing. Raises GPSDreamError of kind `disk_full` if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder, "the folder was not created") from error
    return folder


def user_data_dir() -> Path:
    """The base folder of everything that GPSDream keeps for this person."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return _made(Path(home).expanduser().absolute())
    return _made(Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)))


def pictures_dir() -> Path:
    """Where finished pictures go."""
    return _made(user_data_dir() / "pictures")


def models_dir() -> Path:
    """Where installed models live, one folder each."""
    return _made(user_data_dir() / "models")


def log_dir() -> Path:
    """Where log files go."""
    if os.environ.get(HOME_VARIABLE):
        return _made(user_data_dir() / "logs")
    return _made(Path(platformdirs.user_log_dir(APP_NAME, appauthor=False)))


def cache_dir() -> Path:
    """Files that may be deleted at any time."""
    if os.environ.get(HOME_VARIABLE):
        return _made(user_data_dir() / "cache")
    return _made(Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False)))


def catalogue_path() -> Path:
    """The SQLite file of the photo catalogue."""
    return user_data_dir() / "catalogue.sqlite"


def library_path() -> Path:
    """The SQLite file of the library of pictures."""
    return user_data_dir() / "library.sqlite"


def new_picture_path(folder: Path, created: str, result_id: str) -> Path:
    """Where a new picture goes: named by when it was made, in a folder per month, and never by where.

    Args:
        folder: usually `pictures_dir()`.
        created: ISO 8601 time in UTC, as in `Result.created`.
        result_id: as in `Result.id`; its head keeps two pictures of the same second apart.
    """
    day, _, time = created.partition("T")
    return folder / day[:7] / f"{day} {time[:8].replace(':', '')} {result_id[:12]}.png"


def series_dir(folder: Path, key: str) -> Path:
    """Where the frames of a series are.

    Args:
        folder: usually `pictures_dir()`.
        key: of the series, as in `SeriesRequest.key`.
    """
    return folder / "series" / key


def frame_path(folder: Path, key: str, index: int) -> Path:
    """Where frame `index` (from 0) of a series is; see `series_dir` for the others."""
    return series_dir(folder, key) / f"{index:05d}.png"


def patches_dir(key: str) -> Path:
    """Where the cut-outs of a search for typical patches go; `key` names the search."""
    return cache_dir() / "patches" / key
