"""CLIP: how well a picture fits words. A person's own folder in transformers' format, or a small one of ours."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers.utils.logging
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from safetensors import SafetensorError
from torch import nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.filters import SIDE, FilterNetwork, resized
from gpsdream_app.models.weights import copy_out_of_file, refuse_missing_weights

PROCESSOR_FILE = "preprocessor_config.json"
VOCABULARY_FILES = ("tokenizer.json", "vocab.json")
# Mean and deviation of the colours that OpenAI's CLIP was trained on.
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class SmallClip(ModelMixin, ConfigMixin):
    """Two towers for a few hundred captions: filters and a linear map, and the mean of the words' vectors.

    What a few hundred captions can teach is which words go with which sights; an order of words they cannot.

    Args:
        vocabulary: number of tokens.
        special_tokens: their numbers; they say nothing.
        width: of the shared space.
        token_width: of the words' vectors.
        max_tokens: longer prompts are cut.
        dropout: of what the learned parts see, in training.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        vocabulary: int,
        special_tokens: tuple[int, ...] = (),
        width: int = 128,
        token_width: int = 128,
        max_tokens: int = 40,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.image_network = FilterNetwork(width, dropout)
        self.image_projection = nn.Linear(width, width)
        self.words = nn.Embedding(vocabulary, token_width)
        # Small, so that what a word says is what was learned of it: one that was hardly ever seen says nothing.
        nn.init.normal_(self.words.weight, std=0.02)
        self.text_network = nn.Sequential(nn.Linear(token_width, width), nn.GELU(), nn.Linear(width, width))
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))  # ln(1 / 0.07), as CLIP starts

    def embed_raw(self, raw: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of what the filters say, (batch, their width)."""
        return F.normalize(self.image_projection(self.image_network.from_raw(raw)), dim=1)

    def embed_pictures(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of pictures (batch, 3, h, w) in [-1, 1]."""
        return self.embed_raw(self.image_network.bank(pictures))

    def embed_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of tokens (batch, length)."""
        special = torch.tensor(self.config.special_tokens, device=tokens.device)
        counted = (~torch.isin(tokens, special)).to(self.words.weight.dtype)[..., None]
        mean = (self.words(tokens) * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
        return F.normalize(self.text_network(mean), dim=1)


class TextClip:
    """A CLIP, its tokenizer, and the colours that it expects.

    Attributes:
        model: the two towers: a transformers CLIPModel, or a small one of ours.
        tokenizer: of the text tower.
        mean, deviation: of colours in [0, 1], red, green and blue.
    """

    def __init__(
        self,
        model: CLIPModel | SmallClip,
        tokenizer: CLIPTokenizer,
        mean: tuple[float, ...] = CLIP_MEAN,
        deviation: tuple[float, ...] = CLIP_DEVIATION,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.mean, self.deviation = tuple(mean), tuple(deviation)

    @property
    def image_size(self) -> int:
        """Side of the square that the image tower sees, pixels."""
        return SIDE if isinstance(self.model, SmallClip) else self.model.config.vision_config.image_size

    @property
    def max_tokens(self) -> int:
        """Longest prompt, in tokens, with its start and end."""
        if isinstance(self.model, SmallClip):
            return self.model.config.max_tokens
        return self.model.config.text_config.max_position_embeddings

    @classmethod
    def open(cls, folder: Path) -> TextClip:
        """Open a folder as transformers writes CLIP, or as `save` does, from safetensors only and without a network.

        Raises:
            GPSDreamError: if the folder holds no CLIP, or is damaged.
        """
        transformers.utils.logging.disable_progress_bar()
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            model = cls._open_small(folder) if settings.get("_class_name") == SmallClip.__name__ else None
            if model is None:
                if settings["model_type"] != "clip":
                    raise ValueError("another model type")
                model, loading = CLIPModel.from_pretrained(
                    folder,
                    config=CLIPConfig.from_pretrained(folder, local_files_only=True),
                    local_files_only=True,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
                refuse_missing_weights(loading)
            if not any((folder / name).is_file() for name in VOCABULARY_FILES):
                raise ValueError("the tokenizer is missing")  # transformers would make an empty one
            tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            small = isinstance(model, SmallClip)
            if len(tokenizer) > (model.config.vocabulary if small else model.config.text_config.vocab_size):
                raise ValueError("the tokenizer is that of another model")
            path = folder / PROCESSOR_FILE
            colours = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            mean, deviation = colours.get("image_mean", CLIP_MEAN), colours.get("image_std", CLIP_DEVIATION)
            if len(mean) != 3 or len(deviation) != 3:
                raise ValueError(f"{PROCESSOR_FILE} does not name three colours")
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT if folder.is_dir() else ErrorKind.MODEL_MISSING,
                f"“{folder.name}” is not a CLIP folder, or it is damaged.",
                "Give the folder of a transformers CLIPModel with model.safetensors and its tokenizer.",
                details=repr(error),
            ) from None
        copy_out_of_file(model)
        return cls(model.eval(), tokenizer, mean, deviation)

    @staticmethod
    def _open_small(folder: Path) -> SmallClip:
        model, loading = SmallClip.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
        )
        refuse_missing_weights(loading)
        return model

    def save(self, folder: Path) -> None:
        """Write a folder that `open` reads, and transformers if the model is its own."""
        transformers.utils.logging.disable_progress_bar()
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        if isinstance(self.model, SmallClip):
            return
        size = self.image_size
        processor = {
            "image_processor_type": "CLIPImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"shortest_edge": size},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": size, "width": size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.deviation),
        }
        (folder / PROCESSOR_FILE).write_text(json.dumps(processor, indent=1), encoding="utf-8")

    def embed_pictures(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit vectors (batch, width) of pictures (batch, 3, h, w) in [-1, 1]."""
        pictures = pictures.to(self.model.device)
        if isinstance(self.model, SmallClip):
            return self.model.embed_pictures(pictures)
        mean, deviation = (
            torch.tensor(values, device=pictures.device)[:, None, None] for values in (self.mean, self.deviation)
        )
        inputs = (resized(pictures, self.image_size) / 2 + 0.5 - mean) / deviation
        return F.normalize(self.model.get_image_features(pixel_values=inputs).pooler_output, dim=1)

    def embed_texts(self, prompts: list[str]) -> torch.Tensor:
        """Unit vectors (batch, width) of prompts; longer ones than the text tower takes are cut."""
        tokens = self.tokenizer(
            prompts,
            padding="max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.model.device)
        if isinstance(self.model, SmallClip):
            return self.model.embed_tokens(tokens.input_ids)
        output = self.model.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        return F.normalize(output.pooler_output, dim=1)

    @torch.no_grad()
    def clip_score(self, pictures: torch.Tensor, prompts: list[str]) -> torch.Tensor:
        """100 cos of each picture and its prompt, (batch,)."""
        return 100 * (self.embed_pictures(pictures) * self.embed_texts(prompts)).sum(dim=1)


def build_text_clip(
    tokenizer: CLIPTokenizer,
    *,
    image_size: int = 128,
    patch: int = 16,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    text_layers: int = 2,
) -> TextClip:
    """A small untrained CLIP in transformers' format. The random seed decides its weights.

    Args:
        tokenizer: learned from the captions; its model_max_length is the text tower's length.
        image_size: side of a picture, pixels; a multiple of `patch`.
        patch: side of a patch, pixels.
        width: of both towers and of the shared space.
        layers: of the image tower.
        heads: of both towers.
        text_layers: of the text tower.
    """
    shared = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": heads}
    config = CLIPConfig(
        text_config={
            **shared,
            "num_hidden_layers": text_layers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": tokenizer.model_max_length,
            "projection_dim": width,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            **shared,
            "num_hidden_layers": layers,
            "image_size": image_size,
            "patch_size": patch,
            "projection_dim": width,
        },
        projection_dim=width,
    )
    return TextClip(CLIPModel(config), tokenizer)
