"""Models that a person adds, removes and brings back. A model is copied, so that nothing else can change it later."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.library.model_folders import INDEX_FILE, verify_model
from gpsdream_app.library.paths import models_dir, storage_error

KEPT_SUFFIXES = (".json", ".txt", ".safetensors", ".model", ".md")
REMOVED_DIR = ".removed"
PARTIAL_DIR = ".adding"
DAYS_TO_BRING_BACK = 7
SPARE_BYTES = 200_000_000
MAX_NAME = 60
_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}


class AddingCancelled(Exception):
    """The person stopped a copy; nothing of it is left."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A model in the cache that other programs share (Hugging Face).

    Attributes:
        name: as it is published, `owner/name`.
        folder: of the snapshot.
        has_card: whether it is a model that knows places; if not, it is a base to train from.
        size: in bytes.
    """

    name: str
    folder: Path
    has_card: bool
    size: int


@dataclass(frozen=True, slots=True)
class Base:
    """A Stable Diffusion folder among the installed models: it draws no places before it has learned some."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Removed:
    """A model that was removed and can come back."""

    name: str
    path: Path


def safe_name(text: str) -> str:
    """Return a name for a folder from any text: small letters, digits and hyphens, 1 to 60 of them."""
    plain = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_NAME].strip("-")
    return f"model-{name}".rstrip("-") if not name or name in _RESERVED else name


def free_name(text: str) -> str:
    """Return a name like `safe_name` that no installed model has."""
    name, number, base = safe_name(text), 2, models_dir()
    wanted = name
    while (base / wanted).exists():
        wanted, number = f"{name[: MAX_NAME - 5]}-{number}", number + 1
    return wanted


def folder_bytes(folder: Path) -> int:
    """Return the size of everything in a folder, links followed; what cannot be read counts nothing."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(base, name).stat().st_size
    return total


def bases() -> list[Base]:
    """Return the installed folders that a model can be trained from and that know no places, by name."""
    found = []
    with contextlib.suppress(OSError, GPSDreamError):
        for folder in sorted(models_dir().iterdir()):
            hidden = folder.name.startswith(".") or folder.suffix == ".part"
            if not hidden and (folder / INDEX_FILE).is_file() and not (folder / CARD_FILE).is_file():
                found.append(Base(folder.name, folder))
    return found


# -- adding --


def _files_of(folder: Path) -> Iterator[Path]:
    """Yield what belongs to a model: files of known kinds at its root and in its components, one level down."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.name.startswith("."):
                yield from (file for file in sorted(path.iterdir()) if _belongs(file))
        elif _belongs(path):
            yield path


def _belongs(path: Path) -> bool:
    return path.suffix.lower() in KEPT_SUFFIXES and path.is_file() and not path.name.startswith(".")


def check_folder(folder: Path) -> bool:
    """Check that a folder can be added, and return whether it has a card; without one it is a base to train from.

    Raises:
        GPSDreamError: with what is wrong with it.
    """
    try:
        if not folder.is_dir():
            raise GPSDreamError(
                ErrorKind.MODEL_MISSING,
                f"“{folder.name[:80]}” is not a folder.",
                f"Choose the folder that holds {INDEX_FILE}.",
            )
        if not (folder / INDEX_FILE).is_file():
            raise GPSDreamError(
                ErrorKind.MODEL_CORRUPT,
                f"“{folder.name[:80]}” is not a model: it has no {INDEX_FILE}.",
                "Choose the folder of a model as diffusers saves it.",
            )
        has_card = (folder / CARD_FILE).is_file()
    except (OSError, ValueError) as error:
        raise GPSDreamError(
            ErrorKind.MODEL_MISSING, f"“{folder.name[:80]}” cannot be opened.", "Check its permissions.", repr(error)
        ) from None
    failures = verify_model(folder, card=has_card)
    if failures:
        raise GPSDreamError(failures[0].kind, failures[0].message, failures[0].hint, failures[0].details)
    return has_card


