"""Checkpoints of a training run: safetensors and JSON only, so that nothing in them can run as code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

STATE_FILE = "state.json"


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name, each once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


class WeightAverage:
    """Exponential moving average of the trainable weights, in float32.

    The decay rises with the number of steps, min(decay, (1 + n) / (10 + n)), so that early averages are not stuck at
    the random start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: parameter.detach().float().clone() for name, parameter in trainable(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after step `step` (from 1)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        parameters = trainable(model)
        torch._foreach_lerp_(
            list(self.shadow.values()), [parameters[name].detach().float() for name in self.shadow], weight
        )

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange averaged and present weights; a second call undoes it."""
        for name, parameter in trainable(model).items():
            present = parameter.detach().clone()
            parameter.copy_(self.shadow[name])
            self.shadow[name].copy_(present)


def save_state(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage | None,
    facts: dict[str, Any],
) -> None:
    """Write a checkpoint; a half-written one is never left under its final name."""
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    parameters = trainable(model)
    save_file(
        {name: value.detach().contiguous() for name, value in parameters.items()}, temporary / "weights.safetensors"
    )
    if average is not None:
        save_file(average.shadow, temporary / "average.safetensors")
    moments: dict[str, torch.Tensor] = {}
    for name, parameter in parameters.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            moments[f"{name}|{key}"] = torch.as_tensor(value).detach().contiguous()
    save_file(moments, temporary / "optimizer.safetensors")
    (temporary / STATE_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def load_state(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None
) -> dict[str, Any]:
    """Read a checkpoint into model, optimiser and average; return its facts.

    Raises:
        GPSDreamError: if it belongs to a model of another shape, or is damaged.
    """
    try:
        facts = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        weights = load_file(folder / "weights.safetensors")
        moments = load_file(folder / "optimizer.safetensors")
        shadow = load_file(folder / "average.safetensors") if average is not None else {}
        parameters = trainable(model)
        if set(weights) != set(parameters):
            raise ValueError("the checkpoint holds other weights than the model")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(weights[name])
                if average is not None:
                    average.shadow[name].copy_(shadow[name])
        for name, parameter in parameters.items():
            keys = [key for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}|{key}" in moments]
            if keys:
                optimizer.state[parameter] = {
                    key: moments[f"{name}|{key}"].to(
                        "cpu" if key == "step" and not _fused(optimizer) else parameter.device
                    )
                    for key in keys
                }
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"The checkpoint “{folder.name}” cannot be resumed.",
            "Delete it to resume from the one before, or start with another output folder.",
            details=repr(error),
        ) from None
    return facts


def _fused(optimizer: torch.optim.Optimizer) -> bool:
    return bool(optimizer.defaults.get("fused"))


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints in a folder, oldest first."""
    found = [path for path in folder.glob("step-*") if (path / STATE_FILE).is_file() and path.suffix != ".part"]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))
