"""A walk as a film: its pictures one after the other, beside a small map on which a dot moves.

Pictures are read one at a time, so that a film of any length needs no more memory than a short one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.geo.city import CityMap
from gpsdream_app.library.paths import storage_error

HEIGHT = 480  # pixels of the film and of the map in it
MAP_WIDTH = 270
WIDEST = 1280  # pixels of a picture in the film
QUALITY = 18  # constant rate factor of H.264: hardly to be told from the pictures
FINER = 3  # the map is drawn so many times larger, for smooth lines
METRES_PER_DEGREE = 111_195.0
LEAST_METRES = 300.0  # that the map shows across: a walk of one house needs its surroundings, too
MARGIN = 0.12  # around the walk, as a share of it

WATER, LAND, PARK, STREET, WALK, DOT = "#c9d9e3", "#f3efe7", "#d3dfc4", "#dcd5c8", "#b5493a", "#8f2f22"
FAINT = "#6e6862"
DOT_RADIUS = 7
ATTRIBUTION_SIZE = 10

MARK = "Made with GPSDream by a trained model (trainedAlgorithmicMedia)"


class WritingCancelled(Exception):
    """Raised out of `write_walk` when it was asked to stop; no film is left."""


def write_walk(
    frames: Sequence[Path],
    places: Sequence[Place],
    out: Path,
    *,
    fps: float = 12.0,
    map: CityMap | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Write pictures as an MP4 (H.264, which every player and browser shows). It appears whole or not at all.

    Args:
        frames: picture files, in order; the first one decides the shape.
        places: where each of them is; as many as there are frames.
        out: the film; an existing one is replaced.
        fps: pictures per second.
        map: the city's map; None shows the line of the walk alone.
        progress: told (pictures written, of how many) after each.
        cancelled: asked before each picture.

    Returns:
        `out`.

    Raises:
        GPSDreamError: of kind `bad_photo` if a picture cannot be read, `bad_request` if there is none, `disk_full` if
            the disk refuses, `internal` if the program that packs films is missing.
        WritingCancelled: as soon as `cancelled` says so.
    """
    if not frames or len(frames) != len(places):
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "A film needs pictures, and a place for each of them.")
    panel = _WalkMap(places, map)
    with _opened(frames[0]) as first:
        width = min(WIDEST, max(2, round(HEIGHT * first.width / first.height / 2) * 2))
    try:
        with (
            whole_file(out, ".mp4") as temporary,
            _packed(temporary, (width + MAP_WIDTH, HEIGHT), fps) as write,
        ):
            for number, (path, place) in enumerate(zip(frames, places, strict=True), 1):
                if cancelled and cancelled():
                    raise WritingCancelled
                write(_film_picture(path, width, panel, place).tobytes())
                if progress:
                    progress(number, len(frames))
    except OSError as error:
        raise storage_error(error, out, "the film was not saved") from error
    return out


def _film_picture(path: Path, width: int, panel: _WalkMap, place: Place) -> Image.Image:
    picture = Image.new("RGB", (width + MAP_WIDTH, HEIGHT))
    with _opened(path) as image:
        picture.paste(image.convert("RGB").resize((width, HEIGHT), Image.Resampling.LANCZOS), (0, 0))
    picture.paste(panel.at(place), (width, 0))
    return picture


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            image.load()
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, f"“{path.name[:80]}” cannot be read.", "Draw the walk again.", repr(error)
        ) from error


@contextlib.contextmanager
def _packed(path: Path, size: tuple[int, int], fps: float) -> Iterator[Callable[[bytes], None]]:
    """Yield what takes the bytes of one RGB picture after the other."""
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise GPSDreamError(
            ErrorKind.INTERNAL, "The program that packs films is missing.", "Install GPSDream again.", repr(error)
        ) from error
    writer: Any = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=fps,
        codec="libx264",
        pix_fmt_out="yuv420p",
        quality=None,
        macro_block_size=2,
        ffmpeg_log_level="error",
        # Shown as soon as its beginning is there, and marked for whoever asks who made it.
        output_params=["-crf", str(QUALITY), "-movflags", "+faststart", "-metadata", f"comment={MARK}"],
    )
    writer.send(None)
    try:
        yield writer.send
    finally:
        writer.close()


