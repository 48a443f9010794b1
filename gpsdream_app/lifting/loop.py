"""The lift: from a model of views to a field, step by step, with checkpoints that it can be taken up from.

A lift is a list of phases (draw views, fit them, update them, distil) that follows from its config. All chance follows
from the seed, the phase and the step, so that a lift that was stopped anywhere and resumed ends in the same field.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.lifting import losses
from gpsdream_app.lifting.cameras import Camera, Lenses, rays_of, ring
from gpsdream_app.lifting.control import Control as Control
from gpsdream_app.lifting.control import LiftCancelled as LiftCancelled
from gpsdream_app.lifting.control import LiftKept
from gpsdream_app.lifting.field import EMPTY, FIELDS, DenseGrid, Field, Occupancy
from gpsdream_app.lifting.guidance import (
    DrawnViews,
    Form,
    NoiseModel,
    PictureSource,
    Times,
    conditions_for,
    distil,
    noise_like,
    time_of,
    words_against,
)
from gpsdream_app.lifting.registration import Freedom, Registration
from gpsdream_app.lifting.renderer import Background, Light, Look, Shading, look, render_pictures, render_rays

PREVIEWS_PER_SECOND = 5.0
PREVIEW_SHARE = 0.1  # of the time that previews may take
EMPTY_OPACITY, EMPTY_STEPS = 0.02, 50
OCCUPANCY_EVERY = 16
KEY = (0.04, 0.14)  # distances from the background's colour, in its most different channel: still that, surely not
SOLID = 2.5  # raw density inside the outlines of all views
PARTS_EVERY = 20.0  # seconds between checkpoints while views are drawn
# Seconds that a pass of the model and a step take, until they have been measured; only their relation counts.
NOMINAL_SECONDS = {"pass": 0.25, "fit": 0.06, "distil": 0.25}
FORMAT = 2
STATE = "lift.json"


class Method(StrEnum):
    """How a field is made."""

    VIEWS = "views"
    """Draw a ring of views, fit the field to them."""
    REFINE = "refine"
    """As `VIEWS`, then draw the views again from the renders and fit these."""
    SDS = "sds"
    """Score distillation with the angle told to the model (the paper)."""
    TEXT = "text"
    """Score distillation with the view in words only (DreamFusion)."""


class Surroundings(StrEnum):
    """What is behind the field."""

    MODEL = "model"
    """The flat colour that the model was trained with; learned if it was trained with surroundings."""
    LEARNED = "learned"
    """A smooth colour for every direction."""
    RANDOM = "random"
    """Another flat colour for every picture, so that nothing can hide before it; only for distillation."""


@dataclass(frozen=True)
class Weights:
    """How much each loss counts beside the picture (weight 1)."""

    total_variation: float = 0.05
    entropy: float = 0.02
    sparsity: float = 0.01
    orientation: float = 0.0
    thickness: float = 0.0
    silhouette: float = 0.0
    registration: float = 0.002


DEFAULT_WEIGHTS = Weights()


@dataclass(frozen=True)
class LiftConfig:
    """Everything that decides a lift. Two equal configs give the same field with the same model on the same device.

    Attributes:
        method: see Method.
        prompt: the words.
        seed: of all chance.
        front: heading that the landmark's front faces, degrees; only for words.
        views: pictures of the ring.
        elevations: of the cameras, degrees; they take turns in the ring, and distillation draws between their ends.
        distance: of the cameras from the centre, field units.
        fov: vertical angle of view, degrees.
        target: the point that all cameras look at, (east, north, up) in field units.
        shift: where it lies in the pictures; see Camera.
        drawing_steps: denoising steps of each view.
        guidance: weight of the classifier-free guidance.
        against: of `TEXT`: how much the words of the other views count against those of the view; see `guided`.
        field: "dense" or "tri-plane".
        extent: half the box, field units (east, north, up).
        resolutions: cells along the longest side, coarse to fine; all but the last share the first half of the steps.
        samples: per ray.
        steps: of fitting or distilling.
        rays: per step of fitting.
        rate, last_rate: learning rate of the grid at the first and the last step; it falls exponentially.
        carve: of views on a flat background: begin with what lies in the outlines of all of them but this share, solid,
            instead of a hill in thin air; None for the hill. For dense grids.
        similarity, gain, azimuth: what a view may do differently; see registration.
        rounds, round_steps, strength: of `REFINE`: how often views are drawn again, steps of fitting after each, and
            the time from which they are drawn.
        batch: views per step of distillation.
        pixels: height and width of what is rendered for distillation.
        times, form, rescale: of distillation; see guidance.
        shaded, textureless: shares of shaded renders and, of these, of white ones, after `shading_after` of the steps.
        surroundings: see Surroundings.
        weights: of the losses.
        checkpoint_every: steps between checkpoints.
    """

    method: Method = Method.REFINE
    prompt: str = ""
    seed: int = 0
    front: float = 180.0
    views: int = 72
    elevations: tuple[float, ...] = (0.0,)
    distance: float = 3.0
    fov: float = 40.0
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    drawing_steps: int = 10
    guidance: float = 2.0
    against: float = 0.0
    field: str = "dense"
    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resolutions: tuple[int, ...] = (32, 64)
    samples: int = 64
    steps: int = 400
    rays: int = 4096
    rate: float = 0.2
    last_rate: float = 0.03
    carve: float | None = None
    similarity: bool = False
    gain: bool = False
    azimuth: bool = False
    rounds: int = 1
    round_steps: int = 150
    strength: float = 0.4
    batch: int = 4
    pixels: int = 48
    times: Times = Times.ANNEALED
    form: Form = Form.NOISE
    rescale: float = 0.5
    shaded: float = 0.0
    textureless: float = 0.5
    shading_after: float = 0.1
    surroundings: Surroundings = Surroundings.MODEL
    weights: Weights = DEFAULT_WEIGHTS
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        checks = {
            "views": self.views >= 1,
            "elevations": len(self.elevations) > 0,
            "drawing_steps": self.drawing_steps >= 1,
            "field": self.field in FIELDS,
            "resolutions": len(self.resolutions) > 0
            and all(4 <= n <= 512 for n in self.resolutions)
            and list(self.resolutions) == sorted(self.resolutions),
            "samples": self.samples >= 2,
            "steps": self.steps >= 1,
            "rays": self.rays >= 1,
            "rate": self.rate > 0 and self.last_rate > 0,
            "rounds": self.rounds >= 0 and self.round_steps >= 0,
            "carve": self.carve is None or 0.0 <= self.carve < 1.0,
            "strength": 0.0 < self.strength < 1.0,
            "batch": self.batch >= 1,
            "pixels": self.pixels >= 4,
            "checkpoint_every": self.checkpoint_every >= 1,
        }
        for name, good in checks.items():
            if not good:
                value = getattr(self, name)
                raise GPSDreamError(ErrorKind.BAD_REQUEST, f"The lift's setting “{name}” cannot be {value!r}.")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LiftConfig:
        """The reverse of `to_dict`.

        Raises:
            GPSDreamError: of kind `bad_request` for a setting that is unknown or out of range.
        """
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A lift has no setting “{sorted(unknown)[0]}”.")
        read = dict(values)
        kinds = {"method": Method, "times": Times, "form": Form, "surroundings": Surroundings}
        try:
            for name, kind in kinds.items():
                if name in read:
                    read[name] = kind(read[name])
            for name in ("elevations", "extent", "resolutions", "target", "shift"):
                if name in read:
                    read[name] = tuple(read[name])
            if isinstance(read.get("weights"), Mapping):
                read["weights"] = Weights(**read["weights"])
            return cls(**read)
        except (TypeError, ValueError) as error:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, "The settings of the lift cannot be read.", details=str(error)
            ) from error


def paper_config(prompt: str = "", steps: int = 10_000, **others: Any) -> LiftConfig:
    """The paper's recipe: annealed times, w = sigma², orientation and opacity losses, shading after a tenth of it.

    The paper does not print its guidance, distances and sizes; those are the defaults here.
    """
    values: dict[str, Any] = {
        "method": Method.SDS,
        "prompt": prompt,
        "steps": steps,
        "times": Times.ANNEALED,
        "form": Form.NOISE,
        "shaded": 0.75,
        "textureless": 0.5,
        "weights": Weights(orientation=0.1, sparsity=0.05),
    }
    return LiftConfig(**(values | others))


@dataclass(frozen=True)
class Phase:
    """One stretch of a lift.

    Attributes:
        name: "draw", "update", "fit" or "distil".
        steps: of fitting or distilling; 1 for the others.
        number: of the round, 0 for the first.
    """

    name: str
    steps: int
    number: int = 0


def phases_of(config: LiftConfig) -> list[Phase]:
    """What a lift does, in order."""
    if config.method in (Method.SDS, Method.TEXT):
        return [Phase("distil", config.steps)]
    phases = [Phase("draw", 1), Phase("fit", config.steps)]
    if config.method is Method.REFINE and config.round_steps > 0:
        for number in range(1, config.rounds + 1):
            phases += [Phase("update", 1, number), Phase("fit", config.round_steps, number)]
    return phases


@dataclass(frozen=True)
class Progress:
    """What is told after every step.

    Attributes:
        phase: see Phase.
        step: of this phase, from 1; passes of the model while views are drawn.
        steps: of this phase.
        share: of the whole that is done, 0 to 1.
        terms: the losses by name, weighted.
        opacity: mean of the rendered rays.
        fog: share of rays with an opacity between 0.1 and 0.9.
        look: four pictures of the field; None most of the time.
        view: (3, side, side), 0 to 1, the last view that was drawn; None but now and then while views are drawn.
        seconds_left: at the present pace; None at the start.
    """

    phase: Phase
    step: int
    steps: int
    share: float
    terms: Mapping[str, float]
    opacity: float
    fog: float
    look: Look | None = None
    view: torch.Tensor | None = None
    seconds_left: float | None = None


class Lift:
    """One lift.

    Args:
        config: everything that decides it.
        model: a `PictureSource` for `VIEWS` and `REFINE`; a `NoiseModel` for all methods.
        folder: for checkpoints; None writes none. A lift of the same config and model in it is taken up.
        control: to pause, stop and cancel it.
        device: where the field lies; None is the model's, or the CPU.
        previews: side of the previews in pixels; 0 for none.
        on_pass: told the progress after every pass of the model while views are drawn.

    Raises:
        GPSDreamError: of kind `bad_request` if the model cannot do this method, or the folder holds another lift;
            `model_corrupt` if its checkpoint cannot be read.
    """

    def __init__(
        self,
        config: LiftConfig,
        model: PictureSource | NoiseModel,
        folder: Path | None = None,
        control: Control | None = None,
        device: torch.device | str | None = None,
        previews: int = 96,
        on_pass: Callable[[Progress], None] | None = None,
    ) -> None:
        self.config, self.folder, self.control = config, folder, control or Control()
        self.on_pass = on_pass
        self.device = torch.device(device or getattr(model, "device", "cpu"))
        self.noise_model: NoiseModel | None = model if hasattr(model, "predict") else None
        self.source: PictureSource | None = model if hasattr(model, "pictures") else None
        self.model_name, self.flat = model.name, model.background
        distilling = config.method in (Method.SDS, Method.TEXT)
        if distilling and self.noise_model is None:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, f"“{model.name}” gives pictures only; {config.method} needs noise."
            )
        if self.source is None and self.noise_model is not None:
            self.source = DrawnViews(
                self.noise_model, config.prompt, config.drawing_steps, config.guidance, front=config.front
            )
        if not distilling and config.surroundings is Surroundings.RANDOM:
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST, "Random surroundings are for distillation; views have their own."
            )
        self.phases = phases_of(config)
        self.cameras = ring(
            config.views, config.elevations, config.distance, config.fov, target=config.target, shift=config.shift
        )
        self.previews = previews
        self.phase, self.step, self.finished = 0, 0, False
        self._empty_steps, self._looks, self._look_due = 0, 0, 0.0
        self._pictures: torch.Tensor | None = None
        self._masks: torch.Tensor | None = None
        self._drawn = 0  # times that the views were drawn
        self._parts: list[torch.Tensor] = []  # of the views that are being drawn
        self._taken = dict.fromkeys(NOMINAL_SECONDS, (0.0, 0))  # seconds and how many
        self._passes = 0  # of this phase
        self._start(config.resolutions[0])
        if folder is not None and (folder / STATE).is_file():
            self._load(folder)

    # What is learned

    def _start(self, resolution: int) -> None:
        config = self.config
        self.field: Field = FIELDS[config.field](resolution, config.extent).to(self.device)
        self.occupancy = Occupancy(config.extent, resolution=min(32, config.resolutions[-1] // 2))
        freedom = Freedom(config.similarity, config.gain, config.azimuth)
        self.registration = Registration(config.views, freedom).to(self.device)
        learned = config.surroundings is Surroundings.LEARNED or (
            config.surroundings is Surroundings.MODEL and self.flat is None
        )
        self.background = Background().to(self.device) if learned else None
        self._lenses = Lenses(self.cameras, self.device)
        self._make_optimiser()

    def _make_optimiser(self) -> None:
        groups = self.field.parameter_groups(self.config.rate)
        groups += self.registration.parameter_groups()
        if self.background is not None:
            groups.append({"params": list(self.background.parameters()), "lr": 0.01})
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15)

    @property
    def backdrop(self) -> torch.Tensor | Background | None:
        """What previews and files show behind the field."""
        if self.background is not None:
            return self.background
        return torch.tensor(self.flat if self.flat is not None else (1.0, 1.0, 1.0), device=self.device)

    @property
    def steps_done(self) -> int:
        """Of fitting and distilling."""
        before = sum(phase.steps for phase in self.phases[: self.phase] if phase.name in ("fit", "distil"))
        now = self.phase < len(self.phases) and self.phases[self.phase].name in ("fit", "distil")
        return before + (self.step if now else 0)

    @property
    def steps_in_all(self) -> int:
        """Of fitting and distilling."""
        return sum(phase.steps for phase in self.phases if phase.name in ("fit", "distil"))

    # The loop

    def run(self) -> Iterator[Progress]:
        """Go through the phases; the field is ready when the iterator ends. `finished` says whether that was the last
        step: it was not if a person kept it early.

        Raises:
            LiftCancelled: as soon as the control says so, between two passes of the model.
            GPSDreamError: with a sentence if numbers stop being finite or the field becomes empty.
        """
        try:
            while self.phase < len(self.phases):
                phase = self.phases[self.phase]
                drawing = phase.name in ("draw", "update")
                while self.step < phase.steps:
                    self._between_steps()
                    begun = time.monotonic(), self.control.waited
                    progress = self._one_step(phase)
                    self.step += 1
                    if drawing or self.step % self.config.checkpoint_every == 0:
                        self.save()
                    if not drawing:
                        self._take_time(phase.name, *begun)
                    yield self._progress_now(phase, *progress, look=self._look_if_due())
                self.phase, self.step = self.phase + 1, 0
        except LiftKept:
            if self.steps_done == 0:
                raise GPSDreamError(
                    ErrorKind.BAD_REQUEST, "Nothing has been lifted yet, so there is nothing to keep."
                ) from None
            self.save()
            return
        self.finished = True
        self.save()

    def _between_steps(self) -> None:
        self.control.check()
        if self.control.paused:
            self.save()
            self.control.wait()

    def _take_time(self, kind: str, begun: float, waited: float) -> None:
        """Count a pass or step that began at `begun`, when the control had waited for `waited` seconds."""
        seconds, count = self._taken[kind]
        self._taken[kind] = seconds + time.monotonic() - begun - (self.control.waited - waited), count + 1

    def _seconds(self, kind: str) -> float:
        """What one pass or step takes: as measured, else by what others take beside what was thought of them."""
        seconds, count = self._taken[kind]
        if count:
            return seconds / count
        known = {other: taken for other, taken in self._taken.items() if taken[1]}
        thought = sum(NOMINAL_SECONDS[other] * taken[1] for other, taken in known.items())
        factor = sum(taken[0] for taken in known.values()) / thought if known else 1.0
        return NOMINAL_SECONDS[kind] * factor

    def _passes_of(self, phase: Phase) -> int:
        count = getattr(self.source, "passes", None)
        if count is None:
            return 1
        return int(count(len(self.cameras), self.config.strength if phase.name == "update" else None))

    def _progress_now(
        self,
        phase: Phase,
        terms: Mapping[str, float] | None = None,
        opacity: float = 0.0,
        fog: float = 0.0,
        look: Look | None = None,
        view: torch.Tensor | None = None,
    ) -> Progress:
        done = left = 0.0
        for number, one in enumerate(self.phases):
            drawing = one.name in ("draw", "update")
            count = self._passes_of(one) if drawing else one.steps
            so_far = count if number < self.phase else 0
            if number == self.phase:
                so_far = min(count, self._passes if drawing else self.step)
            each = self._seconds("pass" if drawing else one.name)
            done, left = done + so_far * each, left + (count - so_far) * each
        drawing = phase.name in ("draw", "update")
        steps = self._passes_of(phase) if drawing else phase.steps
        return Progress(
            phase,
            (steps if self.step else min(self._passes, steps)) if drawing else self.step,
            steps,
            done / max(done + left, 1e-9),
            terms or {},
            opacity,
            fog,
            look,
            view,
            left if any(count > 1 for _, count in self._taken.values()) else None,
        )

    def _one_step(self, phase: Phase) -> tuple[dict[str, float], float, float]:
        if phase.name == "draw":
            self._take_pictures(self._draw_views(phase, self.config.seed, None))
            return {}, 0.0, 0.0
        if phase.name == "update":
            self._update_views(phase)
            return {}, 0.0, 0.0
        self._sharpen(phase)
        if phase.name == "fit" and phase.number == 0 and self.step == 0 and self.config.carve is not None:
            self._carve(self.config.carve)
        self._set_rates(phase)
        if self.steps_done % OCCUPANCY_EVERY == 0 and self.steps_done > 0:
            self.occupancy.update(self.field)
        generator = self._generator()
        terms, opacity = self._fit(phase, generator) if phase.name == "fit" else self._distil(phase, generator)
        total = torch.stack(list(terms.values())).sum()
        numbers = {name: float(value.detach()) for name, value in terms.items()}
        self._check_numbers(numbers)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        mean = float(opacity.mean())
        self._check_not_empty(mean)
        return numbers, mean, float(losses.fog(opacity))

    def _source(self) -> PictureSource:
        assert self.source is not None
        return self.source

    def _generator(self) -> torch.Generator:
        """Chance of this step alone."""
        number = (self.config.seed * 1_000_003 + self.phase) * 1_000_003 + self.step
        return torch.Generator().manual_seed(number % 2**63)

    def _progress(self, phase: Phase) -> float:
        return self.step / phase.steps

    def _sharpen(self, phase: Phase) -> None:
        """Take the resolution of this step; the last one from the middle of the first stretch on."""
        levels = self.config.resolutions
        wanted = levels[-1]
        if phase.number == 0 and len(levels) > 1:
            wanted = levels[min(len(levels) - 1, int(self._progress(phase) * 2.0 * (len(levels) - 1)))]
        if wanted != self.field.resolution:
            self.field.refine(wanted)
            self._make_optimiser()
            if self.occupancy.cells is not None:
                self.occupancy.update(self.field)

    def _set_rates(self, phase: Phase) -> None:
        config = self.config
        first = config.rate if phase.number == 0 else math.sqrt(config.rate * config.last_rate)
        rate = first * (config.last_rate / first) ** self._progress(phase)
        for group in self.optimiser.param_groups:
            if "share" in group:
                group["lr"] = rate * group["share"]

    # Drawing views

    def _draw_views(self, phase: Phase, seed: int, seen: torch.Tensor | None) -> torch.Tensor:
        """Have all views drawn, or those `seen` drawn again, some at a time; a checkpoint keeps what is done."""
        source, count = self._source(), len(self.cameras)
        together = getattr(source, "together", None)
        group = int(together or count)
        groups_before = len(self._parts)
        self._passes = self._passes_of(phase) * groups_before * group // count
        saved = time.monotonic()
        begun: tuple[float, float] | None = None

        def before_pass() -> None:
            nonlocal begun
            if begun:
                self._take_time("pass", *begun)
                if self.on_pass:
                    self.on_pass(self._progress_now(phase))
            self._passes += 1
            self._between_steps()
            begun = time.monotonic(), self.control.waited

        for start in range(groups_before * group, count, group):
            part = slice(start, start + group)
            more = {"first": start} if together else {}
            if seen is None:
                drawn = source.pictures(self.cameras[part], seed, before_pass, **more)
            else:
                drawn = source.again(seen[part], self.cameras[part], seed, self.config.strength, before_pass, **more)
            self._parts.append(drawn.to(self.device))
            if self.on_pass:
                self.on_pass(self._progress_now(phase, view=drawn[-1]))
            if time.monotonic() - saved > PARTS_EVERY and start + group < count:
                self.save()
                saved = time.monotonic()
        drawn, self._parts, self._passes = torch.cat(self._parts), [], 0
        return drawn

    def _take_pictures(self, pictures: torch.Tensor) -> None:
        self._pictures, self._masks = pictures.to(self.device), None
        self._drawn += 1
        if not bool(torch.isfinite(self._pictures).all()):
            raise GPSDreamError(
                ErrorKind.INTERNAL,
                "The model drew views with values that are not numbers.",
                "Draw them in full precision, or with less guidance.",
            )

    def _update_views(self, phase: Phase) -> None:
        assert self._pictures is not None
        side = self._pictures.shape[-1]
        seen = render_pictures(
            self.field,
            self.cameras,
            side,
            side,
            samples=self.config.samples,
            background=self.backdrop,
            occupancy=self.occupancy if self.occupancy.cells is not None else None,
            before_chunk=self.control.check,
        ).pictures(len(self.cameras), side, side)
        self.control.check()
        seed = self.config.seed + 7919 * phase.number
        self._take_pictures(self._draw_views(phase, seed, seen))
        # What the new pictures show has the framing of the renders: nothing is left to register.
        with torch.no_grad():
            for parameter in self.registration.parameters():
                parameter.zero_()
        self._make_optimiser()

    # Fitting views

    def _silhouettes(self) -> torch.Tensor:
        """How surely each pixel of the views is not the flat background, (views, 1, side, side), 0 to 1."""
        assert self._pictures is not None and self.flat is not None
        if self._masks is None:
            flat = torch.tensor(self.flat, device=self.device).reshape(1, 3, 1, 1)
            away = (self._pictures - flat).abs().amax(dim=1, keepdim=True)
            self._masks = ((away - KEY[0]) / (KEY[1] - KEY[0])).clamp(0, 1)
        return self._masks

    @torch.no_grad()
    def _carve(self, missing: float) -> None:
        """Begin with the hull of the outlines: what lies in all of them but a share `missing`."""
        if not isinstance(self.field, DenseGrid) or self.flat is None:
            return
        masks = self._silhouettes()
        side = masks.shape[-1]
        points = self.field.lattice().reshape(-1, 3)
        outside = torch.zeros(points.shape[0], device=self.device)
        known = torch.zeros_like(outside)
        for number, camera in enumerate(self.cameras):
            axes = torch.tensor(camera.axes, dtype=points.dtype, device=self.device)
            seen = (points - torch.tensor(camera.position, dtype=points.dtype, device=self.device)) @ axes.T
            width = seen[:, 2] * 2.0 * math.tan(math.radians(camera.fov) / 2.0)
            x, y = seen[:, 0] / width + camera.shift[0], camera.shift[1] - seen[:, 1] / width
            # A pixel's width of doubt about where the outline is.
            inside = (x.abs() < 0.5 - 0.5 / side) & (y.abs() < 0.5 - 0.5 / side) & (seen[:, 2] > 0)
            view = torch.full_like(x, number, dtype=torch.long)
            known += inside
            outside += inside & (read_pictures(masks, view, x, y).squeeze(1) < 0.5)
        hull = (outside <= missing * known) & (known > 0)
        raw = torch.where(hull, self.field.raw.new_tensor(SOLID), self.field.raw.new_tensor(EMPTY))
        self.field.raw[0, 0] = raw.reshape(self.field.shape)
        self._make_optimiser()

    def _fit(self, phase: Phase, generator: torch.Generator) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        config, pictures = self.config, self._pictures
        assert pictures is not None
        side = pictures.shape[-1]
        views = torch.randint(len(self.cameras), (config.rays,), generator=generator).to(self.device)
        pixels = torch.randint(side * side, (config.rays,), generator=generator).to(self.device)
        x = (torch.remainder(pixels, side) + 0.5) / side - 0.5
        y = (torch.div(pixels, side, rounding_mode="floor") + 0.5) / side - 0.5
        rays = self.registration.turn(views, self._lenses.rays(views, x, y))
        seen = render_rays(
            self.field,
            rays,
            samples=config.samples,
            occupancy=self.occupancy if self.occupancy.cells is not None else None,
            generator=generator,
            normals=config.weights.orientation > 0,
        )
        matter = self.registration.tint(views, seen.colour)
        backdrop = self.backdrop
        behind = backdrop(rays.directions) if isinstance(backdrop, Background) else backdrop
        colour = matter + (1.0 - seen.opacity)[:, None] * behind
        placed = self.registration.place(views, x, y)
        terms = {"picture": losses.photometric(colour, read_pictures(pictures, views, *placed))}
        if config.weights.silhouette > 0 and self.flat is not None:
            mask = read_pictures(self._silhouettes(), views, *placed).squeeze(1)
            terms["silhouette"] = config.weights.silhouette * losses.silhouette(seen.opacity, mask)
        terms |= self._regularisers(phase, seen.opacity, seen.facing_away, seen.spread)
        if config.similarity or config.gain or config.azimuth:
            terms["registration"] = config.weights.registration * self.registration.prior()
        return terms, seen.opacity.detach()

    def _regularisers(
        self, phase: Phase, opacity: torch.Tensor, facing_away: torch.Tensor, spread: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        weights = self.config.weights
        # An undecided ray must be free to decide at first.
        ramp = 1.0 if phase.number else min(1.0, 2.0 * self._progress(phase))
        wanted = {
            "total_variation": (weights.total_variation, lambda: self.field.total_variation()),
            "entropy": (weights.entropy * ramp, lambda: losses.entropy(opacity)),
            "sparsity": (weights.sparsity, lambda: losses.sparsity(opacity)),
            "orientation": (weights.orientation, lambda: losses.orientation(facing_away)),
            "thickness": (weights.thickness * ramp, lambda: losses.thickness(spread, opacity)),
        }
        return {name: weight * value() for name, (weight, value) in wanted.items() if weight > 0}

    # Distilling

    def _distil(self, phase: Phase, generator: torch.Generator) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        config, model = self.config, self.noise_model
        assert model is not None
        chance = torch.rand(7 + 4 * config.batch, generator=generator).tolist()
        low, high = min(config.elevations), max(config.elevations)
        cameras = [
            Camera(
                360.0 * (i + chance[0]) / config.batch + 360.0 / config.batch * (chance[7 + i] - 0.5),
                low + (high - low) * chance[7 + config.batch + i],
                config.distance,
                config.fov,
                config.target,
                config.shift,
            )
            for i in range(config.batch)
        ]
        shading, light = Shading.ALBEDO, None
        if self._progress(phase) >= config.shading_after and chance[1] < config.shaded:
            shading = Shading.TEXTURELESS if chance[2] < config.textureless else Shading.LAMBERTIAN
            # Somewhere about the first camera, above it.
            east, north, up = cameras[0].position.tolist()
            light = Light((east + 2 * chance[3] - 1, north + 2 * chance[4] - 1, up + 1 + chance[5]))
        side = config.pixels
        rays = rays_of(cameras, side, side, self.device).flat()
        if config.surroundings is Surroundings.RANDOM:
            colours = torch.rand(config.batch, 3, generator=generator).to(self.device)
            behind = colours.repeat_interleave(side * side, dim=0)
        else:
            backdrop = self.backdrop
            behind = backdrop(rays.directions) if isinstance(backdrop, Background) else backdrop
        seen = render_rays(
            self.field,
            rays,
            samples=config.samples,
            background=behind,
            occupancy=self.occupancy if self.occupancy.cells is not None else None,
            generator=generator,
            shading=shading,
            light=light,
            normals=config.weights.orientation > 0,
        )
        pictures = seen.pictures(config.batch, side, side)
        if side != model.side:
            pictures = F.interpolate(pictures, (model.side, model.side), mode="bilinear", align_corners=False)
        self.control.check()
        t = time_of(config.times, self._progress(phase), chance[6])
        seed = int(torch.randint(2**31, (1,), generator=generator))
        noise = noise_like(config.batch, model.latent_shape, seed, model.device)
        by_words = config.method is Method.TEXT
        conditions = conditions_for(config.prompt, cameras, by_words, config.front)
        perpendicular = by_words and config.against > 0
        done = distil(
            model,
            pictures,
            conditions,
            t,
            noise,
            guidance=config.guidance,
            form=config.form,
            rescale=config.rescale,
            against=words_against(config.prompt, cameras, config.against, config.front) if perpendicular else (),
        )
        if done.replaced:
            raise GPSDreamError(
                ErrorKind.INTERNAL,
                f"The model answered with {done.replaced:,} values that are not numbers at step {self.step + 1:,}.",
                "Lift in full precision, or with less guidance.",
            )
        terms = {"distillation": done.loss}
        terms |= self._regularisers(phase, seen.opacity, seen.facing_away, seen.spread)
        return terms, seen.opacity.detach()

    # Guards and previews

    def _check_numbers(self, numbers: Mapping[str, float]) -> None:
        bad = [name.replace("_", " ") for name, value in numbers.items() if not math.isfinite(value)]
        if bad:
            named = " and ".join(part for part in (", ".join(bad[:-1]), bad[-1]) if part)
            raise GPSDreamError(
                ErrorKind.INTERNAL,
                f"The lift broke off at step {self.step + 1:,}: its loss is not a number any more ({named}).",
                "Go on from the last checkpoint with a smaller learning rate.",
            )

    def _check_not_empty(self, opacity: float) -> None:
        self._empty_steps = self._empty_steps + 1 if opacity < EMPTY_OPACITY else 0
        if self._empty_steps >= EMPTY_STEPS:
            raise GPSDreamError(
                ErrorKind.INTERNAL,
                f"The lift broke off at step {self.step + 1:,}: the field has become empty, "
                f"with a mean opacity of {opacity:.3f}.",
                "Lower the weight of sparsity, or check that the views show the landmark.",
            )

    def _look_if_due(self) -> Look | None:
        if self.previews <= 0 or time.monotonic() < self._look_due:
            return None
        start = time.monotonic()
        camera = replace(self.cameras[0], azimuth=180.0 + 9.0 * self._looks)
        shown = look(
            self.field,
            camera,
            self.previews,
            self.config.samples,
            self.backdrop,
            self.occupancy if self.occupancy.cells is not None else None,
        )
        self._looks += 1
        end = time.monotonic()
        self._look_due = end + max(1.0 / PREVIEWS_PER_SECOND, (end - start) / PREVIEW_SHARE)
        return shown

    # Checkpoints

    def save(self) -> None:
        """Write a checkpoint, whole or not at all. The JSON names the tensors' files and is replaced last."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        modules = {"field": self.field, "registration": self.registration, "background": self.background}
        for prefix, module in modules.items():
            if module is not None:
                tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        if self.occupancy.cells is not None:
            tensors["occupancy"] = self.occupancy.cells.to(torch.uint8)
        name = f"state-{self.phase:02d}-{self.step:06d}{'-end' if self.finished else ''}.safetensors"
        self._write_tensors(name, tensors)
        views = None
        if self._pictures is not None:
            views = f"views-{self._drawn:02d}.safetensors"
            if not (self.folder / views).is_file():
                self._write_tensors(views, {"pictures": self._pictures})
        parts = None
        if self._parts:
            parts = f"views-{self._drawn:02d}-part-{len(self._parts):04d}.safetensors"
            if not (self.folder / parts).is_file():
                self._write_tensors(parts, {f"{number:04d}": part for number, part in enumerate(self._parts)})
        state = {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "model": self.model_name,
            "phase": self.phase,
            "step": self.step,
            "resolution": self.field.resolution,
            "empty_steps": self._empty_steps,
            "drawn": self._drawn,
            "finished": self.finished,
            "state": name,
            "views": views,
            "parts": parts,
        }
        temporary = self.folder / f".{STATE}.part"
        temporary.write_text(json.dumps(state, indent=1), encoding="utf-8")
        temporary.replace(self.folder / STATE)
        for old in [*self.folder.glob("state-*.safetensors"), *self.folder.glob("views-*.safetensors")]:
            if old.name not in (name, views, parts):
                old.unlink(missing_ok=True)

    def _write_tensors(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        assert self.folder is not None
        temporary = self.folder / f".{name}.part"
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, temporary)
        temporary.replace(self.folder / name)

    def _load(self, folder: Path) -> None:
        try:
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            same = state["config"] == json.loads(json.dumps(self.config.to_dict()))
            if state["format"] != FORMAT or not same or state["model"] != self.model_name:
                raise GPSDreamError(
                    ErrorKind.BAD_REQUEST,
                    f"“{folder.name}” holds another lift, with other settings or another model.",
                    "Choose an empty folder, or go on with the same settings.",
                )
            tensors = load_file(folder / state["state"], device=str(self.device))
            self.phase, self.step, self.finished = state["phase"], state["step"], state["finished"]
            self._empty_steps, self._drawn = state["empty_steps"], state["drawn"]
            self.field.refine(state["resolution"])
            modules = {"field": self.field, "registration": self.registration, "background": self.background}
            for prefix, module in modules.items():
                if module is not None:
                    found = {
                        name.removeprefix(f"{prefix}."): value
                        for name, value in tensors.items()
                        if name.startswith(f"{prefix}.")
                    }
                    module.load_state_dict(found)
            self._make_optimiser()
            learned: dict[int, dict[str, torch.Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith("optimiser."):
                    _, index, key = name.split(".")
                    learned.setdefault(int(index), {})[key] = value.cpu() if key == "step" else value
            self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": learned})
            if "occupancy" in tensors:
                self.occupancy.cells = tensors["occupancy"].bool()
            if state["views"] is not None:
                self._pictures = load_file(folder / state["views"], device=str(self.device))["pictures"]
            if state["parts"] is not None:
                found = load_file(folder / state["parts"], device=str(self.device))
                self._parts = [found[number] for number in sorted(found)]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"The checkpoint of the lift in “{folder.name}” cannot be read.",
                "Start the lift again in an empty folder.",
                details=str(error),
            ) from error


def read_pictures(pictures: torch.Tensor, views: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Colours of pictures at points, read bilinearly; can be differentiated with respect to where.

    Args:
        pictures: (V, 3, H, W).
        views: (N,) numbers of pictures.
        x, y: (N,) right and down from the middle as a share of the height; the border goes on outside.

    Returns:
        (N, 3).
    """
    height, width = pictures.shape[-2:]
    column = (x * height + width / 2 - 0.5).clamp(0, width - 1)
    row = (y * height + height / 2 - 0.5).clamp(0, height - 1)
    left = column.detach().floor().long().clamp(max=max(0, width - 2))
    top = row.detach().floor().long().clamp(max=max(0, height - 2))
    across, down = (column - left)[:, None], (row - top)[:, None]
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    upper = pictures[views, :, top, left] * (1 - across) + pictures[views, :, top, right] * across
    lower = pictures[views, :, bottom, left] * (1 - across) + pictures[views, :, bottom, right] * across
    return upper * (1 - down) + lower * down
