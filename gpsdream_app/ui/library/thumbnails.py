"""Small copies of pictures for the grid, read in the background: what came into sight last comes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPixmap

from gpsdream_app.library.thumbnails import thumbnail
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.filmstrip import cover
from gpsdream_app.ui.library.model import Item
from gpsdream_app.ui.tokens import RADIUS_SMALL

MAX_KEPT = 700
MAX_WAITING = 160
AT_ONCE = 3


class Thumbnails(QObject):
    """Keeps the small copies that were seen last, ready to be drawn without scaling."""

    def __init__(self, arrived: Callable[[], None], parent: QObject | None = None) -> None:
        """Make an empty store.

        Args:
            arrived: is called when a copy has come that was asked for.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._arrived = arrived
        self._background = Background(self, threads=2)
        self._kept: OrderedDict[tuple[str, int], QPixmap] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, int], Item] = OrderedDict()
        self._running: set[tuple[str, int]] = set()

    @property
    def pending(self) -> int:
        """How many copies are waited for."""
        return len(self._waiting) + len(self._running)

    def get(self, item: Item, side: int) -> QPixmap | None:
        """Return the small copy of a picture, a null one if it cannot be read; None while it is on its way.

        Args:
            item: the picture.
            side: of the square, in device pixels.
        """
        key = item.id, side
        pixmap = self._kept.get(key)
        if pixmap is not None:
            self._kept.move_to_end(key)
        elif key not in self._running:
            self._waiting[key] = item
            self._waiting.move_to_end(key)
            while len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)  # rolled past long ago
            self._start()
        return pixmap

    def forget(self) -> None:
        """Read everything anew, for pictures that were found again."""
        self._kept.clear()

    def close(self) -> None:
        """End the background work."""
        self._waiting.clear()
        self._background.close()

    def _start(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            key, item = self._waiting.popitem()
            self._running.add(key)
            self._background.run(self, partial(_read, item, key[1]), partial(self._keep, key))

    def _keep(self, key: tuple[str, int], image: QImage) -> None:
        self._running.discard(key)
        self._kept[key] = QPixmap.fromImage(image)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        self._arrived()
        self._start()


def _read(item: Item, side: int) -> QImage:
    return tile(QImage.fromData(thumbnail(item.id, item.picture)), side)


def tile(image: QImage, side: int) -> QImage:
    """Return the middle of a picture as a square with round corners; a null picture stays null.

    Args:
        image: any picture.
        side: of the square, in device pixels.
    """
    if image.isNull():
        return image
    result = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    result.fill(Qt.GlobalColor.transparent)
    with QPainter(result) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(0, 0, side, side), RADIUS_SMALL, RADIUS_SMALL)
        painter.setClipPath(outline)
        rect = QRect(0, 0, side, side)
        painter.drawImage(rect, image, cover(image.size(), QSize(side, side)))
    return result
