"""One file in, its outcome out: opens, checks and decodes a picture, and never raises."""

from __future__ import annotations

import errno
import io
import os
import stat
import warnings
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import (
    AvifImagePlugin,  # noqa: F401  the plugins register themselves
    Image,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from gpsdream_app.photos.exif import read_metadata
from gpsdream_app.photos.records import HeadingReference, Outcome, PhotoRecord, PlaceSource, Reason, clean_text
from gpsdream_app.photos.sidecars import NOTHING, SidecarFields

try:
    import pillow_heif
except ImportError:  # its wheels are under the GPL as a whole, so a bundle may leave it out
    HEIC_IS_READ = False
else:
    HEIC_IS_READ = True
    pillow_heif.register_heif_opener()
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.options.DECODE_THREADS = 1  # the import is parallel by files already

MAX_PIXELS = 178_956_970  # where Pillow refuses by default; 537 MB in RGB
HASH_SIDE = 32  # pixels that the perceptual hash looks at
PLAIN_DEVIATION = 3.0  # grey levels of 255: fog, a black frame or a blank page have no hash of their own
RAW_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3fr", "arw", "cr2", "cr3", "crw", "dng", "erf", "iiq", "kdc", "mef", "mos"),
        *("nef", "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srw", "x3f"),
    )
)
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_OTHER_PICTURES = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\1\0", "icon"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
)


def read_photo(
    path: Path, sidecar: SidecarFields | None = None, *, size: int = 0, mtime: int = 0
) -> tuple[Outcome, PhotoRecord | None]:
    """Read one file.

    Args:
        path: absolute path of a regular file.
        sidecar: what sidecars say about it. The file's own place wins over theirs, their caption over its own.
        size: of the file in bytes, for the record.
        mtime: of the file in nanoseconds, for the record.

    Returns:
        What became of the file, and its record if it is a photo with a place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's; what matters of them becomes an outcome
        try:
            return _read(path, sidecar or NOTHING, size, mtime)
        except MemoryError:
            return Outcome(path, Reason.DECOMPRESSION_BOMB, "more memory than there is"), None
        except Image.DecompressionBombError:
            return Outcome(path, Reason.DECOMPRESSION_BOMB), None
        except OSError as error:
            if error.errno is None:  # Pillow's own, about the contents
                return Outcome(path, *_fault(path, error)), None
            return Outcome(path, Reason.UNREADABLE, _strerror(error)), None
        except Exception as error:  # decoders fail in every way there is; no file may end an import
            return Outcome(path, *_fault(path, error)), None


def open_picture(path: Path) -> Image.Image:
    """Open a photo of any kind that is read, HEIC too, for its pixels. Raises what Pillow raises."""
    return Image.open(path)


def _strerror(error: OSError) -> str:
    return clean_text(os.strerror(error.errno) if error.errno else error, 100).lower()


def _read(path: Path, sidecar: SidecarFields, size: int, mtime: int) -> tuple[Outcome, PhotoRecord | None]:
    # Opened without waiting: a pipe that took the file's place since the folder was read would block for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return Outcome(path, Reason.NOT_A_FILE), None
        head = file.read(64)
        if not head:
            return Outcome(path, Reason.EMPTY), None
        formats, kind = _recognise(head, path.suffix.lower())
        if not formats:
            return Outcome(path, Reason.UNSUPPORTED_FORMAT if kind else Reason.NOT_AN_IMAGE, kind), None
        if formats == ("HEIF",) and not HEIC_IS_READ:
            return Outcome(path, Reason.NO_HEIC_READER), None
        file.seek(0)
        with Image.open(file, formats=formats) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return Outcome(path, Reason.DECOMPRESSION_BOMB, f"{width:,} x {height:,} pixels"), None
            if width < 1 or height < 1:
                return Outcome(path, Reason.DAMAGED, "no pixels"), None
            if image.format == "PNG":  # its metadata may stand behind the pixels, whose faults must not count as its
                image.load()
            metadata = read_metadata(image)
            phash = _decode(image, metadata.orientation)
    if metadata.generated:
        return Outcome(path, Reason.GENERATED), None
    place, place_source = metadata.place, metadata.place_source
    if place is None and sidecar.lat is not None and sidecar.lon is not None:
        place, place_source = (sidecar.lat, sidecar.lon), PlaceSource.SIDECAR
    if place is None:
        reason, detail = metadata.problem or Reason.NO_GPS, metadata.detail
        if reason is Reason.NO_GPS and sidecar.problem:
            reason, detail = sidecar.problem, sidecar.detail
        return Outcome(path, reason, detail), None
    heading, reference = metadata.heading, metadata.heading_reference
    if heading is None and sidecar.heading is not None:
        heading, reference = sidecar.heading, HeadingReference.TRUE
    if metadata.orientation >= 5:
        width, height = height, width
    record = PhotoRecord(
        path=path,
        lat=place[0],
        lon=place[1],
        heading=heading,
        heading_reference=reference,
        place_source=place_source,
        taken=metadata.taken,
        focal_length_35mm=metadata.focal_length_35mm,
        width=width,
        height=height,
        orientation=metadata.orientation,
        caption=sidecar.caption or metadata.caption,
        tags=sidecar.tags,
        source=sidecar.source or str(path),
        size=size,
        mtime=mtime,
        phash=phash,
        frontage=sidecar.line,
    )
    return Outcome(path, Reason.PLACED), record


def _recognise(head: bytes, suffix: str) -> tuple[tuple[str, ...], str]:
    """Return Pillow's formats that begin with these bytes, or the name of a kind that is not read."""
    if suffix in RAW_SUFFIXES:  # most of them look like TIFF and hold a thumbnail that would be taken for the photo
        return (), "camera raw"
    if head.startswith(b"\xff\xd8\xff"):
        return ("JPEG", "MPO"), ""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ("PNG",), ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ("WEBP",), ""
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return ("TIFF",), ""
    if head[4:8] == b"ftyp":
        brands = {head[start : start + 4] for start in range(8, len(head) - 3, 4)}
        if head[8:12] in _AVIF_BRANDS:
            return ("AVIF",), ""
        if head[8:12] in _HEIF_BRANDS or brands & _HEIF_BRANDS:
            if brands & _AVIF_BRANDS:
                return (("HEIF", "AVIF") if HEIC_IS_READ else ("AVIF",)), ""
            return ("HEIF",), ""
        return (), "camera raw" if head[8:12] == b"crx " else ""
    return (), next((kind for magic, kind in _OTHER_PICTURES if head.startswith(magic)), "")


