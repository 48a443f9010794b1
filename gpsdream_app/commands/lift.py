"""`gpsdream lift`: lift a landmark to a mesh through the engine, and write it as a file.

What has been done is kept in the person's folder, so the same command goes on with a lift that was stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gpsdream_app.commands import terminal
from gpsdream_app.commands.generate import SECONDS_TO_STOP
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.events import Cancelled, Event, Failed, Lifted, LiftStep, Loading, Queued
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.domain.words import time_words

if TYPE_CHECKING:
    from gpsdream_app.engine.base import Engine

FORMATS = ("glb", "obj", "ply", "stl", "kmz")
PHASES = {
    "draw": "drawing views",
    "fit": "fitting",
    "update": "drawing views again",
    "distil": "distilling",
    "mesh": "making the mesh",
}


def run(arguments: argparse.Namespace, make_engine: Callable[[], Engine] | None = None) -> int:
    """Lift the landmark that the arguments name and return the exit code.

    Args:
        arguments: as `gpsdream_app.cli` parses them.
        make_engine: what makes the engine that lifts; the real one, in a process of its own, if None.
    """
    request = build_request(arguments)
    out = output_file(arguments.out, arguments.format)
    if make_engine is None:
        from gpsdream_app.engine.client import ProcessEngine

        make_engine = ProcessEngine
    engine = make_engine()
    try:
        result = _lift(engine, request)
    finally:
        engine.shutdown(SECONDS_TO_STOP)
    if result is None:
        terminal.note("gpsdream: Cancelled. What was done is kept; the same command goes on from there.")
        if arguments.json:
            terminal.say_json({"cancelled": True, "request": request.to_dict()})
        return terminal.CANCELLED
    files = write(result, out, texture=not arguments.vertex_colours)
    if arguments.json:
        terminal.say_json({"cancelled": False, "lift": result.to_dict(), "files": [str(path) for path in files]})
        return terminal.OK
    width, depth, height = result.size
    closed = "closed" if result.watertight else "not closed"
    terminal.say(f"{files[-1]}")
    terminal.say(f"{width:.1f} m wide, {depth:.1f} m deep, {height:.1f} m high; {result.faces:,} triangles, {closed}")
    terminal.say(f"lifted in {time_words(result.seconds)} by “{result.model_title}”")
    return terminal.OK


def build_request(arguments: argparse.Namespace) -> LiftRequest:
    """Return what the arguments ask for.

    Raises:
        GPSDreamError: if there is no such landmark, or a value is out of its range.
    """
    return LiftRequest(
        landmark=find_landmark(arguments.landmark, arguments.model),
        method=arguments.method,
        quality=arguments.quality,
        seed=arguments.seed,
        guidance=arguments.guidance,
        model=arguments.model,
    )


def find_landmark(name: str, model: str) -> Landmark:
    """Return a landmark by its id or name: one that comes along, a person's own, or one that the model has learned.

    Of those that come along a part of the id is enough, unless another one is called exactly so.

    Raises:
        GPSDreamError: of kind `bad_request` if there is none or more than one.
    """
    from gpsdream_app.domain.landmarks import landmark
    from gpsdream_app.library.landmarks import LandmarkStore
    from gpsdream_app.library.model_folders import find_model, read_card

    wanted = name.strip().lower()

    def exact(entries: Iterable[Landmark]) -> Landmark | None:
        return next((one for one in entries if wanted in (one.id, one.name.lower(), one.title.lower())), None)

    found = exact(entry.landmark for entry in LandmarkStore().list())
    if found is None:
        try:
            return landmark(name)
        except GPSDreamError:
            found = exact(known.landmark for known in read_card(find_model(model)).landmarks)
            if found is None:
                raise
    return found


def output_file(out: str, kind: str | None) -> Path:
    """Return the file to write: with the suffix of its format.

    Raises:
        GPSDreamError: of kind `bad_request` if there is no such format, or name and format differ.
    """
    path = Path(out).expanduser()
    suffix = path.suffix.lower().removeprefix(".")
    if kind is None:
        kind = suffix or "glb"
    if kind not in FORMATS:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, f"A mesh is not written as “{kind[:20]}”.", f"Choose one of {', '.join(FORMATS)}."
        )
    if suffix == kind:
        return path
    if suffix in FORMATS:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"“{path.name[:80]}” is no name for a file of the format {kind}.")
    return path.with_name(f"{path.name}.{kind}")


def _lift(engine: Engine, request: LiftRequest) -> LiftResult | None:
    """Have it lifted; None if it was cancelled. Raises GPSDreamError if the engine says that it failed."""
    from gpsdream_app.engine.base import new_job_id

    job_id, result = new_job_id(), None
    with (
        terminal.Progress(request.landmark.title, lambda share: f"{share:.0%}") as progress,
        terminal.cancel_on_signal(lambda: engine.cancel(job_id)),
    ):
        for event in engine.stream(request, job_id):
            match event:
                case Lifted(lift=lift):
                    result = lift
                case Cancelled():
                    return None
                case Failed(failure=failure):
                    raise GPSDreamError(failure.kind, failure.message, failure.hint, failure.details)
                case _:
                    _show(progress, event)
    return result


def _show(progress: terminal.Progress, event: Event) -> None:
    match event:
        case Queued():
            progress.stage("starting")
        case Loading(step=step, total=total, text=text):
            progress.update(step, 0, f"{text}, {step} of {total}")
        case LiftStep() as step:
            text = PHASES.get(step.phase, step.phase)
            progress.update(step.share, 1.0, text, step.seconds_left)


def write(result: LiftResult, out: Path, *, texture: bool) -> list[Path]:
    """Write the mesh of a finished lift.

    Args:
        result: the lift.
        out: the file; its suffix says the format.
        texture: whether it gets a texture; vertex colours otherwise.

    Raises:
        GPSDreamError: if there is no mesh in it, or the disk refuses.
    """
    from gpsdream_app.library.lifts import DENSITY_FILE
    from gpsdream_app.lifting.density import Density
    from gpsdream_app.lifting.files import write_mesh
    from gpsdream_app.lifting.mesh import extract, textured
    from gpsdream_app.lifting.painting import VIEWS_FILE, PaintedViews
    from gpsdream_app.lifting.result import standing_of

    density = Density.load(Path(result.folder) / DENSITY_FILE)
    mesh = extract(density)
    if texture and out.suffix.lower() != ".stl":
        mesh = textured(mesh, density, views=PaintedViews.load(Path(result.folder) / VIEWS_FILE))
    return write_mesh(mesh, out, standing_of(result.request, density, result.model_title))
