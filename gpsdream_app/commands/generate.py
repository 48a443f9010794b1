"""`gpsdream generate`: draw pictures of a place through the engine, as the window does, and keep them."""

from __future__ import annotations

import argparse
import errno
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import (
    Cancelled,
    EngineChanged,
    EngineState,
    Event,
    Failed,
    Loading,
    PictureFinished,
    Step,
)
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import DEFAULT_MODEL, MAX_SEED, GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result
from gpsdream_app.domain.words import distance_words, unknown_words
from gpsdream_app.library.paths import storage_error

if TYPE_CHECKING:
    from gpsdream_app.engine.base import Engine
    from gpsdream_app.geo.gazetteer import Gazetteer
    from gpsdream_app.library.store import Library

FAR_METRES = 150.0  # beyond this the answer says that the model has seen nothing there
VERY_FAR_METRES = 500.0  # beyond this it is said before drawing, too
SECONDS_TO_STOP = 10.0
MAX_UNKNOWN_SHOWN = 12
# What a ZIP of requests says itself, by the names of the arguments.
REPLAYED = (
    *("lat", "lon", "heading", "place", "examples", "prompt", "negative", "source", "seed", "count"),
    *("steps", "place_weight", "words_weight"),
)


def run(arguments: argparse.Namespace, make_engine: Callable[[], Engine] | None = None) -> int:
    """Draw what the arguments ask for and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        make_engine: what makes the engine that draws; the real one, in a process of its own, if None.
    """
    from gpsdream_app.library import paths
    from gpsdream_app.library.model_folders import find_model, read_card
    from gpsdream_app.library.store import Library

    requests: Sequence[PictureRequest]
    weights: dict[PictureRequest, str] = {}
    if arguments.replay is not None:
        requests, weights = replayed_requests(arguments)
    else:
        requests = build_requests(arguments)
    models = dict.fromkeys(request.model for request in requests)
    cards = {model: read_card(find_model(model)) for model in models}
    unknown = tuple(
        dict.fromkeys(
            word
            for model, card in cards.items()
            for word in note_limits([request for request in requests if request.model == model], card)
        )
    )
    pictures = sum(request.count for request in requests)
    copies = Copies(
        arguments.out,
        pictures,
        with_place=not arguments.share_without_location,
        named_by_place=arguments.examples and not arguments.share_without_location,
    )
    if arguments.share_without_location and arguments.out is None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            "There is nothing to share without --out.",
            "Add --out FOLDER for the copies.",
        )
    if make_engine is None:
        from gpsdream_app.engine.client import ProcessEngine

        make_engine = ProcessEngine
    answer = Answer(as_json=arguments.json, examples=arguments.examples, unknown_words=unknown)
    library = Library(paths.library_path())
    engine = make_engine()
    try:
        for request in requests:
            if not draw(engine, request, library, copies, answer):
                break
    finally:
        engine.shutdown(SECONDS_TO_STOP)
        library.close()
    _note_other_weights(answer, weights)
    return answer.finish()


# --- what to draw -----------------------------------------------------------------------------------------


def build_requests(arguments: argparse.Namespace) -> list[GenerateRequest]:
    """Return what the arguments ask for: one request, or one per example place of the model.

    Raises:
        GPSDreamError: of kind `bad_request` or `bad_location` if they do not fit together.
    """
    from gpsdream_app.library.model_folders import find_model, read_card

    source = read_source(Path(arguments.source)) if arguments.source else None
    model = arguments.model or (source.model if source else DEFAULT_MODEL)
    folder = find_model(model)
    if Path(model).is_dir():
        model = str(Path(model).absolute())
    card = read_card(folder)
    start = source or GenerateRequest(place=None, model=model, **card_defaults(card.defaults))
    request = replace(start, model=model, seed=_seed(arguments, source), **_changes(arguments))
    if arguments.examples:
        return _example_requests(arguments, request, card)
    place = _place(arguments, card)
    if place is not None:
        request = replace(request, place=place)
    if request.place is None and not request.prompt:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            "There is no place and no prompt.",
            'Give --lat and --lon, or --place "5th Ave & E 23rd St", or --prompt, or --examples.',
        )
    return [request]


