"""What came out: one finished picture and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.requests import GenerateRequest


@dataclass(frozen=True, slots=True)
class Result:
    """One finished picture.

    Attributes:
        id: 32 hexadecimal digits, unique.
        job_id: the job that made it.
        request: the request that draws exactly this picture again (count is 1).
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
    """

    id: str
    job_id: str
    request: GenerateRequest
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

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {**asdict(self), "request": self.request.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """Read what `to_dict` wrote. Raises GPSDreamError if a value is missing."""
        try:
            values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
            return cls(**{**values, "request": GenerateRequest.from_dict(data["request"])})
        except (KeyError, TypeError) as error:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The result is incomplete: {error}.") from None
