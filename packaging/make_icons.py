"""Draw the program's icon in the forms that systems want: ICO for Windows, ICNS for macOS, PNG for the rest.

python packaging/make_icons.py    reads resources/icons/gpsdream.svg and writes beside it
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"
ICO_SIZES = (16, 20, 24, 32, 40, 48, 64, 96, 128, 256)
ICNS_SIZES = (16, 32, 64, 128, 256, 512)
PNG_SIZE = 512


def draw(source: Path, size: int) -> Image.Image:
    """Return the icon, `size` pixels a side, drawn anew at that size."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    with QPainter(image) as painter:
        QSvgRenderer(str(source)).render(painter)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return Image.open(io.BytesIO(buffer.data().data())).convert("RGBA")


def main() -> int:
    """Write the files, and return the exit code."""
    _application = QGuiApplication.instance() or QGuiApplication(["make_icons"])
    source = ICONS / "gpsdream.svg"
    drawn = {size: draw(source, size) for size in sorted({*ICO_SIZES, *ICNS_SIZES, PNG_SIZE, 1024})}
    largest, *smaller = (drawn[size] for size in reversed(ICO_SIZES))
    largest.save(ICONS / "gpsdream.ico", sizes=[(size, size) for size in ICO_SIZES], append_images=smaller)
    # 1024 pixels are 512 points of a fine screen.
    drawn[1024].save(ICONS / "gpsdream.icns", append_images=[drawn[size] for size in ICNS_SIZES])
    drawn[PNG_SIZE].save(ICONS / "gpsdream.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
