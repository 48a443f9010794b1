"""Messages on a pipe: a small JSON header and a binary blob, each with its length in front."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

LENGTHS = struct.Struct(">II")
MAX_HEADER_BYTES = 128 << 20  # averages of 200 regions with 4,096 places each, in all digits, take 52 MiB
MAX_BLOB_BYTES = 16 << 20


class FrameError(Exception):
    """The stream is not made of frames, or one of them is too large; nothing after it can be understood."""


def pack_frame(header: Mapping[str, Any], blob: bytes = b"") -> bytes:
    """Return the bytes of a frame: length of the header, length of the blob (4 bytes each, big endian), both.

    Args:
        header: JSON values. Written as ASCII, so any text that Python can hold arrives unchanged.
        blob: whatever is no JSON, a JPEG preview for instance.

    Raises:
        FrameError: if either is too large.
        TypeError, ValueError: if the header is not made of JSON values.
    """
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > MAX_HEADER_BYTES or len(blob) > MAX_BLOB_BYTES:
        raise FrameError(f"a frame of {len(text):,} and {len(blob):,} bytes is too large")
    return LENGTHS.pack(len(text), len(blob)) + text + blob


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; blocks until it is there.

    Returns:
        Header and blob, or None if the stream ended between two frames.

    Raises:
        FrameError: if the stream ends inside a frame, or holds something else.
    """
    head = _read(stream, LENGTHS.size)
    if not head:
        return None
    if len(head) < LENGTHS.size:
        raise FrameError("the stream ended inside a frame")
    header_bytes, blob_bytes = LENGTHS.unpack(head)
    if header_bytes > MAX_HEADER_BYTES or blob_bytes > MAX_BLOB_BYTES:
        raise FrameError(f"a frame of {header_bytes:,} and {blob_bytes:,} bytes is too large")
    text, blob = _read(stream, header_bytes), _read(stream, blob_bytes)
    if len(text) < header_bytes or len(blob) < blob_bytes:
        raise FrameError("the stream ended inside a frame")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the header of a frame is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise FrameError("the header of a frame is not a JSON object")
    return header, blob


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read exactly `size` bytes, or fewer if the stream ends."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
