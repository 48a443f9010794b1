"""A thin line that fills while something is being done."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gpsdream_app.ui.theme import Theme

LINE_HEIGHT = 3


class ProgressLine(QWidget):
    """A thin line that fills from the left; empty it is not seen."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._fraction = 0.0
        self.setAccessibleName(self.tr("Progress"))
        theme.changed.connect(self.update)

    @property
    def fraction(self) -> float:
        """The share that is filled, 0 to 1."""
        return self._fraction

    def show_fraction(self, fraction: float) -> None:
        """Fill a share of the line, 0 to 1."""
        self._fraction = fraction
        self.setAccessibleDescription(f"{fraction:.0%}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            rect = QRectF(self.rect())
            painter.setBrush(self._theme.colour("line"))
            painter.drawRoundedRect(rect, 1.5, 1.5)
            painter.setBrush(self._theme.colour("accent"))
            rect.setWidth(rect.width() * self._fraction)
            painter.drawRoundedRect(rect, 1.5, 1.5)
