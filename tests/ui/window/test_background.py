from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.ui.background import Background, failure_of


@pytest.fixture
def background(qtbot: QtBot) -> Background:
    return Background()


def test_work_runs_elsewhere_and_comes_back_here(qtbot: QtBot, background: Background) -> None:
    here, seen = threading.get_ident(), []
    background.run(background, threading.get_ident, lambda there: seen.append((there, threading.get_ident())))
    qtbot.waitUntil(lambda: background.pending == 0)
    assert seen[0][0] != here
    assert seen[0][1] == here
    assert background.close()


def test_a_failure_comes_back_as_a_sentence(qtbot: QtBot, background: Background) -> None:
    def fail() -> None:
        raise GPSDreamError(ErrorKind.DISK_FULL, "The disk is full.", "Make room.")

    seen: list[Failure] = []
    background.run(background, fail, lambda _: seen.clear(), seen.append)
    qtbot.waitUntil(lambda: background.pending == 0)
    assert seen == [Failure(ErrorKind.DISK_FULL, "The disk is full.", "Make room.")]
    background.close()


def test_nothing_is_called_for_an_owner_that_is_gone(qtbot: QtBot, background: Background) -> None:
    owner, gate, seen = QObject(), threading.Event(), []
    background.run(owner, gate.wait, seen.append)
    owner.deleteLater()
    qtbot.wait(1)
    gate.set()
    qtbot.waitUntil(lambda: background.pending == 0)
    assert seen == []
    background.close()


def test_nothing_is_called_after_the_end(qtbot: QtBot, background: Background) -> None:
    gate, seen = threading.Event(), []
    for _ in range(5):
        background.run(background, gate.wait, seen.append)
    threading.Timer(0.05, gate.set).start()
    assert background.close()
    background.run(background, gate.wait, seen.append)
    qtbot.wait(1)
    assert seen == []


def test_any_exception_is_a_sentence() -> None:
    assert failure_of(OSError(28, "No space left on device", "/x/a.png")).kind is ErrorKind.DISK_FULL
    assert failure_of(FileNotFoundError(2, "No such file or directory", "/x/a.png")).message == (
        "No such file or directory (/x/a.png)."
    )
    failure = failure_of(ZeroDivisionError("division by zero"))
    assert failure.kind is ErrorKind.INTERNAL
    assert "ZeroDivisionError" in failure.details
