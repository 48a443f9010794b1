"""How many photos per second an import reads."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Figure, Watched, home
from PIL import ExifTags, Image

PHOTOS = 400


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
    return figures


def _make_photos(folder: Path) -> None:
    image = Image.effect_noise((2000, 1500), 60).convert("RGB")
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (40.0, 44.0, 28.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (73.0, 59.0, 23.0)
    image.save(folder / "0.jpg", quality=80, exif=exif)
    for number in range(1, PHOTOS):
        shutil.copyfile(folder / "0.jpg", folder / f"{number}.jpg")
