"""A loaded model that draws what a request asks for, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image

from gpsdream_app.domain.averages import AverageRequest, SeriesRequest
from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.generation import memory
from gpsdream_app.generation.average import MeanOverPlaces
from gpsdream_app.generation.previews import preview
from gpsdream_app.library.model_folders import read_card
from gpsdream_app.models.checkpoint import load_pipeline
from gpsdream_app.models.pipeline import GPSDiffusionPipeline, LocationTerm

OnStep = Callable[[int, int, int, Image.Image | None], None]
# Settings of a card's defaults that are the pipeline's business and not the request's.
SAMPLING_SETTINGS = (
    "guidance_rescale",
    "guidance_interval",
    "guidance_order",
    "place_radius",
    "place_radius_with_words",
    "eta",
)


class DrawingCancelled(Exception):
    """Raised out of a painter's work when it was asked to stop."""


def choose_device(wanted: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "mps" into a device that is there."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class Painter:
    """Draws with one loaded model.

    Attributes:
        card: of the model.
        device: name of the device it runs on.
        pipeline: the model.
    """

    def __init__(self, pipeline: GPSDiffusionPipeline, card: ModelCard) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline = pipeline
        self.card = card
        self._preview_matrix = card.choices.get("preview_matrix")

    @property
    def device(self) -> str:
        """Name of the device the model runs on."""
        return str(self.pipeline.unet.device)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        preset: MemoryPreset = MemoryPreset.FULL,
        report: Callable[[int, int, str], None] | None = None,
    ) -> Self:
        """Load a model folder.

        Args:
            folder: of the model.
            device: "auto" takes a GPU if there is one.
            preset: how much memory it may take.
            report: told (stage from 1, stages, text) before each stage.

        Raises:
            GPSDreamError: if the folder is no model, or is damaged.
        """
        card = read_card(folder)
        target = choose_device(device)
        pipeline = load_pipeline(folder, dtype=memory.dtype_for(target, preset), report=report)
        memory.place(pipeline, target, preset)
        return cls(pipeline, card)

    def draw(
        self,
        request: GenerateRequest,
        *,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, Image.Image]]:
        """Draw the pictures of a request one after the other.

        One at a time, because then the pixels of a picture do not depend on how many were asked for.

        Args:
            request: what to draw; its model is not looked at.
            on_step: told (step from 1, steps of all pictures, picture from 0, preview) after every step.
            cancelled: asked after every step.

        Yields:
            (picture from 0, image).

        Raises:
            DrawingCancelled: as soon as `cancelled` says so; the unfinished picture is not decoded.
        """
        for number in range(request.count):
            one = request.picture(number)
            yield number, self._draw_one(one, one.place, number, request.count, on_step, cancelled)

    def average(
        self,
        request: AverageRequest,
        *,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, Image.Image]]:
        """Draw the average picture of each region, one after the other, all from the same initial noises.

        Args:
            request: what to draw; its model is not looked at.
            on_step: as for `draw`.
            cancelled: asked before every pass of the U-Net, since a step takes many.

        Yields:
            (picture from 0 as in `AverageRequest.picture`, image).

        Raises:
            DrawingCancelled: as for `draw`.
        """

        def before_pass() -> None:
            if cancelled is not None and cancelled():
                raise DrawingCancelled

        for number in range(request.count):
            one = request.picture(number)
            places = one.regions[0].places
            mean = MeanOverPlaces(places, one.subset, seed=one.seed, before_pass=before_pass)
            # A single place is no average, whatever the card says of those.
            defaults = self.card.average_defaults if len(set(places)) > 1 else self.card.defaults
            settings = sampling_settings(defaults)
            yield (
                number,
                self._draw_one(one.single(places[0]), mean, number, request.count, on_step, cancelled, settings),
            )

    def series(
        self,
        request: SeriesRequest,
        *,
        skip: Callable[[int], bool] = lambda number: False,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, Image.Image]]:
        """Draw a picture at each place of a series, one after the other, all from the same initial noise.

        Args:
            request: what to draw; its model is not looked at.
            skip: asked of each picture when its turn comes; those for which it says yes are left out.
            on_step: as for `draw`; pictures that are left out count as drawn.
            cancelled: as for `draw`, and before each picture that is left out.

        Yields:
            (picture from 0, image).

        Raises:
            DrawingCancelled: as for `draw`.
        """
        for number in range(request.count):
            if cancelled is not None and cancelled():
                raise DrawingCancelled
            if not skip(number):
                one = request.picture(number)
                yield number, self._draw_one(one, one.place, number, request.count, on_step, cancelled)

    def _draw_one(
        self,
        request: GenerateRequest,
        place: Place | LocationTerm | None,
        number: int,
        pictures: int,
        on_step: OnStep | None,
        cancelled: Callable[[], bool] | None,
        settings: Mapping[str, Any] | None = None,
    ) -> Image.Image:
        """Draw picture `number` of `pictures` as a request for one picture says, but at `place`.

        The card's defaults decide what the request leaves open, or `settings` in their place.
        """
        # Every run starts from a fresh scheduler, because some keep what the last run left in them.
        self.pipeline.scheduler = type(self.pipeline.scheduler).from_config(self.pipeline.scheduler.config)

        def step_end(
            pipeline: GPSDiffusionPipeline, index: int, _: torch.Tensor, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            if cancelled is not None and cancelled():
                raise DrawingCancelled
            if on_step is not None:
                shown = tensors["pred_original"]
                image = preview(pipeline, tensors["latents"] if shown is None else shown, self._preview_matrix)
                # Some schedulers take more passes than the steps they are asked for.
                passes = len(pipeline.scheduler.timesteps)
                on_step(number * passes + index + 1, pictures * passes, number, image)
            return tensors

        if cancelled is not None and cancelled():
            raise DrawingCancelled
        images = self.pipeline(
            request.prompt,
            place,
            negative_prompt=request.negative_prompt,
            num_inference_steps=request.steps,
            text_guidance=request.text_guidance,
            place_guidance=request.place_guidance,
            generator=torch.Generator().manual_seed(request.seed),
            callback_on_step_end=step_end,
            **(sampling_settings(self.card.defaults) if settings is None else settings),
        ).images
        drawn: Image.Image = images[0]
        return drawn


def sampling_settings(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline's arguments that a card's defaults give."""
    return {name: defaults[name] for name in SAMPLING_SETTINGS if name in defaults}
