"""Average pictures for other programs: a labelled sheet, single pictures, GeoJSON, a map to share, a walk's strip."""

from __future__ import annotations

import base64
import math
import re
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from gpsdream_app import __version__
from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.export.labels import FAINT, INK, LINE, PAPER, framed, one_line, wrapped, write
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.geojson import region_feature, write_json
from gpsdream_app.library.picture_metadata import MAX_PIXELS, SOURCE_TYPE, read_result, save_png

CELL = 384  # pixels of a picture's side on the sheet
GAP, EDGE = 44, 72  # pixels between pictures, and around all
TITLE, NAME, SMALL = 46, 30, 21  # pixels of lettering
EMBEDDED = 512  # pixels of the longer side of a picture inside another file
MADE_BY_A_MODEL = "Drawn by a model; no photograph."


@dataclass(frozen=True, slots=True)
class GridItem:
    """One picture of a grid.

    Attributes:
        title: such as the region's name; anything goes.
        subtitle: a second line; empty lets the number of photos stand there if it is known.
        picture: the picture, or the path of its file.
        region: whose average it is; None for pictures that belong to none.
        result: what made it; None if not known.
    """

    title: str
    subtitle: str
    picture: Path | Image.Image
    region: Region | None = None
    result: Result | None = None

    @property
    def photos(self) -> int | None:
        """Number of photos in the region that the model has learned from; None if not known."""
        request = self.result.request if self.result else None
        return request.regions[0].photos if isinstance(request, AverageRequest) else None

    @property
    def second_line(self) -> str:
        """The subtitle, or the number of photos in words; empty if neither is known."""
        if self.subtitle:
            return self.subtitle
        photos = self.photos
        if photos is None:
            return ""
        return "no photos here: a guess" if photos == 0 else f"{photos:,} photo{'s' if photos > 1 else ''}"


def note_of(items: Sequence[GridItem]) -> str:
    """Return one line about how the pictures were made: what they share of words, places, seed and model."""
    results = [item.result for item in items if item.result]
    requests = [result.request for result in results]
    said = []
    prompts = {request.prompt for request in requests}
    if len(prompts) == 1:
        said.append(f"“{prompts.pop()}”" if any(prompts) else "no words")
    places = {len(r.regions[0].places) for r in requests if isinstance(r, AverageRequest)}
    if places:
        count = f"{min(places)} to {max(places)}" if len(places) > 1 else f"{max(places)}"
        said.append(f"average of {count} place{'' if places == {1} else 's'} each")
        subsets = {r.subset for r in requests if isinstance(r, AverageRequest)}
        if len(subsets) == 1 and (subset := subsets.pop()) is not None:
            said.append(f"{subset} of them at each step")
    seeds = {request.seed for request in requests}
    if len(seeds) == 1:
        said.append(f"seed {seeds.pop()}")
    models = {result.model_title for result in results}
    if len(models) == 1:
        said.append(f"model: {models.pop()}")
    return " · ".join([*said, MADE_BY_A_MODEL])


# -- one sheet --


