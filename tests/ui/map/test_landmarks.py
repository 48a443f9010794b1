"""Landmarks on the real map page: marks that are clicked, outlines true to scale."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.ui.map.view import MapView

from .conftest import MakeDriver
from .driver import PATIENCE

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
AT = 40.73, -73.99
NAMES = "[...document.querySelectorAll('.landmark-name')].map((name) => name.textContent)"


def block(lat: float, lon: float, half: float) -> list[tuple[float, float]]:
    """The outline of a square of 2 x `half` metres."""
    frame = LocalFrame(lat, lon)
    return [frame.to_degrees(east * half, north * half) for east, north in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


def hall(**changes: Any) -> dict[str, Any]:
    return {"id": "hall", "name": "Old Hall", "lat": AT[0], "lon": AT[1], "heading": 29.0, "height": 40.0, **changes}


def test_a_mark_is_clicked_and_names_stay_text(make_driver: MakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    def prepare(view: MapView) -> None:
        view.set_picking(False)
        view.set_landmarks([hall(chosen=True), {**hall(), "id": "evil", "name": HOSTILE, "lat": AT[0] + 0.004}])

    with caplog.at_level(logging.INFO, "gpsdream_app.ui.map"):
        driver = make_driver(prepare=prepare)
        driver.wait_js("document.querySelectorAll('.landmark').length === 2")
        assert driver.js(NAMES) == ["Old Hall", HOSTILE]
        assert driver.js("document.title") != "owned"
        with driver.qtbot.waitSignal(driver.view.landmark_clicked, timeout=PATIENCE) as blocker:
            driver.click(driver.middle_of(".landmark.chosen svg"))
        assert blocker.args == ["hall"]
    assert [record for record in caplog.records if record.name.startswith("gpsdream_app.ui.map")] == []


def test_an_outline_is_true_to_scale_and_survives_a_reload(make_driver: MakeDriver) -> None:
    def prepare(view: MapView) -> None:
        view.set_landmarks([hall(chosen=True, footprint=block(*AT, 30.0), sector=(85.0, 95.0), photos=[AT])])
        view.fly_to(*AT, 17.0)

    driver = make_driver(prepare=prepare)
    driver.wait_js("document.querySelectorAll('.footprint').length === 1")
    assert driver.js("document.querySelectorAll('.sector').length") == 1
    assert driver.js("document.querySelectorAll('.standpoint').length") == 1
    assert driver.js("document.querySelectorAll('.ring').length") == 3
    driver.qtbot.waitUntil(lambda: driver.at is not None and driver.at[2] == 17.0, timeout=PATIENCE)
    width = driver.js("document.querySelector('.footprint').getBoundingClientRect().width")
    stroke = 4  # pixels, of the line round it
    assert width * driver.metres_per_pixel() == pytest.approx(60.0, abs=stroke * driver.metres_per_pixel())
    driver.view.reload()
    driver.qtbot.waitUntil(lambda: driver.view.is_ready, timeout=PATIENCE)
    driver.wait_js("document.querySelectorAll('.footprint').length === 1")
    driver.view.set_landmarks([])
    driver.wait_js("document.querySelectorAll('.landmark, .footprint, .ring').length === 0")


def test_where_the_city_ends_the_map_says_so(make_driver: MakeDriver) -> None:
    driver = make_driver()
    driver.view.set_landmarks([hall(lat=48.8738, lon=2.295, chosen=True)])
    driver.wait_js("document.getElementById('empty').textContent.startsWith('There is no map of this city')")
    assert driver.js("document.querySelectorAll('.ground').length") == 1
    driver.view.set_landmarks([hall(chosen=True)])
    driver.wait_js("document.getElementById('empty').hidden")
    assert driver.js("document.querySelectorAll('.ground').length") == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"id": ""}, ValueError), ({"lat": 91.0}, GPSDreamError), ({"footprint": [(0.0, 999.0)]}, GPSDreamError)],
)
def test_what_is_no_landmark_is_refused(
    make_driver: MakeDriver, changes: dict[str, Any], error: type[Exception]
) -> None:
    driver = make_driver()
    with pytest.raises(error):
        driver.view.set_landmarks([hall(**changes)])
    with pytest.raises(ValueError, match="same id"):
        driver.view.set_landmarks([hall(), hall()])
