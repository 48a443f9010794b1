"""“How good is this model?”: reports, and the process that measures, with a short script in its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QLabel, QMenu, QMessageBox

from gpsdream_app.library.paths import models_dir, user_data_dir
from gpsdream_app.ui import reports
from gpsdream_app.ui.measuring import MeasureState
from gpsdream_app.ui.reports import dress, find_reports
from gpsdream_app.ui.session import Tone
from gpsdream_app.ui.tokens import DARK, LIGHT

from .rig import HOSTILE, MODEL, NotedReport, Rig, make_card

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton
PAGE = "<!doctype html><html><head><style>@media (prefers-color-scheme: dark) {}</style></head><body>{0}</body></html>"

# What the window starts in place of the real process: writes a report, fails, or never ends.
CHILD = """
import json, sys, time
from pathlib import Path
arguments = dict(part.removeprefix("--").partition("=")[::2] for part in sys.argv[2:])
how, folder = sys.argv[1], Path(sys.argv[0]).parent
def say(**values): print(json.dumps(values), flush=True)
print("a stray line of some library", flush=True)
say(done=1, total=4, text="drawing random places", seconds_left=90.0)
(folder / "arguments.json").write_text(json.dumps(arguments))
if how == "wait":
    time.sleep(600)
elif how == "fail":
    hint = "" if "seen-too" in arguments else "Give others, or say --seen-too: the report then says so in its title."
    say(failed={"kind": "bad_request", "message": "It has learned from all of these.", "hint": hint})
    sys.exit(2)
elif how == "die":
    sys.exit("Killed: <b>no memory</b>")
else:
    say(report=how)
