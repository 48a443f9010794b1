"""Tells the desktop that a long job has ended, while the person looks at something else."""

from __future__ import annotations

import logging
import sys
import time
from typing import Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from gpsdream_app.domain.events import Event, Failed, Finished
from gpsdream_app.ui.icons import application_icon
from gpsdream_app.ui.job_queue import JobKind, OutsideJob, QueuedJob
from gpsdream_app.ui.phrases import one_line, place_text
from gpsdream_app.ui.session import Session

log = logging.getLogger(__name__)

LONG_SECONDS = 20.0  # jobs that took less are not worth to be called back for
MAX_CHARACTERS = 120
SHOWN_MILLISECONDS = 10_000
SERVICE = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.Notification"
# Some desktops read the text as markup, others do not. What looks the same and is no markup suits both.
INERT = str.maketrans({"<": "‹", ">": "›", "&": "＆"})


class Desktop(Protocol):
    """Shows a notification in its own way."""

    def show(self, title: str, text: str) -> bool:
        """Show it without waiting. Returns whether there is somebody to show it."""


class JobNotifier(QObject):
    """Listens to the ends of jobs. Cancelled ones, and short ones, are not told."""

    def __init__(self, session: Session, window: QWidget, *desktops: Desktop) -> None:
        """Make it.

        Args:
            session: has the jobs.
            window: is brought to the front when a notification is clicked.
            desktops: ways to notify, the first that works is taken; those of this system if none is given.
        """
        super().__init__(window)
        self._settings = session.settings
        self._desktops: tuple[Desktop, ...] = desktops or (Portal(), Tray(window))
        session.keeper.ended.connect(self._job_ended)
        session.queue.outside_ended.connect(self._outside_ended)

    def _job_ended(self, job: QueuedJob, event: Event) -> None:
        if job.begun is None or time.monotonic() - job.begun < LONG_SECONDS:
            return
        if isinstance(event, Finished):
            self._tell(self._what(job.kind), _title(job))
        elif isinstance(event, Failed):
            self._tell(event.failure.message, _title(job))

    def _outside_ended(self, job: OutsideJob) -> None:
        if not job.stopping and time.monotonic() - job.begun >= LONG_SECONDS:
            self._tell(self._what(job.kind), job.title)

    def _what(self, kind: JobKind) -> str:
        return {
            JobKind.DRAW: self.tr("The pictures are drawn"),
            JobKind.AVERAGE: self.tr("The averages are drawn"),
            JobKind.WALK: self.tr("The walk is drawn"),
            JobKind.LIFT: self.tr("The landmark is lifted"),
            JobKind.COMPARE: self.tr("The pictures are compared"),
            JobKind.TRAIN: self.tr("Training has ended"),
            JobKind.EVALUATE: self.tr("Measuring has ended"),
        }[kind]

    def _tell(self, title: str, text: str) -> None:
        active = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        if active or not self._settings.tell_when_done:
            return
        title, text = inert(title), inert(text)
        for desktop in self._desktops:
            if desktop.show(title, text):
                return


class Portal:
    """Notifications of Linux desktops, over D-Bus; the portal is there inside a sandbox as well."""

    def show(self, title: str, text: str) -> bool:
        """Show a notification without waiting. Returns whether the desktop has such a service."""
        if sys.platform != "linux":
            return False
        # Imported late: most runs of the program never notify anybody.
        from PySide6.QtDBus import QDBusConnection, QDBusMessage

        bus = QDBusConnection.sessionBus()
        interface = bus.interface() if bus.isConnected() else None
        if interface is None or not interface.isServiceRegistered(SERVICE).value():
            return False
        message = QDBusMessage.createMethodCall(SERVICE, PATH, INTERFACE, "AddNotification")
        message.setArguments(["job", {"title": title, "body": text, "priority": "normal"}])
        bus.asyncCall(message)
        return True


class Tray:
    """Balloons of an icon in the tray, which is there only while it has something to say."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._icon: QSystemTrayIcon | None = None

    def show(self, title: str, text: str) -> bool:
        """Show a balloon. Returns whether there is a tray that shows any."""
        if not (QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()):
            return False
        if self._icon is None:
            self._icon = QSystemTrayIcon(application_icon(), self._window)
            self._icon.setToolTip("GPSDream")
            self._icon.messageClicked.connect(self._come)
            self._icon.activated.connect(self._come)
        self._icon.show()
        self._icon.showMessage(title, text, application_icon(), SHOWN_MILLISECONDS)
        return True

    def _come(self) -> None:
        if self._icon:
            self._icon.hide()
        self._window.setWindowState(self._window.windowState() & ~Qt.WindowState.WindowMinimized)
        self._window.raise_()
        self._window.activateWindow()


def inert(text: str) -> str:
    """Return a text that no desktop takes for markup, on one line, and not too long."""
    text = one_line("".join(letter if letter.isprintable() else " " for letter in text[: 4 * MAX_CHARACTERS]))
    if len(text) > MAX_CHARACTERS:
        text = text[: MAX_CHARACTERS - 1] + "…"
    return text.translate(INERT)


def _title(job: QueuedJob) -> str:
    request = job.single
    if job.title or request is None:
        return job.title
    return place_text(request.place) if request.place else request.prompt
