"""The Landmarks place, driven by mouse and keyboard, with a scripted engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, Signal
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QWidget

from gpsdream_app.domain.landmarks import LANDMARKS, landmark
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftResult
from gpsdream_app.domain.model_card import KnownLandmark
from gpsdream_app.engine.fake import OUT_OF_MEMORY, FakeEngine, Script
from gpsdream_app.geo.azimuth import place_at
from gpsdream_app.geo.frames import distance
from gpsdream_app.library.landmarks import LandmarkStore, own_landmarks_path
from gpsdream_app.library.lifts import list_lifts, list_unfinished
from gpsdream_app.ui.landmarks import state as state_module
from gpsdream_app.ui.landmarks.landmark_list import ACCESSIBLE
from gpsdream_app.ui.landmarks.lifts import LiftState
from gpsdream_app.ui.landmarks.mesh_view import MeshView
from gpsdream_app.ui.landmarks.page import KNOWN, SHAPE, LandmarksPage
from gpsdream_app.ui.landmarks.plot import MOST_POINTS, Moment, Trace
from gpsdream_app.ui.landmarks.rose import gaps, gaps_text, petal_text, ring_counts, rose_text
from gpsdream_app.ui.landmarks.state import LiftWish
from tests.unit.photos.pictures import gps, photo

from .rig import HOSTILE, Rig, install_card, make_card

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton
FLATIRON = landmark("flatiron")
MODEL = "sides"
# Nobody stood in the south-west, from 195 to 245 degrees, nor at 70 degrees.
SEEN = tuple(0 if 20 <= number <= 24 or number == 7 else 10 + number for number in range(36))


def landmark_card(**changes: Any) -> None:
    """Install a model that knows all landmarks but the last one."""
    known = tuple(KnownLandmark(one, SEEN) for one in LANDMARKS[:-1])
    card = {"name": MODEL, "title": "Sides", "kind": "landmarks", "landmarks": known, "city": ""}
    install_card(make_card(**{**card, **changes}))


class NotedMesh(QWidget):
    """Stands in for the 3D view, which has tests of its own: keeps what it was told to show."""

    failed, saved = Signal(object), Signal(object)

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.shown: list[LiftResult] = []
        self.tool = None

    @property
    def comparing(self) -> bool:
        return len(self.shown) == 2

    def show_lift(self, result: LiftResult) -> None:
        self.shown = [result]

    def show_photos(self, photos: Any) -> None:
        pass

    def compare(self, first: LiftResult, second: LiftResult) -> None:
        self.shown = [first, second]

    def end_compare(self) -> None:
        self.shown = self.shown[:1]

    def shut(self) -> None:
        pass


@pytest.fixture(autouse=True)
def noted_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpsdream_app.ui.landmarks.mesh_view.MeshView", NotedMesh)


@pytest.fixture
def real_mesh(noted_mesh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 3D view itself, as it is where OpenGL fails."""
    monkeypatch.setenv("GPSDREAM_3D", "off")
    monkeypatch.setattr("gpsdream_app.ui.landmarks.mesh_view.MeshView", MeshView)


