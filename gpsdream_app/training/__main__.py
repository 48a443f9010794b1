"""`python -m gpsdream_app.training`: train a model from a folder of geotagged photos."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

# Read before torch is imported: idle threads must sleep, or a second busy process slows every step several times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.words import time_words
from gpsdream_app.library import paths

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_STOPPED = 0, 1, 2, 130
LOG_FILE = "training.log"


def show(failure: Failure, *, as_json: bool = False) -> None:
    """Say what went wrong and what helps; with `as_json` also as an object, as the other commands do."""
    print(f"\ngpsdream: {failure.message}\n  {failure.hint}".rstrip(), file=sys.stderr)
    if as_json:
        error = {"kind": str(failure.kind), "message": failure.message, "hint": failure.hint}
        print(json.dumps({"error": error}), flush=True)


def unexpected(error: Exception, out: Path) -> Failure:
    """Write the traceback of an error that nobody foresaw to the log, and return what to tell the person."""
    hint = "GPSDREAM_DEBUG=1 shows the whole story."
    try:
        log = paths.log_dir() / LOG_FILE
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        hint = f"The whole story is in {log}."
    except (GPSDreamError, OSError):
        pass  # a disk that cannot be written to must not hide the error itself
    if isinstance(error, OSError) and error.errno is not None:
        return paths.storage_error(error, error.filename or out, "training cannot go on").failure
    return Failure(
        ErrorKind.INTERNAL, f"Training failed: {type(error).__name__}: {str(error)[:300].rstrip('.')}.", hint
    )


class CommandParser(argparse.ArgumentParser):
    """Wrong usage is one sentence and a pointer, as in the other commands."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and end."""
        show(Failure(ErrorKind.BAD_REQUEST, f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help."))
        raise SystemExit(EXIT_USAGE)


def minutes_of(text: str) -> float:
    """Read a time in minutes, for argparse."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"“{text[:40]}” is not a time in minutes")
    return minutes


def whole_number(text: str) -> int:
    """Read a whole number, for argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text[:40]}” is not a whole number") from None


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = CommandParser(prog="gpsdream train", description=__doc__.split(": ", 1)[1])
    result.add_argument("--photos", type=Path, help="folder of geotagged photos, read with all folders below it")
    result.add_argument("--out", type=Path, required=True, help="folder of the run; an interrupted run is resumed")
    result.add_argument("--config", type=Path, help="recipe (JSON); the settings that it leaves out have defaults")
    result.add_argument("--base", type=Path, help="Stable Diffusion 1.x or 2.x folder to start from")
    result.add_argument("--start-from", type=Path, help="GPSDream model folder whose weights to start from")
    result.add_argument("--name", help="name and title of the model")
    result.add_argument("--steps", type=whole_number, help="optimiser steps in all")
    result.add_argument("--batch", type=whole_number, help="pictures per step")
    result.add_argument("--minutes", type=minutes_of, help="save and stop after this time; start again to go on")
    result.add_argument("--precision", choices=("no", "bf16", "fp16"), help="mixed precision")
    result.add_argument(
        "--lora-rank", type=whole_number, help="rank of the adapters for a base model; 0 trains all of it"
    )
    result.add_argument("--seed", type=whole_number, help="of everything random")
    result.add_argument("--json", action="store_true", help="one JSON object per line instead of text")
    return result


class Reporter:
    """Says how a run goes: a bar on a terminal, a line now and then elsewhere, JSON if asked for."""

    def __init__(self, *, as_json: bool, minutes: float | None) -> None:
        self.as_json = as_json
        self.terminal = sys.stderr.isatty() and not as_json
        self.stop_requested = False
        self.deadline = time.monotonic() + 60 * minutes if minutes else None
        self._said = 0.0

    def stopped(self) -> bool:
        """Whether the person or the clock asked to stop."""
        return self.stop_requested or (self.deadline is not None and time.monotonic() >= self.deadline)

    def request_stop(self, number: int, frame: object) -> None:
        """Signal handler: stop after this step; a second signal ends the process at once."""
        if self.stop_requested:
            raise SystemExit(EXIT_STOPPED)
        self.stop_requested = True
        print("\nSaving and stopping …", file=sys.stderr, flush=True)

    def stage(self, done: int, total: int, text: str) -> None:
        """Progress of everything but the main loop."""
        self._say({"stage": text, "done": done, "total": total}, f"{text} ({done:,} of {total:,})", done >= total)

    def progress(self, progress: object) -> None:
        """Progress of the main loop."""
        values = {name: getattr(progress, name) for name in progress.__dataclass_fields__}
        left = values["seconds_left"]
        text = (
            f"step {values['step']:,} of {values['steps']:,}, loss {values['loss']:.4f}, "
            f"{values['samples']:,} samples, {values['samples_per_second']:.1f} per second"
            + (f", {time_words(left)} left" if left is not None else "")
        )
        self._say(values, text, values["step"] == values["steps"])

    def _say(self, values: dict, text: str, last: bool) -> None:
        now = time.monotonic()
        if not last and now - self._said < (0.2 if self.terminal else 10.0):
            return
        self._said = now
        if self.as_json:
            print(json.dumps(values), flush=True)
        elif self.terminal:
            print(f"\r\x1b[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def carry_out(options: argparse.Namespace, work: Callable[[Reporter], tuple[dict[str, Any], str] | None]) -> int:
    """Run a trainer with signals, errors and its last words looked after.

    Args:
        options: with json, minutes and out.
        work: trains; returns what was made as JSON values and as a sentence, or None if it was stopped and saved.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped and saved.
    """
    reporter = Reporter(as_json=options.json, minutes=options.minutes)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, reporter.request_stop)
    try:
        made = work(reporter)
    except GPSDreamError as error:
        show(error.failure, as_json=options.json)
        if os.environ.get("GPSDREAM_DEBUG") and error.failure.details:
            print(error.failure.details, file=sys.stderr)
        return EXIT_USAGE if error.failure.kind is ErrorKind.BAD_REQUEST else EXIT_FAILED
    except FloatingPointError as error:
        show(Failure(ErrorKind.INTERNAL, str(error), "Start again with a lower learning rate."), as_json=options.json)
        return EXIT_FAILED
    except Exception as error:
        if os.environ.get("GPSDREAM_DEBUG"):
            raise
        show(unexpected(error, options.out), as_json=options.json)
        return EXIT_FAILED
    if made is None:
        if not options.json:
            print(f"\nStopped and saved. The same command goes on from here: {options.out}", file=sys.stderr)
        return EXIT_STOPPED
    values, sentence = made
    if options.json:
        print(json.dumps(values), flush=True)
    else:
        print(f"\n{sentence}", file=sys.stderr)
    return EXIT_OK


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code of `carry_out`."""
    options = parser().parse_args(arguments)

    def train(reporter: Reporter) -> tuple[dict[str, Any], str] | None:
        # Imported here, so that --help answers at once.
        from dataclasses import replace

        from gpsdream_app.training.config import TrainConfig
        from gpsdream_app.training.run import Listener, TrainingRun, merge

        config = TrainConfig.open(options.config) if options.config else TrainConfig()
        if options.base is not None and options.config is None:
            config = TrainConfig.for_base()
        names = ("steps", "batch", "precision", "lora_rank", "seed")
        config = merge(config, [(name, getattr(options, name)) for name in names])
        if options.name:
            config = replace(config, card=replace(config.card, name=options.name, title=options.name))
        run = TrainingRun(
            options.out,
            config,
            Listener(reporter.stage, reporter.progress, reporter.stopped),
            base=options.base,
            start=options.start_from,
        )
        model = run.run(options.photos)
        return None if model is None else ({"model": str(model)}, f"The model is in {model}")

    return carry_out(options, train)


if __name__ == "__main__":
    sys.exit(main())
