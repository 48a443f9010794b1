"""Explanations on their way from one process to another."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Explained, event_from_dict, event_to_dict
from gpsdream_app.domain.explanations import ExplainRequest, Explanation, TokenKind, TokenMap
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS, GenerateRequest

REQUEST = GenerateRequest(Place(40.74, -73.99, 29.0, "Flatiron"), "a church", seed=5)
EXPLANATION = Explanation(
    request=REQUEST,
    picture=b"PNG",
    tokens=(TokenMap("église <b>", TokenKind.WORD, ((0.0, 0.5), (0.25, 1.0)), 0.1, 0.05, 0.2),),
    other_share=0.4,
    location_apart=True,
    typicality=-0.01,
    typicality_error=0.002,
    typicality_rank=0.75,
    places_compared=8,
    typicality_map=((0.0, 1.0),),
    typicality_peak=0.1,
)


@pytest.mark.parametrize(
    "explanation",
    [EXPLANATION, Explanation(GenerateRequest(None), b"PNG", ())],
    ids=["with everything", "without place and words"],
)
def test_an_explanation_survives_the_pipe(explanation: Explanation) -> None:
    data, blob = event_to_dict(Explained(job_id="a", seq=3, explanation=explanation))
    assert blob == b"PNG"
    event = event_from_dict(json.loads(json.dumps(data)), blob)
    assert event == Explained(job_id="a", seq=3, explanation=explanation)


def test_maps_are_rounded_so_that_the_longest_prompt_fits_the_pipe() -> None:
    third = tuple((1 / 3,) * 16 for _ in range(16))
    token = TokenMap("x" * 12, TokenKind.WORD, third, 0.1, 0.05, 0.2)
    longest = replace(EXPLANATION, request=replace(REQUEST, prompt="é" * MAX_PROMPT_CHARACTERS), tokens=(token,) * 78)
    data, _ = event_to_dict(Explained(explanation=longest))
    assert len(json.dumps(data)) < 400_000


@pytest.mark.parametrize("number", [-1, 2, True, "0", None])
def test_a_picture_that_the_request_has_not(number: object) -> None:
    with pytest.raises(GPSDreamError) as error:
        ExplainRequest(replace(REQUEST, count=2), number)  # type: ignore[arg-type]
    assert error.value.failure.kind is ErrorKind.BAD_REQUEST


def test_a_request_names_one_picture() -> None:
    request = ExplainRequest(replace(REQUEST, count=3), 2)
    assert request.one == replace(REQUEST, seed=7)
    assert request.model == REQUEST.model
    assert ExplainRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


@pytest.mark.parametrize("data", [None, [], {}, {"request": 5}, {"request": {"place": None}, "picture": 9}])
def test_what_is_no_request_is_a_sentence(data: object) -> None:
    with pytest.raises(GPSDreamError):
        ExplainRequest.from_dict(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["request", "tokens"])
def test_an_explanation_with_a_gap_is_a_sentence(name: str) -> None:
    data = EXPLANATION.to_dict()
    del data[name]
    with pytest.raises(GPSDreamError, match="incomplete"):
        Explanation.from_dict(data, b"")
