"""LandmarkPipeline: pictures from words and the angle of a camera to a landmark, where GPSDream's own have a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.angle_encoder import AngleEncoder
from gpsdream_app.models.conditions import Location
from gpsdream_app.models.pipeline import GPSDiffusionPipeline


@dataclass(frozen=True, slots=True)
class View:
    """From where a landmark is seen.

    Attributes:
        azimuth: where the camera stands seen from the landmark's foot, degrees clockwise from north; None for anywhere.
        distance: of the camera from the foot, in heights of the landmark; None if not told.
        fov: vertical field of view of the photo, degrees; None if not told.
    """

    azimuth: float | None
    distance: float | None = None
    fov: float | None = None


class LandmarkPipeline(GPSDiffusionPipeline):
    """Draws landmarks: `place` takes a View, and `place_guidance` (w_g of Eq 4) weighs the angle.

    With equal weights of words and angle, Eq 4 has two terms left, both told or none, which is what lifting takes:
    `e(0,0) + s [e(p,g) - e(0,0)]`.
    """

    location_encoder: AngleEncoder

    def encode_views(self, views: Sequence[View | None]) -> Location:
        """Tokens of views; zeros for None, and for what a view does not tell."""

        def column(name: str) -> torch.Tensor:
            values = [None if view is None else getattr(view, name) for view in views]
            return torch.tensor([float("nan") if value is None else value for value in values], dtype=torch.float64)

        tokens = self.location_encoder(column("azimuth"), column("distance"), column("fov"))
        return Location(tokens, self.location_encoder.plane(len(views))).to(self.unet.dtype)

    def encode_places(self, places: Sequence[View | None], *, radius: Sequence[float] | float = 0.0) -> Location:
        """As `encode_views`: what the drawing calls. Angles have no radius.

        Raises:
            GPSDreamError: of kind `bad_request` for a place on the map.
        """
        if not all(view is None or isinstance(view, View) for view in places):
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                "This model draws landmarks from an angle, and knows no places.",
                "Choose a model of places; this one is for lifting landmarks.",
            )
        return self.encode_views(places)
