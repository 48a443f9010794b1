"""`python -m gpsdream_app.landmarks.photographer`: takes tourists' photos of a landmark of known shape.

Standing eye height, from all round, at the distances and with the lenses that people use, by day and by night, in all
weathers, with people and trees; EXIF as a phone writes it, with the error of a phone's GPS. The folder goes through the
ordinary photo import, so that all that follows can be measured against a known truth.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark, landmark
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.landmarks.light import Conditions, Weather, photograph
from gpsdream_app.landmarks.meshes import TruthMesh, truth_mesh
from gpsdream_app.landmarks.renderer import Renderer, Scene
from gpsdream_app.landmarks.sun import sun_position
from gpsdream_app.landmarks.surroundings import surroundings

GPS_NOISE = 5.0  # metres, root mean square of the distance between the true place and the one in the file
GPS_NOISE_LIMIT = 15.0  # metres; no place is farther off
COMPASS_NOISE = 4.0  # degrees, standard deviation
SHORTEST_LENS, LONGEST_LENS = 13.0, 200.0  # mm, 35 mm equivalent
FINEST_DETAIL = 0.7  # metres: half of what stands between the windows of a skyscraper
MOST_SAMPLES = 1100  # along the longer side of a picture, where a landmark asks for more than two per pixel
ASPECTS = ((4, 3), (3, 2), (3, 4), (2, 3), (1, 1), (16, 9), (9, 16))
_ASPECT_SHARES = (0.26, 0.16, 0.28, 0.1, 0.1, 0.03, 0.07)
# Metres from the foot at which people photograph each; the nearest that show most of it, to where it is still meant.
DISTANCES = {
    "washington-square-arch": (26.0, 120.0),
    "flatiron": (70.0, 320.0),
    "empire-state-building": (260.0, 1500.0),
    "arc-de-triomphe": (60.0, 330.0),
    "leaning-tower-of-pisa": (45.0, 230.0),
}
_WEATHERS = (Weather.CLEAR, Weather.CLOUDY, Weather.OVERCAST, Weather.RAIN, Weather.FOG)
_WEATHER_SHARES = (0.36, 0.36, 0.17, 0.07, 0.04)
_FIRST_DAY = datetime(2023, 1, 1)
_DAYS = 3 * 365


@dataclass(frozen=True, slots=True)
class Shot:
    """Everything that decides one photo.

    Attributes:
        landmark: of what.
        index: number of the photo.
        camera: where from; its position is the true one.
        place: latitude and longitude in degrees as the file says them, with the error of a GPS.
        direction: heading in degrees as the file says it, with the error of a compass.
        taken: local time.
        conditions: sun, weather and exposure.
        crowd: how many people and trees, 0 to 1.
        seed: of what stands about.
    """

    landmark: Landmark
    index: int
    camera: Camera
    place: tuple[float, float]
    direction: float
    taken: datetime
    conditions: Conditions
    crowd: float
    seed: int

    @property
    def azimuth(self) -> float:
        """Where the camera truly stands seen from the foot, in degrees clockwise from north."""
        return math.degrees(math.atan2(self.camera.eye[0], self.camera.eye[1])) % 360.0

    @property
    def distance(self) -> float:
        """True distance on the ground from the foot in metres."""
        return math.hypot(self.camera.eye[0], self.camera.eye[1])

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.landmark.id}-{self.index:05}.jpg"

    def truth(self) -> dict[str, Any]:
        """What the file does not say, as JSON values."""
        camera = self.camera
        return {
            "file": self.name,
            "landmark": self.landmark.id,
            "azimuth": round(self.azimuth, 4),
            "distance": round(self.distance, 4),
            "eye": [round(value, 4) for value in camera.eye],
            "heading": camera.heading,
            "pitch": camera.pitch,
            "roll": camera.roll,
            "fov": camera.fov,
            "size": [camera.width, camera.height],
            "sun": list(self.conditions.sun),
            "weather": self.conditions.weather.value,
            "night": self.conditions.is_night,
        }


def plan(which: Landmark, mesh: TruthMesh, index: int, count: int, size: int, seed: int) -> Shot:
    """Decide on one photo. The same arguments make the same photo, whatever others there are.

    Args:
        which: the landmark.
        mesh: its shape.
        index: number of the photo, 0 to count - 1.
        count: photos in all: each stands in its own part of the circle.
        size: of the longer side in pixels.
        seed: of the whole series.
    """
    rng = np.random.default_rng([seed, zlib.crc32(which.id.encode()), index])
    # The parts of the circle come in an order without a pattern.
    order = np.random.default_rng([seed, zlib.crc32(which.id.encode())]).permutation(count)
    azimuth = (order[index] + rng.random()) * 360.0 / count
    nearest, farthest = DISTANCES.get(which.id, (1.2 * which.height, 5.0 * which.height))
    # Most stand near; by the logarithm, with more of them below the middle.
    distance = nearest * (farthest / nearest) ** (rng.beta(1.2, 2.0))
    camera = _frame(rng, mesh, azimuth, distance, farthest, size)
    taken = _moment(rng)
    sun = sun_position(taken, which.lat)
    weather = Weather(str(rng.choice([kind.value for kind in _WEATHERS], p=_WEATHER_SHARES)))
    conditions = Conditions(
        sun,
        weather,
        exposure=float(np.exp(rng.normal(0, 0.14))),
        warmth=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        seed=int(rng.integers(1 << 31)),
    )
    while True:
        error = rng.normal(0, GPS_NOISE / math.sqrt(2), 2)
        if np.hypot(*error) <= GPS_NOISE_LIMIT:
            break
    frame = LocalFrame(which.lat, which.lon)
    lat, lon = frame.to_degrees(camera.eye[0] + float(error[0]), camera.eye[1] + float(error[1]))
    return Shot(
        which,
        index,
        camera,
        (lat, lon),
        (camera.heading + rng.normal(0, COMPASS_NOISE)) % 360.0,
        taken,
        conditions,
        float(rng.beta(1.4, 1.6)),
        int(rng.integers(1 << 31)),
    )


def _frame(
    rng: np.random.Generator, mesh: TruthMesh, azimuth: float, distance: float, farthest: float, size: int
) -> Camera:
    """Point the camera as somebody does who wants the landmark in the picture, roughly in the middle."""
    eye_height = rng.uniform(1.45, 1.75)
    fill = rng.uniform(0.55, 0.92)
    roll = float(rng.normal(0, 0.8))
    shift = rng.normal(0, 0.35, 2).clip(-1, 1)
    shares = np.asarray(_ASPECT_SHARES)
    extent = np.ptp(mesh.vertices, axis=0)
    ratios = np.array([wide / high for wide, high in ASPECTS])
    if extent[:2].max() > 0.7 * extent[2]:
        shares = shares * np.where(ratios < 0.9, 0.25, 1.0)
    elif extent[2] > 2.2 * extent[:2].max():
        shares = shares * np.where(ratios > 1.1, 0.45, 1.0)
    wide, high = ASPECTS[int(rng.choice(len(ASPECTS), p=shares / shares.sum()))]
    width = size if wide >= high else round(size * wide / high)
    height = size if high >= wide else round(size * high / wide)
    points = mesh.vertices[:: max(1, len(mesh.vertices) // 4000)]
    while True:
        camera = Camera.at_azimuth(azimuth, distance, eye_height=eye_height, size=(width, height))
        seen = points - np.asarray(camera.eye)
        rise = np.degrees(np.arctan2(seen[:, 2], np.hypot(seen[:, 0], seen[:, 1])))
        pitch = float(rise.max() + rise.min()) / 2
        right, up, forward = replace(camera, pitch=pitch).axes
        depth = seen @ forward
        x, y = seen @ right / depth, seen @ up / depth
        wanted = max(float(np.ptp(y)), float(np.ptp(x)) * height / width) / fill
        diagonal = wanted / 2 * math.hypot(1.0, width / height)
        lens = math.hypot(36.0, 24.0) / 2 / diagonal
        if lens >= SHORTEST_LENS or distance >= farthest:
            break
        distance *= 1.12
    lens = min(max(lens, SHORTEST_LENS), LONGEST_LENS)
    half = math.hypot(36.0, 24.0) / 2 / lens / math.hypot(1.0, width / height)
    # Not quite in the middle: by a share of the room that is left.
    room_x = max(0.0, half * width / height - float(np.ptp(x)) / 2)
    room_y = max(0.0, half - float(np.ptp(y)) / 2)
    middle_x, middle_y = float(x.max() + x.min()) / 2, float(y.max() + y.min()) / 2
    return Camera(
        camera.eye,
        (camera.heading + math.degrees(math.atan(middle_x + room_x * float(shift[0])))) % 360.0,
        pitch + math.degrees(math.atan(middle_y + room_y * float(shift[1]))),
        roll,
        math.degrees(2 * math.atan(half)),
        width,
        height,
    )


def _moment(rng: np.random.Generator) -> datetime:
    """A time at which people take photos: mostly by day, now and then in the evening."""
    day = _FIRST_DAY + timedelta(days=int(rng.integers(_DAYS)))
    kind = rng.random()
    hour = rng.uniform(9, 17) if kind < 0.82 else rng.uniform(17, 19.5) if kind < 0.93 else rng.uniform(19.5, 23.5)
    return day + timedelta(seconds=int(hour * 3600))


def season(moment: datetime) -> str:
    """What the trees look like: "summer", "autumn" or "winter" (of the northern half of the Earth)."""
    return "winter" if moment.month in (12, 1, 2, 3) else "autumn" if moment.month in (10, 11) else "summer"


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    hundredths = round(abs(degrees) * 360_000)
    whole, rest = divmod(hundredths, 360_000)
    minutes, seconds = divmod(rest, 6000)
    return IFDRational(whole, 1), IFDRational(minutes, 1), IFDRational(seconds, 100)


def exif_of(shot: Shot) -> Image.Exif:
    """Return what a phone would write into the file, and that the picture is a rendering."""
    exif = Image.Exif()
    exif[Base.ImageDescription] = shot.landmark.prompt
    exif[Base.Make] = "GPSDream"
    exif[Base.Model] = "landmark photographer"
    exif[Base.Software] = "GPSDream: rendered from a 3D model, not a photograph"
    exif[Base.DateTime] = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    details = exif.get_ifd(IFD.Exif)
    details[Base.DateTimeOriginal] = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    details[Base.FocalLengthIn35mmFilm] = round(shot.camera.focal_length_35mm)
    lat, lon = shot.place
    gps = exif.get_ifd(IFD.GPSInfo)
    gps.update(
        {
            0: b"\x02\x03\x00\x00",
            1: "N" if lat >= 0 else "S",
            2: _sexagesimal(lat),
            3: "E" if lon >= 0 else "W",
            4: _sexagesimal(lon),
            16: "T",
            17: IFDRational(round(shot.direction * 100) % 36_000, 100),
            31: IFDRational(round(GPS_NOISE * 10), 10),
        }
    )
    return exif


def _samples(camera: Camera, distance: float) -> int:
    """Samples along the side of a pixel, so that windows far away become grey and not a pattern of their own."""
    metres_per_pixel = 2 * distance * math.tan(math.radians(camera.fov) / 2) / camera.height
    wanted = math.ceil(metres_per_pixel / FINEST_DETAIL)
    return max(2, min(wanted, 6, MOST_SAMPLES // max(camera.width, camera.height)))


def take(renderer: Renderer, mesh: TruthMesh, shot: Shot, folder: Path, truth: Path | None = None) -> Path:
    """Take one photo and write it.

    Args:
        renderer: to see with.
        mesh: of the landmark.
        shot: what to take.
        folder: for the JPEG.
        truth: folder for the mask of the landmark (PNG, 0 to 255); None writes none.

    Returns:
        The path of the JPEG.
    """
    rng = np.random.default_rng([shot.seed, 1])
    radius = float(np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1]).max())
    about = surroundings(rng, shot.landmark.id, shot.camera, radius, season(shot.taken), shot.crowd)
    scene = Scene.of(mesh).plus(about)
    picture = photograph(
        renderer, scene, shot.camera, shot.conditions, shot.landmark.id, samples=_samples(shot.camera, shot.distance)
    )
    path = folder / shot.name
    partial = path.with_suffix(".part")
    quality = int(rng.integers(84, 95))
    Image.fromarray(picture.rgb).save(partial, "JPEG", quality=quality, exif=exif_of(shot))
    partial.replace(path)
    if truth is not None:
        mask = Image.fromarray(np.round(picture.mask * 255).astype(np.uint8))
        mask.save(truth / f"{path.stem}.mask.png")
    return path


@dataclass(frozen=True, slots=True)
class Order:
    """A series of photos.

    Attributes:
        landmark: id.
        count: how many.
        size: longer side in pixels.
        out: folder for the photos.
        seed: the same seed makes the same photos.
        truth: folder for cameras.jsonl and the masks, outside `out`; None writes neither.
    """

    landmark: str
    count: int
    size: int
    out: Path
    seed: int = 0
    truth: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1_000_000:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, f"Between 1 and 1,000,000 photos can be taken, not {self.count}."
            )
        if not 16 <= self.size <= 2048:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The photos can be 16 to 2,048 pixels wide, not {self.size}.")
        if self.seed < 0:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The seed must not be negative.")


def shots(order: Order) -> list[Shot]:
    """Plan a whole series."""
    which = landmark(order.landmark)
    mesh = truth_mesh(which.id)
    return [plan(which, mesh, index, order.count, order.size, order.seed) for index in range(order.count)]


def _take_part(order: Order, indices: Sequence[int]) -> list[int]:
    which = landmark(order.landmark)
    mesh = truth_mesh(which.id)
    with Renderer() as renderer:
        for index in indices:
            shot = plan(which, mesh, index, order.count, order.size, order.seed)
            take(renderer, mesh, shot, order.out, order.truth)
    return list(indices)


def take_all(order: Order, jobs: int = 1) -> Iterator[int]:
    """Take a series; yields how many photos there are so far.

    Args:
        order: what to take.
        jobs: processes that take them; the photos do not depend on it.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    if order.truth is not None:
        order.truth.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(shot.truth()) for shot in shots(order)]
        (order.truth / f"{landmark(order.landmark).id}.cameras.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    if jobs <= 1:
        which = landmark(order.landmark)
        mesh = truth_mesh(which.id)
        with Renderer() as renderer:
            for index in range(order.count):
                shot = plan(which, mesh, index, order.count, order.size, order.seed)
                take(renderer, mesh, shot, order.out, order.truth)
                yield index + 1
        return
    step = 10
    parts = [range(start, min(start + step, order.count)) for start in range(0, order.count, step)]
    done = 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for indices in pool.map(_take_part, [order] * len(parts), parts):
            done += len(indices)
            yield done


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    result = argparse.ArgumentParser(prog="python -m gpsdream_app.landmarks.photographer", description=__doc__)
    ids = ", ".join(known.id for known in LANDMARKS)
    result.add_argument("--landmark", required=True, help=f"one of {ids}, or all")
    result.add_argument("--count", type=int, default=200, help="photos of each landmark (200)")
    result.add_argument("--size", type=int, default=256, help="longer side in pixels (256)")
    result.add_argument("--out", type=Path, required=True, help="folder for the photos")
    result.add_argument("--truth", type=Path, help="folder for the true cameras and the masks; not inside --out")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--jobs", type=int, default=1, help="processes (1)")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the photos that the command line asks for."""
    options = parser().parse_args(arguments)
    try:
        chosen = LANDMARKS if options.landmark == "all" else (landmark(options.landmark),)
        if options.truth is not None and options.truth.resolve().is_relative_to(options.out.resolve()):
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                "The truth would lie among the photos, and be imported with them.",
                "Give --truth a folder outside --out.",
            )
        for which in chosen:
            order = Order(which.id, options.count, options.size, options.out, options.seed, options.truth)
            for done in take_all(order, options.jobs):
                end = "\n" if done == order.count else ""
                sys.stderr.write(f"\r{which.title}: {done} of {order.count}{end}")
                sys.stderr.flush()
    except GPSDreamError as error:
        sys.stderr.write(f"gpsdream: {error.failure.message}\n  {error.failure.hint}".rstrip() + "\n")
        return 2
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
