"""“How good is this model?”: its newest report, and the card that measures it anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QDate, QLocale, QPoint, QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.errors import Failure
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.map.chromium import map_is_off
from gpsdream_app.ui.measuring import MeasureState, Measuring
from gpsdream_app.ui.phrases import first_upper, percent_text, time_left_text, tooltip
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.reports import Report, read_page
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4, SPACE_5
from gpsdream_app.ui.widgets import (
    ElidedLabel,
    FieldBox,
    IconButton,
    Menu,
    PrimaryButton,
    Segments,
    Switch,
    TextButton,
    follow,
    label,
)

CARD_WIDTH = 620
QUICK, FULL = "quick", "full"


def web_report(theme: Theme) -> Any:
    """Return what shows a report's page."""
    if map_is_off():
        raise ImportError("the browser is switched off")
    # Imported late: a person who never looks at reports does not wait for it.
    from gpsdream_app.ui.report_view import ReportView

    return ReportView(theme)


class PlainReport(QPlainTextEdit):
    """Shows the figures as plain text where no web view can be had."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setAccessibleName(self.tr("The report"))


class QualityPage(QFrame):
    """The page: a head with what is shown and what can be done, the card that measures, the report."""

    def __init__(
        self,
        theme: Theme,
        session: Session,
        parent: QWidget | None = None,
        make_view: Callable[[Theme], Any] = web_report,
    ) -> None:
        """Make the page; the view of reports is made when the first one is shown.

        Args:
            theme: the look.
            session: knows the open model and measures it.
            parent: the Qt parent.
            make_view: makes the widget with `show_page(content)`.
        """
        super().__init__(parent)
        self._theme, self._session, self._make_view = theme, session, make_view
        self._measuring: Measuring = session.measuring
        self._photos: Path | None = session.settings.photos_folder
        self._loaded: tuple[Path, str] | None = None
        self.view: Any = None
        self.setObjectName("panel")
        # The report reaches to the window's edges, where its scroll bar belongs.
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        column = QVBoxLayout()
        column.setContentsMargins(SPACE_5, SPACE_4, SPACE_5, SPACE_3)
        column.setSpacing(SPACE_3)
        column.addLayout(self._make_head(theme))
        self.running = self._make_running(theme)
        self.failing = self._make_failing(theme)
        self.asking = self._make_asking(theme)
        column.addWidget(self.running)
        column.addWidget(self.failing)
        self.body = QStackedWidget(self)
        self.body.addWidget(self._make_empty())
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.asking, 1000)
        row.addStretch(1)
        column.addLayout(row)
        whole.addLayout(column)
        whole.addWidget(self.body, 1)
        self._asked = False
        self._measuring.changed.connect(self._show_state)
        self._measuring.reports_changed.connect(self._show_report)
        session.model_changed.connect(self._show_model)
        follow(theme, self._tint)
        self._show_model()

    # -- the parts --

    def _make_head(self, theme: Theme) -> QHBoxLayout:
        self.title = ElidedLabel("", "title", self)
        self.facts = ElidedLabel("", "muted", self)
        self.measure = TextButton(theme, self.tr("Measure…"), "quality", parent=self)
        self.measure.clicked.connect(self._ask)
        self.open = TextButton(theme, self.tr("Open report"), "open", look="plain", parent=self)
        self.open.setToolTip(tooltip(self.tr("Open the report in the system's browser")))
        self.open.clicked.connect(self._open_outside)
        self.folder = TextButton(theme, self.tr("Show in folder"), "folder", look="plain", parent=self)
        self.folder.clicked.connect(self._show_in_folder)
        self.copy = TextButton(theme, self.tr("Copy table"), "copy", look="plain", parent=self)
        self.copy.clicked.connect(self._copy)
        self.others = TextButton(theme, self.tr("Other reports"), "down", look="plain", parent=self)
        self.others.clicked.connect(self._show_others)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        row = QHBoxLayout()
        row.setSpacing(SPACE_1)
        row.addLayout(words, 1)
        for button in (self.others, self.copy, self.folder, self.open):
            row.addWidget(button)
        row.addSpacing(SPACE_2)
        row.addWidget(self.measure)
        return row

    def _make_running(self, theme: Theme) -> QFrame:
        part = QFrame(self)
        part.setObjectName("card")
        self.progress = ElidedLabel("", "strong", part)
        self.left = label("", "small", parent=part)
        self.cancel = TextButton(theme, self.tr("Cancel"), "stop", parent=part)
        self.cancel.clicked.connect(self._measuring.cancel)
        self.line = ProgressLine(theme, part)
        self.line.setFixedHeight(LINE_HEIGHT)
        row = QHBoxLayout()
        row.setSpacing(SPACE_3)
        row.addWidget(self.progress, 1)
        row.addWidget(self.left)
        row.addWidget(self.cancel)
        column = QVBoxLayout(part)
        column.setContentsMargins(SPACE_4, SPACE_2, SPACE_3, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addLayout(row)
        column.addWidget(self.line)
        return part

    def _make_failing(self, theme: Theme) -> QFrame:
        part = QFrame(self)
        part.setObjectName("notice")
        part.setProperty("tone", "error")
        self._failure_mark = QLabel(part)
        self._failure_mark.setFixedSize(18, 18)
        self.failure = label("", "strong", wrap=True, parent=part)
        self.hint = label("", "muted", wrap=True, parent=part)
        self.again = TextButton(theme, self.tr("Measure again…"), parent=part)
        self.again.clicked.connect(self._ask)
        self.anyway = TextButton(theme, self.tr("Ask about these photos anyway"), parent=part)
        self.anyway.clicked.connect(self._measure_anyway)
        self.dismiss = IconButton(theme, "close", self.tr("Dismiss"), size=16, parent=part)
        self.dismiss.clicked.connect(self._measuring.forget_failure)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_2)
        buttons.addWidget(self.again)
        buttons.addWidget(self.anyway)
        buttons.addStretch()
        words = QVBoxLayout()
        words.setSpacing(SPACE_1)
        words.addWidget(self.failure)
        words.addWidget(self.hint)
        words.addLayout(buttons)
        row = QHBoxLayout(part)
        row.setContentsMargins(SPACE_3, SPACE_2 + 2, SPACE_2, SPACE_2 + 2)
        row.setSpacing(SPACE_2)
        row.addWidget(self._failure_mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        return part

    def _make_asking(self, theme: Theme) -> QFrame:
        part = QFrame(self)
        part.setObjectName("card")
        part.setMaximumWidth(CARD_WIDTH)
        part.setMinimumWidth(min(CARD_WIDTH, 420))
        self.asking_title = label(self.tr("Measure this model"), "lead", parent=part)
        self.asking_words = label(
            self.tr(
                "The model is asked to draw the places of your photos, and its pictures are compared with them: "
                "do they show the right block, do they follow the words, are they as sharp and as varied? "
                "Photos that it has not learned from prove most. Nothing leaves this machine."
            ),
            "muted",
            wrap=True,
            parent=part,
        )
        self.close_asking = IconButton(theme, "close", self.tr("Not now"), size=16, parent=part)
        self.close_asking.clicked.connect(self._put_away)
        box = FieldBox(part)
        caption = label(self.tr("Photos"), "small", parent=box)
        caption.setContentsMargins(SPACE_2, 0, SPACE_2, 0)
        self.photos = ElidedLabel("", "", box)
        self.choose = TextButton(theme, self.tr("Choose a folder…"), "folder", look="plain", parent=box)
        self.choose.clicked.connect(self._choose)
        box.row.addWidget(caption)
        box.row.addWidget(self.photos, 1)
        box.row.addWidget(self.choose)
        self.thoroughness = Segments(
            theme, [(QUICK, self.tr("Quick look"), "draft"), (FULL, self.tr("Full report"), "quality")], part
        )
        self.thoroughness.show_choice(QUICK)
        self.thoroughness.chosen.connect(self._choose_depth)
        self._quick = True
        self.duration = label("", "small", wrap=True, parent=part)
        self.seen_too = Switch(theme, self.tr("Also ask about photos that it has learned from"), part)
        self.seen_too.setToolTip(
            tooltip(self.tr("Such figures say how well it remembers. The report says so in its title."))
        )
        self.begin = PrimaryButton(theme, self.tr("Measure"), "", part)
        self.begin.clicked.connect(self._begin)
        head = QHBoxLayout()
        head.addWidget(self.asking_title, 1)
        head.addWidget(self.close_asking)
        column = QVBoxLayout(part)
        column.setContentsMargins(SPACE_5, SPACE_4, SPACE_4, SPACE_5)
        column.setSpacing(SPACE_3)
        column.addLayout(head)
        for widget in (self.asking_words, box, self.thoroughness, self.duration, self.seen_too, self.begin):
            column.addWidget(widget)
        return part

    def _make_empty(self) -> QWidget:
        part = QWidget(self)
        self.nothing = label("", "muted", wrap=True, parent=part)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(part)
        column.addWidget(self.nothing)
        column.addStretch()
        return part

    # -- what is shown --

    def _show_model(self, *_: object) -> None:
        card = self._session.card
        self.title.setText(
            self.tr("How good is “{0}”?").format(card.title) if card else self.tr("How good is this model?")
        )
        self._asked = False
        self._show_report()

    def _show_report(self) -> None:
        measuring = self._measuring
        report = measuring.shown
        if report is not None:
            self._asked = False
        self.facts.setText(self.facts_text(report) if report else self._no_report_text())
        for button in (self.open, self.folder, self.copy):
            button.setVisible(report is not None)
        self.copy.setVisible(report is not None and bool(report.table))
        self.others.setVisible(len(measuring.reports) > 1)
        if report is None:
            self.body.setCurrentIndex(0)
        elif self.isVisible():
            self._load(report)
        self._show_state()

    def _load(self, report: Report) -> None:
        """Show a report's page, or its figures where there is no web view."""
        key = (report.page, report.created.isoformat())
        if self.view is None:
            try:
                self.view = self._make_view(self._theme)
            except ImportError:
                self.view = PlainReport()
            self.body.addWidget(self.view)
        self.body.setCurrentWidget(self.view)
        if key != self._loaded:
            self._loaded = key
            if isinstance(self.view, PlainReport):
                self.view.setPlainText(report.table)
                return

            def show(content: bytes) -> None:
                if self._loaded == key:
                    self.view.show_page(content)

            def failed(failure: Failure) -> None:
                self._loaded = None
                self._measuring.fail(failure)

            self._session.background.run(self, lambda: read_page(report), show, failed)

    def showEvent(self, event: object) -> None:
        """Make what is shown only now that it is looked at."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._show_report()

    def _no_report_text(self) -> str:
        if not self._session.card:
            return self.tr("No model is open.")
        return self.tr("Not measured yet") if self._measuring.read else self.tr("Looking for reports")

    def facts_text(self, report: Report) -> str:
        """Say who measured when, on what, and how thoroughly."""
        day = report.created.astimezone().date()
        when = QLocale().toString(QDate(day.year, day.month, day.day), "d MMMM yyyy")
        who = self.tr("Measured by the makers on {0}") if report.by_makers else self.tr("Measured on {0}")
        parts = [who.format(when)]
        if report.asked is not None:
            words = (
                self.tr("{0} photos that it has not seen") if report.unseen else self.tr("{0} photos, seen ones too")
            )
            parts.append(words.format(report.asked))
        if report.quick:
            parts.append(self.tr("quick look"))
        if report.other_weights:
            parts.append(self.tr("the model has changed since"))
        return " · ".join(parts)

    def _show_state(self) -> None:
        measuring, card = self._measuring, self._session.card
        running = measuring.running
        self.running.setVisible(running)
        if running:
            stopping = measuring.state is MeasureState.STOPPING
            title = measuring.model_title
            what = self.tr("Stopping…") if stopping else first_upper(measuring.text)
            self.progress.setText(self.tr("“{0}”: {1}").format(title, what) if title and not stopping else what)
            parts = [percent_text(measuring.fraction) if measuring.fraction else ""]
            left = time_left_text(measuring.seconds_left)
            parts.append(self.tr("{0} left").format(left) if left else "")
            self.left.setText(" · ".join(part for part in parts if part))
            self.line.show_fraction(measuring.fraction)
            self.cancel.setEnabled(not stopping)
        failure = measuring.failure
        self.failing.setVisible(failure is not None)
        if failure:
            self.failure.setText(failure.message)
            seen = "--seen-too" in failure.hint
            self.hint.setText(
                self.tr("Choose photos that it has not seen, or ask about these anyway: the title then says so.")
                if seen
                else failure.hint
            )
            self.hint.setVisible(bool(self.hint.text()))
            self.anyway.setVisible(seen and self._photos is not None)
        empty = measuring.read and measuring.shown is None
        asking = card is not None and not running and (self._asked or empty)
        self.asking.setVisible(asking)
        self.again.setVisible(not asking)
        self.close_asking.setVisible(self._asked and not empty)
        self.measure.setVisible(card is not None and not running and not asking)
        self.photos.setText(str(self._photos) if self._photos else self.tr("None chosen yet"))
        self.begin.setEnabled(self._photos is not None)
        self.duration.setText(
            self.tr("A few minutes: a rough idea, with wide intervals.")
            if self._quick
            else self.tr("Up to half an hour: every table, with narrow intervals. You can go on drawing meanwhile.")
        )
        self.nothing.setText(
            self.tr("The report appears here when it is done. You can go on drawing meanwhile.") if running else ""
        )
        if running and measuring.shown is None:
            self.body.setCurrentIndex(0)

    # -- what a person does --

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter in the card measures."""
        inside = self.asking.isVisible() and self.begin.isEnabled()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and inside:
            self._begin()
        else:
            super().keyPressEvent(event)

    def _ask(self) -> None:
        self._measuring.forget_failure()
        self._asked = True
        self._show_state()
        self.choose.setFocus(Qt.FocusReason.OtherFocusReason)

    def _put_away(self) -> None:
        self._asked = False
        self._show_state()

    def _choose_depth(self, key: str) -> None:
        self._quick = key == QUICK
        self._show_state()

    def _choose(self) -> None:
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        dialog = QFileDialog(self, self.tr("Choose a folder of photos"), str(self._photos or pictures))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.take_photos)
        dialog.open()

    def take_photos(self, folder: str) -> None:
        """Take a folder of photos to measure with."""
        self._photos = Path(folder)
        self._session.settings.photos_folder = self._photos
        self._show_state()

    def _begin(self, *_: object, seen_too: bool | None = None) -> None:
        if self._photos is None:
            return
        self._asked = False
        self._session.measure(
            self._photos, quick=self._quick, seen_too=self.seen_too.isChecked() if seen_too is None else seen_too
        )

    def _measure_anyway(self) -> None:
        self._begin(seen_too=True)

    def _open_outside(self) -> None:
        report = self._measuring.shown
        if report:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(report.page)))

    def _show_in_folder(self) -> None:
        report = self._measuring.shown
        if report:
            show_in_folder(report.page)

    def _copy(self) -> None:
        report = self._measuring.shown
        if report:
            QGuiApplication.clipboard().setText(report.table)
            self.copy.setText(self.tr("Copied"))

    def copy_selection(self) -> None:
        """Put what is marked in the report on the clipboard."""
        if isinstance(self.view, PlainReport):
            self.view.copy()
        elif self.view is not None:
            self.view.copy_selection()

    def _show_others(self) -> None:
        menu = Menu(self._theme, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for report in self._measuring.reports[:20]:
            chosen = report is self._measuring.shown
            text = self.facts_text(report).replace("&", "&&")
            menu.add(text, "check" if chosen else "parameters", partial(self._measuring.show, report))
        menu.popup(self.others.mapToGlobal(QPoint(0, self.others.height())))

    def _tint(self) -> None:
        pixmap = icon_pixmap("warning", self._theme.palette.danger, 18, self.devicePixelRatioF())
        self._failure_mark.setPixmap(pixmap)
