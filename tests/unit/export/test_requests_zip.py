"""Requests in a ZIP: drawn again as they were, and nothing that a stranger puts in one does harm."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import zipfile
import zipimport
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result
from gpsdream_app.export import requests_zip
from gpsdream_app.export.requests_zip import MANIFEST, export_requests, read_requests

PLACE = Place(40.7411, -73.9897, 29.0, "Flatiron")
RING = ((40.75, -73.98), (40.75, -73.97), (40.76, -73.97))
AVERAGE = AverageRequest(
    (RegionPlaces(Region("Midtown", RegionKind.DRAWN, ((RING,),)), (Place(40.755, -73.975, 119.0),)),), seed=3
)
MANIFEST_OF_ONE = {"format": "GPSDream requests", "schema": 1, "count": 1}


def result(request: PictureRequest) -> Result:
    return Result("0" * 32, "job", request, "/home/somebody/1.png", "2026-11-20T10:00:00+00:00", 3.0, "The model",
                  "ab" * 8, "0.1.0", 64, 64)  # fmt: skip


def archive(path: Path, members: dict[str, Any], manifest: Any = MANIFEST_OF_ONE) -> Path:
    """Write a ZIP as a stranger might."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if manifest is not None:
            file.writestr(MANIFEST, json.dumps(manifest))
        for name, value in members.items():
            file.writestr(name, value if isinstance(value, str | bytes) else json.dumps(value))
    return path


def refused(path: Path) -> str:
    with pytest.raises(GPSDreamError) as raised:
        read_requests(path)
    assert raised.value.failure.kind is ErrorKind.BAD_REQUEST
    return raised.value.failure.message


def test_requests_come_back_as_they_were(tmp_path: Path) -> None:
    requests = [
        GenerateRequest(PLACE, "a church\nwith “quotes” \u202e \0 </script>", "fog", 7, 3, 12, 1.5, 2.25, "avenue"),
        GenerateRequest(None, "a tree"),
        AVERAGE,
    ]
    out = tmp_path / "again.zip"
    export_requests([result(request) for request in requests], out)
    replays = read_requests(out)
    assert [replay.request for replay in replays] == requests
    assert {(replay.model_title, replay.model_hash) for replay in replays} == {("The model", "ab" * 8)}


def test_the_zip_is_read_by_others_and_each_request_alone(tmp_path: Path) -> None:
    out = tmp_path / "again.zip"
    export_requests([result(GenerateRequest(PLACE, "a church", seed=9))], out)
    data = zipimport.zipimporter(str(out)).get_data("requests/00001.json")
    # `gpsdream generate --from` takes such a file.
    assert GenerateRequest.from_json(data.decode("ascii")) == GenerateRequest(PLACE, "a church", seed=9)
    if which("unzip"):
        subprocess.run(["unzip", "-tq", str(out)], check=True, capture_output=True)


def test_no_path_of_this_computer_is_in_it(tmp_path: Path) -> None:
    for model in ("/home/somebody/models/avenue", "C:\\Users\\somebody\\avenue", "\\\\server\\somebody\\avenue/"):
        out = tmp_path / "again.zip"
        export_requests([result(GenerateRequest(PLACE, model=model))], out)
        assert b"somebody" not in zipimport.zipimporter(str(out)).get_data("requests/00001.json")
        assert read_requests(out)[0].request.model == "avenue"


