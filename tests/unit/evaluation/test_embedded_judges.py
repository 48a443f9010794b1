"""The judges that come with GPSDream."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gpsdream_app.evaluation.probes import WordProbe, probe_card
from gpsdream_app.library.judges import PARTS, judges_folder
from gpsdream_app.models.gps_clip import open_gps_clip
from gpsdream_app.models.text_clip import TextClip


@pytest.fixture(scope="module")
def folder() -> Path:
    found = judges_folder("fifth-avenue-1911")
    assert found is not None
    return found


def test_they_are_small_and_say_what_they_learned_from(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 6 << 20
    learned = [json.loads((folder / part / f"{part}.json").read_text(encoding="utf-8"))["trained_on"] for part in PARTS]
    assert learned[0] == learned[1] == learned[2]
    assert len(learned[0]) == 62
    assert all(name == Path(name).name for name in learned[0])


def test_they_open_and_judge(folder: Path) -> None:
    picture = torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0)) * 2 - 1
    lat, lon = (torch.tensor([value], dtype=torch.float64) for value in (40.7527, -73.9814))
    score = open_gps_clip(folder / "gps-clip").gps_score(picture, lat, lon, torch.tensor([118.0]))
    words = TextClip.open(folder / "text-clip").clip_score(picture, ["shop, awning, pedestrian"])
    assert -100 < float(score) < 100
    assert -100 < float(words) < 100
    probe = WordProbe.open(folder / "probe")
    assert len(probe.words) == 15
    assert probe.truth(("crowd",))[probe.words.index("people")] == 1
    assert probe.found(picture).shape == (1, 15)
    assert [figure["word"] for figure in probe_card(folder / "probe")["held_out"]] == list(probe.words)
