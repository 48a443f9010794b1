"""Films, read back frame by frame with imageio."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.export.video import HEIGHT, MAP_WIDTH, WritingCancelled, write_walk
from gpsdream_app.geo.city import load_city
from tests.films import film_facts, read_film

COUNT = 9
WALK = tuple(Place(40.7320 + 0.002 * number, -73.9965 + 0.00145 * number, 118.0) for number in range(COUNT))


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    paths = []
    for number in range(COUNT):
        paths.append(tmp_path / f"{number:05d}.png")
        Image.new("RGB", (48, 48), (20 + 25 * number, 80, 120)).save(paths[-1])
    return paths


def dot(frame: np.ndarray) -> tuple[float, float]:
    """Column and row of the dot's middle: its dark red is on no map."""
    panel = frame[:, -MAP_WIDTH:].astype(int)
    rows, columns = np.nonzero((abs(panel - (143, 47, 34)) < 14).all(axis=2))
    assert len(rows) > 50
    return float(np.median(columns)), float(np.median(rows))


@pytest.mark.parametrize("city", ["manhattan", None])
def test_a_film_has_every_picture_in_order_and_a_dot_that_moves(frames: list[Path], tmp_path: Path, city: str) -> None:
    told: list[tuple[int, int]] = []
    out = tmp_path / "films" / "walk.mp4"
    written = write_walk(
        frames,
        WALK,
        out,
        fps=5,
        map=load_city(city) if city else None,
        progress=lambda done, total: told.append((done, total)),
    )
    assert written == out and [path.name for path in out.parent.iterdir()] == ["walk.mp4"]
    assert told == [(number, COUNT) for number in range(1, COUNT + 1)]
    film = read_film(out)
    assert len(film) == COUNT
    assert {frame.shape for frame in film} == {(HEIGHT, HEIGHT + MAP_WIDTH, 3)}
    meta = film_facts(out)
    assert meta["fps"] == 5 and meta["codec"] == "h264" and meta["size"] == (HEIGHT + MAP_WIDTH, HEIGHT)
    for number, frame in enumerate(film):
        assert frame[HEIGHT // 2, HEIGHT // 2, 0] == pytest.approx(20 + 25 * number, abs=8)
    dots = [dot(frame) for frame in film]
    columns, rows = np.array(dots).T
    assert (np.diff(columns) > 5).all() and (np.diff(rows) < -5).all(), "north-east is right and up"
    assert np.diff(rows).std() < 2
    # North is up, and a metre to the east is as long as one to the north.
    east = (WALK[-1].lon - WALK[0].lon) * np.cos(np.radians(WALK[0].lat))
    assert (columns[-1] - columns[0]) / (rows[0] - rows[-1]) == pytest.approx(
        east / (WALK[-1].lat - WALK[0].lat), rel=0.05
    )


def test_a_film_says_that_a_model_made_it(frames: list[Path], tmp_path: Path) -> None:
    out = write_walk(frames, WALK, tmp_path / "walk.mp4")
    said = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(out)], capture_output=True, text=True, check=False
    )
    assert re.search(r"comment\s*: .*trainedAlgorithmicMedia", said.stderr)


def test_one_picture_and_pictures_of_odd_sizes_are_a_film(tmp_path: Path) -> None:
    picture = tmp_path / "one.png"
    Image.new("L", (33, 71), 200).save(picture)
    (frame,) = read_film(write_walk([picture], WALK[:1], tmp_path / "walk.mp4", map=load_city("manhattan")))
    assert frame.shape == (HEIGHT, 224 + MAP_WIDTH, 3)
    assert dot(frame) == (pytest.approx(MAP_WIDTH / 2, abs=2), pytest.approx(HEIGHT / 2, abs=2))


def test_a_walk_across_the_antimeridian_is_short(frames: list[Path], tmp_path: Path) -> None:
    walk = [Place(-17.0, 179.9), Place(-17.0, -179.9)]
    first, last = (dot(frame) for frame in read_film(write_walk(frames[:2], walk, tmp_path / "walk.mp4")))
    assert last[0] - first[0] > MAP_WIDTH / 2


def test_a_cancelled_film_leaves_nothing(frames: list[Path], tmp_path: Path) -> None:
    done = 0

    def progress(number: int, total: int) -> None:
        nonlocal done
        done = number

    out = tmp_path / "out" / "walk.mp4"
    with pytest.raises(WritingCancelled):
        write_walk(frames, WALK, out, progress=progress, cancelled=lambda: done >= 3)
    assert done == 3
    assert list(out.parent.iterdir()) == []


def test_an_older_film_stays_if_a_new_one_fails(frames: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out" / "walk.mp4"
    write_walk(frames[:2], WALK[:2], out)
    before = out.read_bytes()
    frames[4].write_bytes(frames[4].read_bytes()[:40])
    with pytest.raises(GPSDreamError) as caught:
        write_walk(frames, WALK, out)
    assert caught.value.failure.kind is ErrorKind.BAD_PHOTO
    assert "00004.png" in caught.value.failure.message
    assert out.read_bytes() == before and len(list(out.parent.iterdir())) == 1


def test_what_cannot_be_a_film_is_a_sentence(frames: list[Path], tmp_path: Path) -> None:
    for pictures, places in (([], ()), (frames, WALK[:-1])):
        with pytest.raises(GPSDreamError) as caught:
            write_walk(pictures, places, tmp_path / "walk.mp4")
        assert caught.value.failure.kind is ErrorKind.BAD_REQUEST
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(GPSDreamError) as caught:
        write_walk(frames, WALK, tmp_path / "file" / "walk.mp4")
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
