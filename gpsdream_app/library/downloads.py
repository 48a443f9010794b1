"""Base models that a person may download. The only part of GPSDream that uses the network, and only when asked.

A model is a list of files at one fixed revision. They are fetched into a folder of their own, go on where they
were interrupted, are checked against the checksums that the server gives, and appear under their name only
when they are whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library.paths import models_dir, storage_error

REGISTRY_FILE = "registry.json"
PARTIAL_SUFFIX = ".part"
READ_BYTES = 1 << 20
SPARE_BYTES = 500_000_000  # left free beside a download

log = logging.getLogger(__name__)


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
        on_progress: called with the bytes that are here and those of the whole, from the download's threads.
        cancelled: asked again and again; True ends the download.
        endpoint: another server that speaks the Hub's language; the Hub itself if None.

    Raises:
        DownloadCancelled: if `cancelled` said so.
        GPSDreamError: of kind `network`, `disk_full` or `model_corrupt`.
    """
    folder = models_dir() / item.name
    if folder.is_dir():
        return folder
    partial = folder.with_name(item.name + PARTIAL_SUFFIX)
    _check_space(item, partial)
    _fetch(item, partial, on_progress, cancelled or (lambda: False), endpoint)
    _check_sums(item, partial)
    _tidy(item, partial)
    partial.rename(folder)
    return folder


def _check_space(item: Download, partial: Path) -> None:
    partial.mkdir(parents=True, exist_ok=True)
    here = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    needed = item.size - here + SPARE_BYTES
    free = shutil.disk_usage(partial).free
    if free < needed:
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            f"“{item.title}” needs {needed / 1e9:.1f} GB in {partial.parent}; {free / 1e9:.1f} GB are free.",
            "Free some space, or set GPSDREAM_HOME to a folder on a larger disk.",
        )


def _progress_class(
    size: int, on_progress: Callable[[int, int], None] | None, cancelled: Callable[[], bool]
) -> type[Any]:
    """Return a progress bar that draws nothing, but passes bytes on and ends a cancelled download."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts = kwargs.get("unit") == "B" and not str(kwargs.get("desc", "")).startswith(
                "Downloading"
            )
            kwargs["disable"] = True
            self.here = int(kwargs.get("initial") or 0)
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> None:
            if cancelled():
                raise DownloadCancelled
            self.here += int(n or 0)
            if self.counts and on_progress:
                on_progress(min(self.here, size), size)

    return Bar


def _fetch(
    item: Download,
    partial: Path,
    on_progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool],
    endpoint: str | None,
) -> None:
    # Read once, when the library is imported. Plain transfers can be stopped between two chunks and resumed.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        snapshot_download(
            item.repository,
            revision=item.revision,
            local_dir=partial,
            cache_dir=partial / ".cache" / "hub",
            allow_patterns=list(item.files),
            token=False,
            max_workers=2,
            endpoint=endpoint,
            tqdm_class=_progress_class(item.size, on_progress, cancelled),
        )
    except (
        LocalEntryNotFoundError,
        IncompleteSnapshotError,
        HfHubHTTPError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise _network(item, error) from error
    except OSError as error:
        if error.errno is not None:
            raise storage_error(error, partial, f"“{item.title}” is not here yet") from error
        raise _network(item, error) from error
    except DownloadCancelled:
        raise
    except Exception as error:
        # The library lets the errors of its HTTP client through, whose classes changed with its versions.
        if type(error).__module__.partition(".")[0] not in (
            "httpx",
            "httpx2",
            "httpcore",
            "httpcore2",
            "requests",
        ):
            raise
        raise _network(item, error) from error
    missing = [path for path in item.files if not (partial / path).is_file()]
    if missing:
        raise _network(item, FileNotFoundError(", ".join(missing)))


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


def _check_sums(item: Download, partial: Path) -> None:
    """Compare every large file with the SHA-256 that the server gave for it."""
    for path in item.files:
        metadata = partial / ".cache" / "huggingface" / "download" / f"{path}.metadata"
        lines = metadata.read_text(encoding="utf-8").splitlines() if metadata.is_file() else []
        expected = lines[1].strip() if len(lines) > 1 else ""
        if not re.fullmatch(r"[0-9a-f]{64}", expected):
            continue  # a small text file
        digest = hashlib.sha256()
        with (partial / path).open("rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
        if digest.hexdigest() != expected:
            (partial / path).unlink()
            metadata.unlink()
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"{path} of “{item.title}” arrived damaged and was removed.",
                "Give the same command again; only this file is fetched anew.",
            )


def _tidy(item: Download, partial: Path) -> None:
    """Give the files their names, drop what only the download needed, and take absent parts from the index."""
    for source, target in item.files.items():
        if source != target:
            (partial / source).replace(partial / target)
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    index = partial / "model_index.json"
    if index.is_file():
        parts = json.loads(index.read_text(encoding="utf-8"))
        for name, value in parts.items():
            if isinstance(value, list) and not (partial / name).is_dir():
                parts[name] = [None, None]
        if "requires_safety_checker" in parts:
            parts["requires_safety_checker"] = False
        index.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
