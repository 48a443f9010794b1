"""From a request to settings; level framing; what views do not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftRequest
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Box
from gpsdream_app.lifting.cameras import Camera, framed_camera, project, ring
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.field import DenseGrid
from gpsdream_app.lifting.guidance import Condition, guided, words_against
from gpsdream_app.lifting.loop import Lift, LiftConfig, Method
from gpsdream_app.lifting.presets import config_of, framing_of
from gpsdream_app.lifting.run import surface_points
from gpsdream_app.lifting.scale import scale_of_height
from gpsdream_app.lifting.solid import solid
from tests.lifting_scene import ExactNoise, ExactViews

CARD = ModelCard("landmarks", "Landmarks", "", Box(40.7, -74.0, 40.8, -73.9), 96)


@pytest.mark.parametrize("height", [3.0, 22.4, 443.2])
@pytest.mark.parametrize("azimuth", [0.0, 77.0, 290.0])
def test_foot_and_top_stand_where_the_framing_says(height: float, azimuth: float) -> None:
    scale = scale_of_height(height)
    camera = replace(framed_camera(scale, height, foot=0.85, share=0.7, distance=2.5), azimuth=azimuth)
    foot, top = project(scale.to_units(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, height]])), camera, 100, 100)
    assert foot[:2] == pytest.approx([50.0, 85.0]) and top[:2] == pytest.approx([50.0, 15.0])
    assert camera.elevation == 0.0
    away = np.hypot(*scale.to_metres(camera.position)[:2])
    assert away == pytest.approx(2.5 * height)


@pytest.mark.parametrize("method", LiftMethod)
@pytest.mark.parametrize("quality", LiftQuality)
def test_every_request_has_settings(method: LiftMethod, quality: LiftQuality) -> None:
    request = LiftRequest(LANDMARKS[1], method, quality, seed=5, guidance=1.5)
    config, scale = config_of(request, CARD)
    assert config.seed == 5 and config.guidance == 1.5 and config.prompt == LANDMARKS[1].prompt
    assert config.method.value == method.value
    assert LiftConfig.from_dict(config.to_dict()) == config
    assert scale.to_units(np.array([0.0, 0.0, LANDMARKS[1].height]))[2] <= config.extent[2]


def test_the_card_says_how_pictures_are_framed() -> None:
    framing = {"foot": 0.8, "distance": 3.0, "landmarks": {"flatiron": {"height": 0.5}}, "background": [0.1, 0.2, 0.3]}
    card = replace(CARD, framing=framing)
    found = framing_of(card, LANDMARKS[1])
    assert (found.foot, found.height, found.distance, found.background) == (0.8, 0.5, 3.0, (0.1, 0.2, 0.3))
    assert framing_of(card, LANDMARKS[0]).height == 0.7
    assert (
        config_of(LiftRequest(LANDMARKS[1]), card)[0].extent[0]
        > config_of(LiftRequest(LANDMARKS[0]), card)[0].extent[0]
    )


def test_walls_are_filled_and_what_nobody_saw_goes() -> None:
    axis = np.linspace(-1, 1, 41)
    up, north, east = np.meshgrid(axis, axis, axis, indexing="ij")
    square = np.maximum(np.abs(east), np.abs(north))
    wall = (square <= 0.5) & (square > 0.4) & (np.abs(up) <= 0.6)
    cone = (square < 0.3) & (up > 0.6) & (up < 0.8)
    values = np.where(wall | cone, 60.0, 0.0).astype(np.float32)
    density = Density(values, np.full((*values.shape, 3), 0.5, np.float32), (1.0, 1.0, 1.0))
    seen = np.stack([east, north, up], axis=-1)[wall & (square > 0.46)]
    result = solid(density, seen).values > density.threshold()
    assert result[(square < 0.35) & (np.abs(up) < 0.55)].all(), "the inside is filled"
    assert not result[(up > 0.65)].any(), "what lies on the roof was never seen"
    assert result[wall].all()


def test_an_open_passage_stays_open() -> None:
    axis = np.linspace(-1, 1, 41)
    up, north, east = np.meshgrid(axis, axis, axis, indexing="ij")
    arch = (np.abs(east) <= 0.6) & (np.abs(north) <= 0.3) & (np.abs(up) <= 0.6)
    arch &= ~((np.abs(east) < 0.3) & (up < 0.2))
    values = np.where(arch, 60.0, 0.0).astype(np.float32)
    density = Density(values, np.full((*values.shape, 3), 0.5, np.float32), (1.0, 1.0, 1.0))
    result = solid(density, np.stack([east, north, up], axis=-1)[arch]).values > density.threshold()
    assert (result == arch).all()


def test_surfaces_are_found_where_rays_end() -> None:
    field = DenseGrid(32)
    points = field.lattice()
    with torch.no_grad():
        field.raw[0, 0] = torch.where(points.norm(dim=-1) < 0.5, 4.0, -8.0)
    found = surface_points(field, Camera(0.0, distance=3.0), views=4, side=24)
    assert len(found) > 100
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.full(len(found), 0.5), abs=0.1)


def test_a_lift_begins_with_the_hull_of_the_outlines() -> None:
    config = LiftConfig(method=Method.VIEWS, views=24, steps=1, resolutions=(32,), carve=0.0, rays=64, samples=16)
    lift = Lift(config, ExactViews(side=48), previews=0)
    for _ in lift.run():
        pass
    density = lift.field.sampled()[0]
    points = lift.field.lattice()
    body = (points[..., 0].abs() < 0.2) & (points[..., 1].abs() < 0.15) & ((points[..., 2] + 0.15).abs() < 0.5)
    away = (points[..., 0] < -0.5) | (points[..., 1].abs() > 0.5)
    assert float(density[body].median()) > 20.0
    assert float(density[away].median()) < 1.0


def test_words_for_other_views_are_held_against_the_picture() -> None:
    model = ExactNoise(16)
    cameras = ring(3)
    against = words_against("a tower", cameras, 0.5)
    assert [len(row) for row in against] == [2, 2, 2]
    assert all(0 <= weight <= 0.5 for row in against for _, weight in row)
    noisy = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    conditions = [Condition("a tower", camera) for camera in cameras]
    plain, given = guided(model, noisy, 0.5, conditions, 2.0)
    # What this model says of words alone is what it says of nothing: nothing is to be taken off.
    perpendicular, same = guided(model, noisy, 0.5, conditions, 2.0, against)
    assert torch.allclose(plain, perpendicular, atol=1e-5) and torch.equal(given, same)
    other = [[(Condition("a tower", Camera(camera.azimuth + 180)), 1.0)] for camera in cameras]
    changed, _ = guided(model, noisy, 0.5, conditions, 2.0, other)
    nothing = guided(model, noisy, 0.5, [Condition()] * 3, 1.0)[0]
    added, off = given - nothing, changed - plain
    assert float(off.abs().max()) > 1e-3
    assert float((added * off).sum(dim=(1, 2, 3)).abs().max()) < 1e-2, "what is taken off is perpendicular"
