"""The place map: what a model remembers of every few metres of a city, laid out across the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.domain.places import Box

# The table's entries are stored this much smaller than they count, which gives them a faster learning rate than the
# other weights: a cell is seen far less often than they are.
_GAIN = 16.0
MARGIN_METRES = 200.0  # around the box, for street fronts seen from its edge
AROUND_METRES = 4.0  # cells smaller than this are read along the line only
# How far a place may be off a photo's line, and its heading off the photo's, to look at the same street front.
FRONT_TURN = math.radians(50.0)
FRONT_BEYOND = 12.0  # metres past its ends
FRONT_DEPTH = 18.0  # metres nearer to the front or further from it
FRONT_APART = 4.0  # metres from the stretch that photos show at which a place still counts as shown


class PlaceMap(nn.Module):
    """A learned map of several resolutions, read along the line that a picture shows.

    A picture of a street front shows a stretch of it, left to right across the view. Each column of the latent
    therefore looks up its own point on the ground: `depth_metres` ahead of the camera, and as far to the left or
    right as the picture is wide there. One more point, the camera's own, is read for all columns, so that a place
    without a heading is known too. A small network spreads what was read over the rows; the result is given to the
    U-Net as further input channels.

    Every level is a grid of square cells with bilinear interpolation. Only cells that training photos look at are kept,
    in a table with one row per cell; all others are zero. In training the finest levels are left out now and then, so
    the network knows what to do without them: where nothing was photographed, it falls back on the wider surroundings.

    Where the training photos tell along which line they show a street front (a panorama does), a place near such a line
    looks at the very front that the photo shows: how far one stands from it and a turn of some degrees change which
    stretch is seen, not whether the map knows it. Elsewhere the line lies across the view.

    Args:
        box: coordinates outside it are moved to its edge.
        channels: input channels that the U-Net gets.
        side: rows and columns of the latent.
        cell_metres: side of a cell of each level, metres, finest first.
        features: numbers per cell of each level.
        rows: cells that each level keeps.
        hidden: width of the network.
        depth_metres: how far ahead the line lies.
        width_metres: width of the picture on that line, where it is not known.
        fronts: street fronts that photos show, each (latitude and longitude of the middle of the line that the camera
            moved along, the photo's heading, bearing of that line from the left of the photo to the right, its length
            in metres).
    """

    def __init__(
        self,
        box: Box,
        *,
        channels: int,
        side: int,
        cell_metres: tuple[float, ...],
        features: tuple[int, ...],
        rows: tuple[int, ...],
        hidden: int,
        depth_metres: float,
        width_metres: float,
        fronts: Sequence[Sequence[float]] = (),
    ) -> None:
        super().__init__()
        if not len(features) == len(cell_metres) == len(rows):
            raise ValueError(f"{len(cell_metres)} levels need as many features and rows, not {features} and {rows}")
        self.box, self.channels, self.side, self.features = box, channels, side, tuple(features)
        self.cell_metres, self.depth_metres, self.width_metres = tuple(cell_metres), depth_metres, width_metres
        self.metres_per_degree_lon = METRES_PER_DEGREE * math.cos(math.radians(box.centre[0]))
        width = (box.east - box.west) * self.metres_per_degree_lon
        # Cells are numbered row by row; lines may leave the box by some metres.
        height = (box.north - box.south) * METRES_PER_DEGREE
        self.columns, self.numbers = [], []
        for cell in self.cell_metres:
            columns, lines = (math.ceil((length + 2 * MARGIN_METRES) / cell) + 2 for length in (width, height))
            self.columns.append(columns)
            # Half of the file, wherever it is enough.
            self.numbers.append(torch.int32 if columns * lines < 2**31 else torch.int64)
        self.tables = nn.ParameterList(
            torch.zeros(count, size) for count, size in zip(rows, self.features, strict=True)
        )
        for level, count in enumerate(rows):
            self.register_buffer(f"cells_{level}", torch.arange(count, dtype=self.numbers[level]))
        # Not a buffer: in half precision places would be metres off.
        self.fronts = torch.tensor(fronts, dtype=torch.float64).reshape(-1, 5)
        # Around the camera itself only what is not gone with the next step.
        self.around = [level for level, cell in enumerate(self.cell_metres) if cell >= AROUND_METRES] or [
            len(features) - 1
        ]
        inputs = sum(self.features) + sum(self.features[level] for level in self.around) + 2
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, channels * side)

    def keep_cells(self, cells: Sequence[torch.Tensor]) -> None:
        """Start anew with other cells, all zero.

        Args:
            cells: per level the numbers of the cells, as `corners` gives them, each once.
        """
        for level, kept in enumerate(cells):
            setattr(self, f"cells_{level}", kept.sort().values.to(self.hidden.weight.device, self.numbers[level]))
            self.tables[level] = nn.Parameter(torch.zeros(len(kept), self.features[level]).to(self.hidden.weight))

    def corners(self, level: int, east: torch.Tensor, north: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The four cells of a level between whose middles points lie, and their shares.

        Args:
            level: number of the level.
            east, north: (points,), metres from the box's south-west corner.

        Returns:
            (numbers of cells (points, 4), shares (points, 4)); shares sum to 1.
        """
        cell = self.cell_metres[level]
        x, y = (east + MARGIN_METRES) / cell, (north + MARGIN_METRES) / cell
        left, bottom = x.floor(), y.floor()
        right, top = x - left, y - bottom
        number = bottom.long() * self.columns[level] + left.long()
        above = number + self.columns[level]
        shares = torch.stack([(1 - right) * (1 - top), right * (1 - top), (1 - right) * top, right * top], dim=1)
        return torch.stack([number, number + 1, above, above + 1], dim=1), shares

    def _read(self, level: int, east: torch.Tensor, north: torch.Tensor) -> torch.Tensor:
        """Features (points, features) of one level at points in metres from the box's south-west corner."""
        table, kept = self.tables[level], getattr(self, f"cells_{level}")
        if not len(kept):
            return table.new_zeros(len(east), self.features[level])
        numbers, shares = (values.to(table.device) for values in self.corners(level, east, north))
        numbers = numbers.to(kept.dtype)
        index = torch.searchsorted(kept, numbers).clamp(max=len(kept) - 1)
        shares = shares.to(table.dtype) * (kept[index] == numbers)
        return _GAIN * (table[index] * shares[..., None]).sum(dim=1)

    def points_read(
        self, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor, width: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where pictures read the map: cameras and lines, metres from the box's south-west corner.

        Args:
            lat, lon, heading, width: as for `forward`.

        Returns:
            (east and north of the cameras (batch,), east and north of the columns (batch, side)).
        """
        box = self.box
        north = torch.nan_to_num((lat.clamp(box.south, box.north) - box.south) * METRES_PER_DEGREE)
        east = torch.nan_to_num((lon.clamp(box.west, box.east) - box.west) * self.metres_per_degree_lon)
        middle_east, middle_north, along = self._fronts_seen(
            east, north, torch.deg2rad(torch.nan_to_num(heading)), torch.isfinite(heading)
        )
        # From the left edge of the picture to its right one.
        offsets = (torch.arange(self.side, dtype=east.dtype) + 0.5) / self.side - 0.5
        aside = self._widths(width, len(lat))[:, None] * offsets
        line_east = middle_east[:, None] + aside * along.sin()[:, None]
        line_north = middle_north[:, None] + aside * along.cos()[:, None]
        return east, north, line_east, line_north

    def _widths(self, width: torch.Tensor | None, count: int) -> torch.Tensor:
        usual = torch.full((count,), self.width_metres, dtype=torch.float64)
        return usual if width is None else torch.where(torch.isfinite(width), width, usual)

    def _fronts_seen(
        self, east: torch.Tensor, north: torch.Tensor, angle: torch.Tensor, faced: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The middle of the line that each picture shows, in metres, and its bearing from left to right, in radians.

        Args:
            east, north: (batch,), the cameras, metres from the box's south-west corner.
            angle: (batch,), headings, radians.
            faced: (batch,), whether the heading is known.
        """
        straight = angle + math.pi / 2
        middle_east, middle_north = east + self.depth_metres * angle.sin(), north + self.depth_metres * angle.cos()
        if not len(self.fronts):
            return middle_east, middle_north, straight
        front_east, front_north, bearing, length, onward, nearer, turn = self._beside_fronts(east, north, angle)
        beyond = (onward.abs() - length / 2).clamp_min(0)
        fits = (turn.abs() < FRONT_TURN) & (beyond < FRONT_BEYOND) & (nearer.abs() < FRONT_DEPTH) & faced[:, None]
        apart = torch.where(fits, beyond + 0.1 * nearer.abs(), torch.inf)
        best = apart.argmin(dim=1)
        row = torch.arange(len(east))
        # Where the middle of the view meets the street front.
        seen = onward[row, best] + (self.depth_metres - nearer[row, best]).clamp_min(0) * turn[row, best].tan()
        along = bearing[best]
        found = fits[row, best]
        seen_east = front_east[best] + seen * along.sin() - self.depth_metres * along.cos()
        seen_north = front_north[best] + seen * along.cos() + self.depth_metres * along.sin()
        return (
            torch.where(found, seen_east, middle_east),
            torch.where(found, seen_north, middle_north),
            torch.where(found, along, straight),
        )

    def _beside_fronts(self, east: torch.Tensor, north: torch.Tensor, angle: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """How cameras stand to the photos' lines.

        Args:
            east, north: (batch,), the cameras, metres from the box's south-west corner.
            angle: (batch,), headings, radians.

        Returns:
            Of the lines, (fronts,): east and north of the middle in metres, bearing in radians, length in metres. Of
            the cameras, (batch, fronts): metres along the line from its middle, metres from it towards the street
            front, and by how much they turn from the photo's heading, -pi to pi.
        """
        lat, lon, heading, bearing, length = self.fronts.T
        bearing = torch.deg2rad(bearing)
        front_east = (lon - self.box.west) * self.metres_per_degree_lon
        front_north = (lat - self.box.south) * METRES_PER_DEGREE
        rel_east, rel_north = east[:, None] - front_east, north[:, None] - front_north
        # Along the line that the camera moved on, and from it towards the street front.
        onward = rel_east * bearing.sin() + rel_north * bearing.cos()
        nearer = -rel_east * bearing.cos() + rel_north * bearing.sin()
        turn = torch.remainder(angle[:, None] - torch.deg2rad(heading) + math.pi, 2 * math.pi) - math.pi
        return front_east, front_north, bearing, length, onward, nearer, turn

    def radius_known(self, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
        """The side of the finest cells, metres, that reach from a place to the next street front photographed, be it
        ahead or aside.

        Args:
            lat, lon, heading: as for `forward`.

        Returns:
            (batch,), float64: 0 where the place lies in front of one, infinite beyond the largest cells.
        """
        box = self.box
        north = torch.nan_to_num((lat - box.south) * METRES_PER_DEGREE)
        east = torch.nan_to_num((lon - box.west) * self.metres_per_degree_lon)
        angle, faced = torch.deg2rad(torch.nan_to_num(heading)), torch.isfinite(heading)
        *_, length, onward, nearer, turn = self._beside_fronts(east, north, angle)
        # The front at one's back says nothing of the one ahead.
        apart = torch.hypot(
            (onward.abs() - length / 2).clamp_min(0), (nearer.abs() - FRONT_DEPTH).clamp_min(0)
        ).masked_fill(faced[:, None] & (turn.abs() > math.pi - FRONT_TURN), torch.inf)
        nearest = apart.min(dim=1).values
        sides = torch.tensor([*sorted(self.cell_metres), math.inf], dtype=torch.float64)
        reaching = sides[torch.searchsorted(sides, nearest).clamp(max=len(sides) - 1)]
        known = torch.isfinite(lat) & torch.isfinite(lon)
        return torch.where((nearest > FRONT_APART) & known, reaching, 0.0)

    def forward(
        self,
        lat: torch.Tensor,
        lon: torch.Tensor,
        heading: torch.Tensor,
        *,
        width: torch.Tensor | None = None,
        finest: torch.Tensor | float = 0.0,
    ) -> torch.Tensor:
        """Read the map.

        Args:
            lat, lon: (batch,), degrees, float64 on the CPU; NaN for no place.
            heading: (batch,), degrees; NaN where not known.
            width: (batch,), metres that the picture is wide; NaN or None where not known.
            finest: metres, (batch,) or one for all; levels with smaller cells are left out.

        Returns:
            (batch, channels, side, side); zero where there is no place.
        """
        batch = len(lat)
        known, faced = torch.isfinite(lat) & torch.isfinite(lon), torch.isfinite(heading)
        east, north, line_east, line_north = self.points_read(lat, lon, heading, width)
        widths = self._widths(width, batch)
        limits = torch.as_tensor(finest, dtype=torch.float64).expand(batch)
        device = self.hidden.weight.device
        read_line, read_camera = [], []
        for level, cell in enumerate(self.cell_metres):
            kept = (known & (limits <= cell)).to(device)[:, None]
            if level in self.around:
                read_camera.append(self._read(level, east, north) * kept)
            line = self._read(level, line_east.flatten(), line_north.flatten()).unflatten(0, (batch, self.side))
            read_line.append(line * (kept & faced.to(device)[:, None])[..., None])
        at_camera = torch.cat(read_camera, dim=1)[:, None].expand(-1, self.side, -1)
        flags = torch.stack([faced.double(), (widths / self.width_metres - 1) * 4], dim=1).to(device, at_camera.dtype)
        inputs = torch.cat([*read_line, at_camera, flags[:, None].expand(-1, self.side, -1)], dim=2)
        spread = self.output(nn.functional.silu(self.hidden(inputs)))
        # (batch, columns, channels * rows) to (batch, channels, rows, columns).
        plane = spread.unflatten(2, (self.channels, self.side)).permute(0, 2, 3, 1)
        return plane * known.to(device)[:, None, None, None]
