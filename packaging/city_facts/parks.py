"""Parks, squares and the water in them, in metres of the grid of Manhattan (east of Fifth, uptown of 42nd Street)."""

from __future__ import annotations

from city_facts.streets import SAINT_NICHOLAS, Point, at
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
    ("Madison Square Park", ((58, -1512), (143, -1512), (143, -1290), (14, -1290), (14, -1430))),
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
    ("Thomas Jefferson Park", ((1080, uptown(111) + 12), (1310, uptown(111) + 12), (1400, uptown(114) - 12), (1080, uptown(114) - 12))),
    ("John Jay Park", ((1410, uptown(76) + 12), (1530, uptown(76) + 12), (1545, uptown(78) - 10), (1410, uptown(78) - 10))),
    ("Carl Schurz Park", ((1515, uptown(84) + 8), (1635, uptown(84) + 8), (1646, uptown(87)), (1645, 3780), (1600, 3870), (1515, uptown(90) - 10))),
    ("Morningside Park", (at(-1015, 110.25), at(-1015, 113.2), (-1118, uptown(115.6)), at(-1120, 122.9), at(-1180, 122.9), at(-1290, 116), at(-1250, 113.5), at(-1120, 110.25))),
    ("St Nicholas Park", (at(-1012, 128), at(-1028, 136), (-1070, 7990), at(-1090, 141), at(-1190, 140.6), at(-1240, 136), at(-1180, 131), at(-1120, 128))),
    ("Jackie Robinson Park", (at(-955, 145.2), at(-955, 155), at(-1010, 155), at(-1065, 150), at(-1065, 145.2))),
)

WATER: tuple[tuple[str, Ring], ...] = (
    (
        "Jacqueline Kennedy Onassis Reservoir",
        (
            (-180, 3640), (-130, 3780), (-110, 3950), (-120, 4150), (-190, 4270), (-320, 4330), (-480, 4310),
            (-600, 4230), (-640, 4100), (-620, 3900), (-560, 3730), (-480, 3640), (-330, 3610),
        ),
    ),
    (
        "The Lake",
        (
            (-330, 2500), (-290, 2560), (-340, 2640), (-400, 2680), (-440, 2790), (-520, 2800), (-560, 2720),
            (-640, 2690), (-700, 2600), (-730, 2480), (-690, 2430), (-620, 2470), (-590, 2560), (-500, 2590), (-420, 2530),
        ),
    ),
    ("The Pond", ((-40, 1440), (-90, 1420), (-200, 1430), (-300, 1470), (-290, 1510), (-200, 1490), (-120, 1530), (-60, 1580), (-35, 1530))),
    ("Harlem Meer", ((-30, 5440), (-40, 5230), (-90, 5170), (-150, 5260), (-250, 5330), (-330, 5420), (-260, 5470), (-120, 5475))),
    ("Conservatory Water", ((-45, 2560), (-45, 2680), (-75, 2690), (-105, 2650), (-105, 2570), (-75, 2545))),
)
