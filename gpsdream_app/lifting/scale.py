"""What field units are in metres. Nothing here knows torch, so that windows and files may use it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """What field units are in metres: the field's origin stands `foot` units above the landmark's foot.

    Attributes:
        metres: of one field unit, over 0.
        foot: height of the field's origin over the landmark's foot, field units.
        known: False if nobody has said how large it is; sizes are then "unscaled".
    """

    metres: float = 1.0
    foot: float = 0.0
    known: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.metres) and self.metres > 0.0):
            raise ValueError(f"a scale is over 0 metres, not {self.metres:g}")

    def to_metres(self, points: np.ndarray) -> np.ndarray:
        """Field units about the field's origin to metres about the landmark's foot, (..., 3)."""
        return (np.asarray(points, dtype=np.float64) + np.array([0.0, 0.0, self.foot])) * self.metres

    def to_units(self, points: np.ndarray) -> np.ndarray:
        """The reverse of `to_metres`, (..., 3)."""
        return np.asarray(points, dtype=np.float64) / self.metres - np.array([0.0, 0.0, self.foot])


UNSCALED = Scale(known=False)


def scale_of_height(height: float, fill: float = 1.6) -> Scale:
    """The scale at which a landmark of `height` metres is `fill` units high and centred in the field's box."""
    if not height > 0.0:
        raise ValueError(f"a height is over 0 metres, not {height:g}")
    return Scale(metres=height / fill, foot=fill / 2)
