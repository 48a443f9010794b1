from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpsdream_app.evaluation.statistics import (
    bootstrap,
    bootstrap_distribution,
    median,
    paired_difference,
    resample_weights,
    weighted_mean,
    weighted_quantile,
)

NUMBERS = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


@given(st.data(), NUMBERS, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_weights_count_as_repetitions(data: st.DataObject, values: list[float], share: float) -> None:
    counts = data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)).filter(any))
    repeated = np.repeat(values, counts)
    weights = np.array([counts], dtype=float)
    array = np.array(values)
    assert weighted_mean(array, weights)[0] == pytest.approx(repeated.mean(), abs=1e-9)
    assert median(array, weights)[0] == pytest.approx(np.median(repeated), abs=1e-9)
    assert weighted_quantile(share)(array, weights)[0] == pytest.approx(np.quantile(repeated, share), abs=1e-9)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = bootstrap(values, resamples=4000)
    expected = 1.96 * values.std() / np.sqrt(400)
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.value == pytest.approx(expected, rel=0.1)
    assert interval.value - interval.low == pytest.approx(expected, rel=0.1)
    assert interval.count == 400


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    intervals = [bootstrap(random.exponential(1.0, 60), resamples=400, seed=trial) for trial in range(300)]
    share = np.mean([one.low <= 1.0 <= one.high for one in intervals])
    assert 0.88 <= share <= 0.98


def test_samples_of_one_group_are_drawn_together() -> None:
    groups = np.array(["a", "b", "b", "c", "a", "c"])
    for weights in resample_weights(6, groups=groups, resamples=50):
        assert np.array_equal(weights[:, 0], weights[:, 4])
        assert np.array_equal(weights[:, 1], weights[:, 2])
        assert np.array_equal(weights[:, [0, 1, 3]].sum(axis=1), np.full(50, 3.0))


def test_copies_of_a_sample_tell_nothing_new() -> None:
    values = np.random.default_rng(2).normal(size=40)
    alone = bootstrap(values, seed=3)
    copies = bootstrap(np.repeat(values, 5), groups=np.repeat(np.arange(40), 5), seed=3)
    naive = bootstrap(np.repeat(values, 5), seed=3)
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    assert naive.high - naive.low < 0.6 * (alone.high - alone.low)


def test_a_seed_decides_the_interval() -> None:
    values = np.arange(30.0)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)


def test_blocks_of_resamples_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=25)
    whole = bootstrap_distribution(values, resamples=40)
    monkeypatch.setattr("gpsdream_app.evaluation.statistics.MOST_WEIGHTS", 70)
    assert np.allclose(bootstrap_distribution(values, resamples=40), whole)


def test_a_curve_is_resampled_as_a_whole() -> None:
    curve = np.random.default_rng(0).random((20, 3))
    spread = bootstrap_distribution(curve, resamples=10)
    assert spread.shape == (10, 3)
    assert np.allclose(spread[:, 1], bootstrap_distribution(curve[:, 1], resamples=10))


def test_a_median_may_be_infinite() -> None:
    interval = bootstrap([1.0, 2.0, 3.0, np.inf, np.inf], median)
    assert interval.value == 3.0
    assert interval.high == np.inf


def test_pairs_are_compared_on_the_same_resamples() -> None:
    random = np.random.default_rng(0)
    hard = random.normal(0, 10, 50)
    difference = paired_difference(hard + 1 + random.normal(0, 0.1, 50), hard)
    assert difference.value == pytest.approx(1, abs=0.1)
    assert 0.9 < difference.low < difference.high < 1.1
    assert paired_difference(hard + 2, hard, median).low == pytest.approx(2)


@pytest.mark.parametrize("values", [[], 3.0, [1.0, float("nan")]])
def test_what_cannot_be_measured_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"sample"):
        bootstrap(values)  # type: ignore[arg-type]


def test_lists_of_different_length_do_not_pair() -> None:
    with pytest.raises(ValueError, match="pair"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="group"):
        bootstrap([1.0, 2.0], groups=["a"])
    with pytest.raises(ValueError, match="quantile"):
        weighted_quantile(2)
