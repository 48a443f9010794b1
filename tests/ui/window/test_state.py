from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_SEED, GenerateRequest
from gpsdream_app.ui.state import FormState

from .rig import FLATIRON, HOSTILE, make_card


@pytest.fixture
def form() -> FormState:
    return FormState()


def test_a_change_is_announced_once_by_its_name(form: FormState) -> None:
    names: list[str] = []
    form.changed.connect(names.append)
    form.prompt = "a church"
    form.prompt = "a church"
    form.steps = 30
    assert names == ["prompt", "steps"]


def test_the_request_holds_everything(form: FormState) -> None:
    form.set_place(FLATIRON)
    form.prompt, form.negative_prompt, form.count, form.steps = "a church", "cars", 3, 12
    form.place_guidance, form.text_guidance, form.model = 1.5, 2.5, "postcards"
    form.seed, form.seed_locked = 42, True
    assert form.next_request() == GenerateRequest(FLATIRON, "a church", "cars", 42, 3, 12, 2.5, 1.5, "postcards")


def test_an_unlocked_seed_is_another_one_each_time(form: FormState) -> None:
    form.prompt = "a church"
    seeds = {form.next_request().seed for _ in range(8)}
    assert len(seeds) > 1
    assert form.seed == form.request().seed


def test_a_locked_seed_stays(form: FormState) -> None:
    form.prompt, form.seed, form.seed_locked = "a church", 7, True
    assert {form.next_request().seed for _ in range(3)} == {7}


def test_neither_place_nor_words_is_a_sentence(form: FormState) -> None:
    failure = form.problem()
    assert failure is not None
    assert failure.kind is ErrorKind.BAD_REQUEST
    assert "neither a place nor a word" in failure.message


def test_a_long_prompt_is_refused_and_kept(form: FormState) -> None:
    form.prompt = "x" * 10_000
    with pytest.raises(GPSDreamError, match="10,000 characters"):
        form.next_request()
    assert len(form.prompt) == 10_000


@pytest.mark.parametrize(
    ("latitude", "longitude", "words"),
    [
        ("91", "-73.99", "Latitude 91 is outside"),
        ("40.7", "-200", "Longitude -200 is outside"),
        ("forty", "-73.99", "“forty” is not a number"),
        ("40.7", "", "longitude is missing"),
        ("nan", "-73.99", "finite"),
    ],
)
def test_what_is_no_place_is_kept_with_a_sentence(form: FormState, latitude: str, longitude: str, words: str) -> None:
    form.set_place(FLATIRON)
    form.prompt = "a church"
    form.type_place(latitude, longitude, "")
    assert form.place is None
    assert form.place_failure is not None
    assert words in form.place_failure.message
    assert (form.latitude_text, form.longitude_text) == (latitude, longitude)
    with pytest.raises(GPSDreamError, match=r"."):
        form.next_request()


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (("40.7411", "-73.9897", ""), Place(40.7411, -73.9897)),
        (("40,7411", "−73,9897", "29°"), Place(40.7411, -73.9897, 29)),
        (("40.7411, -73.9897", "", ""), Place(40.7411, -73.9897)),
    ],
)
def test_what_people_type_is_a_place(form: FormState, texts: tuple[str, str, str], place: Place) -> None:
    form.type_place(*texts)
    assert form.place == place
    assert form.place_failure is None


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        (("91", "-73.9", "118"), ["latitude"]),
        (("40.7", "west", ""), ["longitude"]),
        (("40.7", "-73.9", "up"), ["heading"]),
        (("", "181", "118"), ["latitude", "longitude"]),
        (("40.7", "-73.9", "118"), []),
    ],
)
def test_only_what_is_wrong_is_marked(form: FormState, texts: tuple[str, str, str], wrong: list[str]) -> None:
    form.type_place(*texts)
    assert [name for name in ("latitude", "longitude", "heading") if form.is_wrong(name)] == wrong


def test_emptied_fields_are_no_place_and_no_failure(form: FormState) -> None:
    form.type_place("91", "0", "")
    form.type_place("", "", "")
    assert form.place is None
    assert form.place_failure is None


def test_moving_keeps_the_direction_and_forgets_the_name(form: FormState) -> None:
    form.set_place(FLATIRON)
    form.move_to(40.75, -73.98)
    assert form.place == Place(40.75, -73.98, 119)
    assert form.heading_text == "119"


def test_a_name_comes_too_late_for_a_place_that_moved(form: FormState) -> None:
    form.move_to(40.75, -73.98)
    form.move_to(40.76, -73.97)
    form.name_place(40.75, -73.98, "Fifth Avenue")
    assert form.place == Place(40.76, -73.97)
    form.name_place(40.76, -73.97, "Fifth Avenue")
    assert form.place == Place(40.76, -73.97, None, "Fifth Avenue")


def test_turning_without_a_place_does_nothing(form: FormState) -> None:
    form.turn_to(90)
    assert form.place is None


def test_words_are_added_and_taken_out(form: FormState) -> None:
    form.toggle_word("church")
    form.toggle_word("carriages")
    assert form.prompt == "church, carriages"
    assert form.has_word("Church")
    form.toggle_word("church")
    assert form.prompt == "carriages"
    form.prompt = "a tall church with trees"
    assert not form.has_word("all")
    form.toggle_word("church")
    assert form.prompt == "a tall with trees"


@given(st.text(max_size=40), st.sampled_from(["church", "shop & stable", "c++"]))
def test_a_toggled_word_is_there_or_gone(prompt: str, word: str) -> None:
    form = FormState()
    form.prompt = prompt
    for _ in range(2):
        had = form.has_word(word)
        form.toggle_word(word)
        assert form.has_word(word) is not had


def test_a_request_comes_back_as_it_was(form: FormState) -> None:
    request = GenerateRequest(FLATIRON, HOSTILE, "cars", MAX_SEED, 2, 33, 4.25, 0.75)
    form.restore(request)
    assert form.request() == request
    assert form.next_request() == request


def test_a_remix_has_another_seed(form: FormState) -> None:
    request = GenerateRequest(FLATIRON, "a church", seed=MAX_SEED)
    form.remix(request)
    assert form.next_request().same_but_seed(request)
    assert form.seed != MAX_SEED


def test_the_cards_defaults_are_taken(form: FormState) -> None:
    form.take_defaults(make_card())
    assert (form.steps, form.text_guidance, form.place_guidance) == (4, 3.0, 2.0)
    form.take_defaults(make_card(defaults={"steps": "many", "text_guidance": -1, "place_guidance": float("nan")}))
    assert (form.steps, form.text_guidance, form.place_guidance) == (4, 3.0, 2.0)
