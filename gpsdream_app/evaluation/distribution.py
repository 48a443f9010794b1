"""How near a set of drawn pictures is to a set of photographs, measured on their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from gpsdream_app.evaluation.statistics import Floats, Interval, bootstrap, resample_weights

NEIGHBOURS = 3


def _features(values: ArrayLike, name: str, at_least: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) < at_least:
        raise ValueError(f"{name} must be (pictures, features) with at least {at_least} pictures, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} hold numbers that are not finite")
    return array


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Precision, recall, density and coverage, picture by picture; each figure is the mean of its row.

    Attributes:
        precision: (drawn,), 1 where a drawn picture lies in the neighbourhood of any photograph.
        recall: (photographs,), 1 where a photograph lies in the neighbourhood of any drawn picture.
        density: (drawn,), in how many neighbourhoods of photographs it lies, divided by k; may exceed 1.
        coverage: (photographs,), 1 where a drawn picture lies in the photograph's neighbourhood.
    """

    precision: Floats
    recall: Floats
    density: Floats
    coverage: Floats

    def intervals(
        self,
        *,
        real_groups: ArrayLike | None = None,
        drawn_groups: ArrayLike | None = None,
        resamples: int = 2_000,
        seed: int = 0,
    ) -> dict[str, Interval]:
        """Each figure with its bootstrap interval; the neighbourhoods stay as they are.

        Args:
            real_groups: (photographs,), equal for crops of one photograph.
            drawn_groups: (drawn,), equal for pictures that belong together, such as those of one place.
            resamples: how many.
            seed: decides every draw.
        """
        groups = {"precision": drawn_groups, "recall": real_groups, "density": drawn_groups, "coverage": real_groups}
        return {
            name: bootstrap(getattr(self, name), groups=group, resamples=resamples, seed=seed)
            for name, group in groups.items()
        }


def _radii(features: Floats, neighbours: int) -> Floats:
    """Distance from each point to its k-th nearest other point, (n,)."""
    distances = cdist(features, features)
    np.fill_diagonal(distances, np.inf)
    return cast(Floats, np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])


def fidelity(real: ArrayLike, drawn: ArrayLike, *, neighbours: int = NEIGHBOURS) -> Fidelity:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    A point's neighbourhood is the closed ball that reaches its k-th nearest point of the same set.

    Args:
        real: (photographs, features).
        drawn: (pictures, features).
        neighbours: k.

    Raises:
        ValueError: if a set has no more than k pictures.
    """
    if neighbours < 1:
        raise ValueError("a neighbourhood needs at least one neighbour")
    photographs = _features(real, "features of photographs", neighbours + 1)
    pictures = _features(drawn, "features of drawn pictures", neighbours + 1)
    distances = cdist(photographs, pictures)
    in_real: NDArray[np.bool_] = distances <= _radii(photographs, neighbours)[:, None]
    in_drawn: NDArray[np.bool_] = distances <= _radii(pictures, neighbours)[None, :]
    return Fidelity(
        precision=np.any(in_real, axis=0).astype(np.float64),
        recall=np.any(in_drawn, axis=1).astype(np.float64),
        density=in_real.sum(axis=0) / neighbours,
        coverage=np.any(in_real, axis=1).astype(np.float64),
    )


def _frechet(real: Floats, real_weights: Floats, drawn: Floats, drawn_weights: Floats) -> float:
    """The distance between samples that count as often as their (whole) weights say."""
    means: list[Floats] = []
    roots: list[Floats] = []
    spread = 0.0
    for features, weights in ((real, real_weights), (drawn, drawn_weights)):
        mean = weights @ features / weights.sum()
        centred = (features - mean) * np.sqrt(weights / (weights.sum() - 1))[:, None]
        means.append(mean)
        spread += float((centred**2).sum())
        # A root of the covariance C = R'R with no more rows than needed.
        roots.append(np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred)
    shared = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum() + spread - 2 * shared))


def frechet_distance(real: ArrayLike, drawn: ArrayLike) -> float:
    """Fréchet distance between the normal distributions that fit two sets of features (Heusel et al. 2017, eq. 6).

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`. With C1 = A'A and C2 = B'B, C1 C2 has the same eigenvalues as
    (AB')(AB')' apart from zeros, so the last trace is the sum of the singular values of AB': no square root of a
    matrix, which is unsound where there are fewer pictures than features.

    The fewer pictures, the larger the distance: compare only sets of equal sizes.

    Args:
        real: (photographs, features), at least 2.
        drawn: (pictures, features), at least 2.

    Returns:
        The squared distance, at least 0, in squared units of the features.
    """
    first = _features(real, "features of photographs", 2)
    second = _features(drawn, "features of drawn pictures", 2)
    return _frechet(first, np.ones(len(first)), second, np.ones(len(second)))


def frechet_interval(
    real: ArrayLike,
    drawn: ArrayLike,
    *,
    real_groups: ArrayLike | None = None,
    drawn_groups: ArrayLike | None = None,
    resamples: int = 100,
    seed: int = 0,
) -> Interval:
    """The Fréchet distance with a 95 % interval of 1.96 bootstrap standard errors to each side.

    Resamples repeat pictures, which makes their distance larger as a whole; so percentiles of it would not hold the
    distance itself. Its spread is what can be used.

    Args:
        real: (photographs, features).
        drawn: (pictures, features).
        real_groups, drawn_groups: equal for pictures that belong together.
        resamples: how many.
        seed: decides every draw.
    """
    first = _features(real, "features of photographs", 2)
    second = _features(drawn, "features of drawn pictures", 2)
    draws = (
        np.concatenate(list(resample_weights(len(features), groups=groups, resamples=resamples, seed=seed + offset)))
        for offset, (features, groups) in enumerate(((first, real_groups), (second, drawn_groups)))
    )
    distances = [_frechet(first, one, second, other) for one, other in zip(*draws, strict=True)]
    value = frechet_distance(first, second)
    error = float(np.std(distances, ddof=1)) if len(distances) > 1 else 0.0
    return Interval(value, max(0.0, value - 1.96 * error), value + 1.96 * error, len(second))
