"""`gpsdream walk`: draw the pictures along a line through the engine, and make a strip and a film of them.

The frames lie where the engine keeps them, so the same command goes on with a walk that was stopped. Nothing of a frame
is kept in memory.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gpsdream_app.commands import terminal
from gpsdream_app.commands.average import show_pictures
from gpsdream_app.commands.generate import SECONDS_TO_STOP, asked_settings, card_defaults, note_limits, writable_folder
from gpsdream_app.commands.regions import chosen_model, city_of, meant_file, one_line
from gpsdream_app.domain.averages import SeriesKind, SeriesRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Cancelled, PictureFinished
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Point
from gpsdream_app.domain.results import Result
from gpsdream_app.library.paths import storage_error

if TYPE_CHECKING:
    from gpsdream_app.domain.model_card import Coverage, ModelCard
    from gpsdream_app.engine.base import Engine
    from gpsdream_app.library.store import Library

FRAMES, STRIP, FILM = "frames", "strip.png", "walk.mp4"
FPS = (0.1, 120.0)
PER_ROW = 20  # frames in a row of the strip
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_POINTS = re.compile(rf"\s*{_NUMBER}\s*,\s*{_NUMBER}(?:[\s;]+{_NUMBER}\s*,\s*{_NUMBER})*[\s;]*")


def run(arguments: argparse.Namespace, make_engine: Callable[[], Engine] | None = None) -> int:
    """Draw the walk that the arguments ask for and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        make_engine: what makes the engine that draws; the real one, in a process of its own, if None.
    """
    from gpsdream_app.library import paths
    from gpsdream_app.library.store import Library

    if not FPS[0] <= arguments.fps <= FPS[1]:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A film has {FPS[0]:g} to {FPS[1]:g} pictures per second.")
    request, card = build_request(arguments)
    unknown = note_limits([request.picture(0)], card)
    folder = writable_folder(arguments.out, "nothing was drawn")
    writable_folder(str(folder / FRAMES), "nothing was drawn")
    if make_engine is None:
        from gpsdream_app.engine.client import ProcessEngine

        make_engine = ProcessEngine
    walk = _Walk(request, folder)
    library = Library(paths.library_path())
    engine = make_engine()
    try:
        finished = walk.draw(engine, library)
    finally:
        engine.shutdown(SECONDS_TO_STOP)
        library.close()
    files = walk.export(card, arguments.fps) if finished else None
    if arguments.json:
        terminal.say_json(
            {
                "cancelled": files is None,
                "unknown_words": list(unknown),
                "title": request.title,
                "key": request.key,
                "frames": request.count,
                "finished": walk.finished,
                "drawn": walk.drawn,
                "folder": str(folder / FRAMES),
                "strip": str(files[0]) if files else None,
                "film": str(files[1]) if files else None,
            }
        )
    elif files:
        before = walk.finished - walk.drawn
        known = f", {before:,} of them before" if before else ""
        terminal.say(f"{walk.finished:,} pictures{known}: {folder / FRAMES}")
        terminal.say(f"strip: {files[0]}")
        terminal.say(f"film: {files[1]}")
    if files is None:
        terminal.note(
            f"gpsdream: Cancelled. {walk.finished:,} of {request.count:,} pictures are kept; the same command goes on "
            "from there."
        )
        return terminal.CANCELLED
    return terminal.OK


# --- what to draw -----------------------------------------------------------------------------------------


def build_request(arguments: argparse.Namespace) -> tuple[SeriesRequest, ModelCard]:
    """Return what the arguments ask for, and the card of the model that draws it.

    Raises:
        GPSDreamError: if the line is not known, or the arguments do not fit together.
    """
    from gpsdream_app.geo.walks import places_along

    model, card = chosen_model(arguments.model)
    line, title = read_line(arguments.line, card)
    places = places_along(line, arguments.frames, heading=arguments.side, photos=_seen_from(card.coverage))
    request = SeriesRequest(
        places=places,
        kind=SeriesKind.WALK,
        title=title,
        prompt=arguments.prompt,
        negative_prompt=arguments.negative,
        seed=arguments.seed,
        model=model,
        **card_defaults(card.defaults) | asked_settings(arguments),
    )
    return request, card


def read_line(text: str, card: ModelCard) -> tuple[tuple[Point, ...], str]:
    """Return the line that a text means, and what to call it.

    Args:
        text: "LAT,LON LAT,LON ..." in degrees, a GeoJSON file with a line, or the name of a street.
        card: of the model; its city has the streets.

    Raises:
        GPSDreamError: of kind `bad_location` if there is no such line, `bad_request` if there is no such file.
    """
    from gpsdream_app.geo.geojson import read_line as read_line_file
    from gpsdream_app.geo.regions import find_street
    from gpsdream_app.geo.walks import street_line

    if _POINTS.fullmatch(text):
        numbers = [float(number) for number in re.findall(_NUMBER, text)]
        points = [Place(lat, lon) for lat, lon in zip(numbers[::2], numbers[1::2], strict=True)]
        return tuple((place.lat, place.lon) for place in points), "Walk"
    if file := meant_file(text):
        return read_line_file(file), one_line(file.stem)
    city = city_of(card)
    return street_line(city, text, coverage=card.coverage), find_street(city, text) or one_line(text)


def _seen_from(coverage: Coverage | None) -> tuple[Place, ...]:
    """Return the middles of the cells where the model has seen photos: streets are seen from beside their middle."""
    if coverage is None:
        return ()
    return tuple(Place(*coverage.centre(row, column)) for row, column, _ in coverage.cells)


# --- drawing, and what comes out --------------------------------------------------------------------------


class _Walk:
    """A walk on its way into a folder.

    Attributes:
        finished: number of frames that are there.
        drawn: how many of them are new.
    """

    def __init__(self, request: SeriesRequest, folder: Path) -> None:
        self.finished = 0
        self.drawn = 0
        self._request = request
        self._folder = folder
        self._last: Result | None = None

    def draw(self, engine: Engine, library: Library) -> bool:
        """Draw the frames that are missing; returns False if that was cancelled.

        Raises:
            GPSDreamError: if the engine says that it failed. Frames finished before are kept.
        """
        from gpsdream_app.engine.base import new_job_id

        job_id = new_job_id()
        with terminal.Progress("Walking") as progress, terminal.cancel_on_signal(lambda: engine.cancel(job_id)):
            for event in engine.stream(self._request, job_id):
                show_pictures(progress, event, lambda picture: "", self._request.count)
                match event:
                    case PictureFinished(result=result, index=index):
                        self._take(result, index, library, is_new=result.job_id == job_id)
                    case Cancelled():
                        return False
        return True

    def _take(self, result: Result, index: int, library: Library, *, is_new: bool) -> None:
        if is_new or library.get(result.id) is None:
            library.add(result)
        target = self._frame(index)
        try:
            with whole_file(target) as temporary:
                shutil.copyfile(result.path, temporary)
        except OSError as error:
            raise storage_error(error, target, f"the picture is in the library only, as {result.path}") from error
        self.finished += 1
        self.drawn += is_new
        self._last = result

    def _frame(self, index: int) -> Path:
        return self._folder / FRAMES / f"{index:05d}.png"

    def export(self, card: ModelCard, fps: float) -> tuple[Path, Path] | None:
        """Write strip and film, and return their paths; None if that was cancelled.

        Raises:
            GPSDreamError: of kind `disk_full` if the disk refuses.
        """
        from gpsdream_app.export.averages import strip_png
        from gpsdream_app.export.video import WritingCancelled, write_walk
        from gpsdream_app.geo.gazetteer import Gazetteer

        request, city = self._request, city_of(card)
        frames = [self._frame(index) for index in range(request.count)]
        strip, film = self._folder / STRIP, self._folder / FILM
        stop = False

        def cancel() -> None:
            nonlocal stop
            stop = True

        with terminal.Progress("Packing") as progress, terminal.cancel_on_signal(cancel):
            progress.stage("strip")
            gazetteer = Gazetteer(city)
            # Only rows are named, by where they begin.
            labels = [
                "" if index % PER_ROW else gazetteer.describe(place.lat, place.lon)
                for index, place in enumerate(request.places)
            ]
            strip_png(frames, strip, title=request.title, labels=labels, per_row=PER_ROW, result=self._last)
            try:
                write_walk(
                    frames,
                    request.places,
                    film,
                    fps=fps,
                    map=city,
                    progress=lambda done, total: progress.update(done, total, "pictures into the film"),
                    cancelled=lambda: stop,
                )
            except WritingCancelled:
                return None
        return strip, film
