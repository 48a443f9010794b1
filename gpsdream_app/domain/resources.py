"""Where the files that come with the program lie: cities, icons, the map page, the embedded model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError


@cache
def resources_dir() -> Path:
    """Return the folder `resources`: inside the package in a wheel, beside it in a checkout or editable install.

    Raises:
        GPSDreamError: of kind `internal` if the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "resources", package.parent / "resources"):
        if (folder / "cities").is_dir():
            return folder
    raise GPSDreamError(
        ErrorKind.INTERNAL, f"The program's own files are missing beside {package}.", "Install GPSDream again."
    )
