"""What the memory presets do to a pipeline: less memory, the same picture but for rounding, more time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.hooks import apply_group_offloading
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.models.conditions import AddedLocationAttention
from gpsdream_app.models.pipeline import GPSDiffusionPipeline

TILE_OVERLAP = 0.25


def dtype_for(device: torch.device, preset: MemoryPreset) -> torch.dtype:
    """What weights and activations are kept in.

    On a CPU half precision is slower than single, and of its two kinds only bfloat16 has every operation.
    """
    if device.type == "cpu":
        return torch.bfloat16 if preset is MemoryPreset.LOW else torch.float32
    return torch.float16


def place(pipeline: GPSDiffusionPipeline, device: torch.device, preset: MemoryPreset) -> None:
    """Bring a pipeline to the device that it draws on, as a preset says.

    Args:
        pipeline: on the CPU, in the dtype of `dtype_for`.
        device: cpu, cuda or mps.
        preset: how much memory it may take.
    """
    if preset is not MemoryPreset.FULL:
        slice_attention(pipeline)
    if preset is MemoryPreset.LOW:
        tile_decoder(pipeline)
    if preset is MemoryPreset.LOW and device.type == "cuda":
        offload_denoiser(pipeline, device)
    else:
        pipeline.to(device)
    if device.type == "cpu":
        pipeline.unet.to(memory_format=torch.channels_last)


class SlicedAttention(AttnProcessor2_0):
    """diffusers' attention, one picture of the batch at a time."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        **rest: Any,
    ) -> torch.Tensor:
        """Called by diffusers' Attention."""
        whole = super().__call__
        if attention_mask is not None:
            return whole(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **rest)
        return _one_by_one(lambda one, context: whole(attn, one, context), hidden_states, encoder_hidden_states)


class SlicedLocationAttention(AddedLocationAttention):
    """Attention with added location tokens, one picture of the batch at a time."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        **rest: Any,
    ) -> torch.Tensor:
        """Called by diffusers' Attention."""
        whole = super().__call__
        return _one_by_one(lambda one, context: whole(attn, one, context), hidden_states, encoder_hidden_states)


def _one_by_one(
    attend: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor],
    hidden_states: torch.Tensor,
    context: torch.Tensor | None,
) -> torch.Tensor:
    contexts = [None] * len(hidden_states) if context is None else context.split(1)
    return torch.cat([attend(one, other) for one, other in zip(hidden_states.split(1), contexts, strict=True)])


def slice_attention(pipeline: GPSDiffusionPipeline) -> None:
    """Attend to one picture of the batch at a time; guided drawing has two or three in it."""
    sliced: dict[str, Any] = {}
    for name, processor in pipeline.unet.attn_processors.items():
        if isinstance(processor, AddedLocationAttention):
            sliced[name] = SlicedLocationAttention(processor.location_tokens)
        elif isinstance(processor, AttnProcessor2_0):
            sliced[name] = SlicedAttention()
        else:
            sliced[name] = processor  # not one of ours: left as it is
    pipeline.unet.set_attn_processor(sliced)


def tile_decoder(pipeline: GPSDiffusionPipeline) -> None:
    """Decode a picture in overlapping tiles of half its side. Small decoders need no tiles and have none."""
    vae = pipeline.vae
    if not isinstance(vae, AutoencoderKL):
        return
    vae.enable_tiling()
    side = max(8, int(pipeline.unet.config.sample_size) // 2)
    vae.tile_latent_min_size = side
    vae.tile_sample_min_size = side * pipeline.vae_scale
    vae.tile_overlap_factor = TILE_OVERLAP


def offload_denoiser(pipeline: GPSDiffusionPipeline, device: torch.device) -> None:
    """Keep the U-Net's weights in the computer's memory; each layer comes to the device when its turn comes."""
    for name, part in pipeline.components.items():
        if name != "unet" and isinstance(part, torch.nn.Module):
            part.to(device)
    apply_group_offloading(pipeline.unet, onload_device=device, offload_type="leaf_level")
