"""What a model is asked: words and places of photos that it has not learned from, the same for the same seed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.evaluation.baselines import Question
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.photos.prepared import Crop, PreparedPhotos, TrainingPhoto, View, crop_photo

MOST_TAGS = 3


def file_name(path: str) -> str:
    """The last part of a path as any system writes it."""
    return re.split(r"[\\/]", path)[-1]


@dataclass(frozen=True)
class Sides:
    """Photos by what the model knows of them.

    Attributes:
        held_out: those that it has not learned from; empty if the card does not say.
        learned: those that it has, or may have.
        known: whether the card lists what it learned from.
        outside: how many were left out because they lie outside the model's box.
    """

    held_out: tuple[TrainingPhoto, ...]
    learned: tuple[TrainingPhoto, ...]
    known: bool
    outside: int


def learned_names(card: ModelCard) -> frozenset[str] | None:
    """File names of the photographs that a model learned from; None if its card does not list them."""
    sources = card.training.get("sources")
    if not isinstance(sources, Sequence) or isinstance(sources, str) or not sources:
        return None
    return frozenset(file_name(str(source)) for source in sources)


def picture_area(card: ModelCard) -> tuple[float, float, float, float]:
    """The picture proper of every photo, as the model learned it: fractions (left, top, right, bottom)."""
    try:
        left, top, right, bottom = (float(part) for part in card.choices["data"]["picture_area"])
    except (KeyError, TypeError, ValueError):
        return 0.0, 0.0, 1.0, 1.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        return 0.0, 0.0, 1.0, 1.0
    return left, top, right, bottom


def part_photos(photos: Iterable[TrainingPhoto], card: ModelCard) -> Sides:
    """Part photos into those that a model has learned from and those that it has not, by their file names.

    A photo of the same name as one that was learned counts as learned.

    Raises:
        GPSDreamError: if none lies in the model's box.
    """
    every = list(photos)
    inside = [photo for photo in every if card.box.contains(photo.lat, photo.lon)]
    if not inside:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"None of the {len(every)} photos lies where “{card.title}” can draw.",
            "Give photos of the city that the model has learned.",
        )
    names = learned_names(card)
    held_out = tuple(photo for photo in inside if names is not None and photo.source_name not in names)
    learned = tuple(photo for photo in inside if names is None or photo.source_name in names)
    return Sides(held_out, learned, names is not None, len(every) - len(inside))


def photos_to_ask(sides: Sides, card: ModelCard, *, seen_too: bool) -> tuple[TrainingPhoto, ...]:
    """The photos that a model may be measured on.

    Args:
        sides: of `part_photos`.
        card: of the model.
        seen_too: also those that it has learned from.

    Raises:
        GPSDreamError: if there are none; the sentence says why, and the hint what to do.
    """
    if seen_too:
        return sides.held_out + sides.learned
    if not sides.known:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"The card of “{card.title}” does not list the photographs that it learned from, so any of these "
            "may be one of them, and a score on them would prove nothing.",
            "Measure a model whose card lists them (`gpsdream train` writes the list), or say --seen-too: the report "
            "then says so in its title.",
        )
    if not sides.held_out:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{card.title}” has learned from all {len(sides.learned)} of these photos, and a model is not scored on "
            "its own training photos.",
            "Give photos that it has not seen, train it with some held out (validation_share in its recipe), or say "
            "--seen-too: the report then says so in its title.",
        )
    return sides.held_out


def sample(photos: Sequence[TrainingPhoto], asked: Sequence[TrainingPhoto], most: int, seed: int) -> list[int]:
    """Numbers of as many photos of a large collection as are worth the time.

    A quarter of them are drawn from those that may be asked about; then come the nearest others of each, so that there
    is a nearest training photo, and what is left over is drawn from all.

    Args:
        photos: all of them.
        asked: those that may be asked about.
        most: photos in the end.
        seed: decides which.
    """
    if len(photos) <= most:
        return list(range(len(photos)))
    random = np.random.default_rng((seed, 2))
    may = {id(photo) for photo in asked}
    numbers = np.array([number for number, photo in enumerate(photos) if id(photo) in may])
    others = np.array([number for number, photo in enumerate(photos) if id(photo) not in may], dtype=np.int64)
    kept = set(random.permutation(numbers)[: max(1, most // 4)].tolist())
    if len(others):
        frame = LocalFrame(photos[0].lat, photos[0].lon)
        metres = np.array([frame.to_metres(photo.lat, photo.lon) for photo in photos])
        _, near = cKDTree(metres[others]).query(metres[sorted(kept)], k=min(2, len(others)))
        kept |= set(others[np.unique(near)].tolist())
    rest = [number for number in random.permutation(len(photos)).tolist() if number not in kept]
    return sorted([*kept, *rest[: most - len(kept)]])


def standing_crops(prepared: PreparedPhotos, photos: Iterable[TrainingPhoto], side: int) -> list[tuple[str, Crop]]:
    """Square crops of full height that always stand at the same places, each half over the next.

    Args:
        prepared: the folder that holds the pixels.
        photos: to be cut.
        side: of a crop, pixels.

    Returns:
        (file name of the source, crop).
    """
    crops = []
    for photo in photos:
        squares = max(photo.width, photo.height) / min(photo.width, photo.height)
        count = max(1, math.floor(2 * squares - 1)) if photo.width > photo.height else 1
        for index in range(count):
            across = 0.5 if count == 1 else index / (count - 1)
            crops.append((photo.source_name, crop_photo(prepared, photo, side, across, 0.5, 1.0)))
    return crops


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the photo that it was asked for.

    Attributes:
        question: words, place and source.
        pixels: (side, side, 3), uint8, of the real photo.
        kind: whether the words are a "caption" or "tags"; "none" for a photo without words.
        seed: of the noise that every row draws its picture from.
    """

    question: Question
    pixels: np.ndarray
    kind: str
    seed: int


