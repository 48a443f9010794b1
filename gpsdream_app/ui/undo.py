"""Undo and redo for the form: what was typed, chosen or taken over from a picture comes back step by step."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence

from gpsdream_app.domain.places import Place
from gpsdream_app.ui.state import LIMITS, FormState

PAUSE_MILLISECONDS = 600  # a rest in typing or dragging that ends a step
MAX_STEPS = 200
PLACE_FIELDS = ("place", "latitude_text", "longitude_text", "heading_text", "place_failure")
FIELDS = (*PLACE_FIELDS, "prompt", "negative_prompt", "count", "steps", "place_guidance", "text_guidance")
SEED_FIELDS = ("seed", "seed_locked")

State = dict[str, Any]


class FormHistory(QObject):
    """Remembers how the form was.

    Changes to one field without a pause are one step, and so is whatever changes at once, such as taking a picture's
    settings over. A seed counts only while it is locked: the program takes another one for each drawing.

    Attributes:
        changed_at: when the form last changed by hand, in seconds of `time.monotonic`.

    Signals:
        changed: there is something else to undo or redo.
    """

    changed = Signal()

    def __init__(self, form: FormState, parent: QObject | None = None) -> None:
        """Watch a form from now on."""
        super().__init__(parent)
        self._form = form
        self._done: list[State] = []
        self._undone: list[State] = []
        self._settled = self._latest = self._state()
        self._group = ""  # of the step that has not ended; empty for none
        self._same_turn = False
        self._applying = False
        self.changed_at = 0.0
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MILLISECONDS)
        self._pause.timeout.connect(self._settle)
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._end_turn)
        form.changed.connect(self._form_changed)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done) or not _same(self._settled, self._latest)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to take again."""
        return bool(self._undone)

    def undo(self) -> bool:
        """Bring the form back to how it was one step before. Returns whether there was one."""
        self._settle()
        if not self._done:
            return False
        self._undone.append(self._settled)
        self._apply(self._done.pop())
        return True

    def redo(self) -> bool:
        """Take a step again that was undone. Returns whether there was one."""
        self._settle()
        if not self._undone:
            return False
        self._done.append(self._settled)
        self._apply(self._undone.pop())
        return True

    def take_defaults(self) -> None:
        """Count what another model recommends as no step of a person's: undo leaves it as it is."""
        state = self._state()
        for kept in (self._settled, self._latest, *self._done, *self._undone):
            kept.update({name: state[name] for name in LIMITS})
        # Steps that changed nothing else are none any more.
        self._done = [kept for kept, after in pairwise([*self._done, self._settled]) if not _same(kept, after)]
        self._undone = [kept for kept, after in pairwise([*self._undone, self._settled]) if not _same(kept, after)]
        if _same(self._settled, self._latest):
            self._rest()
        self.changed.emit()

    def _state(self) -> State:
        form = self._form
        state = {name: getattr(form, name) for name in (*FIELDS, *SEED_FIELDS)}
        if not form.seed_locked:
            state["seed"] = None
        return state

    def _form_changed(self, name: str) -> None:
        if self._applying or name not in (*FIELDS, *SEED_FIELDS):
            return
        state = self._state()
        if _same(state, self._latest):
            self._latest = state  # the place got its name, or the program took a seed
            if not self._group:
                self._settled = state
            return
        group = "place" if name in PLACE_FIELDS else "seed" if name in SEED_FIELDS else name
        if self._same_turn:
            self._group = self._group if group == self._group else "several"
        elif group != self._group or group == "several":
            self._settle()
            self._group = group
        self._latest = state
        self._same_turn = True
        self._turn.start()
        self._pause.start()
        self.changed_at = time.monotonic()
        self.changed.emit()

    def _end_turn(self) -> None:
        self._same_turn = False

    def _rest(self) -> None:
        self._pause.stop()
        self._group = ""

    def _settle(self) -> None:
        """End the step that is going on."""
        self._rest()
        if _same(self._settled, self._latest):
            return
        self._done.append(self._settled)
        del self._done[:-MAX_STEPS]
        self._undone.clear()
        self._settled = self._latest
        self.changed.emit()

    def _apply(self, state: State) -> None:
        form = self._form
        self._applying = True
        try:
            place: Place | None = state["place"]
            if place is not None:
                form.set_place(place)
            # Also what was typed and is no place comes back as it was typed.
            for name in (*PLACE_FIELDS, *FIELDS):
                if getattr(form, name) != state[name]:
                    setattr(form, name, state[name])
            form.seed_locked = state["seed_locked"]
            if state["seed"] is not None:
                form.seed = state["seed"]
        finally:
            self._applying = False
        self._settled = self._latest = self._state()
        self.changed_at = time.monotonic()
        self.changed.emit()


def _same(first: State, second: State) -> bool:
    """Whether two states are one to a person: the name of a place is looked up, not given."""
    return _known(first) == _known(second)


def _known(state: State) -> State:
    place: Place | None = state["place"]
    return {**state, "place": (place.lat, place.lon, place.heading) if place else None}


class WindowKeys(QObject):
    """Leaves keys to the window that a text field would keep for itself.

    Ctrl+K opens the palette, where some systems delete to the end of the line. In the form, undo goes across all
    fields; a field's own memory ends with every text that the program puts there.
    """

    def __init__(self, *, undo: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._undo = undo

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the keys pass as a shortcut."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            palette = QKeyCombination(Qt.KeyboardModifier.ControlModifier, Qt.Key.Key_K)
            if event.keyCombination() == palette or (self._undo and is_undo(event)):
                event.ignore()
                return True
        return False


def is_undo(event: QKeyEvent) -> bool:
    """Whether a key event is one of Ctrl+Z, Ctrl+Shift+Z and Ctrl+Y, or what the system has in their place."""
    if event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo):
        return True
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    wanted = (
        QKeyCombination(control, Qt.Key.Key_Z),
        QKeyCombination(control | shift, Qt.Key.Key_Z),
        QKeyCombination(control, Qt.Key.Key_Y),
    )
    return event.keyCombination() in wanted
