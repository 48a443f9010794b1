"""A probe of words: a small classifier that says which things a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.filters import FilterNetwork
from gpsdream_app.models.weights import copy_out_of_file, refuse_missing_weights


class WordProbe(ModelMixin, ConfigMixin):
    """Which words fit a picture: one yes or no per word, from filters and a small learned map.

    Args:
        words: names of the answers.
        tags: for each word, the tags that stand for it; any of them is enough.
        thresholds: probability from which a word counts as found.
        width: of the learned features.
        dropout: in training.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        words: tuple[str, ...],
        tags: tuple[tuple[str, ...], ...] = (),
        thresholds: tuple[float, ...] = (),
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.image_network = FilterNetwork(width, dropout)
        self.answers = nn.Linear(width, len(words))

    @classmethod
    def open(cls, folder: Path) -> WordProbe:
        """Open a probe's folder, from safetensors only and without a network.

        Raises:
            GPSDreamError: if it holds no probe, or is damaged.
        """
        try:
            probe, loading = cls.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
            )
            refuse_missing_weights(loading)
            if not len(probe.words) == len(probe.thresholds) == len(probe.config.tags):
                raise ValueError("words, tags and thresholds do not agree")
        except Exception as error:  # diffusers and safetensors raise a wide variety
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT if folder.is_dir() else ErrorKind.MODEL_MISSING,
                f"“{folder.name}” is not a probe of words, or it is damaged.",
                "Train one with `gpsdream train-gps-clip`, or give another folder.",
                details=repr(error),
            ) from None
        copy_out_of_file(probe)
        return probe.eval()

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the answers."""
        return tuple(self.config.words)

    @property
    def thresholds(self) -> torch.Tensor:
        """(words,): the probability from which a word counts as found."""
        return torch.tensor(self.config.thresholds, dtype=torch.float32)

    def truth(self, tags: Sequence[str]) -> list[float]:
        """What the right answers to a picture with these tags are, 0 or 1 for each word."""
        own = set(tags)
        return [float(any(tag in own for tag in some)) for some in self.config.tags]

    def logits_from_raw(self, raw: torch.Tensor) -> torch.Tensor:
        """Logits (batch, words) of what the filters say, (batch, their width)."""
        return self.answers(self.image_network.from_raw(raw))

    @torch.no_grad()
    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        """Probability of each word, (batch, words), in pictures (batch, 3, h, w) in [-1, 1]."""
        raw = self.image_network.bank(pictures.to(self.device, torch.float32))
        return torch.sigmoid(self.logits_from_raw(raw))

    def found(self, pictures: torch.Tensor) -> torch.Tensor:
        """Which words are found, (batch, words), in pictures (batch, 3, h, w) in [-1, 1]."""
        scores = self.scores(pictures)
        return scores >= self.thresholds.to(scores.device)
