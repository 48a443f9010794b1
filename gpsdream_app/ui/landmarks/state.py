"""The Landmarks place without widgets: which landmarks there are, what the model knows of them, what is wished for."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.events import Event
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.domain.lifts import DEFAULT_LANDMARK_MODEL, LiftMethod, LiftQuality, LiftRequest, LiftResult
from gpsdream_app.domain.model_card import LANDMARKS, ModelCard
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.geo.azimuth import DEGREES_PER_BIN, place_at
from gpsdream_app.library.lifts import MESH_FILE
from gpsdream_app.library.model_folders import InstalledModel, list_models
from gpsdream_app.ui.landmarks.book import LandmarkBook, Listed
from gpsdream_app.ui.landmarks.lifts import LiftJob, Lifts
from gpsdream_app.ui.phrases import time_left_text

if TYPE_CHECKING:
    from gpsdream_app.landmarks.collection import LandmarkPhoto
    from gpsdream_app.ui.session import Session

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class LiftWish:
    """What the form says; with a landmark it makes a request.

    Attributes:
        method: how.
        quality: how much time.
        seed: of all chance.
        guidance: None for the model's own.
        model: name of the model.
    """

    method: LiftMethod = LiftMethod.REFINE
    quality: LiftQuality = LiftQuality.BALANCED
    seed: int = 0
    guidance: float | None = None
    model: str = DEFAULT_LANDMARK_MODEL

    def to_dict(self) -> dict[str, Any]:
        """Return the wish as JSON values."""
        return {
            "method": self.method.value,
            "quality": self.quality.value,
            "seed": self.seed,
            "guidance": self.guidance,
            "model": self.model,
        }

    @classmethod
    def from_dict(cls, data: object) -> LiftWish:
        """Read what `to_dict` wrote; what cannot be read is as at first."""
        wish = cls()
        if not isinstance(data, dict):
            return wish
        if data.get("method") in list(LiftMethod):
            wish = replace(wish, method=LiftMethod(data["method"]))
        if data.get("quality") in list(LiftQuality):
            wish = replace(wish, quality=LiftQuality(data["quality"]))
        seed, guidance, model = data.get("seed"), data.get("guidance"), data.get("model")
        if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= MAX_SEED:
            wish = replace(wish, seed=seed)
        if isinstance(guidance, float) and math.isfinite(guidance) and 0 <= guidance <= 10:
            wish = replace(wish, guidance=guidance)
        if isinstance(model, str) and 0 < len(model) < 400:
            wish = replace(wish, model=model)
        return wish


class Landmarks(QObject):
    """Landmarks, their photos, their lifts, and what the form says.

    Signals:
        chosen_changed: another landmark is chosen.
        wish_changed: the form says something else.
        model_changed: the models of landmarks were read, or another one is used.
        photos_changed: the photos of a landmark were read; its id.
        footprint_changed: the outline of a mesh on the ground is known.
    """

    chosen_changed = Signal()
    wish_changed = Signal()
    model_changed = Signal()
    photos_changed = Signal(str)
    footprint_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._opened = False
        self._remembered = self._read_remembered()
        self.wish = LiftWish.from_dict(self._remembered.get("wish"))
        self.models: list[InstalledModel] = []
        self.models_read = False
        self.book = LandmarkBook(session, self)
        self.lifts = Lifts(session, self)
        self.chosen_id = str(self._remembered.get("chosen") or "")
        self._photos: dict[str, tuple[LandmarkPhoto, ...]] = {}
        self._photo_failures: dict[str, Failure] = {}
        self._folders: dict[str, tuple[Path | None, Landmark]] = {}
        self._reading: set[str] = set()
        self._footprints: dict[str, Ring] = {}
        self._asked: set[str] = set()
        self.book.changed.connect(self._book_changed)
        self.lifts.history_changed.connect(self._read_footprints)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self.book.pending + self.lifts.pending

    @property
    def idle(self) -> bool:
        """Whether nothing is lifted, looked up or written any more."""
        return not self.lifts and not self.pending and not self._session.background.pending

    def open(self) -> None:
        """Read models, landmarks and lifts; does nothing if they have been read."""
        if self._opened:
            return
        self._opened = True
        self.book.read()
        self.lifts.read()
        self.read_models()

    def close(self) -> None:
        """Remember what was chosen, and end the background work."""
        self.remember()
        self.book.close()
        self.lifts.close()

    def handle(self, event: Event) -> bool:
        """Take an event of the engine; returns whether it belongs to a lift."""
        return self.lifts.handle(event)

    # -- what is remembered --

    def remember(self) -> None:
        """Keep choice and form for the next start."""
        data = {"chosen": self.chosen_id, "wish": self.wish.to_dict()}
        self._session.settings.landmarks = json.dumps(data)

    def _read_remembered(self) -> dict[str, Any]:
        try:
            data = json.loads(self._session.settings.landmarks or "{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    # -- models --

    def read_models(self) -> None:
        """Look which models of landmarks are installed."""

        def read() -> list[InstalledModel]:
            return [model for model in list_models() if model.card.kind == LANDMARKS]

        def show(models: list[InstalledModel]) -> None:
            self.models, self.models_read = models, True
            names = [model.name for model in models]
            if names and self.wish.model not in names:
                self.wish = replace(self.wish, model=names[0])
            self.model_changed.emit()

        self._session.background.run(self, read, show, self._session.notify_failure)

    @property
    def card(self) -> ModelCard | None:
        """The card of the model that lifts; None if none is installed."""
        return next((model.card for model in self.models if model.name == self.wish.model), None)

    def known(self, landmark_id: str) -> tuple[int, ...] | None:
        """Return how many photos of a landmark the model has learned from, per bin of azimuth; None if of none."""
        card = self.card
        if card is None:
            return None
        known = card.known_landmark(landmark_id)
        return known.photos if known else None

    def usual_guidance(self, otherwise: float) -> float:
        """Return the guidance that the model's card asks for."""
        card = self.card
        value = card.defaults.get("guidance") if card else None
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise

    # -- choosing --

    @property
    def chosen(self) -> Listed | None:
        """The chosen landmark; None before they were read."""
        return self.book.get(self.chosen_id)

    def choose(self, landmark_id: str) -> None:
        """Choose a landmark."""
        if landmark_id != self.chosen_id and self.book.get(landmark_id):
            self.chosen_id = landmark_id
            self.chosen_changed.emit()
            self.read_photos(landmark_id)

    def _book_changed(self) -> None:
        if self.book.get(self.chosen_id) is None and self.book.listed:
            self.chosen_id = self.book.listed[0].id
        for listed in self.book.listed:
            if self._folders.get(listed.id) != (listed.photos, listed.landmark):
                self._folders[listed.id] = listed.photos, listed.landmark
                self._photos.pop(listed.id, None)
                self._photo_failures.pop(listed.id, None)
        self.chosen_changed.emit()
        self.read_photos(self.chosen_id)

    # -- a person's own photos --

    def photos(self, landmark_id: str) -> tuple[LandmarkPhoto, ...]:
        """Return a person's own photos of a landmark; none before they were read."""
        return self._photos.get(landmark_id, ())

    def photos_failure(self, landmark_id: str) -> Failure | None:
        """Return why the photos of a landmark could not be read."""
        return self._photo_failures.get(landmark_id)

    def is_reading(self, landmark_id: str) -> bool:
        """Whether the photos of a landmark are being read."""
        return landmark_id in self._reading

    def read_photos(self, landmark_id: str) -> None:
        """Read the photos folder of a landmark, unless that was done before."""
        listed = self.book.get(landmark_id)
        if listed is None or listed.photos is None or landmark_id in self._reading:
            return
        if landmark_id in self._photos:
            return
        folder, which = listed.photos, listed.landmark
        self._reading.add(landmark_id)
        self._photo_failures.pop(landmark_id, None)
        self.photos_changed.emit(landmark_id)

        def read() -> tuple[LandmarkPhoto, ...]:
            # Imported late: it brings the readers of photos along.
            from gpsdream_app.landmarks.collection import photos_of, records_in

            records, _ = records_in(folder)
            return tuple(photos_of(which, records))

        def show(photos: tuple[LandmarkPhoto, ...]) -> None:
            self._reading.discard(landmark_id)
            now = self.book.get(landmark_id)
            if now is None or (now.photos, now.landmark) != (folder, which):
                self.read_photos(landmark_id)
                return
            self._photos[landmark_id] = photos
            self.photos_changed.emit(landmark_id)

        def failed(failure: Failure) -> None:
            self._reading.discard(landmark_id)
            self._photo_failures[landmark_id] = failure
            self._photos[landmark_id] = ()
            self.photos_changed.emit(landmark_id)

        self._session.background.run(self, read, show, failed)

    # -- the form --

    def change(self, **values: Any) -> None:
        """Change the wish; see `LiftWish`."""
        wish = replace(self.wish, **values)
        if wish != self.wish:
            other_model = wish.model != self.wish.model
            self.wish = wish
            self.wish_changed.emit()
            if other_model:
                self.model_changed.emit()

    def use(self, request: LiftRequest) -> None:
        """Take over what a lift was made with."""
        self.choose(request.landmark.id)
        model = request.model if any(model.name == request.model for model in self.models) else self.wish.model
        self.change(
            method=request.method, quality=request.quality, seed=request.seed, guidance=request.guidance, model=model
        )

    def request(self) -> LiftRequest | None:
        """Return what the form asks for; None without a landmark. Raises GPSDreamError if it is not right."""
        listed, wish = self.chosen, self.wish
        if listed is None:
            return None
        return LiftRequest(listed.landmark, wish.method, wish.quality, wish.seed, wish.guidance, wish.model)

    def obstacle(self) -> str:
        """Return why the chosen landmark cannot be lifted, in a sentence; empty if it can."""
        listed = self.chosen
        if not self.models_read or listed is None:
            return self.tr("Reading…")
        if self.card is None:
            return self.tr("No model of landmarks is installed. “gpsdream train-landmark” makes one from photos.")
        if self.known(listed.id) is None:
            return self.tr("{0} has not learned this landmark. Train a model with its photos to lift it.").format(
                self.card.title
            )
        return ""

    def estimate_text(self) -> str:
        """Return how long the lift would take; empty if nothing can be lifted."""
        try:
            request = self.request()
        except GPSDreamError as error:
            return error.failure.message
        if request is None:
            return ""
        seconds, measured = self.lifts.estimate(request)
        left = time_left_text(seconds)
        if measured:
            return self.tr("{0}, as your last lifts took").format(left)
        return self.tr("{0} on two idle cores").format(left)

    def lift(self) -> LiftJob | None:
        """Lift the chosen landmark as the form says."""
        listed = self.chosen
        try:
            request = self.request()
        except GPSDreamError as error:
            self._session.notify_failure(error.failure)
            return None
        if request is None or listed is None or self.obstacle():
            return None
        return self.lifts.lift(request, listed.title)

    # -- the map --

    def footprint(self, landmark_id: str, result: LiftResult | None = None) -> Ring:
        """Return the outline of a lift on the ground as (latitude, longitude), of the newest one if None is named."""
        done = self.lifts.of(landmark_id)
        shown = result or (done[0] if done else None)
        return self._footprints.get(shown.folder, ()) if shown else ()

    def standpoints(self, landmark_id: str) -> list[tuple[float, float]]:
        """Return where a person's own photos of a landmark were taken, as (latitude, longitude)."""
        listed = self.book.get(landmark_id)
        if listed is None:
            return []
        foot = listed.landmark.lat, listed.landmark.lon
        return [place_at(foot, photo.azimuth, photo.distance) for photo in self.photos(landmark_id)]

    def forget_footprint(self, result: LiftResult) -> None:
        """Compute an outline again, because the mesh is another one."""
        self._asked.discard(result.folder)
        self._footprints.pop(result.folder, None)
        self._read_footprints()

    def _read_footprints(self) -> None:
        """Compute the outlines of all lifts that have none yet."""
        wanted = [result for result in self.lifts.history if result.folder not in self._asked]
        if not wanted:
            return
        self._asked.update(result.folder for result in wanted)

        def work() -> dict[str, Ring]:
            return {result.folder: read_footprint(result) for result in wanted}

        def show(found: dict[str, Ring]) -> None:
            self._footprints.update({folder: ring for folder, ring in found.items() if ring})
            self.footprint_changed.emit()

        self._session.background.run(self, work, show)


