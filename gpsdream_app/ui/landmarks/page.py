"""The Landmarks place beside the map: list and form at its left; rose, running lift and shape at its right."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.lifts import LiftRequest, LiftResult
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.library.lifts import UnfinishedLift
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.landmarks.book import Draft, Listed
from gpsdream_app.ui.landmarks.editor import LandmarkEditor, ask_folder
from gpsdream_app.ui.landmarks.form import LiftForm
from gpsdream_app.ui.landmarks.knowledge import CAN_MARK, KnowledgePage
from gpsdream_app.ui.landmarks.landmark_list import LandmarkList
from gpsdream_app.ui.landmarks.lifts import LiftJob
from gpsdream_app.ui.landmarks.live import LiveView
from gpsdream_app.ui.landmarks.map_tools import LandmarkTools
from gpsdream_app.ui.landmarks.shelf import Shelf, shown_id
from gpsdream_app.ui.landmarks.state import Landmarks, sector_of
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.phrases import COMPASS, one_line, tooltip
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3, SPACE_4
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, Segments, follow, label

if TYPE_CHECKING:
    from gpsdream_app.ui.landmarks.mesh_view import MeshView

LEFT_WIDTH = 256
BODY_SMALLEST = 300
KNOWN, SHAPE = "known", "shape"
MAP_MILLISECONDS = 60
NEAR_HEIGHTS = 2.7  # how far the map reaches around a landmark, in its heights
NEAR_LEAST = 60.0  # metres
AROUND_METRES = 2500.0


class EmptyShape(QWidget):
    """Says that there is no shape yet, under a quiet mark."""

    MARK = 56

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._mark = QLabel(self)
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence = label("", "muted", wrap=True, parent=self)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setMaximumWidth(380)
        column = QVBoxLayout(self)
        column.setSpacing(SPACE_3)
        column.addStretch(2)
        column.addWidget(self._mark)
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(self.sentence, 1)
        row.addStretch()
        column.addLayout(row)
        column.addStretch(3)
        follow(theme, self._tint)

    def _tint(self) -> None:
        ink = self._theme.palette.line_strong
        self._mark.setPixmap(icon_pixmap("landmark", ink, self.MARK, self.devicePixelRatioF()))


class LandmarksPage(QFrame):
    """The place."""

    KNOWLEDGE, NOTHING, LIVE, MESH, EDITOR = range(5)

    def __init__(self, theme: Theme, session: Session, board: Any, parent: QWidget | None = None) -> None:
        """Make the place.

        Args:
            theme: the look.
            session: knows engine and settings.
            board: the map: a `MapView`, or in tests what stands in for it. It is told nothing before `enter`.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._session, self._board = theme, session, board
        self.state: Landmarks = session.landmarks
        self.mesh: MeshView | None = None
        self._here = False
        self._shown: LiftResult | None = None
        self._wants_live = True
        self._tab = KNOWN
        self._sector = -1
        self._edited_place: tuple[float, float] | None = None
        self._flown_to = ""
        self._in_mesh: LiftResult | None = None
        self._undo: list[Callable[[], None]] = []
        self.setObjectName("panel")
        self.setMinimumWidth(LEFT_WIDTH + BODY_SMALLEST + 3 * SPACE_4)
        self.tools = LandmarkTools(theme, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        row.setSpacing(SPACE_4)
        row.addLayout(self._make_left(theme))
        row.addLayout(self._make_right(theme), 1)
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(MAP_MILLISECONDS)
        self._due.timeout.connect(self._show_on_map)
        self._connect()
        self._show_chosen()

    # -- the parts --

    def _make_left(self, theme: Theme) -> QVBoxLayout:
        heading = label(self.tr("Landmarks"), "lead", parent=self)
        self.add = IconButton(theme, "plus", self.tr("Add a landmark of your own (Ctrl+N)"), parent=self)
        self.add.clicked.connect(self.add_landmark)
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addWidget(heading, 1)
        head.addWidget(self.add)
        self.list = LandmarkList(theme, self.state, self)
        self.form = LiftForm(theme, self.state, self)
        for widget in (self.list, self.form):
            widget.setFixedWidth(LEFT_WIDTH)
        column = QVBoxLayout()
        column.setSpacing(SPACE_2)
        column.addLayout(head)
        column.addWidget(self.list, 1)
        column.addWidget(self.form)
        return column

    def _make_right(self, theme: Theme) -> QVBoxLayout:
        self.notice = NoticeBar(theme, self._session, self)
        self.title = ElidedLabel("", "title", self)
        self.facts = ElidedLabel("", "muted", self)
        self.tabs = Segments(theme, [(KNOWN, self.tr("Known"), "info"), (SHAPE, self.tr("Shape"), "landmark")], self)
        self.tabs.button(KNOWN).setToolTip(tooltip(self.tr("From which sides the landmark is known")))
        self.tabs.button(SHAPE).setToolTip(tooltip(self.tr("The lifted shape, or the lift that goes on")))
        self.tabs.chosen.connect(self._show_tab)
        self.more = IconButton(theme, "more", self.tr("What can be done with this landmark"), parent=self)
        self.more.clicked.connect(self._show_landmark_menu)
        self.head = QWidget(self)
        # The name has a row to itself, so that it is read in a small window, too.
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for row in (upper, lower):
            row.setSpacing(SPACE_2)
        upper.addWidget(self.title, 1)
        upper.addWidget(self.more)
        lower.addWidget(self.facts, 1)
        lower.addWidget(self.tabs)
        rows = QVBoxLayout(self.head)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(upper)
        rows.addLayout(lower)
        self.known = KnowledgePage(theme, self._session, self.state, self)
        self.nothing = EmptyShape(theme, self)
        self.live = LiveView(theme, self._session, self.state.lifts, self)
        self.editor = LandmarkEditor(theme, self._session, self)
        self._mesh_room = QWidget(self)
        room = QVBoxLayout(self._mesh_room)
        room.setContentsMargins(0, 0, 0, 0)
        self.body = QStackedWidget(self)
        for part in (self.known, self.nothing, self.live, self._mesh_room, self.editor):
            self.body.addWidget(part)
        self.shelf = Shelf(theme, self.state.lifts, self)
        column = QVBoxLayout()
        column.setSpacing(SPACE_2)
        column.addWidget(self.notice)
        column.addWidget(self.head)
        column.addWidget(self.body, 1)
        column.addWidget(self.shelf)
        return column

    def _connect(self) -> None:
        state, board = self.state, self._board
        self.form.lift_asked.connect(self.draw)
        self.list.chosen.connect(state.choose)
        self.list.menu_asked.connect(self._popup_landmark_menu)
        self.list.change_asked.connect(self.change_landmark)
        self.list.delete_asked.connect(self.remove_landmark)
        self.known.sector_changed.connect(self._sector_changed)
        self.known.photos_asked.connect(self.ask_photos)
        self.known.masks_asked.connect(self.edit_masks)
        self.editor.saved.connect(self._save_draft)
        self.editor.left.connect(self._leave_editor)
        self.editor.place_changed.connect(self._place_edited)
        self.shelf.result_chosen.connect(self.show_result)
        self.shelf.job_chosen.connect(self.show_live)
        self.shelf.unfinished_chosen.connect(self._go_on)
        self.shelf.menu_asked.connect(self._popup_lift_menu)
        self.shelf.delete_asked.connect(self._remove_any)
        state.chosen_changed.connect(self._show_chosen)
        state.photos_changed.connect(self._photos_changed)
        state.footprint_changed.connect(self._show_on_map_soon)
        state.lifts.changed.connect(self._lift_changed)
        state.lifts.history_changed.connect(self._history_changed)
        state.lifts.lifted.connect(self._lifted)
        state.lifts.failed.connect(self._lift_failed)
        state.lifts.ended.connect(self._lift_ended)
        self.tools.here_asked.connect(self.fly_to_chosen)
        self.tools.around_asked.connect(self._fly_around)
        self.tools.photos_toggled.connect(lambda _: self._show_on_map_soon())
        board.landmark_clicked.connect(self._landmark_clicked)
        board.place_picked.connect(self._place_picked)
        for keys, call in (("Ctrl+N", self.add_landmark), ("P", self._toggle_pause)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    # -- coming and going --

    def enter(self) -> None:
        """Show the place on the map; what was lifted before is there at once."""
        self._here = True
        board = self._board
        board.set_picking(False)
        board.set_results([])
        board.set_examples([])
        board.clear_pin()
        self.state.open()
        self._show_on_map()
        self.fly_to_chosen()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def leave(self) -> None:
        """Give the map back."""
        self._here = False
        self._due.stop()
        self._flown_to = ""
        self._board.set_landmarks([])
        self._board.clear_pin()
        self._board.set_picking(True)
        self.state.remember()

    def escape(self) -> bool:
        """Put away what stands in front, or end the lift in sight; returns whether there was something."""
        if self.body.currentIndex() == self.EDITOR:
            self._leave_editor()
            return True
        if self.body.currentIndex() == self.LIVE and self.live.job:
            self.live.end()
            return True
        mesh = self.mesh
        if self.body.currentIndex() == self.MESH and mesh is not None:
            if mesh.tool is not None:
                mesh.show_tool(None)
                return True
            if mesh.comparing:
                mesh.end_compare()
                return True
        return False

    def undo(self) -> None:
        """Take the last removal or change back."""
        if self._undo:
            self._session.dismiss()
            self._undo.pop()()

    def draw(self) -> None:
        """Lift the chosen landmark."""
        if self.body.currentIndex() == self.EDITOR:
            self.editor.confirm()
            return
        job = self.state.lift()
        if job:
            focused = self.focusWidget()
            if focused is not None and self.body.isAncestorOf(focused):
                self.list.setFocus(Qt.FocusReason.OtherFocusReason)  # what had it is hidden soon
            self.show_live()

    # -- what is shown --

    def _show_chosen(self) -> None:
        listed = self.state.chosen
        if listed is None:
            return
        mark = listed.landmark
        self.title.setText(one_line(listed.title))
        parts = [one_line(mark.city)]
        if listed.height is not None:
            parts.append(self.tr("{0} m high").format(f"{listed.height:g}"))
        if not listed.own:
            compass = self.tr(COMPASS[round(mark.heading / 45) % 8])
            parts.append(self.tr("front faces {0}, {1}°").format(compass, round(mark.heading) % 360))
        self.facts.setText(" · ".join(part for part in parts if part))
        if self._shown and self._shown.request.landmark.id != listed.id:
            self._shown = None
        self._sector = -1
        self.shelf.show_landmark(listed.id)
        if self.body.currentIndex() != self.EDITOR:
            self._show_body()
        self._show_on_map_soon()
        if self._here and self._flown_to != listed.id:
            self.fly_to_chosen()

    def _show_tab(self, key: str) -> None:
        self._tab = key
        if self.body.currentIndex() == self.EDITOR:
            self._leave_editor()
        self._show_body()

    def _show_body(self) -> None:
        """Show what the tab in hand has for the chosen landmark."""
        lifts, chosen = self.state.lifts, self.state.chosen_id
        self.tabs.show_choice(self._tab)
        self.head.show()
        job = lifts.job_of(chosen)
        if self._tab == KNOWN:
            self.body.setCurrentIndex(self.KNOWLEDGE)
            self.shelf.mark("")
            return
        done = lifts.of(chosen)
        if job and (self._wants_live or not done) and self._shown is None:
            self.live.show_job(job)
            self.body.setCurrentIndex(self.LIVE)
            self.shelf.mark(shown_id(job))
            return
        result = self._shown or (done[0] if done else None)
        if result is None:
            self.live.show_job(None)
            self.nothing.sentence.setText(self._nothing_text())
            self.body.setCurrentIndex(self.NOTHING)
            self.shelf.mark("")
            return
        self._show_mesh(result)

    def _nothing_text(self) -> str:
        listed = self.state.chosen
        name = one_line(listed.title) if listed else ""
        if self.state.obstacle():
            return self.tr("There is no shape of {0} yet.").format(name)
        return self.tr(
            "There is no shape of {0} yet. “Lift to 3D” makes one of what the model knows; "
            "meanwhile you can explore and draw."
        ).format(name)

    def _show_mesh(self, result: LiftResult) -> None:
        self.body.setCurrentIndex(self.MESH)
        self.shelf.mark(shown_id(result))
        mesh = self._mesh_view()
        if self._in_mesh != result:
            self._in_mesh = result
            mesh.show_lift(result)
            mesh.show_photos(self.state.photos(result.request.landmark.id))

    def _mesh_view(self) -> MeshView:
        """The view of meshes; made when a shape is looked at first."""
        if self.mesh is None:
            # Imported late: it brings numpy's friends along, for which the list and the rose need not wait.
            from gpsdream_app.ui.landmarks.mesh_view import MeshView

            mesh = self.mesh = MeshView(self._session, self._mesh_room, self._theme)
            mesh.failed.connect(self._session.notify_failure)
            mesh.saved.connect(self._mesh_saved)
            layout = self._mesh_room.layout()
            assert layout is not None
            layout.addWidget(mesh)
        return self.mesh

    def _mesh_saved(self, result: LiftResult) -> None:
        """Another threshold was saved: the lift has another mesh, picture and outline now."""
        if self._in_mesh and self._in_mesh.folder == result.folder:
            self._in_mesh = result
        if self._shown and self._shown.folder == result.folder:
            self._shown = result
        self.state.lifts.replace(result)
        self.state.forget_footprint(result)

    def shut(self) -> None:
        """Let go of OpenGL, before the window goes."""
        if self.mesh is not None:
            self.mesh.shut()

    def show_result(self, result: LiftResult) -> None:
        """Show a finished lift."""
        self.state.choose(result.request.landmark.id)
        self._shown, self._wants_live = result, False
        self._show_tab(SHAPE)
        self._show_on_map_soon()

    def show_live(self) -> None:
        """Show the lift that goes on."""
        self._shown, self._wants_live = None, True
        self._show_tab(SHAPE)

    # -- lifts --

    def _lift_changed(self, landmark_id: str) -> None:
        if landmark_id != self.state.chosen_id or self.body.currentIndex() == self.EDITOR:
            return
        job = self.state.lifts.job_of(landmark_id)
        if self._tab == SHAPE and self._shown is None and self.live.job is not job:
            self._show_body()

    def _history_changed(self) -> None:
        if self._shown and all(
            (one.folder, one.created) != (self._shown.folder, self._shown.created) for one in self.state.lifts.history
        ):
            self._shown = None
        if self.body.currentIndex() != self.EDITOR:
            self._show_body()
        self._show_on_map_soon()

    def _lifted(self, result: LiftResult) -> None:
        self.state.forget_footprint(result)
        landmark = result.request.landmark
        in_sight = self._here and self.isVisible() and landmark.id == self.state.chosen_id
        if in_sight and (self._shown is None or self._wants_live):
            self.show_result(result)
            return
        text = self.tr("{0} is lifted.").format(one_line(landmark.title))
        self._session.notify(Notice(Tone.PLAIN, text, "", self.tr("Show"), lambda: self._come_and_show(result)))

    def _come_and_show(self, result: LiftResult) -> None:
        window = self.window()
        if hasattr(window, "show_landmarks"):
            window.show_landmarks()
        self.show_result(result)

    def _lift_failed(self, request: LiftRequest, failure: Failure) -> None:
        self._session.notify_failure(failure, self.tr("Lift again"), lambda: self._lift_again(request))
        self._show_body_unless_editing()

    def _lift_again(self, request: LiftRequest) -> None:
        self._session.dismiss()
        self.state.use(request)
        self.draw()

    def _lift_ended(self, request: LiftRequest) -> None:
        title = one_line(request.landmark.title)
        text = self.tr("The lift of {0} was ended. It can go on where it was.").format(title)
        self._session.notify(Notice(Tone.PLAIN, text, "", self.tr("Go on"), lambda: self._lift_again(request)))
        self._show_body_unless_editing()

    def _show_body_unless_editing(self) -> None:
        if self.body.currentIndex() != self.EDITOR:
            self._show_body()

    def _go_on(self, lift: UnfinishedLift) -> None:
        self.state.use(lift.request)
        self.draw()

    def _toggle_pause(self) -> None:
        if self.body.currentIndex() == self.LIVE:
            self.live.toggle_pause()

    def _remove_any(self, item: LiftResult | LiftJob | UnfinishedLift) -> None:
        if isinstance(item, LiftResult):
            self.remove_lift(item)
        elif isinstance(item, LiftJob):
            self.state.lifts.cancel(item)
        else:
            self.state.lifts.discard(item)

    def remove_lift(self, result: LiftResult) -> None:
        """Take a lift out of the history; it can be brought back until the program ends."""
        lifts = self.state.lifts

        def removed() -> None:
            self._undo.append(lifts.undo)
            text = self.tr("The lift was removed.")
            self._session.notify(Notice(Tone.PLAIN, text, "", self.tr("Undo"), self.undo))

        lifts.remove(result, removed)

    # -- landmarks --

    def add_landmark(self) -> None:
        """Ask for a landmark of a person's own."""
        self._begin_editing(None)

    def change_landmark(self, landmark_id: str) -> None:
        """Let a person change a landmark of their own, or the folders of any."""
        listed = self.state.book.get(landmark_id)
        if listed:
            self.state.choose(landmark_id)
            self._begin_editing(listed)

    def _begin_editing(self, listed: Listed | None) -> None:
        self.head.hide()
        self.shelf.hide()
        self.body.setCurrentIndex(self.EDITOR)
        self.editor.begin(listed)
        if self._here and self.editor.place.isEnabled():
            self._board.set_picking(True)

    def _leave_editor(self) -> None:
        self._edited_place = None
        if self._here:
            self._board.set_picking(False)
            self._board.clear_pin()
        self.body.setCurrentIndex(self.KNOWLEDGE)
        self.shelf.setVisible(bool(self.shelf.tiles))
        self._show_body()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _save_draft(self, draft: Draft) -> None:
        def saved(landmark_id: str) -> None:
            self._undo.append(self.state.book.undo)
            self._leave_editor()
            self.state.choose(landmark_id)

        self.state.book.save(draft, saved)

    def remove_landmark(self, landmark_id: str) -> None:
        """Take a person's own landmark out of the list; its photos stay where they are."""
        listed = self.state.book.get(landmark_id)
        if listed is None or not listed.own:
            return

        def removed() -> None:
            self._undo.append(self.state.book.undo)
            text = self.tr("{0} was taken out of the list.").format(one_line(listed.title))
            self._session.notify(Notice(Tone.PLAIN, text, "", self.tr("Undo"), self.undo))

        self.state.book.remove(landmark_id, removed)

    def ask_photos(self) -> None:
        """Let a person name the folder of their photos of the chosen landmark."""
        listed = self.state.chosen
        if listed is None:
            return

        def chosen(folder: Path) -> None:
            self._session.settings.photos_folder = folder
            self.state.book.set_photos(listed.id, folder, lambda _: self._undo.append(self.state.book.undo))

        ask_folder(self, self._session, self.tr("Photos of {0}").format(listed.title), listed.photos, chosen)

    def edit_masks(self) -> None:
        """Open the editor that says where the landmark is in each photo."""
        listed = self.state.chosen
        if listed is None or listed.photos is None:
            return
        # Imported late: few need it.
        room = importlib.import_module("gpsdream_app.ui.landmarks.mask_editor")
        dialog = room.MaskEditor(self._session, listed.entry, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.finished.connect(lambda _: self.state.book.read())
        dialog.open()

    # -- menus --

    def _show_landmark_menu(self) -> None:
        corner = self.more.mapToGlobal(QPoint(self.more.width(), self.more.height() + SPACE_1))
        menu = self.landmark_menu(self.state.chosen_id)
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def _popup_landmark_menu(self, landmark_id: str, point: QPoint) -> None:
        self.landmark_menu(landmark_id).popup(point)

    def landmark_menu(self, landmark_id: str) -> Menu:
        """Return what can be done with a landmark."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        listed = self.state.book.get(landmark_id)
        if listed is None:
            return menu
        menu.add(self.tr("Show it on the map"), "pin", lambda: self._with(listed.id, self.fly_to_chosen))
        menu.add(self.tr("Photos folder…"), "folder", lambda: self._with(listed.id, self.ask_photos))
        if listed.photos and CAN_MARK:
            menu.add(self.tr("Mark it in the photos…"), "polygon", lambda: self._with(listed.id, self.edit_masks))
        if listed.own:
            menu.addSeparator()
            menu.add(self.tr("Change…"), "edit", lambda: self.change_landmark(listed.id), self.tr("F2"))
            menu.add(self.tr("Remove"), "trash", lambda: self.remove_landmark(listed.id), self.tr("Del"))
        return menu

    def _with(self, landmark_id: str, act: Callable[[], None]) -> None:
        """Choose a landmark, then do something with it."""
        self.state.choose(landmark_id)
        act()

    def _popup_lift_menu(self, item: LiftResult | LiftJob | UnfinishedLift, point: QPoint) -> None:
        self.lift_menu(item).popup(point)

    def lift_menu(self, item: LiftResult | LiftJob | UnfinishedLift) -> Menu:
        """Return what can be done with a lift."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        state, lifts = self.state, self.state.lifts
        if isinstance(item, LiftResult):
            menu.add(self.tr("Show"), "picture", lambda: self.show_result(item))
            other = self._shown or next(iter(lifts.of(item.request.landmark.id)), None)
            if other and (other.folder, other.created) != (item.folder, item.created):
                menu.add(self.tr("Compare with the one in sight"), "alike", lambda: self.compare(other, item))
            menu.add(self.tr("Use its settings"), "undo", lambda: state.use(item.request))
            menu.add(self.tr("Show in folder"), "folder", lambda: show_in_folder(Path(item.folder) / "mesh.glb"))
            if item.kept_early:
                menu.add(self.tr("Go on with it"), "play", lambda: self._lift_again(item.request))
            menu.addSeparator()
            menu.add(self.tr("Remove"), "trash", lambda: self.remove_lift(item), self.tr("Del"))
        elif isinstance(item, LiftJob):
            if item.can_resume:
                menu.add(self.tr("Go on"), "play", lambda: lifts.resume(item), self.tr("P"))
            elif item.can_pause:
                menu.add(self.tr("Pause"), "pause", lambda: lifts.pause(item), self.tr("P"))
            if item.can_keep:
                menu.add(self.tr("Stop and keep"), "check", lambda: lifts.keep(item))
            menu.add(self.tr("Cancel"), "stop", lambda: lifts.cancel(item))
        else:
            menu.add(self.tr("Go on"), "play", lambda: self._go_on(item))
            menu.add(self.tr("Throw it away"), "trash", lambda: lifts.discard(item), self.tr("Del"))
        return menu

    def compare(self, first: LiftResult, second: LiftResult) -> None:
        """Show two lifts side by side."""
        self.show_result(first)
        self._mesh_view().compare(first, second)

    # -- the map --

    def _show_on_map_soon(self) -> None:
        if self._here:
            self._due.start()

    def _show_on_map(self) -> None:
        if not self._here:
            return
        state = self.state
        shown: list[dict[str, Any]] = []
        has_photos = bool(state.photos(state.chosen_id))
        self.tools.show_photos(has_photos)
        for listed in state.book.listed:
            mark, chosen = listed.landmark, listed.id == state.chosen_id
            outline = state.footprint(listed.id, self._shown if chosen else None)
            dots = state.standpoints(listed.id) if chosen and self.tools.photos.isChecked() else []
            shown.append(
                {
                    "id": listed.id,
                    "name": one_line(listed.title),
                    "lat": mark.lat,
                    "lon": mark.lon,
                    "heading": None if listed.own else mark.heading,
                    "height": listed.height or 20.0,
                    "chosen": chosen,
                    "footprint": outline,
                    "photos": dots,
                    "sector": sector_of(self._sector) if chosen and self._sector >= 0 else None,
                }
            )
        self._board.set_landmarks(shown)

    def fly_to_chosen(self) -> None:
        """Bring the chosen landmark in sight, with the ground around it."""
        listed = self.state.chosen
        if listed is None or not self._here:
            return
        self._flown_to = listed.id
        self._fit(listed, max(NEAR_LEAST, NEAR_HEIGHTS * (listed.height or 20.0)))

    def _fly_around(self) -> None:
        listed = self.state.chosen
        if listed and self._here:
            self._fit(listed, AROUND_METRES)

    def _fit(self, listed: Listed, metres: float) -> None:
        frame = LocalFrame(listed.landmark.lat, listed.landmark.lon)
        south, west = frame.to_degrees(-metres, -metres)
        north, east = frame.to_degrees(metres, metres)
        self._board.fit(south, west, north, east)

    def _sector_changed(self, number: int) -> None:
        self._sector = number
        self._show_on_map_soon()

    def _photos_changed(self, landmark_id: str) -> None:
        if landmark_id == self.state.chosen_id:
            self._show_on_map_soon()
            shown = self._in_mesh
            if self.mesh is not None and shown and shown.request.landmark.id == landmark_id:
                self.mesh.show_photos(self.state.photos(landmark_id))

    def _landmark_clicked(self, landmark_id: str) -> None:
        if self._here and self.body.currentIndex() != self.EDITOR:
            self.state.choose(landmark_id)

    def _place_picked(self, lat: float, lon: float) -> None:
        if self._here and self.editor.takes_place:
            self._edited_place = lat, lon
            self.editor.take_place(lat, lon)

    def _place_edited(self, place: tuple[float, float] | None) -> None:
        if not self._here or place is None or place == self._edited_place:
            return
        self._edited_place = place
        with contextlib.suppress(GPSDreamError):
            self._board.set_pin(*place)
            if all(math.isfinite(value) for value in place):
                self._board.reveal(*place)
