"""A whole run of a landmark model, from framed views to a model folder, resumable like a run for places."""

from __future__ import annotations

import datetime
import json
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE, LANDMARKS, KnownLandmark, ModelCard
from gpsdream_app.domain.places import Box
from gpsdream_app.generation.previews import fit_preview
from gpsdream_app.landmarks import framing
from gpsdream_app.landmarks.views import FramedView, FramedViews, counts_by_azimuth
from gpsdream_app.models.angle_encoder import AngleEncoder
from gpsdream_app.models.checkpoint import load_pipeline
from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline, View
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.training.build import (
    open_stable_diffusion,
    scheduler_for,
    small_codec,
    small_text_encoder,
    small_unet,
    stateless_scheduler,
)
from gpsdream_app.training.codec import psnr
from gpsdream_app.training.landmark_config import LandmarkTrainConfig
from gpsdream_app.training.landmark_learner import LandmarkLearner
from gpsdream_app.training.landmark_views import (
    Prior,
    ViewLatents,
    ViewSampler,
    pictures_of,
)
from gpsdream_app.training.loop import Loop
from gpsdream_app.training.run import TrainingRun

SAMPLE_AZIMUTHS = (0.0, 60.0, 120.0, 180.0, 240.0, 300.0)
MARGIN = 0.01  # degrees, of the card's box about the landmarks
PRIOR_FILE = "prompts.json"


