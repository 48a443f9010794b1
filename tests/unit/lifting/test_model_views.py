"""A trained pipeline as a model of views, with random weights: its numbers, its refusals, and a whole lift to files."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import trimesh

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest
from gpsdream_app.domain.model_card import KnownLandmark, ModelCard
from gpsdream_app.library.lifts import CHECKPOINTS, MESH_FILE, list_unfinished
from gpsdream_app.lifting import run
from gpsdream_app.lifting.cameras import Camera, ring
from gpsdream_app.lifting.control import Control, LiftCancelled
from gpsdream_app.lifting.guidance import NOTHING, Condition, DrawnViews, distil
from gpsdream_app.lifting.loop import LiftConfig, Weights
from gpsdream_app.lifting.model_views import DiffusionViews
from gpsdream_app.lifting.run import Told, lift, load_views
from gpsdream_app.lifting.scale import Scale
from gpsdream_app.models.checkpoint import save_pipeline
from gpsdream_app.models.landmark_pipeline import LandmarkPipeline
from gpsdream_app.training.landmark_config import AngleConfig, LandmarkTrainConfig
from gpsdream_app.training.landmark_run import build_landmark_model
from gpsdream_app.training.tokenizer import train_tokenizer
from tests.tiny_model import TINY, make_tiny_model, tiny_card, tiny_pipeline

ARCH, FLATIRON = LANDMARKS[:2]
BACKGROUND = (0.36, 0.56, 0.82)


def landmark_pipeline() -> LandmarkPipeline:
    config = LandmarkTrainConfig(model=dataclasses.replace(TINY, text_in_time=8), angle=AngleConfig())
    tokenizer = train_tokenizer([FLATIRON.prompt], vocabulary_size=600, max_tokens=16)
    torch.manual_seed(0)
    pipeline = build_landmark_model(config, tokenizer)
    for name in ("unet", "vae", "text_encoder", "location_encoder"):
        getattr(pipeline, name).requires_grad_(False).eval()
    return pipeline


@pytest.fixture(scope="module")
def views() -> DiffusionViews:
    return DiffusionViews(landmark_pipeline(), "tiny", BACKGROUND)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of landmarks that knows the Flatiron Building."""
    card = dataclasses.replace(
        tiny_card("views"), kind="landmarks", landmarks=(KnownLandmark(FLATIRON, (1,) * 36),), coverage=None
    )
    save_pipeline(landmark_pipeline(), tmp_path / "views", card)
    return tmp_path / "views"


def test_signal_and_noise_are_those_of_the_training(views: DiffusionViews) -> None:
    kept = views.pipeline.scheduler.alphas_cumprod
    for t, number in ((0.0, 0), (1.0, len(kept) - 1)):
        alpha, sigma = views.levels(t)
        assert alpha == pytest.approx(float(kept[number]) ** 0.5, abs=1e-6)
        assert alpha**2 + sigma**2 == pytest.approx(1.0)
    between = [views.levels(number / 50)[1] for number in range(51)]
    assert between == sorted(between)


def test_noise_is_what_the_training_means_by_its_prediction(views: DiffusionViews) -> None:
    assert views.pipeline.scheduler.config.prediction_type == "v_prediction"
    noisy = torch.randn(2, *views.latent_shape, generator=torch.Generator().manual_seed(1))
    asked = [Condition(FLATIRON.prompt, Camera(40.0, distance=4.0)), NOTHING]
    noise = views.predict(noisy, 0.5, asked)
    alpha, sigma = views.levels(0.5)
    clean = (noisy - sigma * noise) / alpha
    # v = alpha e - sigma x (Salimans and Ho 2022): what the network itself answered.
    answered = alpha * noise - sigma * clean
    seen: list[torch.Tensor] = []
    hook = views.pipeline.unet.register_forward_hook(lambda *given: seen.append(given[2][0]))
    views.predict(noisy, 0.5, asked)
    hook.remove()
    if views.pipeline.preconditioning is None:
        assert torch.allclose(seen[0], answered, atol=1e-4)
    assert torch.isfinite(answered).all()


def test_angle_distance_and_words_matter_and_a_full_turn_does_not(views: DiffusionViews) -> None:
    noisy = torch.randn(1, *views.latent_shape, generator=torch.Generator().manual_seed(2)).expand(6, -1, -1, -1)
    asked = [
        Condition(FLATIRON.prompt, Camera(30.0)),
        Condition(FLATIRON.prompt, Camera(390.0)),
        Condition(FLATIRON.prompt, Camera(120.0)),
        Condition("", Camera(30.0)),
        Condition(FLATIRON.prompt),
        NOTHING,
    ]
    same, turned, other, wordless, anywhere, nothing = views.predict(noisy, 0.6, asked)
    assert torch.allclose(same, turned, atol=1e-4)
    for different in (other, wordless, anywhere, nothing):
        assert not torch.allclose(same, different, atol=1e-3)


def test_pictures_go_in_and_out(views: DiffusionViews) -> None:
    assert views.side == 32
    for side in (16, 32):
        latents = views.encode(torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(3)))
        assert latents.shape == (2, *views.latent_shape)
        pictures = views.decode(latents)
        assert pictures.shape == (2, 3, 32, 32) and torch.isfinite(pictures).all()


