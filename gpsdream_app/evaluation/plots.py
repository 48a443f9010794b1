"""Plots as SVG text that takes its colours from the page, so that they follow its light and dark themes.

Every label that comes from outside is escaped here. Coordinates are those of the viewBox; the page scales them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH = 960.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 14.0, 46.0


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _open(width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{escape(label)}" '
        'xmlns="http://www.w3.org/2000/svg">'
    )


def _text(x: float, y: float, text: str, css: str = "", anchor: str = "middle") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" class="{css}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{css}"/>'


def _path(points: Sequence[tuple[float, float]], css: str, *, closed: bool = False) -> str:
    steps = " ".join(f"{'L' if index else 'M'}{_n(x)} {_n(y)}" for index, (x, y) in enumerate(points))
    return f'<path d="{steps}{"Z" if closed else ""}" class="{css}"/>'


def steps_between(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from `low` to `high`."""
    span = max(high - low, 1e-9)
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda value: abs(value - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        css: class of its colour.
        x, y: its points.
        band: (low, high) around y; None for none.
    """

    css: str
    x: Sequence[float]
    y: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None


def recall_curves(curves: Sequence[Curve], whole: float) -> str:
    """Recall as a function of the area that is searched, with the area on a logarithmic axis.

    Args:
        curves: areas in km2, recall from 0 to 1.
        whole: area that is searched at most, km2.
    """
    width, height = WIDTH, 400.0
    positive = [x for curve in curves for x in curve.x if x > 0]
    low, high = math.log10(min(positive, default=1e-3)), math.log10(max([*positive, whole, 1e-3]))
    high = max(high, low + 0.1)

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(max(x, 10**low)) - low) / (high - low)
        return LEFT + share * (width - LEFT - RIGHT), TOP + (1 - y) * (height - TOP - BOTTOM)

    parts = [_open(width, height, "Recall as a function of the area searched")]
    for y in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line(LEFT, at(1, y)[1], width - RIGHT, at(1, y)[1], "axis" if y == 0 else "grid"))
        parts.append(_text(LEFT - 8, at(1, y)[1] + 4, f"{100 * y:.0f} %", "tick", "end"))
    for power in range(math.floor(low), math.ceil(high) + 1):
        for factor in (1, 2, 5):
            value = factor * 10.0**power
            if low <= math.log10(value) <= high:
                x = at(value, 0)[0]
                parts.append(_line(x, height - BOTTOM, x, height - BOTTOM + 5, "axis"))
                parts.append(_text(x, height - BOTTOM + 19, f"{value:g}", "tick"))
    parts.append(_text((LEFT + width - RIGHT) / 2, height - 8, "area searched, km²", "label"))
    for curve in curves:
        if curve.band is not None:
            upper = [at(x, y) for x, y in zip(curve.x, curve.band[1], strict=True)]
            lower = [at(x, y) for x, y in zip(curve.x, curve.band[0], strict=True)]
            parts.append(_path([*upper, *reversed(lower)], f"band {curve.css}", closed=True))
    parts += [
        _path([at(x, y) for x, y in zip(curve.x, curve.y, strict=True)], f"curve {curve.css}") for curve in curves
    ]
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Point:
    """A row in the plane of two scores: value, low and high of each."""

    label: str
    css: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


def trade_off(points: Sequence[Point], x_label: str, y_label: str) -> str:
    """Rows in the plane of two scores, each with its intervals as a cross."""
    width, height = WIDTH, 440.0
    xs, ys = [v for p in points for v in p.x], [v for p in points for v in p.y]
    bounds = []
    for values in (xs, ys):
        margin = 0.06 * max(max(values) - min(values), 1.0)
        bounds.append((min(values) - margin, max(values) + margin))
    (x_low, x_high), (y_low, y_high) = bounds

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x_low) / (x_high - x_low) * (width - LEFT - RIGHT),
            TOP + (y_high - y) / (y_high - y_low) * (height - TOP - BOTTOM),
        )

    parts = [_open(width, height, f"{y_label} against {x_label}")]
    for value in steps_between(y_low, y_high):
        parts.append(_line(LEFT, at(x_low, value)[1], width - RIGHT, at(x_low, value)[1], "grid"))
        parts.append(_text(LEFT - 8, at(x_low, value)[1] + 4, f"{value:g}", "tick", "end"))
    for value in steps_between(x_low, x_high, 7):
        parts.append(_line(at(value, 0)[0], TOP, at(value, 0)[0], height - BOTTOM, "grid"))
        parts.append(_text(at(value, 0)[0], height - BOTTOM + 18, f"{value:g}", "tick"))
    parts.append(_text((LEFT + width - RIGHT) / 2, height - 8, x_label, "label"))
    parts.append(
        f'<text x="14" y="{_n((TOP + height - BOTTOM) / 2)}" text-anchor="middle" class="label" '
        f'transform="rotate(-90 14 {_n((TOP + height - BOTTOM) / 2)})">{escape(y_label)}</text>'
    )
    taken: list[tuple[float, float, float, float]] = []
    for point in points:
        x, y = at(point.x[0], point.y[0])
        parts.append(_line(at(point.x[1], 0)[0], y, at(point.x[2], 0)[0], y, f"whisker {point.css}"))
        parts.append(_line(x, at(0, point.y[1])[1], x, at(0, point.y[2])[1], f"whisker {point.css}"))
        taken.append((x - 6, y - 6, x + 6, y + 6))
    for point in points:
        x, y = at(point.x[0], point.y[0])
        parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="5" class="dot {point.css}"/>')
        parts.append(_placed_label(point.label, x, y, width, taken))
    return "".join([*parts, "</svg>"])


def _placed_label(label: str, x: float, y: float, width: float, taken: list[tuple[float, float, float, float]]) -> str:
    """A label beside a dot, where it covers no other dot and no other label."""
    long = 6.4 * len(label)
    places = [(x + 9, y - 8, "start"), (x - 9, y - 8, "end"), (x + 9, y + 17, "start"), (x - 9, y + 17, "end")]
    places += [(x + 9, y - 24, "start"), (x - 9, y + 33, "end"), (x + 9, y + 33, "start"), (x - 9, y - 24, "end")]
    for text_x, text_y, anchor in places:
        left = text_x if anchor == "start" else text_x - long
        box = (left, text_y - 11, left + long, text_y + 3)
        inside = left > LEFT and left + long < width
        if inside and not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
        ):
            break
    else:
        text_x, text_y, anchor = places[0]
        box = (text_x, text_y - 11, text_x + long, text_y + 3)
    taken.append(box)
    return _text(text_x, text_y, label, "name", anchor)


def heat_map(
    title: str,
    columns: Sequence[float],
    rows: Sequence[float],
    values: Sequence[Sequence[float]],
    *,
    marked: tuple[int, int] | None,
    best: tuple[int, int],
) -> str:
    """A grid of numbers whose shade rises with them.

    Args:
        title: above it.
        columns, rows: weights of the words and of the place.
        values: row by row.
        marked: (row, column) of the model's own weights; None if they are not among these.
        best: (row, column) of the largest.
    """
    cell_width, cell_height, left, top = 56.0, 38.0, 46.0, 30.0
    width, height = left + cell_width * len(columns) + 6, top + cell_height * len(rows) + 44
    flat = np.array(values, dtype=np.float64)
    low, high = float(flat.min()), float(flat.max())
    parts = [_open(width, height, title), _text(left + cell_width * len(columns) / 2, 16, title, "heading")]
    for r, row in enumerate(rows):
        # The largest weight of the place stands on top, as on a plot.
        y = top + (len(rows) - 1 - r) * cell_height
        parts.append(_text(left - 8, y + cell_height / 2 + 4, f"{row:g}", "tick", "end"))
        for c in range(len(columns)):
            shade = 0.06 + 0.74 * ((values[r][c] - low) / (high - low) if high > low else 0.5)
            x = left + c * cell_width
            css = " best" if (r, c) == best else ""
            parts.append(
                f'<rect x="{_n(x + 1)}" y="{_n(y + 1)}" width="{_n(cell_width - 2)}" height="{_n(cell_height - 2)}" '
                f'rx="3" class="cell{css}" fill-opacity="{shade:.3f}"/>'
            )
            parts.append(
                _text(
                    x + cell_width / 2,
                    y + cell_height / 2 + 4,
                    f"{values[r][c]:.1f}",
                    f"value{css}{' strong' if shade > 0.5 else ''}",
                )
            )
            if (r, c) == marked:
                parts.append(
                    f'<rect x="{_n(x + 3)}" y="{_n(y + 3)}" width="{_n(cell_width - 6)}" '
                    f'height="{_n(cell_height - 6)}" rx="2" class="own"/>'
                )
    for c, column in enumerate(columns):
        parts.append(_text(left + (c + 0.5) * cell_width, height - 28, f"{column:g}", "tick"))
    parts.append(_text(left + cell_width * len(columns) / 2, height - 8, "weight of the words", "label"))
    middle = top + cell_height * len(rows) / 2
    parts.append(
        f'<text x="11" y="{_n(middle)}" text-anchor="middle" class="label" '
        f'transform="rotate(-90 11 {_n(middle)})">weight of the place</text>'
    )
    return "".join([*parts, "</svg>"])


def interval_bar(value: float, low: float, high: float, bounds: tuple[float, float], css: str) -> str:
    """A figure and its interval as a dot on a line, on a scale that a whole column shares."""
    width, height, margin = 120.0, 14.0, 6.0
    span = max(bounds[1] - bounds[0], 1e-9)

    def at(number: float) -> float:
        share = min(1.0, max(0.0, (number - bounds[0]) / span))
        return margin + share * (width - 2 * margin)

    return (
        f'<svg viewBox="0 0 {_n(width)} {_n(height)}" class="bar" aria-hidden="true">'
        + _line(margin, 7, width - margin, 7, "grid")
        + _line(at(low), 7, at(high), 7, f"whisker {css}")
        + f'<circle cx="{_n(at(value))}" cy="7" r="3.6" class="dot {css}"/></svg>'
    )


def strips(rows: Sequence[tuple[str, str, Sequence[float], tuple[float, float, float]]], x_label: str) -> str:
    """Samples of some groups as dots in a strip each, with the mean and its interval.

    Args:
        rows: (label, class of the colour, samples, (mean, low, high)).
        x_label: what is measured.
    """
    width, left, strip = WIDTH, 150.0, 64.0
    height = TOP + strip * len(rows) + BOTTOM
    values = [value for row in rows for value in (*row[2], *row[3])]
    low, high = min([0.0, *values]), max([0.0, *values])
    margin = 0.04 * max(high - low, 1e-6)
    low, high = low - margin, high + margin

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - RIGHT)

    parts = [_open(width, height, x_label)]
    for value in steps_between(low, high, 7):
        css = "axis" if value == 0 else "grid"
        parts.append(_line(at(value), TOP, at(value), height - BOTTOM, css))
        parts.append(_text(at(value), height - BOTTOM + 18, f"{value:g}", "tick"))
    parts.append(_text((left + width - RIGHT) / 2, height - 8, x_label, "label"))
    for number, (label, css, samples, (mean, lower, upper)) in enumerate(rows):
        middle = TOP + (number + 0.5) * strip
        parts.append(_text(left - 14, middle + 4, label, "name", "end"))
        for index, value in enumerate(samples):
            # Spread by the golden ratio: dots that would lie on each other do not, and no chance is needed.
            offset = ((index * 0.618034) % 1 - 0.5) * strip * 0.55
            parts.append(f'<circle cx="{_n(at(value))}" cy="{_n(middle + offset)}" r="3" class="faint {css}"/>')
        parts.append(_line(at(lower), middle, at(upper), middle, f"whisker {css}"))
        parts.append(f'<circle cx="{_n(at(mean))}" cy="{_n(middle)}" r="5.5" class="dot {css}"/>')
    return "".join([*parts, "</svg>"])


def street_map(learned: Sequence[tuple[float, float]], asked: Sequence[tuple[float, float]]) -> str:
    """Where photos stand, turned so that the longest side of the city lies across the page.

    Args:
        learned: (metres east, metres north) of photos that the model has learned from.
        asked: of those that it is asked about.
    """
    every = np.array([*learned, *asked], dtype=np.float64)
    centre = every.mean(axis=0)
    if len(every) > 1:
        _, _, axes = np.linalg.svd(every - centre, full_matrices=False)
        along = axes[0] if axes[0][1] >= 0 else -axes[0]
    else:
        along = np.array([0.0, 1.0])
    # North stands to the right of the page; across is to its left, which is west where the city runs north.
    turn = np.array([along, [along[1], -along[0]]])
    width = WIDTH
    turned = (every - centre) @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = (width - 40) / max(high[0] - low[0], 1.0)
    height = min(420.0, max(64.0, (high[1] - low[1]) * scale + 44))
    scale = min(scale, (height - 40) / max(high[1] - low[1], 1.0))
    middle = (low + high) / 2

    def at(place: tuple[float, float]) -> tuple[float, float]:
        x, y = turn @ (np.asarray(place) - centre) - middle
        return width / 2 + x * scale, height / 2 - 6 + y * scale

    parts = [_open(width, height, "Where the photos stand")]
    for places, css, radius in ((learned, "learned", 3.2), (asked, "asked", 4.6)):
        for place in places:
            x, y = at(place)
            parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{radius}" class="place {css}"/>')
    metres = max(steps_between(0, 150 / scale, 2))
    parts.append(_line(width - 20 - metres * scale, height - 10, width - 20, height - 10, "axis"))
    words = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    parts.append(_text(width - 26 - metres * scale, height - 6, words, "tick", "end"))
    north = turn @ np.array([0.0, 1.0])
    tip = (22 + 11 * north[0], height - 18 + 11 * north[1])
    parts.append(_line(22 - 11 * north[0], height - 18 - 11 * north[1], *tip, "axis"))
    parts.append(f'<circle cx="{_n(tip[0])}" cy="{_n(tip[1])}" r="2.6" class="arrow"/>')
    parts.append(_text(40, height - 14, "N", "tick", "start"))
    return "".join([*parts, "</svg>"])
