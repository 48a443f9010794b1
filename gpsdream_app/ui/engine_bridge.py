"""The engine's events as Qt signals on the window's thread."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from gpsdream_app.domain.events import EngineChanged, Event
from gpsdream_app.domain.explanations import ExplainRequest
from gpsdream_app.engine.base import Engine, new_job_id
from gpsdream_app.ui.job_queue import QueueRequest


class EngineBridge(QObject):
    """Listens to an engine on the engine's thread and speaks on the window's.

    Signals:
        engine_changed: the engine as a whole changed (an `EngineChanged`).
        happened: anything else happened (an `Event`); events arrive in the order in which they were sent.
    """

    engine_changed = Signal(EngineChanged)
    happened = Signal(Event)
    _arrived = Signal(object)

    def __init__(self, engine: Engine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._open = True
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        engine.add_listener(self._listen)

    @property
    def engine(self) -> Engine:
        """The engine behind the bridge."""
        return self._engine

    def new_job_id(self) -> str:
        """Return a job id that no other job has."""
        return new_job_id()

    def submit(self, request: QueueRequest, job_id: str) -> None:
        """Put a job at the end of the engine's queue. Raises GPSDreamError if the engine was shut down."""
        self._engine.submit(request, job_id)

    def explain(self, request: ExplainRequest, job_id: str) -> None:
        """Put a job that explains a picture at the end of the queue. Raises GPSDreamError as `submit`."""
        self._engine.explain(request, job_id)

    def close(self, timeout: float = 3.0) -> None:
        """Stop listening and end the engine; nothing of it is left when this returns.

        Args:
            timeout: seconds to wait before the engine is ended by force.
        """
        self._open = False
        self._engine.remove_listener(self._listen)
        self._engine.shutdown(timeout)

    def _listen(self, event: Event) -> None:
        # Called on the engine's thread: nothing but a queued signal may happen here.
        if self._open:
            self._arrived.emit(event)

    def _deliver(self, event: Event) -> None:
        if not self._open:
            return
        if isinstance(event, EngineChanged):
            self.engine_changed.emit(event)
        else:
            self.happened.emit(event)
