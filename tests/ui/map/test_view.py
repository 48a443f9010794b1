"""The real map page in a real WebEngine, moved by real events."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import QWebEnginePage
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo.frames import distance
from gpsdream_app.ui.map.scheme import ORIGIN, PAGE_URL, Answer, Router
from gpsdream_app.ui.map.view import MapView
from gpsdream_app.ui.map.web import MapProfile

from .conftest import MakeDriver
from .driver import PATIENCE, Driver, make_city

EXAMPLES = [
    {"name": "Old Town", "lat": 40.722, "lon": -74.002, "heading": 29},
    {"name": "<img src=x onerror=document.title='owned'>", "lat": 40.735, "lon": -73.98, "heading": None},
]
COVERAGE = {"south": 40.72, "west": -74.0, "cell_lat": 0.0005, "cell_lon": 0.0005, "cells": [[0, 0, 5], [2, 1, 80]]}


def metres(first: tuple[float, float], second: tuple[float, float]) -> float:
    return distance(*first, *second)


def test_the_page_stands_without_an_error_or_a_foreign_request(
    make_driver: MakeDriver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(view: MapView) -> None:
        view.set_coverage(COVERAGE)
        view.set_examples(EXAMPLES)
        view.set_results([{"id": "a", "lat": 40.73, "lon": -74.0, "heading": 90, "current": True}])
        view.set_pin(40.731, -73.995, 45)

    requests: list[str] = []
    answer = Router.answer

    def recording_answer(router: Router, url: str) -> Answer | None:
        requests.append(url)
        return answer(router, url)

    monkeypatch.setattr(Router, "answer", recording_answer)
    with caplog.at_level(logging.INFO, "gpsdream_app.ui.map"):
        driver = make_driver(prepare=prepare)
        driver.view.fly_to(40.73, -73.99, 16)
        driver.wait_js("document.querySelectorAll('.pin-body').length === 1")
    assert [record for record in caplog.records if record.name.startswith("gpsdream_app.ui.map")] == []
    assert len(requests) == 18, "page, fifteen files, city and coverage, each once"


def test_the_interceptor_stops_what_is_not_ours(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    profile = MapProfile(Router())
    page = QWebEnginePage(profile)  # without the rules of MapPage
    profile.setParent(page)
    try:
        for url in ("https://example.org/", "http://127.0.0.1:9/", "file:///etc/passwd", PAGE_URL):
            caplog.clear()
            with qtbot.waitSignal(page.loadFinished, timeout=PATIENCE) as blocker:
                page.load(QUrl(url))
            assert blocker.args == [False]
            assert f"to {url}" in caplog.text or f"for {url}" in caplog.text
    finally:
        page.deleteLater()


def test_a_click_picks_the_place_under_the_pointer(driver: Driver) -> None:
    for point in (QPoint(200, 150), QPoint(613, 447)):
        with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE) as blocker:
            driver.click(point)
        assert metres(tuple(blocker.args), driver.place(point)) <= driver.metres_per_pixel()
    driver.wait_js("document.querySelectorAll('.pin-body').length === 1")


def test_the_pin_can_be_dragged(driver: Driver) -> None:
    driver.view.set_pin(40.73, -73.99, 120)
    driver.wait_js("document.querySelectorAll('.pin-body').length === 1")
    start = driver.position(40.73, -73.99)
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE) as blocker:
        driver.drag(start + QPoint(0, -20), start + QPoint(90, 60))
    assert metres(tuple(blocker.args), driver.place(start + QPoint(90, 80))) <= 4 * driver.metres_per_pixel()


@pytest.mark.parametrize(("step", "heading"), [((60, 0), 90), ((0, 60), 180), ((-50, -50), 315)])
def test_dragging_the_handle_turns_the_view(driver: Driver, step: tuple[int, int], heading: float) -> None:
    driver.view.set_pin(40.73, -73.99)
    driver.wait_js("document.querySelectorAll('.handle').length === 1")
    centre = driver.position(40.73, -73.99)
    said: list[float] = []
    driver.view.heading_picked.connect(said.append)
    driver.drag(driver.middle_of(".handle-knob"), centre + QPoint(*step))
    driver.qtbot.waitUntil(lambda: bool(said) and abs(said[-1] - heading) <= 2, timeout=PATIENCE)


def test_a_double_click_on_the_handle_forgets_the_direction(driver: Driver) -> None:
    driver.view.set_pin(40.73, -73.99, 200)
    driver.wait_js("document.querySelectorAll('.pin svg:not(.no-heading)').length === 1")
    with driver.qtbot.waitSignal(driver.view.heading_cleared, timeout=PATIENCE):
        driver.double_click(driver.middle_of(".handle-knob"))
    assert driver.js("document.querySelector('.pin svg').classList.contains('no-heading')")


def test_a_right_drag_stands_here_and_looks_there(driver: Driver) -> None:
    picked: list[tuple[float, float]] = []
    headings: list[float] = []
    driver.view.place_picked.connect(lambda lat, lon: picked.append((lat, lon)))
    driver.view.heading_picked.connect(headings.append)
    driver.drag(QPoint(300, 300), QPoint(300, 400), Qt.MouseButton.RightButton)
    driver.qtbot.waitUntil(lambda: bool(picked and headings and headings[-1] == 180), timeout=PATIENCE)
    assert len(picked) == 1
    assert metres(picked[0], driver.place(QPoint(300, 300))) <= driver.metres_per_pixel()


def test_examples_and_results_take_clicks(make_driver: MakeDriver) -> None:
    driver = make_driver(prepare=lambda view: view.set_examples(EXAMPLES))
    driver.wait_js("document.querySelectorAll('.lamp').length === 2")
    with driver.qtbot.waitSignal(driver.view.example_clicked, timeout=PATIENCE) as blocker:
        driver.click(driver.position(40.735, -73.98))
    assert blocker.args == [1]

    results = [
        {"id": "first", "lat": 40.725, "lon": -73.995, "heading": 10, "current": False},
        {"id": "second", "lat": 40.728, "lon": -73.985, "heading": None, "current": True},
    ]
    picked: list[object] = []
    driver.view.place_picked.connect(lambda *_: picked.append(1))
    driver.view.set_results(results)
    driver.js("1")
    QTest.qWait(100)
    for result in results:
        with driver.qtbot.waitSignal(driver.view.result_clicked, timeout=PATIENCE) as blocker:
            driver.click(driver.position(result["lat"], result["lon"]))
        assert blocker.args == [result["id"]]
    assert not picked


def test_cards_keep_clear_of_the_hint_and_the_controls(make_driver: MakeDriver) -> None:
    driver = make_driver()
    low = [driver.place(QPoint(x, 498)) for x in (250, 700)]
    driver.view.set_examples(
        [{"name": "A corner far down", "lat": lat, "lon": lon, "heading": None} for lat, lon in low]
    )
    driver.wait_js("document.querySelectorAll('.card').length === 2 && !document.getElementById('hint').hidden")
    overlaps = driver.js(
        "[...document.querySelectorAll('.card')].map(card => card.getBoundingClientRect()).flatMap(a => "
        "['hint', 'zoom'].map(id => document.getElementById(id).getBoundingClientRect())"
        ".filter(b => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length"
    )
    assert overlaps == 0
    hint, lamp = driver.middle_of("#hint"), driver.middle_of(".lamp")
    assert abs(hint.y() - lamp.y()) < 60, "the lamp stands where its card would reach the hint"


def test_a_small_map_begins_where_all_examples_are_in_sight(make_driver: MakeDriver) -> None:
    apart = [{"name": name, "lat": lat, "lon": -73.99, "heading": None} for name, lat in (("A", 40.7), ("B", 40.76))]
    driver = make_driver(prepare=lambda view: view.set_examples(apart))
    driver.wait_js(
        "[...document.querySelectorAll('.lamp')].map(lamp => lamp.getBoundingClientRect())"
        ".every(box => box.top > 40 && box.bottom < document.getElementById('hint').getBoundingClientRect().top)"
    )


def test_a_place_is_brought_in_sight_only_if_it_is_not(make_driver: MakeDriver) -> None:
    driver = make_driver()
    views: list[tuple[float, float, float]] = []
    driver.view.view_changed.connect(lambda *view: views.append(view))
    driver.view.reveal(40.731, -73.992)
    driver.view.reveal(40.755, -73.95)
    driver.qtbot.waitUntil(lambda: bool(views), timeout=PATIENCE)
    lat, lon, zoom = views[0]
    assert metres((lat, lon), (40.755, -73.95)) < 20
    assert zoom == 14


def test_an_example_gives_way_to_the_pin(make_driver: MakeDriver) -> None:
    driver = make_driver(prepare=lambda view: view.set_examples(EXAMPLES))
    hidden = "[...document.querySelectorAll('.example-body')].map(body => body.offsetParent === null)"
    driver.view.set_pin(40.722, -74.002, 29)
    driver.wait_js(f"{hidden}.join() === 'true,false'")
    driver.view.set_pin(40.73, -74.0, None)
    driver.wait_js(f"{hidden}.join() === 'false,false'")


def test_names_stay_text(make_driver: MakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    bad = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    city = make_city(attribution=bad, name=bad)
    for layer in city["layers"].values():
        for item in layer["features"]:
            item["properties"]["name"] = bad

    def prepare(view: MapView) -> None:
        view.set_examples([{"name": bad, "lat": 40.73, "lon": -73.99, "heading": None}])
        view.set_results([{"id": bad, "lat": 40.72, "lon": -73.99, "heading": None, "current": False}])

    driver = make_driver(city, prepare=prepare)
    driver.view.fly_to(40.73, -73.99, 17)
    driver.wait_js("document.querySelectorAll('.card b').length === 1")
    assert driver.js("document.querySelectorAll('img, body script:not([src])').length") == 0
    assert driver.js("document.querySelector('.card b').textContent") == bad
    assert driver.js("document.getElementById('attribution').textContent").startswith(bad)
    assert driver.js("document.title") == "Map"
    refused = "(() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } })()"
    assert driver.js(refused), "the browser itself refuses text as HTML"


@pytest.mark.parametrize(
    "url",
    [
        f"{ORIGIN}/../../etc/passwd",
        f"{ORIGIN}/%2e%2e/%2e%2e/etc/passwd",
        f"{ORIGIN}/leaflet/..%2f..%2f__init__.py",
        "gpsdream://other/map.html",
        "file:///etc/passwd",
        "https://example.org/",
    ],
)
def test_the_page_reaches_nothing_else(driver: Driver, url: str) -> None:
    driver.js(
        f"(window.answer = '', fetch({url!r}).then(r => r.ok, () => false).then(ok => window.answer = `${{ok}}`), 1)"
    )
    driver.wait_js("window.answer")
    assert driver.js("window.answer") == "false"


def test_the_theme_can_change(driver: Driver) -> None:
    corner = "[...document.querySelector('.leaflet-city-pane canvas').getContext('2d').getImageData(1, 1, 1, 1).data]"
    light = driver.js(corner)
    driver.view.set_theme("dark")
    driver.wait_js("document.documentElement.dataset.theme === 'dark'")
    dark = driver.js(corner)
    assert sum(light[:3]) > 500 and sum(dark[:3]) < 150
    with pytest.raises(ValueError, match="theme"):
        driver.view.set_theme("sepia")


def test_a_dark_page_is_dark_from_its_first_frame(make_driver: MakeDriver) -> None:
    driver = make_driver(theme="dark")
    assert driver.js("document.documentElement.dataset.theme") == "dark"
    assert driver.js("getComputedStyle(document.body).backgroundColor") == "rgb(19, 26, 35)"


def test_keys_pick_the_middle_and_move_the_pin(driver: Driver) -> None:
    driver.target.setFocus()
    driver.js("document.getElementById('map').focus()")
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE) as blocker:
        QTest.keyClick(driver.target, Qt.Key.Key_Return)
    centre = tuple(blocker.args)
    assert driver.at is not None
    assert metres(centre, driver.at[:2]) <= driver.metres_per_pixel()
    driver.js("document.querySelector('.pin-body').focus()")
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE) as blocker:
        QTest.keyClick(driver.target, Qt.Key.Key_Up)
    assert blocker.args[0] > centre[0] and blocker.args[1] == pytest.approx(centre[1])
    driver.js("document.querySelector('.handle').focus()")
    with driver.qtbot.waitSignal(driver.view.heading_picked, timeout=PATIENCE) as blocker:
        QTest.keyClick(driver.target, Qt.Key.Key_Right)
    assert blocker.args == [5.0]
    with driver.qtbot.waitSignal(driver.view.heading_cleared, timeout=PATIENCE):
        QTest.keyClick(driver.target, Qt.Key.Key_Delete)


def test_dragging_the_map_moves_it_and_picks_nothing(driver: Driver) -> None:
    picked: list[object] = []
    driver.view.place_picked.connect(lambda *_: picked.append(1))
    before = driver.at
    assert before is not None
    with driver.qtbot.waitSignal(driver.view.view_changed, timeout=PATIENCE):
        driver.drag(QPoint(400, 300), QPoint(250, 300))
    assert driver.at is not None and driver.at[1] > before[1]
    QTest.qWait(200)
    assert not picked


@pytest.mark.parametrize("size", [(800, 600), (823, 611)])
def test_the_drawing_lies_on_whole_pixels(driver: Driver, size: tuple[int, int]) -> None:
    driver.view.resize(*size)
    for lat, zoom in ((40.731234, 14), (40.7267891, 15.25)):
        driver.view.fly_to(lat, -73.98765, zoom)
        driver.qtbot.waitUntil(lambda at=(lat, -73.98765, zoom): driver.at == pytest.approx(at, abs=1e-4))
        left, top, scale = driver.js(
            "(m => [m.e, m.f, m.a])(new DOMMatrix(document.querySelector('.leaflet-city-pane canvas').style.transform))"
        )
        assert (left % 1, top % 1, scale) == (0, 0, 1)


def test_a_flight_arrives_and_the_pin_drops(driver: Driver) -> None:
    driver.view.set_reduced_motion(False)
    driver.view.fly_to(40.745, -74.01, 16)
    driver.qtbot.waitUntil(lambda: driver.at == pytest.approx((40.745, -74.01, 16), abs=1e-4), timeout=PATIENCE)
    driver.view.set_pin(40.745, -74.01, 15)
    driver.wait_js("document.querySelector('.pin svg')?.classList.contains('dropping')")
    driver.view.fly_to(48.8566, 2.3522)  # typed coordinates may lie in another city
    driver.qtbot.waitUntil(lambda: driver.at == pytest.approx((48.8566, 2.3522, 16), abs=1e-4), timeout=PATIENCE)
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE) as blocker:
        driver.click(QPoint(100, 100))
    assert metres(tuple(blocker.args), driver.place(QPoint(100, 100))) <= driver.metres_per_pixel()


class Browser(QObject):
    """Stands in for the system's browser."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toString())


