"""Model folders on the disk: finding them, checking them and naming them, without loading a single tensor.

Layout and format are those of diffusers and safetensors. Pickles are refused: opening one runs whatever program
its author put inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpsdream_app.domain.errors import ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE, ModelCard
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library.paths import cache_dir, models_dir

INDEX_FILE = "model_index.json"
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
MAX_JSON_BYTES = 64 << 20  # a tokenizer.json has several megabytes
MAX_HEADER_BYTES = 100 << 20  # the limit that the safetensors format itself sets
HASH_DIGITS = 16
REINSTALL = "Install the model again, or choose another."

# Bits per value, by the names that the safetensors format gives to types.
_DTYPE_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4}
_DTYPE_BITS |= {"U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32}
_DTYPE_BITS |= {"U64": 64, "I64": 64, "F64": 64, "C64": 64, "F6_E2M3": 6, "F6_E3M2": 6}

Source = Literal["built-in", "installed", "folder"]


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be chosen.

    Attributes:
        name: what a request calls it.
        path: its folder.
        card: what it says about itself.
        source: came with GPSDream, was installed by the person, or is a folder somewhere.
    """

    name: str
    path: Path
    card: ModelCard
    source: Source


def find_model(name_or_path: str | Path) -> Path:
    """Return the folder of a model.

    Args:
        name_or_path: name of a model that came with GPSDream or was installed, or the path of a model folder.

    Raises:
        GPSDreamError: of kind `model_missing`, or `model_corrupt` if the path is a file.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text not in ("", ".", "..") and not set(text) & set("/\\\0"):
        for _, base in _model_bases():
            if _is_dir(base / text):
                return base / text
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # a home folder that is not known
        path = path.expanduser()
    if text and _is_dir(path):
        return path.absolute()
    if _is_file(path):
        if path.suffix.lower() in PICKLE_SUFFIXES:
            failure = _pickle_failure(path.name)
            raise GPSDreamError(failure.kind, failure.message, failure.hint)
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"“{path.name[:80]}” is a file; a model is a folder with a {INDEX_FILE} in it.",
            "Choose the folder.",
        )
    names = [model.name for model in list_models()]
    known = f"Installed are: {', '.join(names)}." if names else "No model is installed: see “gpsdream models”."
    raise GPSDreamError(ErrorKind.MODEL_MISSING, f"The model “{text[:200]}” is not installed.", known)


def _is_dir(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):  # a name that is too long, or holds NUL
        return path.is_dir()
    return False


def _is_file(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return path.is_file()
    return False


def list_models() -> list[InstalledModel]:
    """Return all models whose card can be read: those that came with GPSDream first, then by name."""
    found: dict[str, InstalledModel] = {}
    for source, base in _model_bases():
        with contextlib.suppress(OSError):
            for folder in sorted(base.iterdir()):
                if folder.name not in found and (folder / CARD_FILE).is_file():
                    with contextlib.suppress(GPSDreamError):
                        found[folder.name] = InstalledModel(folder.name, folder, read_card(folder), source)
    return list(found.values())


def _model_bases() -> Iterator[tuple[Source, Path]]:
    yield "built-in", resources_dir() / "models"
    # On a disk that cannot be written to, the models that came with GPSDream still work.
    with contextlib.suppress(GPSDreamError):
        yield "installed", models_dir()


def read_card(folder: Path) -> ModelCard:
    """Read a model's card.

    Raises:
        GPSDreamError: of kind `model_corrupt` if there is none or it cannot be read.
    """
    try:
        text = _read_text(folder / CARD_FILE)
    except FileNotFoundError:
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"The folder “{folder.name}” has no {CARD_FILE}, so it is not a model that knows places.",
            "A Stable Diffusion folder must first learn places: gpsdream train --base FOLDER.",
        ) from None
    except (OSError, ValueError) as error:
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT, f"The model's card ({CARD_FILE}) cannot be read.", REINSTALL, repr(error)
        ) from None
    return ModelCard.from_json(text)


# -- checking --


def verify_model(folder: Path, *, card: bool = True) -> list[Failure]:
    """Check a model folder without loading it: what is missing, cut, broken or refused.

    JSON files must parse; every component that the index names must be there; the header of every safetensors
    file must agree with the file's size. Reads a few hundred kilobytes, whatever the size of the weights.

    Args:
        folder: the folder that holds model_index.json.
        card: whether gpsdream.json must be there; False for a base model that is to be trained.

    Returns:
        One failure per fault; empty if the folder can be loaded.
    """
    if not folder.is_dir():
        return [Failure(ErrorKind.MODEL_MISSING, f"The model folder {folder} does not exist.", REINSTALL)]
    failures: list[Failure] = []
    if card:
        try:
            read_card(folder)
        except GPSDreamError as error:
            failures.append(error.failure)
    index: object = None
    try:
        index = _read_json(folder / INDEX_FILE)
    except FileNotFoundError:
        failures.append(_corrupt(f"The model has no {INDEX_FILE}.", f"“{folder.name}” may not be a model folder."))
    except (OSError, ValueError, RecursionError) as error:
        failures.append(_broken(INDEX_FILE, error))
    else:
        if not isinstance(index, dict):
            failures.append(_broken(INDEX_FILE, "not a JSON object"))
    components = dict(_components(index)) if isinstance(index, dict) else {}
    failures.extend(_pickles(folder, folder))
    for name, class_name in components.items():
        part = folder / name
        if not part.is_dir():
            failures.append(_corrupt(f"The model's folder “{name}” is missing."))
            continue
        failures.extend(_pickles(part, folder))
        failures.extend(_verify_component(part, class_name))
    return failures


def _components(index: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (folder, class) of each component of a model_index.json."""
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or len(value) != 2 or not all(value):
            continue
        if set(name) & set("/\\\0") or name == "..":
            continue
        yield name, str(value[1])


