from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpsdream_app.photos.records import Reason
from gpsdream_app.photos.sidecars import SidecarFields, SidecarIndex


@pytest.fixture
def index() -> Iterator[SidecarIndex]:
    index = SidecarIndex()
    yield index
    index.close()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fields(index: SidecarIndex, path: Path) -> SidecarFields:
    found = index.fields(str(path))
    assert found is not None
    return found


def test_a_table_gives_place_bearing_frontage_and_source(index: SidecarIndex, tmp_path: Path) -> None:
    table = write(
        tmp_path / "photos.csv",
        "file,lat,lon,bearing,height,name,left_lat,left_lon,right_lat,right_lon,source\n"
        'photos/1.jpg,40.7,-74.0,290,908,"No. 1, ""The Arch""",40.1,-74.1,40.2,-74.2,\n'
        "photos/1_a.jpg,40.8,-74.1,,512,,,,,,photos/1.jpg\n",
    )
    assert index.load(table)
    whole = fields(index, tmp_path / "photos" / "1.jpg")
    assert (whole.lat, whole.lon, whole.heading) == (40.7, -74.0, 290.0)
    assert whole.caption == 'No. 1, "The Arch"'
    assert whole.frontage == (40.1, -74.1, 40.2, -74.2)
    assert whole.tags == ()
    crop = fields(index, tmp_path / "photos" / "1_a.jpg")
    assert crop.source == str(tmp_path / "photos" / "1.jpg")
    assert crop.heading is None
    assert crop.frontage is None
    assert index.fields(str(tmp_path / "photos" / "2.jpg")) is None


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("File;Latitude;Longitude;Heading", "a.jpg;40.5;-73.5;10"),
        ("filename\tLAT\tLNG\tdirection", "a.jpg\t40.5\t-73.5\t370"),
        ("\ufeffpath, lat, long, bearing", ".\\a.jpg, 40.5, -73.5, 10"),
    ],
)
def test_dialects(index: SidecarIndex, tmp_path: Path, header: str, row: str) -> None:
    assert index.load(write(tmp_path / "t.csv", f"{header}\r\n{row}\r\n"))
    found = fields(index, tmp_path / "a.jpg")
    assert (found.lat, found.lon) == (40.5, -73.5)
    assert found.heading in (10.0, None)


def test_captions_with_tags(index: SidecarIndex, tmp_path: Path) -> None:
    line = {"file": "a.jpg", "caption": "A\nstone \u202earch", "building": ["row house"], "view": "facade", "height": 3}
    path = write(tmp_path / "captions.jsonl", json.dumps(line) + "\n\n" + '{"file": "b.jpg", "tags": ["x", 7, "x"]}\n')
    assert index.load(path)
    assert fields(index, tmp_path / "a.jpg").caption == "A stone arch"
    assert fields(index, tmp_path / "a.jpg").tags == ("row house", "facade")
    assert fields(index, tmp_path / "b.jpg").tags == ("x",)


def test_the_nearest_wins_and_the_others_fill_gaps(index: SidecarIndex, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    index.load(write(tmp_path / "outer.csv", "file,lat,lon,caption,heading\ninner/a.jpg,1,2,far,30\n"))
    index.load(write(inner / "inner.csv", "file,lat,lon,caption\na.jpg,3,4,table\n"))
    index.load(write(inner / "captions.jsonl", '{"file": "a.jpg", "caption": "words"}\n'))
    found = fields(index, inner / "a.jpg")
    assert (found.lat, found.lon, found.heading, found.caption) == (3.0, 4.0, 30.0, "words")


def test_a_bad_place_is_told_unless_another_row_has_a_good_one(index: SidecarIndex, tmp_path: Path) -> None:
    rows = [
        *("a.jpg,91,0", "b.jpg,0,0", "c.jpg,,5", "d.jpg,north,5", "e.jpg,nan,5", "f.jpg,inf,5", "g.jpg,40,200"),
        *("a2.jpg,91,0", "a2.jpg,40,50"),
    ]
    index.load(write(tmp_path / "t.csv", "file,lat,lon\n" + "\n".join(rows)))
    problems = {name: fields(index, tmp_path / f"{name}.jpg").problem for name in ("a", "b", "c", "d", "e", "f", "g")}
    assert problems == {
        "a": Reason.OUT_OF_RANGE,
        "b": Reason.NULL_ISLAND,
        "c": Reason.INCOMPLETE_GPS,
        "d": Reason.MALFORMED_GPS,
        "e": Reason.MALFORMED_GPS,
        "f": Reason.MALFORMED_GPS,
        "g": Reason.OUT_OF_RANGE,
    }
    mended = fields(index, tmp_path / "a2.jpg")
    assert (mended.lat, mended.problem) == (40.0, None)
    assert index.detail(str(tmp_path / "t.csv")) == "rows: 9, places: 1, captions: 0, unusable: 8"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", ""),
        ("t.csv", "a,b,c\n1,2,3\n"),
        ("t.csv", "file,size\na.jpg,3\n"),
        ("t.csv", "lat,lon\n1,2\n"),
        ("t.csv", "\x00\x01\x02"),
        ("t.jsonl", '{"text": "a training set of somebody"}\n{"file": "a.jpg"}\n'),
        ("t.jsonl", "[1, 2]\n"),
        ("t.jsonl", "[" * 60_000),
        ("t.jsonl", "not json\n"),
    ],
)
def test_other_files_are_no_sidecars(index: SidecarIndex, tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path / name, text)
    assert not index.load(path)
    assert index.detail(str(path)) is None


