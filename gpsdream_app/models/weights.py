"""What every loader of weights has to see to, whatever library read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


def refuse_missing_weights(loading: Mapping[str, Any]) -> None:
    """Raise ValueError if a folder lacked weights: libraries fill them with random numbers and go on."""
    lacking = [*loading.get("missing_keys", ()), *loading.get("mismatched_keys", ())]
    if lacking:
        raise ValueError(f"{len(lacking)} weights are missing, the first is {lacking[0]}")


def copy_out_of_file(module: nn.Module) -> None:
    """Give a loaded module memory of its own.

    Mapped files put weights at odd addresses, where the same sum can round differently.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.clone()
