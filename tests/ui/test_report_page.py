"""The page of an evaluation in a real browser engine: it stands, and asks for nothing."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile, QWebEngineUrlRequestInfo
from PySide6.QtWebEngineCore import QWebEngineUrlRequestInterceptor as Interceptor
from pytestqt.qtbot import QtBot

from gpsdream_app.evaluation.page import write_page
from tests.made_up_report import made_up_report

PATIENCE = 20_000  # milliseconds
HOSTILE = (
    "<script>document.title='taken'</script><img src='http://127.0.0.1:9/x'><style>@import url(http://127.0.0.1:9)"
)


class Listener(Interceptor):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        if info.requestUrl().scheme() != "data":
            self.asked.append(info.requestUrl().toString())


def test_the_page_opens_and_asks_for_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(path, *made_up_report(HOSTILE))
    listener, complaints = Listener(), list[str]()
    profile = QWebEngineProfile()
    profile.setUrlRequestInterceptor(listener)

    class Page(QWebEnginePage):
        def javaScriptConsoleMessage(self, level: object, message: str, line: int, source: str) -> None:
            complaints.append(message)

    page = Page(profile)
    url = QUrl.fromLocalFile(str(path))
    with qtbot.waitSignal(page.loadFinished, timeout=PATIENCE) as loaded:
        page.load(url)
    assert loaded.args == [True]
    found: list[str] = []
    # In a world of its own, so that the page's policy, which allows no script, stays as it is.
    script = (
        "JSON.stringify([document.images.length, [...document.images].filter(i => i.naturalWidth).length,"
        " document.querySelectorAll('svg').length, document.scripts.length, document.title])"
    )
    page.runJavaScript(script, 1, found.append)
    qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE)
    pictures, decoded, plots, scripts, title = json.loads(found[0])
    assert pictures == decoded == 3 * 8 + 4
    assert plots > 20
    assert scripts == 0
    assert title == f"Made up: {HOSTILE}"
    assert listener.asked == [url.toString()]
    assert complaints == []
    page.deleteLater()
    qtbot.wait(10)
    profile.deleteLater()
