"""What the landmarks are made of: colour, roughness, and the pattern of walls too fine to be modelled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface looks.

    Attributes:
        colour: red, green, blue in sRGB, 0 to 255.
        roughness: 0 (a mirror) to 1 (chalk).
        glass: shows the sky, and at night perhaps a lamp.
        courses: height in metres of the blocks or floors that the surface is made of; 0 for none.
        second: colour of the lower part of each course; None for the same.
        share: how much of a course has the second colour.
        variation: standard deviation of the brightness from block to block.
        glow: brightness at night, such as that of a lamp; 0 for none.
    """

    colour: tuple[int, int, int]
    roughness: float = 0.9
    glass: bool = False
    courses: float = 0.0
    second: tuple[int, int, int] | None = None
    share: float = 0.0
    variation: float = 0.03
    glow: float = 0.0


MATERIALS = {
    # Washington Square Arch: white Tuckahoe marble, weathered.
    "tuckahoe marble": Material((216, 210, 198), 0.8, courses=0.9),
    "weathered marble": Material((188, 181, 168), 0.85, courses=0.6, variation=0.06),
    "carved marble": Material((201, 194, 181), 0.85, variation=0.10),
    # Flatiron: limestone below, glazed terracotta above, copper cornice, dark windows.
    "limestone": Material((196, 184, 162), 0.9, courses=0.7),
    "terracotta": Material((204, 184, 150), 0.7, courses=0.75),
    "terracotta band": Material((184, 162, 128), 0.7, variation=0.05),
    "roof": Material((112, 108, 104), 0.95),
    "window": Material((52, 58, 66), 0.1, glass=True, courses=2.2),
    "shop window": Material((40, 46, 54), 0.08, glass=True, courses=1.6),
    # Empire State: Indiana limestone piers, strips of windows with grey aluminium spandrels, steel and glass mast.
    "indiana limestone": Material((194, 184, 168), 0.9, courses=1.2),
    "window strip": Material((58, 62, 70), 0.2, glass=True, courses=3.75, second=(120, 118, 116), share=0.42),
    "aluminium": Material((168, 170, 172), 0.35, courses=3.0),
    "mast glass": Material((110, 122, 134), 0.15, glass=True, courses=2.0),
    "steel": Material((140, 142, 146), 0.45, courses=4.0, variation=0.08),
    # Arc de Triomphe: limestone of Château-Landon, reliefs darker in their folds.
    "chateau-landon stone": Material((205, 192, 165), 0.9, courses=0.8),
    "carved stone": Material((182, 167, 140), 0.9, variation=0.14),
    "vault": Material((186, 172, 146), 0.9, courses=1.4, variation=0.06),
    "cornice": Material((212, 200, 175), 0.9),
    # Pisa: white and grey marble of San Giuliano.
    "pisa marble": Material((222, 216, 204), 0.75, courses=0.5),
    "pisa column": Material((230, 225, 214), 0.7, variation=0.05),
    "pisa core": Material((190, 183, 170), 0.85, courses=0.5, variation=0.06),
    "opening": Material((44, 40, 38), 0.95),
    # Surroundings.
    "bark": Material((84, 68, 54), 0.95, variation=0.1),
    "leaves": Material((74, 98, 44), 0.9, variation=0.2),
    "autumn leaves": Material((178, 112, 44), 0.9, variation=0.2),
    "skin": Material((198, 152, 124), 0.7),
    "hair": Material((58, 42, 32), 0.8),
    "cloth": Material((120, 120, 120), 0.9, variation=0.05),
    "city wall": Material((168, 150, 132), 0.9, courses=3.4, second=(104, 98, 94), share=0.5),
    "city brick": Material((146, 98, 78), 0.9, courses=3.3, second=(92, 72, 64), share=0.45),
    "paris wall": Material((206, 194, 172), 0.9, courses=3.2, second=(140, 132, 122), share=0.5),
    "zinc": Material((122, 132, 142), 0.6),
    "italian wall": Material((214, 178, 128), 0.9, courses=3.4, second=(150, 122, 92), share=0.35),
    "tiles": Material((166, 98, 66), 0.9, variation=0.08),
    "iron": Material((46, 50, 50), 0.5),
    "lamp": Material((236, 230, 210), 0.4, glow=3.0),
}
NAMES = tuple(MATERIALS)
