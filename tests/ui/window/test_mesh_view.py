"""The 3D view with real VTK on a real screen, its turntable where there is no OpenGL, and what is written from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.lifts import LiftMethod, LiftResult
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.landmarks.collection import LandmarkPhoto
from gpsdream_app.library.lifts import DENSITY_FILE, read_lift
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.lifting.mesh import textured
from gpsdream_app.ui.landmarks import mesh_model
from gpsdream_app.ui.landmarks.export_dialog import ExportDialog
from gpsdream_app.ui.landmarks.mesh_scene import Cut
from gpsdream_app.ui.landmarks.mesh_turntable import PICTURES, MeshTurntable
from gpsdream_app.ui.landmarks.mesh_view import MeshView, Tool
from gpsdream_app.ui.opengl import SWITCH, opengl_works
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.theme import Theme
from tests.lift_folders import a_lift

PATIENCE = 120_000  # milliseconds


@pytest.fixture(scope="module")
def lifts(tmp_path_factory: pytest.TempPathFactory) -> list[LiftResult]:
    folder = tmp_path_factory.mktemp("lifts")
    return [a_lift(folder / "first"), a_lift(folder / "second", method=LiftMethod.SDS)]


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(FakeEngine(), Settings(user_data_dir()))
    yield session
    session.close()


@pytest.fixture
def make_view(qtbot: QtBot, theme: Theme, session: Session) -> Iterator[Callable[..., MeshView]]:
    views: list[MeshView] = []
    windows: list[QWidget] = []  # qtbot keeps none alive

    def make(result: LiftResult) -> MeshView:
        window = QWidget()
        window.resize(720, 520)
        view = MeshView(session, window, theme)
        view.setGeometry(window.rect())
        window.show()
        qtbot.addWidget(window)
        views.append(view)
        windows.append(window)
        view.show_lift(result)
        qtbot.waitUntil(lambda: view.pane.canvas is not None and view.pane.model.solid is not None, timeout=PATIENCE)
        return view

    yield make
    for view in views:
        view.shut()


@pytest.fixture
def view(make_view: Callable[..., MeshView], lifts: list[LiftResult]) -> MeshView:
    if not opengl_works():
        pytest.skip("no OpenGL on this screen")
    return make_view(lifts[0])


def pixels(image: QImage) -> np.ndarray:
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(bytes(plain.constBits()), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).astype(int)


def mesh_pixels(view: MeshView) -> np.ndarray:
    """What differs from the empty background, without ground and compass."""
    view.ground.setChecked(False)
    view.pane.overlay.compass = False
    shown = pixels(view.pane.picture())
    return np.asarray(np.abs(shown - shown[5, 5]).sum(axis=2) > 24)


def drag(canvas: QWidget, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(canvas, start + (end - start) * share)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)


def test_the_mesh_stands_in_the_view_and_turns_with_the_mouse(view: MeshView, qtbot: QtBot) -> None:
    pane = view.pane
    assert pane.has_opengl
    seen = mesh_pixels(view)
    assert 0.03 < seen.mean() < 0.6
    assert "m ·" in view.facts.text() and "closed" in view.facts.text()
    before = pane.viewpoint
    middle = pane.rect().center()
    drag(pane.canvas, middle, middle + QPoint(120, 40))
    assert pane.viewpoint.azimuth == pytest.approx((before.azimuth + 0.35 * 120) % 360, abs=1.5)
    assert pane.viewpoint.elevation > before.elevation
    QTest.keyClick(pane.canvas, Qt.Key.Key_Home)
    assert pane.viewpoint == before
    # Where the numbers say that the mesh is, it is seen.
    points = pane.viewpoint.project(pane.model.solid.vertices, pane.height(), pane.width())[:, :2]
    columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    scale = seen.shape[1] / pane.width()
    np.testing.assert_allclose(np.array([columns.min(), rows.min()]) / scale, points.min(axis=0), atol=3)
    np.testing.assert_allclose(np.array([columns.max(), rows.max()]) / scale, points.max(axis=0), atol=3)


def test_each_mode_shows_something_else(view: MeshView, qtbot: QtBot) -> None:
    model = view.pane.model
    qtbot.waitUntil(lambda: model.solid.mesh.texture is not None, timeout=PATIENCE)
    looks = []
    for index in range(view.modes.count()):
        view.modes.setCurrentIndex(index)
        looks.append(pixels(view.pane.picture())[40:-40, 40:-80])
    for index, look in enumerate(looks[2:], 2):
        assert all(np.abs(look - other).mean() > 0.5 for other in looks[:index])
    # A texture shows the colours that stand at the corners: were it upside down, the red roof would lie on the ground.
    assert np.abs(looks[0] - looks[1]).mean() < 2.5


def test_cutting_takes_a_part_away_and_closes_the_rest(view: MeshView, qtbot: QtBot) -> None:
    # The row of a tool takes room from the view, so it is open from the beginning.
    view.tools[Tool.CUT].click()
    qtbot.wait(50)
    view.pane.look()
    cut = mesh_pixels(view)
    view.pane.show_cut(None)
    whole = mesh_pixels(view)
    assert cut.sum() < 0.92 * whole.sum()
    glow = np.array([0xEE, 0xAC, 0x4A])
    view.pane.show_cut((Cut.EAST, 0.5, False))
    view.pane.look(90.0, 5.0)
    shown = pixels(view.pane.picture())
    assert (np.abs(shown - glow).sum(axis=2) < 20).mean() > 0.02, "the cut is filled"
    view.tools[Tool.CUT].click()
    assert view.pane.cut is None and view.drawer.isHidden()


def test_two_clicks_measure_metres(view: MeshView, qtbot: QtBot) -> None:
    view.tools[Tool.MEASURE].click()
    qtbot.wait(50)
    pane = view.pane
    pane.look(pane.front, 0.0)
    high = pane.model.solid.vertices[:, 2].max()
    nearest = pane.viewpoint.position[:2] / np.linalg.norm(pane.viewpoint.position[:2])
    for number, up in enumerate((0.25, 0.75)):
        beside = pane.viewpoint.project(np.array([*(nearest * 4.0), up * high]), pane.height(), pane.width())
        QTest.mouseClick(pane.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(beside[0]), round(beside[1])))
        back = pane.viewpoint.project(pane.points[number], pane.height(), pane.width())
        np.testing.assert_allclose(back[:2], beside[:2], atol=1.0)
        assert back[2] < beside[2], "it is the side that one sees"
    length = float(np.linalg.norm(pane.points[1] - pane.points[0]))
    # The wall is nearer than the axis, so the same angle takes in less of it.
    assert 0.42 * high < length < 0.5 * high
    assert view.length.text().startswith(f"{length:.1f} m")
    QTest.keyClick(pane.canvas, Qt.Key.Key_Escape)
    assert pane.points == []


def test_the_threshold_is_extracted_live_and_saved(
    make_view: Callable[..., MeshView], lifts: list[LiftResult], tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(lifts[0].folder, folder)
    view = make_view(read_lift(folder))
    model = view.pane.model
    first = model.solid.size
    view.show_tool(Tool.SURFACE)
    assert not view.save.isEnabled()
    for value in (40, 10, 90):  # faster than meshes come: only the last counts
        view.threshold.setValue(value)
    qtbot.waitUntil(lambda: not model.busy and model.solid.share == pytest.approx(0.9), timeout=PATIENCE)
    assert model.solid.size[0] < first[0]
    with qtbot.waitSignal(view.saved, timeout=PATIENCE):
        view.save.click()
    kept = read_lift(folder)
    assert kept.threshold == pytest.approx(0.9) and kept.size == pytest.approx(model.solid.size)
    again = trimesh.load(folder / "mesh.glb")
    assert max(again.extents) == pytest.approx(max(kept.size), rel=1e-3)
    view.threshold.setValue(50)
    qtbot.waitUntil(lambda: not model.busy and model.solid.share == pytest.approx(0.5), timeout=PATIENCE)
    with qtbot.waitSignal(view.failed, timeout=PATIENCE):
        view.threshold.setValue(99)
    assert "no mesh" in view.facts.text() and model.solid.share == pytest.approx(0.5), "what stands there stays"
    view.back.click()
    qtbot.waitUntil(lambda: not model.busy and model.solid.share == pytest.approx(0.9), timeout=PATIENCE)


def test_two_lifts_turn_together(view: MeshView, lifts: list[LiftResult], qtbot: QtBot) -> None:
    view.compare(*lifts)
    left, right = view.panes
    qtbot.waitUntil(lambda: right.has_opengl and right.model.solid is not None, timeout=PATIENCE)
    drag(right.canvas, right.rect().center(), right.rect().center() + QPoint(60, 0))
    assert left.viewpoint == right.viewpoint
    assert view.pane is right, "tools act on what was touched last"
    assert pixels(view.picture()).shape[1] > 1.8 * pixels(left.picture()).shape[1]
    view.end_button.click()
    assert view.panes == [left] and left.has_opengl


def test_the_nearest_photo_lies_over_the_mesh(view: MeshView, tmp_path: Path, qtbot: QtBot) -> None:
    photos = []
    for azimuth, colour in ((40.0, (250, 0, 250)), (220.0, (0, 250, 250))):
        path = tmp_path / f"{azimuth:.0f}.png"
        Image.new("RGB", (90, 120), colour).save(path)
        photos.append(LandmarkPhoto(path, "flatiron", azimuth, 2.0, 200.0, 4.0, None, 10.0, 26.0, 90, 120, night=False))
    view.show_photos(photos)
    view.tools[Tool.PHOTO].click()
    view.pane.look(50.0, 5.0)
    overlay = view.pane.overlay
    qtbot.waitUntil(lambda: overlay.ghost is not None and view.pane.photo is photos[0], timeout=PATIENCE)
    view.stand.click()
    assert view.pane.viewpoint.azimuth == 40.0
    assert np.hypot(*view.pane.viewpoint.position[:2]) == pytest.approx(200.0, rel=0.01)
    shown = pixels(view.pane.picture())
    middle = shown[shown.shape[0] // 4, shown.shape[1] // 2]
    assert middle[0] > middle[1] + 40, "half of it is the photo"


def test_where_opengl_fails_pictures_turn(
    make_view: Callable[..., MeshView], lifts: list[LiftResult], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setenv(SWITCH, "off")
    view = make_view(lifts[0])
    canvas = view.pane.canvas
    assert isinstance(canvas, MeshTurntable) and not view.tools[Tool.CUT].isVisible()
    qtbot.waitUntil(lambda: canvas.drawn >= 2, timeout=PATIENCE)
    before, first = canvas.step, pixels(canvas.picture())
    drag(canvas, QPoint(100, 100), QPoint(360, 100))
    assert canvas.step == (before + round(0.35 * 260 / (360 / PICTURES))) % PICTURES
    qtbot.waitUntil(lambda: np.abs(pixels(canvas.picture()) - first).mean() > 1, timeout=PATIENCE)


@pytest.mark.parametrize("suffix", [".glb", ".kmz", ".gif"])
def test_the_dialog_writes_files(view: MeshView, tmp_path: Path, suffix: str, qtbot: QtBot) -> None:
    view.export_button.click()
    dialog: Any = view.dialog
    assert isinstance(dialog, ExportDialog)
    dialog.formats.button(suffix).click()
    dialog.side.setCurrentIndex(0)
    dialog.seconds.setCurrentIndex(0)
    out = tmp_path / f"tower{suffix}"
    with qtbot.waitSignal(dialog.written, timeout=PATIENCE):
        dialog.write(out)
    assert out.is_file() and out.stat().st_size > 1000
    if suffix == ".glb":
        again = trimesh.load(out)
        assert max(again.extents) == pytest.approx(view.pane.model.solid.size[2], rel=1e-3)
    elif suffix == ".gif":
        with Image.open(out) as film:
            assert film.n_frames == 48 and film.size == (256, 256)
    dialog.close_button.click()
    qtbot.waitUntil(lambda: view.dialog is None)
    view.export_button.click()
    again_open: Any = view.dialog
    again_open.close()  # as by the title bar
    qtbot.waitUntil(lambda: view.dialog is None)


def test_a_texture_is_made_once_however_often_it_is_asked_for(
    view: MeshView, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    model: Any = view.pane.model
    bare = replace(model.solid, mesh=replace(model.solid.mesh, uv=None, texture=None))
    model.solid = bare
    made = []

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return textured(*arguments)

    monkeypatch.setattr(mesh_model, "textured", counted)
    model._bake()
    model._bake()
    qtbot.waitUntil(lambda: model.solid.mesh.texture is not None, timeout=PATIENCE)
    assert len(made) == 1
    # Once it is there, another one of the same mesh may be asked for again.
    model.solid = bare
    model._bake()
    qtbot.waitUntil(lambda: len(made) == 2 and model.solid.mesh.texture is not None, timeout=PATIENCE)


def test_a_missing_shape_is_a_sentence(
    make_view: Callable[..., MeshView], lifts: list[LiftResult], tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "gone"
    shutil.copytree(lifts[0].folder, folder)
    broken = read_lift(folder)
    view = make_view(lifts[0])
    (folder / DENSITY_FILE).write_bytes(b"nothing")
    with qtbot.waitSignal(view.failed, timeout=PATIENCE):
        view.show_lift(broken)
    assert "cannot be read" in view.pane.overlay.sentence and not view.export_button.isEnabled()
