"""Pictures are read back here by other means than those that wrote them, wherever that is possible."""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.library.picture_metadata import (
    MAX_TEXT_BYTES,
    SIGNATURE,
    parameters_text,
    read_png,
    read_request,
    read_result,
    save_png,
)

PLACE = Place(40.741112345, -73.98971234567, 29.05, "Fifth Avenue & E 23rd St")
REQUEST = GenerateRequest(PLACE, "a street, horse cars", "people", 4294967295, 1, 20, 3.25, 7.5)
IMAGE = Image.effect_noise((64, 48), 60).convert("RGB")
CREATED = "2026-11-20T10:44:11.123456+00:00"
HOSTILE = (
    "\"quotes\" 'and' \\backslashes\\",
    "line\nbreaks\r\nand\ttabs",
    "<script>alert(1)</script> & <!-- --> ]]> &amp;",
    "emoji 🌆🏳️‍🌈 and 漢字 and עברית",
    "nul \0 bell \a escape \x1b[31m delete \x7f",
    "half a pair \ud83c and another \udf06",
    "\ufeff\ufffe\uffff",
    "Negative prompt: no\nSteps: 3, Seed: 9, Model: x",
    "x" * 1000,
    "\U0001f306" * 1000,
    "",
    " ",
)


def make(request: GenerateRequest = REQUEST, **values: Any) -> Result:
    result = Result(
        "0123456789abcdef" * 2, "job", request, "/p.png", CREATED, 1.25, "A Title, <b>", "f" * 16, "0.1", 64, 48, 12.5
    )
    return replace(result, **values)


def saved(tmp_path: Path, result: Result | None = None, **options: bool) -> Path:
    path = tmp_path / "picture.png"
    save_png(IMAGE, path, result or make(), **options)
    return path


def chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """Read a PNG by the book: length, kind, data, checksum."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, position = [], 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        body = data[position + 8 : position + 8 + length]
        (crc,) = struct.unpack_from(">I", data, position + 8 + length)
        assert crc == zlib.crc32(kind + body)
        found.append((kind, body))
        position += 12 + length
    assert found[-1][0] == b"IEND"
    return found


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def itxt(path: Path, keyword: bytes) -> str:
    (body,) = [body for kind, body in chunks(path) if kind == b"iTXt" and body.startswith(keyword + b"\0")]
    assert body[len(keyword) : len(keyword) + 5] == b"\0\0\0\0\0", "not packed, no language"
    return body[len(keyword) + 5 :].decode("utf-8")


def rewritten(path: Path, *, without: tuple[bytes, ...] = (), extra: bytes = b"") -> Path:
    """Write a PNG again, without the chunks that begin so, and with others after the header."""
    kept = [(kind, body) for kind, body in chunks(path) if not (kind + body).startswith(without or (b"?",))]
    other = path.with_name("rewritten.png")
    head, *rest = (chunk(kind, body) for kind, body in kept)
    other.write_bytes(SIGNATURE + head + extra + b"".join(rest))
    return other


def gps_by_hand(tiff: bytes) -> dict[int, Any]:
    """Read the GPS directory of EXIF by the TIFF specification."""
    order = {b"II": "<", b"MM": ">"}[tiff[:2]]

    def entries(offset: int) -> dict[int, tuple[int, int, bytes]]:
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        found = {}
        for number in range(count):
            tag, kind, length = struct.unpack_from(order + "HHI", tiff, offset + 2 + 12 * number)
            size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind] * length
            start = offset + 2 + 12 * number + 8
            if size > 4:
                (start,) = struct.unpack_from(order + "I", tiff, start)
            found[tag] = kind, length, tiff[start : start + size]
        return found

    root = entries(struct.unpack_from(order + "I", tiff, 4)[0])
    if 0x8825 not in root:
        return {}
    values: dict[int, Any] = {}
    for tag, (kind, length, data) in entries(struct.unpack(order + "I", root[0x8825][2])[0]).items():
        if kind == 5:
            numbers = struct.unpack(f"{order}{2 * length}I", data)
            values[tag] = [numbers[i] / numbers[i + 1] for i in range(0, 2 * length, 2)]
        else:
            values[tag] = data.rstrip(b"\0").decode("latin-1")
    return values


# -- writing --


def test_a_picture_gives_its_request_back(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert read_png(path) == REQUEST
    assert read_result(path) == make(path=str(path))
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert image.tobytes() == IMAGE.tobytes()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_unchanged_and_harms_no_reader(tmp_path: Path, text: str) -> None:
    request = replace(REQUEST, prompt=text, negative_prompt=text[::-1], place=replace(PLACE, name=text))
    path = saved(tmp_path, make(request, model_title=text[:100]))
    assert read_png(path) == request
    ElementTree.fromstring(itxt(path, b"XML:com.adobe.xmp").encode())
    with Image.open(path) as image:
        image.load()
        assert "Steps: 20" in image.text["parameters"]  # type: ignore[attr-defined]


texts = st.text(st.characters(), max_size=80)
degrees = st.floats(allow_nan=False, allow_infinity=False)
places = st.builds(Place, st.floats(-90, 90), st.floats(-180, 180), st.none() | degrees, texts)
weights = st.floats(0, 50)
requests = st.builds(
    GenerateRequest,
    st.none() | places,
    texts,
    texts,
    st.integers(0, 2**32 - 1),
    st.integers(1, 64),
    st.integers(1, 200),
    weights,
    weights,
    texts.filter(bool),
)


@given(requests)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_comes_back_equal(tmp_path: Path, request_: GenerateRequest) -> None:
    path = saved(tmp_path, make(request_))
    assert read_png(path) == request_
    exif = [body for kind, body in chunks(path) if kind == b"eXIf"]
    gps = gps_by_hand(exif[0])
    place = request_.place
    assert bool(gps) == (place is not None)
    if place:
        for value, tag, positive in ((place.lat, 2, "N"), (place.lon, 4, "E")):
            degrees_, minutes, seconds = gps[tag]
            assert minutes < 60 and seconds < 60
            assert degrees_ + minutes / 60 + seconds / 3600 == pytest.approx(abs(value), abs=2e-10)
            assert (gps[tag - 1] == positive) == (value >= 0)
        if place.heading is not None:
            assert gps[16] == "T"
            assert 0 <= gps[17][0] < 360
            assert abs((gps[17][0] - place.heading + 180) % 360 - 180) < 1e-4


def test_exif_says_where_as_cameras_do(tmp_path: Path) -> None:
    path = saved(tmp_path)
    (tiff,) = [body for kind, body in chunks(path) if kind == b"eXIf"]
    gps = gps_by_hand(tiff)
    assert (gps[1], gps[3], gps[16], gps[18]) == ("N", "W", "T", "WGS-84")
    assert gps[2] == [40, 44, pytest.approx(28.004442, abs=1e-6)]
    assert gps[17] == [29.05]
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[0x0131] == "GPSDream 0.1"
        assert exif[0x0132] == "2026:11:20 10:44:11"
        assert [float(part) for part in exif.get_ifd(0x8825)[4]] == [73, 59, pytest.approx(22.964444, abs=1e-6)]


def test_xmp_carries_the_mark_of_a_generated_picture(tmp_path: Path) -> None:
    root = ElementTree.fromstring(itxt(saved(tmp_path), b"XML:com.adobe.xmp"))
    extension = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
    assert [element.text for element in root.iter(f"{extension}DigitalSourceType")] == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    ]
    assert [element.text for element in root.iter(f"{extension}AIPromptInformation")] == [
        "a street, horse cars\nNegative prompt: people"
    ]


def test_other_generators_can_read_the_parameters(tmp_path: Path) -> None:
    assert parameters_text(make()) == (
        "a street, horse cars\nNegative prompt: people\n"
        "Steps: 20, CFG scale: 3.25, Place guidance: 7.5, Seed: 4294967295, Size: 64x48, "
        "Model hash: ffffffffffffffff, Model: fifth-avenue-1911, GPS: 40.741112345;-73.98971234567, "
        "Heading: 29.05, Place: Fifth Avenue & E 23rd St, Version: GPSDream 0.1"
    )
    (text,) = [body for kind, body in chunks(saved(tmp_path)) if kind == b"tEXt"]
    assert text == b"parameters\0" + parameters_text(make()).encode("latin-1")


def test_the_path_on_this_computer_is_not_told(tmp_path: Path) -> None:
    path = saved(tmp_path, make(path="/home/somebody/secret-folder/p.png"))
    assert b"somebody" not in path.read_bytes()


def test_sharing_without_location_leaves_no_trace_of_it(tmp_path: Path) -> None:
    request = replace(REQUEST, model="/home/somebody/models/mine")
    path = saved(tmp_path, make(request), include_place=False)
    assert read_png(path) == replace(request, place=None, model="mine")
    assert read_result(path).photo_distance is None
    raw = b"".join(body for kind, body in chunks(path) if kind != b"IDAT")
    for trace in (b"40.74", b"73.98", b"29.05", b"Fifth Avenue", b"23rd", b"12.5", b"somebody", b"WGS", b"GPS:"):
        assert trace not in raw
    (tiff,) = [body for kind, body in chunks(path) if kind == b"eXIf"]
    assert gps_by_hand(tiff) == {}
    assert b"trainedAlgorithmicMedia" in raw


def test_saving_makes_folders_and_replaces_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "picture.png"
    save_png(IMAGE.convert("RGBA"), path, make())
    save_png(IMAGE.convert("L"), path, make(replace(REQUEST, seed=3)))
    assert read_png(path).seed == 3
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written to"), (errno.EACCES, "may not write")],
)
def test_a_disk_that_refuses_gives_a_sentence_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(GPSDreamError, match=words) as caught:
        save_png(IMAGE, path, make(replace(REQUEST, seed=1)))
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert caught.value.failure.hint
    assert [file.name for file in tmp_path.glob("*.png*")] == ["picture.png"]
    assert [file.name for file in tmp_path.glob(".*")] == []
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_file_that_cannot_be_finished_is_removed(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(GPSDreamError, match="not saved"):
            save_png(IMAGE, tmp_path / "pictures" / "picture.png", make())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "pictures").iterdir()) == []


# -- reading --


def refused(path: Path, words: str) -> None:
    for read in (read_png, read_result):
        with pytest.raises(GPSDreamError, match=words) as caught:
            read(path)
        assert caught.value.failure.kind is ErrorKind.BAD_PHOTO


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    data = saved(tmp_path).read_bytes()
    path = tmp_path / "cut.png"
    for length in [*range(0, 200, 3), *range(200, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path, "damaged or cut off|not a PNG")


def test_a_changed_byte_in_the_parameters_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"seed": 4294967295', b'"seed": 4294967294'))
    refused(path, "damaged")


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_gives_more_than_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 2500))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    for read in (read_png, read_result):
        try:
            read(path)
        except GPSDreamError as error:
            assert error.failure.kind is ErrorKind.BAD_PHOTO


@given(st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_chunk_gives_more_than_a_sentence(tmp_path: Path, noise: bytes) -> None:
    source = saved(tmp_path)
    for kind, head in (
        (b"iTXt", b"gpsdream\0\0\0\0\0"),
        (b"iTXt", b"gpsdream"),
        (b"tEXt", b"parameters\0"),
        (b"zTXt", b"parameters\0"),
        (b"eXIf", b"Exif\0\0II*\0"),
    ):
        path = rewritten(source, without=(b"iTXtgpsdream", b"eXIf"), extra=chunk(kind, head + noise))
        for read in (read_png, read_result):
            try:
                read(path)
            except GPSDreamError as error:
                assert error.failure.kind is ErrorKind.BAD_PHOTO


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '{"schema": 1}',
        '{"schema": "x", "request": {}}',
        '{"schema": 1, "request": []}',
        '{"schema": 1, "request": {"place": {"lat": 91, "lon": 0}}}',
        '{"schema": 1, "request": {"steps": NaN}}',
        '{"schema": 1, "request": {"seed": ' + "9" * 5000 + "}}",
        "[" * 100_000,
        '{"schema": 99, "request": {}}',
    ],
)
def test_json_that_is_no_request_gives_a_sentence(tmp_path: Path, text: str) -> None:
    extra = chunk(b"iTXt", b"gpsdream\0\0\0\0\0" + text.encode())
    path = rewritten(saved(tmp_path), without=(b"iTXtgpsdream",), extra=extra)
    refused(path, "parameters that cannot|newer GPSDream")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../x"},
        {"id": 5},
        {"created": "yesterday"},
        {"seconds": "x"},
        {"width": 10**400},
        {"job_id": None},
        {"typicality_rank": 1.5},
        {"typicality_rank": "x"},
        {"places_compared": -1},
    ],
    ids=str,
)
def test_a_result_of_the_wrong_kind_is_not_believed(tmp_path: Path, change: dict[str, Any]) -> None:
    source = saved(tmp_path)
    data = {**json.loads(itxt(source, b"gpsdream")), **change}
    extra = chunk(b"iTXt", b"gpsdream\0\0\0\0\0" + json.dumps(data).encode())
    path = rewritten(source, without=(b"iTXtgpsdream",), extra=extra)
    assert read_png(path) == REQUEST
    with pytest.raises(GPSDreamError, match="wrong kind"):
        read_result(path)


def test_bombs_do_not_go_off(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(200_000_000), 9)
    extra = chunk(b"iTXt", b"gpsdream\0\1\0\0\0" + packed) + chunk(b"zTXt", b"parameters\0\0" + packed)
    refused(rewritten(saved(tmp_path), without=(b"iTXtgpsdream", b"tEXt"), extra=extra), "no parameters|not saved by")
    head = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    path = tmp_path / "large.png"
    path.write_bytes(SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    refused(path, "200,000 by 200,000")


def test_foreign_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "other.png"
    IMAGE.save(path)
    refused(path, "no parameters|not saved by")
    jpeg = tmp_path / "photo.jpg"
    IMAGE.save(jpeg)
    refused(jpeg, "not a PNG")
    refused(tmp_path / "missing.png", "does not exist")
    refused(tmp_path, "cannot be read")


@pytest.mark.parametrize("request_", [REQUEST, replace(REQUEST, negative_prompt="", place=None)], ids=["all", "bare"])
def test_without_our_json_the_parameters_give_the_request_back(tmp_path: Path, request_: GenerateRequest) -> None:
    path = rewritten(saved(tmp_path, make(request_)), without=(b"iTXtgpsdream", b"eXIf"))
    assert read_png(path) == request_


def test_a_picture_of_another_generator_fills_the_form(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text(
        "parameters",
        "a house, <lora:x:1>\non a hill\nNegative prompt: blur,\nfog\n"
        "Steps: 30, Sampler: DPM++ 2M, CFG scale: 6.5, Seed: 5000000000, Size: 512x512, Model hash: 0a1b, "
        'Model: someone/else, GPS: 48.8584; 2.2945, Lora hashes: "x: 0, y: 1", Version: v1.9',
    )
    path = tmp_path / "other.png"
    IMAGE.save(path, pnginfo=info)
    assert read_png(path) == GenerateRequest(
        Place(48.8584, 2.2945),
        "a house, <lora:x:1>\non a hill",
        "blur,\nfog",
        5_000_000_000 % 2**32,
        steps=30,
        text_guidance=6.5,
    )
    with pytest.raises(GPSDreamError, match="not saved by GPSDream"):
        read_result(path)


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        ("only words", "only words", ""),
        ("Negative prompt: bad\nSteps: 5, Seed: 1, Size: 8x8", "", "bad"),
        ("Steps: three, two, one", "Steps: three, two, one", ""),
        ("a: b\nc: d, e: f, g: h", "a: b\nc: d, e: f, g: h", ""),
    ],
)
def test_parameters_of_odd_shapes(tmp_path: Path, text: str, prompt: str, negative: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    path = tmp_path / "other.png"
    IMAGE.save(path, pnginfo=info)
    request = read_png(path)
    assert (request.prompt, request.negative_prompt) == (prompt, negative)


@pytest.mark.parametrize("settings_", ["Steps: 5000, Seed: 1, Size: 8x8", "Steps: 5, Seed: 1, GPS: 95;0"])
def test_parameters_out_of_range_give_a_sentence(tmp_path: Path, settings_: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"words\n{settings_}")
    path = tmp_path / "other.png"
    IMAGE.save(path, pnginfo=info)
    refused(path, "cannot be used|not saved by")


def test_the_place_comes_from_exif_if_the_parameters_name_none(tmp_path: Path) -> None:
    source = saved(tmp_path)
    extra = chunk(b"tEXt", b"parameters\0words\nSteps: 5, Seed: 1, Size: 8x8")
    place = read_png(rewritten(source, without=(b"iTXtgpsdream", b"tEXt"), extra=extra)).place
    assert place
    assert place.lat == pytest.approx(PLACE.lat, abs=1e-9)
    assert place.lon == pytest.approx(PLACE.lon, abs=1e-9)
    assert place.heading == pytest.approx(29.05)


PLACES = tuple(Place(40.7 + number * 1.2345678e-7, -73.9 - number * 1e-7, number / 12) for number in range(4096))
OUTLINE = ((40.69, -73.91), (40.69, -73.89), (40.71, -73.89))


def average(places: tuple[Place, ...] = PLACES[:3], **values: Any) -> AverageRequest:
    region = Region('Village, "the"', RegionKind.NEIGHBOURHOOD, ((OUTLINE,),))
    return AverageRequest((RegionPlaces(region, places, photos=12),), "tree", **values)


@pytest.mark.parametrize("count", [1, 3, 4096])
def test_an_average_carries_its_whole_request(tmp_path: Path, count: int) -> None:
    request = average(PLACES[:count], seed=7, subset=1, negative_prompt="people")
    result = make(request, path=str(tmp_path / "picture.png"), photo_distance=None)
    path = saved(tmp_path, result)
    assert read_request(path) == request
    assert read_result(path) == result
    with Image.open(path) as image:
        image.load()
        assert image.convert("RGB").tobytes() == IMAGE.tobytes()
        gps = image.getexif().get_ifd(0x8825)
        assert float(gps[2][0]) == 40 and gps[3] == "W" and 17 not in gps


def test_a_very_large_outline_is_carried_too(tmp_path: Path) -> None:
    rings = tuple(
        (tuple((40.7 + number * 1e-7, -73.9 + part * 1e-3) for number in range(15_000)),) for part in range(6)
    )
    places = RegionPlaces(Region("Coast", RegionKind.FILE, rings), PLACES)
    request = AverageRequest((places,), "tree")
    path = saved(tmp_path, make(request))
    assert path.stat().st_size > MAX_TEXT_BYTES
    assert read_request(path) == request
    with Image.open(path) as image:
        image.load()


def test_whoever_wants_a_single_picture_is_told_where_averages_are_opened(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as caught:
        read_png(saved(tmp_path, make(average())))
    assert caught.value.failure.kind is ErrorKind.BAD_PHOTO
    assert "average of a region" in caught.value.failure.message
    assert "Neighbourhoods" in caught.value.failure.hint


def test_the_parameters_of_an_average_tell_what_it_is(tmp_path: Path) -> None:
    text = parameters_text(make(average(subset=2)))
    assert 'Place: "Village, \\"the\\"", Average of: 3 places, Places per step: 2, Sampling: area' in text


def test_a_program_that_knows_no_averages_is_told_to_be_updated(tmp_path: Path) -> None:
    schemas = []
    for request in (REQUEST, average()):
        path = saved(tmp_path, make(request))
        (body,) = [body for kind, body in chunks(path) if kind == b"iTXt" and body.startswith(b"gpsdream\0")]
        schemas.append(json.loads(body.split(b"\0", 5)[-1])["schema"])
    assert schemas == [1, 2]


def test_sharing_an_average_without_location_leaves_words_and_settings(tmp_path: Path) -> None:
    path = saved(tmp_path, make(average(seed=7)), include_place=False)
    raw = b"".join(body for kind, body in chunks(path) if kind != b"IDAT")
    for trace in (b"40.7", b"73.9", b"Village", b"WGS", b"GPS:"):
        assert trace not in raw
    request = read_request(path)
    assert (request.place, request.prompt, request.seed) == (None, "tree", 7)
    with pytest.raises(GPSDreamError, match="not saved by GPSDream"):
        read_result(path)


def test_a_shared_frame_does_not_tell_its_series(tmp_path: Path) -> None:
    path = saved(tmp_path, make(series="abcdef0123456789"))
    assert read_result(path).series == "abcdef0123456789"
    assert read_result(saved(tmp_path, make(series="abcdef0123456789"), include_place=False)).series == ""


@pytest.mark.parametrize(
    "change",
    [
        {"noises": 2},
        {"regions": average().to_dict()["regions"] * 2},
        {"regions": [{**average().to_dict()["regions"][0], "photos": "many"}]},
        {"regions": [{**average().to_dict()["regions"][0], "photos": -1}]},
        {"regions": [{**average().to_dict()["regions"][0], "places": [[1, 2]]}]},
        {"regions": []},
        {"subset": "all"},
    ],
    ids=str,
)
def test_an_average_that_somebody_made_up_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    data = make(average()).to_dict()
    data["request"] |= change
    info = PngImagePlugin.PngInfo()
    info.add_itxt("gpsdream", json.dumps({"schema": 2, **data}))
    path = tmp_path / "made-up.png"
    IMAGE.save(path, pnginfo=info)
    with pytest.raises(GPSDreamError, match="parameters"):
        read_result(path)
