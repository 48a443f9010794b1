"""The export dialog on the screen: what it asks, what it writes, and how it says what went wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.export.formats import ExportFormat
from gpsdream_app.library.picture_metadata import read_result, save_png
from gpsdream_app.ui.library.export_dialog import ExportDialog

from .rig import CATHEDRAL, FLATIRON, HOSTILE, Rig

Open = Callable[..., ExportDialog]


def make(folder: Path, number: int, place: Place | None) -> Result:
    path = folder / f"{number}.png"
    result = Result(
        f"{number:032x}", "job", GenerateRequest(place, "a church", seed=number), str(path),
        "2026-11-20T10:00:00+00:00", 3.0, "Postcards", "ab" * 8, "0.1.0", 32, 32, 12.5,
    )  # fmt: skip
    save_png(Image.new("RGB", (32, 32), (200, 30, 30)), path, result)
    return result


@pytest.fixture
def results(tmp_path: Path) -> list[Result]:
    return [make(tmp_path / "made", number, place) for number, place in enumerate((FLATIRON, CATHEDRAL, None), 1)]


@pytest.fixture
def opened(rig: Rig, qtbot: QtBot) -> Open:
    """Open the dialog over the window."""

    def open_it(results: list[Result]) -> ExportDialog:
        dialog = ExportDialog(rig.session, results, rig.window)
        dialog.open()
        qtbot.waitExposed(dialog)
        return dialog

    return open_it


def wait(rig: Rig, dialog: ExportDialog) -> None:
    rig.until(lambda: not dialog.busy)


@pytest.mark.parametrize("kind", list(ExportFormat))
def test_every_format_is_written(rig: Rig, opened: Open, results: list[Result], tmp_path: Path, kind: str) -> None:
    dialog = opened(results)
    QTest.mouseClick(dialog.formats[ExportFormat(kind)], Qt.MouseButton.LeftButton)
    assert dialog.formats[ExportFormat(kind)].isChecked()
    out = tmp_path / "out" / "x"
    dialog.export_to(out)
    assert dialog.busy
    wait(rig, dialog)
    assert out.exists()
    assert dialog.said.text().startswith("Exported")
    assert dialog.show_button.isVisible()
    of_map = kind in (ExportFormat.KMZ, ExportFormat.GEOJSON, ExportFormat.WEB_MAP)
    assert ("was left out" in dialog.said.text()) is of_map
    assert ("no place" in dialog.hint.text()) is of_map


def test_the_form_shows_what_the_format_asks(opened: Open, results: list[Result]) -> None:
    dialog = opened(results)
    seen = {}
    for kind in ExportFormat:
        dialog.choose(kind)
        seen[kind.value] = (dialog.place.isVisible(), dialog.quality.isVisible(), dialog.title.isVisible())
    assert seen == {
        "png": (True, False, False),
        "jpeg": (True, True, False),
        "webp": (True, True, False),
        "contact-sheet": (True, False, True),
        "kmz": (False, False, True),
        "geojson": (False, False, False),
        "web-map": (False, False, True),
        "csv": (True, False, False),
        "requests": (False, False, False),
    }


def test_without_place_and_back_to_a_map(opened: Open, results: list[Result], rig: Rig, tmp_path: Path) -> None:
    dialog = opened(results)
    QTest.mouseClick(dialog.place, Qt.MouseButton.LeftButton)
    assert not dialog.wish().include_place
    dialog.choose(ExportFormat.KMZ)
    assert dialog.wish().include_place
    dialog.choose(ExportFormat.PNG)
    dialog.export_to(tmp_path / "out")
    wait(rig, dialog)
    names = sorted((tmp_path / "out").iterdir())
    assert len(names) == 3
    for path in names:
        assert "Avenue" not in path.name
        assert read_result(path).request.place is None


def test_by_keyboard_alone(opened: Open, results: list[Result], qtbot: QtBot) -> None:
    dialog = opened(results)
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    first = dialog.formats[ExportFormat.PNG]
    first.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(first, Qt.Key.Key_Right)
    focused: QWidget | None = dialog.focusWidget()
    assert focused is dialog.formats[ExportFormat.JPEG]
    if not focused.isChecked():
        QTest.keyClick(focused, Qt.Key.Key_Space)
    assert dialog.wish_format is ExportFormat.JPEG
    reached = set()
    for _ in range(12):
        QTest.keyClick(dialog, Qt.Key.Key_Tab)
        reached.add(dialog.focusWidget())
    assert {dialog.place, dialog.quality, dialog.close_button, dialog.export_button} <= reached
    for widget in (dialog.quality, dialog.title, dialog.place, *dialog.formats.values()):
        assert widget.accessibleName()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not shiboken6.isValid(dialog) or not dialog.isVisible())


def test_the_system_is_asked_where(opened: Open, results: list[Result], rig: Rig, tmp_path: Path) -> None:
    dialog = opened(results)
    dialog.choose(ExportFormat.REQUESTS)
    QTest.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    (asked,) = dialog.findChildren(QFileDialog)
    assert asked.defaultSuffix() == "zip"
    asked.fileSelected.emit(str(tmp_path / "again.zip"))
    asked.close()
    wait(rig, dialog)
    assert len(zipfile.ZipFile(tmp_path / "again.zip").namelist()) == 4
    assert rig.session.settings.save_folder == tmp_path


def test_a_failure_stands_in_the_dialog_and_another_try_works(
    opened: Open, results: list[Result], rig: Rig, tmp_path: Path
) -> None:
    dialog = opened(results)
    dialog.choose(ExportFormat.CSV)
    (tmp_path / "file").write_text("")
    dialog.export_to(tmp_path / "file" / "x.csv")
    wait(rig, dialog)
    assert "cannot be written" in dialog.said.text()
    assert dialog.said.property("look") == "danger"
    assert not dialog.show_button.isVisible()
    dialog.export_to(tmp_path / "x.csv")
    wait(rig, dialog)
    assert dialog.said.text() == "Exported 3 pictures."
    assert dialog.said.property("look") == ""


def test_it_stops_when_asked(opened: Open, results: list[Result], rig: Rig, tmp_path: Path) -> None:
    dialog = opened(results * 100)
    dialog.choose(ExportFormat.KMZ)
    dialog.export_to(tmp_path / "x.kmz")
    assert dialog.export_button.text() == "Stop"
    assert not dialog.formats[ExportFormat.PNG].isEnabled()
    QTest.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    wait(rig, dialog)
    assert dialog.said.text() == "Stopped. Nothing was written."
    assert not (tmp_path / "x.kmz").exists()
    assert dialog.export_button.text() == "Export…"


def test_it_can_be_closed_while_it_writes(opened: Open, results: list[Result], rig: Rig, tmp_path: Path) -> None:
    dialog = opened(results * 100)
    dialog.export_to(tmp_path / "out")
    dialog.close()
    rig.until(lambda: rig.session.background.pending == 0)
    assert len(list((tmp_path / "out").glob("*"))) < 300


def test_names_are_text(opened: Open, results: list[Result]) -> None:
    one = replace(results[0], request=replace(results[0].request, place=replace(FLATIRON, name=HOSTILE)))
    dialog = opened([one])
    assert dialog.what.text() == HOSTILE
    assert dialog.what.textFormat() is Qt.TextFormat.PlainText
    assert dialog.said.textFormat() is Qt.TextFormat.PlainText
