from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from gpsdream_app.photos.exif import inflates
from gpsdream_app.photos.reader import MAX_PIXELS, read_photo
from gpsdream_app.photos.records import HeadingReference, PhotoRecord, PlaceSource, Reason
from gpsdream_app.photos.sidecars import SidecarFields
from tests.unit.photos.pictures import exif, gps, photo, png_bomb, png_chunk, scene, xmp

PLACE = (40.7411, -73.9897)


def record_of(path: Path, sidecar: SidecarFields | None = None) -> PhotoRecord:
    outcome, record = read_photo(path, sidecar)
    assert outcome.reason is Reason.PLACED, outcome.sentence
    assert record is not None
    return record


def reason_of(path: Path, sidecar: SidecarFields | None = None) -> Reason:
    outcome, record = read_photo(path, sidecar)
    assert record is None
    assert outcome.path == path
    assert outcome.sentence
    return outcome.reason


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic", "mpo"])
def test_every_format_gives_its_place(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    if suffix == "heic":
        pillow_heif.from_pillow(scene()).save(path, exif=exif(gps(*PLACE, 290.5)).tobytes())
    else:
        photo(path, gps_tags=gps(*PLACE, 290.5))
    record = record_of(path)
    assert (record.lat, record.lon) == pytest.approx(PLACE, abs=1e-8)
    assert record.heading == pytest.approx(290.5)
    assert record.heading_reference is HeadingReference.TRUE
    assert record.place_source is PlaceSource.EXIF
    assert (record.width, record.height) == (96, 64)
    assert len(record.phash) == 16
    assert record.source == str(path)


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.png", gps_tags=gps(*PLACE)).rename(tmp_path / "photo.JPG")
    assert record_of(path).width == 96


def test_time_lens_orientation_and_caption(tmp_path: Path) -> None:
    path = photo(
        tmp_path / "photo.jpg",
        gps_tags=gps(*PLACE),
        main={0x0112: 6, 0x010E: "Brownstones on a corner"},
        camera={0x9003: "2018:06:26 17:46:33.847", 0x9011: "-04:00", 0xA405: 28},
    )
    record = record_of(path)
    assert record.taken == "2018-06-26T17:46:33-04:00"
    assert record.focal_length_35mm == 28
    assert record.orientation == 6
    assert (record.width, record.height) == (64, 96)
    assert record.caption == "Brownstones on a corner"


def test_a_turned_picture_has_the_hash_of_the_upright_one(tmp_path: Path) -> None:
    upright = photo(tmp_path / "upright.png", size=(96, 96), gps_tags=gps(*PLACE))
    turned = tmp_path / "turned.png"
    scene(size=(96, 96)).transpose(Image.Transpose.ROTATE_90).save(
        turned, exif=exif(gps(*PLACE), {0x0112: 6}).tobytes()
    )
    assert record_of(upright).phash == record_of(turned).phash


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        # 4.3 mm on a sensor of 4.8 x 3.6 mm, its pixels counted per inch, centimetre and millimetre
        ({0x920A: IFDRational(43, 10), 0xA20E: IFDRational(6773, 1), 0xA20F: IFDRational(6773, 1), 0xA210: 2}, 31.0),
        ({0x920A: IFDRational(43, 10), 0xA20E: IFDRational(2667, 1), 0xA20F: IFDRational(2667, 1), 0xA210: 3}, 31.0),
        ({0x920A: IFDRational(43, 10), 0xA20E: IFDRational(2667, 10), 0xA20F: IFDRational(2667, 10), 0xA210: 4}, 31.0),
        ({0x920A: IFDRational(43, 10)}, None),
        ({0x920A: IFDRational(0, 0), 0xA20E: IFDRational(0, 0), 0xA20F: IFDRational(0, 0)}, None),
        # A sensor of 29 cm: the picture was scaled, or the numbers are wrong
        ({0x920A: IFDRational(12, 1), 0xA20E: IFDRational(107, 1), 0xA20F: IFDRational(107, 1), 0xA210: 2}, None),
        ({0xA405: 0}, None),
        ({0xA405: 65535}, None),
    ],
)
def test_the_equivalent_focal_length(tmp_path: Path, camera: dict[int, Any], expected: float | None) -> None:
    path = photo(tmp_path / "photo.jpg", gps_tags=gps(*PLACE), camera={0xA002: 1280, 0xA003: 960, **camera})
    found = record_of(path).focal_length_35mm
    assert found == (pytest.approx(expected, abs=0.2) if expected else None)


