"""Which tokens the U-Net looks at while it draws, and where: maps of its cross-attention (Hertz et al. 2022).

Only looking: the maps are computed beside the U-Net's own attention, which nobody touches. So a picture that is drawn
while it is watched has the same bits as one that is not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch.nn import functional as F
from transformers import CLIPTokenizer

from gpsdream_app.models.conditions import AddedLocationAttention

# Cells a side of the levels that maps are taken from. The paper takes 16; finer levels look at texture rather than at
# things, coarser ones see no place in the picture.
COARSEST, FINEST = 8, 16
WORD = re.compile(r"\w+(?:['’]\w+)?")

Wanted = Callable[[int], bool]


@dataclass(slots=True)
class _Level:
    """Sum of the maps of all layers and steps at one resolution."""

    rows: int
    columns: int
    total: torch.Tensor | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class AttentionMaps:
    """Mean attention over heads, layers and steps.

    Attributes:
        text: (text tokens, rows, columns), begin, end and padding included.
        location: (location tokens, rows, columns).
        apart: False: in every cell text and location add up to 1; True: each of them does.
    """

    text: torch.Tensor
    location: torch.Tensor
    apart: bool


@dataclass(slots=True)
class AttentionRecorder:
    """Watches the cross-attention of a U-Net for as long as it is entered.

    Attributes:
        unet: whose attention; exactly as before when the recorder is left, by an exception or not.
        location_tokens: how many of the last tokens stand for the place.
        wanted: told the size of a batch, says whether it ends with the picture that is watched: a guided step has
            several passes in one batch, and the fully conditional one comes last. All batches if None.
    """

    unet: UNet2DConditionModel
    location_tokens: int
    wanted: Wanted | None = None
    _levels: dict[tuple[int, int], _Level] = field(default_factory=dict)
    _hooks: list[Any] = field(default_factory=list)
    _sample: tuple[int, int] = (0, 0)
    _watching: bool = False
    _apart: bool = False

    def __enter__(self) -> AttentionRecorder:
        self._hooks.append(self.unet.register_forward_pre_hook(self._on_pass, with_kwargs=True))
        for module in self.unet.modules():
            if isinstance(module, Attention):
                self._hooks.append(module.register_forward_pre_hook(self._on_attention, with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _on_pass(self, unet: UNet2DConditionModel, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sample = args[0] if args else kwargs["sample"]
        self._sample = tuple(sample.shape[-2:])
        self._watching = self.wanted is None or self.wanted(len(sample))

    @torch.no_grad()
    def _on_attention(self, attention: Attention, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        context = args[1] if len(args) > 1 else kwargs.get("encoder_hidden_states")
        if context is None or not self._watching:
            return
        self._apart = isinstance(attention.processor, AddedLocationAttention)
        weights = attention_weights(attention, hidden[-1:], context[-1:], self.location_tokens if self._apart else 0)
        self._add(weights[0].mean(dim=0))

    def _add(self, weights: torch.Tensor) -> None:
        """Add one layer's map, (cells, tokens)."""
        height, width = self._sample
        rows = max(1, round(math.sqrt(len(weights) * height / width)))
        columns = len(weights) // rows
        level = self._levels.setdefault((rows, columns), _Level(rows, columns))
        level.total = weights if level.total is None else level.total + weights
        level.count += 1

    def maps(self) -> AttentionMaps | None:
        """What was seen so far, on the CPU; None if nothing was.

        Levels of `COARSEST` to `FINEST` cells a side count; if there is none, the one that comes nearest.
        """
        levels = list(self._levels.values())
        if not levels:
            return None

        def distance(level: _Level) -> int:
            side = max(level.rows, level.columns)
            return max(COARSEST - side, side - FINEST, 0)

        nearest = min(map(distance, levels))
        chosen = [level for level in levels if distance(level) == nearest]
        finest = max(chosen, key=lambda level: level.rows * level.columns)
        parts = []
        for level in chosen:
            assert level.total is not None
            grid = level.total.float().cpu().T.unflatten(1, (level.rows, level.columns))[None]
            if level is not finest:
                grid = F.interpolate(grid, (finest.rows, finest.columns), mode="bilinear", align_corners=False)
            parts.append(grid[0])
        mean = torch.stack(parts).sum(dim=0) / sum(level.count for level in chosen)
        words = len(mean) - self.location_tokens
        return AttentionMaps(mean[:words], mean[words:], self._apart)


def attention_weights(
    attention: Attention, hidden_states: torch.Tensor, context: torch.Tensor, apart: int = 0
) -> torch.Tensor:
    """The softmax of one attention layer.

    Args:
        attention: the layer.
        hidden_states: (batch, cells, channels), what looks.
        context: (batch, tokens, width), what is looked at.
        apart: so many of the last tokens have a softmax of their own (see AddedLocationAttention).

    Returns:
        (batch, heads, cells, tokens), float32.
    """
    query, key = (
        layer(values).unflatten(-1, (attention.heads, -1)).transpose(1, 2).float()
        for layer, values in ((attention.to_q, hidden_states), (attention.to_k, context))
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if not apart:
        return scores.softmax(dim=-1)
    return torch.cat([scores[..., :-apart].softmax(dim=-1), scores[..., -apart:].softmax(dim=-1)], dim=-1)


def prompt_words(tokenizer: CLIPTokenizer, prompt: str, max_tokens: int) -> list[tuple[str, list[int]]]:
    """The words of a prompt and the tokens that each of them became.

    Args:
        tokenizer: cuts words into byte pairs.
        prompt: as a person wrote it; what is too long is cut.
        max_tokens: as many are read, begin and end included.

    Returns:
        (word as it stands in the prompt, its token numbers) in the prompt's order. Begin, end, padding and punctuation
        are no words.
    """
    offsets = tokenizer(prompt, truncation=True, max_length=max_tokens, return_offsets_mapping=True).offset_mapping
    words = []
    for match in WORD.finditer(prompt):
        pieces = [
            number
            for number, (start, end) in enumerate(offsets)
            if end > start and match.start() <= start < match.end()
        ]
        if pieces:
            words.append((match.group(), pieces))
    return words
