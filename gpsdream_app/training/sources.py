"""Where batches of latents come from: made on the fly for small models, cached for large base models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.photos.prepared import Crop, PreparedPhotos, fixed_crops
from gpsdream_app.training.batches import CropSampler, compose_prompt
from gpsdream_app.training.loop import LatentBatch


def _columns(crops: Sequence[Crop], names: Sequence[str] = ("lat", "lon", "heading")) -> list[torch.Tensor]:
    def column(name: str) -> torch.Tensor:
        values = [getattr(crop, name) for crop in crops]
        return torch.tensor([float("nan") if value is None else value for value in values], dtype=torch.float64)

    return [column(name) for name in names]


class FreshLatents:
    """New random crops in every step, encoded by a codec that costs next to nothing."""

    def __init__(
        self,
        codec: LappedAutoencoder,
        sampler: CropSampler,
        prepared: PreparedPhotos,
        *,
        everything: CropSampler | None = None,
        everything_from: int = 0,
    ) -> None:
        """Make a source.

        Args:
            codec: on its device.
            sampler: of the training photos.
            prepared: the photos.
            everything: sampler of all photos, held-out ones too.
            everything_from: number of the first batch that it draws.
        """
        self.codec = codec
        self.sampler = sampler
        self.everything = everything
        self.everything_from = everything_from
        self.validation = list(fixed_crops(prepared, prepared.part(validation=True), sampler.side))

    @torch.no_grad()
    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        device = self.codec.device
        return self.codec.encode(pictures.to(device)).latents.float() * self.codec.config.scaling_factor

    def latent_batch(self, number: int, count: int) -> LatentBatch:
        """Batch `number`, always the same."""
        sampler = self.sampler
        if self.everything is not None and number >= self.everything_from:
            sampler = self.everything
        batch = sampler.batch(number, count)
        return LatentBatch(
            self._encode(batch.pictures), batch.lat, batch.lon, batch.heading, batch.prompts, metres=batch.metres
        )

    def validation_batches(self, count: int) -> list[LatentBatch]:
        """Held-out crops with their captions."""
        batches = []
        for start in range(0, len(self.validation), count):
            crops = self.validation[start : start + count]
            latents = self._encode(pictures_from_pixels([crop.pixels for crop in crops]))
            prompts = [crop.view.caption if crop.view else "" for crop in crops]
            metres = _columns(crops, ["metres"])[0]
            batches.append(LatentBatch(latents, *_columns(crops), prompts, metres=metres))
        return batches


class CachedLatents:
    """A fixed set of crops whose latents and text tokens were computed once, for models whose encoders are slow.

    The autoencoder's mean and deviation are kept, so a fresh latent is drawn in every step.
    """

    def __init__(self, folder: Path, sampler: CropSampler, prompts: list[str], validation: int) -> None:
        self.sampler = sampler
        self.prompts = prompts
        self.tensors = load_file(folder / "latents.safetensors")
        self.count = len(self.tensors["mean"]) - validation

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        pipeline: GPSDiffusionPipeline,
        prepared: PreparedPhotos,
        sampler: CropSampler,
        folder: Path,
        *,
        crops_per_photo: int,
        report: Callable[[int, int, str], None] | None = None,
    ) -> CachedLatents:
        """Compute and store the cache, or open the one that is there.

        Args:
            pipeline: whose autoencoder and text encoder are used, on its device.
            prepared: the photos.
            sampler: that draws the crops.
            folder: of the cache.
            crops_per_photo: how many crops to keep of every training photo.
            report: told (crops done, crops, text).
        """
        crops: list[Crop] = []
        random = np.random.default_rng((sampler.seed, 1))
        wanted = crops_per_photo * len(sampler.photos)
        number = 0
        while len(crops) < wanted:
            drawn, _ = sampler.crops(number, min(64, wanted - len(crops)))
            crops += drawn
            number += 1
        held_out = list(fixed_crops(prepared, prepared.part(validation=True), sampler.side))
        prompts = [compose_prompt(crop.view, random) for crop in crops]
        prompts += [crop.view.caption if crop.view else "" for crop in held_out]
        everything = crops + held_out
        if not (folder / "latents.safetensors").exists():
            means, deviations, texts = [], [], []
            for start in range(0, len(everything), 4):
                part = everything[start : start + 4]
                pictures = pictures_from_pixels([crop.pixels for crop in part])
                encoded = pipeline.vae.encode(pictures.to(pipeline.vae.device, pipeline.vae.dtype))
                if hasattr(encoded, "latent_dist"):
                    means.append(encoded.latent_dist.mean.half().cpu())
                    deviations.append(encoded.latent_dist.std.half().cpu())
                else:
                    means.append(encoded.latents.half().cpu())
                    deviations.append(torch.zeros_like(means[-1]))
                texts.append(pipeline.encode_text(prompts[start : start + 4]).half().cpu())
                if report:
                    report(min(start + 4, len(everything)), len(everything), "latents and text tokens cached")
            folder.mkdir(parents=True, exist_ok=True)
            lat, lon, heading = _columns(everything)
            tensors = {"mean": torch.cat(means), "deviation": torch.cat(deviations), "text": torch.cat(texts)}
            temporary = folder / "latents.safetensors.part"
            tensors = {name: value.contiguous() for name, value in tensors.items()}
            save_file({**tensors, "lat": lat, "lon": lon, "heading": heading}, temporary)
            temporary.replace(folder / "latents.safetensors")
        source = cls(folder, sampler, prompts, len(held_out))
        source.scale = pipeline.vae.config.scaling_factor
        return source

    scale = 1.0

    def _batch(self, chosen: np.ndarray, noise: torch.Tensor | None) -> LatentBatch:
        index = torch.from_numpy(chosen)
        picked = {name: values[index] for name, values in self.tensors.items()}
        latents = picked["mean"].float()
        if noise is not None:
            latents = latents + picked["deviation"].float() * noise
        prompts = [self.prompts[position] for position in chosen]
        places = (picked["lat"], picked["lon"], picked["heading"])
        return LatentBatch(latents * self.scale, *places, prompts, picked["text"].float())

    def latent_batch(self, number: int, count: int) -> LatentBatch:
        """Batch `number`, always the same."""
        random = np.random.default_rng((self.sampler.seed, 2, number))
        chosen = random.integers(0, self.count, count)
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        shape = (count, *self.tensors["mean"].shape[1:])
        return self._batch(chosen, torch.randn(shape, generator=generator))

    def validation_batches(self, count: int) -> list[LatentBatch]:
        """Held-out crops with their captions."""
        total = len(self.tensors["mean"])
        starts = range(self.count, total, count)
        return [self._batch(np.arange(start, min(start + count, total)), None) for start in starts]
