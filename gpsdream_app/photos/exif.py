"""What the metadata of an opened picture says: place, direction, time, lens, orientation, caption."""

from __future__ import annotations

import math
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from gpsdream_app.photos.places import (
    PlaceError,
    exif_heading,
    exif_place,
    heading_degrees,
    heading_reference,
    xmp_place,
)
from gpsdream_app.photos.records import HeadingReference, PlaceSource, Reason, clean_text
from gpsdream_app.photos.xmp import XmpValues, read_xmp

IMAGE_DESCRIPTION, MAKE, MODEL, ORIENTATION, DATE_TIME = 0x010E, 0x010F, 0x0110, 0x0112, 0x0132
XP_TITLE, XP_COMMENT, XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9F
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
DATE_ORIGINAL, DATE_DIGITIZED, OFFSET_ORIGINAL, OFFSET_DIGITIZED = 0x9003, 0x9004, 0x9011, 0x9012
FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
PLANE_X_RESOLUTION, PLANE_Y_RESOLUTION, PLANE_RESOLUTION_UNIT = 0xA20E, 0xA20F, 0xA210
GPS_TIME, GPS_DATE = 7, 29
MOST_CLAIMED = 4  # times its own length that an EXIF block may claim; a sound one stays under once
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
FILM_DIAGONAL = math.hypot(36.0, 24.0)  # mm
_MM_PER_UNIT = {
    2: 25.4,
    3: 10.0,
    4: 1.0,
    5: 0.001,
}  # FocalPlaneResolutionUnit; 2 is the default of the standard
_DATE = re.compile(r"(\d{4})[:\-/](\d\d)[:\-/](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"[+-]\d\d:\d\d|Z")
# What cameras and phones write into every file by themselves says nothing about the picture.
_CAMERA_TEXTS = re.compile(
    r"(?:[a-z ]*digital camera|dcim.*|dsc[fn]?[_ ]?\d*|sony dsc|img[_ -]?\d+|exif_jpeg_picture|untitled|"
    r"default|jpeg|image|photo|screenshot|\W*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the metadata of one file says.

    Attributes:
        place: latitude and longitude in degrees; None if there is no usable one.
        place_source: where the place was read.
        problem: the reason why there is no place; None if there is one.
        detail: what exactly is wrong with the place; may be empty.
        heading: direction of view in degrees, 0 <= heading < 360; None if not known.
        heading_reference: which north the heading is measured from.
        taken: ISO 8601; None if not known.
        focal_length_35mm: in mm; None if not known.
        orientation: of the stored pixels, 1 to 8.
        caption: one line; may be empty.
        generated: whether a model made the picture.
    """

    place: tuple[float, float] | None = None
    place_source: PlaceSource = PlaceSource.EXIF
    problem: Reason | None = None
    detail: str = ""
    heading: float | None = None
    heading_reference: HeadingReference = HeadingReference.UNKNOWN
    taken: str | None = None
    focal_length_35mm: float | None = None
    orientation: int = 1
    caption: str = ""
    generated: bool = False


def read_metadata(image: Image.Image) -> Metadata:
    """Read the metadata of an opened picture. Whatever stands in it, this returns."""
    main, camera, gps, damaged = _directories(image)
    xmp = _xmp(image)
    place, source, problem, detail = _place(gps, xmp, damaged)
    heading, reference = exif_heading(gps)
    if heading is None:
        heading, reference = _fraction_heading(xmp.heading), heading_reference(xmp.heading_ref)
    if heading is None:
        reference = HeadingReference.UNKNOWN
    return Metadata(
        place=place,
        place_source=source,
        problem=problem,
        detail=detail,
        heading=heading,
        heading_reference=reference,
        taken=_taken(main, camera, gps, xmp),
        focal_length_35mm=focal_length_35mm(camera, image.size),
        orientation=_orientation(main.get(ORIENTATION)),
        caption=_caption(main, xmp),
        generated=xmp.generated,
    )


def _directories(image: Image.Image) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any], bool]:
    """Return the main, EXIF and GPS directories, and whether any of them was damaged."""
    damaged = False
    directories: list[dict[int, Any]] = [{}, {}, {}]
    if inflates(image.info.get("exif", b"")):
        return {}, {}, {}, True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Hostile metadata makes Pillow raise almost anything; none of it may end an import.
        try:
            exif = image.getexif()
            directories[0] = dict(exif)
        except Exception:
            return {}, {}, {}, True
        for index, tag in ((1, EXIF_IFD), (2, GPS_IFD)):
            try:
                directories[index] = dict(exif.get_ifd(tag))
            except Exception:
                damaged = True
    # Pillow only warns about a directory that it could read in part.
    damaged = damaged or any(
        word in str(warning.message).lower() for warning in caught for word in ("corrupt", "larger than file")
    )
    return directories[0], directories[1], directories[2], damaged


def inflates(block: object) -> bool:
    """Whether the directories of an EXIF block claim several times the values that it has bytes for.

    Entries may point to the same bytes, so that a block of 64 kB unpacks to gigabytes. A camera writes none of those.
    """
    if not isinstance(block, bytes):
        return False
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return False
    claimed = 0
    waiting, seen = [struct.unpack_from(order + "L", block, 4)[0]], set[int]()
    while waiting:
        start = waiting.pop()
        if start in seen or start + 2 > len(block):
            continue
        seen.add(start)
        entries = min(struct.unpack_from(order + "H", block, start)[0], (len(block) - start - 2) // 12)
        for number in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHLL", block, start + 2 + 12 * number)
            size = count * _VALUE_BYTES.get(kind, 1)
            if tag in (EXIF_IFD, GPS_IFD):
                waiting.append(value)
            elif 4 < size <= len(block):  # what is longer than the block is passed over by Pillow
                claimed += size
    return claimed > MOST_CLAIMED * len(block)


def _xmp(image: Image.Image) -> XmpValues:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, (tuple, list)):  # several packets: the first one is the picture's own
        packet = packet[0] if packet else b""
    return read_xmp(packet) if isinstance(packet, (bytes, str)) else XmpValues()


def _place(
    gps: Mapping[int, Any], xmp: XmpValues, damaged: bool
) -> tuple[tuple[float, float] | None, PlaceSource, Reason | None, str]:
    try:
        return exif_place(gps), PlaceSource.EXIF, None, ""
    except PlaceError as error:
        problem = error
    try:
        return xmp_place(xmp.lat, xmp.lon), PlaceSource.XMP, None, ""
    except PlaceError as error:
        if problem.reason is Reason.NO_GPS:
            problem = error
    if problem.reason is Reason.NO_GPS and damaged:
        return None, PlaceSource.EXIF, Reason.BAD_METADATA, ""
    return None, PlaceSource.EXIF, problem.reason, problem.detail


def _fraction_heading(text: str) -> float | None:
    """Return the degrees of an XMP rational such as 29000/100."""
    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,12})?)(?:/(\d{1,12}))?\s*", text[:40])
    if match is None:
        return None
    denominator = int(match[2] or 1)
    return heading_degrees(float(match[1]) / denominator) if denominator else None


def _number(value: Any) -> float | None:
    """Return a finite number over zero; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def focal_length_35mm(camera: Mapping[int, Any], size: tuple[int, int]) -> float | None:
    """Return the focal length in mm that has the same view on 24 x 36 mm film; None if it cannot be known.

    Where the camera does not say it, it follows from the real focal length and the size of the sensor: pixels
    divided by pixels per millimetre, compared by the diagonal.

    Args:
        camera: the EXIF directory, tag number to value.
        size: width and height of the picture in pixels, used where the EXIF does not give the original size.
    """
    stated = _number(camera.get(FOCAL_LENGTH_35MM))
    if stated is not None and 2 <= stated <= 3000:
        return stated
    focal = _number(camera.get(FOCAL_LENGTH))
    x, y = _number(camera.get(PLANE_X_RESOLUTION)), _number(camera.get(PLANE_Y_RESOLUTION))
    if focal is None or x is None or y is None:
        return None
    unit = camera.get(PLANE_RESOLUTION_UNIT, 2)
    millimetres = _MM_PER_UNIT.get(unit) if isinstance(unit, int) else None
    if millimetres is None:
        return None
    width = _number(camera.get(PIXEL_WIDTH)) or size[0]
    height = _number(camera.get(PIXEL_HEIGHT)) or size[1]
    diagonal = math.hypot(width / x, height / y) * millimetres
    # From a phone's 1/4 inch sensor to medium format; pictures made smaller afterwards fall out of this often.
    if not 3.0 <= diagonal <= 90.0:
        return None
    equivalent = focal * FILM_DIAGONAL / diagonal
    return round(equivalent, 1) if 2 <= equivalent <= 3000 else None


def _orientation(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 8 else 1


def _timestamp(text: Any, offset: Any = None) -> str | None:
    """Return the ISO 8601 form of an EXIF or XMP time; None if it is not a time that a photo can have."""
    match = _DATE.match(str(text or "").strip("\0 ")[:40])
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if not 1826 <= moment.year <= datetime.now(UTC).year + 1:
        return None
    suffix = str(offset or "").strip("\0 ")
    return moment.isoformat() + (suffix.replace("Z", "+00:00") if _OFFSET.fullmatch(suffix) else "")


def _gps_timestamp(gps: Mapping[int, Any]) -> str | None:
    """Return the time of the GPS clock, which runs in UTC."""
    try:
        hour, minute, second = (int(float(part)) for part in gps[GPS_TIME])
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return _timestamp(f"{gps.get(GPS_DATE)} {hour:02}:{minute:02}:{second:02}", "Z")


def _taken(main: Mapping[int, Any], camera: Mapping[int, Any], gps: Mapping[int, Any], xmp: XmpValues) -> str | None:
    offset = _OFFSET.search(xmp.taken[16:])
    return (
        _timestamp(camera.get(DATE_ORIGINAL), camera.get(OFFSET_ORIGINAL))
        or _timestamp(camera.get(DATE_DIGITIZED), camera.get(OFFSET_DIGITIZED))
        or _timestamp(xmp.taken, offset[0] if offset else None)
        or _gps_timestamp(gps)
        or _timestamp(main.get(DATE_TIME))
    )


def _plain(value: Any) -> str:
    """Return the text of an EXIF string, which Pillow reads as Latin-1 though most programs write UTF-8."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    text = str(value[:8000]).split("\0", 1)[0]
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _windows(value: Any) -> str:
    """Return the text of one of the XP tags, UTF-16 in bytes."""
    if isinstance(value, (tuple, list)):
        try:
            value = bytes(value[:8000])
        except (TypeError, ValueError):
            return ""
    if not isinstance(value, bytes):
        return ""
    return str(value[:8000], "utf-16-le", "ignore").split("\0", 1)[0]


def _caption(main: Mapping[int, Any], xmp: XmpValues) -> str:
    """Return the first text that a person may have written; machine-written ones are passed over."""
    camera = {clean_text(_plain(main.get(tag))).casefold() for tag in (MAKE, MODEL)}
    for text in (
        xmp.caption,
        _plain(main.get(IMAGE_DESCRIPTION)),
        _windows(main.get(XP_COMMENT)),
        _windows(main.get(XP_TITLE)),
        _windows(main.get(XP_SUBJECT)),
    ):
        caption = clean_text(text)
        structured = caption[:1] in "{[<"  # JSON of a mapping app, or markup
        if caption and not structured and caption.casefold() not in camera and not _CAMERA_TEXTS.fullmatch(caption):
            return caption
    return ""
