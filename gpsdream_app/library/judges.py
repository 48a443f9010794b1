"""Where the judges lie that came with GPSDream: small networks that score the pictures of a model."""

from __future__ import annotations

from pathlib import Path

from gpsdream_app.domain.resources import resources_dir

PARTS = ("gps-clip", "text-clip", "probe")


def judges_folder(model_name: str) -> Path | None:
    """Return the folder of the judges for a model that came with GPSDream, or None if there are none.

    Args:
        model_name: as the model's card gives it.
    """
    if not model_name or model_name.startswith(".") or set(model_name) & set("/\\\0:"):
        return None
    folder = resources_dir() / "judges" / model_name
    return folder if any((folder / part).is_dir() for part in PARTS) else None
