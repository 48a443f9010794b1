"""Listens to an engine and waits for what a test is interested in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from gpsdream_app.domain.events import TERMINAL_EVENTS, EngineChanged, Event
from gpsdream_app.engine.base import Engine

PATIENCE = 240.0  # seconds until a test gives up; nothing is measured by it


class Recorder:
    def __init__(self, engine: Engine) -> None:
        self.events: list[Event] = []
        self.threads: set[str] = set()
        self._changed = threading.Condition()
        engine.add_listener(self)

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Event], bool]) -> Any:
        """Return the first event, past or to come, that is wanted."""

        def found() -> Event | None:
            return next((event for event in self.events if wanted(event)), None)

        with self._changed:
            event = self._changed.wait_for(found, PATIENCE)
        assert event is not None, f"not seen among {[(e.name, e.job_id[:6]) for e in self.events][-20:]}"
        return event

    def end_of(self, job_id: str) -> Any:
        return self.wait(lambda event: event.job_id == job_id and isinstance(event, TERMINAL_EVENTS))

    def first(self, cls: type[Event], job_id: str = "") -> Any:
        return self.wait(lambda event: isinstance(event, cls) and event.job_id == job_id)

    def state(self, state: str) -> Any:
        return self.wait(lambda event: isinstance(event, EngineChanged) and event.state == state)

    def of(self, job_id: str) -> list[Event]:
        with self._changed:
            return [event for event in self.events if event.job_id == job_id]

    def names(self, job_id: str) -> list[str]:
        return [event.name for event in self.of(job_id)]
