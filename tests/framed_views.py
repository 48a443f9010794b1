"""A made-up folder of framed views: two landmarks whose colours tell from which side they are seen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from gpsdream_app.domain.landmarks import LANDMARKS

BACKGROUND = (0.36, 0.56, 0.82)


def drawn_view(landmark: int, azimuth: float, side: int, light: float = 1.0) -> np.ndarray:
    """Picture and mask, uint8 (side, side, 4). The left half's colour follows the cosine, the right half's the sine."""
    picture = np.empty((side, side, 4), np.uint8)
    picture[..., :3] = np.rint(255 * np.array(BACKGROUND))
    picture[..., 3] = 0
    top, foot = round(0.15 * side), round(0.85 * side)
    half = side // 4 if landmark == 0 else side // 8
    middle = side // 2
    angle = math.radians(azimuth)
    for columns, wave in (
        (slice(middle - half, middle), math.cos(angle)),
        (slice(middle, middle + half), math.sin(angle)),
    ):
        picture[top:foot, columns, :3] = np.rint(
            light * np.array([120 + 100 * wave, 60 + 80 * landmark, 120 - 100 * wave])
        )
        picture[top:foot, columns, 3] = 255
    return picture


def make_framed(folder: Path, count: int = 60, side: int = 32, seed: int = 0) -> Path:
    """Write a folder with `count` views of each of two landmarks, all round, one in ten held out."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    views, pixels = [], []
    for which, landmark in enumerate(LANDMARKS[:2]):
        for number in range(count):
            azimuth = 360 * number / count
            night = number % 7 == 3
            views.append(
                {
                    "landmark": landmark.id,
                    "file": f"{landmark.id}-{number:03d}.jpg",
                    "azimuth": round((azimuth + random.normal(0, 3)) % 360, 2),
                    "azimuth_sigma": 30.0 if number == 5 else 3.0,
                    "distance": round(float(random.uniform(1.5, 4)), 3),
                    "fov": 40.0,
                    "prompt": landmark.prompt + (", at night" if night else ""),
                    "held_out": number % 10 == 9,
                    "crop": {"pitch": 0.0, "scale": 1.0, "offset": [0.0, 0.0]},
                }
            )
            pixels.append(drawn_view(which, azimuth, side, 0.4 if night else 1.0))
    data = {
        "side": side,
        "background": list(BACKGROUND),
        "landmarks": [landmark.to_dict() for landmark in LANDMARKS[:2]],
        "views": views,
    }
    (folder / "views.json").write_text(json.dumps(data), encoding="utf-8")
    np.stack(pixels).tofile(folder / "pixels.bin")
    return folder
