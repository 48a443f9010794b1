"""Bootstrap intervals: how far a measured figure would move with other pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# Takes values (n,) or (n, ...) and how often each is counted, (resamples, n); returns (resamples,) or (resamples, ...).
Statistic = Callable[[Floats, Floats], Floats]

RESAMPLES = 2_000
MOST_WEIGHTS = 4_000_000  # held in memory at once: 32 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the interval around it.

    Attributes:
        value: the figure, measured on all samples.
        low, high: ends of the interval.
        count: how many samples it was measured on.
        level: share of resamples inside the interval.
    """

    value: float
    low: float
    high: float
    count: int
    level: float = 0.95


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Mean of values (n, ...) under weights (resamples, n)."""
    total = weights.sum(axis=1).reshape(-1, *(1,) * (values.ndim - 1))
    result: Floats = np.tensordot(weights, values, axes=1) / total
    return result


def weighted_quantile(share: float) -> Statistic:
    """The quantile in which each value is there as often as its (whole) weight says.

    Interpolates as numpy.quantile does; infinite values are allowed.

    Args:
        share: 0 for the smallest value, 0.5 for the median, 1 for the largest.
    """
    if not 0 <= share <= 1:
        raise ValueError("the share of a quantile lies between 0 and 1")

    def statistic(values: Floats, weights: Floats) -> Floats:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        until = np.cumsum(weights[:, order], axis=1)
        position = (until[:, -1] - 1) * share
        below = np.floor(position)
        low, high = (ordered[(until <= index[:, None]).sum(axis=1)] for index in (below, np.ceil(position)))
        with np.errstate(invalid="ignore"):
            between = low + (high - low) * (position - below)
        # Between two infinite values there is no difference to interpolate.
        result: Floats = np.where(low == high, low, between)
        return result

    return statistic


median: Statistic = weighted_quantile(0.5)


def _checked(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or not len(array):
        raise ValueError("there are no samples to measure")
    if np.isnan(array).any():
        raise ValueError("a sample is not a number")
    return array


def resample_weights(
    count: int, *, groups: ArrayLike | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[Floats]:
    """How often each sample is drawn in each resample, in blocks of resamples.

    Samples of one group are drawn together: crops of one photograph tell less than as many photographs.

    Args:
        count: of samples.
        groups: (count,), equal for samples of one group; None if each stands for itself.
        resamples: in all.
        seed: decides every draw.

    Yields:
        (resamples of this block, count); whole numbers.
    """
    member = np.arange(count)
    if groups is not None:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        if member.shape != (count,):
            raise ValueError("there must be one group for each sample")
    distinct = int(member.max()) + 1
    random = np.random.default_rng(seed)
    done = 0
    while done < resamples:
        block = min(resamples - done, max(1, MOST_WEIGHTS // count))
        drawn = random.multinomial(distinct, np.full(distinct, 1 / distinct), size=block)
        yield drawn[:, member].astype(np.float64)
        done += block


def bootstrap_distribution(
    values: ArrayLike,
    statistic: Statistic = weighted_mean,
    *,
    groups: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """A statistic on resamples of the samples.

    Args:
        values: (n, ...).
        statistic: of values and weights.
        groups: see `resample_weights`.
        resamples: how many.
        seed: decides every draw.

    Returns:
        (resamples, ...).
    """
    array = _checked(values)
    blocks = resample_weights(len(array), groups=groups, resamples=resamples, seed=seed)
    return np.concatenate([statistic(array, weights) for weights in blocks])


def _interval(value: float, distribution: Floats, count: int, level: float) -> Interval:
    # Ends that are drawn values, so that infinite ones need no interpolation.
    low = np.quantile(distribution, (1 - level) / 2, method="lower")
    high = np.quantile(distribution, (1 + level) / 2, method="higher")
    return Interval(value, float(low), float(high), count, level)


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = weighted_mean,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A statistic with its percentile interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: (n,); not NaN.
        statistic: of values and weights.
        groups: (n,), equal for samples that belong together, such as crops of one photograph.
        level: of the interval.
        resamples: how many.
        seed: decides every draw.

    Raises:
        ValueError: if there are no samples, or one is not a number.
    """
    array = _checked(values)
    distribution = bootstrap_distribution(array, statistic, groups=groups, resamples=resamples, seed=seed)
    value = float(statistic(array, np.ones((1, len(array))))[0])
    return _interval(value, distribution, len(array), level)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Statistic = weighted_mean,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """How much larger a statistic is on one of two measurements of the same samples, with its percentile interval.

    Both are taken on the same resamples, so what is hard for both does not widen the interval.

    Args:
        first, second: (n,), sample by sample.
        statistic: of values and weights.
        groups: (n,), equal for samples that belong together.
        level: of the interval.
        resamples: how many.
        seed: decides every draw.
    """
    one, other = _checked(first), _checked(second)
    if one.shape != other.shape:
        raise ValueError(f"{len(one)} samples do not pair with {len(other)}")

    def difference(both: Floats, weights: Floats) -> Floats:
        result: Floats = statistic(both[:, 0], weights) - statistic(both[:, 1], weights)
        return result

    both = np.stack([one, other], axis=1)
    distribution = bootstrap_distribution(both, difference, groups=groups, resamples=resamples, seed=seed)
    return _interval(float(difference(both, np.ones((1, len(both))))[0]), distribution, len(both), level)
