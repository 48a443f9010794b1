"""What the engine says while it works. Every event knows its job and its place in the sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from gpsdream_app.domain.averages import Likeness, TypicalPatches
from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.explanations import Explanation
from gpsdream_app.domain.lifts import LiftResult
from gpsdream_app.domain.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events.

    Attributes:
        job_id: the job it belongs to; empty for events of the engine itself.
        seq: grows by one with every event that one engine sends.
    """

    name: ClassVar[str] = ""
    job_id: str = ""
    seq: int = 0


class EngineState(StrEnum):
    """What the engine as a whole is doing."""

    STARTING = "starting"
    WARMING = "warming"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChanged(Event):
    """The engine as a whole changed its state; `text` says so in a few words."""

    name: ClassVar[str] = "engine_changed"
    state: EngineState
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Event):
    """The job waits; `position` 0 is next."""

    name: ClassVar[str] = "queued"
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The job runs."""

    name: ClassVar[str] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading(Event):
    """Something is being loaded: stage `step` (from 1) of `total`, said in `text`."""

    name: ClassVar[str] = "loading"
    step: int
    total: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Event):
    """Denoising step `index` (from 1) of `total`, counted over all pictures of the job.

    A job that explains a picture counts the steps of drawing it again and what it does after that. Jobs of many
    pictures do not tell of every step; the last one of each picture may be missing, too.

    Attributes:
        picture: which picture of the job is being drawn, from 0.
        seconds_left: an estimate for the whole job; None while there is none.
        preview: a small JPEG of the picture as it stands; empty if this step has none.
    """

    name: ClassVar[str] = "step"
    index: int
    total: int
    picture: int = 0
    seconds_left: float | None = None
    preview: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFinished(Event):
    """One picture of the job is on the disk; `index` tells which one, from 0.

    Frames of a series that were on the disk before are told first.
    """

    name: ClassVar[str] = "picture_finished"
    result: Result
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Event):
    """The answer of a job that explains a picture; `Finished` without results comes next."""

    name: ClassVar[str] = "explained"
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Event):
    """The answer of a job that compares pictures; `Finished` without results comes next."""

    name: ClassVar[str] = "compared"
    likeness: Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchesFound(Event):
    """The answer of a job that looks for typical patches; `Finished` without results comes next."""

    name: ClassVar[str] = "patches_found"
    patches: TypicalPatches


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStep(Event):
    """A step of a lift, at most five times a second.

    Attributes:
        phase: "draw", "fit", "update", "distil" or "mesh".
        step: of this phase, from 1.
        steps: of this phase.
        share: of the whole lift that is done, 0 to 1.
        seconds_left: an estimate for the whole lift; None while there is none.
        terms: the losses by name, weighted.
        opacity: mean of the rendered rays, 0 to 1.
        fog: share of rays with an opacity between 0.1 and 0.9.
        preview: a JPEG of four squares side by side: colour, depth, normals, opacity; empty if this step has none.
    """

    name: ClassVar[str] = "lift_step"
    phase: str
    step: int
    steps: int
    share: float
    seconds_left: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    opacity: float = 0.0
    fog: float = 0.0
    preview: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """The job waits where it is, its state safe on the disk; `Started` comes when it goes on."""

    name: ClassVar[str] = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted(Event):
    """The answer of a lift; `Finished` without results comes next."""

    name: ClassVar[str] = "lifted"
    lift: LiftResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """The job is done; what came out has been announced before.

    Attributes:
        results: the pictures of a job that draws pictures or averages. Empty for a series, which may be long.
    """

    name: ClassVar[str] = "finished"
    results: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """The job ended with a failure."""

    name: ClassVar[str] = "failed"
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    """The job was cancelled; pictures that were finished before stay."""

    name: ClassVar[str] = "cancelled"


EVENTS: dict[str, type[Event]] = {
    cls.name: cls
    for cls in (
        EngineChanged,
        Queued,
        Started,
        Loading,
        Step,
        PictureFinished,
        Explained,
        Compared,
        PatchesFound,
        LiftStep,
        Paused,
        Lifted,
        Finished,
        Failed,
        Cancelled,
    )
}
TERMINAL_EVENTS = (Finished, Failed, Cancelled)


def event_to_dict(event: Event) -> tuple[dict[str, Any], bytes]:
    """Return an event as JSON values, and its picture bytes apart from them."""
    data: dict[str, Any] = {"event": event.name}
    blob = b""
    for one in fields(event):
        value = getattr(event, one.name)
        if isinstance(value, bytes):
            blob = value
        elif isinstance(value, (Result, Likeness, TypicalPatches, LiftResult)):
            data[one.name] = value.to_dict()
        elif isinstance(value, Explanation):
            data[one.name] = value.to_dict()
            blob = value.picture
        elif isinstance(value, Failure):
            data[one.name] = {
                "kind": value.kind,
                "message": value.message,
                "hint": value.hint,
                "details": value.details,
                "remedy": value.remedy,
            }
        elif isinstance(value, Mapping):
            data[one.name] = dict(value)
        elif isinstance(value, tuple):
            data[one.name] = [item.to_dict() for item in value]
        else:
            data[one.name] = value
    return data, blob


def event_from_dict(data: Mapping[str, Any], blob: bytes = b"") -> Event:
    """Read what `event_to_dict` wrote. Raises KeyError for an unknown event name."""
    cls = EVENTS[data["event"]]
    values = {one.name: data[one.name] for one in fields(cls) if one.name in data}
    if cls in (Step, LiftStep):
        values["preview"] = blob
    if cls is EngineChanged:
        values["state"] = EngineState(values["state"])
    if "failure" in values:
        values["failure"] = Failure(**{**values["failure"], "kind": ErrorKind(values["failure"]["kind"])})
    if "result" in values:
        values["result"] = Result.from_dict(values["result"])
    if "explanation" in values:
        values["explanation"] = Explanation.from_dict(values["explanation"], blob)
    if "likeness" in values:
        values["likeness"] = Likeness.from_dict(values["likeness"])
    if "patches" in values:
        values["patches"] = TypicalPatches.from_dict(values["patches"])
    if "lift" in values:
        values["lift"] = LiftResult.from_dict(values["lift"])
    if "results" in values:
        values["results"] = tuple(Result.from_dict(item) for item in values["results"])
    return cls(**values)
