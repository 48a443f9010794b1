from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod

from gpsdream_app.domain.places import Box
from gpsdream_app.evaluation.area import Grid, areas_until_found, mass_of_density, recall_at, recall_curve

BOX = Box(40.730, -73.999, 40.788, -73.955)


def polygon_area(box: Box) -> float:
    """km2 of a box by another program, its sides cut finely because it joins corners by geodesics."""
    west_east = np.linspace(box.west, box.east, 400)
    lons = np.concatenate([west_east, west_east[::-1]])
    lats = np.concatenate([np.full(400, box.south), np.full(400, box.north)])
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)
    return abs(area) / 1e6


@pytest.mark.parametrize("box", [BOX, Box(-34.0, 150.9, -33.8, 151.3), Box(-1.0, 10.0, 2.0, 12.0)])
def test_cells_fill_the_box(box: Box) -> None:
    grid = Grid(box, 7, 5)
    assert grid.areas.sum() == pytest.approx(polygon_area(box), rel=1e-5)
    assert grid.areas.shape == (len(grid),)
    first = Box(box.south, box.west, box.south + (box.north - box.south) / 7, box.west + (box.east - box.west) / 5)
    assert grid.areas[0] == pytest.approx(polygon_area(first), rel=1e-5)


def test_cells_are_of_the_size_that_was_asked_for() -> None:
    grid = Grid.of(BOX, 50)
    assert grid.areas.mean() == pytest.approx(0.0025, rel=0.02)
    assert len(Grid.of(BOX, 1e6)) == 1
    with pytest.raises(ValueError, match="too many"):
        Grid.of(BOX, 0.5)
    with pytest.raises(ValueError, match="size"):
        Grid.of(BOX, 0)


def test_every_cell_holds_its_middle_and_the_edges_belong_to_the_box() -> None:
    grid = Grid(BOX, 6, 4)
    assert np.array_equal(grid.cell_of(*grid.centres), np.arange(24))
    corners = grid.cell_of([BOX.south, BOX.south, BOX.north, BOX.north], [BOX.west, BOX.east, BOX.west, BOX.east])
    assert corners.tolist() == [0, 3, 20, 23]
    assert grid.cell_of([40.0, 40.75], [-73.98, -73.0]).tolist() == [-1, -1]


def test_area_until_found_by_hand() -> None:
    grid = Grid(BOX, 1, 4)
    cell = grid.areas[0]
    lat, lon = (values[[2, 2, 2, 2]] for values in grid.centres)
    scores = [[0.1, 0.2, 0.6, 0.1], [0.5, 0.3, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25], [0.4, 0.2, 0.2, 0.2]]
    found = areas_until_found(scores, grid, lat, lon)
    # First; third; one of four alike; one of the three alike that come second.
    assert found == pytest.approx(np.array([0.5, 2.5, 2.0, 2.5]) * cell)


def test_larger_cells_need_more_belief() -> None:
    # Over 60 degrees of latitude the northern cells are clearly smaller.
    grid = Grid(Box(0.0, 0.0, 80.0, 10.0), 2, 1)
    south, north = grid.areas
    assert south > 1.5 * north
    found = areas_until_found([[0.5, 0.5]] * 2, grid, [20.0, 60.0], [5.0, 5.0])
    assert found == pytest.approx([north + south / 2, north / 2])


def test_log_densities_rank_as_they_are() -> None:
    grid = Grid(Box(0.0, 0.0, 80.0, 10.0), 2, 1)
    mass = mass_of_density([[0.0, 0.0], [1000.0, 999.0], [0.0, -5000.0]], grid)
    assert mass.sum(axis=1) == pytest.approx([1, 1, 1])
    assert mass[0] == pytest.approx(grid.areas / grid.areas.sum())
    assert mass[1, 0] / mass[1, 1] == pytest.approx(np.e * grid.areas[0] / grid.areas[1])
    assert mass[2].tolist() == [1.0, 0.0]


