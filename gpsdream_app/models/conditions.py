"""How words and places reach the U-Net: one list of tokens, text first, location after it, and the place map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer


def encode_prompts(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompts: list[str]) -> torch.Tensor:
    """Words to text tokens.

    Returns:
        (len(prompts), max_tokens, width) on the text encoder's device. Longer prompts are cut.
    """
    ids = tokenizer(
        prompts,
        padding="max_length",
        truncation=True,
        max_length=text_encoder.config.max_position_embeddings,
        return_tensors="pt",
    ).input_ids
    return text_encoder(ids.to(text_encoder.device)).last_hidden_state


@dataclass(frozen=True)
class Location:
    """What the U-Net is told of places.

    Attributes:
        tokens: (batch, location tokens, width); zeros for no place.
        plane: (batch, map channels, h, w), from the place map; zeros for no place; None if the model has no map.
    """

    tokens: torch.Tensor
    plane: torch.Tensor | None = None

    def nowhere(self) -> Location:
        """As many times no place."""
        return Location(torch.zeros_like(self.tokens), None if self.plane is None else torch.zeros_like(self.plane))

    def repeated(self, count: int) -> Location:
        """One place, `count` times."""
        plane = None if self.plane is None else self.plane.expand(count, -1, -1, -1)
        return Location(self.tokens.expand(count, -1, -1), plane)

    def to(self, dtype: torch.dtype) -> Location:
        """In another dtype."""
        return Location(self.tokens.to(dtype), None if self.plane is None else self.plane.to(dtype))

    @staticmethod
    def joined(parts: Sequence[Location]) -> Location:
        """Batches of places one after the other."""
        planes = [part.plane for part in parts if part.plane is not None]
        return Location(torch.cat([part.tokens for part in parts]), torch.cat(planes) if planes else None)


@dataclass(frozen=True)
class Preconditioning:
    """Takes what is trivial about v off the U-Net's shoulders, channel by channel.

    With z = a x + s e, a^2 + s^2 = 1, and v = a e - s x: if all that is known of a latent channel is its standard
    deviation d, then the best guess of v is a s (1 - d^2) / (a^2 d^2 + s^2) z, and it is wrong by
    d / sqrt(a^2 d^2 + s^2) on average. The U-Net sees inputs of unit variance and predicts what is missing from that
    guess in units of that error, as in Karras et al. 2022, here per channel. Without it, quiet channels ask the U-Net
    to copy its input with a factor that changes with the noise.

    Attributes:
        alphas_cumprod: (timesteps,), a^2 of the noise schedule.
        deviations: (channels,), d.
    """

    alphas_cumprod: torch.Tensor
    deviations: torch.Tensor

    def factors(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Factors of input, skip and output, (batch, channels, 1, 1), at timesteps (batch,), whole or between two."""
        alphas, last = self.alphas_cumprod.to(timesteps.device).float(), len(self.alphas_cumprod) - 1
        position = timesteps.float().clamp(0, last)
        below = position.floor().long()
        kept = torch.lerp(alphas[below], alphas[(below + 1).clamp(max=last)], position - below)[:, None, None, None]
        variances = self.deviations.to(timesteps.device).float().square()[None, :, None, None]
        spread = kept * variances + 1 - kept
        skip = (kept * (1 - kept)).sqrt() * (1 - variances) / spread
        return spread.rsqrt(), skip, (variances / spread).sqrt()


def preconditioning_of(vae: nn.Module, scheduler: Any) -> Preconditioning | None:
    """The preconditioning that a codec with measured latents asks for; None for models that predict plainly."""
    deviations = getattr(vae.config, "latent_deviations", None)
    if deviations is None or scheduler.config.prediction_type != "v_prediction":
        return None
    return Preconditioning(scheduler.alphas_cumprod, torch.tensor(deviations))


def predict(
    unet: UNet2DConditionModel,
    noisy: torch.Tensor,
    timesteps: torch.Tensor,
    text: torch.Tensor,
    location: Location,
    preconditioning: Preconditioning | None = None,
) -> torch.Tensor:
    """One pass of the U-Net.

    Args:
        unet: decides whether the location also joins the time embedding (class_embed_type "simple_projection"), and
            how many numbers of the text's mean token do (what the projection takes beside the location).
        noisy: (batch, channels, h, w).
        timesteps: (batch,) or one for all.
        text: (batch, text tokens, width); zeros for no words.
        location: of the same batch.
        preconditioning: what the model was trained with.

    Returns:
        (batch, channels, h, w), float32: the noise or v, as the model was trained.
    """
    timesteps = torch.as_tensor(timesteps, device=noisy.device).expand(len(noisy))
    arguments = {"encoder_hidden_states": torch.cat([text, location.tokens.to(text.dtype)], dim=1)}
    if unet.config.class_embed_type == "simple_projection":
        place = location.tokens.flatten(1).to(text.dtype)
        words = unet.config.projection_class_embeddings_input_dim - place.shape[1]
        arguments["class_labels"] = torch.cat([place, text.mean(dim=1)[:, :words]], dim=1) if words else place
    inputs, skip, output = noisy, None, None
    if preconditioning is not None:
        scale, skip, output = preconditioning.factors(timesteps)
        inputs = noisy.float() * scale
    inputs = inputs.to(unet.dtype)
    if location.plane is not None:
        inputs = torch.cat([inputs, location.plane.to(inputs.dtype)], dim=1)
    predicted = unet(inputs, timesteps, **arguments).sample.float()
    return predicted if preconditioning is None else skip * noisy.float() + output * predicted


class AddedLocationAttention(nn.Module):
    """Attention to the text as if the location tokens were not there, plus attention to the location tokens.

    Appended tokens of zero would still draw attention away from the words, by exp(0) each in the softmax's sum. Added
    in a softmax of their own they change nothing, so a base model is the same at step 0 of its training.
    """

    def __init__(self, location_tokens: int) -> None:
        super().__init__()
        self.location_tokens = location_tokens

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """Called by diffusers' Attention; hidden_states is (batch, pixels, channels)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        parts = [context]
        if encoder_hidden_states is not None:
            words = context.shape[1] - self.location_tokens
            parts = [context[:, :words], context[:, words:]]

        def heads(x: torch.Tensor) -> torch.Tensor:
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        query = heads(attn.to_q(hidden_states))
        attended = sum(
            F.scaled_dot_product_attention(query, heads(attn.to_k(part)), heads(attn.to_v(part))) for part in parts
        )
        merged = attended.transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](merged)) / attn.rescale_output_factor


def set_location_attention(unet: UNet2DConditionModel, attention: str, location_tokens: int) -> None:
    """Make the U-Net attend to location tokens as the location encoder's setting says: "joint" or "added"."""
    unet.set_attn_processor(AttnProcessor2_0() if attention == "joint" else AddedLocationAttention(location_tokens))
