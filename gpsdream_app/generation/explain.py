"""Draw a picture once more and watch where each word and each number of its place is looked at."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image

from gpsdream_app.domain.explanations import TokenKind, TokenMap
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.generation.draw import OnStep, Painter, sampling_settings
from gpsdream_app.models.attention_maps import AttentionMaps, AttentionRecorder, prompt_words
from gpsdream_app.models.pipeline import guidance_terms

LOCATION_KINDS = (TokenKind.LONGITUDE, TokenKind.LATITUDE, TokenKind.HEADING)


@dataclass(frozen=True, slots=True)
class Watched:
    """A picture and what was looked at while it was drawn.

    Attributes:
        image: the same pixels as without watching.
        tokens, other_share, location_apart: as in domain.explanations.Explanation.
    """

    image: Image.Image
    tokens: tuple[TokenMap, ...]
    other_share: float
    location_apart: bool


def draw_and_watch(
    painter: Painter,
    request: GenerateRequest,
    *,
    on_step: OnStep | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Watched:
    """Draw the one picture of a request and record the attention of its fully conditional passes.

    Args:
        painter: a loaded model.
        request: one picture; its model is not looked at.
        on_step, cancelled: as for `Painter.draw`.

    Raises:
        DrawingCancelled: as `Painter.draw`.
    """
    pipeline = painter.pipeline
    terms = guidance_terms(
        request.text_guidance,
        request.place_guidance,
        has_text=bool(request.prompt.strip()),
        has_place=request.place is not None,
        order=sampling_settings(painter.card.defaults).get("guidance_order", "text_first"),
    )
    # A weight of zero leaves the last pass out: then what it would have been told had no part in the picture.
    shown = terms[-1]
    with AttentionRecorder(
        pipeline.unet,
        pipeline.location_encoder.token_count,
        # Outside the interval of guidance there is one pass, the fully conditional one.
        wanted=lambda size: size in (1, len(terms)),
    ) as recorder:
        ((_, image),) = painter.draw(request, on_step=on_step, cancelled=cancelled)
    maps = recorder.maps()
    if maps is None:
        return Watched(image, (), 0.0, False)
    words = []
    if shown.with_text:
        words = prompt_words(pipeline.tokenizer, request.prompt, pipeline.text_encoder.config.max_position_embeddings)
    place = request.place if shown.with_place else None
    tokens = [_token(label, TokenKind.WORD, maps.text[pieces].sum(dim=0)) for label, pieces in words]
    if place:
        given = [kind is not TokenKind.HEADING or place.heading is not None for kind in LOCATION_KINDS]
        tokens += [
            _token(kind.value, kind, layer)
            for kind, known, layer in zip(LOCATION_KINDS, given, maps.location, strict=False)
            if known
        ]
    return Watched(image, tuple(tokens), _other_share(maps, tokens), maps.apart)


def _token(label: str, kind: TokenKind, attention: torch.Tensor) -> TokenMap:
    """A token's map from its attention (rows, columns)."""
    low, high = float(attention.min()), float(attention.max())
    scaled = (attention - low) / max(high - low, 1e-12)
    rows = tuple(tuple(row) for row in scaled.tolist())
    return TokenMap(label, kind, rows, share=float(attention.mean()), low=low, high=high)


def _other_share(maps: AttentionMaps, tokens: list[TokenMap]) -> float:
    """Attention that went to tokens which say nothing of their own; among the text only, where the place is apart."""
    named = sum(token.share for token in tokens if token.kind is TokenKind.WORD or not maps.apart)
    return max(0.0, 1.0 - named)


def png_bytes(image: Image.Image) -> bytes:
    """A picture as a PNG file without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
