"""GPSDiffusionPipeline: pictures from words and a place (Eq 4 of the paper), on diffusers' own parts."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiffusionPipeline, UNet2DConditionModel
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils import BaseOutput
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

from gpsdream_app.domain.places import Place
from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.conditions import (
    Location,
    Preconditioning,
    encode_prompts,
    preconditioning_of,
    predict,
    set_location_attention,
)
from gpsdream_app.models.location_encoder import LocationEncoder

NULL_TEXT = ("zeros", "empty_prompt")
GUIDANCE_ORDERS = ("text_first", "place_first")


@dataclass
class GPSPipelineOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        images: PIL pictures, or the latents (batch, channels, h, w) for output_type "latent".
    """

    images: list[Image.Image] | torch.Tensor


@dataclass(frozen=True)
class GuidanceTerm:
    """One pass of the U-Net and its weight in the guided prediction."""

    weight: float
    with_text: bool
    with_place: bool


def guidance_terms(
    text_guidance: float,
    place_guidance: float,
    *,
    has_text: bool,
    has_place: bool,
    order: str = "text_first",
) -> list[GuidanceTerm]:
    """Eq 4 as a weighted sum of passes; passes of weight zero are left out.

    `e = e(0,0) + w_p [e(p,0) - e(0,0)] + w_g [e(p,g) - e(p,0)]`. Without words: `e(0,0) + w_g [e(0,g) - e(0,0)]`;
    without a place: the first two terms. In the other order the words come on top of the place:
    `e = e(0,0) + w_g [e(0,g) - e(0,0)] + w_p [e(p,g) - e(0,g)]`.

    Args:
        text_guidance: w_p.
        place_guidance: w_g.
        has_text: whether there are words.
        has_place: whether there is a place.
        order: "text_first" (the paper) or "place_first".
    """
    if order not in GUIDANCE_ORDERS:
        raise ValueError(f"guidance_order must be one of {GUIDANCE_ORDERS}, not {order!r}")
    if has_text and has_place and order == "place_first":
        weights = {
            (False, False): 1 - place_guidance,
            (False, True): place_guidance - text_guidance,
            (True, True): text_guidance,
        }
    elif has_text and has_place:
        weights = {
            (False, False): 1 - text_guidance,
            (True, False): text_guidance - place_guidance,
            (True, True): place_guidance,
        }
    elif has_text:
        weights = {(False, False): 1 - text_guidance, (True, False): text_guidance}
    elif has_place:
        weights = {(False, False): 1 - place_guidance, (False, True): place_guidance}
    else:
        weights = {(False, False): 1.0}
    terms = [GuidanceTerm(weight, *given) for given, weight in weights.items() if weight != 0]
    return terms or [GuidanceTerm(1.0, False, False)]


def rescale_noise(guided: torch.Tensor, conditional: torch.Tensor, rescale: float) -> torch.Tensor:
    """Pull the spread of a guided prediction back towards the conditional one (Lin et al. 2023, section 3.4)."""
    axes = tuple(range(1, guided.ndim))
    factor = conditional.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True).clamp_min(1e-8)
    return guided * (rescale * factor + 1 - rescale)


Predictor = Callable[[torch.Tensor, torch.Tensor, Sequence[GuidanceTerm]], Sequence[torch.Tensor]]
"""What each term predicts, (batch, channels, h, w) in float32, at latents of that shape and one timestep."""


@dataclass(frozen=True)
class Words:
    """Text tokens of some pictures.

    Attributes:
        given: (pictures, tokens, width), of their prompts.
        none: of the same shape, of what stands for no words.
    """

    given: torch.Tensor
    none: torch.Tensor

    def of(self, term: GuidanceTerm) -> torch.Tensor:
        """The tokens that a term is told."""
        return self.given if term.with_text else self.none


