"""A light autoencoder for small models: a linear lapped transform into latents, a small network out of them."""

from __future__ import annotations

import math

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import nn


class _ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(nn.functional.silu(x))


class _Refiner(nn.Module):
    """Adds the detail that a linear decoder cannot know: latents in, a correction of the picture out."""

    def __init__(self, latent_channels: int, stride: int, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        # Halvings are undone last, where the picture is large and layers are costly.
        factors = [stride // 2 ** (len(widths) - 1), *[2] * (len(widths) - 1)]
        if math.prod(factors) != stride:
            raise ValueError(f"a stride of {stride} does not go with {len(widths)} levels of the refiner")
        layers: list[nn.Module] = [nn.Conv2d(latent_channels, widths[0], 3, padding=1)]
        for index, (width, factor) in enumerate(zip(widths, factors, strict=True)):
            layers += [_ResidualBlock(width) for _ in range(blocks)]
            following = widths[index + 1] if index + 1 < len(widths) else 3
            layers += [nn.SiLU(), nn.Conv2d(width, factor**2 * following, 3, padding=1), nn.PixelShuffle(factor)]
        nn.init.zeros_(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.layers(latents)


class LappedAutoencoder(ModelMixin, ConfigMixin):
    """Pictures to latents at a `stride`-th of the size by a linear lapped transform, and back by its partner plus a
    small convolutional refiner.

    The encoder costs a CPU nothing, and because it is linear the latents of a picture that is half noise are half
    noise too. Overlapping windows leave no block edges. Channels are ordered by variance and scaled by the power
    `whitening` of their standard deviation: 1 makes all channels equally loud, 0 leaves coarse ones louder.

    Same calls as diffusers' AutoencoderTiny: `encode(x).latents`, `decode(z).sample`; pictures are (batch, 3,
    height, width) in [-1, 1] with sides that are multiples of the stride; latents (batch, latent_channels, height /
    stride, width / stride). `config.latent_deviations` are the standard deviations of the latent's channels over the
    training pictures, once `standardise` has measured them: the pipeline preconditions the denoiser with them.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 12,
        window: int = 16,
        refiner_widths: tuple[int, ...] = (64, 48, 32),
        refiner_blocks: int = 2,
        whitening: float = 0.5,
        scaling_factor: float = 1.0,
        stride: int = 8,
        latent_deviations: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__()
        if (window - stride) % 2 or window < stride:
            raise ValueError(f"window must be {stride} pixels or an even number more, not {window}")
        padding = (window - stride) // 2
        self.analysis = nn.Conv2d(3, latent_channels, window, stride=stride, padding=padding, padding_mode="reflect")
        self.synthesis = nn.ConvTranspose2d(latent_channels, 3, window, stride=stride, padding=padding)
        self.refiner = _Refiner(latent_channels, stride, tuple(refiner_widths), refiner_blocks)

    def encode(self, x: torch.Tensor, return_dict: bool = True) -> AutoencoderTinyOutput | tuple[torch.Tensor]:
        """Picture to latents."""
        latents = self.analysis(x)
        return AutoencoderTinyOutput(latents=latents) if return_dict else (latents,)

    def decode_linear(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents to picture by the linear part alone: what previews use."""
        return self.synthesis(latents)

    def decode(
        self, z: torch.Tensor, generator: torch.Generator | None = None, return_dict: bool = True
    ) -> DecoderOutput | tuple[torch.Tensor]:
        """Latents to picture."""
        sample = self.synthesis(z) + self.refiner(z)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def forward(self, sample: torch.Tensor, return_dict: bool = True) -> DecoderOutput | tuple[torch.Tensor]:
        """Encode and decode."""
        return self.decode(self.encode(sample).latents, return_dict=return_dict)

    @torch.no_grad()
    def start_from_principal_components(self, pictures: torch.Tensor) -> None:
        """Set both linear parts to the principal components of patches of the stride's size: a good start for training.

        Args:
            pictures: (n, 3, height, width) in [-1, 1], sides multiples of the stride.
        """
        channels, stride = self.config.latent_channels, self.config.stride
        patches = nn.functional.unfold(pictures, stride, stride=stride).transpose(1, 2).flatten(0, 1)
        mean = patches.mean()
        _, axes = torch.linalg.eigh(torch.cov((patches - mean).T.double()))
        axes = axes.flip(1).T[:channels].reshape(channels, 3, stride, stride).to(self.analysis.weight.dtype)
        margin = (self.config.window - stride) // 2
        for layer in (self.analysis, self.synthesis):
            nn.init.zeros_(layer.weight)
            layer.weight[..., margin : margin + stride, margin : margin + stride] = axes
        self.analysis.bias.copy_(-mean * axes.sum(dim=(1, 2, 3)))
        nn.init.constant_(self.synthesis.bias, float(mean))

    @torch.no_grad()
    def standardise(self, latents: torch.Tensor) -> None:
        """Turn and scale the latent axes: uncorrelated, ordered by variance, scaled as `whitening` says.

        What the linear decoder makes of the encoder's latents stays the same; an already trained refiner does not
        survive.

        Args:
            latents: (n, latent_channels, h, w) of many pictures under the present axes.
        """
        flat = latents.double().transpose(0, 1).flatten(1)
        variances, axes = torch.linalg.eigh(torch.cov(flat))
        axes = axes.flip(1).T  # rows, by falling variance
        deviations = variances.flip(0).clamp_min(1e-12).sqrt()
        # The loudest channel gets a deviation of 1, whatever the whitening.
        gain = (deviations[0] / deviations) ** self.config.whitening / deviations[0]
        forward = gain[:, None] * axes
        backward = axes.T / gain
        analysis, synthesis = self.analysis, self.synthesis
        analysis.weight.copy_(torch.einsum("ij,jchw->ichw", forward, analysis.weight.double()))
        analysis.bias.copy_(forward @ analysis.bias.double())
        synthesis.weight.copy_(torch.einsum("jchw,ji->ichw", synthesis.weight.double(), backward))
        self.register_to_config(latent_deviations=[round(value, 6) for value in (gain * deviations).tolist()])