@pytest.mark.parametrize(
    ("camera", "taken"),
    [
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "2021:02:30 10:00:00"}, None),
        ({0x9003: "    :  :     :  :  "}, None),
        ({0x9003: "1911:01:01 00:00:00"}, "1911-01-01T00:00:00"),
        ({0x9003: "3011:01:01 00:00:00"}, None),
        ({0x9004: "2001:02:03 04:05:06"}, "2001-02-03T04:05:06"),
        ({0x9003: "2001:02:03 04:05:06", 0x9011: "Z"}, "2001-02-03T04:05:06+00:00"),
        ({0x9003: "2001:02:03 04:05:06", 0x9011: "somewhere"}, "2001-02-03T04:05:06"),
    ],
)
def test_times(tmp_path: Path, camera: dict[int, Any], taken: str | None) -> None:
    assert record_of(photo(tmp_path / "photo.jpg", gps_tags=gps(*PLACE), camera=camera)).taken == taken


def test_the_clock_of_the_gps_is_in_utc(tmp_path: Path) -> None:
    tags = {**gps(*PLACE), 7: (IFDRational(9, 1), IFDRational(14, 1), IFDRational(395, 10)), 29: "2011:07:15"}
    assert record_of(photo(tmp_path / "photo.jpg", gps_tags=tags)).taken == "2011-07-15T09:14:39+00:00"


@pytest.mark.parametrize(
    ("main", "caption"),
    [
        ({0x010E: "OLYMPUS DIGITAL CAMERA"}, ""),
        ({0x010E: "SAMSUNG   ", 0x010F: "SAMSUNG"}, ""),
        ({0x010E: '{"MAPLatitude": 1}'}, ""),
        ({0x010E: "               "}, ""),
        ({0x9C9C: "Café, 5th Ave\0".encode("utf-16-le")}, "Café, 5th Ave"),
        ({0x010E: "DCIM\\100MEDIA", 0x9C9C: "a church".encode("utf-16-le")}, "a church"),
        ({0x010E: b"Caf\xc3\xa9"}, "Café"),
        ({0x010E: "one\r\n\ttwo\x1b[31m\u202ethree\x07".encode()}, "one two[31mthree"),
        ({0x010E: "x" * 5000}, "x" * 1000),
    ],
)
def test_captions_are_what_a_person_wrote(tmp_path: Path, main: dict[int, Any], caption: str) -> None:
    assert record_of(photo(tmp_path / "photo.jpg", gps_tags=gps(*PLACE), main=main)).caption == caption


def test_xmp_gives_place_heading_time_and_caption(tmp_path: Path) -> None:
    packet = xmp(
        "<dc:description><rdf:Alt><rdf:li xml:lang='fr'>Une rue</rdf:li>"
        "<rdf:li xml:lang='x-default'>A street</rdf:li></rdf:Alt></dc:description>"
        "<exif:GPSLongitude>73,59.382W</exif:GPSLongitude>",
        'exif:GPSLatitude="40,44.466N" exif:GPSImgDirection="29050/100" exif:GPSImgDirectionRef="M"'
        ' photoshop:DateCreated="2020-05-06T07:08:09+02:00"',
    )
    for suffix in ("jpg", "webp", "png", "tif"):
        record = record_of(photo(tmp_path / f"photo.{suffix}", xmp=packet))
        assert (record.lat, record.lon) == pytest.approx(PLACE, abs=1e-7)
        assert record.place_source is PlaceSource.XMP
        assert record.heading == 290.5
        assert record.heading_reference is HeadingReference.MAGNETIC
        assert record.taken == "2020-05-06T07:08:09+02:00"
        assert record.caption == "A street"


@pytest.mark.parametrize(
    "packet",
    [
        b"<not xml",
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b"<a>" * 20_000,
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such-code"?><x/>',
    ],
)
def test_hostile_xmp_says_nothing(tmp_path: Path, packet: bytes) -> None:
    assert reason_of(photo(tmp_path / "photo.webp", xmp=packet)) is Reason.NO_GPS


def test_exif_wins_over_xmp_and_sidecar(tmp_path: Path) -> None:
    path = photo(
        tmp_path / "photo.jpg",
        gps_tags=gps(*PLACE, 290),
        main={0x010E: "from the camera"},
        xmp=xmp("", 'exif:GPSLatitude="1,0N" exif:GPSLongitude="2,0E"'),
    )
    record = record_of(path, SidecarFields(lat=3.0, lon=4.0, heading=5.0, caption="from the table", tags=("a",)))
    assert (record.lat, record.lon) == pytest.approx(PLACE)
    assert record.heading == 290
    assert record.caption == "from the table"
    assert record.tags == ("a",)