class LocationTerm(ABC):
    """May stand where a place stands, and predicts the terms of Eq 4 that know the place in its own way."""

    @abstractmethod
    def predictor(self, pipeline: GPSDiffusionPipeline, words: Words, radius: float) -> Predictor:
        """Get ready to draw one picture.

        Args:
            pipeline: that draws.
            words: of one picture.
            radius: metres within which places are meant.
        """


class GPSDiffusionPipeline(DiffusionPipeline):
    """Draws pictures of places.

    Args:
        vae: pictures to latents and back.
        text_encoder: words to tokens.
        tokenizer: of the text encoder.
        unet: the denoiser; its cross-attention sees text tokens and location tokens.
        scheduler: any diffusers scheduler.
        location_encoder: places to tokens.
        null_text: what stands for no words: "zeros" (the paper) or "empty_prompt" (what Stable Diffusion learned).
    """

    model_cpu_offload_seq = "text_encoder->location_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL | AutoencoderTiny | LappedAutoencoder,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
        location_encoder: LocationEncoder,
        null_text: str = "zeros",
    ) -> None:
        super().__init__()
        if null_text not in NULL_TEXT:
            raise ValueError(f"null_text must be one of {NULL_TEXT}, not {null_text!r}")
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            location_encoder=location_encoder,
        )
        self.register_to_config(null_text=null_text)
        set_location_attention(unet, location_encoder.config.attention, location_encoder.token_count)

    @property
    def vae_scale(self) -> int:
        """Pixels per latent cell along one side."""
        if isinstance(self.vae, LappedAutoencoder):
            return self.vae.config.stride
        return 2 ** (
            len(
                self.vae.config.block_out_channels
                if isinstance(self.vae, AutoencoderKL)
                else self.vae.config.decoder_block_out_channels
            )
            - 1
        )

    def encode_text(self, prompts: list[str]) -> torch.Tensor:
        """Text tokens (batch, tokens, width) of prompts."""
        return encode_prompts(self.tokenizer, self.text_encoder, prompts).to(self.unet.dtype)

    def encode_null_text(self, count: int) -> torch.Tensor:
        """Text tokens that stand for no words, (count, tokens, width)."""
        empty = self.encode_text([""])
        if self.config.null_text == "zeros":
            empty = torch.zeros_like(empty)
        return empty.expand(count, -1, -1)

    def encode_places(self, places: Sequence[Place | None], *, radius: Sequence[float] | float = 0.0) -> Location:
        """Location tokens and, if the model has one, what its map shows; zeros for None.

        Args:
            places: where.
            radius: metres within which the places are meant, one for all or each its own: levels of the map with
                smaller cells are left out, and the tokens say no more. Where a model with a map has seen no photos, it
                is more (see LocationEncoder.radius_known).
        """

        def column(values: list[float | None]) -> torch.Tensor:
            numbers = [float("nan") if value is None else value for value in values]
            return torch.tensor(numbers, dtype=torch.float64)

        columns = [column([getattr(place, name, None) for place in places]) for name in ("lat", "lon", "heading")]
        radii = torch.as_tensor(radius, dtype=torch.float64).expand(len(places))
        radii = radii.maximum(self.location_encoder.radius_known(*columns))
        tokens = self.location_encoder(*columns, radius=radii)
        plane = self.location_encoder.read_map(*columns, finest=radii)
        return Location(tokens, plane).to(self.unet.dtype)

    @property
    def preconditioning(self) -> Preconditioning | None:
        """What the U-Net's input and output are scaled by; None for most models."""
        return preconditioning_of(self.vae, self.scheduler)

    def predict_original(
        self, model_output: torch.Tensor, sample: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor | None:
        """What the noisy sample is expected to become; None for schedulers without a cumulative alpha."""
        alphas = getattr(self.scheduler, "alphas_cumprod", None)
        if alphas is None or not 0 <= int(timestep) < len(alphas):
            return None
        alpha = alphas[int(timestep)].to(sample)
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return (sample - (1 - alpha).sqrt() * model_output) / alpha.sqrt().clamp_min(1e-4)
            case "v_prediction":
                return alpha.sqrt() * sample - (1 - alpha).sqrt() * model_output
            case "sample":
                return model_output
        return None

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] = "",
        place: Place | list[Place | None] | LocationTerm | None = None,
        *,
        negative_prompt: str = "",
        num_inference_steps: int = 20,
        text_guidance: float = 3.5,
        place_guidance: float = 7.5,
        guidance_rescale: float = 0.0,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        guidance_order: str = "text_first",
        place_radius: float = 0.0,
        place_radius_with_words: float | None = None,
        height: int | None = None,
        width: int | None = None,
        eta: float = 0.0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: torch.Tensor | None = None,
        output_type: str = "pil",
        callback_on_step_end: Callable[[GPSDiffusionPipeline, int, torch.Tensor, dict], dict] | None = None,
        return_dict: bool = True,
    ) -> GPSPipelineOutput | tuple[Any]:
        """Draw one picture per prompt and place.

        Args:
            prompt: words; a single one serves all places.
            place: where; a single one serves all prompts. A LocationTerm goes with one prompt.
            negative_prompt: takes the place of no words in e(0, 0).
            num_inference_steps: denoising steps.
            text_guidance: w_p of Eq 4.
            place_guidance: w_g of Eq 4.
            guidance_rescale: 0 to 1, against over-saturation.
            guidance_interval: part of the noise schedule (0 clean, 1 pure noise) in which there is guidance; outside
                it the fully conditional prediction is used alone.
            guidance_order: "text_first" is Eq 4 as printed, "place_first" puts the words on top of the place.
            place_radius: metres within which the place is meant; more leaves more to the words. For models with a
                place map.
            place_radius_with_words: the same for pictures with a prompt; None: as without one.
            height, width: in pixels; the model's own size if None.
            eta: of DDIM.
            generator: one per picture, or one for all.
            latents: initial noise, (batch, channels, height / vae_scale, width / vae_scale).
            output_type: "pil", "np", "pt" or "latent".
            callback_on_step_end: called with (pipeline, step from 0, timestep, tensors) after every step; tensors
                are "latents" and "pred_original" (None if unknown). It may return other "latents", or raise to stop.
            return_dict: whether to return a GPSPipelineOutput.

        Returns:
            The pictures; pixels in [0, 1] for "np" (n, height, width, 3) and "pt" (n, 3, height, width).
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        places = list(place) if isinstance(place, list) else [place]
        count = max(len(prompts), len(places))
        prompts = prompts * count if len(prompts) == 1 else prompts
        places = places * count if len(places) == 1 else places
        if not len(prompts) == len(places) == count:
            raise ValueError(f"{len(prompts)} prompts do not go with {len(places)} places")
        if isinstance(place, LocationTerm) and count != 1:
            raise ValueError(f"{count} prompts do not go with one location term")

        has_text, has_place = any(text.strip() for text in prompts), any(spot is not None for spot in places)
        terms = guidance_terms(
            text_guidance, place_guidance, has_text=has_text, has_place=has_place, order=guidance_order
        )
        full = GuidanceTerm(1.0, has_text, has_place)
        no_text = self.encode_text([negative_prompt] * count) if negative_prompt.strip() else None
        if no_text is None:
            no_text = self.encode_null_text(count)
        words = Words(self.encode_text(prompts) if has_text else no_text, no_text)
        with_words = place_radius if place_radius_with_words is None else place_radius_with_words
        radii = [with_words if text.strip() else place_radius for text in prompts]
        if isinstance(place, LocationTerm):
            predict_terms = place.predictor(self, words, radii[0])
        else:
            predict_terms = self._predictor(words, self.encode_places(places, radius=radii))
        latents = self._initial_latents(count, height, width, generator, latents)
        self.scheduler.set_timesteps(num_inference_steps, device=self.unet.device)
        accepted = inspect.signature(self.scheduler.step).parameters
        extra = {"eta": eta} if "eta" in accepted else {}
        if "generator" in accepted:
            extra["generator"] = generator
        last = float(self.scheduler.config.num_train_timesteps)

        with self.progress_bar(total=len(self.scheduler.timesteps)) as progress:
            for index, timestep in enumerate(self.scheduler.timesteps):
                within = guidance_interval[0] <= float(timestep) / last <= guidance_interval[1]
                active = terms if within else [full]
                passes = predict_terms(self.scheduler.scale_model_input(latents, timestep), timestep, active)
                # Summed in float32: the weights are large and of both signs.
                prediction = sum(term.weight * one for term, one in zip(active, passes, strict=True))
                if guidance_rescale > 0 and len(active) > 1:
                    prediction = rescale_noise(prediction, passes[-1], guidance_rescale)
                original = self.predict_original(prediction, latents, timestep)
                latents = self.scheduler.step(prediction, timestep, latents, **extra, return_dict=False)[0]
                if callback_on_step_end is not None:
                    tensors = {"latents": latents, "pred_original": original}
                    latents = callback_on_step_end(self, index, timestep, tensors).get("latents", latents)
                progress.update()

        images = latents if output_type == "latent" else self.decode(latents, output_type)
        self.maybe_free_model_hooks()
        return GPSPipelineOutput(images=images) if return_dict else (images,)

    def _predictor(self, words: Words, location: Location) -> Predictor:
        """Predict the terms of one or more pictures, each at its own place, in one pass of the U-Net."""
        nowhere, preconditioning = location.nowhere(), self.preconditioning

        @functools.cache  # the same terms come back at every step
        def conditions(terms: tuple[GuidanceTerm, ...]) -> tuple[torch.Tensor, Location]:
            where = Location.joined([location if term.with_place else nowhere for term in terms])
            return torch.cat([words.of(term) for term in terms]), where

        def predict_terms(
            noisy: torch.Tensor, timestep: torch.Tensor, terms: Sequence[GuidanceTerm]
        ) -> Sequence[torch.Tensor]:
            batch = torch.cat([noisy] * len(terms))
            output = predict(self.unet, batch, timestep, *conditions(tuple(terms)), preconditioning)
            return output.chunk(len(terms))

        return predict_terms

    def _initial_latents(
        self,
        count: int,
        height: int | None,
        width: int | None,
        generator: torch.Generator | list[torch.Generator] | None,
        latents: torch.Tensor | None,
    ) -> torch.Tensor:
        side = self.unet.config.sample_size
        rows = height // self.vae_scale if height else side
        columns = width // self.vae_scale if width else side
        shape = (self.unet.config.out_channels, rows, columns)
        if latents is None:
            generators = generator if isinstance(generator, list) else [generator] * count
            # Drawn on the generator's device (the CPU by custom), so that a seed means the same everywhere.
            latents = torch.stack(
                [
                    torch.randn(shape, generator=one, device=one.device if one is not None else "cpu")
                    for one in generators
                ]
            )
        elif latents.shape != (count, *shape):
            raise ValueError(f"latents have the shape {tuple(latents.shape)}, not {(count, *shape)}")
        return latents.to(self.unet.device, torch.float32) * self.scheduler.init_noise_sigma

    @torch.no_grad()
    def decode(self, latents: torch.Tensor, output_type: str = "pil") -> Any:
        """Latents to pictures, as `output_type` says."""
        unscaled = latents.to(self.vae.dtype) / self.vae.config.scaling_factor
        pictures = (self.vae.decode(unscaled).sample.float() / 2 + 0.5).clamp(0, 1)
        if output_type == "pt":
            return pictures
        pixels = pictures.permute(0, 2, 3, 1).cpu().numpy()
        if output_type == "np":
            return pixels
        return [Image.fromarray(one) for one in np.rint(pixels * 255).astype(np.uint8)]