def test_links_open_in_the_systems_browser(driver: Driver) -> None:
    browser = Browser()
    QDesktopServices.setUrlHandler("https", browser, "open")
    try:
        assert driver.js("[...document.querySelectorAll('#attribution a')].map(a => a.href)") == [
            "https://example.org/map",
            "https://leafletjs.com/",
        ]
        driver.click(driver.middle_of("#attribution a"))
        driver.qtbot.waitUntil(lambda: browser.opened == ["https://example.org/map"], timeout=PATIENCE)
    finally:
        QDesktopServices.unsetUrlHandler("https")
    assert driver.view.page is not None and driver.view.page.url().toString().startswith(ORIGIN)


def test_the_page_cannot_be_led_away(driver: Driver) -> None:
    driver.js("(location.href = 'https://example.org/', 1)")
    QTest.qWait(300)
    assert driver.js("document.querySelectorAll('#map .leaflet-city-pane canvas').length") == 1


def test_an_empty_city_gives_a_sentence_and_still_takes_clicks(make_driver: MakeDriver) -> None:
    driver = make_driver({})
    assert "no map of this city" in driver.js("document.getElementById('empty').textContent")
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE):
        driver.click(QPoint(300, 200))


def test_a_dead_renderer_leaves_a_sentence_and_comes_back_with_everything(make_driver: MakeDriver) -> None:
    def prepare(view: MapView) -> None:
        view.set_examples(EXAMPLES)

    driver = make_driver(prepare=prepare)
    view = driver.view
    with driver.qtbot.waitSignal(view.place_picked, timeout=PATIENCE) as blocker:
        driver.click(QPoint(250, 250))
    with driver.qtbot.waitSignal(view.view_changed, timeout=PATIENCE):
        view.fly_to(40.715, -74.005, 15)
    stood = driver.at
    assert view.page is not None
    with driver.qtbot.waitSignal(view.failed, timeout=PATIENCE):
        os.kill(view.page.renderProcessPid(), signal.SIGKILL)
    assert view.shows_panel and not view.is_ready
    assert "stopped working" in view._sentence.text()
    view.set_pin(*blocker.args, 270)  # said while there is no page
    with driver.qtbot.waitSignal(view.ready, timeout=PATIENCE):
        driver.qtbot.mouseClick(view._reload, Qt.MouseButton.LeftButton)
    assert not view.shows_panel
    driver.wait_js("document.querySelectorAll('.lamp').length === 2")
    assert driver.js("document.querySelector('.bearing').textContent") == "270° W"
    assert driver.at == pytest.approx(stood, abs=1e-5)


