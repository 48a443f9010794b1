from __future__ import annotations

import re
from dataclasses import fields

import pytest
from PySide6.QtGui import QPalette

from gpsdream_app.ui import tokens
from gpsdream_app.ui.theme import qt_palette, style_sheet
from gpsdream_app.ui.tokens import DARK, LIGHT, Palette, contrast, luminance

SURFACES = ("canvas", "surface", "raised", "sunken", "hover", "accent_soft", "danger_soft")
INKS = ("text", "text_muted", "text_faint", "accent", "danger")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_ink_can_be_read_on_every_surface(palette: Palette, ink: str, surface: str) -> None:
    assert contrast(getattr(palette, ink), getattr(palette, surface)) >= 4.5


def rules(palette: Palette) -> dict[str, dict[str, str]]:
    """The style sheet as declarations by selector."""
    found: dict[str, dict[str, str]] = {}
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style_sheet(palette)):
        declarations = dict(re.findall(r"([\w-]+):\s*([^;]+);", body))
        for selector in selectors.split(","):
            found.setdefault(selector.strip(), {}).update(declarations)
    return found


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
def test_every_rule_of_the_style_sheet_writes_with_an_ink_that_can_be_read_there(palette: Palette) -> None:
    known = {getattr(palette, field.name) for field in fields(palette)} - {palette.name}
    # What a rule does not say itself it has from the rule for all widgets; what is transparent lies on a surface.
    behind = [getattr(palette, surface) for surface in SURFACES]
    pairs = 0
    for selector, declared in rules(palette).items():
        for ink_name, ground_name in (("color", "background"), ("selection-color", "selection-background-color")):
            ground, ink = declared.get(ground_name, ""), declared.get(ink_name, palette.text)
            if ink_name == "selection-color" and not ground:
                continue
            # Grooves, handles and lines carry no words.
            if re.search(r"groove|sub-page|handle|separator|rowDivider|Splitter|ScrollBar", selector):
                continue
            for surface in [ground] if ground in known else behind:
                assert contrast(ink, surface) >= 4.5, (selector, ink, surface)
                pairs += 1
    assert pairs > 100


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
def test_qts_own_widgets_write_with_an_ink_that_can_be_read_there(palette: Palette) -> None:
    role = QPalette.ColorRole
    qt = qt_palette(palette)
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled):
        for ink, ground in (
            (role.WindowText, role.Window),
            (role.Text, role.Base),
            (role.Text, role.AlternateBase),
            (role.PlaceholderText, role.Base),
            (role.ButtonText, role.Button),
            (role.ToolTipText, role.ToolTipBase),
            (role.HighlightedText, role.Highlight),
            (role.Link, role.Base),
            (role.LinkVisited, role.Window),
        ):
            assert contrast(qt.color(group, ink).name(), qt.color(group, ground).name()) >= 4.5, (group, ink, ground)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda palette: palette.name)
@pytest.mark.parametrize("surface", SURFACES)
def test_the_ring_of_the_focus_can_be_seen(palette: Palette, surface: str) -> None:
    assert contrast(palette.accent, getattr(palette, surface)) >= 3


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
