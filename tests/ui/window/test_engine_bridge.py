from __future__ import annotations

import threading

import pytest
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.events import EngineChanged, EngineState, Event, Finished
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.fake import FakeEngine
from gpsdream_app.ui.engine_bridge import EngineBridge

from .rig import FLATIRON, PATIENCE


def test_events_arrive_on_this_thread_in_their_order(qtbot: QtBot) -> None:
    bridge = EngineBridge(FakeEngine())
    events: list[tuple[Event, int]] = []
    bridge.happened.connect(lambda event: events.append((event, threading.get_ident())))
    bridge.engine_changed.connect(lambda event: events.append((event, threading.get_ident())))
    bridge.engine.start()
    bridge.submit(GenerateRequest(FLATIRON, "a church", steps=3, count=2), "job")
    qtbot.waitUntil(lambda: any(isinstance(event, Finished) for event, _ in events), timeout=PATIENCE)
    assert {thread for _, thread in events} == {threading.get_ident()}
    order = [event.seq for event, _ in events]
    assert order == sorted(order)
    assert any(isinstance(event, EngineChanged) and event.state is EngineState.READY for event, _ in events)
    bridge.close()


def test_after_the_end_it_is_silent_and_no_thread_is_left(qtbot: QtBot) -> None:
    before = set(threading.enumerate())
    engine = FakeEngine()
    engine.gate.clear()
    bridge = EngineBridge(engine)
    events: list[Event] = []
    bridge.happened.connect(events.append)
    bridge.submit(GenerateRequest(FLATIRON, "a church"), "job")
    bridge.close()
    heard = len(events)
    qtbot.wait(5)
    assert len(events) == heard
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before
    with pytest.raises(GPSDreamError):
        bridge.submit(GenerateRequest(FLATIRON, "a church"), "another")
