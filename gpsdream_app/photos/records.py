"""The values of a photo collection: a photo with its place, and what became of every file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

READER_VERSION = 1  # grows when reading changes, so that the next import reads unchanged files again
MAX_CAPTION_CHARACTERS = 1000
MAX_TAG_CHARACTERS = 80
MAX_TAGS = 64
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; every other invisible character goes.


def clean_text(text: object, limit: int = MAX_CAPTION_CHARACTERS) -> str:
    """Return one line without control, direction or private characters, at most `limit` characters long.

    Captions and file names come from strangers: what is left is safe to print on a terminal and to show in a
    label that does not interpret markup.
    """
    # Cut first, so that a caption of many megabytes costs nothing; normalising changes the length a little.
    raw = unicodedata.normalize("NFC", str(text)[: 4 * limit])
    kept = (
        " " if character.isspace() else character
        for character in raw
        if character.isspace() or character in _JOINERS or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(kept).split())[:limit].rstrip()


class Reason(StrEnum):
    """What became of a file or a folder. Every one that an import meets ends with exactly one of these."""

    PLACED = "placed"
    NO_GPS = "no_gps"
    INCOMPLETE_GPS = "incomplete_gps"
    ZERO_RATIONAL = "zero_rational"
    NULL_ISLAND = "null_island"
    OUT_OF_RANGE = "out_of_range"
    MISSING_HEMISPHERE = "missing_hemisphere"
    MALFORMED_GPS = "malformed_gps"
    BAD_METADATA = "bad_metadata"
    GENERATED = "generated"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    DECOMPRESSION_BOMB = "decompression_bomb"
    EMPTY = "empty"
    UNSUPPORTED_FORMAT = "unsupported_format"
    NO_HEIC_READER = "no_heic_reader"
    NOT_AN_IMAGE = "not_an_image"
    SIDECAR = "sidecar"
    UNREADABLE = "unreadable"
    BAD_NAME = "bad_name"
    NOT_A_FILE = "not_a_file"
    BROKEN_LINK = "broken_link"
    LINK_LOOP = "link_loop"
    HIDDEN_FOLDER = "hidden_folder"
    UNREADABLE_FOLDER = "unreadable_folder"
    READER_DIED = "reader_died"
    TOO_SLOW = "too_slow"

    @property
    def sentence(self) -> str:
        """One sentence for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.PLACED: "The photo has a place.",
    Reason.NO_GPS: "The photo says nothing about its place.",
    Reason.INCOMPLETE_GPS: "The photo has a latitude without a longitude, or the other way round.",
    Reason.ZERO_RATIONAL: "A number of the place is divided by zero (0/0): the camera had no fix.",
    Reason.NULL_ISLAND: "The place is 0, 0 in the Gulf of Guinea: the camera had no fix.",
    Reason.OUT_OF_RANGE: "The latitude is over 90 degrees or the longitude over 180.",
    Reason.MISSING_HEMISPHERE: "The place lacks N or S, or E or W, so it could be in two or four spots.",
    Reason.MALFORMED_GPS: "The place is there but is not made of degrees, minutes and seconds.",
    Reason.BAD_METADATA: "The metadata (EXIF) is damaged, so the place cannot be read.",
    Reason.GENERATED: "A model made this picture, as its metadata says; it is not a photograph.",
    Reason.TRUNCATED: "The file is cut off: its end is missing.",
    Reason.DAMAGED: "The file begins like a picture, but cannot be decoded.",
    Reason.DECOMPRESSION_BOMB: "The file would unpack to more than a picture may take.",
    Reason.EMPTY: "The file is empty.",
    Reason.UNSUPPORTED_FORMAT: "The picture is of another kind; JPEG, PNG, WebP, TIFF, HEIC and AVIF are read.",
    Reason.NO_HEIC_READER: "HEIC photos need the package pillow-heif: pip install pillow-heif, then import again.",
    Reason.NOT_AN_IMAGE: "The file is not a picture.",
    Reason.SIDECAR: "The file was read for places and captions of photos.",
    Reason.UNREADABLE: "The file cannot be opened.",
    Reason.BAD_NAME: "The name of the file is not valid text; rename the file.",
    Reason.NOT_A_FILE: "This is a pipe, a socket or a device, not a file.",
    Reason.BROKEN_LINK: "The link leads nowhere.",
    Reason.LINK_LOOP: "The link leads back to a folder that is imported already.",
    Reason.HIDDEN_FOLDER: "The folder is hidden, so it was left out.",
    Reason.UNREADABLE_FOLDER: "The folder cannot be opened.",
    Reason.READER_DIED: "The file made the reading program crash.",
    Reason.TOO_SLOW: "Reading the file took too long, so it was given up.",
}
assert set(_SENTENCES) == set(Reason)


