"""Results for Google Earth (KMZ, OGC KML 2.2): pictures on the map, and standing in the street where one looks.

What comes from people is cut down until it is no markup in any reading: Google Earth takes many texts for HTML.
"""

from __future__ import annotations

import html
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gpsdream_app import __version__
from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.results import Result
from gpsdream_app.export.results import (
    NO_PLACE,
    SILENT,
    Watch,
    Written,
    facts,
    how,
    left_out,
    nothing_left,
    refused,
    some,
    thumbnails,
    title_of,
)
from gpsdream_app.geo.regions import clean_name

NAMESPACE = "http://www.opengis.net/kml/2.2"
PICTURE_SIDE, ICON_SIDE = 1024, 64  # pixels of the longer side
FIELD_OF_VIEW = 60.0  # degrees across; the models know none, and a photograph of a street has about as much
EYE_HEIGHT = 2.0  # metres above the ground
NEAR = 12.0  # metres from the eye to the picture that stands in the street
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same pictures give the same file
_DATA = ("seed", "steps", "text_guidance", "place_guidance", "photo_distance", "typicality_rank", "created", "id")


def export_kmz(
    results: Sequence[Result],
    out: Path,
    *,
    title: str = "",
    field_of_view: float = FIELD_OF_VIEW,
    watch: Watch = SILENT,
) -> Written:
    """Write the results that have a place as one KMZ file, whole or not at all.

    Each one is a placemark with the picture as icon and in its balloon; one with a heading has a camera that looks
    that way, and stands in the street once more as a photo overlay. An average brings the outline of its region.

    Args:
        results: 1 or more. Those without a place, or whose files cannot be read, are left out.
        out: the KMZ file; one that is there is replaced.
        title: of the document; empty for a plain one.
        field_of_view: of the pictures, across, in degrees, 1 to 170.
        watch: told of every picture.

    Raises:
        GPSDreamError: of kind `bad_request` if nothing can be shown on a map, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; nothing is written then.
    """
    some(results)
    if not 1 <= field_of_view <= 170:  # also for NaN
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"The field of view must be 1 to 170 degrees, not {field_of_view:g}."
        )
    written = Written([out])
    root = Element("kml", {"xmlns": NAMESPACE})
    document = SubElement(root, "Document")
    _text(document, "name", inert(title) or "Pictures by GPSDream")
    _text(document, "open", "1")
    _text(document, "description", f"Drawn by a model, no photographs. GPSDream {__version__}.")
    pictures, street = Element("Folder"), Element("Folder")
    _text(pictures, "name", "Pictures")
    _text(pictures, "open", "1")
    _text(street, "name", "Standing in the street")
    try:
        with (
            whole_file(out) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            shown = 0
            for _, result in watch.over(results):
                place = result.request.place
                if place is None:
                    written.left_out.append(left_out(result, NO_PLACE))
                    continue
                try:
                    jpeg, icon = thumbnails(result, PICTURE_SIDE, ICON_SIDE)
                except GPSDreamError as error:
                    written.left_out.append(left_out(result, error.failure.message))
                    continue
                shown += 1
                picture_path, icon_path = f"pictures/{shown:05d}.jpg", f"icons/{shown:05d}.jpg"
                # JPEG does not get smaller by packing.
                _add(archive, picture_path, jpeg, zipfile.ZIP_STORED)
                _add(archive, icon_path, icon, zipfile.ZIP_STORED)
                pictures.append(_placemark(result, place, picture_path, icon_path))
                if place.heading is not None:
                    street.append(_overlay(result, place, picture_path, field_of_view))
            if not shown:
                raise nothing_left(written, "shown on a map")
            document.append(pictures)
            if len(street) > 1:
                document.append(street)
            indent(root, " ")
            _add(archive, "doc.kml", tostring(root, "utf-8", xml_declaration=True), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise refused(error, out) from error
    return written


def inert(text: str, most: int = 1200) -> str:
    """Return a text from anywhere on one line that is no markup, whether or not somebody reads it as HTML or KML.

    Angle brackets become angle quotes, and `$[name]`, which Google Earth would replace, is pulled apart.
    """
    line = clean_name(text, most).replace("<", "‹").replace(">", "›").replace("$[", "$ [")
    # XML 1.0 cannot hold the last two characters of a plane.
    return re.sub("[\ufffe\uffff]", "", line)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, how_packed: int) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_DATE)
    entry.compress_type = how_packed
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _text(parent: Element, name: str, text: str) -> Element:
    made = SubElement(parent, name)
    made.text = text
    return made


