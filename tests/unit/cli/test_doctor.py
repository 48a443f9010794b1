"""`gpsdream doctor`: what it looks at, and what it says of something broken."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from gpsdream_app.cli import main
from gpsdream_app.library import doctor
from gpsdream_app.library.doctor import Check, Status


def test_a_probe_that_fails_is_told_by_its_last_line() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        doctor.probe("raise SystemExit('no such thing')")
    with pytest.raises(RuntimeError, match="SIGSEGV"):
        doctor.probe("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert doctor.probe("print('noise'); print('{\"a\": 1}')") == {"a": 1}


@pytest.mark.parametrize("name", ["TORCH_PROBE", "OPENGL_PROBE", "WEBENGINE_PROBE"])
def test_the_real_probes_answer(name: str) -> None:
    answer = doctor.probe(getattr(doctor, name), {"QT_QPA_PLATFORM": "offscreen"})
    assert answer


def test_every_part_is_looked_at(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {
        doctor.TORCH_PROBE: {"version": "2", "cuda": None, "device": "cpu", "name": "", "memory": 0, "threads": 2},
        doctor.OPENGL_PROBE: {"platform": "xcb", "ok": True, "renderer": "llvmpipe", "version": "4.5"},
        doctor.WEBENGINE_PROBE: {"version": "6", "chromium": "140"},
    }
    monkeypatch.setattr(doctor, "probe", lambda code, environment=None: answers[code])
    monkeypatch.setattr(doctor, "DEFAULT_MODEL", "tiny")
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    names = [check["name"] for check in report["checks"]]
    for name in ("program", "packages", "processor", "graphics card", "OpenGL", "map", "data folder", "free space"):
        assert name in names
    assert "model tiny" in names


def test_something_broken_is_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [Check("map", Status.BROKEN, "libEGL is missing", "Install libegl1."), Check("a", Status.OK, "fine")]
    monkeypatch.setattr("gpsdream_app.library.doctor.checks", lambda: iter(found))
    monkeypatch.setattr("gpsdream_app.commands.doctor.checks", lambda: iter(found), raising=False)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "broken   map: libEGL is missing" in text
    assert "Install libegl1." in text
    assert "1 broken" in text


def test_a_damaged_model_is_broken(model: Path) -> None:
    (model / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"short")
    (check,) = [check for check in doctor._models() if check.name == "model tiny"]
    assert check.status is Status.BROKEN
    assert check.hint


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_folders_that_cannot_be_written_are_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    monkeypatch.setenv("GPSDREAM_HOME", str(blocker))
    assert {check.status for check in doctor._folders()} == {Status.BROKEN}
    assert doctor._disk().status is Status.BROKEN


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_a_machine_without_a_display_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert doctor._opengl().status is Status.OK
