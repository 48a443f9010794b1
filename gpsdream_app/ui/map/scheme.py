"""The scheme `gpsdream:`: its registration, and the table that says which path is answered with what.

Nothing here needs a browser, so that every rule can be tested without one. `web.py` puts the table to work.
"""

from __future__ import annotations

import importlib.util
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.ui.map import chromium

logger = logging.getLogger(__name__)

SCHEME = "gpsdream"
HOST = "map"
ORIGIN = f"{SCHEME}://{HOST}"
PAGE_URL = f"{ORIGIN}/map.html"

# 'self' is gpsdream://map alone. Nothing else may be loaded, framed, posted to or connected with, and the browser
# itself refuses text that is assigned as HTML (guard.js names the one exception).
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types default"
)
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
)

PAGE_FILES = MappingProxyType(
    {
        "map.html": "text/html; charset=utf-8",
        "map.css": "text/css; charset=utf-8",
        "guard.js": "text/javascript; charset=utf-8",
        "geometry.js": "text/javascript; charset=utf-8",
        "glow.js": "text/javascript; charset=utf-8",
        "names.js": "text/javascript; charset=utf-8",
        "cartography.js": "text/javascript; charset=utf-8",
        "marks.js": "text/javascript; charset=utf-8",
        "regions.js": "text/javascript; charset=utf-8",
        "drawing.js": "text/javascript; charset=utf-8",
        "walk.js": "text/javascript; charset=utf-8",
        "landmarks.js": "text/javascript; charset=utf-8",
        "map.js": "text/javascript; charset=utf-8",
    }
)
LEAFLET_FILES = MappingProxyType(
    {
        "leaflet.js": "text/javascript; charset=utf-8",
        "leaflet.css": "text/css; charset=utf-8",
    }
)
QT_FILES = MappingProxyType({"qwebchannel.js": "text/javascript; charset=utf-8"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets: a content type and bytes."""

    content_type: str
    body: bytes


Route = Callable[[str], Answer | None]


class Router:
    """Answers paths of gpsdream://map from a table of prefixes; whatever no route knows does not exist."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def add(self, prefix: str, route: Route) -> None:
        """Let `route` answer paths under `/prefix/` (or in the root, if the prefix is empty).

        The route gets the rest of the path, percent-decoded, and returns None for what it does not have.
        """
        self._routes[prefix] = route

    def answer(self, url: str) -> Answer | None:
        """Return the answer for a URL, or None if it is not ours or there is no such thing."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != SCHEME or parts.netloc != HOST:
            return None
        path = urllib.parse.unquote(parts.path).removeprefix("/")
        prefix, slash, rest = path.partition("/")
        route = self._routes.get(prefix if slash else "")
        return route(rest if slash else path) if route else None


def files_route(folder: Path, files: Mapping[str, str]) -> Route:
    """Return a route that serves the named files of a folder and nothing else: a name is looked up, never joined.

    Args:
        folder: where the files lie.
        files: content type by file name.
    """

    def route(name: str) -> Answer | None:
        content_type = files.get(name)
        if content_type is None:
            return None
        try:
            return Answer(content_type, (folder / name).read_bytes())
        except OSError as error:
            logger.error("A file of the map page cannot be read: %s", error)
            return None

    return route


class DocumentKind(StrEnum):
    """What a document is: its content type."""

    JSON = "application/json"
    JPEG = "image/jpeg"


class Documents:
    """Documents that the program hands to the page as resources instead of through the channel."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._documents: dict[str, Answer] = {}
        self._count = 0

    def publish(self, stem: str, body: bytes, *, kind: DocumentKind = DocumentKind.JSON) -> str:
        """Put a document in the place of the one with the same stem; return its URL, new each time."""
        self._count += 1
        self.withdraw(stem)
        name = f"{stem}-{self._count}.{kind.name.lower()}"
        self._documents[name] = Answer(kind.value, body)
        return f"{ORIGIN}/{self._prefix}/{name}"

    def withdraw(self, stem: str) -> None:
        """Take the document with a stem away, if there is one."""
        for name in [name for name in self._documents if name.rpartition("-")[0] == stem]:
            del self._documents[name]

    def route(self, name: str) -> Answer | None:
        """Answer for a name that was published."""
        return self._documents.get(name)


def leaflet_dir() -> Path:
    """Return the folder of Leaflet's own files in the installed XStatic-Leaflet package.

    Raises:
        FileNotFoundError: if the package is not installed.
    """
    found = importlib.util.find_spec("xstatic.pkg.leaflet")
    for place in (found.submodule_search_locations or ()) if found else ():
        folder = Path(place) / "data"
        if (folder / "leaflet.js").is_file():
            return folder
    raise FileNotFoundError("The package XStatic-Leaflet is not installed.")


def page_router(documents: Documents, qt_file: Callable[[str], bytes]) -> Router:
    """Return the routing table of the map page.

    Args:
        documents: what the program publishes under /data/.
        qt_file: reads a file out of Qt's own resources (`:/qtwebchannel/...`).

    Raises:
        FileNotFoundError: if Leaflet is not installed.
    """
    router = Router()
    router.add("", files_route(resources_dir() / "web", PAGE_FILES))
    router.add("leaflet", files_route(leaflet_dir(), LEAFLET_FILES))
    router.add("data", documents.route)

    def qt_route(name: str) -> Answer | None:
        content_type = QT_FILES.get(name)
        return Answer(content_type, qt_file(f":/qtwebchannel/{name}")) if content_type else None

    router.add("qt", qt_route)
    return router


def register_scheme(graphics: str = "auto") -> bool:
    """Configure Chromium and register the scheme. Must be called before the QApplication exists; twice does no harm.

    Args:
        graphics: `auto`, or `software` to keep the map off the GPU.

    Returns:
        Whether WebEngine is there. Without it the map is a panel with a sentence and the rest works.
    """
    chromium.configure(chromium.inspect_machine(chromium.Graphics(graphics)))
    try:
        from PySide6.QtWebEngineCore import QWebEngineUrlScheme
        from PySide6.QtWebEngineWidgets import QWebEngineView  # noqa: F401  Qt wants it before the QApplication.
    except ImportError as error:
        logger.warning("QtWebEngine is not usable: %s", error)
        return False
    name = SCHEME.encode()
    if QWebEngineUrlScheme.schemeByName(name).name() == name:
        return True
    scheme = QWebEngineUrlScheme(name)
    scheme.setSyntax(QWebEngineUrlScheme.Syntax.Host)
    # Secure: the page may use what https pages may. CORS and Fetch: it may read its own data files.
    # Not Local: a local scheme would open the way to files.
    scheme.setFlags(
        QWebEngineUrlScheme.Flag.SecureScheme
        | QWebEngineUrlScheme.Flag.CorsEnabled
        | QWebEngineUrlScheme.Flag.FetchApiAllowed
    )
    QWebEngineUrlScheme.registerScheme(scheme)
    return True
