"""Volume rendering: rays through a field become colours, opacity, depth and normals. The same code on CPU and GPU.

Along a ray with samples of density d_i over lengths s_i: alpha_i = 1 - exp(-d_i s_i), the light that reaches sample i
is T_i = exp(-sum_{j<i} d_j s_j), its weight w_i = T_i alpha_i, and colour, depth and normal are sums with these weights
(Max 1995; NeRF, Eq 3). What is left of the light shows the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn

from gpsdream_app.lifting.cameras import Camera, Rays, rays_of
from gpsdream_app.lifting.field import Field, Occupancy


class Shading(StrEnum):
    """How matter is lit."""

    ALBEDO = "albedo"
    """Its own colour: right for photos, whose light is part of the colours."""
    LAMBERTIAN = "lambertian"
    """By a lamp: shows the shape through the colours (DreamFusion, Eq 7)."""
    TEXTURELESS = "textureless"
    """White matter under the lamp: shows the shape alone."""


@dataclass(frozen=True)
class Light:
    """A lamp for `LAMBERTIAN` and `TEXTURELESS`.

    Attributes:
        direction: towards the lamp, (3,) of any length.
        ambient, diffuse: what reaches every point, and what reaches a surface that faces the lamp.
    """

    direction: tuple[float, float, float] = (0.3, -0.4, 0.85)
    ambient: float = 0.1
    diffuse: float = 0.9


@dataclass(frozen=True)
class Rendered:
    """What N rays see.

    Attributes:
        colour: (N, 3) in front of the background, 0 to 1.
        opacity: (N,) 0 to 1.
        depth: (N,) mean distance from the camera along the ray in field units, 0 where there is nothing.
        normal: (N, 3) mean unit normal, 0 where there is nothing or it was not asked for.
        facing_away: (N,) sum of w max(0, n·v)², for the orientation loss; 0 if normals were not asked for.
        spread: (N,) variance of the depth along the ray in field units squared.
        samples: how many points of the field were read.
    """

    colour: torch.Tensor
    opacity: torch.Tensor
    depth: torch.Tensor
    normal: torch.Tensor
    facing_away: torch.Tensor
    spread: torch.Tensor
    samples: int

    def pictures(self, count: int, height: int, width: int) -> torch.Tensor:
        """The colours as (count, 3, height, width)."""
        return self.colour.reshape(count, height, width, 3).permute(0, 3, 1, 2)


class Background(nn.Module):
    """A learned surrounding: a smooth colour for every direction (real spherical harmonics up to degree 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(9, 3))

    def forward(self, directions: torch.Tensor) -> torch.Tensor:
        """Colours (N, 3), 0 to 1, of unit directions (N, 3)."""
        x, y, z = directions.unbind(-1)
        basis = torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)
        return torch.sigmoid(basis @ self.coefficients)


