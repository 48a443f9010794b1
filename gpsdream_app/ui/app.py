"""The program with a window: `gpsdream gui`. The window stands first; engine, model and library follow behind it."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

from gpsdream_app import __version__
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.library.machine import ScreenKind, screen_kind
from gpsdream_app.library.paths import log_dir, user_data_dir
from gpsdream_app.ui.background import failure_of
from gpsdream_app.ui.crash import CrashLog
from gpsdream_app.ui.graphics import VARIABLE as GRAPHICS_VARIABLE
from gpsdream_app.ui.graphics import GraphicsGuard, GraphicsMode
from gpsdream_app.ui.graphics_start import GraphicsStart
from gpsdream_app.ui.icons import application_icon
from gpsdream_app.ui.map import chromium
from gpsdream_app.ui.map.scheme import register_scheme
from gpsdream_app.ui.opengl import prepare_opengl
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.settings import Settings
from gpsdream_app.ui.single_instance import SingleInstance
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.window import MainWindow

log = logging.getLogger(__name__)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; unknown options end the program with a sentence."""
    parser = argparse.ArgumentParser(prog="gpsdream gui", description="Open the window.")
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="pictures, photos, regions, requests or a model's folder to open; a window that is open opens them",
    )
    parser.add_argument("--city", metavar="ID", help="the city to show, for example manhattan")
    parser.add_argument("--model", metavar="NAME", help="name of an installed model, or a model folder")
    parser.add_argument(
        "--graphics",
        choices=[mode.value for mode in GraphicsMode],
        help="for this start: auto, software (no graphics card), no-3d (no OpenGL), plain (no map either)",
    )
    parser.add_argument("--device", default="auto", help="what the model runs on: auto, cpu, cuda, cuda:1, mps")
    return parser.parse_args(argv)


def make_application(mode: GraphicsMode = GraphicsMode.AUTO) -> QApplication:
    """Return the QApplication with everything set that must be set before it exists."""
    if mode.has_map:
        chromium.configure(chromium.inspect_machine(mode.chromium))
        register_scheme(mode.chromium)
    if mode.has_opengl:
        prepare_opengl()
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    QCoreApplication.setApplicationName("GPSDream")
    QCoreApplication.setApplicationVersion(__version__)
    application = QApplication(sys.argv[:1])
    application.setApplicationDisplayName("GPSDream")
    application.setDesktopFileName("io.github.gpsdream.GPSDream")
    application.setWindowIcon(application_icon())
    return application


class _Uncaught(QObject):
    """Carries an exception from any thread to the window."""

    happened = Signal(object)


class _Interrupts(QObject):
    """Closes the window at Ctrl+C or a polite end from the system, instead of dying with the engine running."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self._reader, False)
        self._old_descriptor = signal.set_wakeup_fd(self._writer)
        self._old = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        self._notifier = QSocketNotifier(self._reader, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._end)

    def restore(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._old_descriptor)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            os.read(self._reader, 64)
        self._window.end()


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed."""
    options = parse(argv)
    if screen_kind() is ScreenKind.NONE and not os.environ.get("QT_QPA_PLATFORM"):
        # Qt would end the process with no more than a line for programmers.
        print("There is no display here to open a window on. “gpsdream generate” draws without one.", file=sys.stderr)  # noqa: T201
        return 1
    files = [path.absolute() for path in options.files]
    try:
        # Before anything that two windows would write over each other: the log, the marks of this start.
        instance = SingleInstance(user_data_dir())
        if not instance.take():
            return _hand_over(instance, files)
        crash_log = CrashLog(log_dir())
        settings = Settings(user_data_dir())
    except (GPSDreamError, OSError) as error:
        failure = failure_of(error)
        print(f"{failure.message} {failure.hint}".strip(), file=sys.stderr)  # noqa: T201
        return 1
    if options.graphics:
        os.environ[GRAPHICS_VARIABLE] = options.graphics
    guard = GraphicsGuard(user_data_dir(), settings.graphics)
    guard.begin()
    try:
        return _open(options, settings, crash_log, guard, instance)
    finally:
        guard.good()  # only what ends the whole process leaves its mark
        instance.close()


def _hand_over(instance: SingleInstance, files: Sequence[Path]) -> int:
    """Let the window that is open already come to the front and open the files; returns the exit code."""
    application = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    if instance.call(files):
        return 0
    text = application.tr("GPSDream is open already, but its window does not answer. Wait a little, or end it.")
    print(text, file=sys.stderr)  # noqa: T201
    return 1


def _open(
    options: argparse.Namespace,
    settings: Settings,
    crash_log: CrashLog,
    guard: GraphicsGuard,
    instance: SingleInstance,
) -> int:
    """Open the window; returns the exit code when it is closed."""
    application = make_application(guard.mode)
    theme = Theme(application)
    theme.choice = settings.theme
    if settings.less_motion is not None:
        theme.less_motion = settings.less_motion
    session = Session(ProcessEngine(device=options.device), settings, model=options.model, city=options.city)
    window = MainWindow(theme, session)
    uncaught = _Uncaught()
    uncaught.happened.connect(lambda error: session.notify_failure(failure_of(error)))
    crash_log.on_exception = uncaught.happened.emit
    interrupts = _Interrupts(window) if sys.platform != "win32" else None
    start = GraphicsStart(guard, window)
    window.show()
    # The first frame goes to the screen before anything else is begun.
    QTimer.singleShot(0, session.start)
    QTimer.singleShot(0, lambda: window.comfort.begin([path.absolute() for path in options.files]))
    instance.called.connect(window.comfort.come)
    instance.listen()
    if guard.failed:
        start.tell_of_failure()
    elif crash_log.previous:
        log.error("The last session crashed:\n%s", crash_log.previous)
        session.notify(
            Notice(Tone.HINT, window.tr("GPSDream ended unexpectedly last time."), details=crash_log.previous)
        )
    try:
        code = application.exec()
    finally:
        session.close()
        if interrupts:
            interrupts.restore()
        crash_log.on_exception = None
        # The map's page must be gone before Qt takes its browser down.
        window.deleteLater()
        QCoreApplication.sendPostedEvents(None, 52)
        crash_log.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
