"""Parks, squares and the water in them, in metres of the grid of Manhattan (east of Fifth, uptown of 42nd Street)."""

from __future__ import annotations

from city_facts.streets import HENRY_HUDSON, HUDSON_ROAD, RIVERSIDE, Point, at
from gpsdream_app.geo.manhattan import AVENUES, FOOT, uptown

Ring = tuple[Point, ...]


def block(west: str | float, east: str | float, south: float, north: float, inset: float = 12.0) -> Ring:
    """Return the blocks between two avenues (names, or metres east of Fifth) and two numbered streets, kerb to kerb."""
    x0, x1 = (AVENUES[edge] * FOOT if isinstance(edge, str) else edge for edge in (west, east))
    y0, y1 = uptown(south) + inset, uptown(north) - inset
    return ((x0 + inset, y0), (x1 - inset, y0), (x1 - inset, y1), (x0 + inset, y1))


PARKS: tuple[tuple[str, Ring], ...] = (
    ("Central Park", block("Eighth Avenue", "Fifth Avenue", 59, 110, 16)),
    ("Bryant Park", block("Sixth Avenue", -135, 40, 42)),
    ("Madison Square Park", ((60, -1508), (143, -1508), (143, -1290), (14, -1290), (14, -1380), (30, -1425))),
    ("Union Square Park", ((195, -2195), (270, -2200), (292, -2160), (296, -1995), (195, -1995))),
    ("Gramercy Park", block(385, 530, 20, 21)),
    ("Stuyvesant Square", block(745, 828, 15, 17, 8)),
    ("Stuyvesant Square", block(845, 928, 15, 17, 8)),
    ("Tompkins Square Park", block("Avenue A", "Avenue B", 7, 10)),
    ("Washington Square Park", ((-162, -2802), (132, -2826), (124, -2958), (-172, -2944))),
    ("Chelsea Park", block(AVENUES["Tenth Avenue"] * FOOT, -1140, 27, 28, 10)),
    ("DeWitt Clinton Park", block("Twelfth Avenue", "Eleventh Avenue", 52, 54)),
    ("Theodore Roosevelt Park", block("Ninth Avenue", "Eighth Avenue", 77, 81, 15)),
    ("Marcus Garvey Park", block(-125, "Madison Avenue", 120, 124)),
    (
        "Thomas Jefferson Park",
        ((1080, uptown(111) + 12), (1310, uptown(111) + 12), (1400, uptown(114) - 12), (1080, uptown(114) - 12)),
    ),
    (
        "John Jay Park",
        ((1410, uptown(76) + 12), (1530, uptown(76) + 12), (1545, uptown(78) - 10), (1410, uptown(78) - 10)),
    ),
    (
        "Carl Schurz Park",
        (
            (1515, uptown(84) + 8),
            (1635, uptown(84) + 8),
            (1646, uptown(87)),
            (1645, 3780),
            (1600, 3870),
            (1515, uptown(90) - 10),
        ),
    ),
    (
        "Morningside Park",
        (
            at(-1015, 110.25),
            at(-1015, 113.2),
            (-1118, uptown(115.6)),
            at(-1120, 122.9),
            at(-1180, 122.9),
            at(-1290, 116),
            at(-1250, 113.5),
            at(-1120, 110.25),
        ),
    ),
    (
        "St Nicholas Park",
        (
            at(-1012, 128),
            at(-1028, 136),
            (-1070, 7990),
            at(-1090, 141),
            at(-1190, 140.6),
            at(-1240, 136),
            at(-1180, 131),
            at(-1120, 128),
        ),
    ),
    ("Jackie Robinson Park", (at(-955, 145.2), at(-955, 155), at(-1010, 155), at(-1065, 150), at(-1065, 145.2))),
    (
        "Battery Park",
        (
            (-45, -6190),
            (85, -6165),
            (160, -6140),
            (208, -6255),
            (318, -6352),
            (430, -6410),
            (540, -6450),
            (400, -6490),
            (310, -6510),
            (130, -6450),
            (0, -6385),
            (-60, -6320),
            (-130, -6300),
        ),
    ),
    ("Rockefeller Park", ((-640, -4800), (-770, -4845), (-690, -5060), (-620, -5040))),
    (
        "Highbridge Park",
        (
            (-1160, 9180),
            (-1275, 9560),
            (-1320, 9950),
            (-1395, 10240),
            (-1395, uptown(190)),
            (-1420, 12300),
            (-1400, 12540),
            (-1300, 12400),
            (-1225, 12270),
            (-1222, 11680),
            (-1208, 11200),
            (-1150, 10740),
            (-1098, 10250),
            (-1068, 10000),
            (-1028, 9790),
            (-915, 9540),
            (-810, 9400),
        ),
    ),
    (
        "Fort Tryon Park",
        (
            (-2260, 12130),
            (-2430, 12130),
            (-2425, 12700),
            (-2480, 13190),
            (-2330, 13290),
            (-2110, 13080),
            (-2045, 12800),
            (-2080, 12400),
            (-2230, 12250),
        ),
    ),
    (
        "Inwood Hill Park",
        (
            (-2560, 13560),
            (-2200, 13230),
            (-1985, 13680),
            (-1760, 14020),
            (-1800, 14180),
            (-1900, 14170),
            (-1965, 14095),
            (-2030, 14065),
            (-2120, 14090),
            (-2210, 14170),
            (-2275, 14280),
            (-2320, 14365),
            (-2420, 14375),
            (-2540, 14330),
            (-2630, 14240),
            (-2740, 14050),
            (-2755, 13850),
            (-2740, 13600),
            (-2690, 13340),
        ),
    ),
    ("Isham Park", ((-1800, 13840), (-1650, 13720), (-1600, 13860), (-1690, 14000))),
    ("J Hood Wright Park", block(-2150, -2020, 173, 176)),
    (
        "Trinity Cemetery",
        ((-1860, uptown(153) + 10), (-1420, uptown(153) + 10), (-1420, uptown(155) - 14), (-1890, uptown(155) - 14)),
    ),
    ("City Hall Park", ((238, -4885), (440, -4890), (420, -4960), (250, -5190), (226, -5190))),
    ("Bowling Green", ((185, -6105), (205, -6105), (212, -6125), (190, -6130))),
    ("Columbus Park", ((600, -4412), (655, -4408), (675, -4500), (645, -4520), (598, -4510))),
    ("Sara D Roosevelt Park", ((885, -3330), (920, -3325), (1000, -3950), (1015, -4080), (975, -4085), (952, -3960))),
    ("Seward Park", ((1440, -4160), (1500, -4140), (1545, -4150), (1420, -4215))),
    ("Hamilton Fish Park", ((1745, -3215), (1850, -3205), (1862, -3320), (1762, -3335))),
    (
        "East River Park",
        (
            (2455, -3990),
            (2455, -3900),
            (2435, -3600),
            (2365, -3250),
            (2305, -3010),
            (2145, -2540),
            (2100, -2400),
            (2190, -2420),
            (2240, -2545),
            (2400, -3015),
            (2460, -3275),
            (2530, -3605),
            (2562, -3880),
            (2543, -3995),
        ),
    ),
    ("Corlears Hook Park", ((2300, -4120), (2395, -4090), (2425, -3990), (2330, -3975))),
    ("Jackson Square", ((-868, -2282), (-845, -2302), (-866, -2305))),
    ("Abingdon Square", ((-950, -2630), (-930, -2640), (-938, -2658))),
    ("Christopher Park", ((-480, -2785), (-515, -2838), (-535, -2826))),
    ("James J Walker Park", ((-525, -3270), (-640, -3345), (-615, -3385), (-505, -3340))),
    ("Duarte Square", ((-120, -4005), (-75, -4070), (-160, -4050))),
    ("Dag Hammarskjold Plaza", block("Second Avenue", "First Avenue", 46.75, 47, 4)),
)
# Parks between a road along the water and the water: name, the road's points, the first and last metre uptown.
WATERSIDE: tuple[tuple[str, tuple[Point, ...], float, float], ...] = (
    ("Hudson River Park", HUDSON_ROAD, -4700.0, 1330.0),
    ("Riverside Park South", HENRY_HUDSON, 1360.0, uptown(72)),
    ("Riverside Park", RIVERSIDE, uptown(72.4), uptown(125)),
    ("Riverside Park", RIVERSIDE, uptown(135), uptown(158)),
    ("Fort Washington Park", HENRY_HUDSON, uptown(158), uptown(182)),
)

