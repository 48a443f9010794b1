"""`gpsdream explain`: draw a picture again through the engine, and tell why it looks as it does."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpsdream_app import __version__
from gpsdream_app.commands import terminal
from gpsdream_app.commands.generate import (
    SECONDS_TO_STOP,
    build_requests,
    note_limits,
    show_progress,
    slug,
    writable_folder,
)
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Cancelled, Explained
from gpsdream_app.domain.explanations import ExplainRequest, Explanation, TokenKind, TokenMap
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.results import Result
from gpsdream_app.library.model_folders import find_model, read_card

if TYPE_CHECKING:
    from PIL import Image

    from gpsdream_app.engine.base import Engine

SHEET = "contact-sheet.png"


def run(arguments: argparse.Namespace, make_engine: Callable[[], Engine] | None = None) -> int:
    """Explain the picture that the arguments mean and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        make_engine: what makes the engine that draws; the real one, in a process of its own, if None.
    """
    if arguments.share_without_location and arguments.out is None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "There is nothing to share without --out.", "Add --out FOLDER for the overlays."
        )
    (request,) = build_requests(arguments)
    request = request.picture(0)
    card = read_card(find_model(request.model))
    unknown = note_limits([request], card)
    folder = None if arguments.out is None else writable_folder(arguments.out, "nothing was drawn")
    if make_engine is None:
        from gpsdream_app.engine.client import ProcessEngine

        make_engine = ProcessEngine
    engine = make_engine()
    try:
        explanation = _explain(engine, ExplainRequest(request))
    finally:
        engine.shutdown(SECONDS_TO_STOP)
    if explanation is None:
        if arguments.json:
            terminal.say_json({"cancelled": True})
        terminal.note("gpsdream: Cancelled.")
        return terminal.CANCELLED
    if arguments.source and _differs(Path(arguments.source), explanation):
        terminal.note(
            "gpsdream: Drawn again, the picture came out otherwise than in the file; what is told is told of the new "
            "one."
        )
    files = []
    if folder:
        files = save(explanation, card, folder, with_place=not arguments.share_without_location)
    if arguments.json:
        answer = {"cancelled": False, "unknown_words": list(unknown), "files": [str(file) for file in files]}
        terminal.say_json({**answer, "explanation": explanation.to_dict()})
    else:
        terminal.say(describe(explanation))
        if folder:
            terminal.say(f"{len(files)} pictures: {folder}")
    return terminal.OK


def _explain(engine: Engine, request: ExplainRequest) -> Explanation | None:
    """Have a picture explained; None if that was cancelled."""
    from gpsdream_app.engine.base import new_job_id

    job_id = new_job_id()
    explanation: Explanation | None = None
    with terminal.Progress("Explaining") as progress, terminal.cancel_on_signal(lambda: engine.cancel(job_id)):
        for event in engine.stream(request, job_id):
            show_progress(progress, event)
            match event:
                case Explained(explanation=told):
                    explanation = told
                case Cancelled():
                    return None
    return explanation


def _differs(source: Path, explanation: Explanation) -> bool:
    """Whether a picture on the disk has other pixels than the one that was explained."""
    if source.suffix.lower() != ".png":
        return False
    from PIL import Image

    with Image.open(source) as before, Image.open(io.BytesIO(explanation.picture)) as now:
        return before.size != now.size or before.convert("RGB").tobytes() != now.convert("RGB").tobytes()


# --- what comes out ---------------------------------------------------------------------------------------


def save(explanation: Explanation, card: ModelCard, folder: Path, *, with_place: bool = True) -> list[Path]:
    """Write the picture, one overlay per token, what is typical of the place, and a contact sheet of them all.

    Files are numbered in the order of the sheet; the words in their names are Latin letters and digits only.

    Args:
        explanation: what to show.
        card: of the model that drew it.
        folder: is there already; files of the same names are replaced.
        with_place: whether the pictures carry their place.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses.
    """
    from PIL import Image

    from gpsdream_app.export.overlays import contact_sheet, overlay

    with Image.open(io.BytesIO(explanation.picture)) as opened:
        picture = opened.convert("RGB")
    request = explanation.request
    where = request.place.name if request.place and with_place else ""
    tiles = [("picture", overlay(picture, None, request.prompt or "(no words)", where))]
    for token in explanation.tokens:
        ends = (percent(token.low), percent(token.high))
        title = token.label if token.kind is TokenKind.WORD else f"({token.label})"
        tiles.append((token.label, overlay(picture, token.map, title, f"{percent(token.share)} on average", *ends)))
    if explanation.typicality_map:
        ends = ("0", f"{explanation.typicality_peak:.3f}")
        note = typicality_line(explanation, short=True)
        tiles.append(("typical", overlay(picture, explanation.typicality_map, "(typical of the place)", note, *ends)))
    files = []
    for number, (name, tile) in enumerate(tiles):
        file = folder / f"{number:02}-{slug(name, 'word')}.png"
        _save(tile, file, explanation, card, with_place)
        files.append(file)
    sheet = folder / SHEET
    _save(contact_sheet([tile for _, tile in tiles]), sheet, explanation, card, with_place)
    return [*files, sheet]


def _save(image: Image.Image, path: Path, explanation: Explanation, card: ModelCard, with_place: bool) -> None:
    """Write a picture that says what made it: an overlay is made of a drawn picture, too."""
    from gpsdream_app.engine.base import new_job_id
    from gpsdream_app.library.picture_metadata import save_png

    result = Result(
        id=new_job_id(),
        job_id="",
        request=explanation.request,
        path=str(path),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        model_title=card.title,
        model_hash="",
        app_version=__version__,
        width=image.width,
        height=image.height,
    )
    save_png(image, path, result, include_place=with_place)


def percent(share: float) -> str:
    """A share of attention: "31 %", "0.42 %"."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %"


def describe(explanation: Explanation) -> str:
    """Return the shares as a table, and how typical the picture is of its place."""
    lines = []
    if explanation.tokens:
        rows = [_row(token) for token in explanation.tokens]
        rest = "(begin, end, padding and the like)"
        rows.append((rest, "", percent(explanation.other_share), "", ""))
        lines.append(terminal.table(rows, ("token", "is", "attention", "least", "most")))
        lines.append(
            "Words and the rest add up to 100 %, and the place's tokens by themselves, because the model looks at "
            "them apart."
            if explanation.location_apart
            else "All of them add up to 100 %."
        )
    if explanation.typicality is not None:
        lines.append(typicality_line(explanation))
    return "\n".join(lines) or "The picture was drawn from no words and no place: there is nothing to tell."


def _row(token: TokenMap) -> tuple[str, ...]:
    printable = "".join(letter if letter.isprintable() else "?" for letter in token.label)
    return printable, token.kind.value, percent(token.share), percent(token.low), percent(token.high)


def typicality_line(explanation: Explanation, *, short: bool = False) -> str:
    """Return in a sentence how typical a picture is of its place; empty without a place."""
    if explanation.typicality is None:
        return ""
    measured = f"typicality {explanation.typicality:.4f} ± {explanation.typicality_error:.4f}"
    rank, others = explanation.typicality_rank, explanation.places_compared
    if rank is None or not others:
        return f"{measured[:1].upper()}{measured[1:]}."
    less = round(rank * others)
    if short:
        return f"more than of {less} of {others} other places"
    return (
        f"The model finds this picture more typical of this place than of {less} of {others} other places "
        f"({100 * rank:.0f} %; {measured})."
    )
