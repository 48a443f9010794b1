"""A whole training run, from a folder of photos to a model folder. Every stage is kept, so a run can be resumed."""

from __future__ import annotations

import datetime
import json
import math
import platform
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Example, ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.generation.draw import sampling_settings
from gpsdream_app.generation.previews import fit_preview
from gpsdream_app.library.model_folders import read_card
from gpsdream_app.library.paths import catalogue_path
from gpsdream_app.models.checkpoint import load_pipeline, save_pipeline
from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.prepared import INDEX_FILE, PreparedPhotos, TrainingPhoto, fixed_crops
from gpsdream_app.training.batches import CropSampler
from gpsdream_app.training.build import build_small, open_base
from gpsdream_app.training.codec import psnr, train_linear, train_refiner
from gpsdream_app.training.config import TrainConfig
from gpsdream_app.training.learner import Learner
from gpsdream_app.training.loop import BatchSource, Loop, Progress, without_accelerator
from gpsdream_app.training.place_map import cells_looked_at, train_place_map
from gpsdream_app.training.prepare import check_box, check_disk, coverage_of, photos_of, prepare
from gpsdream_app.training.sources import CachedLatents, FreshLatents
from gpsdream_app.training.tokenizer import train_tokenizer

MOST_WORDS = 40
CODEC_FILE = "stage.json"
MAP_FILE = "place-map.safetensors"


@dataclass
class Listener:
    """Who is told how a run goes.

    Attributes:
        stage: told (done, total, text) of everything but the main loop.
        progress: told about every step of the main loop.
        stopped: asked often; True saves and ends the run.
    """

    stage: Callable[[int, int, str], None]
    progress: Callable[[Progress], None]
    stopped: Callable[[], bool]


def typical_metres(sampler: CropSampler) -> float | None:
    """Median of how much of the frontage crops show; None if the photos do not tell."""
    crops, _ = sampler.crops(0, 256)
    known = [crop.metres for crop in crops if crop.metres is not None]
    return statistics.median(known) if known else None


def fronts_of(photos: Sequence[TrainingPhoto]) -> list[list[float]]:
    """The street fronts that photos show, as models.place_map wants them; those of photos with frontage and heading."""
    fronts = []
    for photo in photos:
        if photo.frontage is not None and photo.heading is not None:
            east, north = photo.frontage
            bearing = math.degrees(math.atan2(east, north)) % 360
            front = (photo.lat, photo.lon, photo.heading, bearing, math.hypot(east, north))
            fronts.append([round(value, 7) for value in front])
    return fronts


def vocabulary_of(photos: Sequence[TrainingPhoto], synonyms: Mapping[str, Sequence[str]], least: int = 3) -> list[str]:
    """Single lower-case words that the words of the photos hold at least so many times, sorted.

    Synonyms count as often as the tags that they stand for.
    """
    counts: Counter[str] = Counter()
    for view in (view for photo in photos for view in photo.views):
        others = (other for tag in view.tags for other in synonyms.get(tag, ()))
        for text in (view.caption, *view.tags, *others):
            counts.update(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text.lower()))
    return sorted(word for word, count in counts.items() if count >= least)


