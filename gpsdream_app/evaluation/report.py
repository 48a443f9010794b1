"""An evaluation's figures as words: numbers, intervals, and the plain table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = (
    ("clip", "CLIP", 2),
    ("gps", "GPS", 2),
    ("average", "average", 2),
    ("median_area", "median area, km²", 3),
    ("gps_heading", "GPS with heading", 2),
)
QUALITY = (
    ("precision", "precision", 2),
    ("recall", "recall", 2),
    ("density", "density", 2),
    ("coverage", "coverage", 2),
    ("frechet", "Fréchet distance", 3),
)


def number(value: float | None, digits: int) -> str:
    """A figure with so many decimals; a dash for none, which is one that is not finite."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}".replace("-", "−")


def interval_words(figure: Mapping[str, Any] | None, digits: int) -> str:
    """A figure and its interval: "12.34 (11.20 to 13.40)"; a dash where there is none."""
    if figure is None or figure.get("value") is None:
        return "–"
    return f"{number(figure['value'], digits)} ({number(figure['low'], digits)} to {number(figure['high'], digits)})"


def percent_words(figure: Mapping[str, Any] | None) -> str:
    """A share and its interval in per cent: "12 % (8 to 17)"; a dash where there is none."""
    if figure is None or figure.get("value") is None:
        return "–"
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{number(value, 0)} % ({number(low, 0)} to {number(high, 0)})"


def used_columns(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """The columns of the table that any row has a figure for."""
    return [column for column in COLUMNS if any(row.get(column[0]) for row in rows)]


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def counts_words(data: Mapping[str, Any]) -> str:
    """What was asked, of which photos."""
    questions, photos = data["questions"], data["photos"]
    if not photos["training_is_known"]:
        seen = "; the model may have learned from any of them"
    elif photos["seen_too"]:
        seen = f", {photos['held_out']} of which the model has not learned from"
    else:
        seen = (
            f", none of which the model has learned from; it learned from {photos['trained_on']} others of the folder"
        )
    return (
        f"{questions['count']} questions ({questions['captions']} captions, {questions['tags']} lists of tags) about "
        f"{questions['sources']} photographs{seen}."
    )


def plain_table(data: Mapping[str, Any]) -> str:
    """The report as plain text: title, warnings, table, what it says."""
    lines = [data["title"], counts_words(data), ""]
    lines += [f"Note: {warning}" for warning in data["warnings"]] + [""] * bool(data["warnings"])
    columns = used_columns(data["rows"])
    header = ["", *(title for _, title, _ in columns)]
    body = [[row["label"], *(interval_words(row[name], digits) for name, _, digits in columns)] for row in data["rows"]]
    lines += _lines([header, *body])
    lines += ["", "Means, and for areas medians, with 95 % intervals by bootstrap over source photographs."]
    if data["findings"]:
        lines += ["", *(f"- {finding['text']}" for finding in data["findings"])]
    rows = data["quality"].get("rows", {})
    if rows:
        labels = {row["row"]: row["label"] for row in data["rows"]}
        header = [f"quality against {data['quality']['real_pictures']} real crops", *(title for _, title, _ in QUALITY)]
        body = [
            [labels.get(name, name), *(interval_words(row.get(key), digits) for key, _, digits in QUALITY)]
            for name, row in rows.items()
        ]
        lines += ["", *_lines([header, *body])]
    found = data.get("neighbourhoods") or {}
    if found:
        header = ["right neighbourhood", "share", *found["names"]]
        body = [
            [row["label"], percent_words(row["share"]), *(f"{100 * share:.0f} %" for share in row["by_neighbourhood"])]
            for row in found["rows"]
        ]
        lines += ["", *_lines([header, *body])]
    if data["words"]:
        body = [
            [
                word["word"],
                f"{100 * word['asked']['value']:.0f} %",
                f"{100 * word['not_asked']['value']:.0f} %",
                interval_words(word["ratio"], 1),
                interval_words(word.get("photos"), 1),
            ]
            for word in data["words"]
        ]
        lines += ["", *_lines([["word", "asked", "not asked", "ratio", "ratio of photos"], *body])]
    return "\n".join(lines).rstrip() + "\n"