def test_renders_get_a_gradient(views: DiffusionViews) -> None:
    pictures = torch.full((2, 3, 16, 16), 0.5, requires_grad=True)
    noise = torch.randn(2, *views.latent_shape, generator=torch.Generator().manual_seed(4))
    distil(views, pictures, [Condition("", Camera(0.0)), Condition("", Camera(90.0))], 0.5, noise).loss.backward()
    assert pictures.grad is not None and float(pictures.grad.abs().max()) > 0


def test_a_pass_is_ended_in_its_middle(views: DiffusionViews) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise LiftCancelled

    noisy = torch.randn(1, *views.latent_shape)
    with pytest.raises(LiftCancelled), views.interrupted(check):
        views.predict(noisy, 0.5, [NOTHING])
    assert asked == 4
    views.predict(noisy, 0.5, [NOTHING])
    assert asked == 4, "nobody is asked any more"


def test_a_model_of_words_draws_without_angles() -> None:
    views = DiffusionViews(tiny_pipeline(), "words")
    assert not views.knows_cameras
    pictures = DrawnViews(views, "a mansion", steps=1, by_words=True).pictures(ring(3), 0, lambda: None)
    assert pictures.shape == (3, 3, 32, 32)


def test_refusals_are_sentences(tmp_path: Path, folder: Path) -> None:
    places = make_tiny_model(tmp_path / "places")
    with pytest.raises(GPSDreamError) as caught:
        load_views(places, LiftRequest(FLATIRON), "cpu")
    assert caught.value.failure.kind is ErrorKind.BAD_REQUEST and "angles" in caught.value.failure.message
    assert not load_views(places, LiftRequest(FLATIRON, LiftMethod.TEXT), "cpu").knows_cameras
    with pytest.raises(GPSDreamError) as caught:
        load_views(folder, LiftRequest(ARCH), "cpu")
    assert caught.value.failure.kind is ErrorKind.BAD_REQUEST and ARCH.title in caught.value.failure.message


def small(request: LiftRequest, card: ModelCard, real: Any) -> tuple[LiftConfig, Scale]:
    config, scale = real(request, card)
    distilling = request.method in (LiftMethod.SDS, LiftMethod.TEXT)
    return dataclasses.replace(
        config,
        views=6,
        drawing_steps=2,
        steps=6,
        round_steps=2,
        resolutions=(12,),
        samples=24,
        rays=512,
        pixels=16,
        # Random weights show nothing: the hill of the start, or all that is not background, is the landmark.
        weights=Weights(sparsity=0.0, total_variation=0.0, entropy=0.0),
        rate=0.01 if distilling else config.rate,
        carve=None,
    ), scale


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    real = run.config_of
    monkeypatch.setattr(run, "config_of", lambda request, card: small(request, card, real))
    monkeypatch.setattr(run, "surface_points", partial(run.surface_points, views=6, side=32))
    monkeypatch.setattr(run, "LOOK_SIDE", 32)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("method", [LiftMethod.REFINE, LiftMethod.SDS, LiftMethod.TEXT])
def test_a_lift_from_request_to_mesh(folder: Path, tmp_path: Path, method: LiftMethod) -> None:
    told: list[Told] = []
    request = LiftRequest(FLATIRON, method, model=str(folder))
    result = lift(request, folder, tmp_path / "lifts", on_step=told.append, device="cpu")
    shares = [one.share for one in told]
    assert shares == sorted(shares) and told[-1].phase == "mesh"
    mesh = trimesh.load(Path(result.folder) / MESH_FILE, force="mesh")
    assert len(mesh.faces) == result.faces > 0
    assert not (Path(result.folder) / CHECKPOINTS).exists()
    again: list[Told] = []
    assert lift(request, folder, tmp_path / "lifts", on_step=again.append, device="cpu") == result
    assert again == []


@pytest.mark.usefixtures("quick")
def test_a_cancelled_lift_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    request, control = LiftRequest(FLATIRON, model=str(folder)), Control()

    def stop(told: Told) -> None:
        if told.phase == "fit" and told.step == 2:
            control.cancel()

    with pytest.raises(LiftCancelled):
        lift(request, folder, tmp_path / "lifts", control, stop, device="cpu")
    assert len(list_unfinished(tmp_path / "lifts")) == 1
    told: list[Told] = []
    result = lift(request, folder, tmp_path / "lifts", on_step=told.append, device="cpu")
    assert not any(one.phase == "draw" for one in told), "its views were drawn before"
    assert not result.kept_early and list_unfinished(tmp_path / "lifts") == []


@pytest.mark.usefixtures("quick")
def test_a_lift_can_be_cancelled_while_its_model_is_loaded(folder: Path, tmp_path: Path) -> None:
    control = Control()
    with pytest.raises(LiftCancelled):
        lift(
            LiftRequest(FLATIRON, model=str(folder)),
            folder,
            tmp_path / "lifts",
            control,
            device="cpu",
            report=lambda *_: control.cancel(),
        )