def _words(view: View | None, random: np.random.Generator, *, tags: bool) -> tuple[str, str]:
    if view is None or not (view.caption or view.tags):
        return "", "none"
    if view.caption and not (tags and view.tags):
        return view.caption, "caption"
    count = int(random.integers(min(2, len(view.tags)), min(MOST_TAGS, len(view.tags)) + 1))
    chosen = random.choice(len(view.tags), size=count, replace=False)
    return ", ".join(view.tags[index] for index in sorted(chosen)), "tags"


def ask(
    prepared: PreparedPhotos, photos: Sequence[TrainingPhoto], side: int, count: int, *, seed: int = 0
) -> list[Asked]:
    """Questions of the standing crops of photos: each photo is asked about as often as any other, as far as it goes.

    Two in three ask with the caption, one with some tags. Where there are crops with words, those without are left
    out.

    Args:
        prepared: the folder that holds the pixels.
        photos: to ask about.
        side: of the crops, pixels.
        count: questions at most.
        seed: decides which crops and which tags.
    """
    random = np.random.default_rng((seed, 0))
    crops = standing_crops(prepared, photos, side)
    worded = [item for item in crops if item[1].view and (item[1].view.caption or item[1].view.tags)]
    crops = worded or crops
    of_source: dict[str, list[Crop]] = {}
    for source, crop in crops:
        of_source.setdefault(source, []).append(crop)
    queues = {source: [own[index] for index in random.permutation(len(own))] for source, own in of_source.items()}
    order = [sorted(queues)[index] for index in random.permutation(len(queues))]
    asked: list[Asked] = []
    # Once round all photographs, then again; the second time that a crop comes up, it is asked about in other words.
    for turn in range(2 * max(map(len, queues.values()))):
        for number, source in enumerate(order):
            own = queues[source]
            if turn >= 2 * len(own) or len(asked) >= count:
                continue
            again, which = divmod(turn, len(own))
            crop = own[which]
            prompt, kind = _words(crop.view, random, tags=((which + number) % 3 == 0) != bool(again))
            question = Question(prompt, Place(crop.lat, crop.lon, crop.heading), source)
            if any(one.question == question for one in asked):
                continue
            asked.append(Asked(question, crop.pixels, kind, (seed * 100_003 + len(asked)) % (MAX_SEED + 1)))
    return asked