def sector_of(number: int) -> tuple[float, float]:
    """Return the part of the circle that a bin of azimuth covers: from and to, in degrees clockwise from north."""
    return (number - 0.5) * DEGREES_PER_BIN, (number + 0.5) * DEGREES_PER_BIN


def read_footprint(result: LiftResult) -> Ring:
    """Compute the outline of a lift's mesh on the ground; empty if its mesh cannot be read.

    Returns:
        (latitude, longitude) in degrees, closed.
    """
    # Imported late: they bring numpy's friends along, for which the window should not wait.
    import numpy as np
    import trimesh

    from gpsdream_app.lifting.files import Standing, footprint
    from gpsdream_app.lifting.mesh import LiftedMesh
    from gpsdream_app.lifting.scale import Scale

    try:
        scene = trimesh.load_scene(Path(result.folder) / MESH_FILE)
        # The vertices themselves are east, north, up, in metres from the foot; only the node turns them.
        parts = [np.asarray(part.vertices, dtype=float) for part in scene.geometry.values()]
        vertices = np.concatenate(parts)
        mesh = LiftedMesh(vertices, np.zeros((0, 3), dtype=int), np.zeros_like(vertices))
        standing = Standing(result.request.landmark.title, Scale(1.0, 0.0), result.request.landmark.place)
        return tuple(footprint(mesh, standing))
    except Exception:
        # A mesh that cannot be read has no outline; whoever opens it is told why.
        return ()