WATER: tuple[tuple[str, Ring], ...] = (
    (
        "Central Park Reservoir",
        (
            (-180, 3640),
            (-130, 3780),
            (-110, 3950),
            (-120, 4150),
            (-190, 4270),
            (-320, 4330),
            (-480, 4310),
            (-600, 4230),
            (-640, 4100),
            (-620, 3900),
            (-560, 3730),
            (-480, 3640),
            (-330, 3610),
        ),
    ),
    (
        "The Lake",
        (
            (-330, 2500),
            (-290, 2560),
            (-340, 2640),
            (-400, 2680),
            (-440, 2790),
            (-520, 2800),
            (-560, 2720),
            (-640, 2690),
            (-700, 2600),
            (-730, 2480),
            (-690, 2430),
            (-620, 2470),
            (-590, 2560),
            (-500, 2590),
            (-420, 2530),
        ),
    ),
    (
        "The Pond",
        (
            (-40, 1440),
            (-90, 1420),
            (-200, 1430),
            (-300, 1470),
            (-290, 1510),
            (-200, 1490),
            (-120, 1530),
            (-60, 1580),
            (-35, 1530),
        ),
    ),
    (
        "Harlem Meer",
        ((-30, 5440), (-40, 5230), (-90, 5170), (-150, 5260), (-250, 5330), (-330, 5420), (-260, 5470), (-120, 5475)),
    ),
    ("Conservatory Water", ((-45, 2560), (-45, 2680), (-75, 2690), (-105, 2650), (-105, 2570), (-75, 2545))),
)

# Parks that are no wider than a street: name, width in metres, path.
RIBBONS: tuple[tuple[str, float, tuple[Point, ...]], ...] = (
    (
        "High Line",
        12.0,
        (
            (-1262, -2465),
            (-1330, -2330),
            (-1395, -2215),
            (-1452, -2040),
            (-1452, uptown(29.5)),
            (-1475, uptown(30) + 12),
            (-1900, uptown(30) + 12),
            (-1935, uptown(31)),
            (-1935, uptown(33)),
            (-1890, uptown(34) - 15),
        ),
    ),
)
