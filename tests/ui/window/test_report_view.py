"""The real view of reports: it shows the page, and lets it do nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWebEngineCore import QWebEnginePage
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.report_view import PAGE_URL, ReportView
from gpsdream_app.ui.theme import Theme, ThemeChoice

from .rig import PATIENCE

PAGE = b"""<!doctype html><html><head><meta charset="utf-8"><title>plain</title>
<style>:root { --paper: #fff } body { background: var(--paper); margin: 0 }</style></head>
<body><h1>Figures \xc2\xb7 95 %</h1><script>document.title = "script"</script>
<img src="https://example.org/x.png"><img src="file:///etc/hostname"><a href="https://example.org">out</a>
</body></html>"""


@pytest.fixture
def view(qtbot: QtBot, theme: Theme) -> Iterator[ReportView]:
    view = ReportView(theme)
    view.resize(300, 200)
    view.show()
    yield view
    view.close()
    view.deleteLater()


def shown(qtbot: QtBot, view: ReportView) -> str:
    """Show the page and return its text."""
    with qtbot.waitSignal(view.loadFinished, timeout=PATIENCE) as loaded:
        view.show_page(PAGE)
    assert loaded.args == [True]
    texts: list[str] = []
    view.page().toPlainText(texts.append)
    qtbot.waitUntil(lambda: bool(texts), timeout=PATIENCE)
    return texts[0]


def test_a_page_is_shown_without_script_or_network(
    qtbot: QtBot, view: ReportView, caplog: pytest.LogCaptureFixture
) -> None:
    assert "Figures · 95 %" in shown(qtbot, view)
    assert view.title() == "plain"
    assert view.url().toString() == PAGE_URL
    refused = [record.getMessage() for record in caplog.records]
    assert any("example.org/x.png" in text for text in refused)
    assert any("file:///etc/hostname" in text for text in refused)


def test_it_follows_the_windows_theme(qtbot: QtBot, view: ReportView, theme: Theme) -> None:
    shown(qtbot, view)
    with qtbot.waitSignal(view.loadFinished, timeout=PATIENCE):
        theme.choice = ThemeChoice.DARK
    qtbot.waitUntil(lambda: view.grab().toImage().pixelColor(280, 190).lightness() < 60, timeout=PATIENCE)


def test_links_open_outside_and_nothing_else_does(
    qtbot: QtBot, view: ReportView, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    page, clicked = view.page(), QWebEnginePage.NavigationType.NavigationTypeLinkClicked
    typed = QWebEnginePage.NavigationType.NavigationTypeTyped
    assert page.acceptNavigationRequest(QUrl(PAGE_URL + "#scores"), clicked, True)
    for url in ("https://example.org/a", "file:///etc/hostname", "gpsdream://map/map.html", "javascript:alert(1)"):
        assert not page.acceptNavigationRequest(QUrl(url), clicked, True)
        assert not page.acceptNavigationRequest(QUrl(url), typed, True)
    assert opened == ["https://example.org/a"]
