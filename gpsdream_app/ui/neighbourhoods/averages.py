"""Averages of the chosen regions: found in the library, drawn by the engine, kept as cards. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces, Sampling
from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import PictureFinished
from gpsdream_app.domain.model_card import Coverage, ModelCard
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.domain.results import Result, picture_key
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.regions import contains, sample_places
from gpsdream_app.library.model_folders import find_model, weights_hash
from gpsdream_app.library.paths import catalogue_path
from gpsdream_app.library.store import Library
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.records import PhotoRecord
from gpsdream_app.ui.neighbourhoods.book import Listed, RegionBook
from gpsdream_app.ui.neighbourhoods.jobs import Job, Jobs
from gpsdream_app.ui.neighbourhoods.wish import GUESSED_SECONDS, NOISES, Wish, card_numbers

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

SAMPLE_SEED = 0  # the same places every day, so that a picture is found again
PAUSE_MILLISECONDS = 250
MAX_PHOTOS = 2000


class CardState(StrEnum):
    """How far a region's picture is."""

    LOOKING = "looking"
    EMPTY = "empty"
    WAITING = "waiting"
    DRAWING = "drawing"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Card:
    """One region of the grid.

    Attributes:
        listed: the region.
        state: of the noise that is shown.
        results: one per noise; None where none has been drawn.
        images: their pixels; null where there are none.
        fraction: share of the picture being drawn that is done, 0 to 1.
        preview: the picture as it stands while it is drawn; a null one if there is none.
        failure: why it cannot be drawn.
    """

    listed: Listed
    state: CardState = CardState.LOOKING
    results: list[Result | None] = field(default_factory=list)
    images: list[QImage] = field(default_factory=list)
    fraction: float = 0.0
    preview: QImage = field(default_factory=QImage)
    failure: Failure | None = None

    def result(self, noise: int) -> Result | None:
        """The picture of a noise; None if it has not been drawn."""
        return self.results[noise] if noise < len(self.results) else None

    @property
    def there(self) -> list[tuple[int, Result]]:
        """The noises that have a picture, each with it."""
        return [(noise, result) for noise, result in enumerate(self.results) if result]

    def image(self, noise: int) -> QImage:
        """The pixels of a noise; a null picture if there are none."""
        return self.images[noise] if noise < len(self.images) else QImage()


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look into the library brought."""

    places: dict[str, RegionPlaces]
    results: dict[str, list[Result | None]]
    images: dict[str, list[QImage]]
    failures: dict[str, Failure]
    weights: str


class Averages(QObject):
    """The cards of the chosen regions, and the job that draws them.

    Signals:
        wish_changed: the concept or how to draw is another one.
        cards_changed: there are other cards.
        card_changed: a card has another state or picture; the region's id.
        working_changed: drawing began, went on or ended.
        noise_changed: another noise is shown.
        failed: something could not be drawn (`Failure`).
    """

    wish_changed = Signal()
    cards_changed = Signal()
    card_changed = Signal(str)
    working_changed = Signal()
    noise_changed = Signal()
    failed = Signal(object)

    def __init__(self, session: Session, book: RegionBook, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._book, self._jobs = session, book, jobs
        self._wish = Wish()
        self._cards: dict[str, Card] = {}
        self._places: dict[tuple[object, ...], RegionPlaces] = {}
        self._weights: dict[str, str] = {}
        self._look = 0
        self._looking = False
        self._noise = 0
        self._job: Job | None = None
        self._waiting: list[tuple[AverageRequest, str]] = []
        self._planned: dict[str, RegionPlaces] = {}
        self.rate = GUESSED_SECONDS
        self.rate_is_known = False
        self._draw_when_found: list[str] | None = None
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(PAUSE_MILLISECONDS)
        self._due.timeout.connect(self.look)
        book.selection_changed.connect(self._selection_changed)
        book.changed.connect(self._selection_changed)

    # -- the wish --

    @property
    def wish(self) -> Wish:
        """How averages are drawn."""
        return self._wish

    def change(self, **values: Any) -> None:
        """Give fields of the wish other values; the cards follow soon."""
        wish = replace(self._wish, **values)
        if wish == self._wish:
            return
        self._wish = wish
        self._noise = min(self._noise, wish.noises - 1)
        self.wish_changed.emit()
        self._draw_when_found = None
        self._due.start()

    def restore(self, wish: Wish) -> None:
        """Take over a remembered wish."""
        self._wish = wish
        self.wish_changed.emit()

    # -- the cards --

    @property
    def cards(self) -> list[Card]:
        """The cards of the chosen regions, from north to south."""
        return list(self._cards.values())

    def card(self, region_id: str) -> Card | None:
        """Return a region's card."""
        return self._cards.get(region_id)

    @property
    def done(self) -> list[Card]:
        """The cards that have a picture of the noise that is shown."""
        return [card for card in self._cards.values() if card.result(self._noise)]

    @property
    def missing(self) -> list[Card]:
        """The cards that drawing would fill."""
        return [
            card
            for card in self._cards.values()
            if card.failure is None and any(card.result(noise) is None for noise in range(self._wish.noises))
        ]

    @property
    def noise(self) -> int:
        """Which noise is shown, from 0."""
        return self._noise

    def show_noise(self, noise: int) -> None:
        """Show the pictures of another noise."""
        noise = min(max(noise, 0), self._wish.noises - 1)
        if noise != self._noise:
            self._noise = noise
            self._refresh_states()
            self.noise_changed.emit()
            self.cards_changed.emit()

    @property
    def looking(self) -> bool:
        """Whether the library is being asked."""
        return self._looking or self._due.isActive()

    def look(self) -> None:
        """Find the pictures of the chosen regions in the library."""
        self._due.stop()
        self._look += 1
        number = self._look
        wish, session = self._wish, self._session
        card, city, library = session.card, session.city, session.library
        wanted = [entry.listed for entry in self._cards.values()]
        if card is None or not wanted:
            self._looking = False
            return
        self._looking = True
        self._weights = {key: value for key, value in self._weights.items() if key == session.form.model}
        args = _Look(wanted, wish, session.form.model, card, city, library, dict(self._places), dict(self._weights))

        def done(found: _Found) -> None:
            if number == self._look:
                self._looking = False
                self._take(found, args)

        def failed(failure: Failure) -> None:
            self._looking = False
            self.failed.emit(failure)

        session.background.run(self, partial(_look_up, args), done, failed, priority=4)

    def _take(self, found: _Found, args: _Look) -> None:
        self._weights[args.model] = found.weights
        for listed in args.wanted:
            card = self._cards.get(listed.id)
            if card is None:
                continue
            card.failure = found.failures.get(listed.id)
            if listed.id in found.places:
                self._places[_places_key(listed, args.wish, args.card)] = found.places[listed.id]
                self._planned[listed.id] = found.places[listed.id]
                kept = {
                    picture_key(result.request): (result, card.image(noise))
                    for noise, result in card.there
                    if result.request.model == args.model
                }
                card.results, card.images = found.results[listed.id], found.images[listed.id]
                whole = args.wish.average((found.places[listed.id],), args.model, args.card)
                for noise, result in enumerate(card.results):
                    # A picture that is in sight stays so, even if the library could not take it in.
                    if result is None and (again := kept.get(picture_key(whole.picture(noise)))):
                        card.results[noise], card.images[noise] = again
            known = [result for result in card.results if result]
            if known and not self.rate_is_known:
                self._learn_rate(known[-1])
        self._refresh_states()
        self.cards_changed.emit()
        self.working_changed.emit()
        if self._draw_when_found is not None:
            wanted, self._draw_when_found = self._draw_when_found, None
            self.draw(wanted or None)

    def forget_places(self) -> None:
        """Choose places anew, after the model or its city became another one."""
        self._places.clear()
        self._planned.clear()
        for card in self._cards.values():
            card.results, card.images, card.state = [], [], CardState.LOOKING
        self._due.start()

    def _selection_changed(self) -> None:
        chosen = self._book.selected
        before = self._cards
        self._cards = {}
        for listed in chosen:
            card = before.get(listed.id)
            if card and card.listed.region.key == listed.region.key:
                card.listed = listed
            else:
                card = Card(listed)
            self._cards[listed.id] = card
        self.cards_changed.emit()
        self._due.start()

    def _refresh_states(self) -> None:
        drawing = self.drawing_id
        planned = {region.region.key for region in self._job_regions()} if self._job else set()
        for region_id, card in self._cards.items():
            if card.failure:
                card.state = CardState.FAILED
            elif card.result(self._noise):
                card.state = CardState.DONE
            elif region_id == drawing:
                card.state = CardState.DRAWING
            elif card.listed.region.key in planned:
                card.state = CardState.WAITING
            else:
                card.state = CardState.EMPTY

    # -- drawing --

    @property
    def working(self) -> bool:
        """Whether averages are being drawn, or wait to be."""
        return self._job is not None

    @property
    def job(self) -> Job | None:
        """The job that draws."""
        return self._job

    @property
    def drawing_id(self) -> str:
        """Id of the region that is being drawn; empty if none is."""
        regions = self._job_regions()
        if self._job is None or not self._job.begun or not regions:
            return ""
        request = self._job.request
        assert isinstance(request, AverageRequest)
        key = regions[min(self._job.picture // request.noises, len(regions) - 1)].region.key
        return next((card.listed.id for card in self._cards.values() if card.listed.region.key == key), "")

    def estimate(self) -> float:
        """About how many seconds it takes to draw what is missing."""
        pictures = sum(
            card.result(noise) is None
            for card in self._cards.values()
            if card.failure is None
            for noise in range(self._wish.noises)
        )
        card = self._session.card
        steps: int = card_numbers(card.average_defaults if card else {}).get("steps", 20)
        return pictures * steps * self._wish.evaluations * self.rate

    def draw(self, region_ids: Sequence[str] | None = None, *, again: bool = False) -> None:
        """Draw what is missing, as one job where all regions miss the same noises.

        Args:
            region_ids: of these regions only; None of all chosen ones.
            again: also what is there already.
        """
        if self.looking:
            # What is in the library need not be drawn; the answer comes in a moment.
            self._draw_when_found = list(region_ids or ())
            if not self._looking:
                self.look()
            return
        wanted = [card for card in self._cards.values() if region_ids is None or card.listed.id in region_ids]
        by_noises: dict[tuple[int, ...], list[RegionPlaces]] = {}
        for card in wanted:
            places = self._planned.get(card.listed.id)
            noises = tuple(n for n in range(self._wish.noises) if again or card.result(n) is None)
            if places and noises and card.failure is None:
                by_noises.setdefault(noises, []).append(places)
        if not wanted:
            self.failed.emit(
                Failure(ErrorKind.BAD_REQUEST, self.tr("No region is chosen."), self.tr("Choose one in the list."))
            )
            return
        try:
            requests = list(self._requests(by_noises))
        except GPSDreamError as error:
            self.failed.emit(error.failure)
            return
        self._waiting.extend((request, self._title(request)) for request in requests)
        if self._job is None:
            self._next()

    def _requests(self, by_noises: dict[tuple[int, ...], list[RegionPlaces]]) -> list[AverageRequest]:
        session, requests = self._session, []
        for noises, regions in by_noises.items():
            whole = self._wish.average(tuple(regions), session.form.model, session.card)
            if noises == tuple(range(self._wish.noises)):
                requests.append(whole)
            else:
                requests.extend(
                    replace(whole, seed=(whole.seed + noise) % (MAX_SEED + 1), noises=1) for noise in noises
                )
        return requests

    def draw_other_noise(self, region_id: str) -> None:
        """Draw one region from one more noise, and show that noise."""
        if self._wish.noises >= NOISES[1]:
            self.failed.emit(Failure(ErrorKind.BAD_REQUEST, self.tr("{0} noises are the most.").format(NOISES[1]), ""))
            return
        self.change(noises=self._wish.noises + 1)
        self.show_noise(self._wish.noises - 1)
        self._draw_when_found = [region_id]

    def draw_all_other_noise(self) -> None:
        """Draw all chosen regions from one more noise, and show that noise."""
        if self._wish.noises < NOISES[1]:
            self.change(noises=self._wish.noises + 1)
            self.show_noise(self._wish.noises - 1)
            self._draw_when_found = []

    def stop(self) -> None:
        """Stop drawing; finished pictures stay."""
        self._waiting.clear()
        self._draw_when_found = None
        self._jobs.cancel(self._job)
        self.working_changed.emit()

    def _next(self) -> None:
        if not self._waiting:
            return
        request, title = self._waiting.pop(0)
        job = self._jobs.submit(request, title, self.failed.emit)
        if job is None:
            self._waiting.clear()
            return
        self._job = job
        job.changed.connect(self._went_on)
        job.happened.connect(self._happened)
        job.ended.connect(self._ended)
        self._refresh_states()
        self.cards_changed.emit()
        self.working_changed.emit()

    def _title(self, request: AverageRequest) -> str:
        concept = request.prompt or self.tr("the places alone")
        if len(request.regions) == 1:
            return self.tr("Average of {0}: {1}").format(request.regions[0].region.name, concept)
        return self.tr("Averages of {0} regions: {1}").format(len(request.regions), concept)

    def _job_regions(self) -> tuple[RegionPlaces, ...]:
        request = self._job.request if self._job else None
        return request.regions if isinstance(request, AverageRequest) else ()

    def _went_on(self) -> None:
        job = self._job
        if job is None:
            return
        before = {card.listed.id for card in self._cards.values() if card.state is CardState.DRAWING}
        self._refresh_states()
        card = self._cards.get(self.drawing_id)
        if card:
            request = job.request
            assert isinstance(request, AverageRequest)
            card.fraction = job.picture_fraction(request.count)
            image = QImage.fromData(job.preview) if job.preview else QImage()
            if card.listed.id not in before:
                card.preview = QImage()
            if not image.isNull():
                card.preview = image
            self.card_changed.emit(card.listed.id)
        for region_id in before - {card.listed.id if card else ""}:
            self.card_changed.emit(region_id)
        self.working_changed.emit()

    def _happened(self, event: object) -> None:
        if not isinstance(event, PictureFinished) or not isinstance(event.result.request, AverageRequest):
            return
        result, request = event.result, event.result.request
        self._learn_rate(result)

        def show(image: QImage) -> None:
            key = request.regions[0].region.key
            noise = (request.seed - self._wish.seed) % (MAX_SEED + 1)
            for card in self._cards.values():
                # Whoever has wished for something else meanwhile finds it in the library another time.
                planned = self._planned.get(card.listed.id)
                same = planned is not None and planned.places == request.regions[0].places
                if card.listed.region.key == key and noise < self._wish.noises and same and self._fits(request):
                    _put(card.results, noise, result, None)
                    _put(card.images, noise, image, QImage())
                    card.fraction, card.preview = 0.0, QImage()
                    self._refresh_states()
                    self.card_changed.emit(card.listed.id)
            self.working_changed.emit()

        self._session.keep(result, show)

    def _fits(self, request: AverageRequest) -> bool:
        """Whether a picture is one of those that are wished for now."""
        session = self._session
        try:
            wanted = self._wish.average(request.regions, session.form.model, session.card)
        except GPSDreamError:
            return False
        return replace(wanted, seed=request.seed, noises=1) == request

    def _ended(self, failure: Failure | None) -> None:
        job, self._job = self._job, None
        for card in self._cards.values():
            card.fraction, card.preview = 0.0, QImage()
        if failure or (job and job.cancelled):
            self._waiting.clear()
        self._refresh_states()
        self.cards_changed.emit()
        self.working_changed.emit()
        if failure:
            self.failed.emit(failure)
        else:
            self._next()

    def _learn_rate(self, result: Result) -> None:
        request = result.request
        if isinstance(request, AverageRequest) and result.seconds > 0:
            count = request.subset or len(request.regions[0].places)
            self.rate = result.seconds / (request.steps * (count + 2))
            self.rate_is_known = True

    # -- what is made of them --

    def places_of(self, region_id: str) -> RegionPlaces | None:
        """The places that a region's average is taken over; None before they are chosen."""
        return self._planned.get(region_id)

    def mean_image(self, region_id: str) -> QImage:
        """The mean of a region's pictures over all noises; a null picture if none has been drawn."""
        card = self._cards.get(region_id)
        images = [image for image in card.images if not image.isNull()] if card else []
        return mean_of(images)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look into the library needs to know."""

    wanted: list[Listed]
    wish: Wish
    model: str
    card: ModelCard
    city: CityMap | None
    library: Library | None
    places: dict[tuple[object, ...], RegionPlaces]
    weights: dict[str, str]


def _places_key(listed: Listed, wish: Wish, card: ModelCard) -> tuple[object, ...]:
    return listed.region.key, listed.name, wish.sampling, wish.headings, wish.places, card.name


def _look_up(args: _Look) -> _Found:
    weights = args.weights.get(args.model) or _weights_of(args.model)
    found = _Found({}, {}, {}, {}, weights)
    for listed in args.wanted:
        try:
            places = args.places.get(_places_key(listed, args.wish, args.card))
            places = places or choose_places(listed, args.wish, args.card.coverage, args.city)
            request = args.wish.average((places,), args.model, args.card)
            results = [
                args.library.find(request.picture(noise), weights) if args.library else None
                for noise in range(args.wish.noises)
            ]
            images = [QImageReader(result.path).read() if result else QImage() for result in results]
        except GPSDreamError as error:
            found.failures[listed.id] = error.failure
            continue
        found.places[listed.id] = places
        found.images[listed.id] = images
        # A picture that cannot be read any more is drawn again.
        found.results[listed.id] = [
            None if image.isNull() else result for result, image in zip(results, images, strict=True)
        ]
    return found


def _weights_of(model: str) -> str:
    try:
        return weights_hash(find_model(model))
    except GPSDreamError:
        return ""


def choose_places(listed: Listed, wish: Wish, coverage: Coverage | None, city: CityMap | None) -> RegionPlaces:
    """Choose the places that a region's average is taken over; the same ones every time.

    Raises:
        GPSDreamError: if there are none, for example no photos.
    """
    sampling = wish.sampling
    photos: tuple[Place, ...] = ()
    if sampling is Sampling.PHOTOS:
        # Without photos of one's own, the places where the model has seen some stand in for them.
        photos = tuple(Place(photo.lat, photo.lon, photo.heading) for photo in photos_of(listed))
    elif listed.region.is_corridor:
        sampling = Sampling.LINE
    headings: Any = wish.headings
    places = sample_places(
        listed.region,
        wish.places,
        sampling=sampling,
        seed=SAMPLE_SEED,
        headings=headings,
        city=city,
        photos=photos,
        coverage=coverage,
    )
    return RegionPlaces(listed.region, places, sampling, listed.photos)


def photos_of(listed: Listed) -> list[PhotoRecord]:
    """Return a person's own photos that were taken in a region, from the catalogue; empty if there is none."""
    path = catalogue_path()
    if not path.is_file():
        return []
    with Catalogue(path) as catalogue:
        south, west, north, east = listed.region.box
        box = Box(south, west, north, east)
        found = []
        for photo in catalogue.photos(box=box, for_training=True):
            if contains(listed.region, photo.lat, photo.lon):
                found.append(photo)
                if len(found) >= MAX_PHOTOS:
                    break
        return found


def _put(values: list[Any], index: int, value: Any, blank: Any) -> None:
    while len(values) <= index:
        values.append(blank)
    values[index] = value


def mean_of(images: Sequence[QImage]) -> QImage:
    """Return the mean of pictures, each brought to the size of the first; a null picture of none."""
    if not images:
        return QImage()
    import numpy as np

    size = images[0].size()
    total = np.zeros((size.height(), size.width(), 4), dtype=np.float64)
    for image in images:
        even = (
            image
            if image.size() == size
            else image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
        )
        even = even.convertToFormat(QImage.Format.Format_RGBA8888)
        rows = np.frombuffer(even.constBits(), dtype=np.uint8).reshape(size.height(), even.bytesPerLine())
        total += rows[:, : 4 * size.width()].reshape(size.height(), size.width(), 4)
    mean = np.ascontiguousarray(np.rint(total / len(images)).astype(np.uint8))
    return QImage(mean.tobytes(), size.width(), size.height(), 4 * size.width(), QImage.Format.Format_RGBA8888).copy()
