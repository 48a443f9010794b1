"""Small copies of pictures, made once and kept on the disk. Any of them may be deleted at any time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from io import BytesIO
from pathlib import Path

from PIL import Image

from gpsdream_app.domain.files import whole_file
from gpsdream_app.library.paths import cache_dir

SIDE = 256  # pixels of the longer side
QUALITY = 84
MAX_BYTES = 1 << 30  # of all of them together
MAX_PIXELS = 1 << 26


def thumbnails_dir() -> Path:
    """Where small copies are."""
    return cache_dir() / "thumbnails"


def thumbnail_path(result_id: str, base: Path | None = None) -> Path:
    """Return where the small copy of a picture is.

    Args:
        result_id: as in `Result.id`; any text will do, none leads out of the folder.
        base: the folder of all; `thumbnails_dir()` if None.
    """
    name = hashlib.sha256(result_id.encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return (base or thumbnails_dir()) / name[:2] / f"{name[2:]}.jpg"


def thumbnail(result_id: str, picture: Path, base: Path | None = None) -> bytes:
    """Return the small copy of a picture as JPEG, from the disk or made now.

    Args:
        result_id: as in `Result.id`: the picture of an id never changes.
        picture: its file.
        base: see `thumbnail_path`.

    Returns:
        The JPEG, its longer side 256 pixels or what the picture has; empty if the picture cannot be read.
    """
    kept = thumbnail_path(result_id, base)
    with contextlib.suppress(OSError):
        data = kept.read_bytes()
        # A file that another program cut off or emptied is made anew.
        if data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9":
            return data
    try:
        with Image.open(picture) as image:
            if image.width * image.height > MAX_PIXELS:
                return b""
            small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return b""
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    data = buffer.getvalue()
    # Without a place on the disk it is made again another time.
    with contextlib.suppress(OSError), whole_file(kept) as temporary:
        temporary.write_bytes(data)
    return data


def forget_thumbnail(result_id: str, base: Path | None = None) -> None:
    """Delete the small copy of a picture that is gone for good."""
    with contextlib.suppress(OSError):
        thumbnail_path(result_id, base).unlink(missing_ok=True)


def prune_thumbnails(most: int = MAX_BYTES, base: Path | None = None) -> int:
    """Delete the oldest small copies until the rest takes no more than so many bytes. Returns how many went."""
    files: list[tuple[float, int, Path]] = []
    for folder, _, names in os.walk(base or thumbnails_dir()):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= most:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
            gone += 1
    return gone
