"""Training a model, without widgets: the process that does it, how far it is, and the trainings of other days."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal
from PySide6.QtGui import QImage

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.library.model_shelf import install_trained
from gpsdream_app.library.training_runs import (
    Curve,
    Run,
    delete_run,
    list_runs,
    mark_finished,
    new_run,
    newest_sheet,
    read_curve,
)
from gpsdream_app.training.config import DataConfig, LoopConfig, ModelConfig, TrainConfig
from gpsdream_app.ui.background import Background

log = logging.getLogger(__name__)

TRAINER = (sys.executable, "-m", "gpsdream_app.training")
EXIT_STOPPED = 130
LOOK_MILLISECONDS = 2000
CLOSE_MILLISECONDS = 15_000
MAX_LINE_BYTES = 1_000_000
LAST_WORDS = 30
FROM_BASE = "base"

SIZES: dict[str, TrainConfig] = {
    "small": TrainConfig(
        data=DataConfig(stored_side=128),
        model=ModelConfig(
            image_size=64,
            unet_channels=(64, 96, 128),
            text_width=128,
            location_hidden=192,
            refiner_widths=(32, 24, 16),
            refiner_blocks=1,
        ),
        loop=LoopConfig(
            steps=6000,
            warm_up=100,
            cool_down=500,
            codec_steps=400,
            refiner_steps=300,
            map_steps=300,
            checkpoint_every=100,
            validate_every=250,
        ),
    ),
    "medium": TrainConfig(loop=LoopConfig(checkpoint_every=250, validate_every=500)),
    "large": TrainConfig(
        data=DataConfig(stored_side=384),
        model=ModelConfig(image_size=256, unet_channels=(128, 192, 256), map_hidden=256),
        loop=LoopConfig(steps=40_000, batch=24, checkpoint_every=250, validate_every=1000),
    ),
    FROM_BASE: TrainConfig.for_base(),
}


def recipe(size: str) -> dict[str, Any]:
    """Return the settings of one of the `SIZES` as JSON values."""
    return asdict(SIZES[size])


class TrainState(StrEnum):
    """How far a training is."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    Attributes:
        run: the training.
        model: name of the installed model; empty if there is none yet.
        finished: whether it did all its steps.
    """

    run: Run
    model: str
    finished: bool


class Training(QObject):
    """Runs one training at a time in a process of its own, which writes down what it has learned again and again.

    Signals:
        changed: state or progress are others now.
        curve_changed: the loss or the validation pictures went on.
        runs_changed: there are other trainings to go on with.
        ended: a training ended well, or was stopped and saved (`Outcome`).
    """

    changed = Signal()
    curve_changed = Signal()
    runs_changed = Signal()
    ended = Signal(object)

    def __init__(self, background: Background, command: Sequence[str] = TRAINER, parent: QObject | None = None) -> None:
        """Make it; nothing is started or read.

        Args:
            background: reads and writes files.
            command: what starts the process that trains.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self.command = tuple(command)
        self._background = background
        self.state = TrainState.IDLE
        self.run: Run | None = None
        self.runs: list[Run] = []
        self.failure: Failure | None = None
        self.text = ""
        self.stage_fraction = 0.0
        self.step, self.steps = 0, 0
        self.loss: float | None = None
        self.rate = 0.0
        self.seconds_left: float | None = None
        self.curve = Curve()
        self.sheet = QImage()
        self._sheet_path: Path | None = None
        self._began = 0.0
        self._process: QProcess | None = None
        self._rest = b""
        self._final: dict[str, Any] = {}
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._looking = False
        self._look_due = QTimer(self)
        self._look_due.setInterval(LOOK_MILLISECONDS)
        self._look_due.timeout.connect(self.look)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None

    @property
    def fraction(self) -> float:
        """How much of the time that was given, or of the steps, is over, 0 to 1."""
        steps = self.step / self.steps if self.steps else 0.0
        budget = self.run.minutes if self.run else None
        passed = (time.monotonic() - self._began) / (60 * budget) if budget and self.running else 0.0
        return min(1.0, max(steps, passed))

    @property
    def time_left(self) -> float | None:
        """Seconds until the steps are done or the budget is over, whatever comes first; None if not known."""
        budget = self.run.minutes if self.run and self.running else None
        rest = max(0.0, 60 * budget - (time.monotonic() - self._began)) if budget else None
        known = [value for value in (self.seconds_left, rest) if value is not None]
        return min(known) if known else None

    # -- what there is --

    def read_runs(self) -> None:
        """Read which trainings can be gone on with."""

        def found(runs: list[Run]) -> None:
            self.runs = runs
            self.runs_changed.emit()

        self._background.run(self, list_runs, found)

    def show(self, run: Run) -> None:
        """Show the curve and pictures of another training; does nothing while one runs."""
        if not self.running:
            self._take_up(run)
            self._become(TrainState.IDLE)
            self.look()

    def _take_up(self, run: Run) -> None:
        self.run = run
        self.failure, self._final, self._rest = None, {}, b""
        self.step, self.steps, self.loss, self.rate = 0, 0, None, 0.0
        self.seconds_left, self.stage_fraction = None, 0.0
        self.curve, self.sheet, self._sheet_path = Curve(), QImage(), None
        self._last_words.clear()
        self.curve_changed.emit()

    def look(self) -> None:
        """Read curve and validation pictures of the training that is shown."""
        run, known = self.run, self._sheet_path
        if run is None or self._looking:
            return
        self._looking = True

        def read() -> tuple[Curve, Path | None, QImage]:
            path = newest_sheet(run.folder)
            image = QImage(str(path)) if path is not None and path != known else QImage()
            return read_curve(run.folder), path, image

        def take(found: tuple[Curve, Path | None, QImage]) -> None:
            self._looking = False
            curve, path, image = found
            if run is not self.run:
                return
            changed = curve != self.curve or not image.isNull()
            self.curve = curve
            if not image.isNull():
                self.sheet, self._sheet_path = image, path
            if changed:
                self.curve_changed.emit()

        def failed(_: Failure) -> None:
            self._looking = False

        self._background.run(self, read, take, failed)

    # -- training --

    def begin(
        self,
        title: str,
        photos: Path,
        size: str,
        minutes: float | None,
        *,
        base: str = "",
        start: str = "",
        failed: Callable[[Failure], None],
    ) -> None:
        """Begin a new training. Does nothing while one runs.

        Args:
            title: of the model.
            photos: folder of the photos.
            size: one of `SIZES`.
            minutes: budget; None for none.
            base: Stable Diffusion folder to start from; empty for none.
            start: model folder to go on from; empty for none.
            failed: is told why it could not begin.
        """
        if self.running:
            return
        wanted = FROM_BASE if base else size

        def make() -> Run:
            return new_run(title, photos, recipe(wanted), size=wanted, minutes=minutes, base=base, start=start)

        self._background.run(self, make, self.go_on, failed, priority=3)

    def go_on(self, run: Run, minutes: float | None = None) -> None:
        """Begin a training, or go on with one that was stopped. Does nothing while one runs.

        Args:
            run: which.
            minutes: another budget; that of the run if None.
        """
        if self.running:
            return
        if minutes is not None:
            run = replace(run, minutes=minutes)
        self._take_up(run)
        process = self._process = QProcess(self)
        process.setProgram(self.command[0])
        # Values are joined to their names, so that no folder's name looks like an option.
        arguments = [
            *self.command[1:],
            "--json",
            f"--photos={run.photos}",
            f"--out={run.folder}",
            f"--config={run.settings_file}",
        ]
        if run.base:
            arguments.append(f"--base={run.base}")
        elif run.start:
            arguments.append(f"--start-from={run.start}")
        if run.minutes:
            arguments.append(f"--minutes={run.minutes}")
        process.setArguments(arguments)
        process.setStandardInputFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read_output)
        process.readyReadStandardError.connect(self._read_errors)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._process_failed)
        self._began = time.monotonic()
        self.text = self.tr("Starting")
        self._become(TrainState.RUNNING)
        process.start()
        self._look_due.start()
        self.look()

    def stop(self) -> None:
        """Have the training save what it has learned and stop; asked once more, it ends at once."""
        if self._process is None:
            return
        if self.state is TrainState.STOPPING:
            self._process.kill()
            return
        self._become(TrainState.STOPPING)
        self._process.terminate()

    def discard(self, run: Run) -> None:
        """Delete what a training has left behind; the model that came of it stays. Does nothing while it runs."""
        if self.running and self.run and self.run.folder == run.folder:
            return
        if self.run and self.run.folder == run.folder:
            self.run, self.curve, self.sheet = None, Curve(), QImage()
            self._become(TrainState.IDLE)
            self.curve_changed.emit()
        self._background.run(self, lambda: delete_run(run), lambda _: self.read_runs())

    def forget_failure(self) -> None:
        """Take the sentence about the last failure away."""
        self.failure = None
        self._become(self.state if self.running else TrainState.IDLE)

    def close(self, timeout_milliseconds: int = CLOSE_MILLISECONDS) -> None:
        """Have the process save and end; nothing of it is left when this returns."""
        process, self._process = self._process, None
        self._look_due.stop()
        if process is None:
            return
        process.blockSignals(True)
        process.terminate()
        if not process.waitForFinished(timeout_milliseconds):
            process.kill()  # its last checkpoint stays
            process.waitForFinished(timeout_milliseconds)
        process.deleteLater()

    def _become(self, state: TrainState) -> None:
        self.state = state
        self.changed.emit()

    def _read_output(self) -> None:
        if self._process is None:
            return
        data = self._rest + bytes(self._process.readAllStandardOutput().data())
        *lines, rest = data.split(b"\n")
        self._rest = rest if len(rest) <= MAX_LINE_BYTES else b""
        for line in lines:
            self._take(line)

    def _read_errors(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
            self._last_words.extend(line[:500] for line in text.splitlines() if line.strip())

    def _take(self, line: bytes) -> None:
        """Take one line; a library's stray word is passed over."""
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                return
            if "stage" in values:
                total = float(values["total"])
                self.text = str(values["stage"])[:200]
                self.stage_fraction = min(max(float(values["done"]) / total, 0.0), 1.0) if total > 0 else 0.0
            elif "step" in values:
                left = values.get("seconds_left")
                self.step, self.steps = int(values["step"]), int(values["steps"])
                self.loss, self.rate = float(values["loss"]), float(values["samples_per_second"])
                self.seconds_left = float(left) if left is not None else None
                self.text = ""
            else:
                self._final = values
                return
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return
        self.changed.emit()

    def _process_failed(self, error: QProcess.ProcessError) -> None:
        # After every other error `finished` comes, too.
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            details = self._process.errorString()
            self._let_go()
            self._fail(
                Failure(
                    ErrorKind.INTERNAL,
                    self.tr("The process that trains cannot be started."),
                    self.tr("Install GPSDream again."),
                    details,
                )
            )

    def _ended(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._process is None or self.run is None:
            return
        self._read_output()
        self._read_errors()
        run, final, stopping = self.run, self._final, self.state is TrainState.STOPPING
        self._let_go()
        self.look()
        crashed = status is QProcess.ExitStatus.CrashExit
        if not crashed and code in (0, EXIT_STOPPED):
            self._become(TrainState.IDLE)
            self._install(run, finished=code == 0)
        elif stopping:
            # Ended at once: the last checkpoint stays.
            self._become(TrainState.IDLE)
            self.read_runs()
            self.ended.emit(Outcome(run, "", False))
        else:
            self._fail(self._failure_of(final.get("error")))
            self.read_runs()

    def _install(self, run: Run, *, finished: bool) -> None:
        def work() -> Outcome:
            done = mark_finished(run) if finished else run
            folder = run.folder / "model"
            name = install_trained(folder, run.name).name if folder.is_dir() else ""
            return Outcome(done, name, finished)

        def told(outcome: Outcome) -> None:
            if self.run is run:
                self.run = outcome.run
            self.read_runs()
            self.changed.emit()
            self.ended.emit(outcome)

        self._background.run(self, work, told, self._fail, priority=3)

    def _failure_of(self, error: object) -> Failure:
        details = "\n".join(self._last_words)
        if isinstance(error, dict):
            kind = str(error.get("kind"))
            return Failure(
                ErrorKind(kind) if kind in set(ErrorKind) else ErrorKind.INTERNAL,
                str(error.get("message", ""))[:1000],
                str(error.get("hint", ""))[:1000],
                details,
            )
        return Failure(
            ErrorKind.INTERNAL,
            self.tr("The process that trains ended without an answer."),
            self.tr("What it had saved is kept. Close other programs if memory is short, and go on."),
            details,
        )

    def _let_go(self) -> None:
        process, self._process = self._process, None
        self._look_due.stop()
        if process is not None:
            process.deleteLater()

    def _fail(self, failure: Failure) -> None:
        log.warning("The training failed: %s %s", failure.message, failure.details)
        self.failure = failure
        self._become(TrainState.FAILED)
