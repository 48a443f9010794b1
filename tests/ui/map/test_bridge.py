"""What the page may say, and that nonsense goes no further."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.map.bridge import LONGEST_ERROR, MOST_CORNERS, Bridge

TRIANGLE = [[40.0, -74.0], [41.0, -74.0], [41.0, -73.0]]
GOOD: list[tuple[str, tuple[Any, ...], str, list[Any]]] = [
    ("picked", (40.5, -73), "place_picked", [40.5, -73.0]),
    ("heading", (450,), "heading_picked", [90.0]),
    ("heading", (-1e-17,), "heading_picked", [0.0]),
    ("heading", (None,), "heading_cleared", []),
    ("resultClicked", ("abc",), "result_clicked", ["abc"]),
    ("exampleClicked", (2.0,), "example_clicked", [2]),
    ("viewChanged", (40, -74, 12.25), "view_changed", [40.0, -74.0, 12.25]),
    ("regionClicked", ("abc",), "region_clicked", ["abc"]),
    ("regionHovered", ("",), "region_hovered", [""]),
    ("drawn", ("line", [[40, -74], [41, -74]]), "region_drawn", ["line", [[40.0, -74.0], [41.0, -74.0]]]),
    ("drawn", ("polygon", TRIANGLE), "region_drawn", ["polygon", TRIANGLE]),
    ("edited", ("abc", [[TRIANGLE], [TRIANGLE]]), "region_edited", ["abc", [[TRIANGLE], [TRIANGLE]]]),
    ("drafted", ("polygon", []), "tool_drafted", ["polygon", []]),
    ("drafted", ("edit", [[TRIANGLE]]), "tool_drafted", ["edit", [[TRIANGLE]]]),
    ("toolEnded", (), "tool_ended", []),
    ("pageError", ("x" * 9999, True), "page_failed", ["x" * LONGEST_ERROR, True]),
    ("pageError", (None, "yes"), "page_failed", ["None", False]),
]
BAD: list[tuple[str, tuple[Any, ...]]] = [
    ("picked", (91, 0)),
    ("picked", (0, 181)),
    ("picked", (math.nan, 0)),
    ("picked", ("40", "-73")),
    ("picked", (None, None)),
    ("picked", (True, False)),
    ("picked", ([1], {})),
    ("heading", (math.inf,)),
    ("heading", ("north",)),
    ("resultClicked", ("",)),
    ("resultClicked", ("x" * 201,)),
    ("resultClicked", (5,)),
    ("exampleClicked", (-1,)),
    ("exampleClicked", (0.5,)),
    ("exampleClicked", ("0",)),
    ("regionClicked", ("",)),
    ("regionClicked", ("x" * 201,)),
    ("regionHovered", (None,)),
    ("drawn", ("circle", TRIANGLE)),
    ("drawn", ("edit", TRIANGLE)),
    ("drawn", (["polygon"], TRIANGLE)),
    ("drawn", ("polygon", TRIANGLE[:2])),
    ("drawn", ("rectangle", TRIANGLE)),
    ("drawn", ("polygon", [*TRIANGLE, [91, 0]])),
    ("drawn", ("polygon", [*TRIANGLE, [math.nan, 0]])),
    ("drawn", ("polygon", [*TRIANGLE, [0, 0, 0]])),
    ("drawn", ("polygon", [*TRIANGLE, "40"])),
    ("drawn", ("polygon", {"length": 3})),
    ("drawn", ("line", [[0, 0]] * (MOST_CORNERS + 1))),
    ("edited", ("", [[TRIANGLE]])),
    ("edited", ("abc", [TRIANGLE])),
    ("edited", ("abc", [])),
    ("edited", ("abc", [[]])),
    ("edited", ("abc", [[TRIANGLE * 5000], [TRIANGLE * 5000]])),
    ("drafted", ("edit", [])),
    ("drafted", (None, [])),
    ("viewChanged", (0, 0, -1)),
    ("viewChanged", (0, 0, None)),
]


@pytest.mark.parametrize(("slot", "values", "signal", "expected"), GOOD)
def test_sense_becomes_a_signal(
    qtbot: QtBot, slot: str, values: tuple[Any, ...], signal: str, expected: list[Any]
) -> None:
    bridge = Bridge()
    with qtbot.waitSignal(getattr(bridge, signal)) as blocker:
        getattr(bridge, slot)(*values)
    assert blocker.args == expected


@pytest.mark.parametrize(("slot", "values"), BAD)
def test_nonsense_is_logged_and_dropped(
    qtbot: QtBot, caplog: pytest.LogCaptureFixture, slot: str, values: tuple[Any, ...]
) -> None:
    bridge = Bridge()
    said: list[object] = []
    for name in {signal for _, _, signal, _ in GOOD}:
        getattr(bridge, name).connect(lambda *_: said.append(1))
    getattr(bridge, slot)(*values)
    assert not said
    assert f"called {slot}" in caplog.text
