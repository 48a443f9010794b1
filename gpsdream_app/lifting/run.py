"""A lift from request to files: what the engine's lane of lifts runs, and what the table of methods measures."""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest, LiftResult
from gpsdream_app.generation.draw import choose_device
from gpsdream_app.library.lifts import CHECKPOINTS, begin_lift, find_lift, lift_folder
from gpsdream_app.library.model_folders import read_card, weights_hash
from gpsdream_app.lifting.cameras import Camera, rays_of
from gpsdream_app.lifting.density import Density
from gpsdream_app.lifting.field import Field, Occupancy, density_of
from gpsdream_app.lifting.guidance import DrawnViews
from gpsdream_app.lifting.loop import Control, Lift, Progress
from gpsdream_app.lifting.model_views import DiffusionViews
from gpsdream_app.lifting.painting import MOST_VIEWS, VIEWS_FILE, PaintedViews
from gpsdream_app.lifting.presets import config_of, framing_of
from gpsdream_app.lifting.renderer import Look, look, render_pictures
from gpsdream_app.lifting.result import finish_lift
from gpsdream_app.lifting.scale import Scale
from gpsdream_app.lifting.solid import solid
from gpsdream_app.models.checkpoint import load_pipeline

LOOK_SIDE = 256
LOOK_AZIMUTH = 30.0  # of the small picture, beside the front
SEEN_FROM, SEEN_SIDE = 36, 112  # views, and rays along their sides, that tell what can be seen
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Told:
    """What is told of a running lift.

    Attributes:
        phase: "draw", "fit", "update", "distil" or "mesh".
        step: of this phase, from 1.
        steps: of this phase.
        share: of the whole that is done, 0 to 1.
        seconds_left: None at the start.
        terms: losses by name, weighted.
        opacity: mean of the rays.
        fog: share of rays with an opacity between 0.1 and 0.9.
        preview: JPEG of four squares side by side, empty most of the time: colour, depth, normals and opacity; while
            views are drawn the last one of them and three empty squares.
    """

    phase: str
    step: int
    steps: int
    share: float
    seconds_left: float | None = None
    terms: dict[str, float] | None = None
    opacity: float = 0.0
    fog: float = 0.0
    preview: bytes = b""


OnStep = Callable[[Told], None]


def load_views(
    folder: Path, request: LiftRequest, device: str = "auto", report: Report | None = None
) -> DiffusionViews:
    """Open a model for a lift.

    Args:
        folder: of the model.
        request: what will be lifted.
        device: see `choose_device`.
        report: told (stage from 1, stages, text) before each stage.

    Raises:
        GPSDreamError: if the folder is no model, or the model cannot do what is asked.
    """
    card = read_card(folder)
    if card.landmarks and card.known_landmark(request.landmark.id) is None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{card.title}” has not learned “{request.landmark.title}”.",
            "Train a model with photos of it to lift it.",
        )
    target = choose_device(device)
    pipeline = load_pipeline(folder, dtype=torch.float32 if target.type == "cpu" else torch.float16, report=report)
    pipeline.to(target)
    if target.type == "cpu":
        pipeline.unet.to(memory_format=torch.channels_last)
    for name in ("unet", "vae", "text_encoder", "location_encoder"):
        getattr(pipeline, name).requires_grad_(False).eval()
    framing = framing_of(card, request.landmark)
    _, scale = config_of(request, card)
    views = DiffusionViews(
        pipeline,
        f"{card.name} {weights_hash(folder)[:16]}",
        framing.background,
        scale.metres / request.landmark.height,
    )
    if not views.knows_cameras and request.method is not LiftMethod.TEXT:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{card.title}” knows no angles, so it cannot lift a landmark with “{request.method}”.",
            "Choose a model of landmarks, or the method “text”.",
        )
    return views


def lift(
    request: LiftRequest,
    model: Path,
    out: Path | None = None,
    control: Control | None = None,
    on_step: OnStep | None = None,
    *,
    job_id: str = "",
    device: str = "auto",
    report: Report | None = None,
    loaded: DiffusionViews | None = None,
) -> LiftResult:
    """Lift a landmark. One that is finished already is answered at once; one that was stopped goes on.

    Args:
        request: what is asked for.
        model: the model's folder.
        out: where the lift's folder is made; `lifts_dir()` if None.
        control: to pause, keep and cancel it.
        on_step: told of every step; it must not take long.
        job_id: the job that it belongs to.
        device: see `choose_device`.
        report: told (stage from 1, stages, text) while the model is loaded.
        loaded: the model, if it is loaded already.

    Raises:
        LiftCancelled: soon after the control said so; the checkpoint stays.
        GPSDreamError: with a sentence if it cannot be done.
    """
    control = control or Control()
    weights = weights_hash(model)
    found = find_lift(request, weights, out)
    if found is not None:
        return found
    control.check()
    card = read_card(model)
    views = loaded or load_views(model, request, device, _checked(report, control))
    config, scale = config_of(request, card)
    folder = lift_folder(request, weights, out)
    begin_lift(request, folder)
    telling = _Telling(on_step)
    checkpoints = folder / CHECKPOINTS
    seconds = _Clock(checkpoints / "seconds", control)
    try:
        running = Lift(config, views, checkpoints, control, on_pass=telling)
    except GPSDreamError as error:
        if error.kind not in (ErrorKind.BAD_REQUEST, ErrorKind.MODEL_CORRUPT) or not checkpoints.is_dir():
            raise
        # Of another version, or damaged: what can be made again is no reason to fail.
        shutil.rmtree(checkpoints, ignore_errors=True)
        running = Lift(config, views, checkpoints, control, on_pass=telling)
    try:
        with views.interrupted(control.check):
            for progress in running.run():
                telling(progress)
    finally:
        seconds.save()
    telling.mesh()
    density = solid_of(running, scale, control.check_cancelled)
    with views.interrupted(control.check_cancelled):
        painted = painted_views(running, request.seed, control.check_cancelled)
    if painted is not None:
        painted.save(folder / VIEWS_FILE)
    camera = replace(running.cameras[0], azimuth=request.landmark.heading + LOOK_AZIMUTH)
    result = finish_lift(
        density,
        look(
            running.field, camera, LOOK_SIDE, config.samples * 2, running.backdrop, _occupancy(running)
        ).colour.numpy(),
        request,
        folder,
        job_id=job_id,
        seconds=seconds.total,
        model_title=card.title,
        model_hash=weights,
        kept_early=not running.finished,
    )
    if running.finished:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def _checked(report: Report | None, control: Control) -> Report:
    """Look before every stage of loading whether it is still wanted."""

    def checked(stage: int, stages: int, text: str) -> None:
        control.check_cancelled()
        if report:
            report(stage, stages, text)

    return checked


