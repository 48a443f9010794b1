"""Attention over a picture: one overlay per token with its legend, and a contact sheet of all of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gpsdream_app.domain.explanations import Map

SIDE = 512  # pixels of the longer side of an overlay
STRENGTH = 0.55  # of the colours over the picture
COLOURS = "inferno"  # of equal steps for the eye, and dark where nothing is, also in print and for the colour-blind
MARGIN, BAR = 12, 14  # pixels
PAPER, INK, FAINT = (250, 248, 244), (32, 30, 28), (110, 104, 98)
COLUMNS = 4
LABEL_CHARACTERS = 40


def overlay(
    picture: Image.Image, rows: Map | None, label: str, note: str, low: str = "", high: str = ""
) -> Image.Image:
    """Lay a map over a picture, with a caption below.

    Args:
        picture: any size.
        rows: 0 to 1, rows from the top; None leaves the picture as it is, without a legend.
        label: the first line of the caption.
        note: the second one.
        low, high: what the ends of the legend's colours stand for.

    Returns:
        RGB; as wide as the picture at `SIDE` pixels on its longer side, and higher by the caption.
    """
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    shown = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    if rows:
        shown = Image.blend(shown, _heat(rows, width, height), STRENGTH)
    large, small = _font(22), _font(15)
    line, small_line = 30, 22
    tile = Image.new("RGB", (width, height + MARGIN + line + small_line + (BAR + small_line if rows else 0)), PAPER)
    tile.paste(shown, (0, 0))
    draw = ImageDraw.Draw(tile)
    top = height + MARGIN // 2
    draw.text((MARGIN, top), _one_line(label, LABEL_CHARACTERS), fill=INK, font=large)
    draw.text((MARGIN, top + line), _one_line(note, 90), fill=FAINT, font=small)
    if rows:
        top += line + small_line + 2
        bar = _colours(np.linspace(0, 1, width - 2 * MARGIN)[None].repeat(BAR, axis=0))
        tile.paste(Image.fromarray(bar), (MARGIN, top))
        draw.text((MARGIN, top + BAR), low, fill=FAINT, font=small)
        draw.text((width - MARGIN, top + BAR), high, fill=FAINT, font=small, anchor="ra")
    return tile


def contact_sheet(tiles: Sequence[Image.Image], columns: int = COLUMNS) -> Image.Image:
    """All overlays on one sheet at half their size, from left to right and top to bottom."""
    columns = min(columns, len(tiles))
    small = [tile.resize((tile.width // 2, tile.height // 2), Image.Resampling.LANCZOS) for tile in tiles]
    width, height = max(tile.width for tile in small), max(tile.height for tile in small)
    rows = math.ceil(len(small) / columns)
    sheet = Image.new("RGB", (MARGIN + columns * (width + MARGIN), MARGIN + rows * (height + MARGIN)), PAPER)
    for number, tile in enumerate(small):
        row, column = divmod(number, columns)
        sheet.paste(tile, (MARGIN + column * (width + MARGIN), MARGIN + row * (height + MARGIN)))
    return sheet


def _heat(rows: Map, width: int, height: int) -> Image.Image:
    cells = Image.fromarray(np.asarray(rows, dtype=np.float32))
    smooth = np.asarray(cells.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(_colours(smooth.clip(0, 1)))


def _colours(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as RGB bytes."""
    from matplotlib import colormaps

    colours: np.ndarray = colormaps[COLOURS](values, bytes=True)[..., :3]
    return np.ascontiguousarray(colours)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Comes with matplotlib; Pillow's own knows Latin letters only.
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _one_line(text: str, characters: int) -> str:
    """A word from anywhere, fit for a caption."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
