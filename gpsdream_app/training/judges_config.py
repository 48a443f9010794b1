"""Settings of the judges' training, as read from a recipe file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.training.config import DataConfig, TrainConfig
from gpsdream_app.training.crops import CropsConfig
from gpsdream_app.training.gps_clip import GPSClipConfig
from gpsdream_app.training.probe import ProbeConfig
from gpsdream_app.training.text_clip import TextClipConfig

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class JudgesConfig:
    """A recipe.

    Attributes:
        data: how photos are made ready and split, as in the recipe of a model: the same settings and seed hold out the
            same photos.
        split_seed: decides what is held out; that of the model's recipe (`loop.seed`).
        crops: how the crops look.
        gps_clip, text_clip, probe: of each judge.
    """

    data: DataConfig = field(default_factory=DataConfig)
    split_seed: int = 0
    crops: CropsConfig = field(default_factory=CropsConfig)
    gps_clip: GPSClipConfig = field(default_factory=GPSClipConfig)
    text_clip: TextClipConfig = field(default_factory=TextClipConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)

    @classmethod
    def open(cls, path: Path) -> JudgesConfig:
        """Read a recipe file. Raises GPSDreamError that names an unknown or wrong setting."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _bad(f"The recipe “{path.name}” cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise _bad(f"The recipe “{path.name}” is not JSON: {error}.") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> JudgesConfig:
        """Read a recipe. Raises GPSDreamError that names an unknown or wrong setting."""
        if not isinstance(data, Mapping):
            raise _bad("A recipe is a JSON object.")
        parts: dict[str, Any] = {}
        for name, value in data.items():
            if name == "split_seed" and isinstance(value, int):
                parts[name] = value
            elif name == "data":
                parts[name] = TrainConfig.from_dict({"data": value}).data
            elif name in _PARTS:
                parts[name] = _read(_PARTS[name], value, name)
            else:
                raise _bad(f"A recipe for judges has no part “{name}”.")
        return cls(**parts)

    def changed(
        self,
        *,
        steps: int | None = None,
        folds: int | None = None,
        seed: int | None = None,
        everything: bool | None = None,
        with_heading: bool | None = None,
    ) -> JudgesConfig:
        """The recipe with settings of the command line put over every judge's own; None leaves one as it is."""
        given = {"steps": steps, "folds": folds, "seed": seed, "everything": everything}
        given = {name: value for name, value in given.items() if value is not None}
        heading = {} if with_heading is None else {"with_heading": with_heading}
        return replace(
            self,
            gps_clip=replace(self.gps_clip, **given, **heading),
            text_clip=replace(self.text_clip, **given),
            probe=replace(self.probe, **given),
            crops=self.crops if seed is None else replace(self.crops, seed=seed),
        )


_PARTS: dict[str, type] = {
    "crops": CropsConfig,
    "gps_clip": GPSClipConfig,
    "text_clip": TextClipConfig,
    "probe": ProbeConfig,
}


def _bad(message: str) -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, "See docs/evaluation.md for the settings of the judges.")


def _read(kind: type[Settings], data: Any, part: str) -> Settings:
    """Read one part; each value must be of the kind of its default."""
    if not isinstance(data, Mapping):
        raise _bad(f"“{part}” must be an object with settings.")
    defaults = asdict(kind())  # type: ignore[call-overload]
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in {item.name for item in fields(kind)}:  # type: ignore[arg-type]
            raise _bad(f"“{part}” has no setting “{name}”.")
        default = defaults[name]
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if type(value) is not type(default):
            raise _bad(f"“{part}.{name}” must be of type {type(default).__name__}, not {value!r}.")
        values[name] = value
    return kind(**values)
