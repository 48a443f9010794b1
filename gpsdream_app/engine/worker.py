"""The engine's process. The main thread answers commands at once; one worker thread loads models and draws, and one
lifts landmarks, which gives way between its steps while something is drawn.

Commands come on standard input, events go to standard output, both as frames. When standard input ends, so does this
process: nobody is left who would want its pictures.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import faulthandler
import gc
import io
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import psutil
from PIL import Image

from gpsdream_app.domain.averages import (
    AverageRequest,
    Likeness,
    LikenessRequest,
    PatchesRequest,
    SeriesRequest,
    TypicalPatches,
)
from gpsdream_app.domain.errors import LESS_MEMORY, Failure, GPSDreamError
from gpsdream_app.domain.events import (
    TERMINAL_EVENTS,
    Cancelled,
    Compared,
    EngineChanged,
    EngineState,
    Event,
    Explained,
    Failed,
    Finished,
    Lifted,
    LiftStep,
    Loading,
    PatchesFound,
    Paused,
    PictureFinished,
    Started,
    Step,
    event_to_dict,
)
from gpsdream_app.domain.explanations import ExplainRequest, Explanation, JobRequest, job_request_from_dict
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.engine.failures import failure_from, is_device_lost, is_out_of_memory
from gpsdream_app.engine.finishing import cut_outs_folder, find_frame, finish_picture
from gpsdream_app.engine.frames import FrameError, pack_frame, read_frame
from gpsdream_app.engine.memory import MemoryRule
from gpsdream_app.library.model_folders import find_model, verify_model, weights_hash
from gpsdream_app.library.paths import pictures_dir, series_dir
from gpsdream_app.lifting.control import Control

log = logging.getLogger(__name__)

PREVIEW_SIDE = 256  # pixels
PREVIEW_SECONDS = 0.2  # between two previews
STEP_SECONDS = 0.1  # between two steps that are told of a job of many pictures
LIFT_SECONDS = 0.2  # between two steps that are told of a lift
NICENESS = 5  # the window stays quick while all cores draw
SECONDS_TO_SAVE = 2.0  # for a picture that is being written when the process is told to end
EXIT_DEVICE_LOST = 3

OnStep = Callable[[int, int, int, Image.Image | None], None]
Report = Callable[[int, int, str], None]
IsCancelled = Callable[[], bool]


class Painter(Protocol):
    """A loaded model. `gpsdream_app.evaluation.explaining` has the real one.

    Whatever takes `cancelled` raises DrawingCancelled soon after it says so. `on_step` is told (step from 1, steps of
    the whole job, picture from 0, preview or None) after every step.
    """

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    @property
    def device(self) -> str:
        """Name of the device that the model runs on."""

    def draw(
        self, request: GenerateRequest, *, on_step: OnStep | None, cancelled: IsCancelled | None
    ) -> Iterator[tuple[int, Image.Image]]:
        """Yield (picture from 0, image) as they are finished."""

    def explain(
        self, request: GenerateRequest, *, on_step: OnStep | None, cancelled: IsCancelled | None
    ) -> Explanation:
        """Draw the one picture of a request again and tell why it looks so."""

    def rank(self, request: GenerateRequest, image: Image.Image) -> tuple[float | None, int]:
        """Share of other places for which a drawn picture is less typical (None if not measured), and their number."""

    def average(
        self, request: AverageRequest, *, on_step: OnStep | None, cancelled: IsCancelled | None
    ) -> Iterator[tuple[int, Image.Image]]:
        """Yield (picture as `AverageRequest.picture` counts, image) as they are finished."""

    def series(
        self,
        request: SeriesRequest,
        *,
        skip: Callable[[int], bool],
        on_step: OnStep | None,
        cancelled: IsCancelled | None,
    ) -> Iterator[tuple[int, Image.Image]]:
        """Yield (frame from 0, image) as they are finished, but for frames that `skip` says to leave out."""

    def likeness(self, request: LikenessRequest, *, cancelled: IsCancelled | None) -> Likeness:
        """Measure how alike picture files look."""

    def patches(
        self, request: PatchesRequest, *, folder: Path, on_step: OnStep | None, cancelled: IsCancelled | None
    ) -> TypicalPatches:
        """Find the patches of photos that are most typical of their region; `folder` takes the cut-outs."""


class LoadPainter(Protocol):
    """Loads the painter of a model folder."""

    def __call__(self, folder: Path, *, device: str, preset: MemoryPreset, report: Report | None) -> Painter:
        """Load a model as a preset says, and report (stage from 1, stages, text) before each stage."""


class LiftTold(Protocol):
    """What a lifter tells of a step; see `LiftStep`."""

    phase: str
    step: int
    steps: int
    share: float
    seconds_left: float | None
    terms: dict[str, float] | None
    opacity: float
    fog: float
    preview: bytes


class Lifter(Protocol):
    """Lifts a landmark; `gpsdream_app.lifting.run.lift` is the real one."""

    def __call__(
        self,
        request: LiftRequest,
        model: Path,
        out: Path | None,
        control: Control,
        on_step: Callable[[Any], None],
        *,
        job_id: str,
        device: str,
        report: Report,
    ) -> LiftResult:
        """Raise LiftCancelled soon after the control says so; tell a `LiftTold` after every step."""


@dataclass(slots=True)
class _Job:
    job_id: str
    request: JobRequest
    loading: bool = False
    cancelled: bool = False
    ended: bool = False
    control: Control = field(default_factory=Control)  # of a lift


@dataclass(frozen=True, slots=True)
class _Loaded:
    folder: Path
    weights: str
    painter: Painter
    preset: MemoryPreset
    choice: str


def drawing() -> LoadPainter:
    """Import torch and everything that draws, which takes seconds, and return what loads a model."""
    # A million objects come, and all stay: looking through them for garbage takes a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        from gpsdream_app.evaluation.explaining import ExplainingPainter
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
    return ExplainingPainter.load


def lifting() -> Lifter:
    """Import torch and everything that lifts, and return what lifts a landmark."""
    from gpsdream_app.lifting.run import lift

    return lift


class Worker:
    """Commands in, events out."""

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        *,
        pictures: Path | None = None,
        device: str = "auto",
        drawing: Callable[[], LoadPainter] = drawing,
        lifting: Callable[[], Lifter] = lifting,
    ) -> None:
        """Make a worker.

        Args:
            source: frames with commands.
            sink: takes frames with events.
            pictures: folder for the pictures; the person's pictures folder if None.
            device: what the models run on: auto, cpu, cuda, cuda:1, mps.
            drawing: imports what draws; called on the worker thread.
            lifting: imports what lifts; called on the thread of lifts, when the first one comes.
        """
        self._source = source
        self._sink = sink
        self._pictures = pictures
        self._device = device
        self._drawing = drawing
        self._lifting = lifting
        self._load_painter: LoadPainter | None = None
        self._loaded: _Loaded | None = None
        self._memory = MemoryRule()
        self._preset = MemoryPreset.FULL  # of the model that is loaded, or was to be loaded, last
        self._changed = threading.Condition()
        self._waiting: deque[_Job | str] = deque()  # a string is a model to load
        self._current: _Job | None = None
        self._lifts: deque[_Job] = deque()
        self._lift: _Job | None = None
        self._lift_thread: threading.Thread | None = None
        self._state = EngineState.STARTING
        self._sending = threading.Lock()
        self._saving = threading.Lock()

    # -- main thread --

    def run(self) -> None:
        """Answer commands until there are no more."""
        threading.Thread(target=self._work_or_end, name="worker", daemon=True).start()
        try:
            while (frame := read_frame(self._source)) is not None:
                header, _ = frame
                if header.get("command") == "shutdown":
                    return
                self._answer(header)
        except FrameError as error:
            log.error("The commands cannot be understood: %s.", error)

    def end(self, code: int = 0) -> None:
        """End the process at once, whatever the worker thread is doing, but let it finish writing a file."""
        self._saving.acquire(timeout=SECONDS_TO_SAVE)
        logging.shutdown()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        # Not sys.exit: a step of a large model takes many seconds, and nothing can interrupt the thread in it.
        os._exit(code)

    def _answer(self, header: dict[str, Any]) -> None:
        command, job_id = header.get("command"), str(header.get("job_id", ""))
        if command == "submit":
            self._submit(job_id, header.get("request"), paused=header.get("paused") is True)
        elif command == "cancel":
            self._cancel(job_id)
        elif command == "cancel_all":
            with self._changed:
                jobs = [task.job_id for task in self._waiting if isinstance(task, _Job)]
                jobs += [job.job_id for job in self._lifts]
                jobs += [job.job_id for job in (self._current, self._lift) if job]
            for job_id in jobs:
                self._cancel(job_id)
        elif command in ("pause", "resume", "keep"):
            with self._changed:
                for job in (*self._lifts, self._lift):
                    if job and job.job_id == job_id:
                        getattr(job.control, str(command))()
        elif command == "warm":
            with self._changed:
                self._waiting.append(str(header.get("model", "")))
                self._changed.notify_all()
        elif command == "memory":
            with self._changed:
                self._memory.take(header.get("preset"), header.get("rest_minutes"))
                self._changed.notify_all()
        elif command == "status":
            self._write({"status": self._status()})
        else:
            log.error("Unknown command %r.", command)

    def _submit(self, job_id: str, data: Any, *, paused: bool = False) -> None:
        try:
            request = job_request_from_dict(data)
        except Exception as error:
            self._send(Failed(job_id=job_id, failure=failure_from(error)))
            return
        job = _Job(job_id, request)
        with self._changed:
            if isinstance(request, LiftRequest):
                job.control = Control(lambda waits: self._tell_pause(job, waits))
                if paused:
                    job.control.pause()
                self._lifts.append(job)
                if self._lift_thread is None:
                    self._lift_thread = threading.Thread(target=self._lift_or_end, name="lifts", daemon=True)
                    self._lift_thread.start()
            else:
                self._waiting.append(job)
            self._give_way()
            self._changed.notify_all()

    def _give_way(self) -> None:
        """Have the running lift wait if something is drawn or will be at once. Called with the lock held."""
        if self._lift:
            if self._current or any(isinstance(task, _Job) for task in self._waiting):
                self._lift.control.hold()
            else:
                self._lift.control.release()

    def _cancel(self, job_id: str) -> None:
        with self._changed:
            queues: tuple[deque[Any], ...] = (self._waiting, self._lifts)
            for queue in queues:
                for task in queue:
                    if isinstance(task, _Job) and task.job_id == job_id:
                        queue.remove(task)
                        self._tell(task, Cancelled(job_id=job_id))
                        self._give_way()
                        return
            for job in (self._current, self._lift):
                if job is None or job.job_id != job_id:
                    continue
                job.cancelled = True
                job.control.cancel()
                # A model goes on loading, since the next job will want it; this job need not wait for that.
                if job.loading:
                    self._tell(job, Cancelled(job_id=job_id))

    def _status(self) -> dict[str, Any]:
        with self._changed:
            loaded = self._loaded
            return {
                "pid": os.getpid(),
                "state": self._state,
                "job_id": self._current.job_id if self._current else "",
                "lift_id": self._lift.job_id if self._lift else "",
                "waiting": len(self._waiting) + len(self._lifts),
                "model": str(loaded.folder) if loaded else "",
                "device": loaded.painter.device if loaded else "",
                "preset": loaded.preset if loaded else "",
                "memory_bytes": psutil.Process().memory_info().rss,
                "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
            }

    # -- both threads --

    def _tell(self, job: _Job, event: Event) -> None:
        """Send an event of a job, unless the job has ended."""
        with self._changed:
            if job.ended:
                return
            job.ended = isinstance(event, TERMINAL_EVENTS)
            self._send(event)

    def _change(self, state: EngineState, text: str = "") -> None:
        self._state = state
        self._send(EngineChanged(state=state, text=text))

    def _send(self, event: Event) -> None:
        self._write(*event_to_dict(event))

    def _write(self, header: dict[str, Any], blob: bytes = b"") -> None:
        frame = pack_frame(header, blob)
        # A broken pipe means that standard input ends, too; the main thread sees to that.
        with self._sending, contextlib.suppress(OSError):
            self._sink.write(frame)
            self._sink.flush()

    # -- worker thread --

    def _work_or_end(self) -> None:
        try:
            self._work()
        except BaseException:
            # A process that hears but cannot work would look alive for ever.
            log.exception("The worker thread failed.")
            self.end(1)

    def _work(self) -> None:
        try:
            self._load_painter = self._drawing()
        except Exception:
            # Told again, with a sentence, to the first job that needs it.
            log.exception("What draws cannot be imported.")
        while True:
            with self._changed:
                if not self._waiting and self._state is not EngineState.READY:
                    self._change(EngineState.READY)
                task = self._waiting.popleft() if self._wait_for_work() else None
                if isinstance(task, _Job):
                    self._current = task
                    self._give_way()
            if isinstance(task, _Job):
                self._run_job(task)
                with self._changed:
                    self._current = None
                    self._give_way()
            elif task is None:
                log.info("The model is unloaded after a while without a job.")
                self._release()
            else:
                self._warm(task)

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do. Called with the lock held.

        Returns:
            False if there was nothing to do for so long that the loaded model shall be unloaded.
        """
        begun = time.monotonic()
        while not self._waiting:
            rest = self._memory.rest_seconds if self._loaded else None
            left = None if rest is None else begun + rest - time.monotonic()
            if left is not None and left <= 0:
                return False
            self._changed.wait(left)
        return True

    def _warm(self, model: str) -> None:
        """Load a model for later."""

        def report(step: int, total: int, text: str) -> None:
            self._change(EngineState.WARMING, f"{text}, {step} of {total}")
            self._send(Loading(step=step, total=total, text=text))

        try:
            self._ready_painter(model, report)
        except Exception as error:
            log.exception("The model %s was not loaded.", model)
            failure = self._failed(error)
            self._change(EngineState.READY, f"{failure.message} {failure.hint}".strip())

    def _run_job(self, job: _Job) -> None:
        job_id = job.job_id
        self._tell(job, Started(job_id=job_id))
        if self._state is not EngineState.READY:
            self._change(EngineState.READY)

        def report(step: int, total: int, text: str) -> None:
            self._tell(job, Loading(job_id=job_id, step=step, total=total, text=text))

        try:
            done = self._tell_frames(job, job.request) if isinstance(job.request, SeriesRequest) else frozenset()
            if isinstance(job.request, SeriesRequest) and len(done) == job.request.count:
                self._tell(job, Finished(job_id=job_id))
                return
            with self._changed:
                job.loading = True
            loaded = self._ready_painter(job.request.model, report)
            with self._changed:
                job.loading = False
                if job.cancelled:
                    self._tell(job, Cancelled(job_id=job_id))
                    return
            results = self._answer_job(job, loaded, done)
        except Exception as error:
            # By its name, because its module imports torch.
            if type(error).__name__ == "DrawingCancelled" or (job.cancelled and not is_out_of_memory(error)):
                self._tell(job, Cancelled(job_id=job_id))
                return
            log.exception("Job %s failed.", job_id)
            failure = self._failed(error)
            self._tell(job, Failed(job_id=job_id, failure=failure))
            if is_device_lost(error):
                self.end(EXIT_DEVICE_LOST)
        else:
            self._tell(job, Finished(job_id=job_id, results=results))

    # -- thread of lifts --

    def _lift_or_end(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._lifts:
                        self._changed.wait()
                    job = self._lift = self._lifts.popleft()
                    self._give_way()
                self._run_lift(job)
                with self._changed:
                    self._lift = None
        except BaseException:
            log.exception("The thread of lifts failed.")
            self.end(1)

    def _run_lift(self, job: _Job) -> None:
        assert isinstance(job.request, LiftRequest)
        job_id = job.job_id
        self._tell(job, Started(job_id=job_id))
        with self._changed:
            job.loading = True

        def report(step: int, total: int, text: str) -> None:
            self._tell(job, Loading(job_id=job_id, step=step, total=total, text=text))

        told = _LiftSteps(self, job)
        try:
            folder, _ = self._find_model(job.request.model)
            result = self._lifting()(
                job.request, folder, None, job.control, told, job_id=job_id, device=self._device, report=report
            )
        except Exception as error:
            # By its name, because most of what lifts imports torch.
            if type(error).__name__ == "LiftCancelled" or (job.cancelled and not is_out_of_memory(error)):
                self._tell(job, Cancelled(job_id=job_id))
                return
            log.exception("Lift %s failed.", job_id)
            failure = failure_from(error)
            error.__traceback__ = error.__context__ = None  # which hold the tensors
            _collect()
            self._tell(job, Failed(job_id=job_id, failure=failure))
            if is_device_lost(error):
                self.end(EXIT_DEVICE_LOST)
        else:
            self._tell(job, Lifted(job_id=job_id, lift=result))
            self._tell(job, Finished(job_id=job_id))

    def _tell_pause(self, job: _Job, waits: bool) -> None:
        self._tell(job, Paused(job_id=job.job_id) if waits else Started(job_id=job.job_id))

    # -- worker thread again --

    def _find_model(self, model: str) -> tuple[Path, str]:
        """Return a model's folder and the hash of its weights. Raises GPSDreamError if it is not sound."""
        folder = find_model(model)
        failures = verify_model(folder)
        if failures:
            raise _error(failures[0])
        return folder, weights_hash(folder)

    def _ready_painter(self, model: str, report: Report) -> _Loaded:
        """Return the loaded model, after loading it if it is another one or its files have changed."""
        folder, weights = self._find_model(model)
        choice = self._memory.choice
        loaded = self._loaded
        if loaded and (loaded.folder, loaded.weights, loaded.choice) == (folder, weights, choice):
            return loaded
        self._release()
        if self._load_painter is None:
            self._load_painter = self._drawing()
        self._preset = self._memory.preset_for(folder, self._device)
        log.info("Loading with the memory preset %s.", self._preset)
        painter = self._load_painter(folder, device=self._device, preset=self._preset, report=report)
        self._loaded = _Loaded(folder, weights, painter, self._preset, choice)
        return self._loaded

    def _answer_job(self, job: _Job, loaded: _Loaded, done: frozenset[int]) -> tuple[Result, ...]:
        """Do what a job asks for.

        Args:
            job: the job.
            loaded: its model.
            done: frames of a series that need not be drawn.

        Returns:
            What its last event tells once more.
        """
        painter, job_id, steps = loaded.painter, job.job_id, _Steps(self, job)

        def cancelled() -> bool:
            return job.cancelled

        match job.request:
            case GenerateRequest() as request:
                return self._draw(job, request, loaded)
            case AverageRequest() as request:
                self._average(job, request, loaded)
            case SeriesRequest() as request:
                self._draw_frames(job, request, loaded, done)
            case ExplainRequest() as request:
                explanation = painter.explain(request.one, on_step=steps, cancelled=cancelled)
                self._tell(job, Explained(job_id=job_id, explanation=explanation))
            case LikenessRequest() as request:
                likeness = painter.likeness(request, cancelled=cancelled)
                self._tell(job, Compared(job_id=job_id, likeness=likeness))
            case PatchesRequest() as request:
                folder = cut_outs_folder(request, loaded.weights)
                folder.mkdir(parents=True, exist_ok=True)
                patches = painter.patches(request, folder=folder, on_step=steps, cancelled=cancelled)
                self._tell(job, PatchesFound(job_id=job_id, patches=patches))
        return ()

    def _average(self, job: _Job, request: AverageRequest, loaded: _Loaded) -> None:
        painter, pictures = loaded.painter, self._pictures or pictures_dir()
        begun = time.monotonic()
        for picture, image in painter.average(request, on_step=_Steps(self, job), cancelled=lambda: job.cancelled):
            with self._saving:
                result = finish_picture(
                    image,
                    request.picture(picture),
                    pictures,
                    job_id=job.job_id,
                    seconds=time.monotonic() - begun,
                    model_title=painter.card.title,
                    model_hash=loaded.weights,
                )
            # The queue of the other process keeps it for the end of the job.
            self._tell(job, PictureFinished(job_id=job.job_id, result=result, index=picture))
            begun = time.monotonic()

    def _tell_frames(self, job: _Job, request: SeriesRequest) -> frozenset[int]:
        """Tell of the frames that are on the disk already, and return their numbers. Needs no loaded model."""
        pictures = self._pictures or pictures_dir()
        _, weights = self._find_model(request.model)
        key = request.key
        found: set[int] = set()
        if not series_dir(pictures, key).is_dir():
            return frozenset()
        for index in range(request.count):
            if job.cancelled:
                raise _Cancelled
            result = find_frame(pictures, key, index, request.picture(index), weights)
            if result:
                found.add(index)
                self._tell(job, PictureFinished(job_id=job.job_id, result=result, index=index))
        return frozenset(found)

    def _draw_frames(self, job: _Job, request: SeriesRequest, loaded: _Loaded, done: frozenset[int]) -> None:
        """Draw the missing frames of a series. Nothing of a frame is kept in memory, so it can be of any length."""
        painter, pictures = loaded.painter, self._pictures or pictures_dir()
        key, coverage = request.key, painter.card.coverage
        begun = time.monotonic()
        drawn = painter.series(
            request, skip=done.__contains__, on_step=_Steps(self, job, done), cancelled=lambda: job.cancelled
        )
        for index, image in drawn:
            one = request.picture(index)
            assert one.place is not None
            with self._saving:
                result = finish_picture(
                    image,
                    one,
                    pictures,
                    job_id=job.job_id,
                    seconds=time.monotonic() - begun,
                    model_title=painter.card.title,
                    model_hash=loaded.weights,
                    photo_distance=coverage.distance(one.place.lat, one.place.lon) if coverage else None,
                    frame=(key, index),
                )
            self._tell(job, PictureFinished(job_id=job.job_id, result=result, index=index))
            begun = time.monotonic()

    def _draw(self, job: _Job, request: GenerateRequest, loaded: _Loaded) -> tuple[Result, ...]:
        painter = loaded.painter
        pictures = self._pictures or pictures_dir()
        place, coverage = request.place, painter.card.coverage
        distance = coverage.distance(place.lat, place.lon) if place and coverage else None
        results = []
        begun = time.monotonic()
        drawn = painter.draw(request, on_step=_Steps(self, job), cancelled=lambda: job.cancelled)
        for picture, image in drawn:
            seconds = time.monotonic() - begun
            rank = self._rank(request.picture(picture), image, painter)
            with self._saving:
                result = finish_picture(
                    image,
                    request.picture(picture),
                    pictures,
                    job_id=job.job_id,
                    seconds=seconds,
                    model_title=painter.card.title,
                    model_hash=loaded.weights,
                    photo_distance=distance,
                    rank=rank,
                )
            results.append(result)
            self._tell(job, PictureFinished(job_id=job.job_id, result=result, index=picture))
            begun = time.monotonic()
        return tuple(results)

    def _rank(self, request: GenerateRequest, image: Image.Image, painter: Painter) -> tuple[float | None, int]:
        """How typical a finished picture is; not known if that fails, because the picture is worth more."""
        try:
            return painter.rank(request, image)
        except Exception as error:
            if is_device_lost(error):
                raise
            log.exception("How typical the picture is was not measured.")
            return None, 0

    def _failed(self, error: BaseException) -> Failure:
        """Return what an exception means. If memory ran out, everything is freed, and the next model needs less."""
        failure = failure_from(error)
        if not is_out_of_memory(error):
            return failure
        # The traceback holds the frames, and the frames hold the tensors. A model that is half loaded or half used
        # goes, so that its memory does not fail the next job, too.
        error.__traceback__ = error.__context__ = None
        self._release()
        with self._changed:
            lower = self._memory.ran_out(self._preset)
        if lower is None:
            return replace(
                failure,
                hint="Close other programs, or choose a smaller model: this one is at its lowest preset already.",
            )
        return replace(
            failure,
            hint=f"Its memory is free again. With the preset “{lower}” it needs less.",
            remedy=LESS_MEMORY,
        )

    def _release(self) -> None:
        self._loaded = None
        _collect()


def _collect() -> None:
    """Give back what nothing refers to any more, on the GPU as well."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class _Cancelled(Exception):
    """The job was cancelled before its model was needed."""


class _Steps:
    """Turns the painter's steps into events, with a small preview now and then and the time that is left.

    Of jobs of many pictures only some steps are told: ten thousand quick ones would keep the window from its work.
    """

    def __init__(self, worker: Worker, job: _Job, done: Collection[int] = ()) -> None:
        """Make them.

        Args:
            worker: sends the events.
            job: the job.
            done: pictures that count as drawn without taking time.
        """
        self._worker = worker
        self._job = job
        self._done = sorted(done)
        self._many = not isinstance(job.request, GenerateRequest | ExplainRequest)
        self._first: tuple[float, float] | None = None
        self._last_preview = 0.0
        self._last_told = 0.0

    def __call__(self, index: int, total: int, picture: int, preview: Image.Image | None) -> None:
        now = time.monotonic()
        seconds_left: float | None = None
        # Steps that take time: up to this one, and all.
        taken, all_taken = float(index), float(total)
        if self._done and isinstance(self._job.request, SeriesRequest):
            each = total / self._job.request.count
            taken -= each * bisect.bisect(self._done, picture)
            all_taken -= each * len(self._done)
        if self._first is None:
            # The first step sets things up, and tells nothing about the others.
            self._first = taken, now
        elif taken > self._first[0]:
            seconds_left = (now - self._first[1]) / (taken - self._first[0]) * (all_taken - taken)
        if self._many and index < total and now - self._last_told < STEP_SECONDS:
            return
        self._last_told = now
        data = b""
        if preview is not None and now - self._last_preview >= PREVIEW_SECONDS:
            self._last_preview = now
            data = _jpeg(preview)
        event = Step(
            job_id=self._job.job_id,
            index=index,
            total=total,
            picture=picture,
            seconds_left=seconds_left,
            preview=data,
        )
        self._worker._tell(self._job, event)


class _LiftSteps:
    """Turns the steps of a lift into events, at most five a second; a preview waits for the next one that is told."""

    def __init__(self, worker: Worker, job: _Job) -> None:
        self._worker, self._job = worker, job
        self._last, self._phase, self._preview = 0.0, "", b""

    def __call__(self, told: LiftTold) -> None:
        with self._worker._changed:
            self._job.loading = False
        now = time.monotonic()
        self._preview = told.preview or self._preview
        if now - self._last < LIFT_SECONDS and told.phase == self._phase and told.step < told.steps:
            return
        self._last, self._phase = now, told.phase
        preview, self._preview = self._preview, b""
        event = LiftStep(
            job_id=self._job.job_id,
            phase=told.phase,
            step=told.step,
            steps=told.steps,
            share=told.share,
            seconds_left=told.seconds_left,
            terms=told.terms or {},
            opacity=told.opacity,
            fog=told.fog,
            preview=preview,
        )
        self._worker._tell(self._job, event)


def _jpeg(image: Image.Image) -> bytes:
    small = image.convert("RGB")
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _error(failure: Failure) -> GPSDreamError:
    return GPSDreamError(failure.kind, failure.message, failure.hint, failure.details)


# -- the process --


def usable_cores() -> int:
    """Return how many real cores this process may use; hyper-threads do not help arithmetic."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def set_up_process() -> None:
    """Choose threads and priority. Must come before torch is imported, which reads the environment once."""
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    # Threads that wait must sleep: spinning ones take the cores from the window.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Models are read from the disk; the engine has no business on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    with contextlib.suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            os.nice(NICENESS)
    # Ctrl-C in a terminal reaches this process as well; the one that owns it decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep standard input and output for frames; whatever prints from now on goes to standard error."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


def main(
    argv: list[str] | None = None,
    *,
    drawing: Callable[[], LoadPainter] = drawing,
    lifting: Callable[[], Lifter] = lifting,
) -> None:
    """Run the engine's process; does not return.

    Args:
        argv: command line; that of the process if None.
        drawing: imports what draws, on the worker thread.
        lifting: imports what lifts, on the thread of lifts.
    """
    parser = argparse.ArgumentParser(prog="gpsdream engine", description="Draws for another process.")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    parser.add_argument("--device", default="auto", help="what the models run on")
    arguments = parser.parse_args(argv)
    source, sink = take_over_streams()
    faulthandler.enable(sys.stderr)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    set_up_process()
    worker = Worker(
        source, sink, pictures=arguments.pictures, device=arguments.device, drawing=drawing, lifting=lifting
    )
    code = 0
    try:
        worker.run()
    except BaseException:
        log.exception("The engine failed.")
        code = 1
    worker.end(code)


if __name__ == "__main__":
    main()
