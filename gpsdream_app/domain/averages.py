"""What a person asks of regions: their average pictures, series of places, and what is alike or typical."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.requests import DEFAULT_MODEL, MAX_PICTURES, MAX_SEED, GenerateRequest

MAX_PLACES = 4096
DEFAULT_PLACES = 32
# Of as many: a quarter of the time, for an error that docs/averages.md gives. Eq 8 itself is a subset of None.
DEFAULT_SUBSET = 8
MAX_REGIONS = 200
MAX_FRAMES = 10_000


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, hint)


def _places(values: object, most: int, what: str) -> tuple[Place, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, Place) for value in values):
        raise _bad(f"The places of {what} are not places.")
    if not 1 <= len(values) <= most:
        raise _bad(f"{what[:1].upper()}{what[1:]} has {len(values):,} places; it takes 1 to {most:,}.")
    return tuple(values)


class Sampling(StrEnum):
    """How the places of an average were chosen."""

    AREA = "area"  # uniformly by area
    PHOTOS = "photos"  # the photos' own places
    LINE = "line"  # evenly by arc length along a corridor
    GIVEN = "given"  # by whoever made the request


@dataclass(frozen=True, slots=True)
class RegionPlaces:
    """A region, and the places in it that its average is taken over.

    Attributes:
        region: the region.
        places: in it, 1 to 4096; their headings count.
        sampling: how they were chosen.
        photos: number of photos in the region that the model has learned from; None if not known.
    """

    region: Region
    places: tuple[Place, ...]
    sampling: Sampling = Sampling.AREA
    photos: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", _places(self.places, MAX_PLACES, "the region"))
        object.__setattr__(self, "sampling", Sampling(self.sampling))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "region": self.region.to_dict(),
            "places": [[place.lat, place.lon, place.heading] for place in self.places],
            "sampling": self.sampling.value,
            "photos": self.photos,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegionPlaces:
        """Read what `to_dict` wrote. Raises GPSDreamError for bad values."""
        try:
            places = tuple(Place(lat, lon, heading) for lat, lon, heading in data["places"])
            return cls(Region.from_dict(data["region"]), places, Sampling(data["sampling"]), data.get("photos"))
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(f"The region of the request is incomplete: {error}.") from None


@dataclass(frozen=True, slots=True)
class AverageRequest:
    """Draw the average picture of each region (Eq 8 of the paper), all from the same initial noise.

    Attributes:
        regions: with the places to average over; drawn one after the other.
        prompt: the concept, such as "building"; empty averages the places alone.
        negative_prompt: words to keep away from.
        seed: of the first noise; noise i (from 0) uses seed + i, modulo 2**32.
        noises: initial noises per region, 1 to 64; each gives a picture.
        subset: places drawn afresh at every step in place of all of them, which is cheaper and unbiased; None takes
            all, as Eq 8 does.
        steps, text_guidance, place_guidance, model: as for a single picture.

    Raises:
        GPSDreamError: of kind `bad_request` with a sentence that names the field and its range.
    """

    regions: tuple[RegionPlaces, ...]
    prompt: str = "building"
    negative_prompt: str = ""
    seed: int = 0
    noises: int = 1
    subset: int | None = None
    steps: int = 20
    text_guidance: float = 3.5
    place_guidance: float = 7.5
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        if not isinstance(self.regions, (list, tuple)) or not all(isinstance(r, RegionPlaces) for r in self.regions):
            raise _bad("The regions of the request are not regions.")
        if not 1 <= len(self.regions) <= MAX_REGIONS:
            raise _bad(f"The request has {len(self.regions)} regions; it takes 1 to {MAX_REGIONS}.", "Choose a region.")
        object.__setattr__(self, "regions", tuple(self.regions))
        for name, value, most in (("noises", self.noises, MAX_PICTURES), ("subset", self.subset, MAX_PLACES)):
            if name == "subset" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise _bad(f"The number of {name} must be a whole number from 1 to {most:,}, not {str(value)[:40]}.")
        # What it shares with a single picture is checked there, and comes back as floats where it should.
        checked = self.single(self.regions[0].places[0])
        object.__setattr__(self, "text_guidance", checked.text_guidance)
        object.__setattr__(self, "place_guidance", checked.place_guidance)

    @property
    def count(self) -> int:
        """Pictures of the whole request: noises of the first region, then of the next."""
        return len(self.regions) * self.noises

    @property
    def place(self) -> Place:
        """Where to show the picture of a request with one region: the middle of its places."""
        places = self.regions[0].places
        lat = sum(place.lat for place in places) / len(places)
        lon = sum(place.lon for place in places) / len(places)
        return Place(lat, lon, None, self.regions[0].region.name)

    def picture(self, index: int) -> AverageRequest:
        """Return the request that draws picture `index` (from 0) of this one alone."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        region, noise = divmod(index, self.noises)
        return replace(self, regions=(self.regions[region],), seed=(self.seed + noise) % (MAX_SEED + 1), noises=1)

    def single(self, place: Place) -> GenerateRequest:
        """Return the request for one picture of one place, from the first noise: what an average is an average of."""
        return GenerateRequest(
            place=place,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            steps=self.steps,
            text_guidance=self.text_guidance,
            place_guidance=self.place_guidance,
            model=self.model,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {
            "kind": "average",
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "regions": [region.to_dict() for region in self.regions],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AverageRequest:
        """Read what `to_dict` wrote; unknown keys are ignored. Raises GPSDreamError for bad values."""
        if not isinstance(data, Mapping) or not isinstance(data.get("regions"), list):
            raise _bad("The request is not one for averages.")
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["regions"] = tuple(RegionPlaces.from_dict(item) for item in data["regions"])
        return cls(**values)


class SeriesKind(StrEnum):
    """What a series of places is for."""

    WALK = "walk"
    VARIETY = "variety"  # single draws behind an average


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """Draw one picture at each of many places, all from the same initial noise.

    Attributes:
        places: in order, 1 to 10,000.
        kind: what it is for.
        title: such as the street's name; no part of what is drawn.
        prompt, negative_prompt, seed, steps, text_guidance, place_guidance, model: as for a single picture.

    Raises:
        GPSDreamError: of kind `bad_request` with a sentence that names the field and its range.
    """

    places: tuple[Place, ...]
    kind: SeriesKind = SeriesKind.WALK
    title: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    steps: int = 20
    text_guidance: float = 3.5
    place_guidance: float = 7.5
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", _places(self.places, MAX_FRAMES, "the series"))
        object.__setattr__(self, "kind", SeriesKind(self.kind))
        checked = self.picture(0)
        object.__setattr__(self, "text_guidance", checked.text_guidance)
        object.__setattr__(self, "place_guidance", checked.place_guidance)

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.places)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.places[0]

    @property
    def key(self) -> str:
        """32 hexadecimal digits of everything that decides the pictures: a stopped series is found again by it."""
        decisive = {**self.to_dict(), "title": "", "kind": ""}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]

    def picture(self, index: int) -> GenerateRequest:
        """Return the request that draws picture `index` (from 0) alone."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        return GenerateRequest(
            place=self.places[index],
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            steps=self.steps,
            text_guidance=self.text_guidance,
            place_guidance=self.place_guidance,
            model=self.model,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "kind"}
        return {
            **values,
            "kind": "series",
            "series": self.kind.value,
            "places": [[place.lat, place.lon, place.heading] for place in self.places],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SeriesRequest:
        """Read what `to_dict` wrote; unknown keys are ignored. Raises GPSDreamError for bad values."""
        if not isinstance(data, Mapping) or not isinstance(data.get("places"), list):
            raise _bad("The request is not one for a series.")
        known = {field.name for field in fields(cls)} - {"kind", "places"}
        values = {key: value for key, value in data.items() if key in known}
        try:
            places = tuple(Place(lat, lon, heading) for lat, lon, heading in data["places"])
            return cls(places=places, kind=SeriesKind(data.get("series", "walk")), **values)
        except (TypeError, ValueError) as error:
            raise _bad(f"The request is incomplete: {error}.") from None


@dataclass(frozen=True, slots=True)
class LikenessRequest:
    """Measure how alike pictures look, in the space of an image encoder.

    Attributes:
        pictures: paths of picture files, 2 to 200.
        model: the model whose judges are asked first; others stand in if it has none.
    """

    pictures: tuple[str, ...]
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "pictures", tuple(self.pictures))
        if not 2 <= len(self.pictures) <= MAX_REGIONS or not all(isinstance(path, str) for path in self.pictures):
            raise _bad(f"Between 2 and {MAX_REGIONS} pictures can be compared, not {len(self.pictures)}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {"kind": "likeness", "pictures": list(self.pictures), "model": self.model}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LikenessRequest:
        """Read what `to_dict` wrote."""
        return cls(tuple(data["pictures"]), data["model"])


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike pictures look.

    Attributes:
        distances: (n, n) cosine distances, 0 (alike) to 2, in the order of the request.
        features: what was compared, in words for a person, such as "image encoder of the judges fifth-avenue-1911".
    """

    distances: tuple[tuple[float, ...], ...]
    features: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"distances": [list(row) for row in self.distances], "features": self.features}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Likeness:
        """Read what `to_dict` wrote."""
        return cls(tuple(tuple(row) for row in data["distances"]), data["features"])


