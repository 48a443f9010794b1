"""What every export of results shares: their names and figures in words, their pixels, what is left out and why."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.results import Result
from gpsdream_app.export.averages import file_name
from gpsdream_app.geo.regions import clean_name
from gpsdream_app.library.paths import storage_error
from gpsdream_app.library.picture_metadata import MAX_PIXELS, SOURCE_TYPE, exif_bytes, without_place, xmp_packet

MAX_TEXT = 1200  # characters of one value in a table or a balloon; prompts are shorter
THUMBNAIL_QUALITY = 84
NO_PLACE = "It was drawn from words alone and has no place."

Progress = Callable[[int, int], None]


class ExportCancelled(Exception):
    """Raised out of an export that was asked to stop."""


@dataclass(slots=True)
class Written:
    """What an export has made.

    Attributes:
        files: in the order of the results; folders and files that belong to the first one are not in it.
        left_out: a sentence for every result that is not in them.
    """

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells how far an export is, and stops it.

    Attributes:
        progress: gets the number of results that are done, and of all.
        cancelled: asked before each result.
    """

    progress: Progress | None = None
    cancelled: Callable[[], bool] | None = None

    def over(self, results: Sequence[Result]) -> Iterator[tuple[int, Result]]:
        """Yield (number from 1, result), and tell of each when the next one is asked for.

        Raises:
            ExportCancelled: if it was asked to stop.
        """
        for number, result in enumerate(results, 1):
            if self.cancelled and self.cancelled():
                raise ExportCancelled
            yield number, result
            if self.progress:
                self.progress(number, len(results))


SILENT = Watch()


def some(results: Sequence[Result]) -> None:
    """Raise GPSDreamError of kind `bad_request` if there is nothing to export."""
    if not results:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "There are no pictures to export.", "Choose some first.")


def title_of(result: Result, *, include_place: bool = True) -> str:
    """Return a picture's name on one line: its place, else its words; with `include_place` False always its words."""
    place = result.request.place
    if place and include_place:
        return clean_name(place.name) or f"{place.lat:.5f}, {place.lon:.5f}"
    return clean_name(result.request.prompt, 80) or "Picture"


def how(result: Result, *, include_place: bool = True) -> str:
    """Return one line about how a picture was made: words, seed, model and date."""
    request = result.request
    parts = [f"“{words}”" if (words := clean_name(request.prompt, MAX_TEXT)) else "no words"]
    if isinstance(request, AverageRequest) and include_place:
        parts.append(f"average of {len(request.regions[0].places)} places")
    parts += [f"seed {request.seed}", clean_name(result.model_title), clean_name(result.created)[:10]]
    return " · ".join(part for part in parts if part)


def stem_of(result: Result, number: int, digits: int, *, include_place: bool = True) -> str:
    """Return the name of a picture's file without its suffix: number, place or words, and seed."""
    return f"{number:0{digits}d} {file_name(title_of(result, include_place=include_place))}, seed {result.request.seed}"


def facts(result: Result) -> dict[str, Any]:
    """Return what a table or a map says of a result: texts on one line, numbers, and None where nothing is known.

    The path is not in it: it holds the name of a person's home folder.
    """
    request, place = result.request, result.request.place
    values: dict[str, Any] = {
        "id": result.id,
        "kind": result.kind.value,
        "created": clean_name(result.created),
        "latitude": place.lat if place else None,
        "longitude": place.lon if place else None,
        "heading": place.heading if place else None,
        "place": clean_name(place.name) if place else "",
        "prompt": clean_name(request.prompt, MAX_TEXT),
        "negative_prompt": clean_name(request.negative_prompt, MAX_TEXT),
        "seed": request.seed,
        "steps": request.steps,
        "text_guidance": request.text_guidance,
        "place_guidance": request.place_guidance,
        "places": len(request.regions[0].places) if isinstance(request, AverageRequest) else None,
        "model": clean_name(result.model_title),
        "model_hash": clean_name(result.model_hash),
        "app_version": clean_name(result.app_version),
        "width": result.width,
        "height": result.height,
        "photo_distance": result.photo_distance,
        "typicality_rank": result.typicality_rank,
        "digital_source_type": SOURCE_TYPE,
    }
    return values


def open_picture(result: Result) -> Image.Image:
    """Return a result's pixels as RGB.

    Raises:
        GPSDreamError: of kind `bad_photo` if the file is gone or cannot be read.
    """
    path = Path(result.path)
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError("too large")
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The picture “{clean_name(path.name)[:80]}” cannot be read.",
            "It may have been moved, deleted or damaged. Find it again in the library, or draw it again.",
            repr(error),
        ) from None


def thumbnails(result: Result, *sides: int) -> list[bytes]:
    """Return small JPEGs of a result with all that is known about it, its place and the mark of the model as well.

    Args:
        result: the picture.
        sides: pixels of the longer side of each, at most; the largest first.

    Raises:
        GPSDreamError: as `open_picture`.
    """
    picture, kept, made = open_picture(result), modest(result), []
    exif, xmp = exif_bytes(kept), xmp_packet(kept).encode("utf-8", "replace")
    for side in sides:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True, exif=exif, xmp=xmp)
        made.append(data.getvalue())
    return made


def modest(result: Result, *, include_place: bool = True) -> Result:
    """Return a result whose texts fit into the 64 KB that a JPEG has for each block about itself.

    Args:
        result: from anywhere.
        include_place: False leaves out all that tells where it is.
    """
    kept = result if include_place else without_place(result)
    return replace(
        kept,
        model_title=clean_name(kept.model_title),
        app_version=clean_name(kept.app_version, 40),
        created=clean_name(kept.created, 40),
    )


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG as the address that holds all of it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def left_out(result: Result, why: str) -> str:
    """Return the sentence about a result that an export does without."""
    return f"“{title_of(result)}, seed {result.request.seed}” was left out: {why}"


def nothing_left(written: Written, what: str) -> GPSDreamError:
    """Return the error that nothing could be exported, with the reason of the first one."""
    reason = written.left_out[0] if written.left_out else ""
    return GPSDreamError(ErrorKind.BAD_REQUEST, f"None of the pictures can be {what}. {reason}".strip())


def refused(error: OSError, path: Path) -> GPSDreamError:
    """Return what to say when the disk refuses an export."""
    return storage_error(error, path.parent, f"“{clean_name(path.name)[:80]}” was not saved")