def test_the_area_of_a_normal_density_in_closed_form() -> None:
    """Ranked by a round hill of deviation s about the truth's guess, a truth at distance r is found at pi r^2."""
    box = Box(-0.05, -0.05, 0.05, 0.05)
    grid = Grid.of(box, 40)
    lats, lons = grid.centres
    metres = 110_574.0, 111_320.0
    random = np.random.default_rng(0)
    truth = random.uniform(-0.02, 0.02, (40, 2))
    guess = truth + random.normal(0, 0.004, (40, 2))
    away = ((lats - guess[:, :1]) * metres[0]) ** 2 + ((lons - guess[:, 1:]) * metres[1]) ** 2
    found = areas_until_found(mass_of_density(-away / (2 * 400.0**2), grid), grid, truth[:, 0], truth[:, 1])
    cells = grid.cell_of(truth[:, 0], truth[:, 1])
    middles = np.stack([lats[cells], lons[cells]], axis=1)
    radius = np.hypot(*((guess - middles) * metres).T) / 1000
    assert found == pytest.approx(np.pi * radius**2, rel=0.03, abs=0.02)


def test_places_outside_are_never_found() -> None:
    grid = Grid(BOX, 2, 2)
    found = areas_until_found(mass_of_density(np.zeros((2, 4)), grid), grid, [41.0, 40.75], [-73.98, -73.98])
    assert found[0] == np.inf
    assert found[1] == pytest.approx(grid.areas.sum() / 2)


def test_pictures_that_tell_nothing_have_half_of_the_box_searched() -> None:
    grid = Grid(BOX, 20, 15)
    random = np.random.default_rng(0)
    lat, lon = random.uniform(BOX.south, BOX.north, 300), random.uniform(BOX.west, BOX.east, 300)
    curve = recall_curve(areas_until_found(random.random((300, 300)), grid, lat, lon), resamples=200)
    total = grid.areas.sum()
    assert curve.median_area.low < total / 2 < curve.median_area.high
    assert np.abs(curve.recall - curve.areas / total).max() < 0.1


def test_the_curve_rises_to_the_share_that_is_found() -> None:
    found = np.array([0.1, 0.2, 0.4, 0.8, np.inf])
    curve = recall_curve(found, resamples=100)
    assert curve.areas[[0, -1]].tolist() == [0.1, 0.8]
    assert (np.diff(curve.recall) >= 0).all()
    assert curve.recall[[0, -1]] == pytest.approx([0.2, 0.8])
    assert ((curve.low <= curve.recall) & (curve.recall <= curve.high)).all()
    assert curve.median_area.value == 0.4
    assert curve.median_area.high == np.inf
    assert recall_curve(found, [0.4, 0.15], resamples=10).recall == pytest.approx([0.2, 0.6])
    at = recall_at(found, [0.15, 0.4, 5.0], resamples=100)
    assert [one.value for one in at.values()] == pytest.approx([0.2, 0.6, 0.8])


@pytest.mark.parametrize("found", [[np.inf, np.inf], [0.5, 0.5]])
def test_a_curve_of_nothing_but_one_area(found: list[float]) -> None:
    curve = recall_curve(found, resamples=10)
    assert np.isfinite(curve.areas).all()
    assert curve.median_area.value == found[0]


def test_scores_that_do_not_fit_are_refused() -> None:
    grid = Grid(BOX, 2, 2)
    with pytest.raises(ValueError, match="must be"):
        areas_until_found([[1.0, 2.0]], grid, [40.75], [-73.98])
    with pytest.raises(ValueError, match="finite"):
        areas_until_found([[1.0, np.nan, 0, 0]], grid, [40.75], [-73.98])
    with pytest.raises(ValueError, match="below zero"):
        areas_until_found([[1.0, -1.0, 0, 0]], grid, [40.75], [-73.98])
