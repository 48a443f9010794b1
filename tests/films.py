"""Reads films back, for the tests of all that writes some."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import imageio.v3 as imageio
import numpy as np


def read_film(path: Path) -> list[np.ndarray]:
    """Return the pictures of a film, (height, width, 3) each."""
    # imageio's reader leaves its pipes to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        pictures = list(imageio.imiter(path, plugin="FFMPEG"))
        gc.collect()
    return pictures


def film_facts(path: Path) -> dict[str, object]:
    """Return what a film says of itself: fps, codec, size and more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        facts = dict(imageio.immeta(path, plugin="FFMPEG"))
        gc.collect()
    return facts
