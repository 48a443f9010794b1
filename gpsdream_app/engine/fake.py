"""An engine that follows a script and draws postcards: the same events as the real one, without a model.

For tests of everything above the engine, and for a look at the window on a machine without a model.
"""

from __future__ import annotations

import hashlib
import io
import math
import queue
import random
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from gpsdream_app.domain.averages import (
    AverageRequest,
    Likeness,
    LikenessRequest,
    Patch,
    PatchesRequest,
    SeriesRequest,
    TypicalPatches,
)
from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import (
    Cancelled,
    Compared,
    EngineState,
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
)
from gpsdream_app.domain.explanations import ExplainRequest, Explanation, JobRequest, TokenKind, TokenMap
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest, LiftResult
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result, picture_key
from gpsdream_app.engine.base import Job, QueueEngine
from gpsdream_app.engine.finishing import cut_outs_folder, find_frame, finish_picture
from gpsdream_app.library.lifts import CHECKPOINTS, begin_lift, find_lift, lift_folder
from gpsdream_app.library.paths import pictures_dir

MAP_CELLS = 16  # along a side of an attention map
COMPARED_PLACES, RANK_PLACES = 20, 6
STAGES = ("loading text encoder", "loading U-Net", "loading location encoder", "loading autoencoder")
# Phases of a scripted lift, and their steps.
VIEWS = (("draw", 6), ("fit", 20))
LIFT_PHASES = {
    LiftMethod.VIEWS: VIEWS,
    LiftMethod.REFINE: (*VIEWS, ("update", 6), ("fit", 10)),
    LiftMethod.SDS: (("distil", 30),),
    LiftMethod.TEXT: (("distil", 30),),
}
DIED = Failure(
    ErrorKind.ENGINE_DIED,
    "The drawing engine stopped in the middle of the picture.",
    "It has been started again: draw once more.",
)
OUT_OF_MEMORY = Failure(
    ErrorKind.OUT_OF_MEMORY,
    "There is not enough memory to draw this picture.",
    "Close other programs, or ask for fewer pictures at once.",
)


@dataclass(frozen=True, slots=True)
class Script:
    """How a job goes, of whatever sort.

    Attributes:
        step_seconds: how long a denoising step takes, or one of the other places that an explanation looks at, or a
            picture or photo that is looked at, or a step of a lift.
        load_seconds: how long each of the stages of loading a model takes.
        fail_at: step (from 1, over all pictures) at which the job fails; 0 while loading; None never.
        failure: what it fails with.
        die_at: step at which the engine dies as if it was killed; None never.
        preview_every: a preview comes with every so many steps.
    """

    step_seconds: float = 0.0
    load_seconds: float = 0.0
    fail_at: int | None = None
    failure: Failure = OUT_OF_MEMORY
    die_at: int | None = None
    preview_every: int = 1


class _StoppedError(Exception):
    """The job was cancelled."""


class _KeptError(Exception):
    """A person is content with what has been lifted."""


class _DiedError(Exception):
    """The script wants the engine to die."""