def test_a_sidecar_mends_what_the_file_lacks(tmp_path: Path) -> None:
    sidecar = SidecarFields(
        lat=40.7, lon=-74.0, heading=110.0, frontage=(40.1, -74.1, 40.2, -74.2), source="/photos/whole.jpg"
    )
    bad = {tag: value for tag, value in gps(*PLACE).items() if tag != 3}
    for path in (photo(tmp_path / "none.jpg"), photo(tmp_path / "bad.jpg", gps_tags=bad)):
        record = record_of(path, sidecar)
        assert (record.lat, record.lon) == (40.7, -74.0)
        assert record.place_source is PlaceSource.SIDECAR
        assert (record.heading, record.heading_reference) == (110.0, HeadingReference.TRUE)
        assert record.source == "/photos/whole.jpg"
        assert record.frontage is not None
        assert record.frontage.at(0.5) == pytest.approx((40.15, -74.15))


def test_a_bad_place_in_a_sidecar_is_the_reason(tmp_path: Path) -> None:
    sidecar = SidecarFields(problem=Reason.OUT_OF_RANGE, detail="latitude 91, in a sidecar")
    assert reason_of(photo(tmp_path / "photo.jpg"), sidecar) is Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({}, Reason.NO_GPS),
        ({**gps(*PLACE), 2: (IFDRational(91, 1), IFDRational(0, 1), IFDRational(0, 1))}, Reason.OUT_OF_RANGE),
        ({**gps(*PLACE), 2: (IFDRational(0, 0),) * 3, 4: (IFDRational(0, 0),) * 3}, Reason.ZERO_RATIONAL),
        (gps(0.0, 0.0), Reason.NULL_ISLAND),
        ({tag: value for tag, value in gps(*PLACE).items() if tag != 1}, Reason.MISSING_HEMISPHERE),
    ],
)
def test_places_that_cannot_be_used(tmp_path: Path, tags: dict[int, Any], reason: Reason) -> None:
    for suffix in ("jpg", "png", "webp", "tif"):
        assert reason_of(photo(tmp_path / f"photo.{suffix}", gps_tags=tags)) is reason


def test_pictures_made_by_a_model_are_not_photographs(tmp_path: Path) -> None:
    mark = 'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
    path = photo(tmp_path / "drawn.png", gps_tags=gps(*PLACE), xmp=xmp("", mark))
    assert reason_of(path) is Reason.GENERATED


def test_truncated_files(tmp_path: Path) -> None:
    for suffix in ("jpg", "png", "webp", "heic"):
        path = tmp_path / f"photo.{suffix}"
        if suffix == "heic":
            pillow_heif.from_pillow(scene(size=(320, 240))).save(path, exif=exif(gps(*PLACE)).tobytes())
        else:
            photo(path, size=(320, 240), gps_tags=gps(*PLACE))
        whole = path.read_bytes()
        for part in (0.9, 0.5):
            path.write_bytes(whole[: int(len(whole) * part)])
            assert reason_of(path) is Reason.TRUNCATED, (suffix, part)


def test_bombs(tmp_path: Path) -> None:
    for side in (13_400, 60_000, 2_000_000):
        assert side * side > MAX_PIXELS
        assert reason_of(png_bomb(tmp_path / "bomb.png", side)) is Reason.DECOMPRESSION_BOMB


def test_a_text_that_unpacks_without_end_is_a_bomb(tmp_path: Path) -> None:
    whole = photo(tmp_path / "photo.png", gps_tags=gps(*PLACE)).read_bytes()
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 80_000_000))
    (tmp_path / "photo.png").write_bytes(whole[:33] + text + whole[33:])
    assert reason_of(tmp_path / "photo.png") is Reason.DECOMPRESSION_BOMB


def test_metadata_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    """5,000 entries of the GPS directory point to the same 60 kB."""
    entries = 5000
    gps_at = 8 + 2 + 12 + 4
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHLLL", 1, 0x8825, 4, 1, gps_at, 0)
    block += struct.pack("<H", entries)
    for tag in range(entries):
        block += struct.pack("<HHLL", tag, 5, 7000, 8)
    block += b"\0\0\0\0"
    path = tmp_path / "photo.jpg"
    scene().save(path, exif=b"Exif\0\0" + block)
    assert inflates(block)
    assert reason_of(path) is Reason.BAD_METADATA
    sidecar = SidecarFields(lat=40.0, lon=-74.0)
    assert record_of(path, sidecar).place_source is PlaceSource.SIDECAR


