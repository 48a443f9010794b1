"""Small photographs with the metadata that a test wants."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

GPS_IFD, EXIF_IFD = 0x8825, 0x8769


def scene(number: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture with large shapes that depend on a number, so that two numbers look different."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """An angle of at least 0 as EXIF writes it, to 1/10,000 second (3 mm)."""
    units = round(value * 36_000_000)
    return (
        IFDRational(units // 36_000_000, 1),
        IFDRational(units // 600_000 % 60, 1),
        IFDRational(units % 600_000, 10_000),
    )


def gps(lat: float, lon: float, heading: float | None = None, reference: str = "T") -> dict[int, Any]:
    """The GPS directory of a place."""
    tags: dict[int, Any] = {
        1: "N" if lat >= 0 else "S",
        2: degrees(abs(lat)),
        3: "E" if lon >= 0 else "W",
        4: degrees(abs(lon)),
    }
    if heading is not None:
        tags[16] = reference
        tags[17] = IFDRational(round(heading * 100), 100)
    return tags


def exif(
    gps_tags: Mapping[int, Any] | None = None,
    main: Mapping[int, Any] | None = None,
    camera: Mapping[int, Any] | None = None,
) -> Image.Exif:
    """An EXIF block."""
    block = Image.Exif()
    for tag, value in (main or {}).items():
        block[tag] = value
    # Pillow takes a block that has nothing but directories for an empty one.
    block.setdefault(0x0131, "a test")
    if camera:
        block[EXIF_IFD] = dict(camera)
    if gps_tags:
        block[GPS_IFD] = dict(gps_tags)
    return block


def photo(path: Path, number: int = 0, size: tuple[int, int] = (96, 64), **blocks: Any) -> Path:
    """Write a photograph; `gps_tags`, `main` and `camera` are its EXIF directories, `xmp` its packet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    xmp = blocks.pop("xmp", None)
    block = exif(**blocks)
    more: dict[str, Any] = {"xmp": xmp} if xmp else {}
    if xmp and path.suffix == ".png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        more = {"pnginfo": text}
    elif xmp and path.suffix == ".tif":
        block[700] = xmp
        more = {}
    scene(number, size).save(path, exif=block.tobytes(), **more)
    return path


def xmp(properties: str, attributes: str = "") -> bytes:
    """An XMP packet with these property elements and attributes."""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f" {attributes}>{properties}</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(path: Path, side: int) -> Path:
    """Write a small PNG that claims side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
        + png_chunk(b"IEND", b"")
    )
    return path