def test_rows_that_cannot_be_read_are_passed_over(index: SidecarIndex, tmp_path: Path) -> None:
    long_row = "x" * 300_000
    path = write(tmp_path / "t.csv", f"file,caption\na.jpg,good\n,empty\n{long_row},b\nc.jpg,{long_row}\nb.jpg,good\n")
    assert index.load(path)
    assert fields(index, tmp_path / "a.jpg").caption == "good"
    assert fields(index, tmp_path / "b.jpg").caption == "good"
    path = write(
        tmp_path / "t.jsonl", '{"file": "a.jpg", "caption": "good"}\nbroken\n[]\n{"file": 7}\n{"file": "z.jpg"}\n'
    )
    assert index.load(path)
    assert index.fields(str(tmp_path / "z.jpg")) == SidecarFields()


def test_values_of_the_wrong_kind_do_no_harm(index: SidecarIndex, tmp_path: Path) -> None:
    line = (
        '{"file": "a.jpg", "lat": [1], "lon": {}, "caption": 5, "tags": {"a": 1}, "heading": true, "left_lat": "x"}\n'
    )
    big = '{"file": "b.jpg", "lat": 1e999, "lon": ' + "9" * 400 + ', "heading": NaN, "source": 3}\n'
    index.load(write(tmp_path / "t.jsonl", line + big))
    assert fields(index, tmp_path / "a.jpg") == SidecarFields(problem=Reason.MALFORMED_GPS, detail="in a sidecar")
    assert fields(index, tmp_path / "b.jpg").problem is Reason.MALFORMED_GPS


def test_accents_match_however_they_are_written(index: SidecarIndex, tmp_path: Path) -> None:
    index.load(write(tmp_path / "t.csv", "file,caption\nCaf\u00e9.jpg,x\n"))
    assert fields(index, tmp_path / "Cafe\u0301.jpg").caption == "x"


def test_unused_rows_are_counted(index: SidecarIndex, tmp_path: Path) -> None:
    index.load(write(tmp_path / "t.csv", "file,caption\na.jpg,x\n../../etc/passwd,x\n/etc/passwd,x\n"))
    fields(index, tmp_path / "a.jpg")
    assert index.detail(str(tmp_path / "t.csv")) == (
        "rows: 3, places: 0, captions: 3, about files that are not in the folder: 2"
    )


def test_the_mark_changes_with_the_fields() -> None:
    one = SidecarFields(lat=1.0, lon=2.0, caption="a", tags=("b",), frontage=(1.0, 2.0, 3.0, 4.0))
    assert SidecarFields.from_json(one.to_json()) == one
    assert one.mark == SidecarFields.from_json(one.to_json()).mark
    assert one.mark != SidecarFields(lat=1.0, lon=2.0).mark


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(["csv", "jsonl"]), st.binary(max_size=200))
def test_no_bytes_raise(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"t.{suffix}"
    start = b"file,lat,lon,caption\na.jpg," if suffix == "csv" else b'{"file": "a.jpg", "lat": 1}\n{"file": '
    path.write_bytes(start + data)
    index = SidecarIndex()
    index.load(path)
    index.fields(str(tmp_path / "a.jpg"))
    index.close()
