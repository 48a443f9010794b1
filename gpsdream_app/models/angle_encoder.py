"""The angle encoder: where a camera stands seen from a landmark becomes tokens that the U-Net attends to."""

from __future__ import annotations

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from gpsdream_app.geo.azimuth import BINS, DEGREES_PER_BIN
from gpsdream_app.models.location_encoder import heading_encoding, positional_encoding, token_mlp

ENCODINGS = ("continuous", "bins")


def normalised_bins(azimuth: torch.Tensor) -> torch.Tensor:
    """Azimuths in degrees as their bins' numbers, 2k/36 - 1, in [-1, 1); see geo.azimuth for the bins."""
    bins = torch.floor((azimuth.double() + DEGREES_PER_BIN / 2) / DEGREES_PER_BIN).remainder(BINS)
    return 2 * bins / BINS - 1


class AngleEncoder(ModelMixin, ConfigMixin):
    """One token for the azimuth, and if asked for one each for the distance and the field of view.

    In the paper's encoding the azimuth falls into one of 36 bins of 10 degrees, bin k is the number 2k/36 - 1, and
    that goes through NeRF's positional encoding with 10 frequencies and a two-layer MLP. The continuous encoding has
    sin and cos of multiples of the angle instead: 0 and 360 meet, and a turn by 1 degree is seen. In both, what is not
    known is a token of zeros, which is what guidance takes for no angle.

    Args:
        token_width: width of a token, that of the text encoder.
        hidden_width: width of the MLPs' hidden layer.
        encoding: of the azimuth, "continuous" or "bins".
        octaves: frequencies of the bins.
        scalar_octaves: frequencies of distances and fields of view; few, so that values between those learned work.
        harmonics: multiples of the angle in the continuous encoding.
        has_distance: whether there is a token for the distance, in heights of the landmark.
        has_fov: whether there is one for the photo's vertical field of view.
        silent_tokens: tokens that are always zero after these. A base whose U-Net counts on more tokens needs them.
        zero_output: start with tokens of zero, so that a base model is unchanged at step 0.
        attention: how the U-Net sees the tokens: "joint" or "added", as for the LocationEncoder.
        plane_channels: input channels of the U-Net beside the latents', always zero: a base's place map.
        plane_side: rows and columns of the latent.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        token_width: int = 768,
        hidden_width: int = 768,
        encoding: str = "continuous",
        octaves: int = 10,
        scalar_octaves: int = 3,
        harmonics: int = 12,
        has_distance: bool = False,
        has_fov: bool = False,
        silent_tokens: int = 0,
        zero_output: bool = False,
        attention: str = "joint",
        plane_channels: int = 0,
        plane_side: int = 0,
    ) -> None:
        super().__init__()
        if encoding not in ENCODINGS:
            raise ValueError(f"encoding must be one of {ENCODINGS}, not {encoding!r}")
        if attention not in ("joint", "added"):
            raise ValueError(f"attention must be 'joint' or 'added', not {attention!r}")
        waves = harmonics if encoding == "continuous" else octaves
        self.azimuth_token = token_mlp(2 * waves, hidden_width, token_width, zero_output)
        if has_distance:
            self.distance_token = token_mlp(2 * scalar_octaves, hidden_width, token_width, zero_output)
        if has_fov:
            self.fov_token = token_mlp(2 * scalar_octaves, hidden_width, token_width, zero_output)

    @property
    def token_count(self) -> int:
        """Number of tokens per view."""
        return 1 + int(self.config.has_distance) + int(self.config.has_fov) + int(self.config.silent_tokens)

    def forward(
        self, azimuth: torch.Tensor, distance: torch.Tensor | None = None, fov: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Encode views.

        Args:
            azimuth: (batch,), degrees clockwise from north; NaN where not known.
            distance: (batch,), heights of the landmark; NaN where not known; None for not at all.
            fov: (batch,), degrees; likewise.

        Returns:
            (batch, token_count, token_width); what is not known is zero.
        """
        config, device = self.config, self.azimuth_token.hidden.weight.device
        none = torch.full_like(azimuth, torch.nan)

        def token(mlp: nn.Module, values: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
            return mlp(features.to(device)) * torch.isfinite(values)[:, None].to(device)

        angles = torch.nan_to_num(azimuth.double()).cpu()
        if config.encoding == "bins":
            features = positional_encoding(normalised_bins(angles).float(), config.octaves)
        else:
            features = heading_encoding(angles.remainder(360.0).float(), config.harmonics)
        tokens = [token(self.azimuth_token, azimuth, features)]
        if config.has_distance:
            given = none if distance is None else distance
            # From a quarter of the height to 16 heights; the ends are nearly half a period apart, and do not meet.
            spread = torch.log2(torch.nan_to_num(given.double(), nan=1.0).cpu().clamp(0.25, 16.0))
            features = positional_encoding(((spread - 1) / 6).float(), config.scalar_octaves)
            tokens.append(token(self.distance_token, given, features))
        if config.has_fov:
            given = none if fov is None else fov
            opening = torch.nan_to_num(given.double(), nan=45.0).cpu().clamp(1.0, 179.0)
            features = positional_encoding((opening / 180 - 0.5).float(), config.scalar_octaves)
            tokens.append(token(self.fov_token, given, features))
        silent = torch.zeros_like(tokens[0])
        return torch.stack([*tokens, *[silent] * config.silent_tokens], dim=1)

    def plane(self, count: int) -> torch.Tensor | None:
        """What stands for a base's place map, (count, plane_channels, side, side), zeros; None if it has none."""
        config = self.config
        if not config.plane_channels:
            return None
        shape = (count, config.plane_channels, config.plane_side, config.plane_side)
        return torch.zeros(shape, device=self.azimuth_token.hidden.weight.device)
