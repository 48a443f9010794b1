"""The session alone, without a window: drawing, failing, keeping, restoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import EngineChanged, EngineState
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.library.paths import library_path, models_dir, pictures_dir, user_data_dir
from gpsdream_app.library.picture_metadata import read_png, save_png
from gpsdream_app.library.queue import FILE_NAME, StoredQueue, StoredState
from gpsdream_app.library.store import JobState, Library
from gpsdream_app.ui.session import Session, Tone
from gpsdream_app.ui.settings import Settings

from .rig import CATHEDRAL, FLATIRON, MODEL, PATIENCE, install_card, make_card

MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(qtbot: QtBot) -> Iterator[MakeSession]:
    sessions: list[Session] = []

    def make(engine: FakeEngine | None = None, *, wait: bool = True, **arguments: Any) -> Session:
        session = Session(engine or FakeEngine(), Settings(user_data_dir()), **{"model": MODEL, **arguments})
        sessions.append(session)
        session.start()
        if wait:
            qtbot.waitUntil(lambda: session.pending == 0, timeout=PATIENCE)
        return session

    install_card(make_card())
    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return make_session()


@pytest.fixture
def idle(qtbot: QtBot) -> Callable[[Session], None]:
    def wait(session: Session) -> None:
        qtbot.waitUntil(lambda: not session.queue and session.pending == 0, timeout=PATIENCE)

    return wait


Idle = Callable[[Session], None]


def draw(session: Session, idle: Idle, **values: Any) -> None:
    session.form.set_place(values.pop("place", FLATIRON))
    for name, value in {"prompt": "a church", **values}.items():
        setattr(session.form, name, value)
    assert session.draw()
    idle(session)


def test_the_start_reads_model_city_and_library(session: Session) -> None:
    assert session.card is not None
    assert session.card.title == "Postcards"
    assert session.form.steps == 4
    assert session.city is not None
    assert session.engine_state is EngineState.READY
    assert session.notice is None


def test_a_drawn_picture_is_on_the_disk_in_the_library_and_in_the_strip(session: Session, idle: Idle) -> None:
    draw(session, idle, count=2)
    results = session.film.results
    assert len(results) == 2
    assert all(Path(result.path).is_file() for result in results)
    assert session.shown is not None
    assert session.shown.result == max(results, key=lambda result: result.request.seed)
    session.close()
    library = Library(library_path())
    assert {result.id for result in library.recent(9)} == {result.id for result in results}
    library.close()
    queue = StoredQueue(user_data_dir() / FILE_NAME)
    assert [job.state for job in queue.jobs()] == [StoredState.DONE]
    queue.close()


def test_the_next_session_finds_the_pictures_again(make_session: MakeSession, idle: Idle) -> None:
    first = make_session()
    draw(first, idle)
    draw(first, idle, place=CATHEDRAL)
    ids = [result.id for result in first.film.results]
    first.close()
    second = make_session()
    assert [result.id for result in second.film.results] == ids
    assert second.shown is not None
    assert second.shown.result is not None
    assert second.shown.result.id == ids[0]
    assert second.form.place == CATHEDRAL


def test_previews_come_before_the_picture(session: Session, idle: Idle) -> None:
    sizes: list[int] = []
    session.previewed.connect(lambda image: sizes.append(image.width()))
    draw(session, idle)
    assert sizes == [128] * 4


def test_stopping_keeps_finished_pictures(make_session: MakeSession, idle: Idle, qtbot: QtBot) -> None:
    engine = FakeEngine(Script(step_seconds=0.02))
    session = make_session(engine)
    session.form.set_place(FLATIRON)
    session.form.count, session.form.steps = 3, 4
    session.draw()
    qtbot.waitUntil(lambda: len(session.film.results) == 1, timeout=PATIENCE)
    session.stop()
    idle(session)
    assert 1 <= len(session.film.results) < 3
    assert session.notice is None
    assert session.shown is not None


def test_only_the_named_job_is_ended(make_session: MakeSession, idle: Idle, qtbot: QtBot) -> None:
    engine = FakeEngine()
    session = make_session(engine)
    engine.gate.clear()
    session.form.prompt = "a church"
    jobs = [session.draw() for _ in range(3)]
    qtbot.waitUntil(lambda: session.queue.current is not None, timeout=PATIENCE)
    session.cancel(jobs[1])
    qtbot.waitUntil(lambda: session.queue.get(jobs[1]) is None, timeout=PATIENCE)
    assert [job.job_id for job in session.queue.jobs] == [jobs[0], jobs[2]]
    engine.gate.set()
    idle(session)
    assert {result.job_id for result in session.film.results} == {jobs[0], jobs[2]}


def test_a_failure_is_a_sentence_and_its_button_draws_again(make_session: MakeSession, idle: Idle) -> None:
    engine = FakeEngine()
    session = make_session(engine)
    failure = Failure(ErrorKind.DISK_FULL, "The disk is full.", "Make room.")
    engine.play_next(Script(fail_at=2, failure=failure))
    draw(session, idle)
    notice = session.notice
    assert notice is not None
    assert (notice.tone, notice.text, notice.hint) == (Tone.ERROR, "The disk is full.", "Make room.")
    assert session.film.results == []
    assert notice.call is not None
    notice.call()
    idle(session)
    assert len(session.film.results) == 1
    assert session.notice is None


def test_a_dead_engine_is_a_sentence_and_the_next_drawing_works(make_session: MakeSession, idle: Idle) -> None:
    engine = FakeEngine()
    session = make_session(engine)
    texts: list[str] = []
    session.engine_text_changed.connect(lambda: texts.append(session.engine_text))
    engine.play_next(Script(die_at=2))
    draw(session, idle)
    assert session.notice is not None
    assert "stopped in the middle" in session.notice.text
    assert "Starting the engine again" in texts
    draw(session, idle)
    assert len(session.film.results) == 1


def test_a_click_on_a_picture_restores_its_request(session: Session, idle: Idle) -> None:
    draw(session, idle, prompt="a church", count=2)
    first = min(session.film.results, key=lambda result: result.request.seed)
    draw(session, idle, place=CATHEDRAL, prompt="a hotel", count=1)
    session.show_result(first.id)
    idle(session)
    assert session.form.request() == first.request
    assert session.shown is not None
    assert session.shown.result == first
    assert session.film.current == first.id


def test_another_picture_is_looked_at_while_one_is_drawn(make_session: MakeSession, idle: Idle, qtbot: QtBot) -> None:
    engine = FakeEngine()
    session = make_session(engine)
    draw(session, idle)
    old = session.film.results[0]
    engine.gate.clear()
    session.draw()
    qtbot.waitUntil(lambda: session.queue.current is not None, timeout=PATIENCE)
    session.show_result(old.id)
    assert not session.following
    engine.gate.set()
    idle(session)
    assert len(session.film.results) == 2
    assert session.shown is not None
    assert session.shown.result == old


def test_the_distance_to_photos_is_known(session: Session) -> None:
    session.form.set_place(FLATIRON)
    assert session.photo_distance() == 0
    assert not session.outside_box()
    session.form.set_place(CATHEDRAL)
    distance = session.photo_distance()
    assert distance is not None
    assert 1500 < distance < 3000
    session.pick(48.85, 2.35)
    assert session.outside_box()


def test_a_picked_place_gets_its_name(session: Session, qtbot: QtBot) -> None:
    session.pick(40.74105, -73.98965)
    qtbot.waitUntil(lambda: session.form.place is not None and session.form.place.name != "", timeout=PATIENCE)


def test_a_place_that_is_none_is_a_sentence(session: Session) -> None:
    session.form.set_place(FLATIRON)
    session.pick(91.0, 0.0)
    assert session.notice is not None
    assert "Latitude 91" in session.notice.text
    assert session.form.place == FLATIRON


def test_an_example_is_drawn(session: Session, idle: Idle) -> None:
    session.draw_example(1)
    idle(session)
    assert session.film.results[0].request.prompt == "a gothic church"
    assert session.film.results[0].request.place == CATHEDRAL
    session.draw_example(7)
    assert not session.queue


def test_an_example_leaves_the_persons_own_words(session: Session, idle: Idle) -> None:
    session.form.prompt = "a fire engine"
    session.draw_example(0)
    idle(session)
    assert session.film.results[0].request.prompt == "a fire engine"


def test_deleting_can_be_undone(session: Session, idle: Idle) -> None:
    draw(session, idle, count=3)
    results = session.film.results
    session.delete(results[1].id)
    idle(session)
    assert not Path(results[1].path).exists()
    assert [result.id for result in session.film.results] == [results[0].id, results[2].id]
    assert session.notice is not None
    assert session.notice.action == "Undo"
    session.undo_delete()
    idle(session)
    assert [result.id for result in session.film.results] == [result.id for result in results]
    assert Path(results[1].path).is_file()
    session.undo_delete()
    idle(session)
    assert len(session.film.results) == 3


def test_a_saved_picture_opens_again(session: Session, idle: Idle, tmp_path: Path) -> None:
    draw(session, idle, prompt='a "church" & <b>trees</b>', negative_prompt="cars")
    result = session.film.results[0]
    session.save_as(result, tmp_path / "saved")
    idle(session)
    saved = tmp_path / "saved.png"
    assert read_png(saved) == result.request
    session.form.set_place(None)
    session.form.prompt = ""
    session.open_picture(saved)
    idle(session)
    assert session.form.request() == result.request
    assert session.form.seed_locked
    assert session.notice is None
    assert session.shown is not None
    assert session.shown.result is None


def test_a_picture_saved_without_its_place_has_none(session: Session, idle: Idle, tmp_path: Path) -> None:
    draw(session, idle)
    session.save_as(session.film.results[0], tmp_path / "shared.png", include_place=False)
    idle(session)
    assert read_png(tmp_path / "shared.png").place is None


def test_saving_where_nothing_can_be_written_is_a_sentence(session: Session, idle: Idle, tmp_path: Path) -> None:
    draw(session, idle)
    (tmp_path / "file").write_text("not a folder")
    session.save_as(session.film.results[0], tmp_path / "file" / "saved.png")
    idle(session)
    assert session.notice is not None
    assert session.notice.tone is Tone.ERROR


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_corrupt_picture_is_a_sentence_and_changes_nothing(
    session: Session, idle: Idle, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    session.form.set_place(FLATIRON)
    session.form.prompt = "a church"
    before = session.form.request()
    session.open_picture(path)
    idle(session)
    assert session.notice is not None
    assert session.notice.tone is Tone.ERROR
    assert "broken.png" in session.notice.text
    assert session.form.request() == before


def test_a_picture_cut_in_the_middle_is_a_sentence(session: Session, idle: Idle, tmp_path: Path) -> None:
    draw(session, idle)
    whole = Path(session.film.results[0].path).read_bytes()
    path = tmp_path / "cut.png"
    path.write_bytes(whole[: len(whole) // 2])
    session.open_picture(path)
    idle(session)
    assert session.notice is not None
    assert "cut.png" in session.notice.text


def test_a_picture_of_another_model_says_so(session: Session, idle: Idle, tmp_path: Path) -> None:
    draw(session, idle)
    result = session.film.results[0]
    foreign = replace(result, request=replace(result.request, model="another"))
    with Image.open(result.path) as image:
        save_png(image, tmp_path / "foreign.png", foreign)
    session.open_picture(tmp_path / "foreign.png")
    idle(session)
    assert session.notice is not None
    assert "“another”" in session.notice.text
    assert session.form.model == MODEL


def test_a_missing_file_is_taken_out_of_the_strip_on_request(session: Session, idle: Idle) -> None:
    draw(session, idle)
    result = session.film.results[0]
    Path(result.path).unlink()
    session.show_result(result.id)
    idle(session)
    assert session.notice is not None
    assert session.notice.call is not None
    session.notice.call()
    idle(session)
    assert session.film.results == []


def test_a_missing_model_is_a_sentence_and_found_when_it_comes(make_session: MakeSession, idle: Idle) -> None:
    session = make_session(model="later")
    notice = session.notice
    assert notice is not None
    assert "“later” is not installed" in notice.text
    assert notice.call is not None
    install_card(make_card(name="later", title="Later"))
    notice.call()
    idle(session)
    assert session.card is not None
    assert session.card.title == "Later"


def test_a_model_that_cannot_be_loaded_is_a_sentence_before_anything_is_drawn(session: Session) -> None:
    session.bridge.engine_changed.emit(EngineChanged(state=EngineState.READY, text="The model's file is cut off."))
    assert session.engine_text == "The model cannot be used"
    assert session.notice is not None
    assert session.notice.text == "The model's file is cut off."
    session.bridge.engine_changed.emit(EngineChanged(state=EngineState.READY))
    assert session.engine_text == "Ready"


def test_a_broken_card_is_a_sentence(make_session: MakeSession) -> None:
    folder = models_dir() / "broken"
    folder.mkdir()
    (folder / "gpsdream.json").write_text("{")
    session = make_session(model="broken")
    assert session.notice is not None
    assert "cannot be read" in session.notice.text


def test_an_unknown_city_is_a_sentence(make_session: MakeSession) -> None:
    session = make_session(city="atlantis")
    assert session.city is None
    assert session.notice is not None
    assert "atlantis" in session.notice.text


def test_a_damaged_library_is_built_again_from_the_pictures(make_session: MakeSession, idle: Idle) -> None:
    first = make_session()
    draw(first, idle)
    first.close()
    for path in library_path().parent.glob("library.sqlite*"):
        path.unlink()
    library_path().write_bytes(b"this is no database" * 100)
    second = make_session()
    assert len(second.film.results) == 1
    assert second.notice is not None
    assert "damaged" in second.notice.text


def test_pictures_that_the_library_does_not_know_are_adopted(make_session: MakeSession, idle: Idle) -> None:
    first = make_session()
    draw(first, idle)
    first.close()
    for path in library_path().parent.glob("library.sqlite*"):
        path.unlink()
    assert list(pictures_dir().rglob("*.png"))
    second = make_session()
    idle(second)
    assert len(second.film.results) == 1


def test_pictures_that_are_found_late_take_nothing_away(
    make_session: MakeSession, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpsdream_app.ui.session.PAGE", 2)
    session = make_session()
    for _ in range(4):
        draw(session, idle)
    newest, *others = session.film.results
    session.film.reset([newest])  # as if the others had no rows when the strip was read
    session._adopted(others)
    assert session.film.results == [newest, others[0]]
    session.read_older()
    idle(session)
    assert session.film.results == [newest, *others]


def test_a_picture_is_shown_even_if_the_library_cannot_take_it(
    session: Session, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise GPSDreamError(ErrorKind.DISK_FULL, "The disk is full.")

    monkeypatch.setattr(Library, "add", refuse)
    draw(session, idle)
    assert len(session.film.results) == 1
    assert session.shown is not None
    assert session.notice is not None
    assert session.notice.text == "The disk is full."


def test_no_picture_of_the_strip_is_the_current_one_while_another_is_drawn(session: Session, idle: Idle) -> None:
    draw(session, idle)
    first = session.film.current
    currents: list[str] = []
    session.previewed.connect(lambda image: currents.append(session.film.current))
    draw(session, idle)
    assert set(currents) == {""}
    assert session.film.current not in ("", first)


def test_what_a_lost_session_left_undrawn_is_offered_again(make_session: MakeSession, idle: Idle) -> None:
    library = Library(library_path())
    library.record_job(GenerateRequest(FLATIRON, "a lost church", steps=2, model=MODEL), "lost", JobState.RUNNING)
    library.close()
    session = make_session()
    assert session.notice is not None
    assert "one job is not finished" in session.notice.text
    assert session.notice.call is not None
    session.notice.call()
    idle(session)
    assert [result.request.prompt for result in session.film.results] == ["a lost church"]


def test_what_was_not_finished_at_the_end_is_offered_at_the_next_start(make_session: MakeSession, qtbot: QtBot) -> None:
    engine = FakeEngine()
    session = make_session(engine)
    engine.gate.clear()
    session.form.prompt = "a church"
    job_id = session.draw()
    qtbot.waitUntil(lambda: session.queue.current is not None, timeout=PATIENCE)
    session.close()
    assert engine.state is EngineState.STOPPED
    again = make_session()
    assert again.notice is not None
    assert again.notice.text == "From last time one job is not finished."
    assert [job.job_id for job in again.queue.interrupted] == [job_id]


def test_drawing_before_everything_is_read_loses_nothing(make_session: MakeSession, idle: Idle) -> None:
    session = make_session(wait=False)
    session.form.prompt = "an early bird"
    session.draw()
    idle(session)
    assert [result.request.prompt for result in session.film.results] == ["an early bird"]
    session.close()
    library = Library(library_path())
    assert len(library.recent(9)) == 1
    library.close()


def test_older_pictures_are_read_when_wanted(
    make_session: MakeSession, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpsdream_app.ui.session.PAGE", 3)
    first = make_session()
    draw(first, idle, count=8)
    first.close()
    second = make_session()
    assert len(second.film.results) == 3
    for wanted in (6, 8, 8):
        second.read_older()
        idle(second)
        assert len(second.film.results) == wanted


def test_coordinates_are_found_even_without_a_city(make_session: MakeSession, qtbot: QtBot) -> None:
    session = make_session(city="atlantis")
    found: list[Any] = []
    session.search("40.7411, -73.9897", lambda text, hits: found.extend(hits))
    qtbot.waitUntil(lambda: session.pending == 0, timeout=PATIENCE)
    assert [(hit.lat, hit.lon) for hit in found] == [(40.7411, -73.9897)]


def test_searching_finds_corners_and_coordinates(session: Session, qtbot: QtBot) -> None:
    found: list[tuple[str, list[Any]]] = []
    for text in ("5th Ave & E 23rd St", "40.7411, -73.9897", "nowhere at all"):
        session.search(text, lambda text, hits: found.append((text, hits)))
        qtbot.waitUntil(lambda: session.pending == 0, timeout=PATIENCE)
    assert [bool(hits) for _, hits in found] == [True, True, False]
