"""Regions, drawing and walks on the real map page, by real mouse and key events."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo.frames import distance
from gpsdream_app.ui.map.scheme import ORIGIN
from gpsdream_app.ui.map.view import MapView

from .conftest import MakeDriver
from .driver import PATIENCE, Driver

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"


def picture(colour: str = "#8a6d3b", side: int = 64) -> QImage:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


def png(colour: str) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture(colour).save(buffer, "PNG")
    return bytes(buffer.data().data())


def area(identifier: str, south: float, west: float, size: float = 0.006, **more: Any) -> dict[str, Any]:
    """A square region."""
    corners = [(south, west), (south, west + size), (south + size, west + size), (south + size, west)]
    return {"id": identifier, "name": identifier.title(), "polygons": [[corners]], **more}


OLD_TOWN = area("old town", 40.722, -74.006, photos=1204, picture=picture())
MEADOW = area("meadow", 40.733, -73.988, photos=0, picture=png("#3b6d8a"), selected=True)
HARBOUR = area("harbour", 40.724, -73.985)


class Listener:
    """Everything that a map says of regions, pins and drawing, in order."""

    def __init__(self, view: MapView) -> None:
        self.said: list[tuple[Any, ...]] = []
        for name in ("region_clicked", "region_drawn", "region_edited", "drawing_ended", "place_picked"):
            getattr(view, name).connect(lambda *values, name=name: self.said.append((name, *values)))

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.said]


def near(driver: Driver, first: Any, second: Any, pixels: float = 1.5) -> bool:
    return distance(*first, *second) <= pixels * driver.metres_per_pixel()


def shown(driver: Driver, points: list[QPoint]) -> list[tuple[float, float]]:
    return [driver.place(point) for point in points]


def assert_near(driver: Driver, found: Any, wanted: list[tuple[float, float]]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert near(driver, one, other), (one, other)


def press(driver: Driver, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(driver.target, key, modifier)


def begin(driver: Driver, mode: str) -> None:
    driver.view.start_drawing(mode)
    driver.wait_js("document.getElementById('map').classList.contains('drawing')")


def corners(driver: Driver, count: int) -> None:
    driver.wait_js(f"document.querySelectorAll('.draft-corner').length === {count}")


def settle(driver: Driver) -> None:
    """Let everything that is on its way between page and window arrive."""
    driver.js("new Promise(r => setTimeout(r, 0)) && 1")
    QTest.qWait(60)


@pytest.fixture
def populated(make_driver: MakeDriver) -> Driver:
    """A map with three regions, two of them with pictures."""
    driver = make_driver(prepare=lambda view: view.set_regions([OLD_TOWN, MEADOW, HARBOUR]))
    driver.wait_js("[...document.querySelectorAll('.print-picture')].filter(p => p.naturalWidth > 0).length === 2")
    return driver


# Regions


def test_pictures_stand_in_their_regions(populated: Driver, caplog: pytest.LogCaptureFixture) -> None:
    driver = populated
    assert driver.js("document.querySelectorAll('path.region').length") == 3
    assert driver.js("document.querySelectorAll('path.region.chosen').length") == 1
    hatched = "[...document.querySelectorAll('path.region-hatch')].filter(p => getComputedStyle(p).display !== 'none')"
    assert driver.js(f"{hatched}.length") == 1, "the region without photos is marked"
    assert driver.js(f"{hatched}[0].getAttribute('fill')") == "url(#region-hatching)"
    for region in (OLD_TOWN, MEADOW):
        stand = f"[data-region='{region['id']}']"
        south, west = region["polygons"][0][0][0]
        foot = driver.middle_of(f"{stand} .foot")
        assert (foot - driver.position(south + 0.003, west + 0.003)).manhattanLength() <= 3
        picture_middle = driver.middle_of(f"{stand} img")
        assert picture_middle.y() < foot.y() and abs(picture_middle.x() - foot.x()) < 4
    assert driver.js("document.querySelector('.stand-body.blind').dataset.region") == "meadow"
    assert "1,204 photos" in driver.js(
        "document.querySelector(\"[data-region='old town'] .print\").getAttribute('aria-label')"
    )
    assert "The map page failed" not in caplog.text


def test_what_is_seen_is_the_picture(populated: Driver) -> None:
    driver = populated
    middle = driver.middle_of("[data-region='old town'] img")
    wanted = QColor("#8a6d3b")

    def is_seen() -> bool:
        found = driver.view.grab().toImage().pixelColor(middle)
        parts = ((found.red(), wanted.red()), (found.green(), wanted.green()), (found.blue(), wanted.blue()))
        return all(abs(one - other) < 16 for one, other in parts)

    driver.qtbot.waitUntil(is_seen, timeout=PATIENCE)


def test_pictures_do_not_cover_one_another(make_driver: MakeDriver) -> None:
    regions = [
        area(f"r{i}{j}", 40.722 + i * 0.003, -74.0 + j * 0.004, 0.0025, picture=picture())
        for i in range(5)
        for j in range(5)
    ]
    driver = make_driver(prepare=lambda view: view.set_regions(regions))
    driver.wait_js("document.querySelectorAll('.print').length === 25")
    boxes = driver.js(
        "[...document.querySelectorAll('.stand-body:not(.folded) .print')]"
        ".map(p => p.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) >= 6
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            assert max(0, wide) * max(0, high) < 0.12 * (a[2] - a[0]) * (a[3] - a[1])


def test_pictures_grow_with_the_zoom(populated: Driver) -> None:
    driver = populated
    widths = []
    for zoom in (12, 14, 16):
        driver.view.fly_to(40.73, -73.99, zoom)
        driver.qtbot.waitUntil(lambda zoom=zoom: driver.at is not None and driver.at[2] == zoom, timeout=PATIENCE)
        widths.append(driver.js("document.querySelector(\"[data-region='old town'] img\").offsetWidth"))
    assert widths == sorted(set(widths)) and widths[0] >= 32 and widths[-1] <= 144


def test_a_click_on_a_region_is_not_a_click_on_the_map(populated: Driver) -> None:
    driver = populated
    heard = Listener(driver.view)
    driver.click(driver.position(40.725, -73.983))
    driver.qtbot.waitUntil(lambda: heard.said == [("region_clicked", "harbour")], timeout=PATIENCE)
    driver.click(driver.middle_of("[data-region='old town'] img"))
    driver.qtbot.waitUntil(lambda: heard.said[1:] == [("region_clicked", "old town")], timeout=PATIENCE)
    driver.click(QPoint(700, 60))
    driver.qtbot.waitUntil(lambda: heard.names[2:] == ["place_picked"], timeout=PATIENCE)


def test_a_map_that_is_for_regions_picks_no_place(populated: Driver) -> None:
    driver = populated
    driver.view.set_picking(False)
    driver.wait_js("document.getElementById('map').classList.contains('choosing')")
    heard = Listener(driver.view)
    driver.click(QPoint(700, 60))
    driver.drag(QPoint(700, 60), QPoint(640, 90), Qt.MouseButton.RightButton)
    driver.click(driver.position(40.725, -73.983))
    driver.qtbot.waitUntil(lambda: bool(heard.said), timeout=PATIENCE)
    assert heard.said == [("region_clicked", "harbour")]
    assert driver.js("document.querySelectorAll('.pin-body').length") == 0
    driver.view._bridge.picked(40.7, -74.0)  # a click that was on its way when the map was told
    assert heard.names == ["region_clicked"]


def test_of_regions_over_one_another_the_smallest_takes_the_click(driver: Driver) -> None:
    street = {
        "id": "street",
        "name": "Main Street",
        "kind": "street",
        "polygons": [[[(40.7299, -74.01), (40.7299, -73.97), (40.7301, -73.97), (40.7301, -74.01)]]],
        "line": [(40.73, -74.01), (40.73, -73.97)],
        "width": 20,
    }
    hole = [(40.731, -73.996), (40.731, -73.993), (40.734, -73.993), (40.734, -73.996)]
    large = area("large", 40.726, -74.0, 0.012)
    large["polygons"][0].append(hole)
    driver.view.set_regions([large, street])
    driver.wait_js("document.querySelectorAll('path.region').length === 2")
    heard = Listener(driver.view)
    driver.click(driver.position(40.73, -73.99) + QPoint(0, 4))  # beside the band, within reach
    driver.click(driver.position(40.728, -73.99))
    driver.click(driver.position(40.7325, -73.9945))  # in the hole
    driver.qtbot.waitUntil(lambda: len(heard.said) == 3, timeout=PATIENCE)
    assert [said[:2] for said in heard.said[:2]] == [("region_clicked", "street"), ("region_clicked", "large")]
    assert heard.names[2] == "place_picked"


def test_the_pointer_names_what_it_stands_on(populated: Driver) -> None:
    driver = populated
    hovered: list[str] = []
    driver.view.region_hovered.connect(hovered.append)
    driver.move(driver.position(40.725, -73.983))
    driver.qtbot.waitUntil(lambda: hovered == ["harbour"], timeout=PATIENCE)
    driver.wait_js("document.querySelectorAll('path.region.pointed').length === 1")
    assert driver.js("document.querySelector('#tip b').textContent") == "Harbour"
    driver.move(driver.position(40.7225, -74.0055))
    driver.qtbot.waitUntil(lambda: hovered == ["harbour", "old town"], timeout=PATIENCE)
    assert driver.js("document.querySelector('#tip').textContent") == "Old Town1,204 photos seen here"
    driver.move(QPoint(700, 60))
    driver.qtbot.waitUntil(lambda: hovered == ["harbour", "old town", ""], timeout=PATIENCE)
    assert driver.js("document.getElementById('tip').hidden")
    driver.view.highlight_region("meadow")
    driver.wait_js("document.querySelector(\"[data-region='meadow']\").classList.contains('pointed')")
    driver.view.highlight_region("")
    driver.wait_js("document.querySelectorAll('.pointed').length === 0")


def test_names_stay_text(make_driver: MakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    region = area("'\"><b>", 40.725, -73.995, name=HOSTILE, picture=picture())
    driver = make_driver(prepare=lambda view: view.set_regions([region]))
    driver.wait_js("document.querySelectorAll('.print').length === 1")
    driver.move(driver.position(40.7265, -73.9935))
    driver.wait_js("!document.getElementById('tip').hidden")
    assert driver.js("document.querySelector('#tip b').textContent") == HOSTILE
    assert driver.js("document.querySelector('.print-name').textContent") == HOSTILE
    assert driver.js("document.querySelectorAll('#map img').length") == 1
    assert driver.js("document.title") == "Map"
    with driver.qtbot.waitSignal(driver.view.region_clicked, timeout=PATIENCE) as blocker:
        driver.click(driver.position(40.7265, -73.9935))
    assert blocker.args == ["'\"><b>"]
    assert "The map page failed" not in caplog.text


def test_pictures_travel_as_documents(driver: Driver) -> None:
    view = driver.view
    many = [area(f"r{i}", 40.70 + 0.001 * i, -74.0, 0.001, picture=picture(f"#0000{i:02x}")) for i in range(40)]
    view.set_regions(many)
    first = json.loads(view._state["regions"])
    assert len(view._state["regions"]) < 200 * len(many)
    urls = [item["picture"] for item in first["items"]]
    assert len(set(urls)) == 40
    view.set_regions([{**region, "selected": True} for region in many])
    second = json.loads(view._state["regions"])
    assert second["url"] == first["url"] and [item["picture"] for item in second["items"]] == urls
    view.set_regions([{**many[0], "picture": None}])
    assert view._documents.route(urls[0].removeprefix(f"{ORIGIN}/data/")) is None
    driver.wait_js("document.querySelectorAll('path.region').length === 1")
    view.set_regions([{**many[0], "picture": b"no picture"}])
    assert json.loads(view._state["regions"])["items"][0]["picture"] is None


def test_a_large_picture_becomes_a_thumbnail(driver: Driver) -> None:
    driver.view.set_regions([area("a", 40.725, -73.995, picture=picture(side=1024))])
    driver.wait_js("document.querySelector('.print-picture')?.naturalWidth === 288")


def test_bad_regions_are_refused(driver: Driver) -> None:
    good = area("a", 40.7, -74.0)
    for bad in (
        {**good, "polygons": []},
        {**good, "polygons": [[[(40.7, -74.0), (40.8, -74.0)]]]},
        {**good, "polygons": [[[(40.7, -74.0), (40.8, -74.0), (95.0, -74.0)]]]},
        {**good, "centre": (40.7, 500.0)},
        {**good, "name": "x" * 500},
    ):
        with pytest.raises(GPSDreamError):
            driver.view.set_regions([bad])
    for ill in ([good, good], [{**good, "id": ""}], [{**good, "id": "x" * 500}]):
        with pytest.raises(ValueError, match="id"):
            driver.view.set_regions(ill)
    with pytest.raises(ValueError, match="mode"):
        driver.view.start_drawing("circle")
    with pytest.raises(ValueError, match="no region"):
        driver.view.edit_region("unknown")
    with pytest.raises(GPSDreamError):
        driver.view.set_walk([(91, 0)])
    driver.view.set_regions([{**good, "polygons": good["polygons"][0]}])  # an outline alone
    driver.wait_js("document.querySelectorAll('path.region').length === 1")


# Drawing


POINTS = [QPoint(300, 200), QPoint(500, 180), QPoint(520, 400), QPoint(280, 380)]


@pytest.mark.parametrize("ending", ["double click", "first corner", "Enter", "window"])
def test_a_polygon_is_drawn_with_the_mouse(populated: Driver, ending: str) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin(driver, "polygon")
    assert driver.view.drawing == "polygon"
    assert "first corner" in driver.js("document.getElementById('hint').textContent")
    for count, point in enumerate(POINTS[:3], start=1):
        driver.click(point)
        corners(driver, count)
    driver.move(POINTS[3])
    driver.wait_js("document.querySelector('.draft-area').getAttribute('d').length > 20")
    driver.wait_js("!document.getElementById('tip').hidden")
    if ending == "double click":
        driver.double_click(POINTS[3])
    else:
        driver.click(POINTS[3])
        corners(driver, 4)
        if ending == "first corner":
            driver.click(POINTS[0] + QPoint(3, -4))
        elif ending == "Enter":
            press(driver, Qt.Key.Key_Return)
        else:
            driver.view.finish_drawing()
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    settle(driver)
    assert heard.names == ["region_drawn", "drawing_ended"], "no click is left over for a pin or a region"
    assert heard.said[0][1] == "polygon"
    assert_near(driver, heard.said[0][2], shown(driver, POINTS))
    assert driver.view.drawing == ""
    assert driver.js("document.getElementById('hint').hidden")
    assert driver.js("document.querySelectorAll('.draft-corner, .draft-area').length") == 0


@pytest.mark.parametrize("drags", [True, False])
def test_a_rectangle_is_drawn_with_the_mouse(driver: Driver, drags: bool) -> None:
    heard = Listener(driver.view)
    begin(driver, "rectangle")
    before = driver.at
    start, end = QPoint(250, 200), QPoint(450, 330)
    if drags:
        driver.drag(start, end)
    else:
        driver.click(start)
        corners(driver, 1)
        driver.move(QPoint(400, 300))
        driver.wait_js("document.querySelector('.draft-area').getAttribute('d').length > 20")
        assert "×" in driver.js("document.getElementById('tip').textContent")
        driver.click(end)
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    settle(driver)
    assert heard.names == ["region_drawn", "drawing_ended"]
    _, kind, points = heard.said[0]
    assert kind == "rectangle"
    wanted = [start, QPoint(end.x(), start.y()), end, QPoint(start.x(), end.y())]
    assert_near(driver, points, shown(driver, wanted))
    assert driver.at == before, "the map stays where it is"
    driver.drag(QPoint(300, 300), QPoint(350, 320))  # and can be dragged again
    driver.qtbot.waitUntil(lambda: driver.at != before, timeout=PATIENCE)


def test_a_line_is_drawn_with_the_mouse(driver: Driver) -> None:
    heard = Listener(driver.view)
    begin(driver, "line")
    for count, point in enumerate(POINTS[:2], start=1):
        driver.click(point)
        corners(driver, count)
    driver.double_click(POINTS[2])
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    settle(driver)
    assert heard.names == ["region_drawn", "drawing_ended"]
    assert heard.said[0][1] == "line"
    assert_near(driver, heard.said[0][2], shown(driver, POINTS[:3]))


def test_corners_are_taken_back(driver: Driver) -> None:
    heard = Listener(driver.view)
    begin(driver, "polygon")
    press(driver, Qt.Key.Key_Backspace)  # nothing there yet
    for count, point in enumerate([*POINTS, QPoint(600, 500)], start=1):
        driver.click(point)
        corners(driver, count)
    press(driver, Qt.Key.Key_Backspace)
    corners(driver, 4)
    press(driver, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    corners(driver, 3)
    driver.view.undo_drawing()
    corners(driver, 2)
    press(driver, Qt.Key.Key_Return)
    driver.wait_js("document.getElementById('hint').textContent.includes('at least three')")
    assert heard.said == []
    driver.click(POINTS[3])
    corners(driver, 3)
    press(driver, Qt.Key.Key_Enter)
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    assert_near(driver, heard.said[0][2], shown(driver, [POINTS[0], POINTS[1], POINTS[3]]))


@pytest.mark.parametrize("mode", ["polygon", "rectangle", "line"])
def test_escape_ends_with_nothing(populated: Driver, mode: str) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin(driver, mode)
    driver.click(POINTS[0])
    corners(driver, 1)
    press(driver, Qt.Key.Key_Escape)
    driver.qtbot.waitUntil(lambda: heard.names == ["drawing_ended"], timeout=PATIENCE)
    assert driver.view.drawing == "" and driver.js("document.querySelectorAll('.draft-corner').length") == 0
    begin(driver, mode)
    driver.view.stop_drawing()
    assert heard.names == ["drawing_ended"] * 2
    driver.wait_js("!document.getElementById('map').classList.contains('drawing')")
    QTest.qWait(450)  # a second half of a double click would come within this time
    driver.click(driver.position(40.725, -73.983))
    driver.qtbot.waitUntil(lambda: heard.said[2:] == [("region_clicked", "harbour")], timeout=PATIENCE)


def test_a_drag_moves_the_map_and_sets_no_corner(driver: Driver) -> None:
    begin(driver, "polygon")
    driver.click(POINTS[0])
    corners(driver, 1)
    with driver.qtbot.waitSignal(driver.view.view_changed, timeout=PATIENCE):
        driver.drag(QPoint(400, 300), QPoint(330, 260))
    settle(driver)
    corners(driver, 1)


def test_a_crossing_outline_is_told_and_taken(driver: Driver) -> None:
    heard = Listener(driver.view)
    begin(driver, "polygon")
    bow_tie = [QPoint(300, 200), QPoint(500, 400), QPoint(500, 200), QPoint(300, 400)]
    for count, point in enumerate(bow_tie, start=1):
        driver.click(point)
        corners(driver, count)
    driver.wait_js("document.getElementById('hint').textContent.includes('crosses itself')")
    press(driver, Qt.Key.Key_Return)
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    assert_near(driver, heard.said[0][2], shown(driver, bow_tie))


def test_the_keyboard_alone_can_draw(driver: Driver) -> None:
    heard = Listener(driver.view)
    begin(driver, "line")
    assert driver.at is not None
    first = driver.at[:2]
    driver.view.activateWindow()
    driver.qtbot.waitUntil(driver.view.isActiveWindow, timeout=PATIENCE)
    driver.target.setFocus()
    driver.wait_js("document.hasFocus()")
    press(driver, Qt.Key.Key_Space)
    corners(driver, 1)
    with driver.qtbot.waitSignal(driver.view.view_changed, timeout=PATIENCE):
        press(driver, Qt.Key.Key_Right)
    second = driver.at[:2]
    press(driver, Qt.Key.Key_Space)
    corners(driver, 2)
    press(driver, Qt.Key.Key_Return)
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    assert_near(driver, heard.said[0][2], [first, second])


def test_another_tool_puts_the_first_away(driver: Driver) -> None:
    heard = Listener(driver.view)
    begin(driver, "polygon")
    driver.click(POINTS[0])
    corners(driver, 1)
    driver.view.start_drawing("line")
    assert heard.names == ["drawing_ended"]
    corners(driver, 0)
    for count, point in enumerate(POINTS[:2], start=1):
        driver.click(point)
        corners(driver, count)
    press(driver, Qt.Key.Key_Return)
    driver.qtbot.waitUntil(lambda: heard.names[1:] == ["region_drawn", "drawing_ended"], timeout=PATIENCE)
    assert heard.said[1][1] == "line"


def test_the_page_cannot_draw_unasked(driver: Driver) -> None:
    heard = Listener(driver.view)
    driver.view._bridge.drawn("polygon", [[40.7, -74], [40.71, -74], [40.71, -73.99]])
    driver.view._bridge.edited("x", [[[[40.7, -74], [40.71, -74], [40.71, -73.99]]]])
    driver.view._bridge.regionClicked("unknown")
    driver.view._bridge.toolEnded()
    begin(driver, "line")
    driver.view._bridge.drawn("polygon", [[40.7, -74], [40.71, -74], [40.71, -73.99]])
    assert heard.said == [] and driver.view.drawing == "line"


# Editing


def begin_edit(driver: Driver, identifier: str = "harbour", handles: int = 8) -> None:
    driver.view.edit_region(identifier)
    driver.wait_js(f"document.querySelectorAll('.corner').length === {handles}")


def at_corner(index: int) -> str:
    return f".corner[data-corner='0 0 {index}']"


def test_corners_of_a_region_are_dragged(populated: Driver) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin_edit(driver)
    target = driver.middle_of(at_corner(2)) + QPoint(40, -30)
    driver.drag(driver.middle_of(at_corner(2)), target)
    driver.wait_js(f'document.querySelector("{at_corner(2)}").getBoundingClientRect().left > {target.x() - 15}')
    press(driver, Qt.Key.Key_Return)
    driver.qtbot.waitUntil(lambda: heard.names == ["region_edited", "drawing_ended"], timeout=PATIENCE)
    _, identifier, polygons = heard.said[0]
    assert identifier == "harbour"
    wanted = list(HARBOUR["polygons"][0][0])
    wanted[2] = driver.place(target)
    assert_near(driver, polygons[0][0], wanted)


def test_corners_come_and_go(populated: Driver) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin_edit(driver)
    middle = driver.middle_of(".at-middle")  # of the southern edge
    added = middle + QPoint(0, 40)
    driver.drag(middle, added)
    driver.wait_js("document.querySelectorAll('.at-corner').length === 5")
    driver.double_click(driver.middle_of(at_corner(3)))
    driver.wait_js("document.querySelectorAll('.at-corner').length === 4")
    press(driver, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    driver.wait_js("document.querySelectorAll('.at-corner').length === 5")
    driver.js(f'document.querySelector("{at_corner(4)}").focus()')
    press(driver, Qt.Key.Key_Delete)
    driver.wait_js("document.querySelectorAll('.at-corner').length === 4")
    driver.view.finish_drawing()
    driver.qtbot.waitUntil(lambda: heard.names == ["region_edited", "drawing_ended"], timeout=PATIENCE)
    ring = HARBOUR["polygons"][0][0]
    assert_near(driver, heard.said[0][2][0][0], [ring[0], driver.place(added), ring[1], ring[2]])


def test_arrow_keys_move_a_corner_and_an_area_keeps_three(populated: Driver) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin_edit(driver)
    driver.js(f'document.querySelector("{at_corner(0)}").focus()')
    before = driver.middle_of(at_corner(0))
    press(driver, Qt.Key.Key_Right)
    press(driver, Qt.Key.Key_Right)
    driver.qtbot.waitUntil(lambda: driver.middle_of(at_corner(0)).x() == before.x() + 8, timeout=PATIENCE)
    press(driver, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # both at once
    driver.qtbot.waitUntil(lambda: driver.middle_of(at_corner(0)) == before, timeout=PATIENCE)
    for left in (3, 3):
        driver.js("document.querySelector('.at-corner').focus()")
        press(driver, Qt.Key.Key_Delete)
        driver.wait_js(f"document.querySelectorAll('.at-corner').length === {left}")
    assert "at least three" in driver.js("document.getElementById('hint').textContent")
    press(driver, Qt.Key.Key_Escape)
    driver.qtbot.waitUntil(lambda: heard.names == ["drawing_ended"], timeout=PATIENCE)


def test_an_edit_that_changes_nothing_says_nothing(populated: Driver) -> None:
    driver = populated
    heard = Listener(driver.view)
    begin_edit(driver)
    driver.click(driver.position(40.727, -73.982))  # in it
    settle(driver)
    assert heard.said == []
    driver.click(QPoint(60, 60))  # beside it
    driver.qtbot.waitUntil(lambda: heard.names == ["drawing_ended"], timeout=PATIENCE)
    begin_edit(driver)
    driver.view.set_regions([OLD_TOWN])  # the region is gone
    assert heard.names == ["drawing_ended"] * 2
    driver.wait_js("document.querySelectorAll('.corner').length === 0")


# A walk


def test_a_dot_walks_along_a_line(driver: Driver) -> None:
    walk = [(40.72 + i * 0.0001, -73.995, 90.0) for i in range(120)]
    driver.view.set_walk(walk, 30)
    driver.wait_js("document.querySelectorAll('.walker-dot').length === 1")
    url = driver.view._state["walk"]
    for index in (30, 90, 119):
        driver.view.set_walk(walk, index)
        spot = driver.position(*walk[index][:2])
        driver.qtbot.waitUntil(
            lambda spot=spot: (driver.middle_of(".walker-dot") - spot).manhattanLength() <= 2, timeout=PATIENCE
        )
    assert driver.view._state["walk"] == url, "the line is sent once"
    assert driver.js("document.querySelector('.walker-beak').getAttribute('transform')") == "rotate(90)"
    driver.view.set_walk(walk, 5000)
    driver.wait_js("document.querySelectorAll('.walker-dot').length === 0")
    assert driver.js("document.querySelectorAll('.walk-line').length") == 1
    driver.view.set_walk([])
    driver.wait_js("document.querySelectorAll('.walk-line').length === 0")


# The page comes and goes


def test_a_page_that_is_loaded_anew_shows_everything_again(populated: Driver, caplog: pytest.LogCaptureFixture) -> None:
    driver = populated
    view = driver.view
    heard = Listener(view)
    view.set_walk([(40.72, -73.995), (40.725, -73.995), (40.73, -73.99)], 1)
    view.set_picking(False)
    begin(driver, "polygon")
    for count, point in enumerate(POINTS[:3], start=1):
        driver.click(point)
        corners(driver, count)
    driver.qtbot.waitUntil(lambda: len(json.loads(view._state["tool"])["draft"] or ()) == 3, timeout=PATIENCE)
    with driver.qtbot.waitSignal(view.ready, timeout=PATIENCE), caplog.at_level(logging.WARNING):
        view.reload()
    driver.wait_js("document.querySelectorAll('.print').length === 2")
    driver.wait_js("document.querySelectorAll('.walker-dot').length === 1")
    corners(driver, 3)
    press(driver, Qt.Key.Key_Return)
    driver.qtbot.waitUntil(lambda: "drawing_ended" in heard.names, timeout=PATIENCE)
    assert_near(driver, heard.said[0][2], shown(driver, POINTS[:3]))
    assert driver.js("document.getElementById('map').classList.contains('choosing')")
    assert "The map page failed" not in caplog.text


def test_an_edit_outlives_the_page(populated: Driver) -> None:
    driver = populated
    view = driver.view
    heard = Listener(view)
    begin_edit(driver)
    driver.double_click(driver.middle_of(at_corner(3)))
    driver.wait_js("document.querySelectorAll('.at-corner').length === 3")
    driver.qtbot.waitUntil(lambda: bool(json.loads(view._state["tool"])["draft"]), timeout=PATIENCE)
    with driver.qtbot.waitSignal(view.ready, timeout=PATIENCE):
        view.reload()
    driver.wait_js("document.querySelectorAll('.at-corner').length === 3")
    view.finish_drawing()
    driver.qtbot.waitUntil(lambda: heard.names == ["region_edited", "drawing_ended"], timeout=PATIENCE)
    assert_near(driver, heard.said[0][2][0][0], list(HARBOUR["polygons"][0][0][:3]))


def test_themes_and_reduced_motion(populated: Driver) -> None:
    driver = populated
    stroke = "getComputedStyle(document.querySelector('path.region.chosen')).stroke"
    light = driver.js(stroke)
    driver.view.set_theme("dark")
    driver.wait_js("document.documentElement.dataset.theme === 'dark'")
    driver.qtbot.waitUntil(lambda: driver.js(stroke) != light, timeout=PATIENCE)
    assert driver.js("getComputedStyle(document.querySelector('.print')).transitionDuration") == "0s"
    assert driver.js("getComputedStyle(document.querySelector('.print')).animationName") == "none"


def test_a_box_comes_into_sight(driver: Driver) -> None:
    driver.view.fit(40.722, -74.006, 40.728, -74.0)
    driver.qtbot.waitUntil(
        lambda: driver.at is not None and near(driver, driver.at[:2], (40.725, -74.003), 3), timeout=PATIENCE
    )
    for lat, lon in ((40.722, -74.006), (40.728, -74.0)):
        spot = driver.position(lat, lon)
        assert 0 < spot.x() < 800 and 0 < spot.y() < 600
    assert driver.at is not None and driver.at[2] > 14


def test_without_a_page_everything_is_kept(driver: Driver) -> None:
    view = driver.view
    view._listening = False
    view.set_regions([OLD_TOWN])
    view.start_drawing("polygon")
    view.finish_drawing()
    view.undo_drawing()
    view.stop_drawing()
    view.set_walk([(40.7, -74.0)], 0)
    assert json.loads(view._state["tool"]) is None and "old town" in view._state["regions"]


def test_a_jpeg_is_a_jpeg() -> None:
    from gpsdream_app.ui.map.view import _jpeg_of

    assert _jpeg_of(b"<svg onload=alert(1)>") == b""
    body = _jpeg_of(picture())
    assert QImage.fromData(QByteArray(body), "JPEG").width() == 64