def replayed_requests(arguments: argparse.Namespace) -> tuple[list[PictureRequest], dict[PictureRequest, str]]:
    """Return the requests of a ZIP, and the hash of the weights that drew each of them, as far as it is known.

    Raises:
        GPSDreamError: of kind `bad_request` if the ZIP cannot be read, or something else is asked for beside it;
            `model_missing` if a model is not installed.
    """
    from gpsdream_app.export.requests_zip import read_requests
    from gpsdream_app.library.model_folders import find_model

    for name in REPLAYED:
        given = getattr(arguments, name)
        if given is not None and given is not False:  # a seed of 0 is given
            option = {"source": "from", "count": "n"}.get(name, name.replace("_", "-"))
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"--{option} and --replay do not go together: the ZIP says all that is drawn, but for the model.",
                f"Leave out --{option} or --replay.",
            )
    replays = read_requests(Path(arguments.replay).expanduser())
    if arguments.model:
        model = str(Path(arguments.model).absolute()) if Path(arguments.model).is_dir() else arguments.model
        replays = [replace(replay, request=replace(replay.request, model=model)) for replay in replays]
    for model in dict.fromkeys(replay.request.model for replay in replays):
        try:
            find_model(model)
        except GPSDreamError as error:
            titles = {replay.model_title for replay in replays if replay.request.model == model} - {""}
            called = f" (“{min(titles)}”)" if titles else ""
            raise GPSDreamError(
                error.failure.kind,
                f"The model “{model[:80]}”{called}, which drew the pictures of this ZIP, is not installed here.",
                "Install it, or add --model NAME to draw with another one.",
            ) from None
    weights = {replay.request: replay.model_hash for replay in replays if replay.model_hash}
    return [replay.request for replay in replays], weights


def _note_other_weights(answer: Answer, weights: Mapping[PictureRequest, str]) -> None:
    """Say that the pictures of a ZIP were drawn by other weights than here, for then they look another way."""
    drawn = {result.request.model: result.model_hash for result in answer.results}
    other = {
        request.model for request, weight in weights.items() if drawn.get(request.model, weight) not in ("", weight)
    }
    for model in sorted(other):
        terminal.note(
            f"gpsdream: The model “{model[:80]}” here has other weights than the one that drew these pictures first: "
            "they look another way."
        )


def read_source(path: Path) -> GenerateRequest:
    """Read a request from a picture that GPSDream saved, from a JSON file, or from `--json` output kept in one.

    Raises:
        GPSDreamError: of kind `bad_photo` or `bad_request` if the file holds no request.
    """
    if path.suffix.lower() == ".png":
        from gpsdream_app.library.picture_metadata import read_png

        return read_png(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"{path} cannot be read as a request: {getattr(error, 'strerror', None) or 'not text'}.",
            "Give a picture that GPSDream saved, or a JSON file with a request.",
        ) from error
    return GenerateRequest.from_json(text)


def card_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return steps and weights as the defaults of a model's card recommend them."""
    names = ("steps", "text_guidance", "place_guidance")
    return {name: defaults[name] for name in names if name in defaults}


