"""A city's own vector map: land, parks, streets, neighbourhoods and landmarks from resources/cities."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.domain.resources import resources_dir

SCHEMA = 1
LAYERS = ("land", "parks", "streets", "neighbourhoods", "landmarks")


@dataclass(frozen=True, slots=True)
class CityMap:
    """The parsed map of one city.

    Attributes:
        id: name of its file, such as "manhattan".
        name: what people call it.
        box: a rectangle around everything drawn, in degrees.
        centre: latitude and longitude in degrees at which the map opens.
        zoom: web map zoom level at which it opens.
        attribution: whom to name beside the map.
        data: the whole file as JSON values, as the map page takes it; not to be changed.
    """

    id: str
    name: str
    box: Box
    centre: tuple[float, float]
    zoom: float
    attribution: str
    data: dict[str, Any]

    def features(self, layer: str) -> list[dict[str, Any]]:
        """Return the GeoJSON features of a layer (see `LAYERS`); empty if the city has no such layer."""
        collection = self.data["layers"].get(layer)
        return list(collection["features"]) if collection else []

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CityMap:
        """Read the JSON values of a city file.

        Raises:
            GPSDreamError: of kind `internal` if it is not a city, or one of a newer program.
        """
        try:
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']}")
            for layer in LAYERS:
                if data["layers"][layer]["type"] != "FeatureCollection":
                    raise ValueError(f"layer {layer}")
            lat, lon = data["centre"]
            return cls(
                id=data["id"],
                name=data["name"],
                box=Box.from_dict(data["box"]),
                centre=(float(lat), float(lon)),
                zoom=float(data["zoom"]),
                attribution=data["attribution"],
                data=data,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GPSDreamError(
                ErrorKind.INTERNAL, "The city's map cannot be read.", "Install GPSDream again.", repr(error)
            ) from error


def list_cities() -> list[str]:
    """Return the ids of the cities that come with the program, sorted."""
    return sorted(path.stem for path in (resources_dir() / "cities").glob("*.json"))


@cache
def load_city(city_id: str) -> CityMap:
    """Return the map of a city that comes with the program; read once, then shared.

    Raises:
        GPSDreamError: of kind `bad_request` if there is no such city, `internal` if its file is damaged.
    """
    if city_id not in list_cities():
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"There is no map of the city “{city_id[:40]}”.",
            f"Cities with a map: {', '.join(list_cities())}.",
        )
    path = resources_dir() / "cities" / f"{city_id}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GPSDreamError(
            ErrorKind.INTERNAL, f"The map of {city_id} cannot be read.", "Install GPSDream again.", repr(error)
        ) from error
    return CityMap.from_dict(data)
