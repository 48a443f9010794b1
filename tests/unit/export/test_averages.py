"""Averages for other programs: sheets that say what they are, pictures with their mark, maps that are quiet."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import shape

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces, Sampling
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.results import Result
from gpsdream_app.export import averages
from gpsdream_app.export.averages import (
    GridItem,
    data_uri,
    file_name,
    geojson,
    labelled_png,
    note_of,
    separate_pngs,
    strip_png,
    web_map,
)
from gpsdream_app.export.labels import face_for, fitted, one_line, wrapped
from gpsdream_app.geo.city import CityMap, load_city
from gpsdream_app.library.picture_metadata import SOURCE_TYPE, read_request, save_png

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"';--\u202e\0${1}{{ 7*7 }}{#{% raw %}{% endraw %}"
)
RED = (200, 30, 30)


@pytest.fixture(scope="module")
def city() -> CityMap:
    return load_city("manhattan")


def region(name: str = "Midtown", east: float = 0.0) -> Region:
    corners = ((40.75, -73.98), (40.75, -73.97), (40.76, -73.97), (40.76, -73.98))
    return Region(name, RegionKind.DRAWN, ((tuple((lat, lon + east) for lat, lon in corners),),))


def result(where: Region, photos: int | None = 12, prompt: str = "building") -> Result:
    places = tuple(Place(40.751 + i * 0.001, -73.975, 119.0) for i in range(8))
    request = AverageRequest((RegionPlaces(where, places, Sampling.AREA, photos),), prompt=prompt, seed=7, subset=4)
    return Result(
        "0" * 32, "job", request, "", "2026-11-20T10:00:00+00:00", 3.0, "Fifth Avenue, 1911", "ab" * 8, "0.1.0", 64, 64
    )


def item(name: str = "Midtown", photos: int | None = 12, colour: Any = RED, east: float = 0.0) -> GridItem:
    where = region(averages.one_line(name)[:100], east)
    return GridItem(name, "", Image.new("RGB", (64, 64), colour), where, result(where, photos))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def marked(path: Path) -> bool:
    with Image.open(path) as opened:
        return SOURCE_TYPE in str(opened.info.get("XML:com.adobe.xmp"))


# -- the sheet --


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 41])
def test_every_picture_stands_on_the_sheet(tmp_path: Path, count: int) -> None:
    path = tmp_path / "sheet.png"
    labelled_png([item(f"Region {number}") for number in range(count)], path, title="Averages")
    sheet = pixels(path)
    red = (np.abs(sheet.astype(int) - RED).max(axis=-1) < 3).sum()
    assert red == pytest.approx(count * averages.CELL**2, rel=0.02)
    assert marked(path)
    # Paper all around.
    assert (sheet[:20] > 240).all()
    assert (sheet[:, :20] > 240).all()


def test_pictures_keep_their_order(tmp_path: Path) -> None:
    colours = [(40 * number, 10, 255 - 40 * number) for number in range(6)]
    path = tmp_path / "sheet.png"
    labelled_png([item(str(number), colour=colour) for number, colour in enumerate(colours)], path)
    sheet = pixels(path).reshape(-1, pixels(path).shape[1], 3).astype(int)
    middles = [np.argwhere(np.abs(sheet - colour).max(axis=-1) < 3).mean(axis=0) for colour in colours]
    rows = [middles[:3], middles[3:]]
    for row in rows:
        assert row[0][1] < row[1][1] < row[2][1]
    assert rows[0][0][0] == rows[0][2][0] < rows[1][0][0]


def test_a_region_without_photos_looks_another_way(tmp_path: Path) -> None:
    plain, doubt = tmp_path / "plain.png", tmp_path / "doubt.png"
    for path, photos in ((plain, 3), (doubt, 0)):
        one = item("Same", photos)
        labelled_png([GridItem(one.title, "the same", one.picture, one.region, one.result)], path, note="x")
    assert not np.array_equal(pixels(plain), pixels(doubt))
    assert item(photos=0).second_line == "no photos here: a guess"
    assert item(photos=1).second_line == "1 photo"
    assert item(photos=1200).second_line == "1,200 photos"
    assert item(photos=None).second_line == ""


def test_the_note_says_what_the_pictures_share() -> None:
    items = [item("A"), item("B")]
    assert note_of(items) == (
        "“building” · average of 8 places each · 4 of them at each step · seed 7 · model: Fifth Avenue, 1911 · "
        "Drawn by a model; no photograph."
    )
    other = GridItem("C", "", RED_PICTURE, None, result(region(), prompt="tree"))
    assert "building" not in note_of([*items, other])
    assert note_of([GridItem("D", "", RED_PICTURE)]) == "Drawn by a model; no photograph."


RED_PICTURE = Image.new("RGB", (64, 64), RED)


@pytest.mark.parametrize(
    "text", ["", HOSTILE, "x" * 5000, "église дом 家 שלום", "two\nlines\t\0", "\u202eevil", "\ud800"]
)
def test_any_text_can_stand_on_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sheet.png"
    one = GridItem(text, text, RED_PICTURE, region(), None)
    labelled_png([one, one], path, title=text, note=text)
    sheet = pixels(path)
    # Nothing is written over the frame at the edge.
    assert (sheet[:, :20] > 240).all()
    assert (sheet[:, -20:] > 240).all()
    assert marked(path)


def test_words_are_cut_to_what_fits() -> None:
    line, face = fitted("a very long name of a region " * 10, 200, 30)
    assert line.endswith("…")
    assert face.getlength(line) <= 200
    assert fitted("short", 200, 30)[0] == "short"
    lines = wrapped("one two three four five six seven eight nine ten " * 8, 300, 20)
    assert len(lines) == 3
    assert all(face_for(line, 20).getlength(line) <= 300 for line in lines)
    assert one_line("a\u202eb\n c") == "a b c"
    assert face_for("дом", 20).getname()[0] == "STIXGeneral"
    assert face_for("שלום", 20).getname()[0] == "DejaVu Sans"


def test_a_sheet_is_no_picture_of_one_place(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    labelled_png([item(), item("Chelsea")], path)
    with Image.open(path) as opened:
        text = str(opened.info)
        assert "gpsdream" not in opened.info
        assert "40.75" not in text
        assert "building" in opened.info["parameters"]
        assert not opened.getexif().get_ifd(0x8825)


def test_pictures_come_from_files_too(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    RED_PICTURE.save(path)
    labelled_png([GridItem("One", "", path)], tmp_path / "sheet.png")
    assert marked(tmp_path / "sheet.png")
    for bad in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(GPSDreamError) as caught:
            labelled_png([GridItem("One", "", bad)], tmp_path / "other.png")
        assert caught.value.failure.kind is ErrorKind.BAD_PHOTO
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(GPSDreamError):
        labelled_png([GridItem("One", "", path)], tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()


def test_nothing_is_no_export(tmp_path: Path, city: CityMap) -> None:
    out = tmp_path / "out"
    for export in (
        lambda: labelled_png([], out),
        lambda: separate_pngs([], out),
        lambda: geojson([], out),
        lambda: web_map([GridItem("no region", "", RED_PICTURE)], out, city),
        lambda: strip_png([], out),
    ):
        with pytest.raises(GPSDreamError) as caught:
            export()
        assert caught.value.failure.kind is ErrorKind.BAD_REQUEST
    assert not out.exists()


def test_a_strip_has_all_frames_in_order(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (5 * number, 0, 250 - 5 * number)) for number in range(45)]
    path = tmp_path / "strip.png"
    strip_png(
        frames,
        path,
        title=HOSTILE,
        labels=[f"place {n}" for n in range(45)],
        side=40,
        per_row=20,
        result=result(region()),
    )
    sheet = pixels(path).astype(int)
    places = [np.argwhere(np.abs(sheet - frame.getpixel((0, 0))).max(axis=-1) < 2) for frame in frames]
    assert all(len(found) == pytest.approx(40 * 40, abs=2) for found in places)
    order = sorted(range(45), key=lambda number: (places[number].min(axis=0)[0], places[number].min(axis=0)[1]))
    assert order == list(range(45))
    assert marked(path)


# -- single pictures --


def test_each_picture_keeps_what_is_known(tmp_path: Path) -> None:
    items = [item("A/B: <c>"), item("A/B: <c>"), item("con"), item(HOSTILE)]
    paths = separate_pngs(items, tmp_path / "new")
    assert len(set(paths)) == 4
    assert all(path.parent == tmp_path / "new" for path in paths)
    for path, one in zip(paths, items, strict=True):
        assert one.result
        assert read_request(path) == one.result.request
        assert marked(path)
    again = separate_pngs(items[:1], tmp_path / "new")
    assert again[0] not in paths
    hidden = separate_pngs(items[:1], tmp_path / "hidden", include_place=False)
    assert b"40.75" not in hidden[0].read_bytes()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Midtown", "Midtown"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("", "picture"),
        ("...", "picture"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("x" * 300, "x" * 60),
        ("家", "家"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_file_names_that_every_disk_takes(text: str, name: str) -> None:
    assert file_name(text) == name


# -- GeoJSON --


@pytest.mark.parametrize("embed", [True, False])
def test_geojson_has_regions_and_pictures(tmp_path: Path, embed: bool) -> None:
    out = tmp_path / "averages.geojson"
    items = [item(HOSTILE), item("B", 0, east=0.02), GridItem("loose", "", RED_PICTURE)]
    geojson(items, out, embed=embed)
    data = json.loads(out.read_text(encoding="utf-8"))
    assert data["type"] == "FeatureCollection"
    for one, feature in zip(items, data["features"], strict=True):
        properties = feature["properties"]
        assert properties["title"] == one.title
        assert properties["digital_source_type"] == SOURCE_TYPE
        if embed:
            picture = Image.open(io.BytesIO(base64.b64decode(properties["picture"].split(",")[1])))
        else:
            picture = Image.open(out.parent / properties["picture"])
        assert picture.convert("RGB").getpixel((3, 3)) == RED
    first, second, loose = data["features"]
    assert shape(first["geometry"]).is_valid
    assert shapely.from_geojson(json.dumps(second["geometry"])).bounds == pytest.approx((-73.96, 40.75, -73.95, 40.76))
    assert loose["geometry"] is None
    assert (first["properties"]["photos"], second["properties"]["photos"]) == (12, 0)
    assert first["properties"]["prompt"] == "building"
    assert first["properties"]["places"] == 8


def test_a_large_picture_is_made_smaller_inside_another_file() -> None:
    uri = data_uri(GridItem("", "", Image.new("RGB", (2000, 1000), RED)))
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
        assert picture.size == (512, 256)


# -- the map --


def test_the_map_names_no_other_resource(tmp_path: Path, city: CityMap) -> None:
    out = tmp_path / "map.html"
    before = json.dumps(city.data)
    web_map([item(HOSTILE), item("B", 0)], out, city, title=HOSTILE, note=HOSTILE)
    assert json.dumps(city.data) == before
    text = re.sub(r"(data:image/png;base64,)[A-Za-z0-9+/=]+", r"\1", out.read_text(encoding="utf-8"))
    assert not re.search(r"<(script|img|iframe|object|embed)[^>]+\bsrc\s*=", text)
    assert "<link" not in text
    assert "@import" not in text
    # The second is the name of a drawing language of Internet Explorer's, which Leaflet mentions; no address.
    assert set(re.findall(r"url\((.{5})", text)) <= {"data:", "#defa"}
    assert re.search(r'Content-Security-Policy" content="default-src \'none\'', text)
    for foreign in ("cdn", "jquery", "bootstrap", "openstreetmap.org", "sourceMappingURL", "googleapis"):
        assert foreign.lower() not in text.lower()
    # What is not ours stands in it as data, and ends no script.
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text
    assert "\u202e" not in text
    assert "\0" not in text
    assert text.count("<script>") == text.count("</script>")
    assert "OpenStreetMap contributors" in text


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path, city: CityMap) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(GPSDreamError) as caught:
        web_map([item()], tmp_path / "file" / "map.html", city)
    assert caught.value.failure.kind is ErrorKind.DISK_FULL


def test_pictures_on_the_disk_bring_their_own_facts(tmp_path: Path) -> None:
    path = tmp_path / "average.png"
    made = result(region())
    save_png(RED_PICTURE, path, made)
    (copy,) = separate_pngs([GridItem("again", "", path)], tmp_path / "out")
    assert read_request(copy) == made.request
