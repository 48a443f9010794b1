"""Reports of measurements that lie on the disk: a person's own, and those that come along with a model. No widgets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library.model_folders import weights_hash
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.ui.tokens import Palette

log = logging.getLogger(__name__)

REPORT_JSON, REPORT_PAGE, REPORT_TABLE = "report.json", "report.html", "table.txt"
OWN_FOLDER, SHIPPED_FOLDER = "evaluations", "reports"
SCHEMA = 1
MAX_JSON_BYTES = 20_000_000
MAX_TABLE_CHARACTERS = 100_000
MAX_REPORTS = 200
MAX_PAGE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """One report, as far as the window wants to know; the rest is on its page.

    Attributes:
        folder: holds the page, the table and the pictures.
        created: when.
        by_makers: whether it came along with the model.
        quick: whether it was only a quick look.
        asked: number of photographs that were asked about; None if that is not told.
        unseen: whether none of them was learned from.
        other_weights: whether the model's weights are others than those that were measured.
        table: the figures as plain text.
    """

    folder: Path
    created: datetime
    by_makers: bool
    quick: bool
    asked: int | None
    unseen: bool
    other_weights: bool
    table: str

    @property
    def page(self) -> Path:
        """The whole report as HTML."""
        return self.folder / REPORT_PAGE


def find_reports(card: ModelCard, model: Path) -> list[Report]:
    """Return all reports about a model, the newest first.

    Args:
        card: the model's card.
        model: the model's folder.
    """
    try:
        weights = weights_hash(model)
    except GPSDreamError:
        weights = ""
    found = [
        report
        for folder, by_makers in _folders(card.name)
        if (report := _read(folder, card.name, weights, by_makers)) is not None
    ]
    return sorted(found, key=lambda report: report.created, reverse=True)[:MAX_REPORTS]


def _folders(name: str) -> Iterator[tuple[Path, bool]]:
    shipped = resources_dir() / SHIPPED_FOLDER
    # A card's name is not trusted as a path.
    yield from ((folder, True) for folder in _subfolders(shipped) if folder.name == name)
    yield from ((folder, False) for folder in _subfolders(user_data_dir() / OWN_FOLDER))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _read(folder: Path, name: str, weights: str, by_makers: bool) -> Report | None:
    """Read a report; None if it is about another model, or cannot be read."""
    path = folder / REPORT_JSON
    try:
        if not path.is_file() or not (folder / REPORT_PAGE).is_file():
            return None
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("too large")
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        model, photos = data["model"], data.get("photos") or {}
        if data["schema"] > SCHEMA or model["name"] != name:
            return None
        created = datetime.fromisoformat(data["created"])
        measured = model.get("weights")
        table_file = folder / REPORT_TABLE
        return Report(
            folder=folder,
            created=created if created.tzinfo else created.replace(tzinfo=UTC),
            by_makers=by_makers,
            quick=bool(data.get("quick")),
            asked=int(photos["asked"]) if "asked" in photos else None,
            unseen=not photos.get("seen_too"),
            other_weights=bool(weights and measured and weights != measured),
            table=table_file.read_text(encoding="utf-8")[:MAX_TABLE_CHARACTERS] if table_file.is_file() else "",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("The report in %s cannot be read: %r", folder, error)
        return None


def read_page(report: Report) -> bytes:
    """Read the page of a report. Raises GPSDreamError if it cannot be read."""
    try:
        if report.page.stat().st_size <= MAX_PAGE_BYTES:
            return report.page.read_bytes()
    except OSError as error:
        log.warning("%s cannot be read: %r", report.page, error)
    raise GPSDreamError(
        ErrorKind.INTERNAL, "The report cannot be read.", "It may have been moved or deleted. Measure the model again."
    )


def dress(page: bytes, palette: Palette) -> bytes:
    """Return a report's page in the colours of the window.

    A page follows the system's wish for light or dark by itself; in the window it follows the window's.
    """
    head, tag, body = page.partition(b"</head>")
    if not tag:
        return page
    head = head.replace(
        b"(prefers-color-scheme: dark)", b"(min-width: 0)" if palette.name == "dark" else b"(max-width: 0)"
    )
    colours = {
        "paper": palette.surface,
        "card": palette.raised,
        "ink": palette.text,
        "soft": palette.text_muted,
        "rule": palette.line,
        "accent": palette.accent,
        "note": palette.accent_soft,
    }
    rules = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    style = (
        f"<style>:root{{color-scheme:{palette.name};{rules}}}"
        "::-webkit-scrollbar{width:10px;height:10px}"
        f"::-webkit-scrollbar-thumb{{background:{palette.line_strong};border-radius:5px;"
        f"border:2px solid {palette.surface}}}</style>"
    )
    return head + style.encode("ascii") + tag + body
