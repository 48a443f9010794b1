"""The models beside the map: what is installed, with card, scores and licence, and on the map what each has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QFont, QFontMetrics, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.model_card import PLACES, ModelCard
from gpsdream_app.domain.requests import DEFAULT_MODEL
from gpsdream_app.domain.words import size_words
from gpsdream_app.library.model_shelf import Cached
from gpsdream_app.photos.records import clean_text
from gpsdream_app.ui.desktop import open_folder
from gpsdream_app.ui.library.filters import LibraryTools
from gpsdream_app.ui.library.model import Index
from gpsdream_app.ui.models.shelf import Listed, Shelf
from gpsdream_app.ui.notice_bar import NoticeBar
from gpsdream_app.ui.phrases import menu_text
from gpsdream_app.ui.progress import ProgressLine
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import RADIUS, SPACE_1, SPACE_2, SPACE_3, SPACE_4, TYPE_SMALL
from gpsdream_app.ui.widgets import ElidedLabel, IconButton, Menu, TextButton, label

SMALLEST = 560
LIST_WIDTH = 220
ROW_HEIGHT = 50
NOTE = Qt.ItemDataRole.UserRole + 1
MAX_ROWS = 60  # of a card's table
MAX_WORDS = 400


def value_text(value: object) -> str:
    """Return a value of a card as one line of plain text."""
    if isinstance(value, Mapping):
        inner = [f"{clean_text(key, 40)} {value_text(item)}" for key, item in list(value.items())[:8]]
        return ", ".join(inner)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return f"{len(value):,}" if len(value) > 6 else ", ".join(value_text(item) for item in value)
    return clean_text(value, 300)


def score_text(value: object) -> str:
    """Return a score as “27.1, on held-out photos”; scores may be numbers or say what they were measured on."""
    if isinstance(value, Mapping) and "value" in value:
        rest = [clean_text(value[key], 120) for key in ("unit", "on") if value.get(key)]
        return ", ".join([value_text(value["value"]), *rest])
    return value_text(value)


class ModelsPage(QFrame):
    """The list and the card of what is chosen.

    Signals:
        quality_asked: how good the chosen model is shall be shown.
        left: back to where one came from.
    """

    quality_asked = Signal()
    left = Signal()

    def __init__(self, theme: Theme, session: Session, board: Any, parent: QWidget | None = None) -> None:
        """Make the page.

        Args:
            theme: the look.
            session: knows the open model.
            board: the map: a `MapView`, or in tests what stands in for it. It is told nothing before `enter`.
            parent: the Qt parent.
        """
        super().__init__(parent)
        self._theme, self._session, self._board = theme, session, board
        self.shelf: Shelf = session.shelf
        self._here = False
        self._wanted = ""
        self._shown_on_map = ""
        self._checked: dict[str, list[Failure]] = {}
        self.setObjectName("panel")
        self.setMinimumWidth(SMALLEST)
        self.setAcceptDrops(True)
        self.tools = LibraryTools(theme, self)
        self.tools.narrow.hide()
        self.tools.fit.set_name(self.tr("Show the area that the model knows"))
        self.tools.fit.clicked.connect(self._fit)
        self.notice = NoticeBar(theme, session, self)
        self.back = IconButton(theme, "back", self.tr("Back (Esc)"), parent=self)
        self.back.clicked.connect(self.left)
        self.facts = ElidedLabel("", "muted", self)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(self.tr("Models"), "title", self))
        words.addWidget(self.facts)
        self.add_button = TextButton(theme, self.tr("Add a folder…"), "folder", parent=self)
        self.add_button.setToolTip(self.tr("Copy a model folder, as diffusers saves it, among the installed models"))
        self.add_button.clicked.connect(self._ask_folder)
        self.cache_button = TextButton(theme, self.tr("From the cache…"), "import", parent=self)
        self.cache_button.setToolTip(self.tr("Models that other programs have downloaded from Hugging Face"))
        self.cache_button.clicked.connect(lambda: self.shelf.read_cache(self._offer_cache))
        head = QHBoxLayout()
        head.setSpacing(SPACE_1)
        head.addWidget(self.back)
        head.addLayout(words, 1)
        head.addWidget(self.add_button)
        head.addWidget(self.cache_button)
        self.list = ModelList(theme, self)
        self.list.setFixedWidth(LIST_WIDTH)
        self.list.currentItemChanged.connect(lambda *_: self._show_card())
        self.list.remove_asked.connect(self._remove)
        row = QHBoxLayout()
        row.setSpacing(SPACE_3)
        row.addWidget(self.list)
        row.addWidget(self._make_card(theme), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_4, SPACE_3, SPACE_4, SPACE_3)
        column.setSpacing(SPACE_2)
        column.addWidget(self.notice)
        column.addLayout(head)
        column.addWidget(self._make_adding(theme))
        column.addLayout(row, 1)
        shelf = self.shelf
        shelf.changed.connect(self._show_list)
        shelf.progress.connect(self._show_adding)
        shelf.added.connect(self._tell_added)
        shelf.removed.connect(self._tell_removed)
        shelf.verified.connect(self._tell_verified)
        shelf.failed.connect(session.notify_failure)
        session.model_changed.connect(lambda _: self._show_list())
        self._show_adding()
        self._show_list()

    def _make_card(self, theme: Theme) -> QWidget:
        scroll = QScrollArea(self)
        scroll.setObjectName("panelScroll")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        scroll.setAccessibleName(self.tr("Card of the model"))
        body = QWidget(scroll)
        body.setObjectName("panelBody")
        scroll.setWidget(body)
        self.title = label("", "title", wrap=True, parent=body)
        self.description = label("", wrap=True, parent=body)
        self.use = TextButton(theme, self.tr("Use this model"), "check", parent=body)
        self.use.clicked.connect(self._use)
        self.verify = TextButton(theme, self.tr("Verify"), "quality", parent=body)
        self.verify.setToolTip(self.tr("Check that every file of the model is there and whole"))
        self.verify.clicked.connect(self._verify)
        self.folder = TextButton(theme, self.tr("Folder"), "folder", parent=body)
        self.folder.clicked.connect(self._open_folder)
        self.remove = TextButton(theme, self.tr("Remove"), "trash", parent=body)
        self.remove.clicked.connect(self._remove)
        self.state = label("", "small", wrap=True, parent=body)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_1)
        for button in (self.use, self.verify, self.folder, self.remove):
            buttons.addWidget(button)
        buttons.addStretch()
        self.table = QGridLayout()
        self.table.setHorizontalSpacing(SPACE_3)
        self.table.setVerticalSpacing(SPACE_1)
        self.table.setColumnStretch(1, 1)
        self.quality = TextButton(
            theme, self.tr("How good is this model?"), "quality", look="link", colour="accent", parent=body
        )
        self.quality.clicked.connect(self.quality_asked)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, SPACE_2, 0)
        column.setSpacing(SPACE_2)
        column.addWidget(self.title)
        column.addWidget(self.description)
        column.addLayout(buttons)
        column.addWidget(self.state)
        column.addLayout(self.table)
        column.addWidget(self.quality, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch()
        self._body = body
        return scroll

    def _make_adding(self, theme: Theme) -> QWidget:
        part = self.adding = QFrame(self)
        part.setObjectName("card")
        self.adding_text = ElidedLabel("", "strong", part)
        self.line = ProgressLine(theme, part)
        self.line.setFixedHeight(4)
        stop = TextButton(theme, self.tr("Stop"), "stop", parent=part)
        stop.clicked.connect(self.shelf.stop_adding)
        words = QVBoxLayout()
        words.addWidget(self.adding_text)
        words.addWidget(self.line)
        row = QHBoxLayout(part)
        row.addLayout(words, 1)
        row.addWidget(stop)
        return part

    # -- coming and going --

    def enter(self) -> None:
        """Show what the chosen model has seen, and read what is installed."""
        self._here = True
        self._board.set_picking(False)
        self._board.set_examples([])
        self._board.clear_pin()
        self._board.set_results([])
        self._wanted = self._wanted or self._session.form.model
        self.shelf.refresh()
        self._show_coverage()

    def leave(self) -> None:
        """Give the map back."""
        self._here = False
        self._shown_on_map = ""
        self._board.set_picking(True)
        card = self._session.card
        self._board.set_coverage(coverage_of(card) if card else None)

    def undo(self) -> None:
        """Bring back the model that was removed last."""
        self._session.dismiss()
        self.shelf.undo()

    def escape(self) -> bool:
        """Go back to where one came from."""
        self.left.emit()
        return True

    def draw(self) -> None:
        """Do nothing: models are not drawn."""

    # -- the list --

    @property
    def chosen(self) -> Listed | None:
        """The model whose card is shown."""
        item = self.list.currentItem()
        return self.shelf.find(item.data(Qt.ItemDataRole.UserRole)) if item else None

    def choose(self, name: str) -> None:
        """Show the card of a model."""
        self._wanted = name
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == name:
                self.list.setCurrentRow(row)

    def _show_list(self) -> None:
        before = self.chosen
        wanted = self._wanted or (before.name if before else self._session.form.model)
        titles = Counter(title_of(model) for model in self.shelf.models)
        self.list.blockSignals(True)
        self.list.clear()
        for model in self.shelf.models:
            title = title_of(model)
            parts = [size_words(model.size)]
            if titles[title_of(model)] > 1:
                parts.insert(0, clean_text(model.name, 60))
            if model.name == self._session.form.model:
                parts.insert(0, self.tr("in use"))
            elif model.card is None:
                parts.insert(0, self.tr("base"))
            elif model.card.kind != PLACES:
                parts.insert(0, self.tr("landmarks"))
            note = " · ".join(parts)
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, model.name)
            item.setData(NOTE, note)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{title}, {note}")
            self.list.addItem(item)
            if model.name == wanted:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        if self.shelf.find(wanted):
            self._wanted = ""
        total = sum(model.size for model in self.shelf.models)
        count = len(self.shelf.models)
        if count:
            self.facts.setText(self.tr("{0} installed, {1}").format(count, size_words(total)))
        self._show_card()

    def _show_card(self) -> None:
        model = self.chosen
        self._clear_table()
        for widget in (self.title, self.description, self.use, self.verify, self.folder, self.remove):
            widget.setVisible(model is not None)
        self._show_state()
        self.quality.setVisible(model is not None and model.name == self._session.form.model)
        self._show_coverage()
        if model is None:
            return
        card = model.card
        self.title.setText(title_of(model))
        self.description.setText(
            clean_text(card.description, 1000)
            if card
            else self.tr(
                "A base to train from. It draws no places before it has learned some: train with it in Photos."
            )
        )
        open_now = model.name == self._session.form.model
        self.use.setText(self.tr("In use") if open_now else self.tr("Use this model"))
        self.use.setEnabled(not open_now and card is not None and card.kind == PLACES)
        removable = model.own and not open_now and model.name != DEFAULT_MODEL
        self.remove.setEnabled(removable)
        self.remove.setToolTip(
            self.tr("It can be brought back (Del)")
            if removable
            else self.tr("The model in use, and those that came with GPSDream, stay.")
        )
        for row, (word, text) in enumerate(self._rows(model)[:MAX_ROWS]):
            name = label(word, "muted", parent=self._body)
            value = label(text, wrap=True, parent=self._body)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.table.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            self.table.addWidget(value, row, 1)

    def _rows(self, model: Listed) -> list[tuple[str, str]]:
        """Return what the card says, as pairs of plain text."""
        rows = [
            (self.tr("Licence"), clean_text(model.licence, 200) or self.tr("not given")),
            (self.tr("Size"), size_words(model.size)),
            (self.tr("Folder"), clean_text(model.path, 400)),
        ]
        card = model.card
        if card is None:
            return rows
        box = card.box
        rows.append((self.tr("Pictures"), self.tr("{0} pixels").format(f"{card.image_size} × {card.image_size}")))
        if card.kind == PLACES:
            rows.append((self.tr("Area"), f"{box.south:.3f} to {box.north:.3f}, {box.west:.3f} to {box.east:.3f}"))
            rows.append((self.tr("Directions"), self.tr("known") if card.has_heading else self.tr("not known")))
        else:
            names = ", ".join(clean_text(known.landmark.name, 60) for known in card.landmarks[:20])
            rows.append((self.tr("Landmarks"), names))
        if card.coverage:
            photos = sum(cell[2] for cell in card.coverage.cells)
            rows.append((self.tr("Has seen"), self.tr("{0} photos; the map shows where").format(f"{photos:,}")))
        rows += [(key_text(key), score_text(value)) for key, value in card.scores.items()]
        rows += [
            (key_text(key), value_text(value))
            for key, value in card.training.items()
            if value not in (None, "", [], ()) and not isinstance(value, Mapping)
        ]
        if card.words:
            rows.append((self.tr("Words"), clean_text(", ".join(card.words), MAX_WORDS)))
        return rows

    def _clear_table(self) -> None:
        while self.table.count():
            item = self.table.takeAt(0)
            widget = item.widget() if item else None
            if widget:
                widget.hide()
                widget.deleteLater()

    def _show_state(self) -> None:
        model = self.chosen
        failures = self._checked.get(model.name) if model else None
        self.state.setVisible(failures is not None)
        if failures is not None:
            lines = [clean_text(f"{failure.message} {failure.hint}", 500) for failure in failures[:8]]
            self.state.setText("\n".join(lines) if lines else self.tr("Every file is there and whole."))

    # -- the map --

    def _show_coverage(self) -> None:
        model = self.chosen
        # Until the list is read the map goes on showing what the open model has seen.
        if not self._here or model is None or model.name == self._shown_on_map:
            return
        self._shown_on_map = model.name
        self._board.set_coverage(coverage_of(model.card) if model.card else None)

    def _fit(self) -> None:
        model = self.chosen
        if model and model.card and self._here:
            box = model.card.box
            self._board.fit(box.south, box.west, box.north, box.east)

    # -- what a person does --

    def _use(self) -> None:
        model = self.chosen
        if model and model.card:
            self._wanted = model.name
            self._session.use_model(model.name)

    def _verify(self) -> None:
        if self.chosen:
            self.shelf.verify(self.chosen)

    def _remove(self) -> None:
        model = self.chosen
        if model and self.remove.isEnabled():
            self.shelf.remove(model)

    def _open_folder(self) -> None:
        if self.chosen:
            open_folder(self.chosen.path)

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, self.tr("Add a model folder"), str(self._session.settings.save_folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda path: self.add(Path(path)))
        dialog.open()

    def add(self, folder: Path, name: str = "") -> None:
        """Add a model folder."""
        self._session.dismiss()
        self.shelf.add(folder, name)

    def cache_menu(self, cached: list[Cached]) -> Menu:
        """Return the models of the cache as a menu."""
        menu = Menu(self._theme, self)
        menu.aboutToHide.connect(menu.deleteLater)
        for model in cached[:30]:
            kind = self.tr("knows places") if model.has_card else self.tr("base")
            text = f"{clean_text(model.name, 80)} · {kind} · {size_words(model.size)}"
            folder, name = model.folder, model.name.rpartition("/")[2]
            menu.add(menu_text(text), "import", lambda f=folder, n=name: self.add(f, n))  # type: ignore[misc]
        return menu

    def _offer_cache(self, cached: list[Cached]) -> None:
        if not cached:
            text = self.tr("There is no model in the cache of Hugging Face on this computer.")
            self._session.notify(Notice(Tone.HINT, text, self.tr("“gpsdream models get” downloads a base.")))
            return
        self.cache_menu(cached).popup(self.cache_button.mapToGlobal(QPoint(0, self.cache_button.height())))

    # -- what happened --

    def _show_adding(self) -> None:
        shelf = self.shelf
        self.adding.setVisible(bool(shelf.adding))
        self.add_button.setEnabled(not shelf.adding)
        self.cache_button.setEnabled(not shelf.adding)
        self.adding_text.setText(self.tr("Copying {0}").format(clean_text(shelf.adding, 80)))
        self.line.show_fraction(shelf.fraction)

    def _tell_added(self, name: str) -> None:
        self._wanted = name
        self._session.notify(Notice(Tone.PLAIN, self.tr("“{0}” is among the models.").format(name)))

    def _tell_removed(self, name: str) -> None:
        text = self.tr("“{0}” was removed.").format(name)
        hint = self.tr("It can be brought back for a week.")
        self._session.notify(Notice(Tone.PLAIN, text, hint, self.tr("Undo"), self.undo))

    def _tell_verified(self, name: str, failures: list[Failure]) -> None:
        self._checked[name] = failures
        self._show_state()

    # -- dropping a folder --

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a folder."""
        if self._dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add a folder that was dropped."""
        folder = self._dropped(event)
        if folder:
            event.acceptProposedAction()
            self.add(folder)

    def _dropped(self, event: QDropEvent) -> Path | None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return paths[0] if len(paths) == 1 and paths[0].is_dir() else None


class ModelDelegate(QStyledItemDelegate):
    """Draws a model: its title, and below it what it is and how large."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._list = theme, parent
        theme.changed.connect(parent.update)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Two lines."""
        return QSize(LIST_WIDTH - SPACE_4, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        theme = self._theme
        rect = QRectF(option.rect).adjusted(2, 2, -2, -2)
        state = option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("accent"), 2) if chosen and self._list.hasFocus() else Qt.PenStyle.NoPen)
        if chosen or hovered:
            painter.setBrush(theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(rect, RADIUS, RADIUS)
        words = rect.adjusted(SPACE_2, SPACE_1, -SPACE_2, -SPACE_1)
        upper = QRectF(words.left(), words.top(), words.width(), words.height() / 2)
        font = QFont(self._list.font())
        lines = (
            (Qt.ItemDataRole.DisplayRole, "text", upper),
            (NOTE, "text_muted", upper.translated(0, upper.height())),
        )
        for role, colour, line in lines:
            painter.setFont(font)
            painter.setPen(theme.colour(colour))
            text = QFontMetrics(font).elidedText(str(index.data(role)), Qt.TextElideMode.ElideRight, int(line.width()))
            painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
            font.setPixelSize(TYPE_SMALL)
        painter.restore()


class ModelList(QListWidget):
    """The names; Del removes the chosen one.

    Signals:
        remove_asked: the chosen model shall be removed.
    """

    remove_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Installed models"))
        self.setItemDelegate(ModelDelegate(theme, self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete removes."""
        if event.key() == Qt.Key.Key_Delete:
            self.remove_asked.emit()
        else:
            super().keyPressEvent(event)


def title_of(model: Listed) -> str:
    """Return what a model is called, as one line of plain text."""
    return clean_text(model.card.title if model.card else model.name, 100)


# Keys of cards whose words would not read well.
KEYS = {
    "autoencoder_psnr_db": "Codec, dB",
    "clip_score": "CLIP score",
    "gps_score": "GPS score",
    "gps_score_place_only": "GPS score, place alone",
    "median_area_km2": "Median area, km²",
    "licence": "Licence of the data",
}


def key_text(key: str) -> str:
    """Return a key of a card as words that begin with a capital letter."""
    words = KEYS.get(key) or clean_text(key.replace("_", " "), 40)
    return words[:1].upper() + words[1:]


def coverage_of(card: ModelCard) -> dict[str, Any] | None:
    """Return where a model has seen photos, as the map wants it; None if it does not say."""
    coverage = card.coverage
    if coverage is None:
        return None
    return {
        "south": coverage.south,
        "west": coverage.west,
        "cell_lat": coverage.cell_lat,
        "cell_lon": coverage.cell_lon,
        "cells": [list(cell) for cell in coverage.cells],
    }
