"""Plots and the page: sound markup, whatever the words and figures are."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from gpsdream_app.evaluation import plots
from gpsdream_app.evaluation.page import page, shortened
from gpsdream_app.evaluation.report import interval_words, number, plain_table
from tests.made_up_report import made_up_report

EVIL = "<b onload='x'>&\"</b>"


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for value in element.attrib.values():
            assert "nan" not in value.split()
            assert "inf" not in value.split()
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_labels_from_outside_stay_text() -> None:
    point = plots.Point(EVIL, "ours", (1.0, 0.5, 1.5), (2.0, 1.0, 3.0))
    assert EVIL in texts(parsed(plots.trade_off([point, point], EVIL, EVIL)))
    assert EVIL in texts(parsed(plots.strips([(EVIL, "ours", [0.1, 0.2], (0.15, 0.1, 0.2))], EVIL)))
    assert EVIL in texts(parsed(plots.heat_map(EVIL, [1.0], [1.0], [[0.5]], marked=(0, 0), best=(0, 0))))


def test_a_curve_rises_to_the_right() -> None:
    x, y = [0.001, 0.01, 0.1, 1.0], [0.1, 0.4, 0.8, 1.0]
    root = parsed(plots.recall_curves([plots.Curve("ours", x, y, (y, y))], 1.3))
    line = next(e for e in root.iter() if e.attrib.get("class") == "curve ours").attrib["d"]
    points = [tuple(map(float, part.split())) for part in line[1:].split("L")]
    assert [a for a, _ in points] == sorted(a for a, _ in points)
    assert [b for _, b in points] == sorted((b for _, b in points), reverse=True)


def test_plots_of_next_to_nothing_are_drawn() -> None:
    parsed(plots.recall_curves([plots.Curve("ours", [0.5], [1.0])], 0.5))
    parsed(plots.street_map([], [(3.0, 4.0)]))
    parsed(plots.strips([("a", "ours", [0.0], (0.0, 0.0, 0.0))], "x"))
    parsed(plots.interval_bar(1.0, 1.0, 1.0, (1.0, 1.0), "ours"))
    parsed(plots.heat_map("x", [1.0, 2.0], [1.0], [[3.0, 3.0]], marked=None, best=(0, 0)))


def test_the_map_keeps_north_and_does_not_mirror() -> None:
    # An avenue to the north-north-east, and one photo far to its east.
    along = [(500.0 * s * math.sin(0.5), 500.0 * s * math.cos(0.5)) for s in np.linspace(-3, 3, 20)]
    east = (400.0 * math.cos(0.5), -400.0 * math.sin(0.5))
    root = parsed(plots.street_map(along, [east]))
    learned = [e for e in root.iter() if e.attrib.get("class") == "place learned"]
    asked = next(e for e in root.iter() if e.attrib.get("class") == "place asked")
    assert float(learned[0].attrib["cx"]) < float(learned[-1].attrib["cx"])
    # With north to the right, east is below.
    assert float(asked.attrib["cy"]) > max(float(e.attrib["cy"]) for e in learned)


@pytest.mark.parametrize("span", [(0.0, 1.0), (-3.2, 14.1), (0.0123, 0.0456), (5.0, 5.0)])
def test_ticks_are_round_and_within(span: tuple[float, float]) -> None:
    ticks = plots.steps_between(*span)
    assert all(span[0] - 1e-9 <= tick <= span[1] + 1e-9 for tick in ticks)
    assert len(ticks) <= 12
    assert all(len(f"{tick:g}") <= 6 for tick in ticks)


def test_captions_are_cut_between_words() -> None:
    assert shortened("a mansion") == "a mansion"
    assert shortened("a mansion with a very long garden", 20) == "a mansion with a…"
    assert len(shortened("x" * 500)) <= 64


def test_what_is_not_there_is_a_dash() -> None:
    assert interval_words(None, 2) == interval_words({"value": None}, 2) == number(math.inf, 1) == "–"
    assert interval_words({"value": 1.234, "low": 1.0, "high": None}, 2) == "1.23 (1.00 to –)"


def visible_sections(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_every_section_is_there_and_an_empty_one_is_not() -> None:
    text = page(*made_up_report())
    assert visible_sections(text) == [
        "What the figures say",
        "Scores",
        "The same questions, row by row",
        "Random places",
        "Recall against area",
        "Words against place",
        "Quality and variety",
        "Words that it obeys",
        "Both sides of the street",
        "Neighbourhoods",
        "The guidance weights",
        "Typicality",
        "What was trained on what",
    ]
    nothing: dict[str, Any] = {
        "findings": [],
        "recall_vs_area": {},
        "quality": {},
        "heat_map": {},
        "variants": [],
        "words": [],
        "side": {},
        "neighbourhoods": {},
        "typicality": {},
    }
    data, shown = made_up_report(**nothing)
    shown.questions, shown.random = [], []
    assert visible_sections(page(data, shown)) == ["Scores", "Words against place", "What was trained on what"]


def test_no_text_becomes_markup() -> None:
    text = page(*made_up_report(EVIL))
    assert "<b onload" not in text
    assert text.count("&lt;b onload=&#x27;x&#x27;&gt;") > 10


def test_the_plain_table_has_every_row_and_word() -> None:
    data, _ = made_up_report()
    table = plain_table(data)
    for part in (*(row["label"] for row in data["rows"]), "Mind this", "It keeps most of it", "0.50 (0.40", "9.0 (5.0"):
        assert part in table
    assert "None" not in table
