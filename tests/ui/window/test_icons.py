"""Every icon that is named exists, is drawn in one hand, and none lies about unused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gpsdream_app.domain.resources import resources_dir

ICONS = sorted((resources_dir() / "icons").glob("*.svg"))
SOURCES = Path(__file__).parents[3] / "gpsdream_app" / "ui"


def used_names() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    return set(re.findall(r'"([a-z_]+)"', text))


@pytest.mark.parametrize("path", ICONS, ids=lambda path: path.stem)
def test_an_icon_is_used_and_drawn_in_one_hand(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    assert path.stem in used_names()
    if path.stem != "gpsdream":
        assert root.get("viewBox") == "0 0 24 24"
        assert root.get("stroke") == "currentColor"
        assert root.get("stroke-width") == "1.5"
