from __future__ import annotations

import math

import pytest
import torch

from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.models.place_map import MARGIN_METRES, PlaceMap
from tests.tiny_model import BOX

SIDE = 8
LAT, LON = BOX.centre


def place_map(**changes: object) -> PlaceMap:
    """A map of all cells of the box, each with random numbers."""
    torch.manual_seed(0)
    settings: dict = {
        "channels": 3,
        "side": SIDE,
        "cell_metres": (5.0, 20.0, 200.0),
        "features": (4, 4, 4),
        "rows": (0, 0, 0),
        "hidden": 16,
        "depth_metres": 20.0,
        "width_metres": 32.0,
    }
    made = PlaceMap(BOX, **{**settings, **changes})
    height = (BOX.north - BOX.south) * METRES_PER_DEGREE
    cells = []
    for columns, cell in zip(made.columns, made.cell_metres, strict=True):
        cells.append(torch.arange(columns * (math.ceil((height + 2 * MARGIN_METRES) / cell) + 2)))
    made.keep_cells(cells)
    for table in made.tables:
        torch.nn.init.normal_(table, std=0.05)
    return made


def read(
    made: PlaceMap, east: float = 0.0, north: float = 0.0, heading: float = 0.0, **options: object
) -> torch.Tensor:
    """The map at a point given in metres from the middle of the box."""
    lat = torch.tensor([LAT + north / METRES_PER_DEGREE], dtype=torch.float64)
    lon = torch.tensor([LON + east / (METRES_PER_DEGREE * math.cos(math.radians(LAT)))], dtype=torch.float64)
    with torch.no_grad():
        return made(lat, lon, torch.tensor([heading], dtype=torch.float64), **options)


def test_no_place_is_zero_and_an_untrained_map_is_the_same_everywhere() -> None:
    made = place_map()
    nowhere = torch.tensor([math.nan], dtype=torch.float64)
    assert not made(nowhere, nowhere, nowhere).any()
    for table in made.tables:
        torch.nn.init.zeros_(table)
    assert torch.allclose(read(made), read(made, 300.0, 500.0), atol=1e-6)


@pytest.mark.parametrize(("heading", "right"), [(0.0, (1, 0)), (90.0, (0, -1)), (180.0, (-1, 0)), (270.0, (0, 1))])
def test_a_step_to_the_right_moves_the_picture_one_column_to_the_left(heading: float, right: tuple[int, int]) -> None:
    made = place_map()
    # Without the camera's own cells, which move with every step.
    features = sum(made.features)
    with torch.no_grad():
        made.hidden.weight[:, features : 2 * features] = 0
    column = made.width_metres / SIDE
    here = read(made, heading=heading)
    aside = read(made, right[0] * column, right[1] * column, heading)
    assert torch.allclose(here[..., 1:], aside[..., :-1], atol=2e-3)
    assert not torch.allclose(here, aside, atol=2e-2)


def test_both_sides_of_a_street_are_different_and_a_heading_is_needed_to_tell() -> None:
    made = place_map()
    assert not torch.allclose(read(made, heading=118.0), read(made, heading=298.0), atol=1e-2)
    without = read(made, heading=math.nan)
    assert torch.allclose(without, without[..., :1].expand_as(without), atol=1e-5)


def test_a_wider_picture_shows_more() -> None:
    made = place_map()
    features = sum(made.features)
    with torch.no_grad():
        made.hidden.weight[:, features:] = 0
    narrow = read(made, width=torch.tensor([16.0], dtype=torch.float64))
    wide = read(made, width=torch.tensor([32.0], dtype=torch.float64))
    # Columns 2.. 5 of the wide picture cover the narrow one; its centres lie half a column of the narrow one apart.
    middle = (narrow[..., 0::2] + narrow[..., 1::2]) / 2
    assert (wide[..., 2:6] - middle).abs().mean() < 0.25 * (wide[..., :4] - middle).abs().mean()


def test_a_blurred_place_ignores_the_finest_cells() -> None:
    made = place_map()
    near = read(made, finest=20.0), read(made, 0.0, 0.0, 0.0, finest=20.0)
    assert torch.equal(*near)
    with torch.no_grad():
        exact, blurred = read(made), read(made, finest=20.0)
        made.tables[0].zero_()
        assert torch.allclose(read(made), blurred, atol=1e-6)
        assert not torch.allclose(exact, blurred, atol=1e-3)


def test_only_the_cells_of_a_place_learn() -> None:
    made = place_map()
    lat, lon, heading = (torch.tensor([value], dtype=torch.float64) for value in (LAT, LON, 0.0))
    made(lat, lon, heading).sum().backward()
    touched = (made.tables[0].grad.abs().sum(dim=1) > 0).sum().item()
    assert 0 < touched <= 4 * (SIDE + 1) < len(made.tables[0])


