"""Presets of how much memory a model may take while it draws, and which of them fits into what is free."""

from __future__ import annotations

from enum import StrEnum

MIB = 1 << 20


class MemoryPreset(StrEnum):
    """How a model is loaded; `generation.memory` does it.

    FULL is the quickest. BALANCED attends to one picture of a batch at a time. LOW decodes pictures in tiles as well,
    and keeps the weights of the U-Net in half precision (on a CPU) or in the computer's memory (with a GPU).
    """

    FULL = "full"
    BALANCED = "balanced"
    LOW = "low"

    @property
    def next_lower(self) -> MemoryPreset | None:
        """The next preset that needs less; None if there is none."""
        presets = list(MemoryPreset)
        place = presets.index(self) + 1
        return presets[place] if place < len(presets) else None


AUTO = "auto"  # in place of a preset: what fits when the model is loaded
MEMORY_CHOICES = (AUTO, *(preset.value for preset in MemoryPreset))
REST_MINUTES = 15.0  # without a job, after which a model is unloaded


def memory_needed(preset: MemoryPreset, weights: int, *, on_gpu: bool) -> int:
    """Bytes of free memory that loading a model and drawing with it takes; a rule of thumb.

    Args:
        preset: how it is loaded.
        weights: bytes of its weight files, which hold numbers of 16 bits.
        on_gpu: whether it runs on a GPU, where numbers stay at 16 bits; a CPU computes with 32.
    """
    if on_gpu:
        stays, works, around = {
            MemoryPreset.FULL: (1.0, 1.0, 1024),
            MemoryPreset.BALANCED: (1.0, 0.5, 700),
            MemoryPreset.LOW: (0.25, 0.25, 500),
        }[preset]
    else:
        stays, works, around = {
            MemoryPreset.FULL: (2.0, 1.0, 300),
            MemoryPreset.BALANCED: (2.0, 0.5, 250),
            MemoryPreset.LOW: (1.0, 0.5, 200),
        }[preset]
    return round(weights * (stays + works)) + around * MIB


def choose_preset(
    free: int, weights: int, *, on_gpu: bool = False, highest: MemoryPreset = MemoryPreset.FULL
) -> MemoryPreset:
    """Return the quickest preset that fits into `free` bytes, LOW if none does.

    Args:
        free: bytes of the memory that the model goes into.
        weights: bytes of its weight files.
        on_gpu: whether that is a GPU's memory.
        highest: no quicker preset than this.
    """
    presets = list(MemoryPreset)
    for preset in presets[presets.index(highest) :]:
        if memory_needed(preset, weights, on_gpu=on_gpu) <= free:
            return preset
    return MemoryPreset.LOW


def is_memory_choice(value: object) -> bool:
    """Whether a value names a preset, or says that it shall be found by itself."""
    return isinstance(value, str) and value in MEMORY_CHOICES
