"""GPS-CLIP: pictures and places in one space, so that their cosine says how well they fit (A.1.4 of the paper)."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers.utils.logging
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional as F
from transformers import Dinov2Model

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.models.filters import FilterNetwork, resized
from gpsdream_app.models.location_encoder import heading_encoding, positional_encoding
from gpsdream_app.models.weights import copy_out_of_file, refuse_missing_weights

TEMPERATURE = 0.07
DINOV2_SIDE = 224
# Mean and deviation of ImageNet's colours, which DINOv2 expects to be taken off.
DINOV2_MEAN, DINOV2_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class LocationTower(nn.Module):
    """The paper's location side: one MLP for both coordinates, their outputs joined by a linear layer.

    The paper does not say whether coordinates are encoded before the MLP. Here they are, with `octaves` frequencies:
    an MLP of bare coordinates tells only parts of a city apart.
    """

    def __init__(self, octaves: int, hidden: int, layers: int, harmonics: int, outputs: int) -> None:
        super().__init__()
        self.octaves, self.harmonics = octaves, harmonics
        parts: list[nn.Module] = [nn.Linear(2 * octaves, hidden)]
        for _ in range(layers - 1):
            parts += [nn.GELU(), nn.Linear(hidden, hidden)]
        self.coordinate = nn.Sequential(*parts)
        if harmonics:
            self.heading = nn.Sequential(nn.Linear(2 * harmonics, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.output = nn.Linear(hidden * (3 if harmonics else 2), outputs)

    def forward(self, x: torch.Tensor, y: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
        """Encode x, y (batch,) in [-1, 1] and headings (batch,) in degrees, NaN where not known."""
        dtype = self.output.weight.dtype
        parts = [self.coordinate(positional_encoding(value, self.octaves).to(dtype)) for value in (x, y)]
        if self.harmonics:
            known = torch.isfinite(heading)[:, None]
            features = heading_encoding(torch.nan_to_num(heading), self.harmonics).to(dtype)
            parts.append(self.heading(features) * known)
        return self.output(torch.cat(parts, dim=1))


class DinoV2:
    """A frozen DINOv2 of a person's own: pictures to the normed class token."""

    def __init__(self, model: Dinov2Model, folder: Path) -> None:
        self.model = model.eval().requires_grad_(False)
        self.folder = folder
        self.width: int = model.config.hidden_size

    @classmethod
    def open(cls, folder: Path) -> DinoV2:
        """Open a folder as transformers writes it, from safetensors only.

        Raises:
            GPSDreamError: if it holds no DINOv2.
        """
        try:
            transformers.utils.logging.disable_progress_bar()
            model, loading = Dinov2Model.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            refuse_missing_weights(loading)
            if model.config.model_type != "dinov2":
                raise ValueError(f"model type {model.config.model_type}")
        except (OSError, ValueError, RuntimeError) as error:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"“{folder.name}” is not a DINOv2 folder with safetensors weights.",
                "Give the folder of a transformers DINOv2, with config.json and model.safetensors.",
                details=repr(error),
            ) from None
        return cls(model, folder)

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (batch, 3, h, w) in [-1, 1] to features (batch, width)."""
        device = pictures.device
        mean, deviation = (torch.tensor(v, device=device)[:, None, None] for v in (DINOV2_MEAN, DINOV2_DEVIATION))
        inputs = (resized(pictures, DINOV2_SIDE) / 2 + 0.5 - mean) / deviation
        with torch.no_grad():
            return self.model.to(device)(pixel_values=inputs).pooler_output


class GPSClip(ModelMixin, ConfigMixin):
    """An image tower and a location tower that meet in one space.

    Args:
        south, west, north, east: the box that coordinates are normalised by, degrees; places outside it are moved to
            its edge.
        dinov2_width: width of a DINOv2's features; None for filters and a linear map of our own.
        dinov2_folder: where that DINOv2 was; only a hint for opening.
        width: of the shared space.
        hidden_width: of the location tower.
        location_layers: linear layers of its MLP (the paper: 6).
        octaves: frequencies of the positional encoding, the same for both coordinates because they share an MLP.
        has_heading: whether headings count.
        heading_harmonics: multiples of the heading that are encoded.
        dropout: of what the image tower's learned part sees, in training.
        temperature: of the InfoNCE loss.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        south: float,
        west: float,
        north: float,
        east: float,
        dinov2_width: int | None = None,
        dinov2_folder: str = "",
        width: int = 128,
        hidden_width: int = 128,
        location_layers: int = 6,
        octaves: int = 8,
        has_heading: bool = False,
        heading_harmonics: int = 4,
        dropout: float = 0.0,
        temperature: float = TEMPERATURE,
    ) -> None:
        super().__init__()
        if dinov2_width is None:
            self.image_network = FilterNetwork(width, dropout)
        self.projection = nn.Linear(dinov2_width or width, width)
        harmonics = heading_harmonics if has_heading else 0
        self.location_tower = LocationTower(octaves, hidden_width, location_layers, harmonics, width)
        # No submodule: a DINOv2 belongs to the person and is not written into this model's file.
        self.dinov2: DinoV2 | None = None

    @property
    def box(self) -> Box:
        """The box that coordinates are normalised by."""
        return Box(self.config.south, self.config.west, self.config.north, self.config.east)

    def raw(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the part that is never trained says of pictures (batch, 3, h, w) in [-1, 1]: DINOv2, or the filters."""
        if self.config.dinov2_width is None:
            return self.image_network.bank(pictures)
        if self.dinov2 is None:
            raise ValueError("this GPS-CLIP needs its DINOv2: open it with open_gps_clip")
        return self.dinov2.features(pictures)

    def features_from_raw(self, raw: torch.Tensor) -> torch.Tensor:
        """Features of what `raw` said."""
        return self.image_network.from_raw(raw) if self.config.dinov2_width is None else raw

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features of pictures (batch, 3, h, w) in [-1, 1] before the projection, (batch, width).

        Precision, coverage and the Fréchet distance are measured on these.
        """
        return self.features_from_raw(self.raw(pictures))

    def embed_raw(self, raw: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of what `raw` said."""
        return F.normalize(self.projection(self.features_from_raw(raw)), dim=1)

    def embed_pictures(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of pictures (batch, 3, h, w) in [-1, 1]."""
        return self.embed_raw(self.raw(pictures))

    def embed_places(self, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor | None = None) -> torch.Tensor:
        """Unit vectors of places.

        Args:
            lat, lon: (batch,), degrees, float64.
            heading: (batch,), degrees; NaN where not known; None for none at all.

        Returns:
            (batch, width).
        """
        x, y = self.box.normalise(lat.double(), lon.double())
        if heading is None:
            heading = torch.full_like(lat, torch.nan)
        return F.normalize(self.location_tower(x.clamp(-1, 1), y.clamp(-1, 1), heading), dim=1)

    @torch.no_grad()
    def gps_score(
        self, pictures: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor | None = None
    ) -> torch.Tensor:
        """100 cos of each picture and its place, (batch,)."""
        return 100 * (self.embed_pictures(pictures) * self.embed_places(lat, lon, heading)).sum(dim=1)

    @torch.no_grad()
    def log_density(
        self, pictures: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor, heading: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Log density of each picture over places, up to a constant: the cosine over the temperature.

        Args:
            pictures: (batch, 3, h, w), in [-1, 1].
            lat, lon: (places,), degrees, float64.
            heading: (places,), degrees; NaN where not known.

        Returns:
            (batch, places).
        """
        return self.embed_pictures(pictures) @ self.embed_places(lat, lon, heading).T / self.config.temperature


def info_nce(pictures: torch.Tensor, others: torch.Tensor, temperature: float | torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE loss of unit vectors, both (batch, width), that belong together row by row."""
    logits = pictures @ others.T / temperature
    truth = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


def open_gps_clip(folder: Path, dinov2: Path | None = None) -> GPSClip:
    """Open a GPS-CLIP folder, from safetensors only and without a network.

    Args:
        folder: as `save_pretrained` wrote it.
        dinov2: folder of the DINOv2 that it was trained on, if that has moved.

    Raises:
        GPSDreamError: if the folder is no GPS-CLIP, or its DINOv2 is missing or another one.
    """
    try:
        model, loading = GPSClip.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
        )
        refuse_missing_weights(loading)
    except Exception as error:  # diffusers and safetensors raise a wide variety
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT if folder.is_dir() else ErrorKind.MODEL_MISSING,
            f"“{folder.name}” is not a GPS-CLIP, or it is damaged.",
            "Train one on the photos, or give another folder.",
            details=repr(error),
        ) from None
    copy_out_of_file(model)
    if model.config.dinov2_width is not None:
        path = dinov2 or Path(model.config.dinov2_folder)
        if not path.is_dir():
            raise GPSDreamError(
                ErrorKind.MODEL_MISSING,
                f"The GPS-CLIP “{folder.name}” was trained on a DINOv2 that is no longer in “{path.name}”.",
                "Give the folder of that DINOv2.",
            )
        model.dinov2 = DinoV2.open(path)
        if model.dinov2.width != model.config.dinov2_width:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"The DINOv2 in “{path.name}” has another size than the one that “{folder.name}” was trained on.",
                "Give the folder of that DINOv2.",
            )
    return model.eval()
