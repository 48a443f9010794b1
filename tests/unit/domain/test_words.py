"""Words that a model has not learned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.words import STOP_WORDS, unknown_words

KNOWN = ("mansion", "tree", "park", "row", "house", "church", "people", "story", "Café", "automobile", "glass", "brick")


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("", ()),
        ("a mansion with trees", ()),
        ("A Zeppelin over two Mansions", ("zeppelin",)),
        ("zeppelin, zeppelins and a ZEPPELIN", ("zeppelin",)),
        ("parked automobiles; a row-house's bricks", ()),
        ("churches, stories, glasses, one person", ()),
        ("the cafe and the café’s awning", ("awning",)),
        ("3 trees, 1911, x", ()),
        ("photograph of a picture in front of", ()),
        ("Éléphant <b>bold</b> 象牙", ("éléphant", "bold", "象牙")),
        ("it's the people's dog", ("dog",)),
    ],
)
def test_unknown_words_are_found_in_their_order(prompt: str, unknown: tuple[str, ...]) -> None:
    assert unknown_words(prompt, KNOWN) == unknown


def test_a_model_that_names_no_words_is_not_judged() -> None:
    assert unknown_words("a zeppelin", ()) == ()
    assert unknown_words("a zeppelin", ("", "12")) == ()


@given(st.text(), st.lists(st.text(max_size=8), max_size=4))
def test_any_text_is_read(prompt: str, known: list[str]) -> None:
    found = unknown_words(prompt, known)
    assert len(set(found)) == len(found)
    assert not set(found) & STOP_WORDS
    assert unknown_words(prompt, [*known, *found]) == ()
