"""What a person asks for: one frozen value that holds everything that decides the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place

MAX_PROMPT_CHARACTERS = 1000
MAX_PICTURES = 64
MAX_STEPS = 200
MAX_GUIDANCE = 50.0
MAX_SEED = 2**32 - 1
DEFAULT_MODEL = "fifth-avenue-1911"


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, hint)


def _check_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _bad(f"The {name} is not text.")
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise _bad(
            f"The {name} has {len(value):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are read.",
            "Shorten it to a sentence or two.",
        )
    return value


def _check_int(value: object, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _bad(f"The {name} must be a whole number from {low:,} to {high:,}, not {str(value)[:40]}.")
    return value


def _check_number(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise _bad(f"The {name} must be a number from {low:g} to {high:g}, not {str(value)[:40]}.")
    return float(value)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Draw pictures of a place. Two equal requests give the same pixels on the same device.

    Attributes:
        place: where; None draws from the words alone.
        prompt: the words; empty draws from the place alone.
        negative_prompt: words to keep away from.
        seed: of the first picture; picture i (from 0) uses seed + i, modulo 2**32.
        count: number of pictures, 1 to 64.
        steps: denoising steps, 1 to 200.
        text_guidance: w_p of Eq 4 of the paper: how closely to follow the words.
        place_guidance: w_g of Eq 4 of the paper: how closely to follow the place.
        model: name of an installed model, or the path of a model folder.

    Raises:
        GPSDreamError: of kind `bad_request` with a sentence that names the field and its range.
    """

    place: Place | None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    count: int = 1
    steps: int = 20
    text_guidance: float = 3.5
    place_guidance: float = 7.5
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        if self.place is not None and not isinstance(self.place, Place):
            raise _bad("The place is not a place.")
        _check_text(self.prompt, "prompt")
        _check_text(self.negative_prompt, "negative prompt")
        _check_int(self.seed, "seed", 0, MAX_SEED)
        _check_int(self.count, "number of pictures", 1, MAX_PICTURES)
        _check_int(self.steps, "number of steps", 1, MAX_STEPS)
        for name, label in (
            ("text_guidance", "weight of the words"),
            ("place_guidance", "weight of the place"),
        ):
            object.__setattr__(self, name, _check_number(getattr(self, name), label, 0.0, MAX_GUIDANCE))
        if not isinstance(self.model, str) or not self.model or len(self.model) > 4096:
            raise _bad("The request names no model.", "Choose a model, or leave the default.")

    def picture(self, index: int) -> GenerateRequest:
        """Return the request that draws picture `index` (from 0) of this one alone."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        return replace(self, seed=(self.seed + index) % (MAX_SEED + 1), count=1)

    def same_but_seed(self, other: GenerateRequest) -> bool:
        """Whether both ask for the same thing; the seed is not identity."""
        return replace(self, seed=0) == replace(other, seed=0)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["place"] = self.place.to_dict() if self.place else None
        return data

    def to_json(self) -> str:
        """Return the request as one line of JSON with sorted keys."""
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GenerateRequest:
        """Read what `to_dict` wrote; unknown keys are ignored, so newer files open in older programs."""
        if not isinstance(data, Mapping):
            raise _bad("The request is not a JSON object.")
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        place = values.get("place")
        if place is not None and not isinstance(place, Mapping):
            raise _bad("The place of the request is not a JSON object.")
        values["place"] = Place.from_dict(place) if place is not None else None
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> GenerateRequest:
        """Read what `to_json` wrote. Raises GPSDreamError if the text is not such a request."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise _bad(
                "The request is not valid JSON.", "Give a picture that GPSDream saved, or a JSON file with a request."
            ) from None
        return cls.from_dict(data)