@dataclass(frozen=True, slots=True)
class PhotoAt:
    """A photo file and where it was taken."""

    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class PatchesRequest:
    """Find the patches of photos that are most typical of where they were taken (diff-mining; science: typicality).

    Attributes:
        region: whose photos they are.
        photos: 1 to 10,000; a sample is looked at if they are many.
        count: patches wanted, 1 to 64.
        seed: of the noises and the sample.
        model: the model that judges.
    """

    region: Region
    photos: tuple[PhotoAt, ...]
    count: int = 12
    seed: int = 0
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "photos", tuple(self.photos))
        if not 1 <= len(self.photos) <= MAX_FRAMES:
            raise _bad(f"The region has {len(self.photos):,} photos; 1 to {MAX_FRAMES:,} can be looked at.")
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not 1 <= self.count <= MAX_PICTURES:
            raise _bad(f"The number of patches must be a whole number from 1 to {MAX_PICTURES}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {
            "kind": "patches",
            "region": self.region.to_dict(),
            "photos": [{"path": photo.path, "place": photo.place.to_dict()} for photo in self.photos],
            "count": self.count,
            "seed": self.seed,
            "model": self.model,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PatchesRequest:
        """Read what `to_dict` wrote."""
        return cls(
            region=Region.from_dict(data["region"]),
            photos=tuple(PhotoAt(item["path"], Place.from_dict(item["place"])) for item in data["photos"]),
            count=data["count"],
            seed=data["seed"],
            model=data["model"],
        )


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a photo.

    Attributes:
        photo: path of the photo.
        picture: path of the cut-out, a JPEG.
        box: left, top, right and bottom edge as shares of the photo, 0 to 1.
        typicality: how much better the model foresees it when it is told the place; larger is more typical.
        place: where the photo was taken.
    """

    photo: str
    picture: str
    box: tuple[float, float, float, float]
    typicality: float
    place: Place

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "photo": self.photo,
            "picture": self.picture,
            "box": list(self.box),
            "typicality": self.typicality,
            "place": self.place.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Patch:
        """Read what `to_dict` wrote."""
        left, top, right, bottom = data["box"]
        place = Place.from_dict(data["place"])
        return cls(data["photo"], data["picture"], (left, top, right, bottom), data["typicality"], place)


@dataclass(frozen=True, slots=True)
class TypicalPatches:
    """The answer to a PatchesRequest.

    Attributes:
        patches: the most typical one first; no two of them overlap much.
        photos_looked_at: how many photos were measured.
    """

    patches: tuple[Patch, ...]
    photos_looked_at: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"patches": [patch.to_dict() for patch in self.patches], "photos_looked_at": self.photos_looked_at}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TypicalPatches:
        """Read what `to_dict` wrote."""
        return cls(tuple(Patch.from_dict(item) for item in data["patches"]), data["photos_looked_at"])
