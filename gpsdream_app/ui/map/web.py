"""The parts of the map that need QtWebEngine: scheme handler, interceptor, page and profile."""

from __future__ import annotations

import logging
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QFile, QIODevice, QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWebEngineCore import (
    QWebEngineNewWindowRequest,
    QWebEnginePage,
    QWebEnginePermission,
    QWebEngineProfile,
    QWebEngineSettings,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
    QWebEngineUrlRequestJob,
    QWebEngineUrlSchemeHandler,
)

from gpsdream_app.ui.map.scheme import HEADERS, ORIGIN, PAGE_URL, SCHEME, Router

logger = logging.getLogger(__name__)
console = logging.getLogger(f"{__package__}.console")

CONSOLE_LEVELS = {
    QWebEnginePage.JavaScriptConsoleMessageLevel.InfoMessageLevel: logging.INFO,
    QWebEnginePage.JavaScriptConsoleMessageLevel.WarningMessageLevel: logging.WARNING,
    QWebEnginePage.JavaScriptConsoleMessageLevel.ErrorMessageLevel: logging.ERROR,
}
SETTINGS = {
    QWebEngineSettings.WebAttribute.LocalStorageEnabled: False,
    QWebEngineSettings.WebAttribute.JavascriptCanOpenWindows: False,
    QWebEngineSettings.WebAttribute.JavascriptCanAccessClipboard: False,
    QWebEngineSettings.WebAttribute.LocalContentCanAccessFileUrls: False,
    QWebEngineSettings.WebAttribute.LocalContentCanAccessRemoteUrls: False,
    QWebEngineSettings.WebAttribute.PluginsEnabled: False,
    QWebEngineSettings.WebAttribute.PdfViewerEnabled: False,
    QWebEngineSettings.WebAttribute.WebGLEnabled: False,
    QWebEngineSettings.WebAttribute.ErrorPageEnabled: False,
    QWebEngineSettings.WebAttribute.AutoLoadIconsForPage: False,
    QWebEngineSettings.WebAttribute.DnsPrefetchEnabled: False,
    QWebEngineSettings.WebAttribute.HyperlinkAuditingEnabled: False,
    QWebEngineSettings.WebAttribute.NavigateOnDropEnabled: False,
    QWebEngineSettings.WebAttribute.BackForwardCacheEnabled: False,
    QWebEngineSettings.WebAttribute.ShowScrollBars: False,
    QWebEngineSettings.WebAttribute.FocusOnNavigationEnabled: False,
}


def qt_file(path: str) -> bytes:
    """Return a file of Qt's own resources, empty if there is none."""
    file = QFile(path)
    if not file.open(QIODevice.OpenModeFlag.ReadOnly):
        logger.error("Qt has no resource %s", path)
        return b""
    try:
        return bytes(file.readAll().data())
    finally:
        file.close()


def open_outside(url: QUrl) -> None:
    """Open a link in the system's browser, if it is one for a browser."""
    if url.scheme() in ("https", "http"):
        QDesktopServices.openUrl(url)
    else:
        logger.warning("The map page asked for %s", url.toString()[:200])


class SchemeHandler(QWebEngineUrlSchemeHandler):
    """Answers the page's own requests from the routing table; GET only, and only for the page itself."""

    def __init__(self, router: Router, parent: QObject) -> None:
        super().__init__(parent)
        self._router = router

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        """Reply to one request."""
        url, initiator = job.requestUrl(), job.initiator()
        if job.requestMethod().data() != b"GET" or (
            initiator.isValid() and f"{initiator.scheme()}://{initiator.host()}" != ORIGIN
        ):
            job.fail(QWebEngineUrlRequestJob.Error.RequestDenied)
            return
        answer = self._router.answer(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
        if answer is None:
            logger.warning("The map page asked for %s, which does not exist.", url.toString()[:200])
            job.fail(QWebEngineUrlRequestJob.Error.UrlNotFound)
            return
        # Qt wants a multimap: PySide takes a list of values for every name, which its stubs do not know.
        headers: Any = {QByteArray(name.encode()): [QByteArray(text.encode())] for name, text in HEADERS.items()}
        job.setAdditionalResponseHeaders(headers)
        buffer = QBuffer(job)  # lives as long as the job, which Chromium deletes
        buffer.setData(answer.body)
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        job.reply(answer.content_type.encode(), buffer)


class Interceptor(QWebEngineUrlRequestInterceptor):
    """Lets the page reach its own scheme and nothing else."""

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        """Block whatever is not ours."""
        if info.requestUrl().scheme() not in (SCHEME, "data"):
            logger.warning("Blocked a request of the map page to %s", info.requestUrl().toString()[:200])
            info.block(True)


class MapPage(QWebEnginePage):
    """The page: stays where it is, has links opened outside, writes its console to the log, is granted nothing."""

    def __init__(self, profile: QWebEngineProfile, parent: QObject) -> None:
        super().__init__(profile, parent)
        self.newWindowRequested.connect(self._open_outside)
        self.permissionRequested.connect(self._deny)
        settings = self.settings()
        for attribute, on in SETTINGS.items():
            settings.setAttribute(attribute, on)

    def acceptNavigationRequest(
        self, url: QUrl | str, kind: QWebEnginePage.NavigationType, is_main_frame: bool
    ) -> bool:
        """Load the map page and go nowhere else: links ask for a new window, and those open outside."""
        target = QUrl(url)
        if is_main_frame and f"{target.scheme()}://{target.host()}{target.path()}" == PAGE_URL:
            return True
        logger.warning("Refused to leave the map page for %s", target.toString()[:200])
        return False

    def javaScriptConsoleMessage(
        self,
        level: QWebEnginePage.JavaScriptConsoleMessageLevel,
        message: str,
        line: int,
        source: str,
    ) -> None:
        """Write a message of the page's console to the log."""
        console.log(CONSOLE_LEVELS.get(level, logging.INFO), "%s (%s:%d)", message, source, line)

    def _open_outside(self, request: QWebEngineNewWindowRequest) -> None:
        open_outside(request.requestedUrl())

    def _deny(self, permission: QWebEnginePermission) -> None:
        permission.deny()


class MapProfile(QWebEngineProfile):
    """A profile that leaves nothing on the disk and serves only our scheme."""

    def __init__(self, router: Router) -> None:
        super().__init__()  # without a name: off the record
        # Qt keeps no reference to these two that Python would know of.
        self._handler = SchemeHandler(router, self)
        self._interceptor = Interceptor(self)
        self.setHttpCacheType(QWebEngineProfile.HttpCacheType.NoCache)
        self.setPersistentCookiesPolicy(QWebEngineProfile.PersistentCookiesPolicy.NoPersistentCookies)
        self.installUrlSchemeHandler(SCHEME.encode(), self._handler)
        self.setUrlRequestInterceptor(self._interceptor)
        self.downloadRequested.connect(lambda download: download.cancel())
