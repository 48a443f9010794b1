"""The design tokens: spacing, type, corners and the two palettes. No Qt here, so that tests can compute with them."""

from __future__ import annotations

from dataclasses import dataclass

SPACE_1 = 4
SPACE_2 = 8
SPACE_3 = 12
SPACE_4 = 16
SPACE_5 = 24
SPACE_6 = 32

RADIUS = 8
RADIUS_SMALL = 4

TYPE_SMALL = 12
TYPE_BODY = 13
TYPE_LEAD = 15
TYPE_TITLE = 20

CONTROL_HEIGHT = 32

FADE_MILLISECONDS = 220


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme, each as #rrggbb.

    Attributes:
        name: `light` or `dark`.
        canvas: behind everything.
        surface: panels.
        raised: fields, cards and menus.
        sunken: wells, for example the empty picture.
        hover: a control under the pointer.
        line: quiet borders between areas.
        line_strong: borders of controls.
        text: what is read.
        text_muted: what is read second.
        text_faint: placeholders and units.
        accent: amber as ink: text, icons, progress, focus. At least 4.5 to 1 on every surface.
        accent_soft: amber as a tint behind text.
        glow: amber as lamplight: the fill of the main button.
        glow_hover: the same under the pointer.
        on_glow: text on `glow`.
        danger: ink of errors.
        danger_soft: tint behind errors.
        frame: the thin neutral line round pictures.
    """

    name: str
    canvas: str
    surface: str
    raised: str
    sunken: str
    hover: str
    line: str
    line_strong: str
    text: str
    text_muted: str
    text_faint: str
    accent: str
    accent_soft: str
    glow: str
    glow_hover: str
    on_glow: str
    danger: str
    danger_soft: str
    frame: str


LIGHT = Palette(
    name="light",
    canvas="#e9edf2",
    surface="#f6f8fb",
    raised="#fdfdfe",
    sunken="#e4e9ef",
    hover="#e6ebf1",
    line="#d7dde5",
    line_strong="#bac4d0",
    text="#1c2530",
    text_muted="#4f5b6b",
    text_faint="#5d697a",
    accent="#855000",
    accent_soft="#f6e8cf",
    glow="#eeac4a",
    glow_hover="#f4b95f",
    on_glow="#2a1b02",
    danger="#a3261c",
    danger_soft="#f8e4e1",
    frame="#c3ccd7",
)

DARK = Palette(
    name="dark",
    canvas="#10141a",
    surface="#171c24",
    raised="#1f2630",
    sunken="#12171e",
    hover="#28303c",
    line="#2a323e",
    line_strong="#414c5b",
    text="#e5eaf0",
    text_muted="#a7b2c0",
    text_faint="#8e9aaa",
    accent="#f2b861",
    accent_soft="#3a2e1b",
    glow="#eba845",
    glow_hover="#f3b85e",
    on_glow="#241702",
    danger="#ff9d92",
    danger_soft="#3a2021",
    frame="#3b4554",
)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 (black) to 1 (white), after WCAG 2.2."""
    channels = []
    for start in (1, 3, 5):
        value = int(colour[start : start + 2], 16) / 255
        channels.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    red, green, blue = channels
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21, after WCAG 2.2."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