def _verify_component(folder: Path, class_name: str) -> Iterator[Failure]:
    """Yield what is wrong with one component's folder."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        yield _broken(folder.name, error)
        return
    names = {path.name for path in files}
    for path in files:
        if path.suffix == ".json":
            try:
                _read_json(path)
            except (OSError, ValueError, RecursionError) as error:
                yield _broken(f"{folder.name}/{path.name}", error)
        elif path.suffix == ".safetensors":
            fault = _safetensors_fault(path)
            if fault:
                yield _corrupt(f"The model's file {folder.name}/{path.name} {fault}.")
    if class_name.endswith("Scheduler"):
        needed: tuple[str, ...] = ("scheduler_config.json",)
    elif "Tokenizer" in class_name:
        vocabularies = ({"tokenizer.json"}, {"vocab.json", "merges.txt"}, {"vocab.txt"}, {"spiece.model"})
        needed = () if any(vocabulary <= names for vocabulary in vocabularies) else ("tokenizer.json",)
    elif class_name.endswith(("FeatureExtractor", "ImageProcessor")):
        needed = ("preprocessor_config.json",)
    else:
        needed = ("config.json",)
        yield from _missing_weights(folder, names)
    for name in needed:
        if name not in names:
            yield _corrupt(f"The model's file {folder.name}/{name} is missing.")


def _missing_weights(folder: Path, names: set[str]) -> Iterator[Failure]:
    if not any(name.endswith(".safetensors") for name in names):
        yield _corrupt(f"The weights of “{folder.name}” are missing: there is no safetensors file.")
    for name in names:
        if not name.endswith(".safetensors.index.json"):
            continue
        with contextlib.suppress(OSError, ValueError, RecursionError, AttributeError, TypeError, KeyError):
            shards = {str(shard) for shard in _read_json(folder / name)["weight_map"].values()}
            for shard in sorted(shards - names):
                yield _corrupt(f"The model's file {folder.name}/{shard[:100]} is missing.")


def _pickles(folder: Path, model: Path) -> Iterator[Failure]:
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PICKLE_SUFFIXES and path.is_file():
                yield _pickle_failure(path.relative_to(model).as_posix(), any(folder.glob("*.safetensors")))


def _pickle_failure(name: str, has_twin: bool = False) -> Failure:
    hint = "Get the model as safetensors."
    if has_twin:
        hint = "There is a safetensors file beside it: delete the pickle and try again."
    return Failure(
        ErrorKind.MODEL_CORRUPT,
        f"The model file {name} is a pickle. GPSDream opens none, because opening one can run any program.",
        hint,
    )


def _safetensors_fault(path: Path) -> str:
    """Return what is wrong with a safetensors file, to be read after its name; empty if nothing is."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            if len(head) < 8:
                return "is cut off"
            (length,) = struct.unpack("<Q", head)
            if length > MAX_HEADER_BYTES:
                return "is not a safetensors file"
            if 8 + length > size:
                return "is cut off"
            header = json.loads(file.read(length))
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError):
        return "is damaged: its header cannot be read"
    if not isinstance(header, dict):
        return "is damaged: its header cannot be read"
    try:
        spans = sorted(
            _span(tensor["dtype"], tensor["shape"], tensor["data_offsets"])
            for name, tensor in header.items()
            if name != "__metadata__"
        )
    except (KeyError, TypeError, ValueError):
        return "is damaged: its header does not describe its tensors"
    end = 0
    for begin, stop in spans:
        if begin != end:
            return "is damaged: its tensors leave gaps or overlap"
        end = stop
    expected = 8 + length + end
    if size < expected:
        return f"is cut off: {size:,} of {expected:,} bytes are there"
    if size > expected:
        return f"is damaged: it has {size - expected:,} bytes too many"
    return ""


