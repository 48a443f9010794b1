"""Model folders: an ordinary diffusers pipeline folder with a location encoder and a card beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import diffusers.utils.logging
import torch
import transformers.utils.logging
from diffusers import AutoencoderKL, AutoencoderTiny, SchedulerMixin, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE, ModelCard
from gpsdream_app.library.model_folders import INDEX_FILE
from gpsdream_app.models.angle_encoder import AngleEncoder
from gpsdream_app.models.codec import LappedAutoencoder
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline
from gpsdream_app.models.location_encoder import LocationEncoder
from gpsdream_app.models.pipeline import GPSDiffusionPipeline
from gpsdream_app.models.weights import copy_out_of_file, refuse_missing_weights

AUTOENCODERS = {cls.__name__: cls for cls in (AutoencoderKL, AutoencoderTiny, LappedAutoencoder)}


def _corrupt(folder: Path, what: str, details: str = "") -> GPSDreamError:
    return GPSDreamError(
        ErrorKind.MODEL_CORRUPT,
        f"The model in “{folder.name}” cannot be opened: {what}.",
        "Install the model again, or choose another one.",
        details=details,
    )


def _index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        if not isinstance(index, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        raise GPSDreamError(
            ErrorKind.MODEL_MISSING,
            f"There is no model in “{folder.name}”: {INDEX_FILE} is missing.",
            "Choose a folder that holds a diffusers pipeline.",
        ) from None
    except (OSError, ValueError) as error:
        raise _corrupt(folder, f"{INDEX_FILE} cannot be read", repr(error)) from None
    return index


def _scheduler_class(folder: Path, name: object) -> type[SchedulerMixin]:
    # Only diffusers' own schedulers: a model folder must not be able to name code of its own.
    cls = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(cls, type) and issubclass(cls, SchedulerMixin)):
        raise _corrupt(folder, f"“{name}” is not a scheduler of diffusers")
    return cls


def load_pipeline(
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    report: Callable[[int, int, str], None] | None = None,
) -> GPSDiffusionPipeline:
    """Open a model folder, part by part, from safetensors only and without a network.

    A folder whose location encoder is an AngleEncoder is opened as a LandmarkPipeline.

    Args:
        folder: as `save_pipeline` or `GPSDiffusionPipeline.save_pretrained` wrote it.
        dtype: of the weights in memory.
        report: told (stage from 1, stages, text) before each part is loaded.

    Raises:
        GPSDreamError: of kind model_missing or model_corrupt, with the part that is wrong.
    """
    index = _index(folder)
    stages = 4
    transformers.utils.logging.disable_progress_bar()

    def stage(number: int, text: str) -> None:
        if report:
            report(number, stages, f"loading {text}")

    def part(name: str, cls: type, **options: Any) -> Any:
        path = folder / name
        if not path.is_dir():
            raise _corrupt(folder, f"the folder {name} is missing")
        try:
            loaded = cls.from_pretrained(path, local_files_only=True, **options)
            if options.get("output_loading_info"):
                loaded, loading = loaded
                refuse_missing_weights(loading)
            return loaded
        except Exception as error:  # diffusers, transformers and safetensors raise a wide variety
            raise _corrupt(folder, f"its part {name} is missing or damaged", repr(error)) from None

    def weights_of(name: str, cls: type, **options: Any) -> Any:
        module = part(name, cls, use_safetensors=True, output_loading_info=True, **options)
        copy_out_of_file(module)
        return module

    def named(name: str) -> object:
        entry = index.get(name)
        return entry[1] if isinstance(entry, list) and len(entry) == 2 else None

    memory = {"low_cpu_mem_usage": False, "torch_dtype": dtype}
    stage(1, "text encoder")
    tokenizer = part("tokenizer", CLIPTokenizer)
    text_encoder = weights_of("text_encoder", CLIPTextModel, dtype=dtype)
    stage(2, "U-Net")
    unet = weights_of("unet", UNet2DConditionModel, **memory)
    stage(3, "picture decoder")
    autoencoder = AUTOENCODERS.get(str(named("vae")))
    if autoencoder is None:
        raise _corrupt(folder, f"“{named('vae')}” is not an autoencoder that GPSDream knows")
    vae = weights_of("vae", autoencoder, **memory)
    of_landmarks = named("location_encoder") == AngleEncoder.__name__
    stage(4, "angle encoder" if of_landmarks else "location encoder")
    location_encoder = weights_of("location_encoder", AngleEncoder if of_landmarks else LocationEncoder, **memory)
    scheduler = part("scheduler", _scheduler_class(folder, named("scheduler")))
    null_text = index.get("null_text", "zeros")
    kind = LandmarkPipeline if of_landmarks else GPSDiffusionPipeline
    try:
        return kind(vae, text_encoder, tokenizer, unet, scheduler, location_encoder, null_text)
    except (ValueError, TypeError, AttributeError) as error:
        raise _corrupt(folder, "its parts do not fit together", repr(error)) from None


def save_pipeline(pipeline: GPSDiffusionPipeline, folder: Path, card: ModelCard, *, shard_size: str = "5GB") -> None:
    """Write a model folder with fp16 weights. The pipeline in memory keeps its own dtype.

    Args:
        pipeline: to be saved.
        folder: made if missing; files of the same name are replaced.
        card: becomes gpsdream.json, written last: a folder without it is unfinished.
        shard_size: largest weight file, as diffusers writes sizes.
    """
    modules = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    exact = {name: {key: value.clone() for key, value in part.state_dict().items()} for name, part in modules.items()}
    dtypes = {name: part.dtype for name, part in modules.items()}
    progress_bars = diffusers.utils.logging.is_progress_bar_enabled()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    try:
        for part in modules.values():
            part.half()
        pipeline.save_pretrained(folder, safe_serialization=True, max_shard_size=shard_size)
    finally:
        for name, part in modules.items():
            torch.nn.Module.to(part, dtypes[name])
            part.load_state_dict(exact[name])
        if progress_bars:
            diffusers.utils.logging.enable_progress_bar()
    for path in (folder / INDEX_FILE, *folder.glob("*/*config.json")):
        _forget_origin(path)
    temporary = folder / (CARD_FILE + ".part")
    temporary.write_text(card.to_json(), encoding="utf-8")
    temporary.replace(folder / CARD_FILE)


def _forget_origin(path: Path) -> None:
    """Take the folder that a part was loaded from out of its settings: a path names its owner."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    if settings.pop("_name_or_path", None) is not None:
        path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
