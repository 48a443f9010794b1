"""What the window does, without widgets: places, drawing, pictures, saving. Widgets listen to it and call it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PySide6.QtCore import QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from gpsdream_app.domain.errors import LESS_MEMORY, ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import (
    Cancelled,
    EngineChanged,
    EngineState,
    Event,
    Failed,
    Finished,
    PictureFinished,
    Started,
    Step,
)
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.memory import MemoryPreset
from gpsdream_app.domain.model_card import PLACES, ModelCard
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.domain.words import unknown_words
from gpsdream_app.engine.base import Engine
from gpsdream_app.geo.city import CityMap, load_city
from gpsdream_app.geo.coordinates import parse_coordinates
from gpsdream_app.geo.gazetteer import Gazetteer, Hit
from gpsdream_app.library.model_folders import InstalledModel, find_model, list_models, read_card
from gpsdream_app.library.paths import library_path, pictures_dir
from gpsdream_app.library.picture_metadata import parameters_text, read_png, save_png
from gpsdream_app.library.queue import KeptRequest
from gpsdream_app.library.store import JobState, Library, RecordedJob
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.engine_bridge import EngineBridge
from gpsdream_app.ui.explainer import Explainer, WhyState
from gpsdream_app.ui.film import FilmModel
from gpsdream_app.ui.job_queue import JobQueue, QueuedJob, QueueRequest
from gpsdream_app.ui.measuring import Measuring
from gpsdream_app.ui.phrases import coordinates_text, first_upper
from gpsdream_app.ui.queue_keeper import QueueKeeper
from gpsdream_app.ui.settings import MemoryChoice, Settings
from gpsdream_app.ui.state import FormState

if TYPE_CHECKING:
    from gpsdream_app.ui.landmarks.state import Landmarks
    from gpsdream_app.ui.library.state import LibraryState
    from gpsdream_app.ui.models.shelf import Shelf
    from gpsdream_app.ui.models.training import Training
    from gpsdream_app.ui.neighbourhoods.state import Neighbourhoods
    from gpsdream_app.ui.photos.state import PhotosState

log = logging.getLogger(__name__)

PAGE = 200  # results that are read from the library at once
EXAMPLES = 3
PLACE_ZOOM = 16.5
SETTINGS_MILLISECONDS = 1000
DEFAULT_CITY = "manhattan"


class Tone(StrEnum):
    """How loud a notice is."""

    ERROR = "error"
    HINT = "hint"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that stands in the panel until it is dismissed.

    Attributes:
        tone: how loud.
        text: the sentence.
        hint: what would help; may be empty.
        action: label of the button; empty for none.
        call: what the button does.
        details: a traceback or log excerpt; may be empty.
    """

    tone: Tone
    text: str
    hint: str = ""
    action: str = ""
    call: Callable[[], None] | None = None
    details: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The big picture: its pixels, its result if it is in the library, and the request that draws it."""

    image: QImage
    result: Result | None = None
    request: GenerateRequest | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    path: Path
    card: ModelCard
    installed: list[InstalledModel]


@dataclass(frozen=True, slots=True)
class _Opened:
    library: Library
    results: list[Result]
    interrupted: list[RecordedJob]
    rebuilt: bool


class Session(QObject):
    """Everything between the widgets and the engine, the library and the disk.

    Signals:
        city_changed: a city was loaded, or none could be (None).
        model_changed: a model's card was read.
        engine_text_changed: the sentence about the engine is another one.
        shown_changed: the big picture is another one (`Shown` or None).
        previewed: the picture that is being drawn, as it stands (QImage).
        notice_changed: there is another notice to show (`Notice` or None).
        library_read: the pictures of earlier days are in the filmstrip.
        fly: the map shall bring a point (latitude, longitude, zoom) to the middle.
        reveal: the map shall bring a point (latitude, longitude) in sight, if it is not.
        picture_finished: a picture is done and in the strip.
        following_changed: the big picture follows the drawing now, or does not any more.
    """

    city_changed = Signal(object)
    model_changed = Signal(object)
    engine_text_changed = Signal()
    shown_changed = Signal(object)
    previewed = Signal(QImage)
    notice_changed = Signal(object)
    library_read = Signal()
    fly = Signal(float, float, float)
    reveal = Signal(float, float)
    picture_finished = Signal(Result)
    following_changed = Signal()

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        model: str | None = None,
        city: str | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Make a session; nothing is read or started before `start`.

        Args:
            engine: draws.
            settings: what was remembered.
            model: name or folder of the model; the embedded one if None.
            city: id of the city to show; the model's own if None.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self.settings = settings
        self.form = FormState(self)
        self.queue = JobQueue(self)
        self.film = FilmModel(self)
        self.background = Background(self)
        # One thread, so that what happens to one row or file happens in order.
        self._writer = Background(self, threads=1)
        self.bridge = EngineBridge(engine, self)
        self.why = Explainer(self.bridge, self.background, self)
        self.measuring = Measuring(self.background, parent=self)
        self.keeper = QueueKeeper(self)
        self.keeper.left_over.connect(self._tell_of_interrupted)
        self.keeper.discarded.connect(self._tell_of_discarded)
        self.keeper.released.connect(self._queue_released)
        self.card: ModelCard | None = None
        self.city: CityMap | None = None
        self.installed: list[InstalledModel] = []
        self.shown: Shown | None = None
        self.notice: Notice | None = None
        self.engine_state = EngineState.STOPPED
        self.engine_text = self.tr("Starting")
        self._asked_city = city
        self._city_id = ""
        self._gazetteer: Gazetteer | None = None
        self._library: Library | None = None
        self._following = True
        self._queue_notice: Notice | None = None
        self._wanted_picture = ""
        self._all_read = False
        self._reading_older = False
        self._deleted: tuple[str, int] | None = None
        self.deleted_at = 0.0  # of `time.monotonic`, when a picture was last deleted
        self._neighbourhoods: Neighbourhoods | None = None
        self._landmarks: Landmarks | None = None
        self._library_place: LibraryState | None = None
        self._photos: PhotosState | None = None
        self._training: Training | None = None
        self._shelf: Shelf | None = None
        self._closed = False
        # Whatever changes is on the disk soon, and a map that is being moved does not write at every step.
        self._settings_due = QTimer(self)
        self._settings_due.setSingleShot(True)
        self._settings_due.setInterval(SETTINGS_MILLISECONDS)
        self._settings_due.timeout.connect(self._write_settings)
        settings.on_change = self._settings_due.start
        if model:
            self.form.model = model
        place = settings.place
        if place:
            self.form.set_place(place)
        self.form.changed.connect(self._form_changed)
        self.bridge.engine_changed.connect(self._engine_changed)
        self.bridge.happened.connect(self._happened)

    # -- beginning and end --

    def start(self) -> None:
        """Start the engine and read city, model and library, all in the background."""
        engine = self.bridge.engine
        engine.use_memory(self.settings.memory, self.settings.rest_minutes)
        self.background.run(self, engine.start, failed=self._engine_failed, priority=3)
        self._load_city(self._asked_city or DEFAULT_CITY)
        self.use_model(self.form.model)
        self.keeper.open()
        self.background.run(self, _open_library, self._library_opened, self._library_failed)

    def close(self, timeout: float = 3.0) -> None:
        """End the engine and all background work.

        Args:
            timeout: seconds that the engine gets before it is ended by force.
        """
        if self._closed:
            return
        self._closed = True
        self.settings.on_change = None
        self._settings_due.stop()
        self.settings.place = self.form.place
        if self._neighbourhoods:
            self._neighbourhoods.close()
        if self._landmarks:
            self._landmarks.close()
        if self._library_place:
            self._library_place.close()
        if self._photos:
            self._photos.close()
        if self._training:
            self._training.close()
        if self._shelf:
            self._shelf.close()
        self.measuring.close()
        self.bridge.close(timeout)
        self.background.close()
        self._writer.close()
        self.settings.save()
        self.keeper.close()
        if self._library:
            self._library.close()

    def _write_settings(self) -> None:
        self._writer.run(self, self.settings.write, failed=self.notify_failure)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        places = self._neighbourhoods.pending if self._neighbourhoods else 0
        places += self._landmarks.pending if self._landmarks else 0
        places += self._library_place.pending if self._library_place else 0
        places += self._photos.pending if self._photos else 0
        places += self._shelf.pending if self._shelf else 0
        return self.background.pending + self._writer.pending + self.keeper.pending + places

    # -- model and city --

    def use_model(self, name: str) -> None:
        """Read a model's card, show what it knows, and have the engine load it."""

        def read() -> _Model:
            path = find_model(name)
            # Models of landmarks draw no places; they have a place of the window to themselves.
            return _Model(path, read_card(path), [model for model in list_models() if model.card.kind == PLACES])

        self.form.model = name
        self.background.run(self, read, lambda model: self._model_read(name, model), self._model_failed, priority=2)

    def _model_read(self, name: str, model: _Model) -> None:
        if name != self.form.model:
            return
        self.card = model.card
        self.installed = model.installed
        self.form.take_defaults(model.card)
        self.measuring.open_model(name, model.card)
        self.model_changed.emit(model.card)
        if not self._asked_city and model.card.city and model.card.city != self._city_id:
            self._load_city(model.card.city)
        self.bridge.engine.warm(name)

    def refresh_models(self) -> None:
        """Read again which models are installed, after one came or went; the open one stays open."""

        def show(models: list[InstalledModel]) -> None:
            self.installed = [model for model in models if model.card.kind == PLACES]
            if self.card:
                self.model_changed.emit(self.card)

        self.background.run(self, list_models, show, priority=2)

    def _model_failed(self, failure: Failure) -> None:
        self.notify_failure(failure, self.tr("Look again"), self._read_model_again)

    def _read_model_again(self) -> None:
        self.use_model(self.form.model)

    def _load_city(self, city_id: str) -> None:
        def read() -> tuple[CityMap, Gazetteer]:
            city = load_city(city_id)
            return city, Gazetteer(city)

        self._city_id = city_id
        self.background.run(self, read, self._city_read, self._city_failed, priority=2)

    def _city_read(self, loaded: tuple[CityMap, Gazetteer]) -> None:
        self.city, self._gazetteer = loaded
        self.city_changed.emit(self.city)
        self._look_up_name()

    def _city_failed(self, failure: Failure) -> None:
        self.city_changed.emit(None)
        self.notify_failure(failure)

    # -- places --

    def pick(self, lat: float, lon: float, name: str = "") -> None:
        """Choose a point in degrees, for example where the map was clicked."""
        self.why.leave()
        try:
            self.form.move_to(lat, lon, name)
        except GPSDreamError as error:
            self.notify_failure(error.failure)

    def go_to(self, lat: float, lon: float, name: str = "") -> None:
        """Choose a point and bring it to the middle of the map."""
        self.pick(lat, lon, name)
        if self.form.place:
            self.fly.emit(lat, lon, PLACE_ZOOM)

    def draw_example(self, index: int) -> None:
        """Take over place and words of one of the card's examples, and draw it."""
        if self.card and 0 <= index < len(self.card.examples):
            example = self.card.examples[index]
            self.form.set_place(example.place)
            prompts = {other.prompt for other in self.card.examples}
            if not self.form.prompt.strip() or self.form.prompt in prompts:
                self.form.prompt = example.prompt
            self.draw()

    def search(self, text: str, found: Callable[[str, list[Hit]], None]) -> None:
        """Look a text up in the gazetteer; `found` gets the text and the hits."""
        gazetteer = self._gazetteer
        self.background.run(
            self,
            lambda: gazetteer.search(text) if gazetteer else _coordinates_alone(text),
            lambda hits: found(text, hits),
            lambda _: found(text, []),
            priority=4,
        )

    def photo_distance(self) -> float | None:
        """Metres from the chosen place to where the model has seen a photo; None if not known."""
        place, card = self.form.place, self.card
        if place is None or card is None or card.coverage is None:
            return None
        return card.coverage.distance(place.lat, place.lon)

    def move_to_photos(self) -> None:
        """Move the pin to the nearest place where the model has seen photos; the direction of view stays."""
        place, card = self.form.place, self.card
        nearest = card.coverage.nearest(place.lat, place.lon) if place and card and card.coverage else None
        if nearest:
            self.pick(*nearest)
            self.reveal.emit(*nearest)

    def unknown_words(self) -> tuple[str, ...]:
        """The words of the prompt that the model has not learned; empty if its card does not say what it has."""
        vocabulary = self.card.choices.get("vocabulary") if self.card else None
        if not isinstance(vocabulary, list | tuple) or self.card is None:
            return ()
        known = [word for word in vocabulary if isinstance(word, str)]
        return unknown_words(self.form.prompt, [*known, *self.card.words]) if known else ()

    def outside_box(self) -> bool:
        """Whether the chosen place lies outside the area that the model was trained for."""
        place, card = self.form.place, self.card
        return place is not None and card is not None and not card.box.contains(place.lat, place.lon)

    def _form_changed(self, name: str) -> None:
        if name == "place":
            self._look_up_name()

    def _look_up_name(self) -> None:
        place, gazetteer = self.form.place, self._gazetteer
        if place is None or place.name or gazetteer is None:
            return
        lat, lon = place.lat, place.lon
        self.background.run(
            self,
            lambda: gazetteer.describe(lat, lon),
            lambda name: self.form.name_place(lat, lon, name),
            priority=3,
        )

    # -- drawing --

    def draw(self) -> str:
        """Put what the form asks for in the queue. Returns the job's id, empty if the form is not right yet."""
        try:
            request = self.form.next_request()
        except GPSDreamError as error:
            self.notify_failure(error.failure)
            return ""
        return self.submit(request)

    def submit(self, request: GenerateRequest, job_id: str = "") -> str:
        """Put a request in the queue. Returns the job's id, empty if the engine does not take it."""
        self.why.leave()
        job_id = job_id or self.bridge.new_job_id()
        self.queue.add(job_id, request)
        try:
            self.bridge.submit(request, job_id)
        except GPSDreamError as error:
            self.queue.remove(job_id)
            self.notify_failure(error.failure)
            return ""
        if self.notice and self.notice.tone is Tone.ERROR:
            self.dismiss()
        self._set_following(True)
        self.keeper.added(job_id, request)
        self._say_that_it_waits()
        return job_id

    def submit_again(self, job_id: str, request: KeptRequest, title: str) -> bool:
        """Put a job of before, or what is left of it, in the queue. Returns whether the engine takes it."""
        before = self.queue.take_over(job_id)
        if isinstance(request, GenerateRequest):
            taken = bool(self.submit(request, job_id))
        else:
            try:
                taken = bool(self.submit_job(request, title, job_id))
            except GPSDreamError as error:
                self.notify_failure(error.failure)
                taken = False
            if taken and isinstance(request, LiftRequest):
                self.landmarks.lifts.follow(job_id, request)
        if not taken:
            self.queue.put_over(*before)
        return taken

    def _say_that_it_waits(self) -> None:
        if self.queue.held and self.queue.waiting:
            text = self.tr("The queue is paused, so this waits.")
            self._notify_of_queue(Notice(Tone.HINT, text, "", self.tr("Go on"), lambda: self.keeper.hold(False)))

    def _notify_of_queue(self, notice: Notice) -> None:
        self._queue_notice = notice
        self.notify(notice)

    def _queue_released(self) -> None:
        if self.notice is not None and self.notice is self._queue_notice:
            self.dismiss()

    # -- regions, walks and what else draws many places at once --

    @property
    def neighbourhoods(self) -> Neighbourhoods:
        """What the Neighbourhoods place does; made when it is first asked for."""
        if self._neighbourhoods is None:
            # Imported late: it brings geometry along, for which the start should not wait.
            from gpsdream_app.ui.neighbourhoods.state import Neighbourhoods

            self._neighbourhoods = Neighbourhoods(self)
        return self._neighbourhoods

    @property
    def landmarks(self) -> Landmarks:
        """What the Landmarks place does; made when it is first asked for."""
        if self._landmarks is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.landmarks.state import Landmarks

            self._landmarks = Landmarks(self)
        return self._landmarks

    @property
    def library_place(self) -> LibraryState:
        """What the Library place does; made when it is first asked for."""
        if self._library_place is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.library.state import LibraryState

            self._library_place = LibraryState(self, self)
        return self._library_place

    @property
    def photos(self) -> PhotosState:
        """What the Photos place does; made when it is first asked for."""
        if self._photos is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.photos.state import PhotosState

            self._photos = PhotosState(self, self)
        return self._photos

    @property
    def shelf(self) -> Shelf:
        """What adds and removes models; made when it is first asked for."""
        if self._shelf is None:
            from gpsdream_app.ui.models.shelf import Shelf

            self._shelf = Shelf(self, self)
        return self._shelf

    @property
    def training(self) -> Training:
        """What trains models; made when it is first asked for."""
        if self._training is None:
            from gpsdream_app.ui.models.training import Training

            self._training = Training(self.background, parent=self)
        return self._training

    def submit_job(self, request: QueueRequest, title: str, job_id: str = "") -> str:
        """Put a job in the queue whose events go to the Neighbourhoods or the Landmarks.

        Args:
            request: what to do.
            title: what the queue calls it.
            job_id: of a job of before that is put there again; a new one if empty.

        Returns:
            The job's id.

        Raises:
            GPSDreamError: if the engine does not take it.
        """
        job_id = job_id or self.bridge.new_job_id()
        self.queue.add(job_id, request, title)
        try:
            self.bridge.submit(request, job_id)
        except GPSDreamError:
            self.queue.remove(job_id)
            raise
        if self.notice and self.notice.tone is Tone.ERROR:
            self.dismiss()
        self.keeper.added(job_id, request, title)
        self._say_that_it_waits()
        return job_id

    def keep(self, result: Result, done: Callable[[QImage], None]) -> None:
        """Add a picture that is no single drawing to the library, then read it.

        Args:
            result: the picture; it is on the disk.
            done: gets the pixels; a null picture if they cannot be read.
        """
        library = self._library

        def work() -> QImage:
            if library:
                # Without its row the picture is drawn once more another day, which is no reason to hide it now.
                with suppress(GPSDreamError):
                    library.add(result)
            return QImageReader(result.path).read()

        self._writer.run(self, work, done)

    @property
    def library(self) -> Library | None:
        """The library, for work in the background; None until it is open."""
        return self._library

    def stop(self) -> None:
        """Stop drawing the pictures of a place that come first; those that are finished stay."""
        job = self.queue.first_single
        if job:
            self.cancel(job.job_id)

    def cancel(self, job_id: str) -> None:
        """End a job, waiting or running."""
        self.queue.mark_stopping(job_id)
        self.bridge.engine.cancel(job_id)

    def cancel_all(self) -> None:
        """End every job."""
        for job in self.queue.jobs:
            self.queue.mark_stopping(job.job_id)
        self.bridge.engine.cancel_all()

    def cancel_waiting(self) -> None:
        """End every job that waits; what is being done goes on."""
        self.bridge.engine.cancel_waiting()

    def follow(self) -> None:
        """Show the picture that is being drawn again, after another one was looked at."""
        self.why.leave()
        self._set_following(True)

    @property
    def following(self) -> bool:
        """Whether the big picture follows the drawing."""
        return self._following

    def _set_following(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self.following_changed.emit()

    def _happened(self, event: Event) -> None:
        if self.why.handle(event):
            return
        job = self.queue.handle(event)
        if job is None:
            return
        self.keeper.follow(event, job)
        request = job.single
        if request is None:
            taken = bool(self._neighbourhoods and self._neighbourhoods.handle(event))
            taken = taken or bool(self._landmarks and self._landmarks.handle(event))
            if not taken and isinstance(event, PictureFinished):
                self.keep(event.result, lambda image: None)  # of a job that was resumed after a start
            return
        match event:
            case Started():
                self.film.show_drawing(request.place, 0.0)
            case Step():
                self._stepped(event, job, request)
            case PictureFinished():
                self._picture_done(event.result)
            case Finished() | Cancelled() | Failed():
                self._ended(event, job, request)

    def _stepped(self, event: Step, job: QueuedJob, request: GenerateRequest) -> None:
        image = QImage.fromData(event.preview) if event.preview else QImage()
        self.film.show_drawing(request.place, job.fraction, None if image.isNull() else image)
        if not image.isNull() and self._following:
            self.film.current = ""  # none of the strip's pictures is the big one now
            self.why.leave()
            self.previewed.emit(image)

    def _picture_done(self, result: Result) -> None:
        library = self._library

        def keep() -> tuple[QImage, Failure | None]:
            # The picture is on the disk already; its row comes next, the window last.
            failure = None
            try:
                if library:
                    library.add(result)
            except GPSDreamError as error:
                failure = error.failure  # no reason to hide the picture; the next start finds it in its folder
            return _read_image(result.path), failure

        def show(kept: tuple[QImage, Failure | None]) -> None:
            image, failure = kept
            self.film.add_newest(result)
            if self._following:
                self._show(Shown(image, result, single_request(result)))
            self.picture_finished.emit(result)
            if failure:
                self.notify_failure(failure)

        self._writer.run(self, keep, show, self.notify_failure)

    def _ended(self, event: Finished | Cancelled | Failed, job: QueuedJob, request: GenerateRequest) -> None:
        current = self.queue.current
        if current is None or current.single is None:
            self.film.hide_drawing()
        if isinstance(event, Failed):
            failure = event.failure
            if failure.remedy == LESS_MEMORY:
                less = self.tr("Draw with less memory")
                self.notify_failure(failure, less, lambda: self.draw_with_less(failure, job.job_id))
            else:
                self.notify_failure(failure, self.tr("Draw again"), lambda: self.keeper.resume(job.job_id))
        if not isinstance(event, Finished) and self._following:
            # The half-drawn picture gives way to the last whole one.
            self._show(self.shown)

    def use_memory(self, choice: MemoryChoice | None = None, rest_minutes: float | None = None) -> None:
        """Say how much memory models may take, and have the open one loaded that way.

        Args:
            choice: a preset or "auto"; as it is if None.
            rest_minutes: without a job, after which a model is unloaded, 0 for never; as it is if None.
        """
        settings, engine = self.settings, self.bridge.engine
        if choice is not None:
            settings.memory = choice
        if rest_minutes is not None:
            settings.rest_minutes = rest_minutes
        engine.use_memory(settings.memory, settings.rest_minutes)
        if choice is not None and self.card:
            engine.warm(self.form.model)

    def draw_with_less(self, failure: Failure, job_id: str) -> None:
        """Go on with a job that failed for want of memory, with the next preset that needs less.

        Args:
            failure: how it failed.
            job_id: the job.
        """
        choice = self.settings.memory
        lower = None if choice == "auto" else MemoryPreset(choice).next_lower
        if lower:
            self.use_memory(lower.value)
        elif failure.kind is not ErrorKind.OUT_OF_MEMORY:
            # The engine died of it, and its successor does not know which preset was too much. If it lives, it knows.
            self.use_memory("low")
        self.keeper.resume(job_id)

    def _engine_changed(self, event: EngineChanged) -> None:
        self.engine_state = event.state
        match event.state:
            case EngineState.READY:
                text = self.tr("Ready")
                if event.text:
                    # The model could not be loaded; better said now than after a long wait for the first picture.
                    text = self.tr("The model cannot be used")
                    self.notify(Notice(Tone.ERROR, event.text, "", self.tr("Look again"), self._read_model_again))
            case EngineState.RESTARTING:
                text = self.tr("Starting the engine again")
            case EngineState.STOPPED:
                text = event.text or self.tr("The engine is not running")
            case EngineState.STARTING:
                text = self.tr("Starting the engine")
            case _:
                text = event.text or self.tr("Loading the model")
        self.engine_text = first_upper(text)
        self.engine_text_changed.emit()

    def _engine_failed(self, failure: Failure) -> None:
        engine = self.bridge.engine
        self.notify_failure(
            failure,
            self.tr("Start it again"),
            lambda: self.background.run(self, engine.start, failed=self._engine_failed),
        )

    # -- how good the model is --

    def measure(self, photos: Path, *, quick: bool, seen_too: bool = False) -> None:
        """Measure the open model on a folder of photos, in a process of its own.

        Args:
            photos: the folder.
            quick: a quick look instead of the full report.
            seen_too: also ask about photos that the model has learned from.
        """
        if self.card:
            self.measuring.start(self.form.model, self.card.title, photos, quick=quick, seen_too=seen_too)

    # -- why it looks like this --

    def explain(self) -> None:
        """Have the engine say why the big picture looks as it does; what is being drawn does not replace it."""
        shown = self.shown
        if shown is None or shown.request is None:
            return
        if self._following and self.queue:
            self._show(shown)  # in place of the half-drawn one
        self._set_following(False)
        self.why.ask(shown.request, shown.image)

    def toggle_why(self) -> None:
        """Explain the big picture, or go back to the form."""
        if self.why.state is WhyState.OFF:
            self.explain()
        else:
            self.why.leave()

    # -- pictures --

    def show_result(self, result_id: str) -> None:
        """Show a picture of the strip, its place on the map and its request in the form."""
        result = self.film.result(result_id)
        if result:
            self.show_picture(result)

    def show_picture(self, result: Result) -> None:
        """Show a picture of the library, in the strip or not, as `show_result` does."""
        result_id = result.id
        self._set_following(False)
        self._wanted_picture = result_id
        self.film.current = result_id
        self.form.restore(single_request(result))
        if result.request.place:
            self.reveal.emit(result.request.place.lat, result.request.place.lon)

        def show(image: QImage) -> None:
            if self._wanted_picture == result_id and not self._following:
                self._show(Shown(image, result, single_request(result)))

        def failed(failure: Failure) -> None:
            self.notify_failure(failure, self.tr("Take it out of the strip"), lambda: self._forget(result))

        self.background.run(self, lambda: _read_image(result.path), show, failed, priority=5)

    def remix(self, result: Result) -> None:
        """Put a picture's request into the form with a new seed."""
        self.form.remix(single_request(result))

    def open_picture(self, path: Path) -> None:
        """Restore form and pin from a PNG that GPSDream saved, and show it."""

        def read() -> tuple[GenerateRequest, QImage]:
            return read_png(path), _read_image(str(path))

        def show(found: tuple[GenerateRequest, QImage]) -> None:
            request, image = found
            self._set_following(False)
            self._wanted_picture = ""
            self.film.current = ""
            self.form.restore(request)
            self._show(Shown(image, None, request.picture(0)))
            if request.place:
                self.fly.emit(request.place.lat, request.place.lon, 0.0)
            self._say_which_model(request)

        self.background.run(self, read, show, self.notify_failure, priority=5)

    def _say_which_model(self, request: GenerateRequest) -> None:
        if request.model == self.form.model:
            self.dismiss()
            return
        names = {model.name for model in self.installed}
        text = self.tr("This picture was drawn with the model “{0}”.").format(request.model)
        if request.model in names:
            self.notify(Notice(Tone.HINT, text, "", self.tr("Use that model"), lambda: self.use_model(request.model)))
        else:
            hint = self.tr("It is not installed here: the same settings will give another picture.")
            self.notify(Notice(Tone.HINT, text, hint))

    def save_as(self, result: Result, path: Path, *, include_place: bool = True) -> None:
        """Write a picture with its parameters to a file.

        Args:
            result: the picture.
            path: where to; `.png` is added if it is missing.
            include_place: False leaves the place out of the file.
        """
        if path.suffix.lower() != ".png":
            path = path.with_name(path.name + ".png")

        def save() -> None:
            with _open_image(result.path) as image:
                save_png(image, path, result, include_place)

        def saved(_: object) -> None:
            text = self.tr("Saved as {0}.").format(path.name)
            self.notify(Notice(Tone.PLAIN, text, "", self.tr("Show in folder"), lambda: show_in_folder(path)))

        self.background.run(self, save, saved, self.notify_failure, priority=5)

    def parameters(self, result: Result) -> str:
        """Return a picture's parameters as the text that other image generators read."""
        return parameters_text(result)

    def read_thumbnail(self, result: Result, side: int, done: Callable[[QImage], None]) -> None:
        """Read a small copy of a picture.

        Args:
            result: the picture.
            side: longest side in pixels.
            done: gets the picture; a null one if it cannot be read.
        """
        self.background.run(self, lambda: _read_scaled(result.path, side), done)

    def read_image(self, result: Result, done: Callable[[QImage], None]) -> None:
        """Read a picture in full size; a notice says so if it cannot be read."""
        self.background.run(self, lambda: _read_image(result.path), done, self.notify_failure)

    def read_older(self) -> None:
        """Append older pictures to the strip, if there are any."""
        library, oldest = self._library, self.film.oldest
        if library is None or oldest is None or self._all_read or self._reading_older:
            return
        self._reading_older = True

        def read(results: list[Result]) -> None:
            self._reading_older = False
            self._all_read = len(results) < PAGE
            self.film.add_older(results)

        self.background.run(self, lambda: library.recent(PAGE, before=oldest.id), read)

    def _show(self, shown: Shown | None) -> None:
        if shown is not self.shown:
            self.why.leave()
        self.shown = shown
        self.film.current = shown.result.id if shown and shown.result else ""
        self.shown_changed.emit(shown)

    def _library_opened(self, opened: _Opened) -> None:
        library = self._library = opened.library
        self._all_read = len(opened.results) < PAGE
        # Pictures that were drawn while the library was being opened have their rows still to come.
        known = {result.id for result in opened.results}
        early = [result for result in self.film.results if result.id not in known]
        for result in early:
            self._writer.run(self, partial(library.add, result))
        self.film.reset([*early, *opened.results])
        if opened.results and self.shown is None and not self.queue:
            newest = opened.results[0]
            self.background.run(self, lambda: _read_image(newest.path), lambda image: self._first_shown(image, newest))
        self._tell_of_last_time(opened)
        self.library_read.emit()
        self.background.run(self, lambda: library.adopt(pictures_dir()), self._adopted)

    def _tell_of_last_time(self, opened: _Opened) -> None:
        """Say what the last session left unfinished or damaged."""
        if opened.rebuilt:
            text = self.tr("The library's file was damaged. It was built again from the pictures.")
            self.notify(Notice(Tone.HINT, text))
        self.keeper.take_in(opened.interrupted)

    def _tell_of_interrupted(self, jobs: list[QueuedJob], crashed: bool) -> None:
        left = self.tr("one job is not finished") if len(jobs) == 1 else self.tr("{0} jobs are not finished")
        text = self.tr("GPSDream ended unexpectedly: {0}.") if crashed else self.tr("From last time {0}.")
        hint = self.tr("The queue is paused. It lists what can be resumed or discarded.")
        text = text.format(left.format(len(jobs)))
        self._notify_of_queue(Notice(Tone.HINT, text, hint, self.tr("Resume"), self.keeper.resume_all))

    def _tell_of_discarded(self, jobs: list[QueuedJob]) -> None:
        text = self.tr("One job was discarded.") if len(jobs) == 1 else self.tr("{0} jobs were discarded.")
        undo = self.tr("Undo")
        self.notify(Notice(Tone.PLAIN, text.format(len(jobs)), "", undo, lambda: self.keeper.bring_back(jobs)))

    def _first_shown(self, image: QImage, result: Result) -> None:
        if self.shown is None and not self.queue:
            self._show(Shown(image, result, single_request(result)))

    def _adopted(self, added: list[Result]) -> None:
        self.keeper.settle()
        if not added:
            return
        # Pictures that came into the strip, or left it, while the folder was being read stay as they are.
        shown = self.film.results
        known = {result.id for result in shown}
        found = [*shown, *(result for result in added if result.id not in known)]
        found.sort(key=lambda result: (result.created, result.id), reverse=True)
        length = max(PAGE, len(shown))
        if len(found) > length:
            self._all_read = False  # the rest comes from the library when the strip is rolled to its end
        self.film.reset(found[:length])

    def _library_failed(self, failure: Failure) -> None:
        self.notify_failure(failure)
        self.library_read.emit()

    # -- deleting --

    def delete(self, result_id: str) -> None:
        """Take a picture out of strip and library; its file goes to the library's trash, so that it can come back."""
        result, library = self.film.result(result_id), self._library
        if result is None or library is None:
            return
        was_shown = self.shown is not None and self.shown.result is not None and self.shown.result.id == result_id
        row = self.film.remove(result_id)
        self.deleted_at = time.monotonic()
        if was_shown:
            self._show(None)

        def deleted(_: object) -> None:
            self._deleted = result.id, row
            self.notify(Notice(Tone.PLAIN, self.tr("The picture was deleted."), "", self.tr("Undo"), self.undo_delete))

        def failed(failure: Failure) -> None:
            self.film.put_back(row, result)
            self.notify_failure(failure)

        self._writer.run(self, lambda: library.delete(result_id), deleted, failed)

    def undo_delete(self) -> None:
        """Bring the picture back that was deleted last; does nothing if none was."""
        if self._deleted is None or self._library is None:
            return
        (result_id, row), library = self._deleted, self._library
        self._deleted = None
        self.dismiss()

        def restored(result: Result | None) -> None:
            if result is None:
                gone = self.tr("The picture cannot be brought back any more.")
                self.notify(Notice(Tone.ERROR, gone))
                return
            self.film.put_back(row, result)
            self.show_result(result.id)

        self._writer.run(self, lambda: library.restore(result_id), restored, self.notify_failure)

    def _forget(self, result: Result) -> None:
        library = self._library
        self.film.remove(result.id)
        if library:
            self._writer.run(self, lambda: library.delete(result.id), failed=self.notify_failure)

    # -- notices --

    def notify(self, notice: Notice) -> None:
        """Show a notice in place of the one that stands."""
        self.notice = notice
        self.notice_changed.emit(notice)

    def notify_failure(self, failure: Failure, action: str = "", call: Callable[[], None] | None = None) -> None:
        """Show a failure as a notice."""
        if failure.kind is ErrorKind.INTERNAL:
            log.error("%s\n%s", failure.message, failure.details)
        self.notify(Notice(Tone.ERROR, failure.message, failure.hint, action, call, failure.details))

    def dismiss(self) -> None:
        """Take the notice away."""
        if self.notice:
            self.notice = None
            self.notice_changed.emit(None)


def _coordinates_alone(text: str) -> list[Hit]:
    """Return what a search finds as long as no city is there to look in."""
    pair = parse_coordinates(text)
    return [Hit(coordinates_text(*pair), "coordinates", *pair)] if pair else []


def _open_library() -> _Opened:
    library = Library(library_path())
    interrupted = library.jobs(JobState.QUEUED, JobState.RUNNING)
    for job in interrupted:
        library.record_job(job.request, job.job_id, JobState.CANCELLED)
    return _Opened(library, library.recent(PAGE), interrupted, library.set_aside is not None)


def single_request(result: Result) -> GenerateRequest:
    """Return the request that draws a picture again; for an average that of one picture in the middle of its places."""
    request = result.request
    return request if isinstance(request, GenerateRequest) else request.single(request.place)


def _missing(path: str) -> GPSDreamError:
    return GPSDreamError(
        ErrorKind.BAD_PHOTO,
        f"The picture “{Path(path).name}” cannot be opened.",
        "It may have been moved, deleted or damaged.",
    )


def _open_image(path: str) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, SyntaxError, ValueError):
        raise _missing(path) from None


def _read_image(path: str) -> QImage:
    image = QImageReader(path).read()
    if image.isNull():
        raise _missing(path)
    return image


def _read_scaled(path: str, side: int) -> QImage:
    reader = QImageReader(path)
    size = reader.size()
    if size.isValid():
        reader.setScaledSize(size.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