def test_cells_that_are_not_kept_are_zero() -> None:
    made = place_map()
    full = read(made)
    lat, lon, heading = (torch.tensor([value], dtype=torch.float64) for value in (LAT, LON, 0.0))
    _, _, line_east, line_north = made.points_read(lat, lon, heading, None)
    seen = [made.corners(level, line_east.flatten(), line_north.flatten())[0].unique() for level in range(3)]
    values = [table.detach()[cells] for table, cells in zip(made.tables, seen, strict=True)]
    made.keep_cells(seen)
    assert torch.allclose(read(made), read(made, 1000.0, 2000.0), atol=1e-6)
    for table, value in zip(made.tables, values, strict=True):
        table.data.copy_(value)
    features = sum(made.features)
    with torch.no_grad():
        made.hidden.weight[:, features:] = 0
    assert not torch.allclose(read(made), read(made, 1000.0, 2000.0), atol=1e-2)
    assert torch.allclose(read(made, 1000.0, 2000.0), read(made, 1500.0, 2000.0), atol=1e-6)
    assert full.shape == read(made).shape


def test_places_outside_the_box_are_those_of_its_edge() -> None:
    made = place_map()
    assert torch.allclose(read(made, 0.0, 50_000.0), read(made, 0.0, 90_000.0))


def front(heading: float = 118.0, bearing: float = 208.0, length: float = 80.0) -> list[list[float]]:
    """A street front whose camera line has its middle in the middle of the box."""
    return [[LAT, LON, heading, bearing, length]]


def test_near_a_photos_line_the_distance_to_the_front_does_not_matter() -> None:
    made = place_map(fronts=front())
    features = sum(made.features)
    with torch.no_grad():
        made.hidden.weight[:, features:] = 0  # without the camera's own cells
    angle = math.radians(118.0)
    here = read(made, heading=118.0)
    nearer = read(made, 10 * math.sin(angle), 10 * math.cos(angle), 118.0)
    assert torch.allclose(here, nearer, atol=1e-5)
    # Without the photo's line, it does.
    free = place_map()
    with torch.no_grad():
        free.hidden.weight[:, features:] = 0
    assert torch.allclose(read(free, heading=118.0), here, atol=1e-4)
    assert not torch.allclose(read(free, 10 * math.sin(angle), 10 * math.cos(angle), 118.0), here, atol=1e-2)


def test_a_turn_near_a_photos_line_shows_the_front_further_on() -> None:
    made = place_map(fronts=front())
    features = sum(made.features)
    with torch.no_grad():
        made.hidden.weight[:, features:] = 0
    turned = read(made, heading=128.0)
    # To the right of 118 degrees lies 208 degrees.
    step = 20.0 * math.tan(math.radians(10.0))
    moved = read(made, step * math.sin(math.radians(208.0)), step * math.cos(math.radians(208.0)), 118.0)
    assert torch.allclose(turned, moved, atol=1e-4)


@pytest.mark.parametrize(("metres", "heading"), [(80.0, 118.0), (0.0, 298.0), (0.0, 200.0)])
def test_far_from_it_or_turned_away_a_photos_line_means_nothing(metres: float, heading: float) -> None:
    angle = math.radians(208.0)
    where = metres * math.sin(angle), metres * math.cos(angle)
    assert torch.equal(read(place_map(fronts=front()), *where, heading), read(place_map(), *where, heading))


def test_a_place_is_known_as_far_as_the_next_front_that_was_photographed() -> None:
    # One photo looks north over 100 m; the line of the camera runs from west to east.
    made = place_map(fronts=[(LAT, LON, 0.0, 90.0, 100.0)])

    def radius(east: float, north: float, heading: float) -> float:
        lat = torch.tensor([LAT + north / METRES_PER_DEGREE], dtype=torch.float64)
        lon = torch.tensor([LON + east / (METRES_PER_DEGREE * math.cos(math.radians(LAT)))], dtype=torch.float64)
        return made.radius_known(lat, lon, torch.tensor([heading], dtype=torch.float64)).item()

    assert radius(0, 0, 0) == radius(49, 5, 20) == radius(-49, -15, math.nan) == 0
    assert radius(60, 0, 0) == 20  # 10 m past its end: the cells of 20 m reach that far
    assert radius(0, 100, 0) == radius(100, 0, math.nan) == 200
    assert radius(0, 500, 0) == math.inf
    # Along the street one sees what stands at its sides; what is behind one's back says nothing.
    assert radius(0, 0, 90) == 0
    assert radius(0, 0, 180) == math.inf
    nowhere = torch.tensor([math.nan], dtype=torch.float64)
    assert made.radius_known(nowhere, nowhere, nowhere).item() == 0
