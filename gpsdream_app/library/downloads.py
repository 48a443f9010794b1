"""Base models that a person may download. The only part of GPSDream that uses the network, and only when asked.

A model is a list of files at one fixed revision. They are fetched into a folder of their own, go on where they
were interrupted, are checked against the checksums that the server gives, and appear under their name only
when they are whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library.model_folders import verify_model
from gpsdream_app.library.paths import models_dir, storage_error

REGISTRY_FILE = "registry.json"
PARTIAL_SUFFIX = ".part"
SPARE_BYTES = 500_000_000  # left free beside a download


@dataclass(frozen=True, slots=True)
class Download:
    """One model that can be downloaded.

    Attributes:
        name: of the folder that it gets.
        title: the name that people see.
        description: what it is for, in a sentence or two.
        licence: of the weights.
        repository: where it is published on the Hugging Face Hub.
        revision: the commit that is fetched, 40 hexadecimal digits.
        size: of all files, bytes.
        files: path in the repository -> path in the model's folder. Weights are safetensors.
    """

    name: str
    title: str
    description: str
    licence: str
    repository: str
    revision: str
    size: int
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise ValueError(f"{self.name}: a revision is a commit, not a branch")
        for path in self.files:
            if not path.endswith((".json", ".txt", ".safetensors")):
                raise ValueError(f"{self.name}: {path} is neither text nor safetensors")


class DownloadCancelled(Exception):
    """The person cancelled a download; what was fetched stays and is used the next time."""


def downloads() -> list[Download]:
    """Return what can be downloaded, as resources/models/registry.json lists it."""
    data = json.loads((resources_dir() / "models" / REGISTRY_FILE).read_text(encoding="utf-8"))
    return [
        Download(
            name=item["name"],
            title=item["title"],
            description=item["description"],
            licence=item["licence"],
            repository=item["repository"],
            revision=item["revision"],
            size=int(item["bytes"]),
            files=item["files"],
        )
        for item in data["models"]
    ]


def find_download(name: str) -> Download:
    """Return what can be downloaded under a name.

    Raises:
        GPSDreamError: of kind `model_missing` if the name is not listed.
    """
    known = {item.name: item for item in downloads()}
    if name not in known:
        raise GPSDreamError(
            ErrorKind.MODEL_MISSING,
            f"There is no model “{name[:80]}” to download.",
            "Known are: " + ", ".join(known) + ".",
        )
    return known[name]


def get(
    item: Download,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    endpoint: str | None = None,
) -> Path:
    """Download a model, or go on with one that was interrupted, and return its folder.

    Args:
        item: what to fetch.
        on_progress: called with the bytes that are here and those of the whole.
        cancelled: asked between two pieces of a file; True ends the download.
        endpoint: another server that speaks the Hub's language; the Hub itself if None.

    Raises:
        DownloadCancelled: if `cancelled` said so. What was fetched stays.
        GPSDreamError: of kind `network`, `disk_full` or `model_corrupt`.
    """
    folder = models_dir() / item.name
    if folder.is_dir():
        return folder
    partial = folder.with_name(item.name + PARTIAL_SUFFIX)
    try:
        partial.mkdir(exist_ok=True)
        _check_space(item, partial)
        _fetch(item, partial, on_progress or (lambda done, total: None), cancelled or (lambda: False), endpoint)
        _name_absent_parts(partial)
    except OSError as error:
        if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
            raise _network(item, error) from error
        raise storage_error(error, partial, f"“{item.title}” is not here yet") from error
    failures = verify_model(partial, card=False)
    if failures:
        raise GPSDreamError(failures[0].kind, failures[0].message, f"Delete {partial} and download it again.")
    partial.rename(folder)
    return folder


def _check_space(item: Download, partial: Path) -> None:
    here = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    needed = item.size - here + SPARE_BYTES
    free = shutil.disk_usage(partial).free
    if free < needed:
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            f"“{item.title}” needs {needed / 1e9:.1f} GB in {partial.parent}; {free / 1e9:.1f} GB are free.",
            "Free some space, or set GPSDREAM_HOME to a folder on a larger disk.",
        )


class _Bar:
    """What the Hub's client takes for a progress bar: counts bytes, and ends a cancelled download."""

    def __init__(self, here: int, total: int, on_progress: Callable[[int, int], None], cancelled: Callable[[], bool]):
        self.here = here
        self._total = total
        self._on_progress = on_progress
        self._cancelled = cancelled

    def update(self, size: float | None = 1) -> None:
        self.here += int(size or 0)
        self._on_progress(min(self.here, self._total), self._total)
        if self._cancelled():
            raise DownloadCancelled

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _fetch(
    item: Download,
    partial: Path,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
    endpoint: str | None,
) -> None:
    """Fetch what is missing; a file that is here under its own name is whole."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get

    try:
        # No token: these models are public, and a person's token is nobody's business.
        api = HfApi(endpoint=endpoint, token=False)
        found = {
            file.path: file for file in api.get_paths_info(item.repository, list(item.files), revision=item.revision)
        }
        absent = [path for path in item.files if path not in found]
        if absent:
            raise _network(item, FileNotFoundError(f"the server does not have {', '.join(absent)}"))
        total = sum(file.size for file in found.values())
        here = 0
        for source, name in item.files.items():
            file, target = found[source], partial / name
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                piece = target.with_name(target.name + PARTIAL_SUFFIX)
                with piece.open("ab") as stream:
                    if cancelled():
                        raise DownloadCancelled
                    if stream.tell() < file.size:
                        bar = _Bar(here + stream.tell(), total, on_progress, cancelled)
                        http_get(
                            hf_hub_url(item.repository, source, revision=item.revision, endpoint=endpoint),
                            stream,
                            resume_size=stream.tell(),
                            expected_size=file.size,
                            tqdm_class=lambda *_, bar=bar, **__: bar,
                        )
                _check_sum(item, source, piece, file.lfs.sha256 if file.lfs else None)
                piece.rename(target)
            here += file.size
            on_progress(here, total)
    except HfHubHTTPError as error:
        raise _network(item, error) from error
    except (GPSDreamError, DownloadCancelled, OSError):
        raise
    except Exception as error:
        # The client lets the errors of its HTTP library through, which is another one in other versions.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2", "requests"):
            raise
        raise _network(item, error) from error


def _check_sum(item: Download, source: str, piece: Path, expected: str | None) -> None:
    """Compare a file with the SHA-256 that the server has for it; small text files have none."""
    if expected is None:
        return
    with piece.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != expected:
        piece.unlink()
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"{source} of “{item.title}” arrived damaged and was removed.",
            "Give the same command again; only this file is fetched anew.",
        )


def _network(item: Download, error: Exception) -> GPSDreamError:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    return GPSDreamError(
        ErrorKind.NETWORK,
        f"“{item.title}” could not be downloaded.",
        "Downloads are switched off by HF_HUB_OFFLINE."
        if offline
        else "Check the connection and give the same command again; it goes on where it was.",
        details=f"{type(error).__name__}: {error}",
    )


def _name_absent_parts(partial: Path) -> None:
    """Take the parts that were not fetched (a safety checker) from the index, so that the folder opens as it is."""
    index = partial / "model_index.json"
    if index.is_file():
        parts = json.loads(index.read_text(encoding="utf-8"))
        for name, value in parts.items():
            if isinstance(value, list) and not (partial / name).is_dir():
                parts[name] = [None, None]
        if "requires_safety_checker" in parts:
            parts["requires_safety_checker"] = False
        index.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
