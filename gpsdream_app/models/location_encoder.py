"""The location encoder: coordinates and headings become tokens that the U-Net attends to beside the words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.domain.places import Box
from gpsdream_app.models.place_map import PlaceMap


def frequencies_for_box(box: Box, target_metres: float = 20.0) -> tuple[int, int]:
    """Number of octaves for longitude and latitude, so that the finest period is nearest to the target.

    The finest of K frequencies, sin(2^(K-1) pi x) over x in [-1, 1], has a period of side / 2^(K-1). The paper
    fixes K = 10; it does not say for which box.

    Args:
        box: the box that coordinates are normalised by.
        target_metres: wished-for finest period, metres.

    Returns:
        (octaves for x = longitude, octaves for y = latitude), each from 1 to 16.
    """
    lat, _ = box.centre
    height = (box.north - box.south) * METRES_PER_DEGREE
    width = (box.east - box.west) * METRES_PER_DEGREE * math.cos(math.radians(lat))
    x, y = (min(16, max(1, round(math.log2(side / target_metres)) + 1)) for side in (width, height))
    return x, y


def positional_encoding(values: torch.Tensor, octaves: int, deviations: torch.Tensor | None = None) -> torch.Tensor:
    """NeRF's positional encoding: sin and cos of 2^k pi v, k = 0 .. octaves - 1.

    Args:
        values: (batch,), in [-1, 1].
        octaves: number of frequencies.
        deviations: (batch,), standard deviations of what is known of the values only so well; the encoding is then
            the mean over a normal distribution, exp(-(2^k pi d)^2 / 2) times that of its middle (Barron et al. 2021,
            Eq 14), so that fine octaves fade.

    Returns:
        (batch, 2 * octaves).
    """
    scale = math.pi * 2.0 ** torch.arange(octaves, device=values.device, dtype=torch.float32)
    angles = values.float()[:, None] * scale
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    if deviations is None:
        return waves
    kept = torch.exp(-0.5 * (deviations.float()[:, None] * scale).square())
    return waves * torch.cat([kept, kept], dim=1)


def heading_encoding(headings: torch.Tensor, harmonics: int) -> torch.Tensor:
    """sin and cos of k times the heading, k = 1 .. harmonics, so that 0 and 360 degrees meet.

    Args:
        headings: (batch,), degrees.
        harmonics: number of multiples.

    Returns:
        (batch, 2 * harmonics).
    """
    multiples = torch.arange(1, harmonics + 1, device=headings.device, dtype=torch.float32)
    angles = torch.deg2rad(headings.float())[:, None] * multiples
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class _TokenMLP(nn.Module):
    """The paper's f: two linear layers with an activation between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, zero_output: bool) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, outputs)
        if zero_output:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.output(nn.functional.silu(self.hidden(features.to(self.hidden.weight.dtype))))


def token_mlp(inputs: int, hidden: int, outputs: int, zero_output: bool = False) -> nn.Module:
    """What makes a token of encoded numbers; with `zero_output` a token of zeros until it has learned something."""
    return _TokenMLP(inputs, hidden, outputs, zero_output)