class _WalkMap:
    """The city around a walk, drawn once, and the dot that moves over it."""

    def __init__(self, places: Sequence[Place], city: CityMap | None) -> None:
        self._lat, self._lon = places[0].lat, places[0].lon
        self._narrowing = math.cos(math.radians(self._lat))
        points = [self._metres(place.lat, place.lon) for place in places]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        across = max(
            LEAST_METRES,
            (max(xs) - min(xs)) * (1 + 2 * MARGIN),
            (max(ys) - min(ys)) * (1 + 2 * MARGIN) * MAP_WIDTH / HEIGHT,
        )
        self._scale = MAP_WIDTH / across  # pixels per metre
        self._middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
        self._picture = self._draw(places, city)
        self._dot = _dot()

    def at(self, place: Place) -> Image.Image:
        """The map with the dot at a place."""
        picture = self._picture.copy()
        x, y = self._pixel(place.lat, place.lon)
        corner = round(x - self._dot.width / 2), round(y - self._dot.height / 2)
        picture.paste(self._dot, corner, self._dot)
        return picture

    def _metres(self, lat: float, lon: float) -> tuple[float, float]:
        # The shorter way round the Earth, for walks across the antimeridian.
        east = (lon - self._lon + 180.0) % 360.0 - 180.0
        return east * METRES_PER_DEGREE * self._narrowing, (lat - self._lat) * METRES_PER_DEGREE

    def _pixel(self, lat: float, lon: float, scale: float = 1.0) -> tuple[float, float]:
        x, y = self._metres(lat, lon)
        return (
            ((x - self._middle[0]) * self._scale + MAP_WIDTH / 2) * scale,
            ((self._middle[1] - y) * self._scale + HEIGHT / 2) * scale,
        )

    def _draw(self, places: Sequence[Place], city: CityMap | None) -> Image.Image:
        image = Image.new("RGB", (MAP_WIDTH * FINER, HEIGHT * FINER), WATER if city else LAND)
        draw = ImageDraw.Draw(image)
        if city:
            for layer, colour, hole in (("land", LAND, WATER), ("parks", PARK, LAND), ("water", WATER, PARK)):
                for feature in city.features(layer):
                    for rings in _polygons(feature["geometry"]):
                        for number, ring in enumerate(rings):
                            self._fill(draw, ring, hole if number else colour)
            for feature in city.features("streets"):
                width = (2.5 if feature["properties"].get("major") else 1.2) * FINER
                for line in _lines(feature["geometry"]):
                    self._line(draw, [(lat, lon) for lon, lat, *_ in line], STREET, width)
        self._line(draw, [(place.lat, place.lon) for place in places], WALK, 2.5 * FINER)
        image = image.resize((MAP_WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        if city:
            _write_below(image, city.attribution)
        return image

    def _fill(self, draw: ImageDraw.ImageDraw, ring: Sequence[Sequence[float]], colour: str) -> None:
        corners = [self._pixel(point[1], point[0], FINER) for point in ring]
        if len(corners) > 2 and self._seen(corners):
            draw.polygon(corners, fill=colour)

    def _line(
        self, draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str, width: float
    ) -> None:
        pixels = [self._pixel(lat, lon, FINER) for lat, lon in points]
        if len(pixels) > 1 and self._seen(pixels):
            draw.line(pixels, fill=colour, width=round(width), joint="curve")

    @staticmethod
    def _seen(pixels: Sequence[tuple[float, float]]) -> bool:
        """Whether a shape can touch the picture at all."""
        xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
        return max(xs) >= 0 and max(ys) >= 0 and min(xs) <= MAP_WIDTH * FINER and min(ys) <= HEIGHT * FINER


def _dot() -> Image.Image:
    side = (2 * DOT_RADIUS + 3) * FINER
    dot = Image.new("RGBA", (side, side), (255, 255, 255, 0))
    draw = ImageDraw.Draw(dot)
    draw.ellipse((0, 0, side - 1, side - 1), fill="white")
    draw.ellipse((2 * FINER, 2 * FINER, side - 1 - 2 * FINER, side - 1 - 2 * FINER), fill=DOT)
    return dot.resize((side // FINER, side // FINER), Image.Resampling.LANCZOS)


def _polygons(geometry: dict[str, Any]) -> list[Any]:
    if geometry["type"] == "Polygon":
        return [geometry["coordinates"]]
    return list(geometry["coordinates"]) if geometry["type"] == "MultiPolygon" else []


def _lines(geometry: dict[str, Any]) -> list[Any]:
    if geometry["type"] == "LineString":
        return [geometry["coordinates"]]
    return list(geometry["coordinates"]) if geometry["type"] == "MultiLineString" else []


def _write_below(image: Image.Image, text: str) -> None:
    """Write whom the map is owed to at its lower edge, in as many lines as it takes."""
    font = ImageFont.load_default(ATTRIBUTION_SIZE)
    lines, line = [], ""
    # The font that comes with Pillow knows Latin letters only.
    for word in text.encode("latin-1", "replace").decode("latin-1").split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > image.width - 8:
            lines.append(line)
            line = word
        else:
            line = longer
    lines = [*lines, line][:4]
    height = (ATTRIBUTION_SIZE + 2) * len(lines) + 4
    ImageDraw.Draw(image).rectangle((0, image.height - height, image.width, image.height), fill=LAND)
    for number, row in enumerate(lines):
        top = image.height - height + 2 + number * (ATTRIBUTION_SIZE + 2)
        ImageDraw.Draw(image).text((4, top), row, fill=FAINT, font=font)
