"""Amounts in words, for terminals and logs. The window has its own, which can be translated."""

from __future__ import annotations


def size_words(size: float) -> str:
    """Return a number of bytes in words: "2.1 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_words(seconds: float) -> str:
    """Return a length of time in words: "about 20 s", "about 2 h 10 min"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


def distance_words(metres: float) -> str:
    """Return a distance in words: "120 m", "1.4 km"."""
    return f"{metres / 1000:,.1f} km" if metres >= 995 else f"{metres:.0f} m"
