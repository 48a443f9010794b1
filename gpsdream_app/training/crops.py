"""What unlearned features say of many random crops, computed once: judges then learn from these in minutes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.filters import SIDE
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.photos.prepared import Crop, PreparedPhotos, TrainingPhoto, across_of_centre, crop_photo
from gpsdream_app.training.looks import varied_looks

INDEX_FILE = "crops.json"
PHOTOS_PER_FILE = 8
MOST_CROPS = 20_000
ROWS_FOR_COMPONENTS = 1_024
VIEW_JITTER = 0.04  # of the photo's width
Raw = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class CropsConfig:
    """How the crops look that judges learn from.

    Attributes:
        crops_per_square: random crops for each square that fits side by side into a photo; fewer if all photos
            together would give more than 20,000.
        smallest_scale: crops are at least this fraction of the photo's shorter side.
        tone_jitter: deviation of random contrast (as a factor) and brightness (of [-1, 1]): a photo's exposure must
            not give its place away.
        softest: pictures are blurred as if they had been this fraction of 128 pixels: softness is no fault.
        grain: largest mean deviation of noise, of [-1, 1].
        seed: of everything random.
    """

    crops_per_square: int = 30
    smallest_scale: float = 0.7
    tone_jitter: float = 0.2
    softest: float = 0.4
    grain: float = 0.05
    seed: int = 0


@dataclass
class CropCache:
    """Features of crops, row by row.

    Attributes:
        photos: those that the crops were cut from.
        raw: (crops, width), float16.
        lat, lon, heading: (crops,), degrees, float64; heading NaN where not known.
        photo: (crops,), index into `photos`.
        view: (crops,), index of the photo's view whose words belong to the crop; -1 for none.
        plain: (crops,), whether the crop is whole and as it was photographed: for measuring, not for learning.
    """

    photos: list[TrainingPhoto]
    raw: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor
    heading: torch.Tensor
    photo: torch.Tensor
    view: torch.Tensor
    plain: torch.Tensor

    def rows(self, photos: Sequence[TrainingPhoto], *, plain: bool = False, with_words: bool = False) -> torch.Tensor:
        """Numbers of the crops of some photos; only those that have words if asked for."""
        names = {photo.name for photo in photos}
        chosen = torch.tensor([photo.name in names for photo in self.photos], dtype=torch.bool)
        wanted = chosen[self.photo] & (self.plain == plain)
        if with_words:
            wanted &= self.view >= 0
        return wanted.nonzero()[:, 0]

    def tags(self, row: int) -> tuple[str, ...]:
        """Tags of a crop."""
        view = int(self.view[row])
        return self.photos[int(self.photo[row])].views[view].tags if view >= 0 else ()

    def caption(self, row: int) -> str:
        """Caption of a crop."""
        view = int(self.view[row])
        return self.photos[int(self.photo[row])].views[view].caption if view >= 0 else ""

    def sources(self, rows: torch.Tensor) -> list[str]:
        """Names of the source photographs of some crops."""
        return [self.photos[int(index)].source_name for index in self.photo[rows]]


def _row(crop: Crop, photo: TrainingPhoto) -> int:
    return photo.views.index(crop.view) if crop.view is not None else -1


def _crops_of(
    prepared: PreparedPhotos, photo: TrainingPhoto, count: int, config: CropsConfig, number: int
) -> tuple[list[Crop], int]:
    """Plain crops of a photo and then random ones; and how many are plain."""
    side = min(photo.height, photo.width)

    squares = max(1, photo.width // side)
    centres = [view.centre for view in photo.views] or [(index + 0.5) / squares for index in range(squares)]
    crops = [crop_photo(prepared, photo, SIDE, across_of_centre(photo, centre, 1.0), 0.5, 1.0) for centre in centres]
    random = np.random.default_rng((config.seed, number))
    for _ in range(count):
        scale = random.uniform(config.smallest_scale, 1.0)
        across = random.random()
        if photo.views:
            # Near to where somebody looked and wrote down what is there.
            centre = centres[random.integers(len(centres))] + random.normal(0, VIEW_JITTER)
            across = across_of_centre(photo, centre, scale)
        crops.append(crop_photo(prepared, photo, SIDE, across, random.random(), scale))
    return crops, len(centres)


def build_cache(
    prepared: PreparedPhotos,
    folder: Path,
    raw: Raw,
    config: CropsConfig,
    *,
    device: str = "cpu",
    report: Callable[[int, int, str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> CropCache | None:
    """Compute the cache, go on with one that was interrupted, or open one that is done.

    Args:
        prepared: the photos, held-out ones too: they are measured on.
        folder: of the cache.
        raw: pictures (n, 3, 128, 128) in [-1, 1] to unlearned features (n, width).
        config: how the crops look.
        device: name of the device.
        report: told (photos done, photos, text).
        stopped: asked after every few photos.

    Returns:
        The cache, or None if it was stopped.

    Raises:
        GPSDreamError: if the folder holds crops of other photos or settings.
    """
    photos = prepared.photos
    about = json.dumps({**asdict(config), "photos": [photo.name for photo in photos]}, ensure_ascii=False)
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / INDEX_FILE
    if index.exists() and index.read_text(encoding="utf-8") != about:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{folder.name}” holds crops of other photos or settings.",
            "Give another output folder, or the settings that the run was started with.",
        )
    index.write_text(about, encoding="utf-8")
    squares = [max(1, round(max(photo.width, photo.height) / min(photo.width, photo.height))) for photo in photos]
    each = max(1, min(config.crops_per_square, MOST_CROPS // sum(squares)))
    tensors = []
    for start in range(0, len(photos), PHOTOS_PER_FILE):
        path = folder / f"{start:06d}.safetensors"
        if not path.exists():
            if stopped and stopped():
                return None
            part = _computed(
                prepared, range(start, min(start + PHOTOS_PER_FILE, len(photos))), squares, each, raw, config, device
            )
            temporary = path.with_suffix(".part")
            save_file(part, temporary)
            temporary.replace(path)
        tensors.append(load_file(path))
        if report:
            done = min(start + PHOTOS_PER_FILE, len(photos))
            report(done, len(photos), "photos looked at")
    joined = {name: torch.cat([part[name] for part in tensors]) for name in tensors[0]}
    return CropCache(photos, **joined)


@torch.no_grad()
def _computed(
    prepared: PreparedPhotos,
    numbers: range,
    squares: Sequence[int],
    each: int,
    raw: Raw,
    config: CropsConfig,
    device: str,
) -> dict[str, torch.Tensor]:
    columns: dict[str, list[torch.Tensor]] = {}
    for number in numbers:
        photo = prepared.photos[number]
        crops, plain = _crops_of(prepared, photo, each * squares[number], config, number)
        pictures = pictures_from_pixels([crop.pixels for crop in crops])
        varied = varied_looks(
            pictures[plain:],
            config.seed * 1_000_003 + number,
            tone_jitter=config.tone_jitter,
            softest=config.softest,
            grain=config.grain,
        )
        seen = torch.cat([pictures[:plain], varied])
        heading = float("nan") if photo.heading is None else photo.heading
        values = {
            "raw": torch.cat([raw(part.to(device)).half().cpu() for part in seen.split(64)]),
            "lat": torch.tensor([crop.lat for crop in crops], dtype=torch.float64),
            "lon": torch.tensor([crop.lon for crop in crops], dtype=torch.float64),
            "heading": torch.full((len(crops),), heading, dtype=torch.float64),
            "photo": torch.full((len(crops),), number),
            "view": torch.tensor([_row(crop, photo) for crop in crops]),
            "plain": torch.arange(len(crops)) < plain,
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return {name: torch.cat(parts).contiguous() for name, parts in columns.items()}


# -- fewer directions --


@dataclass(frozen=True)
class Reduction:
    """The directions in which features vary most, each brought nearer to the same spread.

    Attributes:
        mean: (width,).
        basis: (width, components).
    """

    mean: torch.Tensor
    basis: torch.Tensor

    @classmethod
    def fit(cls, raw: torch.Tensor, components: int, seed: int = 0) -> Reduction:
        """Principal components of features (rows, width).

        Values are divided by the square root of their spread along a direction: full whitening would make what is
        noise as loud as what is seen, none would leave fine things unheard.
        """
        if len(raw) > ROWS_FOR_COMPONENTS:
            chosen = torch.randperm(len(raw), generator=torch.Generator().manual_seed(seed))[:ROWS_FOR_COMPONENTS]
            raw = raw[chosen]
        values = raw.float()
        mean = values.mean(dim=0)
        centred = values - mean
        spread, rows = torch.linalg.eigh(centred @ centred.T)
        count = min(components, len(values) - 1, values.shape[1])
        spread, rows = spread[-count:].clamp(min=1e-8), rows[:, -count:]
        directions = centred.T @ rows / spread.sqrt()
        deviations = (spread / max(1, len(values) - 1)).sqrt()
        gain = deviations.max() ** -0.5 * deviations**-0.5
        return cls(mean, directions * gain)

    def apply(self, raw: torch.Tensor) -> torch.Tensor:
        """Features (rows, width) to (rows, components)."""
        return (raw.float() - self.mean) @ self.basis

    def undone(self, linear: nn.Linear) -> nn.Linear:
        """The map of whole features that is the same as a map of reduced ones."""
        whole = nn.Linear(self.basis.shape[0], linear.out_features)
        with torch.no_grad():
            weight = linear.weight.float().cpu() @ self.basis.T
            whole.weight.copy_(weight)
            whole.bias.copy_(linear.bias.float().cpu() - weight @ self.mean)
        return whole