def _decode(image: Image.Image, orientation: int) -> str:
    """Decode the picture, which finds out whether it is whole, and return its perceptual hash."""
    # JPEG is decoded at an eighth of its size or more: all its bytes are read, few pixels are made.
    image.draft("RGB", (8 * HASH_SIDE, 8 * HASH_SIDE))
    image.load()
    grey = _grey(image).resize((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation != 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        grey.info["exif"] = exif.tobytes()
        grey = ImageOps.exif_transpose(grey)
    if float(np.asarray(grey, dtype=np.float64).std()) < PLAIN_DEVIATION:
        return ""
    return str(imagehash.phash(grey))


def _grey(image: Image.Image) -> Image.Image:
    """Return a picture in 8 bits of grey; deeper ones are stretched to the range that they use."""
    if image.mode[0] not in "IF":
        return image.convert("L")
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    stretched = (values - low) / (high - low or 1.0) * 255.0
    return Image.fromarray(stretched.astype(np.uint8))


def _fault(path: Path, error: Exception) -> tuple[Reason, str]:
    """Return why the contents of a picture file cannot be decoded."""
    text = str(error).lower()
    if isinstance(error, ValueError) and "too large" in text:  # text chunks that unpack without end
        return Reason.DECOMPRESSION_BOMB, "its text"
    if isinstance(error, EOFError) or "truncated" in text or _ends_early(path):
        return Reason.TRUNCATED, ""
    if isinstance(error, UnidentifiedImageError):
        return Reason.DAMAGED, ""
    return Reason.DAMAGED, clean_text(error, 100)


def _ends_early(path: Path) -> bool:
    """Whether a file lacks the end that its format prescribes."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - 4096))
            tail = file.read()
            if head.startswith(b"\xff\xd8\xff"):
                return b"\xff\xd9" not in tail
            if head.startswith(b"\x89PNG"):
                return b"IEND" not in tail
            if head.startswith(b"RIFF"):
                return int.from_bytes(head[4:8], "little") + 8 > size
            if head[4:8] == b"ftyp":
                return _boxes_run_over(file, size)
    except OSError as error:
        return error.errno == errno.EINVAL
    return False


def _boxes_run_over(file: BinaryIO, size: int) -> bool:
    """Whether a top-level box of an ISO media file ends behind the file."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # up to the end
            return False
        if length < 8:
            return False
        position += length
    return position > size