def asked_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the steps and weights that the arguments name; what they leave out is not there."""
    given = {
        "steps": arguments.steps,
        "text_guidance": arguments.words_weight,
        "place_guidance": arguments.place_weight,
    }
    return {name: value for name, value in given.items() if value is not None}


def _seed(arguments: argparse.Namespace, source: GenerateRequest | None) -> int:
    if arguments.seed is not None:
        return int(arguments.seed)
    if source is not None:
        return source.seed
    # Examples are for comparing, so they stay the same.
    return 0 if arguments.examples else secrets.randbelow(MAX_SEED + 1)


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {
        "prompt": arguments.prompt,
        "negative_prompt": arguments.negative,
        "count": arguments.count,
    }
    return {name: value for name, value in given.items() if value is not None} | asked_settings(arguments)


def _example_requests(
    arguments: argparse.Namespace, request: GenerateRequest, card: ModelCard
) -> list[GenerateRequest]:
    if arguments.lat is not None or arguments.lon is not None or arguments.place is not None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            "Examples have places of their own.",
            "Leave out --lat, --lon and --place, or --examples.",
        )
    if not card.examples:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The model “{card.title}” names no example places.")
    return [
        replace(
            request,
            place=example.place,
            prompt=example.prompt if arguments.prompt is None else arguments.prompt,
        )
        for example in card.examples
    ]


def writable_folder(out: str, what: str) -> Path:
    """Return a folder that is there and can be written to.

    Args:
        out: where; made if it is not there.
        what: what is not done otherwise, such as "nothing was drawn".

    Raises:
        GPSDreamError: of kind `disk_full` if nothing can be written there.
    """
    folder = Path(out).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder, what) from error
    if not os.access(folder, os.W_OK):
        raise storage_error(PermissionError(errno.EACCES, ""), folder, what)
    return folder


def _gazetteer(card: ModelCard) -> Gazetteer:
    from gpsdream_app.geo.city import list_cities, load_city
    from gpsdream_app.geo.gazetteer import Gazetteer

    return Gazetteer(load_city(card.city or list_cities()[0]))


def _place(arguments: argparse.Namespace, card: ModelCard) -> Place | None:
    """Return the place that the arguments name; None if they name none."""
    if arguments.place is not None:
        if arguments.lat is not None or arguments.lon is not None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The place is given twice.", "Give --place, or --lat and --lon.")
        hits = _gazetteer(card).search(arguments.place, limit=1)
        if not hits:
            raise GPSDreamError(
                ErrorKind.BAD_LOCATION,
                f"No place is known as “{arguments.place[:80]}”.",
                'Try a crossing such as "5th Ave & E 23rd St", a neighbourhood, or coordinates.',
            )
        hit = hits[0]
        return Place(hit.lat, hit.lon, arguments.heading, hit.name)
    if arguments.lat is None and arguments.lon is None:
        if arguments.heading is not None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "A heading needs a place.", "Give --lat and --lon, or --place.")
        return None
    if arguments.lat is None or arguments.lon is None:
        missing = "--lat" if arguments.lat is None else "--lon"
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A place needs both numbers; {missing} is missing.")
    place = Place(arguments.lat, arguments.lon, arguments.heading)
    return replace(place, name=_gazetteer(card).describe(place.lat, place.lon))


def note_limits(requests: Sequence[PictureRequest], card: ModelCard) -> tuple[str, ...]:
    """Say on standard error what a model cannot know of some requests, before it draws them.

    Returns:
        The words that it has not learned.
    """
    unknown = unknown_words(" ".join(request.prompt for request in requests), card.vocabulary)
    if unknown:
        shown = ", ".join(unknown[:MAX_UNKNOWN_SHOWN]) + (" and more" if len(unknown) > MAX_UNKNOWN_SHOWN else "")
        terminal.note(f"gpsdream: This small model has not learned: {shown}.")
    for place in dict.fromkeys(request.place for request in requests if request.place):
        metres = card.coverage.distance(place.lat, place.lon) if card.coverage else None
        name = place.name or f"{place.lat:.5f}, {place.lon:.5f}"
        if metres is not None and metres > VERY_FAR_METRES:
            terminal.note(
                f"gpsdream: The model has seen no photo within {distance_words(metres)} of this place ({name}): what "
                "it draws there is a guess."
            )
        elif metres is None and not card.box.contains(place.lat, place.lon):
            terminal.note(
                f"gpsdream: This place ({name}) is outside the area that the model has learned: what it draws there is "
                "a guess."
            )
    return unknown


# --- drawing ----------------------------------------------------------------------------------------------


def show_progress(progress: terminal.Progress, event: Event) -> None:
    """Show what an event of the engine says of a job's progress.

    Raises:
        GPSDreamError: if it says that the job failed.
    """
    match event:
        case EngineChanged(state=EngineState.STARTING | EngineState.WARMING, text=text) if text:
            progress.stage(text)
        case Loading(step=step, total=total, text=text):
            progress.stage(f"{text}, {step} of {total}")
        case Step(index=index, total=total, seconds_left=seconds_left):
            progress.update(index, total, "steps", seconds_left)
        case Failed(failure=failure):
            raise GPSDreamError(failure.kind, failure.message, failure.hint, failure.details)


def draw(engine: Engine, request: PictureRequest, library: Library, copies: Copies, answer: Answer) -> bool:
    """Draw one request to its end; returns False if it was cancelled.

    Raises:
        GPSDreamError: if the engine says that it failed. Pictures finished before are kept.
    """
    from gpsdream_app.engine.base import new_job_id

    job_id = new_job_id()
    with terminal.Progress("Drawing") as progress, terminal.cancel_on_signal(lambda: engine.cancel(job_id)):
        for event in engine.stream(request, job_id):
            show_progress(progress, event)
            match event:
                case PictureFinished(result=result):
                    library.add(result)
                    copy = copies.save(result)
                    progress.clear()
                    answer.picture(result, copy)
                case Cancelled():
                    answer.cancelled = True
                    return False
    return True


# --- what comes out ---------------------------------------------------------------------------------------


def slug(text: str, otherwise: str = "place") -> str:
    """Return a text as part of a file's name: Latin letters, digits and hyphens, or `otherwise` if it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or otherwise


