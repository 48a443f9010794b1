"""The Library place beside the map: filters above, the grid of everything made, and the chosen picture beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.library.compare import ComparePart, compared
from gpsdream_app.ui.library.detail import Detail, Recall
from gpsdream_app.ui.library.filters import TRASH, Filters, LibraryTools
from gpsdream_app.ui.library.grid import LibraryGrid
from gpsdream_app.ui.library.model import Item
from gpsdream_app.ui.library.state import LibraryState
from gpsdream_app.ui.library.variations import VariationsPart
from gpsdream_app.ui.neighbourhoods.book import Group
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.session import Notice, Session, Tone, single_request
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, TextButton, label

SMALLEST = 560
MAX_DONE_AT_ONCE = 5000  # pictures that one command takes
CLUSTER_ZOOM = 2.0  # steps nearer when a heap of pictures is clicked
NEAREST = 19.0
TILE_PIXELS = 256
ROW = "row:"  # begins the ids of marks on the map, which shall not be taken for results


class LibraryPage(QFrame):
    """The place.

    Signals:
        save_asked: a picture shall be saved; its result.
        show_asked: a picture shall be shown large, with its request in the form (`Result`).
        explore_asked: the form has got something; it shall be seen.
    """

    save_asked = Signal(Result)
    show_asked = Signal(Result)
    explore_asked = Signal()
    LIST, COMPARE, VARIATIONS = range(3)

    def __init__(self, theme: Theme, session: Session, board: Any, parent: QWidget | None = None) -> None:
        """Make the place.

        Args:
            theme: the look.
            session: knows the library, the form and the queue.
            board: the map: a `MapView`, or in tests what stands in for it. It is told nothing before `enter`.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._session, self._board = theme, session, board
        self.state: LibraryState = session.library_place
        self._here = False
        self._items: list[Item] = []
        self.setObjectName("panel")
        self.setMinimumWidth(SMALLEST)
        self.tools = LibraryTools(theme, self)
        self.notice = NoticeBar(theme, session, self)
        self.body = QStackedWidget(self)
        self.body.addWidget(self._make_list(theme))
        self.compare = ComparePart(theme, session, self)
        self.body.addWidget(self.compare)
        self.variations = VariationsPart(theme, session, self)
        self.body.addWidget(self.variations)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addWidget(self.notice)
        column.addWidget(self.body, 1)
        self._connect()
        self._show_found()

    def _make_list(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.title = ElidedLabel(self.tr("Library"), "title", part)
        self.facts = ElidedLabel("", "muted", part)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        self.compare_button = TextButton(theme, self.tr("Compare"), "compare", look="plain", parent=part)
        self.vary_button = TextButton(theme, self.tr("Variations"), "grid", look="plain", parent=part)
        self.export_button = TextButton(theme, self.tr("Export"), "export", look="plain", parent=part)
        self.more = IconButton(theme, "more", self.tr("More for the library"), parent=part)
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addLayout(words, 1)
        for button in (self.compare_button, self.vary_button, self.export_button, self.more):
            head.addWidget(button)
        self.filters = Filters(theme, part)
        self.grid = LibraryGrid(theme, self.state.model, part)
        self.empty = label("", "muted", wrap=True, parent=self.grid.viewport())
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.detail = Detail(theme, self._session, part)
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
        self.filters.changed.connect(self._ask)
        self.filters.down_asked.connect(self._to_grid)
        self.grid.picked.connect(self._show_picked)
        self.grid.opened.connect(lambda: self._one(self.show_asked.emit))
        self.grid.delete_asked.connect(self.delete_chosen)
        self.grid.star_asked.connect(self.star_chosen)
        self.grid.menu_asked.connect(self._show_menu)
        self.detail.recall_asked.connect(lambda key: self._one(lambda result: self.recall(result, Recall(key))))
        self.detail.star_asked.connect(self.star_chosen)
        self.compare_button.clicked.connect(self.compare_chosen)
        self.vary_button.clicked.connect(self.vary_chosen)
        self.export_button.clicked.connect(self.export_chosen)
        self.more.clicked.connect(self._show_more)
        self.compare.left.connect(self.show_list)
        self.variations.left.connect(self.show_list)
        self.variations.chosen.connect(self.show_asked)
        self.tools.narrow_asked.connect(self._narrow)
        self.tools.fit_asked.connect(lambda: state.bounds(self._fit))
        state.found.connect(self._show_found)
        # New pictures come into the list while one looks at it; only another question begins at the top again.
        state.query_changed.connect(self.grid.scrollToTop)
        state.facets_changed.connect(self._show_facets)
        state.clusters_changed.connect(self._show_clusters)
        state.stars_changed.connect(self._show_picked)
        state.model.dataChanged.connect(lambda *_: self._show_picked())
        state.deleted.connect(self._tell_deleted)
        state.restored.connect(self._tell_restored)
        state.said.connect(lambda text: self._session.notify(Notice(Tone.PLAIN, text)))
        state.failed.connect(self._failed)
        board.view_changed.connect(self._view_changed)
        board.result_clicked.connect(self._mark_clicked)

    # -- coming and going --

    def enter(self) -> None:
        """Show the pictures on the map, and read what is new."""
        self._here = True
        self._board.set_picking(False)
        self._board.set_examples([])
        self._board.clear_pin()
        self._board.set_results([])
        if self.state.view is None:
            self.state.view = self._session.settings.view
        self._read_regions()
        self.state.open()
        self._show_clusters()

    def leave(self) -> None:
        """Give the map back."""
        self._here = False
        self._board.set_results([])
        self._board.set_picking(True)

    def undo(self) -> None:
        """Bring back what was deleted last."""
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
        """Draw the variations, if they are in sight."""
        if self.body.currentIndex() == self.VARIATIONS:
            self.variations.draw()

    def show_list(self) -> None:
        """Go back to the grid."""
        self.body.setCurrentIndex(self.LIST)
        self.grid.setFocus()

    def search(self) -> None:
        """Go to the search field."""
        self.show_list()
        self.filters.words.setFocus()
        self.filters.words.selectAll()

    # -- what is asked for --

    def _ask(self) -> None:
        query = self.filters.query(self.state.query)
        self.state.ask(query, meshes=self.filters.meshes)
        if not self.filters.meshes and query.trashed:
            self._show_picked()

    def _narrow(self, only: bool) -> None:
        self.state.change(box=self._box() if only else None)

    def _box(self) -> Box | None:
        """Return what the map shows."""
        view = self.state.view
        if view is None:
            return None
        lat, lon, zoom = view
        return box_of(lat, lon, zoom, self._board.width(), self._board.height())

    def _view_changed(self, lat: float, lon: float, zoom: float) -> None:
        if self._here:
            self.state.look_at(lat, lon, zoom)
            if self.tools.narrow.isChecked():
                self.state.change(box=self._box())

    def _read_regions(self) -> None:
        """Offer the regions of the city and a person's own, without waiting for the Neighbourhoods place."""
        book = self._session.neighbourhoods.book

        def show() -> None:
            own = [listed for listed in book.listed if listed.group is Group.OWN]
            rest = [listed for listed in book.listed if listed.group is not Group.OWN]
            order = [*own, *(listed for listed in rest if listed.group is not Group.PARK)]
            order += [listed for listed in rest if listed.group is Group.PARK and listed.photos]
            self.filters.show_regions([listed.region for listed in order])

        if not book.is_read:
            book.read.connect(show, Qt.ConnectionType.SingleShotConnection)
            self._session.neighbourhoods.open()
        show()

    # -- what is shown --

    def _to_grid(self) -> None:
        self.grid.setFocus()
        if not self.grid.currentIndex().isValid() and self.state.model.rowCount():
            self.grid.choose(0)

    def _show_found(self) -> None:
        self._show_facets()

    def _show_facets(self) -> None:
        state = self.state
        self.filters.show_facets(state.facets)
        count, total = state.model.rowCount(), state.facets.total
        if state.busy:
            text = state.busy
        elif state.meshes:
            text = self.tr("1 mesh") if count == 1 else self.tr("{0} meshes").format(f"{count:,}")
        elif state.query.trashed:
            text = self.tr("{0} in the trash; after 30 days they are deleted for good").format(f"{count:,}")
        elif state.query.narrows:
            text = self.tr("{0} of {1} pictures").format(f"{count:,}", f"{total:,}")
        else:
            text = self.tr("1 picture") if count == 1 else self.tr("{0} pictures").format(f"{count:,}")
        self.facts.setText(text)
        self.empty.setVisible(count == 0)
        self.empty.setText(self._empty_text())
        self._place_empty()
        self._show_picked()

    def _empty_text(self) -> str:
        state = self.state
        if state.meshes:
            return self.tr("No landmark has been lifted yet. The Landmarks place does it.")
        if state.query.trashed:
            return self.tr("The trash is empty.")
        if state.query.narrows:
            return self.tr("Nothing that was made is like this. Take a filter away, or move the map.")
        return self.tr("Everything you make gathers here. Draw a first picture in Explore (Ctrl+1).")

    def _place_empty(self) -> None:
        width = self.grid.viewport().width()
        self.empty.setGeometry(SPACE_4, 80, max(80, width - 2 * SPACE_4), 80)

    def resizeEvent(self, event: Any) -> None:
        """Keep the sentence of the empty grid in its place."""
        super().resizeEvent(event)
        self._place_empty()

    def _show_picked(self) -> None:
        count = self.grid.chosen_count()
        rows = self.grid.chosen_rows(2)
        self._items = [item for row in rows if (item := self.state.model.item(row))]
        self.detail.show_items(self._items, count)
        pictures = bool(count) and not self.state.meshes
        trashed = self.state.query.trashed
        self.compare_button.setEnabled(pictures and count == 2)
        self.compare_button.setToolTip(self.tr("Compare two pictures: choose both with Ctrl and a click"))
        self.vary_button.setEnabled(pictures and not trashed)
        self.vary_button.setToolTip(self.tr("Draw the first chosen picture again, in a grid over two of its values"))
        self.export_button.setEnabled(pictures and not trashed)
        for button in self.detail.buttons.values():
            if trashed:
                button.hide()

    # -- the map --

    def _show_clusters(self) -> None:
        if not self._here:
            return
        chosen = {item.entry.number for item in self._items if item.entry}
        self._board.set_results(
            [
                {
                    "id": f"{ROW}{heap.number}",
                    "lat": heap.lat,
                    "lon": heap.lon,
                    "count": heap.count,
                    "current": heap.count == 1 and heap.number in chosen,
                }
                for heap in self.state.clusters
            ]
        )

    def _mark_clicked(self, mark: str) -> None:
        if not self._here or not mark.startswith(ROW):
            return
        number = int(mark.removeprefix(ROW))
        heap = next((heap for heap in self.state.clusters if heap.number == number), None)
        row = self.state.model.row_of(number)
        if row >= 0:
            self.show_list()
            self.grid.choose(row)
        zoom = self.state.view[2] if self.state.view else 13.0
        if heap and heap.count > 1 and zoom < NEAREST:
            self._board.fly_to(heap.lat, heap.lon, min(zoom + CLUSTER_ZOOM, NEAREST))

    def _fit(self, box: Box | None) -> None:
        if box and self._here:
            self._board.fit(box.south, box.west, box.north, box.east)

    # -- what is done to what is chosen --

    def _chosen(self, done: Callable[[list[Item]], None]) -> None:
        rows = self.grid.chosen_rows(MAX_DONE_AT_ONCE)
        if rows:
            self.state.read_rows(rows, done)

    def _results(self, done: Callable[[list[Result]], None]) -> None:
        self._chosen(lambda items: done([item.result for item in items if item.result]))

    def _one(self, call: Callable[[Result], None]) -> None:
        """Do something with the current picture, or with the first of those that are chosen."""
        item = self.state.model.item(self.grid.currentIndex().row()) if self.grid.currentIndex().isValid() else None
        if item and item.result and not self.state.query.trashed:
            call(item.result)

    def recall(self, result: Result, what: Recall) -> None:
        """Put a picture's request, or a part of it, into the form, and go there."""
        form, request = self._session.form, single_request(result)
        if what is Recall.ALL:
            self.show_asked.emit(result)
            return
        if what is Recall.REMIX:
            self._session.remix(result)
        elif what is Recall.PROMPT:
            form.prompt, form.negative_prompt = request.prompt, request.negative_prompt
        elif what is Recall.PLACE and request.place:
            form.set_place(request.place)
        elif what is Recall.SEED:
            form.seed, form.seed_locked = request.seed, True
        self.explore_asked.emit()

    def star_chosen(self) -> None:
        """Give the chosen pictures a star; take it away if all of them have one."""

        def work(items: list[Item]) -> None:
            pictures = [item for item in items if item.result]
            starred = not all(item.starred for item in pictures)
            self.state.star([item.result for item in pictures if item.result], starred)

        self._chosen(work)

    def delete_chosen(self) -> None:
        """Put the chosen pictures into the trash; those in the trash are deleted for good, after a question."""
        if self.state.meshes:
            return
        if self.state.query.trashed:
            count = min(self.grid.chosen_count(), MAX_DONE_AT_ONCE)
            if count:
                self._ask_for_good(count, lambda: self._results(self.state.delete_for_good))
            return
        self._results(self.state.delete)

    def restore_chosen(self) -> None:
        """Bring the chosen pictures back from the trash."""
        if self.state.query.trashed:
            self._results(self.state.restore)

    def empty_trash(self) -> None:
        """Delete everything in the trash for good, after a question."""
        self._ask_for_good(self.state.facets.trashed, lambda: self.state.delete_for_good(None))

    def compare_chosen(self) -> None:
        """Compare the two chosen pictures."""

        def show(items: list[Item]) -> None:
            pair = compared(items)
            if pair:
                self.body.setCurrentIndex(self.COMPARE)
                self.compare.show_results(*pair)
                self.compare.slider.setFocus()

        self._chosen(show)

    def vary_chosen(self) -> None:
        """Begin a grid of variations of the first chosen picture."""

        def show(results: list[Result]) -> None:
            if results:
                request: GenerateRequest = single_request(results[0])
                self.variations.start(request, results[1:])
                self.body.setCurrentIndex(self.VARIATIONS)
                self.variations.axes[0].setFocus()

        self._results(show)

    def export_chosen(self) -> None:
        """Ask as what the chosen pictures shall be exported."""

        def show(results: list[Result]) -> None:
            if results:
                # Imported late: it brings the writers of all formats along.
                from gpsdream_app.ui.library.export_dialog import ExportDialog

                ExportDialog(self._session, results, self.window()).open()

        self._results(show)

    # -- menus and questions --

    def _show_menu(self, point: QPoint) -> None:
        self.menu().popup(point)

    def menu(self) -> Menu:
        """Return what can be done with what is chosen."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        item = self._items[0] if self._items else None
        if self.state.query.trashed:
            menu.add(self.tr("Put back"), "undo", self.restore_chosen)
            menu.add(self.tr("Delete for good…"), "trash", self.delete_chosen, self.tr("Del"))
            return menu
        if item and item.lift:
            folder = Path(item.lift.folder)
            menu.add(self.tr("Show in folder"), "folder", lambda: show_in_folder(folder / "mesh.glb"))
            return menu
        count = self.grid.chosen_count()
        result = item.result if item else None
        if count == 1 and result:
            place = result.request.place
            menu.add(self.tr("Use all its settings"), "undo", lambda: self.recall(result, Recall.ALL), self.tr("Enter"))
            menu.add(self.tr("Remix with a new seed"), "remix", lambda: self.recall(result, Recall.REMIX))
            menu.add(self.tr("Use its words"), "edit", lambda: self.recall(result, Recall.PROMPT))
            if place:
                menu.add(self.tr("Use its place"), "pin", lambda: self.recall(result, Recall.PLACE))
            menu.add(self.tr("Use its seed"), "dice", lambda: self.recall(result, Recall.SEED))
            if place:
                menu.add(
                    self.tr("Show it on the map"), "explore", lambda: self._board.fly_to(place.lat, place.lon, 16.5)
                )
            menu.addSeparator()
        menu.add(self.tr("Star"), "star", self.star_chosen, self.tr("S"))
        if count == 2:
            menu.add(self.tr("Compare"), "compare", self.compare_chosen)
        menu.add(self.tr("Variations…"), "grid", self.vary_chosen)
        menu.add(self.tr("Export…"), "export", self.export_chosen)
        if count == 1 and result:
            menu.add(self.tr("Save as…"), "save", lambda: self.save_asked.emit(result))
            menu.add(
                self.tr("Copy parameters"),
                "parameters",
                lambda: QGuiApplication.clipboard().setText(self._session.parameters(result)),
            )
            menu.add(self.tr("Show in folder"), "folder", lambda: show_in_folder(Path(result.path)))
        menu.addSeparator()
        menu.add(self.tr("Delete"), "trash", self.delete_chosen, self.tr("Del"))
        return menu

    def _show_more(self) -> None:
        menu = self.more_menu()
        corner = self.more.mapToGlobal(QPoint(self.more.width(), self.more.height() + SPACE_1))
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def more_menu(self) -> Menu:
        """Return what can be done with the whole library."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        order = self.tr("Newest first") if self.state.query.oldest_first else self.tr("Oldest first")
        menu.add(order, "down", lambda: self.state.change(oldest_first=not self.state.query.oldest_first))
        menu.add(self.tr("Choose all"), "check", self.grid.selectAll, self.tr("Ctrl+A"))
        menu.addSeparator()
        menu.add(self.tr("Find moved pictures…"), "search", self._ask_find_again)
        menu.add(self.tr("Read all pictures again"), "import", self.state.rebuild)
        menu.addSeparator()
        if self.state.query.trashed:
            action = menu.add(self.tr("Empty the trash…"), "trash", self.empty_trash)
            action.setEnabled(self.state.facets.trashed > 0)
        else:
            menu.add(self.tr("Show the trash"), "trash", lambda: self.filters.show_kind(TRASH))
        return menu

    def _ask_find_again(self) -> None:
        dialog = QFileDialog(self, self.tr("Where to look for moved pictures"), str(self._session.settings.save_folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda path: self.state.find_again(Path(path)))
        dialog.open()

    def _ask_for_good(self, count: int, call: Callable[[], None]) -> None:
        box = QMessageBox(self)
        box.setObjectName("forGood")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("GPSDream")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(
            self.tr("Delete one picture for good?")
            if count == 1
            else self.tr("Delete {0} pictures for good?").format(f"{count:,}")
        )
        box.setInformativeText(self.tr("This cannot be taken back."))
        keep = box.addButton(self.tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        gone = box.addButton(self.tr("Delete for good"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        gone.clicked.connect(call)
        box.open()

    # -- what happened --

    def _tell_deleted(self, count: int) -> None:
        text = (
            self.tr("The picture is in the trash.")
            if count == 1
            else self.tr("{0} pictures are in the trash.").format(f"{count:,}")
        )
        self._session.notify(Notice(Tone.PLAIN, text, "", self.tr("Undo"), self._undo_from_notice))

    def _undo_from_notice(self) -> None:
        self._session.dismiss()
        self.state.undo()

    def _tell_restored(self, count: int) -> None:
        text = self.tr("The picture is back.") if count == 1 else self.tr("{0} pictures are back.").format(f"{count:,}")
        self._session.notify(Notice(Tone.PLAIN, text))

    def _failed(self, failure: Failure) -> None:
        self._session.notify_failure(failure)


def box_of(lat: float, lon: float, zoom: float, width: int, height: int) -> Box | None:
    """Return the box that a web map shows; None if there is none.

    Args:
        lat: latitude of the middle, degrees.
        lon: longitude of the middle, degrees.
        zoom: at zoom 0 the Earth is 256 pixels wide, and twice as wide with each step.
        width: of the map, pixels.
        height: of the map, pixels.
    """
    world = TILE_PIXELS * 2.0**zoom
    half_lon = 180.0 * width / world
    sine = math.sin(math.radians(min(max(lat, -85.0), 85.0)))
    y = 0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)
    edges = [
        math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (y + side * height / 2 / world))))) for side in (1, -1)
    ]
    try:
        return Box(max(-90.0, edges[0]), max(-180.0, lon - half_lon), min(90.0, edges[1]), min(180.0, lon + half_lon))
    except GPSDreamError:
        return None
