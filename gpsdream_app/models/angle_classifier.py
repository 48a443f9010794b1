"""A small network that says from which azimuth a landmark is seen: what drawn views are measured with."""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from gpsdream_app.geo.azimuth import BINS, DEGREES_PER_BIN


class AngleClassifier(ModelMixin, ConfigMixin):
    """One trunk, and for each landmark a head over the 36 bins of azimuth.

    Args:
        landmarks: their ids, in the order of the heads.
        side: of the pictures in pixels, a multiple of 16.
        widths: channels after each halving.
        spans: per landmark, how much of the picture's width is looked at, from its middle; None for all of it. Of a
            slender tower the rest is background, and the little that turns it would be lost in the first halving.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        landmarks: tuple[str, ...],
        side: int = 96,
        widths: tuple[int, ...] = (24, 48, 96, 128),
        spans: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            channels = width
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.GroupNorm(8, channels), nn.SiLU()]
        self.trunk = nn.Sequential(*layers)
        cells = (side // 2 ** len(widths)) ** 2
        # Where something stands tells as much as what it is: the cells are not pooled.
        self.narrow = nn.Conv2d(channels, 24, 1)
        self.heads = nn.Linear(24 * cells, len(landmarks) * BINS)
        self.dropout = nn.Dropout(0.2)

    def head_of(self, landmark: str) -> int:
        """The number of a landmark's head. Raises KeyError for one that it was not trained on."""
        known = list(self.config.landmarks)
        if landmark not in known:
            raise KeyError(landmark)
        return known.index(landmark)

    def forward(self, pictures: torch.Tensor, heads: torch.Tensor) -> torch.Tensor:
        """Logits (n, 36).

        Args:
            pictures: (n, 3, side, side) in [-1, 1].
            heads: (n,), which landmark each shows, as `head_of` numbers them.
        """
        if self.config.spans is not None:
            spans = torch.tensor(self.config.spans, device=pictures.device)[heads]
            turn = torch.zeros(len(pictures), 2, 3, device=pictures.device)
            turn[:, 0, 0], turn[:, 1, 1] = spans, 1.0
            grid = nn.functional.affine_grid(turn, list(pictures.shape), align_corners=False)
            pictures = nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
        features = nn.functional.silu(self.narrow(self.trunk(pictures))).flatten(1)
        logits = self.heads(self.dropout(features)).unflatten(1, (-1, BINS))
        return logits[torch.arange(len(logits), device=logits.device), heads]


def soft_bins(azimuths: torch.Tensor, sigma: torch.Tensor, least: float = 2.5) -> torch.Tensor:
    """How likely each bin is, (n, 36), where azimuths are known up to `sigma` degrees (wrapped normal distribution).

    Args:
        azimuths: (n,), degrees.
        sigma: (n,), degrees.
        least: sigma is taken for at least this.
    """
    edges = (torch.arange(BINS + 1, dtype=torch.float64) - 0.5) * DEGREES_PER_BIN
    middle = (azimuths.double()[:, None] - edges[None, :] + 180).remainder(360) - 180
    spread = sigma.double().clamp_min(least)[:, None] * 2**0.5
    below = 0.5 * (1 + torch.erf(-middle / spread))
    # An edge on the other side of the circle counts as a whole turn further.
    share = (below[:, 1:] - below[:, :-1]).remainder(1.0)
    return (share / share.sum(dim=1, keepdim=True)).float()


def azimuth_of(logits: torch.Tensor) -> torch.Tensor:
    """Azimuths in degrees, (n,), of logits (n, 36): the mean direction of the best bin and its two neighbours."""
    likely = logits.softmax(dim=-1)
    best = likely.argmax(dim=-1)
    around = (best[:, None] + torch.arange(-1, 2, device=best.device)).remainder(BINS)
    weights = likely.gather(1, around)
    shift = (weights * torch.tensor([-1.0, 0.0, 1.0], device=best.device)).sum(dim=1) / weights.sum(dim=1)
    return ((best + shift) * DEGREES_PER_BIN).remainder(360.0)
