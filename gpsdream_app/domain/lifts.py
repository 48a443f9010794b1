"""What a person asks of a landmark: its shape; and what came out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.domain.requests import MAX_GUIDANCE, MAX_SEED

DEFAULT_LANDMARK_MODEL = "landmarks"
KIND = "lift"


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, hint)


class LiftMethod(StrEnum):
    """How a shape is made of what a model draws; docs/lifting.md compares them."""

    REFINE = "refine"  # a ring of views, fitted, drawn again from the renders, fitted to these
    VIEWS = "views"  # a ring of views, fitted
    SDS = "sds"  # score distillation with the angle told to the model (the paper)
    TEXT = "text"  # score distillation with the view in words only (DreamFusion)


class LiftQuality(StrEnum):
    """How much time a lift may take."""

    FAST = "fast"
    BALANCED = "balanced"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class LiftRequest:
    """Lift a landmark to a mesh. Two equal requests give the same mesh with the same weights on the same device.

    Attributes:
        landmark: which.
        method: how.
        quality: how much time it may take.
        seed: of all chance.
        guidance: weight of the classifier-free guidance; None for the model's own.
        model: name of an installed landmark model, or the path of its folder.

    Raises:
        GPSDreamError: of kind `bad_request` with a sentence that names the field and its range.
    """

    landmark: Landmark
    method: LiftMethod = LiftMethod.REFINE
    quality: LiftQuality = LiftQuality.BALANCED
    seed: int = 0
    guidance: float | None = None
    model: str = DEFAULT_LANDMARK_MODEL

    def __post_init__(self) -> None:
        if not isinstance(self.landmark, Landmark):
            raise _bad("The request names no landmark.", "Choose a landmark.")
        for name, kind in (("method", LiftMethod), ("quality", LiftQuality)):
            try:
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError:
                choices = ", ".join(kind)
                raise _bad(
                    f"There is no {name} {str(getattr(self, name))[:40]!r}.", f"Choose one of {choices}."
                ) from None
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise _bad(f"The seed must be a whole number from 0 to {MAX_SEED:,}, not {str(self.seed)[:40]}.")
        guidance = self.guidance
        if guidance is not None:
            number = isinstance(guidance, (int, float)) and not isinstance(guidance, bool)
            if not number or not 0 <= guidance <= MAX_GUIDANCE:
                raise _bad(f"The guidance must be a number from 0 to {MAX_GUIDANCE:g}, not {str(guidance)[:40]}.")
            object.__setattr__(self, "guidance", float(guidance))
        if not isinstance(self.model, str) or not self.model or len(self.model) > 4096:
            raise _bad("The request names no model.", "Choose a model, or leave the default.")

    @property
    def key(self) -> str:
        """32 hexadecimal digits of everything that decides the mesh but the model's weights."""
        data = {**self.to_dict(), "model": ""}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {
            "kind": KIND,
            "landmark": self.landmark.to_dict(),
            "method": self.method.value,
            "quality": self.quality.value,
            "seed": self.seed,
            "guidance": self.guidance,
            "model": self.model,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LiftRequest:
        """Read what `to_dict` wrote; unknown keys are ignored. Raises GPSDreamError for bad values."""
        if not isinstance(data, Mapping) or not isinstance(data.get("landmark"), Mapping):
            raise _bad("The request names no landmark.")
        values = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        return cls(**{**values, "landmark": Landmark.from_dict(data["landmark"])})


@dataclass(frozen=True, slots=True)
class LiftResult:
    """A finished lift. Its folder holds, besides checkpoints while it runs, `result.json` (this), `density.npz` (from
    which a mesh is extracted at any threshold), `mesh.glb` and `look.png` (a small picture).

    Attributes:
        id: name of its folder.
        job_id: the job that made it.
        request: that makes it again.
        folder: absolute path.
        created: when it was finished, ISO 8601 in UTC.
        seconds: time that it took, pauses left out.
        model_title: the model's title as its card gives it.
        model_hash: first 16 hexadecimal digits of the hash of the model's weights.
        app_version: version of GPSDream that made it.
        size: width (east), depth (north) and height of the mesh in metres.
        faces: triangles of the mesh.
        watertight: whether the mesh is closed.
        threshold: that the mesh was extracted at, share of light lost in a cell, 0 to 1.
        kept_early: whether a person ended it before its last step.
    """

    id: str
    job_id: str
    request: LiftRequest
    folder: str
    created: str
    seconds: float
    model_title: str
    model_hash: str
    app_version: str
    size: tuple[float, float, float]
    faces: int
    watertight: bool
    threshold: float
    kept_early: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "request": self.request.to_dict(), "size": list(self.size)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LiftResult:
        """Read what `to_dict` wrote. Raises GPSDreamError if a value is missing."""
        try:
            values = {field.name: data[field.name] for field in fields(cls) if field.name in data}
            width, depth, height = (float(value) for value in data["size"])
            request = LiftRequest.from_dict(data["request"])
            return cls(**{**values, "request": request, "size": (width, depth, height)})
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(f"The result of the lift is incomplete: {error}.") from None
