"""The Neighbourhoods place without widgets: its parts, what it remembers, and what it writes for other programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.events import Event
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.neighbourhoods.averages import Averages
from gpsdream_app.ui.neighbourhoods.book import RegionBook
from gpsdream_app.ui.neighbourhoods.insights import LikenessOf, TypicalOf, Variety
from gpsdream_app.ui.neighbourhoods.jobs import Jobs
from gpsdream_app.ui.neighbourhoods.walk import Walk
from gpsdream_app.ui.neighbourhoods.wish import Wish
from gpsdream_app.ui.state import new_seed

if TYPE_CHECKING:
    from gpsdream_app.ui.session import Session

log = logging.getLogger(__name__)
MAX_REMEMBERED = 200
FIRST_STREET = "Fifth Avenue"


class Export(StrEnum):
    """What averages can be written as."""

    PICTURE = "picture"
    PICTURES = "pictures"
    GEOJSON = "geojson"
    WEB_MAP = "web_map"


class Neighbourhoods(QObject):
    """Regions, averages, what stands behind them, and walks.

    Signals:
        opened: everything was read that the place shows first.
        exporting_changed: something is being written, or is no more.
    """

    opened = Signal()
    exporting_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._jobs = Jobs(session, self)
        self.book = RegionBook(session, self)
        self.averages = Averages(session, self.book, self._jobs, self)
        self.variety = Variety(session, self.averages, self._jobs, self)
        self.typical = TypicalOf(session, self.book, self._jobs, self)
        self.likeness = LikenessOf(session, self.averages, self._jobs, self)
        self.walk = Walk(session, self.averages, self._jobs, self)
        self.exporting = ""
        self._opened_for: tuple[object, ...] = ()
        self._wanted = False
        self._remembered = self._read_remembered()
        self.averages.restore(Wish.from_dict(self._remembered.get("wish")))
        self._restore_walk()
        self.book.read.connect(self.opened)
        self.book.read.connect(self._begin_walk)
        self.book.failed.connect(self._failed)
        self.book.said.connect(self._say)
        self.averages.failed.connect(self._failed_to_draw)
        self.walk.failed.connect(self._failed)
        self.walk.saved.connect(self._walk_saved)
        session.model_changed.connect(self._model_changed)
        session.city_changed.connect(self._model_changed)
        session.library_read.connect(self.averages.look)

    @property
    def pending(self) -> int:
        """How many pieces of background work have not come back."""
        return self.book.pending

    @property
    def idle(self) -> bool:
        """Whether nothing is drawn, looked up or written any more."""
        return not self._jobs and not self.pending and not self.averages.looking and not self.exporting

    def open(self) -> None:
        """Read the regions of the city for the model that is open; does nothing if they have been read."""
        session = self._session
        card = session.card
        wanted = session.city.id if session.city else "", card.name if card else ""
        self._wanted = True
        if card is None or wanted == self._opened_for:
            return
        again = bool(self._opened_for)
        self._opened_for = wanted
        if again:
            chosen: list[str] | None = [listed.id for listed in self.book.selected]
        else:
            remembered = self._remembered.get("selected")
            chosen = [str(value) for value in remembered] if isinstance(remembered, list) and remembered else None
        self.averages.forget_places()
        self.book.open(session.city, card.coverage, chosen)

    def close(self) -> None:
        """Remember what was chosen, and end the background work."""
        self.remember()
        self.walk.pause()
        self.walk.cancel_saving()
        self.book.close()

    def handle(self, event: Event) -> bool:
        """Take an event of the engine; returns whether it belongs to a job of this place."""
        return self._jobs.handle(event)

    # -- what is remembered --

    def remember(self) -> None:
        """Keep choice and settings for the next start."""
        if not self.book.is_read:
            return
        walk = self.walk
        self._session.settings.neighbourhoods = json.dumps(
            {
                "selected": [listed.id for listed in self.book.selected][:MAX_REMEMBERED],
                "wish": self.averages.wish.to_dict(),
                "rate": self.averages.rate if self.averages.rate_is_known else None,
                "street": walk.title if walk.is_street else "",
                "frames": walk.count,
                "side": walk.side,
                "walk": walk.prompt,
            }
        )

    def _read_remembered(self) -> dict[str, Any]:
        try:
            data = json.loads(self._session.settings.neighbourhoods or "{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    def _restore_walk(self) -> None:
        data, walk = self._remembered, self.walk
        rate = data.get("rate")
        if isinstance(rate, float) and 0 < rate < 1000:
            self.averages.rate = rate
        walk.restore(data.get("frames"), data.get("side"), data.get("walk"))

    def _begin_walk(self) -> None:
        """Take the street of the last time, else one to begin with; frames that were drawn are found again."""
        if not self.walk.line:
            for street in (self._remembered.get("street"), FIRST_STREET):
                if street in self.book.streets:
                    self.walk.take_street(str(street))
                    return

    def _model_changed(self, *_: object) -> None:
        if self._wanted:
            self.open()
            self.averages.look()
            self.walk.refresh()

    # -- drawing --

    def draw(self) -> None:
        """Draw the averages that are missing."""
        self.averages.draw()

    def stop(self) -> None:
        """Stop whatever this place is drawing; finished pictures stay."""
        self.averages.stop()
        for part in (self.variety, self.typical, self.likeness, self.walk):
            part.stop()

    def new_noise(self) -> None:
        """Draw all averages from another noise instead."""
        self.averages.change(seed=new_seed())
        self.averages.draw()

    # -- writing files --

    def export(self, kind: Export, out: Path) -> None:
        """Write the averages that are shown, in the background.

        Args:
            kind: what to write.
            out: the file, or for `PICTURES` the folder.
        """
        averages, city = self.averages, self._session.city
        noise, concept = averages.noise, averages.wish.concept.strip()
        shown: list[tuple[Any, Result]] = []
        for card in averages.done:
            result = card.result(noise)
            if result:
                shown.append((card.listed, result))
        if not shown or self.exporting:
            return
        title = self.tr("The average {0}").format(concept) if concept else self.tr("The average place")
        self.exporting = out.name
        self.exporting_changed.emit()

        def work() -> Path:
            # Imported late: folium is only needed here.
            from gpsdream_app.export import averages as files

            items = [
                files.GridItem(listed.name, "", Path(result.path), listed.region, result) for listed, result in shown
            ]
            if kind is Export.PICTURE:
                files.labelled_png(items, out, title=title)
            elif kind is Export.PICTURES:
                files.separate_pngs(items, out)
            elif kind is Export.GEOJSON:
                files.geojson(items, out)
            elif city:
                files.web_map(items, out, city, title=title)
            return out

        self._session.background.run(self, work, self._exported, self._export_failed)

    def export_walk_strip(self, out: Path) -> None:
        """Write the frames of the walk side by side as one picture."""
        paths = [path for path in self.walk.paths if path]
        title = ", ".join(part for part in (self.walk.title, self.walk.prompt) if part)
        if not paths or self.exporting:
            return
        self.exporting = out.name
        self.exporting_changed.emit()

        def work() -> Path:
            from gpsdream_app.export.averages import strip_png

            strip_png(paths, out, title=title)
            return out

        self._session.background.run(self, work, self._exported, self._export_failed)

    def export_regions(self, path: Path) -> None:
        """Write the chosen regions as GeoJSON."""
        self.book.export_file(path, lambda: self._saved(path))

    def _exported(self, path: Path) -> None:
        self.exporting = ""
        self.exporting_changed.emit()
        self._saved(path)

    def _export_failed(self, failure: Failure) -> None:
        self.exporting = ""
        self.exporting_changed.emit()
        self._failed(failure)

    def _walk_saved(self, path: Path) -> None:
        self._saved(path)

    # -- what is said --

    def _saved(self, path: Path) -> None:
        text = self.tr("Saved as {0}.").format(path.name)
        self._notify(text, self.tr("Show in folder"), partial(show_in_folder, path))

    def _say(self, text: str) -> None:
        self._notify(text, "", None)

    def _notify(self, text: str, action: str, call: Callable[[], None] | None) -> None:
        # Imported late, because the session imports this module.
        from gpsdream_app.ui.session import Notice, Tone

        self._session.notify(Notice(Tone.PLAIN, text, "", action, call))

    def _failed(self, failure: Failure) -> None:
        self._session.notify_failure(failure)

    def _failed_to_draw(self, failure: Failure) -> None:
        if self.averages.missing:
            self._session.notify_failure(failure, self.tr("Draw again"), self._draw_again)
        else:
            self._session.notify_failure(failure)

    def _draw_again(self) -> None:
        self._session.dismiss()
        self.averages.draw()


def photos_text(photos: int | None) -> str:
    """Return how many photos the model has learned from in a region; empty if that is not known."""
    from PySide6.QtCore import QCoreApplication

    if photos is None:
        return ""
    if photos == 0:
        return QCoreApplication.translate("neighbourhoods", "no photos here")
    if photos == 1:
        return QCoreApplication.translate("neighbourhoods", "1 photo")
    return QCoreApplication.translate("neighbourhoods", "{0} photos").format(f"{photos:,}")
