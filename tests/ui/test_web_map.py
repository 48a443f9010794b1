"""The map to share, opened in a browser: it asks for nothing but itself, and shows what people wrote as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QCoreApplication, QEvent, QUrl
from PySide6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.export.averages import GridItem, web_map
from gpsdream_app.export.web_map import export_web_map
from gpsdream_app.geo.city import load_city
from gpsdream_app.library.picture_metadata import save_png

PATIENCE = 60_000
HOSTILE = (
    "</script><script>window.bad=1</script>"
    "<img src='https://example.org/x.png' onerror='window.bad=2'>\"';\u202e\0{{7*7}}{% for x in () %}{#"
)


class Listener(QWebEngineUrlRequestInterceptor):
    """Notes every request, and lets it pass, so that one which should not be made shows."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        self.asked.append(info.requestUrl().toString()[:200])


class Page(QWebEnginePage):
    """Notes what the page complains about."""

    def __init__(self, profile: QWebEngineProfile, parent: QWebEngineView) -> None:
        super().__init__(profile, parent)
        self.said: list[str] = []

    def javaScriptConsoleMessage(self, level: Any, message: str, line: int, source: str) -> None:
        self.said.append(message)


@pytest.fixture
def opened(qtbot: QtBot) -> Callable[[Path], tuple[Page, Listener, Callable[[str], Any]]]:
    """Open a file in a browser of its own; returns the page, what it asked for, and a way to run a script in it."""

    def open_file(path: Path) -> tuple[Page, Listener, Callable[[str], Any]]:
        view = QWebEngineView()
        qtbot.addWidget(view)
        profile, listener = QWebEngineProfile(), Listener()
        profile.setUrlRequestInterceptor(listener)
        page = Page(profile, view)
        view.setPage(page)
        view.resize(900, 700)
        view.show()
        kept.append((view, page, listener, profile))
        with qtbot.waitSignal(page.loadFinished, timeout=PATIENCE) as loaded:
            view.load(QUrl.fromLocalFile(str(path)))
        assert loaded.args == [True]

        def run(script: str) -> Any:
            found: list[Any] = []
            page.runJavaScript(f"JSON.stringify({script})", found.append)
            qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE)
            return json.loads(found[0]) if found[0] else None

        return page, listener, run

    kept: list[Any] = []
    yield open_file  # type: ignore[misc]
    for _, page, _, _ in kept:
        # Before its profile, or WebEngine warns.
        page.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def item(title: str, east: float, photos_line: str = "3 photos") -> GridItem:
    corners = ((40.75, -73.98), (40.75, -73.97), (40.76, -73.97), (40.76, -73.98))
    region = Region("r", RegionKind.DRAWN, ((tuple((lat, lon + east) for lat, lon in corners),),))
    return GridItem(title, photos_line, Image.new("RGB", (64, 64), (200, 30, 30)), region)


def test_no_request_leaves_the_page(
    qtbot: QtBot, tmp_path: Path, opened: Callable[[Path], tuple[Page, Listener, Callable[[str], Any]]]
) -> None:
    city = load_city("manhattan")
    out = tmp_path / "map of averages.html"
    web_map([item("Midtown", 0.0), item(HOSTILE, 0.02, HOSTILE)], out, city, title=HOSTILE, note=HOSTILE)
    page, listener, run = opened(out)
    qtbot.waitUntil(lambda: run("document.querySelectorAll('.standing img').length") == 2, timeout=PATIENCE)
    # The pictures have come, from the page itself.
    qtbot.waitUntil(lambda: run("[...document.querySelectorAll('.standing img')].every(i => i.naturalWidth === 64)"))
    assert run("document.querySelectorAll('.leaflet-interactive').length") >= 2
    assert run("document.querySelector('.leaflet-control-attribution').innerText") == city.attribution
    # A marker opens its card, by the keyboard too; what stands in it is text.
    marker = "document.querySelectorAll('.leaflet-marker-icon')[1]"
    run(f"({marker}.focus(), {marker}.dispatchEvent(new KeyboardEvent('keypress', {{keyCode: 13, bubbles: true}})), 1)")
    run(f"({marker}.click(), 1)")
    qtbot.waitUntil(lambda: run("document.querySelectorAll('.card h2').length") == 1, timeout=PATIENCE)
    shown = run("document.querySelector('.card h2').textContent")
    assert shown.startswith("</script><script>window.bad=1</script><img src=")
    assert shown.endswith("{{7*7}}{% for x in () %}{#")
    assert run("document.querySelector('.heading h1').textContent") == shown
    assert run("document.title") == shown
    assert run("typeof window.bad") == "undefined"
    # Zooming draws the pictures anew, and fetches nothing.
    run("(map_gpsdream.setZoom(15, {animate: false}), 1)")
    qtbot.waitUntil(lambda: run("document.querySelector('.standing').style.width") == "132px", timeout=PATIENCE)
    elsewhere = [url for url in listener.asked if not url.startswith("data:")]
    assert elsewhere == [QUrl.fromLocalFile(str(out)).toString()]
    assert page.said == []