def add_folder(
    folder: Path,
    name: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Copy a model among the installed ones and return its folder. It appears there whole or not at all.

    Args:
        folder: as diffusers saves it, with or without a card.
        name: for it; that of the folder if empty. Any text: it becomes a safe name that is free.
        on_progress: called with the bytes copied and those of the whole.
        cancelled: asked between two pieces of a file.

    Raises:
        AddingCancelled: if `cancelled` said so.
        GPSDreamError: if it is no model, is damaged, has pickles, or does not fit on the disk.
    """
    check_folder(folder)
    base = models_dir()
    if folder.resolve().parent == base.resolve():
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"“{folder.name}” is installed already.", "Choose it in the list.")
    files = list(_files_of(folder))
    total = sum(path.stat().st_size for path in files)
    target = base / free_name(name or folder.name)
    partial = base / PARTIAL_DIR / secrets.token_hex(6)
    try:
        if shutil.disk_usage(base).free < total + SPARE_BYTES:
            raise GPSDreamError(
                ErrorKind.DISK_FULL,
                f"The model needs {total / 1e9:.1f} GB in {base}, and there is less.",
                "Free some space, or set GPSDREAM_HOME to a folder on a larger disk.",
            )
        done = 0
        for path in files:
            copy = partial / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Links of a shared cache are followed: the copy holds what they lead to.
            with path.open("rb") as source, copy.open("wb") as sink:
                while block := source.read(1 << 22):
                    if cancelled and cancelled():
                        raise AddingCancelled
                    sink.write(block)
                    done += len(block)
                    if on_progress:
                        on_progress(done, max(1, total))
        check_folder(partial)
        partial.rename(target)
    except OSError as error:
        raise storage_error(error, target, "the model was not added") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):
            (base / PARTIAL_DIR).rmdir()
    return target


def install_trained(folder: Path, name: str) -> Path:
    """Move a model that training has written among the installed ones; one of the same name is replaced.

    Raises:
        GPSDreamError: if it is not whole, or cannot be moved.
    """
    check_folder(folder)
    base = models_dir()
    target = base / safe_name(name)
    old = base / REMOVED_DIR / f"{target.name}.{secrets.token_hex(4)}"
    try:
        if target.exists():
            old.parent.mkdir(exist_ok=True)
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise storage_error(error, target, "the model stays where it was trained") from error
    shutil.rmtree(old, ignore_errors=True)
    return target


# -- the cache of other programs --


def hub_cache() -> Path:
    """Return where programs that use the Hugging Face Hub keep what they downloaded."""
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        value = os.environ.get(variable)
        if value:
            return Path(value).expanduser() / below
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):
        return Path(cache).expanduser() / "huggingface" / "hub"
    return Path(cache) / "huggingface" / "hub"


def cached_models(cache: Path | None = None) -> list[Cached]:
    """Return the pipelines in the cache, the newest snapshot of each, by name. Nothing is opened but directories."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for repository in sorted((cache or hub_cache()).glob("models--*")):
            with contextlib.suppress(OSError, ValueError):
                snapshots = [path for path in (repository / "snapshots").iterdir() if (path / INDEX_FILE).is_file()]
                if snapshots and not repository.is_symlink():
                    newest = max(snapshots, key=lambda path: path.stat().st_mtime)
                    name = repository.name.removeprefix("models--").replace("--", "/", 1)
                    has_card = (newest / CARD_FILE).is_file()
                    found.append(Cached(name[:120], newest, has_card, folder_bytes(newest)))
    return found


# -- removing --


def remove_model(folder: Path) -> Removed:
    """Take an installed model out; it can be brought back for some days.

    Raises:
        GPSDreamError: if it is not an installed one, or cannot be moved.
    """
    base = models_dir()
    if folder.parent.absolute() != base.absolute() or folder.name.startswith("."):
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"“{folder.name[:80]}” came with GPSDream and stays.",
            "Only models that were added, downloaded or trained here can be removed.",
        )
    place = base / REMOVED_DIR / f"{folder.name}.{secrets.token_hex(4)}"
    try:
        place.parent.mkdir(exist_ok=True)
        folder.rename(place)
        os.utime(place)  # from now on the days count
    except OSError as error:
        raise storage_error(error, folder, "the model was not removed") from error
    return Removed(folder.name, place)


def bring_back(removed: Removed) -> Path:
    """Bring a removed model back, under its name or one like it, and return its folder.

    Raises:
        GPSDreamError: if it is gone for good.
    """
    base = models_dir()
    target = base / removed.name
    if target.exists():
        target = base / free_name(removed.name)
    try:
        removed.path.rename(target)
    except OSError as error:
        raise storage_error(error, target, "the model was not brought back") from error
    return target


def clear_removed(days: float = DAYS_TO_BRING_BACK) -> int:
    """Delete models that were removed longer ago, and return how many."""
    gone = 0
    with contextlib.suppress(OSError, GPSDreamError):
        for folder in list((models_dir() / REMOVED_DIR).iterdir()):
            if time.time() - folder.stat().st_mtime > days * 86_400:
                shutil.rmtree(folder, ignore_errors=True)
                gone += not folder.exists()
    return gone


def read_licence(folder: Path) -> str:
    """Return the licence that a base's README names in its head; empty if it names none."""
    with contextlib.suppress(OSError, ValueError):
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            head = file.read(4000)
        found = re.search(r"^license:\s*([\w.+-]{1,60})\s*$", head, re.MULTILINE)
        return found.group(1) if found else ""
    return ""


def components(folder: Path) -> list[str]:
    """Return the classes that a model's index names, for people who want to know; empty if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8")[: 1 << 20])
        if isinstance(index, dict):
            parts = [value for key, value in index.items() if not key.startswith("_") and isinstance(value, list)]
            return [str(part[1])[:60] for part in parts if len(part) == 2 and part[1]]
    return []
