"""Which averages look alike: a tree and a matrix, painted."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from gpsdream_app.ui.neighbourhoods.insights import Alike
from gpsdream_app.ui.phrases import one_line, tooltip
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_2, SPACE_3, TYPE_SMALL

LARGEST_CELL = 72
TREE_SHARE = 0.2
NAME_SHARE = 0.24
ASLANT = 56  # of the last name below the matrix, to the right of it


class LikenessView(QWidget):
    """The tree at the left, the names, and the matrix of distances: the darker a cell, the more alike."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._alike: Alike | None = None
        self._cell = -1, -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(280, 220)
        theme.changed.connect(self.update)

    @property
    def alike(self) -> Alike | None:
        """What is shown."""
        return self._alike

    def show_alike(self, alike: Alike | None) -> None:
        """Show how alike some averages are."""
        self._alike, self._cell = alike, (-1, -1)
        self.setAccessibleName(sentence(alike) if alike else "")
        self.update()

    def sizeHint(self) -> QSize:
        """Room for six."""
        return QSize(520, 400)

    def areas(self) -> tuple[QRect, QRect, QRect]:
        """Return where the tree, the names and the matrix stand."""
        count = len(self._alike.names) if self._alike else 1
        tree = min(round(self.width() * TREE_SHARE), 140)
        names = min(round(self.width() * NAME_SHARE), 170)
        across = self.width() - tree - names - 2 * SPACE_3 - ASLANT
        side = min(LARGEST_CELL, across // count, (self.height() - 80) // count)
        side = max(side, 8)
        height, top = side * count, 4
        return (
            QRect(0, top, tree, height),
            QRect(tree + SPACE_2, top, names, height),
            QRect(tree + names + 2 * SPACE_2, top, side * count, height),
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw tree, names and matrix."""
        alike = self._alike
        if alike is None:
            return
        tree, names, matrix = self.areas()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_tree(painter, tree, alike)
            self._paint_names(painter, names, matrix, alike)
            self._paint_matrix(painter, matrix, alike)

    def _paint_tree(self, painter: QPainter, rect: QRect, alike: Alike) -> None:
        count = len(alike.names)
        side = rect.height() / count
        tallest = max((height for _, _, height in alike.merges), default=0.0) or 1.0
        nodes = {leaf: QPointF(rect.right(), rect.top() + (leaf + 0.5) * side) for leaf in range(count)}
        pen = QPen(self._theme.colour("text_muted"), 1.5)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        for number, (first, second, height) in enumerate(alike.merges):
            one, two = nodes[first], nodes[second]
            x = rect.right() - height / tallest * (rect.width() - 8)
            painter.drawPolyline([one, QPointF(x, one.y()), QPointF(x, two.y()), two])
            nodes[count + number] = QPointF(x, (one.y() + two.y()) / 2)

    def _paint_names(self, painter: QPainter, rect: QRect, matrix: QRect, alike: Alike) -> None:
        painter.setFont(self.font())
        painter.setPen(self._theme.colour("text"))
        metrics = QFontMetrics(self.font())
        side = rect.height() / len(alike.names)
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        for number, name in enumerate(alike.names):
            line = QRectF(rect.left(), rect.top() + number * side, rect.width(), side)
            painter.drawText(line, flags, metrics.elidedText(one_line(name), Qt.TextElideMode.ElideRight, rect.width()))
        # Below the matrix the names stand aslant.
        small = QFont(self.font())
        small.setPixelSize(TYPE_SMALL)
        painter.setFont(small)
        painter.setPen(self._theme.colour("text_muted"))
        metrics = QFontMetrics(small)
        for number, name in enumerate(alike.names):
            painter.save()
            painter.translate(matrix.left() + (number + 0.5) * side, matrix.bottom() + SPACE_2)
            painter.rotate(32)
            painter.drawText(
                QPointF(0, metrics.ascent()), metrics.elidedText(one_line(name), Qt.TextElideMode.ElideRight, 90)
            )
            painter.restore()

    def _paint_matrix(self, painter: QPainter, rect: QRect, alike: Alike) -> None:
        count = len(alike.names)
        side = rect.height() / count
        others = [alike.distances[i][j] for i in range(count) for j in range(count) if i != j]
        least, most = min(others, default=0.0), max(others, default=1.0)
        small = QFont(self.font())
        small.setPixelSize(TYPE_SMALL)
        painter.setFont(small)
        for row in range(count):
            for column in range(count):
                distance = alike.distances[row][column]
                share = 1.0 if row == column else 1 - (distance - least) / ((most - least) or 1.0)
                cell = QRectF(rect.left() + column * side, rect.top() + row * side, side, side).adjusted(1, 1, -1, -1)
                colour = self._colour(share if row != column else 0.0)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.colour("sunken") if row == column else colour)
                painter.drawRoundedRect(cell, 3, 3)
                if side >= 34 and row != column:
                    painter.setPen(self._ink(colour))
                    painter.drawText(cell, int(Qt.AlignmentFlag.AlignCenter), f"{distance:.2f}")
                if self.hasFocus() and (row, column) == self._cell:
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.setPen(QPen(self._theme.colour("accent"), 2))
                    painter.drawRoundedRect(cell, 3, 3)

    def _colour(self, share: float) -> QColor:
        low, high = self._theme.colour("raised"), self._theme.colour("glow")
        share = 0.08 + 0.92 * share
        return QColor(
            round(low.red() + share * (high.red() - low.red())),
            round(low.green() + share * (high.green() - low.green())),
            round(low.blue() + share * (high.blue() - low.blue())),
        )

    def _ink(self, ground: QColor) -> QColor:
        return QColor("#17120a") if ground.lightnessF() > 0.45 else self._theme.colour("text")

    def event(self, event: QEvent) -> bool:
        """Tell of the pair under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._alike:
            _, _, matrix = self.areas()
            if matrix.contains(event.pos()):
                side = matrix.height() / len(self._alike.names)
                column = int((event.pos().x() - matrix.left()) / side)
                row = int((event.pos().y() - matrix.top()) / side)
                QToolTip.showText(event.globalPos(), tooltip(self.pair_text(row, column)), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrow keys go from pair to pair, and say how alike it is."""
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }.get(Qt.Key(event.key()))
        if steps is None or self._alike is None:
            super().keyPressEvent(event)
            return
        most = len(self._alike.names) - 1
        row, column = max(self._cell[0], 0) + steps[0], max(self._cell[1], 0) + steps[1]
        self._cell = min(max(row, 0), most), min(max(column, 0), most)
        self.setAccessibleDescription(self.pair_text(*self._cell))
        self.update()

    def pair_text(self, row: int, column: int) -> str:
        """Return how far a pair is apart."""
        alike = self._alike
        count = len(alike.names) if alike else 0
        if alike is None or not (0 <= row < count and 0 <= column < count):
            return ""
        if row == column:
            return one_line(alike.names[row])
        return self.tr("{0} and {1}: {2} apart").format(
            one_line(alike.names[row]), one_line(alike.names[column]), f"{alike.distances[row][column]:.3f}"
        )


def sentence(alike: Alike) -> str:
    """Say in words which two look most alike, and which two least."""
    from PySide6.QtCore import QCoreApplication

    def tr(text: str) -> str:
        return QCoreApplication.translate("likeness", text)

    nearest, farthest = alike.nearest(), alike.farthest()
    if nearest is None or farthest is None:
        return ""
    most = tr("{0} and {1} look most alike").format(one_line(nearest[0]), one_line(nearest[1]))
    least = tr("{0} and {1} least").format(one_line(farthest[0]), one_line(farthest[1]))
    return tr("{0}, {1}.").format(most, least)
