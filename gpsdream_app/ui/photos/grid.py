"""The grid of photos: the grid of the library, with small copies of photos that stand upright, and their flags."""

from __future__ import annotations

import contextlib
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageOps
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.thumbnails import QUALITY, SIDE, thumbnail_path
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.library.grid import LibraryGrid
from gpsdream_app.ui.library.model import LibraryModel
from gpsdream_app.ui.library.thumbnails import AT_ONCE, Thumbnails, tile
from gpsdream_app.ui.photos.model import PhotoItem, PhotosModel
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2

MARK = 16
LARGEST = 1600  # pixels of the longer side of a photo that is shown large


def read_upright(path: Path, side: int) -> Image.Image:
    """Return a photo upright, RGB, its longer side at most `side` pixels. Raises what Pillow raises, ValueError too."""
    # Imported late: it registers the readers of HEIC, for which the start should not wait.
    from gpsdream_app.photos.reader import open_picture

    with open_picture(path) as image:
        image.draft("RGB", (side, side))
        small = ImageOps.exif_transpose(image)
        small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return small.convert("RGB")


def small_copy(item_id: str, path: Path) -> bytes:
    """Return the small copy of a photo as JPEG, from the disk or made now; empty if the photo cannot be read."""
    kept = thumbnail_path(item_id)
    with contextlib.suppress(OSError):
        data = kept.read_bytes()
        if data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9":
            return data
    try:
        small = read_upright(path, SIDE)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return b""
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    # Without a place on the disk it is made again another time.
    with contextlib.suppress(OSError), whole_file(kept) as temporary:
        temporary.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def read_large(path: Path, side: int = LARGEST) -> QImage:
    """Return a photo upright, its longer side at most `side` pixels; a null picture if it cannot be read."""
    try:
        image = read_upright(path, side)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return QImage()
    stride = 3 * image.width
    return QImage(image.tobytes(), image.width, image.height, stride, QImage.Format.Format_RGB888).copy()


def _read(item: PhotoItem, side: int) -> QImage:
    return tile(QImage.fromData(small_copy(item.id, item.picture)), side)


class PhotoThumbnails(Thumbnails):
    """Small copies of photos."""

    def _start(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            key, item = self._waiting.popitem()
            self._running.add(key)
            self._background.run(self, partial(_read, cast(Any, item), key[1]), partial(self._keep, key))


class PhotoGrid(LibraryGrid):
    """Photos in rows; a flag stands on what is suspicious, and what is left out of training is pale."""

    def __init__(self, theme: Theme, model: PhotosModel, parent: QWidget | None = None) -> None:
        super().__init__(theme, cast(LibraryModel, model), parent)
        self.thumbnails.close()
        self.thumbnails = PhotoThumbnails(self.viewport().update, self)
        self.setAccessibleName(self.tr("Photos"))

    def redraw(self) -> None:
        """Draw the tiles anew, for flags that came or went."""
        self._redraw()

    def _paint_picture(self, painter: QPainter, rect: QRect, item: Any, pixmap: QPixmap | None) -> None:
        painter.setOpacity(0.35 if item.left_out else 1.0)
        super()._paint_picture(painter, rect, item, pixmap)
        painter.setOpacity(1.0)
        corner = QPoint(rect.right() - MARK - SPACE_2 - SPACE_1, rect.top() + SPACE_1)
        if item.flag:
            self._paint_mark(painter, corner, "flag", "danger")
            corner -= QPoint(MARK + 12, 0)
        if item.left_out:
            self._paint_mark(painter, corner, "minus", "text")

    def _paint_mark(self, painter: QPainter, corner: QPoint, name: str, colour: str) -> None:
        shade = self._theme.colour("surface")
        shade.setAlphaF(0.9)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawEllipse(QRect(corner, QSize(MARK + 8, MARK + 8)))
        mark = icon_pixmap(name, getattr(self._theme.palette, colour), MARK, self.devicePixelRatioF())
        painter.drawPixmap(corner + QPoint(4, 4), mark)
