"""Training GPS-CLIP on prepared photos: crops whose place moves with them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import METRES_PER_DEGREE
from gpsdream_app.evaluation.area import Grid, areas_until_found
from gpsdream_app.evaluation.statistics import bootstrap, median
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.models.gps_clip import DinoV2, GPSClip, info_nce, open_gps_clip
from gpsdream_app.models.location_encoder import frequencies_for_box
from gpsdream_app.photos.prepared import PreparedPhotos, TrainingPhoto
from gpsdream_app.training.contrastive import (
    ContrastiveConfig,
    Measurement,
    Report,
    Stopped,
    begin_run,
    learn,
    write_facts,
)
from gpsdream_app.training.crops import CropCache, CropsConfig, Reduction, build_cache

FACTS_FILE = "gps-clip.json"
CELL_METRES = 50.0
REACH_METRES = 75.0
MOST_MEASURED = 1_000


@dataclass(frozen=True)
class GPSClipConfig(ContrastiveConfig):
    """Settings of GPS-CLIP.

    Attributes:
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

    width: int = 128
    hidden_width: int = 128
    location_layers: int = 6
    target_metres: float = 400.0
    with_heading: bool = True
    drop_heading: float = 0.5
    place_jitter_metres: float = 10.0
    heading_jitter_degrees: float = 5.0
    box_margin_metres: float = 150.0
    everything: bool = False


def build_gps_clip(prepared: PreparedPhotos, config: GPSClipConfig, dinov2: DinoV2 | None) -> GPSClip:
    """An untrained GPS-CLIP for the box of some photos; the seed decides its weights."""
    box = prepared.box(config.box_margin_metres)
    torch.manual_seed(config.seed)
    model = GPSClip(
        **box.to_dict(),
        dinov2_width=dinov2.width if dinov2 else None,
        dinov2_folder=str(dinov2.folder.resolve()) if dinov2 else "",
        width=config.width,
        hidden_width=config.hidden_width,
        location_layers=config.location_layers,
        # One MLP for both coordinates takes one number of frequencies: that of the longer side.
        octaves=max(frequencies_for_box(box, config.target_metres)),
        has_heading=config.with_heading and any(photo.heading is not None for photo in prepared.photos),
        dropout=config.dropout,
    )
    model.dinov2 = dinov2
    return model


class _Lesson:
    """A GPS-CLIP that learns from reduced features of some photos' crops."""

    def __init__(
        self, model: GPSClip, cache: CropCache, photos: Sequence[TrainingPhoto], config: GPSClipConfig, device: str
    ) -> None:
        self.model, self.cache, self.config, self.device = model, cache, config, device
        self.rows = cache.rows(photos)
        self.reduction = Reduction.fit(cache.raw[self.rows], config.components, config.seed)
        self.reduced = self.reduction.apply(cache.raw).to(device)
        torch.manual_seed(config.seed)
        linear = nn.Linear(self.reduced.shape[1], config.width)
        if model.config.dinov2_width is None:
            model.image_network.linear = linear
        else:
            model.projection = linear
        model.to(device)

    def loss(self, step: int) -> torch.Tensor:
        """InfoNCE of one step."""
        config, cache = self.config, self.cache
        random = np.random.default_rng((config.seed, step))
        rows = self.rows[torch.from_numpy(random.integers(len(self.rows), size=config.batch))]
        lat, lon, heading = cache.lat[rows], cache.lon[rows], cache.heading[rows].clone()
        north, east = torch.from_numpy(random.normal(0, config.place_jitter_metres, (2, config.batch)))
        heading += torch.from_numpy(random.normal(0, config.heading_jitter_degrees, config.batch))
        heading[torch.from_numpy(random.random(config.batch) < config.drop_heading)] = torch.nan
        lat = lat + north / METRES_PER_DEGREE
        lon = lon + east / METRES_PER_DEGREE / torch.cos(torch.deg2rad(lat))
        places = self.model.embed_places(*(values.to(self.device) for values in (lat, lon, heading)))
        pictures = self.model.embed_raw(self.reduced[rows])
        return info_nce(pictures, places, self.model.config.temperature)

    def finished(self) -> GPSClip:
        """The model with a map of whole features, to be saved."""
        model = copy.deepcopy(self.model).cpu()
        if model.config.dinov2_width is None:
            model.image_network.linear = self.reduction.undone(model.image_network.linear)
        else:
            model.projection = self.reduction.undone(model.projection)
        return model


def _along_photos(photos: Sequence[TrainingPhoto], grid: Grid) -> np.ndarray:
    """Cells within reach of any photo: where pictures of these streets are looked for."""
    places = np.array([photo.place_at(across) for photo in photos for across in (0.1, 0.3, 0.5, 0.7, 0.9)])
    frame = LocalFrame(*grid.box.centre)
    east, north = frame.to_metres(*grid.centres)
    x, y = frame.to_metres(places[:, 0], places[:, 1])
    near = np.zeros(len(grid), dtype=bool)
    for a, b in zip(x, y, strict=True):
        near |= np.hypot(east - a, north - b) <= max(REACH_METRES, CELL_METRES)
    return np.asarray(near.nonzero()[0])


