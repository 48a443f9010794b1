"""Drawing while watching: the same picture, and a map for whatever it was told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpsdream_app.domain.explanations import TokenKind
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.generation.draw import DrawingCancelled, Painter
from gpsdream_app.generation.explain import draw_and_watch
from tests.tiny_model import tiny_card, tiny_pipeline

PLACE = Place(40.7411, -73.9897, 118.0)
REQUEST = GenerateRequest(PLACE, "a mansion, trees", steps=3, seed=4)
WORDS = ["a", "mansion", "trees"]


@pytest.fixture(scope="module")
def painter() -> Painter:
    return Painter(tiny_pipeline(), tiny_card())


def test_the_picture_is_the_same(painter: Painter) -> None:
    ((_, image),) = painter.draw(REQUEST)
    assert draw_and_watch(painter, REQUEST).image.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("request_", "labels"),
    [
        (REQUEST, [*WORDS, "longitude", "latitude", "heading"]),
        (replace(REQUEST, place=replace(PLACE, heading=None)), [*WORDS, "longitude", "latitude"]),
        (replace(REQUEST, prompt=""), ["longitude", "latitude", "heading"]),
        (replace(REQUEST, place=None), WORDS),
        (replace(REQUEST, place=None, prompt=""), []),
        (replace(REQUEST, place_guidance=0.0), WORDS),
        (replace(REQUEST, text_guidance=0.0), [*WORDS, "longitude", "latitude", "heading"]),
        (replace(REQUEST, negative_prompt="rain"), [*WORDS, "longitude", "latitude", "heading"]),
    ],
    ids=["all", "no heading", "no words", "no place", "nothing", "place unused", "words unweighted", "negative"],
)
def test_there_is_a_map_for_what_the_picture_was_told(
    painter: Painter, request_: GenerateRequest, labels: list[str]
) -> None:
    watched = draw_and_watch(painter, request_)
    assert [token.label for token in watched.tokens] == labels
    assert sum(token.share for token in watched.tokens) + watched.other_share == pytest.approx(1, abs=1e-4)
    for token in watched.tokens:
        values = [value for row in token.map for value in row]
        assert (min(values), max(values)) == pytest.approx((0, 1), abs=1e-4)
        assert 0 <= token.low <= token.share <= token.high <= 1
    assert all((token.kind is TokenKind.WORD) == (token.label in WORDS) for token in watched.tokens)


def test_without_guidance_at_the_ends_of_the_schedule(painter: Painter) -> None:
    card = replace(painter.card, defaults={**painter.card.defaults, "guidance_interval": [0.3, 0.7]})
    assert len(draw_and_watch(Painter(painter.pipeline, card), REQUEST).tokens) == 6


def test_watching_stops_when_it_is_asked_to(painter: Painter) -> None:
    with pytest.raises(DrawingCancelled):
        draw_and_watch(painter, REQUEST, cancelled=lambda: True)
    assert not any(module._forward_pre_hooks for module in painter.pipeline.unet.modules())
