"""Watches a start until the window works, and says in the window what was stepped down to."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, QTimer

from gpsdream_app.ui.graphics import LATEST_MILLISECONDS, SOONEST_MILLISECONDS, GraphicsGuard, GraphicsMode
from gpsdream_app.ui.session import Notice, Tone
from gpsdream_app.ui.window import MainWindow

log = logging.getLogger(__name__)


class GraphicsStart(QObject):
    """Takes the guard's mark away when the window has worked for some seconds with its map, or for longer without."""

    def __init__(self, guard: GraphicsGuard, window: MainWindow) -> None:
        super().__init__(window)
        self._guard, self._window = guard, window
        self.is_good = False
        self._soonest = QTimer(self)
        self._soonest.setSingleShot(True)
        self._soonest.setInterval(SOONEST_MILLISECONDS)
        self._soonest.timeout.connect(self.end)
        self._latest = QTimer(self)
        self._latest.setSingleShot(True)
        self._latest.timeout.connect(self.end)
        window.map.ready.connect(self._soonest.start)
        page = window.map.page
        if page is not None:
            page.renderProcessTerminated.connect(self._map_died)
        self._latest.start(LATEST_MILLISECONDS)

    def end(self) -> None:
        """The start is over, and nothing crashed."""
        self._soonest.stop()
        self._latest.stop()
        if not self.is_good:
            self.is_good = True
            self._guard.good()

    def tell_of_failure(self) -> None:
        """Say that the last start failed, what this one does without, and offer to try again."""
        guard, session = self._guard, self._window.session
        if guard.failed is None:
            return
        log.warning("The last start failed with the graphics mode %s; this one uses %s.", guard.failed, guard.mode)
        session.notify(
            Notice(
                Tone.HINT,
                self.tr("GPSDream did not start properly last time."),
                mode_sentence(guard.mode),
                self.tr("Next time as before"),
                lambda: guard.choose(guard.wanted),
            )
        )

    def _map_died(self, *_: object) -> None:
        """Have the processor draw the next start's map if its process died while it was starting."""
        guard, session = self._guard, self._window.session
        if self.is_good or guard.mode is not GraphicsMode.AUTO:
            return
        guard.step_down()
        log.warning("The map's process ended at the start; the next start draws it in software.")
        session.notify(
            Notice(
                Tone.HINT,
                self.tr("The map did not start."),
                self.tr("From the next start on the processor draws it, without the graphics card."),
                self.tr("Next time as before"),
                lambda: guard.choose(guard.wanted),
            )
        )


def mode_sentence(mode: GraphicsMode) -> str:
    """Say what a mode does without."""
    tr = QObject().tr
    return {
        GraphicsMode.AUTO: tr("Map and 3D view use the graphics card."),
        GraphicsMode.SOFTWARE: tr("Map and 3D view are drawn by the processor, without the graphics card."),
        GraphicsMode.NO_3D: tr("The map is drawn by the processor. Landmarks turn as pictures instead of in 3D."),
        GraphicsMode.PLAIN: tr("There is no map and no 3D view. Latitude and longitude can be typed in."),
    }[mode]
