"""Landmarks of Manhattan: name, the year in which it opened, and where it stands."""

from __future__ import annotations

from city_facts.streets import at

LANDMARKS: tuple[tuple[str, int | None, tuple[float, float]], ...] = (
    ("Washington Square Arch", 1892, (0, -2835)),
    ("Flatiron Building", 1902, at(25, 22.55)),
    ("Empire State Building", 1931, at(-60, 33.5)),
    ("New York Public Library", 1911, at(-70, 41)),
    ("Grand Central Terminal", 1913, at(311, 42.7)),
    ("St Patrick's Cathedral", 1879, at(75, 50.5)),
    ("Plaza Hotel", 1907, at(-55, 58.5)),
    ("Metropolitan Museum of Art", 1880, at(-90, 82)),
)
