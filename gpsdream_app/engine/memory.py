"""How much memory the engine gives a model: what is free where it shall run, and the preset that fits. No torch here:
what the engine's process has imported is asked, and nothing is imported for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpsdream_app.domain.memory import AUTO, REST_MINUTES, MemoryPreset, choose_preset, is_memory_choice
from gpsdream_app.library.machine import Memory, computer_memory, weights_bytes


def runs_on_gpu(device: str) -> bool:
    """Whether a model runs on a GPU with a memory of its own; `device` is auto, cpu, cuda, cuda:1 or mps."""
    torch = sys.modules.get("torch")
    if device == "auto":
        return torch is not None and bool(torch.cuda.is_available())
    return device.startswith("cuda")


def memory_of(device: str) -> Memory:
    """The memory that a model on this device goes into; see `runs_on_gpu`."""
    torch = sys.modules.get("torch")
    if torch is not None and runs_on_gpu(device):
        # What is not asked for right now may be: a GPU without a driver raises.
        with suppress(Exception):
            free, total = torch.cuda.mem_get_info(torch.device("cuda" if device == "auto" else device))
            return Memory(int(total), int(free))
    return computer_memory()


@dataclass(slots=True)
class MemoryRule:
    """Which preset the next model is loaded with, and when it is unloaded.

    Attributes:
        choice: a preset's name, or "auto".
        rest_minutes: without a job, after which the model is unloaded; 0 never.
        highest: quicker presets have run out of memory since this process began; only "auto" minds.
        measure: memory of a device; another one for tests.
    """

    choice: str = AUTO
    rest_minutes: float = REST_MINUTES
    highest: MemoryPreset = MemoryPreset.FULL
    measure: Callable[[str], Memory] = memory_of

    def take(self, choice: object, rest_minutes: object) -> None:
        """Take over what a person has chosen; what makes no sense is left as it was."""
        if is_memory_choice(choice) and choice != self.choice:
            self.choice = str(choice)
            self.highest = MemoryPreset.FULL
        if isinstance(rest_minutes, int | float) and not isinstance(rest_minutes, bool) and 0 <= rest_minutes <= 1e6:
            self.rest_minutes = float(rest_minutes)

    def preset_for(self, folder: Path, device: str) -> MemoryPreset:
        """Return the preset for a model that is about to be loaded.

        Args:
            folder: of the model.
            device: what it shall run on, as for `runs_on_gpu`.
        """
        if self.choice != AUTO:
            return MemoryPreset(self.choice)
        free = self.measure(device).free
        return choose_preset(free, weights_bytes(folder), on_gpu=runs_on_gpu(device), highest=self.highest)

    def ran_out(self, preset: MemoryPreset) -> MemoryPreset | None:
        """Note that memory ran out, and return the preset to try next; None if there is none that needs less."""
        lower = preset.next_lower
        if lower:
            self.highest = max(self.highest, lower, key=list(MemoryPreset).index)
        return lower

    @property
    def rest_seconds(self) -> float | None:
        """Seconds without a job after which the model is unloaded; None for never."""
        return self.rest_minutes * 60 if self.rest_minutes > 0 else None