def solid_of(running: Lift, scale: Scale, check: Callable[[], None] | None = None) -> Density:
    """The field of a lift as the density that its mesh is extracted from; `check` is called now and then."""
    points = surface_points(running.field, running.cameras[0], check=check)
    density = solid(density_of(running.field, scale=scale), points)
    if check:
        check()
    return density


def painted_views(running: Lift, seed: int, check: Callable[[], None]) -> PaintedViews | None:
    """Views to paint the texture with, drawn for it; None if the model is not told the angle.

    Args:
        running: the lift.
        seed: of their noise.
        check: called before every pass of the model; what it raises ends the drawing.
    """
    source = running.source
    if running.config.method is LiftMethod.TEXT or not isinstance(source, DrawnViews):
        return None
    cameras = [replace(running.cameras[0], azimuth=360.0 * number / MOST_VIEWS) for number in range(MOST_VIEWS)]
    pixels = (source.in_one_light(cameras, seed, check).clamp(0, 1) * 255).round().to(torch.uint8)
    return PaintedViews(
        pixels.permute(0, 2, 3, 1).cpu().numpy(),
        *(
            np.array([getattr(camera, name) for camera in cameras], dtype=np.float64)
            for name in ("azimuth", "elevation", "distance", "fov", "target", "shift")
        ),
        np.array(running.flat if running.flat is not None else (math.nan,) * 3, dtype=np.float64),
    )


def surface_points(
    field: Field,
    camera: Camera,
    views: int = SEEN_FROM,
    side: int = SEEN_SIDE,
    check: Callable[[], None] | None = None,
) -> np.ndarray:
    """Points (N, 3) in field units of surfaces that cameras all round see.

    Args:
        field: what is looked at.
        camera: one of them; the others stand beside it, in steps of azimuth.
        views: cameras.
        side: rows and columns of rays of each.
        check: called now and then; what it raises ends the search.
    """
    cameras = [replace(camera, azimuth=360.0 * number / views) for number in range(views)]
    occupancy = Occupancy(field.extent)
    occupancy.update(field)
    seen = render_pictures(field, cameras, side, side, samples=96, occupancy=occupancy, before_chunk=check)
    rays = rays_of(cameras, side, side, seen.depth.device).flat()
    hit = seen.opacity > 0.5
    points = rays.origins[hit] + rays.directions[hit] * seen.depth[hit, None]
    return points.cpu().numpy()


def _occupancy(running: Lift) -> Occupancy:
    occupancy = Occupancy(running.field.extent)
    occupancy.update(running.field)
    return occupancy


class _Clock:
    """Seconds that a lift has taken over all its sessions, without pauses, kept beside its checkpoints."""

    def __init__(self, path: Path, control: Control) -> None:
        self._path, self._control = path, control
        self._begun, self._waited = time.monotonic(), control.waited
        try:
            self._before = max(0.0, float(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            self._before = 0.0

    @property
    def total(self) -> float:
        return self._before + time.monotonic() - self._begun - (self._control.waited - self._waited)

    def save(self) -> None:
        if self._path.parent.is_dir():
            self._path.write_text(f"{self.total:.3f}", encoding="utf-8")


class _Telling:
    """Turns the loop's progress into what is told."""

    def __init__(self, on_step: OnStep | None) -> None:
        self._on_step = on_step
        self._share = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._on_step is None:
            return
        preview = b""
        if progress.look is not None:
            preview = side_by_side(progress.look)
        elif progress.view is not None:
            preview = one_of_four(progress.view)
        self._share = max(self._share, progress.share * 0.99)  # estimates change; what is shown never goes back
        self._on_step(
            Told(
                progress.phase.name,
                progress.step,
                progress.steps,
                self._share,
                progress.seconds_left,
                dict(progress.terms),
                progress.opacity,
                progress.fog,
                preview,
            )
        )

    def mesh(self) -> None:
        """Say that the mesh is being made."""
        if self._on_step:
            self._on_step(Told("mesh", 1, 1, 0.99))


def side_by_side(shown: Look) -> bytes:
    """A JPEG of colour, depth, normals and opacity."""
    return _jpeg(np.concatenate([part.numpy() for part in (shown.colour, shown.depth, shown.normal, shown.opacity)], 1))


def one_of_four(view: torch.Tensor) -> bytes:
    """A JPEG of one view (3, side, side) and three empty squares."""
    picture = (view.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    empty = np.full_like(picture, 40)
    return _jpeg(np.concatenate([picture, empty, empty, empty], 1))


def _jpeg(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
