"""`python -m gpsdream_app.training.landmark`: train a model of landmarks from framed views with their angles."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gpsdream_app.training.__main__ import CommandParser, Reporter, carry_out, minutes_of, whole_number


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = CommandParser(prog="gpsdream train-landmark", description=__doc__.split(": ", 1)[1])
    result.add_argument("--photos", type=Path, required=True, help="folder that `gpsdream landmarks frame` made")
    result.add_argument("--out", type=Path, required=True, help="folder of the run; an interrupted run is resumed")
    result.add_argument("--config", type=Path, help="recipe (JSON); the settings that it leaves out have defaults")
    result.add_argument(
        "--base", type=Path, help="Stable Diffusion 1.x or 2.x folder, or GPSDream model, to start from"
    )
    result.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, and fail if there is none; without it too"
    )
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code of `carry_out`."""
    options = parser().parse_args(arguments)

    def train(reporter: Reporter) -> tuple[dict[str, Any], str] | None:
        # Imported here, so that --help answers at once.
        from dataclasses import asdict, replace

        from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
        from gpsdream_app.training.landmark_config import LandmarkTrainConfig
        from gpsdream_app.training.landmark_run import LandmarkRun
        from gpsdream_app.training.run import Listener

        if options.resume and not (options.out / "recipe.json").is_file():
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"There is no run to go on with in “{options.out.name}”.",
                "Leave --resume out to start one.",
            )
        config = LandmarkTrainConfig() if options.base is None else LandmarkTrainConfig.for_base()
        if options.config:
            config = LandmarkTrainConfig.open(options.config)
        names = ("steps", "batch", "precision", "lora_rank", "seed")
        changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        config = LandmarkTrainConfig.from_dict({**config.to_dict(), "loop": {**asdict(config.loop), **changes}})
        if options.name:
            config = replace(config, card=replace(config.card, name=options.name, title=options.name))
        listener = Listener(reporter.stage, reporter.progress, reporter.stopped)
        model = LandmarkRun(options.out, config, listener, base=options.base).run(options.photos)
        return None if model is None else ({"model": str(model)}, f"The model is in {model}")

    return carry_out(options, train)


if __name__ == "__main__":
    sys.exit(main())
