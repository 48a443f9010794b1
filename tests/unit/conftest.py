"""Photos of a street that the tests of several rooms read."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpsdream_app.geo.frames import LocalFrame


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve wide photos along a street, 100 m apart, each brighter than the one before; frontage and captions."""
    folder = tmp_path_factory.mktemp("street")
    random = np.random.default_rng(0)
    frame = LocalFrame(40.74, -73.99)
    rows, captions = [], []
    for number in range(12):
        pixels = np.clip(random.normal(40 + 15 * number, 20, (48, 144)), 0, 255).astype(np.uint8)
        # Brighter to the right, so that a crop's pixels tell where it was cut.
        pixels = np.clip(pixels * np.linspace(0.5, 1.0, 144), 0, 255).astype(np.uint8)
        name = f"view{number:02d}.png"
        Image.fromarray(pixels).save(folder / name)
        lat, lon = frame.to_degrees(30.0 * number, 100.0 * number)
        left, right = (
            frame.to_degrees(30.0 * number - 15, 100.0 * number - 50),
            frame.to_degrees(30.0 * number + 15, 100.0 * number + 50),
        )
        rows.append([name, lat, lon, 118.0, left[0], left[1], right[0], right[1]])
        captions.append(
            {"file": name, "caption": f"A house number {number}", "objects": ["tree", "lamp"][: number % 3]}
        )
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "lat", "lon", "bearing", "left_lat", "left_lon", "right_lat", "right_lon"])
        writer.writerows(rows)
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, captions)), encoding="utf-8")
    assert math.isclose(rows[1][1], frame.to_degrees(30, 100)[0])
    return folder
