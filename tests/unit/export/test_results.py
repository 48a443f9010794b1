"""Exports of results, each read again by a library that did not write it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import zipimport
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import defusedxml.minidom
import exifread
import imageio_ffmpeg
import numpy as np
import pytest
import shapely
from PIL import Image

from gpsdream_app.cli import EXPORT_FORMATS, PICTURE_KINDS
from gpsdream_app.domain.averages import AverageRequest, RegionPlaces
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result, ResultKind
from gpsdream_app.export.formats import ExportFormat, ExportWish, export_results
from gpsdream_app.export.kmz import inert
from gpsdream_app.export.results import ExportCancelled, Watch, facts
from gpsdream_app.export.table import FORMULA_STARTS, PLACE_COLUMNS
from gpsdream_app.geo.city import load_city
from gpsdream_app.geo.geojson import read_regions
from gpsdream_app.library.picture_metadata import SOURCE_TYPE, read_request, read_result, save_png
from gpsdream_app.photos.xmp import read_xmp

HOSTILE = (
    '=HYPERLINK("http://evil")</script><script>alert(1)</script>]]><img src=x onerror=alert(2)>"\';--,\u202e\0${1}'
    "$[name]{{ 7*7 }}../../\r\n\x1b[31m\ufeff"
)
PLACE = Place(40.7411, -73.9897, 29.0, "Fifth Avenue & E 23rd St")
Make = Callable[..., Result]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a result and its picture on the disk."""
    made = 0

    def result(place: Place | None = PLACE, prompt: str = "a church", **changes: Any) -> Result:
        nonlocal made
        made += 1
        path = tmp_path / "library" / f"{made}.png"
        known = Result(
            f"{made:032x}", "job", GenerateRequest(place, prompt, seed=made), str(path),
            f"2026-11-{made % 28 + 1:02d}T10:00:00+00:00", 3.0, "Fifth Avenue, 1911", "ab" * 8, "0.1.0", 48, 32, 12.5,
        )  # fmt: skip
        known = replace(known, **changes)
        pixels = np.zeros((32, 48, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = 200, np.linspace(0, 200, 48)
        save_png(Image.fromarray(pixels), path, known)
        return known

    return result


def average(make: Make, name: str = "Midtown") -> Result:
    ring = ((40.75, -73.98), (40.75, -73.97), (40.76, -73.97), (40.76, -73.98))
    hole = ((40.753, -73.977), (40.756, -73.977), (40.756, -73.974))
    region = Region(name[:200], RegionKind.DRAWN, ((ring, hole),))
    return make(request=AverageRequest((RegionPlaces(region, (Place(40.751, -73.975), Place(40.752, -73.971))),)))


def export(results: list[Result], out: Path, kind: str, **wish: Any) -> Any:
    return export_results(results, out, ExportWish(ExportFormat(kind), **wish), city=load_city("manhattan"))


# -- pictures --


def decoded(path: Path) -> np.ndarray:
    """Read a picture with FFmpeg, which shares no code with Pillow."""
    with Image.open(path) as opened:
        width, height = opened.size
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    pixels = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def tags_of(path: Path) -> dict[str, Any]:
    """Read EXIF with a parser that shares no code with Pillow; of a WebP it gets the chunk, which it does not find."""
    data = path.read_bytes()
    if data[:4] == b"RIFF":
        at = data.index(b"EXIF", 12)
        data = data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
    return dict(exifread.process_file(io.BytesIO(data)))


def xmp_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[data.index(b"<x:xmpmeta") : data.index(b"</x:xmpmeta>") + 12]


@pytest.mark.parametrize(("kind", "tolerance"), [("png", 0), ("jpeg", 6), ("webp", 12)])
def test_pictures_carry_place_words_and_mark(make: Make, tmp_path: Path, kind: str, tolerance: int) -> None:
    source = make()
    (path,) = export([source], tmp_path / "out", kind).files
    assert path.name == f"1 Fifth Avenue & E 23rd St, seed 1.{ExportFormat(kind).suffix}"
    difference = np.abs(decoded(path).astype(int) - decoded(Path(source.path)))
    assert difference.mean() <= tolerance
    tags = tags_of(path)
    lat, lon = (
        sum(float(part) / 60**power for power, part in enumerate(tags[f"GPS GPS{name}"].values))
        for name in ("Latitude", "Longitude")
    )
    assert (lat, lon) == pytest.approx((40.7411, 73.9897), abs=1e-8)
    assert str(tags["GPS GPSLongitudeRef"]) == "W"
    assert float(tags["GPS GPSImgDirection"].values[0]) == 29
    assert read_xmp(xmp_of(path)).generated
    assert read_xmp(xmp_of(path)).caption == "a church"
    if kind == "png":
        assert read_request(path) == source.request
    else:
        comment = bytes(tags["EXIF UserComment"].values)
        assert comment.startswith(b"UNICODE\0")
        words = comment[8:].decode("utf-16-be")
        assert words.startswith("a church\n")
        assert "Seed: 1" in words
        assert "GPS: 40.7411;-73.9897" in words


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "contact-sheet", "csv"])
def test_without_location_nothing_tells_where(make: Make, tmp_path: Path, kind: str) -> None:
    source = make()
    model = "/home/somebody/models/avenue"
    source = replace(source, request=replace(source.request, model=model))
    out = tmp_path / "out"
    export([source, average(make, "Secret Gardens")], out if ExportFormat(kind).is_folder else out / "x", kind,
           include_place=False)  # fmt: skip
    files = [path for path in out.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        for said in ("Fifth Avenue &", "40.74", "73.98", "Secret", "somebody"):
            assert said.encode() not in data
            assert said.encode("utf-16-be") not in data
            assert said not in path.name
        if kind != "csv":
            assert read_xmp(xmp_of(path)).generated
            assert "Image Software" in tags_of(path)
            assert not [tag for tag in tags_of(path) if tag.startswith("GPS")]
        else:
            header = data.decode("utf-8-sig").splitlines()[0]
            assert not [name for name in PLACE_COLUMNS if f'"{name}"' in header]


@pytest.mark.parametrize("kind", ["kmz", "geojson", "web-map", "requests"])
def test_maps_cannot_leave_places_out(kind: str) -> None:
    with pytest.raises(GPSDreamError, match="cannot leave them out"):
        ExportWish(ExportFormat(kind), include_place=False)


@pytest.mark.parametrize("quality", [0, 101, -1, True])
def test_a_quality_that_cannot_be(make: Make, tmp_path: Path, quality: int) -> None:
    with pytest.raises(GPSDreamError) as raised:
        export([make()], tmp_path / "out", "jpeg", quality=quality)
    assert raised.value.failure.kind is ErrorKind.BAD_REQUEST
    assert not list(tmp_path.glob("out/*"))


def test_files_that_are_there_stay(make: Make, tmp_path: Path) -> None:
    source = make()
    first = export([source], tmp_path / "out", "jpeg").files
    second = export([source], tmp_path / "out", "jpeg").files
    assert first != second
    assert first[0].exists()
    assert second[0].name.endswith(" 2.jpg")


# -- what is missing, and stopping --


@pytest.mark.parametrize("kind", [kind for kind in EXPORT_FORMATS if kind not in ("csv", "requests")])
def test_missing_pictures_are_named_and_the_others_exported(make: Make, tmp_path: Path, kind: str) -> None:
    lost, damaged, whole = make(replace(PLACE, name="Lost Lane")), make(replace(PLACE, name="Bent Bend")), make()
    Path(lost.path).unlink()
    Path(damaged.path).write_bytes(b"no picture")
    out = tmp_path / "out" / "x"
    written = export([lost, damaged, whole], out, kind)
    assert written.files
    assert len(written.left_out) == 2
    assert "Lost Lane" in written.left_out[0]
    assert "cannot be read" in written.left_out[0]
    assert "Bent Bend" in written.left_out[1]
    with pytest.raises(GPSDreamError, match="cannot be read"):
        export([lost, damaged], tmp_path / "other" / "x", kind)
    assert not [path for path in (tmp_path / "other").rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["kmz", "geojson", "web-map"])
def test_maps_leave_out_what_has_no_place(make: Make, tmp_path: Path, kind: str) -> None:
    written = export([make(None, "a lonely tree"), make()], tmp_path / "x", kind)
    assert len(written.left_out) == 1
    assert "a lonely tree" in written.left_out[0]
    with pytest.raises(GPSDreamError, match="has no place"):
        export([make(None)], tmp_path / "y", kind)
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_every_export_stops_when_asked_and_leaves_no_half_file(make: Make, tmp_path: Path, kind: str) -> None:
    done: list[tuple[int, int]] = []
    watch = Watch(lambda number, of: done.append((number, of)), lambda: len(done) == 2)
    out = tmp_path / "out" / "x"
    wish = ExportWish(ExportFormat(kind))
    with pytest.raises(ExportCancelled):
        export_results([make() for _ in range(4)], out, wish, city=load_city("manhattan"), watch=watch)
    assert done == [(1, 4), (2, 4)]
    assert not out.is_file()
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.is_file()]


