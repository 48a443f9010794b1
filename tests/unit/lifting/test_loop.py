from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
import trimesh

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.lifting import loop
from gpsdream_app.lifting.cameras import Camera, ring
from gpsdream_app.lifting.field import density_of
from gpsdream_app.lifting.guidance import Form, Times
from gpsdream_app.lifting.loop import Control, Lift, LiftCancelled, LiftConfig, Method, Surroundings, Weights
from gpsdream_app.lifting.mesh import extract
from gpsdream_app.lifting.renderer import render_pictures
from gpsdream_app.lifting.turntable import frames, write_turntable
from tests.films import read_film
from tests.lifting_scene import ExactNoise, ExactViews, f_score, seen

SMALL = LiftConfig(
    method=Method.VIEWS,
    views=24,
    steps=60,
    resolutions=(20, 40),
    rays=1024,
    samples=40,
    elevations=(-8.0, 12.0),
    pixels=24,
    batch=3,
)
TINY = dataclasses.replace(
    SMALL, views=6, steps=20, resolutions=(8, 16), rays=128, samples=12, round_steps=9, checkpoint_every=7, pixels=8
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def lifted() -> Lift:
    lift = Lift(SMALL, ExactViews(40), previews=0)
    for _ in lift.run():
        pass
    return lift


def mesh_of(lift: Lift) -> trimesh.Trimesh:
    found = extract(density_of(lift.field))
    assert found.watertight and found.volume > 0
    return trimesh.Trimesh(found.vertices, found.faces, process=False)


def unseen_psnr(lift: Lift, side: int = 40) -> float:
    cameras = [Camera(a + 7.0, 2.0) for a in range(0, 360, 60)]
    true, _ = seen(cameras, side)
    made = render_pictures(lift.field, cameras, side, side, background=lift.backdrop)
    return float(-10 * torch.log10((made.pictures(len(cameras), side, side) - true).square().mean()))


def test_a_known_shape_comes_back_from_a_ring_of_views(lifted: Lift) -> None:
    mesh = mesh_of(lifted)
    assert f_score(mesh) > 0.93
    assert mesh.volume == pytest.approx(0.6 * 0.5 * 1.3 + 0.3**3 + 0.4 * 0.35 * 0.4, rel=0.25)
    assert unseen_psnr(lifted) > 19.0
    # Colours: the east face is red, the west one blue.
    found = extract(density_of(lifted.field))
    east = found.colours[found.vertices[:, 0] > 0.6].mean(axis=0)
    west = found.colours[found.vertices[:, 0] < -0.27].mean(axis=0)
    assert east[0] > east[2] + 0.2 and west[2] > west[0] + 0.2


def test_a_turntable_is_written(lifted: Lift, tmp_path: Path) -> None:
    pictures = list(frames(lifted.field, 6, 32, background=lifted.backdrop, samples=24))
    assert pictures[0].shape == (32, 32, 3) and not np.array_equal(pictures[0], pictures[3])
    for name in ("turn.gif", "turn.mp4"):
        path = write_turntable(pictures, tmp_path / name, fps=6)
        again = read_film(path) if name.endswith("mp4") else list(imageio.imiter(path))
        assert len(again) == 6
        assert np.abs(again[2][..., :3].astype(int) - pictures[2]).mean() < 12
    with pytest.raises(GPSDreamError, match="MP4 or GIF"):
        write_turntable(pictures, tmp_path / "turn.avi")
    with pytest.raises(GPSDreamError, match="at least one"):
        write_turntable([], tmp_path / "none.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["turn.gif", "turn.mp4"]


@pytest.mark.parametrize("form", list(Form))
def test_distillation_finds_the_shape(form: Form) -> None:
    config = dataclasses.replace(
        SMALL, method=Method.SDS, steps=45, form=form, guidance=1.0, resolutions=(16, 32), samples=24
    )
    lift = Lift(config, ExactNoise(24), previews=0)
    for _ in lift.run():
        pass
    assert f_score(mesh_of(lift)) > 0.85


def test_text_tells_the_model_no_angle() -> None:
    asked: list[object] = []

    class Listening(ExactNoise):
        def predict(self, noisy, t, conditions):
            asked.extend(conditions)
            return super().predict(noisy, t, conditions)

    config = dataclasses.replace(TINY, method=Method.TEXT, prompt="A photo of the arch", steps=2)
    for _ in Lift(config, Listening(8), previews=0).run():
        pass
    assert all(one.camera is None for one in asked)
    assert {one.words for one in asked} <= {
        "",
        "A photo of the arch, front view",
        "A photo of the arch, side view",
        "A photo of the arch, back view",
    }


def test_the_papers_recipe_shades_and_orients() -> None:
    config = loop.paper_config("A photo", 6, resolutions=(8,), samples=12, pixels=8, batch=2, shading_after=0.0)
    assert config.times is Times.ANNEALED and config.weights.orientation > 0
    steps = list(Lift(config, ExactNoise(8), previews=0).run())
    assert set(steps[-1].terms) >= {"distillation", "orientation", "sparsity"}


def test_registration_finds_how_views_differ() -> None:
    source = ExactViews(40, jitter=0.05)
    config = dataclasses.replace(SMALL, similarity=True, resolutions=(16, 32))
    lift = Lift(config, source, previews=0)
    for _ in lift.run():
        pass
    generator = torch.Generator().manual_seed(config.seed)
    size = 0.05 * torch.randn(config.views, generator=generator)
    shift = 0.05 * torch.randn(config.views, 2, generator=generator)
    found = lift.registration.report()
    # The picture at p shows the scene at size * p + shift, in half heights.
    true_size, true_right = torch.exp(-(size - size.mean())), -(shift[:, 0] / size.exp()) / 2
    sizes = torch.tensor([row["size"] for row in found])
    right = torch.tensor([row["right"] for row in found])
    assert torch.corrcoef(torch.stack([sizes, true_size]))[0, 1] > 0.8
    assert torch.corrcoef(torch.stack([right, true_right]))[0, 1] > 0.8


def same_fields(one: Lift, other: Lift) -> bool:
    mine, theirs = one.field.state_dict(), other.field.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


RESUMED = {
    "views": (TINY, lambda: ExactViews(8)),
    "refine": (
        dataclasses.replace(
            TINY, method=Method.REFINE, similarity=True, azimuth=True, surroundings=Surroundings.LEARNED
        ),
        lambda: ExactViews(8),
    ),
    "sds": (dataclasses.replace(TINY, method=Method.SDS, shaded=0.5), lambda: ExactNoise(8)),
    "tri-plane": (dataclasses.replace(TINY, field="tri-plane"), lambda: ExactViews(8)),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_lift_that_is_killed_and_resumed_ends_in_the_same_field(name: str, tmp_path: Path) -> None:
    config, source = RESUMED[name]
    whole = Lift(config, source(), previews=0)
    for _ in whole.run():
        pass
    # Killed after these many steps, which are no multiples of those between checkpoints; then taken up.
    for steps in (2, 11, 10, 5):
        killed = Lift(config, source(), tmp_path / "lift", previews=0)
        running = killed.run()
        for _ in range(steps):
            next(running, None)
        running.close()
    last = Lift(config, source(), tmp_path / "lift", previews=0)
    assert last.steps_done > 0
    for _ in last.run():
        pass
    assert same_fields(whole, last)
    assert len(list((tmp_path / "lift").iterdir())) <= 3, "old checkpoints are cleared away"
    again = Lift(config, source(), tmp_path / "lift", previews=0)
    assert again.finished and list(again.run()) == [] and same_fields(again, last)


def test_a_lift_pauses_and_goes_on(tmp_path: Path) -> None:
    control = Control()
    lift = Lift(TINY, ExactViews(8), tmp_path, control, previews=0)
    seen_steps: list[int] = []
    paused_at = threading.Event()

    def work() -> None:
        for progress in lift.run():
            seen_steps.append(progress.step)
            if len(seen_steps) == 6:
                control.pause()
                paused_at.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert paused_at.wait(60)
    for _ in range(600):
        if (tmp_path / "lift.json").is_file() and json.loads((tmp_path / "lift.json").read_text())["step"] == 5:
            break
        time.sleep(0.05)
    assert json.loads((tmp_path / "lift.json").read_text())["step"] == 5, "a paused lift is on the disk"
    assert len(seen_steps) == 6 and control.paused
    control.resume()
    thread.join(60)
    assert lift.finished
    whole = Lift(TINY, ExactViews(8), previews=0)
    for _ in whole.run():
        pass
    assert same_fields(whole, lift)


def test_stop_and_keep_leaves_a_field_and_a_checkpoint(tmp_path: Path) -> None:
    control = Control()
    lift = Lift(TINY, ExactViews(8), tmp_path, control, previews=0)
    steps = 0
    for _ in lift.run():
        steps += 1
        if steps == 5:
            control.keep()
    assert steps == 5 and lift.steps_done == 4 and not lift.finished
    assert json.loads((tmp_path / "lift.json").read_text())["step"] == 4
    early = Control()
    early.keep()
    with pytest.raises(GPSDreamError, match="nothing to keep"):
        list(Lift(TINY, ExactViews(8), control=early, previews=0).run())


def test_cancel_is_felt_between_two_passes_of_the_model() -> None:
    control = Control()

    class Slow(ExactNoise):
        def predict(self, noisy, t, conditions):
            if self.passes == 2:
                control.cancel()
            return super().predict(noisy, t, conditions)

    model = Slow(8)
    with pytest.raises(LiftCancelled):
        list(Lift(dataclasses.replace(TINY, views=30), model, control=control, previews=0).run())
    assert model.passes == 3


def test_cancel_wakes_a_paused_lift() -> None:
    control = Control()
    control.pause()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            list(Lift(TINY, ExactViews(8), control=control, previews=0).run())
        except LiftCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    control.cancel()
    thread.join(60)
    assert not thread.is_alive() and len(ended) == 1


class BrokenViews(ExactViews):
    def pictures(self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None]) -> torch.Tensor:
        found = super().pictures(cameras, seed, before_pass)
        found[0, 0, 0, 0] = float("nan")
        return found


class BrokenNoise(ExactNoise):
    def predict(self, noisy, t, conditions):
        found = super().predict(noisy, t, conditions)
        found[0, 0, 0, 0] = float("inf")
        return found


def test_values_that_are_not_numbers_end_a_lift_with_a_sentence() -> None:
    with pytest.raises(GPSDreamError, match="values that are not numbers"):
        list(Lift(TINY, BrokenViews(8), previews=0).run())
    config = dataclasses.replace(TINY, method=Method.SDS)
    with pytest.raises(GPSDreamError, match="values that are not numbers at step 1"):
        list(Lift(config, BrokenNoise(8), previews=0).run())
    lift = Lift(TINY, ExactViews(8), previews=0)
    with pytest.raises(
        GPSDreamError, match=r"broke off at step 4: .*\(picture, total variation, entropy and sparsity\)"
    ):
        for progress in lift.run():
            if progress.step == 3:
                with torch.no_grad():
                    lift.field.raw[0, :, 2:14, 2:14, 2:14] = float("nan")


def test_an_empty_field_ends_a_lift_with_a_sentence() -> None:
    class Nothing(ExactViews):
        def pictures(self, cameras, seed, before_pass):
            return torch.ones(len(cameras), 3, self.side, self.side)

    config = dataclasses.replace(TINY, steps=400, resolutions=(8,), weights=Weights(sparsity=1.0, entropy=0.0))
    with pytest.raises(GPSDreamError, match="field has become empty") as caught:
        list(Lift(config, Nothing(8), previews=0).run())
    assert "sparsity" in caught.value.failure.hint


def test_previews_come_at_most_five_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    looks = []
    for progress in Lift(dataclasses.replace(TINY, steps=50), ExactViews(8), previews=8).run():
        now[0] += 0.03
        if progress.look is not None:
            looks.append(now[0])
            assert progress.look.normal.shape == (8, 8, 3)
    assert len(looks) > 3
    assert min(np.diff(looks)) >= 0.2 - 1e-9


def test_previews_do_not_change_the_result() -> None:
    with_looks, without = (Lift(TINY, ExactViews(8), previews=side) for side in (16, 0))
    for lift in (with_looks, without):
        for _ in lift.run():
            pass
    assert same_fields(with_looks, without)


def test_seeds_differ_and_repeat() -> None:
    def run(seed: int) -> Lift:
        lift = Lift(dataclasses.replace(TINY, seed=seed), ExactViews(8), previews=0)
        for _ in lift.run():
            pass
        return lift

    assert same_fields(run(1), run(1)) and not same_fields(run(1), run(2))


def test_a_folder_with_another_lift_is_left_alone(tmp_path: Path) -> None:
    list(Lift(TINY, ExactViews(8), tmp_path, previews=0).run())
    with pytest.raises(GPSDreamError, match="another lift"):
        Lift(dataclasses.replace(TINY, seed=4), ExactViews(8), tmp_path)
    state = json.loads((tmp_path / "lift.json").read_text())
    (tmp_path / state["state"]).write_bytes(b"\0" * 64)
    with pytest.raises(GPSDreamError, match="cannot be read") as caught:
        Lift(TINY, ExactViews(8), tmp_path)
    assert caught.value.failure.kind is ErrorKind.MODEL_CORRUPT


def test_a_config_is_a_round_trip_and_checks_itself() -> None:
    config = dataclasses.replace(SMALL, method=Method.REFINE, weights=Weights(entropy=0.1), times=Times.UNIFORM)
    assert LiftConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    for bad in ({"steps": 0}, {"field": "cube"}, {"resolutions": [64, 32]}, {"colour": 1}, {"method": "magic"}):
        with pytest.raises(GPSDreamError, match=r"setting"):
            LiftConfig.from_dict(bad)


def test_a_source_of_pictures_cannot_be_distilled() -> None:
    with pytest.raises(GPSDreamError, match="pictures only"):
        Lift(dataclasses.replace(TINY, method=Method.SDS), ExactViews(8))
    with pytest.raises(GPSDreamError, match="Random surroundings"):
        Lift(dataclasses.replace(TINY, surroundings=Surroundings.RANDOM), ExactViews(8))


def test_points_of_pictures_are_read_with_their_gradient() -> None:
    pictures = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    views = torch.tensor([0, 1, 1])
    x = torch.tensor([0.1, -0.23, 0.31], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-0.3, 0.02, 0.17], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: loop.read_pictures(pictures, views, a, b), (x, y))
    centre = loop.read_pictures(pictures, torch.tensor([1]), torch.tensor([0.0]), torch.tensor([-0.4]))
    torch.testing.assert_close(centre[0], pictures[1, :, 0, 2])


def test_the_ring_is_that_of_the_config() -> None:
    assert Lift(SMALL, ExactViews(8), previews=0).cameras == ring(24, (-8.0, 12.0), 3.0, 40.0)