class LandmarkRun(TrainingRun):
    """One output folder: codec, checkpoints, log, and in the end the model. The framed views stay where they are."""

    learner = LandmarkLearner
    config: LandmarkTrainConfig

    def _train_text(self, pipeline: GPSDiffusionPipeline) -> bool:
        return self.base is None

    def _prepared(self, photos: Path | None) -> FramedViews:
        if photos is None:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                "No framed views are given.",
                "Name their folder with --photos; “gpsdream landmarks frame” makes it.",
            )
        framed = FramedViews.open(photos)
        if not self._learned(framed):
            raise GPSDreamError(
                ErrorKind.BAD_PHOTO,
                f"No view in “{photos.name}” is certain enough of its angle to be learned from.",
                "Let “data.largest_sigma” of the recipe be larger.",
            )
        return framed

    def _learned(self, framed: FramedViews) -> list[FramedView]:
        largest = self.config.data.largest_sigma
        return [view for view in framed.part(validation=False) if view.sigma <= largest]

    def _sampler(self, prepared: FramedViews, photos: Sequence[FramedView]) -> ViewSampler:
        return ViewSampler(prepared, self._learned(prepared), self.config.model.image_size, self.config.loop.seed)

    def _texts(self, prepared: FramedViews) -> list[str]:
        texts = [view.prompt for view in prepared.views]
        if self.config.data.view_words:
            texts += [f"{text}, {side} view" for text in sorted(set(texts)) for side in ("front", "side", "back")]
        return texts

    def _pipeline(self, prepared: FramedViews, sampler: ViewSampler) -> LandmarkPipeline:
        if self.base is None:
            pipeline = build_landmark_model(self.config, self._tokenizer(prepared))
            self._codec(pipeline.vae, prepared, sampler)
            return pipeline
        pipeline = open_landmark_base(self.base, self.config)
        sampler.side = self._side(pipeline)
        self._prior = self._draw_prior(pipeline, prepared)
        self._adapt(pipeline)
        return pipeline

    _prior: Prior | None = None

    def _draw_prior(self, pipeline: LandmarkPipeline, prepared: FramedViews) -> Prior | None:
        """What the base draws with the angle zeroed, before it learns; kept for the next start."""
        config = self.config.prior
        if not config.weight:
            return None
        folder = self.out / "prior"
        folder.mkdir(exist_ok=True)
        names = [f"A photo of {landmark.name}" for landmark in prepared.landmarks]
        prompts = [config.prompt or names[number % len(names)] for number in range(config.pictures)]
        noted = folder / PRIOR_FILE
        text = json.dumps(prompts, ensure_ascii=False)
        if not noted.exists() or noted.read_text(encoding="utf-8") != text:
            for old in folder.glob("*.png"):
                old.unlink()
            noted.write_text(text, encoding="utf-8")
        pipeline.set_progress_bar_config(disable=True)
        pictures = []
        for number, words in enumerate(prompts):
            path = folder / f"{number:04d}.png"
            if not path.exists():
                self._stage_or_stop(number, len(prompts), "drawing the prior's pictures")
                drawn = pipeline(
                    words,
                    None,
                    num_inference_steps=config.steps,
                    text_guidance=config.guidance,
                    generator=torch.Generator().manual_seed(number),
                ).images[0]
                temporary = path.with_suffix(".part")
                drawn.save(temporary, "PNG")
                temporary.replace(path)
            with Image.open(path) as image:
                pictures.append(np.asarray(image.convert("RGB")))
        return Prior(pictures_from_pixels(pictures), prompts, config.weight)

    def _source(self, pipeline: LandmarkPipeline, prepared: FramedViews, sampler: ViewSampler) -> ViewLatents:
        return ViewLatents(
            pipeline,
            sampler,
            prepared.part(validation=True),
            words_share=self.config.data.view_words,
            prior=self._prior,
            cache=self.out / "cache" / "latents.safetensors" if self.base is not None else None,
            report=self.listener.stage,
        )

    def _samples(self, prepared: FramedViews) -> list[tuple[str, View]]:
        """Every landmark (up to six) all round, from where a lift looks."""
        return [
            (landmark.prompt, View(azimuth, framing.DISTANCE))
            for landmark in prepared.landmarks[:6]
            for azimuth in SAMPLE_AZIMUTHS
        ]

    def _card(self, loop: Loop, pipeline: LandmarkPipeline, prepared: FramedViews) -> ModelCard:
        config, card = self.config, self.config.card
        learned, held_out = self._learned(prepared), prepared.part(validation=True)
        shown = held_out or learned
        spread = [shown[index] for index in np.linspace(0, len(shown) - 1, min(64, len(shown))).astype(int)]
        pictures = pictures_of(prepared, spread, self._side(pipeline))
        with torch.no_grad():
            encoded = pipeline.vae.encode(pictures.to(pipeline.vae.dtype))
            latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
            decoded = pipeline.vae.decode(latents).sample
        measured_on = "held-out photos" if held_out else "the training photos themselves"
        choices: dict[str, Any] = {
            **{part: asdict(getattr(config, part)) for part in ("data", "angle", "model", "prior", "loss", "loop")},
            # Not where diffusers read it from.
            "angle_encoder": {
                name: value for name, value in pipeline.location_encoder.config.items() if not name.startswith("_")
            },
            "null_text": pipeline.config.null_text,
        }
        if not isinstance(pipeline.vae, LappedAutoencoder):
            choices["preview_matrix"] = fit_preview(latents.float() * pipeline.vae.config.scaling_factor, pictures)
        training = {
            "data": card.data,
            "source": card.data_source,
            "licence": card.data_licence,
            "photos": len(learned),
            "photos_held_out": len(held_out),
            "photos_by_landmark": dict(Counter(view.landmark for view in learned)),
            "steps": loop.step,
            "samples_seen": loop.samples_seen,
            "hours": round((loop.seconds_before + time.monotonic() - loop.started) / 3600, 2),
            "hardware": f"{loop.accelerator.device.type}, {platform.machine()}, {torch.get_num_threads()} threads",
            "finished": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "base": self.base.name if self.base else None,
        }
        places = [landmark.place for landmark in prepared.landmarks]
        return ModelCard(
            name=card.name,
            title=card.title,
            description=card.description,
            box=Box(
                min(place.lat for place in places) - MARGIN,
                min(place.lon for place in places) - MARGIN,
                max(place.lat for place in places) + MARGIN,
                max(place.lon for place in places) + MARGIN,
            ),
            image_size=self._side(pipeline),
            city=card.city,
            defaults={"steps": 10, "text_guidance": 2.0, "place_guidance": 2.0, **card.defaults},
            words=card.words,
            choices=json.loads(json.dumps(choices)),
            training=training,
            scores={"autoencoder_psnr_db": {"value": round(psnr(decoded, pictures), 2), "on": measured_on}},
            licence=card.licence,
            kind=LANDMARKS,
            landmarks=tuple(
                KnownLandmark(landmark, tuple(counts_by_azimuth(learned, landmark.id)))
                for landmark in prepared.landmarks
            ),
            framing={
                "foot": framing.FOOT,
                "height": framing.HEIGHT,
                "width": framing.WIDEST,
                "distance": framing.DISTANCE,
                "eye": framing.EYE,
                "background": list(prepared.background),
                "landmarks": {name: dict(values) for name, values in prepared.framings.items()},
            },
        )