def test_there_must_be_something_and_room_for_it(make: Make, tmp_path: Path) -> None:
    for kind in EXPORT_FORMATS:
        with pytest.raises(GPSDreamError, match="no pictures"):
            export([], tmp_path / "x", kind)
        (tmp_path / "file").write_text("")
        with pytest.raises(GPSDreamError) as raised:
            export([make()], tmp_path / "file" / "x", kind)
        assert raised.value.failure.kind is ErrorKind.DISK_FULL


def test_the_command_line_knows_the_formats() -> None:
    assert list(ExportFormat) == list(EXPORT_FORMATS)
    assert list(ResultKind) == list(PICTURE_KINDS)


# -- Google Earth --


def kml_of(path: Path) -> tuple[Any, Any]:
    """Read a KMZ without the module that wrote it; returns the document and a function that reads its files."""
    archive = zipimport.zipimporter(str(path))
    names = re.findall(rb"pictures/\d+\.jpg|icons/\d+\.jpg", path.read_bytes())
    assert names
    return defusedxml.minidom.parseString(archive.get_data("doc.kml")), archive.get_data


def texts(node: Any, name: str) -> list[str]:
    found = node.getElementsByTagName(name)
    return ["".join(child.data for child in one.childNodes if child.nodeType == child.TEXT_NODE) for one in found]


