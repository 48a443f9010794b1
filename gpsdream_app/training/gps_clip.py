"""Training GPS-CLIP on prepared photos: crops whose place moves with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.evaluation.area import Grid, areas_until_found, mass_of_density
from gpsdream_app.evaluation.statistics import bootstrap, median
from gpsdream_app.models.gps_clip import DinoV2, GPSClip, info_nce
from gpsdream_app.models.location_encoder import frequencies_for_box
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.photos.prepared import PreparedPhotos, fixed_crops
from gpsdream_app.training.batches import CropSampler
from gpsdream_app.training.contrastive import ContrastiveConfig, keep_recipe, train_towers, varied_tones

FACTS_FILE = "gps-clip.json"
CELL_METRES = 50.0


@dataclass(frozen=True)
class GPSClipConfig(ContrastiveConfig):
    """Settings of GPS-CLIP.

    Attributes:
        image_channels: of the small network; not used with a DINOv2.
        width: of the shared space; the paper takes that of DINOv2.
        hidden_width: of the location tower.
        location_layers: of its MLP.
        target_metres: finest period of the positional encoding.
        with_heading: whether headings count, where photos have them.
        drop_heading: share of samples whose heading is dropped, so that places can be scored without one too.
        place_jitter_metres: noise on places, standard deviation.
        heading_jitter_degrees: noise on headings, standard deviation.
        box_margin_metres: added around the photos' places.
        everything: learn the held-out photos too; nothing can then be said about them.
    """

    image_channels: tuple[int, ...] = (32, 64, 128, 192)
    width: int = 256
    hidden_width: int = 256
    location_layers: int = 6
    target_metres: float = 80.0
    with_heading: bool = True
    drop_heading: float = 0.5
    place_jitter_metres: float = 3.0
    heading_jitter_degrees: float = 5.0
    box_margin_metres: float = 150.0
    everything: bool = False


def build_gps_clip(prepared: PreparedPhotos, config: GPSClipConfig, dinov2: DinoV2 | None) -> GPSClip:
    """An untrained GPS-CLIP for the box of some photos; the seed decides its weights."""
    box = prepared.box(config.box_margin_metres)
    torch.manual_seed(config.seed)
    model = GPSClip(
        **box.to_dict(),
        image_size=config.image_size,
        image_channels=config.image_channels,
        dinov2_width=dinov2.width if dinov2 else None,
        dinov2_folder=str(dinov2.folder.resolve()) if dinov2 else "",
        width=config.width,
        hidden_width=config.hidden_width,
        location_layers=config.location_layers,
        # One MLP for both coordinates takes one number of frequencies: that of the longer side.
        octaves=max(frequencies_for_box(box, config.target_metres)),
        has_heading=config.with_heading and any(photo.heading is not None for photo in prepared.photos),
    )
    model.dinov2 = dinov2
    return model


def gps_clip_loss(
    model: GPSClip, sampler: CropSampler, config: GPSClipConfig, device: torch.device
) -> Callable[[int], torch.Tensor]:
    """The loss of a step, a function of its number alone."""

    def loss(step: int) -> torch.Tensor:
        batch = sampler.batch(step, config.batch)
        seed = config.seed * 1_000_003 + step
        pictures = varied_tones(batch.pictures.to(device), config.tone_jitter, seed)
        dropped = torch.rand(config.batch, generator=torch.Generator().manual_seed(seed)) < config.drop_heading
        heading = batch.heading.masked_fill(dropped, torch.nan)
        places = model.embed_places(batch.lat.to(device), batch.lon.to(device), heading.to(device))
        return info_nce(model.embed_pictures(pictures), places, model.config.temperature)

    return loss


@torch.no_grad()
def held_out_scores(model: GPSClip, prepared: PreparedPhotos, config: GPSClipConfig) -> dict[str, Any]:
    """What a trained model makes of the held-out photos: GPS score and area, with 95 % intervals by source.

    Empty if no photo is held out.
    """
    grid = Grid.of(model.box, CELL_METRES)
    device = model.device
    centres = [torch.from_numpy(values).to(device) for values in grid.centres]
    scores: list[np.ndarray] = []
    areas: list[np.ndarray] = []
    sources: list[str] = []
    for photo in prepared.part(validation=True):
        crops = list(fixed_crops(prepared, [photo], config.image_size))
        pictures = pictures_from_pixels([crop.pixels for crop in crops]).to(device)
        lat, lon = np.array([crop.lat for crop in crops]), np.array([crop.lon for crop in crops])
        density = model.log_density(pictures, *centres).double().cpu().numpy()
        areas.append(areas_until_found(mass_of_density(density, grid), grid, lat, lon))
        places = (torch.from_numpy(values).to(device) for values in (lat, lon))
        scores.append(model.gps_score(pictures, *places).double().cpu().numpy())
        sources += [photo.source or photo.name] * len(crops)
    if not sources:
        return {}
    return {
        "cell_metres": CELL_METRES,
        "box_km2": round(float(grid.areas.sum()), 4),
        "gps_score": asdict(bootstrap(np.concatenate(scores), groups=sources)),
        "median_area_km2": asdict(bootstrap(np.concatenate(areas), median, groups=sources)),
    }


def train_gps_clip(
    prepared: PreparedPhotos,
    out: Path,
    config: GPSClipConfig,
    *,
    dinov2: Path | None = None,
    device: str = "cpu",
    report: Callable[[int, int, str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Path | None:
    """Train a GPS-CLIP, or go on with one that was interrupted.

    Args:
        prepared: the photos; held-out ones are only measured, unless the settings say otherwise.
        out: folder of the run.
        config: settings.
        dinov2: folder of a DINOv2; None for a small network of our own.
        device: name of the device.
        report: told (step, steps, text).
        stopped: asked after every step; True saves and ends.

    Returns:
        The folder of the model, with a file that says what it was trained on; None if it was stopped before its end.

    Raises:
        GPSDreamError: if there is nothing to learn from, or `out` holds another run.
    """
    photos = prepared.photos if config.everything else prepared.part(validation=False)
    if not photos:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, "There are no photos to train a GPS-CLIP on.", "Hold out fewer of them."
        )
    tower = DinoV2.open(dinov2) if dinov2 else None
    sources = sorted({photo.source or photo.name for photo in photos})
    recipe = {**asdict(config), "dinov2": dinov2.name if dinov2 else None, "sources": sources}
    keep_recipe(out, recipe)
    model = build_gps_clip(prepared, config, tower).to(device)
    sampler = CropSampler(
        prepared,
        photos,
        config.image_size,
        smallest_scale=config.smallest_scale,
        place_jitter_metres=config.place_jitter_metres,
        heading_jitter_degrees=config.heading_jitter_degrees,
        seed=config.seed,
    )
    loss = gps_clip_loss(model, sampler, config, torch.device(device))
    if not train_towers(model, loss, out, config, text="GPS-CLIP", report=report, stopped=stopped):
        return None
    folder = out / "gps-clip"
    model.save_pretrained(folder, safe_serialization=True)
    facts = {
        "trained_on": sources,
        "samples": config.steps * config.batch,
        "held_out": {} if config.everything else held_out_scores(model, prepared, config),
        "settings": json.loads(json.dumps(recipe)),
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    return folder
