"""A model that needs no torch, for tests of the engine's process; run as a program, it is that process.

A prompt such as "hold=FILE die=3" says what happens: see `obey`.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from gpsdream_app.domain.averages import (
    AverageRequest,
    Likeness,
    LikenessRequest,
    PatchesRequest,
    SeriesRequest,
    TypicalPatches,
)
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.explanations import Explanation
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.domain.model_card import CARD_FILE, Coverage, ModelCard
from gpsdream_app.domain.places import Box
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine import worker
from gpsdream_app.engine.fake import (
    COMPARED_PLACES,
    STAGES,
    compare_colours,
    cut_patches,
    draw_average,
    draw_postcard,
    explain_postcard,
)
from gpsdream_app.library.lifts import begin_lift, find_lift, lift_folder
from gpsdream_app.library.model_folders import read_card, weights_hash
from gpsdream_app.lifting.control import Control, LiftKept

COMMAND = [sys.executable, "-P", __file__]
BOX = Box(40.70, -74.02, 40.80, -73.93)
COVERAGE = Coverage(40.74, -73.99, 0.001, 0.001, ((0, 0, 12),))


class DrawingCancelled(Exception):
    """As in gpsdream_app.generation.draw, which needs torch."""


class OutOfMemoryError(RuntimeError):
    """As in torch."""


def wait_for_file(path: str, stop: Callable[[], bool]) -> None:
    while not Path(path).exists() and not stop():
        time.sleep(0.005)


class StandIn:
    """Draws postcards, and does what the prompt says."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.device = "cpu"

    @classmethod
    def load(
        cls, folder: Path, *, device: str, preset: MemoryPreset, report: Callable[[int, int, str], None] | None
    ) -> StandIn:
        for number, text in enumerate(STAGES, 1):
            if report:
                report(number, len(STAGES), text)
        if (folder / "slow-to-load").exists():
            wait_for_file(str(folder / "go-on"), lambda: False)
        if (folder / "dies-while-loading").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return cls(read_card(folder))

    def draw(
        self,
        request: GenerateRequest,
        *,
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[int, Image.Image]]:
        yield from self._draw(request, lambda index: False, on_step, cancelled)

    def _draw(
        self,
        request: GenerateRequest | AverageRequest | SeriesRequest,
        skip: Callable[[int], bool],
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[int, Image.Image]]:
        assert on_step and cancelled
        for picture in range(request.count):
            if skip(picture):
                continue
            one = request.picture(picture)
            image = draw_average(one, 64) if isinstance(one, AverageRequest) else draw_postcard(one, 64)
            for number in range(request.steps):
                index = picture * request.steps + number + 1
                obey(request.prompt, index, cancelled)
                on_step(index, request.steps * request.count, picture, image)
            yield picture, image

    def average(
        self,
        request: AverageRequest,
        *,
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[int, Image.Image]]:
        yield from self._draw(request, lambda index: False, on_step, cancelled)

    def series(
        self,
        request: SeriesRequest,
        *,
        skip: Callable[[int], bool],
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[int, Image.Image]]:
        yield from self._draw(request, skip, on_step, cancelled)

    def likeness(self, request: LikenessRequest, *, cancelled: Callable[[], bool] | None) -> Likeness:
        return compare_colours(request.pictures)

    def patches(
        self,
        request: PatchesRequest,
        *,
        folder: Path,
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> TypicalPatches:
        assert on_step and folder.is_dir()
        for index in range(1, len(request.photos) + 1):
            on_step(index, len(request.photos), index - 1, None)
        return cut_patches(request, folder)

    def rank(self, request: GenerateRequest, image: Image.Image) -> tuple[float | None, int]:
        if "unranked" in request.prompt:
            raise ZeroDivisionError
        return (0.5, 6) if request.place else (None, 0)

    def explain(
        self,
        request: GenerateRequest,
        *,
        on_step: Callable[[int, int, int, Image.Image | None], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Explanation:
        assert on_step and cancelled
        total = request.steps + COMPARED_PLACES
        for index in range(1, total + 1):
            obey(request.prompt, index, cancelled)
            on_step(index, total, 0, draw_postcard(request, 64) if index <= request.steps else None)
        return explain_postcard(request, 64)


def obey(prompt: str, index: int, cancelled: Callable[[], bool]) -> None:
    """Do what the prompt has for a step."""
    orders = dict(word.split("=", 1) for word in prompt.split() if "=" in word)
    if "print" in orders and index == 1:
        print("noise on sys.stdout")
        os.write(1, b"noise on descriptor 1\n")
        subprocess.run(["echo", "noise of a child"], check=True)
    if "hold" in orders:
        wait_for_file(orders["hold"], cancelled)
    if cancelled():
        raise DrawingCancelled
    if orders.get("die") == str(index):
        os.kill(os.getpid(), signal.SIGKILL)
    if orders.get("hang") == str(index):
        while True:
            time.sleep(1)
    if orders.get("fail") == str(index):
        raise {
            "memory": OutOfMemoryError("CUDA out of memory"),
            "python-memory": MemoryError(),
            "disk": OSError(28, "No space left on device", "/somewhere"),
            "device": RuntimeError("CUDA error: an illegal memory access was encountered"),
            "person": GPSDreamError(ErrorKind.BAD_LOCATION, "There is no such place.", "Look again."),
            "fault": ZeroDivisionError("division by zero"),
        }[orders.get("how", "fault")]


LIFT_STEPS = 5


@dataclass(frozen=True)
class Told:
    """As in gpsdream_app.lifting.run, which needs torch."""

    phase: str
    step: int
    steps: int
    share: float
    seconds_left: float | None = 1.0
    terms: dict[str, float] | None = None
    opacity: float = 0.2
    fog: float = 0.1
    preview: bytes = b"a preview"


def stand_in_lift(
    request: LiftRequest,
    model: Path,
    out: Path | None,
    control: Control,
    on_step: Callable[[Any], None],
    *,
    job_id: str,
    device: str,
    report: Callable[[int, int, str], None],
) -> LiftResult:
    """Lift a tower of blocks; the landmark's city says what happens, as a prompt does when something is drawn."""
    from gpsdream_app.engine.made_up import look_at, made_up_density
    from gpsdream_app.lifting.result import finish_lift

    weights = weights_hash(model)
    found = find_lift(request, weights, out)
    if found:
        return found
    report(1, 1, "loading the stand-in")
    folder = lift_folder(request, weights, out)
    begin_lift(request, folder)
    mark = folder / "died"
    orders = dict(word.split("=", 1) for word in request.landmark.city.split() if "=" in word)
    kept = False
    try:
        for step in range(1, LIFT_STEPS + 1):
            if "hold" in orders and not (orders.get("at", "1") > str(step)):
                wait_for_file(orders["hold"], lambda: control.paused or control.ended)
            control.check()
            if control.paused:
                control.wait()
            if orders.get("die") == str(step) and len(mark.read_text() if mark.exists() else "") < int(
                orders.get("times", "1")
            ):
                with mark.open("a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
            obey(request.landmark.city.replace("hold=", "held=").replace("die=", "died="), step, lambda: False)
            on_step(Told("fit", step, LIFT_STEPS, step / LIFT_STEPS, terms={"picture": 0.1}))
    except LiftKept:
        kept = True
    density = made_up_density(request)
    return finish_lift(
        density,
        look_at(density, 0.0)[0],
        request,
        folder,
        job_id=job_id,
        seconds=1.0,
        model_title="Stand-in",
        model_hash=weights,
        kept_early=kept,
    )


def make_model(folder: Path, title: str = "Stand-in") -> Path:
    """Write a model folder that passes every check, with one small tensor."""
    unet = folder / "unet"
    unet.mkdir(parents=True)
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "GPSDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]})
    )
    (unet / "config.json").write_text("{}")
    write_safetensors(unet / "diffusion_pytorch_model.safetensors")
    card = ModelCard(folder.name, title, "Draws postcards.", BOX, 64, coverage=COVERAGE)
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return folder


def write_safetensors(path: Path, data: bytes = bytes(8)) -> None:
    """Write one tensor of 4-byte floats."""
    tensor = {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "weight": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


if __name__ == "__main__":
    worker.main(drawing=lambda: StandIn.load, lifting=lambda: stand_in_lift)
