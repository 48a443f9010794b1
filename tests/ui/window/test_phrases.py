from __future__ import annotations

import pytest

from gpsdream_app.ui.phrases import (
    distance_text,
    heading_text,
    menu_text,
    one_line,
    photo_distance_text,
    time_left_text,
    tooltip,
)

from .rig import HOSTILE


@pytest.mark.parametrize(
    ("metres", "text"),
    [
        (0.2, "1 m"),
        (8.4, "8 m"),
        (124, "120 m"),
        (994, "990 m"),
        (996, "1.0 km"),
        (1449, "1.4 km"),
        (320_400, "320 km"),
    ],
)
def test_distances(metres: float, text: str) -> None:
    assert distance_text(metres) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.2, "about 1 s"),
        (3.4, "about 3 s"),
        (21, "about 20 s"),
        (100, "about 2 min"),
        (5400, "about 1.5 h"),
    ],
)
def test_times_left(seconds: float | None, text: str) -> None:
    assert time_left_text(seconds) == text


@pytest.mark.parametrize(
    ("heading", "text"), [(None, ""), (0, "looking N, 0°"), (359.9, "looking N, 0°"), (119, "looking SE, 119°")]
)
def test_headings(heading: float | None, text: str) -> None:
    assert heading_text(heading) == text


def test_distances_to_photos() -> None:
    assert photo_distance_text(None) == ""
    assert photo_distance_text(0) == "The model has seen photos here"
    assert photo_distance_text(1200) == "1.2 km from the nearest photo"


def test_tooltips_show_markup_as_it_is() -> None:
    text = tooltip(HOSTILE)
    assert text.startswith("<qt>&lt;img")
    assert "<b>" not in text
    assert tooltip("") == ""


def test_menus_and_lines() -> None:
    assert menu_text("shop & stable") == "shop && stable"
    assert one_line(" two\n lines\t") == "two lines"