def test_google_earth_looks_where_the_picture_does(make: Make, tmp_path: Path) -> None:
    out = tmp_path / "tour.kmz"
    export([make(), make(Place(40.75, -73.98, None, "Nowhere")), average(make)], out, "kmz", title="A <tour>",
           field_of_view=90.0)  # fmt: skip
    document, read = kml_of(out)
    assert document.documentElement.namespaceURI == "http://www.opengis.net/kml/2.2"
    assert texts(document, "name")[0] == "A ‹tour›"
    street, somewhere, region = document.getElementsByTagName("Placemark")
    (overlay,) = document.getElementsByTagName("PhotoOverlay")
    for node in (street, overlay):
        (camera,) = node.getElementsByTagName("Camera")
        names = [child.nodeName for child in camera.childNodes if child.nodeType == child.ELEMENT_NODE]
        assert names == ["longitude", "latitude", "altitude", "heading", "tilt", "roll", "altitudeMode"]
        found = {name: float(texts(camera, name)[0]) for name in names[:-1]}
        assert found == {"longitude": -73.9897, "latitude": 40.7411, "altitude": 2, "heading": 29, "tilt": 90,
                         "roll": 0}  # fmt: skip
    view = {name: float(texts(overlay, name)[0]) for name in ("leftFov", "rightFov", "bottomFov", "topFov", "near")}
    assert (view["leftFov"], view["rightFov"]) == (-45, 45)
    assert math.tan(math.radians(view["topFov"])) == pytest.approx(32 / 48, abs=1e-4)
    assert view["bottomFov"] == -view["topFov"]
    assert view["near"] > 0
    assert not somewhere.getElementsByTagName("Camera")
    assert texts(somewhere, "coordinates") == ["-73.98,40.75,0"]
    assert len(region.getElementsByTagName("Polygon")) == 1
    outline, hole = texts(region, "coordinates")[1:]
    assert outline.split()[0] == outline.split()[-1] == "-73.98,40.75,0"
    assert len(hole.split()) == 4
    for node, href in ((street, "icons/00001.jpg"), (overlay, "pictures/00001.jpg")):
        assert texts(node, "href") == [href]
        data = read(href)
        assert Image.open(io.BytesIO(data)).format == "JPEG"
        assert SOURCE_TYPE.encode() in data
    assert 'src="pictures/00001.jpg"' in texts(street, "description")[0]
    assert SOURCE_TYPE in texts(street, "value")


