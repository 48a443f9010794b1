"""The card with the queue, and what happens at the end of the program while there are jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton, QWidget

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftRequest
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.library.paths import user_data_dir
from gpsdream_app.library.queue import FILE_NAME, StoredQueue, StoredState
from gpsdream_app.ui import job_notifier
from gpsdream_app.ui.job_notifier import JobNotifier, Portal, Tray, inert
from gpsdream_app.ui.job_queue import JobKind, JobState, OutsideJob
from gpsdream_app.ui.queue_panel import MAX_ROWS, JobRow, QueuePopover

from .rig import CATHEDRAL, FLATIRON, HOSTILE, MODEL, Rig

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton
REQUEST = GenerateRequest(FLATIRON, "a lost church", seed=5, count=2, steps=2, model=MODEL)


@pytest.fixture
def busy(make_rig: MakeRig) -> Iterator[Rig]:
    """A window with one job that goes on and three that wait, and the card open."""
    rig = make_rig(engine=FakeEngine()).open()
    rig.engine.gate.clear()
    rig.session.form.set_place(FLATIRON)
    for number in range(4):
        rig.session.form.prompt = f"church {number}"
        rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.window.queue_card.open_beside(rig.window.rail.queue)
    yield rig
    rig.engine.gate.set()


def left_by_last_run(*jobs: tuple[str, GenerateRequest, StoredState]) -> None:
    queue = StoredQueue(user_data_dir() / FILE_NAME)
    for job_id, request, state in jobs:
        queue.add(job_id, request)
        failure = Failure(ErrorKind.OUT_OF_MEMORY, "No memory.", "Close something.")
        queue.set_state(job_id, state, failure if state is StoredState.FAILED else None)
    queue.close()


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, LEFT)


def words(rig: Rig) -> list[str]:
    return [job.request.prompt for job in rig.session.queue.waiting if isinstance(job.request, GenerateRequest)]


def shown(rig: Rig) -> list[str]:
    card = rig.window.queue_card
    return [row.job_id for row in card.rows]


def agree(rig: Rig) -> None:
    """Wait until card, queue and engine have one order."""
    queue = rig.session.queue
    rig.until(
        lambda: (
            [row for row in shown(rig) if row in {job.job_id for job in queue.waiting}]
            == [job.job_id for job in queue.waiting]
        )
    )
    assert list(rig.engine._drawing.waiting) == [job.job_id for job in queue.waiting]


def row_of(rig: Rig, prompt: str) -> JobRow:
    job = next(job for job in rig.session.queue.waiting if job.single and job.single.prompt == prompt)
    return next(row for row in rig.window.queue_card.rows if row.job_id == job.job_id)


def test_waiting_jobs_are_put_in_another_order(busy: Rig) -> None:
    assert words(busy) == ["church 1", "church 2", "church 3"]
    assert not row_of(busy, "church 1").first.isEnabled()
    click(row_of(busy, "church 3").first)
    assert words(busy) == ["church 3", "church 1", "church 2"]
    agree(busy)
    row = row_of(busy, "church 1")
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert words(busy) == ["church 3", "church 2", "church 1"]
    agree(busy)
    assert row.hasFocus(), "the focus stays with the job"
    QTest.keyClick(row, Qt.Key.Key_Home, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(row, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert words(busy)[0] == "church 1"
    QTest.keyClick(row, Qt.Key.Key_End, Qt.KeyboardModifier.AltModifier)
    assert words(busy)[-1] == "church 1"
    agree(busy)
    QTest.keyClick(row, Qt.Key.Key_Delete)
    busy.until(lambda: words(busy) == ["church 3", "church 2"])
    busy.engine.gate.set()
    busy.idle()
    drawn = [result.request.prompt for result in reversed(busy.session.film.results)]
    assert drawn == ["church 0", "church 3", "church 2"]


def test_a_waiting_job_is_pulled_to_its_place(busy: Rig) -> None:
    row, other = row_of(busy, "church 3"), row_of(busy, "church 1")
    start, end = row.rect().center(), row.mapFromGlobal(other.mapToGlobal(QPoint(40, 2)))
    QTest.mousePress(row, LEFT, pos=start)
    QTest.mouseMove(row, QPoint(start.x(), (start.y() + end.y()) // 2))
    QTest.mouseMove(row, QPoint(start.x(), end.y()))
    busy.until(
        lambda: (
            words(busy)[0] == "church 3"
            or QTest.mouseMove(row, row.mapFromGlobal(other.mapToGlobal(QPoint(40, 2)))) is not None
        )
    )
    QTest.mouseRelease(row, LEFT)
    assert words(busy) == ["church 3", "church 1", "church 2"]
    agree(busy)


def test_the_queue_is_paused_and_goes_on(busy: Rig) -> None:
    card = busy.window.queue_card
    click(card.hold)
    assert busy.session.queue.held
    busy.engine.gate.set()
    busy.until(lambda: busy.session.queue.current is None)
    assert len(busy.session.queue) == 3, "what went on is finished, nothing new is begun"
    busy.until(lambda: "Paused" in card.summary.text())
    busy.session.form.prompt = "one more"
    busy.window.draw_now()
    assert busy.session.notice is not None
    assert "paused" in busy.session.notice.text
    click(busy.window.notice.action)
    assert not busy.session.queue.held
    busy.idle()
    assert busy.session.notice is None
    assert len(busy.session.film.results) == 5


def test_all_that_waits_is_ended_and_what_goes_on_is_not(busy: Rig) -> None:
    menu = busy.window.queue_card.make_menu()
    menu.actions()[0].trigger()
    busy.until(lambda: len(busy.session.queue) == 1)
    assert busy.session.queue.current is not None
    menu = busy.window.queue_card.make_menu()
    assert not menu.actions()[0].isEnabled()
    menu.actions()[1].trigger()
    busy.engine.gate.set()
    busy.idle()
    assert busy.session.film.results == []


def test_a_failed_job_stays_until_it_is_tried_again_or_discarded(make_rig: MakeRig) -> None:
    rig = make_rig(engine=FakeEngine()).open()
    rig.engine.play_next(Script(fail_at=3), Script(fail_at=1))
    rig.draw(count=2)
    rig.draw(prompt="another")
    card = rig.window.queue_card
    card.open_beside(rig.window.rail.queue)
    first, second = card.rows
    assert [job.state for job in rig.session.queue.over] == [JobState.FAILED] * 2
    assert "memory" in first.accessibleDescription()
    click(first.resume)
    rig.idle()
    assert [result.request.prompt for result in rig.session.film.results] == ["a church"] * 2
    click(card.rows[0].end)
    rig.until(lambda: not card.rows)
    assert rig.session.notice is not None
    click(rig.window.notice.action)
    assert [job.job_id for job in rig.session.queue.over] == [second.job_id]
    card.make_menu().actions()[-1].trigger()
    assert rig.session.queue.over == []


def test_a_failed_job_of_several_pictures_draws_only_what_is_missing(make_rig: MakeRig) -> None:
    rig = make_rig(engine=FakeEngine()).open()
    rig.engine.play_next(Script(fail_at=6))
    rig.draw(count=3)  # of four steps each
    assert len(rig.session.film.results) == 1
    (job,) = rig.session.queue.over
    rig.session.keeper.resume(job.job_id)
    rig.idle()
    seeds = sorted(result.request.seed for result in rig.session.film.results)
    assert len(set(seeds)) == 3
    assert {result.job_id for result in rig.session.film.results} == {job.job_id}


def test_what_the_last_run_left_is_resumed_or_discarded(make_rig: MakeRig) -> None:
    other = GenerateRequest(CATHEDRAL, "mansions", steps=1, model=MODEL)
    left_by_last_run(
        ("a", REQUEST, StoredState.RUNNING), ("b", other, StoredState.WAITING), ("c", other, StoredState.FAILED)
    )
    rig = make_rig(engine=FakeEngine()).open()
    card = rig.window.queue_card
    assert rig.session.queue.held
    assert rig.window.rail.queue.count == 2
    assert rig.session.notice is not None
    assert "2 jobs are not finished" in rig.session.notice.text
    card.open_beside(rig.window.rail.queue)
    assert shown(rig) == ["a", "b", "c"]
    assert card.left.text() == "2 jobs were not finished last time."
    assert not rig.session.film.results, "nothing goes on by itself"
    click(card.rows[1].end)
    assert rig.session.queue.held
    click(card.resume_all)
    rig.idle()
    assert not rig.session.queue.held
    assert [result.request.prompt for result in rig.session.film.results] == ["a lost church"] * 2
    rig.session.close()
    queue = StoredQueue(user_data_dir() / FILE_NAME)
    assert {job.job_id: job.state.value for job in queue.jobs()} == {"a": "done", "b": "cancelled", "c": "failed"}
    queue.close()


def test_work_of_other_processes_stands_in_the_same_list(rig: Rig) -> None:
    done: list[str] = []
    job = OutsideJob(
        "t", JobKind.TRAIN, "Training “My street”", lambda: done.append("stop"), lambda: done.append("show"), 0.4, 1200
    )
    rig.session.queue.put_outside(job)
    card = rig.window.queue_card
    card.open_beside(rig.window.rail.queue)
    (row,) = card.rows
    assert row.accessibleName() == "Training “My street”"
    assert row.accessibleDescription() == "40 % · about 20 min"
    assert rig.window.rail.queue.count == 1
    assert rig.window.rail.queue.fraction == 0.4
    click(row.show_place)
    click(row.end)
    assert done == ["show", "stop"]
    job.stopping = True
    rig.session.queue.put_outside(job)
    rig.until(lambda: not row.end.isEnabled())
    rig.session.queue.remove_outside("t")
    rig.until(lambda: not card.rows)
    assert card.empty.isVisible()


def test_a_lift_is_paused_from_the_list(make_rig: MakeRig) -> None:
    rig = make_rig(engine=FakeEngine()).open()
    rig.engine.lift_gate.clear()
    rig.session.submit_job(LiftRequest(LANDMARKS[0], model=MODEL), "The arch")
    card = rig.window.queue_card
    card.open_beside(rig.window.rail.queue)
    rig.until(lambda: card.rows and card.rows[0].pause.isVisible())
    click(card.rows[0].pause)
    rig.until(lambda: rig.session.queue.jobs[0].state is JobState.PAUSED)
    rig.until(lambda: "Paused" in card.rows[0].accessibleDescription())
    click(card.rows[0].pause)
    rig.until(lambda: rig.session.queue.jobs[0].state is not JobState.PAUSED)
    rig.session.cancel_all()
    rig.idle()


def test_a_thousand_jobs_are_counted_and_not_all_shown(rig: Rig) -> None:
    rig.session.keeper.hold(True)
    for seed in range(1000):
        rig.session.submit(GenerateRequest(FLATIRON, "a church", seed=seed, steps=1, model=MODEL))
    card = rig.window.queue_card
    card.open_beside(rig.window.rail.queue)
    assert len(card.rows) == MAX_ROWS
    assert card.rest.text() == "and 950 more"
    assert card.height() < rig.window.height()
    click(card.all)
    rig.idle()
    rig.until(lambda: not card.rows)
    rig.session.keeper.hold(False)


def test_hostile_words_are_shown_as_they_are(make_rig: MakeRig) -> None:
    texts = [HOSTILE, "'); DROP TABLE jobs; --", "../../etc/passwd", "nul \x00", "\u202eright to left", "&amp"]
    left_by_last_run(
        *(
            (str(n), GenerateRequest(None, text, steps=1, model=MODEL), StoredState.WAITING)
            for n, text in enumerate(texts)
        )
    )
    rig = make_rig(engine=FakeEngine()).open()
    card = rig.window.queue_card
    card.open_beside(rig.window.rail.queue)
    assert len(card.rows) == len(texts)
    for label in card.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
        assert "<img" not in label.toolTip()
    for row in card.rows:
        assert "<img" not in row.end.toolTip()
    assert card.rows[0].accessibleName() == HOSTILE


def test_everything_has_a_name_and_is_reached_by_tab(busy: Rig) -> None:
    card = busy.window.queue_card
    for button in card.findChildren(QWidget):
        if button.isVisible() and button.focusPolicy() & Qt.FocusPolicy.TabFocus:
            assert button.accessibleName() or getattr(button, "text", str)()
    card.rows[0].setFocus()
    reached = []
    for _ in range(40):
        focused = QGuiApplication.focusObject()
        reached.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    for row in card.rows:
        assert row in reached
        assert row.end in reached


# -- the end of the program --


def ask(rig: Rig) -> QMessageBox:
    assert not rig.window.close()
    box = rig.window.findChild(QMessageBox)
    assert isinstance(box, QMessageBox)
    return box


def press(box: QMessageBox, text: str) -> None:
    click(next(button for button in box.findChildren(QPushButton) if button.text() == text))


def test_quitting_with_jobs_asks_once(busy: Rig) -> None:
    box = ask(busy)
    assert box.text() == "4 jobs are not finished."
    assert "offered again at the next start" in box.informativeText()
    press(box, "Keep working")
    assert busy.window.isVisible()
    assert len(busy.session.queue) == 4
    box = ask(busy)
    press(box, "Quit")
    busy.until(lambda: not busy.window.isVisible())
    queue = StoredQueue(user_data_dir() / FILE_NAME)
    assert [job.state.value for job in queue.jobs()] == ["running", "waiting", "waiting", "waiting"]
    assert not queue.recover().crashed
    queue.close()


def test_quitting_without_jobs_does_not_ask(rig: Rig) -> None:
    assert rig.window.close()


# -- telling the desktop --


class FakeDesktop:
    def __init__(self, there: bool = True) -> None:
        self.there = there
        self.told: list[tuple[str, str]] = []

    def show(self, title: str, text: str) -> bool:
        self.told.append((title, text))
        return self.there


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person looks at another program, and every job counts as long."""
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationInactive)
    monkeypatch.setattr(job_notifier, "LONG_SECONDS", 0.0)