def test_without_webengine_a_sentence_stands_there(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PySide6.QtWebEngineWidgets", None)
    view = MapView()
    qtbot.addWidget(view)
    with qtbot.waitSignal(view.failed, timeout=PATIENCE):
        view.show()
    assert view.shows_panel and "typed coordinates" in view._sentence.text()
    assert not view._reload.isVisible()
    view.set_city(make_city())
    view.set_pin(40.7, -74.0)
    view.set_theme("dark")
    view.fly_to(40.7, -74.0)
    view.reload()


def test_bad_places_are_refused(driver: Driver) -> None:
    for act in (
        lambda: driver.view.set_pin(91, 0),
        lambda: driver.view.fly_to(0, 181),
        lambda: driver.view.set_examples([{"name": "x"}]),
        lambda: driver.view.set_results([{"id": "x", "lat": "north", "lon": 0}]),
    ):
        with pytest.raises(GPSDreamError):
            act()


@pytest.fixture
def broken_city() -> dict[str, Any]:
    city = make_city(id="broken")
    city["layers"]["streets"]["features"][0]["geometry"]["coordinates"] = 5
    return city


def test_a_broken_city_file_gives_a_sentence_and_the_map_goes_on(
    make_driver: MakeDriver, broken_city: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    driver = make_driver(broken_city)
    assert "The map page failed" in caplog.text
    assert "cannot be read" in driver.js("document.getElementById('empty').textContent")
    driver.view.set_city(make_city(id="good"))
    driver.wait_js("document.getElementById('empty').hidden")
    driver.view.set_city(broken_city)
    driver.wait_js("document.getElementById('empty').textContent.includes('cannot be read')")
    assert not driver.view.shows_panel
    with driver.qtbot.waitSignal(driver.view.place_picked, timeout=PATIENCE):
        driver.click(QPoint(300, 200))


def test_a_page_that_cannot_start_gives_a_sentence(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Router.answer

    def answer_without_leaflet(router: Router, url: str) -> Answer | None:
        return Answer("text/javascript", b"") if url.endswith("leaflet.js") else answer(router, url)

    view = MapView()
    qtbot.addWidget(view)
    with monkeypatch.context() as patch, qtbot.waitSignal(view.failed, timeout=PATIENCE) as blocker:
        patch.setattr(Router, "answer", answer_without_leaflet)
        view.show()
    assert "could not be drawn" in blocker.args[0] and view.shows_panel
    assert "The map page failed" in caplog.text
    with qtbot.waitSignal(view.ready, timeout=PATIENCE):
        view.reload()
