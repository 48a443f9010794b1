"""A report's page in the window: no script, no network, no file but the page itself."""

from __future__ import annotations

import logging
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, Qt, QUrl
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
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QWidget

from gpsdream_app.ui.map.scheme import SCHEME
from gpsdream_app.ui.reports import dress
from gpsdream_app.ui.theme import Theme

log = logging.getLogger(__name__)

ZOOM = 0.875  # the page is made for a browser, whose letters are larger than the window's
PAGE_URL = f"{SCHEME}://report/page"
# The page says the same of itself; said here, it holds whatever the file says.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

OFF = (
    QWebEngineSettings.WebAttribute.JavascriptEnabled,
    QWebEngineSettings.WebAttribute.LocalStorageEnabled,
    QWebEngineSettings.WebAttribute.LocalContentCanAccessFileUrls,
    QWebEngineSettings.WebAttribute.LocalContentCanAccessRemoteUrls,
    QWebEngineSettings.WebAttribute.PluginsEnabled,
    QWebEngineSettings.WebAttribute.PdfViewerEnabled,
    QWebEngineSettings.WebAttribute.WebGLEnabled,
    QWebEngineSettings.WebAttribute.ErrorPageEnabled,
    QWebEngineSettings.WebAttribute.AutoLoadIconsForPage,
    QWebEngineSettings.WebAttribute.DnsPrefetchEnabled,
    QWebEngineSettings.WebAttribute.HyperlinkAuditingEnabled,
    QWebEngineSettings.WebAttribute.NavigateOnDropEnabled,
    QWebEngineSettings.WebAttribute.FocusOnNavigationEnabled,
)


class _Interceptor(QWebEngineUrlRequestInterceptor):
    """Lets the page be read, with what it carries inside, and nothing else."""

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        """Block whatever is not the page."""
        url = info.requestUrl()
        if url.scheme() != "data" and not _is_page(url):
            log.warning("Blocked a request of a report to %s", url.toString()[:200])
            info.block(True)


class _Handler(QWebEngineUrlSchemeHandler):
    """Answers with the page, whatever of it is asked for."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.page = b""

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        """Reply to one request."""
        if not _is_page(job.requestUrl()) or job.requestMethod().data() != b"GET":
            job.fail(QWebEngineUrlRequestJob.Error.RequestDenied)
            return
        # Qt wants a multimap: PySide takes a list of values for every name, which its stubs do not know.
        headers: Any = {QByteArray(name.encode()): [QByteArray(text.encode())] for name, text in HEADERS.items()}
        job.setAdditionalResponseHeaders(headers)
        buffer = QBuffer(job)  # lives as long as the job, which Chromium deletes
        buffer.setData(QByteArray(self.page))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        job.reply(b"text/html; charset=utf-8", buffer)


class _Page(QWebEnginePage):
    """Stays on the report; links open in the system's browser."""

    def __init__(self, profile: QWebEngineProfile, parent: QObject) -> None:
        super().__init__(profile, parent)
        for attribute in OFF:
            self.settings().setAttribute(attribute, False)
        self.newWindowRequested.connect(self._new_window)
        self.permissionRequested.connect(self._deny)

    def acceptNavigationRequest(
        self, url: QUrl | str, kind: QWebEnginePage.NavigationType, is_main_frame: bool
    ) -> bool:
        """Go to places on the page, and nowhere else."""
        target = QUrl(url)
        if is_main_frame and _is_page(target):
            return True
        if kind == QWebEnginePage.NavigationType.NavigationTypeLinkClicked:
            _open_outside(target)
        return False

    def javaScriptConsoleMessage(
        self, level: QWebEnginePage.JavaScriptConsoleMessageLevel, message: str, line: int, source: str
    ) -> None:
        """Write to the log what the browser refused."""
        log.warning("%s (report, line %d)", message[:500], line)

    def _new_window(self, request: QWebEngineNewWindowRequest) -> None:
        _open_outside(request.requestedUrl())

    def _deny(self, permission: QWebEnginePermission) -> None:
        permission.deny()


class ReportView(QWebEngineView):
    """Shows the page of one report."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._profile = QWebEngineProfile()  # without a name: off the record
        self._interceptor = _Interceptor(self._profile)
        self._handler = _Handler(self._profile)
        self._content = b""
        self._profile.installUrlSchemeHandler(SCHEME.encode(), self._handler)
        self._profile.setHttpCacheType(QWebEngineProfile.HttpCacheType.NoCache)
        self._profile.setUrlRequestInterceptor(self._interceptor)
        self._profile.downloadRequested.connect(lambda download: download.cancel())
        # The page goes before its profile: Qt deletes children in the order in which they came.
        self._page = _Page(self._profile, self)
        self._profile.setParent(self)
        self.setPage(self._page)
        self.setZoomFactor(ZOOM)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setAccessibleName(self.tr("The report"))
        self.setAcceptDrops(False)
        theme.changed.connect(self._dress)
        self._dress()

    def show_page(self, content: bytes) -> None:
        """Show a report's page.

        Args:
            content: the page as HTML.
        """
        self._content = content
        self._dress()

    def copy_selection(self) -> None:
        """Put what is marked on the clipboard."""
        self.triggerPageAction(QWebEnginePage.WebAction.Copy)

    def _dress(self) -> None:
        # What is seen until the page is there.
        self._page.setBackgroundColor(self._theme.colour("surface"))
        if self._content:
            self._handler.page = dress(self._content, self._theme.palette)
            self.load(QUrl(PAGE_URL))


def _is_page(url: QUrl) -> bool:
    return f"{url.scheme()}://{url.host()}{url.path()}" == PAGE_URL


def _open_outside(url: QUrl) -> None:
    if url.scheme() in ("https", "http"):
        QDesktopServices.openUrl(url)
