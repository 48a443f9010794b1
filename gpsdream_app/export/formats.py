"""Everything that results can be exported as, behind one function, for the window and the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.results import Result
from gpsdream_app.export.pictures import QUALITY, PictureFormat, export_pictures
from gpsdream_app.export.results import SILENT, Watch, Written
from gpsdream_app.geo.city import CityMap


class ExportFormat(StrEnum):
    """What results can be exported as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    CONTACT_SHEET = "contact-sheet"
    KMZ = "kmz"
    GEOJSON = "geojson"
    WEB_MAP = "web-map"
    CSV = "csv"
    REQUESTS = "requests"

    @property
    def suffix(self) -> str:
        """Of the file, or of the files in the folder, without the dot."""
        return {"jpeg": "jpg", "contact-sheet": "png", "web-map": "html", "requests": "zip"}.get(self.value, self.value)

    @property
    def is_folder(self) -> bool:
        """Whether it is written into a folder: a file for each picture."""
        return self in _PICTURES

    @property
    def is_of_places(self) -> bool:
        """Whether it is all about where the pictures are, so that they cannot be shared without."""
        return self in (ExportFormat.KMZ, ExportFormat.GEOJSON, ExportFormat.WEB_MAP, ExportFormat.REQUESTS)

    @property
    def has_quality(self) -> bool:
        """Whether there is a choice between quality and size."""
        return self in (ExportFormat.JPEG, ExportFormat.WEBP)

    @property
    def has_title(self) -> bool:
        """Whether a title stands in it."""
        return self in (ExportFormat.CONTACT_SHEET, ExportFormat.KMZ, ExportFormat.WEB_MAP)


_PICTURES = {
    ExportFormat.PNG: PictureFormat.PNG,
    ExportFormat.JPEG: PictureFormat.JPEG,
    ExportFormat.WEBP: PictureFormat.WEBP,
}


@dataclass(frozen=True, slots=True)
class ExportWish:
    """How results shall be exported.

    Attributes:
        format: as what.
        include_place: False leaves out all that tells where the pictures are; not possible for maps and requests.
        quality: of JPEG and WebP, 1 to 100.
        title: of a sheet or a map; may be empty.
        field_of_view: of a KMZ's pictures, across, in degrees; None for the usual one.

    Raises:
        GPSDreamError: of kind `bad_request` if a map shall tell no places.
    """

    format: ExportFormat
    include_place: bool = True
    quality: int = QUALITY
    title: str = ""
    field_of_view: float | None = None

    def __post_init__(self) -> None:
        if not self.include_place and self.format.is_of_places:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"“{self.format}” is all about the places and cannot leave them out.",
                "Share pictures, a contact sheet or a table without location.",
            )


def export_results(
    results: Sequence[Result], out: Path, wish: ExportWish, *, city: CityMap | None = None, watch: Watch = SILENT
) -> Written:
    """Export results; see the modules of the formats for what each one holds.

    Args:
        results: 1 or more.
        out: the file, or the folder of single pictures.
        wish: as what, and how.
        city: the base map of a web map; not needed for anything else.
        watch: told of every result.

    Returns:
        The files, and what was left out.

    Raises:
        GPSDreamError: of kind `bad_request` if nothing can be exported, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop.
    """
    kind = wish.format
    if kind in _PICTURES:
        return export_pictures(
            results, out, _PICTURES[kind], include_place=wish.include_place, quality=wish.quality, watch=watch
        )
    if kind is ExportFormat.CONTACT_SHEET:
        from gpsdream_app.export.contact_sheet import export_contact_sheet

        return export_contact_sheet(results, out, title=wish.title, include_place=wish.include_place, watch=watch)
    if kind is ExportFormat.KMZ:
        from gpsdream_app.export.kmz import FIELD_OF_VIEW, export_kmz

        across = FIELD_OF_VIEW if wish.field_of_view is None else wish.field_of_view
        return export_kmz(results, out, title=wish.title, field_of_view=across, watch=watch)
    if kind is ExportFormat.GEOJSON:
        from gpsdream_app.export.geojson import export_geojson

        return export_geojson(results, out, watch=watch)
    if kind is ExportFormat.WEB_MAP:
        from gpsdream_app.export.web_map import export_web_map  # folium is slow to import

        if city is None:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "A web map needs the map of a city.", "Choose a model first.")
        return export_web_map(results, out, city, title=wish.title, watch=watch)
    if kind is ExportFormat.CSV:
        from gpsdream_app.export.table import export_table

        return export_table(results, out, include_place=wish.include_place, watch=watch)
    from gpsdream_app.export.requests_zip import export_requests

    return export_requests(results, out, watch=watch)
