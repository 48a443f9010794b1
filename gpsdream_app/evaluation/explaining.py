"""The engine's painter: it draws, and says why pictures look so, how alike they look and what is typical of a place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gpsdream_app.domain.averages import Likeness, LikenessRequest, PatchesRequest, TypicalPatches
from gpsdream_app.domain.explanations import Explanation
from gpsdream_app.domain.model_card import METRES_PER_DEGREE, Coverage
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.evaluation.likeness import ImageEncoder, image_encoder, likeness_of
from gpsdream_app.evaluation.patches import find_patches
from gpsdream_app.evaluation.statistics import Floats
from gpsdream_app.evaluation.typicality import NoiseSettings, location_log_density, typicality
from gpsdream_app.generation.draw import DrawingCancelled, OnStep, Painter
from gpsdream_app.generation.explain import draw_and_watch, png_bytes
from gpsdream_app.models.pictures import pictures_from_pixels

COMPARED_PLACES = 24
APART_METRES = 150.0  # a nearer place is hardly another one
# Measured on pictures of a small model of Fifth Avenue: the share of 24 places is the same with 4 draws as with 16, and
# the typicality itself is known to about a third of its size with 8.
DRAWS, DRAWS_OF_OTHERS = 8, 4
# Two draws tell a place from nearly all others. Against six they take 0.28 s of one core, where drawing takes 1.6 s.
RANK_PLACES, DRAWS_OF_RANK = 6, 2
SMALL_WEIGHTS = 100_000_000  # of a U-Net for which that is quick, and many pictures in one pass need little memory
BATCH, BATCH_OF_LARGE = 32, 4
# What is looked at for typical patches: about a minute of one core for a small model.
DRAWS_OF_PATCHES, PHOTOS_OF_PATCHES, PHOTOS_OF_PATCHES_OF_LARGE = 6, 48, 24


class ExplainingPainter(Painter):
    """Draws, explains what it drew, and looks at pictures and photos."""

    _encoder: ImageEncoder | None = None

    @property
    def _is_small(self) -> bool:
        return bool(self.pipeline.unet.num_parameters() <= SMALL_WEIGHTS)

    def _noise(self, draws: int) -> NoiseSettings:
        return NoiseSettings(draws=draws, batch=BATCH if self._is_small else BATCH_OF_LARGE)

    def rank(self, request: GenerateRequest, image: Image.Image) -> tuple[float | None, int]:
        """Look quickly how typical a drawn picture is of its place.

        Args:
            request: what it was drawn for.
            image: the picture.

        Returns:
            Share of other places for which it is less typical, 0 to 1, and the number of those places. None and 0
            without a place or other places, and for large models, which would take seconds.
        """
        place, coverage = request.place, self.card.coverage
        if place is None or coverage is None or not self._is_small:
            return None, 0
        others = other_places(coverage, place, RANK_PLACES)
        if not others:
            return None, 0
        picture = pictures_from_pixels([np.asarray(image.convert("RGB"))])[0]
        densities = location_log_density(
            self.pipeline, picture, request.prompt, [place, *others], self._noise(DRAWS_OF_RANK)
        )
        return float(np.mean(densities[1:] < densities[0])), len(others)

    def explain(
        self,
        request: GenerateRequest,
        *,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Explanation:
        """Draw the one picture of a request again and tell why it looks so.

        Args:
            request: one picture; its model is not looked at.
            on_step: told (step from 1, steps, 0, preview) after every denoising step and every place compared.
            cancelled: asked as often.

        Raises:
            DrawingCancelled: as soon as `cancelled` says so.
        """
        place, coverage = request.place, self.card.coverage
        others = other_places(coverage, place, COMPARED_PLACES) if place and coverage else []
        # The place itself is looked at, too: once alone and once among the others.
        extra = len(others) + 2 if place else 0
        passes = request.steps

        def drawing_step(index: int, total: int, picture: int, preview: Image.Image | None) -> None:
            nonlocal passes
            passes = total
            if on_step:
                on_step(index, total + extra, 0, preview)

        def comparing_step(done: int) -> None:
            if cancelled and cancelled():
                raise DrawingCancelled
            if on_step:
                on_step(passes + done, passes + extra, 0, None)

        watched = draw_and_watch(self, request, on_step=drawing_step, cancelled=cancelled)
        explanation = Explanation(
            request=request,
            picture=png_bytes(watched.image),
            tokens=watched.tokens,
            other_share=watched.other_share,
            location_apart=watched.location_apart,
        )
        if place is None:
            return explanation
        picture = pictures_from_pixels([np.asarray(watched.image.convert("RGB"))])[0]
        own = typicality(self.pipeline, picture, request.prompt, place, self._noise(DRAWS))
        comparing_step(1)
        densities = location_log_density(
            self.pipeline,
            picture,
            request.prompt,
            [place, *others],
            self._noise(DRAWS_OF_OTHERS),
            on_place=lambda done, total: comparing_step(done + 1),
        )
        return replace(
            explanation,
            typicality=own.value,
            typicality_error=own.standard_error,
            typicality_rank=float(np.mean(densities[1:] < densities[0])) if others else None,
            places_compared=len(others),
            **_positive(own.map),
        )

    def likeness(self, request: LikenessRequest, *, cancelled: Callable[[], bool] | None = None) -> Likeness:
        """Measure how alike pictures look.

        Args:
            request: picture files; its model is not looked at.
            cancelled: asked before every picture.

        Raises:
            DrawingCancelled: as soon as `cancelled` says so.
            GPSDreamError: if a picture cannot be read.
        """
        if self._encoder is None:
            self._encoder = image_encoder(self.pipeline, self.card)
        pictures = [Path(path) for path in request.pictures]
        return likeness_of(self._encoder, pictures, self.card.image_size, _stopper(cancelled))

    def patches(
        self,
        request: PatchesRequest,
        *,
        folder: Path,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TypicalPatches:
        """Find the patches of photos that are most typical of where they were taken.

        Args:
            request: the photos; its model is not looked at.
            folder: where the cut-outs go; made if missing.
            on_step: told (photos looked at, photos, number of the photo from 0, None) after every photo.
            cancelled: asked before every crop of a photo.

        Raises:
            DrawingCancelled: as soon as `cancelled` says so.
            GPSDreamError: if none of the photos can be read.
        """

        def on_photo(done: int, total: int) -> None:
            if on_step:
                on_step(done, total, done - 1, None)

        return find_patches(
            self.pipeline,
            self.card,
            request,
            folder,
            self._noise(DRAWS_OF_PATCHES),
            most_photos=PHOTOS_OF_PATCHES if self._is_small else PHOTOS_OF_PATCHES_OF_LARGE,
            on_photo=on_photo,
            check=_stopper(cancelled),
        )


def _stopper(cancelled: Callable[[], bool] | None) -> Callable[[], None]:
    """What raises DrawingCancelled when it is called after `cancelled` says so."""

    def check() -> None:
        if cancelled is not None and cancelled():
            raise DrawingCancelled

    return check


def _positive(values: Floats) -> dict[str, Any]:
    """The parts of a picture that a place explains, smoothed over neighbouring cells, since few draws are noisy.

    Args:
        values: (h, w), typicality of each cell.
    """
    rows, columns = values.shape
    padded = np.pad(values, 1, mode="edge")
    smooth = sum(padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)) / 9
    positive = np.maximum(smooth, 0.0)
    peak = float(positive.max())
    scaled = positive / peak if peak > 0 else positive
    return {"typicality_map": tuple(tuple(row) for row in scaled.tolist()), "typicality_peak": peak}


def other_places(coverage: Coverage, place: Place, count: int) -> list[Place]:
    """Places to compare with: spread evenly over where a model has seen photos, seen in the same direction.

    Args:
        coverage: where it has; the middles of its cells stand for them.
        place: what they are other places than: they are at least `APART_METRES` away.
        count: so many at most.

    Returns:
        The same places whenever it is asked.
    """
    scale = METRES_PER_DEGREE * math.cos(math.radians(place.lat))
    far = []
    for row, column, _ in sorted(coverage.cells):
        lat, lon = coverage.centre(row, column)
        if math.hypot((lat - place.lat) * METRES_PER_DEGREE, (lon - place.lon) * scale) >= APART_METRES:
            far.append(Place(lat, lon, place.heading))
    count = min(count, len(far))
    return [far[(2 * number + 1) * len(far) // (2 * count)] for number in range(count)]