"""


def write_report(folder: Path, created: str = "2026-11-20T12:00:00+00:00", **changes: Any) -> Path:
    folder.mkdir(parents=True)
    data = {
        "schema": 1,
        "title": "Postcards: measured on photos that it has not seen",
        "created": created,
        "quick": False,
        "seconds": 700.5,
        "model": {"name": MODEL, "title": "Postcards", "weights": ""},
        "photos": {"asked": 9, "seen_too": False},
        **changes,
    }
    (folder / "report.json").write_text(json.dumps(data), encoding="utf-8")
    (folder / "report.html").write_text(PAGE.replace("{0}", created), encoding="utf-8")
    (folder / "table.txt").write_text("GPS 18.0", encoding="utf-8")
    return folder


def own(name: str) -> Path:
    return user_data_dir() / "evaluations" / name


def settled(rig: Rig) -> None:
    rig.until(lambda: rig.session.pending == 0 and not rig.session.measuring.running)


def child(rig: Rig, folder: Path, how: str) -> None:
    script = folder / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    rig.session.measuring.command = (sys.executable, str(script), how)


def go(rig: Rig) -> Any:
    """Go to the page by the rail."""
    QTest.mouseClick(rig.window.rail.quality, LEFT)
    settled(rig)
    page = rig.window.quality
    assert page.isVisible()
    return page


# -- reading --


def test_only_reports_of_this_model_are_found_the_newest_first() -> None:
    write_report(own("a"), "2026-11-01T12:00:00+00:00")
    write_report(own("b"), "2026-11-20T12:00:00+00:00")
    write_report(own("another model"), model={"name": "watercolours"})
    write_report(own("of a newer program"), schema=2)
    (own("broken")).mkdir()
    (own("broken") / "report.json").write_text("{", encoding="utf-8")
    (own("broken") / "report.html").touch()
    (own("without a page")).mkdir()
    found = find_reports(make_card(), models_dir() / MODEL)
    assert [report.folder.name for report in found] == ["b", "a"]
    assert found[0].asked == 9
    assert found[0].table == "GPS 18.0"


def test_a_report_that_came_along_is_the_makers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "resources_dir", lambda: tmp_path)
    write_report(tmp_path / "reports" / MODEL)
    write_report(tmp_path / "reports" / "elsewhere")
    assert [report.by_makers for report in find_reports(make_card(), models_dir() / MODEL)] == [True]
    assert find_reports(make_card(name="../elsewhere"), models_dir() / MODEL) == []


def test_a_page_wears_the_windows_colours() -> None:
    page = PAGE.encode()
    dark, light = dress(page, DARK).decode(), dress(page, LIGHT).decode()
    assert "@media (min-width: 0)" in dark
    assert "@media (max-width: 0)" in light
    assert f"--paper:{DARK.surface}" in dark
    assert "color-scheme:light" in light
    assert dress(b"no head", DARK) == b"no head"


# -- the page --


def test_the_newest_report_is_shown_and_its_table_copied(rig: Rig) -> None:
    write_report(own("a"), "2026-11-01T12:00:00+00:00", quick=True)
    write_report(own("b"))
    rig.session.measuring.look()
    page = go(rig)
    assert page.title.text() == "How good is “Postcards”?"
    assert page.facts.text() == "Measured on 20 November 2026 · 9 photos that it has not seen"
    assert isinstance(page.view, NotedReport)
    assert b"2026-11-20" in page.view.pages[-1]
    QTest.mouseClick(page.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "GPS 18.0"
    QTest.keyClick(rig.window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert page.view.copied == 1, "what is marked in the report, not the picture behind it"
    QTest.mouseClick(page.others, LEFT)
    menu = page.findChild(QMenu)
    assert menu is not None
    menu.actions()[1].trigger()
    menu.close()
    settled(rig)
    assert "quick look" in page.facts.text()
    assert b"2026-11-01" in page.view.pages[-1]
    QTest.mouseClick(rig.window.rail.explore, LEFT)
    assert rig.window.splitter.isVisible()


def test_a_report_that_has_gone_is_a_sentence(rig: Rig) -> None:
    folder = write_report(own("a"))
    rig.session.measuring.look()
    settled(rig)
    (folder / "report.html").unlink()
    page = go(rig)
    assert page.failure.text() == "The report cannot be read."
    QTest.mouseClick(page.again, LEFT)
    assert not page.failing.isVisible()
    assert page.asking.isVisible()
    QTest.mouseClick(page.close_asking, LEFT)
    assert not page.asking.isVisible()


def test_without_a_report_the_page_offers_to_measure(rig: Rig, tmp_path: Path) -> None:
    page = go(rig)
    assert page.facts.text() == "Not measured yet"
    assert page.asking.isVisible()
    assert not page.begin.isEnabled()
    assert not page.open.isVisible()
    QTest.mouseClick(page.choose, LEFT)
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    dialog.fileSelected.emit(str(tmp_path))
    dialog.close()
    assert page.photos.text() == str(tmp_path)
    assert page.begin.isEnabled()
    assert rig.session.settings.photos_folder == tmp_path


def test_measuring_shows_its_progress_and_then_the_report(rig: Rig, tmp_path: Path) -> None:
    page = go(rig)
    page.take_photos(str(tmp_path))
    report = own("new")
    child(rig, tmp_path, str(report / "report.html"))
    seen: list[tuple[str, float]] = []
    measuring = rig.session.measuring
    measuring.changed.connect(lambda: seen.append((page.progress.text(), measuring.fraction)))
    write_report(report)
    QTest.mouseClick(page.thoroughness.button("full"), LEFT)
    QTest.mouseClick(page.begin, LEFT)
    assert page.running.isVisible()
    assert not page.asking.isVisible()
    settled(rig)
    assert ("“Postcards”: Drawing random places", 0.25) in seen
    arguments = json.loads((tmp_path / "arguments.json").read_text())
    assert arguments == {"model": MODEL, "photos": str(tmp_path)}
    assert measuring.shown is not None
    assert measuring.shown.folder == report
    assert not page.running.isVisible()
    assert b"2026-11-20" in page.view.pages[-1]


def test_a_failure_is_a_sentence_with_what_to_do(rig: Rig, tmp_path: Path) -> None:
    page = go(rig)
    page.take_photos(str(tmp_path))
    child(rig, tmp_path, "fail")
    QTest.mouseClick(page.begin, LEFT)
    settled(rig)
    assert page.failure.text() == "It has learned from all of these."
    assert "--seen-too" not in page.hint.text()
    assert "anyway" in page.hint.text()
    QTest.mouseClick(page.anyway, LEFT)
    settled(rig)
    arguments = json.loads((tmp_path / "arguments.json").read_text())
    assert arguments == {"model": MODEL, "photos": str(tmp_path), "quick": "", "seen-too": ""}


def test_a_process_that_dies_or_does_not_start_is_a_sentence(rig: Rig, tmp_path: Path) -> None:
    page = go(rig)
    page.take_photos(str(tmp_path))
    child(rig, tmp_path, "die")
    QTest.mouseClick(page.begin, LEFT)
    settled(rig)
    failure = rig.session.measuring.failure
    assert failure is not None
    assert "ended without an answer" in failure.message
    assert "no memory" in failure.details
    for label in page.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
    assert page.asking.isVisible()
    assert not page.again.isVisible()
    rig.session.measuring.command = (str(tmp_path / "nowhere"),)
    QTest.mouseClick(page.begin, LEFT)
    settled(rig)
    assert "cannot be started" in page.failure.text()


def test_cancel_ends_the_process_and_the_window_stays_usable(rig: Rig, tmp_path: Path) -> None:
    page = go(rig)
    page.take_photos(str(tmp_path))
    child(rig, tmp_path, "wait")
    QTest.mouseClick(page.begin, LEFT)
    measuring = rig.session.measuring
    rig.until(lambda: measuring.fraction > 0)
    assert "left" in page.left.text()
    rig.window.show_page(rig.window.splitter)
    assert rig.draw()
    go_back = rig.window.rail.quality
    QTest.mouseClick(go_back, LEFT)
    process = measuring._process
    assert process is not None
    pid = process.processId()
    QTest.mouseClick(page.cancel, LEFT)
    settled(rig)
    assert measuring.state is MeasureState.IDLE
    assert measuring.failure is None
    assert not psutil.pid_exists(pid)
    assert page.asking.isVisible()


def test_what_came_of_it_is_told_where_the_person_is(rig: Rig, tmp_path: Path) -> None:
    report = write_report(own("new"))
    child(rig, tmp_path, str(report / "report.html"))
    rig.session.measure(tmp_path, quick=True)
    settled(rig)
    notice = rig.session.notice
    assert notice is not None
    assert (notice.tone, notice.text, notice.action) == (Tone.HINT, "The model is measured.", "Show")
    QTest.mouseClick(rig.window.notice.action, LEFT)
    assert rig.window.quality.isVisible()


def test_quitting_asks_once(rig: Rig, tmp_path: Path) -> None:
    child(rig, tmp_path, "wait")
    rig.session.measure(tmp_path, quick=True)
    rig.until(lambda: rig.session.measuring.fraction > 0)
    process = rig.session.measuring._process
    assert process is not None
    pid = process.processId()
    rig.window.close()
    assert rig.window.isVisible()
    box = rig.window.findChild(QMessageBox)
    assert box is not None
    assert "still being measured" in box.text()
    buttons = {button.text().replace("&", ""): button for button in box.buttons()}
    QTest.mouseClick(buttons["Keep measuring"], LEFT)
    assert rig.window.isVisible()
    assert rig.session.measuring.running
    rig.window.close()
    rig.window.close()
    assert not rig.window.isVisible()
    assert not psutil.pid_exists(pid)


def test_the_settings_lead_to_the_page(rig: Rig) -> None:
    QTest.mouseClick(rig.window.rail.settings, LEFT)
    card = rig.window.settings_card
    links = [one for one in card.findChildren(QAbstractButton) if one.property("look") == "link"]
    link = next(one for one in links if one.text().startswith("How good"))
    QTest.mouseClick(link, LEFT)
    assert rig.window.quality.isVisible()
    assert rig.window.rail.quality.isChecked()
    assert not card.isVisible()


def test_markup_in_a_title_is_shown_as_it_is(make_rig: MakeRig) -> None:
    from .rig import install_card

    rig = make_rig()
    install_card(make_card(title=HOSTILE))
    rig.open()
    page = go(rig)
    assert HOSTILE in page.title.text()
    for label in page.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
