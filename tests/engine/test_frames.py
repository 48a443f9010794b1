from __future__ import annotations

import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.domain.averages import (
    MAX_FRAMES,
    MAX_PLACES,
    MAX_REGIONS,
    AverageRequest,
    Likeness,
    Patch,
    RegionPlaces,
    SeriesRequest,
    TypicalPatches,
)
from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import (
    Cancelled,
    Compared,
    EngineChanged,
    EngineState,
    Failed,
    Finished,
    Loading,
    PatchesFound,
    PictureFinished,
    Queued,
    Started,
    Step,
    event_from_dict,
    event_to_dict,
)
from gpsdream_app.domain.explanations import job_request_from_dict
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import MAX_PICTURES, MAX_PROMPT_CHARACTERS, GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine import frames
from gpsdream_app.engine.frames import FrameError, pack_frame, read_frame

texts = st.text(st.characters(), max_size=60)  # halves of surrogate pairs included
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
headers = st.dictionaries(texts, values, max_size=5)


class Dribble(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._step))


@given(st.lists(st.tuples(headers, st.binary(max_size=300)), max_size=5), st.integers(1, 64))
def test_frames_arrive_as_they_were_sent(sent: list[tuple[dict[str, object], bytes]], step: int) -> None:
    stream = Dribble(b"".join(pack_frame(header, blob) for header, blob in sent), step)
    received = []
    while (frame := read_frame(stream)) is not None:  # type: ignore[arg-type]
        received.append(frame)
    assert received == sent


@given(headers, st.binary(max_size=100), st.data())
def test_a_cut_frame_is_noticed(header: dict[str, object], blob: bytes, data: st.DataObject) -> None:
    frame = pack_frame(header, blob)
    cut = data.draw(st.integers(1, len(frame) - 1))
    with pytest.raises(FrameError, match="ended inside"):
        read_frame(io.BytesIO(frame[:cut]))


@given(st.binary(max_size=200))
def test_noise_never_gives_more_than_a_frame_error(noise: bytes) -> None:
    stream = io.BytesIO(noise)
    try:
        while read_frame(stream) is not None:
            pass
    except FrameError:
        pass


@pytest.mark.parametrize("text", [b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_a_header_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(FrameError, match="header"):
        read_frame(io.BytesIO(frames.LENGTHS.pack(len(text), 0) + text))


def test_too_large_frames_are_refused_on_both_ends() -> None:
    with pytest.raises(FrameError, match="too large"):
        pack_frame({}, bytes(frames.MAX_BLOB_BYTES + 1))
    with pytest.raises(FrameError, match="too large"):
        pack_frame({"text": "x" * frames.MAX_HEADER_BYTES})
    with pytest.raises(FrameError, match="too large"):
        read_frame(io.BytesIO(frames.LENGTHS.pack(frames.MAX_HEADER_BYTES + 1, 0)))
    with pytest.raises(ValueError, match="JSON"):
        pack_frame({"seconds": float("nan")})


def test_the_largest_job_fits_into_a_frame() -> None:
    words = "\U0001f306" * MAX_PROMPT_CHARACTERS
    request = GenerateRequest(Place(40.7, -73.9, 10.0, words), words, words)
    result = Result("a" * 32, "b" * 32, request, "/" + "\udcff" * 4096, "2026", 1.0, words, "c", "d", 64, 64, 3.0)
    event = Finished(results=(result,) * MAX_PICTURES)
    frame = read_frame(io.BytesIO(pack_frame(*event_to_dict(event))))
    assert frame is not None
    assert event_from_dict(*frame) == event


SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.74, -73.98), (40.75, -73.98)),),))
# All digits that a double can have.
MANY = tuple(Place(40.7 + number * 1.2345678e-7, -73.9 - number * 1e-7, number / 12) for number in range(MAX_FRAMES))


def test_the_largest_average_fits_into_a_frame() -> None:
    outline = tuple((40.7 + 1e-7 * number, -73.9876543) for number in range(2000))
    region = RegionPlaces(Region("x" * 200, RegionKind.FILE, ((outline,),)), MANY[:MAX_PLACES])
    one = pack_frame({"request": AverageRequest((region,)).to_dict()})
    assert len(one) * MAX_REGIONS < frames.MAX_HEADER_BYTES
    request = AverageRequest((region, region), noises=2)
    frame = read_frame(io.BytesIO(pack_frame({"request": request.to_dict()})))
    assert frame is not None
    assert job_request_from_dict(frame[0]["request"]) == request


def test_the_longest_series_fits_into_a_frame() -> None:
    request = SeriesRequest(MANY, prompt="x")
    frame = read_frame(io.BytesIO(pack_frame({"request": request.to_dict()})))
    assert frame is not None
    read = job_request_from_dict(frame[0]["request"])
    assert read == request
    assert isinstance(read, SeriesRequest) and read.key == request.key


@pytest.mark.parametrize(
    "event",
    [
        EngineChanged(state=EngineState.WARMING, text="loading U-Net, 2 of 4", seq=3),
        Queued(job_id="a", position=2),
        Started(job_id="a"),
        Loading(job_id="a", step=1, total=4, text="loading"),
        Step(job_id="a", index=1, total=2, picture=0, seconds_left=None, preview=os.urandom(40)),
        PictureFinished(
            job_id="a", result=Result("a", "b", GenerateRequest(None), "/p", "2026", 1.5, "t", "h", "v", 8, 8, None)
        ),
        PictureFinished(
            job_id="a",
            index=3,
            result=Result(
                "a",
                "b",
                AverageRequest((RegionPlaces(SQUARE, MANY[:3], photos=7),)),
                "/p",
                "2026",
                1.5,
                "t",
                "h",
                "v",
                8,
                8,
            ),
        ),
        PictureFinished(
            job_id="a",
            result=Result("a", "b", GenerateRequest(None), "/p", "2026", 1.5, "t", "h", "v", 8, 8, series="ab"),
        ),
        Compared(job_id="a", likeness=Likeness(((0.0, 0.5), (0.5, 0.0)), "colours")),
        PatchesFound(
            job_id="a", patches=TypicalPatches((Patch("/p", "/c", (0.0, 0.1, 0.5, 1.0), 0.2, Place(40.0, -73.0)),), 9)
        ),
        Failed(job_id="a", failure=Failure(ErrorKind.DISK_FULL, "full", "free", "details")),
        Cancelled(job_id="a"),
    ],
    ids=lambda event: event.name,
)
def test_every_event_survives_the_pipe(event: object) -> None:
    frame = read_frame(io.BytesIO(pack_frame(*event_to_dict(event))))  # type: ignore[arg-type]
    assert frame is not None
    assert event_from_dict(*frame) == event
    json.dumps(frame[0])
