"""The main window: rail, map, panel and filmstrip, and what connects them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QEvent, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFont,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.results import Result
from gpsdream_app.geo.city import CityMap
from gpsdream_app.ui.comfort import Comfort
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.explainer import WhyState
from gpsdream_app.ui.film import FilmRole
from gpsdream_app.ui.filmstrip import Filmstrip
from gpsdream_app.ui.form_panel import FormPanel
from gpsdream_app.ui.job_notifier import JobNotifier
from gpsdream_app.ui.measuring import MeasureState
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.photos.nearest import NearestPhoto
from gpsdream_app.ui.phrases import one_line, place_text, time_left_text
from gpsdream_app.ui.picture_panel import PicturePanel
from gpsdream_app.ui.popovers import SettingsPopover
from gpsdream_app.ui.quality_page import QualityPage, web_report
from gpsdream_app.ui.queue_panel import QueuePopover
from gpsdream_app.ui.rail import Rail, RailButton
from gpsdream_app.ui.save_dialog import SaveDialog
from gpsdream_app.ui.search_box import SearchBox
from gpsdream_app.ui.session import EXAMPLES, Notice, Session, Tone
from gpsdream_app.ui.settings import PageName
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_3, SPACE_4, TYPE_TITLE
from gpsdream_app.ui.why_card import WhyCard
from gpsdream_app.ui.widgets import ElidedLabel, Menu, PrimaryButton

if TYPE_CHECKING:
    from gpsdream_app.ui.help_page import HelpPage
    from gpsdream_app.ui.landmarks.page import LandmarksPage
    from gpsdream_app.ui.library.page import LibraryPage
    from gpsdream_app.ui.models.page import ModelsPage
    from gpsdream_app.ui.neighbourhoods.page import NeighbourhoodsPage
    from gpsdream_app.ui.photos.page import PhotosPage

    PlacePage = NeighbourhoodsPage | LandmarksPage | LibraryPage | PhotosPage | ModelsPage

START_SIZE = QSize(1360, 860)
SMALLEST = QSize(960, 640)
PANEL_SMALLEST = 360
PANEL_WIDEST_SHARE = 0.36
FORM_HEIGHT = 360  # of everything in the panel but the picture
SEARCH_WIDTH = 440
MAP_SMALLEST = 360
MAP_SMALLEST_BESIDE = 280  # beside neighbourhoods and landmarks, which need more than the panel does
MAP_SHARE = 0.36  # of the width, beside these
MAP_WIDEST = 720
TOOLS_CORNER = SPACE_3


def _web_map(theme: str) -> QWidget:
    # Imported late, because WebEngine is the slowest part of the start.
    from gpsdream_app.ui.map.view import MapView

    return MapView(theme=theme)


class MapArea(QWidget):
    """The map with the search over it, or the tools of the place that has the map."""

    def __init__(self, map_widget: QWidget, search: SearchBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map, self._search = map_widget, search
        self._tools: QWidget | None = None
        map_widget.setParent(self)
        search.setParent(self)
        self.setMinimumWidth(MAP_SMALLEST)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill with the map, and keep the search in its corner."""
        super().resizeEvent(event)
        self._map.setGeometry(self.rect())
        width = min(SEARCH_WIDTH, self.width())
        self._search.setGeometry(QRect(0, 0, width, self._search.height()))
        self._search.raise_()
        self._place_tools()

    def show_tools(self, tools: QWidget | None) -> None:
        """Let tools stand over the map in place of the search; None brings the search back."""
        if self._tools is not None:
            self._tools.hide()
        self._tools = tools
        self._search.setVisible(tools is None)
        if tools is not None:
            tools.setParent(self)
            self._place_tools()
            tools.show()
            tools.raise_()

    def _place_tools(self) -> None:
        if self._tools is not None:
            self._tools.adjustSize()
            self._tools.move(TOOLS_CORNER, TOOLS_CORNER)
            self._tools.raise_()

    def follow_tools(self) -> None:
        """Give the tools the room that they want now."""
        self._place_tools()


class DropVeil(QWidget):
    """Covers the window while a file is held over it, and says what dropping it does."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._sentence = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self, sentence: str) -> None:
        """Show it over the whole window, with what dropping does."""
        self._sentence = sentence
        parent = self.parentWidget()
        if parent:
            self.setGeometry(parent.rect())
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a veil, a frame and the sentence."""
        theme = self._theme
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            veil = theme.colour("surface")
            veil.setAlphaF(0.86)
            painter.fillRect(self.rect(), veil)
            pen = QPen(theme.colour("accent"), 2, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(16, 16, -16, -16), RADIUS, RADIUS)
            painter.setPen(theme.colour("text"))
            font = QFont(self.font())
            font.setPixelSize(TYPE_TITLE)
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.drawText(
                self.rect(),
                int(Qt.AlignmentFlag.AlignCenter),
                self._sentence,
            )


