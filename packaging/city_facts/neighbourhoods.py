"""Neighbourhoods by the streets that bound them, in metres of the grid; the shore cuts them off at the water."""

from __future__ import annotations

from city_facts.streets import HUDSON_ROAD, Point, at

WEST, EAST = -3200.0, 3200.0
MADISON, PARK, LEXINGTON, THIRD = "Madison Avenue", "Park Avenue", "Lexington Avenue", "Third Avenue"
SIXTH, SEVENTH, EIGHTH = "Sixth Avenue", "Seventh Avenue", "Eighth Avenue"

# Runs of streets that two or more neighbourhoods share.
CANAL_WEST: tuple[Point, ...] = ((-1400, -3800), (-730, -3930), (-380, -4005), (-65, -4083), (285, -4173))
CANAL_EAST: tuple[Point, ...] = ((285, -4173), (500, -4228), (640, -4260), (880, -4240))
HOUSTON_WEST: tuple[Point, ...] = (
    (-1400, -3800),
    (-905, -3588),
    (-440, -3405),
    (-250, -3338),
    (0, -3358),
    (335, -3378),
)
HOUSTON_EAST: tuple[Point, ...] = (
    (704, -3322),
    (1065, -3283),
    (1505, -3227),
    (1965, -3171),
    (2110, -3175),
    (EAST, -3200),
)
BOWERY: tuple[Point, ...] = ((704, -3322), (800, -3690), (815, -3760), (830, -3830), (858, -3970), (880, -4240))
SIXTH_TO_HOUSTON: tuple[Point, ...] = (at(SIXTH, 14), (-311, -3060), (-250, -3338))
LAFAYETTE: tuple[Point, ...] = ((460, -3350), (450, -3540), (483, -3710), (502, -3787), (520, -3860), (505, -4135))
BROADWAY_VILLAGE: tuple[Point, ...] = ((335, -3378), (378, -2760))
CHAMBERS: tuple[Point, ...] = ((245, -4862), (-52, -4850), (-205, -4862), (-432, -4868))
WEST_STREET_SOUTH: tuple[Point, ...] = (*HUDSON_ROAD[:3], CHAMBERS[-1])
EAST_BROADWAY: tuple[Point, ...] = ((910, -4580), (1060, -4470), (1260, -4335), (1400, -4240), (1434, -4219))
CANAL_TO_ESSEX: tuple[Point, ...] = ((880, -4240), (1050, -4230), (1405, -4180), (1434, -4219))
WEST_125TH: tuple[Point, ...] = (at(-1150, 125), (-1408, 6800), at(-1679, 127.8), at(-1990, 130.2), at(WEST, 130.2))
MORNINGSIDE: tuple[Point, ...] = (at(-1000, 110), at(-1000, 113.2), (-1134, 6010), at(-1134, 125))
ST_NICHOLAS: tuple[Point, ...] = (at(-993, 125), at(-1012, 135))
EDGECOMBE: tuple[Point, ...] = (
    at(-1012, 135),
    at(-980, 135.6),
    at(-1005, 139),
    at(-1067, 145),
    at(-1075, 150),
    at(-1140, 155),
)
DYCKMAN: tuple[Point, ...] = (
    at(WEST, 214),
    (-2520, 13530),
    (-2072, 13072),
    (-1677, 12661),
    (-1520, 12490),
    (-1000, 12480),
)


def box(west: str | float, east: str | float, south: float, north: float) -> tuple[Point, ...]:
    """Return the corners between two avenues (names, or metres east of Fifth) and two numbered streets."""
    return (at(west, south), at(east, south), at(east, north), at(west, north))


