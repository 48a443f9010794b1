"""Trainings that were begun in the window: what each was asked for, how far it came, and its curve."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.model_shelf import free_name
from gpsdream_app.library.paths import storage_error, user_data_dir

RUN_FILE = "run.json"
SETTINGS_FILE = "settings.json"
LOG_FILE = "log.csv"
MAX_CURVE = 4000  # points that are read; a longer curve is thinned
MAX_BYTES = 32 << 20


def runs_dir() -> Path:
    """Where trainings are, a folder each."""
    return user_data_dir() / "training"


@dataclass(frozen=True, slots=True)
class Run:
    """One training.

    Attributes:
        folder: of the run; it can be resumed as long as this is there.
        name: of the model's folder when it is done.
        title: the name that people see.
        photos: folder of the photos.
        size: which of the sizes that the window offers.
        minutes: budget of one go; None for none.
        base: folder of a Stable Diffusion to start from; empty for none.
        start: folder of a model to go on from; empty for none.
        finished: whether it has done all its steps.
    """

    folder: Path
    name: str
    title: str
    photos: Path
    size: str = "small"
    minutes: float | None = None
    base: str = ""
    start: str = ""
    finished: bool = False

    def save(self) -> None:
        """Write it down. Raises GPSDreamError if the disk does not take it."""
        values = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        del values["folder"]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self.folder / RUN_FILE) as temporary:
                temporary.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise storage_error(error, self.folder, "the training was not begun") from error

    @property
    def settings_file(self) -> Path:
        """The recipe that the trainer is given."""
        return self.folder / SETTINGS_FILE


def new_run(
    title: str,
    photos: Path,
    recipe: Mapping[str, Any],
    *,
    size: str,
    minutes: float | None,
    base: str = "",
    start: str = "",
) -> Run:
    """Make the folder of a new training with its recipe.

    Raises:
        GPSDreamError: if the title is empty, or the disk does not take it.
    """
    title = " ".join(title.split())[:80]
    if not title:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "The model has no name yet.", "Give it a name.")
    name = free_name(title)
    number, wanted = 2, name
    while (runs_dir() / wanted).exists():
        wanted, number = f"{name}-{number}", number + 1
    run = Run(runs_dir() / wanted, wanted, title, photos, size, minutes, base, start)
    run.save()
    card = {**recipe.get("card", {}), "name": wanted, "title": title}
    try:
        with whole_file(run.settings_file) as temporary:
            text = json.dumps({**recipe, "card": card}, indent=1, ensure_ascii=False)
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise storage_error(error, run.folder, "the training was not begun") from error
    return run


def read_run(folder: Path) -> Run | None:
    """Read a training; None if it cannot be read."""
    try:
        path = folder / RUN_FILE
        if path.stat().st_size > 1 << 20:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
        minutes = data["minutes"]
        return Run(
            folder=folder,
            name=str(data["name"]),
            title=str(data["title"])[:80],
            photos=Path(str(data["photos"])),
            size=str(data.get("size", "")),
            minutes=float(minutes) if minutes is not None else None,
            base=str(data.get("base", "")),
            start=str(data.get("start", "")),
            finished=bool(data.get("finished")),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def list_runs() -> list[Run]:
    """Return all trainings that can be gone on with, the newest first."""
    found = []
    with contextlib.suppress(OSError, GPSDreamError):
        for folder in runs_dir().iterdir():
            run = read_run(folder)
            if run is not None:
                found.append((folder.stat().st_mtime, run))
    return [run for _, run in sorted(found, key=lambda item: -item[0])]


def delete_run(run: Run) -> None:
    """Delete what a training has left behind; the model that came of it stays."""
    if run.folder.parent == runs_dir():
        shutil.rmtree(run.folder, ignore_errors=True)


def mark_finished(run: Run) -> Run:
    """Write down that a training has done all its steps, and return it."""
    done = replace(run, finished=True)
    done.save()
    return done


@dataclass(frozen=True, slots=True)
class Curve:
    """How the loss went.

    Attributes:
        loss: (samples seen, loss) of training.
        validation: the same on held-out photos.
        steps: that were done.
    """

    loss: list[tuple[float, float]] = field(default_factory=list)
    validation: list[tuple[float, float]] = field(default_factory=list)
    steps: int = 0


def read_curve(folder: Path) -> Curve:
    """Read the log of a run; what cannot be read is passed over."""
    loss: list[tuple[float, float]] = []
    validation: list[tuple[float, float]] = []
    steps = 0
    with contextlib.suppress(OSError, csv.Error, UnicodeDecodeError):
        if (folder / LOG_FILE).stat().st_size > MAX_BYTES:
            return Curve()
        with (folder / LOG_FILE).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    samples, value = float(row["samples"]), float(row["loss"])
                    if math.isfinite(samples) and math.isfinite(value):
                        loss.append((samples, value))
                        steps = int(row["step"])
                    if row["validation_loss"] and math.isfinite(float(row["validation_loss"])):
                        validation.append((samples, float(row["validation_loss"])))
    thin = max(1, len(loss) // MAX_CURVE)
    return Curve(loss[::thin], validation, steps)


def newest_sheet(folder: Path) -> Path | None:
    """Return the newest sheet of validation pictures of a run; None if there is none yet."""
    with contextlib.suppress(OSError):
        return max((folder / "validation").glob("step-*.png"), default=None)
    return None
