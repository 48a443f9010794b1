from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.evaluation.drawing import Artist, Guidance, Progress
from gpsdream_app.evaluation.neighbourhoods import (
    LEAST_PHOTOS,
    NeighbourhoodProbe,
    balanced_share,
    neighbourhoods_of,
    told_apart,
    unseen_answers,
)
from gpsdream_app.evaluation.scores import Scorer, open_judges
from gpsdream_app.generation.draw import Painter
from gpsdream_app.geo.city import load_city
from gpsdream_app.geo.regions import centre, find_region
from gpsdream_app.photos.prepared import Crop
from tests.tiny_model import tiny_card, tiny_pipeline

CITY = load_city("manhattan")
NAMES = ("Greenwich Village", "Midtown", "Upper East Side")
SIDE = 32


def square(south: float, west: float, size: float = 0.01) -> Region:
    north, east = south + size, west + size
    return Region("Square", RegionKind.DRAWN, ((((south, west), (south, east), (north, east), (north, west)),),))


def test_places_belong_to_the_region_they_lie_in_or_close_to() -> None:
    regions = [square(40.0, -74.0), square(40.0, -73.99), square(40.005, -74.0)]
    metre = 1 / 111_195
    lats = np.array([40.002, 40.002, 40.007, 40.0 - 30 * metre, 40.0 - 200 * metre, 40.01 + 50 * metre])
    lons = np.array([-73.995, -73.985, -73.995, -73.985, -73.985, -73.995])
    # The first counts where two overlap; 30 m and 50 m beside one is near, 200 m is not.
    assert neighbourhoods_of(regions[:2], lats, lons).tolist() == [0, 1, 0, 1, -1, 0]
    assert neighbourhoods_of(regions[2:], lats[[0, 2]], lons[[0, 2]]).tolist() == [-1, 0]
    assert neighbourhoods_of(regions, lats[:0], lons[:0]).tolist() == []


