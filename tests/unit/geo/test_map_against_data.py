"""How well the map agrees with photographs, OpenStreetMap, street-view places and other people's polygons.

The shore and the streets below 14th Street were placed by looking at the same data, so for these the figures say
how well they were fitted, not how true they are. The numbered grid follows from the plan; its anchor, bearing and
some depths were fitted.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import Point

from gpsdream_app.geo import manhattan

Shapes = Callable[[str], dict[str, Any]]
Features = Callable[[str], list[dict[str, Any]]]

ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth", "Eleventh")
AVENUES = {str(number): ordinal for number, ordinal in enumerate(ORDINALS, 1)}


def overlap(a: Any, b: Any) -> float:
    """Return intersection over union."""
    return float(a.intersection(b).area / a.union(b).area)


def test_every_camera_stands_on_fifth_avenue(shared_data: Path, shapes: Shapes) -> None:
    avenue = shapes("streets")["Fifth Avenue"]
    with (shared_data / "fifth-avenue-1911" / "photos.csv").open(encoding="utf-8") as file:
        places = [manhattan.to_grid(float(row["lat"]), float(row["lon"])) for row in csv.DictReader(file)]
    assert len(places) == 71
    metres = [avenue.distance(Point(place)) for place in places]
    assert max(metres) < 20.0
    # Photographs were taken from both pavements: their middle is the middle of the avenue.
    assert abs(np.median([across for across, _ in places])) < 3.0


def test_land_is_where_others_draw_it(geojson: Features, shapes: Shapes) -> None:
    theirs = shapely.union_all([f["geometry"].buffer(8.0) for f in geojson("click_that_hood/manhattan.geojson")])
    ours = shapely.union_all([area for name, area in shapes("land").items() if name in _own_land()])
    assert overlap(ours, theirs.buffer(-8.0)) > 0.97


def _own_land() -> set[str]:
    return {
        "Manhattan",
        "Marble Hill",
        "Roosevelt Island",
        "Randall's Island",
        "Governors Island",
        "Liberty Island",
        "Ellis Island",
    }


def test_neighbourhoods_agree_where_people_agree(geojson: Features, shapes: Shapes) -> None:
    ours = shapes("neighbourhoods")
    scores = {
        feature["properties"]["name"]: overlap(ours[feature["properties"]["name"]], feature["geometry"])
        for feature in geojson("click_that_hood/manhattan.geojson")
        if feature["properties"]["name"] in ours
    }
    assert len(scores) >= 33
    assert np.median(list(scores.values())) > 0.8
    # Of these everyone draws the same border.
    for name in (
        "Central Park",
        "Upper West Side",
        "Upper East Side",
        "East Harlem",
        "East Village",
        "SoHo",
        "Kips Bay",
    ):
        assert scores[name] > 0.93, name


def _names(name: str) -> list[str]:
    """Return the names of one OpenStreetMap way as our map spells them."""
    found = []
    for part in name.split(" / "):
        match = re.match(r"^(\d+)(?:st|nd|rd|th) Avenue(.*)$", part)
        found.append(f"{AVENUES.get(match[1], match[1])} Avenue{match[2]}" if match else part)
    return found


@pytest.mark.parametrize("extract", ["manhattan-west-side", "manhattan-lower-east-side"])
def test_corners_are_where_openstreetmap_has_them(extract: str, geojson: Features, shapes: Shapes) -> None:
    ways = defaultdict(list)
    for feature in geojson(f"osm-extracts/{extract}/streets.geojson"):
        for name in _names(feature["properties"].get("name", "")):
            ways[name].append(feature["geometry"])
    streets = shapes("streets")
    theirs = {name: shapely.union_all(lines) for name, lines in ways.items() if name in streets}
    errors = []
    for first, second in combinations(sorted(theirs), 2):
        met = theirs[first].intersection(theirs[second])
        corners = [part.centroid for part in getattr(met, "geoms", [met]) if not part.is_empty]
        if not corners or max(a.distance(b) for a in corners for b in corners) > 60.0:
            continue  # no corner, or more than one
        # Streets with two roadways cross in two or four points; ours runs between them.
        middle = shapely.multipoints(corners).centroid
        ours = streets[first].intersection(streets[second])
        if not ours.is_empty:
            errors.append(ours.distance(middle))
    assert len(errors) >= 40
    assert np.median(errors) < 6.0
    assert np.percentile(errors, 90) < 15.0


def test_streets_are_where_cars_have_driven(shared_data: Path, shapes: Shapes) -> None:
    with (shared_data / "geodata" / "touchdown-manhattan" / "nodes.csv").open(encoding="utf-8") as file:
        places = [manhattan.to_grid(float(row["lat"]), float(row["lon"])) for row in list(csv.DictReader(file))[::5]]
    lines = [part for street in shapes("streets").values() for part in getattr(street, "geoms", [street])]
    tree = shapely.STRtree(lines)
    _, metres = tree.query_nearest([Point(place) for place in places], return_distance=True, all_matches=False)
    assert np.median(metres) < 2.0
    assert np.mean(metres < 15.0) > 0.87  # the rest are ramps of bridges and roadways of divided avenues


def test_numbered_streets_and_avenues_are_true_to_a_few_metres(shared_data: Path) -> None:
    with (shared_data / "geodata" / "touchdown-manhattan" / "nodes.csv").open(encoding="utf-8") as file:
        rows = [(float(row["yaw"]), float(row["lat"]), float(row["lon"])) for row in csv.DictReader(file)]
    yaw = np.array([row[0] for row in rows])
    across, along = np.array([manhattan.to_grid(lat, lon) for _, lat, lon in rows]).T
    off = np.abs((yaw - manhattan.BEARING + 90.0) % 180.0 - 90.0)
    for street in range(14, 56):
        on_it = (off > 84) & (np.abs(along - manhattan.uptown(street)) < 12) & (np.abs(across) < 800)
        assert on_it.sum() > 20
        assert abs(np.median(along[on_it]) - manhattan.uptown(street)) < 2.0, street
    for avenue in ("Tenth", "Ninth", "Eighth", "Seventh", "Sixth", "Fifth", "Madison", "Lexington", "Third", "First"):
        middle = manhattan.AVENUES[f"{avenue} Avenue"] * manhattan.FOOT
        on_it = (off < 6) & (np.abs(across - middle) < 12) & (along > manhattan.uptown(14))
        assert abs(np.median(across[on_it]) - middle) < 2.5, avenue


def test_landmarks_stand_on_their_footprints(geojson: Features, shapes: Shapes) -> None:
    ours = shapes("landmarks")
    found = 0
    for feature in geojson("poi-footprints/landmarks.geojson"):
        name = feature["properties"]["name"]
        if name in ours and name != "Brooklyn Bridge":  # as long as a bridge
            found += 1
            assert feature["geometry"].distance(ours[name]) < 40.0, name
    assert found >= 6
