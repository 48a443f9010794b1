"""A walk along a street or a drawn line: its frames as they come, the player, the film. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from gpsdream_app.domain.averages import SeriesKind, SeriesRequest
from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.events import PictureFinished
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Point
from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS
from gpsdream_app.geo.geojson import read_line
from gpsdream_app.geo.walks import places_along, street_line
from gpsdream_app.library.paths import frame_path, pictures_dir
from gpsdream_app.ui.neighbourhoods.averages import Averages
from gpsdream_app.ui.neighbourhoods.insights import frame_number
from gpsdream_app.ui.neighbourhoods.jobs import Job, Jobs

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

FRAMES = (2, 600)
SIDES = ("photos", "left", "right", "ahead")
PAUSE_MILLISECONDS = 300
FRAMES_PER_SECOND = 8
GUESSED_SECONDS = 2.0
THUMBNAIL = 96


class Walk(QObject):
    """A walk and its player.

    Signals:
        changed: the line, the settings or the stage is another one.
        frames_changed: frames came or went.
        index_changed: the player shows another frame.
        failed: something could not be done (`Failure`).
        said: a sentence for the person.
        saved: the film was written; its path.
    """

    changed = Signal()
    frames_changed = Signal()
    index_changed = Signal()
    failed = Signal(object)
    said = Signal(str)
    saved = Signal(object)

    def __init__(self, session: Session, averages: Averages, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._averages, self._jobs = session, averages, jobs
        self.title = ""
        self.is_street = False
        self.line: tuple[Point, ...] = ()
        self.count = 60
        self.side = SIDES[0]
        self.prompt = ""
        self.request: SeriesRequest | None = None
        self.paths: list[Path | None] = []
        self.thumbnails: list[QImage] = []
        self.image = QImage()
        self.job: Job | None = None
        self.saving: float | None = None  # share of the film that is written
        self._index = 0
        self._plan = 0
        self._cancel_saving = False
        self._rate = GUESSED_SECONDS
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(PAUSE_MILLISECONDS)
        self._due.timeout.connect(self._make_request)
        self._player = QTimer(self)
        self._player.setInterval(1000 // FRAMES_PER_SECOND)
        self._player.timeout.connect(self._play_on)

    # -- the line --

    def take_street(self, name: str) -> None:
        """Walk along a street."""
        city, card = self._session.city, self._session.card
        if city is None:
            return
        coverage = card.coverage if card else None

        def done(line: tuple[Point, ...]) -> None:
            self._take_line(line, name, is_street=True)

        self._session.background.run(self, lambda: street_line(city, name, coverage=coverage), done, self.failed.emit)

    def take_line(self, points: Sequence[Point]) -> None:
        """Walk along a line that a person drew."""
        self._take_line(tuple((lat, lon) for lat, lon in points), self.tr("Drawn walk"))

    def take_file(self, path: Path) -> None:
        """Walk along the line of a GeoJSON file."""
        self._session.background.run(
            self, lambda: read_line(path), lambda line: self._take_line(line, path.stem[:80]), self.failed.emit
        )

    def change(self, **values: Any) -> None:
        """Change `count`, `side` or `prompt`."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed.emit()
        self._due.start()

    def refresh(self) -> None:
        """Make the request anew, after the model became another one."""
        self._due.start()

    def restore(self, count: object, side: object, prompt: object) -> None:
        """Take over what was remembered, as far as it makes sense."""
        if isinstance(count, int) and FRAMES[0] <= count <= FRAMES[1]:
            self.count = count
        if side in SIDES:
            self.side = str(side)
        if isinstance(prompt, str):
            self.prompt = prompt[:MAX_PROMPT_CHARACTERS]

    def _take_line(self, line: tuple[Point, ...], title: str, *, is_street: bool = False) -> None:
        self.line, self.title, self.is_street = line, title, is_street
        self.changed.emit()
        self._due.start()

    def _make_request(self) -> None:
        """Choose the places and find the frames that were drawn before."""
        session, line, count, side = self._session, self.line, self.count, self.side
        if len(line) < 2 or self.job is not None:
            return
        self._plan += 1
        number = self._plan
        card, model, title, prompt = session.card, session.form.model, self.title, self.prompt.strip()
        wish = self._averages.wish

        def work() -> tuple[SeriesRequest, list[Path | None], list[QImage]]:
            photos = _seen_from(card.coverage.cells, card.coverage) if card and card.coverage else ()
            heading: Any = side
            places = places_along(line, count, heading=heading, photos=photos)
            request = replace(wish, concept=prompt).series(places, SeriesKind.WALK, title, model, card)
            paths: list[Path | None] = []
            thumbnails = []
            for index in range(request.count):
                path = frame_path(pictures_dir(), request.key, index)
                paths.append(path if path.is_file() else None)
                thumbnails.append(_thumbnail(path) if path.is_file() else QImage())
            return request, paths, thumbnails

        def done(made: tuple[SeriesRequest, list[Path | None], list[QImage]]) -> None:
            if number != self._plan or self.job is not None:
                return
            self.request, self.paths, self.thumbnails = made
            self._index = 0
            self.image = QImage()
            self.pause()
            self.changed.emit()
            self.frames_changed.emit()
            self.go_to(0)

        session.background.run(self, work, done, self.failed.emit)

    # -- drawing --

    @property
    def planning(self) -> bool:
        """Whether the places are being chosen."""
        return self._due.isActive()

    @property
    def drawn(self) -> int:
        """Number of frames that are there."""
        return sum(path is not None for path in self.paths)

    @property
    def complete(self) -> bool:
        """Whether all frames are there."""
        return bool(self.paths) and self.drawn == len(self.paths)

    def estimate(self) -> float:
        """About how many seconds the missing frames take."""
        return (len(self.paths) - self.drawn) * self._rate

    def draw(self) -> None:
        """Draw the frames that are missing."""
        if self.job is not None:
            return
        request = self.request
        if request is None:
            self.failed.emit(
                Failure(
                    ErrorKind.BAD_REQUEST,
                    self.tr("There is no way to walk."),
                    self.tr("Choose a street or draw a line."),
                )
            )
            return
        job = self._jobs.submit(request, self.tr("Walk: {0}").format(request.title), self.failed.emit)
        if job is None:
            return
        self.job = job
        job.changed.connect(self.changed)
        job.happened.connect(self._happened)
        job.ended.connect(self._ended)
        self.changed.emit()

    def stop(self) -> None:
        """Stop drawing; the frames stay, and drawing goes on from them another time."""
        self._jobs.cancel(self.job)

    def _happened(self, event: object) -> None:
        if not isinstance(event, PictureFinished):
            return
        result, request = event.result, self.request
        index = frame_number(result)
        if result.seconds > 0:
            self._rate = result.seconds

        def show(image: QImage) -> None:
            if request is self.request and index is not None and index < len(self.paths):
                self.paths[index] = Path(result.path)
                self.thumbnails[index] = _small(image)
                self.frames_changed.emit()
                self.changed.emit()
                if not self.playing:
                    self.go_to(index)

        self._session.keep(result, show)

    def _ended(self, failure: Failure | None) -> None:
        self.job = None
        self.changed.emit()
        if failure:
            self.failed.emit(failure)
        # What was changed meanwhile counts now.
        if self.request and self._wanted_another():
            self._due.start()

    def _wanted_another(self) -> bool:
        request = self.request
        return request is not None and (request.count != self.count or request.prompt != self.prompt.strip())

    # -- the player --

    @property
    def index(self) -> int:
        """The frame that is shown, from 0."""
        return self._index

    @property
    def place(self) -> Place | None:
        """Where the frame that is shown stands."""
        return self.request.places[self._index] if self.request and self._index < self.request.count else None

    def go_to(self, index: int) -> None:
        """Show a frame."""
        if not self.paths:
            return
        index = min(max(index, 0), len(self.paths) - 1)
        self._index = index
        path = self.paths[index]
        self.index_changed.emit()
        if path is None:
            return

        def show(image: QImage) -> None:
            if index == self._index:
                self.image = image
                self.index_changed.emit()

        self._session.background.run(self, lambda: QImageReader(str(path)).read(), show, priority=6)

    @property
    def playing(self) -> bool:
        """Whether the player runs."""
        return self._player.isActive()

    def play(self) -> None:
        """Run through the frames that are there, over and over."""
        if self.drawn > 1:
            self._player.start()
            self.changed.emit()

    def pause(self) -> None:
        """Stand still."""
        if self._player.isActive():
            self._player.stop()
            self.changed.emit()

    def _play_on(self) -> None:
        there = [number for number, path in enumerate(self.paths) if path]
        if len(there) < 2:
            self.pause()
            return
        self.go_to(next((number for number in there if number > self._index), there[0]))

    # -- the film --

    def save(self, out: Path) -> None:
        """Write the frames that are there as an MP4."""
        request = self.request
        if request is None or self.saving is not None:
            return
        pairs = [(path, place) for path, place in zip(self.paths, request.places, strict=True) if path]
        if len(pairs) < 2:
            return
        city, session = self._session.city, self._session
        self.saving, self._cancel_saving = 0.0, False
        self.changed.emit()

        def progress(written: int, count: int) -> None:
            # Called on another thread: the value is only read by the window's next look.
            self.saving = written / max(1, count)

        def work() -> Path | None:
            # Imported late: it brings the program along that packs films.
            from gpsdream_app.export.video import WritingCancelled, write_walk

            try:
                return write_walk(
                    [path for path, _ in pairs],
                    [place for _, place in pairs],
                    out,
                    fps=FRAMES_PER_SECOND,
                    map=city,
                    progress=progress,
                    cancelled=lambda: self._cancel_saving,
                )
            except WritingCancelled:
                return None

        def done(path: Path | None) -> None:
            self.saving = None
            self.changed.emit()
            if path:
                self.saved.emit(path)

        def failed(failure: Failure) -> None:
            self.saving = None
            self.changed.emit()
            self.failed.emit(failure)

        session.background.run(self, work, done, failed)

    def cancel_saving(self) -> None:
        """Write no film after all."""
        self._cancel_saving = True


def _thumbnail(path: Path) -> QImage:
    return _small(QImageReader(str(path)).read())


def _small(image: QImage) -> QImage:
    if image.isNull() or max(image.width(), image.height()) <= THUMBNAIL:
        return image
    return image.scaled(
        THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _seen_from(cells: Sequence[tuple[int, int, int]], coverage: Any) -> tuple[Place, ...]:
    """Return the middles of the cells in which the model has seen photos, as places that look nowhere."""
    return tuple(Place(*coverage.centre(row, column)) for row, column, _ in cells)
