"""A window at the scale that QT_SCALE_FACTOR asks for; prints as JSON what does not fit. Run by test_scale.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from gpsdream_app.ui.theme import Theme, ThemeChoice
from gpsdream_app.ui.widgets import ElidedLabel
from tests.ui.window.rig import FLATIRON, Rig, install_card, make_card


class Waiter:
    """Waits as pytest-qt would."""

    def waitUntil(self, condition: object, timeout: int) -> None:
        loop = QEventLoop()
        timer = QTimer()
        timer.setInterval(10)
        timer.timeout.connect(lambda: condition() and loop.quit())  # type: ignore[operator]
        timer.start()
        QTimer.singleShot(timeout, lambda: loop.exit(1))
        if loop.exec():
            raise TimeoutError


def main() -> None:
    application = QApplication(sys.argv)
    install_card(make_card())
    rig = Rig(Waiter(), Theme(application, ThemeChoice.DARK))  # type: ignore[arg-type]
    rig.theme.less_motion = True
    rig.open()
    rig.draw(FLATIRON)
    window = rig.window
    picture = window.grab()
    cut = [
        widget.accessibleName() or widget.text()
        for widget in window.findChildren(QWidget)
        if isinstance(widget, QLabel | QAbstractButton)
        and not isinstance(widget, ElidedLabel)
        and widget.isVisible()
        and widget.text()
        and widget.width() < widget.minimumSizeHint().width()
    ]
    facts = {
        "ratio": window.devicePixelRatioF(),
        "picture": [picture.width(), picture.height()],
        "window": [window.width(), window.height()],
        "cut": cut,
        "icon": window.picture.save.icon().pixmap(window.picture.save.iconSize(), 2.0).width(),
    }
    picture.save(sys.argv[1])
    rig.close()
    Path(sys.argv[2]).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
