"""Words on a sheet that is to be printed: typefaces, what fits on a line, and how a plate's parts are drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT, LINE = (250, 248, 244), (32, 30, 28), (110, 104, 98), (200, 194, 184)
# Lettering of a book first; the second knows more scripts. Both come with matplotlib.
FACES = {"plain": ("STIXGeneral.ttf", "DejaVuSans.ttf"), "slanted": ("STIXGeneralItalic.ttf", "DejaVuSans.ttf")}


def one_line(text: str) -> str:
    """Return a text from anywhere on one line, without what cannot be printed or turns the direction of text."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


@functools.cache
def _file(name: str) -> tuple[str, frozenset[int]]:
    """Return the path of a typeface and the characters that it has."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    path = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name)
    return path, frozenset(FT2Font(path).get_charmap())


@functools.lru_cache(maxsize=64)
def _face(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_file(name)[0], size)


def face_for(text: str, size: int, style: str = "plain") -> ImageFont.FreeTypeFont:
    """Return the first typeface that has all characters of a text, or the last one.

    Args:
        text: what is to be written.
        size: in pixels.
        style: "plain" or "slanted".
    """
    names = FACES[style]
    wanted = {ord(letter) for letter in text if not letter.isspace()}
    name = next((name for name in names if wanted <= _file(name)[1]), names[-1])
    # The faces for more scripts are drawn larger at the same size.
    return _face(name, size if name == names[0] else max(1, round(size * 0.86)))


def fitted(text: str, width: float, size: int, style: str = "plain") -> tuple[str, ImageFont.FreeTypeFont]:
    """Return a text that is at most `width` pixels wide, cut with an ellipsis if need be, and its typeface."""
    line = one_line(text)[:400]
    face = face_for(line, size, style)
    if face.getlength(line) <= width:
        return line, face
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if face.getlength(line[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return line[:low].rstrip() + "…", face


def wrapped(text: str, width: float, size: int, style: str = "plain", most: int = 3) -> list[str]:
    """Return a text as at most `most` lines of at most `width` pixels, broken between words."""
    line = one_line(text)[:1000]
    face = face_for(line, size, style)
    lines: list[str] = []
    words = line.split(" ") if line else []
    while words and len(lines) < most:
        count = len(words)
        if len(lines) < most - 1:
            while count > 1 and face.getlength(" ".join(words[:count])) > width:
                count -= 1
        lines.append(fitted(" ".join(words[:count]), width, size, style)[0])
        words = words[count:]
    return lines


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    width: float,
    *,
    colour: tuple[int, int, int] = INK,
    style: str = "plain",
    anchor: str = "ls",
) -> None:
    """Write one line, cut to a width in pixels; `at` is where its baseline begins, or as Pillow's anchor says."""
    line, face = fitted(text, width, size, style)
    if line:
        draw.text(at, line, fill=colour, font=face, anchor=anchor)


def framed(sheet: Image.Image, picture: Image.Image, box: Sequence[int], *, dashed: bool = False) -> None:
    """Put a picture in a box (left, top, right, bottom) with a hairline around it; a dashed one marks a doubt."""
    left, top, right, bottom = box
    scaled = picture.convert("RGB").resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    sheet.paste(scaled, (left, top))
    draw = ImageDraw.Draw(sheet)
    edge = (left - 3, top - 3, right + 2, bottom + 2)
    if not dashed:
        draw.rectangle(edge, outline=LINE)
        return
    for start in range(edge[0], edge[2], 12):
        for y in (edge[1], edge[3]):
            draw.line((start, y, min(start + 6, edge[2]), y), fill=INK)
    for start in range(edge[1], edge[3], 12):
        for x in (edge[0], edge[2]):
            draw.line((x, start, x, min(start + 6, edge[3])), fill=INK)
