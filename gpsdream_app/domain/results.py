"""What came out: one finished picture and where it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.requests import GenerateRequest

PictureRequest = GenerateRequest | AverageRequest
"""What can draw a picture."""


class ResultKind(StrEnum):
    """What sort of picture it is."""

    DRAW = "draw"
    AVERAGE = "average"
    FRAME = "frame"  # of a series


def picture_request_from_dict(data: Mapping[str, Any]) -> PictureRequest:
    """Read what `to_dict` of either request wrote. Raises GPSDreamError for bad values."""
    if isinstance(data, Mapping) and data.get("kind") == "average":
        return AverageRequest.from_dict(data)
    return GenerateRequest.from_dict(data)


def picture_key(request: PictureRequest) -> str:
    """32 hexadecimal digits of everything that decides the pixels of a request but the model's weights.

    Names, how places were chosen and how many photos are near decide nothing.
    """
    data = request.to_dict()
    data["model"] = ""
    if isinstance(request, AverageRequest):
        data["regions"] = [region["places"] for region in data["regions"]]
    elif request.place:
        data["place"]["name"] = ""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Result:
    """One finished picture.

    Attributes:
        id: 32 hexadecimal digits, unique.
        job_id: the job that made it.
        request: the request that draws exactly this picture again (one picture).
        path: absolute path of the PNG file.
        created: when it was finished, ISO 8601 in UTC.
        seconds: time that drawing took.
        model_title: the model's title as its card gives it.
        model_hash: first 16 hexadecimal digits of the hash of the model's weights.
        app_version: version of GPSDream that drew it.
        width: in pixels.
        height: in pixels.
        photo_distance: metres from the place to where the model has seen a photo; None if not known.
        typicality_rank: share of other places for which the model finds the picture less typical than for its own, 0
            to 1; None if that was not measured. A quick look: explaining the picture takes a better one.
        places_compared: number of those places.
        series: key of the series that it is a frame of; empty for other pictures.
    """

    id: str
    job_id: str
    request: PictureRequest
    path: str
    created: str
    seconds: float
    model_title: str
    model_hash: str
    app_version: str
    width: int
    height: int
    photo_distance: float | None = None
    typicality_rank: float | None = None
    places_compared: int = 0
    series: str = ""

    @property
    def kind(self) -> ResultKind:
        """What sort of picture it is."""
        if self.series:
            return ResultKind.FRAME
        return ResultKind.AVERAGE if isinstance(self.request, AverageRequest) else ResultKind.DRAW

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "request": self.request.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """Read what `to_dict` wrote. Raises GPSDreamError if a value is missing."""
        try:
            values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
            return cls(**{**values, "request": picture_request_from_dict(data["request"])})
        except (KeyError, TypeError) as error:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The result is incomplete: {error}.") from None