@pytest.mark.parametrize("count", [0, requests_zip.MAX_REQUESTS + 1])
def test_none_or_too_many(tmp_path: Path, count: int) -> None:
    with pytest.raises(GPSDreamError):
        export_requests([result(GenerateRequest(PLACE))] * count, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


# -- archives of strangers --


@pytest.mark.parametrize(
    "model", ["..", "../../etc", "/etc/passwd", "\\\\evil\\share\\model", "~root", "C:", "a\0b", "\x1b[31mred"]
)
def test_a_model_is_never_a_path(tmp_path: Path, model: str) -> None:
    path = archive(tmp_path / "x.zip", {"requests/1.json": {"prompt": "x", "place": None, "model": model}})
    try:
        found = read_requests(path)[0].request.model
    except GPSDreamError as error:
        assert "names no model" in error.failure.message
    else:
        assert not set(found) & set("/\\\0\x1b")
        assert found not in ("..", ".")


def test_names_that_would_steer_a_terminal_are_cleaned(tmp_path: Path) -> None:
    name = "\x1b]0;owned\x07\x1b[2JFlat\u202eiron\r\n"
    average = AVERAGE.to_dict()
    average["regions"][0]["region"]["name"] = name
    members = {"requests/1.json": {"place": {"lat": 1, "lon": 2, "name": name}}, "requests/2.json": average}
    one, two = read_requests(archive(tmp_path / "x.zip", members, MANIFEST_OF_ONE | {"count": 2}))
    assert isinstance(one.request, GenerateRequest)
    assert one.request.place
    assert isinstance(two.request, AverageRequest)
    for text in (one.request.place.name, two.request.regions[0].region.name):
        assert text.isprintable()
        assert "Flatiron" in text


def test_nothing_is_ever_written(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    names = ("../../evil.txt", "/tmp/evil-of-gpsdream", "requests/../../evil.json", "C:\\evil.txt", "requests/x\0.json",
             "requests/1.json/..", "requests/-1.json", "requests/１.json")  # fmt: skip
    members: dict[str, Any] = dict.fromkeys(names, "evil")
    members["requests/1.json"] = {"prompt": "good", "place": None}
    path = archive(folder / "x.zip", members)
    before = sorted(tmp_path.rglob("*"))
    assert [replay.request.prompt for replay in read_requests(path)] == ["good"]
    assert sorted(tmp_path.rglob("*")) == before


def test_bombs_do_not_go_off(tmp_path: Path) -> None:
    zeros = b" " * (requests_zip.MAX_MEMBER_BYTES + 1)
    assert "unpacks to more" in refused(archive(tmp_path / "one.zip", {"requests/1.json": zeros}))
    many = {f"requests/{number}.json": zeros[:-100] + b'{"prompt":"x"}' for number in range(1, 18)}
    manifest = MANIFEST_OF_ONE | {"count": len(many)}
    assert "unpacks to more" in refused(archive(tmp_path / "many.zip", many, manifest))
    # One that lies about its size.
    path = archive(tmp_path / "liar.zip", {"requests/1.json": zeros})
    data = path.read_bytes().replace(struct.pack("<I", len(zeros)), struct.pack("<I", 10))
    path.write_bytes(data)
    refused(path)
    # A manifest that is one.
    with zipfile.ZipFile(tmp_path / "manifest.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MANIFEST, b" " * 1_000_000)
    assert "unpacks to more" in refused(tmp_path / "manifest.zip")


def test_lists_that_are_too_long_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_zip, "MAX_MEMBERS", 3)
    path = archive(tmp_path / "x.zip", {f"requests/{number}.json": {"prompt": "x"} for number in range(1, 5)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "too many files" in refused(path)
    monkeypatch.setattr(requests_zip, "MAX_ARCHIVE_BYTES", 100)
    assert "MB" in refused(path)


def test_packings_that_take_much_memory_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr(MANIFEST, json.dumps(MANIFEST_OF_ONE))
        file.writestr("requests/1.json", "{}")
    assert "is no ZIP of requests" in refused(tmp_path / "x.zip")


def test_passwords_doubles_gaps_and_newer_ones(tmp_path: Path) -> None:
    good = {"requests/1.json": {"prompt": "x"}}
    path = archive(tmp_path / "locked.zip", good)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    for at in (data.index(b"PK\x03\x04") + 6, start + 8):
        data[at] |= 1  # the mark of a password
    path.write_bytes(data)
    assert "damaged" in refused(path)
    with zipfile.ZipFile(tmp_path / "double.zip", "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(MANIFEST, json.dumps(MANIFEST_OF_ONE))
        file.writestr("requests/1.json", '{"prompt":"x"}')
        file.writestr("requests/1.json", '{"prompt":"y"}')
    assert "twice" in refused(tmp_path / "double.zip")
    assert "not complete" in refused(archive(tmp_path / "gap.zip", good, MANIFEST_OF_ONE | {"count": 2}))
    assert "newer" in refused(archive(tmp_path / "new.zip", good, MANIFEST_OF_ONE | {"schema": 2}))
    assert "not exported by" in refused(archive(tmp_path / "none.zip", good, None))
    assert "no requests" in refused(archive(tmp_path / "empty.zip", {}))
    for manifest in ([], "x", {"schema": True}, {"schema": 1e400}, {"schema": -1}):
        refused(archive(tmp_path / "bad.zip", good, manifest))


@pytest.mark.parametrize(
    "data",
    ["", "[]", "null", "{", '"x"', "[" * 100_000, '{"seed": -1}', '{"place": 3}', '{"place": {"lat": NaN, "lon": 0}}',
     '{"kind": "average"}', '{"kind": "average", "regions": [3]}', '{"seed": ' + "9" * 5000 + "}", b"\xff\xfe",
     '{"prompt": "' + "x" * 2000 + '"}', '{"model": ""}', '{"model": 3}', '{"steps": 1e400}',
     '{"kind": "average", "regions": [{"region": {}, "places": [[1]], "sampling": "x"}]}'],
)  # fmt: skip
def test_requests_that_are_none(tmp_path: Path, data: str | bytes) -> None:
    assert refused(archive(tmp_path / "x.zip", {"requests/1.json": data}))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"\x89PNG\r\n\x1a\n", b"\0" * 5000])
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "<b>x\u202e.zip"
    path.write_bytes(data)
    assert "\u202e" not in refused(path)
    assert "cannot be read" in refused(tmp_path / "missing.zip")
    assert "cannot be read" in refused(tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_told_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MANIFEST, json.dumps(MANIFEST_OF_ONE))
        file.writestr("requests/00001.json", json.dumps(GenerateRequest(PLACE, "a church").to_dict()))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(content)
    try:
        (replay,) = read_requests(path)
    except GPSDreamError as error:
        assert error.failure.kind is ErrorKind.BAD_REQUEST
    else:
        assert replay.request == replace(GenerateRequest(PLACE, "a church"), model=replay.request.model)
