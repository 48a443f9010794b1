"""Errors as values: what kind, a sentence for a person, and the action that would help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorKind(StrEnum):
    """What went wrong, for a program to act upon."""

    OUT_OF_MEMORY = "out_of_memory"
    MODEL_MISSING = "model_missing"
    MODEL_CORRUPT = "model_corrupt"
    BAD_REQUEST = "bad_request"
    BAD_LOCATION = "bad_location"
    BAD_PHOTO = "bad_photo"
    ENGINE_DIED = "engine_died"
    DISK_FULL = "disk_full"
    NETWORK = "network"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, ready to be shown.

    Attributes:
        kind: what went wrong.
        message: one sentence for a person.
        hint: the action that would help; empty if there is none.
        details: a traceback or a log excerpt for the details pane; empty if there is none.
        remedy: what a program can offer as a button, one of the constants below; empty if there is nothing.
    """

    kind: ErrorKind
    message: str
    hint: str = ""
    details: str = ""
    remedy: str = ""


LESS_MEMORY = "less_memory"  # the same again, with a preset that needs less memory


class GPSDreamError(Exception):
    """An expected failure. Carries a `Failure`, so every layer above can show it without translation."""

    def __init__(self, kind: ErrorKind, message: str, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(kind, message, hint, details)
