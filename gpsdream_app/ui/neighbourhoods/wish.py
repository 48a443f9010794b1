"""What a person wants averaged and how, apart from the regions: one frozen value that is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gpsdream_app.domain.averages import (
    DEFAULT_SUBSET,
    AverageRequest,
    RegionPlaces,
    Sampling,
    SeriesKind,
    SeriesRequest,
)
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS, MAX_SEED
from gpsdream_app.ui.state import LIMITS

PLACES = (1, 256)
NOISES = (1, 8)

FIRST_SEED = 1911
GUESSED_SECONDS = 0.018  # of the network for one place at one step, until a picture has told better


@dataclass(frozen=True, slots=True)
class Wish:
    """How averages shall be drawn.

    Attributes:
        concept: the words; empty averages the places alone.
        sampling: how places are chosen in a region.
        headings: `street` looks at the houses, `all` looks round.
        places: number of places per region.
        exact: whether all places count at every step, in place of a fresh few of them.
        noises: pictures per region, each from a noise of its own that all regions share.
        seed: of the first noise.
    """

    concept: str = "building"
    sampling: Sampling = Sampling.AREA
    headings: str = "street"
    places: int = 32
    exact: bool = False
    noises: int = 1
    seed: int = FIRST_SEED

    @property
    def subset(self) -> int | None:
        """Places that count at a step; None for all."""
        return None if self.exact or self.places <= DEFAULT_SUBSET else DEFAULT_SUBSET

    def average(self, regions: tuple[RegionPlaces, ...], model: str, card: ModelCard | None) -> AverageRequest:
        """Return the request for regions. Raises GPSDreamError if something is wrong."""
        return AverageRequest(
            regions=regions,
            prompt=self.concept.strip(),
            seed=self.seed,
            noises=self.noises,
            subset=self.subset,
            model=model,
            **card_numbers(card.average_defaults if card else {}),
        )

    def series(
        self, places: tuple[Place, ...], kind: SeriesKind, title: str, model: str, card: ModelCard | None
    ) -> SeriesRequest:
        """Return the request for a picture at each of some places. Raises GPSDreamError if something is wrong."""
        return SeriesRequest(
            places=places,
            kind=kind,
            title=title,
            prompt=self.concept.strip(),
            seed=self.seed,
            model=model,
            **card_numbers(card.defaults if card else {}),
        )

    def seconds(self, regions: int, steps: int, rate: float) -> float:
        """Return about how long so many regions take.

        Args:
            regions: how many.
            steps: denoising steps of a picture.
            rate: seconds that one place takes at one step.
        """
        return regions * self.noises * steps * self.evaluations * rate

    @property
    def evaluations(self) -> int:
        """Times that the network looks at a picture in one step: once per place, without the place, without both."""
        return (self.subset or self.places) + 2

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Wish:
        """Read what `to_dict` wrote; what makes no sense is as at first."""
        wish = cls()
        if not isinstance(data, Mapping):
            return wish
        concept = data.get("concept")
        if isinstance(concept, str):
            wish = replace(wish, concept=concept[:MAX_PROMPT_CHARACTERS])
        if isinstance(data.get("exact"), bool):
            wish = replace(wish, exact=data["exact"])
        if data.get("headings") in ("street", "all"):
            wish = replace(wish, headings=data["headings"])
        if data.get("sampling") in (Sampling.AREA, Sampling.PHOTOS):
            wish = replace(wish, sampling=Sampling(data["sampling"]))
        for name, (low, high) in (("places", PLACES), ("noises", NOISES), ("seed", (0, MAX_SEED))):
            value = data.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
                known: dict[str, Any] = {name: value}
                wish = replace(wish, **known)
        return wish


def card_numbers(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return steps and weights as the defaults of a model's card recommend them, as far as they make sense.

    The form's own numbers are for single pictures; averages shall be the same whatever stands there.
    """
    numbers: dict[str, Any] = {}
    for name, (low, high) in LIMITS.items():
        value = defaults.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            numbers[name] = type(low)(value)
    return numbers