@torch.no_grad()
def _areas(
    model: GPSClip, raw: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor, photos: Sequence[TrainingPhoto]
) -> tuple[np.ndarray, float]:
    """Areas that are searched before the true places are found, km2; and the whole area that is searched."""
    grid = Grid.of(model.box, CELL_METRES)
    cells = _along_photos(photos, grid)
    lats, lons = (torch.from_numpy(values[cells]) for values in grid.centres)
    logits = (model.embed_raw(raw) @ model.embed_places(lats, lons).T / model.config.temperature).double().cpu()
    mass = np.zeros((len(raw), len(grid)))
    mass[:, cells] = (logits + torch.from_numpy(np.log(grid.areas[cells]))).softmax(dim=1).numpy()
    return areas_until_found(mass, grid, lat.numpy(), lon.numpy()), float(grid.areas[cells].sum())


@torch.no_grad()
def held_out_scores(
    model: GPSClip, cache: CropCache, *, plain: bool = True, held_out: Sequence[TrainingPhoto] | None = None
) -> dict[str, Any]:
    """What a trained model makes of held-out photos, with 95 % intervals by source photograph.

    Empty if no photo is held out.

    Args:
        model: as it is opened.
        cache: crops of all photos.
        plain: measure whole crops as they were photographed; else random ones with random looks.
        held_out: photos to measure; by default those that the split holds out.
    """
    photos = [photo for photo in cache.photos if photo.validation] if held_out is None else held_out
    rows = cache.rows(photos, plain=plain)
    if not len(rows):
        return {}
    rows = rows[:: -(-len(rows) // MOST_MEASURED)]
    raw, lat, lon, heading = cache.raw[rows].float(), cache.lat[rows], cache.lon[rows], cache.heading[rows]
    areas, searched = _areas(model, raw, lat, lon, cache.photos)
    pictures = model.embed_raw(raw)
    sources = cache.sources(rows)

    def score(heading: torch.Tensor | None) -> np.ndarray:
        cosines = 100 * (pictures * model.embed_places(lat, lon, heading)).sum(dim=1)
        return cosines.double().numpy()

    result = {
        "cell_metres": CELL_METRES,
        "searched_km2": round(searched, 4),
        "gps_score": asdict(bootstrap(score(None), groups=sources)),
        "median_area_km2": asdict(bootstrap(areas, median, groups=sources)),
    }
    if model.config.has_heading and bool(torch.isfinite(heading).all()):
        right, wrong = score(heading), score((heading + 180) % 360)
        result["gps_score_with_heading"] = asdict(bootstrap(right, groups=sources))
        result["side_of_the_street"] = asdict(bootstrap((right > wrong).astype(float), groups=sources))
    return result


def train_gps_clip(
    prepared: PreparedPhotos,
    out: Path,
    config: GPSClipConfig,
    *,
    dinov2: Path | None = None,
    crops: CropsConfig | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    report: Report | None = None,
    stopped: Stopped | None = None,
) -> Path | None:
    """Train a GPS-CLIP, or go on with one that was interrupted.

    Args:
        prepared: the photos; held-out ones are only measured, unless the settings say otherwise.
        out: folder of the run.
        config: settings.
        dinov2: folder of a DINOv2; None for filters of our own.
        crops: how the crops look.
        cache: folder of the crops' features, which judges with the same eyes can share; `out`/crops by default.
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
    crops = crops or CropsConfig()
    tower = DinoV2.open(dinov2) if dinov2 else None
    recipe = begin_run(out, config, crops, photos, dinov2=dinov2.name if dinov2 else None)
    eyes = build_gps_clip(prepared, config, tower).to(device).eval()
    found = build_cache(
        prepared, cache or out / "crops", eyes.raw, crops, device=device, report=report, stopped=stopped
    )
    if found is None:
        return None

    def lesson(some: Sequence[TrainingPhoto]) -> _Lesson:
        return _Lesson(build_gps_clip(prepared, config, tower), found, some, config, device)

    def judge(made: _Lesson, left_out: list[TrainingPhoto]) -> Measurement:
        rows = found.rows(left_out, plain=True)
        areas, _ = _areas(made.model, made.reduced[rows], found.lat[rows], found.lon[rows], found.photos)
        # The geometric mean tells more than the median of few photos.
        return Measurement(float(np.log(areas).mean()))

    learned = learn(photos, out, config, lesson=lesson, judge=judge, text="GPS-CLIP", report=report, stopped=stopped)
    if learned is None:
        return None
    last, best = learned
    folder = out / "gps-clip"
    last.finished().half().save_pretrained(folder, safe_serialization=True)
    write_facts(
        folder / FACTS_FILE,
        recipe,
        best,
        measure_held_out=None
        if config.everything
        else lambda plain: held_out_scores(open_gps_clip(folder, dinov2), found, plain=plain),
        nothing={},
        cross_validation={"mean log area": best.curve} if best.curve else {},
    )
    return folder