class MainWindow(QMainWindow):
    """The window."""

    def __init__(
        self,
        theme: Theme,
        session: Session,
        make_map: Callable[[str], QWidget] = _web_map,
        make_report: Callable[[Theme], QWidget] = web_report,
    ) -> None:
        """Build the window; nothing is read or started here.

        Args:
            theme: the look.
            session: what the window does.
            make_map: makes the map in a theme (`light` or `dark`): a `MapView`, or in tests what stands in for it.
            make_report: makes what shows a report's page: a `ReportView`, or in tests what stands in for it.
        """
        super().__init__()
        self.theme, self.session = theme, session
        self.setWindowTitle("GPSDream")
        self.setAcceptDrops(True)
        self.setMinimumSize(SMALLEST)
        self._split_by_itself = False
        self._view_at_start = session.settings.view
        self._sure = False
        self.neighbourhoods: NeighbourhoodsPage | None = None
        self.landmarks: LandmarksPage | None = None
        self.library: LibraryPage | None = None
        self.help: HelpPage | None = None
        self.photos: PhotosPage | None = None
        self.models: ModelsPage | None = None
        self._before_models: QWidget | None = None
        self._map_owner: PlacePage | None = None  # None is Explore
        self._explore_sizes: list[int] = []
        self._explore_state = QByteArray()
        self._build(make_map(theme.palette.name), make_report)
        self._connect()
        self.comfort = Comfort(self)
        self._restore_geometry()
        self.notifier = JobNotifier(session, self)
        self.map.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- the parts --

    def _build(self, map_widget: QWidget, make_report: Callable[[Theme], QWidget]) -> None:
        theme, session = self.theme, self.session
        canvas = self.canvas = QWidget(self)
        canvas.setObjectName("canvas")
        self.setCentralWidget(canvas)
        self.rail = Rail(theme, session.queue, canvas)
        self.map: Any = map_widget
        self.search = SearchBox(theme, session)
        self.map_area = MapArea(map_widget, self.search)
        self.panel = self._make_panel()
        self.splitter = QSplitter(Qt.Orientation.Horizontal, canvas)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.filmstrip = Filmstrip(theme, session)
        # The strip ends where the panel begins, so that the picture gets the window's whole height.
        left = QWidget(canvas)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.map_area, 1)
        column.addWidget(self.filmstrip)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        row = QHBoxLayout(canvas)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        self.pages = QStackedWidget(canvas)
        self.pages.addWidget(self.splitter)
        self.quality = QualityPage(theme, session, self.pages, make_report)
        self.pages.addWidget(self.quality)
        row.addWidget(self.pages, 1)
        self.queue_card = QueuePopover(theme, session, canvas)
        self.settings_card = SettingsPopover(theme, session, canvas, self._links())
        self.veil = DropVeil(theme, canvas)
        for edit in canvas.findChildren(QLineEdit):
            edit.setAcceptDrops(False)  # a picture that is dropped on a field is for the window

    def _make_panel(self) -> QFrame:
        theme, session = self.theme, self.session
        panel = QFrame(self)
        panel.setObjectName("panel")
        panel.setMinimumWidth(PANEL_SMALLEST)
        self.picture = PicturePanel(theme, session, panel)
        self.nearest = NearestPhoto(theme, session, panel)
        self.notice = NoticeBar(theme, session, panel)
        self.form = FormPanel(theme, session, panel)
        self.engine_text = ElidedLabel("", "small", panel)
        self.engine_text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.form.fold_row.takeAt(self.form.fold_row.count() - 1)
        self.form.fold_row.addWidget(self.engine_text, 1)
        self.form_scroll = FormScroll(self.form, self.notice, panel)
        self.why = WhyCard(theme, session.why, panel)
        lower = QVBoxLayout()
        lower.addWidget(self.form_scroll)
        lower.addWidget(self.why)
        self.why.hide()
        self.form_scroll.fitted.connect(self.why.setFixedHeight)
        self.draw = PrimaryButton(theme, self.tr("Draw"), self.tr("Ctrl+Enter"), panel)
        # The form reaches to the panel's edge, so that its scroll bar stands in the margin and moves no field.
        grid = QGridLayout(panel)
        grid.setContentsMargins(SPACE_4, SPACE_4, 0, SPACE_3)
        grid.setHorizontalSpacing(0)
        grid.setVerticalSpacing(SPACE_3)
        grid.setColumnMinimumWidth(1, SPACE_4)
        grid.setColumnStretch(0, 1)
        grid.setRowStretch(0, 1)
        grid.addWidget(self.picture, 0, 0)
        grid.addWidget(self.nearest, 1, 0)
        grid.addWidget(self.notice, 2, 0)
        grid.addLayout(lower, 3, 0, 1, 2)
        grid.addWidget(self.draw, 4, 0)
        return panel

    def _links(self) -> list[tuple[str, str, Callable[[], None]]]:
        return [
            (self.tr("All settings"), self.tr("Ctrl+,"), lambda: self.comfort.show_settings()),
            (self.tr("Keyboard shortcuts"), self.tr("Shift+?"), lambda: self.comfort.show_keys()),
            (self.tr("Commands and places"), self.tr("Ctrl+K"), lambda: self.comfort.show_palette()),
            (self.tr("Help and checks"), self.tr("F1"), lambda: self.show_page(self.show_help())),
        ]

    # -- signals --

    def _connect(self) -> None:
        session, board = self.session, self.map
        self._measured = False
        self._dots_due = QTimer(self)
        self._dots_due.setSingleShot(True)
        self._dots_due.timeout.connect(self._show_dots)
        board.place_picked.connect(self._picked)
        board.heading_picked.connect(session.form.turn_to)
        board.heading_cleared.connect(self._clear_heading)
        board.result_clicked.connect(session.show_result)
        board.example_clicked.connect(session.draw_example)
        board.view_changed.connect(self._remember_view)
        board.ready.connect(self._keep_drops)
        session.city_changed.connect(self._show_city)
        session.model_changed.connect(self._show_model)
        session.engine_text_changed.connect(self._show_engine)
        session.fly.connect(self._fly)
        session.reveal.connect(board.reveal)
        session.picture_finished.connect(self._picture_finished)
        session.why.changed.connect(self._show_why)
        session.library_read.connect(self._show_examples)
        session.form.when("place", self._show_pin)
        film = session.film
        for signal in (film.rowsInserted, film.rowsRemoved, film.modelReset):
            signal.connect(self._show_dots_soon)
        film.dataChanged.connect(self._tile_changed)
        self.search.chosen.connect(session.go_to)
        self.draw.clicked.connect(self.draw_now)
        self.form.draw_asked.connect(self.draw_now)
        self.form.unfolded.connect(self._form_unfolded)
        self.picture.save_asked.connect(self.save_as)
        self.picture.copy_asked.connect(self.copy_picture)
        self.picture.menu_asked.connect(self.show_menu)
        strip = self.filmstrip.view
        strip.chosen.connect(session.show_result)
        strip.drawing_chosen.connect(session.follow)
        strip.delete_asked.connect(session.delete)
        strip.menu_asked.connect(self.show_menu)
        strip.end_reached.connect(session.read_older)
        self.rail.explore.clicked.connect(lambda: self.show_page(self.splitter))
        self.rail.neighbourhoods.clicked.connect(self.show_neighbourhoods)
        self.rail.landmarks.clicked.connect(self.show_landmarks)
        self.rail.photos.clicked.connect(self.show_photos)
        self.rail.library.clicked.connect(self.show_library)
        self.rail.quality.clicked.connect(lambda: self.show_page(self.quality))
        self.nearest.pair_asked.connect(lambda *pair: self.show_photos().show_pair(*pair))
        self.settings_card.models_asked.connect(self.show_models)
        self.settings_card.quality_asked.connect(lambda: self.show_page(self.quality))
        session.measuring.changed.connect(self._measuring_changed)
        self.rail.queue.clicked.connect(self.show_queue)
        self.rail.settings.clicked.connect(lambda: self.settings_card.toggle_beside(self.rail.settings))
        self.theme.changed.connect(self._show_theme)
        self._show_theme()
        self._show_engine()

    # -- the map follows the session --

    def _show_city(self, city: CityMap | None) -> None:
        self.map.set_city(city.data if city else None)
        view, self._view_at_start = self._view_at_start, None
        if city and view and city.box.contains(view[0], view[1]):
            self.map.fly_to(*view)

    def _show_model(self, card: ModelCard) -> None:
        self._show_coverage()
        self._show_examples()
        self._show_engine()

    def _show_coverage(self) -> None:
        """Show where the model has seen photos; among landmarks, whose models are others, nothing."""
        card = self.session.card
        coverage = (
            card.coverage if card and (self._map_owner is None or self._map_owner is not self.landmarks) else None
        )
        self.map.set_coverage(
            {
                "south": coverage.south,
                "west": coverage.west,
                "cell_lat": coverage.cell_lat,
                "cell_lon": coverage.cell_lon,
                "cells": [list(cell) for cell in coverage.cells],
            }
            if coverage
            else None
        )

    def _show_examples(self, *_: object) -> None:
        card = self.session.card
        examples = card.examples[:EXAMPLES] if card and not self.session.film.results else ()
        if self.exploring:
            self.map.set_examples([example.place.to_dict() for example in examples])

    def _show_pin(self) -> None:
        place = self.session.form.place
        if not self.exploring:
            return
        if place is None:
            self.map.clear_pin()
        else:
            self.map.set_pin(place.lat, place.lon, place.heading)

    def _tile_changed(self, first: QModelIndex, last: QModelIndex, roles: list[int]) -> None:
        # The tile of the drawing changes with every step; the map is told only of another current picture.
        if int(FilmRole.CURRENT) in roles:
            self._show_dots_soon()

    def _show_dots_soon(self, *_: object) -> None:
        # Pages of older pictures come tile by tile; the map is told once.
        self._dots_due.start()

    def _show_dots(self) -> None:
        film = self.session.film
        if not self.exploring:
            return
        dots = []
        for result in film.results:
            place = result.request.place
            if place:
                dots.append(
                    {
                        "id": result.id,
                        "lat": place.lat,
                        "lon": place.lon,
                        "heading": place.heading,
                        "current": result.id == film.current,
                    }
                )
        self.map.set_results(dots)

    def _show_theme(self) -> None:
        self.map.set_theme(self.theme.palette.name)
        self.map.set_reduced_motion(self.theme.less_motion)

    def _show_engine(self) -> None:
        card, text = self.session.card, self.session.engine_text
        parts = (card.title if card else "", text)
        self.engine_text.setText(" · ".join(part for part in parts if part))
        self.engine_text.setAccessibleName(self.tr("Engine: {0}").format(text))

    def _keep_drops(self) -> None:
        """Have pictures that are dropped on the map, too: the web view's own inside would navigate to them."""
        for widget in self.map.findChildren(QWidget):
            widget.setAcceptDrops(False)

    def _fly(self, lat: float, lon: float, zoom: float) -> None:
        self.map.fly_to(lat, lon, zoom or None)

    def _clear_heading(self) -> None:
        self.session.form.turn_to(None)

    def _remember_view(self, lat: float, lon: float, zoom: float) -> None:
        # Before its city comes the map shows some view of its own, which is not to be remembered.
        # Among landmarks the map may show another city, which Explore would have nothing to say about.
        if self.session.city and (self._map_owner is None or self._map_owner is not self.landmarks):
            self.session.settings.view = (lat, lon, zoom)

    # -- pages --

    def show_page(self, page: QWidget) -> None:
        """Go to a place: `splitter` (Explore), `neighbourhoods`, `landmarks`, `photos`, `library`, `models`, …"""
        if page is self.splitter:
            self._give_map(None)
        elif page is self.neighbourhoods:
            self._give_map(self.neighbourhoods)
        elif page is self.landmarks:
            self._give_map(self.landmarks)
        elif page is self.photos:
            self._give_map(self.photos)
        elif page is self.library:
            self._give_map(self.library)
        elif page is self.models:
            self._give_map(self.models)
        beside = page in (
            self.splitter,
            self.neighbourhoods,
            self.landmarks,
            self.photos,
            self.library,
            self.models,
        )
        self.pages.setCurrentWidget(self.splitter if beside else page)
        if page is not self.splitter:
            self.comfort.end_tour()  # its cards point at parts of Explore
        # A page that is not on the rail leaves none of its buttons checked, which exclusive ones would not allow.
        for button in self.rail.findChildren(RailButton):
            button.setAutoExclusive(False)
        self.rail.explore.setChecked(page is self.splitter)
        self.rail.neighbourhoods.setChecked(page is self.neighbourhoods)
        self.rail.landmarks.setChecked(page is self.landmarks)
        self.rail.photos.setChecked(page is self.photos)
        self.rail.library.setChecked(page is self.library)
        self.rail.quality.setChecked(page is self.quality)
        for button in self.rail.findChildren(RailButton):
            button.setAutoExclusive(button.isCheckable())

    @property
    def page_name(self) -> PageName:
        """The place in sight, as the settings remember it."""
        if self.pages.currentWidget() is self.quality:
            return "quality"
        names: tuple[tuple[PlacePage | None, PageName], ...] = (
            (self.neighbourhoods, "neighbourhoods"),
            (self.landmarks, "landmarks"),
            (self.photos, "photos"),
            (self.library, "library"),
        )
        return next((name for page, name in names if page is not None and page is self._map_owner), "explore")

    def show_queue(self) -> None:
        """Open the queue's card, or put it away."""
        self.queue_card.toggle_beside(self.rail.queue)

    def show_neighbourhoods(self) -> NeighbourhoodsPage:
        """Go to the Neighbourhoods place; it is made when it is first gone to."""
        if self.neighbourhoods is None:
            # Imported late: a person who only explores does not wait for it.
            from gpsdream_app.ui.neighbourhoods.page import NeighbourhoodsPage

            self.neighbourhoods = NeighbourhoodsPage(self.theme, self.session, self.map, self.splitter)
            self.neighbourhoods.save_asked.connect(self.save_as)
            self._add_place(self.neighbourhoods)
        self.show_page(self.neighbourhoods)
        return self.neighbourhoods

    def show_landmarks(self) -> LandmarksPage:
        """Go to the Landmarks place; it is made when it is first gone to."""
        if self.landmarks is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.landmarks.page import LandmarksPage

            self.landmarks = LandmarksPage(self.theme, self.session, self.map, self.splitter)
            self._add_place(self.landmarks)
        self.show_page(self.landmarks)
        return self.landmarks

    def show_help(self) -> HelpPage:
        """Go to the Help page; it is made when it is first gone to."""
        if self.help is None:
            # Imported late: whoever needs no help does not wait for it.
            from gpsdream_app.ui.help_page import HelpPage

            self.help = HelpPage(self.theme, self.session, self.pages)
            self.pages.addWidget(self.help)
        self.show_page(self.help)
        return self.help

    def show_library(self) -> LibraryPage:
        """Go to the Library place; it is made when it is first gone to."""
        if self.library is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.library.page import LibraryPage

            self.library = LibraryPage(self.theme, self.session, self.map, self.splitter)
            self.library.save_asked.connect(self.save_as)
            self.library.show_asked.connect(self._show_from_library)
            self.library.explore_asked.connect(lambda: self.show_page(self.splitter))
            self._add_place(self.library)
        self.show_page(self.library)
        return self.library

    def show_photos(self) -> PhotosPage:
        """Go to the Photos place; it is made when it is first gone to."""
        if self.photos is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.photos.page import PhotosPage

            self.photos = PhotosPage(self.theme, self.session, self.map, self.splitter)
            self.photos.models_asked.connect(self.show_models)
            self.photos.seen_asked.connect(self.show_photos)
            self._add_place(self.photos)
        self.show_page(self.photos)
        return self.photos

    def show_models(self) -> ModelsPage:
        """Go to the list of models; it is made when it is first gone to."""
        if self.models is None:
            # Imported late, like the neighbourhoods.
            from gpsdream_app.ui.models.page import ModelsPage

            self.models = ModelsPage(self.theme, self.session, self.map, self.splitter)
            self.models.quality_asked.connect(lambda: self.show_page(self.quality))
            self.models.left.connect(lambda: self.show_page(self._before_models or self.splitter))
            self._add_place(self.models)
        if self._map_owner is not self.models:
            self._before_models = self._map_owner
        self.show_page(self.models)
        return self.models

    def _show_from_library(self, result: Result) -> None:
        self.show_page(self.splitter)
        self.session.show_picture(result)

    def _add_place(self, page: PlacePage) -> None:
        """Put a new place beside the map."""
        page.hide()
        self.splitter.addWidget(page)
        self.splitter.setStretchFactor(self.splitter.indexOf(page), 1)
        page.tools.size_changed.connect(self.map_area.follow_tools)
        for edit in page.findChildren(QLineEdit):
            edit.setAcceptDrops(False)
        self.comfort.watch_edits(page)

    @property
    def exploring(self) -> bool:
        """Whether the map belongs to Explore, and not to another place."""
        return self._map_owner is None

    @property
    def _place_in_sight(self) -> PlacePage | None:
        """The place beside the map, if it is neither Explore nor hidden behind a report."""
        return self._map_owner if self.pages.currentWidget() is self.splitter else None

    def _give_map(self, owner: PlacePage | None) -> None:
        """Hand the one map over: a second one would be a second browser."""
        before = self._map_owner
        if owner is before:
            return
        if before is None:
            self._explore_sizes = self.splitter.sizes()
            self._explore_state = self.splitter.saveState()
        self._map_owner = owner
        for widget in (self.filmstrip, self.panel):
            widget.setVisible(owner is None)
        if before is not None:
            before.hide()
        if owner is not None:
            owner.show()
        self.map_area.setMinimumWidth(MAP_SMALLEST_BESIDE if owner else MAP_SMALLEST)
        self.map_area.show_tools(owner.tools if owner else None)
        if before is not None:
            before.leave()
        if self.landmarks is not None and self.landmarks in (before, owner):
            self._show_coverage()
            if before is self.landmarks and self.session.settings.view:
                self.map.fly_to(*self.session.settings.view)
        if owner is not None:
            self._split()
            owner.enter()
        else:
            self.splitter.setSizes([*self._explore_sizes[:2], *[0] * (self.splitter.count() - 2)])
            self._split()
            self._show_pin()
            self._show_examples()
            self._show_dots()

    def _measuring_changed(self) -> None:
        """Say where the person is what a measurement came to elsewhere."""
        measuring, before = self.session.measuring, self._measured
        self._measured = measuring.running
        if not before or measuring.running or self.pages.currentWidget() is self.quality:
            return
        show = partial(self.show_page, self.quality)
        if measuring.failure:
            self.session.notify_failure(measuring.failure, self.tr("Show"), show)
        elif measuring.state is MeasureState.IDLE and measuring.done:
            self.session.notify(Notice(Tone.HINT, self.tr("The model is measured."), "", self.tr("Show"), show))

    # -- what a person does --

    def _picked(self, lat: float, lon: float) -> None:
        if self.exploring:
            self.session.pick(lat, lon)

    def undo(self) -> None:
        """Take back what came last in the place in sight."""
        place = self._place_in_sight
        if place:
            place.undo()
        else:
            self.comfort.undo()

    def draw_now(self) -> None:
        """Draw what the form of the place in sight asks for."""
        place = self._place_in_sight
        if place:
            place.draw()
            return
        self.show_page(self.splitter)
        self.session.draw()

    def _picture_finished(self, result: Result) -> None:
        self.filmstrip.view.show_newest()
        self._show_examples()

    def _form_unfolded(self, unfolded: bool) -> None:
        self.form_scroll.fit()
        if unfolded:
            self.form_scroll.show_end()

    def toggle_why(self) -> None:
        """Explain the big picture, or go back to the form."""
        self.show_page(self.splitter)
        self.session.toggle_why()

    def search_place(self) -> None:
        """Go to the field that searches in the place in sight."""
        for place in (self.library, self.photos):
            if place is not None and self._place_in_sight is place:
                place.search()
                return
        self.show_page(self.splitter)
        self.search.focus()

    def escape(self) -> None:
        """Leave what stands before the form, else stop drawing."""
        place = self._place_in_sight
        if place:
            place.escape()
            return
        if self.session.why.state is WhyState.OFF:
            self.session.stop()
        else:
            self.session.why.leave()

    def _show_why(self) -> None:
        """Put the explanation where the form is, or the form back; the picture above keeps its size."""
        wanted = self.session.why.state is not WhyState.OFF
        if wanted == self.why.isVisibleTo(self.panel):
            return
        focused = self.focusWidget()
        self.form_scroll.setVisible(not wanted)
        self.why.setVisible(wanted)
        if wanted:
            self.why.close_button.setFocus(Qt.FocusReason.OtherFocusReason)
        elif focused is None or focused is self.why or self.why.isAncestorOf(focused):
            self.picture.why.setFocus(Qt.FocusReason.OtherFocusReason)
        self.form_scroll.fit()

    def show_menu(self, result: Result, point: QPoint) -> None:
        """Show what can be done with a picture."""
        session = self.session
        menu = Menu(self.theme, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.add(self.tr("Save as…"), "save", lambda: self.save_as(result), "Ctrl+S")
        menu.add(self.tr("Save without the place…"), "save", lambda: self.save_as(result, include_place=False))
        menu.addSeparator()
        menu.add(self.tr("Copy picture"), "copy", lambda: self._copy_file(result), "Ctrl+C")
        menu.add(self.tr("Copy parameters"), "parameters", lambda: self._copy_parameters(result))
        menu.add(self.tr("Show in folder"), "folder", lambda: show_in_folder(Path(result.path)))
        menu.addSeparator()
        if session.shown and session.shown.result and session.shown.result.id == result.id:
            menu.add(self.tr("Why does it look like this?"), "why", session.explain, self.tr("Ctrl+E"))
        menu.add(self.tr("Use its settings"), "undo", lambda: session.show_result(result.id))
        menu.add(self.tr("Remix with a new seed"), "remix", lambda: session.remix(result))
        menu.addSeparator()
        menu.add(self.tr("Delete"), "trash", lambda: session.delete(result.id), self.tr("Del"))
        menu.popup(point)

    def save_as(self, result: Result, *, include_place: bool = True) -> None:
        """Ask for a file name and save a picture there."""
        place = result.request.place
        name = place_text(place) if place and include_place else result.request.prompt[:40]
        name = "".join(letter for letter in one_line(name) if letter.isalnum() or letter in " ,.&-").strip(" .")
        name = name or self.tr("Picture")
        settings = self.session.settings
        dialog = SaveDialog(self.theme, self, settings.save_folder / f"{name}, seed {result.request.seed}.png")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def save(path: str) -> None:
            settings.save_folder = Path(path).parent
            self.session.save_as(result, Path(path), include_place=include_place)

        dialog.fileSelected.connect(save)
        dialog.open()

    def copy_picture(self) -> None:
        """Put the big picture on the clipboard; beside a report, what is marked there."""
        if self.pages.currentWidget() is self.quality:
            self.quality.copy_selection()
            return
        shown = self.session.shown
        if shown:
            QGuiApplication.clipboard().setImage(shown.image)

    def save_shown(self) -> None:
        """Ask where to save the big picture, if it is in the library."""
        if self.session.shown and self.session.shown.result:
            self.save_as(self.session.shown.result)

    def _copy_file(self, result: Result) -> None:
        self.session.read_image(result, lambda image: QGuiApplication.clipboard().setImage(image))

    def _copy_parameters(self, result: Result) -> None:
        QGuiApplication.clipboard().setText(self.session.parameters(result))

    # -- dropping a picture --

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files, but not those dragged out of the strip."""
        if event.source() is None and self._dropped_files(event):
            event.acceptProposedAction()
            self.veil.cover(self.comfort.sentence(self._dropped_files(event)))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Lift the veil."""
        self.veil.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        self.veil.hide()
        files = self._dropped_files(event)
        if files:
            event.acceptProposedAction()
            self.comfort.open_files(files)

    def _dropped_files(self, event: QDropEvent) -> list[Path]:
        return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]

    # -- size and end --

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the form as high, and the picture as large, as it can be."""
        super().resizeEvent(event)
        self._split()
        self.form_scroll.fit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the window, vanish, and end the engine; while there are jobs, ask first."""
        if (self.session.queue or self.session.queue.outside) and not self._sure:
            event.ignore()
            self._ask_to_quit()
            return
        settings = self.session.settings
        settings.geometry = self.saveGeometry()
        if not self._split_by_itself:
            settings.splitter = self.splitter.saveState() if self.exploring else self._explore_state
        self.queue_card.dismiss()
        self.settings_card.dismiss()
        self.comfort.end()
        self.hide()
        if self.landmarks:
            self.landmarks.shut()
        self.session.close()
        super().closeEvent(event)

    def end(self) -> None:
        """Close without a question."""
        self._sure = True
        self.close()

    def _ask_to_quit(self) -> None:
        # Asked once: whoever closes the window again means it.
        self._sure = True
        queue, measuring = self.session.queue, self.session.measuring
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("GPSDream")
        box.setTextFormat(Qt.TextFormat.PlainText)
        count = len(queue) + len(queue.outside)
        if count == 1 and measuring.running:
            box.setText(self.tr("“{0}” is still being measured.").format(measuring.model_title))
        elif count == 1:
            box.setText(self.tr("One job is not finished."))
        else:
            box.setText(self.tr("{0} jobs are not finished.").format(count))
        times = [queue.seconds_left, *(job.seconds_left for job in queue.outside)]
        left = time_left_text(max((seconds for seconds in times if seconds is not None), default=None))
        rest = [self.tr("It would take {0} more.").format(left)] if left else []
        if queue:
            rest.append(self.tr("What is not drawn stays in the queue, and is offered again at the next start."))
        if measuring.running:
            rest.append(self.tr("If you quit now, there will be no report."))
        box.setInformativeText(" ".join(rest))
        keep = self.tr("Keep measuring") if measuring.running and count == 1 else self.tr("Keep working")
        stay = box.addButton(keep, QMessageBox.ButtonRole.RejectRole)
        leave = box.addButton(self.tr("Quit"), QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        leave.clicked.connect(self.end)
        box.rejected.connect(self._stay)
        stay.clicked.connect(self._stay)
        box.open()

    def _stay(self) -> None:
        self._sure = False

    def _restore_geometry(self) -> None:
        settings = self.session.settings
        if settings.geometry.isEmpty() or not self.restoreGeometry(settings.geometry):
            screen = QGuiApplication.primaryScreen()
            room = screen.availableSize() if screen else START_SIZE
            self.resize(START_SIZE.boundedTo(room))
        if settings.splitter.isEmpty() or not self.splitter.restoreState(settings.splitter):
            self._split_by_itself = True
        self.splitter.splitterMoved.connect(self._split_by_hand)
        self._split()

    def _split(self) -> None:
        """Give the panel the width at which the picture fills its height, until a person has another wish."""
        if self._map_owner is not None:
            width = self.width() - self.rail.width()
            board = min(round(width * MAP_SHARE), MAP_WIDEST)
            sizes = [0] * self.splitter.count()
            sizes[0], sizes[self.splitter.indexOf(self._map_owner)] = board, width - board
            self.splitter.setSizes(sizes)
            return
        if self._split_by_itself:
            width = self.width() - self.rail.width()
            wanted = self.height() - FORM_HEIGHT + 2 * SPACE_4
            panel = max(min(wanted, round(width * PANEL_WIDEST_SHARE)), PANEL_SMALLEST)
            self.splitter.setSizes([width - panel, panel])

    def _split_by_hand(self, *_: object) -> None:
        if self.exploring:
            self._split_by_itself = False


class FormScroll(QScrollArea):
    """Gives the form the height it wants, as long as the picture keeps enough; the rest is scrolled.

    Signals:
        fitted: it took a height; what stands in its place takes the same.
    """

    fitted = Signal(int)

    PICTURE_SMALLEST = 240
    PICTURE_BESIDE_NOTICE = 184
    FORM_BESIDE_NOTICE = 220
    AROUND = 120  # margins, gaps and the button below the form

    def __init__(self, form: FormPanel, notice: NoticeBar, parent: QWidget) -> None:
        super().__init__(parent)
        self._notice = notice
        self.setObjectName("panelScroll")
        form.setObjectName("panelBody")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(form)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        form.installEventFilter(self)
        notice.installEventFilter(self)
        self.verticalScrollBar().rangeChanged.connect(self._keep_margin)
        self._keep_margin(0, 0)

    def _keep_margin(self, low: int, high: int) -> None:
        """Let the fields end where the panel's other parts end, with or without the scroll bar beside them."""
        form = self.widget()
        bar = self.verticalScrollBar().sizeHint().width() if high > low else 0
        if form is not None:
            form.setContentsMargins(0, 0, max(0, SPACE_4 - bar), 0)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Follow the form's wish for height, and make room for the notice."""
        kind = event.type()
        if watched is self.widget() and kind == QEvent.Type.LayoutRequest:
            self.fit()
        elif watched is self._notice and kind in (
            QEvent.Type.LayoutRequest,
            QEvent.Type.ShowToParent,
            QEvent.Type.HideToParent,
        ):
            # Its own height is known only when it has arranged itself.
            QTimer.singleShot(0, self, self.fit)
        return False

    def fit(self) -> None:
        """Take the height that the form wants, or what the panel can give."""
        form, panel = self.widget(), self.parentWidget()
        if form is None or panel is None:
            return
        wanted = form.heightForWidth(self.viewport().width()) if form.hasHeightForWidth() else form.sizeHint().height()
        # Below this the scroll area would scroll, though at this width the form needs less.
        wanted = max(wanted, form.minimumSizeHint().height())
        room = panel.height() - self.AROUND
        notice = self._notice
        if notice.isVisibleTo(panel):
            # In a small window the picture gives way first, the form next.
            room -= notice.heightForWidth(notice.width()) + SPACE_3
            room -= min(self.PICTURE_SMALLEST, max(self.PICTURE_BESIDE_NOTICE, room - self.FORM_BESIDE_NOTICE))
        else:
            room -= self.PICTURE_SMALLEST
        self.setFixedHeight(max(160, min(wanted, room)))
        self.fitted.emit(self.height())

    def show_end(self) -> None:
        """Scroll to the end, where something has just been unfolded."""
        bar = self.verticalScrollBar()
        QTimer.singleShot(0, bar, lambda: bar.setValue(bar.maximum()))