class PlaceSource(StrEnum):
    """Where the place of a photo was read."""

    EXIF = "exif"
    XMP = "xmp"
    SIDECAR = "sidecar"


class HeadingReference(StrEnum):
    """What a heading is measured from. Magnetic north lies 13 degrees west of true north in Manhattan."""

    TRUE = "true"
    MAGNETIC = "magnetic"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Frontage:
    """The line of facades that a photo shows, from its left to its right end, in degrees.

    Across the picture the place runs linearly from one end to the other, so every crop has a place of its own.
    """

    left_lat: float
    left_lon: float
    right_lat: float
    right_lon: float

    def at(self, fraction: float) -> tuple[float, float]:
        """Latitude and longitude at a fraction of the way, 0 the left end and 1 the right."""
        return (
            self.left_lat + fraction * (self.right_lat - self.left_lat),
            self.left_lon + fraction * (self.right_lon - self.left_lon),
        )


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """One photo with a place.

    Attributes:
        path: absolute path of the file.
        lat: latitude in degrees, -90 to 90.
        lon: longitude in degrees, -180 to 180.
        heading: direction of view in degrees clockwise from north, 0 <= heading < 360; None if not known.
        heading_reference: which north that is. A magnetic heading is kept as it was written.
        place_source: where the place was read.
        taken: ISO 8601, with an offset from UTC where the camera wrote one; None if not known.
        focal_length_35mm: focal length in mm of a lens with the same view on 36 mm film; None if not known.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        orientation: EXIF orientation of the stored pixels, 1 to 8; 1 is upright.
        caption: what the photo shows, one line; may be empty.
        tags: short words about the photo, from a sidecar.
        source: path of the photograph that this one was cut from; its own path if it is whole. Photos with the
            same source belong on the same side of a split.
        size: of the file, in bytes.
        mtime: when the file was changed, nanoseconds since 1970.
        phash: perceptual hash, 16 hexadecimal digits; empty if the picture is too plain to tell it from others.
        frontage: the line of facades, where a sidecar gives it.
    """

    path: Path
    lat: float
    lon: float
    heading: float | None = None
    heading_reference: HeadingReference = HeadingReference.UNKNOWN
    place_source: PlaceSource = PlaceSource.EXIF
    taken: str | None = None
    focal_length_35mm: float | None = None
    width: int = 0
    height: int = 0
    orientation: int = 1
    caption: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    size: int = 0
    mtime: int = 0
    phash: str = ""
    frontage: Frontage | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["path"] = str(self.path)
        data["tags"] = list(self.tags)
        if self.frontage:
            data["frontage"] = {field.name: getattr(self.frontage, field.name) for field in fields(Frontage)}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PhotoRecord:
        """Read what `to_dict` wrote."""
        values = dict(data)
        values["path"] = Path(data["path"])
        values["heading_reference"] = HeadingReference(data["heading_reference"])
        values["place_source"] = PlaceSource(data["place_source"])
        values["tags"] = tuple(data["tags"])
        values["frontage"] = Frontage(**data["frontage"]) if data["frontage"] else None
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file or folder.

    Attributes:
        path: absolute path; where the name is not valid text, with its bad bytes written as escapes.
        reason: what became of it.
        detail: what exactly, in a few words; may be empty.
    """

    path: Path
    reason: Reason
    detail: str = ""

    @property
    def sentence(self) -> str:
        """One sentence for a person, with the detail."""
        return f"{self.reason.sentence} ({self.detail})" if self.detail else self.reason.sentence

    def to_dict(self) -> dict[str, str]:
        """Return the outcome as JSON values."""
        return {
            "path": str(self.path),
            "reason": self.reason.value,
            "sentence": self.reason.sentence,
            "detail": self.detail,
        }