class FakeEngine(QueueEngine):
    """Draws deterministic postcards and writes them as real PNG files with metadata; explains them as it pleases.

    Landmarks are lifted to towers of blocks, with all the files of a lift.

    Attributes:
        script: how jobs go from now on; or a callable that tells it for a request.
        gate: clear it to hold every job before its next step, set it to let it go on. Set at first.
        lift_gate: the same for lifts alone.
        model_hash: what results say that they were drawn with; frames of a series are reused if it is the same.
    """

    def __init__(
        self,
        script: Script | Callable[[JobRequest], Script] | None = None,
        *,
        pictures: Path | None = None,
        size: int = 256,
    ) -> None:
        """Make an engine.

        Args:
            script: how jobs go; at once and without failure if None.
            pictures: folder for the pictures; the person's pictures folder if None.
            size: side of a picture, pixels.
        """
        super().__init__()
        self.script: Script | Callable[[JobRequest], Script] = script or Script()
        self.model_hash = "0" * 16
        self.gate = threading.Event()
        self.gate.set()
        self.lift_gate = threading.Event()
        self.lift_gate.set()
        self._scripts: deque[Script] = deque()
        self._pictures = pictures
        self._size = size
        self._model = ""
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[Job | str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lift_model = ""
        self._lever = threading.Condition()
        self._asked: set[str] = set()  # of the running lift: stop, pause, keep
        self._lifts: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lift_thread: threading.Thread | None = None

    def play_next(self, *scripts: Script) -> None:
        """Use these scripts for the next jobs, one each, before going back to `script`."""
        self._scripts.extend(scripts)

    def start(self) -> None:
        """Start the engine. Does nothing if it runs already."""
        with self._lock:
            if self._thread or self._closed:
                return
            self._thread = threading.Thread(target=self._run, name="fake engine", daemon=True)
            self._lift_thread = threading.Thread(target=self._run_lifts, name="fake lifts", daemon=True)
            self._change(EngineState.STARTING, "starting")
            self._change(EngineState.READY)
            self._thread.start()
            self._lift_thread.start()

    def warm(self, model: str) -> None:
        """Pretend to load a model in the background."""
        self.start()
        self._tasks.put(model)

    def shutdown(self, timeout: float = 3.0) -> None:
        """End all jobs and the engine."""
        if not self._close():
            return
        self._stop.set()
        self._tasks.put(None)
        self._pull("stop")
        self._lifts.put(None)
        for thread in (self._thread, self._lift_thread):
            if thread and thread is not threading.current_thread():
                thread.join(timeout)
        self._change(EngineState.STOPPED)
        self._stop_telling()

    def _begin(self, job: Job) -> None:
        if job.is_lift:
            with self._lever:
                self._asked = {"pause"} if job.paused else set()
            self._lifts.put(job)
        else:
            self._stop.clear()
            self._tasks.put(job)

    def _interrupt(self, job_id: str) -> None:
        if self._lifting.running(job_id):
            self._pull("stop")
        else:
            self._stop.set()

    def _set_paused(self, job_id: str, paused: bool) -> None:
        self._pull("pause", paused)

    def _keep(self, job_id: str) -> None:
        self._pull("keep")

    def _pull(self, lever: str, on: bool = True) -> None:
        with self._lever:
            self._asked = self._asked | {lever} if on else self._asked - {lever}
            self._lever.notify_all()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            if isinstance(task, str):
                self._warm_up(task)
            else:
                self._draw(task)

    def _script_of(self, request: JobRequest) -> Script:
        if self._scripts:
            return self._scripts.popleft()
        return self.script if isinstance(self.script, Script) else self.script(request)

    def _warm_up(self, model: str) -> None:
        if model == self._model or self._closed:
            return
        for number, text in enumerate(STAGES, 1):
            self._change(EngineState.WARMING, f"{text}, {number} of {len(STAGES)}")
            self._accept(Loading(step=number, total=len(STAGES), text=text))
            self._wait_closed(self.script.load_seconds if isinstance(self.script, Script) else 0.0)
        self._model = model
        if not self._closed:
            self._change(EngineState.READY)

    def _wait_closed(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._closed and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))

    def _draw(self, job: Job) -> None:
        script = self._script_of(job.request)
        job_id = job.job_id
        self._accept(Started(job_id=job_id))
        try:
            done: frozenset[int] = frozenset()
            if isinstance(job.request, SeriesRequest):
                done = self._tell_frames(job_id, job.request)
            if job.request.model != self._model and not (done and len(done) == getattr(job.request, "count", 0)):
                for number, text in enumerate(STAGES, 1):
                    self._accept(Loading(job_id=job_id, step=number, total=len(STAGES), text=text))
                    self._wait(script.load_seconds)
                if script.fail_at == 0:
                    raise _error(script.failure)
                self._model = job.request.model
            results: tuple[Result, ...] = ()
            match job.request:
                case ExplainRequest() as request:
                    self._explain_picture(job_id, request.one, script)
                case LikenessRequest() as request:
                    self._compare(job_id, request, script)
                case PatchesRequest() as request:
                    self._find_patches(job_id, request, script)
                case GenerateRequest() | AverageRequest() as request:
                    results = self._draw_pictures(job_id, request, script)
                case SeriesRequest() as request:
                    self._draw_pictures(job_id, request, script, done)
        except _StoppedError:
            self._accept(Cancelled(job_id=job_id))
        except GPSDreamError as error:
            self._accept(Failed(job_id=job_id, failure=error.failure))
        except _DiedError:
            self._die()
        else:
            self._accept(Finished(job_id=job_id, results=results))

    def _die(self) -> None:
        self._model = self._lift_model = ""
        with self._lock:
            self._lost(DIED)
            if not self._closed:
                self._change(EngineState.RESTARTING, "starting again")
                self._change(EngineState.READY)
            self._advance()

    def _run_lifts(self) -> None:
        while (job := self._lifts.get()) is not None:
            self._lift(job)

    def _lift(self, job: Job) -> None:
        assert isinstance(job.request, LiftRequest)
        script, job_id = self._script_of(job.request), job.job_id
        self._accept(Started(job_id=job_id))
        try:
            found = find_lift(job.request, self.model_hash)
            if found is None:
                if job.request.model != self._lift_model:
                    for number, text in enumerate(STAGES, 1):
                        self._accept(Loading(job_id=job_id, step=number, total=len(STAGES), text=text))
                        self._wait_for_lift(job, script.load_seconds)
                    if script.fail_at == 0:
                        raise _error(script.failure)
                    self._lift_model = job.request.model
                found = self._lift_steps(job, job.request, script)
        except _StoppedError:
            self._accept(Cancelled(job_id=job_id))
        except _KeptError:
            failure = Failure(ErrorKind.BAD_REQUEST, "Nothing has been lifted yet, so there is nothing to keep.")
            self._accept(Failed(job_id=job_id, failure=failure))
        except GPSDreamError as error:
            self._accept(Failed(job_id=job_id, failure=error.failure))
        except _DiedError:
            self._die()
        else:
            self._accept(Lifted(job_id=job_id, lift=found))
            self._accept(Finished(job_id=job_id))

    def _lift_steps(self, job: Job, request: LiftRequest, script: Script) -> LiftResult:
        """Go through the steps of a lift, from where an earlier one was stopped, and write its files."""
        # Their libraries take a while to import, and most tests lift nothing.
        from gpsdream_app.engine.made_up import look_at, made_up_density
        from gpsdream_app.lifting.result import finish_lift

        folder = lift_folder(request, self.model_hash)
        begin_lift(request, folder)
        mark = folder / CHECKPOINTS / "step"
        mark.parent.mkdir(exist_ok=True)
        phases = LIFT_PHASES[request.method]
        total = sum(steps for _, steps in phases)
        first = int(mark.read_text()) if mark.is_file() else 0
        begun, kept, done = time.monotonic(), False, first
        try:
            for number in range(first + 1, total + 1):
                self._wait_for_lift(job, script.step_seconds)
                if script.die_at == number:
                    raise _DiedError
                if script.fail_at == number:
                    raise _error(script.failure)
                phase, step, steps = _phase_of(phases, number)
                preview = b""
                if script.preview_every and number % script.preview_every == 0:
                    views = look_at(made_up_density(request, number / total), 180.0 + 9.0 * number)
                    preview = _side_by_side([Image.fromarray(view) for view in views], phase in ("draw", "update"))
                fitted = phase in ("fit", "distil")
                fade = math.exp(-3.0 * number / total)
                self._accept(
                    LiftStep(
                        job_id=job.job_id,
                        phase=phase,
                        step=step,
                        steps=steps,
                        share=number / (total + 1),
                        seconds_left=(total + 1 - number) * script.step_seconds,
                        terms={"picture": 0.02 + 0.2 * fade, "entropy": 0.004 + 0.01 * fade} if fitted else {},
                        opacity=0.18 - 0.05 * fade if fitted else 0.0,
                        fog=0.04 + 0.5 * fade if fitted else 0.0,
                        preview=preview,
                    )
                )
                done = number
                mark.write_text(str(number))
        except _KeptError:
            if not any(_phase_of(phases, number)[0] in ("fit", "distil") for number in range(1, done + 1)):
                raise
            kept = True
        self._accept(LiftStep(job_id=job.job_id, phase="mesh", step=1, steps=1, share=total / (total + 1)))
        density = made_up_density(request)
        if not kept:
            shutil.rmtree(mark.parent, ignore_errors=True)
        return finish_lift(
            density,
            look_at(density, 180.0 + 30.0)[0],
            request,
            folder,
            job_id=job.job_id,
            seconds=time.monotonic() - begun,
            model_title="Postcards",
            model_hash=self.model_hash,
            kept_early=kept,
        )

    def _wait_for_lift(self, job: Job, seconds: float) -> None:
        """Sleep for a step; wait while the gates are closed, something is drawn, or the lift is paused.

        Raises:
            _StoppedError, _KeptError: if that is what a person wants.
        """
        end, paused = time.monotonic() + seconds, False
        while True:
            with self._lever:
                asked = self._asked
            if "stop" in asked:
                raise _StoppedError
            if "keep" in asked:
                raise _KeptError
            if paused != ("pause" in asked):
                paused = not paused
                # Without the lever in hand: whoever pulls it holds the lock that telling needs.
                self._accept(Paused(job_id=job.job_id) if paused else Started(job_id=job.job_id))
            held = not self.gate.is_set() or not self.lift_gate.is_set() or self._drawing.current is not None
            left = end - time.monotonic()
            if left <= 0 and not held and not paused:
                return
            with self._lever:
                if self._asked == asked:
                    self._lever.wait(0.01 if held or paused else min(left, 0.01))

    def _wait(self, seconds: float) -> None:
        """Sleep for a step, and while the gate is closed. Raises _StoppedError if the job is cancelled."""
        if seconds:
            self._stop.wait(seconds)
        while not self._stop.is_set() and not self.gate.wait(0.01):
            pass
        if self._stop.is_set():
            raise _StoppedError

    def _take_step(self, index: int, script: Script) -> None:
        """Spend the time of a step, and do what the script has for it."""
        self._wait(script.step_seconds)
        if script.die_at == index:
            raise _DiedError
        if script.fail_at == index:
            raise _error(script.failure)

    def _explain_picture(self, job_id: str, request: GenerateRequest, script: Script) -> None:
        places = COMPARED_PLACES if request.place else 0
        total = request.steps + places
        image = draw_postcard(request, self._size)
        for index in range(1, total + 1):
            self._take_step(index, script)
            preview = b""
            if script.preview_every and index <= request.steps and index % script.preview_every == 0:
                preview = _preview(image, index / request.steps, request.seed)
            left = (total - index) * script.step_seconds
            self._accept(Step(job_id=job_id, index=index, total=total, seconds_left=left, preview=preview))
        self._accept(Explained(job_id=job_id, explanation=explain_postcard(request, self._size)))

    def _tell_frames(self, job_id: str, request: SeriesRequest) -> frozenset[int]:
        """Tell of the frames that are on the disk already, and return their numbers."""
        folder, found = self._pictures or pictures_dir(), set()
        for index in range(request.count):
            result = find_frame(folder, request.key, index, request.picture(index), self.model_hash)
            if result:
                found.add(index)
                self._accept(PictureFinished(job_id=job_id, result=result, index=index))
        return frozenset(found)

    def _draw_pictures(
        self,
        job_id: str,
        request: GenerateRequest | AverageRequest | SeriesRequest,
        script: Script,
        done: frozenset[int] = frozenset(),
    ) -> tuple[Result, ...]:
        """Draw all pictures of a request but those that are done; return them, if they are not a series."""
        total = request.steps * request.count
        key = request.key if isinstance(request, SeriesRequest) else ""
        results = []
        for picture in range(request.count):
            if picture in done:
                continue
            begun = time.monotonic()
            one = request.picture(picture)
            image = draw_average(one, self._size) if isinstance(one, AverageRequest) else draw_postcard(one, self._size)
            for number in range(1, request.steps + 1):
                index = picture * request.steps + number
                self._take_step(index, script)
                preview = b""
                if script.preview_every and number % script.preview_every == 0:
                    preview = _preview(image, number / request.steps, one.seed)
                self._accept(
                    Step(
                        job_id=job_id,
                        index=index,
                        total=total,
                        picture=picture,
                        seconds_left=(total - index) * script.step_seconds,
                        preview=preview,
                    )
                )
            rank: tuple[float | None, int] = (None, 0)
            if isinstance(request, GenerateRequest) and request.place:
                rank = random.Random(picture_key(one)).randint(3, RANK_PLACES) / RANK_PLACES, RANK_PLACES
            result = finish_picture(
                image,
                one,
                self._pictures or pictures_dir(),
                job_id=job_id,
                seconds=time.monotonic() - begun,
                model_title="Postcards",
                model_hash=self.model_hash,
                rank=rank,
                frame=(key, picture) if key else None,
            )
            self._accept(PictureFinished(job_id=job_id, result=result, index=picture))
            if not key:
                results.append(result)
        return tuple(results)

    def _compare(self, job_id: str, request: LikenessRequest, script: Script) -> None:
        for index in range(1, len(request.pictures) + 1):
            self._take_step(index, script)
        self._accept(Compared(job_id=job_id, likeness=compare_colours(request.pictures)))

    def _find_patches(self, job_id: str, request: PatchesRequest, script: Script) -> None:
        total = len(request.photos)
        for index in range(1, total + 1):
            self._take_step(index, script)
            left = (total - index) * script.step_seconds
            self._accept(Step(job_id=job_id, index=index, total=total, picture=index - 1, seconds_left=left))
        folder = cut_outs_folder(request, self.model_hash)
        self._accept(PatchesFound(job_id=job_id, patches=cut_patches(request, folder)))


