"""The switches of Chromium and the sandbox."""

from __future__ import annotations

import logging

import pytest

from gpsdream_app.ui.map import chromium
from gpsdream_app.ui.map.chromium import Graphics, Machine

USER = Machine(Graphics.AUTO, has_gpu=True, is_root=False)
ROOT = Machine(Graphics.AUTO, has_gpu=True, is_root=True)
HEADLESS = Machine(Graphics.AUTO, has_gpu=False, is_root=False)


def test_every_switch_has_a_reason() -> None:
    assert all(switch.text.startswith("--") and switch.reason.endswith(".") for switch in chromium.SWITCHES)


def test_an_ordinary_user_keeps_sandbox_and_gpu() -> None:
    environment: dict[str, str] = {}
    chromium.configure(USER, environment)
    assert set(environment) == {chromium.FLAGS_VARIABLE}
    assert "--disable-background-networking" in environment[chromium.FLAGS_VARIABLE]
    assert "--disable-gpu" not in environment[chromium.FLAGS_VARIABLE]
    assert "sandbox" not in environment[chromium.FLAGS_VARIABLE]


def test_root_loses_the_sandbox_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    environment: dict[str, str] = {}
    with caplog.at_level(logging.WARNING):
        chromium.configure(ROOT, environment)
    assert environment[chromium.SANDBOX_VARIABLE] == "1"
    assert "root" in caplog.text


@pytest.mark.parametrize("machine", [HEADLESS, Machine(Graphics.SOFTWARE, has_gpu=True, is_root=False)])
def test_software_mode_leaves_the_gpu_alone(machine: Machine) -> None:
    environment: dict[str, str] = {}
    chromium.configure(machine, environment)
    assert "--disable-gpu" in environment[chromium.FLAGS_VARIABLE].split()
    assert environment[chromium.QUICK_VARIABLE] == "software"


def test_given_switches_stay_last_and_twice_does_no_harm() -> None:
    environment = {chromium.FLAGS_VARIABLE: "--force-device-scale-factor=2"}
    chromium.configure(HEADLESS, environment)
    once = environment[chromium.FLAGS_VARIABLE]
    assert once.endswith("--force-device-scale-factor=2")
    chromium.configure(HEADLESS, environment)
    assert environment[chromium.FLAGS_VARIABLE] == once


def test_an_unusable_sandbox_gives_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv(chromium.SANDBOX_VARIABLE, raising=False)
    monkeypatch.setattr(chromium, "_read", lambda path: "0" if path.endswith("max_user_namespaces") else "")
    obstacle = chromium.sandbox_obstacle(USER)
    assert obstacle is not None and "sandbox" in obstacle
    assert chromium.sandbox_obstacle(ROOT) is None
