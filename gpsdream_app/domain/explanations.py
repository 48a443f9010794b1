"""Why a picture looks as it does: where each word and the place acted on it, and how typical it is of its place.

Here stands also what all jobs of the engine have in common: how their requests are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from gpsdream_app.domain.averages import AverageRequest, LikenessRequest, PatchesRequest, SeriesRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import GenerateRequest

MAP_DECIMALS = 4


class TokenKind(StrEnum):
    """What a token stands for."""

    WORD = "word"
    LONGITUDE = "longitude"
    LATITUDE = "latitude"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """Explain one picture of a request: it is drawn again, which gives the same pixels, and watched.

    Attributes:
        request: what drew the picture.
        picture: which picture of the request, from 0.

    Raises:
        GPSDreamError: of kind `bad_request` if the request has no such picture.
    """

    request: GenerateRequest
    picture: int = 0

    def __post_init__(self) -> None:
        number = self.picture
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < self.request.count:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, f"The request has no picture {str(number)[:40]}.", "They are counted from 0."
            )

    @property
    def model(self) -> str:
        """The model that drew it."""
        return self.request.model

    @property
    def one(self) -> GenerateRequest:
        """The request that draws this picture alone."""
        return self.request.picture(self.picture)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {"kind": "explain", "request": self.request.to_dict(), "picture": self.picture}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExplainRequest:
        """Read what `to_dict` wrote. Raises GPSDreamError if it is none."""
        if not isinstance(data, Mapping) or "request" not in data:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The request names no picture to explain.")
        return cls(GenerateRequest.from_dict(data["request"]), data.get("picture", 0))


JobRequest = (
    GenerateRequest | ExplainRequest | AverageRequest | SeriesRequest | LikenessRequest | PatchesRequest | LiftRequest
)
"""What the engine can be asked for."""
_KINDS: dict[str, Callable[[Mapping[str, Any]], JobRequest]] = {
    "explain": ExplainRequest.from_dict,
    "average": AverageRequest.from_dict,
    "series": SeriesRequest.from_dict,
    "likeness": LikenessRequest.from_dict,
    "patches": PatchesRequest.from_dict,
    "lift": LiftRequest.from_dict,
}


def job_request_from_dict(data: Mapping[str, Any]) -> JobRequest:
    """Read what `to_dict` of any request wrote; one that names no kind draws pictures.

    Raises:
        GPSDreamError: if the values are bad, or the kind is not known.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind is None:
        return GenerateRequest.from_dict(data)
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"There are no jobs of the kind “{str(kind)[:40]}”.")
    try:
        return read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The request is incomplete: {error}.") from None


Map = tuple[tuple[float, ...], ...]


def _rounded(rows: Map) -> list[list[float]]:
    return [[round(value, MAP_DECIMALS) for value in row] for row in rows]


def _map(data: Any) -> Map:
    return tuple(tuple(float(value) for value in row) for row in data)


@dataclass(frozen=True, slots=True)
class TokenMap:
    """Where one word, or one number of the place, was looked at while the picture was drawn.

    Attributes:
        label: the word as it stands in the prompt; for the place "longitude", "latitude" or "heading".
        kind: what it stands for.
        map: rows from the top of the picture to its bottom, each from left to right; 0 (least) to 1 (most) of this
            token. Much coarser than the picture, usually 8 or 16 cells a side.
        share: mean attention that the token got over the picture, 0 to 1 (see `Explanation.location_apart`).
        low: attention where the map is 0.
        high: attention where the map is 1. Next to `low` it says whether the map means much: if both are nearly the
            same, the token was looked at everywhere alike.
    """

    label: str
    kind: TokenKind
    map: Map
    share: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON values, rounded to what an eye can tell apart."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "map": _rounded(self.map)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TokenMap:
        """Read what `to_dict` wrote. Raises KeyError, TypeError or ValueError if it is none."""
        return cls(
            label=str(data["label"]),
            kind=TokenKind(data["kind"]),
            map=_map(data["map"]),
            share=float(data["share"]),
            low=float(data["low"]),
            high=float(data["high"]),
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was seen while a picture was drawn again.

    Attributes:
        request: draws exactly this picture (count is 1).
        picture: the picture, PNG without metadata.
        tokens: the words in their order, then longitude, latitude and heading; only those that were given.
        other_share: mean attention that went to tokens that say nothing of their own: begin, end, padding,
            punctuation, and the token of a heading that was not given.
        location_apart: how shares add up. False: words, place and `other_share` to 1. True: the model attends to the
            place apart from the words, so words and `other_share` add up to 1, and the place's tokens to 1.
        typicality: how much better the model predicts this picture when it is told the place, in units of the noise's
            variance (T of arXiv 2408.02752); None without a place.
        typicality_error: standard error of `typicality` over timesteps and noise.
        typicality_rank: share of the other places for which the picture is less typical, 0 to 1; None without others.
        places_compared: number of those other places, spread over where the model has seen photos.
        typicality_map: which parts of the picture the place explains: rows as in `TokenMap.map`, 0 where it explains
            nothing, 1 where it explains most; None without a place. A place also reaches the model by other ways
            than attention, and this shows all of them.
        typicality_peak: typicality where `typicality_map` is 1.
    """

    request: GenerateRequest
    picture: bytes
    tokens: tuple[TokenMap, ...]
    other_share: float = 0.0
    location_apart: bool = False
    typicality: float | None = None
    typicality_error: float = 0.0
    typicality_rank: float | None = None
    places_compared: int = 0
    typicality_map: Map | None = None
    typicality_peak: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the picture as JSON values."""
        data = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "picture"}
        return {
            **data,
            "request": self.request.to_dict(),
            "tokens": [token.to_dict() for token in self.tokens],
            "typicality_map": _rounded(self.typicality_map) if self.typicality_map else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], picture: bytes) -> Explanation:
        """Read what `to_dict` wrote. Raises GPSDreamError if a value is missing."""
        try:
            values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
            values["request"] = GenerateRequest.from_dict(data["request"])
            values["tokens"] = tuple(TokenMap.from_dict(token) for token in data["tokens"])
            if values.get("typicality_map") is not None:
                values["typicality_map"] = _map(values["typicality_map"])
            return cls(**{**values, "picture": picture})
        except (KeyError, TypeError, ValueError) as error:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The explanation is incomplete: {error}.") from None
