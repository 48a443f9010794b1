from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from PySide6.QtGui import QImage


def test_at_twice_the_scale_all_is_sharp_and_fits(root: Path, tmp_path: Path) -> None:
    shot, facts_file = tmp_path / "window.png", tmp_path / "facts.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.ui.window.scaled_window", str(shot), str(facts_file)],
        cwd=root,
        env={**os.environ, "QT_SCALE_FACTOR": "2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    assert facts["ratio"] == 2
    assert facts["picture"] == [2 * side for side in facts["window"]]
    assert facts["cut"] == []
    assert facts["icon"] == 32
    assert QImage(str(shot)).width() == facts["picture"][0]
