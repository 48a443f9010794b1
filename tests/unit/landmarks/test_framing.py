"""Photos of a box of known size, taken as people take them, come out in one framing; what cannot be used says why."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from gpsdream_app.cli import main
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.geo.azimuth import angle_between
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.landmarks import framing
from gpsdream_app.landmarks.camera import Camera
from gpsdream_app.landmarks.collection import (
    LandmarkPhoto,
    azimuth_sigma,
    meant_landmark,
    nearest_photo,
    photo_of,
    photos_of,
    records_in,
    rose,
    with_direction,
)
from gpsdream_app.landmarks.light import Conditions, Weather
from gpsdream_app.landmarks.photographer import Shot, exif_of
from gpsdream_app.landmarks.sun import is_night
from gpsdream_app.photos.records import HeadingReference, PhotoRecord

BOX = Landmark("box", "the Box", 48.2, 16.37, 0.0, 30.0)
SIZE = (24.0, 10.0, 30.0)  # metres, east, north, up
COUNT = 48
CLAY = (180, 90, 60)


def corners() -> np.ndarray:
    x, y, z = SIZE
    return np.array([(i * x / 2, j * y / 2, k * z) for i in (-1, 1) for j in (-1, 1) for k in (0, 1)])


def shot(index: int, rng: np.random.Generator, hour: int = 12) -> Shot:
    azimuth, distance = index * 360 / COUNT + rng.uniform(0, 5), rng.uniform(60, 110)
    camera = Camera.at_azimuth(azimuth, distance, size=(280, 200), fov=58)
    camera = replace(camera, heading=camera.heading + rng.normal(0, 4), pitch=rng.uniform(4, 12))
    east, north = np.array(camera.eye[:2]) + rng.normal(0, 3.5, 2)
    place = LocalFrame(BOX.lat, BOX.lon).to_degrees(float(east), float(north))
    direction = (camera.heading + rng.normal(0, 4)) % 360
    taken = datetime(2024, 6, 21, hour)
    return Shot(BOX, index, camera, place, direction, taken, Conditions((180, 40), Weather.CLEAR), 0.0, 0)


def take(one: Shot, photos: Path, masks: Path) -> None:
    points = one.camera.project(corners())[:, :2]
    outline = [tuple(4 * point) for point in points[ConvexHull(points).vertices]]
    size = (one.camera.width, one.camera.height)
    mask = Image.new("L", (4 * size[0], 4 * size[1]))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    mask = mask.resize(size, Image.Resampling.BOX)
    picture = Image.composite(Image.new("RGB", size, CLAY), Image.new("RGB", size, (20, 200, 20)), mask)
    picture.save(photos / one.name, quality=95, exif=exif_of(one))
    mask.save(masks / f"{Path(one.name).stem}.png")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Shot]]:
    folder = tmp_path_factory.mktemp("box")
    (folder / "masks").mkdir()
    rng = np.random.default_rng(5)
    shots = [shot(index, rng, 23 if index == 0 else 12) for index in range(COUNT)]
    for one in shots:
        take(one, folder, folder / "masks")
    return folder, {one.name: one for one in shots}


@pytest.fixture(scope="module")
def framed(taken: tuple[Path, dict[str, Shot]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("framed")
    report = framing.frame_photos([BOX], taken[0], taken[0] / "masks", out, 64)
    assert report.framed == {"box": COUNT}
    assert not report.left_out
    return out


def test_cameras_are_found(taken: tuple[Path, dict[str, Shot]], framed: Path) -> None:
    about, _ = framing.read_framed(framed)
    pitch, away, azimuth, stated = [], [], [], []
    for view in about["views"]:
        one = taken[1][view["file"]]
        pitch.append(view["crop"]["pitch"] - one.camera.pitch)
        away.append(view["distance"] * BOX.height / one.distance - 1)
        azimuth.append(angle_between(view["azimuth"], one.azimuth))
        east, north = LocalFrame(BOX.lat, BOX.lon).to_metres(*one.place)
        stated.append(angle_between(math.degrees(math.atan2(east, north)), one.azimuth))
    assert np.std(pitch) < 0.6 and abs(np.mean(pitch)) < 0.4
    assert np.std(away) < 0.04 and abs(np.mean(away)) < 0.03
    # The photo's direction makes the azimuth better than its place alone.
    assert np.std(azimuth) < 0.95 * np.std(stated)


def test_foot_and_top_stand_where_a_lift_looks(framed: Path) -> None:
    about, pixels = framing.read_framed(framed)
    away = framing.DISTANCE * BOX.height
    scale = framing.HEIGHT * framing.DISTANCE
    horizon = framing.FOOT - scale * framing.EYE / away
    for view, picture in zip(about["views"], pixels, strict=True):
        mask = picture[..., 3] > 127
        rows = np.flatnonzero(mask.any(1))
        bearing = math.radians(view["azimuth"])
        depth = SIZE[0] / 2 * abs(math.sin(bearing)) + SIZE[1] / 2 * abs(math.cos(bearing))
        assert rows[0] / 64 == pytest.approx(horizon - scale * (BOX.height - framing.EYE) / (away - depth), abs=0.035)
        assert (rows[-1] + 1) / 64 == pytest.approx(0.86, abs=0.025)
        # Upright, about its axis, its own colour over the background.
        columns = np.flatnonzero(mask[rows[len(rows) // 2]])
        assert (columns[0] + columns[-1] + 1) / 2 / 64 == pytest.approx(0.5, abs=0.1)
        assert np.abs(picture[picture[..., 3] > 250][:, :3].mean(0) - CLAY).max() < 6
        assert (np.abs(picture[0, 0, :3] - np.array([92, 143, 209])) <= 1).all()


def test_a_crop_leads_back_to_the_photo(taken: tuple[Path, dict[str, Shot]], framed: Path) -> None:
    view = json.loads((framed / "views.json").read_text())["views"][7]
    one = taken[1][view["file"]]
    crop = framing.Crop(**view["crop"])
    foot = one.camera.project(np.zeros((1, 3)))[0]
    column, row = crop.pixels(np.array(0.5), np.array(framing.FOOT), (280, 200))
    assert float(column) == pytest.approx(foot[0], abs=8)
    assert float(row) == pytest.approx(foot[1], abs=4)


def test_words_and_test_photos(framed: Path) -> None:
    views = json.loads((framed / "views.json").read_text())["views"]
    prompts = {view["file"]: view["prompt"] for view in views}
    assert prompts["box-00000.jpg"] == "A photo of the Box, at night"
    assert prompts["box-00001.jpg"] == "A photo of the Box"
    assert all(view["held_out"] == framing.held_out(view["file"]) for view in views)
    assert 0.05 < np.mean([framing.held_out(f"{i}.jpg") for i in range(2000)]) < 0.15


def test_a_plan_shows_which_side_is_which() -> None:
    """A triangle: widths cannot tell it from its mirror image, the axis in the pictures can."""
    rng = np.random.default_rng(0)
    azimuths = np.arange(0, 360, 1.5)
    points = np.array([(0, 20), (-9, -10), (9, -10)])
    away = np.full(len(azimuths), 120.0)
    left, right = [], []
    for azimuth in azimuths:
        eye = 120 * np.array([math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth))])
        seen = np.degrees(np.arctan2(*(points - eye).T))
        off = angle_between(seen, np.full(3, azimuth + 180))
        left.append(off.min())
        right.append(off.max())
    error = rng.normal(0, 4, len(azimuths))
    many = np.ones(len(azimuths))
    plan = framing.fit_plan(azimuths, away, left + error, right + error, 0.3 * many, 4.5 * many)
    assert plan.reach(0.0) == pytest.approx(20, abs=3)
    assert plan.reach(180.0) == pytest.approx(10, abs=3)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((40, 0, 60, 80), "top"),
        ((0, 20, 60, 80), "sides"),
        ((50, 50, 58, 58), "small"),
        (None, "empty"),
    ],
)
def test_masks_that_do_not_fit_say_why(box: tuple[int, int, int, int] | None, why: str) -> None:
    mask = np.zeros((100, 100))
    if box:
        mask[box[1] : box[3], box[0] : box[2]] = 1
    with pytest.raises(GPSDreamError, match=why):
        framing.outline_of(photo(0.0), Path("m.png"), mask)


def photo(azimuth: float, heading: float | None = None) -> LandmarkPhoto:
    return LandmarkPhoto(Path(f"{azimuth}.jpg"), "box", azimuth, 6.0, 60, 3.5, heading, 4.0, 28.0, 100, 100, False)


def test_both_bearings_make_a_better_azimuth() -> None:
    better = with_direction(photo(350.0, 180.0), 0.0, 0.0)  # the compass says 0
    assert better.azimuth == pytest.approx(350 + 10 * 36 / (36 + 16))
    assert better.azimuth_sigma == pytest.approx(6 * 4 / math.hypot(6, 4))
    # A compass that is off by anything is not believed, and none changes nothing.
    assert with_direction(photo(350.0, 90.0), 0.0, 0.0) == photo(350.0, 90.0)
    assert with_direction(photo(10.0), 0.0, 0.0) == photo(10.0)
    assert azimuth_sigma(3.5, 1e-3) < 105


def test_rose_and_nearest_photo() -> None:
    photos = [photo(355.0), photo(4.9), photo(5.0), photo(180.0)]
    counts = rose(photos)
    assert (counts[0], counts[1], counts[18], sum(counts)) == (2, 1, 1, 4)
    assert nearest_photo(photos, 359.0) is photos[0]
    assert nearest_photo(photos, 170.0) is photos[3]
    assert nearest_photo([], 0.0) is None
    assert nearest_photo(photos, 0.0, night=True) is None


def test_a_photo_goes_to_the_landmark_that_it_shows() -> None:
    frame = LocalFrame(BOX.lat, BOX.lon)
    lat, lon = frame.to_degrees(200.0, 0.0)
    other = Landmark("mast", "the Mast", lat, lon, 0.0, 40.0)
    record = PhotoRecord(Path("a.jpg"), *frame.to_degrees(100.0, 5.0), 270.0, HeadingReference.TRUE)
    assert meant_landmark(record, [BOX, other]) is BOX
    assert meant_landmark(replace(record, heading=90.0), [BOX, other]) is other
    assert meant_landmark(replace(record, heading=0.0), [BOX, other]) is None
    assert meant_landmark(replace(record, caption="A photo of the Mast"), [BOX, other]) is other
    assert meant_landmark(replace(record, lat=0.0), [BOX, other]) is None
    assert photo_of(record, BOX).azimuth == pytest.approx(87.1, abs=0.1)


def test_masks_beside_photos_are_no_photos(taken: tuple[Path, dict[str, Shot]]) -> None:
    records, left_out = records_in(taken[0])
    assert len(records) == COUNT
    assert not left_out
    assert len(photos_of(BOX, records)) == COUNT


def test_an_unknown_height_is_told_from_the_photos(taken: tuple[Path, dict[str, Shot]]) -> None:
    records, _ = records_in(taken[0])
    outlines, _ = framing.outlines_of(photos_of(BOX, records), taken[0] / "masks")
    assert framing.height_of(outlines) == pytest.approx(SIZE[2], rel=0.2)


def test_night_begins_when_the_sun_is_under_four_degrees() -> None:
    assert is_night("2024-06-21T23:00:00", 40.7, -74.0)
    assert not is_night("2024-06-21T12:00:00", 40.7, -74.0)
    # Noon in New York by the clock of Vienna, and without a time.
    assert not is_night("2024-06-21T19:00:00+02:00", 40.7, -74.0)
    assert not is_night(None, 40.7, -74.0)


def test_the_command_line(
    taken: tuple[Path, dict[str, Shot]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(taken[0])
    assert main(["landmarks", "add", "the Box", "--place", "48.2,16.37", "--height", "30", "--photos", folder]) == 0
    assert main(["landmarks", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["landmarks"]
    assert listed[-1]["landmark"]["id"] == "box"
    out = tmp_path / "framed"
    assert main(["landmarks", "frame", "--landmark", "box", "--side", "32", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["framed"] == {"box": COUNT}
    assert framing.read_framed(out)[1].shape == (COUNT, 32, 32, 4)
    assert main(["landmarks", "remove", "box"]) == 0
    assert main(["landmarks", "remove", "flatiron"]) == 2
    assert main(["landmarks", "frame", "--out", str(out)]) == 2
    assert main(["landmarks", "add", "a thing", "--place", "nowhere"]) == 2
    assert "coordinates" in capsys.readouterr().err
