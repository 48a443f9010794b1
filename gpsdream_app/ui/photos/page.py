"""The Photos place beside the map: import, filters, the grid of photos, and the chosen photo beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMessageBox,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.places import Box
from gpsdream_app.domain.results import Result
from gpsdream_app.photos.records import PhotoRecord, Reason, clean_text
from gpsdream_app.photos.report import ImportReport
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.library.filters import LibraryTools
from gpsdream_app.ui.library.page import CLUSTER_ZOOM, NEAREST, box_of
from gpsdream_app.ui.models.train_page import TrainPart
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.photos.beside import BesidePart
from gpsdream_app.ui.photos.detail import PhotoDetail
from gpsdream_app.ui.photos.filters import ImportCard, PhotoFilters
from gpsdream_app.ui.photos.grid import PhotoGrid
from gpsdream_app.ui.photos.model import PhotoItem
from gpsdream_app.ui.photos.state import PhotosState
from gpsdream_app.ui.phrases import menu_text
from gpsdream_app.ui.session import PLACE_ZOOM, Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, TextButton, label

SMALLEST = 560
MAX_AT_ONCE = 20_000  # photos that one command takes
MARK = "photo:"  # begins the ids of marks on the map, which shall not be taken for results


class PhotosPage(QFrame):
    """The place.

    Signals:
        models_asked: the list of models shall be shown.
        seen_asked: this place shall be gone to.
    """

    models_asked = Signal()
    seen_asked = Signal()
    LIST, BESIDE, TRAIN = range(3)

    def __init__(self, theme: Theme, session: Session, board: Any, parent: QWidget | None = None) -> None:
        """Make the place.

        Args:
            theme: the look.
            session: knows the catalogue, the form and the queue.
            board: the map: a `MapView`, or in tests what stands in for it. It is told nothing before `enter`.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._session, self._board = theme, session, board
        self.state: PhotosState = session.photos
        self._here = False
        self._fitted = False
        self.setObjectName("panel")
        self.setMinimumWidth(SMALLEST)
        self.setAcceptDrops(True)
        self.tools = LibraryTools(theme, self)
        self.tools.fit.set_name(self.tr("Show all photos found on the map"))
        self.notice = NoticeBar(theme, session, self)
        self.import_card = ImportCard(theme, self.state, self)
        self.body = QStackedWidget(self)
        self.body.addWidget(self._make_list(theme))
        self.beside = BesidePart(theme, session, self)
        self.body.addWidget(self.beside)
        self.train = TrainPart(theme, session, self)
        self.body.addWidget(self.train)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addWidget(self.notice)
        column.addWidget(self.import_card)
        column.addWidget(self.body, 1)
        self._connect()
        self._show_found()

    def _make_list(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.title = ElidedLabel(self.tr("Photos"), "title", part)
        self.facts = ElidedLabel("", "muted", part)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        self.import_button = TextButton(theme, self.tr("Import…"), "import", parent=part)
        self.import_button.setToolTip(
            self.tr("Read the places of all photos in a folder. The photos stay where they are")
        )
        self.train_button = TextButton(theme, self.tr("Train a model…"), "train", parent=part)
        self.more = IconButton(theme, "more", self.tr("More for the photos"), parent=part)
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addLayout(words, 1)
        for button in (self.import_button, self.train_button, self.more):
            head.addWidget(button)
        self.filters = PhotoFilters(theme, part)
        self.grid = PhotoGrid(theme, self.state.model, part)
        self.empty = label("", "muted", wrap=True, parent=self.grid.viewport())
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.detail = PhotoDetail(theme, self._session, part)
        row = QHBoxLayout()
        row.setSpacing(SPACE_3)
        row.addWidget(self.grid, 1)
        row.addWidget(self.detail)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(self.filters)
        column.addLayout(row, 1)
        return part

    def _connect(self) -> None:
        state, board = self.state, self._board
        self.import_button.clicked.connect(self.ask_import)
        self.train_button.clicked.connect(self.show_train)
        self.more.clicked.connect(self._show_more)
        self.filters.changed.connect(lambda: state.ask(self.filters.wish(state.wish)))
        self.filters.down_asked.connect(self._to_grid)
        self.grid.picked.connect(self._show_picked)
        self.grid.opened.connect(self.draw_beside)
        self.grid.delete_asked.connect(self.toggle_left_out)
        self.grid.menu_asked.connect(lambda point: self.menu().popup(point))
        self.detail.draw_asked.connect(self.draw_beside)
        self.detail.leave_asked.connect(self.toggle_left_out)
        self.detail.map_asked.connect(self._show_on_map)
        self.beside.left.connect(self.show_list)
        self.train.left.connect(self.show_list)
        self.train.models_asked.connect(self.models_asked)
        self.train.seen_asked.connect(self._show_training)
        self.tools.narrow_asked.connect(self._narrow)
        self.tools.fit_asked.connect(lambda: self._fit())
        state.found.connect(self._show_found)
        state.read.connect(self._read)
        state.flags_changed.connect(self._show_flags)
        state.clusters_changed.connect(self._show_clusters)
        state.imported.connect(self._tell_imported)
        state.changed.connect(self._tell_changed)
        state.failed.connect(self._session.notify_failure)
        board.view_changed.connect(self._view_changed)
        board.result_clicked.connect(self._mark_clicked)

    # -- coming and going --

    def enter(self) -> None:
        """Show the photos on the map, and read what is new."""
        self._here = True
        self._board.set_picking(False)
        self._board.set_examples([])
        self._board.clear_pin()
        self._board.set_results([])
        if self.state.view is None:
            self.state.view = self._session.settings.view
        self.state.refresh()
        self._show_clusters()

    def leave(self) -> None:
        """Give the map back."""
        self._here = False
        self._board.set_results([])
        self._board.set_picking(True)

    def undo(self) -> None:
        """Take back the last change of what is left out of training."""
        self._session.dismiss()
        self.state.undo()

    def escape(self) -> bool:
        """Go back to the grid, or let go what is chosen; returns whether there was something."""
        if self.body.currentIndex() != self.LIST:
            self.show_list()
            return True
        if self.grid.chosen_count():
            self.grid.clearSelection()
            return True
        return False

    def draw(self) -> None:
        """Draw the place of the photo in sight, or begin to train."""
        if self.body.currentIndex() == self.BESIDE:
            self.beside.draw()
        elif self.body.currentIndex() == self.LIST:
            self.draw_beside()

    def search(self) -> None:
        """Go to the search field."""
        self.show_list()
        self.filters.words.setFocus()
        self.filters.words.selectAll()

    def show_list(self) -> None:
        """Go back to the grid."""
        self.body.setCurrentIndex(self.LIST)
        self.grid.setFocus()

    def show_train(self) -> None:
        """Show the form for training, and how a training goes."""
        self.train.open(self.state.collections, self.filters.wish(self.state.wish).folder)
        self.body.setCurrentIndex(self.TRAIN)

    def _show_training(self) -> None:
        self.seen_asked.emit()
        self.show_train()

    def show_pair(self, record: PhotoRecord, metres: float, result: Result) -> None:
        """Show a photo beside a picture that was drawn before."""
        self.body.setCurrentIndex(self.BESIDE)
        self.beside.show_pair(record, metres, result)
        self.beside.back.setFocus()

    # -- importing --

    def ask_import(self) -> None:
        """Ask for a folder and import it."""
        start = self._session.settings.photos_folder or self._session.settings.save_folder
        dialog = QFileDialog(self, self.tr("Import photos"), str(start))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda path: self.take_folder(Path(path)))
        dialog.open()

    def take_folder(self, folder: Path) -> None:
        """Import a folder."""
        if self.state.importing is not None:
            text = self.tr("Another folder is being imported. Wait for its end, or stop it.")
            self._session.notify(Notice(Tone.HINT, text))
            return
        self._session.settings.photos_folder = folder
        self._session.dismiss()
        self.show_list()
        self.state.start_import(folder)

    def _tell_imported(self, report: ImportReport) -> None:
        # A damaged sidecar is told of in the list of files, like everything else that has no place.
        refused = report.total - report.placed - report.counts.get(Reason.SIDECAR, 0)
        name = clean_text(report.folder.name, 80)
        if report.cancelled:
            text = self.tr("The import of “{0}” was stopped. What was read is kept; importing again goes on.").format(
                name
            )
        else:
            text = self.tr("{0} photos of “{1}” have a place.").format(f"{report.placed:,}", name)
        hint = self.tr("{0} files have none.").format(f"{refused:,}") if refused else ""
        tone = Tone.PLAIN if report.placed else Tone.HINT
        if not report.placed and not report.cancelled:
            hint = self.tr(
                "Photos need GPS in their EXIF data, or a CSV file with the columns file, lat and lon beside them."
            )
        action = self.tr("Which, and why") if refused else ""
        self._session.notify(Notice(tone, text, hint, action, self.show_refused if refused else None))
        self._fitted = False

    def show_refused(self) -> None:
        """Show which files have no place, and why."""
        self.state.refused(self._list_refused)

    def _list_refused(self, lines: list[str]) -> None:
        dialog = QDialog(self)
        dialog.setObjectName("refused")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self.tr("Files without a place"))
        dialog.resize(640, 420)
        text = QPlainTextEdit("\n".join(clean_text(line, 400) for line in lines), dialog)
        text.setReadOnly(True)
        text.setAccessibleName(dialog.windowTitle())
        close = TextButton(self._theme, self.tr("Close"), parent=dialog)
        close.clicked.connect(dialog.accept)
        column = QVBoxLayout(dialog)
        column.addWidget(text)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        dialog.open()

    # -- what is shown --

    def _to_grid(self) -> None:
        self.grid.setFocus()
        if not self.grid.currentIndex().isValid() and self.state.model.rowCount():
            self.grid.choose(0)

    def _read(self) -> None:
        self.filters.show_folders(self.state.collections)
        self._show_found()
        if self.body.currentIndex() == self.TRAIN:
            self.train.show_collections(self.state.collections)

    def _show_flags(self) -> None:
        if self._here and not self._fitted and self.state.items:
            # The photos may lie in another part of the world than the map; a stray one shall not decide it.
            self._fitted = True
            self._fit(stray=False)
        self.grid.redraw()
        self._show_found()

    def _show_found(self) -> None:
        state = self.state
        self.filters.show_counts(state.counts)
        count, total = state.model.rowCount(), len(state.items)
        if state.wish.narrows:
            parts = [self.tr("{0} of {1} photos").format(f"{count:,}", f"{total:,}")]
        else:
            parts = [self.tr("1 photo") if total == 1 else self.tr("{0} photos").format(f"{total:,}")]
            if len(state.collections) > 1:
                parts.append(self.tr("{0} folders").format(len(state.collections)))
        if state.flagged:
            parts.append(self.tr("{0} flagged").format(f"{state.flagged:,}"))
        self.facts.setText(" · ".join(parts) if state.is_read else "")
        self.empty.setVisible(count == 0 and state.is_read)
        self.empty.setText(
            self.tr("No photo is like this. Take a filter away, or move the map.")
            if total
            else self.tr(
                "Import a folder of photos that know where they were taken. They appear on the map, can be compared "
                "with what a model draws, and train a model of your own city. They never leave this computer."
            )
        )
        self.train_button.setEnabled(bool(state.collections))
        self._place_empty()
        self._show_picked()

    def _place_empty(self) -> None:
        width = self.grid.viewport().width()
        self.empty.setGeometry(SPACE_4, 80, max(80, width - 2 * SPACE_4), 120)

    def resizeEvent(self, event: Any) -> None:
        """Keep the sentence of the empty grid in its place."""
        super().resizeEvent(event)
        self._place_empty()

    def chosen(self) -> list[PhotoItem]:
        """Return the photos that are chosen."""
        rows = self.grid.chosen_rows(MAX_AT_ONCE)
        return [item for row in rows if (item := self.state.model.item(row))]

    def _show_picked(self) -> None:
        self.detail.show_items(self.chosen())
        self._show_clusters()

    # -- the map --

    def _view_changed(self, lat: float, lon: float, zoom: float) -> None:
        if self._here:
            self.state.look_at(lat, lon, zoom)
            if self.tools.narrow.isChecked():
                self.state.narrow(self._box())

    def _narrow(self, only: bool) -> None:
        self.state.narrow(self._box() if only else None)

    def _box(self) -> Box | None:
        if self.state.view is None:
            return None
        lat, lon, zoom = self.state.view
        return box_of(lat, lon, zoom, self._board.width(), self._board.height())

    def _show_clusters(self) -> None:
        if not self._here:
            return
        chosen = {item.number for item in self.chosen()}
        self._board.set_results(
            [
                {
                    "id": f"{MARK}{heap.number}",
                    "lat": heap.lat,
                    "lon": heap.lon,
                    "count": heap.count,
                    "heading": self.state.items[heap.number].record.heading if heap.count == 1 else None,
                    "current": heap.count == 1 and heap.number in chosen,
                }
                for heap in self.state.clusters
                if heap.number < len(self.state.items)
            ]
        )

    def _mark_clicked(self, mark: str) -> None:
        if not self._here or not mark.startswith(MARK):
            return
        number = int(mark.removeprefix(MARK))
        heap = next((heap for heap in self.state.clusters if heap.number == number), None)
        row = self.state.model.row_of(number)
        if row >= 0:
            self.show_list()
            self.grid.choose(row)
        zoom = self.state.view[2] if self.state.view else 13.0
        if heap and heap.count > 1 and zoom < NEAREST:
            self._board.fly_to(heap.lat, heap.lon, min(zoom + CLUSTER_ZOOM, NEAREST))

    def _fit(self, *, stray: bool = True) -> None:
        box = self.state.bounds(stray=stray)
        if box and self._here:
            self._board.fit(box.south, box.west, box.north, box.east)

    def _show_on_map(self) -> None:
        item = self.detail.item
        if item:
            self._board.fly_to(item.record.lat, item.record.lon, PLACE_ZOOM)

    # -- what is done to what is chosen --

    def draw_beside(self) -> None:
        """Draw the place of the chosen photo, beside the photo."""
        chosen = self.chosen()
        if len(chosen) == 1:
            self.body.setCurrentIndex(self.BESIDE)
            self.beside.show_photo(chosen[0].record)
            self.beside.draw()
            self.beside.back.setFocus()

    def toggle_left_out(self) -> None:
        """Leave the chosen photos out of training; take them back in if all of them are left out."""
        chosen = self.chosen()
        if chosen:
            self.state.leave_out(chosen, out=not all(item.left_out for item in chosen))

    def leave_out_flagged(self) -> None:
        """Leave everything that is flagged out of training."""
        self.state.leave_out([item for item in self.state.items if item.flag], out=True)

    def only_chosen(self) -> None:
        """Leave everything out of training but what is chosen."""
        numbers = {item.number for item in self.chosen()}
        if numbers:
            self.state.leave_out([item for item in self.state.items if item.number not in numbers], out=True)

    def _tell_changed(self, sentence: str) -> None:
        action = self.tr("Undo") if self.state.can_undo else ""
        self._session.notify(Notice(Tone.PLAIN, sentence, "", action, self.undo if action else None))

    def menu(self) -> Menu:
        """Return what can be done with the chosen photos."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        chosen = self.chosen()
        if len(chosen) == 1:
            path = chosen[0].record.path
            menu.add(self.tr("Draw this place"), "picture", self.draw_beside, self.tr("Enter"))
            menu.add(self.tr("Show on the map"), "explore", self._show_on_map)
            menu.add(self.tr("Show in folder"), "folder", lambda: show_in_folder(path))
            menu.addSeparator()
        out = all(item.left_out for item in chosen)
        words = self.tr("Take back into training") if out else self.tr("Leave out of training")
        menu.add(words, "minus", self.toggle_left_out, self.tr("Del"))
        menu.add(self.tr("Train with these only"), "train", self.only_chosen)
        return menu

    def more_menu(self) -> Menu:
        """Return what can be done with all photos."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        state = self.state
        menu.add(self.tr("Choose all"), "check", self.grid.selectAll, self.tr("Ctrl+A"))
        flagged = menu.add(self.tr("Leave all flagged out of training"), "flag", self.leave_out_flagged)
        flagged.setEnabled(any(item.flag and not item.left_out for item in state.items))
        back = menu.add(self.tr("Take all back into training"), "undo", lambda: state.leave_out(state.items, out=False))
        back.setEnabled(any(item.left_out for item in state.items))
        menu.add(self.tr("Files without a place…"), "info", self.show_refused)
        menu.add(self.tr("Models…"), "quality", self.models_asked.emit)
        if state.collections:
            menu.addSeparator()
        for collection in state.collections[:12]:
            name = menu_text(clean_text(collection.folder.name, 40))
            again = menu.add(
                self.tr("Import “{0}” again").format(name), "import", partial(self.take_folder, collection.folder)
            )
            again.setEnabled(state.importing is None)
            menu.add(self.tr("Forget “{0}”…").format(name), "trash", partial(self._ask_forget, collection.folder))
        return menu

    def _show_more(self) -> None:
        menu = self.more_menu()
        corner = self.more.mapToGlobal(QPoint(self.more.width(), self.more.height() + SPACE_1))
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def _ask_forget(self, folder: Path) -> None:
        box = QMessageBox(self)
        box.setObjectName("forget")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("GPSDream")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("Forget the photos of “{0}”?").format(clean_text(folder.name, 80)))
        box.setInformativeText(self.tr("The files stay where they are. Importing the folder again brings them back."))
        keep = box.addButton(self.tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        forget = box.addButton(self.tr("Forget"), QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        forget.clicked.connect(lambda: self.state.forget(folder))
        box.open()

    # -- dropping a folder --

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a folder."""
        if self._dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Import a folder that was dropped."""
        folder = self._dropped(event)
        if folder:
            event.acceptProposedAction()
            self.take_folder(folder)

    def _dropped(self, event: QDropEvent) -> Path | None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return paths[0] if len(paths) == 1 and paths[0].is_dir() else None