@pytest.fixture(autouse=True)
def only_installed_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that comes along is not what these tests are about."""
    models = state_module.list_models
    monkeypatch.setattr(state_module, "list_models", lambda: [one for one in models() if one.source == "installed"])


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    landmark_card()
    rig = make_rig()
    rig.engine.script = Script(preview_every=0)  # previews take most of a scripted lift's time
    return rig.open()


@pytest.fixture
def page(rig: Rig) -> LandmarksPage:
    return enter(rig)


def enter(rig: Rig) -> LandmarksPage:
    """Go to the place by its key, and wait until everything was read."""
    QTest.keyClick(rig.window, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    page = rig.window.landmarks
    assert page is not None
    rig.until(lambda: page.state.models_read and page.state.idle)
    return page


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, LEFT)


def rest(rig: Rig, page: LandmarksPage) -> None:
    # The 3D view may still be turning the mesh round; that is its own affair.
    rig.until(lambda: page.state.pending == 0 and not rig.session.queue)


def lift(rig: Rig, page: LandmarksPage, name: str = "flatiron", quality: str = LiftQuality.FAST) -> None:
    """Lift a landmark to its end."""
    page.state.choose(name)
    click(page.form.qualities.button(quality))
    before = len(page.state.lifts.history)
    click(page.form.lift)
    rig.until(lambda: len(page.state.lifts.history) > before)
    rest(rig, page)


# -- what is known --


def test_the_rose_shows_what_the_model_has_seen_and_where_nobody_stood(rig: Rig, page: LandmarksPage) -> None:
    index = page.list.entries.index(page.list.entries.row_of("flatiron"))
    QTest.mouseClick(page.list.viewport(), LEFT, pos=page.list.visualRect(index).center())
    assert page.title.text() == "Flatiron Building"
    assert page.known.rose.counts == SEEN
    assert page.known.heading.text() == f"The model has learned from {sum(SEEN):,} photos"
    assert page.known.sentence.text() == "No photos from the south-west (195° to 245°) and the east (65° to 75°)."
    assert "No photos from the south-west" in page.known.rose.accessibleName()
    assert index.data(ACCESSIBLE) == f"Flatiron Building, New York · {sum(SEEN):,} photos"
    QTest.mouseClick(page.known.rose, LEFT, pos=page.known.rose.point_of(9).toPoint())
    assert page.known.rose.bin == 9
    assert page.known.petal.text() == "From 90° (the east): 19 photos"
    rig.until(lambda: any(one["sector"] == (85.0, 95.0) for one in rig.map.landmarks))
    QTest.keyClick(page.known.rose, Qt.Key.Key_Right)
    assert page.known.petal.text() == "From 100° (the east): 20 photos"
    assert page.known.rose.accessibleDescription() == page.known.petal.text()


def test_what_no_model_knows_cannot_be_lifted_and_says_why(rig: Rig, page: LandmarksPage) -> None:
    page.state.choose(LANDMARKS[-1].id)
    assert not page.form.lift.isEnabled()
    assert "has not learned this landmark" in page.form.estimate.text()
    assert page.known.heading.text() == "No model has learned this landmark"
    page.draw()
    assert not rig.session.queue


def test_without_a_model_of_landmarks_the_place_says_how_one_is_made(make_rig: MakeRig) -> None:
    rig = make_rig().open()
    page = enter(rig)
    assert "No model of landmarks is installed" in page.form.estimate.text()
    assert "train-landmark" in page.form.estimate.text()
    assert not page.form.lift.isEnabled()


def test_models_of_landmarks_are_not_offered_for_places(rig: Rig) -> None:
    assert [model.card.kind for model in rig.session.installed if model.name == MODEL] == []


def test_a_persons_own_photos_stand_on_rose_and_map(rig: Rig, page: LandmarksPage, tmp_path: Path) -> None:
    foot = FLATIRON.lat, FLATIRON.lon
    for number, azimuth in enumerate((0, 90, 92, 180)):
        where = place_at(foot, azimuth, 120)
        photo(tmp_path / "photos" / f"{number}.jpg", number, gps_tags=gps(*where, heading=(azimuth + 180) % 360))
    page.state.choose("flatiron")
    page.state.book.set_photos("flatiron", tmp_path / "photos")
    rig.until(lambda: len(page.state.photos("flatiron")) == 4)
    rest(rig, page)
    click(page.known.sources.button("own"))
    assert [page.known.rose.counts[number] for number in (0, 9, 18)] == [1, 2, 1]
    assert page.known.heading.text() == "Your 4 photos"
    QTest.mouseClick(page.known.rose, LEFT, pos=page.known.rose.point_of(18).toPoint())
    rig.until(lambda: not page.known.photo.image.isNull())
    assert page.known.caption.text() == "Your nearest photo: from 180°, the south, 120 m away"
    rig.until(lambda: any(len(one["photos"]) == 4 for one in rig.map.landmarks))
    shown = next(one for one in rig.map.landmarks if one["id"] == "flatiron")
    assert all(abs(distance(*foot, *spot) - 120) < 1 for spot in shown["photos"])
    click(page.tools.photos)
    rig.until(lambda: all(not one["photos"] for one in rig.map.landmarks))


def test_a_folder_that_is_gone_is_a_sentence(rig: Rig, page: LandmarksPage, tmp_path: Path) -> None:
    page.state.choose(LANDMARKS[-1].id)
    page.state.book.set_photos(LANDMARKS[-1].id, tmp_path / "gone")
    rig.until(lambda: page.state.photos_failure(LANDMARKS[-1].id) is not None)
    rest(rig, page)
    assert "There is no folder “gone”" in page.known.sentence.text()


# -- lifting --


def test_a_lift_is_watched_paused_and_shown(real_mesh: None, rig: Rig, page: LandmarksPage) -> None:
    rig.engine.script = Script(step_seconds=0.02)
    page.state.choose("flatiron")
    click(page.form.qualities.button(LiftQuality.FAST))
    QTest.keyClick(rig.window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert page.body.currentIndex() == page.LIVE
    job = page.live.job
    assert job is not None
    rig.until(lambda: bool(job.trace.moments))
    click(page.live.pause)
    rig.until(lambda: job.state is LiftState.PAUSED)
    assert page.live.pause.text() == "Go on"
    assert page.live.phase.text() == "Paused"
    assert page.live.keep.isEnabled()
    share = job.share
    QTest.qWait(120)
    assert job.share == share
    assert len(page.live.preview.images) == 4
    assert page.live.preview.images[0].width() == page.live.preview.images[0].height() > 0
    assert "opacity" in page.live.plot.accessibleName().casefold()
    assert rig.session.queue.lift is not None and rig.session.queue.current is None
    assert rig.window.rail.queue.fraction == pytest.approx(share, abs=0.001)
    QTest.keyClick(page, Qt.Key.Key_P)
    rig.until(lambda: page.body.currentIndex() == page.MESH)
    rest(rig, page)
    (result,) = list_lifts()
    assert isinstance(page.mesh, MeshView) and page.mesh.pane.model.result == result
    assert [tile.isChecked() for tile in page.shelf.tiles] == [True]
    assert page.shelf.tiles[0].title() == "Refine, fast"
    assert "as your last lifts took" in page.form.estimate.text()


def test_the_outline_of_the_mesh_stands_on_the_map_true_to_scale(rig: Rig, page: LandmarksPage) -> None:
    lift(rig, page)
    (result,) = page.state.lifts.history
    rig.until(lambda: bool(page.state.footprint("flatiron")))
    rig.until(lambda: any(one["footprint"] for one in rig.map.landmarks))
    ring = next(one for one in rig.map.landmarks if one["id"] == "flatiron")["footprint"]
    lats, lons = [point[0] for point in ring], [point[1] for point in ring]
    east = distance(FLATIRON.lat, min(lons), FLATIRON.lat, max(lons))
    north = distance(min(lats), FLATIRON.lon, max(lats), FLATIRON.lon)
    assert (east, north) == (pytest.approx(result.size[0], rel=0.01), pytest.approx(result.size[1], rel=0.01))


def test_one_explores_and_draws_while_a_lift_goes_on(rig: Rig, page: LandmarksPage) -> None:
    rig.engine.lift_gate.clear()
    page.state.choose("flatiron")
    click(page.form.lift)
    rig.until(lambda: page.live.job is not None and page.live.job.state is not LiftState.WAITING)
    rig.window.show_page(rig.window.splitter)
    assert rig.map.landmarks == []
    assert rig.map.picking
    form, film = rig.session.form, rig.session.film
    form.prompt = "a church"
    rig.window.draw_now()
    rig.until(lambda: len(film.results) == 1)
    rig.until(lambda: len(rig.session.queue) == 1)
    rig.engine.lift_gate.set()
    rig.until(lambda: not rig.session.queue)
    rig.until(lambda: rig.session.notice is not None)
    assert rig.session.notice is not None
    assert rig.session.notice.text == "Flatiron Building is lifted."
    assert rig.session.notice.call is not None
    rig.session.notice.call()
    assert rig.window.rail.landmarks.isChecked()
    assert page.body.currentIndex() == page.MESH
    rest(rig, page)


def test_a_cancelled_lift_can_go_on(rig: Rig, page: LandmarksPage) -> None:
    rig.engine.script = Script(step_seconds=0.02, preview_every=0)
    page.state.choose("flatiron")
    click(page.form.lift)
    job = page.live.job
    assert job is not None
    rig.until(lambda: bool(job.trace.moments))
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    rig.until(lambda: not rig.session.queue)
    rig.until(lambda: [tile.note() for tile in page.shelf.tiles] == ["unfinished"])
    assert rig.session.notice is not None
    assert rig.session.notice.text == "The lift of Flatiron Building was ended. It can go on where it was."
    assert len(list_unfinished()) == 1 and not list_lifts()
    click(page.shelf.tiles[0])
    rig.until(lambda: bool(page.state.lifts.history))
    rest(rig, page)
    assert [tile.title() for tile in page.shelf.tiles] == ["Refine, balanced"]
    assert not list_unfinished()


def test_a_lift_is_stopped_and_kept(rig: Rig, page: LandmarksPage) -> None:
    rig.engine.script = Script(step_seconds=0.03, preview_every=0)
    page.state.choose("flatiron")
    click(page.form.lift)
    rig.until(lambda: page.live.keep.isEnabled())
    click(page.live.keep)
    rig.until(lambda: bool(page.state.lifts.history))
    rest(rig, page)
    assert page.state.lifts.history[0].kept_early
    assert "ended early" in page.shelf.tiles[0].note()
    menu = page.lift_menu(page.state.lifts.history[0])
    assert "Go on with it" in [action.text() for action in menu.actions()]
    menu.close()


def test_a_failure_is_a_sentence_with_a_way_out(rig: Rig, page: LandmarksPage) -> None:
    rig.engine.play_next(Script(fail_at=3, failure=OUT_OF_MEMORY))
    page.state.choose("flatiron")
    click(page.form.lift)
    rig.until(lambda: rig.session.notice is not None)
    assert page.notice.sentence.text() == OUT_OF_MEMORY.message
    assert page.notice.action.text() == "Lift again"
    click(page.notice.action)
    rig.until(lambda: bool(page.state.lifts.history))
    rest(rig, page)
    assert page.body.currentIndex() == page.MESH


def test_a_removed_lift_comes_back(rig: Rig, page: LandmarksPage) -> None:
    lift(rig, page)
    page.shelf.tiles[0].setFocus()
    QTest.keyClick(page.shelf.tiles[0], Qt.Key.Key_Delete)
    rig.until(lambda: not page.state.lifts.history)
    assert not list_lifts()
    assert page.body.currentIndex() == page.NOTHING
    assert rig.session.notice is not None and rig.session.notice.action == "Undo"
    QTest.keyClick(rig.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    rig.until(lambda: len(page.state.lifts.history) == 1)
    assert len(list_lifts()) == 1
    rest(rig, page)


def test_two_lifts_stand_side_by_side(rig: Rig, page: LandmarksPage) -> None:
    lift(rig, page)
    click(page.form.methods.button(LiftMethod.VIEWS))
    lift(rig, page)
    assert [tile.title() for tile in page.shelf.tiles] == ["Views, fast", "Refine, fast"]
    newer, older = page.state.lifts.history
    menu = page.lift_menu(older)
    next(action for action in menu.actions() if action.text() == "Compare with the one in sight").trigger()
    menu.close()
    assert isinstance(page.mesh, NotedMesh) and page.mesh.comparing
    assert page.mesh.shown == [newer, older]
    rest(rig, page)
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    assert not page.mesh.comparing
    rest(rig, page)


def test_settings_of_a_lift_come_back_into_the_form(rig: Rig, page: LandmarksPage) -> None:
    page.state.change(seed=11, guidance=3.5, method=LiftMethod.SDS)
    lift(rig, page)
    page.state.change(seed=0, guidance=None, method=LiftMethod.REFINE)
    page.state.use(page.state.lifts.history[0].request)
    assert page.state.wish == LiftWish(LiftMethod.SDS, LiftQuality.FAST, 11, 3.5, MODEL)
    assert page.form.seed.number == 11
    assert page.form.guidance_text.text() == "3.5"
    page.form.reset.click()
    assert page.form.guidance_text.text() == "2.0"


def test_choice_and_form_are_remembered(make_rig: MakeRig) -> None:
    landmark_card()
    first = make_rig().open()
    page = enter(first)
    page.state.choose("arc-de-triomphe")
    click(page.form.methods.button(LiftMethod.VIEWS))
    first.close()
    second = make_rig().open()
    page = enter(second)
    assert page.state.chosen_id == "arc-de-triomphe"
    assert page.state.wish.method is LiftMethod.VIEWS
    assert page.title.text() == "Arc de Triomphe"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"wish": 3}', '{"wish": {"seed": -1, "guidance": 1e9, "method": []}}']
)
def test_what_cannot_be_remembered_is_forgotten(make_rig: MakeRig, text: str) -> None:
    landmark_card()
    rig = make_rig()
    rig.session.settings.landmarks = text
    page = enter(rig.open())
    assert page.state.wish == LiftWish(model=MODEL)


# -- the map --


def test_the_map_shows_all_landmarks_and_flies_to_the_chosen_one(rig: Rig, page: LandmarksPage) -> None:
    assert {one["id"] for one in rig.map.landmarks} == {one.id for one in LANDMARKS}
    rig.map.landmark_clicked.emit("leaning-tower-of-pisa")
    assert page.state.chosen_id == "leaning-tower-of-pisa"
    south, west, north, east = rig.map.fitted[-1]
    pisa = landmark("pisa")
    assert south < pisa.lat < north and west < pisa.lon < east
    assert 100 < distance(south, pisa.lon, north, pisa.lon) < 500
    assert rig.map.coverage is None, "the other model's photos are not this one's"
    rig.window.show_page(rig.window.splitter)
    assert rig.map.coverage is not None


def test_explore_finds_its_map_as_it_was_left(rig: Rig, page: LandmarksPage) -> None:
    rig.window.show_page(rig.window.splitter)
    rig.map.view_changed.emit(40.75, -73.98, 14.0)
    rig.window.show_page(page)
    rig.map.landmark_clicked.emit("leaning-tower-of-pisa")
    rig.map.view_changed.emit(43.72, 10.39, 17.0)
    assert rig.session.settings.view == (40.75, -73.98, 14.0)
    rig.window.show_page(rig.window.splitter)
    assert rig.map.flights[-1] == (40.75, -73.98, 14.0)


def test_every_button_has_a_name(rig: Rig, page: LandmarksPage) -> None:
    lift(rig, page)
    nameless = [
        button
        for button in page.findChildren(QAbstractButton)
        if button.isVisibleTo(page) and not (button.accessibleName() or button.text() or button.toolTip())
    ]
    assert nameless == []


def test_the_tabs_show_both_sides_of_a_landmark(rig: Rig, page: LandmarksPage) -> None:
    page.state.choose("flatiron")
    click(page.tabs.button(SHAPE))
    assert page.body.currentIndex() == page.NOTHING
    assert "no shape of Flatiron Building" in page.nothing.sentence.text()
    click(page.tabs.button(KNOWN))
    assert page.body.currentIndex() == page.KNOWLEDGE


# -- a person's own landmarks --


def test_an_own_landmark_is_added_by_a_click_on_the_map_changed_and_removed(rig: Rig, page: LandmarksPage) -> None:
    QTest.keyClick(page, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert page.body.currentIndex() == page.EDITOR
    assert rig.map.picking
    editor = page.editor
    QTest.keyClicks(editor.name, "the Old Town Hall & Co")
    QTest.keyClick(editor.name, Qt.Key.Key_Return)
    assert not editor.wrong["place"].isHidden(), "a place is missing, and it is said"
    rig.map.place_picked.emit(40.7127, -74.0059)
    assert editor.place.text() == "40.71270, -74.00590"
    QTest.keyClicks(editor.height_edit, "tall")
    click(editor.save)
    assert "0.1 to 2,000" in editor.wrong["height"].text()
    editor.height_edit.clear()
    QTest.keyClick(editor.height_edit, Qt.Key.Key_Return)
    rig.until(lambda: len(page.state.book.listed) == len(LANDMARKS) + 1)
    rest(rig, page)
    own = page.state.book.listed[-1]
    assert (own.id, own.title, own.height) == ("old-town-hall-co", "Old Town Hall & Co", None)
    assert page.state.chosen_id == own.id
    assert not rig.map.picking
    assert not page.form.lift.isEnabled()
    QTest.keyClick(page.list, Qt.Key.Key_F2)
    editor.height_edit.setText("81,5")
    QTest.keyClick(editor.height_edit, Qt.Key.Key_Return)
    rig.until(lambda: page.state.book.listed[-1].height == 81.5)
    rest(rig, page)
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    rig.until(lambda: len(page.state.book.listed) == len(LANDMARKS))
    assert page.state.chosen_id == LANDMARKS[0].id
    QTest.keyClick(rig.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    rig.until(lambda: len(page.state.book.listed) == len(LANDMARKS) + 1)
    rest(rig, page)
    assert LandmarkStore().get(own.id).height == 81.5


def test_the_editor_is_left_by_escape(rig: Rig, page: LandmarksPage) -> None:
    click(page.add)
    QTest.keyClick(rig.window, Qt.Key.Key_Escape)
    assert page.body.currentIndex() == page.KNOWLEDGE
    assert not rig.map.picking
    rest(rig, page)


def test_a_damaged_list_of_landmarks_is_set_aside(make_rig: MakeRig) -> None:
    landmark_card()
    own_landmarks_path().write_text('{"landmarks": [{"landmark": 3}]}', encoding="utf-8")
    rig = make_rig().open()
    page = enter(rig)
    assert rig.session.notice is not None and "was damaged" in rig.session.notice.text
    assert len(page.state.book.listed) == len(LANDMARKS)
    assert own_landmarks_path().with_name("landmarks.json.damaged").is_file()


# -- arithmetic and words --


def test_gaps_go_round_the_circle() -> None:
    counts = [1] * 36
    counts[35] = counts[0] = counts[1] = counts[10] = 0
    assert gaps(counts) == [(35, 3), (10, 1)]
    assert gaps_text(counts) == "No photos from the north (345° to 15°) and the east (95° to 105°)."
    assert gaps([0] * 36) == [(0, 36)]
    assert gaps_text([0] * 36) == ""
    assert gaps_text([1] * 36) == "Photos from all sides."
    assert rose_text([0] * 36) == "No photos yet."
    assert petal_text(3, 1) == "From 30° (the north-east): 1 photo"


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 23, 99, 1234])
def test_rings_stand_at_few_round_numbers(most: int) -> None:
    rings = ring_counts(most)
    assert 1 <= len(rings) <= 4
    assert all(0 < ring <= most for ring in rings)


def test_a_long_lift_keeps_its_beginning_and_its_end() -> None:
    trace = Trace()
    for number in range(5000):
        trace.add(Moment(number / 5000, "fit", {"picture": 1 / (number + 1)}, 0.2, 0.1))
    assert len(trace.moments) <= MOST_POINTS
    assert trace.moments[0].share == 0
    assert trace.moments[-1].share == 4999 / 5000
    assert trace.names == ["picture"]
    trace.add(Moment(1.0, "draw", {}, 0.0, 0.0))
    assert trace.moments[-1].share == 4999 / 5000, "while views are drawn there is nothing to plot"


def test_losses_that_are_no_numbers_do_not_stop_the_plot(rig: Rig, page: LandmarksPage) -> None:
    trace = Trace()
    for value in (0.1, float("nan"), float("inf"), 0.0):
        trace.add(Moment(0.5, "fit", {"picture": value, HOSTILE: value}, 0.2, 0.1))
    page.live.plot.show_trace(trace)
    page.live.plot.resize(400, 150)
    assert not page.live.plot.grab().isNull()


def test_the_engine_is_not_asked_twice_for_the_same_lift(rig: Rig, page: LandmarksPage) -> None:
    assert isinstance(rig.engine, FakeEngine)
    rig.engine.lift_gate.clear()
    page.state.choose("flatiron")
    click(page.form.lift)
    click(page.form.lift)
    assert len(rig.session.queue) == 1
    page.state.change(seed=1)
    click(page.form.lift)
    assert len(rig.session.queue) == 2
    rig.session.cancel_all()
    rig.engine.lift_gate.set()
    rig.until(lambda: not rig.session.queue)
    rest(rig, page)