class LocationEncoder(ModelMixin, ConfigMixin):
    """Two tokens g = [f_x(x), f_y(y)] for a place, and one more for a heading (section 3.1 of the paper).

    The paper leaves open the width of the MLP, its activation, whether f is shared and whether the raw coordinate
    goes in. Here: SiLU, one MLP per coordinate, no raw coordinate; the width is a setting.

    A missing place or heading is its zeroed token. Coordinates outside the box are moved to its edge, because the
    encoding is periodic and would otherwise answer with the opposite side of the box.

    Args:
        south, west, north, east: the box that coordinates are normalised by, degrees.
        token_width: width D of a token, that of the text encoder.
        hidden_width: width of the MLPs' hidden layer.
        x_octaves, y_octaves: number of frequencies for longitude and latitude.
        has_heading: whether there is a heading token.
        heading_harmonics: multiples of the heading that are encoded.
        zero_output: start with tokens of zero, so that a base model is unchanged at step 0.
        attention: how the U-Net sees the tokens: "joint" appends them to the text tokens (the paper), "added"
            gives them an attention of their own whose result is added (see models.conditions).
        map_channels: input channels of the U-Net that a place map fills (see models.place_map); 0 for no map.
        map_side: rows and columns of the latent.
        map_cell_metres: side of a cell of each level of the map, metres, finest first.
        map_features: numbers per cell of each level.
        map_rows: cells that each level keeps; none where it is not told.
        map_hidden: width of the map's network.
        map_depth_metres: how far ahead of the camera the street front is taken to be.
        map_width_metres: how much of it a picture shows, where that is not known.
        map_fronts: street fronts that the training photos show, as models.place_map wants them.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        south: float,
        west: float,
        north: float,
        east: float,
        token_width: int = 768,
        hidden_width: int = 768,
        x_octaves: int = 10,
        y_octaves: int = 10,
        has_heading: bool = False,
        heading_harmonics: int = 4,
        zero_output: bool = False,
        attention: str = "joint",
        map_channels: int = 0,
        map_side: int = 16,
        map_cell_metres: tuple[float, ...] = (2.0, 4.0, 8.0, 16.0, 32.0, 96.0, 384.0),
        map_features: tuple[int, ...] = (32, 16, 8, 8, 8, 8, 8),
        map_rows: tuple[int, ...] | None = None,
        map_hidden: int = 192,
        map_depth_metres: float = 20.0,
        map_width_metres: float = 27.0,
        map_fronts: tuple[tuple[float, ...], ...] = (),
    ) -> None:
        super().__init__()
        if attention not in ("joint", "added"):
            raise ValueError(f"attention must be 'joint' or 'added', not {attention!r}")
        self.x_token = _TokenMLP(2 * x_octaves, hidden_width, token_width, zero_output)
        self.y_token = _TokenMLP(2 * y_octaves, hidden_width, token_width, zero_output)
        if has_heading:
            self.heading_token = _TokenMLP(2 * heading_harmonics, hidden_width, token_width, zero_output)
        if map_channels:
            self.place_map = PlaceMap(
                Box(south, west, north, east),
                channels=map_channels,
                side=map_side,
                cell_metres=tuple(map_cell_metres),
                features=tuple(map_features),
                rows=tuple(map_rows or [0] * len(map_cell_metres)),
                hidden=map_hidden,
                depth_metres=map_depth_metres,
                width_metres=map_width_metres,
                fronts=map_fronts,
            )

    @property
    def box(self) -> Box:
        """The box that coordinates are normalised by."""
        return Box(self.config.south, self.config.west, self.config.north, self.config.east)

    @property
    def _sides(self) -> tuple[float, float]:
        """Width and height of the box in metres; normalised, both are 2."""
        box = self.box
        width = (box.east - box.west) * METRES_PER_DEGREE * math.cos(math.radians(box.centre[0]))
        return width, (box.north - box.south) * METRES_PER_DEGREE

    @property
    def token_count(self) -> int:
        """Number of tokens per place: 2, or 3 with the heading."""
        return 3 if self.config.has_heading else 2

    def forward(
        self,
        lat: torch.Tensor,
        lon: torch.Tensor,
        heading: torch.Tensor | None = None,
        *,
        radius: torch.Tensor | float = 0.0,
    ) -> torch.Tensor:
        """Encode places.

        Args:
            lat: (batch,), degrees, float64 or float32; NaN for no place. On any device: some have no float64.
            lon: (batch,), degrees; NaN for no place.
            heading: (batch,), degrees; NaN for no heading; None for none at all.
            radius: metres, (batch,) or one for all: how well the places are known, as two standard deviations.

        Returns:
            (batch, token_count, token_width); what is missing is zero.
        """
        config = self.config
        # In float64: a metre is 1e-5 degrees, and float32 holds 7 digits.
        x, y = self.box.normalise(lat.double(), lon.double())
        device = self.x_token.hidden.weight.device
        known = (torch.isfinite(x) & torch.isfinite(y))[:, None].to(device)
        x, y = (torch.nan_to_num(value).clamp(-1, 1).float().to(device) for value in (x, y))
        radii = torch.as_tensor(radius, dtype=torch.float64).expand(len(lat)).clamp(max=1e6)
        deviations = [(radii / side).float().to(device) for side in self._sides]
        tokens = [
            self.x_token(positional_encoding(x, config.x_octaves, deviations[0])) * known,
            self.y_token(positional_encoding(y, config.y_octaves, deviations[1])) * known,
        ]
        if config.has_heading:
            if heading is None:
                heading = torch.full_like(lat, torch.nan)
            seen = torch.isfinite(heading)[:, None].to(device)
            features = heading_encoding(torch.nan_to_num(heading).float().to(device), config.heading_harmonics)
            tokens.append(self.heading_token(features) * seen)
        return torch.stack(tokens, dim=1)

    def read_map(
        self,
        lat: torch.Tensor,
        lon: torch.Tensor,
        heading: torch.Tensor,
        *,
        width: torch.Tensor | None = None,
        finest: torch.Tensor | float = 0.0,
    ) -> torch.Tensor | None:
        """What the place map shows of places, (batch, map_channels, side, side); None if there is no map.

        Args:
            lat, lon, heading: as for `forward`.
            width: (batch,), metres that the picture is wide; NaN or None where not known.
            finest: metres, (batch,) or one for all: finer levels of the map are left out.
        """
        if not self.config.map_channels:
            return None
        arguments = (values.double().cpu() for values in (lat, lon, heading))
        return self.place_map(*arguments, width=None if width is None else width.double().cpu(), finest=finest)

    def radius_known(self, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
        """How well the model can know places, metres, (batch,), float64 on the CPU: 0 where it has seen photos.

        Elsewhere the side of the finest cells of the map that reach as far as the next street front that was seen.
        Told no more than that, it draws what stands around there; told more, it would be asked for what no training
        showed it.

        Args:
            lat, lon, heading: as for `forward`.
        """
        if not self.config.map_channels or not len(self.place_map.fronts):
            return torch.zeros(len(lat), dtype=torch.float64)
        return self.place_map.radius_known(*(values.double().cpu() for values in (lat, lon, heading)))

    def keep_cells(self, cells: Sequence[torch.Tensor]) -> None:
        """Let the place map keep other cells; see PlaceMap.keep_cells."""
        self.place_map.keep_cells(cells)
        self.register_to_config(map_rows=[len(kept) for kept in cells])
