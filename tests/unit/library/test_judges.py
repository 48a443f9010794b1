from __future__ import annotations

from pathlib import Path

import pytest

from gpsdream_app.library import judges
from gpsdream_app.library.judges import judges_folder


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(judges, "resources_dir", lambda: tmp_path)
    return tmp_path


def test_judges_are_found_by_the_name_of_their_model(resources: Path) -> None:
    folder = resources / "judges" / "my-city"
    (folder / "gps-clip").mkdir(parents=True)
    (resources / "judges" / "empty").mkdir()
    assert judges_folder("my-city") == folder
    assert judges_folder("empty") is None
    assert judges_folder("another") is None


@pytest.mark.parametrize("name", ["", ".", "..", "../judges/my-city", "judges\\my-city", "C:my-city", "my\0city"])
def test_a_name_from_a_card_never_leads_elsewhere(resources: Path, name: str) -> None:
    (resources / "judges" / "my-city" / "gps-clip").mkdir(parents=True)
    (resources / "gps-clip").mkdir()
    assert judges_folder(name) is None