def _placemark(result: Result, place: Place, picture_path: str, icon_path: str) -> Element:
    made = Element("Placemark")
    _describe(made, result, picture_path)
    _camera(made, place)
    style = SubElement(made, "Style")
    icon_style = SubElement(style, "IconStyle")
    _text(icon_style, "scale", "1.6")
    _text(SubElement(icon_style, "Icon"), "href", icon_path)
    _text(SubElement(style, "LabelStyle"), "scale", "0.8")
    if isinstance(result.request, AverageRequest):
        _text(SubElement(style, "LineStyle"), "color", "ff005b9a")  # alpha, blue, green, red
        _text(SubElement(style, "PolyStyle"), "color", "332b8ac9")
    _extended_data(made, result)
    if isinstance(result.request, AverageRequest):
        many = SubElement(made, "MultiGeometry")
        _point(many, place)
        _polygons(many, result.request.regions[0].region)
    else:
        _point(made, place)
    return made


def _overlay(result: Result, place: Place, picture_path: str, across: float) -> Element:
    made = Element("PhotoOverlay")
    _text(made, "name", inert(title_of(result)))
    _camera(made, place)
    _text(SubElement(made, "Icon"), "href", picture_path)
    half = across / 2
    up = math.degrees(math.atan(math.tan(math.radians(half)) * result.height / max(1, result.width)))
    volume = SubElement(made, "ViewVolume")
    for name, value in (("leftFov", -half), ("rightFov", half), ("bottomFov", -up), ("topFov", up), ("near", NEAR)):
        _text(volume, name, f"{value:.4f}")
    # No point: its icon would stand on that of the placemark.
    return made


def _describe(made: Element, result: Result, picture_path: str) -> None:
    _text(made, "name", inert(title_of(result)))
    lines = [f'<img src="{picture_path}" width="400">', f"<p>{html.escape(inert(how(result)))}</p>"]
    lines.append("<p><i>Drawn by a model; no photograph.</i></p>")
    _text(made, "description", "".join(lines))


def _camera(made: Element, place: Place) -> None:
    """Add the view that Google Earth takes: at eye height along the heading, or from above without one."""
    if place.heading is None:
        view = SubElement(made, "LookAt")
        ways = (("longitude", place.lon), ("latitude", place.lat), ("altitude", 0.0), ("heading", 0.0), ("tilt", 45.0),
                ("range", 400.0))  # fmt: skip
    else:
        view = SubElement(made, "Camera")
        ways = (("longitude", place.lon), ("latitude", place.lat), ("altitude", EYE_HEIGHT),
                ("heading", place.heading), ("tilt", 90.0), ("roll", 0.0))  # fmt: skip
    for name, value in ways:
        _text(view, name, repr(value))
    _text(view, "altitudeMode", "relativeToGround")


def _extended_data(made: Element, result: Result) -> None:
    data = SubElement(made, "ExtendedData")
    known = facts(result)
    for name in ("prompt", "negative_prompt", "model", *_DATA, "digital_source_type"):
        if known[name] not in (None, ""):
            entry = SubElement(data, "Data", {"name": name})
            _text(entry, "value", inert(str(known[name])))


def _point(parent: Element, place: Place) -> None:
    _text(SubElement(parent, "Point"), "coordinates", f"{place.lon!r},{place.lat!r},0")


def _polygons(parent: Element, region: Region) -> None:
    for polygon in region.polygons:
        made = SubElement(parent, "Polygon")
        for number, ring in enumerate(polygon):
            boundary = SubElement(made, "innerBoundaryIs" if number else "outerBoundaryIs")
            corners = " ".join(f"{lon!r},{lat!r},0" for lat, lon in (*ring, ring[0]))
            _text(SubElement(boundary, "LinearRing"), "coordinates", corners)
