"""Maps on the screen, with somebody in front of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from gpsdream_app.ui.map.view import MapView

from .driver import PATIENCE, Driver, make_city

MakeDriver = Callable[..., Driver]


@pytest.fixture
def make_driver(qtbot: QtBot) -> MakeDriver:
    """Build maps; `city` None leaves it to the test, `prepare` is called before the page stands."""

    def make(
        city: dict[str, Any] | None = None,
        *,
        prepare: Callable[[MapView], None] | None = None,
        theme: str = "light",
    ) -> Driver:
        view = MapView(theme=theme)
        qtbot.addWidget(view)
        view.set_reduced_motion(True)
        view.resize(800, 600)
        view.set_city(make_city() if city is None else city)
        if prepare:
            prepare(view)
        driver = Driver(qtbot, view)
        with qtbot.waitSignal(view.ready, timeout=PATIENCE):
            view.show()
        qtbot.waitUntil(lambda: driver.at is not None, timeout=PATIENCE)
        return driver

    return make


@pytest.fixture
def driver(make_driver: MakeDriver) -> Driver:
    """A map of the small city, on the screen and ready."""
    return make_driver()
