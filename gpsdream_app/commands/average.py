"""`gpsdream average`: draw the average pictures of regions through the engine, as the window does, and keep them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpsdream_app.commands import terminal
from gpsdream_app.commands.generate import (
    SECONDS_TO_STOP,
    asked_settings,
    card_defaults,
    note_limits,
    show_progress,
    slug,
    writable_folder,
)
from gpsdream_app.commands.regions import chosen_model, city_of, meant_regions, one_line, photos_words
from gpsdream_app.domain.averages import AverageRequest, RegionPlaces, Sampling
from gpsdream_app.domain.events import Cancelled, Event, PictureFinished, Step
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.results import Result

if TYPE_CHECKING:
    from gpsdream_app.domain.model_card import ModelCard
    from gpsdream_app.engine.base import Engine
    from gpsdream_app.library.store import Library

GRID, GEOJSON, MAP = "grid.png", "averages.geojson", "map.html"


def run(arguments: argparse.Namespace, make_engine: Callable[[], Engine] | None = None) -> int:
    """Draw the averages that the arguments ask for and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        make_engine: what makes the engine that draws; the real one, in a process of its own, if None.
    """
    from gpsdream_app.library import paths
    from gpsdream_app.library.model_folders import find_model, weights_hash
    from gpsdream_app.library.store import Library

    request, card = build_request(arguments)
    unknown = note_limits([replace(request.single(request.place), place=None)], card)
    for region in request.regions:
        if region.photos == 0:
            terminal.note(
                f"gpsdream: The model has seen no photo in {one_line(region.region.name) or 'a region'}: what it draws "
                "there is a guess."
            )
    folder = writable_folder(arguments.out, "nothing was drawn") if arguments.out is not None else None
    if make_engine is None:
        from gpsdream_app.engine.client import ProcessEngine

        make_engine = ProcessEngine
    library = Library(paths.library_path())
    answer = _Answer(request, card, folder, as_json=arguments.json, unknown_words=unknown)
    try:
        weights = weights_hash(find_model(request.model))
        missing = [region for region in range(len(request.regions)) if not answer.reuse(region, library, weights)]
        cancelled = False
        if missing:
            engine = make_engine()
            try:
                cancelled = not _draw(engine, request, missing, library, answer)
            finally:
                engine.shutdown(SECONDS_TO_STOP)
    finally:
        library.close()
    return answer.finish(cancelled)


# --- what to draw -----------------------------------------------------------------------------------------


def build_request(arguments: argparse.Namespace) -> tuple[AverageRequest, ModelCard]:
    """Return what the arguments ask for, and the card of the model that draws it.

    Raises:
        GPSDreamError: if a region is not known, or the arguments do not fit together.
    """
    model, card = chosen_model(arguments.model)
    chosen = [_places(region, arguments, card) for region in meant_regions(arguments.region, card)]
    request = AverageRequest(
        regions=tuple(chosen),
        prompt=arguments.prompt,
        negative_prompt=arguments.negative,
        seed=arguments.seed,
        noises=arguments.noises,
        subset=arguments.subset,
        model=model,
        **card_defaults(card.average_defaults) | asked_settings(arguments),
    )
    return request, card


def _places(region: Region, arguments: argparse.Namespace, card: ModelCard) -> RegionPlaces:
    from gpsdream_app.geo.regions import photos_in, sample_places

    sampling = Sampling(arguments.sampling or (Sampling.LINE if region.is_corridor else Sampling.AREA))
    places = sample_places(
        region,
        arguments.places,
        sampling=sampling,
        headings=arguments.headings,
        city=city_of(card),
        photos=_own_photos(region) if sampling is Sampling.PHOTOS else (),
        coverage=card.coverage,
    )
    return RegionPlaces(region, places, sampling, photos_in(region, card.coverage))


def _own_photos(region: Region) -> tuple[Place, ...]:
    """Return where the person's own photos near a region were taken."""
    from gpsdream_app.library.paths import catalogue_path
    from gpsdream_app.photos.catalogue import Catalogue

    south, west, north, east = region.box
    if not catalogue_path().exists():
        return ()
    with Catalogue(catalogue_path()) as catalogue:
        return tuple(
            Place(photo.lat, photo.lon, photo.heading) for photo in catalogue.photos(box=Box(south, west, north, east))
        )


# --- drawing ----------------------------------------------------------------------------------------------


