"""A program that draws until it is killed, for `test_killed.py`. It has everything but the widgets.

It goes on with whatever the last one left, puts a few jobs in the queue, and says on standard output what happens.
"""

from __future__ import annotations

import os
import sys

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication

from gpsdream_app.domain.events import Event, Failed, PictureFinished, Started
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.ui.job_queue import QueuedJob
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.settings import Settings

PLACE = Place(40.7405, -73.9895, 29.0)


class Program(Session):
    """A session without a map."""

    def _load_city(self, city_id: str) -> None:
        self._city_id = city_id

    def use_model(self, name: str) -> None:
        self.form.model = name


def say(*words: object) -> None:
    """Write a line in one go, so that no end cuts it in two."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(model: str, first_seed: int, jobs: int, command: list[str]) -> None:
    """Draw."""
    application = QGuiApplication([])
    engine = ProcessEngine(command=command or None)
    session = Program(engine, Settings(user_data_dir()), model=model)

    def hear(event: Event) -> None:
        # On the engine's thread, before window and library hear of it.
        if isinstance(event, PictureFinished):
            say("picture", event.job_id, event.result.path)
        elif isinstance(event, Started):
            say("started", event.job_id, engine.pid)

    def begin() -> None:
        session.keeper.resume(*(job.job_id for job in session.queue.over))
        for number in range(jobs):
            request = GenerateRequest(PLACE, "a church", seed=first_seed + 10 * number, count=3, steps=2, model=model)
            job_id = session.submit(request)
            # What was not written down yet was not promised to anybody.
            session.keeper._do(lambda store, job_id=job_id, seed=request.seed: say("submitted", job_id, seed))
        session.keeper.hold(False)
        check()

    def ended(job: QueuedJob, event: Event) -> None:
        if isinstance(event, Failed):
            QTimer.singleShot(0, session, lambda: session.keeper.resume(job.job_id))

    def check() -> None:
        if not session.queue and not session.queue.over and session.pending == 0:
            say("idle")
            session.close()
            application.quit()
        else:
            QTimer.singleShot(50, session, check)

    def wait() -> None:
        if session.pending:
            QTimer.singleShot(5, session, wait)
        else:
            begin()

    engine.add_listener(hear)
    session.keeper.ended.connect(ended)
    QTimer.singleShot(0, session, session.start)
    QTimer.singleShot(1, session, wait)
    application.exec()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
