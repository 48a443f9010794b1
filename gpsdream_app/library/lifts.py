"""Lifts on the disk: one folder each, found by what was asked for and the weights that answered. No torch here.

A folder holds `request.json` from the first moment, checkpoints while the lift runs, and `result.json` when all other
files of a finished lift are there.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftRequest, LiftResult
from gpsdream_app.library.paths import storage_error, user_data_dir

REQUEST_FILE = "request.json"
RESULT_FILE = "result.json"
DENSITY_FILE = "density.npz"
MESH_FILE = "mesh.glb"
LOOK_FILE = "look.png"
CHECKPOINTS = "checkpoint"  # folder in a lift's folder, gone when the lift is finished
REMOVED = ".removed "  # begins the name of a folder that a person has taken out of the history

# Seconds on two cores with the model that comes along, where nothing is known yet of this computer.
TYPICAL_SECONDS = {
    LiftMethod.VIEWS: {LiftQuality.FAST: 20.0, LiftQuality.BALANCED: 45.0, LiftQuality.FINE: 120.0},
    LiftMethod.REFINE: {LiftQuality.FAST: 35.0, LiftQuality.BALANCED: 90.0, LiftQuality.FINE: 240.0},
    LiftMethod.SDS: {LiftQuality.FAST: 90.0, LiftQuality.BALANCED: 300.0, LiftQuality.FINE: 900.0},
    LiftMethod.TEXT: {LiftQuality.FAST: 90.0, LiftQuality.BALANCED: 300.0, LiftQuality.FINE: 900.0},
}


@dataclass(frozen=True, slots=True)
class UnfinishedLift:
    """A lift that has begun and has not ended; asked for again, it goes on from its last checkpoint.

    Attributes:
        request: what was asked for.
        folder: absolute path.
        begun: seconds since the epoch at which it was begun.
    """

    request: LiftRequest
    folder: str
    begun: float


def lifts_dir() -> Path:
    """Where lifts are, one folder each."""
    folder = user_data_dir() / "lifts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder, "the folder was not created") from error
    return folder


def lift_folder(request: LiftRequest, model_hash: str, base: Path | None = None) -> Path:
    """Where a lift is, finished or not: equal requests to the same weights have the same folder.

    Args:
        request: what is asked for.
        model_hash: of the model's weights, hexadecimal.
        base: where lifts are; `lifts_dir()` if None.
    """
    return (base or lifts_dir()) / f"{request.key[:16]}-{model_hash[:8]}"


def begin_lift(request: LiftRequest, folder: Path) -> None:
    """Write down what a folder is for.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    _write_json(folder / REQUEST_FILE, request.to_dict(), "the lift was not begun")


def save_result(result: LiftResult) -> None:
    """Write `result.json`, which makes the lift a finished one.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    _write_json(Path(result.folder) / RESULT_FILE, result.to_dict(), "the lift was not saved")


def read_lift(folder: Path) -> LiftResult:
    """Read a finished lift.

    Raises:
        GPSDreamError: of kind `bad_request` if there is none, or it is damaged.
    """
    try:
        data = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        result = LiftResult.from_dict(data)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"“{folder.name[:80]}” holds no finished lift.", details=repr(error)
        ) from None
    if not (folder / DENSITY_FILE).is_file():
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The shape of the lift in “{folder.name[:80]}” is missing.")
    # Folders may be moved, with everything in them.
    return replace(result, id=folder.name, folder=str(folder.absolute()))


def find_lift(request: LiftRequest, model_hash: str, base: Path | None = None) -> LiftResult | None:
    """Return the finished lift of a request and weights, if there is one. One that was kept early can still go on.

    Args:
        request: what is asked for.
        model_hash: of the weights that would lift it now.
        base: see `lift_folder`.
    """
    with contextlib.suppress(GPSDreamError):
        result = read_lift(lift_folder(request, model_hash, base))
        same = result.request.key == request.key and result.model_hash[:8] == model_hash[:8]
        if same and not result.kept_early:
            return result
    return None


def list_lifts(base: Path | None = None) -> list[LiftResult]:
    """Return all finished lifts, the newest first. Folders that cannot be read are passed over."""
    found = []
    for folder in _folders(base):
        with contextlib.suppress(GPSDreamError):
            found.append(read_lift(folder))
    return sorted(found, key=lambda result: result.created, reverse=True)


def list_unfinished(base: Path | None = None) -> list[UnfinishedLift]:
    """Return the lifts that have begun and have no result, the newest first; one of them may be running."""
    found = []
    for folder in _folders(base):
        path = folder / REQUEST_FILE
        if (folder / RESULT_FILE).is_file():
            continue
        with contextlib.suppress(OSError, ValueError, GPSDreamError, RecursionError):
            request = LiftRequest.from_dict(json.loads(path.read_text(encoding="utf-8")))
            found.append(UnfinishedLift(request, str(folder.absolute()), path.stat().st_mtime))
    return sorted(found, key=lambda lift: lift.begun, reverse=True)


def remove_lift(result: LiftResult) -> None:
    """Take a lift out of the history. Its files stay until `forget_removed`, so that `restore_lift` can undo it.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    folder = Path(result.folder)
    with _disk(folder, "the lift was not removed"):
        _discard(folder.with_name(REMOVED + folder.name))
        folder.rename(folder.with_name(REMOVED + folder.name))


def restore_lift(result: LiftResult) -> None:
    """Undo `remove_lift`.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses, or the files are gone.
    """
    folder = Path(result.folder)
    with _disk(folder, "the lift was not restored"):
        folder.with_name(REMOVED + folder.name).rename(folder)


def forget_removed(base: Path | None = None) -> None:
    """Delete the files of all lifts that were removed. What cannot be deleted stays."""
    with contextlib.suppress(OSError):
        for folder in (base or lifts_dir()).iterdir():
            if folder.name.startswith(REMOVED):
                _discard(folder)


def discard_unfinished(lift: UnfinishedLift) -> None:
    """Delete an unfinished lift and its checkpoints. Not for one that is running."""
    _discard(Path(lift.folder))


def expected_seconds(request: LiftRequest, past: Sequence[LiftResult]) -> tuple[float, bool]:
    """Guess how long a lift will take.

    Args:
        request: what will be asked for.
        past: finished lifts, as `list_lifts` returns them.

    Returns:
        Seconds, and whether lifts of the same method and quality on this computer say so. If only others are known, how
        long they took beside what is typical counts; else what is typical.
    """
    whole = [lift for lift in past if not lift.kept_early and lift.seconds > 0]
    same = [
        lift.seconds
        for lift in whole
        if (lift.request.method, lift.request.quality) == (request.method, request.quality)
    ]
    if same:
        return median(same[:5]), True
    typical = TYPICAL_SECONDS[request.method][request.quality]
    ratios = [lift.seconds / TYPICAL_SECONDS[lift.request.method][lift.request.quality] for lift in whole[:5]]
    return typical * (median(ratios) if ratios else 1.0), False


def _folders(base: Path | None) -> list[Path]:
    try:
        return [folder for folder in (base or lifts_dir()).iterdir() if not folder.name.startswith(".")]
    except (OSError, GPSDreamError):
        return []


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, what) from error


def _write_json(path: Path, data: object, what: str) -> None:
    with _disk(path, what), whole_file(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1), encoding="utf-8")
