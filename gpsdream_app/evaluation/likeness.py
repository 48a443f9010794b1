"""How alike pictures look: cosine distances in the space of an image encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from gpsdream_app.domain.averages import Likeness
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.evaluation.scores import GPS_FOLDER
from gpsdream_app.evaluation.statistics import Floats
from gpsdream_app.evaluation.typicality import picture_latents
from gpsdream_app.library.judges import judges_folder
from gpsdream_app.models.filters import resized
from gpsdream_app.models.gps_clip import open_gps_clip
from gpsdream_app.models.pictures import pictures_from_pixels
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.photos.reader import open_picture

POOLED_CELLS = 4  # of latents, along a side: what is where counts, but not to the pixel


@dataclass(frozen=True)
class ImageEncoder:
    """Turns pictures into features.

    Attributes:
        name: in words for a person.
        features: pictures (n, 3, side, side) in [-1, 1] to (n, width).
    """

    name: str
    features: Callable[[torch.Tensor], torch.Tensor]


def image_encoder(pipeline: GPSDiffusionPipeline, card: ModelCard) -> ImageEncoder:
    """The image encoder of the model's judges; the model's own codec, pooled, where it came without them.

    Raises:
        GPSDreamError: if the judges are damaged.
    """
    device = pipeline.unet.device
    folder = judges_folder(card.name)
    if folder is not None and (folder / GPS_FOLDER).is_dir():
        judge = open_gps_clip(folder / GPS_FOLDER).to(device)

        def judged(pictures: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                found: torch.Tensor = judge.features(pictures.to(device))
            return found.float().cpu()

        return ImageEncoder(f"image encoder of the judges {folder.name}", judged)

    def latent(pictures: torch.Tensor) -> torch.Tensor:
        latents = picture_latents(pipeline, resized(pictures, card.image_size))
        return F.adaptive_avg_pool2d(latents, POOLED_CELLS).flatten(1).cpu()

    return ImageEncoder(f"latents of the model {card.title}, pooled", latent)


def read_picture(path: Path, side: int) -> torch.Tensor:
    """The middle square of a picture file, (1, 3, side, side), in [-1, 1].

    Raises:
        GPSDreamError: of kind `bad_photo` if it cannot be read.
    """
    try:
        with open_picture(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO,
            f"The picture “{path.name}” cannot be read.",
            "Draw it again.",
            details=repr(error),
        ) from None
    return resized(pictures_from_pixels([pixels]), side)


def cosine_distances(features: torch.Tensor) -> Floats:
    """Cosine distances of features (n, width): (n, n), 0 on the diagonal, symmetric, 0 (alike) to 2."""
    unit = F.normalize(features.double(), dim=1)
    distances: Floats = (1 - unit @ unit.T).clamp(0, 2).numpy()
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0.0)
    return distances


def likeness_of(
    encoder: ImageEncoder, pictures: Sequence[Path], side: int, check: Callable[[], None] | None = None
) -> Likeness:
    """Compare picture files.

    Args:
        encoder: whose features are compared.
        pictures: files.
        side: pixels that each is brought to before.
        check: called before each picture; may raise to stop.

    Raises:
        GPSDreamError: if a picture cannot be read.
    """
    found = []
    for path in pictures:
        if check is not None:
            check()
        found.append(encoder.features(read_picture(path, side)))
    distances = cosine_distances(torch.cat(found))
    return Likeness(tuple(tuple(row) for row in distances.tolist()), encoder.name)
