from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from gpsdream_app.evaluation.distribution import fidelity, frechet_distance, frechet_interval


def normal(seed: int, count: int, width: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def exactly(mean: np.ndarray, covariance: np.ndarray, seed: int) -> np.ndarray:
    """Features whose mean and covariance are these and not only nearly these."""
    raw = normal(seed, 50, len(mean))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


@pytest.mark.parametrize("k", [1, 3, 5])
def test_fidelity_by_its_definition(k: int) -> None:
    real, drawn = normal(0, 25), normal(1, 18, shift=0.7)

    def radius(points: np.ndarray, index: int) -> float:
        return sorted(float(np.linalg.norm(points[index] - other)) for other in points)[k]

    def inside(points: np.ndarray, index: int, point: np.ndarray) -> bool:
        return float(np.linalg.norm(points[index] - point)) <= radius(points, index)

    found = fidelity(real, drawn, neighbours=k)
    hits = np.array([[inside(real, i, y) for y in drawn] for i in range(len(real))])
    assert found.precision.tolist() == [float(column.any()) for column in hits.T]
    assert found.density.tolist() == pytest.approx([column.sum() / k for column in hits.T])
    assert found.coverage.tolist() == [float(row.any()) for row in hits]
    assert found.recall.tolist() == [float(any(inside(drawn, j, x) for j in range(len(drawn)))) for x in real]


def test_the_same_pictures_are_faithful_and_far_ones_are_not() -> None:
    real = normal(0, 40)
    same, far = fidelity(real, real), fidelity(real, real + 100)
    assert same.precision.mean() == same.recall.mean() == same.coverage.mean() == 1
    assert far.precision.sum() == far.recall.sum() == far.density.sum() == far.coverage.sum() == 0


def test_one_good_picture_again_and_again_is_precise_but_covers_nothing() -> None:
    real = normal(0, 60)
    drawn = real[7] + 1e-6 * normal(1, 60)
    found = fidelity(real, drawn)
    assert found.precision.mean() == 1
    assert found.recall.mean() < 0.1
    assert found.coverage.mean() < 0.5


def test_one_far_photograph_does_not_make_everything_precise() -> None:
    # Precision falls for an outlier's large neighbourhood; density hardly counts it (Naeem et al., section 3.1).
    real = np.concatenate([normal(0, 60, 2), [[60.0, 0.0]]])
    drawn = normal(1, 60, 2) + np.array([30.0, 0.0])
    found = fidelity(real, drawn)
    assert found.precision.mean() > 0.9
    assert found.density.mean() < 0.4


def test_intervals_of_fidelity() -> None:
    intervals = fidelity(normal(0, 40), normal(1, 30)).intervals(real_groups=np.arange(40) // 4, resamples=200)
    assert list(intervals) == ["precision", "recall", "density", "coverage"]
    for one in intervals.values():
        assert one.low <= one.value <= one.high
    assert intervals["precision"].count == 30
    assert intervals["coverage"].count == 40


def test_frechet_distance_in_closed_form() -> None:
    mean, other = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 5.0])
    first = exactly(mean, np.diag([1.0, 4.0, 9.0]), 0)
    second = exactly(other, np.diag([4.0, 4.0, 1.0]), 1)
    # Of commuting covariances: the squared differences of means and of standard deviations.
    assert frechet_distance(first, second) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, first + 2) == pytest.approx(12)


def test_frechet_distance_as_printed() -> None:
    first, second = normal(0, 90, 6), normal(1, 70, 6) @ normal(2, 6, 6)
    one, other = np.cov(first.T), np.cov(second.T)
    root = scipy.linalg.sqrtm(one @ other).real
    means = first.mean(axis=0) - second.mean(axis=0)
    expected = means @ means + np.trace(one + other - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


@pytest.mark.parametrize("count", [2, 5, 63, 64, 65])
def test_frechet_distance_with_fewer_pictures_than_features(count: int) -> None:
    first, second = normal(0, count, 64), normal(1, 10, 64)
    # The same features turned so that the second set lies in few axes: nothing may change.
    turn, _ = np.linalg.qr(normal(2, 64, 64))
    distance = frechet_distance(first, second)
    assert np.isfinite(distance)
    assert distance > 0
    assert frechet_distance(first @ turn, second @ turn) == pytest.approx(distance)
    assert frechet_distance(first, first @ np.eye(64)) == pytest.approx(0, abs=1e-9)


def test_frechet_interval() -> None:
    first, second = normal(0, 60, 3), normal(1, 60, 3, shift=1.0)
    interval = frechet_interval(first, second, resamples=60)
    assert interval.value == frechet_distance(first, second)
    assert 0 <= interval.low < interval.value < interval.high
    assert interval == frechet_interval(first, second, resamples=60)
    copies = frechet_interval(np.repeat(first, 2, 0), second, real_groups=np.arange(120) // 2, resamples=60)
    assert copies.high - copies.low == pytest.approx(interval.high - interval.low, rel=0.5)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        fidelity(normal(0, 3), normal(0, 9))
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(normal(0, 1), normal(0, 9))
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(normal(0, 9), np.full((9, 4), np.nan))
    with pytest.raises(ValueError, match="neighbour"):
        fidelity(normal(0, 9), normal(0, 9), neighbours=0)
