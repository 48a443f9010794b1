"""The question as what some results shall be exported, and the export itself, which runs in the background."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QCloseEvent,
    QDesktopServices,
    QEnterEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.results import Result
from gpsdream_app.export.formats import ExportFormat, ExportWish, export_results
from gpsdream_app.export.pictures import QUALITY
from gpsdream_app.export.results import ExportCancelled, Watch, Written
from gpsdream_app.ui.desktop import open_folder, show_in_folder
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.phrases import place_text
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import ElidedLabel, PrimaryButton, Slider, Switch, TextButton, label, set_look

WIDTH = 560
MAX_LEFT_OUT = 3  # sentences in sight; the tooltip has more
MAX_TOLD = 30


class FormatButton(QAbstractButton):
    """One format: an icon, its name and what it is good for."""

    def __init__(self, theme: Theme, name: str, what: str, icon_name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._icon_name, self._what = theme, icon_name, what
        self.setText(name)
        self.setAccessibleName(name)
        self.setAccessibleDescription(what)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Room for two lines."""
        return QSize(160, 2 * self.fontMetrics().height() + SPACE_4)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Brighten a little."""
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Be as before."""
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw icon, name and purpose."""
        theme, chosen = self._theme, self.isChecked()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            pen = painter.pen()
            pen.setColor(theme.colour("accent" if chosen or self.hasFocus() else "line_strong"))
            pen.setWidthF(2 if self.hasFocus() else 1)
            painter.setPen(pen)
            lit = self.underMouse() and self.isEnabled() and not chosen
            painter.setBrush(theme.colour("accent_soft" if chosen else "hover" if lit else "raised"))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), RADIUS, RADIUS)
            tint = theme.palette.accent if chosen else theme.palette.text_muted
            mark = icon_pixmap(self._icon_name, tint, 18, self.devicePixelRatioF())
            painter.drawPixmap(SPACE_3, (self.height() - 18) // 2, mark)
            words = self.rect().adjusted(SPACE_3 + 18 + SPACE_2 + 2, SPACE_1, -SPACE_2, -SPACE_1)
            upper = words.adjusted(0, 0, 0, -words.height() // 2)
            lower = words.adjusted(0, words.height() // 2, 0, 0)
            font = self.font()
            font.setWeight(font.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(theme.colour("text" if self.isEnabled() else "text_faint"))
            painter.drawText(upper, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), self.text())
            font = self.font()
            font.setPixelSize(12)
            painter.setFont(font)
            painter.setPen(theme.colour("text_muted" if self.isEnabled() else "text_faint"))
            what = painter.fontMetrics().elidedText(self._what, Qt.TextElideMode.ElideRight, lower.width())
            painter.drawText(lower, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), what)


class ExportDialog(QDialog):
    """Asks as what results shall be exported and where to, exports them, and says what came of it.

    Signals:
        exported: an export is finished (`Written`).
    """

    exported = Signal(object)
    _moved = Signal(int, int)

    def __init__(self, session: Session, results: Sequence[Result], parent: QWidget) -> None:
        """Make the dialog; `open` or `show` it then.

        Args:
            session: its background does the work; its city is the base map of a web map.
            results: what to export, 1 or more, in their order.
            parent: the window; its theme is the dialog's.
        """
        super().__init__(parent)
        self._session, self._results = session, list(results)
        self._theme = theme = _theme_of(parent)
        self._stop: threading.Event | None = None
        self._out = Path()
        self.wish_format = ExportFormat.PNG
        self.setWindowTitle(self.tr("Export"))
        self.setMinimumWidth(WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.what = ElidedLabel(self._what_text(), "small", self)
        self.formats: dict[ExportFormat, FormatButton] = {}
        self.place = Switch(theme, self.tr("With place"), self)
        self.place.setChecked(True)
        self.place.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.quality = Slider(1, 100, 1, self)
        self.quality.setAccessibleName(self.tr("Quality"))
        self.quality.show_number(QUALITY)
        self.quality_number = label(str(QUALITY), "number", parent=self)
        self.quality_number.setMinimumWidth(28)
        self.quality.number_changed.connect(lambda number: self.quality_number.setText(str(round(number))))
        self.title = QLineEdit(self)
        self.title.setPlaceholderText(self.tr("May stay empty"))
        self.title.setAccessibleName(self.tr("Title"))
        self.title.setMaxLength(200)
        self.hint = label("", "small", wrap=True, parent=self)
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(LINE_HEIGHT)
        self.said = label("", "", wrap=True, parent=self)
        self.show_button = TextButton(theme, self.tr("Show in folder"), "folder", parent=self)
        self.open_button = TextButton(theme, self.tr("Open"), "open", parent=self)
        self.close_button = TextButton(theme, self.tr("Close"), parent=self)
        self.export_button = PrimaryButton(theme, self.tr("Export…"), "", self)
        self.export_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.show_button.clicked.connect(self._show_in_folder)
        self.open_button.clicked.connect(self._open_written)
        self.close_button.clicked.connect(self.reject)
        self.export_button.clicked.connect(self._ask_where)
        self._moved.connect(self._show_progress)
        self._build()
        self.choose(ExportFormat.PNG)
        self._show_state()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_5, SPACE_4, SPACE_5, SPACE_4)
        column.setSpacing(SPACE_2)
        column.addWidget(label(self.tr("Export"), "title"))
        column.addWidget(self.what)
        column.addSpacing(SPACE_2)
        grid = QGridLayout()
        grid.setSpacing(SPACE_2)
        group = QButtonGroup(self)
        for number, (kind, name, what, icon_name) in enumerate(self._choices()):
            button = FormatButton(self._theme, name, what, icon_name, self)
            button.clicked.connect(lambda _=False, kind=kind: self.choose(kind))
            group.addButton(button)
            self.formats[kind] = button
            grid.addWidget(button, number // 3, number % 3)
        column.addLayout(grid)
        column.addSpacing(SPACE_2)
        column.addWidget(self.place)
        self._quality_row = self._row(self.tr("Quality"), self.quality, self.quality_number)
        self._title_row = self._row(self.tr("Title"), self.title)
        column.addWidget(self._quality_row)
        column.addWidget(self._title_row)
        column.addWidget(self.hint)
        column.addStretch()
        column.addWidget(self.line)
        column.addWidget(self.said)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        buttons.addWidget(self.show_button)
        buttons.addWidget(self.open_button)
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.export_button)
        column.addLayout(buttons)

    def _choices(self) -> list[tuple[ExportFormat, str, str, str]]:
        return [
            (ExportFormat.PNG, self.tr("PNG"), self.tr("With all settings"), "picture"),
            (ExportFormat.JPEG, self.tr("JPEG"), self.tr("For everywhere"), "picture"),
            (ExportFormat.WEBP, self.tr("WebP"), self.tr("Small, for the web"), "picture"),
            (ExportFormat.CONTACT_SHEET, self.tr("Contact sheet"), self.tr("All on one page"), "variety"),
            (ExportFormat.WEB_MAP, self.tr("Web map"), self.tr("A page to share"), "explore"),
            (ExportFormat.KMZ, self.tr("Google Earth"), self.tr("KMZ with cameras"), "pin"),
            (ExportFormat.GEOJSON, self.tr("GeoJSON"), self.tr("For map programs"), "polygon"),
            (ExportFormat.CSV, self.tr("Table"), self.tr("CSV, no pictures"), "parameters"),
            (ExportFormat.REQUESTS, self.tr("Requests"), self.tr("ZIP to draw again"), "remix"),
        ]

    def _row(self, name: str, *widgets: QWidget) -> QWidget:
        row = QWidget(self)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_3)
        words = label(name, parent=row)
        words.setMinimumWidth(72)
        words.setBuddy(widgets[0])
        layout.addWidget(words)
        for number, widget in enumerate(widgets):
            layout.addWidget(widget, 0 if number else 1)
        return row

    # -- what is asked for --

    @property
    def busy(self) -> bool:
        """Whether an export is running."""
        return self._stop is not None

    def choose(self, kind: ExportFormat) -> None:
        """Choose a format; while an export runs it stays as it is."""
        if self.busy:
            return
        self.wish_format = kind
        self.formats[kind].setChecked(True)
        self._quality_row.setVisible(kind.has_quality)
        self._title_row.setVisible(kind.has_title)
        self.place.setVisible(not kind.is_of_places)
        self.hint.setText(self._hint_text(kind))
        self._say("")
        self._show_state()

    def wish(self) -> ExportWish:
        """Return what is asked for."""
        kind = self.wish_format
        return ExportWish(
            format=kind,
            include_place=kind.is_of_places or self.place.isChecked(),
            quality=self.quality.value(),
            title=self.title.text().strip() if kind.has_title else "",
        )

    def _what_text(self) -> str:
        results = self._results
        if len(results) == 1:
            place = results[0].request.place
            return place_text(place) if place else results[0].request.prompt[:200]
        return self.tr("{0} pictures").format(f"{len(results):,}")

    def _hint_text(self, kind: ExportFormat) -> str:
        without = sum(result.request.place is None for result in self._results)
        mark = self.tr("Each picture is marked as made by a model.")
        hints = {
            ExportFormat.PNG: self.tr("Drop one on GPSDream to have its settings again.") + " " + mark,
            ExportFormat.JPEG: mark,
            ExportFormat.WEBP: self.tr("A quality of 100 loses nothing.") + " " + mark,
            ExportFormat.CONTACT_SHEET: self.tr("Up to 60 pictures stand on a sheet; more make several."),
            ExportFormat.WEB_MAP: self.tr("One HTML file that asks nothing of the network. It tells the places."),
            ExportFormat.KMZ: self.tr("Pictures with a heading open as the camera's view. It tells the places."),
            ExportFormat.GEOJSON: self.tr("The pictures go into a folder beside the file. It tells the places."),
            ExportFormat.CSV: self.tr("A row for each picture, with its settings and scores."),
            ExportFormat.REQUESTS: self.tr(
                "Without pictures. “gpsdream generate --replay FILE.zip” draws them again. It tells the places."
            ),
        }
        text = hints[kind]
        if without and kind in (ExportFormat.WEB_MAP, ExportFormat.KMZ, ExportFormat.GEOJSON):
            one = self.tr("One picture has no place and is left out.")
            many = self.tr("{0} pictures have no place and are left out.").format(without)
            text += " " + (one if without == 1 else many)
        return text

    # -- where to --

    def _ask_where(self) -> None:
        if self.busy:
            self._end()
            return
        kind, settings = self.wish_format, self._session.settings
        name = self.tr("GPSDream pictures")
        if kind.is_folder:
            dialog = QFileDialog(self, self.tr("Choose a folder"), str(settings.save_folder))
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            dialog = QFileDialog(self, self.tr("Export"), str(settings.save_folder / f"{name}.{kind.suffix}"))
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilter(f"{self.formats[kind].text()} (*.{kind.suffix})")
            dialog.setDefaultSuffix(kind.suffix)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def chosen(text: str) -> None:
            path = Path(text)
            settings.save_folder = path if kind.is_folder else path.parent
            # One picture goes where it was said; many get a folder of their own.
            self.export_to(path / name if kind.is_folder and len(self._results) > 1 else path)

        dialog.fileSelected.connect(chosen)
        dialog.open()

    def export_to(self, out: Path) -> None:
        """Export to a file, or a folder of single pictures."""
        if self.busy:
            return
        wish, results, city = self.wish(), self._results, self._session.city
        stop = self._stop = threading.Event()
        self._out = out
        self._say("")
        self.line.show_fraction(0.0)
        self._show_state()

        def progress(done: int, of: int) -> None:
            if not stop.is_set():
                self._moved.emit(done, of)

        def work() -> Written | None:
            try:
                return export_results(results, out, wish, city=city, watch=Watch(progress, stop.is_set))
            except ExportCancelled:
                return None

        self._session.background.run(self, work, self._done, self._failed, priority=1)

    def _end(self) -> None:
        if self._stop:
            self._stop.set()
            self.export_button.setEnabled(False)
            self._name_button(self.tr("Stopping…"))

    # -- what came of it --

    def _show_progress(self, done: int, of: int) -> None:
        if self.busy:
            self.line.show_fraction(done / max(1, of))
            self._say(self.tr("{0} of {1}").format(f"{done:,}", f"{of:,}"), aloud=False)

    def _done(self, written: Written | None) -> None:
        self._stop = None
        if written is None:
            kept = self.tr("Stopped. Pictures that were written are kept.")
            self._say(kept if self.wish_format.is_folder else self.tr("Stopped. Nothing was written."))
            self._show_state()
            return
        count = len(self._results) - len(written.left_out)
        text = (
            self.tr("Exported one picture.") if count == 1 else self.tr("Exported {0} pictures.").format(f"{count:,}")
        )
        self._say(" ".join([text, *written.left_out[:MAX_LEFT_OUT]]))
        if len(written.left_out) > MAX_LEFT_OUT:
            more = self.tr("{0} more were left out.").format(len(written.left_out) - MAX_LEFT_OUT)
            self.said.setText(f"{self.said.text()} {more}")
        self._out = written.files[0]
        self._show_state(written=True)
        self.exported.emit(written)

    def _failed(self, failure: Failure) -> None:
        self._stop = None
        self._say(f"{failure.message} {failure.hint}".strip(), wrong=True)
        self._show_state()

    def _say(self, text: str, *, wrong: bool = False, aloud: bool = True) -> None:
        self.said.setText(text)
        set_look(self.said, "look", "danger" if wrong else "")
        if text and aloud:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _show_state(self, *, written: bool = False) -> None:
        busy = self.busy
        self._name_button(self.tr("Stop") if busy else self.tr("Export…"))
        self.export_button.setEnabled(bool(self._results))
        for widget in (*self.formats.values(), self.place, self._quality_row, self._title_row):
            widget.setEnabled(not busy)
        self.line.setVisible(busy)
        self.said.setVisible(bool(self.said.text()) or busy)
        self.show_button.setVisible(written)
        self.open_button.setVisible(written and self._out.suffix.lower() in (".html", ".png", ".kmz", ".csv")
                                    and not self.wish_format.is_folder)  # fmt: skip

    def _name_button(self, text: str) -> None:
        self.export_button.setText(text)
        self.export_button.setAccessibleName(text)

    def _show_in_folder(self) -> None:
        if self.wish_format.is_folder:
            open_folder(self._out.parent)
        else:
            show_in_folder(self._out)

    def _open_written(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._out)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter exports, wherever the focus is; a button that has it is pressed by the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.busy:
            self.export_button.click()
        else:
            super().keyPressEvent(event)

    def reject(self) -> None:
        """Escape or Close: stop what runs, and go."""
        self._end()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs."""
        self._end()
        super().closeEvent(event)


def _theme_of(parent: QWidget) -> Theme:
    """Return the theme of the window that a widget stands in."""
    widget: QWidget | None = parent
    while widget is not None:
        for name in ("theme", "_theme"):
            theme = getattr(widget, name, None)
            if isinstance(theme, Theme):
                return theme
        widget = widget.parentWidget()
    raise TypeError("the export dialog needs a window with a theme")
