"""`python -m gpsdream_app.training.judges`: train judges from a folder of geotagged photos: GPS-CLIP, CLIP, probe."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.words import time_words
from gpsdream_app.training.__main__ import (
    CommandParser,
    Reporter,
    carry_out,
    minutes_of,
    whole_number,
)

if TYPE_CHECKING:
    from gpsdream_app.photos.prepared import PreparedPhotos
    from gpsdream_app.training.judges_config import JudgesConfig

GPS_CLIP, TEXT_CLIP, PROBE = "gps-clip", "text-clip", "probe"


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = CommandParser(
        prog="gpsdream train-gps-clip",
        description="Train judges on geotagged photos: GPS-CLIP (pictures and places), and where there are captions, a "
        "CLIP (pictures and words) and a probe that finds words in pictures. `gpsdream evaluate` scores with them.",
    )
    result.add_argument("--photos", type=Path, help="folder of geotagged photos, read with all folders below it")
    result.add_argument("--out", type=Path, required=True, help="folder of the judges; an interrupted run is resumed")
    result.add_argument("--config", type=Path, help="recipe (JSON); the settings that it leaves out have defaults")
    result.add_argument("--dinov2", type=Path, help="DINOv2 folder of your own, for GPS-CLIP to see with")
    result.add_argument("--no-heading", action="store_true", help="do not learn directions of view")
    result.add_argument(
        "--clip",
        action=argparse.BooleanOptionalAction,
        help="train the CLIP and the probe too (by default: if there are captions or tags)",
    )
    result.add_argument("--steps", type=whole_number, help="optimiser steps of each judge, at most")
    result.add_argument("--folds", type=whole_number, help="parts for cross-validation; 0 trains all steps")
    result.add_argument(
        "--everything", action="store_true", help="learn the held-out photos too; nothing is measured on them then"
    )
    result.add_argument("--minutes", type=minutes_of, help="save and stop after this time; start again to go on")
    result.add_argument("--seed", type=whole_number, help="of everything random")
    result.add_argument("--json", action="store_true", help="one JSON object per line instead of text")
    return result


class _Clock:
    """Turns the steps of one judge after the other into one number with the time that is left."""

    def __init__(self, say: Callable[[int, int, str], None], steps: Sequence[int]) -> None:
        """Make a clock for judges with so many steps each, folds included."""
        self._say, self._steps, self._total = say, steps, sum(steps)
        self._before, self._last, self._label = 0, 0, ""
        self._started: float | None = None
        self._first = 0

    def judge_done(self, judges: int) -> None:
        """Count finished judges as whole, even if they stopped early."""
        self._before, self._last, self._label = sum(self._steps[:judges]), 0, ""

    def report(self, done: int, total: int, text: str) -> None:
        """Say how a judge goes: `text` is “GPS-CLIP, fold 1 of 4: loss 1.2”, or something else that is counted."""
        label, colon, _ = text.partition(": loss")
        if not colon:
            self._say(done, total, text)
            return
        if label != self._label:
            self._before += self._last
            self._label = label
        self._last = done
        now = time.monotonic()
        at = self._before + done
        if self._started is None:
            self._started, self._first = now, at
        left = ""
        if at > self._first:
            seconds = (now - self._started) / (at - self._first) * max(0, self._total - at)
            left = f", at most {time_words(seconds)} left"
        self._say(done, total, text + left)


def prepared_photos(photos: Path | None, out: Path, config: JudgesConfig, reporter: Reporter) -> PreparedPhotos | None:
    """Photos made ready in `out`, or those that an earlier start made ready; None if it was stopped."""
    from gpsdream_app.library.paths import catalogue_path
    from gpsdream_app.photos.catalogue import Catalogue
    from gpsdream_app.photos.prepared import INDEX_FILE, PreparedPhotos
    from gpsdream_app.training.prepare import check_disk, photos_of, prepare

    folder = out / "run" / "prepared"
    if not (folder / INDEX_FILE).exists():
        if photos is None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "No photos are given.", "Name their folder with --photos.")
        out.mkdir(parents=True, exist_ok=True)
        check_disk(out, 300_000_000)
        reporter.stage(0, 1, "importing photos")
        with Catalogue(catalogue_path()) as catalogue:
            records = photos_of(photos, catalogue, reporter.stopped)
        if reporter.stopped():
            return None
        try:
            prepare(
                records,
                folder,
                config.data,
                seed=config.split_seed,
                report=reporter.stage,
                cancelled=reporter.stopped,
            )
        except KeyboardInterrupt:
            return None
    return PreparedPhotos.open(folder)


def train_judges(
    photos: Path | None,
    out: Path,
    config: JudgesConfig,
    reporter: Reporter,
    *,
    dinov2: Path | None = None,
    clip: bool | None = None,
) -> dict[str, Path] | None:
    """Train every judge that the photos allow.

    Args:
        photos: folder of geotagged photos; not needed when `out` holds prepared ones.
        out: gets the judges, and `run` with everything that resuming needs.
        config: recipe.
        reporter: who is told, and who says when to stop.
        dinov2: folder of a DINOv2 for GPS-CLIP.
        clip: whether to train the CLIP and the probe; None: if there are words.

    Returns:
        Folders of the judges by name, or None if it was stopped.

    Raises:
        GPSDreamError: with a sentence, for everything that a person can put right.
    """
    import torch

    from gpsdream_app.training.gps_clip import train_gps_clip
    from gpsdream_app.training.probe import train_word_probe
    from gpsdream_app.training.text_clip import train_text_clip

    torch.set_flush_denormal(True)
    prepared = prepared_photos(photos, out, config, reporter)
    if prepared is None:
        return None
    run = out / "run"
    views = [view for photo in prepared.photos for view in photo.views]
    has_captions = any(view.caption or view.tags for view in views)
    has_tags = any(view.tags for view in views)
    if clip is None:
        clip = has_captions
    device = "cuda" if torch.cuda.is_available() else "cpu"
    filters = run / "crops"
    stages: list[tuple[str, Any, Any, dict[str, Any]]] = [
        (
            GPS_CLIP,
            train_gps_clip,
            config.gps_clip,
            {"dinov2": dinov2, "cache": run / "crops-dinov2" if dinov2 else filters},
        )
    ]
    if clip:
        stages.append((TEXT_CLIP, train_text_clip, config.text_clip, {"cache": filters}))
        if has_tags:
            stages.append((PROBE, train_word_probe, config.probe, {"cache": filters}))
    clock = _Clock(reporter.stage, [stage[2].steps * (stage[2].folds + 1) for stage in stages])
    folders: dict[str, Path] = {}
    for number, (name, train, settings, extra) in enumerate(stages):
        folder = train(
            prepared,
            run / name,
            settings,
            crops=config.crops,
            device=device,
            report=clock.report,
            stopped=reporter.stopped,
            **extra,
        )
        if folder is None:
            return None
        clock.judge_done(number + 1)
        # Made beside it and renamed: a judge is there as a whole or not at all.
        temporary = out / f"{name}.part"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(folder, temporary)
        shutil.rmtree(out / name, ignore_errors=True)
        temporary.rename(out / name)
        folders[name] = out / name
    return folders


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code of `carry_out`."""
    options = parser().parse_args(arguments)

    def train(reporter: Reporter) -> tuple[dict[str, Any], str] | None:
        # Imported here, so that --help answers at once.
        from gpsdream_app.training.judges_config import JudgesConfig

        config = JudgesConfig.open(options.config) if options.config else JudgesConfig()
        config = config.changed(
            steps=options.steps,
            folds=options.folds,
            seed=options.seed,
            everything=options.everything or None,
            with_heading=False if options.no_heading else None,
        )
        folders = train_judges(options.photos, options.out, config, reporter, dinov2=options.dinov2, clip=options.clip)
        if folders is None:
            return None
        values = {"judges": str(options.out), "parts": sorted(folders)}
        return values, f"The judges are in {options.out}: {', '.join(folders)}"

    return carry_out(options, train)


if __name__ == "__main__":
    sys.exit(main())
