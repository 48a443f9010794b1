from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces, Sampling, SeriesKind, SeriesRequest
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.generation import average
from gpsdream_app.generation.average import MeanOverPlaces, random_subsets
from gpsdream_app.generation.draw import DrawingCancelled, Painter
from gpsdream_app.models.conditions import predict
from gpsdream_app.models.pipeline import GPSDiffusionPipeline, GuidanceTerm, Words, guidance_terms
from tests.tiny_model import TINY, TINY_WITH_MAP, make_tiny_model, tiny_pipeline

SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -73.99), (40.75, -73.99), (40.75, -73.98)),),))
PLACES = tuple(
    Place(float(lat), float(lon), heading)
    for lat, lon, heading in zip(
        np.linspace(40.735, 40.78, 7),
        np.linspace(-73.995, -73.96, 7),
        itertools.cycle((118.0, 298.0, None)),
        strict=False,
    )
)
SETTINGS = {
    "plain": {},
    "rescaled": {"guidance_rescale": 0.7},
    "interval": {"guidance_interval": (0.2, 0.8)},
    "place first": {"guidance_order": "place_first"},
    "radius": {"place_radius": 50.0, "place_radius_with_words": 5.0},
    "noise": {"eta": 0.5},
}


@pytest.fixture(scope="module", params=[TINY, TINY_WITH_MAP], ids=["tokens", "map"])
def pipeline(request: pytest.FixtureRequest) -> GPSDiffusionPipeline:
    made = tiny_pipeline(config=request.param)
    made.set_progress_bar_config(disable=True)
    if request.param.map_channels:
        # All its cells, and random weights: an untrained map is the same everywhere.
        made.location_encoder.keep_cells([torch.arange(400_000), torch.arange(4_000)])
        generator = torch.Generator().manual_seed(1)
        for weights in made.location_encoder.place_map.parameters():
            weights.data = torch.randn(weights.shape, generator=generator) * 0.3
    return made


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    return Painter.load(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"), device="cpu")


def latents(pipeline: GPSDiffusionPipeline, place: object, prompt: str = "a mansion", **options: object) -> np.ndarray:
    """Draw three steps and return the latents as bits."""
    if options.get("eta"):
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    return pipeline(
        prompt,
        place,
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=3,
        output_type="latent",
        **options,
    ).images.numpy()


# -- one place, equal places --


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("prompt", ["a mansion", ""])
def test_one_place_is_single_drawing_bit_for_bit(
    pipeline: GPSDiffusionPipeline, options: dict[str, object], prompt: str
) -> None:
    for place in PLACES[:3]:
        single = latents(pipeline, place, prompt, **options)
        assert np.array_equal(latents(pipeline, MeanOverPlaces([place]), prompt, **options), single)
        assert np.array_equal(latents(pipeline, MeanOverPlaces([place] * 40), prompt, **options), single)
        # Of equal places every subset is the same.
        assert np.array_equal(latents(pipeline, MeanOverPlaces([place] * 40, 3), prompt, **options), single)


def test_other_places_and_other_headings_are_not_equal_places(pipeline: GPSDiffusionPipeline) -> None:
    here = PLACES[0]
    turned = Place(here.lat, here.lon, 10.0)
    single = latents(pipeline, here)
    for other in (turned, PLACES[1]):
        assert np.abs(latents(pipeline, MeanOverPlaces([here, other])) - single).max() > 1e-5


def test_names_do_not_tell_places_apart(pipeline: GPSDiffusionPipeline) -> None:
    here = PLACES[0]
    named = Place(here.lat, here.lon, here.heading, "Home")
    assert np.array_equal(latents(pipeline, MeanOverPlaces([here, named])), latents(pipeline, here))


# -- the full mean --


def double_loop(
    pipeline: GPSDiffusionPipeline, places: tuple[Place, ...], prompt: str, **options: object
) -> np.ndarray:
    """Eq 8 as it is printed (or with the words on top of the place): pass by pass, in float64 sums."""
    w_p, w_g = 2.0, 3.0
    order = options.get("guidance_order", "text_first")
    generator = torch.Generator().manual_seed(3)
    side = pipeline.unet.config.sample_size
    x = torch.randn((1, pipeline.unet.config.out_channels, side, side), generator=generator)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    pipeline.scheduler.set_timesteps(3)
    radius = options.get("place_radius_with_words", 0.0) if prompt else options.get("place_radius", 0.0)
    words, none = pipeline.encode_text([prompt]), pipeline.encode_null_text(1)
    for timestep in pipeline.scheduler.timesteps:

        def e(text: torch.Tensor, place: Place | None, x: torch.Tensor = x, t: torch.Tensor = timestep) -> np.ndarray:
            where = pipeline.encode_places([place], radius=radius)
            return predict(pipeline.unet, x, t, text, where, pipeline.preconditioning).double().numpy()

        nothing = e(none, None)
        if order == "place_first":
            there = np.mean([e(none, place) for place in places], axis=0)
            everything = np.mean([e(words, place) for place in places], axis=0)
            guided = nothing + w_g * (there - nothing) + w_p * (everything - there)
        else:
            text = e(words, None)
            guided = nothing + w_p * (text - nothing)
            guided = guided + w_g * (np.mean([e(words, place) - text for place in places], axis=0))
        x = pipeline.scheduler.step(torch.tensor(guided).float(), timestep, x, return_dict=False)[0]
    return x.numpy()


@pytest.mark.parametrize("order", ["text_first", "place_first"])
@pytest.mark.parametrize("rows", [None, 2, 5])
def test_the_full_mean_is_the_double_loop(pipeline: GPSDiffusionPipeline, order: str, rows: int | None) -> None:
    options = {"guidance_order": order, "place_radius_with_words": 20.0}
    with torch.no_grad():
        expected = double_loop(pipeline, (*PLACES, PLACES[2]), "a mansion", **options)
    mean = MeanOverPlaces((*PLACES, PLACES[2]), rows=rows)
    drawn = latents(pipeline, mean, text_guidance=2.0, place_guidance=3.0, **options)
    assert np.abs(drawn - expected).max() < 1e-4 * np.abs(expected).max()
    # Told apart from what is near it: without the repeated place it is another picture.
    other = latents(pipeline, MeanOverPlaces(PLACES), text_guidance=2.0, place_guidance=3.0, **options)
    assert np.abs(other - expected).max() > 10 * np.abs(drawn - expected).max()


def test_the_order_of_the_places_does_not_matter(pipeline: GPSDiffusionPipeline) -> None:
    one, other = (latents(pipeline, MeanOverPlaces(places)) for places in (PLACES, PLACES[::-1]))
    assert np.allclose(one, other, atol=1e-4 * np.abs(one).max())


def test_passes_do_not_grow_with_the_places(pipeline: GPSDiffusionPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    # The memory of a pass is that of its rows.
    sizes: list[int] = []

    def counted(unet: object, noisy: torch.Tensor, *more: object) -> torch.Tensor:
        sizes.append(len(noisy))
        return torch.zeros_like(noisy)

    monkeypatch.setattr(average, "predict", counted)
    many = [Place(40.74 + 0.0001 * number, -73.98) for number in range(150)]
    latents(pipeline, MeanOverPlaces(many))
    assert sum(sizes) == 3 * (150 + 2)
    assert max(sizes) <= average.ROWS


def test_many_prompts_do_not_go_with_one_average(pipeline: GPSDiffusionPipeline) -> None:
    with pytest.raises(ValueError, match="2 prompts"):
        pipeline(["a", "b"], MeanOverPlaces(PLACES), num_inference_steps=1)
    for wrong in (lambda: MeanOverPlaces([]), lambda: MeanOverPlaces(PLACES, 0)):
        with pytest.raises(ValueError, match="needs a place"):
            wrong()


# -- the subset --


def predictions(pipeline: GPSDiffusionPipeline, mean: MeanOverPlaces, calls: int, order: str) -> np.ndarray:
    """Guided predictions of the same noise, (calls, ...)."""
    side = pipeline.unet.config.sample_size
    noisy = torch.randn((1, pipeline.unet.config.out_channels, side, side), generator=torch.Generator().manual_seed(5))
    terms: list[GuidanceTerm] = guidance_terms(2.0, 3.0, has_text=True, has_place=True, order=order)
    with torch.no_grad():
        words = Words(pipeline.encode_text(["a mansion"]), pipeline.encode_null_text(1))
        predict_terms = mean.predictor(pipeline, words, 0.0)
        return np.stack(
            [
                sum(
                    term.weight * one
                    for term, one in zip(terms, predict_terms(noisy, torch.tensor(500), terms), strict=True)
                ).numpy()
                for _ in range(calls)
            ]
        )


@pytest.mark.parametrize("order", ["text_first", "place_first"])
def test_the_mean_over_subsets_approaches_the_full_one(pipeline: GPSDiffusionPipeline, order: str) -> None:
    # Seven places and two of them equal, so that the weights count.
    places = (*PLACES, PLACES[2])
    full = predictions(pipeline, MeanOverPlaces(places), 1, order)[0]
    # One step of each seed: neighbouring steps are dealt different places, which would make it easy.
    drawn = np.concatenate(
        [predictions(pipeline, MeanOverPlaces(places, 3, seed=seed), 1, order) for seed in range(60)]
    )
    errors = [np.sqrt(np.mean((drawn[:count].mean(axis=0) - full) ** 2)) for count in (1, 6, 60)]
    single = np.sqrt(np.mean((drawn - full) ** 2))
    assert single > 0
    # As 1 / sqrt(seeds): 0.41 and 0.13 times the error of one.
    assert errors[1] < 0.75 * single
    assert errors[2] < 0.25 * single
    # With every place equally often, the mean is exact after one deal of all.
    dealt = predictions(pipeline, MeanOverPlaces(places, 2, seed=1), 4, order).mean(axis=0)
    assert np.allclose(dealt, full, atol=1e-5 * np.abs(full).max())


def test_subsets_are_drawn_afresh_and_again_by_the_same_seed(pipeline: GPSDiffusionPipeline) -> None:
    one, again, other = (latents(pipeline, MeanOverPlaces(PLACES, 2, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    whole = latents(pipeline, MeanOverPlaces(PLACES))
    assert not np.array_equal(one, whole)
    assert np.array_equal(latents(pipeline, MeanOverPlaces(PLACES, len(PLACES))), whole)
    assert np.array_equal(latents(pipeline, MeanOverPlaces(PLACES, 4096)), whole)


@pytest.mark.parametrize(("count", "size"), [(7, 2), (7, 3), (8, 8), (5, 1), (9, 7)])
def test_every_number_is_as_likely_in_every_subset(count: int, size: int) -> None:
    seeds, steps = 600, 6
    seen = np.zeros((steps, count))
    for seed in range(seeds):
        for step, subset in enumerate(itertools.islice(random_subsets(count, size, seed), steps)):
            assert len(set(subset.tolist())) == size
            seen[step, subset] += 1
    share = size / count
    assert np.abs(seen / seeds - share).max() < 4.5 * np.sqrt(share * (1 - share) / seeds) + 1e-12


def test_no_number_comes_again_before_all_have_come() -> None:
    dealt = np.concatenate(list(itertools.islice(random_subsets(7, 3, 5), 28)))
    for start in range(0, len(dealt) - 6, 7):
        assert sorted(dealt[start : start + 7].tolist()) == list(range(7))


# -- the painter --


def region(places: tuple[Place, ...], name: str = "Square") -> RegionPlaces:
    return RegionPlaces(Region(name, SQUARE.kind, SQUARE.polygons), places, Sampling.GIVEN)


AVERAGE = AverageRequest((region(PLACES), region(PLACES[:1], "Corner")), "a mansion", seed=7, noises=2, steps=4)


def test_every_average_can_be_drawn_alone(painter: Painter) -> None:
    drawn = dict(painter.average(AVERAGE))
    assert list(drawn) == [0, 1, 2, 3]
    for number, picture in drawn.items():
        [(_, alone)] = painter.average(AVERAGE.picture(number))
        assert np.array_equal(np.asarray(picture), np.asarray(alone))
    assert len({picture.tobytes() for picture in drawn.values()}) == 4


def test_an_average_over_one_place_is_the_picture_of_the_place(painter: Painter) -> None:
    drawn = dict(painter.average(AVERAGE))
    request = AVERAGE.single(PLACES[0])
    [(_, single)] = painter.draw(request)
    assert np.array_equal(np.asarray(drawn[2]), np.asarray(single))
    [(_, next_seed)] = painter.draw(AVERAGE.picture(3).single(PLACES[0]))
    assert np.array_equal(np.asarray(drawn[3]), np.asarray(next_seed))


def test_a_card_may_have_other_settings_for_averages_but_not_for_one_place(painter: Painter) -> None:
    others = {**painter.card.defaults, "average": {"guidance_rescale": 0.8, "steps": 9}}
    rescaling = Painter(painter.pipeline, replace(painter.card, defaults=others))
    assert rescaling.card.average_defaults["steps"] == 9
    assert painter.card.average_defaults == painter.card.defaults
    plain, rescaled = (dict(one.average(AVERAGE)) for one in (painter, rescaling))
    assert plain[0].tobytes() != rescaled[0].tobytes()
    assert plain[2].tobytes() == rescaled[2].tobytes()


def test_steps_of_averages_are_counted_over_all_pictures(painter: Painter) -> None:
    steps = []
    list(painter.average(AVERAGE, on_step=lambda *step: steps.append(step)))
    assert [step[:3] for step in steps] == [(index + 1, 16, index // 4) for index in range(16)]
    assert all(step[3].size == (32, 32) for step in steps)


def test_cancel_is_felt_inside_a_step_of_an_average(painter: Painter) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    many = tuple(Place(40.74 + 0.0001 * number, -73.98) for number in range(100))
    steps = []
    with pytest.raises(DrawingCancelled):
        list(
            painter.average(
                AverageRequest((region(many),), steps=2),
                on_step=lambda *step: steps.append(step),
                cancelled=cancelled,
            )
        )
    assert not steps


def test_cancel_keeps_the_averages_that_are_finished(painter: Painter) -> None:
    steps, finished = [], []
    with pytest.raises(DrawingCancelled):
        for number, _ in painter.average(
            AVERAGE, on_step=lambda *step: steps.append(step), cancelled=lambda: len(steps) >= 9
        ):
            finished.append(number)
    assert finished == [0, 1]


def test_a_series_is_single_pictures_from_one_noise(painter: Painter) -> None:
    request = SeriesRequest(PLACES, SeriesKind.WALK, prompt="a mansion", seed=7, steps=2)
    asked = []

    def skip(number: int) -> bool:
        asked.append(number)
        return number in (0, 3)

    steps = []
    drawn = dict(painter.series(request, skip=skip, on_step=lambda *step: steps.append(step[:3])))
    assert asked == list(range(7))
    assert list(drawn) == [1, 2, 4, 5, 6]
    for number, picture in drawn.items():
        [(_, alone)] = painter.draw(request.picture(number))
        assert np.array_equal(np.asarray(picture), np.asarray(alone))
    assert steps[0] == (3, 14, 1)
    assert steps[-1] == (14, 14, 6)


def test_a_series_stops_between_pictures_that_are_there(painter: Painter) -> None:
    request = SeriesRequest(PLACES, steps=2)
    asked = []
    with pytest.raises(DrawingCancelled):
        list(
            painter.series(request, skip=lambda number: asked.append(number) is None, cancelled=lambda: len(asked) >= 3)
        )
    assert asked == [0, 1, 2]


def test_a_picture_does_not_depend_on_what_was_drawn_before(painter: Painter, tmp_path: Path) -> None:
    [(_, before)] = painter.average(AVERAGE.picture(0))
    list(painter.draw(AVERAGE.single(PLACES[3])))
    [(_, after)] = painter.average(AVERAGE.picture(0))
    assert np.array_equal(np.asarray(before), np.asarray(after))
