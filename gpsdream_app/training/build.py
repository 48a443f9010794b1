"""Building what is trained: a small model from nothing, or a base model with a location encoder beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.location_encoder import LocationEncoder, frequencies_for_box
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.config import LossConfig, ModelConfig

Fronts = Sequence[Sequence[float]]  # as models.place_map wants them


def location_encoder_for(
    box: Box,
    width: int,
    config: ModelConfig,
    *,
    has_heading: bool,
    base: bool,
    metres: float | None = None,
    fronts: Fronts = (),
) -> LocationEncoder:
    """A location encoder whose octaves fit the box.

    Args:
        box: of the training photos.
        width: token width of the text encoder.
        config: sizes.
        has_heading: whether photos carry headings.
        base: whether a base model must be unchanged at step 0. It gets no place map: its U-Net takes the picture alone.
        metres: how much of a street front a picture shows, where the photos tell.
        fronts: the street fronts that they show.
    """
    x_octaves, y_octaves = frequencies_for_box(box, config.target_metres)
    return LocationEncoder(
        **box.to_dict(),
        token_width=width,
        hidden_width=config.location_hidden,
        x_octaves=x_octaves,
        y_octaves=y_octaves,
        has_heading=has_heading,
        zero_output=base,
        attention="added" if base else "joint",
        map_channels=0 if base else config.map_channels,
        map_side=config.image_size // config.codec_stride,
        map_cell_metres=config.map_cell_metres,
        map_features=config.map_features,
        map_hidden=config.map_hidden,
        map_depth_metres=config.map_depth_metres,
        map_fronts=() if base else fronts,
        **({} if metres is None else {"map_width_metres": round(metres, 1)}),
    )


def scheduler_for(loss: LossConfig) -> DDIMScheduler:
    """The noise schedule of Stable Diffusion, with the prediction type of the recipe."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type=loss.prediction,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=loss.zero_terminal_snr,
    )


def build_small(
    config: ModelConfig,
    loss: LossConfig,
    box: Box,
    tokenizer: CLIPTokenizer,
    *,
    has_heading: bool,
    metres: float | None = None,
    fronts: Fronts = (),
) -> GPSDiffusionPipeline:
    """A small untrained pipeline. The random seed decides its weights; arguments as of `location_encoder_for`."""
    location_encoder = location_encoder_for(
        box, config.text_width, config, has_heading=has_heading, base=False, metres=metres, fronts=fronts
    )
    unet = small_unet(config, location_encoder.token_count)
    text_encoder, vae = small_text_encoder(config, tokenizer), small_codec(config)
    return GPSDiffusionPipeline(vae, text_encoder, tokenizer, unet, scheduler_for(loss), location_encoder)


def small_unet(config: ModelConfig, location_tokens: int, *, time_scale_shift: str = "default") -> UNet2DConditionModel:
    """An untrained U-Net of a recipe's sizes.

    Args:
        config: sizes.
        location_tokens: tokens that come after those of the words.
        time_scale_shift: how the time embedding (and what joins it) enters a block, as diffusers names it: "default"
            adds to the channels, "scale_shift" also scales them.
    """
    down = tuple("CrossAttnDownBlock2D" if attention else "DownBlock2D" for attention in config.unet_attention)
    up = tuple("CrossAttnUpBlock2D" if attention else "UpBlock2D" for attention in reversed(config.unet_attention))
    in_time = config.location_in_time
    in_time_width = config.text_width * location_tokens + config.text_in_time
    return UNet2DConditionModel(
        sample_size=config.image_size // config.codec_stride,
        in_channels=config.latent_channels + config.map_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.unet_channels,
        layers_per_block=config.unet_layers,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=config.text_width,
        # diffusers takes the number of heads under this name.
        attention_head_dim=config.unet_heads,
        norm_num_groups=16,
        class_embed_type="simple_projection" if in_time else None,
        projection_class_embeddings_input_dim=in_time_width if in_time else None,
        resnet_time_scale_shift=time_scale_shift,
    )


def small_text_encoder(config: ModelConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder of a recipe's sizes."""
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=4 * config.text_width,
            projection_dim=config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_heads,
            max_position_embeddings=config.max_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **ends,
        )
    )


def small_codec(config: ModelConfig) -> LappedAutoencoder:
    """An untrained codec of a recipe's sizes."""
    return LappedAutoencoder(
        latent_channels=config.latent_channels,
        window=config.codec_window,
        refiner_widths=config.refiner_widths,
        refiner_blocks=config.refiner_blocks,
        whitening=config.codec_whitening,
        stride=config.codec_stride,
    )


def open_stable_diffusion(folder: Path) -> StableDiffusionPipeline:
    """Open a Stable Diffusion 1.x or 2.x folder with safetensors weights. Raises GPSDreamError if it is none."""
    try:
        return StableDiffusionPipeline.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
            requires_safety_checker=False,
            dtype=torch.float32,  # the weights may be stored in half precision
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"“{folder.name}” is not a Stable Diffusion folder with safetensors weights.",
            "Give a diffusers folder with model_index.json, unet, vae, text_encoder, tokenizer and scheduler.",
            details=repr(error),
        ) from None


def stateless_scheduler(base: StableDiffusionPipeline) -> DDIMScheduler:
    """The noise schedule of a base. Its own scheduler may keep a state, or take passes that no step shows."""
    return DDIMScheduler.from_config(base.scheduler.config, clip_sample=False)


def open_base(folder: Path, config: ModelConfig, box: Box, *, has_heading: bool) -> GPSDiffusionPipeline:
    """Open a Stable Diffusion 1.x or 2.x folder as the start of a GPS-conditioned model.

    Its pictures are the same as before until the location encoder has learned something.

    Args:
        folder: a diffusers pipeline folder with safetensors weights.
        config: sizes of the location encoder.
        box: of the training photos.
        has_heading: whether photos carry headings.

    Raises:
        GPSDreamError: if the folder is no such pipeline.
    """
    base = open_stable_diffusion(folder)
    width = base.unet.config.cross_attention_dim
    location_encoder = location_encoder_for(box, width, config, has_heading=has_heading, base=True)
    return GPSDiffusionPipeline(
        base.vae,
        base.text_encoder,
        base.tokenizer,
        base.unet,
        stateless_scheduler(base),
        location_encoder,
        null_text="empty_prompt",
    )
