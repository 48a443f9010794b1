"""What makes the window easy to live in: commands and keys, palette, tour, undo of the form, files that are dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPlainTextEdit, QWidget

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.geo.gazetteer import Hit
from gpsdream_app.ui.desktop import show_in_folder
from gpsdream_app.ui.drops import DropKind, Dropped, guess, recognise_all
from gpsdream_app.ui.palette import CommandPalette, Entry, short
from gpsdream_app.ui.session import Notice, Tone
from gpsdream_app.ui.settings_page import SettingsPage
from gpsdream_app.ui.shortcuts import Command, Commands, ShortcutSheet
from gpsdream_app.ui.theme import ThemeChoice
from gpsdream_app.ui.tour import Step, Tour
from gpsdream_app.ui.undo import FormHistory, WindowKeys

if TYPE_CHECKING:
    from gpsdream_app.ui.window import MainWindow

MAX_HITS = 5


class Comfort(QObject):
    """Built once by the window, when its parts are there.

    Attributes:
        commands: everything that can be done by key or name.
        history: undo and redo of the form.
        palette: finds commands and places by their names.
        sheet: lists the keys.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self.history = FormHistory(window.session.form, self)
        window.session.model_changed.connect(self.history.take_defaults)
        self.commands = Commands(window)
        self._add_commands()
        self._canvas = canvas = window.canvas
        self.sheet = ShortcutSheet(window.theme, self.commands, canvas, self._keys_of_widgets())
        self.palette = CommandPalette(window.theme, canvas, self._entries, self._search)
        self.tour: Tour | None = None
        self.settings_page: SettingsPage | None = None
        self._undo_keys = WindowKeys(undo=True, parent=self)
        self._palette_keys = WindowKeys(undo=False, parent=self)
        for edit in _edits(window.form):
            edit.installEventFilter(self._undo_keys)
        self.watch_edits(window.search)

    def watch_edits(self, part: QWidget) -> None:
        """Let the palette's keys through the text fields of a part of the window."""
        for edit in _edits(part):
            edit.installEventFilter(self._palette_keys)

    def begin(self, files: Sequence[Path] = ()) -> None:
        """Begin as a program does that a person has started: where it was left, with files, or with the tour.

        Args:
            files: to open at once.
        """
        settings = self._session.settings
        if settings.reopen_page:
            self._shows[settings.page]()
        if files:
            self.open_files(files)
        elif not settings.tour_seen:
            self.show_tour()
        if settings.ignored:
            text = self.tr("Some settings could not be read and are at their defaults: {0}.")
            self._session.notify(Notice(Tone.HINT, text.format(", ".join(settings.ignored))))

    def come(self, files: Sequence[Path] = ()) -> None:
        """Bring the window to the front, and open what another start was asked to open."""
        window = self._window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()
        if files:
            self.open_files(files)

    def end(self) -> None:
        """Remember the place in sight, and put everything away that floats."""
        settings = self._session.settings
        settings.page = self._window.page_name
        self.palette.dismiss()
        self.sheet.dismiss()

    # -- commands --

    def _add_commands(self) -> None:
        window, session = self._window, self._session
        self._shows: dict[str, Callable[[], object]] = {
            "explore": lambda: window.show_page(window.splitter),
            "neighbourhoods": window.show_neighbourhoods,
            "landmarks": window.show_landmarks,
            "photos": window.show_photos,
            "library": window.show_library,
            "quality": lambda: window.show_page(window.quality),
        }

        def has_picture() -> bool:
            return session.shown is not None

        def has_result() -> bool:
            return session.shown is not None and session.shown.result is not None

        drawing, picture = self.tr("Drawing"), self.tr("Picture")
        going, program = self.tr("Go to"), self.tr("Program")
        for command in (
            Command(
                self.tr("Draw"), drawing, window.draw_now, ("Ctrl+Enter", "Ctrl+Return"), self.tr("generate create")
            ),
            Command(
                self.tr("Stop drawing, or leave what stands in front"), drawing, window.escape, ("Esc",), offered=False
            ),
            Command(
                self.tr("Stop drawing"), drawing, session.stop, possible=lambda: session.queue.first_single is not None
            ),
            Command(
                self.tr("Undo, in the form or of a deletion"),
                drawing,
                window.undo,
                ("Ctrl+Z",),
                self.tr("take back revert"),
            ),
            Command(
                self.tr("Redo, in the form"),
                drawing,
                self.redo,
                ("Ctrl+Shift+Z", "Ctrl+Y"),
                possible=lambda: window.exploring and self.history.can_redo,
            ),
            Command(
                self.tr("Forget the place"),
                drawing,
                lambda: session.form.set_place(None),
                words=self.tr("remove pin"),
                possible=lambda: session.form.place is not None,
            ),
            Command(
                self.tr("Move the pin to the nearest photo"),
                drawing,
                session.move_to_photos,
                possible=lambda: session.form.place is not None and bool(session.photo_distance()),
            ),
            Command(
                self.tr("Why does it look like this?"), picture, window.toggle_why, ("Ctrl+E",), possible=has_picture
            ),
            Command(self.tr("Save the picture"), picture, window.save_shown, ("Ctrl+S",), possible=has_result),
            Command(self.tr("Copy the picture"), picture, window.copy_picture, ("Ctrl+C",), possible=has_picture),
            Command(
                self.tr("Remix the picture with a new seed"),
                picture,
                self._remix,
                words="variation",
                possible=has_result,
            ),
            Command(self.tr("Show the picture in its folder"), picture, self._show_in_folder, possible=has_result),
            Command(self.tr("Open a file…"), picture, self.ask_file, ("Ctrl+O",), self.tr("import photo region model")),
            Command(self.tr("Explore"), going, self._shows["explore"], ("Ctrl+1",), self.tr("map")),
            Command(
                self.tr("Neighbourhoods"), going, self._shows["neighbourhoods"], ("Ctrl+2",), self.tr("regions walk")
            ),
            Command(self.tr("Landmarks"), going, self._shows["landmarks"], ("Ctrl+3",), self.tr("3D mesh lift")),
            Command(self.tr("Photos"), going, self._shows["photos"], ("Ctrl+4",), self.tr("import train")),
            Command(self.tr("Library"), going, self._shows["library"], ("Ctrl+5",), self.tr("history gallery trash")),
            Command(self.tr("Quality"), going, self._shows["quality"], words=self.tr("measure report model")),
            Command(self.tr("Models"), going, window.show_models, words=self.tr("install remove verify licence")),
            Command(self.tr("Settings"), going, self.show_settings, ("Ctrl+,",), self.tr("preferences options")),
            Command(
                self.tr("Help and checks"), going, window.show_help, ("F1",), self.tr("doctor graphics memory licences")
            ),
            Command(self.tr("Search a place"), going, window.search_place, ("Ctrl+F",), self.tr("find street address")),
            Command(self.tr("Queue"), going, window.show_queue, words=self.tr("jobs progress")),
            Command(self.tr("Find a command or a place"), program, self.show_palette, ("Ctrl+K",), offered=False),
            Command(
                self.tr("Show the shortcuts"), program, self.show_keys, ("Shift+?", "?"), self.tr("keyboard keys help")
            ),
            Command(self.tr("Take the tour"), program, self.show_tour, words=self.tr("help introduction")),
            Command(
                self.tr("Light colours"), program, lambda: self._choose_theme(ThemeChoice.LIGHT), words=self.tr("theme")
            ),
            Command(
                self.tr("Dark colours"), program, lambda: self._choose_theme(ThemeChoice.DARK), words=self.tr("theme")
            ),
            Command(
                self.tr("Colours as the system has them"),
                program,
                lambda: self._choose_theme(ThemeChoice.SYSTEM),
                words=self.tr("theme"),
            ),
            Command(self.tr("Quit"), program, window.close, ("Ctrl+Q",), self.tr("exit close")),
        ):
            self.commands.add(command)

    def _keys_of_widgets(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the keys that belong to parts of the window while they have the focus."""
        return [
            (
                self.tr("On the map"),
                [
                    (self.tr("Enter"), self.tr("Choose the middle of the map")),
                    (self.tr("Arrows"), self.tr("Move the map")),
                    (self.tr("+, -"), self.tr("Nearer, farther")),
                ],
            ),
            (
                self.tr("On pictures"),
                [
                    (self.tr("Arrows"), self.tr("Go from picture to picture")),
                    (self.tr("Del"), self.tr("Delete; Undo brings it back")),
                    (self.tr("Menu"), self.tr("What can be done with it")),
                ],
            ),
        ]

    def _choose_theme(self, choice: ThemeChoice) -> None:
        self._window.theme.choice = choice
        self._session.settings.theme = choice

    def _remix(self) -> None:
        shown = self._session.shown
        if shown and shown.result:
            self._window.show_page(self._window.splitter)
            self._session.remix(shown.result)

    def _show_in_folder(self) -> None:
        shown = self._session.shown
        if shown and shown.result:
            show_in_folder(Path(shown.result.path))

    # -- undo --

    def undo(self) -> None:
        """Take back what came last in Explore: a change of the form, or a deletion."""
        session, window = self._session, self._window
        in_sight = window.pages.currentWidget() is window.splitter
        if not in_sight or session.deleted_at > self.history.changed_at or not self.history.undo():
            session.undo_delete()

    def redo(self) -> None:
        """Take a change of the form again that was undone."""
        if self._window.exploring:
            self.history.redo()

    # -- cards --

    def show_palette(self) -> None:
        """Open the palette, or put it away."""
        if self.palette.isVisible():
            self.palette.dismiss()
            return
        self.sheet.dismiss()
        self.palette.open_here()

    def show_keys(self) -> None:
        """Open the list of keys, or put it away."""
        if self.sheet.isVisible():
            self.sheet.dismiss()
            return
        self.palette.dismiss()
        self.sheet.open_here()

    def show_settings(self) -> None:
        """Go to the page of settings; it is made when it is first gone to."""
        window = self._window
        if self.settings_page is None:
            page = SettingsPage(window.theme, self._session, window.pages)
            page.tour_asked.connect(self.show_tour)
            page.keys_asked.connect(self.show_keys)
            page.quality_asked.connect(lambda: window.show_page(window.quality))
            page.models_asked.connect(window.show_models)
            page.help_asked.connect(window.show_help)
            window.pages.addWidget(page)
            self.settings_page = page
        self.settings_page.refresh()
        window.show_page(self.settings_page)

    def show_tour(self) -> None:
        """Show the four cards, beginning with the first."""
        window = self._window
        window.show_page(window.splitter)
        if self.tour is None:
            self.tour = Tour(window.theme, self._canvas, self._steps())
            self.tour.ended.connect(self._tour_ended)
        self.tour.start()

    def end_tour(self) -> None:
        """Put the cards away, if they are shown."""
        if self.tour is not None:
            self.tour.end()

    def _tour_ended(self) -> None:
        self._session.settings.tour_seen = True
        if self._window.exploring:
            self._window.map.setFocus()

    def _steps(self) -> list[Step]:
        window = self._window
        return [
            Step(
                self.tr("Choose a place"),
                self.tr(
                    "Click the map anywhere, or one of the glowing places. Ctrl+F searches streets and landmarks. "
                    "The warm glow shows where the model has seen photos; there it knows best."
                ),
                lambda: window.map_area,
            ),
            Step(
                self.tr("Say what you would like to see"),
                self.tr(
                    "Write a few words, or click the words below them: the model has learned those. "
                    "The sliders weigh the place against your words."
                ),
                lambda: window.form_scroll,
            ),
            Step(
                self.tr("Draw"),
                self.tr(
                    "Ctrl+Enter draws, and you can watch. Every picture is kept with its place and words; "
                    "nothing leaves this computer. Undo works for the form, too."
                ),
                lambda: window.draw,
            ),
            Step(
                self.tr("There is more"),
                self.tr(
                    "Average buildings of a neighbourhood, landmarks in 3D, your own photos, and everything you have "
                    "made. Ctrl+K finds any command or place by its name, and Shift+? lists the keys."
                ),
                lambda: window.rail,
            ),
        ]

    # -- palette --

    def _entries(self) -> list[Entry]:
        entries = [
            Entry(command.text, command.call, command.group, command.keys_text, command.words)
            for command in self.commands
            if command.offered and command.possible()
        ]
        session = self._session
        for model in session.installed:
            if model.name != session.form.model:
                text = self.tr("Use the model “{0}”").format(short(model.card.title))
                entries.append(Entry(text, partial(session.use_model, model.name), self.tr("Model")))
        return entries

    def _search(self, text: str, found: Callable[[str, Sequence[Entry]], None]) -> None:
        def take(asked: str, hits: list[Hit]) -> None:
            entries = [Entry(short(hit.name), partial(self._go, hit), self.tr("Place")) for hit in hits[:MAX_HITS]]
            found(asked, entries)

        self._session.search(text, take)

    def _go(self, hit: Hit) -> None:
        self._window.show_page(self._window.splitter)
        self._session.go_to(hit.lat, hit.lon, hit.name)

    # -- files --

    def ask_file(self) -> None:
        """Ask for a file to open."""
        window = self._window
        dialog = QFileDialog(window, self.tr("Open"), str(self._session.settings.save_folder))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(
            [
                self.tr("All that GPSDream opens")
                + " (*.png *.jpg *.jpeg *.heic *.webp *.tif *.tiff *.geojson *.json *.zip)",
                self.tr("All files") + " (*)",
            ]
        )
        dialog.filesSelected.connect(lambda names: self.open_files([Path(name) for name in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def sentence(self, files: Sequence[Path]) -> str:
        """Say what dropping files would do, as far as their names tell."""
        if len(files) > 1:
            return self.tr("Drop the files to open them")
        return {
            DropKind.REGIONS: self.tr("Drop the file to read its regions"),
            DropKind.PICTURE: self.tr("Drop the picture to get its place, words and settings back"),
            DropKind.PHOTO: self.tr("Drop the photo to go where it was taken"),
            DropKind.REQUESTS: self.tr("Drop the file to draw its pictures again"),
            DropKind.FOLDER: self.tr("Drop the folder to import its photos, or to use the model in it"),
        }[guess(files[0])]

    def open_files(self, files: Sequence[Path]) -> None:
        """Open pictures, photos, regions, models and requests, as they come by dropping or from the command line."""
        if len(files) == 1 and guess(files[0]) is DropKind.REGIONS:
            self._window.show_neighbourhoods().import_file(files[0])
            return
        paths = list(files)
        self._session.background.run(self, lambda: recognise_all(paths), self._open, self._session.notify_failure, 5)

    def _open(self, found: list[Dropped | GPSDreamError]) -> None:
        session, good = self._session, [item for item in found if isinstance(item, Dropped)]
        if not good:
            for item in found[:1]:
                if isinstance(item, GPSDreamError):
                    session.notify_failure(item.failure)
            return
        for item in good:
            # Regions add to what is there; of everything else, the last one would hide the others.
            if item.kind is DropKind.REGIONS or item is good[0]:
                self._open_one(item)
        if len(found) > 1 and good[0].kind is not DropKind.REGIONS:
            text = self.tr("“{0}” was opened, the first of {1} files.").format(short(good[0].path.name), len(found))
            session.notify(Notice(Tone.HINT, text, self.tr("Drop a folder of photos to import all of them.")))

    def _open_one(self, item: Dropped) -> None:
        window, session = self._window, self._session
        name = short(item.path.name)
        match item.kind:
            case DropKind.REGIONS:
                window.show_neighbourhoods().import_file(item.path)
            case DropKind.PICTURE:
                window.show_page(window.splitter)
                session.open_picture(item.path)
            case DropKind.PHOTO if item.place:
                window.show_page(window.splitter)
                session.form.set_place(item.place)
                session.fly.emit(item.place.lat, item.place.lon, 0.0)
                text = self.tr("The place where “{0}” was taken is chosen.").format(name)
                folder = item.path.parent
                session.notify(Notice(Tone.HINT, text, "", self.tr("Import its folder"), lambda: self._import(folder)))
            case DropKind.FOLDER:
                self._import(item.path)
            case DropKind.MODEL:
                window.show_page(window.splitter)
                session.use_model(str(item.path))
                session.notify(Notice(Tone.PLAIN, self.tr("“{0}” draws now.").format(short(item.title))))
            case DropKind.REQUESTS:
                self._offer_requests(item, name)

    def _import(self, folder: Path) -> None:
        self._window.show_photos().take_folder(folder)

    def _offer_requests(self, item: Dropped, name: str) -> None:
        window, session = self._window, self._session
        window.show_page(window.splitter)
        text = self.tr("“{0}” holds {1} drawings.").format(name, len(item.requests))
        hint = ""
        if item.others:
            hint = self.tr("{0} averages of regions are left out; gpsdream generate --replay draws them, too.")
            hint = hint.format(item.others)

        def draw() -> None:
            for request in item.requests:
                session.submit(request)

        action = self.tr("Draw them") if item.requests else ""
        session.notify(Notice(Tone.HINT, text, hint, action, draw if item.requests else None))


def _edits(part: QWidget) -> list[QWidget]:
    return [*part.findChildren(QLineEdit), *part.findChildren(QPlainTextEdit)]
