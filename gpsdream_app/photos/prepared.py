"""Photos made ready for training: pixels in one flat file, everything else in one JSON file.

A prepared folder is all that a training run reads, so it can be carried to another machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.geo.frames import LocalFrame

PIXELS_FILE = "pixels.bin"
INDEX_FILE = "photos.json"


@dataclass(frozen=True, slots=True)
class View:
    """Words for a part of a photo.

    Attributes:
        centre: where across the photo the words belong, from 0 (left) to 1 (right).
        caption: a sentence; may be empty.
        tags: single things that are seen; may be empty.
    """

    centre: float
    caption: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingPhoto:
    """One photo as training sees it.

    Attributes:
        name: of the file, for messages and splits.
        lat, lon: of the camera, degrees.
        heading: direction of view, degrees clockwise from north; None if not known.
        source: name of the source photograph; photos of one source never stand on both sides of a split.
        frontage: how far, in metres east and north, the place moves from the left to the right edge of the photo;
            None if a crop keeps the photo's place.
        views: words for parts of the photo.
        validation: whether it is held out from training.
        height, width: of the stored pixels.
        offset: of its first byte in the pixels file; pixels are RGB or grey, row by row.
        channels: 1 or 3.
    """

    name: str
    lat: float
    lon: float
    heading: float | None = None
    source: str = ""
    frontage: tuple[float, float] | None = None
    views: tuple[View, ...] = ()
    validation: bool = False
    height: int = 0
    width: int = 0
    offset: int = 0
    channels: int = 3

    @property
    def source_name(self) -> str:
        """File name of the source photograph."""
        return PurePath(self.source or self.name).name

    def place_at(self, across: float) -> tuple[float, float]:
        """Latitude and longitude that belong to a crop centred at `across` (0 left, 1 right)."""
        if self.frontage is None:
            return self.lat, self.lon
        east, north = ((across - 0.5) * component for component in self.frontage)
        return LocalFrame(self.lat, self.lon).to_degrees(east, north)

    def words_at(self, across: float, reach: float) -> View | None:
        """The words nearest to `across`, if they lie within `reach` of it."""
        best = min(self.views, key=lambda view: abs(view.centre - across), default=None)
        return best if best is not None and abs(best.centre - across) <= reach else None


@dataclass
class PreparedPhotos:
    """An opened prepared folder."""

    folder: Path
    photos: list[TrainingPhoto]
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> PreparedPhotos:
        """Open a prepared folder. Raises GPSDreamError if it is not one."""
        try:
            data = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
            photos = []
            for item in data["photos"]:
                views = tuple(View(v["centre"], v["caption"], tuple(v["tags"])) for v in item.pop("views"))
                frontage = item.pop("frontage")
                photos.append(TrainingPhoto(**item, views=views, frontage=tuple(frontage) if frontage else None))
            needed = max((photo.offset + photo.height * photo.width * photo.channels for photo in photos), default=0)
            if (folder / PIXELS_FILE).stat().st_size < needed:
                raise ValueError(f"{PIXELS_FILE} is cut short")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GPSDreamError(
                ErrorKind.BAD_PHOTO,
                f"The prepared photos in “{folder.name}” cannot be read.",
                "Delete that folder; it is made again from the photos.",
                details=repr(error),
            ) from None
        return cls(folder, photos, data["about"])

    def pixels(self, photo: TrainingPhoto) -> np.ndarray:
        """Pixels of one photo, (height, width, channels), uint8, read only and not loaded before they are used."""
        if not hasattr(self, "_pixels"):
            self._pixels = np.memmap(self.folder / PIXELS_FILE, dtype=np.uint8, mode="r")
        size = photo.height * photo.width * photo.channels
        flat = self._pixels[photo.offset : photo.offset + size]
        return flat.reshape(photo.height, photo.width, photo.channels)

    def part(self, *, validation: bool) -> list[TrainingPhoto]:
        """The photos of one side of the split."""
        return [photo for photo in self.photos if photo.validation == validation]

    def box(self, margin_metres: float) -> Box:
        """The smallest box that holds every place of every photo, with a margin."""
        return box_of(self.photos, margin_metres)


def box_of(photos: Iterable[TrainingPhoto], margin_metres: float) -> Box:
    """The smallest box that holds every place of some photos, with a margin."""
    places = [photo.place_at(across) for photo in photos for across in (0.0, 0.5, 1.0)]
    lats, lons = zip(*places, strict=True)
    corner = LocalFrame(min(lats), min(lons)).to_degrees(-margin_metres, -margin_metres)
    other = LocalFrame(max(lats), max(lons)).to_degrees(margin_metres, margin_metres)
    return Box(*corner, *other)


class PreparedWriter:
    """Writes a prepared folder, photo by photo, in constant memory."""

    def __init__(self, folder: Path, side: int) -> None:
        """Start a folder.

        Args:
            folder: made if missing.
            side: photos are scaled down so that their shorter side has this many pixels; never up.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.side = side
        self._photos: list[TrainingPhoto] = []
        self._file = (folder / (PIXELS_FILE + ".part")).open("wb")

    def add(self, image: Image.Image, photo: TrainingPhoto, area: tuple[float, float, float, float]) -> None:
        """Add one photo.

        Args:
            image: upright picture.
            photo: all but height, width, offset and channels.
            area: the picture proper as fractions (left, top, right, bottom) of the image.
        """
        left, top, right, bottom = area
        width, height = image.size
        image = image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))
        grey = image.mode in ("1", "L", "LA", "I", "I;16", "F")
        image = image.convert("L" if grey else "RGB")
        scale = min(1.0, self.side / min(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        if size != image.size:
            image = image.resize(size, Image.Resampling.LANCZOS)
        pixels = np.asarray(image, dtype=np.uint8)
        offset = self._file.tell()
        self._file.write(pixels.tobytes())
        shape: dict[str, Any] = {
            "height": image.height,
            "width": image.width,
            "offset": offset,
            "channels": 1 if grey else 3,
        }
        self._photos.append(replace(photo, **shape))

    def finish(self, about: dict[str, Any]) -> PreparedPhotos:
        """Write the index and put the files in place."""
        self._file.close()
        (self.folder / (PIXELS_FILE + ".part")).replace(self.folder / PIXELS_FILE)
        index = {"about": about, "photos": [asdict(photo) for photo in self._photos]}
        temporary = self.folder / (INDEX_FILE + ".part")
        temporary.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
        temporary.replace(self.folder / INDEX_FILE)
        return PreparedPhotos.open(self.folder)


@dataclass(frozen=True, slots=True)
class Crop:
    """A square crop: pixels (side, side, 3) uint8, its place and its words.

    Attributes:
        metres: how much of the frontage it shows; None if that is not known.
    """

    pixels: np.ndarray
    lat: float
    lon: float
    heading: float | None
    view: View | None
    metres: float | None = None


def crop_photo(
    prepared: PreparedPhotos,
    photo: TrainingPhoto,
    side: int,
    across: float,
    down: float,
    scale: float,
) -> Crop:
    """Cut a square out of a photo; where the frontage is known, the place moves with it.

    Args:
        prepared: the folder that holds the pixels.
        photo: the photo.
        side: of the result, pixels.
        across: position of the crop between the leftmost (0) and the rightmost (1) one that fits.
        down: the same between the top (0) and the bottom (1).
        scale: side of the crop as a fraction of the photo's shorter side, 0 to 1.
    """
    pixels = prepared.pixels(photo)
    height, width, channels = pixels.shape
    square = max(8, min(height, width, round(scale * min(height, width))))
    left, top = round(across * (width - square)), round(down * (height - square))
    part = pixels[top : top + square, left : left + square]
    image = Image.fromarray(part[..., 0] if channels == 1 else part).convert("RGB")
    if square != side:
        image = image.resize((side, side), Image.Resampling.LANCZOS)
    centre = (left + square / 2) / width
    lat, lon = photo.place_at(centre)
    view = photo.words_at(centre, reach=0.5 * square / width)
    metres = None if photo.frontage is None else math.hypot(*photo.frontage) * square / width
    return Crop(np.asarray(image), lat, lon, photo.heading, view, metres)


def across_of_centre(photo: TrainingPhoto, centre: float, scale: float) -> float:
    """The `across` of `crop_photo` that puts a crop's middle at a fraction of the photo's width, or as near as fits."""
    reach = scale * min(photo.height, photo.width) / photo.width
    return 0.5 if reach >= 1 else min(1.0, max(0.0, (centre - reach / 2) / (1 - reach)))


def fixed_crops(prepared: PreparedPhotos, photos: Iterable[TrainingPhoto], side: int) -> Iterator[Crop]:
    """Crops for validation: the same every time, one per square that fits side by side, full height."""
    for photo in photos:
        count = max(1, math.floor(photo.width / min(photo.height, photo.width)))
        for index in range(count):
            across = 0.5 if count == 1 else index / (count - 1)
            yield crop_photo(prepared, photo, side, across, 0.5, 1.0)
