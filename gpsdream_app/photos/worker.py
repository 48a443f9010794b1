"""The child process that reads photos: one JSON line in per file, one JSON line out, in the same order.

A process of its own is what a hostile file may crash. `python -m gpsdream_app.photos.worker` starts it; it ends when
its input ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

MOST_MEMORY = 4 * 1024**3  # bytes of addresses; the largest picture that is read takes a quarter of it


def main() -> None:
    """Read files until the input ends."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends the workers
    # Decoders write warnings on the standard streams; they must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    from gpsdream_app.photos.reader import read_photo
    from gpsdream_app.photos.sidecars import SidecarFields

    _limit_memory()
    answers.write(b"{}\n")
    answers.flush()
    os.dup2(nowhere, 2)
    try:
        for line in sys.stdin.buffer:
            job = json.loads(line)
            sidecar = SidecarFields.from_json(job["sidecar"]) if job["sidecar"] else None
            outcome, record = read_photo(Path(job["path"]), sidecar, size=job["size"], mtime=job["mtime"])
            answer = {
                "reason": outcome.reason.value,
                "detail": outcome.detail,
                "record": record.to_dict() if record else None,
            }
            answers.write(json.dumps(answer).encode("ascii") + b"\n")
            answers.flush()
    except BrokenPipeError:
        os._exit(1)  # the parent is gone; there is nobody to tell


def _limit_memory() -> None:
    """Let a file that unpacks without end meet a MemoryError here, rather than slow the whole machine down."""
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ImportError, OSError, ValueError):
        return  # Windows has no such limit, macOS refuses it


if __name__ == "__main__":
    main()
