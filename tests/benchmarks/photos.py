"""How many photos per second an import reads, and how the window goes on meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Figure, Watched, home
from PIL import ExifTags, Image

PHOTOS = 400
MANY_PHOTOS = 10_000
PATIENCE_SECONDS = 900.0


def measure() -> list[Figure]:
    """Return the speed of a first import, and of one that finds nothing new."""
    with home() as environment, TemporaryDirectory(prefix="gpsdream-photos-") as folder:
        _make_photos(Path(folder))
        command = [sys.executable, "-m", "gpsdream_app", "photos", "import", folder, "--json"]
        figures = []
        for name in ("photos imported", "photos found unchanged"):
            run = Watched(command, environment)
            report = json.loads("".join(line for _, line in run.lines))
            figures.append(Figure(name, PHOTOS / report["seconds"], "per s", None, f"{PHOTOS} JPEGs of 2000 x 1500"))
    return figures + _measure_window()


def _measure_window() -> list[Figure]:
    """Return how late the window's event loop was while many small photos were imported."""
    child = Path(__file__).with_name("photos_child.py")
    with TemporaryDirectory(prefix="gpsdream-bench-") as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        _make_small_photos(photos)
        environment = {**os.environ, "GPSDREAM_HOME": str(Path(folder) / "home"), "HF_HUB_OFFLINE": "1"}
        run = Watched([sys.executable, "-u", child, str(photos)], environment, patience=PATIENCE_SECONDS)
    times = json.loads([line for _, line in run.lines if line.startswith("{")][-1])
    about = f"{times['photos']:,} photos in {times['seconds']:.0f} s, {times['ticks']:,} ticks of 5 ms"
    return [
        Figure("event loop while importing, 99th percentile", 1000 * times["stall"], "ms", 16.0, about),
        Figure("event loop while importing, latest tick", 1000 * times["worst"], "ms", 50.0, about),
    ]


def _make_small_photos(folder: Path) -> None:
    chance = random.Random(0)
    for number in range(MANY_PHOTOS):
        image = Image.frombytes("RGB", (6, 4), chance.randbytes(72)).resize((96, 64))
        exif = Image.Exif()
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (40.0, 44.0, 59 * chance.random())
        gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (73.0, 59.0, 59 * chance.random())
        image.save(folder / f"{number:05}.jpg", quality=80, exif=exif)


def _make_photos(folder: Path) -> None:
    image = Image.effect_noise((2000, 1500), 60).convert("RGB")
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (40.0, 44.0, 28.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (73.0, 59.0, 23.0)
    image.save(folder / "0.jpg", quality=80, exif=exif)
    for number in range(1, PHOTOS):
        shutil.copyfile(folder / "0.jpg", folder / f"{number}.jpg")