def labelled_png(items: Sequence[GridItem], out: Path, *, title: str = "", note: str = "") -> None:
    """Write all pictures on one sheet like a printed plate: title, pictures with names and photos, a note below.

    A region without photos has a dashed frame. The file carries the mark that a model made it.

    Args:
        items: 1 or more; from left to right and top to bottom.
        out: the PNG to write, whole or not at all.
        title: stands above; empty leaves it out.
        note: stands below; empty lets `note_of` say it.

    Raises:
        GPSDreamError: of kind `bad_request` without items, `bad_photo` if a picture cannot be read, `disk_full` if the
            disk refuses.
    """
    _some(items)
    columns = _columns(len(items))
    rows = math.ceil(len(items) / columns)
    # A sheet of very many pictures gets smaller ones, so that every program opens it.
    cell = CELL
    while cell > 48 and _sheet_width(columns, cell) * (rows * (cell + GAP + 90) + 400) > MAX_PIXELS:
        cell = cell * 3 // 4
    small = cell < 200
    name, second = (NAME, SMALL) if not small else (max(11, cell // 9), max(9, cell // 12))
    width = max(_sheet_width(columns, cell), 760)
    left = (width - columns * cell - (columns - 1) * GAP) // 2
    caption = round(name * 1.55 + second * 1.5)
    top = EDGE + (round(TITLE * 1.9) if one_line(title) else 0)
    line = note or note_of(items)
    notes = wrapped(line, width - 2 * EDGE, SMALL, "slanted")
    height = top + rows * (cell + caption) + (rows - 1) * GAP + 56 + round(len(notes) * SMALL * 1.5) + EDGE // 2
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((24, 24, width - 25, height - 25), outline=LINE)
    if one_line(title):
        write(draw, (width / 2, EDGE + TITLE * 0.75), title, TITLE, width - 2 * EDGE, anchor="ms")
        draw.line((width / 2 - 60, EDGE + TITLE * 1.3, width / 2 + 60, EDGE + TITLE * 1.3), fill=LINE, width=2)
    for index, item in enumerate(items):
        row, column = divmod(index, columns)
        last = len(items) - row * columns
        # The last row stands in the middle, as on a plate.
        shift = (columns - last) * (cell + GAP) // 2 if last < columns else 0
        x, y = left + shift + column * (cell + GAP), top + row * (cell + caption + GAP)
        framed(sheet, _square(_opened(item.picture)), (x, y, x + cell, y + cell), dashed=item.photos == 0)
        middle, below = x + cell / 2, y + cell
        write(draw, (middle, below + name * 1.25), item.title, name, cell + GAP // 2, anchor="ms")
        line_two = below + name * 1.25 + second * 1.45
        write(draw, (middle, line_two), item.second_line, second, cell + GAP // 2, colour=FAINT, anchor="ms")
    bottom = height - EDGE // 2 - round(len(notes) * SMALL * 1.5)
    draw.line((EDGE, bottom - 26, width - EDGE, bottom - 26), fill=LINE)
    for number, text in enumerate(notes):
        at = (width / 2, bottom + number * SMALL * 1.5 + SMALL * 0.4)
        write(draw, at, text, SMALL, width - 2 * EDGE, colour=FAINT, style="slanted", anchor="ms")
    _save_sheet(sheet, out, [item.result for item in items if item.result])


def _columns(count: int) -> int:
    """Return a number of columns that makes a sheet somewhat wider than high, with a last row as full as can be."""
    if count <= 4:
        return count
    around = max(3, round(math.sqrt(count * 1.4)))
    choices = range(max(2, around - 1), around + 2)
    return min(choices, key=lambda columns: (-count % columns, abs(columns - around)))


def _sheet_width(columns: int, cell: int) -> int:
    return 2 * EDGE + columns * cell + (columns - 1) * GAP


def strip_png(
    frames: Sequence[Path | Image.Image],
    out: Path,
    *,
    title: str = "",
    note: str = "",
    labels: Sequence[str] = (),
    per_row: int = 20,
    side: int = 128,
    result: Result | None = None,
) -> None:
    """Write the pictures of a walk side by side, row below row, each row named by where it begins.

    Only one frame is held at a time; very long walks get smaller pictures.

    Args:
        frames: in order, 1 or more.
        out: the PNG to write, whole or not at all.
        title: stands above.
        note: stands below; empty says what the result knows.
        labels: where each frame is, as many as frames or none.
        per_row: frames in a row.
        side: pixels of a frame's side.
        result: what made a frame, for the mark that the file carries; None if not known.

    Raises:
        GPSDreamError: as `labelled_png`.
    """
    _some(frames)
    per_row = max(1, min(per_row, len(frames)))
    rows = math.ceil(len(frames) / per_row)
    side = min(max(side, 16), max(16, math.isqrt(MAX_PIXELS // 2 // (rows * per_row))))
    caption = round(SMALL * 1.5) if labels else 0
    width = max(2 * EDGE + per_row * side, 760)
    top = EDGE + (round(TITLE * 1.7) if one_line(title) else 0)
    notes = wrapped(note or note_of([GridItem("", "", out, None, result)]), width - 2 * EDGE, SMALL, "slanted")
    height = top + rows * (side + caption + 14) + 40 + round(len(notes) * SMALL * 1.5) + EDGE // 2
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    if one_line(title):
        write(draw, (EDGE, EDGE + TITLE * 0.6), title, TITLE, width - 2 * EDGE)
    for index, frame in enumerate(frames):
        row, column = divmod(index, per_row)
        x, y = EDGE + column * side, top + row * (side + caption + 14)
        picture = _square(_opened(frame)).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(picture, (x, y + caption))
        if column == 0 and index < len(labels):
            room = min(per_row, len(frames) - index) * side
            write(draw, (x, y + caption - 8), labels[index], SMALL, max(room, 200), colour=INK)
    bottom = height - EDGE // 2 - round(len(notes) * SMALL * 1.5)
    for number, text in enumerate(notes):
        at = (EDGE, bottom + number * SMALL * 1.5)
        write(draw, at, text, SMALL, width - 2 * EDGE, colour=FAINT, style="slanted")
    _save_sheet(sheet, out, [result] if result else [])


# -- single pictures --


def separate_pngs(items: Sequence[GridItem], folder: Path, *, include_place: bool = True) -> list[Path]:
    """Write each picture as a PNG of its own with all that is known about it, numbered and named by its title.

    Args:
        items: 1 or more.
        folder: where to; created if it is missing. Files that are there are kept: new ones get another number.
        include_place: False leaves out where it is.

    Returns:
        The paths, in the order of the items.

    Raises:
        GPSDreamError: as `labelled_png`.
    """
    _some(items)
    paths: list[Path] = []
    digits = len(str(len(items)))
    for number, item in enumerate(items, 1):
        stem = f"{number:0{digits}d} {file_name(item.title)}"
        path = _free_path(folder, stem)
        picture = _opened(item.picture)
        save_png(picture, path, _known(item, picture), include_place=include_place)
        paths.append(path)
    return paths


def file_name(text: str) -> str:
    """Return a name from anywhere as one that every file system takes, without its suffix."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]+', "-", one_line(text)).strip(" .-")[:60].strip(" .-")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved else name or "picture"


def _free_path(folder: Path, stem: str) -> Path:
    path, copy = folder / f"{stem}.png", 2
    while path.exists():
        path, copy = folder / f"{stem} {copy}.png", copy + 1
    return path


# -- GeoJSON and the map --


def geojson(items: Sequence[GridItem], out: Path, *, embed: bool = False) -> None:
    """Write the regions as GeoJSON, each with its picture, words and settings as properties.

    Args:
        items: 1 or more; one without a region has no geometry.
        out: the file to write, whole or not at all.
        embed: True puts the pictures into it as data URIs; False writes them into a folder beside it, named after it,
            and gives their paths relative to the file.

    Raises:
        GPSDreamError: as `labelled_png`.
    """
    _some(items)
    folder = out.with_name(f"{out.stem} pictures")
    paths = [] if embed else separate_pngs(items, folder)
    features = []
    for index, item in enumerate(items):
        picture = data_uri(item) if embed else f"{folder.name}/{paths[index].name}"
        properties = {"title": item.title, "subtitle": item.second_line, "picture": picture, **_properties(item)}
        if item.region is not None:
            features.append(region_feature(item.region, **properties))
        else:
            features.append({"type": "Feature", "properties": properties, "geometry": None})
    write_json(out, {"type": "FeatureCollection", "features": features})


def _properties(item: GridItem) -> dict[str, Any]:
    values: dict[str, Any] = {"digital_source_type": SOURCE_TYPE}
    if item.result is None:
        return values
    request = item.result.request
    values |= {
        "prompt": request.prompt,
        "seed": request.seed,
        "steps": request.steps,
        "text_guidance": request.text_guidance,
        "place_guidance": request.place_guidance,
        "model": item.result.model_title,
        "model_hash": item.result.model_hash,
        "created": item.result.created,
        "app_version": item.result.app_version,
    }
    if isinstance(request, AverageRequest):
        places = request.regions[0]
        values |= {
            "places": len(places.places),
            "subset": request.subset,
            "sampling": places.sampling.value,
            "photos": places.photos,
        }
    return values


def web_map(items: Sequence[GridItem], out: Path, city: CityMap, *, title: str = "", note: str = "") -> None:
    """Write a map to share: one HTML file that asks nobody for anything, with the pictures standing in their regions.

    Args:
        items: those with a region stand on the map; at least one must.
        out: the file to write, whole or not at all.
        city: its own vector layers are the base map.
        title: of the page; empty takes the city's name.
        note: stands at the foot; empty lets `note_of` say it.

    Raises:
        GPSDreamError: as `labelled_png`.
    """
    from gpsdream_app.export.web_map import Standing, write_web_map  # folium is slow to import

    placed = [item for item in items if item.region is not None]
    _some(placed)
    standing = [
        Standing(
            title=item.title,
            subtitle=item.second_line,
            region=item.region,
            picture=data_uri(item),
            seen=item.photos != 0,
            details=note_of([item]),
        )
        for item in placed
        if item.region is not None
    ]
    write_web_map(standing, out, city, title=title or city.name, note=note or note_of(placed))


def data_uri(item: GridItem) -> str:
    """Return the picture as a data URI: a PNG with its metadata, at most 512 pixels a side."""
    picture = _opened(item.picture)
    picture.thumbnail((EMBEDDED, EMBEDDED), Image.Resampling.LANCZOS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        save_png(picture, path, _known(item, picture))
        return _encoded(path.read_bytes())


def _encoded(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


# -- shared --


def _some(items: Sequence[Any]) -> None:
    if not items:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "There are no pictures to export.", "Draw some first.")


def _opened(picture: Path | Image.Image) -> Image.Image:
    """Return a picture as RGB of its own, or say which file cannot be read."""
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    try:
        with Image.open(picture) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError("too large")
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The picture “{one_line(picture.name)[:80]}” cannot be read.",
            "Draw it again.",
            repr(error),
        ) from None


def _square(picture: Image.Image) -> Image.Image:
    """Cut the middle square out of a picture."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture if picture.width == picture.height else picture.crop((left, top, left + side, top + side))


def _known(item: GridItem, picture: Image.Image) -> Result:
    """Return what made a picture: what was given, what its file says, or that nothing more is known."""
    known = item.result
    if known is None and isinstance(item.picture, Path):
        try:
            known = read_result(item.picture)
        except GPSDreamError:
            known = None
    return replace(known or _unknown(), width=picture.width, height=picture.height)


def _unknown() -> Result:
    """Return a result that says of a picture no more than that GPSDream made it."""
    return Result(
        id=secrets.token_hex(16),
        job_id="",
        request=GenerateRequest(place=None),
        path="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        model_title="",
        model_hash="",
        app_version=__version__,
        width=0,
        height=0,
    )


def _save_sheet(sheet: Image.Image, out: Path, results: Sequence[Result]) -> None:
    """Write a sheet with the mark that a model made it; it is no picture of one place, so it names none."""
    first = results[0] if results else _unknown()
    known = replace(first, id=secrets.token_hex(16), width=sheet.width, height=sheet.height)
    save_png(sheet, out, known, include_place=False)
