"""Results of every kind, what they are found again by, and how a job's request is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gpsdream_app.domain.averages import (
    AverageRequest,
    LikenessRequest,
    PatchesRequest,
    PhotoAt,
    RegionPlaces,
    Sampling,
    SeriesKind,
    SeriesRequest,
)
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.explanations import ExplainRequest, job_request_from_dict
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result, ResultKind, picture_key

PLACES = (Place(40.74, -73.99, 29.0), Place(40.75, -73.98))
SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98)),),))
DRAW = GenerateRequest(Place(40.74, -73.99, 29.0, "Flatiron"), "a church", seed=5)
AVERAGE = AverageRequest((RegionPlaces(SQUARE, PLACES, photos=3),), "tree", seed=5, subset=1)
SERIES = SeriesRequest(PLACES, SeriesKind.VARIETY, "Broadway", "tree")
REQUESTS = (
    DRAW,
    ExplainRequest(replace(DRAW, count=3), 2),
    replace(AVERAGE, regions=AVERAGE.regions * 2, noises=3),
    SERIES,
    LikenessRequest(("/a.png", "/b.png"), "other"),
    PatchesRequest(SQUARE, (PhotoAt("/a.jpg", PLACES[0]),), 3, 4, "other"),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_of_any_kind_is_read_back(request_: Any) -> None:
    assert job_request_from_dict(json.loads(json.dumps(request_.to_dict()))) == request_


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "dance"},
        {"kind": ["average"]},
        {"kind": 3},
        {"kind": "average"},
        {"kind": "average", "regions": [1]},
        {"kind": "series", "places": [[1]]},
        {"kind": "likeness"},
        {"kind": "patches", "region": 4},
        {"kind": "patches", "region": SQUARE.to_dict(), "photos": 5},
        {"kind": "explain"},
        [],
        None,
    ],
)
def test_what_is_no_request_is_a_sentence(data: Any) -> None:
    with pytest.raises(GPSDreamError) as caught:
        job_request_from_dict(data)
    assert caught.value.failure.message.endswith(".")


def result(request: Any, **values: Any) -> Result:
    return replace(Result("a" * 32, "job", request, "/p", "2026", 1.0, "T", "h", "v", 8, 8), **values)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (result(DRAW), ResultKind.DRAW),
        (result(AVERAGE), ResultKind.AVERAGE),
        (result(DRAW, series="ab"), ResultKind.FRAME),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_result_knows_its_kind_and_is_read_back(made: Result, kind: ResultKind) -> None:
    assert made.kind is kind
    assert Result.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_what_decides_no_pixel_is_not_in_the_key() -> None:
    assert picture_key(replace(DRAW, place=PLACES[0])) == picture_key(DRAW)
    assert picture_key(replace(DRAW, model="/elsewhere")) == picture_key(DRAW)
    (region,) = AVERAGE.regions
    other = Region("Other", RegionKind.FILE, ((((1.0, 1.0), (1.0, 2.0), (2.0, 2.0)),),))
    renamed = replace(region, region=other, photos=None, sampling=Sampling.GIVEN)
    assert picture_key(replace(AVERAGE, regions=(renamed,))) == picture_key(AVERAGE)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"prompt": "trees"},
        {"negative_prompt": "x"},
        {"subset": 2},
        {"subset": None},
        {"steps": 3},
        {"text_guidance": 1.0},
        {"place_guidance": 1.0},
        {"regions": (replace(AVERAGE.regions[0], places=PLACES[:1]),)},
        {"regions": (replace(AVERAGE.regions[0], places=PLACES[::-1]),)},
        {"regions": (replace(AVERAGE.regions[0], places=(replace(PLACES[0], heading=30.0), PLACES[1])),)},
    ],
    ids=str,
)
def test_what_decides_a_pixel_is_in_the_key(change: dict[str, Any]) -> None:
    assert picture_key(replace(AVERAGE, **change)) != picture_key(AVERAGE)


def test_a_drawing_and_an_average_of_one_place_have_two_keys() -> None:
    one = replace(AVERAGE, regions=(replace(AVERAGE.regions[0], places=PLACES[:1]),), subset=None)
    assert picture_key(one) != picture_key(one.single(PLACES[0]))
