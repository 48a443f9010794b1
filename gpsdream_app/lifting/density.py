"""A field on a lattice, as numbers and as a file: what meshes are extracted from, where there is no torch."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.filters import threshold_otsu

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.paths import storage_error
from gpsdream_app.lifting.scale import UNSCALED, Scale

LEAST_SHARE, MOST_SHARE = 0.01, 0.99  # of the light that a cell takes: what a threshold may be
MOST_CELLS = 512**3  # more are no lift of ours
DENSEST = 60_000.0  # half precision ends soon after; light is gone long before


@dataclass(frozen=True)
class Density:
    """The field on a lattice, from which meshes at any threshold come without reading it again.

    Attributes:
        values: (up, north, east) density per field unit.
        colours: (up, north, east, 3), 0 to 1.
        extent: half the box, field units (east, north, up).
        scale: what field units are in metres.
        chosen: share of the light that a cell takes where somebody said that matter begins, 0 to 1; None if nobody did.
    """

    values: np.ndarray
    colours: np.ndarray
    extent: tuple[float, float, float]
    scale: Scale = UNSCALED
    chosen: float | None = None

    @property
    def spacing(self) -> np.ndarray:
        """Length of a cell's edges east, north, up."""
        return 2.0 * np.array(self.extent) / (np.array(self.values.shape[::-1]) - 1)

    def share_of(self, level: float) -> float:
        """Share of the light that a cell of density `level` takes, 0 to 1: 1 - exp(-level s), s the longest edge."""
        return float(-np.expm1(-level * self.spacing.max()))

    def level_of(self, share: float) -> float:
        """The density at which a cell takes a share of the light; the reverse of `share_of`."""
        return -math.log1p(-share) / float(self.spacing.max())

    def threshold(self) -> float:
        """Where matter begins, as a density: as chosen, else by the look of it, which is Otsu's split of the share of
        light that a cell takes, between a tenth and nine tenths of the light."""
        if self.chosen is not None:
            return self.level_of(self.chosen)
        taken = 1.0 - np.exp(-self.values * float(self.spacing.max()))
        spread = float(taken.max() - taken.min())
        share = float(threshold_otsu(taken)) if spread > 1e-6 else 0.5
        return self.level_of(float(np.clip(share, 0.1, 0.9)))

    def colour_at(self, points: np.ndarray) -> np.ndarray:
        """Colours (N, 3) of points (N, 3), read trilinearly; the box's wall goes on outside."""
        counts = np.array(self.values.shape[::-1])
        where = (np.asarray(points, dtype=np.float64) / np.array(self.extent) + 1.0) / 2.0 * (counts - 1)
        rows = where.T[::-1]  # up, north, east
        read = [
            map_coordinates(self.colours[..., i], rows, output=np.float32, order=1, mode="nearest") for i in range(3)
        ]
        return np.stack(read, axis=-1)

    def save(self, path: Path) -> None:
        """Write an .npz file, whole or not at all: half-precision density, colours as bytes, extent, scale, threshold.

        Raises:
            GPSDreamError: of kind `disk_full` if the disk refuses.
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            density=self.values.clip(0, DENSEST).astype(np.float16),
            colours=(self.colours.clip(0, 1) * 255).round().astype(np.uint8),
            extent=np.array(self.extent, dtype=np.float64),
            scale=np.array([self.scale.metres, self.scale.foot, float(self.scale.known)], dtype=np.float64),
            threshold=np.array(math.nan if self.chosen is None else self.chosen, dtype=np.float64),
        )
        try:
            with whole_file(path) as temporary:
                temporary.write_bytes(buffer.getvalue())
        except OSError as error:
            raise storage_error(error, path, "the lift was not saved") from error

    @classmethod
    def load(cls, path: Path) -> Density:
        """Read what `save` wrote.

        Raises:
            GPSDreamError: of kind `model_corrupt` if it is missing or damaged.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                values, colours = file["density"], file["colours"]
                east, north, up = (float(value) for value in file["extent"])
                metres, foot, known = (float(value) for value in file["scale"])
                chosen = float(file["threshold"])
            sound = (
                values.ndim == 3
                and min(values.shape) > 1
                and values.size <= MOST_CELLS
                and values.dtype == np.float16
                and colours.shape == (*values.shape, 3)
                and colours.dtype == np.uint8
                and min(east, north, up) > 0.0
                and math.isfinite(east + north + up + foot)
                and bool(np.isfinite(values).all())
                and (math.isnan(chosen) or 0.0 < chosen < 1.0)
            )
            if not sound:
                raise ValueError("its numbers are none of a lift")
            scale = Scale(metres, foot, bool(known))
        except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"The shape of the lift in “{path.parent.name}” cannot be read.",
                "Lift the landmark again.",
                details=repr(error),
            ) from error
        return cls(
            values.astype(np.float32),
            colours.astype(np.float32) / 255.0,
            (east, north, up),
            scale,
            None if math.isnan(chosen) else chosen,
        )
