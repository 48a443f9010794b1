"""How words and places reach the U-Net: one list of tokens, text first, location after it."""

from __future__ import annotations

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


def unet_conditions(unet: UNet2DConditionModel, text: torch.Tensor, location: torch.Tensor) -> dict[str, torch.Tensor]:
    """Keyword arguments for the U-Net's forward.

    Args:
        unet: decides whether the location also joins the time embedding (class_embed_type "simple_projection").
        text: (batch, text tokens, width); zeros for no words.
        location: (batch, location tokens, width); zeros for no place.
    """
    arguments = {"encoder_hidden_states": torch.cat([text, location.to(text.dtype)], dim=1)}
    if unet.config.class_embed_type == "simple_projection":
        arguments["class_labels"] = location.flatten(1).to(text.dtype)
    return arguments


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
