"""The map of Manhattan in the units in which it is measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from gpsdream_app.geo import manhattan
from gpsdream_app.geo.city import CityMap, load_city
from gpsdream_app.geo.gazetteer import Gazetteer


def in_grid(geometry: Any) -> Any:
    """Return a geometry of longitude and latitude in metres east of Fifth Avenue and uptown of 42nd Street."""

    def convert(points: np.ndarray) -> np.ndarray:
        return np.array([manhattan.to_grid(lat, lon) for lon, lat in points])

    return shapely.transform(geometry, convert)


@pytest.fixture(scope="session")
def city() -> CityMap:
    return load_city("manhattan")


@pytest.fixture(scope="session")
def gazetteer(city: CityMap) -> Gazetteer:
    return Gazetteer(city)


@pytest.fixture(scope="session")
def shapes(city: CityMap) -> Callable[[str], dict[str, Any]]:
    """Return by layer: every name with the union of its geometries, in metres of the grid."""
    read: dict[str, dict[str, Any]] = {}

    def of_layer(layer: str) -> dict[str, Any]:
        if layer not in read:
            parts: dict[str, list[Any]] = {}
            for feature in city.features(layer):
                parts.setdefault(feature["properties"]["name"], []).append(in_grid(shape(feature["geometry"])))
            read[layer] = {name: shapely.union_all(found) for name, found in parts.items()}
        return read[layer]

    return of_layer


@pytest.fixture(scope="session")
def geojson(shared_data: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Return the features of a file in the shared geodata, their geometries in metres of the grid."""

    def read(path: str) -> list[dict[str, Any]]:
        features = json.loads((shared_data / "geodata" / path).read_text(encoding="utf-8"))["features"]
        return [{**feature, "geometry": in_grid(shape(feature["geometry"]))} for feature in features]

    return read


@pytest.fixture(scope="session")
def make_city(root: Path) -> Iterator[ModuleType]:
    """The generator of the map, and the search path as it was afterwards."""
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("make_city", root / "packaging" / "make_city.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before
