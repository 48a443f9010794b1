"""The levers of a running lift. No torch here: whoever pulls them need not have loaded it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LiftCancelled(Exception):
    """Raised out of a lift as soon as it was cancelled. The last checkpoint stays as it was."""


class LiftKept(Exception):
    """Raised inside a lift when a person is content with what there is; the loop ends there."""


class Control:
    """The levers of a running lift. May be used from any thread.

    Args:
        on_pause: called on the lift's thread with True when it waits, its checkpoint written, and with False when it
            goes on.
    """

    def __init__(self, on_pause: Callable[[bool], None] | None = None) -> None:
        self._changed = threading.Condition()
        self._cancelled = self._paused = self._kept = self._held = False
        self._on_pause = on_pause
        self.waited = 0.0

    def _set(self, **values: bool) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, f"_{name}", value)
            self._changed.notify_all()

    def cancel(self) -> None:
        """End it and raise `LiftCancelled`."""
        self._set(cancelled=True)

    def pause(self) -> None:
        """Write a checkpoint and wait."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._set(paused=False)

    def keep(self) -> None:
        """End it now with the field as it stands."""
        self._set(kept=True)

    def hold(self) -> None:
        """Have it give way before its next step or pass of the model, for something that is more urgent."""
        self._set(held=True)

    def release(self) -> None:
        """Go on after `hold`."""
        self._set(held=False)

    @property
    def paused(self) -> bool:
        """Whether it waits, or will after this step."""
        return self._paused

    @property
    def cancelled(self) -> bool:
        """Whether it shall end and leave nothing but its checkpoint."""
        return self._cancelled

    @property
    def ended(self) -> bool:
        """Whether it shall end, kept or not."""
        return self._cancelled or self._kept

    def check(self) -> None:
        """Give way while held; raise if it shall end. Seconds spent so are added to `waited`."""
        if self._held:
            self._wait_for(lambda: not self._held)
        if self._cancelled:
            raise LiftCancelled
        if self._kept:
            raise LiftKept

    def check_cancelled(self) -> None:
        """Raise if it shall end and nothing is to be kept: for what comes after the last step."""
        if self._cancelled:
            raise LiftCancelled

    def wait(self) -> None:
        """Wait while paused; raise if it shall end."""
        if self._on_pause:
            self._on_pause(True)
        self._wait_for(lambda: not self._paused)
        self.check()
        if self._on_pause:
            self._on_pause(False)

    def _wait_for(self, free: Callable[[], bool]) -> None:
        begun = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: free() or self.ended)
        self.waited += time.monotonic() - begun