def test_the_same_pictures_give_the_same_kmz_and_zip(make: Make, tmp_path: Path) -> None:
    results = [make(), make()]
    for kind in ("kmz", "requests"):
        for name in ("a", "b"):
            export(results, tmp_path / name, kind)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("degrees", [0.0, 171.0, math.nan])
def test_a_field_of_view_that_cannot_be(make: Make, tmp_path: Path, degrees: float) -> None:
    with pytest.raises(GPSDreamError, match="field of view"):
        export([make()], tmp_path / "x.kmz", "kmz", field_of_view=degrees)


@pytest.mark.parametrize("text", [HOSTILE, "x" * 1_000_000, "\ud800", "a & b < c", "]]>", "&lt;script&gt;", "\ufffe"])
def test_texts_are_inert_in_every_format(make: Make, tmp_path: Path, text: str) -> None:
    place = replace(PLACE, name=text)
    source = make(place, text[:1000], model_title=text, app_version=text)
    results = [source, average(make, text)]
    for kind in EXPORT_FORMATS:
        out = tmp_path / kind
        written = export(results, out, kind, **({"title": text} if ExportFormat(kind).has_title else {}))
        assert written.left_out == []
        for path in tmp_path.rglob("*"):
            # Nothing went elsewhere, by no name.
            assert path.relative_to(tmp_path).parts[0] in (*EXPORT_FORMATS, f"{'geojson'} pictures", "library",
                                                           "gpsdream-home")  # fmt: skip
    document, _ = kml_of(tmp_path / "kmz")
    for node in document.getElementsByTagName("*"):
        for child in node.childNodes:
            if child.nodeType == child.TEXT_NODE and node.nodeName != "description":
                assert not re.search(r"[<>]|\$\[|[\x00-\x08\x0b-\x1f\u202a-\u202e]", child.data)
    for description in texts(document, "description")[1:]:
        assert re.findall(r"<[^>]*>", description)[0].startswith('<img src="pictures/')
        assert set(re.findall(r"</?(\w+)", description)) == {"img", "p", "i"}
    page = (tmp_path / "web-map").read_text(encoding="utf-8")
    assert page.count("<script>") == len(re.findall("</script>", page))
    for part in ("<script>alert", "<img src=x"):
        assert part not in page
    json.loads((tmp_path / "geojson").read_text(encoding="utf-8"))


def test_inert_text_keeps_its_words() -> None:
    assert inert("a church <b>") == "a church ‹b›"
    assert "$[" not in inert("$[$[name]")


# -- GeoJSON --


