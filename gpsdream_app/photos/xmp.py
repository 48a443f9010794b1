"""The few XMP properties that matter for a photo. Packets come from strangers, hence defusedxml."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

import defusedxml
import defusedxml.ElementTree

MAX_PACKET_BYTES = 2 * 1024 * 1024  # real packets have a few kilobytes; edit histories some hundred
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class XmpValues:
    """What an XMP packet says, as texts; empty where it says nothing.

    Attributes:
        caption: dc:description, in the packet's default language.
        lat: exif:GPSLatitude as it stands.
        lon: exif:GPSLongitude as it stands.
        heading: exif:GPSImgDirection as it stands, a fraction or a number.
        heading_ref: exif:GPSImgDirectionRef, T or M.
        taken: when the photo was taken, ISO 8601 as it stands.
        generated: whether the digital source type says that a model made the picture.
    """

    caption: str = ""
    lat: str = ""
    lon: str = ""
    heading: str = ""
    heading_ref: str = ""
    taken: str = ""
    generated: bool = False


def _text(element: Element) -> str:
    """Return the text of a property: its own, or that of the best item of its list."""
    items = list(element.iter(f"{_RDF}li"))
    if not items:
        return (element.text or "").strip()
    for item in items:
        if item.get(_LANGUAGE) == "x-default":
            return (item.text or "").strip()
    return (items[0].text or "").strip()


def read_xmp(packet: bytes | str) -> XmpValues:
    """Read an XMP packet; one that is too large or is not well-formed XML says nothing."""
    data = packet.encode("utf-8", "replace") if isinstance(packet, str) else bytes(packet)
    data = data.strip(b"\0 \t\r\n")
    if not data or len(data) > MAX_PACKET_BYTES:
        return XmpValues()
    try:
        root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except (ParseError, defusedxml.DefusedXmlException, ValueError, LookupError):
        return XmpValues()
    descriptions = list(root.iter(f"{_RDF}Description"))

    def get(*names: str) -> str:
        for name in names:
            for description in descriptions:
                value = (description.get(name) or "").strip()
                if not value and (child := description.find(name)) is not None:
                    value = _text(child)
                if value:
                    return value
        return ""

    source_type = get(f"{_IPTC_EXT}DigitalSourceType").rstrip("/")
    return XmpValues(
        caption=get(f"{_DC}description"),
        lat=get(f"{_EXIF}GPSLatitude"),
        lon=get(f"{_EXIF}GPSLongitude"),
        heading=get(f"{_EXIF}GPSImgDirection"),
        heading_ref=get(f"{_EXIF}GPSImgDirectionRef"),
        taken=get(f"{_EXIF}DateTimeOriginal", f"{_PHOTOSHOP}DateCreated", f"{_XMP}CreateDate"),
        generated=source_type.rsplit("/", 1)[-1] == "trainedAlgorithmicMedia",
    )
