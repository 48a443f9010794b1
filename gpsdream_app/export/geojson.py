"""Results as GeoJSON (RFC 7946): a point for each picture, the outline of its region for an average."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.results import Result
from gpsdream_app.export.pictures import PictureFormat, copy_picture
from gpsdream_app.export.results import NO_PLACE, SILENT, Watch, Written, facts, left_out, nothing_left, refused, some
from gpsdream_app.geo.geojson import region_feature
from gpsdream_app.geo.regions import clean_name

_GEOMETRY = ("latitude", "longitude")


def export_geojson(results: Sequence[Result], out: Path, *, pictures: bool = True, watch: Watch = SILENT) -> Written:
    """Write the results that have a place as a FeatureCollection, whole or not at all.

    Args:
        results: 1 or more. Those without a place, or whose files cannot be read, are left out.
        out: the file; one that is there is replaced.
        pictures: whether the pictures go into a folder beside it, named after it; the property `picture` of each
            feature is then the path from the file to its picture.
        watch: told of every picture.

    Raises:
        GPSDreamError: of kind `bad_request` if nothing has a place, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; pictures that were written stay.
    """
    some(results)
    written = Written([out])
    folder = out.with_name(f"{out.stem} pictures")
    features: list[dict[str, Any]] = []
    for _, result in watch.over(results):
        place = result.request.place
        if place is None:
            written.left_out.append(left_out(result, NO_PLACE))
            continue
        values = {name: value for name, value in facts(result).items() if name not in _GEOMETRY}
        values["title"] = values.pop("place") or f"{place.lat:.5f}, {place.lon:.5f}"
        if pictures:
            number, digits = len(features) + 1, len(str(len(results)))
            copied = copy_picture(result, folder, number, digits, PictureFormat.PNG, written)
            if copied is None:
                continue
            values["picture"] = f"{folder.name}/{copied.name}"
        if isinstance(result.request, AverageRequest):
            region = result.request.regions[0].region
            # The kind of the result says more than that of the region, and stands in its place.
            features.append(region_feature(region, **(values | {"name": clean_name(region.name)})))
        else:
            point = {"type": "Point", "coordinates": [place.lon, place.lat]}
            features.append({"type": "Feature", "properties": values, "geometry": point})
    if not features:
        raise nothing_left(written, "shown on a map")
    try:
        with whole_file(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            # One by one: all at once would hold up the window's thread.
            file.write('{"type": "FeatureCollection", "features": [\n')
            for number, feature in enumerate(features):
                file.write(",\n" if number else "")
                file.write(json.dumps(feature, allow_nan=False))
            file.write("\n]}\n")
    except OSError as error:
        raise refused(error, out) from error
    return written