NEIGHBOURHOODS: tuple[tuple[str, tuple[Point, ...]], ...] = (
    ("Inwood", (*DYCKMAN, (-900, 14530), (-1150, 14500), (-1700, 14520), (-2300, 14520), (WEST, 14520))),
    (
        "Washington Heights",
        (at(WEST, 155), at(-700, 155), (-600, 9150), (-900, 10000), (-1000, 12480), *reversed(DYCKMAN)),
    ),
    ("Hamilton Heights", (at(WEST, 135), *EDGECOMBE, at(WEST, 155))),
    ("Manhattanville", (*reversed(WEST_125TH), *ST_NICHOLAS, at(WEST, 135))),
    ("Morningside Heights", (at(WEST, 110), *MORNINGSIDE, *WEST_125TH)),
    (
        "Harlem",
        (
            at(0, 110),
            at(0, 120),
            at(MADISON, 120),
            at(MADISON, 124),
            at(0, 124),
            at(0, 145),
            at(300, 150),
            at(-300, 155),
            *reversed(EDGECOMBE),
            *reversed(ST_NICHOLAS),
            *reversed(MORNINGSIDE),
        ),
    ),
    (
        "East Harlem",
        (
            at(0, 96),
            at(EAST / 2, 96),
            at(1700, 120),
            at(900, 132),
            at(300, 150),
            at(0, 145),
            at(0, 124),
            at(MADISON, 124),
            at(MADISON, 120),
            at(0, 120),
        ),
    ),
    ("Central Park", box(EIGHTH, "Fifth Avenue", 59, 110)),
    ("Upper West Side", box(WEST, EIGHTH, 59, 110)),
    ("Upper East Side", ((0, at(0, 59)[1]), at(1390, 59), at(1590, 72), at(1780, 88), at(1480, 96), at(0, 96))),
    ("Hell's Kitchen", box(WEST, EIGHTH, 34, 59)),
    ("Theater District", box(EIGHTH, SIXTH, 42, 54)),
    ("Garment District", box(EIGHTH, "Fifth Avenue", 34, 42)),
    ("Midtown", (at(SIXTH, 42), at(LEXINGTON, 42), at(LEXINGTON, 59), at(EIGHTH, 59), at(EIGHTH, 54), at(SIXTH, 54))),
    ("Turtle Bay", box(LEXINGTON, 1500, 42, 59)),
    ("Murray Hill", box("Fifth Avenue", 1500, 34, 42)),
    ("Kips Bay", box(LEXINGTON, 1900, 23, 34)),
    ("NoMad", box(SIXTH, LEXINGTON, 25, 34)),
    (
        "Flatiron District",
        (at(SIXTH, 18), at(PARK, 18), at(PARK, 23), at(LEXINGTON, 23), at(LEXINGTON, 25), at(SIXTH, 25)),
    ),
    ("Union Square", box(SIXTH, PARK, 14, 18)),
    ("Chelsea", box(WEST, SIXTH, 14, 34)),
    ("Gramercy", box(PARK, "First Avenue", 14, 23)),
    ("Stuyvesant Town", box("First Avenue", 2300, 14, 23)),
    ("West Village", (at(WEST, 14), *SIXTH_TO_HOUSTON, *reversed(HOUSTON_WEST[:4]))),
    ("Greenwich Village", (*SIXTH_TO_HOUSTON, (0, -3358), *BROADWAY_VILLAGE, (390, -2550), (285, -2222), at(285, 14))),
    ("NoHo", (*BROADWAY_VILLAGE, (500, -2725), (590, -2830), (655, -3080), (690, -3207), (704, -3322), (460, -3350))),
    (
        "East Village",
        (
            at(285, 14),
            (390, -2550),
            (378, -2760),
            (500, -2725),
            (590, -2830),
            (655, -3080),
            (690, -3207),
            *HOUSTON_EAST,
            at(EAST, 14),
        ),
    ),
    (
        "SoHo",
        (
            *HOUSTON_WEST,
            *LAFAYETTE,
            (500, -4228),
            *reversed(CANAL_WEST[1:]),
        ),
    ),
    ("Nolita", (LAFAYETTE[0], (704, -3322), *BOWERY[1:3], *reversed(LAFAYETTE[1:4]))),
    ("Little Italy", (*reversed(LAFAYETTE[3:]), *BOWERY[2:], *reversed(CANAL_EAST[1:]))),
    (
        "Lower East Side",
        (
            *HOUSTON_EAST,
            (EAST, -4500),
            (1830, -4700),
            (1560, -4720),
            *EAST_BROADWAY[2:4],
            *reversed(CANAL_TO_ESSEX),
            *reversed(BOWERY[:-1]),
        ),
    ),
    (
        "Chinatown",
        (*CANAL_EAST[1:-1], *CANAL_TO_ESSEX[:-1], *reversed(EAST_BROADWAY), (878, -4617), (845, -4610), (490, -4592)),
    ),
    (
        "Two Bridges",
        (*EAST_BROADWAY[:3], (1560, -4720), (1600, -4900), (1100, -5300), (833, -5120), (862, -4770), (878, -4617)),
    ),
    ("Tribeca", (*CANAL_WEST, *CHAMBERS, HUDSON_ROAD[3], (-500, -4700), (-1400, -4400))),
    (
        "Civic Center",
        (
            CANAL_WEST[-1],
            *CANAL_EAST[:2],
            (490, -4592),
            (845, -4610),
            (878, -4617),
            (862, -4770),
            (833, -5120),
            (615, -5065),
            (440, -5050),
            (215, -5240),
            (245, -4862),
        ),
    ),
    (
        "Financial District",
        (
            (245, -4862),
            (215, -5240),
            (440, -5050),
            (615, -5065),
            (833, -5120),
            (1100, -5300),
            (1200, -5700),
            (800, -6600),
            (200, -6700),
            (-300, -6400),
            *WEST_STREET_SOUTH,
            *reversed(CHAMBERS[1:-1]),
        ),
    ),
    (
        "Battery Park City",
        (*WEST_STREET_SOUTH, HUDSON_ROAD[3], (-500, -4700), (-900, -4700), (-900, -5200), (-500, -6400), (-300, -6400)),
    ),
)
