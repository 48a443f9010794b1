"""Lifts of the made-up landmark of the tests: time, F-score and PSNR per method, without any network.

The views are exact, or jittered in size and place; the noise predictions are those of a model that knows the scene.
What a network would take comes on top. Times are seconds of one core, so that other work on the machine does not count.

    PYTHONPATH=. python tests/benchmarks/lifting.py [part of a name ...]
"""

from __future__ import annotations

import dataclasses
import sys
import time

import torch
import trimesh

from gpsdream_app.lifting.cameras import Camera
from gpsdream_app.lifting.field import density_of
from gpsdream_app.lifting.guidance import Form, Times
from gpsdream_app.lifting.loop import Lift, LiftConfig, Method
from gpsdream_app.lifting.mesh import extract
from gpsdream_app.lifting.renderer import render_pictures
from tests.lifting_scene import ExactNoise, ExactViews, f_score, seen

VIEWS = LiftConfig(method=Method.VIEWS, elevations=(-8.0, 12.0))
SDS = LiftConfig(
    method=Method.SDS, elevations=(-8.0, 12.0), steps=150, resolutions=(24, 48), samples=48, pixels=32, guidance=2.0
)
JITTER = 0.05


class Timed(ExactNoise):
    """Counts the seconds that it takes itself, which stand for no network."""

    busy = 0.0

    def predict(self, noisy, t, conditions):
        start = time.process_time()
        found = super().predict(noisy, t, conditions)
        self.busy += time.process_time() - start
        return found


def variants():
    """Name, config and a new model of each."""
    yield "views", VIEWS, ExactViews(64)
    yield "views, 150 steps", dataclasses.replace(VIEWS, steps=150), ExactViews(64)
    yield "views, jitter", VIEWS, ExactViews(64, JITTER)
    yield "views, jitter, registered", dataclasses.replace(VIEWS, similarity=True), ExactViews(64, JITTER)
    refine = dataclasses.replace(VIEWS, method=Method.REFINE, similarity=True)
    yield "refine, jitter, registered", refine, ExactViews(64, JITTER)
    for form, times, guidance in (
        (Form.NOISE, Times.ANNEALED, 2.0),
        (Form.NOISE, Times.UNIFORM, 2.0),
        (Form.CLEAN, Times.ANNEALED, 2.0),
        (Form.NOISE, Times.ANNEALED, 7.5),
        (Form.CLEAN, Times.ANNEALED, 7.5),
    ):
        config = dataclasses.replace(SDS, form=form, times=times, guidance=guidance)
        yield f"sds, {form}, {times}, guidance {guidance:g}", config, Timed(32)
    yield "text", dataclasses.replace(SDS, method=Method.TEXT), Timed(32)
    yield "views, tri-plane", dataclasses.replace(VIEWS, field="tri-plane"), ExactViews(64)


def main(wanted: list[str]) -> None:
    """Print a row per variant."""
    torch.set_num_threads(1)
    cameras = [Camera(azimuth + 7.0) for azimuth in range(0, 360, 45)]
    true, _ = seen(cameras, 64)
    for name, config, model in variants():
        if wanted and not any(part in name for part in wanted):
            continue
        lift = Lift(config, model, previews=0)
        start, fog = time.process_time(), 0.0
        for progress in lift.run():
            fog = progress.fog
        seconds = time.process_time() - start - getattr(model, "busy", 0.0)
        density = density_of(lift.field)
        mesh = extract(density)
        score = f_score(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False))
        made = render_pictures(lift.field, cameras, 64, 64, background=lift.backdrop).pictures(len(cameras), 64, 64)
        psnr = float(-10 * torch.log10((made - true).square().mean()))
        print(
            f"{name:40} {seconds:6.1f} s  F {score:.3f}  PSNR {psnr:.1f} dB  fog {fog:.2f}  faces {len(mesh.faces):,}"
            f"  watertight {mesh.watertight}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