def clusters(count: int, each: int, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features of `count` neighbourhoods with `each` photographs of four crops, and their photographs."""
    random = np.random.default_rng(0)
    middles = np.eye(count, 6)
    truth = np.repeat(np.arange(count), 4 * each)
    features = middles[truth] + spread * random.normal(size=(len(truth), 6))
    return features, truth, [f"{number // 4}.jpg" for number in range(len(truth))]


def test_a_probe_learns_neighbourhoods_of_any_size() -> None:
    features, truth, _ = clusters(3, 8)
    # Ten times as many of the first: the others must not be swallowed.
    rows = np.concatenate([np.tile(np.flatnonzero(truth == 0), 10), np.flatnonzero(truth > 0)])
    probe = NeighbourhoodProbe.fit(features[rows], truth[rows], 3)
    answers = probe.answers(np.eye(3, 6))
    assert answers.tolist() == [0, 1, 2]
    right = probe.answers(features) == truth
    assert min(right[truth == number].mean() for number in range(3)) > 0.8


def test_every_neighbourhood_counts_the_same() -> None:
    truth = np.array([0] * 9 + [1])
    right = np.array([1.0] * 9 + [0.0])
    interval = balanced_share(right, truth, 2, [str(number) for number in range(10)])
    assert interval.value == pytest.approx(0.5)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_photos_are_judged_by_probes_that_have_not_seen_them() -> None:
    random = np.random.default_rng(1)
    sources = [f"{number // 4}.jpg" for number in range(160)]
    truth = np.repeat(random.integers(0, 2, 40), 4)
    # Every photograph has a look of its own, which says nothing of its neighbourhood.
    features = np.repeat(random.normal(size=(40, 60)), 4, axis=0)
    known = NeighbourhoodProbe.fit(features, truth, 2)
    assert (known.answers(features) == truth).mean() > 0.95
    learned = np.ones(160, dtype=bool)
    unseen = unseen_answers(features, truth, sources, learned, 2)
    assert (unseen == truth).mean() < 0.75
    learned[-40:] = False
    answers = unseen_answers(features, truth, sources, learned, 2)
    taught = NeighbourhoodProbe.fit(features[:-40], truth[:-40], 2)
    assert np.array_equal(answers[-40:], taught.answers(features[-40:]))
    assert set(answers.tolist()) <= {0, 1}


# -- with crops, judges and a model --


def looks(number: int, seed: int) -> np.ndarray:
    """Pixels of a neighbourhood: bars that stand, bars that lie, a checkerboard; with some noise."""
    bars = np.arange(SIDE) // 4 % 2
    patterns = (np.tile(bars, (SIDE, 1)), np.tile(bars, (SIDE, 1)).T, bars[None] ^ bars[:, None])
    noise = np.random.default_rng(seed).normal(0, 20, (SIDE, SIDE))
    return np.repeat((60 + 130 * patterns[number] + noise).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def crops(photos: int) -> list[tuple[str, Crop]]:
    made = []
    for number, name in enumerate(NAMES):
        lat, lon = centre(find_region(CITY, name))
        for photo in range(photos):
            for part in range(2):
                pixels = looks(number, 100 * number + 10 * photo + part)
                made.append((f"{name} {photo}.jpg", Crop(pixels, lat, lon + 1e-5 * part, 118.0, None)))
    return made


@pytest.fixture
def scorer(judges: Path) -> Scorer:
    return Scorer(open_judges(judges), None)


@pytest.fixture
def artist() -> Artist:
    return Artist(
        Painter(tiny_pipeline(), tiny_card()), Guidance(1, 1.5, 2.0), Progress(lambda *_: None, lambda: False)
    )


def address(place: Place) -> str:
    return "somewhere"


def test_pictures_that_look_like_their_neighbourhood_are_told_apart(scorer: Scorer, artist: Artist) -> None:
    middles = [centre(find_region(CITY, name)) for name in NAMES]
    given: list[tuple[list[str], list[Place | None], list[int]]] = []

    def draw(prompts: list[str], places: list[Place | None], seeds: list[int], own: Guidance) -> torch.Tensor:
        """A model that knows its city, but understands no address: then it draws the first neighbourhood."""
        given.append((prompts, places, seeds))
        numbers = [
            0 if place is None else int(np.argmin([abs(place.lat - lat) for lat, _ in middles])) for place in places
        ]
        pixels = [looks(number, 1000 + seed) for number, seed in zip(numbers, seeds, strict=True)]
        return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)

    standing_in = SimpleNamespace(draw=draw, progress=artist.progress)
    data, reason = told_apart(standing_in, scorer, crops(LEAST_PHOTOS), [], CITY, address, 30, artist.guidance, seed=0)
    assert reason == ""
    assert data["names"] == list(NAMES)  # from south to north
    assert data["photos"] == [LEAST_PHOTOS] * 3
    rows = {row["row"]: row for row in data["rows"]}
    assert list(rows) == ["the real photo", "ours", "ours, without text", "text + address"]
    assert rows["the real photo"]["share"]["value"] > 0.8
    assert rows["ours"]["share"]["value"] > 0.8
    assert rows["text + address"]["by_neighbourhood"][1:] == [0.0, 0.0]
    assert data["above_address"]["low"] > 0.2
    assert rows["ours"]["share"]["count"] == sum(map(sum, rows["ours"]["confusion"])) == 30
    prompts, places, seeds = given[2]
    assert set(prompts) == {"building, somewhere"} and set(places) == {None}
    assert [one[2] for one in given] == [seeds] * 3
    assert set(given[0][0]) == {"building"} and set(given[1][0]) == {""}


def test_a_model_that_knows_nothing_is_at_chance(scorer: Scorer, artist: Artist) -> None:
    held_out = [(f"new {source}", replace(crop, pixels=looks(0, 5))) for source, crop in crops(1)]
    data, reason = told_apart(artist, scorer, crops(LEAST_PHOTOS), held_out, CITY, address, 12, artist.guidance, seed=0)
    assert reason == ""
    assert data["rows"][0]["share"]["count"] == 3 * LEAST_PHOTOS * 2 + len(held_out)
    assert data["photos"] == [LEAST_PHOTOS] * 3
    for row in data["rows"][1:]:
        assert row["share"]["value"] == pytest.approx(1 / 3, abs=0.34)


def test_too_few_photos_are_said_in_a_sentence(scorer: Scorer, artist: Artist) -> None:
    few = crops(LEAST_PHOTOS - 1)
    for learned, city, words in (
        (few, CITY, "Fewer than two neighbourhoods have 6 photographs"),
        (few, None, "There is no map of this city"),
        ([], CITY, "nothing that could learn"),
    ):
        data, reason = told_apart(artist, scorer, learned, few, city, address, 12, artist.guidance, seed=0)
        assert data == {}
        assert words in reason
