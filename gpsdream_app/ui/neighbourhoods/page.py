"""The Neighbourhoods place beside the map: the form at its left, pictures at its right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.results import Result
from gpsdream_app.geo.regions import centre
from gpsdream_app.ui.neighbourhoods.averages import Card
from gpsdream_app.ui.neighbourhoods.book import Group, Listed
from gpsdream_app.ui.neighbourhoods.form import AveragesForm
from gpsdream_app.ui.neighbourhoods.grid import CardGrid, GridScroll
from gpsdream_app.ui.neighbourhoods.insights import FEWEST_TO_COMPARE
from gpsdream_app.ui.neighbourhoods.likeness_view import LikenessView, sentence
from gpsdream_app.ui.neighbourhoods.map_tools import EDIT, LINE, MapTools
from gpsdream_app.ui.neighbourhoods.region_page import InsightBar, RegionPage
from gpsdream_app.ui.neighbourhoods.state import Export, Neighbourhoods
from gpsdream_app.ui.neighbourhoods.walk_page import WalkForm, WalkPage
from gpsdream_app.ui.neighbourhoods.wish import NOISES
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.phrases import first_upper, one_line, time_left_text, tooltip
from gpsdream_app.ui.progress import LINE_HEIGHT, ProgressLine
from gpsdream_app.ui.session import Session
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, Segments, TextButton, label

FORM_WIDTH = 256
BODY_SMALLEST = 300
AVERAGES, WALK = "averages", "walk"
THUMBNAIL_MILLISECONDS = 60


class NeighbourhoodsPage(QFrame):
    """The place.

    Signals:
        save_asked: a picture shall be saved; its result.
    """

    save_asked = Signal(Result)
    GRID, REGION, LIKENESS = range(3)

    def __init__(self, theme: Theme, session: Session, board: Any, parent: QWidget | None = None) -> None:
        """Make the place.

        Args:
            theme: the look.
            session: knows model, city and library.
            board: the map: a `MapView`, or in tests what stands in for it. It is told nothing before `enter`.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._session, self._board = theme, session, board
        self.state: Neighbourhoods = session.neighbourhoods
        self._here = False
        self._fitted = False
        self.setObjectName("panel")
        self.setMinimumWidth(FORM_WIDTH + BODY_SMALLEST + 3 * SPACE_4)
        self.tools = MapTools(theme, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        row.setSpacing(SPACE_4)
        row.addLayout(self._make_left(theme))
        row.addLayout(self._make_right(theme), 1)
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(THUMBNAIL_MILLISECONDS)
        self._due.timeout.connect(self._show_regions)
        self._connect()
        self._show_tab(AVERAGES)

    # -- the parts --

    def _make_left(self, theme: Theme) -> QVBoxLayout:
        self.tabs = Segments(
            theme, [(AVERAGES, self.tr("Averages"), "neighbourhoods"), (WALK, self.tr("Walk"), "route")], self
        )
        self.tabs.chosen.connect(self._show_tab)
        self.form = AveragesForm(theme, self._session, self.state, self)
        self.walk_form = WalkForm(theme, self._session, self.state, self)
        self.forms = QStackedWidget(self)
        self.forms.addWidget(self.form)
        self.forms.addWidget(self.walk_form)
        self.forms.setFixedWidth(FORM_WIDTH)
        self.tabs.setFixedWidth(FORM_WIDTH)
        column = QVBoxLayout()
        column.setSpacing(SPACE_3)
        column.addWidget(self.tabs)
        column.addWidget(self.forms, 1)
        return column

    def _make_right(self, theme: Theme) -> QVBoxLayout:
        self.notice = NoticeBar(theme, self._session, self)
        averages = QWidget(self)
        column = QVBoxLayout(averages)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addWidget(self._make_head(theme))
        column.addWidget(self._make_running(theme))
        self.grid = CardGrid(theme, self.state.averages, self)
        self.grid_scroll = GridScroll(theme, self.grid, self)
        self.region = RegionPage(theme, self._session, self.state, self)
        self.body = QStackedWidget(self)
        self.body.addWidget(self.grid_scroll)
        self.body.addWidget(self.region)
        self.body.addWidget(self._make_likeness(theme))
        column.addWidget(self.body, 1)
        self.empty = label("", "muted", wrap=True, parent=self.grid_scroll.viewport())
        self.walk = WalkPage(theme, self._session, self.state, self)
        self.bodies = QStackedWidget(self)
        self.bodies.addWidget(averages)
        self.bodies.addWidget(self.walk)
        whole = QVBoxLayout()
        whole.setSpacing(SPACE_2)
        whole.addWidget(self.notice)
        whole.addWidget(self.bodies, 1)
        return whole

    def _make_head(self, theme: Theme) -> QWidget:
        head = self.head = QWidget(self)
        self.title = ElidedLabel("", "title", head)
        self.facts = ElidedLabel("", "muted", head)
        self.stop = TextButton(theme, self.tr("Stop"), "stop", look="plain", parent=head)
        self.stop.setToolTip(tooltip(self.tr("Stop drawing (Esc). Finished averages stay.")))
        self.stop.clicked.connect(self.state.averages.stop)
        self.add_noise = IconButton(theme, "dice", self.tr("Draw them from one more noise"), size=16, parent=head)
        self.add_noise.clicked.connect(self.state.averages.draw_all_other_noise)
        self.fewer_noise = IconButton(theme, "back", self.tr("The noise before"), size=16, parent=head)
        self.more_noise = IconButton(theme, "forward", self.tr("The next noise"), size=16, parent=head)
        self.noise = label("", "small", parent=head)
        averages = self.state.averages
        self.fewer_noise.clicked.connect(lambda: averages.show_noise(averages.noise - 1))
        self.more_noise.clicked.connect(lambda: averages.show_noise(averages.noise + 1))
        self.alike = TextButton(theme, self.tr("Look-alikes"), "alike", look="plain", parent=head)
        self.alike.setAccessibleName(self.tr("Which averages look alike?"))
        self.alike.clicked.connect(self._compare)
        self.export = TextButton(theme, self.tr("Export"), "export", look="plain", parent=head)
        self.export.clicked.connect(self._show_export_menu)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_1)
        row.addLayout(words, 1)
        row.addWidget(self.stop)
        for widget in (self.fewer_noise, self.noise, self.more_noise, self.add_noise, self.alike, self.export):
            row.addWidget(widget)
        return head

    def _make_running(self, theme: Theme) -> QWidget:
        self.line = ProgressLine(theme, self)
        self.line.setFixedHeight(LINE_HEIGHT)
        # Its place is kept, so that nothing moves when drawing begins.
        policy = self.line.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.line.setSizePolicy(policy)
        return self.line

    def _make_likeness(self, theme: Theme) -> QWidget:
        part = QWidget(self)
        self.back = IconButton(theme, "back", self.tr("Back to all averages (Esc)"), parent=part)
        self.back.clicked.connect(self.show_grid)
        heading = label(self.tr("Which look alike?"), "lead", parent=part)
        self.likeness_bar = InsightBar(theme, self.state.likeness, part)
        self.likeness_bar.again_asked.connect(self.state.likeness.show)
        self.likeness = LikenessView(theme, part)
        row = QHBoxLayout()
        row.setSpacing(SPACE_2)
        row.addWidget(self.back)
        row.addWidget(heading, 1)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_2)
        column.addLayout(row)
        column.addWidget(self.likeness_bar)
        column.addWidget(self.likeness, 1)
        return part

    def _connect(self) -> None:
        state, board = self.state, self._board
        averages, book, walk = state.averages, state.book, state.walk
        self.form.draw_asked.connect(self.draw)
        self.form.menu_asked.connect(self._show_file_menu)
        self.form.list.street_asked.connect(self._add_street)
        self.form.list.menu_asked.connect(self._show_region_menu)
        self.form.list.delete_asked.connect(book.delete)
        self.form.list.hovered.connect(self._highlight)
        self.walk_form.draw_asked.connect(self.draw)
        self.walk_form.line_asked.connect(lambda: self._take_tool(LINE))
        self.grid.chosen.connect(self.show_region)
        self.grid.menu_asked.connect(self._show_region_menu)
        self.region.left.connect(self.show_grid)
        self.region.save_asked.connect(self._save_picture)
        self.walk.save_asked.connect(self._save_film)
        self.walk.strip_asked.connect(self._save_strip)
        averages.cards_changed.connect(self._show_averages)
        averages.cards_changed.connect(self._show_regions_soon)
        averages.card_changed.connect(self._card_changed)
        averages.working_changed.connect(self._show_working)
        averages.wish_changed.connect(self._show_averages)
        averages.noise_changed.connect(self._show_averages)
        book.changed.connect(self._show_regions_soon)
        book.changed.connect(lambda: self.tools.show_undo(book.can_undo))
        book.selection_changed.connect(self._show_regions_soon)
        book.read.connect(self._fit_map)
        book.drawn.connect(self._name_drawn)
        state.likeness.changed.connect(self._show_likeness)
        state.exporting_changed.connect(self._show_averages)
        walk.changed.connect(self._show_walk)
        walk.index_changed.connect(self._show_walk)
        walk.frames_changed.connect(self._show_walk)
        self.tools.tool_chosen.connect(self._take_tool)
        self.tools.undo_asked.connect(book.undo)
        board.region_clicked.connect(self._region_clicked)
        board.region_drawn.connect(self._drawn)
        board.region_edited.connect(self._edited)
        board.drawing_ended.connect(self._drawing_ended)
        self._show_averages()
        self._show_working()

    # -- coming and going --

    def enter(self) -> None:
        """Show the place on the map; what was drawn before is there at once."""
        self._here = True
        self._board.set_picking(False)
        self._board.set_results([])
        self._board.set_examples([])
        self._board.clear_pin()
        self.state.open()
        self._show_regions()
        self._show_walk()
        self._fit_map()

    def leave(self) -> None:
        """Give the map back."""
        self._here = False
        self._due.stop()
        self.state.walk.pause()
        self._board.stop_drawing()
        self._board.set_regions([])
        self._board.set_walk([])
        self._board.set_picking(True)
        self.state.remember()

    @property
    def walking(self) -> bool:
        """Whether the walk is in sight."""
        return self.bodies.currentWidget() is self.walk

    def _show_tab(self, key: str) -> None:
        number = (AVERAGES, WALK).index(key)
        self.tabs.show_choice(key)
        self.forms.setCurrentIndex(number)
        self.bodies.setCurrentIndex(number)
        if number == 0:
            self.state.walk.pause()
        self._show_walk()
        self._show_regions_soon()

    def show_averages(self) -> None:
        """Go to the averages."""
        self._show_tab(AVERAGES)

    def show_walk(self) -> None:
        """Go to the walk."""
        self._show_tab(WALK)

    def show_grid(self) -> None:
        """Go back to all averages."""
        before = self.region.region_id if self.body.currentIndex() == self.REGION else ""
        self.body.setCurrentIndex(self.GRID)
        self.head.show()
        if before and any(button.region_id == before for button in self.grid.buttons):
            self.grid.button(before).setFocus()
        self._show_averages()

    def show_region(self, region_id: str) -> None:
        """Show one region's average large."""
        self._show_tab(AVERAGES)
        self.body.setCurrentIndex(self.REGION)
        self.head.hide()
        self.region.show_region(region_id)
        self.region.view.setFocus()

    def escape(self) -> bool:
        """Put away what stands in front, or stop drawing; returns whether there was something."""
        if self._board.drawing:
            self._board.stop_drawing()
            return True
        if not self.walking and self.body.currentIndex() != self.GRID:
            self.show_grid()
            return True
        if self.walking and self.state.walk.job:
            self.state.walk.stop()
            return True
        if self.state.averages.working:
            self.state.averages.stop()
            return True
        return False

    def undo(self) -> None:
        """Take the last corner of a drawing back, else the last change to a person's own regions."""
        if self._board.drawing:
            self._board.undo_drawing()
        else:
            self.state.book.undo()

    def draw(self) -> None:
        """Draw what is missing, averages or walk."""
        if self.walking:
            self.state.walk.draw()
        else:
            self.state.draw()

    # -- what is shown --

    def _show_averages(self) -> None:
        averages = self.state.averages
        wish, cards = averages.wish, averages.cards
        concept = one_line(wish.concept)
        self.title.setText(self.tr("The average {0}").format(concept) if concept else self.tr("The average place"))
        if averages.working:
            self._show_noise_and_buttons()
            return
        parts = [self.tr("1 region") if len(cards) == 1 else self.tr("{0} regions").format(len(cards))]
        parts.append(self.tr("the same noise everywhere"))
        self.facts.setText(" · ".join(parts) if cards else self.tr("No region is chosen"))
        self._show_noise_and_buttons()

    def _show_noise_and_buttons(self) -> None:
        averages = self.state.averages
        wish, done = averages.wish, averages.done
        several = wish.noises > 1
        for widget in (self.fewer_noise, self.noise, self.more_noise):
            widget.setVisible(several)
        self.noise.setText(self.tr("noise {0} of {1}").format(averages.noise + 1, wish.noises))
        self.fewer_noise.setEnabled(averages.noise > 0)
        self.more_noise.setEnabled(averages.noise < wish.noises - 1)
        self.add_noise.setVisible(bool(done))
        self.add_noise.setEnabled(not averages.working and wish.noises < NOISES[1])
        enough = len(done) >= FEWEST_TO_COMPARE
        self.alike.setEnabled(enough)
        self.alike.setToolTip(
            tooltip(self.tr("Which averages look alike?") if enough else self.tr("Three averages are needed for that."))
        )
        self.export.setEnabled(bool(done) and not self.state.exporting)
        self.export.setText(self.tr("Exporting…") if self.state.exporting else self.tr("Export"))
        self._show_empty()

    def _show_empty(self) -> None:
        book = self.state.book
        nothing = book.is_read and not self.state.averages.cards
        self.empty.setVisible(nothing)
        self.empty.setText(self.tr("Choose regions in the list or click them on the map, or draw one of your own."))
        self.empty.setGeometry(self.grid_scroll.viewport().rect().adjusted(0, 0, 0, -SPACE_4))

    def _show_working(self) -> None:
        averages = self.state.averages
        job = averages.job
        self.line.setVisible(averages.working)
        self.stop.setVisible(averages.working)
        if job is None:
            self._show_averages()
            self.region.refresh()
            return
        if job.stopping:
            text = self.tr("Stopping…")
        elif job.text and not job.begun:
            text = first_upper(job.text)
        elif not job.begun:
            before = self._session.queue.current
            waits = before is not None and before.job_id != job.job_id
            text = self.tr("Waiting for its turn") if waits else first_upper(self._session.engine_text)
            text = self.tr("Beginning") if text in ("", self.tr("Ready")) else text
        else:
            listed = averages.card(averages.drawing_id)
            count = getattr(job.request, "count", 1)
            parts = [
                one_line(listed.listed.name) if listed else "",
                self.tr("{0} of {1}").format(job.picture + 1, count),
                time_left_text(job.seconds_left),
            ]
            text = " · ".join(part for part in parts if part)
        self.facts.setText(text)
        self.add_noise.setEnabled(False)
        self.line.show_fraction(job.fraction)
        self.stop.setEnabled(not job.stopping)

    def _card_changed(self, region_id: str) -> None:
        self._show_averages()
        card = self.state.averages.card(region_id)
        if card and card.result(self.state.averages.noise):
            self._show_regions_soon()

    def _compare(self) -> None:
        self.body.setCurrentIndex(self.LIKENESS)
        self.head.hide()
        self.state.likeness.show()
        self.back.setFocus()

    def _show_likeness(self) -> None:
        likeness = self.state.likeness
        alike = likeness.alike
        self.likeness.show_alike(alike)
        done = ""
        if alike:
            done = self.tr("{0} Measured with: {1}.").format(sentence(alike), alike.features)
        self.likeness_bar.refresh(self.tr("Comparing the averages"), done)

    # -- the map --

    def _show_regions_soon(self) -> None:
        if self._here:
            self._due.start()

    def _show_regions(self) -> None:
        if not self._here:
            return
        averages, book = self.state.averages, self.state.book
        noise = averages.noise
        shown = []
        for listed in book.listed:
            selected = book.is_selected(listed.id)
            if listed.group is Group.PARK and not selected and not listed.photos:
                continue  # a city has more small parks than a map can show
            card = averages.card(listed.id) if selected else None
            image = card.image(noise) if card else None
            shown.append(
                {
                    **listed.region.to_dict(),
                    "id": listed.id,
                    "centre": centre(listed.region),
                    "selected": selected,
                    "photos": listed.photos,
                    "picture": image if image is not None and not image.isNull() else None,
                }
            )
        self._board.set_regions([] if self.walking else shown)

    def _fit_map(self) -> None:
        """Bring the chosen regions in sight, the first time that they are known."""
        chosen = self.state.book.selected
        if not self._here or self._fitted or not chosen:
            return
        self._fitted = True
        boxes = [listed.region.box for listed in chosen]
        self._board.fit(
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )

    def _show_walk(self) -> None:
        if not self._here:
            return
        walk = self.state.walk
        if not self.walking:
            self._board.set_walk([])
        elif walk.request:
            points = [(place.lat, place.lon, place.heading) for place in walk.request.places]
            self._board.set_walk(points, walk.index)
        else:
            self._board.set_walk(list(walk.line))

    def _highlight(self, region_id: str) -> None:
        if self._here:
            self._board.highlight_region(region_id)

    def _region_clicked(self, region_id: str) -> None:
        if self._here:
            self.state.book.toggle(region_id)
            self.form.list.show_region(region_id)

    def _take_tool(self, tool: str) -> None:
        if not tool:
            self._board.stop_drawing()
            return
        if tool == LINE:
            self.show_walk()
        self._board.start_drawing(tool)
        self.tools.show_tool(tool)
        self._board.setFocus()

    def edit_region(self, region_id: str) -> None:
        """Let a person change the corners of a region of their own."""
        self.state.book.select(region_id, True)
        self._show_tab(AVERAGES)
        self._show_regions()
        self._board.edit_region(region_id)
        self.tools.show_tool(EDIT)
        self._board.setFocus()

    def _drawn(self, kind: str, points: list[Any]) -> None:
        if kind == LINE:
            self.show_walk()
            self.state.walk.take_line([(point[0], point[1]) for point in points])
        else:
            self.show_averages()
            self.state.book.add_drawn([(point[0], point[1]) for point in points], self._session.city)

    def _edited(self, region_id: str, polygons: Sequence[Any]) -> None:
        self.state.book.reshape(region_id, polygons, self._session.city)

    def _drawing_ended(self) -> None:
        self.tools.show_tool("")

    def _name_drawn(self, region_id: str) -> None:
        self.form.search.clear()
        self.form.list.start_naming(region_id)

    def _add_street(self, name: str) -> None:
        city, card = self._session.city, self._session.card
        if city:
            self.state.book.add_street(name, city, card.coverage if card else None)

    # -- menus and files --

    def _show_region_menu(self, region_id: str, point: QPoint) -> None:
        listed = self.state.book.get(region_id)
        if listed is None:
            return
        self.region_menu(listed).popup(point)

    def region_menu(self, listed: Listed) -> Menu:
        """Return what can be done with a region."""
        averages, book = self.state.averages, self.state.book
        card: Card | None = averages.card(listed.id)
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        if card:
            menu.add(self.tr("Show it large"), "picture", lambda: self.show_region(listed.id))
            result = card.result(averages.noise)
            if result:
                menu.add(self.tr("Show the variety"), "variety", lambda: self._show_part(listed.id, "show_variety"))
                menu.add(self.tr("What is typical?"), "patches", lambda: self._show_part(listed.id, "show_typical"))
                menu.add(self.tr("Save picture as…"), "save", lambda: self.save_asked.emit(result))
            menu.add(
                self.tr("Draw it again") if result else self.tr("Draw it"),
                "remix",
                lambda: averages.draw([listed.id], again=result is not None),
            )
            menu.addSeparator()
        if listed.group is Group.OWN:
            menu.add(self.tr("Rename"), "edit", lambda: self._name_drawn(listed.id), self.tr("F2"))
            menu.add(self.tr("Change its corners"), "polygon", lambda: self.edit_region(listed.id))
            menu.add(self.tr("Delete"), "trash", lambda: book.delete(listed.id), self.tr("Del"))
        elif listed.group is Group.STREET:
            menu.add(self.tr("Take it out of the list"), "close", lambda: book.delete(listed.id))
        if card:
            menu.add(self.tr("Leave it out"), "minus", lambda: book.select(listed.id, False))
        else:
            menu.add(self.tr("Choose it"), "check", lambda: book.select(listed.id, True))
        return menu

    def _show_part(self, region_id: str, part: str) -> None:
        self.show_region(region_id)
        getattr(self.region, part)()

    def _show_export_menu(self) -> None:
        menu = self.export_menu()
        corner = self.export.mapToGlobal(QPoint(self.export.width(), self.export.height() + SPACE_1))
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def export_menu(self) -> Menu:
        """Return what the averages can be written as."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.add(self.tr("One picture with names…"), "picture", lambda: self._ask_export(Export.PICTURE))
        menu.add(self.tr("Separate pictures…"), "variety", lambda: self._ask_export(Export.PICTURES))
        menu.add(self.tr("Web map (HTML)…"), "explore", lambda: self._ask_export(Export.WEB_MAP))
        menu.add(self.tr("GeoJSON with pictures…"), "polygon", lambda: self._ask_export(Export.GEOJSON))
        return menu

    def _show_file_menu(self, beside: QWidget) -> None:
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.add(self.tr("Read regions from GeoJSON…"), "import", self._ask_import)
        menu.add(self.tr("Write the chosen regions as GeoJSON…"), "export", self._ask_export_regions)
        corner = beside.mapToGlobal(QPoint(beside.width(), beside.height()))
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def _ask_export(self, kind: Export) -> None:
        concept = "".join(c for c in self.state.averages.wish.concept if c.isalnum() or c in " -")[:40].strip()
        name = self.tr("Averages, {0}").format(concept or self.tr("places"))
        if kind is Export.PICTURES:
            self._ask_folder(name, lambda path: self.state.export(kind, path))
            return
        suffix, what = {
            Export.PICTURE: ("png", self.tr("PNG pictures (*.png)")),
            Export.GEOJSON: ("geojson", self.tr("GeoJSON (*.geojson)")),
            Export.WEB_MAP: ("html", self.tr("Web pages (*.html)")),
        }[kind]
        self._ask_file(name, suffix, what, lambda path: self.state.export(kind, path))

    def _ask_export_regions(self) -> None:
        what = self.tr("GeoJSON (*.geojson)")
        self._ask_file(self.tr("Regions"), "geojson", what, self.state.export_regions)

    def _ask_import(self) -> None:
        dialog = QFileDialog(self, self.tr("Read regions"), str(self._session.settings.save_folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters([self.tr("GeoJSON (*.geojson *.json)"), self.tr("All files (*)")])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.import_file(Path(path)))
        dialog.open()

    def import_file(self, path: Path) -> None:
        """Read regions from a GeoJSON file; in the walk, its line."""
        if self.walking:
            self.state.walk.take_file(path)
        else:
            self.state.book.import_file(path, self._session.city)

    def _ask_file(self, name: str, suffix: str, what: str, call: Callable[[Path], None]) -> None:
        settings = self._session.settings
        dialog = QFileDialog(self, self.tr("Save"), str(settings.save_folder / f"{name}.{suffix}"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(what)
        dialog.setDefaultSuffix(suffix)

        def chosen(text: str) -> None:
            path = Path(text)
            settings.save_folder = path.parent
            call(path)

        dialog.fileSelected.connect(chosen)
        dialog.open()

    def _ask_folder(self, name: str, call: Callable[[Path], None]) -> None:
        settings = self._session.settings
        dialog = QFileDialog(self, self.tr("Choose a folder"), str(settings.save_folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)

        def chosen(text: str) -> None:
            settings.save_folder = Path(text)
            call(Path(text) / name)

        dialog.fileSelected.connect(chosen)
        dialog.open()

    def _save_picture(self, region_id: str) -> None:
        card = self.state.averages.card(region_id)
        result = card.result(self.state.averages.noise) if card else None
        if result:
            self.save_asked.emit(result)

    def _save_film(self) -> None:
        title = "".join(c for c in self.state.walk.title if c.isalnum() or c in " -,")[:60].strip()
        name = title or self.tr("Walk")
        self._ask_file(name, "mp4", self.tr("Films (*.mp4)"), self.state.walk.save)

    def _save_strip(self) -> None:
        title = "".join(c for c in self.state.walk.title if c.isalnum() or c in " -,")[:60].strip()
        name = title or self.tr("Walk")
        self._ask_file(name, "png", self.tr("PNG pictures (*.png)"), self.state.export_walk_strip)

    def resizeEvent(self, event: Any) -> None:
        """Keep the sentence of the empty grid in its place."""
        super().resizeEvent(event)
        self._show_empty()