def test_sound_metadata_does_not_inflate() -> None:
    block = exif(gps(*PLACE, 290), {0x010E: "x" * 500}, {0x9003: "2018:06:26 17:46:33"}).tobytes()
    assert not inflates(block)
    for cut in range(len(block)):
        inflates(block[:cut])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", Reason.EMPTY),
        ("text.jpg", b"hello", Reason.NOT_AN_IMAGE),
        ("notes.txt", b"hello", Reason.NOT_AN_IMAGE),
        ("film.mov", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Reason.NOT_AN_IMAGE),
        ("._photo.jpg", b"\0\5\x16\7\0\2\0\0Mac OS X", Reason.NOT_AN_IMAGE),
        ("anim.gif", b"GIF89a" + b"\0" * 20, Reason.UNSUPPORTED_FORMAT),
        ("raw.NEF", b"MM\0*" + b"\0" * 20, Reason.UNSUPPORTED_FORMAT),
        ("head.jpg", b"\xff\xd8\xff", Reason.TRUNCATED),
        ("junk.jpg", b"\xff\xd8\xff" + b"\x11" * 500 + b"\xff\xd9", Reason.DAMAGED),
        ("head.png", b"\x89PNG\r\n\x1a\n", Reason.TRUNCATED),
        ("head.tif", b"II*\0", Reason.DAMAGED),
        ("head.webp", b"RIFF\xff\0\0\0WEBPVP8 ", Reason.TRUNCATED),
        ("head.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Reason.DAMAGED),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, name: str, content: bytes, reason: Reason) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert reason_of(path) is reason


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "absent.jpg") is Reason.UNREADABLE
    assert reason_of(tmp_path) in (Reason.UNREADABLE, Reason.NOT_A_FILE)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert reason_of(tmp_path / "pipe.jpg") is Reason.NOT_A_FILE


def test_plain_pictures_have_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "fog.jpg"
    Image.new("RGB", (64, 64), (200, 200, 200)).save(path, exif=exif(gps(*PLACE)).tobytes())
    assert record_of(path).phash == ""


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "I"])
def test_every_depth_of_colour_is_hashed(tmp_path: Path, mode: str) -> None:
    grey = scene().convert("L")
    if mode in ("I;16", "F", "I"):
        picture = Image.frombytes("I;16", grey.size, b"".join(struct.pack("<H", 40 * v) for v in grey.tobytes()))
        picture = picture if mode == "I;16" else picture.convert("I").convert(mode)
    else:
        picture = scene().convert(mode)
    path = tmp_path / "photo.tif"
    picture.save(path, exif=exif(gps(*PLACE)).tobytes())
    assert len(record_of(path).phash) == 16


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["jpg", "png", "webp", "tif"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
)
def test_damaged_bytes_never_raise(tmp_path: Path, suffix: str, damages: list[tuple[float, bytes]]) -> None:
    path = photo(tmp_path / f"photo.{suffix}", size=(24, 16), gps_tags=gps(*PLACE), main={0x010E: "x"}, xmp=xmp(""))
    data = bytearray(path.read_bytes())
    for position, change in damages:
        at = int(position * (len(data) - 1))
        data[at : at + len(change)] = change
    path.write_bytes(data)
    outcome, record = read_photo(path)
    assert (record is not None) == (outcome.reason is Reason.PLACED)
    assert outcome.sentence.isprintable()


def test_without_pillow_heif_only_heic_photos_are_left_out(tmp_path: Path) -> None:
    pillow_heif.from_pillow(scene()).save(tmp_path / "photo.heic", exif=exif(gps(*PLACE)).tobytes())
    for suffix in ("jpg", "avif"):
        photo(tmp_path / f"photo.{suffix}", gps_tags=gps(*PLACE))
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"  # as if it were not installed
        "from pathlib import Path\n"
        "from gpsdream_app.photos.reader import read_photo\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()): print(read_photo(path)[0].reason)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [Reason.PLACED, Reason.NO_HEIC_READER, Reason.PLACED]
    assert "pip install pillow-heif" in Reason.NO_HEIC_READER.sentence
