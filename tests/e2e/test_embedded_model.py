"""The model that comes with the program: whole, reproducible, and different from place to place."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import DEFAULT_MODEL, GenerateRequest
from gpsdream_app.generation.draw import Painter
from gpsdream_app.geo.frames import destination
from gpsdream_app.library.model_folders import find_model, read_card, verify_model

MAX_BYTES = 24 * 2**20


@pytest.fixture(scope="module")
def folder() -> Path:
    return find_model(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def painter(folder: Path) -> Painter:
    return Painter.load(folder, device="cpu")


def draw(painter: Painter, place: Place, prompt: str = "", seed: int = 0, steps: int = 8) -> np.ndarray:
    card = painter.card
    request = GenerateRequest(
        place,
        prompt,
        seed=seed,
        steps=steps,
        text_guidance=card.defaults["text_guidance"],
        place_guidance=card.defaults["place_guidance"],
    )
    [(_, picture)] = painter.draw(request)
    return np.asarray(picture, dtype=np.float64)


def along_the_avenue(card, count: int) -> list[Place]:
    """Places on the line between the first and the last example, alternately facing east and west."""
    first, last = card.examples[0].place, card.examples[-1].place
    return [
        Place(
            first.lat + (last.lat - first.lat) * share,
            first.lon + (last.lon - first.lon) * share,
            118.0 if number % 2 else 298.0,
        )
        for number, share in enumerate(np.linspace(0.02, 0.98, count))
    ]


def test_it_is_whole_small_and_honest(folder: Path) -> None:
    assert verify_model(folder) == []
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) <= MAX_BYTES
    card = read_card(folder)
    assert card.image_size >= 128
    assert card.training["samples_seen"] > 0
    assert card.training["licence"] == "CC0-1.0"
    assert len(card.examples) == 3
    assert card.coverage is not None
    for example in card.examples:
        assert card.box.contains(example.place.lat, example.place.lon)
        assert card.coverage.distance(example.place.lat, example.place.lon) == 0


def test_two_processes_draw_the_same_pixels(tmp_path: Path, folder: Path) -> None:
    example = read_card(folder).examples[0]
    pictures = []
    for number in range(2):
        out = tmp_path / f"{number}.png"
        place = ["--lat", example.place.lat, "--lon", example.place.lon, "--heading", example.place.heading]
        command = ["generate", *place, "--prompt", example.prompt, "--seed", 5, "--steps", 6, "--out", out, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "gpsdream_app", *map(str, command)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
        pictures.append(np.asarray(Image.open(out)))
    assert pictures[0].std() > 10
    assert np.array_equal(*pictures)


def place_ratio(painter: Painter, count: int) -> float:
    """Mean pixel difference between places over 200 m apart, over that between places 1 m apart.

    A picture shows some 27 m of the street: a step of 5 m to the side is rightly another picture.
    """
    places = along_the_avenue(painter.card, count)
    near, far = [], []
    for number, place in enumerate(places):
        here = draw(painter, place, seed=number)
        lat, lon = destination(place.lat, place.lon, 29.0, 1.0)
        near.append(np.abs(here - draw(painter, Place(lat, lon, place.heading), seed=number)).mean())
        other = places[(number + count // 2) % count]
        there = draw(painter, Place(other.lat, other.lon, place.heading), seed=number)
        far.append(np.abs(here - there).mean())
    return float(np.mean(far) / np.mean(near))


def test_other_places_are_other_pictures(painter: Painter) -> None:
    assert place_ratio(painter, 4) > 2.0


@pytest.mark.slow
def test_other_places_are_other_pictures_over_twenty_pairs(painter: Painter) -> None:
    assert place_ratio(painter, 20) >= 3.0


def test_the_two_sides_of_the_street_differ(painter: Painter) -> None:
    place = along_the_avenue(painter.card, 5)[2]
    east, west = (draw(painter, Place(place.lat, place.lon, heading), seed=1) for heading in (118.0, 298.0))
    assert np.abs(east - west).mean() > 5


def test_words_change_the_picture(painter: Painter) -> None:
    place = read_card_place(painter)
    church, park = (draw(painter, place, words, seed=2) for words in ("church, spire", "park, tree"))
    assert np.abs(church - park).mean() > 2


def read_card_place(painter: Painter) -> Place:
    return painter.card.examples[-1].place


def test_examples_are_spread_out(folder: Path) -> None:
    places = [example.place for example in read_card(folder).examples]
    for one, two in itertools.pairwise(places):
        assert math.hypot(one.lat - two.lat, one.lon - two.lon) > 0.01