def draw_postcard(request: GenerateRequest, size: int = 256) -> Image.Image:
    """Draw a street of houses that depends on everything in the request, with the place and the words below.

    Args:
        request: one picture; `count` is not looked at.
        size: side of the picture, pixels.

    Returns:
        An RGB image of size x size; equal requests give equal pixels.
    """
    dice = random.Random(hashlib.sha256(request.to_json().encode("ascii", "backslashreplace")).digest())
    sky = tuple(dice.randint(150, 225) for _ in range(3))
    image = Image.new("RGB", (size, size), sky)
    draw = ImageDraw.Draw(image)
    street = size * 0.68
    x = 0.0
    while x < size:
        width = size * dice.uniform(0.1, 0.24)
        top = street - size * dice.uniform(0.2, 0.55)
        wall = tuple(dice.randint(70, 190) for _ in range(3))
        draw.rectangle((x, top, x + width, street), fill=wall, outline=(50, 45, 40))
        lit = tuple(min(255, value + 60) for value in wall)
        storey, bay = size * 0.06, width / dice.randint(2, 4)
        for row in range(int((street - top) / storey)):
            for column in range(math.floor(width / bay + 0.01)):
                left, upper = x + (column + 0.3) * bay, top + (row + 0.35) * storey
                draw.rectangle((left, upper, left + bay * 0.4, upper + storey * 0.5), fill=lit)
        x += width
    draw.rectangle((0, street, size, size), fill=(92, 88, 84))
    place = request.place
    lines = [request.prompt or "(no words)", "no place", f"seed {request.seed}"]
    if place:
        lines[1] = f"{place.lat:.5f}, {place.lon:.5f}"
        if place.heading is not None:
            lines[1] += f", looking {place.heading:.0f}°"
    font = ImageFont.load_default(max(10, size // 18))
    for number, line in enumerate(lines):
        # The font that comes with Pillow knows Latin letters only.
        text = " ".join(line.split())[:60].encode("latin-1", "replace").decode("latin-1")
        draw.text((size * 0.04, street + size * (0.03 + 0.085 * number)), text, fill=(245, 240, 230), font=font)
    return image


def draw_average(request: AverageRequest, size: int = 256) -> Image.Image:
    """Draw what the street of a region might look like on average: blurred houses in colours of its own.

    Args:
        request: one picture.
        size: side of the picture, pixels.

    Returns:
        An RGB image of size x size; requests that ask for the same average give equal pixels.
    """
    dice = random.Random(picture_key(request))
    image = Image.new("RGB", (size, size), tuple(dice.randint(170, 230) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    street = size * 0.75
    top = size * dice.uniform(0.05, 0.5)
    wall = tuple(dice.randint(60, 180) for _ in range(3))
    draw.rectangle((size * 0.12, top, size * 0.88, street), fill=wall)
    dark = tuple(value // 2 for value in wall)
    storeys, bays = dice.randint(3, 12), dice.randint(3, 7)
    width, height = size * 0.76 / bays, (street - top) / storeys
    for row in range(storeys):
        for column in range(bays):
            left, upper = size * 0.12 + (column + 0.3) * width, top + (row + 0.25) * height
            draw.rectangle((left, upper, left + width * 0.4, upper + height * 0.5), fill=dark)
    draw.rectangle((0, street, size, size), fill=(110, 105, 100))
    return image.filter(ImageFilter.GaussianBlur(size / 60))


def compare_colours(pictures: Sequence[str]) -> Likeness:
    """Measure how alike pictures are in their coarse colours.

    Args:
        pictures: paths of picture files.

    Raises:
        GPSDreamError: of kind `bad_photo` if one of them cannot be read.
    """
    features = []
    for path in pictures:
        try:
            with Image.open(path) as image:
                values = list(image.convert("RGB").resize((4, 4)).tobytes())
        except OSError as error:
            raise GPSDreamError(ErrorKind.BAD_PHOTO, f"“{Path(path).name[:80]}” cannot be read.") from error
        mean = sum(values) / len(values)
        centred = [value - mean for value in values]
        norm = math.sqrt(sum(value**2 for value in centred)) or 1.0
        features.append([value / norm for value in centred])
    rows = [
        tuple(
            0.0 if i == j else min(2.0, max(0.0, 1 - sum(a * b for a, b in zip(one, other, strict=True))))
            for j, other in enumerate(features)
        )
        for i, one in enumerate(features)
    ]
    return Likeness(tuple(rows), "coarse colours")


def cut_patches(request: PatchesRequest, folder: Path) -> TypicalPatches:
    """Cut squares out of photos as it pleases; photos that cannot be read are passed over.

    Args:
        request: which photos, and how many patches.
        folder: gets the cut-outs; made if it is not there.
    """
    dice = random.Random(request.seed)
    folder.mkdir(parents=True, exist_ok=True)
    patches: list[Patch] = []
    for photo in request.photos[: request.count]:
        left, top = dice.uniform(0, 0.6), dice.uniform(0, 0.6)
        box = (left, top, left + 0.4, top + 0.4)
        picture = folder / f"{len(patches):02d}.jpg"
        try:
            with Image.open(photo.path) as image:
                width, height = image.size
                cut = image.convert("RGB").crop(
                    (round(left * width), round(top * height), round(box[2] * width), round(box[3] * height))
                )
            cut.resize((128, 128)).save(picture, "JPEG", quality=85)
        except OSError:
            continue
        patches.append(Patch(photo.path, str(picture), box, 0.1 - 0.005 * len(patches), photo.place))
    return TypicalPatches(tuple(patches), len(request.photos))


def explain_postcard(request: GenerateRequest, size: int = 256) -> Explanation:
    """Invent an explanation that depends on everything in the request.

    Every token looks at a spot of its own; the place's tokens are told apart from the words.

    Args:
        request: one picture.
        size: side of the picture, pixels.

    Returns:
        Equal requests give equal explanations.
    """
    dice = random.Random(hashlib.sha256(b"why" + request.to_json().encode("ascii", "backslashreplace")).digest())
    words = [word.strip(',.;:!?()[]"') for word in request.prompt.split()]
    place = request.place
    shares = [dice.uniform(0.01, 0.06) for word in words if word]
    shares = [share * min(1.0, 0.9 / sum(shares)) for share in shares]
    tokens = [_spot(dice, word, TokenKind.WORD, share) for word, share in zip(filter(None, words), shares, strict=True)]
    if place:
        longitude = dice.uniform(0.3, 0.5)
        heading = 0.0 if place.heading is None else dice.uniform(0.05, 0.25)
        tokens.append(_spot(dice, "longitude", TokenKind.LONGITUDE, longitude))
        tokens.append(_spot(dice, "latitude", TokenKind.LATITUDE, 1 - longitude - heading))
        if place.heading is not None:
            tokens.append(_spot(dice, "heading", TokenKind.HEADING, heading))
    buffer = io.BytesIO()
    draw_postcard(request, size).save(buffer, "PNG")
    return Explanation(
        request=request,
        picture=buffer.getvalue(),
        tokens=tuple(tokens),
        other_share=1 - sum(shares),
        location_apart=True,
        typicality=dice.uniform(-0.01, 0.05) if place else None,
        typicality_error=0.004 if place else 0.0,
        typicality_rank=dice.randint(0, COMPARED_PLACES) / COMPARED_PLACES if place else None,
        places_compared=COMPARED_PLACES if place else 0,
        typicality_map=_spot(dice, "", TokenKind.LONGITUDE, 0.0).map if place else None,
        typicality_peak=0.1 if place else 0.0,
    )


def _spot(dice: random.Random, label: str, kind: TokenKind, share: float) -> TokenMap:
    """A map that is brightest at one spot, at its darkest 0 and at its brightest 1."""
    x, y, width = dice.uniform(0, MAP_CELLS - 1), dice.uniform(0, MAP_CELLS - 1), dice.uniform(2, 5)
    cells = range(MAP_CELLS)
    rows = [[math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * width**2)) for column in cells] for row in cells]
    least, most = min(map(min, rows)), max(map(max, rows))
    scaled = tuple(tuple((value - least) / (most - least) for value in row) for row in rows)
    return TokenMap(label, kind, scaled, share, low=share * dice.uniform(0.1, 0.5), high=share * dice.uniform(1.5, 2))


def _phase_of(phases: Sequence[tuple[str, int]], number: int) -> tuple[str, int, int]:
    """Name of the phase, step in it from 1 and its steps, of step `number` (from 1) of a lift."""
    for name, steps in phases:
        if number <= steps:
            return name, number, steps
        number -= steps
    raise ValueError("the lift has fewer steps")


def _side_by_side(images: Sequence[Image.Image], drawing: bool) -> bytes:
    """Return a JPEG of four squares; while views are drawn only the first one shows something."""
    side = images[0].width
    row = Image.new("RGB", (side * len(images), side), (40, 40, 40))
    for number, image in enumerate(images):
        if number == 0 or not drawing:
            row.paste(image, (number * side, 0))
    buffer = io.BytesIO()
    row.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _preview(image: Image.Image, share: float, seed: int) -> bytes:
    """Return a small JPEG of the picture as it would look after this share of the steps."""
    small = image.resize((128, 128))
    noise = Image.frombytes("RGB", (128, 128), random.Random(seed).randbytes(128 * 128 * 3))
    blurred = small.filter(ImageFilter.GaussianBlur(8 * (1 - share)))
    buffer = io.BytesIO()
    Image.blend(noise, blurred, share).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _error(failure: Failure) -> GPSDreamError:
    error = GPSDreamError(failure.kind, failure.message, failure.hint)
    error.failure = failure
    return error