def test_geojson_is_read_by_geos(make: Make, tmp_path: Path) -> None:
    out = tmp_path / "pictures of streets.geojson"
    export([make(), average(make)], out, "geojson")
    text = out.read_text(encoding="utf-8")
    collection = shapely.from_geojson(text)
    point, area = shapely.get_parts(collection)
    assert (point.x, point.y) == (-73.9897, 40.7411)
    assert area.is_valid
    assert area.covers(shapely.Point(-73.971, 40.752))
    first, second = (feature["properties"] for feature in json.loads(text)["features"])
    assert first["title"] == "Fifth Avenue & E 23rd St"
    assert (first["prompt"], first["heading"], first["digital_source_type"]) == ("a church", 29.0, SOURCE_TYPE)
    assert second["kind"] == "average"
    for properties in (first, second):
        assert read_result(out.parent / properties["picture"]).id == properties["id"]
    regions, said = read_regions(out)
    assert [region.name for region in regions] == ["Midtown"]
    assert len(said) == 1  # the point is none


# -- the table --


def test_the_table_is_read_by_numpy(make: Make, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    results = [make(prompt='shops, "open"'), make(None, "no place"), average(make)]
    export(results, out, "csv")
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    # NumPy's reader is written in C, apart from that of the standard library.
    rows = np.loadtxt(out, dtype=str, delimiter=",", quotechar='"', comments=None, encoding="utf-8-sig")
    assert rows.shape == (4, len(facts(results[0])) + 1)
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["prompt"] for row in table] == ['shops, "open"', "no place", "building"]
    assert float(table[0]["latitude"]) == 40.7411
    assert float(table[0]["longitude"]) == -73.9897
    assert table[1]["latitude"] == ""
    assert table[2]["places"] == "2"
    assert int(table[0]["seed"]) == 1
    assert table[0]["digital_source_type"] == SOURCE_TYPE


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "＝", "|", "%", "\n-", "\x00=", "\u202e="])
def test_no_cell_is_a_formula(make: Make, tmp_path: Path, start: str) -> None:
    out = tmp_path / "table.csv"
    evil = f"{start}cmd|' /C calc'!A0"
    export([make(replace(PLACE, name=evil), evil, model_title=evil)], out, "csv")
    with out.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    for name, cell in row.items():
        if name not in ("latitude", "longitude", "heading", "photo_distance"):
            assert not cell.startswith(FORMULA_STARTS), name
            assert not cell.strip().startswith(FORMULA_STARTS), name
        else:
            float(cell)
    assert row["prompt"].startswith("'") or start in (" =", "\t=", "\r=", "\n-", "\x00=", "\u202e=")


# -- the contact sheet --


def test_many_pictures_make_several_sheets(make: Make, tmp_path: Path) -> None:
    from gpsdream_app.export.contact_sheet import export_contact_sheet

    source = make()
    written = export_contact_sheet([source] * 5, tmp_path / "sheet.png", title="All", per_sheet=2)
    assert [path.name for path in written.files] == ["sheet.png", "sheet 2.png", "sheet 3.png"]
    reds = []
    for path in written.files:
        sheet = decoded(path).astype(int)
        reds.append(int(((np.abs(sheet[..., 0] - 200) < 4) & (sheet[..., 2] < 4)).sum()))
        assert read_xmp(xmp_of(path)).generated
    assert reds[0] == reds[1] == 2 * reds[2] > 0


def test_a_hundred_results_do_not_hold_a_hundred_pictures(make: Make, tmp_path: Path) -> None:
    source = make()
    for number in range(2, 30):
        shutil.copy(source.path, tmp_path / f"{number}.png")
    results = [source] + [replace(source, path=str(tmp_path / f"{n}.png"), id=f"{n:032x}") for n in range(2, 30)]
    assert len(export(results, tmp_path / "out", "webp").files) == 29
    page = export(results, tmp_path / "map.html", "web-map").files[0].read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 29
