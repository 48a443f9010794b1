"""Numbers as people read them: distances, times left, directions, ages. Everything goes through Qt's translation."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.results import Result

FAR_METRES = 60.0  # from here on a place is said to be away from any photo
VERY_FAR_METRES = 500.0  # from here on the form warns, and offers to move the pin
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def _tr(text: str) -> str:
    return QCoreApplication.translate("phrases", text)


def distance_text(metres: float) -> str:
    """Return a distance in metres as people say it: “8 m”, “120 m”, “1.4 km”, “320 km”."""
    if metres < 100:
        return _tr("{0} m").format(max(1, round(metres)))
    if metres < 995:
        return _tr("{0} m").format(round(metres / 10) * 10)
    if metres < 9950:
        return _tr("{0} km").format(f"{metres / 1000:.1f}")
    return _tr("{0} km").format(f"{metres / 1000:,.0f}")


def photo_distance_text(metres: float | None) -> str:
    """Return how far a place is from the nearest photo that the model has seen; empty if that is not known."""
    if metres is None:
        return ""
    if metres < 1:
        return _tr("The model has seen photos here")
    return _tr("{0} from the nearest photo").format(distance_text(metres))


def short_distance_text(metres: float | None) -> str:
    """Return the same in a few words: “photos here”, “photo 12 m away”; empty if it is not known."""
    if metres is None:
        return ""
    return _tr("photos here") if metres < 1 else _tr("photo {0} away").format(distance_text(metres))


def time_left_text(seconds: float | None) -> str:
    """Return a time left in words: “about 8 s”, “about 2 min”; empty if it is not known."""
    if seconds is None:
        return ""
    if seconds < 1.5:
        return _tr("about 1 s")
    if seconds < 10:
        return _tr("about {0} s").format(round(seconds))
    if seconds < 90:
        return _tr("about {0} s").format(round(seconds / 5) * 5)
    if seconds < 3600:
        return _tr("about {0} min").format(round(seconds / 60))
    return _tr("about {0} h").format(f"{seconds / 3600:.1f}")


def heading_text(heading: float | None) -> str:
    """Return a direction of view in degrees clockwise from north as “looking NE, 29°”; empty if there is none."""
    if heading is None:
        return ""
    return _tr("looking {0}, {1}°").format(_tr(COMPASS[round(heading / 45) % 8]), round(heading) % 360)


def coordinates_text(lat: float, lon: float) -> str:
    """Return coordinates in degrees with five decimals (about a metre): “40.74110, -73.98970”."""
    return f"{lat:.5f}, {lon:.5f}"


def place_text(place: Place) -> str:
    """Return a place by its name, else by its coordinates."""
    return place.name or coordinates_text(place.lat, place.lon)


def result_text(result: Result) -> str:
    """Return place, words, seed and distance of a result, one to a line, as plain text."""
    place, request = result.request.place, result.request
    lines = (
        place_text(place) if place else _tr("No place"),
        one_line(request.prompt),
        _tr("Seed {0}").format(request.seed),
        photo_distance_text(result.photo_distance) if place else "",
    )
    return "\n".join(line for line in lines if line)


def percent_text(share: float) -> str:
    """Return a share (0 to 1) in percent: “12 %”; what is little but not nothing is “<1 %”."""
    if 0 < share < 0.005:
        return _tr("<1 %")
    return _tr("{0} %").format(round(100 * share))


def where_text(point: tuple[float, float] | None) -> str:
    """Return in words where on a picture a point lies: “at the upper left”; for None “everywhere alike”.

    Args:
        point: shares of the picture's width and height from the upper left.
    """
    if point is None:
        return _tr("everywhere alike")
    column, row = (0 if value < 0.38 else 2 if value > 0.62 else 1 for value in point)
    names = (
        (_tr("at the upper left"), _tr("at the top"), _tr("at the upper right")),
        (_tr("at the left"), _tr("in the middle"), _tr("at the right")),
        (_tr("at the lower left"), _tr("at the bottom"), _tr("at the lower right")),
    )
    return names[row][column]


def typicality_text(rank: float | None, others: int) -> str:
    """Return how typical of its place the model finds a picture; empty if that is not known.

    Args:
        rank: share of other places for which it is less typical, 0 to 1.
        others: number of those places.
    """
    if rank is None or others < 1:
        return ""
    if rank >= 0.9:
        words = _tr("Very typical of this place: the model finds it less typical of {0} of {1} other places.")
    elif rank >= 0.6:
        words = _tr("Rather typical of this place: the model finds it less typical of {0} of {1} other places.")
    elif rank >= 0.4:
        words = _tr("It could be almost anywhere: the model finds it less typical of {0} of {1} other places.")
    else:
        words = _tr("Not typical of this place: the model finds it less typical of only {0} of {1} other places.")
    return words.format(percent_text(rank), others)


def short_typicality_text(rank: float | None, others: int) -> str:
    """Return the same in a few words: “typicality 93 %”; empty if it is not known."""
    return "" if rank is None or others < 1 else _tr("typicality {0}").format(percent_text(rank))


def unknown_words_text(words: Sequence[str]) -> tuple[str, str]:
    """Say that a model has not learned some words: a sentence, and what comes of it; empty if there are none."""
    if not words:
        return "", ""
    quoted = [f"“{word}”" for word in words]
    if len(quoted) > 3:
        quoted = [*quoted[:2], _tr("{0} more words").format(len(quoted) - 2)]
    listed = quoted[0] if len(quoted) == 1 else _tr("{0} and {1}").format(", ".join(quoted[:-1]), quoted[-1])
    rest = _tr("It will be ignored or misread.") if len(words) == 1 else _tr("They will be ignored or misread.")
    return _tr("This model has not learned {0}.").format(listed), rest


def one_line(text: str) -> str:
    """Return a text with every run of white space, line breaks included, as one blank."""
    return " ".join(text.split())


def first_upper(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def tooltip(text: str) -> str:
    """Return a tooltip that wraps and shows a text as it is, whatever markup it may hold; empty stays empty."""
    return "<qt>" + html.escape(text).replace("\n", "<br>") + "</qt>" if text else ""


def menu_text(text: str) -> str:
    """Return a text for a menu or button, so that an ampersand is shown and not read as a shortcut."""
    return text.replace("&", "&&")