class Copies:
    """Copies of finished pictures, where the person wants them.

    Args:
        out: a folder, or the name of a .png file; None for no copies.
        pictures: how many there will be.
        with_place: whether a copy says where it is.
        named_by_place: name the copies after their places and seeds, instead of as the library does.

    Raises:
        GPSDreamError: of kind `disk_full` if nothing can be written there.
    """

    def __init__(
        self, out: str | None, pictures: int, *, with_place: bool = True, named_by_place: bool = False
    ) -> None:
        self._out = Path(out).expanduser().absolute() if out is not None else None
        self._with_place = with_place
        self._named_by_place = named_by_place
        self._pictures = pictures
        self._saved = 0
        if self._out is None:
            return
        self._single = self._out.suffix.lower() == ".png" and not self._out.is_dir()
        writable_folder(str(self._out.parent if self._single else self._out), "no picture was drawn")

    def save(self, result: Result) -> Path | None:
        """Save a copy and return its path; None if no copies are wanted."""
        if self._out is None:
            return None
        self._saved += 1
        target = self._target(result)
        try:
            if self._with_place:
                with whole_file(target) as temporary:
                    shutil.copyfile(result.path, temporary)
            else:
                from PIL import Image

                from gpsdream_app.library.picture_metadata import save_png

                with Image.open(result.path) as image:
                    save_png(image.copy(), target, result, include_place=False)
        except OSError as error:
            raise storage_error(error, target, f"the picture is in the library only, as {result.path}") from error
        return target

    def _target(self, result: Result) -> Path:
        assert self._out is not None
        if self._single:
            if self._pictures == 1:
                return self._out
            return self._out.with_name(f"{self._out.stem}-{self._saved}{self._out.suffix}")
        place = result.request.place
        if self._named_by_place and place:
            return self._out / f"{slug(place.name)}-{result.request.seed}.png"
        return self._out / Path(result.path).name


class Answer:
    """What the command prints: a line per picture, or JSON at the end.

    Args:
        as_json: print one JSON object instead of lines.
        examples: the pictures are examples.
        unknown_words: what the model has not learned, for the JSON.
    """

    def __init__(self, *, as_json: bool, examples: bool = False, unknown_words: Sequence[str] = ()) -> None:
        self.cancelled = False
        self._unknown_words = list(unknown_words)
        self._as_json = as_json
        self._examples = examples
        self._pictures: list[tuple[Result, Path | None]] = []

    @property
    def results(self) -> list[Result]:
        """The finished pictures."""
        return [result for result, _ in self._pictures]

    def picture(self, result: Result, copy: Path | None) -> None:
        """Take a finished picture."""
        self._pictures.append((result, copy))
        if not self._as_json:
            terminal.say(describe(result, copy or Path(result.path)))

    def finish(self) -> int:
        """Print what is left to say and return the exit code."""
        if self._as_json:
            pictures = [{**result.to_dict(), "copy": str(copy) if copy else None} for result, copy in self._pictures]
            terminal.say_json({"cancelled": self.cancelled, "unknown_words": self._unknown_words, "pictures": pictures})
        elif self._examples and self._pictures:
            folder = (self._pictures[0][1] or Path(self._pictures[0][0].path)).parent
            terminal.say(f"{_pictures(len(self._pictures))} of the model's example places: {folder}")
        if self.cancelled:
            kept = f" Finished before, and kept: {_pictures(len(self._pictures))}." if self._pictures else ""
            terminal.note(f"gpsdream: Cancelled.{kept}")
            return terminal.CANCELLED
        return terminal.OK


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def describe(result: Result, path: Path) -> str:
    """Return a picture's line: its file, its place, what it takes to draw it again."""
    place = result.request.place
    parts = [str(path)]
    if place:
        parts.append(place.name or f"{place.lat:.5f}, {place.lon:.5f}")
    parts += [f"seed {result.request.seed}", f"{result.seconds:.1f} s"]
    if result.photo_distance is not None and result.photo_distance > FAR_METRES:
        parts.append(f"the model has seen no photo within {distance_words(result.photo_distance)}")
    if result.typicality_rank is not None and result.places_compared:
        less = round(result.typicality_rank * result.places_compared)
        parts.append(f"more typical of here than of {less} of {result.places_compared} other places")
    return "  ".join(parts)
