"""Fields: density and colour of every point of a box, in plain torch. What renders and meshes knows only `Field`.

The box is centred at 0 and reaches `extent` field units to either side on each axis (east, north, up). Density is per
field unit: light that crosses a length s of density d is dimmed to exp(-d s).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.scale import UNSCALED, Scale

DENSITY_SCALE = 20.0  # of softplus: a raw value of a few then is opaque within one cell
BLOB_HEIGHT, BLOB_RADIUS = 0.0, 0.9  # raw density at the centre, and where in the box (1 is its wall) the blob ends
EMPTY = -5.0  # raw density outside the blob: a quarter of the light is lost on the way through the box


class Field(nn.Module, ABC):
    """Density and colour of points.

    Attributes:
        extent: half the size of the box in field units, (east, north, up).
        resolution: cells along the longest side.
    """

    extent: tuple[float, float, float]
    resolution: int

    def __init__(self, resolution: int, extent: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        super().__init__()
        east, north, up = extent
        if min(extent) <= 0 or resolution < 4:
            raise ValueError("a field has an extent over 0 and at least 4 cells along its longest side")
        self.extent = (float(east), float(north), float(up))
        self.resolution = resolution
        self.register_buffer("_extent", torch.tensor(self.extent), persistent=False)

    @property
    def cell(self) -> float:
        """Length of a cell's edge in field units."""
        return 2.0 * max(self.extent) / self.resolution

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells along up, north and east."""
        east, north, up = (max(4, round(2.0 * size / self.cell)) for size in self.extent)
        return up, north, east

    @abstractmethod
    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Density (N,) over 0 per field unit and colour (N, 3) from 0 to 1 of points (N, 3) inside the box."""

    @abstractmethod
    def refine(self, resolution: int) -> None:
        """Take a finer resolution and keep the shape as well as it can be kept. The parameters are new ones."""

    @abstractmethod
    def total_variation(self) -> torch.Tensor:
        """Mean squared difference of neighbouring cells, a number."""

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """For an optimiser: the parameters with their learning rates, where `rate` is that of a grid of cells."""
        return [{"params": list(self.parameters()), "lr": rate, "share": 1.0}]

    def density(self, points: torch.Tensor) -> torch.Tensor:
        """Density of points (N, 3), (N,)."""
        return self(points)[0]

    def gradient(self, points: torch.Tensor) -> torch.Tensor:
        """Central differences of the density over a cell to either side, (N, 3); they can be differentiated again."""
        step = self.cell
        offsets = step * torch.eye(3, device=points.device, dtype=points.dtype)
        limit = self._extent.to(points)
        both = torch.cat([points + offset for offset in offsets] + [points - offset for offset in offsets])
        inside = (both.abs() <= limit).all(dim=-1)
        density = torch.where(inside, self.density(both.clamp(-limit, limit)), torch.zeros_like(both[:, 0]))
        ahead, behind = density.reshape(2, 3, -1)
        return ((ahead - behind) / (2.0 * step)).T

    def normal(self, points: torch.Tensor) -> torch.Tensor:
        """Unit vectors (N, 3) away from the matter: against the gradient of the density, 0 where that vanishes."""
        gradient = self.gradient(points)
        return -gradient / gradient.square().sum(dim=-1, keepdim=True).add(1e-12).sqrt()

    def lattice(self, resolution: int | None = None, device: torch.device | str | None = None) -> torch.Tensor:
        """Corner points of a regular lattice that fills the box, (up, north, east, 3)."""
        cell = 2.0 * max(self.extent) / (resolution or self.resolution)
        device = self._extent.device if device is None else device
        east, north, up = (
            torch.linspace(-size, size, max(4, round(2.0 * size / cell)), device=device) for size in self.extent
        )
        z, y, x = torch.meshgrid(up, north, east, indexing="ij")
        return torch.stack([x, y, z], dim=-1)

    @torch.no_grad()
    def sampled(self, resolution: int | None = None, chunk: int = 1 << 18) -> tuple[torch.Tensor, torch.Tensor]:
        """Density (up, north, east) and colour (up, north, east, 3) at the points of `lattice`."""
        points = self.lattice(resolution)
        parts = [self(part) for part in points.reshape(-1, 3).split(chunk)]
        density = torch.cat([part[0] for part in parts]).reshape(points.shape[:-1])
        return density, torch.cat([part[1] for part in parts]).reshape(points.shape)


