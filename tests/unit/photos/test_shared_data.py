"""The importer over all the real photographs and broken files that there are, against an independent EXIF reader."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import exifread
import pytest
from exifread.utils import get_gps_coords
from PIL import Image

from gpsdream_app.geo.frames import distance
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.cleaning import Landmark, clean, find_far
from gpsdream_app.photos.exif import inflates
from gpsdream_app.photos.importer import import_folder
from gpsdream_app.photos.records import Outcome, PhotoRecord, PlaceSource, Reason
from gpsdream_app.photos.report import ImportReport
from gpsdream_app.photos.splits import SplitBy, split_photos

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif"}


@pytest.fixture(scope="module")
def imported(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportReport]:
    """One import of everything, shared by the tests of this module."""
    with Catalogue(tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite") as catalogue:
        yield import_folder(shared_data, catalogue, workers=2)


@pytest.fixture(scope="module")
def fates(imported: ImportReport) -> dict[Path, Outcome]:
    """What became of every file in the first import."""
    return {outcome.path: outcome for outcome in imported.outcomes()}


def records(report: ImportReport, folder: Path) -> list[PhotoRecord]:
    return list(report.catalogue.photos(folder.resolve()))


def independent_place(path: Path) -> tuple[float, float]:
    """Latitude and longitude as exifread sees them, a parser that shares no code with Pillow."""
    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    with path.open("rb") as file:
        tags = exifread.process_file(file, details=False)
    place = get_gps_coords(tags)
    assert place is not None, path
    return place


def test_every_file_has_a_fate(imported: ImportReport, fates: dict[Path, Outcome], shared_data: Path) -> None:
    files = {path for path in shared_data.resolve().rglob("*") if path.is_file()}
    assert set(fates) == files
    assert imported.total == len(files) == sum(imported.counts.values())
    assert imported.read + imported.counts[Reason.SIDECAR] == len(files)
    for path in files:
        if path.suffix.lower() in PICTURES:
            assert fates[path].reason not in (Reason.UNREADABLE, Reason.READER_DIED, Reason.TOO_SLOW), path
    assert json.loads(json.dumps(imported.to_dict()))["total"] == len(files)


@pytest.mark.usefixtures("fates")
def test_a_second_import_reads_nothing(imported: ImportReport, shared_data: Path) -> None:
    again = import_folder(shared_data, imported.catalogue, workers=2)
    assert again.read == 0
    assert again.unchanged == imported.read
    assert again.counts == imported.counts


def test_all_crops_are_within_a_metre_of_their_exif(imported: ImportReport, shared_data: Path) -> None:
    folder = shared_data / "fifth-avenue-1911"
    crops = records(imported, folder / "crops_512")
    assert len(crops) == 426
    for crop in crops:
        lat, lon = independent_place(crop.path)
        assert distance(crop.lat, crop.lon, lat, lon) < 1.0, crop.path
        assert crop.place_source is PlaceSource.EXIF
    with (folder / "crops.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    captions = [json.loads(line) for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    words = {item["file"]: item["caption"] for item in captions}
    for crop in crops:
        name = f"crops_512/{crop.path.name}"
        assert distance(crop.lat, crop.lon, float(rows[name]["lat"]), float(rows[name]["lon"])) < 1.0
        assert crop.heading == pytest.approx(float(rows[name]["bearing"]))
        assert crop.source == str(folder.resolve() / rows[name]["source"])
        assert crop.caption == words[name]
        assert crop.tags
        assert crop.taken == "1911-01-01T00:00:00"


def test_all_of_opensfm_street_is_within_a_metre_of_its_exif(imported: ImportReport, shared_data: Path) -> None:
    photos = records(imported, shared_data / "opensfm-street")
    assert len(photos) == len(list((shared_data / "opensfm-street").rglob("*.jpg"))) == 32
    for photo in photos:
        assert distance(photo.lat, photo.lon, *independent_place(photo.path)) < 1.0, photo.path
        assert photo.focal_length_35mm == 35
        assert photo.caption == ""  # what stands there is JSON of a mapping app


def test_panoramas_get_place_bearing_and_frontage_from_their_table(imported: ImportReport, shared_data: Path) -> None:
    folder = shared_data / "fifth-avenue-1911"
    photos = {photo.path.name: photo for photo in records(imported, folder / "photos")}
    with (folder / "photos.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(photos) == len(rows) == 71
    for row in rows:
        photo = photos[Path(row["file"]).name]
        assert photo.place_source is PlaceSource.SIDECAR
        assert (photo.lat, photo.lon, photo.heading) == (float(row["lat"]), float(row["lon"]), float(row["bearing"]))
        assert photo.frontage is not None
        assert photo.frontage.at(0.0) == (float(row["left_lat"]), float(row["left_lon"]))
        assert photo.frontage.at(1.0) == pytest.approx((float(row["right_lat"]), float(row["right_lon"])))
        assert (photo.width, photo.height) == (int(row["width"]), int(row["height"]))
        assert photo.caption


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mapillary_tools/corrupt_exif.jpg", Reason.PLACED),
        ("metadata-extractor-images/heic/Issue 487.heic", Reason.ZERO_RATIONAL),
        ("metadata-extractor-images/heic/Issue 263 dotnet.heic", Reason.PLACED),
        ("metadata-extractor-images/jpg/Nikon D5000.jpg", Reason.PLACED),
        ("metadata-extractor-images/jpg/Samsung GT-I9000 (Galaxy S).jpg", Reason.NULL_ISLAND),
        ("metadata-extractor-images/jpg/FLIR Vue Pro 640.jpg", Reason.NULL_ISLAND),
        ("metadata-extractor-images/tif/Issue 151.tif", Reason.PLACED),
        ("metadata-extractor-images/webp/HTC Desire.webp", Reason.PLACED),
        ("pillow/exif_gps.jpg", Reason.INCOMPLETE_GPS),
        ("pillow/hopper_bad_exif.jpg", Reason.BAD_METADATA),
        ("pillow/truncated_jpeg.jpg", Reason.TRUNCATED),
        ("pillow/truncated_image.png", Reason.TRUNCATED),
        ("pillow/broken_data_stream.png", Reason.TRUNCATED),
        ("pillow/crash-2020-10-test.tif", Reason.DAMAGED),
        ("NOTICE", Reason.NOT_AN_IMAGE),
    ],
)
def test_known_edge_cases(fates: dict[Path, Outcome], shared_data: Path, name: str, reason: Reason) -> None:
    assert fates[(shared_data / "exif-edge-cases" / name).resolve()].reason is reason


def test_placed_edge_cases_agree_with_the_independent_reader(imported: ImportReport, shared_data: Path) -> None:
    agreed = 0
    for photo in records(imported, shared_data / "exif-edge-cases"):
        if photo.path.suffix.lower() == ".jpg" and photo.path.name != "Nikon D5000.jpg":
            assert distance(photo.lat, photo.lon, *independent_place(photo.path)) < 1.0, photo.path
            agreed += 1
    assert agreed >= 20


def test_no_real_metadata_inflates(imported: ImportReport) -> None:
    for photo in imported.catalogue.photos():
        with Image.open(photo.path) as image:
            assert not inflates(image.info.get("exif", b"")), photo.path


def test_no_crop_of_a_panorama_is_on_the_other_side(imported: ImportReport, shared_data: Path) -> None:
    photos = records(imported, shared_data / "fifth-avenue-1911")
    assert len(photos) == 426 + 71
    for by in SplitBy:
        for seed in range(5):
            split = split_photos(photos, by=by, seed=seed)
            side = dict.fromkeys(split.train, "train") | dict.fromkeys(split.validation, "validation")
            sources = Counter((photo.source, side[photo.path]) for photo in photos)
            assert len({source for source, _ in sources}) == len(sources) == 71
            assert 0.07 <= len(split.validation) / len(photos) <= 0.13


def test_cleaning_finds_the_far_and_spares_the_near(imported: ImportReport, shared_data: Path) -> None:
    avenue = records(imported, shared_data / "fifth-avenue-1911")
    assert clean(avenue).far == ()
    street = records(imported, shared_data / "opensfm-street")
    assert {photo.path.parent.parent.name for photo in find_far(street)} == {"berlin"}
    flatiron = Landmark(40.7411, -73.9897, 250.0)
    far = {photo.path for photo in find_far(avenue, landmark=flatiron)}
    for photo in avenue:
        assert (distance(photo.lat, photo.lon, 40.7411, -73.9897) > 250) == (photo.path in far)