def test_the_end_of_a_long_job_is_told(rig: Rig, away: None) -> None:
    none, desktop, never = FakeDesktop(there=False), FakeDesktop(), FakeDesktop()
    notifier = JobNotifier(rig.session, rig.window, none, desktop, never)
    rig.draw()
    assert desktop.told == none.told == [("The pictures are drawn", "Fifth Avenue ＆ E 23rd St")]
    rig.engine.play_next(Script(fail_at=1))
    rig.draw(place=None, prompt=HOSTILE)
    assert desktop.told[-1][0] == "There is not enough memory to draw this picture."
    assert not set("<>&") & set("".join(desktop.told[-1]))
    rig.session.queue.put_outside(OutsideJob("t", JobKind.TRAIN, "My street", lambda: None))
    rig.session.queue.remove_outside("t")
    assert desktop.told[-1] == ("Training has ended", "My street")
    assert never.told == []
    notifier.deleteLater()


def test_short_and_cancelled_jobs_are_not_told(rig: Rig, away: None, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = FakeDesktop()
    JobNotifier(rig.session, rig.window, desktop)
    rig.engine.gate.clear()
    rig.session.form.prompt = "a church"
    rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.session.cancel_all()
    rig.idle()
    rig.engine.gate.set()
    monkeypatch.setattr(job_notifier, "LONG_SECONDS", 3600.0)
    rig.draw()
    assert desktop.told == []


def test_nobody_is_told_who_looks_at_the_window(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_notifier, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationActive)
    desktop = FakeDesktop()
    JobNotifier(rig.session, rig.window, desktop)
    rig.draw()
    assert desktop.told == []


def test_without_a_desktop_nothing_happens(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    started = time.monotonic()
    assert not Portal().show("title", "text")
    assert not Tray(rig.window).show("title", "text")
    assert time.monotonic() - started < 60


def test_texts_for_the_desktop_are_short_and_no_markup() -> None:
    text = inert("<b>&\x00\n" + "x" * 1_000_000)
    assert text.startswith("‹b›＆")
    assert len(text) == 120
    assert text.isprintable()


def test_the_card_is_small_at_first(rig: Rig) -> None:
    card = rig.window.queue_card
    assert isinstance(card, QueuePopover)
    card.open_beside(rig.window.rail.queue)
    assert card.empty.isVisible()
    assert not card.hold.isVisible()
    assert not card.all.isVisible()
