"""`gpsdream regions`: the regions that have names, and how the commands find those that a person means."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpsdream_app.commands import terminal
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.library.model_folders import find_model, read_card

if TYPE_CHECKING:
    from gpsdream_app.geo.city import CityMap

SUFFIXES = (".geojson", ".json")


def run(arguments: argparse.Namespace) -> int:
    """List the regions, or write them to a file, and return the exit code."""
    from gpsdream_app.geo.geojson import write_regions
    from gpsdream_app.geo.regions import area, centre, city_regions, photos_in

    _, card = chosen_model(arguments.model)
    regions = [*city_regions(city_of(card)), *own_regions()]
    if arguments.geojson:
        path = Path(arguments.geojson).expanduser().absolute()
        write_regions(path, regions)
        terminal.note(f"gpsdream: {len(regions)} regions: {path}")
    rows = []
    for region in regions:
        lat, lon = centre(region)
        photos = photos_in(region, card.coverage)
        rows.append((region, area(region), (lat, lon), photos))
    if arguments.json:
        terminal.say_json(
            {
                "model": card.name,
                "regions": [
                    {
                        "name": region.name,
                        "kind": region.kind.value,
                        "square_metres": round(size),
                        "centre": list(middle),
                        "photos": photos,
                    }
                    for region, size, middle, photos in rows
                ],
            }
        )
    elif not arguments.geojson:
        lines = [
            (one_line(region.name), region.kind.value, f"{size / 1e6:.2f} km²", photos_words(photos))
            for region, size, _, photos in rows
        ]
        terminal.say(terminal.table(lines, ("region", "is", "area", "photos the model has learned from")))
    return terminal.OK


def photos_words(photos: int | None) -> str:
    """A number of photos: "1,204", "none", "not known"."""
    if photos is None:
        return "not known"
    return f"{photos:,}" if photos else "none"


def one_line(text: str) -> str:
    """A name from anywhere, fit for a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def chosen_model(name: str | None) -> tuple[str, ModelCard]:
    """Return the name of a model as requests hold it, and its card. Raises GPSDreamError if there is none."""
    model = name or DEFAULT_MODEL
    card = read_card(find_model(model))
    return (str(Path(model).absolute()) if Path(model).is_dir() else model), card


def city_of(card: ModelCard) -> CityMap:
    """Return the map of a model's city; of the first one that comes along if its card names none."""
    from gpsdream_app.geo.city import list_cities, load_city

    return load_city(card.city or list_cities()[0])


def own_regions() -> list[Region]:
    """Return the regions that the person has drawn in the window."""
    from gpsdream_app.library.regions import OwnRegions, own_regions_path

    if not own_regions_path().exists():
        return []
    own = OwnRegions()
    if own.notice:
        terminal.note(f"gpsdream: {own.notice}")
    return [item.region for item in own.list()]


def meant_regions(texts: Sequence[str], card: ModelCard) -> list[Region]:
    """Return the regions that a person means: names, of their own regions first, and GeoJSON files.

    Args:
        texts: what was given.
        card: of the model; its city has the names.

    Raises:
        GPSDreamError: if there is no such region or file, or a file holds none.
    """
    from gpsdream_app.geo.city import load_city
    from gpsdream_app.geo.geojson import read_regions
    from gpsdream_app.geo.regions import find_region

    own = {one_line(region.name).casefold(): region for region in own_regions()}
    found: list[Region] = []
    for text in texts:
        if file := meant_file(text):
            regions, said = read_regions(file, load_city(card.city) if card.city else None)
            for sentence in said:
                terminal.note(f"gpsdream: {one_line(sentence)}")
            found += regions
        else:
            region = own.get(one_line(text).casefold())
            found.append(region or find_region(city_of(card), text))
    once = {(region.name, region.key): region for region in found}
    return list(once.values())


def meant_file(text: str) -> Path | None:
    """Return the GeoJSON file that a text names; None if it is a name of something else.

    Raises:
        GPSDreamError: of kind `bad_request` if it can only be a file, and there is none.
    """
    path = Path(text).expanduser()
    named = path.suffix.lower() in SUFFIXES
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if named and not there:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"There is no file “{one_line(text)[:80]}”.")
    return path if there else None
