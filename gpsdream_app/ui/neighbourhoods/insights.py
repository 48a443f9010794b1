"""What stands behind averages: single draws, typical patches of photos, and which pictures look alike. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QImageReader

from gpsdream_app.domain.averages import (
    Likeness,
    LikenessRequest,
    Patch,
    PatchesRequest,
    PhotoAt,
    SeriesKind,
    TypicalPatches,
)
from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.events import Compared, PatchesFound, PictureFinished
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.neighbourhoods.averages import Averages, photos_of
from gpsdream_app.ui.neighbourhoods.book import Listed, RegionBook
from gpsdream_app.ui.neighbourhoods.jobs import Job, Jobs

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

VARIETY = 16  # single draws on a contact sheet
PATCHES = 12
FEWEST_TO_COMPARE = 3


class Stage(StrEnum):
    """How far an insight is."""

    OFF = "off"
    WORKING = "working"
    DONE = "done"
    NOTHING = "nothing"
    STOPPED = "stopped"
    FAILED = "failed"


class Insight(QObject):
    """Something that is asked for and comes later.

    Signals:
        changed: it came, went or went on.
    """

    changed = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs = session, jobs
        self.stage = Stage.OFF
        self.failure: Failure | None = None
        self.job: Job | None = None

    @property
    def fraction(self) -> float:
        """Share that is done, 0 to 1."""
        return self.job.fraction if self.job else 0.0

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None while there is none."""
        return self.job.seconds_left if self.job else None

    def stop(self) -> None:
        """End the work; what has come stays."""
        self._jobs.cancel(self.job)

    def _follow(self, job: Job | None, happened: Callable[[object], None]) -> None:
        self.job = job
        if job:
            job.changed.connect(self.changed)
            job.happened.connect(happened)
            job.ended.connect(self._ended)

    def _fail(self, failure: Failure) -> None:
        self.stage, self.failure, self.job = Stage.FAILED, failure, None
        self.changed.emit()

    def _ended(self, failure: Failure | None) -> None:
        job = self.sender()
        if self.job is None or job is not self.job:
            return
        cancelled, self.job = self.job.cancelled, None
        if failure:
            self._fail(failure)
        elif self.stage is Stage.WORKING:
            self.stage = Stage.STOPPED if cancelled else Stage.DONE
        self.changed.emit()


