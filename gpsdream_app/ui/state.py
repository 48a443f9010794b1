"""What the form holds, without widgets: every field announces its changes, and the whole becomes one request."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar, overload

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import DEFAULT_MODEL, MAX_GUIDANCE, MAX_STEPS, GenerateRequest
from gpsdream_app.geo.coordinates import parse_coordinates

T = TypeVar("T")

# What a card may recommend, and within which limits.
LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, MAX_STEPS),
    "place_guidance": (0.0, MAX_GUIDANCE),
    "text_guidance": (0.0, MAX_GUIDANCE),
}


class Field(Generic[T]):
    """A value of a `FormState`; setting it to something else emits `changed` with its name."""

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: FormState, owner: type) -> T: ...
    def __get__(self, instance: FormState | None, owner: type) -> Field[T] | T:
        if instance is None:
            return self
        value: T = instance.values.get(self._name, self._default)
        return value

    def __set__(self, instance: FormState, value: T) -> None:
        if instance.values.get(self._name, self._default) != value:
            instance.values[self._name] = value
            instance.changed.emit(self._name)


class FormState(QObject):
    """The form as values.

    Texts that are not valid (a latitude of 91) are kept as they were typed, with a failure beside them.

    Attributes:
        place: where; None until a place is chosen, and while what was typed is not one.
        latitude_text: latitude as it stands in its field.
        longitude_text: longitude as it stands in its field.
        heading_text: direction of view as it stands in its field; empty for any.
        place_failure: why what was typed is not a place.
        prompt: the words.
        negative_prompt: words to keep away from.
        seed: of the next picture.
        seed_locked: whether the seed stays; else every drawing takes a new one.
        count: number of pictures, 1 to 64.
        steps: denoising steps, 1 to 200.
        place_guidance: w_g of Eq 4 of the paper.
        text_guidance: w_p of Eq 4 of the paper.
        model: name or folder of the model.

    Signals:
        changed: a field has another value; its name.
    """

    changed = Signal(str)

    place: Field[Place | None] = Field(None)
    latitude_text = Field("")
    longitude_text = Field("")
    heading_text = Field("")
    place_failure: Field[Failure | None] = Field(None)
    prompt = Field("")
    negative_prompt = Field("")
    seed = Field(0)
    seed_locked = Field(False)
    count = Field(1)
    steps = Field(20)
    place_guidance = Field(7.5)
    text_guidance = Field(3.5)
    model = Field(DEFAULT_MODEL)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.values: dict[str, Any] = {"seed": new_seed()}

    def when(self, names: str, call: Callable[[], None]) -> None:
        """Call now, and again whenever one of the fields (names with blanks between) changes."""
        wanted = frozenset(names.split())

        def check(name: str) -> None:
            if name in wanted:
                call()

        self.changed.connect(check)
        call()

    # -- the place --

    def set_place(self, place: Place | None) -> None:
        """Choose a place, or none; the typed texts follow."""
        self.place_failure = None
        self.latitude_text = f"{place.lat:.6f}" if place else ""
        self.longitude_text = f"{place.lon:.6f}" if place else ""
        self.heading_text = f"{place.heading:.0f}" if place and place.heading is not None else ""
        self.place = place

    def move_to(self, lat: float, lon: float, name: str = "") -> None:
        """Choose a point in degrees and keep the direction of view. Raises GPSDreamError if it is not on the Earth."""
        self.set_place(Place(lat, lon, self.place.heading if self.place else None, name))

    def turn_to(self, heading: float | None) -> None:
        """Look in a direction, in degrees clockwise from north, or in any (None)."""
        if self.place:
            self.set_place(replace(self.place, heading=heading))

    def name_place(self, lat: float, lon: float, name: str) -> None:
        """Give the place its name, if it is still the point that the name was looked up for."""
        if self.place and (self.place.lat, self.place.lon) == (lat, lon) and self.place.name != name:
            self.place = replace(self.place, name=name)

    def type_place(self, latitude: str, longitude: str, heading: str) -> None:
        """Take what was typed. If it is not a place, the texts stay and `place_failure` says why."""
        self.latitude_text, self.longitude_text, self.heading_text = latitude, longitude, heading
        if not latitude.strip() and not longitude.strip():
            self.place_failure, self.place = None, None
            return
        try:
            pair = parse_coordinates(latitude) if not longitude.strip() else None
            if pair:
                # Both were pasted into the first field.
                self.latitude_text, self.longitude_text = f"{pair[0]:.6f}", f"{pair[1]:.6f}"
            else:
                pair = _number(latitude, "latitude"), _number(longitude, "longitude")
            place = Place(*pair, self._typed_heading())
        except GPSDreamError as error:
            self.place_failure, self.place = error.failure, None
            return
        self.place_failure, self.place = None, place

    def is_wrong(self, name: str) -> bool:
        """Whether what stands in a field of the place (latitude, longitude, heading) keeps it from being one."""
        texts = {"latitude": self.latitude_text, "longitude": self.longitude_text, "heading": self.heading_text}
        if self.place_failure is None or (name == "heading" and not texts[name].strip()):
            return False
        try:
            number = _number(texts[name], name)
            Place(number if name == "latitude" else 0.0, number if name == "longitude" else 0.0, number)
        except GPSDreamError:
            return True
        return False

    def _typed_heading(self) -> float | None:
        return _number(self.heading_text, "direction") if self.heading_text.strip() else None

    # -- the words --

    def has_word(self, word: str) -> bool:
        """Whether the prompt holds a word, whole and in any case."""
        return _whole_word(word).search(self.prompt) is not None

    def toggle_word(self, word: str) -> None:
        """Add a word to the end of the prompt, or take it out wherever it stands."""
        if self.has_word(word):
            kept = _whole_word(word).sub("", self.prompt)
            self.prompt = re.sub(r"\s*,(\s*,)+", ",", re.sub(r"[ \t]{2,}", " ", kept)).strip(" ,")
        else:
            self.prompt = f"{self.prompt.rstrip(', ')}, {word}" if self.prompt.strip(" ,") else word

    # -- the whole --

    def take_defaults(self, card: ModelCard) -> None:
        """Start with what a model's card recommends, as far as it makes sense."""
        for name, (low, high) in LIMITS.items():
            value = card.defaults.get(name)
            if isinstance(value, (int, float)) and low <= value <= high:
                setattr(self, name, type(low)(value))

    def request(self) -> GenerateRequest:
        """Return what the form asks for. Raises GPSDreamError with a sentence if something in it is wrong."""
        if self.place_failure:
            failure = self.place_failure
            raise GPSDreamError(failure.kind, failure.message, failure.hint)
        if self.place is None and not self.prompt.strip():
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                self.tr("There is neither a place nor a word to draw from."),
                self.tr("Click the map, or write what you would like to see."),
            )
        return GenerateRequest(
            place=self.place,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            count=self.count,
            steps=self.steps,
            text_guidance=self.text_guidance,
            place_guidance=self.place_guidance,
            model=self.model,
        )

    def problem(self) -> Failure | None:
        """What is wrong with the form as it stands, None if it can be drawn."""
        try:
            self.request()
        except GPSDreamError as error:
            return error.failure
        return None

    def next_request(self) -> GenerateRequest:
        """Return the request to draw now; takes a new seed first unless the seed is locked."""
        self.request()
        if not self.seed_locked:
            self.seed = new_seed()
        return self.request()

    def restore(self, request: GenerateRequest) -> None:
        """Show a request in the form; its seed is locked, so that drawing again gives the same picture."""
        self.set_place(request.place)
        for name in ("prompt", "negative_prompt", "seed", "count", "steps", "text_guidance", "place_guidance"):
            setattr(self, name, getattr(request, name))
        self.seed_locked = True

    def remix(self, request: GenerateRequest) -> None:
        """Show a request in the form with a new seed: the same wish, another picture."""
        self.restore(request)
        self.seed_locked = False
        self.seed = new_seed()


def new_seed() -> int:
    """Return a random seed of at most six digits, so that people can read it to each other."""
    return 1 + secrets.randbelow(999_999)


def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def _number(text: str, name: str) -> float:
    try:
        return float(text.strip().rstrip("°").replace(",", ".").replace("−", "-"))
    except ValueError:
        raise GPSDreamError(
            ErrorKind.BAD_LOCATION,
            f"The {name} “{text.strip()[:40]}” is not a number." if text.strip() else f"The {name} is missing.",
            "Give it in degrees, for example 40.7411.",
        ) from None
