"""The folder of framed views that `gpsdream landmarks frame` writes: reading it, without torch."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.geo.azimuth import BINS, azimuth_bin

VIEWS_FILE, PIXELS_FILE = "views.json", "pixels.bin"
Bytes = NDArray[np.uint8]


def _unfit(folder: Path, why: str) -> GPSDreamError:
    return GPSDreamError(
        ErrorKind.BAD_PHOTO,
        f"The framed views in “{folder.name}” cannot be used: {why}.",
        "Make them again with “gpsdream landmarks frame”.",
    )


@dataclass(frozen=True, slots=True)
class FramedView:
    """One framed photo.

    Attributes:
        number: its place in the file of pixels.
        landmark: id of what it shows.
        file: name of the photo.
        azimuth: where the camera stood, degrees clockwise from north.
        sigma: how certain that is, degrees, standard deviation.
        distance: of the camera, in heights of the landmark.
        fov: vertical field of view of the original photo, degrees; None if not known.
        prompt: its words.
        held_out: whether it is kept for measuring.
    """

    number: int
    landmark: str
    file: str
    azimuth: float
    sigma: float
    distance: float | None
    fov: float | None
    prompt: str
    held_out: bool


@dataclass(frozen=True)
class FramedViews:
    """A folder that `gpsdream landmarks frame` wrote.

    Attributes:
        folder: where it lies.
        side: of the pictures in pixels.
        background: behind the landmarks, 3 numbers from 0 to 1, sRGB.
        landmarks: what is shown.
        views: the photos.
        framings: by id of a landmark, where it stands in the square, as the folder says.
    """

    folder: Path
    side: int
    background: tuple[float, float, float]
    landmarks: tuple[Landmark, ...]
    views: tuple[FramedView, ...]
    framings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> FramedViews:
        """Read the list of views and check that the pixels are all there.

        Raises:
            GPSDreamError: of kind `bad_photo`, with what is wrong.
        """
        try:
            data = json.loads((folder / VIEWS_FILE).read_text(encoding="utf-8"))
            side = int(data["side"])
            red, green, blue = (float(value) for value in data["background"])
            landmarks = tuple(Landmark.from_dict(one) for one in data["landmarks"])
            views = tuple(cls._view(number, row) for number, row in enumerate(data["views"]))
            framings = {
                str(name): {str(key): float(value) for key, value in values.items()}
                for name, values in (data.get("framing") or {}).items()
            }
            size = (folder / PIXELS_FILE).stat().st_size
        except FileNotFoundError as error:
            raise _unfit(folder, f"{Path(error.filename or VIEWS_FILE).name} is missing") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unfit(folder, f"{VIEWS_FILE} is damaged ({type(error).__name__})") from None
        if not views:
            raise _unfit(folder, "there are none")
        if side < 8 or size != len(views) * side * side * 4:
            raise _unfit(folder, f"{PIXELS_FILE} does not hold {len(views)} pictures of {side} pixels")
        if {view.landmark for view in views} - {landmark.id for landmark in landmarks}:
            raise _unfit(folder, "a view shows a landmark that is not listed")
        return cls(folder, side, (red, green, blue), landmarks, views, framings)

    @staticmethod
    def _view(number: int, row: dict[str, Any]) -> FramedView:
        azimuth, sigma = float(row["azimuth"]), float(row.get("azimuth_sigma") or 0.0)
        distance, fov = (None if row.get(key) is None else float(row[key]) for key in ("distance", "fov"))
        if not all(math.isfinite(value) for value in (azimuth, sigma, distance or 0.0, fov or 0.0)):
            raise ValueError("a number is not finite")
        prompt, landmark = str(row["prompt"]), str(row["landmark"])
        held_out = bool(row.get("held_out", False))
        return FramedView(number, landmark, str(row["file"]), azimuth % 360, sigma, distance, fov, prompt, held_out)

    def part(self, *, validation: bool) -> list[FramedView]:
        """The views that are learned, or those that are held out."""
        return [view for view in self.views if view.held_out == validation]

    def pixels(self, views: Sequence[FramedView]) -> Bytes:
        """Their pictures and masks, uint8 (n, side, side, 4), of the file itself."""
        shape = (len(self.views), self.side, self.side, 4)
        stored = np.memmap(self.folder / PIXELS_FILE, np.uint8, "r", shape=shape)
        return stored[[view.number for view in views]]

    def landmark_of(self, view: FramedView) -> Landmark:
        """What a view shows."""
        return next(landmark for landmark in self.landmarks if landmark.id == view.landmark)


def counts_by_azimuth(views: Sequence[FramedView], landmark: str) -> list[int]:
    """How many of the views show a landmark from each of the 36 bins of azimuth."""
    counts = Counter(azimuth_bin(view.azimuth) for view in views if view.landmark == landmark)
    return [counts[number] for number in range(BINS)]
