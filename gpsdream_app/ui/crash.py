"""What is left of a crash: a log that rotates, a file for faulthandler, and hooks so that no exception is lost."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

LOG_FILE = "window.log"
CRASH_FILE = "crash.txt"
LOG_BYTES = 1_000_000
LOG_FILES = 3

log = logging.getLogger(__name__)

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class CrashLog:
    """Writes down what would else be lost; `close` puts everything back as it was.

    Attributes:
        previous: what faulthandler wrote when the last session crashed; empty if it ended well.
        on_exception: called, on whatever thread, with an exception that nobody caught.
    """

    def __init__(self, folder: Path) -> None:
        self.on_exception: Callable[[BaseException], None] | None = None
        self._crash_path = folder / CRASH_FILE
        self.previous = _read(self._crash_path)
        self._crash_file: TextIO = self._crash_path.open("w", encoding="utf-8")
        faulthandler.enable(self._crash_file)
        self._handler = logging.handlers.RotatingFileHandler(
            folder / LOG_FILE, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(min(root.level, logging.INFO) if root.level else logging.INFO)
        self._hooks = sys.excepthook, threading.excepthook
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        qInstallMessageHandler(_qt_message)

    def close(self) -> None:
        """End without a crash: the crash file goes away."""
        qInstallMessageHandler(None)
        sys.excepthook, threading.excepthook = self._hooks
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        self._handler.close()
        faulthandler.disable()
        self._crash_file.close()
        self._crash_path.unlink(missing_ok=True)

    def _uncaught(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._hooks[0](kind, error, traceback)
            return
        log.critical("Nobody caught this.", exc_info=(kind, error, traceback))
        if self.on_exception:
            self.on_exception(error)

    def _uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _qt_message(kind: QtMsgType, context: QMessageLogContext, message: str | None) -> None:
    logging.getLogger(f"qt.{context.category or 'default'}").log(_LEVELS.get(kind, logging.INFO), "%s", message)