def test_the_listener_would_have_heard_it(
    qtbot: QtBot, tmp_path: Path, opened: Callable[[Path], tuple[Page, Listener, Callable[[str], Any]]]
) -> None:
    out = tmp_path / "leaky.html"
    (tmp_path / "other.css").write_text("", encoding="utf-8")
    out.write_text('<link rel="stylesheet" href="other.css"><p>leaky</p>', encoding="utf-8")
    _, listener, _ = opened(out)
    assert len(listener.asked) == 2


def test_results_stand_where_they_were_drawn(
    qtbot: QtBot, tmp_path: Path, opened: Callable[[Path], tuple[Page, Listener, Callable[[str], Any]]]
) -> None:
    def make(number: int, lat: float, name: str) -> Result:
        path = tmp_path / f"{number}.png"
        request = GenerateRequest(Place(lat, -73.99, 29.0, name), HOSTILE, seed=number)
        created = "2026-11-20T10:00:00+00:00"
        result = Result(
            f"{number:032x}", "job", request, str(path), created, 1.0, HOSTILE, "ab" * 8, "0.1.0", 64, 64, 900.0
        )
        save_png(Image.new("RGB", (64, 64), (200, 30, 30)), path, result)
        return result

    out = tmp_path / "map of results.html"
    # Two at the very same place, one a kilometre away.
    results = [make(1, 40.74, HOSTILE), make(2, 40.74, "Second"), make(3, 40.75, "Third")]
    export_web_map(results, out, load_city("manhattan"), title=HOSTILE)
    page, listener, run = opened(out)
    marks = "document.querySelectorAll('.leaflet-marker-icon')"
    qtbot.waitUntil(lambda: run(f"{marks}.length") == 2, timeout=PATIENCE)
    assert run("document.querySelector('.count').textContent") == "2"
    # Whoever goes by keyboard opens the pile as well, and turns from one picture to the next.
    pile = "document.querySelector('.count').closest('.leaflet-marker-icon')"
    run(f"({pile}.focus(), {pile}.dispatchEvent(new KeyboardEvent('keypress', {{key: 'Enter', bubbles: true}})), 1)")
    qtbot.waitUntil(lambda: run("document.querySelectorAll('.card h2').length") == 1, timeout=PATIENCE)
    shown = run("document.querySelector('.card h2').textContent")
    assert shown.startswith("</script><script>window.bad=1</script><img src=")
    assert run("document.querySelector('.turn span').textContent") == "1 of 2"
    run("(document.querySelectorAll('.turn button')[1].click(), 1)")
    assert run("document.querySelector('.card h2').textContent") == "Second"
    assert run("document.querySelector('.turn span').textContent") == "2 of 2"
    assert run("document.activeElement.getAttribute('aria-label')") == "Next"
    assert run("document.querySelector('.card p').textContent") == "900 m from the nearest photo"
    # From further away all three are one.
    run("(map_gpsdream.closePopup(), map_gpsdream.setZoom(10, {animate: false}), 1)")
    qtbot.waitUntil(lambda: run(f"{marks}.length") == 1, timeout=PATIENCE)
    run(f"({marks}[0].click(), 1)")
    qtbot.waitUntil(lambda: run(f"{marks}.length") == 2, timeout=PATIENCE)
    assert run("typeof window.bad") == "undefined"
    elsewhere = [url for url in listener.asked if not url.startswith("data:")]
    assert elsewhere == [QUrl.fromLocalFile(str(out)).toString()]
    assert page.said == []