def _draw(engine: Engine, request: AverageRequest, missing: Sequence[int], library: Library, answer: _Answer) -> bool:
    """Draw the regions that are missing; returns False if that was cancelled.

    Raises:
        GPSDreamError: if the engine says that it failed. Pictures finished before are kept.
    """
    from gpsdream_app.engine.base import new_job_id

    job = replace(request, regions=tuple(request.regions[region] for region in missing))
    names = [one_line(region.region.name) for region in job.regions]
    job_id = new_job_id()
    with terminal.Progress("Averaging") as progress, terminal.cancel_on_signal(lambda: engine.cancel(job_id)):
        for event in engine.stream(job, job_id):
            show_pictures(progress, event, lambda picture: names[picture // job.noises], job.count)
            match event:
                case PictureFinished(result=result, index=index):
                    library.add(result)
                    progress.clear()
                    region, noise = divmod(index, job.noises)
                    answer.picture(missing[region], noise, result)
                case Cancelled():
                    return False
    return True


def show_pictures(progress: terminal.Progress, event: Event, name: Callable[[int], str], count: int) -> None:
    """Show the progress of a job of many pictures: which one is drawn, and how long all of them take.

    Args:
        progress: where to show it.
        event: of the engine.
        name: tells in a few words which picture one is, from 0.
        count: number of pictures.

    Raises:
        GPSDreamError: if the event says that the job failed.
    """
    if isinstance(event, Step):
        text = f"steps, picture {event.picture + 1:,} of {count:,}"
        called = name(event.picture)
        progress.update(event.index, event.total, f"{text}: {called}" if called else text, event.seconds_left)
    else:
        show_progress(progress, event)


# --- what comes out ---------------------------------------------------------------------------------------


class _Answer:
    """The pictures, where the person wants them, and what is printed about them."""

    def __init__(
        self,
        request: AverageRequest,
        card: ModelCard,
        folder: Path | None,
        *,
        as_json: bool,
        unknown_words: Sequence[str],
    ) -> None:
        self._request = request
        self._card = card
        self._folder = folder
        self._as_json = as_json
        self._unknown_words = list(unknown_words)
        self._pictures: dict[tuple[int, int], tuple[Result, Path | None]] = {}

    def reuse(self, region: int, library: Library, weights: str) -> bool:
        """Take the pictures of a region from the library; returns False if they are not all there."""
        noises = range(self._request.noises)
        found = [library.find(self._request.picture(region * len(noises) + noise), weights) for noise in noises]
        if not all(found):
            return False
        for noise, result in enumerate(found):
            assert result
            self.picture(region, noise, result)
        return True

    def picture(self, region: int, noise: int, result: Result) -> None:
        """Take a finished picture, and save a copy of it with all that is known about it."""
        from PIL import Image

        from gpsdream_app.library.picture_metadata import save_png

        copy = None
        if self._folder:
            ending = f"-{noise + 1}" if self._request.noises > 1 else ""
            name = slug(self._request.regions[region].region.name, "region")
            copy = self._folder / f"{region + 1:02d}-{name}{ending}.png"
            with Image.open(result.path) as image:
                save_png(image.convert("RGB"), copy, result)
        self._pictures[region, noise] = result, copy
        if not self._as_json:
            asked = self._request.regions[region]
            parts = [
                str(copy or result.path),
                one_line(asked.region.name),
                f"seed {result.request.seed}",
                f"{len(asked.places)} places",
                f"photos: {photos_words(asked.photos)}",
                f"{result.seconds:.1f} s",
            ]
            terminal.say("  ".join(part for part in parts if part))

    def finish(self, cancelled: bool) -> int:
        """Write sheet, GeoJSON and map of what is there, print what is left to say and return the exit code."""
        files = self._export() if self._folder and self._pictures else {}
        if self._as_json:
            terminal.say_json(
                {
                    "cancelled": cancelled,
                    "unknown_words": self._unknown_words,
                    "pictures": [self._described(*which) for which in sorted(self._pictures)],
                    "files": {name: str(path) for name, path in files.items()},
                }
            )
        else:
            for name, path in files.items():
                terminal.say(f"{name}: {path}")
        if cancelled:
            kept = f" Finished before, and kept: {len(self._pictures)} of {self._request.count} pictures."
            terminal.note(f"gpsdream: Cancelled.{kept} The same command draws the others.")
            return terminal.CANCELLED
        return terminal.OK

    def _described(self, region: int, noise: int) -> dict[str, Any]:
        result, copy = self._pictures[region, noise]
        asked = self._request.regions[region]
        return {
            "id": result.id,
            "region": asked.region.name,
            "kind": asked.region.kind.value,
            "places": len(asked.places),
            "sampling": asked.sampling.value,
            "photos": asked.photos,
            "prompt": result.request.prompt,
            "seed": result.request.seed,
            "subset": self._request.subset,
            "seconds": result.seconds,
            "model": result.request.model,
            "model_hash": result.model_hash,
            "path": result.path,
            "copy": str(copy) if copy else None,
        }

    def _export(self) -> dict[str, Path]:
        from gpsdream_app.export.averages import GridItem, geojson, labelled_png, web_map

        assert self._folder
        items, first = [], []
        for region, noise in sorted(self._pictures):
            result, copy = self._pictures[region, noise]
            asked = self._request.regions[region].region
            several = f"noise {noise + 1} of {self._request.noises}" if self._request.noises > 1 else ""
            item = GridItem(asked.name, several, copy or Path(result.path), asked, result)
            items.append(item)
            if noise == 0:
                first.append(replace(item, subtitle=""))
        title = one_line(self._request.prompt)
        title = title[:1].upper() + title[1:]
        files = {"sheet": self._folder / GRID}
        labelled_png(items, files["sheet"], title=title)
        if first:
            files |= {"GeoJSON": self._folder / GEOJSON, "map": self._folder / MAP}
            geojson(first, files["GeoJSON"], embed=True)
            web_map(first, files["map"], city_of(self._card), title=title)
        return files
