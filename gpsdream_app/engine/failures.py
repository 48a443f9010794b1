"""From an exception to a failure that a person can read. No torch here: its errors are known by their names."""

from __future__ import annotations

import traceback
from dataclasses import replace

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.library.paths import storage_error

MAX_DETAILS = 20_000  # characters; the end of a traceback says the most
OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def failure_from(error: BaseException) -> Failure:
    """Return what an exception means for the job that it ended."""
    details = "".join(traceback.format_exception(error))[-MAX_DETAILS:]
    if isinstance(error, GPSDreamError):
        failure = error.failure
        return replace(failure, details=failure.details or details)
    if is_out_of_memory(error):
        return Failure(
            ErrorKind.OUT_OF_MEMORY,
            "There is not enough memory to draw this picture.",
            "Close other programs, or choose a smaller model.",
            details,
        )
    if isinstance(error, OSError) and error.filename is not None:
        failure = storage_error(error, str(error.filename), "the job could not go on").failure
        return Failure(failure.kind, failure.message, failure.hint, details)
    if isinstance(error, OSError) and error.errno is not None:
        failure = storage_error(error, "The disk", "the job could not go on").failure
        return Failure(failure.kind, failure.message, failure.hint, details)
    if isinstance(error, ImportError):
        return Failure(
            ErrorKind.INTERNAL,
            f"A part of GPSDream is missing or damaged ({error.name or error}).",
            "Install GPSDream again; “gpsdream doctor” says what is missing.",
            details,
        )
    return Failure(
        ErrorKind.INTERNAL,
        f"Drawing failed because of a fault in GPSDream ({type(error).__name__}).",
        "Try once more. If it happens again, the details help to mend it.",
        details,
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the computer or of its GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in OUT_OF_MEMORY_WORDS)


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU's context is gone, so that this process can draw nothing any more."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not is_out_of_memory(error)