class TrainingRun:
    """One output folder: prepared photos, codec, checkpoints, log, and in the end the model."""

    learner: type[Learner] = Learner

    def __init__(
        self,
        out: Path,
        config: TrainConfig,
        listener: Listener,
        *,
        base: Path | None = None,
        start: Path | None = None,
    ) -> None:
        """Set up a run.

        Args:
            out: folder of the run.
            config: recipe.
            listener: who is told.
            base: Stable Diffusion folder to start from; None trains a small model from nothing.
            start: GPSDream model to go on from, with its sizes, words and box instead of the recipe's.

        Raises:
            GPSDreamError: if there are two models to start from.
        """
        if base is not None and start is not None:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, "A run starts from one model.", "Give either --base or --start-from, not both."
            )
        self.out, self.config, self.listener, self.base, self.start = out, config, listener, base, start
        # Read at once: the run may write its own model where this one lies.
        self._before = read_card(start) if start is not None else None
        # Moments of words that no photo has shown for a while fade into denormal numbers, which a CPU multiplies
        # some hundred times more slowly than zeros.
        torch.set_flush_denormal(True)

    @property
    def model_folder(self) -> Path:
        """Where the finished model is written."""
        return self.out / "model"

    def run(self, photos: Path | None) -> Path | None:
        """Train.

        Args:
            photos: folder of geotagged photos; not needed when `out` holds prepared ones.

        Returns:
            The model folder, or None if the run was stopped before its end.

        Raises:
            GPSDreamError: with a sentence, for everything that a person can put right.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        check_disk(self.out, 500_000_000)
        try:
            # One process does the stages before the main loop, the others then find them done.
            with PartialState(cpu=without_accelerator()).main_process_first():
                self._keep_recipe()
                prepared = self._prepared(photos)
                sampler = self._sampler(prepared, prepared.part(validation=False))
                torch.manual_seed(self.config.loop.seed)
                pipeline = self._pipeline(prepared, sampler)
                source = self._source(pipeline, prepared, sampler)
        except KeyboardInterrupt:
            return None
        loop = Loop(
            pipeline,
            source,
            self.out,
            self.config.loop,
            self.config.loss,
            train_text=self._train_text(pipeline),
            samples=self._samples(prepared),
            sampling=self._sampling(),
            learner=self.learner,
        )
        finished = loop.run(on_progress=self.listener.progress, stop=self.listener.stopped)
        if loop.is_main:
            self._write_model(loop, pipeline, prepared)
        return self.model_folder if finished else None

    def _train_text(self, pipeline: GPSDiffusionPipeline) -> bool:
        # A text encoder of Stable Diffusion stays as it is.
        return isinstance(pipeline.vae, LappedAutoencoder)

    def _keep_recipe(self) -> None:
        path = self.out / "recipe.json"
        recipe = {
            **self.config.to_dict(),
            "base": self.base.name if self.base else None,
            "start": self.start.name if self.start else None,
        }
        text = json.dumps(recipe, indent=1, ensure_ascii=False)
        if path.exists():
            try:
                before = dict(json.loads(path.read_text(encoding="utf-8")))
            except (TypeError, ValueError):
                raise GPSDreamError(
                    ErrorKind.BAD_REQUEST,
                    f"The recipe of the run in “{self.out.name}” ({path.name}) is damaged.",
                    "Delete that file to go on with the recipe given now, or give another folder with --out.",
                ) from None
            for part in ("model", "base", "start"):
                if before.get(part) != json.loads(text)[part]:
                    raise GPSDreamError(
                        ErrorKind.BAD_REQUEST,
                        f"“{self.out.name}” holds a run with another {part}, so it cannot be resumed with this recipe.",
                        "Give another folder with --out, or the recipe that the run was started with.",
                    )
        path.write_text(text, encoding="utf-8")

    def _prepared(self, photos: Path | None) -> PreparedPhotos:
        folder = self.out / "prepared"
        if not (folder / INDEX_FILE).exists():
            if photos is None:
                raise GPSDreamError(ErrorKind.BAD_REQUEST, "No photos are given.", "Name their folder with --photos.")
            self.listener.stage(0, 1, "importing photos")
            with Catalogue(catalogue_path()) as catalogue:
                records = photos_of(photos, catalogue, self.listener.stopped)
            if self.listener.stopped():
                raise KeyboardInterrupt
            prepare(
                records,
                folder,
                self.config.data,
                seed=self.config.loop.seed,
                report=self.listener.stage,
                cancelled=self.listener.stopped,
            )
        prepared = PreparedPhotos.open(folder)
        check_box(prepared.box(self.config.data.box_margin_metres))
        return prepared

    def _sampler(self, prepared: PreparedPhotos, photos: Sequence[TrainingPhoto]) -> CropSampler:
        data = self.config.data
        return CropSampler(
            prepared,
            photos,
            self.config.model.image_size,
            smallest_scale=data.smallest_scale,
            place_jitter_metres=data.place_jitter_metres,
            depth_jitter_metres=data.depth_jitter_metres,
            heading_jitter_degrees=data.heading_jitter_degrees,
            synonyms=data.synonyms,
            word_share=data.word_share,
            seed=self.config.loop.seed,
        )

    def _pipeline(self, prepared: PreparedPhotos, sampler: CropSampler) -> GPSDiffusionPipeline:
        config = self.config
        box = prepared.box(config.data.box_margin_metres)
        has_heading = any(photo.heading is not None for photo in prepared.photos)
        if self.start is not None:
            pipeline = load_pipeline(self.start)
            sampler.side = self._side(pipeline)
            return pipeline
        if self.base is None:
            pipeline = build_small(
                config.model,
                config.loss,
                box,
                self._tokenizer(prepared),
                has_heading=has_heading,
                metres=typical_metres(sampler),
                fronts=fronts_of(sampler.photos),
            )
            self._codec(pipeline.vae, prepared, sampler)
            self._place_map(pipeline, sampler)
            return pipeline
        pipeline = open_base(self.base, config.model, box, has_heading=has_heading)
        sampler.side = pipeline.unet.config.sample_size * pipeline.vae_scale
        self._adapt(pipeline)
        return pipeline

    def _adapt(self, pipeline: GPSDiffusionPipeline) -> None:
        """Let only adapters of a base's U-Net learn, if the recipe says so, and trade time for memory."""
        loop = self.config.loop
        if loop.lora_rank:
            pipeline.unet.requires_grad_(False)
            targets = ["to_q", "to_k", "to_v", "to_out.0"]
            pipeline.unet.add_adapter(LoraConfig(r=loop.lora_rank, lora_alpha=loop.lora_rank, target_modules=targets))
        if loop.gradient_checkpointing:
            pipeline.unet.enable_gradient_checkpointing()

    def _tokenizer(self, prepared: PreparedPhotos) -> CLIPTokenizer:
        """Learn the words, or read those that an earlier start learned."""
        folder, model = self.out / "tokenizer", self.config.model
        if not folder.exists():
            texts = self._texts(prepared)
            tokenizer = train_tokenizer(texts, vocabulary_size=model.vocabulary_size, max_tokens=model.max_tokens)
            temporary = folder.with_name("tokenizer.part")
            tokenizer.save_pretrained(temporary)
            temporary.rename(folder)
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    def _texts(self, prepared: PreparedPhotos) -> list[str]:
        views = [view for photo in prepared.photos for view in photo.views]
        return [text for view in views for text in (view.caption, *view.tags) if text]

    def _codec(self, codec: LappedAutoencoder, prepared: PreparedPhotos, sampler: CropSampler) -> None:
        """Train the codec, or read the one that an earlier start trained; a longer refiner is trained anew."""
        folder, loop = self.out / "codec", self.config.loop
        done = {"linear": 0, "refiner": 0}
        if (folder / CODEC_FILE).exists():
            done = json.loads((folder / CODEC_FILE).read_text(encoding="utf-8"))
            kept = LappedAutoencoder.from_pretrained(folder, local_files_only=True)
            codec.load_state_dict(kept.state_dict())
            codec.register_to_config(latent_deviations=kept.config.latent_deviations)

        if not done["linear"]:
            train_linear(codec, sampler, steps=loop.codec_steps, batch=32, report=self._stage_or_stop)
            done = {"linear": loop.codec_steps, "refiner": 0}
            self._save_codec(codec, done)
        if done["refiner"] < loop.refiner_steps:
            train_refiner(
                codec,
                sampler,
                steps=loop.refiner_steps,
                batch=16,
                noise=loop.refiner_noise,
                report=self._stage_or_stop,
            )
            self._save_codec(codec, {**done, "refiner": loop.refiner_steps})
        codec.eval()
        if not self.config.model.precondition:
            codec.register_to_config(latent_deviations=None)

    def _place_map(self, pipeline: GPSDiffusionPipeline, sampler: CropSampler) -> None:
        """Train the place map, or read the one that an earlier start trained."""
        encoder, file, loop = pipeline.location_encoder, self.out / MAP_FILE, self.config.loop
        if not encoder.config.map_channels:
            return
        if file.exists():
            kept = load_file(file)
            encoder.keep_cells([kept[f"cells_{level}"] for level in range(len(encoder.place_map.cell_metres))])
            encoder.place_map.load_state_dict(kept)
            return
        self.listener.stage(0, 1, "place map: looking where photos look")
        encoder.keep_cells(cells_looked_at(encoder.place_map, sampler, self.config.model.map_cells))
        train_place_map(
            encoder,
            pipeline.vae,
            sampler,
            self.config.loss,
            steps=loop.map_steps,
            batch=loop.map_batch,
            report=self._stage_or_stop,
        )
        temporary = file.with_suffix(".part")
        save_file(encoder.place_map.state_dict(), temporary)
        temporary.replace(file)

    def _stage_or_stop(self, step: int, steps: int, text: str) -> None:
        if self.listener.stopped():
            raise KeyboardInterrupt
        self.listener.stage(step, steps, text)

    def _save_codec(self, codec: LappedAutoencoder, done: dict[str, int]) -> None:
        folder = self.out / "codec"
        codec.save_pretrained(folder)
        (folder / CODEC_FILE).write_text(json.dumps(done), encoding="utf-8")

    def _source(self, pipeline: GPSDiffusionPipeline, prepared: PreparedPhotos, sampler: CropSampler) -> BatchSource:
        if isinstance(pipeline.vae, LappedAutoencoder):
            loop = self.config.loop
            if loop.hold_out_until is None:
                return FreshLatents(pipeline.vae, sampler, prepared)
            everything = self._sampler(prepared, prepared.photos)
            everything.side = sampler.side
            return FreshLatents(
                pipeline.vae,
                sampler,
                prepared,
                everything=everything,
                everything_from=loop.hold_out_until * loop.accumulate * PartialState().num_processes,
            )
        return CachedLatents.build(
            pipeline,
            prepared,
            sampler,
            self.out / "cache",
            crops_per_photo=self.config.data.cached_crops,
            report=self.listener.stage,
        )

    def _samples(self, prepared: PreparedPhotos) -> list[tuple[str, Place | None]]:
        """Fixed words and places for validation pictures: some with words, some without, one with words alone."""
        photos = sorted(prepared.photos, key=lambda photo: (photo.lat, photo.lon))
        chosen = [photos[index * (len(photos) - 1) // 4] for index in range(5)]
        samples: list[tuple[str, Place | None]] = []
        for photo in chosen:
            place = Place(*photo.place_at(0.5), photo.heading)
            words = photo.views[len(photo.views) // 2].caption if photo.views else ""
            samples += [("", place), (words, place)]
        return [*samples, (samples[1][0], None), ("", None)]

    def _sampling(self) -> dict[str, Any]:
        """How validation pictures are drawn: as single pictures are, whatever else the card has defaults for."""
        defaults = self.config.card.defaults
        return {
            "num_inference_steps": defaults.get("steps", 20),
            "text_guidance": defaults.get("text_guidance", 2.0),
            "place_guidance": defaults.get("place_guidance", 3.0),
            **sampling_settings(defaults),
        }

    def _write_model(self, loop: Loop, pipeline: GPSDiffusionPipeline, prepared: PreparedPhotos) -> None:
        self.listener.stage(0, 1, "writing the model")
        pipeline.to("cpu")
        if loop.average is not None:
            loop.average.shadow = {name: value.cpu() for name, value in loop.average.shadow.items()}
            loop.average.swap(loop.bare)
        if self.base is not None and self.config.loop.lora_rank:
            # Merged into the weights, so that the folder opens everywhere without peft.
            pipeline.unet.fuse_lora()
            pipeline.unet.unload_lora()
        pipeline.unet.eval()
        save_pipeline(pipeline, self.model_folder, self._card(loop, pipeline, prepared), shard_size="2GB")

    def _card(self, loop: Loop, pipeline: GPSDiffusionPipeline, prepared: PreparedPhotos) -> ModelCard:
        config, card = self.config, self.config.card
        held_out = prepared.part(validation=True)
        # The codec never saw them, even where the denoiser has learned them at the end.
        photos = prepared.part(validation=False)
        until = config.loop.hold_out_until
        released = until is not None and loop.step > until
        learned = prepared.photos if released else photos
        crops = list(fixed_crops(prepared, held_out or photos, self._side(pipeline)))[:64]
        pictures = pictures_from_pixels([crop.pixels for crop in crops])
        with torch.no_grad():
            encoded = pipeline.vae.encode(pictures.to(pipeline.vae.dtype))
            latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
            decoded = pipeline.vae.decode(latents).sample
        measured_on = "held-out photos" if held_out else "the training photos themselves"
        scores = {"autoencoder_psnr_db": {"value": round(psnr(decoded, pictures), 2), "on": measured_on}}
        choices: dict[str, Any] = {
            "data": asdict(config.data),
            "model": self._before.choices.get("model") if self._before else asdict(config.model),
            "loss": asdict(config.loss),
            "loop": asdict(config.loop),
            # Not where diffusers read it from.
            "location_encoder": {
                name: value for name, value in pipeline.location_encoder.config.items() if not name.startswith("_")
            },
            "null_text": pipeline.config.null_text,
            "vocabulary": vocabulary_of(learned, config.data.synonyms),
        }
        if not isinstance(pipeline.vae, LappedAutoencoder):
            scale = pipeline.vae.config.scaling_factor
            choices["preview_matrix"] = fit_preview(latents.float() * scale, pictures)
        seen = {photo.source_name for photo in learned}
        seen_before = set(self._before.training.get("sources", ())) if self._before else set()
        samples_before = int(self._before.training.get("samples_seen", 0)) if self._before else 0
        training = {
            "data": card.data,
            "source": card.data_source,
            "licence": card.data_licence,
            "photos": len(photos) + len(held_out) * released,
            "photos_held_out": 0 if released else len(held_out),
            "sources": sorted(seen | seen_before),
            "held_out_sources": sorted({photo.source_name for photo in held_out} - seen - seen_before),
            "photos_held_out_before_step": {"photos": len(held_out), "step": until} if released else None,
            "steps": loop.step,
            "samples_seen": loop.samples_seen + samples_before,
            "hours": round((loop.seconds_before + time.monotonic() - loop.started) / 3600, 2),
            "hardware": f"{loop.accelerator.device.type}, {platform.machine()}, {torch.get_num_threads()} threads",
            "finished": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "base": self.base.name if self.base else None,
            "started_from": self._before.name if self._before else None,
        }
        return ModelCard(
            name=card.name,
            title=card.title,
            description=card.description,
            box=pipeline.location_encoder.box,
            image_size=self._side(pipeline),
            city=card.city,
            has_heading=bool(pipeline.location_encoder.config.has_heading),
            defaults={"steps": 20, "text_guidance": 2.0, "place_guidance": 3.0, **card.defaults},
            examples=self._examples(prepared),
            words=card.words or common_words(prepared),
            coverage=coverage_of(prepared, photos + held_out * released, config.data.coverage_cell_metres),
            choices=json.loads(json.dumps(choices)),
            training=training,
            scores=scores,
            licence=card.licence,
        )

    @staticmethod
    def _side(pipeline: GPSDiffusionPipeline) -> int:
        return int(pipeline.unet.config.sample_size) * pipeline.vae_scale

    def _examples(self, prepared: PreparedPhotos) -> tuple[Example, ...]:
        given = self.config.card.examples
        if given:
            return tuple(Example(Place.from_dict(item["place"]), str(item["prompt"])) for item in given)
        places = [(words, place) for words, place in self._samples(prepared) if words and place is not None]
        return tuple(
            Example(replace(place, name=f"Example {n}"), words) for n, (words, place) in enumerate(places[:3], 1)
        )


def common_words(prepared: PreparedPhotos) -> tuple[str, ...]:
    """The tags that at least four views carry, most frequent first."""
    counts = Counter(tag for photo in prepared.photos for view in photo.views for tag in view.tags)
    return tuple(tag for tag, count in counts.most_common(MOST_WORDS) if count >= 4)


def merge(config: TrainConfig, changes: Sequence[tuple[str, Any]]) -> TrainConfig:
    """A recipe with some of its loop's settings replaced by those of the command line; None changes nothing."""
    wanted = {name: value for name, value in changes if value is not None}
    return TrainConfig.from_dict({**config.to_dict(), "loop": {**asdict(config.loop), **wanted}})
