"""Requests in a ZIP that another GPSDream draws again. What comes from elsewhere is read in memory, within bounds.

The archive holds `requests/00001.json` and so on, each a request as `gpsdream generate --from` reads it, and
`gpsdream.json`, which says what it is. Nothing is ever unpacked to the disk.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from gpsdream_app import __version__
from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result, picture_request_from_dict
from gpsdream_app.export.results import SILENT, Watch, Written, refused, some
from gpsdream_app.geo.regions import clean_name

SCHEMA = 1
MANIFEST = "gpsdream.json"
MAX_REQUESTS = 10_000
MAX_ARCHIVE_BYTES = 16 << 20
MAX_MEMBERS = MAX_REQUESTS + 100
MAX_MEMBER_BYTES = 4 << 20  # unpacked; an average over 4,096 places in a region of 20,000 corners has less than 2 MB
MAX_BYTES = 64 << 20  # unpacked, all together
_MEMBER_MARK = b"PK\x01\x02"  # before each member in the list at the end
_REQUEST = re.compile(r"requests/[0-9]{1,9}\.json")
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same requests give the same file


@dataclass(frozen=True, slots=True)
class Replay:
    """A request out of a ZIP.

    Attributes:
        request: draws the picture again. Its model is a name, never a path.
        model_title: of the model that drew it; empty if not known.
        model_hash: of that model's weights; empty if not known.
    """

    request: PictureRequest
    model_title: str = ""
    model_hash: str = ""


def export_requests(results: Sequence[Result], out: Path, *, watch: Watch = SILENT) -> Written:
    """Write the requests of results, whole or not at all. No picture is in it, nor any path of this computer.

    Args:
        results: 1 to 10,000, in the order in which they shall be drawn again.
        out: the ZIP; one that is there is replaced.
        watch: told of every request.

    Raises:
        GPSDreamError: of kind `bad_request` if there are none or too many, `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; nothing is written then.
    """
    some(results)
    if len(results) > MAX_REQUESTS:
        raise _bad(f"A ZIP holds up to {MAX_REQUESTS:,} requests, not {len(results):,}.", "Export them in parts.")
    manifest = {"format": "GPSDream requests", "schema": SCHEMA, "app_version": __version__, "count": len(results)}
    unpacked = 0
    try:
        with whole_file(out) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                _add(archive, MANIFEST, manifest)
                for number, result in watch.over(results):
                    request = replace(result.request, model=_model_name(result.request.model))
                    about = {"model_title": clean_name(result.model_title), "model_hash": clean_name(result.model_hash)}
                    unpacked += _add(archive, f"requests/{number:05d}.json", {**request.to_dict(), **about})
            if unpacked > MAX_BYTES or temporary.stat().st_size > MAX_ARCHIVE_BYTES:
                raise _bad("These requests are too large for one ZIP.", "Export them in parts.")
    except OSError as error:
        raise refused(error, out) from error
    return Written([out])


def _add(archive: zipfile.ZipFile, name: str, value: Any) -> int:
    entry = zipfile.ZipInfo(name, _ZIP_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    data = json.dumps(value, indent=1).encode("ascii")
    archive.writestr(entry, data)
    return len(data)


# -- reading --


def read_requests(path: Path) -> list[Replay]:
    """Read the requests of a ZIP from anybody, in their order.

    Only members that are called as `export_requests` calls them are read; others are left alone, whatever they are.

    Raises:
        GPSDreamError: of kind `bad_request` if the file cannot be read, is no such ZIP, is damaged, is larger than
            GPSDream reads (16 MB packed, 64 MB unpacked, 10,000 requests), or holds a request that cannot be drawn.
    """
    shown = clean_name(path.name)[:80]
    try:
        size = path.stat().st_size
        if size > MAX_ARCHIVE_BYTES:
            raise _bad(f"“{shown}” has {size >> 20:,} MB; at most {MAX_ARCHIVE_BYTES >> 20} MB are read.")
        _check_directory(path, shown)
        with zipfile.ZipFile(path) as archive:
            return _read(archive, shown)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # RuntimeError: a member that wants a password. RecursionError is one of them, too.
        raise _damaged(shown, error) from None
    except OSError as error:
        reason = error.strerror or "it is not a file"
        raise _bad(f"“{shown}” cannot be read: {reason}.", "Choose a ZIP that GPSDream exported.") from None


def _check_directory(path: Path, shown: str) -> None:
    """Refuse a list of members that is too long, before it is read: each one in it takes memory."""
    data = path.read_bytes()
    if data.count(_MEMBER_MARK) > MAX_MEMBERS:
        raise _bad(f"“{shown}” holds too many files; at most {MAX_REQUESTS:,} requests are read.")


def _read(archive: zipfile.ZipFile, shown: str) -> list[Replay]:
    members = {}
    for member in archive.infolist():
        if _REQUEST.fullmatch(member.filename):
            if member.filename in members:
                raise _bad(f"“{shown}” holds “{member.filename}” twice.", "Export the requests again.")
            members[member.filename] = member
    manifest = _manifest(archive, shown)
    if not members:
        raise _bad(f"“{shown}” holds no requests.", "Choose a ZIP that GPSDream exported.")
    if len(members) > MAX_REQUESTS:
        raise _bad(f"“{shown}” holds {len(members):,} requests; at most {MAX_REQUESTS:,} are read.")
    if manifest.get("count") != len(members):
        raise _bad(f"“{shown}” is not complete: requests are missing from it.", "Export the requests again.")
    left, replays = MAX_BYTES, []
    for name in sorted(members, key=lambda name: int(PurePosixPath(name).stem)):
        data = _unpacked(archive, members[name], min(left, MAX_MEMBER_BYTES), shown)
        left -= len(data)
        replays.append(_replay(json.loads(data), name, shown))
    return replays


def _manifest(archive: zipfile.ZipFile, shown: str) -> dict[str, Any]:
    try:
        member = archive.getinfo(MANIFEST)
    except KeyError:
        raise _bad(f"“{shown}” was not exported by GPSDream.", "Choose a ZIP that GPSDream exported.") from None
    manifest = json.loads(_unpacked(archive, member, 64 << 10, shown))
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise ValueError("no schema")
    if schema > SCHEMA:
        raise _bad(f"“{shown}” was made by a newer GPSDream.", "Update GPSDream to read it.")
    return dict(manifest)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int, shown: str) -> bytes:
    """Return what a member holds; its own word for how much that is counts for nothing."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError("packed in a way that GPSDream does not write")
    with archive.open(member) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _bad(f"“{shown}” unpacks to more than GPSDream reads.", "Export fewer requests at once.")
    return data


def _replay(data: Any, name: str, shown: str) -> Replay:
    if not isinstance(data, dict):
        raise ValueError("no object")
    try:
        request = picture_request_from_dict(data)
        request = replace(request, model=_model_name(request.model))
    except GPSDreamError as error:
        raise _bad(
            f"“{name}” in “{shown}” holds a request that cannot be drawn. {error.failure.message}",
            error.failure.hint or "Export the requests again.",
        ) from None
    if isinstance(request, GenerateRequest) and request.place:
        # Names are printed; what turns text round or moves a terminal's cursor is no part of one.
        place = request.place
        request = replace(request, place=Place(place.lat, place.lon, place.heading, clean_name(place.name)))
    elif isinstance(request, AverageRequest):
        regions = [
            replace(one, region=replace(one.region, name=clean_name(one.region.name))) for one in request.regions
        ]
        request = replace(request, regions=tuple(regions))
    return Replay(request, clean_name(data.get("model_title")), clean_name(data.get("model_hash"), 64))


def _model_name(model: str) -> str:
    """Return the name of a model without the folders of somebody's computer before it."""
    name = clean_name(model.replace("\\", "/").rstrip("/").rpartition("/")[2])
    if name in ("", ".", "..") or name.startswith("~") or name.endswith(":"):
        raise _bad("It names no model.", "Choose one with --model.")
    return name


def _bad(message: str, hint: str = "") -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_REQUEST, message, hint)


def _damaged(shown: str, error: Exception) -> GPSDreamError:
    return GPSDreamError(
        ErrorKind.BAD_REQUEST,
        f"“{shown}” is no ZIP of requests, or it is damaged.",
        "Copy it again, or choose a ZIP that GPSDream exported.",
        repr(error),
    )