def box_span(rays: Rays, extent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where rays (N, 3) enter and leave the box of half size `extent` (3,): two distances (N,); equal if they miss."""
    safe = torch.where(rays.directions.abs() < 1e-9, torch.full_like(rays.directions, 1e-9), rays.directions)
    one, other = (-extent - rays.origins) / safe, (extent - rays.origins) / safe
    near = torch.minimum(one, other).amax(dim=-1).clamp(min=0.0)
    far = torch.maximum(one, other).amin(dim=-1)
    return near, torch.maximum(near, far)


def render_rays(
    field: Field,
    rays: Rays,
    *,
    samples: int = 64,
    background: torch.Tensor | None = None,
    occupancy: Occupancy | None = None,
    generator: torch.Generator | None = None,
    shading: Shading = Shading.ALBEDO,
    light: Light | None = None,
    normals: bool = False,
) -> Rendered:
    """March along rays.

    Args:
        field: what is looked at.
        rays: (N, 3) origins and unit directions.
        samples: equal steps from where a ray enters the box to where it leaves it.
        background: (N, 3) or (3,) colour behind the field; None is black.
        occupancy: cells outside it are taken for empty and not read.
        generator: of the random place of each sample within its step; None takes the middles.
        shading: how matter is lit; all but `ALBEDO` need the normals of all samples.
        light: the lamp; None is the default one.
        normals: whether normals are wanted.
    """
    device = rays.origins.device
    count = rays.origins.shape[0]
    near, far = box_span(rays, field._extent.to(device))
    step = (far - near) / samples
    if generator is None:
        offsets = torch.full((count, samples), 0.5, device=device)
    else:
        # Drawn where the generator lives, so that a seed means the same on every device.
        offsets = torch.rand((count, samples), generator=generator, device=generator.device).to(device)
    along = near[:, None] + step[:, None] * (torch.arange(samples, device=device) + offsets)
    wanted = (step > 0)[:, None].expand(count, samples)
    if occupancy is not None:
        with torch.no_grad():
            wanted = wanted & occupancy.along(rays.origins, rays.directions, along)
    which = wanted.reshape(-1).nonzero().squeeze(1)
    ray = torch.div(which, samples, rounding_mode="floor")
    read = rays.origins[ray] + along.reshape(-1)[which, None] * rays.directions[ray]
    density_read, colour_read = field(read)

    with_normals = normals or shading is not Shading.ALBEDO
    normal_read = field.normal(read) if with_normals else None
    if shading is not Shading.ALBEDO and normal_read is not None:
        lamp = light or Light()
        towards = torch.tensor(lamp.direction, device=device, dtype=normal_read.dtype)
        towards = towards / towards.norm()
        lit = (lamp.ambient + lamp.diffuse * (normal_read @ towards).clamp(min=0.0)).unsqueeze(-1)
        colour_read = lit.expand_as(colour_read) if shading is Shading.TEXTURELESS else colour_read * lit

    density = density_read.new_zeros(count * samples).index_put((which,), density_read).reshape(count, samples)
    dimming = density * step[:, None]
    before = torch.cumsum(dimming, dim=1) - dimming
    weights = torch.exp(-before) * (1.0 - torch.exp(-dimming))
    opacity = weights.sum(dim=1).clamp(max=1.0)

    def gathered(values: torch.Tensor) -> torch.Tensor:
        """Sum of weighted values (read, C) along each ray, (N, C)."""
        weighted = weights.reshape(-1)[which].unsqueeze(-1) * values
        return torch.zeros(count, values.shape[1], device=device, dtype=values.dtype).index_add(0, ray, weighted)

    colour = gathered(colour_read)
    if background is not None:
        colour = colour + (1.0 - opacity)[:, None] * background
    mean = (weights * along).sum(dim=1)
    depth = mean / opacity.clamp(min=1e-6)
    spread = (weights * (along - depth[:, None]).square()).sum(dim=1)
    normal = torch.zeros_like(rays.directions)
    facing_away = torch.zeros_like(opacity)
    if normal_read is not None:
        normal = gathered(normal_read)
        normal = normal / normal.square().sum(dim=-1, keepdim=True).add(1e-12).sqrt()
        away = (normal_read * rays.directions[ray]).sum(dim=-1, keepdim=True).clamp(min=0.0).square()
        facing_away = gathered(away).squeeze(1)
    depth = torch.where(opacity > 1e-4, depth, torch.zeros_like(depth))
    return Rendered(colour, opacity, depth, normal, facing_away, spread, int(which.numel()))


@dataclass(frozen=True)
class Look:
    """Four pictures of one view, for a person, each (height, width, 3) bytes."""

    colour: torch.Tensor
    depth: torch.Tensor
    normal: torch.Tensor
    opacity: torch.Tensor


@torch.no_grad()
def render_pictures(
    field: Field,
    cameras: Sequence[Camera],
    height: int,
    width: int,
    *,
    samples: int = 64,
    background: torch.Tensor | Background | None = None,
    occupancy: Occupancy | None = None,
    shading: Shading = Shading.ALBEDO,
    light: Light | None = None,
    normals: bool = False,
    chunk: int = 1 << 14,
    before_chunk: Callable[[], None] | None = None,
) -> Rendered:
    """Whole pictures without gradients, some rays at a time; see `render_rays`. Rows of all cameras follow one another.

    Args:
        background: a colour (3,), (cameras, 3), or a learned surrounding.
        chunk: rays that go together, which bounds the memory.
        before_chunk: called before each of them; what it raises ends the rendering.
    """
    device = field._extent.device
    rays = rays_of(cameras, height, width, device).flat()
    behind: torch.Tensor | None = None
    if isinstance(background, Background):
        behind = background(rays.directions)
    elif background is not None:
        per_view = background.to(device).expand(len(cameras), 3)
        behind = per_view.repeat_interleave(height * width, dim=0)
    parts = []
    for start in range(0, rays.origins.shape[0], chunk):
        part = slice(start, start + chunk)
        if before_chunk:
            before_chunk()
        parts.append(
            render_rays(
                field,
                Rays(rays.origins[part], rays.directions[part]),
                samples=samples,
                background=None if behind is None else behind[part],
                occupancy=occupancy,
                shading=shading,
                light=light,
                normals=normals,
            )
        )
    names = ("colour", "opacity", "depth", "normal", "facing_away", "spread")
    joined = [torch.cat([getattr(part, name) for part in parts]) for name in names]
    return Rendered(*joined, samples=sum(part.samples for part in parts))


def look(
    field: Field,
    camera: Camera,
    side: int = 128,
    samples: int = 64,
    background: torch.Tensor | Background | None = None,
    occupancy: Occupancy | None = None,
) -> Look:
    """Colour, depth (near is bright), normals (right red, up green, towards us blue) and opacity."""
    seen = render_pictures(
        field, [camera], side, side, samples=samples, background=background, occupancy=occupancy, normals=True
    )
    opacity = seen.opacity.reshape(side, side, 1)
    solid = seen.opacity > 0.5
    depth = torch.zeros_like(seen.depth)
    if bool(solid.any()):
        near, far = seen.depth[solid].min(), seen.depth[solid].max()
        depth = torch.where(solid, 1.0 - 0.85 * (seen.depth - near) / (far - near).clamp(min=1e-6), depth)
    axes = torch.tensor(camera.axes, dtype=seen.normal.dtype, device=seen.normal.device)
    axes[2] = -axes[2]
    normal = (seen.normal @ axes.T * 0.5 + 0.5).reshape(side, side, 3) * opacity

    def bytes_of(picture: torch.Tensor) -> torch.Tensor:
        return (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu()

    return Look(
        colour=bytes_of(seen.colour.reshape(side, side, 3)),
        depth=bytes_of(depth.reshape(side, side, 1).expand(side, side, 3)),
        normal=bytes_of(normal),
        opacity=bytes_of(opacity.expand(side, side, 3)),
    )