def _span(dtype: object, shape: Any, offsets: Any) -> tuple[int, int]:
    begin, stop = offsets
    bits = _DTYPE_BITS.get(str(dtype))
    if not all(isinstance(value, int) and value >= 0 for value in (begin, stop, *shape)):
        raise ValueError
    # A type that is not in the table is newer than this program; its tensor cannot be measured.
    if bits is not None and math.prod(shape) * bits != (stop - begin) * 8:
        raise ValueError
    return begin, stop


def _corrupt(message: str, hint: str = REINSTALL) -> Failure:
    return Failure(ErrorKind.MODEL_CORRUPT, message, hint)


def _broken(name: str, error: object) -> Failure:
    return Failure(ErrorKind.MODEL_CORRUPT, f"The model's file {name} cannot be read.", REINSTALL, repr(error))


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"more than {MAX_JSON_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(_read_text(path))


# -- naming --


def weights_hash(folder: Path) -> str:
    """Return the name of a model's weights: the first 16 hexadecimal digits of a SHA-256.

    It goes over the path and content of every safetensors file of the root and the components, sorted by path.
    It is remembered as long as sizes and times stay the same, since a large model takes seconds to read.

    Raises:
        GPSDreamError: of kind `model_corrupt` if a file cannot be read.
    """
    try:
        files = sorted((*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")))
        stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
        key = hashlib.sha256(
            json.dumps(
                [str(folder.absolute()), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]]
            ).encode()
        ).hexdigest()
        remembered = _remembered_hashes()
        if key in remembered:
            return remembered[key]
        digest = hashlib.sha256()
        for path, (name, stat) in zip(files, stats, strict=True):
            digest.update(f"{name}\0{stat.st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise GPSDreamError(
            ErrorKind.MODEL_CORRUPT,
            f"The weights of “{folder.name}” cannot be read: {error.strerror or error}.",
            REINSTALL,
        ) from error
    result = digest.hexdigest()[:HASH_DIGITS]
    _remember_hash(key, result)
    return result


def _hash_file() -> Path:
    return cache_dir() / "weight-hashes.json"


def _remembered_hashes() -> dict[str, str]:
    try:
        data = json.loads(_hash_file().read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in data.items()}
    except (OSError, ValueError, AttributeError, RecursionError, GPSDreamError):
        return {}


def _remember_hash(key: str, value: str) -> None:
    hashes = {**_remembered_hashes(), key: value}
    newest = dict(list(hashes.items())[-100:])
    # A cache that cannot be written only costs time.
    with contextlib.suppress(OSError, GPSDreamError):
        temporary = _hash_file().with_name(f"weight-hashes.{os.getpid()}.{secrets.token_hex(4)}.part")
        temporary.write_text(json.dumps(newest), encoding="utf-8")
        temporary.replace(_hash_file())
