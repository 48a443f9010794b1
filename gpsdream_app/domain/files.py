"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a hidden name beside a file; what is written there replaces the file at the end, when the disk holds it.

    If the block raises, the file stays as it was. Folders that are missing are made.

    Args:
        path: of the file.
        suffix: end of the hidden name, for writers that choose the format by it.

    Raises:
        OSError: if the disk refuses.
    """
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part{suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