def build_landmark_model(config: LandmarkTrainConfig, tokenizer: Any) -> LandmarkPipeline:
    """A small untrained pipeline of a recipe's sizes. The random seed decides its weights."""
    model, angle = config.model, config.angle
    encoder = AngleEncoder(
        token_width=model.text_width,
        hidden_width=model.location_hidden,
        encoding=angle.encoding,
        harmonics=angle.harmonics,
        has_distance=angle.distance,
        has_fov=angle.fov,
    )
    unet = small_unet(model, encoder.token_count, time_scale_shift=angle.time_scale_shift)
    text_encoder, vae = small_text_encoder(model, tokenizer), small_codec(model)
    return LandmarkPipeline(vae, text_encoder, tokenizer, unet, scheduler_for(config.loss), encoder)


def open_landmark_base(folder: Path, config: LandmarkTrainConfig) -> LandmarkPipeline:
    """Open a base: a Stable Diffusion folder, or a model of GPSDream, of places or landmarks.

    Its pictures are the same as before until the angle encoder has learned something. A landmark model goes on with
    the encoder that it has.

    Raises:
        GPSDreamError: if the folder is none of these, or has no room for the tokens that the recipe asks for.
    """
    angle = config.angle
    settings: Mapping[str, Any] = {
        "hidden_width": config.model.location_hidden,
        "encoding": angle.encoding,
        "harmonics": angle.harmonics,
        "has_distance": angle.distance,
        "has_fov": angle.fov,
        "zero_output": True,
    }
    if not (folder / CARD_FILE).is_file():
        base = open_stable_diffusion(folder)
        encoder = AngleEncoder(token_width=base.unet.config.cross_attention_dim, attention="added", **settings)
        scheduler = stateless_scheduler(base)
        return LandmarkPipeline(
            base.vae, base.text_encoder, base.tokenizer, base.unet, scheduler, encoder, "empty_prompt"
        )
    known = load_pipeline(folder)
    if isinstance(known, LandmarkPipeline):
        return known
    unet, places = known.unet, known.location_encoder
    asked = 1 + angle.distance + angle.fov
    in_time = unet.config.class_embed_type == "simple_projection"
    if asked > places.token_count and in_time:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"The base “{folder.name}” has room for {places.token_count} tokens; the recipe asks for {asked}.",
            "Leave “angle.distance” or “angle.fov” of the recipe out.",
        )
    encoder = AngleEncoder(
        token_width=unet.config.cross_attention_dim,
        attention=places.config.attention,
        silent_tokens=places.token_count - asked if in_time else 0,
        plane_channels=unet.config.in_channels - unet.config.out_channels,
        plane_side=unet.config.sample_size,
        **settings,
    )
    parts = (known.vae, known.text_encoder, known.tokenizer, unet, known.scheduler)
    return LandmarkPipeline(*parts, encoder, known.config.null_text)
