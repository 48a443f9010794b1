from __future__ import annotations

import pytest
import torch
from diffusers.training_utils import compute_snr
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.training.build import scheduler_for
from gpsdream_app.training.config import LoopConfig, LossConfig, TrainConfig
from gpsdream_app.training.learner import Learner, drop_conditions, loss_weights
from gpsdream_app.training.loop import learning_rate
from gpsdream_app.training.state import WeightAverage
from gpsdream_app.training.tokenizer import END, START, train_tokenizer
from tests.tiny_model import tiny_pipeline


def test_conditions_are_dropped_as_often_as_the_paper_says() -> None:
    keep = drop_conditions(LossConfig(drop_heading=0.2), 40_000, torch.Generator().manual_seed(0))

    def share(mask: torch.Tensor) -> float:
        return mask.float().mean().item()

    assert share(keep.text & ~keep.place) == pytest.approx(0.05, abs=0.005)
    assert share(~keep.text & keep.place) == pytest.approx(0.05, abs=0.005)
    assert share(~keep.text & ~keep.place) == pytest.approx(0.05, abs=0.005)
    assert not torch.any(keep.heading & ~keep.place)
    assert share(keep.heading[keep.place]) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_weights(prediction: str) -> None:
    scheduler = scheduler_for(LossConfig(prediction=prediction, zero_terminal_snr=prediction == "v_prediction"))
    timesteps = torch.tensor([0, 100, 500, 900, 999])
    snr = compute_snr(scheduler, timesteps)
    weights = loss_weights(scheduler, timesteps, 5.0)
    # In terms of the error of the clean picture, both forms are min(snr, gamma).
    as_clean = weights * (snr if prediction == "epsilon" else snr + 1)
    assert torch.allclose(as_clean, snr.clamp(max=5.0), rtol=1e-4)
    assert torch.equal(loss_weights(scheduler, timesteps, None), torch.ones(5))


def test_zero_terminal_snr_is_pure_noise() -> None:
    assert scheduler_for(LossConfig()).alphas_cumprod[-1] == pytest.approx(0, abs=1e-6)


def batch(count: int = 4) -> dict:
    generator = torch.Generator().manual_seed(0)
    return {
        "latents": torch.randn(count, 4, 4, 4, generator=generator),
        "lat": torch.full((count,), 40.75, dtype=torch.float64),
        "lon": torch.full((count,), -73.98, dtype=torch.float64),
        "heading": torch.tensor([118.0, float("nan")] * (count // 2), dtype=torch.float64),
        "prompts": ["a mansion", ""] * (count // 2),
    }


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_loss_reaches_every_trainable_weight(prediction: str) -> None:
    loss = LossConfig(prediction=prediction, zero_terminal_snr=False, only_text=0, only_place=0, neither=0)
    learner = Learner(tiny_pipeline(loss), loss, train_text=True)
    for seed in range(4):
        learner(**batch(8), seed=seed).backward()
    unused = [
        name
        for name, parameter in learner.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    # The key's bias shifts all logits of a softmax alike, so its gradient is zero but for rounding.
    assert [name for name in unused if not name.endswith("k_proj.bias")] == []


def test_the_loss_is_a_function_of_its_seed() -> None:
    learner = Learner(tiny_pipeline(), LossConfig(), train_text=True).eval()
    with torch.no_grad():
        assert learner(**batch(), seed=1) == learner(**batch(), seed=1)
        assert learner(**batch(), seed=1) != learner(**batch(), seed=2)


def test_dropped_conditions_do_not_reach_the_network() -> None:
    nothing = LossConfig(only_text=0.0, only_place=0.0, neither=1.0)
    learner = Learner(tiny_pipeline(), nothing, train_text=True).eval()
    other = {**batch(), "prompts": ["something else"] * 4, "lat": batch()["lat"] + 0.01}
    with torch.no_grad():
        assert learner(**batch(), seed=1) == learner(**other, seed=1)


def test_learning_rate_rises_holds_and_falls() -> None:
    config = LoopConfig(steps=100, learning_rate=1.0, warm_up=10, cool_down=20)
    rates = [learning_rate(config, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:81] == [1.0] * 72
    assert all(rates[i] > rates[i + 1] for i in range(80, 100))
    assert rates[100] == pytest.approx(0)


def test_the_average_follows_and_swaps() -> None:
    model = torch.nn.Linear(2, 2)
    average = WeightAverage(model, 0.5)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    average.update(model, 100)
    assert torch.allclose(average.shadow["weight"], start + 0.5)
    average.swap(model)
    assert torch.allclose(model.weight, start + 0.5)
    assert torch.allclose(average.shadow["weight"], start + 1.0)
    average.swap(model)
    assert torch.allclose(model.weight, start + 1.0)


@given(st.text(max_size=200))
def test_the_tokenizer_takes_any_text(text: str) -> None:
    tokenizer = TOKENIZER
    ids = tokenizer(text, truncation=True, max_length=16, padding="max_length").input_ids
    assert len(ids) == 16
    assert ids[0] == tokenizer.convert_tokens_to_ids(START)
    assert max(ids) == tokenizer.convert_tokens_to_ids(END)


TOKENIZER = train_tokenizer(["A brownstone row house", "a mansion"], vocabulary_size=600, max_tokens=16)


def test_the_tokenizer_learns_the_same_every_time() -> None:
    texts = ["a house number 1", "a house number 2", "tree", "lamp", "brownstone row houses"]
    first, second = (train_tokenizer(texts, vocabulary_size=600, max_tokens=16) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()


def test_the_tokenizer_keeps_known_words_whole() -> None:
    assert TOKENIZER.tokenize("A MANSION, row") == ["a</w>", "mansion</w>", ",</w>", "row</w>"]


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"loop": {"step": 3}}, "has no setting “step”"),
        ({"loops": {}}, "has no setting “loops”"),
        ({"loop": {"steps": "many"}}, "recipe.loop.steps"),
        ({"loop": {"steps": True}}, "recipe.loop.steps"),
        ({"data": []}, "must be an object"),
        ({"model": {"unet_channels": 3}}, "must be a list"),
        ({"model": {"text_in_time": 193}}, "text_in_time"),
    ],
)
def test_a_wrong_recipe_names_the_setting(recipe: dict, words: str) -> None:
    with pytest.raises(Exception, match=words):
        TrainConfig.from_dict(recipe)


def test_recipes_round_trip() -> None:
    for config in (TrainConfig(), TrainConfig.for_base()):
        assert TrainConfig.from_dict(config.to_dict()) == config
