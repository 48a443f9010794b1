"""One window per person and data folder: a second start shows the first one's window and hands its files over."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

LOCK_FILE = "window.lock"
MAX_MESSAGE = 256 << 10
MAX_FILES = 64
WAIT_MILLISECONDS = 5000  # for the other window to take the message
ANSWER = b"shown\n"

log = logging.getLogger(__name__)


class _Guest(QObject):
    """Another start that has something to say: one line."""

    asked = Signal(list)
    left = Signal()

    def __init__(self, socket: QLocalSocket, parent: QObject) -> None:
        super().__init__(parent)
        self._socket, self._text = socket, b""
        self.is_here = True
        socket.setParent(self)
        socket.readyRead.connect(self.listen)
        socket.disconnected.connect(self.leave)

    def listen(self) -> None:
        """Read what has come; answer and pass it on when the line is whole."""
        if not self.is_here:
            return
        self._text += bytes(self._socket.read(MAX_MESSAGE + 1).data())
        line, end, _ = self._text.partition(b"\n")
        if end:
            self._text = b""
            self._socket.write(ANSWER)
            self._socket.flush()
            self.asked.emit(files_in(line))
        elif len(self._text) > MAX_MESSAGE:
            self.leave()

    def leave(self) -> None:
        """Listen no longer."""
        if self.is_here:
            self.is_here = False
            self.left.emit()


class SingleInstance(QObject):
    """The right to have the window, and the ear for later starts.

    Signals:
        called: another start asks for the window; the files (list of Path) that it wants opened.
    """

    called = Signal(list)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        """Prepare; nothing is taken before `take`.

        Args:
            folder: the person's data folder, which two windows must not share.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self.name = server_name(folder)
        self._lock = QLockFile(str(folder / LOCK_FILE))
        # A lock is old only when its process is gone, however long the window stays open.
        self._lock.setStaleLockTime(0)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._greet)
        self._guests: list[_Guest] = []

    def take(self) -> bool:
        """Become the one that has the window; needs no application yet. Returns False if another one has it."""
        if self._lock.tryLock(0):
            return True
        # A folder that cannot be written to has no lock; better two windows than none.
        return self._lock.error() != QLockFile.LockError.LockFailedError

    def listen(self) -> None:
        """Hear later starts from now on; for the one that has the window."""
        # What a killed process left there would be in the way; whoever has the lock may take it away.
        QLocalServer.removeServer(self.name)
        if not self._server.listen(self.name):
            log.warning("Later starts cannot reach this window: %s", self._server.errorString())

    def call(self, files: Sequence[Path] = (), wait_milliseconds: int = WAIT_MILLISECONDS) -> bool:
        """Ask the one that has the window to show it and open files. Returns whether it has done so."""
        socket = QLocalSocket()
        socket.connectToServer(self.name)
        if not socket.waitForConnected(wait_milliseconds):
            return False
        names = [str(path.absolute()) for path in files[:MAX_FILES]]
        socket.write(json.dumps({"files": names}).encode("utf-8", "replace") + b"\n")
        answered = socket.waitForReadyRead(wait_milliseconds) and socket.readLine().data() == ANSWER
        socket.disconnectFromServer()
        return answered

    def close(self) -> None:
        """Let the next start have the window."""
        for guest in self._guests:
            guest.leave()
        self._server.close()
        self._lock.unlock()

    def _greet(self) -> None:
        while self._server.hasPendingConnections():
            guest = _Guest(self._server.nextPendingConnection(), self)
            guest.asked.connect(self.called)
            self._guests.append(guest)
            guest.left.connect(self._forget)
            guest.listen()

    def _forget(self) -> None:
        for guest in [guest for guest in self._guests if not guest.is_here]:
            self._guests.remove(guest)
            guest.deleteLater()


def server_name(folder: Path) -> str:
    """Return the name under which the window of a data folder is called; short, for systems with short names."""
    return "gpsdream-" + hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:20]


def files_in(line: bytes) -> list[Path]:
    """Return the files that a message names; what is no message of ours names none."""
    try:
        message = json.loads(line.decode("utf-8")) if len(line) <= MAX_MESSAGE else {}
    except (ValueError, RecursionError):
        return []
    names = message.get("files") if isinstance(message, dict) else None
    if not isinstance(names, list):
        return []
    found = [Path(name) for name in names[:MAX_FILES] if isinstance(name, str) and name and "\0" not in name]
    return [path for path in found if path.is_absolute()]
