"""Views are drawn some at a time: told, paused, stopped in the middle, and taken up without being drawn again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gpsdream_app.lifting import loop
from gpsdream_app.lifting.control import Control, LiftCancelled, LiftKept
from gpsdream_app.lifting.guidance import DrawnViews
from gpsdream_app.lifting.loop import Lift, LiftConfig, Method, Progress
from tests.lifting_scene import ExactNoise

CONFIG = LiftConfig(
    method=Method.REFINE, views=8, drawing_steps=3, steps=4, round_steps=2, resolutions=(12,), rays=64, samples=12
)


def source() -> DrawnViews:
    return DrawnViews(ExactNoise(16), steps=CONFIG.drawing_steps, together=2)


def test_drawing_tells_how_far_it_is() -> None:
    told: list[Progress] = []
    lift = Lift(CONFIG, source(), previews=0, on_pass=told.append)
    told += list(lift.run())
    drawn = [one for one in told if one.phase.name == "draw"]
    assert {one.steps for one in drawn} == {source().passes(8)} and drawn[-1].step == drawn[-1].steps
    assert any(one.view is not None for one in drawn)
    assert told[-1].share == pytest.approx(1.0) and lift.finished


def test_a_lift_stopped_while_it_draws_goes_on_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "PARTS_EVERY", 0.0)
    whole = Lift(CONFIG, source(), previews=0)
    for _ in whole.run():
        pass

    control, views = Control(), source()
    passes = 0

    def stop(progress: Progress) -> None:
        nonlocal passes
        passes += 1
        if passes == 10:
            control.cancel()

    with pytest.raises(LiftCancelled):
        for _ in Lift(CONFIG, views, tmp_path, control, previews=0, on_pass=stop).run():
            pass
    first = views.model.passes  # type: ignore[attr-defined]
    again = source()
    lift = Lift(CONFIG, again, tmp_path, previews=0)
    for _ in lift.run():
        pass
    assert torch.equal(lift.field.raw, whole.field.raw)
    assert again.model.passes < whole.source.model.passes  # type: ignore[attr-defined,union-attr]
    assert first > 0


def test_a_held_lift_can_still_be_ended() -> None:
    waits: list[bool] = []
    control = Control(waits.append)
    control.hold()
    control.pause()
    control.keep()
    with pytest.raises(LiftKept):
        control.check()
    assert control.paused and waits == []
