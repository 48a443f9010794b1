from __future__ import annotations

import re
from dataclasses import fields

import pytest

from gpsdream_app.ui import tokens
from gpsdream_app.ui.theme import style_sheet
from gpsdream_app.ui.tokens import DARK, LIGHT, Palette, contrast, luminance

SURFACES = ("canvas", "surface", "raised", "sunken", "hover", "accent_soft", "danger_soft")
INKS = ("text", "text_muted", "text_faint", "accent", "danger")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_ink_can_be_read_on_every_surface(palette: Palette, ink: str, surface: str) -> None:
    assert contrast(getattr(palette, ink), getattr(palette, surface)) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
def test_the_main_buttons_word_can_be_read(palette: Palette) -> None:
    assert contrast(palette.on_glow, palette.glow) >= 7
    assert contrast(palette.on_glow, palette.glow_hover) >= 7


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
def test_greys_lean_to_blue_and_are_neither_black_nor_white(palette: Palette) -> None:
    amber = ("accent", "accent_soft", "glow", "glow_hover", "on_glow", "danger", "danger_soft")
    for field in fields(palette):
        colour = getattr(palette, field.name)
        if field.name == "name" or field.name in amber:
            continue
        red, _, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        assert blue >= red, field.name
        assert colour not in ("#000000", "#ffffff")


def test_contrast_of_known_colours() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert luminance("#ffffff") == pytest.approx(1)


def test_spacing_and_type_come_from_the_scale() -> None:
    spaces = [tokens.SPACE_1, tokens.SPACE_2, tokens.SPACE_3, tokens.SPACE_4, tokens.SPACE_5, tokens.SPACE_6]
    assert spaces == [4, 8, 12, 16, 24, 32]
    assert tokens.RADIUS == 8
    sizes = {int(size) for size in re.findall(r"font-size: (\d+)px", style_sheet(LIGHT))}
    assert sizes <= {12, 13, 15, 20}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
def test_the_style_sheet_uses_no_colour_of_its_own(palette: Palette) -> None:
    known = {getattr(palette, field.name) for field in fields(palette)}
    assert set(re.findall(r"#[0-9a-f]{6}\b", style_sheet(palette))) <= known