class Variety(Insight):
    """Single draws of the places that an average is taken over, from the same noise."""

    def __init__(self, session: Session, averages: Averages, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(session, jobs, parent)
        self._averages = averages
        self.region_id = ""
        self.places: tuple[Place, ...] = ()
        self.images: list[QImage] = []
        self.results: list[Result | None] = []

    def show(self, region_id: str) -> None:
        """Draw the single pictures behind a region's average; those that were drawn before come at once."""
        places, session = self._averages.places_of(region_id), self._session
        if places is None:
            return
        self.stop()
        self.region_id, self.failure = region_id, None
        # Spread over all places, which are in no order that means anything.
        step = max(1, len(places.places) // VARIETY)
        self.places = places.places[::step][:VARIETY]
        self.images = [QImage() for _ in self.places]
        self.results = [None] * len(self.places)
        name = places.region.name
        try:
            request = self._averages.wish.series(
                self.places, SeriesKind.VARIETY, name, session.form.model, session.card
            )
        except GPSDreamError as error:
            self._fail(error.failure)
            return
        self.stage = Stage.WORKING
        job = self._jobs.submit(request, self.tr("Single draws of {0}").format(name), self._fail)
        self._follow(job, self._happened)
        self.changed.emit()

    def _happened(self, event: object) -> None:
        if self.sender() is not self.job or not isinstance(event, PictureFinished):
            return
        result, region_id = event.result, self.region_id
        index = frame_number(result)

        def show(image: QImage) -> None:
            if region_id == self.region_id and index is not None and index < len(self.images):
                self.images[index], self.results[index] = image, result
                self.changed.emit()

        self._session.keep(result, show)


def frame_number(result: Result) -> int | None:
    """Return which frame of its series a picture is, from 0: its file is named by it; None if it is none."""
    stem = result.path.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return int(stem) if stem.isascii() and stem.isdigit() else None


class TypicalOf(Insight):
    """The patches of a person's own photos that are most typical of a region."""

    def __init__(self, session: Session, book: RegionBook, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(session, jobs, parent)
        self._book = book
        self.region_id = ""
        self.patches: list[tuple[Patch, QImage]] = []
        self.photos_looked_at = 0

    def show(self, region_id: str) -> None:
        """Look for the patches of a region."""
        listed = self._book.get(region_id)
        if listed is None:
            return
        self.stop()
        self.region_id, self.failure, self.patches, self.photos_looked_at = region_id, None, [], 0
        self.stage, self.job = Stage.WORKING, None
        self.changed.emit()
        self._session.background.run(
            self,
            lambda: [
                PhotoAt(str(photo.path), Place(photo.lat, photo.lon, photo.heading)) for photo in photos_of(listed)
            ],
            lambda photos: self._ask(listed, photos),
            self._fail,
        )

    def _ask(self, listed: Listed, photos: list[PhotoAt]) -> None:
        if self.region_id != listed.id or self.stage is not Stage.WORKING:
            return
        if not photos:
            self.stage = Stage.NOTHING
            self.changed.emit()
            return
        try:
            request = PatchesRequest(listed.region, tuple(photos), PATCHES, model=self._session.form.model)
        except GPSDreamError as error:
            self._fail(error.failure)
            return
        job = self._jobs.submit(request, self.tr("What is typical of {0}").format(listed.name), self._fail)
        self._follow(job, self._happened)
        self.changed.emit()

    def _happened(self, event: object) -> None:
        if self.sender() is self.job and isinstance(event, PatchesFound):
            found: TypicalPatches = event.patches
            region_id = self.region_id
            self.photos_looked_at = found.photos_looked_at

            def show(images: list[QImage]) -> None:
                if region_id == self.region_id:
                    self.patches = list(zip(found.patches, images, strict=True))
                    self.changed.emit()

            paths = [patch.picture for patch in found.patches]
            self._session.background.run(self, lambda: [QImageReader(path).read() for path in paths], show)


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike some averages look.

    Attributes:
        ids: of the regions, in the order of the tree's leaves.
        names: of the regions.
        distances: (n, n) in that order.
        merges: the tree: pairs of nodes with the distance at which they meet. Nodes 0 to n - 1 are the leaves, node
            n + i is merge i.
        features: what was compared, in words.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    distances: tuple[tuple[float, ...], ...]
    merges: tuple[tuple[int, int, float], ...]
    features: str

    def nearest(self) -> tuple[str, str] | None:
        """Names of the two that look most alike."""
        pairs = [
            (self.distances[i][j], self.names[i], self.names[j])
            for i in range(len(self.names))
            for j in range(i + 1, len(self.names))
        ]
        return min(pairs)[1:] if pairs else None

    def farthest(self) -> tuple[str, str] | None:
        """Names of the two that look least alike."""
        pairs = [
            (self.distances[i][j], self.names[i], self.names[j])
            for i in range(len(self.names))
            for j in range(i + 1, len(self.names))
        ]
        return max(pairs)[1:] if pairs else None


class LikenessOf(Insight):
    """Which averages look alike."""

    def __init__(self, session: Session, averages: Averages, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(session, jobs, parent)
        self._averages = averages
        self._asked: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
        self._answers: dict[tuple[str, ...], Alike] = {}
        self.alike: Alike | None = None

    @property
    def possible(self) -> bool:
        """Whether there are enough averages to compare."""
        return len(self._averages.done) >= FEWEST_TO_COMPARE

    def show(self) -> None:
        """Compare the averages that are there; the same ones are compared once."""
        cards, noise = self._averages.done, self._averages.noise
        ids, names, paths = [], [], []
        for card in cards:
            result = card.result(noise)
            if result:
                ids.append(card.listed.id)
                names.append(card.listed.name)
                paths.append(result.path)
        self.stop()
        self.failure, self.job = None, None
        self._asked = tuple(ids), tuple(names), tuple(paths)
        self.alike = self._answers.get(tuple(paths))
        if self.alike:
            self.stage = Stage.DONE
            self.changed.emit()
            return
        try:
            request = LikenessRequest(tuple(paths), self._session.form.model)
        except GPSDreamError as error:
            self._fail(error.failure)
            return
        self.stage = Stage.WORKING
        job = self._jobs.submit(request, self.tr("Which of {0} look alike").format(len(paths)), self._fail)
        self._follow(job, self._happened)
        self.changed.emit()

    def _happened(self, event: object) -> None:
        if self.sender() is not self.job or not isinstance(event, Compared):
            return
        asked, likeness = self._asked, event.likeness

        def show(alike: Alike) -> None:
            self._answers[asked[2]] = alike
            if asked == self._asked:
                self.alike = alike
                self.changed.emit()

        self._session.background.run(self, lambda: arrange(asked[0], asked[1], likeness), show, self._fail)


def arrange(ids: Sequence[str], names: Sequence[str], likeness: Likeness) -> Alike:
    """Put what looks alike side by side, by average linkage.

    Args:
        ids: of the regions, in the order of the distances.
        names: of the regions.
        likeness: how far they are apart.
    """
    # Imported late: it takes a while, and few ask for it.
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distances = np.asarray(likeness.distances, dtype=float)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(np.clip(distances, 0.0, None), checks=False), "average", optimal_ordering=True)
    order = [int(leaf) for leaf in leaves_list(tree)]
    place = {leaf: position for position, leaf in enumerate(order)}
    count = len(order)

    def node(number: float) -> int:
        return place[int(number)] if number < count else int(number)

    return Alike(
        ids=tuple(ids[leaf] for leaf in order),
        names=tuple(names[leaf] for leaf in order),
        distances=tuple(tuple(float(distances[i, j]) for j in order) for i in order),
        merges=tuple((node(row[0]), node(row[1]), float(row[2])) for row in tree),
        features=likeness.features,
    )
