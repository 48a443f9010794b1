"""Measuring the open model, without widgets: the process that does it, how far it is, and the reports there are."""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.library.model_folders import find_model
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.reports import Report, find_reports

log = logging.getLogger(__name__)

EVALUATOR = (sys.executable, "-m", "gpsdream_app.evaluation")
PATIENCE_MILLISECONDS = 20_000  # a polite end waits for the next denoising step
MAX_LINE_BYTES = 1_000_000
LAST_WORDS = 20


class MeasureState(StrEnum):
    """How far a measurement is."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


class Measuring(QObject):
    """Runs one measurement at a time in a process of its own.

    Signals:
        changed: state or progress are others now.
        reports_changed: there are other reports of the open model, or another one is shown.
    """

    changed = Signal()
    reports_changed = Signal()

    def __init__(
        self, background: Background, command: Sequence[str] = EVALUATOR, parent: QObject | None = None
    ) -> None:
        """Make it; nothing is started or read.

        Args:
            background: reads reports.
            command: what starts the process that measures.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self.command = tuple(command)
        self._background = background
        self.state = MeasureState.IDLE
        self.failure: Failure | None = None
        self.text = ""
        self.fraction = 0.0
        self.seconds_left: float | None = None
        self.model = ""
        self.model_title = ""
        self.reports: list[Report] = []
        self.shown: Report | None = None
        self.read = False
        self.done = False  # whether the last measurement came to its end
        self._open: tuple[str, ModelCard] | None = None
        self._process: QProcess | None = None
        self._rest = b""
        self._final: dict[str, Any] = {}
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._impatience = QTimer(self)
        self._impatience.setSingleShot(True)
        self._impatience.setInterval(PATIENCE_MILLISECONDS)
        self._impatience.timeout.connect(self._kill)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None

    # -- reports --

    def open_model(self, name: str, card: ModelCard) -> None:
        """Look for the reports of a model, and show its newest one."""
        self._open = name, card
        self.read, self.reports, self.shown = False, [], None
        self.reports_changed.emit()
        self.look()

    def look(self, show: Path | None = None) -> None:
        """Read again which reports there are.

        Args:
            show: folder of the report to show; the newest one if None.
        """
        if self._open is None:
            return
        name, card = self._open

        def found(reports: list[Report]) -> None:
            if self._open != (name, card):
                return
            self.read, self.reports = True, reports
            self.shown = next((report for report in reports if report.folder == show), reports[0] if reports else None)
            self.reports_changed.emit()

        self._background.run(self, lambda: find_reports(card, find_model(name)), found, lambda _: found([]))

    def show(self, report: Report) -> None:
        """Show another report of the same model."""
        self.shown = report
        self.reports_changed.emit()

    # -- measuring --

    def start(self, model: str, title: str, photos: Path, *, quick: bool, seen_too: bool = False) -> None:
        """Begin to measure. Does nothing while a measurement runs.

        Args:
            model: name or folder of the model.
            title: the model's name for people.
            photos: folder of photos.
            quick: a quick look instead of the full report.
            seen_too: also ask about photos that the model has learned from.
        """
        if self.running:
            return
        self.model, self.model_title = model, title
        self.failure, self._final, self._rest, self.done = None, {}, b"", False
        self._last_words.clear()
        process = self._process = QProcess(self)
        process.setProgram(self.command[0])
        # Values are joined to their names, so that no folder's name looks like an option.
        process.setArguments(
            [
                *self.command[1:],
                f"--model={model}",
                f"--photos={photos}",
                *(["--quick"] if quick else []),
                *(["--seen-too"] if seen_too else []),
            ]
        )
        process.setStandardInputFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read_output)
        process.readyReadStandardError.connect(self._read_errors)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._process_failed)
        self.text, self.fraction, self.seconds_left = self.tr("Starting"), 0.0, None
        self._become(MeasureState.RUNNING)
        process.start()

    def cancel(self) -> None:
        """Have the measurement stop; it leaves no report."""
        if self._process is None or self.state is MeasureState.STOPPING:
            return
        self._become(MeasureState.STOPPING)
        self._process.terminate()
        self._impatience.start()

    def forget_failure(self) -> None:
        """Take the sentence about the last failure away."""
        self.failure = None
        self._become(self.state if self.running else MeasureState.IDLE)

    def close(self, timeout_milliseconds: int = 3000) -> None:
        """End the process; nothing of it is left when this returns."""
        process, self._process = self._process, None
        self._impatience.stop()
        if process is None:
            return
        process.blockSignals(True)
        process.terminate()
        if not process.waitForFinished(timeout_milliseconds):
            process.kill()
            process.waitForFinished(timeout_milliseconds)
        process.deleteLater()

    def _become(self, state: MeasureState) -> None:
        self.state = state
        self.changed.emit()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

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
            self._last_words.extend(line for line in text.splitlines() if line.strip())

    def _take(self, line: bytes) -> None:
        """Take one line; a library's stray word is passed over."""
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                return
            if "done" not in values:
                self._final = values
                return
            total, left = float(values["total"]), values.get("seconds_left")
            self.fraction = min(max(float(values["done"]) / total, 0.0), 1.0) if total > 0 else 0.0
            self.text = str(values.get("text", ""))[:200]
            self.seconds_left = float(left) if left is not None else None
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        self.changed.emit()

    def _process_failed(self, error: QProcess.ProcessError) -> None:
        # After every other error `finished` comes, too.
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            details = self._process.errorString()
            self._let_go()
            self.fail(
                Failure(
                    ErrorKind.INTERNAL,
                    self.tr("The process that measures cannot be started."),
                    self.tr("Install GPSDream again."),
                    details,
                )
            )

    def _ended(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._process is None:
            return
        self._read_output()
        self._read_errors()
        stopping, final = self.state is MeasureState.STOPPING, self._final
        self._let_go()
        page, failed = final.get("report"), final.get("failed")
        if isinstance(page, str):
            self.done = True
            self._become(MeasureState.IDLE)
            self.look(Path(page).parent)
        elif stopping or final.get("cancelled"):
            self._become(MeasureState.IDLE)
        elif isinstance(failed, dict):
            kind = str(failed.get("kind"))
            self.fail(
                Failure(
                    ErrorKind(kind) if kind in set(ErrorKind) else ErrorKind.INTERNAL,
                    str(failed.get("message", ""))[:1000],
                    str(failed.get("hint", ""))[:1000],
                )
            )
        else:
            self.fail(
                Failure(
                    ErrorKind.INTERNAL,
                    self.tr("The process that measures ended without an answer."),
                    self.tr("Close other programs if memory is short, and measure again."),
                    "\n".join(self._last_words),
                )
            )

    def _let_go(self) -> None:
        process, self._process = self._process, None
        self._impatience.stop()
        if process is not None:
            process.deleteLater()

    def fail(self, failure: Failure) -> None:
        """Show a failure on the page until it is dismissed."""
        log.warning("The measurement failed: %s %s", failure.message, failure.details)
        self.failure = failure
        if not self.running:
            self.state = MeasureState.FAILED
        self.changed.emit()