def blob(points: torch.Tensor, extent: torch.Tensor) -> torch.Tensor:
    """What the raw density starts from: a hill in the middle of the box that falls off linearly, (...,)."""
    radius = (points / extent).norm(dim=-1)
    return EMPTY + (BLOB_HEIGHT - EMPTY) * (1.0 - radius / BLOB_RADIUS).clamp(min=0.0)


class DenseGrid(Field):
    """Raw density and colour on a regular lattice, read trilinearly; softplus and sigmoid come after the reading."""

    def __init__(self, resolution: int = 64, extent: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        super().__init__(resolution, extent)
        raw = torch.zeros(1, 4, *self.shape)
        raw[0, 0] = blob(self.lattice(), self._extent)
        self.raw = nn.Parameter(raw)

    def _read(self, grid: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        where = (points / self._extent.to(points)).reshape(1, 1, 1, -1, 3)
        found = F.grid_sample(grid, where, mode="bilinear", padding_mode="border", align_corners=True)
        return found.reshape(grid.shape[1], -1)

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Field."""
        raw = self._read(self.raw, points)
        return F.softplus(raw[0]) * DENSITY_SCALE, torch.sigmoid(raw[1:]).T

    def density(self, points: torch.Tensor) -> torch.Tensor:
        """See Field."""
        return F.softplus(self._read(self.raw[:, :1], points)[0]) * DENSITY_SCALE

    def gradient(self, points: torch.Tensor) -> torch.Tensor:
        """See Field: differences of the lattice itself, read at the points, which costs one reading instead of six."""
        density = F.softplus(self.raw[:, :1]) * DENSITY_SCALE
        around = F.pad(density, (1,) * 6)
        inner = slice(1, -1)
        step = [2.0 * size / (count - 1) for size, count in zip(self.extent, self.raw.shape[:1:-1], strict=True)]
        slopes = [
            (around[:, :, inner, inner, 2:] - around[:, :, inner, inner, :-2]) / (2.0 * step[0]),
            (around[:, :, inner, 2:, inner] - around[:, :, inner, :-2, inner]) / (2.0 * step[1]),
            (around[:, :, 2:, inner, inner] - around[:, :, :-2, inner, inner]) / (2.0 * step[2]),
        ]
        return self._read(torch.cat(slopes, dim=1), points).T

    def total_variation(self) -> torch.Tensor:
        """See Field."""
        raw = self.raw
        return (
            (raw[:, :, 1:] - raw[:, :, :-1]).square().mean()
            + (raw[:, :, :, 1:] - raw[:, :, :, :-1]).square().mean()
            + (raw[..., 1:] - raw[..., :-1]).square().mean()
        )

    def refine(self, resolution: int) -> None:
        """See Field."""
        self.resolution = resolution
        with torch.no_grad():
            finer = F.interpolate(self.raw, size=self.shape, mode="trilinear", align_corners=True)
        self.raw = nn.Parameter(finer.contiguous())


class TriPlane(Field):
    """Three planes of features that are multiplied and read by a small network.

    Takes about half as long again as `DenseGrid` on a CPU; needs less memory at high resolutions. For comparison.
    """

    def __init__(
        self,
        resolution: int = 64,
        extent: Sequence[float] = (1.0, 1.0, 1.0),
        features: int = 16,
        width: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(resolution, extent)
        generator = torch.Generator().manual_seed(seed)
        self.planes = nn.Parameter(1.0 + 0.1 * torch.randn(3, features, resolution, resolution, generator=generator))
        self.hidden = nn.Linear(features, width)
        self.out = nn.Linear(width, 4)
        with torch.no_grad():
            for layer in (self.hidden, self.out):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / layer.in_features**0.5)
                layer.bias.zero_()
            self.out.weight.mul_(0.1)

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See Field."""
        where = points / self._extent.to(points)
        planes = torch.stack([where[:, [0, 1]], where[:, [0, 2]], where[:, [1, 2]]]).unsqueeze(2)
        found = F.grid_sample(self.planes, planes, mode="bilinear", padding_mode="border", align_corners=True)
        hidden = torch.relu(self.hidden(found.squeeze(-1).prod(dim=0).T))
        raw = self.out(hidden)
        density = F.softplus(raw[:, 0] + blob(points, self._extent.to(points))) * DENSITY_SCALE
        return density, torch.sigmoid(raw[:, 1:])

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """See Field: the network learns at a tenth of the planes' rate, and those at a fifth of a grid's."""
        network = [*self.hidden.parameters(), *self.out.parameters()]
        return [
            {"params": [self.planes], "lr": rate * 0.2, "share": 0.2},
            {"params": network, "lr": rate * 0.02, "share": 0.02},
        ]

    def total_variation(self) -> torch.Tensor:
        """See Field."""
        planes = self.planes
        return (planes[:, :, 1:] - planes[:, :, :-1]).square().mean() + (
            planes[..., 1:] - planes[..., :-1]
        ).square().mean()

    def refine(self, resolution: int) -> None:
        """See Field."""
        self.resolution = resolution
        with torch.no_grad():
            finer = F.interpolate(self.planes, size=(resolution, resolution), mode="bilinear", align_corners=True)
        self.planes = nn.Parameter(finer.contiguous())


FIELDS = {"dense": DenseGrid, "tri-plane": TriPlane}


def density_of(field: Field, resolution: int | None = None, scale: Scale = UNSCALED) -> Density:
    """Read a field on its own lattice, or on a finer or coarser one."""
    density, colour = field.sampled(resolution)
    return Density(density.float().cpu().numpy(), colour.float().cpu().numpy(), field.extent, scale)


class Occupancy:
    """Which cells of a coarse lattice hold matter, so that samples elsewhere need not be read.

    A cell counts if light that crosses it would lose more than `threshold` of itself anywhere in or next to it.
    """

    def __init__(self, extent: Sequence[float], resolution: int = 32, threshold: float = 0.01) -> None:
        self.extent, self.resolution, self.threshold = tuple(extent), resolution, threshold
        self.cells: torch.Tensor | None = None

    @torch.no_grad()
    def update(self, field: Field) -> None:
        """Look at the field afresh."""
        density, _ = field.sampled(self.resolution * 2)
        length = 2.0 * max(self.extent) / self.resolution
        dimmed = 1.0 - torch.exp(-density * length)
        pooled = F.max_pool3d(dimmed[None, None], kernel_size=3, stride=2, padding=1)
        pooled = F.max_pool3d(pooled, kernel_size=3, stride=1, padding=1)
        self.cells = pooled[0, 0] > self.threshold

    @property
    def share(self) -> float:
        """Of the box that counts as occupied, 0 to 1."""
        return 1.0 if self.cells is None else float(self.cells.float().mean())

    def along(self, origins: torch.Tensor, directions: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
        """Whether samples of rays lie in occupied cells; all do before the first update.

        Args:
            origins, directions: (N, 3).
            distances: (N, S) of the samples along the rays, inside the box.

        Returns:
            (N, S) booleans.
        """
        if self.cells is None:
            return torch.ones(distances.shape, dtype=torch.bool, device=distances.device)
        # Axis by axis in units of cells: no array of points is made, of which most would be thrown away.
        number = torch.zeros(distances.shape, dtype=torch.long, device=distances.device)
        for axis in (2, 1, 0):
            count = self.cells.shape[2 - axis]
            cells_per_unit = count / (2.0 * self.extent[axis])
            first = (origins[:, axis] + self.extent[axis]) * cells_per_unit
            index = torch.addcmul(first[:, None], distances, (directions[:, axis] * cells_per_unit)[:, None])
            number = number * count + index.long().clamp_(0, count - 1)
        return self.cells.reshape(-1)[number]
