"""A person's own regions: kept, named, undone; a damaged file is set aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpsdream_app.domain.averages import MAX_REGIONS
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.library.regions import OwnRegions, own_regions_path


def region(name: str = "Here", lon: float = -74.0) -> Region:
    return Region(name, RegionKind.DRAWN, ((((40.7, lon), (40.8, lon), (40.8, lon + 0.1)),),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "regions.json"


def names(own: OwnRegions) -> list[str]:
    return [each.region.name for each in own.list()]


def test_what_is_added_is_there_the_next_time(path: Path) -> None:
    own = OwnRegions(path)
    assert own.list() == ()
    first, second = own.add(region()), own.add(region("There", -73.5))
    again = OwnRegions(path)
    assert again.list() == (first, second)
    assert again.get(second.id).region == region("There", -73.5)
    assert again.notice == ""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_names_stay_apart(path: Path) -> None:
    own = OwnRegions(path)
    for name in ("Here", "Here", "", "  ", "Here", "<b>\0x"):
        own.add(region(name))
    assert names(own) == ["Here", "Here 2", "Region 1", "Region 2", "Here 3", "<b> x"]
    last = own.list()[-1]
    own.rename(last.id, "Here")
    assert names(own)[-1] == "Here 4"
    own.rename(last.id, "Here 4")
    assert names(own)[-1] == "Here 4"


def test_every_step_can_be_undone(path: Path) -> None:
    own = OwnRegions(path)
    one = own.add(region("One"))
    states = [own.list()]
    own.add_all([region("Two"), region("Three")])
    states.append(own.list())
    own.rename(one.id, "First")
    states.append(own.list())
    own.replace(one.id, region("ignored", -73.0))
    states.append(own.list())
    assert own.get(one.id).region == region("First", -73.0)
    own.delete(one.id)
    assert names(own) == ["Two", "Three"]
    for state, what in zip(reversed(states), ("delete", "change", "rename", "add"), strict=True):
        assert own.undoable == what
        assert own.undo() == what
        assert own.list() == state
        assert OwnRegions(path).list() == state
    assert own.undo() == "add"
    assert own.undo() == own.undoable == ""
    assert own.list() == ()


def test_what_changes_nothing_is_no_step(path: Path) -> None:
    own = OwnRegions(path)
    one = own.add(region("One"))
    own.rename(one.id, "One")
    own.replace(one.id, region("One"))
    assert own.add_all([]) == ()
    own.undo()
    assert own.list() == ()


def test_what_is_gone_is_a_sentence(path: Path) -> None:
    own = OwnRegions(path)
    one = own.add(region())
    own.delete(one.id)
    for act in (lambda: own.delete(one.id), lambda: own.rename(one.id, "x"), lambda: own.get("nothing")):
        with pytest.raises(GPSDreamError) as caught:
            act()
        assert caught.value.failure.kind is ErrorKind.BAD_REQUEST


def test_there_is_an_end_to_them(path: Path) -> None:
    own = OwnRegions(path)
    own.add_all([region(str(number)) for number in range(MAX_REGIONS)])
    with pytest.raises(GPSDreamError, match="the most"):
        own.add(region())
    assert len(OwnRegions(path).list()) == MAX_REGIONS


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '{"schema": 1}', '{"schema": 1, "regions": 3}', '{"schema": 99, "regions": []}',
     '{"schema": "x", "regions": []}', "\ufeff\0\0", "[" * 50_000],
)  # fmt: skip
def test_a_damaged_file_is_set_aside(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    own = OwnRegions(path)
    assert own.list() == ()
    assert "kept as" in own.notice
    (aside,) = path.parent.iterdir()
    assert aside.name in own.notice
    assert aside.read_text(encoding="utf-8") == text
    own.add(region())
    assert len(list(path.parent.iterdir())) == 2


def test_one_damaged_region_spoils_no_other(path: Path) -> None:
    own = OwnRegions(path)
    own.add(region("Good"))
    own.add(region("Bad"))
    data = json.loads(path.read_text())
    data["regions"][1]["polygons"] = [[[["x", 2], [3, 4], [5, 6]]]]
    data["regions"] += [None, 3, {"id": "../../x"}, data["regions"][0]]
    before = json.dumps(data)
    path.write_text(before)
    again = OwnRegions(path)
    assert names(again) == ["Good"]
    assert "5 regions" in again.notice
    (aside,) = [entry for entry in path.parent.iterdir() if entry != path]
    assert aside.read_text() == before


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path) -> None:
    own = OwnRegions(tmp_path / "file" / "regions.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(GPSDreamError) as caught:
        own.add(region())
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert own.list() == ()
    assert own.undoable == ""


def test_they_live_in_the_persons_folder(gpsdream_home: Path) -> None:
    OwnRegions().add(region())
    assert own_regions_path() == gpsdream_home / "regions.json"
    assert own_regions_path().is_file()
