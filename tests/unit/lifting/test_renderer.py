from __future__ import annotations

import numpy as np
import pytest
import torch

from gpsdream_app.lifting.cameras import Camera, rays_of
from gpsdream_app.lifting.field import DenseGrid, Field, Occupancy, TriPlane
from gpsdream_app.lifting.renderer import Background, Light, Shading, box_span, look, render_pictures, render_rays

RADIUS = 0.6


class Ball(Field):
    """An analytic ball of one density with an edge of a given softness."""

    def __init__(self, density: float, softness: float = 0.0) -> None:
        super().__init__(64)
        self.value, self.softness = density, softness

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        distance = points.norm(dim=-1)
        if self.softness:
            inside = torch.sigmoid((RADIUS - distance) / self.softness)
        else:
            inside = (distance < RADIUS).to(points.dtype)
        return self.value * inside, (points / 2 + 0.5).clamp(0, 1)

    def refine(self, resolution: int) -> None:
        self.resolution = resolution

    def total_variation(self) -> torch.Tensor:
        return torch.zeros(())


def chord(camera: Camera, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Length of each ray inside the ball, and the distance to where it enters (NaN if it misses)."""
    rays = rays_of([camera], side, side)
    o, d = rays.origins[0].double().numpy(), rays.directions[0].double().numpy()
    b = (o * d).sum(axis=-1)
    inside = b * b - ((o * o).sum(axis=-1) - RADIUS**2)
    half = np.sqrt(np.maximum(inside, 0))
    return 2 * half, np.where(inside > 0, -b - half, np.nan)


@pytest.mark.parametrize("camera", [Camera(0), Camera(123, -25, 2.5, 45)])
def test_the_opacity_of_a_thin_ball_is_that_of_its_chord(camera: Camera) -> None:
    seen = render_pictures(Ball(1.7), [camera], 24, 24, samples=400)
    length, _ = chord(camera, 24)
    np.testing.assert_allclose(seen.opacity.reshape(24, 24), 1 - np.exp(-1.7 * length), atol=0.02)
    np.testing.assert_allclose(seen.opacity.mean(), (1 - np.exp(-1.7 * length)).mean(), atol=1e-3)


def test_the_depth_of_a_solid_ball_is_that_of_its_surface() -> None:
    camera, side = Camera(200, 15, 3, 40), 32
    seen = render_pictures(Ball(400.0), [camera], side, side, samples=600)
    length, entry = chord(camera, side)
    deep = length > 0.5
    assert deep.sum() > 50
    depth = seen.depth.reshape(side, side).numpy()
    np.testing.assert_allclose(depth[deep], entry[deep], atol=0.01)
    assert (depth[length == 0] == 0).all()


def test_the_normals_of_a_ball_are_those_of_its_surface() -> None:
    camera, side = Camera(200, 15, 3, 40), 32
    # An edge a cell wide, as a field has it: differences over a cell then see a slope and not a step.
    seen = render_pictures(Ball(60.0, 0.03), [camera], side, side, samples=300, normals=True)
    length, _ = chord(camera, side)
    rays = rays_of([camera], side, side)
    # Such an edge is seen a little outside the ball: at the depth that was rendered.
    points = rays.origins[0] + seen.depth.reshape(side, side, 1) * rays.directions[0]
    away = torch.nn.functional.normalize(points, dim=-1).numpy()
    cosines = (seen.normal.reshape(side, side, 3).numpy() * away).sum(axis=-1)[length > 0.5]
    assert cosines.min() > 0.999


def test_the_mean_depth_of_fog_is_in_closed_form() -> None:
    # A ray through the middle of thin fog: the mean of an exponential that ends after the diameter.
    camera, density = Camera(90, 0, 3, 1), 2.0
    seen = render_pictures(Ball(density), [camera], 1, 1, samples=2000)
    length = 2 * RADIUS
    mean = 1 / density - length * np.exp(-density * length) / (1 - np.exp(-density * length))
    assert seen.depth.item() == pytest.approx(3 - RADIUS + mean, abs=2e-3)


def test_what_the_light_leaves_shows_the_background() -> None:
    camera = Camera(0, 0, 3, 40)
    colour = torch.tensor([0.2, 0.5, 0.9])
    seen = render_pictures(Ball(0.0), [camera], 4, 4, background=colour)
    torch.testing.assert_close(seen.colour, colour.expand(16, 3))
    assert render_pictures(Ball(0.0), [camera], 4, 4).colour.abs().max() == 0
    sky = Background()
    torch.testing.assert_close(
        render_pictures(Ball(0.0), [camera], 4, 4, background=sky).colour, torch.full((16, 3), 0.5)
    )


def test_rays_meet_the_box_where_they_should() -> None:
    rays = rays_of([Camera(180, 0, 3, 1)], 1, 1).flat()
    near, far = box_span(rays, torch.tensor([1.0, 0.5, 1.0]))
    assert (near.item(), far.item()) == pytest.approx((2.5, 3.5))
    past = rays_of([Camera(180, 0, 3, 1, target=(5.0, 0, 0))], 1, 1).flat()
    near, far = box_span(past, torch.ones(3))
    assert near.item() == far.item()


@pytest.mark.parametrize("kind", [DenseGrid, TriPlane])
def test_skipping_empty_cells_changes_next_to_nothing(kind: type) -> None:
    field = kind(24)
    if kind is DenseGrid:
        with torch.no_grad():
            field.raw[0, 0] = torch.where(field.lattice().norm(dim=-1) < 0.5, 2.0, -12.0)
    camera = Camera(30, 10)
    whole = render_pictures(field, [camera], 16, 16)
    occupancy = Occupancy(field.extent, 16, threshold=0.002)
    occupancy.update(field)
    skipped = render_pictures(field, [camera], 16, 16, occupancy=occupancy)
    torch.testing.assert_close(skipped.colour, whole.colour, atol=0.03, rtol=0)
    if kind is DenseGrid:
        assert skipped.samples < 0.4 * whole.samples
        torch.testing.assert_close(skipped.colour, whole.colour, atol=1e-3, rtol=0)


def test_a_rendered_colour_has_the_gradient_of_finite_differences() -> None:
    field = DenseGrid(4).double()
    with torch.no_grad():
        field.raw.add_(torch.randn(field.raw.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
        field.raw[:, 0] += 2
    rays = rays_of([Camera(20, 5)], 3, 3).flat()
    rays = type(rays)(rays.origins.double(), rays.directions.double())

    def value() -> torch.Tensor:
        seen = render_rays(field, rays, samples=6, normals=True, shading=Shading.LAMBERTIAN, light=Light((1.0, 0, 1)))
        return seen.colour.square().sum() + seen.depth.sum() + seen.facing_away.sum() + seen.spread.sum()

    (gradient,) = torch.autograd.grad(value(), field.raw)
    flat, step = field.raw.data.reshape(-1), 1e-6
    for i in range(0, flat.numel(), 19):
        flat[i] += step
        above = value().item()
        flat[i] -= 2 * step
        below = value().item()
        flat[i] += step
        assert gradient.reshape(-1)[i].item() == pytest.approx((above - below) / (2 * step), abs=1e-5, rel=1e-4)


def test_a_lamp_lights_what_faces_it_and_white_matter_has_no_colour() -> None:
    ball, camera = Ball(300.0, 0.01), Camera(180, 0, 3, 40)
    lamp = Light((1.0, 0.0, 0.0), ambient=0.1, diffuse=0.9)
    seen = render_pictures(ball, [camera], 24, 24, samples=200, shading=Shading.TEXTURELESS, light=lamp)
    picture = seen.colour.reshape(24, 24, 3).numpy()
    assert np.ptp(picture, axis=-1).max() < 1e-5
    assert picture[12, 16, 0] > picture[12, 12, 0] + 0.2, "the lamp is in the east, which is to the right"
    assert picture[12, 8, 0] == pytest.approx(0.1, abs=0.03)


def test_the_normals_of_a_grid_are_those_of_central_differences() -> None:
    field = DenseGrid(32)
    points = 0.4 * torch.randn(200, 3, generator=torch.Generator().manual_seed(2)).clamp(-1.5, 1.5)
    quick, plain = field.normal(points), -torch.nn.functional.normalize(Field.gradient(field, points), dim=-1)
    away = points.norm(dim=-1) > 0.15
    assert (quick * plain).sum(dim=-1)[away].min() > 0.98


def test_a_look_has_four_pictures() -> None:
    shown = look(Ball(300.0, 0.01), Camera(0), 16)
    for picture in (shown.colour, shown.depth, shown.normal, shown.opacity):
        assert picture.shape == (16, 16, 3) and picture.dtype == torch.uint8
    assert shown.opacity[8, 8, 0] > 250 and shown.opacity[0, 0, 0] == 0
    assert shown.normal[8, 8, 2] > 240, "what faces us is blue"
    assert shown.depth[8, 8, 0] > shown.depth[8, 11, 0] > 0, "near is bright"


def test_a_long_box_has_cubic_cells() -> None:
    field = DenseGrid(40, (0.25, 0.5, 1.0))
    assert field.shape == (40, 20, 10)
    density, colour = field.sampled(20)
    assert density.shape == (20, 10, 5) and colour.shape == (20, 10, 5, 3)
    field.refine(80)
    assert field.raw.shape == (1, 4, 80, 40, 20)
