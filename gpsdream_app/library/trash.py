"""The trash: a folder beside the library into which deleted pictures are moved, and from which they come back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from gpsdream_app.library.paths import storage_error

TRASH_DAYS = 30
_ID = re.compile("[0-9a-f]{32}")


def trashed_path(folder: Path, result_id: str) -> Path:
    """Return where a deleted picture lies.

    Args:
        folder: the trash.
        result_id: as in `Result.id`.
    """
    return folder / f"{result_id}.png"


def trashed_files(folder: Path) -> list[Path]:
    """Return the deleted pictures that lie in a trash."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.png") if _ID.fullmatch(path.stem))


def throw_away(path: Path, folder: Path, result_id: str) -> None:
    """Move a picture into the trash; does nothing if its file is gone.

    Raises:
        GPSDreamError: of kind `disk_full` if the file cannot be moved.
    """
    try:
        if path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(path, trashed_path(folder, result_id))
    except OSError as error:
        raise storage_error(error, path, "the picture was not deleted") from error


def bring_back(path: Path, folder: Path, result_id: str) -> bool:
    """Move a picture back to where it was; returns whether its file is there.

    Raises:
        GPSDreamError: of kind `disk_full` if the file cannot be moved.
    """
    trashed = trashed_path(folder, result_id)
    try:
        if trashed.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(trashed, path)
    except OSError as error:
        raise storage_error(error, path, "the picture was not restored") from error
    return path.exists()


def delete_for_good(folder: Path, result_id: str) -> None:
    """Delete the file of a picture in the trash.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    path = trashed_path(folder, result_id)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path, "the picture was not deleted") from error
