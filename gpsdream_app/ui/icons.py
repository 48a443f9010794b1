"""The program's own icons: SVG lines, drawn in any colour at any scale."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from gpsdream_app.domain.resources import resources_dir

SCALES = (1.0, 1.5, 2.0, 3.0)


@cache
def _source(name: str) -> str:
    return (resources_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@cache
def icon_pixmap(name: str, colour: str, size: int, scale: float = 1.0) -> QPixmap:
    """Return an icon as a picture.

    Args:
        name: file name in `resources/icons`, without `.svg`.
        colour: #rrggbb, in place of the file's `currentColor`.
        size: side in device-independent pixels.
        scale: device pixels per device-independent pixel.
    """
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))
    pixmap = QPixmap(QSize(size, size) * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        renderer.render(painter, QRectF(0, 0, size, size))
    return pixmap


def icon(
    name: str, colour: QColor, size: int = 20, checked: QColor | None = None, faint: QColor | None = None
) -> QIcon:
    """Return an icon in one colour, and in others where it is checked or disabled."""
    result = QIcon()
    for scale in SCALES:
        result.addPixmap(icon_pixmap(name, colour.name(), size, scale))
        if checked is not None:
            result.addPixmap(icon_pixmap(name, checked.name(), size, scale), QIcon.Mode.Normal, QIcon.State.On)
        if faint is not None:
            result.addPixmap(icon_pixmap(name, faint.name(), size, scale), QIcon.Mode.Disabled)
    return result


def application_icon() -> QIcon:
    """Return the program's own icon."""
    result = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        result.addPixmap(icon_pixmap("gpsdream", "#000000", size))
    return result
