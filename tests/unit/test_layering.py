"""Who may know whom, format, style and types: the same checks as `python packaging/dev.py lint`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent
CHECKS = {
    "layering": [str(SCRIPTS / "lint-imports"), "--no-logo", "--no-cache"],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."],
    "style": [sys.executable, "-m", "ruff", "check", "--quiet", "."],
    "types": [sys.executable, "-m", "mypy"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_source_is_clean(name: str, root: Path) -> None:
    done = subprocess.run(CHECKS[name], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_are_those_of_the_design(root: Path) -> None:
    import tomllib

    tables = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers, qt, torch = tables["contracts"]
    rooms = {f"gpsdream_app.{path.parent.name}" for path in (root / "gpsdream_app").glob("*/__init__.py")}
    assert rooms <= set(layers["layers"]), "every room has a layer"
    assert rooms - {"gpsdream_app.ui"} <= set(qt["source_modules"])
    assert qt["forbidden_modules"] == ["PySide6"]
    assert {"torch", "diffusers", "transformers"} <= set(torch["forbidden_modules"])
    assert {"gpsdream_app.ui", "gpsdream_app.cli", "gpsdream_app.commands"} <= set(torch["source_modules"])
