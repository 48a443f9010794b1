"""What the page may say, and that nonsense goes no further."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.map.bridge import LONGEST_ERROR, Bridge

GOOD: list[tuple[str, tuple[Any, ...], str, list[Any]]] = [
    ("picked", (40.5, -73), "place_picked", [40.5, -73.0]),
    ("heading", (450,), "heading_picked", [90.0]),
    ("heading", (-1e-17,), "heading_picked", [0.0]),
    ("heading", (None,), "heading_cleared", []),
    ("resultClicked", ("abc",), "result_clicked", ["abc"]),
    ("exampleClicked", (2.0,), "example_clicked", [2]),
    ("viewChanged", (40, -74, 12.25), "view_changed", [40.0, -74.0, 12.25]),
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
    for name in ("place_picked", "heading_picked", "heading_cleared", "result_clicked", "example_clicked"):
        getattr(bridge, name).connect(lambda *_: said.append(1))
    bridge.view_changed.connect(lambda *_: said.append(1))
    getattr(bridge, slot)(*values)
    assert not said
    assert f"called {slot}" in caplog.text
