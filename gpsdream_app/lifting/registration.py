"""Registration: what each picture of a ring does differently from the others, fitted along with the field.

A model draws every azimuth on its own, so its pictures differ in framing, brightness and, a little, in angle. Each view
gets a similarity in the picture's plane, a gain per colour and an azimuth offset. Only differences between views can be
known, so the mean over the views is taken off each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from gpsdream_app.lifting.cameras import Rays


@dataclass(frozen=True)
class Freedom:
    """What a view may do differently.

    Attributes:
        similarity: size and shift in the picture.
        gain: brightness per colour.
        azimuth: where the camera stood; needs gradients through the rays, which costs about a third of the time.
    """

    similarity: bool = True
    gain: bool = True
    azimuth: bool = False


class Registration(nn.Module):
    """Per view: log size, shift (right, down; shares of the height), log gain per colour, azimuth offset in degrees."""

    def __init__(self, views: int, freedom: Freedom | None = None) -> None:
        super().__init__()
        self.freedom = freedom or Freedom()
        self.log_size = nn.Parameter(torch.zeros(views), requires_grad=self.freedom.similarity)
        self.shift = nn.Parameter(torch.zeros(views, 2), requires_grad=self.freedom.similarity)
        self.log_gain = nn.Parameter(torch.zeros(views, 3), requires_grad=self.freedom.gain)
        self.azimuth = nn.Parameter(torch.zeros(views), requires_grad=self.freedom.azimuth)

    def parameter_groups(self, rate: float = 0.01) -> list[dict[str, object]]:
        """For an optimiser; the azimuth is in degrees and learns faster."""
        groups: list[dict[str, object]] = [
            {"params": [self.log_size, self.shift, self.log_gain], "lr": rate},
            {"params": [self.azimuth], "lr": 20.0 * rate},
        ]
        return groups

    def place(self, views: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Where in the pictures of `views` (N,) lies what the common framing has at (x, y), (N,) each; see cameras."""
        size = torch.exp(self.log_size - self.log_size.mean())[views]
        shift = (self.shift - self.shift.mean(dim=0))[views]
        return x * size + shift[:, 0], y * size + shift[:, 1]

    def tint(self, views: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
        """Colours (N, 3) as the views (N,) show them."""
        return colours * torch.exp(self.log_gain - self.log_gain.mean(dim=0))[views]

    def turn(self, views: torch.Tensor, rays: Rays) -> Rays:
        """Rays (N, 3) from where the views (N,) were really taken."""
        if not self.freedom.azimuth:
            return rays
        return rays.turned((self.azimuth - self.azimuth.mean())[views])

    def prior(self) -> torch.Tensor:
        """Mean of the squares: size and gain of 10 %, shift of 5 % of the height, azimuth of 5 degrees are alike."""
        return (
            (self.log_size / 0.1).square().mean()
            + (self.shift / 0.05).square().mean()
            + (self.log_gain / 0.1).square().mean()
            + (self.azimuth / 5.0).square().mean()
        )

    @torch.no_grad()
    def report(self) -> list[dict[str, float]]:
        """Per view what was found: `size` (factor), `right`, `down` (shares), `gain` (mean factor), `azimuth`."""
        size = torch.exp(self.log_size - self.log_size.mean())
        shift = self.shift - self.shift.mean(dim=0)
        gain = torch.exp(self.log_gain - self.log_gain.mean(dim=0)).mean(dim=1)
        azimuth = self.azimuth - self.azimuth.mean()
        rows = torch.stack([size, shift[:, 0], shift[:, 1], gain, azimuth], dim=1).tolist()
        return [dict(zip(("size", "right", "down", "gain", "azimuth"), row, strict=True)) for row in rows]
